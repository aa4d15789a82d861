//! Where an own hotkey stands, as one verified reading found it.

use crate::domain::commit::HotkeyState;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Depth, Dispute, Limit, Provenance};

/// Where a hotkey stands, and what speaks for it.
#[derive(Debug, Clone)]
pub struct OwnState {
    /// What may be acted on.
    pub state: HotkeyState,
    /// Where the commitment in it comes from.
    pub row: Option<Provenance>,
    /// Where sources contradict each other.
    pub disputes: Vec<Dispute>,
}

impl OwnState {
    /// Whether nothing more can be found out while this block is the newest final one.
    pub(super) fn is_last_word(&self, head: BlockHash) -> bool {
        let may_change = |limit: &Limit| {
            matches!(limit, Limit::WitnessAway { .. } | Limit::WitnessBehind { .. } | Limit::Disputed { .. })
        };
        let row = self.row.as_ref().filter(|row| row.at.hash == head);
        self.disputes.is_empty() && row.is_some_and(|row| !row.limit.as_ref().is_some_and(may_change))
    }
}

/// What a reading was of: one that is known need not be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// Through which endpoint.
    pub(super) endpoint: String,
    /// Its finalized head.
    pub(super) head: BlockHash,
    pub(super) netuid: u16,
    pub(super) hotkey: Hotkey,
    pub(super) depth: Depth,
}

impl Reading {
    /// Whether it found what another one looks for: one that looked at the signature, too, also found the proof.
    pub(super) fn answers(&self, wanted: &Self) -> bool {
        let deeper = self.depth == Depth::Signature;
        *self == *wanted || (deeper && Self { depth: Depth::Proof, ..self.clone() } == *wanted)
    }
}
