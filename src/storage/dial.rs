//! From a URL to an open connection, as the HTTP client asks for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tower::Service;

use crate::domain::probe::Trouble;
use crate::domain::untrusted::Untrusted;
use crate::net::{self, Allowed, Deadline, DialError, Host, Resolver, Step, Tls, seconds};

/// Every R2 host ends like this.
const R2_SUFFIX: &str = ".r2.cloudflarestorage.com";

/// Opens connections for the pool.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: Tls,
    resolver: Resolver,
    connect: Duration,
}

impl Dialer {
    /// `connect` is for name, TCP and TLS together; `authorities` are trusted besides the system's.
    pub(super) fn new(resolver: Resolver, connect: Duration, authorities: &[CertificateDer<'static>]) -> Self {
        Self { tls: Tls::new(authorities, &["http/1.1"]), resolver, connect }
    }

    async fn dial(self, uri: Uri) -> Result<Wire, DialError> {
        let name = uri.host().unwrap_or_default();
        let secured = uri.scheme_str() != Some("http");
        let host = Host {
            name,
            port: uri.port_u16().unwrap_or(if secured { 443 } else { 80 }),
            allowed: allowed(name, secured),
            tls: secured.then_some(&self.tls),
        };
        let connection = net::dial(&host, &self.resolver, Deadline::from_now(self.connect, self.connect)).await?;
        Ok(Wire(TokioIo::new(connection)))
    }
}

/// For R2's hosts public addresses (THREATS T2), without TLS this machine's own (T12).
fn allowed(host: &str, secured: bool) -> Allowed {
    match (secured, host.ends_with(R2_SUFFIX)) {
        (false, _) => Allowed::ThisMachine,
        (true, true) => Allowed::PublicInternet,
        (true, false) => Allowed::Any,
    }
}

/// What a test of a bucket tells of it.
pub(super) fn undialled(error: &DialError) -> Trouble {
    match error.clone() {
        DialError::NameUnresolved { why, is_absent: true } => Trouble::Dns { why },
        DialError::NameUnresolved { why, .. } => Trouble::NotLookedUp { why },
        DialError::NotAllowed { address, allowed: Allowed::ThisMachine } => Trouble::Dns {
            why: format!("it leads to {address}, which is not this machine, and http:// is for this machine alone"),
        },
        DialError::NotAllowed { address, .. } => Trouble::PrivateAddress { address: address.to_string() },
        DialError::Unreachable { why } => Trouble::Tcp { why },
        DialError::Tls { why, handshake_failure } => Trouble::Tls { why, handshake_failure },
        DialError::NoRootCertificates => Trouble::NoRootCertificates,
        DialError::TimedOut { step, after } => late(step, &seconds(after)),
    }
}

fn late(step: Step, after: &str) -> Trouble {
    match step {
        Step::NameLookup => Trouble::NotLookedUp { why: format!("no answer of the resolver within {after}") },
        Step::TcpConnection => Trouble::Tcp { why: format!("no answer within {after}") },
        Step::TlsHandshake => {
            let why = Untrusted::from_text(format!("no handshake within {after}"));
            Trouble::Tls { why, handshake_failure: false }
        }
    }
}

impl Service<Uri> for Dialer {
    type Response = Wire;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<Wire, DialError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// TCP or TLS, as the HTTP client wants it.
pub(super) struct Wire(TokioIo<net::Connection>);

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
