//! Which columns there is room for, and their heads.

use ratatui::text::Line;

use super::super::style::Styles;
use super::super::text::{fit, ink};
use crate::domain::roster::Column;
use crate::tui::state::State;

/// A column of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Sorted(Column),
    Note,
    /// How much is known of where the row comes from.
    Proof,
}

/// Columns between two columns of the table.
pub(super) const GAP: usize = 2;

/// Head, columns it takes, and the rank at which it goes when there is no room: the lowest first.
const ALL: [(Cell, &str, usize, u8); 10] = [
    (Cell::Sorted(Column::Uid), "UID", 6, 10),
    (Cell::Sorted(Column::Hotkey), "HOTKEY", 11, 9),
    (Cell::Sorted(Column::Role), "ROLE", 9, 6),
    (Cell::Sorted(Column::Commitment), "COMMITMENT", 14, 10),
    (Cell::Sorted(Column::Locator), "ACCOUNT = BUCKET", 20, 3),
    (Cell::Sorted(Column::ReadKey), "READ KEY", 11, 5),
    (Cell::Sorted(Column::SetAt), "SET AT", 16, 4),
    (Cell::Proof, "PROOF", 10, 2),
    (Cell::Note, "NOTE", 17, 1),
    (Cell::Sorted(Column::ReadTest), "READ TEST", 18, 8),
];

/// The columns of a width, in order, each with the columns it takes.
pub(super) struct Columns(pub(super) Vec<(Cell, &'static str, usize)>);

impl Columns {
    pub(super) fn for_width(width: usize) -> Self {
        let mut kept = ALL.to_vec();
        while total(&kept) > width && kept.len() > 2 {
            let least = kept.iter().enumerate().min_by_key(|(_, column)| column.3).map_or(0, |(i, _)| i);
            kept.remove(least);
        }
        let spare = width.saturating_sub(total(&kept));
        let mut columns: Vec<_> = kept.into_iter().map(|(cell, head, width, _)| (cell, head, width)).collect();
        let roomy = columns.iter().position(|column| column.0 == Cell::Note);
        if let Some(index) = roomy.or(columns.len().checked_sub(1)) {
            columns[index].2 += spare;
        }
        Self(columns)
    }

    pub(super) fn has_proofs(&self) -> bool {
        self.0.iter().any(|(cell, ..)| *cell == Cell::Proof)
    }

    pub(super) fn has_notes(&self) -> bool {
        self.0.iter().any(|(cell, ..)| *cell == Cell::Note)
    }

    /// The heads, the sorted one with its direction.
    pub(super) fn heads(&self, state: &State, styles: Styles) -> Line<'static> {
        let mut line = Line::from(" ");
        for (cell, head, width) in &self.0 {
            let (text, style) = match cell {
                Cell::Sorted(column) if *column == state.list.sort => {
                    (format!("{head}{}", arrow(*column, state.list.reverse)), styles.accent())
                }
                _ => ((*head).to_owned(), styles.heading()),
            };
            let text = if *cell == Cell::Sorted(Column::Uid) {
                super::super::text::fit_right(&text, *width)
            } else {
                fit(&text, *width)
            };
            line.push_span(ink(text, style));
            line.push_span(" ".repeat(GAP));
        }
        line
    }
}

/// Up for rising values; the newest commitment comes first by itself.
const fn arrow(column: Column, reverse: bool) -> &'static str {
    if matches!(column, Column::SetAt) == reverse { "▴" } else { "▾" }
}

fn total(columns: &[(Cell, &str, usize, u8)]) -> usize {
    1 + columns.iter().map(|column| column.2).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}
