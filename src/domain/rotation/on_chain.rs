//! What follows from what the chain holds, beside a commit of ours: decided by a finalized block, never guessed.

use crate::domain::rotation::event::Event;
use crate::domain::rotation::facts::ChainFacts;
use crate::domain::rotation::machine::{Rotation, Step};
use crate::domain::text::BLOCK_SECONDS;

impl Rotation {
    /// The event that follows from what a node said, or `None` where nothing does: all is as it was, it is the operator's turn
    /// or the console's, a commit is to be settled first ([`Rotation::reconcile`]), or the head is too old to decide anything.
    /// To be asked at every look at the chain, and before every step that relies on it.
    pub fn heard(&self, chain: &ChainFacts) -> Option<Event> {
        if !chain.is_fresh() {
            return None;
        }
        if self.pins(chain) && !self.is_pinned && !self.retiring && !self.phase.is_closed() {
            return Some(Event::Pinned);
        }
        if self.is_reverted(&chain.seen) {
            return Some(Event::Reverted { block: chain.finalized, seen: chain.seen });
        }
        match self.step() {
            Step::Plan => Some(Event::Planned { seen: chain.seen }),
            Step::Accept | Step::Publish => self.heard_before_publishing(chain),
            Step::BeginGrace => Some(self.grace_from(chain)),
            Step::Retire if self.was_set_since(chain) => Some(self.grace_from(chain)),
            _ => None,
        }
    }

    fn heard_before_publishing(&self, chain: &ChainFacts) -> Option<Event> {
        let seen = chain.seen;
        let target = self.target_read()?;
        if seen.is(&self.locator, target) {
            let block = chain.set_at.unwrap_or(chain.finalized);
            return Some(Event::Finalized { extrinsic: None, block });
        }
        match self.difference {
            Some(difference) if difference != seen => Some(Event::Planned { seen }),
            None if !self.expects(&seen) => Some(Event::Different { seen }),
            _ => None,
        }
    }

    /// Counted from the present block, as far as it can be told from the age of the finalized one: until then a commit of
    /// somebody else, and so a validator, may still come by the old key. An emergency waits for nothing.
    fn grace_from(&self, chain: &ChainFacts) -> Event {
        let since = if self.emergency { 0 } else { chain.age_ms.div_ceil(BLOCK_SECONDS * 1_000) };
        let from = chain.finalized.saturating_add(since);
        Event::GraceBegan { from, ends_at: self.grace_end(from) }
    }

    /// Whether the new key was put on chain once more since the grace is counted: something else stood there in between, and
    /// validators may have read that.
    pub(super) fn was_set_since(&self, chain: &ChainFacts) -> bool {
        self.change.read.is_some() && self.grace.zip(chain.set_at).is_some_and(|(grace, set_at)| set_at > grace.from)
    }
}
