//! One line of the journal: what is about to be done, and what became of it.

use serde::{Deserialize, Serialize};

use crate::domain::network::BlockHash;
use crate::domain::rotation::change::{Change, Seen, Side};
use crate::domain::text::grouped;
use crate::domain::vault_index::{Backend, GenerationNumber};

/// How the `.env` came to hold what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvUpdate {
    /// The console rewrote it.
    Rewritten,
    /// It held the right keys already.
    Already,
    /// It defines none of these variables: GRAIL gets them from the vault with `exec`.
    Undefined,
    /// The operator said that it is done elsewhere.
    Elsewhere,
}

impl EnvUpdate {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Rewritten => "rewritten",
            Self::Already => "had them already",
            Self::Undefined => "defines none of them",
            Self::Elsewhere => "done elsewhere, you said",
        }
    }
}

/// What happened, or is about to. Written and synced before the act that it announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// New keys are about to be put into the vault.
    Began {
        /// The generation in use until now.
        from: GenerationNumber,
        /// The generation that the new keys become.
        to: GenerationNumber,
        /// Which store.
        backend: Backend,
        /// Bucket name (account id on R2): public.
        locator: String,
        /// Which keys.
        change: Change,
        /// Length of the grace, in blocks.
        grace_blocks: u64,
        /// Revoke first, without grace.
        emergency: bool,
    },
    /// The old read key is uid 0's: every process of the subnet keeps the one that it took at its start.
    Pinned,
    /// The operator says that all of them were restarted since the new key is on chain.
    AllRestarted,
    /// They are in the vault and read back equal.
    Staged,
    /// They do what they should at the store.
    Probed {
        /// What was found, in words.
        found: Vec<String>,
    },
    /// It is known what the commit would change.
    Planned {
        /// What the chain holds.
        #[serde(flatten)]
        seen: Seen,
    },
    /// The operator confirmed; a commit is about to be signed.
    Signing {
        /// What the chain holds before it.
        #[serde(flatten)]
        before: Seen,
    },
    /// The commit was sent.
    Submitted {
        /// Blake2-256 of the extrinsic.
        extrinsic: BlockHash,
    },
    /// The chain holds what was meant, final.
    Finalized {
        /// The extrinsic, where this machine sent one.
        extrinsic: Option<BlockHash>,
        /// Number of the block that set it.
        block: u64,
    },
    /// Nothing of the commit is on chain, and nothing of it can come any more.
    Unsent {
        /// Why.
        why: String,
    },
    /// The chain holds neither what was meant nor what was there before.
    Different {
        /// What it holds.
        #[serde(flatten)]
        seen: Seen,
    },
    /// The operator has looked at that and goes on over it.
    Accepted {
        /// What is replaced.
        #[serde(flatten)]
        seen: Seen,
    },
    /// The keys of this direction are in use in the vault.
    Promoted,
    /// The `.env` is about to be rewritten.
    EnvIntended,
    /// The `.env` is as it should be.
    EnvUpdated {
        /// How.
        how: EnvUpdate,
    },
    /// The grace runs.
    GraceBegan {
        /// The block from which it is counted.
        from: u64,
        /// The block at which it is over.
        ends_at: u64,
    },
    /// Somebody put something else on chain: most often a GRAIL that started with an old `.env`.
    Reverted {
        /// Finalized block at which it was seen.
        block: u64,
        /// What the chain holds.
        #[serde(flatten)]
        seen: Seen,
    },
    /// The store refuses an old key.
    Refused {
        /// Which.
        side: Side,
        /// HTTP status: 401 or 403.
        http: u16,
        /// The store's code.
        code: String,
    },
    /// The vault holds an old key no more, and whether the store refuses it cannot be told.
    Lost {
        /// Which.
        side: Side,
    },
    /// The old generation is about to be forgotten.
    Retiring,
    /// It is.
    Retired,
    /// The operator wants the old keys back.
    TurnedBack,
    /// The new generation is about to be forgotten: nothing of it was published.
    Forgetting,
    /// It is.
    Abandoned,
    /// The old keys are in use again.
    RolledBack,
}

/// An event with the time it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Event {
    /// In words, for the log and the history.
    pub fn words(&self) -> String {
        match self {
            Self::Began { from, to, change, emergency, .. } => {
                let keys: Vec<String> = change
                    .sides()
                    .map(|(side, keys)| match &keys.old {
                        Some(old) => format!("{} key {old} → {}", side.word(), keys.new),
                        None => format!("{} key {}", side.word(), keys.new),
                    })
                    .collect();
                let how = if *emergency { ", revoking first" } else { "" };
                format!("began, generation {from} → {to}{how}: {}", keys.join(", "))
            }
            Self::Pinned => {
                "the read key is uid 0's: every process of the subnet keeps the one that it took at its start, so no \
                             grace retires the old one"
                    .to_owned()
            }
            Self::AllRestarted => "every process of the subnet was restarted, you said".to_owned(),
            Self::Staged => "new keys are in the vault and read back".to_owned(),
            Self::Probed { found } => format!("new keys tested: {}", found.join(", ")),
            Self::Planned { seen } => format!("planned; the chain holds {seen}"),
            Self::Signing { before } => format!("confirmed; the chain holds {before} before it"),
            Self::Submitted { extrinsic } => format!("sent as {extrinsic}"),
            Self::Finalized { block, .. } => format!("on chain, final, set in #{}", grouped(*block)),
            Self::Unsent { why } => format!("nothing was published: {why}"),
            Self::Different { seen } => format!("stopped: the chain holds {seen}"),
            Self::Accepted { seen } => format!("goes on over {seen}"),
            Self::Promoted => "in use in the vault".to_owned(),
            Self::EnvIntended => "the .env is about to be rewritten".to_owned(),
            Self::EnvUpdated { how } => format!(".env {}", how.words()),
            Self::GraceBegan { from, ends_at } => format!("grace from #{} to #{}", grouped(*from), grouped(*ends_at)),
            Self::Reverted { block, seen } => format!("at #{} the chain holds {seen} again", grouped(*block)),
            Self::Refused { side, http, code } => {
                format!("the store refuses the old {} key: {http} {code}", side.word())
            }
            Self::Lost { side } => format!("the old {} key is not in the vault any more", side.word()),
            Self::Retiring => "the old keys are about to be forgotten".to_owned(),
            Self::Retired => "the old keys are forgotten".to_owned(),
            Self::TurnedBack => "turned back".to_owned(),
            Self::Forgetting => "the new keys are about to be forgotten, nothing of them was published".to_owned(),
            Self::Abandoned => "given up".to_owned(),
            Self::RolledBack => "rolled back, the old keys are in use again".to_owned(),
        }
    }
}
