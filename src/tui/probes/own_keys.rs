//! The self-test of the own keys: asked for, confirmed, heard of.

use super::OwnKeys;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::log::Level;
use crate::domain::probe::ProbeOrder;
use crate::domain::self_test::SelfTest;
use crate::engine::service::Request;
use crate::tui::commit::Choice;
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::state::{Mode, State, View};

/// Asks whether to write a canary, where that can be done at all.
pub fn ask(state: &mut State) {
    let why_not = if state.options.read_only {
        Some("read-only: a self-test writes a canary into your bucket")
    } else if state.model.own.hotkey.is_none() {
        Some("no own hotkey is configured")
    } else if matches!(state.probes.own_keys, OwnKeys::Testing { .. }) {
        Some("your keys are being tested")
    } else {
        None
    };
    match why_not {
        Some(text) => state.say(text),
        None => state.mode = Mode::SelfTest(Choice::No),
    }
}

/// The answer: no, unless one moves to yes and takes it.
pub fn answer(state: &mut State, choice: Choice, command: Command) -> Vec<Effect> {
    match (command, choice) {
        (Command::NextChoice | Command::PreviousChoice, Choice::No) => state.mode = Mode::SelfTest(Choice::Yes),
        (Command::NextChoice | Command::PreviousChoice, Choice::Yes) => state.mode = Mode::SelfTest(Choice::No),
        (Command::Accept, Choice::Yes) => {
            state.mode = Mode::Normal;
            if state.view != View::You {
                state.came_from = state.view;
                state.view = View::You;
                state.scroll = 0;
            }
            state.probes.own_keys = OwnKeys::Testing { since_ms: state.model.now_ms };
            return vec![Effect::Ask(Request::Probe(ProbeOrder::SelfTest))];
        }
        (Command::Accept | Command::Cancel, _) => state.mode = Mode::Normal,
        _ => {}
    }
    Vec::new()
}

/// It has ended. One of another hotkey is dropped: the own one has changed.
pub fn tested(state: &mut State, test: Box<SelfTest>) -> Vec<Effect> {
    if state.model.own.hotkey != Some(test.hotkey) {
        state.probes.own_keys = OwnKeys::Idle;
        return Vec::new();
    }
    let (level, told) = match (test.healthy, test.is_unknown()) {
        (true, _) => (Level::Info, "Self-test: your keys do what they should"),
        (false, true) => (Level::Warn, "Self-test: what your keys do could not be found out"),
        (false, false) => (Level::Warn, "Self-test: something is wrong with your keys"),
    };
    state.say(told);
    let hotkey = test.hotkey;
    state.probes.own_keys = OwnKeys::Tested(test);
    state.probes.renew_risks(&hotkey);
    vec![Effect::Log { level, text: told.to_owned() }]
}

/// It could not be made.
pub fn failed(state: &mut State, problem: Diagnostic) -> Vec<Effect> {
    let text = format!("{}. {} {}", problem.summary, problem.cause, problem.help);
    state.say(problem.summary.clone());
    state.probes.own_keys = OwnKeys::Failed(problem);
    vec![Effect::Log { level: Level::Warn, text }]
}
