//! Opening a store: the one that is named, and no other.

use std::sync::Arc;

use keyring_core::{CredentialStore, Error};

use super::Vault;
use super::error::VaultError;
use super::failure::{UNIX_BUS, failure, unopened};
use super::file::{Arced, FileKey, FileStore, WORK_FACTOR};
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::Backend;
use crate::state::atomic::PrivateDir;

/// Which store is to be opened, with what it needs for that.
#[derive(Debug)]
pub enum Opening {
    /// Linux: the Secret Service on the session bus.
    SecretService,
    /// macOS: the login keychain.
    Keychain,
    /// Windows: the Credential Manager.
    CredentialManager,
    /// Linux: the kernel's keyring.
    Keyutils,
    /// The encrypted file.
    File {
        /// Its folder.
        dir: PrivateDir,
        /// What it is locked with.
        key: FileKey,
    },
}

impl Opening {
    /// Which store it is.
    pub const fn backend(&self) -> Backend {
        match self {
            Self::SecretService => Backend::SecretService,
            Self::Keychain => Backend::Keychain,
            Self::CredentialManager => Backend::CredentialManager,
            Self::Keyutils => Backend::Keyutils,
            Self::File { .. } => Backend::File,
        }
    }
}

/// The store of this system's desktop: the one that is used where none is named. Never the encrypted file or the kernel's.
pub const fn platform_default() -> Backend {
    if cfg!(target_os = "macos") {
        Backend::Keychain
    } else if cfg!(windows) {
        Backend::CredentialManager
    } else {
        Backend::SecretService
    }
}

/// Opens a store. It may block: on a bus, on a disk, on a question that somebody has to answer; and it must be called on a
/// thread that runs no asynchronous tasks.
pub fn open(opening: Opening) -> Result<Vault, VaultError> {
    let backend = opening.backend();
    let store = match opening {
        Opening::SecretService => secret_service(),
        Opening::Keychain => keychain(),
        Opening::CredentialManager => credential_manager(),
        Opening::Keyutils => keyutils(),
        Opening::File { dir, key } => return FileStore::open(dir, key, WORK_FACTOR).map(over_file),
    };
    let vault = Vault::over(backend, store.map_err(|error| unopened(backend, error))?);
    if backend == Backend::Keyutils {
        vault.keeps()?;
    }
    Ok(vault)
}

/// A vault over the encrypted file.
pub fn over_file(store: Arc<FileStore>) -> Vault {
    Vault::over(Backend::File, Arc::new(Arced(store)))
}

impl Vault {
    /// Proves with a worthless entry that the store keeps what it is given. The kernel's keyring takes secrets that it
    /// never gives back where the session has no keyring of its own.
    fn keeps(&self) -> Result<(), VaultError> {
        const WORTHLESS: &[u8] = b"grail-console looks whether this keyring keeps what it is given";
        let entry = self.named("test")?;
        let kept = entry.set_secret(WORTHLESS).and_then(|()| entry.get_secret());
        let removed = entry.delete_credential();
        match kept {
            Ok(back) if back == WORTHLESS => removed.map_err(|error| failure(self.backend(), error)),
            Ok(_) => Err(VaultError::NotKept { backend: self.backend() }),
            Err(error) => Err(unopened(self.backend(), error)),
        }
    }
}

/// The variable that names the bus; without it the library takes the socket in `XDG_RUNTIME_DIR`.
#[cfg(target_os = "linux")]
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Why a bus is not connected to. The library that would also runs programs that an address names (`unixexec:`, `ibus:`), and
/// keys would leave this machine over TCP (THREATS T32).
#[cfg(target_os = "linux")]
fn refusal(address: Option<&std::ffi::OsStr>) -> Option<VaultError> {
    let address = address?.to_string_lossy();
    let other = address.split(';').find(|one| !one.starts_with("unix:"))?;
    let kind = other.split(':').next().unwrap_or_default();
    let why =
        format!("{BUS} names a bus by {:?}, and only a socket of this machine (unix:) is used", sanitize(kind, 20));
    Some(VaultError::Denied { backend: Backend::SecretService, why, todo: UNIX_BUS })
}

#[cfg(target_os = "linux")]
fn secret_service() -> Result<Arc<CredentialStore>, Error> {
    if let Some(refused) = refusal(std::env::var_os(BUS).as_deref()) {
        return Err(Error::PlatformFailure(Box::new(refused)));
    }
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "linux")]
fn keyutils() -> Result<Arc<CredentialStore>, Error> {
    Ok(linux_keyutils_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn keychain() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn credential_manager() -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(target_os = "linux"))]
use not_here as secret_service;

#[cfg(not(target_os = "linux"))]
use not_here as keyutils;

#[cfg(not(target_os = "macos"))]
use not_here as keychain;

#[cfg(not(windows))]
use not_here as credential_manager;

fn not_here() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::PlatformFailure("this system has no such store".into()))
}
