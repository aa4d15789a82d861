//! Everything that can go wrong with the sandbox's node does so over the socket, and meters see it.

use std::future::Future;
use std::time::Duration;

use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Field, SANDBOX_GENESIS, Sandbox, SandboxOptions, Scenario, Stall, Throttle, hotkey,
};
use parity_scale_codec::{Decode, Encode};
use subxt::utils::H256;
use subxt_rpcs::client::{RpcClient, rpc_params};

use crate::support::pool::{by_hand, client, next, rpc};

/// Nothing here takes this long unless it hangs.
const HANGS: Duration = Duration::from_mins(1);

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANGS, what).await.expect("nothing happened")
}

async fn head(client: &RpcClient) -> Result<H256, subxt_rpcs::Error> {
    client.request("chain_getBlockHash", rpc_params![]).await
}

#[tokio::test]
async fn dropped_connections_are_gone_and_the_next_one_works() {
    let sandbox = by_hand("healthy").await;
    let before = client(&sandbox).await;
    head(&before).await.unwrap();
    sandbox.faults().drop_connections().await.unwrap();
    assert!(within(head(&before)).await.is_err());
    head(&client(&sandbox).await).await.unwrap();
}

#[tokio::test]
async fn a_killed_node_refuses_connections_until_it_is_restarted_on_its_port() {
    let sandbox = by_hand("healthy").await;
    let before = client(&sandbox).await;
    sandbox.faults().refuse_connections().await.unwrap();
    assert!(within(head(&before)).await.is_err());
    let address = sandbox.url().trim_start_matches("ws://");
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    sandbox.faults().accept_connections().await.unwrap();
    head(&client(&sandbox).await).await.unwrap();
}

#[tokio::test]
async fn a_stalled_connection_is_silent_and_open_and_delivers_when_the_stall_ends() {
    let sandbox = by_hand("healthy").await;
    let stalled = client(&sandbox).await;
    let subscriber = rpc(&sandbox).await;
    let mut heads = subscriber.chain_subscribe_new_heads().await.unwrap();
    let first = next(&mut heads).await.number;
    sandbox.faults().stall(Stall::Established).await.unwrap();
    let mut request = Box::pin(head(&stalled));
    assert!(futures::poll!(request.as_mut()).is_pending());
    let fresh = client(&sandbox).await;
    let best = sandbox.produce_block().await.unwrap();
    // A new connection has a whole conversation while the stalled ones have none.
    assert_eq!(head(&fresh).await.unwrap().0, best.hash);
    let mut news = Box::pin(next(&mut heads));
    assert!(futures::poll!(request.as_mut()).is_pending());
    assert!(futures::poll!(news.as_mut()).is_pending());
    sandbox.faults().unstall().await.unwrap();
    assert_eq!(within(request).await.unwrap().0, best.hash);
    assert_eq!(news.await.number, first + 1);
}

