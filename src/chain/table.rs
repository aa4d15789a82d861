//! The raw state of a subnet as the console holds it: what is watched, what was seen last, who sits where. Fed with
//! storage changes, first all of a block's, then those of each later one, it tells what changed in the domain's terms.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::decode;
use super::schema::{Entry, Schema};
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::snapshot::{Member, SubnetChange};

/// One storage value that the console follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Watch {
    /// `SubnetworkN`: how many uids there are.
    Size,
    /// `ValidatorPermit`: a vector over uids.
    Permits,
    /// `Keys`: who holds a uid.
    Holder(u16),
    /// `BlockAtRegistration` of a uid.
    Registered(u16),
    /// `CommitmentOf` of a hotkey.
    Commitment(Hotkey),
}

/// Where the watched values of one subnet are.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    schema: Arc<Schema>,
    netuid: [u8; 2],
    size: Vec<u8>,
    permits: Option<Vec<u8>>,
    /// Prefix of `Keys(netuid, *)`.
    pub(super) holders: Vec<u8>,
    registered: Option<Vec<u8>>,
    /// Prefix of `CommitmentOf(netuid, *)`.
    pub(super) commitments: Vec<u8>,
}

impl Keys {
    pub(super) fn new(schema: Arc<Schema>, netuid: u16) -> Self {
        let netuid = netuid.to_le_bytes();
        let of = |entry: &Entry| entry.key(&[&netuid]);
        Self {
            size: of(&schema.subnetwork_n),
            permits: schema.validator_permit.as_ref().map(of),
            holders: of(&schema.keys),
            registered: schema.block_at_registration.as_ref().map(of),
            commitments: of(&schema.commitment_of),
            netuid,
            schema,
        }
    }

    /// The storage key of a value; `None` where the runtime has no such entry.
    pub(super) fn key(&self, watch: Watch) -> Option<Vec<u8>> {
        match watch {
            Watch::Size => Some(self.size.clone()),
            Watch::Permits => self.permits.clone(),
            Watch::Holder(uid) => Some(self.schema.keys.key(&[&self.netuid, &uid.to_le_bytes()])),
            Watch::Registered(uid) => {
                let entry = self.schema.block_at_registration.as_ref()?;
                Some(entry.key(&[&self.netuid, &uid.to_le_bytes()]))
            }
            Watch::Commitment(hotkey) => Some(self.schema.commitment_of.key(&[&self.netuid, hotkey.as_bytes()])),
        }
    }

    /// What a storage key stands for; `None` for keys that nobody asked for.
    pub(super) fn watch(&self, key: &[u8]) -> Option<Watch> {
        let uid = |entry: &Entry, prefix: &[u8]| entry.last_part(prefix, key).map(|uid| u16::from_le_bytes(*uid));
        if key == self.size {
            Some(Watch::Size)
        } else if self.permits.as_deref() == Some(key) {
            Some(Watch::Permits)
        } else if let Some(uid) = uid(&self.schema.keys, &self.holders) {
            Some(Watch::Holder(uid))
        } else if let Some(hotkey) = self.schema.commitment_of.last_part(&self.commitments, key) {
            Some(Watch::Commitment(Hotkey::from_bytes(*hotkey)))
        } else {
            let (entry, prefix) = self.schema.block_at_registration.as_ref().zip(self.registered.as_deref())?;
            uid(entry, prefix).map(Watch::Registered)
        }
    }
}

/// What changed, before it is known in which block.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Commitments set or removed.
    pub(super) commitments: Vec<(Hotkey, Option<Commitment>)>,
    /// Uids that changed.
    pub(super) members: Vec<Member>,
    /// A uid disappeared: a change cannot say so, only a new snapshot can.
    pub(super) shrunk: bool,
    /// Values worth following that are not yet.
    pub(super) unwatched: Vec<Watch>,
    /// What was different, for a second look at the finalized block.
    pub(super) touched: Vec<Watch>,
}

impl Delta {
    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.commitments.is_empty() && self.members.is_empty()
    }

    /// The change as the feed tells it.
    pub(super) fn at(self, block: u64) -> SubnetChange {
        SubnetChange { block, commitments: self.commitments, members: self.members }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    hotkey: Option<Hotkey>,
    registered_at: Option<u64>,
}

