//! One connection to one node, and the calls the console makes on it. Every call has a deadline; a call that the node's
//! rate limit refuses is repeated a few times before that is an error.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonrpsee::core::client::{Client, Error as ClientError};
use serde::de::DeserializeOwned;
use subxt::config::substrate::SubstrateHeader;
use subxt::utils::H256;
use subxt_rpcs::client::{RpcParams, RpcSubscription};
use subxt_rpcs::methods::legacy::{Bytes, RuntimeVersion, StorageChangeSet, TransactionStatus};
use subxt_rpcs::{Error as RpcError, LegacyRpcMethods, RpcClient, RpcConfig, UserError};
use tokio::time::{Instant, timeout};

use super::dial::dial;
use super::error::{ChainError, Fault};
use super::notifications::Counting;
use super::options::CallLimits;
use super::pacer::Pacer;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, Endpoint, are_one_operator, is_near};
use crate::domain::untrusted::Untrusted;

/// Key under which every Substrate chain keeps its runtime's code.
const CODE: &[u8] = b":code";

/// Subtensor's types on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Wire;

/// A block header.
pub type Header = SubstrateHeader<H256>;

impl RpcConfig for Wire {
    type Header = Header;
    type Hash = BlockHash;
    type AccountId = Hotkey;
}

/// A block: its header, and its extrinsics, each with the length that precedes it.
pub(super) type Block = (Header, Vec<Vec<u8>>);

/// Changed keys at a block.
pub(super) type ChangeSet = StorageChangeSet<BlockHash>;

/// An open connection. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone)]
pub struct Session {
    endpoint: Endpoint,
    /// The address that was reached.
    peer: Option<SocketAddr>,
    client: Arc<Client>,
    rpc: RpcClient,
    legacy: LegacyRpcMethods<Wire>,
    limits: CallLimits,
    asked: Arc<AtomicU64>,
    pacer: Arc<Pacer>,
    /// The block that was fetched last: several steps look at one and the same.
    last_block: Arc<Mutex<Option<(BlockHash, Block)>>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.endpoint)
    }
}

impl Session {
    /// Opens a connection.
    pub async fn open(endpoint: &Endpoint, limits: &CallLimits) -> Result<Self, ChainError> {
        Self::open_counted(endpoint, limits, Arc::default()).await
    }

    /// Opens a connection whose requests are added to a count.
    pub(super) async fn open_counted(
        endpoint: &Endpoint,
        limits: &CallLimits,
        asked: Arc<AtomicU64>,
    ) -> Result<Self, ChainError> {
        let (client, waiting, peer) = dial(endpoint, limits).await.map_err(|fault| fault.at(endpoint))?;
        let client = Arc::new(client);
        let rpc = RpcClient::new(Counting { client: Arc::clone(&client), waiting });
        let legacy = LegacyRpcMethods::new(rpc.clone());
        let pacer = Arc::new(Pacer::new(limits.rate_limit_pause));
        let (endpoint, limits) = (endpoint.clone(), limits.clone());
        let last_block = Arc::default();
        Ok(Self { endpoint, peer, client, rpc, legacy, limits, asked, pacer, last_block })
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection as subxt's backends take it.
    pub fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// Deadlines and bounds of this connection.
    pub fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// Whether the connection stands, as far as it is known.
    pub(super) fn is_open(&self) -> bool {
        self.client.is_connected()
    }

    /// Whether it leads to another operator than this one, by name and by the address that was reached (THREATS T29).
    pub(super) fn is_of_another(&self, own: &Self) -> bool {
        !are_one_operator((&self.endpoint, self.peer), (&own.endpoint, own.peer))
    }

    /// Whether both lead to one address of the public internet: a network of servers carries many customers, so that alone
    /// makes no operator.
    pub(super) fn shares_address(&self, other: &Self) -> bool {
        let address = |session: &Self| session.peer.map(|peer| peer.ip().to_canonical()).filter(|ip| !is_near(*ip));
        address(self).is_some() && address(self) == address(other)
    }

    /// Whether both are clones of one connection.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.client, &other.client)
    }

    /// Returns when the connection is gone, with the reason.
    pub async fn gone(&self) -> ChainError {
        self.fault(broken(&self.client.on_disconnect().await))
    }

    pub(super) fn fault(&self, fault: Fault) -> ChainError {
        fault.at(&self.endpoint)
    }

