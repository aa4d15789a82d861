//! What the operator does about a rotation: look, begin, go on, turn back, leave.

use tui_input::InputRequest;

use super::wizard::Outcome;
use super::{Asked, Page, Rotations, Wizard, Working, barred, blocks_left, dialog, forbidden, page};
use crate::domain::rotation::Step;
use crate::domain::rotation::messages::RotateOrder;
use crate::engine::service::Request;
use crate::tui::commit::Choice;
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::state::{Mode, State};
use crate::tui::view;

/// `R`: shows the open rotation, looking at it anew, or begins with what is to be replaced.
pub fn asked(state: &mut State) -> Vec<Effect> {
    state.mode = Mode::Rotate;
    let begins = state.rotations.heard && state.rotations.open().is_none() && !state.rotations.over;
    let rotations = &mut state.rotations;
    rotations.scroll = 0;
    if begins {
        rotations.trouble = None;
        open_wizard(state);
        return Vec::new();
    }
    let rests = !rotations.is_busy() && !rotations.driving && rotations.question.is_none() && !rotations.over;
    if rests { vec![Effect::Ask(Request::Rotate(RotateOrder::Look))] } else { Vec::new() }
}

/// Opens the wizard where a rotation can be begun.
pub(super) fn open_wizard(state: &mut State) {
    state.rotations.wizard = barred(state).is_none().then(Wizard::default);
}

/// A command in the dialog.
pub fn on_command(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(lines) = scrolls(state, command) {
        let most = view::dialog_scroll_limit(state);
        let scroll = &mut state.rotations.scroll;
        *scroll = (*scroll).min(most).saturating_add_signed(lines).min(most);
        return Vec::new();
    }
    let before = page(state);
    let effects = on_page(state, before, command);
    if page(state) != before {
        state.rotations.scroll = 0;
    }
    effects
}

/// By how many lines a command scrolls; where one chooses from a list, it moves there instead.
fn scrolls(state: &State, command: Command) -> Option<isize> {
    let lines = match command {
        Command::Down => 1,
        Command::Up => -1,
        Command::PageDown => 8,
        Command::PageUp => -8,
        _ => return None,
    };
    let chooses = state.rotations.wizard.as_ref().is_some_and(Wizard::is_choosing);
    (page(state) != Page::Wizard || !chooses).then_some(lines)
}

fn on_page(state: &mut State, page: Page, command: Command) -> Vec<Effect> {
    match (page, command) {
        (Page::Wizard, _) => in_wizard(state, command),
        (Page::RollBack, _) => turning(state, command),
        (Page::Publish, _) => dialog::publish(state, command),
        (Page::Password, _) => dialog::password(state, command),
        (Page::Env, _) => dialog::env(state, command),
        (Page::Accept, _) => dialog::accept(state, command),
        (Page::Restarted, _) => dialog::restarted(state, command),
        (_, Command::RollBack) => ask_to_turn_back(state),
        (Page::Revoke, Command::Cancel) => not_now(state),
        (Page::Running, Command::Accept) => Vec::new(),
        (Page::Revoke | Page::Stepper, Command::Accept) => go_on(state),
        (Page::Unreadable, Command::Accept) => look(state),
        (_, Command::Accept | Command::Cancel) => leave(state),
        _ => Vec::new(),
    }
}

/// Types into the word that confirms, or into the grace.
pub fn typed(state: &mut State, request: InputRequest) {
    match page(state) {
        Page::Wizard => {
            if let Some(wizard) = &mut state.rotations.wizard {
                wizard.typed(request);
            }
        }
        Page::Publish | Page::Accept => dialog::typed(state, request),
        _ => {}
    }
}

fn in_wizard(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(wizard) = &mut state.rotations.wizard else { return Vec::new() };
    if command != Command::Cancel {
        state.rotations.trouble = None;
    }
    match wizard.on_command(command) {
        Outcome::Stays => Vec::new(),
        Outcome::Left => leave(state),
        Outcome::Begins(order) => send(state, order, "Handing the new keys over"),
    }
}

