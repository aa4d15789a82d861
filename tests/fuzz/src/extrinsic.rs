//! The extrinsics of a block in which a commitment was set, as nodes serve them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use grail_console::chain::commit::call_bytes;
use grail_console::chain::provenance::{Examination, examine};
use grail_console::chain::{MetadataStore, Node, NodeOptions};
use grail_console::domain::commitment::COMMITMENT_CHARS;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::provenance::{Case, Depth, Examined, Level, Limit};
use grail_console::sandbox::StateTrie;
use parity_scale_codec::{Compact, Decode as _, Encode as _};
use serde_json::{Value, json};
use sp_core::Blake2Hasher;
use sp_crypto_hashing::blake2_256;
use sp_trie::{LayoutV1, TrieConfiguration as _};
use tokio::runtime::Runtime;

use super::chain::{GENESIS, HEAD, NETUID, Stored, header, honest, state, stored};
use super::key;
use super::node::{METADATA, Request, SPEC, ScriptedNode, hex0x, runtime};

/// The block of the commitment.
const SET_IN: u32 = 1_000;
const CONTENT: [u8; COMMITMENT_CHARS] = [b'x'; COMMITMENT_CHARS];
/// What every block begins with: `Timestamp.set`, unsigned.
const INHERENT: [u8; 11] = [40, 5, 2, 0, 0x0b, 0x90, 0x11, 0x8f, 0xd0, 0x99, 0x01];

struct Setup {
    runtime: Runtime,
    /// Two operators.
    nodes: [ScriptedNode; 2],
    examination: Examination,
    hotkey: Hotkey,
    chain: Chain,
}

/// What both tell.
#[derive(Clone)]
struct Chain {
    state: Vec<Stored>,
    proof: Vec<String>,
    head: Value,
    head_hash: [u8; 32],
}

static SETUP: LazyLock<Mutex<Setup>> = LazyLock::new(|| Mutex::new(Setup::new()));

impl Setup {
    fn new() -> Self {
        let runtime = runtime();
        let nodes = [(); 2].map(|()| ScriptedNode::start(&runtime));
        let store = MetadataStore::new(|_, _| Some(METADATA.to_vec()), |_, _, _| {});
        let witnesses = vec![nodes[1].url().parse().unwrap()];
        let node = Node::new(NodeOptions { store, witnesses, ..NodeOptions::new(nodes[0].network()) });
        let hotkey = key::signer().hotkey();
        let state = state(&hotkey, stored(SET_IN, &CONTENT));
        let keys: Vec<Vec<u8>> = state.iter().map(|stored| hex::decode(&stored.key[2..]).unwrap()).collect();
        let writes = keys.iter().zip(&state).map(|(key, stored)| (&key[..], Some(&stored.value[..])));
        let mut trie = StateTrie::default();
        let root = trie.write(1, &StateTrie::empty_root(), writes).unwrap();
        let proof = trie.proof(&root, &keys).unwrap().iter().map(|node| hex0x(node)).collect();
        let (head, head_hash) = header(HEAD, root, [9; 32]);
        let chain = Chain { state, proof, head, head_hash };
        Self { runtime, nodes, examination: Examination { node, netuid: NETUID, now_ms: 0 }, hotkey, chain }
    }
}

/// The first byte: 1 for an extrinsic that still needs its length, 2 for a block that begins with an inherent one.
pub fn run(data: &[u8]) -> &'static str {
    let Some((what, rest)) = data.split_first() else { return "nothing" };
    let extrinsic = if what & 1 == 1 { rest.to_vec().encode() } else { rest.to_vec() };
    let inherent = (what & 2 == 2).then(|| INHERENT.to_vec());
    let body: Vec<Vec<u8>> = inherent.into_iter().chain([extrinsic]).collect();
    let setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
    for node in &setup.nodes {
        let (chain, body) = (setup.chain.clone(), body.clone());
        let root = LayoutV1::<Blake2Hasher>::ordered_trie_root(&body).0;
        let (set_in, set_in_hash) = header(SET_IN, [0; 32], root);
        let block = json!({
            "block": { "header": set_in, "extrinsics": body.iter().map(|bytes| hex0x(bytes)).collect::<Vec<_>>() },
            "justifications": null
        });
        node.answer_with(move |request| Some(chain.told(request, &block, &set_in_hash)));
    }
    let rows = BTreeMap::from([(setup.hotkey, Depth::Signature)]);
    let found = setup.runtime.block_on(Box::pin(examine(&setup.examination, &rows))).unwrap();
    judged(&found, &setup.hotkey, &body)
}

