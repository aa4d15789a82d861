//! Rotations as the screen knows them: where the open one stands, what is asked, what is being entered. No secret is ever
//! here: of new keys and of a password only their lengths.
//!
//! ```text
//!  R ─► Looking ─► Wizard (what ─► keys ─► summary) ─► Stepper ─► Over
//!                                                       │  ▲
//!              Publish · Env · Revoke · Accept · TurnBack ◄──┘
//! ```

mod actions;
mod dialog;
mod on_event;
mod wizard;

use serde::Serialize;

use crate::domain::commit::Plan;
use crate::domain::commit::messages::{Locked, RequestId};
use crate::domain::commit::outcome::Rule;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::roster::Role;
use crate::domain::rotation::messages::Sides;
use crate::domain::rotation::{Entry, Event, Phase, Report, Rotation, Seen, Side, Step};
use crate::tui::commit::{self, Choice, Deciding, PasswordLine, Run};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::{Mode, State};

pub(super) use actions::{ask_to_turn_back, asked, dismiss, on_command, typed};
pub use dialog::word;
pub(super) use on_event::{keys_typed, on_event, password_typed, reverted_now};
pub use wizard::{Field, What, Wizard, WizardStep};

/// What the console holds about rotations.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own, and most go together")]
pub struct Rotations {
    /// The rotation under way, or the last one that ended.
    pub report: Option<Box<Report>>,
    /// Every rotation that is over, oldest first.
    pub closed: Vec<Rotation>,
    /// The journal's last entries, oldest first.
    pub journal: Vec<Entry>,
    /// Whether the journal was read at all.
    pub heard: bool,
    /// Whether another console drives the open one.
    pub driven_elsewhere: bool,
    /// What waits for an answer.
    pub question: Option<Asked>,
    /// Whether to roll back, while that is asked.
    pub turning: Option<Choice>,
    /// New keys being entered.
    pub wizard: Option<Wizard>,
    /// What is being done.
    pub working: Option<Working>,
    /// What stopped it last: everything is as it was.
    pub trouble: Option<Diagnostic>,
    /// The steps of a commit that was ordered here.
    pub run: Option<Box<Run>>,
    /// It has ended, and that was not put away yet.
    pub over: bool,
    /// Lines scrolled in the dialog.
    pub scroll: usize,
    /// Whether orders of this screen hold the rotation's lock.
    driving: bool,
    /// What the chain held when it was last looked at for that.
    looked_for: Option<Seen>,
}

/// Something is being done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Working {
    /// What, in words.
    pub words: String,
    /// Since when, in ms since 1970.
    pub since_ms: u64,
}

/// A question of the machine, with what was answered so far.
#[derive(Debug, Clone, Serialize)]
pub enum Asked {
    /// Publish this?
    Publish(Box<Publishing>),
    /// What about the `.env`?
    Env {
        /// Its path, where one is named.
        path: Option<String>,
        /// The variables that would change, in the order of the file.
        variables: Vec<String>,
        /// The answer under the cursor.
        choice: EnvChoice,
    },
    /// The old token is to be revoked at the provider.
    Revoke {
        /// Of which side.
        side: Side,
    },
    /// Uid 0's old key goes only when every process of the subnet was restarted.
    Restarted(Choice),
    /// The chain holds something else.
    Accept {
        /// What was typed of its fingerprint.
        typed: String,
        /// The answer under the cursor.
        choice: AcceptChoice,
    },
}

/// A commit to be confirmed.
#[derive(Debug, Clone, Serialize)]
pub struct Publishing {
    /// Number of the plan.
    pub request: RequestId,
    /// The plan.
    pub plan: Plan,
    /// How the key file is locked.
    pub locked: Locked,
    /// The answer so far.
    pub deciding: Deciding,
    /// The password, once it is wanted.
    pub password: Option<PasswordLine>,
}

/// The answers about the `.env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum EnvChoice {
    /// Neither for now.
    #[default]
    NotNow,
    /// The console rewrites it.
    Rewrite,
    /// It is done elsewhere.
    Elsewhere,
}

