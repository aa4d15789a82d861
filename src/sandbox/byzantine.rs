//! What an endpoint says that is not so, while the node behind it tells the truth: a proxy in other hands, a cache that
//! stopped, a provider on another fork. Each endpoint of the sandbox has its own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonrpsee::core::middleware::{Request, RpcServiceT};
use jsonrpsee::server::{MethodResponse, ResponsePayload};
use jsonrpsee::types::ErrorObjectOwned;
use parity_scale_codec::{Decode, Encode};
use serde_json::value::to_raw_value;
use serde_json::{Value as Json, json};

use super::accounts::hotkey;
use super::block::{Block, Hash, Header, other_genesis};
use super::metadata::{MetadataLie, prefixed_hex};
use super::node::Node;

/// JSON-RPC's "method not found".
const NO_METHOD: i32 = -32_601;
/// First byte of a digest item that means nothing.
const OTHER_DIGEST: u8 = 0;
/// Bytes before the signature in a signed extrinsic of two length bytes: those, the version, the address, the scheme.
const BEFORE_SIGNATURE: usize = 2 + 1 + 33 + 1;
/// First byte of a signed extrinsic of version 4, after its length.
const SIGNED_V4: u8 = 0x84;
/// Blocks by which the proof of a foreign state is older.
const FOREIGN_BY: u32 = 5;
/// Keys up to which a question is about somebody, and not about a table.
const FEW_KEYS: usize = 8;

/// One thing that is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Byzantine {
    /// Its finalized head stands still, so many blocks behind.
    StaleHead(u32),
    /// Its finalized blocks are others than everybody else's.
    OtherFork,
    /// A block is called final that is so many blocks above the finalized one, and that nobody has.
    InventedFinality(u32),
    /// The value of a uid's commitment is another.
    ForgedValue(u16),
    /// The same, in what it tells of whole tables and of changes; who asks for a few keys is told the truth.
    ForgedInTables(u16),
    /// It serves no proofs.
    NoProofs,
    /// A proof lacks a node.
    TruncatedProof,
    /// A proof is of an older state.
    ForeignProof,
    /// A proof has a wrong byte.
    ForgedProof,
    /// Signatures in block bodies have a wrong bit.
    ForgedExtrinsic,
    /// It has no block bodies.
    NoBodies,
    /// Block 0 is another chain's.
    OtherGenesis,
    /// The runtime's metadata describes it otherwise.
    Metadata(MetadataLie),
    /// Each answer is another one of these, or the truth, in an order that follows from the number; what is said of a uid
    /// is said of this one.
    Fickle(u64, u16),
}

impl Byzantine {
    /// What the next answer is, and the number from which the one after it follows.
    fn next(seed: u64, uid: u16) -> (Option<Self>, u64) {
        // SplitMix64.
        let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let lies = [
            Self::StaleHead(3),
            Self::OtherFork,
            Self::InventedFinality(2),
            Self::ForgedValue(uid),
            Self::ForgedValue(uid),
            Self::NoProofs,
            Self::TruncatedProof,
            Self::ForeignProof,
            Self::ForgedProof,
            Self::ForgedExtrinsic,
        ];
        let at = usize::try_from((mixed ^ (mixed >> 31)) % (2 * lies.len() as u64)).unwrap_or_default();
        (lies.get(at).copied(), seed)
    }
}

/// What an endpoint says at present.
#[derive(Debug, Default)]
pub struct ByzantineBoard {
    now: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    byzantine: Option<Byzantine>,
    /// From what the next answer follows, where each is another one.
    fickle: Option<(u64, u16)>,
    /// The finalized height when it began.
    since: u32,
    /// Blocks that do not exist: what their headers are, and which block's state stands behind them.
    invented: HashMap<Hash, (Header, Hash)>,
}

