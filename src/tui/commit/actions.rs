//! What the operator does about a commit: ask for it, answer, leave, disarm, put a notice away.

use tui_input::InputRequest;

use crate::domain::commit::messages::Locked;
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Ended, Order};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::engine::service::Request;
use crate::tui::commit::{Choice, Deciding, End, PasswordLine, Run, Session, Step, forbidden, paused, question};
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::proofs;
use crate::tui::state::{Mode, State};
use crate::tui::view;

/// Characters of the word that confirms: more than a uid or the end of an address has, and few enough for the line.
const TYPED: usize = 8;

/// `C`: shows what is under way, or begins anew with a plan.
pub fn asked(state: &mut State) -> Vec<Effect> {
    state.mode = Mode::Commit;
    state.commits.settled.clear();
    if state.commits.session.is_some() {
        return Vec::new();
    }
    state.commits.request += 1;
    let request = state.commits.request;
    let mut session = Session::begin(request, state.model.now_ms);
    let barred = barred(state);
    let orders = barred.is_none().then_some(Effect::Ask(Request::Commit(Order::Plan(request))));
    if let Some(rule) = barred {
        let finding = Diagnostic { severity: Severity::Warning, ..Ended::Refused(rule).finding() };
        session.go(
            Step::Over(Box::new(End { at_ms: state.model.now_ms, ..End::without("not now", finding) })),
            state.model.now_ms,
        );
    }
    state.commits.session = Some(session);
    orders.into_iter().collect()
}

/// Why there is nothing to plan. A read-only console may well look at the plan; it only never publishes it.
fn barred(state: &State) -> Option<Rule> {
    nobody(state).or_else(|| paused(state, Command::Commit)).or_else(|| proofs::locked(state))
}

/// Why nothing can be done for a hotkey: there is none.
pub fn nobody(state: &State) -> Option<Rule> {
    state.model.own.hotkey.is_none().then(|| Rule::Other {
        code: "no_hotkey",
        what: "No hotkey is configured, so there is nobody to publish for".to_owned(),
        why: "A commitment is signed by the hotkey that it is for.",
        todo: format!(
            "Open the console with --wallet NAME --hotkey NAME; {} says how to make that last.",
            state.key(Command::You)
        ),
    })
}

/// A command in the dialog.
pub fn on_command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Accept => accept(state),
        Command::Cancel => leave(state),
        Command::NextChoice | Command::PreviousChoice => {
            choose(state);
            Vec::new()
        }
        Command::CancelWaiting => cancel_waiting(state),
        Command::Down => scroll(state, 1),
        Command::Up => scroll(state, -1),
        Command::PageDown => scroll(state, 8),
        Command::PageUp => scroll(state, -8),
        _ => Vec::new(),
    }
}

fn scroll(state: &mut State, lines: isize) -> Vec<Effect> {
    let most = view::dialog_scroll_limit(state);
    if let Some(session) = &mut state.commits.session {
        session.scroll = session.scroll.min(most).saturating_add_signed(lines).min(most);
    }
    Vec::new()
}

/// Moves to the other answer, if it can be reached.
fn choose(state: &mut State) {
    let word = question(state).and_then(|question| question.plan.word());
    let Some(deciding) = deciding(state) else { return };
    deciding.choice = match deciding.choice {
        Choice::No if deciding.may_say_yes(word.as_deref()) => Choice::Yes,
        _ => Choice::No,
    };
}

fn deciding(state: &mut State) -> Option<&mut Deciding> {
    match &mut state.commits.session.as_mut()?.step {
        Step::Deciding(deciding) => Some(deciding),
        _ => None,
    }
}

