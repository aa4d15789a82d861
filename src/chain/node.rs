//! The nodes of a network as one run of the console uses them: one connection for each operator, opened when it is first
//! needed and shared by whoever reads. Every way to an endpoint goes through here.
//!
//! ```text
//! Node ─ attempts ─► Connection (session, genesis, versions, clock)      the console's own endpoints, in turn
//!   ├─── witness ──► Connection                                          an endpoint of another operator
//!   └─── archive ──► Connection                                          one that keeps old blocks
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard as StdGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::clock::{Clock, Head, Heads};
use super::commit::runtime::Runtime;
use super::error::{ChainError, Fault};
use super::metadata::{MetadataStore, Schemas};
use super::options::{CallLimits, Pace};
use super::own_state::{OwnState, Reading};
use super::schema::Schema;
use super::session::{Header, Session};
use crate::domain::network::{BlockHash, Endpoint, Network};

/// How long the versions of a runtime are believed after they were told: one block.
const VERSIONS_HOLD: Duration = Duration::from_secs(12);
/// How long the head of the greeting may wait for whoever needs the newest one first.
const GREETING_HOLDS: Duration = Duration::from_secs(2);
/// A second source that is behind by so few blocks is given a moment to come as far.
const MOMENTS_BEHIND: u64 = 3;
const A_MOMENT: Duration = Duration::from_millis(1_500);
/// How long a second source that did not answer is left alone.
const WITNESS_LEFT_ALONE: Duration = Duration::from_secs(3);

/// Which endpoints there are, and within which bounds they are asked.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The endpoints that the console reads from, the preferred one first.
    pub network: Network,
    /// Endpoints that may be asked as a second source; only those of another operator are.
    pub witnesses: Vec<Endpoint>,
    /// Endpoints that keep old blocks.
    pub archives: Vec<Endpoint>,
    /// Where metadata is kept.
    pub store: MetadataStore,
    /// Deadlines and bounds of each connection.
    pub limits: CallLimits,
    /// Least time between two requests for old blocks at one endpoint.
    pub pace: Pace,
}

impl NodeOptions {
    /// The endpoints of a network alone, with the bounds of production and nothing kept.
    pub fn new(network: Network) -> Self {
        Self {
            network,
            witnesses: Vec::new(),
            archives: Vec::new(),
            store: MetadataStore::none(),
            limits: CallLimits::default(),
            pace: Pace::default(),
        }
    }
}

/// A network's nodes. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

struct Shared {
    options: NodeOptions,
    /// The chain that answered first, where none was pinned: whatever answers later must be that chain.
    genesis: StdMutex<Option<BlockHash>>,
    primary: Mutex<Primary>,
    witness: Mutex<Witness>,
    archive: Mutex<Option<Connection>>,
    schemas: Mutex<Schemas>,
    /// Requests on all connections.
    asked: Arc<AtomicU64>,
    /// The last reading of an own hotkey's state.
    state: Mutex<Option<(Reading, OwnState)>>,
    /// Decoded runtimes by spec version.
    runtimes: Mutex<BTreeMap<u32, Arc<Runtime>>>,
}

impl Shared {
    async fn session(&self, endpoint: &Endpoint) -> Result<Session, ChainError> {
        Session::open_counted(endpoint, &self.options.limits, Arc::clone(&self.asked)).await
    }
}

/// The console's own connection, and the endpoint to try first where there is none.
#[derive(Default)]
struct Primary {
    open: Option<Connection>,
    first: usize,
}

/// The connection to another operator's endpoint, or when and why there was none.
#[derive(Default)]
struct Witness {
    open: Option<Connection>,
    failed: Option<(Instant, NoWitness)>,
}

/// Why nobody else can be asked.
#[derive(Debug, Clone)]
pub(super) enum NoWitness {
    /// No endpoint of another operator is configured.
    NotConfigured,
    /// It did not answer.
    Away(ChainError),
    /// It answered, as another chain.
    OtherChain {
        /// Where.
        endpoint: Endpoint,
        /// Its genesis.
        genesis: BlockHash,
    },
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.network().name)
    }
}

