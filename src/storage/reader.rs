//! Other people's buckets: HEAD and GET of documented names, a listing beneath `grail/` when the operator asks, and that of the
//! checkpoints in uid 0's bucket.

use std::fmt;

use aws_sdk_s3::primitives::ByteStream;
use tokio::time::Instant;

use super::bucket::{About, Answer, Bucket, noted};
use crate::domain::probe::{Found, Reply, Request};
use crate::domain::untrusted::Untrusted;
use crate::domain::window::{CHECKPOINT_PREFIX, DocumentedName};

/// The only thing there is for other people's buckets: no other verb and no other name can be expressed (THREATS T10).
#[derive(Clone)]
pub struct Reader {
    bucket: Bucket,
    cap: u64,
}

/// Which bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first so many, at least one.
    First(u32),
    /// The last so many, at least one.
    Last(u32),
}

impl Part {
    /// How many bytes are asked for: never more than are read.
    fn bytes(self, cap: u64) -> u32 {
        let (Self::First(bytes) | Self::Last(bytes)) = self;
        bytes.clamp(1, u32::try_from(cap).unwrap_or(u32::MAX).max(1))
    }

    fn range(self, cap: u64) -> String {
        match self {
            Self::First(_) => format!("bytes=0-{}", self.bytes(cap) - 1),
            Self::Last(_) => format!("bytes=-{}", self.bytes(cap)),
        }
    }

    /// Whether what was read is not the part: a store that ignores ranges sends the object from its start.
    fn is_missed(self, found: Found, cap: u64) -> bool {
        let whole = found.size.is_some_and(|size| size <= u64::from(self.bytes(cap)));
        matches!(self, Self::Last(_)) && found.http != 206 && !whole
    }
}

impl Reader {
    pub(super) fn new(bucket: Bucket, cap: u64) -> Self {
        Self { bucket, cap }
    }

    /// HEAD of an object.
    pub async fn head(&self, request: Request, name: &DocumentedName, by: Instant) -> Answer {
        let send = |record| {
            let head = self.bucket.client().head_object().bucket(self.bucket.name()).key(name.to_string());
            head.customize().mutate_request(noted(record)).send()
        };
        self.bucket.ask(request, About::Head, by, send).await.0
    }

    /// The same reader, which signs for another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self { bucket: self.bucket.in_region(region), cap: self.cap }
    }

    /// GET of a part of an object. What comes beyond the part is not read. Where a store ignores the range, the start of
    /// the object comes with status 200: good for [`Part::First`]; for [`Part::Last`] there are no bytes then, unless the
    /// object is no larger than the part.
    pub async fn get(&self, request: Request, name: &DocumentedName, part: Part, by: Instant) -> Answer {
        let key = name.to_string();
        let mut answer = get(&self.bucket, request, key, Some(part.range(self.cap)), part.bytes(self.cap), by).await;
        if let Reply::Found(found) = answer.exchange.reply
            && part.is_missed(found, self.cap)
        {
            answer.bytes.clear();
        }
        answer
    }

    /// Names that begin with `grail/` and then `below`, at most `most` (1 to 1000) of them.
    pub async fn list_grail(&self, below: &str, most: u16, by: Instant) -> (Answer, Vec<Untrusted>) {
        let page = list(&self.bucket, Request::List, format!("grail/{below}"), most, None, by).await;
        (page.answer, page.names)
    }

    /// A page of what there is below `grail/checkpoints/`: what everybody who wants a checkpoint lists in uid 0's bucket.
    pub async fn list_checkpoints(&self, after: Option<String>, by: Instant) -> ListPage {
        list_checkpoints(&self.bucket, after, by).await
    }
}

/// A page of a listing.
#[derive(Debug)]
pub struct ListPage {
    /// The request and its answer.
    pub answer: Answer,
    /// The names on it.
    pub names: Vec<Untrusted>,
    /// What to ask the next page with, where there is one.
    pub next: Option<String>,
}

/// Names on a page of checkpoints: with their tags they stay well below what is read of an answer.
const CHECKPOINTS: u16 = 100;

pub(super) async fn list_checkpoints(bucket: &Bucket, after: Option<String>, by: Instant) -> ListPage {
    list(bucket, Request::ListCheckpoints, CHECKPOINT_PREFIX.to_owned(), CHECKPOINTS, after, by).await
}

async fn list(
    bucket: &Bucket,
    request: Request,
    prefix: String,
    most: u16,
    after: Option<String>,
    by: Instant,
) -> ListPage {
    let send = |record| {
        let list = bucket.client().list_objects_v2().bucket(bucket.name()).prefix(prefix);
        let list = list.max_keys(i32::from(most.clamp(1, 1_000))).set_continuation_token(after);
        list.customize().mutate_request(noted(record)).send()
    };
    let (answer, list) = bucket.ask(request, About::Itself, by, send).await;
    let Some(list) = list else { return ListPage { answer, names: Vec::new(), next: None } };
    let names = list.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
    let names = names.map(Untrusted::from_text).take(usize::from(most)).collect();
    let next = list.next_continuation_token.filter(|token| list.is_truncated == Some(true) && !token.is_empty());
    ListPage { answer, names, next }
}

/// GET of an object, of which at most `most` bytes are read.
pub(super) async fn get(
    bucket: &Bucket,
    request: Request,
    key: String,
    range: Option<String>,
    most: u32,
    by: Instant,
) -> Answer {
    let send = |record| async move {
        let get = bucket.client().get_object().bucket(bucket.name()).key(key).set_range(range);
        let object = get.customize().mutate_request(noted(record)).send().await?;
        Ok(start(object.body, usize::try_from(most).unwrap_or(usize::MAX)).await)
    };
    let (answer, bytes) = bucket.ask(request, About::Object, by, send).await;
    Answer { bytes: bytes.unwrap_or_default(), ..answer }
}

/// The first bytes of a body; the rest is dropped with its connection. An error ends it too, and is in the record.
async fn start(mut body: ByteStream, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(Ok(chunk)) = body.next().await else { break };
        let room = most - bytes.len();
        bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    bytes
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.bucket).finish()
    }
}
