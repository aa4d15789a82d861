//! Where commitments come from, for a command line, for a screen, and before anything rests on the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::chain::ChainError;
use crate::chain::provenance::{Examination, examine};
use crate::domain::commitment::{Commitment, Published};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{Endpoint, Network, NetworkError};
use crate::domain::provenance::messages::{VerifyNews, VerifyOrder};
use crate::domain::provenance::{Confirmed, Dispute, Examined, Provenance};
use crate::ops::context::Context;

pub use crate::chain::provenance::Depth;

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
pub struct Acknowledged(Arc<RwLock<BTreeSet<String>>>);

impl Acknowledged {
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
                    context.acknowledged.add(id);
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
    let examination = Examination { node: context.node.clone(), netuid: context.netuid(), now_ms };
    let found = Box::pin(examine(&examination, rows)).await?;
    for finding in found.disputes.iter().map(Dispute::finding) {
        tracing::warn!("{}: {}", finding.what, finding.why);
    }
    Ok(found)
}

/// Takes the own row as far as it goes. Nothing comes back where it cannot be looked at: it stays what one node says, and
/// nothing fails for that. Errors: a contradiction that locks writing and that nobody has read yet.
pub async fn vouch(context: &Context, hotkey: Hotkey, now_ms: u64) -> Result<Option<Provenance>, Box<Dispute>> {
    let rows = BTreeMap::from([(hotkey, Depth::Signature)]);
    let mut found = match timeout(MOST, verify(context, &rows, now_ms)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::info!("the own row was not verified: {error}");
            return Ok(None);
        }
        Err(_) => {
            tracing::info!("the own row was not verified within {} s", MOST.as_secs());
            return Ok(None);
        }
    };
    let is_unread = |dispute: &Dispute| dispute.locks() && !context.acknowledged.contains(&dispute.id());
    match found.disputes.into_iter().find(is_unread) {
        Some(dispute) => Err(Box::new(dispute)),
        None => Ok(found.rows.remove(&hotkey)),
    }
}

/// How well it is confirmed that a hotkey published this. A second source may take a while to come as far as the block.
pub async fn confirm(
    context: &Context,
    hotkey: Hotkey,
    (published, block): (&Published, u64),
    now_ms: &(impl Fn() -> u64 + Sync),
) -> Confirmed {
    let (most, pause) = CATCHING_UP;
    let started = Instant::now();
    loop {
        let row = match vouch(context, hotkey, now_ms()).await {
            Ok(row) => row,
            Err(dispute) => return Confirmed::disputed(&dispute),
        };
        let is_there = row.as_ref().is_none_or(|row| row.at.number >= block);
        if is_there || started.elapsed() + pause > most {
            return Confirmed::of(row.as_ref(), |there| there.and_then(Commitment::published) == Some(published));
        }
        sleep(pause).await;
    }
}
