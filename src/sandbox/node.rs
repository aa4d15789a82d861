//! The node: the chain, what is to happen in its next block, and who is told about it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use parity_scale_codec::Encode;
use tokio::sync::watch;

use super::block::{Block, Hash};
use super::chain::{BLOCK_MS, Chain, Contents};
use super::draft::Act;
use super::extrinsic::Account;
use super::faults::FaultBoard;
use super::metadata::MetadataError;
use super::meter::Meter;
use super::pool::{Pool, Rejection, Watch};
use super::population::NETUID;
use super::validity::Holder;
use crate::domain::hotkey::Hotkey;

/// How chain time advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// A block's time is the wall clock's.
    Wall,
    /// A block's time is 12 s after its parent's.
    Stepped,
}

/// Heights of the two heads; every change wakes the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The best block.
    pub best: u32,
    /// The last finalized block.
    pub finalized: u32,
}

impl Heads {
    fn of(chain: &Chain) -> Self {
        Self { best: chain.best().number(), finalized: chain.finalized().number() }
    }
}

/// The node.
#[derive(Debug)]
pub struct Node {
    chain: RwLock<Chain>,
    clock: Clock,
    pending: Mutex<Vec<Act>>,
    /// Locked after the chain, never before it.
    pool: Mutex<Pool>,
    heads: watch::Sender<Heads>,
    /// What is wrong on purpose.
    pub faults: FaultBoard,
    /// What was asked.
    pub meter: Arc<Meter>,
}

impl Node {
    /// A node over a chain.
    pub fn new(chain: Chain, clock: Clock, faults: FaultBoard) -> Self {
        let heads = watch::Sender::new(Heads::of(&chain));
        Self {
            chain: RwLock::new(chain),
            clock,
            pending: Mutex::default(),
            pool: Mutex::default(),
            heads,
            faults,
            meter: Arc::default(),
        }
    }

    /// The chain, to read from.
    pub fn chain(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Heads as they change.
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    /// Lets something happen in the next block.
    pub fn queue(&self, act: Act) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(act);
    }

    /// Makes a block, unless the head is stale on purpose, and returns the best block.
    pub fn produce(&self) -> Result<Arc<Block>, MetadataError> {
        if self.faults.now().stale_head {
            return Ok(Arc::clone(self.chain().best()));
        }
        let acts = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut chain = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool();
        let extrinsics = pool.pick(&chain);
        let timestamp = self.timestamp_after(chain.best());
        chain.produce(timestamp, Contents { extrinsics: &extrinsics, acts: &acts })?;
        let (heads, best) = (Heads::of(&chain), Arc::clone(chain.best()));
        pool.included(&chain, &best, &extrinsics);
        pool.finalize(&chain);
        pool.settle(&chain);
        drop(pool);
        drop(chain);
        self.heads.send_replace(heads);
        Ok(best)
    }

    /// The pool, for as long as the guard lives; the chain must not be locked after it.
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an extrinsic into the pool.
    pub fn submit(&self, bytes: &[u8], watch: Watch) -> Result<Hash, Rejection> {
        let chain = self.chain();
        self.pool().submit(&chain, bytes, watch)
    }

    /// The nonce that an account's next extrinsic must have, with what is ready in the pool counted in.
    pub fn next_index(&self, account: &Account) -> u32 {
        let chain = self.chain();
        self.pool().next_index(account, Holder::of(chain.top(), account).nonce)
    }

    /// What is ready in the pool, with its length.
    pub fn pending_extrinsics(&self) -> Vec<Vec<u8>> {
        self.pool().pending()
    }

    /// Every commitment of subnet 81 at the best block: hotkey and stored value.
    pub fn commitments(&self) -> Result<Vec<(Hotkey, Vec<u8>)>, MetadataError> {
        let chain = self.chain();
        let prefix = chain.best().runtime.entry("Commitments", "CommitmentOf")?.key(&[&NETUID.encode()]);
        let hotkey = |key: &[u8]| key.last_chunk().map(|bytes| Hotkey::from_bytes(*bytes));
        Ok(chain.under(&prefix).filter_map(|(key, value)| Some((hotkey(key)?, value.to_vec()))).collect())
    }

    fn timestamp_after(&self, best: &Block) -> u64 {
        match self.clock {
            Clock::Wall => wall_clock_ms().max(best.timestamp_ms + 1),
            Clock::Stepped => best.timestamp_ms + BLOCK_MS,
        }
    }
}

/// Milliseconds since the Unix epoch.
pub fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
