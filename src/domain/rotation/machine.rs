//! The machine: what follows from an event, and what is to be done next.

use serde::Serialize;
use thiserror::Error;

use crate::domain::network::BlockHash;
use crate::domain::rotation::change::{Change, Replacement, Seen, Side};
use crate::domain::rotation::event::{EnvUpdate, Event};
use crate::domain::rotation::phase::Phase;
use crate::domain::vault_index::{Backend, GenerationNumber, KeyRef, MOST_GENERATIONS};

/// A commit on its way, or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// Whether it publishes the old keys again.
    pub back: bool,
    /// What the chain held before it.
    pub before: Seen,
    /// The extrinsic, once it is known.
    pub extrinsic: Option<BlockHash>,
    /// When it was confirmed, in ms since 1970.
    pub at_ms: u64,
}

/// The blocks for which the old keys stay alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Grace {
    /// Counted from here.
    pub from: u64,
    /// Over at this block.
    pub ends_at: u64,
}

impl Grace {
    /// Blocks that are left at a finalized block.
    pub const fn left(&self, finalized: u64) -> u64 {
        self.ends_at.saturating_sub(finalized)
    }
}

/// A rotation as its journal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that the journal tells")]
pub struct Rotation {
    /// The generation of the old keys.
    pub from: GenerationNumber,
    /// The generation of the new keys.
    pub to: GenerationNumber,
    /// The store that holds both.
    pub backend: Backend,
    /// Bucket name (account id on R2).
    pub locator: String,
    /// Which keys.
    pub change: Change,
    /// Length of the grace, in blocks.
    pub grace_blocks: u64,
    /// Revoke first, without grace.
    pub emergency: bool,
    /// How far it is, in its direction.
    pub phase: Phase,
    /// Whether the old keys are wanted back.
    pub back: bool,
    /// Whether the new read key was on chain, final, at some time.
    pub published: bool,
    /// Whether the new generation was in use at some time.
    pub promoted: bool,
    /// The generation that is in use, as far as it was written down.
    pub in_use: GenerationNumber,
    /// The commit on its way.
    pub submission: Option<Submission>,
    /// Number of the block that set what is on chain, once it is final.
    pub finalized: Option<u64>,
    /// How the `.env` came to be right.
    pub env: Option<EnvUpdate>,
    /// Whether a rewriting of the `.env` was begun in this direction.
    pub env_begun: bool,
    /// The grace.
    pub grace: Option<Grace>,
    /// Whether the old read key is uid 0's, which every process of the subnet took at its start.
    pub is_pinned: bool,
    /// Whether the operator has said that all of them were restarted since the new key is on chain.
    pub all_restarted: bool,
    /// Sides whose old key is of no use any more: the store refuses it, or the vault holds it no more.
    pub refused: Vec<Side>,
    /// Those of them that the vault lost: the store was not asked.
    pub lost: Vec<Side>,
    /// What the chain holds when it is neither old nor new, until the operator accepts it.
    pub difference: Option<Seen>,
    /// What the operator goes on over, until something else is on chain.
    pub accepted: Option<Seen>,
    /// Whether the old generation is being forgotten.
    pub retiring: bool,
    /// Whether the new generation is being forgotten.
    pub forgetting: bool,
    /// When it began, in ms since 1970.
    pub began_ms: u64,
    /// When its phase was reached, in ms since 1970.
    pub since_ms: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Put the new keys into the vault and read them back.
    Stage,
    /// Emergency: the operator revokes the old key, the console proves that it is refused.
    Revoke(Side),
    /// Test the new keys at the store.
    Probe,
    /// Read the chain and plan the commit.
    Plan,
    /// The chain holds something else than expected: the operator looks, and accepts or turns back.
    Accept,
    /// Publish the keys of this direction, once the operator confirms.
    Publish,
    /// Find out what became of the commit.
    Settle,
    /// Put a generation into use in the vault.
    Promote(GenerationNumber),
    /// Bring the `.env` up to date.
    UpdateEnv,
    /// Count the grace.
    BeginGrace,
    /// Wait for the end of the grace, then retire the old keys.
    Retire,
    /// Forget the old generation: it is decided.
    ForgetOld,
    /// Forget the new generation: nothing of it was published. The old one is in use before that.
    ForgetNew,
    /// Note that the old keys are back.
    FinishBack,
    /// Nothing.
    Done,
}

/// An event that cannot follow on what went before: the journal is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{event} cannot follow on {phase}")]
pub struct Contradiction {
    /// The event.
    pub event: String,
    /// The phase it met.
    pub phase: String,
}

