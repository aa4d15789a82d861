//! How a commit ended: each possible end by its name, with what happened, why, and what to do.

use serde::{Deserialize, Serialize};

use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Published;
use crate::domain::findings::{Finding, Severity};
use crate::domain::guard::Refusal;
use crate::domain::network::BlockHash;
use crate::domain::text::{age_blocks, grouped, sentence};
use crate::domain::untrusted::Untrusted;

/// What a node's pool answered instead of taking the transaction (FACTS 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolAnswer {
    /// The nonce was used already.
    Stale,
    /// The nonce lies ahead of the account's.
    Future,
    /// The signature does not verify: another runtime version, genesis or metadata.
    BadProof,
    /// The block that the era refers to is too old, or unknown to the node.
    Ancient,
    /// The node has banned this very extrinsic for a while.
    Banned,
    /// The node has this very extrinsic.
    AlreadyImported,
    /// Another transaction with this nonce waits and cannot be replaced.
    LowPriority,
    /// The runtime refuses the signer before any block (newer runtimes, an unregistered hotkey): its number.
    Custom(u8),
    /// The pool is full, or dropped it at once.
    Full,
    /// Fees that cannot be paid. A commit has none, so the runtime is not the one that this console knows.
    Payment,
    /// Anything else, as the node said it.
    Other {
        /// JSON-RPC error code.
        code: i32,
        /// Message and reason.
        message: Untrusted,
    },
}

impl PoolAnswer {
    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stale => "pool_stale",
            Self::Future => "pool_future",
            Self::BadProof => "pool_bad_proof",
            Self::Ancient => "pool_ancient",
            Self::Banned => "pool_banned",
            Self::AlreadyImported => "pool_already_imported",
            Self::LowPriority => "pool_priority",
            Self::Custom(_) => "pool_not_registered",
            Self::Full => "pool_full",
            Self::Payment => "pool_payment",
            Self::Other { .. } => "pool_refused",
        }
    }

    fn told(&self) -> (String, &'static str, &'static str) {
        let (what, why, todo) = match self {
            Self::Stale => (
                "its nonce was used meanwhile",
                "Another transaction of this hotkey came first: GRAIL at its start, or another console.",
                "Look at what is on chain now, then commit again if it is still not what you mean.",
            ),
            Self::Future => (
                "its nonce lies ahead of the account's",
                "The node that was asked for the nonce counts transactions that this one has not seen.",
                "Wait for the next block and commit again; name one node with --endpoint if it stays so.",
            ),
            Self::BadProof => (
                "the signature does not verify there",
                "The node runs another runtime version than it told, or its metadata is not the chain's own.",
                "Commit again in a minute (a runtime upgrade), then try another node with --endpoint.",
            ),
            Self::Ancient => (
                "the block it refers to is too old for the node",
                "The node's finalized head and its best block are far apart, or the node is behind.",
                "Commit again; if it stays so, use another node with --endpoint.",
            ),
            Self::Banned => (
                "the node has banned this transaction for a while",
                "It was found invalid there a moment ago.",
                "Wait half an hour, or use another node with --endpoint.",
            ),
            Self::AlreadyImported => (
                "the node has it already",
                "It was handed in before; it is in the pool or in a block.",
                "Wait for its block; nothing needs to be sent again.",
            ),
            Self::LowPriority => (
                "another transaction of this hotkey with the same nonce waits there",
                "A waiting transaction cannot be replaced by an equal one.",
                "Wait for the next blocks until it is through, then commit again.",
            ),
            Self::Custom(_) => (
                "the runtime refuses this signer",
                "Newer runtimes refuse a hotkey that is not registered on the subnet before any block.",
                "Check --netuid and the hotkey, or let it wait with --when-registered.",
            ),
            Self::Full => (
                "its pool has no room",
                "The node is overloaded.",
                "Commit again in a minute, or use another node with --endpoint.",
            ),
            Self::Payment => (
                "it demands a fee",
                "A commit is free on Subtensor; this runtime is not the one that the console knows.",
                "Check the network; look for a newer version of this console.",
            ),
            Self::Other { .. } => (
                "it is not valid there",
                "The node's pool refused it, and nothing was published.",
                "Read the node's words above; try another node with --endpoint.",
            ),
        };
        let said = match self {
            Self::Custom(number) => format!(" (custom error {number})"),
            Self::Other { code, message } => format!(" (code {code}: {})", message.shown()),
            _ => String::new(),
        };
        (format!("The pool refused the transaction: {what}{said}"), why, todo)
    }
}

