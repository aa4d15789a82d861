//! Why a hotkey's address cannot be told, or the hotkey not unlocked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::file_form::FileForm;
use crate::domain::hotkey::{Hotkey, HotkeyError};
use crate::domain::untrusted::Untrusted;

/// A wallet that cannot be read or unlocked, with what to do. Never carries anything of a key file but addresses, and
/// nothing of a password.
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
        "{path} is encrypted ({kind}), and without a {public} beside it only its password tells the address. {todo}, or name \
         the address too: --hotkey {shown}=SS58", shown = .name.shown(), path = path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// How it is encrypted.
        kind: &'static str,
        /// Name of the missing public file.
        public: String,
        /// Name of the hotkey.
        name: Untrusted,
        /// What to do.
        todo: &'static str,
    },
    /// A file of a form that no wallet reads.
    #[error("{path} {}. {}", .form.what(), .form.todo(), path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Which.
        form: FileForm,
    },
    /// The address given beside the name is not the one that the files tell.
    #[error(
        "the address given with --hotkey is {given}, but the wallet's files say {told}. Correct the one that is wrong"
    )]
    OtherAddress {
        /// Given.
        given: Hotkey,
        /// Told by the files.
        told: Hotkey,
    },
    /// A link to nowhere.
    #[error("{path} is a link to {target}, which is not there. Mount it, or correct the link", path = path.display(), target = target.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Written like an address, and none.
    #[error("the hotkey that is named is {0}, or give the hotkey's name")]
    MistypedAddress(HotkeyError),
    /// Neither JSON of a key file nor an address.
    #[error("{path} is not a Bittensor key file (no address in it). Restore it from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = .0.display())]
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
    /// No key file: it is known by its address alone.
    #[error(
        "{0} is only watched: there is no key file to sign with. Name its wallet and hotkey with --wallet and --hotkey, on the machine that has the file"
    )]
    WatchOnly(Hotkey),
    /// Where a key file was, or should be, there is none.
    #[error("there is no key file {path}. Check --wallet, --hotkey and --wallet-path", path = .0.display())]
    NoKeyFile(PathBuf),
    /// Encrypted as bittensor-wallet no longer does it.
    #[error("{path} is encrypted in a way that is no longer in use ({kind}). Run `btcli wallet regen-hotkey` with its phrase to write it anew; a new hotkey would have no uid", path = path.display())]
    LegacyLock {
        /// The file.
        path: PathBuf,
        /// How it is encrypted.
        kind: &'static str,
    },
    /// Encrypted, and nobody gave a password.
    #[error("{path} is encrypted and no password was given. Type it at the prompt, or give it with --password-file", path = .0.display())]
    PasswordNeeded(PathBuf),
    /// An empty password is a mistake: no key file has one.
    #[error("the password is empty. Give the one that the hotkey was encrypted with")]
    PasswordEmpty,
    /// The box does not open.
    #[error("the password does not open {path}, or the file was damaged. Type it again (btcli takes blanks off both ends of a typed password); if it is right, restore the file from a copy", path = .0.display())]
    WrongPassword(PathBuf),
    /// Too short to hold anything.
    #[error("{path} is cut off: {bytes} bytes are too few for an encrypted key. Restore it from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// The work of opening it broke off: a defect, or the program is ending.
    #[error(
        "opening the key file broke off ({0}). Try again; if it stays so, please report it with the lines of the log"
    )]
    BrokeOff(String),
    /// The memory that the password's derivation takes is not to be had.
    #[error("not enough memory to unlock {path}: it takes 512 MiB for some seconds. Stop something else or raise the limit (ulimit -v, the container's), then try again", path = .0.display())]
    OutOfMemory(PathBuf),
    /// The box opened, and something else was in it.
    #[error("the password opens {path}, but what is in it is not a key file. Restore it from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = .0.display())]
    NoKeyInside(PathBuf),
    /// A key file without a key.
    #[error("{path} holds no key as btcli writes it: no phrase, seed or private key to be read in it. If it is a public file in the wrong place, restore the key file from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = .0.display())]
    NoSecret(PathBuf),
    /// A `cryptoType` that is neither 0 nor 1.
    #[error("{path} names an unknown kind of key (cryptoType {}); known are 0, ed25519, and 1, sr25519. Correct that number, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", .crypto_type.map_or("that is no number".to_owned(), |number| number.to_string()), path = path.display())]
    UnknownScheme {
        /// The file.
        path: PathBuf,
        /// The number, when it is one.
        crypto_type: Option<u64>,
    },
    /// A field that should tell the key and cannot.
    #[error("{field} in {path} {why}. Restore the file from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = path.display())]
    BadField {
        /// The file.
        path: PathBuf,
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two fields that tell two keys.
    #[error("{one} and {other} in {path} are two different keys. Neither is used: restore the file from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey would have no uid", path = path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The field that would have counted.
        one: &'static str,
        /// The field that differs.
        other: &'static str,
    },
    /// The key is of another address than is told of it.
    #[error("the key in {path} is {derived}, but {by} says {told}. Compare with `btcli wallet list` and restore the right file", path = path.display(), by = by.display())]
    OtherKey {
        /// The key file.
        path: PathBuf,
        /// The key's address.
        derived: Hotkey,
        /// Where another address is told: the key file itself, or its public companion.
        by: PathBuf,
        /// The address told there.
        told: Hotkey,
    },
    /// The key is not the one that was to be unlocked.
    #[error("the key in {path} is {derived}, not {expected} that was to sign: the file was replaced since. Check who did it, then start again", path = path.display())]
    NotOwn {
        /// The key file.
        path: PathBuf,
        /// The key's address.
        derived: Hotkey,
        /// The address of the own hotkey.
        expected: Hotkey,
    },
    /// A password's file, or the standard input, cannot be read.
    #[error("cannot read the password from {from}: {error}. Check the path and its permissions")]
    PasswordUnreadable {
        /// Where it was to come from.
        from: String,
        /// What the system said.
        error: io::Error,
    },
    /// More than any password.
    #[error(
        "{from} has more than {} bytes, too many for a password. Name the file that holds the password alone",
        super::password::MAX_BYTES
    )]
    PasswordTooLong {
        /// Where it came from.
        from: String,
    },
    /// Bytes that are no text.
    #[error("the password from {from} is not UTF-8. Write it again as text, the password alone")]
    PasswordNotText {
        /// Where it came from.
        from: String,
    },
    /// A `BT_PW_` variable that holds something else.
    #[error("the BT_PW_ variable of {path} does not hold a password as btcli stores it. Store it again, or unset it and use --password-file", path = .0.display())]
    PasswordVariable(PathBuf),
}
