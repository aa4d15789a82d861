//! What a screen asks about provenance, and what it hears.

use super::Examined;
use crate::domain::hotkey::Hotkey;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyOrder {
    /// These rows, as far as their signatures where that is said.
    Look {
        /// Whose rows, and whether signatures are looked at.
        rows: Vec<(Hotkey, bool)>,
        /// Whether this is everybody, so that what is disputed now is all that is.
        everybody: bool,
    },
    /// The operator has read a dispute, by its id.
    Read(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyNews {
    /// Rows were looked at.
    Examined {
        /// What was found.
        found: Box<Examined>,
        /// Whether it was everybody.
        everybody: bool,
    },
    /// Nobody could be asked.
    Failed(String),
}
