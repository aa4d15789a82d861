//! The journal of commits: what was intended, and what became of it, one line each, written and synced before the act.
//!
//! One file for each chain, subnet and hotkey: `{genesis8}-{netuid}-{hotkey}.jsonl`. Lines are only ever appended. A line
//! that a crash tore is passed over, since the line before it is whole.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::commit::{Entry, Record};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::owner::Owner;

/// Version of a line.
pub const VERSION: u32 = 1;
/// Largest journal that is read, in bytes: some ten thousand commits.
pub const MAX_BYTES: u64 = 16 << 20;

fn lines(owner: &Owner) -> String {
    format!("{}-{}-{}.jsonl", owner.genesis.short(), owner.netuid, owner.hotkey)
}

/// One for all subnets: the nonce is the account's.
fn lock_of(owner: &Owner) -> String {
    format!("{}-{}.lock", owner.genesis.short(), owner.hotkey)
}

/// The journals on disk.
#[derive(Debug)]
pub struct Journal {
    dir: PrivateDir,
}

/// The right to commit for a hotkey, held by one process at a time; given back when dropped, or when the process dies.
#[derive(Debug)]
pub struct Turn {
    _lock: OwnedFd,
}

#[derive(Serialize, Deserialize)]
struct Line<E> {
    v: u32,
    #[serde(flatten)]
    entry: E,
}

impl Journal {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// Appends a record and syncs it. `now_ms` is the time since 1970.
    pub fn append(&self, owner: &Owner, record: Record, now_ms: u64) -> Result<(), StateError> {
        let name = lines(owner);
        let line = Line { v: VERSION, entry: Entry { at_ms: now_ms, record } };
        let corrupt = |_| StateError::Corrupt { path: self.dir.path().join(&name), why: "a record cannot be written" };
        let mut bytes = serde_json::to_vec(&line).map_err(corrupt)?;
        bytes.push(b'\n');
        self.dir.append(&name, &bytes)
    }

    /// Everything that was written, oldest first. Lines of a newer version, and torn ones, are passed over.
    pub fn entries(&self, owner: &Owner) -> Result<Vec<Entry>, StateError> {
        self.entries_in(&lines(owner))
    }

    /// The chains on which something was intended for a hotkey on a subnet.
    pub fn chains(&self, netuid: u16, hotkey: &Hotkey) -> Result<Vec<BlockHash>, StateError> {
        let ending = format!("-{netuid}-{hotkey}.jsonl");
        let mut chains = Vec::new();
        for file in self.dir.entries(|name| name.ends_with(&ending))? {
            chains.extend(self.entries_in(&file.name)?.into_iter().filter_map(|entry| match entry.record {
                Record::Intended(intent) => Some(intent.genesis),
                _ => None,
            }));
        }
        chains.sort_unstable();
        chains.dedup();
        Ok(chains)
    }

    fn entries_in(&self, file: &str) -> Result<Vec<Entry>, StateError> {
        let bytes = self.dir.read(file, MAX_BYTES)?.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = |line: &[u8]| {
            let line = serde_json::from_slice::<Line<Entry>>(line).ok()?;
            (line.v <= VERSION).then_some(line.entry)
        };
        let (mut entries, mut passed_over) = (Vec::new(), 0);
        for line in lines {
            match read(line) {
                Some(entry) => entries.push(entry),
                None => passed_over += 1,
            }
        }
        if passed_over > 0 {
            tracing::warn!("{passed_over} lines of the journal of commits are torn or of a newer version");
        }
        Ok(entries)
    }

    /// The turn to commit for a hotkey; `None` while another process has it.
    pub fn turn(&self, owner: &Owner) -> Result<Option<Turn>, StateError> {
        Ok(self.dir.lock(&lock_of(owner))?.map(|lock| Turn { _lock: lock }))
    }
}
