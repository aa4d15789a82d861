//! A runtime's metadata as it is kept between runs, and who told it.

use std::ops::Deref;

use crate::domain::network::BlockHash;

/// Metadata of one runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeMetadata {
    /// As the node sent it.
    pub bytes: Vec<u8>,
    /// Hash of the runtime's code, where it was told.
    pub code: Option<BlockHash>,
    /// The operators that told these very bytes. What one alone told may be a lie.
    pub sources: Vec<String>,
}

impl RuntimeMetadata {
    /// Whether two operators told the same.
    pub fn is_compared(&self) -> bool {
        are_compared(&self.sources)
    }
}

/// Whether these are two operators.
pub fn are_compared(sources: &[String]) -> bool {
    sources.iter().any(|source| *source != sources[0])
}

impl Deref for RuntimeMetadata {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Vec<u8>> for RuntimeMetadata {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }
}
