//! Blocks: the header as it is hashed and as it is answered in JSON.

use std::sync::Arc;

use parity_scale_codec::{Compact, Encode};
use serde_json::{Value as Json, json};
use sp_crypto_hashing::blake2_256;

use super::metadata::{Runtime, prefixed_hex};
use super::state::Key;

/// A block hash or another 32-byte hash.
pub type Hash = [u8; 32];

/// Genesis hash of every sandbox: the hash of the header of block 0. It is no other network's, so nothing signed for the
/// sandbox is valid anywhere else, and no client can take the sandbox for a named network.
pub const SANDBOX_GENESIS: Hash = crate::domain::network::SANDBOX_GENESIS.0;

/// `DigestItem::PreRuntime`.
const PRE_RUNTIME: u8 = 6;
/// `DigestItem::RuntimeEnvironmentUpdated`.
const RUNTIME_UPDATED: u8 = 8;

/// A block header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Hash of the block before.
    pub parent: Hash,
    /// Height.
    pub number: u32,
    /// Root of the state trie; that of block 0, whose state nobody has, is made up.
    pub state_root: Hash,
    /// Root of the trie of the block's extrinsics by their indices.
    pub extrinsics_root: Hash,
    /// SCALE-encoded digest items.
    pub logs: Vec<Vec<u8>>,
}

impl Header {
    /// The header of block 0.
    pub fn genesis() -> Self {
        let root = |what: &[u8]| blake2_256(&[b"grail-console sandbox ", what].concat());
        Self {
            parent: [0; 32],
            number: 0,
            state_root: root(b"state"),
            extrinsics_root: root(b"none"),
            logs: Vec::new(),
        }
    }

    /// Blake2-256 of the SCALE-encoded header, as Substrate hashes blocks.
    pub fn hash(&self) -> Hash {
        let mut bytes = self.parent.to_vec();
        Compact(self.number).encode_to(&mut bytes);
        bytes.extend(self.state_root);
        bytes.extend(self.extrinsics_root);
        Compact(u32::try_from(self.logs.len()).unwrap_or(u32::MAX)).encode_to(&mut bytes);
        bytes.extend(self.logs.concat());
        blake2_256(&bytes)
    }

    /// The header as `chain_getHeader` answers.
    pub fn to_json(&self) -> Json {
        json!({
            "parentHash": prefixed_hex(&self.parent),
            "number": format!("{:#x}", self.number),
            "stateRoot": prefixed_hex(&self.state_root),
            "extrinsicsRoot": prefixed_hex(&self.extrinsics_root),
            "digest": { "logs": self.logs.iter().map(|log| prefixed_hex(log)).collect::<Vec<_>>() },
        })
    }
}

/// A block of the chain.
#[derive(Debug)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Hash of the header.
    pub hash: Hash,
    /// SCALE-encoded extrinsics, without the length that precedes each in a block body.
    pub extrinsics: Vec<Vec<u8>>,
    /// Keys that the block wrote.
    pub changed: Vec<Key>,
    /// `Timestamp.Now` in milliseconds.
    pub timestamp_ms: u64,
    /// The runtime in the block's state: the one that executes the next block.
    pub runtime: Arc<Runtime>,
}

impl Block {
    /// Height.
    pub const fn number(&self) -> u32 {
        self.header.number
    }

    /// The block as `chain_getBlock` answers.
    pub fn to_json(&self) -> Json {
        let extrinsics: Vec<_> = self.extrinsics.iter().map(|bytes| prefixed_hex(&bytes.encode())).collect();
        json!({ "block": { "header": self.header.to_json(), "extrinsics": extrinsics }, "justifications": null })
    }
}

/// What stands for block 0 where another chain is pretended.
pub fn other_genesis() -> Hash {
    blake2_256(b"grail-console sandbox: another chain")
}

/// The digest of a block: its Aura slot, and the mark of a new runtime.
pub fn digest(timestamp_ms: u64, runtime_updated: bool) -> Vec<Vec<u8>> {
    let slot = timestamp_ms / 12_000;
    let mut logs = vec![(PRE_RUNTIME, *b"aura", slot.encode()).encode()];
    if runtime_updated {
        logs.push(vec![RUNTIME_UPDATED]);
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_hash_is_the_hash_of_the_genesis_header() {
        assert_eq!(hex::encode(Header::genesis().hash()), hex::encode(SANDBOX_GENESIS));
    }
}
