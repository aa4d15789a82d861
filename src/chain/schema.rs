//! The few storage entries the console reads, looked up by name in a node's metadata: where they are, how they are
//! keyed, and the types of their values. Everything else of the metadata is dropped (it would take megabytes).

use std::collections::BTreeSet;

use frame_metadata::v14::{StorageEntryType, StorageHasher};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use parity_scale_codec::{Decode, MemTrackingInput};
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef};
use sp_crypto_hashing::{blake2_128, twox_64, twox_128};

use super::budget::Budget;
use super::error::Fault;
use super::metadata::digest;
use super::signing::{Extrinsics, Signing};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::runtime_metadata::are_compared;
use crate::domain::untrusted::Untrusted;

/// Bytes of a storage entry's prefix: twox128 of the pallet, twox128 of the entry.
const PREFIX: usize = 32;
/// Most bytes of metadata. Finney's has 0.3 MB, and grows with each pallet.
pub(super) const MOST_METADATA: usize = 2 << 20;
/// Most memory that metadata takes when it is decoded, in bytes: a list of nothing is a byte there and 24 here. Finney's takes 0.9 MB.
const MOST_DECODED: usize = 8 << 20;
const COMMITMENTS: &str = "Commitments";
const SUBTENSOR: &str = "SubtensorModule";

/// A storage entry that the console knows how to key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `Pallet.Entry`, for messages.
    pub name: (&'static str, &'static str),
    prefix: [u8; PREFIX],
    hashers: Vec<StorageHasher>,
    /// Type of the value in [`Schema::types`].
    pub value: u32,
}

impl Entry {
    /// An entry as it is known to be keyed, with the type of its value.
    fn known(name @ (pallet, entry): (&'static str, &'static str), parts: &[Part], value: u32) -> Self {
        let mut prefix = [0; PREFIX];
        prefix[..16].copy_from_slice(&twox_128(pallet.as_bytes()));
        prefix[16..].copy_from_slice(&twox_128(entry.as_bytes()));
        Self { name, prefix, hashers: parts.iter().map(|part| part.hasher()).collect(), value }
    }

    /// The key of a value, or with fewer parts than hashers the common prefix of several.
    pub fn key(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = self.prefix.to_vec();
        for (hasher, part) in self.hashers.iter().zip(parts) {
            hash(hasher, part, &mut key);
        }
        key
    }

    /// The last part of a key whose other parts are known, given the prefix that they make.
    pub fn last_part<'k, const N: usize>(&self, prefix: &[u8], key: &'k [u8]) -> Option<&'k [u8; N]> {
        let rest = key.strip_prefix(prefix)?;
        let part = rest.last_chunk::<N>()?;
        let hashed = hash_length(self.hashers.last()?);
        (rest.len() == hashed + N).then_some(part)
    }
}

fn hash(hasher: &StorageHasher, part: &[u8], key: &mut Vec<u8>) {
    match hasher {
        StorageHasher::Twox64Concat => key.extend(twox_64(part)),
        StorageHasher::Blake2_128Concat => key.extend(blake2_128(part)),
        // No entry that is read has another one.
        _ => {}
    }
    key.extend(part);
}

/// Bytes before the part itself in a key, for hashers that keep it.
const fn hash_length(hasher: &StorageHasher) -> usize {
    match hasher {
        StorageHasher::Twox64Concat => 8,
        StorageHasher::Blake2_128Concat => 16,
        _ => 0,
    }
}

/// A part of a key: what it must measure, and how it is hashed (FACTS 3). Metadata has no say in it: under keys of its own
/// choosing a node would prove that there is nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// A netuid or uid: `u16`, little endian, not hashed.
    Number,
    /// The same, behind its Blake2-128.
    NumberByBlake2,
    /// A hotkey: 32 bytes, behind their Twox-64.
    Account,
    /// The same, behind their Blake2-128.
    AccountByBlake2,
}

impl Part {
    const fn hasher(self) -> StorageHasher {
        match self {
            Self::Number => StorageHasher::Identity,
            Self::Account => StorageHasher::Twox64Concat,
            Self::NumberByBlake2 | Self::AccountByBlake2 => StorageHasher::Blake2_128Concat,
        }
    }

    /// In bytes.
    const fn size(self) -> u64 {
        match self {
            Self::Number | Self::NumberByBlake2 => 2,
            Self::Account | Self::AccountByBlake2 => 32,
        }
    }
}

