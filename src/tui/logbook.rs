//! The log as the console shows it: the newest lines, and whether the view follows them.

use std::collections::VecDeque;

use serde::Serialize;

pub use crate::domain::log::Level;
use crate::domain::untrusted::Untrusted;

/// Lines kept.
pub const KEPT: usize = 2_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Number of the line since the program started, growing.
    pub seq: u64,
    /// When it was written, in ms since 1970.
    pub at_ms: u64,
    /// How grave it is.
    pub level: Level,
    /// Which part of the program wrote it.
    pub target: String,
    /// What it says.
    pub message: Untrusted,
}

/// The newest lines.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Logbook {
    lines: VecDeque<LogLine>,
    /// Lines scrolled up from the newest; 0 follows.
    back: usize,
}

impl Logbook {
    /// The lines, oldest first.
    pub fn lines(&self) -> &VecDeque<LogLine> {
        &self.lines
    }

    /// Number of the newest line, 0 when there is none.
    pub fn last_seq(&self) -> u64 {
        self.lines.back().map_or(0, |line| line.seq)
    }

    /// Lines scrolled up from the newest.
    pub const fn back(&self) -> usize {
        self.back
    }

    /// Takes new lines. A view that was scrolled up stays where it is.
    pub fn append(&mut self, new: Vec<LogLine>) {
        let last = self.lines.back().map(|line| line.seq);
        let fresh = new.into_iter().filter(|line| last.is_none_or(|last| line.seq > last));
        for line in fresh {
            self.lines.push_back(line);
            self.back += usize::from(self.back > 0);
        }
        while self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    /// Scrolls up by lines (down when negative), with `page` lines on the screen.
    pub fn scroll(&mut self, up: isize, page: usize) {
        let most = self.lines.len().saturating_sub(page);
        self.back = self.back.saturating_add_signed(up).min(most);
    }

    /// Goes to the newest line and follows.
    pub fn follow(&mut self) {
        self.back = 0;
    }

    /// Goes to the oldest line.
    pub fn oldest(&mut self, page: usize) {
        self.back = self.lines.len().saturating_sub(page);
    }
}
