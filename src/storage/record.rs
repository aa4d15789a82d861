//! What the transport saw of one exchange. The SDK never sees an answer's headers: it would refuse whole answers for one
//! odd header that does not matter here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, HeaderMap, HeaderName, LAST_MODIFIED};
use http::{StatusCode, response};

use crate::domain::probe::{Found, Trouble};
use crate::domain::untrusted::Untrusted;

/// Travels with the request as an extension; the transport writes, whoever asked reads.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    sent_ms: Option<i64>,
    status: Option<u16>,
    found: Found,
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
