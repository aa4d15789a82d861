//! What stops a rotation for now, in its words. Whatever it is, everything is as it was.

use crate::domain::commit::Ended;
use crate::domain::commit::outcome::Rule;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::rotation::Contradiction;
use crate::domain::untrusted::sanitize;
use crate::ops::commit::Unprepared;
use crate::ops::vault::VaultProblem;
use crate::state::StateError;

impl From<VaultProblem> for Diagnostic {
    fn from(problem: VaultProblem) -> Self {
        problem.finding()
    }
}

impl From<StateError> for Diagnostic {
    fn from(error: StateError) -> Self {
        let text = sanitize(&error.to_string(), 400);
        let (what, todo) = text.split_once(". ").unwrap_or((&text, "Mend the state directory, see doctor."));
        if matches!(error, StateError::Newer { .. }) {
            let why = "A newer console may mean something else by what it wrote, so this one does not drive it.";
            return Self::refused("newer_state", what, why, todo);
        }
        let why = "What is not written down could not be told after a crash, so nothing is done without it.";
        Self::failure(Class::Usage, "no_journal", what, why, todo)
    }
}

impl From<Contradiction> for Diagnostic {
    fn from(contradiction: Contradiction) -> Self {
        Self::refused(
            "contradiction",
            format!("The journal and this step contradict each other: {contradiction}"),
            "The console does not drive what it does not understand.",
            "Run rotate status, and report this as a mistake of ours.",
        )
    }
}

impl From<Unprepared> for Diagnostic {
    fn from(error: Unprepared) -> Self {
        in_rotation(error.finding())
    }
}

impl From<Ended> for Diagnostic {
    fn from(ended: Ended) -> Self {
        in_rotation(ended.finding())
    }
}

impl From<Rule> for Diagnostic {
    fn from(rule: Rule) -> Self {
        Ended::Refused(rule).into()
    }
}

/// What a commit came to within a rotation. One that went well is no reason to stop: somebody looks again. The keys of an
/// open rotation are not exchanged by hand: what is to be done about a secret in them has its own way.
fn in_rotation(mut finding: Diagnostic) -> Diagnostic {
    if finding.class == Class::Remark {
        finding.class = Class::Pending;
    }
    if finding.code.starts_with("holds_") {
        "Roll back (rotate rollback), then start again with an \u{201c}Object Read only\u{201d} token. \
                        If it is only a copy of that pair, take the copy away and run rotate resume."
            .clone_into(&mut finding.help);
    }
    finding
}
