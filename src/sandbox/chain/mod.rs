//! The sandbox chain: blocks with their states, the best and the finalized head.

mod fork;
mod view;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;

use super::block::{Block, Hash, Header, digest};
use super::block_builder::{Act, BlockBuilder, Writes};
use super::commitment::CommitmentSpec;
use super::dispatch::{self, Forgery};
use super::extrinsic::{Signed, timestamp_inherent};
use super::metadata::{MetadataError, Runtime, prefixed_hex};
use super::state::{Key, Store, Value};
use super::trie::{StateTrie, extrinsics_root};
use super::validity::Unregistered;
use fork::Retracted;
pub use view::{StateAt, StateError};

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

/// The chain.
#[derive(Debug)]
pub struct Chain {
    store: Store,
    trie: StateTrie,
    /// What the state the chain starts with holds only from a later block on.
    arriving: BTreeMap<u32, Vec<(Key, Value)>>,
    genesis: Arc<Block>,
    blocks: VecDeque<Arc<Block>>,
    by_hash: HashMap<Hash, u32>,
    best: Arc<Block>,
    finalized: Arc<Block>,
    unregistered: Option<Unregistered>,
    /// What happened without an extrinsic in blocks that are not final.
    recent_acts: BTreeMap<u32, Vec<Act>>,
    retracted: VecDeque<Retracted>,
    forks: u64,
}

/// What happens in a block, in this order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contents<'a> {
    /// Extrinsics that have been checked for it.
    pub extrinsics: &'a [Arc<Signed>],
    /// What happens at its end.
    pub acts: &'a [Act],
    /// What the node makes up about commitments.
    pub forgery: Option<Forgery>,
    /// Nothing becomes final by this block.
    pub hold_finality: bool,
}

