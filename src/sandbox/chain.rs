//! The practice chain: blocks with their states, the best and the finalized head.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;
use thiserror::Error;

use super::block::{Block, Hash, Header, digest, state_root, timestamp_inherent};
use super::commitment::CommitmentSpec;
use super::draft::{Act, Draft, Writes};
use super::metadata::{MetadataError, Runtime, prefixed_hex};
use super::state::{Key, Store, Value};
use crate::domain::hotkey::Hotkey;

/// Milliseconds between blocks on the real chain, and between the chain times of blocks that tests step.
pub const BLOCK_MS: u64 = 12_000;
/// Blocks below the best one whose state is still served; real lite nodes keep about as many.
pub const KEPT_STATES: u32 = 256;
/// Blocks that exist when the sandbox starts; the oldest of them have lost their state already.
pub const HISTORY: u32 = 320;
/// Headers kept at most; at 100 ms a block this is a quarter of an hour.
const KEPT_BLOCKS: usize = 10_000;
/// How far finality trails the best block.
pub const FINALITY_LAG: u32 = 2;

/// Why the node has no state for a block; the texts are those of real nodes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// The block is older than what the node keeps.
    #[error("UnknownBlock: State already discarded for {0}")]
    Discarded(String),
    /// No such block.
    #[error("UnknownBlock: Header was not found in the database: {0}")]
    NoHeader(String),
}

/// The state of one block.
#[derive(Debug, Clone, Copy)]
pub struct StateAt<'a> {
    store: &'a Store,
    /// The block.
    pub block: &'a Arc<Block>,
}

impl<'a> StateAt<'a> {
    /// The value under a key.
    pub fn get(self, key: &[u8]) -> Option<&'a Value> {
        self.store.get(key, self.block.number())
    }

    /// Keys under a prefix and after `start`, with their values, in order.
    pub fn after(self, prefix: &'a [u8], start: Option<&[u8]>) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.store.after(prefix, start, self.block.number())
    }

    /// The runtime in this state.
    pub fn runtime(self) -> &'a Arc<Runtime> {
        &self.block.runtime
    }
}

/// The chain.
#[derive(Debug)]
pub struct Chain {
    store: Store,
    genesis: Arc<Block>,
    blocks: VecDeque<Arc<Block>>,
    by_hash: HashMap<Hash, u32>,
    best: Arc<Block>,
    finalized: Arc<Block>,
    /// Commitments whose encoding an upgrade may change, to write them anew after it.
    odd: BTreeMap<Hotkey, (u32, CommitmentSpec)>,
    migrate: bool,
}

impl Chain {
    /// A chain whose history has the state `base`, up to the block numbered `head` at chain time `now_ms`.
    pub fn new(runtime: &Arc<Runtime>, head: u32, now_ms: u64, base: Base) -> Result<Self, MetadataError> {
        let oldest = head.saturating_sub(HISTORY - 1).max(1);
        let genesis = Arc::new(genesis(runtime));
        let parent = blake2_256(&(b"grail-console sandbox history", oldest).encode());
        let store =
            Store::new(base.writes.into_iter().map(|(since, key, value)| (since.clamp(oldest, head), key, value)));
        let first = Arc::new(Block {
            header: Header { number: oldest - 1, ..genesis.header.clone() },
            hash: parent,
            extrinsics: Vec::new(),
            changed: Vec::new(),
            timestamp_ms: now_ms.saturating_sub(BLOCK_MS * u64::from(head + 1 - oldest)),
            runtime: Arc::clone(runtime),
        });
        let mut chain = Self {
            store,
            genesis,
            blocks: VecDeque::new(),
            by_hash: HashMap::new(),
            best: Arc::clone(&first),
            finalized: first,
            odd: base.odd,
            migrate: false,
        };
        while chain.best.number() < head {
            let timestamp = chain.best.timestamp_ms + BLOCK_MS;
            chain.produce(timestamp, &[])?;
        }
        Ok(chain)
    }

    /// The best block.
    pub const fn best(&self) -> &Arc<Block> {
        &self.best
    }

    /// The last finalized block.
    pub const fn finalized(&self) -> &Arc<Block> {
        &self.finalized
    }

    /// The block of a height on the best chain.
    pub fn block(&self, number: u32) -> Option<&Arc<Block>> {
        if number == 0 {
            return Some(&self.genesis);
        }
        let first = self.blocks.front()?.number();
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// A block by hash.
    pub fn by_hash(&self, hash: &Hash) -> Option<&Arc<Block>> {
        if *hash == self.genesis.hash { Some(&self.genesis) } else { self.block(*self.by_hash.get(hash)?) }
    }

    /// State at a block, the best one without a hash.
    pub fn state(&self, at: Option<&Hash>) -> Result<StateAt<'_>, StateError> {
        let block = match at {
            None => &self.best,
            Some(hash) => self.by_hash(hash).ok_or_else(|| StateError::NoHeader(prefixed_hex(hash)))?,
        };
        if block.number() < self.oldest_state() {
            return Err(StateError::Discarded(prefixed_hex(&block.hash)));
        }
        Ok(StateAt { store: &self.store, block })
    }

