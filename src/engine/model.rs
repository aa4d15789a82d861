//! What is known of a subnet: its rows, the connection to its chain, the newest blocks, and the operator's own side. Nothing that
//! happens to a connection ever takes rows away.

use serde::Serialize;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::feed::FeedEvent;
use crate::domain::hotkey::Hotkey;
use crate::domain::roster::Row;
use crate::domain::snapshot::{ChainIdentity, SubnetSnapshot};
use crate::domain::text::BLOCK_SECONDS;
use crate::engine::own::OwnInfo;
use crate::engine::table::{Origin, Table};

/// How a connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What failed, why, and what to do.
    pub problem: Diagnostic,
    /// Since when nothing is heard, in ms since 1970.
    pub since_ms: u64,
}

/// The state of the connection to the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Connection {
    /// A connection is being made.
    Connecting {
        /// The endpoint, as it is shown; empty before the first attempt.
        endpoint: String,
        /// Attempts since the last success, from 1.
        attempt: u32,
        /// What went before, if this is a reconnect.
        after: Option<Loss>,
    },
    /// Blocks arrive.
    Live {
        /// The endpoint, as it is shown.
        endpoint: String,
        /// Round trip in ms, once it was measured.
        latency_ms: Option<u64>,
    },
    /// The node answers but brings no new block.
    Stalled {
        /// The endpoint, as it is shown.
        endpoint: String,
        /// Number of the last best block.
        number: u64,
        /// Since when, in ms since 1970.
        since_ms: u64,
    },
    /// Gone, or never made.
    Lost {
        /// The endpoint, as it is shown.
        endpoint: String,
        /// What happened.
        loss: Loss,
        /// Time of the next attempt, in ms since 1970.
        retry_at_ms: u64,
    },
}

impl Default for Connection {
    fn default() -> Self {
        Self::Connecting { endpoint: String::new(), attempt: 1, after: None }
    }
}

impl Connection {
    /// What went wrong, as long as it is not mended.
    pub const fn loss(&self) -> Option<&Loss> {
        match self {
            Self::Lost { loss, .. } | Self::Connecting { after: Some(loss), .. } => Some(loss),
            _ => None,
        }
    }

    /// The endpoint, as it is shown.
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Connecting { endpoint, .. }
            | Self::Live { endpoint, .. }
            | Self::Stalled { endpoint, .. }
            | Self::Lost { endpoint, .. } => endpoint,
        }
    }
}

/// The newest blocks heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Heads {
    /// Number of the best block.
    pub best: Option<u64>,
    /// Number of the last finalized block.
    pub finalized: Option<u64>,
    /// When that was heard of, in ms since 1970.
    pub finalized_at_ms: u64,
    /// By how much the last snapshot's block was behind this machine's clock, in ms.
    pub behind_ms: u64,
}

/// The subnet as it is known now.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    /// The time, in ms since 1970, as it was told last.
    pub now_ms: u64,
    /// Whether blocks arrive, and from where.
    pub connection: Connection,
    /// The chain that answered, or that the saved table came from.
    pub chain: Option<ChainIdentity>,
    /// How far the chain is, as far as was heard.
    pub heads: Heads,
    /// The subnet and its rows.
    pub table: Table,
    /// Who the operator is, and which credentials are configured.
    pub own: OwnInfo,
}

impl Model {
    /// Nothing is known but the operator's own side.
    pub fn new(own: OwnInfo) -> Self {
        Self {
            now_ms: 0,
            connection: Connection::default(),
            chain: None,
            heads: Heads::default(),
            table: Table::default(),
            own,
        }
    }

    /// The operator's own row, if there is one.
    pub fn own_row(&self) -> Option<&Row> {
        let hotkey: Hotkey = self.own.hotkey?;
        self.table.own_row().filter(|row| row.hotkey == hotkey)
    }

    /// Whether a node was heard at all since the console opened.
    pub const fn was_heard(&self) -> bool {
        self.heads.finalized.is_some()
    }