impl Chain {
    /// A chain whose history has the state `base`, up to the block numbered `head` at chain time `now_ms`.
    pub fn new(runtime: &Arc<Runtime>, head: u32, now_ms: u64, base: GenesisState) -> Result<Self, MetadataError> {
        let oldest = head.saturating_sub(HISTORY - 1).max(1);
        let genesis = Arc::new(genesis(runtime));
        let parent = blake2_256(&(b"grail-console sandbox history", oldest).encode());
        let mut arriving: BTreeMap<u32, Vec<(Key, Value)>> = BTreeMap::new();
        for (since, key, value) in &base.writes {
            arriving.entry((*since).clamp(oldest, head)).or_default().push((Arc::clone(key), Arc::clone(value)));
        }
        let mut trie = StateTrie::default();
        let always = arriving.remove(&oldest).unwrap_or_default();
        let writes = always.iter().map(|(key, value)| (key.as_ref(), Some(value.as_ref())));
        let state_root = trie.write(oldest - 1, &StateTrie::empty_root(), writes)?;
        let store =
            Store::new(base.writes.into_iter().map(|(since, key, value)| (since.clamp(oldest, head), key, value)));
        let first = Arc::new(Block {
            header: Header { number: oldest - 1, state_root, ..genesis.header.clone() },
            hash: parent,
            extrinsics: Vec::new(),
            changed: Vec::new(),
            timestamp_ms: now_ms.saturating_sub(BLOCK_MS * u64::from(head + 1 - oldest)),
            runtime: Arc::clone(runtime),
        });
        let mut chain = Self {
            store,
            trie,
            arriving,
            genesis,
            blocks: VecDeque::new(),
            by_hash: HashMap::new(),
            best: Arc::clone(&first),
            finalized: first,
            unregistered: base.unregistered,
            recent_acts: BTreeMap::new(),
            retracted: VecDeque::new(),
            forks: 0,
        };
        while chain.best.number() < head {
            let timestamp = chain.best.timestamp_ms + BLOCK_MS;
            let extrinsics = base.signed.get(&(chain.best.number() + 1)).map_or(&[][..], Vec::as_slice);
            chain.produce(timestamp, Contents { extrinsics, ..Contents::default() })?;
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

    /// The oldest block that is kept, genesis aside.
    pub fn oldest(&self) -> &Arc<Block> {
        self.blocks.front().unwrap_or(&self.best)
    }

    /// The block of a height on the best chain.
    pub fn block(&self, number: u32) -> Option<&Arc<Block>> {
        if number == 0 {
            return Some(&self.genesis);
        }
        let first = self.blocks.front()?.number();
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// A block by hash, be it on the chain or no longer.
    pub fn by_hash(&self, hash: &Hash) -> Option<&Arc<Block>> {
        if *hash == self.genesis.hash {
            return Some(&self.genesis);
        }
        let on_chain = self.by_hash.get(hash).and_then(|number| self.block(*number));
        on_chain.or_else(|| Some(self.find_retracted(hash)?.block()))
    }

    /// Where the commitments of somebody who is not on the subnet end.
    pub fn unregistered(&self) -> Unregistered {
        let usual = if self.best.runtime.is_new() { Unregistered::Pool } else { Unregistered::Block };
        self.unregistered.unwrap_or(usual)
    }

    /// State at the best block.
    pub fn top(&self) -> StateAt<'_> {
        StateAt { store: &self.store, since: self.best.number(), overlay: None, block: &self.best }
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
        if let Some(retracted) = self.find_retracted(&block.hash) {
            return Ok(retracted.state(self));
        }
        Ok(StateAt { store: &self.store, since: block.number(), overlay: None, block })
    }

    fn oldest_state(&self) -> u32 {
        self.best.number().saturating_sub(KEPT_STATES)
    }

    /// Adds a block and moves finality along.
    pub fn produce(&mut self, timestamp_ms: u64, contents: Contents<'_>) -> Result<(), MetadataError> {
        let runtime = Arc::clone(&self.best.runtime);
        let upgrade = contents.acts.iter().any(|act| matches!(act, Act::Upgrade));
        let next_runtime = if upgrade { runtime.upgraded()? } else { Arc::clone(&runtime) };
        let writes = self.draft(timestamp_ms, contents, &next_runtime)?;
        let inherent = timestamp_inherent(runtime.call_index("Timestamp", "set")?, timestamp_ms);
        let submitted = contents.extrinsics.iter().map(|signed| signed.bytes.clone());
        let extrinsics: Vec<_> = std::iter::once(inherent).chain(submitted).collect();
        let number = self.best.number() + 1;
        let bodies: Vec<_> = extrinsics.iter().map(Encode::encode).collect();
        let header = Header {
            parent: self.best.hash,
            number,
            state_root: self.state_root_after(number, &writes)?,
            extrinsics_root: extrinsics_root(&bodies),
            logs: digest(timestamp_ms, upgrade),
        };
        self.recent_acts.insert(header.number, contents.acts.to_vec());
        self.append(header, timestamp_ms, extrinsics, writes, next_runtime);
        if !contents.hold_finality {
            self.finalize();
        }
        Ok(())
    }

    /// The root of the state after a block's writes and what arrives with it.
    fn state_root_after(&mut self, number: u32, writes: &Writes) -> Result<Hash, MetadataError> {
        let arriving = self.arriving.remove(&number).unwrap_or_default();
        let arriving = arriving.iter().map(|(key, value)| (key.as_ref(), Some(value.as_ref())));
        let written = writes.iter().map(|(key, value)| (key.as_ref(), value.as_deref()));
        let root = self.trie.write(number, &self.best.header.state_root, arriving.chain(written))?;
        self.trie.forget_below(number.saturating_sub(KEPT_STATES));
        Ok(root)
    }

    /// The nodes that prove what the state of a block holds under some keys, and what it does not hold.
    pub fn proof(&self, at: Option<&Hash>, keys: &[Vec<u8>]) -> Result<(Hash, Vec<Vec<u8>>), StateError> {
        let block = self.state(at)?.block;
        let nodes = self.trie.proof(&block.header.state_root, keys).map_err(StateError::NoTrie)?;
        Ok((block.hash, nodes))
    }

    fn draft(&self, timestamp_ms: u64, contents: Contents<'_>, next: &Runtime) -> Result<Writes, MetadataError> {
        let mut draft = BlockBuilder::new(self.top());
        let number = draft.number();
        draft.put("System", "Number", &[], number.encode())?;
        draft.put("System", "ParentHash", &[], self.best.hash.to_vec())?;
        draft.put("Timestamp", "Now", &[], timestamp_ms.encode())?;
        draft.advance_epoch()?;
        if self.is_new_runtime() {
            draft.put("System", "LastRuntimeUpgrade", &[], self.best.runtime.last_upgrade())?;
            self.migrate(&mut draft)?;
        }
        draft.begin_extrinsic(0);
        draft.inherent_succeeded();
        for (index, signed) in (1..).zip(contents.extrinsics) {
            dispatch::apply(&mut draft, index, signed, contents.forgery)?;
        }
        draft.end_extrinsics();
        for act in contents.acts {
            match act {
                Act::Commit { hotkey, spec } => draft.commit(hotkey, spec)?,
                Act::Register { uid, hotkey } => draft.register(*uid, hotkey)?,
                Act::Rename { name } => draft.rename(name)?,
                Act::Upgrade => draft.set_code(next.code()),
            }
        }
        draft.finish()
    }

    /// Whether the best block set new code, which the next one is the first to run.
    fn is_new_runtime(&self) -> bool {
        let before = self.block(self.best.number().saturating_sub(1));
        before.is_some_and(|before| !Arc::ptr_eq(&before.runtime, &self.best.runtime))
    }

    /// The new runtime's first act: commitments whose variants have moved are written anew. As on a real chain the block
    /// before, which carries the new code, was still written by the old runtime.
    fn migrate(&self, draft: &mut BlockBuilder<'_>) -> Result<(), MetadataError> {
        let old = self.block(self.best.number().saturating_sub(1)).map_or(&self.best.runtime, |before| &before.runtime);
        let prefix = old.entry("Commitments", "CommitmentOf")?.key(&[&super::accounts::NETUID.encode()]);
        for (key, value) in self.top().after(&prefix, None) {
            // What no runtime could have written stays as it is.
            let Some((block, spec)) = CommitmentSpec::decode(old, value) else { continue };
            if spec.is_odd() {
                draft.write(key.to_vec(), Some(spec.encode(draft.runtime(), block)?));
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        header: Header,
        timestamp_ms: u64,
        extrinsics: Vec<Vec<u8>>,
        writes: Writes,
        runtime: Arc<Runtime>,
    ) {
        let number = header.number;
        let oldest = number.saturating_sub(KEPT_STATES);
        let changed = writes.iter().map(|(key, _)| Arc::clone(key)).collect();
        for (key, value) in writes {
            self.store.put(number, oldest, key, value);
        }
        let hash = header.hash();
        let block = Arc::new(Block { header, hash, extrinsics, changed, timestamp_ms, runtime });
        self.by_hash.insert(hash, number);
        self.blocks.push_back(Arc::clone(&block));
        self.best = block;
        self.forget_oldest();
    }

    /// Moves finality along, to where it trails the best block.
    fn finalize(&mut self) {
        let number = self.best.number().saturating_sub(FINALITY_LAG);
        if let Some(block) = self.block(number).filter(|block| block.number() > 0) {
            self.finalized = Arc::clone(block);
            self.recent_acts = self.recent_acts.split_off(&(number + 1));
        }
    }

    fn forget_oldest(&mut self) {
        if self.blocks.len() > KEPT_BLOCKS
            && let Some(block) = self.blocks.pop_front()
        {
            self.by_hash.remove(&block.hash);
        }
    }
}

/// What there is before the first block.
#[derive(Debug, Default)]
pub struct GenesisState {
    /// Writes with the block since which they hold; a block older than the history means "always".
    pub writes: Vec<(u32, Key, Value)>,
    /// Where the commitments of somebody who is not on the subnet end, where it is not where the runtime ends them.
    pub unregistered: Option<Unregistered>,
    /// Extrinsics of the blocks that exist at the start.
    pub signed: BTreeMap<u32, Vec<Arc<Signed>>>,
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