/// Why a transaction that was sent, or was to be sent, did not do what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The node's pool refused it: nothing was published.
    Pool(PoolAnswer),
    /// It is in a block and was refused there: the nonce is used, nothing was published.
    Dispatch {
        /// The error by its name in the metadata, such as `Commitments.SpaceLimitExceeded`.
        error: Untrusted,
        /// The block.
        block: BlockId,
        /// With which block the next epoch begins, where that is the way out.
        next_epoch_at: Option<u64>,
    },
    /// The pool dropped it after it had taken it, and no block holds it.
    Dropped,
    /// Another transaction with the same nonce took its place.
    Replaced,
    /// It was published, and something else came after it.
    Usurped {
        /// What stands there now, as far as it can be read.
        by: Option<Published>,
        /// The block that set it, where known.
        at: Option<u64>,
    },
    /// Its nonce is used and the chain does not hold what it was to publish; the blocks that could tell more are gone.
    NotThere,
    /// The block's own events and the state contradict each other, or what was said to be final is not there.
    Contradiction {
        /// What does not fit.
        what: String,
    },
}

impl Failure {
    /// Stable name for scripts.
    pub fn code(&self) -> String {
        match self {
            Self::Pool(answer) => answer.code().to_owned(),
            Self::Dispatch { error, .. } => snake(&error.shown()),
            Self::Dropped => "dropped".to_owned(),
            Self::Replaced => "replaced".to_owned(),
            Self::Usurped { .. } => "usurped".to_owned(),
            Self::NotThere => "not_there".to_owned(),
            Self::Contradiction { .. } => "contradiction".to_owned(),
        }
    }

    fn told(&self) -> (String, String, String) {
        let owned = |(what, why, todo): (&str, &str, &str)| (what.to_owned(), why.to_owned(), todo.to_owned());
        match self {
            Self::Pool(answer) => {
                let (what, why, todo) = answer.told();
                (what, why.to_owned(), todo.to_owned())
            }
            Self::Dispatch { error, block, next_epoch_at } => dispatch(&error.shown(), *block, *next_epoch_at),
            Self::Dropped => owned((
                "The pool dropped the transaction, and no block holds it",
                "The node's pool was full, or a fork made the transaction invalid.",
                "Nothing was published: commit again.",
            )),
            Self::Replaced => owned((
                "Another transaction of this hotkey took the place of ours",
                "It has the same nonce: GRAIL at its start, or another console, committed at the same moment.",
                "Look at what is on chain now, then commit again if it is still not what you mean.",
            )),
            Self::Usurped { at, .. } => {
                let block = at.map_or_else(String::new, |block| format!(" at #{}", grouped(block)));
                (
                    format!("It was published, and another commitment replaced it{block}"),
                    "Somebody with this hotkey committed after us: a GRAIL with another .env, or another console."
                        .to_owned(),
                    "Find what holds this hotkey and give it the same read pair, then commit again.".to_owned(),
                )
            }
            Self::NotThere => owned((
                "Its nonce is used, and the chain does not hold what it was to publish",
                "It was refused in its block, or replaced since; the node no longer keeps the blocks that would tell.",
                "Look at what is on chain now, then commit again if it is not what you mean.",
            )),
            Self::Contradiction { what } => (
                format!("The node contradicts itself: {what}"),
                "What it serves cannot all be true, so nothing here counts as published.".to_owned(),
                "Compare with another node by --endpoint before anything else.".to_owned(),
            ),
        }
    }
}

fn dispatch(error: &str, block: BlockId, next_epoch_at: Option<u64>) -> (String, String, String) {
    let what = format!("The chain refused the commit in block #{}: {error}", grouped(block.number));
    let name = error.rsplit('.').next().unwrap_or(error);
    let (why, todo) = match name {
        "AccountNotAllowedCommit" => (
            "The hotkey is not registered on this subnet.",
            "Check --netuid and the hotkey, or let it wait with --when-registered.".to_owned(),
        ),
        "SpaceLimitExceeded" => {
            let wait = next_epoch_at.map_or_else(
                || "Wait for the next epoch, then commit again.".to_owned(),
                |at| {
                    let left = age_blocks(at.saturating_sub(block.number));
                    format!("Commit again from #{} on (the next epoch, in about {left}).", grouped(at))
                },
            );
            ("This epoch's budget of the hotkey is spent: about 24 commits.", wait)
        }
        "TooManyFieldsInCommitmentInfo" => {
            ("The runtime allows fewer fields than one.", "Look for a newer version of this console.".to_owned())
        }
        _ => (
            "The runtime has a rule that this console does not know.",
            "Look the name up in Subtensor's source, or look for a newer version of this console.".to_owned(),
        ),
    };
    (what, why.to_owned(), todo)
}

