//! A Subtensor node over one WebSocket: connect, read a subnet at one block, follow it.
//!
//! ```text
//! Network ─ dial ─► Session ─ metadata ─► Schema ─ snapshot ─► SubnetSnapshot        (survey: once)
//!                      ├──────────────── feed ─► live ─► FeedEvent …                 (follow: for days)
//!                      └── hotkey_client ─► state ─► extrinsic ─► signed_commit ─► verified end  (commit: until it is known)
//! ```
//!
//! The connection is ours ([`Session`] owns the socket), so its loss is seen the moment it happens. Every call has a
//! deadline. Nothing is generated from metadata at build time: pallets, entries, hashers and variants are looked up by
//! name in what the node itself serves ([`schema`]), and an unknown variant costs one row, never the table.

mod block_times;
mod budget;
pub mod commit;
mod decode;
mod dial;
pub mod error;
mod failover;
mod feed;
mod genesis;
mod handshake_tap;
mod live;
mod metadata;
mod options;
mod progress;
pub mod provenance;
mod published_keys;
mod read_budget;
#[cfg(test)]
mod recorded;
pub mod schema;
pub mod session;
mod signing;
mod snapshot;
mod table;

pub use block_times::{BlockTime, BlockTimes};
pub use error::{ChainError, Fault};
pub use feed::{Feed, follow};
pub use genesis::genesis;
pub use metadata::MetadataStore;
pub use options::{CallLimits, FeedOptions};
pub use published_keys::PublishedKeys;
pub use session::Session;
pub use snapshot::survey;
