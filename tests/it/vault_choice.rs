//! Which store is used, whose keys are in it, what is asked of whom, and for how long.

use std::any::Any;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use grail_console::cli::Exit;
use grail_console::config::Flags;
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Index};
use grail_console::ops::context::Context;
use grail_console::ops::vault::{
    VaultProblem, Wanted, choose, genesis, index, open, open_within, owner as owner_of, passphrase_wanted,
};
use grail_console::vault::{FileKey, Vault, VaultError, platform_default};
use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, Entry, Error, mock};

use crate::support::house::says;
use crate::support::pool::by_hand;
use crate::support::vault::{context, generation, owner};

fn backend(flags: Flags, index: &Index, profile: &str) -> Backend {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/grail-console");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), format!("default_profile = \"p\"\n[profile.p]\n{profile}\n")).unwrap();
    choose(&context(home.path(), flags), index).backend
}

/// An index whose generation in use is in a store.
fn in_use(backend: Backend) -> Index {
    let mut index = Index::default();
    index.hold(generation(1).holding(Backend::Keychain));
    index.hold(generation(2).holding(backend));
    index.promote(2);
    index
}

#[test]
fn a_flag_beats_the_profile_beats_the_store_in_use_beats_the_desktop_s() {
    let flag = || Flags { vault: Some(Backend::Keyutils), ..Flags::default() };
    assert_eq!(backend(flag(), &in_use(Backend::File), "vault = \"file\""), Backend::Keyutils);
    assert_eq!(backend(Flags::default(), &in_use(Backend::Keyutils), "vault = \"file\""), Backend::File);
    assert_eq!(backend(Flags::default(), &in_use(Backend::File), ""), Backend::File);
    assert_eq!(backend(Flags::default(), &Index::default(), ""), platform_default());
    assert_eq!(backend(Flags::default(), &in_use(Backend::Memory), ""), platform_default(), "practice left a trace");
    let mut none_in_use = in_use(Backend::File);
    none_in_use.current = None;
    assert_eq!(backend(Flags::default(), &none_in_use, ""), platform_default());
    assert_ne!(platform_default(), Backend::File);
}

#[test]
fn every_store_has_a_name_in_the_profile_and_memory_has_none() {
    for named in Backend::NAMED {
        assert_eq!(Backend::named(named.word()), Some(named));
        assert_eq!(backend(Flags::default(), &Index::default(), &format!("vault = \"{}\"", named.word())), named);
    }
    assert_eq!(Backend::named("memory"), None);
    assert!(!Backend::NAMED.contains(&Backend::Memory));
}

/// A home with a passphrase-less way in: a key file.
fn with_key_file(home: &Path) -> Flags {
    let path = home.join("vault.key");
    if !path.exists() {
        FileKey::generate(&path).unwrap();
    }
    Flags { vault: Some(Backend::File), vault_key_file: Some(path), ..Flags::default() }
}

#[tokio::test]
async fn the_encrypted_file_keeps_keys_between_runs() {
    let home = tempfile::tempdir().unwrap();
    let context = context(home.path(), with_key_file(home.path()));
    let mut opened = open(&context, None).await.unwrap();
    assert_eq!((opened.owner, opened.backend()), (owner(), Backend::File));
    opened.put(generation(1)).await.unwrap();
    opened.promote(1).await.unwrap();
    drop(opened);
    let again = open(&context, None).await.unwrap();
    assert_eq!(again.current().await.unwrap(), Some(generation(1)));
    assert_eq!(index(&context).await.unwrap(), (owner(), again.index.clone()));
}

