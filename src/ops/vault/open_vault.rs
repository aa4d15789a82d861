//! A vault that is open, with its index: every change keeps the two in step.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::derive::derived;
use super::{VaultProblem, within};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::owner::Owner;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, Index};
use crate::state::{IndexTurn, Rotations, StateError, VaultIndexes};
use crate::vault::{Generation, Vault, VaultError};

/// How often the turn to change an index is asked for while another process has it, and how many times.
const TURN: (Duration, u32) = (Duration::from_millis(50), 200);
/// So many numbers in a row may be occupied without the index knowing.
const MOST_SKIPPED: u64 = 1_000;

/// A vault that is open for one owner.
#[derive(Debug, Clone)]
pub struct OpenVault {
    /// The store.
    pub vault: Vault,
    /// Whose keys.
    pub owner: Owner,
    /// What it holds, as the index said last.
    pub index: Index,
    /// That the index was derived again when the store was opened, and what is lost with it.
    pub derived: Option<Diagnostic>,
    pub(super) indexes: Arc<VaultIndexes>,
    pub(super) journal: Arc<Rotations>,
    pub(super) answer: Duration,
}

/// What a change works with, on its own thread.
pub(super) struct LockedIndex {
    pub(super) vault: Vault,
    pub(super) owner: Owner,
    indexes: Arc<VaultIndexes>,
    pub(super) journal: Arc<Rotations>,
    pub(super) index: Index,
    _turn: IndexTurn,
}

impl OpenVault {
    /// Which store is open.
    pub const fn backend(&self) -> Backend {
        self.vault.backend()
    }

    /// A generation that the index knows: it must be in this store, and hold the keys that were put there.
    pub async fn generation(&self, number: GenerationNumber) -> Result<Generation, VaultProblem> {
        let holding = self.index.holding(number).cloned().ok_or(VaultError::Unknown { number })?;
        let (vault, owner) = (self.vault.clone(), self.owner);
        within(self.backend(), self.answer, move || held(&vault, &owner, &holding)).await
    }

    /// The generation in use, if there is one.
    pub async fn current(&self) -> Result<Option<Generation>, VaultProblem> {
        match self.index.current {
            Some(number) => self.generation(number).await.map(Some),
            None => Ok(None),
        }
    }

    /// The number for the next generation: higher than every one that was ever given out, by the index, the store or the
    /// journal of rotations. What stands in the store above those without the index knowing is what a crash left between the
    /// two: it is taken into the index, or passed over where it is none of ours.
    pub async fn next_number(&mut self) -> Result<GenerationNumber, VaultProblem> {
        self.change(|locked| {
            let journalled = locked.journal.history(&locked.owner).map_or(0, |(history, _)| history.highest());
            let mut number = locked.index.next();
            for _ in 0..MOST_SKIPPED {
                match locked.vault.get(&locked.owner, number) {
                    Ok(None) if number > journalled => return Ok(number),
                    Ok(None) => {}
                    Ok(Some(found)) => locked.index.hold(found.holding(locked.vault.backend())),
                    Err(VaultError::Damaged { .. }) => locked.index.highest = locked.index.highest.max(number),
                    Err(error) => return Err(error.into()),
                }
                number += 1;
                locked.write()?;
            }
            Err(VaultError::Occupied { backend: locked.vault.backend(), number }.into())
        })
        .await
    }

    /// Keeps a generation under its number, reads it back, and then notes it in the index. The same one again is fine;
    /// other keys under a number that was given out are refused. Nothing is in use by that alone.
    pub async fn put(&mut self, generation: Generation) -> Result<(), VaultProblem> {
        self.put_as(generation, false).await
    }

    /// The same for a generation that the journal of rotations knows under its number: that it was given out is no reason
    /// against it.
    pub async fn put_as_journalled(&mut self, generation: Generation) -> Result<(), VaultProblem> {
        self.put_as(generation, true).await
    }

    async fn put_as(&mut self, generation: Generation, journalled: bool) -> Result<(), VaultProblem> {
        self.change(move |locked| {
            let backend = locked.vault.backend();
            let noted = locked.index.holding(generation.number);
            if let Some(holding) = noted.filter(|holding| holding.backend != backend) {
                return Err(elsewhere(holding, backend));
            }
            let new = noted.is_none();
            if new && !journalled && generation.number <= locked.index.highest {
                return Err(VaultError::Spent { number: generation.number }.into());
            }
            locked.vault.put(&locked.owner, &generation)?;
            locked.index.hold(generation.holding(backend));
            let written = locked.write();
            if written.is_err() && new {
                // Without the index it would lie there unknown; whoever brought the keys still has them.
                let _ = locked.vault.remove(&locked.owner, generation.number);
            }
            written
        })
        .await
    }

