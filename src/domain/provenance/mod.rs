//! Who really published a commitment, and whether the node that tells of it can be believed.
//!
//! ```text
//! reported   one node says so
//! agreed     an endpoint of another operator has the same finalized block and says the same of it
//! proven     the state root in that block's header admits no other value
//! signed     the extrinsic that put it there carries the hotkey's signature
//! ```
//!
//! Each level includes those before it. Where the next one is not reached, a [`Limit`] says why.

mod dispute;
mod limit;
pub mod messages;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

pub use dispute::{ACKNOWLEDGED_MS, Acknowledgement, Case, Claim, Dispute, Side};
pub use limit::Limit;

use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::snapshot::BlockRef;
use crate::domain::text::{grouped, middle_cut};
use crate::domain::untrusted::Untrusted;

/// How much is known of where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One node says so.
    Reported,
    /// So does an endpoint of another operator, of the same finalized block.
    Agreed,
    /// The block's state root admits nothing else.
    Proven,
    /// The hotkey signed it.
    Signed,
}

impl Level {
    /// In order.
    pub const ALL: [Self; 4] = [Self::Reported, Self::Agreed, Self::Proven, Self::Signed];

    /// Its word, as in the JSON and in the filter.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Agreed => "agreed",
            Self::Proven => "proven",
            Self::Signed => "signed",
        }
    }

    /// Its glyph in the table: as many strokes as there are reasons to believe it.
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Reported => "·",
            Self::Agreed => "=",
            Self::Proven => "≡",
            Self::Signed => "✓",
        }
    }

    /// What it means, in a sentence without an end.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Reported => "one node says so",
            Self::Agreed => "two operators say the same of the same finalized block",
            Self::Proven => "the block's state root admits nothing else",
            Self::Signed => "the hotkey signed exactly these bytes",
        }
    }

    /// The level of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// How far a row is to be examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Up to the state proof: a few requests for all rows together.
    Proof,
    /// Up to the signature: one request for each block in which rows were set, and a few for all.
    Signature,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Schnorr over Ristretto: Bittensor's default.
    Sr25519,
    /// Edwards.
    Ed25519,
}

impl Scheme {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sr25519 => "sr25519",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// The extrinsic whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The block that holds it; its hash is that of its header, whose extrinsics root includes it.
    pub block: BlockId,
    /// Its index there.
    pub index: u32,
    /// Blake2-256 over it, as explorers name it.
    pub extrinsic: BlockHash,
    /// How it is signed.
    pub scheme: Scheme,
    /// The account's nonce.
    pub nonce: u64,
    /// Block in which its era was born; `None` for one that never dies.
    pub born: Option<u64>,
    /// Spec version of the runtime that took it.
    pub spec_version: u32,
}

/// What a proof weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofSize {
    /// Trie nodes.
    pub nodes: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// Keys that it answers for.
    pub keys: usize,
}

/// Where a row comes from, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// How far it got.
    pub level: Level,
    /// Why it got no further; `None` for what is signed.
    pub limit: Option<Limit>,
    /// The block whose state was looked at.
    pub at: BlockRef,
    /// What stands there, at this level; `None` for no commitment.
    pub commitment: Option<Commitment>,
    /// Who said so: the endpoint, then the witness where there was one.
    pub endpoints: Vec<String>,
    /// The proof, where there is one.
    pub proof: Option<ProofSize>,
    /// Who served it.
    pub proof_from: Option<String>,
    /// The signature, where it was checked.
    pub signature: Option<Signature>,
    /// Why there is none, where it was looked for.
    #[serde(default)]
    pub unsigned: Option<Limit>,
}

