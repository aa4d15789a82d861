//! A secret of this machine that must not be published: its kind, where it stands, and how it was found again.

use std::fmt;

use crate::domain::credentials::{Source, Variable};
use crate::domain::secret::{SecretKey, says_secret};
use crate::domain::untrusted::Untrusted;
use crate::domain::vault_index::GenerationNumber;

/// Characters from which an id is looked for everywhere. Shorter ones are chosen by people, who name buckets and users
/// after each other; an R2 key id has 32.
pub(super) const NO_NAME: usize = 24;
/// Shortest word of a text that is looked at by itself, and of which the SHA-256 is looked for: API tokens have 40 characters.
pub(super) const TOKEN: usize = 16;

/// What kind of secret must not be published, in the words of the refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretKind {
    /// `R2_WRITE_ACCESS_KEY_ID`, from whichever place.
    WriteKeyId,
    /// `R2_WRITE_SECRET_ACCESS_KEY`, from whichever place.
    WriteSecret,
    /// A phrase, seed or private key of a wallet.
    Wallet,
    /// The value of another variable in the `.env` or the environment: its name.
    Other(Untrusted),
    /// A text of the `.env` without a name, in a comment perhaps.
    Unnamed,
}

impl SecretKind {
    /// Of a variable's value; `None` for what is published anyway.
    pub fn of_variable(name: &str) -> Option<Self> {
        match Variable::ALL.into_iter().find(|variable| variable.name() == name) {
            Some(Variable::WriteKeyId) => Some(Self::WriteKeyId),
            Some(Variable::WriteSecret) => Some(Self::WriteSecret),
            Some(_) => None,
            None if is_plain_name(name) => Some(Self::Other(name.into())),
            // What stands there in place of a name may be a secret.
            None => Some(Self::Unnamed),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::WriteKeyId => "the WRITE key id".to_owned(),
            Self::WriteSecret => "the WRITE secret".to_owned(),
            Self::Wallet => "a secret of a wallet (phrase, seed or private key)".to_owned(),
            Self::Other(name) => format!("the secret that {} holds", name.shown()),
            Self::Unnamed => "a text that may be a secret".to_owned(),
        }
    }

    /// Whether its name says that it is a secret.
    pub(super) fn is_named_secret(&self) -> bool {
        match self {
            Self::Other(name) => name.as_text().is_some_and(says_secret),
            Self::Unnamed => false,
            _ => true,
        }
    }

    /// Whether its name says that it is the id of something.
    pub(super) fn is_named_id(&self) -> bool {
        matches!(self, Self::Other(name) if name.as_bytes().to_ascii_uppercase().ends_with(b"ID"))
    }
}

/// Whether a name may be shown: letters of a secret are not of this kind.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let usual = |byte: u8| plain(byte) || byte.is_ascii_lowercase();
    let is_word = name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_word = is_word && (name.len() < NO_NAME || name.contains('_'));
    is_word && (name.bytes().all(plain) || (name.len() < TOKEN && name.bytes().all(usual)))
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A line of a `.env`, or of a copy that lies beside it.
    Line {
        /// The file.
        file: Untrusted,
        /// Line, from 1.
        line: u32,
    },
    /// An exported variable.
    Environment,
    /// A file of a hotkey.
    KeyFile(Untrusted),
    /// The vault.
    Vault {
        /// Whose keys: the address in short. `None` for the own ones.
        hotkey: Option<String>,
        /// Number of the generation.
        generation: GenerationNumber,
    },
}

impl From<Source> for SecretPlace {
    fn from(source: Source) -> Self {
        match source {
            Source::Vault { generation } => Self::Vault { hotkey: None, generation },
            Source::EnvFile { line } => Self::Line { file: ".env".into(), line },
            Source::Environment => Self::Environment,
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{}, line {line}", file.shown()),
            Self::Environment => f.write_str("the environment"),
            Self::KeyFile(file) => f.write_str(&file.shown()),
            Self::Vault { hotkey: None, generation } => write!(f, "the vault, generation {generation}"),
            Self::Vault { hotkey: Some(hotkey), generation } => {
                write!(f, "the vault, generation {generation} of {hotkey}")
            }
        }
    }
}

/// How a secret was found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// It is the whole, in whichever spelling.
    Whole,
    /// A piece of it, or a copy that differs a little.
    Near,
    /// Its SHA-256.
    Digest,
}

/// A secret that stands in what would be published, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which one.
    pub kind: SecretKind,
    /// Where it stands on this machine.
    pub place: SecretPlace,
    /// How it was found again.
    pub likeness: Likeness,
}

impl Found {
    /// What was found, and where it stands.
    pub(super) fn words(&self) -> String {
        let (kind, place) = (self.kind.words(), &self.place);
        match (self.likeness, &self.kind) {
            (Likeness::Whole, _) => format!("{kind}, in {place}"),
            (Likeness::Near, _) => format!("a piece or a near copy of {kind}, in {place}"),
            (Likeness::Digest, SecretKind::Other(name)) => {
                format!("the SHA-256 of what {} holds, in {place}: that is an API token's S3 secret", name.shown())
            }
            (Likeness::Digest, _) => format!("the SHA-256 of {kind}, in {place}: that is an API token's S3 secret"),
        }
    }

    /// What to do about it.
    pub(super) fn todo(&self) -> String {
        let new = "create an R2 token \u{201c}Object Read only\u{201d} for the bucket and set the read pair to it";
        match (&self.kind, &self.place) {
            (SecretKind::WriteKeyId | SecretKind::WriteSecret, _) => new.to_owned(),
            (SecretKind::Wallet, _) => format!("take the wallet's secret out of the R2 variables, then {new}"),
            (SecretKind::Other(_) | SecretKind::Unnamed, place) => format!(
                "if that is a copy of the read key, take the copy out of {place}; if it is another key's, {new}: check which \
                 value of the token's page was pasted"
            ),
        }
    }
}

/// A secret of this machine and where it stands. `Debug` shows no value.
#[derive(Debug, Clone)]
pub struct KnownSecret {
    /// Which one.
    pub kind: SecretKind,
    /// Where.
    pub place: SecretPlace,
    /// The secret.
    pub text: SecretKey,
}
