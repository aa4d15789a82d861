//! The state the sandbox subnet starts with.

use std::sync::Arc;

use parity_scale_codec::Encode;

use super::accounts::{
    NETUID, OPERATOR_UID, VALIDATORS, former_hotkey, hotkey, key_pair_of, ordinary_commitment, owner_coldkey,
};
use super::chain::{FINALITY_LAG, GenesisState, HISTORY, KEPT_STATES};
use super::commitment::CommitmentSpec;
use super::dispatch::{by_proxy, in_batch, set_commitment};
use super::extrinsic::sign;
use super::metadata::{Entry, MetadataError, Runtime, SUCCESSORS, storage_prefix};
use super::scenario::{Scenario, ScenarioError};
use crate::domain::hotkey::Hotkey;

/// Other subnets, so that "does not exist" is a real answer for every netuid but these and 81.
const OTHER_NETUIDS: [u16; 2] = [0, 1];
/// Epochs that had passed, by blocks and tempo, when runtimes began to count them: the index is another number than block and
/// tempo make.
pub const EPOCHS_NOT_COUNTED: u64 = 10_000;
/// Blocks per epoch, as on subnet 81.
const TEMPO: u16 = 360;
/// Bytes a hotkey may commit per epoch (the chain's default).
const MAX_SPACE: u32 = 3100;
/// Block at which subnet 0 was registered; each other one a block later.
const REGISTERED_AT: u32 = 5_000_000;
/// Where a runtime's code is, as on every Substrate chain.
pub const CODE: &[u8] = b":code";
/// Names of the subnets' tokens.
const TOKEN_SYMBOL: &str = "\u{3c4}";

/// Why there is no initial state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// The metadata lacks something.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The scenario asks for something impossible.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// The storage entries that are written once for every uid, looked up once.
struct PerUid<'a> {
    keys: Entry<'a>,
    uids: Entry<'a>,
    registered: Entry<'a>,
    commitment: Entry<'a>,
    last: Entry<'a>,
    used: Entry<'a>,
}

struct Builder<'a> {
    runtime: &'a Runtime,
    scenario: &'a Scenario,
    base: GenesisState,
}

/// The initial state for a scenario with so many uids (1 to 65,536).
pub fn build(runtime: &Runtime, scenario: &Scenario, uids: u32) -> Result<GenesisState, BaseError> {
    let base = GenesisState { unregistered: scenario.subnet.unregistered, ..GenesisState::default() };
    let mut builder = Builder { runtime, scenario, base };
    builder.chain_wide()?;
    for netuid in OTHER_NETUIDS {
        builder.subnet(netuid, 0)?;
    }
    builder.subnet(NETUID, uids)?;
    builder.members(uids)?;
    builder.operators_budget()?;
    builder.proxies()?;
    Ok(builder.base)
}

