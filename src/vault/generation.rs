//! One generation of keys, and the JSON it is kept as.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::Damage;
use crate::domain::account::AccessKeyId;
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, KeyRef, Origin};

/// Version of the JSON. A higher one is refused: it was written by a newer console.
pub const VERSION: u32 = 1;
/// Largest secret that is read, in bytes; a generation has about 600.
pub const MAX_BYTES: usize = 4 << 10;

/// A key id with its secret. `Debug` shows fingerprints.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The access key id, as text.
    pub id: String,
    /// The secret access key.
    pub secret: SecretKey,
}

impl KeyPair {
    /// From parsed parts.
    pub fn of(id: &AccessKeyId, secret: &SecretKey) -> Self {
        Self { id: id.as_str().to_owned(), secret: secret.clone() }
    }

    /// The same without the secret.
    pub fn reference(&self) -> KeyRef {
        KeyRef::of(&self.id, &self.secret)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.reference())
    }
}

/// One generation: everything that GRAIL needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: GenerationNumber,
    /// When it was made, in ms since 1970.
    pub created_ms: u64,
    /// How it came to be.
    pub origin: Origin,
    /// `R2_ACCOUNT_ID`.
    pub account: Option<String>,
    /// `R2_BUCKET_ID`.
    pub bucket: Option<String>,
    /// The read pair.
    pub read: Option<KeyPair>,
    /// The write pair.
    pub write: Option<KeyPair>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u32,
    owner: String,
    generation: GenerationNumber,
    created_ms: u64,
    origin: Origin,
    account: Option<String>,
    bucket: Option<String>,
    read: Option<KeptPair>,
    write: Option<KeptPair>,
    /// SHA-256 over everything above: against half a value, not against an attacker.
    check: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPair {
    id: String,
    secret: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Generation {
    /// What the index keeps of it.
    pub fn holding(&self, backend: Backend) -> Holding {
        Holding {
            number: self.number,
            backend,
            created_ms: self.created_ms,
            origin: self.origin,
            locator: self.bucket.clone().or_else(|| self.account.clone()),
            read_key_id: self.read.as_ref().map(|pair| pair.id.clone()),
            read: self.read.as_ref().map(KeyPair::reference),
            write: self.write.as_ref().map(KeyPair::reference),
        }
    }

    /// The secret that a store keeps.
    pub(super) fn to_secret(&self, owner: &Owner) -> Zeroizing<Vec<u8>> {
        let pair =
            |pair: &KeyPair| KeptPair { id: pair.id.clone(), secret: Zeroizing::new(pair.secret.expose().to_owned()) };
        let mut kept = Kept {
            v: VERSION,
            owner: owner.to_string(),
            generation: self.number,
            created_ms: self.created_ms,
            origin: self.origin,
            account: self.account.clone(),
            bucket: self.bucket.clone(),
            read: self.read.as_ref().map(pair),
            write: self.write.as_ref().map(pair),
            check: String::new(),
        };
        kept.check = kept.digest();
        // It never grows: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
        // Plain text and numbers always serialise.
        let _ = serde_json::to_writer(&mut *bytes, &kept);
        bytes
    }

    /// Reads what a store keeps. It must be of this owner and number, whole, and of a version that is known.
    pub(super) fn from_secret(bytes: &[u8], owner: &str, number: GenerationNumber) -> Result<Self, Damage> {
        if bytes.len() > MAX_BYTES {
            return Err(Damage::TooLarge);
        }
        let version: Versioned = serde_json::from_slice(bytes).map_err(|_| Damage::NotOurs)?;
        if version.v > VERSION {
            return Err(Damage::Newer(version.v));
        }
        if version.v != VERSION {
            return Err(Damage::NotOurs);
        }
        let kept: Kept = serde_json::from_slice(bytes).map_err(|_| Damage::NotOurs)?;
        if kept.check != kept.digest() {
            return Err(Damage::Check);
        }
        if kept.owner != owner || kept.generation != number {
            return Err(Damage::Foreign);
        }
        let pair = |pair: KeptPair| KeyPair { id: pair.id, secret: SecretKey::new(pair.secret.as_str()) };
        Ok(Self {
            number,
            created_ms: kept.created_ms,
            origin: kept.origin,
            account: kept.account,
            bucket: kept.bucket,
            read: kept.read.map(pair),
            write: kept.write.map(pair),
        })
    }
}

impl Kept {
    fn digest(&self) -> String {
        let mut digest = Sha256::new().chain_update(b"grail-console/generation/1\0");
        let mut part = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        };
        part(&self.owner);
        for text in [&self.account, &self.bucket] {
            part(text.as_deref().unwrap_or_default());
        }
        for pair in [&self.read, &self.write] {
            part(pair.as_ref().map_or("", |pair| pair.id.as_str()));
            part(pair.as_ref().map_or("", |pair| pair.secret.as_str()));
        }
        part(&format!("{} {} {:?}", self.generation, self.created_ms, self.origin));
        hex::encode(digest.finalize())
    }
}
