//! A hotkey: the 32-byte public key under which a miner or validator is known, written as SS58 with prefix 42.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use subxt_utils_accountid32::AccountId32;
use thiserror::Error;

/// The public key of a hotkey.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hotkey([u8; 32]);

/// Characters of the longest address of any network. The library's decoder breaks off at a text of 133 ones or more.
const LONGEST: usize = 50;

/// Why a text is no address of this chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HotkeyError {
    /// Base58, length or checksum is wrong; most often a character was lost in copying.
    #[error("not an SS58 address ({0}): copy the whole address again")]
    Malformed(String),
    /// A valid address with another network's prefix.
    #[error("an SS58 address of another network (this chain's prefix is 42; the same key is {0} here)")]
    OtherPrefix(String),
}

impl Hotkey {
    /// From the 32 bytes found in a storage key or value.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// First six and last four characters of the address, as the table shows it.
    pub fn short(&self) -> String {
        let address = self.to_string();
        format!("{}…{}", &address[..6], &address[address.len() - 4..])
    }
}

impl fmt::Display for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AccountId32(self.0).fmt(f)
    }
}

impl fmt::Debug for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hotkey {
    type Err = HotkeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST {
            return Err(HotkeyError::Malformed("it is too long".to_owned()));
        }
        let account = AccountId32::from_str(text).map_err(|e| HotkeyError::Malformed(e.to_string()))?;
        let hotkey = Self(account.0);
        let canonical = hotkey.to_string();
        if canonical == text { Ok(hotkey) } else { Err(HotkeyError::OtherPrefix(canonical)) }
    }
}

impl From<Hotkey> for String {
    fn from(hotkey: Hotkey) -> Self {
        hotkey.to_string()
    }
}

impl TryFrom<String> for Hotkey {
    type Error = HotkeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
