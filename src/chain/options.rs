//! Every deadline, pause and bound of the chain layer, with the values used in production.

use std::time::Duration;

use super::published_keys::PublishedKeys;
use super::schema::MOST_METADATA;

/// Bytes of an answer around what was asked for.
const AROUND: usize = 1 << 10;

/// Deadlines and bounds of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// For name, TCP, TLS and WebSocket handshake together.
    pub connect: Duration,
    /// For one TCP address, so that a dead one of several costs little.
    pub connect_each: Duration,
    /// For one call.
    pub call: Duration,
    /// Largest message accepted, in bytes: a block. Its 5 MiB take 10 as hex; the largest blocks carry a runtime's code of 2 to 3 MB.
    /// The chain would allow 10 MiB, and nodes themselves stop at 15 MB of answer.
    pub message: u32,
    /// Largest notification, and largest answer to most methods, in bytes: heads, versions, what becomes of an extrinsic, errors.
    pub notification: usize,
    /// Largest answer with keys or hashes, in bytes: a page of 1,000 keys has 153 kB, 1,000 hashes have 69.
    pub list: usize,
    /// Largest notification of storage changes, and largest answer with values or a proof, in bytes: the first one of 2,500 uids has
    /// 1.2 MB, the values of a chunk of commitments 1.9, their proof 2.1. All notifications that wait to be taken may have twice as
    /// many.
    pub changes: usize,
    /// How often a call that the node's rate limit refused is repeated before that is an error.
    pub rate_limit_retries: u32,
    /// Time between two requests once the node has refused one. Public nodes allow about one request a second.
    pub rate_limit_pause: Duration,
    /// Keys asked for in one request of values or one subscription: 4096 make about 0.6 MB to send and 2 MB to receive.
    pub chunk: usize,
    /// Chunks under way at once.
    pub chunks_at_once: usize,
    /// Most bytes of values in one reading; those of 65,536 uids that all have a commitment take 13 MB.
    pub values: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            connect_each: Duration::from_secs(4),
            call: Duration::from_secs(15),
            message: 10 << 20,
            notification: 64 << 10,
            list: 256 << 10,
            changes: 4 << 20,
            rate_limit_retries: 5,
            rate_limit_pause: Duration::from_millis(1_050),
            chunk: 4_096,
            chunks_at_once: 4,
            values: 64 << 20,
        }
    }
}

impl CallLimits {
    /// Largest answer to a method, in bytes.
    pub(super) fn answer(&self, method: &str) -> usize {
        match method {
            "chain_getBlockHash" | "state_getKeysPaged" => self.list,
            "state_queryStorageAt" | "state_getReadProof" => self.changes,
            // Of the calls into the runtime only those for its metadata are made. It comes as hex.
            "state_call" | "state_getMetadata" => 2 * MOST_METADATA + AROUND,
            "chain_getBlock" => self.message as usize,
            _ => self.notification,
        }
    }
}

/// Least time between two requests for old blocks to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Of another machine: public nodes allow about one request a second (FACTS 3).
    pub elsewhere: Duration,
    /// Of this machine.
    pub here: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { elsewhere: Duration::from_secs(1), here: Duration::ZERO }
    }
}

/// How a feed behaves over time; [`survey`](super::survey()) uses the time for one reading.
#[derive(Debug, Clone)]
pub struct FeedOptions {
    /// Time for one reading of a subnet, in [`survey`](super::survey()) failover included; 2 s more for each thousand keys
    /// that it finds.
    pub survey: Duration,
    /// First pause before reconnecting; doubled after each round through the pool.
    pub backoff_first: Duration,
    /// Longest pause before reconnecting.
    pub backoff_most: Duration,
    /// Pause after a node's rate limit refused us and did not say for how long.
    pub rate_limited: Duration,
    /// A connection that lived this long after its snapshot counts as a success: pauses start anew.
    pub settled: Duration,
    /// A new best block later than this is a stall: three block times.
    pub stalled: Duration,
    /// How often a lasting stall is told.
    pub stalled_again: Duration,
    /// A stall this long makes the feed try another endpoint, if there is one.
    pub stalled_too_long: Duration,
    /// Silence after which a real call finds out whether the socket is alive.
    pub quiet: Duration,
    /// How often the round trip is measured when the socket is busy.
    pub latency: Duration,
    /// Events kept for a slow receiver.
    pub events: usize,
    /// Where the published keys go with their secrets; `None` lets them go.
    pub published: Option<PublishedKeys>,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            survey: Duration::from_secs(45),
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_secs(30),
            rate_limited: Duration::from_secs(20),
            settled: Duration::from_secs(10),
            stalled: Duration::from_secs(36),
            stalled_again: Duration::from_secs(12),
            stalled_too_long: Duration::from_mins(2),
            quiet: Duration::from_secs(20),
            latency: Duration::from_mins(1),
            events: 256,
            published: None,
        }
    }
}
