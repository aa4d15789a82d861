//! Would a validator see me? Each condition failing on its own, with its sentence; twelve windows and their deadlines.

use std::collections::BTreeSet;
use std::time::Duration;

use grail_console::chain::BlockTimes;
use grail_console::domain::probe::{Risk, Verdict};
use grail_console::domain::text::grouped;
use grail_console::domain::visible::{Standing, Visibility};
use grail_console::ops::visible::visible;
use grail_console::sandbox::{
    BlockTime, BucketFault, CommitmentSpec, Credentials, KEPT_STATES, OPERATOR_UID, Sandbox, SandboxOptions, Scenario,
    TRAINER_UID,
};
use grail_console::storage::StoreOptions;
use rstest::rstest;
use tokio::time::Instant;

use crate::support::bench::{Bench, window_name};
use crate::support::way::Way;

async fn seen(bench: &Bench) -> Visibility {
    let seat = bench.seat().await;
    Box::pin(visible(&seat.tester, &seat.view, seat.tester.by())).await.unwrap()
}

async fn seen_with(uid: u16, fault: BucketFault) -> (Bench, Visibility) {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().set_fault(uid, Some(fault));
    let seen = seen(&bench).await;
    (bench, seen)
}

/// Names of the checks that stand so.
fn standing(seen: &Visibility, standing: Standing) -> Vec<&str> {
    seen.checks.iter().filter(|check| check.standing == standing).map(|check| check.check).collect()
}

#[track_caller]
fn is_not_seen(seen: &Visibility, check: &str, sentence: &str) {
    assert!(!seen.visible, "{seen:#?}");
    assert_eq!(standing(seen, Standing::No), [check], "that check alone: {seen:#?}");
    assert_eq!(seen.sentence, format!("A validator would not see you now: {sentence}"));
    assert!(!seen.check(check).unwrap().fix.is_empty(), "it says what to do");
}

#[track_caller]
fn is_seen_but(seen: &Visibility, check: &str, doubt: &str) {
    assert!(seen.visible, "{seen:#?}");
    assert_eq!(standing(seen, Standing::Warning), [check], "that check alone: {seen:#?}");
    assert!(standing(seen, Standing::No).is_empty());
    let window = grouped(seen.windows[0].window.start());
    let words = format!("A validator would see you now. Window {window} is there and on time. But {doubt}");
    assert_eq!(seen.sentence, words);
}

#[tokio::test]
async fn who_does_everything_right_is_seen_by_every_check() {
    let bench = Bench::new("healthy").await;
    let seen = seen(&bench).await;
    let checks =
        ["registered", "readable", "key_reads", "old_enough", "newest_window", "windows", "trusted", "trainer_ready"];
    assert_eq!(standing(&seen, Standing::Yes), checks, "{seen:#?}");
    assert_eq!(standing(&seen, Standing::Unknown), ["format"]);
    let newest = grouped(bench.newest());
    assert_eq!(seen.sentence, format!("A validator would see you now. Window {newest} is there and on time."));
    assert_eq!((seen.uid, seen.block), (Some(OPERATOR_UID), u64::from(bench.sandbox.finalized().number())));
    assert_eq!(
        seen.check("format").unwrap().evidence,
        "The newest object is gzip; what is inside was not unpacked, so whether it is Parquet is not known."
    );
    let trusted = &seen.check("trusted").unwrap().evidence;
    assert_eq!(*trusted, format!("Listed by uid 5, who has most stake (window {newest})."));
}

#[tokio::test]
async fn the_last_twelve_windows_are_told_with_the_time_that_was_left() {
    let bench = Bench::new("healthy").await;
    let seen = seen(&bench).await;
    let starts: Vec<u64> = seen.windows.iter().map(|window| window.window.start()).collect();
    assert_eq!(starts, (0..12).map(|back| bench.newest() - back * 30).collect::<Vec<_>>());
    for window in &seen.windows {
        assert_eq!(window.verdict, Verdict::Ok);
        // Windows here are uploaded 40 to 90 s before they close, and the deadline is 4 s before; S3 tells whole seconds.
        assert!((35_000..=87_000).contains(&window.early_ms.unwrap()), "{window:?}");
        assert!(window.size.is_some_and(|size| size >= 20_000));
    }
    let times: BTreeSet<_> = seen.windows.iter().map(|window| window.early_ms).collect();
    assert!(times.len() > 6, "each has its own: {times:?}");
}

