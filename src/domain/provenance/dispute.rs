//! Where sources contradict each other.

use serde::{Deserialize, Serialize};

use super::ProofSize;
use crate::domain::commit::progress::BlockId;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::Fingerprint;
use crate::domain::text::grouped;
use crate::domain::untrusted::Untrusted;

/// How long it holds that a dispute was acknowledged, in ms.
pub const ACKNOWLEDGED_MS: u64 = 3_600_000;
/// The same in blocks of 12 s: an id that is given anew each time grows old with the chain.
const ACKNOWLEDGED_BLOCKS: u64 = 300;

/// In which way two sources cannot both be right, or one of them cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// They are of different chains.
    OtherGenesis,
    /// They call different blocks of one height final.
    OtherFork,
    /// One of them stands still.
    StaleHead,
    /// One of them calls final what the other has not seen.
    NotFinal,
    /// A header does not hash to its block's hash.
    ForgedHeader,
    /// They say different things of one block's state, or what one says is not what the state proves.
    ForgedValue,
    /// A proof does not belong to the block's state, or lacks a part.
    BadProof,
    /// A block's body is not that of its header, or a signature in it is not the signer's.
    ForgedExtrinsic,
    /// They describe one runtime's values in two ways.
    OtherMetadata,
}

impl Case {
    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::OtherGenesis => "two different chains",
            Self::OtherFork => "two different finalized blocks of one height",
            Self::StaleHead => "one endpoint stands still",
            Self::NotFinal => "one endpoint calls final what the other has not seen",
            Self::ForgedHeader => "a header that is not that of its block",
            Self::ForgedValue => "two different values in one block",
            Self::BadProof => "a proof that is not one",
            Self::ForgedExtrinsic => "an extrinsic that its signer did not sign",
            Self::OtherMetadata => "two different descriptions of one runtime",
        }
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The endpoint that the console reads from.
    Endpoint,
    /// The other one.
    Witness,
}

/// What one source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which.
    pub endpoint: String,
    /// Of which block.
    pub block: Option<BlockId>,
    /// What, without secrets.
    pub says: Untrusted,
    /// The proof that came with it.
    pub proof: Option<ProofSize>,
}

/// Two sources that cannot both be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// In which way.
    pub case: Case,
    /// About whose commitment, where it is about one.
    pub hotkey: Option<Hotkey>,
    /// What the console's own endpoint says.
    pub endpoint: Claim,
    /// What the other source says, or what was proven.
    pub witness: Claim,
    /// Which of them is proven wrong, if one is.
    pub proven_wrong: Option<Side>,
}

impl Dispute {
    /// By what an operator says that this very dispute has been read: the height that it is about, or both, and sixteen hex
    /// characters over what makes it one.
    pub fn id(&self) -> String {
        let heights = self.heights().map(|height| height.to_string());
        heights.chain([self.mark()]).collect::<Vec<_>>().join("-")
    }

    /// What makes it this one: the way, about whom, who says so, and both hashes; of forged values both values, whose height
    /// moves on.
    pub fn mark(&self) -> String {
        let (ours, theirs) = (&self.endpoint, &self.witness);
        let both = if self.is_of_values() {
            format!("{:?} {:?}", ours.says, theirs.says)
        } else {
            let told = |claim: &Claim| claim.block.map(|block| (block.number, block.hash.to_string()));
            format!("{:?} {:?}", told(ours), told(theirs))
        };
        let whom = self.hotkey.map(|hotkey| hotkey.to_string());
        let text = format!("{:?} {whom:?} {} {} {both}", self.case, ours.endpoint, theirs.endpoint);
        Fingerprint::of(&text).to_string()
    }

    /// Whether both are of one kind, about one hotkey and between the same sources.
    pub fn is_like(&self, other: &Self) -> bool {
        let pair = |dispute: &Self| {
            (dispute.case, dispute.hotkey, dispute.endpoint.endpoint.clone(), dispute.witness.endpoint.clone())
        };
        pair(self) == pair(other)
    }

    /// Whether two values make it one, rather than two hashes.
    pub const fn is_of_values(&self) -> bool {
        matches!(self.case, Case::ForgedValue | Case::OtherMetadata | Case::OtherGenesis)
    }

    /// The heights that it is about, each once.
    pub fn heights(&self) -> impl Iterator<Item = u64> {
        let height = |claim: &Claim| claim.block.map(|block| block.number);
        let (ours, theirs) = (height(&self.endpoint), height(&self.witness));
        ours.into_iter().chain(theirs.filter(|theirs| Some(*theirs) != ours))
    }