/// Versions of a runtime: of its specification, and of its transactions.
pub(super) type Versions = (u32, u32);

/// An open connection to an endpoint of the right chain. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) session: Session,
    /// Hash of block 0.
    pub(super) genesis: BlockHash,
    /// Round trip of the greeting.
    pub(super) latency: Duration,
    /// The finalized head that was told at the greeting, and when, for whoever comes first.
    greeting: Arc<StdMutex<Option<(BlockHash, Instant)>>>,
    versions: Arc<StdMutex<Option<(Versions, Instant)>>>,
    clock: Arc<Mutex<Option<Clock>>>,
}

impl Connection {
    /// Connects, and asks which chain answers, by which runtime and where it stands: three requests in one round trip.
    async fn open(endpoint: &Endpoint, shared: &Shared) -> Result<Self, ChainError> {
        let session = shared.session(endpoint).await?;
        let started = Instant::now();
        let (genesis, versions, head) =
            tokio::try_join!(session.genesis_hash(), session.versions(None), session.finalized_head())?;
        let (latency, now) = (started.elapsed(), Instant::now());
        let versions = Arc::new(StdMutex::new(Some((versions, now))));
        Ok(Self {
            session,
            genesis,
            latency,
            greeting: Arc::new(StdMutex::new(Some((head, now)))),
            versions,
            clock: Arc::default(),
        })
    }

    /// Connects to somebody who only confirms: asks which chain answers, and follows its finalized heads.
    async fn open_witness(endpoint: &Endpoint, shared: &Shared) -> Result<Self, ChainError> {
        let session = shared.session(endpoint).await?;
        let started = Instant::now();
        let (genesis, clock) = tokio::try_join!(session.genesis_hash(), Clock::start(&session))?;
        let clock = Arc::new(Mutex::new(Some(clock)));
        Ok(Self {
            session,
            genesis,
            latency: started.elapsed(),
            greeting: Arc::default(),
            versions: Arc::default(),
            clock,
        })
    }

    /// Versions of the runtime at the best block: as told within the last block's time, or asked for again.
    pub(super) async fn versions(&self) -> Result<Versions, ChainError> {
        if let Some((told, at)) = *held(&self.versions)
            && at.elapsed() < VERSIONS_HOLD
        {
            return Ok(told);
        }
        let versions = self.session.versions(None).await?;
        *held(&self.versions) = Some((versions, Instant::now()));
        Ok(versions)
    }

    /// The clock of this connection, started when it is first needed: one request.
    async fn clock(&self) -> Result<Clock, ChainError> {
        let mut clock = self.clock.lock().await;
        if let Some(running) = clock.as_ref().filter(|clock| clock.runs()) {
            return Ok(running.clone());
        }
        Ok(clock.insert(Clock::start(&self.session).await?).clone())
    }

    /// The newest finalized head, as the clock tells it.
    pub(super) async fn head(&self) -> Result<Head, ChainError> {
        self.clock().await?.head(&self.session).await
    }

    /// The newest finalized head as the clock tells it, given a moment to come as far as `number`.
    pub(super) async fn head_from(&self, number: u64) -> Result<Head, ChainError> {
        let head = self.head().await?;
        if head.number() >= number || head.number() + MOMENTS_BEHIND < number {
            return Ok(head);
        }
        let mut heads = self.heads().await?;
        let caught_up = async {
            while let Some(next) = heads.next().await {
                if next.number() >= number {
                    break;
                }
            }
        };
        timeout(A_MOMENT, caught_up).await.ok();
        self.head().await
    }

    /// The finalized heads from now on.
    pub(super) async fn heads(&self) -> Result<Heads, ChainError> {
        Ok(self.clock().await?.heads())
    }

    /// Hash of the newest finalized head: that of the greeting for whoever comes first, later asked for. The clock may be
    /// a moment behind it.
    pub(super) async fn head_hash(&self) -> Result<BlockHash, ChainError> {
        let greeting = held(&self.greeting).take();
        match greeting.filter(|(_, at)| at.elapsed() < GREETING_HOLDS) {
            Some((head, _)) => Ok(head),
            None => self.session.finalized_head().await,
        }
    }

