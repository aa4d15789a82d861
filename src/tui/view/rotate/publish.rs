//! The commit within a rotation: its plan and password as the dialog of a commit shows them, and its steps.

use super::super::commit::{password, plan, stepper, target};
use super::super::dialog::{Fit, Page, Parts, key};
use super::super::style::Styles;
use super::super::text::ink;
use super::{ends, heading};
use crate::domain::text::age_seconds;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::rotate::forbidden;
use crate::tui::state::State;

/// The plan, or the password that it needs.
pub(super) fn asking(state: &State, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let publishing = state.rotations.publishing()?;
    let (_, frame, body, foot) = if let Some(line) = &publishing.password {
        password::asking(&publishing.plan, line, width, fit, styles)
    } else {
        plan::deciding(state, &publishing.plan, &publishing.deciding, forbidden(state), width, fit, styles)
    };
    let back = state.rotations.open().is_some_and(|report| report.rotation.back);
    let title = if back { "Rotation: publish the old read key again" } else { "Rotation: publish the new read key" };
    Some((title.to_owned(), frame, body, foot))
}

/// The commit, step by step.
pub(super) fn running(state: &State, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let run = state.rotations.run.as_deref()?;
    let mut page = Page::new(fit);
    if let Some(report) = state.rotations.open() {
        heading(&mut page, state, &report.rotation, width, styles);
    }
    if let Some(publishing) = state.rotations.publishing() {
        page.push(ink(target(&publishing.plan), styles.dim()));
    }
    page.gap();
    stepper::steps(&mut page, state, run, width, styles);
    stepper::tests(&mut page, run, width, styles);
    stepper::unlocks(&mut page, run, width, styles);
    stepper::notes(&mut page, &run.notes, width, styles);
    let leaves = format!(
        "{} leaves it running, {} shows it again",
        key(state, KeyMode::Dialog, Command::Cancel),
        key(state, KeyMode::Normal, Command::Rotate)
    );
    let elapsed = age_seconds(state.since(run.begun_ms) / 1_000);
    let foot = vec![ends(&leaves, &elapsed, width, styles.dim(), styles)];
    Some(("Rotation: publishing".to_owned(), styles.accent(), page.lines, foot))
}
