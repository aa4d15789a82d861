//! What must be so before the old keys are forgotten: every condition of DESIGN 9, and what stands against it.

use serde::Serialize;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::freshness::TOO_OLD_FOR_NOW_MS;
use crate::domain::roster::TRAINER_UID;
use crate::domain::rotation::change::{Seen, Side};
use crate::domain::rotation::event::{EnvUpdate, Event};
use crate::domain::rotation::machine::{Rotation, Step};
use crate::domain::rotation::phase::Phase;
use crate::domain::text::{age_blocks, age_seconds, grouped};

/// What a node said at a finalized block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChainFacts {
    /// Number of the finalized block.
    pub finalized: u64,
    /// Age of that block by this machine's clock, in ms.
    pub age_ms: u64,
    /// The hotkey's uid.
    pub uid: Option<u16>,
    /// What is there for the hotkey.
    pub seen: Seen,
    /// Number of the block that set it, where anything is there.
    pub set_at: Option<u64>,
}

impl ChainFacts {
    /// Whether it is young enough to decide anything on it.
    pub const fn is_fresh(&self) -> bool {
        self.age_ms <= TOO_OLD_FOR_NOW_MS
    }
}

/// What the `.env` says of the keys that change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvStands {
    /// The keys of the direction that is taken.
    Target,
    /// Other ones, the old ones most often.
    Other,
    /// None of these variables.
    Undefined,
    /// No `.env` is named.
    Unnamed,
    /// It cannot be read: why.
    Unreadable(String),
}

/// What a key can do at the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAnswer {
    /// What it is for.
    Works,
    /// It is refused as such: unknown, or of another secret. 401 or 403, with the store's code.
    Refused {
        /// HTTP status.
        http: u16,
        /// The store's code.
        code: String,
    },
    /// The vault holds it no more, so nobody can ask with it.
    Gone,
    /// Neither is certain: what was found.
    Unclear(String),
}

/// Everything that retiring depends on. What was not looked at is `None`, and counts as not so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The chain, or why it could not be asked.
    pub chain: Option<Result<ChainFacts, String>>,
    /// The `.env`.
    pub env: Option<EnvStands>,
    /// The new keys at the store.
    pub new: Vec<(Side, KeyAnswer)>,
    /// The old keys at the store.
    pub old: Vec<(Side, KeyAnswer)>,
}

impl Facts {
    /// What is known of the old key of a side.
    pub(super) fn old_answer(&self, side: Side) -> Option<&KeyAnswer> {
        self.old.iter().find(|(of, _)| *of == side).map(|(_, answer)| answer)
    }
}

/// Leave to forget the old keys: made by [`Rotation::retirable`] alone.
#[derive(Debug)]
pub struct Retirable(());

impl Retirable {
    /// The event that the leave is used up by.
    pub fn event(self) -> Event {
        let Self(()) = self;
        Event::Retiring
    }
}

/// What is to be done before uid 0's old key may go.
pub const RESTART_ALL: &str = "Keep the old token alive until every miner and validator was restarted, then say rotate retire \
                               --all-restarted: revoked before that, it stops the subnet.";

impl Rotation {
    /// Whether a chain shows that the read key which is replaced is uid 0's.
    pub(super) fn pins(&self, chain: &ChainFacts) -> bool {
        chain.uid == Some(TRAINER_UID) && self.change.read.as_ref().is_some_and(|read| read.old.is_some())
    }

    /// Whether the operator's word that all were restarted is what the rotation waits for, or may have any time now.
    pub fn may_hear_of_restarts(&self) -> bool {
        self.is_pinned && !self.all_restarted && self.step() == Step::Retire
    }

