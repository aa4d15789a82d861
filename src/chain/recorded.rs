//! What a real runtime stored, read with real metadata.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use frame_metadata::v14::StorageHasher;
use frame_metadata::v16::StorageEntryType;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use parity_scale_codec::{Decode as _, Encode as _};
use proptest::prelude::*;
use sp_crypto_hashing::twox_128;

use super::decode;
use super::schema::Schema;
use super::table::{Delta, Keys, Table, Watch};
use crate::domain::commitment::{Commitment, Payload, Reason, Shape, Stored};
use crate::domain::hotkey::Hotkey;
use crate::domain::snapshot::SubnetInfo;

const METADATA: &[u8] = include_bytes!("../../assets/metadata/finney-spec-365.v16.scale");
const RECORDED: &str = include_str!("../../tests/fixtures/subnet-81-spec-293.json");
const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(Schema::of_metadata(METADATA).unwrap())))
}

/// Key and value of every recorded entry of the kinds that the console reads.
fn recorded() -> Vec<(Vec<u8>, Vec<u8>)> {
    let json: serde_json::Value = serde_json::from_str(RECORDED).unwrap();
    let bytes = |text: &str| hex::decode(text.trim_start_matches("0x")).unwrap();
    let entries = json["storage"].as_object().unwrap().values().flat_map(|entry| entry.as_object().unwrap());
    entries.map(|(key, value)| (bytes(key), bytes(value.as_str().unwrap()))).collect()
}

fn read_recorded() -> (Table, Delta) {
    let mut table = Table::new(schema(), 81, None);
    let all = recorded();
    let known: Vec<_> = all.iter().filter_map(|(k, v)| Some((table.keys.watch(k)?, Some(v.as_slice())))).collect();
    table.expect(known.iter().map(|(watch, _)| *watch));
    let delta = table.apply(known);
    (table, delta)
}

fn by_uid() -> BTreeMap<u16, Commitment> {
    let (_, delta) = read_recorded();
    let commitments: BTreeMap<Hotkey, Commitment> =
        delta.commitments.into_iter().map(|(hotkey, c)| (hotkey, c.unwrap())).collect();
    delta.members.iter().filter_map(|m| Some((m.uid, commitments.get(&m.hotkey)?.clone()))).collect()
}

#[test]
fn each_odd_row_of_a_real_runtime_decodes_to_the_state_it_was_made_for() {
    let rows = by_uid();
    let reason = |uid: u16| rows[&uid].unreadable().map(|unreadable| unreadable.reason);
    let expected = [
        (11, Reason::WrongLength),
        (12, Reason::WrongLength),
        (13, Reason::WrongLength),
        (14, Reason::NotUtf8),
        (18, Reason::NoBytes),
        (19, Reason::Hash),
        (20, Reason::Timelock),
        (22, Reason::WrongLength),
        (24, Reason::NoBytes),
        (25, Reason::NoField),
        (26, Reason::NoBytes),
    ];
    for (uid, wanted) in expected {
        assert_eq!(reason(uid), Some(wanted), "uid {uid}");
    }
    for (uid, row) in &rows {
        if expected.iter().all(|(odd, _)| odd != uid) {
            let published = row.published().unwrap_or_else(|| panic!("uid {uid}: {:?}", row.reading));
            let shape = if (15..=17).contains(uid) { Shape::Foreign } else { Shape::R2 };
            assert_eq!(published.shape, shape, "uid {uid}");
        }
    }
    assert!(!rows.contains_key(&3) && !rows.contains_key(&7), "uids 3 and 7 never committed");
}

#[test]
fn variants_and_field_counts_are_those_the_runtime_stored() {
    let rows = by_uid();
    let seen = |uid: u16| (rows[&uid].variant.clone(), rows[&uid].fields);
    assert_eq!(seen(0), ("Raw128".to_owned(), 1));
    assert_eq!(seen(13), ("Raw0".to_owned(), 1));
    assert_eq!(seen(19), ("BlakeTwo256".to_owned(), 1));
    assert_eq!(seen(21), ("Raw128".to_owned(), 2));
    assert_eq!(seen(22), ("Raw64".to_owned(), 2));
    assert_eq!(seen(23), ("BigRaw".to_owned(), 1));
    assert_eq!(seen(24), ("ResetBondsFlag".to_owned(), 1));
    assert_eq!(seen(26), ("None".to_owned(), 3));
}

#[test]
fn a_timelock_tells_its_length_and_its_round() {
    let (_, delta) = read_recorded();
    let hotkey = delta.members.iter().find(|member| member.uid == 20).unwrap().hotkey;
    let key = schema().commitment_key(81, &hotkey);
    let (_, value) = recorded().into_iter().find(|(k, _)| *k == key).unwrap();
    let Stored::Registration { fields, .. } = decode::stored(&schema(), &value) else { panic!("not decoded") };
    assert_eq!(fields, [Payload::Timelock { length: 96, reveal_round: 999_999_999 }]);
}

