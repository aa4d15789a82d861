//! Why a row got no further.

use serde::{Deserialize, Serialize};

use super::Case;
use crate::domain::hotkey::Hotkey;
use crate::domain::text::grouped;
use crate::domain::untrusted::Untrusted;

/// Why a row is not of the next level. None of these is an error, and none makes it less than it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Limit {
    /// No endpoint of another operator is known.
    NoWitness,
    /// The witness did not answer.
    WitnessAway {
        /// Which.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// The witness has not come as far, or does not keep that block.
    WitnessBehind {
        /// Which.
        endpoint: String,
        /// The block, by its number.
        block: u64,
    },
    /// Sources contradict each other.
    Disputed {
        /// In which way.
        case: Case,
    },
    /// What was looked at is another value: it changed meanwhile, or the second source has not come as far.
    Changed,
    /// The runtime is newer, and keeps commitments in another way than this version knows.
    NewerRuntime,
    /// No endpoint serves proofs.
    NoProofs {
        /// What was said.
        why: String,
    },
    /// There is none, so nobody signed it.
    NoCommitment,
    /// The value does not say in which block it was set.
    Undated,
    /// Signatures were not looked at.
    NotAsked,
    /// Nobody has that block.
    NoBlock {
        /// Its number.
        block: u64,
        /// What was said by one that could not be asked.
        why: Option<String>,
    },
    /// Nobody has the body of that block any more.
    NoBody {
        /// Its number.
        block: u64,
        /// What was said by one that could not be asked.
        why: Option<String>,
    },
    /// Nobody says which runtime wrote that block.
    NoRuntime {
        /// Its number.
        block: u64,
        /// What was said.
        why: String,
    },
    /// An archive was asked for and does not answer.
    ArchiveAway {
        /// Which.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// No extrinsic of that block sets it: the chain itself did, or a call within another that hides it.
    NotInBlock {
        /// Its number.
        block: u64,
    },
    /// Another call carries it.
    Wrapped {
        /// `Pallet.call`.
        call: Untrusted,
        /// Who sent it, as it says itself; `None` where it says nobody.
        #[serde(default)]
        sender: Option<Hotkey>,
    },
    /// Its extrinsic is signed in a way that this version does not know.
    UnknownScheme {
        /// What stands there.
        what: String,
    },
    /// Its extrinsic binds the hash of the metadata, which is not computed here.
    MetadataHash,
    /// An extension of its extrinsic implies something that is not known here.
    UnknownExtension {
        /// Its name.
        name: Untrusted,
    },
}

impl Limit {
    /// The word in the JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoWitness => "no_witness",
            Self::WitnessAway { .. } => "witness_away",
            Self::WitnessBehind { .. } => "witness_behind",
            Self::Disputed { .. } => "disputed",
            Self::Changed => "changed",
            Self::NewerRuntime => "newer_runtime",
            Self::NoProofs { .. } => "no_proofs",
            Self::NoCommitment => "no_commitment",
            Self::Undated => "undated",
            Self::NotAsked => "not_asked",
            Self::NoBlock { .. } => "no_block",
            Self::NoBody { .. } => "no_body",
            Self::NoRuntime { .. } => "no_runtime",
            Self::ArchiveAway { .. } => "archive_away",
            Self::NotInBlock { .. } => "not_in_block",
            Self::Wrapped { .. } => "wrapped",
            Self::UnknownScheme { .. } => "unknown_scheme",
            Self::MetadataHash => "metadata_hash",
            Self::UnknownExtension { .. } => "unknown_extension",
        }
    }

    /// What is in the way, and what to do about it where something can be done.
    pub fn words(&self) -> String {
        match self {
            Self::NoWitness => "no endpoint of another operator is known: name one with --witness".to_owned(),
            Self::WitnessAway { endpoint, why } => format!("the witness {endpoint} does not answer: {why}"),
            Self::WitnessBehind { endpoint, block } => {
                format!("the witness {endpoint} does not have #{} as a finalized block yet", grouped(*block))
            }
            Self::Disputed { case } => format!("sources contradict each other: {}", case.words()),
            Self::Changed => "what could be verified is still another value: look again".to_owned(),
            Self::NewerRuntime => {
                "this runtime is newer and keeps commitments in another way: update the console".to_owned()
            }
            Self::NoProofs { why } => format!("no endpoint serves a proof of it: {why}"),
            Self::NoCommitment => {
                "there is no commitment, so there is nothing that anybody could have signed".to_owned()
            }
            Self::Undated => "the value does not say in which block it was set".to_owned(),
            Self::NotAsked => "its signature has not been looked at".to_owned(),
            Self::NoBlock { block, why } => {
                format!(
                    "no endpoint has block #{}{}: an archive may, with --archive",
                    grouped(*block),
                    because(why.as_ref())
                )
            }
            Self::NoBody { block, why } => {
                let why = because(why.as_ref());
                format!("no endpoint keeps the body of block #{}{why}: an archive may, with --archive", grouped(*block))
            }
            Self::NoRuntime { block, why } => format!(
                "no endpoint says which runtime wrote block #{} ({why}): an archive may, with --archive",
                grouped(*block)
            ),
            Self::ArchiveAway { endpoint, why } => format!("the archive {endpoint} does not answer: {why}"),
            Self::NotInBlock { block } => format!("no extrinsic of block #{} sets it", grouped(*block)),
            Self::Wrapped { call, sender: Some(sender) } => {
                let sender = sender.short();
                format!(
                    "it was set from within {}, sent by {sender}: what such a call may do is not checked here",
                    call.shown()
                )
            }
            Self::Wrapped { call, sender: None } => {
                format!("it was set from within {}, whose sender need not be the hotkey", call.shown())
            }
            Self::UnknownScheme { what } => format!("its extrinsic is signed in a way that is not known here: {what}"),
            Self::MetadataHash => "its extrinsic binds the hash of the metadata, which is not computed here".to_owned(),
            Self::UnknownExtension { name } => {
                format!("the extension {} implies something that is not known here", name.shown())
            }
        }
    }
}

fn because(why: Option<&String>) -> String {
    why.map_or_else(String::new, |why| format!(" ({why})"))
}
