//! What can go wrong on purpose inside the node; faults of the connection itself are in [`super::tcp_gate`].

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::commitment::CommitmentSpec;
use super::dispatch::Forgery;
use super::pool::PoolAnswer;

/// Where a rate limit bites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// WebSocket handshakes are answered with HTTP 429.
    Handshakes,
    /// Requests of an open session are answered with a JSON-RPC error.
    Requests,
    /// Both.
    Everything,
}

/// Where the connection is lost during a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// The extrinsic is in the pool; the answer never comes.
    BeforeAnswer,
    /// The extrinsic is not in the pool, and the answer never comes.
    Swallowed,
    /// After the watcher was told that it has been broadcast.
    AfterBroadcast,
    /// After the watcher was told in which block it is.
    AfterInBlock,
    /// After the watcher was told that it is final.
    AfterFinalized,
}

impl Interruption {
    /// Whether it needs somebody who watches.
    pub const fn needs_a_watch(self) -> bool {
        matches!(self, Self::AfterBroadcast | Self::AfterInBlock | Self::AfterFinalized)
    }
}

/// What an untruthful node says about extrinsics.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// Whoever watches is told that an extrinsic is final as soon as it is in a block.
    FinalizedAtOnce,
    /// Whoever watches is told that an extrinsic is in a block, and final; there is no such block, and it is in none.
    InventedBlock,
    /// Commitments fail, and their events say that they did not.
    ForgedEvent,
    /// Commitments fail, as their events say, and the storage holds what they would have put there.
    ForgedValue,
    /// Extrinsics are accepted, and nothing is ever heard of them again.
    SilentDrop,
    /// The metadata gives `set_commitment` the indices of another call.
    PermutedCalls,
    /// The metadata names one more transaction extension, which is not empty.
    ForeignExtension,
    /// This is every account's next nonce.
    NonceLie(u32),
}

impl Lie {
    /// What it makes up about commitments in blocks.
    pub const fn forgery(&self) -> Option<Forgery> {
        match self {
            Self::ForgedEvent => Some(Forgery::Event),
            Self::ForgedValue => Some(Forgery::Value),
            _ => None,
        }
    }
}

/// When somebody else's commitment comes after one of a hotkey's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// In the same block.
    InSameBlock,
    /// In the block after it.
    NextBlock,
    /// In the block after the one by which it became final.
    AfterFinality,
}

/// Somebody who has the same hotkey and commits something else: another console, or a GRAIL that was restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompetingSubmitter {
    /// When.
    pub moment: Moment,
    /// What; [`CommitmentSpec::Fields`] only, since it takes a true extrinsic.
    pub spec: CommitmentSpec,
}

/// The node's present misbehaviour.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, and any may be on beside any other")]
pub struct Misbehaviour {
    /// Added to every request and handshake.
    pub latency: Duration,
    /// Too many requests.
    pub throttle: Option<Throttle>,
    /// No blocks are made.
    pub stale_head: bool,
    /// Block 0 is another chain's.
    pub wrong_genesis: bool,
    /// Every submission is refused like this.
    pub pool_answer: Option<PoolAnswer>,
    /// Nothing from the pool is included.
    pub hold_pool: bool,
    /// Nothing becomes final.
    pub hold_finality: bool,
    /// Where the connection is lost during the next submission.
    pub interruption: Option<Interruption>,
    /// Extrinsics of blocks that are given up do not go back to the pool.
    pub lose_in_fork: bool,
    /// Blocks to give up after the operator's next commitment is included.
    pub fork_after_commit: Option<u32>,
    /// Blocks to give up at the next block time, because such a commitment was included.
    pub fork_due: Option<u32>,
    /// Who commits after a hotkey has.
    pub competing: Option<CompetingSubmitter>,
    /// What is not true.
    pub lie: Option<Lie>,
}

impl Misbehaviour {
    /// Whether handshakes are refused with 429.
    pub fn refuses_handshakes(&self) -> bool {
        matches!(self.throttle, Some(Throttle::Handshakes | Throttle::Everything))
    }

    /// Whether requests are refused as too many.
    pub fn refuses_requests(&self) -> bool {
        matches!(self.throttle, Some(Throttle::Requests | Throttle::Everything))
    }
}

/// The node's present misbehaviour, shared.
#[derive(Debug, Default)]
pub struct FaultBoard(RwLock<Misbehaviour>);

impl FaultBoard {
    /// Starts with a latency and no fault.
    pub fn new(latency: Duration) -> Self {
        Self(RwLock::new(Misbehaviour { latency, ..Misbehaviour::default() }))
    }

    /// What is wrong now.
    pub fn now(&self) -> RwLockReadGuard<'_, Misbehaviour> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change it.
    pub fn set(&self) -> RwLockWriteGuard<'_, Misbehaviour> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
