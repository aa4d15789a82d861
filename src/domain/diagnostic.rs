//! What the operator is told when something is not as it should be: one type for every error, refusal, finding, blocker and
//! dispute, with one wording for screen, log, stderr and JSON.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::domain::hotkey::Hotkey;
use crate::domain::untrusted::sanitize;

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

/// What a command that ends with it came to; the exit code follows from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing that was asked is wrong.
    Remark,
    /// Something that was asked about is wrong.
    Finding,
    /// Wrong usage or configuration.
    Usage,
    /// A safety rule said no.
    Refused,
    /// No node of the chain could be asked.
    Chain,
    /// The pool or the chain refused a transaction, or its era ended.
    Transaction,
    /// The vault cannot be used.
    Vault,
    /// It is under way, was interrupted, or waits for the operator.
    Pending,
    /// It could not be found out.
    Unknown,
    /// `exec`: the program cannot be run.
    NotExecutable,
    /// `exec`: there is no such program.
    NotFound,
}

/// What it is about. What does not apply is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Whose row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u16>,
    /// Whose hotkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hotkey: Option<Hotkey>,
    /// Which file, as it may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which of its lines, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Which variable, flag or key of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// One thing the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable name for scripts.
    pub code: &'static str,
    /// What a command that ends with it came to.
    #[serde(skip)]
    pub class: Class,
    /// How much it hurts.
    pub severity: Severity,
    /// What it is about; `None` where it is about the whole.
    pub about: Option<Box<About>>,
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
        let (summary, cause, help) = (summary.into(), cause.into(), help.into());
        Self { code, class: Class::Finding, severity, about: None, summary, cause, help }
    }

    /// What makes a command fail, from one text: what failed, then what to do after the first full stop or the last semicolon.
    pub fn of_text(code: &'static str, class: Class, text: &str) -> Self {
        let parts = text.rsplit_once("; ").or_else(|| text.split_once(". "));
        let (summary, help) = parts.unwrap_or((text, ""));
        Self { class, ..Self::new(code, Severity::Warning, summary, "", help) }
    }

    /// What makes a command fail, in three sentences.
    pub fn failure(
        class: Class,
        code: &'static str,
        summary: impl Into<String>,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { class, ..Self::new(code, Severity::Warning, summary, cause, help) }
    }

    /// A safety rule said no.
    pub fn refused(
        code: &'static str,
        summary: impl Into<String>,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::failure(Class::Refused, code, summary, cause, help)
    }

    /// What stands against the next step of a rotation.
    pub fn blocker(code: &'static str, summary: impl Into<String>, help: impl Into<String>) -> Self {
        Self::failure(Class::Pending, code, summary, "Until then the old keys are kept.", help)
    }

    /// The same in another class.
    #[must_use]
    pub const fn in_class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The same, about a row.
    #[must_use]
    pub fn about_row(mut self, uid: Option<u16>, hotkey: Hotkey) -> Self {
        let about = self.about.get_or_insert_default();
        (about.uid, about.hotkey) = (uid, Some(hotkey));
        self
    }

    /// The same, about a file and perhaps one of its lines.
    #[must_use]
    pub fn about_file(mut self, file: &Path, line: Option<u32>) -> Self {
        let about = self.about.get_or_insert_default();
        (about.file, about.line) = (Some(sanitize(&file.to_string_lossy(), 200)), line);
        self
    }

    /// The same, about a variable, a flag or a key of the configuration.
    #[must_use]
    pub fn about_variable(mut self, variable: impl Into<String>) -> Self {
        self.about.get_or_insert_default().variable = Some(variable.into());
        self
    }

    /// The same, about a line of GRAIL's `.env`.
    #[must_use]
    pub fn about_line(mut self, line: u32) -> Self {
        let about = self.about.get_or_insert_default();
        (about.file, about.line) = (Some(".env".to_owned()), Some(line));
        self
    }
}

/// In one line: what failed, why, what to do.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut so_far = self.summary.as_str();
        f.write_str(so_far)?;
        for next in [&self.cause, &self.help].into_iter().filter(|next| !next.is_empty()) {
            let begins_a_sentence = next.starts_with(|first: char| !first.is_lowercase());
            f.write_str(match (so_far.ends_with(['.', '!', '?']), begins_a_sentence) {
                (true, _) => " ",
                (false, true) => ". ",
                (false, false) => "; ",
            })?;
            f.write_str(next)?;
            so_far = next;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_tells_what_failed_and_what_to_do() {
        let of = |text: &str| Diagnostic::of_text("code", Class::Usage, text);
        let disk = of("cannot write to stdout: full; check where it leads");
        assert_eq!(
            (disk.summary.as_str(), disk.help.as_str()),
            ("cannot write to stdout: full", "check where it leads")
        );
        assert_eq!(disk.to_string(), "cannot write to stdout: full; check where it leads");
        assert_eq!(of("the passphrase is empty. Give one").to_string(), "the passphrase is empty. Give one");
        assert_eq!(of("no word of help").help, "");
    }

    #[test]
    fn three_sentences_stand_in_one_line() {
        let told = Diagnostic::new("code", Severity::Danger, "The key is gone", "Nobody can read.", "Make another.");
        assert_eq!(told.to_string(), "The key is gone. Nobody can read. Make another.");
    }
}