#[tokio::test]
async fn deadlines_of_blocks_that_the_node_has_forgotten_are_marked_as_counted() {
    let bench = Bench::new("healthy").await;
    let seen = seen(&bench).await;
    let kept = u64::from(bench.sandbox.best().number() - KEPT_STATES);
    let exact: Vec<bool> = seen.windows.iter().map(|window| window.exact).collect();
    let remembered: Vec<bool> = seen.windows.iter().map(|window| window.window.closing_block() >= kept).collect();
    assert_eq!(exact, remembered);
    assert!(exact.contains(&true) && exact.contains(&false));
}

#[tokio::test]
async fn times_of_blocks_without_a_gap_cost_two_requests() {
    let bench = Bench::new("healthy").await;
    let times = BlockTimes::open(&bench.context().node).await.unwrap();
    let best = bench.sandbox.best();
    let number = u64::from(best.number());
    let blocks: Vec<u64> = (0..12).map(|back| u64::from(best.number()) - back * 20).collect();
    bench.sandbox.reset_meter();
    let times = times.times(&blocks, (number, best.timestamp_ms), number).await.unwrap();
    let asked = bench.sandbox.meter();
    assert_eq!(asked.total(), 2, "{asked:?}");
    for block in blocks {
        let ms = best.timestamp_ms - (u64::from(best.number()) - block) * 12_000;
        assert_eq!((times[&block].ms, times[&block].exact), (ms, true), "block {block}");
    }
}

#[tokio::test]
async fn a_verdict_over_twelve_windows_asks_the_node_little_though_it_has_forgotten_some() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    bench.sandbox.reset_meter();
    Box::pin(visible(&seat.tester, &seat.view, seat.tester.by())).await.unwrap();
    let asked = bench.sandbox.meter();
    let times = asked.requests["chain_getBlockHash"];
    assert!(times <= 14, "the hashes of so many blocks: {asked:?}");
    assert!(asked.connections <= 2, "times of the newest, times of the others: {asked:?}");
}

#[tokio::test]
async fn without_a_uid_nobody_looks() {
    let text = "description = \"a test\"\n[operator]\nregistered = false\n";
    let options = SandboxOptions::new(Scenario::parse("unregistered", text).unwrap());
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..options };
    let seen = seen(&Bench::on(Sandbox::start(options).await.unwrap())).await;
    let short = seen.hotkey.short();
    is_not_seen(&seen, "registered", &format!("the hotkey {short} has no uid on subnet 81."));
    assert_eq!(seen.uid, None);
}

#[tokio::test]
async fn without_a_commitment_nobody_looks() {
    let seen = seen(&Bench::new("first-run").await).await;
    is_not_seen(&seen, "readable", "nothing was ever published for this hotkey.");
    assert_eq!(seen.check("readable").unwrap().fix, "Publish the read pair with commit.");
    assert!(seen.windows.is_empty());
}

#[tokio::test]
async fn a_commitment_that_grail_drops_is_said_to_be_dropped() {
    let bench = Bench::new("healthy").await;
    bench.commit([(OPERATOR_UID, CommitmentSpec::raw("x".repeat(127)))]).await;
    let seen = seen(&bench).await;
    assert!(!seen.visible && standing(&seen, Standing::No) == ["readable"]);
    let begins = "A validator would not see you now: validators drop the commitment without a word. ";
    assert!(seen.sentence.starts_with(begins), "{}", seen.sentence);
}

#[rstest]
#[case::deleted(
    BucketFault::KeyUnknown,
    "the store does not know this key: the token was deleted, has expired, or is less than a minute old."
)]
#[case::rolled(
    BucketFault::WrongSecret,
    "the store knows the key id, and the published secret is not its secret: the token was rolled in place, or the secret \
     was copied wrong."
)]
#[case::no_bucket(BucketFault::NoBucket, "the store has no bucket of that name, where validators look.")]
#[tokio::test]
async fn a_key_that_is_refused_is_the_reason(#[case] fault: BucketFault, #[case] sentence: &str) {
    let (_, seen) = seen_with(OPERATOR_UID, fault).await;
    is_not_seen(&seen, "key_reads", sentence);
    assert_eq!(seen.windows.len(), 1, "the others would tell the same");
    assert!(seen.check("newest_window").is_none() && seen.check("format").is_none());
}

