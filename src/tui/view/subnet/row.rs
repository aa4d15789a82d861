//! One row of the table.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::read_test_summary;
use super::super::style::Styles;
use super::super::text::{columns as width_of, fit, fit_right, ink};
use super::columns::{Cell, Columns, GAP};
use crate::domain::commitment::Commitment;
use crate::domain::drift::FieldDrift;
use crate::domain::provenance::Level;
use crate::domain::roster::{Column, Row};
use crate::domain::text::{age_blocks, grouped, middle_cut};
use crate::report::{Role, commitment as report};
use crate::tui::state::State;

/// A row as a line.
pub(super) fn drawn(state: &State, row: &Row, columns: &Columns, selected: bool, styles: Styles) -> Line<'static> {
    let lead = match (state.probes.is_marked(&row.hotkey), selected) {
        (true, _) => "◆",
        (false, true) => "▌",
        (false, false) => " ",
    };
    let mut line = Line::from(ink(lead, styles.accent()));
    for (cell, _, width) in &columns.0 {
        let spans = match cell {
            Cell::Note => vec![(note(row, *width), styles.drift())],
            Cell::Proof => vec![proof(state, row, styles)],
            Cell::Sorted(Column::Uid) => vec![uid(row, *width, styles)],
            Cell::Sorted(Column::Hotkey) => vec![(row.hotkey.short(), who_style(row, styles))],
            Cell::Sorted(Column::Role) => vec![role(row, styles)],
            Cell::Sorted(Column::Commitment) => {
                let glyph = (!columns.has_proofs()).then(|| proof_glyph(state, row, styles)).flatten();
                [commitment(row, columns.has_notes(), styles)].into_iter().chain(glyph).collect()
            }
            Cell::Sorted(Column::Locator) => locator(row, *width, styles),
            Cell::Sorted(Column::ReadKey) => read_key(row, styles),
            Cell::Sorted(Column::SetAt) => set_at(state, row, styles),
            Cell::Sorted(Column::ReadTest) => read_test_summary::cell(state, row, *width, styles),
        };
        line.spans.extend(fitted(spans, *width));
        line.push_span(" ".repeat(GAP));
    }
    line
}

/// Parts beside each other in exactly `width` columns.
fn fitted(parts: Vec<(String, Style)>, width: usize) -> Vec<Span<'static>> {
    let mut room = width;
    let mut spans: Vec<Span<'static>> = Vec::with_capacity(parts.len() + 1);
    for (text, style) in parts {
        let text = super::super::text::cut(&text, room);
        room -= width_of(&text).min(room);
        spans.push(Span::styled(text, style));
    }
    spans.push(Span::raw(" ".repeat(room)));
    spans
}

fn who_style(row: &Row, styles: Styles) -> Style {
    if row.own { styles.strong() } else { styles.plain() }
}

fn uid(row: &Row, width: usize, styles: Styles) -> (String, Style) {
    // One column is left for the direction of the sort in the head.
    let text = row.uid.map_or_else(|| "—".to_owned(), |uid| uid.to_string());
    (format!("{} ", fit_right(&text, width - 1)), who_style(row, styles))
}

fn role(row: &Row, styles: Styles) -> (String, Style) {
    let whose = report::whose(row);
    (whose.text, styles.role(whose.role))
}

/// The state in a word; without a column for notes, the note that matters most stands here.
fn commitment(row: &Row, has_notes: bool, styles: Styles) -> (String, Style) {
    let state = report::state(row);
    let note = notes(row, &SHORT).into_iter().next().filter(|_| !has_notes && state.role == Role::Good);
    note.map_or_else(|| (state.text, styles.role(state.role)), |note| (format!("! {note}"), styles.drift()))
}

/// The column of notes: spelled out if there is room.
fn note(row: &Row, width: usize) -> String {
    let spelled = notes(row, &SPELLED).join(", ");
    if width_of(&spelled) <= width { spelled } else { notes(row, &SHORT).join(", ") }
}

