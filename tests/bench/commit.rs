//! A commit on the practice subnet at 250 ms blocks: from the confirmation to "read back equal", against the moment at which
//! the node itself made the block final. What lies between the two is ours.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grail_console::sandbox::{BlockTime, Sandbox, SandboxOptions, Scenario};
use serde_json::Value;

use crate::console::Console;
use crate::{median, report};

const BLOCKS: Duration = Duration::from_millis(250);
const RUNS: usize = 7;

pub async fn measure() {
    for (what, run) in
        [("whole process", by_command as fn(&Path, &[String]) -> f64), ("key press in the console", by_key)]
    {
        let (mut whole, mut after_finality) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (seconds, after) = one(run).await;
            whole.push(seconds);
            after_finality.push(after);
        }
        report(&format!("commit, 250 ms blocks: {what} to the end"), "", &format!("{:.0} ms", median(whole) * 1e3));
        let after = format!("{:.0} ms", median(after_finality) * 1e3);
        report("  of it after the block was final", "<= 300 ms", &after);
    }
}

/// Seconds from the order to the end, and from the block's finality to the end.
async fn one(run: fn(&Path, &[String]) -> f64) -> (f64, f64) {
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
    let (home_path, flags) = (home.path().to_owned(), flags(&sandbox));
    let done = tokio::task::spawn_blocking(move || (run(&home_path, &flags), Instant::now()));
    let (seconds, ended) = done.await.unwrap();
    watch.abort();
    let block = committed_in(home.path());
    let finalities = finalities.lock().unwrap();
    let (_, final_at) = finalities.iter().find(|(number, _)| *number >= block).unwrap();
    (seconds, ended.duration_since(*final_at).as_secs_f64())
}

/// The block that the journal says it is in.
fn committed_in(home: &Path) -> u64 {
    let folder = home.join(".local/state/grail-console/journal");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let journal = files.into_iter().find(|file| file.extension().is_some_and(|ending| ending == "jsonl")).unwrap();
    let text = std::fs::read_to_string(journal).unwrap();
    let ended = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let committed = ended.into_iter().find(|line| line["kind"] == "committed").expect("it was committed");
    committed["receipt"]["block"]["number"].as_u64().unwrap()
}

/// The chain holds an older read key than the `.env`, and nothing else happens.
pub const DRIFTED: &str = "description = \"for measuring\"\n[operator]\npublished = { read = { generation = 1 } }\n";

pub fn flags(sandbox: &Sandbox) -> Vec<String> {
    let operator = sandbox.operator().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let pairs = [
        ("--endpoint", sandbox.url().to_owned()),
        ("--wallet", operator.wallet.to_owned()),
        ("--hotkey", operator.hotkey_name.to_owned()),
        ("--wallet-path", text(&operator.wallet_path)),
        ("--env-file", text(&operator.env_file)),
        ("--s3-endpoint", sandbox.s3_url().to_owned()),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

fn by_command(home: &Path, flags: &[String]) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_grail-console"));
    let output =
        command.env_clear().env("HOME", home).args(["commit", "--yes", "--json"]).args(flags).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    begun.elapsed().as_secs_f64()
}

fn by_key(home: &Path, flags: &[String]) -> f64 {
    let mut console = Console::open_with(flags, home);
    console.until("finalized");
    console.press("C", "Publish");
    console.press("\t", "Publish ]");
    // One word: a terminal is sent only the cells that changed, and blanks did not.
    console.press("\r", "Published")
}
