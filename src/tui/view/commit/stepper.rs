//! A commit under way, step by step, and one that waits to be.
//!
//! ```text
//! finney · subnet 81 · uid 42   miner-1 of wallet practice
//! read key 7be1c0…0c90 (fp 0c9e1234) → 51aa3d…00e7 (fp 77b2c0de)
//!
//! ✓ signed           extrinsic 0x9f3c12ab…                        0.4 s
//! ✓ broadcast        a node's pool has it                         0.5 s
//! ◐ in block         waiting for a block · 41 blocks left of its life
//! ○ finalized
//! ○ event
//! ○ read back equal
//!
//! ▲ Connection lost: the node closed the connection
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::facts::{paragraph, remark};
use super::super::style::Styles;
use super::super::text::{columns, cut, fit as fitted, fit_right, ink};
use super::choice::both_ends;
use super::{Fit, Page, Parts, fitting, key, keys, named, spinner, target, took};
use crate::domain::commit::progress::BlockId;
use crate::domain::commit::{Plan, Stage};
use crate::domain::diagnostic::Severity;
use crate::domain::text::{age_seconds, grouped, sentence};
use crate::tui::commit::{Note, Run};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::State;

/// Columns of a step's word.
const STEP: usize = 16;
/// Columns of the time it took.
const TIME: usize = 7;

/// Under way.
pub(in crate::tui::view) fn running(
    state: &State,
    plan: &Plan,
    run: &Run,
    width: usize,
    fit: Fit,
    styles: Styles,
) -> Parts {
    let mut page = Page::new(fit);
    heading(&mut page, plan, width, styles);
    page.gap();
    if run.waits_for_uid {
        let text = if run.unlocking { "Opening the key file" } else { "Handing the order over" };
        remark(&mut page.lines, spinner(state), text, width, styles.accent());
        if run.unlocking {
            paragraph(&mut page.lines, UNLOCKING, 2, width, styles.plain());
        }
    } else {
        steps(&mut page, state, run, width, styles);
        tests(&mut page, run, width, styles);
        unlocks(&mut page, run, width, styles);
    }
    notes(&mut page, &run.notes, width, styles);
    let leaves = format!(
        "{} leaves it running, {} shows it again",
        key(state, KeyMode::Dialog, Command::Cancel),
        key(state, KeyMode::Normal, Command::Commit)
    );
    let elapsed = age_seconds(state.since(run.begun_ms) / 1_000);
    let foot = vec![both_ends(&leaves, &elapsed, width, styles.dim())];
    ("Committing".to_owned(), styles.accent(), page.lines, foot)
}

/// It waits for the hotkey's registration.
pub(in crate::tui::view) fn awaiting(
    state: &State,
    plan: &Plan,
    cancelling: bool,
    width: usize,
    fit: Fit,
    styles: Styles,
) -> Parts {
    let mut page = Page::new(fit);
    heading(&mut page, plan, width, styles);
    page.gap();
    let text = if cancelling {
        "Disarming: the key is being dropped."
    } else {
        "Armed: it is published once, as soon as the hotkey has a uid. The key is in memory until then."
    };
    remark(&mut page.lines, "◌", text, width, styles.drift());
    let text = "Leaving the console disarms it too.";
    paragraph(&mut page.lines, text, 2, width, styles.plain());
    let keys = format!(
        "{} disarms, {} leaves it armed",
        key(state, KeyMode::Dialog, Command::CancelWaiting),
        key(state, KeyMode::Dialog, Command::Cancel)
    );
    let waiting = state.commits.session.as_ref().map_or(0, |session| state.since(session.since_ms));
    let foot = vec![both_ends(&keys, &age_seconds(waiting / 1_000), width, styles.dim())];
    ("Armed".to_owned(), styles.drift(), page.lines, foot)
}

fn heading(page: &mut Page, plan: &Plan, width: usize, styles: Styles) {
    let target = target(plan);
    let name = cut(&named(plan), width.saturating_sub(columns(&target) + 3));
    page.push(Line::from(vec![ink(target, styles.strong()), ink(format!("   {name}"), styles.dim())]));
    page.push(ink(cut(&keys(plan, width), width), styles.dim()));
}

/// While a locked key file is opened.
const UNLOCKING: &str = "The key file takes about three seconds and half a gigabyte of memory to open.";

/// Why nothing moves while a locked key file is opened.
pub(in crate::tui::view) fn unlocks(page: &mut Page, run: &Run, width: usize, styles: Styles) {
    if run.unlocking {
        page.gap();
        remark(&mut page.lines, "·", UNLOCKING, width, styles.plain());
    }
}

