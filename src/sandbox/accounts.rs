//! Who is on the sandbox subnet: hotkeys and bucket credentials, the same on every start.

use std::sync::OnceLock;

use parity_scale_codec::Encode;
use schnorrkel::derive::ChainCode;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;

/// The GRAIL subnet.
pub const NETUID: u16 = 81;
/// The uid of the operator who practises.
pub const OPERATOR_UID: u16 = 42;
/// The trainer's uid.
pub const TRAINER_UID: u16 = 0;
/// Uids with a validator permit: the trainer and 15 more.
pub const VALIDATORS: u16 = 16;

/// Seed of the well-known development phrase ("bottom drive obey lake curtain smoke basket hold race lonely fit walk").
/// Everybody knows it; it guards nothing.
const DEVELOPMENT_SEED: [u8; 32] = [
    0xfa, 0xc7, 0x95, 0x9d, 0xbf, 0xe7, 0x2f, 0x05, 0x2e, 0x5a, 0x0c, 0x3c, 0x8d, 0x65, 0x30, 0xf2, 0x02, 0xb0, 0x2f,
    0xd8, 0xf9, 0xf5, 0xca, 0x35, 0x80, 0xec, 0x8d, 0xeb, 0x77, 0x97, 0x47, 0x9e,
];

/// Uids below this have real sr25519 keys; above it, deriving one by one would take seconds, and nobody signs for them.
const REAL_KEYS: u16 = 1024;

/// The sr25519 key pair at a hard path (`//uid7`) of the development phrase.
pub fn key_pair(path: &str) -> Keypair {
    let mini = MiniSecretKey::from_bytes(&DEVELOPMENT_SEED).unwrap_or_else(|_| MiniSecretKey::generate());
    let (child, _) = mini.expand(ExpansionMode::Ed25519).hard_derive_mini_secret_key(Some(chain_code(path)), b"");
    child.expand_to_keypair(ExpansionMode::Ed25519)
}

/// The SCALE-encoded name of a junction, padded with zeros (names here are short enough never to need hashing).
fn chain_code(path: &str) -> ChainCode {
    let encoded = path.trim_start_matches('/').encode();
    let mut code = [0; 32];
    let length = encoded.len().min(code.len());
    code[..length].copy_from_slice(&encoded[..length]);
    ChainCode(code)
}

/// Hotkey of a uid: `//uid{n}` on the development phrase below 1024, else 32 deterministic bytes to which no
/// secret is known.
pub fn hotkey(uid: u16) -> Hotkey {
    static REAL: OnceLock<Vec<OnceLock<[u8; 32]>>> = OnceLock::new();
    let real = REAL.get_or_init(|| (0..REAL_KEYS).map(|_| OnceLock::new()).collect());
    let bytes = real.get(usize::from(uid)).map_or_else(
        || mixed(uid, Purpose::Hotkey),
        |cell| *cell.get_or_init(|| key_pair(&format!("//uid{uid}")).public.to_bytes()),
    );
    Hotkey::from_bytes(bytes)
}

/// The key pair of a hotkey that is one of the uids' with a real key.
pub fn key_pair_of(account: &[u8; 32]) -> Option<Keypair> {
    let uid = (0..REAL_KEYS).find(|uid| hotkey(*uid).as_bytes() == account)?;
    Some(key_pair(&format!("//uid{uid}")))
}

/// Hotkey of somebody who was on the subnet before: `//former{n}`.
pub fn former_hotkey(index: u16) -> Hotkey {
    Hotkey::from_bytes(key_pair(&format!("//former{index}")).public.to_bytes())
}

/// Coldkey of a subnet's owner: `//owner{netuid}`.
pub fn owner_coldkey(netuid: u16) -> Hotkey {
    Hotkey::from_bytes(key_pair(&format!("//owner{netuid}")).public.to_bytes())
}

/// R2-shaped credentials of one uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Account id and bucket name.
    pub account: String,
    /// Id of the key that reads.
    pub read_key_id: String,
    /// Secret of the key that reads.
    pub read_secret: SecretKey,
    /// Id of the key that writes.
    pub write_key_id: String,
    /// Secret of the key that writes.
    pub write_secret: SecretKey,
}

impl Credentials {
    /// Those of a uid; `generation` counts the read keys it has had (the account and the write key stay).
    pub fn of(uid: u16, generation: u8) -> Self {
        Self {
            account: account(uid),
            read_key_id: key_id(uid, Purpose::Read(generation)),
            read_secret: SecretKey::new(secret(uid, Purpose::Read(generation))),
            write_key_id: key_id(uid, Purpose::Write),
            write_secret: SecretKey::new(secret(uid, Purpose::Write)),
        }
    }

