//! A block in the making: what happens in it becomes storage writes and events.

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use scale_value::{Composite, Value as ScaleValue, ValueDef, Variant};

use super::commitment::CommitmentSpec;
use super::metadata::{MetadataError, Runtime};
use super::population::NETUID;
use super::state::{Key, Store, Value};
use crate::domain::hotkey::Hotkey;

/// Something that happens in a block.
#[derive(Debug, Clone)]
pub enum Act {
    /// A hotkey's commitment is set.
    Commit {
        /// Whose.
        hotkey: Hotkey,
        /// To what.
        spec: CommitmentSpec,
    },
    /// A hotkey takes a uid; who had it before leaves, and its commitment stays behind.
    Register {
        /// The uid that changes hands.
        uid: u16,
        /// Who gets it.
        hotkey: Hotkey,
    },
    /// The next runtime's code is set.
    Upgrade,
}

/// A block in the making.
pub struct Draft<'a> {
    runtime: &'a Runtime,
    store: &'a Store,
    /// Its height.
    number: u32,
    writes: BTreeMap<Key, Option<Value>>,
    events: Vec<ScaleValue>,
}

/// A finished draft: writes in key order.
pub type Writes = Vec<(Key, Option<Value>)>;

impl<'a> Draft<'a> {
    /// A block on top of the state at `number - 1`.
    pub fn new(runtime: &'a Runtime, store: &'a Store, number: u32) -> Self {
        Self { runtime, store, number, writes: BTreeMap::new(), events: Vec::new() }
    }

    /// Writes a SCALE-encoded value under its key parts.
    pub fn put(&mut self, pallet: &str, entry: &str, parts: &[&[u8]], value: Vec<u8>) -> Result<(), MetadataError> {
        let key = self.runtime.entry(pallet, entry)?.key(parts);
        self.write(key, Some(value));
        Ok(())
    }

