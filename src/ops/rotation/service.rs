//! The service behind the rotation screen: one task that holds the lock while a rotation is shown.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::advance::NeedsInput;
use super::begin::{Begin, NewKeys};
use super::executor::{Executor, ExecutorSetup, ProgressEvent};
use super::publish::Publishing;
use super::retire::Retirement;
use super::status::look;
use crate::domain::commit::messages::{Locked, RequestId};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::rotation::Entry;
use crate::domain::rotation::messages::{Question, RotateNews, RotateOrder, Typed, TypedPair};
use crate::domain::secret::SecretKey;
use crate::ops::commit::{Timeouts, unlock, wallet_finding};
use crate::ops::context::Context;
use crate::vault::KeyPair;
use crate::wallet::{Lock, Signer, WalletError};

/// News under way to the screen.
const NEWS: usize = 256;
/// Lines of the journal that the screen gets.
const LINES: usize = 200;

/// What the service works with.
pub struct ServiceSetup {
    /// Who and where, as it is at this moment.
    pub context: Arc<dyn Fn() -> Arc<Context> + Send + Sync>,
    /// What `${NAME}` in a `.env` refers to.
    pub environment: Environment,
    /// The passphrase of an encrypted file, where one was typed.
    pub passphrase: Option<SecretKey>,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// How long it waits.
    pub timeouts: Timeouts,
    /// Called when the keys in use may be other ones; must not block.
    pub keys_changed: Arc<dyn Fn() + Send + Sync>,
}

/// An order with what goes beside it.
pub type Ordered = (RotateOrder, Typed);

/// Starts the service: orders go in, news come out. It closes when the orders' sender is dropped; whatever is under way
/// then is in the journal.
pub fn serve(setup: ServiceSetup) -> (mpsc::UnboundedSender<Ordered>, mpsc::Receiver<RotateNews>) {
    let (orders, mut received) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::channel(NEWS);
    let mut service = Service { setup, news, executor: None, publishing: None, request: 0, pending: Vec::new() };
    tokio::spawn(async move {
        while let Some((order, typed)) = received.recv().await {
            Box::pin(service.serve(order, typed)).await;
        }
    });
    (orders, heard)
}

struct Service {
    setup: ServiceSetup,
    news: mpsc::Sender<RotateNews>,
    executor: Option<(Executor, mpsc::UnboundedReceiver<ProgressEvent>)>,
    publishing: Option<(RequestId, Box<Publishing>)>,
    request: RequestId,
    /// What stood against the last step.
    pending: Vec<Diagnostic>,
}

/// What an order came to.
enum Outcome {
    Halted(NeedsInput),
    Blocked(Vec<Diagnostic>),
}

impl Service {
    async fn tell(&self, news: RotateNews) {
        self.news.send(news).await.ok();
    }

    async fn serve(&mut self, order: RotateOrder, typed: Typed) {
        match order {
            RotateOrder::Look => return self.look().await,
            RotateOrder::Leave => {
                self.executor = None;
                self.publishing = None;
                return;
            }
            _ => {}
        }
        if let Some(rule) = (self.setup.context)().writing_forbidden() {
            return self.problem(Diagnostic::from(rule)).await;
        }
        self.pending.clear();
        match Box::pin(self.carry_out(order, typed)).await {
            Ok(Outcome::Halted(halt)) => self.halted(halt).await,
            Ok(Outcome::Blocked(blockers)) => {
                self.pending = blockers;
                self.stands().await;
            }
            Err(None) => {}
            Err(Some(problem)) => {
                self.stands().await;
                self.problem(problem).await;
            }
        }
    }

    /// `Err(None)` where it was told already.
    async fn carry_out(&mut self, order: RotateOrder, typed: Typed) -> Result<Outcome, Option<Diagnostic>> {
        let signer = match order {
            RotateOrder::Publish(request) => Some(self.signer(request, typed.password.clone()).await?),
            _ => None,
        };
        let (mut executor, mut told) = self.executor().await?;
        let news = self.news.clone();
        let changed = Arc::clone(&self.setup.keys_changed);
        let came = {
            let working = act(&mut executor, order, typed, signer);
            tokio::pin!(working);
            loop {
                tokio::select! {
                    biased;
                    Some(told) = told.recv() => pass_on(&news, told).await,
                    came = &mut working => break came,
                }
            }
        };
        while let Ok(told) = told.try_recv() {
            pass_on(&news, told).await;
        }
        changed();
        self.executor = Some((executor, told));
        came.map_err(Some)
    }

    async fn executor(&mut self) -> Result<(Executor, mpsc::UnboundedReceiver<ProgressEvent>), Diagnostic> {
        if let Some(driving) = self.executor.take() {
            return Ok(driving);
        }
        let (tell, told) = mpsc::unbounded_channel();
        let setup = ExecutorSetup {
            context: (self.setup.context)(),
            environment: self.setup.environment.clone(),
            passphrase: self.setup.passphrase.clone(),
            now_ms: Arc::clone(&self.setup.now_ms),
            timeouts: self.setup.timeouts,
        };
        Ok((Executor::open(setup, tell).await?, told))
    }

