//! Lines that the views of text share: sections, labelled facts, paragraphs, the drift table, findings.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::style::Styles;
use super::text::{columns, fit, fit_right, ink, line_columns, wrap};
use crate::domain::commitment::Published;
use crate::domain::credentials::LocalView;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::drift::{Drift, DriftState, FieldDrift};
use crate::domain::findings::ENV_GONE;
use crate::domain::text::{age_seconds, capitalised, grouped, middle_cut};
use crate::report::{Block, Row, diagnostic, diagnostic_first, glyph};
use crate::tui::keymap::Command;
use crate::tui::proofs::{OwnDoubt, own_doubt};
use crate::tui::state::State;

/// Columns of a fact's label.
const LABEL: usize = 14;
/// Columns of a value in the drift table.
const VALUE: usize = 18;

/// What is said of the own commitment while its sources contradict each other.
pub(super) const UNKNOWN: &str = "what you published is not known: sources contradict each other";

/// A heading with an empty line above it.
pub(super) fn section(lines: &mut Vec<Line<'static>>, title: &str, styles: Styles) {
    lines.push(Line::default());
    lines.push(ink(title, styles.heading()).into());
}

/// Columns below which a note that has no room beside its value is left out.
const NARROW: usize = 60;

/// A label, its value, and what is known of it: beside it, or beneath where the line is too short.
pub(super) fn fact(
    lines: &mut Vec<Line<'static>>,
    label: &str,
    value: Span<'static>,
    note: &str,
    width: usize,
    styles: Styles,
) {
    let mut line = Line::from(vec![ink(format!("  {}", fit(label, LABEL)), styles.dim()), value]);
    if !note.is_empty() && line_columns(&line) + 2 + columns(note) <= width {
        line.push_span(ink(format!("  {note}"), styles.dim()));
        lines.push(line);
        return;
    }
    lines.push(line);
    if !note.is_empty() && width >= NARROW {
        paragraph(lines, note, LABEL + 2, width, styles.dim());
    }
}

/// Wrapped text with a margin.
pub(super) fn paragraph(lines: &mut Vec<Line<'static>>, text: &str, margin: usize, width: usize, style: Style) {
    for line in wrap(text, width.saturating_sub(margin)) {
        lines.push(Line::from(vec![Span::raw(" ".repeat(margin)), ink(line, style)]));
    }
}

/// A glyph with text beside it, wrapped under itself.
pub(super) fn remark(lines: &mut Vec<Line<'static>>, mark: &str, text: &str, width: usize, style: Style) {
    for (i, line) in wrap(text, width.saturating_sub(2)).into_iter().enumerate() {
        let lead = if i == 0 { fit(mark, 2) } else { "  ".to_owned() };
        lines.push(Line::from(vec![ink(lead, style), ink(line, style)]));
    }
}

/// A report, framed: wrapped at the width, in the terminal's colours.
pub(super) fn report(lines: &mut Vec<Line<'static>>, blocks: &[Block], width: usize, styles: Styles) {
    for block in blocks {
        match block {
            Block::Gap => lines.push(Line::default()),
            Block::Remark { mark, text, role } => remark(lines, mark, text, width, styles.role(*role)),
            Block::Headline { mark, text, role } => {
                remark(lines, mark, text, width, styles.role(*role).patch(styles.strong()));
            }
            Block::Text { text, role } => paragraph(lines, text, 2, width, styles.role(*role)),
            Block::Todo(text) => todo(lines, text, width, styles),
            Block::Table(rows) => table(lines, rows, width, styles),
        }
    }
}

