//! Who is not asked, since what is published leads nowhere; who is asked for something else; and risks of keys.

use std::io;

use grail_console::domain::probe::{Blame, Probe, Risk, Verdict};
use grail_console::sandbox::{
    BlockTime, BucketFault, CommitmentSpec, Credentials, Dialect, OPERATOR_UID, Sandbox, SandboxOptions, Scenario,
    TRAINER_UID,
};
use grail_console::storage::{Resolver, StoreOptions};
use rstest::rstest;

use crate::support::bench::{Bench, STRANGER, padded, window_name};

fn last_step(probe: &Probe) -> (Option<u16>, Option<&str>) {
    let last = probe.steps.last().unwrap();
    (last.http, last.code.as_deref())
}

#[tokio::test]
async fn who_never_committed_is_not_tested() {
    let bench = Bench::new("first-run").await;
    let seat = bench.seat().await;
    let words = "Nothing was ever published: validators do not look for this bucket at all.";
    let own = seat.probe(OPERATOR_UID).await;
    assert_eq!((own.verdict, own.explanation.as_str()), (Verdict::NoCommitment, words));
    assert_eq!(own.fix, "Publish the read pair with commit.");
    let other = seat.probe(11).await;
    assert_eq!((other.verdict, other.explanation.as_str()), (Verdict::NoCommitment, words));
    assert_eq!(other.fix, "Only the holder of this hotkey can publish anew.");
    assert!(own.steps.is_empty() && other.steps.is_empty() && bench.sandbox.s3().requests().is_empty());
}

#[tokio::test]
async fn what_grail_drops_is_malformed_and_nothing_is_sent() {
    let bench = Bench::new("healthy").await;
    bench.commit([(STRANGER, CommitmentSpec::raw("x".repeat(127)))]).await;
    let probe = bench.probe(STRANGER).await;
    assert_eq!(probe.verdict, Verdict::Malformed);
    assert!(probe.explanation.starts_with("GRAIL drops this commitment without a word. "), "{}", probe.explanation);
    assert_eq!(probe.fix, "Only the holder of this hotkey can publish anew.");
    assert!(bench.sandbox.s3().requests().is_empty());
}

#[rstest]
#[case::another_host("evil.example/")]
#[case::user_and_host("x@evil.example")]
#[case::parent("..")]
#[case::access_point("arn:aws:s3::1:accesspoint:m.mrap")]
#[case::session_bucket("foo--x-s3")]
#[case::upper_case("ABCDEF")]
#[tokio::test]
async fn what_is_no_bucket_leads_nowhere(#[case] locator: &str) {
    let bench = Bench::new("healthy").await;
    let secret = Credentials::of(STRANGER, 0).read_secret;
    bench.commit([(STRANGER, padded(locator, "0123456789abcdef0123456789abcdef", secret.expose()))]).await;
    let probe = bench.probe(STRANGER).await;
    assert_eq!(probe.verdict, Verdict::Malformed);
    assert!(probe.explanation.starts_with("What is published leads nowhere: the locator "), "{}", probe.explanation);
    assert_eq!(probe.fix, "Only the holder of uid 20 can publish anew.");
    assert!(!probe.explanation.contains(secret.expose()));
    assert!(bench.sandbox.s3().requests().is_empty());
}

#[tokio::test]
async fn a_key_of_awss_shape_is_refused_by_r2_and_unknown_to_others() {
    let bench = Bench::new("healthy").await;
    let own = Credentials::of(STRANGER, 0);
    bench.commit([(STRANGER, padded(&own.account, "AKIAIOSFODNN7EXAMPLE", &"s".repeat(40)))]).await;
    let seat = bench.seat().await;
    let probe = seat.probe(STRANGER).await;
    assert_eq!((probe.verdict, last_step(&probe)), (Verdict::Malformed, (Some(400), Some("InvalidArgument"))));
    bench.sandbox.s3().set_dialect(Dialect::Aws);
    let probe = seat.probe(STRANGER).await;
    assert_eq!((probe.verdict, last_step(&probe)), (Verdict::AuthUnknownKey, (Some(403), Some("InvalidAccessKeyId"))));
}

#[tokio::test]
async fn on_r2_a_key_of_awss_shape_is_seen_without_asking_anybody() {
    let nobody = Resolver::new(|_, _| async { Err(io::Error::other("nobody may be asked")) });
    let options = StoreOptions { resolver: nobody, ..StoreOptions::default() };
    let bench = Bench::new("healthy").await.at(None).options(options);
    let own = Credentials::of(STRANGER, 0);
    bench.commit([(STRANGER, padded(&own.account, "AKIAIOSFODNN7EXAMPLE", &"s".repeat(40)))]).await;
    let probe = bench.probe(STRANGER).await;
    assert_eq!((probe.verdict, probe.steps.len()), (Verdict::Malformed, 0));
    assert!(probe.explanation.starts_with("What is published leads nowhere: the key id "), "{}", probe.explanation);
    assert_eq!(probe.risks, [Risk::AwsShaped]);
}

