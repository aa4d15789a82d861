//! What can be wrong with a bucket, and which provider the server plays.

/// Whose words the server uses where providers differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Cloudflare R2: an unknown key is a 401 `Unauthorized`, key ids have 32 characters.
    #[default]
    R2,
    /// AWS and most others: an unknown key is a 403 `InvalidAccessKeyId`, too many requests are a 503 `SlowDown`.
    Aws,
    /// Garage: one code for every refusal, 403 `AccessDenied`, whose message says which; whoever has a key may list the
    /// buckets that it is for.
    Garage,
}

/// What is wrong with a uid's bucket, its published keys or the way to it; one at a time. What concerns keys concerns
/// the read keys: the write key goes on working.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BucketFault {
    /// The read keys are revoked: 401 `Unauthorized`, from AWS 403 `InvalidAccessKeyId`.
    KeyUnknown,
    /// The store knows other secrets for the read keys, as after a roll: 403 `SignatureDoesNotMatch`.
    WrongSecret,
    /// The read keys are another bucket's: 403 `AccessDenied` for everything.
    OtherBucket,
    /// There is no such bucket: 404 `NoSuchBucket`.
    NoBucket,
    /// The subscription has lapsed: 403 `NotEntitled`.
    NotEntitled,
    /// The bucket is empty but for what was written: 404 `NoSuchKey`.
    NoObjects,
    /// Window objects were last modified 30 s after the deadline.
    Late,
    /// Window objects have 150 bytes.
    TooSmall,
    /// Window objects have 350 MiB and one byte.
    TooLarge,
    /// Window objects are there as `.parquet` and as `.parquet.gz`.
    BothObjects,
    /// 429 `TooManyRequests` with `Retry-After`.
    Throttled,
    /// 500 `InternalError`.
    InternalError,
    /// 503 `ServiceUnavailable`, from AWS 503 `SlowDown`.
    Unavailable,
    /// 403 `RequestTimeTooSkewed`.
    ClockSkewed,
    /// 400 `ExpiredRequest`.
    Expired,
    /// 400 `InvalidArgument`, in R2's words for a key id of the wrong length.
    InvalidArgument,
    /// Every answer takes longer.
    Slow {
        /// By so much.
        milliseconds: u64,
    },
    /// Requests are taken and never answered.
    Stalled,
    /// Bodies never end; a HEAD is answered as usual.
    Endless,
    /// `Content-Length` says twice what comes, and then nothing comes.
    LyingLength,
    /// Nothing is there, and the error has 10 MiB.
    HugeError,
    /// A part of an object is answered with 200 and 2 MiB.
    IgnoresRange,
    /// 307 elsewhere.
    Redirect {
        /// `Location`.
        to: String,
    },
    /// The `Date` of answers is so many seconds ahead (behind, if negative); the answers are right.
    WrongClock {
        /// Seconds.
        seconds: i64,
    },
    /// The answer is no HTTP, and the connection is closed.
    Garbage,
    /// The connection is closed without an answer.
    Drops,
    /// Codes, messages and ETags hold what drives terminals.
    EscapeCodes,
    /// Nothing is there, and the error is XML whose entities grow a billionfold.
    EntityBomb,
    /// The read keys may list the account's buckets.
    AccountWide,
    /// The read keys may write.
    Writable,
    /// `AbortMultipartUpload` looks for the upload before it looks at the key: 404 `NoSuchUpload`, whoever asks.
    UploadBeforeScope,
    /// Window objects neither begin nor end as Parquet or gzip do.
    BrokenMagic,
    /// The trainer's checkpoints are not marked as ready.
    ReadyMissing,
    /// The read keys may read objects and not list them: 403 `AccessDenied`.
    ListRefused,
    /// This validator publishes no trust lists.
    NoTrustLists,
    /// Validators do not list this uid as eligible.
    Distrusted,
}

impl BucketFault {
    /// Whether the bucket looks empty, but for what was written to it.
    pub(super) const fn empties(&self) -> bool {
        matches!(self, Self::NoObjects | Self::HugeError | Self::EntityBomb)
    }

    /// Whether validators that meet it do not count the uid.
    pub(super) const fn excludes(&self) -> bool {
        !matches!(
            self,
            Self::BothObjects
                | Self::IgnoresRange
                | Self::WrongClock { .. }
                | Self::EscapeCodes
                | Self::AccountWide
                | Self::Writable
                | Self::UploadBeforeScope
                | Self::ReadyMissing
                | Self::ListRefused
                | Self::NoTrustLists
        )
    }
}
