//! What can go wrong between the console and a node, each with its reason and its remedy.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use jsonrpsee::client_transport::ws::WsError;
use thiserror::Error;

use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::network::BlockHash;
use crate::domain::text::grouped;
use crate::domain::untrusted::Untrusted;
use crate::net::plain;

/// A fault, and the endpoint at which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{endpoint}: {fault}; {}", fault.todo())]
pub struct ChainError {
    /// The endpoint, as it is shown.
    pub endpoint: String,
    /// What happened there.
    pub fault: Fault,
}

/// One kind of fault. What the node said is [`Untrusted`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The host name has no address.
    #[error("the host name cannot be resolved ({why})")]
    NameUnresolved {
        /// What the resolver said.
        why: String,
    },
    /// No TCP connection.
    #[error("no TCP connection ({why})")]
    Unreachable {
        /// What the system said.
        why: String,
    },
    /// No TLS connection.
    #[error("no TLS connection ({why:?})")]
    Tls {
        /// What the TLS library said.
        why: Untrusted,
    },
    /// This machine has no root certificates, so that nobody's identity can be checked.
    #[error("this machine has no root certificates to check the node's identity with")]
    NoRootCertificates,
    /// Something answers, but it does not speak a node's language.
    #[error("no Subtensor node answers there ({why:?})")]
    NotANode {
        /// What it did instead.
        why: Untrusted,
    },
    /// The server in front of the node answers with an HTTP error.
    #[error("the server there is up but refuses the connection (HTTP {status})")]
    HttpStatus {
        /// HTTP status code.
        status: u16,
    },
    /// A node of another chain.
    #[error("this node is of another chain: its genesis is {found}, that of {network} is {expected}")]
    WrongGenesis {
        /// The network that was meant.
        network: String,
        /// The pinned genesis.
        expected: BlockHash,
        /// The node's.
        found: BlockHash,
    },
    /// HTTP 429 at the handshake, or its JSON-RPC counterpart later.
    #[error("the node allows no more requests for now{}", .retry_after.map_or_else(String::new, |wait| format!(" (it says: {} s)", wait.as_secs())))]
    RateLimited {
        /// How long the node wants to be left alone, when it says so.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("no answer within {} s to {what}", .after.as_secs_f32())]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The connection ended.
    #[error("the connection was lost ({why:?})")]
    Closed {
        /// What the library said.
        why: Untrusted,
    },
    /// The node brought no new block for too long, and there is another endpoint to try.
    #[error("no new block for {} s: the node's last one is #{}", .seconds, grouped(*.number))]
    Stalled {
        /// Number of the last best block.
        number: u64,
        /// Seconds since it arrived.
        seconds: u64,
    },
    /// No such subnet.
    #[error("subnet {netuid} does not exist on this chain")]
    NoSuchSubnet {
        /// The netuid asked for.
        netuid: u16,
    },
    /// A pallet that the console lives on is not in the node's metadata.
    #[error("this chain has no pallet {pallet}")]
    NoPallet {
        /// Name of the pallet.
        pallet: &'static str,
    },
    /// A storage entry is not in the node's metadata.
    #[error("this chain has no storage entry {pallet}.{entry}")]
    NoEntry {
        /// Name of the pallet.
        pallet: &'static str,
        /// Name of the entry.
        entry: &'static str,
    },
    /// A storage entry is keyed in another way than this version knows, and no second source says the same.
    #[error(
        "it keys {pallet}.{entry} in another way than this version knows ({why}), and no second source says the same"
    )]
    EntryShape {
        /// Name of the pallet.
        pallet: &'static str,
        /// Name of the entry.
        entry: &'static str,
        /// What differs.
        why: &'static str,
    },
    /// Two operators say that a storage entry is keyed in another way than this version knows, or the only one says so.
    #[error("this runtime is newer: it keys {pallet}.{entry} in another way than this version of the console knows")]
    NewerRuntime {
        /// Name of the pallet.
        pallet: &'static str,
        /// Name of the entry.
        entry: &'static str,
    },
    /// The metadata is broken, or built to break its reader.
    #[error("the node's metadata cannot be used ({why:?})")]
    Metadata {
        /// What is wrong with it.
        why: Untrusted,
    },
    /// More than this console is willing to hold.
    #[error("the node's answer is too large ({what})")]
    TooLarge {
        /// What was too large.
        what: String,
    },
    /// The node does not know a method that every Subtensor node serves.
    #[error("the node does not know the method {method}")]
    NoMethod {
        /// Name of the method.
        method: &'static str,
    },
    /// The node refused a call.
    #[error("the node refused {method} (code {code}: {message:?})")]
    Refused {
        /// Name of the method.
        method: &'static str,
        /// JSON-RPC error code.
        code: i32,
        /// Message and data of the error.
        message: Untrusted,
    },
    /// The answer has not the shape it must have.
    #[error("the node's answer to {method} makes no sense ({why:?})")]
    Malformed {
        /// Name of the method.
        method: &'static str,
        /// What is wrong with it.
        why: Untrusted,
    },
}

