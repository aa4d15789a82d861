//! The operations of the store; whoever gets here is allowed to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, DeleteObjectInput, DeleteObjectOutput, ETag,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, Object as Listed, PutObjectInput,
    PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};

use super::object_store::MAX_OBJECT;
use super::objects::{Object, moment};
use super::{S3Control, refusal, standing};
use crate::sandbox::accounts::account_id;

/// Most names in one answer, as everywhere.
const PAGE: i32 = 1000;
/// Every account has a second bucket, of which nothing but the name is there.
const OTHER_BUCKET: &str = "grail-backups";

#[async_trait::async_trait]
impl S3 for S3Control {
    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self.find(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(object.length()),
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let object = self.find(&request.input.bucket, &request.input.key)?;
        let range = request.input.range.map(|range| range.check(object.size).map_err(|_| refusal::invalid_range()));
        let part = range.transpose()?;
        let whole = 0..object.size;
        let sent = part.clone().unwrap_or(whole);
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(sent.end - sent.start).ok(),
            content_range: part.map(|part| format!("bytes {}-{}/{}", part.start, part.end - 1, object.size)),
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            body: Some(object.part(sent)),
            ..GetObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let uid = self.uid_of(&input.bucket)?;
        let bytes = received(input.body, input.content_length).await?;
        agrees_with_md5(input.content_md5.as_deref(), &bytes)?;
        agrees_with_checksums(&request.headers, &bytes)?;
        if let Some(trailers) = request.trailing_headers.and_then(|trailers| trailers.take()) {
            agrees_with_checksums(&trailers, &bytes)?;
        }
        let etag = hex::encode(Md5::checksum(&bytes));
        self.shelf().put(uid, input.key, bytes, etag.clone(), self.node().now_ms())?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), ..PutObjectOutput::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let uid = self.uid_of(&request.input.bucket)?;
        self.shelf().delete(uid, &request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        if input.delimiter.is_some() {
            return Err(refusal::not_implemented("The sandbox lists whole names: leave the delimiter out."));
        }
        let page = input.max_keys.unwrap_or(PAGE).min(PAGE);
        let page = usize::try_from(page).map_err(|_| refusal::invalid_argument("max-keys must not be negative"))?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.as_ref().or(input.start_after.as_ref());
        let wanted = |name: &str| name.starts_with(&prefix) && after.is_none_or(|after| name > after.as_str());
        let mut objects = self.all(self.uid_of(&input.bucket)?, wanted);
        let more = objects.len() > page;
        objects.truncate(page);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: i32::try_from(page).ok(),
            key_count: i32::try_from(objects.len()).ok(),
            is_truncated: Some(more),
            next_continuation_token: objects.last().filter(|_| more).map(|last| last.name.clone()),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            contents: Some(objects.into_iter().map(listed).collect()),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let signer = request.credentials.map(|signer| signer.access_key).unwrap_or_default();
        let key = self.valid_key(&signer).ok_or_else(|| refusal::unknown_key(self.dialect(), &signer))?;
        let named = |name: String| Bucket { name: Some(name), ..Bucket::default() };
        let other = self.is_account_wide(key).then(|| named(OTHER_BUCKET.to_owned()));
        let buckets = [named(hex::encode(account_id(key.uid)))].into_iter().chain(other).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }))
    }

    async fn head_bucket(&self, _request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn abort_multipart_upload(
        &self,
        _request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        // Nobody ever begins one here.
        Err(refusal::no_such_upload())
    }
}

impl S3Control {
    fn uid_of(&self, bucket: &str) -> S3Result<u16> {
        self.ring().owner(bucket).ok_or_else(refusal::no_such_bucket)
    }

    /// An object, be it written or there by itself.
    fn find(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let uid = self.uid_of(bucket)?;
        if let Some(written) = self.shelf().get(uid, key) {
            return Ok(written.clone());
        }
        standing::objects(self, uid, |name| name == key).pop().ok_or_else(refusal::no_such_key)
    }

    /// Objects whose names are wanted, by name.
    fn all(&self, uid: u16, wanted: impl Fn(&str) -> bool) -> Vec<Object> {
        let standing = standing::objects(self, uid, &wanted);
        let written = self.shelf();
        let mut objects: Vec<_> = written.of(uid).filter(|object| wanted(&object.name)).cloned().collect();
        objects.extend(standing.into_iter().filter(|object| written.get(uid, &object.name).is_none()));
        objects.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        objects
    }
}

fn listed(object: Object) -> Listed {
    Listed {
        e_tag: Some(object.e_tag()),
        last_modified: Some(moment(object.modified_ms)),
        size: Some(object.length()),
        key: Some(object.name),
        ..Listed::default()
    }
}

/// The body of an upload, no longer than an object may be. s3s compares it with its signature on the way.
async fn received(body: Option<StreamingBlob>, declared: Option<i64>) -> S3Result<Bytes> {
    let too_large = |length: usize| length > MAX_OBJECT;
    if declared.and_then(|length| usize::try_from(length).ok()).is_some_and(too_large) {
        return Err(refusal::too_large(MAX_OBJECT));
    }
    let mut received = BytesMut::new();
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| broken_upload(&error.to_string()))?;
        if too_large(received.len() + piece.len()) {
            return Err(refusal::too_large(MAX_OBJECT));
        }
        received.extend_from_slice(&piece);
    }
    Ok(received.freeze())
}

/// What was wrong with a body; s3s tells it by the names of its private errors alone.
fn broken_upload(error: &str) -> S3Error {
    if error.contains("Sha256Mismatch") {
        refusal::bad_payload()
    } else if error.contains("Signature") {
        S3Error::new(s3s::S3ErrorCode::SignatureDoesNotMatch)
    } else {
        refusal::incomplete_body()
    }
}

fn agrees_with_md5(told: Option<&str>, bytes: &[u8]) -> S3Result<()> {
    let Some(told) = told else { return Ok(()) };
    let told = STANDARD.decode(told).map_err(|_| S3Error::new(s3s::S3ErrorCode::InvalidDigest))?;
    if told == Md5::checksum(bytes) { Ok(()) } else { Err(refusal::bad_digest()) }
}

/// A digest of some bytes, in base64.
type Digest = fn(&[u8]) -> String;

fn agrees_with_checksums(headers: &HeaderMap, bytes: &[u8]) -> S3Result<()> {
    fn digest<C: Checksum>(bytes: &[u8]) -> String {
        STANDARD.encode(C::checksum(bytes))
    }
    let known: [(&str, Digest); 5] = [
        ("x-amz-checksum-crc32", digest::<Crc32>),
        ("x-amz-checksum-crc32c", digest::<Crc32c>),
        ("x-amz-checksum-crc64nvme", digest::<Crc64Nvme>),
        ("x-amz-checksum-sha1", digest::<Sha1>),
        ("x-amz-checksum-sha256", digest::<Sha256>),
    ];
    let agrees = |(name, digest): &(&str, Digest)| {
        headers.get(*name).is_none_or(|told| told.as_bytes() == digest(bytes).as_bytes())
    };
    if known.iter().all(agrees) { Ok(()) } else { Err(refusal::bad_digest()) }
}
