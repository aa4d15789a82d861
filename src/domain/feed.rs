//! What a living connection to the chain tells, in the past tense and in order.
//!
//! The chain layer produces these, the console's state consumes them. None of them ever takes the table away: a lost
//! connection is an event beside the data, not instead of it.

use crate::domain::diagnostic::Diagnostic;
use crate::domain::network::BlockHash;
use crate::domain::snapshot::{ChainIdentity, SubnetChange, SubnetSnapshot};

/// One event of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// A connection is being made.
    Connecting {
        /// The endpoint, as it is shown.
        endpoint: String,
        /// Attempts since the last success, from 1.
        attempt: u32,
    },
    /// A node answered and is the right chain.
    Connected {
        /// Which chain, through which endpoint.
        chain: ChainIdentity,
        /// Round trip of the first answers, in ms.
        latency_ms: u64,
    },
    /// The whole subnet at one finalized block.
    Snapshot(Box<SubnetSnapshot>),
    /// A new best block.
    BestHead {
        /// Block number.
        number: u64,
    },
    /// A newly finalized block.
    FinalizedHead {
        /// Block number.
        number: u64,
        /// Block hash.
        hash: BlockHash,
    },
    /// Something changed on the subnet since the snapshot.
    Changed(Box<SubnetChange>),
    /// The runtime was upgraded; values are read with the new metadata from here on.
    Upgraded {
        /// The new spec version.
        spec_version: u32,
    },
    /// The round trip of the last liveness check, in ms.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The node answers but brings no new block.
    Stalled {
        /// Number of the last best block.
        number: u64,
        /// Seconds since it arrived.
        seconds: u64,
    },
    /// The connection is gone or could not be made. The feed goes on trying.
    Lost {
        /// The endpoint, as it is shown.
        endpoint: String,
        /// What failed, why, and what to do.
        problem: Diagnostic,
        /// Milliseconds until the next attempt.
        retry_in_ms: u64,
    },
}
