//! What the dialogs of a commit show: the plan, the password, the steps, the end; and the short questions beside it.

pub(super) mod choice;
mod end;
pub(super) mod password;
pub(super) mod plan;
pub(super) mod stepper;

use super::dialog::{Dialog, Fit, LABEL, Page, Parts, WIDTH, fitting, key, spinner, took};
use super::style::Styles;
use super::text::{columns, cut};
use crate::domain::commit::Plan;
use crate::domain::commitment::Published;
use crate::domain::text::middle_cut;
use crate::domain::untrusted::Untrusted;
use crate::tui::commit::{Session, Step, forbidden};
use crate::tui::state::{Mode, State};

/// Columns of the question whether to leave.
const QUESTION_WIDTH: u16 = 64;

/// The dialog of the present mode, if it is one of these.
pub(super) fn dialog(state: &State, width: u16, fit: Fit, styles: Styles) -> Option<Dialog> {
    match &state.mode {
        Mode::SelfTest(answer) => Some(choice::self_test(state, *answer, width.min(QUESTION_WIDTH), styles)),
        Mode::Leaving(answer) => Some(choice::leaving(state, *answer, width.min(QUESTION_WIDTH), styles)),
        Mode::Commit => of_session(state, state.commits.session.as_ref()?, width.min(WIDTH), fit, styles),
        Mode::Normal | Mode::Filter | Mode::Choose(_) | Mode::Palette(_) | Mode::Rotate => None,
    }
}

fn of_session(state: &State, session: &Session, width: u16, fit: Fit, styles: Styles) -> Option<Dialog> {
    let text = usize::from(width).saturating_sub(4);
    let plan = session.plan.as_deref();
    let (title, frame, body, foot) = match (&session.step, plan) {
        (Step::Reading, _) => plan::reading(state, session, text, styles),
        (Step::Deciding(deciding), Some(plan)) => {
            plan::deciding(state, plan, deciding, forbidden(state), text, fit, styles)
        }
        (Step::Password(line), Some(plan)) => password::asking(plan, line, text, fit, styles),
        (Step::Running(run), Some(plan)) => stepper::running(state, plan, run, text, fit, styles),
        (Step::AwaitingRegistration { cancelling }, Some(plan)) => {
            stepper::awaiting(state, plan, *cancelling, text, fit, styles)
        }
        (Step::Over(end), _) => end::over(plan, end, text, fit, styles),
        (Step::Deciding(_) | Step::Password(_) | Step::Running(_) | Step::AwaitingRegistration { .. }, None) => {
            return None;
        }
    };
    Some(Dialog { title, frame, body, foot, width })
}

/// Which chain, which subnet, which uid: the words that every question repeats.
pub(super) fn target(plan: &Plan) -> String {
    let who = plan.standing.uid.map_or_else(|| plan.subject.hotkey.short(), |uid| format!("uid {uid}"));
    format!("{} · subnet {} · {who}", cut(&plan.standing.chain.network, 24), plan.subject.netuid)
}

/// Name and wallet of the hotkey, as far as they are known.
pub(super) fn named(plan: &Plan) -> String {
    let name = plan.subject.name.as_ref().map(Untrusted::shown).unwrap_or_default();
    match &plan.subject.wallet {
        Some(wallet) if !name.is_empty() => format!("{name} of wallet {}", wallet.shown()),
        Some(wallet) => format!("wallet {}", wallet.shown()),
        None => name,
    }
}

/// From which key to which, with the secrets' fingerprints where there is room.
fn keys(plan: &Plan, width: usize) -> String {
    let key = |of: &Published, print: bool| {
        let id = middle_cut(&of.read_key_id.shown(), 6, 4);
        if print { format!("{id} (fp {})", of.read_secret.short()) } else { id }
    };
    let text = |print| match plan.old() {
        Some(old) => format!("read key {} → {}", key(old, print), key(&plan.new, print)),
        None => format!("read key {}", key(&plan.new, print)),
    };
    let full = text(true);
    if columns(&full) <= width { full } else { text(false) }
}
