//! What the banner says of rotations: where an open one stands, what is next, and the key that shows it. Red where the chain
//! holds what it should not, yellow where something is asked, calm otherwise.

use super::{Look, Notice, PRESENT, TODO, URGENT, WHY, found, wrapped};
use crate::domain::diagnostic::Severity;
use crate::domain::rotation::{Phase, Report, Rotation, Seen, Step};
use crate::domain::text::{age_blocks, age_seconds, grouped};
use crate::tui::keymap::Command;
use crate::tui::rotate::{Urgency, blocks_left, finalized, is_undone, reverted, urgency};
use crate::tui::state::{Mode, State};

/// How an open rotation wants to be seen, outside its dialog.
pub(super) fn shown(state: &State) -> Option<Urgency> {
    if matches!(state.mode, Mode::Rotate) { None } else { urgency(state) }
}

/// Everything there is to say.
pub(super) fn notices(state: &State) -> Vec<Notice> {
    let rotations = &state.rotations;
    match (shown(state), rotations.open()) {
        (Some(urgency), Some(report)) => open(state, report, urgency),
        _ if matches!(state.mode, Mode::Rotate) => Vec::new(),
        _ if rotations.over => over(state),
        _ => closed_trouble(state),
    }
}

fn open(state: &State, report: &Report, urgency: Urgency) -> Vec<Notice> {
    let rotation = &report.rotation;
    let (glyph, look, rank) = match urgency {
        Urgency::Wrong => ("✗", Look::Bad, URGENT),
        Urgency::Asks => ("▲", Look::Odd, PRESENT),
        Urgency::Calm => ("●", Look::Note, PRESENT),
    };
    let whose = format!("Rotation {} → {}", rotation.from, rotation.to);
    let direction = if rotation.back { ", going back" } else { "" };
    let since = age_seconds(state.since(rotation.since_ms) / 1_000);
    let stands = match (reverted(state), blocks_left(state)) {
        (Some(seen), _) => instead(seen),
        _ if rotation.difference.is_some() => "stopped, something else is on chain".to_owned(),
        _ if is_undone(rotation) => format!("undone on chain since {since}"),
        (None, Some(left)) if left > 0 => {
            format!("grace, {} blocks (about {}) left", grouped(left), age_blocks(left))
        }
        (None, Some(_)) => "the grace is over".to_owned(),
        _ => format!("{} since {since}", rotation.phase.words()),
    };
    let key = state.key(Command::Rotate);
    let shows = match (urgency, rotation.can_roll_back()) {
        _ if state.rotations.driven_elsewhere => format!("{key} looks"),
        (Urgency::Calm, _) if rotation.phase == Phase::Grace => format!("{key} shows it"),
        (_, true) => format!("{key} resumes or rolls back"),
        (_, false) => format!("{key} resumes"),
    };
    let lead = format!("{whose}{direction}: {stands}");
    let elsewhere = state.rotations.driven_elsewhere.then(|| "another console drives it".to_owned());
    let parts = [lead, shows].into_iter().chain(elsewhere).collect();
    let mut notices = vec![Notice { glyph, parts, look, rank }];
    let calm = urgency == Urgency::Calm && rotation.step() == Step::Retire;
    if !calm {
        let text = what_next(state, rotation);
        let rank = if urgency == Urgency::Calm { TODO } else { WHY };
        notices.extend(wrapped(state, " ", &text, Look::Quiet, rank));
    }
    notices
}

fn instead(seen: Seen) -> String {
    match seen {
        Seen::Nothing => "nothing is on chain any more".to_owned(),
        Seen::Unreadable => "something unreadable is on chain instead".to_owned(),
        Seen::Holds(held) => format!("fp {} is on chain instead", held.secret.short()),
    }
}

fn what_next(state: &State, rotation: &Rotation) -> String {
    match (&state.rotations.trouble, rotation.difference) {
        (Some(told), _) => format!("stopped: {} → {}", told.summary, told.help),
        (None, Some(_)) => "look who put it there, then go on over it or roll back".to_owned(),
        (None, None) if reverted(state).is_some() => {
            "most often a GRAIL that started with an old .env: see to that, then go on or roll back".to_owned()
        }
        (None, None) => format!("next: {}", rotation.next(finalized(state)).words),
    }
}

/// It has ended behind the closed dialog.
fn over(state: &State) -> Vec<Notice> {
    let Some(rotation) = state.rotations.report.as_ref().map(|report| &report.rotation) else { return Vec::new() };
    let (glyph, look) = if rotation.phase == Phase::Retired { ("✓", Look::Good) } else { ("▲", Look::Odd) };
    let lead = format!("Rotation {} → {}: {}", rotation.from, rotation.to, rotation.phase.words());
    let keys = [(Command::Rotate, "shows it"), (Command::Back, "dismisses")];
    let keys = keys.map(|(command, word)| format!("{} {word}", state.key(command)));
    vec![Notice { glyph, parts: [lead].into_iter().chain(keys).collect(), look, rank: PRESENT }]
}

/// The journal cannot be read, or none could be begun.
fn closed_trouble(state: &State) -> Vec<Notice> {
    let Some(told) = &state.rotations.trouble else { return Vec::new() };
    let rank = if told.severity == Severity::Danger { URGENT } else { PRESENT };
    let shows = format!("{} shows it", state.key(Command::Rotate));
    found(state, &format!("Rotation: {}", told.summary), told, &shows, rank)
}
