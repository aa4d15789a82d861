//! Why a vault cannot be used: each fault its own name, with what to do (THREATS T15).

use std::fmt;

use thiserror::Error;

use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::{Backend, GenerationNumber};
use crate::state::StateError;

/// What is wrong with what a store gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// Not JSON of this console, or cut short.
    #[error("it is no generation of keys, or only a part of one")]
    NotOurs,
    /// Larger than any generation.
    #[error("it is larger than any generation of keys")]
    TooLarge,
    /// Whole, and changed.
    #[error("its checksum does not match")]
    Check,
    /// Of another hotkey, subnet, chain or number.
    #[error("it belongs to another hotkey, subnet, chain or generation")]
    Foreign,
    /// Not what the index says was put there.
    #[error("its keys are not those that were put there")]
    Exchanged,
    /// Written by a newer console.
    #[error("it was written by a newer console (version {0})")]
    Newer(u32),
}

/// Why a vault cannot be used. Shown as what happened, then what to do.
#[derive(Debug)]
pub enum VaultError {
    /// There is no such store on this machine, or nobody answers.
    Missing {
        /// Which store.
        backend: Backend,
        /// What was found instead.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// It is there, and locked.
    Locked {
        /// Which store.
        backend: Backend,
        /// What it said.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// It is there, open, and refuses.
    Denied {
        /// Which store.
        backend: Backend,
        /// What it said.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// It was asked, and did not answer in time: perhaps it asks a question that nobody sees.
    NoAnswer {
        /// Which store.
        backend: Backend,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// The index knows no such generation.
    Unknown {
        /// Which one was asked for.
        number: GenerationNumber,
    },
    /// The generation is in another store than the one that is open.
    Elsewhere {
        /// Which generation.
        number: GenerationNumber,
        /// Where it is.
        holder: Backend,
        /// What is open.
        open: Backend,
    },
    /// A generation that should be there is not.
    Gone {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
    },
    /// A generation is there, and not as it was put there.
    Damaged {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
        /// How.
        damage: Damage,
    },
    /// Something else has that name already; nothing is ever overwritten.
    Occupied {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
    },
    /// The number was given out before, and its generation is forgotten: numbers are never used again.
    Spent {
        /// Which number.
        number: GenerationNumber,
    },
    /// What was written does not read back.
    NotKept {
        /// Which store.
        backend: Backend,
    },
    /// The encrypted file does not open with this passphrase or key file.
    WrongKey {
        /// What is wrong.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// The passphrase or key file is needed, and was not given.
    NeedsKey,
    /// The encrypted file itself: its place, its mode, the disk. The text says what to do.
    File(String),
    /// The encrypted file is cut short, or was changed.
    FileDamaged {
        /// How that is known.
        why: &'static str,
    },
    /// The encrypted file was written by a newer console (THREATS T16).
    FileNewer(u32),
    /// The store broke off in a way that no name fits.
    Failed {
        /// Which store.
        backend: Backend,
        /// What it said.
        why: String,
    },
}

impl VaultError {
    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "vault_missing",
            Self::Locked { .. } | Self::NeedsKey => "vault_locked",
            Self::Denied { .. } => "vault_denied",
            Self::NoAnswer { .. } => "vault_no_answer",
            Self::Unknown { .. } => "vault_no_generation",
            Self::Elsewhere { .. } => "vault_elsewhere",
            Self::Gone { .. } => "vault_generation_gone",
            Self::Damaged { .. } | Self::FileDamaged { .. } => "vault_damaged",
            Self::Occupied { .. } => "vault_occupied",
            Self::Spent { .. } => "vault_spent",
            Self::NotKept { .. } => "vault_not_kept",
            Self::WrongKey { .. } => "vault_wrong_key",
            Self::File(_) => "vault_file",
            Self::FileNewer(_) => "vault_newer",
            Self::Failed { .. } => "vault_failed",
        }
    }

    /// What happened, without a full stop.
    pub fn what(&self) -> String {
        match self {
            Self::Missing { backend, why, .. } => format!("{} cannot be reached: {why}", backend.name()),
            Self::Locked { backend, why, .. } => format!("{} is locked: {why}", backend.name()),
            Self::Denied { backend, why, .. } => format!("{} refuses: {why}", backend.name()),
            Self::NoAnswer { backend, seconds } => format!("{} did not answer within {seconds} s", backend.name()),
            Self::Unknown { number } => format!("there is no generation {number} in the vault"),
            Self::Elsewhere { number, holder, open } => {
                format!("generation {number} is in {}, and {} is open", holder.name(), open.name())
            }
            Self::Gone { backend, number } => {
                format!("generation {number} is not in {}, where it was put", backend.name())
            }
            Self::Damaged { backend, number, damage } => {
                format!("generation {number} in {} is damaged: {damage}", backend.name())
            }
            Self::Occupied { backend, number } => {
                format!("{} already holds a generation {number} with other keys", backend.name())
            }
            Self::Spent { number } => format!("the number {number} was given out before, and its keys are forgotten"),
            Self::NotKept { backend } => {
                format!("what was written to {} does not read back as it was written", backend.name())
            }
            Self::WrongKey { why, .. } => format!("the encrypted file does not open: {why}"),
            Self::NeedsKey => "the encrypted file needs its passphrase or key file".to_owned(),
            Self::File(why) => format!("the encrypted file: {why}"),
            Self::FileDamaged { why } => format!("the encrypted file is damaged: {why}"),
            Self::FileNewer(version) => {
                format!("the encrypted file was written by a newer console (version {version})")
            }
            Self::Failed { backend, why } => format!("{} failed: {why}", backend.name()),
        }
    }

    /// What to do about it, without the last full stop.
    pub fn todo(&self) -> String {
        match self {
            Self::Missing { todo, .. }
            | Self::Locked { todo, .. }
            | Self::Denied { todo, .. }
            | Self::WrongKey { todo, .. } => (*todo).to_owned(),
            Self::NoAnswer { .. } => {
                "Look for a question on the desktop and answer it, then try again. Where no question can be shown, as \
                 over ssh, unlock the store at its desktop first, or choose the encrypted file with --vault file"
                    .to_owned()
            }
            Self::Unknown { .. } => "See what there is with keys list".to_owned(),
            Self::Elsewhere { holder: Backend::Memory, .. } => "It was practice, and ends with it".to_owned(),
            Self::Elsewhere { holder, .. } => format!("Open that one with --vault {}", holder.word()),
            Self::Gone { .. } => "Look whether this is the same user and the same store; otherwise take the keys from \
                                  where they were made and import them again"
                .to_owned(),
            Self::Damaged { .. } => "It is not used. Import the keys again, and look who else writes there".to_owned(),
            Self::Occupied { .. } => "Nothing is overwritten. Run keys list, then try again".to_owned(),
            Self::Spent { .. } => "Begin anew with the next number".to_owned(),
            Self::NotKept { .. } => "Nothing was changed elsewhere. Check the store, then try again".to_owned(),
            Self::NeedsKey => {
                "Type the passphrase when asked, or name --vault-passphrase-file or --vault-key-file".to_owned()
            }
            Self::File(_) => "Nothing was changed".to_owned(),
            Self::FileDamaged { .. } => {
                "Nothing was changed. Put a copy of the file back, or move it away and import the keys again".to_owned()
            }
            Self::FileNewer(_) => "Nothing was changed. Use that console".to_owned(),
            Self::Failed { .. } => "Try again; if it stays so, look into its own log".to_owned(),
        }
    }

    /// The disk said no.
    pub(super) fn disk(error: &StateError) -> Self {
        Self::File(sanitize(&error.to_string(), 400))
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.what(), self.todo())
    }
}

impl std::error::Error for VaultError {}
