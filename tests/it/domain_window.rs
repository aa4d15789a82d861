//! Windows: which block belongs to which, which one is complete, when its uploads end, and the names of its objects.

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::window::{Deadline, DocumentedName, Window, newest_ready};
use proptest::prelude::*;
use rstest::rstest;

#[test]
fn windows_and_objects_have_the_names_that_grail_gives_them() {
    let hotkey: Hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
    let window = Window::of(9_168_269);
    assert_eq!((window.start(), window.closing_block()), (9_168_240, 9_168_270));
    for (name, text) in [
        (DocumentedName::WindowCompressed(hotkey, window), "grail/windows/{}-window-9168240.parquet.gz"),
        (DocumentedName::Window(hotkey, window), "grail/windows/{}-window-9168240.parquet"),
        (DocumentedName::TrustList(window), "grail/trust/trust_list_9168240.json"),
        (DocumentedName::Ready(window, Window::of(9_168_270)), "grail/checkpoints/checkpoint-9168240/READY-9168270"),
    ] {
        assert_eq!(name.to_string(), text.replace("{}", &hotkey.to_string()));
    }
}

#[test]
fn looking_back_ends_at_the_beginning_of_the_chain() {
    let back = |block: u64, count| Window::of(block).back(count).map(Window::start).collect::<Vec<_>>();
    assert_eq!(back(119, 3), [90, 60, 30]);
    assert_eq!(back(45, 12), [30, 0]);
    assert_eq!(Window::last_complete(29), None);
    assert_eq!(Window::last_complete(30).map(Window::start), Some(0));
}

proptest! {
    #[test]
    fn the_last_complete_window_is_over_and_no_later_one_is(best in 0..u64::MAX) {
        let current = Window::of(best);
        prop_assert!(current.start() <= best && best - current.start() < 30 && current.start().is_multiple_of(30));
        match Window::last_complete(best) {
            None => prop_assert!(best < 30),
            Some(last) => {
                prop_assert!(last.closing_block() <= best, "its closing block has come");
                prop_assert!(best - last.closing_block() < 30, "that of the next one has not");
                prop_assert_eq!(last.closing_block(), last.start() + 30);
                prop_assert_eq!(Window::of(last.closing_block()), current);
            }
        }
    }

    #[test]
    fn a_deadline_lies_four_seconds_before_the_closing_block(ms in 4_000..u64::MAX, exact: bool) {
        prop_assert_eq!(Deadline::from_closing(ms, exact), Deadline { at_ms: ms - 4_000, exact });
    }
}

/// Names come from somebody else's bucket.
#[rstest]
#[case::none(&[], None)]
#[case::one(&["grail/checkpoints/checkpoint-30/READY-90"], Some((30, 90)))]
#[case::other_files(&["grail/checkpoints/checkpoint-30/model.safetensors", "grail/checkpoints/checkpoint-30/"], None)]
#[case::ready_last(&["grail/checkpoints/checkpoint-60/READY-60", "grail/checkpoints/checkpoint-30/READY-90"], Some((30, 90)))]
#[case::of_the_target(&["grail/checkpoints/checkpoint-30/READY-120", "grail/checkpoints/checkpoint-0/READY-30"], Some((0, 30)))]
#[case::of_two_in_one_window(&["grail/checkpoints/checkpoint-60/READY-90", "grail/checkpoints/checkpoint-30/READY-90"], Some((60, 90)))]
#[case::ready_before_it_was(&["grail/checkpoints/checkpoint-90/READY-60"], None)]
#[case::no_window(&["grail/checkpoints/checkpoint-31/READY-61", "grail/checkpoints/checkpoint-30/READY-+90"], None)]
#[case::no_number(&["grail/checkpoints/checkpoint-30/READY-", "grail/checkpoints/checkpoint-30/READY-99999999999999999999"], None)]
#[case::below_it(&["grail/checkpoints/checkpoint-30/READY-90/x", "x/grail/checkpoints/checkpoint-30/READY-90"], None)]
fn of_marks_the_one_counts_that_became_ready_last_before_the_target(
    #[case] names: &[&str],
    #[case] found: Option<(u64, u64)>,
) {
    let newest = newest_ready(names.iter().copied(), Window::of(120));
    assert_eq!(newest.map(|(checkpoint, ready)| (checkpoint.start(), ready.start())), found);
}

#[rstest]
#[case(-29_001, "30 s after")]
#[case(-30_000, "30 s after")]
#[case(-1, "1 s after")]
#[case(0, "0 s before")]
#[case(41_999, "41 s before")]
fn how_far_an_upload_was_from_its_deadline_is_one_number_wherever_it_is_told(
    #[case] early_ms: i64,
    #[case] told: &str,
) {
    assert_eq!(grail_console::domain::window::from_deadline(early_ms), told);
}
