//! Which keys are replaced by which, and what the chain holds, both without a secret.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::commitment::{Commitment, Published};
use crate::domain::secret::Fingerprint;
use crate::domain::vault_index::KeyRef;

/// One of the two pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Published on chain.
    Read,
    /// Never leaves the machine.
    Write,
}

impl Side {
    /// The word in sentences.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A key and the one that takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The key until now; a write key may be the first one.
    pub old: Option<KeyRef>,
    /// The key from now on.
    pub new: KeyRef,
}

/// What a rotation replaces: at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The read pair.
    pub read: Option<Replacement>,
    /// The write pair.
    pub write: Option<Replacement>,
}

impl Change {
    /// One side.
    pub const fn side(&self, side: Side) -> Option<&Replacement> {
        match side {
            Side::Read => self.read.as_ref(),
            Side::Write => self.write.as_ref(),
        }
    }

    /// The sides that change, read first.
    pub fn sides(&self) -> impl Iterator<Item = (Side, &Replacement)> {
        [Side::Read, Side::Write].into_iter().filter_map(|side| Some((side, self.side(side)?)))
    }

    /// The sides of which there is an old key to retire.
    pub fn old_keys(&self) -> impl Iterator<Item = (Side, &KeyRef)> {
        self.sides().filter_map(|(side, replacement)| Some((side, replacement.old.as_ref()?)))
    }

    /// Whether anything changes, and no key is replaced by one of the same id: the store would know only one of the two,
    /// and validators keep clients by key id (FACTS 5, THREATS T17).
    pub fn is_one(&self) -> bool {
        let rolled = |(_, keys): (Side, &Replacement)| keys.old.as_ref().is_some_and(|old| old.id == keys.new.id);
        self.main().is_some() && !self.sides().any(rolled)
    }

    /// The change that screens and JSON name first: the read pair's where there is one.
    pub fn main(&self) -> Option<(Side, &Replacement)> {
        self.sides().next()
    }

    /// `read key`, `write key` or both.
    pub const fn words(&self) -> &'static str {
        match (&self.read, &self.write) {
            (Some(_), Some(_)) => "read and write key",
            (None, Some(_)) => "write key",
            _ => "read key",
        }
    }
}

/// A readable commitment, comparable and without a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChain {
    /// Fingerprint of the locator.
    pub locator: Fingerprint,
    /// Fingerprint of the read key id.
    pub key_id: Fingerprint,
    /// Fingerprint of the read secret.
    pub secret: Fingerprint,
}

impl OnChain {
    /// Of what is published; `None` where locator or key id are no text, which ours never are.
    pub fn of(published: &Published) -> Option<Self> {
        Some(Self {
            locator: Fingerprint::of(published.locator.as_text()?),
            key_id: Fingerprint::of(published.read_key_id.as_text()?),
            secret: published.read_secret,
        })
    }
}

/// What the chain holds for the hotkey, at a finalized block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "chain", rename_all = "snake_case")]
pub enum Seen {
    /// No commitment.
    Nothing,
    /// One that validators cannot read.
    Unreadable,
    /// A readable one.
    Holds(OnChain),
}

impl Seen {
    /// Of a commitment.
    pub fn of(commitment: Option<&Commitment>) -> Self {
        match commitment {
            None => Self::Nothing,
            Some(commitment) => commitment.published().and_then(OnChain::of).map_or(Self::Unreadable, Self::Holds),
        }
    }

    /// Whether exactly this key at this locator is published.
    pub fn is(&self, locator: &str, key: &KeyRef) -> bool {
        let wanted = OnChain { locator: Fingerprint::of(locator), key_id: key.id, secret: key.secret };
        *self == Self::Holds(wanted)
    }

    /// The fingerprint by which the operator names it.
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Holds(on_chain) => Some(on_chain.secret),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no commitment"),
            Self::Unreadable => f.write_str("a commitment that nobody can read"),
            Self::Holds(on_chain) => write!(f, "a key with fingerprint {}", on_chain.secret.short()),
        }
    }
}
