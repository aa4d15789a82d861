//! The journal of rotations on disk: cut anywhere, damaged anywhere, on full and read-only disks, by two processes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use grail_console::domain::owner::Owner;
use grail_console::domain::rotation::{Entry, Event, History, Side};
use grail_console::domain::vault_index::{Index, MOST_GENERATIONS};
use grail_console::state::{Rotations, StateDir, StateError};
use proptest::prelude::*;

use crate::rotation_fixtures::{began, emergency, read_change, refused, way, write_change};
use crate::state_files::{again_under, child_dir};
use crate::support::vault::owner;

/// A whole rotation, and the beginning of one that leaks.
fn events() -> Vec<Event> {
    let mut next = emergency(None, write_change());
    if let Event::Began { from, to, .. } = &mut next {
        (*from, *to) = (*to, *to + 1);
    }
    let whole = std::iter::once(began(read_change(), None)).chain(way().into_iter().map(|(_, event)| event));
    whole.chain([refused(Side::Read), Event::Retiring, Event::Retired, next, Event::Staged]).collect()
}

fn journal(root: &Path) -> Rotations {
    StateDir::open(&root.join("state")).unwrap().rotations().unwrap()
}

fn file(root: &Path) -> PathBuf {
    let Owner { genesis, netuid, hotkey } = owner();
    root.join("state/rotations").join(format!("{}-{netuid}-{hotkey}.jsonl", genesis.short()))
}

/// A journal with these events, a second after one another.
fn written(root: &Path, events: &[Event]) -> Vec<Entry> {
    let journal = journal(root);
    (1..).zip(events).map(|(n, event)| journal.append(&owner(), event.clone(), n * 1_000).unwrap()).collect()
}

#[test]
fn every_event_is_read_as_it_was_written_and_the_whole_makes_a_history() {
    let dir = tempfile::tempdir().unwrap();
    let entries = written(dir.path(), &events());
    let (history, read) = journal(dir.path()).history(&owner()).unwrap();
    assert_eq!((&read, history), (&entries, History::fold(&entries).unwrap()));
    assert_eq!(fs::metadata(file(dir.path())).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn cut_at_any_byte_it_tells_its_whole_lines_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let events = events();
    let entries = written(dir.path(), &events);
    let whole = fs::read(file(dir.path())).unwrap();
    let journal = journal(dir.path());
    for cut in 0..=whole.len() {
        fs::write(file(dir.path()), &whole[..cut]).unwrap();
        let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(journal.entries(&owner()).unwrap(), entries[..lines], "cut at {cut}");
        if cut % 7 == 0 && lines < events.len() {
            journal.append(&owner(), events[lines].clone(), (lines as u64 + 1) * 1_000).unwrap();
            assert_eq!(journal.entries(&owner()).unwrap(), entries[..=lines], "gone on after {cut}");
        }
    }
}

#[test]
fn no_byte_changes_and_no_line_goes_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &events());
    let whole = fs::read(file(dir.path())).unwrap();
    let journal = journal(dir.path());
    let stops = |bytes: &[u8], what: &str| {
        fs::write(file(dir.path()), bytes).unwrap();
        let read = journal.entries(&owner());
        assert!(matches!(read, Err(StateError::Spoiled { .. } | StateError::Newer { .. })), "{what}: {read:?}");
        // Nothing is written behind what is not understood.
        assert!(journal.append(&owner(), Event::Staged, 1).is_err(), "{what}");
        assert_eq!(fs::read(file(dir.path())).unwrap(), bytes, "{what}");
    };
    // The last line break is where a crash may have cut.
    for at in 0..whole.len() - 1 {
        for flip in [0x01, 0x10, 0x20] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            stops(&bytes, &format!("byte {at} ^ {flip:#x}"));
        }
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for missing in 0..lines.len() - 1 {
        let rest: Vec<u8> =
            lines.iter().enumerate().filter(|(n, _)| *n != missing).flat_map(|(_, line)| line.to_vec()).collect();
        stops(&rest, &format!("line {missing} is missing"));
    }
    stops(&[lines[1], lines[0]].concat(), "lines in another order");
}

#[test]
fn the_journal_of_another_hotkey_is_not_taken_for_this_one() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &events()[..3]);
    let other = Owner { hotkey: crate::tui_fixtures::hotkey(7), ..owner() };
    let name = format!("{}-{}-{}.jsonl", other.genesis.short(), other.netuid, other.hotkey);
    fs::copy(file(dir.path()), file(dir.path()).with_file_name(name)).unwrap();
    assert!(matches!(journal(dir.path()).entries(&other), Err(StateError::Spoiled { .. })));
}

