//! Which key file it is, by its content: what is remembered of an encrypted one holds for these very bytes.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a key file as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHash(String);

impl FileHash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
