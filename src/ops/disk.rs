//! What is kept between runs: the state and cache directories.

use std::sync::Arc;

use crate::chain::MetadataStore;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::findings;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, Network};
use crate::domain::snapshot::{ChainIdentity, SubnetSnapshot};
use crate::domain::untrusted::sanitize;
use crate::state::{CacheDir, Kept, MetadataCache, Paths, Snapshots, StateDir};
use crate::wallet::FileHash;

/// State and cache directory; each may be missing, and the console runs on without it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Snapshots and logs.
    pub state: Option<Arc<StateDir>>,
    /// Metadata.
    pub metadata: Option<Arc<MetadataCache>>,
}

impl Disk {
    pub(super) fn open(paths: &Paths, findings: &mut Vec<Diagnostic>) -> Self {
        let state = StateDir::open(&paths.state);
        let metadata = CacheDir::open(&paths.cache).and_then(|cache| cache.metadata());
        Self {
            state: state.map_err(|error| findings.push(without_disk("state directory", &error))).ok().map(Arc::new),
            metadata: metadata
                .map_err(|error| findings.push(without_disk("cache directory", &error)))
                .ok()
                .map(Arc::new),
        }
    }

    fn snapshots(&self) -> Option<Snapshots> {
        let opened = self.state.as_ref()?.snapshots();
        opened.map_err(|error| tracing::warn!("last snapshots: {error}")).ok()
    }

    /// Keeps a snapshot for the next start. A failure is logged and told, and changes nothing else.
    pub fn remember(&self, snapshot: &SubnetSnapshot, now_ms: u64) -> Option<Diagnostic> {
        let state = self.state.as_ref()?;
        let chain = &snapshot.chain;
        let kept = state.snapshots().and_then(|snapshots| {
            snapshots.keep(chain.genesis, snapshot.netuid, snapshot, now_ms)?;
            snapshots.answered(&chain.endpoint, chain.genesis, now_ms)
        });
        let error = match kept {
            Ok(before) => return before.map(|before| findings::other_chain(chain, before)),
            Err(error) => error,
        };
        tracing::warn!("the last snapshot was not kept: {error}");
        Some(without_disk("state directory", &error))
    }

    /// The address that was learnt of an encrypted key file.
    pub fn address_of(&self, file: &FileHash) -> Option<Hotkey> {
        let known = self.state.as_ref()?.addresses().and_then(|addresses| addresses.of(&file.to_string()));
        known.unwrap_or_else(|error| {
            tracing::warn!("addresses of encrypted hotkeys: {error}");
            None
        })
    }

    /// Keeps it, so that the password is not needed again to know it. Whether it is kept.
    pub fn note_address(&self, file: &FileHash, hotkey: Hotkey) -> bool {
        let noted = self
            .state
            .as_ref()
            .map(|state| state.addresses().and_then(|addresses| addresses.note(&file.to_string(), hotkey)));
        if let Some(Err(error)) = &noted {
            tracing::warn!("the address of the encrypted hotkey was not kept: {error}");
        }
        matches!(noted, Some(Ok(())))
    }

    /// The snapshot that the last session left of a subnet, by the network's pinned genesis or by what was found at its
    /// endpoint.
    pub fn last(&self, network: &Network, netuid: u16) -> Option<Kept<SubnetSnapshot>> {
        let snapshots = self.snapshots()?;
        let genesis = network.genesis.or_else(|| self.genesis_noted(network))?;
        let mut kept = snapshots.last::<SubnetSnapshot>(genesis, netuid).unwrap_or_else(|error| {
            tracing::warn!("the last snapshot is ignored: {error}");
            None
        })?;
        // Changes are applied by uid, so the order must hold whatever stood in the file.
        kept.snapshot.members.sort_by_key(|member| member.uid);
        Some(kept)
    }

    /// Notes which chain answered at an endpoint, for the next start.
    pub fn note_genesis(&self, chain: &ChainIdentity) {
        self.note_genesis_at(&chain.endpoint, chain.genesis);
    }

    /// The same, by the endpoint as it is shown.
    pub fn note_genesis_at(&self, endpoint: &str, genesis: BlockHash) {
        let noted = self.snapshots().map(|snapshots| snapshots.note_genesis(endpoint, genesis));
        if let Some(Err(error)) = noted {
            tracing::warn!("which chain answered there was not noted: {error}");
        }
    }

    /// The genesis that answered last at one of a network's endpoints.
    pub fn genesis_noted(&self, network: &Network) -> Option<BlockHash> {
        let snapshots = self.snapshots()?;
        network.endpoints.iter().find_map(|at| snapshots.genesis_at(&at.to_string()).ok().flatten())
    }

    pub(super) fn metadata_store(&self) -> MetadataStore {
        let Some(cache) = self.metadata.clone() else { return MetadataStore::none() };
        let saving = Arc::clone(&cache);
        MetadataStore::new(
            move |genesis, spec| {
                cache.get(genesis, spec).unwrap_or_else(|error| {
                    tracing::warn!("metadata cache: {error}");
                    None
                })
            },
            move |genesis, spec, bytes| {
                if let Err(error) = saving.put(genesis, spec, bytes) {
                    tracing::warn!("metadata cache: {error}");
                }
            },
        )
    }
}

pub(super) fn without_disk(what: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::new(
        "no_disk",
        Severity::Warning,
        format!("The {what} cannot be used"),
        sanitize(&error.to_string(), 400),
        "The console runs on without it: nothing is remembered between runs, and each start downloads the metadata anew.",
    )
}
