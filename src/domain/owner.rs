//! Whose keys, commits and rotations: a hotkey on a subnet of a chain.

use std::fmt;

use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;

/// A hotkey on a subnet of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The chain.
    pub genesis: BlockHash,
    /// The subnet.
    pub netuid: u16,
    /// The hotkey.
    pub hotkey: Hotkey,
}

/// As names in a vault have it: `{genesis8}/{netuid}/{hotkey}`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.genesis.short(), self.netuid, self.hotkey)
    }
}
