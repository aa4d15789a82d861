//! The sandbox's node over its socket, with the clients that the console and others use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Credentials, HISTORY, KEPT_STATES, NETUID, OPERATOR_UID, SANDBOX_GENESIS, Sandbox,
    SandboxOptions, Scenario, hotkey,
};
use parity_scale_codec::{Decode, Encode};
use rstest::rstest;
use subxt::backend::LegacyBackend;
use subxt::dynamic::Value;
use subxt::utils::H256;
use subxt::{OnlineClient, SubstrateConfig};
use subxt_rpcs::client::rpc_params;
use subxt_rpcs::methods::legacy::StorageChangeSet;

pub use crate::support::pool::{by_hand, client};
use crate::support::pool::{next, rpc, with_uids};

/// Key prefix of the commitments of subnet 81, as FACTS has it.
fn commitments_prefix() -> Vec<u8> {
    let prefix = hex::decode("ca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf").unwrap();
    [prefix, NETUID.encode()].concat()
}

fn commitment_key(uid: u16) -> Vec<u8> {
    let hotkey = hotkey(uid);
    [commitments_prefix(), sp_crypto_hashing::twox_64(hotkey.as_bytes()).to_vec(), hotkey.as_bytes().to_vec()].concat()
}

#[tokio::test]
async fn the_chain_says_it_is_the_sandbox_and_has_a_genesis_of_its_own() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    assert_eq!(rpc.genesis_hash().await.unwrap().0, SANDBOX_GENESIS);
    assert_eq!(rpc.system_chain().await.unwrap(), "SANDBOX");
    let genesis = rpc.chain_get_header(Some(SANDBOX_GENESIS.into())).await.unwrap().unwrap();
    assert_eq!(sp_crypto_hashing::blake2_256(&genesis.encode()), SANDBOX_GENESIS);
}

#[tokio::test]
async fn a_block_hash_is_the_hash_of_the_header_that_subxt_decodes() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let best = rpc.chain_get_block_hash(None).await.unwrap().unwrap();
    let header = rpc.chain_get_header(Some(best)).await.unwrap().unwrap();
    assert_eq!(sp_crypto_hashing::blake2_256(&header.encode()), best.0);
    let parent = rpc.chain_get_block_hash(Some((header.number - 1).into())).await.unwrap().unwrap();
    assert_eq!(parent, header.parent_hash);
    let finalized = rpc.chain_get_finalized_head().await.unwrap();
    let finalized = rpc.chain_get_header(Some(finalized)).await.unwrap().unwrap();
    assert_eq!(finalized.number, header.number - 2);
}

#[tokio::test]
async fn a_stored_commitment_lies_where_the_real_chain_has_it_and_is_142_bytes() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let value = rpc.state_get_storage(&commitment_key(7), None).await.unwrap().unwrap();
    assert_eq!(value.len(), 142);
    let block = u32::decode(&mut &value[8..12]).unwrap();
    assert!(block > 0 && block < sandbox.best().number());
    assert_eq!(&value[12..14], &[0x04, 0x81]);
    assert_eq!(&value[14..], Credentials::of(7, 0).read_commitment().as_bytes());
}

#[tokio::test]
async fn metadata_is_served_as_versions_14_15_and_16() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let legacy = rpc.state_get_metadata(None).await.unwrap().to_frame_metadata().unwrap();
    assert!(matches!(legacy.1, RuntimeMetadata::V14(_)));
    let versions = rpc.state_call("Metadata_metadata_versions", None, None).await.unwrap();
    assert_eq!(Vec::<u32>::decode(&mut versions.as_slice()).unwrap(), [14, 15, 16]);
    for version in [14u32, 15, 16] {
        let answer = rpc.state_call("Metadata_metadata_at_version", Some(&version.encode()), None).await.unwrap();
        let opaque = Option::<Vec<u8>>::decode(&mut answer.as_slice()).unwrap().unwrap();
        let metadata = RuntimeMetadataPrefixed::decode(&mut opaque.as_slice()).unwrap();
        assert_eq!(metadata.1.version(), version);
        let usable = subxt::Metadata::try_from(metadata).unwrap();
        assert!(usable.pallet_by_name("Commitments").unwrap().storage().is_some());
        assert!(usable.pallet_by_name("Commitments").unwrap().call_variant_by_name("set_commitment").is_some());
    }
    let unknown = rpc.state_call("Metadata_metadata_at_version", Some(&99u32.encode()), None).await.unwrap();
    assert_eq!(unknown, [0]);
}

