//! Exit codes, a contract with scripts.

use std::process::ExitCode;

use crate::domain::diagnostic::Class;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Healthy, or done.
    Healthy,
    /// A finding: drift, an unreadable own commitment, a setting that will cost rewards.
    Finding,
    /// Wrong usage or configuration.
    Usage,
    /// Refused by a safety rule.
    Refused,
    /// No node of the chain could be asked.
    ChainUnreachable,
    /// A transaction was refused by the pool or the chain, or its era ended.
    TransactionFailed,
    /// The vault cannot be used: missing, locked, denied, damaged.
    VaultUnavailable,
    /// Pending or interrupted.
    Interrupted,
    /// What was asked could not be found out.
    Undetermined,
    /// `exec`: the program cannot be run, as shells answer.
    NotExecutable,
    /// `exec`: there is no such program, as shells answer.
    NotFound,
}

impl Exit {
    /// The code that belongs to what decides; the only place that says so.
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Remark => Self::Healthy,
            Class::Finding => Self::Finding,
            Class::Usage => Self::Usage,
            Class::Refused => Self::Refused,
            Class::Chain => Self::ChainUnreachable,
            Class::Transaction => Self::TransactionFailed,
            Class::Vault => Self::VaultUnavailable,
            Class::Pending => Self::Interrupted,
            Class::Unknown => Self::Undetermined,
            Class::NotExecutable => Self::NotExecutable,
            Class::NotFound => Self::NotFound,
        }
    }

    /// The number, as documented in `--help` and the README.
    pub const fn code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::ChainUnreachable => 4,
            Self::TransactionFailed => 5,
            Self::VaultUnavailable => 6,
            Self::Interrupted => 7,
            Self::Undetermined => 8,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
