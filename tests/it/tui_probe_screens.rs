//! Read tests as they look.

use grail_console::domain::probe::{ProbeNews, Verdict};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::style::{Color, Modifier};

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::*;

const SIZES: [(u16, u16); 2] = [(120, 32), (80, 24)];

/// Everything was tested three minutes ago but a few; one commitment changed since.
fn swept_subnet() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    swept(&mut state, 250);
    pass(&mut state, 190);
    tell(&mut state, ProbeNews::Began(hotkey(2)));
    let commitments = vec![(hotkey(5), Some(good(55_000, HEAD + 1)))];
    let change = grail_console::domain::snapshot::SubnetChange { block: HEAD + 1, commitments, members: Vec::new() };
    feed(&mut state, grail_console::domain::feed::FeedEvent::Changed(Box::new(change)));
    state
}

fn shown(name: &str, state: &State, keys: &str) {
    for (width, height) in SIZES {
        let mut state = state.clone();
        update(&mut state, Msg::Resize { width, height });
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        assert_snapshot!(format!("{name}_{width}x{height}"), screen(&state, width, height));
    }
}

fn at(uid: &str) -> String {
    format!("/ text:{uid} enter enter")
}

#[test]
fn the_table_with_results_and_marks() {
    let mut state = swept_subnet();
    press(&mut state, "j j v v");
    shown("subnet", &state, "");
}

#[test]
fn a_sweep_under_way() {
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "P");
    swept(&mut state, 87);
    for uid in 87..95 {
        tell(&mut state, ProbeNews::Began(hotkey(uid)));
    }
    shown("sweeping", &state, "");
    shown("sweeping_map", &state, "m");
    tell(&mut state, ProbeNews::SweepEnded { cancelled: true });
    shown("sweep_ended", &state, "");
}

#[test]
fn the_detail_of_rows_that_pass_fail_are_risky_and_changed() {
    let mut state = swept_subnet();
    for ms in [70, 84, 203, 120, 96] {
        let mut one = probe(42, Verdict::Ok);
        (one.elapsed_ms, one.at_ms) = (ms, state.now_ms);
        tested(&mut state, one);
    }
    shown("detail_ok", &state, "g enter");
    shown("detail_denied", &state, &at("9"));
    shown("detail_late", &state, &at("12"));
    shown("detail_shared", &state, &at("30"));
    shown("detail_changed", &state, &at("5"));
    shown("detail_untested", &state, &at("255"));
}

#[test]
fn the_detail_stands_beside_the_table_of_a_wide_terminal() {
    let mut state = swept_subnet();
    press(&mut state, "/ text:test:late enter");
    assert_snapshot!("wide_160x40", screen(&state, 160, 40));
}

#[test]
fn whether_a_validator_would_see_me() {
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "u");
    shown("you_idle", &state, "");
    press(&mut state, "p");
    shown("you_asking", &state, "");
    for (name, visible) in [("you_visible", true), ("you_invisible", false)] {
        tell(&mut state, ProbeNews::Seen(Box::new(visibility(visible))));
        shown(name, &state, "");
    }
    shown("you_invisible_end", &state, "G");
    let problem = grail_console::domain::findings::Finding::new(
        "no_node",
        grail_console::domain::findings::Severity::Danger,
        "No node answers",
        "The window that counts is read from the chain.",
        "Wait until the console is connected again, then press p.",
    );
    tell(&mut state, ProbeNews::Failed { hotkeys: Vec::new(), problem });
    shown("you_failed", &state, "");
}

#[test]
fn the_map_of_uids() {
    shown("map_untested", &live(own(&values(42, false)), healthy()), "m");
    let mut state = swept_subnet();
    press(&mut state, "j v v");
    shown("map", &state, "m j j right right right");
    shown("map_filtered", &state, "/ text:test:failed enter m");
    press(&mut state, "m");
    assert_snapshot!("map_160x40", screen(&state, 160, 40));
}

#[test]
fn a_large_map_and_a_small_screen() {
    let mut state = live(nobody(), all_good(5_000, 0));
    swept(&mut state, 3_000);
    press(&mut state, "m G");
    assert_snapshot!("map_large_80x24", screen(&state, 80, 24));
    assert_snapshot!("map_small_60x15", screen(&state, 60, 15));
}

#[test]
fn hostile_words_of_a_store_are_made_visible() {
    use grail_console::domain::probe::{Reply, Request};
    let mut state = live(own(&values(42, false)), hostile());
    let code = "Denied\u{1b}[2J\u{202e}\u{9b}31m漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字";
    let wild = Reply::Refused { http: 403, code: Some(code.into()), message: Some(code.into()) };
    for uid in 0..20 {
        tested(&mut state, judged(uid, vec![(Request::HeadCompressed, wild.clone())], 9_999));
    }
    shown("hostile", &state, "");
    shown("hostile_map", &state, "m");
    shown("hostile_detail", &state, "j j enter");
}

#[test]
fn every_verdict_has_a_glyph_a_word_and_a_colour_that_can_go() {
    let mut state = swept_subnet();
    press(&mut state, "j");
    let mut plain = state.clone();
    plain.options.no_color = true;
    for keys in ["g", "m", "j enter", "u"] {
        let (mut with, mut without) = (state.clone(), plain.clone());
        press(&mut with, keys);
        press(&mut without, keys);
        let buffer = drawn(&without, 120, 32);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let unshaded = |text: String| text.replace(['█', '▓', '░'], "▄");
        assert_eq!(unshaded(text(&buffer)), screen(&with, 120, 32));
    }
    press(&mut plain, "m");
    let reversed =
        drawn(&plain, 120, 32).content.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count();
    assert!(reversed >= 2, "the cursor on the map is seen without colour");
}

#[test]
fn every_size_can_be_drawn() {
    let mut state = swept_subnet();
    tell(&mut state, ProbeNews::Seen(Box::new(visibility(false))));
    for keys in ["g", "m", "m G", "enter", "u"] {
        let mut state = state.clone();
        press(&mut state, keys);
        for (width, height) in [(60, 15), (61, 16), (72, 20), (100, 15), (149, 24), (150, 24), (151, 15), (300, 100)] {
            screen(&state, width, height);
        }
    }
}
