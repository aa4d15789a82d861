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
use crate::domain::rotation::{Entry, Event, Mark, Phase, Rotation, Seen, Step};
use crate::domain::text::{age_blocks, age_seconds, grouped};
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
    let all = rotation.marks(finalized(state));
    let of = |mark: Mark| all.iter().filter(|(_, other)| *other == mark).count();
    let (before, after) = match page.fit {
        _ if rotation.phase.is_closed() => (0, 0),
        Fit::Roomy | Fit::Usual => (0, 0),
        Fit::Close => (of(Mark::Done).saturating_sub(LAST_DONE + 2), 0),
        Fit::Tight => (of(Mark::Done).saturating_sub(LAST_DONE), of(Mark::ToCome)),
    };
    let (before, after) = (together(before), together(after));
    let told_apart = before..all.len() - after;
    if before > 0 {
        page.push(summed("✓", &all[..before], styles.readable(), styles));
    }
    for (phase, mark) in &all[told_apart.clone()] {
        page.push(line(state, rotation, *phase, *mark, width, styles));
    }
    if after > 0 {
        page.push(summed("·", &all[told_apart.end..], styles.dim(), styles));
    }
}

/// Phases in one line; a single one can as well stand for itself.
const fn together(phases: usize) -> usize {
    if phases > 1 { phases } else { 0 }
}

fn summed(glyph: &str, phases: &[(Phase, Mark)], style: Style, styles: Styles) -> Line<'static> {
    let words: Vec<&str> = phases.iter().map(|(phase, _)| phase.words()).collect();
    Line::from(vec![ink(format!("{glyph} "), style), ink(words.join(" · "), styles.dim())])
}

fn line(state: &State, rotation: &Rotation, phase: Phase, mark: Mark, width: usize, styles: Styles) -> Line<'static> {
    let (glyph, style, words) = match mark {
        Mark::Done => ("✓", styles.readable(), styles.strong()),
        Mark::Now => ("●", styles.accent(), styles.strong()),
        Mark::ToCome => ("·", styles.dim(), styles.dim()),
    };
    let told = mark == Mark::Done || (mark == Mark::Now && phase == rotation.phase);
    let entry = reached(state, rotation, phase).filter(|_| told);
    let age = entry.map(|entry| age_seconds(state.since(entry.at_ms) / 1_000)).unwrap_or_default();
    let room = width.saturating_sub(2 + WORDS + AGE);
    let name = if rotation.back && phase == Phase::Planned { "turned back" } else { phase.words() };
    let mut line = Line::from(vec![ink(format!("{glyph} "), style), ink(fitted(name, WORDS), words)]);
    let facts = match (phase, mark) {
        (Phase::Grace, Mark::Now | Mark::ToCome) => grace(state, rotation, mark, room, styles),
        (_, Mark::Now) => vec![ink(waits(state, rotation, phase), styles.drift())],
        (_, Mark::Done) => vec![ink(fitting(known(rotation, phase, entry, state), room), styles.plain())],
        _ => Vec::new(),
    };
    let used: usize = facts.iter().map(|span: &Span<'_>| columns(&span.content)).sum();
    line.spans.extend(facts);
    line.push_span(Span::raw(" ".repeat(room.saturating_sub(used))));
    line.push_span(ink(fit_right(&age, AGE), styles.dim()));
    line
}

/// The journal's last word on a phase, in the present direction.
fn reached<'a>(state: &'a State, rotation: &Rotation, phase: Phase) -> Option<&'a Entry> {
    let entries = state.rotations.entries();
    let turned = entries.iter().rposition(|entry| entry.event == Event::TurnedBack).filter(|_| rotation.back);
    entries[turned.unwrap_or_default()..].iter().rev().find(|entry| of(&entry.event) == Some(phase))
}

const fn of(event: &Event) -> Option<Phase> {
    Some(match event {
        Event::Began { .. } => Phase::Draft,
        Event::Staged => Phase::Staged,
        Event::Probed { .. } => Phase::Probed,
        Event::Planned { .. }
        | Event::Unsent { .. }
        | Event::Different { .. }
        | Event::Reverted { .. }
        | Event::TurnedBack => Phase::Planned,
        Event::Signing { .. } => Phase::Signed,
        Event::Submitted { .. } => Phase::Submitted,
        Event::Finalized { .. } => Phase::Finalized,
        Event::Promoted => Phase::Promoted,
        Event::EnvUpdated { .. } => Phase::EnvUpdated,
        Event::GraceBegan { .. } => Phase::Grace,
        Event::Retired => Phase::Retired,
        Event::Abandoned => Phase::Abandoned,
        Event::RolledBack => Phase::RolledBack,
        _ => return None,
    })
}

