//! A signed extrinsic taken apart up to its call, and the bytes that were signed put together again.
//!
//! The types of address, signature and extensions come from the metadata of the runtime that took the extrinsic, and were
//! judged before. The call is what is left: calls nest as deep as their author likes, so none is decoded here but the one
//! that is looked for.

use frame_decode::extrinsics::ExtrinsicTypeInfo as _;
use parity_scale_codec::{Compact, Decode, Encode as _};
use scale_decode::visitor::{IgnoreVisitor, decode_with_visitor};
use scale_info::PortableRegistry;
use sp_crypto_hashing::blake2_256;
use subxt::Metadata;
use subxt::utils::{Era, MultiSignature};

use crate::chain::budget::Budget;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Limit, Scheme};
use crate::domain::untrusted::Untrusted;

/// A signed extrinsic of version 4.
const SIGNED_V4: u8 = 0x84;
/// An address that is an account's id.
const BY_ID: u8 = 0;
/// Payloads longer than this are hashed before they are signed, in bytes.
const LONGEST_PAYLOAD: usize = 256;
/// What every sr25519 signature on a Substrate chain is made in the context of.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// An extrinsic up to its call.
#[derive(Debug)]
pub(super) struct DecodedExtrinsic<'b> {
    /// Who signed it, where the address is an account.
    pub(super) signer: Option<Hotkey>,
    /// The call: pallet, index, arguments.
    pub(super) call: &'b [u8],
    /// The account's nonce.
    pub(super) nonce: u64,
    signature: &'b [u8],
    /// What the extensions say.
    explicit: &'b [u8],
    era: Era,
    binds_metadata: bool,
    /// Extensions by name, with the types of what they imply.
    extensions: Vec<(String, u32)>,
}

/// What a signature binds beside what stands in the extrinsic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Version of the runtime's specification.
    pub(super) spec: u32,
    /// Version of the runtime's transactions.
    pub(super) transactions: u32,
    /// The chain.
    pub(super) genesis: BlockHash,
    /// The block in which the era was born.
    pub(super) birth: BlockHash,
}

/// Takes a signed extrinsic apart, its length included; `None` for what is none, or not of this runtime.
pub(super) fn decode_extrinsic<'b>(metadata: &Metadata, bytes: &'b [u8]) -> Option<DecodedExtrinsic<'b>> {
    let mut rest = bytes;
    let length = usize::try_from(Compact::<u32>::decode(&mut rest).ok()?.0).ok()?;
    if rest.len() != length || u8::decode(&mut rest).ok()? != SIGNED_V4 {
        return None;
    }
    let types = metadata.types();
    let signed_by = metadata.extrinsic_signature_info().ok()?;
    let address = take(types, signed_by.address_id, &mut rest)?;
    let signature = take(types, signed_by.signature_id, &mut rest)?;
    let before = rest;
    let (mut nonce, mut era, mut binds_metadata) = (0, Era::Immortal, false);
    let mut extensions = Vec::new();
    for extension in metadata.extrinsic_extension_info(None).ok()?.extension_ids {
        let mut said = take(types, extension.id, &mut rest)?;
        match &*extension.name {
            "CheckMortality" | "CheckEra" => era = Era::decode(&mut said).ok()?,
            "CheckNonce" => nonce = Compact::<u64>::decode(&mut said).ok()?.0,
            "CheckMetadataHash" => binds_metadata = u8::decode(&mut said).ok()? != 0,
            _ => {}
        }
        extensions.push((extension.name.into_owned(), extension.implicit_id));
    }
    let explicit = &before[..before.len() - rest.len()];
    let signer = match address.split_first() {
        Some((&BY_ID, account)) => account.try_into().ok().map(Hotkey::from_bytes),
        _ => None,
    };
    Some(DecodedExtrinsic { signer, call: rest, nonce, signature, explicit, era, binds_metadata, extensions })
}

/// The bytes of a value at the front.
fn take<'b>(types: &PortableRegistry, id: u32, rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let before = *rest;
    decode_with_visitor(rest, id, types, IgnoreVisitor::new()).ok()?;
    before.get(..before.len() - rest.len())
}

