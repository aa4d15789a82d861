//! Keys to keep, whose they are, and a context that knows them; and a store that fails when it is told to.

use std::any::Any;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use grail_console::config::Flags;
use grail_console::domain::environment::Environment;
use grail_console::domain::network::BlockHash;
use grail_console::domain::owner::Owner;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::Origin;
use grail_console::ops::context::Context;
use grail_console::vault::{Generation, KeyPair};
use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, CredentialStore, Entry, Error, mock};

use crate::tui_fixtures::hotkey;

/// Genesis of finney, as the network pins it.
pub const FINNEY: &str = "2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03";

pub fn owner() -> Owner {
    let genesis: BlockHash = FINNEY.parse().unwrap();
    Owner { genesis, netuid: 81, hotkey: hotkey(42) }
}

/// A secret of its own for each number.
pub fn secret(number: u64, of: char) -> String {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("{of}{mixed:032x}{:031x}", mixed >> 4)
}

pub fn generation(number: u64) -> Generation {
    let pair = |id: char, secret_of| KeyPair {
        id: format!("{id}{number:031x}"),
        secret: SecretKey::new(secret(number, secret_of)),
    };
    Generation {
        number,
        created_ms: 1_700_000_000_000 + number,
        origin: Origin::Imported,
        account: Some("3f9a12".repeat(5) + "c4"),
        bucket: None,
        read: Some(pair('a', 'c')),
        write: Some(pair('b', 'd')),
    }
}

/// The configured operator of finney, with everything on disk below a folder.
pub fn context(home: &Path, flags: Flags) -> Context {
    let flags = Flags { hotkey: Some(hotkey(42).to_string()), ..flags };
    let environment: Environment = [("HOME", home.to_str().unwrap())].into_iter().collect();
    Context::load(&flags, &environment).unwrap()
}

/// A store in memory of which a certain call fails; the first one is number 0.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<mock::Store>,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Debug, Default)]
struct Calls {
    seen: Vec<&'static str>,
    fails: Option<(usize, fn() -> Error)>,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { inner: mock::Store::new().unwrap(), calls: Arc::default() })
    }

    /// From now on the call of this number fails with this error.
    pub fn fail(&self, at: usize, with: fn() -> Error) {
        *self.calls.lock().unwrap() = Calls { seen: Vec::new(), fails: Some((at, with)) };
    }

    pub fn heal(&self) {
        *self.calls.lock().unwrap() = Calls::default();
    }

    /// The calls since then.
    pub fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().seen.clone()
    }

    pub fn store(self: &Arc<Self>) -> Arc<CredentialStore> {
        Arc::<Self>::clone(self)
    }

    /// What is kept under a generation's number, past every fault.
    pub fn raw(&self, owner: &Owner, number: u64) -> Entry {
        self.inner.build("grail-console", &format!("{owner}/{number}"), None).unwrap()
    }

    pub fn holds(&self, owner: &Owner, number: u64) -> bool {
        self.raw(owner, number).get_secret().is_ok()
    }
}

impl CredentialStoreApi for Faulty {
    fn vendor(&self) -> String {
        "a store with faults".to_owned()
    }

    fn id(&self) -> String {
        self.inner.id()
    }

    fn build(&self, service: &str, user: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry, Error> {
        let entry = self.inner.build(service, user, modifiers)?;
        Ok(Entry::new_with_credential(Arc::new(FaultyEntry { entry, calls: Arc::clone(&self.calls) })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct FaultyEntry {
    entry: Entry,
    calls: Arc<Mutex<Calls>>,
}

impl FaultyEntry {
    fn called(&self, what: &'static str) {
        let mut calls = self.calls.lock().unwrap();
        if let Some((_, with)) = calls.fails.filter(|(at, _)| *at == calls.seen.len()) {
            self.entry.as_any().downcast_ref::<mock::Cred>().unwrap().set_error(with());
        }
        calls.seen.push(what);
    }
}

impl CredentialApi for FaultyEntry {
    fn set_secret(&self, secret: &[u8]) -> Result<(), Error> {
        self.called("set");
        self.entry.set_secret(secret)
    }

    fn get_secret(&self) -> Result<Vec<u8>, Error> {
        self.called("get");
        self.entry.get_secret()
    }

    fn delete_credential(&self) -> Result<(), Error> {
        self.called("delete");
        self.entry.delete_credential()
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>, Error> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        self.entry.get_specifiers()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
