//! Where a rotation stands, in words: one wording for the stepper, the command line, the banner and JSON.

use serde::Serialize;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::change::Side;
use crate::domain::rotation::facts::RESTART_ALL;
use crate::domain::rotation::machine::{Rotation, Step};
use crate::domain::rotation::phase::Phase;
use crate::domain::text::{age_blocks, grouped};

/// What comes next, and who does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// The step.
    pub step: Step,
    /// In a sentence.
    pub words: String,
    /// Whether it waits for the operator; else the console does it, or time does.
    pub asks: bool,
}

/// How far a phase of the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Behind.
    Done,
    /// Under way.
    Now,
    /// Ahead.
    ToCome,
}

/// A rotation with what stands against its next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The rotation.
    pub rotation: Rotation,
    /// What stands against its next step.
    pub blockers: Vec<Diagnostic>,
    /// The newest finalized block that is known.
    pub finalized: Option<u64>,
}

impl Report {
    /// Blocks of the grace that are left, where it runs and the chain is known.
    pub fn blocks_left(&self) -> Option<u64> {
        Some(self.rotation.grace?.left(self.finalized?))
    }

    /// What comes next.
    pub fn next(&self) -> Next {
        self.rotation.next(self.finalized)
    }
}

impl Rotation {
    /// `read key of generation 2 → 3`.
    pub fn title(&self) -> String {
        format!("{}, generation {} → {}", self.change.words(), self.from, self.to)
    }

    /// The phases that this rotation passes on its way forward, in order.
    pub fn steps(&self) -> Vec<Phase> {
        let skipped = |phase: &Phase| {
            self.change.read.is_none()
                && matches!(phase, Phase::Planned | Phase::Signed | Phase::Submitted | Phase::Finalized)
        };
        Phase::WAY.into_iter().filter(|phase| !skipped(phase)).collect()
    }

    /// The phases of its direction with their marks, seen from a finalized block: what was reached is done, what comes next is
    /// under way, and the grace is under way as long as it runs.
    pub fn marks(&self, finalized: Option<u64>) -> Vec<(Phase, Mark)> {
        let way = self.way();
        let at = way.iter().position(|phase| *phase == self.phase);
        let runs = self.phase == Phase::Grace && self.grace_left(finalized) != Some(0);
        let mark = |index: usize| match at {
            Some(at) if index == at && runs => Mark::Now,
            Some(at) if index <= at => Mark::Done,
            Some(at) if index == at + 1 && !runs => Mark::Now,
            None if index == 0 => Mark::Now,
            _ => Mark::ToCome,
        };
        way.iter().enumerate().map(|(index, phase)| (*phase, mark(index))).collect()
    }

    /// Turned back it is the same way with the old keys, as far as there is one.
    fn way(&self) -> Vec<Phase> {
        let gives_up = matches!(self.step(), Step::ForgetNew) || self.phase == Phase::Abandoned;
        match self.back {
            true if gives_up => vec![Phase::Abandoned],
            true => {
                let again = [Phase::Planned, Phase::Signed, Phase::Submitted, Phase::Finalized, Phase::Promoted];
                let passed = self.steps();
                let again = again.into_iter().filter(|phase| passed.contains(phase));
                again.chain([Phase::EnvUpdated, Phase::RolledBack]).collect()
            }
            false => self.steps(),
        }
    }