    /// Writes a raw key.
    pub fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.writes.insert(key.into(), value.map(Into::into));
    }

    fn get<T: Decode>(&self, key: &[u8]) -> Option<T> {
        let value = match self.writes.get(key) {
            Some(written) => written.as_ref(),
            None => self.store.get(key, self.number - 1),
        };
        T::decode(&mut value?.as_ref()).ok()
    }

    /// Sets a commitment with everything the pallet writes beside it.
    pub fn commit(&mut self, hotkey: &Hotkey, spec: &CommitmentSpec) -> Result<(), MetadataError> {
        let netuid = NETUID.encode();
        let parts: [&[u8]; 2] = [&netuid, hotkey.as_bytes()];
        self.put("Commitments", "CommitmentOf", &parts, spec.encode(self.runtime, self.number)?)?;
        self.put("Commitments", "LastCommitment", &parts, self.number.encode())?;
        let epoch = self.epoch()?;
        let key = self.runtime.entry("Commitments", "UsedSpaceOf")?.key(&parts);
        let used = match self.get::<(u64, u64)>(&key) {
            Some((last, used)) if last == epoch => used,
            _ => 0,
        };
        self.write(key, Some((epoch, used + spec.charged()).encode()));
        let who = ScaleValue::from_bytes(hotkey.as_bytes());
        self.event("Commitments", "Commitment", vec![("netuid", ScaleValue::u128(NETUID.into())), ("who", who)]);
        Ok(())
    }

    /// The subnet's current epoch: the index where the runtime keeps one, else from block and tempo (FACTS 3).
    fn epoch(&self) -> Result<u64, MetadataError> {
        let netuid = NETUID.encode();
        if let Ok(entry) = self.runtime.entry("SubtensorModule", "SubnetEpochIndex") {
            return Ok(self.get(&entry.key(&[&netuid])).unwrap_or(0));
        }
        let tempo = self.get::<u16>(&self.runtime.entry("SubtensorModule", "Tempo")?.key(&[&netuid])).unwrap_or(360);
        Ok((u64::from(self.number) + u64::from(NETUID) + 1) / (u64::from(tempo) + 1))
    }

    /// Gives a uid to a hotkey.
    pub fn register(&mut self, uid: u16, hotkey: &Hotkey) -> Result<(), MetadataError> {
        let (netuid, uid_bytes) = (NETUID.encode(), uid.encode());
        let uids = self.runtime.entry("SubtensorModule", "Uids")?;
        let keys = self.runtime.entry("SubtensorModule", "Keys")?.key(&[&netuid, &uid_bytes]);
        if let Some(before) = self.get::<[u8; 32]>(&keys) {
            self.write(uids.key(&[&netuid, &before]), None);
        }
        self.write(keys, Some(hotkey.as_bytes().to_vec()));
        self.write(uids.key(&[&netuid, hotkey.as_bytes()]), Some(uid_bytes.clone()));
        let number = u64::from(self.number).encode();
        self.put("SubtensorModule", "BlockAtRegistration", &[&netuid, &uid_bytes], number)?;
        let size = self.runtime.entry("SubtensorModule", "SubnetworkN")?.key(&[&netuid]);
        if uid >= self.get::<u16>(&size).unwrap_or(0) {
            self.write(size, Some(uid.saturating_add(1).encode()));
        }
        let fields = [NETUID, uid].map(|id| ScaleValue::u128(id.into())).into_iter();
        let fields = fields.chain([ScaleValue::from_bytes(hotkey.as_bytes())]).collect();
        self.record("Finalization", "SubtensorModule", "NeuronRegistered", Composite::Unnamed(fields));
        Ok(())
    }

    /// Adds an event with named fields. The sandbox's acts have no extrinsic of their own yet, so their events belong to
    /// the block's end.
    fn event(&mut self, pallet: &str, name: &str, fields: Vec<(&str, ScaleValue)>) {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.record("Finalization", pallet, name, Composite::Named(fields));
    }

    /// The success of the timestamp inherent, which every block has.
    pub fn inherent_succeeded(&mut self) {
        let weight =
            ScaleValue::named_composite([("ref_time", ScaleValue::u128(0)), ("proof_size", ScaleValue::u128(0))]);
        let info = ScaleValue::named_composite([
            ("weight", weight),
            ("class", ScaleValue::unnamed_variant("Mandatory", [])),
            ("pays_fee", ScaleValue::unnamed_variant("Yes", [])),
        ]);
        let fields = Composite::Named(vec![("dispatch_info".to_owned(), info)]);
        self.record("ApplyExtrinsic", "System", "ExtrinsicSuccess", fields);
    }

    /// The event that tells of new code.
    pub fn code_updated(&mut self) {
        self.event("System", "CodeUpdated", Vec::new());
    }

    fn record(&mut self, phase: &str, pallet: &str, name: &str, fields: Composite<()>) {
        let phase = match phase {
            "ApplyExtrinsic" => ScaleValue::unnamed_variant(phase, [ScaleValue::u128(0)]),
            _ => ScaleValue::unnamed_variant(phase, []),
        };
        let event =
            ScaleValue { value: ValueDef::Variant(Variant { name: name.to_owned(), values: fields }), context: () };
        self.events.push(ScaleValue::named_composite([
            ("phase", phase),
            ("event", ScaleValue::unnamed_variant(pallet, [event])),
            ("topics", ScaleValue::unnamed_composite([])),
        ]));
    }

    /// Writes the events and hands everything over.
    pub fn finish(mut self) -> Result<Writes, MetadataError> {
        let entry = self.runtime.entry("System", "Events")?;
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let events = ScaleValue::unnamed_composite(std::mem::take(&mut self.events));
        let mut bytes = Vec::new();
        scale_value::scale::encode_as_type(&events, entry.value_type, self.runtime.types(), &mut bytes)
            .map_err(|e| MetadataError::Unencodable { what: "System.Events".to_owned(), reason: e.to_string() })?;
        let key = entry.key(&[]);
        self.write(key, Some(bytes));
        self.put("System", "EventCount", &[], count.encode())?;
        Ok(self.writes.into_iter().collect())
    }
}
