//! What may be asked of other people's buckets, proved by what the store has seen (THREATS T10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::ProbeNews;
use grail_console::ops::probe::{at_once, sweep};
use grail_console::ops::visible::visible;
use grail_console::sandbox::{
    BucketFault, CommitmentSpec, Credentials, OPERATOR_UID, SeenRequest, TRAINER_UID, VALIDATORS, hotkey,
};
use grail_console::storage::StoreOptions;

use crate::support::bench::{Bench, STRANGER, Seat};
use crate::support::house::House;
use crate::support::node::{Node, line};

/// Requests of one test of a miner: two HEADs, and a GET of one byte where both were refused.
const OF_A_MINER: usize = 3;
/// And the trust lists of five windows.
const OF_A_VALIDATOR: usize = OF_A_MINER + 5;
/// And the listing of its checkpoints.
const OF_THE_TRAINER: usize = OF_A_MINER + 1;

/// The documented names, taken apart by hand: none of the console's own code says what is allowed here.
fn is_documented(key: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let window = |rest: &str| {
        let name = rest.strip_suffix(".gz").unwrap_or(rest);
        let (who, window) = name.strip_suffix(".parquet").and_then(|name| name.split_once("-window-"))?;
        Some(who.parse::<Hotkey>().is_ok() && number(window))
    };
    let trust = |rest: &str| Some(number(rest.strip_suffix(".json")?));
    let ready = |rest: &str| {
        let (checkpoint, ready) = rest.split_once("/READY-")?;
        Some(number(checkpoint) && number(ready))
    };
    let below = |begin: &str, form: &dyn Fn(&str) -> Option<bool>| key.strip_prefix(begin).and_then(form) == Some(true);
    below("grail/windows/", &window)
        || below("grail/trust/trust_list_", &trust)
        || below("grail/checkpoints/checkpoint-", &ready)
}

#[test]
fn the_parser_of_names_takes_the_documented_ones_alone() {
    let who = hotkey(7);
    for good in [
        format!("grail/windows/{who}-window-30.parquet"),
        format!("grail/windows/{who}-window-30.parquet.gz"),
        "grail/trust/trust_list_9168240.json".to_owned(),
        "grail/checkpoints/checkpoint-30/READY-60".to_owned(),
    ] {
        assert!(is_documented(&good), "{good}");
    }
    for bad in [
        String::new(),
        "grail/windows/".to_owned(),
        format!("grail/windows/{who}-window-.parquet"),
        format!("grail/windows/{who}-window-30.json"),
        "grail/windows/somebody-window-30.parquet".to_owned(),
        "grail/trust/trust_list_.json".to_owned(),
        "grail/checkpoints/checkpoint-30/model.safetensors".to_owned(),
        "grail-console/self-test/x.canary".to_owned(),
    ] {
        assert!(!is_documented(&bad), "{bad}");
    }
}

/// What everybody on the subnet does: the trainer's checkpoints are found by listing them.
fn is_of_checkpoints(request: &SeenRequest) -> bool {
    let trainer = Credentials::of(TRAINER_UID, 0).account;
    let query = "list-type=2&max-keys=100&prefix=grail%2Fcheckpoints%2F";
    (&*request.method, &request.bucket, &*request.key, &*request.query) == ("GET", &trainer, "", query)
}

/// Fails if anything else than HEAD and GET of documented names was asked of a bucket that is not the operator's.
#[track_caller]
fn only_what_is_documented(requests: &[SeenRequest]) {
    let own = Credentials::of(OPERATOR_UID, 0).account;
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.user_agent.as_deref(), Some(concat!("grail-console/", env!("CARGO_PKG_VERSION"))));
        if request.bucket == own {
            continue;
        }
        assert!(matches!(request.method.as_str(), "HEAD" | "GET"), "{request:?}");
        if is_of_checkpoints(request) {
            continue;
        }
        // Which operation it is, as the SDK says beside the path; R2 and AWS ignore it.
        assert!(matches!(request.query.as_str(), "" | "x-id=GetObject"), "{request:?}");
        assert!(is_documented(&request.key), "{request:?}");
    }
}

/// Requests by uid.
fn counted(requests: &[SeenRequest], uids: u16) -> BTreeMap<u16, usize> {
    let owners: BTreeMap<String, u16> = (0..uids).map(|uid| (Credentials::of(uid, 0).account, uid)).collect();
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(owners[&request.bucket]).or_default() += 1;
    }
    counts
}

const fn most(uid: u16) -> usize {
    match uid {
        TRAINER_UID => OF_THE_TRAINER,
        1..VALIDATORS => OF_A_VALIDATOR,
        _ => OF_A_MINER,
    }
}

async fn swept(seat: &Seat, uids: u16) -> usize {
    let tested = std::cell::Cell::new(0);
    let tell = |news| {
        if let ProbeNews::Tested(_) = news {
            tested.set(tested.get() + 1);
        }
        std::future::ready(())
    };
    sweep(Arc::clone(&seat.tester), Arc::clone(&seat.view), (0..uids).map(hotkey).collect(), tell).await;
    tested.get()
}

#[tokio::test]
async fn a_sweep_asks_each_bucket_for_documented_names_a_few_times() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    assert_eq!(swept(&seat, 64).await, 64);
    let requests = bench.sandbox.s3().requests();
    only_what_is_documented(&requests);
    for (uid, count) in counted(&requests, 64) {
        let most = if uid == TRAINER_UID { 3 } else { 2 };
        assert!(count <= most, "uid {uid} is fine, and was asked {count} times");
    }
}

