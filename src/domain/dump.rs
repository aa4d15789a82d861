//! The hex dump of a commitment: what spoils it stays visible, what could be a key does not.

use serde::{Deserialize, Serialize};

use crate::domain::account::{KEY_ID_CHARS, LOCATOR_CHARS};

/// Bytes for the hex dump. Past byte 64, where the secret of a commitment stands, every byte that could belong to a key
/// (printable ASCII) is masked; bytes that cannot, which are the ones to look for, stay visible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedBytes(Vec<Option<u8>>);

impl MaskedBytes {
    /// Masks a field's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let secret_from = LOCATOR_CHARS + KEY_ID_CHARS;
        let mask = |(i, b): (usize, &u8)| (i < secret_from || !b.is_ascii_graphic()).then_some(*b);
        Self(bytes.iter().enumerate().map(mask).collect())
    }

    /// The bytes in order, `None` where one is masked.
    pub fn iter(&self) -> impl Iterator<Item = Option<u8>> + '_ {
        self.0.iter().copied()
    }

    /// How many bytes there are, masked ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the field carries none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
