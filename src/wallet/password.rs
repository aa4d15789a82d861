//! Where a password comes from when nobody types it: a file, the standard input, or the variable in which
//! bittensor-wallet keeps it. Never an argument of the command line, which everybody on the machine can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::WalletError;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::findings::{foreign_owner, hard_linked};
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;

/// Longest password that is taken, in bytes, its line ending not counted.
pub const MAX_BYTES: usize = 4 << 10;

/// From a file, and what is odd about it. A pipe (`<(pass show …)`) is read to its end.
pub fn from_file(path: &Path) -> Result<(SecretKey, Option<Diagnostic>), WalletError> {
    let from = path.display().to_string();
    let unreadable = |error| WalletError::PasswordUnreadable { from: from.clone(), error };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let odd = || {
        let shown = Untrusted::from_text(path.to_string_lossy()).shown();
        let foreign = foreign_owner("password file", &shown, meta.uid(), rustix::process::geteuid().as_raw());
        too_open(path, meta.mode() & 0o7777).or(foreign).or_else(|| hard_linked("password file", &shown, meta.nlink()))
    };
    let finding = if meta.is_file() { odd() } else { None };
    Ok((read(file, from)?, finding))
}

/// From the standard input, or whatever else is read to its end.
pub fn from_reader(reader: impl Read) -> Result<SecretKey, WalletError> {
    read(reader, "the standard input".to_owned())
}

/// Reads into a buffer that never grows, so that no copy is left behind. One line ending is not part of the password.
fn read(reader: impl Read, from: String) -> Result<SecretKey, WalletError> {
    const ROOM: usize = MAX_BYTES + "\r\n".len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM + 64));
    if let Err(error) = reader.take(ROOM as u64 + 1).read_to_end(&mut bytes) {
        return Err(WalletError::PasswordUnreadable { from, error });
    }
    let line = bytes.strip_suffix(b"\n").map_or(bytes.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    if line.len() > MAX_BYTES {
        return Err(WalletError::PasswordTooLong { from });
    }
    match std::str::from_utf8(line) {
        Ok("") => Err(WalletError::PasswordEmpty),
        Ok(text) => Ok(SecretKey::new(text)),
        Err(_) => Err(WalletError::PasswordNotText { from }),
    }
}

fn too_open(path: &Path, mode: u32) -> Option<Diagnostic> {
    (mode & 0o177 != 0).then(|| {
        Diagnostic::new(
            "password_file_mode",
            Severity::Warning,
            format!("The password file has mode {mode:04o}, more than 0600"),
            "Other users of this machine may read the password of your hotkey.",
            format!("Run chmod 600 on {}.", Untrusted::from_text(path.to_string_lossy()).shown()),
        )
    })
}

/// From the variable in which bittensor-wallet keeps the password of a key file, or would look for it. `None` when it
/// is unset or blank.
pub fn from_environment(environment: &Environment, key_file: &Path) -> Option<Result<SecretKey, WalletError>> {
    let (name, value) = variable_names(key_file).find_map(|name| {
        let value = environment.filled(&name)?;
        Some((name, value))
    })?;
    Some(uncover(&name, value).ok_or_else(|| WalletError::PasswordVariable(key_file.to_owned())))
}

/// The name is made of the path as it was given, with its `~` expanded; who gave a relative path here may have had the
/// absolute one there.
fn variable_names(key_file: &Path) -> impl Iterator<Item = String> {
    let absolute: Option<PathBuf> = std::path::absolute(key_file).ok();
    let paths = [Some(key_file.to_owned()), absolute];
    paths.into_iter().flatten().filter_map(|path| {
        let path = path.to_str()?.replace(['/', '.'], "_").to_uppercase();
        Some(format!("BT_PW_{path}"))
    })
}

/// Base64 of the password, each byte combined with one of the variable's name: a veil, no encryption.
fn uncover(name: &str, value: &str) -> Option<SecretKey> {
    let mut bytes = Zeroizing::new(STANDARD.decode(value.trim()).ok()?);
    bytes.iter_mut().zip(name.bytes().cycle()).for_each(|(byte, veil)| *byte ^= veil);
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.is_empty())?;
    Some(SecretKey::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_named_as_bittensor_wallet_names_it() {
        let names = [
            (
                "/home/miner/.bittensor/wallets/practice/hotkeys/encrypted",
                "BT_PW__HOME_MINER__BITTENSOR_WALLETS_PRACTICE_HOTKEYS_ENCRYPTED",
            ),
            ("wallets/practice/hotkeys/encrypted", "BT_PW_WALLETS_PRACTICE_HOTKEYS_ENCRYPTED"),
            ("/srv/Wallets.d/practice/hotkeys/hot.key-1", "BT_PW__SRV_WALLETS_D_PRACTICE_HOTKEYS_HOT_KEY-1"),
            ("/srv/straße/h", "BT_PW__SRV_STRASSE_H"),
        ];
        for (path, expected) in names {
            assert_eq!(variable_names(Path::new(path)).next().unwrap(), expected);
        }
    }

    #[test]
    fn a_relative_path_is_looked_for_under_its_absolute_one_too() {
        let absolute = std::path::absolute("wallets/h").unwrap();
        let names: Vec<_> = variable_names(Path::new("wallets/h")).collect();
        assert_eq!(names[1], variable_names(&absolute).next().unwrap());
        assert_ne!(names[0], names[1]);
    }
}
