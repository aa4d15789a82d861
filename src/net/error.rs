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
    NameUnresolved {
        why: String,
        /// Whether the resolver said that there is no such name, rather than that it cannot say.
        is_absent: bool,
    },
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

/// Whether a resolver said that there is no such name. It has no kind for that, and words of its own on each system.
pub(super) fn is_absent(error: &io::Error) -> bool {
    const ABSENT: [&str; 6] =
        ["not known", "no address associated", "does not resolve", "no such host", "no such name", "no data"];
    let words = error.to_string().to_ascii_lowercase();
    error.kind() == io::ErrorKind::NotFound || ABSENT.iter().any(|absent| words.contains(absent))
}

pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_absent_is_told_from_one_that_cannot_be_looked_up() {
        for (words, absent) in [
            ("failed to lookup address information: Name or service not known", true),
            ("failed to lookup address information: No address associated with hostname", true),
            ("failed to lookup address information: nodename nor servname provided, or not known", true),
            ("failed to lookup address information: Name does not resolve", true),
            ("No such host is known. (os error 11001)", true),
            ("failed to lookup address information: Temporary failure in name resolution", false),
            ("failed to lookup address information: Try again", false),
            ("failed to lookup address information: Non-recoverable failure in name resolution", false),
            ("Network is unreachable (os error 101)", false),
        ] {
            assert_eq!(is_absent(&io::Error::other(words)), absent, "{words}");
        }
    }
}
