//! Rotations that are over, the newest first.
//!
//! ```text
//! BEFORE
//! 25 d ago  2 → 3   read key             ✓ old key retired aaf3893f → 57b19ca7
//! ```

use ratatui::text::Line;

use super::super::dialog::{Fit, Page};
use super::super::style::Styles;
use super::super::text::{cut, fit as fitted, ink};
use crate::domain::rotation::{Phase, Rotation};
use crate::domain::text::{age_seconds, grouped};
use crate::tui::state::State;

/// Rotations that are listed where there is room.
const LISTED: usize = 5;

/// The last ones that are over.
pub(super) fn closed(page: &mut Page, state: &State, width: usize, styles: Styles) {
    let closed = &state.rotations.closed;
    page.gap();
    if closed.is_empty() {
        return page.push(ink("No rotation before: the journal holds none.", styles.dim()));
    }
    let most = match page.fit {
        Fit::Roomy | Fit::Usual => LISTED,
        Fit::Close => 2,
        Fit::Tight => 1,
    };
    let more = closed.len().saturating_sub(most);
    let rest = if more > 0 { format!(", and {} more in the journal", grouped(more as u64)) } else { String::new() };
    page.push(ink(format!("BEFORE{rest}"), styles.heading()));
    for rotation in closed.iter().rev().take(most) {
        page.push(line(state, rotation, width, styles));
    }
}

fn line(state: &State, rotation: &Rotation, width: usize, styles: Styles) -> Line<'static> {
    let ago = format!("{} ago", age_seconds(state.since(rotation.since_ms) / 1_000));
    let (mark, style) = match rotation.phase {
        Phase::Retired => ("✓", styles.readable()),
        Phase::RolledBack => ("↩", styles.drift()),
        _ => ("○", styles.dim()),
    };
    let emergency = if rotation.emergency { ", emergency" } else { "" };
    let what = format!("{}{emergency}", rotation.change.words());
    let prints = rotation.change.main().map(|(_, keys)| match &keys.old {
        Some(old) => format!("{} → {}", old.secret.short(), keys.new.secret.short()),
        None => keys.new.secret.short(),
    });
    let lead = 10 + 8 + 21 + 2 + 16;
    Line::from(vec![
        ink(fitted(&ago, 10), styles.dim()),
        ink(fitted(&format!("{} → {}", rotation.from, rotation.to), 8), styles.plain()),
        ink(fitted(&what, 21), styles.plain()),
        ink(format!("{mark} "), style),
        ink(fitted(rotation.phase.words(), 16), style),
        ink(cut(&prints.unwrap_or_default(), width.saturating_sub(lead)), styles.dim()),
    ])
}