    /// The newest finalized head, asked for.
    pub(super) async fn newest_head(&self) -> Result<Head, ChainError> {
        let (hash, told) = tokio::try_join!(self.head_hash(), self.head())?;
        if told.hash == hash {
            return Ok(told);
        }
        match self.clock().await?.head_of(hash) {
            Some(head) => Ok(head),
            None => Ok(Head { hash, header: Arc::new(self.session.header(hash).await?) }),
        }
    }

    /// The hashes of all heights that the clock told, where it runs.
    pub(super) async fn told_hashes(&self) -> BTreeMap<u64, BlockHash> {
        self.clock.lock().await.as_ref().map(Clock::hashes).unwrap_or_default()
    }

    /// The header of a finalized block of a height and hash, asked for only where it did not come as a head. Whether what
    /// was asked for hashes to that hash is for the caller to see.
    pub(super) async fn header_at(&self, number: u64, hash: BlockHash) -> Result<Header, ChainError> {
        match self.clock().await?.head_at(number, hash) {
            Some(head) => Ok(head.header.as_ref().clone()),
            None => self.session.header(hash).await,
        }
    }

    /// Hash of the block of a height on this endpoint's chain, asked for only where its clock has not told it.
    pub(super) async fn hash_at(&self, number: u64) -> Result<Option<BlockHash>, ChainError> {
        match self.clock().await?.hash_at(number) {
            Some(hash) => Ok(Some(hash)),
            None => self.session.block_hash(number).await,
        }
    }
}

