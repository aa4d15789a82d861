//! A dialog over whatever view is behind it. What must be answered stands at its foot and never goes off the screen; what
//! is above it loses its empty lines first and is scrolled then.
//!
//! ```text
//! ╭ Title ───────────────────────────────────────────────╮
//! │ body: what there is to know                          │
//! │                                                      │
//! │ foot: the question, or what keys are for             │
//! ╰──────────────────────────────────────────── ↓ 2 more ╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

use super::style::Styles;
use super::text::{columns, cut, fit as fitted, ink};
use super::{commit, rotate};
use crate::domain::text::age_seconds;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::{Mode, State};

/// Columns of the dialog where there is room: a full key id, its old form and a verdict stand in one line.
pub(super) const WIDTH: u16 = 92;
/// Columns of a label.
pub(super) const LABEL: usize = 11;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// For the bytes in full.
    Roomy,
    /// For empty lines between what does not belong together.
    Usual,
    /// For the one that matters most.
    Close,
    /// For nothing that can be spared.
    Tight,
}

/// The lines of a dialog that is being built.
pub(super) struct Page {
    pub(super) lines: Vec<Line<'static>>,
    pub(super) fit: Fit,
}

impl Page {
    pub(super) const fn new(fit: Fit) -> Self {
        Self { lines: Vec::new(), fit }
    }

    pub(super) fn push(&mut self, line: impl Into<Line<'static>>) {
        self.lines.push(line.into());
    }

    /// An empty line, where there is room for it.
    pub(super) fn gap(&mut self) {
        if matches!(self.fit, Fit::Roomy | Fit::Usual) && !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    /// The empty line that is given up last.
    pub(super) fn great_gap(&mut self) {
        if self.fit != Fit::Tight {
            self.lines.push(Line::default());
        }
    }

    /// A label and what it is of.
    pub(super) fn fact(&mut self, label: &str, spans: Vec<ratatui::text::Span<'static>>, styles: Styles) {
        let mut line = Line::from(ink(fitted(label, LABEL), styles.dim()));
        line.spans.extend(spans);
        self.push(line);
    }
}

/// A dialog as it would be drawn.
pub(super) struct Dialog {
    pub(super) title: String,
    pub(super) frame: Style,
    pub(super) body: Vec<Line<'static>>,
    pub(super) foot: Vec<Line<'static>>,
    pub(super) width: u16,
}

impl Dialog {
    /// Rows with its frame and the line above its foot.
    fn height(&self) -> usize {
        self.body.len() + self.foot.len() + self.parted() + 2
    }

    /// Whether an empty line parts body and foot.
    fn parted(&self) -> usize {
        usize::from(!self.body.is_empty() && !self.foot.is_empty())
    }
}

/// A dialog in its place.
struct Placed {
    dialog: Dialog,
    area: Rect,
    /// Rows for the body.
    room: usize,
    /// Whether there is an empty line above the foot.
    parted: bool,
}

impl Placed {
    fn scroll_limit(&self) -> usize {
        self.dialog.body.len().saturating_sub(self.room)
    }
}

/// How far the dialog can be scrolled.
pub(super) fn scroll_limit(state: &State, banner: Rect, body: Rect) -> usize {
    place(state, Styles::of(&state.options), banner, body).map_or(0, |placed| placed.scroll_limit())
}

/// Draws the dialog of the present mode, if there is one.
pub(super) fn render(state: &State, styles: Styles, banner: Rect, body: Rect, frame: &mut Frame<'_>) {
    let Some(placed) = place(state, styles, banner, body) else { return };
    let scroll = scrolled(state).min(placed.scroll_limit());
    let below = placed.scroll_limit() - scroll;
    let Placed { dialog, area, room, parted } = placed;
    let mut block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(dialog.frame)
        .title(ink(format!(" {} ", dialog.title), dialog.frame));
    if let Some(more) = more(scroll, below) {
        block = block.title_bottom(Line::from(ink(more, styles.dim())).alignment(Alignment::Right));
    }
    Clear.render(area, frame.buffer_mut());
    block.render(area, frame.buffer_mut());
    let shown = dialog.body.into_iter().skip(scroll).take(room);
    let gap = parted.then(Line::default);
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 };
    for (y, line) in (inner.top()..inner.bottom()).zip(shown.chain(gap).chain(dialog.foot)) {
        frame.buffer_mut().set_line(inner.x, y, &shortened(line, usize::from(inner.width)), inner.width);
    }
}

