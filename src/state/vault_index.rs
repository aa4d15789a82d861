//! The index beside the vault: which generations it holds and which one is in use, without secrets.
//!
//! One file for each owner: `{genesis8}-{netuid}-{hotkey}.json` in the folder `vault`. Losing it loses no key: names in the
//! vault are made of chain, subnet, hotkey and number alone.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

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

    /// The index of an owner; an empty one where nothing was ever kept. One that makes no sense is an error, never empty:
    /// numbers must not be given out twice.
    pub fn read(&self, owner: &Owner) -> Result<Index, StateError> {
        let name = file_name(owner);
        let Some(bytes) = self.dir.read(&name, MAX_BYTES)? else { return Ok(Index::default()) };
        let spoiled = |why| StateError::Spoiled { path: self.dir.path().join(&name), why };
        let version: Versioned = serde_json::from_slice(&bytes).map_err(|_| spoiled("not an index of a vault"))?;
        if version.v > VERSION {
            return Err(StateError::Newer { path: self.dir.path().join(&name), version: version.v });
        }
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| spoiled("not an index of a vault"))?;
        if kept.owner == owner.to_string() { Ok(kept.index) } else { Err(spoiled("it is of another hotkey")) }
    }

    /// Replaces the index of an owner, whole or not at all.
    pub fn write(&self, owner: &Owner, index: &Index) -> Result<(), StateError> {
        let kept = Kept { v: VERSION, owner: owner.to_string(), index: index.clone() };
        self.dir.replace(&file_name(owner), |out| serde_json::to_writer(out, &kept).map_err(Into::into))
    }

    /// The turn to change an owner's index; `None` while somebody else has it.
    pub fn turn(&self, owner: &Owner) -> Result<Option<IndexTurn>, StateError> {
        Ok(self.dir.lock(&format!("{}.lock", stem(owner)))?.map(|lock| IndexTurn { _lock: lock }))
    }

    /// Whether there is an index of anybody: without one no vault was ever in use here.
    pub fn any(&self) -> bool {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        files.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|ending| ending == "json"))
    }

    /// Where the index of an owner is, or would be.
    pub fn file(&self, owner: &Owner) -> PathBuf {
        self.dir.path().join(file_name(owner))
    }
}

fn file_name(owner: &Owner) -> String {
    format!("{}.json", stem(owner))
}

fn stem(owner: &Owner) -> String {
    format!("{}-{}-{}", owner.genesis.short(), owner.netuid, owner.hotkey)
}
