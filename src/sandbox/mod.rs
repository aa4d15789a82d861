//! An embedded sandbox subnet: a real JSON-RPC node over WebSocket on loopback, with finney's metadata, real SCALE
//! storage, blocks and finality, scenarios and faults.
//!
//! ```text
//!   client ══ TCP ══ gate ── WebSocket server ── Metered ── rpc::* ── node ─┬─ chain ── state
//!                     │                            │                   │    └─ pool
//!          drop, refuse, stall, cut         meter, latency, 429   blocks, events, forks, faults
//!
//!   client ══ TCP ══ s3 ─┬─ every uid's bucket: windows that follow from the chain, and what is written
//!                        └─ admin_api ── tokens made and revoked, GRAIL restarted
//! ```
//!
//! Two others live on the subnet where a scenario wants them: simulated validators (`validator`), which look at the
//! operator's bucket at every block, and the operator's own GRAIL (`grail`), which commits what its `.env` says.
//!
//! An extrinsic is taken apart (`extrinsic`), checked (`validity`), kept (`pool`) and included (`dispatch`).
//!
//! Start with [`Sandbox::start`]. Everything is bound to loopback, the chain calls itself SANDBOX and has a genesis of
//! its own ([`SANDBOX_GENESIS`]), and dropping the [`Sandbox`] ends its tasks and removes its files.

mod accounts;
mod admin_api;
mod block;
mod block_builder;
mod byzantine;
mod chain;
mod commitment;
mod competing_submitter;
mod control;
mod dispatch;
mod extrinsic;
mod faults;
mod genesis_state;
mod grail;
mod limiter;
mod metadata;
mod meter;
mod node;
mod pool;
mod published;
mod rpc;
mod s3;
mod sandbox_time;
mod scale;
mod scenario;
mod state;
mod tcp_gate;
mod timeline;
mod trie;
mod validator;
mod validity;
mod wallet;
mod web_pages;
mod write_cutoff;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::server::{ServerHandle, stop_channel};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use admin_api::AdminApi;
use block_builder::Act;
use byzantine::ByzantineBoard;
use faults::FaultBoard;
use genesis_state::BaseError;
use limiter::Limiter;
use node::{Clock, Node, wall_clock_ms};
use s3::S3Server;
use tcp_gate::TcpGate;
use timeline::Timeline;

use crate::domain::hotkey::Hotkey;

pub use accounts::{Credentials, NETUID, OPERATOR_UID, TRAINER_UID, VALIDATORS, hotkey, owner_coldkey};
pub use block::{Block, Hash, SANDBOX_GENESIS};
pub use byzantine::Byzantine;
pub use chain::{FINALITY_LAG, HISTORY, KEPT_STATES};
pub use commitment::{CommitmentSpec, Field, HashKind};
pub use control::Faults;
pub use faults::{CompetingSubmitter, Interruption, Lie, Moment, Throttle};
pub use grail::{GrailHandle, GrailStart};
pub use metadata::{MetadataError, MetadataLie, RuntimeKind};
pub use meter::Reading;
pub use pool::{MAX_FINALITY_BLOCKS, PoolAnswer};
pub use s3::{BucketFault, Dialect, S3Control, Scope, SeenRequest, Standing, Token};
pub use scenario::{Scenario, ScenarioError};
pub use tcp_gate::Stall;
pub use trie::StateTrie;
pub use validator::{Gap, ValidatorHandle, ValidatorLook, Visibility};
pub use wallet::{Operator, sandbox_folder};

/// The shortest block time: below it a debug build spends its time on blocks alone.
pub const MIN_BLOCK_TIME: Duration = Duration::from_millis(100);
/// Most uids a subnet can have.
pub const MAX_UIDS: u32 = 65_536;

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTime {
    /// By themselves, at least [`MIN_BLOCK_TIME`] apart; chain time is the wall clock's.
    Every(Duration),
    /// Only by [`Sandbox::produce_block`]; chain time advances by 12 s a block.
    Manual,
}

