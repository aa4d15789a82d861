//! Where commitments come from, for a command line, for a screen, and before anything rests on the chain.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::chain::provenance::{Examination, examine};
use crate::chain::{ChainError, Node};
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::{Commitment, Published};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{Endpoint, Network, NetworkError};
use crate::domain::probe::{Blame, Probe, Verdict};
use crate::domain::provenance::messages::{VerifyNews, VerifyOrder};
use crate::domain::provenance::{Acknowledgement, Case, Claim, Confirmed, Dispute, Examined, Level, Limit, Provenance};
use crate::ops::context::Context;

pub use crate::domain::provenance::Depth;

/// How long the own row may take: a second source that says nothing must not keep a commit waiting for ever.
const MOST: Duration = Duration::from_secs(40);
/// How long everybody's rows wait after the subnet was read from a public node.
const AFTER_THE_FEED: Duration = Duration::from_secs(10);
/// How long another operator's endpoint may take to see a block that the own one calls final.
pub const CATCHING_UP: Duration = Duration::from_secs(40);
/// Pause before it is asked again.
const AGAIN: Duration = Duration::from_secs(2);

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

/// Disputes that the operator has acknowledged. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged(Arc<RwLock<Vec<Acknowledgement>>>);

impl Acknowledged {
    /// Those that were named.
    pub fn of(ids: &[String]) -> Self {
        Self(Arc::new(RwLock::new(ids.iter().map(|id| Acknowledgement::named(id)).collect())))
    }

    /// Takes note of one more.
    pub fn add(&self, id: &str, now_ms: u64) {
        self.held().push(Acknowledgement::made(id, now_ms));
    }

    /// Sources agree again: what comes later is another dispute.
    fn clear(&self) {
        self.held().clear();
    }

    /// Those that may be about a dispute, each with the time until which it holds. One whose hour is over is let go.
    fn candidates(&self, dispute: &Dispute, now_ms: u64) -> Vec<(Acknowledgement, u64)> {
        let mut held = self.held();
        held.retain_mut(|one| one.until_ms(now_ms) > now_ms);
        let may_be = held.iter_mut().filter(|one| one.to_look_at(dispute).is_some());
        may_be.map(|one| (one.clone(), one.until_ms(now_ms))).collect()
    }

    fn held(&self) -> RwLockWriteGuard<'_, Vec<Acknowledgement>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when it holds that this one was acknowledged: an hour, and only while each source still says what it said at
    /// that height. `None` where it was not.
    pub async fn until_ms(&self, node: &Node, dispute: &Dispute, now_ms: u64) -> Option<u64> {
        for (one, until_ms) in self.candidates(dispute, now_ms) {
            let there = match one.to_look_at(dispute)? {
                None => dispute.clone(),
                Some([ours, theirs]) => {
                    let ours = said_at(node, &dispute.endpoint, ours).await;
                    let theirs = said_at(node, &dispute.witness, theirs).await;
                    let Some((ours, theirs)) = ours.zip(theirs) else { continue };
                    dispute.at([ours, theirs])
                }
            };
            if one.is_of(&there) {
                return Some(until_ms);
            }
        }
        None
    }
}

/// The block that a source has at a height now. It is asked twice: one lost answer does not make an acknowledged dispute
/// another one.
async fn said_at(node: &Node, claim: &Claim, number: u64) -> Option<BlockId> {
    let asked = || node.hash_at(&claim.endpoint, number);
    let hash = match claim.block {
        Some(block) if block.number == number => block.hash,
        _ => match asked().await {
            Some(hash) => hash,
            None => asked().await?,
        },
    };
    Some(BlockId { number, hash })
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
                    context.acknowledged.add(&id, (setup.now_ms)());
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
                Ok(found) => {
                    if everybody && found.disputes.is_empty() {
                        context.acknowledged.clear();
                    }
                    VerifyNews::Examined { found: Box::new(found), everybody }
                }
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
    let mut found = Box::pin(examine(&examination, rows)).await?;
    for dispute in &found.disputes {
        let finding = dispute.finding();
        tracing::warn!("{}: {}", finding.summary, finding.cause);
        if let Some(until_ms) = context.acknowledged.until_ms(&context.node, dispute, now_ms).await {
            found.acknowledged.insert(dispute.id(), until_ms);
        }
    }
    Ok(found)
}

/// What speaks for the own row as a reading showed it.
#[derive(Debug, Clone)]
pub enum OwnRow {
    /// It holds, as far as this; and what else sources contradict each other about.
    Holds(Confirmed, Vec<Diagnostic>),
    /// Nobody else could say so: why.
    OneWord(String),
    /// Sources contradict each other about it, or it is not what is proven: nothing may rest on it.
    Doubted(Box<Diagnostic>),
}

/// Holds the own row of a reading against the second source and the state's proof.
pub async fn own_row(examination: &Examination, hotkey: Hotkey, shown: Option<&Commitment>) -> OwnRow {
    let rows = BTreeMap::from([(hotkey, Depth::Proof)]);
    let found = match timeout(MOST, Box::pin(examine(examination, &rows))).await {
        Err(_) => return OwnRow::OneWord(silent_for()),
        Ok(Err(error)) => return OwnRow::OneWord(error.to_string()),
        Ok(Ok(found)) => found,
    };
    let row = found.rows.get(&hotkey);
    match may_be_acted_on(row) {
        Err(_) if row.is_some_and(Provenance::is_disputed) => {
            let dispute = found.disputes.iter().find(|dispute| dispute.locks());
            OwnRow::Doubted(Box::new(dispute.map_or_else(differs, Dispute::finding)))
        }
        _ if row.is_some_and(|row| !row.is_of(shown)) => OwnRow::Doubted(Box::new(differs())),
        Ok(()) => {
            let others = found.disputes.iter().map(Dispute::finding).collect();
            OwnRow::Holds(Confirmed::of(row, |there| there == shown), others)
        }
        Err(why) => OwnRow::OneWord(why),
    }
}

