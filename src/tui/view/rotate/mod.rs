//! The dialog of a rotation: the wizard that begins one, the stepper of the open one, its questions, its end.

mod history;
mod phases;
mod publish;
mod questions;
mod stepper;
mod wizard;

use ratatui::style::Style;
use ratatui::text::Line;

use super::dialog::{Dialog, Fit, Page, Parts, spinner};
use super::facts::{finding, paragraph, remark, todo};
use super::style::Styles;
use super::text::{columns, fit_right, ink};
use crate::domain::commit::Ended;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::rotation::Rotation;
use crate::domain::text::age_seconds;
use crate::report::rotation as report;
use crate::tui::rotate::{Page as Shown, barred, page};
use crate::tui::state::State;

/// The dialog.
pub(super) fn dialog(state: &State, width: u16, fit: Fit, styles: Styles) -> Dialog {
    let text = usize::from(width).saturating_sub(4);
    let (title, frame, body, foot) = shown(state, text, fit, styles);
    Dialog { title, frame, body, foot, width }
}

fn shown(state: &State, width: usize, fit: Fit, styles: Styles) -> Parts {
    let open = state.rotations.open();
    let parts = match (page(state), open) {
        (Shown::Wizard, _) => wizard::page(state, width, fit, styles),
        (Shown::Stepper, Some(report)) => Some(stepper::standing(state, report, width, fit, styles)),
        (Shown::RollBack, Some(report)) => questions::roll_back(state, &report.rotation, width, fit, styles),
        (Shown::Publish | Shown::Password, _) => publish::asking(state, width, fit, styles),
        (Shown::Running, _) => publish::running(state, width, fit, styles),
        (Shown::Env, _) => questions::env(state, width, fit, styles),
        (Shown::Revoke, Some(report)) => questions::revoke(state, &report.rotation, width, fit, styles),
        (Shown::Restarted, Some(report)) => questions::restarted(state, &report.rotation, width, fit, styles),
        (Shown::Accept, Some(report)) => questions::accept(state, &report.rotation, width, fit, styles),
        (Shown::Over, _) => stepper::over(state, width, fit, styles),
        (Shown::Barred, _) => Some(no_rotation(state, width, fit, styles)),
        (Shown::Unreadable, _) => unreadable(state, width, styles),
        _ => None,
    };
    parts.unwrap_or_else(|| looking(state, width, styles))
}

/// The journal is being read.
fn looking(state: &State, width: usize, styles: Styles) -> Parts {
    let mut body = vec![Line::from(vec![
        ink(format!("{} ", spinner(state)), styles.accent()),
        ink("Reading the journal of rotations…", styles.strong()),
    ])];
    let text = "Whether one is open, how far it is, and what the chain holds now.";
    paragraph(&mut body, text, 2, width, styles.plain());
    ("Rotate keys".to_owned(), styles.accent(), body, Vec::new())
}

/// It cannot be read, and nothing is begun on a guess.
fn unreadable(state: &State, width: usize, styles: Styles) -> Option<Parts> {
    let mut body = Vec::new();
    finding(&mut body, state.rotations.trouble.as_ref()?, width, styles);
    paragraph(&mut body, "No rotation is begun or driven on before it was read.", 2, width, styles.dim());
    Some(("Rotate keys".to_owned(), styles.drift(), body, Vec::new()))
}

/// Nothing is open and nothing can be begun.
fn no_rotation(state: &State, width: usize, fit: Fit, styles: Styles) -> Parts {
    let mut page = Page::new(fit);
    page.push(ink("No rotation is open.", styles.strong()));
    if let Some(rule) = barred(state) {
        let told = Ended::Refused(rule).finding();
        page.gap();
        remark(&mut page.lines, "▲", &told.summary, width, styles.severity(Severity::Warning));
        paragraph(&mut page.lines, &told.cause, 2, width, styles.plain());
        todo(&mut page.lines, &told.help, width, styles);
    }
    history::closed(&mut page, state, width, styles);
    ("Rotate keys".to_owned(), styles.accent(), page.lines, Vec::new())
}

/// What is replaced, since when, and by which keys.
fn heading(page: &mut Page, state: &State, rotation: &Rotation, width: usize, styles: Styles) {
    let began = format!("began {} ago", age_seconds(state.since(rotation.began_ms) / 1_000));
    page.push(ends(&report::heading(rotation), &began, width, styles.strong(), styles));
    for (name, from, to) in report::keys(rotation) {
        let spans = vec![ink(from, styles.dim()), ink(" → ", styles.accent()), ink(to, styles.plain())];
        page.fact(&name, spans, styles);
    }
}

/// Two texts at both ends of a line.
fn ends(left: &str, right: &str, width: usize, style: Style, styles: Styles) -> Line<'static> {
    let room = width.saturating_sub(columns(left));
    Line::from(vec![ink(left, style), ink(fit_right(right, room), styles.dim())])
}

/// What stopped it, in three sentences, and that it did no more than that.
fn trouble(page: &mut Page, told: &Diagnostic, width: usize, styles: Styles) {
    page.gap();
    finding(&mut page.lines, told, width, styles);
    let text = "Nothing is lost: it stands where it stood, and that is written down.";
    paragraph(&mut page.lines, text, 2, width, styles.dim());
}
