//! A rotation that is killed: wherever that was, the next start finishes it or turns back, and nothing is lost.
//!
//! Two ways to be killed: by SIGKILL as soon as the console says a line, which it does before each call to the outside and
//! after each event; and by the kernel in the middle of writing a file, at a byte of the journal that the test chooses.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::owner::Owner;
use grail_console::domain::rotation::{Change, Event, Replacement};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, KeyRef};
use grail_console::sandbox::{Credentials, NETUID, OPERATOR_UID, SANDBOX_GENESIS, hotkey};
use grail_console::state::StateDir;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_rotate::document;
use crate::support::house::Ran;
use crate::support::node::line;
use crate::support::operator::BLOCKS;
use crate::support::rotating::{NEW, OLD, Rotating};

/// So often a rotation may be taken up again before it must have come to its end.
const ATTEMPTS: usize = 8;
/// A commit that was signed and perhaps not sent can land until its era of 64 blocks is over: so long nobody can say more.
const ERA: Duration = BLOCKS.saturating_mul(3 * 64);

/// Goes on, or back; as often as it takes until it is certain what became of a commit that was under way.
fn once_settled(house: &Rotating, word: &str) -> (Option<i32>, Value) {
    let begun = Instant::now();
    loop {
        let ran = house.run(&["rotate", word, "--yes", "--json"]);
        let (code, told) = (ran.code, document(&ran));
        if told["blocked_by"] != json!(["submission_open"]) || begun.elapsed() > ERA {
            return (code, told);
        }
        thread::sleep(BLOCKS);
    }
}

/// Takes the rotation up again until it is where nothing needs to be done but to wait.
#[track_caller]
pub fn finish(house: &Rotating) {
    for _ in 0..ATTEMPTS {
        let (code, told) = once_settled(house, "resume");
        if code == Some(0) && (told["phase"] == "grace" || told["phase"] == "rolled_back") {
            return;
        }
        let nothing_began = told["reason"] == "no_rotation";
        let no_keys = told["blocked_by"] == json!(["keys_needed"]);
        if nothing_began || no_keys {
            let begun = house.begin(NEW, "2");
            assert!(matches!(begun.code, Some(0 | 7)), "{}", begun.stdout);
        }
    }
    let status = house.run(&["rotate", "status", "--json"]);
    panic!("it does not come to an end: {}", status.stdout);
}

/// The new key is in use everywhere, and the old one can be retired.
#[track_caller]
pub fn is_whole(house: &Rotating) {
    assert!(house.publishes(NEW), "the chain holds the new key");
    let env = house.env();
    let (old, new) = (Credentials::of(OPERATOR_UID, OLD), Credentials::of(OPERATOR_UID, NEW));
    assert!(env.contains(&new.read_key_id) && env.contains(new.read_secret.expose()), "{env}");
    assert!(!env.contains(&old.read_key_id) && !env.contains(old.read_secret.expose()));
    assert!(env.contains(old.write_secret.expose()), "the write pair is where it was");
    let held = house.held();
    let current = house.index()["current"].as_u64().unwrap();
    assert_eq!((held.len(), held.last()), (2, Some(&current)), "both generations are there, and no other");
    house.revoke(OLD);
    house.operator.until("the end of the grace", |_| house.run(&["rotate", "retire", "--json"]).code == Some(0));
    assert_eq!(house.held(), [current]);
}

/// The lines that `rotate` says, from an undisturbed run.
fn lines_of(command: &[&str], prepared: impl Fn(&Rotating)) -> Vec<String> {
    let house = Rotating::new();
    prepared(&house);
    let keys = house.read_keys(NEW);
    let words: Vec<&str> = command.iter().map(|word| if *word == "KEYS" { keys.as_str() } else { *word }).collect();
    let ran = house.run(&words).exits(0);
    ran.stderr.lines().filter(|line| line.starts_with('…') || line.starts_with('✓')).map(ToOwned::to_owned).collect()
}

const START: [&str; 7] = ["rotate", "start", "--new-key-file", "KEYS", "--grace", "2", "--yes"];

/// Kills a command when it says its line of this number; `false` where it has no such line.
fn killed_at(house: &Rotating, command: &[&str], number: usize) -> bool {
    let keys = house.read_keys(NEW);
    let words: Vec<&str> = command.iter().map(|word| if *word == "KEYS" { keys.as_str() } else { *word }).collect();
    let mut running = house.start(&words);
    let mut said = 0;
    while said <= number {
        let Some(line) = running.next_line() else { return false };
        said += usize::from(line.starts_with('…') || line.starts_with('✓'));
    }
    running.kill_if_alive();
    true
}

#[rstest]
fn a_rotation_that_is_killed_at_any_of_its_lines_is_finished_by_the_next_start(#[values(0, 1, 2, 3)] share: usize) {
    let mut at = share;
    loop {
        let house = Rotating::new();
        if !killed_at(&house, &START, at) {
            break;
        }
        finish(&house);
        is_whole(&house);
        at += 4;
    }
    assert!(at > 12, "it says more lines than {at}");
}