#[tokio::test]
async fn a_sweep_of_empty_buckets_asks_no_more_than_it_takes_to_know_why() {
    let bench = Bench::new("healthy").await;
    for fault in [BucketFault::NoObjects, BucketFault::KeyUnknown, BucketFault::InternalError, BucketFault::Throttled] {
        (0..64).for_each(|uid| bench.sandbox.s3().set_fault(uid, Some(fault.clone())));
        bench.sandbox.s3().forget_requests();
        let seat = bench.seat().await;
        swept(&seat, 64).await;
        let requests = bench.sandbox.s3().requests();
        only_what_is_documented(&requests);
        let counts = counted(&requests, 64);
        assert_eq!(counts.len(), 62, "uids 11 and 23 never committed");
        for (uid, count) in counts {
            let most = match fault {
                BucketFault::NoObjects => most(uid),
                // Each HEAD is tried three times.
                BucketFault::InternalError => OF_A_MINER + 4,
                _ => OF_A_MINER,
            };
            assert!(count <= most, "{fault:?}: uid {uid} was asked {count} times");
        }
    }
}

#[tokio::test]
async fn a_sweep_of_everything_that_can_be_wrong_stays_within_what_is_documented() {
    let options = StoreOptions { total: Duration::from_secs(1), ..StoreOptions::default() };
    let bench = Bench::new("r2-faults").await.options(options);
    assert_eq!(swept(&bench.seat().await, 64).await, 64);
    let requests = bench.sandbox.s3().requests();
    only_what_is_documented(&requests);
    // Where it is lost or fails each of three requests is made three times: both names, and the GET that tells why.
    let owners = counted_by_account(&requests);
    assert!(owners.values().all(|count| *count <= 9), "{owners:?}");
}

fn counted_by_account(requests: &[SeenRequest]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(request.bucket.as_str()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn the_verdict_over_oneself_asks_validators_and_the_trainer_for_what_they_publish_for_all() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    Box::pin(visible(&seat.tester, &seat.view, seat.tester.by())).await.unwrap();
    let requests = bench.sandbox.s3().requests();
    only_what_is_documented(&requests);
    let counts = counted(&requests, 64);
    let asked: BTreeSet<u16> = counts.keys().copied().collect();
    assert_eq!(asked, BTreeSet::from([TRAINER_UID, 5, OPERATOR_UID]), "of validators the one whose list counts");
    for (uid, count) in counts {
        let most = match uid {
            // Twelve windows by two HEADs each, and both ends of the newest.
            OPERATOR_UID => 26,
            _ => 1,
        };
        assert!(count <= most, "uid {uid} was asked {count} times");
    }
    let written: Vec<_> = requests.iter().filter(|seen| !matches!(seen.method.as_str(), "HEAD" | "GET")).collect();
    assert!(written.is_empty(), "the own bucket is only read too: {written:?}");
}

/// Requests that were taken and not answered, again and again while something goes on: how many there were at most, and
/// how many at most of one bucket.
async fn at_most_under_way(bench: &Bench, doing: impl Future<Output = usize>) -> (usize, usize) {
    let mut doing = std::pin::pin!(doing);
    let (mut all, mut each) = (0, 0);
    loop {
        tokio::select! {
            _ = &mut doing => return (all, each),
            () = tokio::time::sleep(Duration::from_millis(5)) => {
                let requests = bench.sandbox.s3().requests();
                let open: Vec<_> = requests.into_iter().filter(|request| request.status.is_none()).collect();
                all = all.max(open.len());
                each = each.max(counted_by_account(&open).into_values().max().unwrap_or_default());
            }
        }
    }
}

#[tokio::test]
async fn a_sweep_has_sixteen_requests_under_way_at_most_and_one_of_each_account() {
    let bench = Bench::new("healthy").await;
    // Everybody above the validators publishes one of eight accounts.
    let shared = (VALIDATORS..64).map(|uid| (uid, CommitmentSpec::raw(Credentials::of(uid % 8, 0).read_commitment())));
    bench.commit(shared).await;
    (0..64).for_each(|uid| bench.sandbox.s3().set_fault(uid, Some(BucketFault::Slow { milliseconds: 40 })));
    let seat = bench.seat().await;
    assert_eq!(at_once(&seat.tester.provider), 16);
    let (all, each) = at_most_under_way(&bench, swept(&seat, 64)).await;
    assert!((2..=16).contains(&all), "{all} requests at once");
    assert_eq!(each, 1, "of one account");
}

#[test]
fn a_listing_is_only_of_whom_it_is_asked_and_only_below_grail() {
    let node = Node::with_uids("healthy", 64);
    let s3 = node.sandbox().s3();
    s3.place(STRANGER, "grail/zzz", 5, 1_000);
    s3.place(STRANGER, "private/zzz", 5, 1_000);
    let flags = [node.flags(), vec!["--s3-endpoint".to_owned(), node.sandbox().s3_url().to_owned()]].concat();
    let house = House::new();
    house.run(line(&["probe", "20", "21"], &flags)).exits(0);
    assert!(s3.requests().iter().all(|request| !request.query.contains("list-type")), "nobody asked for a listing");
    s3.forget_requests();
    let ran = house.run(line(&["probe", "20", "--list"], &flags)).exits(0);
    assert!(ran.stdout.contains("grail/zzz") && !ran.stdout.contains("private"), "{}", ran.stdout);
    let requests = s3.requests();
    let (listings, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(|seen| seen.query.contains("list-type"));
    only_what_is_documented(&others);
    assert_eq!(listings.len(), 1);
    assert_eq!((listings[0].method.as_str(), listings[0].key.as_str()), ("GET", ""));
    assert_eq!(listings[0].bucket, Credentials::of(STRANGER, 0).account);
    let asked: Vec<&str> = listings[0].query.split('&').collect();
    assert!(asked.contains(&"prefix=grail%2F"), "{asked:?}");
    assert!(asked.iter().any(|part| part.starts_with("max-keys=")), "{asked:?}");
}
