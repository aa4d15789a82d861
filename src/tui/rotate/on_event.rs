//! What is heard of a rotation, taken into the state.

use super::actions::open_wizard;
use super::{AcceptChoice, Asked, EnvChoice, Publishing, WizardStep, Working, page, reverted};
use crate::domain::commit::Progress;
use crate::domain::commit::messages::Locked;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::log::Level;
use crate::domain::rotation::messages::{Question, RotateNews, RotateOrder};
use crate::domain::rotation::{Entry, Event, Phase, Report, Rotation, Step};
use crate::domain::untrusted::Untrusted;
use crate::engine::service::Request;
use crate::tui::commit::{Deciding, PasswordLine, Run, published};
use crate::tui::logbook::LogLine;
use crate::tui::msg::Effect;
use crate::tui::state::{Mode, State};

/// Takes news in. What is heard after the screen was left ends with the lock let go of.
pub fn on_event(state: &mut State, news: RotateNews) -> Vec<Effect> {
    let before = page(state);
    let rests = !matches!(news, RotateNews::Working { .. } | RotateNews::Progress(_) | RotateNews::WrongPassword(_));
    let asks = matches!(news, RotateNews::Asks(_));
    match news {
        RotateNews::Stands { report, closed, journal, driven_elsewhere } => {
            stands(state, report, closed, journal, driven_elsewhere);
        }
        RotateNews::Working { words } => {
            state.rotations.working = Some(Working { words, since_ms: state.model.now_ms });
        }
        RotateNews::Progress(progress) => went_on(state, progress),
        RotateNews::Asks(question) => asked(state, question),
        RotateNews::Paused(finding) | RotateNews::Refused(finding) => stopped(state, finding),
        RotateNews::WrongPassword(problem) => wrong_password(state, problem),
    }
    if page(state) != before {
        state.rotations.scroll = 0;
    }
    if rests && !asks && !matches!(state.mode, Mode::Rotate) { state.rotations.let_go() } else { Vec::new() }
}

fn stands(
    state: &mut State,
    report: Option<Box<Report>>,
    closed: Vec<Rotation>,
    journal: Vec<Entry>,
    driven_elsewhere: bool,
) {
    state.logs.take_journal(journal.iter().map(line).collect());
    let here = matches!(state.mode, Mode::Rotate);
    let rotations = &mut state.rotations;
    let was_open = rotations.open().map(|report| report.rotation.to);
    let first = !std::mem::replace(&mut rotations.heard, true);
    (rotations.report, rotations.closed, rotations.journal) = (report, closed, journal);
    rotations.driven_elsewhere = driven_elsewhere;
    rotations.working = None;
    let step = rotations.open().map(|report| report.rotation.step());
    if rotations.run.as_deref().is_some_and(|run| is_past(run, step)) {
        rotations.run = None;
    }
    if rotations.question.as_ref().is_some_and(|question| step.is_none_or(|step| !question.belongs_to(step))) {
        rotations.question = None;
    }
    if step.is_some() {
        rotations.wizard = None;
        rotations.over = false;
    } else {
        rotations.turning = None;
        let ended = rotations.report.as_ref().map(|report| report.rotation.to);
        rotations.over |= was_open.is_some() && was_open == ended;
        if first && here && !rotations.over {
            open_wizard(state);
        }
    }
}

/// Whether the machine has gone past the commit that runs here, or back before it.
fn is_past(run: &Run, step: Option<Step>) -> bool {
    match step {
        Some(Step::Settle) => false,
        Some(Step::Publish) => run.stage.is_some(),
        _ => true,
    }
}

/// A line of the journal as the log shows it: fingerprints only, as the journal has them.
fn line(entry: &Entry) -> LogLine {
    let odd = matches!(entry.event, Event::Different { .. } | Event::Reverted { .. } | Event::Unsent { .. });
    LogLine {
        seq: 0,
        at_ms: entry.at_ms,
        level: if odd { Level::Warn } else { Level::Info },
        target: "rotation".to_owned(),
        message: Untrusted::from_text(entry.event.words()),
    }
}

/// What stood there before is an old key from here on, as the journal will say at the next start.
fn went_on(state: &mut State, progress: Progress) {
    let now_ms = state.model.now_ms;
    let done = progress == Progress::ReadBack;
    state.rotations.run.get_or_insert_with(|| Box::new(Run::begin(now_ms, false))).take(progress, now_ms);
    if let Some(plan) = state.rotations.publishing().filter(|_| done).map(|publishing| publishing.plan.clone()) {
        published(state, &plan);
    }
}

fn asked(state: &mut State, question: Question) {
    let rotations = &mut state.rotations;
    (rotations.working, rotations.run, rotations.wizard) = (None, None, None);
    rotations.question = Some(match question {
        Question::Publish { request, plan, locked } => Asked::Publish(Box::new(Publishing {
            request,
            plan: *plan,
            locked,
            deciding: Deciding::default(),
            password: None,
        })),
        Question::Env { path, variables } => Asked::Env { path, variables, choice: EnvChoice::default() },
        Question::Revoke { side } => Asked::Revoke { side },
        Question::Accept => Asked::Accept { typed: String::new(), choice: AcceptChoice::default() },
    });
}

/// Nothing is lost: what was entered for a rotation that never began is to be entered again, everything else stands.
fn stopped(state: &mut State, finding: Diagnostic) {
    let rotations = &mut state.rotations;
    (rotations.working, rotations.run, rotations.question) = (None, None, None);
    if let Some(wizard) = rotations.wizard.as_mut().filter(|wizard| wizard.step == WizardStep::Begun) {
        wizard.again();
    }
    rotations.trouble = Some(finding);
    if matches!(state.mode, Mode::Leaving(_)) {
        state.mode = Mode::Normal;
    }
}

fn wrong_password(state: &mut State, problem: Diagnostic) {
    state.rotations.working = None;
    state.rotations.run = None;
    if let Some(publishing) = state.rotations.publishing_mut() {
        publishing.locked = Locked::Password;
        publishing.password = Some(PasswordLine { chars: 0, problem: Some(problem) });
    }
}

/// The event loop has so many characters of the password now.
pub fn password_typed(state: &mut State, chars: usize) {
    if let Some(line) = state.rotations.publishing_mut().and_then(|publishing| publishing.password.as_mut()) {
        line.chars = chars;
    }
}

/// The event loop has so many characters of each new key now.
pub fn keys_typed(state: &mut State, lengths: [usize; 4]) {
    if let Some(wizard) = state.rotations.wizard.as_mut().filter(|wizard| wizard.step == WizardStep::Keys) {
        wizard.lengths = lengths;
    }
}

/// The chain told something: where it holds what it should not, the journal's keeper looks once.
pub fn reverted_now(state: &mut State) -> Vec<Effect> {
    let seen = reverted(state);
    if seen == state.rotations.looked_for {
        return Vec::new();
    }
    state.rotations.looked_for = seen;
    let grave = state.rotations.open().is_some_and(|report| report.rotation.phase != Phase::Planned);
    seen.filter(|_| grave).map(|_| Effect::Ask(Request::Rotate(RotateOrder::Look))).into_iter().collect()
}
