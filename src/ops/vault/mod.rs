//! The vault of the configured hotkey: which store, whose keys, and an index that never speaks of a key that is not there.
//!
//! ```text
//! put      turn ─► index read ─► secret in the store, read back ─► index written
//! promote  turn ─► index read ─► secret read ─► index written
//! forget   turn ─► index read ─► secret removed ─► index written
//! ```
//!
//! An index that is gone, damaged, or older than the journal of rotations is derived again when the store is opened: from
//! what the store holds and what the journal tells.
//!
//! A store is contacted only here, when keys are asked for; the index alone says what there is. Stores block, on a bus or on
//! somebody who is to answer a question: each call runs on a thread of its own, and is waited for only so long.

mod derive;
mod keys;
mod open_vault;
mod status;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(in crate::ops) use keys::and_held;
pub use keys::{index_if_any, is_in_use, with_keys};
pub use open_vault::OpenVault;
pub use status::{GenerationLine, VaultLine, look};

use crate::chain::ChainError;
use crate::config::Origin;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::network::BlockHash;
use crate::domain::owner::Owner;
use crate::domain::rotation::History;
use crate::domain::secret::SecretKey;
use crate::domain::text::{capitalised, sentence};
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::{Backend, Index};
use crate::ops::context::Context;
use crate::ops::rotation::rotations;
use crate::state::{StateError, VaultIndexes};
use crate::vault::file::locked_with_passphrase;
use crate::vault::{self, FileKey, Opening, VaultError, platform_default};

/// How long a store is waited for: time to see a question and to answer it.
pub const ANSWER: Duration = Duration::from_secs(30);

/// Why the keys in the vault cannot be used.
#[derive(Debug, Error)]
pub enum VaultProblem {
    /// The store.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The index.
    #[error(transparent)]
    State(#[from] StateError),
    /// The chain, which had to be asked which one it is.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Whose keys is not configured.
    #[error("{0}. Name the wallet and hotkey with --wallet and --hotkey, or give the SS58 address with --hotkey")]
    NoHotkey(String),
    /// There is no state directory for the index.
    #[error("the vault's index has no place: the state directory cannot be used. See doctor, and mend it")]
    NoPlace,
    /// The index is lost, and this store holds none of the keys that it may have told of.
    #[error(
        "the vault's index is lost, and {0} holds no keys of this hotkey. Name the store that holds them with --vault, or put \
         the keys into one with keys import"
    )]
    NothingFound(&'static str),
    /// Another process changes the index, for longer than that takes.
    #[error(
        "another console of this machine is changing the vault, or waits for an answer there. Let it end, then try again"
    )]
    Busy,
}

impl VaultProblem {
    /// Stable name for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Vault(error) => error.code(),
            Self::State(_) | Self::NothingFound(_) => "vault_index",
            Self::Chain(_) => "chain",
            Self::NoHotkey(_) => "no_hotkey",
            Self::NoPlace => "no_disk",
            Self::Busy => "vault_busy",
        }
    }

    const fn class(&self) -> Class {
        match self {
            Self::NoHotkey(_) | Self::Vault(VaultError::Unknown { .. } | VaultError::Elsewhere { .. }) => Class::Usage,
            _ => Class::Vault,
        }
    }

    /// In three sentences.
    pub fn finding(&self) -> Diagnostic {
        const WITHOUT: &str = "The keys in the vault cannot be used until then; nothing was lost or changed.";
        let (what, todo) = match self {
            Self::Chain(error) => return error.finding(),
            Self::Vault(error) => (error.what(), error.todo()),
            other => {
                let text = sanitize(&other.to_string(), 600);
                let (what, todo) = text.split_once(". ").unwrap_or((&text, "See doctor"));
                (what.to_owned(), todo.to_owned())
            }
        };
        Diagnostic::failure(self.class(), self.code(), capitalised(&what), WITHOUT, sentence(&todo))
    }
}

