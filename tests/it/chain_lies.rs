//! A node that lies: it speaks JSON-RPC over a real WebSocket, and what it says is up to the test. For everything that an
//! honest node does, tests use the sandbox instead.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed, v16::RuntimeMetadataV16};
use grail_console::chain::schema::Schema;
use grail_console::chain::{CallLimits, FeedOptions};
use grail_console::domain::network::Network;
use jsonrpsee::core::SubscriptionError;
use jsonrpsee::server::{Server, ServerHandle};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{PendingSubscriptionSink, RpcModule};
use parity_scale_codec::{Decode, Encode};
use serde_json::{Value, json};

use crate::support::chain::ChainOptions;

/// Real metadata of finney.
pub const METADATA: &[u8] = include_bytes!("../../assets/metadata/finney-spec-365.v16.scale");
/// Hash of block 0 that a lying node names unless told otherwise.
pub const GENESIS: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const HEAD: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

/// A subscription tells the one thing that the lie says and then nothing more; an error ends it alone.
const SUBSCRIPTIONS: [(&str, &str, &str); 4] = [
    ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads"),
    ("chain_subscribeFinalizedHeads", "chain_finalizedHead", "chain_unsubscribeFinalizedHeads"),
    ("state_subscribeRuntimeVersion", "state_runtimeVersion", "state_unsubscribeRuntimeVersion"),
    ("state_subscribeStorage", "state_storage", "state_unsubscribeStorage"),
];

/// An answer by method and parameters; `None` leaves it to the node's usual ones.
pub type Lie = dyn Fn(&str, &[Value]) -> Option<Result<Value, ErrorObjectOwned>> + Send + Sync;

/// A subscription that is answered with an object of this one field tells its value again and again.
pub const WITHOUT_END: &str = "without end";

/// A running node.
pub struct LyingNode {
    pub address: SocketAddr,
    server: ServerHandle,
}

impl LyingNode {
    /// Serves until dropped.
    pub async fn start(
        lie: impl Fn(&str, &[Value]) -> Option<Result<Value, ErrorObjectOwned>> + Send + Sync + 'static,
    ) -> Self {
        let limits = jsonrpsee::server::ServerConfig::builder().max_response_body_size(64 << 20).build();
        let server = Server::builder().set_config(limits).build((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        Self { address, server: server.start(methods(Arc::new(lie))) }
    }

    /// The network that it claims to be.
    pub fn network(&self) -> Network {
        Network::at_endpoint(&format!("ws://{}", self.address), None).unwrap()
    }
}

impl Drop for LyingNode {
    fn drop(&mut self) {
        self.server.stop().ok();
    }
}

fn methods(lie: Arc<Lie>) -> RpcModule<Arc<Lie>> {
    let mut module = RpcModule::new(lie);
    for method in [
        "chain_getBlockHash",
        "chain_getFinalizedHead",
        "chain_getHeader",
        "state_getRuntimeVersion",
        "state_call",
        "state_getMetadata",
        "state_getKeysPaged",
        "state_queryStorageAt",
    ] {
        let answer = move |params: Params<'_>, lie: &Arc<Lie>, _: &jsonrpsee::Extensions| {
            let params: Vec<Value> = params.parse().unwrap_or_default();
            lie(method, &params).unwrap_or_else(|| Ok(usual(method, &params)))
        };
        module.register_method(method, answer).unwrap();
    }
    for (method, told, end) in SUBSCRIPTIONS {
        let serve = move |params: Params<'static>, pending: PendingSubscriptionSink, lie: Arc<Arc<Lie>>, _| {
            let params: Vec<Value> = params.parse().unwrap_or_default();
            async move {
                let sink = pending.accept().await?;
                match lie(method, &params) {
                    Some(Err(error)) => return Err(SubscriptionError::from(error.message())),
                    Some(Ok(Value::Object(told))) if told.contains_key(WITHOUT_END) => {
                        let told = serde_json::value::to_raw_value(&told[WITHOUT_END])?;
                        while sink.send(told.clone()).await.is_ok() {}
                    }
                    Some(Ok(value)) => sink.send(serde_json::value::to_raw_value(&value)?).await?,
                    None => {}
                }
                sink.closed().await;
                Ok(())
            }
        };
        module.register_subscription(method, told, end, serve).unwrap();
    }
    module
}

/// What an honest node with an empty subnet would say.
fn usual(method: &str, params: &[Value]) -> Value {
    match method {
        "chain_getBlockHash" => json!(GENESIS),
        "chain_getFinalizedHead" => json!(HEAD),
        "chain_getHeader" => json!({
            "parentHash": GENESIS, "number": "0x7b", "stateRoot": HEAD, "extrinsicsRoot": HEAD, "digest": { "logs": [] }
        }),
        "state_getRuntimeVersion" => json!({ "specVersion": 365, "transactionVersion": 1 }),
        "state_call" => served(METADATA),
        "state_getMetadata" => json!(hex0x(METADATA)),
        "state_getKeysPaged" => json!([]),
        "state_queryStorageAt" => json!([{ "block": params[1], "changes": [] }]),
        other => panic!("no usual answer to {other}"),
    }
}

/// The answer to a query of values on a chain that has the subnet, with nobody in it.
pub fn empty_subnet(method: &str, params: &[Value]) -> Option<Result<Value, ErrorObjectOwned>> {
    if method != "state_queryStorageAt" {
        return None;
    }
    let added = hex0x(&schema().networks_added.unwrap().key(&[&81_u16.to_le_bytes()]));
    let asked = params[0].as_array().unwrap().iter().any(|key| *key == json!(added));
    let changes = if asked { json!([[added, "0x01"]]) } else { json!([]) };
    Some(Ok(json!([{ "block": params[1], "changes": changes }])))
}

/// Where finney keeps its values.
pub fn schema() -> Schema {
    Schema::of_metadata(METADATA).unwrap()
}

/// `0x…`.
pub fn hex0x(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Metadata as `Metadata_metadata_at_version` returns it.
pub fn served(metadata: &[u8]) -> Value {
    json!(hex0x(&Some(metadata.to_vec()).encode()))
}

/// Finney's metadata, changed.
pub fn doctored(change: impl FnOnce(&mut RuntimeMetadataV16)) -> Vec<u8> {
    let decoded = RuntimeMetadataPrefixed::decode(&mut &*METADATA).unwrap();
    let RuntimeMetadata::V16(mut metadata) = decoded.1 else { panic!("version 16") };
    change(&mut metadata);
    RuntimeMetadataPrefixed(decoded.0, RuntimeMetadata::V16(metadata)).encode()
}

/// Production's behaviour in a test's time.
pub fn hasty() -> ChainOptions {
    ChainOptions {
        limits: CallLimits {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(5),
            rate_limit_pause: Duration::from_millis(5),
            ..CallLimits::default()
        },
        feed: FeedOptions {
            backoff_first: Duration::from_millis(20),
            backoff_most: Duration::from_millis(200),
            rate_limited: Duration::from_millis(300),
            settled: Duration::from_millis(200),
            ..FeedOptions::default()
        },
    }
}
