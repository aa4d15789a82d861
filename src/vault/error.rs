//! Why a vault cannot be used: each fault its own name, with what to do (THREATS T15).

use thiserror::Error;

use crate::domain::vaulted::{Backend, GenerationNumber};

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

/// Why a vault cannot be used.
#[derive(Debug, Error)]
pub enum VaultError {
    /// There is no such store on this machine, or nobody answers.
    #[error("{backend} cannot be reached: {why}. {todo}", backend = .backend.name())]
    Missing {
        /// Which store.
        backend: Backend,
        /// What was found instead.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// It is there, and locked.
    #[error("{backend} is locked: {why}. {todo}", backend = .backend.name())]
    Locked {
        /// Which store.
        backend: Backend,
        /// What it said.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// It is there, open, and refuses.
    #[error("{backend} refuses: {why}. {todo}", backend = .backend.name())]
    Denied {
        /// Which store.
        backend: Backend,
        /// What it said.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// A generation that should be there is not.
    #[error(
        "generation {number} is not in {backend}, where it was put. Look whether this is the same user and the same store; \
         otherwise take the keys from where they were made and import them again",
        backend = .backend.name()
    )]
    Gone {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
    },
    /// A generation is there, and not as it was put there.
    #[error(
        "generation {number} in {backend} is damaged: {damage}. It is not used; import the keys again, and look who else \
         writes there",
        backend = .backend.name()
    )]
    Damaged {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
        /// How.
        damage: Damage,
    },
    /// Something else has that name already; nothing is ever overwritten.
    #[error(
        "{backend} already holds a generation {number} with other keys, and nothing is overwritten. Run keys list, then \
         try again",
        backend = .backend.name()
    )]
    Occupied {
        /// Which store.
        backend: Backend,
        /// Which generation.
        number: GenerationNumber,
    },
    /// What was written does not read back.
    #[error(
        "what was written to {backend} does not read back as it was written. Nothing was changed elsewhere; check the \
         store, then try again",
        backend = .backend.name()
    )]
    NotKept {
        /// Which store.
        backend: Backend,
    },
    /// The encrypted file does not open with this passphrase or key file.
    #[error("the encrypted file does not open: {why}. {todo}")]
    WrongKey {
        /// What is wrong.
        why: String,
        /// What to do.
        todo: &'static str,
    },
    /// The passphrase or key file is needed, and was not given.
    #[error(
        "the encrypted file needs its passphrase: type it when asked, or name --vault-passphrase-file or --vault-key-file"
    )]
    NeedsKey,
    /// The encrypted file itself: its place, its mode, the disk.
    #[error("the encrypted file: {0}")]
    File(String),
    /// The store broke off in a way that no name fits.
    #[error("{backend} failed: {why}. Try again; if it stays so, look into its own log", backend = .backend.name())]
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
            Self::Gone { .. } => "vault_generation_gone",
            Self::Damaged { .. } => "vault_damaged",
            Self::Occupied { .. } => "vault_occupied",
            Self::NotKept { .. } => "vault_not_kept",
            Self::WrongKey { .. } => "vault_wrong_key",
            Self::File(_) => "vault_file",
            Self::Failed { .. } => "vault_failed",
        }
    }
}