#[rstest]
#[case::throttled(BucketFault::Throttled)]
#[case::clock(BucketFault::ClockSkewed)]
#[case::fails_three_times(BucketFault::InternalError)]
#[case::hangs_up(BucketFault::Drops)]
#[case::no_http(BucketFault::Garbage)]
#[tokio::test]
async fn what_says_nothing_about_the_bucket_is_no_verdict(#[case] fault: BucketFault) {
    let options = StoreOptions { pauses: [Duration::ZERO; 2], ..StoreOptions::default() };
    let bench = Bench::new("healthy").await.options(options);
    bench.sandbox.s3().set_fault(OPERATOR_UID, Some(fault));
    let seen = seen(&bench).await;
    assert_eq!(seen.is_visible(), None);
    let sentence = "Whether a validator would see you now could not be found out. ";
    assert!(seen.sentence.starts_with(sentence) && seen.sentence.contains(" A validator "), "{}", seen.sentence);
    assert_eq!(seen.check("key_reads").unwrap().standing, Standing::Unknown);
}

/// A store that refuses for a reason of its own refuses validators too.
#[tokio::test]
async fn what_a_store_says_in_its_own_words_is_a_no() {
    let (_, seen) = seen_with(OPERATOR_UID, BucketFault::NotEntitled).await;
    assert_eq!(seen.is_visible(), Some(false), "{seen:#?}");
}

#[tokio::test]
async fn a_published_write_key_is_a_risk_beside_a_good_verdict() {
    let bench = Bench::new("healthy").await;
    let write_key = CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).write_commitment());
    bench.commit([(OPERATOR_UID, write_key)]).await;
    let probe = bench.probe(OPERATOR_UID).await;
    assert_eq!((probe.verdict, probe.risks), (Verdict::Ok, vec![Risk::WriteCapable]));
}

#[tokio::test]
async fn of_a_chain_that_stands_still_nothing_is_said_of_now() {
    let seen = seen(&Bench::new("healthy").await.later(1_200_000)).await;
    assert!(!seen.visible);
    let sentence = "Whether a validator would see you now could not be found out. No block is known since 20 min: ";
    assert!(seen.sentence.starts_with(sentence), "{}", seen.sentence);
    assert_eq!(seen.check("chain").unwrap().standing, Standing::Unknown);
    assert_eq!(seen.check("newest_window").unwrap().standing, Standing::Yes, "what was, is shown all the same");
}

#[tokio::test]
async fn a_late_window_is_the_reason_with_its_lateness() {
    let (bench, seen) = seen_with(OPERATOR_UID, BucketFault::Late).await;
    let newest = grouped(bench.newest());
    let sentence = format!(
        "window {newest} was uploaded 30 s after its deadline: validators ignore it, and exclude the miner for 14 windows."
    );
    assert!(!seen.visible);
    assert_eq!(seen.sentence, format!("A validator would not see you now: {sentence}"));
    assert_eq!(standing(&seen, Standing::No), ["newest_window"]);
    assert!(seen.windows.iter().all(|window| window.verdict == Verdict::Late), "{:?}", seen.windows);
    assert!(seen.windows.iter().all(|window| window.early_ms.is_some_and(|ms| (-30_000..=-29_000).contains(&ms))));
}

#[tokio::test]
async fn a_missing_window_is_the_reason() {
    let (bench, seen) = seen_with(OPERATOR_UID, BucketFault::NoObjects).await;
    let newest = grouped(bench.newest());
    assert_eq!(standing(&seen, Standing::No), ["newest_window"]);
    let words = format!(
        "A validator would not see you now: the bucket can be read, and nothing was uploaded for window {newest}: an idle \
         miner, or another hotkey."
    );
    assert_eq!(seen.sentence, words);
}

/// The newest window and some before it, in a bucket that is empty else.
async fn with_windows(back: impl IntoIterator<Item = u64>) -> Visibility {
    let bench = Bench::new("healthy").await;
    let s3 = bench.sandbox.s3();
    s3.set_fault(OPERATOR_UID, Some(BucketFault::NoObjects));
    for back in back {
        let window = bench.newest() - back * 30;
        s3.place(OPERATOR_UID, &window_name(OPERATOR_UID, window), 5_000, bench.deadline_ms(window) - 20_000);
    }
    seen(&bench).await
}

