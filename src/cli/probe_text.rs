//! What `probe`, `visible` and `self-test` say to people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;

use crate::cli::table::{BAD, Cell, DIM, GOOD, STRONG, WARN, cell, paint, plain, table};
use crate::cli::text::heading;
use crate::domain::date::time_of_day;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Listing, Probe, Step, Verdict, VerdictClass, WHOLE_SECONDS};
use crate::domain::self_test::{JudgedStep, Outcome, SelfTest};
use crate::domain::text::grouped;
use crate::domain::visible::{Standing, Visibility, WindowSeen};
use crate::domain::window::from_deadline;
use crate::ops::survey::Survey;

/// Glyph and style of a verdict: never colour alone.
pub fn verdict_style(verdict: Verdict) -> (&'static str, Style) {
    let class = VerdictClass::of(verdict);
    let style = match class {
        VerdictClass::OnTime => GOOD,
        VerdictClass::Object | VerdictClass::Unclear => WARN,
        VerdictClass::Failed => BAD,
        VerdictClass::Nothing => DIM,
    };
    (class.glyph(), style)
}

/// `probe` of many: a table of those that are shown, and the totals of all.
pub fn sweep(found: &Survey, results: &[Probe], now_ms: u64, shown: impl Fn(&&Probe) -> bool) -> String {
    let mut out = heading(&found.snapshot, now_ms);
    // The worst stand last, where the eye is when a long table has run through.
    let mut rows: Vec<&Probe> = results.iter().filter(|probe| shown(probe)).collect();
    rows.sort_by_key(|probe| severity(probe.verdict));
    if !rows.is_empty() {
        out += &table(&std::iter::once(titles()).chain(rows.into_iter().map(line)).collect::<Vec<_>>());
        out.push('\n');
    }
    out + &summary(results) + "\n"
}

/// From the best to the worst. Where nothing is published there is nothing to be mended.
fn severity(verdict: Verdict) -> (u8, Option<usize>) {
    let class = match VerdictClass::of(verdict) {
        VerdictClass::OnTime => 0,
        VerdictClass::Nothing => 1,
        VerdictClass::Unclear => 2,
        VerdictClass::Object => 3,
        VerdictClass::Failed => 4,
    };
    (class, Verdict::ALL.iter().position(|one| *one == verdict))
}

/// `probe`: each in full.
pub fn probes(found: &Survey, results: &[Probe], listings: &[(Hotkey, Listing)], now_ms: u64) -> String {
    let mut out = heading(&found.snapshot, now_ms);
    for probe in results {
        out += &in_full(probe);
        if let Some((_, listing)) = listings.iter().find(|(hotkey, _)| *hotkey == probe.hotkey) {
            out += &listed(listing);
        }
    }
    out
}

fn titles() -> Vec<Cell> {
    ["UID", "HOTKEY", "READ TEST", "MS", "WINDOW", "BYTES", "WHY"]
        .into_iter()
        .map(|title| cell(title, STRONG))
        .collect()
}

fn line(probe: &Probe) -> Vec<Cell> {
    let (glyph, style) = verdict_style(probe.verdict);
    vec![
        plain(probe.uid.map_or_else(|| "+".to_owned(), |uid| uid.to_string())),
        plain(probe.hotkey.short()),
        cell(format!("{glyph} {}", probe.verdict.word()), style),
        plain(probe.elapsed_ms.to_string()),
        plain(probe.window.map_or_else(|| "—".to_owned(), |window| grouped(window.start()))),
        plain(probe.size.map_or_else(|| "—".to_owned(), grouped)),
        if probe.verdict.passes() { cell("", DIM) } else { cell(probe.explanation.clone(), DIM) },
    ]
}

/// `228 on time · 12 no object · …`, the frequent ones first.
fn summary(results: &[Probe]) -> String {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for probe in results {
        *counts.entry(probe.verdict).or_default() += 1;
    }
    if counts.is_empty() {
        return "nobody matches, nothing was tested".to_owned();
    }
    let parts = counts.into_iter().map(|(verdict, count)| {
        let (glyph, style) = verdict_style(verdict);
        paint(style, &format!("{glyph} {count} {}", verdict.word()))
    });
    parts.collect::<Vec<_>>().join("   ")
}

fn in_full(probe: &Probe) -> String {
    let (glyph, style) = verdict_style(probe.verdict);
    let who = probe.uid.map_or_else(|| "ex-member".to_owned(), |uid| format!("uid {uid}"));
    let mut out = format!(
        "\n{}  {}\n{} {}\n",
        paint(STRONG, &who),
        paint(DIM, &probe.hotkey.to_string()),
        paint(style, &format!("{glyph} {}", probe.verdict.word())),
        paint(DIM, &format!("({}, {} ms)", probe.verdict.name(), probe.elapsed_ms)),
    );
    let _ = writeln!(out, "  {}", probe.explanation);
    if let Some(reservation) = probe.reservation() {
        let _ = writeln!(out, "  {}", paint(DIM, reservation));
    }
    if !probe.fix.is_empty() {
        let _ = writeln!(out, "  → {}", probe.fix);
    }
    for risk in &probe.risks {
        let _ = writeln!(out, "  {} {}", paint(WARN, &format!("! {}:", risk.word())), risk.sentence());
    }
    if let Some(object) = &probe.object {
        let _ = writeln!(out, "  {}", paint(DIM, object));
    }
    if let (Some(modified), Some(deadline)) = (probe.last_modified_ms, probe.deadline) {
        let counted = if deadline.exact { "" } else { ", counted at 12 s a block" };
        let times =
            format!("uploaded {} UTC · deadline {} UTC{counted}", time_of_day(modified), time_of_day(deadline.at_ms));
        let _ = writeln!(out, "  {}", paint(DIM, &times));
    }
    out + &steps(&probe.steps)
}

