//! A bucket with the key that opens it: credentials and endpoint travel in one value (THREATS T11).

use std::fmt;

use thiserror::Error;
use url::Url;

use crate::domain::account::{AccessKeyId, AccountId, BucketName, ShapeError};
use crate::domain::commitment::Parts;
use crate::domain::credentials::BucketCredentials;
use crate::domain::provider::{Jurisdiction, Provider, r2_url};
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;

/// Which bucket at which host, and the key to sign with. `Debug` shows host, bucket and the ends of the key id.
#[derive(Clone)]
pub struct Target {
    endpoint: Url,
    bucket: String,
    key_id: AccessKeyId,
    secret: SecretKey,
    tag: String,
}

/// Why what is published or configured can be no bucket and key at this provider. Never repeats the value: it may be a
/// secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    /// The setting that names the store is wrong.
    #[error("{0}")]
    NoStore(String),
    /// The first part is no R2 account id.
    #[error("the account id {0}")]
    AccountId(ShapeError),
    /// The first part is no bucket name.
    #[error("the locator {0}")]
    Bucket(ShapeError),
    /// The key id has not the provider's shape.
    #[error("the key id {0}")]
    KeyId(ShapeError),
    /// The secret has not the provider's shape.
    #[error("the secret {0}")]
    Secret(ShapeError),
}

impl Target {
    /// What somebody published. On R2 always the default jurisdiction, which is the only one validators can reach.
    pub fn published(provider: &Provider, parts: &Parts) -> Result<Self, Misfit> {
        let provider = match provider {
            Provider::R2(_) => &Provider::R2(Jurisdiction::Default),
            other @ (Provider::Custom(_) | Provider::Unusable(_)) => other,
        };
        // A part that is not UTF-8 becomes replacement characters here, which no shape accepts.
        let text = |part: &Untrusted| String::from_utf8_lossy(part.as_bytes()).into_owned();
        Self::fit(provider, &text(&parts.locator), &text(&parts.read_key_id), &parts.read_secret)
    }

    /// The own bucket with the own read key.
    pub fn own_read(provider: &Provider, own: &BucketCredentials) -> Result<Self, Misfit> {
        Self::fit(provider, &own.read.locator, own.read.key_id.as_str(), &own.read.secret)
    }

    /// The own bucket with the own write key; `None` without a write pair.
    pub fn own_write(provider: &Provider, own: &BucketCredentials) -> Result<Option<Self>, Misfit> {
        let write = own.write.as_ref();
        write.map(|(key_id, secret)| Self::fit(provider, &own.read.locator, key_id.as_str(), secret)).transpose()
    }

    fn fit(provider: &Provider, locator: &str, key_id: &str, secret: &SecretKey) -> Result<Self, Misfit> {
        let (endpoint, bucket) = place(provider, locator)?;
        let key_id = provider.key_id(key_id).map_err(Misfit::KeyId)?;
        provider.check_secret(secret.expose()).map_err(Misfit::Secret)?;
        let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
        let tag = format!("{}{port}/{bucket}", endpoint.host_str().unwrap_or_default());
        Ok(Self { endpoint, bucket, key_id, secret: secret.clone(), tag })
    }

    /// What "one at a time per account" goes by: host (with its port, where it is unusual) and bucket.
    pub fn account_tag(&self) -> &str {
        &self.tag
    }

    /// Scheme, host and port that requests go to.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The bucket's name, a name and nothing more: safe in a path.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn key_id(&self) -> &str {
        self.key_id.as_str()
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

fn place(provider: &Provider, locator: &str) -> Result<(Url, String), Misfit> {
    match provider {
        Provider::R2(jurisdiction) => {
            let account = AccountId::parse(locator).map_err(Misfit::AccountId)?;
            // The URL of a parsed id is always exact; where it were not, the id would be no host label.
            let url = r2_url(&account, *jurisdiction).ok_or(Misfit::AccountId(ShapeError::NotLowerHex))?;
            Ok((url, account.as_str().to_owned()))
        }
        Provider::Unusable(why) => Err(Misfit::NoStore(why.clone())),
        Provider::Custom(endpoint) => {
            let bucket = BucketName::parse(locator).map_err(Misfit::Bucket)?;
            Ok((endpoint.url().clone(), bucket.as_str().to_owned()))
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}, key {})", self.tag, self.key_id.short())
    }
}
