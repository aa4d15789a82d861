//! The journal of rotations: one line an event, written and synced before the act it announces.
//!
//! One file for each owner: `{genesis8}-{netuid}-{hotkey}.jsonl` in the folder `rotations`. Unlike the journal of commits it
//! is never passed over in part: only a last line without its end, which a crash tore, does not count, and it is cut off
//! before the next one is written. Anything else that makes no sense, or that a newer console wrote, stops (THREATS T16).

use std::os::fd::OwnedFd;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::owner::Owner;
use crate::domain::rotation::{Entry, Event, History};

/// Version of a line.
pub const VERSION: u32 = 1;
/// Largest journal that is read, in bytes: some thousand rotations.
pub const MAX_BYTES: u64 = 16 << 20;

/// The journals on disk.
#[derive(Debug)]
pub struct Rotations {
    dir: PrivateDir,
}

/// The right to drive an owner's rotations, held by one process at a time; given back when dropped, or when the process
/// dies.
#[derive(Debug)]
pub struct Wheel {
    _lock: OwnedFd,
}

#[derive(Serialize, Deserialize)]
struct Line {
    v: u32,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Rotations {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// Appends an event and syncs it. `now_ms` is the time since 1970.
    pub fn append(&self, owner: &Owner, event: Event, now_ms: u64) -> Result<Entry, StateError> {
        let name = lines(owner);
        let line = Line { v: VERSION, entry: Entry { at_ms: now_ms, event } };
        let spoiled = |_| StateError::Spoiled { path: self.dir.path().join(&name), why: "an event cannot be written" };
        let mut bytes = serde_json::to_vec(&line).map_err(spoiled)?;
        bytes.push(b'\n');
        self.dir.append_whole(&name, &bytes)?;
        Ok(line.entry)
    }

    /// Every event, oldest first.
    pub fn entries(&self, owner: &Owner) -> Result<Vec<Entry>, StateError> {
        let name = lines(owner);
        let bytes = self.dir.read(&name, MAX_BYTES)?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let read = |line: &[u8]| {
            let spoiled = |_| StateError::Spoiled { path: self.dir.path().join(&name), why: "a line is no event" };
            let version: Versioned = serde_json::from_slice(line).map_err(spoiled)?;
            if version.v > VERSION {
                return Err(StateError::Newer { path: self.dir.path().join(&name), version: version.v });
            }
            serde_json::from_slice::<Line>(line).map(|line| line.entry).map_err(spoiled)
        };
        bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
    }

    /// What the journal tells, with its events.
    pub fn history(&self, owner: &Owner) -> Result<(History, Vec<Entry>), StateError> {
        let entries = self.entries(owner)?;
        let history = History::fold(&entries).map_err(|contradiction| {
            tracing::error!("the journal of rotations: {contradiction}");
            StateError::Spoiled { path: self.dir.path().join(lines(owner)), why: "its events contradict each other" }
        })?;
        Ok((history, entries))
    }

    /// The right to drive; `None` while another process has it.
    pub fn wheel(&self, owner: &Owner) -> Result<Option<Wheel>, StateError> {
        let name = format!("{}-{}-{}.lock", owner.genesis.short(), owner.netuid, owner.hotkey);
        let lock = self.dir.open_for_appending(&name)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Wheel { _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(StateError::io("lock", &self.dir.path().join(name), errno)),
        }
    }
}

fn lines(owner: &Owner) -> String {
    format!("{}-{}-{}.jsonl", owner.genesis.short(), owner.netuid, owner.hotkey)
}
