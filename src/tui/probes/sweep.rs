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
    /// How many a validator would take.
    pub ok: usize,
    /// How many it would not.
    pub failed: usize,
    /// How many tests say nothing about the uid.
    pub unclear: usize,
    /// When it began, in ms since 1970.
    pub started_ms: u64,
    /// Whether the operator asked for its end.
    pub cancelling: bool,
    left: HashSet<Hotkey>,
}

impl Sweep {
    pub(super) fn begin(hotkeys: &[Hotkey], started_ms: u64) -> Self {
        let left: HashSet<Hotkey> = hotkeys.iter().copied().collect();
        Self { total: left.len(), ok: 0, failed: 0, unclear: 0, started_ms, cancelling: false, left }
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
        match class {
            Some(VerdictClass::OnTime) => self.ok += 1,
            Some(VerdictClass::Unclear) | None => self.unclear += 1,
            Some(VerdictClass::Object | VerdictClass::Failed | VerdictClass::Nothing) => self.failed += 1,
        }
    }

    /// What it came to, in a sentence.
    pub(super) fn sentence(&self, cancelled: bool) -> String {
        let [total, done, ok, failed] = [self.total, self.done(), self.ok, self.failed].map(|n| grouped(n as u64));
        let mut counts = format!("{ok} on time, {failed} not");
        if self.unclear > 0 {
            counts = format!("{counts}, {} unclear", grouped(self.unclear as u64));
        }
        if cancelled {
            format!("Sweep ended at {done} of {total}: {counts}")
        } else {
            format!("Swept {total}: {counts}")
        }
    }
}
