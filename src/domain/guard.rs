//! What may be published: the only door to signing (THREATS T6, T7, T17).
//!
//! A commitment is readable by the whole world for ever, so this is the place where the console says no, and nothing
//! overrides it. [`clear`] is the only way to a [`Cleared`], and signing takes nothing else.

use std::fmt;

use zeroize::Zeroizing;

use crate::domain::commitment::{Commitment, MaskedBytes, Published, read_bytes};
use crate::domain::credentials::{
    BucketCredentials, CommitmentBytes, CredentialsError, LocalValues, ReadCredentials, Variable,
};
use crate::domain::provider::Provider;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::untrusted::Untrusted;
use crate::domain::vault_index::Index;

/// Characters from which a part of a commitment that stands inside a longer secret counts as a piece of it: half a
/// private key has 64, and no word of a phrase comes near.
const PIECE: usize = 16;

/// Characters from which an id is looked for everywhere. Shorter ones are chosen by people, who name buckets and users
/// after each other; an R2 key id has 32.
const NO_NAME: usize = 24;

/// What kind of secret must not be published, in the words of the refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretKind {
    /// `R2_WRITE_ACCESS_KEY_ID`, from whichever place.
    WriteKeyId,
    /// `R2_WRITE_SECRET_ACCESS_KEY`, from whichever place.
    WriteSecret,
    /// A phrase, seed or private key of a wallet.
    Wallet,
    /// Another value whose name in the `.env` or the environment says that it is a secret: its name.
    Other(Untrusted),
}

impl SecretKind {
    fn words(&self) -> String {
        match self {
            Self::WriteKeyId => "the WRITE key id".to_owned(),
            Self::WriteSecret => "the WRITE secret".to_owned(),
            Self::Wallet => "a secret of a wallet (phrase, seed or private key)".to_owned(),
            Self::Other(name) => format!("the secret that {} holds", name.shown()),
        }
    }

    const fn todo(&self) -> &'static str {
        match self {
            Self::WriteKeyId | Self::WriteSecret => {
                "create an R2 token \u{201c}Object Read only\u{201d} for the bucket and set the read pair to it"
            }
            Self::Wallet => {
                "take the wallet's secret out of the R2 variables and set the read pair of an \u{201c}Object Read only\u{201d} token"
            }
            Self::Other(_) => "check which value was pasted into the read pair and set that of the token's page",
        }
    }

    /// Whether something of this secret stands in what would be published. Names are looked for as a whole and where keys
    /// stand; of the other secrets of the machine nothing is known but that a whole one must not be a key.
    fn is_in(&self, secret: &str, parts: &Parts) -> bool {
        let keys = [&parts.key_id, &parts.secret];
        let is_key = keys.iter().any(|part| part.as_str() == secret);
        let holds = |least: usize| secret.len() >= least && parts.whole.contains(secret);
        let is_held = |part: &&Zeroizing<String>, least: usize| part.len() >= least && secret.contains(part.as_str());
        match self {
            Self::Other(_) => is_key,
            Self::WriteKeyId => is_key || holds(NO_NAME),
            Self::WriteSecret => {
                let piece = keys.iter().any(|part| is_held(part, PIECE)) || is_held(&&parts.locator, NO_NAME);
                is_key || holds(NO_NAME) || piece
            }
            Self::Wallet => {
                is_key || holds(PIECE) || [&parts.locator].iter().chain(&keys).any(|part| is_held(part, PIECE))
            }
        }
    }
}

/// What would be published, without the difference of letter case; wiped when dropped.
struct Parts {
    locator: Zeroizing<String>,
    key_id: Zeroizing<String>,
    secret: Zeroizing<String>,
    whole: Zeroizing<String>,
    /// Fingerprints of key id and secret as they are, for what is known by its fingerprint alone.
    prints: [Fingerprint; 2],
}

impl Parts {
    fn of(read: &ReadCredentials, bytes: &CommitmentBytes) -> Self {
        Self {
            locator: bare(&read.locator),
            key_id: bare(read.key_id.as_str()),
            secret: bare(read.secret.expose()),
            whole: bare(&String::from_utf8_lossy(bytes.expose())),
            prints: [Fingerprint::of(read.key_id.as_str()), read.secret.fingerprint()],
        }
    }
}

/// Every text that must never be published. `Debug` shows how many there are.
#[derive(Clone, Default)]
pub struct Forbidden {
    secrets: Vec<(SecretKind, SecretKey)>,
    /// What is known by its fingerprint alone.
    prints: Vec<(SecretKind, Fingerprint)>,
}

