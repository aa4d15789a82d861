//! The vault: generations of credentials in a credential store of the system, each one JSON secret of its own.
//!
//! Which store is always chosen in plain words, never fallen back to. Every call may block (a bus, a prompt, a disk): it
//! belongs on a thread that may. A generation is never overwritten, and is read back before it counts as kept.

mod error;
mod failure;
pub mod file;
mod generation;
mod opening;

use std::collections::HashMap;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

pub use error::{Damage, VaultError};
pub use file::FileKey;
pub use generation::{Generation, KeyPair};
pub use opening::{Opening, open, over_file, platform_default};

use failure::failure;

use crate::domain::owner::Owner;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding};

/// Service under which everything is kept: names are `grail-console/{genesis8}/{netuid}/{hotkey}/{generation}`.
pub const SERVICE: &str = "grail-console";

/// A store that is open.
#[derive(Clone)]
pub struct Vault {
    backend: Backend,
    store: Arc<Held>,
}

/// A store; one on a bus is closed on a thread of its own, since taking leave blocks, and whoever drops it last may be in
/// the middle of asynchronous tasks.
struct Held {
    store: Option<Arc<CredentialStore>>,
    on_a_bus: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(store) = self.store.take().filter(|_| self.on_a_bus) else { return };
        // Where no thread can be had it stays open until the process ends.
        let store = ManuallyDrop::new(store);
        let _ = std::thread::Builder::new().spawn(move || drop(ManuallyDrop::into_inner(store)));
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.backend.word())
    }
}

impl Vault {
    /// Over a store that is open already.
    pub fn over(backend: Backend, store: Arc<CredentialStore>) -> Self {
        let on_a_bus = backend == Backend::SecretService;
        Self { backend, store: Arc::new(Held { store: Some(store), on_a_bus }) }
    }

    /// In the memory of this process, for practice.
    pub fn in_memory() -> Result<Self, VaultError> {
        let store = keyring_core::mock::Store::new().map_err(|error| failure(Backend::Memory, error))?;
        Ok(Self::over(Backend::Memory, store))
    }

    /// Which store this is.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Keeps a generation and reads it back. The same one again is fine; another one under its number is refused. What
    /// could not be kept whole is taken back.
    pub fn put(&self, owner: &Owner, generation: &Generation) -> Result<(), VaultError> {
        let backend = self.backend;
        match self.get(owner, generation.number)? {
            Some(there) if there == *generation => return Ok(()),
            Some(_) => return Err(VaultError::Occupied { backend, number: generation.number }),
            None => {}
        }
        let kept = self.write(owner, generation);
        if kept.is_err() {
            // Some stores keep a secret that they say they did not take.
            let _ = self.remove(owner, generation.number);
        }
        kept
    }

    fn write(&self, owner: &Owner, generation: &Generation) -> Result<(), VaultError> {
        let backend = self.backend;
        let entry = self.entry(owner, generation.number)?;
        entry.set_secret(&generation.to_secret(owner)).map_err(|error| failure(backend, error))?;
        match self.get(owner, generation.number)? {
            Some(back) if back == *generation => Ok(()),
            _ => Err(VaultError::NotKept { backend }),
        }
    }

    /// A generation, or `None` where nothing has its name.
    pub fn get(&self, owner: &Owner, number: GenerationNumber) -> Result<Option<Generation>, VaultError> {
        self.get_named(&owner.to_string(), number)
    }

    fn get_named(&self, owner: &str, number: GenerationNumber) -> Result<Option<Generation>, VaultError> {
        let backend = self.backend;
        let bytes = match self.named(&format!("{owner}/{number}"))?.get_secret() {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(Error::NoEntry) => return Ok(None),
            Err(error) => return Err(failure(backend, error)),
        };
        let read = Generation::from_secret(&bytes, owner, number);
        read.map(Some).map_err(|damage| VaultError::Damaged { backend, number, damage })
    }

    /// The generation that the index speaks of: it must be there, and hold the keys that were put there.
    pub fn held(&self, owner: &Owner, holding: &Holding) -> Result<Generation, VaultError> {
        self.held_named(&owner.to_string(), holding)
    }

    /// The same for an owner by the name that an index has for it.
    pub fn held_named(&self, owner: &str, holding: &Holding) -> Result<Generation, VaultError> {
        let (backend, number) = (self.backend, holding.number);
        let generation = self.get_named(owner, number)?.ok_or(VaultError::Gone { backend, number })?;
        let found = generation.holding(backend);
        if (&found.read, &found.write, &found.locator) == (&holding.read, &holding.write, &holding.locator) {
            Ok(generation)
        } else {
            Err(VaultError::Damaged { backend, number, damage: Damage::Exchanged })
        }
    }

    /// Removes a generation; `false` where there was none.
    pub fn remove(&self, owner: &Owner, number: GenerationNumber) -> Result<bool, VaultError> {
        match self.entry(owner, number)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(self.backend, error)),
        }
    }

    fn entry(&self, owner: &Owner, number: GenerationNumber) -> Result<Entry, VaultError> {
        self.named(&format!("{owner}/{number}"))
    }

    /// The entry of a name below [`SERVICE`]. Where people see the store, they see the whole name.
    fn named(&self, name: &str) -> Result<Entry, VaultError> {
        let whole = format!("{SERVICE}/{name}");
        let modifiers = match self.backend {
            Backend::SecretService => Some(HashMap::from([("label", whole.as_str())])),
            Backend::Keyutils => Some(HashMap::from([("description", whole.as_str())])),
            _ => None,
        };
        let store = self.store.store.as_ref().ok_or(Error::NoDefaultStore);
        let entry = store.and_then(|store| store.build(SERVICE, name, modifiers.as_ref()));
        entry.map_err(|error| failure(self.backend, error))
    }
}
