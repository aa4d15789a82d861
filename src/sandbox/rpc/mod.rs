//! The JSON-RPC methods of the node, with the names, aliases, parameters and answers of a Substrate node.

mod author;
mod chain;
mod runtime;
mod state;
mod subscriptions;
mod system;

use std::sync::Arc;
use std::time::Instant;

use jsonrpsee::core::middleware::{Batch, BatchEntry, Notification, Request, RpcServiceT};
use jsonrpsee::server::{BatchRequestConfig, MethodResponse, RandomStringIdProvider, ServerConfig};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{Methods, RpcModule};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::block::Hash;
use super::byzantine::{ByzantineBoard, through};
use super::chain::{StateAt, StateError};
use super::limiter::Limiter;
use super::metadata::prefixed_hex;
use super::node::Node;

/// Largest request: a `state_queryStorageAt` of every key of 65,536 uids must fit. Real nodes take 15 MB.
const MAX_REQUEST_BYTES: u32 = 64 * 1024 * 1024;
/// Largest answer: all commitments of 65,536 uids in hex with their keys.
const MAX_RESPONSE_BYTES: u32 = 128 * 1024 * 1024;
/// Connections at once.
const MAX_CONNECTIONS: u32 = 256;
/// Subscriptions of one connection, as real nodes allow.
const MAX_SUBSCRIPTIONS: u32 = 1024;

/// Substrate's code for errors of the client beneath the `state_*` methods.
const STATE_CLIENT_ERROR: i32 = 4003;
/// Code of the "too many requests" error, as gateways before public nodes answer.
const LIMIT_EXCEEDED: i32 = -32_005;

/// The limits of the server.
pub fn config() -> ServerConfig {
    ServerConfig::builder()
        .max_request_body_size(MAX_REQUEST_BYTES)
        .max_response_body_size(MAX_RESPONSE_BYTES)
        .max_connections(MAX_CONNECTIONS)
        .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
        .set_batch_request_config(BatchRequestConfig::Unlimited)
        .set_id_provider(RandomStringIdProvider::new(16))
        .build()
}

/// Every method, `rpc_methods` included.
pub fn methods(node: Arc<Node>) -> Result<Methods, jsonrpsee::server::RegisterMethodError> {
    let mut module = RpcModule::from_arc(node);
    author::register(&mut module)?;
    chain::register(&mut module)?;
    runtime::register(&mut module)?;
    state::register(&mut module)?;
    system::register(&mut module)?;
    subscriptions::register(&mut module)?;
    let mut names: Vec<_> = module.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    let answer = serde_json::json!({ "methods": names });
    module.register_method("rpc_methods", move |_, _, _| answer.clone())?;
    Ok(module.into())
}

/// What a method answers.
type Answer<T> = Result<T, ErrorObjectOwned>;

/// The next positional parameter, `None` where it is missing or null.
fn optional<T: DeserializeOwned>(sequence: &mut jsonrpsee::types::params::ParamsSequence<'_>) -> Answer<Option<T>> {
    sequence.optional_next::<T>()
}

/// The only parameter, `None` where it is missing or null.
fn only<T: DeserializeOwned>(params: &Params<'_>) -> Answer<Option<T>> {
    optional(&mut params.sequence())
}

impl From<StateError> for ErrorObjectOwned {
    fn from(error: StateError) -> Self {
        client_error(&error.to_string())
    }
}

/// Answers from the state at a block.
fn in_state<T>(node: &Node, at: Option<HashHex>, answer: impl FnOnce(StateAt<'_>) -> Answer<T>) -> Answer<T> {
    let chain = node.chain();
    answer(chain.state(at.map(|hash| hash.0).as_ref())?)
}

/// An error of the client beneath a `state_*` method.
fn client_error(reason: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(STATE_CLIENT_ERROR, format!("Client error: {reason}"), None::<()>)
}

/// Bytes as `0x`-prefixed hex; read with or without the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        hex::decode(digits).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&prefixed_hex(&self.0))
    }
}

/// A block hash as a parameter or in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HashHex(Hash);

impl<'de> Deserialize<'de> for HashHex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?.0;
        let length = bytes.len();
        let wrong = |_| serde::de::Error::custom(format!("a block hash has 32 bytes, not {length}"));
        bytes.try_into().map(Self).map_err(wrong)
    }
}

impl Serialize for HashHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&prefixed_hex(&self.0))
    }
}

/// Counts, delays and refuses requests before the methods see them; what is answered is what the endpoint says is so.
#[derive(Clone)]
pub struct Metered<S> {
    inner: S,
    node: Arc<Node>,
    byzantine: Arc<ByzantineBoard>,
    limiter: Option<Arc<Limiter>>,
}

impl<S> Metered<S> {
    /// Around a service.
    pub const fn new(inner: S, node: Arc<Node>, byzantine: Arc<ByzantineBoard>, limiter: Option<Arc<Limiter>>) -> Self {
        Self { inner, node, byzantine, limiter }
    }
}

/// Waits for the latency of the moment and tells whether the request is one too many.
async fn admit(node: &Node, limiter: Option<&Limiter>) -> bool {
    let (latency, refused) = {
        let faults = node.faults.now();
        (faults.latency, faults.refuses_requests())
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    !refused && limiter.is_none_or(|limiter| limiter.admits(Instant::now()))
}

fn too_many_requests() -> ErrorObjectOwned {
    let data = serde_json::json!({ "reason": "rate limit", "retry_after": 1 });
    ErrorObjectOwned::owned(LIMIT_EXCEEDED, "Too many requests", Some(data))
}

impl<S> RpcServiceT for Metered<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { inner, node, byzantine, limiter } = self.clone();
        async move {
            let round = node.meter.requested(request.method_name());
            let response = if admit(&node, limiter.as_deref()).await {
                through(&inner, &node, &byzantine, request).await
            } else {
                MethodResponse::error(request.id, too_many_requests())
            };
            node.meter.answered(round);
            response
        }
    }

    fn batch<'a>(&self, requests: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (inner, node, limiter) = (self.inner.clone(), Arc::clone(&self.node), self.limiter.clone());
        async move {
            let calls = requests.iter().flatten().filter(|entry| matches!(entry, BatchEntry::Call(_)));
            let rounds: Vec<_> = calls.map(|call| node.meter.requested(call.method_name())).collect();
            let response = if admit(&node, limiter.as_deref()).await {
                inner.batch(requests).await
            } else {
                MethodResponse::error(jsonrpsee::types::Id::Null, too_many_requests())
            };
            for round in rounds {
                node.meter.answered(round);
            }
            response
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = self.inner.clone();
        async move { inner.notification(notification).await }
    }
}
