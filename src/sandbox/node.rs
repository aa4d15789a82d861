//! The node: the chain, what is to happen in its next block, and who is told about it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonrpsee::types::ErrorObjectOwned;
use parity_scale_codec::Encode;
use tokio::sync::watch;

use super::accounts::{NETUID, OPERATOR_UID, hotkey, key_pair_of};
use super::block::{Block, Hash};
use super::block_builder::Act;
use super::chain::{BLOCK_MS, Chain, Contents};
use super::commitment::{CommitmentSpec, Field};
use super::competing_submitter::Usurpations;
use super::dispatch::set_commitment;
use super::extrinsic::{Account, Signed, sign};
use super::faults::{CompetingSubmitter, FaultBoard, Interruption, Lie, Misbehaviour, Moment};
use super::metadata::{MetadataError, Runtime};
use super::meter::Meter;
use super::pool::{Fate, Pool, Rejection, Watch};
use super::sandbox_time::SandboxTime;
use super::tcp_gate::GateHandle;
use super::validity::Holder;
use super::write_cutoff::WriteCutoff;
use crate::domain::hotkey::Hotkey;

/// How chain time advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// A block's time is the wall clock's.
    Wall,
    /// A block's time is 12 s after its parent's.
    Stepped,
}

/// The node.
#[derive(Debug)]
pub struct Node {
    chain: RwLock<Chain>,
    clock: Clock,
    pending: Mutex<Vec<Act>>,
    /// Locked after the chain, never before it.
    pool: Mutex<Pool>,
    usurpations: Mutex<Usurpations>,
    /// Wakes whoever follows the heads.
    heads: watch::Sender<()>,
    gates: OnceLock<[GateHandle; 2]>,
    /// Where outgoing bytes end.
    pub cut: WriteCutoff,
    /// What is wrong on purpose.
    pub faults: FaultBoard,
    /// What was asked.
    pub meter: Arc<Meter>,
    /// The time by which tokens become known and validators look again.
    pub time: SandboxTime,
}

impl Node {
    /// A node over a chain.
    pub fn new(chain: Chain, clock: Clock, faults: FaultBoard) -> Self {
        Self {
            chain: RwLock::new(chain),
            clock,
            pending: Mutex::default(),
            pool: Mutex::default(),
            usurpations: Mutex::default(),
            heads: watch::Sender::default(),
            gates: OnceLock::new(),
            cut: WriteCutoff::default(),
            faults,
            meter: Arc::default(),
            time: SandboxTime::default(),
        }
    }

