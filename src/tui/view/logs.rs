//! What the console did, newest last.
//!
//! ```text
//! TIME (UTC)  LEVEL  FROM      MESSAGE
//! 12:03:44    info   chain     connected to wss://…
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::style::Styles;
use super::text::{cut, fit, ink, wrap};
use crate::domain::text::grouped;
use crate::tui::logbook::{Level, LogLine};
use crate::tui::state::State;

/// Columns of the part of the program that speaks.
const FROM: usize = 8;

/// Where the lines go.
pub(super) fn lines_area(body: Rect) -> Rect {
    Rect { x: body.x + 1, y: body.y + 1, width: body.width.saturating_sub(2), height: body.height.saturating_sub(2) }
}

/// Draws the log.
pub(super) fn render(state: &State, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    let area = lines_area(body);
    let heading = format!("TIME UTC  LEVEL  {} MESSAGE", fit("FROM", FROM));
    frame.buffer_mut().set_span(area.x, body.y, &ink(heading, styles.heading()), area.width);
    let lines = state.logs.lines();
    if lines.is_empty() {
        let quiet = "Nothing was logged yet. What the console does and what fails will stand here.";
        frame.buffer_mut().set_span(
            area.x,
            area.y + 1,
            &ink(cut(quiet, usize::from(area.width)), styles.dim()),
            area.width,
        );
        return;
    }
    let page = usize::from(area.height);
    let end = lines.len().saturating_sub(state.logs.back());
    let rows = newest(lines.range(..end).rev(), page, |line| drawn(line, styles, usize::from(area.width)));
    for (y, row) in (area.top()..area.bottom()).zip(&rows) {
        frame.buffer_mut().set_line(area.x, y, row, area.width);
    }
    let unit = if lines.len() == 1 { "line" } else { "lines" };
    let position = match state.logs.back() {
        0 => format!("{} {unit} · following", grouped(lines.len() as u64)),
        back => format!("{} {unit} · {} newer below · G follows", grouped(lines.len() as u64), grouped(back as u64)),
    };
    frame.buffer_mut().set_span(area.x, body.bottom().saturating_sub(1), &ink(position, styles.dim()), area.width);
}

/// As many rows as fit, from the newest line upwards; only those lines are drawn. The oldest one may lose its first rows.
fn newest<'a>(
    lines: impl Iterator<Item = &'a LogLine>,
    page: usize,
    draw: impl Fn(&LogLine) -> Vec<Line<'static>>,
) -> Vec<Line<'static>> {
    let mut upwards = Vec::with_capacity(page);
    for line in lines {
        upwards.extend(draw(line).into_iter().rev());
        if upwards.len() >= page {
            break;
        }
    }
    upwards.truncate(page);
    upwards.reverse();
    upwards
}

/// A line in as many rows as its message needs: what went wrong stands at the end of a sentence as often as not.
fn drawn(line: &LogLine, styles: Styles, width: usize) -> Vec<Line<'static>> {
    let (word, style) = level(line.level, styles);
    let lead = 10 + 7 + FROM + 1;
    let message = wrap(&line.message.shown(), width.saturating_sub(lead).max(20));
    let mut rows = Vec::with_capacity(message.len());
    for (index, part_of_it) in message.into_iter().enumerate() {
        let text = ink(part_of_it, styles.plain());
        rows.push(match index {
            0 => Line::from(vec![
                ink(format!("{}  ", clock(line.at_ms)), styles.dim()),
                ink(fit(word, 7), style),
                ink(format!("{} ", fit(part(&line.target), FROM)), styles.dim()),
                text,
            ]),
            _ => Line::from(vec![ink(" ".repeat(lead), styles.plain()), text]),
        });
    }
    rows
}

/// The layer, which is what one looks for: the first module of ours, the crate of others.
fn part(target: &str) -> &str {
    let ours = target.strip_prefix("grail_console::").unwrap_or(target);
    ours.split("::").next().unwrap_or(ours)
}

fn level(level: Level, styles: Styles) -> (&'static str, Style) {
    match level {
        Level::Error => ("error", styles.danger()),
        Level::Warn => ("warn", styles.drift()),
        Level::Info => ("info", styles.readable()),
        Level::Debug => ("debug", styles.dim()),
        Level::Trace => ("trace", styles.dim()),
    }
}

/// Time of day in UTC, which is the same on every machine that the lines are compared with.
fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
