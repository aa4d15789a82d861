//! What stands on chain, in a glyph and a word.

use super::{Cell, Role, cell};
use crate::domain::commitment::Commitment;
use crate::domain::diagnostic::Severity;
use crate::domain::roster::{Row, State};

/// Glyph and word for a row's commitment: never colour alone.
pub fn state(row: &Row) -> Cell {
    let grave = row.drift.as_ref().is_some_and(|drift| drift.consequence.severity == Severity::Danger);
    match (row.state(), row.commitment.as_ref().and_then(Commitment::unreadable)) {
        (State::None, _) => cell("○ none", Role::Dim),
        (_, Some(unreadable)) => cell(format!("✗ {}", unreadable.label), Role::Bad),
        _ if row.drifts() => cell("▲ drift", Role::Warn),
        _ if grave => cell("✗ danger", Role::Bad),
        _ if row.is_foreign() => cell("! foreign", Role::Warn),
        _ => cell("✓ readable", Role::Good),
    }
}

/// Whose row it is: the own one, that of a validator or miner, or of a hotkey that is no longer registered.
pub fn whose(row: &Row) -> Cell {
    match (row.own, row.is_ex_member()) {
        (true, _) => cell("● you", Role::Accent),
        (false, true) => cell("ex-member", Role::Dim),
        (false, false) => cell(row.role.word(), Role::Plain),
    }
}
