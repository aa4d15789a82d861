//! The index of the vault derived again: from what the store holds and what the journal of rotations tells.

use super::VaultProblem;
use super::open_vault::LockedIndex;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::vault_index::Index;
use crate::vault::VaultError;

/// So many numbers in a row may be free above the highest one that is known before the store counts as looked through.
const FREE: u64 = 100;

/// The index that store and journal tell; what is left of the index before is taken along.
pub(super) fn derived(locked: &LockedIndex) -> Result<Index, VaultProblem> {
    let (vault, owner) = (&locked.vault, &locked.owner);
    let history = locked.journal.history(owner)?.0;
    let (mut found, mut highest, mut number) = (Vec::new(), 0, 1);
    while number <= history.highest().max(locked.index.highest).max(highest) + FREE {
        match vault.get(owner, number) {
            Ok(None) => {}
            Ok(Some(generation)) => {
                found.push(generation.holding(vault.backend()));
                highest = number;
            }
            // Its number is taken, by whatever stands there.
            Err(VaultError::Damaged { .. }) => highest = number,
            Err(error) => return Err(error.into()),
        }
        number += 1;
    }
    Ok(history.derived(&locked.index, found, highest))
}

/// That it was derived again: what the index did not tell, what neither store nor journal know, and what is lost.
pub(super) fn finding(lost: &[String], still: &[String], index: &Index) -> Diagnostic {
    let numbers: Vec<String> = index.holdings.iter().map(|held| held.number.to_string()).collect();
    let held = if numbers.is_empty() { "no keys".to_owned() } else { format!("generation {}", numbers.join(", ")) };
    let why = "Fingerprints of keys that were removed from the vault are lost with it.";
    if still.is_empty() && (index.current.is_some() || index.holdings.is_empty()) {
        let what = format!("The vault's index did not know {}; it was derived again: {held}", lost.join(", "));
        return Diagnostic::new(
            "vault_index_derived",
            Severity::Warning,
            what,
            why,
            "Compare it with keys list --online.",
        );
    }
    let (what, todo) = if still.is_empty() {
        let todo = "Write those that count into a .env with keys restore-env FILE --generation N, then keys import.";
        (format!("The vault holds {held}, and which of them is in use is not known"), todo)
    } else {
        let todo = "Bring the keys back with keys import from a .env that has them, or put a copy of the store back.";
        (format!("The journal of rotations knows {}, and the vault does not: it holds {held}", still.join(", ")), todo)
    };
    Diagnostic::new("vault_index_derived", Severity::Warning, what, why, todo)
}