    /// Whether the old keys may be forgotten; else everything that stands against it. While anything else does, the
    /// operator is not told to revoke. Once it is decided nothing stands against it any more: the store refuses the old
    /// keys, so keeping them would help nobody.
    pub fn retirable(&self, facts: &Facts) -> Result<Retirable, Vec<Diagnostic>> {
        if self.step() == Step::ForgetOld {
            return Ok(Retirable(()));
        }
        let mut blockers = Vec::new();
        if self.step() != Step::Retire {
            blockers.push(self.not_there_yet());
        }
        blockers.extend(self.chain_blockers(facts));
        blockers.extend(self.env_blocker(facts));
        blockers.extend(self.new_blockers(facts));
        if blockers.is_empty() {
            blockers.extend(self.old_blockers(facts));
        }
        if blockers.is_empty() { Ok(Retirable(())) } else { Err(blockers) }
    }

    fn not_there_yet(&self) -> Diagnostic {
        let todo = match self.phase {
            phase if phase.is_closed() => "It is over.",
            _ if self.back => "It is being rolled back: rotate resume finishes that.",
            _ => "Run rotate resume.",
        };
        Diagnostic::blocker("not_in_grace", format!("The rotation is at \u{201c}{}\u{201d}", self.phase), todo)
    }

    /// What the chain stands against.
    pub fn chain_blockers(&self, facts: &Facts) -> Vec<Diagnostic> {
        let again = "Try again when a node answers; nothing is lost meanwhile.";
        let chain = match &facts.chain {
            Some(Ok(chain)) => chain,
            Some(Err(why)) => {
                return vec![Diagnostic::blocker(
                    "chain_unreachable",
                    format!("The chain cannot be asked: {why}"),
                    again,
                )];
            }
            None => return vec![Diagnostic::blocker("chain_unreachable", "The chain was not asked", again)],
        };
        if !chain.is_fresh() {
            let age = age_seconds(chain.age_ms / 1_000);
            return vec![Diagnostic::blocker(
                "stale_head",
                format!("The node's newest final block is {age} old, so what it says is history"),
                "Use another node with --endpoint; if all say the same, check this machine's clock.",
            )];
        }
        let mut blockers = Vec::new();
        if let Some(read) = self.change.read.as_ref()
            && !chain.seen.is(&self.locator, &read.new)
        {
            blockers.push(Diagnostic::blocker(
                "chain_not_new",
                format!("The chain holds {}, not the new read key", chain.seen),
                "Run rotate resume: it publishes the new key again. A GRAIL that started with an old .env puts the old key back.",
            ));
        }
        let left = self.grace.map_or(0, |grace| grace.left(chain.finalized));
        if self.was_set_since(chain) {
            let what = if blockers.is_empty() {
                "The new key was put on chain again since the grace began, so something else stood there in between"
            } else {
                "What the chain holds was put there since the grace began, so the grace does not count"
            };
            let todo = "Run rotate resume: it counts the grace anew. Keep the old token alive until then.";
            blockers.push(Diagnostic::blocker("grace_running", what, todo));
        } else if let Some(grace) = self.grace.filter(|_| left > 0) {
            blockers.push(Diagnostic::blocker(
                "grace_running",
                format!(
                    "The grace ends at #{}, in {} blocks (about {})",
                    grouped(grace.ends_at),
                    grouped(left),
                    age_blocks(left)
                ),
                "Keep the old token alive until then: validators that looked at the chain before still read with it.",
            ));
        }
        blockers.extend(self.pinned_blocker(facts, chain));
        blockers
    }

    /// Uid 0's key is taken by every process of the subnet at its start and never again: no grace retires it (DESIGN 11). Once
    /// the store refuses it nobody reads with it any more.
    fn pinned_blocker(&self, facts: &Facts, chain: &ChainFacts) -> Option<Diagnostic> {
        let is_refused = matches!(facts.old_answer(Side::Read), Some(KeyAnswer::Refused { .. }));
        let pinned = self.is_pinned || self.pins(chain);
        (pinned && !self.all_restarted && !is_refused).then(|| {
            Diagnostic::blocker(
                "pinned_key",
                "The old read key is uid 0's: every process of the subnet took it at its start, and keeps it however long the \
                 grace is",
                RESTART_ALL,
            )
        })
    }

