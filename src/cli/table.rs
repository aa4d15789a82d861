//! Text for people: aligned by display width, coloured only through [`anstyle`], so that a pipe, `NO_COLOR` or a dumb
//! terminal gets the same words without escapes.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::drift::FieldDrift;
use crate::domain::roster::{Row, State};
use crate::domain::text::{age_blocks, grouped, middle_cut};

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Something to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Secondary facts.
pub const DIM: Style = Style::new().dimmed();
/// Headings and the values that matter.
pub const STRONG: Style = Style::new().bold();

/// Text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A cell: its text, for the width, and its style.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

/// A cell in a style.
pub fn cell(text: impl Into<String>, style: Style) -> Cell {
    Cell { text: text.into(), style }
}

/// A cell as it is.
pub fn plain(text: impl Into<String>) -> Cell {
    cell(text, Style::new())
}

/// Lays cells out in columns two blanks apart, the last one without padding.
pub fn table(rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| c.text.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(&paint(cell.style, &cell.text));
            // No blanks at the end of a line.
            if row[column + 1..].iter().any(|later| !later.text.is_empty()) {
                line.push_str(&" ".repeat(widths[column] - cell.text.width() + 2));
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Glyph and word for a row's commitment: never colour alone.
pub fn commitment_cell(row: &Row) -> Cell {
    if row.drifts() && row.state() == State::Readable {
        return cell("▲ drift", WARN);
    }
    match row.state() {
        State::None => cell("○ none", DIM),
        State::Unreadable => {
            let label =
                row.commitment.as_ref().and_then(Commitment::unreadable).map_or("unreadable", |u| u.label.as_str());
            cell(format!("✗ {label}"), BAD)
        }
        State::Readable if row.is_foreign() => cell("! foreign", WARN),
        State::Readable => cell("✓ readable", GOOD),
    }
}

/// One line of `status`.
pub fn row_cells(row: &Row, head: u64) -> Vec<Cell> {
    let published = row.commitment.as_ref().and_then(Commitment::published);
    let of = |show: fn(&Published) -> String| published.map_or_else(|| cell("—", DIM), |p| plain(show(p)));
    vec![
        plain(row.uid.map_or_else(|| "+".to_owned(), |uid| uid.to_string())),
        plain(row.hotkey.short()),
        if row.own {
            cell("● you", GOOD)
        } else {
            plain(if row.is_ex_member() { "ex-member" } else { row.role.word() })
        },
        commitment_cell(row),
        of(|p| middle_cut(&p.locator.shown(), 6, 4)),
        of(|p| middle_cut(&p.read_key_id.shown(), 4, 4)),
        set_at_cell(row, head),
    ]
}

fn set_at_cell(row: &Row, head: u64) -> Cell {
    match row.commitment.as_ref().map(|c| c.block) {
        None => cell("never", DIM),
        Some(None) => cell("unknown", DIM),
        Some(Some(block)) => {
            let before = if row.predates_registration() { " · before this registration" } else { "" };
            plain(format!("{} · {}{before}", grouped(block), age_blocks(head.saturating_sub(block))))
        }
    }
}

/// The heading of `status`'s table.
pub fn row_heading() -> Vec<Cell> {
    ["UID", "HOTKEY", "ROLE", "COMMITMENT", "ACCOUNT = BUCKET", "READ KEY", "SET AT"]
        .into_iter()
        .map(|title| cell(title, STRONG))
        .collect()
}

/// A finding as three lines.
pub fn finding(finding: &Diagnostic) -> String {
    let (glyph, style) = match finding.severity {
        Severity::Danger => ("✗", BAD),
        Severity::Warning => ("▲", WARN),
        Severity::Note => ("·", DIM),
    };
    format!("{} {}\n  {}\n  → {}\n", paint(style, glyph), paint(STRONG, &finding.summary), finding.cause, finding.help)
}

/// The word for a field's comparison, in its colour.
pub fn drift_cell(drift: FieldDrift) -> Cell {
    let style = match drift {
        FieldDrift::Equal => GOOD,
        FieldDrift::Differs | FieldDrift::ChainMissing => WARN,
        FieldDrift::LocalMissing => DIM,
    };
    cell(drift.word(), style)
}
