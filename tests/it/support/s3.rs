//! The real S3 client on plain HTTP, and a socket for what no client would send or take.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, retry::RetryConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use grail_console::sandbox::{self, Sandbox};
use hyper_util::client::legacy::{Client as Legacy, connect::HttpConnector as Tcp};
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// HTTP without TLS; one that tampers changes bodies that have been signed.
#[derive(Debug, Clone)]
struct Plain {
    http: Legacy<Tcp, SdkBody>,
    tampers: bool,
}

impl HttpClient for Plain {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Plain {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let plain = self.clone();
        HttpConnectorFuture::new(async move {
            let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            if plain.tampers {
                let length = request.body().bytes().map_or(0, <[u8]>::len);
                *request.body_mut() = SdkBody::from(vec![b'!'; length]);
            }
            let response = plain.http.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let response = response.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A client that signs with these.
pub fn client(sandbox: &Sandbox, key_id: &str, secret: &str) -> Client {
    build(sandbox, key_id, secret, false)
}

fn build(sandbox: &Sandbox, key_id: &str, secret: &str, tampers: bool) -> Client {
    let http = Plain { http: Legacy::builder(TokioExecutor::new()).build_http(), tampers };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(Credentials::new(key_id, secret, None, None, "test"))
        .region(Region::new("auto"))
        .force_path_style(true)
        .endpoint_url(sandbox.s3_url())
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .http_client(http);
    Client::from_conf(config.build())
}

/// With a uid's published read key.
pub fn reader(sandbox: &Sandbox, uid: u16, generation: u8) -> Client {
    let own = sandbox::Credentials::of(uid, generation);
    client(sandbox, &own.read_key_id, &own.read_commitment()[64..])
}

/// With a uid's write key.
pub fn writer(sandbox: &Sandbox, uid: u16) -> Client {
    let own = sandbox::Credentials::of(uid, 0);
    client(sandbox, &own.write_key_id, &own.write_commitment()[64..])
}

/// With a uid's write key, and somebody who changes the bodies on the way.
pub fn tampered_writer(sandbox: &Sandbox, uid: u16) -> Client {
    let own = sandbox::Credentials::of(uid, 0);
    build(sandbox, &own.write_key_id, &own.write_commitment()[64..], true)
}

/// The bucket of a uid.
pub fn bucket(uid: u16) -> String {
    sandbox::Credentials::of(uid, 0).account
}

/// Status and code of a refusal; no code where there is no body to hold one.
pub fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>) -> (u16, String) {
    match answer {
        Ok(answer) => panic!("not refused: {answer:?}"),
        Err(error) => {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            (status, error.code().unwrap_or_default().to_owned())
        }
    }
}

/// A signed `GET` that anybody may send.
pub async fn signed_get(sandbox: &Sandbox, uid: u16, key: &str) -> PresignedRequest {
    let lasting = PresigningConfig::expires_in(Duration::from_mins(5)).unwrap();
    reader(sandbox, uid, 0).get_object().bucket(bucket(uid)).key(key).presigned(lasting).await.unwrap()
}

/// Sends a signed request over a socket of its own, with more headers (each with its line end).
pub async fn send(sandbox: &Sandbox, request: &PresignedRequest, verb: &str, headers: &str) -> TcpStream {
    let authority = sandbox.s3_url().strip_prefix("http://").unwrap();
    let (_, target) = request.uri().split_once(authority).unwrap();
    let mut socket = TcpStream::connect(authority).await.unwrap();
    let text = format!("{verb} {target} HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// What comes until the peer closes, so many bytes are there, or it has been silent for a while.
pub async fn received(socket: &mut TcpStream, most: usize) -> (Vec<u8>, Silence) {
    let mut all = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    while all.len() < most {
        match tokio::time::timeout(Duration::from_millis(700), socket.read(&mut piece)).await {
            Err(_) => return (all, Silence::StillOpen),
            Ok(Ok(0) | Err(_)) => return (all, Silence::Closed),
            Ok(Ok(length)) => all.extend_from_slice(&piece[..length]),
        }
    }
    (all, Silence::None)
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// There is more.
    None,
    /// The connection is open, and nothing comes.
    StillOpen,
    /// The connection is closed.
    Closed,
}
