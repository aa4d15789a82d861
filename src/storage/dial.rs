//! From a URL to an open connection: name, TCP, TLS, each with its own trouble and all under one deadline. No proxy, and
//! no address that the host has no business to have.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_platform_verifier::Verifier;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError, crypto};
use tower::Service;

use super::public::is_public;
use crate::domain::probe::Trouble;
use crate::domain::untrusted::Untrusted;

/// Every R2 host ends like this.
const R2_SUFFIX: &str = ".r2.cloudflarestorage.com";
/// Addresses of one name that are tried, in the resolver's order.
const ADDRESSES: usize = 4;

/// How names become addresses: the system's resolver, or one of a test's own.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

impl Resolver {
    /// Looks names up with a function of host (an IPv6 address without brackets) and port.
    pub fn new<F>(lookup: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host, port| Box::pin(lookup(host, port))))
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|host, port| async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Why there is no connection: found again in the source chain of the HTTP client's error.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub(super) struct Undialled(pub(super) Trouble);

/// Opens connections for the pool.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: Result<Arc<ClientConfig>, Undialled>,
    resolver: Resolver,
    connect: Duration,
}

impl Dialer {
    /// `connect` is for name, TCP and TLS together; `authorities` are trusted besides the system's.
    pub(super) fn new(resolver: Resolver, connect: Duration, authorities: &[CertificateDer<'static>]) -> Self {
        let tls = tls_config(authorities).map(Arc::new).map_err(|error| tls_trouble(&error));
        Self { tls, resolver, connect }
    }

    async fn dial(self, uri: Uri) -> Result<Wire, Undialled> {
        let by = Instant::now() + self.connect;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let secured = uri.scheme_str() != Some("http");
        let port = uri.port_u16().unwrap_or(if secured { 443 } else { 80 });
        let found = self.look_up(&host, port, by).await?;
        let tcp = self.reach(&allowed(found, &host, secured)?, by).await?;
        // Small requests that wait for each other: collecting them would cost a round trip each.
        let _ = tcp.set_nodelay(true);
        Ok(if secured { Wire::new(self.secure(host, tcp, by).await?) } else { Wire::new(tcp) })
    }

    async fn look_up(&self, host: &str, port: u16, by: Instant) -> Result<Vec<SocketAddr>, Undialled> {
        let trouble = |why| Undialled(Trouble::Dns { why });
        let found = timeout_at(by, (self.resolver.0)(host.to_owned(), port)).await;
        let found =
            found.map_err(|_| trouble(format!("no answer of the resolver within {}", seconds(self.connect))))?;
        found.map_err(|error| trouble(plain(&error)))
    }

    /// Each address gets its share of the time that is left, so that a silent one does not use it all.
    async fn reach(&self, addresses: &[SocketAddr], by: Instant) -> Result<TcpStream, Undialled> {
        let mut why = "the name has no address".to_owned();
        for (index, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let share = by.saturating_duration_since(Instant::now()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = plain(&error),
                Err(_) => why = format!("no answer within {}", seconds(self.connect)),
            }
        }
        Err(Undialled(Trouble::Tcp { why }))
    }

    async fn secure(&self, host: String, tcp: TcpStream, by: Instant) -> Result<impl Stream + use<>, Undialled> {
        let trouble =
            |why: String| Undialled(Trouble::Tls { why: Untrusted::from_text(why), handshake_failure: false });
        let config = self.tls.clone()?;
        let name = ServerName::try_from(host).map_err(|error| trouble(error.to_string()))?;
        let handshake = timeout_at(by, TlsConnector::from(config).connect(name, tcp)).await;
        let handshake = handshake.map_err(|_| trouble(format!("no handshake within {}", seconds(self.connect))))?;
        handshake.map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
            inner.map_or_else(|| trouble(plain(&error)), tls_trouble)
        })
    }
}

/// The addresses that may be dialled: for R2's hosts public ones (THREATS T2), without TLS this machine's own (T12).
fn allowed(found: Vec<SocketAddr>, host: &str, secured: bool) -> Result<Vec<SocketAddr>, Undialled> {
    let r2 = host.ends_with(R2_SUFFIX);
    let fine = |address: &SocketAddr| match (secured, r2) {
        (false, _) => address.ip().to_canonical().is_loopback(),
        (true, true) => is_public(address.ip()),
        (true, false) => true,
    };
    let first = found.first().map(SocketAddr::ip);
    let allowed: Vec<SocketAddr> = found.into_iter().filter(fine).take(ADDRESSES).collect();
    match first {
        Some(address) if allowed.is_empty() && secured => {
            Err(Undialled(Trouble::PrivateAddress { address: address.to_string() }))
        }
        Some(address) if allowed.is_empty() => {
            let why =
                format!("it leads to {address}, which is not this machine, and http:// is for this machine alone");
            Err(Undialled(Trouble::Dns { why }))
        }
        _ => Ok(allowed),
    }
}

fn tls_config(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(authorities.iter().cloned())?.with_provider(Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The platform's verifier reports an empty certificate store, and nothing else, as a general error.
fn tls_trouble(error: &TlsError) -> Undialled {
    Undialled(match error {
        TlsError::General(_) => Trouble::NoRootCertificates,
        other => Trouble::Tls {
            why: Untrusted::from_text(other.to_string()),
            handshake_failure: matches!(other, TlsError::AlertReceived(AlertDescription::HandshakeFailure)),
        },
    })
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// The usual I/O errors by their kind, whose words are the same on every system.
pub(super) fn plain(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        kind @ (Kind::ConnectionRefused
        | Kind::ConnectionReset
        | Kind::UnexpectedEof
        | Kind::TimedOut
        | Kind::BrokenPipe) => kind.to_string(),
        _ => error.to_string(),
    }
}

impl Service<Uri> for Dialer {
    type Response = Wire;
    type Error = Undialled;
    type Future = BoxFuture<'static, Result<Wire, Undialled>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Undialled>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// TCP or TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// TCP or TLS, as the HTTP client wants it.
pub(super) struct Wire(TokioIo<Box<dyn Stream>>);

impl Wire {
    fn new(stream: impl Stream + 'static) -> Self {
        Self(TokioIo::new(Box::new(stream)))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