fn scrolled(state: &State) -> usize {
    match state.mode {
        Mode::Rotate => state.rotations.scroll,
        _ => state.commits.session.as_ref().map_or(0, |session| session.scroll),
    }
}

/// A line that is too long ends in an ellipsis, so that nobody takes a part for the whole.
fn shortened(mut line: Line<'static>, width: usize) -> Line<'static> {
    let mut room = width;
    let within = line.spans.iter().take_while(|span| {
        let left = room.checked_sub(columns(&span.content));
        room = left.unwrap_or(room);
        left.is_some()
    });
    let within = within.count();
    if let Some(span) = line.spans.get_mut(within) {
        *span = ink(cut(&span.content, room), span.style);
        line.spans.truncate(within + 1);
    }
    line
}

fn more(above: usize, below: usize) -> Option<String> {
    match (above, below) {
        (0, 0) => None,
        (0, below) => Some(format!(" ↓ {below} more ")),
        (above, 0) => Some(format!(" ↑ {above} above ")),
        (above, below) => Some(format!(" ↑ {above} above  ↓ {below} more ")),
    }
}

/// Rows that a roomy form leaves of what is behind it; where it would not, the usual one is calmer.
const BEHIND: usize = 8;

/// The roomiest form that fits below the banner, else over it, else the tightest one to be scrolled. A dialog that would
/// leave only shreds of the view at its sides takes the whole width.
fn place(state: &State, styles: Styles, banner: Rect, body: Rect) -> Option<Placed> {
    let whole = Rect { y: banner.y.min(body.y), height: banner.height + body.height, ..body };
    let margin = if body.width < WIDTH { 0 } else { 4 };
    let width = body.width.saturating_sub(margin);
    let build = |fit| dialog(state, styles, width, fit);
    for area in [body, whole] {
        for fit in [Fit::Roomy, Fit::Usual, Fit::Close, Fit::Tight] {
            let dialog = build(fit)?;
            let behind = if fit == Fit::Roomy { BEHIND } else { 0 };
            if dialog.height() + behind <= usize::from(area.height) {
                return Some(placed(dialog, area));
            }
        }
    }
    Some(placed(build(Fit::Tight)?, whole))
}

/// In the middle, a third down; what has no room loses the line above the foot, then body, and the foot last of all.
fn placed(dialog: Dialog, area: Rect) -> Placed {
    let height = u16::try_from(dialog.height()).unwrap_or(u16::MAX).min(area.height);
    let rows = usize::from(height).saturating_sub(2);
    let parted = dialog.parted() == 1 && dialog.height() <= usize::from(area.height);
    let room = rows.saturating_sub(dialog.foot.len() + usize::from(parted));
    let place = Rect {
        x: area.x + area.width.saturating_sub(dialog.width) / 2,
        y: area.y + (area.height - height) / 3,
        width: dialog.width,
        height,
    };
    Placed { dialog, area: place, room, parted }
}

/// The dialog of the present mode, if there is one.
fn dialog(state: &State, styles: Styles, width: u16, fit: Fit) -> Option<Dialog> {
    match &state.mode {
        Mode::Rotate => Some(rotate::dialog(state, width.min(WIDTH), fit, styles)),
        Mode::Commit | Mode::Leaving(_) | Mode::SelfTest(_) => commit::dialog(state, width, fit, styles),
        Mode::Normal | Mode::Filter | Mode::Choose(_) | Mode::Palette(_) => None,
    }
}

/// Title, frame, body and foot.
pub(super) type Parts = (String, Style, Vec<Line<'static>>, Vec<Line<'static>>);

/// The longest form that fits; the last one where none does.
pub(super) fn fitting(forms: impl IntoIterator<Item = String>, width: usize) -> String {
    let mut last = String::new();
    for form in forms {
        if columns(&form) <= width {
            return form;
        }
        last = form;
    }
    last
}

/// The key for a command in the dialogs.
pub(super) fn key(state: &State, mode: KeyMode, command: Command) -> String {
    state.keymap.chords(mode, command).first().map(ToString::to_string).unwrap_or_default()
}

/// Tenths of seconds while they matter: on the practice subnet a commit takes less than one.
pub(super) fn took(ms: u64) -> String {
    if ms < 10_000 { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) } else { age_seconds(ms / 1_000) }
}

/// Something that moves while one waits.
pub(super) fn spinner(state: &State) -> &'static str {
    const TURNS: [&str; 4] = ["◐", "◓", "◑", "◒"];
    let turn = usize::try_from(state.model.now_ms / 200).unwrap_or_default();
    TURNS[turn % TURNS.len()]
}
