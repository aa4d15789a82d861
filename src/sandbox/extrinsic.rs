//! Extrinsics: their bytes taken apart, and the bytes that were signed put together again.

use parity_scale_codec::{Compact, Decode, Encode, Error};
use schnorrkel::Keypair;
use sp_crypto_hashing::blake2_256;
use subxt::utils::{Era, MultiSignature};

use super::block::{Hash, SANDBOX_GENESIS};
use super::metadata::Runtime;
use super::scale::take;

/// An account.
pub type Account = [u8; 32];

/// First byte of an extrinsic of version 4 without a signature, and of one with.
const BARE_V4: u8 = 0x04;
const SIGNED_V4: u8 = 0x84;
/// First byte of an extrinsic of version 5 without a signature.
const BARE_V5: u8 = 0x05;

/// Payloads longer than this are hashed before they are signed.
const MAX_UNHASHED: usize = 256;
/// What every sr25519 signature on a Substrate chain is made in the context of.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// First byte of a `MultiAddress` that is an account.
const ADDRESS_ID: u8 = 0;

/// What somebody may submit.
#[derive(Debug, Clone)]
pub enum Extrinsic {
    /// With a signature.
    Signed(Box<Signed>),
    /// With a signature, from a sender that is no account.
    Unaddressable,
    /// Without a signature: pallet and call.
    Bare([u8; 2]),
}

/// A signed extrinsic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Blake2-256 of the whole, its length included: how pools and clients name it.
    pub hash: Hash,
    /// The whole without the length that precedes it.
    pub bytes: Vec<u8>,
    /// Who signed it.
    pub signer: Account,
    /// The call.
    pub call: Vec<u8>,
    /// How many of the signer's extrinsics came before it.
    pub nonce: u32,
    /// What the signer offers on top of the fee, in rao.
    pub tip: u64,
    /// In which blocks it may be included.
    pub era: Era,
    /// Whether it is bound to a hash of the metadata.
    pub metadata_hash: bool,
    signature: MultiSignature,
    extra: Vec<u8>,
}

/// The block from which an era counts, seen from the block `current`.
pub const fn birth(era: Era, current: u64) -> u64 {
    match era {
        Era::Immortal => 0,
        Era::Mortal { period, phase } => current.saturating_sub(phase) / period * period + phase,
    }
}

/// The first block in which what has this era is not valid any more.
pub const fn death(era: Era, current: u64) -> u64 {
    match era {
        Era::Immortal => u64::MAX,
        Era::Mortal { period, .. } => birth(era, current) + period,
    }
}

/// Takes apart what was submitted, its length already removed.
pub fn decode(runtime: &Runtime, bytes: &[u8]) -> Result<Extrinsic, Error> {
    let mut rest = bytes;
    let extrinsic = match u8::decode(&mut rest)? {
        BARE_V4 | BARE_V5 => {
            let call = take(runtime.types(), runtime.call_type(), &mut rest)?;
            Extrinsic::Bare(*call.first_chunk().ok_or("A call has a pallet and an index")?)
        }
        SIGNED_V4 => decode_signed(runtime, bytes, &mut rest)?,
        _ => return Err("Invalid transaction version".into()),
    };
    if rest.is_empty() { Ok(extrinsic) } else { Err("Invalid length prefix".into()) }
}

fn decode_signed(runtime: &Runtime, bytes: &[u8], rest: &mut &[u8]) -> Result<Extrinsic, Error> {
    let types = runtime.types();
    let address = take(types, runtime.address_type(), rest)?;
    let signature = MultiSignature::decode(&mut take(types, runtime.signature_type(), rest)?)?;
    let before = *rest;
    let mut parts = Parts::default();
    for extension in runtime.extensions() {
        parts.read(&extension.identifier, take(types, extension.ty.id, rest)?)?;
    }
    let extra = before[..before.len() - rest.len()].to_vec();
    let call = take(types, runtime.call_type(), rest)?.to_vec();
    let Some((&ADDRESS_ID, account)) = address.split_first() else { return Ok(Extrinsic::Unaddressable) };
    Ok(Extrinsic::Signed(Box::new(Signed {
        hash: hash_of(bytes),
        bytes: bytes.to_vec(),
        signer: Account::try_from(account).map_err(|_| "An account has 32 bytes")?,
        call,
        nonce: parts.nonce,
        tip: parts.tip,
        era: parts.era,
        metadata_hash: parts.metadata_hash,
        signature,
        extra,
    })))
}

/// What an extrinsic is known by.
pub fn hash_of(bytes: &[u8]) -> Hash {
    blake2_256(&bytes.encode())
}

/// What the extensions say that concern us; the others are empty, or nobody's business here.
#[derive(Default)]
struct Parts {
    era: Era,
    nonce: u32,
    tip: u64,
    metadata_hash: bool,
}

impl Parts {
    fn read(&mut self, extension: &str, mut bytes: &[u8]) -> Result<(), Error> {
        match extension {
            "CheckMortality" => self.era = Era::decode(&mut bytes)?,
            "CheckNonce" => self.nonce = Compact::<u32>::decode(&mut bytes)?.0,
            "ChargeTransactionPayment" => self.tip = Compact::<u64>::decode(&mut bytes)?.0,
            "CheckMetadataHash" => self.metadata_hash = u8::decode(&mut bytes)? != 0,
            _ => {}
        }
        Ok(())
    }
}

