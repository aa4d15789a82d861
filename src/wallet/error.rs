//! Why a hotkey's address cannot be told.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::hotkey::{Hotkey, HotkeyError};
use crate::domain::untrusted::Untrusted;

/// A wallet that cannot be read, with what to do. Never carries anything of a key file but its address.
#[derive(Debug, Error)]
pub enum WalletError {
    /// A name with a separator, a leading dot or a control character.
    #[error("{0:?} is not the name of a wallet or hotkey: give the name alone, without a path (folder: --wallet-path)")]
    NotAName(Untrusted),
    /// A hotkey by name, and no wallet to find it in.
    #[error(
        "hotkey {0:?} is named but no wallet: add --wallet NAME (BT_WALLET_COLD), or give the hotkey's SS58 address"
    )]
    WalletNotNamed(Untrusted),
    /// A hotkey by name, and no folder of wallets.
    #[error("no folder of wallets: HOME is not set. Give --wallet-path, or the hotkey's SS58 address with --hotkey")]
    NoFolder,
    /// There is no such wallet.
    #[error("no wallet {name:?} in {path}. Check --wallet and --wallet-path", path = path.display())]
    NoWallet {
        /// Its name.
        name: Untrusted,
        /// The folder of wallets.
        path: PathBuf,
    },
    /// The wallet has no such hotkey.
    #[error("no hotkey {name:?} in {path}. Check --hotkey, or give its SS58 address to watch it", path = path.display())]
    NoHotkey {
        /// Its name.
        name: Untrusted,
        /// The wallet's folder of hotkeys.
        path: PathBuf,
    },
    /// A file of the wallet cannot be read.
    #[error("cannot read {path}: {error}. Check its permissions", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not a regular file, or a link to the coldkey.
    #[error("{path} is not a hotkey file and is not opened", path = .0.display())]
    NotAHotkeyFile(PathBuf),
    /// Larger than any key file.
    #[error("{path} has {bytes} bytes, too many for a key file", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Encrypted, and nothing beside it tells the address.
    #[error(
        "{path} is encrypted ({kind}) and there is no {public} beside it. Give the hotkey's SS58 address with --hotkey, or run {command} to write the file", path = path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// How it is encrypted.
        kind: &'static str,
        /// Name of the missing public file.
        public: String,
        /// What writes it.
        command: &'static str,
    },
    /// Neither JSON of a key file nor an address.
    #[error("{path} is not a Bittensor key file (no address in it). Regenerate the hotkey with btcli, or give its SS58 address with --hotkey", path = .0.display())]
    NoAddress(PathBuf),
    /// What stands where the address should be is none.
    #[error("the address in {path} is {error}", path = path.display())]
    BadAddress {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: HotkeyError,
    },
    /// Two places tell two addresses.
    #[error(
        "{first} says {one} and {second} says {other}: one of them is of another key. Compare with `btcli wallet list` and restore the right file", first = first.display(), second = second.display()
    )]
    Mismatch {
        /// One file.
        first: PathBuf,
        /// The address in it.
        one: Hotkey,
        /// The other, or the same file with another field.
        second: PathBuf,
        /// The address in it.
        other: Hotkey,
    },
}
