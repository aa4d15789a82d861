//! What a commit would do: to which chain, for whom, from what to what, within which budget, and what was checked.

use serde::Serialize;

use crate::domain::commit::key_test::KeyTest;
use crate::domain::commit::outcome::{Ended, Rule};
use crate::domain::commitment::{Commitment, MaskedBytes, Published};
use crate::domain::diagnostic::Severity;
use crate::domain::drift::{DriftFields, FieldDrift};
use crate::domain::freshness::{ERA_BLOCKS, TOO_OLD_TO_SIGN_MS};
use crate::domain::guard::Cleared;
use crate::domain::hotkey::Hotkey;
use crate::domain::provenance::{Confirmed, Level};
use crate::domain::roster::TRAINER_UID;
use crate::domain::snapshot::{BlockRef, ChainIdentity};
use crate::domain::text::{age_blocks, age_seconds, grouped};
use crate::domain::untrusted::Untrusted;

/// Bytes of the budget that one commit takes: its field, which is longer than the least charge of 100 (FACTS 3).
pub const CHARGE: u64 = 128;
/// Transactions of one hotkey that may be waiting before the nonce of a node is no longer believed: commits per epoch.
pub const MOST_WAITING: u64 = 24;

/// For whom, on which subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The subnet.
    pub netuid: u16,
    /// The hotkey that signs.
    pub hotkey: Hotkey,
    /// Name of its wallet.
    pub wallet: Option<Untrusted>,
    /// Its name in the wallet.
    pub name: Option<Untrusted>,
}

/// Bytes of the epoch's budget (FACTS 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// Used in this epoch, in bytes.
    pub used: u64,
    /// Allowed in an epoch, in bytes.
    pub max: u64,
    /// The epoch.
    pub epoch: u64,
    /// Number of the block with which the next epoch begins, where it can be told.
    pub next_epoch_at: Option<u64>,
}

impl Space {
    /// Commits that still fit into this epoch.
    pub const fn commits_left(&self) -> u64 {
        self.max.saturating_sub(self.used) / CHARGE
    }

    /// Commits that fit into a whole epoch.
    pub const fn commits_in_all(&self) -> u64 {
        self.max / CHARGE
    }

    /// When the next epoch begins, in words, seen from a block: not before, for newer runtimes may put an epoch off.
    pub fn next_epoch(&self, head: u64) -> Option<String> {
        let at = self.next_epoch_at?;
        Some(format!("#{}, in about {} at the earliest", grouped(at), age_blocks(at.saturating_sub(head))))
    }
}

/// The blocks for which a transaction is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Era {
    /// Number of the block it is born in.
    pub birth: u64,
    /// Number of the first block in which it is no longer valid.
    pub death: u64,
}

impl Era {
    /// The mortal era of a transaction that refers to this block, as Substrate quantises it: for 64 blocks exactly.
    pub const fn from(block: u64) -> Self {
        Self { birth: block, death: block + ERA_BLOCKS }
    }
}

/// Where a hotkey stands at a finalized block: everything of the chain that a commit depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HotkeyState {
    /// The chain and the endpoint that said so.
    pub chain: ChainIdentity,
    /// Whether the genesis was pinned by the network's name or by an earlier answer of this session.
    pub pinned: bool,
    /// The finalized block at which everything here was read.
    pub at: BlockRef,
    /// The uid, if the hotkey is registered.
    pub uid: Option<u16>,
    /// What is on chain for it.
    pub commitment: Option<Commitment>,
    /// What is left of this epoch's budget, where the runtime keeps one.
    pub space: Option<Space>,
    /// The nonce that the next transaction of the hotkey needs, waiting ones counted.
    pub nonce: u64,
    /// The account's nonce in the state: what is waiting lies between the two.
    pub settled_nonce: u64,
}

/// One thing that was looked at before anything is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name for scripts.
    pub code: &'static str,
    /// What was found, in a few words.
    pub words: String,
    /// `None` when it is as it must be.
    pub trouble: Option<Severity>,
}

impl Check {
    /// As it must be.
    pub fn passed(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into(), trouble: None }
    }

    /// Not as it should be; it does not stop the commit.
    pub fn odd(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into(), trouble: Some(Severity::Warning) }
    }
}

/// What the plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Chain and local are equal: there is nothing to do.
    Unchanged,
    /// It can be published.
    Ready,
    /// The hotkey has no uid: the chain would refuse. It can wait until it has one.
    NotRegistered,
    /// This epoch's budget is spent: the chain would refuse until the next one.
    BudgetSpent,
}