#[tokio::test]
async fn when_everything_stalls_a_new_connection_gets_no_handshake_either() {
    let sandbox = by_hand("healthy").await;
    sandbox.faults().stall(Stall::Everything).await.unwrap();
    let url = sandbox.url().to_owned();
    let mut handshake = Box::pin(RpcClient::from_url(url));
    // Accepted by TCP, and the meter has it; but the handshake does not complete.
    while sandbox.meter().connections == 0 {
        assert!(futures::poll!(handshake.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    assert!(futures::poll!(handshake.as_mut()).is_pending());
    assert_eq!(sandbox.meter().bytes_in, 0);
    sandbox.faults().unstall().await.unwrap();
    head(&within(handshake).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn too_many_requests_refuse_the_handshake_with_429() {
    let sandbox = by_hand("healthy").await;
    sandbox.faults().throttle(Some(Throttle::Handshakes));
    let error = RpcClient::from_url(sandbox.url()).await.unwrap_err();
    assert!(format!("{error:?}").contains("429"), "{error:?}");
    sandbox.faults().throttle(None);
    head(&client(&sandbox).await).await.unwrap();
}

#[tokio::test]
async fn too_many_requests_within_a_session_are_an_error_that_says_so() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().throttle(Some(Throttle::Requests));
    let subxt_rpcs::Error::User(error) = head(&client).await.unwrap_err() else { panic!("not an answer") };
    assert_eq!((error.code, error.message.as_str()), (-32_005, "Too many requests"));
    sandbox.faults().recover().await.unwrap();
    head(&client).await.unwrap();
}

#[tokio::test]
async fn a_stale_head_stands_still_until_recovery() {
    let sandbox = by_hand("healthy").await;
    let before = sandbox.best();
    sandbox.faults().set_stale_head(true);
    assert_eq!(sandbox.produce_block().await.unwrap().hash, before.hash);
    let client = client(&sandbox).await;
    assert_eq!(head(&client).await.unwrap().0, before.hash);
    sandbox.faults().recover().await.unwrap();
    assert_eq!(sandbox.produce_block().await.unwrap().number(), before.number() + 1);
}

#[tokio::test]
async fn a_wrong_genesis_is_another_chain_s() {
    let sandbox = by_hand("healthy").await;
    let rpc = rpc(&sandbox).await;
    sandbox.faults().set_wrong_genesis(true);
    assert_ne!(rpc.genesis_hash().await.unwrap().0, SANDBOX_GENESIS);
    sandbox.faults().set_wrong_genesis(false);
    assert_eq!(rpc.genesis_hash().await.unwrap().0, SANDBOX_GENESIS);
}

async fn big_raw_index(sandbox: &Sandbox, at: H256) -> u8 {
    let rpc = rpc(sandbox).await;
    let answer = rpc.state_call("Metadata_metadata_at_version", Some(&16u32.encode()), Some(at)).await.unwrap();
    let opaque = Option::<Vec<u8>>::decode(&mut answer.as_slice()).unwrap().unwrap();
    let RuntimeMetadata::V16(metadata) = RuntimeMetadataPrefixed::decode(&mut opaque.as_slice()).unwrap().1 else {
        panic!("not version 16")
    };
    let variants = metadata.types.types.iter().filter_map(|found| match &found.ty.type_def {
        scale_info::TypeDef::Variant(def) => Some(&def.variants),
        _ => None,
    });
    variants.flatten().find(|variant| variant.name == "BigRaw").unwrap().index
}

fn first_byte_of_field(sandbox: &Sandbox, uid: u16) -> u8 {
    let held = sandbox.commitments().unwrap();
    held.iter().find(|(who, _)| *who == hotkey(uid)).map(|(_, value)| value[13]).unwrap()
}

#[tokio::test]
async fn a_runtime_upgrade_changes_version_metadata_and_then_the_storage_of_what_moved() {
    let sandbox = by_hand("older-runtime").await;
    sandbox.commit(7, CommitmentSpec::Fields(vec![Field::BigRaw(b"moves".to_vec())]));
    let before = sandbox.produce_block().await.unwrap();
    let rpc = rpc(&sandbox).await;
    let mut versions = rpc.state_subscribe_runtime_version().await.unwrap();
    assert_eq!(next(&mut versions).await.spec_version, 365);
    sandbox.faults().upgrade_runtime();
    let upgrade = sandbox.produce_block().await.unwrap();
    assert_eq!(next(&mut versions).await.spec_version, 475);
    assert_eq!(rpc.state_get_runtime_version(Some(before.hash.into())).await.unwrap().spec_version, 365);
    assert_eq!(rpc.state_get_runtime_version(Some(upgrade.hash.into())).await.unwrap().spec_version, 475);
    let (old, new) =
        (big_raw_index(&sandbox, before.hash.into()).await, big_raw_index(&sandbox, upgrade.hash.into()).await);
    assert_eq!((old, new), (136, 137));
    assert_eq!(first_byte_of_field(&sandbox, 7), old);
    sandbox.commit(8, CommitmentSpec::Fields(vec![Field::TimelockRevealFailed { round: 1 }]));
    sandbox.produce_block().await.unwrap();
    assert_eq!(first_byte_of_field(&sandbox, 7), new);
    assert_eq!(first_byte_of_field(&sandbox, 8), 135);
}

#[tokio::test]
async fn a_commitment_that_the_runtime_cannot_say_stops_no_block() {
    let sandbox = by_hand("older-runtime").await;
    sandbox.commit(8, CommitmentSpec::Fields(vec![Field::TimelockRevealFailed { round: 1 }]));
    let before = sandbox.best().number();
    assert!(sandbox.produce_block().await.is_err());
    assert_eq!(sandbox.produce_block().await.unwrap().number(), before + 1);
}

#[tokio::test]
async fn the_meter_counts_requests_by_method_and_only_sequential_round_trips() {
    let scenario = Scenario::named("healthy").unwrap();
    let latency = Duration::from_millis(50);
    let options = SandboxOptions { latency, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client(&sandbox).await;
    let before = sandbox.meter();
    assert_eq!((before.total(), before.connections), (0, 1));
    let (one, two, three) = tokio::join!(head(&client), head(&client), head(&client));
    one.and(two).and(three).unwrap();
    let chain: String = client.request("system_chain", rpc_params![]).await.unwrap();
    assert_eq!(chain, "SANDBOX");
    let reading = sandbox.meter();
    assert_eq!(reading.round_trips, 2);
    assert_eq!(reading.requests["chain_getBlockHash"], 3);
    assert_eq!((reading.requests["system_chain"], reading.total()), (1, 4));
    assert!(reading.bytes_in > before.bytes_in && reading.bytes_out > before.bytes_out);
    sandbox.reset_meter();
    assert_eq!(sandbox.meter().total(), 0);
}

#[tokio::test]
async fn a_scripted_outage_runs_by_block_time_and_ends_even_when_the_head_stood_still() {
    let text = r#"
        description = "a stale head that recovers by script, and a commitment"
        [[event]]
        after_blocks = 2
        do = "stale_head"
        [[event]]
        after_blocks = 4
        do = "recover"
        [[event]]
        after_blocks = 5
        do = "commit"
        uid = 7
        fields = [{ raw = { text = "scripted" } }]
    "#;
    let scenario = Scenario::parse("scripted", text).unwrap();
    let options = SandboxOptions { block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let start = sandbox.best().number();
    let mut heights = Vec::new();
    for _ in 0..5 {
        heights.push(sandbox.produce_block().await.unwrap().number() - start);
    }
    assert_eq!(heights, [1, 1, 1, 2, 3]);
    assert!(sandbox.commitments().unwrap().iter().any(|(_, value)| value.ends_with(b"scripted")));
}

#[tokio::test]
async fn a_scenario_may_begin_with_a_node_that_refuses_connections() {
    let text = "description = \"down from the start\"\n[[event]]\nafter_blocks = 0\ndo = \"refuse\"";
    let options = SandboxOptions::new(Scenario::parse("down", text).unwrap());
    let options = SandboxOptions { block_time: BlockTime::Manual, ..options };
    let sandbox = within(Sandbox::start(options)).await.unwrap();
    let address = sandbox.url().trim_start_matches("ws://");
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    sandbox.faults().recover().await.unwrap();
    head(&client(&sandbox).await).await.unwrap();
}

#[tokio::test]
async fn the_outage_scenario_plays_to_its_end_and_leaves_a_working_node() {
    let sandbox = by_hand("outage").await;
    for _ in 0..60 {
        sandbox.produce_block().await.unwrap();
    }
    let rpc = rpc(&sandbox).await;
    assert_eq!(rpc.genesis_hash().await.unwrap().0, SANDBOX_GENESIS);
    assert_eq!(rpc.state_get_runtime_version(None).await.unwrap().spec_version, 475);
    assert!(sandbox.meter().connections >= 1);
}

/// A free port below those that the system gives away by itself: once closed, no other test gets it.
fn own_port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, *port)).is_ok();
    (20_000..32_000).find(free).unwrap()
}

#[tokio::test]
async fn a_dropped_sandbox_closes_its_port_and_removes_its_files() {
    let scenario = Scenario::named("healthy").unwrap();
    let options =
        SandboxOptions { uids: 4, block_time: BlockTime::Manual, port: own_port(), ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client(&sandbox).await;
    let folder = sandbox.operator().unwrap().folder().to_owned();
    let address = sandbox.url().trim_start_matches("ws://").to_owned();
    assert!(folder.exists());
    sandbox.shutdown().await;
    assert!(!folder.exists());
    assert!(within(head(&client)).await.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
