//! What was asked of a store and what came back.

use serde::Serialize;
use thiserror::Error;

use crate::domain::untrusted::{Untrusted, sanitize};

/// One request to a store, by the name it has in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// HEAD of the compressed window: what validators do first.
    HeadCompressed,
    /// HEAD of the plain window: what they do next.
    HeadPlain,
    /// GET of one byte of the plain window, since a refused HEAD does not say why.
    GetByte,
    /// GET of the first bytes of an object.
    GetStart,
    /// GET of the last bytes of an object.
    GetEnd,
    /// GET of a validator's trust list.
    GetTrustList,
    /// HEAD of a validator's trust list.
    HeadTrustList,
    /// Listing of the checkpoints in uid 0's bucket.
    ListCheckpoints,
    /// Listing of names under `grail/`, only when the operator asks.
    List,
    /// PUT of the own canary.
    PutCanary,
    /// GET of the own canary with the published key.
    GetCanaryPublished,
    /// GET of the own canary with the local read key.
    GetCanaryLocal,
    /// DELETE of the own canary.
    DeleteCanary,
    /// DELETE of a canary that an interrupted run may have left behind.
    SweepCanary,
    /// Abort of an upload that never was, with the key under test.
    AbortUpload,
    /// Listing of the own account's buckets.
    ListBuckets,
    /// PUT of the own canary with the read key, where nothing else tells whether it can write.
    WriteWithReadKey,
    /// What the bucket's access list grants to the key under test.
    BucketGrants,
}

impl Request {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeadCompressed => "head_gz",
            Self::HeadPlain => "head",
            Self::GetByte => "get_byte",
            Self::GetStart => "get_start",
            Self::GetEnd => "get_end",
            Self::GetTrustList => "get_trust_list",
            Self::HeadTrustList => "head_trust_list",
            Self::ListCheckpoints => "list_checkpoints",
            Self::List => "list",
            Self::PutCanary => "put_canary",
            Self::GetCanaryPublished => "get_canary_published_key",
            Self::GetCanaryLocal => "get_canary_local_key",
            Self::DeleteCanary => "delete_canary",
            Self::SweepCanary => "sweep_canary",
            Self::AbortUpload => "abort_upload",
            Self::ListBuckets => "list_buckets",
            Self::WriteWithReadKey => "put_canary_read_key",
            Self::BucketGrants => "bucket_grants",
        }
    }

    /// The words on the screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::HeadCompressed => "HEAD .parquet.gz",
            Self::HeadPlain => "HEAD .parquet",
            Self::GetByte => "GET 1 byte",
            Self::GetStart => "GET first bytes",
            Self::GetEnd => "GET last bytes",
            Self::GetTrustList => "GET trust list",
            Self::HeadTrustList => "HEAD trust list",
            Self::ListCheckpoints => "LIST grail/checkpoints/",
            Self::List => "LIST grail/",
            Self::PutCanary => "PUT canary",
            Self::GetCanaryPublished => "GET canary, published key",
            Self::GetCanaryLocal => "GET canary, local read key",
            Self::DeleteCanary => "DELETE canary",
            Self::SweepCanary => "DELETE old canary",
            Self::AbortUpload => "ABORT upload that never was",
            Self::ListBuckets => "LIST buckets",
            Self::WriteWithReadKey => "PUT canary, read key",
            Self::BucketGrants => "GET access list",
        }
    }
}

/// What a store says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Found {
    /// HTTP status, 200 or 206.
    pub http: u16,
    /// Its size in bytes; `None` where the store does not say.
    pub size: Option<u64>,
    /// When it was last modified, in ms since 1970, to the second.
    pub last_modified_ms: Option<u64>,
}

/// What an answer shows of who gave it, where it shows nothing of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// HTTP status.
    pub http: u16,
    /// Its `Content-Type`.
    pub content_type: Option<Untrusted>,
    /// Its `Server`.
    pub server: Option<Untrusted>,
}

impl Page {
    /// Content type and server, sanitised: `text/html, served by nginx`.
    pub fn shown(&self) -> String {
        let short = |text: &Untrusted| sanitize(&text.shown(), 80);
        let content = self.content_type.as_ref().map_or_else(|| "no content type".to_owned(), short);
        let server = self.server.as_ref().map(|server| format!(", served by {}", short(server)));
        content + &server.unwrap_or_default()
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The store did what was asked.
    Found(Found),
    /// An answer that shows no mark of an S3 store. A HEAD has no body to show one: the GET after it tells who answered.
    Unmarked(Page),
    /// The store answered no, with a code of S3 in the body or with S3's own headers.
    Refused {
        /// HTTP status.
        http: u16,
        /// The code in the error's body, where there is one.
        code: Option<Untrusted>,
        /// The message in the error's body, where there is one.
        message: Option<Untrusted>,
    },
    /// There was no answer, or none that can be used.
    Failed(Trouble),
}

impl Reply {
    /// HTTP status, where there was an answer.
    pub const fn http(&self) -> Option<u16> {
        match self {
            Self::Found(Found { http, .. }) | Self::Unmarked(Page { http, .. }) | Self::Refused { http, .. } => {
                Some(*http)
            }
            Self::Failed(_) => None,
        }
    }