/// What would be done, exactly. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// For whom.
    pub subject: Subject,
    /// Where it stands.
    pub standing: HotkeyState,
    /// What will be on chain.
    pub new: Published,
    /// Old against new, field by field.
    pub fields: DriftFields,
    /// The 128 bytes, the secret masked.
    pub bytes: MaskedBytes,
    /// The blocks for which the transaction is valid.
    pub era: Era,
    /// What was checked, in the order of the screen.
    pub checks: Vec<Check>,
    /// What it comes to.
    pub verdict: Verdict,
    /// How well what the chain is said to hold is confirmed; `None` where nobody looked.
    pub confirmed: Option<Confirmed>,
    /// What the store showed of the pair; `None` where it was not asked.
    pub key_test: Option<KeyTest>,
}

impl Plan {
    /// A plan from what the guard let through. `now_ms` is the time since 1970.
    pub fn of(subject: Subject, standing: HotkeyState, cleared: &Cleared, now_ms: u64) -> Self {
        let new = cleared.published().clone();
        let verdict = verdict(&standing, &new);
        Self {
            fields: DriftFields::between(standing.commitment.as_ref().and_then(Commitment::published), &new),
            bytes: cleared.masked(),
            era: Era::from(standing.at.number),
            checks: checks(&subject, &standing, cleared, now_ms),
            subject,
            standing,
            new,
            verdict,
            confirmed: None,
            key_test: None,
        }
    }

    /// The same with what the store showed of the pair among what was checked, and how long it was waited for.
    #[must_use]
    pub fn tested(mut self, test: KeyTest, waited_s: Option<u64>) -> Self {
        let waited = waited_s.map(|seconds| format!("the store knew the read key after {}", age_seconds(seconds)));
        self.checks.extend(waited.map(|words| Check::passed("key_known", words)));
        self.checks.push(test.check());
        self.key_test = Some(test);
        self
    }

    /// Whether the pair would be published, now or once there is a uid: only then is it tested.
    pub const fn wants_test(&self) -> bool {
        matches!(self.verdict, Verdict::Ready | Verdict::NotRegistered)
    }

    /// The same with what is known of the own row's provenance among what was checked.
    #[must_use]
    pub fn confirmed(mut self, confirmed: Confirmed) -> Self {
        let words = format!("your row on chain is {}", confirmed.words());
        let is_more = confirmed.level > Level::Reported && !confirmed.is_disputed;
        let check = if is_more { Check::passed } else { Check::odd };
        self.checks.push(check("provenance", words));
        self.confirmed = Some(confirmed);
        self
    }

    /// What is on chain now, as far as it can be read.
    pub fn old(&self) -> Option<&Published> {
        self.standing.commitment.as_ref().and_then(Commitment::published)
    }

    /// Whether this is the practice subnet, where a mistake costs nothing.
    pub fn is_sandbox(&self) -> bool {
        self.standing.chain.is_sandbox()
    }

    /// What stands above it: whether somebody is asked to publish it, or only looks.
    pub const fn heading(&self, asks: bool) -> &'static str {
        match self.verdict {
            Verdict::Unchanged => "These 128 bytes are on chain, and configured here:",
            Verdict::Ready | Verdict::NotRegistered if asks => "You publish these 128 bytes for all to read, for ever:",
            _ => "These 128 bytes would be there for all to read, for ever:",
        }
    }

    /// How it ends without anything being sent; `None` where it can be published.
    pub fn ended(&self) -> Option<Ended> {
        let hotkey = self.subject.hotkey.short();
        let (code, what, why, todo) = match self.verdict {
            Verdict::Ready => return None,
            Verdict::Unchanged => {
                let set_at = self.standing.commitment.as_ref().and_then(|commitment| commitment.block);
                return Some(Ended::Unchanged { set_at, confirmed: self.confirmed.clone() });
            }
            Verdict::NotRegistered => (
                "not_registered",
                format!("Not sent: {hotkey} is not registered on subnet {}", self.subject.netuid),
                "The chain refuses a commitment of a hotkey without a uid (AccountNotAllowedCommit).",
                "Check --netuid and --hotkey, or let it wait with --when-registered (in the console: arm it)."
                    .to_owned(),
            ),
            Verdict::BudgetSpent => {
                let used = self.standing.space.map(|space| (grouped(space.used), grouped(space.max)));
                let used = used.map_or_else(String::new, |(used, max)| format!(" ({used} of {max} bytes)"));
                let next = self.standing.space.and_then(|space| space.next_epoch(self.standing.at.number));
                (
                    "space_limit_exceeded",
                    format!("Not sent: this epoch's budget of {hotkey} is spent{used}"),
                    "The chain would refuse it in its block (SpaceLimitExceeded), and the nonce would be used.",
                    next.map_or_else(
                        || "Commit again in the next epoch.".to_owned(),
                        |next| format!("Commit again when the next epoch begins: {next}."),
                    ),
                )
            }
        };
        Some(Ended::Refused(Rule::Other { code, what, why, todo }))
    }

    /// What must be typed to confirm, or `None` where a choice is enough: on a real network the uid, so that nobody
    /// publishes for another one by habit (THREATS T8).
    pub fn word(&self) -> Option<String> {
        match (self.is_sandbox(), self.standing.uid) {
            (true, _) => None,
            (false, Some(uid)) => Some(uid.to_string()),
            // Nothing to type before there is a uid: the end of the address says whose key it is.
            (false, None) => {
                let address = self.subject.hotkey.to_string();
                Some(address[address.len() - 4..].to_owned())
            }
        }
    }
}

