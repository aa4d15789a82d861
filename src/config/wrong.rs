//! Settings that are wrong: each is named with its place, and stands in the way of what needs it and of nothing else.

use std::fmt;

use super::ConfigError;
use super::setting::{Files, Origin};
use crate::domain::diagnostic::{About, Class, Diagnostic, Severity};

/// What cannot be done while a setting is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Everything but `doctor`: which subnet or `.env` is meant is not known, and another one must not be taken for it.
    Subnet,
    /// Whatever asks the S3 store or decides what is published.
    Store,
    /// Finding the own hotkey by name.
    Wallet,
    /// Whatever opens the vault.
    Vault,
    /// Writing keys into GRAIL's `.env`.
    EnvFile,
}

impl Needs {
    const fn consequence(self) -> &'static str {
        match self {
            Self::Subnet => "Which subnet is meant is not known, so the chain is not asked and nothing is published.",
            Self::Store => "Read tests, commits and rotations are refused until it is right.",
            Self::Wallet => "The own hotkey is not found by its name.",
            Self::Vault => "The vault's encrypted file is not opened.",
            Self::EnvFile => "Nothing is written into GRAIL's .env until it is right.",
        }
    }
}

/// A setting that is wrong, with what was found out of it.
#[derive(Debug)]
pub struct Wrong {
    /// What needs it.
    pub needs: Needs,
    /// Where it stands; `None` where the error itself says so.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub error: ConfigError,
}

/// A setting that is wrong, in words: where it stands, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSetting {
    /// What needs it.
    pub needs: Needs,
    /// Whether a safety rule said no, rather than that it makes no sense.
    pub is_refusal: bool,
    about: Option<Box<About>>,
    words: String,
}

impl WrongSetting {
    /// Of an error, whose words say what to do.
    pub fn new(needs: Needs, place: Option<&str>, error: &dyn fmt::Display, is_refusal: bool) -> Self {
        let words = place.map_or_else(|| error.to_string(), |place| format!("{place}: {error}"));
        Self { needs, is_refusal, about: None, words }
    }

    pub(super) fn of(wrong: &Wrong, files: &Files) -> Self {
        let place = wrong.origin.as_ref().map(|origin| origin.place(files));
        let about = wrong.origin.as_ref().map(|origin| Box::new(origin.about(files)));
        Self { about, ..Self::new(wrong.needs, place.as_deref(), &wrong.error, false) }
    }

    /// As what stops a command that needs it: in its own words.
    pub fn stops(&self) -> Diagnostic {
        Diagnostic { about: self.about.clone(), ..Diagnostic::of_text("wrong_setting", self.class(), &self.words) }
    }

    const fn class(&self) -> Class {
        if self.is_refusal { Class::Refused } else { Class::Usage }
    }

    /// As a finding.
    pub fn finding(&self) -> Diagnostic {
        let lines: Vec<&str> = self.words.lines().map(str::trim).collect();
        let finding = Diagnostic::new(
            "wrong_setting",
            Severity::Warning,
            format!("A setting cannot be used. {}", lines.join(" · ")),
            self.needs.consequence(),
            "Correct it there; what does not need it goes on.",
        )
        .in_class(self.class());
        Diagnostic { about: self.about.clone(), ..finding }
    }
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for WrongSetting {}
