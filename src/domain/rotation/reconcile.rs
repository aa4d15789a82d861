//! What became of a commit that this machine, or an earlier run of it, confirmed: decided by the chain, never guessed.

use crate::domain::network::BlockHash;
use crate::domain::rotation::event::Event;
use crate::domain::rotation::facts::ChainFacts;
use crate::domain::rotation::machine::Rotation;
use crate::domain::rotation::phase::Phase;

/// What the journal of commits and the chain know of the commit itself, as of the finalized block that [`ChainFacts`] are of:
/// a node that is behind must not be asked one thing and another node the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitEnd {
    /// Nothing was ever signed: it broke off before that.
    NeverSigned,
    /// It may still come into a block.
    Alive,
    /// It is in a final block and took effect there.
    Landed {
        /// The extrinsic.
        extrinsic: BlockHash,
        /// Number of the block.
        block: u64,
    },
    /// Its era is over, its nonce is used by another, or the chain refused it: nothing of it can come any more.
    Dead {
        /// Why.
        why: String,
    },
}

impl Rotation {
    /// What follows, or `None` while nothing is certain. Recovery between Signed and Finalized goes by this alone
    /// (DESIGN 9): the chain holds what was meant → final; nothing can come any more and the chain holds what was there
    /// before → planned anew; anything else → stop and show it.
    pub fn reconcile(&self, chain: &ChainFacts, commit: &CommitEnd) -> Option<Event> {
        let waiting = matches!(self.phase, Phase::Signed | Phase::Submitted);
        let submission = self.submission.as_ref().filter(|_| waiting)?;
        if !chain.is_fresh() {
            return None;
        }
        let read = self.change.read.as_ref()?;
        let meant = if submission.back { read.old.as_ref()? } else { &read.new };
        let holds_meant = chain.seen.is(&self.locator, meant);
        match commit {
            CommitEnd::Landed { extrinsic, block } => {
                Some(Event::Finalized { extrinsic: Some(*extrinsic), block: *block })
            }
            _ if holds_meant => {
                // Somebody else put the same there: a GRAIL with the new `.env`, or another console.
                Some(Event::Finalized { extrinsic: submission.extrinsic, block: chain.finalized })
            }
            CommitEnd::Alive => None,
            CommitEnd::NeverSigned | CommitEnd::Dead { .. } => {
                let why = match commit {
                    CommitEnd::Dead { why } => why.clone(),
                    _ => "it broke off before anything was signed".to_owned(),
                };
                Some(if self.expects(&chain.seen) {
                    Event::Unsent { why }
                } else {
                    Event::Different { seen: chain.seen }
                })
            }
        }
    }
}
