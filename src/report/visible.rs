//! Would a validator see me now: the sentence, each condition with its evidence, and the last windows.
//!
//! ```text
//! ✗ A validator would not see you now: …
//!
//!   ✓ registered                uid 42 on subnet 81
//!   ✗ newest window on time     Window 9,168,480 was uploaded 41 s after its deadline.
//!     → Upload earlier …
//!   as seen from this machine, region us-east-1, …
//!
//!   WINDOW       READ TEST          BYTES  UPLOADED
//!   9,168,480    ✓ on time      1,234,567  41 s before the deadline
//! ```

use super::{Block, Cell, Role, Row, cell, number, plain, titles};
use crate::domain::probe::{Verdict, VerdictClass};
use crate::domain::text::grouped;
use crate::domain::visible::{Check, Standing, Visibility, WindowSeen};
use crate::domain::window::from_deadline;

const fn role(standing: Standing) -> Role {
    match standing {
        Standing::Yes => Role::Good,
        Standing::No => Role::Bad,
        Standing::Warning => Role::Warn,
        Standing::Unknown => Role::Unclear,
    }
}

/// The sentence and its evidence.
pub fn verdict(seen: &Visibility) -> Vec<Block> {
    let standing = seen.standing();
    let mut blocks = vec![
        Block::headline(standing.glyph(), &seen.sentence, role(standing)),
        Block::Gap,
        Block::Table(seen.checks.iter().map(check).collect()),
    ];
    if let Some(confirmed) = &seen.confirmed {
        blocks.push(Block::text(format!("your commitment is {}", confirmed.words()), Role::Dim));
    }
    blocks.push(Block::text(format!("as seen from {}", seen.seen_from), Role::Dim));
    blocks
}

fn check(check: &Check) -> Row {
    let words = cell(format!("{} {}", check.standing.glyph(), check.words), role(check.standing));
    let todo = (check.standing != Standing::Yes && !check.fix.is_empty()).then(|| Block::Todo(check.fix.clone()));
    Row { below: todo.into_iter().collect(), ..Row::of([words, plain(&check.evidence)]) }
}

/// The last windows, newest first; nothing where none was looked at.
pub fn windows(windows: &[WindowSeen]) -> Vec<Block> {
    if windows.is_empty() {
        return Vec::new();
    }
    let mut head = titles(["WINDOW", "READ TEST", "BYTES", "UPLOADED"]);
    head.cells[2].right = true;
    vec![Block::Gap, Block::Table(std::iter::once(head).chain(windows.iter().map(window)).collect())]
}

fn window(seen: &WindowSeen) -> Row {
    let uploaded = seen.early_ms.map_or_else(String::new, |early| {
        format!("{}{} the deadline", if seen.exact { "" } else { "about " }, from_deadline(early))
    });
    Row::of([
        plain(grouped(seen.window.start())),
        judged(seen.verdict),
        number(seen.size.map_or_else(|| "—".to_owned(), grouped)),
        cell(uploaded, Role::Dim),
    ])
}

/// Glyph and word of a verdict.
pub fn judged(verdict: Verdict) -> Cell {
    let class = VerdictClass::of(verdict);
    cell(format!("{} {}", class.glyph(), verdict.word()), Role::of_class(class))
}
