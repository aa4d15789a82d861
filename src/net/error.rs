//! Why there is no connection.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use super::public::Allowed;
use crate::domain::untrusted::Untrusted;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialError {
    #[error("the name does not resolve: {why}")]
    NameUnresolved { why: String },
    /// The name has addresses, the first of which is this, but none that is allowed.
    #[error("the name leads to {address}, where nothing may be dialled")]
    NotAllowed { address: IpAddr, allowed: Allowed },
    #[error("no connection: {why}")]
    Unreachable { why: String },
    #[error("no TLS session: {why:?}")]
    Tls {
        /// What the other side or our verifier said.
        why: Untrusted,
        /// Whether the other side ended the handshake with alert 40.
        handshake_failure: bool,
    },
    #[error("this machine has no root certificates")]
    NoRootCertificates,
    /// The time for the whole was over in this step.
    #[error("no connection within {}", seconds(*.after))]
    TimedOut { step: Step, after: Duration },
}

impl DialError {
    pub(super) fn tls(why: impl Into<String>) -> Self {
        Self::Tls { why: Untrusted::from_text(why), handshake_failure: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    NameLookup,
    TcpConnection,
    TlsHandshake,
}

/// The usual I/O errors by their kind, whose words are the same on every system.
pub fn plain(error: &io::Error) -> String {
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

pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}