/// The entries, and the types of their values.
#[derive(Debug, Clone)]
pub struct Schema {
    /// `Commitments.CommitmentOf`, by netuid and hotkey.
    pub commitment_of: Entry,
    /// `SubtensorModule.Keys`, by netuid and uid.
    pub keys: Entry,
    /// `SubtensorModule.SubnetworkN`, by netuid.
    pub subnetwork_n: Entry,
    /// `SubtensorModule.BlockAtRegistration`, by netuid and uid, where the runtime has it.
    pub block_at_registration: Option<Entry>,
    /// `SubtensorModule.ValidatorPermit`, by netuid, where the runtime has it.
    pub validator_permit: Option<Entry>,
    /// `SubtensorModule.NetworksAdded`, by netuid, where the runtime has it.
    pub networks_added: Option<Entry>,
    /// `SubtensorModule.SubnetIdentitiesV3`, by netuid: what its owner calls a subnet; where the runtime has it.
    pub identity: Option<Entry>,
    /// `SubtensorModule.SubnetOwner`, by netuid: a coldkey; where the runtime has it.
    pub owner: Option<Entry>,
    /// `SubtensorModule.NetworkRegisteredAt`, by netuid, where the runtime has it.
    pub network_registered_at: Option<Entry>,
    /// `SubtensorModule.StakeWeight`, by netuid: each uid's normalised total stake; where the runtime has it.
    pub stake_weight: Option<Entry>,
    /// `SubtensorModule.HotkeySuccessor`, by netuid and hotkey: which one took its place; newer runtimes only.
    pub hotkey_successor: Option<Entry>,
    /// `Timestamp.Now`.
    pub now: Entry,
    /// `System.Number`: rides along in each subscription, to tell which block a change is of.
    pub number: Entry,
    /// The types that these need, nothing else.
    pub types: PortableRegistry,
    /// Hash of the metadata.
    pub(super) digest: [u8; 32],
    /// The operators that told it.
    pub(super) sources: Vec<String>,
    /// Hash of the runtime's code as it was when they told it, where that was told.
    pub(super) code: Option<BlockHash>,
    /// Entries that a newer runtime keys in another way than this version knows, as `Pallet.Entry`: what lies there is
    /// unknown.
    pub(super) unknown: Vec<String>,
}

/// Name of the entry that commitments are read from.
const COMMITMENT_OF: &str = "CommitmentOf";

impl Schema {
    /// Reads metadata of version 14, 15 or 16 as a node serves it.
    pub fn of_metadata(bytes: &[u8]) -> Result<Self, Fault> {
        Lookup::of_metadata(bytes)?.schema()
    }

    /// Reads metadata of a runtime that this version does not know in full: entries that are keyed in another way are
    /// unknown. One without which nothing can be shown is an error.
    pub(super) fn of_newer_metadata(bytes: &[u8]) -> Result<Self, Fault> {
        let lookup = Lookup { is_newer: true, ..Lookup::of_metadata(bytes)? };
        match lookup.schema() {
            Err(Fault::EntryShape { pallet, entry, .. }) => Err(Fault::NewerRuntime { pallet, entry }),
            read => read,
        }
    }

    /// Whether two operators described the runtime so.
    pub(super) fn is_compared(&self) -> bool {
        are_compared(&self.sources)
    }

    /// Whether the runtime keeps commitments where this version does not find them.
    pub(super) fn hides_commitments(&self) -> bool {
        self.unknown.iter().any(|name| *name == format!("{COMMITMENTS}.{COMMITMENT_OF}"))
    }

    fn entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        let needed = [&mut self.commitment_of, &mut self.keys, &mut self.subnetwork_n, &mut self.now, &mut self.number];
        let others = [
            &mut self.block_at_registration,
            &mut self.validator_permit,
            &mut self.networks_added,
            &mut self.identity,
            &mut self.owner,
            &mut self.network_registered_at,
            &mut self.stake_weight,
            &mut self.hotkey_successor,
        ];
        needed.into_iter().chain(others.into_iter().flatten())
    }

    /// Drops every type that no entry's value needs.
    fn prune(mut self) -> Result<Self, Fault> {
        let values: BTreeSet<u32> = self.entries().map(|entry| entry.value).collect();
        let mut budget = Budget::new(&self.types);
        for value in &values {
            budget.of(*value).map_err(|why| Fault::Metadata { why: why.into() })?;
        }
        let seen: Vec<u32> = budget.seen().collect();
        for id in seen {
            if let Some(ty) = self.types.types.get_mut(id as usize) {
                // Names of generic parameters are not needed for decoding, and their types were not judged.
                ty.ty.type_params.clear();
                ty.ty.docs.clear();
            }
        }
        let moved = self.types.retain(|id| values.contains(&id));
        for entry in self.entries() {
            entry.value = moved.get(&entry.value).copied().unwrap_or(u32::MAX);
        }
        Ok(self)
    }

    /// Key of a hotkey's commitment.
    pub fn commitment_key(&self, netuid: u16, hotkey: &Hotkey) -> Vec<u8> {
        self.commitment_of.key(&[&netuid.to_le_bytes(), hotkey.as_bytes()])
    }
}

