//! Why a transaction did not do what was meant: a pool's answers, and what the chain made of it.

use serde::{Deserialize, Serialize};

use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Published;
use crate::domain::text::{age_blocks, grouped};
use crate::domain::untrusted::Untrusted;

/// Numbers of Subtensor's `CustomTransactionError`, as its transaction extension gives them (FACTS 2).
mod custom {
    /// A swap of the coldkey is announced.
    pub const SWAP_ANNOUNCED: u8 = 0;
    /// There is no subnet of that number.
    pub const NO_SUBNET: u8 = 3;
    /// Too many calls in too short a time.
    pub const RATE_LIMIT: u8 = 6;
    /// The hotkey is not registered on any subnet.
    pub const NOT_REGISTERED_ANYWHERE: u8 = 10;
    /// `UidNotFound`: the hotkey is not registered on this subnet.
    pub const NOT_REGISTERED: u8 = 19;
    /// A swap of the coldkey is disputed.
    pub const SWAP_DISPUTED: u8 = 21;
}

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
    /// The runtime refuses it before any block, for a reason that has no more than a number.
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
            Self::Custom(custom::NOT_REGISTERED | custom::NOT_REGISTERED_ANYWHERE) => "pool_not_registered",
            Self::Custom(custom::NO_SUBNET) => "pool_no_subnet",
            Self::Custom(custom::RATE_LIMIT) => "pool_rate_limit",
            Self::Custom(custom::SWAP_ANNOUNCED | custom::SWAP_DISPUTED) => "pool_coldkey_swap",
            Self::Custom(_) => "pool_custom",
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
                "Its blocks were over before it arrived, as after a machine slept; or the node runs another runtime version than \
                 it told.",
                "Commit again. If it stays so, wait a minute (a runtime upgrade), then try another node with --endpoint.",
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
            Self::Custom(custom::NOT_REGISTERED | custom::NOT_REGISTERED_ANYWHERE) => (
                "the hotkey is not registered on this subnet",
                "Newer runtimes find that out before any block.",
                "Check --netuid and the hotkey, or let it wait with --when-registered.",
            ),
            Self::Custom(custom::NO_SUBNET) => (
                "there is no subnet of this number",
                "Newer runtimes find that out before any block.",
                "Check --netuid and --network.",
            ),
            Self::Custom(custom::RATE_LIMIT) => (
                "this hotkey has sent too much in too short a time",
                "The runtime limits how often a hotkey may call; nothing was published.",
                "Wait some minutes, then commit again.",
            ),
            Self::Custom(custom::SWAP_ANNOUNCED | custom::SWAP_DISPUTED) => (
                "a swap of the coldkey is announced or disputed",
                "Until it is over the runtime takes no calls of this coldkey's hotkeys.",
                "Look at the swap with btcli. If you did not announce it, your coldkey may be in other hands.",
            ),
            Self::Custom(_) => (
                "the runtime refuses it",
                "The runtime has a rule that this console does not know; nothing was published.",
                "Look the number up in Subtensor's CustomTransactionError, or look for a newer version of this console.",
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
    /// No node could be asked once more before it was signed: nothing was signed and nothing was sent.
    NotSent {
        /// What could not be done.
        what: String,
        /// What to do.
        todo: String,
    },
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
            Self::NotSent { .. } => "not_sent".to_owned(),
            Self::Pool(answer) => answer.code().to_owned(),
            Self::Dispatch { error, .. } => snake(&error.shown()),
            Self::Dropped => "dropped".to_owned(),
            Self::Replaced => "replaced".to_owned(),
            Self::Usurped { .. } => "usurped".to_owned(),
            Self::NotThere => "not_there".to_owned(),
            Self::Contradiction { .. } => "contradiction".to_owned(),
        }
    }

    pub(super) fn told(&self) -> (String, String, String) {
        let owned = |(what, why, todo): (&str, &str, &str)| (what.to_owned(), why.to_owned(), todo.to_owned());
        match self {
            Self::NotSent { what, todo } => (
                format!("Not sent: {what}"),
                "The chain is read once more before anything is signed. Nothing was published.".to_owned(),
                todo.clone(),
            ),
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
                    format!("Commit again from #{} on (the next epoch, in about {left} at the earliest).", grouped(at))
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
