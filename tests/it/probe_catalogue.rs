//! The error catalogue over the socket: each way in which a bucket can fail a validator, what the console calls it, and
//! what it says to whom; in R2's words and in AWS's.

use std::time::Duration;

use grail_console::domain::probe::{Probe, Risk, Verdict};
use grail_console::domain::text::grouped;
use grail_console::domain::window::Window;
use grail_console::sandbox::{BucketFault, Dialect, OPERATOR_UID};
use grail_console::storage::StoreOptions;
use rstest::rstest;

use crate::support::bench::{Bench, STRANGER, window_name};
use crate::support::house::is_plain;

/// What a test must say.
struct Row {
    fault: BucketFault,
    verdict: Verdict,
    /// Status and code of the last answer, in R2's words.
    r2: (Option<u16>, Option<&'static str>),
    /// The same in AWS's.
    aws: (Option<u16>, Option<&'static str>),
    /// `{W}` stands for the window.
    explanation: &'static str,
    /// What the operator is told to do about the own bucket.
    fix: &'static str,
    /// Whether a stranger's bucket is the stranger's to mend.
    holders: bool,
}

impl Row {
    /// A refusal with the same status and code everywhere.
    fn of(fault: BucketFault, verdict: Verdict, http: u16, code: &'static str) -> Self {
        let last = (Some(http), Some(code));
        Self { fault, verdict, r2: last, aws: last, explanation: "", fix: "", holders: true }
    }

    /// An object that is there and not as it should be.
    fn found(fault: BucketFault, verdict: Verdict) -> Self {
        let last = (Some(200), None);
        Self { r2: last, aws: last, ..Self::of(fault, verdict, 200, "") }
    }

    fn says(self, explanation: &'static str, fix: &'static str) -> Self {
        Self { explanation, fix, ..self }
    }

    fn aws(self, http: u16, code: &'static str) -> Self {
        Self { aws: (Some(http), Some(code)), ..self }
    }

    fn ends(self, http: Option<u16>, code: Option<&'static str>) -> Self {
        Self { r2: (http, code), aws: (http, code), ..self }
    }

    /// What is nobody's fault but the store's or this machine's.
    fn not_the_holders(self) -> Self {
        Self { holders: false, ..self }
    }

    fn told_to(&self, uid: u16) -> String {
        if uid == OPERATOR_UID || !self.holders || self.fix.is_empty() {
            return self.fix.to_owned();
        }
        let (first, rest) = self.fix.split_at(1);
        format!("Only the holder of uid {uid} can mend it: {}{rest}", first.to_lowercase())
    }
}

fn last_step(probe: &Probe) -> (Option<u16>, Option<&str>) {
    let last = probe.steps.last().unwrap();
    (last.http, last.code.as_deref())
}

fn quick() -> StoreOptions {
    StoreOptions { total: Duration::from_secs(1), pauses: [Duration::ZERO; 2], ..StoreOptions::default() }
}

#[rstest]
#[case::key_of_the_wrong_length(
    Row::of(BucketFault::InvalidArgument, Verdict::Malformed, 400, "InvalidArgument").says(
        "The store refuses the shape of the key: Credential access key has length 20, should be 32.",
        "Publish the name of a bucket and a key of this store.",
    )
)]
#[case::clock_too_far_away(
    Row::of(BucketFault::ClockSkewed, Verdict::ClockSkew, 403, "RequestTimeTooSkewed")
        .says(
            "The store refuses the request because of its time. This says nothing about the uid.",
            "Set this machine's clock (NTP), then test again.",
        )
        .not_the_holders()
)]
#[case::signed_too_long_ago(
    Row::of(BucketFault::Expired, Verdict::ClockSkew, 400, "ExpiredRequest")
        .says(
            "The store refuses the request because of its time. This says nothing about the uid.",
            "Set this machine's clock (NTP), then test again.",
        )
        .not_the_holders()
)]
#[case::key_unknown(
    Row::of(BucketFault::KeyUnknown, Verdict::AuthUnknownKey, 401, "Unauthorized").aws(403, "InvalidAccessKeyId").says(
        "The store does not know this key: the token was deleted, has expired, or is less than a minute old.",
        "Check the token; wait a minute if it is new; otherwise create another one and publish it.",
    )
)]
#[case::secret_wrong(
    Row::of(BucketFault::WrongSecret, Verdict::AuthBadSecret, 403, "SignatureDoesNotMatch").says(
        "The store knows the key id, and the published secret is not its secret: the token was rolled in place, or the \
         secret was copied wrong.",
        "Publish the right secret. After a roll in place create a new token instead: validators cache the old secret by \
         the key id.",
    )
)]
#[case::key_of_another_bucket(
    Row::of(BucketFault::OtherBucket, Verdict::ScopeDenied, 403, "AccessDenied").says(
        "The store knows the key and refuses it here: it is scoped to another bucket or filtered by IP address; or the \
         object is missing and the key may not list (then AWS says 403 instead of 404).",
        "Allow the key to read (and list) this bucket from anywhere; then publish it.",
    )
)]
#[case::bucket_missing(
    Row::of(BucketFault::NoBucket, Verdict::NoBucket, 404, "NoSuchBucket").says(
        "The store has no bucket of that name, where validators look.",
        "Create the bucket, or publish the one that is there.",
    )
)]
#[case::subscription_lapsed(
    Row::of(BucketFault::NotEntitled, Verdict::ProviderError, 403, "NotEntitled").says(
        "The store answers 403 NotEntitled: the account's R2 subscription has lapsed, so nothing in it can be read.",
        "Settle the bill of the account's R2 subscription at Cloudflare.",
    )
)]
#[case::object_missing(
    Row::of(BucketFault::NoObjects, Verdict::NoObject, 404, "NoSuchKey").says(
        "The bucket can be read, and nothing was uploaded for window {W}: an idle miner, or another hotkey.",
        "Check that the miner runs, that it uses this hotkey, and that it uploads to this bucket.",
    )
)]
#[case::object_late(
    Row::found(BucketFault::Late, Verdict::Late).says(
        "Window {W} was uploaded 30 s after its deadline: validators ignore it, and exclude the miner for 14 windows.",
        "Upload earlier: the object must be there four seconds before the window's closing block. Check the upload's \
         bandwidth and this window's place in the miner's log.",
    )
)]
#[case::object_too_small(
    Row::found(BucketFault::TooSmall, Verdict::BadSize).says(
        "The object has 150 bytes; validators take 200 to 367,001,600.",
        "Check what the miner wrote in this window, and that the upload was complete.",
    )
)]
#[case::object_too_large(
    Row::found(BucketFault::TooLarge, Verdict::BadSize).says(
        "The object has 367,001,601 bytes; validators take 200 to 367,001,600.",
        "Check what the miner wrote in this window, and that the upload was complete.",
    )
)]
#[case::throttled(
    Row::found(BucketFault::Throttled, Verdict::Throttled)
        .ends(Some(429), None)
        .says(
            "The store refuses more requests for now. This says nothing about the uid.",
            "Wait a while, then test again; sweep with fewer at once.",
        )
        .not_the_holders()
)]
#[case::fault(
    Row::of(BucketFault::InternalError, Verdict::ProviderError, 500, "InternalError")
        .says(
            "The store answers 500 InternalError, \"We encountered an internal error. Please try again\".",
            "Wait and test again; look at the store's status page if it lasts.",
        )
        .not_the_holders()
)]
#[case::sends_elsewhere(
    Row::found(BucketFault::Redirect { to: "http://127.0.0.1:1/elsewhere".to_owned() }, Verdict::ProviderError)
        .ends(Some(307), None)
        .says(
            "The store answers 307 and points elsewhere; redirects are never followed, by validators' signed requests \
             neither.",
            "Publish a bucket that answers at its own host.",
        )
)]
#[case::never_answers(
    Row::found(BucketFault::Stalled, Verdict::Slow)
        .ends(None, Some("deadline"))
        .says(
            "No complete answer within {S} s; a validator gives up then and counts nothing.",
            "Test again; if it lasts, look at the store's status and at the way to it.",
        )
        .not_the_holders()
)]
#[case::answers_too_late(
    Row::found(BucketFault::Slow { milliseconds: 60_000 }, Verdict::Slow)
        .ends(None, Some("deadline"))
        .says(
            "No complete answer within {S} s; a validator gives up then and counts nothing.",
            "Test again; if it lasts, look at the store's status and at the way to it.",
        )
        .not_the_holders()
)]
#[tokio::test]
async fn a_failed_read_has_its_verdict_its_words_and_its_fix(#[case] row: Row) {
    let bench = Bench::new("healthy").await.options(quick());
    let window = bench.newest();
    let seat = bench.seat().await;
    for uid in [OPERATOR_UID, STRANGER] {
        bench.sandbox.s3().set_fault(uid, Some(row.fault.clone()));
        for (dialect, last) in [(Dialect::R2, row.r2), (Dialect::Aws, row.aws)] {
            bench.sandbox.s3().set_dialect(dialect);
            let probe = seat.probe(uid).await;
            assert_eq!(probe.verdict, row.verdict, "{dialect:?} {uid} {probe:#?}");
            assert_eq!(last_step(&probe), last, "{dialect:?} {uid}");
            // How long it took in the end depends on the machine; that it says so does not.
            let seconds = probe.explanation.split_whitespace().nth(4).unwrap_or_default();
            let words = row.explanation.replace("{W}", &grouped(window)).replace("{S}", seconds);
            assert_eq!(probe.explanation, words, "{dialect:?} {uid}");
            assert_eq!(probe.fix, row.told_to(uid), "{dialect:?} {uid}");
            assert_eq!((probe.uid, probe.window.map(Window::start)), (Some(uid), Some(window)));
        }
    }
}

