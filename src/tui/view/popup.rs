//! A short list over the body: what to copy, or which command.
//!
//! ```text
//! ╭ Copy ──────────────────────────────────────────╮
//! │▌hotkey               5CAzX1…                    │
//! │ account id = bucket  3f9a12d0…                  │
//! ╰────────────────────────────────────────────────╯
//! ```
//! After that the text itself, alone on its line, so that the mouse can select it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

use super::style::Styles;
use super::text::{cut, fit, fit_right, ink, wrap};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::{Chooser, Mode, Multiplexer, Palette, State};

/// Commands shown at once in the palette.
const PALETTE_ROWS: usize = 10;

/// Draws the list of the present mode, if it has one.
pub(super) fn render(state: &State, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    match &state.mode {
        Mode::Choose(chooser) => choose(state, chooser, styles, body, frame),
        Mode::Palette(palette) => commands(state, palette, styles, body, frame),
        Mode::Normal | Mode::Filter | Mode::Commit | Mode::Rotate | Mode::Leaving(_) | Mode::SelfTest(_) => {}
    }
}

fn choose(state: &State, chooser: &Chooser, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    let width = 76.min(body.width.saturating_sub(4));
    let inner = usize::from(width).saturating_sub(2);
    if chooser.sent {
        let lines = sent(state, chooser, inner.saturating_sub(2), styles);
        return draw_box(" Sent to the terminal ", lines, width, styles, body, frame);
    }
    let lines = chooser.fields.iter().enumerate().map(|(i, (name, text))| {
        let value = ink(fit(text, inner.saturating_sub(22)), styles.plain());
        marked(i == chooser.cursor, vec![ink(fit(name, 21), styles.dim()), value], styles)
    });
    draw_box(" Copy to the clipboard ", lines.collect(), width, styles, body, frame);
}

/// What was sent, and why it may not have arrived: a terminal does not answer whether it took it.
fn sent(state: &State, chooser: &Chooser, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let Some((name, text)) = chooser.fields.get(chooser.cursor) else { return Vec::new() };
    let doubt = match state.options.multiplexer {
        Some(Multiplexer::Tmux) => {
            "tmux keeps it to itself unless `set-clipboard` is on: if it cannot be pasted, select the text above."
        }
        Some(Multiplexer::Screen) => "GNU screen does not pass it on: select the text above.",
        None => "Some terminals do not take it: if it cannot be pasted, select the text above.",
    };
    let indented = |text: &str, style: Style| -> Vec<Line<'static>> {
        wrap(text, width).into_iter().map(|line| ink(format!(" {line}"), style).into()).collect()
    };
    let parts = [indented(name, styles.dim()), indented(text, styles.strong()), vec![Line::default()]];
    parts.into_iter().flatten().chain(indented(doubt, styles.plain())).collect()
}

fn commands(state: &State, palette: &Palette, styles: Styles, body: Rect, frame: &mut Frame<'_>) {
    let width = 76.min(body.width.saturating_sub(4));
    let inner = usize::from(width).saturating_sub(2);
    let mut lines = vec![typed(palette, styles)];
    let top = palette.cursor.saturating_sub(PALETTE_ROWS - 1);
    for (i, command) in palette.found.iter().enumerate().skip(top).take(PALETTE_ROWS) {
        let what = ink(fit(command.spec().what, inner.saturating_sub(12)), styles.plain());
        let keys = ink(fit_right(&first_key(state, *command), 10), styles.dim());
        lines.push(marked(i == palette.cursor, vec![what, keys, ink(" ", styles.plain())], styles));
    }
    if palette.found.is_empty() {
        lines.push(ink(" no command fits: fewer letters, or esc", styles.dim()).into());
    }
    let below = palette.found.len().saturating_sub(top + PALETTE_ROWS);
    if below > 0 {
        lines.push(ink(format!(" ↓ {below} more"), styles.dim()).into());
    }
    draw_box(" Command ", lines, width, styles, body, frame);
}

fn typed(palette: &Palette, styles: Styles) -> Line<'static> {
    let mut line = Line::from(ink(" : ", styles.accent()));
    line.spans.extend(edited(&palette.line, 60, styles));
    if palette.line.value().is_empty() {
        line.push_span(ink(" a few letters of what you want", styles.dim()));
    }
    line
}

/// A line that is being typed, its cursor a reversed cell.
pub(super) fn edited(line: &tui_input::Input, width: usize, styles: Styles) -> Vec<Span<'static>> {
    let (before, after): (String, String) = {
        let at = line.value().char_indices().nth(line.cursor()).map_or(line.value().len(), |(i, _)| i);
        (line.value()[..at].to_owned(), line.value()[at..].to_owned())
    };
    let mut after = after.chars();
    let under = after.next().unwrap_or(' ');
    let cursor = styles.plain().add_modifier(ratatui::style::Modifier::REVERSED);
    // A line longer than its place shows the end before the cursor.
    let skip = before.chars().count().saturating_sub(width.saturating_sub(2));
    let shown: String = before.chars().skip(skip).collect();
    vec![
        ink(shown, styles.plain()),
        ink(under.to_string(), cursor),
        ink(cut(after.as_str(), width / 2), styles.plain()),
    ]
}

fn first_key(state: &State, command: Command) -> String {
    state.keymap.chords(KeyMode::Normal, command).first().map(ToString::to_string).unwrap_or_default()
}

fn marked(under_cursor: bool, spans: Vec<Span<'static>>, styles: Styles) -> Line<'static> {
    let mark = if under_cursor { "▌" } else { " " };
    let mut line = Line::from(ink(mark, styles.accent()));
    line.spans.extend(spans);
    if under_cursor { line.patch_style(styles.selected()) } else { line }
}

/// A frame of its lines' height, a third down the body.
fn draw_box(
    title: &'static str,
    lines: Vec<Line<'static>>,
    width: u16,
    styles: Styles,
    body: Rect,
    frame: &mut Frame<'_>,
) {
    let height = u16::try_from(lines.len() + 2).unwrap_or(body.height).min(body.height);
    let area = Rect {
        x: body.x + (body.width.saturating_sub(width)) / 2,
        y: body.y + (body.height - height) / 3,
        width,
        height,
    };
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(styles.accent()).title(title);
    let inner = block.inner(area);
    Clear.render(area, frame.buffer_mut());
    block.render(area, frame.buffer_mut());
    for (y, line) in (inner.top()..inner.bottom()).zip(lines) {
        frame.buffer_mut().set_line(inner.x, y, &line, inner.width);
    }
}
