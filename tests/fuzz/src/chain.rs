//! A chain of one subnet with one hotkey, as an honest node tells it: what a target does not say otherwise.

use grail_console::chain::schema::Schema;
use grail_console::domain::hotkey::Hotkey;
use parity_scale_codec::{Compact, Encode as _};
use serde_json::{Value, json};
use sp_crypto_hashing::blake2_256;

use super::node::{METADATA, Request, SPEC, changes, hex0x};

pub(crate) const NETUID: u16 = 81;
pub(crate) const HOTKEY: Hotkey = Hotkey::from_bytes([7; 32]);
/// The finalized head.
pub(crate) const HEAD: u32 = 1_010;
pub(crate) const GENESIS: [u8; 32] = [0x11; 32];
/// `System.LastRuntimeUpgrade`.
const LAST_RUNTIME_UPGRADE: &str = "0x26aa394eea5630e07c48ae0c9558cef7f9cce9c888469bb1a0dceaa129672ef8";

/// Where finney keeps its values.
pub(crate) fn finney() -> Schema {
    Schema::of_metadata(METADATA).unwrap()
}

/// The block's header: for the wire, and its hash.
pub(crate) fn header(number: u32, state: [u8; 32], extrinsics: [u8; 32]) -> (Value, [u8; 32]) {
    let parent = [8; 32];
    // The digest holds no log.
    let encoded = (parent, Compact(number), state, extrinsics, 0_u8).encode();
    let told = json!({
        "parentHash": hex0x(&parent), "number": format!("{number:#x}"), "stateRoot": hex0x(&state),
        "extrinsicsRoot": hex0x(&extrinsics), "digest": { "logs": [] }
    });
    (told, blake2_256(&encoded))
}

/// A commitment of 128 bytes as the chain stores it: deposit, block, one field of them.
pub(crate) fn stored(block: u32, content: &[u8]) -> Vec<u8> {
    [&0_u64.encode()[..], &block.encode(), &[4, 129], content].concat()
}

/// A value of the state.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) what: &'static str,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

/// Everything that is read of the subnet.
pub(crate) fn state(hotkey: &Hotkey, commitment: Vec<u8>) -> Vec<Stored> {
    let schema = finney();
    let netuid = NETUID.to_le_bytes();
    let uid = 0_u16.to_le_bytes();
    let of = |what, key: Vec<u8>, value| Stored { what, key: hex0x(&key), value };
    vec![
        of("commitment", schema.commitment_key(NETUID, hotkey), commitment),
        of("permits", schema.validator_permit.unwrap().key(&[&netuid]), vec![true].encode()),
        of("now", schema.now.key(&[]), 1_790_000_000_000_u64.encode()),
        of("number", schema.number.key(&[]), HEAD.encode()),
        Stored {
            what: "writer",
            key: LAST_RUNTIME_UPGRADE.to_owned(),
            value: (Compact(SPEC), "node-subtensor").encode(),
        },
        of("size", schema.subnetwork_n.key(&[&netuid]), 1_u16.encode()),
        of("exists", schema.networks_added.unwrap().key(&[&netuid]), true.encode()),
        of("holder", schema.keys.key(&[&netuid, &uid]), hotkey.as_bytes().to_vec()),
        of("registered", schema.block_at_registration.unwrap().key(&[&netuid, &uid]), 5_u64.encode()),
    ]
}

/// Subscriptions: the method, and what its notifications are called.
const SUBSCRIPTIONS: [(&str, &str); 4] = [
    ("chain_subscribeFinalizedHeads", "chain_finalizedHead"),
    ("chain_subscribeNewHeads", "chain_newHead"),
    ("state_subscribeRuntimeVersion", "state_runtimeVersion"),
    ("state_subscribeStorage", "state_storage"),
];

/// An honest node's answers from such a state, whose finalized head has this header and hash.
pub(crate) fn honest(request: &Request, state: &[Stored], head: &Value, hash: &[u8; 32]) -> Vec<Vec<u8>> {
    let method = request.method.as_str();
    let version = json!({ "specVersion": SPEC, "transactionVersion": 1 });
    let values = |block: &Value| {
        let asked = request.keys();
        let known = state.iter().filter(|stored| asked.contains(&stored.key));
        let known: Vec<_> = known.map(|stored| (stored.key.clone(), stored.value.clone())).collect();
        changes(block, &known)
    };
    if let Some((_, news)) = SUBSCRIPTIONS.iter().find(|(subscribed, _)| *subscribed == method) {
        let told = match *news {
            "state_runtimeVersion" => version,
            "state_storage" => values(&json!(hex0x(hash)))[0].clone(),
            _ => head.clone(),
        };
        let told = json!({ "subscription": news, "result": told });
        let news = json!({ "jsonrpc": "2.0", "method": news, "params": told });
        return vec![request.answer(&news["params"]["subscription"]), news.to_string().into_bytes()];
    }
    let answer = match method {
        "state_getRuntimeVersion" => version,
        "chain_getBlockHash" => json!(hex0x(&GENESIS)),
        "chain_getFinalizedHead" => json!(hex0x(hash)),
        "chain_getHeader" => head.clone(),
        "state_getKeysPaged" => {
            let prefix = request.params[0].as_str().unwrap_or_default();
            let listed = state.iter().filter(|stored| matches!(stored.what, "commitment" | "holder"));
            json!(listed.map(|stored| &stored.key).filter(|key| key.starts_with(prefix)).collect::<Vec<_>>())
        }
        "state_queryStorageAt" => values(&request.params[1]),
        _ if method.contains("_unsubscribe") => json!(true),
        _ => return vec![request.refusal()],
    };
    vec![request.answer(&answer)]
}