/// What speaks for a value, each by itself and each yes, no or not known: a second operator says the same of the same block; the
/// state root of that block admits nothing else; the hotkey once signed exactly these bytes. What may be believed is the
/// [`Level`]: a fork of one node's own has sound proofs, and old extrinsics with good signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// By a second operator.
    #[serde(serialize_with = "yes_no_unknown")]
    pub agreed: Option<bool>,
    /// By the state root.
    #[serde(serialize_with = "yes_no_unknown")]
    pub proven: Option<bool>,
    /// By the hotkey.
    #[serde(serialize_with = "yes_no_unknown")]
    pub signed: Option<bool>,
}

impl Evidence {
    /// `agreed unknown · proven yes · signed yes`.
    pub fn words(self) -> String {
        let Self { agreed, proven, signed } = self;
        let all = [("agreed", agreed), ("proven", proven), ("signed", signed)];
        all.map(|(name, held)| format!("{name} {}", word_of(held))).join(" · ")
    }
}

const fn word_of(held: Option<bool>) -> &'static str {
    match held {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn yes_no_unknown<S: Serializer>(held: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word_of(*held))
}

impl Provenance {
    /// What one node said, and nothing else.
    pub fn reported(at: BlockRef, commitment: Option<Commitment>, endpoint: &str, limit: Limit) -> Self {
        Self {
            level: Level::Reported,
            limit: Some(limit),
            at,
            commitment,
            endpoints: vec![endpoint.to_owned()],
            proof: None,
            proof_from: None,
            signature: None,
            unsigned: None,
        }
    }

    /// What speaks for what stands there.
    pub const fn held(&self) -> Evidence {
        let case = match &self.limit {
            Some(Limit::Disputed { case }) => Some(*case),
            _ => None,
        };
        Evidence {
            agreed: match (case, self.level) {
                (Some(_), _) => Some(false),
                (None, Level::Reported) => None,
                (None, _) => Some(true),
            },
            proven: match (case, &self.proof) {
                (Some(Case::BadProof), _) => None,
                (_, Some(_)) => Some(true),
                (Some(Case::ForgedValue), None) => Some(false),
                (_, None) => None,
            },
            signed: match (&self.signature, &self.unsigned) {
                (Some(_), _) => Some(true),
                (None, Some(Limit::NotInBlock { .. } | Limit::Disputed { case: Case::ForgedExtrinsic })) => Some(false),
                _ => None,
            },
        }
    }

    /// Whether it is about what is shown: a commitment that changed since is another one.
    pub fn is_of(&self, commitment: Option<&Commitment>) -> bool {
        self.commitment.as_ref() == commitment
    }

    /// Whether sources contradict each other about it.
    pub const fn is_disputed(&self) -> bool {
        matches!(self.limit, Some(Limit::Disputed { .. }))
    }

    /// Whether what stands there is not known, since sources contradict each other; a value that a proof decides is.
    pub const fn is_unknown(&self) -> bool {
        match self.limit {
            Some(Limit::Disputed { case: Case::ForgedValue }) => self.proof.is_none(),
            Some(Limit::Disputed { .. }) => true,
            _ => false,
        }
    }

