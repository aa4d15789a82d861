//! The read test of one row in full.
//!
//! ```text
//! READ TEST
//! ✗ unknown key   84 ms, 3 min ago
//!   The store does not know this key: the token was deleted, has expired, or is less than a minute old.
//!   → Check the token; wait a minute if it is new; otherwise create another one and publish it.
//!   window        9,168,480    its blocks end at 9,168,510
//!   object        grail/windows/5CAzX1…-window-9168480.parquet.gz
//!   latency       ▁▂▃▅▇▃▂   70 to 203 ms in 7 tests
//!   step                         http      ms  code
//!   HEAD .parquet.gz              401      12
//!   GET 1 byte                    401      30  Unauthorized
//!   ! shared key: The same key id is published by uid 3, uid 7.
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::facts::{fact, paragraph, remark, section, todo};
use super::read_test_summary::age;
use super::style::Styles;
use super::text::{fit, fit_right, ink};
use crate::domain::date::{day, time_of_day};
use crate::domain::probe::{Blame, ONE_NODE_SAYS, Probe, Step};
use crate::domain::provenance::{Level, Provenance};
use crate::domain::roster::Row;
use crate::domain::text::{age_seconds, grouped, milliseconds};
use crate::domain::window::Deadline;
use crate::tui::keymap::Command;
use crate::tui::probes::Record;
use crate::tui::state::State;

/// The eight heights of a bar of the sparkline.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of a step's words.
const STEP: usize = 28;

/// The section.
pub(super) fn lines(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, width: usize, styles: Styles) {
    section(lines, "READ TEST", styles);
    let record = state.probes.record(&row.hotkey);
    let running = state.probes.is_running(&row.hotkey);
    if running {
        remark(lines, "…", "testing", width, styles.accent());
    }
    if let Some(problem) = state.probes.problem(&row.hotkey) {
        remark(lines, "✗", &format!("It could not be tested: {}", problem.summary), width, styles.unreadable());
        paragraph(lines, &problem.cause, 2, width, styles.plain());
        todo(lines, &problem.help, width, styles);
    }
    match record {
        Some(record) => tested(lines, state, row, record, width, styles),
        None if running => {}
        None => remark(lines, "—", &format!("not tested: press {}", state.key(Command::Probe)), width, styles.dim()),
    }
}

fn tested(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, record: &Record, width: usize, styles: Styles) {
    let probe = &record.probe;
    let old = record.is_before_the_change(row);
    let style = if old { styles.dim() } else { styles.class(record.class()) };
    lines.push(Line::from(vec![
        ink(format!("{} {}", record.class().glyph(), record.word()), style),
        ink(format!("   {}{} ago", took(probe), age(state, record)), styles.dim()),
    ]));
    if old {
        let text =
            "Before the change: what is published now is another bucket or key, which this test says nothing about.";
        remark(lines, "!", text, width, styles.drift());
        todo(lines, &format!("{} tests what is published now.", state.key(Command::Probe)), width, styles);
    }
    paragraph(lines, &probe.explanation, 2, width, if old { styles.dim() } else { styles.plain() });
    let found = state.proofs.of(row);
    let doubted = state.proofs.is_unknown(&row.hotkey) || found.is_some_and(Provenance::is_disputed);
    let blames = probe.blame == Some(Blame::Holder) && !old;
    if blames && doubted {
        let text = "Sources contradict each other about this row: the key may be one that nobody published.";
        remark(lines, "≠", text, width, styles.unreadable());
    }
    if !probe.fix.is_empty() && !old && !doubted {
        todo(lines, &probe.fix, width, styles);
    }
    if blames && !doubted && found.is_none_or(|found| found.level == Level::Reported) {
        paragraph(lines, ONE_NODE_SAYS, 2, width, styles.dim());
    }
    object(lines, probe, width, styles);
    if record.latencies.len() > 1 {
        latency(lines, &record.latencies, width, styles);
    }
    steps(lines, &probe.steps, width, styles);
    for risk in &probe.risks {
        let style = if old { styles.dim() } else { styles.drift() };
        remark(lines, "!", &format!("{}: {}", risk.word(), risk.sentence()), width, style);
    }
}

