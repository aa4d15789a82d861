//! The extrinsic: built here, compared with what the library makes of the node's metadata, signed by the hotkey.

use std::fmt;
use std::sync::Arc;

use parity_scale_codec::{Compact, Encode};
use scale_value::{Composite, Value};
use sp_crypto_hashing::blake2_256;
use subxt::client::OfflineClientAtBlock;
use subxt::config::substrate::{AccountId32, H256, MultiSignature, SubstrateConfig, SubstrateExtrinsicParamsBuilder};
use subxt::transactions::{DynamicPayload, dynamic};
use thiserror::Error;

use super::envelope::Envelope;
use super::runtime::Runtime;
use crate::domain::commit::HotkeyState;
use crate::domain::freshness::ERA_BLOCKS;
use crate::domain::guard::Cleared;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;
use crate::wallet::{Scheme, Signer};

/// Indices of `Commitments.set_commitment` (FACTS 3). A runtime that moves them is refused until this version knows why.
const PALLET_AND_CALL: [u8; 2] = [0x12, 0x00];
/// `Data::Raw128`.
const RAW_128: u8 = 0x81;
/// Bytes of the call.
pub const CALL_BYTES: usize = 134;

/// The call as it must be, byte for byte: `12 00 | netuid | 04 | 81 | 128 bytes` (FACTS 3).
pub fn call_bytes(netuid: u16, commitment: &[u8]) -> Vec<u8> {
    let mut call = Vec::with_capacity(CALL_BYTES);
    call.extend(PALLET_AND_CALL);
    call.extend(netuid.to_le_bytes());
    // One field.
    Compact(1_u32).encode_to(&mut call);
    call.push(RAW_128);
    call.extend_from_slice(commitment);
    call
}

/// Why nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DraftError {
    /// The node's metadata maps the call to other bytes (THREATS T4).
    #[error("the node's metadata encodes the call as other bytes than those built here")]
    OtherCall,
    /// The node's metadata surrounds the call with something else: another era, nonce, chain or order (THREATS T4).
    #[error("the node's metadata surrounds the call with other bytes than those built here")]
    OtherPayload,
    /// The key that was opened is another one.
    #[error("the key that was opened is not that of the hotkey in the plan")]
    OtherSigner,
    /// The metadata has no such call, or it takes something else.
    #[error("this runtime has no call Commitments.set_commitment as this version knows it ({0:?})")]
    NoCall(Untrusted),
    /// An extension that is neither a standard one nor empty.
    #[error("the runtime demands something in its transactions that this version does not know ({0:?})")]
    Extension(Untrusted),
}

impl DraftError {
    /// Whether it is the metadata's fault.
    pub const fn is_of_the_metadata(&self) -> bool {
        !matches!(self, Self::OtherSigner)
    }
}

/// A call that was compared, ready to be signed. `Debug` shows no byte of it.
pub struct Draft {
    runtime: Arc<Runtime>,
    call: Vec<u8>,
    cleared: Cleared,
    netuid: u16,
    hotkey: Hotkey,
    standing: HotkeyState,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft(nonce {}, from #{})", self.standing.nonce, self.standing.at.number)
    }
}

/// A signed extrinsic, the length before it included. `Debug` shows its hash alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    bytes: Vec<u8>,
    /// Blake2-256 of the bytes, by which nodes name it.
    pub hash: BlockHash,
}

impl Signed {
    /// The bytes for the pool.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({})", self.hash)
    }
}

impl Draft {
    pub(super) fn of(
        runtime: Arc<Runtime>,
        netuid: u16,
        hotkey: Hotkey,
        standing: &HotkeyState,
        cleared: &Cleared,
    ) -> Result<Self, DraftError> {
        let call = call_bytes(netuid, cleared.bytes());
        let draft = Self { runtime, call, cleared: cleared.clone(), netuid, hotkey, standing: standing.clone() };
        if draft.encoded_by_the_node()? != draft.call {
            return Err(DraftError::OtherCall);
        }
        // What would stop the signing is told before anybody is asked to confirm.
        draft.signed_by(|_| MultiSignature::Sr25519([0; 64]))?;
        Ok(draft)
    }