    /// Hash of block 0.
    pub async fn genesis_hash(&self) -> Result<BlockHash, ChainError> {
        const METHOD: &str = "chain_getBlockHash";
        let hash = self.call(METHOD, || self.legacy.chain_get_block_hash(Some(0_u32.into()))).await?;
        hash.ok_or_else(|| self.malformed(METHOD, "there is no block 0"))
    }

    /// Hash of the last finalized block.
    pub async fn finalized_head(&self) -> Result<BlockHash, ChainError> {
        self.call("chain_getFinalizedHead", || self.legacy.chain_get_finalized_head()).await
    }

    /// Spec version of the runtime at a block, or at the best one.
    pub async fn spec_version(&self, at: Option<BlockHash>) -> Result<u32, ChainError> {
        let version = self.call("state_getRuntimeVersion", || self.legacy.state_get_runtime_version(at)).await?;
        Ok(version.spec_version)
    }

    /// Versions of the runtime at a block, or at the best one: of its specification, and of its transactions.
    pub(super) async fn versions(&self, at: Option<BlockHash>) -> Result<(u32, u32), ChainError> {
        let version = self.call("state_getRuntimeVersion", || self.legacy.state_get_runtime_version(at)).await?;
        Ok((version.spec_version, version.transaction_version))
    }

    /// Hash of the block of a height on the node's best chain, `None` where it has none.
    pub(super) async fn block_hash(&self, number: u64) -> Result<Option<BlockHash>, ChainError> {
        // Heights are 32 bits on this chain; a larger one is no block's.
        let Ok(number) = u32::try_from(number) else { return Ok(None) };
        self.call("chain_getBlockHash", || self.legacy.chain_get_block_hash(Some(number.into()))).await
    }

    /// Hash of the best block.
    pub(super) async fn best_hash(&self) -> Result<BlockHash, ChainError> {
        const METHOD: &str = "chain_getBlockHash";
        let hash = self.call(METHOD, || self.legacy.chain_get_block_hash(None)).await?;
        hash.ok_or_else(|| self.malformed(METHOD, "there is no best block"))
    }

    /// A block: its header and its extrinsics, each with the length that precedes it; `None` where the node has no such
    /// block, or no longer its body.
    pub(super) async fn block(&self, at: BlockHash) -> Result<Option<Block>, ChainError> {
        let last = || self.last_block.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = last().as_ref().filter(|(hash, _)| *hash == at) {
            return Ok(Some(block.clone()));
        }
        let block = self.call("chain_getBlock", || self.legacy.chain_get_block(Some(at))).await?;
        let block = block
            .map(|details| (details.block.header, details.block.extrinsics.into_iter().map(|bytes| bytes.0).collect()));
        *last() = block.clone().map(|block: Block| (at, block));
        Ok(block)
    }

    /// Hashes of the blocks of some heights on the node's best chain, in one request, in their order; `None` where it has
    /// none.
    pub(super) async fn block_hashes(&self, numbers: &[u64]) -> Result<Vec<Option<BlockHash>>, ChainError> {
        const METHOD: &str = "chain_getBlockHash";
        let mut params = RpcParams::new();
        params.push(numbers).map_err(|error| self.fault(fault_of(METHOD, error, &self.limits)))?;
        let asked = || self.rpc.request::<Vec<Option<BlockHash>>>(METHOD, params.clone());
        let hashes = self.call(METHOD, asked).await?;
        if hashes.len() != numbers.len() {
            return Err(self.malformed(METHOD, "another number of hashes than was asked for"));
        }
        Ok(hashes)
    }

    /// The nodes that prove what is, and what is not, under some keys in the state of a block.
    pub(super) async fn read_proof(&self, keys: &[Vec<u8>], at: BlockHash) -> Result<Vec<Vec<u8>>, ChainError> {
        let call = || self.legacy.state_get_read_proof(keys.iter().map(Vec::as_slice), Some(at));
        let proof = self.call("state_getReadProof", call).await?;
        Ok(proof.proof.into_iter().map(|node| node.0).collect())
    }

    /// The nonce that the next transaction of an account needs, those in the pool counted.
    pub(super) async fn next_index(&self, hotkey: &Hotkey) -> Result<u64, ChainError> {
        self.call("system_accountNextIndex", || self.legacy.system_account_next_index(hotkey)).await
    }

    /// Hands an extrinsic to the pool and watches what becomes of it. Asked once: whoever asks again must know what became
    /// of the first time.
    pub(super) async fn submit(
        &self,
        extrinsic: &[u8],
    ) -> Result<RpcSubscription<TransactionStatus<BlockHash>>, ChainError> {
        let call = self.legacy.author_submit_and_watch_extrinsic(extrinsic);
        let submitted = self.call_once("author_submitAndWatchExtrinsic", call).await;
        if let Err(Fault::RateLimited { retry_after }) = &submitted {
            self.pacer.refused(*retry_after);
        }
        submitted.map_err(|fault| self.fault(fault))
    }

