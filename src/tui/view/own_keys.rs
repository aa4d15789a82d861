//! The self-test of the own keys, step by step.
//!
//! ```text
//! YOUR KEYS   tested 3 min ago
//! ✓ Your keys do what they should, and nothing more.
//!
//!   ✓ PUT canary                 200                The write key writes into the own bucket.
//!   ✗ GET canary, published key  403 AccessDenied   The published key cannot read the own bucket: it may not.
//!       → Commit a read key that works …
//! ```

use ratatui::style::Style;
use ratatui::text::Line;

use super::facts::{finding, paragraph, remark, section, todo};
use super::style::Styles;
use super::text::{fit, ink};
use crate::domain::probe::WHOLE_SECONDS;
use crate::domain::self_test::{JudgedStep, Outcome, SelfTest};
use crate::domain::text::age_seconds;
use crate::tui::keymap::Command;
use crate::tui::probes::OwnKeys;
use crate::tui::state::State;

/// Columns of a step's words.
const WORDS: usize = 29;

/// The section; nothing where the console may not write and nothing was tested.
pub(super) fn lines(lines: &mut Vec<Line<'static>>, state: &State, width: usize, styles: Styles) {
    match &state.probes.own_keys {
        OwnKeys::Idle if state.options.read_only => {}
        OwnKeys::Idle => {
            section(lines, "YOUR KEYS", styles);
            let text = format!(
                "not tested: {} writes a canary into your bucket, reads it back and removes it",
                state.key(Command::SelfTest)
            );
            remark(lines, "—", &text, width, styles.dim());
        }
        OwnKeys::Testing { since_ms } => {
            section(lines, "YOUR KEYS", styles);
            let text = format!(
                "writing and reading a canary, {} of {WHOLE_SECONDS} s at most",
                age_seconds(state.since(*since_ms) / 1_000)
            );
            remark(lines, "…", &text, width, styles.accent());
        }
        OwnKeys::Failed(problem) => {
            section(lines, "YOUR KEYS", styles);
            finding(lines, problem, width, styles);
        }
        OwnKeys::Tested(test) => {
            let age = age_seconds(state.since(test.at_ms) / 1_000);
            section(lines, &format!("YOUR KEYS   tested {age} ago"), styles);
            tested(lines, test, width, styles);
        }
    }
}

fn tested(lines: &mut Vec<Line<'static>>, test: &SelfTest, width: usize, styles: Styles) {
    let (mark, style) = match (test.healthy, test.is_unknown()) {
        (true, _) => ("✓", styles.readable()),
        (false, true) => ("?", styles.unclear()),
        (false, false) => ("✗", styles.unreadable()),
    };
    remark(lines, mark, test.sentence(), width, style.patch(styles.strong()));
    for risk in &test.risks {
        remark(lines, "!", &risk.sentence(), width, styles.unreadable());
    }
    if let Some(left) = test.remains() {
        remark(lines, "!", &left, width, styles.drift());
    }
    lines.push(Line::default());
    for one in &test.steps {
        step(lines, one, width, styles);
    }
}

fn step(lines: &mut Vec<Line<'static>>, step: &JudgedStep, width: usize, styles: Styles) {
    let style = of(step.outcome, styles);
    let http = step.http.map_or_else(String::new, |http| http.to_string());
    let said = [http, step.code.clone().unwrap_or_default()].join(" ");
    lines.push(Line::from(vec![
        ink(format!("  {} ", step.outcome.glyph()), style),
        ink(fit(step.words, WORDS), styles.plain()),
        ink(format!(" {}", said.trim()), styles.dim()),
    ]));
    if step.outcome != Outcome::Passed {
        paragraph(lines, &step.explanation, 6, width, style);
        if !step.fix.is_empty() {
            todo(lines, &step.fix, width, styles);
        }
    }
}

fn of(outcome: Outcome, styles: Styles) -> Style {
    match outcome {
        Outcome::Passed => styles.readable(),
        Outcome::Failed => styles.unreadable(),
        Outcome::Inconclusive => styles.drift(),
        Outcome::Skipped => styles.dim(),
    }
}
