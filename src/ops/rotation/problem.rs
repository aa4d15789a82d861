//! Why a rotation does not go on for now. Whatever it is, everything is as it was.

use std::fmt;

use crate::chain::{ChainError, Fault};
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Ended, Failure};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::rotation::{Blocker, Contradiction};
use crate::domain::untrusted::sanitize;
use crate::ops::commit::Unprepared;
use crate::ops::vault::VaultProblem;
use crate::state::StateError;
use crate::vault::VaultError;

/// What kind of problem it is, by what a script does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Usage or configuration.
    Usage,
    /// A safety rule said no.
    Refused,
    /// The chain cannot be asked.
    Chain,
    /// The commit failed.
    Transaction,
    /// The vault cannot be used.
    Vault,
    /// It is too early, or something is under way.
    Pending,
}

/// A problem in three sentences.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// What failed, why, and what to do.
    pub finding: Diagnostic,
}

impl Problem {
    /// From its sentences.
    pub fn new(
        kind: Kind,
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { kind, finding: Diagnostic::new(code, Severity::Warning, what, why, todo) }
    }

    /// A rule of rotations said no.
    pub fn refused(
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self::new(Kind::Refused, code, what, why, todo)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { summary, cause, help, .. } = &self.finding;
        write!(f, "{}. {cause} {help}", summary.trim_end_matches('.'))
    }
}

impl std::error::Error for Problem {}

impl From<Blocker> for Problem {
    fn from(blocker: Blocker) -> Self {
        Self { kind: Kind::Pending, finding: blocker.finding() }
    }
}

impl From<VaultProblem> for Problem {
    fn from(problem: VaultProblem) -> Self {
        let kind = match &problem {
            VaultProblem::Chain(error) if error.fault.is_about_the_chain() => Kind::Usage,
            VaultProblem::Chain(_) => Kind::Chain,
            VaultProblem::NoHotkey(_)
            | VaultProblem::Vault(VaultError::Unknown { .. } | VaultError::Elsewhere { .. }) => Kind::Usage,
            VaultProblem::Vault(_)
            | VaultProblem::State(_)
            | VaultProblem::NoPlace
            | VaultProblem::NothingFound(_)
            | VaultProblem::Busy => Kind::Vault,
        };
        Self { kind, finding: problem.finding() }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        let text = sanitize(&error.to_string(), 400);
        let (what, todo) = text.split_once(". ").unwrap_or((&text, "Mend the state directory, see doctor."));
        let newer = matches!(error, StateError::Newer { .. });
        let code = if newer { "newer_state" } else { "no_journal" };
        let why = if newer {
            "A newer console may mean something else by what it wrote, so this one does not drive it."
        } else {
            "What is not written down could not be told after a crash, so nothing is done without it."
        };
        let kind = if newer { Kind::Refused } else { Kind::Usage };
        Self::new(kind, code, what, why, todo)
    }
}

impl From<Contradiction> for Problem {
    fn from(contradiction: Contradiction) -> Self {
        Self::refused(
            "contradiction",
            format!("The journal and this step contradict each other: {contradiction}"),
            "The console does not drive what it does not understand.",
            "Run rotate status, and report this as a mistake of ours.",
        )
    }
}

impl From<ChainError> for Problem {
    fn from(error: ChainError) -> Self {
        let kind = match &error.fault {
            Fault::NewerRuntime { .. } => Kind::Refused,
            fault if fault.is_about_the_chain() => Kind::Usage,
            _ => Kind::Chain,
        };
        Self { kind, finding: error.finding() }
    }
}

impl From<Unprepared> for Problem {
    fn from(error: Unprepared) -> Self {
        let kind = match &error {
            Unprepared::Identity(_) => Kind::Usage,
            Unprepared::Refused(_) => Kind::Refused,
            Unprepared::Chain(error) if error.fault.is_about_the_chain() => Kind::Usage,
            Unprepared::Chain(_) => Kind::Chain,
        };
        Self { kind, finding: in_rotation(error.finding()) }
    }
}

impl From<Rule> for Problem {
    fn from(rule: Rule) -> Self {
        Ended::Refused(rule).into()
    }
}

impl From<Ended> for Problem {
    fn from(ended: Ended) -> Self {
        let kind = match &ended {
            Ended::Failed { failure: Failure::NotSent { .. }, .. } => Kind::Chain,
            Ended::Failed { .. } | Ended::Expired { .. } => Kind::Transaction,
            Ended::Refused(_) => Kind::Refused,
            Ended::Pending { .. } | Ended::Unchanged { .. } | Ended::Committed(_) => Kind::Pending,
        };
        Self { kind, finding: in_rotation(ended.finding()) }
    }
}

/// The keys of an open rotation are not exchanged by hand: what is to be done about a secret in them has its own way.
fn in_rotation(mut finding: Diagnostic) -> Diagnostic {
    if finding.code.starts_with("holds_") {
        "Roll back (rotate rollback), then start again with an \u{201c}Object Read only\u{201d} token. \
                        If it is only a copy of that pair, take the copy away and run rotate resume."
            .clone_into(&mut finding.help);
    }
    finding
}
