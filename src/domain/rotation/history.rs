//! A whole journal: the rotations that are over, and the one that is not.

use serde::Serialize;

use crate::domain::rotation::event::Entry;
use crate::domain::rotation::machine::{Contradiction, Rotation};
use crate::domain::vault_index::GenerationNumber;

/// What a journal tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct History {
    /// Rotations that are over, oldest first.
    pub closed: Vec<Rotation>,
    /// The one under way.
    pub open: Option<Rotation>,
}

impl History {
    /// Reads a journal. What cannot have happened stops it: a damaged journal is not driven on (THREATS T16).
    pub fn fold(entries: &[Entry]) -> Result<Self, Contradiction> {
        let mut history = Self::default();
        for entry in entries {
            history.take(entry)?;
        }
        Ok(history)
    }

    /// One entry more.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Contradiction> {
        let nothing_open = |phase: &str| Contradiction { event: entry.event.words(), phase: phase.to_owned() };
        let highest = self.highest();
        if let Some(rotation) = &mut self.open {
            rotation.apply(&entry.event, entry.at_ms)?;
            if rotation.phase.is_closed() {
                self.closed.extend(self.open.take());
            }
        } else {
            let rotation = Rotation::begin(&entry.event, entry.at_ms).filter(|rotation| rotation.to > highest);
            self.open = Some(rotation.ok_or_else(|| nothing_open("a journal in which nothing is open"))?);
        }
        Ok(())
    }

    /// The highest number that a rotation ever gave a generation, kept or not; 0 where none began. The next one is above it
    /// and above all that the vault's index knows.
    pub fn highest(&self) -> GenerationNumber {
        self.closed.iter().chain(&self.open).map(|rotation| rotation.to).max().unwrap_or(0)
    }
}
