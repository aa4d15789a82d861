//! How a commit ended: each possible end by its name, with what happened, why, and what to do.

use serde::{Deserialize, Serialize};

use crate::domain::commit::failure::Failure;
use crate::domain::commit::key_test::UNTESTED;
use crate::domain::commit::progress::BlockId;
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::guard::Refusal;
use crate::domain::network::BlockHash;
use crate::domain::provenance::Confirmed;
use crate::domain::text::{grouped, sentence};

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
    /// How well that is confirmed; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Chain and local were equal: nothing was sent.
    Unchanged {
        /// The block that set what is there.
        set_at: Option<u64>,
        /// How well that is confirmed; `None` where nobody looked.
        confirmed: Option<Confirmed>,
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
        /// What is missing.
        reason: Unsettled,
        /// Why nothing can be said.
        why: String,
    },
}

/// What is missing before it is known how a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    /// The chain has not decided yet, or no node could be asked.
    NotKnownYet,
    /// The endpoint calls it published; the second source has not confirmed it.
    NotVerified,
    /// The endpoint calls it published; the second source contradicts.
    Contradiction,
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
    /// Why a read-only console refuses.
    pub fn read_only() -> Self {
        Self::Other {
            code: "read_only",
            what: "Not sent: this console is read-only".to_owned(),
            why: "--read-only, or read_only in the profile, refuses everything that changes something outside this machine.",
            todo: "Start it without --read-only, or take read_only out of the profile.".to_owned(),
        }
    }

    /// Why nothing is written while nobody said which subnet is meant.
    pub fn netuid_not_set(default: u16) -> Self {
        Self::Other {
            code: "netuid_not_set",
            what: format!("Not sent: no netuid is set, and {default} is only the console's default"),
            why: "GRAIL runs on more than one subnet. On the wrong one nobody looks for your key, and it stays public there.",
            todo: "Name your subnet with --netuid, with NETUID in GRAIL's .env, or with netuid in the profile."
                .to_owned(),
        }
    }

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
            Self::Pending { extrinsic: None, .. } => Some("interrupted".to_owned()),
            Self::Pending { reason, .. } => Some(reason.code().to_owned()),
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

    /// The final block that holds it, where there is one: also one in which the chain refused it.
    pub const fn block(&self) -> Option<BlockId> {
        match self {
            Self::Committed(receipt) => Some(receipt.block),
            Self::Failed { failure: Failure::Dispatch { block, .. }, .. } => Some(*block),
            _ => None,
        }
    }

    /// What happened, why, and what to do: one wording for screens, text and JSON.
    pub fn finding(&self) -> Diagnostic {
        self.told().in_class(self.class())
    }

    fn class(&self) -> Class {
        match self {
            Self::Unchanged { .. } | Self::Committed(_) => Class::Remark,
            Self::Refused(rule) if rule.code() == UNTESTED => Class::Unknown,
            Self::Refused(_) => Class::Refused,
            Self::Failed { failure: Failure::NotSent { .. }, .. } => Class::Chain,
            Self::Failed { .. } | Self::Expired { .. } => Class::Transaction,
            Self::Pending { .. } => Class::Pending,
        }
    }

    fn told(&self) -> Diagnostic {
        match self {
            Self::Unchanged { set_at, confirmed } => {
                let since = set_at.map_or_else(String::new, |block| format!(" since #{}", grouped(block)));
                Diagnostic::new(
                    "unchanged",
                    Severity::Note,
                    format!("The chain holds exactly this{since}"),
                    format!(
                        "Nothing was sent, and nothing of the epoch's budget was used.{}",
                        told(confirmed.as_ref())
                    ),
                    "Nothing.",
                )
            }
            Self::Committed(receipt) => committed(receipt),
            Self::Refused(rule) => refused(rule),
            Self::Failed { failure, .. } => {
                let (what, why, todo) = failure.told();
                Diagnostic::new("commit_failed", Severity::Danger, what, why, todo)
            }
            Self::Expired { death, .. } => Diagnostic::new(
                "commit_expired",
                Severity::Danger,
                format!("No block took the transaction before its era ended with #{}", grouped(*death)),
                "Nothing was published, and this transaction can never be any more.",
                "Commit again; if it stays so, use another node with --endpoint.",
            ),
            Self::Pending { extrinsic: None, why, .. } => Diagnostic::new(
                "commit_pending",
                Severity::Note,
                "Nothing was sent",
                why.clone(),
                "Look at the plan again when you are ready.",
            ),
            Self::Pending { why, reason, .. } => reason.finding(why),
        }
    }
}

impl Unsettled {
    /// Stable name for scripts.
    const fn code(self) -> &'static str {
        match self {
            Self::NotKnownYet => "not_known_yet",
            Self::NotVerified => "not_verified",
            Self::Contradiction => "contradiction",
        }
    }

    fn finding(self, why: &str) -> Diagnostic {
        let (severity, what, todo) = match self {
            Self::NotKnownYet => (
                Severity::Warning,
                "It is not known yet whether this was published",
                "It is written down: the next start asks the chain and tells what became of it.",
            ),
            Self::NotVerified => (
                Severity::Warning,
                "Your node calls this published, and the second source has not confirmed it yet",
                "It is written down: run status in a few minutes. If it stays so, name another second source with --witness.",
            ),
            Self::Contradiction => (
                Severity::Danger,
                "Your node calls this published, and the second source contradicts it",
                "Do not rely on it. Use another node with --endpoint, then run status: it tells what became of it.",
            ),
        };
        Diagnostic::new("commit_pending", severity, what, why, todo)
    }
}

fn committed(receipt: &Receipt) -> Diagnostic {
    let block = grouped(receipt.block.number);
    let moved = receipt.first_seen_in.filter(|first| *first != receipt.block).map_or_else(String::new, |first| {
        format!(" It was first seen in #{}, in a block that a fork replaced.", grouped(first.number))
    });
    Diagnostic::new(
        "committed",
        Severity::Note,
        format!("Published in block #{block}, final, and read back equal"),
        format!(
            "Validators follow within about 10 minutes; what they read then counts from the next window.{moved}{}",
            told(receipt.confirmed.as_ref())
        ),
        "Restart GRAIL with the same .env, or its next start puts the old key back.",
    )
}

/// How well it is confirmed, as one more sentence.
fn told(confirmed: Option<&Confirmed>) -> String {
    confirmed.map_or_else(String::new, |confirmed| format!(" Confirmed as {}.", confirmed.words()))
}

fn refused(rule: &Rule) -> Diagnostic {
    match rule {
        Rule::Guard(refusal) => Diagnostic::new(
            refusal.code(),
            Severity::Danger,
            format!("Not published: {}", refusal.what()),
            "Nothing was signed and nothing was sent. This rule has no override.",
            sentence(&refusal.todo()),
        ),
        Rule::Other { code, what, why, todo } => {
            Diagnostic::new(code, Severity::Danger, what.clone(), *why, todo.clone())
        }
    }
}
