//! Rotating keys: the machine of [`crate::domain::rotation`] driven over the real vault, store, chain and `.env`.
//!
//! ```text
//! begin ─► advance ─┬─► (asks) publish ─► advance … ─► grace ─► retire
//!                   └─► turn back ─► advance … ─► rolled back, or given up
//! ```
//!
//! A [`Executor`] holds the lock: one process runs an owner's rotations at a time. Every act is announced in the journal
//! before it is done; whatever breaks off, the next executor reads the journal, looks at the world, and goes on or turns back.
//! Nothing here decides what may follow on what: the machine does.

mod advance;
mod begin;
mod env;
mod executor;
mod keys;
mod problem;
mod publish;
mod retire;
mod service;
mod status;

pub use crate::ops::commit::Timeouts;
pub use advance::NeedsInput;
pub use begin::{Begin, NewKeys};
pub use env::EnvChoice;
pub(super) use executor::rotations;
pub use executor::{Executor, ExecutorSetup, JOURNAL, ProgressEvent};
pub use publish::Publishing;
pub(super) use publish::chain_facts;
pub use retire::Retirement;
pub use service::{ServiceSetup, serve};
pub use status::{Looked, look};