fn held<T>(lock: &StdMutex<T>) -> StdGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// Nobody is asked yet.
    pub fn new(options: NodeOptions) -> Self {
        let schemas = Mutex::new(Schemas::new(options.store.clone()));
        let genesis = StdMutex::new(options.network.genesis);
        Self(Arc::new(Shared {
            options,
            genesis,
            primary: Mutex::default(),
            witness: Mutex::default(),
            archive: Mutex::default(),
            schemas,
            asked: Arc::default(),
            state: Mutex::default(),
            runtimes: Mutex::default(),
        }))
    }

    /// Which endpoints, and within which bounds.
    pub fn options(&self) -> &NodeOptions {
        &self.0.options
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.0.options.network
    }

    /// Deadlines and bounds of each connection.
    pub(super) fn limits(&self) -> &CallLimits {
        &self.0.options.limits
    }

    /// Requests made so far, on all connections.
    pub fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// The chain that these nodes are of: the pinned one, or the one that answered first.
    pub fn genesis(&self) -> Option<BlockHash> {
        *held(&self.0.genesis)
    }

    /// Asks which chain answers, and where.
    pub async fn chain(&self) -> Result<(Endpoint, BlockHash), ChainError> {
        let connection = self.primary().await?;
        Ok((connection.session.endpoint().clone(), connection.genesis))
    }

    /// The schema of the runtime held by a block, whose spec version is believed to be `spec`; with the version that it is
    /// really of.
    pub(super) async fn schema(
        &self,
        connection: &Connection,
        spec: u32,
        block: BlockHash,
    ) -> Result<(u32, Arc<Schema>), ChainError> {
        self.0.schemas.lock().await.at(&connection.session, connection.genesis, spec, block).await
    }

    /// The schema of the runtime at the best block; asked for only where it is not known.
    pub(super) async fn schema_of_best(&self, connection: &Connection, spec: u32) -> Result<Arc<Schema>, ChainError> {
        let mut schemas = self.0.schemas.lock().await;
        if let Some(schema) = schemas.kept(connection.genesis, spec).await {
            return Ok(schema);
        }
        let best = connection.session.best_hash().await?;
        Ok(schemas.at(&connection.session, connection.genesis, spec, best).await?.1)
    }

    /// The decoded runtime of these versions; where it is not known yet `load` brings it.
    pub(super) async fn runtime(
        &self,
        spec: u32,
        load: impl Future<Output = Result<Runtime, ChainError>> + Send,
    ) -> Result<Arc<Runtime>, ChainError> {
        let mut runtimes = self.0.runtimes.lock().await;
        if let Some(known) = runtimes.get(&spec) {
            return Ok(Arc::clone(known));
        }
        let loaded = Arc::new(load.await?);
        runtimes.insert(loaded.spec, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What such a reading found, where it was the last one.
    pub(super) async fn known_state(&self, reading: &Reading) -> Option<OwnState> {
        let last = self.0.state.lock().await;
        last.as_ref().filter(|(of, _)| of.answers(reading)).map(|(_, found)| found.clone())
    }

    /// Takes note of a reading.
    pub(super) async fn note_state(&self, reading: Reading, found: OwnState) {
        *self.0.state.lock().await = Some((reading, found));
    }

    /// Replaces what is known of a runtime.
    pub(super) async fn note_runtime(&self, runtime: &Arc<Runtime>) {
        self.0.runtimes.lock().await.insert(runtime.spec, Arc::clone(runtime));
    }

    /// The open connection, or one to the first endpoint that answers as the right chain. The error is that of the
    /// preferred one.
    pub(super) async fn primary(&self) -> Result<Connection, ChainError> {
        self.attempts().next().await
    }

    /// The endpoints in turn, for work that is to be tried at each until it succeeds.
    pub(super) const fn attempts(&self) -> Attempts<'_> {
        Attempts { node: self, left: None, first_error: None }
    }

    /// Connects to one of the network's endpoints, and shares that connection from now on.
    pub(super) async fn connect_to(&self, endpoint: &Endpoint) -> Result<Connection, ChainError> {
        let mut primary = self.0.primary.lock().await;
        self.dial(endpoint, &mut primary).await
    }

    async fn dial(&self, endpoint: &Endpoint, primary: &mut Primary) -> Result<Connection, ChainError> {
        primary.open = None;
        let connection = Connection::open(endpoint, &self.0).await?;
        self.is_of_this_chain(&connection)?;
        Ok(primary.open.insert(connection).clone())
    }

    /// A chain that nobody pinned is pinned by its first answer.
    fn is_of_this_chain(&self, connection: &Connection) -> Result<(), ChainError> {
        let expected = *held(&self.0.genesis).get_or_insert(connection.genesis);
        if expected == connection.genesis {
            return Ok(());
        }
        let (network, found) = (self.network().name.clone(), connection.genesis);
        Err(connection.session.fault(Fault::WrongGenesis { network, expected, found }))
    }

    /// A connection that is of no use is given to nobody else, and another endpoint is tried first.
    pub(super) async fn forget(&self, connection: &Connection) {
        let mut primary = self.0.primary.lock().await;
        if primary.open.as_ref().is_some_and(|open| open.session.is_same(&connection.session)) {
            primary.open = None;
            let endpoints = &self.network().endpoints;
            let at = endpoints.iter().position(|endpoint| endpoint == connection.session.endpoint());
            primary.first = at.map_or(0, |at| (at + 1) % endpoints.len());
        }
        let mut witness = self.0.witness.lock().await;
        witness.open.take_if(|open| open.session.is_same(&connection.session));
    }

    /// The connection to an endpoint of another operator than `own`.
    pub(super) async fn witness(&self, own: &Endpoint) -> Result<Connection, NoWitness> {
        let mut witness = self.0.witness.lock().await;
        if let Some(open) = witness.open.as_ref().filter(|open| open.session.is_open() && open.is_of_another(own)) {
            return Ok(open.clone());
        }
        if let Some((at, why)) = &witness.failed
            && at.elapsed() < WITNESS_LEFT_ALONE
        {
            return Err(why.clone());
        }
        let dialled = self.dial_witness(own).await;
        witness.open = dialled.as_ref().ok().cloned();
        witness.failed = dialled.as_ref().err().map(|why| (Instant::now(), why.clone()));
        dialled
    }

    async fn dial_witness(&self, own: &Endpoint) -> Result<Connection, NoWitness> {
        let mut why = NoWitness::NotConfigured;
        for endpoint in self.0.options.witnesses.iter().filter(|endpoint| endpoint.operator() != own.operator()) {
            match Connection::open_witness(endpoint, &self.0).await {
                Ok(connection) if self.genesis() == Some(connection.genesis) => return Ok(connection),
                Ok(Connection { genesis, .. }) => why = NoWitness::OtherChain { endpoint: endpoint.clone(), genesis },
                Err(error) => why = NoWitness::Away(error),
            }
        }
        Err(why)
    }

    /// The connection to an endpoint that keeps old blocks; the error says which one does not answer, and why.
    pub(super) async fn archive(&self) -> Result<Connection, Option<ChainError>> {
        let mut archive = self.0.archive.lock().await;
        if let Some(open) = archive.as_ref().filter(|open| open.session.is_open()) {
            return Ok(open.clone());
        }
        let mut why = None;
        for endpoint in &self.0.options.archives {
            match Connection::open_witness(endpoint, &self.0).await {
                Ok(connection) if self.genesis() == Some(connection.genesis) => {
                    return Ok(archive.insert(connection).clone());
                }
                Ok(other) => {
                    let (network, found) = (self.network().name.clone(), other.genesis);
                    let expected = self.genesis().unwrap_or(found);
                    why = Some(other.session.fault(Fault::WrongGenesis { network, expected, found }));
                }
                Err(error) => why = Some(error),
            }
        }
        Err(why)
    }
}

