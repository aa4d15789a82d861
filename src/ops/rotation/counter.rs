//! The counter at which a screen orders: one task that holds the wheel while the screen is at a rotation.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::advance::Halt;
use super::begin::{Begin, NewKeys};
use super::driver::{Driver, DriverSetup, Patience, Told};
use super::look::look;
use super::problem::{Kind, Problem};
use super::publish::Publishing;
use super::retire::Retirement;
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::talk::{Locked, Request};
use crate::domain::environment::Environment;
use crate::domain::rotation::talk::{Question, RotateNews, RotateOrder, Typed, TypedPair};
use crate::domain::rotation::{Blocker, Entry};
use crate::domain::secret::SecretKey;
use crate::ops::commit::{unlock, wallet_finding};
use crate::ops::context::Context;
use crate::vault::KeyPair;
use crate::wallet::{Lock, Signer, WalletError};

/// News under way to the screen.
const NEWS: usize = 256;
/// Lines of the journal that the screen gets.
const LINES: usize = 200;

/// What the counter works with.
pub struct RotorSetup {
    /// Who and where, as it is at this moment.
    pub context: Arc<dyn Fn() -> Arc<Context> + Send + Sync>,
    /// What `${NAME}` in a `.env` refers to.
    pub environment: Environment,
    /// The passphrase of an encrypted file, where one was typed.
    pub passphrase: Option<SecretKey>,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// How long it waits.
    pub patience: Patience,
    /// Called when the keys in use may be other ones; must not block.
    pub keys_changed: Arc<dyn Fn() + Send + Sync>,
}

/// An order with what goes beside it.
pub type Ordered = (RotateOrder, Typed);

/// Opens the counter: orders go in, news come out. It closes when the orders' sender is dropped; whatever is under way
/// then is in the journal.
pub fn serve(setup: RotorSetup) -> (mpsc::UnboundedSender<Ordered>, mpsc::Receiver<RotateNews>) {
    let (orders, mut received) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::channel(NEWS);
    let mut rotor = Rotor { setup, news, driver: None, publishing: None, request: 0, pending: Vec::new() };
    tokio::spawn(async move {
        while let Some((order, typed)) = received.recv().await {
            Box::pin(rotor.serve(order, typed)).await;
        }
    });
    (orders, heard)
}

struct Rotor {
    setup: RotorSetup,
    news: mpsc::Sender<RotateNews>,
    driver: Option<(Driver, mpsc::UnboundedReceiver<Told>)>,
    publishing: Option<(Request, Box<Publishing>)>,
    request: Request,
    /// What stood against the last step.
    pending: Vec<Blocker>,
}

/// What an order came to.
enum Came {
    Halted(Halt),
    Blocked(Vec<Blocker>),
}

impl Rotor {
    async fn tell(&self, news: RotateNews) {
        self.news.send(news).await.ok();
    }

    async fn serve(&mut self, order: RotateOrder, typed: Typed) {
        match order {
            RotateOrder::Look => return self.look().await,
            RotateOrder::Leave => {
                self.driver = None;
                self.publishing = None;
                return;
            }
            _ => {}
        }
        if (self.setup.context)().configuration.settings.read_only.value {
            return self.problem(Problem::from(Rule::read_only())).await;
        }
        self.pending.clear();
        match Box::pin(self.carry_out(order, typed)).await {
            Ok(Came::Halted(halt)) => self.halted(halt).await,
            Ok(Came::Blocked(blockers)) => {
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
    async fn carry_out(&mut self, order: RotateOrder, typed: Typed) -> Result<Came, Option<Problem>> {
        let signer = match order {
            RotateOrder::Publish(request) => Some(self.signer(request, typed.password.clone()).await?),
            _ => None,
        };
        let (mut driver, mut told) = self.at_the_wheel().await?;
        let news = self.news.clone();
        let changed = Arc::clone(&self.setup.keys_changed);
        let came = {
            let working = act(&mut driver, order, typed, signer);
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
        self.driver = Some((driver, told));
        came.map_err(Some)
    }

    async fn at_the_wheel(&mut self) -> Result<(Driver, mpsc::UnboundedReceiver<Told>), Problem> {
        if let Some(driving) = self.driver.take() {
            return Ok(driving);
        }
        let (tell, told) = mpsc::unbounded_channel();
        let setup = DriverSetup {
            context: (self.setup.context)(),
            environment: self.setup.environment.clone(),
            passphrase: self.setup.passphrase.clone(),
            now_ms: Arc::clone(&self.setup.now_ms),
            patience: self.setup.patience,
        };
        Ok((Driver::open(setup, tell).await?, told))
    }

    /// The plan of that request with the unlocked key.
    async fn signer(&mut self, request: Request, password: Option<SecretKey>) -> Result<Confirmed, Option<Problem>> {
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
                    return Err(Some(Problem { kind: Kind::Usage, finding: problem }));
                }
                self.publishing = Some((of, publishing));
                self.tell(RotateNews::WrongPassword(problem)).await;
                Err(None)
            }
        }
    }

    async fn halted(&mut self, halt: Halt) {
        self.publishing = None;
        let question = match halt {
            Halt::Publish(publishing) => {
                self.request += 1;
                let locked = match publishing.signer().and_then(|own| own.lock) {
                    Some(Lock::Nacl) => Locked::Password,
                    _ => Locked::Open,
                };
                let plan = Box::new(publishing.plan().clone());
                self.publishing = Some((self.request, publishing));
                Some(Question::Publish { request: self.request, plan, locked })
            }
            Halt::Env { path, variables } => Some(Question::Env { path, variables }),
            Halt::Revoke(side) => Some(Question::Revoke { side }),
            Halt::Accept(_) => Some(Question::Accept),
            Halt::Unsettled(blocker) => {
                self.pending = vec![blocker];
                None
            }
            Halt::KeysNeeded => {
                self.pending = vec![keys_needed()];
                None
            }
            Halt::Grace | Halt::Done => None,
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
                let driven_elsewhere = looked.driven_elsewhere && self.driver.is_none();
                let journal = last_lines(&looked.entries);
                self.tell(RotateNews::Stands { report, closed: looked.history.closed, journal, driven_elsewhere })
                    .await;
            }
            // Without an own hotkey there is nothing to rotate, and nothing wrong.
            Err(problem) if problem.finding.code == "no_hotkey" => {}
            Err(problem) => self.problem(problem).await,
        }
    }