/// Whether what is on chain is exactly what would be put there.
fn is_unchanged(chain: Option<&Commitment>, new: &Published) -> bool {
    chain.and_then(Commitment::published) == Some(new)
}

fn verdict(standing: &HotkeyState, new: &Published) -> Verdict {
    if standing.uid.is_none() {
        Verdict::NotRegistered
    } else if is_unchanged(standing.commitment.as_ref(), new) {
        Verdict::Unchanged
    } else if standing.space.is_some_and(|space| space.used.saturating_add(CHARGE) > space.max) {
        Verdict::BudgetSpent
    } else {
        Verdict::Ready
    }
}

fn checks(subject: &Subject, standing: &HotkeyState, cleared: &Cleared, now_ms: u64) -> Vec<Check> {
    let uncompared = cleared.uncompared();
    let no_secret = if uncompared.is_empty() {
        "no secret known to this machine inside"
    } else {
        "nothing secret inside of what could be compared"
    };
    let mut checks: Vec<_> =
        uncompared.iter().map(|(what, count)| Check::odd("not_compared", what.words(*count))).collect();
    checks.extend([
        Check::passed("no_secret", no_secret),
        Check::passed("shape", "every field in its place, nothing cut"),
        Check::passed("call", "the call is the 134 bytes built here, not the node's"),
    ]);
    checks.push(if standing.pinned {
        Check::passed("genesis", "genesis as pinned")
    } else {
        Check::odd("genesis", "nobody pinned this chain's genesis: it is what the node says")
    });
    checks.push(match standing.uid {
        Some(uid) => Check::passed("registered", format!("registered as uid {uid}")),
        None => Check::odd("registered", format!("not registered on subnet {}", subject.netuid)),
    });
    if standing.uid == Some(TRAINER_UID) && standing.commitment.is_some() {
        let what = "uid 0: every miner and validator keeps the key that it took at its start; the old one must live until all \
                    were restarted";
        checks.push(Check::odd("pinned_key", what));
    }
    let behind = now_ms.saturating_sub(standing.at.timestamp_ms);
    if behind > TOO_OLD_TO_SIGN_MS {
        checks.push(Check::odd("head", format!("the node's finalized head is {} old", age_seconds(behind / 1_000))));
    }
    let waiting = standing.nonce.saturating_sub(standing.settled_nonce);
    if waiting > 0 {
        checks.push(Check::odd("waiting", format!("{waiting} transaction of this hotkey waits already")));
    }
    checks
}

impl DriftFields {
    /// What a commit changes: what is on chain against what would be there.
    pub fn between(old: Option<&Published>, new: &Published) -> Self {
        let of = |same: Option<bool>| match same {
            None => FieldDrift::ChainMissing,
            Some(true) => FieldDrift::Equal,
            Some(false) => FieldDrift::Differs,
        };
        Self {
            locator: of(old.map(|old| old.locator == new.locator)),
            read_key_id: of(old.map(|old| old.read_key_id == new.read_key_id)),
            read_secret: of(old.map(|old| old.read_secret == new.read_secret)),
        }
    }
}
