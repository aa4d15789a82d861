//! The self-test of the own keys, step by step.
//!
//! ```text
//! ✓ Your keys do what they should, and nothing more.
//!
//!   ✓ PUT canary                 200                The write key writes into the own bucket.
//!   ✗ GET canary, published key  403 AccessDenied
//!     The published key cannot read the own bucket: it may not.
//!     → Commit a read key that works …
//! ```

use super::{Block, Role, Row, cell};
use crate::domain::self_test::{JudgedStep, Outcome, SelfTest};

const fn role(outcome: Outcome) -> Role {
    match outcome {
        Outcome::Passed => Role::Good,
        Outcome::Failed => Role::Bad,
        Outcome::Inconclusive => Role::Warn,
        Outcome::Skipped => Role::Dim,
    }
}

pub fn tested(test: &SelfTest) -> Vec<Block> {
    let (mark, role) = match (test.healthy, test.is_unknown()) {
        (true, _) => ("✓", Role::Good),
        (false, true) => ("?", Role::Unclear),
        (false, false) => ("✗", Role::Bad),
    };
    let mut blocks = vec![Block::headline(mark, test.sentence(), role)];
    blocks.extend(test.risks.iter().map(|risk| Block::remark("!", risk.sentence(), Role::Bad)));
    blocks.extend(test.remains().map(|left| Block::remark("!", left, Role::Warn)));
    blocks.extend([Block::Gap, Block::Table(test.steps.iter().map(step).collect())]);
    blocks
}

fn step(step: &JudgedStep) -> Row {
    let role = role(step.outcome);
    let said = [step.http.map(|http| http.to_string()), step.code.clone()].into_iter().flatten().collect::<Vec<_>>();
    let cells = [cell(format!("{} {}", step.outcome.glyph(), step.words), role), cell(said.join(" "), Role::Dim)];
    if step.outcome == Outcome::Passed {
        return Row { note: step.explanation.clone(), ..Row::of(cells) };
    }
    let mut below = vec![Block::text(&step.explanation, role)];
    below.extend((!step.fix.is_empty()).then(|| Block::Todo(step.fix.clone())));
    Row { below, ..Row::of(cells) }
}
