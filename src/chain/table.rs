//! The raw state of a subnet as the console holds it: what is watched, what was seen last, who sits where. Fed with
//! storage changes, first all of a block's, then those of each later one, it tells what changed in the domain's terms.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parity_scale_codec::{Compact, Decode as _};
use scale_decode::DecodeAsType;

use super::decode;
use super::published_keys::PublishedKeys;
use super::schema::{Entry, Schema};
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::snapshot::{Member, SubnetChange, SubnetInfo};

/// Values followed at most: holder, registration and two hotkeys for each of 65,536 uids, and a commitment of four
/// ex-members for each.
const MOST_WATCHED: usize = 1 << 19;

/// Key of `System.LastRuntimeUpgrade`. Every Substrate runtime writes it with the first block that it executes, so the
/// version in it is that of the runtime by which a block's state is written.
pub(super) const LAST_RUNTIME_UPGRADE: [u8; 32] = [
    0x26, 0xaa, 0x39, 0x4e, 0xea, 0x56, 0x30, 0xe0, 0x7c, 0x48, 0xae, 0x0c, 0x95, 0x58, 0xce, 0xf7, 0xf9, 0xcc, 0xe9,
    0xc8, 0x88, 0x46, 0x9b, 0xb1, 0xa0, 0xdc, 0xea, 0xa1, 0x29, 0x67, 0x2e, 0xf8,
];

/// One storage value that the console reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Watch {
    /// `System.Number`: which block this is.
    Number,
    /// `Timestamp.Now`.
    Now,
    /// `System.LastRuntimeUpgrade`: the runtime that executed the block, and so wrote its state.
    Writer,
    /// `NetworksAdded`: whether the subnet exists.
    Exists,
    /// `SubnetworkN`: how many uids there are.
    Size,
    /// `ValidatorPermit`: a vector over uids.
    Permits,
    /// `SubnetIdentitiesV3`: what the subnet's owner calls it.
    Identity,
    /// `SubnetOwner`: whose it is.
    Owner,
    /// `NetworkRegisteredAt`: since when it exists.
    NetworkRegistered,
    /// `StakeWeight`: a vector over uids, new with each epoch. It is read with a whole subnet, and not followed.
    Stakes,
    /// `Keys`: who holds a uid.
    Holder(u16),
    /// `BlockAtRegistration` of a uid.
    Registered(u16),
    /// `CommitmentOf` of a hotkey.
    Commitment(Hotkey),
    /// `HotkeySuccessor` of a hotkey with a commitment. It is read with a whole subnet, and not followed.
    Successor(Hotkey),
}

/// Where the values of one subnet are.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    schema: Arc<Schema>,
    netuid: [u8; 2],
    /// Keys of the values that there is one of.
    single: Vec<(Watch, Vec<u8>)>,
    /// Prefix of `Keys(netuid, *)`.
    pub(super) holders: Vec<u8>,
    registered: Option<Vec<u8>>,
    /// Prefix of `CommitmentOf(netuid, *)`.
    pub(super) commitments: Vec<u8>,
    successors: Option<Vec<u8>>,
}

impl Keys {
    pub(super) fn new(schema: Arc<Schema>, netuid: u16) -> Self {
        let netuid = netuid.to_le_bytes();
        let of = |entry: &Entry| entry.key(&[&netuid]);
        let single = [
            (Watch::Number, Some(schema.number.key(&[]))),
            (Watch::Now, Some(schema.now.key(&[]))),
            (Watch::Writer, Some(LAST_RUNTIME_UPGRADE.to_vec())),
            (Watch::Exists, schema.networks_added.as_ref().map(of)),
            (Watch::Size, Some(of(&schema.subnetwork_n))),
            (Watch::Permits, schema.validator_permit.as_ref().map(of)),
            (Watch::Identity, schema.identity.as_ref().map(of)),
            (Watch::Owner, schema.owner.as_ref().map(of)),
            (Watch::NetworkRegistered, schema.network_registered_at.as_ref().map(of)),
            (Watch::Stakes, schema.stake_weight.as_ref().map(of)),
        ];
        Self {
            single: single.into_iter().filter_map(|(watch, key)| Some((watch, key?))).collect(),
            holders: of(&schema.keys),
            registered: schema.block_at_registration.as_ref().map(of),
            commitments: of(&schema.commitment_of),
            successors: schema.hotkey_successor.as_ref().map(of),
            netuid,
            schema,
        }
    }