    /// Puts a generation into use, after it was read once more.
    pub async fn promote(&mut self, number: GenerationNumber) -> Result<(), VaultProblem> {
        self.change(move |locked| {
            let holding = locked.index.holding(number).ok_or(VaultError::Unknown { number })?;
            held(&locked.vault, &locked.owner, holding)?;
            locked.index.promote(number);
            locked.write()
        })
        .await
    }

    /// Removes a generation from the store, and then from the index. One that is gone from the store already is struck out.
    pub async fn forget(&mut self, number: GenerationNumber) -> Result<(), VaultProblem> {
        self.change(move |locked| {
            let holding = locked.index.holding(number).ok_or(VaultError::Unknown { number })?;
            if holding.backend != locked.vault.backend() {
                return Err(elsewhere(holding, locked.vault.backend()));
            }
            locked.vault.remove(&locked.owner, number)?;
            locked.index.forget(number);
            locked.write()
        })
        .await
    }

    /// Whether the store holds a generation, whole, whatever the index says.
    pub async fn holds(&self, number: GenerationNumber) -> Result<bool, VaultProblem> {
        let (vault, owner) = (self.vault.clone(), self.owner);
        within(self.backend(), self.answer, move || match vault.get(&owner, number) {
            Ok(found) => Ok(found.is_some()),
            Err(VaultError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Derives the index again. `lost` is what the index should tell and does not.
    pub(super) async fn derive(&mut self, lost: &[String]) -> Result<(), VaultProblem> {
        self.change(|locked| {
            locked.index = derived(locked)?;
            locked.keep_derived()
        })
        .await?;
        let history = self.journal.history(&self.owner)?.0;
        let finding = super::derive::finding(lost, &history.unknown_to(&self.index), &self.index);
        tracing::warn!("{}", finding.summary);
        self.derived = Some(finding);
        Ok(())
    }

    /// Changes store and index with the turn taken, on the index as it is on disk now; one that is lost is derived first.
    async fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut LockedIndex) -> Result<T, VaultProblem> + Send + 'static,
    ) -> Result<T, VaultProblem> {
        let (vault, owner) = (self.vault.clone(), self.owner);
        let (indexes, journal) = (Arc::clone(&self.indexes), Arc::clone(&self.journal));
        let work = move || {
            let is_first = !indexes.is_used(&owner);
            let turn = turn(&indexes, &owner)?;
            // Whoever was first meanwhile has written it: it is read in any case.
            let read = indexes.read(&owner);
            let is_absent = matches!(read, Err(StateError::Lost { .. }));
            let index = if is_absent { Index::default() } else { read? };
            let mut locked = LockedIndex { vault, owner, indexes, journal, index, _turn: turn };
            if is_absent && is_first {
                // From now on an index that is not there is one that was lost.
                locked.write()?;
            } else if is_absent {
                locked.index = derived(&locked)?;
                locked.keep_derived()?;
            }
            let result = change(&mut locked)?;
            Ok((result, locked.index))
        };
        let (result, index) = within(self.backend(), self.answer, work).await?;
        self.index = index;
        Ok(result)
    }
}

impl LockedIndex {
    /// Keeps what was derived, unless nothing was found: then another store may hold the keys, and the index stays lost.
    fn keep_derived(&self) -> Result<(), VaultProblem> {
        if self.index.holdings.is_empty() { Ok(()) } else { self.write() }
    }

    fn write(&self) -> Result<(), VaultProblem> {
        Ok(self.indexes.write(&self.owner, &self.index)?)
    }
}

fn turn(indexes: &VaultIndexes, owner: &Owner) -> Result<IndexTurn, VaultProblem> {
    let (pause, attempts) = TURN;
    for _ in 0..attempts {
        match indexes.turn(owner)? {
            Some(turn) => return Ok(turn),
            None => sleep(pause),
        }
    }
    Err(VaultProblem::Busy)
}

fn held(vault: &Vault, owner: &Owner, holding: &Holding) -> Result<Generation, VaultProblem> {
    if holding.backend == vault.backend() {
        Ok(vault.held(owner, holding)?)
    } else {
        Err(elsewhere(holding, vault.backend()))
    }
}

fn elsewhere(holding: &Holding, open: Backend) -> VaultProblem {
    VaultError::Elsewhere { number: holding.number, holder: holding.backend, open }.into()
}
