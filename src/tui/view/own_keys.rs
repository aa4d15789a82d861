//! The self-test of the own keys, step by step.
//!
//! ```text
//! YOUR KEYS   tested 3 min ago
//! ✓ Your keys do what they should, and nothing more.
//!
//!   ✓ PUT canary                 200                The write key writes into the own bucket.
//!   ✗ GET canary, published key  403 AccessDenied   The published key cannot read the own bucket: it may not.
//!       → Commit a read key that works …
//! ```

use ratatui::text::Line;

use super::facts::{finding, remark, report, section};
use super::style::Styles;
use crate::domain::probe::WHOLE_SECONDS;
use crate::domain::text::age_seconds;
use crate::report::self_test::tested;
use crate::tui::keymap::Command;
use crate::tui::probes::OwnKeys;
use crate::tui::state::State;

/// The section; nothing where the console may not write and nothing was tested.
pub(super) fn lines(lines: &mut Vec<Line<'static>>, state: &State, width: usize, styles: Styles) {
    match &state.probes.own_keys {
        OwnKeys::Idle if state.options.read_only => {}
        OwnKeys::Idle => {
            section(lines, "YOUR KEYS", styles);
            let text = format!(
                "not tested: {} writes a canary into your bucket, reads it back and removes it",
                state.key(Command::SelfTest)
            );
            remark(lines, "—", &text, width, styles.dim());
        }
        OwnKeys::Testing { since_ms } => {
            section(lines, "YOUR KEYS", styles);
            let text = format!(
                "writing and reading a canary, {} of {WHOLE_SECONDS} s at most",
                age_seconds(state.since(*since_ms) / 1_000)
            );
            remark(lines, "…", &text, width, styles.accent());
        }
        OwnKeys::Failed(problem) => {
            section(lines, "YOUR KEYS", styles);
            finding(lines, problem, width, styles);
        }
        OwnKeys::Tested(test) => {
            let age = age_seconds(state.since(test.at_ms) / 1_000);
            section(lines, &format!("YOUR KEYS   tested {age} ago"), styles);
            report(lines, &tested(test), width, styles);
        }
    }
}
