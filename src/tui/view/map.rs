//! Every uid as one cell with its read test, in reading order.
//!
//! ```text
//! ✓ 228 on time   ! 9 bad window   ✗ 14 no access   — 5 not tested   3 min ago  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄
//!
//!          +0              +8              +16             +24
//!      0    ✓ ✓ ✓ ○ ✓ ✓ ✓ ✗ ✓ ✓ ✓ ✗ ✓ ! ✓ ✓ ✓ ✓ ✓ ✗ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓
//!     32    ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓●✓ ✓ ✓ ✓▌✗◆✓ …
//!
//! ▌ uid 46   5CAzX1…h9fQ   ✗ unknown key   3 min ago
//! ✓ 228 on time   ! 7 late   ! 2 no object   · 5 not tested   ● you   ◆ marked
//! filter, count, messages
//! ```
//! Only the cells on the screen are built.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::style::Styles;
use super::text::{columns, fit_right, ink, line_columns};
use super::{read_test_summary, subnet};
use crate::domain::probe::Verdict;
use crate::domain::probe::VerdictClass;
use crate::domain::roster::{Row, State as RowState};
use crate::domain::text::grouped;
use crate::tui::keymap::Command;
use crate::tui::state::State;

/// Columns of the uid at the left, and of a cell: who it is, and how it stands.
const RULER: usize = 7;
const CELL: usize = 2;
/// Cells a line may have.
const PER_LINE: [usize; 3] = [64, 32, 16];
/// Every so many cells the head counts.
const COUNTED: usize = 8;
/// Rows from which there is room for empty lines.
const AIRY: u16 = 18;

/// The parts of the view.
struct Parts {
    tests: Rect,
    head: Rect,
    map: Rect,
    selected: Rect,
    legend: Rect,
    status: Rect,
}

/// Cells of a line.
pub(super) fn per_line(width: u16) -> usize {
    let room = usize::from(width).saturating_sub(RULER + 2) / CELL;
    PER_LINE.into_iter().find(|cells| *cells <= room).unwrap_or(8)
}

/// Lines of the map on the screen.
pub(super) fn page(state: &State, body: Rect) -> usize {
    usize::from(parts(state, body, Styles::of(&state.options)).map.height)
}

fn parts(state: &State, body: Rect, styles: Styles) -> Parts {
    let air = u16::from(body.height >= AIRY);
    let legend = u16::try_from(legend(state, usize::from(body.width) - 2, styles).len()).unwrap_or(1);
    let lines = u16::try_from(state.model.table.roster().rows.len().div_ceil(per_line(body.width))).unwrap_or(u16::MAX);
    let fixed = 1 + air + 1 + air + 1 + legend + 1;
    let height = body.height.saturating_sub(fixed).min(lines);
    let row = |y: u16, height: u16| Rect { x: body.x + 1, y, width: body.width - 2, height };
    let head = body.y + 1 + air;
    let below = head + 1 + height + air;
    Parts {
        tests: row(body.y, 1),
        head: row(head, 1),
        map: row(head + 1, height),
        selected: row(below, 1),
        legend: row(below + 1, legend),
        status: Rect { y: body.bottom().saturating_sub(1), height: 1, ..body },
    }
}

/// Draws the map.
pub(super) fn render(state: &State, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    if state.model.table.snapshot().is_none() {
        return subnet::never_read(state, styles, body, frame);
    }
    let parts = parts(state, body, styles);
    let width = usize::from(parts.tests.width);
    let buffer = frame.buffer_mut();
    buffer.set_line(parts.tests.x, parts.tests.y, &top(state, width, styles), parts.tests.width);
    buffer.set_line(parts.head.x, parts.head.y, &head(per_line(body.width), styles), parts.head.width);
    buffer.set_line(parts.selected.x, parts.selected.y, &selected(state, width, styles), parts.selected.width);
    map(state, styles, per_line(body.width), parts.map, frame);
    super::draw_lines(&legend(state, width, styles), parts.legend, frame);
    subnet::status(state, styles, parts.status, frame);
}

fn top(state: &State, width: usize, styles: Styles) -> Line<'static> {
    if read_test_summary::has_line(state) {
        return read_test_summary::line(state, width, styles);
    }
    let [one, all] = [Command::Probe, Command::Sweep].map(|command| state.key(command));
    ink(format!("Nothing was tested yet: {one} tests the uid under the cursor, {all} all of them."), styles.dim())
        .into()
}

fn head(per_line: usize, styles: Styles) -> Line<'static> {
    let counts = (0..per_line).step_by(COUNTED).map(|cell| super::text::fit(&format!(" +{cell}"), COUNTED * CELL));
    ink(format!("{}{}", " ".repeat(RULER), counts.collect::<String>()), styles.heading()).into()
}

