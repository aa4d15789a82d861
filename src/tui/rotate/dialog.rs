//! Answers to the machine's questions. Each begins with the safe one, and enter takes nothing but what was moved to.

use tui_input::InputRequest;

use super::actions::{not_now, send};
use super::{AcceptChoice, Asked, EnvChoice, forbidden, question};
use crate::domain::commit::messages::Locked;
use crate::domain::rotation::Seen;
use crate::domain::rotation::messages::{EnvAnswer, RotateOrder};
use crate::tui::commit::{Choice, PasswordLine, Run};
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::state::State;

/// Characters of the word that confirms a commit.
const TYPED: usize = 8;
/// Characters of a fingerprint that confirm that it was looked at.
pub(super) const PRINT: usize = 4;

/// Whether to publish.
pub(super) fn publish(state: &mut State, command: Command) -> Vec<Effect> {
    let word = question(state).and_then(crate::domain::commit::Plan::word);
    let (asks, allowed) = (question(state).is_some(), forbidden(state).is_none());
    let Some(publishing) = state.rotations.publishing_mut() else { return Vec::new() };
    let may = asks && allowed && publishing.deciding.may_say_yes(word.as_deref());
    match (command, publishing.deciding.choice) {
        (Command::NextChoice | Command::PreviousChoice, Choice::No) if may => publishing.deciding.choice = Choice::Yes,
        (Command::NextChoice | Command::PreviousChoice, _) => publishing.deciding.choice = Choice::No,
        (Command::Accept, Choice::Yes) if may && publishing.locked == Locked::Password => {
            publishing.password = Some(PasswordLine::default());
        }
        (Command::Accept, Choice::Yes) if may => return order(state),
        (Command::Accept | Command::Cancel, _) => return not_now(state),
        _ => {}
    }
    Vec::new()
}

/// The key file's password.
pub(super) fn password(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(publishing) = state.rotations.publishing_mut() else { return Vec::new() };
    let typed = publishing.password.as_ref().is_some_and(|line| line.chars > 0);
    match command {
        Command::Accept if typed => return order(state),
        Command::Cancel => {
            publishing.password = None;
            publishing.deciding.choice = Choice::No;
        }
        _ => {}
    }
    Vec::new()
}

/// Sends what was confirmed on its way.
fn order(state: &mut State) -> Vec<Effect> {
    let now_ms = state.model.now_ms;
    let Some(publishing) = state.rotations.publishing_mut() else { return Vec::new() };
    if let Some(line) = &mut publishing.password {
        *line = PasswordLine::default();
    }
    let (request, target) = (publishing.request, publishing.plan.new.clone());
    state.rotations.run = Some(Box::new(Run::begin(now_ms, false)));
    state.commits.watch.recognise(&target);
    send(state, RotateOrder::Publish(request), "Publishing")
}

/// What about the `.env`.
pub(super) fn env(state: &mut State, command: Command) -> Vec<Effect> {
    let allowed = forbidden(state).is_none();
    let Some(Asked::Env { path, choice, .. }) = &mut state.rotations.question else { return Vec::new() };
    let all: &[EnvChoice] = match path {
        Some(_) => &[EnvChoice::NotNow, EnvChoice::Rewrite, EnvChoice::Elsewhere],
        None => &[EnvChoice::NotNow, EnvChoice::Elsewhere],
    };
    let answer = match (command, *choice) {
        (Command::NextChoice, now) => {
            *choice = moved(all, now, 1);
            return Vec::new();
        }
        (Command::PreviousChoice, now) => {
            *choice = moved(all, now, all.len() - 1);
            return Vec::new();
        }
        (Command::Accept, EnvChoice::Rewrite) if allowed => (EnvAnswer::Rewrite, "Rewriting the .env"),
        (Command::Accept, EnvChoice::Elsewhere) if allowed => (EnvAnswer::DoneElsewhere, "Taking it as done"),
        (Command::Accept | Command::Cancel, _) => return not_now(state),
        _ => return Vec::new(),
    };
    state.rotations.question = None;
    send(state, RotateOrder::Env(answer.0), answer.1)
}

