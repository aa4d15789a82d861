//! How far the open rotation is, what stands against the next step, what is next and what keys do; and how it ended.
//!
//! ```text
//! Read key, generation 2 → 3                               began 41 min ago
//! read key   858850…45f0 fp aaf3893f → 55148b…a267 fp 57b19ca7
//!
//! ✓ keys taken          for bucket 54addc…5539                       41 min
//! …
//!
//! ▲ The .env does not hold the new keys, …
//!   → …
//!
//! Next: Keep the old token alive until #9,168,999, …
//! enter looks again · b rolls back · esc leaves, it stays as it is
//! ```

use ratatui::text::Line;

use super::super::dialog::{Fit, Page, Parts, key, spinner};
use super::super::facts::{paragraph, remark, todo};
use super::super::style::Styles;
use super::super::text::ink;
use super::{ends, heading, phases, trouble};
use crate::domain::commit::Ended;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::{Phase, Report, Step};
use crate::domain::text::{age_seconds, capitalised};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::rotate::{Urgency, blocks_left, finalized, forbidden, reverted, urgency};
use crate::tui::state::State;

/// Where it stands.
pub(super) fn standing(state: &State, report: &Report, width: usize, fit: Fit, styles: Styles) -> Parts {
    let rotation = &report.rotation;
    let mut page = Page::new(fit);
    heading(&mut page, state, rotation, width, styles);
    page.gap();
    phases::lines(&mut page, state, rotation, width, styles);
    if let Some(seen) = reverted(state) {
        let blocker = Diagnostic::blocker(
            "chain_not_new",
            format!("The chain holds {seen} now, not what this rotation has put there"),
            "Somebody published it again, most often a GRAIL that started with an old .env. See to that first, or it comes back.",
        );
        page.gap();
        stands_against(&mut page, state, &blocker, width, styles);
    }
    // The countdown says the same, and newer.
    let told = report.blockers.iter().filter(|blocker| blocker.code != "grace_running");
    for (index, blocker) in told.enumerate() {
        if index == 0 {
            page.gap();
        }
        stands_against(&mut page, state, blocker, width, styles);
    }
    if let Some(told) = &state.rotations.trouble {
        trouble(&mut page, told, width, styles);
    }
    let title = match (rotation.back, rotation.emergency) {
        (true, _) => "Rotation: going back",
        (false, true) => "Emergency rotation",
        (false, false) => "Rotation",
    };
    let frame = match urgency(state) {
        Some(Urgency::Wrong) => styles.unreadable(),
        Some(Urgency::Asks) => styles.drift(),
        _ => styles.accent(),
    };
    (title.to_owned(), frame, page.lines, foot(state, report, width, styles))
}

fn stands_against(page: &mut Page, state: &State, blocker: &Diagnostic, width: usize, styles: Styles) {
    remark(&mut page.lines, "▲", &blocker.summary, width, styles.drift());
    todo(&mut page.lines, &said_here(&blocker.help, &key(state, KeyMode::Dialog, Command::Accept)), width, styles);
}

/// What to do is worded for the command line; here a key does the same.
fn said_here(todo: &str, enter: &str) -> String {
    let todo = todo.replace("Run rotate resume", &format!("Press {enter}"));
    todo.replace("run rotate retire again", &format!("press {enter} again"))
}

/// What is next, and what keys do here.
fn foot(state: &State, report: &Report, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(working) = &state.rotations.working {
        let age = age_seconds(state.since(working.since_ms) / 1_000);
        let words = format!("{} {}", spinner(state), capitalised(&working.words));
        lines.push(ends(&words, &age, width, styles.accent(), styles));
        let leaves = format!("{} leaves; it goes on by itself", key(state, KeyMode::Dialog, Command::Cancel));
        lines.push(ink(leaves, styles.dim()).into());
        return lines;
    }
    let next = report.rotation.next(finalized(state));
    let style = if next.asks { styles.strong() } else { styles.plain() };
    let words = match reverted(state) {
        Some(_) => "Publish what this rotation has put there again, or roll back.",
        None => &next.words,
    };
    paragraph(&mut lines, &format!("Next: {words}"), 0, width, style);
    if state.rotations.driven_elsewhere {
        let text = "Another console of this machine drives this rotation and holds its lock: here you can look.";
        remark(&mut lines, "◌", text, width, styles.drift());
    } else if let Some(rule) = forbidden(state) {
        let told = Ended::Refused(rule).finding();
        remark(&mut lines, "▲", &told.summary, width, styles.drift());
        todo(&mut lines, &told.help, width, styles);
    }
    lines.push(ink(keys(state, report), styles.dim()).into());
    lines
}

fn keys(state: &State, report: &Report) -> String {
    let [enter, back, esc] =
        [Command::Accept, Command::RollBack, Command::Cancel].map(|command| key(state, KeyMode::Dialog, command));
    let looks = state.rotations.driven_elsewhere || forbidden(state).is_some();
    let rotation = &report.rotation;
    let goes = match rotation.step() {
        _ if looks => "looks again",
        Step::Retire if blocks_left(state) == Some(0) => "retires",
        Step::Retire => "checks again",
        Step::Publish | Step::UpdateEnv | Step::Accept | Step::Revoke(_) => "asks",
        _ => "goes on",
    };
    let turns = if looks || !rotation.can_roll_back() { String::new() } else { format!(" · {back} rolls back") };
    format!("{enter} {goes}{turns} · {esc} leaves: it stays as it is")
}

/// How it ended.
pub(super) fn over(state: &State, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let report = state.rotations.report.as_deref()?;
    let rotation = &report.rotation;
    let mut page = Page::new(fit);
    heading(&mut page, state, rotation, width, styles);
    page.gap();
    phases::lines(&mut page, state, rotation, width, styles);
    page.gap();
    let (mark, what, style) = match rotation.phase {
        Phase::Retired if !rotation.lost.is_empty() => {
            ("▲", "The old keys are forgotten here; whether the store refuses them is not known.", styles.drift())
        }
        Phase::Retired => ("✓", "The old keys are refused by the store and forgotten here.", styles.readable()),
        Phase::RolledBack => ("↩", "The old keys are in use again.", styles.drift()),
        _ => ("○", "Given up before anything was published; the new keys are forgotten.", styles.drift()),
    };
    remark(&mut page.lines, mark, what, width, style);
    let next = rotation.next(finalized(state)).words;
    if next != "Nothing." {
        todo(&mut page.lines, next.trim_start_matches("Nothing. "), width, styles);
    }
    let title = format!("Rotation: {}", rotation.phase.words());
    Some((title, style, page.lines, Vec::new()))
}
