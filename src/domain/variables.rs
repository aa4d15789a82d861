//! The six variables of the credentials, where their values stand, and which definition counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::domain::account::{AccountId, BucketName, LOCATOR_CHARS, ShapeError, is_placeholder, printable};
use crate::domain::provider::Provider;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::GenerationNumber;

/// The six variables that make up GRAIL's dual credentials (FACTS 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Variable {
    /// `R2_ACCOUNT_ID`
    #[serde(rename = "R2_ACCOUNT_ID")]
    AccountId,
    /// `R2_BUCKET_ID`
    #[serde(rename = "R2_BUCKET_ID")]
    BucketId,
    /// `R2_READ_ACCESS_KEY_ID`
    #[serde(rename = "R2_READ_ACCESS_KEY_ID")]
    ReadKeyId,
    /// `R2_READ_SECRET_ACCESS_KEY`
    #[serde(rename = "R2_READ_SECRET_ACCESS_KEY")]
    ReadSecret,
    /// `R2_WRITE_ACCESS_KEY_ID`
    #[serde(rename = "R2_WRITE_ACCESS_KEY_ID")]
    WriteKeyId,
    /// `R2_WRITE_SECRET_ACCESS_KEY`
    #[serde(rename = "R2_WRITE_SECRET_ACCESS_KEY")]
    WriteSecret,
}

impl Variable {
    /// In the order in which `doctor` lists them.
    pub const ALL: [Self; 6] =
        [Self::AccountId, Self::BucketId, Self::ReadKeyId, Self::ReadSecret, Self::WriteKeyId, Self::WriteSecret];