/// Whether every process of the subnet was restarted.
pub(super) fn restarted(state: &mut State, command: Command) -> Vec<Effect> {
    let allowed = forbidden(state).is_none();
    let Some(Asked::Restarted(choice)) = &mut state.rotations.question else { return Vec::new() };
    match (command, *choice) {
        (Command::NextChoice | Command::PreviousChoice, Choice::No) if allowed => *choice = Choice::Yes,
        (Command::NextChoice | Command::PreviousChoice, _) => *choice = Choice::No,
        (Command::Accept, Choice::Yes) if allowed => {
            state.rotations.question = None;
            return send(state, RotateOrder::RetireAllRestarted, "Checking that everything holds");
        }
        (Command::Accept | Command::Cancel, _) => return not_now(state),
        _ => {}
    }
    Vec::new()
}

/// Something else is on chain.
pub(super) fn accept(state: &mut State, command: Command) -> Vec<Effect> {
    let (word, allowed, turns) = (word(state), forbidden(state).is_none(), can_roll_back(state));
    let Some(Asked::Accept { typed, choice }) = &mut state.rotations.question else { return Vec::new() };
    let reached = word.is_none_or(|word| *typed == word);
    let both = [AcceptChoice::NotNow].into_iter().chain(turns.then_some(AcceptChoice::RollBack));
    let all: Vec<AcceptChoice> = both.chain(reached.then_some(AcceptChoice::GoOn)).collect();
    match (command, *choice) {
        (Command::NextChoice, now) => *choice = moved(&all, now, 1),
        (Command::PreviousChoice, now) => *choice = moved(&all, now, all.len() - 1),
        (Command::Accept, AcceptChoice::RollBack) => return super::actions::ask_to_turn_back(state),
        (Command::Accept, AcceptChoice::GoOn) if reached && allowed => {
            state.rotations.question = None;
            return send(state, RotateOrder::Accept, "Going on over it");
        }
        (Command::Accept | Command::Cancel, _) => return not_now(state),
        _ => {}
    }
    Vec::new()
}

fn can_roll_back(state: &State) -> bool {
    state.rotations.open().is_some_and(|report| report.rotation.can_roll_back())
}

/// The answer so many further on, round the circle.
fn moved<T: Copy + PartialEq>(all: &[T], now: T, by: usize) -> T {
    let at = all.iter().position(|answer| *answer == now).unwrap_or_default();
    all[(at + by) % all.len()]
}

/// What must be typed before one goes on over what the chain holds; nothing where it holds nobody's key.
pub fn word(state: &State) -> Option<String> {
    let seen = state.rotations.open()?.rotation.difference?;
    Some(Seen::fingerprint(&seen)?.short().chars().take(PRINT).collect())
}

/// Types into the word that confirms. Whatever is typed, the answer is the safe one again until it is chosen anew.
pub(super) fn typed(state: &mut State, request: InputRequest) {
    let (publishes, accepts) = (question(state).and_then(crate::domain::commit::Plan::word), word(state));
    match &mut state.rotations.question {
        Some(Asked::Publish(publishing)) if publishes.is_some() => {
            let edited = edit(&mut publishing.deciding.typed, request, TYPED);
            publishing.deciding.choice = if edited { Choice::No } else { publishing.deciding.choice };
        }
        Some(Asked::Accept { typed, choice }) if accepts.is_some() => {
            let edited = edit(typed, request, PRINT);
            *choice = if edited { AcceptChoice::NotNow } else { *choice };
        }
        _ => {}
    }
}

/// Edits the end of a short word. Whether that was an edit at all.
fn edit(text: &mut String, request: InputRequest, most: usize) -> bool {
    match request {
        InputRequest::InsertChar(c) if !c.is_whitespace() && text.chars().count() < most => text.push(c),
        InputRequest::DeletePrevChar => drop(text.pop()),
        InputRequest::DeletePrevWord | InputRequest::DeleteFromStart => text.clear(),
        _ => return false,
    }
    true
}
