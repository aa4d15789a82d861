//! The console's own configuration file: profiles and a few preferences of the screen.
//!
//! It holds no secret, but somebody may paste one into it: errors name file, line and column, and show the offending
//! line only as far as it is made of names this file knows.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Spanned;

use super::dotenv::Place;
use crate::domain::given::{self, Given};
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::Backend;

/// Largest configuration file that is read.
pub const MAX_BYTES: u64 = 256 << 10;

/// Every key that the file may hold; their values are not secrets.
const KEYS: [&str; 20] = [
    "archive",
    "default_profile",
    "endpoint",
    "env_file",
    "env_owner",
    "hotkey",
    "keys",
    "netuid",
    "network",
    "profile",
    "provider",
    "read_only",
    "s3_endpoint",
    "theme",
    "vault",
    "vault_key_file",
    "wallet",
    "wallet_path",
    "witness",
    "name",
];

/// Characters in a row that make a word look like a key rather than a name.
const SECRET_RUN: usize = 20;

/// Why the configuration file cannot be used.
#[derive(Debug, Error)]
pub enum ConfigFileError {
    /// It exists but cannot be read.
    #[error("cannot read {path}: {error}. Correct its permissions or remove it", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// More than [`MAX_BYTES`].
    #[error("{path} is larger than {MAX_BYTES} bytes. Is it really the console's configuration?", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not TOML, or not the keys and values that belong there.
    #[error("{path}, {place}: {reason}\n  {line}\nCorrect that line; assets/config.example.toml shows every key", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong, without values.
        reason: String,
        /// The line, made visible, with what may be a secret left out.
        line: String,
    },
    /// `--profile` names none of the file's profiles.
    #[error("no profile {name:?} in {path}{known}. Add [profile.NAME] there or name another with --profile", path = path.display(), known = listed(known))]
    UnknownProfile {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: Given,
        /// What there is.
        known: Vec<String>,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (it has {})", known.join(", ")) }
}

/// The colours of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the terminal says.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
}

/// Where the buckets live, as a profile says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderName {
    /// Cloudflare R2.
    R2,
    /// Cloudflare R2, European jurisdiction: validators cannot reach it.
    R2Eu,
    /// Cloudflare R2, FedRAMP jurisdiction: validators cannot reach it.
    R2Fedramp,
    /// Another S3 store, at `s3_endpoint`.
    Custom,
}

/// A store of keys, as a profile names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultName {
    /// Linux: the Secret Service of the desktop.
    SecretService,
    /// macOS: the login keychain.
    Keychain,
    /// Windows: the Credential Manager.
    CredentialManager,
    /// The encrypted file.
    File,
    /// Linux: the kernel's keyring, which forgets at reboot.
    Keyutils,
}

impl From<VaultName> for Backend {
    fn from(name: VaultName) -> Self {
        match name {
            VaultName::SecretService => Self::SecretService,
            VaultName::Keychain => Self::Keychain,
            VaultName::CredentialManager => Self::CredentialManager,
            VaultName::File => Self::File,
            VaultName::Keyutils => Self::Keyutils,
        }
    }
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UserName {
    /// By number.
    Uid(u32),
    /// By name.
    Name(String),
}

/// A path in the file: absolute or below the home directory, so that it means the same from everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AnchoredPath(String);

impl AnchoredPath {
    /// As it stands in the file.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, with `~` replaced. `None` when there is a `~` and no home directory.
    pub fn expand(&self, home: Option<&Path>) -> Option<PathBuf> {
        match self.0.strip_prefix("~/") {
            Some(rest) => home.map(|home| home.join(rest)),
            None => Some(PathBuf::from(&self.0)),
        }
    }
}

impl TryFrom<String> for AnchoredPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with('/') || text.starts_with("~/") {
            Ok(Self(text))
        } else {
            Err("a path here must begin with / or ~/, so that it does not depend on the current directory")
        }
    }
}

