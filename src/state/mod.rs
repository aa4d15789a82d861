//! What the console keeps on disk, and how: see [`atomic`] for the rules that every file follows.
//!
//! Nothing here is needed to run. Every operation returns a [`StateError`] that says what is wrong and what to do, and
//! the caller goes on without.

mod addresses;
pub mod atomic;
mod error;
pub mod journal;
pub mod metadata_cache;
pub mod paths;
pub mod rotations;
pub mod snapshots;
pub mod vault_index;

use std::path::Path;

pub use crate::domain::owner::Owner;
pub use addresses::Addresses;
pub use error::StateError;
pub use journal::{Journal, Turn};
pub use metadata_cache::MetadataCache;
pub use paths::Paths;
pub use rotations::{ExecutorLock, Rotations};
pub use snapshots::{Kept, Snapshots};
pub use vault_index::{IndexTurn, VaultIndexes};

use atomic::PrivateDir;

/// The state directory, checked and held open.
#[derive(Debug)]
pub struct StateDir {
    dir: PrivateDir,
}

impl StateDir {
    /// Opens or creates it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        PrivateDir::open(path).map(|dir| Self { dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The snapshots in it.
    pub fn snapshots(&self) -> Result<Snapshots, StateError> {
        self.dir.sub("snapshots").map(Snapshots::new)
    }

    /// The journals of commits in it.
    pub fn journal(&self) -> Result<Journal, StateError> {
        self.dir.sub("journal").map(Journal::new)
    }

    /// The journals of rotations in it.
    pub fn rotations(&self) -> Result<Rotations, StateError> {
        self.dir.sub("rotations").map(Rotations::new)
    }

    /// The indexes of the vault.
    pub fn vault(&self) -> Result<VaultIndexes, StateError> {
        self.dir.sub("vault").map(VaultIndexes::new)
    }

    /// The addresses of encrypted hotkeys.
    pub fn addresses(&self) -> Result<Addresses, StateError> {
        self.dir.sub("hotkeys").map(Addresses::new)
    }

    /// The folder of the log files.
    pub fn logs(&self) -> Result<PrivateDir, StateError> {
        self.dir.sub("logs")
    }
}

/// The cache directory, checked and held open. Losing it costs a download.
#[derive(Debug)]
pub struct CacheDir {
    dir: PrivateDir,
}

impl CacheDir {
    /// Opens or creates it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        PrivateDir::open(path).map(|dir| Self { dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The metadata in it.
    pub fn metadata(&self) -> Result<MetadataCache, StateError> {
        self.dir.sub("metadata").map(MetadataCache::new)
    }
}
