//! How old the newest finalized block may be, by what rests on it. Blocks come every 12 s, and finality trails by two or three.

use crate::domain::text::BLOCK_SECONDS;

/// Blocks for which a signed transaction is valid (FACTS 3): a mortal era, so that a forgotten one dies.
pub const ERA_BLOCKS: u64 = 64;

/// What is shown is called old from this age on: five blocks.
pub const SHOWN_AS_OLD_MS: u64 = 60_000;
/// An endpoint that is behind another one stands still from this age on: ten blocks.
pub const ENDPOINT_STANDS_STILL_MS: u64 = 120_000;
/// Nothing is said of "now", and no rotation goes on, from this age on: most of a window of 30 blocks.
pub const TOO_OLD_FOR_NOW_MS: u64 = 300_000;
/// Nothing is signed from this age on: half of the transaction's era, in which it would have to get into a block.
pub const TOO_OLD_TO_SIGN_MS: u64 = ERA_BLOCKS * BLOCK_SECONDS * 1_000 / 2;
