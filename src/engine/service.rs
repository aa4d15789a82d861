//! One task between whoever shows a subnet and the world: requests in, events out, in one order.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::config::Flags;
use crate::domain::commit::{News, Order};
use crate::domain::environment::Environment;
use crate::domain::feed::FeedEvent;
use crate::domain::probe::{ProbeNews, ProbeOrder};
use crate::domain::provenance::messages::{VerifyNews, VerifyOrder};
use crate::domain::rotation::messages::{RotateNews, RotateOrder, Typed};
use crate::domain::secret::SecretKey;
use crate::engine::own::OwnInfo;
use crate::ops::context::Context;
use crate::ops::context_watch::keep_current;
use crate::ops::feed::{follow_subnet, watch_env_file};
use crate::ops::probe::{SubnetView, TesterSetup};
use crate::ops::rotation::{self, Timeouts};
use crate::ops::verify::VerifierSetup;
use crate::ops::{commit, probe, verify};

/// Events that wait to be taken; what brings more waits with them.
const EVENTS: usize = 256;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Plan, publish, wait for a uid, cancel or forget a commit.
    Commit(Order),
    /// Test rows, end a test of many, or find out whether a validator would see the own uid.
    Probe(ProbeOrder),
    /// Look at where rows come from, or note that a dispute was read.
    Verify(VerifyOrder),
    /// Look at a rotation, begin one, go on, answer it, roll it back or let go of it.
    Rotate(RotateOrder),
    /// Connect anew.
    Reconnect,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The chain told something.
    Feed(FeedEvent),
    /// The operator's own side was read again.
    Own(Box<OwnInfo>),
    /// Something was heard of a commit.
    Commit(News),
    /// Something was heard of read tests.
    Probe(ProbeNews),
    /// Something was heard of where rows come from.
    Verify(VerifyNews),
    /// Something was heard of a rotation.
    Rotate(RotateNews),
}

/// What the service works with.
pub struct ServiceSetup {
    /// What is configured.
    pub context: Context,
    /// What that was read from, and is read from again.
    pub flags: Flags,
    /// The same.
    pub environment: Environment,
    /// Of an encrypted vault, where it was typed.
    pub passphrase: Option<SecretKey>,
    /// The clock, in ms since 1970.
    pub now_ms: fn() -> u64,
}

/// Hands a request on, with what was typed for it and stands in no message; it never waits.
pub type Requests = Box<dyn Fn(Request, Typed) + Send>;

/// Starts everything that a console needs. It ends when the receiver is dropped.
pub fn serve(setup: ServiceSetup) -> (Requests, mpsc::Receiver<Event>) {
    let ServiceSetup { context, flags, environment, passphrase, now_ms } = setup;
    let subnet_view = SubnetView::new();
    let (feed, reconnect) = follow_subnet(&context, subnet_view.clone());
    let (current, changes) = keep_current(context, flags, environment.clone(), passphrase.clone());
    let now: Arc<dyn Fn() -> Arc<Context> + Send + Sync> = {
        let current = current.clone();
        Arc::new(move || current.now())
    };
    let clock = Arc::new(now_ms);
    let (orders, commits) =
        commit::serve(commit::ServiceSetup { context: Arc::clone(&now), now_ms: Arc::clone(&clock) as _ });
    let (rotations, rotated) = rotation::serve(rotation::ServiceSetup {
        context: Arc::clone(&now),
        environment,
        passphrase,
        now_ms: Arc::clone(&clock) as _,
        timeouts: Timeouts::default(),
        keys_changed: Arc::new(move || current.keys_changed()),
    });
    let (proofs, verified) =
        verify::serve(VerifierSetup { context: Arc::clone(&now), now_ms: Arc::clone(&clock) as _ });
    let (tests, tested) = probe::serve(TesterSetup { context: now, subnet_view, now_ms: clock });
    // The services outlive their reader; nobody waits for a request that they no longer receive.
    let requests: Requests = Box::new(move |request, typed| match request {
        Request::Commit(order) => drop(orders.send((order, typed.password))),
        Request::Probe(order) => drop(tests.send(order)),
        Request::Verify(order) => drop(proofs.send(order)),
        Request::Rotate(order) => drop(rotations.send((order, typed))),
        Request::Reconnect => reconnect.notify_one(),
    });
    let (events, received) = mpsc::channel(EVENTS);
    tokio::spawn(relay(Sources { feed, changes, commits, tested, verified, rotated }, events));
    (requests, received)
}

struct Sources {
    feed: mpsc::Receiver<FeedEvent>,
    changes: mpsc::Receiver<Arc<Context>>,
    commits: mpsc::Receiver<News>,
    tested: mpsc::Receiver<ProbeNews>,
    verified: mpsc::Receiver<VerifyNews>,
    rotated: mpsc::Receiver<RotateNews>,
}

/// Brings everything into one order until nobody reads it.
async fn relay(mut from: Sources, events: mpsc::Sender<Event>) {
    loop {
        // There is room before anything is taken, so that what is taken is the newest.
        let Ok(room) = events.reserve().await else { return };
        let event = tokio::select! {
            biased;
            () = events.closed() => return,
            Some(event) = from.feed.recv() => Event::Feed(event),
            Some(news) = from.commits.recv() => Event::Commit(news),
            Some(news) = from.rotated.recv() => Event::Rotate(news),
            Some(news) = from.tested.recv() => Event::Probe(news),
            Some(news) = from.verified.recv() => Event::Verify(news),
            Some(context) = from.changes.recv() => Event::Own(Box::new(OwnInfo::of_context(&context))),
            else => return,
        };
        room.send(event);
    }
}

/// The chain's events and the operator's own side, for whoever only watches: no vault is opened.
pub fn watch(context: &Context, flags: Flags, environment: Environment) -> mpsc::Receiver<Event> {
    let (mut feed, reconnect) = follow_subnet(context, SubnetView::new());
    let mut changes = watch_env_file(context, flags, environment);
    let (events, received) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                biased;
                Some(event) = feed.recv() => Event::Feed(event),
                Some(context) = changes.recv() => Event::Own(Box::new(OwnInfo::of_context(&context))),
                else => break,
            };
            if events.send(event).await.is_err() {
                break;
            }
        }
        drop(reconnect);
    });
    received
}
