//! The operator's own credentials: every value with its source, the mode GRAIL would run in, and the 128 bytes.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::domain::account::{
    AccessKeyId, KEY_ID_CHARS, LOCATOR_CHARS, SECRET_CHARS, ShapeError, is_lower_hex, is_placeholder,
};
pub use crate::domain::local::{GrailView, LocalView, MISSHAPEN, Place, PlaceView, VaultPlace};
use crate::domain::provider::Provider;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::text::middle_cut;
pub use crate::domain::variables::{LocalValues, Source, Sourced, Variable, VaultValues};

/// How a value may be shown: never more than the ends of something that has the shape of a public id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Masked {
    /// A public identifier in its proper shape.
    Id {
        /// Its first and last characters.
        text: String,
    },
    /// A secret in its proper shape.
    Secret {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// Defined, but not of the shape its place demands: only the length is shown.
    Misshapen {
        /// Length in characters.
        chars: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl Masked {
    /// Masks a value for its place.
    pub fn of(variable: Variable, provider: &Provider, value: &SecretKey) -> Self {
        match variable.check(provider, value.expose()) {
            Err(error) => Self::Misshapen { chars: value.chars(), why: error.to_string() },
            Ok(()) if variable.is_secret() => Self::Secret { fingerprint: value.fingerprint() },
            Ok(()) => Self::Id { text: middle_cut(value.expose(), 6, 4) },
        }
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id { text } => f.write_str(text),
            Self::Secret { fingerprint } => write!(f, "•••• fp {}", fingerprint.short()),
            Self::Misshapen { why, .. } => f.write_str(why),
        }
    }
}

/// What GRAIL would do with these values at its next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Account, bucket, read and write pair: the read pair is published.
    Dual,
    /// A write pair without a whole read pair: GRAIL takes the write pair for both, and publishes it. Said even while
    /// account or bucket is missing, which keeps GRAIL from starting but is soon mended.
    Legacy,
    /// GRAIL would not start. With a read pair the console can still compare and commit.
    Incomplete,
    /// Nothing configured.
    Absent,
}

impl Mode {
    /// Judges the effective values as GRAIL does.
    pub fn of(values: &LocalValues) -> Self {
        let has = |variable| values.effective(variable).is_some();
        let read = has(Variable::ReadKeyId) && has(Variable::ReadSecret);
        let write = has(Variable::WriteKeyId) && has(Variable::WriteSecret);
        if Variable::ALL.iter().all(|variable| values.effective(*variable).is_none()) {
            Self::Absent
        } else if !read && write {
            Self::Legacy
        } else if read && write && has(Variable::BucketId) && has(Variable::AccountId) {
            Self::Dual
        } else {
            Self::Incomplete
        }
    }
}

/// The read half of the credentials, parsed: what a commitment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCredentials {
    /// Bucket name in the first 32 characters; on R2 equal to the account id.
    pub locator: String,
    /// Read access key id.
    pub key_id: AccessKeyId,
    /// Read secret.
    pub secret: SecretKey,
}

/// The operator's credentials, parsed for a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCredentials {
    /// What may be published.
    pub read: ReadCredentials,
    /// What must never be.
    pub write: Option<(AccessKeyId, SecretKey)>,
}

/// Why the local values make no commitment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// A needed variable is missing or empty.
    #[error("{0} is not set: set it in GRAIL's .env (name it with --env-file) or export it")]
    Missing(Variable),
    /// A value has not the shape that its place demands.
    #[error("{variable} {error}{hint}")]
    Shape {
        /// Which variable.
        variable: Variable,
        /// What is wrong.
        error: ShapeError,
        /// What it looks like instead, if that is recognisable.
        hint: &'static str,
    },
    /// On R2 the bucket must be named like the account.
    #[error(
        "R2_BUCKET_ID and R2_ACCOUNT_ID differ: validators look for a bucket named exactly like the account id, so create \
         one with that name and put the account id into both"
    )]
    BucketIsNotAccount,
    /// Single-credential mode, which would publish the write key.
    #[error(
        "R2_READ_ACCESS_KEY_ID and R2_READ_SECRET_ACCESS_KEY are missing, and GRAIL would publish the WRITE key in their \
         place: create an Object Read only token for the bucket and set both"
    )]
    Legacy,
    /// The read pair is the write pair.
    #[error(
        "the read key is the write key: create an Object Read only token for the bucket and use it as the read pair"
    )]
    ReadIsWrite,
}

