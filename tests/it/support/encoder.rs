//! Extrinsics put together by hand from FACTS 3, without a library that reads metadata: what a client must send, and
//! everything that it could get wrong.

use std::sync::LazyLock;

use grail_console::sandbox::{NETUID, SANDBOX_GENESIS, Sandbox};
use parity_scale_codec::{Compact, Encode};
use sp_crypto_hashing::blake2_256;

/// Spec and transaction version of the newest runtime.
const SPEC: u32 = 475;
const TRANSACTION_VERSION: u32 = 1;

/// The development phrase on whose hard paths the practice hotkeys lie.
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

/// Who signs.
#[derive(Clone)]
pub enum Signer {
    Sr25519(schnorrkel::Keypair),
    Ed25519(ed25519_zebra::SigningKey),
}

impl Signer {
    /// The hotkey of a uid: `//uid{n}` on the development phrase.
    pub fn uid(uid: u16) -> Self {
        // Two thousand rounds of a hash lie between phrase and key.
        static ROOT: LazyLock<schnorrkel::MiniSecretKey> = LazyLock::new(|| {
            let entropy = bip39::Mnemonic::parse(PHRASE).unwrap().to_entropy();
            substrate_bip39::mini_secret_from_entropy(&entropy, "").unwrap()
        });
        let mut code = format!("uid{uid}").encode();
        code.resize(32, 0);
        let code = schnorrkel::derive::ChainCode(code.try_into().unwrap());
        let mode = || schnorrkel::ExpansionMode::Ed25519;
        let (child, _) = ROOT.expand(mode()).hard_derive_mini_secret_key(Some(code), b"");
        Self::Sr25519(child.expand_to_keypair(mode()))
    }

    /// An ed25519 key that nobody else has.
    pub fn ed25519(seed: u8) -> Self {
        Self::Ed25519(ed25519_zebra::SigningKey::from([seed; 32]))
    }

    pub fn account(&self) -> [u8; 32] {
        match self {
            Self::Sr25519(pair) => pair.public.to_bytes(),
            Self::Ed25519(key) => key.verification_key().into(),
        }
    }

    /// Scheme and signature.
    fn sign(&self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Sr25519(pair) => [&[1], &pair.sign_simple(b"substrate", payload).to_bytes()[..]].concat(),
            Self::Ed25519(key) => [&[0], &key.sign(payload).to_bytes()[..]].concat(),
        }
    }
}

/// An extrinsic in the making; each field is what an honest client would take, until a test changes it.
#[derive(Clone)]
pub struct Offer {
    pub signer: Signer,
    pub call: Vec<u8>,
    pub nonce: u32,
    pub tip: u64,
    /// Number and hash of the block of birth, and the period; `None` is immortal.
    pub era: Option<(u32, [u8; 32], u64)>,
    pub genesis: [u8; 32],
    pub spec: u32,
    pub transaction_version: u32,
    /// Mode of `CheckMetadataHash`.
    pub mode: u8,
    /// Scheme to claim instead of the signer's.
    pub scheme: Option<u8>,
}

impl Offer {
    /// The commitment of a uid, mortal from the best block on.
    pub fn of(sandbox: &Sandbox, uid: u16, nonce: u32, content: &[u8; 128]) -> Self {
        Self::by(sandbox, Signer::uid(uid), nonce, set_commitment(NETUID, content))
    }

    pub fn by(sandbox: &Sandbox, signer: Signer, nonce: u32, call: Vec<u8>) -> Self {
        let best = sandbox.best();
        Self {
            signer,
            call,
            nonce,
            tip: 0,
            era: Some((best.number(), best.hash, 64)),
            genesis: SANDBOX_GENESIS,
            spec: SPEC,
            transaction_version: TRANSACTION_VERSION,
            mode: 0,
            scheme: None,
        }
    }

    /// What the extensions carry: era, nonce, tip, mode; all others are empty.
    fn extra(&self) -> Vec<u8> {
        let era = self.era.map_or_else(|| vec![0], |(number, _, period)| mortal(u64::from(number), period));
        [era, Compact(self.nonce).encode(), Compact(self.tip).encode(), vec![self.mode]].concat()
    }

    /// What is signed.
    pub fn payload(&self) -> Vec<u8> {
        let birth = self.era.map_or(self.genesis, |(_, hash, _)| hash);
        let implicit = (self.spec, self.transaction_version, self.genesis, birth, None::<[u8; 32]>).encode();
        [self.call.clone(), self.extra(), implicit].concat()
    }

    /// What is sent.
    pub fn extrinsic(&self) -> Vec<u8> {
        let payload = self.payload();
        let signed = if payload.len() > 256 { blake2_256(&payload).to_vec() } else { payload };
        let mut signature = self.signer.sign(&signed);
        if let Some(scheme) = self.scheme {
            signature[0] = scheme;
            // An ecdsa signature is one byte longer.
            signature.resize(if scheme == 2 { 66 } else { 65 }, 0);
        }
        let account = self.signer.account();
        [&[0x84, 0x00], &account[..], &signature, &self.extra(), &self.call].concat().encode()
    }
}

fn mortal(birth: u64, period: u64) -> Vec<u8> {
    let quantize = (period >> 12).max(1);
    let phase = birth % period / quantize;
    let encoded = u16::try_from(u64::from(period.trailing_zeros() - 1).clamp(1, 15) | phase << 4).unwrap();
    encoded.encode()
}

/// `Commitments.set_commitment` with one field of 128 bytes.
pub fn set_commitment(netuid: u16, content: &[u8; 128]) -> Vec<u8> {
    [&[0x12, 0x00][..], &netuid.to_le_bytes(), &[0x04, 0x81], content].concat()
}

/// `System.remark`.
pub fn remark(text: &[u8]) -> Vec<u8> {
    ([0u8, 0u8], text.to_vec()).encode()
}

/// How pools and clients name an extrinsic.
pub fn hash_of(extrinsic: &[u8]) -> [u8; 32] {
    blake2_256(extrinsic)
}

pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
