//! The executor of rotations: the lock, the open vault, the journal, and the one function that writes an event.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::commit::Progress;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::owner::Owner;
use crate::domain::rotation::{Entry, Event, History, Rotation};
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::GenerationNumber;
use crate::ops::commit::Timeouts;
use crate::ops::context::Context;
use crate::ops::vault::{self, OpenVault};
use crate::state::{ExecutorLock, Rotations, StateDir, StateError};
use crate::storage::{Store, StoreOptions};
use crate::vault::Generation;

/// Target of the log's lines that say what the journal says.
pub const JOURNAL: &str = "grail_console::rotation";

/// How often the lock is asked for while another process has it, and for how long.
const LOCK: (Duration, u32) = (Duration::from_millis(100), 10);

/// What a executor works with.
pub struct ExecutorSetup {
    /// Who and where.
    pub context: Arc<Context>,
    /// What `${NAME}` in a `.env` refers to.
    pub environment: Environment,
    /// The passphrase of an encrypted file, where it was typed or read.
    pub passphrase: Option<SecretKey>,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// How long it waits.
    pub timeouts: Timeouts,
}

/// What is told on the way.
#[derive(Debug, Clone)]
pub enum ProgressEvent {
    /// It is at work on something: in words.
    Working(String),
    /// An event was written.
    Noted(Box<Entry>),
    /// A step of the commit.
    Commit(Progress),
}

/// Who listens. Nobody needs to.
pub type Teller = mpsc::UnboundedSender<ProgressEvent>;

/// Executes an owner's rotations. Holds the lock while it lives.
pub struct Executor {
    pub(super) context: Arc<Context>,
    pub(super) environment: Environment,
    pub(super) opened: OpenVault,
    pub(super) journal: Rotations,
    pub(super) history: History,
    pub(super) entries: Vec<Entry>,
    pub(super) store: Store,
    pub(super) now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(super) timeouts: Timeouts,
    pub(super) tell: Teller,
    _lock: ExecutorLock,
}

impl Executor {
    /// Opens the vault, takes the lock and reads the journal.
    pub async fn open(setup: ExecutorSetup, tell: Teller) -> Result<Self, Diagnostic> {
        let ExecutorSetup { context, environment, passphrase, now_ms, timeouts } = setup;
        let owner = vault::owner(&context).await?;
        let journal = rotations(&context)?;
        let lock = take_lock(&journal, &owner).await?;
        let (history, entries) = journal.history(&owner)?;
        let opened = vault::open(&context, passphrase).await?;
        let context = Arc::new(Context { opened: Some(opened.vault.clone()), ..(*context).clone() });
        let store = Store::new(StoreOptions { region: context.region().to_owned(), ..StoreOptions::default() });
        Ok(Self { context, environment, opened, journal, history, entries, store, now_ms, timeouts, tell, _lock: lock })
    }

    /// Whose rotations.
    pub fn owner(&self) -> Owner {
        self.opened.owner
    }

    /// Who and where.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The rotation under way.
    pub fn rotation(&self) -> Option<&Rotation> {
        self.history.open.as_ref()
    }

    /// The rotation under way, or the last one.
    pub fn latest(&self) -> Option<&Rotation> {
        self.history.open.as_ref().or_else(|| self.history.closed.last())
    }

    /// That the vault's index was derived again, where it was.
    pub const fn derived(&self) -> Option<&Diagnostic> {
        self.opened.derived.as_ref()
    }

    /// Everything that the journal tells.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The journal.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn under_way(&self) -> Result<Rotation, Diagnostic> {
        self.rotation().cloned().ok_or_else(nothing_open)
    }

    pub(super) fn now(&self) -> u64 {
        (self.now_ms)()
    }

    pub(super) fn working(&self, words: impl Into<String>) {
        self.tell.send(ProgressEvent::Working(words.into())).ok();
    }

    /// Writes an event. What cannot follow is never written; what could not be written has not happened.
    pub(super) fn note(&mut self, event: Event) -> Result<(), Diagnostic> {
        let now = self.now();
        let mut after = self.history.clone();
        after.take(&Entry { at_ms: now, event: event.clone() })?;
        let entry = self.journal.append(&self.owner(), event, now)?;
        tracing::info!(target: JOURNAL, "{}", entry.event.words());
        self.history = after;
        self.tell.send(ProgressEvent::Noted(Box::new(entry.clone()))).ok();
        self.entries.push(entry);
        Ok(())
    }

    /// The generation that the direction leads to.
    pub(super) async fn target(&self) -> Result<Generation, Diagnostic> {
        let number = self.under_way()?.target();
        Ok(self.opened.generation(number).await?)
    }

    /// A generation, where the vault holds it.
    pub(super) async fn find(&self, number: GenerationNumber) -> Result<Option<Generation>, Diagnostic> {
        match self.opened.index.holding(number) {
            Some(_) => Ok(Some(self.opened.generation(number).await?)),
            None => Ok(None),
        }
    }

    /// The context in which a generation's keys are the local ones, on the chain that they are for and no other.
    pub(super) fn with(&self, generation: &Generation) -> Context {
        let mut context = self.context.with_generation(generation);
        context.network.genesis = Some(self.owner().genesis);
        context
    }
}

pub(super) fn nothing_open() -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "no_rotation",
        "No rotation is under way",
        "There is nothing to go on with.",
        "Begin one with rotate start, or look at what was with rotate status.",
    )
}

/// The journals of rotations on disk.
pub(in crate::ops) fn rotations(context: &Context) -> Result<Rotations, StateError> {
    match (&context.disk.state, &context.paths) {
        (Some(state), _) => state.rotations(),
        // It could not be opened at the start: by now it can, or it says why not.
        (None, Some(paths)) => StateDir::open(&paths.state)?.rotations(),
        (None, None) => Err(StateError::NoHome { what: "state", variable: "XDG_STATE_HOME" }),
    }
}

async fn take_lock(journal: &Rotations, owner: &Owner) -> Result<ExecutorLock, Diagnostic> {
    let (pause, attempts) = LOCK;
    for _ in 0..attempts {
        if let Some(lock) = journal.lock(owner)? {
            return Ok(lock);
        }
        tokio::time::sleep(pause).await;
    }
    Err(Diagnostic::failure(
        Class::Pending,
        "driven_elsewhere",
        "Another console of this machine drives the rotation of this hotkey",
        "Two of them would undo each other's steps.",
        "Go on in that one, or leave it there first.",
    ))
}
