//! Bittensor wallets: which address a hotkey name means, what lies where, and the unlocked hotkey that signs.
//!
//! A coldkey is never opened. Until a hotkey is unlocked, only the address is taken of its file; every buffer that held
//! a key file is wiped. What is unlocked is a [`Signer`], which shows its address and nothing else.

mod content;
mod error;
mod file_form;
mod file_hash;
mod hotkey_file;
mod listing;
mod lock;
mod modes;
mod nacl;
mod names;
mod own;
pub mod password;
mod signer;
mod unlock;

pub use error::WalletError;
pub use file_form::FileForm;
pub use file_hash::FileHash;
pub use hotkey_file::MAX_BYTES;
pub use listing::{HotkeySecrets, Listed, hotkey_secrets, list, names};
pub use lock::{Legacy, Lock, lock_of};
pub use names::Name;
pub use own::{Found, LockedHotkey, OwnHotkey, identify};
pub use signer::{Scheme, Signature, Signer};
pub use unlock::{learn, unlock};
