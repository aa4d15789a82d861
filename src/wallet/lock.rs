//! How a key file is protected, told by its first bytes.

use std::path::Path;

use serde::{Serialize, Serializer};

use super::{WalletError, hotkey_file};

/// How a key file is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Not at all: whoever reads the file can sign.
    Open,
    /// By a password, as bittensor-wallet does since 2024: `$NACL`, then a nonce and a secret box.
    Nacl,
    /// By a password, in a way that only `btcli` still reads, to replace it.
    Legacy(Legacy),
}

/// The ways of encrypting that bittensor-wallet has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    /// `$ANSIBLE_VAULT`.
    AnsibleVault,
    /// `gAAAAA`, a Fernet token.
    Fernet,
}

/// The prefixes of FACTS 4.
const PREFIXES: [(&[u8], Lock); 3] = [
    (b"$NACL", Lock::Nacl),
    (b"$ANSIBLE_VAULT", Lock::Legacy(Legacy::AnsibleVault)),
    (b"gAAAAA", Lock::Legacy(Legacy::Fernet)),
];

impl Lock {
    /// Of a key file's bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        PREFIXES.into_iter().find(|(prefix, _)| bytes.starts_with(prefix)).map_or(Self::Open, |(_, lock)| lock)
    }

    /// What the screens and errors call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "not encrypted",
            Self::Nacl => "NaCl",
            Self::Legacy(Legacy::AnsibleVault) => "Ansible Vault, legacy",
            Self::Legacy(Legacy::Fernet) => "Fernet, legacy",
        }
    }

    /// Stable name for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Nacl => "nacl",
            Self::Legacy(Legacy::AnsibleVault) => "legacy_ansible_vault",
            Self::Legacy(Legacy::Fernet) => "legacy_fernet",
        }
    }

    /// Whether a password is needed before the key can sign.
    pub const fn is_encrypted(self) -> bool {
        !matches!(self, Self::Open)
    }
}

impl Serialize for Lock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// How the key file at `path` is protected. Nothing else of it is looked at, and what was read is wiped.
pub fn lock_of(path: &Path) -> Result<Lock, WalletError> {
    let read = hotkey_file::read_wiped(path)?;
    read.map(|(bytes, _)| Lock::of(&bytes)).ok_or_else(|| WalletError::NoKeyFile(path.to_owned()))
}