fn steps(steps: &[Step]) -> String {
    let rows: Vec<Vec<Cell>> = steps
        .iter()
        .map(|step| {
            vec![
                cell(format!("  {}", step.words), DIM),
                plain(step.http.map_or_else(|| "—".to_owned(), |http| http.to_string())),
                cell(format!("{} ms", step.ms), DIM),
                plain(step.words_of_the_answer()),
            ]
        })
        .collect();
    table(&rows)
}

fn listed(listing: &Listing) -> String {
    match listing {
        Ok(names) if names.is_empty() => "  nothing is under grail/\n".to_owned(),
        Ok(names) => names
            .iter()
            .fold(format!("  {} names under grail/\n", names.len()), |out, name| out + "    " + &name.shown() + "\n"),
        Err(why) => format!("  the listing was refused: {why}\n"),
    }
}

const fn standing_style(standing: Standing) -> Style {
    match standing {
        Standing::Yes => GOOD,
        Standing::No => BAD,
        Standing::Warning => WARN,
        Standing::Unknown => DIM,
    }
}

/// How long the whole took, and could have taken.
fn took(seconds: f64) -> String {
    paint(DIM, &format!("asked in {seconds:.1} s, {WHOLE_SECONDS} s at most")) + "\n"
}

/// `visible`
pub fn visible(found: &Survey, seen: &Visibility, now_ms: u64, seconds: f64) -> String {
    let mut out = heading(&found.snapshot, now_ms);
    let standing = seen.standing();
    let _ = writeln!(out, "{}\n", paint(standing_style(standing), &format!("{} {}", standing.glyph(), seen.sentence)));
    let rows: Vec<Vec<Cell>> = seen
        .checks
        .iter()
        .map(|check| {
            vec![
                cell(format!("{} {}", check.standing.glyph(), check.words), standing_style(check.standing)),
                plain(check.evidence.clone()),
            ]
        })
        .collect();
    out += &table(&rows);
    if let Some(confirmed) = &seen.confirmed {
        out += &paint(DIM, &format!("your commitment is {}\n", confirmed.words()));
    }
    for check in seen.checks.iter().filter(|check| check.standing != Standing::Yes && !check.fix.is_empty()) {
        let _ = writeln!(out, "→ {}", check.fix);
    }
    if !seen.windows.is_empty() {
        let titles = ["WINDOW", "", "BYTES", "UPLOADED"].into_iter().map(|title| cell(title, STRONG)).collect();
        let rows: Vec<Vec<Cell>> = std::iter::once(titles).chain(seen.windows.iter().map(window_line)).collect();
        out += &("\n".to_owned() + &table(&rows));
    }
    out += &paint(DIM, &format!("\nas seen from {}\n", seen.seen_from));
    out + &took(seconds)
}

fn window_line(seen: &WindowSeen) -> Vec<Cell> {
    let (glyph, style) = verdict_style(seen.verdict);
    vec![
        plain(grouped(seen.window.start())),
        cell(format!("{glyph} {}", seen.verdict.word()), style),
        plain(seen.size.map_or_else(|| "—".to_owned(), grouped)),
        plain(seen.early_ms.map_or_else(String::new, |ms| early(ms, seen.exact))),
    ]
}

fn early(ms: i64, exact: bool) -> String {
    let about = if exact { "" } else { "about " };
    format!("{about}{} the deadline", from_deadline(ms))
}

const fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Passed => GOOD,
        Outcome::Failed => BAD,
        Outcome::Inconclusive => WARN,
        Outcome::Skipped => DIM,
    }
}

/// `self-test`
pub fn self_test(test: &SelfTest, seconds: f64) -> String {
    let (glyph, style) = match (test.healthy, test.is_unknown()) {
        (true, _) => ("✓", GOOD),
        (false, true) => ("?", WARN),
        (false, false) => ("✗", BAD),
    };
    let words = test.sentence();
    let mut out = format!("{}\nbucket {}\n\n", paint(style, &format!("{glyph} {words}")), test.bucket);
    out += &table(&test.steps.iter().map(step_line).collect::<Vec<_>>());
    for step in test.steps.iter().filter(|step| step.outcome != Outcome::Passed && !step.fix.is_empty()) {
        let _ = writeln!(out, "→ {}", step.fix);
    }
    for risk in &test.risks {
        let _ = writeln!(out, "{} {}", paint(BAD, &format!("! {}:", risk.word())), risk.sentence());
    }
    if let Some(remains) = test.remains() {
        let _ = writeln!(out, "{remains}");
    }
    out + "\n" + &took(seconds)
}

fn step_line(step: &JudgedStep) -> Vec<Cell> {
    vec![
        cell(format!("{} {}", step.outcome.glyph(), step.words), outcome_style(step.outcome)),
        plain(step.http.map_or_else(String::new, |http| http.to_string())),
        plain(step.code.clone().unwrap_or_default()),
        plain(step.explanation.clone()),
    ]
}