    /// What is to be remembered once the keys in the `.env` are others.
    pub fn reminder(&self) -> Option<&'static str> {
        self.env?;
        match self.phase {
            Phase::EnvUpdated | Phase::Grace if self.back => {
                Some("Restart GRAIL: a process keeps the keys that it began with.")
            }
            Phase::EnvUpdated | Phase::Grace => {
                Some("Restart GRAIL before you revoke the old token: a process keeps the keys that it began with.")
            }
            Phase::RolledBack => {
                Some("Restart GRAIL if it began with the new keys: a process keeps those that it began with.")
            }
            _ => None,
        }
    }

    /// What comes next, seen from a finalized block.
    pub fn next(&self, finalized: Option<u64>) -> Next {
        let step = self.step();
        let asks = matches!(step, Step::Revoke(_) | Step::Accept | Step::Publish | Step::UpdateEnv)
            || (step == Step::Retire && self.grace_left(finalized) == Some(0));
        Next { step, words: self.next_words(step, finalized), asks }
    }

    fn grace_left(&self, finalized: Option<u64>) -> Option<u64> {
        Some(self.grace?.left(finalized?))
    }

    fn old_shown(&self, side: Side) -> &str {
        self.change.side(side).and_then(|keys| keys.old.as_ref()).map_or("—", |old| old.shown.as_str())
    }

    fn next_words(&self, step: Step, finalized: Option<u64>) -> String {
        match step {
            Step::Stage => "Put the new keys into the vault.".to_owned(),
            Step::Revoke(Side::Read) if self.is_pinned => format!(
                "Revoke the old read token {} at the provider now. It is uid 0's: whoever is not restarted after the new key is \
                 on chain finds no checkpoint; the console goes on when the store refuses it.",
                self.old_shown(Side::Read)
            ),
            Step::Revoke(side) => format!(
                "Revoke the old {} token {} at the provider now; the console goes on when the store refuses it.",
                side.word(),
                self.old_shown(side)
            ),
            Step::Probe => "Test the new keys at the store.".to_owned(),
            Step::Plan => "Read the chain and plan the commit.".to_owned(),
            Step::Accept => match &self.difference {
                Some(seen) => format!(
                    "The chain holds {seen}, neither old nor new: look who put it there, then go on over it or roll back."
                ),
                None => "Look at what the chain holds.".to_owned(),
            },
            Step::Publish if self.back => "Publish the old read key again.".to_owned(),
            Step::Publish => "Publish the new read key.".to_owned(),
            Step::Settle => "Find out what became of the commit.".to_owned(),
            Step::Promote(number) => format!("Put generation {number} into use in the vault."),
            Step::UpdateEnv => "Bring the .env up to date.".to_owned(),
            Step::BeginGrace => "Count the grace.".to_owned(),
            Step::Retire => match (self.grace, self.grace_left(finalized)) {
                (Some(grace), Some(left)) if left > 0 => format!(
                    "Keep the old token alive until #{}, {} blocks (about {}) from now{}.",
                    grouped(grace.ends_at),
                    grouped(left),
                    age_blocks(left),
                    if self.may_hear_of_restarts() { ", and until every miner and validator was restarted" } else { "" }
                ),
                (Some(_), Some(_)) if self.may_hear_of_restarts() => RESTART_ALL.to_owned(),
                (Some(_), Some(_)) => {
                    "Retire: the console checks everything, then you revoke the old token.".to_owned()
                }
                _ => "Wait for the end of the grace.".to_owned(),
            },
            Step::ForgetOld => "Forget the old keys.".to_owned(),
            Step::ForgetNew => "Forget the new keys; nothing of them was published.".to_owned(),
            Step::FinishBack => "Note that the old keys are back.".to_owned(),
            Step::Done => match self.phase {
                Phase::RolledBack if self.is_pinned => {
                    "Nothing. Keep the new token alive until every miner and validator that was started meanwhile is started \
                     again: it took uid 0's new key then, and keeps it."
                        .to_owned()
                }
                Phase::RolledBack => {
                    "Nothing. Keep the new token alive for another hour: validators may have read it, and a GRAIL that \
                     started meanwhile may still publish it."
                        .to_owned()
                }
                Phase::Retired if !self.lost.is_empty() => {
                    let old = |side: &Side| format!("{} key {}", side.word(), self.old_shown(*side));
                    let old: Vec<String> = self.lost.iter().map(old).collect();
                    format!(
                        "Nothing. Revoke the old {} at the provider if that is not done: the vault had lost it, so the \
                         store was not asked.",
                        old.join(" and the old ")
                    )
                }
                _ => "Nothing.".to_owned(),
            },
        }
    }
}
