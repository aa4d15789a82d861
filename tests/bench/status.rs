//! A whole `status` process against a node with an injected round trip.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grail_console::sandbox::{Sandbox, SandboxOptions, Scenario};

use crate::{median, report};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const RUNS: usize = 9;

pub async fn measure() {
    let mut options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    options.latency = ROUND_TRIP;
    let sandbox = Sandbox::start(options).await.unwrap();
    let cold: Vec<f64> = (0..RUNS).map(|_| seconds(&sandbox, tempfile::tempdir().unwrap().path())).collect();
    let home = tempfile::tempdir().unwrap();
    seconds(&sandbox, home.path());
    sandbox.reset_meter();
    let warm = seconds(&sandbox, home.path());
    let meter = sandbox.meter();
    let warm = median((1..RUNS).map(|_| seconds(&sandbox, home.path())).chain([warm]).collect());
    report("cold status, 256 uids, 100 ms round trip", "<= 1.2 s", &format!("{:.3} s", median(cold)));
    report("warm status, 256 uids, 100 ms round trip", "<= 0.75 s", &format!("{warm:.3} s"));
    let counts = format!("{} round trips, {} requests", meter.round_trips, meter.requests.values().sum::<u64>());
    report("  of it", "<= 3 round trips, 8 requests", &counts);
}

fn seconds(sandbox: &Sandbox, home: &Path) -> f64 {
    let begin = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_grail-console"))
        .env_clear()
        .env("HOME", home)
        .args(["status", "--json", "--endpoint", sandbox.url()])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    begin.elapsed().as_secs_f64()
}