#[test]
fn members_know_their_registration_and_their_permit() {
    let (_, delta) = read_recorded();
    assert_eq!(delta.members.len(), 43);
    for member in &delta.members {
        assert_eq!(member.registered_at, Some(u64::from(member.uid % 2)), "uid {}", member.uid);
        assert_eq!(member.validator_permit, member.uid < 16, "uid {}", member.uid);
    }
}

#[test]
fn commitments_of_ex_members_are_kept_apart_by_their_hotkey() {
    let (_, delta) = read_recorded();
    let seated = |hotkey: &Hotkey| delta.members.iter().any(|member| member.hotkey == *hotkey);
    let ex_members = delta.commitments.iter().filter(|(hotkey, _)| !seated(hotkey)).count();
    assert_eq!((delta.commitments.len(), ex_members), (46, 5));
}

#[test]
fn storage_keys_are_those_of_the_known_vectors() {
    let schema = schema();
    let alice = Hotkey::from_bytes(hex::decode(ALICE).unwrap().try_into().unwrap());
    let commitment = "ca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf5100518366b5b1bc7c99";
    assert_eq!(hex::encode(schema.commitment_key(81, &alice)), format!("{commitment}{ALICE}"));
    let holder = schema.keys.key(&[&81_u16.to_le_bytes(), &0_u16.to_le_bytes()]);
    assert_eq!(hex::encode(holder), "658faa385070e074c85bf6b568cf05559f99a2ce711f3a31b2fc05604c93f17951000000");
    let now = "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb";
    assert_eq!(hex::encode(schema.now.key(&[])), now);
    let n = "658faa385070e074c85bf6b568cf0555a1048e9d244171852dfe8db314dc68ca5100";
    assert_eq!(hex::encode(schema.subnetwork_n.key(&[&81_u16.to_le_bytes()])), n);
}

#[test]
fn the_key_of_the_last_runtime_upgrade_is_that_of_its_names() {
    let key = [twox_128(b"System"), twox_128(b"LastRuntimeUpgrade")].concat();
    assert_eq!(super::table::LAST_RUNTIME_UPGRADE.as_slice(), key);
}

/// Metadata of the recorded runtime, one storage entry of it changed.
fn with_entry(pallet: &str, entry: &str, change: impl FnOnce(&mut String, &mut Vec<StorageHasher>)) -> Vec<u8> {
    let mut metadata = RuntimeMetadataPrefixed::decode(&mut &*METADATA).unwrap();
    let RuntimeMetadata::V16(v16) = &mut metadata.1 else { panic!("version 16") };
    let storage = v16.pallets.iter_mut().find(|found| found.name == pallet).unwrap().storage.as_mut().unwrap();
    let found = storage.entries.iter_mut().find(|found| found.name == entry).unwrap();
    let StorageEntryType::Map { hashers, .. } = &mut found.ty else { panic!("a map") };
    change(&mut storage.prefix, hashers);
    metadata.encode()
}

#[test]
fn metadata_that_leads_to_other_keys_is_refused_whatever_lies_under_them() {
    type Change = fn(&mut String, &mut Vec<StorageHasher>);
    let prefix: Change = |prefix, _| "Commitmentz".clone_into(prefix);
    let hasher: Change = |_, hashers| hashers[1] = StorageHasher::Blake2_128Concat;
    let exchanged: Change = |_, hashers| hashers.reverse();
    for (what, change) in [("a letter of the prefix", prefix), ("a hasher", hasher), ("hashers exchanged", exchanged)] {
        let fault = Schema::of_metadata(&with_entry("Commitments", "CommitmentOf", change)).unwrap_err();
        assert_eq!(fault.code(), "metadata", "{what}");
        assert!(!fault.is_about_the_chain(), "another endpoint is asked: {what}");
        assert!(fault.to_string().contains("Commitments.CommitmentOf"), "{fault}");
    }
    assert!(Schema::of_metadata(&with_entry("Commitments", "CommitmentOf", |_, _| {})).is_ok());
}

#[test]
fn whose_subnet_it_is_stays_untold_where_it_is_keyed_in_another_way_and_all_else_is_read() {
    let known = schema();
    assert!(known.identity.is_some() && known.owner.is_some() && known.network_registered_at.is_some());
    let other = with_entry("SubtensorModule", "SubnetIdentitiesV3", |_, hashers| hashers[0] = StorageHasher::Identity);
    let read = Schema::of_metadata(&other).unwrap();
    assert!(read.identity.is_none() && read.owner.is_some());
    assert!(read.unknown.is_empty(), "nobody needs it");
    let absent = without_entries(&["SubnetIdentitiesV3", "SubnetOwner", "NetworkRegisteredAt"]);
    let read = Arc::new(Schema::of_metadata(&absent).unwrap());
    let mut table = Table::new(read, 81, None);
    let whose = [Watch::Identity, Watch::Owner, Watch::NetworkRegistered];
    assert_eq!(table.expect(whose), [], "what the runtime does not have is not asked for");
    assert_eq!(table.subnet, SubnetInfo::default());
}