    /// Header of a block.
    pub async fn header(&self, at: BlockHash) -> Result<Header, ChainError> {
        const METHOD: &str = "chain_getHeader";
        let header = self.call(METHOD, || self.legacy.chain_get_header(Some(at))).await?;
        header.ok_or_else(|| self.malformed(METHOD, "the node does not know its own block"))
    }

    /// Up to `count` keys under a prefix, in order, after `start`.
    pub(super) async fn keys_paged(
        &self,
        prefix: &[u8],
        count: u32,
        start: Option<&[u8]>,
        at: BlockHash,
    ) -> Result<Vec<Vec<u8>>, ChainError> {
        let call = || self.legacy.state_get_keys_paged(prefix, count, start, Some(at));
        self.call("state_getKeysPaged", call).await
    }

    /// The values of keys at a block.
    pub(super) async fn query(&self, keys: &[Vec<u8>], at: BlockHash) -> Result<Vec<ChangeSet>, ChainError> {
        let call = || self.legacy.state_query_storage_at(keys.iter().map(Vec::as_slice), Some(at));
        self.call("state_queryStorageAt", call).await
    }

    /// The values of keys at the best block.
    pub(super) async fn query_best(&self, keys: &[Vec<u8>]) -> Result<Vec<ChangeSet>, ChainError> {
        let call = || self.legacy.state_query_storage_at(keys.iter().map(Vec::as_slice), None);
        self.call("state_queryStorageAt", call).await
    }

    /// The value of one key at a block; `None` where there is none.
    pub(super) async fn value(&self, key: Vec<u8>, at: BlockHash) -> Result<Option<Vec<u8>>, ChainError> {
        let sets = self.query(&[key], at).await?;
        let value = sets.into_iter().flat_map(|set| set.changes).find_map(|(_, value)| value);
        Ok(value.map(|value| value.0))
    }

    /// A runtime call.
    pub(super) async fn runtime_call(
        &self,
        function: &str,
        argument: &[u8],
        at: Option<BlockHash>,
    ) -> Result<Vec<u8>, ChainError> {
        self.call("state_call", || self.legacy.state_call(function, Some(argument), at)).await
    }

    /// Hash of the runtime's code at a block, or at the best one.
    pub(super) async fn code_hash(&self, at: Option<BlockHash>) -> Result<Option<BlockHash>, ChainError> {
        const METHOD: &str = "state_getStorageHash";
        let mut params = RpcParams::new();
        let pushed = params.push(Bytes::from(CODE.to_vec())).and_then(|()| params.push(at));
        pushed.map_err(|error| self.fault(fault_of(METHOD, error, &self.limits)))?;
        self.call(METHOD, || self.rpc.request::<Option<BlockHash>>(METHOD, params.clone())).await
    }

    /// The metadata in the version that the oldest of clients understand.
    pub(super) async fn metadata_v14(&self, at: Option<BlockHash>) -> Result<Vec<u8>, ChainError> {
        let call = || self.legacy.state_get_metadata(at);
        Ok(self.call("state_getMetadata", call).await?.into_raw())
    }

    /// Values of keys now and whenever they change.
    pub(super) async fn watch(&self, keys: &[Vec<u8>]) -> Result<RpcSubscription<ChangeSet>, ChainError> {
        let keys: Vec<Bytes> = keys.iter().map(|key| key.clone().into()).collect();
        let mut params = RpcParams::new();
        params.push(&keys).map_err(|error| self.fault(fault_of("state_subscribeStorage", error, &self.limits)))?;
        self.subscribe("state_subscribeStorage", params, "state_unsubscribeStorage").await
    }

    /// Headers of best blocks.
    pub(super) async fn best_heads(&self) -> Result<RpcSubscription<Header>, ChainError> {
        self.subscribe("chain_subscribeNewHeads", RpcParams::new(), "chain_unsubscribeNewHeads").await
    }

    /// Headers of finalized blocks; the node may skip some.
    pub(super) async fn finalized_heads(&self) -> Result<RpcSubscription<Header>, ChainError> {
        self.subscribe("chain_subscribeFinalizedHeads", RpcParams::new(), "chain_unsubscribeFinalizedHeads").await
    }

