//! What may be published: the only door to signing (THREATS T6, T7, T17, T24).
//!
//! A commitment is readable by the whole world for ever, so this is the place where the console says no, and nothing
//! overrides it. [`clear`] is the only way to a [`Cleared`], and signing takes nothing else.

mod forbidden;
mod known_secret;
mod likeness;

use std::fmt;

pub use forbidden::{Forbidden, ReadScope, Uncompared};
pub use known_secret::{Found, KnownSecret, Likeness, SecretKind, SecretPlace};

use crate::domain::commitment::{Commitment, MaskedBytes, Published, read_bytes};
use crate::domain::credentials::{BucketCredentials, CommitmentBytes, CredentialsError, LocalValues, ReadCredentials};
use crate::domain::provider::Provider;
use forbidden::Parts;

/// Why nothing is published. Each says what to do; none has an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are missing, misshapen, of single-credential mode, or do not belong together.
    Credentials(CredentialsError),
    /// Something secret stands in the bytes.
    HoldsSecret(Found),
    /// The key on chain has the same id and another secret.
    RolledInPlace,
    /// What was laid out would not be read back as it was meant.
    NotReadBack,
}

impl Refusal {
    /// What stands against it.
    pub fn what(&self) -> String {
        match self {
            Self::Credentials(error) => split(error).0,
            Self::HoldsSecret(found) => {
                format!("the bytes to publish contain {}, and a chain forgets nothing", found.words())
            }
            Self::RolledInPlace => "the key on chain has the same id and another secret: it was rolled in place, and \
                                    validators that cached the old secret fail until they restart"
                .to_owned(),
            Self::NotReadBack => "the 128 bytes would not be read back as these credentials".to_owned(),
        }
    }

    /// What to do about it.
    pub fn todo(&self) -> String {
        match self {
            Self::Credentials(error) => split(error).1,
            Self::HoldsSecret(found) => found.todo(),
            Self::RolledInPlace => "create a token with a new id, set the read pair to it, and commit that".to_owned(),
            Self::NotReadBack => "this is a mistake of ours, please report it".to_owned(),
        }
    }

    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credentials(CredentialsError::Missing(_)) => "credentials_missing",
            Self::Credentials(CredentialsError::Shape { .. }) => "credentials_misshapen",
            Self::Credentials(CredentialsError::BucketIsNotAccount) => "bucket_is_not_account",
            Self::Credentials(CredentialsError::Legacy) => "single_credential_mode",
            Self::Credentials(CredentialsError::ReadIsWrite) => "read_is_write",
            Self::HoldsSecret(found) => match found.kind {
                SecretKind::WriteKeyId | SecretKind::WriteSecret => "holds_write_key",
                SecretKind::Wallet => "holds_wallet_secret",
                SecretKind::Other(_) | SecretKind::Unnamed => "holds_secret",
            },
            Self::RolledInPlace => "rolled_in_place",
            Self::NotReadBack => "not_read_back",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.todo())
    }
}

impl std::error::Error for Refusal {}

impl From<CredentialsError> for Refusal {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}

/// What is wrong with the credentials, and what to do: the error's two halves where it has two.
fn split(error: &CredentialsError) -> (String, String) {
    let text = error.to_string();
    match (error, text.split_once(": ")) {
        (CredentialsError::Shape { .. }, _) | (_, None) => {
            (text, "copy the value again from where the store shows its keys".to_owned())
        }
        (_, Some((what, todo))) => (what.to_owned(), todo.to_owned()),
    }
}

/// 128 bytes that may be published. Made by [`clear`] alone; `Debug` shows what the world may see.
#[derive(Clone)]
pub struct Cleared {
    bytes: CommitmentBytes,
    published: Published,
    uncompared: Vec<(Uncompared, usize)>,
}

impl Cleared {
    /// The bytes for the call.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// What the chain will show of them.
    pub const fn published(&self) -> &Published {
        &self.published
    }

    /// What they could not be compared with, or not in every form.
    pub fn uncompared(&self) -> &[(Uncompared, usize)] {
        &self.uncompared
    }

    /// The bytes with the secret's place masked.
    pub fn masked(&self) -> MaskedBytes {
        MaskedBytes::of(self.bytes.expose())
    }
}

impl fmt::Debug for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cleared({:?})", self.published)
    }
}

/// What no chain and no store could make right, before anybody is asked. Whether copies of the read pair may stand beside it is
/// left to [`clear`].
pub fn before_asking(provider: &Provider, values: &LocalValues, forbidden: &Forbidden) -> Result<(), Refusal> {
    let (read, bytes) = laid_out(provider, values)?;
    holds_none(&read, values, forbidden, true)?;
    read_back(&read, &bytes).map(drop)
}

/// Decides whether the effective read credentials may be published in place of what is on chain.
pub fn clear(
    provider: &Provider,
    values: &LocalValues,
    chain: Option<&Commitment>,
    forbidden: &Forbidden,
    scope: ReadScope,
) -> Result<Cleared, Refusal> {
    let (read, bytes) = laid_out(provider, values)?;
    let published = read_back(&read, &bytes)?;
    let on_chain = chain.and_then(Commitment::published);
    // What is on chain already is no secret any more: then nothing will be sent.
    let copies_pass = scope == ReadScope::ShownReadOnly || on_chain == Some(&published);
    holds_none(&read, values, forbidden, copies_pass)?;
    match on_chain {
        Some(old) if old.read_key_id == published.read_key_id && old.read_secret != published.read_secret => {
            Err(Refusal::RolledInPlace)
        }
        _ => Ok(Cleared { bytes, published, uncompared: forbidden.uncompared().to_vec() }),
    }
}

fn laid_out(provider: &Provider, values: &LocalValues) -> Result<(ReadCredentials, CommitmentBytes), Refusal> {
    let read = BucketCredentials::parse(provider, values)?.read;
    let bytes = CommitmentBytes::encode(&read)?;
    Ok((read, bytes))
}

fn holds_none(
    read: &ReadCredentials,
    values: &LocalValues,
    forbidden: &Forbidden,
    copies_pass: bool,
) -> Result<(), Refusal> {
    let parts = Parts::of(read, copies_pass);
    // The values are asked once more, whatever the caller brought along.
    let found = forbidden.found_in(&parts).or_else(|| Forbidden::of(values).found_in(&parts));
    found.map_or(Ok(()), |found| Err(Refusal::HoldsSecret(found)))
}

fn read_back(read: &ReadCredentials, bytes: &CommitmentBytes) -> Result<Published, Refusal> {
    let back = read_bytes(bytes.expose()).map_err(|_| Refusal::NotReadBack)?;
    let same = back.locator.as_text() == Some(read.locator.as_str())
        && back.read_key_id.as_text() == Some(read.key_id.as_str())
        && back.read_secret == read.secret;
    if same { Ok(back.published()) } else { Err(Refusal::NotReadBack) }
}
