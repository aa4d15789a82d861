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

use ratatui::text::Line;

use super::facts::{fact, paragraph, remark, report, section, todo};
use super::read_test_summary::age;
use super::style::Styles;
use super::text::ink;
use crate::domain::probe::Probe;
use crate::domain::provenance::{Level, Provenance};
use crate::domain::roster::Row;
use crate::domain::text::{grouped, milliseconds};
use crate::report::read_test::{self, Tested};
use crate::tui::keymap::Command;
use crate::tui::probes::Record;
use crate::tui::state::State;

/// The eight heights of a bar of the sparkline.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

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
    let found = state.proofs.of(row);
    let doubted = state.proofs.is_unknown(&row.hotkey) || found.is_some_and(Provenance::is_disputed);
    let tested = match (old, doubted) {
        (true, _) => Tested::Before,
        (false, true) => Tested::Disputed,
        (false, false) => Tested::Published { confirmed: found.is_some_and(|found| found.level > Level::Reported) },
    };
    let again = format!("{} tests what is published now.", state.key(Command::Probe));
    report(lines, &read_test::told(probe, tested, &again), width, styles);
    report(lines, &read_test::object(probe), width, styles);
    if record.latencies.len() > 1 {
        latency(lines, &record.latencies, width, styles);
    }
    report(lines, &read_test::steps(&probe.steps), width, styles);
    report(lines, &read_test::risks(probe, tested), width, styles);
}

/// How long the requests took, where there were any.
fn took(probe: &Probe) -> String {
    if probe.steps.is_empty() { String::new() } else { format!("{}, ", milliseconds(probe.elapsed_ms)) }
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