impl Rotation {
    /// The rotation that begins with this event; `None` for any other, and for one that replaces nothing, by a key of the
    /// same id (THREATS T17), or by a generation that is not newer.
    pub fn begin(event: &Event, at_ms: u64) -> Option<Self> {
        let Event::Began { from, to, backend, locator, change, grace_blocks, emergency } = event else { return None };
        (to > from && *to <= MOST_GENERATIONS && change.is_one()).then(|| Self {
            from: *from,
            to: *to,
            backend: *backend,
            locator: locator.clone(),
            change: change.clone(),
            grace_blocks: *grace_blocks,
            emergency: *emergency,
            phase: Phase::Draft,
            back: false,
            published: false,
            promoted: false,
            in_use: *from,
            submission: None,
            finalized: None,
            env: None,
            env_begun: false,
            grace: None,
            is_pinned: false,
            all_restarted: false,
            refused: Vec::new(),
            lost: Vec::new(),
            difference: None,
            accepted: None,
            retiring: false,
            forgetting: false,
            began_ms: at_ms,
            since_ms: at_ms,
        })
    }

    /// What follows from an event. One that cannot have happened changes nothing and is an error.
    pub fn apply(&mut self, event: &Event, at_ms: u64) -> Result<(), Contradiction> {
        let (before, phase) = (self.clone(), self.phase);
        if self.advance(event, at_ms).is_none() {
            *self = before;
            return Err(Contradiction { event: event.words(), phase: phase.name().to_owned() });
        }
        if self.phase != phase {
            self.since_ms = at_ms;
        }
        Ok(())
    }

    /// `None` where it cannot have happened.
    fn advance(&mut self, event: &Event, at_ms: u64) -> Option<()> {
        (!self.phase.is_closed()).then_some(())?;
        match event {
            Event::Began { .. } => return None,
            Event::Pinned => {
                (!self.is_pinned && !self.retiring && self.change.read.is_some()).then_some(())?;
                self.is_pinned = true;
            }
            Event::AllRestarted => {
                self.may_hear_of_restarts().then_some(())?;
                self.all_restarted = true;
            }
            Event::Staged => self.forward(Phase::Draft, Phase::Staged)?,
            Event::Probed { .. } => {
                (!self.emergency || self.unrefused().is_none()).then_some(())?;
                self.forward(Phase::Staged, Phase::Probed)?;
            }
            Event::Planned { seen } => self.plan(*seen)?,
            Event::Signing { before } => {
                (self.step() == Step::Publish && self.expects(before)).then_some(())?;
                self.phase = Phase::Signed;
                self.submission = Some(Submission { back: self.back, before: *before, extrinsic: None, at_ms });
            }
            Event::Submitted { extrinsic } => {
                self.on(&[Phase::Signed], Phase::Submitted)?;
                self.submission.as_mut()?.extrinsic = Some(*extrinsic);
            }
            Event::Finalized { block, .. } => self.finalize(*block)?,
            Event::Unsent { .. } => {
                self.on(&[Phase::Signed, Phase::Submitted], Phase::Planned)?;
                self.submission = None;
            }
            Event::Different { seen } => {
                (!self.forgetting && !self.expects(seen)).then_some(())?;
                self.on(&[Phase::Signed, Phase::Submitted, Phase::Planned], Phase::Planned)?;
                self.submission = None;
                self.difference = Some(*seen);
            }
            Event::Accepted { seen } => {
                (self.step() == Step::Accept && self.difference == Some(*seen)).then_some(())?;
                self.accepted = self.difference.take();
            }
            Event::Promoted => self.promote()?,
            Event::EnvIntended => {
                self.on(&[Phase::Promoted], Phase::Promoted)?;
                self.env_begun = true;
            }
            Event::EnvUpdated { how } => {
                self.on(&[Phase::Promoted], Phase::EnvUpdated)?;
                self.env = Some(*how);
            }
            Event::GraceBegan { from, ends_at } => self.count_grace(Grace { from: *from, ends_at: *ends_at })?,
            Event::Reverted { seen, .. } => self.revert(*seen)?,
            Event::Refused { side, .. } | Event::Lost { side } => {
                self.change.side(*side)?.old.as_ref()?;
                if matches!(event, Event::Lost { .. }) && !self.refused.contains(side) {
                    self.lost.push(*side);
                }
                self.refuse(*side);
            }
            Event::Retiring => {
                (self.phase == Phase::Grace && !self.back && self.unrefused().is_none()).then_some(())?;
                self.retiring = true;
            }
            Event::Retired => {
                self.retiring.then_some(())?;
                self.on(&[Phase::Grace], Phase::Retired)?;
            }
            Event::TurnedBack => self.roll_back()?,
            Event::Forgetting => {
                (self.step() == Step::ForgetNew).then_some(())?;
                self.forgetting = true;
            }
            Event::Abandoned => {
                self.forgetting.then_some(())?;
                self.phase = Phase::Abandoned;
            }
            Event::RolledBack => {
                self.back.then_some(())?;
                self.on(&[Phase::EnvUpdated], Phase::RolledBack)?;
            }
        }
        Some(())
    }

    fn on(&mut self, from: &[Phase], to: Phase) -> Option<()> {
        from.contains(&self.phase).then(|| self.phase = to)
    }

    fn forward(&mut self, from: Phase, to: Phase) -> Option<()> {
        (!self.back).then_some(())?;
        self.on(&[from], to)
    }

