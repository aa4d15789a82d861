//! You and Detail: the worst stands first, with what to do, at every size.

use grail_console::domain::probe::Verdict;

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::{probe, tested};
use crate::tui_screens::scenario;

const SIZES: [(u16, u16); 3] = [(120, 32), (80, 24), (60, 15)];

/// Where a text stands on the screen, by its line.
#[track_caller]
fn at(picture: &str, words: &str) -> usize {
    picture.lines().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words:?} is not in\n{picture}"))
}

#[test]
fn the_worst_stands_first_with_its_action_at_every_size() {
    for keys in ["u", "enter"] {
        for (width, height) in SIZES {
            let mut state = scenario("drift");
            state.options.read_only = false;
            press(&mut state, keys);
            let picture = screen(&state, width, height);
            let worst = at(&picture, "▲ Validators still read your old key");
            let action = at(&picture, "→ C publishes what is");
            assert_eq!(action, worst + 1, "{picture}");
            let good = picture.lines().position(|line| line.trim_start().starts_with('✓'));
            assert!(good.is_none_or(|good| good > worst), "{picture}");
        }
    }
}

#[test]
fn a_bucket_that_nobody_can_read_stands_before_that_grail_accepts_its_key() {
    for (width, height) in SIZES {
        let mut state = scenario("healthy");
        tested(&mut state, probe(42, Verdict::ScopeDenied));
        press(&mut state, "enter");
        let picture = screen(&state, width, height);
        let (worst, action) = (at(&picture, "✗ denied"), at(&picture, "→ "));
        assert!(worst < action, "{picture}");
        let good = picture.lines().position(|line| line.contains("GRAIL accepts"));
        assert!(good.is_none_or(|good| good > action), "{picture}");
    }
}
