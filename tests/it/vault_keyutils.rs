//! The kernel's keyring, with a session that has one and without.

use std::fs;

use grail_console::config::Flags;
use grail_console::domain::vault_index::Backend;
use grail_console::ops::vault::{VaultProblem, open};
use linux_keyutils::{KeyRing, KeyRingIdentifier};
use tokio::sync::Mutex;

use crate::state_files::{again_under, child_dir};
use crate::support::house::says;
use crate::support::vault::{context, generation, owner};

/// The kernel shows the keys of all these tests in one list.
static KEYS: Mutex<()> = Mutex::const_new(());

/// Here keyctl is a system call that containers often forbid: then there is no such keyring, which is said as well.
#[tokio::test]
async fn the_kernel_s_keyring_keeps_keys_where_the_session_has_one() {
    let _turn = KEYS.lock().await;
    let home = tempfile::tempdir().unwrap();
    let context = context(home.path(), Flags { vault: Some(Backend::Keyutils), ..Flags::default() });
    // A session of this thread, and of those that it begins.
    let session = KeyRing::from_special_id(KeyRingIdentifier::Session, true);
    match (session, open(&context, None).await) {
        (Ok(_), opened) => {
            let mut opened = opened.unwrap();
            assert_eq!(opened.next_number().await.unwrap(), 1);
            opened.put(generation(1)).await.unwrap();
            assert_eq!(open(&context, None).await.unwrap().generation(1).await.unwrap(), generation(1));
            opened.forget(1).await.unwrap();
            assert_eq!(opened.index.holdings, []);
        }
        (Err(_), opened) => says_how_to_get_a_session(&opened.unwrap_err()),
    }
}

/// A secret written there could not be read again, and would stay until reboot: none is written.
#[test]
fn a_session_without_a_keyring_is_told_before_any_secret_is_written() {
    const TEST: &str = "vault_keyutils::a_session_without_a_keyring_is_told_before_any_secret_is_written";
    let Some(home) = child_dir() else {
        let _turn = KEYS.blocking_lock();
        let home = tempfile::tempdir().unwrap();
        return again_under(TEST, "exec {}", home.path());
    };
    let context = context(&home, Flags { vault: Some(Backend::Keyutils), ..Flags::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let named = |name: &str| fs::read_to_string("/proc/keys").unwrap_or_default().contains(name);
    match runtime.block_on(open(&context, None)) {
        Err(problem) => says_how_to_get_a_session(&problem),
        // Whoever runs this has a session keyring, and it works.
        Ok(mut opened) => {
            runtime.block_on(opened.put(generation(1))).unwrap();
            runtime.block_on(opened.forget(1)).unwrap();
        }
    }
    assert!(!named(&owner().to_string()));
}

fn says_how_to_get_a_session(problem: &VaultProblem) {
    assert_eq!(problem.code(), "vault_missing", "{problem:?}");
    says(&problem.to_string(), &["the kernel's keyring", "keyctl session", "--vault file"]);
}