    /// The runtime version now and whenever it changes.
    pub(super) async fn runtime_versions(&self) -> Result<RpcSubscription<RuntimeVersion>, ChainError> {
        self.subscribe("state_subscribeRuntimeVersion", RpcParams::new(), "state_unsubscribeRuntimeVersion").await
    }

    /// Finds out whether the other end is alive, and how far away it is.
    pub(super) async fn round_trip(&self) -> Result<Duration, ChainError> {
        let started = Instant::now();
        self.finalized_head().await?;
        Ok(started.elapsed())
    }

    async fn subscribe<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: RpcParams,
        unsubscribe: &'static str,
    ) -> Result<RpcSubscription<T>, ChainError> {
        self.call(method, || self.rpc.subscribe(method, params.clone(), unsubscribe)).await
    }

    async fn call<T, F: Future<Output = Result<T, RpcError>>>(
        &self,
        method: &'static str,
        make: impl Fn() -> F,
    ) -> Result<T, ChainError> {
        let mut left = self.limits.rate_limit_retries;
        loop {
            match self.call_once(method, make()).await {
                Err(Fault::RateLimited { retry_after }) if left > 0 => {
                    left -= 1;
                    tracing::debug!(endpoint = %self.endpoint, method, "rate limited, trying again");
                    self.pacer.refused(retry_after);
                }
                other => return other.map_err(|fault| self.fault(fault)),
            }
        }
    }

    async fn call_once<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, RpcError>>,
    ) -> Result<T, Fault> {
        self.pacer.turn().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        match timeout(self.limits.call, call).await {
            Ok(answer) => answer.map_err(|error| fault_of(method, error, &self.limits)),
            Err(_) => Err(Fault::Deadline { what: method, after: self.limits.call }),
        }
    }

    pub(super) fn malformed(&self, method: &'static str, why: &str) -> ChainError {
        self.fault(Fault::Malformed { method, why: why.into() })
    }
}

/// A pause of half to the whole of `most`, so that consoles cut off together do not come back together.
pub(super) fn jittered(most: Duration) -> Duration {
    most.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn fault_of(method: &'static str, error: RpcError, limits: &CallLimits) -> Fault {
    match error {
        RpcError::User(error) => refusal(method, &error),
        RpcError::Client(inner) => match inner.downcast_ref::<ClientError>() {
            Some(ClientError::RequestTimeout) => Fault::Deadline { what: method, after: limits.call },
            Some(error) => broken(error),
            None => Fault::Closed { why: Untrusted::from_text(inner.to_string()) },
        },
        RpcError::Deserialization(error) => Fault::Malformed { method, why: Untrusted::from_text(error.to_string()) },
        other => Fault::Malformed { method, why: Untrusted::from_text(other.to_string()) },
    }
}

/// Codes under which proxies and nodes report their rate limit: HTTP's, OnFinality's, polkadot-sdk's, and the one of
/// Ethereum's convention that some proxies use for every chain.
const RATE_LIMIT_CODES: [i32; 4] = [429, -32_029, -32_999, -32_005];
/// JSON-RPC's "method not found".
pub(super) const NO_METHOD: i32 = -32_601;

fn refusal(method: &'static str, error: &UserError) -> Fault {
    let words = error.message.to_ascii_lowercase();
    if RATE_LIMIT_CODES.contains(&error.code) || words.contains("rate limit") || words.contains("too many requests") {
        return Fault::RateLimited { retry_after: None };
    }
    if error.code == NO_METHOD {
        return Fault::NoMethod { method };
    }
    let data = error.data.as_ref().map_or_else(String::new, |data| format!(" ({})", data.get()));
    Fault::Refused { method, code: error.code, message: Untrusted::from_text(format!("{}{data}", error.message)) }
}

/// What ended a connection: too large a message, something that is not JSON-RPC, or the other side.
fn broken(error: &ClientError) -> Fault {
    match error {
        ClientError::RestartNeeded(inner) => broken(inner),
        ClientError::Transport(inner) if inner.to_string().contains("too large") => {
            Fault::TooLarge { what: inner.to_string() }
        }
        // The library has this word where the connection ended before it could note why.
        ClientError::Custom(why) if why.starts_with("Error reason could not be found") => {
            Fault::Closed { why: "connection closed".into() }
        }
        ClientError::ParseError(_)
        | ClientError::InvalidRequestId(_)
        | ClientError::InvalidSubscriptionId
        | ClientError::Custom(_) => Fault::NotANode { why: Untrusted::from_text(error.to_string()) },
        other => Fault::Closed { why: Untrusted::from_text(other.to_string()) },
    }
}
