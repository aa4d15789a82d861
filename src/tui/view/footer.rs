//! The keys that do something now, the most useful first; narrow terminals lose the least useful.
//!
//! ```text
//!  enter detail   / filter   s sort   u you   y copy   ? help   q quit
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::ink::{columns, ink};
use super::style::Styles;
use crate::tui::commit::{Choice, Step, question};
use crate::tui::keymap::{Command, KeyMode, SPECS};
use crate::tui::probes::{Scope, scope};
use crate::tui::state::{Mode, State, View};
use crate::tui::view;

/// A key and its word, with the rank at which it goes.
struct Hint {
    key: String,
    word: &'static str,
    rank: u8,
}

const GAP: usize = 3;

/// Draws the footer.
pub(super) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let mut hints = hints(state);
    while hints.iter().map(width).sum::<usize>() > usize::from(area.width) + GAP - 2 {
        let Some(least) = hints.iter().enumerate().rev().min_by_key(|(_, hint)| hint.rank).map(|(i, _)| i) else {
            break;
        };
        hints.remove(least);
    }
    let mut line = Line::from(" ");
    for hint in hints {
        line.push_span(ink(&hint.key, styles.strong()));
        line.push_span(ink(format!(" {}{}", hint.word, " ".repeat(GAP)), styles.dim()));
    }
    frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
}

fn width(hint: &Hint) -> usize {
    columns(&hint.key) + 1 + columns(hint.word) + GAP
}

fn hints(state: &State) -> Vec<Hint> {
    let mode = state.keys();
    let mut hints: Vec<Hint> = SPECS
        .iter()
        .filter(|spec| mode != KeyMode::Normal || spec.views.contains(&state.view))
        .filter_map(|spec| {
            let key = state.keymap.chords(mode, spec.command).first()?.to_string();
            let word = word(state, spec.command)?;
            let moves = matches!(spec.command, Command::Down | Command::Up);
            let urgent = spec.command == Command::Freeze && state.table.frozen().is_some();
            let rank = match spec.rank {
                _ if mode != KeyMode::Normal && moves => 1,
                _ if urgent => 8,
                rank => rank,
            };
            Some(Hint { key, word, rank })
        })
        .filter(|hint| hint.rank > 0)
        .collect();
    if mode != KeyMode::Normal {
        hints.sort_by_key(|hint| std::cmp::Reverse(hint.rank));
    }
    hints
}

/// The word for what the command does at this moment; `None` when it would do nothing.
fn word(state: &State, command: Command) -> Option<&'static str> {
    let listed = !state.list.slots().is_empty();
    let known = state.table.snapshot().is_some();
    if matches!(state.mode, Mode::Commit | Mode::Leaving(_) | Mode::SelfTest(_)) {
        return in_dialog(state, command);
    }
    Some(match (state.keys(), command) {
        (KeyMode::Normal, Command::Open | Command::Copy) if !listed => return None,
        (KeyMode::Normal, Command::Probe | Command::Sweep | Command::Mark | Command::Failed | Command::Fleet) => {
            return tests(state, command);
        }
        (KeyMode::Normal, Command::SelfTest) if state.options.read_only || state.own.hotkey.is_none() => return None,
        (KeyMode::Normal, Command::Filter | Command::Sort | Command::Reverse | Command::Orphans | Command::Freeze)
            if !known =>
        {
            return None;
        }
        (KeyMode::Normal, Command::Orphans) if state.table.roster().summary.orphans == 0 => return None,
        (KeyMode::Normal, Command::Back) if state.commits.has_dismissible() => "dismiss",
        (KeyMode::Normal, Command::Back) if state.view == View::Subnet => {
            match (state.list.is_filtered(), state.probes.marks()) {
                (true, _) => "clear filter",
                (false, 0) => return None,
                (false, _) => "clear marks",
            }
        }
        (KeyMode::Normal, Command::Commit) => match (&state.commits.session, state.own.hotkey, state.view) {
            (Some(_), ..) => "show commit",
            (None, Some(_), View::Subnet | View::Detail | View::You) => "commit",
            (None, ..) => return None,
        },
        (KeyMode::Normal, Command::Disarm) if !state.commits.is_armed() => return None,
        (KeyMode::Normal, Command::You) if state.view == View::You => return None,
        (KeyMode::Normal, Command::Logs) if state.view == View::Logs => return None,
        (KeyMode::Normal, Command::Help) if state.view == View::Help => return None,
        (KeyMode::Normal, Command::Freeze) if state.table.frozen().is_some() => "unfreeze",
        (KeyMode::Normal, Command::Orphans) if state.list.orphans => "hide ex-members",
        (KeyMode::Filter, Command::Cancel) => "no filter",
        (KeyMode::Choose, Command::Accept) => "copy",
        (KeyMode::Palette, Command::Accept) => "do it",
        _ => command.spec().hint,
    })
}

