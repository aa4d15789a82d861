//! How far a rotation is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a rotation is. The order is that of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is written down which keys are meant; they are not in the vault yet.
    Draft,
    /// The new keys are in the vault beside the old ones, and read back equal.
    Staged,
    /// The new keys do what they should at the store, and no more.
    Probed,
    /// It is known what the commit would change on chain.
    Planned,
    /// The operator confirmed it; the commit is about to be signed, or is.
    Signed,
    /// The commit was sent.
    Submitted,
    /// The chain holds the keys that were meant, final and read back.
    Finalized,
    /// They are the keys in use in the vault.
    Promoted,
    /// The `.env` has them too, or has none.
    EnvUpdated,
    /// The old keys stay alive until a block, for validators that have not looked at the chain since.
    Grace,
    /// The old keys are refused by the store and forgotten.
    Retired,
    /// The old keys are in use again.
    RolledBack,
    /// Given up before anything was published.
    Abandoned,
}

impl Phase {
    /// The way of a read key, in order.
    pub const WAY: [Self; 11] = [
        Self::Draft,
        Self::Staged,
        Self::Probed,
        Self::Planned,
        Self::Signed,
        Self::Submitted,
        Self::Finalized,
        Self::Promoted,
        Self::EnvUpdated,
        Self::Grace,
        Self::Retired,
    ];

    /// The name in JSON (DESIGN 12).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Staged => "staged",
            Self::Probed => "probed",
            Self::Planned => "planned",
            Self::Signed => "signed",
            Self::Submitted => "submitted",
            Self::Finalized => "finalized",
            Self::Promoted => "promoted",
            Self::EnvUpdated => "env_updated",
            Self::Grace => "grace",
            Self::Retired => "retired",
            Self::RolledBack => "rolled_back",
            Self::Abandoned => "abandoned",
        }
    }

    /// The words of the stepper.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Draft => "keys taken",
            Self::Staged => "in the vault",
            Self::Probed => "tested at the store",
            Self::Planned => "commit planned",
            Self::Signed => "confirmed",
            Self::Submitted => "sent",
            Self::Finalized => "final on chain",
            Self::Promoted => "in use",
            Self::EnvUpdated => ".env up to date",
            Self::Grace => "grace",
            Self::Retired => "old key retired",
            Self::RolledBack => "rolled back",
            Self::Abandoned => "given up",
        }
    }

    /// Whether nothing follows.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Retired | Self::RolledBack | Self::Abandoned)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
