//! Names of what the self-test writes into the own bucket, and nothing else there.

use std::fmt;

use crate::domain::hotkey::Hotkey;

/// An object of the self-test. The name is the hotkey's alone, so that the next run finds and removes what an interrupted
/// one left behind without listing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryName {
    /// What is written, read back and deleted.
    Canary(Hotkey),
    /// What is never written: the upload that is aborted on it never was.
    Never(Hotkey),
}

impl fmt::Display for CanaryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canary(hotkey) => write!(f, "grail-console/self-test/{hotkey}.canary"),
            Self::Never(hotkey) => write!(f, "grail-console/self-test/{hotkey}.never"),
        }
    }
}
