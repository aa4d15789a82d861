//! Runtime metadata as the node sent it, by genesis and spec version: a warm start saves the download.
//!
//! ```text
//! "grail-console metadata 1\n" | SHA-256 of the rest (32) | genesis (32) | spec version u32 LE | metadata
//! ```
//!
//! A file that does not add up is a miss: the metadata is fetched again and the file replaced.

use sha2::{Digest as _, Sha256};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::network::BlockHash;

const MAGIC: &[u8] = b"grail-console metadata 1\n";
const DIGEST: usize = 32;
const KEY: usize = 32 + 4;
/// Largest file that is read; finney's metadata has 0.3 MB.
pub const MAX_BYTES: u64 = 16 << 20;
/// Files that are kept: two chains, the runtime of today and the one before on each, with some to spare.
pub const KEPT: usize = 6;
const SUFFIX: &str = ".metadata";

/// The metadata on disk.
#[derive(Debug)]
pub struct MetadataCache {
    dir: PrivateDir,
}

impl MetadataCache {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// The bytes as the node sent them. `Ok(None)` when there are none; a damaged file is an error that the caller
    /// reports and treats as a miss.
    pub fn get(&self, genesis: BlockHash, spec_version: u32) -> Result<Option<Vec<u8>>, StateError> {
        let name = file_name(genesis, spec_version);
        let Some(mut bytes) = self.dir.read(&name, MAX_BYTES)? else { return Ok(None) };
        match check(&bytes, &key(genesis, spec_version)) {
            Ok(()) => {
                bytes.drain(..MAGIC.len() + DIGEST + KEY);
                Ok(Some(bytes))
            }
            Err(why) => Err(StateError::Corrupt { path: self.dir.path().join(&name), why }),
        }
    }

    /// Keeps the bytes and forgets the oldest beyond [`KEPT`].
    pub fn put(&self, genesis: BlockHash, spec_version: u32, metadata: &[u8]) -> Result<(), StateError> {
        let key = key(genesis, spec_version);
        let digest = Sha256::new().chain_update(key).chain_update(metadata).finalize();
        self.dir.replace(&file_name(genesis, spec_version), |out| {
            [MAGIC, digest.as_slice(), &key, metadata].into_iter().try_for_each(|part| out.write_all(part))
        })?;
        self.prune()
    }

    fn prune(&self) -> Result<(), StateError> {
        let mut files = self.dir.entries(|name| name.ends_with(SUFFIX))?;
        files.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| b.name.cmp(&a.name)));
        files.iter().skip(KEPT).try_for_each(|file| self.dir.remove(&file.name))
    }
}

fn check(bytes: &[u8], key: &[u8; KEY]) -> Result<(), &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("not a metadata file of this version")?;
    let (digest, content) = rest.split_at_checked(DIGEST).ok_or("cut short")?;
    if Sha256::digest(content).as_slice() != digest {
        return Err("its checksum does not match");
    }
    if content.starts_with(key) { Ok(()) } else { Err("it belongs to another chain or runtime") }
}

fn key(genesis: BlockHash, spec_version: u32) -> [u8; KEY] {
    let mut key = [0; KEY];
    key[..32].copy_from_slice(&genesis.0);
    key[32..].copy_from_slice(&spec_version.to_le_bytes());
    key
}

fn file_name(genesis: BlockHash, spec_version: u32) -> String {
    format!("{}-{spec_version}{SUFFIX}", hex::encode(genesis.0))
}