/// The same of read tests.
fn tests(state: &State, command: Command) -> Option<&'static str> {
    let listed = !state.list.slots().is_empty();
    Some(match (command, state.view) {
        (Command::Probe, View::You) if state.own.hotkey.is_none() => return None,
        (Command::Probe, View::You) => "am I seen?",
        (Command::Sweep, _) if state.probes.sweep.is_some() => "cancel test",
        (Command::Fleet, View::Fleet) => return None,
        (Command::Failed, _) if state.probes.tested() == 0 => return None,
        _ if !listed => return None,
        (Command::Sweep, _) => match scope(state) {
            Scope::Marked => "test marked",
            Scope::Filtered => "test listed",
            Scope::All => "test all",
        },
        (Command::Mark, _) if state.selected().is_some_and(|row| state.probes.is_marked(&row.hotkey)) => "unmark",
        _ => command.spec().hint,
    })
}

/// The same in a dialog: what enter takes is named, so that nobody has to guess.
fn in_dialog(state: &State, command: Command) -> Option<&'static str> {
    let step = state.commits.session.as_ref().map(|session| &session.step);
    Some(match (&state.mode, step, command) {
        (_, _, Command::Down | Command::Up) if view::dialog_scroll_limit(state) == 0 => return None,
        (Mode::Leaving(Choice::Yes), _, Command::Accept) => "leave",
        (Mode::Leaving(Choice::No) | Mode::SelfTest(Choice::No), _, Command::Cancel) => return None,
        (Mode::Leaving(_), _, Command::Accept | Command::Cancel) => "stay",
        (Mode::SelfTest(Choice::Yes), _, Command::Accept) => "test",
        (Mode::SelfTest(_), _, Command::Accept | Command::Cancel) => "no",
        (Mode::Leaving(_) | Mode::SelfTest(_), ..) => command.spec().hint,
        (_, Some(Step::Deciding(deciding)), Command::Accept) => match (question(state), deciding.choice) {
            (Some(question), Choice::Yes) if question.arms => "arm",
            (Some(_), Choice::Yes) => "publish",
            (Some(_), Choice::No) if state.keys() == KeyMode::Confirm => "no",
            _ => "close",
        },
        (_, Some(Step::Deciding(deciding)), Command::NextChoice) => {
            let word = question(state)?.plan.word();
            return deciding.may_say_yes(word.as_deref()).then_some("choose");
        }
        (_, Some(Step::Deciding(deciding)), Command::Cancel) if deciding.choice == Choice::Yes => "no",
        (_, Some(Step::Password(line)), Command::Accept) => return (line.chars > 0).then_some("unlock"),
        (_, Some(Step::Running(_)), Command::Cancel) => "leave it running",
        (_, Some(Step::Armed { .. }), Command::Cancel) => "leave it armed",
        (_, Some(Step::Armed { disarming: false }), Command::Disarm) => "disarm",
        (_, Some(Step::Over(_)), Command::Accept) => "close",
        (_, Some(Step::Deciding(_) | Step::Over(_)), Command::Cancel) | (_, _, Command::Accept | Command::Disarm) => {
            return None;
        }
        _ => command.spec().hint,
    })
}
