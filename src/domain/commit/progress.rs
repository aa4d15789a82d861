//! How far a commit is: the steps of the stepper, and what is told on the way.

use serde::{Deserialize, Serialize};

use crate::domain::diagnostic::Diagnostic;
use crate::domain::network::BlockHash;

/// A block by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockId {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
}

/// A step of the stepper. Each is reached only by what was verified, never by a node's word alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The extrinsic is signed, and the intent is on disk.
    Signed,
    /// A node's pool has taken it.
    Broadcast,
    /// A block holds it; that block may still be replaced.
    InBlock,
    /// That block is final.
    Finalized,
    /// The block's events say that it was applied: `Commitments.Commitment` for this netuid and hotkey.
    Event,
    /// The chain holds exactly the bytes that were meant, at the newest finalized block.
    ReadBack,
}

impl Stage {
    /// In order.
    pub const ALL: [Self; 6] =
        [Self::Signed, Self::Broadcast, Self::InBlock, Self::Finalized, Self::Event, Self::ReadBack];

    /// The words of the stepper.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::InBlock => "in block",
            Self::Finalized => "finalized",
            Self::Event => "event",
            Self::ReadBack => "read back equal",
        }
    }
}

/// Something that happened on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The key file is being decrypted, which takes seconds.
    Unlocking,
    /// The pair is tested at the store: what is waited for.
    Testing {
        /// In words.
        words: String,
    },
    /// Signed and written down.
    Signed {
        /// Blake2-256 of the extrinsic.
        extrinsic: BlockHash,
        /// First block in which it is no longer valid.
        death: u64,
    },
    /// In a pool.
    Broadcast,
    /// In a block.
    InBlock(BlockId),
    /// The block was replaced; the transaction is back in the pool or gone.
    Retracted(BlockId),
    /// Its block is final.
    Finalized(BlockId),
    /// Its event was found, at this index of the block's extrinsics.
    Event {
        /// Index of the extrinsic in its block.
        index: u32,
    },
    /// The chain holds what was meant.
    ReadBack,
    /// A node said something that does not fit what it serves; it is not believed.
    Disbelieved {
        /// What it said, and what stands against it.
        what: String,
    },
    /// The connection is gone; it is made anew and nothing is sent twice blindly.
    Lost {
        /// What failed, why, and what to do.
        problem: Diagnostic,
    },
    /// A connection stands again.
    Found {
        /// The endpoint, as it is shown.
        endpoint: String,
    },
    /// The very same extrinsic was handed to the pool once more, after the chain was seen not to have it.
    SentAgain,
    /// A new finalized block while waiting: its number.
    Waited {
        /// Number of the finalized block.
        finalized: u64,
    },
}
