//! How much is known of where rows come from: one node's word, unless they were taken further.

use std::collections::BTreeMap;

use crate::cli::table::{DIM, paint};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::provenance::{Depth, Dispute, Examined, Level};
use crate::domain::roster::Row;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::survey::Survey;
use crate::ops::verify::verify;

/// The level of each row.
#[derive(Debug, Default)]
pub struct Levels(Option<Examined>);

impl Levels {
    /// Takes those rows to the proof: what is verified stands in the survey from then on. What is in the
    /// way, and where sources contradict each other, comes back as findings.
    pub async fn of(
        context: &Context,
        found: &mut Survey,
        keep: impl Fn(&Row) -> bool,
        now_ms: u64,
    ) -> (Self, Vec<Diagnostic>) {
        let rows = found.roster.rows.iter().chain(&found.roster.ex_members).filter(|row| keep(row));
        let rows: BTreeMap<_, _> = rows.map(|row| (row.hotkey, Depth::Proof)).collect();
        if rows.is_empty() {
            return (Self::default(), Vec::new());
        }
        match verify(context, &rows, now_ms).await {
            Ok(verified) => {
                let findings = verified.disputes.iter().map(Dispute::finding).collect();
                found.believe(&verified, context.own().as_ref());
                (Self(Some(verified)), findings)
            }
            Err(error) => (Self::default(), vec![not_verified(&error.to_string())]),
        }
    }

    /// The level of a row; what was examined must be what is shown.
    pub fn level(&self, row: &Row) -> Level {
        let examined = self.0.as_ref().and_then(|found| found.rows.get(&row.hotkey));
        examined.filter(|found| found.is_of(row.commitment.as_ref())).map_or(Level::Reported, |found| found.level)
    }

    /// In one line, for these rows.
    pub fn line(&self, rows: &[&Row]) -> String {
        if self.0.is_none() {
            return paint(DIM, "as this node alone says (reported); --verify compares and proves it\n");
        }
        let count = |level: Level| rows.iter().filter(|row| self.level(row) == level).count();
        let counts = Level::ALL.into_iter().rev().map(|level| (count(level), level.word()));
        let told: Vec<String> =
            counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let only_told = if count(Level::Reported) > 0 { " (this node's word)" } else { "" };
        format!("{}{only_told}\n", told.join(", "))
    }
}

fn not_verified(error: &str) -> Diagnostic {
    Diagnostic::new(
        "not_verified",
        Severity::Warning,
        "The rows could not be verified",
        sanitize(error, 400),
        "They are what this node alone says. Try again, or name another node with --endpoint.",
    )
}
