//! The console: a pure half (state, messages, update, key map, views) and a shell (runner, terminal).
//!
//! ```text
//! keys ─ keymap(mode) ─► Msg ─ update(&mut State, Msg) ─► Vec<Effect> ─ runner ─► terminal, feed, disk
//!    ▲ feed / log / clock ──────── one queue ◄───────────────────────────┘
//! ```
//! The pure half knows what is known (`engine`) and how it is told (`report`), holds no secret, reads no clock, and is tested by sending it messages. Only
//! [`runner`], [`terminal`], `listen` and `job` touch the world.

mod clamped;
pub mod commit;
mod feed;
mod filter_line;
pub mod input;
mod job;
pub mod keymap;
pub mod list;
mod listen;
pub mod logbook;
mod map;
pub mod msg;
mod palette;
pub mod probes;
pub mod proofs;
pub mod rotate;
pub mod runner;
mod secret_entry;
mod secret_line;
mod shell;
pub mod state;
pub mod terminal;
pub mod update;
pub mod view;
