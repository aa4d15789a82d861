//! The logs: what may not be in them, where they are kept, and what happens when the disk will not take them.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grail_console::domain::secret::SecretKey;
use grail_console::logs::{CAPACITY, KEPT, Level, LogLine, Logs, Options, REDACTED, redact, redacted, system_clock};
use grail_console::state::StateDir;
use proptest::prelude::*;
use tracing::subscriber::with_default;

use crate::state_files::{again_under, child_dir};

fn in_memory(control: Option<&str>, speak: impl FnOnce()) -> Vec<LogLine> {
    let (logs, subscriber) = Logs::new(Options { dir: None, control, clock: system_clock() });
    with_default(subscriber, speak);
    logs.since(0).0
}

fn one_line(speak: impl FnOnce()) -> String {
    let lines = in_memory(Some("trace"), speak);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].text.clone()
}

#[test]
fn a_known_secret_is_in_no_line_however_it_gets_there() {
    let secret = SecretKey::new("c4na7y \"quoted\\\u{1b}\" secret");
    redact(&secret);
    let text = secret.expose().to_owned();
    let lines = in_memory(None, || {
        tracing::info!(target: "grail_console", "message {text}");
        tracing::info!(target: "grail_console", field = %text, "display");
        tracing::info!(target: "grail_console", field = ?text, "debug");
        tracing::info!(target: "grail_console", text, "value");
        tracing::info!(target: "grail_console", field = hex::encode(&text), "hex");
        tracing::error!(target: "grail_console", error = &std::io::Error::other(text.clone()) as &dyn std::error::Error, "error");
        tracing::info!(target: "grail_console", ?secret, "typed");
    });
    assert_eq!(lines.len(), 7);
    for line in &lines {
        assert!(line.text.contains(REDACTED), "{line:?}");
        assert!(!line.text.contains("c4na7y") && !line.text.contains(&hex::encode("c4na7y")), "{line:?}");
    }
}

#[test]
fn a_bare_run_of_64_hex_digits_is_masked_and_a_hash_is_not() {
    let run = "0123456789abcdef".repeat(4);
    assert_eq!(redacted(&format!("secret {run}.")), format!("secret {REDACTED}."));
    assert_eq!(redacted(&format!("{run}{run}")), REDACTED);
    assert_eq!(redacted(&format!("block 0x{run} seen")), format!("block 0x{run} seen"));
    assert_eq!(redacted(&run[..63]), run[..63]);
    let key = format!("0x{}", "ab".repeat(74));
    assert_eq!(redacted(&key), key, "a storage key is public");
    assert_eq!(redacted(&format!("0x{run}{run}")), format!("0x{REDACTED}"), "a keyfile's private key");
    assert_eq!(redacted(&format!("0x{}", "cd".repeat(142))), "0xcdcdcdcdcdcdcdcd…[142 bytes]");
}

#[test]
fn a_secret_inside_another_leaves_nothing_of_the_longer_one() {
    redact(&SecretKey::new("inner-s3cret"));
    redact(&SecretKey::new("outer+inner-s3cret+outer"));
    assert_eq!(redacted("a outer+inner-s3cret+outer b"), format!("a {REDACTED} b"));
}

#[test]
fn a_value_too_short_to_be_a_key_does_not_garble_the_log() {
    redact(&SecretKey::new("e"));
    redact(&SecretKey::new(""));
    assert_eq!(redacted("every letter"), "every letter");
}

#[test]
fn control_and_reordering_characters_are_made_visible() {
    let text = one_line(|| tracing::warn!(from = "a\u{202e}b\u{1b}]52;c;x\u{7}\nc", "m\u{9b}31m"));
    assert_eq!(text, "m\\u{9b}31m from=a\\u{202e}b\\u{1b}]52;c;x\\u{7}\\u{a}c");
}