impl DecodedExtrinsic<'_> {
    /// The block in which its era was born, seen from the block that holds it; `None` for one that never dies.
    pub(super) fn born(&self, held_in: u64) -> Option<u64> {
        match self.era {
            Era::Immortal => None,
            Era::Mortal { period: 0, .. } => Some(held_in),
            Era::Mortal { period, phase } => Some(held_in.saturating_sub(phase) / period * period + phase),
        }
    }

    /// How it is signed, if it is by its signer: over the call, what the extensions say, and what they imply.
    pub(super) fn verified(&self, metadata: &Metadata, bound: &Bound) -> Result<Option<Scheme>, Limit> {
        let mut payload = [self.call, self.explicit].concat();
        self.implied(metadata, bound, &mut payload)?;
        if payload.len() > LONGEST_PAYLOAD {
            payload = blake2_256(&payload).to_vec();
        }
        let Some(signer) = &self.signer else { return Ok(None) };
        let unknown = |what: &str| Limit::UnknownScheme { what: what.to_owned() };
        let signature = MultiSignature::decode(&mut &*self.signature).map_err(|_| unknown("no known scheme"))?;
        let (scheme, holds) = match signature {
            MultiSignature::Sr25519(bytes) => (Scheme::Sr25519, sr25519(signer, &bytes, &payload)),
            MultiSignature::Ed25519(bytes) => (Scheme::Ed25519, ed25519(signer, bytes, &payload)),
            MultiSignature::Ecdsa(_) => return Err(unknown("ecdsa")),
        };
        Ok(holds.then_some(scheme))
    }

    fn implied(&self, metadata: &Metadata, bound: &Bound, out: &mut Vec<u8>) -> Result<(), Limit> {
        if self.binds_metadata {
            return Err(Limit::MetadataHash);
        }
        for (name, implied) in &self.extensions {
            match name.as_str() {
                "CheckSpecVersion" => bound.spec.encode_to(out),
                "CheckTxVersion" => bound.transactions.encode_to(out),
                "CheckGenesis" => out.extend(bound.genesis.0),
                "CheckMortality" | "CheckEra" => out.extend(bound.birth.0),
                "CheckMetadataHash" => out.push(0),
                _ if Budget::new(metadata.types()).of(*implied).is_ok_and(|cost| cost.most == Some(0)) => {}
                other => return Err(Limit::UnknownExtension { name: Untrusted::from_text(other) }),
            }
        }
        Ok(())
    }
}

fn sr25519(signer: &Hotkey, signature: &[u8; 64], payload: &[u8]) -> bool {
    let key = schnorrkel::PublicKey::from_bytes(signer.as_bytes());
    let signature = schnorrkel::Signature::from_bytes(signature);
    key.is_ok_and(|key| signature.is_ok_and(|of| key.verify_simple(SIGNING_CONTEXT, payload, &of).is_ok()))
}

fn ed25519(signer: &Hotkey, signature: [u8; 64], payload: &[u8]) -> bool {
    let key = ed25519_zebra::VerificationKey::try_from(*signer.as_bytes());
    key.is_ok_and(|key| key.verify(&ed25519_zebra::Signature::from(signature), payload).is_ok())
}