    /// The plan of that request with the unlocked key.
    async fn signer(
        &mut self,
        request: RequestId,
        password: Option<SecretKey>,
    ) -> Result<Confirmed, Option<Diagnostic>> {
        let Some((of, publishing)) = self.publishing.take().filter(|(of, _)| *of == request) else { return Err(None) };
        let Some(own) = publishing.signer().cloned() else { return Err(None) };
        match unlock(&own, password).await {
            Ok(signer) => Ok((publishing, signer)),
            Err(error) => {
                let problem = wallet_finding(&error);
                let again = matches!(
                    error,
                    WalletError::WrongPassword(_) | WalletError::PasswordNeeded(_) | WalletError::PasswordEmpty
                );
                if !again {
                    return Err(Some(problem.in_class(Class::Usage)));
                }
                self.publishing = Some((of, publishing));
                self.tell(RotateNews::WrongPassword(problem)).await;
                Err(None)
            }
        }
    }

    async fn halted(&mut self, halt: NeedsInput) {
        self.publishing = None;
        let question = match halt {
            NeedsInput::Publish(publishing) => {
                self.request += 1;
                let locked = match publishing.signer().and_then(|own| own.lock) {
                    Some(Lock::Nacl) => Locked::Password,
                    _ => Locked::Open,
                };
                let plan = Box::new(publishing.plan().clone());
                self.publishing = Some((self.request, publishing));
                Some(Question::Publish { request: self.request, plan, locked })
            }
            NeedsInput::Env { path, variables } => Some(Question::Env { path, variables }),
            NeedsInput::Revoke(side) => Some(Question::Revoke { side }),
            NeedsInput::Accept(_) => Some(Question::Accept),
            NeedsInput::Unsettled(blocker) => {
                self.pending = vec![blocker];
                None
            }
            NeedsInput::KeysNeeded => {
                self.pending = vec![keys_needed()];
                None
            }
            NeedsInput::Grace | NeedsInput::Done => None,
        };
        self.stands().await;
        if let Some(question) = question {
            self.tell(RotateNews::Asks(question)).await;
        }
    }

    async fn look(&mut self) {
        match look(&(self.setup.context)(), (self.setup.now_ms)()).await {
            Ok(looked) => {
                let report = looked.report().map(Box::new);
                let driven_elsewhere = looked.driven_elsewhere && self.executor.is_none();
                let journal = last_lines(&looked.entries);
                self.tell(RotateNews::Stands { report, closed: looked.history.closed, journal, driven_elsewhere })
                    .await;
            }
            // Without an own hotkey there is nothing to rotate, and nothing wrong.
            Err(problem) if problem.code == "no_hotkey" => {}
            Err(problem) => self.problem(problem).await,
        }
    }

    /// Where the holder of the lock stands.
    async fn stands(&mut self) {
        let Some((executor, _)) = &self.executor else { return self.look().await };
        let blockers = (!self.pending.is_empty()).then(|| self.pending.clone());
        let report = executor.report(blockers).await.map(Box::new);
        let closed = executor.history().closed.clone();
        let journal = last_lines(executor.entries());
        self.tell(RotateNews::Stands { report, closed, journal, driven_elsewhere: false }).await;
    }

    async fn problem(&self, problem: Diagnostic) {
        tracing::warn!("rotation: {problem}");
        let is_refusal = problem.class == Class::Refused;
        self.tell(if is_refusal { RotateNews::Refused(problem) } else { RotateNews::Paused(problem) }).await;
    }
}

type Confirmed = (Box<Publishing>, Signer);

async fn act(
    executor: &mut Executor,
    order: RotateOrder,
    typed: Typed,
    confirmed: Option<Confirmed>,
) -> Result<Outcome, Diagnostic> {
    let halt = match order {
        RotateOrder::Begin { grace, emergency, .. } => {
            let pair = |pair: Option<TypedPair>| pair.map(|pair| key_pair(&pair));
            let keys = NewKeys { read: pair(typed.read), write: pair(typed.write) };
            executor.begin(Begin { keys, grace, emergency }).await?
        }
        RotateOrder::Publish(_) => match confirmed {
            Some((publishing, signer)) => Box::pin(executor.publish(*publishing, signer)).await?,
            None => executor.advance().await?,
        },
        RotateOrder::Env(answer) => executor.update_env(answer).await?,
        RotateOrder::Accept => executor.accept().await?,
        RotateOrder::RollBack => executor.roll_back().await?,
        RotateOrder::Retire | RotateOrder::RetireAllRestarted => {
            match executor.retire(order == RotateOrder::RetireAllRestarted).await? {
                Retirement::Retired => NeedsInput::Done,
                Retirement::Blocked(blockers) => return Ok(Outcome::Blocked(blockers)),
            }
        }
        RotateOrder::Look | RotateOrder::Leave | RotateOrder::Resume => executor.advance().await?,
    };
    Ok(Outcome::Halted(halt))
}

fn key_pair(typed: &TypedPair) -> KeyPair {
    KeyPair { id: typed.id.expose().trim().to_owned(), secret: SecretKey::new(typed.secret.expose().trim()) }
}

async fn pass_on(news: &mpsc::Sender<RotateNews>, told: ProgressEvent) {
    let told = match told {
        ProgressEvent::Working(words) => RotateNews::Working { words },
        ProgressEvent::Commit(progress) => RotateNews::Progress(progress),
        ProgressEvent::Noted(entry) => RotateNews::Working { words: entry.event.words() },
    };
    news.send(told).await.ok();
}

fn last_lines(entries: &[Entry]) -> Vec<Entry> {
    entries[entries.len().saturating_sub(LINES)..].to_vec()
}

/// What stands against going on where the new keys never reached the vault.
pub(super) fn keys_needed() -> Diagnostic {
    Diagnostic::blocker(
        "keys_needed",
        "The console broke off before the new keys were in the vault",
        "Begin again with the very same keys, or roll back: nothing was published.",
    )
}
