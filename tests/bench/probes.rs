//! Read tests: a sweep of every bucket, what it asks and takes, the same by boto3, and keys pressed meanwhile.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grail_console::sandbox::{Sandbox, SandboxOptions, Scenario};

use crate::console::Console;
use crate::{median, report};

const SWEEPS: usize = 5;
/// Key presses while a sweep runs: enough for a 99th percentile.
const PRESSES: usize = 400;
/// Uids of the sweep during which keys are pressed, so that it outlasts them.
const MANY: u32 = 4_096;
/// A Python with boto3, as `.ci/run` makes it.
const PYTHON: &str = "target/peers/bin/python";

pub async fn measure() {
    let sandbox = start(256).await;
    let home = tempfile::tempdir().unwrap();
    let mut seconds = Vec::new();
    let mut memory = 0.0_f64;
    for _ in 0..SWEEPS {
        sandbox.s3().forget_requests();
        let (took, peak) = sweep(&sandbox, home.path());
        seconds.push(took);
        memory = memory.max(peak);
    }
    let asked = sandbox.s3().requests().len();
    let tested = sandbox.commitments().unwrap().len();
    report(
        "probe --all of 256 uids, whole process, loopback",
        "bounded by the server",
        &format!("{:.2} s", median(seconds)),
    );
    let per_bucket = f64::from(u32::try_from(asked).unwrap()) / f64::from(u32::try_from(tested).unwrap());
    report("  requests for each bucket", "", &format!("{per_bucket:.2}"));
    report("  peak memory of the process", "", &format!("{memory:.1} MB"));
    boto3(&sandbox);
    drop(sandbox);
    keys_meanwhile().await;
}

async fn start(uids: u32) -> Sandbox {
    let mut options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    options.uids = uids;
    Sandbox::start(options).await.unwrap()
}

/// Seconds and peak memory in MB of one `probe --all --json`.
fn sweep(sandbox: &Sandbox, home: &Path) -> (f64, f64) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_grail-console"))
        .env_clear()
        .env("HOME", home)
        .args(["probe", "--all", "--json", "--endpoint", sandbox.url(), "--s3-endpoint", sandbox.s3_url()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0.0;
    let status = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM"))
        {
            peak = line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (began.elapsed().as_secs_f64(), peak)
}

/// The same checks by boto3, where it can be had.
fn boto3(sandbox: &Sandbox) {
    let output =
        Command::new(PYTHON).arg("tests/peers/boto3_sweep.py").args([sandbox.url(), sandbox.s3_url()]).output();
    let measured = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(_) => format!("not measured: there is no {PYTHON}"),
    };
    report("  the same checks by boto3, 8 at a time, checks alone", "", &measured);
}

/// Two views in turn, each known by a word that the other has not.
async fn keys_meanwhile() {
    let sandbox = start(MANY).await;
    let home = tempfile::tempdir().unwrap();
    let arguments = ["--endpoint", sandbox.url(), "--s3-endpoint", sandbox.s3_url()].map(str::to_owned);
    let mut console = Console::open_with(&arguments, home.path());
    console.until("finalized");
    console.until("not tested");
    console.press("P", "testing");
    let mut seconds: Vec<f64> = Vec::new();
    for press in 0..PRESSES {
        let (key, word) = if press % 2 == 0 { ("L", "logs") } else { ("\u{1b}", "READ TEST") };
        seconds.push(console.press(key, word));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = sandbox.s3().requests().len();
    seconds.sort_by(f64::total_cmp);
    let [middle, high] = [seconds[seconds.len() / 2], seconds[seconds.len() * 99 / 100]].map(|s| s * 1e3);
    let measured = format!("{high:.1} ms p99, {middle:.1} ms median, {asked} requests meanwhile");
    report("key press to changed screen while a sweep runs, in a terminal", "<= 16 ms p99", &measured);
}