/// What the store is asked before anything is signed.
pub(in crate::tui::view) fn tests(page: &mut Page, run: &Run, width: usize, styles: Styles) {
    if let Some(words) = &run.testing {
        page.gap();
        remark(&mut page.lines, "·", &sentence(words), width, styles.plain());
    }
}

/// The six steps, as far as they are reached.
pub(in crate::tui::view) fn steps(page: &mut Page, state: &State, run: &Run, width: usize, styles: Styles) {
    let current = run.current();
    for stage in Stage::ALL {
        let (mark, style) = if run.stage.is_some_and(|reached| stage <= reached) {
            ("✓", styles.readable())
        } else if Some(stage) == current {
            (spinner(state), styles.accent())
        } else {
            ("○", styles.dim())
        };
        let detail = if Some(stage) == current { awaited(state, run, stage) } else { reached(run, stage) };
        page.push(step(mark, stage, &detail, run.took_ms(stage), width, style, styles));
    }
}

fn step(
    mark: &str,
    stage: Stage,
    detail: &[String],
    took_ms: Option<u64>,
    width: usize,
    style: Style,
    styles: Styles,
) -> Line<'static> {
    let took = took_ms.map(took).unwrap_or_default();
    let room = width.saturating_sub(2 + STEP + TIME);
    let strong = if mark == "○" { styles.dim() } else { styles.strong() };
    Line::from(vec![
        ink(format!("{mark} "), style),
        ink(fitted(stage.words(), STEP), strong),
        ink(fitted(&joined(detail, room), room), if mark == "○" { styles.dim() } else { styles.plain() }),
        Span::styled(fit_right(&took, TIME), styles.dim()),
    ])
}

/// What a step that is reached has found, the most important first.
fn reached(run: &Run, stage: Stage) -> Vec<String> {
    if run.stage.is_none_or(|reached| stage > reached) {
        return Vec::new();
    }
    match stage {
        Stage::Signed => {
            let extrinsic = run.extrinsic.map(|hash| format!("extrinsic {}…", hash.short()));
            let until = run.death.map(|death| format!("valid until #{}", grouped(death)));
            extrinsic.into_iter().chain(until).collect()
        }
        Stage::Broadcast => vec!["a node's pool has it".to_owned()],
        Stage::InBlock | Stage::Finalized => run.block.map(block).unwrap_or_default(),
        Stage::Event => {
            let index = run.index.map(|index| format!("extrinsic {index} of its block"));
            std::iter::once("Commitments.Commitment".to_owned()).chain(index).collect()
        }
        Stage::ReadBack => vec!["the chain holds these bytes".to_owned()],
    }
}

fn block(block: BlockId) -> Vec<String> {
    vec![format!("#{}", grouped(block.number)), format!("{}…", block.hash.short())]
}

/// What the step under way waits for, and how long that can last.
fn awaited(console: &State, run: &Run, stage: Stage) -> Vec<String> {
    let left = run.blocks_left(console.newest_block()).map(|left| match left {
        0 => "its life is over".to_owned(),
        1 => "1 block left".to_owned(),
        left => format!("{left} blocks left"),
    });
    let what = match stage {
        Stage::Signed if run.unlocking => "opening the key file",
        Stage::Signed if run.testing.is_some() => "testing the keys",
        Stage::Signed => "signing",
        Stage::Broadcast => "handing it over",
        Stage::InBlock => "awaiting a block",
        Stage::Finalized => "awaiting finality, 2-3 blocks",
        Stage::Event => "looking for its event",
        Stage::ReadBack => "reading the chain back",
    };
    let mortal = matches!(stage, Stage::Broadcast | Stage::InBlock);
    std::iter::once(what.to_owned()).chain(left.filter(|_| mortal)).collect()
}

/// As many of the parts as fit.
fn joined(parts: &[String], width: usize) -> String {
    let forms = (1..=parts.len()).rev().map(|n| parts[..n].join(" · "));
    fitting(forms, width)
}

/// What happened beside the steps, the newest as far as there is room.
pub(in crate::tui::view) fn notes(page: &mut Page, notes: &[Note], width: usize, styles: Styles) {
    let most = if page.fit == Fit::Tight { 1 } else { 3 };
    let newest = &notes[notes.len().saturating_sub(most)..];
    if newest.is_empty() {
        return;
    }
    page.gap();
    for note in newest {
        let (mark, style) = match note.severity {
            Severity::Note => ("·", styles.plain()),
            Severity::Warning | Severity::Danger => ("▲", styles.drift()),
        };
        remark(&mut page.lines, mark, &note.text, width, style);
    }
}
