//! A Subtensor node over one WebSocket: connect, read a subnet at one block, follow it.
//!
//! ```text
//! Node ─ Connection ─┬─ metadata ─► Schema ─ snapshot ─► SubnetSnapshot               (survey: once)
//!                    ├──────────────── feed ─► live ─► FeedEvent …                     (follow: for days)
//!                    ├── common block ─► values, proof ─► provenance                   (verified: two operators)
//!                    └── hotkey_client ─► state ─► extrinsic ─► tracker ─► verified end  (commit: until it is known)
//! ```
//!
//! The connection is ours ([`Session`] owns the socket), so its loss is seen the moment it happens. Every call has a
//! deadline. Nothing is generated from metadata at build time: pallets, entries, hashers and variants are looked up by
//! name in what the node itself serves ([`schema`]), and an unknown variant costs one row, never the table.

mod answers;
mod block_times;
mod budget;
mod clock;
pub mod commit;
mod decode;
mod dial;
pub mod error;
mod feed;
mod handshake_tap;
mod live;
mod metadata;
mod node;
mod notifications;
mod options;
mod own_state;
mod pacer;
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
pub use metadata::MetadataStore;
pub use node::{Node, NodeOptions};
pub use options::{CallLimits, FeedOptions, Pace};
pub use own_state::OwnState;
pub use published_keys::PublishedKeys;
pub use session::Session;
pub use snapshot::survey;
