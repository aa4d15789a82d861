//! Who may do what: secrets for the signatures, which s3s checks, and the scopes of keys.

use std::time::Duration;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{S3Error, S3Result};

use super::fault::{BucketFault, Dialect};
use super::keys::Issued;
use super::tokens::Scope;
use super::{S3Control, refusal};
use crate::sandbox::accounts::BucketKey;

/// How far a signature's time may be from the server's (AWS's documented 15 minutes).
const MAX_SKEW: Duration = Duration::from_mins(15);
/// A generation of read keys that is never issued; its secret is what a store knows where others are wrong.
const ANOTHER: BucketKey = BucketKey::Read(u8::MAX);

#[async_trait::async_trait]
impl S3Auth for S3Control {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        let dialect = self.dialect();
        if dialect == Dialect::R2 && id.len() != refusal::KEY_ID_LENGTH {
            return Err(refusal::wrong_length(id.len()));
        }
        let key = self.valid_key(id).ok_or_else(|| refusal::unknown_key(dialect, id))?;
        let wrong = key.reads_only() && self.fault_of(key.uid) == Some(BucketFault::WrongSecret);
        Ok(SecretKey::from(if wrong { ANOTHER.secret(key.uid) } else { self.secret_of(id, key) }))
    }
}

#[async_trait::async_trait]
impl S3Access for S3Control {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let signer = context.credentials().ok_or_else(|| refusal::unsigned(self.dialect()))?;
        if is_outdated(context) {
            return Err(refusal::outdated_signature());
        }
        self.check_time(context)?;
        let unknown = || refusal::unknown_key(self.dialect(), &signer.access_key);
        let key = self.valid_key(&signer.access_key).ok_or_else(unknown)?;
        let operation = context.s3_op().name();
        match context.s3_path().get_bucket_name() {
            None => self.check_account(key, operation),
            Some(bucket) => self.check_bucket(key, operation, bucket),
        }
    }
}

impl S3Control {
    /// Whether a key is for every bucket of its account.
    pub(super) fn is_account_wide(&self, key: Issued) -> bool {
        let faulty = key.reads_only() && self.fault_of(key.uid) == Some(BucketFault::AccountWide);
        faulty || key.scope == Scope::AccountWide
    }

    /// Only keys of the whole account may list its buckets, and they may do nothing else with it. Garage lets every key.
    fn check_account(&self, key: Issued, operation: &str) -> S3Result<()> {
        let lists = self.is_account_wide(key) || self.dialect() == Dialect::Garage;
        if lists && operation == "ListBuckets" { Ok(()) } else { Err(refusal::access_denied(self.dialect())) }
    }

    fn check_bucket(&self, key: Issued, operation: &str, bucket: &str) -> S3Result<()> {
        let uid = self.ring().owner(bucket).ok_or_else(refusal::no_such_bucket)?;
        let fault = self.fault_of(uid);
        if let Some(error) = fault.as_ref().and_then(refused_to_all) {
            return Err(error);
        }
        let faulty = key.reads_only() && fault == Some(BucketFault::OtherBucket);
        let elsewhere = faulty || key.scope == Scope::OtherBucket;
        let lists = operation.starts_with("ListObjects") && key.reads_only() && fault == Some(BucketFault::ListRefused);
        if key.uid != uid || elsewhere || lists {
            return Err(refusal::access_denied(self.dialect()));
        }
        let unscoped = operation == "AbortMultipartUpload" && fault == Some(BucketFault::UploadBeforeScope);
        let writes = !key.reads_only() || fault == Some(BucketFault::Writable);
        if writes || unscoped || reads(operation) { Ok(()) } else { Err(refusal::access_denied(self.dialect())) }
    }

    /// Signatures are valid for a while around the time by this server's clock, be it right or wrong.
    fn check_time(&self, context: &S3AccessContext<'_>) -> S3Result<()> {
        let Some(signed) = signed_at(context) else { return Ok(()) };
        let now = self.now();
        let (earliest, latest) = (now.checked_sub(MAX_SKEW), now.checked_add(MAX_SKEW));
        let too_old = earliest.is_some_and(|earliest| signed < Timestamp::from(earliest));
        let too_new = latest.is_some_and(|latest| signed > Timestamp::from(latest));
        // What is signed in advance says itself how long it is valid, and s3s asks it.
        let in_advance = context.uri().query().is_some_and(|query| query.contains("X-Amz-Signature="));
        if too_new || (too_old && !in_advance) { Err(refusal::too_skewed()) } else { Ok(()) }
    }
}

/// What a bucket answers to everybody.
fn refused_to_all(fault: &BucketFault) -> Option<S3Error> {
    match fault {
        BucketFault::NoBucket => Some(refusal::no_such_bucket()),
        BucketFault::NotEntitled => Some(refusal::not_entitled()),
        BucketFault::ClockSkewed => Some(refusal::too_skewed()),
        BucketFault::Expired => Some(refusal::expired()),
        // The length of AWS's key ids.
        BucketFault::InvalidArgument => Some(refusal::wrong_length(20)),
        _ => None,
    }
}

fn reads(operation: &str) -> bool {
    matches!(operation, "GetObject" | "HeadObject" | "ListObjectsV2" | "ListObjects" | "HeadBucket")
}

/// s3s also takes signatures of version 2, which R2 never did.
fn is_outdated(context: &S3AccessContext<'_>) -> bool {
    let header = context.headers().get(http::header::AUTHORIZATION);
    let query = context.uri().query().unwrap_or_default();
    header.is_some_and(|value| value.as_bytes().starts_with(b"AWS "))
        || query.split('&').any(|part| part.starts_with("Signature="))
}

/// When a request was signed, as it says itself: `20260131T235959Z`.
fn signed_at(context: &S3AccessContext<'_>) -> Option<Timestamp> {
    let header = context.headers().get("x-amz-date").and_then(|value| value.to_str().ok());
    let in_query = || context.uri().query()?.split('&').find_map(|part| part.strip_prefix("X-Amz-Date="));
    let text = header.or_else(in_query)?;
    let part = |range: std::ops::Range<usize>| text.get(range);
    let (date, time) = ((part(0..4)?, part(4..6)?, part(6..8)?), (part(9..11)?, part(11..13)?, part(13..15)?));
    let written = format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2);
    Timestamp::parse(TimestampFormat::DateTime, &written).ok()
}
