//! What each fuzz target does with its bytes: one function each, which panics where a property does not hold, and tells in a
//! word how far the bytes came. The targets run it under libFuzzer, `tests/it/fuzz_corpus.rs` runs it over the saved corpora.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a property that does not hold ends the run")]

mod chain;
pub mod dotenv;
pub mod extrinsic;
mod files;
pub mod journal;
mod key;
pub mod key_file;
pub mod keyring_secret;
pub mod metadata;
mod node;
pub mod proof;
pub mod rpc_frame;
pub mod s3_answer;
mod secret;
pub mod storage_value;

/// A target's name, and what it does with its bytes.
pub type Target = (&'static str, fn(&[u8]) -> &'static str);

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("dotenv", dotenv::run),
    ("extrinsic", extrinsic::run),
    ("journal", journal::run),
    ("key_file", key_file::run),
    ("keyring_secret", keyring_secret::run),
    ("metadata", metadata::run),
    ("proof", proof::run),
    ("rpc_frame", rpc_frame::run),
    ("s3_answer", s3_answer::run),
    ("storage_value", storage_value::run),
];
