//! What a use case knows of the vault before it opens anything, and after.

use std::fs;
use std::path::Path;

use grail_console::config::Flags;
use grail_console::domain::credentials::{Mode, Source, Variable};
use grail_console::domain::diagnostic::Severity;
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Index, Origin};
use grail_console::logs::redacted;
use grail_console::ops::context::Context;
use grail_console::ops::feed::watch_env_file;
use grail_console::state::StateDir;
use grail_console::vault::{Generation, KeyPair};

use crate::domain_credentials::{ACCOUNT, READ_ID, READ_SECRET, WRITE_ID, WRITE_SECRET};

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

fn context(home: &Path) -> Context {
    let environment = [("HOME", home.to_str().unwrap())].into_iter().collect::<Environment>();
    let flags = Flags { network: Some("finney".to_owned()), hotkey: Some(ALICE.to_owned()), ..Flags::default() };
    Context::load(&flags, &environment).unwrap()
}

fn generation(number: u64) -> Generation {
    let pair = |id: &str, secret: &str| Some(KeyPair { id: id.to_owned(), secret: SecretKey::new(secret) });
    Generation {
        number,
        created_ms: 1,
        origin: Origin::Imported,
        account: Some(ACCOUNT.to_owned()),
        bucket: Some(ACCOUNT.to_owned()),
        read: pair(READ_ID, READ_SECRET),
        write: pair(WRITE_ID, WRITE_SECRET),
    }
}

fn in_use(home: &Path) -> Index {
    let before = context(home);
    let mut index = Index::default();
    index.hold(generation(1).holding(Backend::File));
    index.promote(1);
    let state = StateDir::open(&before.paths.as_ref().unwrap().state).unwrap();
    state.vault().unwrap().write(&before.owner().unwrap(), &index).unwrap();
    index
}

#[test]
fn where_nothing_was_ever_kept_nothing_changes() {
    let home = tempfile::tempdir().unwrap();
    let context = context(home.path());
    assert_eq!(context.vault, Index::default());
    assert!(context.findings.iter().any(|finding| finding.code == "no_credentials"));
    assert_eq!(context.local().mode, Mode::Absent);
}

#[test]
fn the_index_is_known_at_the_start_without_opening_the_vault() {
    let home = tempfile::tempdir().unwrap();
    let index = in_use(home.path());
    let context = context(home.path());
    assert_eq!(context.vault, index);
    let local = context.local();
    assert_eq!((local.mode, local.read_key_id.as_deref()), (Mode::Dual, Some(READ_ID)));
    assert!(context.findings.iter().all(|finding| finding.code != "no_credentials"));
    assert!(context.configuration.local.is_empty());
}

#[test]
fn a_spoiled_index_is_a_finding_and_stops_nothing() {
    let home = tempfile::tempdir().unwrap();
    in_use(home.path());
    let folder = context(home.path()).paths.unwrap().state.join("vault");
    for file in fs::read_dir(folder).unwrap() {
        fs::write(file.unwrap().path(), b"{\"v\":1,").unwrap();
    }
    let context = context(home.path());
    let found = context.findings.iter().find(|finding| finding.code == "vault_index").unwrap();
    assert_eq!((found.severity, context.vault.in_use()), (Severity::Warning, None));
}

#[test]
fn with_a_generation_its_keys_count_and_its_secrets_are_told_to_the_log() {
    let home = tempfile::tempdir().unwrap();
    in_use(home.path());
    let before = context(home.path());
    let mut generation = generation(1);
    let canary = "c4na7y5ec7e7c4na7y5ec7e7c4na7y5ec7e7";
    generation.write = Some(KeyPair { id: WRITE_ID.to_owned(), secret: SecretKey::new(canary) });
    let after = before.with_generation(&generation);
    assert!(before.configuration.local.is_empty());
    let read = after.configuration.local.effective(Variable::ReadSecret).unwrap();
    assert_eq!((read.value.expose(), read.source), (READ_SECRET, Source::Vault { generation: 1 }));
    assert!(!redacted(&format!("said {canary}!")).contains(canary));
    assert!(!format!("{after:?}").contains(canary));
    assert_eq!(after.local().locator.as_deref(), Some(ACCOUNT));
}

/// The finding at the head of a context, by its code.
fn first_code(context: &Context) -> Option<&'static str> {
    context.findings.first().map(|finding| finding.code)
}

#[tokio::test]
async fn an_env_that_goes_away_while_it_is_watched_is_told_and_what_was_read_of_it_stands() {
    let home = tempfile::tempdir().unwrap();
    let env = home.path().join(".env");
    let text = format!("R2_ACCOUNT_ID={ACCOUNT}\nR2_READ_ACCESS_KEY_ID={READ_ID}\n");
    fs::write(&env, &text).unwrap();
    let environment = || [("HOME", home.path().to_str().unwrap())].into_iter().collect::<Environment>();
    let flags = Flags {
        network: Some("finney".to_owned()),
        hotkey: Some(ALICE.to_owned()),
        env_file: Some(env.clone()),
        ..Flags::default()
    };
    let context = Context::load(&flags, &environment()).unwrap();
    let mut told = watch_env_file(&context, flags, environment());
    fs::remove_file(&env).unwrap();
    let gone = told.recv().await.unwrap();
    assert_eq!(first_code(&gone), Some("env_file_gone"), "{:?}", gone.findings);
    assert_eq!(gone.configuration.local, context.configuration.local, "what was read before stands");
    fs::write(&env, text + "R2_BUCKET_ID=x\n").unwrap();
    let back = told.recv().await.unwrap();
    assert!(!back.findings.iter().any(|finding| finding.code.starts_with("env_file_")), "{:?}", back.findings);
    assert_ne!(back.configuration.local, context.configuration.local);
}
