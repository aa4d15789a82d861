//! The index beside the vault: which generations it holds and which one is in use, without secrets.
//!
//! One file for each owner: `{genesis8}-{netuid}-{hotkey}.json` in the folder `vault`. Losing it loses no key: names in the
//! vault are made of chain, subnet, hotkey and number alone, so that it is derived again from what the store holds and the
//! journal of rotations tells.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::owner::Owner;
use crate::domain::vault_index::Index;

/// Version of the file. A higher one is refused: a newer console wrote it (THREATS T16).
pub const VERSION: u32 = 1;
/// Largest index that is read, in bytes: a thousand generations.
pub const MAX_BYTES: u64 = 1 << 20;

/// The indexes on disk.
#[derive(Debug)]
pub struct VaultIndexes {
    dir: PrivateDir,
}

/// The right to change an index, held by one process at a time; given back when dropped, or when the process dies.
#[derive(Debug)]
pub struct IndexTurn {
    _lock: OwnedFd,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    owner: String,
    #[serde(flatten)]
    index: Index,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl VaultIndexes {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// The folder, where an encrypted file has its place too.
    pub const fn dir(&self) -> &PrivateDir {
        &self.dir
    }

    /// The index of an owner; an empty one where nothing was ever kept. One that is gone or makes no sense is an error, never
    /// empty: numbers must not be given out twice.
    pub fn read(&self, owner: &Owner) -> Result<Index, StateError> {
        let name = file_name(owner);
        let lost = |why| StateError::Lost { path: self.dir.path().join(&name), why };
        let kept = match self.read_file(&name) {
            Ok(Some(kept)) => kept,
            Ok(None) if self.is_used(owner) => return Err(lost("is gone")),
            Ok(None) => return Ok(Index::default()),
            Err(StateError::TooLarge { .. }) => return Err(lost("is larger than any index")),
            Err(error) => return Err(error),
        };
        if kept.owner == owner.to_string() { Ok(kept.index) } else { Err(lost("is of another hotkey")) }
    }

    /// The index of everybody who has one, with the owner's name in the vault, and how many cannot be read.
    pub fn read_all(&self) -> (Vec<(String, Index)>, usize) {
        let Ok(files) = std::fs::read_dir(self.dir.path()) else { return (Vec::new(), 1) };
        let mut names: Vec<_> = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| Path::new(name).extension().is_some_and(|ending| ending == "json"));
        names.sort();
        let (mut all, mut unreadable) = (Vec::new(), 0);
        for name in names {
            match self.read_file(&name) {
                Ok(kept) => all.extend(kept.map(|kept| (kept.owner, kept.index))),
                Err(error) => {
                    tracing::warn!("an index of the vault: {error}");
                    unreadable += 1;
                }
            }
        }
        (all, unreadable)
    }

    fn read_file(&self, name: &str) -> Result<Option<Kept>, StateError> {
        let Some(bytes) = self.dir.read(name, MAX_BYTES)? else { return Ok(None) };
        let damaged = || StateError::Lost { path: self.dir.path().join(name), why: "is damaged" };
        let version: Versioned = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if version.v > VERSION {
            return Err(StateError::Newer { path: self.dir.path().join(name), version: version.v });
        }
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if kept.index.is_possible() { Ok(Some(kept)) } else { Err(damaged()) }
    }

    /// Whether an owner's keys were ever kept here: whoever does so takes the turn first, and that leaves a file.
    pub fn is_used(&self, owner: &Owner) -> bool {
        let there = |name: String| self.dir.entries(|found| found == name).is_ok_and(|found| !found.is_empty());
        there(file_name(owner)) || there(lock_name(owner))
    }

    /// Replaces the index of an owner, whole or not at all.
    pub fn write(&self, owner: &Owner, index: &Index) -> Result<(), StateError> {
        let kept = Kept { v: VERSION, owner: owner.to_string(), index: index.clone() };
        self.dir.replace(&file_name(owner), |out| serde_json::to_writer(out, &kept).map_err(Into::into))
    }

    /// The turn to change an owner's index; `None` while somebody else has it.
    pub fn turn(&self, owner: &Owner) -> Result<Option<IndexTurn>, StateError> {
        Ok(self.dir.lock(&lock_name(owner))?.map(|lock| IndexTurn { _lock: lock }))
    }

    /// Whether there is an index of anybody, or was one: else no vault was ever in use here.
    pub fn any(&self) -> bool {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let ending = |path: &Path| path.extension().is_some_and(|ending| ending == "json" || ending == "lock");
        let is_file_lock = |path: &Path| path.file_name().is_some_and(|name| name == "keys.age.lock");
        files.map(|entry| entry.path()).any(|path| ending(&path) && !is_file_lock(&path))
    }

    /// Where the index of an owner is, or would be.
    pub fn file(&self, owner: &Owner) -> PathBuf {
        self.dir.path().join(file_name(owner))
    }
}

fn file_name(owner: &Owner) -> String {
    format!("{}.json", stem(owner))
}

fn lock_name(owner: &Owner) -> String {
    format!("{}.lock", stem(owner))
}

fn stem(owner: &Owner) -> String {
    format!("{}-{}-{}", owner.genesis.short(), owner.netuid, owner.hotkey)
}
