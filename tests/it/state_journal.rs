//! The journal of commits on a real disk: whole lines, whatever happens to it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use grail_console::domain::commit::record::{Entry, Record};
use grail_console::domain::network::BlockHash;
use grail_console::state::{Journal, Owner, StateDir};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::state_files::{again_under, child_dir};
use crate::tui_fixtures::hotkey;

fn owner() -> Owner {
    Owner { genesis: BlockHash([7; 32]), netuid: 81, hotkey: hotkey(42) }
}

fn broadcast(n: u8) -> Record {
    Record::Broadcast { extrinsic: BlockHash([n; 32]) }
}

fn records(journal: &Journal) -> Vec<Record> {
    journal.entries(&owner()).unwrap().into_iter().map(|entry: Entry| entry.record).collect()
}

/// A journal in a folder of its own, and the path of its file.
fn open() -> (TempDir, Journal, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let journal = StateDir::open(&state).unwrap().journal().unwrap();
    let file = state.join("journal").join(format!("07070707-81-{}.jsonl", hotkey(42)));
    (folder, journal, file)
}

#[test]
fn what_is_appended_comes_back_in_order_and_only_its_owner_may_read_it() {
    let (_folder, journal, file) = open();
    assert_eq!(records(&journal), vec![]);
    for n in 1..4 {
        journal.append(&owner(), broadcast(n), u64::from(n)).unwrap();
    }
    assert_eq!(records(&journal), [broadcast(1), broadcast(2), broadcast(3)]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = file.parent().unwrap();
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let other = Owner { netuid: 7, ..owner() };
    assert_eq!(journal.entries(&other).unwrap(), vec![], "each subnet has its own");
}

#[test]
fn every_crash_within_a_line_loses_that_line_alone() {
    let (_folder, journal, file) = open();
    journal.append(&owner(), broadcast(1), 1).unwrap();
    let whole = fs::read(&file).unwrap();
    for cut in 0..whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let torn = records(&journal);
        assert!(torn.is_empty() || torn == [broadcast(1)], "cut at {cut}: {torn:?}");
        journal.append(&owner(), broadcast(2), 2).unwrap();
        assert_eq!(records(&journal).last(), Some(&broadcast(2)), "cut at {cut}");
    }
}

#[test]
fn lines_of_a_newer_console_are_passed_over() {
    let (_folder, journal, file) = open();
    journal.append(&owner(), broadcast(1), 1).unwrap();
    let mut out = fs::OpenOptions::new().append(true).open(&file).unwrap();
    out.write_all(b"{\"v\":2,\"at_ms\":5,\"kind\":\"rotated\",\"generation\":4}\n").unwrap();
    journal.append(&owner(), broadcast(3), 3).unwrap();
    assert_eq!(records(&journal), [broadcast(1), broadcast(3)]);
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let (folder, journal, file) = open();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "mine\n").unwrap();
    symlink(&elsewhere, &file).unwrap();
    let error = journal.append(&owner(), broadcast(1), 1).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine\n");
}

#[test]
fn a_turn_is_held_by_one_and_free_again_when_it_is_dropped() {
    let (folder, journal, _) = open();
    let other = StateDir::open(&folder.path().join("state")).unwrap().journal().unwrap();
    let turn = journal.turn(&owner()).unwrap();
    assert!(turn.is_some());
    assert!(other.turn(&owner()).unwrap().is_none(), "somebody has it");
    assert!(
        other.turn(&Owner { netuid: 7, ..owner() }).unwrap().is_none(),
        "the nonce is the account's, on any subnet"
    );
    let another = Owner { hotkey: hotkey(7), ..owner() };
    assert!(other.turn(&another).unwrap().is_some(), "another hotkey is another turn");
    drop(turn);
    // A process that another test starts holds what it inherits for a moment.
    let began = std::time::Instant::now();
    while other.turn(&owner()).unwrap().is_none() {
        assert!(began.elapsed() < crate::support::DEADLINE, "it is free again");
        std::thread::yield_now();
    }
}

/// A limit on a file's size stands in for the full disk.
#[test]
fn a_line_that_does_not_fit_leaves_the_journal_as_it_was() {
    const TEST: &str = "state_journal::a_line_that_does_not_fit_leaves_the_journal_as_it_was";
    let journal_in = |state: &Path| StateDir::open(state).unwrap().journal().unwrap();
    if let Some(state) = child_dir() {
        let mut appended = (0..200).map(|n| journal_in(&state).append(&owner(), broadcast(n), 1));
        let error = appended.find_map(Result::err).expect("the limit was reached").to_string();
        assert!(error.starts_with("no room to write"), "{error}");
        return;
    }
    let (folder, journal, file) = open();
    journal.append(&owner(), broadcast(1), 1).unwrap();
    let before = fs::read(&file).unwrap();
    // So many blocks of 512 bytes at most; whoever tries more is told, not killed.
    again_under(TEST, "trap '' XFSZ; ulimit -f 1; exec {}", &folder.path().join("state"));
    let after = fs::read(&file).unwrap();
    assert!(after.starts_with(&before) && after.ends_with(b"\n"), "{}", String::from_utf8_lossy(&after));
    assert!(records(&journal).len() > 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever stands in the file: reading it does not fail, and what is appended comes back.
    #[test]
    fn any_bytes_in_the_file_cost_no_more_than_their_own_lines(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, journal, file) = open();
        fs::write(&file, &bytes).unwrap();
        journal.append(&owner(), broadcast(9), 1).unwrap();
        let read = records(&journal);
        prop_assert_eq!(read.last(), Some(&broadcast(9)));
    }
}
