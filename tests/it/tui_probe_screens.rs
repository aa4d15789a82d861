//! Read tests as they look: in the table, in the detail, on the own side, on the map.

use grail_console::domain::probe::{ProbeNews, Verdict};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::style::{Color, Modifier};

use crate::tui_fixtures::*;
use crate::tui_parts::*;
use crate::tui_probe_fixtures::*;

/// Everything was tested three minutes ago but a few; one commitment changed since.
pub fn swept_subnet() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    swept(&mut state, 250);
    pass(&mut state, 190);
    tell(&mut state, ProbeNews::Began(hotkey(2)));
    let commitments = vec![(hotkey(5), Some(good(55_000, HEAD + 1)))];
    let change = grail_console::domain::snapshot::SubnetChange { block: HEAD + 1, commitments, members: Vec::new() };
    feed(&mut state, grail_console::domain::feed::FeedEvent::Changed(Box::new(change)));
    state
}

/// A part at both sizes, after keys that were pressed at that size.
fn pressed(state: &State, keys: &str, part: impl Fn(&State, u16, u16) -> String) -> String {
    at_both_sizes(state, |state, width, height| {
        let mut state = state.clone();
        update(&mut state, Msg::Resize { width, height });
        press(&mut state, keys);
        part(&state, width, height)
    })
}

fn at(uid: &str) -> String {
    format!("/ text:{uid} enter enter")
}

#[test]
fn the_table_with_results_and_marks() {
    let mut state = swept_subnet();
    press(&mut state, "j j v v");
    let rows = |state: &State, width, height| {
        let telling = lines_with(&["HOTKEY", "◆    ", "▌    ", "● you", "before", "no DNS", "unknown key"]);
        summary_and_status(state, width, height) + &telling(state, width, height)
    };
    assert_snapshot!(at_both_sizes(&state, with_keys(rows)));
}

/// A sweep of everything, a third of the way.
pub fn sweeping() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "P");
    swept(&mut state, 87);
    for uid in 87..95 {
        tell(&mut state, ProbeNews::Began(hotkey(uid)));
    }
    state
}

#[test]
fn a_sweep_under_way() {
    let mut pictures = Pictures::default();
    let mut state = sweeping();
    pictures.add("under way", at_both_sizes(&state, with_keys(summary_and_status)));
    tell(&mut state, ProbeNews::SweepEnded { cancelled: true });
    pictures.add("ended", at_both_sizes(&state, summary_and_status));
    assert_snapshot!(pictures.text());
}

/// Of the detail how the commitment stands, and its read test.
fn opening_and_test(state: &State, width: u16, height: u16) -> String {
    opening(state, width, height) + &section("READ TEST")(state, width, height)
}

#[test]
fn the_detail_of_rows_that_pass_fail_are_risky_and_changed() {
    let mut state = swept_subnet();
    for ms in [70, 84, 203, 120, 96] {
        let mut one = probe(42, Verdict::Ok);
        (one.elapsed_ms, one.at_ms) = (ms, state.model.now_ms);
        tested(&mut state, one);
    }
    let mut pictures = Pictures::default();
    for (name, keys) in [
        ("ok", "g enter".to_owned()),
        ("denied", at("9")),
        ("late", at("12")),
        ("shared key", at("30")),
        ("changed", at("5")),
        ("untested", at("255")),
    ] {
        let picture = pressed(&state, &keys, opening_and_test);
        match name {
            "shared key" | "changed" => pictures.add_variant(name, "ok", picture),
            _ => pictures.add(name, picture),
        }
    }
    assert_snapshot!(pictures.text());
}

/// The own side, asked whether a validator sees it.
pub fn seen(visible: bool) -> State {
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "u p");
    tell(&mut state, ProbeNews::Seen(Box::new(visibility(visible))));
    state
}

#[test]
fn whether_a_validator_would_see_me() {
    let mut pictures = Pictures::default();
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "u");
    let part = || section("VISIBILITY");
    pictures.add("not asked", at_both_sizes(&state, part()));
    press(&mut state, "p");
    pictures.add("asked", at_both_sizes(&state, part()));
    pictures.add("visible", at_both_sizes(&seen(true), part()));
    pictures.add_variant("not visible", "visible", at_both_sizes(&seen(false), part()));
    let problem = grail_console::domain::diagnostic::Diagnostic::new(
        "no_node",
        grail_console::domain::diagnostic::Severity::Danger,
        "No node answers",
        "The window that counts is read from the chain.",
        "Wait until the console is connected again, then press p.",
    );
    let mut state = seen(false);
    tell(&mut state, ProbeNews::Failed { hotkeys: Vec::new(), problem });
    pictures.add("not answered", at_both_sizes(&state, part()));
    assert_snapshot!(pictures.text());
}

/// The cursor on the map of a subnet with marks.
pub fn on_the_map() -> State {
    let mut state = swept_subnet();
    press(&mut state, "j v v m");
    state
}

#[test]
fn the_map_of_uids() {
    let mut pictures = Pictures::default();
    pictures.add("untested", pressed(&live(own(&values(42, false)), healthy()), "m", body));
    pictures.add("sweep under way", pressed(&sweeping(), "m", body));
    let mut state = swept_subnet();
    press(&mut state, "j v v");
    pictures.add("swept", pressed(&state, "m j j right right right", body));
    pictures.add("filtered", pressed(&state, "/ text:test:failed enter m", body));
    pictures.add("swept, at 160x40", body(&on_the_map(), 160, 40));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_large_map_is_scrolled() {
    assert_snapshot!(body(&large_map(), 80, 24));
}

/// The end of the map of 5,000 uids.
pub fn large_map() -> State {
    let mut state = live(nobody(), all_good(5_000, 0));
    swept(&mut state, 3_000);
    press(&mut state, "m G");
    state
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
    let mut pictures = Pictures::default();
    pictures.add("table", at_both_sizes(&state, summary_and_status));
    pictures.add("row", at_both_sizes(&state, lines_with(&["5GkraJ…wsjy"])));
    pictures.add("map", pressed(&state, "m", body));
    pictures.add("detail", pressed(&state, "j j enter", opening_and_test));
    assert_snapshot!(pictures.text());
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
