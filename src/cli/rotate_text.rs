//! What `rotate` tells people: the way with its marks, what stands against it, what comes next.

use std::fmt::Write as _;

use crate::cli::table::{BAD, DIM, STRONG, WARN, cell, paint, table};
use crate::domain::date::day;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::{Entry, Phase, Report, Rotation, Seen};
use crate::report::Role;
use crate::report::rotation::{Way, closed, heading, keys};

/// Where it stands.
pub(super) fn report(report: &Report, entries: &[Entry]) -> String {
    let rotation = &report.rotation;
    let mut out = paint(STRONG, &heading(rotation)) + "\n";
    for (name, from, to) in keys(rotation) {
        let _ = writeln!(out, "  {} {from} → {to}", paint(DIM, &name));
    }
    let way = Way { rotation, entries, finalized: report.finalized, is_busy: false };
    for line in way.lines() {
        let words = if line.role == DIM { DIM } else { Role::Plain };
        let fact = line.facts.first().map(|fact| format!("  {}", paint(DIM, fact))).unwrap_or_default();
        let _ = writeln!(out, "{} {}{fact}", paint(line.role, line.glyph), paint(words, line.name));
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
pub(super) fn history(rotations: &[Rotation]) -> String {
    let line = |rotation: &Rotation| [vec![cell(day(rotation.since_ms), DIM)], closed(rotation).to_vec()].concat();
    table(&rotations.iter().map(line).collect::<Vec<_>>())
}