impl BucketCredentials {
    /// Parses the effective values for a provider.
    pub fn parse(provider: &Provider, values: &LocalValues) -> Result<Self, CredentialsError> {
        if Mode::of(values) == Mode::Legacy {
            return Err(CredentialsError::Legacy);
        }
        let locator = parse_locator(provider, values)?;
        let key_id = parse_key_id(provider, values, Variable::ReadKeyId)?;
        let secret = parse_secret(provider, values, Variable::ReadSecret)?;
        let write = match (values.effective(Variable::WriteKeyId), values.effective(Variable::WriteSecret)) {
            (Some(_), Some(_)) => Some((
                parse_key_id(provider, values, Variable::WriteKeyId)?,
                parse_secret(provider, values, Variable::WriteSecret)?,
            )),
            _ => None,
        };
        // A write half without its other half is no pair, but must not be published either.
        let private: Vec<&str> = [Variable::WriteKeyId, Variable::WriteSecret]
            .iter()
            .filter_map(|variable| values.text(*variable))
            .collect();
        if private.contains(&key_id.as_str()) || private.contains(&secret.expose()) {
            return Err(CredentialsError::ReadIsWrite);
        }
        Ok(Self { read: ReadCredentials { locator, key_id, secret }, write })
    }
}

fn required(values: &LocalValues, variable: Variable) -> Result<&str, CredentialsError> {
    values.text(variable).ok_or(CredentialsError::Missing(variable))
}

fn parse_locator(provider: &Provider, values: &LocalValues) -> Result<String, CredentialsError> {
    let bucket = required(values, Variable::BucketId)?;
    checked(provider, Variable::BucketId, bucket)?;
    if provider.is_r2() {
        let account = required(values, Variable::AccountId)?;
        checked(provider, Variable::AccountId, account)?;
        if account != bucket {
            return Err(CredentialsError::BucketIsNotAccount);
        }
    }
    Ok(bucket.to_owned())
}

fn parse_key_id(
    provider: &Provider,
    values: &LocalValues,
    variable: Variable,
) -> Result<AccessKeyId, CredentialsError> {
    let text = required(values, variable)?;
    checked(provider, variable, text)?;
    provider.key_id(text).map_err(|error| shape_error(provider, variable, error, text))
}

fn parse_secret(provider: &Provider, values: &LocalValues, variable: Variable) -> Result<SecretKey, CredentialsError> {
    let text = required(values, variable)?;
    checked(provider, variable, text)?;
    Ok(SecretKey::new(text))
}

fn checked(provider: &Provider, variable: Variable, text: &str) -> Result<(), CredentialsError> {
    variable.check(provider, text).map_err(|error| shape_error(provider, variable, error, text))
}

fn shape_error(provider: &Provider, variable: Variable, error: ShapeError, text: &str) -> CredentialsError {
    CredentialsError::Shape { variable, error, hint: hint(provider, variable, text) }
}

/// Names the mistake behind a wrong shape where the shape itself tells; starts with a colon, or is empty.
pub fn hint(provider: &Provider, variable: Variable, text: &str) -> &'static str {
    if is_placeholder(text) {
        return "";
    }
    let hex = is_lower_hex(text);
    match (variable, text.chars().count()) {
        (Variable::ReadKeyId | Variable::WriteKeyId, SECRET_CHARS) if hex => {
            ": that is the shape of a secret; the id and the secret seem to be swapped"
        }
        (Variable::ReadSecret | Variable::WriteSecret, KEY_ID_CHARS) if hex => {
            ": that is the shape of a key id; the id and the secret seem to be swapped"
        }
        (Variable::ReadKeyId | Variable::WriteKeyId, 20)
            if provider.is_r2() && text.starts_with("AK") || text.starts_with("AS") =>
        {
            ": that is an AWS key; R2 needs the Access Key ID of an R2 token (for another store use --s3-endpoint)"
        }
        (Variable::ReadSecret | Variable::WriteSecret, 40) if provider.is_r2() => {
            ": that is the length of an AWS secret or of an API token's value; R2 needs the token's Secret Access Key"
        }
        (Variable::BucketId, _) if provider.is_r2() => {
            ": on subnet 81 the bucket must be named exactly like the account id"
        }
        _ => "",
    }
}

/// The bytes of a commitment. `Debug` hides them: half of them is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct CommitmentBytes(SecretKey);

impl CommitmentBytes {
    /// Lays out locator, key id and secret, each padded with blanks to its place. Nothing is cut: a part that does not
    /// fit is an error that names it.
    pub fn encode(read: &ReadCredentials) -> Result<Self, CredentialsError> {
        let part = |variable, text: &str, width: usize| {
            let chars = text.chars().count();
            let error = match chars {
                0 => Some(ShapeError::Empty),
                n if n > width => Some(ShapeError::TooLong { chars, max: width }),
                _ if !text.bytes().all(|b| b.is_ascii_graphic()) => Some(ShapeError::NotPrintableAscii),
                _ => None,
            };
            match error {
                Some(error) => Err(CredentialsError::Shape { variable, error, hint: "" }),
                None => Ok(format!("{text:<width$}")),
            }
        };
        let text = part(Variable::BucketId, &read.locator, LOCATOR_CHARS)?
            + &part(Variable::ReadKeyId, read.key_id.as_str(), KEY_ID_CHARS)?
            + &part(Variable::ReadSecret, read.secret.expose(), SECRET_CHARS)?;
        Ok(Self(SecretKey::new(text)))
    }

    /// The 128 bytes for the wire.
    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl fmt::Debug for CommitmentBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted commitment]")
    }
}