#[test]
fn a_line_of_a_newer_console_stops_this_one() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &events()[..2]);
    let mut text = fs::read_to_string(file(dir.path())).unwrap();
    text += "{\"v\":2,\"at_ms\":1,\"event\":\"transcended\"}\n";
    fs::write(file(dir.path()), &text).unwrap();
    assert!(matches!(journal(dir.path()).history(&owner()), Err(StateError::Newer { version: 2, .. })));
    assert!(matches!(journal(dir.path()).append(&owner(), Event::Staged, 1), Err(StateError::Newer { .. })));
    assert_eq!(fs::read_to_string(file(dir.path())).unwrap(), text);
}

#[test]
fn one_process_has_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| journal(dir.path()));
    let lock = first.lock(&owner()).unwrap().unwrap();
    assert!(second.lock(&owner()).unwrap().is_none());
    let other = Owner { netuid: 82, ..owner() };
    assert!(second.lock(&other).unwrap().is_some(), "another subnet has its own");
    drop(lock);
    assert!(second.lock(&owner()).unwrap().is_some());
}

#[test]
fn a_full_disk_takes_nothing_and_keeps_what_there_was() {
    const TEST: &str = "state_rotations::a_full_disk_takes_nothing_and_keeps_what_there_was";
    let Some(root) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let events = events();
        written(dir.path(), &events[..5]);
        let bytes = fs::metadata(file(dir.path())).unwrap().len();
        for room in [0, 1, 40] {
            let limit = bytes + room;
            again_under(TEST, &format!("trap '' XFSZ; exec prlimit --fsize={limit}:{limit} {{}}"), dir.path());
        }
        assert_eq!(fs::metadata(file(dir.path())).unwrap().len(), bytes);
        journal(dir.path()).append(&owner(), events[5].clone(), 1).unwrap();
        return;
    };
    let before = fs::read(file(&root)).unwrap();
    let failed = journal(&root).append(&owner(), events()[5].clone(), 1).unwrap_err();
    assert!(failed.to_string().contains("write"), "{failed}");
    assert_eq!(fs::read(file(&root)).unwrap(), before, "nothing half-written stays");
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let target = dir.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, file(dir.path())).unwrap();
    assert!(journal.append(&owner(), events()[0].clone(), 1).is_err());
    assert!(journal.entries(&owner()).is_err());
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn it_is_private_whatever_the_umask() {
    const TEST: &str = "state_rotations::it_is_private_whatever_the_umask";
    let Some(root) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        return again_under(TEST, "umask 000; exec {}", dir.path());
    };
    written(&root, &events()[..1]);
    for (path, mode) in [(file(&root), 0o600), (file(&root).parent().unwrap().to_owned(), 0o700)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{path:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn whatever_bytes_stand_there_it_is_an_error_or_a_history_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path());
        fs::write(file(dir.path()), &bytes).unwrap();
        if let Ok((_, entries)) = journal.history(&owner()) {
            prop_assert!(entries.is_empty(), "no line of these can be ours");
        }
    }
}

#[test]
fn a_rotation_to_a_number_that_no_vault_ever_gave_out_cannot_have_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut event = began(read_change(), None);
    for (number, is_read) in [(MOST_GENERATIONS, true), (MOST_GENERATIONS + 1, false), (u64::MAX, false)] {
        if let Event::Began { to, .. } = &mut event {
            *to = number;
        }
        let root = dir.path().join(number.to_string());
        written(&root, std::slice::from_ref(&event));
        let history = journal(&root).history(&owner());
        assert_eq!(history.is_ok(), is_read, "{number}: {history:?}");
    }
}

/// Above such a number there is none for the next generation, and looking for keys up to it would never end.
#[test]
fn an_index_of_numbers_that_no_vault_ever_gave_out_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let indexes = StateDir::open(&dir.path().join("state")).unwrap().vault().unwrap();
    let of = |highest| Index { highest, ..Index::default() };
    indexes.write(&owner(), &of(MOST_GENERATIONS)).unwrap();
    assert_eq!(indexes.read(&owner()).unwrap(), of(MOST_GENERATIONS));
    for highest in [MOST_GENERATIONS + 1, u64::MAX] {
        indexes.write(&owner(), &of(highest)).unwrap();
        let read = indexes.read(&owner());
        assert!(matches!(read, Err(StateError::Lost { why: "is damaged", .. })), "{read:?}");
        assert_eq!(indexes.read_all(), (Vec::new(), 1));
    }
}
