//! The service behind a screen: one task that plans, publishes and waits for registration, and tells the news.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;

use super::publish::{publish, unlock, wait_until_registered};
use super::{Prepared, Unprepared, identity, prepare, reconcile, wallet_finding};
use crate::domain::commit::messages::{Locked, News, Order, RequestId};
use crate::domain::commit::{Ended, KeyTest, Plan, Progress};
use crate::domain::secret::SecretKey;
use crate::ops::context::Context;
use crate::wallet::{Lock, Signer, WalletError};

/// How long an unlocked key may wait for a registration before it is dropped.
const KEY_KEPT: Duration = Duration::from_hours(12);
/// News under way to the screen.
const NEWS: usize = 256;

/// What the service works with.
pub struct ServiceSetup {
    /// Who and where, as it is at this moment: the `.env` may have changed since the start.
    pub context: Arc<dyn Fn() -> Arc<Context> + Send + Sync>,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Something under way for a request, which may be given up at any time since nothing is sent by it.
type UnderWay<T> = Option<(RequestId, JoinHandle<T>)>;
/// What came of a plan, with what the key file needs.
type Made = Result<(Prepared, Locked), Unprepared>;
/// What came of waiting for a uid: the plan of that moment and the key, or what to tell instead.
type Waited = Result<(Prepared, Signer), News>;

/// An order with the password that it needs.
pub type Ordered = (Order, Option<SecretKey>);

/// Starts the service: orders go in, news come out. It closes when the orders' sender is dropped; a commit that is on its
/// way then is in the journal.
pub fn serve(setup: ServiceSetup) -> (mpsc::UnboundedSender<Ordered>, mpsc::Receiver<News>) {
    let (orders, received) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::channel(NEWS);
    let service = Service { setup: Arc::new(setup), news, plan: None, planning: None, awaiting: None };
    tokio::spawn(service.run(received));
    (orders, heard)
}

struct Service {
    setup: Arc<ServiceSetup>,
    news: mpsc::Sender<News>,
    /// The plan that may be confirmed.
    plan: Option<(RequestId, Prepared)>,
    planning: UnderWay<Made>,
    /// Waiting for a uid. From the moment of the uid on it is a commit like any other, and cannot be given up.
    awaiting: UnderWay<Waited>,
}

impl Service {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Ordered>) {
        let settling = tokio::spawn(tell_reconciled(Arc::clone(&self.setup), self.news.clone()));
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some((order, password)) => self.serve(order, password).await,
                    None => break,
                },
                (request, planned) = finished(&mut self.planning) => self.on_planned(request, planned).await,
                (request, waited) = finished(&mut self.awaiting) => self.on_waited(request, waited).await,
            }
        }
        settling.abort();
        self.cancel_waiting();
    }

    async fn tell(&self, news: News) {
        self.news.send(news).await.ok();
    }

    async fn serve(&mut self, order: Order, password: Option<SecretKey>) {
        match order {
            Order::Plan(request) => self.begin_plan(request),
            Order::Forget(request) => self.forget(request),
            Order::Publish(request) => self.publish(request, password).await,
            Order::PublishWhenRegistered(request) => self.publish_when_registered(request, password).await,
            Order::CancelWaiting => {
                if self.cancel_waiting() {
                    self.tell(News::WaitingCancelled { why: "as asked; the key was dropped".to_owned() }).await;
                }
            }
        }
    }

    fn begin_plan(&mut self, request: RequestId) {
        self.plan = None;
        if let Some((_, planning)) = self.planning.take() {
            planning.abort();
        }
        let (setup, news) = (Arc::clone(&self.setup), self.news.clone());
        let planning = tokio::spawn(async move {
            let context = (setup.context)();
            let tell = |words: String| {
                news.try_send(News::Progress { request, progress: Progress::Testing { words } }).ok();
            };
            let prepared = prepare(&context, (setup.now_ms)()).await?.tested(&context, &tell).await?;
            let locked = match identity(&context)?.lock {
                Some(Lock::Nacl) => Locked::Password,
                _ => Locked::Open,
            };
            Ok((prepared, locked))
        });
        self.planning = Some((request, planning));
    }

    fn forget(&mut self, request: RequestId) {
        self.plan.take_if(|(of, _)| *of == request);
        if let Some((_, planning)) = self.planning.take_if(|(of, _)| *of == request) {
            planning.abort();
        }
    }

    async fn on_planned(&mut self, request: RequestId, planned: Result<Made, JoinError>) {
        let broke_off = |error: JoinError| Unprepared::Identity(format!("The plan could not be made ({error})"));
        match planned.map_err(broke_off).flatten() {
            Ok((prepared, locked)) => {
                let plan = Box::new(prepared.plan.clone());
                self.plan = Some((request, prepared));
                self.tell(News::Planned { request, plan, locked }).await;
            }
            Err(Unprepared::Refused(ended)) => self.tell(News::Ended { request, ended }).await,
            Err(error) => self.tell(News::Failed { request, problem: error.finding() }).await,
        }
    }

    /// The plan of that request, if it is the one at hand and may be acted upon.
    async fn taken(&mut self, request: RequestId) -> Option<Prepared> {
        if let Some(rule) = (self.setup.context)().writing_forbidden() {
            self.tell(News::Ended { request, ended: Box::new(Ended::Refused(rule)) }).await;
            return None;
        }
        match self.plan.take() {
            Some((of, prepared)) if of == request => Some(prepared),
            other => {
                self.plan = other;
                None
            }
        }
    }

    async fn publish(&mut self, request: RequestId, password: Option<SecretKey>) {
        let Some(prepared) = self.taken(request).await else { return };
        match self.opened(request, password).await {
            Err(problem) => {
                self.plan = Some((request, prepared));
                self.tell(problem).await;
            }
            Ok(signer) => {
                let untested = was_told(&prepared.plan);
                self.carry_out(request, prepared.even_untested(untested), signer);
            }
        }
    }

    /// Not aborted with the dialog: what is signed is followed to its end.
    fn carry_out(&self, request: RequestId, prepared: Prepared, signer: Signer) {
        let (setup, news) = (Arc::clone(&self.setup), self.news.clone());
        tokio::spawn(async move { Box::pin(carry_out(request, prepared, signer, &setup, &news)).await });
    }

    /// The unlocked key, or what to tell instead.
    async fn opened(&self, request: RequestId, password: Option<SecretKey>) -> Result<Signer, News> {
        let context = (self.setup.context)();
        let own = identity(&context).map_err(|error| News::Failed { request, problem: error.finding() })?;
        if password.is_some() {
            self.tell(News::Progress { request, progress: Progress::Unlocking }).await;
        }
        unlock(own, password).await.map_err(|error| {
            let problem = wallet_finding(&error);
            match error {
                WalletError::WrongPassword(_) | WalletError::PasswordNeeded(_) | WalletError::PasswordEmpty => {
                    News::WrongPassword { request, problem }
                }
                _ => News::Failed { request, problem },
            }
        })
    }

    async fn publish_when_registered(&mut self, request: RequestId, password: Option<SecretKey>) {
        let Some(prepared) = self.taken(request).await else { return };
        match self.opened(request, password).await {
            Err(problem) => {
                self.plan = Some((request, prepared));
                self.tell(problem).await;
            }
            Ok(signer) => {
                self.cancel_waiting();
                let setup = Arc::clone(&self.setup);
                self.tell(News::AwaitingRegistration { request }).await;
                tracing::info!("armed: the commit is made once, as soon as the hotkey has a uid");
                let confirmed = prepared.plan;
                let waiting = async move { Box::pin(await_registration(request, &confirmed, signer, &setup)).await };
                self.awaiting = Some((request, tokio::spawn(waiting)));
            }
        }
    }

    async fn on_waited(&mut self, request: RequestId, waited: Result<Waited, JoinError>) {
        match waited {
            Ok(Ok((prepared, signer))) => self.carry_out(request, prepared, signer),
            Ok(Err(news)) => self.tell(news).await,
            Err(error) => {
                self.tell(News::WaitingCancelled {
                    why: format!("the waiting broke off ({error}); the key was dropped"),
                })
                .await;
            }
        }
    }

    /// Whether it was armed, and still waiting.
    fn cancel_waiting(&mut self) -> bool {
        let awaiting = self.awaiting.take();
        awaiting.inspect(|(_, waiting)| waiting.abort()).is_some()
    }
}