    /// The glyph of its level, or that of a contradiction.
    pub const fn glyph(&self) -> &'static str {
        if self.is_disputed() { "≠" } else { self.level.glyph() }
    }

    /// Why it got no further, where that says more than the level: that nobody signed what is not there goes without saying.
    pub fn limit_told(&self) -> Option<&Limit> {
        self.limit.as_ref().filter(|limit| !matches!(limit, Limit::NoCommitment))
    }

    /// The level in a few words, absence included.
    pub fn words(&self) -> String {
        match (self.level, &self.commitment) {
            (Level::Agreed, None) => "none, agreed".to_owned(),
            (Level::Proven | Level::Signed, None) => "none, proven".to_owned(),
            (level, _) => level.word().to_owned(),
        }
    }

    /// The chain of evidence, a line each: what was shown, and by what; hashes in full where there is room for 66 characters.
    pub fn evidence(&self, in_full: bool) -> Vec<(&'static str, String)> {
        let hash = |hash: BlockHash| if in_full { hash.to_string() } else { hash.glance() };
        let mut lines = vec![
            ("block", format!("#{}", grouped(self.at.number))),
            ("block hash", hash(self.at.hash)),
            ("endpoints", self.endpoints.join(", ")),
        ];
        if let Some(proof) = self.proof {
            let from = self.proof_from.as_deref().unwrap_or("?");
            let (nodes, bytes) = (grouped(proof.nodes as u64), grouped(proof.bytes as u64));
            let keys =
                if proof.keys == 1 { "1 key".to_owned() } else { format!("{} keys", grouped(proof.keys as u64)) };
            lines.push(("state proof", format!("{nodes} nodes, {bytes} bytes for {keys}, from {from}")));
        }
        if let Some(signature) = &self.signature {
            lines.push(("extrinsic", format!("#{}-{}", grouped(signature.block.number), signature.index)));
            lines.push(("its hash", hash(signature.extrinsic)));
            let era =
                signature.born.map_or_else(|| "immortal".to_owned(), |born| format!("born at #{}", grouped(born)));
            let (scheme, nonce, spec) = (signature.scheme.word(), signature.nonce, signature.spec_version);
            lines.push(("signature", format!("{scheme}, nonce {nonce}, {era}, spec {spec}")));
        }
        lines
    }
}

/// How well the chain's word on the own row is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// How far it got.
    pub level: Level,
    /// Why it got no further.
    pub why: Option<String>,
    /// Whether sources contradict each other about it.
    #[serde(skip)]
    pub is_disputed: bool,
}

impl Confirmed {
    /// Of a row that was examined, or that could not be; what was examined must be what it is about.
    pub fn of(provenance: Option<&Provenance>, is_it: impl FnOnce(Option<&Commitment>) -> bool) -> Self {
        match provenance {
            Some(row) if is_it(row.commitment.as_ref()) => {
                let why = row.limit.as_ref().map(Limit::words);
                Self { level: row.level, why, is_disputed: row.is_disputed() }
            }
            Some(_) => Self::no_further(Limit::Changed.words()),
            None => Self::no_further("nothing else could be asked".to_owned()),
        }
    }

    /// Sources contradict each other.
    pub fn disputed(dispute: &Dispute) -> Self {
        Self { is_disputed: true, ..Self::no_further(Limit::Disputed { case: dispute.case }.words()) }
    }

    const fn no_further(why: String) -> Self {
        Self { level: Level::Reported, why: Some(why), is_disputed: false }
    }

    /// In a sentence without an end.
    pub fn words(&self) -> String {
        let (level, meaning) = (self.level.word(), self.level.meaning());
        match &self.why {
            None => format!("{level}: {meaning}"),
            Some(why) => format!("{level}: {meaning}; {why}"),
        }
    }
}

/// What an examination found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// Row by row.
    pub rows: BTreeMap<Hotkey, Provenance>,
    /// Where sources contradict each other.
    pub disputes: Vec<Dispute>,
    /// Those of them that the operator has acknowledged, by their ids, and until when that holds, in ms since 1970.
    pub acknowledged: BTreeMap<String, u64>,
    /// What it cost.
    pub cost: Cost,
}

/// What an examination cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests to all endpoints.
    pub requests: u64,
    /// Bytes of proofs and block bodies.
    pub bytes: u64,
    /// Time, in ms.
    pub ms: u64,
}

/// A commitment's value in a few words that hold no secret.
pub fn value_words(commitment: Option<&Commitment>) -> Untrusted {
    let Some(commitment) = commitment else { return Untrusted::from_text("no commitment") };
    let set = commitment.block.map_or_else(String::new, |block| format!(", set at #{}", grouped(block)));
    Untrusted::from_text(match commitment.published() {
        Some(published) => {
            let key = middle_cut(&published.read_key_id.shown(), 4, 4);
            format!("key {key}, secret fp {}{set}", published.read_secret.short())
        }
        None => format!("an unreadable {}{set}", commitment.variant),
    })
}
