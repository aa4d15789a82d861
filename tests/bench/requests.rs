//! How many requests each command costs the nodes it asks, over how many connections, and how long it takes where every
//! endpoint serves one request a second, five at once after a pause.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grail_console::sandbox::{BlockTime, Credentials, OPERATOR_UID, Sandbox, SandboxOptions, Scenario};

use crate::{report, rotation};

/// Blocks as on the real network, and fast ones where finality is waited for.
const BLOCKS: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(1)];
/// The chain holds an older read key than the `.env`, and nothing else happens.
const DRIFTED: &str = "description = \"for measuring\"\n[operator]\npublished = { read = { generation = 1 } }\n";

/// A command, the requests that it may cost, and the seconds that it may take where they are limited.
struct Bar {
    what: &'static str,
    words: &'static [&'static str],
    requests: u64,
    seconds: u32,
}

const BARS: [Bar; 4] = [
    Bar { what: "status, warm", words: &["status"], requests: 6, seconds: 3 },
    Bar { what: "visible", words: &["visible"], requests: 14, seconds: 12 },
    Bar { what: "commit --yes", words: &["commit", "--yes"], requests: 25, seconds: 30 },
    Bar { what: "rotate start --yes", words: &["rotate", "start", "--grace", "0", "--yes"], requests: 50, seconds: 60 },
];

pub async fn measure() {
    for Bar { what, words, requests, seconds } in BARS {
        let free = one(words, None).await;
        let measured = format!("{} requests, {} connections", free.requests, free.connections);
        report(&format!("{what}: requests to both operators"), &format!("<= {requests}"), &measured);
        let limited = one(words, Some(1.0)).await;
        let measured = format!("{:.1} s, {} requests with those refused", limited.seconds, limited.requests);
        report("  where each serves one a second, five at once", &format!("<= {seconds} s"), &measured);
    }
}

/// What one command cost.
struct Cost {
    requests: u64,
    connections: u64,
    seconds: f64,
}

/// Runs a command after a `status` that leaves its cache warm, and after both operators' word on the runtime was compared: that
/// costs a commit or a rotation two requests once for each runtime.
async fn one(words: &[&str], rate_limit: Option<f64>) -> Cost {
    let mut options = SandboxOptions::new(Scenario::parse("bench", DRIFTED).unwrap());
    options.block_time = BlockTime::Every(BLOCKS[usize::from(words.contains(&"--yes"))]);
    options.rate_limit = rate_limit;
    let sandbox = Sandbox::start(options).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let is_rotation = words.first() == Some(&"rotate");
    let keys = Credentials::of(OPERATOR_UID, u8::from(is_rotation));
    let mut flags = rotation::flags(&sandbox, home.path(), &keys);
    flags.extend(["--witness".to_owned(), sandbox.witness_url().to_owned()]);
    let mut words: Vec<String> = words.iter().map(ToString::to_string).collect();
    if is_rotation {
        let new = rotation::read_lines(&Credentials::of(OPERATOR_UID, 2));
        words.extend(["--new-key-file".to_owned(), rotation::write(home.path(), "new-keys", &new)]);
    }
    run(home.path(), &["status".to_owned()], &flags);
    run(home.path(), &["commit".to_owned(), "--dry-run".to_owned()], &flags);
    if rate_limit.is_some() {
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    sandbox.reset_meter();
    let begun = Instant::now();
    run(home.path(), &words, &flags);
    let (seconds, meter) = (begun.elapsed().as_secs_f64(), sandbox.meter());
    if std::env::var_os("METHODS").is_some() {
        println!("{words:?} {:?}", meter.requests);
    }
    Cost { requests: meter.total(), connections: meter.connections, seconds }
}

fn run(home: &Path, words: &[String], flags: &[String]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grail-console"));
    command.args(words).args(flags).env_clear().env("HOME", home).stdin(Stdio::null());
    let output = command.output().unwrap();
    // Drift, or a window that is missing, is no failure of what is measured.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{words:?}: {:?}\n{said}", output.status);
}