#[rstest]
fn a_rotation_that_is_killed_anywhere_can_be_turned_back(#[values(0, 1)] share: usize) {
    let mut at = share;
    loop {
        let house = Rotating::new();
        if !killed_at(&house, &START, at) {
            break;
        }
        for _ in 0..ATTEMPTS {
            let (code, told) = once_settled(&house, "rollback");
            if code == Some(0) || told["reason"] == "no_rotation" {
                break;
            }
        }
        let status = document(&house.run(&["rotate", "status", "--json"]).exits(0));
        let phase = status["phase"].as_str();
        assert!(matches!(phase, None | Some("abandoned" | "rolled_back")), "{status:#}");
        assert!(house.publishes(OLD));
        let old = Credentials::of(OPERATOR_UID, OLD);
        assert!(house.env().contains(old.read_secret.expose()));
        at += 4;
    }
}

#[test]
fn a_rollback_and_a_retirement_that_are_killed_are_finished_by_the_next_start() {
    let rollback = ["rotate", "rollback", "--yes"];
    let begun = |house: &Rotating| drop(house.begin(NEW, "300").exits(0));
    let lines = lines_of(&rollback, begun).len();
    // With its last line it is over.
    for at in (0..lines - 1).step_by(3) {
        let house = Rotating::new();
        begun(&house);
        killed_at(&house, &rollback, at);
        let stands = document(&house.run(&["rotate", "status", "--json"]));
        if stands["direction"] == "forward" {
            // It was killed before it was written down that it turns back: then nothing was begun.
            assert_eq!(stands["phase"], "grace");
            drop(house.run(&rollback).exits(0));
        } else if stands["phase"] != "rolled_back" {
            finish(&house);
        }
        assert!(house.publishes(OLD), "killed at line {at}: {stands:#}\n{:#?}", house.events());
        assert_eq!(house.index()["current"], 1);
    }
    let retire = ["rotate", "retire"];
    let ready = |house: &Rotating| {
        drop(house.begin(NEW, "0").exits(0));
        house.revoke(OLD);
    };
    for at in 0..4 {
        let house = Rotating::new();
        ready(&house);
        killed_at(&house, &retire, at);
        house.operator.until("the end", |_| {
            let ran = house.run(&["rotate", "retire", "--json"]);
            ran.code == Some(0) || document(&ran)["reason"] == "no_rotation"
        });
        assert_eq!(house.held(), [2]);
        assert_eq!(document(&house.run(&["rotate", "status", "--json"]))["phase"], "retired");
    }
}

fn owner() -> Owner {
    let hotkey: Hotkey = hotkey(OPERATOR_UID);
    Owner { genesis: grail_console::domain::network::BlockHash(SANDBOX_GENESIS), netuid: NETUID, hotkey }
}

/// A journal in which so much is written already that it is the largest file the console writes: what ends at a byte of it
/// ends nowhere else.
fn with_a_long_journal(house: &Rotating) -> u64 {
    let state = StateDir::open(&house.operator.house.state()).unwrap();
    let journal = state.rotations().unwrap();
    let key = |seed: u64| KeyRef::of(&format!("{seed:032x}"), &SecretKey::new(format!("{seed:064x}")));
    let size = || house.journal_file().map_or(0, |file| fs::metadata(file).unwrap().len());
    let mut number = 100;
    while size() < 24_000 {
        number += 1;
        let change = Change { read: Some(Replacement { old: Some(key(number)), new: key(number + 1) }), write: None };
        let began = Event::Began {
            from: number,
            to: number + 1,
            backend: Backend::File,
            locator: "x".repeat(32),
            change,
            grace_blocks: 300,
            emergency: false,
        };
        for event in [began, Event::TurnedBack, Event::Forgetting, Event::Abandoned] {
            journal.append(&owner(), event, 1).unwrap();
        }
    }
    size()
}

/// Runs `rotate start` under a limit: the kernel kills it when a file of it would grow beyond that.
fn start_within(house: &Rotating, bytes: u64) -> Ran {
    let keys = house.read_keys(NEW);
    let words: Vec<&str> = START.iter().map(|word| if *word == "KEYS" { keys.as_str() } else { *word }).collect();
    let limited = format!("exec prlimit --fsize={bytes}:{bytes} --core=0 \"$@\"");
    Ran::of(house.operator.house.console_under(&limited, line(&words, &house.flags())))
}

#[rstest]
fn a_rotation_that_ends_in_the_middle_of_a_line_of_its_journal_is_finished_by_the_next_start(
    #[values(0, 1, 2, 3)] share: usize,
) {
    // Where the lines of an undisturbed run end.
    let house = Rotating::new();
    house.run(&["status"]);
    let before = with_a_long_journal(&house);
    house.begin(NEW, "2").exits(0);
    let text = fs::read(house.journal_file().unwrap()).unwrap();
    let ends: Vec<u64> = (before..)
        .zip(&text[usize::try_from(before).unwrap()..])
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at)
        .collect();
    assert!(ends.len() > 8, "{ends:?}");
    let starts = [before].into_iter().chain(ends.iter().map(|end| end + 1));
    let places = starts.zip(&ends).flat_map(|(start, end)| [start, start + 1, (start + end) / 2, *end]);
    for bytes in places.skip(share).step_by(4) {
        let house = Rotating::new();
        house.run(&["status"]);
        assert_eq!(with_a_long_journal(&house), before);
        let ran = start_within(&house, bytes);
        assert_eq!(ran.code, None, "it is killed at byte {bytes}: {}", ran.stderr);
        assert_eq!(fs::metadata(house.journal_file().unwrap()).unwrap().len(), bytes, "the journal is cut there");
        finish(&house);
        is_whole(&house);
    }
}