struct Pallet {
    name: String,
    prefix: String,
    entries: Vec<(String, StorageEntryType<PortableForm>)>,
}

/// Storage entries by name, with the types of their values.
pub(super) struct Lookup {
    pallets: Vec<Pallet>,
    /// Types of extrinsics, or why there are none.
    signing: Result<Signing, &'static str>,
    types: PortableRegistry,
    /// Hash of the metadata.
    digest: [u8; 32],
    /// Whether it is known to be of a newer runtime, so that an entry which is keyed in another way is no lie.
    is_newer: bool,
}

/// The three versions differ in what surrounds the storage entries, not in the entries.
macro_rules! lookup {
    ($metadata:expr, $digest:expr) => {{
        let wanted = |name: &str| matches!(name, COMMITMENTS | SUBTENSOR | "Timestamp" | "System");
        let pallets = $metadata.pallets.into_iter().filter(|pallet| wanted(&pallet.name)).map(|pallet| {
            let (prefix, entries) = match pallet.storage {
                Some(storage) => (storage.prefix, storage.entries.into_iter().map(|e| (e.name, e.ty)).collect()),
                None => (String::new(), Vec::new()),
            };
            Pallet { name: pallet.name, prefix, entries }
        });
        let signing = $metadata.extrinsic.signing(&$metadata.types);
        let (pallets, types) = (pallets.collect(), $metadata.types);
        Lookup { pallets, signing, types, digest: $digest, is_newer: false }
    }};
}

impl Lookup {
    /// Reads metadata of version 14, 15 or 16 as a node serves it.
    pub(super) fn of_metadata(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > MOST_METADATA {
            return Err(Fault::TooLarge { what: format!("metadata of {} bytes", bytes.len()) });
        }
        let mut rest = bytes;
        let mut input = MemTrackingInput::new(&mut rest, MOST_DECODED);
        let metadata = RuntimeMetadataPrefixed::decode(&mut input).map_err(|error| match input.used_mem() {
            MOST_DECODED.. => {
                Fault::TooLarge { what: format!("metadata that takes more than {MOST_DECODED} bytes of memory") }
            }
            _ => Fault::Metadata { why: Untrusted::from_text(error.to_string()) },
        })?;
        match metadata.1 {
            RuntimeMetadata::V14(metadata) => Ok(lookup!(metadata, digest(bytes))),
            RuntimeMetadata::V15(metadata) => Ok(lookup!(metadata, digest(bytes))),
            RuntimeMetadata::V16(metadata) => Ok(lookup!(metadata, digest(bytes))),
            other => {
                let why = format!("version {} is neither 14, 15 nor 16", other.version());
                Err(Fault::Metadata { why: Untrusted::from_text(why) })
            }
        }
    }

