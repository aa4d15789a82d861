//! The handle by which tests, scenarios and people make things go wrong.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::block_builder::Act;
use super::byzantine::{Byzantine, ByzantineBoard};
use super::faults::{CompetingSubmitter, Interruption, Lie, Misbehaviour, Throttle};
use super::node::Node;
use super::pool::PoolAnswer;
use super::tcp_gate::{GateHandle, Stall};

/// Faults at the press of a button; every fault is in effect when its method returns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Faults {
    node: Arc<Node>,
    gate: GateHandle,
    witness: GateHandle,
    deceits: [Arc<ByzantineBoard>; 2],
    /// The latency to go back to.
    latency: Duration,
}

impl Faults {
    /// The endpoints' gates and boards, the second of each those of the witness.
    pub(super) fn new(
        node: Arc<Node>,
        [gate, witness]: [GateHandle; 2],
        deceits: [Arc<ByzantineBoard>; 2],
        latency: Duration,
    ) -> Self {
        Self { node, gate, witness, deceits, latency }
    }

    /// Lets the endpoint tell something that is not so, while the witness tells the truth.
    pub fn deceive(&self, byzantine: Option<Byzantine>) {
        self.deceits[0].tell(byzantine, &self.node);
    }

    /// Lets the witness tell something that is not so, while the endpoint tells the truth.
    pub fn deceive_by_witness(&self, byzantine: Option<Byzantine>) {
        self.deceits[1].tell(byzantine, &self.node);
    }

    /// Kills the witness, until everything works again.
    pub async fn refuse_witness(&self) -> io::Result<()> {
        self.witness.refuse().await
    }

    /// Closes every connection without a goodbye; new ones are accepted at once.
    pub async fn drop_connections(&self) -> io::Result<()> {
        self.gate.drop_connections().await
    }

    /// Kills the node: every connection is closed and new ones are refused, until [`Self::accept_connections`].
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.gate.refuse().await
    }

    /// Restarts the node on the same port.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.gate.accept().await
    }

    /// Lets connections fall silent with their sockets open, until [`Self::unstall`]. What was under way arrives then.
    pub async fn stall(&self, which: Stall) -> io::Result<()> {
        self.gate.stall(which).await
    }

    /// Ends a stall.
    pub async fn unstall(&self) -> io::Result<()> {
        self.gate.flow().await
    }

    /// Adds a latency to every request and handshake from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.node.faults.set().latency = latency;
    }

    /// Refuses handshakes (HTTP 429), requests (JSON-RPC error), both, or neither.
    pub fn throttle(&self, throttle: Option<Throttle>) {
        self.node.faults.set().throttle = throttle;
    }

    /// Stops the production of blocks, or lets it go on.
    pub fn set_stale_head(&self, stale: bool) {
        self.node.faults.set().stale_head = stale;
    }

    /// Answers another chain's genesis hash, or the own one.
    pub fn set_wrong_genesis(&self, wrong: bool) {
        self.node.faults.set().wrong_genesis = wrong;
    }

    /// Sets the next runtime's code in the next block. From that block on the runtime version is one higher and the
    /// metadata another: `Commitments`' `Data` has the variant `TimelockRevealFailed`, and `ResetBondsFlag` and `BigRaw`
    /// have moved. As on a real chain, the storage of that very block was still written by the old runtime, and the
    /// block after it brings what has moved up to date. It cannot be taken back.
    pub fn upgrade_runtime(&self) {
        self.node.queue(Act::Upgrade);
    }

    /// Refuses every submission with this answer, or takes what is valid again.
    pub fn answer_pool(&self, answer: Option<PoolAnswer>) {
        self.node.faults.set().pool_answer = answer;
    }

    /// Includes nothing from the pool: what is submitted is accepted, broadcast, and waits until its era is over.
    pub fn hold_pool(&self, hold: bool) {
        self.node.faults.set().hold_pool = hold;
    }

    /// Blocks go on, and none of them becomes final. Forks can then be deeper, and watches end after
    /// [`super::MAX_FINALITY_BLOCKS`].
    pub fn hold_finality(&self, hold: bool) {
        self.node.faults.set().hold_finality = hold;
    }

    /// Closes every connection during the next submission that is valid, once. Those that come after a status wait for a
    /// submission that is watched, and end the connection right behind that status.
    pub fn interrupt_submission(&self, at: Interruption) {
        self.node.faults.set().interruption = Some(at);
    }

    /// Replaces blocks by another branch, once: at the block time after the one that includes the operator's next
    /// commitment, this many of the last blocks. See [`super::Sandbox::fork`].
    pub fn fork_after_commit(&self, depth: u32) {
        self.node.faults.set().fork_after_commit = Some(depth);
    }

    /// Loses the extrinsics of blocks that are given up, instead of taking them back into the pool.
    pub fn lose_in_fork(&self, lose: bool) {
        self.node.faults.set().lose_in_fork = lose;
    }

    /// Lets somebody else with the same hotkey follow every commitment of a uid below 1024 with a true extrinsic.
    pub fn usurp(&self, competing: Option<CompetingSubmitter>) {
        self.node.faults.set().competing = competing;
    }

    /// Tells one lie, or the truth.
    pub fn lie(&self, lie: Option<Lie>) {
        self.node.faults.set().lie = lie;
    }

    /// Everything works again: connections are accepted and flow, the latency is that of the start.
    pub async fn recover(&self) -> io::Result<()> {
        *self.node.faults.set() = Misbehaviour { latency: self.latency, ..Misbehaviour::default() };
        self.deceits.iter().for_each(|board| board.tell(None, &self.node));
        self.witness.accept().await?;
        self.gate.flow().await?;
        self.gate.accept().await
    }
}
