//! One reading of a subnet from the sandbox's node: what it costs and that it is whole.

use std::time::Duration;

use grail_console::chain::{Fault, MetadataStore};
use grail_console::domain::commitment::Reason;
use grail_console::domain::network::{BlockHash, Network};
use grail_console::domain::snapshot::{SubnetInfo, SubnetSnapshot, most_staked};
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Field, HashKind, RuntimeKind, SANDBOX_GENESIS, Sandbox, SandboxOptions, Scenario,
    Throttle, VALIDATORS, hotkey, owner_coldkey,
};
use parity_scale_codec::Encode;

use crate::chain_events::{blocks, memory, network, of, sandbox};
use crate::chain_lies::hasty;
use crate::support::chain::survey;

/// Long enough that requests which go out together are seen to.
const LATENCY: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_warm_reading_of_256_uids_takes_three_round_trips_and_at_most_eight_requests() {
    let sandbox = sandbox("healthy", 256).await;
    let (store, kept) = memory();
    survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
    assert_eq!(kept.lock().unwrap().len(), 1, "the metadata was kept");
    sandbox.faults().set_latency(LATENCY);
    sandbox.reset_meter();
    survey(&network(&[&sandbox]), 81, store, &hasty()).await.unwrap();
    let meter = sandbox.meter();
    assert!(meter.total() <= 8, "{:?}", meter.requests);
    assert_eq!(meter.round_trips, 3, "{:?}", meter.requests);
}

#[tokio::test]
async fn whose_subnet_it_is_comes_with_the_table_and_costs_no_round_trip() {
    let sandbox = sandbox("healthy", 256).await;
    let (store, _) = memory();
    survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
    sandbox.faults().set_latency(LATENCY);
    sandbox.reset_meter();
    let read = survey(&network(&[&sandbox]), 81, store, &hasty()).await.unwrap();
    let expected =
        SubnetInfo { name: Some("GRAIL".into()), owner: Some(owner_coldkey(81)), registered_at: Some(5_000_081) };
    assert_eq!(read.subnet, expected);
    let meter = sandbox.meter();
    assert_eq!((meter.round_trips, meter.requests.get("state_queryStorageAt")), (3, Some(&1)), "{:?}", meter.requests);
}

#[tokio::test]
async fn a_subnet_of_another_project_says_so_and_one_without_an_identity_says_nothing() {
    let named =
        |name: &str| Scenario::parse("named", &format!("description = \"\"\n[subnet]\nname = {name:?}")).unwrap();
    for (name, told) in [("Somebody else's", Some("Somebody else's".into())), ("", None)] {
        let sandbox = of(named(name), 8).await;
        let read = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
        assert_eq!(read.subnet.name, told, "{name}");
        assert_eq!(read.subnet.owner, Some(owner_coldkey(81)));
    }
    // Longer than the chain takes: no name, and the table all the same.
    let sandbox = of(named(&"x".repeat(257)), 8).await;
    let read = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    assert_eq!((read.subnet.name, read.members.len()), (None, 8));
}

#[tokio::test]
async fn a_cold_reading_takes_one_round_trip_more() {
    let sandbox = sandbox("healthy", 256).await;
    sandbox.faults().set_latency(LATENCY);
    survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let meter = sandbox.meter();
    assert_eq!(meter.round_trips, 4, "{:?}", meter.requests);
}

