//! The nodes of a network as one run of the console uses them: one connection for each operator, opened when it is first
//! needed and shared by all readers. Every way to an endpoint goes through here.
//!
//! ```text
//! Node ─ attempts ─► Connection (session, genesis, versions, clock)      the console's own endpoints, in turn
//!   ├─── witness ──► Connection                                          an endpoint of another operator
//!   └─── archive ──► Connection                                          one that keeps old blocks
//! ```

mod attempts;
mod connection;
mod runtimes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard as StdGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

pub(in crate::chain) use attempts::Attempts;
pub(in crate::chain) use connection::{Connection, Versions};
pub(in crate::chain) use runtimes::Compared;
use runtimes::Comparisons;

use crate::chain::commit::runtime::Runtime;
use crate::chain::error::{ChainError, Fault};
use crate::chain::metadata::{MetadataStore, Schemas};
use crate::chain::options::{CallLimits, Pace};
use crate::chain::own_state::{OwnState, Reading};
use crate::chain::session::Session;
use crate::domain::network::{BlockHash, Endpoint, Network};

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
    /// What the runtime that was read last keeps in another way than this version knows.
    unknown: StdMutex<Vec<String>>,
    comparisons: StdMutex<Comparisons>,
    /// Requests on all connections.
    asked: Arc<AtomicU64>,
    /// The last reading of an own hotkey's state.
    state: Mutex<Option<(Reading, OwnState)>>,
    /// Decoded runtimes: by endpoint and versions for signing, by version alone for reading.
    runtimes: Mutex<BTreeMap<String, Arc<Runtime>>>,
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
    failed: Option<Failed>,
    /// Which of the configured ones is tried first.
    first: usize,
}

/// When and why there was no second source.
struct Failed {
    at: Instant,
    /// The operator for whom another one was looked for; `None` where it was a connection that failed.
    own: Option<String>,
    why: NoWitness,
}