    /// The error's code, or the name of what went wrong before there was one; sanitised.
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Found(_) | Self::Unmarked(_) => None,
            Self::Refused { code, .. } => code.as_ref().map(Untrusted::shown),
            Self::Failed(trouble) => Some(trouble.code().to_owned()),
        }
    }

    /// What was said beside status and code, sanitised: the store's message, or what answered in its place.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Refused { message, .. } => message.as_ref().map(Untrusted::shown).filter(|text| !text.is_empty()),
            Self::Unmarked(page) if page.content_type.is_some() || page.server.is_some() => Some(page.shown()),
            Self::Failed(Trouble::NotS3 { why }) => Some(why.shown()),
            Self::Found(_) | Self::Unmarked(_) | Self::Failed(_) => None,
        }
    }

    /// The store's own no: status, code and message, sanitised; empty for any other answer.
    pub fn said(&self) -> String {
        let Self::Refused { http, code, message } = self else { return String::new() };
        let code = code.as_ref().map(|code| format!(" {}", code.shown())).unwrap_or_default();
        let message = message.as_ref().map(Untrusted::shown).filter(|message| code.trim() != message.as_str());
        let message = message.map(|message| format!(", \"{}\"", message.trim_end_matches('.'))).unwrap_or_default();
        sanitize(&format!("{http}{code}{message}"), 200)
    }

    /// Whether what was asked was surely not done: the store refused it, or nothing reached a store.
    pub const fn was_not_done(&self) -> bool {
        match self {
            Self::Refused { http: 300..=499, .. } | Self::Unmarked(Page { http: 300..=499, .. }) => true,
            Self::Failed(trouble) => trouble.reached_nobody(),
            _ => false,
        }
    }

    /// The error's code as the store spelt it.
    pub fn raw_code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_ref().and_then(Untrusted::as_text),
            _ => None,
        }
    }
}

/// Why there was no answer. Reasons are from this machine unless they are [`Untrusted`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Trouble {
    /// There is no such name.
    #[error("the name does not resolve: {why}")]
    Dns {
        /// What the resolver said.
        why: String,
    },
    /// The resolver could not say whether there is such a name.
    #[error("the name could not be looked up: {why}")]
    NotLookedUp {
        /// What the resolver said.
        why: String,
    },
    /// The name leads into a private network, where no R2 host is.
    #[error("the name leads to {address}, an address of a private network or of this machine")]
    PrivateAddress {
        /// The address.
        address: String,
    },
    /// No TCP connection.
    #[error("no connection: {why}")]
    Tcp {
        /// What the system said.
        why: String,
    },
    /// No TLS session.
    #[error("no TLS session: {why:?}")]
    Tls {
        /// What the other side or our verifier said.
        why: Untrusted,
        /// Whether the other side ended the handshake with alert 40, as R2 does for accounts without a certificate.
        handshake_failure: bool,
    },
    /// This machine has no root certificates.
    #[error("this machine has no root certificates")]
    NoRootCertificates,
    /// The time for the whole was over.
    #[error("no complete answer within {after_ms} ms")]
    Slow {
        /// Milliseconds.
        after_ms: u64,
    },
    /// The connection ended before the answer did.
    #[error("the connection ended within the answer: {why}")]
    Closed {
        /// What the system said.
        why: String,
    },
    /// Not HTTP, or not S3.
    #[error("not an answer of an S3 store: {why:?}")]
    NotS3 {
        /// What was odd.
        why: Untrusted,
    },
    /// More bytes than were asked for, or than an error takes.
    #[error("an answer of more than {cap} bytes")]
    TooLarge {
        /// Bytes that are read at most.
        cap: u64,
    },
}

impl Trouble {
    /// Whether nothing that was sent can have reached anybody.
    pub const fn reached_nobody(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::NotLookedUp { .. }
            | Self::PrivateAddress { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. }
            | Self::NoRootCertificates => true,
            Self::Slow { .. } | Self::Closed { .. } | Self::NotS3 { .. } | Self::TooLarge { .. } => false,
        }
    }

    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::NotLookedUp { .. } => "dns_for_now",
            Self::PrivateAddress { .. } => "private_address",
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "tls",
            Self::NoRootCertificates => "no_root_certificates",
            Self::Slow { .. } => "deadline",
            Self::Closed { .. } => "closed",
            Self::NotS3 { .. } => "not_s3",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// A request with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// What came back.
    pub reply: Reply,
    /// How long it took, in ms.
    pub ms: u64,
}