#[tokio::test]
async fn a_passphrase_is_wanted_only_for_the_file_and_twice_for_a_new_one() {
    let home = tempfile::tempdir().unwrap();
    let of = |flags| context(home.path(), flags);
    let file = || Flags { vault: Some(Backend::File), ..Flags::default() };
    assert_eq!(passphrase_wanted(&of(Flags::default())).await.unwrap(), None);
    assert_eq!(passphrase_wanted(&of(with_key_file(home.path()))).await.unwrap(), None);
    assert_eq!(passphrase_wanted(&of(file())).await.unwrap(), Some(Wanted::New));
    let without = open(&of(file()), None).await.unwrap_err();
    assert!(matches!(without, VaultProblem::Vault(VaultError::NeedsKey)), "{without:?}");
    let passphrase = || Some(SecretKey::new("correct horse"));
    let mut opened = open(&of(file()), passphrase()).await.unwrap();
    opened.put(generation(1)).await.unwrap();
    assert_eq!(passphrase_wanted(&of(file())).await.unwrap(), Some(Wanted::Known));
    let wrong = open(&of(file()), Some(SecretKey::new("correct house"))).await.unwrap_err();
    assert_eq!((wrong.code(), Exit::of(wrong.finding().class)), ("vault_wrong_key", Exit::VaultUnavailable));
    let again = open(&of(file()), passphrase()).await.unwrap();
    assert_eq!(again.generation(1).await.unwrap(), generation(1));
}

#[tokio::test]
async fn a_generation_in_another_store_is_named_with_the_way_to_it() {
    let home = tempfile::tempdir().unwrap();
    let mut elsewhere = context(home.path(), Flags::default());
    elsewhere.sandbox_vault = Some(Vault::in_memory().unwrap());
    let mut memory = open(&elsewhere, None).await.unwrap();
    memory.put(generation(1)).await.unwrap();
    memory.promote(1).await.unwrap();
    let mut file = open(&context(home.path(), with_key_file(home.path())), None).await.unwrap();
    let problems = [
        file.current().await.unwrap_err(),
        file.forget(1).await.unwrap_err(),
        file.promote(1).await.unwrap_err(),
        file.put(generation(1)).await.unwrap_err(),
    ];
    for problem in problems {
        assert!(matches!(problem, VaultProblem::Vault(VaultError::Elsewhere { number: 1, .. })), "{problem:?}");
        says(&problem.to_string(), &["generation 1 is in memory", "the encrypted file is open", "practice"]);
        assert_eq!(Exit::of(problem.finding().class), Exit::Usage);
    }
    assert_eq!(file.next_number().await.unwrap(), 2, "numbers are one row over all stores");
    file.put(generation(2)).await.unwrap();
    assert_eq!(memory.current().await.unwrap(), Some(generation(1)));
}

#[tokio::test]
async fn practice_keeps_its_keys_in_memory_whatever_is_named() {
    let home = tempfile::tempdir().unwrap();
    let mut context = context(home.path(), Flags { vault: Some(Backend::SecretService), ..Flags::default() });
    context.sandbox_vault = Some(Vault::in_memory().unwrap());
    assert_eq!(choose(&context, &Index::default()).backend, Backend::Memory);
    assert_eq!(passphrase_wanted(&context).await.unwrap(), None);
    let mut opened = open(&context, None).await.unwrap();
    opened.put(generation(1)).await.unwrap();
    let again = open(&context, None).await.unwrap();
    assert_eq!(again.generation(1).await.unwrap(), generation(1), "every use case finds the same vault");
}

#[tokio::test]
async fn a_store_of_another_system_is_missing_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let foreign = if cfg!(target_os = "linux") { Backend::Keychain } else { Backend::SecretService };
    let context = context(home.path(), Flags { vault: Some(foreign), ..Flags::default() });
    let problem = open(&context, None).await.unwrap_err();
    assert_eq!((problem.code(), Exit::of(problem.finding().class)), ("vault_missing", Exit::VaultUnavailable));
    says(&problem.to_string(), &["this system has no such store", "--vault"]);
}