#[tokio::test]
async fn subxt_reads_every_commitment_dynamically() {
    let sandbox = by_hand("healthy").await;
    let backend = LegacyBackend::<SubstrateConfig>::builder().build(client(&sandbox).await);
    let api = OnlineClient::from_backend(Arc::new(backend)).await.unwrap();
    let at = api.at_current_block().await.unwrap();
    let address = subxt::dynamic::storage::<(u16, [u8; 32]), Value>("Commitments", "CommitmentOf");
    let mut found = BTreeSet::new();
    let mut entries = at.storage().iter(address, (NETUID,)).await.unwrap();
    while let Some(entry) = entries.next().await {
        let entry = entry.unwrap();
        entry.value().decode().unwrap();
        let (netuid, hotkey) = entry.key().unwrap().decode().unwrap();
        assert_eq!(netuid, NETUID);
        found.insert(Hotkey::from_bytes(hotkey));
    }
    let held: BTreeSet<_> = sandbox.commitments().unwrap().into_iter().map(|(hotkey, _)| hotkey).collect();
    assert!(held.len() > 60);
    assert_eq!(found, held);
}

#[tokio::test]
async fn subxt_decodes_the_events_of_a_block_with_a_commitment() {
    let sandbox = by_hand("healthy").await;
    sandbox.commit(7, CommitmentSpec::raw([b'a'; 128]));
    let block = sandbox.produce_block().await.unwrap();
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let events = api.at_block(block.number()).await.unwrap().events().fetch().await.unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|event| event.unwrap())
        .map(|event| format!("{}.{}", event.pallet_name(), event.event_name()))
        .collect();
    assert_eq!(names, ["System.ExtrinsicSuccess", "Commitments.Commitment"]);
}

#[tokio::test]
async fn a_commitment_writes_everything_the_pallet_writes_beside_it() {
    let sandbox = by_hand("healthy").await;
    sandbox.commit(7, CommitmentSpec::raw([b'a'; 128]));
    sandbox.commit(7, CommitmentSpec::raw(*b"short"));
    let block = sandbox.produce_block().await.unwrap();
    let rpc = rpc(&sandbox).await;
    let tail = &commitment_key(7)[32..];
    let beside = |entry: &str| {
        let prefix = [sp_crypto_hashing::twox_128(b"Commitments"), sp_crypto_hashing::twox_128(entry.as_bytes())];
        [prefix.concat(), tail.to_vec()].concat()
    };
    let last = rpc.state_get_storage(&beside("LastCommitment"), None).await.unwrap().unwrap();
    assert_eq!(u32::decode(&mut last.as_slice()).unwrap(), block.number());
    let used = rpc.state_get_storage(&beside("UsedSpaceOf"), None).await.unwrap().unwrap();
    assert_eq!(<(u64, u64)>::decode(&mut used.as_slice()).unwrap().1, 128 + 100);
}

#[tokio::test]
async fn keys_are_paged_in_order_and_without_gaps() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let prefix = commitments_prefix();
    let all = rpc.state_get_keys_paged(&prefix, 1000, None, None).await.unwrap();
    let mut paged: Vec<Vec<u8>> = Vec::new();
    loop {
        let start = paged.last().cloned();
        let page = rpc.state_get_keys_paged(&prefix, 7, start.as_deref(), None).await.unwrap();
        let last_page = page.len() < 7;
        paged.extend(page);
        if last_page {
            break;
        }
    }
    assert!(all.is_sorted());
    assert_eq!(paged, all);
    let refused = rpc.state_get_keys_paged(&prefix, 1001, None, None).await.unwrap_err();
    assert!(refused.to_string().contains("count exceeds maximum value"), "{refused}");
}

#[tokio::test]
async fn one_query_reads_values_and_absences_at_a_block() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let (present, absent) = (commitment_key(7), commitment_key(11));
    let sets = rpc.state_query_storage_at([present.as_slice(), absent.as_slice()], None).await.unwrap();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].block.0, sandbox.best().hash);
    let values: Vec<_> = sets[0].changes.iter().map(|(key, value)| (key.0.clone(), value.is_some())).collect();
    assert_eq!(values, [(present, true), (absent, false)]);
}