#[test]
fn dependencies_are_heard_from_warnings_on_whatever_is_asked_for() {
    let speak = || {
        tracing::debug!(target: "hyper::client", "header authorization: x");
        tracing::info!(target: "grail_consoles", "a stranger with a similar name");
        tracing::warn!(target: "hyper::client", "odd");
        tracing::debug!(target: "grail_console::chain", "ours");
        tracing::trace!("ours too? no, of the test crate");
    };
    let texts = |control| in_memory(control, speak).into_iter().map(|line| line.text).collect::<Vec<_>>();
    assert_eq!(texts(Some("trace")), ["odd", "ours"]);
    assert_eq!(texts(None), ["odd"]);
    assert_eq!(texts(Some("error,grail_console::chain=debug")), ["ours"]);
}

#[test]
fn a_control_that_is_not_understood_is_reported_and_the_default_taken() {
    let lines = in_memory(Some("grail_console=[nonsense"), || tracing::info!(target: "grail_console", "heard"));
    assert_eq!(lines.len(), 2);
    assert!(lines[0].level == Level::Warn && lines[0].text.contains("GRAIL_CONSOLE_LOG"), "{lines:?}");
    assert_eq!(lines[1].text, "heard");
}

#[test]
fn the_ring_keeps_the_newest_lines_and_rings_for_each() {
    let (logs, subscriber) = Logs::new(Options { dir: None, control: None, clock: system_clock() });
    let bell = logs.listen();
    with_default(subscriber, || {
        for number in 0..CAPACITY + 10 {
            tracing::info!(target: "grail_console", "{number}");
        }
        let (lines, seen) = logs.since(0);
        assert_eq!((lines.len(), seen), (CAPACITY, CAPACITY as u64 + 10));
        assert_eq!(lines[0].text, "10");
        assert!(bell.has_changed().unwrap() && *bell.borrow() == seen);
        assert!(logs.since(seen).0.is_empty());
        tracing::info!(target: "grail_console", "new");
        assert_eq!(logs.since(seen).0[0].text, "new");
    });
}

struct Disk {
    _root: tempfile::TempDir,
    folder: PathBuf,
    now: Arc<Mutex<SystemTime>>,
}

