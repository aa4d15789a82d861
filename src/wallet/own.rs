//! The operator's own hotkey, as far as it is public.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use super::modes::too_open;
use super::{FileHash, Lock, Name, WalletError, hotkey_file};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;

/// The operator's hotkey as far as it is public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnHotkey {
    /// Its address.
    pub hotkey: Hotkey,
    /// Name of the wallet and of the hotkey, when it was found by name.
    pub name: Option<(Name, Name)>,
    /// The key file, when there is one; without it the hotkey is only watched.
    pub key_file: Option<PathBuf>,
    /// How the key file is protected, when there is one.
    pub lock: Option<Lock>,
    /// What is odd about its files.
    pub findings: Vec<Diagnostic>,
}

impl OwnHotkey {
    /// Whether the console can only look, never sign.
    pub const fn is_watch_only(&self) -> bool {
        self.key_file.is_none()
    }

    /// From what `--hotkey` says when that is an address; `None` when it is none, and so a name.
    pub fn watched(text: &str) -> Option<Self> {
        let hotkey = text.trim().parse().ok()?;
        Some(Self { hotkey, name: None, key_file: None, lock: None, findings: Vec::new() })
    }

    /// From the wallet's files: the public companion `<hotkey>pub.txt`, the address in the key file, or both, which then
    /// must agree.
    pub fn find(wallets: &Path, wallet: &str, hotkey: &str) -> Result<Self, WalletError> {
        Found::of(wallets, wallet, hotkey)?.known()
    }
}

/// A key file that is encrypted and beside which nothing tells its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedHotkey {
    /// Name of the wallet and of the hotkey.
    pub name: (Name, Name),
    /// The key file.
    pub key_file: PathBuf,
    /// How it is protected.
    pub lock: Lock,
    /// Which file it is, by its content.
    pub hash: FileHash,
    /// What is odd about its files.
    pub findings: Vec<Diagnostic>,
}

impl LockedHotkey {
    /// With its address, which was learnt before or is given. The key is compared with it before it signs.
    pub fn with_address(self, hotkey: Hotkey) -> OwnHotkey {
        let Self { name, key_file, lock, findings, .. } = self;
        OwnHotkey { hotkey, name: Some(name), key_file: Some(key_file), lock: Some(lock), findings }
    }

    /// Why it is not known.
    pub fn error(&self) -> WalletError {
        let todo = match self.lock {
            Lock::Nacl => "Give the password once (commit and the console ask, --password-file with doctor or status)",
            _ => "Make it anew from its phrase with `btcli wallet regen-hotkey` (a new hotkey would have no uid)",
        };
        let public = hotkey_file::companion(&self.key_file);
        WalletError::Encrypted {
            path: self.key_file.clone(),
            kind: self.lock.word(),
            public: public.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            name: self.name.1.as_str().into(),
            todo,
        }
    }
}

/// What the wallet's files tell of a hotkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its address.
    Known(OwnHotkey),
    /// That only its password tells it.
    Locked(LockedHotkey),
}

impl Found {
    /// Looks for a hotkey by its name.
    pub fn of(wallets: &Path, wallet: &str, hotkey: &str) -> Result<Self, WalletError> {
        let (wallet, name) = (Name::parse(wallet)?, Name::parse(hotkey)?);
        let folder = wallet.hotkeys_in(wallets);
        is_there(wallets, &wallet)?;
        let key = folder.join(name.as_str());
        let public = hotkey_file::companion(&key);
        let of_public = hotkey_file::read_public(&public)?;
        let of_key = hotkey_file::read(&key)?;
        let address = of_key.as_ref().and_then(|told| told.address);
        let findings = of_key.iter().flat_map(|told| too_open(&folder, &key, told.mode)).collect();
        let hotkey = match (of_public, address, &of_key) {
            (Some(one), Some(other), _) if one != other => {
                return Err(WalletError::Mismatch { first: public, one, second: key, other });
            }
            (Some(hotkey), ..) | (None, Some(hotkey), _) => hotkey,
            (None, None, Some(told)) => {
                let (lock, hash) = (told.lock, told.hash.clone());
                return Ok(Self::Locked(LockedHotkey { name: (wallet, name), key_file: key, lock, hash, findings }));
            }
            (None, None, None) => return Err(WalletError::NoHotkey { name: name.as_str().into(), path: folder }),
        };
        let lock = of_key.map(|told| told.lock);
        let key_file = lock.is_some().then_some(key);
        Ok(Self::Known(OwnHotkey { hotkey, name: Some((wallet, name)), key_file, lock, findings }))
    }

    /// The address, where it is known.
    pub fn known(self) -> Result<OwnHotkey, WalletError> {
        match self {
            Self::Known(own) => Ok(own),
            Self::Locked(locked) => Err(locked.error()),
        }
    }

    /// With the address that is given beside the name: it must be the one that the files tell.
    fn with_given(self, address: Hotkey) -> Result<Self, WalletError> {
        match self {
            Self::Locked(locked) => Ok(Self::Known(locked.with_address(address))),
            Self::Known(own) if own.hotkey == address => Ok(Self::Known(own)),
            Self::Known(own) => Err(WalletError::OtherAddress { given: address, told: own.hotkey }),
        }
    }
}

/// Whether there is a folder of that name. What may not be looked at is not missing.
fn is_there(wallets: &Path, wallet: &Name) -> Result<(), WalletError> {
    let folder = wallets.join(wallet.as_str());
    let missing = || WalletError::NoWallet { name: wallet.as_str().into(), path: wallets.to_owned() };
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(missing()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(hotkey_file::dangling(&folder).or_else(|| hotkey_file::dangling(wallets)).unwrap_or_else(missing))
        }
        Err(error) => Err(WalletError::Unreadable { path: folder, error }),
    }
}

/// Finds the own hotkey from the settings: an SS58 address is watched, `NAME=SS58` is a name whose address is given too, and
/// anything else is a name in the wallet.
pub fn identify(wallets: Option<&Path>, wallet: Option<&str>, hotkey: &str) -> Result<Found, WalletError> {
    if let Some(watched) = OwnHotkey::watched(hotkey) {
        return Ok(Found::Known(watched));
    }
    let (name, given) = match hotkey.split_once('=') {
        Some((name, address)) => (name, Some(address.trim().parse().map_err(WalletError::MistypedAddress)?)),
        None => (hotkey, None),
    };
    let wallet = wallet.ok_or_else(|| WalletError::WalletNotNamed(name.into()))?;
    let found = Name::parse(name).and_then(|_| Found::of(wallets.ok_or(WalletError::NoFolder)?, wallet, name));
    match (found, given) {
        (Err(WalletError::NoHotkey { .. } | WalletError::NoWallet { .. }), None) if is_like_an_address(name) => {
            Err(name.trim().parse::<Hotkey>().map_or_else(WalletError::MistypedAddress, WalletError::WatchOnly))
        }
        (found, None) => found,
        (found, Some(address)) => found?.with_given(address),
    }
}

/// As an address is written, be it a right one, one with a slip, or one of another network.
fn is_like_an_address(text: &str) -> bool {
    let base58 = |c: char| c.is_ascii_alphanumeric() && !matches!(c, '0' | 'O' | 'I' | 'l');
    (46..=50).contains(&text.trim().len()) && text.trim().chars().all(base58)
}