#[tokio::test]
async fn a_key_that_others_published_too_is_a_risk_that_names_them() {
    let bench = Bench::new("healthy").await;
    let own = Credentials::of(STRANGER, 0).read_commitment();
    bench.commit([(21, CommitmentSpec::raw(own))]).await;
    let seat = bench.seat().await;
    let (first, second) = (seat.probe(STRANGER).await, seat.probe(21).await);
    assert_eq!(first.risks, [Risk::SharedKey { uids: vec![21] }]);
    assert_eq!(second.risks, [Risk::SharedKey { uids: vec![STRANGER] }]);
    assert_eq!(first.verdict, Verdict::Ok);
    assert_eq!(second.verdict, Verdict::NoObject, "the other one's windows bear another hotkey");
}

/// Validators hand in no windows on the real subnet.
#[tokio::test]
async fn a_validator_is_read_by_the_trust_list_that_it_publishes_instead() {
    let bench = Bench::new("healthy").await;
    let (window, seat, uid) = (bench.newest(), bench.seat().await, 3);
    bench.sandbox.s3().set_fault(uid, Some(BucketFault::NoObjects));
    let probe = seat.probe(uid).await;
    assert_eq!(probe.verdict, Verdict::NoObject, "nothing of it is there");
    assert_eq!(probe.object, Some(window_name(uid, window)), "that is what is missing");
    let name = format!("grail/trust/trust_list_{}.json", window - 4 * 30);
    bench.sandbox.s3().place(uid, &name, 5, 1_000);
    let probe = seat.probe(uid).await;
    let words = "A validator hands in no windows; its newest trust list is there and can be read.";
    assert_eq!((probe.verdict, probe.explanation.as_str()), (Verdict::Ok, words));
    assert_eq!((probe.object, probe.size, probe.steps.len()), (Some(name), Some(5), 8));
    bench.sandbox.s3().set_fault(uid, Some(BucketFault::OtherBucket));
    assert_eq!(seat.probe(uid).await.verdict, Verdict::ScopeDenied, "a refused key stays one");
}

/// Nor does the trainer, whose checkpoints everybody finds by listing them.
#[tokio::test]
async fn the_trainer_is_read_by_listing_its_checkpoints_as_everybody_does() {
    let bench = Bench::new("healthy").await;
    let (window, seat, s3) = (bench.newest(), bench.seat().await, bench.sandbox.s3());
    s3.set_fault(TRAINER_UID, Some(BucketFault::NoObjects));
    let probe = seat.probe(TRAINER_UID).await;
    assert_eq!((probe.verdict, probe.object), (Verdict::NoObject, Some(window_name(TRAINER_UID, window))));
    assert_eq!(probe.explanation, "The bucket can be listed, and holds no READY mark: nobody finds a checkpoint.");
    let name = format!("grail/checkpoints/checkpoint-{}/READY-{}", window - 600, window - 60);
    s3.place(TRAINER_UID, &name, 0, 1_000);
    let probe = seat.probe(TRAINER_UID).await;
    let words = "A trainer hands in no windows; its newest READY mark is listed, where everybody finds it.";
    assert_eq!((probe.verdict, probe.explanation.as_str(), probe.object), (Verdict::Ok, words, Some(name)));
    assert_eq!(probe.steps.last().unwrap().step, "list_checkpoints");
}

/// Though its windows, which nobody reads, are there and on time.
#[tokio::test]
async fn a_trainers_key_that_reads_and_may_not_list_is_no_key_for_consumers() {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().set_fault(TRAINER_UID, Some(BucketFault::ListRefused));
    let probe = bench.probe(TRAINER_UID).await;
    assert_eq!((probe.verdict, probe.blame), (Verdict::ScopeDenied, Some(Blame::Holder)), "{probe:#?}");
    let words = "The key may not list the bucket: everybody finds uid 0's checkpoints by listing grail/checkpoints/, and \
                 finds none.";
    assert_eq!(probe.explanation, words);
    assert_eq!(probe.fix, "Only the holder of uid 0 can publish anew.");
}

#[tokio::test]
async fn a_chain_younger_than_a_window_has_nothing_to_look_for() {
    let scenario = Scenario::parse("young", "description = \"a test\"\nhead = 25\n").unwrap();
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let probe = Bench::on(Sandbox::start(options).await.unwrap()).probe(STRANGER).await;
    assert_eq!((probe.verdict, probe.window, probe.steps.len()), (Verdict::NoObject, None, 0));
    assert_eq!(probe.explanation, "The chain is younger than one window, so there is nothing to look for yet.");
}