/// Enter on the way: what is asked for is done, everything else goes on by itself as far as it can.
fn go_on(state: &mut State) -> Vec<Effect> {
    if state.rotations.is_busy() {
        return Vec::new();
    }
    let Some(report) = state.rotations.open() else { return leave(state) };
    let (step, left) = (report.rotation.step(), blocks_left(state));
    if state.rotations.driven_elsewhere || forbidden(state).is_some() {
        return look(state);
    }
    let asks = report.rotation.may_hear_of_restarts();
    state.rotations.question = None;
    match step {
        Step::Retire if left == Some(0) && asks => {
            state.rotations.question = Some(Asked::Restarted(Choice::No));
            Vec::new()
        }
        Step::Retire if left == Some(0) => send(state, RotateOrder::Retire, "Checking that everything holds"),
        Step::Retire => send(state, RotateOrder::Resume, "Looking at chain, keys and .env"),
        Step::Revoke(_) => send(state, RotateOrder::Resume, "Asking the store whether the old token is refused"),
        _ => send(state, RotateOrder::Resume, "Going on"),
    }
}

fn look(state: &mut State) -> Vec<Effect> {
    state.rotations.trouble = None;
    state.rotations.working =
        Some(Working { words: "Looking where it stands".to_owned(), since_ms: state.model.now_ms });
    vec![Effect::Ask(Request::Rotate(RotateOrder::Look))]
}

/// Sends an order on its way and says at once that something is done.
pub(super) fn send(state: &mut State, order: RotateOrder, words: &str) -> Vec<Effect> {
    let since_ms = state.model.now_ms;
    let rotations = &mut state.rotations;
    rotations.trouble = None;
    rotations.driving = true;
    rotations.working = Some(Working { words: words.to_owned(), since_ms });
    vec![Effect::Ask(Request::Rotate(order))]
}

/// Puts the question away; the rotation stays where it is.
pub(super) fn not_now(state: &mut State) -> Vec<Effect> {
    state.rotations.question = None;
    state.rotations.scroll = 0;
    Vec::new()
}

/// Asks whether to roll back, where that can still be done.
pub fn ask_to_turn_back(state: &mut State) -> Vec<Effect> {
    let why_not = match state.rotations.open().map(|report| &report.rotation) {
        None => Some("no rotation is open"),
        Some(_) if state.rotations.driven_elsewhere => Some("another console drives this rotation"),
        Some(_) if state.rotations.is_busy() => Some("at work on a step: it can be rolled back after that"),
        Some(rotation) if rotation.back => Some("it is being rolled back already"),
        Some(rotation) if rotation.retiring => Some("the old keys are being forgotten already"),
        Some(rotation) if !rotation.can_roll_back() => {
            Some("the store refuses the old key: there is no way back to it")
        }
        Some(_) => None,
    };
    if let Some(text) = why_not {
        state.say(text);
    } else {
        state.mode = Mode::Rotate;
        state.rotations.turning = Some(Choice::No);
    }
    Vec::new()
}

fn turning(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(choice) = state.rotations.turning else { return Vec::new() };
    if forbidden(state).is_some() {
        state.rotations.turning = None;
        return Vec::new();
    }
    match (command, choice) {
        (Command::NextChoice | Command::PreviousChoice, Choice::No) => state.rotations.turning = Some(Choice::Yes),
        (Command::NextChoice | Command::PreviousChoice, Choice::Yes) => state.rotations.turning = Some(Choice::No),
        (Command::Accept, Choice::Yes) => {
            state.rotations.turning = None;
            state.rotations.question = None;
            return send(state, RotateOrder::RollBack, "Turning back");
        }
        (Command::Accept | Command::Cancel, _) => state.rotations.turning = None,
        _ => {}
    }
    Vec::new()
}

/// Leaves the dialog. The rotation stays as it is; what is being done goes on, and then the lock is let go of.
fn leave(state: &mut State) -> Vec<Effect> {
    state.mode = Mode::Normal;
    let rotations = &mut state.rotations;
    (rotations.wizard, rotations.turning, rotations.over) = (None, None, false);
    if rotations.is_busy() { Vec::new() } else { rotations.let_go() }
}

impl Rotations {
    /// Lets go of the lock, if orders of this screen hold it.
    pub(super) fn let_go(&mut self) -> Vec<Effect> {
        let driven = std::mem::take(&mut self.driving);
        driven.then_some(Effect::Ask(Request::Rotate(RotateOrder::Leave))).into_iter().collect()
    }
}

impl Wizard {
    fn is_choosing(&self) -> bool {
        self.step == super::WizardStep::What
    }
}

/// Puts away that it is over. Whether it was.
pub fn dismiss(state: &mut State) -> bool {
    std::mem::take(&mut state.rotations.over)
}