impl Forbidden {
    /// The write pair from every place that defines it, also where another definition hides it.
    pub fn of(values: &LocalValues) -> Self {
        let pair = [(Variable::WriteKeyId, SecretKind::WriteKeyId), (Variable::WriteSecret, SecretKind::WriteSecret)];
        let all = pair.iter().flat_map(|(variable, kind)| {
            values.definitions(*variable).iter().map(move |sourced| (kind.clone(), sourced.value.clone()))
        });
        let mut forbidden = Self::default();
        all.for_each(|(kind, secret)| forbidden.add(kind, secret));
        forbidden
    }

    /// The same, and more secrets of one kind.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a kind is named where it is given")]
    pub fn and(mut self, kind: SecretKind, secrets: impl IntoIterator<Item = SecretKey>) -> Self {
        secrets.into_iter().for_each(|secret| self.add(kind.clone(), secret));
        self
    }

    /// The same, and every write key that the vault holds, in use or not: none of them needs to be opened for that.
    #[must_use]
    pub fn and_held(mut self, index: &Index) -> Self {
        for write in index.holdings.iter().filter_map(|holding| holding.write.as_ref()) {
            let pair = [(SecretKind::WriteKeyId, write.id), (SecretKind::WriteSecret, write.secret)];
            self.prints.extend(pair);
        }
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy of a secret ends here")]
    fn add(&mut self, kind: SecretKind, secret: SecretKey) {
        let text = bare(secret.expose());
        if !text.is_empty() {
            self.secrets.push((kind, SecretKey::new(text.as_str())));
        }
    }

    /// The kind of the first secret of which something stands in these parts.
    fn found_in(&self, parts: &Parts) -> Option<SecretKind> {
        let secret =
            self.secrets.iter().find(|(kind, secret)| kind.is_in(secret.expose(), parts)).map(|(kind, _)| kind);
        let print = || self.prints.iter().find(|(_, print)| parts.prints.contains(print)).map(|(kind, _)| kind);
        secret.or_else(print).cloned()
    }
}

impl fmt::Debug for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forbidden({} secrets)", self.secrets.len() + self.prints.len())
    }
}

/// Letter case and a leading `0x` do not make another key of it.
fn bare(text: &str) -> Zeroizing<String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    Zeroizing::new(digits.to_ascii_lowercase())
}

/// Why nothing is published. Each says what to do; none has an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are missing, misshapen, of single-credential mode, or do not belong together.
    Credentials(CredentialsError),
    /// Something secret stands in the bytes.
    HoldsSecret(SecretKind),
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
            Self::HoldsSecret(kind) => {
                format!("the bytes to publish contain {}, and a chain forgets nothing", kind.words())
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
            Self::HoldsSecret(kind) => kind.todo().to_owned(),
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
            Self::HoldsSecret(SecretKind::WriteKeyId | SecretKind::WriteSecret) => "holds_write_key",
            Self::HoldsSecret(SecretKind::Wallet) => "holds_wallet_secret",
            Self::HoldsSecret(SecretKind::Other(_)) => "holds_secret",
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

/// Decides whether the effective read credentials may be published in place of what is on chain.
pub fn clear(
    provider: &Provider,
    values: &LocalValues,
    chain: Option<&Commitment>,
    forbidden: &Forbidden,
) -> Result<Cleared, Refusal> {
    let read = BucketCredentials::parse(provider, values)?.read;
    let bytes = CommitmentBytes::encode(&read)?;
    let parts = Parts::of(&read, &bytes);
    // The values are asked once more, whatever the caller brought along.
    let all = [forbidden.found_in(&parts), Forbidden::of(values).found_in(&parts)];
    if let Some(kind) = all.into_iter().flatten().next() {
        return Err(Refusal::HoldsSecret(kind));
    }
    let back = read_bytes(bytes.expose()).map_err(|_| Refusal::NotReadBack)?;
    let same = back.locator.as_text() == Some(read.locator.as_str())
        && back.read_key_id.as_text() == Some(read.key_id.as_str())
        && back.read_secret == read.secret;
    if !same {
        return Err(Refusal::NotReadBack);
    }
    let published = back.published();
    match chain.and_then(Commitment::published) {
        Some(old) if old.read_key_id == published.read_key_id && old.read_secret != published.read_secret => {
            Err(Refusal::RolledInPlace)
        }
        _ => Ok(Cleared { bytes, published }),
    }
}
