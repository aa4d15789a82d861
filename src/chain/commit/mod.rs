//! Publishing a commitment: where the hotkey stands, the extrinsic, the pool, and what became of it.
//!
//! ```text
//! HotkeyClient::open ─► HotkeyState          one block, two round trips
//! Draft::of  ─► compared          the node's encoding of call, payload and extrinsic against that built here (THREATS T4)
//! sign       ─► Signed            mortal, no tip, the hotkey alone
//! track     ─► Progress … Ended  a node's word moves a step only when what it serves agrees (THREATS T5)
//! ```
//!
//! Nothing here believes a status: a block counts as holding the extrinsic when its body does, as final when the chain of
//! the finalized head has its hash at its height, and the commit as done when the block's own event says so and the value
//! reads back equal at the newest finalized block.

pub(in crate::chain) mod envelope;
mod extrinsic;
mod hotkey_client;
mod judge;
mod pool;
pub(in crate::chain) mod runtime;
mod tracker;
mod verify;
mod wait;

pub use extrinsic::{Draft, DraftError, Signed, call_bytes};
pub use hotkey_client::{HotkeyClient, HotkeyClientOptions};
pub use tracker::{SignedCommit, reconcile, track};
pub use wait::registered;