/// Which chain the keys are for: pinned by the network, noted when it answered last, or asked now.
pub async fn genesis(context: &Context) -> Result<BlockHash, ChainError> {
    if let Some(genesis) = known_genesis(context) {
        return Ok(genesis);
    }
    let (endpoint, genesis) = context.node.chain().await?;
    context.disk.note_genesis_at(&endpoint.to_string(), genesis);
    Ok(genesis)
}

/// The same without asking anybody.
fn known_genesis(context: &Context) -> Option<BlockHash> {
    context.network.genesis.or_else(|| context.disk.genesis_noted(&context.network))
}

/// Whose keys: the configured hotkey's on its subnet. It needs no key file.
pub async fn owner(context: &Context) -> Result<Owner, VaultProblem> {
    let hotkey = context.hotkey.ok_or_else(|| {
        let known = context.findings.iter().find(|finding| finding.code == "own_hotkey");
        VaultProblem::NoHotkey(
            known.map_or_else(|| "no hotkey is configured".to_owned(), |found| found.summary.clone()),
        )
    })?;
    Ok(Owner { genesis: genesis(context).await?, netuid: context.netuid(), hotkey })
}

/// What the vault holds, from its index alone: no store is contacted. An empty index means that nothing is in the vault.
pub async fn index(context: &Context) -> Result<(Owner, Index), VaultProblem> {
    let owner = owner(context).await?;
    let index = indexes(context)?.read(&owner)?;
    Ok((owner, index))
}

/// What is known of the vault before its store is asked.
struct Known {
    owner: Owner,
    /// As far as the index can be read.
    index: Index,
    history: History,
    /// What the index should tell and does not: then the store is asked. Empty where index and journal fit.
    lost: Vec<String>,
}

async fn known(context: &Context) -> Result<Known, VaultProblem> {
    known_of(context, owner(context).await?)
}

fn known_of(context: &Context, owner: Owner) -> Result<Known, VaultProblem> {
    let history = rotations(context).and_then(|journal| journal.history(&owner));
    match (indexes(context)?.read(&owner), history) {
        (Ok(index), Ok((history, _))) => {
            let lost = history.unknown_to(&index);
            Ok(Known { owner, index, history, lost })
        }
        // The keys do not depend on a journal that cannot be read; who rotates is told.
        (Ok(index), Err(_)) => Ok(Known { owner, index, history: History::default(), lost: Vec::new() }),
        (Err(StateError::Lost { why, .. }), Ok((history, _))) => {
            let lost = history.unknown_to(&Index::default());
            let lost = if lost.is_empty() { vec![format!("what the vault holds: it {why}")] } else { lost };
            Ok(Known { owner, index: Index::default(), history, lost })
        }
        (Err(StateError::Lost { .. }), Err(error)) | (Err(error), _) => Err(error.into()),
    }
}

fn indexes(context: &Context) -> Result<VaultIndexes, VaultProblem> {
    Ok(context.disk.state.as_ref().ok_or(VaultProblem::NoPlace)?.vault()?)
}

/// Which store is used, and why that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The store.
    pub backend: Backend,
    /// Where it was named; `None` where nobody named one.
    pub named: Option<Origin>,
}

/// Which store is used: the one that is named, else the one that holds the generation in use, else the desktop's. The
/// encrypted file is never chosen by itself.
pub fn choose(context: &Context, index: &Index) -> Choice {
    if let Some(practice) = &context.sandbox_vault {
        return Choice { backend: practice.backend(), named: None };
    }
    if let Some(named) = &context.configuration.settings.vault {
        return Choice { backend: named.value, named: Some(named.source.clone()) };
    }
    let in_use = index.in_use().map(|holding| holding.backend).or_else(|| rotated_in(context));
    let in_use = in_use.filter(|backend| *backend != Backend::Memory);
    Choice { backend: in_use.unwrap_or_else(platform_default), named: None }
}

/// The store that the last rotation worked with.
fn rotated_in(context: &Context) -> Option<Backend> {
    rotations(context).ok()?.history(&context.owner()?).ok()?.0.backend()
}

/// Whether somebody has to be asked for a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The passphrase of a file that is there.
    Known,
    /// A passphrase for a file that is not there yet: ask twice.
    New,
}

