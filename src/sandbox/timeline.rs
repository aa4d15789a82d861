//! What happens by itself: blocks at their time and the scenario's events, both by the tick of the block time. Ticks go on
//! while the head is stale, so that a scripted outage also ends.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::accounts::{Credentials, OPERATOR_UID, former_hotkey, hotkey};
use super::block::Block;
use super::block_builder::Act;
use super::commitment::CommitmentSpec;
use super::faults::CompetingSubmitter;
use super::grail::GrailHandle;
use super::node::Node;
use super::scenario::{Scenario, TimedEvent, What};
use super::validator::ValidatorHandle;
use super::{Faults, S3Control, SandboxError};

/// Ticks and what is still to come.
#[derive(Debug)]
pub struct Timeline {
    node: Arc<Node>,
    faults: Faults,
    s3: S3Control,
    /// Uids with a bucket fault that an event brought.
    afflicted: BTreeSet<u16>,
    grail: Option<GrailHandle>,
    validators: Option<ValidatorHandle>,
    scenario: Scenario,
    to_come: VecDeque<TimedEvent>,
    tick: u32,
}

impl Timeline {
    /// From the start of a scenario.
    pub fn new(node: Arc<Node>, faults: Faults, s3: S3Control, scenario: Scenario) -> Self {
        let mut events = scenario.events.clone();
        events.sort_by_key(|event| event.after_blocks);
        let to_come = events.into();
        Self { node, faults, s3, afflicted: BTreeSet::new(), grail: None, validators: None, scenario, to_come, tick: 0 }
    }

    /// With others who live by its ticks.
    pub fn with(self, grail: Option<GrailHandle>, validators: Option<ValidatorHandle>) -> Self {
        Self { grail, validators, ..self }
    }

    /// What is due from the start happens.
    pub async fn begin(&mut self) -> Result<(), SandboxError> {
        self.happen_until(0).await
    }

    async fn happen_until(&mut self, tick: u32) -> Result<(), SandboxError> {
        while let Some(event) = self.to_come.pop_front_if(|event| event.after_blocks <= tick) {
            self.happen(event.what).await?;
        }
        Ok(())
    }

    /// One block time passes: events that are due happen, then a block is made, and the others do what they do at a block.
    /// Returns the best block.
    pub async fn tick(&mut self) -> Result<Arc<Block>, SandboxError> {
        self.tick += 1;
        let passed = self.node.time.advance();
        self.happen_until(self.tick).await?;
        let best = self.node.produce()?;
        if let Some(grail) = &self.grail {
            grail.tick(passed);
        }
        if let Some(validators) = &self.validators {
            validators.tick(passed).await;
        }
        Ok(best)
    }

    async fn happen(&mut self, what: What) -> Result<(), SandboxError> {
        let faults = &self.faults;
        match what {
            What::Commit { uid, fields } => {
                let spec = self.scenario.fields(uid, &fields)?;
                self.node.queue(Act::Commit { hotkey: hotkey(uid), spec });
            }
            What::CommitWriteKey {} => {
                let spec = CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).write_commitment());
                self.node.queue(Act::Commit { hotkey: hotkey(OPERATOR_UID), spec });
            }
            What::Register { uid, former_member } => {
                self.node.queue(Act::Register { uid, hotkey: former_hotkey(former_member) });
            }
            What::Rename { name } => self.node.queue(Act::Rename { name }),
            What::DropConnections {} => faults.drop_connections().await?,
            What::Refuse {} => faults.refuse_connections().await?,
            What::Stall { which } => faults.stall(which).await?,
            What::Lag { milliseconds } => faults.set_latency(Duration::from_millis(milliseconds)),
            What::TooManyRequests { at } => faults.throttle(Some(at)),
            What::StaleHead {} => faults.set_stale_head(true),
            What::WrongGenesis {} => faults.set_wrong_genesis(true),
            What::RuntimeUpgrade {} => faults.upgrade_runtime(),
            What::RefuseSubmissions { answer } => faults.answer_pool(Some(answer)),
            What::HoldPool {} => faults.hold_pool(true),
            What::HoldFinality {} => faults.hold_finality(true),
            What::InterruptSubmission { at } => faults.interrupt_submission(at),
            What::Fork { depth } => drop(self.node.fork(depth)?),
            What::ForkAfterCommit { depth } => faults.fork_after_commit(depth),
            What::LoseInFork {} => faults.lose_in_fork(true),
            What::Usurp { moment, fields } => {
                let spec = self.scenario.fields(OPERATOR_UID, &fields)?;
                faults.usurp(Some(CompetingSubmitter { moment, spec }));
            }
            What::Lie { lie } => faults.lie(Some(lie)),
            What::Deceive { deceit } => faults.deceive(Some(deceit)),
            What::DeceiveByWitness { deceit } => faults.deceive_by_witness(Some(deceit)),
            What::RegisterOperator { uid } => {
                self.node.queue(Act::Register { uid, hotkey: hotkey(OPERATOR_UID) });
            }
            What::BucketFault { uid, fault } => {
                self.s3.set_fault(uid, Some(fault));
                self.afflicted.insert(uid);
            }
            What::Recover {} => {
                faults.recover().await?;
                self.buckets_recover();
            }
        }
        Ok(())
    }

    /// What events did to buckets ends; what was wrong from the start stays.
    fn buckets_recover(&mut self) {
        for uid in std::mem::take(&mut self.afflicted) {
            self.s3.set_fault(uid, self.scenario.bucket_fault(uid).cloned());
        }
    }
}
