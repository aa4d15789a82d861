//! Following a subnet on one connection: the node tells what changes, nothing is polled.
//!
//! Changes come from storage subscriptions on every key that matters, with `System.Number` riding along so that each
//! says which best block it is of. A best block may still be replaced, so what changed is looked at once more when its
//! height is finalized. What a subscription cannot tell (blocks that the node skipped, a runtime upgrade, uids that
//! vanished) makes the whole subnet be read again, at a finalized block, beside the table that stays.

use std::collections::VecDeque;
use std::future::ready;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;
use subxt_rpcs::Error as RpcError;
use subxt_rpcs::client::RpcSubscription;
use subxt_rpcs::methods::legacy::RuntimeVersion;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until};

use super::error::{ChainError, Fault};
use super::node::Connection;
use super::options::FeedOptions;
use super::progress::Progress;
use super::read_budget::ReadBudget;
use super::session::{ChangeSet, Header, Session};
use super::snapshot::{Reading, Start, Subject, query, read};
use super::table::{Delta, Table, Watch};
use crate::domain::feed::FeedEvent;
use crate::domain::network::{BlockHash, Endpoint};
use crate::domain::snapshot::ChainIdentity;

/// Storage subscriptions on one connection; nodes allow about a thousand. Past this many they are made anew as few.
const MOST_SUBSCRIPTIONS: usize = 128;
/// Blocks from the notice of an upgrade until it is finalized *and* has migrated its storage: the new code runs one
/// block after it was set, and the notice may come before its own block's.
const UPGRADE_BLOCKS: u64 = 2;

/// Why following ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nobody listens any more.
    Unheard,
    /// The connection is of no use any more.
    Lost(ChainError),
}

impl From<ChainError> for Stop {
    fn from(error: ChainError) -> Self {
        Self::Lost(error)
    }
}

/// What following needs from the feed that it is a part of.
pub(super) struct Context<'f> {
    /// What is followed.
    pub(super) subject: Subject<'f>,
    /// How.
    pub(super) options: &'f FeedOptions,
    /// Where events go.
    pub(super) events: &'f Sender<FeedEvent>,
}

impl Context<'_> {
    fn budget(&self) -> ReadBudget {
        ReadBudget::new(self.options.survey, self.subject.node.limits().values)
    }

    async fn tell(&self, event: FeedEvent) -> Result<(), Stop> {
        self.events.send(event).await.map_err(|_| Stop::Unheard)
    }
}

/// Connects and follows until something ends it. `settled` becomes the moment at which the first snapshot was told.
pub(super) async fn run(context: Context<'_>, endpoint: &Endpoint, settled: &mut Option<Instant>) -> Stop {
    match open(context, endpoint, settled).await {
        Ok(mut live) => live.follow().await,
        Err(stop) => stop,
    }
}

async fn open<'f>(context: Context<'f>, endpoint: &Endpoint, settled: &mut Option<Instant>) -> Result<Live<'f>, Stop> {
    let connection = context.subject.node.connect_to(endpoint).await?;
    let start = Start::at_head(&connection).await?;
    let chain = ChainIdentity {
        network: context.subject.node.network().name.clone(),
        endpoint: endpoint.to_string(),
        genesis: connection.genesis,
        spec_version: start.spec,
    };
    context.tell(FeedEvent::Connected { chain, latency_ms: millis(connection.latency) }).await?;
    let budget = context.budget();
    let Reading { snapshot, table } = read(&connection, context.subject, start, &budget).await?;
    let (spec, number) = (snapshot.chain.spec_version, snapshot.at.number);
    context.tell(FeedEvent::Snapshot(Box::new(snapshot))).await?;
    *settled = Some(Instant::now());
    Live::begin(context, connection, table, Progress::new(spec, number)).await
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A storage subscription that says when it ended: among several, one that merely stopped would not be missed.
type Changes = BoxStream<'static, Option<Result<ChangeSet, RpcError>>>;

