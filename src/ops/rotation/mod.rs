//! Rotating keys: the machine of [`crate::domain::rotation`] driven over the real vault, store, chain and `.env`.
//!
//! ```text
//! begin ─► advance ─┬─► (asks) publish ─► advance … ─► grace ─► retire
//!                   └─► turn back ─► advance … ─► rolled back, or given up
//! ```
//!
//! A [`Driver`] holds the wheel: one process drives an owner's rotations at a time. Every act is announced in the journal
//! before it is done; whatever breaks off, the next driver reads the journal, looks at the world, and goes on or turns back.
//! Nothing here decides what may follow on what: the machine does.

mod advance;
mod begin;
mod counter;
mod driver;
mod env;
mod keys;
mod look;
mod problem;
mod publish;
mod retire;

pub use advance::Halt;
pub use begin::{Begin, NewKeys};
pub use counter::{RotorSetup, serve};
pub use driver::{Driver, DriverSetup, Patience, Told};
pub use env::EnvChoice;
pub use look::{Looked, look};
pub use problem::{Kind, Problem};
pub use publish::Publishing;
pub use retire::Retirement;
