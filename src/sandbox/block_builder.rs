//! A block in the making: what happens in it becomes storage writes and events.

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use scale_value::{Composite, Value as ScaleValue, ValueDef, Variant};

use super::accounts::NETUID;
use super::chain::StateAt;
use super::commitment::CommitmentSpec;
use super::extrinsic::Account;
use super::genesis_state::{CODE, EPOCHS_NOT_COUNTED, identity};
use super::metadata::{MetadataError, Runtime};
use super::state::{Key, Value};
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
    /// A hotkey takes a uid; who had it before leaves, and on older runtimes its commitment stays behind.
    Register {
        /// The uid that changes hands.
        uid: u16,
        /// Who gets it.
        hotkey: Hotkey,
    },
    /// The subnet's owner gives it another name.
    Rename {
        /// The name.
        name: String,
    },
    /// The next runtime's code is set.
    Upgrade,
}

/// What an extrinsic weighs here, in picoseconds of the runtime's reference machine. The real weights are not in the
/// metadata.
pub const SANDBOX_WEIGHT: u64 = 100_000_000;

/// A block in the making.
pub struct BlockBuilder<'a> {
    /// The state it is made on top of.
    state: StateAt<'a>,
    writes: BTreeMap<Key, Option<Value>>,
    events: Vec<ScaleValue>,
    /// The extrinsic that is being applied; none at the block's end.
    extrinsic: Option<u32>,
}

/// A finished draft: writes in key order.
pub type Writes = Vec<(Key, Option<Value>)>;

impl<'a> BlockBuilder<'a> {
    /// A block on top of a state.
    pub const fn new(state: StateAt<'a>) -> Self {
        Self { state, writes: BTreeMap::new(), events: Vec::new(), extrinsic: None }
    }

    /// Writes a SCALE-encoded value under its key parts.
    pub fn put(&mut self, pallet: &str, entry: &str, parts: &[&[u8]], value: Vec<u8>) -> Result<(), MetadataError> {
        let key = self.runtime().entry(pallet, entry)?.key(parts);
        self.write(key, Some(value));
        Ok(())
    }