/// `Commitments.SpaceLimitExceeded` as `space_limit_exceeded`.
fn snake(error: &str) -> String {
    let name = error.rsplit('.').next().unwrap_or(error);
    let mut out = String::new();
    for c in name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// What proves that it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Blake2-256 of the extrinsic.
    pub extrinsic: BlockHash,
    /// The finalized block that holds it.
    pub block: BlockId,
    /// Index of the extrinsic in it; `None` where the node no longer serves the block's body.
    pub index: Option<u32>,
    /// The block it was first seen in, when a fork moved it.
    pub first_seen_in: Option<BlockId>,
    /// Number of the finalized block at which the chain was last read and held the bytes.
    pub read_back_at: u64,
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Chain and local were equal: nothing was sent.
    Unchanged {
        /// The block that set what is there.
        set_at: Option<u64>,
    },
    /// Published, final, its event seen, and read back equal.
    Committed(Receipt),
    /// A safety rule said no: nothing was signed.
    Refused(Rule),
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
        /// The extrinsic, once there was one.
        extrinsic: Option<BlockHash>,
    },
    /// Its era ended and no block holds it: nothing was published, and nothing of it can be any more.
    Expired {
        /// The extrinsic.
        extrinsic: BlockHash,
        /// First block in which it was no longer valid.
        death: u64,
    },
    /// It is not known yet; it is written down and will be told.
    Pending {
        /// The extrinsic, once there is one.
        extrinsic: Option<BlockHash>,
        /// Why nothing can be said.
        why: String,
    },
}

/// Which rule refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The guard over what may be published.
    Guard(Refusal),
    /// Any other: its stable name, what it says, and what to do.
    Other {
        /// Stable name for scripts.
        code: &'static str,
        /// What was refused.
        what: String,
        /// Why.
        why: &'static str,
        /// What to do.
        todo: String,
    },
}

impl Rule {
    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Guard(refusal) => refusal.code(),
            Self::Other { code, .. } => code,
        }
    }
}

impl From<Refusal> for Rule {
    fn from(refusal: Refusal) -> Self {
        Self::Guard(refusal)
    }
}

impl Ended {
    /// The word of the contract (DESIGN 12), and `pending`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unchanged { .. } => "unchanged",
            Self::Committed(_) => "committed",
            Self::Refused(_) => "refused",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
            Self::Pending { .. } => "pending",
        }
    }

    /// Why it ended so: a stable name, where there is something to explain.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Unchanged { .. } | Self::Committed(_) => None,
            Self::Refused(rule) => Some(rule.code().to_owned()),
            Self::Failed { failure, .. } => Some(failure.code()),
            Self::Expired { .. } => Some("era_over".to_owned()),
            Self::Pending { .. } => Some("not_known_yet".to_owned()),
        }
    }

    /// The extrinsic, where there is one.
    pub const fn extrinsic(&self) -> Option<BlockHash> {
        match self {
            Self::Committed(receipt) => Some(receipt.extrinsic),
            Self::Failed { extrinsic, .. } | Self::Pending { extrinsic, .. } => *extrinsic,
            Self::Expired { extrinsic, .. } => Some(*extrinsic),
            Self::Unchanged { .. } | Self::Refused(_) => None,
        }
    }

    /// What happened, why, and what to do: one wording for screens, text and JSON.
    pub fn finding(&self) -> Finding {
        match self {
            Self::Unchanged { set_at } => {
                let since = set_at.map_or_else(String::new, |block| format!(" since #{}", grouped(block)));
                Finding::new(
                    "unchanged",
                    Severity::Note,
                    format!("The chain holds exactly this{since}"),
                    "Nothing was sent, and nothing of the epoch's budget was used.",
                    "Nothing.",
                )
            }
            Self::Committed(receipt) => committed(receipt),
            Self::Refused(rule) => refused(rule),
            Self::Failed { failure, .. } => {
                let (what, why, todo) = failure.told();
                Finding::new("commit_failed", Severity::Danger, what, why, todo)
            }
            Self::Expired { death, .. } => Finding::new(
                "commit_expired",
                Severity::Danger,
                format!("No block took the transaction before its era ended with #{}", grouped(*death)),
                "Nothing was published, and this transaction can never be any more.",
                "Commit again; if it stays so, use another node with --endpoint.",
            ),
            Self::Pending { why, .. } => Finding::new(
                "commit_pending",
                Severity::Warning,
                "It is not known yet whether this was published",
                why.clone(),
                "It is written down: the next start asks the chain and tells what became of it.",
            ),
        }
    }
}

fn committed(receipt: &Receipt) -> Finding {
    let block = grouped(receipt.block.number);
    let moved = receipt.first_seen_in.filter(|first| *first != receipt.block).map_or_else(String::new, |first| {
        format!(" It was first seen in #{}, in a block that a fork replaced.", grouped(first.number))
    });
    Finding::new(
        "committed",
        Severity::Note,
        format!("Published in block #{block}, final, and read back equal"),
        format!("Validators follow within about 10 minutes; what they read then counts from the next window.{moved}"),
        "Restart GRAIL with the same .env, or its next start puts the old key back.",
    )
}

fn refused(rule: &Rule) -> Finding {
    match rule {
        Rule::Guard(refusal) => Finding::new(
            refusal.code(),
            Severity::Danger,
            format!("Not published: {}", refusal.what()),
            "Nothing was signed and nothing was sent. This rule has no override.",
            sentence(&refusal.todo()),
        ),
        Rule::Other { code, what, why, todo } => Finding::new(code, Severity::Danger, what.clone(), *why, todo.clone()),
    }
}