#[tokio::test]
async fn an_outage_is_the_stores_and_a_request_to_slow_down_is_no_outage() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    bench.sandbox.s3().set_fault(STRANGER, Some(BucketFault::Unavailable));
    let probe = seat.probe(STRANGER).await;
    assert_eq!((probe.verdict, last_step(&probe)), (Verdict::ProviderError, (Some(503), Some("ServiceUnavailable"))));
    let words = "The store answers 503 ServiceUnavailable, \"Service is temporarily unavailable\".";
    assert_eq!(probe.explanation, words);
    assert_eq!(probe.fix, "Wait and test again; look at the store's status page if it lasts.");
    bench.sandbox.s3().set_dialect(Dialect::Aws);
    let probe = seat.probe(STRANGER).await;
    assert_eq!((probe.verdict, last_step(&probe)), (Verdict::Throttled, (Some(503), Some("SlowDown"))));
}

#[rstest]
#[case::healthy(None)]
#[case::both_objects(Some(BucketFault::BothObjects))]
#[case::account_wide(Some(BucketFault::AccountWide))]
#[case::writable(Some(BucketFault::Writable))]
#[case::scope_looked_at_last(Some(BucketFault::UploadBeforeScope))]
#[case::broken_inside(Some(BucketFault::BrokenMagic))]
#[case::distrusted(Some(BucketFault::Distrusted))]
#[case::ranges_ignored(Some(BucketFault::IgnoresRange))]
#[case::bodies_without_end(Some(BucketFault::Endless))]
#[case::lengths_that_lie_about_bodies(Some(BucketFault::LyingLength))]
#[case::hostile_headers(Some(BucketFault::EscapeCodes))]
#[tokio::test]
async fn what_a_head_does_not_show_is_taken_as_a_validator_takes_it(#[case] fault: Option<BucketFault>) {
    let bench = Bench::new("healthy").await;
    let (window, seat) = (bench.newest(), bench.seat().await);
    for uid in [OPERATOR_UID, STRANGER] {
        bench.sandbox.s3().set_fault(uid, fault.clone());
        let probe = seat.probe(uid).await;
        assert_eq!(probe.verdict, Verdict::Ok, "{probe:#?}");
        assert_eq!((probe.fix.as_str(), &probe.risks), ("", &vec![]));
        let compressed = uid == OPERATOR_UID || fault == Some(BucketFault::BothObjects);
        let ending = if compressed { ".gz" } else { "" };
        assert_eq!(
            probe.object,
            Some(window_name(uid, window) + ending),
            "the compressed one counts where there is one"
        );
        assert_eq!(probe.steps.len(), if compressed { 1 } else { 2 });
        let deadline = probe.deadline.unwrap();
        assert_eq!((deadline.at_ms, deadline.exact), (bench.deadline_ms(window), true));
        let early = (deadline.at_ms - probe.last_modified_ms.unwrap()) / 1_000;
        let words = format!(
            "A validator would take window {}: {} bytes, uploaded {early} s before the deadline.",
            grouped(window),
            grouped(probe.size.unwrap())
        );
        assert_eq!(probe.explanation, words);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_whose_it_is_and_by_how_much() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    bench.sandbox.s3().set_fault(STRANGER, Some(BucketFault::WrongClock { seconds: 150 }));
    let probe = seat.probe(STRANGER).await;
    assert_eq!(probe.verdict, Verdict::Ok);
    assert!(probe.explanation.ends_with("This machine's clock is 2 min behind the store's."), "{}", probe.explanation);
    assert!(probe.clock_offset_ms.unwrap().abs_diff(150_000) < 20_000);
    bench.sandbox.s3().set_fault(STRANGER, None);
    bench.sandbox.s3().set_clock_skew(-1_830);
    let probe = seat.probe(STRANGER).await;
    let words = "The store refuses the request because of its time. This machine's clock is 30 min ahead of the store's. \
                 This says nothing about the uid.";
    assert_eq!((probe.verdict, probe.explanation.as_str()), (Verdict::ClockSkew, words));
}

#[rstest]
#[case::huge(
    BucketFault::HugeError,
    "too_large",
    Verdict::ProviderError,
    "The store sent more than the 64 KiB that an answer may have; the rest was not read."
)]
#[case::bomb(BucketFault::EntityBomb, "", Verdict::NotS3, "What answered is no S3 store: 404, application/xml.")]
#[tokio::test]
async fn an_error_that_cannot_be_read_says_nothing_about_bucket_or_object(
    #[case] fault: BucketFault,
    #[case] code: &str,
    #[case] verdict: Verdict,
    #[case] words: &str,
) {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().set_fault(STRANGER, Some(fault));
    let probe = bench.probe(STRANGER).await;
    assert_eq!((probe.verdict, probe.steps.len()), (verdict, 3), "{probe:#?}");
    assert_eq!(probe.steps[2].code.as_deref().unwrap_or_default(), code);
    assert_eq!(probe.explanation, words);
}

#[tokio::test]
async fn what_drives_terminals_in_an_error_is_shown_and_does_nothing() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    let mut former = seat.view.subnet.commitments.keys().filter(|hotkey| seat.view.member(hotkey).is_none());
    // The bucket of the former member with index 0, who has no windows.
    bench.sandbox.s3().set_fault(u16::MAX, Some(BucketFault::EscapeCodes));
    bench.sandbox.s3().set_fault(u16::MAX - 1, Some(BucketFault::EscapeCodes));
    let probe = seat.of(*former.next().unwrap()).await;
    assert_eq!((probe.uid, probe.verdict), (None, Verdict::ProviderError));
    let code = probe.steps[2].code.as_deref().unwrap();
    assert!(code.starts_with("NoSuchKey\\u{1b}]52;c;"), "{code}");
    is_plain(&format!("{} {} {code}", probe.explanation, probe.fix));
    let message = probe.steps[2].message.as_deref().unwrap();
    assert!(message.starts_with("\\u{1b}]0;owned"), "{message}");
    is_plain(message);
    assert_eq!(probe.risks, [Risk::ExMember]);
}