/// Holds the keys with which read tests failed against the second source and the state's proof, in one examination: what a node has
/// forged is laid on nobody else. Tells where sources contradict each other.
pub async fn confirm(context: &Context, tested: &mut [Probe], now_ms: u64) -> Vec<Diagnostic> {
    let is_blamed = |probe: &&mut Probe| probe.blame == Some(Blame::Holder) && probe.verdict != Verdict::NoCommitment;
    let rows: BTreeMap<Hotkey, Depth> =
        tested.iter_mut().filter(is_blamed).map(|probe| (probe.hotkey, Depth::Proof)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let examination = Examination { node: context.node.clone(), netuid: context.netuid(), now_ms };
    let Ok(Ok(found)) = timeout(MOST, Box::pin(examine(&examination, &rows))).await else { return Vec::new() };
    for probe in tested.iter_mut().filter(is_blamed) {
        match found.rows.get(&probe.hotkey) {
            Some(row) if row.is_disputed() => {
                let of_it = found.disputes.iter().find(|dispute| dispute.hotkey == Some(probe.hotkey));
                let dispute = of_it.or_else(|| found.disputes.iter().find(|dispute| dispute.locks()));
                probe.contradicted(&dispute.map_or_else(differs, Dispute::finding));
            }
            Some(row) => probe.confirmed = (row.level > Level::Reported).then_some(true),
            None => {}
        }
    }
    found.disputes.iter().map(Dispute::finding).collect()
}

fn differs() -> Diagnostic {
    Diagnostic::new(
        "own_row_differs",
        Severity::Warning,
        "Your commitment was read twice, and the two answers differ",
        "It changed at this moment, or this node gives different answers to different questions.",
        "Ask again; if it stays so, use another node with --endpoint.",
    )
}

fn silent_for() -> String {
    format!("no answer within {} s", MOST.as_secs())
}

/// What the second source says of a commit that the endpoint calls published.
#[derive(Debug)]
pub enum SecondWord {
    /// It says the same, or none is configured: how well it is confirmed.
    Confirmed(Confirmed),
    /// It is silent, or has not come as far: why.
    Silent(String),
    /// It says otherwise.
    Contradicts(Box<Dispute>),
}

/// The first contradiction that locks writing and that the operator has not acknowledged within the hour.
pub async fn unread<'d>(context: &Context, disputes: &'d [Dispute], now_ms: u64) -> Option<&'d Dispute> {
    for dispute in disputes.iter().filter(|dispute| dispute.locks()) {
        if Box::pin(context.acknowledged.until_ms(&context.node, dispute, now_ms)).await.is_none() {
            return Some(dispute);
        }
    }
    None
}

/// Whether what an endpoint says of the own row may be acted on: it may where a second source says the same, and where none is
/// configured. A contradiction that was read lets a commit be sent; it makes nothing known. Errors: why it may not yet.
pub fn may_be_acted_on(row: Option<&Provenance>) -> Result<(), String> {
    let Some(row) = row else { return Err("the own row was not examined".to_owned()) };
    match (row.level, &row.limit) {
        // A value that is proven against the node's own word is known, and the node is none to act through.
        (_, Some(limit @ Limit::Disputed { case: Case::ForgedValue }))
        | (
            Level::Reported,
            Some(
                limit @ (Limit::WitnessAway { .. }
                | Limit::WitnessBehind { .. }
                | Limit::Disputed { .. }
                | Limit::NewerRuntime),
            ),
        ) => Err(limit.words()),
        _ => Ok(()),
    }
}

/// What the second source says of this commitment. It may take a while to come as far as the block: that is waited for, as
/// long as `patience` allows.
pub async fn second_word(
    context: &Context,
    hotkey: Hotkey,
    (published, block): (&Published, u64),
    now_ms: &(impl Fn() -> u64 + Sync),
    patience: Duration,
) -> SecondWord {
    let started = Instant::now();
    let rows = BTreeMap::from([(hotkey, Depth::Signature)]);
    loop {
        let silent = match timeout(MOST, verify(context, &rows, now_ms())).await {
            Err(_) => silent_for(),
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(found)) => {
                if let Some(dispute) = unread(context, &found.disputes, now_ms()).await {
                    return SecondWord::Contradicts(Box::new(dispute.clone()));
                }
                let row = found.rows.get(&hotkey);
                let is_it = |there: Option<&Commitment>| there.and_then(Commitment::published) == Some(published);
                let holds = row.is_some_and(|row| row.at.number >= block && is_it(row.commitment.as_ref()));
                match may_be_acted_on(row) {
                    Ok(()) if holds => return SecondWord::Confirmed(Confirmed::of(row, is_it)),
                    Ok(()) => Limit::Changed.words(),
                    // A contradiction about something else that was acknowledged does not make a slow source one that denies.
                    Err(why) if !row.is_some_and(Provenance::is_disputed) => why,
                    Err(why) => match found.disputes.into_iter().find(Dispute::locks) {
                        Some(dispute) => return SecondWord::Contradicts(Box::new(dispute)),
                        None => why,
                    },
                }
            }
        };
        if started.elapsed() + AGAIN > patience {
            return SecondWord::Silent(silent);
        }
        sleep(AGAIN).await;
    }
}
