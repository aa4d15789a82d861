//! Whether a validator would see the operator now, with the evidence.
//!
//! ```text
//! VISIBILITY   at block #9,168,527, 3 min ago
//! ✗ A validator would not see you now: …
//!
//!   ✓ registered                uid 42 on subnet 81
//!   ✗ newest window on time     Window 9,168,480 was uploaded 41 s after its deadline.
//!       → Upload earlier …
//!
//!   last windows     ✓    ✓    ✓    !    ✓    ✓    ✓    ✓    ✓    ✓    ✓    ✓
//!                  8150 8180 8210 8240 8270 8300 8330 8360 8390 8420 8450 8480
//!   window       verdict         size         against the deadline
//!   9,168,480    ✓ on time       1,234,567    41 s early
//! ```

use ratatui::text::{Line, Span};

use super::facts::{finding, remark, report, section};
use super::style::Styles;
use super::text::{fit, ink};
use crate::domain::probe::{VerdictClass, WHOLE_SECONDS};
use crate::domain::text::{age_seconds, grouped};
use crate::domain::visible::{Visibility, WindowSeen};
use crate::report::visible;
use crate::tui::keymap::Command;
use crate::tui::probes::OwnVisibility;
use crate::tui::state::State;

/// Columns of a window in the strip.
const CELL: usize = 5;
/// Columns before the strip.
const LABEL: usize = 15;
/// Rows of the screen from which the windows are listed too.
const TALL: u16 = 28;

/// The section.
pub(super) fn lines(lines: &mut Vec<Line<'static>>, state: &State, width: usize, styles: Styles) {
    let sight = &state.probes.visibility;
    section(lines, &title(state), styles);
    match sight {
        OwnVisibility::Idle => {
            let text = format!("not asked yet: {} asks whether a validator would see you", state.key(Command::Probe));
            remark(lines, "—", &text, width, styles.dim());
        }
        OwnVisibility::Loading { since_ms, .. } => {
            let text = format!(
                "asking chain and store, {} of {WHOLE_SECONDS} s at most",
                age_seconds(state.since(*since_ms) / 1_000)
            );
            remark(lines, "…", &text, width, styles.accent());
        }
        OwnVisibility::Failed(problem) => finding(lines, problem, width, styles),
        OwnVisibility::Ready(_) => {}
    }
    if let Some(seen) = sight.verdict() {
        verdict(lines, state, seen, width, styles);
    }
}

fn title(state: &State) -> String {
    match state.probes.visibility.verdict() {
        Some(seen) => {
            let age = age_seconds(state.since(seen.at_ms) / 1_000);
            format!("VISIBILITY   at block #{}, {age} ago", grouped(seen.block))
        }
        None => "VISIBILITY".to_owned(),
    }
}

fn verdict(lines: &mut Vec<Line<'static>>, state: &State, seen: &Visibility, width: usize, styles: Styles) {
    report(lines, &visible::verdict(seen), width, styles);
    if !seen.windows.is_empty() {
        lines.push(Line::default());
        strip(lines, &seen.windows, width, styles);
        if state.size.1 >= TALL {
            report(lines, &visible::windows(&seen.windows), width, styles);
        }
    }
}

/// The newest at the right, as many as fit.
fn strip(lines: &mut Vec<Line<'static>>, windows: &[WindowSeen], width: usize, styles: Styles) {
    let fitting = width.saturating_sub(LABEL + 2) / CELL;
    let shown: Vec<&WindowSeen> = windows.iter().take(fitting).rev().collect();
    let mut glyphs = Line::from(ink(format!("  {}", fit("last windows", LABEL)), styles.dim()));
    let mut numbers = Line::from(Span::raw(" ".repeat(LABEL + 2)));
    for seen in shown {
        let class = VerdictClass::of(seen.verdict);
        glyphs.push_span(ink(format!("  {}  ", class.glyph()), styles.class(class)));
        let number = format!("{:04}", seen.window.start() % 10_000);
        numbers.push_span(ink(format!("{number} "), styles.dim()));
    }
    lines.extend([glyphs, numbers]);
}
