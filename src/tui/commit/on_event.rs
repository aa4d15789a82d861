//! What is heard of a commit, taken into the state. News of another request than the present one are dropped.

use crate::domain::commit::messages::{Locked, RequestId};
use crate::domain::commit::record::Intent;
use crate::domain::commit::{Ended, News, Plan, Progress};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::text::sentence;
use crate::tui::commit::{Deciding, End, PasswordLine, Reconciled, Run, Session, Step};
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::state::{Mode, State};

/// Earlier commits told of at once; the log has them all.
const SETTLED: usize = 3;

/// Takes news in.
pub fn on_event(state: &mut State, news: News) -> Vec<Effect> {
    match news {
        News::Planned { request, plan, locked } => planned(state, request, plan, locked),
        News::Failed { request, problem } => {
            let begun =
                concerned(state, request).is_some_and(|session| session.is_under_way() || session.is_awaiting());
            over(state, request, End::without(if begun { "failed" } else { "no plan" }, problem));
        }
        News::WrongPassword { request, problem } => wrong_password(state, request, problem),
        News::Ended { request, ended } => {
            if matches!(*ended, Ended::Committed(_))
                && let Some(plan) = concerned(state, request).and_then(|session| session.plan.clone())
            {
                published(state, &plan);
            }
            over(state, request, ended_so(&ended));
        }
        News::Progress { request, progress } => went_on(state, request, progress),
        News::AwaitingRegistration { request } => awaiting(state, request),
        News::WaitingCancelled { why } => disarmed(state, &why),
        News::Reconciled { intent, at_ms, ended } => settled(state, &intent, at_ms, &ended),
    }
    Vec::new()
}

/// The session that news of a request concern.
fn concerned(state: &mut State, request: RequestId) -> Option<&mut Session> {
    state.commits.session.as_mut().filter(|session| session.request == request)
}

fn planned(state: &mut State, request: RequestId, plan: Box<Plan>, locked: Locked) {
    let now_ms = state.model.now_ms;
    let Some(session) = concerned(state, request).filter(|session| matches!(session.step, Step::Reading)) else {
        return;
    };
    session.plan = Some(plan);
    session.locked = locked;
    session.go(Step::Deciding(Deciding::default()), now_ms);
}

fn wrong_password(state: &mut State, request: RequestId, problem: Diagnostic) {
    let now_ms = state.model.now_ms;
    if let Some(session) = concerned(state, request).filter(|session| session.is_under_way()) {
        session.go(Step::Password(PasswordLine { chars: 0, problem: Some(problem) }), now_ms);
        stays(state);
    }
}

/// The first step after arming shows that the hotkey has its uid now.
fn went_on(state: &mut State, request: RequestId, progress: Progress) {
    let now_ms = state.model.now_ms;
    let Some(session) = concerned(state, request) else { return };
    if session.is_awaiting() {
        session.go(Step::Running(Box::new(Run::begin(now_ms, false))), now_ms);
    }
    match (&mut session.step, progress) {
        (Step::Reading, Progress::Testing { words }) => session.testing = Some(words),
        (Step::Running(run), progress) => run.take(progress, now_ms),
        _ => {}
    }
}

fn awaiting(state: &mut State, request: RequestId) {
    let now_ms = state.model.now_ms;
    if let Some(session) = concerned(state, request).filter(|session| session.is_under_way()) {
        session.go(Step::AwaitingRegistration { cancelling: false }, now_ms);
    }
}

fn disarmed(state: &mut State, why: &str) {
    let waits_for_uid = |run: &Run| run.waits_for_uid && run.stage.is_none();
    let asked = match state.commits.session.as_ref().map(|session| &session.step) {
        Some(Step::AwaitingRegistration { cancelling }) => *cancelling,
        Some(Step::Running(run)) if waits_for_uid(run) => false,
        _ => return,
    };
    if asked {
        state.commits.session = None;
        if matches!(state.mode, Mode::Commit) {
            state.mode = Mode::Normal;
        }
        return state.say("disarmed: the key is out of memory");
    }
    let todo = format!("Press {} to look again, and to arm it once more.", state.key(Command::Commit));
    let finding = Diagnostic::new(
        "disarmed",
        Severity::Warning,
        "It waits no longer: nothing was published",
        sentence(why),
        todo,
    );
    if let Some(request) = state.commits.session.as_ref().map(|session| session.request) {
        over(state, request, End::without("disarmed", finding));
    }
}

fn over(state: &mut State, request: RequestId, mut end: End) {
    let now_ms = state.model.now_ms;
    if let Some(session) = concerned(state, request).filter(|session| !matches!(session.step, Step::Over(_))) {
        end.at_ms = now_ms;
        if let Step::Running(run) = &session.step {
            end.run = Some(run.clone());
        }
        session.go(Step::Over(Box::new(end)), now_ms);
        stays(state);
    }
}

/// What made it ask whether to leave is no longer so.
fn stays(state: &mut State) {
    if matches!(state.mode, Mode::Leaving(_)) {
        state.mode = Mode::Normal;
    }
}

/// What stood there before is an old key from here on, as the journal will say at the next start.
pub fn published(state: &mut State, plan: &Plan) {
    let (new, old) = (plan.new.clone(), plan.old().map(|old| old.read_secret));
    let replaced = &mut state.model.own.local.replaced;
    replaced.retain(|secret| *secret != new.read_secret);
    replaced.extend(old.filter(|old| *old != new.read_secret));
    state.commits.watch.stands(&new);
}

fn ended_so(ended: &Ended) -> End {
    let receipt = match ended {
        Ended::Committed(receipt) => Some(receipt.clone()),
        _ => None,
    };
    End { receipt, extrinsic: ended.extrinsic(), ..End::without(ended.word(), ended.finding()) }
}

impl End {
    /// An end before anything was sent.
    pub(super) const fn without(word: &'static str, finding: Diagnostic) -> Self {
        Self { word, finding, receipt: None, extrinsic: None, run: None, at_ms: 0 }
    }
}

/// What an earlier session began is none of somebody else's doing.
fn settled(state: &mut State, intent: &Intent, at_ms: u64, ended: &Ended) {
    state.commits.watch.recognise(&intent.target);
    let key = intent.target.read_key_id.clone();
    let all = &mut state.commits.settled;
    all.push(Reconciled { at_ms, uid: intent.uid, key, finding: ended.finding() });
    let superfluous = all.len().saturating_sub(SETTLED);
    all.drain(..superfluous);
}

/// The event loop has so many characters of the password now.
pub fn password_typed(state: &mut State, chars: usize) {
    if let Some(Step::Password(line)) = state.commits.session.as_mut().map(|session| &mut session.step) {
        line.chars = chars;
    }
}
