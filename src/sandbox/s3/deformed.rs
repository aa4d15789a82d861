//! Answers that are not as they should be.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::Body;

use super::fault::BucketFault;

/// Bytes of an error that is far too large.
const HUGE: usize = 10 * 1024 * 1024;
/// Bytes that come where a part was asked for.
const UNASKED: usize = 2 * 1024 * 1024;
/// Bytes of a body that never ends, at once.
const PIECE: usize = 16 * 1024;
/// A tag that drives terminals: OSC 52 between C1 controls, and a bidi override. HTTP allows no C0 controls in headers.
const HOSTILE_ETAG: &str = "\"\u{9d}52;c;Y3VybCBldmlsfHNo\u{9c}\u{9b}31m\u{202e}gnp.elif\u{2066}\u{200b}\"";
/// The same in an error, with ESC and BEL as XML can hold them.
const HOSTILE_ERROR: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error>\
    <Code>NoSuchKey&#x1b;]52;c;Y3VybCBldmlsfHNo&#x7;&#x1b;[2J\u{9b}31m\u{202e}</Code>\
    <Message>&#x1b;]0;owned&#x7;&#x1b;]8;;http://e.il&#x1b;\\click\u{2066}\u{200b}&#xd;&#xa;second line</Message></Error>";
/// Ten entities, each ten times the one before.
const BOMB: &str = "<?xml version=\"1.0\"?><!DOCTYPE Error [<!ENTITY a \"ha\">\
    <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">\
    <!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\">\
    <!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\"><!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\">\
    <!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;\"><!ENTITY i \"&h;&h;&h;&h;&h;&h;&h;&h;&h;&h;\">\
    <!ENTITY j \"&i;&i;&i;&i;&i;&i;&i;&i;&i;&i;\">]><Error><Code>&j;</Code><Message>&j;</Message></Error>";

/// Does to an answer what a fault does.
pub fn deform(response: &mut Response<Body>, fault: &BucketFault, method: &Method) {
    let missing = response.status() == StatusCode::NOT_FOUND;
    match fault {
        BucketFault::Endless if *method == Method::GET => {
            response.headers_mut().remove(CONTENT_LENGTH);
            *response.body_mut() = streamed(pieces(usize::MAX));
        }
        BucketFault::LyingLength if *method == Method::GET => twice_as_long(response),
        BucketFault::HugeError if missing => of_length(response, HUGE),
        BucketFault::IgnoresRange if response.status() == StatusCode::PARTIAL_CONTENT => {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(CONTENT_RANGE);
            of_length(response, UNASKED);
        }
        BucketFault::EntityBomb if missing => error(response, BOMB),
        BucketFault::EscapeCodes => {
            if !response.status().is_success() {
                error(response, HOSTILE_ERROR);
            }
            if let Ok(tag) = HeaderValue::from_bytes(HOSTILE_ETAG.as_bytes()) {
                response.headers_mut().insert(ETAG, tag);
            }
        }
        _ => {}
    }
}

fn error(response: &mut Response<Body>, xml: &'static str) {
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    *response.body_mut() = Body::from(Bytes::from_static(xml.as_bytes()));
}

fn of_length(response: &mut Response<Body>, length: usize) {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = streamed(pieces(length));
}

/// The body comes, and then nothing, though half of what was promised is missing.
fn twice_as_long(response: &mut Response<Body>) {
    let told = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length: u64 = told.or_else(|| http_body::Body::size_hint(response.body()).exact()).unwrap_or_default();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length.saturating_add(1).saturating_mul(2)));
    let body = std::mem::take(response.body_mut());
    let sent = body.filter_map(|piece| async { piece.ok() });
    *response.body_mut() = streamed(sent.chain(stream::pending()));
}

/// So many bytes of an error that says nothing, piece by piece.
fn pieces(length: usize) -> impl Stream<Item = Bytes> + Send + 'static {
    static FIRST: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code><Message>";
    static FILL: [u8; PIECE] = [b'a'; PIECE];
    let first = Bytes::from_static(FIRST).slice(..FIRST.len().min(length));
    let rest = length - first.len();
    let fill = (0..rest).step_by(PIECE).map(move |at| Bytes::from_static(&FILL).slice(..PIECE.min(rest - at)));
    stream::iter(std::iter::once(first).chain(fill))
}

fn streamed(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::http_body_unsync(StreamBody::new(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)))))
}
