//! From a hotkey's file, and perhaps a password, to what signs.

use std::path::Path;

use zeroize::Zeroizing;

use super::content::Content;
use super::{FileForm, FileHash, Lock, LockedHotkey, OwnHotkey, Signer, WalletError, hotkey_file, nacl};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;

/// Unlocks the own hotkey. A file that is not encrypted needs no password, and none is looked at.
///
/// The key must be the one of every address that is told of it: by the file, by its public companion, and by `own`, so
/// that a file replaced since it was found never signs. Blocks, for an encrypted file about three seconds, in which it
/// takes 512 MiB: call it off the event loop.
pub fn unlock(own: &OwnHotkey, password: Option<&SecretKey>) -> Result<Signer, WalletError> {
    let path = own.key_file.as_deref().ok_or(WalletError::WatchOnly(own.hotkey))?;
    let (signer, _) = signer_of(path, password)?;
    if signer.hotkey() != own.hotkey {
        let (derived, expected) = (signer.hotkey(), own.hotkey);
        return Err(WalletError::NotOwn { path: path.to_owned(), derived, expected });
    }
    Ok(signer)
}

/// Learns the address of a key file that only its password tells, and of which file: the same bytes have the same address.
/// Takes as long as [`unlock`].
pub fn learn(locked: &LockedHotkey, password: &SecretKey) -> Result<(Hotkey, FileHash), WalletError> {
    signer_of(&locked.key_file, Some(password)).map(|(signer, hash)| (signer.hotkey(), hash))
}

fn signer_of(path: &Path, password: Option<&SecretKey>) -> Result<(Signer, FileHash), WalletError> {
    let (bytes, _) = hotkey_file::read_wiped(path)?.ok_or_else(|| WalletError::NoKeyFile(path.to_owned()))?;
    let (lock, hash) = (Lock::of(&bytes), FileHash::of(&bytes));
    let bytes = opened(path, bytes, password)?;
    let content = Content::parse(path, &bytes).ok_or_else(|| not_a_key_file(path, lock, &bytes))?;
    let signer = content.signer()?;
    agree(&signer, path, &bytes)?;
    Ok((signer, hash))
}

/// What the key file and its public companion tell must be the address of the key.
fn agree(signer: &Signer, path: &Path, json: &[u8]) -> Result<(), WalletError> {
    let companion = hotkey_file::companion(path);
    let of_file = hotkey_file::told_by_fields(path, json)?.map(|told| (told, path));
    let of_companion = hotkey_file::read_public(&companion)?.map(|told| (told, companion.as_path()));
    let derived = signer.hotkey();
    match [of_file, of_companion].into_iter().flatten().find(|(told, _)| *told != derived) {
        None => Ok(()),
        Some((told, by)) => Err(WalletError::OtherKey { path: path.to_owned(), derived, by: by.to_owned(), told }),
    }
}

/// The key file's JSON, decrypted where it has to be.
fn opened(
    path: &Path,
    bytes: Zeroizing<Vec<u8>>,
    password: Option<&SecretKey>,
) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let lock = Lock::of(&bytes);
    match (lock, password) {
        (Lock::Open, _) => Ok(bytes),
        (Lock::Legacy(_), _) => Err(WalletError::LegacyLock { path: path.to_owned(), kind: lock.word() }),
        (Lock::Nacl, None) => Err(WalletError::PasswordNeeded(path.to_owned())),
        (Lock::Nacl, Some(password)) if password.expose().is_empty() => Err(WalletError::PasswordEmpty),
        (Lock::Nacl, Some(password)) => nacl::open(path, &bytes, password),
    }
}

fn not_a_key_file(path: &Path, lock: Lock, bytes: &[u8]) -> WalletError {
    let path = path.to_owned();
    match FileForm::of(bytes) {
        _ if lock.is_encrypted() => WalletError::NoKeyInside(path),
        Some(form) => WalletError::Form { path, form },
        None => WalletError::NoSecret(path),
    }
}
