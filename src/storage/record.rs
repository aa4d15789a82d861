//! What the transport saw of one exchange. The SDK never sees an answer's headers: it would refuse whole answers for one
//! odd header that does not matter here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LAST_MODIFIED, SERVER};
use http::{StatusCode, response};

use crate::domain::probe::{Found, Page, Trouble};
use crate::domain::untrusted::Untrusted;

/// Headers that S3 stores send and nobody else: AWS's and those of all who follow it. Those of AWS's other services
/// (`x-amzn-…`, `x-amz-cf-…`, `x-amz-apigw-id`) are none.
const MARKS: [&str; 5] =
    ["x-amz-request-id", "x-amz-id-2", "x-amz-bucket-region", "x-amz-version-id", "x-amz-delete-marker"];
/// How the own headers of MinIO, Ceph and Wasabi begin.
const OWN_HEADERS: [&str; 3] = ["x-minio-", "x-rgw-", "x-wasabi-"];
/// Letters, digits and hyphens of a region's name at most.
const REGION_LENGTH: usize = 40;

/// Travels with the request as an extension; the transport writes, whoever asked reads.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    sent_ms: Option<i64>,
    status: Option<u16>,
    found: Found,
    page: Page,
    has_marks: bool,
    region: Option<String>,
    clock_offset_ms: Option<i64>,
    body: usize,
    trouble: Option<Trouble>,
}

impl Record {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request leaves now.
    pub(super) fn sent(&self) {
        self.seen().sent_ms = Some(now_ms());
    }

    /// The head of the answer came now.
    pub(super) fn answered(&self, head: &response::Parts) {
        let mut seen = self.seen();
        let now = now_ms();
        let middle = seen.sent_ms.map_or(now, |sent| sent.midpoint(now));
        seen.status = Some(head.status.as_u16());
        seen.found = found(head);
        seen.page = page(head);
        seen.has_marks = head.headers.keys().any(is_mark);
        seen.region = region(&head.headers);
        if let Some(trouble) = no_length(&head.headers) {
            seen.trouble.get_or_insert(trouble);
        }
        // The header is cut to the second: on average it is half a second old.
        seen.clock_offset_ms = date(&head.headers, &DATE).map(|at| at.saturating_add(500).saturating_sub(middle));
    }

    /// So many bytes of the body came.
    pub(super) fn read(&self, bytes: usize) {
        let mut seen = self.seen();
        seen.body = seen.body.saturating_add(bytes);
    }

    /// The first trouble is the one that counts.
    pub(super) fn failed(&self, trouble: Trouble) {
        self.seen().trouble.get_or_insert(trouble);
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.seen().trouble.clone()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.seen().status
    }

    pub(super) fn found(&self) -> Found {
        self.seen().found
    }

    /// What the answer shows of who gave it.
    pub(super) fn page(&self) -> Page {
        self.seen().page.clone()
    }

    /// Whether there were headers that only S3 stores send.
    pub(super) fn has_marks(&self) -> bool {
        self.seen().has_marks
    }

    /// Whether it is made for people or for a program's own API: nothing that S3 answers with.
    pub(super) fn is_foreign(&self) -> bool {
        let seen = self.seen();
        let content = seen.page.content_type.as_ref().and_then(Untrusted::as_text).unwrap_or_default();
        let content = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        ["text/html", "application/xhtml+xml", "application/json", "application/problem+json"]
            .contains(&content.as_str())
    }

    /// The region that the answer names in `x-amz-bucket-region`.
    pub(super) fn region(&self) -> Option<String> {
        self.seen().region.clone()
    }

    pub(super) fn clock_offset_ms(&self) -> Option<i64> {
        self.seen().clock_offset_ms
    }

    /// Whether there was a body at all. For a 404 without one the SDK makes up a code.
    pub(super) fn has_body(&self) -> bool {
        self.seen().body > 0
    }
}

fn found(head: &response::Parts) -> Found {
    let size = match head.status {
        StatusCode::PARTIAL_CONTENT => {
            text(&head.headers, &CONTENT_RANGE).and_then(|range| number(range.rsplit_once('/')?.1))
        }
        _ => text(&head.headers, &CONTENT_LENGTH).and_then(number),
    };
    let last_modified_ms = date(&head.headers, &LAST_MODIFIED).and_then(|at| u64::try_from(at).ok());
    Found { http: head.status.as_u16(), size, last_modified_ms }
}

fn page(head: &response::Parts) -> Page {
    let told = |name: &HeaderName| head.headers.get(name).map(|value| Untrusted::from_bytes(value.as_bytes()));
    Page { http: head.status.as_u16(), content_type: told(&CONTENT_TYPE), server: told(&SERVER) }
}

fn is_mark(name: &HeaderName) -> bool {
    let name = name.as_str();
    MARKS.contains(&name) || OWN_HEADERS.iter().any(|begins| name.starts_with(begins))
}

/// A region's name goes into signatures: nothing else than letters, digits and hyphens is taken for one.
fn region(headers: &HeaderMap) -> Option<String> {
    let name = text(headers, &HeaderName::from_static("x-amz-bucket-region"))?;
    let is_name = |name: &&str| {
        (1..=REGION_LENGTH).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    Some(name).filter(is_name).map(ToOwned::to_owned)
}

/// Why an answer is none of HTTP: a length that is no number, or two of them. Behind a HEAD nobody else looks at it.
fn no_length(headers: &HeaderMap) -> Option<Trouble> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next()?;
    let is_number = first.to_str().ok().and_then(number).is_some();
    let why = match is_number {
        true if lengths.all(|other| other == first) => return None,
        true => "its Content-Length stands there twice and differs",
        false => "its Content-Length is no number",
    };
    Some(Trouble::NotS3 { why: Untrusted::from(why) })
}

/// Digits and nothing else: `str::parse` takes a sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A header's text; `None` where there is none, or where it stands twice and says two things.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?;
    let alone = headers.get_all(name).iter().all(|other| other == value);
    value.to_str().ok().map(str::trim).filter(|_| alone)
}

/// A date in a header, in ms since 1970; `None` where it is not one.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let at = DateTime::from_str(text(headers, name)?, Format::HttpDate).ok()?;
    at.secs().checked_mul(1_000)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
