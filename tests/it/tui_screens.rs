//! Every view in every state, as it looks.

use grail_console::domain::feed::FeedEvent;
use grail_console::tui::logbook::{Level, LogLine};
use grail_console::tui::msg::Msg;
use grail_console::tui::own::OwnInfo;
use grail_console::tui::state::{State, Theme};
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use rstest::rstest;

use crate::tui_fixtures::*;

const SIZES: [(u16, u16); 2] = [(120, 32), (80, 24)];
/// Each view and the keys that lead there.
const VIEWS: [(&str, &str); 5] = [("subnet", "g"), ("detail", "enter"), ("you", "u"), ("logs", "L"), ("help", "?")];

fn logged(state: &mut State, message: &str) {
    let line = |seq, level, message: &str| LogLine {
        seq,
        at_ms: NOW_MS + seq * 1_000,
        level,
        target: "chain".to_owned(),
        message: message.into(),
    };
    let lines = vec![
        line(1, Level::Info, "connected to wss://entrypoint-finney.opentensor.ai:443, finney, spec 470"),
        line(2, Level::Debug, "256 uids and 253 commitments at block 9,168,527 in 3 round trips"),
        line(3, Level::Warn, message),
        line(4, Level::Error, "the saved subnet could not be written: disk full; the console runs on without it"),
    ];
    update(state, Msg::Logs(lines));
}

fn outage() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    lost(&mut state);
    pass(&mut state, 41);
    state
}

fn scenario(name: &str) -> State {
    let mut state = match name {
        "healthy" => live(own(&values(42, false)), healthy()),
        "drift" => live(own(&values(42, true)), healthy()),
        "hostile" => {
            let mut state = live(own(&values(42, false)), hostile());
            press(&mut state, "j j j j j j j");
            state
        }
        "outage" => outage(),
        _ => live(nobody(), healthy()),
    };
    let message = if name == "hostile" { "the node said \u{1b}]0;owned\u{7}\u{202e}!" } else { "no answer for 6 s" };
    logged(&mut state, message);
    state
}

#[rstest]
fn every_view_in_every_scenario(#[values("healthy", "drift", "hostile", "outage", "first_run")] name: &str) {
    for (view, keys) in VIEWS {
        for (width, height) in SIZES {
            let mut state = scenario(name);
            update(&mut state, Msg::Resize { width, height });
            if !(name == "hostile" && view == "subnet") {
                press(&mut state, keys);
            }
            assert_snapshot!(format!("{name}_{view}_{width}x{height}"), screen(&state, width, height));
        }
    }
}

#[test]
fn a_wide_terminal_shows_the_detail_beside_the_table() {
    assert_snapshot!(screen(&scenario("drift"), 160, 40));
}

#[test]
fn the_practice_subnet_cannot_be_mistaken() {
    let mut state = scenario("healthy");
    state.options.is_sandbox = true;
    for (width, height) in SIZES {
        let screen = screen(&state, width, height);
        assert!(screen.contains(" SANDBOX  · subnet 81"), "{screen}");
        assert_eq!(screen.matches("practice subnet · nothing here is real").count(), 1);
        assert!(!screen.contains("finney ·"));
    }
}

#[test]
fn a_network_that_never_answered_is_explained_and_the_practice_subnet_offered() {
    let mut state = opened(nobody());
    assert_snapshot!("connecting_80x24", screen(&state, 80, 24));
    lost(&mut state);
    pass(&mut state, 2);
    assert_snapshot!("never_connected_80x24", screen(&state, 80, 24));
    assert_snapshot!("never_connected_120x32", screen(&state, 120, 32));
}

#[test]
fn the_last_session_is_shown_before_the_network_answers() {
    let mut state = opened(own(&values(42, false)));
    feed(&mut state, FeedEvent::Connecting { endpoint: ENDPOINT.to_owned(), attempt: 1 });
    update(&mut state, Msg::CachedSnapshot { snapshot: Box::new(healthy()), saved_at_ms: NOW_MS - 7_300_000 });
    assert_snapshot!(screen(&state, 120, 32));
}