    /// Everything under a prefix at the best block.
    pub fn under<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.store.after(prefix, None, self.best.number())
    }

    fn oldest_state(&self) -> u32 {
        self.best.number().saturating_sub(KEPT_STATES)
    }

    /// Adds a block in which `acts` happen and moves finality along.
    pub fn produce(&mut self, timestamp_ms: u64, acts: &[Act]) -> Result<(), MetadataError> {
        let number = self.best.number() + 1;
        let runtime = Arc::clone(&self.best.runtime);
        let upgrade = acts.iter().any(|act| matches!(act, Act::Upgrade));
        let writes = self.draft(&runtime, number, timestamp_ms, acts)?;
        for act in acts {
            if let Act::Commit { hotkey, spec } = act {
                self.remember(*hotkey, number, spec);
            }
        }
        self.migrate = upgrade;
        let next_runtime = if upgrade { runtime.upgraded()? } else { Arc::clone(&runtime) };
        let call = runtime.call_index("Timestamp", "set")?;
        self.append(number, timestamp_ms, writes, timestamp_inherent(call, timestamp_ms), next_runtime, upgrade);
        Ok(())
    }

    fn draft(&self, runtime: &Runtime, number: u32, timestamp_ms: u64, acts: &[Act]) -> Result<Writes, MetadataError> {
        let mut draft = Draft::new(runtime, &self.store, number);
        draft.put("System", "Number", &[], number.encode())?;
        draft.put("System", "ParentHash", &[], self.best.hash.to_vec())?;
        draft.put("Timestamp", "Now", &[], timestamp_ms.encode())?;
        if self.migrate {
            self.migrate(&mut draft, runtime)?;
        }
        draft.inherent_succeeded();
        for act in acts {
            match act {
                Act::Commit { hotkey, spec } => draft.commit(hotkey, spec)?,
                Act::Register { uid, hotkey } => draft.register(*uid, hotkey)?,
                Act::Upgrade => draft.code_updated(),
            }
        }
        draft.finish()
    }

    /// The new runtime's first act: commitments whose variants have moved are written anew. As on a real chain the block
    /// before, which carries the new code, was still written by the old runtime.
    fn migrate(&self, draft: &mut Draft<'_>, runtime: &Runtime) -> Result<(), MetadataError> {
        let netuid = super::population::NETUID.encode();
        for (hotkey, (block, spec)) in &self.odd {
            let value = spec.encode(runtime, *block)?;
            draft.put("Commitments", "CommitmentOf", &[&netuid, hotkey.as_bytes()], value)?;
        }
        Ok(())
    }

    fn remember(&mut self, hotkey: Hotkey, number: u32, spec: &CommitmentSpec) {
        if spec.is_odd() {
            self.odd.insert(hotkey, (number, spec.clone()));
        } else {
            self.odd.remove(&hotkey);
        }
    }

    fn append(
        &mut self,
        number: u32,
        timestamp_ms: u64,
        writes: Writes,
        inherent: Vec<u8>,
        runtime: Arc<Runtime>,
        upgrade: bool,
    ) {
        let header = Header {
            parent: self.best.hash,
            number,
            state_root: state_root(&self.best.header.state_root, &writes),
            extrinsics_root: blake2_256(&inherent),
            logs: digest(timestamp_ms, upgrade),
        };
        let oldest = number.saturating_sub(KEPT_STATES);
        let changed = writes.iter().map(|(key, _)| Arc::clone(key)).collect();
        for (key, value) in writes {
            self.store.put(number, oldest, key, value);
        }
        let hash = header.hash();
        let block = Arc::new(Block { header, hash, extrinsics: vec![inherent], changed, timestamp_ms, runtime });
        self.by_hash.insert(hash, number);
        self.blocks.push_back(Arc::clone(&block));
        self.best = block;
        if let Some(final_block) = self.block(number.saturating_sub(FINALITY_LAG)).filter(|block| block.number() > 0) {
            self.finalized = Arc::clone(final_block);
        }
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        if self.blocks.len() > KEPT_BLOCKS
            && let Some(block) = self.blocks.pop_front()
        {
            self.by_hash.remove(&block.hash);
        }
    }
}

/// State before the first block: writes with the block since which they hold, and the odd commitments among them.
#[derive(Debug, Default)]
pub struct Base {
    /// Writes; a block older than the history means "always".
    pub writes: Vec<(u32, Key, Value)>,
    /// Commitments whose encoding an upgrade may change.
    pub odd: BTreeMap<Hotkey, (u32, CommitmentSpec)>,
}

fn genesis(runtime: &Arc<Runtime>) -> Block {
    let header = Header::genesis();
    Block {
        hash: header.hash(),
        header,
        extrinsics: Vec::new(),
        changed: Vec::new(),
        timestamp_ms: 0,
        runtime: Arc::clone(runtime),
    }
}
