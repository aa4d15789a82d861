//! The log as the console shows it: the newest lines, the journal of rotations among them, and whether the view follows.

use std::collections::VecDeque;

use serde::Serialize;

pub use crate::domain::log::Level;
use crate::domain::untrusted::Untrusted;

/// Lines kept.
pub const KEPT: usize = 2_000;
/// The number of lines that come from the rotation journal and not from the log.
const JOURNAL: u64 = 0;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Number of the line since the program started, growing; 0 for a line of the rotation journal.
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

impl LogLine {
    const fn is_of_journal(&self) -> bool {
        self.seq == JOURNAL
    }
}

/// The newest lines, those of the rotation journal among them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Logbook {
    /// In the order of time. Lines of the journal are told from others by having no number.
    lines: VecDeque<LogLine>,
    /// Number of the newest line of the log.
    last_seq: u64,
    /// Lines scrolled up from the newest; 0 follows.
    back: usize,
}

impl Logbook {
    /// The lines, oldest first.
    pub fn lines(&self) -> &VecDeque<LogLine> {
        &self.lines
    }

    /// Number of the newest line of the log, 0 when there is none.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Lines scrolled up from the newest.
    pub const fn back(&self) -> usize {
        self.back
    }

    /// Takes new lines. A view that was scrolled up stays where it is.
    pub fn append(&mut self, new: Vec<LogLine>) {
        let last = self.last_seq;
        for line in new.into_iter().filter(|line| line.seq > last) {
            self.last_seq = line.seq;
            // The log keeps its own order whatever its clock says; only lines of the journal are passed by.
            let later = |other: &&LogLine| other.is_of_journal() && other.at_ms > line.at_ms;
            let after = self.lines.iter().rev().take_while(later).count();
            self.lines.insert(self.lines.len() - after, line);
            self.back += usize::from(self.back > 0);
        }
        self.shorten();
    }

    /// Puts the journal's lines where they belong by their time, in place of the journal's lines before.
    pub fn take_journal(&mut self, journal: Vec<LogLine>) {
        let before = self.lines.len();
        self.lines.retain(|line| !line.is_of_journal());
        for line in journal {
            let after = self.lines.iter().rev().take_while(|other| other.at_ms > line.at_ms).count();
            self.lines.insert(self.lines.len() - after, LogLine { seq: JOURNAL, ..line });
        }
        if self.back > 0 {
            self.back = self.back.saturating_add_signed(self.lines.len().cast_signed() - before.cast_signed());
        }
        self.shorten();
    }

    fn shorten(&mut self) {
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
