//! The practice hotkey, and a check of signatures of its own.

use grail_console::domain::hotkey::Hotkey;
use grail_console::wallet::{OwnHotkey, Signer, unlock};
use sp_crypto_hashing::blake2_256;

use super::files;

/// Who signs.
pub(crate) fn signer() -> Signer {
    let wallets = files::folder();
    let folder = wallets.path().join("practice/hotkeys");
    std::fs::create_dir_all(&folder).unwrap();
    files::write(&folder.join("plain"), include_bytes!("../../fixtures/wallets/practice/hotkeys/plain"));
    unlock(&OwnHotkey::find(wallets.path(), "practice", "plain").unwrap(), None).unwrap()
}

/// Whether it is the hotkey's sr25519 signature over the payload, or over its hash where it is a long one.
pub(crate) fn is_signed(hotkey: &Hotkey, signature: &[u8; 64], payload: &[u8]) -> bool {
    let payload = if payload.len() > 256 { blake2_256(payload).to_vec() } else { payload.to_vec() };
    let Ok(key) = schnorrkel::PublicKey::from_bytes(hotkey.as_bytes()) else { return false };
    let signature = schnorrkel::Signature::from_bytes(signature);
    signature.is_ok_and(|signature| key.verify_simple(b"substrate", &payload, &signature).is_ok())
}