/// The words for a commitment from before the registration, and for one without R2's shapes.
struct Words {
    predates: &'static str,
    foreign: &'static str,
}

const SPELLED: Words = Words { predates: "predates its uid", foreign: "not R2-shaped" };
const SHORT: Words = Words { predates: "predates", foreign: "foreign" };

/// What else there is to know, in few words.
fn notes(row: &Row, words: &Words) -> Vec<String> {
    let mut notes = Vec::new();
    if row.predates_registration() {
        notes.push(words.predates.to_owned());
    }
    if let Some(several) = row.commitment.as_ref().map(|commitment| commitment.fields).filter(|fields| *fields > 1) {
        notes.push(format!("{several} fields"));
    }
    if row.is_foreign() {
        notes.push(words.foreign.to_owned());
    }
    notes
}

/// Glyph and word of the row's provenance.
fn proof(state: &State, row: &Row, styles: Styles) -> (String, Style) {
    match state.proofs.of(row) {
        Some(found) => (format!("{} {}", found.glyph(), found.level.word()), styles.provenance(found)),
        None => (Level::Reported.glyph().to_owned(), styles.dim()),
    }
}

/// The glyph alone, where there is no column for it; what one node says needs none.
fn proof_glyph(state: &State, row: &Row, styles: Styles) -> Option<(String, Style)> {
    let found = state.proofs.of(row)?;
    let has_more = found.is_disputed() || found.level > Level::Reported;
    has_more.then(|| (format!(" {}", found.glyph()), styles.provenance(found)))
}

fn locator(row: &Row, width: usize, styles: Styles) -> Vec<(String, Style)> {
    let Some(published) = row.commitment.as_ref().and_then(Commitment::published) else { return none(styles) };
    let text = published.locator.shown();
    if row.is_foreign() {
        return vec![(text, styles.drift())];
    }
    vec![(fit(&middle_cut(&text, 6, 4), width - 9), styles.plain()), (" = bucket".to_owned(), styles.dim())]
}

fn read_key(row: &Row, styles: Styles) -> Vec<(String, Style)> {
    let Some(published) = row.commitment.as_ref().and_then(Commitment::published) else { return none(styles) };
    let id = (middle_cut(&published.read_key_id.shown(), 4, 4), styles.plain());
    match row.drift.as_ref().map(|drift| drift.fields.read_key_id) {
        Some(FieldDrift::Differs) => vec![id, (" ≠".to_owned(), styles.drift())],
        _ => vec![id],
    }
}

fn set_at(state: &State, row: &Row, styles: Styles) -> Vec<(String, Style)> {
    match row.commitment.as_ref().map(|commitment| commitment.block) {
        None => vec![("never".to_owned(), styles.dim())],
        Some(None) => vec![("unknown".to_owned(), styles.dim())],
        Some(Some(block)) => {
            let Some(blocks) = state.newest_block().unwrap_or(block).checked_sub(block) else {
                return vec![(grouped(block), styles.drift())];
            };
            let age = age_blocks(blocks);
            vec![(grouped(block), styles.plain()), (format!(" {age}"), styles.dim())]
        }
    }
}

fn none(styles: Styles) -> Vec<(String, Style)> {
    vec![("—".to_owned(), styles.dim())]
}

/// The line above the ex-members.
pub(super) fn ex_member_heading(state: &State, width: usize, styles: Styles) -> Line<'static> {
    let count = match state.model.table.roster().summary.ex_members {
        1 => "1 ex-member".to_owned(),
        n => format!("{} ex-members", grouped(n as u64)),
    };
    let text = format!("── {count} · no longer registered, their keys still on chain ");
    let text = super::super::text::cut(&text, width.saturating_sub(2));
    let rest = width.saturating_sub(width_of(&text) + 2);
    Line::from(vec![ink(format!(" {text}"), styles.heading()), ink("─".repeat(rest), styles.rule())])
}