    /// The storage key of a value; `None` where the runtime has no such entry.
    pub(super) fn key(&self, watch: Watch) -> Option<Vec<u8>> {
        let of = |entry: &Entry, part: &[u8]| entry.key(&[&self.netuid, part]);
        match watch {
            Watch::Holder(uid) => Some(of(&self.schema.keys, &uid.to_le_bytes())),
            Watch::Registered(uid) => Some(of(self.schema.block_at_registration.as_ref()?, &uid.to_le_bytes())),
            Watch::Commitment(hotkey) => Some(of(&self.schema.commitment_of, hotkey.as_bytes())),
            Watch::Successor(hotkey) => Some(of(self.schema.hotkey_successor.as_ref()?, hotkey.as_bytes())),
            single => self.single.iter().find(|(watch, _)| *watch == single).map(|(_, key)| key.clone()),
        }
    }

    /// What a storage key stands for; `None` for keys of anything else.
    pub(super) fn watch(&self, key: &[u8]) -> Option<Watch> {
        let uid = |entry: &Entry, prefix: &[u8]| entry.last_part(prefix, key).map(|uid| u16::from_le_bytes(*uid));
        if let Some(hotkey) = self.schema.commitment_of.last_part(&self.commitments, key) {
            return Some(Watch::Commitment(Hotkey::from_bytes(*hotkey)));
        }
        if let Some(uid) = uid(&self.schema.keys, &self.holders) {
            return Some(Watch::Holder(uid));
        }
        let successors = self.schema.hotkey_successor.as_ref().zip(self.successors.as_deref());
        if let Some(hotkey) = successors.and_then(|(entry, prefix)| entry.last_part(prefix, key)) {
            return Some(Watch::Successor(Hotkey::from_bytes(*hotkey)));
        }
        let registered = self.schema.block_at_registration.as_ref().zip(self.registered.as_deref());
        match registered.and_then(|(entry, prefix)| uid(entry, prefix)) {
            Some(uid) => Some(Watch::Registered(uid)),
            None => self.single.iter().find(|(_, single)| single == key).map(|(watch, _)| *watch),
        }
    }
}

/// What changed, before it is known in which block.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Number of the block, when it was among the values.
    pub(super) number: Option<u64>,
    /// Commitments set or removed.
    pub(super) commitments: Vec<(Hotkey, Option<Commitment>)>,
    /// Uids that changed.
    pub(super) members: Vec<Member>,
    /// A uid disappeared, or the subnet is another's: a change cannot say so, only a new snapshot can.
    pub(super) shrunk: bool,
    /// Values of the subnet that were different.
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

/// The state itself. Of each value it keeps a hash of what was seen: those of 65,536 uids fit in a few megabytes.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) keys: Keys,
    seats: BTreeMap<u16, Seat>,
    permits: Vec<bool>,
    /// As told; empty where the runtime does not say.
    stakes: Vec<u16>,
    size: u16,
    exists: bool,
    /// Whose subnet it is.
    pub(super) subnet: SubnetInfo,
    /// Which hotkeys took the place of others, by the other one.
    successors: BTreeMap<Hotkey, Hotkey>,
    /// `System.Number`, when it was among the values.
    pub(super) number: Option<u64>,
    /// `Timestamp.Now` in ms, 0 when unknown.
    pub(super) now_ms: u64,
    /// Spec version of the runtime that executed the block, when it was among the values.
    pub(super) writer: Option<u32>,
    seen: HashMap<Watch, u64>,
    /// How many values there were when the subnet had been read.
    read: usize,
    /// Where secrets go, for whoever reads with them.
    published: Option<PublishedKeys>,
}

impl Table {
    pub(super) fn new(schema: Arc<Schema>, netuid: u16, published: Option<PublishedKeys>) -> Self {
        Self {
            published,
            keys: Keys::new(schema, netuid),
            seats: BTreeMap::new(),
            permits: Vec::new(),
            stakes: Vec::new(),
            size: 0,
            exists: false,
            subnet: SubnetInfo::default(),
            successors: BTreeMap::new(),
            number: None,
            now_ms: 0,
            writer: None,
            seen: HashMap::new(),
            read: 0,
        }
    }