fn map(state: &State, styles: Styles, per_line: usize, area: Rect, frame: &mut Frame<'_>) {
    let rows = state.model.table.roster().rows.chunks(per_line).skip(state.scroll);
    let under = state.selected().and_then(|row| row.uid);
    for (y, line) in (area.top()..area.bottom()).zip(rows) {
        let uid = line.first().and_then(|row| row.uid).map(|uid| grouped(u64::from(uid))).unwrap_or_default();
        let mut drawn = Line::from(ink(format!("{} ", fit_right(&uid, RULER - 1)), styles.dim()));
        for row in line {
            drawn.spans.extend(cell(state, row, row.uid == under, styles));
        }
        frame.buffer_mut().set_line(area.x, y, &drawn, area.width);
    }
}

/// Who it is, and how it stands.
fn cell(state: &State, row: &Row, under_cursor: bool, styles: Styles) -> [Span<'static>; 2] {
    let who = match (under_cursor, state.probes.is_marked(&row.hotkey), row.own) {
        (_, true, _) => "◆",
        (true, ..) => "▌",
        (_, _, true) => "●",
        _ => " ",
    };
    let (glyph, style) = if is_listed(state, row) { sign(state, row, styles) } else { (" ", styles.dim()) };
    let style = if row.own { style.patch(styles.strong()) } else { style };
    let (who, glyph) = (Span::styled(who, styles.accent()), Span::styled(glyph, style));
    if under_cursor { [who, glyph].map(|span| span.patch_style(styles.selected())) } else { [who, glyph] }
}

fn is_listed(state: &State, row: &Row) -> bool {
    !state.list.is_filtered() || state.list.accepts(row, state.ground().tested(row))
}

fn sign(state: &State, row: &Row, styles: Styles) -> (&'static str, Style) {
    if state.probes.is_running(&row.hotkey) {
        return ("…", styles.accent());
    }
    match state.probes.record(&row.hotkey) {
        Some(record) if record.is_before_the_change(row) => (record.class().glyph(), styles.dim()),
        Some(record) => (record.class().glyph(), styles.class(record.class())),
        None if row.state() == RowState::None => (VerdictClass::Nothing.glyph(), styles.none()),
        None => ("·", styles.dim()),
    }
}

/// The uid under the cursor in words.
fn selected(state: &State, width: usize, styles: Styles) -> Line<'static> {
    let Some(row) = state.selected() else { return Line::default() };
    let who = row.uid.map_or_else(|| "an ex-member, who has no cell".to_owned(), |uid| format!("uid {uid}"));
    let mut line = Line::from(vec![
        ink("▌ ", styles.accent()),
        ink(who, styles.strong()),
        ink(format!("   {}   ", row.hotkey.short()), styles.plain()),
    ]);
    let room = width.saturating_sub(line_columns(&line));
    line.spans
        .extend(read_test_summary::cell(state, row, room, styles).into_iter().map(|(text, style)| ink(text, style)));
    line
}

/// What the cells say, with how many there are of each, in as many lines as that takes.
fn legend(state: &State, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let probes = &state.probes;
    let counted = |verdict: &Verdict| probes.tally().get(verdict).copied().filter(|count| *count > 0);
    let number = |count: usize| grouped(count as u64);
    let mut entries: Vec<Span<'static>> = Verdict::ALL
        .iter()
        .filter(|verdict| **verdict != Verdict::NoCommitment)
        .filter_map(|verdict| {
            let class = VerdictClass::of(*verdict);
            let text = format!("{} {} {}", class.glyph(), number(counted(verdict)?), verdict.word());
            Some(ink(text, styles.class(class)))
        })
        .collect();
    let bare = probes.bare() + counted(&Verdict::NoCommitment).unwrap_or_default();
    let untested = state.model.table.roster().summary.uids.saturating_sub(probes.tested() + probes.bare());
    if untested > 0 {
        entries.push(ink(format!("· {} not tested", number(untested)), styles.dim()));
    }
    if bare > 0 {
        entries.push(ink(format!("○ {} no commitment", number(bare)), styles.none()));
    }
    if probes.sweep.is_some() {
        entries.push(ink("… testing", styles.accent()));
    }
    if state.own_row().is_some_and(|row| !row.is_ex_member()) {
        entries.push(ink("● you", styles.accent()));
    }
    if probes.marks() > 0 {
        entries.push(ink(format!("◆ {} marked", number(probes.marks())), styles.accent()));
    }
    flow(entries, width)
}

fn flow(entries: Vec<Span<'static>>, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for entry in entries {
        let taken = lines.last().map_or(0, line_columns);
        if taken > 0 && taken + 3 + columns(&entry.content) > width {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            if !line.spans.is_empty() {
                line.push_span("   ");
            }
            line.push_span(entry);
        }
    }
    lines
}
