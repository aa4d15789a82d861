//! Who the operator is: the hotkey that the settings name, found in the wallet.

use crate::config::Configuration;
use crate::domain::findings::{Finding, Severity};
use crate::domain::untrusted::sanitize;
use crate::logs::redacted;
use crate::wallet::{self, OwnHotkey};

/// Bittensor's name for a wallet that nobody named.
const DEFAULT_WALLET: &str = "default";

pub(super) fn own_hotkey(configuration: &Configuration, findings: &mut Vec<Finding>) -> Option<OwnHotkey> {
    let settings = &configuration.settings;
    let name = settings.hotkey.as_ref()?;
    let identity = wallet::identify(
        settings.wallet_path.as_ref().map(|path| path.value.as_path()),
        Some(settings.wallet.as_ref().map_or(DEFAULT_WALLET, |wallet| wallet.value.as_str())),
        name.value.as_str(),
    );
    match identity {
        Ok(found) => {
            findings.extend(found.findings.iter().cloned());
            Some(found)
        }
        Err(error) => {
            findings.push(Finding::new(
                "own_hotkey",
                Severity::Warning,
                // The name that was not found may be a key in the wrong place.
                format!("The own hotkey is not known: {}", redacted(&sanitize(&error.to_string(), 400))),
                "Without it the console cannot mark your row or compare it with the local credentials.",
                "Name the wallet and hotkey with --wallet and --hotkey, or give the SS58 address with --hotkey.",
            ));
            None
        }
    }
}
