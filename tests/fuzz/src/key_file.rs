//! A hotkey's key file, and the public companion beside it.

use std::path::Path;

use grail_console::domain::secret::SecretKey;
use grail_console::wallet::{
    Found, Lock, LockedHotkey, MAX_BYTES, OwnHotkey, WalletError, hotkey_secrets, list, lock_of, unlock,
};

use super::{files, secret};

/// Bytes of an encrypted file that holds nothing: prefix, nonce, tag. A longer one would be opened, in three seconds and 512 MiB.
const HOLLOW: usize = 5 + 24 + 16;

/// The first byte says what there is: a key file, its companion, or both, divided by a byte that stands nowhere in UTF-8.
pub fn run(data: &[u8]) -> &'static str {
    let Some((what, rest)) = data.split_first() else { return "nothing" };
    let bytes = secret::placed(rest);
    let (key, public) = match what % 3 {
        0 => (Some(&bytes[..]), None),
        1 => (None, Some(&bytes[..])),
        _ => match bytes.iter().position(|byte| *byte == 0xfe) {
            Some(at) => (Some(&bytes[..at]), Some(&bytes[at + 1..])),
            None => (Some(&bytes[..]), Some(&b""[..])),
        },
    };
    let wallets = files::folder();
    let folder = wallets.path().join("w/hotkeys");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("h");
    if let Some(key) = key {
        files::write(&path, key);
    }
    if let Some(public) = public {
        files::write(&folder.join("hpub.txt"), public);
    }
    for listed in list(wallets.path(), |_| None).unwrap() {
        secret::is_not_in(&format!("{listed:?}"));
    }
    secret::is_not_in(&format!("{:?}", hotkey_secrets(wallets.path())));
    match Found::of(wallets.path(), "w", "h") {
        Ok(Found::Known(own)) => known(wallets.path(), &own),
        Ok(Found::Locked(locked)) => encrypted(locked, &path, key.unwrap_or_default()),
        Err(error) => {
            secret::is_not_told(&error);
            let is_large = [key, public].into_iter().flatten().any(|bytes| bytes.len() as u64 > MAX_BYTES);
            assert!(is_large || !matches!(error, WalletError::TooLarge { .. }));
            "refused"
        }
    }
}

/// What signs is the hotkey that the files tell, and everything that gives it away is known as a secret.
fn known(wallets: &Path, own: &OwnHotkey) -> &'static str {
    secret::is_not_in(&format!("{own:?}"));
    if own.lock.is_some_and(Lock::is_encrypted) {
        return "encrypted";
    }
    let signer = match unlock(own, None) {
        Ok(signer) => signer,
        Err(error) => {
            secret::is_not_told(&error);
            return if own.is_watch_only() { "watched" } else { "no_key" };
        }
    };
    assert_eq!(signer.hotkey(), own.hotkey);
    secret::is_not_in(&format!("{signer:?}"));
    let in_files = hotkey_secrets(wallets).plain;
    for text in signer.secrets() {
        assert!(in_files.iter().any(|(_, known)| *known == text), "a key that signs is not known as a secret");
    }
    "unlocked"
}

fn encrypted(locked: LockedHotkey, path: &Path, bytes: &[u8]) -> &'static str {
    secret::is_not_told(&locked.error());
    assert_eq!(lock_of(path).unwrap(), locked.lock);
    let (is_nacl, hash) = (locked.lock == Lock::Nacl, locked.hash.clone());
    secret::is_not_in(&format!("{hash:?}"));
    let own = locked.with_address(grail_console::domain::hotkey::Hotkey::from_bytes([7; 32]));
    let error = unlock(&own, None).unwrap_err();
    secret::is_not_told(&error);
    assert_eq!(is_nacl, matches!(error, WalletError::PasswordNeeded(_)), "{error:?}");
    if is_nacl && bytes.len() <= HOLLOW {
        let error = unlock(&own, Some(&SecretKey::new("password"))).unwrap_err();
        assert!(matches!(error, WalletError::Truncated { .. }), "{error:?}");
    }
    "encrypted"
}