/// `Pallet.call` of a call's first two bytes.
pub(super) fn call_name(metadata: &Metadata, call: &[u8]) -> Untrusted {
    let named = call.first_chunk::<2>().and_then(|[pallet, index]| {
        let pallet = metadata.pallet_by_call_index(*pallet)?;
        Some(format!("{}.{}", pallet.name(), pallet.call_variant_by_index(*index)?.name))
    });
    Untrusted::from_text(named.unwrap_or_else(|| "a call without a name".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use subxt::utils::MultiSignature;

    use super::*;
    use crate::chain::commit::envelope::Envelope;
    use crate::chain::commit::runtime::Runtime;

    const FINNEY: &[u8] = include_bytes!("../../../assets/metadata/finney-spec-365.v16.scale");
    const BIRTH: BlockHash = BlockHash([7; 32]);
    const GENESIS: BlockHash = BlockHash([9; 32]);

    fn runtime() -> &'static Runtime {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| Runtime::of(FINNEY, 365, 1).unwrap())
    }

    fn bound() -> Bound {
        Bound { spec: 365, transactions: 1, genesis: GENESIS, birth: BIRTH }
    }

    /// An extrinsic as the console itself sends it, by a key of its own.
    fn sent(netuid: u8) -> (Vec<u8>, Hotkey) {
        let pair = schnorrkel::MiniSecretKey::from_bytes(&[3; 32]).unwrap();
        let pair = pair.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
        let hotkey = Hotkey::from_bytes(pair.public.to_bytes());
        let call = [&[18, 0, netuid, 0, 4, 0x81][..], &[b'x'; 128]].concat();
        let envelope = Envelope {
            birth: (1_000, BIRTH),
            nonce: 6,
            spec: 365,
            transactions: 1,
            genesis: GENESIS,
            has_metadata_hash: true,
        };
        let signature = pair.sign_simple(SIGNING_CONTEXT, &envelope.payload(&call)).to_bytes();
        (envelope.extrinsic(&call, &hotkey, &MultiSignature::Sr25519(signature)), hotkey)
    }

    fn scheme(bytes: &[u8], bound: &Bound) -> Option<Scheme> {
        let runtime = runtime();
        decode_extrinsic(&runtime.metadata, bytes)?.verified(&runtime.metadata, bound).ok().flatten()
    }

    #[test]
    fn what_the_console_sends_is_taken_apart_and_verified() {
        let (bytes, hotkey) = sent(81);
        let runtime = runtime();
        let apart = decode_extrinsic(&runtime.metadata, &bytes).unwrap();
        assert_eq!((apart.signer, apart.nonce, apart.born(1_010)), (Some(hotkey), 6, Some(1_000)));
        assert_eq!(apart.born(1_063), Some(1_000), "an era of 64 blocks");
        assert_eq!(apart.verified(&runtime.metadata, &bound()), Ok(Some(Scheme::Sr25519)));
        assert_eq!(call_name(&runtime.metadata, apart.call).shown(), "Commitments.set_commitment");
    }

    #[test]
    fn no_flipped_bit_anywhere_is_verified() {
        let (bytes, _) = sent(81);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(scheme(&flipped, &bound()), None, "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn another_chain_runtime_or_birth_is_not_what_was_signed() {
        let (bytes, _) = sent(81);
        let other = [
            Bound { spec: 366, ..bound() },
            Bound { transactions: 2, ..bound() },
            Bound { genesis: BlockHash([1; 32]), ..bound() },
            Bound { birth: BlockHash([1; 32]), ..bound() },
        ];
        assert_eq!(scheme(&bytes, &bound()), Some(Scheme::Sr25519));
        for bound in other {
            assert_eq!(scheme(&bytes, &bound), None, "{bound:?}");
        }
    }

    #[test]
    fn a_signature_does_not_move_to_another_netuid_nonce_or_signer() {
        let (bytes, hotkey) = sent(81);
        let (other, _) = sent(82);
        let call = bytes.len() - 134;
        let moved = [&other[..call], &bytes[call..]].concat();
        assert_eq!(scheme(&moved, &bound()), None, "the signature of netuid 82 over the call of 81");
        let place = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
        let mut nonce = bytes.clone();
        // Era of two bytes, then the nonce as a compact number.
        nonce[call - 3] = 7 << 2;
        assert_eq!(bytes[call - 3], 6 << 2);
        assert_eq!(scheme(&nonce, &bound()), None, "another nonce");
        let mut signer = bytes.clone();
        signer[place(hotkey.as_bytes())..][..32].copy_from_slice(&[5; 32]);
        assert_eq!(scheme(&signer, &bound()), None, "another signer");
    }

    #[test]
    fn a_hash_of_the_metadata_is_not_taken_on_trust() {
        let (mut bytes, _) = sent(81);
        let mode = bytes.len() - 134 - 1;
        assert_eq!(bytes[mode], 0);
        bytes[mode] = 1;
        let runtime = runtime();
        let apart = decode_extrinsic(&runtime.metadata, &bytes).unwrap();
        assert_eq!(apart.verified(&runtime.metadata, &bound()), Err(Limit::MetadataHash));
    }

    #[test]
    fn any_bytes_are_taken_apart_or_not_and_never_a_panic() {
        let runtime = runtime();
        let (bytes, _) = sent(81);
        for length in 0..bytes.len() {
            let cut =
                [Compact(u32::try_from(length).unwrap()).encode(), bytes[2..2 + length.min(bytes.len() - 2)].to_vec()];
            let _ = decode_extrinsic(&runtime.metadata, &cut.concat());
        }
        // Calls within calls, a hundred thousand deep, are not followed.
        let head = &bytes[2..bytes.len() - 134];
        let deep = [head, &[11, 0, 4].repeat(100_000)].concat();
        let deep = [Compact(u32::try_from(deep.len()).unwrap()).encode(), deep].concat();
        assert!(decode_extrinsic(&runtime.metadata, &deep).is_some());
    }
}