#[tokio::test]
async fn the_reading_is_of_one_finalized_block_and_has_every_uid_and_commitment() {
    let sandbox = sandbox("healthy", 256).await;
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let finalized = sandbox.finalized();
    assert_eq!(snapshot.at.hash, BlockHash(finalized.hash));
    assert_eq!(snapshot.at.number, u64::from(finalized.number()));
    assert_eq!(snapshot.at.timestamp_ms, finalized.timestamp_ms);
    let uids: Vec<u16> = snapshot.members.iter().map(|member| member.uid).collect();
    assert_eq!(uids, (0..256).collect::<Vec<u16>>());
    for member in &snapshot.members {
        assert_eq!(member.hotkey, hotkey(member.uid));
        assert_eq!(member.validator_permit, member.uid < VALIDATORS);
        assert!(member.registered_at.is_some());
    }
    let stakes: Vec<Option<u16>> = snapshot.members.iter().map(|member| member.stake).collect();
    assert_eq!(stakes[4..7], [Some(26_000), Some(u16::MAX), Some(24_000)], "in the same reading");
    assert_eq!(most_staked(&snapshot.members).map(|member| member.uid), Some(5));
    let stored = sandbox.commitments().unwrap();
    assert!(stored.iter().all(|(hotkey, _)| snapshot.commitments.contains_key(hotkey)));
    assert_eq!(snapshot.commitments.len(), stored.len());
    assert_eq!(snapshot.chain.genesis, BlockHash(SANDBOX_GENESIS));
    assert_eq!(snapshot.chain.network, "SANDBOX");
}

#[tokio::test]
async fn a_commitment_of_a_later_block_is_not_in_the_reading_until_it_is_final() {
    let sandbox = sandbox("healthy", 32).await;
    sandbox.commit(20, CommitmentSpec::raw(vec![b'z'; 100]));
    sandbox.produce_block().await.unwrap();
    let read = async || survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let reason = |snapshot: &SubnetSnapshot| snapshot.commitments[&hotkey(20)].unreadable().map(|u| u.reason);
    assert_eq!(reason(&read().await), None);
    sandbox.produce_block().await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(reason(&read().await), Some(Reason::WrongLength));
}

#[tokio::test]
async fn the_block_that_sets_new_code_is_read_with_the_old_one() {
    let sandbox = sandbox("healthy", 8).await;
    sandbox.commit(3, CommitmentSpec::Fields(vec![Field::BigRaw(vec![b'b'; 128])]));
    sandbox.produce_block().await.unwrap();
    sandbox.faults().upgrade_runtime();
    let mut read = Vec::new();
    let (store, _) = memory();
    for _ in 0..6 {
        sandbox.produce_block().await.unwrap();
        let snapshot = survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
        let variant = snapshot.commitments.get(&hotkey(3)).map(|commitment| commitment.variant.clone());
        read.push((snapshot.chain.spec_version, variant));
    }
    let variants: Vec<Option<&str>> = read.iter().map(|(_, variant)| variant.as_deref()).collect();
    assert_eq!(variants[1..], [Some("BigRaw"); 5], "{read:?}");
    assert_eq!(read[5].0, read[0].0 + 1);
}

/// Runtimes before the upgrade have no entry for it.
#[tokio::test]
async fn the_hotkey_that_took_an_ex_members_place_is_read_where_the_runtime_tells_it() {
    let text = "description = \"a test\"\n[[former_member]]\nindex = 0\nsuccessor = 3\n[[former_member]]\nindex = 1\n";
    let options = SandboxOptions::new(Scenario::parse("successors", text).unwrap().on(RuntimeKind::Older));
    let options = SandboxOptions { uids: 8, block_time: BlockTime::Manual, ..options };
    let sandbox = Sandbox::start(options).await.unwrap();
    let read = async || survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let before = read().await;
    assert_eq!((before.commitments.len(), before.successors.len()), (10, 0));
    sandbox.faults().upgrade_runtime();
    for _ in 0..6 {
        sandbox.produce_block().await.unwrap();
    }
    let after = read().await;
    let seated: Vec<_> = after.members.iter().map(|member| member.hotkey).collect();
    let successors: Vec<_> = after.successors.iter().collect();
    assert_eq!(successors.len(), 1, "of the other one nothing is told");
    assert!(!seated.contains(successors[0].0) && *successors[0].1 == hotkey(3), "{successors:?}");
}

