//! Who we are and what we talk to: flags, environment, files and wallet brought together once, at the start.

use std::sync::Arc;

use thiserror::Error;

use crate::chain::{MetadataStore, Node, NodeOptions};
use crate::config::{ConfigError, Configuration, Flags, Setting};
use crate::domain::credentials::{LocalView, VaultValues};
use crate::domain::environment::Environment;
use crate::domain::findings::{self, Finding, Severity};
use crate::domain::given::Given;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, Network, NetworkError};
use crate::domain::owner::Owner;
use crate::domain::provider::{Provider, S3EndpointError};
use crate::domain::roster::Own;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::snapshot::{ChainIdentity, SubnetSnapshot};
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::Index;
use crate::logs::{redact_all, redacted};
use crate::ops::commit::{history, replaced_secrets};
use crate::ops::verify::{Acknowledged, Beside};
use crate::state::{CacheDir, Kept, MetadataCache, Paths, Snapshots, StateDir, StateError};
use crate::vault::{Generation, Vault};
use crate::wallet::{self, OwnHotkey};

/// Bittensor's name for a wallet that nobody named.
const DEFAULT_WALLET: &str = "default";

/// Everything that a use case needs to know before it begins.
#[derive(Debug, Clone)]
pub struct Context {
    /// Settings, local values and their oddities.
    pub configuration: Configuration,
    /// The object store.
    pub provider: Provider,
    /// Where to connect.
    pub network: Network,
    /// Its nodes: every connection of this run.
    pub node: Node,
    /// Disputes between sources that the operator has read: what they are about is no longer locked.
    pub acknowledged: Acknowledged,
    /// The own hotkey, if one is configured and found.
    pub hotkey: Option<Hotkey>,
    /// The same with its files, for signing.
    pub identity: Option<OwnHotkey>,
    /// Fingerprints of the read secrets that commits of this machine have replaced on chain.
    pub replaced: Vec<Fingerprint>,
    /// What the vault holds for the own hotkey, without its secrets; empty where no vault is in use.
    pub vault: Index,
    /// Where things are on disk; `None` when not even a home directory is known.
    pub paths: Option<Paths>,
    /// What we keep between runs, when it can be kept.
    pub disk: Disk,
    /// The store that was opened for the keys in use; `None` while it is locked, or where none are.
    pub opened: Option<Vault>,
    /// A vault that is open already, in which practice keeps its keys; the real ones are then left alone.
    pub sandbox_vault: Option<Vault>,
    /// What was found on the way, worst first.
    pub findings: Vec<Finding>,
}

/// State and cache directory; each may be missing, and the console runs on without it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Snapshots and logs.
    pub state: Option<Arc<StateDir>>,
    /// Metadata.
    pub metadata: Option<Arc<MetadataCache>>,
}

/// Why nothing can begin: all of these are matters of usage or configuration.
#[derive(Debug, Error)]
pub enum ContextError {
    /// Configuration file, `.env` or settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Network name or endpoint.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// S3 endpoint.
    #[error(transparent)]
    S3(#[from] S3EndpointError),
}

impl ContextError {
    /// Whether a safety rule said no: keys or trust would have crossed the network in the clear.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Network(NetworkError::PlaintextRemote(_)) | Self::S3(S3EndpointError::PlaintextRemote(_)))
    }
}

