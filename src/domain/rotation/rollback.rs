//! The way back: when it is open, and what turns it round again.

use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::change::Side;
use crate::domain::rotation::event::Event;
use crate::domain::rotation::facts::{Facts, KeyAnswer};
use crate::domain::rotation::machine::Rotation;
use crate::domain::rotation::phase::Phase;

impl Rotation {
    /// Whether the old keys can be had back: not once the store refuses them, unless nothing of the new ones is out; nor
    /// where there was no read key before and one is out.
    pub fn can_roll_back(&self) -> bool {
        let first = self.change.read.as_ref().is_some_and(|read| read.old.is_none());
        let open = !self.phase.is_closed() && !self.back && !self.retiring;
        open && (!self.is_out() || (self.refused.is_empty() && !first))
    }

    /// What stands against using the old keys again: each has to work at the store now. Asked before turning back, and
    /// again before they are published or put into use, since a token may have been revoked meanwhile. Nothing does while
    /// nothing of the new keys is out.
    pub fn back_blockers(&self, facts: &Facts) -> Vec<Diagnostic> {
        let blocker = |(side, old): (Side, &crate::domain::vault_index::KeyRef)| {
            let (what, todo) = match facts.old_answer(side) {
                Some(KeyAnswer::Works) => return None,
                Some(KeyAnswer::Refused { http, code }) => (
                    format!("is refused by the store: {http} {code}"),
                    "There is no way back to it: go on with the new keys.",
                ),
                Some(KeyAnswer::Gone) => (
                    "is not in the vault any more".to_owned(),
                    "Bring it back with keys import from a .env that has it, or go on with the new keys.",
                ),
                Some(KeyAnswer::Unclear(found)) => (format!("could not be tested: {found}"), "Try again."),
                None => ("was not tested".to_owned(), "Try again."),
            };
            Some(Diagnostic::blocker(
                "old_key_unusable",
                format!("The old {} key {} {what}", side.word(), old.shown),
                todo,
            ))
        };
        if self.is_out() { self.change.old_keys().filter_map(blocker).collect() } else { Vec::new() }
    }

    /// The old keys in these facts that are of no use any more, as far as that is not written down yet: the store refuses
    /// them, or the vault lost them while it holds the new ones, which work.
    pub fn refusals(&self, facts: &Facts) -> Vec<Event> {
        let unknown = |(side, _): &(Side, _)| !self.refused.contains(side);
        let refusal = |(side, _): (Side, _)| match facts.old_answer(side)? {
            KeyAnswer::Refused { http, code } => Some(Event::Refused { side, http: *http, code: code.clone() }),
            KeyAnswer::Gone if self.has_working_keys(facts) => Some(Event::Lost { side }),
            KeyAnswer::Works | KeyAnswer::Gone | KeyAnswer::Unclear(_) => None,
        };
        self.change.old_keys().filter(unknown).filter_map(refusal).collect()
    }

    fn has_working_keys(&self, facts: &Facts) -> bool {
        let works = |side: Side| facts.new.iter().any(|(of, answer)| *of == side && *answer == KeyAnswer::Works);
        self.change.sides().all(|(side, _)| works(side))
    }

    /// Whether somebody may use the new keys already.
    const fn is_out(&self) -> bool {
        self.published || self.promoted || self.submission.is_some()
    }

    pub(super) fn roll_back(&mut self) -> Option<()> {
        self.can_roll_back().then_some(())?;
        self.turn(true);
        Some(())
    }

    /// The store refuses an old key. Whoever was on the way back to it turns round: only the new keys are left.
    pub(super) fn refuse(&mut self, side: Side) {
        if !self.refused.contains(&side) {
            self.refused.push(side);
        }
        if self.back && self.is_out() {
            self.turn(false);
        }
    }

    /// Takes the other direction, from where its way begins. A commit that is under way is settled first.
    fn turn(&mut self, back: bool) {
        self.back = back;
        self.grace = None;
        let under_way = self.submission.is_some();
        if !under_way && self.change.read.is_some() && self.published {
            self.phase = Phase::Planned;
            self.finalized = None;
        } else if self.change.read.is_none() && self.promoted {
            // A write key was never published: only vault and `.env` turn.
            self.phase = Phase::Finalized;
        }
    }
}