/// What is under way, when it is finished; never, when there is nothing.
async fn finished<T>(under_way: &mut UnderWay<T>) -> (RequestId, Result<T, JoinError>) {
    let Some((request, handle)) = under_way else { return std::future::pending().await };
    let (request, result) = (*request, handle.await);
    *under_way = None;
    (request, result)
}

/// Whether the plan that was confirmed said that the pair could not be tested.
fn was_told(confirmed: &Plan) -> bool {
    confirmed.key_test.as_ref().is_some_and(KeyTest::is_untested)
}

/// Publishes and tells every step.
async fn carry_out(
    request: RequestId,
    prepared: Prepared,
    signer: Signer,
    setup: &ServiceSetup,
    news: &mpsc::Sender<News>,
) {
    let (progress, mut heard) = mpsc::channel(64);
    let context = (setup.context)();
    let publishing = publish(&context, prepared, signer, &progress, || (setup.now_ms)());
    tokio::pin!(publishing);
    let ended = loop {
        tokio::select! {
            biased;
            Some(progress) = heard.recv() => {
                news.send(News::Progress { request, progress }).await.ok();
            }
            ended = &mut publishing => break ended,
        }
    };
    while let Ok(progress) = heard.try_recv() {
        news.send(News::Progress { request, progress }).await.ok();
    }
    news.send(News::Ended { request, ended: Box::new(ended) }).await.ok();
}

/// Waits for the uid with the key in memory, but not for ever.
async fn await_registration(request: RequestId, confirmed: &Plan, signer: Signer, setup: &ServiceSetup) -> Waited {
    let context = (setup.context)();
    let prepared = tokio::select! {
        prepared = wait_until_registered(&context, confirmed, || (setup.now_ms)()) => prepared,
        () = sleep(KEY_KEPT) => {
            let why = format!("{} hours went by without a uid; the key was dropped", KEY_KEPT.as_secs() / 3_600);
            return Err(News::WaitingCancelled { why });
        }
    };
    match prepared {
        Ok(prepared) => Ok((prepared.even_untested(was_told(confirmed)), signer)),
        Err(Unprepared::Refused(ended)) => Err(News::Ended { request, ended }),
        Err(error) => Err(News::Failed { request, problem: error.finding() }),
    }
}

async fn tell_reconciled(setup: Arc<ServiceSetup>, news: mpsc::Sender<News>) {
    let context = (setup.context)();
    for settled in reconcile(&context, (setup.now_ms)()).await {
        tracing::info!("{}", settled.finding().summary);
        let told = News::Reconciled {
            intent: Box::new(settled.open.intent.clone()),
            at_ms: settled.open.at_ms,
            ended: Box::new(settled.ended),
        };
        news.send(told).await.ok();
    }
}
