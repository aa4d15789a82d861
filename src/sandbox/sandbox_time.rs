//! Sandbox time: what takes minutes on real networks takes blocks here, however fast they come.

use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds that one block time stands for, as on the real chain.
const BLOCK_S: u64 = 12;

/// Block times since the start; each stands for 12 s. They pass also while the head is stale on purpose.
#[derive(Debug, Default)]
pub struct SandboxTime(AtomicU64);

impl SandboxTime {
    /// One block time passes. Returns how many have passed.
    pub fn advance(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many block times have passed.
    pub fn blocks(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// The first block time at which so many seconds from now have passed.
    pub fn after(&self, seconds: u32) -> u64 {
        self.blocks() + blocks_of(seconds)
    }
}

/// Block times that so many seconds last, the last one begun.
pub const fn blocks_of(seconds: u32) -> u64 {
    (seconds as u64).div_ceil(BLOCK_S)
}

/// Seconds that so many block times stand for.
pub const fn seconds_of(blocks: u64) -> u64 {
    blocks.saturating_mul(BLOCK_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_five_blocks_and_a_begun_block_counts() {
        assert_eq!([0, 1, 12, 13, 60, 600].map(blocks_of), [0, 1, 1, 2, 5, 50]);
        assert_eq!(seconds_of(50), 600);
        let time = SandboxTime::default();
        assert_eq!((time.advance(), time.advance(), time.blocks(), time.after(60)), (1, 2, 2, 7));
    }
}