impl Fault {
    /// The fault at an endpoint.
    pub fn at(self, endpoint: &impl ToString) -> ChainError {
        ChainError { endpoint: endpoint.to_string(), fault: self }
    }

    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NameUnresolved { .. } => "dns",
            Self::Unreachable { .. } => "unreachable",
            Self::Tls { .. } => "tls",
            Self::NoRootCertificates => "no_root_certificates",
            Self::NotANode { .. } | Self::NoMethod { .. } => "not_a_node",
            Self::HttpStatus { .. } => "http_status",
            Self::WrongGenesis { .. } => "wrong_genesis",
            Self::RateLimited { .. } => "rate_limited",
            Self::Deadline { .. } => "deadline",
            Self::Closed { .. } => "closed",
            Self::Stalled { .. } => "stalled",
            Self::NoSuchSubnet { .. } => "no_such_subnet",
            Self::NoPallet { .. } => "no_pallet",
            Self::NoEntry { .. } => "no_entry",
            Self::NewerRuntime { .. } => "newer_runtime",
            Self::Metadata { .. } | Self::EntryShape { .. } => "metadata",
            Self::TooLarge { .. } => "too_large",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// Whether another endpoint of the same chain would say the same.
    pub const fn is_about_the_chain(&self) -> bool {
        matches!(
            self,
            Self::NoSuchSubnet { .. } | Self::NoPallet { .. } | Self::NoEntry { .. } | Self::NewerRuntime { .. }
        )
    }

    fn why(&self) -> &'static str {
        match self {
            Self::NameUnresolved { .. } | Self::Unreachable { .. } => {
                "Without a node nothing new is known of the chain; the console keeps what it read before, with its age."
            }
            Self::Tls { .. } | Self::NoRootCertificates => {
                "A node whose identity cannot be checked could show anything, so it is not used."
            }
            Self::NotANode { .. } | Self::NoMethod { .. } | Self::HttpStatus { .. } | Self::Malformed { .. } => {
                "The chain can only be read through the JSON-RPC interface of a Subtensor node."
            }
            Self::WrongGenesis { .. } => "Everything it says would be about another chain, so it is not used.",
            Self::RateLimited { .. } => "Public nodes allow about one request a second from one address.",
            Self::Deadline { .. } | Self::Closed { .. } => {
                "A node or something on the way was restarted, is overloaded, or drops silent connections."
            }
            Self::Stalled { .. } => "What it shows is older than it looks: the node is behind, or cut off.",
            Self::NoSuchSubnet { .. } => "There is nothing to show.",
            Self::NewerRuntime { .. } => "Nothing is written to a chain whose values are not understood.",
            Self::EntryShape { .. } => "Under other keys it would be read that there is nothing.",
            Self::NoPallet { .. } | Self::NoEntry { .. } => {
                "The console reads commitments and uids from these entries."
            }
            Self::Metadata { .. } => "Without the metadata no stored value can be read.",
            Self::TooLarge { .. } => "Answers are bounded, so that a hostile node cannot exhaust this machine.",
            Self::Refused { .. } => "The node answers but will not serve this.",
        }
    }

    /// What the operator can do about it.
    pub fn todo(&self) -> &'static str {
        match self {
            Self::NameUnresolved { .. } => "check the spelling of the endpoint and this machine's DNS",
            Self::Unreachable { .. } => "check the endpoint's host and port, the firewall, and whether the node runs",
            Self::Tls { .. } => "check the clock of this machine and that the endpoint speaks TLS (wss://)",
            Self::NoRootCertificates => "install the system's ca-certificates package",
            Self::NotANode { .. } | Self::NoMethod { .. } => "check host, port and path of the endpoint",
            Self::HttpStatus { .. } => "try again later, or name another endpoint with --endpoint",
            Self::WrongGenesis { .. } => {
                "name the network you mean with --network, or another endpoint with --endpoint"
            }
            Self::RateLimited { .. } => "wait (the console does), or use a node of your own with --endpoint",
            Self::Deadline { .. } | Self::Closed { .. } => {
                "nothing if it comes back by itself; else try another endpoint"
            }
            Self::Stalled { .. } => "compare with another endpoint; if all agree, the chain itself has halted",
            Self::NoSuchSubnet { .. } => "check --netuid (GRAIL is 81 on finney) and --network",
            Self::NewerRuntime { .. } => "update the console: look for a version that knows this runtime",
            Self::NoPallet { .. } | Self::NoEntry { .. } => {
                "check that the endpoint is a Subtensor node; if it is, look for a newer version of this console"
            }
            Self::Metadata { .. } | Self::EntryShape { .. } => {
                "try another endpoint; if all agree, look for a newer version of this console"
            }
            Self::TooLarge { .. } | Self::Refused { .. } | Self::Malformed { .. } => "try another endpoint",
        }
    }
}

impl ChainError {
    /// The error in three sentences, for screens and JSON.
    pub fn finding(&self) -> Diagnostic {
        let severity = match self.fault {
            Fault::WrongGenesis { .. } | Fault::NoSuchSubnet { .. } => Severity::Danger,
            _ => Severity::Warning,
        };
        let todo = self.fault.todo();
        let (first, rest) = todo.split_at(1);
        Diagnostic::new(
            self.fault.code(),
            severity,
            format!("{}: {}", self.endpoint, self.fault),
            self.fault.why(),
            format!("{}{rest}.", first.to_uppercase()),
        )
        .in_class(if self.fault.is_about_the_chain() { Class::Usage } else { Class::Chain })
    }
}

impl From<ChainError> for Diagnostic {
    fn from(error: ChainError) -> Self {
        error.finding()
    }
}

/// What ended a connection, in words: the library shows what the other side said as its own source code.
pub(super) fn said_at_the_end(error: &(dyn StdError + 'static)) -> String {
    match error.downcast_ref::<WsError>() {
        Some(WsError::Closed(reason)) => {
            let said = reason.descr.as_deref().map(str::trim).filter(|said| !said.is_empty());
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            format!("the node closed it, code {}{said}", reason.code)
        }
        Some(WsError::Connection(inner)) => {
            let io = inner.source().and_then(|inner| inner.downcast_ref::<io::Error>());
            io.map_or_else(|| inner.to_string(), plain)
        }
        _ => error.to_string(),
    }
}
