//! From an endpoint to an open WebSocket: name, TCP, TLS, handshake, each with its own fault and all under one deadline.
//!
//! The WebSocket library could dial by itself, but it resolves names on the runtime's own threads (a slow resolver would
//! freeze the console), follows redirects to other hosts, and tells these faults apart poorly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::client_transport::ws::{WsHandshakeError, WsTransportClientBuilder};
use jsonrpsee::core::client::Client;
use jsonrpsee::ws_client::{PingConfig, WsClientBuilder};
use tokio::time::timeout_at;
use url::Url;

use super::answers::Noting;
use super::error::Fault;
use super::handshake_tap::{FirstBytes, HandshakeTap, MOST_OF_HANDSHAKE};
use super::notifications::{Bounded, Waiting};
use super::options::CallLimits;
use crate::domain::network::Endpoint;
use crate::domain::untrusted::Untrusted;
use crate::net::{self, Allowed, Connection, Deadline, DialError, Host, Resolver, Step, Tls, plain};

/// WebSocket pings keep middleboxes from forgetting an idle connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Messages a subscription may lag behind before it is dropped; a block brings a handful.
const SUBSCRIPTION_BUFFER: usize = 512;

/// An open connection: its client, what waits to be taken, and the address that was reached.
pub(super) type Dialled = (Client, Arc<Waiting>, Option<SocketAddr>);

/// Opens the connection.
pub(super) async fn dial(endpoint: &Endpoint, limits: &CallLimits) -> Result<Dialled, Fault> {
    let url = Url::parse(endpoint.url()).map_err(|error| Fault::NameUnresolved { why: error.to_string() })?;
    let by = Deadline::from_now(limits.connect, limits.connect_each);
    let tls = (url.scheme() == "wss").then(|| Tls::new(&[], &[]));
    let host = Host {
        name: url.host_str().unwrap_or_default(),
        port: url.port_or_known_default().unwrap_or(443),
        allowed: if tls.is_some() { Allowed::Any } else { Allowed::ThisMachine },
        tls: tls.as_ref(),
    };
    let (connection, peer) = net::dial_telling(&host, &Resolver::default(), by).await.map_err(undialled)?;
    let late = |_| Fault::Deadline { what: "the WebSocket handshake", after: by.after };
    let (client, waiting) = timeout_at(by.at, upgrade(&url, connection, limits)).await.map_err(late)??;
    Ok((client, waiting, peer))
}

fn undialled(error: DialError) -> Fault {
    match error {
        DialError::NameUnresolved { why, .. } => Fault::NameUnresolved { why },
        DialError::NotAllowed { address, .. } => Fault::NameUnresolved {
            why: format!("it leads to {address}, which is not this machine, and ws:// is for this machine alone"),
        },
        DialError::Unreachable { why } => Fault::Unreachable { why },
        DialError::Tls { why, .. } => Fault::Tls { why },
        DialError::NoRootCertificates => Fault::NoRootCertificates,
        DialError::TimedOut { step, after } => Fault::Deadline { what: awaited(step), after },
    }
}

const fn awaited(step: Step) -> &'static str {
    match step {
        Step::NameLookup => "the name lookup",
        Step::TcpConnection => "the TCP connection",
        Step::TlsHandshake => "the TLS handshake",
    }
}

async fn upgrade(url: &Url, connection: Connection, limits: &CallLimits) -> Result<(Client, Arc<Waiting>), Fault> {
    let first_bytes = FirstBytes::default();
    let transport = WsTransportClientBuilder {
        max_request_size: limits.message,
        max_response_size: limits.message,
        max_frame_size: Some(limits.message),
        connection_timeout: limits.connect,
        ..WsTransportClientBuilder::default()
    };
    let connection = HandshakeTap::new(connection, first_bytes.clone());
    let (sender, receiver) = transport
        .build_with_stream(url.clone(), connection)
        .await
        .map_err(|error| refused(&error, &first_bytes, limits))?;
    first_bytes.handshake_is_over();
    let receiver = Bounded::new(receiver, limits);
    let sender = Noting::new(sender, receiver.asked());
    let waiting = receiver.waiting();
    let client = WsClientBuilder::new()
        .request_timeout(limits.call)
        .max_buffer_capacity_per_subscription(SUBSCRIPTION_BUFFER)
        .enable_ws_ping(PingConfig::new().ping_interval(PING_EVERY))
        .build_with_transport(sender, receiver);
    Ok((client, waiting))
}

fn refused(error: &WsHandshakeError, first_bytes: &FirstBytes, limits: &CallLimits) -> Fault {
    if first_bytes.are_too_many() {
        return Fault::TooLarge { what: format!("the handshake has no end after {MOST_OF_HANDSHAKE} bytes") };
    }
    match error {
        WsHandshakeError::Rejected { status_code: 429 } => {
            Fault::RateLimited { retry_after: first_bytes.retry_after() }
        }
        WsHandshakeError::Rejected { status_code: status @ (401 | 403 | 500..=599) } => {
            Fault::HttpStatus { status: *status }
        }
        WsHandshakeError::Timeout(_) => Fault::Deadline { what: "the WebSocket handshake", after: limits.connect },
        WsHandshakeError::Io(io) => Fault::Closed { why: Untrusted::from_text(plain(io)) },
        _ => Fault::NotANode { why: said(first_bytes, error) },
    }
}

/// What a server that is no node said first, or else what the library made of it.
fn said(first_bytes: &FirstBytes, error: &WsHandshakeError) -> Untrusted {
    let line = first_bytes.first_line();
    if line.is_empty() { Untrusted::from_text(error.to_string()) } else { Untrusted::from_bytes(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_without_tls_is_a_fault_of_the_name_that_says_where() {
        let address = [10, 0, 0, 7].into();
        let refused = undialled(DialError::NotAllowed { address, allowed: Allowed::ThisMachine });
        assert_eq!(refused.code(), "dns");
        assert!(refused.to_string().contains("10.0.0.7"), "{refused}");
    }
}