/// Why there is no second source.
#[derive(Debug, Clone)]
pub(in crate::chain) enum NoWitness {
    /// No endpoint of another operator is configured.
    NotConfigured,
    /// It does not answer.
    Away {
        /// Where.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// It answered, as another chain.
    OtherChain {
        /// Where.
        endpoint: Endpoint,
        /// Its genesis.
        genesis: BlockHash,
    },
}

impl NoWitness {
    /// Takes a reason where there is none yet.
    fn or(&mut self, other: Self) {
        if matches!(self, Self::NotConfigured) {
            *self = other;
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.network().name)
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
            unknown: StdMutex::default(),
            comparisons: StdMutex::default(),
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
    pub(in crate::chain) fn limits(&self) -> &CallLimits {
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

    /// The decoded runtime of this name; where it is not known yet `load` brings it.
    pub(in crate::chain) async fn runtime(
        &self,
        name: &str,
        load: impl Future<Output = Result<Runtime, ChainError>> + Send,
    ) -> Result<Arc<Runtime>, ChainError> {
        if let Some(known) = self.0.runtimes.lock().await.get(name) {
            return Ok(Arc::clone(known));
        }
        // The lock is not held meanwhile: an archive may take its time.
        let loaded = Arc::new(load.await?);
        self.0.runtimes.lock().await.insert(name.to_owned(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What such a reading found, where it was the last one.
    pub(in crate::chain) async fn known_state(&self, reading: &Reading) -> Option<OwnState> {
        let last = self.0.state.lock().await;
        last.as_ref().filter(|(of, _)| of.answers(reading)).map(|(_, found)| found.clone())
    }

    /// Takes note of a reading.
    pub(in crate::chain) async fn note_state(&self, reading: Reading, found: OwnState) {
        *self.0.state.lock().await = Some((reading, found));
    }

    /// Replaces a runtime.
    pub(in crate::chain) async fn note_runtime(&self, name: &str, runtime: &Arc<Runtime>) {
        self.0.runtimes.lock().await.insert(name.to_owned(), Arc::clone(runtime));
        // What was read by the former is read again.
        *self.0.state.lock().await = None;
    }

    /// The open connection, or one to the first endpoint that answers as the right chain. The error is that of the
    /// preferred one.
    pub(in crate::chain) async fn primary(&self) -> Result<Connection, ChainError> {
        self.attempts().next().await
    }

    /// The endpoints in turn, for work that is to be tried at each until it succeeds.
    pub(in crate::chain) const fn attempts(&self) -> Attempts<'_> {
        Attempts::new(self)
    }

    /// Connects to one of the network's endpoints, and shares that connection from now on.
    pub(in crate::chain) async fn connect_to(&self, endpoint: &Endpoint) -> Result<Connection, ChainError> {
        let mut primary = self.0.primary.lock().await;
        self.dial(endpoint, &mut primary).await
    }

    async fn dial(&self, endpoint: &Endpoint, primary: &mut Primary) -> Result<Connection, ChainError> {
        let connection = Connection::open(self.0.session(endpoint).await?).await?;
        self.is_of_this_chain(&connection)?;
        Ok(primary.open.insert(connection).clone())
    }

    /// A chain without a pinned genesis is pinned by its first answer.
    fn is_of_this_chain(&self, connection: &Connection) -> Result<(), ChainError> {
        let expected = *held(&self.0.genesis).get_or_insert(connection.genesis);
        if expected == connection.genesis {
            return Ok(());
        }
        let (network, found) = (self.network().name.clone(), connection.genesis);
        Err(connection.session.fault(Fault::WrongGenesis { network, expected, found }))
    }

    /// Stops sharing a connection that is of no use; another endpoint is tried first.
    pub(in crate::chain) async fn forget(&self, connection: &Connection) {
        let mut primary = self.0.primary.lock().await;
        if primary.open.as_ref().is_some_and(|open| open.session.is_same(&connection.session)) {
            primary.open = None;
            let endpoints = &self.network().endpoints;
            let at = endpoints.iter().position(|endpoint| endpoint == connection.session.endpoint());
            primary.first = at.map_or(0, |at| (at + 1) % endpoints.len());
        }
    }

    /// The hash of a height at an endpoint that is connected, given as it is shown.
    pub async fn hash_at(&self, endpoint: &str, number: u64) -> Option<BlockHash> {
        let primary = self.0.primary.lock().await.open.clone();
        let witness = self.0.witness.lock().await.open.clone();
        let mut open = [primary, witness].into_iter().flatten();
        let there = open.find(|connection| connection.session.endpoint().to_string() == endpoint)?;
        there.hash_at(number).await.ok()?
    }

    /// A second source that does not answer is let go, and the next one is tried first after a while.
    pub(in crate::chain) async fn witness_failed(&self, connection: &Connection, why: String) {
        let endpoint = connection.session.endpoint().to_string();
        let mut witness = self.0.witness.lock().await;
        if witness.open.take_if(|open| open.session.is_same(&connection.session)).is_some() {
            witness.failed = Some(Failed { at: Instant::now(), own: None, why: NoWitness::Away { endpoint, why } });
            witness.first += 1;
        }
    }

    /// The connection to an endpoint of another operator than that of `own`.
    pub(in crate::chain) async fn witness(&self, own: &Session) -> Result<Connection, NoWitness> {
        let mut witness = self.0.witness.lock().await;
        if let Some(open) =
            witness.open.as_ref().filter(|open| open.session.is_open() && open.session.is_of_another(own))
        {
            return Ok(open.clone());
        }
        let operator = own.endpoint().operator();
        let is_own = |of: &Option<String>| of.as_ref().is_none_or(|of| *of == operator);
        if let Some(failed) = witness.failed.as_ref().filter(|failed| is_own(&failed.own))
            && failed.at.elapsed() < WITNESS_LEFT_ALONE
        {
            return Err(failed.why.clone());
        }
        let dialled = self.dial_witness(own, witness.first).await;
        witness.open = dialled.as_ref().ok().cloned();
        let failed = |why: &NoWitness| Failed { at: Instant::now(), own: Some(operator.clone()), why: why.clone() };
        witness.failed = dialled.as_ref().err().map(failed);
        dialled
    }

    async fn dial_witness(&self, own: &Session, first: usize) -> Result<Connection, NoWitness> {
        let (mut why, operator) = (NoWitness::NotConfigured, own.endpoint().operator());
        let mut others: Vec<&Endpoint> =
            self.0.options.witnesses.iter().filter(|endpoint| endpoint.operator() != operator).collect();
        let first = first.checked_rem(others.len()).unwrap_or_default();
        others.rotate_left(first);
        for endpoint in others {
            match self.open_witness(endpoint).await {
                Ok(connection) if !connection.session.is_of_another(own) => {
                    tracing::warn!("{endpoint} is no second source: it is the same place as {}", own.endpoint());
                }
                Ok(connection) if self.genesis() == Some(connection.genesis) => {
                    if connection.session.shares_address(own) {
                        tracing::info!("{endpoint} and {} share a public address", own.endpoint());
                    }
                    return Ok(connection);
                }
                // The first reason stands: it is that of the preferred one.
                Ok(Connection { genesis, .. }) => why.or(NoWitness::OtherChain { endpoint: endpoint.clone(), genesis }),
                Err(error) => {
                    why.or(NoWitness::Away { endpoint: error.endpoint.clone(), why: error.fault.to_string() });
                }
            }
        }
        Err(why)
    }

    async fn open_witness(&self, endpoint: &Endpoint) -> Result<Connection, ChainError> {
        Connection::open_witness(self.0.session(endpoint).await?).await
    }

    /// The connection to an endpoint that keeps old blocks; the error says which one does not answer, and why.
    pub(in crate::chain) async fn archive(&self) -> Result<Connection, Option<ChainError>> {
        let mut archive = self.0.archive.lock().await;
        if let Some(open) = archive.as_ref().filter(|open| open.session.is_open()) {
            return Ok(open.clone());
        }
        let mut why = None;
        for endpoint in &self.0.options.archives {
            match self.open_witness(endpoint).await {
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