/// Metadata of the recorded runtime without some entries of `SubtensorModule`.
fn without_entries(names: &[&str]) -> Vec<u8> {
    let mut metadata = RuntimeMetadataPrefixed::decode(&mut &*METADATA).unwrap();
    let RuntimeMetadata::V16(v16) = &mut metadata.1 else { panic!("version 16") };
    let pallet = v16.pallets.iter_mut().find(|found| found.name == "SubtensorModule").unwrap();
    pallet.storage.as_mut().unwrap().entries.retain(|entry| !names.contains(&entry.name.as_str()));
    metadata.encode()
}

#[test]
fn the_known_vector_of_a_stored_value_decodes() {
    let mut value = hex::decode("000000000000000087d612000481").unwrap();
    value.extend([b'a'; 128]);
    assert_eq!(value.len(), 142);
    let expected = Stored::Registration {
        block: 1_234_567,
        deposit: 0,
        fields: vec![Payload::Bytes { variant: "Raw128".to_owned(), bytes: vec![b'a'; 128] }],
    };
    assert_eq!(decode::stored(&schema(), &value), expected);
}

#[test]
fn a_value_that_nobody_asked_for_is_ignored() {
    let (mut table, before) = read_recorded();
    let stranger = Hotkey::from_bytes([0x66; 32]);
    let delta = table.apply([(Watch::Commitment(stranger), Some([0_u8; 13].as_slice()))]);
    assert!(delta.is_empty() && !before.is_empty());
}

#[test]
fn every_watched_key_reads_back_as_what_it_was_made_from() {
    let keys = Keys::new(schema(), 81);
    let hotkey = Hotkey::from_bytes([7; 32]);
    for watch in [Watch::Size, Watch::Permits, Watch::Holder(515), Watch::Registered(9), Watch::Commitment(hotkey)] {
        assert_eq!(keys.watch(&keys.key(watch).unwrap()), Some(watch));
    }
    let elsewhere = Keys::new(schema(), 82).key(Watch::Holder(515)).unwrap();
    assert_eq!(keys.watch(&elsewhere), None, "another subnet's key is nobody's");
}

#[test]
fn a_value_that_is_what_it_was_is_no_change() {
    let (mut table, _) = read_recorded();
    let all = recorded();
    let again: Vec<_> = all.iter().filter_map(|(k, v)| Some((table.keys.watch(k)?, Some(v.as_slice())))).collect();
    let delta = table.apply(again);
    assert!(delta.is_empty() && delta.touched.is_empty());
}

#[test]
fn a_uid_that_changes_hands_brings_its_new_holder_and_asks_for_its_commitment() {
    let (mut table, _) = read_recorded();
    let newcomer = Hotkey::from_bytes([0x42; 32]);
    let registered = 77_u64.to_le_bytes();
    let changes =
        [(Watch::Holder(5), Some(newcomer.as_bytes().as_slice())), (Watch::Registered(5), Some(registered.as_slice()))];
    let delta = table.apply(changes);
    let [member] = delta.members.as_slice() else { panic!("one member, not {:?}", delta.members) };
    assert_eq!((member.uid, member.hotkey, member.registered_at), (5, newcomer, Some(77)));
    assert!(table.overlooked().contains(&Watch::Commitment(newcomer)));
}

#[test]
fn a_subnet_that_grows_asks_for_its_new_uids() {
    let (mut table, _) = read_recorded();
    let size = 257_u16.to_le_bytes();
    let delta = table.apply([(Watch::Size, Some(size.as_slice()))]);
    let overlooked = table.overlooked();
    assert!(overlooked.contains(&Watch::Holder(256)) && overlooked.contains(&Watch::Registered(256)));
    assert!(!delta.shrunk);
}

#[test]
fn a_uid_that_disappears_is_told_as_a_shrunk_subnet() {
    let (mut table, _) = read_recorded();
    assert!(table.apply([(Watch::Holder(5), None)]).shrunk);
}

#[test]
fn the_schema_keeps_a_few_hundred_types_of_the_runtimes_thousands() {
    let kept = schema().types.types.len();
    assert!((130..400).contains(&kept), "{kept}");
}

proptest! {
    #[test]
    fn any_bytes_in_a_commitments_place_are_one_row_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        match decode::stored(&schema(), &bytes) {
            Stored::Undecodable { length, .. } => prop_assert_eq!(length, bytes.len()),
            Stored::Registration { block, deposit, fields } => {
                prop_assert_eq!(&bytes[..12], &[&deposit.to_le_bytes()[..], &u32::try_from(block).unwrap().to_le_bytes()].concat()[..]);
                prop_assert!(fields.len() <= 64);
            }
        }
    }

    #[test]
    fn damaged_metadata_is_an_error_and_never_a_panic(at in 0..METADATA.len(), byte in any::<u8>()) {
        let mut damaged = METADATA.to_vec();
        damaged[at] = byte;
        if let Ok(schema) = Schema::of_metadata(&damaged) {
            let mut value = hex::decode("000000000000000087d612000481").unwrap();
            value.extend([b'a'; 128]);
            let _ = decode::stored(&schema, &value);
        }
    }
}
