//! Windows of blocks and when they closed, by chain time.

use crate::sandbox::chain::{BLOCK_MS, Chain};

/// Blocks of a window.
pub const WINDOW_BLOCKS: u32 = 30;
/// Windows whose objects are there.
const KEPT_WINDOWS: u32 = 20;
/// What is modified less than this before a window's end is late for GRAIL 0.0.60, in milliseconds.
const MARGIN_MS: u64 = 4_000;

/// A window whose last block, and the block after it, have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first block.
    pub start: u32,
    /// Chain time of the block after its last one, in milliseconds since the Unix epoch.
    pub closed_ms: u64,
}

impl Window {
    /// The last moment at which an object is modified in time.
    pub const fn deadline_ms(&self) -> u64 {
        self.closed_ms.saturating_sub(MARGIN_MS)
    }
}

/// The last complete windows at the best block, oldest first.
pub fn complete(chain: &Chain) -> impl Iterator<Item = Window> {
    let newest = chain.best().number() / WINDOW_BLOCKS;
    (newest.saturating_sub(KEPT_WINDOWS)..newest).map(|index| {
        let start = index * WINDOW_BLOCKS;
        Window { start, closed_ms: time_of(chain, start + WINDOW_BLOCKS) }
    })
}

/// Chain time of a block; what is older than the chain's history lies 12 s a block further back.
fn time_of(chain: &Chain, number: u32) -> u64 {
    let oldest = chain.oldest();
    let before = oldest.number().saturating_sub(number);
    if before > 0 {
        return oldest.timestamp_ms.saturating_sub(BLOCK_MS * u64::from(before));
    }
    chain.block(number).unwrap_or_else(|| chain.best()).timestamp_ms
}
