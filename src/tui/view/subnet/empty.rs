//! What stands where rows would stand: why there are none, and what to do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::draw_lines;
use super::super::facts::{paragraph, todo};
use super::super::header::host_label;
use super::super::style::Styles;
use super::super::text::ink;
use crate::domain::text::age_seconds;
use crate::engine::model::{Connection, Loss};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::State;

/// Columns of a text that is read, not scanned.
const READABLE: u16 = 84;

/// Nothing was ever read, now or at an earlier start.
pub(in crate::tui::view) fn never_read(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let area = Rect {
        x: area.x + 3,
        y: area.y + area.height / 5,
        width: area.width.saturating_sub(6).min(READABLE),
        height: area.height - area.height / 5,
    };
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    match state.model.connection.loss() {
        Some(loss) => unreachable(&mut lines, state, loss, width, styles),
        None => reading(&mut lines, state, width, styles),
    }
    draw_lines(&lines, area, frame);
}

fn reading(lines: &mut Vec<Line<'static>>, state: &State, width: usize, styles: Styles) {
    let (title, text) = match &state.model.connection {
        Connection::Live { endpoint, .. } | Connection::Stalled { endpoint, .. } => (
            format!("Reading subnet {} from {}", state.options.netuid, host_label(endpoint)),
            "Every uid and every commitment, all at one finalized block.",
        ),
        other => {
            let from = host_label(other.endpoint());
            let to = if from.is_empty() { state.options.network.clone() } else { from };
            (format!("Connecting to {to}"), "The chain is public: nothing is needed to read it.")
        }
    };
    lines.push(Line::from(vec![ink("◌ ", styles.accent()), ink(title, styles.strong())]));
    paragraph(lines, text, 2, width, styles.dim());
}

fn unreachable(lines: &mut Vec<Line<'static>>, state: &State, loss: &Loss, width: usize, styles: Styles) {
    lines.push(Line::from(vec![
        ink("✗ ", styles.danger()),
        ink(format!("{} cannot be read", state.options.network), styles.danger()),
        ink(format!("   for {}", age_seconds(state.since(loss.since_ms) / 1_000)), styles.dim()),
    ]));
    lines.push(Line::default());
    paragraph(lines, &loss.problem.summary, 2, width, styles.plain());
    paragraph(lines, &loss.problem.cause, 2, width, styles.dim());
    todo(lines, &loss.problem.help, width, styles);
    lines.push(Line::default());
    let retry = match &state.model.connection {
        Connection::Lost { retry_at_ms, .. } => {
            format!("Next try in {} s", retry_at_ms.saturating_sub(state.model.now_ms).div_ceil(1_000))
        }
        _ => "Trying again now".to_owned(),
    };
    let key =
        state.keymap.chords(KeyMode::Normal, Command::Reconnect).first().map(ToString::to_string).unwrap_or_default();
    paragraph(lines, &format!("{retry}; {key} tries at once."), 2, width, styles.dim());
    paragraph(
        lines,
        "Without a network: grail-console sandbox opens a practice subnet on this machine.",
        2,
        width,
        styles.dim(),
    );
}

/// There is a subnet, but no row of it is listed.
pub(super) fn nothing_listed(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let area = Rect {
        x: area.x + 3,
        y: area.y + 1,
        width: area.width.saturating_sub(6).min(READABLE),
        height: area.height.saturating_sub(1),
    };
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    if state.list.is_filtered() {
        lines.push(ink("Nothing matches the filter", styles.strong()).into());
        paragraph(&mut lines, "esc takes the filter away; ? lists what can be filtered by.", 0, width, styles.dim());
    } else {
        lines.push(ink(format!("Nobody is registered on subnet {}", state.options.netuid), styles.strong()).into());
        paragraph(&mut lines, "Check --netuid: GRAIL is subnet 81 on finney.", 0, width, styles.dim());
    }
    draw_lines(&lines, area, frame);
}