    /// The 128 characters that publish the read key.
    pub fn read_commitment(&self) -> String {
        [self.account.as_str(), &self.read_key_id, self.read_secret.expose()].concat()
    }

    /// The 128 characters that GRAIL publishes when only the write pair is configured: the write key.
    pub fn write_commitment(&self) -> String {
        [self.account.as_str(), &self.write_key_id, self.write_secret.expose()].concat()
    }
}

/// [`Credentials::read_commitment`] of a uid's first read key, without wrapping 65,536 secrets on the way.
pub fn ordinary_commitment(uid: u16) -> String {
    let first = Purpose::Read(0);
    account(uid) + &key_id(uid, first) + &secret(uid, first)
}

/// One of the keys of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketKey {
    /// The read key of a generation.
    Read(u8),
    /// The write key.
    Write,
}

impl BucketKey {
    const fn purpose(self) -> Purpose {
        match self {
            Self::Read(generation) => Purpose::Read(generation),
            Self::Write => Purpose::Write,
        }
    }

    /// Its id without the hex, for maps of many.
    pub fn id(self, uid: u16) -> [u8; 16] {
        half(uid, self.purpose())
    }

    /// Its secret in hex.
    pub fn secret(self, uid: u16) -> String {
        secret(uid, self.purpose())
    }
}

/// A uid's account id, and the name of its bucket, without the hex.
pub fn account_id(uid: u16) -> [u8; 16] {
    half(uid, Purpose::Account)
}

/// What a uid's bytes are for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Hotkey,
    Account,
    Write,
    Read(u8),
}

impl Purpose {
    const fn tag(self) -> u64 {
        match self {
            Self::Hotkey => 1,
            Self::Account => 2,
            Self::Write => 3,
            Self::Read(generation) => 0x100 + generation as u64,
        }
    }
}

fn account(uid: u16) -> String {
    hex::encode(account_id(uid))
}

fn key_id(uid: u16, purpose: Purpose) -> String {
    hex::encode(half(uid, purpose))
}

fn half(uid: u16, purpose: Purpose) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&mixed(uid, purpose)[..16]);
    half
}

/// R2's secrets are SHA-256 hashes; this one looks like it and is unrelated to the key id.
fn secret(uid: u16, purpose: Purpose) -> String {
    hex::encode(mixed(!uid, purpose))
}

/// 32 bytes that differ for every uid and purpose (SplitMix64). Not a cryptographic hash: nothing here guards anything,
/// and 65,536 uids must not take seconds to invent.
fn mixed(uid: u16, purpose: Purpose) -> [u8; 32] {
    let mut state = (u64::from(uid) << 32 | purpose.tag()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hotkeys_are_those_of_the_well_known_development_phrase() {
        assert_eq!(hotkey(44).to_string(), "5HjjWKka3CWSAML5oZnptrveBhMGTRzSHe8nBXVqpSWUXAoL");
        assert_eq!(hotkey(45).to_string(), "5C4mU6ugvST8z2BUrD4eFpQZ5ZgwnQyG8S7ZivYCJxtS2pyc");
    }

    #[test]
    fn no_two_uids_share_an_account_a_key_or_an_invented_hotkey() {
        let distinct = |of: fn(u16) -> String| (0..=u16::MAX).map(of).collect::<std::collections::HashSet<_>>().len();
        assert_eq!(distinct(account), 65_536);
        assert_eq!(distinct(|uid| key_id(uid, Purpose::Read(0))), 65_536);
        assert_eq!(distinct(|uid| hex::encode(mixed(uid, Purpose::Hotkey))), 65_536);
    }

    #[test]
    fn every_uid_has_its_own_hotkey_and_credentials_of_r2_s_shape() {
        let (one, other) = (Credentials::of(7, 0), Credentials::of(8, 0));
        assert_ne!(one, other);
        assert_ne!(one.read_key_id, Credentials::of(7, 1).read_key_id);
        assert_eq!(one.account, Credentials::of(7, 1).account);
        assert_eq!(one.read_commitment().len(), 128);
        assert_eq!(one.read_commitment(), ordinary_commitment(7));
        assert_eq!(one.write_commitment().len(), 128);
        assert_ne!(hotkey(2000), hotkey(2001));
    }
}
