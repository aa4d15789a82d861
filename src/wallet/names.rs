//! Names of wallets and hotkeys: a part of a path each, and nothing more.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::WalletError;

/// Longest name: what a file system takes, with room for `pub.txt`.
const MAX_BYTES: usize = 200;

/// A name that means one entry of one folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name(String);

impl Name {
    /// Parses a name without separators, control characters or a leading dot.
    pub fn parse(text: &str) -> Result<Self, WalletError> {
        let plain = !text.is_empty()
            && text.len() <= MAX_BYTES
            && !text.starts_with('.')
            && !text.contains(['/', '\\'])
            && !text.chars().any(char::is_control);
        if plain { Ok(Self(text.to_owned())) } else { Err(WalletError::NotAName(text.into())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Folder of the wallet's hotkeys.
    pub(super) fn hotkeys_in(&self, wallets: &Path) -> PathBuf {
        wallets.join(&self.0).join("hotkeys")
    }
}