/// The answers to something unexpected on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum AcceptChoice {
    /// Neither for now.
    #[default]
    NotNow,
    /// The old keys back.
    RollBack,
    /// Publish over it.
    GoOn,
}

/// What the dialog shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The journal is being read.
    Looking,
    /// It cannot be read.
    Unreadable,
    /// No rotation can be begun here.
    Barred,
    /// New keys are entered.
    Wizard,
    /// How far the open one is.
    Stepper,
    /// How it ended.
    Over,
    /// Whether to roll back.
    RollBack,
    /// Whether to publish.
    Publish,
    /// The key file's password.
    Password,
    /// The commit under way.
    Running,
    /// What about the `.env`.
    Env,
    /// A token to be revoked.
    Revoke,
    /// Whether every process of the subnet was restarted.
    Restarted,
    /// Something else is on chain.
    Accept,
}

/// How the banner takes an open rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The chain holds what it should not.
    Wrong,
    /// Something is asked, or stopped it.
    Asks,
    /// It goes its way, or time does.
    Calm,
}

impl Rotations {
    /// The rotation under way.
    pub fn open(&self) -> Option<&Report> {
        self.report.as_deref().filter(|report| !report.rotation.phase.is_closed())
    }

    /// Whether something was ordered whose end is not known.
    pub const fn is_busy(&self) -> bool {
        self.working.is_some() || self.run.is_some()
    }

    /// The entries of the newest rotation.
    pub fn entries(&self) -> &[Entry] {
        let began = self.journal.iter().rposition(|entry| matches!(entry.event, Event::Began { .. }));
        &self.journal[began.unwrap_or_default()..]
    }

    /// The plan that waits for an answer, or is being published.
    pub fn publishing(&self) -> Option<&Publishing> {
        match &self.question {
            Some(Asked::Publish(publishing)) => Some(publishing),
            _ => None,
        }
    }

    fn publishing_mut(&mut self) -> Option<&mut Publishing> {
        match &mut self.question {
            Some(Asked::Publish(publishing)) => Some(publishing),
            _ => None,
        }
    }
}

impl Asked {
    /// Whether the machine still stands before this question.
    const fn belongs_to(&self, step: Step) -> bool {
        match self {
            Self::Publish(_) => matches!(step, Step::Publish | Step::Settle),
            Self::Env { .. } => matches!(step, Step::UpdateEnv),
            Self::Revoke { .. } => matches!(step, Step::Revoke(_) | Step::Retire),
            Self::Restarted(_) => matches!(step, Step::Retire),
            Self::Accept { .. } => matches!(step, Step::Accept),
        }
    }
}

/// What the dialog shows now.
pub fn page(state: &State) -> Page {
    let rotations = &state.rotations;
    let unanswered = match &rotations.question {
        Some(Asked::Publish(publishing)) if publishing.password.is_some() => Some(Page::Password),
        Some(Asked::Publish(_)) => Some(Page::Publish),
        Some(Asked::Env { .. }) => Some(Page::Env),
        Some(Asked::Revoke { .. }) => Some(Page::Revoke),
        Some(Asked::Restarted(_)) => Some(Page::Restarted),
        Some(Asked::Accept { .. }) => Some(Page::Accept),
        None => None,
    };
    match unanswered {
        _ if rotations.turning.is_some() => Page::RollBack,
        _ if rotations.wizard.is_some() => Page::Wizard,
        _ if rotations.run.is_some() => Page::Running,
        Some(page) if rotations.open().is_some() => page,
        _ if !rotations.heard && rotations.trouble.is_some() => Page::Unreadable,
        _ if !rotations.heard => Page::Looking,
        _ if rotations.open().is_some() => Page::Stepper,
        _ if rotations.over => Page::Over,
        _ => Page::Barred,
    }
}

