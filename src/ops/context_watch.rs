//! Who the operator is at this moment: the `.env` may change, and the vault open or come to hold other keys, while the
//! console runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use super::vault::{VaultProblem, with_keys};
use crate::config::Flags;
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::Index;
use crate::ops::context::Context;
use crate::ops::feed::watch_env_file;

/// How often the vault's index is looked at: another process may have rotated.
const INDEX_EVERY: Duration = Duration::from_secs(3);
/// Pause before a vault that did not open is tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// What the console works with at this moment. Clones share it.
#[derive(Debug, Clone)]
pub struct ContextWatch {
    context: Arc<RwLock<Arc<Context>>>,
    changed: Arc<Notify>,
}

impl ContextWatch {
    /// The present context.
    pub fn now(&self) -> Arc<Context> {
        Arc::clone(&self.context.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the vault looked at again, since its keys may be other ones now.
    pub fn keys_changed(&self) {
        self.changed.notify_one();
    }

    fn set(&self, context: &Arc<Context>) {
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(context);
    }
}

/// Keeps the context true until the receiver is dropped, and tells each change. The passphrase is that of an encrypted
/// file, where it was typed.
pub fn keep_current(
    context: Context,
    flags: Flags,
    environment: Environment,
    passphrase: Option<SecretKey>,
) -> (ContextWatch, mpsc::Receiver<Arc<Context>>) {
    let (news, received) = mpsc::channel(1);
    let env = watch_env_file(&context, flags.clone(), environment.clone());
    let current =
        ContextWatch { context: Arc::new(RwLock::new(Arc::new(context.clone()))), changed: Arc::new(Notify::new()) };
    // Where nothing of the vault is in use, the context says everything already.
    let known = context.vault.current.is_none().then(|| context.vault.clone());
    let sources = (flags, environment);
    let keeper = Keeper { current: current.clone(), base: context, sources, passphrase, known, again: None };
    tokio::spawn(keeper.run(env, news));
    (current, received)
}

struct Keeper {
    current: ContextWatch,
    /// What is configured, without the vault's keys.
    base: Context,
    /// What that is read from.
    sources: (Flags, Environment),
    passphrase: Option<SecretKey>,
    /// The index whose keys were taken, or tried.
    known: Option<Index>,
    /// When a vault that did not open is tried again.
    again: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, mut env: mpsc::Receiver<Context>, news: mpsc::Sender<Arc<Context>>) {
        let mut env_is_watched = true;
        loop {
            if let Some(context) = self.looked().await {
                let context = Arc::new(context);
                self.current.set(&context);
                if news.send(context).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = env.recv(), if env_is_watched => match changed {
                    Some(context) => self.take(context),
                    None => env_is_watched = false,
                },
                () = self.current.changed.notified() => self.known = None,
                () = sleep(INDEX_EVERY) => {}
                () = due(self.again) => self.known = None,
                () = news.closed() => return,
            }
        }
    }

    /// A changed `.env`. The console stays with the chain that it opened on, and with its vault.
    fn take(&mut self, mut context: Context) {
        context.network = self.base.network.clone();
        context.node = self.base.node.clone();
        context.sandbox_vault.clone_from(&self.base.sandbox_vault);
        self.base = context;
        self.known = None;
    }

    /// What is odd beside the vault depends on what it holds.
    async fn read_again(&mut self) {
        let (flags, environment) = self.sources.clone();
        match spawn_blocking(move || Context::load(&flags, &environment)).await {
            Ok(Ok(context)) => self.take(context),
            Ok(Err(error)) => tracing::warn!("the configuration cannot be used, what was read before stands: {error}"),
            Err(error) => tracing::warn!("the configuration was not read: {error}"),
        }
    }

    /// The context with the vault's keys, where anything changed since the last look.
    async fn looked(&mut self) -> Option<Context> {
        let index = self.base.vault_index().unwrap_or_default();
        if self.known.as_ref() == Some(&index) {
            return None;
        }
        if index != self.base.vault {
            self.read_again().await;
        }
        self.known = Some(index.clone());
        self.again = None;
        if self.base.owner().is_none() {
            return Some(self.base.clone());
        }
        Some(match with_keys(&self.base, self.passphrase.clone()).await {
            Ok(context) => context,
            Err(problem) => self.without_keys(index, &problem),
        })
    }

    /// The vault says no: the console watches on, and nothing is published with other keys.
    fn without_keys(&mut self, index: Index, problem: &VaultProblem) -> Context {
        tracing::warn!("the vault's keys cannot be used: {problem}");
        self.again = Some(Instant::now() + AGAIN);
        let mut context = self.base.clone();
        context.vault = index;
        context.findings.insert(0, problem.finding());
        context
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
