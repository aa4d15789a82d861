//! A sweep: many rows, one after the other.

use std::collections::HashSet;

use serde::Serialize;

use crate::domain::hotkey::Hotkey;
use crate::domain::probe::VerdictClass;
use crate::domain::text::grouped;

/// A sweep under way.
#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    /// How many rows it is for.
    pub total: usize,
    /// How many came to each class, in the order of [`VerdictClass::ALL`]. What was not found out is unclear.
    counts: [usize; VerdictClass::ALL.len()],
    /// When it began, in ms since 1970.
    pub started_ms: u64,
    /// Whether the operator asked for its end.
    pub cancelling: bool,
    left: HashSet<Hotkey>,
}

impl Sweep {
    pub(super) fn begin(hotkeys: &[Hotkey], started_ms: u64) -> Self {
        let left: HashSet<Hotkey> = hotkeys.iter().copied().collect();
        Self { total: left.len(), counts: [0; VerdictClass::ALL.len()], started_ms, cancelling: false, left }
    }

    /// How many rows are through.
    pub fn done(&self) -> usize {
        self.total - self.left.len()
    }

    /// The rows that are not.
    pub(super) const fn left(&self) -> &HashSet<Hotkey> {
        &self.left
    }

    /// A row is through; `None` when nothing was found out. A row of no sweep, or one that was counted, changes nothing.
    pub(super) fn through(&mut self, hotkey: &Hotkey, class: Option<VerdictClass>) {
        if !self.left.remove(hotkey) {
            return;
        }
        let class = class.unwrap_or(VerdictClass::Unclear);
        if let Some(at) = VerdictClass::ALL.iter().position(|one| *one == class) {
            self.counts[at] += 1;
        }
    }

    /// How many came to a class.
    pub fn count(&self, class: VerdictClass) -> usize {
        VerdictClass::ALL.iter().position(|one| *one == class).map_or(0, |at| self.counts[at])
    }

    /// What it came to, in a sentence whose numbers add up.
    pub(super) fn sentence(&self, cancelled: bool) -> String {
        let number = |n: usize| grouped(n as u64);
        let told = |class: &VerdictClass| *class == VerdictClass::OnTime || self.count(*class) > 0;
        let counts = VerdictClass::ALL.into_iter().filter(told);
        let counts: Vec<String> =
            counts.map(|class| format!("{} {}", class.glyph(), number(self.count(class)))).collect();
        let (total, counts) = (number(self.total), counts.join("  "));
        if cancelled {
            format!("Sweep ended at {} of {total}: {counts}", number(self.done()))
        } else {
            format!("Swept {total}: {counts}")
        }
    }
}