/// One set of settings, chosen by `--profile` or `default_profile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Network by name.
    pub network: Option<String>,
    /// WebSocket URL of a node.
    pub endpoint: Option<String>,
    /// WebSocket URL of another operator's node.
    pub witness: Option<String>,
    /// WebSocket URL of a node that keeps old blocks.
    pub archive: Option<String>,
    /// Subnet.
    pub netuid: Option<u16>,
    /// Wallet name.
    pub wallet: Option<String>,
    /// Hotkey name, or an SS58 address to watch.
    pub hotkey: Option<String>,
    /// Folder of wallets.
    pub wallet_path: Option<AnchoredPath>,
    /// Kind of object store.
    pub provider: Option<ProviderName>,
    /// URL of an S3 store other than R2.
    pub s3_endpoint: Option<String>,
    /// GRAIL's `.env`.
    pub env_file: Option<AnchoredPath>,
    /// Who owns GRAIL's `.env`, where that is somebody else: uid or name.
    pub env_owner: Option<UserName>,
    /// Which store keeps the keys.
    pub vault: Option<VaultName>,
    /// Key file of the encrypted file.
    pub vault_key_file: Option<AnchoredPath>,
    /// Refuse everything that changes something outside this machine.
    pub read_only: Option<bool>,
}

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Profile that is used without `--profile`.
    default_profile: Option<Spanned<String>>,
    /// Colours.
    pub theme: Option<Theme>,
    /// Keys that replace the console's own, by command (`mode.command` outside normal mode); the console checks them.
    #[serde(default)]
    pub keys: BTreeMap<String, Vec<String>>,
    /// Profiles by name.
    #[serde(default, rename = "profile")]
    pub profiles: BTreeMap<String, Profile>,
    /// Where it was read from, for messages.
    #[serde(skip)]
    pub path: PathBuf,
}

impl ConfigFile {
    /// Reads the file. One that does not exist is an empty one.
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let unreadable = |error| ConfigFileError::Unreadable { path: path.to_owned(), error };
        // Asked before opening: a pipe would wait for somebody to write.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(unreadable(std::io::Error::other("not a regular file")));
        }
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), ..Self::default() });
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ConfigFileError::TooLarge { path: path.to_owned() });
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, path),
            Err(error) => {
                let text = String::from_utf8_lossy(&bytes);
                let begin = error.valid_up_to();
                Err(invalid(&text, path, begin..begin, "not UTF-8"))
            }
        }
    }

    /// Parses the text of a file; the path is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigFileError> {
        let mut file: Self = toml::from_str(text)
            .map_err(|error| invalid(text, path, error.span().unwrap_or_default(), &without_values(error.message())))?;
        path.clone_into(&mut file.path);
        match &file.default_profile {
            Some(name) if !file.profiles.contains_key(name.get_ref()) => {
                let reason = "default_profile names a profile that is not in this file";
                Err(invalid(text, path, name.span(), reason))
            }
            _ => Ok(file),
        }
    }

    /// The profile asked for, or else the default one; its name with it.
    pub fn profile(&self, asked: Option<&str>) -> Result<Option<(&str, &Profile)>, ConfigFileError> {
        let Some(name) = asked.or(self.default_profile.as_ref().map(|name| name.get_ref().as_str())) else {
            return Ok(None);
        };
        match self.profiles.get_key_value(name) {
            Some((name, profile)) => Ok(Some((name.as_str(), profile))),
            None => Err(ConfigFileError::UnknownProfile {
                path: self.path.clone(),
                name: Given::new(name),
                known: self.profiles.keys().map(|name| given::shown(name)).collect(),
            }),
        }
    }
}

fn invalid(text: &str, path: &Path, span: Range<usize>, reason: &str) -> ConfigFileError {
    let place = Place::of(text, span.start);
    let line = text.split('\n').nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
    ConfigFileError::Invalid {
        path: path.to_owned(),
        place,
        reason: sanitize(reason, 300),
        line: ShownLine(line.trim()).to_string(),
    }
}

/// A line of the file as an error may show it: a key that belongs there with its value, anything else without.
struct ShownLine<'a>(&'a str);

impl fmt::Display for ShownLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = sanitize(self.0, 160);
        match line.split_once('=') {
            _ if looks_secret(&line) => f.write_str("(not shown: it may hold a secret)"),
            Some((key, _)) if KEYS.contains(&key.trim()) => f.write_str(&line),
            Some((key, _)) if is_name(key.trim()) => write!(f, "{} = (value not shown)", key.trim()),
            None if line.starts_with('[') || KEYS.contains(&line.as_str()) || line.is_empty() => f.write_str(&line),
            _ => f.write_str("(not shown: it may hold a secret)"),
        }
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.len() < SECRET_RUN * 2 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A long run of letters and digits is a key; many words in a row are a phrase.
fn looks_secret(line: &str) -> bool {
    let run = line.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or(0);
    run >= SECRET_RUN * 2 || (run >= SECRET_RUN && !line.contains("//")) || line.split_whitespace().count() > 8
}

/// The parser's message with quoted values taken out; names this file knows stay.
fn without_values(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for (index, part) in message.split(['"']).enumerate() {
        out.push_str(if index % 2 == 0 { part } else { "…" });
    }
    let parts = out.split('`').enumerate().map(|(index, part)| {
        let shown = index % 2 == 0 || (is_name(part) && part.len() < SECRET_RUN) || part.len() < 2;
        if shown { part } else { "…" }
    });
    parts.collect::<Vec<_>>().join("`")
}
