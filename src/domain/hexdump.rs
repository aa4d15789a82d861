//! The hex dump of a commitment: what spoils it stays visible, what could be a key does not.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::account::{KEY_ID_CHARS, LOCATOR_CHARS};

/// Where the secret of a commitment begins.
const SECRET_FROM: usize = LOCATOR_CHARS + KEY_ID_CHARS;
/// Bytes kept: a field has at most 512, and a broken node's values are not to fill the memory.
const LONGEST: usize = 640;
/// What stands in the place of a masked byte: itself a byte that is masked there, so that masking twice is masking once.
const MASK: u8 = b'*';

/// Bytes for the hex dump. Past byte 64, where the secret of a commitment stands, every byte that could belong to a key
/// (printable ASCII) is masked; bytes that cannot, which are the ones to look for, stay visible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskedBytes(Box<[u8]>);

impl MaskedBytes {
    /// Masks a field's bytes; those past the longest that the chain allows are dropped.
    pub fn of(bytes: &[u8]) -> Self {
        Self(
            bytes
                .iter()
                .take(LONGEST)
                .enumerate()
                .map(|(at, byte)| if is_masked(at, *byte) { MASK } else { *byte })
                .collect(),
        )
    }

    /// The bytes in order, `None` where one is masked.
    pub fn iter(&self) -> impl Iterator<Item = Option<u8>> + '_ {
        self.0.iter().enumerate().map(|(at, byte)| (!is_masked(at, *byte)).then_some(*byte))
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

const fn is_masked(at: usize, byte: u8) -> bool {
    at >= SECRET_FROM && byte.is_ascii_graphic()
}

/// As hexadecimal text, the masked bytes as asterisks.
impl Serialize for MaskedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

/// What is read is masked once more: a file is not believed.
impl<'de> Deserialize<'de> for MaskedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(|bytes| Self::of(&bytes)).map_err(serde::de::Error::custom)
    }
}
