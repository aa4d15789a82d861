//! `$NACL` key files: a password through Argon2i, a box of XSalsa20 and Poly1305.

use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use crypto_secretbox::{AeadInPlace as _, Key, KeyInit as _, Nonce, Tag, XSalsa20Poly1305};
use zeroize::{Zeroize, Zeroizing};

use super::WalletError;
use crate::domain::secret::SecretKey;

/// The prefix, which is not encrypted.
const PREFIX: usize = b"$NACL".len();
/// The one salt of all key files (bittensor-wallet).
const SALT: [u8; 16] = [0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1];
/// Memory that deriving the key takes, in KiB: libsodium's "sensitive" limit.
const MEMORY: u32 = 512 << 10;
/// Passes over that memory, of the same limit.
const PASSES: u32 = 8;

/// Opens a `$NACL` file. Takes about three seconds and 512 MiB.
pub(super) fn open(path: &Path, bytes: &[u8], password: &SecretKey) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let (nonce, tag, sealed) =
        parts(bytes).ok_or_else(|| WalletError::Truncated { path: path.to_owned(), bytes: bytes.len() })?;
    let mut content = Zeroizing::new(sealed.to_vec());
    let key = derive(path, password)?;
    let cipher = XSalsa20Poly1305::new(Key::from_slice(&*key));
    let opened = cipher.decrypt_in_place_detached(Nonce::from_slice(nonce), b"", &mut content, Tag::from_slice(tag));
    opened.map_err(|_| WalletError::WrongPassword(path.to_owned()))?;
    Ok(content)
}

/// Nonce, tag and what is encrypted, which is never nothing.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (nonce, sealed) = bytes.get(PREFIX..)?.split_at_checked(XSalsa20Poly1305::NONCE_SIZE)?;
    let (tag, sealed) = sealed.split_at_checked(XSalsa20Poly1305::TAG_SIZE)?;
    (!sealed.is_empty()).then_some((nonce, tag, sealed))
}

fn derive(path: &Path, password: &SecretKey) -> Result<Zeroizing<[u8; 32]>, WalletError> {
    let mut memory = Memory::allocate().ok_or_else(|| WalletError::OutOfMemory(path.to_owned()))?;
    let mut key = Zeroizing::new([0; 32]);
    // Only a password of gigabytes is refused here.
    fill(password, &mut memory, &mut key).map_err(|_| WalletError::WrongPassword(path.to_owned()))?;
    Ok(key)
}

fn fill(password: &SecretKey, memory: &mut Memory, key: &mut [u8; 32]) -> Result<(), argon2::Error> {
    let params = Params::new(MEMORY, PASSES, 1, Some(key.len()))?;
    let argon = Argon2::new(Algorithm::Argon2i, Version::V0x13, params);
    argon.hash_password_into_with_memory(password.expose().as_bytes(), &SALT, key, &mut memory.0)
}

/// Argon2's working memory. What is left in it after the last pass tells the key, so it is wiped.
struct Memory(Vec<Block>);

impl Memory {
    /// `None` where the system has no such amount to give, instead of the end of the process.
    fn allocate() -> Option<Self> {
        let blocks = usize::try_from(MEMORY).ok()?;
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).ok()?;
        memory.resize(blocks, Block::new());
        Some(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_off_unless_it_holds_a_byte_after_nonce_and_tag() {
        let file: Vec<u8> = (0..=255).take(64).collect();
        for length in 0..file.len() {
            assert_eq!(parts(&file[..length]).is_some(), length > 5 + 24 + 16, "{length}");
        }
        let (nonce, tag, sealed) = parts(&file).unwrap();
        assert_eq!((nonce[0], tag[0], sealed[0]), (5, 29, 45));
    }
}
