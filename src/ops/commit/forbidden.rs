//! Everything on this machine that must not be published, from the places that open without a question: the write pair of every
//! definition, each line of the `.env` and of the copies beside it, the environment, the hotkeys' files, the vault.

use crate::domain::guard::{Forbidden, KnownSecret, SecretKind, SecretPlace, Uncompared};
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;
use crate::ops::context::Context;
use crate::ops::vault;
use crate::wallet::{self, OwnHotkey, Signer};

/// Gathers it anew: files may have come since the start.
pub(super) async fn forbidden(context: &Context) -> Forbidden {
    let configuration = &context.configuration;
    let folder = configuration.settings.wallet_path.as_ref().map(|path| path.value.clone());
    let hotkeys = match folder {
        Some(folder) => tokio::task::spawn_blocking(move || wallet::hotkey_secrets(&folder)).await,
        None => Ok(wallet::HotkeySecrets::default()),
    };
    // Without an answer nothing was compared, and that is said.
    let hotkeys = hotkeys.unwrap_or_else(|_| wallet::HotkeySecrets { unreadable: 1, ..Default::default() });
    let texts: Vec<SecretKey> = hotkeys.plain.iter().map(|(_, secret)| secret.clone()).collect();
    crate::logs::redact_all(&texts);
    let of_hotkeys = hotkeys.plain.into_iter().map(|(file, text)| {
        let file = Untrusted::from_text(crate::logs::redacted(&file.to_string_lossy()));
        KnownSecret { kind: SecretKind::Wallet, place: SecretPlace::KeyFile(file), text }
    });
    let known = &configuration.known;
    let forbidden = Forbidden::default()
        .and(known.all.iter().cloned())
        .and(of_hotkeys)
        .and(Forbidden::of(&configuration.local))
        .and_not(Uncompared::EncryptedHotkey, hotkeys.encrypted)
        .and_not(Uncompared::UnreadableFile, hotkeys.unreadable + known.unreadable);
    vault::and_held(context, forbidden).await
}

/// The secrets of a key that was unlocked by now.
pub(super) fn of_signer(own: &OwnHotkey, signer: &Signer) -> impl Iterator<Item = KnownSecret> {
    let file = own.key_file.as_ref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let place = SecretPlace::KeyFile(Untrusted::from_text(crate::logs::redacted(&file)));
    signer.secrets().into_iter().map(move |text| KnownSecret { kind: SecretKind::Wallet, place: place.clone(), text })
}
