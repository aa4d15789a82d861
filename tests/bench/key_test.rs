//! What the test of the read pair adds to a commit: the whole `commit --yes` with a store that answers at once, and with one that
//! refuses the first request as one too many, after which `--untested` goes on without a test; and the test itself, from its
//! first request to its last answer as the store saw them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grail_console::sandbox::{BlockTime, BucketFault, OPERATOR_UID, Sandbox, SandboxOptions, Scenario};
use serde_json::Value;

use crate::{commit, median, report};

const BLOCKS: Duration = Duration::from_millis(250);
const RUNS: usize = 9;

pub async fn measure() {
    let (mut tested, mut tests, mut requests) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let run = with_store().await;
        tested.push(run.whole);
        tests.push(run.test);
        requests = run.requests;
    }
    let mut untested = Vec::new();
    for _ in 0..RUNS {
        untested.push(without_test().await);
    }
    let ms = |seconds: f64| format!("{:.0} ms", seconds * 1e3);
    let (with, without, test) = (median(tested), median(untested), median(tests));
    report("commit, 250 ms blocks, store answers at once: whole", "", &ms(with));
    let itself = format!("{} for {requests} requests", ms(test));
    report("  of it the test of the read pair", "<= 1000 ms", &itself);
    report("the same without the test: whole", "", &ms(without));
    report("  what the test adds", "<= 1000 ms", &ms(with - without));
}

/// One commit: all of it, the test, and the requests of the test.
struct Run {
    whole: f64,
    test: f64,
    requests: usize,
}

async fn start() -> Sandbox {
    let mut options = SandboxOptions::new(Scenario::parse("bench", commit::DRIFTED).unwrap());
    options.block_time = BlockTime::Every(BLOCKS);
    Sandbox::start(options).await.unwrap()
}

async fn with_store() -> Run {
    let sandbox = Arc::new(start().await);
    let watched = Arc::clone(&sandbox);
    let seen = Arc::new(std::sync::Mutex::new((None::<Instant>, Instant::now())));
    let noted = Arc::clone(&seen);
    let watch = tokio::spawn(async move {
        let mut before = (0, 0);
        loop {
            let requests = watched.s3().requests();
            let now = (requests.len(), requests.iter().filter(|request| request.status.is_some()).count());
            if now != before {
                let mut noted = noted.lock().unwrap();
                noted.0.get_or_insert_with(Instant::now);
                noted.1 = Instant::now();
                before = now;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let flags = commit::flags(&sandbox);
    let whole = tokio::task::spawn_blocking(move || commit(&flags, &[])).await.unwrap();
    watch.abort();
    let (first, last) = *seen.lock().unwrap();
    let test = last.duration_since(first.expect("the pair was tested")).as_secs_f64();
    Run { whole, test, requests: sandbox.s3().requests().len() }
}

async fn without_test() -> f64 {
    let sandbox = start().await;
    sandbox.s3().set_fault(OPERATOR_UID, Some(BucketFault::Throttled));
    let flags = commit::flags(&sandbox);
    tokio::task::spawn_blocking(move || commit(&flags, &["--untested"])).await.unwrap()
}

/// Seconds of a whole commit.
fn commit(flags: &[String], words: &[&str]) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), flags, words);
    let document: Value = serde_json::from_slice(&output.1).unwrap();
    assert_eq!(document["outcome"], "committed", "{document:#}");
    output.0
}

fn run(home: &Path, flags: &[String], words: &[&str]) -> (f64, Vec<u8>) {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_grail-console"));
    command.args(["commit", "--yes", "--json"]).args(words).args(flags).env_clear().env("HOME", home);
    let output = command.output().unwrap();
    (begun.elapsed().as_secs_f64(), output.stdout)
}