/// What keys are for in the dialog.
pub fn keys(state: &State) -> KeyMode {
    let allowed = forbidden(state).is_none();
    match page(state) {
        Page::Wizard => state.rotations.wizard.as_ref().map_or(KeyMode::Dialog, Wizard::keys),
        Page::Publish if allowed && question(state).is_some() => KeyMode::Confirm,
        Page::Env | Page::Accept | Page::Restarted | Page::RollBack if allowed => KeyMode::Confirm,
        Page::Password => KeyMode::Password,
        _ => KeyMode::Dialog,
    }
}

/// Which field of new keys takes what is typed; `None` where none does.
pub fn field(state: &State) -> Option<Field> {
    let wizard = state.rotations.wizard.as_ref().filter(|_| matches!(state.mode, Mode::Rotate))?;
    (wizard.step == WizardStep::Keys).then_some(wizard.focus)
}

/// Which new keys are being entered: what was typed of others, or at any other time, is to be wiped.
pub fn entering(state: &State) -> Option<Sides> {
    let wizard = state.rotations.wizard.as_ref().filter(|_| matches!(state.mode, Mode::Rotate))?;
    matches!(wizard.step, WizardStep::Keys | WizardStep::Summary).then(|| wizard.what.sides())
}

/// The plan of the commit, where it could be answered with yes.
pub fn question(state: &State) -> Option<&Plan> {
    let plan = &state.rotations.publishing()?.plan;
    plan.ended().is_none().then_some(plan)
}

/// What forbids changing anything at this moment. The runner asks it too, where orders leave.
pub fn forbidden(state: &State) -> Option<Rule> {
    commit::forbidden_now(state, Command::Rotate)
}

/// Why no rotation can be begun here.
pub fn barred(state: &State) -> Option<Rule> {
    commit::nobody(state).or_else(|| forbidden(state))
}

/// Whether the own read key is uid 0's, which every process of the subnet keeps from its start.
pub fn is_pinned(state: &State) -> bool {
    state.own_row().is_some_and(|row| row.role == Role::Trainer)
}

/// The newest finalized block that the report or the feed knows.
pub fn finalized(state: &State) -> Option<u64> {
    let told = state.rotations.report.as_ref().and_then(|report| report.finalized);
    told.max(state.model.heads.finalized)
}

/// Blocks of the grace that are left, as the newest finalized block says.
pub fn blocks_left(state: &State) -> Option<u64> {
    let rotation = &state.rotations.open()?.rotation;
    Some(rotation.grace.filter(|_| rotation.phase == Phase::Grace)?.left(finalized(state)?))
}

/// What the chain holds instead of what this rotation has put there, as far as the table shows it final.
pub fn reverted(state: &State) -> Option<Seen> {
    let rotation = &state.rotations.open()?.rotation;
    let snapshot = state.model.table.snapshot()?;
    let held = state.model.own.hotkey.and_then(|hotkey| snapshot.commitments.get(&hotkey));
    let block = held.and_then(|commitment| commitment.block);
    // What is not final yet, or older than what was published, says nothing.
    let newer =
        block.is_none_or(|block| Some(block) <= state.model.heads.finalized && Some(block) > rotation.finalized);
    let seen = Seen::of(held);
    let newer = newer && Some(snapshot.at.number) >= rotation.finalized;
    (state.model.heads.finalized.is_some() && newer && rotation.is_reverted(&seen)).then_some(seen)
}

/// Whether what it has published was put aside on chain since, as the journal has it.
pub fn is_undone(rotation: &Rotation) -> bool {
    rotation.phase == Phase::Planned && rotation.published && !rotation.back
}

/// How much the open rotation wants to be seen.
pub fn urgency(state: &State) -> Option<Urgency> {
    let rotations = &state.rotations;
    let report = rotations.open()?;
    let rotation = &report.rotation;
    let wrong = rotation.difference.is_some() || is_undone(rotation) || reverted(state).is_some();
    let asks = rotations.question.is_some() || rotations.trouble.is_some() || rotation.next(finalized(state)).asks;
    Some(match (wrong, asks) {
        (true, _) => Urgency::Wrong,
        (false, true) if !rotations.driven_elsewhere => Urgency::Asks,
        _ => Urgency::Calm,
    })
}