impl ByzantineBoard {
    /// Tells this from now on, or the truth.
    pub fn tell(&self, byzantine: Option<Byzantine>, node: &Node) {
        let fickle = if let Some(Byzantine::Fickle(seed, uid)) = byzantine { Some((seed, uid)) } else { None };
        let since = node.chain().finalized().number();
        *self.lock() = Present { byzantine, fickle, since, invented: HashMap::new() };
    }

    /// A set of storage changes as this endpoint tells it.
    pub fn told(&self, change_set: &Json, node: &Node) -> Json {
        let mut present = self.lock();
        present.turn();
        let mut told = present.values(json!([change_set]), node, usize::MAX);
        told.get_mut(0).map(Json::take).unwrap_or_default()
    }

    /// A block that becomes final as this endpoint tells its followers of it: the hash and the header of its own head.
    pub fn followed(&self, block: &Block, node: &Node) -> (Hash, Header) {
        let mut present = self.lock();
        present.turn();
        present.followed(block, node)
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an endpoint says of a height.
enum AtHeight {
    /// This hash.
    Told(Hash),
    /// That it has no such block.
    Nothing,
    /// What is so.
    TheTruth,
}

impl Present {
    /// What the next answer is.
    fn turn(&mut self) -> Option<Byzantine> {
        if let Some((seed, uid)) = self.fickle {
            let (byzantine, seed) = Byzantine::next(seed, uid);
            (self.byzantine, self.fickle) = (byzantine, Some((seed, uid)));
        }
        self.byzantine
    }

    /// A block that does not exist: like a real one, with another mark in its header.
    fn invent(&mut self, real: Hash, mut header: Header) -> Hash {
        header.logs.push((OTHER_DIGEST, b"elsewhere".to_vec()).encode());
        let hash = header.hash();
        self.invented.insert(hash, (header, real));
        hash
    }

    /// The finalized head as this endpoint has it.
    fn head(&mut self, node: &Node) -> Option<Hash> {
        let chain = node.chain();
        let finalized = chain.finalized();
        match self.byzantine? {
            Byzantine::StaleHead(behind) => Some(chain.block(self.since.saturating_sub(behind))?.hash),
            Byzantine::OtherFork => Some(self.invent(finalized.hash, finalized.header.clone())),
            Byzantine::InventedFinality(ahead) => {
                let number = finalized.number() + ahead;
                Some(self.invent(finalized.hash, Header { number, parent: finalized.hash, ..finalized.header.clone() }))
            }
            _ => None,
        }
    }

    /// What this endpoint tells its followers when a block becomes final: the hash and the header of its own head.
    fn followed(&mut self, block: &Block, node: &Node) -> (Hash, Header) {
        let truth = || (block.hash, block.header.clone());
        match self.byzantine {
            Some(Byzantine::StaleHead(behind)) => {
                let stale = node.chain().block(self.since.saturating_sub(behind)).cloned();
                stale.map_or_else(truth, |stale| (stale.hash, stale.header.clone()))
            }
            Some(Byzantine::OtherFork) => {
                let hash = self.invent(block.hash, block.header.clone());
                (hash, self.invented.get(&hash).map_or_else(|| block.header.clone(), |(header, _)| header.clone()))
            }
            Some(Byzantine::InventedFinality(ahead)) => {
                let number = block.number() + ahead;
                let hash = self.invent(block.hash, Header { number, parent: block.hash, ..block.header.clone() });
                (hash, self.invented.get(&hash).map_or_else(|| block.header.clone(), |(header, _)| header.clone()))
            }
            _ => truth(),
        }
    }

    /// The hash of a height as this endpoint has it.
    fn at_height(&mut self, number: u32, node: &Node) -> AtHeight {
        let told = |hash: Option<Hash>| hash.map_or(AtHeight::Nothing, AtHeight::Told);
        match self.byzantine {
            Some(Byzantine::OtherGenesis) if number == 0 => AtHeight::Told(other_genesis()),
            Some(Byzantine::StaleHead(behind)) if number > self.since.saturating_sub(behind) => AtHeight::Nothing,
            Some(Byzantine::OtherFork) if number >= self.since => {
                let block = node.chain().block(number).cloned();
                told(block.map(|block| self.invent(block.hash, block.header.clone())))
            }
            Some(Byzantine::InventedFinality(ahead)) if number == node.chain().finalized().number() + ahead => {
                told(self.head(node))
            }
            _ => AtHeight::TheTruth,
        }
    }

    /// The question as the node behind understands it.
    fn translate(&self, method: &str, mut params: Json, node: &Node) -> Json {
        let Json::Array(items) = &mut params else { return params };
        for item in items.iter_mut() {
            let Some(hash) = item.as_str().and_then(hash_of) else { continue };
            if let Some((_, real)) = self.invented.get(&hash) {
                *item = json!(prefixed_hex(real));
            } else if self.byzantine == Some(Byzantine::ForeignProof) && method == "state_getReadProof" {
                let chain = node.chain();
                let older =
                    chain.by_hash(&hash).and_then(|block| chain.block(block.number().saturating_sub(FOREIGN_BY)));
                if let Some(older) = older {
                    *item = json!(prefixed_hex(&older.hash));
                }
            }
        }
        params
    }

    /// The answer as this endpoint gives it, which may be the truth.
    fn answer(&mut self, method: &str, asked: &Json, truth: Json, node: &Node) -> Json {
        let first = asked.get(0);
        match method {
            "chain_getFinalizedHead" => self.head(node).map_or(truth, |hash| json!(prefixed_hex(&hash))),
            "chain_getBlockHash" => match (first, truth) {
                (Some(Json::Array(heights)), Json::Array(truths)) => {
                    let each = heights.iter().zip(truths).map(|(height, truth)| self.height(height, truth, node));
                    each.collect()
                }
                (Some(height), truth) => self.height(height, truth, node),
                (None, truth) => truth,
            },
            "chain_getHeader" => {
                let invented = first.and_then(Json::as_str).and_then(hash_of).and_then(|hash| self.invented.get(&hash));
                invented.map_or(truth, |(header, _)| header.to_json())
            }
            "chain_getBlock" => self.body(truth),
            "state_queryStorageAt" => {
                let mut told = self.values(truth, node, first.and_then(Json::as_array).map_or(0, Vec::len));
                // A block that does not exist is named as it was asked for.
                if let (Some(set), Some(at)) = (told.pointer_mut("/0/block"), asked.get(1).filter(|at| at.is_string()))
                {
                    *set = at.clone();
                }
                told
            }
            "state_getReadProof" => self.proof(truth),
            "state_call" if first == Some(&json!("Metadata_metadata_at_version")) => self.metadata(truth),
            _ => truth,
        }
    }

    fn height(&mut self, height: &Json, truth: Json, node: &Node) -> Json {
        let number = height.as_u64().and_then(|number| u32::try_from(number).ok());
        match number.map_or(AtHeight::TheTruth, |number| self.at_height(number, node)) {
            AtHeight::Told(hash) => json!(prefixed_hex(&hash)),
            AtHeight::Nothing => Json::Null,
            AtHeight::TheTruth => truth,
        }
    }

    fn metadata(&self, mut truth: Json) -> Json {
        if let Some(Byzantine::Metadata(lie)) = self.byzantine {
            change_bytes(&mut truth, |bytes| {
                let offered = Option::<Vec<u8>>::decode(&mut bytes.as_slice()).ok().flatten();
                if let Some(told) = offered.and_then(|offered| lie.told(&offered)) {
                    *bytes = Some(told).encode();
                }
            });
        }
        truth
    }

    fn body(&self, mut truth: Json) -> Json {
        match self.byzantine {
            Some(Byzantine::NoBodies) => Json::Null,
            Some(Byzantine::ForgedExtrinsic) => {
                let extrinsics = truth.pointer_mut("/block/extrinsics").and_then(Json::as_array_mut);
                for extrinsic in extrinsics.into_iter().flatten() {
                    change_bytes(extrinsic, |bytes| {
                        if bytes.get(2) == Some(&SIGNED_V4)
                            && let Some(byte) = bytes.get_mut(BEFORE_SIGNATURE)
                        {
                            *byte ^= 1;
                        }
                    });
                }
                truth
            }
            _ => truth,
        }
    }

    /// The answer to a question for so many keys.
    fn values(&self, mut truth: Json, node: &Node, keys: usize) -> Json {
        let uid = match self.byzantine {
            Some(Byzantine::ForgedValue(uid)) => uid,
            Some(Byzantine::ForgedInTables(uid)) if keys > FEW_KEYS => uid,
            _ => return truth,
        };
        let key = node.chain().top().commitment_key(&hotkey(uid)).map(|key| json!(prefixed_hex(&key)));
        let sets = truth.as_array_mut().into_iter().flatten();
        for change in sets.filter_map(|set| set.get_mut("changes")?.as_array_mut()).flatten() {
            if change.get(0) == key.as_ref()
                && let Some(value) = change.get_mut(1)
            {
                change_bytes(value, |bytes| {
                    if let Some(last) = bytes.last_mut() {
                        *last = if *last == b'0' { b'1' } else { b'0' };
                    }
                });
            }
        }
        truth
    }

    fn proof(&self, mut truth: Json) -> Json {
        let nodes = truth.get_mut("proof").and_then(Json::as_array_mut);
        match (self.byzantine, nodes) {
            (Some(Byzantine::TruncatedProof), Some(nodes)) => {
                nodes.pop();
            }
            (Some(Byzantine::ForgedProof), Some(nodes)) => {
                for node in nodes.iter_mut() {
                    change_bytes(node, |bytes| {
                        if let Some(last) = bytes.last_mut() {
                            *last ^= 1;
                        }
                    });
                }
            }
            _ => {}
        }
        truth
    }
}

fn hash_of(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut hash).ok()?;
    Some(hash)
}

fn change_bytes(text: &mut Json, change: impl FnOnce(&mut Vec<u8>)) {
    let bytes = text.as_str().and_then(|text| text.strip_prefix("0x")).and_then(|text| hex::decode(text).ok());
    if let Some(mut bytes) = bytes {
        change(&mut bytes);
        *text = json!(prefixed_hex(&bytes));
    }
}

/// Asks the methods behind an endpoint, and answers as the endpoint does.
pub async fn through<S>(inner: &S, node: &Node, board: &Arc<ByzantineBoard>, mut request: Request<'_>) -> MethodResponse
where
    S: RpcServiceT<MethodResponse = MethodResponse>,
{
    request.extensions_mut().insert(Arc::clone(board));
    let Some(byzantine) = board.lock().turn() else { return inner.call(request).await };
    let (method, id) = (request.method_name().to_owned(), request.id.clone().into_owned());
    if byzantine == Byzantine::NoProofs && method == "state_getReadProof" {
        return MethodResponse::error(id, ErrorObjectOwned::owned(NO_METHOD, "Method not found", None::<()>));
    }
    let asked: Json = request.params.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let translated = board.lock().translate(&method, asked.clone(), node);
    if translated != asked
        && let Ok(raw) = to_raw_value(&translated)
    {
        request.params = Some(Cow::Owned(raw));
    }
    let response = inner.call(request).await;
    if response.is_subscription() || response.is_error() {
        return response;
    }
    let told = serde_json::from_str::<Json>(response.as_json().get()).ok();
    let Some(truth) = told.and_then(|mut told| told.get_mut("result").map(Json::take)) else { return response };
    let answer = board.lock().answer(&method, &asked, truth.clone(), node);
    if answer == truth { response } else { MethodResponse::response(id, ResponsePayload::success(answer), usize::MAX) }
}
