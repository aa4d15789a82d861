//! HTTP beneath the SDK: pooled, HTTP/1.1, without redirects, without proxy, with bounds on heads and bodies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::iter::successors;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RANGE, USER_AGENT};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::Capped;
use super::dial::{Dialer, undialled};
use super::record::Record;
use crate::domain::probe::Trouble;
use crate::domain::untrusted::Untrusted;
use crate::net::{DialError, plain};

/// What stores read in their logs.
const AGENT: &str = concat!("grail-console/", env!("CARGO_PKG_VERSION"));
/// Bytes of an answer's head (status and headers). S3 allows an object a few KiB of its owner's headers.
const HEAD_BYTES: u16 = 48 << 10;
/// Headers of an answer; R2 sends about fifteen.
const HEADERS: usize = 256;
/// Connections kept per host between the requests of one test.
const IDLE_PER_HOST: usize = 4;
/// How long they are kept.
const IDLE: Duration = Duration::from_secs(20);

/// The pooled client. Clones share the pool.
#[derive(Clone)]
pub(super) struct Transport {
    http: Client<Dialer, SdkBody>,
    cap: u64,
}

impl Transport {
    /// `cap` is for the body of an answer, in bytes.
    pub(super) fn new(dialer: Dialer, cap: u64) -> Self {
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(usize::from(HEAD_BYTES))
            .http1_max_headers(HEADERS)
            // An odd header is not our business; an odd status line is.
            .http1_ignore_invalid_headers_in_responses(true)
            .build(dialer);
        Self { http, cap }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let record = request.extension::<Record>().cloned().unwrap_or_default();
        let request = outgoing(request)?;
        record.sent();
        let answer = self.http.request(request).await.map_err(|error| {
            record.failed(unanswered(&error));
            ConnectorError::io(Box::new(error))
        })?;
        let (head, body) = answer.into_parts();
        record.answered(&head);
        let mut bare = http::Response::new(SdkBody::from_body_1_x(Capped::new(body, self.cap, record)));
        *bare.status_mut() = head.status;
        HttpResponse::try_from(bare).map_err(|error| ConnectorError::other(Box::new(error), None))
    }
}

/// The headers that S3 needs, and ours; the SDK's own would tell the store about this machine.
fn outgoing(request: HttpRequest) -> Result<http::Request<SdkBody>, ConnectorError> {
    const DATE: HeaderName = HeaderName::from_static("x-amz-date");
    const DIGEST: HeaderName = HeaderName::from_static("x-amz-content-sha256");
    const NEEDED: [HeaderName; 7] = [HOST, AUTHORIZATION, DATE, DIGEST, RANGE, CONTENT_LENGTH, CONTENT_TYPE];
    let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(Box::new(error)))?;
    let given = std::mem::take(request.headers_mut());
    let needed = NEEDED.into_iter().filter_map(|name| given.get(&name).cloned().map(|value| (name, value)));
    request.headers_mut().extend(needed);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    Ok(request)
}

/// Why a request has no answer.
fn unanswered(error: &ClientError) -> Trouble {
    let chain = || successors(Some(error as &(dyn StdError + 'static)), |&error| error.source());
    let dial = chain().find_map(|error| error.downcast_ref::<DialError>());
    let hyper = chain().find_map(|error| error.downcast_ref::<hyper::Error>());
    match (dial, hyper) {
        (Some(error), _) => undialled(error),
        (None, Some(hyper)) => broken(hyper),
        (None, None) => Trouble::Closed { why: error.to_string() },
    }
}

/// Why an answer ends before it is complete.
pub(super) fn broken(error: &hyper::Error) -> Trouble {
    if error.is_parse_too_large() {
        return Trouble::TooLarge { cap: u64::from(HEAD_BYTES) };
    }
    if error.is_parse() {
        return Trouble::NotS3 { why: Untrusted::from_text(error.to_string()) };
    }
    let chain = successors(Some(error as &(dyn StdError + 'static)), |&error| error.source());
    let io = chain.filter_map(|error| error.downcast_ref::<io::Error>()).last();
    Trouble::Closed { why: io.map_or_else(|| error.to_string(), plain) }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move { transport.exchange(request).await })
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport(cap {} bytes)", self.cap)
    }
}
