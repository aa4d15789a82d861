//! The public part of a hotkey's files: its address, and nothing that signs.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::file_form::FileForm;
use super::{FileHash, Lock, WalletError};
use crate::domain::hotkey::Hotkey;

/// Largest key file that is read; real ones have less than 1 KiB.
pub const MAX_BYTES: u64 = 64 << 10;

/// The fields that are public. The others are skipped by the parser and never become values.
#[derive(Deserialize)]
struct PublicFields<'a> {
    #[serde(rename = "ss58Address")]
    address: Option<&'a str>,
    #[serde(rename = "accountId")]
    account_id: Option<&'a str>,
    #[serde(rename = "publicKey")]
    public_key: Option<&'a str>,
}

/// What a key file tells without a password.
pub(super) struct Told {
    /// The address; an encrypted file tells none.
    pub(super) address: Option<Hotkey>,
    /// How it is protected.
    pub(super) lock: Lock,
    /// Its mode.
    pub(super) mode: u32,
    /// Which file it is, by its content.
    pub(super) hash: FileHash,
}

/// Reads a key file as far as it is public. `None` when it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<Told>, WalletError> {
    let Some((bytes, mode)) = read_wiped(path)? else { return Ok(None) };
    let lock = Lock::of(&bytes);
    let address = if lock.is_encrypted() { None } else { Some(told_by(path, &bytes)?) };
    Ok(Some(Told { address, lock, mode, hash: FileHash::of(&bytes) }))
}

/// The address in the public companion. `None` when there is no such file.
pub(super) fn read_public(path: &Path) -> Result<Option<Hotkey>, WalletError> {
    let Some(told) = read(path)? else { return Ok(None) };
    told.address.map(Some).ok_or_else(|| WalletError::NoAddress(path.to_owned()))
}

fn told_by(path: &Path, bytes: &[u8]) -> Result<Hotkey, WalletError> {
    if serde_json::from_slice::<PublicFields<'_>>(bytes).is_err() {
        return match FileForm::of(bytes) {
            Some(form) => Err(WalletError::Form { path: path.to_owned(), form }),
            None => of_text(path, bytes),
        };
    }
    told_by_fields(path, bytes)?.ok_or_else(|| WalletError::NoAddress(path.to_owned()))
}

/// The address in a key file's JSON. All fields that tell it must tell the same; `None` when there is no such field.
pub(super) fn told_by_fields(path: &Path, json: &[u8]) -> Result<Option<Hotkey>, WalletError> {
    let Ok(fields) = serde_json::from_slice::<PublicFields<'_>>(json) else {
        return Err(WalletError::NoAddress(path.to_owned()));
    };
    let address = fields.address.map(|text| parse_address(path, text)).transpose()?;
    let hex = |text: Option<&str>| text.map(|text| parse_public(path, text)).transpose();
    let told = [address, hex(fields.account_id)?, hex(fields.public_key)?];
    let mut told = told.into_iter().flatten();
    let Some(one) = told.next() else { return Ok(None) };
    match told.find(|other| *other != one) {
        None => Ok(Some(one)),
        Some(other) => Err(WalletError::Mismatch { first: path.to_owned(), one, second: path.to_owned(), other }),
    }
}

/// A file that holds the address alone. Anything else is not quoted: it may be a phrase.
fn of_text(path: &Path, bytes: &[u8]) -> Result<Hotkey, WalletError> {
    let text = std::str::from_utf8(bytes).ok().map(str::trim);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| WalletError::NoAddress(path.to_owned()))
}

fn parse_address(path: &Path, text: &str) -> Result<Hotkey, WalletError> {
    text.parse().map_err(|error| WalletError::BadAddress { path: path.to_owned(), error })
}

fn parse_public(path: &Path, text: &str) -> Result<Hotkey, WalletError> {
    let mut bytes = [0; 32];
    match hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes) {
        Ok(()) => Ok(Hotkey::from_bytes(bytes)),
        Err(_) => Err(WalletError::NoAddress(path.to_owned())),
    }
}

/// A file's bytes, wiped when dropped, and its mode.
pub(super) type Wiped = (Zeroizing<Vec<u8>>, u32);

/// Reads into a buffer that never grows, so that no copy is left behind.
pub(super) fn read_wiped(path: &Path) -> Result<Option<Wiped>, WalletError> {
    let unreadable = |error| WalletError::Unreadable { path: path.to_owned(), error };
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return dangling(path).map_or(Ok(None), Err),
        Err(error) => return Err(unreadable(error)),
    };
    if is_coldkey(&real) {
        return Err(WalletError::NotAHotkeyFile(path.to_owned()));
    }
    let file = open(&real).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(WalletError::NotAHotkeyFile(path.to_owned()));
    }
    let too_large = |bytes| WalletError::TooLarge { path: path.to_owned(), bytes };
    if meta.len() > MAX_BYTES {
        return Err(too_large(meta.len()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0) + 64));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(Some((bytes, meta.mode() & 0o7777)))
}

/// A link that leads nowhere, where something is not found.
pub(super) fn dangling(path: &Path) -> Option<WalletError> {
    let target = std::fs::read_link(path).ok()?;
    Some(WalletError::DanglingLink { path: path.to_owned(), target })
}

/// Links are followed, since secrets are often mounted as links, but never to a coldkey.
fn is_coldkey(real: &Path) -> bool {
    real.file_name().is_some_and(|name| name == "coldkey")
}

/// Does not wait for the other end of a pipe, and does not follow a link that came after the check.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    File::options().read(true).custom_flags(flags).open(path)
}

/// The public companion's path.
pub(super) fn companion(key: &Path) -> PathBuf {
    let mut name = key.file_name().unwrap_or_default().to_owned();
    name.push("pub.txt");
    key.with_file_name(name)
}
