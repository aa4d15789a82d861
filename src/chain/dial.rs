//! From an endpoint to an open WebSocket: name, TCP, TLS, handshake, each with its own fault and all under one deadline.
//!
//! The WebSocket library could dial by itself, but it resolves names on the runtime's own threads (a slow resolver would
//! freeze the console), follows redirects to other hosts, and tells these faults apart poorly.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::client_transport::ws::WsHandshakeError;
use jsonrpsee::core::client::{Client, Error as ClientError};
use jsonrpsee::ws_client::{PingConfig, WsClientBuilder};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, crypto};
use url::Url;

use super::error::Fault;
use super::handshake_tap::{FirstBytes, HandshakeTap};
use super::options::CallLimits;
use crate::domain::network::Endpoint;
use crate::domain::untrusted::Untrusted;

/// WebSocket pings keep middleboxes from forgetting an idle connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Messages a subscription may lag behind before it is dropped; a block brings a handful.
const SUBSCRIPTION_BUFFER: usize = 512;

/// TCP or TLS, as one type.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens the connection.
pub(super) async fn dial(endpoint: &Endpoint, limits: &CallLimits) -> Result<Client, Fault> {
    let url = Url::parse(endpoint.url()).map_err(|error| Fault::NameUnresolved { why: error.to_string() })?;
    let by = Deadline { at: Instant::now() + limits.connect, after: limits.connect };
    let tcp = reach(&url, &by, limits).await?;
    let stream: Box<dyn Stream> = match url.scheme() {
        "wss" => Box::new(by.keep("the TLS handshake", secure(&url, tcp)).await??),
        _ => Box::new(tcp),
    };
    by.keep("the WebSocket handshake", upgrade(&url, stream, limits)).await?
}

struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    async fn keep<T>(&self, what: &'static str, work: impl Future<Output = T>) -> Result<T, Fault> {
        timeout_at(self.at, work).await.map_err(|_| Fault::Deadline { what, after: self.after })
    }
}

async fn reach(url: &Url, by: &Deadline, limits: &CallLimits) -> Result<TcpStream, Fault> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = by.keep("the name lookup", lookup_host((host, port))).await?;
    let found = found.map_err(|error| Fault::NameUnresolved { why: plain(&error) })?;
    let addresses = dialled(url, found)?;
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        match by.keep("the TCP connection", timeout(limits.connect_each, TcpStream::connect(address))).await? {
            Ok(Ok(stream)) => {
                // Small requests that wait for each other: collecting them would cost a round trip each.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = plain(&error),
            Err(_) => why = format!("no answer within {} s", limits.connect_each.as_secs_f32()),
        }
    }
    Err(Fault::Unreachable { why })
}

/// The addresses that may be dialled: without TLS only this machine's own, whatever the name resolves to.
fn dialled(url: &Url, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Fault> {
    let found: Vec<SocketAddr> = found.collect();
    let secured = url.scheme() == "wss";
    let near = |address: &&SocketAddr| secured || address.ip().to_canonical().is_loopback();
    let dialled: Vec<SocketAddr> = found.iter().filter(near).copied().collect();
    match found.first() {
        Some(elsewhere) if dialled.is_empty() => {
            let why = format!(
                "it leads to {}, which is not this machine, and ws:// is for this machine alone",
                elsewhere.ip()
            );
            Err(Fault::NameUnresolved { why })
        }
        _ => Ok(dialled),
    }
}

/// The usual I/O errors by their kind, whose words are the same on every system.
fn plain(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        kind @ (Kind::ConnectionRefused | Kind::ConnectionReset | Kind::UnexpectedEof | Kind::TimedOut) => {
            kind.to_string()
        }
        _ => error.to_string(),
    }
}

async fn secure(url: &Url, tcp: TcpStream) -> Result<impl Stream + use<>, Fault> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name =
        ServerName::try_from(host).map_err(|error| Fault::Tls { why: Untrusted::from_text(error.to_string()) })?;
    let config = tls_config().map_err(|error| tls_fault(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        inner.map_or_else(|| Fault::Tls { why: Untrusted::from_text(plain(&error)) }, tls_fault)
    })
}

fn tls_config() -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier = Verifier::new().with_provider(Arc::clone(&provider));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The platform's verifier reports an empty certificate store, and nothing else, as a general error.
fn tls_fault(error: &TlsError) -> Fault {
    match error {
        TlsError::General(_) => Fault::NoRootCertificates,
        other => Fault::Tls { why: Untrusted::from_text(other.to_string()) },
    }
}

async fn upgrade(url: &Url, stream: Box<dyn Stream>, limits: &CallLimits) -> Result<Client, Fault> {
    let first_bytes = FirstBytes::default();
    WsClientBuilder::new()
        .max_request_size(limits.message)
        .max_response_size(limits.message)
        .max_frame_size(limits.message)
        .request_timeout(limits.call)
        .connection_timeout(limits.connect)
        .max_buffer_capacity_per_subscription(SUBSCRIPTION_BUFFER)
        .enable_ws_ping(PingConfig::new().ping_interval(PING_EVERY))
        .build_with_stream(url.as_str(), HandshakeTap::new(stream, first_bytes.clone()))
        .await
        .map_err(|error| refused(&error, &first_bytes, limits))
}

fn refused(error: &ClientError, first_bytes: &FirstBytes, limits: &CallLimits) -> Fault {
    let handshake = match error {
        ClientError::Transport(inner) => inner.downcast_ref::<WsHandshakeError>(),
        _ => None,
    };
    match handshake {
        Some(WsHandshakeError::Rejected { status_code: 429 }) => {
            Fault::RateLimited { retry_after: first_bytes.retry_after() }
        }
        Some(WsHandshakeError::Rejected { status_code: status @ (401 | 403 | 500..=599) }) => {
            Fault::HttpStatus { status: *status }
        }
        Some(WsHandshakeError::Timeout(_)) => {
            Fault::Deadline { what: "the WebSocket handshake", after: limits.connect }
        }
        Some(WsHandshakeError::Io(io)) => Fault::Closed { why: Untrusted::from_text(plain(io)) },
        _ => Fault::NotANode { why: said(first_bytes, error) },
    }
}

/// What a server that is no node said first, or else what the library made of it.
fn said(first_bytes: &FirstBytes, error: &ClientError) -> Untrusted {
    let line = first_bytes.first_line();
    if line.is_empty() { Untrusted::from_text(error.to_string()) } else { Untrusted::from_bytes(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn dialled_at(url: &str, found: &[&str]) -> Result<Vec<SocketAddr>, Fault> {
        dialled(&Url::parse(url).unwrap(), addresses(found).into_iter())
    }

    #[test]
    fn without_tls_only_this_machine_is_dialled_whatever_the_name_resolves_to() {
        let both = ["10.0.0.7:9944", "127.0.0.1:9944", "[::1]:9944", "[::ffff:127.0.0.2]:9944"];
        assert_eq!(dialled_at("ws://localhost:9944", &both), Ok(addresses(&both[1..])));
        let refused = dialled_at("ws://localhost:9944", &["10.0.0.7:9944"]).unwrap_err();
        assert_eq!(refused.code(), "dns");
        assert!(refused.to_string().contains("10.0.0.7"), "{refused}");
        assert!(dialled_at("ws://localhost:9944", &["[::ffff:10.0.0.7]:9944"]).is_err());
    }

    #[test]
    fn with_tls_every_address_of_the_name_is_dialled() {
        let far = ["10.0.0.7:443", "[2001:db8::1]:443"];
        assert_eq!(dialled_at("wss://node.example", &far), Ok(addresses(&far)));
    }
}
