//! What the operator is told when something is not as it should be: one type for every error, refusal, finding, blocker and
//! dispute, with one wording for screen, log, stderr and JSON.

use serde::Serialize;

/// How much it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Will cost rewards or surprise.
    Warning,
    /// Publishes a key, or makes validators fail now.
    Danger,
}

/// One thing the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable name for scripts.
    pub code: &'static str,
    /// How much it hurts.
    pub severity: Severity,
    /// What was found.
    pub summary: String,
    /// Why it matters.
    pub cause: String,
    /// What to do.
    pub help: String,
}

impl Diagnostic {
    /// In its three sentences: what was found, why it matters, what to do.
    pub fn new(
        code: &'static str,
        severity: Severity,
        summary: impl Into<String>,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { code, severity, summary: summary.into(), cause: cause.into(), help: help.into() }
    }
}