    fn finalize(&mut self, block: u64) -> Option<()> {
        let sent = matches!(self.phase, Phase::Planned | Phase::Signed | Phase::Submitted);
        (sent && !self.forgetting).then_some(())?;
        self.change.read.as_ref()?;
        let landed_back = self.submission.take().map_or(self.back, |submission| submission.back);
        self.published |= !landed_back;
        self.difference = None;
        self.accepted = None;
        self.finalized = Some(block);
        // Turned back while the commit was under way: it landed, and the old keys are to be published over it.
        self.phase = if landed_back == self.back { Phase::Finalized } else { Phase::Planned };
        Some(())
    }

    fn promote(&mut self) -> Option<()> {
        matches!(self.step(), Step::Promote(_)).then_some(())?;
        self.promoted |= !self.back;
        self.in_use = self.target();
        self.phase = Phase::Promoted;
        self.env = None;
        self.env_begun = false;
        Some(())
    }

    fn revert(&mut self, seen: Seen) -> Option<()> {
        self.is_reverted(&seen).then_some(())?;
        self.phase = Phase::Planned;
        self.grace = None;
        // What was started meanwhile took the key that is there now.
        self.all_restarted = false;
        self.finalized = None;
        self.difference = (!self.expects(&seen)).then_some(seen);
        Some(())
    }

    /// What the chain holds is planned over, the first time or because it changed before anything was signed.
    fn plan(&mut self, seen: Seen) -> Option<()> {
        self.change.read.as_ref()?;
        match self.phase {
            Phase::Probed if !self.back => self.phase = Phase::Planned,
            Phase::Planned if !self.forgetting => {}
            _ => return None,
        }
        self.difference = (!self.expects(&seen)).then_some(seen);
        Some(())
    }

    /// It is counted from the first block, or anew; never for less than was said in the beginning.
    fn count_grace(&mut self, grace: Grace) -> Option<()> {
        let later = self.grace.is_none_or(|before| grace.from > before.from);
        let counting = matches!(self.phase, Phase::EnvUpdated | Phase::Grace) && !self.retiring && !self.back;
        (later && counting && grace.ends_at >= self.grace_end(grace.from)).then_some(())?;
        self.phase = Phase::Grace;
        self.grace = Some(grace);
        self.all_restarted = false;
        Some(())
    }

    /// Where a grace that is counted from a block ends.
    pub(super) const fn grace_end(&self, from: u64) -> u64 {
        if self.emergency { from } else { from.saturating_add(self.grace_blocks) }
    }

    /// Whether the chain may hold this before a commit of ours: the old key, the new one, what the operator accepted, or
    /// nothing where there was no key before.
    pub fn expects(&self, seen: &Seen) -> bool {
        let ours = |read: &Replacement| {
            let old = read.old.as_ref().map_or(*seen == Seen::Nothing, |old| seen.is(&self.locator, old));
            old || seen.is(&self.locator, &read.new)
        };
        self.change.read.as_ref().is_some_and(ours) || self.accepted == Some(*seen)
    }

    /// The first side whose old key is not known to be refused.
    pub fn unrefused(&self) -> Option<Side> {
        self.change.old_keys().map(|(side, _)| side).find(|side| !self.refused.contains(side))
    }

    /// The generation that this direction leads to.
    pub const fn target(&self) -> GenerationNumber {
        if self.back { self.from } else { self.to }
    }

    /// The read key that is to be on chain in the end; `None` where it stays as it is.
    pub fn target_read(&self) -> Option<&KeyRef> {
        let read = self.change.read.as_ref()?;
        if self.back { read.old.as_ref() } else { Some(&read.new) }
    }

    /// What is to be done next.
    pub fn step(&self) -> Step {
        if self.forgetting && !self.phase.is_closed() {
            return Step::ForgetNew;
        }
        match self.phase {
            Phase::Draft | Phase::Staged | Phase::Probed if self.back => Step::ForgetNew,
            Phase::Planned if self.back && !self.published => Step::ForgetNew,
            Phase::Draft => Step::Stage,
            Phase::Staged => match self.unrefused().filter(|_| self.emergency) {
                Some(side) => Step::Revoke(side),
                None => Step::Probe,
            },
            Phase::Probed if self.change.read.is_some() => Step::Plan,
            Phase::Probed | Phase::Finalized => Step::Promote(self.target()),
            Phase::Planned if self.difference.is_some() => Step::Accept,
            Phase::Planned => Step::Publish,
            Phase::Signed | Phase::Submitted => Step::Settle,
            Phase::Promoted => Step::UpdateEnv,
            Phase::EnvUpdated if self.back => Step::FinishBack,
            Phase::EnvUpdated => Step::BeginGrace,
            Phase::Grace if self.retiring => Step::ForgetOld,
            Phase::Grace => Step::Retire,
            Phase::Retired | Phase::RolledBack | Phase::Abandoned => Step::Done,
        }
    }
}
