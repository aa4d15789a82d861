//! Where sources contradict each other.

use serde::{Deserialize, Serialize};

use super::ProofSize;
use crate::domain::commit::progress::BlockId;
use crate::domain::findings::{Finding, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::Fingerprint;
use crate::domain::text::grouped;
use crate::domain::untrusted::Untrusted;

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
    /// By what an operator says that this very dispute has been read: eight hex characters over what makes it one.
    pub fn id(&self) -> String {
        let Claim { endpoint, says, .. } = &self.endpoint;
        let (other, told) = (&self.witness.endpoint, &self.witness.says);
        // Heights move on while a dispute stays the same one.
        let block = matches!(self.case, Case::ForgedValue | Case::ForgedExtrinsic).then_some((says, told));
        let text =
            format!("{:?} {:?} {endpoint} {other} {block:?}", self.case, self.hotkey.map(|hotkey| hotkey.to_string()));
        Fingerprint::of(&text).short().chars().filter(char::is_ascii_hexdigit).take(8).collect()
    }

    /// Whether writing must wait until the operator has read it. Where the witness is proven wrong nothing has to wait.
    pub fn locks(&self) -> bool {
        self.proven_wrong != Some(Side::Witness)
    }

    /// In three sentences.
    pub fn finding(&self) -> Finding {
        let side = |claim: &Claim| {
            let block = claim.block.map_or_else(String::new, |block| format!(" of #{}", grouped(block.number)));
            format!("{}{block}: {}", claim.endpoint, claim.says.shown())
        };
        let whom = self.hotkey.map_or_else(String::new, |hotkey| format!(" about {}", hotkey.short()));
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
        Finding::new(
            "disputed",
            severity,
            format!("Sources disagree{whom}: {}", self.case.words()),
            format!("{}. {}.{proven}", side(&self.endpoint), side(&self.witness)),
            todo,
        )
    }
}
