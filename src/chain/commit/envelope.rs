//! What is signed and what is sent, built from the facts alone (FACTS 3): a node's metadata has no say in it.
//!
//! ```text
//! signed:  call | era | nonce | tip [| mode]  | spec | transactions | genesis | birth [| no hash]
//! sent:    length | 84 | 00 account | scheme signature | era | nonce | tip [| mode] | call
//! ```

use parity_scale_codec::{Compact, Encode};
use sp_crypto_hashing::blake2_256;
use subxt::config::substrate::MultiSignature;

use crate::domain::freshness::ERA_BLOCKS;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;

/// Longest payload that is signed as it is, in bytes; of a longer one the hash is.
const LONGEST_PAYLOAD: usize = 256;
/// A signed extrinsic of version 4.
const SIGNED_V4: u8 = 0x84;
/// An address that is an account's id.
const BY_ID: u8 = 0;
/// The hash of the metadata is not checked, and none is given.
const NO_METADATA_HASH: u8 = 0;

/// What surrounds a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chain) struct Envelope {
    /// Height and hash of the block it is born in.
    pub(in crate::chain) birth: (u64, BlockHash),
    /// The nonce.
    pub(in crate::chain) nonce: u64,
    /// Version of the runtime's specification.
    pub(in crate::chain) spec: u32,
    /// Version of the runtime's transactions.
    pub(in crate::chain) transactions: u32,
    /// The chain.
    pub(in crate::chain) genesis: BlockHash,
    /// Whether the runtime has `CheckMetadataHash`.
    pub(in crate::chain) has_metadata_hash: bool,
}

impl Envelope {
    /// The bytes to sign.
    pub(in crate::chain) fn payload(&self, call: &[u8]) -> Vec<u8> {
        let mut payload = [call, &self.sent()].concat();
        (self.spec, self.transactions).encode_to(&mut payload);
        payload.extend(self.genesis.0);
        payload.extend(self.birth.1.0);
        payload.extend(self.has_metadata_hash.then_some(NO_METADATA_HASH));
        if payload.len() > LONGEST_PAYLOAD { blake2_256(&payload).to_vec() } else { payload }
    }

    /// The bytes to send, the length before them included.
    pub(in crate::chain) fn extrinsic(&self, call: &[u8], hotkey: &Hotkey, signature: &MultiSignature) -> Vec<u8> {
        let mut extrinsic = vec![SIGNED_V4, BY_ID];
        extrinsic.extend(hotkey.as_bytes());
        signature.encode_to(&mut extrinsic);
        extrinsic.extend(self.sent());
        extrinsic.extend(call);
        extrinsic.encode()
    }

    /// What the extensions add to the extrinsic itself: no tip, and the rest as it is.
    fn sent(&self) -> Vec<u8> {
        let mut sent = self.era().to_vec();
        (Compact(self.nonce), Compact(0_u128)).encode_to(&mut sent);
        sent.extend(self.has_metadata_hash.then_some(NO_METADATA_HASH));
        sent
    }

    /// Four bits of the period's logarithm less one, above them the place of the birth in its period.
    fn era(&self) -> [u8; 2] {
        let era = u64::from(ERA_BLOCKS.trailing_zeros() - 1) | ((self.birth.0 % ERA_BLOCKS) << 4);
        let [low, high, ..] = era.to_le_bytes();
        [low, high]
    }
}
