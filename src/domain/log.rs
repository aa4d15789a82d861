//! How grave a line of the log is: one scale for the file, the ring and the screen.

use serde::Serialize;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd, and the console goes on.
    Warn,
    /// What the console does.
    Info,
    /// How it does it.
    Debug,
    /// Every step of it.
    Trace,
}

impl Level {
    /// Five characters, as in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN ",
            Self::Info => "INFO ",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}
