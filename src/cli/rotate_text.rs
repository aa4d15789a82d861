//! What `rotate` tells people: the way with its marks, what stands against it, what comes next.

use std::fmt::Write as _;

use crate::cli::table::{BAD, DIM, GOOD, STRONG, WARN, paint};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::{EnvUpdate, Mark, Phase, Report, Rotation, Seen};
use crate::domain::text::{age_blocks, grouped};
use crate::domain::vault_index::KeyRef;

/// Where it stands.
pub(super) fn report(report: &Report) -> String {
    let rotation = &report.rotation;
    let mut out = format!("{}{}\n", paint(STRONG, &title(rotation)), keys(rotation));
    for (phase, mark) in rotation.marks(report.finalized) {
        let _ = writeln!(out, "{}", line(report, phase, mark));
    }
    for blocker in &report.blockers {
        out.push_str(&stands_against(blocker));
    }
    let next = report.next();
    if !rotation.phase.is_closed() {
        let _ = writeln!(out, "{} {}", paint(STRONG, "next"), next.words);
    } else if rotation.phase == Phase::RolledBack {
        let _ = writeln!(out, "  → {}", next.words.trim_start_matches("Nothing. "));
    }
    if let Some(reminder) = rotation.reminder() {
        let _ = writeln!(out, "  → {reminder}");
    }
    out
}

fn title(rotation: &Rotation) -> String {
    let how = match (rotation.emergency, rotation.back) {
        (_, true) if rotation.phase.is_closed() => "",
        (_, true) => ", rolling back",
        (true, false) => ", EMERGENCY: revoke first",
        (false, false) => "",
    };
    format!("Rotation: {}{how}", rotation.title())
}

fn keys(rotation: &Rotation) -> String {
    let one = |key: Option<&KeyRef>| key.map_or_else(|| "none".to_owned(), ToString::to_string);
    let mut out = String::new();
    for (side, keys) in rotation.change.sides() {
        let _ = write!(out, "\n  {} {} → {}", paint(DIM, side.word()), one(keys.old.as_ref()), keys.new);
    }
    out
}

fn line(report: &Report, phase: Phase, mark: Mark) -> String {
    let (mark, style) = match mark {
        Mark::Done => ("✓", GOOD),
        Mark::Now if report.rotation.difference.is_some() => ("●", BAD),
        Mark::Now => ("●", WARN),
        Mark::ToCome => ("·", DIM),
    };
    let fact = fact(report, phase).filter(|_| style != DIM || phase == Phase::Grace).unwrap_or_default();
    let fact = if fact.is_empty() { fact } else { format!("  {}", paint(DIM, &fact)) };
    format!(
        "{} {}{fact}",
        paint(style, mark),
        paint(if style == DIM { DIM } else { anstyle::Style::new() }, phase.words())
    )
}

fn fact(report: &Report, phase: Phase) -> Option<String> {
    let rotation = &report.rotation;
    match phase {
        Phase::Staged => Some(format!("generation {} in {}", rotation.to, rotation.backend.name())),
        Phase::Finalized => rotation.finalized.map(|block| format!("set in #{}", grouped(block))),
        Phase::EnvUpdated => rotation.env.map(EnvUpdate::words).map(ToOwned::to_owned),
        Phase::Grace => match (rotation.grace, report.blocks_left()) {
            (Some(grace), Some(0)) => Some(format!("over since #{}", grouped(grace.ends_at))),
            (Some(grace), Some(left)) => Some(format!(
                "until #{}, {} blocks (about {}) left",
                grouped(grace.ends_at),
                grouped(left),
                age_blocks(left)
            )),
            (Some(grace), None) => Some(format!("until #{}", grouped(grace.ends_at))),
            (None, _) => Some(format!("{} blocks", grouped(rotation.grace_blocks))),
        },
        _ => None,
    }
}

/// What stands against the next step.
pub(super) fn stands_against(blocker: &Diagnostic) -> String {
    format!("{} {}\n  → {}\n", paint(WARN, "▲"), paint(STRONG, &blocker.summary), blocker.help)
}

/// What went wrong, in three sentences.
pub(super) fn problem(finding: &Diagnostic) -> String {
    format!("{} {}\n  {}\n  → {}\n", paint(BAD, "✗"), paint(STRONG, &finding.summary), finding.cause, finding.help)
}

/// Old, new and chain, where the chain holds neither.
pub(super) fn difference(rotation: &Rotation, seen: &Seen) -> String {
    let Some(read) = &rotation.change.read else { return String::new() };
    let old = read.old.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    format!(
        "  {} {old}\n  {} {}\n  {} {seen}\n",
        paint(DIM, "old  "),
        paint(DIM, "new  "),
        read.new,
        paint(DIM, "chain")
    )
}

/// The rotations that are over, in one line each.
pub(super) fn history(closed: &[Rotation]) -> String {
    let mut out = String::new();
    for rotation in closed {
        let when = crate::domain::date::day(rotation.since_ms);
        let _ = writeln!(out, "{} {}: {}", paint(DIM, &when), rotation.title(), rotation.phase.words());
    }
    out
}