#[tokio::test]
async fn successors_come_with_the_table_and_cost_no_round_trip() {
    for (left, told) in [("", 0), ("[[former_member]]\nindex = 0\nsuccessor = 3\n", 1)] {
        let scenario = Scenario::parse("successors", &format!("description = \"\"\n{left}")).unwrap();
        let sandbox = of(scenario, 8).await;
        let (store, _) = memory();
        survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
        sandbox.faults().set_latency(LATENCY);
        sandbox.reset_meter();
        let read = survey(&network(&[&sandbox]), 81, store, &hasty()).await.unwrap();
        let meter = sandbox.meter();
        assert_eq!((meter.round_trips, read.successors.len()), (3, told), "{:?}", meter.requests);
    }
}

#[tokio::test]
async fn damaged_metadata_in_the_cache_is_fetched_again_and_replaced() {
    let sandbox = sandbox("healthy", 8).await;
    let (store, kept) = memory();
    let whole = survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
    let sound = kept.lock().unwrap().clone();
    for bytes in kept.lock().unwrap().values_mut() {
        bytes.truncate(1_000);
    }
    let again = survey(&network(&[&sandbox]), 81, store, &hasty()).await.unwrap();
    assert_eq!(again.commitments, whole.commitments);
    assert_eq!(*kept.lock().unwrap(), sound);
}

#[tokio::test]
async fn a_subnet_that_does_not_exist_is_an_error_that_names_it() {
    let sandbox = sandbox("healthy", 8).await;
    let error = survey(&network(&[&sandbox]), 9_999, MetadataStore::none(), &hasty()).await.unwrap_err();
    assert_eq!(error.fault, Fault::NoSuchSubnet { netuid: 9_999 });
    assert_eq!(error.endpoint, sandbox.url());
}

