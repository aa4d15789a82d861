//! A subnet at one block: members and commitments, judged, without secrets, ready to be kept on disk.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::commitment::Commitment;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, is_sandbox};
use crate::domain::untrusted::Untrusted;

/// A block by number, hash and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: BlockHash,
    /// `Timestamp.Now` of the block, in ms since 1970.
    pub timestamp_ms: u64,
}

/// Which chain a snapshot came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainIdentity {
    /// Name of the network, `SANDBOX` for the practice subnet.
    pub network: String,
    /// The endpoint that answered.
    pub endpoint: String,
    /// Genesis hash reported there.
    pub genesis: BlockHash,
    /// Runtime spec version at the snapshot's block.
    pub spec_version: u32,
}

impl ChainIdentity {
    /// Whether it is the practice subnet of this machine, where a mistake costs nothing.
    pub fn is_sandbox(&self) -> bool {
        is_sandbox(self.genesis, &self.endpoint)
    }
}

/// One registered uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The uid.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Block at which the hotkey was registered under this uid; `None` where the runtime does not say.
    pub registered_at: Option<u64>,
    /// Whether it holds a validator permit.
    pub validator_permit: bool,
    /// Its share of the stake, as the chain compares them, when the whole subnet was read; `None` where the runtime does not say.
    #[serde(default)]
    pub stake: Option<u16>,
}

/// The permit holder whose trust list counts: the one with most stake, of several the one of the lowest uid. `None` where the
/// chain does not tell stakes.
pub fn most_staked(members: &[Member]) -> Option<&Member> {
    let permitted = members.iter().filter(|member| member.validator_permit && member.stake.is_some());
    permitted.max_by_key(|member| (member.stake, Reverse(member.uid)))
}

/// Whose subnet it is, as the chain tells it; what it does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetInfo {
    /// The name that its owner gave it.
    pub name: Option<Untrusted>,
    /// The coldkey that owns it.
    pub owner: Option<Hotkey>,
    /// Block at which it was registered.
    pub registered_at: Option<u64>,
}

impl SubnetInfo {
    /// That another project's name stands on the subnet, where one does. Forks of GRAIL have names of their own, so that it is
    /// no fault.
    pub fn other_name(&self, netuid: u16) -> Option<Diagnostic> {
        let name = self.name.as_ref()?;
        let is_grails = name.shown().to_lowercase().contains("grail");
        (!is_grails).then(|| {
            Diagnostic::new(
                "other_subnet",
                Severity::Note,
                format!("Subnet {netuid} is called {name:?}, which is not GRAIL's name"),
                "What is read here may belong to another project; keys that GRAIL's miners left behind may still stand there.",
                "If that is not your subnet, name yours with --netuid.",
            )
        })
    }
}

/// Everything the console knows of a subnet at one block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetSnapshot {
    /// Where it came from.
    pub chain: ChainIdentity,
    /// The subnet.
    pub netuid: u16,
    /// Whose it is; snapshots that were kept by earlier versions do not say.
    #[serde(default)]
    pub subnet: SubnetInfo,
    /// The finalized block it was read at; every value below is of this block.
    pub at: BlockRef,
    /// Registered uids, by uid.
    pub members: Vec<Member>,
    /// Every commitment of the subnet by hotkey, those of ex-members included.
    pub commitments: BTreeMap<Hotkey, Commitment>,
    /// Hotkeys that took an ex-member's place, by the ex-member's.
    #[serde(default)]
    pub successors: BTreeMap<Hotkey, Hotkey>,
}

/// What changed on the subnet at a later block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetChange {
    /// Number of the best block that brought the change.
    pub block: u64,
    /// Commitments set or, with `None`, removed.
    pub commitments: Vec<(Hotkey, Option<Commitment>)>,
    /// Uids that changed hands.
    pub members: Vec<Member>,
}

impl SubnetSnapshot {
    /// Brings the snapshot up to date with a change; the block it was read at stays, since only the change is newer.
    pub fn apply(&mut self, change: &SubnetChange) {
        for (hotkey, commitment) in &change.commitments {
            match commitment {
                Some(commitment) => self.commitments.insert(*hotkey, commitment.clone()),
                None => self.commitments.remove(hotkey),
            };
        }
        for member in &change.members {
            match self.members.binary_search_by_key(&member.uid, |m| m.uid) {
                Ok(index) => self.members[index] = member.clone(),
                Err(index) => self.members.insert(index, member.clone()),
            }
        }
    }
}
