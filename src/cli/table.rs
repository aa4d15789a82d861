//! Text for people: aligned by display width, coloured only through [`anstyle`], so that a pipe, `NO_COLOR` or a dumb
//! terminal gets the same words without escapes.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::drift::FieldDrift;
use crate::domain::roster::Row;
use crate::domain::text::{age_blocks, grouped, middle_cut};
use crate::report::{self, Block, Role, commitment};
pub use crate::report::{Cell, cell, plain};

/// Good news.
pub const GOOD: Role = Role::Good;
/// Bad news.
pub const BAD: Role = Role::Bad;
/// Something to look at.
pub const WARN: Role = Role::Warn;
/// Secondary facts.
pub const DIM: Role = Role::Dim;
/// Headings and the values that matter.
pub const STRONG: Role = Role::Strong;

const fn style(role: Role) -> Style {
    match role {
        Role::Plain => Style::new(),
        Role::Strong | Role::Heading => Style::new().bold(),
        Role::Dim => Style::new().dimmed(),
        Role::Good => AnsiColor::Green.on_default(),
        Role::Warn | Role::Unclear => AnsiColor::Yellow.on_default(),
        Role::Bad => AnsiColor::Red.on_default(),
        Role::Accent => AnsiColor::Cyan.on_default(),
    }
}

/// Text in its role.
pub fn paint(role: Role, text: &str) -> String {
    let style = style(role);
    format!("{style}{text}{style:#}")
}

/// Lays cells out in columns two blanks apart, the last one without padding.
pub fn table(rows: &[Vec<Cell>]) -> String {
    let rows: Vec<&[Cell]> = rows.iter().map(Vec::as_slice).collect();
    aligned(&rows, "").into_iter().fold(String::new(), |out, line| out + &line + "\n")
}

fn aligned(rows: &[&[Cell]], margin: &str) -> Vec<String> {
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| c.text.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &&[Cell]| {
        let mut line = margin.to_owned();
        for (column, cell) in row.iter().enumerate() {
            let missing = " ".repeat(widths[column] - cell.text.width());
            if cell.right {
                line.push_str(&missing);
            }
            line.push_str(&paint(cell.role, &cell.text));
            // No blanks at the end of a line.
            if row[column + 1..].iter().any(|later| !later.text.is_empty()) {
                line.push_str(if cell.right { "" } else { &missing });
                line.push_str("  ");
            }
        }
        line
    };
    rows.iter().map(line).collect()
}

/// A report as text.
pub fn text(blocks: &[Block]) -> String {
    let mut out = String::new();
    write(&mut out, blocks, "");
    out
}

fn write(out: &mut String, blocks: &[Block], margin: &str) {
    for block in blocks {
        let line = match block {
            Block::Gap => String::new(),
            Block::Remark { mark, text, role } => {
                format!("{margin}{} {}", paint(*role, mark), paint(*role, text))
            }
            Block::Headline { mark, text, role } => {
                format!("{margin}{} {}", paint(*role, mark), paint(STRONG, text))
            }
            Block::Text { text, role } => format!("{margin}  {}", paint(*role, text)),
            Block::Todo(text) => format!("{margin}  → {text}"),
            Block::Table(rows) => {
                write_table(out, rows, margin);
                continue;
            }
        };
        out.push_str(&line);
        out.push('\n');
    }
}

fn write_table(out: &mut String, rows: &[report::Row], margin: &str) {
    let all: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| row.cells.iter().cloned().chain((!row.note.is_empty()).then(|| cell(&row.note, DIM))).collect())
        .collect();
    let lines = aligned(&all.iter().map(Vec::as_slice).collect::<Vec<_>>(), &format!("{margin}  "));
    for (row, line) in rows.iter().zip(lines) {
        out.push_str(&line);
        out.push('\n');
        write(out, &row.below, &format!("{margin}  "));
    }
}

/// One line of `status`.
pub fn row_cells(row: &Row, head: u64) -> Vec<Cell> {
    let published = row.commitment.as_ref().and_then(Commitment::published);
    let of = |show: fn(&Published) -> String| published.map_or_else(|| cell("—", DIM), |p| plain(show(p)));
    vec![
        plain(row.uid.map_or_else(|| "+".to_owned(), |uid| uid.to_string())),
        plain(row.hotkey.short()),
        commitment::whose(row),
        commitment::state(row),
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

/// A diagnostic as three lines.
pub fn finding(finding: &Diagnostic) -> String {
    text(&report::diagnostic(finding))
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
