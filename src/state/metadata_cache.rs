//! Runtime metadata as nodes sent it, by genesis and spec version: a warm start saves the download. With it stand the hash of
//! the runtime's code, where it was told, and the operators that told the very same bytes.
//!
//! ```text
//! "grail-console metadata 2\n" | SHA-256 of the rest (32) | genesis (32) | spec version u32 LE | code (32, or zeros)
//!   | number of operators u8 | length u8 and text of each | metadata
//! ```
//!
//! A file that does not add up is a miss: the metadata is fetched again and the file replaced.

use sha2::{Digest as _, Sha256};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::network::BlockHash;
use crate::domain::runtime_metadata::RuntimeMetadata;

const MAGIC: &[u8] = b"grail-console metadata 2\n";
const DIGEST: usize = 32;
const KEY: usize = 32 + 4;
const CODE: usize = 32;
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

    /// The metadata as it was kept. `Ok(None)` when there is none; a damaged file is an error that the caller reports and
    /// treats as a miss.
    pub fn get(&self, genesis: BlockHash, spec_version: u32) -> Result<Option<RuntimeMetadata>, StateError> {
        let name = file_name(genesis, spec_version);
        let Some(bytes) = self.dir.read(&name, MAX_BYTES)? else { return Ok(None) };
        let read = check(&bytes, &key(genesis, spec_version)).and_then(|told| read(told).ok_or("cut short"));
        read.map(Some).map_err(|why| StateError::Corrupt { path: self.dir.path().join(&name), why })
    }

    /// Keeps metadata and forgets the oldest beyond [`KEPT`].
    pub fn put(&self, genesis: BlockHash, spec_version: u32, metadata: &RuntimeMetadata) -> Result<(), StateError> {
        let (key, told) = (key(genesis, spec_version), told_by(metadata));
        let digest = Sha256::new().chain_update(key).chain_update(&told).chain_update(&metadata.bytes).finalize();
        self.dir.replace(&file_name(genesis, spec_version), |out| {
            let parts = [MAGIC, digest.as_slice(), &key, &told, &metadata.bytes];
            parts.into_iter().try_for_each(|part| out.write_all(part))
        })?;
        self.prune()
    }

    fn prune(&self) -> Result<(), StateError> {
        let mut files = self.dir.entries(|name| name.ends_with(SUFFIX))?;
        files.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| b.name.cmp(&a.name)));
        files.iter().skip(KEPT).try_for_each(|file| self.dir.remove(&file.name))
    }
}

/// What follows the key in a file that adds up.
fn check<'b>(bytes: &'b [u8], key: &[u8; KEY]) -> Result<&'b [u8], &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("not a metadata file of this version")?;
    let (digest, content) = rest.split_at_checked(DIGEST).ok_or("cut short")?;
    if Sha256::digest(content).as_slice() != digest {
        return Err("its checksum does not match");
    }
    content.strip_prefix(key).ok_or("it belongs to another chain or runtime")
}

fn read(bytes: &[u8]) -> Option<RuntimeMetadata> {
    let (code, rest) = bytes.split_first_chunk::<CODE>()?;
    let (count, mut rest) = rest.split_first()?;
    let mut sources = Vec::new();
    for _ in 0..*count {
        let (length, text) = rest.split_first()?;
        let (source, after) = text.split_at_checked(usize::from(*length))?;
        sources.push(String::from_utf8(source.to_vec()).ok()?);
        rest = after;
    }
    let code = Some(BlockHash(*code)).filter(|code| code.0 != [0; CODE]);
    Some(RuntimeMetadata { bytes: rest.to_vec(), code, sources })
}

/// Code and operators as they stand in a file. An operator whose name is longer than any host's is left out: nobody's word
/// counts twice for it.
fn told_by(metadata: &RuntimeMetadata) -> Vec<u8> {
    let mut out = metadata.code.map_or([0; CODE], |code| code.0).to_vec();
    let named = |source: &&String| u8::try_from(source.len()).is_ok();
    let sources: Vec<&String> = metadata.sources.iter().filter(named).take(usize::from(u8::MAX)).collect();
    out.push(u8::try_from(sources.len()).unwrap_or(0));
    for source in sources {
        out.push(u8::try_from(source.len()).unwrap_or(0));
        out.extend(source.as_bytes());
    }
    out
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
