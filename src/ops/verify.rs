//! Where commitments come from, for a command line, for a screen, and before anything rests on the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::chain::provenance::{Examination, examine};
use crate::chain::{CallLimits, ChainError};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{Endpoint, Network, NetworkError};
use crate::domain::provenance::talk::{VerifyNews, VerifyOrder};
use crate::domain::provenance::{Dispute, Examined, Provenance};
use crate::ops::context::Context;

pub use crate::chain::provenance::Depth;

/// Least time between two requests for old blocks at one public endpoint.
const PACE: Duration = Duration::from_secs(1);
/// How long the own row may take: a second source that says nothing must not keep a commit waiting for ever.
const MOST: Duration = Duration::from_secs(40);
/// How long everybody's rows wait after the subnet was read from a public node.
const AFTER_THE_FEED: Duration = Duration::from_secs(10);
/// How long another operator's endpoint may take to see a block that the own one calls final, and how often it is asked.
const CATCHING_UP: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(4));

/// Endpoints beside those that the console reads from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// What may be asked as a second source.
    pub witnesses: Vec<Endpoint>,
    /// What keeps old blocks.
    pub archives: Vec<Endpoint>,
}

impl Beside {
    /// Those that were named; else those that the network is known by.
    pub fn of(network: &Network, witness: Option<&str>, archive: Option<&str>) -> Result<Self, NetworkError> {
        let named = |url: &str| url.parse().map(|endpoint| vec![endpoint]);
        let known = |name: &str| Network::named(name).map(|network| network.endpoints).unwrap_or_default();
        let same_chain = |name: &str| {
            network.genesis.is_some() && Network::named(name).is_ok_and(|known| known.genesis == network.genesis)
        };
        let witnesses = match witness {
            Some(url) => named(url)?,
            None => ["finney", "test"].into_iter().filter(|name| same_chain(name)).flat_map(known).collect(),
        };
        let archives = match archive {
            Some(url) => named(url)?,
            None => Some("archive").into_iter().filter(|name| same_chain(name)).flat_map(known).collect(),
        };
        Ok(Self { witnesses, archives })
    }
}

/// Disputes that the operator has read, by their ids. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct ReadDisputes(Arc<RwLock<BTreeSet<String>>>);

impl ReadDisputes {
    /// Those that were named.
    pub fn of(ids: &[String]) -> Self {
        Self(Arc::new(RwLock::new(ids.iter().cloned().collect())))
    }

    /// Takes note of one more.
    pub fn add(&self, id: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Whether one was read.
    pub fn contains(&self, id: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

/// What a screen's orders are performed with.
pub struct VerifierSetup {
    /// Everything configured, as it is now.
    pub context: Arc<dyn Fn() -> Arc<Context> + Send + Sync>,
    /// The time since 1970, in ms.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Performs orders one after the other until nobody gives any.
pub fn serve(setup: VerifierSetup) -> (mpsc::UnboundedSender<VerifyOrder>, mpsc::Receiver<VerifyNews>) {
    let (orders, mut asked) = mpsc::unbounded_channel();
    let (news, told) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(order) = asked.recv().await {
            let context = (setup.context)();
            let (rows, everybody) = match order {
                VerifyOrder::Read(id) => {
                    context.read_disputes.add(id);
                    continue;
                }
                VerifyOrder::Look { rows, everybody } => (rows, everybody),
            };
            // The feed has just read the subnet, and a public node bears about one request a second.
            if everybody && !context.network.endpoints.iter().all(Endpoint::is_this_machine) {
                sleep(AFTER_THE_FEED).await;
            }
            let depth = |signature| if signature { Depth::Signature } else { Depth::Proof };
            let rows = rows.into_iter().map(|(hotkey, signature)| (hotkey, depth(signature))).collect();
            let heard = match verify(&context, &rows, (setup.now_ms)()).await {
                Ok(found) => VerifyNews::Examined { found: Box::new(found), everybody },
                Err(error) => VerifyNews::Failed(error.to_string()),
            };
            if news.send(heard).await.is_err() {
                return;
            }
        }
    });
    (orders, told)
}

/// Examines the commitments of some hotkeys. `now_ms` is the time since 1970. An error only where no endpoint of the
/// network answers; whatever else is in the way is said row by row.
pub async fn verify(context: &Context, rows: &BTreeMap<Hotkey, Depth>, now_ms: u64) -> Result<Examined, ChainError> {
    verify_on(context, &context.network, rows, now_ms).await
}

async fn verify_on(
    context: &Context,
    network: &Network,
    rows: &BTreeMap<Hotkey, Depth>,
    now_ms: u64,
) -> Result<Examined, ChainError> {
    let examination = Examination {
        network: network.clone(),
        witnesses: context.beside.witnesses.clone(),
        archives: context.beside.archives.clone(),
        netuid: context.netuid(),
        store: context.metadata_store(),
        limits: CallLimits::default(),
        pace: PACE,
        paces_this_machine: false,
        now_ms,
    };
    let found = Box::pin(examine(&examination, rows)).await?;
    for dispute in &found.disputes {
        tracing::warn!("{}: {}", dispute.finding().what, dispute.finding().why);
    }
    Ok(found)
}

/// What is known of the own row, and what stands against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Where the own row comes from; `None` where it could not be looked at.
    pub provenance: Option<Provenance>,
    /// Contradictions that nobody has read yet and that lock writing.
    pub disputes: Vec<Dispute>,
}

impl Vouched {
    /// The first dispute that locks.
    pub fn lock(&self) -> Option<&Dispute> {
        self.disputes.first()
    }
}

/// Takes the own row as far as it goes. Where it cannot be looked at it stays what it is: nothing fails for that.
pub async fn vouch(context: &Context, hotkey: Hotkey, now_ms: u64) -> Vouched {
    let rows = BTreeMap::from([(hotkey, Depth::Signature)]);
    let Ok(verified) = timeout(MOST, verify(context, &rows, now_ms)).await else {
        tracing::info!("the own row was not verified within {} s", MOST.as_secs());
        return Vouched { provenance: None, disputes: Vec::new() };
    };
    match verified {
        Ok(mut found) => {
            let disputes = found.disputes.into_iter();
            let disputes = disputes.filter(|dispute| dispute.locks() && !context.read_disputes.contains(&dispute.id()));
            Vouched { provenance: found.rows.remove(&hotkey), disputes: disputes.collect() }
        }
        Err(error) => {
            tracing::info!("the own row was not verified: {error}");
            Vouched { provenance: None, disputes: Vec::new() }
        }
    }
}

/// The same once the second source has come as far as a block.
pub async fn vouch_from(context: &Context, hotkey: Hotkey, block: u64, now_ms: &(impl Fn() -> u64 + Sync)) -> Vouched {
    let (most, pause) = CATCHING_UP;
    let started = Instant::now();
    loop {
        let vouched = vouch(context, hotkey, now_ms()).await;
        let is_there = vouched.provenance.as_ref().is_none_or(|provenance| provenance.at.number >= block);
        if is_there || vouched.lock().is_some() || started.elapsed() + pause > most {
            return vouched;
        }
        sleep(pause).await;
    }
}
