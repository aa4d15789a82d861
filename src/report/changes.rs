//! A row that changed, in one line.
//!
//! ```text
//! uid 42  5GP8rV…U2m2  commitment  ✓ readable → ▲ drift   read key e02f…26eb → 896d…5340, fp 832b15a1 → 2da9d8e8
//! ```

use super::{Cell, Role, cell, commitment, plain};
use crate::domain::commitment::{Commitment, Published};
use crate::domain::roster::Row;
use crate::domain::text::middle_cut;
use crate::engine::changes::{RowChange, What};

/// Who, in what, from what to what.
pub fn row(change: &RowChange) -> Vec<Cell> {
    let row = change.after.as_ref().or(change.before.as_ref());
    let uid = row.and_then(|row| row.uid).or_else(|| change.before.as_ref()?.uid);
    let own = row.is_some_and(|row| row.own);
    let what: Vec<&str> = change.what.iter().map(|what| what.word()).collect();
    let mut cells = vec![
        cell(uid.map_or_else(|| "no uid".to_owned(), |uid| format!("uid {uid}")), Role::Strong),
        cell(row.map(|row| row.hotkey.short()).unwrap_or_default(), if own { Role::Accent } else { Role::Plain }),
        cell(what.join(", "), Role::Dim),
    ];
    cells.extend(change.before.as_ref().map(commitment::state));
    cells.push(cell("→", Role::Dim));
    cells.push(change.after.as_ref().map_or_else(|| cell("gone", Role::Dim), commitment::state));
    if change.what.contains(&What::Commitment) {
        cells.extend(keys(change.before.as_ref(), change.after.as_ref()).map(plain));
    }
    cells
}

fn keys(before: Option<&Row>, after: Option<&Row>) -> Option<String> {
    let published =
        |row: Option<&Row>| row.and_then(|row| row.commitment.as_ref()).and_then(Commitment::published).cloned();
    let (before, after) = (published(before), published(after));
    let one = |of: fn(&Published) -> String| {
        let shown = |published: Option<&Published>| published.map_or_else(|| "none".to_owned(), of);
        format!("{} → {}", shown(before.as_ref()), shown(after.as_ref()))
    };
    let id = one(|published| middle_cut(&published.read_key_id.shown(), 4, 4));
    let print = one(|published| published.read_secret.short());
    (before.is_some() || after.is_some()).then(|| format!("read key {id}, fp {print}"))
}
