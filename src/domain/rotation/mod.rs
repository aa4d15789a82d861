//! Replacing keys by hand without losing one: the pure half of the durable machine (DESIGN 9, invariants I1-I5).
//!
//! ```text
//! Draft ─► Staged ─► Probed ─► Planned ─► Signed ─► Submitted ─► Finalized ─► Promoted ─► EnvUpdated ─► Grace ─► Retired
//!   └──────┴─── back ──┴─────────┴─► Abandoned      └────── back ───┴── the same way with the old keys ──► RolledBack
//! ```
//!
//! An [`Event`] is one line of the journal. [`Rotation::apply`] says what follows from it and refuses what cannot have
//! happened; [`History::fold`] reads a whole journal; [`Rotation::step`] says what is to be done next. Nothing here reads a
//! clock, a chain, a store or a file: what was seen of them comes in as [`Facts`] and [`Seen`], and what follows from that is
//! said by [`Rotation::heard`] (the chain), [`Rotation::reconcile`] (a commit), [`Rotation::refusals`] (the store), and by
//! [`Rotation::retirable`] and [`Rotation::back_blockers`] before what cannot be undone.
//!
//! A write key is never committed: its rotation goes from Probed to Promoted at once.

mod change;
mod event;
mod facts;
mod history;
mod machine;
pub mod messages;
mod on_chain;
mod phase;
mod reconcile;
mod report;
mod rollback;

pub use change::{Change, OnChain, Replacement, Seen, Side};
pub use event::{Entry, EnvUpdate, Event};
pub use facts::{ChainFacts, EnvStands, Facts, KeyAnswer, Retirable};
pub use history::History;
pub use machine::{Contradiction, Grace, Rotation, Step, Submission};
pub use phase::Phase;
pub use reconcile::CommitEnd;
pub use report::{Mark, Next, Report};

/// Blocks that the old key stays alive after the new one is on chain: 60 minutes of 12 s (DESIGN 9).
pub const DEFAULT_GRACE: u64 = 300;
/// Blocks below which some validator may still read with the old key: twice 600 s between two of its looks at the chain,
/// and one window of 30 blocks (THREATS T18).
pub const LEAST_GRACE: u64 = 2 * 600 / 12 + 30;
/// Longest grace that is taken, in blocks: a week.
pub const MOST_GRACE: u64 = 7 * 7_200;
/// How long the store may take to know a new key, in ms: R2 takes up to a minute (FACTS 6).
pub const NEW_KEY_MS: u64 = 90_000;