/// Types into the word that confirms. Whatever is typed, the answer is no again until it is chosen anew.
pub fn typed(state: &mut State, request: InputRequest) {
    let wanted = question(state).and_then(|question| question.plan.word()).is_some();
    let Some(deciding) = deciding(state).filter(|_| wanted) else { return };
    match request {
        InputRequest::InsertChar(c) if !c.is_whitespace() && deciding.typed.chars().count() < TYPED => {
            deciding.typed.push(c);
        }
        InputRequest::DeletePrevChar => drop(deciding.typed.pop()),
        InputRequest::DeletePrevWord | InputRequest::DeleteFromStart => deciding.typed.clear(),
        _ => return,
    }
    deciding.choice = Choice::No;
}

/// Enter. It confirms nothing but what was moved to before.
fn accept(state: &mut State) -> Vec<Effect> {
    let asks = question(state).is_some();
    match state.commits.session.as_ref().map(|session| &session.step) {
        Some(Step::Deciding(deciding)) if asks && deciding.choice == Choice::Yes => confirmed(state),
        Some(Step::Deciding(_) | Step::Over(_)) | None => leave(state),
        Some(Step::Password(line)) if line.chars > 0 => order(state),
        Some(Step::Reading | Step::Password(_) | Step::Running(_) | Step::AwaitingRegistration { .. }) => Vec::new(),
    }
}

/// Once more what [`choose`] demands, so that no way around it leads here.
fn confirmed(state: &mut State) -> Vec<Effect> {
    let word = question(state).and_then(|question| question.plan.word());
    if !deciding(state).is_some_and(|deciding| deciding.may_say_yes(word.as_deref())) {
        return Vec::new();
    }
    let (now_ms, allowed) = (state.model.now_ms, forbidden(state).is_none());
    match &mut state.commits.session {
        Some(session) if allowed && session.locked == Locked::Password => {
            session.go(Step::Password(PasswordLine::default()), now_ms);
            Vec::new()
        }
        _ => order(state),
    }
}

/// Sends what was confirmed on its way.
fn order(state: &mut State) -> Vec<Effect> {
    let now_ms = state.model.now_ms;
    let Some(question) = question(state) else { return Vec::new() };
    let (waits_for_uid, target) = (question.waits_for_uid, question.plan.new.clone());
    let Some(session) = &mut state.commits.session else { return Vec::new() };
    session.go(Step::Running(Box::new(Run::begin(now_ms, waits_for_uid))), now_ms);
    let request = session.request;
    state.commits.watch.recognise(&target);
    vec![Effect::Ask(Request::Commit(if waits_for_uid {
        Order::PublishWhenRegistered(request)
    } else {
        Order::Publish(request)
    }))]
}

/// Leaves the dialog. What is under way or armed goes on; what is over is put away; what was only looked at is forgotten.
fn leave(state: &mut State) -> Vec<Effect> {
    state.mode = Mode::Normal;
    let Some(session) = &state.commits.session else { return Vec::new() };
    match session.step {
        Step::Running(_) | Step::AwaitingRegistration { .. } => Vec::new(),
        Step::Over(_) => {
            state.commits.session = None;
            Vec::new()
        }
        Step::Reading | Step::Deciding(_) | Step::Password(_) => {
            let request = session.request;
            state.commits.session = None;
            vec![Effect::Ask(Request::Commit(Order::Forget(request)))]
        }
    }
}

/// Waits no longer. That it is so is said when it is heard, not before.
pub fn cancel_waiting(state: &mut State) -> Vec<Effect> {
    if let Some(Step::AwaitingRegistration { cancelling }) =
        state.commits.session.as_mut().map(|session| &mut session.step)
    {
        *cancelling = true;
        return vec![Effect::Ask(Request::Commit(Order::CancelWaiting))];
    }
    state.say("nothing is armed");
    Vec::new()
}

/// Puts the most pressing notice away. Whether there was one.
pub fn dismiss(state: &mut State) -> bool {
    let commits = &mut state.commits;
    if commits.watch.surprise.take().is_some() || commits.settled.pop().is_some() {
        return true;
    }
    let over = commits.session.as_ref().is_some_and(|session| matches!(session.step, Step::Over(_)));
    if over {
        commits.session = None;
    }
    over
}