    /// The chain, to read from.
    pub fn chain(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A runtime as the node tells of it: another one where it lies about its metadata.
    pub fn told<'a>(&self, runtime: &'a Runtime) -> &'a Runtime {
        match self.faults.now().lie {
            Some(Lie::PermutedCalls) => runtime.permuted(),
            Some(Lie::ForeignExtension) => runtime.extended(),
            _ => runtime,
        }
    }

    /// Wakes whenever the heads have moved.
    pub fn heads(&self) -> watch::Receiver<()> {
        self.heads.subscribe()
    }

    /// Lets something happen in the next block.
    pub fn queue(&self, act: Act) {
        self.pending().push(act);
    }

    /// Makes a block, unless the head is stale on purpose, and returns the best block.
    pub fn produce(&self) -> Result<Arc<Block>, MetadataError> {
        if self.faults.now().stale_head {
            return Ok(Arc::clone(self.chain().best()));
        }
        let fork_due = self.faults.set().fork_due.take();
        if let Some(depth) = fork_due {
            return self.fork(depth);
        }
        let faults = self.faults.now().clone();
        let acts = std::mem::take(&mut *self.pending());
        let mut chain = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool();
        let mut extrinsics = if faults.hold_pool { Vec::new() } else { pool.pick(&chain) };
        let runtime = Arc::clone(&chain.best().runtime);
        self.usurp_at_once(&runtime, &faults, &mut extrinsics);
        let contents = Contents {
            extrinsics: &extrinsics,
            acts: &acts,
            forgery: faults.lie.as_ref().and_then(Lie::forgery),
            hold_finality: faults.hold_finality,
        };
        let timestamp = self.timestamp_after(&chain);
        chain.produce(timestamp, contents)?;
        pool.included(&chain, chain.best(), &extrinsics, faults.lie == Some(Lie::FinalizedAtOnce));
        self.expect_fork(&runtime, &extrinsics);
        Ok(self.follow_up(chain, pool, &faults, &extrinsics))
    }

    /// Gives up the last `depth` blocks, as many of them as are not final, and replaces them by a branch that is longer by
    /// one: only a longer branch wins. What was in them is included again later. Returns the best block.
    pub fn fork(&self, depth: u32) -> Result<Arc<Block>, MetadataError> {
        let faults = self.faults.now().clone();
        let mut chain = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool();
        let retraction = chain.retract(depth);
        if retraction.blocks.is_empty() {
            return Ok(Arc::clone(chain.best()));
        }
        self.pending().splice(..0, retraction.acts);
        for _ in 0..=retraction.blocks.len() {
            let contents = Contents { hold_finality: faults.hold_finality, ..Contents::default() };
            let timestamp = self.timestamp_after(&chain);
            chain.produce(timestamp, contents)?;
        }
        pool.retract(&chain, &retraction.blocks, faults.lose_in_fork);
        Ok(self.follow_up(chain, pool, &faults, &[]))
    }

    /// What new blocks entail, the best of which includes these extrinsics: the pool follows, usurpers have their say, and
    /// whoever follows the heads is woken once chain and pool are free. Returns the best block.
    fn follow_up(
        &self,
        chain: RwLockWriteGuard<'_, Chain>,
        mut pool: MutexGuard<'_, Pool>,
        faults: &Misbehaviour,
        included: &[Arc<Signed>],
    ) -> Arc<Block> {
        pool.deceive();
        let final_now = pool.finalize(&chain);
        pool.settle(&chain);
        let reached = [(Moment::NextBlock, included), (Moment::AfterFinality, &final_now)];
        self.usurp_later(&chain, &mut pool, faults, reached);
        let best = Arc::clone(chain.best());
        drop(pool);
        drop(chain);
        self.heads.send_replace(());
        best
    }

    /// Adds what usurpers have to say in the block itself.
    fn usurp_at_once(&self, runtime: &Runtime, faults: &Misbehaviour, extrinsics: &mut Vec<Arc<Signed>>) {
        let Some(CompetingSubmitter { moment: Moment::InSameBlock, spec }) = &faults.competing else { return };
        let mut usurpations = self.usurpations();
        for victim in usurpations.victims(runtime, extrinsics) {
            let last = extrinsics.iter().filter(|signed| signed.signer == victim).map(|signed| signed.nonce).max();
            let nonce = last.unwrap_or_default().saturating_add(1);
            extrinsics.extend(usurpations.follow(runtime, &victim, nonce, spec).map(Arc::new));
        }
    }

    /// Submits what usurpers have to say about extrinsics that have come so far.
    fn usurp_later(
        &self,
        chain: &Chain,
        pool: &mut Pool,
        faults: &Misbehaviour,
        reached: [(Moment, &[Arc<Signed>]); 2],
    ) {
        let Some(CompetingSubmitter { moment, spec }) = &faults.competing else { return };
        let runtime = &chain.best().runtime;
        let mut usurpations = self.usurpations();
        for extrinsics in reached.into_iter().filter(|(reached, _)| reached == moment).map(|(_, extrinsics)| extrinsics)
        {
            for victim in usurpations.victims(runtime, extrinsics) {
                let nonce = Holder::of(chain.top(), &victim).nonce;
                if let Some(signed) = usurpations.follow(runtime, &victim, nonce, spec) {
                    // Where the victim was faster its own extrinsic stays.
                    pool.submit(chain, &signed.bytes, Watch::default(), Fate::Admitted).ok();
                }
            }
        }
    }

    /// Prepares the fork that is to come after the operator's commitment, if this was one.
    fn expect_fork(&self, runtime: &Runtime, extrinsics: &[Arc<Signed>]) {
        let operator = hotkey(OPERATOR_UID);
        if self.usurpations().victims(runtime, extrinsics).contains(operator.as_bytes()) {
            let mut faults = self.faults.set();
            faults.fork_due = faults.fork_after_commit.take();
        }
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Act>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usurpations(&self) -> MutexGuard<'_, Usurpations> {
        self.usurpations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, for as long as the guard lives; the chain must not be locked after it.
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits an extrinsic, and says where the connection is to be lost.
    pub fn submit(&self, bytes: &[u8], watch: Option<Watch>) -> Result<(Hash, Option<Interruption>), Rejection> {
        let chain = self.chain();
        let mut faults = self.faults.set();
        if let Some(answer) = faults.pool_answer {
            return Err(answer.into());
        }
        let fits = |interruption: &Interruption| watch.is_some() || !interruption.needs_a_watch();
        let interruption = faults.interruption.filter(fits);
        let fate = match (interruption, &faults.lie) {
            (Some(Interruption::Swallowed), _) => Fate::Swallowed,
            (_, Some(Lie::SilentDrop)) => Fate::Silenced,
            (_, Some(Lie::InventedBlock)) => Fate::Invented,
            _ => Fate::Admitted,
        };
        let hash = self.pool().submit(&chain, bytes, watch.unwrap_or_default(), fate)?;
        if interruption.is_some() {
            faults.interruption = None;
        }
        Ok((hash, interruption))
    }

    /// Submits what an account commits, signed with its own key, as that account's own software does over a connection of its
    /// own: what is wrong with the console's submissions on purpose does not concern it. Says why where it is not taken.
    pub fn commit_signed(&self, account: &Account, content: Vec<u8>) -> Result<(), String> {
        let chain = self.chain();
        let runtime = &chain.best().runtime;
        let call = set_commitment(runtime, NETUID, &[Field::Raw(content)]).map_err(|error| error.to_string())?;
        let pair = key_pair_of(account).ok_or_else(|| "nobody here knows the hotkey's key".to_owned())?;
        let mut pool = self.pool();
        let nonce = pool.next_index(account, Holder::of(chain.top(), account).nonce);
        let signed = sign(runtime, &pair, nonce, &call);
        let taken = pool.submit(&chain, &signed.bytes, Watch::default(), Fate::Admitted);
        taken.map(drop).map_err(|rejection| ErrorObjectOwned::from(rejection).to_string())
    }

    /// The content of a hotkey's commitment at the best block, if its first field is a raw one.
    pub fn published(&self, hotkey: &Hotkey) -> Option<Vec<u8>> {
        let chain = self.chain();
        let runtime = &chain.best().runtime;
        let (_, spec) = CommitmentSpec::decode(runtime, chain.top().get(&chain.top().commitment_key(hotkey)?)?)?;
        match spec {
            CommitmentSpec::Fields(fields) => match fields.into_iter().next()? {
                Field::Raw(content) | Field::BigRaw(content) => Some(content),
                _ => None,
            },
            CommitmentSpec::Stored(_) => None,
        }
    }

    /// The nonce that an account's next extrinsic must have, with what is ready in the pool counted in.
    pub fn next_index(&self, account: &Account) -> u32 {
        if let Some(Lie::NonceLie(nonce)) = self.faults.now().lie {
            return nonce;
        }
        let chain = self.chain();
        self.pool().next_index(account, Holder::of(chain.top(), account).nonce)
    }

    /// Every connection is closed, without a goodbye.
    pub async fn hang_up(&self) {
        for gate in self.gates.get().into_iter().flatten() {
            // It fails only when the gate has ended already.
            gate.drop_connections().await.ok();
        }
    }

    /// From now on the node can hang up.
    pub fn attach(&self, gates: [GateHandle; 2]) {
        self.gates.get_or_init(|| gates);
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
        Ok(chain.top().after(&prefix, None).filter_map(|(key, value)| Some((hotkey(key)?, value.to_vec()))).collect())
    }

    /// The present by chain time, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        match self.clock {
            Clock::Wall => wall_clock_ms(),
            Clock::Stepped => self.chain().best().timestamp_ms,
        }
    }

    /// Chain time of the next block. A fork moves it a little: two blocks of one height never have the same time, and
    /// therefore not the same hash.
    fn timestamp_after(&self, chain: &Chain) -> u64 {
        let best = chain.best().timestamp_ms;
        match self.clock {
            Clock::Wall => wall_clock_ms().max(best + 1) + chain.forks(),
            Clock::Stepped => best + BLOCK_MS + chain.forks(),
        }
    }
}

/// Milliseconds since the Unix epoch.
pub fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