/// Whether [`open`] needs a passphrase, `None` where it does not.
pub async fn passphrase_wanted(context: &Context) -> Result<Option<Wanted>, VaultProblem> {
    wanted_with(context, &known(context).await?.index)
}

/// The same without asking the chain whose keys they are: by what the context knows of the vault.
pub fn passphrase_wanted_offline(context: &Context) -> Result<Option<Wanted>, VaultProblem> {
    wanted_with(context, &context.vault)
}

fn wanted_with(context: &Context, index: &Index) -> Result<Option<Wanted>, VaultProblem> {
    let key_file = context.configuration.settings.vault_key_file.is_some();
    if choose(context, index).backend != Backend::File || key_file {
        return Ok(None);
    }
    Ok(Some(match locked_with_passphrase(indexes(context)?.dir())? {
        Some(_) => Wanted::Known,
        None => Wanted::New,
    }))
}

/// Opens the vault of the configured hotkey. The passphrase is for the encrypted file, and needed where
/// [`passphrase_wanted`] says so.
pub async fn open(context: &Context, passphrase: Option<SecretKey>) -> Result<OpenVault, VaultProblem> {
    open_within(context, passphrase, ANSWER).await
}

/// The same with another time to wait for the store, in each call.
pub async fn open_within(
    context: &Context,
    passphrase: Option<SecretKey>,
    answer: Duration,
) -> Result<OpenVault, VaultProblem> {
    let Known { owner, index, lost, .. } = known(context).await?;
    let indexes = indexes(context)?;
    let vault = if let Some(practice) = &context.sandbox_vault {
        practice.clone()
    } else {
        let opening = opening(context, choose(context, &index).backend, passphrase, &indexes)?;
        within(opening.backend(), answer, move || Ok(vault::open(opening)?)).await?
    };
    let journal = Arc::new(rotations(context)?);
    let mut opened = OpenVault { vault, owner, index, derived: None, indexes: Arc::new(indexes), journal, answer };
    if !lost.is_empty() {
        opened.derive(&lost).await?;
    }
    Ok(opened)
}

fn opening(
    context: &Context,
    backend: Backend,
    passphrase: Option<SecretKey>,
    indexes: &VaultIndexes,
) -> Result<Opening, VaultProblem> {
    Ok(match backend {
        Backend::SecretService => Opening::SecretService,
        Backend::Keychain => Opening::Keychain,
        Backend::CredentialManager => Opening::CredentialManager,
        Backend::Keyutils => Opening::Keyutils,
        Backend::File => {
            let key_file = context.configuration.settings.vault_key_file.as_ref();
            let key = match (key_file, passphrase) {
                (Some(path), _) => FileKey::KeyFile(path.value.clone()),
                (None, Some(passphrase)) => FileKey::Passphrase(passphrase),
                (None, None) => return Err(VaultError::NeedsKey.into()),
            };
            Opening::File { dir: indexes.dir().try_clone()?, key }
        }
        // It is never chosen: practice has its own.
        Backend::Memory => return Err(VaultProblem::NoPlace),
    })
}

/// Does what may block on a thread of its own, and waits for it only so long. A call that comes back later ends what it
/// began: it may be a question that is answered at last.
async fn within<T: Send + 'static>(
    backend: Backend,
    answer: Duration,
    work: impl FnOnce() -> Result<T, VaultProblem> + Send + 'static,
) -> Result<T, VaultProblem> {
    let failed = |why: String| VaultProblem::Vault(VaultError::Failed { backend, why });
    let (done, heard) = oneshot::channel();
    let thread = std::thread::Builder::new().name("vault".to_owned());
    // Not a thread of the runtime: the bus of the Secret Service has one of its own, and refuses to be called in another.
    let begun = thread.spawn(move || drop(done.send(work())));
    begun.map_err(|error| failed(format!("no thread could be started ({error})")))?;
    match timeout(answer, heard).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(failed("the call broke off by a mistake of ours".to_owned())),
        Err(_) => Err(VaultError::NoAnswer { backend, seconds: answer.as_secs() }.into()),
    }
}