#[rstest]
#[case::one((0..12).filter(|back| *back != 3).collect(), "1 of the 11 windows before the newest would not have been taken, the last one 3 windows ago")]
#[case::the_one_before((0..12).filter(|back| *back != 1).collect(), "1 of the 11 windows before the newest would not have been taken, the last one 1 window ago")]
#[case::all_before(vec![0], "11 of the 11 windows before the newest would not have been taken, the last one 1 window ago")]
#[tokio::test]
async fn older_windows_that_are_missing_are_a_doubt(#[case] back: Vec<u64>, #[case] doubt: &str) {
    let seen = with_windows(back.clone()).await;
    assert!(seen.visible, "{seen:#?}");
    // An empty bucket keeps validators from listing it, which is a doubt of its own.
    assert!(standing(&seen, Standing::Warning).contains(&"windows"));
    let evidence = format!("{doubt}; a validator excludes a miner for 14 windows after a failure.");
    assert_eq!(seen.check("windows").unwrap().evidence, evidence);
    assert!(seen.sentence.ends_with(&format!("But {evidence}")), "{}", seen.sentence);
    for (at, window) in seen.windows.iter().enumerate() {
        let there = back.contains(&u64::try_from(at).unwrap());
        assert_eq!(window.verdict, if there { Verdict::Ok } else { Verdict::NoObject }, "{at} windows back");
        assert_eq!(window.early_ms.is_some(), there, "{at} windows back");
    }
    let evidence = &seen.check("format").unwrap().evidence;
    assert_eq!(evidence, "The newest object begins and ends with PAR1.");
}

#[tokio::test]
async fn an_object_that_is_no_parquet_is_the_reason() {
    let (_, seen) = seen_with(OPERATOR_UID, BucketFault::BrokenMagic).await;
    let words = "the newest object is no Parquet file: it begins with 6e6f7065 and ends with 6e6f7065.";
    is_not_seen(&seen, "format", words);
}

#[tokio::test]
async fn ends_that_cannot_be_read_are_unknown_and_no_reason() {
    let (_, seen) = seen_with(OPERATOR_UID, BucketFault::IgnoresRange).await;
    assert!(seen.visible);
    assert_eq!(seen.check("format").unwrap().standing, Standing::Unknown);
}

#[tokio::test]
async fn whom_the_list_that_counts_leaves_out_is_told_so() {
    let (bench, seen) = seen_with(OPERATOR_UID, BucketFault::Distrusted).await;
    let doubt = format!("ot listed by uid 5, who has most stake (window {}).", grouped(bench.newest()));
    assert_eq!(seen.check("trusted").unwrap().evidence, format!("N{doubt}"));
    is_seen_but(&seen, "trusted", &format!("n{doubt}"));
}

/// Uid 0 too, which has no permit by rank alone; and nobody without a permit, however much stake it has.
#[rstest]
#[case::the_trainer(0, 0)]
#[case::the_last_validator(15, 15)]
#[case::a_miner_without_a_permit(20, 0)]
#[tokio::test]
async fn the_list_that_counts_is_that_of_the_permit_holder_with_most_stake(#[case] most: u16, #[case] counts: u16) {
    let text = format!("description = \"a test\"\n[subnet]\ntop_stake = {most}\n");
    let options = SandboxOptions::new(Scenario::parse("stakes", &text).unwrap());
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..options };
    let bench = Bench::on(Sandbox::start(options).await.unwrap());
    let seen = seen(&bench).await;
    let newest = grouped(bench.newest());
    let words = format!("Listed by uid {counts}, who has most stake (window {newest}).");
    assert_eq!(seen.check("trusted").unwrap().evidence, words);
}

