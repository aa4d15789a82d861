//! The content of the encrypted file, and its way through age.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};

use age::{DecryptError, Decryptor, Encryptor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::Lock;
use crate::vault::VaultError;

/// Version of the content. A higher one is refused: it was written by a newer console.
pub const VERSION: u32 = 1;
/// Largest file, in bytes: a thousand generations.
pub const MAX_BYTES: u64 = 1 << 20;

/// Secrets by name.
pub(super) type Keys = BTreeMap<String, Zeroizing<Vec<u8>>>;

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    keys: BTreeMap<String, Zeroizing<String>>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Locks the keys, and proves that they can be unlocked again: what is written replaces all of them at once.
pub(super) fn seal(keys: &Keys, lock: &Lock, work_factor: u8) -> Result<Vec<u8>, VaultError> {
    let sealed = lock_up(&to_json(keys), lock, work_factor);
    let sealed = sealed.map_err(|error| VaultError::File(format!("it could not be encrypted ({error})")))?;
    if sealed.len() as u64 > MAX_BYTES {
        return Err(VaultError::File(format!("it would have {} bytes, {MAX_BYTES} at most", sealed.len())));
    }
    match open(&sealed, lock) {
        Ok(back) if back == *keys => Ok(sealed),
        _ => Err(VaultError::File("what was encrypted does not decrypt; check this machine's memory".to_owned())),
    }
}

fn lock_up(plain: &[u8], lock: &Lock, work_factor: u8) -> io::Result<Vec<u8>> {
    let recipients = lock.recipients(work_factor);
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|recipient| &**recipient));
    let encryptor = encryptor.map_err(|_| io::Error::other("age refuses the key"))?;
    let mut out = encryptor.wrap_output(Vec::new())?;
    out.write_all(plain)?;
    out.finish()
}

/// Unlocks the keys, or says why not.
pub(super) fn open(sealed: &[u8], lock: &Lock) -> Result<Keys, VaultError> {
    let decryptor = Decryptor::new_buffered(sealed).map_err(|error| refused(&error, lock))?;
    if decryptor.is_scrypt() != lock.is_passphrase() {
        return Err(other_kind(lock));
    }
    let identities = lock.identities();
    let identities = identities.iter().map(|identity| &**identity);
    let reader = decryptor.decrypt(identities).map_err(|error| refused(&error, lock))?;
    // It never grows: what is inside is smaller than what is around it.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.take(MAX_BYTES).read_to_end(&mut plain).map_err(|_| damaged("a part of it is missing or was changed"))?;
    of_json(&plain)
}

const fn damaged(why: &'static str) -> VaultError {
    VaultError::FileDamaged { why }
}

fn other_kind(lock: &Lock) -> VaultError {
    let (why, todo) = if lock.is_passphrase() {
        ("it is locked with a key file, not with a passphrase", "Name the key file with --vault-key-file")
    } else {
        (
            "it is locked with a passphrase, not with a key file",
            "Leave --vault-key-file away (and vault_key_file in the profile)",
        )
    };
    VaultError::WrongKey { why: why.to_owned(), todo }
}

/// As far as age can tell. A wrong passphrase and a header whose sealed key was changed look the same.
fn refused(error: &DecryptError, lock: &Lock) -> VaultError {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            if lock.is_passphrase() {
                let why = "the passphrase is another one, or the file's first lines were changed".to_owned();
                VaultError::WrongKey { why, todo: "Try again; look for caps lock and for the keyboard's layout" }
            } else {
                let why = "the key file is another one, or the file's first lines were changed".to_owned();
                VaultError::WrongKey { why, todo: "Name the key file that it was locked with" }
            }
        }
        DecryptError::InvalidMac => damaged("its first lines were changed"),
        DecryptError::ExcessiveWork { .. } => damaged("it asks for more work than this console ever set"),
        DecryptError::UnknownFormat => damaged("it is of a version of age that is not known here"),
        DecryptError::InvalidHeader | DecryptError::Io(_) => damaged("it is no age file, or only a part of one"),
    }
}

fn to_json(keys: &Keys) -> Zeroizing<Vec<u8>> {
    let text = |secret: &Zeroizing<Vec<u8>>| Zeroizing::new(STANDARD.encode(secret.as_slice()));
    let keys: BTreeMap<_, _> = keys.iter().map(|(name, secret)| (name.clone(), text(secret))).collect();
    let room = keys.iter().map(|(name, text)| name.len() * 2 + text.len() + 8).sum::<usize>() + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    // Texts always serialise.
    let _ = serde_json::to_writer(&mut *bytes, &Kept { v: VERSION, keys });
    bytes
}

fn of_json(plain: &[u8]) -> Result<Keys, VaultError> {
    const NOT_OURS: VaultError = damaged("what is inside is not of this console");
    let version: Versioned = serde_json::from_slice(plain).map_err(|_| NOT_OURS)?;
    if version.v > VERSION {
        return Err(VaultError::FileNewer(version.v));
    }
    let kept: Kept = serde_json::from_slice(plain).map_err(|_| NOT_OURS)?;
    let secret = |text: &Zeroizing<String>| STANDARD.decode(text.as_bytes()).map(Zeroizing::new);
    let keys = kept.keys.iter().map(|(name, text)| Ok((name.clone(), secret(text).map_err(|_| NOT_OURS)?)));
    keys.collect()
}
