//! The one enum of everything that can happen to the console, and the one of everything it asks to be done.

use std::sync::Arc;

use crate::domain::log::Level;
use crate::domain::snapshot::SubnetSnapshot;
use crate::engine::service::{Event, Request};
use crate::tui::keymap::Action;
use crate::tui::logbook::LogLine;
use crate::tui::state::Theme;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// Time went on. Sent before whatever else arrives, so that nothing else needs a clock.
    Tick {
        /// Milliseconds since 1970.
        now_ms: u64,
    },
    /// A key was pressed.
    Key(Action),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The terminal told its background.
    Background(Theme),
    /// A key was pressed that only a keyboard with another layout than the key map's has.
    OtherLayout,
    /// The console was to be suspended, and there is no shell to come back to.
    NoShell,
    /// The engine told something.
    Event(Event),
    /// Lines were logged.
    Logs(Vec<LogLine>),
    /// The last snapshot was found on disk.
    CachedSnapshot {
        /// The subnet as it was.
        snapshot: Box<SubnetSnapshot>,
        /// When it was saved, in ms since 1970.
        saved_at_ms: u64,
    },
    /// The password that is being typed has so many characters now. The characters themselves stay in the event loop.
    Typed {
        /// How many.
        chars: usize,
    },
    /// The new keys that are being entered have so many characters now: read id, read secret, write id, write secret.
    KeysTyped {
        /// How many each.
        lengths: [usize; 4],
    },
}

/// Something is to be done. Only the runner does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Put a public text on the terminal's clipboard.
    Copy(String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back to the shell until it continues the console.
    Suspend,
    /// Keep the subnet for the next start.
    Keep(Arc<SubnetSnapshot>),
    /// Ask the engine for something. The runner adds what was typed for it, and refuses what is forbidden.
    Ask(Request),
    /// Write a line into the log.
    Log {
        /// How grave it is.
        level: Level,
        /// What it says.
        text: String,
    },
}
