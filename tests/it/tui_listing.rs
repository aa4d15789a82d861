//! The listing of a bucket: asked for by its own key, shown where it was asked for, made visible.

use grail_console::domain::probe::{ProbeNews, ProbeOrder};
use grail_console::domain::untrusted::Untrusted;
use grail_console::engine::service::Request;
use grail_console::tui::msg::Effect;
use grail_console::tui::state::State;

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::tell;
use crate::tui_screens::scenario;

fn in_detail() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    press(&mut state, "g enter");
    state
}

fn shown(state: &State) -> String {
    let mut state = state.clone();
    press(&mut state, "G");
    let (from, to) = ("NAMES UNDER grail/", "PUBLISHED");
    press(&mut state, "g");
    let whole: String = (0..4)
        .map(|_| {
            let text = screen(&state, 120, 32);
            press(&mut state, "pgdn");
            text
        })
        .collect();
    let start = whole.find(from).map_or(whole.len(), |at| at);
    whole[start..].split(to).next().unwrap().to_owned()
}

#[test]
fn a_bucket_is_listed_only_when_asked_and_once_at_a_time() {
    let mut state = in_detail();
    let hotkey = state.selected().unwrap().hotkey;
    assert!(
        press(&mut state, "p").iter().all(|effect| *effect != Effect::Ask(Request::Probe(ProbeOrder::List(hotkey))))
    );
    assert_eq!(press(&mut state, "b"), [Effect::Ask(Request::Probe(ProbeOrder::List(hotkey)))]);
    assert!(press(&mut state, "b").is_empty(), "the first is under way");
    assert!(shown(&state).contains("asking the bucket for a listing"));
}

#[test]
fn names_are_shown_as_they_are_and_made_visible() {
    let mut state = in_detail();
    let hotkey = state.selected().unwrap().hotkey;
    press(&mut state, "b");
    let names = vec![Untrusted::from_text("grail/a"), Untrusted::from_text("grail/\u{1b}[2Jb\u{202e}")];
    tell(&mut state, ProbeNews::Listed(hotkey, Ok(names)));
    let text = shown(&state);
    assert!(text.contains("2, no more than 200 are asked for") && text.contains("grail/a"), "{text}");
    assert!(text.contains("\\u{1b}[2Jb\\u{202e}") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_refused_and_an_empty_listing_say_so() {
    let mut state = in_detail();
    let hotkey = state.selected().unwrap().hotkey;
    press(&mut state, "b");
    tell(&mut state, ProbeNews::Listed(hotkey, Err("the store answers 403 AccessDenied".to_owned())));
    assert!(shown(&state).contains("✗ The listing was refused: the store answers 403 AccessDenied."));
    press(&mut state, "b");
    tell(&mut state, ProbeNews::Listed(hotkey, Ok(Vec::new())));
    assert!(shown(&state).contains("○ nothing is there"));
}

#[test]
fn a_listing_of_a_row_that_was_left_is_not_shown_elsewhere() {
    let mut state = in_detail();
    let hotkey = state.selected().unwrap().hotkey;
    press(&mut state, "b");
    tell(&mut state, ProbeNews::Listed(hotkey, Ok(vec![Untrusted::from_text("grail/a")])));
    press(&mut state, "esc j enter");
    assert_ne!(state.selected().unwrap().hotkey, hotkey);
    assert!(shown(&state).is_empty());
}

#[test]
fn in_another_view_the_key_says_where_it_works() {
    let mut state = scenario("healthy");
    assert!(press(&mut state, "b").is_empty());
    assert!(screen(&state, 120, 32).contains("list bucket: only in Detail"), "{}", screen(&state, 120, 32));
}
