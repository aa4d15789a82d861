//! Who the operator is: the hotkey that the settings name, found in the wallet. An encrypted one with nothing beside it tells
//! its address only when it is unlocked; it is then remembered.

use tokio::task::spawn_blocking;

use crate::config::{Configuration, Flags};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::logs::redacted;
use crate::ops::context::Context;
use crate::ops::disk::Disk;
use crate::wallet::{self, Found, LockedHotkey, OwnHotkey, WalletError};

/// Bittensor's name for a wallet that nobody named.
const DEFAULT_WALLET: &str = "default";

/// The hotkey that is named, or what is in the way of knowing it.
pub(super) fn own_hotkey(
    configuration: &Configuration,
    disk: &Disk,
    findings: &mut Vec<Diagnostic>,
) -> (Option<OwnHotkey>, Option<LockedHotkey>) {
    let settings = &configuration.settings;
    let Some(name) = settings.hotkey.as_ref() else { return (None, None) };
    let found = wallet::identify(
        settings.wallet_path.as_ref().map(|path| path.value.as_path()),
        Some(settings.wallet.as_ref().map_or(DEFAULT_WALLET, |wallet| wallet.value.as_str())),
        name.value.as_str(),
    );
    let found = match found {
        Ok(Found::Locked(locked)) => match disk.address_of(&locked.hash) {
            Some(address) => Ok(locked.with_address(address)),
            None => Err((locked.error(), Some(locked))),
        },
        Ok(Found::Known(own)) => Ok(own),
        Err(error) => Err((error, None)),
    };
    match found {
        Ok(own) => {
            findings.extend(own.findings.iter().cloned());
            (Some(own), None)
        }
        Err((error, locked)) => {
            findings.push(not_known(&error));
            (None, locked)
        }
    }
}

/// That a hotkey is named and not known, in three sentences.
pub fn not_known(error: &WalletError) -> Diagnostic {
    let todo = match error {
        WalletError::NoWallet { .. } | WalletError::NoHotkey { .. } | WalletError::NoFolder => {
            "Name the wallet and hotkey with --wallet and --hotkey, or give the SS58 address with --hotkey."
        }
        _ => "To watch without the key, give the SS58 address with --hotkey.",
    };
    Diagnostic::new(
        "own_hotkey",
        Severity::Warning,
        // The name that was not found may be a key in the wrong place.
        format!("The own hotkey is not known: {}", redacted(&sanitize(&error.to_string(), 600))),
        "Without it the console cannot mark your row or compare it with the local credentials.",
        todo,
    )
}

/// Opens the locked hotkey's file once for its address, keeps that, and loads the context anew with it.
pub async fn learn(
    context: &Context,
    locked: &LockedHotkey,
    password: &SecretKey,
    (flags, environment): (&Flags, &Environment),
) -> Result<Context, WalletError> {
    let (file, password) = (locked.clone(), password.clone());
    let learnt = spawn_blocking(move || wallet::learn(&file, &password)).await;
    let (hotkey, hash) = learnt.unwrap_or_else(|error| Err(WalletError::BrokeOff(error.to_string())))?;
    let mut flags = flags.clone();
    if !context.disk.note_address(&hash, hotkey) {
        // For this run, then.
        flags.hotkey = Some(format!("{}={hotkey}", locked.name.1.as_str()));
    }
    let (environment, sandbox_vault) = (environment.clone(), context.sandbox_vault.clone());
    let loaded = spawn_blocking(move || Context::examine(&flags, &environment)).await;
    let loaded = loaded.map_err(|error| WalletError::BrokeOff(error.to_string()))?;
    Ok(Context { sandbox_vault, ..loaded })
}
