//! A whole rotation on the practice subnet in fast time, by commands as a script would run them; and its journal.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use grail_console::domain::network::BlockHash;
use grail_console::domain::owner::Owner;
use grail_console::domain::rotation::{Change, Event, Replacement};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, KeyRef};
use grail_console::sandbox::{BlockTime, Credentials, NETUID, OPERATOR_UID, Sandbox, SandboxOptions, Scenario, hotkey};
use grail_console::state::StateDir;
use grail_console::vault::FileKey;

use crate::{median, report};

const BLOCKS: Duration = Duration::from_millis(250);
const RUNS: usize = 5;
/// Rotations in the journal that is read.
const ROTATIONS: u64 = 100;

pub async fn measure() {
    let (mut begun, mut retired, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let one = one().await;
        begun.push(one.0);
        retired.push(one.1);
        bytes = one.2;
    }
    let ms = |measured: Vec<f64>| format!("{:.0} ms", median(measured) * 1e3);
    report("rotate start, 250 ms blocks: order to grace", "", &ms(begun));
    report("rotate retire: order to the old keys forgotten", "", &ms(retired));
    report("the journal of one rotation", "", &format!("{bytes} bytes"));
    journal();
}

/// Seconds to the grace, seconds to retire, bytes of the journal.
async fn one() -> (f64, f64, u64) {
    let scenario =
        "description = \"rotations\"\nhead = 9_168_240\n[operator]\npublished = { read = { generation = 1 } }\n";
    let mut options = SandboxOptions::new(Scenario::parse("bench", scenario).unwrap());
    options.block_time = BlockTime::Every(BLOCKS);
    let sandbox = Sandbox::start(options).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (Credentials::of(OPERATOR_UID, 1), Credentials::of(OPERATOR_UID, 2));
    let flags = flags(&sandbox, home.path(), &old);
    let keys = write(home.path(), "new-keys", &read_lines(&new));
    let run = |words: Vec<String>| {
        let (home, flags) = (home.path().to_owned(), flags.clone());
        tokio::task::spawn_blocking(move || timed(&home, words, &flags))
    };
    let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect();
    let begun = run(words(&["rotate", "start", "--new-key-file", &keys, "--grace", "0", "--yes"])).await.unwrap();
    sandbox.s3().revoke(&old.read_key_id);
    // The grace of 0 blocks is counted from the present block, which has to be final.
    let passed = u64::from(sandbox.best().number());
    while u64::from(sandbox.finalized().number()) <= passed {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let retired = run(words(&["rotate", "retire"])).await.unwrap();
    let journals = std::fs::read_dir(home.path().join(".local/state/grail-console/rotations")).unwrap();
    let files = journals.map(|entry| entry.unwrap()).filter(|entry| entry.path().extension() == Some("jsonl".as_ref()));
    (begun, retired, files.map(|file| file.metadata().unwrap().len()).sum())
}

pub fn read_lines(keys: &Credentials) -> String {
    format!("R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n", keys.read_key_id, keys.read_secret.expose())
}

pub fn write(home: &Path, name: &str, text: &str) -> String {
    let path = home.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn flags(sandbox: &Sandbox, home: &Path, keys: &Credentials) -> Vec<String> {
    let own = sandbox.operator().unwrap();
    let key_file = home.join("vault.key");
    FileKey::generate(&key_file).unwrap();
    let write_lines = format!(
        "R2_WRITE_ACCESS_KEY_ID={}\nR2_WRITE_SECRET_ACCESS_KEY={}\n",
        keys.write_key_id,
        keys.write_secret.expose()
    );
    let bucket = format!("R2_ACCOUNT_ID={0}\nR2_BUCKET_ID={0}\n", keys.account);
    let env = write(home, ".env", &format!("{bucket}{}{write_lines}", read_lines(keys)));
    let pairs = [
        ("--endpoint", sandbox.url()),
        ("--s3-endpoint", sandbox.s3_url()),
        ("--wallet", own.wallet),
        ("--hotkey", own.hotkey_name),
        ("--wallet-path", own.wallet_path.to_str().unwrap()),
        ("--env-file", &env),
        ("--vault", "file"),
        ("--vault-key-file", key_file.to_str().unwrap()),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]).collect()
}

fn timed(home: &Path, words: Vec<String>, flags: &[String]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grail-console"));
    command.args(words).args(flags).env_clear().env("HOME", home).stdin(std::process::Stdio::null());
    let started = Instant::now();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    started.elapsed().as_secs_f64()
}

/// Appending a line with its sync, and reading a long journal with all its checks.
fn journal() {
    let folder = tempfile::tempdir().unwrap();
    let journal = StateDir::open(&folder.path().join("state")).unwrap().rotations().unwrap();
    let owner = Owner { genesis: BlockHash([0xbe; 32]), netuid: NETUID, hotkey: hotkey(OPERATOR_UID) };
    let key = |n: u64| KeyRef::of(&format!("{n:032x}"), &SecretKey::new(format!("{n:064x}")));
    let mut appended = Vec::new();
    for from in 1..=ROTATIONS {
        let change = Change { read: Some(Replacement { old: Some(key(from)), new: key(from + 1) }), write: None };
        let began = Event::Began {
            from: 1,
            to: from + 1,
            backend: Backend::File,
            locator: "x".repeat(32),
            change,
            grace_blocks: 300,
            emergency: false,
        };
        for event in [began, Event::Staged, Event::TurnedBack, Event::Forgetting, Event::Abandoned] {
            let started = Instant::now();
            journal.append(&owner, event, 1).unwrap();
            appended.push(started.elapsed().as_secs_f64());
        }
    }
    let first = appended.iter().copied().take(50).collect();
    report("journal: one line, synced (short journal)", "", &format!("{:.2} ms", median(first) * 1e3));
    report(
        &format!("journal: one line, synced (after {ROTATIONS} rotations)"),
        "",
        &format!("{:.2} ms", median(appended.split_off(appended.len() - 50)) * 1e3),
    );
    let started = Instant::now();
    let (history, entries) = journal.history(&owner).unwrap();
    let ms = started.elapsed().as_secs_f64() * 1e3;
    report(
        &format!("journal: reading {} lines", entries.len()),
        "",
        &format!("{ms:.2} ms, {} rotations", history.closed.len()),
    );
}
