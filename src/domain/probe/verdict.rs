//! The verdicts (DESIGN 12).

use serde::Serialize;

/// What a read test found; the name is a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A validator would take the window.
    Ok,
    /// Nothing was ever published.
    NoCommitment,
    /// What was published has no shape that could ever be read with.
    Malformed,
    /// The account's host does not resolve.
    Dns,
    /// No TCP connection.
    Tcp,
    /// No TLS session.
    Tls,
    /// Refused because of this machine's clock.
    ClockSkew,
    /// The key is not known to the store.
    AuthUnknownKey,
    /// The secret is not the key's.
    AuthBadSecret,
    /// The key may not read this bucket.
    ScopeDenied,
    /// Signed for another region than the store's.
    WrongRegion,
    /// The bucket is not there.
    NoBucket,
    /// The bucket can be read, and the window is not there.
    NoObject,
    /// The window was uploaded too late.
    Late,
    /// The window is too small or too large.
    BadSize,
    /// No answer within a validator's time.
    Slow,
    /// The store refuses because of too many requests.
    Throttled,
    /// The store fails, or refuses for a reason of its own.
    ProviderError,
    /// What answered shows no mark of an S3 store: a proxy, a login page, a load balancer.
    NotS3,
}

/// Where a read test failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// It did not.
    None,
    /// What is on chain.
    Commitment,
    /// Name, TCP or TLS.
    Network,
    /// This machine's clock.
    Clock,
    /// The key.
    Auth,
    /// What the key may do.
    Scope,
    /// The bucket.
    Bucket,
    /// The object.
    Object,
    /// The store.
    Service,
}

impl Verdict {
    /// Every verdict, in the order of the table's sort: what validators take first, then by how far they come.
    pub const ALL: [Self; 19] = [
        Self::Ok,
        Self::Late,
        Self::BadSize,
        Self::NoObject,
        Self::NoBucket,
        Self::WrongRegion,
        Self::ScopeDenied,
        Self::AuthBadSecret,
        Self::AuthUnknownKey,
        Self::ClockSkew,
        Self::Throttled,
        Self::ProviderError,
        Self::NotS3,
        Self::Slow,
        Self::Tls,
        Self::Tcp,
        Self::Dns,
        Self::Malformed,
        Self::NoCommitment,
    ];

    /// The name in JSON and in the filter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoCommitment => "no_commitment",
            Self::Malformed => "malformed",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::ClockSkew => "clock_skew",
            Self::AuthUnknownKey => "auth_unknown_key",
            Self::AuthBadSecret => "auth_bad_secret",
            Self::ScopeDenied => "scope_denied",
            Self::WrongRegion => "wrong_region",
            Self::NoBucket => "no_bucket",
            Self::NoObject => "no_object",
            Self::Late => "late",
            Self::BadSize => "bad_size",
            Self::Slow => "slow",
            Self::Throttled => "throttled",
            Self::ProviderError => "provider_error",
            Self::NotS3 => "not_s3",
        }
    }

    /// A word or two for the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "on time",
            Self::NoCommitment => "no commitment",
            Self::Malformed => "malformed",
            Self::Dns => "no DNS",
            Self::Tcp => "no connection",
            Self::Tls => "no TLS",
            Self::ClockSkew => "clock",
            Self::AuthUnknownKey => "unknown key",
            Self::AuthBadSecret => "bad secret",
            Self::ScopeDenied => "denied",
            Self::WrongRegion => "wrong region",
            Self::NoBucket => "no bucket",
            Self::NoObject => "no object",
            Self::Late => "late",
            Self::BadSize => "bad size",
            Self::Slow => "too slow",
            Self::Throttled => "throttled",
            Self::ProviderError => "store error",
            Self::NotS3 => "no S3",
        }
    }

    /// Whether validators would take the window.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// Whether something was tested and validators would not take it. Where nothing is published nothing was tested.
    pub const fn fails(self) -> bool {
        !self.passes() && !matches!(self, Self::NoCommitment)
    }

    /// Whether it says nothing about the uid: this machine, the way to the store, or the store's present state.
    pub const fn is_about_here(self) -> bool {
        matches!(self, Self::ClockSkew | Self::Throttled | Self::Dns | Self::Tcp | Self::NotS3)
    }

    /// Whether the key was refused, in whatever way.
    pub const fn is_denied(self) -> bool {
        matches!(self, Self::AuthUnknownKey | Self::AuthBadSecret | Self::ScopeDenied)
    }

    /// Where it failed.
    pub const fn layer(self) -> Layer {
        match self {
            Self::Ok => Layer::None,
            Self::NoCommitment | Self::Malformed => Layer::Commitment,
            Self::Dns | Self::Tcp | Self::Tls => Layer::Network,
            Self::ClockSkew => Layer::Clock,
            Self::AuthUnknownKey | Self::AuthBadSecret => Layer::Auth,
            Self::ScopeDenied => Layer::Scope,
            Self::NoBucket | Self::WrongRegion => Layer::Bucket,
            Self::NoObject | Self::Late | Self::BadSize => Layer::Object,
            Self::Slow | Self::Throttled | Self::ProviderError | Self::NotS3 => Layer::Service,
        }
    }
}

/// What a verdict amounts to at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum VerdictClass {
    /// A validator would take the window.
    OnTime,
    /// The bucket can be read, the window is not as it should be.
    Object,
    /// The bucket cannot be read.
    Failed,
    /// It says nothing about the uid.
    Unclear,
    /// There is nothing to read with.
    Nothing,
}

impl VerdictClass {
    /// From the best to the one that means least.
    pub const ALL: [Self; 5] = [Self::OnTime, Self::Object, Self::Failed, Self::Unclear, Self::Nothing];

    /// What a verdict amounts to.
    pub const fn of(verdict: Verdict) -> Self {
        match verdict.layer() {
            Layer::None => Self::OnTime,
            Layer::Object => Self::Object,
            _ if verdict.is_about_here() => Self::Unclear,
            _ => match verdict {
                Verdict::NoCommitment => Self::Nothing,
                _ => Self::Failed,
            },
        }
    }

    /// The glyph before the verdict's word.
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::OnTime => "✓",
            Self::Object => "!",
            Self::Failed => "✗",
            Self::Unclear => "?",
            Self::Nothing => "○",
        }
    }

    /// The word for all verdicts of its kind.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnTime => "on time",
            Self::Object => "bad window",
            Self::Failed => "no access",
            Self::Unclear => "unclear",
            Self::Nothing => "no commitment",
        }
    }
}
