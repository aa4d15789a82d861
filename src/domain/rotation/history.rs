//! A whole journal: the rotations that are over, and the one that is not.

use serde::Serialize;

use crate::domain::rotation::event::Entry;
use crate::domain::rotation::machine::{Contradiction, Rotation, Step};
use crate::domain::rotation::phase::Phase;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, Index, Origin};

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

    /// The rotation under way, or the last one.
    fn latest(&self) -> Option<&Rotation> {
        self.open.as_ref().or_else(|| self.closed.last())
    }

    /// The store that the latest rotation worked with.
    pub fn backend(&self) -> Option<Backend> {
        self.latest().map(|rotation| rotation.backend)
    }

    /// What this journal knows and an index does not: an index that is lost, or an old copy of itself. Nothing where the two
    /// fit.
    pub fn unknown_to(&self, index: &Index) -> Vec<String> {
        let Some(latest) = self.latest() else { return Vec::new() };
        let kept = latest.kept().into_iter().filter(|number| index.holding(*number).is_none());
        let mut unknown: Vec<String> =
            kept.filter(|_| !self.is_overtaken_by(index)).map(|number| latest.generation_words(number)).collect();
        if index.current != Some(latest.in_use) && !self.explains(index.current) {
            unknown.push(format!("that generation {} is in use", latest.in_use));
        }
        unknown
    }

    /// Whether keys came into use since the last rotation ended, by an import.
    fn is_overtaken_by(&self, index: &Index) -> bool {
        self.open.is_none() && index.current.is_some_and(|number| number > self.highest())
    }

    /// Whether a generation may be in use though no line says so: taken over since, or promoted just before a crash.
    fn explains(&self, current: Option<GenerationNumber>) -> bool {
        let promoting = self.open.as_ref().map(Rotation::step);
        current.is_some_and(|number| {
            number > self.highest() || promoting == Some(Step::Promote(number)) || self.is_forgetting(number)
        })
    }

    fn is_forgetting(&self, number: GenerationNumber) -> bool {
        self.open.as_ref().is_some_and(|open| open.step() == Step::ForgetNew && open.to == number)
    }

    /// Whether a generation was forgotten by a rotation that is over.
    fn has_forgotten(&self, number: GenerationNumber) -> bool {
        self.closed.iter().any(|rotation| match rotation.phase {
            Phase::Retired => rotation.from == number,
            Phase::Abandoned => rotation.to == number,
            _ => false,
        })
    }

    /// A generation that came by a rotation of which this journal does not tell.
    pub fn rotated_without_it(&self, index: &Index) -> Option<GenerationNumber> {
        let rotated = index.holdings.iter().filter(|holding| holding.origin == Origin::Rotated);
        rotated.map(|holding| holding.number).find(|number| *number > self.highest())
    }

    /// The index derived again: from what the store holds, from this journal, and from what is left of the index before.
    /// `highest` is the highest number that stands in the store, kept or spoiled.
    pub fn derived(&self, before: &Index, found: Vec<Holding>, highest: GenerationNumber) -> Index {
        // A draft's number is given out when its keys are put there.
        let draft = self.open.as_ref().filter(|open| open.phase == Phase::Draft);
        let given = draft.map_or(self.highest(), |open| self.closed.iter().map(|one| one.to).fold(open.from, u64::max));
        let mut index = Index { highest: before.highest.max(given).max(highest), ..Index::default() };
        let is_there = |number| found.iter().any(|holding: &Holding| holding.number == number);
        // What the index says of a generation is what was put there.
        let noted = before.holdings.iter().filter(|old| is_there(old.number) || !self.has_forgotten(old.number));
        let noted: Vec<Holding> = noted.cloned().collect();
        found.into_iter().chain(noted).for_each(|holding| index.hold(holding));
        index.current = self.in_use_among(&index, before.current);
        index
    }

    fn in_use_among(&self, index: &Index, before: Option<GenerationNumber>) -> Option<GenerationNumber> {
        let latest = self.latest();
        let noted = before.filter(|number| latest.is_none_or(|last| last.in_use == *number) || self.explains(before));
        // An import puts its keys into use at once.
        let imported = index.holdings.last().filter(|last| last.origin == Origin::Imported);
        let imported = imported.map(|last| last.number).filter(|number| *number > self.highest());
        let only = || index.holdings.first().filter(|_| latest.is_none() && index.holdings.len() == 1);
        let in_use = noted.or(imported).or(latest.map(|last| last.in_use)).or_else(|| only().map(|one| one.number));
        in_use.filter(|number| index.holding(*number).is_some())
    }
}

impl Rotation {
    /// The generations that the vault must hold by what was written down.
    fn kept(&self) -> Vec<GenerationNumber> {
        let old = (self.phase != Phase::Retired && !self.retiring).then_some(self.from);
        let staged = !matches!(self.phase, Phase::Draft | Phase::RolledBack | Phase::Abandoned);
        let new = (staged && !self.forgetting).then_some(self.to);
        old.into_iter().chain(new).collect()
    }

    /// As `generation 2 (read key 7be1a2…90ab fp 51aa0c3e)`.
    fn generation_words(&self, number: GenerationNumber) -> String {
        let key = self.change.main().and_then(|(side, keys)| {
            let key = if number == self.to { Some(&keys.new) } else { keys.old.as_ref() };
            key.map(|key| format!(" ({} key {key})", side.word()))
        });
        format!("generation {number}{}", key.unwrap_or_default())
    }
}
