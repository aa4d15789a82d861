//! What `probe`, `visible` and `self-test` say to people.

use std::collections::BTreeMap;

use crate::cli::table::{Cell, DIM, STRONG, cell, paint, plain, table, text};
use crate::cli::text::heading;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Listing, Probe, Verdict, VerdictClass, WHOLE_SECONDS};
use crate::domain::self_test::SelfTest;
use crate::domain::text::grouped;
use crate::domain::visible::Visibility;
use crate::ops::survey::Survey;
use crate::report::read_test::{self, Tested};
use crate::report::visible::judged;
use crate::report::{self, Role};

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
    vec![
        plain(probe.uid.map_or_else(|| "+".to_owned(), |uid| uid.to_string())),
        plain(probe.hotkey.short()),
        judged(probe.verdict),
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
        let class = VerdictClass::of(verdict);
        paint(Role::of_class(class), &format!("{} {count} {}", class.glyph(), verdict.word()))
    });
    parts.collect::<Vec<_>>().join("   ")
}

fn in_full(probe: &Probe) -> String {
    let who = probe.uid.map_or_else(|| "ex-member".to_owned(), |uid| format!("uid {uid}"));
    let judged = judged(probe.verdict);
    let tested = Tested::of(probe);
    let blocks = [
        read_test::told(probe, tested, ""),
        read_test::object(probe),
        read_test::steps(&probe.steps),
        read_test::risks(probe, tested),
    ];
    format!(
        "\n{}  {}\n{} {}\n{}",
        paint(STRONG, &who),
        paint(DIM, &probe.hotkey.to_string()),
        paint(judged.role, &judged.text),
        paint(DIM, &format!("({}, {} ms)", probe.verdict.name(), probe.elapsed_ms)),
        text(&blocks.concat())
    )
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

/// How long the whole took, and could have taken.
fn took(seconds: f64) -> String {
    paint(DIM, &format!("asked in {seconds:.1} s, {WHOLE_SECONDS} s at most")) + "\n"
}

/// `visible`
pub fn visible(found: &Survey, seen: &Visibility, now_ms: u64, seconds: f64) -> String {
    let blocks = [report::visible::verdict(seen), report::visible::windows(&seen.windows)].concat();
    heading(&found.snapshot, now_ms) + &text(&blocks) + "\n" + &took(seconds)
}

/// `self-test`
pub fn self_test(test: &SelfTest, seconds: f64) -> String {
    let bucket = paint(DIM, &format!("bucket {}", test.bucket));
    format!("{bucket}\n{}\n{}", text(&report::self_test::tested(test)), took(seconds))
}
