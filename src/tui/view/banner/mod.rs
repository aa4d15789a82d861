//! What is wrong with the data on the screen, for as long as it is; the data stays. And what the operator must hear about
//! commits and rotations, until it is put away or done.
//!
//! ```text
//! ✗ Connection lost 41 s ago · the table shows block #9,168,527 · next try in 8 s · r tries now
//!   the node closed the connection · check the network, or choose another endpoint
//! ▲ Your commitment changed at #9,168,530, and not by this console: key 7be1…0c90 → key 51aa…00e7
//!   It is the key configured here: … → Nothing, if that was meant. · esc dismisses
//! ● Rotation 2 → 3: grace, 122 blocks (24 min) left · R shows it
//! ‖ Frozen · 3 rows changed since · space goes on
//! ```

mod commits;
mod rotation;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::header::host_label;
use super::style::Styles;
use super::text::{columns, cut, ink, wrap};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::freshness::SHOWN_AS_OLD_MS;
use crate::domain::provenance::Dispute;
use crate::domain::text::{age_seconds, grouped};
use crate::engine::model::{Connection, Loss};
use crate::engine::table::Origin;
use crate::report::glyph;
use crate::tui::keymap::Command;
use crate::tui::rotate::Urgency;
use crate::tui::state::State;

/// How far a fresh snapshot may lie behind the clock, in ms, before it is said: finality takes half a minute, clocks
/// differ a little.
const BEHIND_MS: u64 = 180_000;

/// One line: its parts, the most important first, its look, and its rank when there are more than there is room for.
struct Notice {
    glyph: &'static str,
    parts: Vec<String>,
    look: Look,
    rank: u8,
}

#[derive(Clone, Copy)]
enum Look {
    Bad,
    Odd,
    Quiet,
    Note,
    Good,
}

/// Columns that glyph and margins take.
const MARGIN: usize = 4;

/// Ranks: what happened to the own commitment, what the table's truth depends on, what explains it.
const URGENT: u8 = 9;
const PRESENT: u8 = 8;
const PAST: u8 = 7;
const WHY: u8 = 4;
const TODO: u8 = 3;

/// Rows of the screen from which an empty line parts the banner from the view.
const AIRY: u16 = 24;

/// Rows that the banner takes, 0 when all is well.
pub(super) fn height(state: &State) -> u16 {
    match u16::try_from(notices(state).len()).unwrap_or(0) {
        0 => 0,
        lines => lines + u16::from(state.size.1 >= AIRY),
    }
}

/// Draws it.
pub(super) fn render(state: &State, styles: Styles, area: Rect, frame: &mut Frame<'_>) {
    for (y, notice) in (area.top()..area.bottom()).zip(notices(state)) {
        let style = notice.look.style(styles);
        let text = pruned(&notice.parts, usize::from(area.width).saturating_sub(MARGIN));
        let line = Line::from(vec![ink(format!(" {} ", notice.glyph), style), ink(text, style)]);
        frame.buffer_mut().set_line(area.x, y, &line, area.width);
    }
}

impl Look {
    fn style(self, styles: Styles) -> Style {
        match self {
            Self::Bad => styles.danger(),
            Self::Odd => styles.drift(),
            Self::Quiet => styles.dim(),
            Self::Note => styles.accent(),
            Self::Good => styles.readable(),
        }
    }
}

/// As many parts as fit, the first cut if it must be.
fn pruned(parts: &[String], width: usize) -> String {
    let mut text = parts.first().map(|part| cut(part, width)).unwrap_or_default();
    for part in parts.iter().skip(1) {
        let longer = format!("{text} · {part}");
        if columns(&longer) <= width {
            text = longer;
        }
    }
    text
}

/// Everything there is to say, without what a small screen has no room for: never more than a quarter of it, or two lines.
fn notices(state: &State) -> Vec<Notice> {
    let mut notices = all(state);
    let most = usize::from(state.size.1 / 4).max(2);
    while notices.len() > most {
        let least = notices.iter().enumerate().rev().min_by_key(|(_, notice)| notice.rank).map_or(0, |(i, _)| i);
        notices.remove(least);
    }
    notices
}