/// What the select loop woke up for.
enum Woken {
    Version(Option<Result<RuntimeVersion, RpcError>>),
    Changes(Option<Result<ChangeSet, RpcError>>),
    Best(Option<Result<Header, RpcError>>),
    Finalized(Option<Result<Header, RpcError>>),
    Leisure,
    Tick,
}

struct Live<'f> {
    context: Context<'f>,
    connection: Connection,
    table: Table,
    progress: Progress,
    changes: SelectAll<Changes>,
    /// The block that changes told of last, with its number.
    latest: Option<(BlockHash, u64)>,
    /// What is still to be subscribed to, chunk by chunk.
    unwatched: VecDeque<Vec<Watch>>,
    best: RpcSubscription<Header>,
    finalized: RpcSubscription<Header>,
    versions: RpcSubscription<RuntimeVersion>,
}

impl<'f> Live<'f> {
    /// Subscribes to heads and to the first chunk of storage, which is all of an ordinary subnet; the others follow one
    /// after the other. Each begins by telling the best block's values, which closes the gap between that block and the
    /// finalized one that was read. Asked for together, those of 65,536 uids would all wait in memory.
    async fn begin(
        context: Context<'f>,
        connection: Connection,
        mut table: Table,
        progress: Progress,
    ) -> Result<Self, Stop> {
        let session = &connection.session;
        let mut unwatched = everything(session, &mut table);
        table.settle();
        let (first, best, finalized, versions) = tokio::try_join!(
            watch(session, &table, unwatched.pop_front().unwrap_or_default()),
            session.best_heads(),
            session.finalized_heads(),
            session.runtime_versions()
        )?;
        let changes = SelectAll::from_iter([first]);
        let latest = None;
        Ok(Self { context, connection, table, progress, changes, latest, unwatched, best, finalized, versions })
    }

    /// Has all subscriptions of storage made anew, as few as can be.
    fn watch_all(&mut self) {
        self.changes.clear();
        self.unwatched = everything(&self.connection.session, &mut self.table);
    }

    async fn watch_next(&mut self) -> Result<(), Stop> {
        if let Some(chunk) = self.unwatched.pop_front() {
            self.changes.push(watch(&self.connection.session, &self.table, chunk).await?);
        }
        Ok(())
    }

