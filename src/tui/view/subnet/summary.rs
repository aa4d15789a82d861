//! Counts, their proportions, and the operator's own state in one line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::facts;
use super::super::read_test_summary;
use super::super::style::Styles;
use super::super::text::{columns, cut, ink, line_columns, proportions};
use crate::domain::roster::Summary;
use crate::domain::text::grouped;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::State;

/// Rows and columns of the screen from which a word to those without a hotkey takes no place from anything else.
const AIRY: u16 = 24;
const ROOMY: u16 = 120;

/// Rows of summary and bar: one more when the operator's own line has no room beside the counts, and one for read tests.
pub(super) fn height(state: &State, width: u16) -> u16 {
    let styles = Styles::of(&state.options);
    let own_apart = own(state, styles).is_some_and(|own| !beside(&counts(state, styles), &own, width));
    2 + u16::from(own_apart) + u16::from(read_test_summary::has_line(state))
}

/// Draws them.
pub(super) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let counts = counts(state, styles);
    let buffer = frame.buffer_mut();
    let inner = area.width.saturating_sub(2);
    buffer.set_line(area.x + 1, area.y, &whole_parts(&counts, usize::from(inner)), inner);
    let mut bar_at = area.y + 1;
    if let Some(own) = own(state, styles) {
        if beside(&counts, &own, area.width) {
            let width = u16::try_from(line_columns(&own)).unwrap_or(inner);
            buffer.set_line(area.right() - 1 - width, area.y, &own, width);
        } else {
            buffer.set_line(area.x + 1, area.y + 1, &own, inner);
            bar_at += 1;
        }
    }
    let bar = bar(state.model.table.roster().summary, usize::from(inner), styles);
    buffer.set_line(area.x + 1, bar_at, &bar, inner);
    if read_test_summary::has_line(state) {
        let line = read_test_summary::line(state, usize::from(inner), styles);
        buffer.set_line(area.x + 1, bar_at + 1, &line, inner);
    }
}

fn beside(counts: &Line<'_>, own: &Line<'_>, width: u16) -> bool {
    line_columns(counts) + 4 + line_columns(own) + 2 <= usize::from(width)
}

/// As many of the counts as fit: half a number would be a wrong one.
fn whole_parts(counts: &Line<'static>, width: usize) -> Line<'static> {
    let mut room = width;
    let fitting = counts.spans.iter().take_while(|span| {
        let left = room.checked_sub(columns(&span.content));
        room = left.unwrap_or(0);
        left.is_some()
    });
    fitting.cloned().collect()
}

fn counts(state: &State, styles: Styles) -> Line<'static> {
    let summary = state.model.table.roster().summary;
    let number = |n: usize| grouped(n as u64);
    let mut spans = vec![
        ink(number(summary.uids), styles.strong()),
        ink(if summary.uids == 1 { " uid   " } else { " uids   " }, styles.dim()),
        ink(format!("✓ {} readable", number(summary.readable)), styles.readable()),
        ink(format!("   ✗ {} unreadable", number(summary.unreadable)), quiet_when_none(summary.unreadable, styles)),
        ink(format!("   ○ {} none", number(summary.none)), styles.none()),
    ];
    if summary.ex_members > 0 {
        let word = if summary.ex_members == 1 { "ex-member" } else { "ex-members" };
        spans.push(ink(format!("   + {} {word}", number(summary.ex_members)), styles.dim()));
    }
    Line::from(spans)
}

fn quiet_when_none(count: usize, styles: Styles) -> ratatui::style::Style {
    if count == 0 { styles.dim() } else { styles.unreadable() }
}

/// The operator's own state, if there is one to tell.
fn own(state: &State, styles: Styles) -> Option<Line<'static>> {
    let summary = state.model.table.roster().summary;
    if let Some(row) = state.own_row() {
        if state.proofs.is_unknown(&row.hotkey) {
            return Some(ink(format!("≠ you: {}", facts::UNKNOWN), styles.unreadable()).into());
        }
        let drift = row.drift.as_ref()?;
        let (mark, headline, style) = facts::own_mark(state, drift, styles);
        return Some(ink(format!("{mark} you: {}", cut(&headline, 60)), style).into());
    }
    if state.model.own.hotkey.is_some() {
        return Some(ink("▲ you: this hotkey is not registered on this subnet", styles.drift()).into());
    }
    if summary.uids > 0 && summary.readable + summary.unreadable == 0 {
        return Some(ink("· nobody has published anything on this subnet yet", styles.dim()).into());
    }
    if state.size.1 < AIRY && state.size.0 < ROOMY {
        return None;
    }
    let key = state.keymap.chords(KeyMode::Normal, Command::You).first()?.to_string();
    Some(ink(format!("· no hotkey: {key} says how to see your row"), styles.dim()).into())
}

/// The proportions of readable, unreadable and none. Whatever exists is at least one column wide.
fn bar(summary: Summary, width: usize, styles: Styles) -> Line<'static> {
    let parts = [summary.readable, summary.unreadable, summary.none];
    let styles_of = [styles.readable(), styles.unreadable(), styles.rule()];
    let shades = if styles.colourless() { ["█", "▓", "░"] } else { ["▄"; 3] };
    let widths = proportions(&parts, width);
    let spans = (0..3).map(|i| Span::styled(shades[i].repeat(widths[i]), styles_of[i]));
    spans.collect()
}
