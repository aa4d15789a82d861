//! Committing as the screen knows it: one request from its plan to its end, what became of earlier ones, and a watch
//! over the own commitment. No secret is ever here: of a password only its length.
//!
//! ```text
//!  C ─► Reading ─► Deciding ─► Password ─► Running ─► Over
//!          │           │  (only if locked)  │  ▲
//!          └─ Over ◄───┘            Armed ──┘──┘   waits for a uid, then runs
//! ```

mod actions;
mod on_event;
mod run;
pub(super) mod watch;

use serde::Serialize;

use crate::domain::commit::messages::{Locked, RequestId};
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Plan, Receipt, Verdict};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::proofs;
use crate::tui::state::{NetuidFrom, State};

pub(super) use actions::{asked, cancel_waiting, dismiss, nobody, on_command, typed};
pub(super) use on_event::{on_event, password_typed, published};
pub use run::{Note, Run};
pub use watch::{Raised, Watch};

/// What the console holds about commits.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Commits {
    /// Number of the newest request; news of any other is dropped.
    request: RequestId,
    /// The one that is planned, under way, armed, or over and not put away yet.
    pub session: Option<Session>,
    /// What became of commits of earlier sessions, the newest last.
    pub settled: Vec<Reconciled>,
    /// The watch over the own commitment.
    pub watch: Watch,
}

/// One request, from the key that began it until its end was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// Its number.
    pub request: RequestId,
    /// When its present step began, in ms since 1970.
    pub since_ms: u64,
    /// What would be done, once it is known.
    pub plan: Option<Box<Plan>>,
    /// How the key file is locked.
    pub locked: Locked,
    /// How far it is.
    pub step: Step,
    /// What the store is asked for the plan, while it is.
    pub testing: Option<String>,
    /// Lines scrolled in its dialog.
    pub scroll: usize,
}

/// How far a request is.
#[derive(Debug, Clone, Serialize)]
pub enum Step {
    /// The chain is being read for the plan.
    Reading,
    /// The plan is on the screen.
    Deciding(Deciding),
    /// The key file's password is wanted.
    Password(PasswordLine),
    /// It was ordered and is under way.
    Running(Box<Run>),
    /// It waits for the hotkey's registration, with the key in memory.
    AwaitingRegistration {
        /// Whether the operator has asked for an end of that.
        cancelling: bool,
    },
    /// Nothing more will happen.
    Over(Box<End>),
}

/// The two answers to a question. It begins with no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Choice {
    /// Do not.
    #[default]
    No,
    /// Do.
    Yes,
}

/// A question being answered.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Deciding {
    /// The answer under the cursor.
    pub choice: Choice,
    /// What was typed of the word that must be.
    pub typed: String,
}

impl Deciding {
    /// Whether yes can be reached: at once, or when the word was typed that must be.
    pub fn may_say_yes(&self, word: Option<&str>) -> bool {
        word.is_none_or(|word| word == self.typed)
    }
}

/// A password being typed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PasswordLine {
    /// Characters typed so far.
    pub chars: usize,
    /// Why the one before did not do.
    pub problem: Option<Diagnostic>,
}

/// What a request ended with.
#[derive(Debug, Clone, Serialize)]
pub struct End {
    /// A word for the title.
    pub word: &'static str,
    /// What happened, why, and what to do.
    pub finding: Diagnostic,
    /// What proves it, when it was published.
    pub receipt: Option<Receipt>,
    /// The extrinsic, when there was one.
    pub extrinsic: Option<BlockHash>,
    /// The way there, when something was sent.
    pub run: Option<Box<Run>>,
    /// When it was heard of, in ms since 1970.
    pub at_ms: u64,
}

/// What became of a commit of an earlier session.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciled {
    /// When it was made, in ms since 1970.
    pub at_ms: u64,
    /// The uid it was for.
    pub uid: Option<u16>,
    /// The read key id that was to be published.
    pub key: Untrusted,
    /// What became of it.
    pub finding: Diagnostic,
}

impl Session {
    fn begin(request: RequestId, now_ms: u64) -> Self {
        let (plan, locked) = (None, Locked::Open);
        Self { request, since_ms: now_ms, plan, locked, step: Step::Reading, testing: None, scroll: 0 }
    }

    fn go(&mut self, step: Step, now_ms: u64) {
        self.step = step;
        self.since_ms = now_ms;
        self.scroll = 0;
    }

    /// Whether something was ordered whose end is not known.
    pub const fn is_under_way(&self) -> bool {
        matches!(self.step, Step::Running(_))
    }

    /// Whether it waits for a registration.
    pub const fn is_awaiting(&self) -> bool {
        matches!(self.step, Step::AwaitingRegistration { .. })
    }
}

impl Commits {
    /// Whether the commit waits for a registration, with the key in memory.
    pub fn is_awaiting(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_awaiting)
    }

    /// Whether something is said in the banner that can be put away.
    pub fn has_dismissible(&self) -> bool {
        let over = self.session.as_ref().is_some_and(|session| matches!(session.step, Step::Over(_)));
        over || self.watch.surprise.is_some() || !self.settled.is_empty()
    }

    /// Whether something was ordered whose end is not known.
    pub fn is_under_way(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_under_way)
    }
}

/// What keys are for in the dialog.
pub fn keys(state: &State) -> KeyMode {
    match state.commits.session.as_ref().map(|session| &session.step) {
        Some(Step::Deciding(_)) if question(state).is_some() && forbidden(state).is_none() => KeyMode::Confirm,
        Some(Step::Password(_)) => KeyMode::Password,
        _ => KeyMode::Dialog,
    }
}

/// The question that the plan on the screen puts, if it is one that could be answered with yes. Whether that is
/// allowed is another matter, decided by [`forbidden`] where orders leave.
pub fn question(state: &State) -> Option<Question<'_>> {
    let plan = state.commits.session.as_ref()?.plan.as_deref()?;
    let waits_for_uid = match plan.verdict {
        Verdict::Ready => false,
        Verdict::NotRegistered => true,
        Verdict::Unchanged | Verdict::BudgetSpent => return None,
    };
    Some(Question { plan, waits_for_uid })
}

/// Whether to publish.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What.
    pub plan: &'a Plan,
    /// Not now, but as soon as the hotkey has a uid.
    pub waits_for_uid: bool,
}

/// What forbids publishing at this moment. The runner asks it too, where orders leave.
pub fn forbidden(state: &State) -> Option<Rule> {
    forbidden_now(state, Command::Commit)
}

/// What forbids it for a command that writes, which is the one to press again.
pub(super) fn forbidden_now(state: &State, again: Command) -> Option<Rule> {
    if state.options.read_only {
        Some(Rule::read_only())
    } else if state.options.netuid_from == NetuidFrom::Default {
        Some(Rule::netuid_not_set(state.options.netuid))
    } else {
        paused(state, again).or_else(|| proofs::locked(state))
    }
}

/// What forbids it while the table stands still; `again` is the command to press again then.
pub(super) fn paused(state: &State, again: Command) -> Option<Rule> {
    let [thaw, again] = [Command::Pause, again].map(|command| state.key(command));
    state.model.table.paused().is_some().then(|| Rule::Other {
        code: "frozen",
        what: "The table is frozen: nothing is published from a picture that stands still".to_owned(),
        why: "What changed since then is held back, so the chain may no longer hold what the screen shows.",
        todo: format!("Let the changes in with {thaw}, then press {again} again."),
    })
}
