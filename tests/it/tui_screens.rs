//! Every view in every state: the part that the state is about. `tui_whole_screens` has the screens in full.

use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::BlockHash;
use grail_console::engine::own::OwnInfo;
use grail_console::tui::logbook::{Level, LogLine};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::{State, Theme};
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::tui_commit_fixtures::{ready, under_way};
use crate::tui_fixtures::*;
use crate::tui_parts::*;
use crate::tui_rotation_fixtures::{in_grace, with};

/// Each view and the keys that lead there.
const VIEWS: [(&str, &str); 5] = [("subnet", "g"), ("detail", "enter"), ("you", "u"), ("logs", "L"), ("help", "?")];

const SCENARIOS: [&str; 5] = ["healthy", "drift", "hostile", "outage", "first_run"];

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

pub fn outage() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    lost(&mut state);
    pass(&mut state, 41);
    state
}

pub fn scenario(name: &str) -> State {
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

/// A text view in every scenario, with all its lines.
fn texts(keys: &str) -> String {
    let mut pictures = Pictures::default();
    for name in SCENARIOS {
        let mut state = scenario(name);
        press(&mut state, keys);
        let picture = at_both_sizes(&state, whole_body);
        match name {
            "drift" | "first_run" => pictures.add_variant(name, "healthy", picture),
            _ => pictures.add(name, picture),
        }
    }
    pictures.text()
}

#[test]
fn the_detail_in_every_scenario() {
    assert_snapshot!(texts("enter"));
}

#[test]
fn the_own_side_in_every_scenario() {
    assert_snapshot!(texts("u"));
}

#[test]
fn the_log_in_every_scenario() {
    let mut pictures = Pictures::default();
    for name in SCENARIOS {
        let mut state = scenario(name);
        press(&mut state, "L");
        let picture = at_both_sizes(&state, body);
        if name == "hostile" {
            pictures.add_variant(name, "healthy", picture);
        } else {
            pictures.add(name, picture);
        }
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn the_help_in_every_scenario() {
    assert_snapshot!(texts("?"));
}

#[test]
fn the_table_tells_of_the_own_row_in_every_scenario() {
    let mut pictures = Pictures::default();
    for name in ["healthy", "drift", "hostile", "outage"] {
        pictures.add(name, at_both_sizes(&scenario(name), lines_with(&[" uids ", "you:", "● you"])));
    }
    pictures.add("first_run", at_both_sizes(&scenario("first_run"), lines_with(&[" uids ", "no hotkey", "▌"])));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_lost_connection_stands_in_the_banner_of_every_view() {
    let mut pictures = Pictures::default();
    for (view, keys) in VIEWS {
        let mut state = scenario("outage");
        press(&mut state, keys);
        pictures.add(view, at_both_sizes(&state, banner));
    }
    assert_snapshot!(pictures.text());
}

/// Every state that the header tells, at the widths at which it loses words.
#[test]
fn the_header_keeps_what_matters_most() {
    let mut sandbox = ready();
    sandbox.options.is_sandbox = true;
    let mut stale = ready();
    pass(&mut stale, 200);
    let mut lost_before = opened(nobody());
    lost(&mut lost_before);
    let states = vec![
        ("live", ready()),
        ("read-only", scenario("healthy")),
        ("no hotkey", scenario("first_run")),
        ("stale", stale),
        ("lost", outage()),
        ("armed", crate::tui_commit_screens::awaiting()),
        ("practice subnet", sandbox),
        ("connecting", opened(nobody())),
        ("never connected", lost_before),
        ("saved", saved()),
    ];
    let mut pictures = Pictures::default();
    for (name, state) in states {
        pictures.add(name, [WIDE, NARROW, SMALL].map(|(width, height)| header(&state, width, height)).concat());
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn the_footer_of_every_view_keeps_the_most_useful_keys() {
    let mut pictures = Pictures::default();
    for (console, state) in
        [("read-only", scenario("healthy")), ("may write", ready()), ("no hotkey", live(nobody(), healthy()))]
    {
        for (view, keys) in VIEWS.into_iter().chain([("map", "m")]) {
            let mut state = state.clone();
            press(&mut state, keys);
            let footers = [WIDE, NARROW, SMALL].map(|(width, height)| footer(&state, width, height));
            pictures.add(&format!("{view}, {console}"), footers.concat());
        }
    }
    for (name, mut state, keys) in [
        ("filtered", ready(), "/ text:4 enter"),
        ("marked", ready(), "v"),
        ("commit under way", under_way(3), "esc"),
        ("rotation under way", with(&in_grace()), "g"),
    ] {
        press(&mut state, keys);
        pictures.add(name, at_both_sizes(&state, footer));
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn a_wide_terminal_shows_the_detail_beside_the_table() {
    let picture = screen(&scenario("drift"), 160, 40);
    let side = picture.lines().filter_map(|line| line.rsplit_once("│ ").map(|(_, detail)| format!("{detail}\n")));
    let places =
        side.skip_while(|line| !line.contains("CHAIN AND LOCAL")).take_while(|line| !line.contains("ON CHAIN"));
    assert_snapshot!(places.collect::<String>());
}

#[test]
fn the_practice_subnet_cannot_be_mistaken() {
    let mut state = scenario("healthy");
    state.options.is_sandbox = true;
    for (width, height) in [WIDE, NARROW] {
        let screen = screen(&state, width, height);
        assert!(screen.contains(" SANDBOX  · subnet 81"), "{screen}");
        assert_eq!(screen.matches("practice subnet · nothing here is real").count(), 1);
        assert!(!screen.contains("finney ·"));
    }
}

#[test]
fn a_network_that_never_answered_is_explained_and_the_practice_subnet_offered() {
    let mut state = opened(nobody());
    let mut pictures = Pictures::default();
    pictures.add("connecting", at_both_sizes(&state, with_keys(body)));
    lost(&mut state);
    pass(&mut state, 2);
    pictures.add("never connected", at_both_sizes(&state, with_keys(body)));
    assert_snapshot!(pictures.text());
}

/// The subnet of the last session, before the network answers.
pub fn saved() -> State {
    let mut state = opened(own(&values(42, false)));
    feed(&mut state, FeedEvent::Connecting { endpoint: ENDPOINT.to_owned(), attempt: 1 });
    update(&mut state, Msg::CachedSnapshot { snapshot: Box::new(healthy()), saved_at_ms: NOW_MS - 7_300_000 });
    state
}

#[test]
fn the_last_session_is_shown_before_the_network_answers() {
    let mut pictures = Pictures::default();
    pictures.add_banner("banner", &saved());
    pictures.add("table", at_both_sizes(&saved(), lines_with(&[" uids ", "you:", "● you", "5GkraJ", "by uid"])));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_subnet_on_which_nobody_published_anything() {
    let mut snapshot = all_good(6, 0);
    snapshot.commitments.clear();
    assert_snapshot!(body(&live(nobody(), snapshot), 80, 24));
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
    assert_snapshot!(with_keys(body)(&state, 80, 24));
}

#[test]
fn typing_a_wrong_filter_names_what_there_is() {
    let mut state = scenario("healthy");
    press(&mut state, "/ text:state:odd");
    assert_snapshot!(with_keys(lines_with(&["state:odd"]))(&state, 120, 32));
}

#[test]
fn an_ex_members_detail_names_the_hotkey_that_took_its_place() {
    let mut snapshot = all_good(4, 1);
    snapshot.successors.insert(hotkey(90_000), hotkey(3));
    let mut state = live(own(&values(2, true)), snapshot);
    press(&mut state, "o G enter");
    let shown = screen(&state, 120, 32);
    let line = shown.lines().find(|line| line.contains("successor")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains(&hotkey(3).to_string()) && line.contains("its new hotkey"), "{line}");
}

#[test]
fn ex_members_have_a_section_of_their_own() {
    let mut state = live(own(&values(42, false)), hostile());
    press(&mut state, "o G");
    let mut pictures = Pictures::default();
    let rows = lines_with(&["HOTKEY", "    46   ", "    47   ", "ex-member", "by uid"]);
    pictures.add("table", at_both_sizes(&state, rows));
    press(&mut state, "enter");
    pictures.add(
        "detail",
        at_both_sizes(&state, lines_with(&["ex-member", "Ex-member", "commitment any more", "set at", "registered"])),
    );
    assert_snapshot!(pictures.text());
}

#[test]
fn the_chooser_and_the_palette_lie_over_the_table() {
    let mut pictures = Pictures::default();
    let mut state = scenario("drift");
    press(&mut state, "y j");
    pictures.add_dialog("chooser", &state);
    press(&mut state, "esc : text:ex");
    pictures.add_dialog("palette", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn a_frozen_table_during_an_outage_says_both() {
    let mut state = outage();
    press(&mut state, "space");
    assert_snapshot!(banner_at_both_sizes(&state));
}

#[test]
fn single_credential_mode_is_told_with_its_consequence_and_the_way_out() {
    let mut state = live(own(&legacy_values(42)), healthy());
    assert!(screen(&state, 80, 24).contains("✗ you: next GRAIL start PUBLISHES YOUR WRITE KEY"));
    press(&mut state, "u");
    assert_snapshot!(at_both_sizes(&state, whole_body));
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

#[test]
fn the_header_says_what_the_chain_calls_the_subnet_where_there_is_room() {
    let mut snapshot = healthy();
    snapshot.subnet.name = Some("a name that goes on and on\u{1b}[31m".into());
    let state = live(own(&values(42, false)), snapshot);
    let first = |width| screen(&state, width, 24).lines().next().unwrap().to_owned();
    for width in [200, 120] {
        assert!(first(width).contains("81 (a name that goe…)"), "another project's name: {}", first(width));
    }
    assert!(!first(60).contains("a name") && first(60).contains("81"), "{}", first(60));
}

#[test]
fn another_chain_than_before_stands_first_and_makes_nothing_green() {
    let mut state = live(own(&values(42, false)), healthy());
    assert!(screen(&state, 120, 32).contains("✓ you: chain and local agree"));
    let before = BlockHash([9; 32]);
    state.model.own.chain_before = Some(before);
    let table = screen(&state, 120, 32);
    assert!(table.contains("? you: another chain than before") && !table.contains("✓ you"), "{table}");
    press(&mut state, "u");
    for (width, height) in [(120, 32), (80, 24), (60, 15)] {
        let shown = screen(&state, width, height);
        assert!(shown.contains("Another chain than before answers") && shown.contains("→ Check which node"), "{shown}");
        assert!(!shown.contains("validators read with the key below"), "{shown}");
    }
}