impl Connection {
    fn is_of_another(&self, own: &Endpoint) -> bool {
        self.session.endpoint().operator() != own.operator()
    }
}

/// The endpoints of a network, in turn: the open connection first, then each endpoint anew.
pub(super) struct Attempts<'n> {
    node: &'n Node,
    /// Endpoints that were not tried yet; `None` before the first attempt.
    left: Option<VecDeque<Endpoint>>,
    /// The error of the preferred one.
    first_error: Option<ChainError>,
}

impl Attempts<'_> {
    /// The next connection. When all endpoints have failed: the error of the first, which is the preferred one. Errors that
    /// are about the chain itself (no such subnet) are not asked of another endpoint.
    pub(super) async fn next(&mut self) -> Result<Connection, ChainError> {
        let mut primary = self.node.0.primary.lock().await;
        if self.left.is_none() {
            let mut endpoints = VecDeque::from(self.node.network().endpoints.clone());
            endpoints.rotate_left(primary.first.min(endpoints.len()));
            self.left = Some(endpoints);
            if let Some(open) = primary.open.as_ref().filter(|open| open.session.is_open()) {
                return Ok(open.clone());
            }
        }
        while let Some(endpoint) = self.left.as_mut().and_then(VecDeque::pop_front) {
            match self.node.dial(&endpoint, &mut primary).await {
                Ok(connection) => return Ok(connection),
                Err(error) => note(&mut self.first_error, error)?,
            }
        }
        let none = || Fault::Unreachable { why: "no endpoint is configured".to_owned() };
        Err(self.first_error.take().unwrap_or_else(|| none().at(&self.node.network().name)))
    }

    /// The error when time ran out while connecting: that of an endpoint that failed before, or else the delay itself.
    pub(super) fn late(&mut self, fault: Fault) -> ChainError {
        let network = self.node.network();
        let endpoint = || network.endpoints.first().map_or_else(|| network.name.clone(), ToString::to_string);
        self.first_error.take().unwrap_or_else(|| fault.at(&endpoint()))
    }

    /// Takes note of what went wrong on a connection, so that the next endpoint may be tried.
    pub(super) async fn failed(&mut self, connection: &Connection, error: ChainError) -> Result<(), ChainError> {
        note(&mut self.first_error, error)?;
        self.node.forget(connection).await;
        Ok(())
    }
}

fn note(first: &mut Option<ChainError>, error: ChainError) -> Result<(), ChainError> {
    if error.fault.is_about_the_chain() {
        return Err(error);
    }
    tracing::warn!(%error, "endpoint failed");
    first.get_or_insert(error);
    Ok(())
}