/// Whether a signature is the signer's over a payload. What the runtime knows and we do not is never a good proof.
fn proves(signature: &MultiSignature, signer: &Account, payload: &[u8]) -> bool {
    match signature {
        MultiSignature::Sr25519(bytes) => schnorrkel::PublicKey::from_bytes(signer).is_ok_and(|key| {
            schnorrkel::Signature::from_bytes(bytes)
                .is_ok_and(|signature| key.verify_simple(SIGNING_CONTEXT, payload, &signature).is_ok())
        }),
        MultiSignature::Ed25519(bytes) => ed25519_zebra::VerificationKey::try_from(*signer)
            .is_ok_and(|key| key.verify(&ed25519_zebra::Signature::from(*bytes), payload).is_ok()),
        MultiSignature::Ecdsa(_) => false,
    }
}

impl Signed {
    /// Whether its signer signed it for this chain, this runtime, and an era that began with the block `birth`.
    pub fn is_proven(&self, runtime: &Runtime, birth: &Hash) -> bool {
        proves(&self.signature, &self.signer, &payload(&self.call, &self.extra, runtime, birth))
    }

    /// The whole as blocks and pools hand it out, with its length.
    pub fn encoded(&self) -> Vec<u8> {
        self.bytes.encode()
    }
}

/// The `Timestamp.set` that opens every block.
pub fn timestamp_inherent(call: [u8; 2], timestamp_ms: u64) -> Vec<u8> {
    (BARE_V4, call, Compact(timestamp_ms)).encode()
}

/// The bytes that are signed: the call, what the extensions say, and what they imply; hashed when they are many.
fn payload(call: &[u8], extra: &[u8], runtime: &Runtime, birth: &Hash) -> Vec<u8> {
    let payload = [call, extra, &implicit(runtime, birth)].concat();
    if payload.len() > MAX_UNHASHED { blake2_256(&payload).to_vec() } else { payload }
}

/// What is signed without being sent.
fn implicit(runtime: &Runtime, birth: &Hash) -> Vec<u8> {
    let mut out = Vec::new();
    for extension in runtime.extensions() {
        match extension.identifier.as_str() {
            "CheckSpecVersion" => runtime.version().spec_version.encode_to(&mut out),
            "CheckTxVersion" => runtime.version().transaction_version.encode_to(&mut out),
            "CheckGenesis" => out.extend(SANDBOX_GENESIS),
            "CheckMortality" => out.extend(birth),
            "CheckMetadataHash" => None::<Hash>.encode_to(&mut out),
            _ => {}
        }
    }
    out
}

/// An immortal extrinsic of one of our own key pairs, as an honest client of this runtime would sign it.
pub fn sign(runtime: &Runtime, pair: &Keypair, nonce: u32, call: &[u8]) -> Signed {
    let mut extra = Vec::new();
    for extension in runtime.extensions() {
        match extension.identifier.as_str() {
            // The immortal era, and no metadata hash.
            "CheckMortality" | "CheckMetadataHash" => extra.push(0),
            "CheckNonce" => Compact(nonce).encode_to(&mut extra),
            "ChargeTransactionPayment" => Compact(0u64).encode_to(&mut extra),
            _ => {}
        }
    }
    let signature = pair.sign_simple(SIGNING_CONTEXT, &payload(call, &extra, runtime, &SANDBOX_GENESIS)).to_bytes();
    let signer = pair.public.to_bytes();
    let bytes = [&[SIGNED_V4, ADDRESS_ID][..], &signer, &[1], &signature, &extra, call].concat();
    Signed {
        hash: hash_of(&bytes),
        bytes,
        signer,
        call: call.to_vec(),
        nonce,
        tip: 0,
        era: Era::Immortal,
        metadata_hash: false,
        signature: MultiSignature::Sr25519(signature),
        extra,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::accounts::key_pair;

    #[test]
    fn what_we_sign_ourselves_is_taken_apart_again_and_is_proven() {
        let runtime = Runtime::finney().unwrap();
        let call = (runtime.call_index("System", "remark").unwrap(), b"hello".to_vec()).encode();
        let signed = sign(&runtime, &key_pair("//uid7"), 3, &call);
        let Extrinsic::Signed(again) = decode(&runtime, &signed.bytes).unwrap() else { panic!("not signed") };
        assert_eq!(*again, signed);
        assert!(again.is_proven(&runtime, &SANDBOX_GENESIS));
        assert!(!again.is_proven(&runtime, &[0; 32]));
        assert!(!again.is_proven(&runtime.upgraded().unwrap(), &SANDBOX_GENESIS));
    }

    #[test]
    fn an_era_is_born_at_its_phase_and_dies_a_period_later() {
        let era = Era::Mortal { period: 64, phase: 14 };
        assert_eq!([78, 141, 142, 77].map(|current| birth(era, current)), [78, 78, 142, 14]);
        assert_eq!([78, 141].map(|current| death(era, current)), [142, 142]);
        assert_eq!((birth(Era::Immortal, 78), death(Era::Immortal, 78)), (0, u64::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), signed in any::<bool>()) {
            let runtime = Runtime::finney().unwrap();
            let bytes = if signed { [&[SIGNED_V4, ADDRESS_ID], &bytes[..]].concat() } else { bytes };
            if let Ok(Extrinsic::Signed(signed)) = decode(&runtime, &bytes) {
                prop_assert_eq!(signed.bytes, bytes);
            }
        }
    }
}
