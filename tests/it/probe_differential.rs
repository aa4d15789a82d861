//! The console's verdict beside GRAIL's rule: for whatever lies in a bucket, both say the same.

use grail_console::domain::probe::Verdict;
use grail_console::sandbox::{BlockTime, BucketFault, Sandbox, SandboxOptions, Scenario};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Builder;

use crate::support::bench::{Bench, STRANGER, window_name};

const MOST: u64 = 350 * 1024 * 1024;

/// An object: its size, and by how many milliseconds it was modified after the deadline.
type Thing = Option<(u64, i64)>;

/// GRAIL 0.0.60: the first of `.parquet.gz` and `.parquet` that there is, by its size and its time to the second.
fn grail_accepts(compressed: Thing, plain: Thing, deadline_ms: u64) -> bool {
    compressed.or(plain).is_some_and(|(size, after_ms)| {
        let modified_s = deadline_ms.saturating_add_signed(after_ms) / 1_000;
        (200..=MOST).contains(&size) && modified_s * 1_000 <= deadline_ms
    })
}

fn thing() -> impl Strategy<Value = Thing> {
    let edges = prop::sample::select(vec![0, 1, 199, 200, 201, MOST - 1, MOST, MOST + 1]);
    let size = prop_oneof![3 => edges, 1 => 0..2 * MOST];
    let near = prop::sample::select(vec![-2_000, -1_001, -1_000, -999, -1, 0, 1, 250, 999, 1_000, 1_001, 2_000]);
    let after_ms = prop_oneof![3 => near, 1 => -3_000i64..3_000, 1 => -10_000_000_000i64..10_000_000];
    prop::option::weighted(0.7, (size, after_ms))
}

/// A practice chain whose times are no whole seconds, so that the second matters.
async fn bench() -> Bench {
    let options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    let now_ms = Some(1_790_000_123_457);
    let sandbox = SandboxOptions { uids: 64, block_time: BlockTime::Manual, now_ms, ..options };
    Bench::on(Sandbox::start(sandbox).await.unwrap())
}

#[test]
fn a_window_passes_exactly_when_grail_would_accept_it() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bench = runtime.block_on(bench());
    let (seat, s3) = (runtime.block_on(bench.seat()), bench.sandbox.s3());
    s3.set_fault(STRANGER, Some(BucketFault::NoObjects));
    let name = window_name(STRANGER, bench.newest());
    let deadline_ms = bench.deadline_ms(bench.newest());
    assert_ne!(deadline_ms % 1_000, 0);
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(thing(), thing()), |(compressed, plain)| {
        for (ending, thing) in [(".gz", compressed), ("", plain)] {
            let name = format!("{name}{ending}");
            match thing {
                Some((size, after_ms)) => {
                    s3.place(STRANGER, &name, size, deadline_ms.saturating_add_signed(after_ms));
                }
                None => s3.remove(STRANGER, &name),
            }
        }
        let probe = runtime.block_on(seat.probe(STRANGER));
        let accepted = grail_accepts(compressed, plain, deadline_ms);
        prop_assert_eq!(probe.verdict.passes(), accepted, "{:#?}", probe);
        prop_assert_eq!(probe.verdict == Verdict::NoObject, compressed.or(plain).is_none());
        prop_assert_eq!(probe.size, compressed.or(plain).map(|(size, _)| size));
        prop_assert_eq!(probe.deadline.map(|deadline| (deadline.at_ms, deadline.exact)), Some((deadline_ms, true)));
        Ok(())
    });
    outcome.unwrap();
}
