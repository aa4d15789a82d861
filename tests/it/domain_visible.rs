//! The verdict over one's own visibility and over one's own keys, as pure functions.

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::{Found, Reply, Trouble, Verdict};
use grail_console::domain::provider::Provider;
use grail_console::domain::self_test::{AbortAnswer, can_write, is_account_wide};
use grail_console::domain::untrusted::Untrusted;
use grail_console::domain::visible::{Check, Standing, Visibility, WindowSeen, old_enough};
use grail_console::domain::window::Window;

fn check(standing: Standing, evidence: &str) -> Check {
    Check { check: "a_check", words: "a check", standing, evidence: evidence.to_owned(), fix: String::new() }
}

fn concluded(checks: Vec<Check>, windows: Vec<WindowSeen>) -> Visibility {
    let hotkey = Hotkey::from_bytes([7; 32]);
    let (visible, sentence) = (true, "not concluded yet".to_owned());
    Visibility {
        hotkey,
        uid: Some(42),
        visible,
        sentence,
        checks,
        windows,
        probe: None,
        confirmed: None,
        block: 100,
        at_ms: 0,
        out_of_time: false,
        seen_from: String::new(),
    }
    .conclude()
}

fn newest() -> WindowSeen {
    let window = Window::of(9_168_240);
    WindowSeen { window, verdict: Verdict::Ok, size: Some(5_000), early_ms: Some(60_000), exact: true }
}

#[test]
fn the_first_check_that_fails_is_the_sentence() {
    let seen = concluded(
        vec![
            check(Standing::Yes, "Fine."),
            check(Standing::Warning, "A doubt."),
            check(Standing::No, "the key is refused."),
            check(Standing::No, "the window is late."),
        ],
        vec![newest()],
    );
    assert!(!seen.visible);
    assert_eq!(seen.sentence, "A validator would not see you now: the key is refused.");
}

#[test]
fn all_that_holds_makes_one_visible_and_the_newest_window_is_named() {
    let seen = concluded(vec![check(Standing::Yes, "Fine."), check(Standing::Unknown, "Who knows.")], vec![newest()]);
    assert!(seen.visible);
    assert_eq!(seen.sentence, "A validator would see you now. Window 9,168,240 is there and on time.");
}

#[test]
fn a_doubt_is_added_to_the_sentence_and_takes_nothing_away() {
    let checks = vec![check(Standing::Yes, "Fine."), check(Standing::Warning, "Two windows are missing.")];
    let seen = concluded(checks, vec![newest()]);
    assert!(seen.visible);
    let words = "A validator would see you now. Window 9,168,240 is there and on time. But two windows are missing.";
    assert_eq!(seen.sentence, words);
}

#[test]
fn where_nothing_could_be_found_out_nothing_is_claimed() {
    for checks in [vec![], vec![check(Standing::Unknown, "Who knows.")], vec![check(Standing::Warning, "A doubt.")]] {
        let seen = concluded(checks, vec![]);
        assert!(!seen.visible);
        assert_eq!(seen.sentence, "Whether a validator would see you now could not be found out.");
    }
}

#[test]
fn a_bucket_of_which_nothing_could_be_found_out_is_not_called_visible() {
    for needed in ["chain", "registered", "readable", "key_reads", "newest_window"] {
        let unknown = Check { check: needed, ..check(Standing::Unknown, "the store refuses more requests for now.") };
        let seen = concluded(vec![check(Standing::Yes, "Fine."), unknown.clone()], vec![newest()]);
        assert!(!seen.visible, "{needed}");
        let sentence =
            "Whether a validator would see you now could not be found out. The store refuses more requests for now.";
        assert_eq!(seen.sentence, sentence, "{needed}");
        let failed = concluded(vec![unknown, check(Standing::No, "the window is late.")], vec![]);
        assert_eq!(failed.sentence, "A validator would not see you now: the window is late.", "{needed}");
    }
}

