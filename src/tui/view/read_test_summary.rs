//! Read tests in few words: the cell of the table, and the line above it.
//!
//! ```text
//! ✓ 84 ms on time     ✗ unknown key     ! late     ? throttled     … testing     — not tested     ✗ before the change
//!
//! testing 87 of 256  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄  ✓ 60   ✗ 12   P cancels
//! ✓ 228 on time   ! 9 bad window   ✗ 14 no access   ? 2 unclear   — 3 not tested   3 min ago  ▄▄▄▄▄▄▄▄▄▄▄▄
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::style::Styles;
use super::text::{columns, ink, line_columns};
use crate::domain::probe::VerdictClass;
use crate::domain::probe::{Risk, Verdict};
use crate::domain::roster::Row;
use crate::domain::text::{age_seconds, grouped, milliseconds};
use crate::tui::keymap::Command;
use crate::tui::probes::{Record, Sweep};
use crate::tui::state::State;

/// Columns of the shortest bar that tells anything, and of the longest that is looked at as one.
const BAR: (usize, usize) = (10, 60);

/// Columns from which every result has room for its age.
const AGED: usize = 26;

/// What the table says of a row's test, in parts; with its age where there is room for that in every row.
pub(super) fn cell(state: &State, row: &Row, width: usize, styles: Styles) -> Vec<(String, Style)> {
    if state.probes.is_running(&row.hotkey) {
        return vec![("… testing".to_owned(), styles.accent())];
    }
    let Some(record) = state.probes.record(&row.hotkey) else {
        return vec![("— not tested".to_owned(), styles.dim())];
    };
    let mut parts =
        if record.is_before_the_change(row) { before(record, width, styles) } else { fresh(record, width, styles) };
    if width >= AGED {
        parts.push((format!("  {}", age(state, record)), styles.dim()));
    }
    parts
}

fn before(record: &Record, width: usize, styles: Styles) -> Vec<(String, Style)> {
    let full = format!("{} before the change", record.class().glyph());
    let text = if columns(&full) <= width { full } else { format!("{} before change", record.class().glyph()) };
    vec![(text, styles.dim())]
}

fn fresh(record: &Record, width: usize, styles: Styles) -> Vec<(String, Style)> {
    let (probe, class) = (&record.probe, record.class());
    let style = styles.class(class);
    if probe.verdict != Verdict::Ok {
        return vec![(format!("{} {}", class.glyph(), record.word()), style)];
    }
    let lead = format!("{} {}", class.glyph(), milliseconds(probe.elapsed_ms));
    let room = width.saturating_sub(columns(&lead) + 1);
    let (word, style_of_word) = match probe.risks.first().map(Risk::word) {
        Some(word) if columns(word) <= room => (word, styles.drift()),
        Some(_) => ("risky", styles.drift()),
        None => (record.word(), styles.dim()),
    };
    vec![(lead, style), (format!(" {word}"), style_of_word)]
}

/// How old a result is.
pub(super) fn age(state: &State, record: &Record) -> String {
    age_seconds(state.since(record.probe.at_ms) / 1_000)
}

/// Whether there is a line about tests.
pub(super) fn has_line(state: &State) -> bool {
    state.probes.sweep.is_some() || state.probes.tested() > 0
}

/// The sweep under way, or what the tests so far found.
pub(super) fn line(state: &State, width: usize, styles: Styles) -> Line<'static> {
    match &state.probes.sweep {
        Some(sweep) => sweeping(state, sweep, width, styles),
        None => found(state, width, styles),
    }
}

