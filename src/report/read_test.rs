//! One read test in full.
//!
//! ```text
//!   The store does not know this key: the token was deleted, has expired, or is less than a minute old.
//!   → Check the token; wait a minute if it is new; otherwise create another one and publish it.
//!   window    9,168,480       closed by block 9,168,510
//!   object    grail/windows/5CAzX1…-window-9168480.parquet.gz
//!   STEP              HTTP    MS  CODE
//!   HEAD .parquet.gz   401    12
//!   GET 1 byte         401    30  Unauthorized
//! ! shared key: The same key id is published by uid 3, uid 7.
//! ```

use super::{Block, Role, Row, cell, number, plain, titles};
use crate::domain::date::{day, time_of_day};
use crate::domain::probe::{Blame, ONE_NODE_SAYS, Probe, Step};
use crate::domain::text::{age_seconds, grouped};
use crate::domain::window::Deadline;

/// Whether what was tested is what stands on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tested {
    /// As far as is known; where `confirmed`, by more than one node's word.
    Published { confirmed: bool },
    /// Something else is published by now.
    Before,
    /// Sources contradict each other about it.
    Disputed,
}

impl Tested {
    /// By what the test itself knows.
    pub const fn of(probe: &Probe) -> Self {
        Self::Published { confirmed: probe.confirmed.is_some() }
    }
}

/// What it says and what to do; `again` tells how it is tested once more.
pub fn told(probe: &Probe, tested: Tested, again: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let is_old = tested == Tested::Before;
    if is_old {
        let text =
            "Before the change: what is published now is another bucket or key, which this test says nothing about.";
        blocks.extend([Block::remark("!", text, Role::Warn), Block::Todo(again.to_owned())]);
    }
    blocks.push(Block::text(&probe.explanation, if is_old { Role::Dim } else { Role::Plain }));
    let blames = probe.blame == Some(Blame::Holder);
    if blames && tested == Tested::Disputed {
        let text = "Sources contradict each other about this row: the key may be one that nobody published.";
        blocks.push(Block::remark("≠", text, Role::Bad));
    }
    if matches!(tested, Tested::Published { .. }) && !probe.fix.is_empty() {
        blocks.push(Block::Todo(probe.fix.clone()));
    }
    if blames && tested == (Tested::Published { confirmed: false }) {
        blocks.push(Block::text(ONE_NODE_SAYS, Role::Dim));
    }
    blocks
}

/// What was looked for and what was found.
pub fn object(probe: &Probe) -> Vec<Block> {
    let mut rows = Vec::new();
    let mut fact = |label: &str, value: String, note: String| {
        rows.push(Row { note, ..Row::of([cell(label, Role::Dim), plain(value)]) });
    };
    if let Some(window) = probe.window {
        fact("window", grouped(window.start()), format!("closed by block {}", grouped(window.closing_block())));
    }
    if let Some(object) = &probe.object {
        fact("object", object.clone(), String::new());
    }
    if let Some(size) = probe.size {
        fact("size", format!("{} bytes", grouped(size)), String::new());
    }
    if let Some(modified) = probe.last_modified_ms {
        fact("uploaded", moment(modified), probe.deadline.map(|at| against(modified, at)).unwrap_or_default());
    }
    if let Some(deadline) = probe.deadline {
        let how = if deadline.exact { "from the closing block" } else { "counted back at 12 s a block" };
        fact("deadline", moment(deadline.at_ms), how.to_owned());
    }
    if rows.is_empty() { Vec::new() } else { vec![Block::Table(rows)] }
}

fn moment(at_ms: u64) -> String {
    format!("{} {} UTC", day(at_ms), time_of_day(at_ms))
}

fn against(modified_ms: u64, deadline: Deadline) -> String {
    match modified_ms.checked_sub(deadline.at_ms) {
        None | Some(0) => format!("{} before the deadline", age_seconds((deadline.at_ms - modified_ms) / 1_000)),
        Some(late) => format!("{} after the deadline", age_seconds(late.div_ceil(1_000))),
    }
}

/// Its requests. Code and message are somebody else's text: they are wrapped, not cut, since their end may say what matters.
pub fn steps(steps: &[Step]) -> Vec<Block> {
    if steps.is_empty() {
        return Vec::new();
    }
    let mut head = titles(["STEP", "HTTP", "MS", "CODE"]);
    head.cells[1].right = true;
    head.cells[2].right = true;
    vec![Block::Table(std::iter::once(head).chain(steps.iter().map(step)).collect())]
}

fn step(step: &Step) -> Row {
    let role = match step.http {
        Some(200..=299) => Role::Good,
        Some(404) => Role::Warn,
        _ => Role::Bad,
    };
    let http = step.http.map_or_else(|| "—".to_owned(), |http| http.to_string());
    let mut cells = [plain(step.words), number(http), number(grouped(step.ms)), cell(step.words_of_the_answer(), role)];
    cells[1].role = role;
    cells[2].role = Role::Dim;
    Row::of(cells)
}

/// What is risky about the key, told of a test of what is published.
pub fn risks(probe: &Probe, tested: Tested) -> Vec<Block> {
    let role = if tested == Tested::Before { Role::Dim } else { Role::Warn };
    let told = probe.risks.iter().map(|risk| format!("{}: {}", risk.word(), risk.sentence()));
    told.map(|risk| Block::remark("!", risk, role)).collect()
}
