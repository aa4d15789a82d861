//! Parsed identifiers of a bucket: once one of these exists, its shape is known and no later code checks it again.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// Characters of the locator and of the key id in a commitment (FACTS 2).
pub const LOCATOR_CHARS: usize = 32;
/// Characters of the read key id in a commitment.
pub const KEY_ID_CHARS: usize = 32;
/// Characters of the read secret in a commitment.
pub const SECRET_CHARS: usize = 64;

/// Why a text has not the shape its place demands. Never carries the text: it may be a secret in the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// Nothing but blanks.
    #[error("is empty")]
    Empty,
    /// What stands in GRAIL's example before anybody put a value there.
    #[error("is still the placeholder of GRAIL's .env.example")]
    Placeholder,
    /// More characters than the commitment has room for. Nothing is ever cut off.
    #[error("has {chars} characters, {max} at most")]
    TooLong {
        /// Characters found.
        chars: usize,
        /// Characters that fit.
        max: usize,
    },
    /// R2 demands an exact number of characters.
    #[error("has {chars} characters, R2's have {expected}")]
    WrongLength {
        /// Characters found.
        chars: usize,
        /// Characters R2 uses.
        expected: usize,
    },
    /// R2 demands lowercase hex.
    #[error("must be lowercase hexadecimal (0-9, a-f)")]
    NotLowerHex,
    /// A custom S3 store takes printable ASCII without blanks.
    #[error("must be printable ASCII without blanks")]
    NotPrintableAscii,
    /// Not a bucket name that is safe in a URL path.
    #[error("is not a bucket name of 3 to 63 lowercase letters, digits and inner hyphens")]
    NotABucketName,
}

/// A Cloudflare account id: exactly 32 lowercase hexadecimal characters. The only text that may become part of a host
/// name (THREATS T2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct AccountId(String);

impl AccountId {
    /// Parses `^[0-9a-f]{32}$`.
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        exact_hex(text, LOCATOR_CHARS).map(Self)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bucket name that is safe in a path and has no meaning beyond a name: S3's DNS rule without dots, `xn--` and the
/// suffixes that make S3 clients choose another host (THREATS T3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct BucketName(String);

impl BucketName {
    /// Parses 3 to 63 lowercase letters, digits and inner hyphens.
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        let edge = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let plain = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        let special = text.starts_with("xn--")
            || text.starts_with("sthree-")
            || ["--x-s3", "-s3alias", "--ol-s3", "--table-s3"].iter().any(|suffix| text.ends_with(suffix));
        if text.trim().is_empty() {
            Err(ShapeError::Empty)
        } else if (3..=63).contains(&bytes.len()) && plain && edge(bytes.first()) && edge(bytes.last()) && !special {
            Ok(Self(text.to_owned()))
        } else {
            Err(ShapeError::NotABucketName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an access key: public, and on chain. Which characters are allowed is the provider's decision, see
/// [`crate::domain::provider::Provider::key_id`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// R2: 32 lowercase hexadecimal characters (FACTS 2).
    pub fn parse_r2(text: &str) -> Result<Self, ShapeError> {
        exact_hex(text, KEY_ID_CHARS).map(Self)
    }

    /// Any S3 store: 1 to 32 printable ASCII characters.
    pub fn parse_custom(text: &str) -> Result<Self, ShapeError> {
        printable(text, KEY_ID_CHARS).map(Self)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// First and last four characters.
    pub fn short(&self) -> String {
        crate::domain::text::middle_cut(&self.0, 4, 4)
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Exactly `length` lowercase hexadecimal characters.
pub fn exact_hex(text: &str, length: usize) -> Result<String, ShapeError> {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        Err(ShapeError::Empty)
    } else if chars > length {
        Err(ShapeError::TooLong { chars, max: length })
    } else if chars != length {
        Err(ShapeError::WrongLength { chars, expected: length })
    } else if is_lower_hex(text) {
        Ok(text.to_owned())
    } else {
        Err(ShapeError::NotLowerHex)
    }
}

/// 1 to `max` printable ASCII characters without blanks.
pub fn printable(text: &str, max: usize) -> Result<String, ShapeError> {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        Err(ShapeError::Empty)
    } else if chars > max {
        Err(ShapeError::TooLong { chars, max })
    } else if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(ShapeError::NotPrintableAscii)
    }
}

/// Whether a text is what GRAIL's `.env.example` and its documentation write where a value belongs: `xxxxxxxx…`,
/// `AKIAXXXX…`, `your_account_id`. No R2 id or secret has an x in it, and no bucket's name an underscore.
pub fn is_placeholder(text: &str) -> bool {
    text.to_ascii_lowercase().starts_with("your_") || text.contains("xxxxxxxxxxxx") || text.contains("XXXXXXXXXXXX")
}

/// Whether every character is one of `0-9a-f`.
pub fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
