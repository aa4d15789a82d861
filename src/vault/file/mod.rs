//! The encrypted file: a credential store for hosts without a desktop, in age's own format.
//!
//! One file holds every secret by its name. It is decrypted when it changed on disk, and replaced as a whole, atomically,
//! under a lock between processes.

mod key;
mod sealed;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, Entry, Error};

pub use key::FileKey;
pub use sealed::{MAX_BYTES, VERSION};

use super::error::VaultError;
use crate::state::StateError;
use crate::state::atomic::PrivateDir;
use key::Lock;
use sealed::{Keys, open, seal};

/// Name of the file.
pub const FILE: &str = "keys.age";
/// Name of its lock between processes.
const LOCK: &str = "keys.age.lock";
/// scrypt's work factor for a passphrase, as a power of two: about a second and 256 MiB on today's machines.
pub const WORK_FACTOR: u8 = 18;
/// How often the lock is asked for while another process writes, and how many times.
const TURN: (Duration, u32) = (Duration::from_millis(50), 400);

/// The file, open.
pub struct FileStore {
    dir: PrivateDir,
    lock: Lock,
    work_factor: u8,
    /// What was read last: the file's bytes, and what was in them.
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    sealed: Option<Vec<u8>>,
    keys: Keys,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({}, {:?})", self.dir.path().display(), self.lock)
    }
}

impl FileStore {
    /// Opens the file in a directory and proves the key; where there is none, the first secret makes it. `work_factor` is
    /// the power of two of scrypt's work for a passphrase, from 1 to 20; [`WORK_FACTOR`] but in tests.
    pub fn open(dir: PrivateDir, key: FileKey, work_factor: u8) -> Result<Arc<Self>, VaultError> {
        let store = Self { dir, lock: Lock::of(key)?, work_factor, read: Mutex::default() };
        store.with(|_| ())?;
        Ok(Arc::new(store))
    }

    /// Looks at the keys as they are on disk now; decrypting is spared while the file is the same.
    fn with<T>(&self, look: impl FnOnce(&Keys) -> T) -> Result<T, VaultError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut read)?;
        Ok(look(&read.keys))
    }

    fn refresh(&self, read: &mut Read) -> Result<(), VaultError> {
        let sealed = self.dir.read(FILE, MAX_BYTES).map_err(|error| VaultError::disk(&error))?;
        if sealed != read.sealed {
            let keys = sealed.as_deref().map(|sealed| open(sealed, &self.lock)).transpose()?;
            *read = Read { sealed, keys: keys.unwrap_or_default() };
        }
        Ok(())
    }

    /// Changes the keys and writes them, unless the change says that there is nothing to write.
    fn change(&self, change: impl FnOnce(&mut Keys) -> bool) -> Result<bool, VaultError> {
        let _turn = self.turn()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut read)?;
        let mut keys = read.keys.clone();
        if !change(&mut keys) {
            return Ok(false);
        }
        let sealed = seal(&keys, &self.lock, self.work_factor)?;
        self.dir.write(FILE, &sealed).map_err(|error| VaultError::disk(&error))?;
        *read = Read { sealed: Some(sealed), keys };
        Ok(true)
    }

    fn turn(&self) -> Result<OwnedFd, VaultError> {
        let (pause, attempts) = TURN;
        for _ in 0..attempts {
            match self.dir.lock(LOCK) {
                Ok(Some(turn)) => return Ok(turn),
                Ok(None) => sleep(pause),
                Err(error) => return Err(VaultError::disk(&error)),
            }
        }
        let seconds = (pause * attempts).as_secs();
        Err(VaultError::File(format!("another process has been writing it for {seconds} s; end it, then try again")))
    }
}

/// Whether the file is there, and what it is locked with: `Some(true)` with a passphrase, `Some(false)` with a key file.
pub fn locked_with_passphrase(dir: &PrivateDir) -> Result<Option<bool>, StateError> {
    let sealed = dir.read(FILE, MAX_BYTES)?;
    Ok(sealed.map(|sealed| age::Decryptor::new_buffered(&*sealed).is_ok_and(|decryptor| decryptor.is_scrypt())))
}

/// Ours, through the store's interface.
fn carried(error: VaultError) -> Error {
    Error::PlatformFailure(Box::new(error))
}

impl CredentialStoreApi for Arced {
    fn vendor(&self) -> String {
        "The encrypted file of grail-console".to_owned()
    }

    fn id(&self) -> String {
        self.0.dir.path().join(FILE).display().to_string()
    }

    fn build(&self, service: &str, user: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry, Error> {
        if modifiers.is_some_and(|modifiers| !modifiers.is_empty()) {
            return Err(Error::NotSupportedByStore("it knows no modifiers".to_owned()));
        }
        let specifiers = (service.to_owned(), user.to_owned());
        let name = format!("{service}/{user}");
        Ok(Entry::new_with_credential(Arc::new(Kept { store: Arc::clone(&self.0), name, specifiers })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The store as keyring-core takes it: its entries keep it open.
pub struct Arced(pub Arc<FileStore>);

/// One secret in the file, by its name.
struct Kept {
    store: Arc<FileStore>,
    name: String,
    specifiers: (String, String),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.name)
    }
}

impl CredentialApi for Kept {
    fn set_secret(&self, secret: &[u8]) -> Result<(), Error> {
        let secret = zeroize::Zeroizing::new(secret.to_vec());
        let set = self.store.change(|keys| keys.insert(self.name.clone(), secret.clone()).as_ref() != Some(&secret));
        set.map(drop).map_err(carried)
    }

    fn get_secret(&self) -> Result<Vec<u8>, Error> {
        let secret = self.store.with(|keys| keys.get(&self.name).map(|secret| secret.to_vec()));
        secret.map_err(carried)?.ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<(), Error> {
        let removed = self.store.change(|keys| keys.remove(&self.name).is_some());
        if removed.map_err(carried)? { Ok(()) } else { Err(Error::NoEntry) }
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>, Error> {
        let there = self.store.with(|keys| keys.contains_key(&self.name)).map_err(carried)?;
        if there { Ok(None) } else { Err(Error::NoEntry) }
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some(self.specifiers.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