#[tokio::test]
async fn an_endpoint_of_another_chain_is_passed_over_for_one_of_the_right_chain() {
    let (wrong, right) = (sandbox("healthy", 8).await, sandbox("healthy", 8).await);
    wrong.faults().set_wrong_genesis(true);
    let snapshot = survey(&network(&[&wrong, &right]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    assert_eq!(snapshot.chain.endpoint, right.url());
    let error = survey(&network(&[&wrong]), 81, MetadataStore::none(), &hasty()).await.unwrap_err();
    assert_eq!(error.fault.code(), "wrong_genesis");
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_for_the_next() {
    let (dead, alive) = (sandbox("healthy", 8).await, sandbox("healthy", 8).await);
    dead.faults().refuse_connections().await.unwrap();
    let snapshot = survey(&network(&[&dead, &alive]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    assert_eq!(snapshot.chain.endpoint, alive.url());
}

#[tokio::test]
async fn a_node_that_refuses_requests_as_too_many_is_told_apart_from_a_dead_one() {
    let sandbox = sandbox("healthy", 8).await;
    for throttle in [Throttle::Handshakes, Throttle::Requests] {
        sandbox.faults().throttle(Some(throttle));
        let error = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap_err();
        assert_eq!(error.fault.code(), "rate_limited", "{throttle:?}: {error}");
    }
}

#[tokio::test]
async fn every_odd_commitment_is_one_row_with_its_own_reason() {
    let sandbox = sandbox("healthy", 32).await;
    let fields = |field| CommitmentSpec::Fields(vec![field]);
    let blank = [vec![b' '; 32], vec![b'k'; 96]].concat();
    let odd = [
        (CommitmentSpec::Fields(Vec::new()), "no_field"),
        (fields(Field::None), "no_bytes"),
        (fields(Field::ResetBondsFlag), "no_bytes"),
        (fields(Field::Hash(HashKind::Keccak256, [7; 32])), "hash"),
        (fields(Field::Timelock { encrypted: vec![1; 96], round: 1_000 }), "timelock"),
        (CommitmentSpec::raw(vec![b'a'; 127]), "wrong_length"),
        (CommitmentSpec::raw(vec![0xff; 128]), "not_utf8"),
        (CommitmentSpec::raw(blank), "blank_part"),
        (CommitmentSpec::Stored(vec![1, 2, 3]), "undecodable"),
        (CommitmentSpec::Stored(vec![0; 20_000]), "undecodable"),
        (fields(Field::Unknown { index: 200, bytes: vec![7; 9] }), "unknown_variant"),
        (fields(Field::BigRaw(vec![b'b'; 128])), "readable"),
    ];
    for (uid, (spec, _)) in (0..).zip(&odd) {
        sandbox.commit(uid, spec.clone());
    }
    for _ in 0..3 {
        sandbox.produce_block().await.unwrap();
    }
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    for (uid, (spec, expected)) in (0..).zip(&odd) {
        let unreadable = snapshot.commitments[&hotkey(uid)].unreadable();
        assert_eq!(unreadable.map_or("readable", |u| u.reason.name()), *expected, "{spec:?}");
    }
}

#[tokio::test]
async fn what_does_not_decode_keeps_its_age_and_its_masked_bytes() {
    const SET_AT: u32 = 9_167_568;
    let sandbox = sandbox("healthy", 16).await;
    let stored = |info: &[u8]| CommitmentSpec::Stored([(0_u64, SET_AT).encode().as_slice(), info].concat());
    let keys = [b'k'; 128];
    let cut_off = [&[0x08, 0x81], keys.as_slice(), &[0x81, b'k']].concat();
    let unknown = [&[0x08, 0x81], keys.as_slice(), &[0xc8, 0xff]].concat();
    let before_the_block = CommitmentSpec::Stored(vec![7, 8, 9]);
    for (uid, spec) in [stored(&cut_off), stored(&unknown), before_the_block].into_iter().enumerate() {
        sandbox.commit(u16::try_from(uid).unwrap(), spec);
    }
    blocks(&sandbox, 3).await;
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let row = |uid| &snapshot.commitments[&hotkey(uid)];
    let shown = |uid| row(uid).dump.iter().collect::<Vec<Option<u8>>>();
    for (uid, info) in [(0, &cut_off), (1, &unknown)] {
        assert_eq!(row(uid).block, Some(u64::from(SET_AT)));
        assert_eq!(shown(uid)[..64], info[..64].iter().copied().map(Some).collect::<Vec<_>>());
        assert!(shown(uid)[64..130].iter().all(Option::is_none), "a key may stand there");
        assert_eq!(shown(uid).len(), info.len());
    }
    assert_eq!((row(2).block, shown(2)), (None, vec![Some(7), Some(8), Some(9)]));
    let reasons = [0, 1, 2].map(|uid| row(uid).unreadable().unwrap().reason);
    assert_eq!(reasons, [Reason::Undecodable, Reason::UnknownVariant, Reason::Undecodable]);
    assert_eq!(row(1).variant, "index 200");
}

#[tokio::test]
async fn the_hostile_scenario_has_rows_of_an_unknown_kind_and_rows_that_do_not_decode() {
    let sandbox = sandbox("hostile", 256).await;
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let reason = |uid| snapshot.commitments[&hotkey(uid)].unreadable().map(|unreadable| unreadable.reason);
    assert_eq!(reason(37), Some(Reason::UnknownVariant));
    for uid in [38, 39, 43] {
        assert_eq!(reason(uid), Some(Reason::Undecodable), "uid {uid}");
    }
    assert!(snapshot.commitments[&hotkey(38)].block.is_some(), "it is cut off after its block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subnet_of_65_536_uids_is_read_whole() {
    let sandbox = sandbox("healthy", 65_536).await;
    let mut options = hasty();
    options.limits.call = Duration::from_mins(2);
    options.survey = Duration::from_mins(5);
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &options).await.unwrap();
    assert_eq!(snapshot.members.len(), 65_536);
    assert_eq!(snapshot.members[65_535].uid, 65_535);
    assert_eq!(snapshot.commitments.len(), sandbox.commitments().unwrap().len());
}

#[tokio::test]
async fn nothing_that_is_configured_is_no_endpoint_to_try() {
    let network = Network { name: "nowhere".to_owned(), endpoints: Vec::new(), genesis: None };
    let error = survey(&network, 81, MetadataStore::none(), &hasty()).await.unwrap_err();
    assert!(error.to_string().contains("no endpoint is configured"), "{error}");
}
