//! The sandbox's node over its socket, with the clients that the console and others use.

use std::sync::Arc;

use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Credentials, HISTORY, KEPT_STATES, NETUID, OPERATOR_UID, SANDBOX_GENESIS, Sandbox,
    SandboxOptions, Scenario, hotkey,
};
use parity_scale_codec::{Decode, Encode};
use subxt::backend::LegacyBackend;
use subxt::config::RpcConfigFor;
use subxt::{OnlineClient, SubstrateConfig};
use subxt_rpcs::client::{RpcClient, rpc_params};
use subxt_rpcs::methods::LegacyRpcMethods;

type Rpc = LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>;

/// A sandbox whose blocks are made by hand.
pub async fn by_hand(scenario: &str) -> Sandbox {
    with_uids(scenario, 64).await
}

pub async fn with_uids(scenario: &str, uids: u32) -> Sandbox {
    let scenario = Scenario::named(scenario).unwrap();
    let options = SandboxOptions { uids, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    Sandbox::start(options).await.unwrap()
}

pub async fn client(sandbox: &Sandbox) -> RpcClient {
    RpcClient::from_url(sandbox.url()).await.unwrap()
}

pub async fn rpc(sandbox: &Sandbox) -> Rpc {
    LegacyRpcMethods::new(client(sandbox).await)
}

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
    let rpc_client = client(&sandbox).await;
    let backend = LegacyBackend::<SubstrateConfig>::builder().build(rpc_client);
    let api = OnlineClient::from_backend(Arc::new(backend)).await.unwrap();
    let _ = api;
}