/// Objects of noise stand for lists here: which of them was opened is told by its window.
#[rstest]
#[case::the_newest(vec![0, 1], Some(0))]
#[case::four_windows_ago(vec![4, 5], Some(4))]
#[case::five_windows_ago(vec![5], None)]
#[tokio::test]
async fn of_its_lists_the_first_that_is_there_counts_and_none_that_is_older_than_five_windows(
    #[case] there: Vec<u64>,
    #[case] opened: Option<u64>,
) {
    let bench = Bench::new("healthy").await;
    let s3 = bench.sandbox.s3();
    s3.set_fault(5, Some(BucketFault::NoTrustLists));
    for back in there {
        s3.place(5, &format!("grail/trust/trust_list_{}.json", bench.newest() - back * 30), 300, 1_000);
    }
    let seen = seen(&bench).await;
    let check = seen.check("trusted").unwrap();
    let words = match opened {
        Some(back) => {
            let window = grouped(bench.newest() - back * 30);
            format!("The trust list of uid 5, who has most stake, cannot be understood (window {window}).")
        }
        None => "No trust list of uid 5, who has most stake, is there for the last 5 windows.".to_owned(),
    };
    assert_eq!((check.standing, &check.evidence), (Standing::Unknown, &words));
    assert!(seen.visible, "that nobody can say is no reason");
}

#[tokio::test]
async fn a_trainer_without_ready_checkpoints_is_a_doubt() {
    let (_, seen) = seen_with(TRAINER_UID, BucketFault::ReadyMissing).await;
    let doubt = "the trainer's bucket lists no READY mark: nobody finds a checkpoint.";
    is_seen_but(&seen, "trainer_ready", doubt);
}

fn mark(checkpoint: u64, ready: u64) -> String {
    format!("grail/checkpoints/checkpoint-{checkpoint}/READY-{ready}")
}

/// A trainer's bucket in which these marks are, and what is said of them.
async fn with_marks(marks: &[(u64, u64)], others: u64) -> (Bench, String) {
    let bench = Bench::new("healthy").await;
    let s3 = bench.sandbox.s3();
    s3.set_fault(TRAINER_UID, Some(BucketFault::ReadyMissing));
    let before = |blocks: u64| bench.newest() + 30 - blocks;
    for (checkpoint, ready) in marks {
        s3.place(TRAINER_UID, &mark(before(*checkpoint), before(*ready)), 0, 1_000);
    }
    for other in 0..others {
        s3.place(TRAINER_UID, &format!("grail/checkpoints/checkpoint-30/part-{other}"), 5, 1_000);
    }
    let evidence = seen(&bench).await.check("trainer_ready").unwrap().evidence.clone();
    (bench, evidence)
}

/// The window that miners work on now is not complete: what becomes ready in it is for the next one.
#[rstest]
#[case::an_upload_of_twenty_windows(&[(630, 30)], (630, 30), "the newest")]
#[case::of_the_window_under_way(&[(630, 30), (90, 0)], (630, 30), "the newest")]
#[case::what_became_ready_last(&[(120, 90), (630, 60)], (630, 60), "6 min before the newest")]
#[case::two_in_one_window(&[(120, 60), (630, 60)], (120, 60), "6 min before the newest")]
#[case::half_a_day_old(&[(3_660, 3_630)], (3_660, 3_630), "12 h before the newest")]
#[tokio::test]
async fn the_mark_that_consumers_take_is_found_among_those_that_are_listed(
    #[case] marks: &[(u64, u64)],
    #[case] taken: (u64, u64),
    #[case] age: &str,
) {
    let (bench, evidence) = with_marks(marks, 0).await;
    let (checkpoint, ready) = (bench.newest() + 30 - taken.0, bench.newest() + 30 - taken.1);
    let words = format!("Checkpoint {} is READY since window {}, {age}.", grouped(checkpoint), grouped(ready));
    assert_eq!(evidence, words);
}

#[tokio::test]
async fn a_mark_is_found_behind_more_names_than_a_page_has() {
    let (bench, evidence) = with_marks(&[(630, 30)], 250).await;
    assert!(evidence.ends_with(", the newest."), "{evidence}");
    let listings = bench.sandbox.s3().requests().into_iter().filter(|seen| seen.query.contains("list-type"));
    assert_eq!(listings.count(), 3);
}

#[tokio::test]
async fn a_mark_that_was_found_is_looked_for_once_a_window() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    let listings = || bench.sandbox.s3().requests().into_iter().filter(|seen| seen.query.contains("list-type")).count();
    for _ in 0..3 {
        let seen = Box::pin(visible(&seat.tester, &seat.view, seat.tester.by())).await.unwrap();
        assert_eq!(seen.check("trainer_ready").unwrap().standing, Standing::Yes);
    }
    assert_eq!(listings(), 1);
}

