//! The journal of rotations: one line an event, written and synced before the act it announces.
//!
//! One file for each owner: `{genesis8}-{netuid}-{hotkey}.jsonl` in the folder `rotations`. Unlike the journal of commits it
//! is never passed over in part: only a last line without its end, which a crash tore, does not count, and it is cut off
//! before the next one is written. Anything else that makes no sense, or that a newer console wrote, stops (THREATS T16).
//! Each line ends with a check over itself and the check of the line before it, the first one over whose journal it is: a
//! byte that changed, or a line that is missing, is noticed. It is no defence against who may write there.

use std::os::fd::OwnedFd;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
pub struct ExecutorLock {
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
        let (_, before) = self.read(owner)?;
        let line = Line { v: VERSION, entry: Entry { at_ms: now_ms, event } };
        let spoiled = |_| StateError::Spoiled { path: self.dir.path().join(&name), why: "an event cannot be written" };
        let body = serde_json::to_vec(&line).map_err(spoiled)?;
        self.dir.append_whole(&name, &sealed(&before, body))?;
        Ok(line.entry)
    }

    /// Every event, oldest first.
    pub fn entries(&self, owner: &Owner) -> Result<Vec<Entry>, StateError> {
        Ok(self.read(owner)?.0)
    }

    /// Every event, and the check that the next line goes on from.
    fn read(&self, owner: &Owner) -> Result<(Vec<Entry>, String), StateError> {
        let name = lines(owner);
        let bytes = self.dir.read(&name, MAX_BYTES)?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut check = owner.to_string();
        let mut entries = Vec::new();
        for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
            let (entry, next) = self.line(&name, &check, &line[..line.len() - 1])?;
            entries.push(entry);
            check = next;
        }
        Ok((entries, check))
    }

    fn line(&self, name: &str, before: &str, line: &[u8]) -> Result<(Entry, String), StateError> {
        let path = || self.dir.path().join(name);
        let spoiled = |why| StateError::Spoiled { path: path(), why };
        let version: Versioned = serde_json::from_slice(line).map_err(|_| spoiled("a line is no event"))?;
        if version.v > VERSION {
            return Err(StateError::Newer { path: path(), version: version.v });
        }
        let (body, check) = unsealed(before, line).ok_or_else(|| spoiled("a line is not as it was written"))?;
        let line: Line = serde_json::from_slice(&body).map_err(|_| spoiled("a line is no event"))?;
        Ok((line.entry, check))
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

    /// Whether anybody ever rotated here.
    pub fn any(&self) -> bool {
        let is_journal = |name: &str| std::path::Path::new(name).extension().is_some_and(|ending| ending == "jsonl");
        self.dir.entries(is_journal).is_ok_and(|found| !found.is_empty())
    }

    /// The right to drive; `None` while another process has it.
    pub fn lock(&self, owner: &Owner) -> Result<Option<ExecutorLock>, StateError> {
        let name = format!("{}-{}-{}.lock", owner.genesis.short(), owner.netuid, owner.hotkey);
        let lock = self.dir.open_for_appending(&name)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(ExecutorLock { _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(StateError::io("lock", &self.dir.path().join(name), errno)),
        }
    }
}

/// How a line ends: `,"check":"0123456789abcdef"}`.
const SEAL: (&str, usize, &str) = (",\"check\":\"", 16, "\"}");

fn check_of(before: &str, body: &[u8]) -> String {
    let hash = Sha256::new().chain_update(before).chain_update(b"\n").chain_update(body).finalize();
    hex::encode(&hash[..SEAL.1 / 2])
}

/// A line of its JSON, with the check and the line break.
fn sealed(before: &str, mut body: Vec<u8>) -> Vec<u8> {
    let check = check_of(before, &body);
    body.pop();
    for part in [SEAL.0, &check, SEAL.2, "\n"] {
        body.extend_from_slice(part.as_bytes());
    }
    body
}

/// The JSON of a line and its check, where that is right.
fn unsealed(before: &str, line: &[u8]) -> Option<(Vec<u8>, String)> {
    let rest = line.strip_suffix(SEAL.2.as_bytes())?;
    let (rest, check) = rest.split_at(rest.len().checked_sub(SEAL.1)?);
    let body = [rest.strip_suffix(SEAL.0.as_bytes())?, b"}"].concat();
    let found = check_of(before, &body);
    (found.as_bytes() == check).then_some((body, found))
}

fn lines(owner: &Owner) -> String {
    format!("{}-{}-{}.jsonl", owner.genesis.short(), owner.netuid, owner.hotkey)
}
