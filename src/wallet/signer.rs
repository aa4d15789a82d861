//! An unlocked hotkey.

use std::fmt;

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};
use zeroize::Zeroizing;

use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;

/// The context in which every Substrate chain signs with sr25519.
const CONTEXT: &[u8] = b"substrate";

/// The curve and signature scheme of a key. A key file names it by number: 0 ed25519, 1 sr25519 (FACTS 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Schnorr over ristretto255: what hotkeys are, but for a few.
    Sr25519,
    /// EdDSA over edwards25519.
    Ed25519,
}

/// A signature; public as soon as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The scheme it verifies under.
    pub scheme: Scheme,
    /// The signature itself.
    pub bytes: [u8; 64],
}

/// An unlocked hotkey. Its address is all that it shows; the key is wiped when it is dropped.
pub struct Signer {
    hotkey: Hotkey,
    /// Boxed, so that moving the signer leaves no copy of the key behind.
    pair: Box<Pair>,
    secrets: Vec<SecretKey>,
}

impl Signer {
    /// `secrets` are the texts by which the key could be given away.
    pub(super) fn new(pair: Box<Pair>, secrets: Vec<SecretKey>) -> Self {
        Self { hotkey: pair.hotkey(), pair, secrets }
    }

    /// The address it signs for, derived from the key itself.
    pub const fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// The scheme of its signatures.
    pub fn scheme(&self) -> Scheme {
        match *self.pair {
            Pair::Sr25519(_) => Scheme::Sr25519,
            Pair::Ed25519(_) => Scheme::Ed25519,
        }
    }

    /// Signs the bytes as they are: hashing a payload of more than 256 bytes is the extrinsic's business.
    pub fn sign(&self, payload: &[u8]) -> Signature {
        let bytes = match &*self.pair {
            Pair::Sr25519(pair) => pair.sign_simple(CONTEXT, payload).to_bytes(),
            Pair::Ed25519(key) => key.sign(payload).to_bytes(),
        };
        Signature { scheme: self.scheme(), bytes }
    }

    /// Every text in which this key could be pasted where a credential belongs: the phrase, and as hexadecimal digits
    /// in lower case without `0x` the seed, the private key, and the two halves of a private key of 64 bytes. What the
    /// file does not hold and cannot be derived (the phrase of a seed) is not among them. Never empty texts.
    pub fn secrets(&self) -> Vec<SecretKey> {
        self.secrets.clone()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.hotkey, f)
    }
}

/// The key itself; wiped when dropped.
pub(super) enum Pair {
    /// Wipes itself.
    Sr25519(Keypair),
    /// Does not wipe itself.
    Ed25519(Zeroizing<SigningKey>),
}

impl Pair {
    /// From the 32 bytes of which a phrase is a spelling.
    pub(super) fn of_seed(scheme: Scheme, seed: &[u8; 32]) -> Option<Box<Self>> {
        match scheme {
            Scheme::Sr25519 => {
                let mini = MiniSecretKey::from_bytes(seed).ok()?;
                Some(Box::new(Self::Sr25519(mini.expand_to_keypair(ExpansionMode::Ed25519))))
            }
            Scheme::Ed25519 => Some(Box::new(Self::Ed25519(Zeroizing::new(SigningKey::from(*seed))))),
        }
    }

    /// From what bittensor-wallet writes as `privateKey`: 64 bytes, scalar and nonce, of an sr25519 key, the seed's 32
    /// bytes of an ed25519 key. `None` for a scalar that is none.
    pub(super) fn of_private_key(scheme: Scheme, bytes: &[u8]) -> Option<Box<Self>> {
        match scheme {
            Scheme::Sr25519 => {
                let secret = schnorrkel::SecretKey::from_bytes(bytes).ok()?;
                Some(Box::new(Self::Sr25519(secret.to_keypair())))
            }
            Scheme::Ed25519 => Self::of_seed(scheme, bytes.try_into().ok()?),
        }
    }

    /// What [`Pair::of_private_key`] takes.
    pub(super) fn private_key(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Sr25519(pair) => Zeroizing::new(Zeroizing::new(pair.secret.to_bytes()).to_vec()),
            Self::Ed25519(key) => Zeroizing::new(AsRef::<[u8]>::as_ref(&**key).to_vec()),
        }
    }

    /// Its public key.
    pub(super) fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes(match self {
            Self::Sr25519(pair) => pair.public.to_bytes(),
            Self::Ed25519(key) => VerificationKeyBytes::from(&**key).into(),
        })
    }
}
