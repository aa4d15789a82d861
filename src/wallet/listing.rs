//! What lies in the folder of wallets.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::content::Content;
use super::{Lock, Name, OwnHotkey, WalletError, hotkey_file, own};
use crate::domain::findings::Finding;
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
    pub findings: Vec<Finding>,
    /// Why the address is not known.
    pub problem: Option<String>,
}

/// Every hotkey in a folder of wallets, by wallet and name. A folder that does not exist has none.
pub fn list(wallets: &Path) -> Result<Vec<Listed>, WalletError> {
    let mut names = Vec::new();
    for wallet in entries(wallets)? {
        // A wallet that cannot be entered is no reason to hide the others.
        let hotkeys = without_companions(entries(&wallet.hotkeys_in(wallets)).unwrap_or_default());
        names.extend(hotkeys.into_iter().map(|hotkey| (wallet.clone(), hotkey)).take(MAX_LISTED - names.len()));
    }
    Ok(names.into_iter().map(|(wallet, hotkey)| examine(wallets, wallet, hotkey)).collect())
}

fn examine(wallets: &Path, wallet: Name, hotkey: Name) -> Listed {
    match OwnHotkey::find(wallets, wallet.as_str(), hotkey.as_str()) {
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
fn guarded(folder: &Path, hotkey: &Name) -> Option<(Lock, Vec<Finding>)> {
    let key = folder.join(hotkey.as_str());
    let (bytes, mode) = hotkey_file::read_wiped(&key).ok()??;
    Some((Lock::of(&bytes), own::too_open(folder, &key, mode)))
}

/// The secrets of every hotkey that lies in a folder of wallets without encryption, in the forms of
/// [`Signer::secrets`](super::Signer::secrets): nothing that holds one of them may be published. At most 1,000
/// files are read; what cannot be read or is no key file is passed over, and a coldkey is not opened.
pub fn plain_secrets(wallets: &Path) -> Vec<SecretKey> {
    let folders = entries(wallets).unwrap_or_default().into_iter().map(|wallet| wallet.hotkeys_in(wallets));
    // Public companions too: somebody may have given a key file such a name.
    let files = folders.flat_map(|folder| {
        let names = entries(&folder).unwrap_or_default();
        names.into_iter().map(move |name| folder.join(name.as_str()))
    });
    files.take(MAX_LISTED).flat_map(|file| secrets_of(&file)).collect()
}

fn secrets_of(file: &Path) -> Vec<SecretKey> {
    let Ok(Some((bytes, _))) = hotkey_file::read_wiped(file) else { return Vec::new() };
    Content::parse(file, &bytes).map_or_else(Vec::new, |content| content.secrets())
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