impl Chain {
    fn told(&self, request: &Request, block: &Value, set_in: &[u8; 32]) -> Vec<Vec<u8>> {
        let hash = |number: u64| match number {
            0 => hex0x(&GENESIS),
            number if number == u64::from(SET_IN) => hex0x(set_in),
            number => hex0x(&born(number)),
        };
        let answer = match (request.method.as_str(), &request.params[0]) {
            ("chain_getBlock", _) => block.clone(),
            ("chain_getBlockHash", Value::Array(numbers)) => {
                json!(numbers.iter().map(|number| hash(number.as_u64().unwrap())).collect::<Vec<_>>())
            }
            ("chain_getBlockHash", number) => json!(hash(number.as_u64().unwrap_or_default())),
            ("state_getReadProof", _) => json!({ "at": request.params[1], "proof": self.proof }),
            _ => return honest(request, &self.state, &self.head, &self.head_hash),
        };
        vec![request.answer(&answer)]
    }
}

/// The hash of a block that nobody looks into.
fn born(number: u64) -> [u8; 32] {
    blake2_256(&number.to_le_bytes())
}

/// The row is proven whatever the block holds; signed only where its hotkey signed what is stored.
fn judged(found: &Examined, hotkey: &Hotkey, body: &[Vec<u8>]) -> &'static str {
    let row = &found.rows[hotkey];
    assert!(found.disputes.iter().all(|dispute| dispute.case == Case::ForgedExtrinsic), "{:?}", found.disputes);
    assert!(row.level >= Level::Proven, "{row:?}");
    assert!(row.commitment.as_ref().is_some_and(|commitment| commitment.published().is_some()));
    assert_eq!(row.level == Level::Signed, row.limit.is_none());
    assert_eq!(row.level == Level::Signed, row.signature.is_some());
    let Some(signature) = &row.signature else { return row.limit.as_ref().map_or("proven", Limit::code) };
    let extrinsic = &body[signature.index as usize];
    assert_eq!(signature.extrinsic.0, blake2_256(extrinsic));
    assert!(is_signed(extrinsic, hotkey), "{}", hex::encode(extrinsic));
    "signed"
}

/// The same question, answered from the bytes alone.
fn is_signed(extrinsic: &[u8], hotkey: &Hotkey) -> bool {
    let mut rest = extrinsic;
    let Ok(Compact(length)) = Compact::<u32>::decode(&mut rest) else { return false };
    let front = [&[0x84, 0x00][..], hotkey.as_bytes(), &[1]].concat();
    let Some(behind) = rest.strip_prefix(&front[..]) else { return false };
    let Some((signature, behind)) = behind.split_first_chunk::<64>() else { return false };
    let call = call_bytes(NETUID, &CONTENT);
    let Some(explicit) = behind.strip_suffix(&call[..]) else { return false };
    let birth = match explicit {
        [0, ..] => GENESIS,
        [low, high, ..] => birth(u16::from_le_bytes([*low, *high])),
        _ => return false,
    };
    let implicit = [&(SPEC, 1_u32).encode()[..], &GENESIS, &birth, &[0]].concat();
    let payload = [&call[..], explicit, &implicit].concat();
    rest.len() == length as usize && key::is_signed(hotkey, signature, &payload)
}

/// The hash of the block in which an era was born, seen from the block of the commitment.
fn birth(era: u16) -> [u8; 32] {
    let period = 2_u64 << (era % 16);
    let phase = u64::from(era >> 4) * (period >> 12).max(1);
    let number = u64::from(SET_IN).saturating_sub(phase) / period * period + phase;
    born(number)
}
