//! The keys that do something now, the most useful first; narrow terminals lose the least useful.
//!
//! ```text
//!  enter detail   / filter   s sort   u you   y copy   ? help   q quit
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::style::Styles;
use super::text::{columns, ink};
use crate::domain::rotation::Step as RotationStep;
use crate::tui::commit::{Choice, Step, question};
use crate::tui::keymap::{Command, KeyMode, SPECS};
use crate::tui::probes::{Scope, scope};
use crate::tui::rotate::{AcceptChoice, Asked, EnvChoice, Page, WizardStep, blocks_left, forbidden, page};
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
            let urgent = match spec.command {
                Command::Pause => state.model.table.paused().is_some(),
                Command::Rotate => state.rotations.open().is_some(),
                _ => false,
            };
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
    let known = state.model.table.snapshot().is_some();
    if matches!(state.mode, Mode::Commit | Mode::Rotate | Mode::Leaving(_) | Mode::SelfTest(_)) {
        return in_dialog(state, command);
    }
    Some(match (state.keys(), command) {
        (KeyMode::Normal, Command::Open | Command::Copy | Command::Verify) if !listed => return None,
        (KeyMode::Normal, Command::Probe | Command::Sweep | Command::Mark | Command::Failed | Command::Map) => {
            return tests(state, command);
        }
        (KeyMode::Normal, Command::SelfTest) if state.options.read_only || state.model.own.hotkey.is_none() => {
            return None;
        }
        (KeyMode::Normal, Command::Filter | Command::Sort | Command::Reverse | Command::ExMembers | Command::Pause)
            if !known =>
        {
            return None;
        }
        (KeyMode::Normal, Command::ExMembers) if state.model.table.roster().summary.ex_members == 0 => return None,
        (KeyMode::Normal, Command::Back) if state.commits.has_dismissible() || state.rotations.over => "dismiss",
        (KeyMode::Normal, Command::Back) if state.view == View::Subnet => {
            match (state.list.is_filtered(), state.probes.marks()) {
                (true, _) => "clear filter",
                (false, 0) => return None,
                (false, _) => "clear marks",
            }
        }
        (KeyMode::Normal, Command::Commit) => match (&state.commits.session, state.model.own.hotkey, state.view) {
            (Some(_), ..) => "show commit",
            (None, Some(_), View::Subnet | View::Detail | View::You) => "commit",
            (None, ..) => return None,
        },
        (KeyMode::Normal, Command::Rotate) => match (state.rotations.open(), state.model.own.hotkey, state.view) {
            (Some(_), ..) => "show rotation",
            (None, Some(_), View::Subnet | View::Detail | View::You) => "rotate",
            (None, ..) => return None,
        },
        (KeyMode::Normal, Command::RollBack) => return None,
        (KeyMode::Normal, Command::Acknowledge) if state.proofs.unread(state.model.now_ms).next().is_none() => {
            return None;
        }
        (KeyMode::Normal, Command::CancelWaiting) if !state.commits.is_awaiting() => return None,
        (KeyMode::Normal, Command::You) if state.view == View::You => return None,
        (KeyMode::Normal, Command::Logs) if state.view == View::Logs => return None,
        (KeyMode::Normal, Command::Help) if state.view == View::Help => return None,
        (KeyMode::Normal, Command::Pause) if state.model.table.paused().is_some() => "unfreeze",
        (KeyMode::Normal, Command::ExMembers) if state.list.ex_members => "hide ex-members",
        (KeyMode::Filter, Command::Cancel) => "no filter",
        (KeyMode::Choose, command) if was_sent(state) => match command {
            Command::Accept => "close",
            _ => return None,
        },
        (KeyMode::Choose, Command::Accept) => "copy",
        (KeyMode::Palette, Command::Accept) => "do it",
        _ => command.spec().hint,
    })
}

fn was_sent(state: &State) -> bool {
    matches!(&state.mode, Mode::Choose(chooser) if chooser.sent)
}

/// The same of read tests.
fn tests(state: &State, command: Command) -> Option<&'static str> {
    let listed = !state.list.slots().is_empty();
    Some(match (command, state.view) {
        (Command::Probe, View::You) if state.model.own.hotkey.is_none() => return None,
        (Command::Probe, View::You) => "am I seen?",
        (Command::Sweep, _) if state.probes.sweep.is_some() => "cancel test",
        (Command::Map, View::Map) => return None,
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
        (Mode::Rotate, ..) => return rotating(state, command),
        (_, _, Command::Down | Command::Up) if view::dialog_scroll_limit(state) == 0 => return None,
        (Mode::Leaving(Choice::Yes), _, Command::Accept) => "leave",
        (Mode::Leaving(Choice::No) | Mode::SelfTest(Choice::No), _, Command::Cancel) => return None,
        (Mode::Leaving(_), _, Command::Accept | Command::Cancel) => "stay",
        (Mode::SelfTest(Choice::Yes), _, Command::Accept) => "test",
        (Mode::SelfTest(_), _, Command::Accept | Command::Cancel) => "no",
        (Mode::Leaving(_) | Mode::SelfTest(_), ..) => command.spec().hint,
        (_, Some(Step::Deciding(deciding)), Command::Accept) => match (question(state), deciding.choice) {
            (Some(question), Choice::Yes) if question.waits_for_uid => "arm",
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
        (_, Some(Step::AwaitingRegistration { .. }), Command::Cancel) => "leave it armed",
        (_, Some(Step::AwaitingRegistration { cancelling: false }), Command::CancelWaiting) => "disarm",
        (_, Some(Step::Over(_)), Command::Accept) => "close",
        (_, Some(Step::Deciding(_) | Step::Over(_)), Command::Cancel)
        | (_, _, Command::Accept | Command::CancelWaiting | Command::RollBack) => {
            return None;
        }
        _ => command.spec().hint,
    })
}