/// Text of several lines, the mark at the first.
fn wrapped(state: &State, mark: &'static str, text: &str, look: Look, rank: u8) -> Vec<Notice> {
    let lines = wrap(text, usize::from(state.size.0).saturating_sub(MARGIN)).into_iter();
    let glyph = std::iter::once(mark).chain(std::iter::repeat(" "));
    glyph.zip(lines).map(|(glyph, line)| Notice { glyph, parts: vec![line], look, rank }).collect()
}

/// A finding: what it is, and beneath it why and what to do.
fn found(state: &State, what: &str, finding: &Diagnostic, end: &str, rank: u8) -> Vec<Notice> {
    let (mark, look) = match finding.severity {
        Severity::Note => ("·", Look::Note),
        Severity::Warning => (glyph(Severity::Warning), Look::Odd),
        Severity::Danger => (glyph(Severity::Danger), Look::Bad),
    };
    let mut notices = wrapped(state, mark, what, look, rank);
    let more = format!("{} → {} · {end}", finding.cause, finding.help);
    notices.extend(wrapped(state, " ", &more, Look::Quiet, WHY));
    notices
}

fn all(state: &State) -> Vec<Notice> {
    let mut notices = connection(state);
    notices.extend(disputes(state));
    // What is wrong on chain comes before what is told of commits, what goes its way after it.
    if rotation::shown(state) == Some(Urgency::Wrong) {
        notices.extend(rotation::notices(state));
        notices.extend(commits::notices(state));
    } else {
        notices.extend(commits::notices(state));
        notices.extend(rotation::notices(state));
    }
    if let Some(held) = state.model.table.paused() {
        let changed = match held.touched.len() {
            0 => "nothing changed since".to_owned(),
            1 => "1 row changed since".to_owned(),
            n => format!("{} rows changed since", grouped(n as u64)),
        };
        let thaw = format!("{} goes on", state.key(Command::Pause));
        notices.push(Notice {
            glyph: "‖",
            parts: vec!["Frozen".to_owned(), changed, thaw],
            look: Look::Note,
            rank: PRESENT,
        });
    }
    notices
}

/// Sources contradict each other: each in full, until it was read, and in one line from then on.
fn disputes(state: &State) -> Vec<Notice> {
    let reads = format!("{} when you have read it", state.key(Command::Acknowledge));
    let told = state.proofs.unread(state.model.now_ms).map(Dispute::finding);
    let unread = told.flat_map(|told| {
        let (glyph, look) = match told.severity {
            Severity::Danger => (glyph(Severity::Danger), Look::Bad),
            Severity::Note | Severity::Warning => (glyph(Severity::Warning), Look::Odd),
        };
        let first = Notice { glyph, parts: vec![told.summary], look, rank: URGENT };
        let more = format!("{} → {reads}. {}", told.cause, told.help);
        std::iter::once(first).chain(wrapped(state, " ", &more, Look::Quiet, WHY))
    });
    unread.chain(acknowledged(state)).collect()
}

/// Those that were read leave a line each, for as long as that holds.
fn acknowledged(state: &State) -> impl Iterator<Item = Notice> {
    state.proofs.acknowledged(state.model.now_ms).map(|(dispute, until_ms)| {
        let left = age_seconds(until_ms.saturating_sub(state.model.now_ms) / 1_000);
        let parts = vec![
            format!("Acknowledged: {}", dispute.case.words()),
            format!("expires in {left}"),
            format!("{} | {}", dispute.endpoint.endpoint, dispute.witness.endpoint),
        ];
        Notice { glyph: glyph(Severity::Warning), parts, look: Look::Odd, rank: PRESENT }
    })
}