    /// Where the wheel's holder stands.
    async fn stands(&mut self) {
        let Some((driver, _)) = &self.driver else { return self.look().await };
        let blockers = (!self.pending.is_empty()).then(|| self.pending.clone());
        let report = driver.report(blockers).await.map(Box::new);
        let closed = driver.history().closed.clone();
        let journal = last_lines(driver.entries());
        self.tell(RotateNews::Stands { report, closed, journal, driven_elsewhere: false }).await;
    }

    async fn problem(&self, problem: Problem) {
        tracing::warn!("rotation: {problem}");
        let finding = problem.finding;
        let news =
            if problem.kind == Kind::Refused { RotateNews::Refused(finding) } else { RotateNews::Paused(finding) };
        self.tell(news).await;
    }
}

type Confirmed = (Box<Publishing>, Signer);

async fn act(
    driver: &mut Driver,
    order: RotateOrder,
    typed: Typed,
    confirmed: Option<Confirmed>,
) -> Result<Came, Problem> {
    let halt = match order {
        RotateOrder::Begin { grace, emergency, .. } => {
            let pair = |pair: Option<TypedPair>| pair.map(|pair| key_pair(&pair));
            let keys = NewKeys { read: pair(typed.read), write: pair(typed.write) };
            driver.begin(Begin { keys, grace, emergency }).await?
        }
        RotateOrder::Publish(_) => match confirmed {
            Some((publishing, signer)) => Box::pin(driver.publish(*publishing, signer)).await?,
            None => driver.advance().await?,
        },
        RotateOrder::Env(answer) => driver.update_env(answer).await?,
        RotateOrder::Accept => driver.accept().await?,
        RotateOrder::TurnBack => driver.turn_back().await?,
        RotateOrder::Retire => match driver.retire().await? {
            Retirement::Retired => Halt::Done,
            Retirement::Blocked(blockers) => return Ok(Came::Blocked(blockers)),
        },
        RotateOrder::Look | RotateOrder::Leave | RotateOrder::Resume => driver.advance().await?,
    };
    Ok(Came::Halted(halt))
}

fn key_pair(typed: &TypedPair) -> KeyPair {
    KeyPair { id: typed.id.expose().trim().to_owned(), secret: SecretKey::new(typed.secret.expose().trim()) }
}

async fn pass_on(news: &mpsc::Sender<RotateNews>, told: Told) {
    let told = match told {
        Told::Working(words) => RotateNews::Working { words },
        Told::Commit(progress) => RotateNews::Progress(progress),
        Told::Noted(entry) => RotateNews::Working { words: entry.event.words() },
    };
    news.send(told).await.ok();
}

fn last_lines(entries: &[Entry]) -> Vec<Entry> {
    entries[entries.len().saturating_sub(LINES)..].to_vec()
}

/// What stands against going on where the new keys never reached the vault.
pub(super) fn keys_needed() -> Blocker {
    Blocker::new(
        "keys_needed",
        "The console broke off before the new keys were in the vault",
        "Begin again with the very same keys, or roll back: nothing was published.",
    )
}
