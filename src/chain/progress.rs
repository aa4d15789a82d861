//! What one connection told about where the chain stands, and what is still to be looked at again.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::table::Watch;

/// Where the chain stands, as far as this connection told.
#[derive(Debug)]
pub(super) struct Progress {
    /// Spec version that values are read with.
    pub(super) spec: u32,
    /// Spec version announced for the best block, while it is another.
    pub(super) announced: Option<u32>,
    /// Number of the best block.
    pub(super) best: u64,
    /// When it arrived.
    pub(super) best_at: Instant,
    /// When anything arrived.
    pub(super) heard_at: Instant,
    /// When the round trip was measured.
    pub(super) measured_at: Instant,
    /// When a stall was told last.
    pub(super) stall_told: Option<Instant>,
    /// The subnet is to be read again once this block is finalized.
    pub(super) reread_from: Option<u64>,
    /// What changed in which best block, until that height is finalized.
    pub(super) unconfirmed: BTreeMap<Watch, u64>,
}

impl Progress {
    /// After a reading of a block, with the metadata of a spec version.
    pub(super) fn new(spec: u32, best: u64) -> Self {
        let now = Instant::now();
        Self {
            spec,
            announced: None,
            best,
            best_at: now,
            heard_at: now,
            measured_at: now,
            stall_told: None,
            reread_from: None,
            unconfirmed: BTreeMap::new(),
        }
    }

    /// Has the subnet read again once a block is finalized. Of several reasons the earliest counts, or else a stream of
    /// them would postpone the reading for ever; a reason that it does not settle asks again.
    pub(super) fn reread(&mut self, from: u64) {
        self.reread_from = Some(self.reread_from.map_or(from, |earlier| earlier.min(from)));
    }

    /// What changed up to a block, leaving what changed later.
    pub(super) fn confirmable(&mut self, finalized: u64) -> Vec<Watch> {
        let due = self.unconfirmed.iter().filter(|(_, block)| **block <= finalized).map(|(watch, _)| *watch).collect();
        self.unconfirmed.retain(|_, block| *block > finalized);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_looked_at_again_once_its_own_block_is_final_and_not_before() {
        let mut progress = Progress::new(365, 100);
        progress.unconfirmed.extend([(Watch::Holder(1), 101), (Watch::Holder(2), 103)]);
        assert_eq!(progress.confirmable(100), []);
        assert_eq!(progress.confirmable(102), [Watch::Holder(1)]);
        assert_eq!(progress.confirmable(102), [], "once is enough");
        progress.unconfirmed.insert(Watch::Holder(2), 104);
        assert_eq!(progress.confirmable(103), [], "it changed once more in a block that is not final yet");
    }

    #[test]
    fn reasons_to_read_again_that_keep_coming_do_not_postpone_the_reading() {
        let mut progress = Progress::new(365, 100);
        for block in 102..110 {
            progress.reread(block);
        }
        assert_eq!(progress.reread_from, Some(102));
    }
}
