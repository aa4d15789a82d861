//! The front of the server: what happens to connections and answers, before and after s3s has had its say.

use std::future::pending;
use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, DATE, HeaderName, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::service::S3Service;
use s3s::{Body, S3Error};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::fault::{BucketFault, Dialect};
use super::object_store::MAX_OBJECT;
use super::request_log::SeenRequest;
use super::{S3Control, deformed, refusal};
use crate::sandbox::admin_api::{AdminApi, plain};
use crate::sandbox::web_pages;

/// Bytes of a request that are taken in: the largest object, and what signing its chunks adds.
const MAX_UPLOAD: usize = MAX_OBJECT + 1024 * 1024;
/// What is no answer to anything.
const GARBAGE: &[u8] = b"\x16\x03\x01\x00\x2a\x00SSH-2.0-OpenSSH_9.2\r\n\x1b[2J\xff\xfe\x00\x00\r\n\r\n";

/// Why a connection ends without an answer.
#[derive(Debug, Clone, Copy, Error)]
enum HungUp {
    #[error("the connection is to be closed without an answer")]
    Silently,
    #[error("the connection is to be closed behind what is no HTTP")]
    BehindGarbage,
    #[error("the request could not be served")]
    Failed,
}

/// What serves connections.
#[derive(Clone)]
pub struct HttpLayer {
    /// The store's switches.
    pub control: S3Control,
    /// Signatures, operations and XML.
    pub s3: S3Service,
    /// What is not the store's.
    pub admin_api: AdminApi,
}

impl HttpLayer {
    /// Serves a connection to its end.
    pub async fn serve(self, socket: TcpStream) {
        socket.set_nodelay(true).ok();
        let (last_words, mut spoken) = tokio::sync::mpsc::channel(1);
        let service = service_fn(move |request| {
            let (front, last_words) = (self.clone(), last_words.clone());
            async move {
                let answer = front.answer(request).await;
                if let Err(HungUp::BehindGarbage) = answer {
                    last_words.try_send(()).ok();
                }
                answer
            }
        });
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        // It fails when the client goes away, or when a fault wants it to.
        (&mut connection).await.ok();
        if spoken.try_recv().is_ok() {
            let mut socket = connection.into_parts().io.into_inner();
            socket.write_all(GARBAGE).await.ok();
            socket.shutdown().await.ok();
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, HungUp> {
        if let Some(why) = web_pages::refusal(request.uri(), request.headers()) {
            return Ok(plain((StatusCode::FORBIDDEN, why.to_owned())));
        }
        if AdminApi::has(request.uri().path()) {
            return Ok(self.admin_api.answer(&request));
        }
        let seen = SeenRequest::of(&request);
        let fault = self.control.ring().owner(&seen.bucket).and_then(|uid| self.control.fault_of(uid));
        let number = self.control.seen().note(seen);
        let method = request.method().clone();
        let mut response = match self.instead(fault.as_ref()).await? {
            Some(response) => response,
            None => self.store(request).await?,
        };
        if let Some(fault) = &fault {
            deformed::deform(&mut response, fault, &method);
        }
        self.date(&mut response, fault.as_ref());
        self.control.seen().answered(number, response.status().as_u16());
        Ok(response)
    }

    /// The store's own answer. The body is taken in first: a client that is refused while it sends would lose the answer,
    /// or meet a closed connection with its next request.
    async fn store(&self, request: Request<Incoming>) -> Result<Response<Body>, HungUp> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_UPLOAD).collect().await {
            Ok(collected) => Body::from(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => return too_large(),
            Err(_) => return Err(HungUp::Failed),
        };
        let answer = self.s3.call(Request::from_parts(head, body)).await.map_err(|_| HungUp::Failed)?;
        self.of_the_signature(answer).await
    }

    /// What s3s says by itself of a wrong signature, in the dialect's words.
    async fn of_the_signature(&self, answer: Response<Body>) -> Result<Response<Body>, HungUp> {
        if self.control.dialect() != Dialect::Garage || answer.status() != StatusCode::FORBIDDEN {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.map_err(|_| HungUp::Failed)?.to_bytes();
        if String::from_utf8_lossy(&bytes).contains("<Code>SignatureDoesNotMatch</Code>") {
            return refused(refusal::invalid_signature());
        }
        Ok(Response::from_parts(head, Body::from(bytes)))
    }

    /// What comes instead of the store's answer.
    async fn instead(&self, fault: Option<&BucketFault>) -> Result<Option<Response<Body>>, HungUp> {
        Ok(Some(match fault {
            Some(BucketFault::Slow { milliseconds }) => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                return Ok(None);
            }
            Some(BucketFault::Stalled) => pending().await,
            Some(BucketFault::Drops) => return Err(HungUp::Silently),
            Some(BucketFault::Garbage) => return Err(HungUp::BehindGarbage),
            Some(BucketFault::Redirect { to }) => redirect(to),
            Some(BucketFault::Throttled) => refused(refusal::throttled())?,
            Some(BucketFault::InternalError) => refused(refusal::internal_error())?,
            Some(BucketFault::Unavailable) => refused(refusal::unavailable(self.control.dialect()))?,
            _ => return Ok(None),
        }))
    }

    /// Says what time it is where the clock is wrong; where it is right, hyper says it.
    fn date(&self, response: &mut Response<Body>, fault: Option<&BucketFault>) {
        let ahead = match fault {
            Some(BucketFault::WrongClock { seconds }) => *seconds,
            _ => 0,
        };
        let now = self.control.now();
        if (ahead != 0 || self.control.clock_is_wrong())
            && let Some(date) = http_date(shifted(now, ahead))
        {
            response.headers_mut().insert(DATE, date);
        }
    }
}

fn refused(error: S3Error) -> Result<Response<Body>, HungUp> {
    error.to_http_response().map_err(|_| HungUp::Failed)
}

/// What is too large to be taken in at all ends the connection.
fn too_large() -> Result<Response<Body>, HungUp> {
    let mut response = refused(refusal::too_large(MAX_OBJECT))?;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, location);
    }
    // What tells it from the redirect of a login page.
    response.headers_mut().insert(HeaderName::from_static("x-amz-request-id"), HeaderValue::from_static("SANDBOX"));
    response
}

/// A time, so many seconds later, or earlier if they are negative.
pub fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    moved.unwrap_or(time)
}

fn http_date(time: SystemTime) -> Option<HeaderValue> {
    let mut text = Vec::new();
    Timestamp::from(time).format(TimestampFormat::HttpDate, &mut text).ok()?;
    HeaderValue::from_bytes(&text).ok()
}
