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

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::facts::{finding, remark, section, todo};
use super::style::Styles;
use super::text::{fit, fit_right, ink, wrap};
use crate::domain::probe::{VerdictClass, WHOLE_SECONDS};
use crate::domain::text::{age_seconds, grouped};
use crate::domain::visible::{Check, Standing, Visibility, WindowSeen};
use crate::domain::window::from_deadline;
use crate::tui::keymap::Command;
use crate::tui::probes::OwnVisibility;
use crate::tui::state::State;

/// Columns of a check's words, and of a window in the strip.
const WORDS: usize = 26;
const CELL: usize = 5;
/// Columns before the strip.
const LABEL: usize = 15;
/// Columns of the window, the verdict and the size in the list.
const LIST: (usize, usize, usize) = (13, 16, 13);
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
    let standing = seen.standing();
    remark(lines, standing.glyph(), &seen.sentence, width, of(standing, styles).patch(styles.strong()));
    lines.push(Line::default());
    for one in &seen.checks {
        check(lines, one, width, styles);
    }
    let place = format!("  as seen from {}", seen.seen_from);
    lines.push(ink(fit(&place, width), styles.dim()).into());
    if !seen.windows.is_empty() {
        lines.push(Line::default());
        strip(lines, &seen.windows, width, styles);
        if state.size.1 >= TALL {
            list(lines, &seen.windows, styles);
        }
    }
}

fn of(standing: Standing, styles: Styles) -> Style {
    match standing {
        Standing::Yes => styles.readable(),
        Standing::No => styles.unreadable(),
        Standing::Warning => styles.drift(),
        Standing::Unknown => styles.unclear(),
    }
}

/// Glyph and words, the evidence beside them, and what to do beneath.
fn check(lines: &mut Vec<Line<'static>>, check: &Check, width: usize, styles: Styles) {
    let lead = WORDS + 6;
    for (i, text) in wrap(&check.evidence, width.saturating_sub(lead)).into_iter().enumerate() {
        let head =
            if i == 0 { format!("  {} {}  ", check.standing.glyph(), fit(check.words, WORDS)) } else { String::new() };
        lines.push(Line::from(vec![ink(fit(&head, lead), of(check.standing, styles)), ink(text, styles.plain())]));
    }
    if !check.fix.is_empty() && check.standing != Standing::Yes {
        let mut what = Vec::new();
        todo(&mut what, &check.fix, width.saturating_sub(2), styles);
        lines.extend(what.into_iter().map(|mut line| {
            line.spans.insert(0, Span::raw("  "));
            line
        }));
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

fn list(lines: &mut Vec<Line<'static>>, windows: &[WindowSeen], styles: Styles) {
    let (window, verdict, size) = LIST;
    lines.push(Line::default());
    let head = format!("  {}{}{}   upload", fit("window", window), fit("verdict", verdict), fit_right("bytes", size));
    lines.push(ink(head, styles.heading()).into());
    for seen in windows {
        let class = VerdictClass::of(seen.verdict);
        let bytes = seen.size.map_or_else(|| "—".to_owned(), grouped);
        lines.push(Line::from(vec![
            ink(format!("  {}", fit(&grouped(seen.window.start()), window)), styles.plain()),
            ink(fit(&format!("{} {}", class.glyph(), seen.verdict.word()), verdict), styles.class(class)),
            ink(fit_right(&bytes, size), styles.plain()),
            ink(format!("   {}", against(seen)), styles.dim()),
        ]));
    }
}

fn against(seen: &WindowSeen) -> String {
    let Some(early) = seen.early_ms else { return "—".to_owned() };
    let told = from_deadline(early).replace("before", "early").replace("after", "late");
    if seen.exact { told } else { format!("about {told}") }
}