/// What is known of a phase that is done, the longest form first.
fn known(rotation: &Rotation, phase: Phase, entry: Option<&Entry>, state: &State) -> Vec<String> {
    let one = |text: String| vec![text];
    let event = entry.map(|entry| &entry.event);
    match (phase, event) {
        (Phase::Draft, _) => one(format!("for bucket {}", crate::domain::text::middle_cut(&rotation.locator, 6, 4))),
        (Phase::Staged, _) => one(format!("generation {} in {}", rotation.to, rotation.backend.name())),
        (Phase::Probed, Some(Event::Probed { found })) => {
            (1..=found.len()).rev().map(|n| found[..n].join(" · ")).collect()
        }
        (Phase::Planned, Some(Event::Planned { seen })) => one(in_place_of(*seen)),
        (Phase::Planned, Some(Event::Unsent { .. })) => one("once more: nothing of it was published".to_owned()),
        (Phase::Planned, Some(Event::Reverted { block, seen })) => vec![
            format!("once more: at #{} {}", grouped(*block), turned_up(*seen)),
            "once more: it was put back".to_owned(),
        ],
        (Phase::Planned, Some(Event::Different { .. })) => one("once more: something else is there".to_owned()),
        (Phase::Planned, Some(Event::TurnedBack)) => one("the old key is to be published again".to_owned()),
        (Phase::Signed, _) => one("you said yes".to_owned()),
        (Phase::Submitted, Some(Event::Submitted { extrinsic })) => one(format!("extrinsic {}…", extrinsic.short())),
        (Phase::Finalized, Some(Event::Finalized { block, .. })) => {
            one(format!("set in #{}, read back equal", grouped(*block)))
        }
        (Phase::Promoted, _) => one(format!("generation {} in the vault", rotation.target())),
        (Phase::EnvUpdated, Some(Event::EnvUpdated { how })) => {
            let reminder = rotation.reminder().map(|_| format!("{}: restart GRAIL", how.words()));
            reminder.into_iter().chain([how.words().to_owned()]).collect()
        }
        (Phase::Grace, _) => {
            rotation.grace.map(|grace| format!("over since #{}", grouped(grace.ends_at))).into_iter().collect()
        }
        (Phase::Retired, _) => refusals(state),
        (Phase::Abandoned, _) => one("nothing of the new keys was published".to_owned()),
        _ => Vec::new(),
    }
}

fn in_place_of(seen: Seen) -> String {
    match seen {
        Seen::Nothing => "nothing was there before".to_owned(),
        Seen::Unreadable => "in place of something unreadable".to_owned(),
        Seen::Holds(held) => format!("in place of fp {}", held.secret.short()),
    }
}

fn turned_up(seen: Seen) -> String {
    match seen {
        Seen::Nothing => "it was gone".to_owned(),
        Seen::Unreadable => "it was unreadable".to_owned(),
        Seen::Holds(held) => format!("fp {} was there", held.secret.short()),
    }
}

/// What the store said to the old keys: the proof without which nothing is forgotten.
fn refusals(state: &State) -> Vec<String> {
    let said = state.rotations.entries().iter().filter_map(|entry| match &entry.event {
        Event::Refused { side, http, code } => Some(format!("{} refused: {http} {code}", side.word())),
        Event::Lost { side } => Some(format!("{} lost here, store not asked", side.word())),
        _ => None,
    });
    let said: Vec<String> = said.collect();
    (1..=said.len()).rev().map(|n| said[..n].join(" · ")).collect()
}

/// Whom the phase under way waits for, where that is somebody.
fn waits(state: &State, rotation: &Rotation, phase: Phase) -> String {
    let text = match (rotation.step(), phase) {
        (Step::Retire, Phase::Retired) if rotation.may_hear_of_restarts() => "waits for all to be restarted",
        (Step::Revoke(_), _) | (Step::Retire, Phase::Retired) => "waits for you to revoke the old token",
        (Step::Accept, _) => "stopped: the chain holds something else",
        (Step::Publish, _) => "waits for your yes",
        (Step::Settle, _) => "the chain tells what became of it",
        (Step::UpdateEnv, _) if !state.rotations.is_busy() => "waits for your word on it",
        _ => "",
    };
    text.to_owned()
}

fn left(state: &State, rotation: &Rotation) -> Option<u64> {
    Some(rotation.grace?.left(finalized(state)?))
}

/// The grace as a bar that fills, with blocks and time that are left; before it runs, how long it will be.
fn grace(state: &State, rotation: &Rotation, mark: Mark, room: usize, styles: Styles) -> Vec<Span<'static>> {
    let length = |blocks: u64| format!("{} blocks, {}", grouped(blocks), age_blocks(blocks));
    let planned =
        if rotation.emergency { "none: the old token is revoked".to_owned() } else { length(rotation.grace_blocks) };
    let (Mark::Now, Some(grace)) = (mark, rotation.grace) else {
        return vec![ink(planned, styles.dim())];
    };
    let all = grace.ends_at.saturating_sub(grace.from).max(1);
    let Some(left) = left(state, rotation) else {
        return vec![ink(format!("until #{}; no block is known yet", grouped(grace.ends_at)), styles.dim())];
    };
    let passed = usize::try_from(all.saturating_sub(left)).unwrap_or(usize::MAX);
    let filled = proportions(&[passed, usize::try_from(left).unwrap_or(usize::MAX).min(1_000_000)], BAR)[0];
    let forms = [
        format!(
            "  {} of {} blocks left · {} · to #{}",
            grouped(left),
            grouped(all),
            age_blocks(left),
            grouped(grace.ends_at)
        ),
        format!("  {} of {} blocks left · {}", grouped(left), grouped(all), age_blocks(left)),
        format!("  {} blocks · {}", grouped(left), age_blocks(left)),
    ];
    vec![
        ink("█".repeat(filled), styles.accent()),
        ink("░".repeat(BAR - filled), styles.dim()),
        ink(fitting(forms, room.saturating_sub(BAR)), strong_when_near(left, styles)),
    ]
}

fn strong_when_near(left: u64, styles: Styles) -> Style {
    if left < 10 { styles.strong() } else { styles.plain() }
}