    fn env_blocker(&self, facts: &Facts) -> Option<Diagnostic> {
        let elsewhere = self.env == Some(EnvUpdate::Elsewhere);
        let (what, todo) = match facts.env.as_ref() {
            Some(EnvStands::Target | EnvStands::Undefined) => return None,
            Some(EnvStands::Unnamed) if elsewhere => return None,
            Some(EnvStands::Other) => (
                "The .env does not hold the new keys, so GRAIL's next start would put the old ones back".to_owned(),
                "Run rotate resume: it brings the .env up to date.",
            ),
            Some(EnvStands::Unnamed) => (
                "No .env is named, and nobody has said that it is up to date elsewhere".to_owned(),
                "Name it with --env-file, or say rotate resume --env-done when it is done.",
            ),
            Some(EnvStands::Unreadable(why)) => {
                (format!("The .env cannot be read: {why}"), "Mend that, then try again.")
            }
            None => ("The .env was not looked at".to_owned(), "Try again."),
        };
        Some(Diagnostic::blocker("env_not_updated", what, todo))
    }

    fn new_blockers(&self, facts: &Facts) -> Vec<Diagnostic> {
        let of = |side: Side| facts.new.iter().find(|(of, _)| *of == side).map(|(_, answer)| answer);
        let blocker = |(side, _): (Side, _)| {
            let what = match of(side) {
                Some(KeyAnswer::Works) => return None,
                Some(KeyAnswer::Refused { http, code }) => format!("is refused: {http} {code}"),
                Some(KeyAnswer::Gone) => "is not in the vault any more".to_owned(),
                Some(KeyAnswer::Unclear(found)) => format!("could not be tested: {found}"),
                None => "was not tested".to_owned(),
            };
            let code = if side == Side::Read { "new_key_unreadable" } else { "new_key_cannot_write" };
            let todo = match of(side) {
                Some(KeyAnswer::Gone) => "Bring it back with keys import from a .env that has it, or roll back.",
                _ => "Check the new token at the provider; the old one is kept until the new one works.",
            };
            Some(Diagnostic::blocker(code, format!("The new {} key {what}", side.word()), todo))
        };
        self.change.sides().filter_map(blocker).collect()
    }

    fn old_blockers(&self, facts: &Facts) -> Vec<Diagnostic> {
        let blocker = |(side, old): (Side, &crate::domain::vault_index::KeyRef)| {
            let unproven = |found: &str| {
                Diagnostic::blocker(
                    "old_key_unproven",
                    format!("Whether the old {} key {} is refused cannot be told: {found}", side.word(), old.shown),
                    "Try again; the old keys are kept until the store refuses them with 401 or 403.",
                )
            };
            match facts.old_answer(side) {
                // What the vault holds no more is forgotten already.
                Some(KeyAnswer::Refused { .. } | KeyAnswer::Gone) => None,
                Some(KeyAnswer::Works) => Some(Diagnostic::blocker(
                    "old_key_still_works",
                    format!("The old {} key {} is still accepted by the store", side.word(), old.shown),
                    "Everything else holds: revoke its token at the provider now, then run rotate retire again.",
                )),
                Some(KeyAnswer::Unclear(found)) => Some(unproven(found)),
                None => Some(unproven("it was not tested")),
            }
        };
        self.change.old_keys().filter_map(blocker).collect()
    }

    /// Whether the chain holds something else than what was published, and that can still be mended.
    pub fn is_reverted(&self, seen: &Seen) -> bool {
        let watched = matches!(self.phase, Phase::Finalized | Phase::Promoted | Phase::EnvUpdated | Phase::Grace);
        watched && !self.retiring && self.target_read().is_some_and(|key| !seen.is(&self.locator, key))
    }
}