    /// Writes a raw key.
    pub fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.writes.insert(key.into(), value.map(Into::into));
    }

    fn value(&self, key: &[u8]) -> Option<&Value> {
        match self.writes.get(key) {
            Some(written) => written.as_ref(),
            None => self.state.get(key),
        }
    }

    fn get<T: Decode>(&self, key: &[u8]) -> Option<T> {
        T::decode(&mut self.value(key)?.as_ref()).ok()
    }

    /// The runtime that executes the block.
    pub fn runtime(&self) -> &'a Runtime {
        self.state.runtime()
    }

    /// Its height.
    pub fn number(&self) -> u32 {
        self.state.block.number() + 1
    }

    /// Whatever happens from now on belongs to this extrinsic.
    pub const fn begin_extrinsic(&mut self, index: u32) {
        self.extrinsic = Some(index);
    }

    /// Whatever happens from now on belongs to the block's end: what acts do belongs to no extrinsic.
    pub const fn end_extrinsics(&mut self) {
        self.extrinsic = None;
    }

    /// Counts an extrinsic of an account, which has an entry from then on.
    pub fn use_nonce(&mut self, account: &Account) -> Result<(), MetadataError> {
        let entry = self.runtime().entry("System", "Account")?;
        let key = entry.key(&[account]);
        let mut info = self.value(&key).map_or_else(|| entry.default.to_vec(), |value| value.to_vec());
        let nonce = u32::decode(&mut info.as_slice()).unwrap_or_default().saturating_add(1).encode();
        // The nonce is the first field.
        info.splice(..nonce.len(), nonce);
        self.write(key, Some(info));
        Ok(())
    }

    /// Whether a hotkey has a uid on a subnet.
    pub fn is_registered(&self, netuid: u16, hotkey: &Account) -> Result<bool, MetadataError> {
        let uids = self.runtime().entry("SubtensorModule", "Uids")?;
        Ok(self.value(&uids.key(&[&netuid.encode(), hotkey])).is_some())
    }

    /// Bytes that a hotkey may commit per epoch.
    pub fn max_space(&self) -> Result<u64, MetadataError> {
        let entry = self.runtime().entry("Commitments", "MaxSpace")?;
        let stored = self.get::<u32>(&entry.key(&[]));
        Ok(stored.or_else(|| u32::decode(&mut &entry.default[..]).ok()).unwrap_or_default().into())
    }

    /// `UsedSpaceOf` of a hotkey after a commitment: the current epoch, and the bytes used in it.
    pub fn space_after(&self, hotkey: &Hotkey, spec: &CommitmentSpec) -> Result<(u64, u64), MetadataError> {
        let key = self.runtime().entry("Commitments", "UsedSpaceOf")?.key(&[&NETUID.encode(), hotkey.as_bytes()]);
        let epoch = self.epoch()?;
        let used = self.get::<(u64, u64)>(&key).filter(|(last, _)| *last == epoch).map_or(0, |(_, used)| used);
        Ok((epoch, used.saturating_add(spec.charged())))
    }

    /// Sets a commitment with everything the pallet writes beside it.
    pub fn commit(&mut self, hotkey: &Hotkey, spec: &CommitmentSpec) -> Result<(), MetadataError> {
        let space = self.space_after(hotkey, spec)?;
        self.store_commitment(hotkey, spec)?;
        let netuid = NETUID.encode();
        let parts: [&[u8]; 2] = [&netuid, hotkey.as_bytes()];
        self.put("Commitments", "LastCommitment", &parts, self.number().encode())?;
        self.put("Commitments", "UsedSpaceOf", &parts, space.encode())?;
        self.tell_of_commitment(hotkey);
        Ok(())
    }

    /// The commitment itself.
    pub fn store_commitment(&mut self, hotkey: &Hotkey, spec: &CommitmentSpec) -> Result<(), MetadataError> {
        let value = spec.encode(self.runtime(), self.number())?;
        self.put("Commitments", "CommitmentOf", &[&NETUID.encode(), hotkey.as_bytes()], value)
    }

    /// The event of a commitment.
    pub fn tell_of_commitment(&mut self, hotkey: &Hotkey) {
        let who = ScaleValue::from_bytes(hotkey.as_bytes());
        self.event("Commitments", "Commitment", vec![("netuid", ScaleValue::u128(NETUID.into())), ("who", who)]);
    }

    /// Moves the epoch index along, where the runtime keeps one.
    pub fn advance_epoch(&mut self) -> Result<(), MetadataError> {
        if self.runtime().entry("SubtensorModule", "SubnetEpochIndex").is_ok() {
            let epoch = self.epoch_by_block()?.saturating_sub(EPOCHS_NOT_COUNTED);
            if epoch != self.epoch()? {
                self.put("SubtensorModule", "SubnetEpochIndex", &[&NETUID.encode()], epoch.encode())?;
            }
        }
        Ok(())
    }

    /// The subnet's current epoch: the index where the runtime keeps one, else from block and tempo (FACTS 3).
    fn epoch(&self) -> Result<u64, MetadataError> {
        let netuid = NETUID.encode();
        if let Ok(entry) = self.runtime().entry("SubtensorModule", "SubnetEpochIndex") {
            return Ok(self.get(&entry.key(&[&netuid])).unwrap_or(0));
        }
        self.epoch_by_block()
    }

    fn epoch_by_block(&self) -> Result<u64, MetadataError> {
        let netuid = NETUID.encode();
        let tempo = self.get::<u16>(&self.runtime().entry("SubtensorModule", "Tempo")?.key(&[&netuid])).unwrap_or(360);
        Ok((u64::from(self.number()) + u64::from(NETUID) + 1) / (u64::from(tempo) + 1))
    }

    /// Gives the subnet another name.
    pub fn rename(&mut self, name: &str) -> Result<(), MetadataError> {
        self.put("SubtensorModule", "SubnetIdentitiesV3", &[&NETUID.encode()], identity(name))
    }

    /// Gives a uid to a hotkey.
    pub fn register(&mut self, uid: u16, hotkey: &Hotkey) -> Result<(), MetadataError> {
        let (netuid, uid_bytes) = (NETUID.encode(), uid.encode());
        let uids = self.runtime().entry("SubtensorModule", "Uids")?;
        let keys = self.runtime().entry("SubtensorModule", "Keys")?.key(&[&netuid, &uid_bytes]);
        if let Some(before) = self.get::<[u8; 32]>(&keys) {
            self.write(uids.key(&[&netuid, &before]), None);
            if self.runtime().is_new() && before != *hotkey.as_bytes() {
                self.purge(&before)?;
            }
        }
        self.write(keys, Some(hotkey.as_bytes().to_vec()));
        self.write(uids.key(&[&netuid, hotkey.as_bytes()]), Some(uid_bytes.clone()));
        let number = u64::from(self.number()).encode();
        self.put("SubtensorModule", "BlockAtRegistration", &[&netuid, &uid_bytes], number)?;
        let size = self.runtime().entry("SubtensorModule", "SubnetworkN")?.key(&[&netuid]);
        if uid >= self.get::<u16>(&size).unwrap_or(0) {
            self.write(size, Some(uid.saturating_add(1).encode()));
        }
        let fields = [NETUID, uid].map(|id| ScaleValue::u128(id.into())).into_iter();
        let fields = fields.chain([ScaleValue::from_bytes(hotkey.as_bytes())]).collect();
        self.record("SubtensorModule", "NeuronRegistered", Composite::Unnamed(fields));
        Ok(())
    }

    /// Removes all that a hotkey which lost its uid has committed.
    fn purge(&mut self, hotkey: &Account) -> Result<(), MetadataError> {
        for entry in ["CommitmentOf", "LastCommitment", "LastBondsReset", "RevealedCommitments", "UsedSpaceOf"] {
            let key = self.runtime().entry("Commitments", entry)?.key(&[&NETUID.encode(), hotkey]);
            if self.value(&key).is_some() {
                self.write(key, None);
            }
        }
        Ok(())
    }

    /// Whether an account may act for another one, as its proxy without delay.
    pub fn may_act_for(&self, delegate: &Account, real: &Account) -> Result<bool, MetadataError> {
        let proxies = self.runtime().entry("Proxy", "Proxies")?.key(&[real]);
        // Delegate, type, delay; then the deposit.
        let stored = self.get::<(Vec<(Account, u8, u32)>, u64)>(&proxies);
        Ok(stored.is_some_and(|(all, _)| all.iter().any(|(known, _, delay)| known == delegate && *delay == 0)))
    }

    /// What became of a call that an account made through its proxy.
    pub fn tell_of_proxied(&mut self, failure: Option<[u8; 2]>) {
        let result = match failure {
            None => ScaleValue::unnamed_variant("Ok", [ScaleValue::unnamed_composite([])]),
            Some(failure) => ScaleValue::unnamed_variant("Err", [module_error(failure)]),
        };
        self.event("Proxy", "ProxyExecuted", vec![("result", result)]);
    }

    /// Which call of a batch failed and ended it, and how.
    pub fn tell_of_interrupted(&mut self, index: u32, failure: [u8; 2]) {
        let fields = vec![("index", ScaleValue::u128(index.into())), ("error", module_error(failure))];
        self.event("Utility", "BatchInterrupted", fields);
    }

    /// That all calls of a batch were made.
    pub fn tell_of_batch(&mut self) {
        self.event("Utility", "BatchCompleted", Vec::new());
    }

    /// Adds an event with named fields.
    fn event(&mut self, pallet: &str, name: &str, fields: Vec<(&str, ScaleValue)>) {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.record(pallet, name, Composite::Named(fields));
    }

    /// The success of the timestamp inherent, which every block has.
    pub fn inherent_succeeded(&mut self) {
        self.event("System", "ExtrinsicSuccess", vec![("dispatch_info", dispatch_info(0, "Mandatory", "Yes"))]);
    }

    /// The success of the extrinsic at hand; nothing on the sandbox chain costs anything.
    pub fn extrinsic_succeeded(&mut self) {
        let info = dispatch_info(SANDBOX_WEIGHT, "Normal", "No");
        self.event("System", "ExtrinsicSuccess", vec![("dispatch_info", info)]);
    }

    /// The failure of the extrinsic at hand, by the index of a pallet and of its error.
    pub fn extrinsic_failed(&mut self, failure: [u8; 2]) {
        let error = module_error(failure);
        let info = dispatch_info(SANDBOX_WEIGHT, "Normal", "No");
        self.event("System", "ExtrinsicFailed", vec![("dispatch_error", error), ("dispatch_info", info)]);
    }

    /// The event that tells of new code.
    pub fn set_code(&mut self, code: Vec<u8>) {
        self.write(CODE.to_vec(), Some(code));
        self.event("System", "CodeUpdated", Vec::new());
    }

    fn record(&mut self, pallet: &str, name: &str, fields: Composite<()>) {
        let phase = match self.extrinsic {
            Some(index) => ScaleValue::unnamed_variant("ApplyExtrinsic", [ScaleValue::u128(index.into())]),
            None => ScaleValue::unnamed_variant("Finalization", []),
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
        let entry = self.runtime().entry("System", "Events")?;
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let events = ScaleValue::unnamed_composite(std::mem::take(&mut self.events));
        let mut bytes = Vec::new();
        scale_value::scale::encode_as_type(&events, entry.value_type, self.runtime().types(), &mut bytes)
            .map_err(|e| MetadataError::Unencodable { what: "System.Events".to_owned(), reason: e.to_string() })?;
        let key = entry.key(&[]);
        self.write(key, Some(bytes));
        self.put("System", "EventCount", &[], count.encode())?;
        Ok(self.writes.into_iter().collect())
    }
}

/// `DispatchError::Module`.
fn module_error([pallet, error]: [u8; 2]) -> ScaleValue {
    let module = ScaleValue::named_composite([
        ("index", ScaleValue::u128(pallet.into())),
        ("error", ScaleValue::from_bytes([error, 0, 0, 0])),
    ]);
    ScaleValue::unnamed_variant("Module", [module])
}

/// What an extrinsic weighs, its class, and whether it costs anything.
fn dispatch_info(ref_time: u64, class: &str, pays_fee: &str) -> ScaleValue {
    let weight = [("ref_time", ScaleValue::u128(ref_time.into())), ("proof_size", ScaleValue::u128(0))];
    ScaleValue::named_composite([
        ("weight", ScaleValue::named_composite(weight)),
        ("class", ScaleValue::unnamed_variant(class, [])),
        ("pays_fee", ScaleValue::unnamed_variant(pays_fee, [])),
    ])
}
