//! Results in words, once: what a command prints and what a screen frames are the same lines. Words have a role, from which the
//! one makes escapes and the other styles; widths are the reader's business.

pub mod changes;
pub mod commitment;
pub mod read_test;
pub mod rotation;
pub mod self_test;
pub mod visible;

use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::probe::VerdictClass;
use crate::domain::provenance::{Level, Provenance};

/// What a piece of text is to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// A fact.
    #[default]
    Plain,
    /// What the eye should find first.
    Strong,
    /// A secondary fact.
    Dim,
    /// A heading.
    Heading,
    /// It is as it should be.
    Good,
    /// It is odd, or waits for the operator.
    Warn,
    /// It is wrong.
    Bad,
    /// Nothing is known.
    Unclear,
    /// The own row, and what is under way.
    Accent,
}

impl Role {
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Note => Self::Dim,
            Severity::Warning => Self::Warn,
            Severity::Danger => Self::Bad,
        }
    }

    pub const fn of_class(class: VerdictClass) -> Self {
        match class {
            VerdictClass::OnTime => Self::Good,
            VerdictClass::Object => Self::Warn,
            VerdictClass::Failed => Self::Bad,
            VerdictClass::Unclear => Self::Unclear,
            VerdictClass::Nothing => Self::Dim,
        }
    }

    pub const fn of_level(level: Level) -> Self {
        match level {
            Level::Signed | Level::Proven => Self::Good,
            Level::Agreed => Self::Plain,
            Level::Reported => Self::Dim,
        }
    }

    /// How much is known of where a row comes from.
    pub const fn of_provenance(found: &Provenance) -> Self {
        if found.is_disputed() { Self::Bad } else { Self::of_level(found.level) }
    }
}

/// The glyph of a severity.
pub const fn glyph(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "·",
        Severity::Warning => "▲",
        Severity::Danger => "✗",
    }
}

/// A piece of text with its role; numbers stand at the right of their column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    pub text: String,
    pub role: Role,
    pub right: bool,
}

pub fn cell(text: impl Into<String>, role: Role) -> Cell {
    Cell { text: text.into(), role, right: false }
}

pub fn plain(text: impl Into<String>) -> Cell {
    cell(text, Role::Plain)
}

pub fn number(text: impl Into<String>) -> Cell {
    Cell { right: true, ..plain(text) }
}

/// A line of a table, and what belongs beneath it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// In columns. The last one is wrapped where there is no room for it.
    pub cells: Vec<Cell>,
    /// What is good to know and is left out where there is no room beside the cells.
    pub note: String,
    pub below: Vec<Block>,
}

impl Row {
    pub fn of(cells: impl Into<Vec<Cell>>) -> Self {
        Self { cells: cells.into(), ..Self::default() }
    }
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// An empty line.
    Gap,
    /// A glyph with text beside it, wrapped under itself.
    Remark { mark: &'static str, text: String, role: Role },
    /// The same where it is what the whole comes to.
    Headline { mark: &'static str, text: String, role: Role },
    /// Text below a remark.
    Text { text: String, role: Role },
    /// What to do, behind an arrow.
    Todo(String),
    /// Lines in common columns, with a margin of two.
    Table(Vec<Row>),
}

impl Block {
    pub fn remark(mark: &'static str, text: impl Into<String>, role: Role) -> Self {
        Self::Remark { mark, text: text.into(), role }
    }

    pub fn headline(mark: &'static str, text: impl Into<String>, role: Role) -> Self {
        Self::Headline { mark, text: text.into(), role }
    }

    pub fn text(text: impl Into<String>, role: Role) -> Self {
        Self::Text { text: text.into(), role }
    }
}

/// A diagnostic in its three sentences.
pub fn diagnostic(told: &Diagnostic) -> Vec<Block> {
    vec![
        Block::headline(glyph(told.severity), &told.summary, Role::of(told.severity)),
        Block::text(&told.cause, Role::Plain),
        Block::Todo(told.help.clone()),
    ]
}

/// The same where it stands first: what to do is beside it, why it matters follows.
pub fn diagnostic_first(told: &Diagnostic) -> Vec<Block> {
    let mut blocks = diagnostic(told);
    blocks.swap(1, 2);
    blocks
}

/// Titles of columns.
fn titles<const N: usize>(titles: [&str; N]) -> Row {
    Row::of(titles.map(|title| cell(title, Role::Heading)))
}
