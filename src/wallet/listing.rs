//! What lies in the folder of wallets.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::content::secrets_in;
use super::{FileHash, Found, Lock, Name, OwnHotkey, WalletError, hotkey_file, modes};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;

/// Entries of a folder that are looked at, and hotkeys that a listing shows, at most.
const MAX_LISTED: usize = 1_000;
/// Characters of a problem that are shown.
const SHOWN: usize = 600;

/// A hotkey in the folder of wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Name of its wallet.
    pub wallet: Name,
    /// Its name.
    pub hotkey: Name,
    /// Its address, when its files tell it.
    pub address: Option<Hotkey>,
    /// How its key file is protected, when there is one that can be read; without a key file it is only watched.
    pub lock: Option<Lock>,
    /// What the modes of its files let others do.
    pub findings: Vec<Diagnostic>,
    /// Why the address is not known.
    pub problem: Option<String>,
}

/// Every hotkey in a folder of wallets, by wallet and name. A folder that does not exist has none. `known` tells the address of
/// an encrypted file whose password was given before.
pub fn list(wallets: &Path, known: impl Fn(&FileHash) -> Option<Hotkey>) -> Result<Vec<Listed>, WalletError> {
    let mut names = Vec::new();
    for wallet in entries(wallets)? {
        // A wallet that cannot be entered is no reason to hide the others.
        let hotkeys = without_companions(entries(&wallet.hotkeys_in(wallets)).unwrap_or_default());
        names.extend(hotkeys.into_iter().map(|hotkey| (wallet.clone(), hotkey)).take(MAX_LISTED - names.len()));
    }
    Ok(names.into_iter().map(|(wallet, hotkey)| examine(wallets, wallet, hotkey, &known)).collect())
}

/// The wallets and the names of their hotkeys, without a look into any file.
pub fn names(wallets: &Path) -> Vec<(Name, Vec<Name>)> {
    let hotkeys = |wallet: &Name| without_companions(entries(&wallet.hotkeys_in(wallets)).unwrap_or_default());
    let named = entries(wallets).unwrap_or_default().into_iter();
    named.map(|wallet| (wallet.clone(), hotkeys(&wallet))).collect()
}

fn examine(wallets: &Path, wallet: Name, hotkey: Name, known: &impl Fn(&FileHash) -> Option<Hotkey>) -> Listed {
    let found = match Found::of(wallets, wallet.as_str(), hotkey.as_str()) {
        Ok(Found::Locked(locked)) => match known(&locked.hash) {
            Some(address) => Ok(locked.with_address(address)),
            None => Err(locked.error()),
        },
        other => other.and_then(Found::known),
    };
    match found {
        Ok(OwnHotkey { hotkey: address, lock, findings, .. }) => {
            Listed { wallet, hotkey, address: Some(address), lock, findings, problem: None }
        }
        Err(error) => {
            let problem = Some(sanitize(&error.to_string(), SHOWN));
            // What can be said without the address is said.
            let (lock, findings) = guarded(&wallet.hotkeys_in(wallets), &hotkey).unzip();
            Listed { wallet, hotkey, address: None, lock, findings: findings.unwrap_or_default(), problem }
        }
    }
}

/// How a key file is protected, by password and by modes.
fn guarded(folder: &Path, hotkey: &Name) -> Option<(Lock, Vec<Diagnostic>)> {
    let key = folder.join(hotkey.as_str());
    let (bytes, mode) = hotkey_file::read_wiped(&key).ok()??;
    Some((Lock::of(&bytes), modes::too_open(folder, &key, mode)))
}

/// What the files of all hotkeys in a folder of wallets hold that must not be published.
#[derive(Debug, Default)]
pub struct HotkeySecrets {
    /// Each with its file, in the forms of [`Signer::secrets`](super::Signer::secrets) and as it is written.
    pub plain: Vec<(PathBuf, SecretKey)>,
    /// Files that are encrypted.
    pub encrypted: usize,
    /// Files and folders that could not be read.
    pub unreadable: usize,
}

/// The secrets of every file in the folders of hotkeys, whatever its name and form. At most 1,000 files are read; a coldkey is
/// not opened.
pub fn hotkey_secrets(wallets: &Path) -> HotkeySecrets {
    let mut found = HotkeySecrets::default();
    for wallet in files_in(wallets, &mut found) {
        for (index, file) in files_in(&wallet.join("hotkeys"), &mut found).into_iter().enumerate() {
            if index < MAX_LISTED {
                found.take(&file);
            } else {
                found.unreadable += 1;
            }
        }
    }
    found
}

impl HotkeySecrets {
    fn take(&mut self, file: &Path) {
        match hotkey_file::read_wiped(file) {
            Ok(Some((bytes, _))) if Lock::of(&bytes).is_encrypted() => self.encrypted += 1,
            Ok(Some((bytes, _))) => {
                self.plain.extend(secrets_in(&bytes).into_iter().map(|secret| (file.to_owned(), secret)));
            }
            // What is no file, or leads to a coldkey, is none of a hotkey's.
            Ok(None) | Err(WalletError::NotAHotkeyFile(_) | WalletError::DanglingLink { .. }) => {}
            Err(_) => self.unreadable += 1,
        }
    }
}

/// Everything in a folder, whatever it is called.
fn files_in(folder: &Path, found: &mut HotkeySecrets) -> Vec<PathBuf> {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            files.sort();
            files
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
        Err(_) => {
            found.unreadable += 1;
            Vec::new()
        }
    }
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
