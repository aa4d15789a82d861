//! A commit on the practice subnet at 250 ms blocks: from the confirmation to "read back equal", against the moment at which
//! the node itself made the block final. What lies between the two is ours.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grail_console::sandbox::{BlockTime, Sandbox, SandboxOptions, Scenario};
use serde_json::Value;

use crate::{median, report};

const BLOCKS: Duration = Duration::from_millis(250);
const RUNS: usize = 7;

pub async fn measure() {
    let (mut whole, mut after_finality) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (seconds, after) = one().await;
        whole.push(seconds);
        after_finality.push(after);
    }
    report("commit, 250 ms blocks: whole process", "", &format!("{:.0} ms", median(whole) * 1e3));
    report("  from the block's finality to the end", "<= 300 ms", &format!("{:.0} ms", median(after_finality) * 1e3));
}

async fn one() -> (f64, f64) {
    let mut options = SandboxOptions::new(Scenario::parse("bench", DRIFTED).unwrap());
    options.block_time = BlockTime::Every(BLOCKS);
    let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
    let finalities = Arc::new(Mutex::new(Vec::<(u64, Instant)>::new()));
    let (seen, watched) = (Arc::clone(&finalities), Arc::clone(&sandbox));
    let watch = tokio::spawn(async move {
        let mut last = 0;
        loop {
            let number = u64::from(watched.finalized().number());
            if number != last {
                seen.lock().unwrap().push((number, Instant::now()));
                last = number;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let home = tempfile::tempdir().unwrap();
    let (home_path, command_line) = (home.path().to_owned(), arguments(&sandbox));
    let begun = Instant::now();
    let (document, ended) =
        tokio::task::spawn_blocking(move || (run(&home_path, &command_line), Instant::now())).await.unwrap();
    watch.abort();
    assert_eq!(document["outcome"], "committed", "{document}");
    let block = document["block"].as_u64().unwrap();
    let finalities = finalities.lock().unwrap();
    let (_, final_at) = finalities.iter().find(|(number, _)| *number >= block).unwrap();
    (ended.duration_since(begun).as_secs_f64(), ended.duration_since(*final_at).as_secs_f64())
}

/// The chain holds an older read key than the `.env`, and nothing else happens.
const DRIFTED: &str = "description = \"for measuring\"\n[operator]\npublished = { read = { generation = 1 } }\n";

fn arguments(sandbox: &Sandbox) -> Vec<String> {
    let operator = sandbox.operator().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let pairs = [
        ("--endpoint", sandbox.url().to_owned()),
        ("--wallet", operator.wallet.to_owned()),
        ("--hotkey", operator.hotkey_name.to_owned()),
        ("--wallet-path", text(&operator.wallet_path)),
        ("--env-file", text(&operator.env_file)),
    ];
    let flags = pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
    ["commit", "--yes", "--json"].map(ToOwned::to_owned).into_iter().chain(flags).collect()
}

fn run(home: &Path, arguments: &[String]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_grail-console"))
        .env_clear()
        .env("HOME", home)
        .args(arguments)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