#[tokio::test]
async fn an_older_block_has_its_own_state_and_an_ancient_one_is_refused_as_real_nodes_do() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let before = sandbox.best();
    sandbox.commit(7, CommitmentSpec::raw(*b"new"));
    sandbox.produce_block().await.unwrap();
    let key = commitment_key(7);
    let old = rpc.state_get_storage(&key, Some(before.hash.into())).await.unwrap().unwrap();
    let new = rpc.state_get_storage(&key, None).await.unwrap().unwrap();
    assert_eq!((old.len(), new.len()), (142, 14 + 3));
    let ancient = before.number() - HISTORY + 1;
    assert!(ancient < sandbox.best().number() - KEPT_STATES);
    let ancient = rpc.chain_get_block_hash(Some(ancient.into())).await.unwrap().unwrap();
    assert!(rpc.chain_get_header(Some(ancient)).await.unwrap().is_some());
    let error = rpc.state_get_storage(&key, Some(ancient)).await.unwrap_err();
    let subxt_rpcs::Error::User(error) = error else { panic!("{error}") };
    assert_eq!(error.code, 4003);
    assert_eq!(error.message, format!("Client error: UnknownBlock: State already discarded for {ancient:?}"));
    let unknown = rpc.state_get_storage(&key, Some([7; 32].into())).await.unwrap_err();
    assert!(unknown.to_string().contains("Header was not found in the database"), "{unknown}");
}

#[tokio::test]
async fn a_storage_subscription_tells_the_values_and_then_each_change_at_the_next_block() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let keys = [commitment_key(7), commitment_key(11)].map(|key| format!("0x{}", hex::encode(key)));
    let mut changes = client
        .subscribe::<StorageChangeSet<H256>>("state_subscribeStorage", rpc_params![&keys], "state_unsubscribeStorage")
        .await
        .unwrap();
    let first = next(&mut changes).await;
    assert_eq!(first.changes.iter().map(|(_, value)| value.is_some()).collect::<Vec<_>>(), [true, false]);
    sandbox.commit(8, CommitmentSpec::raw(*b"somebody else"));
    sandbox.produce_block().await.unwrap();
    sandbox.commit(11, CommitmentSpec::raw(*b"at last"));
    let block = sandbox.produce_block().await.unwrap();
    let change = next(&mut changes).await;
    assert_eq!(change.block.0, block.hash);
    assert_eq!(change.changes.len(), 1);
    assert_eq!(change.changes[0].0.0, commitment_key(11));
    assert!(change.changes[0].1.as_ref().unwrap().ends_with(b"at last"));
}

#[tokio::test]
async fn head_subscriptions_tell_every_block_and_finality_two_behind() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let mut best = rpc.chain_subscribe_new_heads().await.unwrap();
    let mut finalized = rpc.chain_subscribe_finalized_heads().await.unwrap();
    let start = u64::from(sandbox.best().number());
    assert_eq!(next(&mut best).await.number, start);
    assert_eq!(next(&mut finalized).await.number, start - 2);
    for height in start + 1..start + 6 {
        sandbox.produce_block().await.unwrap();
        assert_eq!(next(&mut best).await.number, height);
        assert_eq!(next(&mut finalized).await.number, height - 2);
    }
}

#[tokio::test]
async fn blocks_come_by_themselves_and_chain_time_follows_the_clock() {
    let scenario = Scenario::named("healthy").unwrap();
    let block_time = BlockTime::Every(Duration::from_millis(100));
    let sandbox = Sandbox::start(SandboxOptions { block_time, ..SandboxOptions::new(scenario) }).await.unwrap();
    let rpc = rpc(&sandbox).await;
    let mut best = rpc.chain_subscribe_new_heads().await.unwrap();
    let first = next(&mut best).await.number;
    let third = loop {
        let head = next(&mut best).await.number;
        if head >= first + 3 {
            break head;
        }
    };
    let before = sandbox.finalized().timestamp_ms;
    assert!(u64::from(sandbox.best().number()) >= third && sandbox.best().timestamp_ms > before);
}

#[rstest]
#[case::newest("healthy", false)]
#[case::older("older-runtime", true)]
#[tokio::test]
async fn a_registration_gives_the_uid_away_and_on_older_runtimes_leaves_the_commitment_behind(
    #[case] scenario: &str,
    #[case] stays: bool,
) {
    let sandbox = by_hand(scenario).await;
    sandbox.register(7, hotkey(500));
    let block = sandbox.produce_block().await.unwrap();
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let at = api.at_block(block.number()).await.unwrap();
    let keys = subxt::dynamic::storage::<(u16, u16), [u8; 32]>("SubtensorModule", "Keys");
    let holder = at.storage().fetch(keys, (NETUID, 7)).await.unwrap().decode().unwrap();
    assert_eq!(holder, *hotkey(500).as_bytes());
    let uids = || subxt::dynamic::storage::<(u16, [u8; 32]), u16>("SubtensorModule", "Uids");
    let uid = at.storage().fetch(uids(), (NETUID, *hotkey(500).as_bytes())).await.unwrap().decode().unwrap();
    assert_eq!(uid, 7);
    assert!(at.storage().try_fetch(uids(), (NETUID, *hotkey(7).as_bytes())).await.unwrap().is_none());
    assert_eq!(sandbox.commitments().unwrap().iter().any(|(who, _)| *who == hotkey(7)), stays);
    // In the same block, with all that belongs to it.
    for entry in ["LastCommitment", "UsedSpaceOf"] {
        let entry = subxt::dynamic::storage::<(u16, [u8; 32]), ()>("Commitments", entry);
        let told = at.storage().try_fetch(entry, (NETUID, *hotkey(7).as_bytes())).await.unwrap();
        assert_eq!(told.is_some(), stays);
    }
}