#[test]
fn a_subnet_on_which_nobody_published_anything() {
    let mut snapshot = all_good(6, 0);
    snapshot.commitments.clear();
    assert_snapshot!(screen(&live(nobody(), snapshot), 80, 24));
}

#[test]
fn a_subnet_without_any_uid_says_so() {
    let screen = screen(&live(nobody(), all_good(0, 0)), 80, 24);
    assert!(screen.contains("Nobody is registered on subnet 81"), "{screen}");
}

#[test]
fn a_filter_that_matches_nothing_says_how_to_leave_it() {
    let mut state = scenario("healthy");
    press(&mut state, "/ text:zzzz enter");
    assert_snapshot!(screen(&state, 80, 24));
}

#[test]
fn typing_a_wrong_filter_names_what_there_is() {
    let mut state = scenario("healthy");
    press(&mut state, "/ text:state:odd");
    assert_snapshot!(screen(&state, 120, 32));
}

#[test]
fn ex_members_have_a_section_of_their_own() {
    let mut state = live(own(&values(42, false)), hostile());
    press(&mut state, "o G");
    assert_snapshot!("ex_members_80x24", screen(&state, 80, 24));
    press(&mut state, "enter");
    assert_snapshot!("ex_member_detail_80x24", screen(&state, 80, 24));
}

#[test]
fn the_chooser_and_the_palette_lie_over_the_table() {
    let mut state = scenario("drift");
    press(&mut state, "y j");
    assert_snapshot!("chooser_80x24", screen(&state, 80, 24));
    press(&mut state, "esc : text:ex");
    assert_snapshot!("palette_80x24", screen(&state, 80, 24));
}

#[test]
fn a_frozen_table_during_an_outage_says_both() {
    let mut state = outage();
    press(&mut state, "space");
    assert_snapshot!(screen(&state, 80, 24));
}

#[test]
fn single_credential_mode_is_told_with_its_consequence_and_the_way_out() {
    let mut state = live(own(&legacy_values(42)), healthy());
    assert!(screen(&state, 80, 24).contains("✗ you: next GRAIL start PUBLISHES YOUR WRITE KEY"));
    press(&mut state, "u");
    assert_snapshot!("legacy_you_120x32", screen(&state, 120, 32));
    assert_snapshot!("legacy_you_80x24", screen(&state, 80, 24));
}

#[test]
fn a_hotkey_that_is_not_registered_is_told_so() {
    let mut unregistered = own(&values(42, false));
    unregistered.hotkey = Some(hotkey(424_242));
    let screen = screen(&live(unregistered, healthy()), 120, 32);
    assert!(screen.contains("▲ you: this hotkey is not registered on this subnet"), "{screen}");
    assert!(screen.contains("not registered miner-1"), "{screen}");
}

#[test]
fn a_misshapen_value_is_named_and_never_shown() {
    use grail_console::domain::credentials::{Source, Variable};
    use grail_console::domain::secret::SecretKey;
    let mut swapped = values(42, false);
    swapped.define(Variable::ReadKeyId, SecretKey::new(secret(99)), Source::EnvFile { line: 20 });
    let mut state = live(own(&swapped), healthy());
    press(&mut state, "u");
    let screen = screen(&state, 120, 60);
    assert!(screen.contains("has 64 characters") && screen.contains("swapped"), "{screen}");
    assert!(!screen.contains(&secret(99)[..8]), "{screen}");
}

#[test]
fn below_the_smallest_size_there_is_one_line() {
    let state = scenario("healthy");
    for (width, height) in [(59, 24), (80, 14), (20, 3), (1, 1)] {
        let screen = screen(&state, width, height);
        assert_eq!(screen.lines().filter(|line| !line.is_empty()).count(), 1, "{screen}");
    }
    assert!(screen(&state, 59, 24).contains("59x24 is too small: 60x15 at least"));
    assert!(screen(&state, 60, 15).contains("READ-ONLY"));
}