    /// Announces values that are going to be read; values that nobody announced are ignored, whoever sends them. Until
    /// it is read a value counts as absent. Values that the runtime does not have are left out of what is returned.
    pub(super) fn expect(&mut self, watches: impl IntoIterator<Item = Watch>) -> Vec<Watch> {
        let absent = print_of(None);
        let known = |watch: &Watch| self.keys.key(*watch).is_some();
        let expected: Vec<Watch> = watches.into_iter().filter(known).collect();
        for watch in &expected {
            self.seen.entry(*watch).or_insert(absent);
        }
        expected
    }

    /// The hotkeys that took the place of ex-members, by the ex-member's.
    pub(super) fn successors(&self, members: &[Member]) -> BTreeMap<Hotkey, Hotkey> {
        let seated: BTreeSet<&Hotkey> = members.iter().map(|member| &member.hotkey).collect();
        let left = self.successors.iter().filter(|(hotkey, _)| !seated.contains(hotkey));
        left.map(|(hotkey, successor)| (*hotkey, *successor)).collect()
    }

    /// Everything worth following, in an order that keeps what belongs together close.
    pub(super) fn followed(&self) -> Vec<Watch> {
        let mut all: Vec<Watch> = self
            .seen
            .keys()
            .copied()
            .filter(|watch| {
                !matches!(watch, Watch::Now | Watch::Number | Watch::Writer | Watch::Stakes | Watch::Successor(_))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Values of uids and hotkeys that the subnet has and nobody announced yet.
    pub(super) fn overlooked(&self) -> Vec<Watch> {
        let uids = (0..self.size).flat_map(|uid| [Watch::Holder(uid), Watch::Registered(uid)]);
        let hotkeys = self.seats.values().filter_map(|seat| seat.hotkey).map(Watch::Commitment);
        uids.chain(hotkeys).filter(|watch| !self.seen.contains_key(watch)).collect()
    }

    /// Counts what is followed from a reading on.
    pub(super) fn settle(&mut self) {
        self.read = self.seen.len();
    }

    /// Whether there are twice the values that were read: hotkeys that left stay until the subnet is read anew.
    pub(super) fn is_outgrown(&self) -> bool {
        self.seen.len() > self.read.saturating_mul(2)
    }

    /// Whether it holds more than any subnet, so that a node which never finalizes a reading is left.
    pub(super) fn is_overfull(&self) -> bool {
        self.seen.len() > MOST_WATCHED
    }

    /// Whether the chain knows this subnet, by its own word or by its having members.
    pub(super) fn exists(&self) -> bool {
        self.exists || self.seats.values().any(|seat| seat.hotkey.is_some())
    }

    /// Everybody who holds a uid.
    pub(super) fn members(&self) -> Vec<Member> {
        self.seats.keys().filter_map(|uid| self.member(*uid)).collect()
    }

    /// Takes in values: those of all keys once, later those that changed. A value that is what it was changes nothing.
    pub(super) fn apply<'v>(&mut self, values: impl IntoIterator<Item = (Watch, Option<&'v [u8]>)>) -> Delta {
        let mut delta = Delta::default();
        let mut uids = BTreeSet::new();
        for (watch, value) in values {
            let print = print_of(value);
            let Some(seen) = self.seen.get_mut(&watch) else { continue };
            if std::mem::replace(seen, print) != print {
                self.take(watch, value, &mut uids, &mut delta);
            }
        }
        delta.members = uids.into_iter().filter_map(|uid| self.member(uid)).collect();
        delta
    }

    fn take(&mut self, watch: Watch, value: Option<&[u8]>, uids: &mut BTreeSet<u16>, delta: &mut Delta) {
        let schema = Arc::clone(&self.keys.schema);
        match watch {
            Watch::Number => {
                self.number = number(&schema, &schema.number, value);
                delta.number = self.number;
                return;
            }
            Watch::Writer => return self.writer = value.and_then(spec_version),
            Watch::Now => return self.now_ms = number(&schema, &schema.now, value).unwrap_or(0),
            Watch::Exists => self.exists = optional(&schema, schema.networks_added.as_ref(), value).unwrap_or(false),
            Watch::Size => {
                let size = value.and_then(|v| decode::scalar(&schema, schema.subnetwork_n.value, v)).unwrap_or(0);
                delta.shrunk |= size < self.size;
                self.size = size;
            }
            Watch::Permits => {
                let entry = schema.validator_permit.as_ref().zip(value);
                self.set_permits(
                    entry.and_then(|(e, v)| decode::vector(&schema, e.value, v)).unwrap_or_default(),
                    uids,
                );
            }
            Watch::Identity => {
                let entry = schema.identity.as_ref().zip(value);
                self.subnet.name = entry.and_then(|(e, v)| decode::subnet_name(&schema, e.value, v));
                delta.shrunk = true;
            }
            Watch::Owner => {
                let entry = schema.owner.as_ref().zip(value);
                self.subnet.owner = entry.and_then(|(e, v)| decode::hotkey(&schema, e.value, v));
                delta.shrunk = true;
            }
            Watch::NetworkRegistered => {
                self.subnet.registered_at = optional(&schema, schema.network_registered_at.as_ref(), value);
                delta.shrunk = true;
            }
            Watch::Stakes => {
                let entry = schema.stake_weight.as_ref().zip(value);
                self.stakes = entry.and_then(|(e, v)| decode::vector(&schema, e.value, v)).unwrap_or_default();
            }
            Watch::Holder(uid) => {
                let hotkey = value.and_then(|v| decode::hotkey(&schema, schema.keys.value, v));
                let seat = self.seats.entry(uid).or_default();
                delta.shrunk |= seat.hotkey.is_some() && hotkey.is_none();
                seat.hotkey = hotkey;
                uids.insert(uid);
            }
            Watch::Registered(uid) => {
                let block = optional(&schema, schema.block_at_registration.as_ref(), value);
                self.seats.entry(uid).or_default().registered_at = block;
                uids.insert(uid);
            }
            Watch::Successor(hotkey) => {
                let entry = schema.hotkey_successor.as_ref().zip(value);
                if let Some(successor) = entry.and_then(|(e, v)| decode::hotkey(&schema, e.value, v)) {
                    self.successors.insert(hotkey, successor);
                }
            }
            Watch::Commitment(hotkey) => {
                let stored = value.map(|v| decode::stored(&schema, v));
                if let Some(published) = &self.published {
                    published.note(hotkey, stored.as_ref());
                }
                delta.commitments.push((hotkey, stored.as_ref().map(Commitment::of)));
            }
        }
        delta.touched.push(watch);
    }

    fn set_permits(&mut self, permits: Vec<bool>, uids: &mut BTreeSet<u16>) {
        let old = std::mem::replace(&mut self.permits, permits);
        let holds = |permits: &[bool], uid: u16| permits.get(usize::from(uid)).copied().unwrap_or(false);
        uids.extend(self.seats.keys().filter(|uid| holds(&old, **uid) != holds(&self.permits, **uid)));
    }

    fn member(&self, uid: u16) -> Option<Member> {
        let seat = self.seats.get(&uid)?;
        Some(Member {
            uid,
            hotkey: seat.hotkey?,
            registered_at: seat.registered_at,
            validator_permit: self.permits.get(usize::from(uid)).copied().unwrap_or(false),
            stake: self.stakes.get(usize::from(uid)).copied(),
        })
    }
}

/// The version in a `LastRuntimeUpgradeInfo`, which begins with it.
pub(super) fn spec_version(value: &[u8]) -> Option<u32> {
    Compact::<u32>::decode(&mut &*value).ok().map(|version| version.0)
}

fn number(schema: &Schema, entry: &Entry, value: Option<&[u8]>) -> Option<u64> {
    decode::scalar(schema, entry.value, value?)
}

fn optional<T: DecodeAsType>(schema: &Schema, entry: Option<&Entry>, value: Option<&[u8]>) -> Option<T> {
    decode::scalar(schema, entry?.value, value?)
}

/// A value's hash; an absent value has one too.
fn print_of(value: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
