//! Addresses of encrypted hotkeys, learnt when they were unlocked: public data, each under the hash of the file it is of.

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::hotkey::Hotkey;

/// Largest file that is read; an address has 48 characters.
const MAX_BYTES: u64 = 128;

/// The addresses on disk, one file for each key file.
#[derive(Debug)]
pub struct Addresses {
    dir: PrivateDir,
}

impl Addresses {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// The address of the key file with this hash. A file that makes no sense counts as none, and is replaced by the next note.
    pub fn of(&self, hash: &str) -> Result<Option<Hotkey>, StateError> {
        let bytes = match self.dir.read(hash, MAX_BYTES) {
            Err(StateError::TooLarge { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok()))
    }

    /// Notes it.
    pub fn note(&self, hash: &str, hotkey: Hotkey) -> Result<(), StateError> {
        self.dir.write(hash, format!("{hotkey}\n").as_bytes())
    }
}
