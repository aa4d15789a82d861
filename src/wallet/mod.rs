//! Bittensor wallets, read for what is public in them: which address a hotkey name means, and what lies where.
//!
//! A coldkey is never opened. Of a hotkey's file only the address is taken; the buffer it was read into is wiped.

mod error;
mod hotkey_file;
mod names;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::WalletError;
pub use hotkey_file::MAX_BYTES;
pub use names::Name;

use crate::domain::findings::{Finding, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::untrusted::Untrusted;
use hotkey_file::Told;

/// Entries of a folder that are looked at, and hotkeys that a listing shows, at most.
pub const MAX_LISTED: usize = 1_000;

/// The operator's hotkey as far as it is public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnHotkey {
    /// Its address.
    pub hotkey: Hotkey,
    /// Name of the wallet and of the hotkey, when it was found by name.
    pub name: Option<(Name, Name)>,
    /// The key file, when there is one; without it the hotkey is only watched.
    pub key_file: Option<PathBuf>,
    /// What is odd about its files.
    pub findings: Vec<Finding>,
}

impl OwnHotkey {
    /// Whether the console can only look, never sign.
    pub const fn is_watch_only(&self) -> bool {
        self.key_file.is_none()
    }

    /// From what `--hotkey` says when that is an address; `None` when it is none, and so a name.
    pub fn watched(text: &str) -> Option<Self> {
        let hotkey = text.trim().parse().ok()?;
        Some(Self { hotkey, name: None, key_file: None, findings: Vec::new() })
    }

    /// From the wallet's files: the public companion `<hotkey>pub.txt`, the address in the key file, or both, which then
    /// must agree.
    pub fn find(wallets: &Path, wallet: &str, hotkey: &str) -> Result<Self, WalletError> {
        let (wallet, name) = (Name::parse(wallet)?, Name::parse(hotkey)?);
        let folder = wallet.hotkeys_in(wallets);
        if !wallets.join(wallet.as_str()).is_dir() {
            return Err(WalletError::NoWallet { name: wallet.as_str().into(), path: wallets.to_owned() });
        }
        let key = folder.join(name.as_str());
        let public = hotkey_file::companion(&key);
        let of_public = match hotkey_file::read(&public)? {
            Some(Told::Address(hotkey, _)) => Some(hotkey),
            Some(Told::Encrypted(..)) => return Err(WalletError::NoAddress(public)),
            None => None,
        };
        let of_key = hotkey_file::read(&key)?;
        let findings = of_key.iter().filter_map(|told| too_open(&key, told)).collect();
        let key_file = of_key.is_some().then(|| key.clone());
        let hotkey = match (of_public, of_key) {
            (Some(one), Some(Told::Address(other, _))) if one != other => {
                return Err(WalletError::Mismatch { first: public, one, second: key, other });
            }
            (Some(hotkey), _) | (None, Some(Told::Address(hotkey, _))) => hotkey,
            (None, Some(Told::Encrypted(kind, _))) => return Err(encrypted(key, &public, kind)),
            (None, None) => return Err(WalletError::NoHotkey { name: name.as_str().into(), path: folder }),
        };
        Ok(Self { hotkey, name: Some((wallet, name)), key_file, findings })
    }
}

fn encrypted(path: PathBuf, public: &Path, kind: &'static str) -> WalletError {
    let command = if kind == "NaCl" { "btcli wallet regen-hotkeypub" } else { "btcli wallet update" };
    let public = public.file_name().unwrap_or_default().to_string_lossy().into_owned();
    WalletError::Encrypted { path, kind, public, command }
}

fn too_open(path: &Path, told: &Told) -> Option<Finding> {
    let (Told::Address(_, mode) | Told::Encrypted(_, mode)) = told;
    (mode & 0o177 != 0).then(|| {
        Finding::new(
            "hotkey_file_mode",
            Severity::Warning,
            format!("The hotkey file has mode {mode:04o}, more than 0600"),
            "Other users of this machine may read or replace the key that signs for you.",
            format!("Run chmod 600 on {}.", Untrusted::from_text(path.to_string_lossy()).shown()),
        )
    })
}

/// Finds the own hotkey from the settings: an SS58 address is watched, anything else is a name in the wallet.
pub fn identify(wallets: Option<&Path>, wallet: Option<&str>, hotkey: &str) -> Result<OwnHotkey, WalletError> {
    if let Some(watched) = OwnHotkey::watched(hotkey) {
        return Ok(watched);
    }
    let name = Name::parse(hotkey)?;
    let wallet = wallet.ok_or_else(|| WalletError::WalletNotNamed(name.as_str().into()))?;
    OwnHotkey::find(wallets.ok_or(WalletError::NoFolder)?, wallet, hotkey)
}

/// A hotkey in the folder of wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Name of its wallet.
    pub wallet: Name,
    /// Its name.
    pub hotkey: Name,
    /// Its address, when its files tell it.
    pub address: Option<Hotkey>,
    /// Why they do not.
    pub problem: Option<String>,
}

/// Every hotkey in a folder of wallets, by wallet and name. A folder that does not exist has none.
pub fn list(wallets: &Path) -> Result<Vec<Listed>, WalletError> {
    let mut listed = Vec::new();
    for wallet in entries(wallets)? {
        // A wallet that cannot be entered is no reason to hide the others.
        let hotkeys = entries(&wallet.hotkeys_in(wallets)).unwrap_or_default();
        listed.extend(without_companions(hotkeys).into_iter().map(|hotkey| examine(wallets, &wallet, hotkey)));
    }
    listed.truncate(MAX_LISTED);
    Ok(listed)
}

fn examine(wallets: &Path, wallet: &Name, hotkey: Name) -> Listed {
    let found = OwnHotkey::find(wallets, wallet.as_str(), hotkey.as_str());
    let (address, problem) = match found {
        Ok(own) => (Some(own.hotkey), None),
        Err(error) => (None, Some(crate::domain::untrusted::sanitize(&error.to_string(), 600))),
    };
    Listed { wallet: wallet.clone(), hotkey, address, problem }
}

/// A public companion is not a hotkey of its own, unless it stands alone.
fn without_companions(files: Vec<Name>) -> Vec<Name> {
    let stem = |file: &Name| file.as_str().strip_suffix("pub.txt").and_then(|stem| Name::parse(stem).ok());
    let mut names: Vec<Name> = files.into_iter().map(|file| stem(&file).unwrap_or(file)).collect();
    names.sort();
    names.dedup();
    names
}

/// The plain names in a folder, sorted. What is no folder has none.
fn entries(folder: &Path) -> Result<Vec<Name>, WalletError> {
    let unreadable = |error| WalletError::Unreadable { path: folder.to_owned(), error };
    let read = match std::fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in read.take(MAX_LISTED) {
        let name = entry.map_err(unreadable)?.file_name();
        names.extend(name.to_str().and_then(|name| Name::parse(name).ok()));
    }
    names.sort();
    Ok(names)
}