impl Context {
    /// Brings everything together. What is merely odd becomes a finding; what makes no sense is an error.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ContextError> {
        let mut findings = Vec::new();
        let paths =
            Paths::resolve(environment).map_err(|error| findings.push(without_disk("place on disk", &error))).ok();
        let config_file = paths.as_ref().map(Paths::config_file);
        let configuration = Configuration::load_telling(flags, environment, config_file.as_deref(), redact_all)?;
        let settings = &configuration.settings;
        let network = match &settings.endpoint {
            Some(endpoint) => Network::at_endpoint(endpoint.value.as_str(), settings.network_beside_endpoint())?,
            None => Network::named(settings.network.value.as_str())?,
        };
        let text = |setting: &Option<Setting<Given>>| setting.as_ref().map(|named| named.value.as_str().to_owned());
        let (witness, archive) = (text(&settings.witness), text(&settings.archive));
        let beside = Beside::of(&network, witness.as_deref(), archive.as_deref())?;
        let provider = settings.provider()?;
        let identity = own_hotkey(&configuration, &mut findings);
        let disk = paths.as_ref().map(|paths| Disk::open(paths, &mut findings)).unwrap_or_default();
        let node = Node::new(NodeOptions {
            witnesses: beside.witnesses,
            archives: beside.archives,
            store: disk.metadata_store(),
            ..NodeOptions::new(network.clone())
        });
        findings.extend(configuration.findings.iter().cloned());
        findings.extend((provider.is_r2() && settings.s3_endpoint.is_some()).then(r2_host_for_everybody));
        let hotkey = identity.as_ref().map(|own| own.hotkey);
        let (replaced, vault) = (Vec::new(), Index::default());
        let mut context = Self {
            configuration,
            provider,
            network,
            node,
            acknowledged: Acknowledged::of(&flags.acknowledged),
            hotkey,
            identity,
            replaced,
            vault,
            paths,
            disk,
            opened: None,
            sandbox_vault: None,
            findings,
        };
        context.replaced = replaced_secrets(&history(&context));
        context.vault = context.vault_index().unwrap_or_else(|error| {
            context.findings.push(without_index(&error));
            Index::default()
        });
        let local = findings::beside(&context.provider, &context.configuration.local, context.vault.in_use());
        context.findings.extend(local);
        context.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(context)
    }

    /// Whose keys the vault keeps: the own hotkey on the subnet of the chain that is known before anybody is asked, pinned
    /// or found at the endpoint before.
    pub fn owner(&self) -> Option<Owner> {
        let genesis = self.network.genesis.or_else(|| self.disk.genesis_noted(&self.network))?;
        self.hotkey.map(|hotkey| Owner { genesis, netuid: self.netuid(), hotkey })
    }

    /// What the vault holds for the own hotkey, read anew; empty where the owner is not known yet or nothing is kept.
    pub fn vault_index(&self) -> Result<Index, StateError> {
        match (self.owner(), &self.disk.state) {
            (Some(owner), Some(state)) => state.vault()?.read(&owner),
            _ => Ok(Index::default()),
        }
    }

    /// The same context with the keys of a generation as those that count. Its secrets are told to the log first, and its
    /// write pair is among what must never be published.
    #[must_use]
    pub fn with_generation(&self, generation: &Generation) -> Self {
        let pairs = [&generation.read, &generation.write];
        let secrets = pairs.iter().filter_map(|pair| Some(pair.as_ref()?.secret.clone()));
        let write_id = generation.write.iter().map(|pair| SecretKey::new(pair.id.as_str()));
        let secrets: Vec<SecretKey> = secrets.chain(write_id).collect();
        redact_all(&secrets);
        let mut context = self.clone();
        context.configuration.local = self.configuration.local.with_vault(VaultValues {
            generation: generation.number,
            account: generation.account.as_deref(),
            bucket: generation.bucket.as_deref(),
            read: generation.read.as_ref().map(|pair| (pair.id.as_str(), &pair.secret)),
            write: generation.write.as_ref().map(|pair| (pair.id.as_str(), &pair.secret)),
        });
        context.configuration.secrets.extend(secrets);
        context
    }

    /// The subnet.
    pub fn netuid(&self) -> u16 {
        self.configuration.settings.netuid.value
    }

    /// The comparable part of the local credentials.
    pub fn local(&self) -> LocalView {
        let local = LocalView::beside(&self.provider, &self.configuration.local, &self.vault);
        LocalView { replaced: self.replaced.clone(), ..local }
    }

    /// Who "you" are on the subnet, when a hotkey is known.
    pub fn own(&self) -> Option<Own> {
        self.hotkey.map(|hotkey| Own { hotkey, local: self.local() })
    }

    /// Whether a hotkey was named that could not be found: then nothing can be said about the own row.
    pub fn own_is_missing(&self) -> bool {
        self.hotkey.is_none() && self.configuration.settings.hotkey.is_some()
    }

    /// The region in signatures, as GRAIL has it: `R2_REGION`, or `us-east-1`. R2 takes that for its own, which is `auto`.
    pub fn region(&self) -> &str {
        if self.provider.is_r2() {
            return "auto";
        }
        let named = self.configuration.settings.s3_region.as_ref().map(|named| named.value.as_str().trim());
        // A region stands between slashes in what is signed.
        let signs =
            |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"/,=".contains(&b));
        named.filter(signs).unwrap_or("us-east-1")
    }
}