    async fn follow(&mut self) -> Stop {
        loop {
            if let Err(stop) = self.step().await {
                return stop;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Stop> {
        let tick = sleep_until(self.next_tick());
        let events = self.context.events;
        // Versions first: an upgrade must be known before values written by it are read. More is asked for only when
        // what came is dealt with.
        let woken = tokio::select! {
            biased;
            () = events.closed() => return Err(Stop::Unheard),
            version = self.versions.next() => Woken::Version(version),
            best = self.best.next() => Woken::Best(best),
            changes = self.changes.next(), if !self.changes.is_empty() => Woken::Changes(changes.flatten()),
            finalized = self.finalized.next() => Woken::Finalized(finalized),
            () = ready(()), if !self.unwatched.is_empty() => Woken::Leisure,
            () = tick => Woken::Tick,
        };
        if !matches!(woken, Woken::Tick | Woken::Leisure) {
            self.progress.heard_at = Instant::now();
        }
        match woken {
            Woken::Version(version) => {
                let version = arrived(&self.connection.session, version).await?;
                self.on_version(version.spec_version);
                Ok(())
            }
            Woken::Best(head) => {
                let head = arrived(&self.connection.session, head).await?;
                self.on_best(head.number).await
            }
            Woken::Changes(changes) => {
                let changes = arrived(&self.connection.session, changes).await?;
                self.on_changes(changes).await
            }
            Woken::Finalized(head) => {
                let head = arrived(&self.connection.session, head).await?;
                let hash = BlockHash(blake2_256(&head.encode()));
                self.on_finalized(head.number, hash).await
            }
            Woken::Leisure => self.watch_next().await,
            Woken::Tick => self.on_tick().await,
        }
    }

    fn on_version(&mut self, spec: u32) {
        if spec == self.progress.spec {
            self.progress.announced = None;
        } else if self.progress.announced != Some(spec) {
            self.progress.announced = Some(spec);
            self.progress.reread(self.progress.best + UPGRADE_BLOCKS);
        }
    }

    async fn on_best(&mut self, number: u64) -> Result<(), Stop> {
        let progress = &mut self.progress;
        if number > progress.best + 1 && progress.stall_told.is_some() {
            progress.reread(number);
        }
        progress.best = number;
        progress.best_at = Instant::now();
        progress.stall_told = None;
        self.context.tell(FeedEvent::BestHead { number }).await
    }

    async fn on_changes(&mut self, set: ChangeSet) -> Result<(), Stop> {
        if self.progress.announced.is_some() {
            // Written by a runtime whose metadata is not here yet; the reading that follows brings it all.
            return Ok(());
        }
        let values = set.changes.iter().filter_map(|(key, value)| {
            let watch = self.table.keys.watch(&key.0)?;
            Some((watch, value.as_ref().map(|value| value.0.as_slice())))
        });
        let values: Vec<_> = values.collect();
        let delta = self.table.apply(values);
        if let Some(number) = delta.number {
            self.latest = Some((set.block, number));
        }
        if delta.touched.is_empty() {
            return Ok(());
        }
        let number = self.number_of(set.block).await?;
        self.digest(delta, number).await
    }

    /// The number of a block. Of several subscriptions only the first to tell of a block brings a new one along.
    async fn number_of(&mut self, block: BlockHash) -> Result<u64, ChainError> {
        match self.latest {
            Some((latest, number)) if latest == block => Ok(number),
            _ => {
                let number = self.connection.session.header(block).await?.number;
                self.latest = Some((block, number));
                Ok(number)
            }
        }
    }

    /// Tells a change, follows what it brought into view, and remembers to look again at finality.
    async fn digest(&mut self, delta: Delta, number: u64) -> Result<(), Stop> {
        if !self.table.exists() {
            let netuid = self.context.subject.netuid;
            return Err(self.connection.session.fault(Fault::NoSuchSubnet { netuid }).into());
        }
        if delta.shrunk || self.table.is_outgrown() {
            self.progress.reread(number);
        }
        self.progress.unconfirmed.extend(delta.touched.iter().map(|watch| (*watch, number)));
        if !delta.is_empty() {
            self.context.tell(FeedEvent::Changed(Box::new(delta.at(number)))).await?;
        }
        let overlooked = self.table.overlooked();
        if overlooked.is_empty() {
            return Ok(());
        }
        if self.table.is_overfull() {
            let what = "more hotkeys than a subnet can have seen".to_owned();
            return Err(self.connection.session.fault(Fault::TooLarge { what }).into());
        }
        if self.changes.len() + self.unwatched.len() >= MOST_SUBSCRIPTIONS {
            self.watch_all();
        } else {
            let more = self.table.expect(overlooked);
            self.unwatched.extend(chunks(&self.connection.session, &more));
        }
        Ok(())
    }

    async fn on_finalized(&mut self, number: u64, hash: BlockHash) -> Result<(), Stop> {
        self.context.tell(FeedEvent::FinalizedHead { number, hash }).await?;
        if self.progress.reread_from.is_some_and(|from| number >= from) {
            return self.reread(number, hash).await;
        }
        let due = self.progress.confirmable(number);
        if due.is_empty() || self.progress.announced.is_some() {
            return Ok(());
        }
        let values = query(&self.connection.session, &self.table.keys, due, hash).await?;
        let delta = self.table.apply(values.iter().map(|(watch, value)| (*watch, value.as_deref())));
        if delta.touched.is_empty() { Ok(()) } else { self.digest(delta, number).await }
    }

    /// Reads the whole subnet at a finalized block, without letting go of the connection.
    async fn reread(&mut self, number: u64, hash: BlockHash) -> Result<(), Stop> {
        let spec = self.progress.announced.unwrap_or(self.progress.spec);
        let (budget, start) = (self.context.budget(), Start { at: hash, spec });
        let Reading { snapshot, table } = read(&self.connection, self.context.subject, start, &budget).await?;
        let spec = snapshot.chain.spec_version;
        self.progress.unconfirmed.clear();
        self.progress.reread_from = None;
        if spec != self.progress.spec {
            self.progress.spec = spec;
            self.context.tell(FeedEvent::Upgraded { spec_version: spec }).await?;
        }
        match self.progress.announced {
            // Not there yet: the notice ran ahead of finality by more than usual.
            Some(announced) if announced != spec => self.progress.reread(number + 1),
            _ => self.progress.announced = None,
        }
        self.table = table;
        self.context.tell(FeedEvent::Snapshot(Box::new(snapshot))).await?;
        self.watch_all();
        self.table.settle();
        Ok(())
    }

    fn next_tick(&self) -> Instant {
        let (progress, options) = (&self.progress, self.context.options);
        let stall = match progress.stall_told {
            Some(told) => told + options.stalled_again,
            None => progress.best_at + options.stalled,
        };
        stall.min(progress.heard_at + options.quiet).min(progress.measured_at + options.latency)
    }

    async fn on_tick(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        let options = self.context.options;
        let progress = &mut self.progress;
        let late = now.duration_since(progress.best_at);
        let since_told = progress.stall_told.map(|told| now.duration_since(told));
        if late >= options.stalled && since_told.is_none_or(|since| since >= options.stalled_again) {
            progress.stall_told = Some(now);
            let (number, seconds) = (progress.best, late.as_secs());
            self.context.tell(FeedEvent::Stalled { number, seconds }).await?;
            if late >= options.stalled_too_long && self.context.subject.node.network().endpoints.len() > 1 {
                return Err(self.connection.session.fault(Fault::Stalled { number, seconds }).into());
            }
        }
        let progress = &self.progress;
        if now >= progress.heard_at + options.quiet || now >= progress.measured_at + options.latency {
            let ms = millis(self.connection.session.round_trip().await?);
            self.progress.heard_at = Instant::now();
            self.progress.measured_at = self.progress.heard_at;
            self.context.tell(FeedEvent::Latency { ms }).await?;
        }
        Ok(())
    }
}

/// Everything that the subnet has, in the chunks in which it is subscribed to.
fn everything(session: &Session, table: &mut Table) -> VecDeque<Vec<Watch>> {
    let overlooked = table.overlooked();
    table.expect(overlooked.into_iter().chain([Watch::Number]));
    chunks(session, &table.followed()).collect()
}

fn chunks(session: &Session, watches: &[Watch]) -> impl Iterator<Item = Vec<Watch>> {
    watches.chunks(session.limits().chunk).map(<[Watch]>::to_vec)
}

async fn watch(session: &Session, table: &Table, chunk: Vec<Watch>) -> Result<Changes, ChainError> {
    let with_number = chunk.into_iter().chain([Watch::Number]);
    let keys: Vec<Vec<u8>> = with_number.filter_map(|watch| table.keys.key(watch)).collect();
    let subscription = session.watch(&keys).await?;
    Ok(subscription.map(Some).chain(stream::once(ready(None))).boxed())
}

/// An item of a subscription, or why there will be no more.
async fn arrived<T>(session: &Session, item: Option<Result<T, RpcError>>) -> Result<T, ChainError> {
    match item {
        Some(Ok(item)) => Ok(item),
        Some(Err(error)) => Err(session.malformed("a subscription", &error.to_string())),
        // The subscription ends with its connection, whose reason follows at once; or the node ended it alone.
        None => match tokio::time::timeout(Duration::from_millis(250), session.gone()).await {
            Ok(error) => Err(error),
            Err(_) => Err(session.fault(Fault::Closed { why: "the node ended a subscription".into() })),
        },
    }
}