#[tokio::test]
async fn a_subnet_that_does_not_exist_is_not_there() {
    let sandbox = by_hand("healthy").await;
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let at = api.at_current_block().await.unwrap();
    let added = || subxt::dynamic::storage::<(u16,), bool>("SubtensorModule", "NetworksAdded");
    for netuid in [0, 1, NETUID] {
        assert!(at.storage().fetch(added(), (netuid,)).await.unwrap().decode().unwrap());
    }
    assert!(at.storage().try_fetch(added(), (82,)).await.unwrap().is_none_or(|value| !value.decode().unwrap()));
}

#[tokio::test]
async fn every_method_answers_under_its_aliases_too() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let listed: serde_json::Value = client.request("rpc_methods", rpc_params![]).await.unwrap();
    let listed: BTreeSet<_> = listed["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in
        ["account_nextIndex", "state_getStorageAt", "chain_getFinalisedHead", "state_subscribeStorage", "rpc_methods"]
    {
        assert!(listed.contains(name), "{name} is missing");
    }
    let address = hotkey(OPERATOR_UID).to_string();
    let nonce: u32 = client.request("account_nextIndex", rpc_params![address]).await.unwrap();
    assert_eq!(nonce, 0);
    let head: H256 = client.request("chain_getHead", rpc_params![]).await.unwrap();
    assert_eq!(head.0, sandbox.best().hash);
    let many: Vec<Option<H256>> = client.request("chain_getBlockHash", rpc_params![[0, 1]]).await.unwrap();
    assert_eq!(many, [Some(SANDBOX_GENESIS.into()), None]);
}

#[tokio::test]
async fn the_subnet_holds_65536_uids() {
    let sandbox = with_uids("healthy", 65_536).await;
    let rpc = rpc(&sandbox).await;
    let prefix = commitments_prefix();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = rpc.state_get_keys_paged(&prefix, 1000, keys.last().map(Vec::as_slice), None).await.unwrap();
        if page.is_empty() {
            break;
        }
        keys.extend(page);
    }
    assert_eq!(keys.len(), sandbox.commitments().unwrap().len());
    assert!(keys.len() > 65_500);
    for some in keys.chunks(10_000) {
        let sets = rpc.state_query_storage_at(some.iter().map(Vec::as_slice), None).await.unwrap();
        assert!(sets[0].changes.iter().all(|(_, value)| value.is_some()));
    }
}

#[tokio::test]
async fn options_out_of_range_are_refused_with_what_to_do() {
    let healthy = || SandboxOptions::new(Scenario::named("healthy").unwrap());
    let no_uids = Sandbox::start(SandboxOptions { uids: 0, ..healthy() }).await.unwrap_err();
    assert_eq!(no_uids.to_string(), "a practice subnet has 1 to 65536 uids, not 0: choose a number within that range");
    let block_time = BlockTime::Every(Duration::from_millis(99));
    let too_fast = Sandbox::start(SandboxOptions { block_time, ..healthy() }).await.unwrap_err();
    assert!(too_fast.to_string().contains("choose 100ms or more"), "{too_fast}");
    let first = Sandbox::start(healthy()).await.unwrap();
    let port = first.url().rsplit(':').next().unwrap().parse().unwrap();
    let taken = Sandbox::start(SandboxOptions { port, ..healthy() }).await.unwrap_err();
    assert!(taken.to_string().contains("choose another port"), "{taken}");
}

#[tokio::test]
async fn hotkeys_and_keys_are_those_that_a_real_runtime_stored_for_the_same_uids() {
    let recorded = include_str!("../fixtures/subnet-81-spec-293.json");
    let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    let bytes = |text: &str| hex::decode(text.trim_start_matches("0x")).unwrap();
    for entry in ["SubtensorModule.Keys", "SubtensorModule.Uids", "SubtensorModule.Tempo"] {
        let stored = recorded["storage"][entry].as_object().unwrap();
        assert!(!stored.is_empty());
        for (key, value) in stored {
            let here = rpc.state_get_storage(&bytes(key), None).await.unwrap();
            assert_eq!(here, Some(bytes(value.as_str().unwrap())), "{entry} {key}");
        }
    }
}
