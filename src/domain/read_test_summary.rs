//! What this console found out about a row besides what is on chain: its last read test, and the operator's mark.

use std::cmp::Ordering;

use crate::domain::probe::Verdict;
use crate::domain::provenance::Level;

/// The last read test of a row in what filter and order ask of it, and its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tested {
    /// The verdict; `None` when it was not tested.
    pub verdict: Option<Verdict>,
    /// How long the test took, in ms.
    pub elapsed_ms: u64,
    /// Whether there is a risk in its key.
    pub risky: bool,
    /// How much is known of where the row comes from.
    pub proof: Option<Level>,
    /// Whether the operator marked the row.
    pub marked: bool,
}

impl Tested {
    /// Those that validators take first, the fastest before the slower; then by how far the others come; the untested last.
    pub fn order(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    fn rank(&self) -> (usize, u64) {
        let place = |verdict: Verdict| Verdict::ALL.iter().position(|one| *one == verdict);
        (self.verdict.and_then(place).unwrap_or(Verdict::ALL.len()), self.elapsed_ms)
    }
}