#[tokio::test]
async fn whose_keys_needs_a_hotkey_and_no_key_file() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(owner_of(&context(home.path(), Flags::default())).await.unwrap(), owner());
    let environment: Environment = [("HOME", home.path().to_str().unwrap())].into_iter().collect();
    let nobody = Context::load(&Flags::default(), &environment).unwrap();
    let problem = owner_of(&nobody).await.unwrap_err();
    assert_eq!((problem.code(), Exit::of(problem.finding().class)), ("no_hotkey", Exit::Usage));
    says(&problem.to_string(), &["no hotkey is configured", "--hotkey"]);
    let finding = problem.finding();
    says(&finding.summary, &["No hotkey is configured"]);
    says(&finding.help, &["Name the wallet and hotkey"]);
}

#[tokio::test]
async fn a_chain_that_nobody_pinned_is_asked_once_and_noted() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = Box::pin(by_hand("healthy")).await;
    let flags = || Flags { endpoint: Some(sandbox.url().to_owned()), ..Flags::default() };
    let asked = genesis(&context(home.path(), flags())).await.unwrap();
    let connections = sandbox.meter().connections;
    assert_eq!(genesis(&context(home.path(), flags())).await.unwrap(), asked);
    assert_eq!(owner_of(&context(home.path(), flags())).await.unwrap().genesis, asked);
    assert_eq!(sandbox.meter().connections, connections, "what is noted is not asked again");
    let away = Flags { endpoint: Some("ws://127.0.0.1:9".to_owned()), ..Flags::default() };
    let problem = owner_of(&context(home.path(), away)).await.unwrap_err();
    assert!(matches!(problem, VaultProblem::Chain(_)), "{problem:?}");
    assert_eq!(Exit::of(problem.finding().class), Exit::ChainUnreachable);
}

/// A store that takes its time over every secret.
#[derive(Debug)]
struct Slow(Arc<mock::Store>, Duration);

#[derive(Debug)]
struct SlowEntry(Entry, Duration);

impl CredentialStoreApi for Slow {
    fn vendor(&self) -> String {
        "slow".to_owned()
    }

    fn id(&self) -> String {
        self.0.id()
    }

    fn build(&self, service: &str, user: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry, Error> {
        let entry = self.0.build(service, user, modifiers)?;
        Ok(Entry::new_with_credential(Arc::new(SlowEntry(entry, self.1))))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialApi for SlowEntry {
    fn set_secret(&self, secret: &[u8]) -> Result<(), Error> {
        std::thread::sleep(self.1);
        self.0.set_secret(secret)
    }

    fn get_secret(&self) -> Result<Vec<u8>, Error> {
        self.0.get_secret()
    }

    fn delete_credential(&self) -> Result<(), Error> {
        self.0.delete_credential()
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>, Error> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        self.0.get_specifiers()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The operator answers the store's question after the console has given up: what was begun is ended whole.
#[tokio::test]
async fn an_answer_that_comes_too_late_still_keeps_store_and_index_in_step() {
    let home = tempfile::tempdir().unwrap();
    let store = mock::Store::new().unwrap();
    let mut context = context(home.path(), Flags::default());
    context.sandbox_vault = Some(Vault::over(Backend::Memory, Arc::new(Slow(store, Duration::from_millis(400)))));
    let mut opened = open_within(&context, None, Duration::from_millis(50)).await.unwrap();
    let problem = opened.put(generation(1)).await.unwrap_err();
    assert_eq!((problem.code(), Exit::of(problem.finding().class)), ("vault_no_answer", Exit::VaultUnavailable));
    assert_eq!(index(&context).await.unwrap().1, Index::default(), "not yet");
    // The next one waits for its turn, and finds both.
    let mut patient = open(&context, None).await.unwrap();
    assert_eq!(patient.next_number().await.unwrap(), 2);
    assert_eq!(patient.generation(1).await.unwrap(), generation(1));
}

#[test]
fn no_place_on_disk_is_no_vault() {
    let mut context = context(&PathBuf::from("/proc/none"), Flags::default());
    context.disk.state = None;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let problem = runtime.block_on(index(&context)).unwrap_err();
    assert_eq!((problem.code(), Exit::of(problem.finding().class)), ("no_disk", Exit::VaultUnavailable));
    says(&problem.to_string(), &["state directory", "doctor"]);
}
