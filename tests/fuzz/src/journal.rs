//! The journals of commits and of rotations, and the index beside the vault.

use std::fs;
use std::path::PathBuf;

use grail_console::domain::commit::{Entry, record};
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::owner::Owner;
use grail_console::domain::rotation::Event;
use grail_console::domain::vault_index::Index;
use grail_console::state::{StateDir, StateError};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::files;

const OWNER: Owner = Owner { genesis: BlockHash([0x2f; 32]), netuid: 81, hotkey: Hotkey::from_bytes([7; 32]) };

/// The first byte says which file the others are: commits, rotations, rotations whose lines are still to get their checks, or the
/// vault's index.
pub fn run(data: &[u8]) -> &'static str {
    let Some((what, bytes)) = data.split_first() else { return "nothing" };
    let place = Place { root: files::folder() };
    match what % 4 {
        0 => commits(&place, bytes),
        1 => rotations(&place, bytes),
        2 => rotations(&place, &sealed(bytes)),
        _ => index(&place, bytes),
    }
}

struct Place {
    root: TempDir,
}

impl Place {
    fn state(&self) -> StateDir {
        StateDir::open(&self.root.path().join("state")).unwrap()
    }

    fn file(&self, folder: &str, ending: &str) -> PathBuf {
        let Owner { genesis, netuid, hotkey } = OWNER;
        self.root.path().join("state").join(folder).join(format!("{}-{netuid}-{hotkey}.{ending}", genesis.short()))
    }
}

/// What was written and read is written again as it was, and a journal that was cut off tells what stood before the cut.
fn commits(place: &Place, bytes: &[u8]) -> &'static str {
    let journal = place.state().journal().unwrap();
    let file = place.file("journal", "jsonl");
    let read = |bytes: &[u8]| {
        files::write(&file, bytes);
        journal.entries(&OWNER).unwrap()
    };
    // What is kept is text that may be shown: kept once more it is the same. A locator longer than any is cut twice, as a text
    // and as what was made of it.
    let lines = written(&read(&written(&read(bytes))));
    let entries = read(&lines);
    assert_eq!(written(&entries), lines);
    for cut in [lines.len() / 2, lines.len().saturating_sub(1), bytes.len() % (lines.len() + 1)] {
        let cut_off = read(&lines[..cut]);
        assert!(entries.starts_with(&cut_off));
        let whole = lines[..cut].split(|byte| *byte == b'\n').count() - 1;
        assert!((whole..=whole + 1).contains(&cut_off.len()));
    }
    let open = record::open(&entries);
    assert!(open.len() <= entries.len());
    journal.chains(OWNER.netuid, &OWNER.hotkey).unwrap();
    if entries.is_empty() { "no_commits" } else { "commits" }
}

/// Entries as the journal has them.
fn written(entries: &[Entry]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in entries {
        let mut line = serde_json::to_value(entry).unwrap();
        line.as_object_mut().unwrap().insert("v".to_owned(), 1.into());
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// The same lines with the checks that they should have.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut before = OWNER.to_string();
    let mut out = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b"}")) {
        let hash = Sha256::new().chain_update(&before).chain_update(b"\n").chain_update(line).finalize();
        before = hex::encode(&hash[..8]);
        out.extend_from_slice(&line[..line.len() - 1]);
        out.extend_from_slice(format!(",\"check\":\"{before}\"}}\n").as_bytes());
    }
    out
}

/// A journal is read whole or not at all, goes on where it is, and no byte of it changes unnoticed.
fn rotations(place: &Place, bytes: &[u8]) -> &'static str {
    let journal = place.state().rotations().unwrap();
    let file = place.file("rotations", "jsonl");
    files::write(&file, bytes);
    let entries = match journal.entries(&OWNER) {
        Ok(entries) => entries,
        Err(error) => {
            assert!(matches!(error, StateError::Spoiled { .. } | StateError::Newer { .. }), "{error:?}");
            assert!(
                journal.append(&OWNER, Event::Staged, 1).is_err(),
                "nothing is written behind what is not understood"
            );
            assert_eq!(fs::read(&file).unwrap(), bytes);
            return "spoiled";
        }
    };
    let told = journal.history(&OWNER);
    if let Ok((history, read)) = &told {
        assert_eq!(*read, entries);
        // An index that is lost is derived from it, and has a number for the next generation.
        let derived = history.derived(&Index::default(), Vec::new(), 0);
        assert!(derived.is_possible() && history.closed.iter().all(|rotation| rotation.to < derived.next()));
        assert!(history.unknown_to(&derived).len() <= 3 && history.rotated_without_it(&derived).is_none());
    }
    for entry in &entries {
        let line = serde_json::to_string(entry).unwrap();
        assert_eq!(serde_json::from_str::<grail_console::domain::rotation::Entry>(&line).unwrap(), *entry);
        assert!(!entry.event.words().is_empty());
    }
    let added = journal.append(&OWNER, Event::Staged, 1).unwrap();
    let mut longer = entries.clone();
    longer.push(added);
    assert_eq!(journal.entries(&OWNER).unwrap(), longer);
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    let at =
        bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % whole.len();
    changed[at] ^= 1 << (at % 8);
    files::write(&file, &changed);
    // Without its end the last line counts as torn.
    match journal.entries(&OWNER) {
        Ok(read) => assert!(at + 1 == whole.len() && read == entries, "byte {at} changed unnoticed"),
        Err(error) => assert!(matches!(error, StateError::Spoiled { .. } | StateError::Newer { .. }), "{error:?}"),
    }
    match (entries.len(), told.is_ok()) {
        (0, _) => "no_rotations",
        (_, true) => "rotations",
        (_, false) => "contradiction",
    }
}

/// What was read is written and read again as the same.
fn index(place: &Place, bytes: &[u8]) -> &'static str {
    let indexes = place.state().vault().unwrap();
    files::write(&place.file("vault", "json"), bytes);
    let index = match indexes.read(&OWNER) {
        Ok(index) => index,
        Err(error) => {
            assert!(matches!(error, StateError::Lost { .. } | StateError::Newer { .. }), "{error:?}");
            return "lost";
        }
    };
    indexes.write(&OWNER, &index).unwrap();
    assert_eq!(indexes.read(&OWNER).unwrap(), index);
    assert_eq!(indexes.read_all(), (vec![(OWNER.to_string(), index.clone())], 0));
    assert!(index.next() > index.highest);
    "index"
}