/// The state itself. Of the commitments it keeps only a hash of what was seen: 65,536 of them fit in a few megabytes.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) keys: Keys,
    seats: BTreeMap<u16, Seat>,
    permits: Vec<bool>,
    size: u16,
    seen: HashMap<Watch, u64>,
}

impl Table {
    pub(super) fn new(schema: Arc<Schema>, netuid: u16) -> Self {
        let keys = Keys::new(schema, netuid);
        Self { keys, seats: BTreeMap::new(), permits: Vec::new(), size: 0, seen: HashMap::new() }
    }

    /// Everything that is followed, in an order that keeps what belongs together in one chunk.
    pub(super) fn watched(&self) -> Vec<Watch> {
        let mut all: Vec<Watch> = self.seen.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// Takes in values: those of all keys once, later those that changed. Values that are what they were change nothing.
    pub(super) fn apply<'v>(&mut self, values: impl IntoIterator<Item = (Watch, Option<&'v [u8]>)>) -> Delta {
        let mut delta = Delta::default();
        let mut uids = BTreeSet::new();
        for (watch, value) in values {
            let print = print_of(value);
            if self.seen.insert(watch, print) != Some(print) {
                delta.touched.push(watch);
                self.take(watch, value, &mut uids, &mut delta);
            }
        }
        delta.members = uids.into_iter().filter_map(|uid| self.member(uid)).collect();
        delta.unwatched = self.unwatched(&delta);
        delta
    }

    fn take(&mut self, watch: Watch, value: Option<&[u8]>, uids: &mut BTreeSet<u16>, delta: &mut Delta) {
        let schema = Arc::clone(&self.keys.schema);
        match watch {
            Watch::Size => {
                let size = value.and_then(|v| decode::scalar(&schema, schema.subnetwork_n.value, v)).unwrap_or(0);
                delta.shrunk |= size < self.size;
                self.size = size;
            }
            Watch::Permits => {
                let entry = schema.validator_permit.as_ref();
                let permits = entry.zip(value).and_then(|(entry, v)| decode::vector(&schema, entry.value, v));
                self.set_permits(permits.unwrap_or_default(), uids);
            }
            Watch::Holder(uid) => {
                let hotkey = value.and_then(|v| decode::hotkey(&schema, schema.keys.value, v));
                let seat = self.seats.entry(uid).or_default();
                delta.shrunk |= seat.hotkey.is_some() && hotkey.is_none();
                seat.hotkey = hotkey;
                uids.insert(uid);
            }
            Watch::Registered(uid) => {
                let entry = schema.block_at_registration.as_ref();
                let block = entry.zip(value).and_then(|(entry, v)| decode::scalar(&schema, entry.value, v));
                self.seats.entry(uid).or_default().registered_at = block;
                uids.insert(uid);
            }
            Watch::Commitment(hotkey) => {
                let commitment = value.map(|v| Commitment::of(&decode::stored(&schema, v)));
                delta.commitments.push((hotkey, commitment));
            }
        }
    }

    fn set_permits(&mut self, permits: Vec<bool>, uids: &mut BTreeSet<u16>) {
        let old = std::mem::replace(&mut self.permits, permits);
        for uid in self.seats.keys() {
            let at = usize::from(*uid);
            if old.get(at).copied().unwrap_or(false) != self.permits.get(at).copied().unwrap_or(false) {
                uids.insert(*uid);
            }
        }
    }

    fn member(&self, uid: u16) -> Option<Member> {
        let seat = self.seats.get(&uid)?;
        Some(Member {
            uid,
            hotkey: seat.hotkey?,
            registered_at: seat.registered_at,
            validator_permit: self.permits.get(usize::from(uid)).copied().unwrap_or(false),
        })
    }

    /// New uids, and hotkeys that are new to the subnet.
    fn unwatched(&self, delta: &Delta) -> Vec<Watch> {
        let new_uids = if delta.touched.contains(&Watch::Size) { 0..self.size } else { 0..0 };
        let holders = new_uids.flat_map(|uid| [Watch::Holder(uid), Watch::Registered(uid)]);
        let hotkeys = delta.members.iter().map(|member| Watch::Commitment(member.hotkey));
        holders
            .chain(hotkeys)
            .filter(|watch| self.keys.key(*watch).is_some() && !self.seen.contains_key(watch))
            .collect()
    }
}

/// A value's hash; an absent value has one too.
fn print_of(value: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
