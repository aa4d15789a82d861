//! What a row's bucket holds under `grail/`, once the operator asked for it.
//!
//! ```text
//! NAMES UNDER grail/   3, no more than 200 are asked for
//!   grail/windows/5CAzX1…-window-9168480.parquet
//! ```

use ratatui::text::Line;

use super::facts::{paragraph, remark, section};
use super::style::Styles;
use crate::domain::roster::Row;
use crate::domain::text::grouped;
use crate::tui::state::State;

/// The section; nothing where no listing of this row was asked for.
pub(super) fn lines(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, width: usize, styles: Styles) {
    let Some((_, listing)) = state.probes.listing.as_ref().filter(|(hotkey, _)| *hotkey == row.hotkey) else { return };
    let count = match listing {
        Some(Ok(names)) if !names.is_empty() => {
            format!("   {}, no more than 200 are asked for", grouped(names.len() as u64))
        }
        _ => String::new(),
    };
    section(lines, &format!("NAMES UNDER grail/{count}"), styles);
    match listing {
        None => remark(lines, "…", "asking the bucket for a listing", width, styles.accent()),
        Some(Err(why)) => {
            remark(lines, "✗", &format!("The listing was refused: {why}."), width, styles.unreadable());
        }
        Some(Ok(names)) if names.is_empty() => remark(lines, "○", "nothing is there", width, styles.dim()),
        Some(Ok(names)) => {
            for name in names {
                paragraph(lines, &name.shown(), 2, width, styles.plain());
            }
        }
    }
}