    /// The entries that are read to watch a subnet.
    pub(super) fn schema(self) -> Result<Schema, Fault> {
        use Part::{Account, Number, NumberByBlake2};
        let mut unknown = Vec::new();
        let commitments: [Part; 2] = [Number, Account];
        let commitment_of = match self.entry(COMMITMENTS, COMMITMENT_OF, &commitments) {
            Err(Fault::EntryShape { .. }) if self.is_newer => {
                unknown.push(format!("{COMMITMENTS}.{COMMITMENT_OF}"));
                Entry::known((COMMITMENTS, COMMITMENT_OF), &commitments, self.value(COMMITMENTS, COMMITMENT_OF)?)
            }
            found => found?,
        };
        let mut optional = |pallet, entry, parts: &[Part]| match self.optional(pallet, entry, parts) {
            Err(Fault::EntryShape { .. }) if self.is_newer => {
                unknown.push(format!("{pallet}.{entry}"));
                Ok(None)
            }
            found => found,
        };
        // Whose subnet it is nothing depends on: where that is kept in another way it is not told.
        let told = |entry, part| self.entry(SUBTENSOR, entry, &[part]).ok();
        let schema = Schema {
            commitment_of,
            keys: self.entry(SUBTENSOR, "Keys", &[Number, Number])?,
            subnetwork_n: self.entry(SUBTENSOR, "SubnetworkN", &[Number])?,
            block_at_registration: optional(SUBTENSOR, "BlockAtRegistration", &[Number, Number])?,
            validator_permit: optional(SUBTENSOR, "ValidatorPermit", &[Number])?,
            networks_added: optional(SUBTENSOR, "NetworksAdded", &[Number])?,
            identity: told("SubnetIdentitiesV3", NumberByBlake2),
            owner: told("SubnetOwner", Number),
            network_registered_at: told("NetworkRegisteredAt", Number),
            stake_weight: optional(SUBTENSOR, "StakeWeight", &[Number])?,
            hotkey_successor: optional(SUBTENSOR, "HotkeySuccessor", &[Number, Part::AccountByBlake2])?,
            now: self.entry("Timestamp", "Now", &[])?,
            number: self.entry("System", "Number", &[])?,
            digest: self.digest,
            sources: Vec::new(),
            code: None,
            unknown: Vec::new(),
            types: self.types,
        };
        Schema { unknown, ..schema }.prune()
    }

    /// Whether extrinsics can be encoded without harm.
    pub(super) fn can_sign(&self) -> Result<(), Fault> {
        let signing = self.signing.as_ref().map_err(|why| *why);
        signing.and_then(|signing| signing.judged(&self.types)).map_err(|why| Fault::Metadata { why: why.into() })
    }

    /// An entry that a runtime may lack.
    pub(super) fn optional(
        &self,
        pallet: &'static str,
        entry: &'static str,
        parts: &[Part],
    ) -> Result<Option<Entry>, Fault> {
        match self.entry(pallet, entry, parts) {
            Ok(found) => Ok(Some(found)),
            Err(Fault::NoEntry { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// An entry that every runtime has.
    pub(super) fn entry(&self, pallet: &'static str, entry: &'static str, parts: &[Part]) -> Result<Entry, Fault> {
        let found = self.pallets.iter().find(|p| p.name == pallet).ok_or(Fault::NoPallet { pallet })?;
        let (_, ty) = found.entries.iter().find(|(name, _)| name == entry).ok_or(Fault::NoEntry { pallet, entry })?;
        let odd = |why| Fault::EntryShape { pallet, entry, why };
        let (hashers, keys, value) = match ty {
            StorageEntryType::Plain(value) => (Vec::new(), Vec::new(), value.id),
            StorageEntryType::Map { hashers, key, value } => {
                let keys = if hashers.len() == 1 { vec![key.id] } else { self.tuple(key.id).map_err(odd)? };
                (hashers.clone(), keys, value.id)
            }
        };
        if keys.len() != parts.len() || hashers.len() != parts.len() {
            return Err(odd("another number of keys"));
        }
        for (key, part) in keys.iter().zip(parts) {
            self.measures(*key, *part).map_err(odd)?;
        }
        let known: Vec<StorageHasher> = parts.iter().map(|part| part.hasher()).collect();
        if found.prefix != pallet {
            return Err(odd("another prefix"));
        }
        if hashers != known {
            return Err(odd("another hasher"));
        }
        Ok(Entry::known((pallet, entry), parts, value))
    }

    /// The type of an entry's value, however the entry is keyed.
    fn value(&self, pallet: &'static str, entry: &'static str) -> Result<u32, Fault> {
        let found = self.pallets.iter().find(|p| p.name == pallet).ok_or(Fault::NoPallet { pallet })?;
        let (_, ty) = found.entries.iter().find(|(name, _)| name == entry).ok_or(Fault::NoEntry { pallet, entry })?;
        Ok(match ty {
            StorageEntryType::Plain(value) | StorageEntryType::Map { value, .. } => value.id,
        })
    }

    fn tuple(&self, id: u32) -> Result<Vec<u32>, &'static str> {
        match self.types.resolve(id).map(|ty| &ty.type_def) {
            Some(TypeDef::Tuple(tuple)) => Ok(tuple.fields.iter().map(|field| field.id).collect()),
            _ => Err("several hashers but not several keys"),
        }
    }

    fn measures(&self, key: u32, part: Part) -> Result<(), &'static str> {
        let bytes = part.size();
        let cost = Budget::new(&self.types).of(key)?;
        if cost.least == bytes && cost.most == Some(bytes) { Ok(()) } else { Err("a key of another size") }
    }
}
