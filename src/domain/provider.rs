//! Object stores: Cloudflare R2 with its exact shapes, or an S3 store at an endpoint of the operator's choice.

use std::fmt;

use serde::Serialize;
use thiserror::Error;
use url::Url;

use crate::domain::account::{AccessKeyId, AccountId, SECRET_CHARS, ShapeError, exact_hex, printable};
use crate::domain::network::{is_loopback, quotable_url};
use crate::domain::untrusted::Untrusted;

/// R2's data location. Only [`Jurisdiction::Default`] can be reached from an on-chain commitment: the commitment has no
/// place for it, so validators always use the default host (FACTS 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Jurisdiction {
    /// `{account}.r2.cloudflarestorage.com`
    #[default]
    Default,
    /// `{account}.eu.r2.cloudflarestorage.com`
    Eu,
    /// `{account}.fedramp.r2.cloudflarestorage.com`
    Fedramp,
}

impl Jurisdiction {
    const fn infix(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Eu => "eu.",
            Self::Fedramp => "fedramp.",
        }
    }
}

/// Where buckets live and which shapes their identifiers must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// Cloudflare R2: one host per account, exact hexadecimal shapes, bucket named like the account.
    R2(Jurisdiction),
    /// Any other S3 store (MinIO, Garage, a test server): one endpoint for every bucket, path style.
    Custom(S3Endpoint),
    /// None: the setting that names it is wrong, and this says how. Shapes are those of any store.
    Unusable(String),
}

impl Default for Provider {
    fn default() -> Self {
        Self::R2(Jurisdiction::Default)
    }
}

/// Suffix of every R2 host.
const R2_DOMAIN: &str = "r2.cloudflarestorage.com";

impl Provider {
    /// From `--s3-endpoint` or `R2_ENDPOINT_URL`; without either, R2.
    pub fn from_endpoint(url: Option<&str>) -> Result<Self, S3EndpointError> {
        let Some(text) = url.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self::default());
        };
        let endpoint = S3Endpoint::parse(text)?;
        let jurisdiction = endpoint.r2_jurisdiction();
        Ok(jurisdiction.map_or(Self::Custom(endpoint), Self::R2))
    }

    /// Parses an access key id in this provider's shape.
    pub fn key_id(&self, text: &str) -> Result<AccessKeyId, ShapeError> {
        match self {
            Self::R2(_) => AccessKeyId::parse_r2(text),
            Self::Custom(_) | Self::Unusable(_) => AccessKeyId::parse_custom(text),
        }
    }

    /// Checks the shape of a secret without keeping it.
    pub fn check_secret(&self, secret: &str) -> Result<(), ShapeError> {
        match self {
            Self::R2(_) => exact_hex(secret, SECRET_CHARS).map(drop),
            Self::Custom(_) | Self::Unusable(_) => printable(secret, SECRET_CHARS).map(drop),
        }
    }

    /// Whether this is R2, where the bucket must be named like the account.
    pub const fn is_r2(&self) -> bool {
        matches!(self, Self::R2(_))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::R2(Jurisdiction::Default) => f.write_str("Cloudflare R2"),
            Self::R2(Jurisdiction::Eu) => f.write_str("Cloudflare R2 (EU)"),
            Self::R2(Jurisdiction::Fedramp) => f.write_str("Cloudflare R2 (FedRAMP)"),
            Self::Custom(endpoint) => write!(f, "custom S3 at {endpoint}"),
            Self::Unusable(_) => f.write_str("an S3 store that cannot be used"),
        }
    }
}

/// The base URL of an R2 account: built from the parsed id and compared after parsing, so that an account id from the
/// chain can never choose the host (THREATS T2).
pub fn r2_url(account: &AccountId, jurisdiction: Jurisdiction) -> Option<Url> {
    let host = format!("{}.{}{R2_DOMAIN}", account.as_str(), jurisdiction.infix());
    let url = Url::parse(&format!("https://{host}/")).ok()?;
    let exact = url.host_str() == Some(host.as_str())
        && url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.path() == "/"
        && url.query().is_none();
    exact.then_some(url)
}

/// The URL of a custom S3 store: `https://` anywhere, `http://` only on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Endpoint(Url);

/// Why an S3 endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum S3EndpointError {
    /// Not a URL, or one without a host.
    #[error("{0:?} is not an S3 endpoint: write it as https://HOST or https://HOST:PORT")]
    NotAUrl(Untrusted),
    /// User information, path, query or fragment: only scheme, host and port may be given.
    #[error(
        "the S3 endpoint {0:?} must be scheme, host and port only, without user name, path or query: the \
         bucket is named by R2_BUCKET_ID alone"
    )]
    MoreThanAHost(Untrusted),
    /// Keys would cross the network in the clear.
    #[error(
        "the S3 endpoint {0:?} would send signed requests in plaintext to another machine: use https://, or an ssh \
         tunnel to http://127.0.0.1:PORT"
    )]
    PlaintextRemote(Untrusted),
}

impl S3EndpointError {
    /// Whether a safety rule said no: keys would have crossed the network in the clear.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::PlaintextRemote(_))
    }
}

impl S3Endpoint {
    /// Parses and checks the URL.
    pub fn parse(text: &str) -> Result<Self, S3EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| S3EndpointError::NotAUrl(quotable_url(text)))?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        match (url.scheme(), url.host()) {
            ("http" | "https", Some(_)) if !bare => Err(S3EndpointError::MoreThanAHost(quotable_url(text))),
            ("https", Some(_)) => Ok(Self(url)),
            ("http", Some(host)) if is_loopback(&host) => Ok(Self(url)),
            ("http", Some(_)) => Err(S3EndpointError::PlaintextRemote(quotable_url(text))),
            _ => Err(S3EndpointError::NotAUrl(quotable_url(text))),
        }
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }

    fn r2_jurisdiction(&self) -> Option<Jurisdiction> {
        let host = self.0.host_str()?;
        let labels = host.strip_suffix(R2_DOMAIN)?.strip_suffix('.')?;
        let (account, jurisdiction) = match labels.split_once('.') {
            None => (labels, Jurisdiction::Default),
            Some((account, "eu")) => (account, Jurisdiction::Eu),
            Some((account, "fedramp")) => (account, Jurisdiction::Fedramp),
            Some(_) => return None,
        };
        let ours = self.0.scheme() == "https" && self.0.port().is_none() && AccountId::parse(account).is_ok();
        ours.then_some(jurisdiction)
    }
}

impl fmt::Display for S3Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for S3Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
