//! Who we are and what we talk to: flags, environment, files and wallet brought together once, at the start.

use std::convert::Infallible;

use crate::chain::{Node, NodeOptions};
use crate::config::{Configuration, Flags, Needs, Origin, Setting, Settings, WrongSetting};
use crate::domain::commit::outcome::Rule;
use crate::domain::credentials::{LocalView, VaultValues};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::findings;
use crate::domain::given::Given;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, Endpoint, Network, NetworkError};
use crate::domain::owner::Owner;
use crate::domain::provider::Provider;
use crate::domain::roster::Own;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::Index;
use crate::logs::redact_all;
use crate::ops::commit::{history, replaced_secrets};
use crate::ops::disk::{Disk, without_disk};
use crate::ops::own_hotkey::own_hotkey;
use crate::ops::verify::{Acknowledged, Beside};
use crate::state::{Paths, StateError};
use crate::vault::{Generation, Vault};
use crate::wallet::{LockedHotkey, OwnHotkey};

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
    /// The hotkey that is named, where only its password tells its address.
    pub locked: Option<LockedHotkey>,
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
    pub findings: Vec<Diagnostic>,
    /// Settings that are wrong: what needs them is refused.
    pub wrong: Vec<WrongSetting>,
}

impl Context {
    /// Brings everything together. What is merely odd becomes a finding, and what is wrong too, unless it leaves open which
    /// subnet or which vault is meant: that is an error.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, WrongSetting> {
        let stops = |wrong: &&WrongSetting| matches!(wrong.needs, Needs::Subnet | Needs::Vault);
        Self::made(flags, environment, |wrong| wrong.iter().find(stops).cloned().map_or(Ok(()), Err))
    }

    /// The same, whatever is wrong: for looking at it.
    pub fn examine(flags: &Flags, environment: &Environment) -> Self {
        let made: Result<Self, Infallible> = Self::made(flags, environment, |_| Ok(()));
        made.unwrap_or_else(|never| match never {})
    }

    fn made<E>(
        flags: &Flags,
        environment: &Environment,
        judge: impl FnOnce(&[WrongSetting]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut findings = Vec::new();
        let paths =
            Paths::resolve(environment).map_err(|error| findings.push(without_disk("place on disk", &error))).ok();
        let config_file = paths.as_ref().map(Paths::config_file);
        let (configuration, _) = Configuration::examine(flags, environment, config_file.as_deref(), redact_all);
        let settings = &configuration.settings;
        let mut wrong = configuration.wrong.clone();
        let (network, beside) = place(&configuration, &mut wrong);
        let provider = store(&configuration, &mut wrong);
        judge(&wrong)?;
        let unplaced = wrong.iter().any(|wrong| wrong.needs == Needs::Subnet);
        let network = if unplaced { Network::unknown() } else { network };
        findings.extend(wrong.iter().map(WrongSetting::finding));
        let disk = paths.as_ref().map(|paths| Disk::open(paths, &mut findings)).unwrap_or_default();
        let (identity, locked) = own_hotkey(&configuration, &disk, &mut findings);
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
            locked,
            replaced,
            vault,
            paths,
            disk,
            opened: None,
            sandbox_vault: None,
            findings,
            wrong,
        };
        context.replaced = replaced_secrets(&history(&context));
        context.vault = context.vault_index().unwrap_or_else(|error| {
            context.findings.push(without_index(&error));
            Index::default()
        });
        let local = findings::beside(&context.provider, &context.configuration.local, context.vault.in_use());
        context.findings.extend(local);
        let Configuration { local, local_of_older, .. } = &context.configuration;
        let older = local_of_older.as_ref().map(|older| findings::with_older_dotenv(local, older));
        context.findings.extend(older.unwrap_or_default());
        context.findings.extend(odd_region(&context.configuration));
        context.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(context)
    }

    /// The setting that stands in the way of one thing, if one does.
    pub fn wrong_for(&self, needs: Needs) -> Option<&WrongSetting> {
        self.wrong.iter().find(|wrong| wrong.needs == needs)
    }

    /// Whose keys the vault keeps: the own hotkey on the subnet of the chain that is known before anybody is asked, pinned
    /// or found at the endpoint before.
    pub fn owner(&self) -> Option<Owner> {
        let genesis = self.network.genesis.or_else(|| self.disk.genesis_noted(&self.network))?;
        self.hotkey.map(|hotkey| Owner { genesis, netuid: self.netuid(), hotkey })
    }

    /// The chain that answered at the endpoint before, where no network's name says which one is meant.
    pub fn chain_before(&self) -> Option<BlockHash> {
        if self.network.genesis.is_some() {
            return None;
        }
        self.disk.genesis_noted(&self.network)
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
        let older = self.configuration.local_of_older.as_ref();
        let older = older.map(|values| LocalView::beside(&self.provider, values, &self.vault));
        let may_publish_write_key =
            older.is_some_and(|older| older.would_publish_write_key()) && !local.would_publish_write_key();
        LocalView { replaced: self.replaced.clone(), may_publish_write_key, ..local }
    }

    /// Whether nobody said which subnet is meant, so that it is the default one, which is only read.
    pub fn netuid_is_default(&self) -> bool {
        self.configuration.settings.netuid.source == Origin::Default
    }

    /// What in the settings forbids to publish or to rotate keys.
    pub fn writing_forbidden(&self) -> Option<Rule> {
        if self.configuration.settings.read_only.value {
            return Some(Rule::read_only());
        }
        self.netuid_is_default().then(|| Rule::netuid_not_set(self.netuid()))
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
        named.filter(|name| is_region(name)).unwrap_or("us-east-1")
    }
}

