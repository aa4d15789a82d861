//! A practice node asked over its socket, extrinsics handed to its pool, and what became of them.

use std::time::Duration;

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{Block, BlockTime, OPERATOR_UID, Sandbox, SandboxOptions, Scenario, hotkey};
use serde_json::{Value as Json, json};
use subxt::config::RpcConfigFor;
use subxt::{OnlineClient, SubstrateConfig};
use subxt_rpcs::client::{RpcClient, RpcSubscription, rpc_params};
use subxt_rpcs::methods::LegacyRpcMethods;

use super::encoder::{Offer, hex};

/// Two contents of a commitment.
pub const CONTENT: &[u8; 128] = &[b'a'; 128];
pub const OTHER: &[u8; 128] = &[b'b'; 128];

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

/// The next item of a subscription; a generous deadline keeps a silent node from hanging the tests.
pub async fn next<T: serde::de::DeserializeOwned>(subscription: &mut RpcSubscription<T>) -> T {
    let item = tokio::time::timeout(Duration::from_mins(1), subscription.next()).await;
    item.expect("the subscription stayed silent").expect("the subscription ended").unwrap()
}

/// Code, message and data of a refusal.
pub type Refusal = (i32, String, Option<Json>);

pub async fn submit(client: &RpcClient, extrinsic: &[u8]) -> Result<String, Refusal> {
    client.request("author_submitExtrinsic", rpc_params![hex(extrinsic)]).await.map_err(refusal)
}

pub async fn watch(client: &RpcClient, extrinsic: &[u8]) -> Result<RpcSubscription<Json>, Refusal> {
    let parameters = rpc_params![hex(extrinsic)];
    client.subscribe("author_submitAndWatchExtrinsic", parameters, "author_unwatchExtrinsic").await.map_err(refusal)
}

fn refusal(error: subxt_rpcs::Error) -> Refusal {
    let subxt_rpcs::Error::User(error) = error else { panic!("not an answer: {error}") };
    (error.code, error.message, error.data.map(|data| serde_json::from_str(data.get()).unwrap()))
}

pub fn invalid(reason: &str) -> Refusal {
    (1010, "Invalid Transaction".to_owned(), Some(json!(reason)))
}

/// The events of a block, each with its phase; a failure with the index of its pallet and error.
pub async fn events(sandbox: &Sandbox, block: &Block) -> Vec<String> {
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let at = api.at_block(subxt::utils::H256::from(block.hash)).await.unwrap();
    let events = at.events().fetch().await.unwrap();
    let told = events.iter().map(|event| {
        let event = event.unwrap();
        let name = format!("{:?} {}.{}", event.phase(), event.pallet_name(), event.event_name());
        match (event.event_name(), event.field_bytes()) {
            ("ExtrinsicFailed", [3, pallet, error, 0, 0, 0, ..]) => format!("{name} {pallet}.{error}"),
            _ => name,
        }
    });
    told.collect()
}

/// What a hotkey has published: the content of its only field.
pub fn published(sandbox: &Sandbox, who: Hotkey) -> Option<Vec<u8>> {
    let held = sandbox.commitments().unwrap();
    held.into_iter().find(|(hotkey, _)| *hotkey == who).map(|(_, stored)| stored[14..].to_vec())
}

pub async fn next_index(client: &RpcClient, account: [u8; 32]) -> u32 {
    let address = Hotkey::from_bytes(account).to_string();
    client.request("system_accountNextIndex", rpc_params![address]).await.unwrap()
}

pub async fn state_call(client: &RpcClient, method: &str, input: &[u8]) -> Vec<u8> {
    let answer: String = client.request("state_call", rpc_params![method, hex(input)]).await.unwrap();
    hex::decode(answer.trim_start_matches("0x")).unwrap()
}

/// The first commitment of the operator, as an honest client would sign it.
pub fn commit(sandbox: &Sandbox) -> Vec<u8> {
    Offer::of(sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()
}

pub fn operator() -> [u8; 32] {
    *hotkey(OPERATOR_UID).as_bytes()
}

/// Which of its statuses this is.
pub fn kind(status: &Json) -> String {
    status.as_str().map_or_else(|| status.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned)
}

/// The kinds of the next so many statuses.
pub async fn kinds(statuses: &mut RpcSubscription<Json>, count: usize) -> Vec<String> {
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(kind(&next(statuses).await));
    }
    kinds
}

pub async fn pending(client: &RpcClient) -> Vec<String> {
    client.request("author_pendingExtrinsics", rpc_params![]).await.unwrap()
}