fn sweeping(state: &State, sweep: &Sweep, width: usize, styles: Styles) -> Line<'static> {
    let number = |n: usize| grouped(n as u64);
    let mut line = Line::from(vec![
        ink("testing ", styles.accent()),
        ink(number(sweep.done()), styles.strong()),
        ink(format!(" of {}", number(sweep.total)), styles.dim()),
    ]);
    let always = [VerdictClass::OnTime, VerdictClass::Failed];
    let told = |class: &VerdictClass| always.contains(class) || sweep.count(*class) > 0;
    let count = |class: VerdictClass| {
        let count = sweep.count(class);
        ink(format!("   {} {}", class.glyph(), number(count)), quiet(count, styles.class(class), styles))
    };
    let mut tail: Vec<Span<'static>> = VerdictClass::ALL.into_iter().filter(told).map(count).collect();
    let end =
        if sweep.cancelling { "   ending".to_owned() } else { format!("   {} cancels", state.key(Command::Sweep)) };
    tail.push(ink(end, styles.dim()));
    let tail = Line::from(tail);
    let room = width.saturating_sub(line_columns(&line) + 2 + line_columns(&tail));
    if room >= BAR.0 {
        let room = room.min(BAR.1);
        let full = sweep.done() * room / sweep.total.max(1);
        line.push_span("  ");
        line.push_span(Span::styled(shade(0, styles).repeat(full), styles.accent()));
        line.push_span(Span::styled(shade(2, styles).repeat(room - full), styles.rule()));
    }
    line.spans.extend(tail.spans);
    line
}

fn quiet(count: usize, style: Style, styles: Styles) -> Style {
    if count == 0 { styles.dim() } else { style }
}

/// Counts and an age, then a bar of the proportions. Where there is no room the counts go that say least.
fn found(state: &State, width: usize, styles: Styles) -> Line<'static> {
    let probes = &state.probes;
    let untested = state.model.table.roster().summary.uids.saturating_sub(probes.tested());
    let counts = VerdictClass::ALL.map(|class| probes.count(class));
    let mut parts: Vec<(u8, Span<'static>)> = Vec::new();
    for (count, class) in counts.into_iter().zip(VerdictClass::ALL).filter(|(count, _)| *count > 0) {
        let text = format!("{} {} {}   ", class.glyph(), grouped(count as u64), class.word());
        parts.push((rank(class), ink(text, styles.class(class))));
    }
    if untested > 0 {
        parts.push((3, ink(format!("— {} not tested   ", grouped(untested as u64)), styles.dim())));
    }
    let age = age_seconds(state.since(probes.newest_ms()) / 1_000);
    parts.push((u8::MAX, ink(format!("{age} ago"), styles.dim())));
    while parts.iter().map(|(_, part)| columns(&part.content)).sum::<usize>() > width && parts.len() > 1 {
        let least = parts.iter().enumerate().min_by_key(|(_, (rank, _))| *rank).map_or(0, |(index, _)| index);
        parts.remove(least);
    }
    let mut line: Line<'static> = parts.into_iter().map(|(_, part)| part).collect();
    let room = width.saturating_sub(line_columns(&line) + 3);
    if room >= BAR.0 {
        line.push_span("   ");
        line.spans.extend(bar(counts, untested, room.min(BAR.1), styles));
    }
    line
}

/// Which counts stay longest. That of hotkeys without a commitment stands in the line above, too.
const fn rank(class: VerdictClass) -> u8 {
    match class {
        VerdictClass::OnTime => 6,
        VerdictClass::Failed => 5,
        VerdictClass::Object => 4,
        VerdictClass::Unclear => 2,
        VerdictClass::Nothing => 1,
    }
}

fn bar(counts: [usize; 5], untested: usize, width: usize, styles: Styles) -> Vec<Span<'static>> {
    let [ok, object, failed, unclear, nothing] = counts;
    let parts = [ok, object, failed, unclear + nothing + untested];
    let of = [
        styles.class(VerdictClass::OnTime),
        styles.class(VerdictClass::Object),
        styles.class(VerdictClass::Failed),
        styles.rule(),
    ];
    let shades = [0, 1, 1, 2];
    let widths = super::text::proportions(&parts, width);
    (0..4).map(|i| Span::styled(shade(shades[i], styles).repeat(widths[i]), of[i])).collect()
}

/// Without colour the shades of a glyph tell the parts of a bar apart.
fn shade(part: usize, styles: Styles) -> &'static str {
    if styles.colourless() { ["█", "▓", "░"][part.min(2)] } else { "▄" }
}