/// Whether GRAIL's S3 client takes a name for a region: it refuses to start with any other.
fn is_region(name: &str) -> bool {
    let label = !name.is_empty() && name.len() < 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    label && !name.starts_with('-') && !name.ends_with('-') && !name.bytes().all(|b| b.is_ascii_digit())
}

fn odd_region(configuration: &Configuration) -> Option<Diagnostic> {
    let Setting { value, source } = configuration.settings.s3_region.as_ref()?;
    (!is_region(value.as_str().trim())).then(|| {
        Diagnostic::new(
            "s3_region",
            Severity::Warning,
            format!("{}: {value:?} is no name of a region", source.place(&configuration.files)),
            "GRAIL's S3 client refuses it, so GRAIL reads and uploads nothing; the console signs for us-east-1 here.",
            "Write the store's region there, as in us-east-1; on R2 write auto, or remove the line.",
        )
    })
}

/// The network and what stands beside it; none at all where that is wrong.
fn place(configuration: &Configuration, wrong: &mut Vec<WrongSetting>) -> (Network, Beside) {
    let Settings { network, endpoint, witness, archive, .. } = &configuration.settings;
    let mut is_wrong = |origin: &Origin, error: &NetworkError| {
        let place = origin.place(&configuration.files);
        wrong.push(WrongSetting::new(Needs::Subnet, Some(&place), error, error.is_refusal()));
    };
    let named = configuration.settings.network_beside_endpoint();
    let (chosen, origin) = match endpoint {
        Some(endpoint) => (Network::at_endpoint(endpoint.value.as_str(), named), &endpoint.source),
        None => (Network::named(network.value.as_str()), &network.source),
    };
    let chosen = chosen.unwrap_or_else(|error| {
        // Of the two, the name may be the wrong one.
        let origin = if named.is_some_and(|name| Network::named(name).is_err()) { &network.source } else { origin };
        is_wrong(origin, &error);
        Network::unknown()
    });
    let mut url = |setting: &Option<Setting<Given>>| {
        let named = setting.as_ref()?;
        let text = named.value.as_str();
        match text.parse::<Endpoint>() {
            Ok(_) => Some(text.to_owned()),
            Err(error) => {
                is_wrong(&named.source, &error);
                None
            }
        }
    };
    let (witness, archive) = (url(witness), url(archive));
    let beside = Beside::of(&chosen, witness.as_deref(), archive.as_deref()).unwrap_or_default();
    (chosen, beside)
}

/// The object store, or why there is none.
fn store(configuration: &Configuration, wrong: &mut Vec<WrongSetting>) -> Provider {
    let settings = &configuration.settings;
    if let Some(known) = wrong.iter().find(|wrong| wrong.needs == Needs::Store) {
        return Provider::Unusable(known.to_string());
    }
    settings.provider().unwrap_or_else(|error| {
        let place = settings.s3_endpoint.as_ref().map(|named| named.source.place(&configuration.files));
        let found = WrongSetting::new(Needs::Store, place.as_deref(), &error, error.is_refusal());
        let words = found.to_string();
        wrong.push(found);
        Provider::Unusable(words)
    })
}

fn without_index(error: &StateError) -> Diagnostic {
    let todo = match error {
        StateError::Lost { .. } => {
            "Until then the console compares with .env and environment alone, and commits nothing."
        }
        _ => "Until then the console compares with .env and environment alone, and the vault is not used.",
    };
    Diagnostic::new(
        "vault_index",
        if matches!(error, StateError::Newer { .. }) { Severity::Danger } else { Severity::Warning },
        "What the vault holds is not known: its index cannot be read",
        sanitize(&error.to_string(), 400),
        todo,
    )
}

/// GRAIL's override has no exception: with the own account's host in it, everybody's bucket is looked for there.
fn r2_host_for_everybody() -> Diagnostic {
    Diagnostic::new(
        "r2_endpoint_override",
        Severity::Warning,
        "The S3 endpoint is the host of one R2 account",
        "GRAIL sends the requests for every bucket to that endpoint, other miners' too, and finds none of them there.",
        "Remove R2_ENDPOINT_URL: without it each account's own R2 host is used.",
    )
}