fn connection(state: &State) -> Vec<Notice> {
    let Some(snapshot) = state.model.table.snapshot() else { return Vec::new() };
    if let Some(loss) = state.model.connection.loss() {
        let shown = state.model.heads.finalized.unwrap_or(snapshot.at.number);
        return lost(state, loss, shown);
    }
    still(state).or_else(|| behind(state)).or_else(|| saved(state)).into_iter().collect()
}

/// What happened, and beneath it why and what to do: in one line if that has room for both, else in two if the screen has.
fn lost(state: &State, loss: &Loss, shown: u64) -> Vec<Notice> {
    let age = age_seconds(state.since(loss.since_ms) / 1_000);
    let (lead, table) = match state.model.table.origin() {
        Origin::Saved { at_ms } => (
            format!("No connection for {age}"),
            format!("the table was saved {} ago", age_seconds(state.since(at_ms) / 1_000)),
        ),
        _ => (format!("Connection lost {age} ago"), format!("the table shows block #{}", grouped(shown))),
    };
    let parts = vec![lead, retry(state), table, format!("{} tries now", state.key(Command::Reconnect))];
    let quiet = |text: &str, rank| Notice { glyph: " ", parts: vec![text.to_owned()], look: Look::Quiet, rank };
    let mut notices = vec![Notice { glyph: "✗", parts, look: Look::Bad, rank: PRESENT }];
    let (what, todo) = (&loss.problem.summary, &loss.problem.help);
    let together = format!("{what} · {todo}");
    if columns(&together) + MARGIN <= usize::from(state.size.0) {
        notices.push(quiet(&together, WHY));
    } else {
        notices.push(quiet(what, WHY));
        notices.extend((state.size.1 >= AIRY).then(|| quiet(&format!("→ {todo}"), TODO)));
    }
    notices
}

fn retry(state: &State) -> String {
    match &state.model.connection {
        Connection::Lost { retry_at_ms, .. } => match retry_at_ms.saturating_sub(state.model.now_ms).div_ceil(1_000) {
            0 => "trying again".to_owned(),
            seconds => format!("next try in {seconds} s"),
        },
        Connection::Connecting { attempt, .. } => format!("trying again, attempt {attempt}"),
        _ => String::new(),
    }
}

fn still(state: &State) -> Option<Notice> {
    let silent_ms = match &state.model.connection {
        Connection::Stalled { since_ms, .. } => state.since(*since_ms),
        Connection::Live { .. } => {
            Some(state.since(state.model.heads.finalized_at_ms)).filter(|ms| *ms >= SHOWN_AS_OLD_MS)?
        }
        _ => return None,
    };
    let parts = vec![
        format!("No new block for {}", age_seconds(silent_ms / 1_000)),
        "the node answers but its chain stands still".to_owned(),
        format!("{} connects anew", state.key(Command::Reconnect)),
    ];
    Some(Notice { glyph: "▲", parts, look: Look::Odd, rank: PRESENT })
}

fn behind(state: &State) -> Option<Notice> {
    let ms = Some(state.model.heads.behind_ms).filter(|ms| *ms >= BEHIND_MS)?;
    let parts = vec![
        format!("This node's chain is {} behind this machine's clock", age_seconds(ms / 1_000)),
        "the node is catching up, or the clock is wrong".to_owned(),
    ];
    Some(Notice { glyph: "▲", parts, look: Look::Odd, rank: PRESENT })
}

fn saved(state: &State) -> Option<Notice> {
    let Origin::Saved { at_ms } = state.model.table.origin() else { return None };
    let endpoint = host_label(state.model.connection.endpoint());
    let asking =
        if endpoint.is_empty() { "connecting".to_owned() } else { format!("asking {endpoint} for the present") };
    let parts = vec![format!("Saved {} ago on this machine", age_seconds(state.since(at_ms) / 1_000)), asking];
    Some(Notice { glyph: "◌", parts, look: Look::Odd, rank: PRESENT })
}
