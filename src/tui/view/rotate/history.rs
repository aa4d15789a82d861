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
use crate::domain::rotation::Rotation;
use crate::domain::text::{age_seconds, grouped};
use crate::report::rotation as report;
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
    let [generations, what, how, prints] = report::closed(rotation);
    let lead = 10 + 8 + 21 + 18;
    Line::from(vec![
        ink(fitted(&ago, 10), styles.dim()),
        ink(fitted(&generations.text, 8), styles.plain()),
        ink(fitted(&what.text, 21), styles.plain()),
        ink(fitted(&how.text, 18), styles.role(how.role)),
        ink(cut(&prints.text, width.saturating_sub(lead)), styles.dim()),
    ])
}
