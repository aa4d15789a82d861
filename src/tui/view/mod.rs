//! One view a file; here the frame around them.
//!
//! ```text
//! header     who, where, how fresh
//! ─────────
//! banner     only when something is wrong with the data
//! body       the view
//! ─────────
//! footer     keys of this view
//! ```

mod banner;
mod commit;
mod detail;
mod dialog;
mod facts;
mod footer;
mod header;
mod help;
mod listing;
mod logs;
mod map;
mod own_keys;
mod places;
mod popup;
mod read_test;
mod read_test_summary;
mod rotate;
pub mod style;
mod subnet;
pub mod text;
mod visibility;
mod you;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget as _};

use crate::domain::ascii;
use crate::tui::map::place;
use crate::tui::state::{State, View};
use style::Styles;
use text::ink;

/// Columns below which there is no room for a table.
pub const MIN_WIDTH: u16 = 60;
/// Rows below which there is none.
pub const MIN_HEIGHT: u16 = 15;
/// Columns from which the detail stands beside the table.
pub const WIDE: u16 = 150;
/// Columns of the detail beside the table.
const BESIDE: u16 = 56;

/// The parts of the screen.
#[derive(Debug, Clone, Copy)]
struct Areas {
    header: Rect,
    banner: Rect,
    body: Rect,
    footer: Rect,
    rules: [Rect; 2],
}

fn areas(state: &State, area: Rect) -> Areas {
    let banner = banner::height(state);
    let rows = [1, 1, banner, 0, 1, 1];
    let heights =
        rows.iter().enumerate().map(|(i, rows)| if i == 3 { Constraint::Fill(1) } else { Constraint::Length(*rows) });
    let [header, above, banner, body, below, footer] = Layout::vertical(heights).areas(area);
    Areas { header, banner, body, footer, rules: [above, below] }
}

fn screen(state: &State) -> Rect {
    Rect::new(0, 0, state.size.0, state.size.1)
}

/// Lines of the table on the screen.
pub fn table_page(state: &State) -> usize {
    let body = areas(state, screen(state)).body;
    usize::from(subnet::table_area(state, table_side(state, body)).height)
}

/// Cells of a line of the map.
pub fn fleet_columns(state: &State) -> usize {
    map::per_line(state.size.0)
}

/// Lines of the map on the screen.
pub fn fleet_page(state: &State) -> usize {
    map::page(state, areas(state, screen(state)).body)
}

/// How far the map is scrolled so that the selected uid is on the screen, moving it as little as that needs.
pub fn fleet_scroll(state: &State) -> usize {
    let (page, per_line) = (fleet_page(state).max(1), fleet_columns(state));
    let lines = state.model.table.roster().rows.len().div_ceil(per_line);
    let most = lines.saturating_sub(page);
    let Some(line) = place(state).map(|place| place / per_line) else { return state.scroll.min(most) };
    state.scroll.min(line).max((line + 1).saturating_sub(page)).min(most)
}

/// Lines of text on the screen in the other views.
pub fn text_page(state: &State) -> usize {
    let body = areas(state, screen(state)).body;
    let height = usize::from(text_area(state.view, body).height);
    // In a text the last line may be taken by the word of what follows.
    if state.view == View::Logs { height } else { height.saturating_sub(1) }
}

/// How far the text of the present view can be scrolled.
pub fn scroll_limit(state: &State) -> usize {
    let area = text_area(state.view, areas(state, screen(state)).body);
    let lines = text(state, usize::from(area.width)).len();
    lines.saturating_sub(lines_shown(lines, area))
}

/// How far the dialog of the present mode can be scrolled.
pub fn dialog_scroll_limit(state: &State) -> usize {
    let parts = areas(state, screen(state));
    dialog::scroll_limit(state, parts.banner, parts.body)
}

/// How many of a text's lines are shown at once: when there are more, the last line says so.
fn lines_shown(lines: usize, area: Rect) -> usize {
    let height = usize::from(area.height);
    if lines > height { height.saturating_sub(1) } else { height }
}

/// The lines of a view of text, at a width.
fn text(state: &State, width: usize) -> Vec<Line<'static>> {
    match state.view {
        View::Detail => detail::lines(state, width),
        View::You => you::lines(state, width),
        View::Help => help::lines(state, width),
        View::Subnet | View::Map | View::Logs => Vec::new(),
    }
}

fn text_area(view: View, body: Rect) -> Rect {
    match view {
        View::Logs => logs::lines_area(body),
        _ => inset(body),
    }
}

/// A margin of one column on both sides.
fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

fn table_side(state: &State, body: Rect) -> Rect {
    let beside = if state.size.0 >= WIDE { BESIDE + 1 } else { 0 };
    Rect { width: body.width.saturating_sub(beside), ..body }
}

