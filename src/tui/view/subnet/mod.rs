//! The table of uids.
//!
//! ```text
//! 256 uids   ✓ 229 readable   ✗ 19 unreadable   ○ 8 none   + 5 ex-members        ▲ you: validators still read your old key
//! ████████████████████████████████████████████████████████████████████████████████████████████
//! testing 87 of 256  ████████████░░░░░░░░░░░░░░░░░░░░░░░  ✓ 60   ✗ 12   P cancels         (once something was tested)
//!
//!   UID▴  HOTKEY       ROLE       COMMITMENT      ACCOUNT = BUCKET      READ KEY   SET AT          READ TEST
//! ▌  42   5CAzX1…h9fQ  ● you      ▲ drift         3f9a12…c4e1 = bucket  7be1…90 ≠  9,160,112 28 h  ✓ 84 ms on time
//! ◆   7   5Dq8mm…Yt2e  miner      ✓ readable      81aa03…77b0 = bucket  0c11…fe    9,101,554 9 d   ✗ unknown key
//!   …
//! ── 5 ex-members · no longer registered, their commitments are still on chain ──
//! 256 rows by uid                                                                      1-20 of 256
//! ```

mod columns;
mod empty;
mod row;
mod status;
mod summary;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::style::Styles;
use crate::tui::list::Slot;
use crate::tui::state::State;
use columns::Columns;
pub(super) use empty::never_read;
pub(super) use status::render as status;

/// Rows from which there is room for empty lines.
const AIRY: u16 = 18;

/// Where the rows go: beneath summary, bar and column heads, above the status line.
pub(super) fn table_area(state: &State, area: Rect) -> Rect {
    let head = summary::height(state, area.width) + u16::from(area.height >= AIRY) + 1;
    let head = head.min(area.height);
    Rect { y: area.y + head, height: (area.height - head).saturating_sub(1), ..area }
}

/// Draws the table and what belongs to it.
pub(super) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    if state.model.table.snapshot().is_none() {
        return never_read(state, styles, area, frame);
    }
    summary::render(state, styles, area, frame);
    let table = table_area(state, area);
    let columns = Columns::for_width(usize::from(area.width));
    let heads = columns.heads(state, styles);
    frame.buffer_mut().set_line(area.x, table.y.saturating_sub(1), &heads, area.width);
    if state.list.rows() == 0 {
        empty::nothing_listed(state, styles, table, frame);
    }
    rows(state, &columns, styles, table, frame);
    status(state, styles, Rect { y: area.bottom().saturating_sub(1), height: 1, ..area }, frame);
}

/// Only the rows on the screen are built.
fn rows(state: &State, columns: &Columns, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let roster = state.model.table.roster();
    let shown = state.list.slots().iter().enumerate().skip(state.list.offset());
    for (y, (index, slot)) in (area.top()..area.bottom()).zip(shown) {
        let selected = index == state.list.cursor();
        let line = match (slot, state.list.row(roster, *slot)) {
            (Slot::Heading, _) => row::ex_member_heading(state, usize::from(area.width), styles),
            (_, Some(one)) => row::drawn(state, one, columns, selected, styles),
            (_, None) => continue,
        };
        if selected {
            frame.buffer_mut().set_style(Rect { y, height: 1, ..area }, styles.selected());
        }
        frame.buffer_mut().set_line(area.x, y, &line, area.width);
    }
}