impl Disk {
    fn new() -> (Self, OwnedFd) {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&root.path().join("state")).unwrap().logs().unwrap();
        let folder = dir.path().to_owned();
        let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_hours(24 * 20_000)));
        (Self { _root: root, folder, now }, dir.into_handle())
    }

    fn start(&self, dir: OwnedFd) -> (Logs, impl tracing::Subscriber + Send + Sync + use<>) {
        let now = Arc::clone(&self.now);
        Logs::new(Options { dir: Some(dir), control: None, clock: Arc::new(move || *now.lock().unwrap()) })
    }

    fn next_day(&self) {
        *self.now.lock().unwrap() += Duration::from_hours(24);
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn speak(text: &str) {
    tracing::info!(target: "grail_console", "{text}");
}

fn warnings(logs: &Logs) -> Vec<String> {
    logs.since(0).0.into_iter().filter(|line| line.level == Level::Warn).map(|line| line.text).collect()
}

#[test]
fn every_day_has_its_file_only_for_us_and_the_newest_few_are_kept() {
    const TEST: &str = "logs_lines::every_day_has_its_file_only_for_us_and_the_newest_few_are_kept";
    if child_dir().is_none() {
        let dir = tempfile::tempdir().unwrap();
        again_under(TEST, "umask 000; exec {}", dir.path());
        return;
    }
    let (disk, dir) = Disk::new();
    fs::write(disk.folder.join("mine.txt"), "not a log").unwrap();
    for day in 0..KEPT + 3 {
        // A console a day: each opens the folder anew, as a restart does.
        let (logs, subscriber) = disk.start(dir.try_clone().unwrap());
        with_default(subscriber, || speak(&format!("day {day}")));
        logs.close_file();
        disk.next_day();
    }
    let files = disk.files();
    assert_eq!(files.len(), KEPT + 1, "{files:?}");
    assert_eq!(files.last().unwrap(), "mine.txt");
    assert_eq!(files[KEPT - 1], "grail-console.2024-10-11.log");
    for name in &files[..KEPT] {
        assert_eq!(fs::metadata(disk.folder.join(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    let last = fs::read_to_string(disk.folder.join(&files[KEPT - 1])).unwrap();
    assert_eq!(last, "2024-10-11T00:00:00.000Z INFO  grail_console: day 7\n");
}

#[test]
fn a_second_console_on_the_same_day_appends() {
    let (disk, dir) = Disk::new();
    for text in ["first", "second"] {
        let (logs, subscriber) = disk.start(dir.try_clone().unwrap());
        with_default(subscriber, || speak(text));
        logs.close_file();
    }
    let text = fs::read_to_string(disk.folder.join(&disk.files()[0])).unwrap();
    assert_eq!(text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect::<Vec<_>>(), ["first", "second"]);
}

#[test]
fn no_secret_and_no_control_character_is_in_the_file() {
    let (disk, dir) = Disk::new();
    redact(&SecretKey::new("f1le-canary-value"));
    let (logs, subscriber) = disk.start(dir);
    with_default(subscriber, || speak(&format!("f1le-canary-value \u{1b}[2J {}", "ab".repeat(32))));
    logs.close_file();
    let text = fs::read_to_string(disk.folder.join(&disk.files()[0])).unwrap();
    assert!(text.ends_with("[redacted] \\u{1b}[2J [redacted]\n"), "{text}");
}

#[test]
fn a_folder_that_takes_no_file_costs_one_warning_and_no_line() {
    let (disk, dir) = Disk::new();
    fs::remove_dir(&disk.folder).unwrap();
    let (logs, subscriber) = disk.start(dir);
    with_default(subscriber, || (0..20).for_each(|n| speak(&n.to_string())));
    logs.close_file();
    assert_eq!(logs.since(0).0.len(), 21);
    let warned = warnings(&logs);
    assert!(warned.len() == 1 && warned[0].contains("memory only"), "{warned:?}");
}

#[test]
fn a_link_in_the_place_of_the_log_is_not_followed() {
    let (disk, dir) = Disk::new();
    let victim = disk.folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, disk.folder.join("grail-console.2024-10-04.log")).unwrap();
    let (logs, subscriber) = disk.start(dir);
    with_default(subscriber, || speak("hello"));
    logs.close_file();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(warnings(&logs).len(), 1);
}

#[test]
fn a_full_disk_costs_one_warning_and_no_line() {
    const TEST: &str = "logs_lines::a_full_disk_costs_one_warning_and_no_line";
    if child_dir().is_none() {
        let dir = tempfile::tempdir().unwrap();
        again_under(TEST, "trap '' XFSZ; ulimit -f 16; exec {}", dir.path());
        return;
    }
    let (disk, dir) = Disk::new();
    let (logs, subscriber) = disk.start(dir);
    with_default(subscriber, || (0..200).for_each(|_| speak(&"x".repeat(1_000))));
    logs.close_file();
    let (lines, _) = logs.since(0);
    assert_eq!(lines.iter().filter(|line| line.level == Level::Info).count(), 200);
    assert_eq!(warnings(&logs).len(), 1, "{:?}", warnings(&logs));
    assert!(written(&disk.folder) > 1_000);
}

fn written(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

proptest! {
    #[test]
    fn no_text_brings_a_control_character_into_a_line(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f\u{200b}-\u{202e}\u{2066}-\u{2069}a-z]{0,40}") {
        let line = one_line(|| tracing::warn!(field = %text, "{text}"));
        let reorders = |c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let clean = line.chars().all(|c| !c.is_control() && !reorders(c));
        prop_assert!(clean, "{}", line);
    }

    #[test]
    fn scrubbing_leaves_no_bare_run_of_64_hex_digits(text in "([0-9a-fx]{1,90}| |é){0,6}") {
        let out = redacted(&text);
        for run in out.split(|c: char| !c.is_ascii_hexdigit()) {
            let begin = run.as_ptr() as usize - out.as_ptr() as usize;
            prop_assert!(run.len() < 64 || out[..begin].ends_with("0x"), "{}", out);
        }
    }
}