/// Draws the console, in the glyphs that the terminal can show.
pub fn render(state: &State, frame: &mut Frame<'_>) {
    draw(state, frame);
    if state.options.glyphs.is_ascii() {
        in_ascii(frame.buffer_mut());
    }
}

/// Each cell in ASCII. A wide character covers two cells, the second of them empty.
fn in_ascii(buffer: &mut Buffer) {
    let mut covered = "";
    for cell in &mut buffer.content {
        let symbol = if covered.is_empty() { ascii::text(cell.symbol()) } else { covered.to_owned() };
        let (first, rest) = symbol.split_at(symbol.len().min(1));
        covered = if rest.is_empty() { "" } else { "?" };
        cell.set_symbol(if first.is_empty() { " " } else { first });
    }
}

fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let styles = Styles::of(&state.options);
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        let text = format!("{}x{} is too small: {MIN_WIDTH}x{MIN_HEIGHT} at least", area.width, area.height);
        let middle = Rect { y: area.y + area.height.saturating_sub(1) / 2, height: area.height.min(1), ..area };
        return Paragraph::new(ink(text::cut(&text, usize::from(area.width)), styles.drift()))
            .centered()
            .render(middle, frame.buffer_mut());
    }
    let parts = areas(state, area);
    header::render(state, styles, parts.header, frame);
    let [above, below] = parts.rules;
    let place = if state.is_sandbox() { "── practice subnet · nothing here is real " } else { "" };
    draw_rule(state, styles, place, above, frame);
    draw_rule(state, styles, &message(state, area.width), below, frame);
    banner::render(state, styles, parts.banner, frame);
    draw_body(state, styles, parts.body, frame);
    footer::render(state, styles, parts.footer, frame);
    popup::render(state, styles, parts.body, frame);
    dialog::render(state, styles, parts.banner, parts.body, frame);
}

/// A rule across the screen, with words; on the practice subnet it has a colour of its own.
fn draw_rule(state: &State, styles: Styles, words: &str, area: Rect, frame: &mut Frame<'_>) {
    let style = if state.is_sandbox() { styles.sandbox_words() } else { styles.rule() };
    let rest = usize::from(area.width).saturating_sub(text::columns(words));
    let said = if state.is_sandbox() { style } else { styles.accent() };
    let line = Line::from(vec![ink(words, said), ink("─".repeat(rest), style)]);
    Paragraph::new(line).render(area, frame.buffer_mut());
}

/// A short message, in the views that have no line of their own for it.
fn message(state: &State, width: u16) -> String {
    match &state.toast {
        Some(toast) if !matches!(state.view, View::Subnet | View::Map) => {
            format!("── {} ", text::cut(&toast.text, usize::from(width).saturating_sub(6)))
        }
        _ => String::new(),
    }
}

fn draw_body(state: &State, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    match state.view {
        View::Subnet => {
            let side = table_side(state, body);
            subnet::render(state, styles, side, frame);
            if side.width < body.width {
                draw_beside(state, styles, Rect { x: side.right(), width: body.width - side.width, ..body }, frame);
            }
        }
        View::Map => map::render(state, styles, body, frame),
        View::Logs => logs::render(state, styles, body, frame),
        View::Detail | View::You | View::Help => {
            let area = inset(body);
            draw_text(state, styles, &text(state, usize::from(area.width)), area, frame);
        }
    }
}

/// The detail of the selected row, at the table's side.
fn draw_beside(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    for y in area.top()..area.bottom() {
        frame.buffer_mut().set_span(area.x, y, &ink("│", styles.rule()), 1);
    }
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let lines = detail::lines(state, usize::from(inner.width));
    draw_lines(&lines, inner, frame);
}

fn draw_lines(lines: &[Line<'static>], area: Rect, frame: &mut Frame<'_>) {
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        frame.buffer_mut().set_line(area.x, y, line, area.width);
    }
}

/// A scrolled text; how much lies above and below the screen is said in a last line.
fn draw_text(state: &State, styles: Styles, lines: &[Line<'static>], area: Rect, frame: &mut Frame<'_>) {
    let shown = lines_shown(lines.len(), area);
    let top = state.scroll.min(lines.len().saturating_sub(shown));
    draw_lines(&lines[top..(top + shown).min(lines.len())], area, frame);
    if lines.len() > shown && area.height > 0 {
        let below = lines.len() - shown - top;
        let more = match (top, below) {
            (0, below) => format!("↓ {below} more lines"),
            (above, 0) => format!("↑ {above} lines above"),
            (above, below) => format!("↑ {above} lines above   ↓ {below} more"),
        };
        frame.buffer_mut().set_span(area.x, area.bottom() - 1, &ink(more, styles.dim()), area.width);
    }
}