#[test]
fn every_size_can_be_drawn_in_every_view() {
    for name in ["hostile", "outage", "first_run"] {
        for (_, keys) in VIEWS {
            let mut state = scenario(name);
            press(&mut state, keys);
            for (width, height) in
                [(60, 15), (61, 16), (72, 20), (100, 15), (149, 24), (150, 24), (151, 15), (300, 100)]
            {
                screen(&state, width, height);
            }
        }
    }
}

#[test]
fn wide_characters_leave_the_columns_after_them_in_place() {
    let buffer = drawn(&live(nobody(), hostile()), 120, 32);
    let column = |needle: &str| {
        (0..buffer.area.height).find_map(|y| find(&buffer, y, needle)).unwrap_or_else(|| panic!("no {needle}"))
    };
    let (key_at, _) = column("READ KEY");
    let wide = (0..buffer.area.height).find(|y| find(&buffer, *y, "漢").is_some()).unwrap();
    assert_eq!(buffer[(key_at, wide)].symbol(), "x");
    assert_eq!(buffer[(key_at - 1, wide)].symbol(), " ");
}

/// Column and row of a text in a row of the picture.
fn find(buffer: &Buffer, y: u16, needle: &str) -> Option<(u16, u16)> {
    let cells: Vec<&str> = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..cells.len()).find(|x| cells[*x..].concat().starts_with(needle)).map(|x| (u16::try_from(x).unwrap(), y))
}

fn cell<'a>(buffer: &'a Buffer, needle: &str) -> &'a ratatui::buffer::Cell {
    let at = (0..buffer.area.height).find_map(|y| find(buffer, y, needle)).unwrap_or_else(|| panic!("no {needle}"));
    &buffer[at]
}

#[test]
fn colours_carry_their_meaning_on_dark_and_light_grounds() {
    let mut state = scenario("drift");
    let dark = drawn(&state, 120, 32);
    assert_eq!(cell(&dark, "✓ readable").fg, Color::Green);
    assert_eq!(cell(&dark, "✗ not UTF-8").fg, Color::LightRed);
    assert_eq!(cell(&dark, "▲ drift").fg, Color::Yellow);
    assert_eq!(cell(&dark, "never").fg, Color::Indexed(245));
    assert_eq!(cell(&dark, "▌").bg, Color::Indexed(237));
    assert!(cell(&dark, " READ-ONLY ").modifier.contains(Modifier::REVERSED));
    state.options.theme = Theme::Light;
    let light = drawn(&state, 120, 32);
    assert_eq!(cell(&light, "✓ readable").fg, Color::Indexed(28));
    assert_eq!(cell(&light, "▌").bg, Color::Indexed(254));
}

#[test]
fn without_colour_no_cell_has_one_and_the_words_are_the_same() {
    let coloured = scenario("drift");
    let mut plain = coloured.clone();
    plain.options.no_color = true;
    for (_, keys) in VIEWS {
        let (mut with, mut without) = (coloured.clone(), plain.clone());
        press(&mut with, keys);
        press(&mut without, keys);
        let buffer = drawn(&without, 120, 32);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let unshaded = |text: String| text.replace(['█', '▓', '░'], "▄");
        assert_eq!(unshaded(text(&buffer)), screen(&with, 120, 32));
    }
}

#[test]
fn the_footer_offers_only_what_does_something_now() {
    let last = |state: &State| screen(state, 120, 32).lines().last().unwrap().to_owned();
    let mut state = opened(OwnInfo { hotkey: None, ..nobody() });
    assert!(!last(&state).contains("detail") && !last(&state).contains("filter"), "{}", last(&state));
    state = scenario("healthy");
    assert!(last(&state).contains("enter detail") && !last(&state).contains("back"));
    press(&mut state, "space");
    assert!(last(&state).contains("space unfreeze"));
    press(&mut state, "/");
    assert!(last(&state).starts_with(" enter apply   esc no filter"), "{}", last(&state));
}
