//! The last snapshot of each subnet, painted at once at the next start while the network is asked.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::atomic::PrivateDir;
use super::error::StateError;
use crate::domain::network::BlockHash;

/// Version of the format. Another version is no error: the snapshot is taken anew.
pub const VERSION: u32 = 2;
/// Largest snapshot that is read: 65,536 uids with a commitment each need about a third of it.
pub const MAX_BYTES: u64 = 128 << 20;

/// The snapshots on disk, one file per chain and subnet.
#[derive(Debug)]
pub struct Snapshots {
    dir: PrivateDir,
}

/// A snapshot with the time it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    version: u32,
    genesis: BlockHash,
    netuid: u16,
    /// When it was written, in ms since 1970.
    pub saved_at_ms: u64,
    /// The snapshot.
    pub snapshot: T,
}

#[derive(Serialize)]
struct Keeping<'a, T> {
    version: u32,
    genesis: BlockHash,
    netuid: u16,
    saved_at_ms: u64,
    snapshot: &'a T,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl Snapshots {
    pub(super) const fn new(dir: PrivateDir) -> Self {
        Self { dir }
    }

    /// Keeps a snapshot in place of the one before. `now_ms` is the time since 1970.
    pub fn keep<T: Serialize>(
        &self,
        genesis: BlockHash,
        netuid: u16,
        snapshot: &T,
        now_ms: u64,
    ) -> Result<(), StateError> {
        let keeping = Keeping { version: VERSION, genesis, netuid, saved_at_ms: now_ms, snapshot };
        self.dir.replace(&file_name(genesis, netuid), |out| serde_json::to_writer(out, &keeping).map_err(Into::into))
    }

    /// The last snapshot. `Ok(None)` when there is none or it is of another version; a damaged one is an error that the
    /// caller reports and otherwise ignores.
    pub fn last<T: DeserializeOwned>(&self, genesis: BlockHash, netuid: u16) -> Result<Option<Kept<T>>, StateError> {
        let name = file_name(genesis, netuid);
        let Some(bytes) = self.dir.read(&name, MAX_BYTES)? else { return Ok(None) };
        let corrupt = |why| StateError::Corrupt { path: self.dir.path().join(&name), why };
        let header: Header = serde_json::from_slice(&bytes).map_err(|_| corrupt("not a snapshot"))?;
        if header.version != VERSION {
            return Ok(None);
        }
        let kept: Kept<T> = serde_json::from_slice(&bytes).map_err(|_| corrupt("not a snapshot"))?;
        if kept.genesis == genesis && kept.netuid == netuid {
            Ok(Some(kept))
        } else {
            Err(corrupt("it is of another subnet"))
        }
    }
}

/// How long another chain must answer at an endpoint until it is taken for the one that is meant there, in ms.
const MEANT_AFTER_MS: u64 = 3_600_000;

/// What is noted of an endpoint: the chain that is meant there, and one that answers instead.
struct Note {
    genesis: BlockHash,
    instead: Option<(BlockHash, u64)>,
}

impl Note {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let genesis = words.next()?.parse().ok()?;
        let instead = words.next().zip(words.next());
        Some(Self {
            genesis,
            instead: instead.and_then(|(other, since)| Some((other.parse().ok()?, since.parse().ok()?))),
        })
    }
}

/// Which chain answered at an endpoint that is no network by name, so that its last snapshot is found before it answers
/// again.
impl Snapshots {
    /// Notes the genesis that is meant at an endpoint.
    pub fn note_genesis(&self, endpoint: &str, genesis: BlockHash) -> Result<(), StateError> {
        match self.note_at(endpoint)? {
            Some(Note { genesis: known, instead: None }) if known == genesis => Ok(()),
            _ => self.dir.write(&endpoint_file(endpoint), genesis.to_string().as_bytes()),
        }
    }

    /// Notes which genesis answered at an endpoint. For an hour the one that was meant before stays the one that is meant, and
    /// comes back here.
    pub fn answered(&self, endpoint: &str, genesis: BlockHash, now_ms: u64) -> Result<Option<BlockHash>, StateError> {
        let Some(note) = self.note_at(endpoint)?.filter(|note| note.genesis != genesis) else {
            return self.note_genesis(endpoint, genesis).map(|()| None);
        };
        let since_ms = match note.instead {
            Some((other, since_ms)) if other == genesis => since_ms,
            _ => {
                let note = format!("{} {genesis} {now_ms}", note.genesis);
                self.dir.write(&endpoint_file(endpoint), note.as_bytes())?;
                now_ms
            }
        };
        if now_ms.saturating_sub(since_ms) > MEANT_AFTER_MS {
            return self.note_genesis(endpoint, genesis).map(|()| None);
        }
        Ok(Some(note.genesis))
    }

    /// The genesis that is meant there.
    pub fn genesis_at(&self, endpoint: &str) -> Result<Option<BlockHash>, StateError> {
        Ok(self.note_at(endpoint)?.map(|note| note.genesis))
    }

    /// A file that makes no sense counts as none and is replaced by the next note.
    fn note_at(&self, endpoint: &str) -> Result<Option<Note>, StateError> {
        let bytes = match self.dir.read(&endpoint_file(endpoint), 256) {
            Err(StateError::TooLarge { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| Note::parse(std::str::from_utf8(&bytes).ok()?)))
    }
}

/// An endpoint may hold an API key in its path: its name on disk is a hash.
fn endpoint_file(endpoint: &str) -> String {
    format!("genesis-at-{}", hex::encode(&Sha256::digest(endpoint)[..16]))
}

fn file_name(genesis: BlockHash, netuid: u16) -> String {
    format!("{}-{netuid}.json", hex::encode(genesis.0))
}