    fn encoded_by_the_node(&self) -> Result<Vec<u8>, DraftError> {
        let client = self.client()?;
        client.transactions().call_data(&self.payload()).map_err(|error| no_call(&error))
    }

    fn payload(&self) -> DynamicPayload<Composite<()>> {
        let field = Value::unnamed_variant("Raw128", [Value::from_bytes(self.cleared.bytes())]);
        let info = Value::named_composite([("fields", Value::unnamed_composite([field]))]);
        let arguments = [("netuid", Value::u128(self.netuid.into())), ("info", info)];
        dynamic("Commitments", "set_commitment", Composite::named(arguments))
    }

    fn client(&self) -> Result<OfflineClientAtBlock<SubstrateConfig>, DraftError> {
        let client = self.runtime.client(self.standing.chain.genesis);
        client.ok_or_else(|| DraftError::NoCall("the metadata was not taken".into()))
    }

    /// Signs with the hotkey: mortal for 64 blocks from the finalized head, no tip.
    pub fn sign(self, signer: &Signer) -> Result<Signed, DraftError> {
        if signer.hotkey() != self.hotkey {
            return Err(DraftError::OtherSigner);
        }
        self.signed_by(|payload| {
            let signature = signer.sign(payload);
            match signature.scheme {
                Scheme::Sr25519 => MultiSignature::Sr25519(signature.bytes),
                Scheme::Ed25519 => MultiSignature::Ed25519(signature.bytes),
            }
        })
    }

    /// What surrounds the call, whatever the node's metadata says.
    fn envelope(&self) -> Envelope {
        let at = self.standing.at;
        Envelope {
            birth: (at.number, at.hash),
            nonce: self.standing.nonce,
            spec: self.runtime.spec,
            transactions: self.runtime.transactions,
            genesis: self.standing.chain.genesis,
            has_metadata_hash: self.runtime.has_metadata_hash,
        }
    }

    /// The library follows the node's metadata; both its payload and its extrinsic must be those built here, byte for byte.
    fn signed_by(&self, sign: impl FnOnce(&[u8]) -> MultiSignature) -> Result<Signed, DraftError> {
        let at = self.standing.at;
        let parameters = SubstrateExtrinsicParamsBuilder::<SubstrateConfig>::new()
            .nonce(self.standing.nonce)
            .tip(0)
            .mortal_from_unchecked(ERA_BLOCKS, at.number, H256(at.hash.0))
            .build();
        let client = self.client()?;
        let call = self.payload();
        let transactions = client.transactions();
        let mut signable =
            transactions.create_v4_signable_offline(&call, parameters).map_err(|error| extension(&error))?;
        let envelope = self.envelope();
        let payload = envelope.payload(&self.call);
        if signable.signer_payload().map_err(|error| extension(&error))? != payload {
            return Err(DraftError::OtherPayload);
        }
        let (account, signature) = (AccountId32(*self.hotkey.as_bytes()), sign(&payload));
        let bytes = envelope.extrinsic(&self.call, &self.hotkey, &signature);
        let submittable = signable.sign_with_account_and_signature(&account, &signature);
        if submittable.map_err(|error| extension(&error))?.into_encoded() != bytes {
            return Err(DraftError::OtherPayload);
        }
        Ok(Signed { hash: BlockHash(blake2_256(&bytes)), bytes })
    }
}

fn no_call(error: &dyn std::error::Error) -> DraftError {
    DraftError::NoCall(Untrusted::from_text(error.to_string()))
}

fn extension(error: &dyn std::error::Error) -> DraftError {
    DraftError::Extension(Untrusted::from_text(chain_of(error)))
}

/// An error with what caused it: the library names the extension in the cause.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
