//! The line beneath the table: the filter, what is listed, where one is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::popup::edited;
use super::super::style::Styles;
use super::super::text::{cut, ink, line_columns};
use crate::domain::roster::Column;
use crate::domain::text::grouped;
use crate::tui::keymap::Command;
use crate::tui::state::{Mode, State};

/// Draws it.
pub(in crate::tui::view) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let inner = usize::from(area.width).saturating_sub(2);
    let right = right(state, styles);
    let room = inner.saturating_sub(line_columns(&right) + 2);
    let left = match state.mode {
        Mode::Filter => typing(state, room, styles),
        _ if state.list.is_filtered() => filtered(state, room, styles),
        _ => plain(state, room, styles),
    };
    let buffer = frame.buffer_mut();
    buffer.set_line(area.x + 1, area.y, &left, area.width.saturating_sub(2));
    let width = u16::try_from(line_columns(&right)).unwrap_or(area.width).min(area.width);
    buffer.set_line(area.right().saturating_sub(width + 1), area.y, &right, width);
}

fn typing(state: &State, room: usize, styles: Styles) -> Line<'static> {
    let mut line = Line::from(ink("/ ", styles.accent()));
    line.spans.extend(edited(&state.list.line, room / 2, styles));
    let room = room.saturating_sub(line_columns(&line) + 2);
    match &state.list.error {
        Some(error) => line.push_span(ink(format!("  {}", cut(error, room)), styles.unreadable())),
        None if state.list.line.value().is_empty() => {
            line.push_span(ink(cut("  words, state:unreadable, role:miner, own:yes, test:failed", room), styles.dim()));
        }
        None => {
            let hint = state.list.hint.as_deref().map(|hint| cut(&format!("  {hint}"), room)).unwrap_or_default();
            line.push_span(ink(hint, styles.dim()));
        }
    }
    line
}

fn filtered(state: &State, room: usize, styles: Styles) -> Line<'static> {
    let line = Line::from(vec![
        ink("/ ", styles.accent()),
        ink(cut(state.list.line.value(), room.saturating_sub(18)), styles.strong()),
    ]);
    let left = room.saturating_sub(line_columns(&line));
    let mut line = line;
    line.push_span(ink(cut(&format!("   {} clears", state.key(Command::Back)), left), styles.dim()));
    line
}

fn plain(state: &State, room: usize, styles: Styles) -> Line<'static> {
    let order = if state.list.reverse { ", reversed" } else { "" };
    let mut text = format!("by {}{order}", sorted_by(state.list.sort));
    let hidden = state.model.table.roster().summary.ex_members;
    if hidden > 0 && !state.list.shows_ex_members() {
        text = format!("{text} · {} shows the ex-members", state.key(Command::ExMembers));
    }
    ink(cut(&text, room), styles.dim()).into()
}

fn right(state: &State, styles: Styles) -> Line<'static> {
    if let Some(toast) = &state.toast {
        return ink(cut(&toast.text, 60), styles.accent()).into();
    }
    let listed = state.list.rows();
    let all = state.model.table.roster().summary.uids
        + if state.list.shows_ex_members() { state.model.table.roster().ex_members.len() } else { 0 };
    let of = if listed == all {
        grouped(all as u64)
    } else {
        format!("{} of {}", grouped(listed as u64), grouped(all as u64))
    };
    let marked = match state.probes.marks() {
        0 => String::new(),
        marks => format!("◆ {} marked · ", grouped(marks as u64)),
    };
    Line::from(vec![ink(marked, styles.accent()), ink(format!("{of} rows"), styles.dim())])
}

const fn sorted_by(column: Column) -> &'static str {
    match column {
        Column::Uid => "uid",
        Column::Hotkey => "hotkey",
        Column::Role => "role",
        Column::Commitment => "commitment, the readable first",
        Column::Locator => "account",
        Column::ReadKey => "read key",
        Column::SetAt => "set at, the newest first",
        Column::ReadTest => "read test, those on time first",
    }
}