impl Builder<'_> {
    fn put(&mut self, pallet: &str, entry: &str, parts: &[&[u8]], value: Vec<u8>) -> Result<(), MetadataError> {
        let key = self.runtime.entry(pallet, entry)?.key(parts);
        self.write(0, key, value);
        Ok(())
    }

    fn write(&mut self, since: u32, key: Vec<u8>, value: Vec<u8>) {
        self.base.writes.push((since, key.into(), value.into()));
    }

    fn chain_wide(&mut self) -> Result<(), MetadataError> {
        let subnets = u16::try_from(OTHER_NETUIDS.len() + 1).unwrap_or(u16::MAX);
        self.put("Commitments", "MaxSpace", &[], MAX_SPACE.encode())?;
        self.put("System", "LastRuntimeUpgrade", &[], self.runtime.last_upgrade())?;
        self.write(0, CODE.to_vec(), self.runtime.code());
        self.put("SubtensorModule", "TotalNetworks", &[], subnets.encode())
    }

    fn subnet(&mut self, netuid: u16, uids: u32) -> Result<(), MetadataError> {
        let id = netuid.encode();
        // The chain counts uids in 16 bits: 65,536 of them show as 65,535.
        let count = u16::try_from(uids).unwrap_or(u16::MAX);
        let flags: Vec<bool> = (0..uids).map(|uid| uid < u32::from(VALIDATORS)).collect();
        let updated: Vec<u64> = (0..uids).map(|uid| u64::from(self.scenario.head.saturating_sub(uid % 300))).collect();
        let incentive: Vec<u16> = (0..uids).map(|uid| share(uid, u32::from(u16::MAX))).collect();
        let emission: Vec<u64> = incentive.iter().map(|share| u64::from(*share) * 10_000).collect();
        self.put("SubtensorModule", "NetworksAdded", &[&id], true.encode())?;
        self.put("SubtensorModule", "SubnetworkN", &[&id], count.encode())?;
        self.put("SubtensorModule", "MaxAllowedUids", &[&id], count.max(256).encode())?;
        self.put("SubtensorModule", "Tempo", &[&id], TEMPO.encode())?;
        self.put("SubtensorModule", "TokenSymbol", &[&id], TOKEN_SYMBOL.as_bytes().to_vec().encode())?;
        self.put("SubtensorModule", "ValidatorPermit", &[&id], flags.encode())?;
        self.put("SubtensorModule", "LastUpdate", &[&id], updated.encode())?;
        self.put("SubtensorModule", "Incentive", &[&id], incentive.encode())?;
        self.put("SubtensorModule", "Emission", &[&id], emission.encode())?;
        self.whose(netuid)?;
        if self.runtime.entry("SubtensorModule", "StakeWeight").is_ok() {
            let top = self.scenario.subnet.top_stake;
            let stakes: Vec<u16> = (0..uids).map(|uid| stake(uid, u32::from(top))).collect();
            self.put("SubtensorModule", "StakeWeight", &[&id], stakes.encode())?;
        }
        if self.runtime.entry("SubtensorModule", "SubnetEpochIndex").is_ok() {
            let epoch = self.epoch(self.scenario.head);
            self.put("SubtensorModule", "SubnetEpochIndex", &[&id], epoch.encode())?;
        }
        Ok(())
    }

    /// Name, owner and age of a subnet, where the runtime has them.
    fn whose(&mut self, netuid: u16) -> Result<(), MetadataError> {
        let (id, subnet) = (netuid.encode(), &self.scenario.subnet);
        let optional = [
            ("SubnetOwner", Some(owner_coldkey(netuid).as_bytes().to_vec())),
            ("SubnetOwnerHotkey", Some(hotkey(0).as_bytes().to_vec())),
            ("NetworkRegisteredAt", Some(u64::from(REGISTERED_AT + u32::from(netuid)).encode())),
            ("SubnetIdentitiesV3", (netuid == NETUID && !subnet.name.is_empty()).then(|| identity(&subnet.name))),
        ];
        for (entry, value) in optional {
            if let (Some(value), true) = (value, self.runtime.entry("SubtensorModule", entry).is_ok()) {
                self.put("SubtensorModule", entry, &[&id], value)?;
            }
        }
        Ok(())
    }

    fn members(&mut self, uids: u32) -> Result<(), BaseError> {
        let runtime = self.runtime;
        let entries = PerUid {
            keys: runtime.entry("SubtensorModule", "Keys")?,
            uids: runtime.entry("SubtensorModule", "Uids")?,
            registered: runtime.entry("SubtensorModule", "BlockAtRegistration")?,
            commitment: runtime.entry("Commitments", "CommitmentOf")?,
            last: runtime.entry("Commitments", "LastCommitment")?,
            used: runtime.entry("Commitments", "UsedSpaceOf")?,
        };
        for uid in (0..uids).map_while(|uid| u16::try_from(uid).ok()) {
            let hotkey = hotkey(uid);
            if uid == OPERATOR_UID && !self.scenario.operator.registered {
                self.in_the_operators_place(&entries)?;
            } else {
                self.member(&entries, uid, &hotkey);
            }
            if let Some((block, spec)) = self.commitment(uid)?
                && !self.commit_by_extrinsic(&hotkey, block, &spec)?
            {
                self.commit(&entries, &hotkey, block, &spec)?;
            }
        }
        for former in &self.scenario.former_members {
            let spec = CommitmentSpec::raw(ordinary_commitment(u16::MAX - former.index));
            let left = former_hotkey(former.index);
            self.commit(&entries, &left, self.ago(former.blocks_ago), &spec)?;
            if let Some(uid) = former.successor {
                // Keyed as `Uids` is; runtimes without the entry never look there.
                let place = entries.uids.key(&[&NETUID.encode(), left.as_bytes()]);
                let prefix = storage_prefix("SubtensorModule", SUCCESSORS);
                let key = [&prefix[..], place.get(prefix.len()..).unwrap_or_default()].concat();
                self.write(0, key, hotkey(uid).as_bytes().to_vec());
            }
        }
        Ok(())
    }

    /// What the operator has used of this epoch's space, where the scenario says it.
    fn operators_budget(&mut self) -> Result<(), MetadataError> {
        let Some(used) = self.scenario.operator.budget_used else { return Ok(()) };
        let space = (self.epoch(self.scenario.head), used).encode();
        self.put("Commitments", "UsedSpaceOf", &[&NETUID.encode(), hotkey(OPERATOR_UID).as_bytes()], space)
    }

    fn member(&mut self, entries: &PerUid<'_>, uid: u16, hotkey: &Hotkey) {
        let (netuid, id) = (NETUID.encode(), uid.encode());
        let special = self.scenario.subnet.registered.iter().find(|registered| registered.uid == uid);
        let blocks_ago = special.map_or(500_000 - u32::from(uid % 1000) * 11, |registered| registered.blocks_ago);
        let registered = u64::from(self.ago(blocks_ago));
        self.write(0, entries.keys.key(&[&netuid, &id]), hotkey.as_bytes().to_vec());
        self.write(0, entries.uids.key(&[&netuid, hotkey.as_bytes()]), id.clone());
        self.write(0, entries.registered.key(&[&netuid, &id]), registered.encode());
    }

    /// Somebody else has the operator's uid.
    fn in_the_operators_place(&mut self, entries: &PerUid<'_>) -> Result<(), MetadataError> {
        let somebody = former_hotkey(OPERATOR_UID);
        self.member(entries, OPERATOR_UID, &somebody);
        let spec = CommitmentSpec::raw(ordinary_commitment(u16::MAX - OPERATOR_UID));
        self.commit(entries, &somebody, self.ago(1_000), &spec)
    }

    /// What a uid has committed, and at which block.
    fn commitment(&self, uid: u16) -> Result<Option<(u32, CommitmentSpec)>, ScenarioError> {
        let ordinary_age = match self.scenario.subnet.recent_blocks {
            0 => 700 + u32::from(uid) * 7919 % 200_000,
            recent => FINALITY_LAG + u32::from(uid) % recent,
        };
        if let Some(odd) = self.scenario.commitments.iter().find(|odd| odd.uid == uid) {
            let block = self.ago(odd.blocks_ago.unwrap_or(ordinary_age));
            return Ok(Some((block, self.scenario.spec(odd)?)));
        }
        let block = self.ago(ordinary_age);
        if uid == OPERATOR_UID {
            return Ok(self.scenario.operator_commitment().map(|spec| (block, spec)));
        }
        if self.scenario.subnet.without_commitment.contains(&uid) {
            return Ok(None);
        }
        Ok(Some((block, CommitmentSpec::raw(ordinary_commitment(uid)))))
    }

    /// Lets a commitment of a block that exists be made by its extrinsic; tells whether it is.
    fn commit_by_extrinsic(
        &mut self,
        hotkey: &Hotkey,
        block: u32,
        spec: &CommitmentSpec,
    ) -> Result<bool, MetadataError> {
        let recent = self.scenario.subnet.recent_blocks > 0 && block + HISTORY > self.scenario.head + 1;
        let (CommitmentSpec::Fields(fields), true) = (spec, recent) else { return Ok(false) };
        let call = set_commitment(self.runtime, NETUID, fields)?;
        let subnet = &self.scenario.subnet;
        let proxy = subnet.proxies.iter().find(|proxy| self::hotkey(proxy.real) == *hotkey);
        let is_batched = subnet.batched.iter().any(|uid| self::hotkey(*uid) == *hotkey);
        let (sender, nonce, call) = match proxy {
            // It has committed for itself before.
            Some(proxy) => (self::hotkey(proxy.delegate), 1, by_proxy(self.runtime, hotkey.as_bytes(), &call)?),
            None if is_batched => (*hotkey, 0, in_batch(self.runtime, &[call])?),
            None => (*hotkey, 0, call),
        };
        let Some(pair) = key_pair_of(sender.as_bytes()) else { return Ok(false) };
        let signed = Arc::new(sign(self.runtime, &pair, nonce, &call));
        self.base.signed.entry(block).or_default().push(signed);
        Ok(true)
    }

    fn commit(
        &mut self,
        entries: &PerUid<'_>,
        hotkey: &Hotkey,
        block: u32,
        spec: &CommitmentSpec,
    ) -> Result<(), MetadataError> {
        let netuid = NETUID.encode();
        let parts: [&[u8]; 2] = [&netuid, hotkey.as_bytes()];
        // A commitment made within the kept states is visible from its block on, not before.
        let since = if block + KEPT_STATES > self.scenario.head { block } else { 0 };
        // The three maps hash their keys alike: what follows the prefix is the same.
        let key = entries.commitment.key(&parts);
        let beside = |entry: &Entry<'_>| [entry.prefix(), &key[32..]].concat();
        let (last, used) = (beside(&entries.last), beside(&entries.used));
        self.write(since, key, spec.encode(self.runtime, block)?);
        self.write(since, last, block.encode());
        self.write(since, used, (self.epoch(block), spec.charged()).encode());
        Ok(())
    }

    /// The epoch at a block: as the runtime counts them, or by blocks and tempo (FACTS 3).
    fn epoch(&self, block: u32) -> u64 {
        let by_block = (u64::from(block) + u64::from(NETUID) + 1) / (u64::from(TEMPO) + 1);
        let is_counted = self.runtime.entry("SubtensorModule", "SubnetEpochIndex").is_ok();
        if is_counted { by_block.saturating_sub(EPOCHS_NOT_COUNTED) } else { by_block }
    }

    /// Who may act for whom: proxies of every type, without delay.
    fn proxies(&mut self) -> Result<(), MetadataError> {
        const ANY: u8 = 0;
        for proxy in &self.scenario.subnet.proxies {
            let stored = (vec![(*hotkey(proxy.delegate).as_bytes(), ANY, 0_u32)], 0_u64).encode();
            self.put("Proxy", "Proxies", &[hotkey(proxy.real).as_bytes()], stored)?;
        }
        Ok(())
    }

    const fn ago(&self, blocks: u32) -> u32 {
        self.scenario.head.saturating_sub(blocks)
    }
}

