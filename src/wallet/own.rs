//! The operator's own hotkey, as far as it is public.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Lock, Name, WalletError, hotkey_file};
use crate::domain::findings::{Finding, Severity, foreign_owner, hard_linked};
use crate::domain::hotkey::Hotkey;
use crate::domain::untrusted::Untrusted;

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
        Some(Self { hotkey, name: None, key_file: None, lock: None, findings: Vec::new() })
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
        let of_public = hotkey_file::read_public(&public)?;
        let of_key = hotkey_file::read(&key)?;
        let address = of_key.as_ref().and_then(|told| told.address);
        let hotkey = match (of_public, address, &of_key) {
            (Some(one), Some(other), _) if one != other => {
                return Err(WalletError::Mismatch { first: public, one, second: key, other });
            }
            (Some(hotkey), ..) | (None, Some(hotkey), _) => hotkey,
            (None, None, Some(told)) => return Err(encrypted(key, &public, told.lock)),
            (None, None, None) => return Err(WalletError::NoHotkey { name: name.as_str().into(), path: folder }),
        };
        let findings = of_key.iter().flat_map(|told| too_open(&folder, &key, told.mode)).collect();
        let lock = of_key.map(|told| told.lock);
        let key_file = lock.is_some().then_some(key);
        Ok(Self { hotkey, name: Some((wallet, name)), key_file, lock, findings })
    }
}

fn encrypted(path: PathBuf, public: &Path, lock: Lock) -> WalletError {
    let command = if lock == Lock::Nacl { "btcli wallet regen-hotkeypub" } else { "btcli wallet update" };
    let public = public.file_name().unwrap_or_default().to_string_lossy().into_owned();
    WalletError::Encrypted { path, kind: lock.word(), public, command }
}

/// What the modes of a key file and of its folder let others do.
pub(super) fn too_open(folder: &Path, key: &Path, mode: u32) -> Vec<Finding> {
    file_mode(key, mode).into_iter().chain(file_owner(key)).chain(folder_mode(folder)).collect()
}

fn file_mode(path: &Path, mode: u32) -> Option<Finding> {
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

/// Another user's key file, or one with more than one name.
fn file_owner(path: &Path) -> Vec<Finding> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    let (shown, own) = (Untrusted::from_text(path.to_string_lossy()).shown(), rustix::process::geteuid().as_raw());
    let foreign = foreign_owner("hotkey file", &shown, meta.uid(), own);
    foreign.into_iter().chain(hard_linked("hotkey file", &shown, meta.nlink())).collect()
}

/// Who may write into a folder may put another file in the place of any of its files, whatever their modes are.
fn folder_mode(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o022 != 0).then(|| {
        Finding::new(
            "hotkeys_folder_mode",
            Severity::Warning,
            format!("The wallet's hotkeys folder has mode {mode:04o}: others may write into it"),
            "Other users of this machine may put a key of theirs in the place of yours.",
            format!("Run chmod go-w on {}.", Untrusted::from_text(path.to_string_lossy()).shown()),
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
