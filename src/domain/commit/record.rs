//! What the journal holds of a commit: the intent before the act, each step, the end. Fingerprints, never secrets.

use serde::{Deserialize, Serialize};

use crate::domain::commit::failure::Failure;
use crate::domain::commit::outcome::{Ended, Receipt};
use crate::domain::commit::plan::Plan;
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::{Commitment, Published};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::secret::Fingerprint;

/// What is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Blake2-256 of the signed extrinsic, by which it is known from here on.
    pub extrinsic: BlockHash,
    /// The chain.
    pub genesis: BlockHash,
    /// The subnet.
    pub netuid: u16,
    /// The uid at that moment.
    pub uid: Option<u16>,
    /// The hotkey that signed.
    pub hotkey: Hotkey,
    /// Fingerprint of the read secret that was on chain.
    pub old: Option<Fingerprint>,
    /// What is to be on chain: public ids, and the secret's fingerprint.
    pub target: Published,
    /// Its nonce.
    pub nonce: u64,
    /// Number of the block that its era begins with.
    pub birth: u64,
    /// First block in which it is no longer valid.
    pub death: u64,
}

impl Intent {
    /// Of a plan, once the extrinsic is signed.
    pub fn of(plan: &Plan, extrinsic: BlockHash) -> Self {
        Self {
            extrinsic,
            genesis: plan.standing.chain.genesis,
            netuid: plan.subject.netuid,
            uid: plan.standing.uid,
            hotkey: plan.subject.hotkey,
            old: plan.old().map(|old| old.read_secret),
            target: plan.new.clone(),
            nonce: plan.standing.nonce,
            birth: plan.era.birth,
            death: plan.era.death,
        }
    }

    /// Whether what is on chain is what was meant, set while the transaction was alive.
    pub fn is_met_by(&self, commitment: Option<&Commitment>) -> bool {
        let set_at = commitment.and_then(|commitment| commitment.block);
        commitment.and_then(Commitment::published) == Some(&self.target)
            && set_at.is_some_and(|block| block > self.birth && block <= self.death)
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// Signed, and about to be sent.
    Intended(Intent),
    /// A pool took it.
    Broadcast {
        /// Which.
        extrinsic: BlockHash,
    },
    /// Seen in a block.
    InBlock {
        /// Which.
        extrinsic: BlockHash,
        /// The block.
        block: BlockId,
    },
    /// Published.
    Committed {
        /// What proves it.
        receipt: Receipt,
    },
    /// Failed.
    Failed {
        /// Which.
        extrinsic: BlockHash,
        /// Why.
        failure: Failure,
    },
    /// Its era ended.
    Expired {
        /// Which.
        extrinsic: BlockHash,
    },
}

impl Record {
    /// Which extrinsic it is about.
    pub const fn extrinsic(&self) -> BlockHash {
        match self {
            Self::Intended(intent) => intent.extrinsic,
            Self::Committed { receipt } => receipt.extrinsic,
            Self::Broadcast { extrinsic }
            | Self::InBlock { extrinsic, .. }
            | Self::Failed { extrinsic, .. }
            | Self::Expired { extrinsic } => *extrinsic,
        }
    }

    /// The record of an end; `None` for ends that need none, since nothing was signed or nothing is known.
    pub fn of(ended: &Ended) -> Option<Self> {
        match ended {
            Ended::Committed(receipt) => Some(Self::Committed { receipt: receipt.clone() }),
            Ended::Failed { failure, extrinsic } if !matches!(failure, Failure::Contradiction { .. }) => {
                Some(Self::Failed { extrinsic: (*extrinsic)?, failure: failure.clone() })
            }
            Ended::Expired { extrinsic, .. } => Some(Self::Expired { extrinsic: *extrinsic }),
            // What contradicts itself is no knowledge: the next start looks again.
            Ended::Failed { .. } | Ended::Unchanged { .. } | Ended::Refused(_) | Ended::Pending { .. } => None,
        }
    }

    const fn is_end(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::Failed { .. } | Self::Expired { .. })
    }
}

/// A record with the time it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

/// A commit whose end is not written down: the console was killed, or the chain could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What was intended.
    pub intent: Intent,
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// The block it was last seen in.
    pub seen_in: Option<BlockId>,
}

/// The commits that are still open, oldest first.
pub fn open(entries: &[Entry]) -> Vec<Open> {
    let ended = |hash| entries.iter().any(|entry| entry.record.is_end() && entry.record.extrinsic() == hash);
    let seen = |hash| {
        entries.iter().rev().find_map(|entry| match &entry.record {
            Record::InBlock { extrinsic, block } if *extrinsic == hash => Some(*block),
            _ => None,
        })
    };
    let open = entries.iter().filter_map(|entry| match &entry.record {
        Record::Intended(intent) if !ended(intent.extrinsic) => {
            Some(Open { intent: intent.clone(), at_ms: entry.at_ms, seen_in: seen(intent.extrinsic) })
        }
        _ => None,
    });
    open.collect()
}