/// Lines in common columns. The last column is wrapped, a note is left out where there is no room for it.
fn table(lines: &mut Vec<Line<'static>>, rows: &[Row], width: usize, styles: Styles) {
    let last = rows.iter().map(|row| row.cells.len()).max().unwrap_or_default().saturating_sub(1);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| columns(&cell.text)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..=last).map(widest).collect();
    let lead = 2 + widths[..last].iter().map(|width| width + 2).sum::<usize>();
    for row in rows {
        let mut line = Line::from(Span::raw("  "));
        for (cell, width) in row.cells.iter().zip(&widths[..last]) {
            let text = if cell.right { fit_right(&cell.text, *width) } else { fit(&cell.text, *width) };
            line.extend([ink(text, styles.role(cell.role)), Span::raw("  ")]);
        }
        let Some(cell) = row.cells.get(last) else {
            lines.push(line);
            continue;
        };
        let text = if cell.right { fit_right(&cell.text, widths[last]) } else { cell.text.clone() };
        let mut wrapped =
            if lead + columns(&text) <= width { vec![text] } else { wrap(&text, width.saturating_sub(lead)) };
        line.push_span(ink(wrapped.remove(0), styles.role(cell.role)));
        // In its own column where that has room, else right behind.
        let places = [lead + widths[last] + 2, line_columns(&line) + 2];
        let place = places.into_iter().find(|at| at + columns(&row.note) <= width);
        if let Some(place) = place.filter(|_| wrapped.is_empty() && !row.note.is_empty()) {
            line.push_span(Span::raw(" ".repeat(place - line_columns(&line))));
            line.push_span(ink(&row.note, styles.dim()));
        }
        lines.push(line);
        let rest = wrapped.into_iter().map(|text| ink(text, styles.role(cell.role)));
        lines.extend(rest.map(|text| Line::from(vec![Span::raw(" ".repeat(lead)), text])));
        let mut below = Vec::new();
        report(&mut below, &row.below, width.saturating_sub(2), styles);
        lines.extend(below.into_iter().map(|mut line| {
            line.spans.insert(0, Span::raw("  "));
            line
        }));
    }
}

/// A diagnostic in its three sentences.
pub(super) fn finding(lines: &mut Vec<Line<'static>>, finding: &Diagnostic, width: usize, styles: Styles) {
    report(lines, &diagnostic(finding), width, styles);
}

/// The same where it stands first: what to do is beside it, why it matters follows.
pub(super) fn finding_first(lines: &mut Vec<Line<'static>>, finding: &Diagnostic, width: usize, styles: Styles) {
    report(lines, &diagnostic_first(finding), width, styles);
}

/// What to do, behind an arrow.
pub(super) fn todo(lines: &mut Vec<Line<'static>>, text: &str, width: usize, styles: Styles) {
    for (i, line) in wrap(text, width.saturating_sub(4)).into_iter().enumerate() {
        let lead = if i == 0 { "  → " } else { "    " };
        lines.push(Line::from(vec![ink(lead, styles.accent()), ink(line, styles.plain())]));
    }
}

/// Nothing is compared with what is not known.
pub(super) fn unknown(lines: &mut Vec<Line<'static>>, width: usize, styles: Styles) {
    section(lines, "CHAIN AND LOCAL", styles);
    unknown_here(lines, width, styles);
}

/// The same without a heading.
pub(super) fn unknown_here(lines: &mut Vec<Line<'static>>, width: usize, styles: Styles) {
    remark(lines, "≠", &format!("{}.", capitalised(UNKNOWN)), width, styles.unreadable());
}

/// The own commitment against the local credentials, field by field.
pub(super) fn drift(
    lines: &mut Vec<Line<'static>>,
    drift: &Drift,
    published: Option<&Published>,
    local: &LocalView,
    styles: Styles,
) {
    section(lines, "CHAIN AND LOCAL", styles);
    let head = format!("  {}{}   {}", fit("", LABEL), fit("on chain", VALUE), fit("here", VALUE));
    lines.push(ink(head, styles.dim()).into());
    let id = |text: &str| middle_cut(text, 6, 6);
    let rows = [
        ("bucket", published.map(|p| id(&p.locator.shown())), local.locator.as_deref().map(id), drift.fields.locator),
        (
            "read key id",
            published.map(|p| id(&p.read_key_id.shown())),
            local.read_key_id.as_deref().map(id),
            drift.fields.read_key_id,
        ),
        (
            "read secret",
            published.map(|p| format!("fp {}", p.read_secret.short())),
            local.read_secret.map(|f| format!("fp {}", f.short())),
            drift.fields.read_secret,
        ),
    ];
    for (label, chain, here, field) in rows {
        lines.push(compared(label, chain, here, field, styles));
    }
}

