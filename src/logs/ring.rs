//! The last lines in memory, for the Logs view.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

pub use crate::domain::log::Level;

/// Lines that are kept.
pub const CAPACITY: usize = 2_000;

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// One line, sanitised and free of secrets: it may be shown, written and copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// How grave.
    pub level: Level,
    /// Which part of the program.
    pub target: String,
    /// Message and fields.
    pub text: String,
}

/// The buffer and its bell.
#[derive(Debug)]
pub(super) struct Ring {
    lines: Mutex<Lines>,
    bell: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<LogLine>,
    /// Lines ever pushed: the number of the newest line.
    pushed: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { lines: Mutex::default(), bell: watch::Sender::new(0) }
    }

    pub(super) fn push(&self, line: LogLine) {
        let pushed = {
            let mut lines = self.lock();
            if lines.kept.len() == CAPACITY {
                lines.kept.pop_front();
            }
            lines.kept.push_back(line);
            lines.pushed += 1;
            lines.pushed
        };
        self.bell.send_replace(pushed);
    }

    /// The lines after number `seen` that are still kept, and the number of the newest.
    pub(super) fn since(&self, seen: u64) -> (Vec<LogLine>, u64) {
        let lines = self.lock();
        let fresh = usize::try_from(lines.pushed.saturating_sub(seen)).unwrap_or(usize::MAX).min(lines.kept.len());
        (lines.kept.iter().skip(lines.kept.len() - fresh).cloned().collect(), lines.pushed)
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