/// The same in the dialog of a rotation.
fn rotating(state: &State, command: Command) -> Option<&'static str> {
    let chooses = state.rotations.wizard.as_ref().is_some_and(|wizard| wizard.step == WizardStep::What);
    match command {
        Command::Down | Command::Up if !chooses && view::dialog_scroll_limit(state) == 0 => None,
        Command::Accept => accepts(state),
        Command::Cancel => cancels(state),
        Command::NextChoice => moves(state),
        Command::RollBack => turns_back(state).then_some("roll back"),
        Command::CancelWaiting => None,
        _ => Some(command.spec().hint),
    }
}

fn turns_back(state: &State) -> bool {
    let page = matches!(page(state), Page::Stepper | Page::Revoke);
    let free = !state.rotations.is_busy() && !state.rotations.driven_elsewhere && forbidden(state).is_none();
    page && free && state.rotations.open().is_some_and(|report| report.rotation.can_roll_back())
}

fn accepts(state: &State) -> Option<&'static str> {
    let rotations = &state.rotations;
    let confirms = state.keys() == KeyMode::Confirm;
    Some(match page(state) {
        Page::Wizard => match rotations.wizard.as_ref().map(|wizard| (wizard.step, wizard.choice))? {
            (WizardStep::What, _) => "choose",
            (WizardStep::Keys, _) => "go on",
            (WizardStep::Summary, Choice::Yes) => "begin",
            (WizardStep::Summary, Choice::No) => "no",
            (WizardStep::Begun, _) => return None,
        },
        Page::Stepper if rotations.is_busy() => return None,
        Page::Stepper if rotations.driven_elsewhere || forbidden(state).is_some() => "look again",
        Page::Stepper => match rotations.open()?.rotation.step() {
            RotationStep::Retire if blocks_left(state) == Some(0) => "retire",
            RotationStep::Retire => "check again",
            _ => "go on",
        },
        Page::RollBack if rotations.turning == Some(Choice::Yes) => "roll back",
        Page::Restarted if matches!(rotations.question, Some(Asked::Restarted(Choice::Yes))) => "all were restarted",
        Page::RollBack | Page::Restarted => "no",
        Page::Publish if confirms && rotations.publishing()?.deciding.choice == Choice::Yes => "publish",
        Page::Password => return (rotations.publishing()?.password.as_ref()?.chars > 0).then_some("unlock"),
        Page::Running => return None,
        Page::Env | Page::Accept => match &rotations.question {
            Some(Asked::Env { choice: EnvChoice::Rewrite, .. }) => "rewrite",
            Some(Asked::Env { choice: EnvChoice::Elsewhere, .. }) => "take it as done",
            Some(Asked::Accept { choice: AcceptChoice::RollBack, .. }) => "roll back",
            Some(Asked::Accept { choice: AcceptChoice::GoOn, .. }) => "go on over it",
            _ => "not now",
        },
        Page::Publish => "not now",
        Page::Revoke => "it is revoked",
        Page::Unreadable => "look again",
        Page::Looking | Page::Barred | Page::Over => "close",
    })
}

fn cancels(state: &State) -> Option<&'static str> {
    let rotations = &state.rotations;
    Some(match page(state) {
        Page::Wizard => match rotations.wizard.as_ref().map(|wizard| (wizard.step, wizard.choice))? {
            (WizardStep::What, _) => "cancel",
            (WizardStep::Keys, _) | (WizardStep::Summary, Choice::Yes) => "back",
            (WizardStep::Summary, Choice::No) => return None,
            (WizardStep::Begun, _) => "leave it running",
        },
        Page::Running => "leave it running",
        Page::Stepper if rotations.is_busy() => "leave it running",
        Page::Stepper => "leave it as it is",
        Page::RollBack if rotations.turning == Some(Choice::Yes) => "no",
        Page::Password => "back",
        Page::Revoke => "not now",
        Page::Restarted if accepts(state) != Some("no") => "no",
        Page::Unreadable => "close",
        Page::Publish if rotations.publishing()?.deciding.choice == Choice::Yes => "not now",
        Page::Env | Page::Accept if accepts(state) != Some("not now") => "not now",
        _ => return None,
    })
}

fn moves(state: &State) -> Option<&'static str> {
    let plan = || state.rotations.publishing().map(|publishing| (publishing, publishing.plan.word()));
    match page(state) {
        Page::Wizard if state.keys() == KeyMode::Keys => Some("next field"),
        Page::Publish => {
            let (publishing, word) = plan()?;
            publishing.deciding.may_say_yes(word.as_deref()).then_some("choose")
        }
        _ => Some("choose"),
    }
}
