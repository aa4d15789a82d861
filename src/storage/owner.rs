//! The own bucket: writing, reading and deleting the self-test's objects, and what a key may do beyond that.

use std::fmt;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Permission;
use tokio::time::Instant;

use super::bucket::{About, Answer, Bucket, noted};
use super::reader::{ListPage, get, list_checkpoints};
use crate::domain::commit::key_test::Grants;
use crate::domain::probe::Request;
use crate::domain::self_test_objects::CanaryName;

/// An upload id that no store ever gave out.
const NO_UPLOAD: &str = "67726169-6c2d-4000-8000-636f6e736f6c";

/// The own bucket, opened with one of the own keys.
#[derive(Clone)]
pub struct Owner {
    bucket: Bucket,
    cap: u64,
}

impl Owner {
    pub(super) fn new(bucket: Bucket, cap: u64) -> Self {
        Self { bucket, cap }
    }

    /// PUT of a canary.
    pub async fn put(&self, request: Request, name: &CanaryName, bytes: &[u8], by: Instant) -> Answer {
        let send = |record| {
            let put = self.bucket.client().put_object().bucket(self.bucket.name()).key(name.to_string());
            put.body(ByteStream::from(bytes.to_vec())).customize().mutate_request(noted(record)).send()
        };
        self.bucket.ask(request, About::Itself, by, send).await.0
    }

    /// GET of a canary.
    pub async fn get(&self, request: Request, name: &CanaryName, by: Instant) -> Answer {
        let most = u32::try_from(self.cap).unwrap_or(u32::MAX);
        get(&self.bucket, request, name.to_string(), None, most, by).await
    }

    /// DELETE of a canary.
    pub async fn delete(&self, request: Request, name: &CanaryName, by: Instant) -> Answer {
        let send = |record| {
            let delete = self.bucket.client().delete_object().bucket(self.bucket.name()).key(name.to_string());
            delete.customize().mutate_request(noted(record)).send()
        };
        self.bucket.ask(request, About::Itself, by, send).await.0
    }

    /// Abort of an upload that never was: a key that may write is told that there is no such upload, one that may not
    /// is refused (FACTS 6).
    pub async fn abort_upload(&self, request: Request, name: &CanaryName, by: Instant) -> Answer {
        let send = |record| {
            let abort = self.bucket.client().abort_multipart_upload().bucket(self.bucket.name());
            let abort = abort.key(name.to_string()).upload_id(NO_UPLOAD);
            abort.customize().mutate_request(noted(record)).send()
        };
        self.bucket.ask(request, About::Itself, by, send).await.0
    }

    /// What there is below `grail/checkpoints/`, as everybody lists it in uid 0's bucket: its first page.
    pub async fn list_checkpoints(&self, by: Instant) -> ListPage {
        list_checkpoints(&self.bucket, None, by).await
    }

    /// Listing of the buckets that the key may see, with how many others than the own one are among them. Further pages
    /// count as one.
    pub async fn list_buckets(&self, request: Request, by: Instant) -> (Answer, usize) {
        let send = |record| self.bucket.client().list_buckets().customize().mutate_request(noted(record)).send();
        let (answer, list) = self.bucket.ask(request, About::Itself, by, send).await;
        let Some(list) = list else { return (answer, 0) };
        let more = usize::from(list.continuation_token.is_some_and(|token| !token.is_empty()));
        let listed = list.buckets.unwrap_or_default();
        let others = listed.iter().filter(|bucket| bucket.name.as_deref() != Some(self.bucket.name())).count();
        (answer, others + more)
    }
}

impl Owner {
    /// What the bucket's access list grants to the key that is asked with. Most stores name no keys there, or have no such
    /// list.
    pub async fn grants(&self, by: Instant) -> (Answer, Grants) {
        let send = |record| {
            let ask = self.bucket.client().get_bucket_acl().bucket(self.bucket.name());
            ask.customize().mutate_request(noted(record)).send()
        };
        let (answer, list) = self.bucket.ask(Request::BucketGrants, About::Itself, by, send).await;
        let listed = list.and_then(|list| list.grants).unwrap_or_default();
        let of_key = listed.iter().filter(|grant| {
            let named = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_deref());
            named.is_some_and(|named| named == self.bucket.key_id())
        });
        let granted = of_key.filter_map(|grant| grant.permission.as_ref()).map(|permission| match permission {
            Permission::FullControl => Grants::Everything,
            Permission::Write | Permission::WriteAcp => Grants::Write,
            _ => Grants::Read,
        });
        (answer, granted.max().unwrap_or_default())
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owner").field(&self.bucket).finish()
    }
}
