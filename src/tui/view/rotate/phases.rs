//! The way of a rotation, a line a phase: done, under way or to come, with what is known of it and how long ago that was.
//!
//! ```text
//! ✓ in the vault        generation 3 in the Secret Service          41 min
//! ● grace               ██████░░░░  122 of 300 blocks left · 24 min
//! · old key retired
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::dialog::{Fit, Page, fitting};
use super::super::style::Styles;
use super::super::text::{columns, fit as fitted, fit_right, ink, proportions};
use crate::domain::rotation::{Mark, Phase, Rotation};
use crate::domain::text::age_seconds;
use crate::report::rotation::{PhaseLine, Way};
use crate::tui::rotate::finalized;
use crate::tui::state::State;

/// Columns of a phase's words.
const WORDS: usize = 21;
/// Columns of its age.
const AGE: usize = 8;
/// Columns of the bar of the grace.
const BAR: usize = 12;
/// Phases that are done and still told one by one where there is little room: the last ones.
const LAST_DONE: usize = 2;

/// The lines of the way in its direction.
pub(super) fn lines(page: &mut Page, state: &State, rotation: &Rotation, width: usize, styles: Styles) {
    let way = Way {
        rotation,
        entries: state.rotations.entries(),
        finalized: finalized(state),
        is_busy: state.rotations.is_busy(),
    };
    let all = way.lines();
    let of = |mark: Mark| all.iter().filter(|line| line.mark == mark).count();
    let (before, after) = match page.fit {
        _ if rotation.phase.is_closed() => (0, 0),
        Fit::Roomy | Fit::Usual => (0, 0),
        Fit::Close => (of(Mark::Done).saturating_sub(LAST_DONE + 2), 0),
        Fit::Tight => (of(Mark::Done).saturating_sub(LAST_DONE), of(Mark::ToCome)),
    };
    let (before, after) = (together(before), together(after));
    let told_apart = before..all.len() - after;
    if before > 0 {
        page.push(summed(&all[..before], styles));
    }
    for one in &all[told_apart.clone()] {
        page.push(line(state, rotation, one, width, styles));
    }
    if after > 0 {
        page.push(summed(&all[told_apart.end..], styles));
    }
}

/// Phases in one line; a single one can as well stand for itself.
const fn together(phases: usize) -> usize {
    if phases > 1 { phases } else { 0 }
}

fn summed(lines: &[PhaseLine], styles: Styles) -> Line<'static> {
    let words: Vec<&str> = lines.iter().map(|line| line.phase.words()).collect();
    let first = lines.first().map(|line| ink(format!("{} ", line.glyph), styles.role(line.role)));
    first.into_iter().chain([ink(words.join(" · "), styles.dim())]).collect()
}

fn line(state: &State, rotation: &Rotation, of: &PhaseLine, width: usize, styles: Styles) -> Line<'static> {
    let words = if of.mark == Mark::ToCome { styles.dim() } else { styles.strong() };
    let age = of.at_ms.map(|at_ms| age_seconds(state.since(at_ms) / 1_000)).unwrap_or_default();
    let room = width.saturating_sub(2 + WORDS + AGE);
    let mut line =
        Line::from(vec![ink(format!("{} ", of.glyph), styles.role(of.role)), ink(fitted(of.name, WORDS), words)]);
    let facts = match bar(state, rotation, of, styles) {
        Some(bar) => {
            let forms = of.facts.iter().map(|form| format!("  {form}"));
            let [full, rest] = bar;
            vec![full, rest, ink(fitting(forms, room.saturating_sub(BAR)), strong_when_near(state, rotation, styles))]
        }
        None => vec![ink(fitting(of.facts.clone(), room), styles.role(of.facts_role))],
    };
    let used: usize = facts.iter().map(|span| columns(&span.content)).sum();
    line.spans.extend(facts);
    line.push_span(Span::raw(" ".repeat(room.saturating_sub(used))));
    line.push_span(ink(fit_right(&age, AGE), styles.dim()));
    line
}

/// The grace that runs, as a bar that fills.
fn bar(state: &State, rotation: &Rotation, of: &PhaseLine, styles: Styles) -> Option<[Span<'static>; 2]> {
    let grace = rotation.grace.filter(|_| (of.phase, of.mark) == (Phase::Grace, Mark::Now))?;
    let left = grace.left(finalized(state)?);
    let all = grace.ends_at.saturating_sub(grace.from).max(1);
    let passed = usize::try_from(all.saturating_sub(left)).unwrap_or(usize::MAX);
    let filled = proportions(&[passed, usize::try_from(left).unwrap_or(usize::MAX).min(1_000_000)], BAR)[0];
    Some([ink("█".repeat(filled), styles.accent()), ink("░".repeat(BAR - filled), styles.dim())])
}

fn strong_when_near(state: &State, rotation: &Rotation, styles: Styles) -> Style {
    let left = rotation.grace.zip(finalized(state)).map(|(grace, finalized)| grace.left(finalized));
    if left.is_some_and(|left| left < 10) { styles.strong() } else { styles.plain() }
}
