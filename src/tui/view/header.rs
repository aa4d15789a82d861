//! Who, where, and how fresh.
//!
//! ```text
//!  grail-console │ finney · subnet 81 │ #9,168,527 finalized 3 s ago │ ● live entrypoint-finney 12 ms   READ-ONLY  uid 42 miner-1
//! ```
//! Narrow terminals lose the least important words first, never the network, the block, the state of the connection or
//! READ-ONLY, nor ARMED: a key is in memory then.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::style::Styles;
use super::text::{columns, cut, ink, line_columns};
use crate::domain::freshness::SHOWN_AS_OLD_MS;
use crate::domain::network::Endpoint;
use crate::domain::text::{age_seconds, grouped};
use crate::engine::model::Connection;
use crate::engine::table::Origin;
use crate::tui::state::State;

/// A part of the header in falling length; a form is left in the order of its rank, the lowest first.
struct Segment(Vec<(u8, Line<'static>)>);

/// A form that is never left.
const LAST: u8 = u8::MAX;

/// Draws the header.
pub(super) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    let mut left = vec![name(styles), network(state, styles), block(state, styles), connection(state, styles)];
    let mut right = vec![awaiting(state, styles), read_only(state, styles), own(state, styles)];
    while width_of(&left, 3) + width_of(&right, 2) + 4 > usize::from(area.width) && shorten(&mut left, &mut right) {}
    let left = joined(&left, &ink(" │ ", styles.rule()).into());
    let right = joined(&right, &"  ".into());
    let right_width = u16::try_from(line_columns(&right)).unwrap_or(area.width).min(area.width);
    let buffer = frame.buffer_mut();
    buffer.set_line(area.x + 1, area.y, &left, area.width.saturating_sub(1));
    buffer.set_line(area.right().saturating_sub(right_width + 1), area.y, &right, right_width);
}

fn width_of(segments: &[Segment], gap: usize) -> usize {
    let widths: Vec<usize> = segments.iter().map(|s| line_columns(&s.0[0].1)).filter(|width| *width > 0).collect();
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

/// Takes the cheapest next step; whether there was one.
fn shorten(left: &mut [Segment], right: &mut [Segment]) -> bool {
    let cheapest =
        left.iter_mut().chain(right).filter(|segment| segment.0.len() > 1).min_by_key(|segment| segment.0[0].0);
    cheapest.map(|segment| segment.0.remove(0)).is_some()
}

fn joined(segments: &[Segment], gap: &Line<'static>) -> Line<'static> {
    let mut line = Line::default();
    for segment in segments.iter().map(|s| &s.0[0].1).filter(|line| line_columns(line) > 0) {
        if !line.spans.is_empty() {
            line.spans.extend(gap.spans.clone());
        }
        line.spans.extend(segment.spans.clone());
    }
    line
}

fn name(styles: Styles) -> Segment {
    Segment(vec![(2, ink("grail-console", styles.accent()).into()), (LAST, Line::default())])
}

fn network(state: &State, styles: Styles) -> Segment {
    let netuid = state.options.netuid.to_string();
    let snapshot = state.model.table.snapshot();
    let name = snapshot.and_then(|snapshot| snapshot.subnet.name.as_ref());
    let called = name.map_or_else(String::new, |name| format!(" ({})", cut(&name.shown(), 16)));
    // GRAIL's own name is what one expects; another project's matters more than where it was read.
    let is_other = snapshot.is_some_and(|snapshot| snapshot.subnet.other_name(snapshot.netuid).is_some());
    let form = |rank, word: &str, called: String| {
        let name = if state.is_sandbox() {
            ink(" SANDBOX ", styles.sandbox())
        } else {
            ink(cut(&state.options.network, 24), styles.strong())
        };
        (
            rank,
            Line::from(vec![
                name,
                ink(word, styles.dim()),
                ink(netuid.clone(), styles.strong()),
                ink(called, styles.dim()),
            ]),
        )
    };
    Segment(vec![
        form(if is_other { 4 } else { 0 }, " · subnet ", called),
        form(6, " · subnet ", String::new()),
        form(LAST, " · ", String::new()),
    ])
}

fn block(state: &State, styles: Styles) -> Segment {
    let Some((number, word, at_ms, old_ms)) = freshness(state) else {
        return Segment(vec![(5, ink("no block yet", styles.dim()).into()), (LAST, Line::default())]);
    };
    let since = state.since(at_ms);
    let old = since >= SHOWN_AS_OLD_MS;
    let style = if old { styles.drift() } else { styles.dim() };
    let form = |rank, age: String| {
        (rank, Line::from(vec![ink(format!("#{}", grouped(number)), styles.plain()), ink(age, style)]))
    };
    let age = age_seconds(since.saturating_add(old_ms) / 1_000);
    Segment(vec![form(3, format!(" {word} {age} ago")), form(7, format!(" {age} ago")), form(LAST, String::new())])
}

/// Number of a block, what is known of it, since when, and how old it was then by its timestamp.
fn freshness(state: &State) -> Option<(u64, &'static str, u64, u64)> {
    match (state.model.heads.finalized, state.model.table.snapshot(), state.model.table.origin()) {
        (Some(number), ..) => {
            Some((number, "finalized", state.model.heads.finalized_at_ms, state.model.heads.behind_ms))
        }
        (None, Some(snapshot), Origin::Saved { at_ms }) => Some((snapshot.at.number, "saved", at_ms, 0)),
        _ => None,
    }
}

fn connection(state: &State, styles: Styles) -> Segment {
    let (glyph, word, style, more) = match &state.model.connection {
        Connection::Live { latency_ms, .. } => ("●", "live", styles.readable(), latency(*latency_ms)),
        Connection::Stalled { .. } => ("▲", "stalled", styles.drift(), String::new()),
        Connection::Connecting { after: None, .. } => ("◌", "connecting", styles.accent(), String::new()),
        Connection::Connecting { attempt, .. } if !state.model.was_heard() => {
            ("◌", "connecting", styles.drift(), format!(" try {attempt}"))
        }
        Connection::Connecting { attempt, .. } => ("◌", "reconnecting", styles.drift(), format!(" try {attempt}")),
        Connection::Lost { .. } if !state.model.was_heard() => {
            ("✗", "no connection", styles.unreadable(), String::new())
        }
        Connection::Lost { .. } => ("✗", "lost", styles.unreadable(), String::new()),
    };
    let line =
        |text: String| Line::from(vec![ink(format!("{glyph} "), style), ink(word, style), ink(text, styles.dim())]);
    let label = host_label(state.model.connection.endpoint());
    let full = if label.is_empty() { more.clone() } else { format!(" {}{more}", cut(&label, 24)) };
    Segment(vec![(1, line(full)), (4, line(more)), (LAST, line(String::new()))])
}

fn latency(ms: Option<u64>) -> String {
    match ms {
        None => String::new(),
        Some(0) => " <1 ms".to_owned(),
        Some(ms) => format!(" {ms} ms"),
    }
}

/// The first label of a URL's host, or its address and port.
pub(super) fn host_label(endpoint: &str) -> String {
    endpoint.parse().map_or_else(|_| endpoint.to_owned(), |endpoint: Endpoint| endpoint.label())
}

fn read_only(state: &State, styles: Styles) -> Segment {
    let badge = if state.options.read_only { ink(" READ-ONLY ", styles.badge()).into() } else { Line::default() };
    Segment(vec![(LAST, badge)])
}

fn awaiting(state: &State, styles: Styles) -> Segment {
    let badge = if state.commits.is_awaiting() { ink(" ARMED ", styles.badge()).into() } else { Line::default() };
    Segment(vec![(LAST, badge)])
}

fn own(state: &State, styles: Styles) -> Segment {
    let Some(hotkey) = state.model.own.hotkey else {
        return Segment(vec![(2, ink("no hotkey", styles.dim()).into()), (LAST, Line::default())]);
    };
    let name =
        state.model.own.hotkey_name.as_ref().map(|name| format!(" {}", cut(&name.shown(), 16))).unwrap_or_default();
    let who = match state.own_row().map(|row| row.uid) {
        Some(Some(uid)) => ink(format!("uid {uid}"), styles.strong()),
        Some(None) => ink("ex-member", styles.drift()),
        None if state.model.table.snapshot().is_some() => ink("not registered", styles.drift()),
        None => ink(hotkey.short(), styles.strong()),
    };
    let full = Line::from(vec![who.clone(), ink(&name, styles.dim())]);
    let rank = if columns(&name) == 0 { 5 } else { 3 };
    Segment(vec![(rank, full), (8, who.into()), (LAST, Line::default())])
}