#[tokio::test]
async fn a_trainers_key_that_may_not_list_is_a_doubt_since_consumers_list() {
    let (_, seen) = seen_with(TRAINER_UID, BucketFault::ListRefused).await;
    let doubt = "of uid 0: the key may not list the bucket: everybody finds uid 0's checkpoints by listing \
                 grail/checkpoints/, and finds none.";
    is_seen_but(&seen, "trainer_ready", doubt);
}

#[tokio::test]
async fn a_trainer_that_cannot_be_read_is_unknown_and_no_doubt() {
    let (_, seen) = seen_with(TRAINER_UID, BucketFault::KeyUnknown).await;
    assert!(seen.visible && standing(&seen, Standing::Warning).is_empty());
    let check = seen.check("trainer_ready").unwrap();
    let words = "The trainer's bucket cannot be listed (unknown key).";
    assert_eq!((check.standing, check.evidence.as_str()), (Standing::Unknown, words));
}

#[tokio::test]
async fn a_fresh_commitment_is_a_doubt_until_every_validator_has_fetched_it() {
    let bench = Bench::new("healthy").await;
    let own = Credentials::of(OPERATOR_UID, 0).read_commitment();
    bench.commit([(OPERATOR_UID, CommitmentSpec::raw(own))]).await;
    let after = seen(&bench).await;
    let block = bench.sandbox.best().number() - 2;
    let doubt = format!(
        "committed 0 s ago in block #{}: the last validator fetches it in 10 min at most.",
        grouped(block.into())
    );
    is_seen_but(&after, "old_enough", &doubt);
    bench.blocks(52).await;
    assert_eq!(standing(&seen(&bench).await, Standing::Warning), ["old_enough"], "624 s are not enough");
    bench.blocks(1).await;
    assert_eq!(standing(&seen(&bench).await, Standing::Warning), Vec::<&str>::new(), "636 s are");
}

/// Each answer comes in time for its request, and all of them together do not.
#[tokio::test]
async fn what_there_was_no_time_for_is_unknown() {
    let bench = Bench::new("healthy").await;
    let way = Way::to(bench.sandbox.s3_url()).await;
    way.delay(Duration::from_millis(400));
    let options = StoreOptions { whole: Duration::from_millis(1_500), ..StoreOptions::default() };
    let bench = bench.at(Some(way.url().to_owned())).options(options);
    let seen = seen(&bench).await;
    assert!(seen.out_of_time, "{seen:#?}");
    assert_eq!((seen.standing(), seen.visible), (Standing::Unknown, false));
    let words = "Not known: the time for the whole was over before this was answered.";
    assert_eq!(seen.check("trainer_ready").unwrap().evidence, words);
    let sentence = "Whether a validator would see you now could not be found out. ";
    assert!(seen.sentence.starts_with(sentence), "{}", seen.sentence);
}

#[tokio::test]
async fn after_its_time_nothing_is_asked_and_what_the_chain_told_is_shown() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    bench.sandbox.s3().forget_requests();
    let seen = Box::pin(visible(&seat.tester, &seat.view, Instant::now())).await.unwrap();
    assert_eq!(bench.sandbox.s3().requests().len(), 0);
    assert_eq!(standing(&seen, Standing::Yes), ["registered", "readable", "old_enough"]);
    assert_eq!(standing(&seen, Standing::Unknown), ["key_reads", "trusted", "trainer_ready"]);
    assert_eq!((seen.standing(), seen.uid), (Standing::Unknown, Some(OPERATOR_UID)));
}

#[tokio::test]
async fn a_reason_that_was_found_in_time_stays_the_reason() {
    let bench = Bench::new("first-run").await;
    let seat = bench.seat().await;
    let seen = Box::pin(visible(&seat.tester, &seat.view, Instant::now())).await.unwrap();
    is_not_seen(&seen, "readable", "nothing was ever published for this hotkey.");
    assert_eq!(seen.standing(), Standing::No);
}

#[tokio::test]
async fn without_a_hotkey_there_is_nobody_to_look_for() {
    let bench = Bench::new("healthy").await;
    let mut seat = bench.seat().await;
    std::sync::Arc::get_mut(&mut seat.tester).unwrap().own = None;
    let problem = Box::pin(visible(&seat.tester, &seat.view, seat.tester.by())).await.unwrap_err();
    assert_eq!((problem.code, problem.summary.as_str()), ("no_hotkey", "No own hotkey is known"));
}