    /// The variable's name in the environment and in `.env`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountId => "R2_ACCOUNT_ID",
            Self::BucketId => "R2_BUCKET_ID",
            Self::ReadKeyId => "R2_READ_ACCESS_KEY_ID",
            Self::ReadSecret => "R2_READ_SECRET_ACCESS_KEY",
            Self::WriteKeyId => "R2_WRITE_ACCESS_KEY_ID",
            Self::WriteSecret => "R2_WRITE_SECRET_ACCESS_KEY",
        }
    }

    /// Whether the value is one of the two secrets.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::ReadSecret | Self::WriteSecret)
    }

    /// Checks the value's shape at this provider.
    pub fn check(self, provider: &Provider, text: &str) -> Result<(), ShapeError> {
        if is_placeholder(text) {
            return Err(ShapeError::Placeholder);
        }
        match (self, provider) {
            (Self::AccountId | Self::BucketId, Provider::R2(_)) => AccountId::parse(text).map(drop),
            // No longer than its place in a commitment, so that a secret pasted here is not taken for an id.
            (Self::AccountId, Provider::Custom(_) | Provider::Unusable(_)) => printable(text, LOCATOR_CHARS).map(drop),
            (Self::BucketId, Provider::Custom(_) | Provider::Unusable(_)) => custom_bucket(text).map(drop),
            (Self::ReadKeyId | Self::WriteKeyId, _) => provider.key_id(text).map(drop),
            (Self::ReadSecret | Self::WriteSecret, _) => provider.check_secret(text),
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn custom_bucket(text: &str) -> Result<BucketName, ShapeError> {
    let chars = text.chars().count();
    if chars > LOCATOR_CHARS {
        return Err(ShapeError::TooLong { chars, max: LOCATOR_CHARS });
    }
    BucketName::parse(text)
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A generation of keys in the vault, which beats the others for the console; GRAIL itself knows nothing of it.
    Vault {
        /// Number of the generation, from 1.
        generation: GenerationNumber,
    },
    /// GRAIL's `.env`, which beats exported variables as it does for GRAIL.
    EnvFile {
        /// Line of the definition, from 1; a later line beats an earlier one.
        line: u32,
    },
    /// An exported variable.
    Environment,
}

impl Source {
    /// Smaller is stronger: the vault, its newest generation first, the `.env`, its last line first, the environment.
    const fn precedence(self) -> (u8, Reverse<u64>) {
        match self {
            Self::Vault { generation } => (0, Reverse(generation)),
            Self::EnvFile { line } => (1, Reverse(line as u64)),
            Self::Environment => (2, Reverse(0)),
        }
    }

    /// Whether it is the vault.
    pub const fn is_vault(self) -> bool {
        matches!(self, Self::Vault { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault { generation } => write!(f, "vault #{generation}"),
            Self::EnvFile { line } => write!(f, ".env line {line}"),
            Self::Environment => f.write_str("environment"),
        }
    }
}

/// What one generation of the vault says of the six variables.
#[derive(Debug, Clone, Copy)]
pub struct VaultValues<'a> {
    /// Number of the generation.
    pub generation: GenerationNumber,
    /// `R2_ACCOUNT_ID`.
    pub account: Option<&'a str>,
    /// `R2_BUCKET_ID`.
    pub bucket: Option<&'a str>,
    /// The read key id and its secret.
    pub read: Option<(&'a str, &'a SecretKey)>,
    /// The write key id and its secret.
    pub write: Option<(&'a str, &'a SecretKey)>,
}

/// A value with its source. Held as a secret whatever the variable: a secret may stand in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced {
    /// The value as GRAIL would see it, which strips the blanks around it.
    pub value: SecretKey,
    /// Where it stands.
    pub source: Source,
}

/// All definitions of the six variables, the strongest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalValues(BTreeMap<Variable, Vec<Sourced>>);

impl LocalValues {
    /// Adds a definition; the order of additions does not matter. Blanks around the value are dropped, as GRAIL's
    /// schema drops them.
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy of a secret ends here")]
    pub fn define(&mut self, variable: Variable, value: SecretKey, source: Source) {
        let definitions = self.0.entry(variable).or_default();
        definitions.push(Sourced { value: SecretKey::new(value.expose().trim()), source });
        definitions.sort_by_key(|sourced| sourced.source.precedence());
    }

    /// Every definition of a variable, the one that counts first.
    pub fn definitions(&self, variable: Variable) -> &[Sourced] {
        self.0.get(&variable).map_or(&[], Vec::as_slice)
    }

    /// What counts: without the vault it is what GRAIL would see. An empty definition in the `.env` hides a filled one in the environment, and counts as
    /// missing.
    pub fn effective(&self, variable: Variable) -> Option<&Sourced> {
        self.definitions(variable).first().filter(|sourced| !sourced.value.expose().is_empty())
    }

    /// The same values seen from one kind of source alone.
    #[must_use]
    pub fn only(&self, keep: impl Fn(Source) -> bool) -> Self {
        let kept = self.0.iter().map(|(variable, all)| {
            (*variable, all.iter().filter(|sourced| keep(sourced.source)).cloned().collect::<Vec<_>>())
        });
        Self(kept.filter(|(_, all)| !all.is_empty()).collect())
    }

    /// The same with a generation of the vault on top; one that was there before is replaced.
    #[must_use]
    pub fn with_vault(&self, vault: VaultValues<'_>) -> Self {
        let mut values = self.grail();
        let id = |text: &str| SecretKey::new(text);
        let parts = [
            (Variable::AccountId, vault.account.map(id)),
            (Variable::BucketId, vault.bucket.map(id)),
            (Variable::ReadKeyId, vault.read.map(|(text, _)| id(text))),
            (Variable::ReadSecret, vault.read.map(|(_, secret)| secret.clone())),
            (Variable::WriteKeyId, vault.write.map(|(text, _)| id(text))),
            (Variable::WriteSecret, vault.write.map(|(_, secret)| secret.clone())),
        ];
        for (variable, value) in parts {
            if let Some(value) = value {
                values.define(variable, value, Source::Vault { generation: vault.generation });
            }
        }
        values
    }

    /// The same values without the vault: what GRAIL itself reads, from its `.env` and the environment.
    #[must_use]
    pub fn grail(&self) -> Self {
        self.only(|source| !source.is_vault())
    }

    /// The generation of the vault that they hold, if any.
    pub fn generation(&self) -> Option<GenerationNumber> {
        self.0.values().flatten().find_map(|sourced| match sourced.source {
            Source::Vault { generation } => Some(generation),
            _ => None,
        })
    }

    /// Where the first of the four key variables that is filled stands, the read secret's place before the others'.
    pub fn keys_from(&self) -> Option<Source> {
        let keys = [Variable::ReadSecret, Variable::ReadKeyId, Variable::WriteSecret, Variable::WriteKeyId];
        keys.iter().find_map(|variable| self.effective(*variable)).map(|sourced| sourced.source)
    }

    /// Whether nothing is defined at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of [`Self::effective`].
    pub(super) fn text(&self, variable: Variable) -> Option<&str> {
        self.effective(variable).map(|sourced| sourced.value.expose())
    }
}