#[test]
fn a_commitment_is_old_enough_after_630_seconds() {
    let at = |age: u64| old_enough(Some(1_000), 1_000 + age, 1);
    assert_eq!(at(630).standing, Standing::Yes);
    assert_eq!(at(630).evidence, "Committed 10 min ago in block #1,000; validators refetch every ten minutes.");
    assert_eq!(at(629).standing, Standing::Warning);
    let words = "Committed 10 min ago in block #1,000: the last validator fetches it in 1 s at most.";
    assert_eq!((at(629).evidence.as_str(), at(629).fix.as_str()), (words, "Keep the old key alive until then."));
    let in_blocks = |blocks: u64| old_enough(Some(1_000), 1_000 + blocks, 12).standing;
    assert_eq!((in_blocks(52), in_blocks(53)), (Standing::Warning, Standing::Yes), "624 s and 636 s");
}

#[test]
fn a_commitment_of_an_unknown_block_may_be_new() {
    let check = old_enough(None, 1_000, 12);
    assert_eq!(
        (check.standing, check.evidence.as_str()),
        (Standing::Unknown, "The block of the commitment is not known.")
    );
}

#[test]
fn a_commitment_of_a_block_to_come_is_new() {
    assert_eq!(old_enough(Some(1_001), 1_000, 12).standing, Standing::Warning);
}

#[test]
fn an_abort_tells_by_its_code_whether_the_key_was_looked_at_first() {
    let refused = |http, code: Option<&str>| Reply::Refused { http, code: code.map(Untrusted::from), message: None };
    let said =
        |message: &str| Reply::Refused { http: 403, code: Some("AccessDenied".into()), message: Some(message.into()) };
    for (reply, answer) in [
        (refused(403, Some("AccessDenied")), AbortAnswer::Denied),
        (refused(403, None), AbortAnswer::Denied),
        (refused(401, Some("AccessDenied")), AbortAnswer::Denied),
        (said("Forbidden: Operation is not allowed for this key."), AbortAnswer::Denied),
        (said("Forbidden: No such key: GK1"), AbortAnswer::Other),
        (refused(404, Some("NoSuchUpload")), AbortAnswer::NoSuchUpload),
        (Reply::Found(Found { http: 204, ..Found::default() }), AbortAnswer::NoSuchUpload),
        (refused(404, Some("NoSuchBucket")), AbortAnswer::Other),
        (refused(403, Some("SignatureDoesNotMatch")), AbortAnswer::Other),
        (refused(401, Some("Unauthorized")), AbortAnswer::Other),
        (refused(404, None), AbortAnswer::Other),
        (Reply::Failed(Trouble::Slow { after_ms: 6_000 }), AbortAnswer::Other),
    ] {
        assert_eq!(AbortAnswer::of(&reply), answer, "{reply:?}");
    }
}

#[test]
fn a_key_is_for_the_whole_account_only_where_other_buckets_are_listed_or_at_r2_any() {
    let custom = Provider::from_endpoint(Some("https://store.example")).unwrap();
    assert!(!is_account_wide(&custom, 0));
    assert!(is_account_wide(&custom, 1));
    assert!(is_account_wide(&Provider::default(), 0));
}

#[test]
fn whether_a_key_can_write_is_told_only_where_the_store_tells_keys_apart() {
    use AbortAnswer::{Denied, NoSuchUpload, Other};
    let asked = [Denied, NoSuchUpload, Other];
    let perhaps = [None, Some(Denied), Some(NoSuchUpload), Some(Other)];
    for of_key in asked {
        for of_write_key in perhaps {
            for of_other_key in perhaps {
                let expected = match (of_key, of_write_key, of_other_key) {
                    (Denied, Some(NoSuchUpload), _) => Some(false),
                    (NoSuchUpload, Some(NoSuchUpload), Some(Denied)) => Some(true),
                    _ => None,
                };
                let told = can_write(of_key, of_write_key, of_other_key);
                assert_eq!(told, expected, "{of_key:?} {of_write_key:?} {of_other_key:?}");
            }
        }
    }
}
