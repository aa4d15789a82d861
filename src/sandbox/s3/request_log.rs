//! Requests that came, as they came.

use std::collections::VecDeque;

use http::Request;
use http::header::{AUTHORIZATION, USER_AGENT};

/// Requests that are remembered; the oldest are forgotten first.
const KEPT: usize = 20_000;

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    /// The verb.
    pub method: String,
    /// First part of the path; empty for the account itself.
    pub bucket: String,
    /// The rest of the path, as it was sent (percent-encoded); empty for the bucket itself.
    pub key: String,
    /// The query, its parts in alphabetical order.
    pub query: String,
    /// Id of the key that it claims to be signed with.
    pub access_key_id: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// Status of the answer; `None` where there was no answer, or not yet.
    pub status: Option<u16>,
}

impl SeenRequest {
    /// What a request says about itself.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let (bucket, key) = split(request.uri().path());
        let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut parts: Vec<_> = request.uri().query().unwrap_or_default().split('&').collect();
        parts.sort_unstable();
        let signed = header(AUTHORIZATION).and_then(|value| signer(&value, "Credential=", '/'));
        let presigned = || parts.iter().find_map(|part| signer(part, "X-Amz-Credential=", '%'));
        Self {
            method: request.method().to_string(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            access_key_id: signed.or_else(presigned),
            query: parts.join("&"),
            user_agent: header(USER_AGENT).map(Into::into),
            status: None,
        }
    }
}

/// Bucket and key of a path.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').unwrap_or((path, ""))
}

fn signer(text: &str, before: &str, after: char) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split(after).next().unwrap_or_default().to_owned())
}

/// What was seen.
#[derive(Debug, Default)]
pub struct RequestLog {
    requests: VecDeque<SeenRequest>,
    /// How many were forgotten; the number of the first one that is remembered.
    forgotten: u64,
}

impl RequestLog {
    /// Remembers a request, and gives the number by which to tell how it was answered.
    pub fn note(&mut self, request: SeenRequest) -> u64 {
        if self.requests.len() == KEPT {
            self.requests.pop_front();
            self.forgotten += 1;
        }
        self.requests.push_back(request);
        self.forgotten + u64::try_from(self.requests.len()).unwrap_or(u64::MAX) - 1
    }

    /// Remembers the answer to a request, if the request is still remembered.
    pub fn answered(&mut self, number: u64, status: u16) {
        let index = number.checked_sub(self.forgotten).and_then(|index| usize::try_from(index).ok());
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            request.status = Some(status);
        }
    }

    /// Everything that is remembered, oldest first.
    pub fn all(&self) -> Vec<SeenRequest> {
        self.requests.iter().cloned().collect()
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.forgotten += u64::try_from(self.requests.len()).unwrap_or(u64::MAX);
        self.requests.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart_and_its_secret_parts_are_not_kept() {
        let request = Request::builder()
            .uri("/bucket/grail/a%20b?x-id=GetObject&b&a=1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=ID/20260101/auto/s3/aws4_request, Signature=abc")
            .body(())
            .unwrap();
        let seen = SeenRequest::of(&request);
        assert_eq!((seen.bucket.as_str(), seen.key.as_str()), ("bucket", "grail/a%20b"));
        assert_eq!(seen.query, "a=1&b&x-id=GetObject");
        assert_eq!(seen.access_key_id.as_deref(), Some("ID"));
        assert!(!format!("{seen:?}").contains("abc"));
        let root = SeenRequest::of(&Request::builder().uri("/").body(()).unwrap());
        assert_eq!((root.bucket.as_str(), root.key.as_str(), root.access_key_id), ("", "", None));
    }

    #[test]
    fn answers_find_their_requests_also_after_some_were_forgotten() {
        let request = || SeenRequest::of(&Request::builder().uri("/b").body(()).unwrap());
        let mut seen = RequestLog::default();
        let before = seen.note(request());
        seen.forget();
        let after = seen.note(request());
        seen.answered(before, 500);
        assert_eq!(seen.all()[0].status, None);
        seen.answered(after, 200);
        assert_eq!(seen.all()[0].status, Some(200));
    }
}
