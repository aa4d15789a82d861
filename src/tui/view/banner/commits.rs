//! What the banner says of commits: a change that nobody here made, how one ended, what became of an earlier one, what is
//! under way behind the closed dialog.

use super::super::dialog::spinner;
use super::{Look, Notice, PAST, PRESENT, URGENT, found};
use crate::domain::commit::{Plan, Stage};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::text::{age_seconds, grouped, middle_cut};
use crate::tui::commit::{End, Reconciled, Run, Session, Step};
use crate::tui::keymap::Command;
use crate::tui::state::{Mode, State};

/// Everything there is to say, the most pressing first.
pub(super) fn notices(state: &State) -> Vec<Notice> {
    let commits = &state.commits;
    let mut notices = Vec::new();
    if let Some(raised) = &commits.watch.surprise {
        let finding = raised.surprise.finding();
        notices.extend(found(state, &finding.summary, &finding, &dismisses(state), URGENT));
    }
    if let Some(session) = commits.session.as_ref().filter(|_| !matches!(state.mode, Mode::Commit)) {
        notices.extend(behind_the_dialog(state, session));
    }
    notices.extend(commits.settled.iter().rev().flat_map(|settled| earlier(state, settled)));
    notices
}

fn dismisses(state: &State) -> String {
    format!("{} dismisses", state.key(Command::Back))
}

fn behind_the_dialog(state: &State, session: &Session) -> Vec<Notice> {
    let shows = format!("{} shows it", state.key(Command::Commit));
    let line = |glyph, parts: Vec<String>, look| vec![Notice { glyph, parts, look, rank: PRESENT }];
    match &session.step {
        Step::Running(run) => {
            let look = if run.lost { Look::Odd } else { Look::Note };
            line(spinner(state), [under_way(run), shows].into_iter().chain(lost(run)).collect(), look)
        }
        Step::AwaitingRegistration { .. } => {
            let disarms = format!("{} disarms", state.key(Command::CancelWaiting));
            line("◌", vec![waits(session.plan.as_deref()), disarms, shows], Look::Odd)
        }
        Step::Password(line_of) if line_of.problem.is_some() => {
            let asks = format!("{} asks again", state.key(Command::Commit));
            line("▲", vec!["Committing: the password did not open the key file".to_owned(), asks], Look::Odd)
        }
        Step::Over(end) => ended(state, end, &shows),
        Step::Reading | Step::Deciding(_) | Step::Password(_) => Vec::new(),
    }
}

fn under_way(run: &Run) -> String {
    let all = Stage::ALL.len();
    match run.stage {
        None if run.unlocking => "Committing: opening the key file".to_owned(),
        None => "Committing: signing".to_owned(),
        Some(stage) => {
            let block = run.block.map(|block| format!(" #{}", grouped(block.number))).unwrap_or_default();
            let words =
                if stage == Stage::InBlock { format!("{}{block}", stage.words()) } else { stage.words().to_owned() };
            format!("Committing: {words}, step {} of {all}", stage as usize + 1)
        }
    }
}

fn lost(run: &Run) -> Option<String> {
    run.lost.then(|| "connection lost, it is made anew".to_owned())
}

fn waits(plan: Option<&Plan>) -> String {
    let whom = plan.map_or_else(
        || "the hotkey has a uid".to_owned(),
        |plan| format!("{} has a uid on subnet {}", plan.subject.hotkey.short(), plan.subject.netuid),
    );
    format!("Armed: published once, as soon as {whom}")
}

fn ended(state: &State, end: &End, shows: &str) -> Vec<Notice> {
    let Diagnostic { severity, summary, .. } = &end.finding;
    let (glyph, look) = match severity {
        Severity::Note => ("✓", Look::Good),
        Severity::Warning => ("▲", Look::Odd),
        Severity::Danger => ("✗", Look::Bad),
    };
    let parts = vec![summary.clone(), shows.to_owned(), dismisses(state)];
    vec![Notice { glyph, parts, look, rank: URGENT }]
}

/// Good news needs no explanation.
fn earlier(state: &State, settled: &Reconciled) -> Vec<Notice> {
    let whose = settled.uid.map(|uid| format!("uid {uid}, ")).unwrap_or_default();
    let key = middle_cut(&settled.key.shown(), 4, 4);
    let ago = age_seconds(state.since(settled.at_ms) / 1_000);
    let what = format!("Your commit of {ago} ago ({whose}key {key}): {}", settled.finding.summary);
    if settled.finding.severity == Severity::Note {
        let text = format!("{what} · {}", dismisses(state));
        return super::wrapped(state, "✓", &text, Look::Good, PAST);
    }
    found(state, &what, &settled.finding, &dismisses(state), URGENT)
}