impl Disk {
    fn open(paths: &Paths, findings: &mut Vec<Finding>) -> Self {
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
    pub fn remember(&self, snapshot: &SubnetSnapshot, now_ms: u64) -> Option<Finding> {
        let state = self.state.as_ref()?;
        let chain = &snapshot.chain;
        let kept = state.snapshots().and_then(|snapshots| {
            snapshots.keep(chain.genesis, snapshot.netuid, snapshot, now_ms)?;
            snapshots.note_genesis(&chain.endpoint, chain.genesis)
        });
        let error = kept.err()?;
        tracing::warn!("the last snapshot was not kept: {error}");
        Some(without_disk("state directory", &error))
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

    fn metadata_store(&self) -> MetadataStore {
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

fn without_disk(what: &str, error: &dyn std::error::Error) -> Finding {
    Finding::new(
        "no_disk",
        Severity::Warning,
        format!("The {what} cannot be used"),
        sanitize(&error.to_string(), 400),
        "The console runs on without it: nothing is remembered between runs, and each start downloads the metadata anew.",
    )
}

fn without_index(error: &StateError) -> Finding {
    let todo = match error {
        StateError::Lost { .. } => {
            "Until then the console compares with .env and environment alone, and commits nothing."
        }
        _ => "Until then the console compares with .env and environment alone, and the vault is not used.",
    };
    Finding::new(
        "vault_index",
        if matches!(error, StateError::Newer { .. }) { Severity::Danger } else { Severity::Warning },
        "What the vault holds is not known: its index cannot be read",
        sanitize(&error.to_string(), 400),
        todo,
    )
}

/// GRAIL's override has no exception: with the own account's host in it, everybody's bucket is looked for there.
fn r2_host_for_everybody() -> Finding {
    Finding::new(
        "r2_endpoint_override",
        Severity::Warning,
        "The S3 endpoint is the host of one R2 account",
        "GRAIL sends the requests for every bucket to that endpoint, other miners' too, and finds none of them there.",
        "Remove R2_ENDPOINT_URL: without it each account's own R2 host is used.",
    )
}

fn own_hotkey(configuration: &Configuration, findings: &mut Vec<Finding>) -> Option<OwnHotkey> {
    let settings = &configuration.settings;
    let name = settings.hotkey.as_ref()?;
    let identity = wallet::identify(
        settings.wallet_path.as_ref().map(|path| path.value.as_path()),
        Some(settings.wallet.as_ref().map_or(DEFAULT_WALLET, |wallet| wallet.value.as_str())),
        name.value.as_str(),
    );
    match identity {
        Ok(found) => {
            findings.extend(found.findings.iter().cloned());
            Some(found)
        }
        Err(error) => {
            findings.push(Finding::new(
                "own_hotkey",
                Severity::Warning,
                // The name that was not found may be a key in the wrong place.
                format!("The own hotkey is not known: {}", redacted(&sanitize(&error.to_string(), 400))),
                "Without it the console cannot mark your row or compare it with the local credentials.",
                "Name the wallet and hotkey with --wallet and --hotkey, or give the SS58 address with --hotkey.",
            ));
            None
        }
    }
}