/// How a sandbox is to be.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// What the subnet looks like and what happens to it.
    pub scenario: Scenario,
    /// Uids on subnet 81, 1 to [`MAX_UIDS`].
    pub uids: u32,
    /// When blocks are made.
    pub block_time: BlockTime,
    /// Added to every request and handshake.
    pub latency: Duration,
    /// Requests that each endpoint serves in a second, five at once after a while without any; `None` for no limit.
    pub rate_limit: Option<f64>,
    /// Port of the node on 127.0.0.1, 0 for any free one.
    pub port: u16,
    /// Port of the second endpoint on 127.0.0.1, 0 for any free one.
    pub witness_port: u16,
    /// Port of the S3 server on 127.0.0.1, 0 for any free one.
    pub s3_port: u16,
    /// Chain time of the first best block in milliseconds since the Unix epoch; the wall clock's when `None`.
    pub now_ms: Option<u64>,
}

impl SandboxOptions {
    /// 256 uids, a block every 12 s, no latency, any free port.
    pub const fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            uids: 256,
            block_time: BlockTime::Every(Duration::from_secs(12)),
            latency: Duration::ZERO,
            rate_limit: None,
            port: 0,
            witness_port: 0,
            s3_port: 0,
            now_ms: None,
        }
    }
}

/// Why a sandbox does not start, or cannot go on.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The number of uids is out of range.
    #[error("a practice subnet has 1 to {MAX_UIDS} uids, not {0}: choose a number within that range")]
    Uids(u32),
    /// Blocks would come faster than they can be made.
    #[error("a block every {0:?} is too fast: choose {MIN_BLOCK_TIME:?} or more")]
    BlockTime(Duration),
    /// The port is taken or not allowed.
    #[error("the sandbox cannot listen on 127.0.0.1:{port} ({reason}): choose another port, or 0 for any free one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        reason: io::Error,
    },
    /// The sandbox folder cannot be written.
    #[error("the practice wallet cannot be written ({0}): free the temporary directory or set TMPDIR to another")]
    Folder(io::Error),
    /// The embedded metadata is of no use.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The scenario is of no use.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Two methods have one name.
    #[error("the sandbox's methods cannot be registered ({0}): report this as a defect")]
    Methods(#[from] jsonrpsee::server::RegisterMethodError),
    /// The gate could not carry out an order.
    #[error("the sandbox's connections cannot be controlled ({0}): start the sandbox anew")]
    TcpGate(#[from] io::Error),
    /// A task ended unexpectedly.
    #[error("the sandbox could not be prepared ({0}): report this as a defect")]
    Task(#[from] tokio::task::JoinError),
}

impl From<BaseError> for SandboxError {
    fn from(error: BaseError) -> Self {
        match error {
            BaseError::Metadata(error) => error.into(),
            BaseError::Scenario(error) => error.into(),
        }
    }
}

/// A running sandbox. Dropping it ends its tasks, closes its sockets and removes its files.
#[derive(Debug)]
pub struct Sandbox {
    node: Arc<Node>,
    url: String,
    witness_url: String,
    faults: Faults,
    operator: Option<Operator>,
    timeline: Arc<Mutex<Timeline>>,
    s3: S3Server,
    grail: Option<GrailHandle>,
    validators: Option<ValidatorHandle>,
    server: ServerHandle,
    tasks: Vec<AbortHandle>,
}

impl Sandbox {
    /// Builds the chain, listens on loopback and starts making blocks.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        check(&options)?;
        let SandboxOptions { scenario, uids, block_time, latency, rate_limit, port, witness_port, s3_port, now_ms } =
            options;
        let operator = Operator::prepare(&scenario.operator).map_err(SandboxError::Folder)?;
        let clock = if block_time == BlockTime::Manual { Clock::Stepped } else { Clock::Wall };
        let built = scenario.clone();
        let chain = tokio::task::spawn_blocking(move || build_chain(&built, uids, now_ms)).await??;
        let node = Arc::new(Node::new(chain, clock, FaultBoard::new(latency)));
        let (stop, server) = stop_channel();
        let methods = rpc::methods(Arc::clone(&node))?;
        let deceits = [Arc::<ByzantineBoard>::default(), Arc::default()];
        let limiter = || rate_limit.map(|per_second| Arc::new(Limiter::new(per_second)));
        let listen = async |port, at: usize| {
            let (methods, stop, byzantine) = (methods.clone(), stop.clone(), Arc::clone(&deceits[at]));
            let bound =
                TcpGate::bind(port, Arc::clone(&node), methods, rpc::config(), stop, byzantine, limiter()).await;
            bound.map_err(|reason| SandboxError::Listen { port, reason })
        };
        let ((gate, handle), (witness, witness_handle)) = (listen(port, 0).await?, listen(witness_port, 1).await?);
        let (url, witness_url) = (format!("ws://{}", gate.address()), format!("ws://{}", witness.address()));
        node.attach([handle.clone(), witness_handle.clone()]);
        let faults = Faults::new(Arc::clone(&node), [handle, witness_handle], deceits, latency);
        let restart_every = scenario.grail.restart_every_blocks;
        let grail = operator
            .as_ref()
            .map(|operator| GrailHandle::new(Arc::clone(&node), operator.env_file.clone(), restart_every));
        let control = S3Control::new(Arc::clone(&node), &scenario, uids);
        let mut validators = None;
        let admin_api = |url: &str| {
            validators = ValidatorHandle::new(Arc::clone(&node), url, &scenario.validators);
            AdminApi::new(control.clone(), grail.clone(), validators.clone())
        };
        let s3 = S3Server::start(s3_port, control.clone(), admin_api)
            .await
            .map_err(|reason| SandboxError::Listen { port: s3_port, reason })?;
        let timeline = Timeline::new(Arc::clone(&node), faults.clone(), control, scenario);
        let timeline = Arc::new(Mutex::new(timeline.with(grail.clone(), validators.clone())));
        let tasks = [gate, witness].map(|gate| tokio::spawn(gate.run()).abort_handle()).to_vec();
        let mut sandbox =
            Self { node, url, witness_url, faults, operator, timeline, s3, grail, validators, server, tasks };
        // Events give orders to the gate, and it is there to carry them out.
        sandbox.timeline.lock().await.begin().await?;
        if let BlockTime::Every(period) = block_time {
            let blocks = make_blocks(Arc::clone(&sandbox.timeline), period);
            sandbox.tasks.push(tokio::spawn(blocks).abort_handle());
        }
        Ok(sandbox)
    }

    /// Where the node listens: `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where somebody else serves the same chain: `ws://127.0.0.1:PORT`.
    pub fn witness_url(&self) -> &str {
        &self.witness_url
    }

    /// Where the buckets are: `http://127.0.0.1:PORT`, in path style.
    pub fn s3_url(&self) -> &str {
        self.s3.url()
    }

    /// The switches of the buckets, and what was asked of them.
    pub const fn s3(&self) -> &S3Control {
        self.s3.control()
    }

    /// Where tokens are made and revoked without a browser: `http://127.0.0.1:PORT/-/tokens`. A `POST` with `?kind=read` or
    /// `?kind=write` answers the two lines of a `.env`, a `DELETE` below it with a key's id revokes that key.
    pub fn tokens_url(&self) -> String {
        format!("{}{}", self.s3_url(), admin_api::TOKENS)
    }

    /// Where a `POST` restarts the operator's GRAIL; `None` in a scenario without a `.env`.
    pub fn grail_url(&self) -> Option<String> {
        self.grail.as_ref().map(|_| format!("{}{}", self.s3_url(), admin_api::GRAIL_RESTART))
    }

    /// The simulated validators; `None` in a scenario without any. They look at every block, before
    /// [`Self::produce_block`] returns.
    pub fn validator(&self) -> Option<ValidatorHandle> {
        self.validators.clone()
    }

    /// The operator's GRAIL; `None` in a scenario without a `.env`.
    pub fn grail(&self) -> Option<GrailHandle> {
        self.grail.clone()
    }

    /// The operator who practises; `None` in a scenario without wallet and credentials.
    pub const fn operator(&self) -> Option<&Operator> {
        self.operator.as_ref()
    }

    /// Lets one block time pass: events that are due happen and a block is made (unless the head is stale on purpose).
    /// Returns the best block. Every subscription has been woken when this returns.
    pub async fn produce_block(&self) -> Result<Arc<Block>, SandboxError> {
        self.timeline.lock().await.tick().await
    }

    /// Replaces the last `depth` blocks (as many of them as are not final, two at most unless finality is held back) by a
    /// branch that is longer by one. Their extrinsics go back to the pool (unless [`Faults::lose_in_fork`]), and later
    /// blocks include them again, together with what was queued by hand. Whoever watches them is told. One whose era was
    /// born in a block that is replaced is invalid from then on, as on a real chain. Returns the best block. Every
    /// subscription has been woken when this returns.
    pub async fn fork(&self, depth: u32) -> Result<Arc<Block>, SandboxError> {
        let _ticks = self.timeline.lock().await;
        Ok(self.node.fork(depth)?)
    }

    /// The best block.
    pub fn best(&self) -> Arc<Block> {
        Arc::clone(self.node.chain().best())
    }

    /// The last finalized block.
    pub fn finalized(&self) -> Arc<Block> {
        Arc::clone(self.node.chain().finalized())
    }

    /// Sets a uid's commitment in the next block. The uid's first hotkey commits, whoever holds the uid now.
    pub fn commit(&self, uid: u16, spec: CommitmentSpec) {
        self.commit_as(hotkey(uid), spec);
    }

    /// Sets a hotkey's commitment in the next block, be it on the subnet or not.
    pub fn commit_as(&self, hotkey: Hotkey, spec: CommitmentSpec) {
        self.node.queue(Act::Commit { hotkey, spec });
    }

    /// Gives a uid to a hotkey in the next block; the commitment of who had it goes, on older runtimes it stays behind.
    pub fn register(&self, uid: u16, hotkey: Hotkey) {
        self.node.queue(Act::Register { uid, hotkey });
    }

    /// Gives the subnet another name in the next block.
    pub fn rename(&self, name: &str) {
        self.node.queue(Act::Rename { name: name.to_owned() });
    }

    /// The switches of everything that can go wrong.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What has been asked of the node since the start or the last reset.
    pub fn meter(&self) -> Reading {
        self.node.meter.read()
    }

    /// Starts the meters anew.
    pub fn reset_meter(&self) {
        self.node.meter.reset();
    }

    /// Every commitment of subnet 81 at the best block, as stored: hotkey and value.
    pub fn commitments(&self) -> Result<Vec<(Hotkey, Vec<u8>)>, SandboxError> {
        Ok(self.node.commitments()?)
    }

    /// Ends the sandbox and waits until its sockets are closed; dropping it does the same without waiting.
    pub async fn shutdown(mut self) {
        self.s3.stop().await;
        // It fails only when the gate has ended already.
        self.faults.refuse_connections().await.ok();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        // It fails only when everything has stopped already.
        self.server.stop().ok();
    }
}

fn check(options: &SandboxOptions) -> Result<(), SandboxError> {
    if !(1..=MAX_UIDS).contains(&options.uids) {
        return Err(SandboxError::Uids(options.uids));
    }
    match options.block_time {
        BlockTime::Every(period) if period < MIN_BLOCK_TIME => Err(SandboxError::BlockTime(period)),
        _ => Ok(()),
    }
}

fn build_chain(scenario: &Scenario, uids: u32, now_ms: Option<u64>) -> Result<chain::Chain, SandboxError> {
    let runtime = scenario.runtime.runtime()?;
    let base = genesis_state::build(&runtime, scenario, uids)?;
    Ok(chain::Chain::new(&runtime, scenario.head, now_ms.unwrap_or_else(wall_clock_ms), base)?)
}

async fn make_blocks(timeline: Arc<Mutex<Timeline>>, period: Duration) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = timeline.lock().await.tick().await {
            // What was to happen in that block is lost; the chain goes on.
            tracing::warn!(%error, "the sandbox could not make a block");
        }
    }
}
