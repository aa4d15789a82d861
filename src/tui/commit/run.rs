//! A commit under way: the steps that were reached and when, and what happened beside them.

use serde::Serialize;

use crate::domain::commit::progress::BlockId;
use crate::domain::commit::{Progress, Stage};
use crate::domain::diagnostic::Severity;
use crate::domain::network::BlockHash;
use crate::domain::text::grouped;

/// Things beside the steps that are remembered: the newest say how it stands.
const NOTES: usize = 4;

/// How far a commit is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Run {
    /// When it was ordered, in ms since 1970.
    pub begun_ms: u64,
    /// It is to wait for a registration, and the key is being opened for that.
    pub waits_for_uid: bool,
    /// The key file is being decrypted.
    pub unlocking: bool,
    /// What the store is asked before it is signed, while it is.
    pub testing: Option<String>,
    /// The last step that was reached.
    pub stage: Option<Stage>,
    /// When each step was reached, in ms since 1970.
    reached_ms: [Option<u64>; Stage::ALL.len()],
    /// Blake2-256 of the extrinsic.
    pub extrinsic: Option<BlockHash>,
    /// First block in which it is no longer valid.
    pub death: Option<u64>,
    /// The block that holds it.
    pub block: Option<BlockId>,
    /// The block it was first seen in.
    first_seen_in: Option<BlockId>,
    /// Its index in the block.
    pub index: Option<u32>,
    /// Number of the last finalized block that it was waited for.
    pub waited: Option<u64>,
    /// The connection is gone.
    pub lost: bool,
    /// What happened beside the steps, the newest last.
    pub notes: Vec<Note>,
}

/// Something that happened beside the steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How grave it is.
    pub severity: Severity,
    /// What it says.
    pub text: String,
}

impl Run {
    /// Ordered at this moment.
    pub fn begin(now_ms: u64, waits_for_uid: bool) -> Self {
        Self { begun_ms: now_ms, waits_for_uid, ..Self::default() }
    }

    /// Takes a step; how it ended is not a part of the way.
    pub fn take(&mut self, progress: Progress, now_ms: u64) {
        match progress {
            Progress::Unlocking => self.unlocking = true,
            Progress::Testing { words } => (self.unlocking, self.testing) = (false, Some(words)),
            Progress::Signed { extrinsic, death } => {
                (self.extrinsic, self.death) = (Some(extrinsic), Some(death));
                self.reach(Stage::Signed, now_ms);
            }
            Progress::Broadcast => self.reach(Stage::Broadcast, now_ms),
            Progress::InBlock(block) => self.enter(block, now_ms),
            Progress::Retracted(block) => self.retract(block),
            Progress::Finalized(block) => self.finalize(block, now_ms),
            Progress::Event { index } => {
                self.index = Some(index);
                self.reach(Stage::Event, now_ms);
            }
            Progress::ReadBack => self.reach(Stage::ReadBack, now_ms),
            Progress::Disbelieved { what } => self.note(Severity::Warning, format!("Not believed: {what}")),
            Progress::Lost { problem } => {
                self.lost = true;
                self.note(Severity::Warning, format!("Connection lost: {}", problem.summary));
            }
            Progress::Found { endpoint } => {
                self.lost = false;
                self.note(Severity::Note, format!("Connected again, to {endpoint}"));
            }
            Progress::SentAgain => {
                self.note(Severity::Note, "Handed in once more: the chain was seen not to have it".to_owned());
            }
            Progress::Waited { finalized } => self.waited = self.waited.max(Some(finalized)),
        }
    }

    fn reach(&mut self, stage: Stage, now_ms: u64) {
        (self.unlocking, self.testing) = (false, None);
        self.stage = Some(stage);
        self.reached_ms[stage as usize].get_or_insert(now_ms);
    }

    fn enter(&mut self, block: BlockId, now_ms: u64) {
        self.first_seen_in.get_or_insert(block);
        self.block = Some(block);
        self.reach(Stage::InBlock, now_ms);
    }

    /// Back among the waiting: the block is none of the chain any more.
    fn retract(&mut self, block: BlockId) {
        self.block = None;
        self.stage = self.stage.map(|stage| stage.min(Stage::Broadcast));
        self.reached_ms[Stage::InBlock as usize..].fill(None);
        let number = grouped(block.number);
        self.note(Severity::Warning, format!("Block #{number} was replaced by another: it waits for a block again"));
    }

    fn finalize(&mut self, block: BlockId, now_ms: u64) {
        let moved = self.first_seen_in.filter(|first| *first != block);
        if let Some(first) = moved {
            let (there, first) = (grouped(block.number), grouped(first.number));
            self.note(Severity::Note, format!("Final in #{there}, another block than it was first seen in (#{first})"));
        }
        self.reached_ms[Stage::InBlock as usize].get_or_insert(now_ms);
        self.block = Some(block);
        self.reach(Stage::Finalized, now_ms);
    }

    fn note(&mut self, severity: Severity, text: String) {
        self.notes.push(Note { severity, text });
        let superfluous = self.notes.len().saturating_sub(NOTES);
        self.notes.drain(..superfluous);
    }

    /// Milliseconds from the order to a step, once it is reached.
    pub fn took_ms(&self, stage: Stage) -> Option<u64> {
        self.reached_ms[stage as usize].map(|at| at.saturating_sub(self.begun_ms))
    }

    /// The step that is under way; `None` when the last one is reached.
    pub fn current(&self) -> Option<Stage> {
        match self.stage {
            None => Some(Stage::Signed),
            Some(stage) => Stage::ALL.into_iter().find(|next| *next > stage),
        }
    }

    /// Blocks that are left of the transaction's life, seen from the newest block known.
    pub fn blocks_left(&self, newest: Option<u64>) -> Option<u64> {
        Some(self.death?.saturating_sub(newest.max(self.waited)?))
    }
}