/// A `SubnetIdentityV3`: the name, and seven texts which say that this is practice.
pub fn identity(name: &str) -> Vec<u8> {
    let texts = ["https://github.com/one-covenant/grail", "", "", "", "practice", "", ""];
    [name].iter().chain(&texts).flat_map(Encode::encode).collect()
}

/// Share of a miner in the subnet's incentive; validators have none.
fn share(uid: u32, whole: u32) -> u16 {
    if uid < u32::from(VALIDATORS) { 0 } else { u16::try_from(whole / (uid + 17)).unwrap_or(u16::MAX) }
}

/// Normalised stake of a uid: the most for one of them, who need be no validator, less for the validators, and little for others.
fn stake(uid: u32, top: u32) -> u16 {
    let validators = u32::from(VALIDATORS);
    let share = if uid < validators { 30_000 - uid * 1_000 } else { 10 };
    if uid == top { u16::MAX } else { u16::try_from(share).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use frame_metadata::v14::StorageEntryType;

    use super::*;

    /// The value type of the entry that a key belongs to.
    fn value_type(runtime: &Runtime, key: &[u8]) -> u32 {
        let pallets = ["System", "Timestamp", "Commitments", "SubtensorModule", "Proxy"]
            .map(|name| runtime.pallet(name).unwrap());
        let entries = pallets
            .iter()
            .flat_map(|pallet| pallet.storage.as_ref().unwrap().entries.iter().map(|entry| (&pallet.name, entry)));
        let (_, entry) = entries
            .into_iter()
            .find(|(pallet, entry)| key.starts_with(&crate::sandbox::metadata::storage_prefix(pallet, &entry.name)))
            .expect("a key of no entry");
        match &entry.ty {
            StorageEntryType::Plain(value) | StorageEntryType::Map { value, .. } => value.id,
        }
    }

    #[test]
    fn every_stored_value_is_exactly_of_its_metadata_type() {
        let runtimes = [Runtime::newest().unwrap(), Runtime::finney().unwrap()];
        for (name, runtime) in ["healthy", "drift", "legacy", "first-run", "proxied"]
            .iter()
            .flat_map(|name| runtimes.iter().map(move |runtime| (name, runtime)))
        {
            let base = build(runtime, &Scenario::named(name).unwrap(), 64).unwrap();
            assert!(base.writes.len() > 64 * 3);
            // The code stands beside what pallets store.
            for (_, key, value) in base.writes.iter().filter(|(_, key, _)| key.as_ref() != CODE) {
                let mut rest = value.as_ref();
                let id = value_type(runtime, key);
                scale_value::scale::decode_as_type(&mut rest, id, runtime.types()).unwrap();
                assert!(rest.is_empty(), "{} has {} bytes too many", hex::encode(key), rest.len());
            }
        }
    }

    #[test]
    fn commitments_that_scale_value_encodes_by_name_are_ours_byte_for_byte() {
        let runtime = Runtime::finney().unwrap();
        let base = build(&runtime, &Scenario::named("hostile").unwrap(), 36).unwrap();
        let prefix = *runtime.entry("Commitments", "CommitmentOf").unwrap().prefix();
        let id = runtime.entry("Commitments", "CommitmentOf").unwrap().value_type;
        let commitments = base.writes.iter().filter(|(_, key, _)| key.starts_with(&prefix)).collect::<Vec<_>>();
        assert!(commitments.len() > 30);
        for (_, _, value) in commitments {
            let decoded = scale_value::scale::decode_as_type(&mut value.as_ref(), id, runtime.types()).unwrap();
            let mut again = Vec::new();
            scale_value::scale::encode_as_type(&decoded, id, runtime.types(), &mut again).unwrap();
            assert_eq!(hex::encode(again), hex::encode(value));
        }
    }
}