    /// The same one at other heights, with what each source calls final there.
    #[must_use]
    pub fn at(&self, [ours, theirs]: [BlockId; 2]) -> Self {
        let claim = |claim: &Claim, block| Claim { block: Some(block), ..claim.clone() };
        Self { endpoint: claim(&self.endpoint, ours), witness: claim(&self.witness, theirs), ..self.clone() }
    }

    /// Whether writing must wait until the operator has read it. Where the witness is proven wrong nothing has to wait.
    pub fn locks(&self) -> bool {
        self.proven_wrong != Some(Side::Witness)
    }

    /// In three sentences.
    pub fn finding(&self) -> Diagnostic {
        let side = |claim: &Claim| {
            let block = claim.block.map_or_else(String::new, |block| format!(" of #{}", grouped(block.number)));
            format!("{}{block}: {}", claim.endpoint, claim.says.shown())
        };
        let whom = self.hotkey.map_or_else(String::new, |hotkey| format!(" about {}", hotkey.short()));
        let is_one = self.endpoint.endpoint == self.witness.endpoint;
        let other = if is_one { format!("The same node: {}", self.witness.says.shown()) } else { side(&self.witness) };
        let (severity, proven) = match self.proven_wrong {
            Some(Side::Endpoint) => (Severity::Danger, " The first is proven wrong."),
            Some(Side::Witness) => (Severity::Warning, " The second is proven wrong."),
            None => (Severity::Danger, ""),
        };
        let todo = match self.proven_wrong {
            Some(Side::Witness) => "Name another witness with --witness.".to_owned(),
            Some(Side::Endpoint) => {
                format!("Use another node with --endpoint. Writing waits until you have read this ({}).", self.id())
            }
            None => {
                format!("Ask a third node with --endpoint. Writing waits until you have read this ({}).", self.id())
            }
        };
        let disputed = Diagnostic::new(
            "disputed",
            severity,
            format!("Sources disagree{whom}: {}", self.case.words()),
            format!("{}. {other}.{proven}", side(&self.endpoint)),
            todo,
        );
        match self.hotkey {
            Some(hotkey) => disputed.about_row(None, hotkey),
            None => disputed,
        }
    }
}

/// A dispute that the operator acknowledged, by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    heights: Vec<u64>,
    mark: String,
    /// Since when, in ms since 1970; `None` for one that was named and did not count yet.
    since_ms: Option<u64>,
    /// Whether it was named with a command, which may be given again and again.
    by_name: bool,
}

impl Acknowledgement {
    /// One that was named with a command: it counts from its first use.
    pub fn named(id: &str) -> Self {
        let mut parts: Vec<&str> = id.trim().split('-').collect();
        let mark = parts.pop().unwrap_or_default().to_owned();
        let heights = parts.iter().filter_map(|part| part.parse().ok()).collect();
        Self { heights, mark, since_ms: None, by_name: true }
    }

    /// One that was made now.
    pub fn made(id: &str, now_ms: u64) -> Self {
        Self { since_ms: Some(now_ms), by_name: false, ..Self::named(id) }
    }

    /// Until when it holds; counted from now where it did not count yet.
    pub fn until_ms(&mut self, now_ms: u64) -> u64 {
        self.since_ms.get_or_insert(now_ms).saturating_add(ACKNOWLEDGED_MS)
    }

    /// The heights at which both sources must still say what they said, so that it is about a dispute; `None` where it
    /// cannot be. No height where the dispute itself tells.
    pub fn to_look_at(&self, dispute: &Dispute) -> Option<Option<[u64; 2]>> {
        let (newest, oldest) = (dispute.heights().max(), self.heights.iter().max());
        let is_old = newest.zip(oldest).is_some_and(|(newest, oldest)| newest > oldest + ACKNOWLEDGED_BLOCKS);
        if self.by_name && is_old {
            return None;
        }
        let heights: Vec<u64> = dispute.heights().collect();
        if dispute.is_of_values() || self.heights == heights {
            return Some(None);
        }
        match self.heights[..] {
            [both] => Some(Some([both, both])),
            [ours, theirs] => Some(Some([ours, theirs])),
            _ => None,
        }
    }

    /// Whether it is about this one.
    pub fn is_of(&self, dispute: &Dispute) -> bool {
        self.mark == dispute.mark()
    }
}