    /// The newest block known, from which ages in blocks are counted.
    pub fn newest_block(&self) -> Option<u64> {
        let at = self.table.snapshot().map(|snapshot| snapshot.at.number);
        self.heads.best.max(self.heads.finalized).max(at)
    }

    /// Milliseconds since a moment.
    pub const fn since(&self, then_ms: u64) -> u64 {
        self.now_ms.saturating_sub(then_ms)
    }

    /// Takes what the chain tells. Whether rows changed.
    pub fn on_feed(&mut self, event: FeedEvent) -> bool {
        match event {
            FeedEvent::Connecting { endpoint, attempt } => {
                let after = self.connection.loss().cloned();
                self.connection = Connection::Connecting { endpoint, attempt, after };
            }
            FeedEvent::Connected { chain, latency_ms } => {
                self.connection = Connection::Live { endpoint: chain.endpoint.clone(), latency_ms: Some(latency_ms) };
                self.chain = Some(chain);
            }
            FeedEvent::Snapshot(snapshot) => {
                self.heads.behind_ms = self.since(snapshot.at.timestamp_ms);
                self.heads.finalized = Some(snapshot.at.number);
                self.heads.finalized_at_ms = self.now_ms;
                return self.take_snapshot(snapshot, Origin::Chain);
            }
            FeedEvent::Changed(change) => return self.table.change(*change, self.own.own().as_ref()),
            FeedEvent::BestHead { number } => {
                self.heads.best = Some(number);
                self.revive();
            }
            FeedEvent::FinalizedHead { number, .. } => self.on_finalized(number),
            FeedEvent::Upgraded { spec_version } => {
                if let Some(chain) = &mut self.chain {
                    chain.spec_version = spec_version;
                }
            }
            FeedEvent::Latency { ms } => {
                if let Connection::Live { latency_ms, .. } = &mut self.connection {
                    *latency_ms = Some(ms);
                }
            }
            FeedEvent::Stalled { number, seconds } => {
                let endpoint = self.connection.endpoint().to_owned();
                let since_ms = self.now_ms.saturating_sub(seconds.saturating_mul(1_000));
                self.connection = Connection::Stalled { endpoint, number, since_ms };
            }
            FeedEvent::Lost { endpoint, problem, retry_in_ms } => {
                // The age of a loss counts from the first failure, not from the last attempt.
                let since_ms = self.connection.loss().map_or(self.now_ms, |loss| loss.since_ms);
                let retry_at_ms = self.now_ms.saturating_add(retry_in_ms);
                self.connection = Connection::Lost { endpoint, loss: Loss { problem, since_ms }, retry_at_ms };
            }
        }
        false
    }

    /// Takes a whole subnet, or holds it back while the table is paused. Whether rows changed.
    pub fn take_snapshot(&mut self, snapshot: Box<SubnetSnapshot>, origin: Origin) -> bool {
        if self.chain.is_none() {
            self.chain = Some(snapshot.chain.clone());
        }
        self.table.replace(snapshot, origin, self.own.own().as_ref())
    }

    /// Takes the operator's own side anew.
    pub fn take_own(&mut self, own: OwnInfo) {
        self.own = own;
        self.table.rejoin(self.own.own().as_ref());
    }

    /// A node that catches up brings blocks faster than they are made; what it was behind melts by the difference.
    fn on_finalized(&mut self, number: u64) {
        let before = self.heads.finalized.unwrap_or(number);
        let made_ms = number.saturating_sub(before).saturating_mul(BLOCK_SECONDS * 1_000);
        let passed_ms = self.since(self.heads.finalized_at_ms);
        self.heads.behind_ms = self.heads.behind_ms.saturating_sub(made_ms.saturating_sub(passed_ms));
        self.heads.finalized = Some(number);
        self.heads.finalized_at_ms = self.now_ms;
        self.revive();
    }

    /// A block ends a stall.
    fn revive(&mut self) {
        if let Connection::Stalled { endpoint, .. } = &self.connection {
            self.connection = Connection::Live { endpoint: endpoint.clone(), latency_ms: None };
        }
    }
}