/// How long the requests took, where there were any.
fn took(probe: &Probe) -> String {
    if probe.steps.is_empty() { String::new() } else { format!("{}, ", milliseconds(probe.elapsed_ms)) }
}

/// What was looked for and what was found.
fn object(lines: &mut Vec<Line<'static>>, probe: &Probe, width: usize, styles: Styles) {
    if let Some(window) = probe.window {
        let note = format!("closed by block {}", grouped(window.closing_block()));
        fact(lines, "window", ink(grouped(window.start()), styles.plain()), &note, width, styles);
    }
    if let Some(object) = &probe.object {
        for (i, part) in super::text::wrap(object, width.saturating_sub(16)).into_iter().enumerate() {
            fact(lines, if i == 0 { "object" } else { "" }, ink(part, styles.plain()), "", width, styles);
        }
    }
    if let Some(size) = probe.size {
        fact(lines, "size", ink(format!("{} bytes", grouped(size)), styles.plain()), "", width, styles);
    }
    if let Some(modified) = probe.last_modified_ms {
        let against = probe.deadline.map(|deadline| against(modified, deadline)).unwrap_or_default();
        fact(lines, "uploaded", moment(modified, styles), &against, width, styles);
    }
    if let Some(deadline) = probe.deadline {
        let how = if deadline.exact { "from the closing block" } else { "counted back at 12 s a block" };
        fact(lines, "deadline", moment(deadline.at_ms, styles), how, width, styles);
    }
}

fn moment(at_ms: u64, styles: Styles) -> Span<'static> {
    ink(format!("{} {} UTC", day(at_ms), time_of_day(at_ms)), styles.plain())
}

fn against(modified_ms: u64, deadline: Deadline) -> String {
    match modified_ms.checked_sub(deadline.at_ms) {
        None | Some(0) => format!("{} before the deadline", age_seconds((deadline.at_ms - modified_ms) / 1_000)),
        Some(late) => format!("{} after the deadline", age_seconds(late.div_ceil(1_000))),
    }
}

fn latency(lines: &mut Vec<Line<'static>>, latencies: &[u64], width: usize, styles: Styles) {
    let (least, most) = (latencies.iter().min().copied(), latencies.iter().max().copied());
    let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
    let note = format!("{} to {} ms in the last {} tests", grouped(least), grouped(most), latencies.len());
    fact(lines, "latency", ink(sparkline(latencies, most), styles.accent()), &note, width, styles);
}

fn sparkline(latencies: &[u64], most: u64) -> String {
    let height = |ms: u64| usize::try_from(ms.saturating_mul(7) / most.max(1)).unwrap_or(7).min(7);
    latencies.iter().map(|ms| HEIGHTS[height(*ms)]).collect()
}

fn steps(lines: &mut Vec<Line<'static>>, steps: &[Step], width: usize, styles: Styles) {
    if steps.is_empty() {
        return;
    }
    let head = format!("  {}{}  {}   code", fit("step", STEP), fit_right("http", 4), fit_right("ms", 6));
    lines.push(ink(head, styles.heading()).into());
    for step in steps {
        lines.extend(step_lines(step, width, styles));
    }
}

/// Code and message are somebody else's text: they are wrapped, not cut, since their end may say what matters.
fn step_lines(step: &Step, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let http = step.http.map_or_else(|| "—".to_owned(), |http| http.to_string());
    let lead = vec![
        ink(format!("  {}", fit(step.words, STEP)), styles.plain()),
        ink(fit_right(&http, 4), of_http(step, styles)),
        ink(format!("  {}   ", fit_right(&grouped(step.ms), 6)), styles.dim()),
    ];
    let mut line = Line::from(lead);
    let taken = super::text::line_columns(&line);
    let mut codes = super::text::wrap(&step.words_of_the_answer(), width.saturating_sub(taken)).into_iter();
    line.spans.extend(codes.next().map(|code| ink(code, of_http(step, styles))));
    let rest = codes.map(|code| Line::from(vec![Span::raw(" ".repeat(taken)), ink(code, of_http(step, styles))]));
    std::iter::once(line).chain(rest).collect()
}

fn of_http(step: &Step, styles: Styles) -> Style {
    match step.http {
        Some(200..=299) => styles.readable(),
        Some(404) => styles.drift(),
        _ => styles.unreadable(),
    }
}