/// The own row's state in a line, with its mark: good is only what is final, was looked at within a window, and is compared with a
/// `.env` that is still there.
pub(super) fn own_mark(state: &State, drift: &Drift, styles: Styles) -> (&'static str, String, Style) {
    let (severity, headline) = (drift.consequence.severity, &drift.consequence.headline);
    if severity != Severity::Note {
        return (glyph(severity), headline.clone(), styles.severity(severity));
    }
    if state.model.own.local.is_empty() {
        return ("·", headline.clone(), styles.dim());
    }
    match own_doubt(state) {
        None => ("✓", headline.clone(), styles.readable()),
        Some(OwnDoubt::OtherChain) => ("?", "another chain than before".to_owned(), styles.drift()),
        Some(OwnDoubt::EnvFile(finding)) if finding.code == ENV_GONE => {
            ("▲", "the .env that this was compared with is gone".to_owned(), styles.drift())
        }
        Some(OwnDoubt::EnvFile(_)) => ("▲", "the .env changed and cannot be used".to_owned(), styles.drift()),
        Some(OwnDoubt::NotFinal(block)) => {
            ("◌", format!("in block #{}, not final yet", grouped(block)), styles.accent())
        }
        Some(OwnDoubt::Old(ms)) => ("?", format!("{headline}, {} ago", age_seconds(ms / 1_000)), styles.drift()),
        Some(OwnDoubt::Kept) => ("?", format!("{headline}, when it was saved"), styles.drift()),
    }
}

/// What follows from it for validators and for the next start.
pub(super) fn consequence(lines: &mut Vec<Line<'static>>, state: &State, drift: &Drift, width: usize, styles: Styles) {
    lines.push(Line::default());
    let (mark, headline, style) = own_mark(state, drift, styles);
    remark(lines, mark, &headline, width, style);
    let doubt = own_doubt(state).filter(|_| matches!(mark, "◌" | "?"));
    let detail = match doubt {
        Some(OwnDoubt::NotFinal(_)) => {
            "Until the block is final it may still be taken back, and validators may read the key before it."
        }
        Some(OwnDoubt::OtherChain) => "What is compared here stands on the other chain; nothing is known of yours.",
        Some(_) => "No node has told of it since; what is on chain now may be something else.",
        None => &drift.consequence.detail,
    };
    paragraph(lines, detail, 2, width, styles.plain());
}

/// A drift that stands first: what it comes to, the key that mends it, and what follows for validators and the next start.
pub(super) fn drift_first(lines: &mut Vec<Line<'static>>, state: &State, drift: &Drift, width: usize, styles: Styles) {
    let consequence = &drift.consequence;
    let style = styles.severity(consequence.severity);
    remark(lines, glyph(consequence.severity), &capitalised(&consequence.headline), width, style);
    publishes(lines, state, drift, width, styles);
    paragraph(lines, &consequence.detail, 2, width, styles.plain());
}

/// The key that mends a drift, where what is configured here is what one wants on chain: a danger has another way out.
pub(super) fn publishes(lines: &mut Vec<Line<'static>>, state: &State, drift: &Drift, width: usize, styles: Styles) {
    let can = drift.state == DriftState::Drift && !state.options.read_only;
    if can && drift.consequence.severity == Severity::Warning {
        let text = format!("{} publishes what is configured here.", state.key(Command::Commit));
        todo(lines, &text, width, styles);
    }
}

fn compared(
    label: &str,
    chain: Option<String>,
    here: Option<String>,
    field: FieldDrift,
    styles: Styles,
) -> Line<'static> {
    let (sign, mark, style) = match field {
        FieldDrift::Equal => ("=", "✓", styles.readable()),
        FieldDrift::Differs => ("≠", "▲", styles.drift()),
        FieldDrift::LocalMissing | FieldDrift::ChainMissing => ("·", "○", styles.dim()),
    };
    let missing = || "—".to_owned();
    Line::from(vec![
        ink(format!("  {}", fit(label, LABEL)), styles.dim()),
        ink(fit(&chain.unwrap_or_else(missing), VALUE), styles.plain()),
        ink(format!(" {sign} "), style),
        ink(fit(&here.unwrap_or_else(missing), VALUE), styles.plain()),
        ink(format!(" {mark} {}", field.word()), style),
    ])
}
