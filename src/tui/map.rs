//! The cursor on the map of uids: it is the table's selection, moved in the order of uids.

use crate::domain::roster::Row;
use crate::tui::list::Slot;
use crate::tui::state::State;
use crate::tui::view;

/// Where the selected row is among the uids, if it has one.
pub(super) fn place(state: &State) -> Option<usize> {
    let uid = state.selected().and_then(|row| row.uid)?;
    state.model.table.roster().rows.binary_search_by_key(&Some(uid), |row: &Row| row.uid).ok()
}

/// Moves the cursor by cells, onto the nearest uid that the filter lets through.
pub(super) fn step(state: &mut State, cells: isize) {
    let last = state.model.table.roster().rows.len().saturating_sub(1);
    let target = place(state).map_or(0, |place| place.saturating_add_signed(cells).min(last));
    to(state, target, cells < 0);
}

/// Moves the cursor to the first or the last uid.
pub(super) fn to_end(state: &mut State, last: bool) {
    let end = if last { state.model.table.roster().rows.len().saturating_sub(1) } else { 0 };
    to(state, end, last);
}

/// Cells of `lines` lines.
pub(super) fn lines(state: &State, lines: isize) -> isize {
    lines.saturating_mul(isize::try_from(view::fleet_columns(state)).unwrap_or(1))
}

fn to(state: &mut State, target: usize, backwards: bool) {
    if let Some(index) = nearest(state, target, backwards) {
        state.list.select(index, state.model.table.roster());
    }
}

/// The listed uid at a place, else the next one in the direction of the move, else the one nearest from the other side.
fn nearest(state: &State, target: usize, backwards: bool) -> Option<u32> {
    let target = u32::try_from(target).ok()?;
    let listed = || state.list.slots().iter().filter_map(|slot| member(*slot));
    let before = || listed().filter(|index| *index <= target).max();
    let after = || listed().filter(|index| *index >= target).min();
    if backwards { before().or_else(after) } else { after().or_else(before) }
}

const fn member(slot: Slot) -> Option<u32> {
    match slot {
        Slot::Member(index) => Some(index),
        Slot::Heading | Slot::ExMember(_) => None,
    }
}
