//! From the signed extrinsic to the end that is known: handing in, watching, losing and finding the connection.
//!
//! Two sources are followed. Statuses of the pool come early and are hints: a step moves only when the block they name
//! holds the extrinsic. Finalized heads come late and decide: at each one the chain itself is asked whether the value is
//! there, the nonce used, or the era over. An extrinsic whose fate is not known is never handed in again before the chain
//! was seen not to have it, and then only the very same bytes, which can be applied once.

use std::time::Duration;

use subxt_rpcs::client::RpcSubscription;
use subxt_rpcs::methods::legacy::TransactionStatus;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::error::{ChainError, Fault};
use super::super::session::{Header, jittered};
use super::desk::{Desk, DeskOptions};
use super::extrinsic::Signed;
use super::pool;
use super::verify::{self, Applied, Facts, Head, Seen, Used};
use crate::domain::commit::progress::BlockId;
use crate::domain::commit::{Ended, Failure, Intent, PoolAnswer, Progress, Receipt};
use crate::domain::commitment::Commitment;
use crate::domain::network::BlockHash;
use crate::domain::text::grouped;

/// Longest silence of a connection before a real call finds out whether it is alive.
const QUIET: Duration = Duration::from_secs(30);
/// Time without any node after which nothing more can be said for now: the era is over by then, many times.
const GIVE_UP: Duration = Duration::from_mins(20);
/// Longest time that a commit is followed, whatever its node says meanwhile: the era, and as long again for finality.
const LONGEST: Duration = Duration::from_mins(28);
/// Longest pause between attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Shortest one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// How often the same bytes are handed in again after a pool dropped them.
const MOST_TRIES: u32 = 3;
/// How often they are handed in at all, over however many connections.
const MOST_SUBMISSIONS: u32 = 20;
/// Blocks whose state every node keeps (FACTS 3); of older ones the body and the events may be gone.
const KEPT_BLOCKS: u64 = 200;

/// What is pursued.
#[derive(Debug)]
pub struct Pursuit {
    /// How a lost connection is made anew.
    pub options: DeskOptions,
    /// What was intended; it is on disk before this begins.
    pub intent: Intent,
    /// What is handed in.
    pub signed: Signed,
}

/// Hands the extrinsic in and follows it to its end. Progress is told on the way, the end is returned.
pub async fn pursue(desk: Desk, pursuit: Pursuit, progress: mpsc::Sender<Progress>) -> Ended {
    let Pursuit { mut options, intent, signed } = pursuit;
    options.network.genesis = Some(intent.genesis);
    let mut chase = Chase::new(&intent, Some(&signed), progress);
    let (mut desk, mut pause) = (Some(desk), SHORTEST_PAUSE);
    loop {
        let heard_before = chase.heard;
        let result = match desk.take() {
            Some(desk) => chase.follow(&desk).await,
            None => match Desk::open(&options).await {
                Ok(opened) => {
                    chase.tell(Progress::Found { endpoint: opened.endpoint() }).await;
                    chase.follow(&opened).await
                }
                Err(error) => Err(error),
            },
        };
        let error = match result {
            Ok(ended) => return ended,
            Err(error) => error,
        };
        tracing::warn!("the connection was lost while a commit is on its way: {error}");
        if chase.heard.elapsed() > GIVE_UP {
            let why = format!("No node could be asked for {} minutes ({error}).", GIVE_UP.as_secs() / 60);
            return chase.pending(why);
        }
        chase.tell(Progress::Lost { problem: error.finding() }).await;
        // A connection that brought no block is no better than none, and another endpoint may do more.
        pause = if chase.heard > heard_before { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        options.network.endpoints.rotate_left(1);
        sleep(jittered(pause)).await;
    }
}

/// What became of a commit of an earlier session, without sending anything. `None` when it is still alive.
pub async fn settle(desk: &Desk, intent: &Intent) -> Result<Option<Ended>, ChainError> {
    let (unheard, _) = mpsc::channel(1);
    Chase::new(intent, None, unheard).look(desk).await
}

type Watch = RpcSubscription<TransactionStatus<BlockHash>>;

/// What the follow loop woke up for.
enum Woken {
    Status(Option<TransactionStatus<BlockHash>>),
    Head(Option<Header>),
    Silence,
    TooLong,
}

/// One extrinsic on its way, over as many connections as it takes.
struct Chase<'p> {
    intent: &'p Intent,
    signed: Option<&'p Signed>,
    progress: mpsc::Sender<Progress>,
    began: Instant,
    /// When a finalized head was heard for the last time.
    heard: Instant,
    /// Whether it may be in some pool: after the first attempt, whatever came of it.
    sent: bool,
    submissions: u32,
    /// How often a pool dropped it.
    dropped: u32,
    /// Why a pool would not have it again, after one had dropped it.
    unwanted: Option<PoolAnswer>,
    broadcast: bool,
    seen: Option<BlockId>,
    first_seen: Option<BlockId>,
    finalized_told: Option<BlockId>,
}

impl<'p> Chase<'p> {
    fn new(intent: &'p Intent, signed: Option<&'p Signed>, progress: mpsc::Sender<Progress>) -> Self {
        let now = Instant::now();
        Self {
            intent,
            signed,
            progress,
            began: now,
            heard: now,
            sent: false,
            submissions: 0,
            dropped: 0,
            unwanted: None,
            broadcast: false,
            seen: None,
            first_seen: None,
            finalized_told: None,
        }
    }

    /// Nobody listening is no reason to stop: what was sent is sent.
    async fn tell(&self, progress: Progress) {
        self.progress.send(progress).await.ok();
    }

    async fn disbelieve(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::warn!("not believed: {what}");
        self.tell(Progress::Disbelieved { what }).await;
    }

    /// Follows it on one connection until its end is known or the connection is gone.
    async fn follow(&mut self, desk: &Desk) -> Result<Ended, ChainError> {
        if self.sent
            && let Some(ended) = self.look(desk).await?
        {
            return Ok(ended);
        }
        let mut heads = desk.session.finalized_heads().await?;
        let mut watch = match self.hand_in(desk).await? {
            Ok(watch) => watch,
            Err(ended) => return Ok(ended),
        };
        loop {
            let woken = tokio::select! {
                status = next_status(&mut watch) => Woken::Status(status),
                head = heads.next() => Woken::Head(head.and_then(Result::ok)),
                () = sleep(QUIET) => Woken::Silence,
                () = sleep_until(self.began + LONGEST) => Woken::TooLong,
            };
            let ended = match woken {
                Woken::Status(Some(status)) => self.on_status(desk, status, &mut watch).await?,
                Woken::Status(None) => {
                    watch = None;
                    None
                }
                Woken::Head(Some(head)) => self.on_head(desk, head.number).await?,
                Woken::Head(None) => return Err(lost(desk).await),
                Woken::Silence => {
                    desk.session.round_trip().await?;
                    None
                }
                Woken::TooLong => {
                    let minutes = LONGEST.as_secs() / 60;
                    Some(self.pending(format!("No final block told what became of it for {minutes} minutes.")))
                }
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    /// Hands the bytes to the pool. A refusal ends it only when nothing was handed in before: else some pool may hold it.
    async fn hand_in(&mut self, desk: &Desk) -> Result<Result<Option<Watch>, Ended>, ChainError> {
        let Some(signed) = self.signed else { return Ok(Ok(None)) };
        if self.submissions >= MOST_SUBMISSIONS {
            return Ok(Ok(None));
        }
        let again = std::mem::replace(&mut self.sent, true);
        self.submissions += 1;
        if again {
            self.tell(Progress::SentAgain).await;
        }
        match desk.session.submit(signed.bytes()).await {
            Ok(watch) => {
                self.unwanted = None;
                Ok(Ok(Some(watch)))
            }
            Err(error) => match pool::answer(&error.fault) {
                None => Err(error),
                Some(PoolAnswer::AlreadyImported) => {
                    self.told_broadcast().await;
                    Ok(Ok(None))
                }
                Some(answer) if again => {
                    tracing::info!("handed in again, and refused: {answer:?}; the chain decides");
                    self.unwanted = Some(answer);
                    Ok(Ok(None))
                }
                Some(answer) => Ok(Err(self.failed(Failure::Pool(answer)))),
            },
        }
    }

    async fn told_broadcast(&mut self) {
        if !std::mem::replace(&mut self.broadcast, true) {
            self.tell(Progress::Broadcast).await;
        }
    }

    async fn on_status(
        &mut self,
        desk: &Desk,
        status: TransactionStatus<BlockHash>,
        watch: &mut Option<Watch>,
    ) -> Result<Option<Ended>, ChainError> {
        match status {
            TransactionStatus::Ready | TransactionStatus::Broadcast(_) | TransactionStatus::Future => {
                self.told_broadcast().await;
            }
            TransactionStatus::InBlock(hash) => {
                self.told_broadcast().await;
                self.on_block(desk, hash).await?;
            }
            TransactionStatus::Retracted(hash) => self.on_retracted(hash).await,
            TransactionStatus::Finalized(hash) => {
                *watch = None;
                return self.on_finalized(desk, hash).await;
            }
            TransactionStatus::FinalityTimeout(_) => *watch = None,
            TransactionStatus::Usurped(_) => {
                *watch = None;
                return self.look(desk).await;
            }
            TransactionStatus::Dropped | TransactionStatus::Invalid => {
                *watch = None;
                if let Some(ended) = self.look(desk).await? {
                    return Ok(Some(ended));
                }
                self.dropped += 1;
                if self.dropped < MOST_TRIES {
                    match self.hand_in(desk).await? {
                        Ok(again) => *watch = again,
                        Err(ended) => return Ok(Some(ended)),
                    }
                }
            }
        }
        Ok(None)
    }

    /// A block is said to hold it: the step moves if its body does.
    async fn on_block(&mut self, desk: &Desk, hash: BlockHash) -> Result<(), ChainError> {
        match verify::seen_in(desk, hash, self.intent).await? {
            Seen::In { number, .. } => self.saw(BlockId { number, hash }).await,
            Seen::NoBlock => self.disbelieve("a block that the node does not have is said to hold it").await,
            Seen::NotIn { .. } => self.disbelieve("a block is said to hold it, and its body does not").await,
        }
        Ok(())
    }

    async fn saw(&mut self, block: BlockId) {
        self.first_seen.get_or_insert(block);
        if self.seen.replace(block) != Some(block) {
            self.tell(Progress::InBlock(block)).await;
        }
    }

    async fn on_retracted(&mut self, hash: BlockHash) {
        if let Some(block) = self.seen.take_if(|block| block.hash == hash) {
            self.tell(Progress::Retracted(block)).await;
        }
    }

    /// Said to be final: it is when the chain of the finalized head has the block at its height.
    async fn on_finalized(&mut self, desk: &Desk, hash: BlockHash) -> Result<Option<Ended>, ChainError> {
        let (seen, head) = tokio::try_join!(verify::seen_in(desk, hash, self.intent), verify::head(desk))?;
        let Seen::In { number, index } = seen else {
            self.disbelieve("a block is said to be final with it, and holds nothing of it").await;
            return Ok(None);
        };
        let block = BlockId { number, hash };
        self.saw(block).await;
        if !verify::is_final(desk, block, &head).await? {
            self.disbelieve(format!(
                "its block #{number} is said to be final, but the finalized head is #{}",
                head.number
            ))
            .await;
            return Ok(None);
        }
        let facts = verify::facts(desk, block, index).await?;
        self.judged(desk, facts, &head).await
    }

    async fn on_head(&mut self, desk: &Desk, number: u64) -> Result<Option<Ended>, ChainError> {
        self.heard = Instant::now();
        self.tell(Progress::Waited { finalized: number }).await;
        self.look(desk).await
    }

    /// Asks the chain itself: is the value there, the nonce used, the era over? `None` while all is open.
    async fn look(&mut self, desk: &Desk) -> Result<Option<Ended>, ChainError> {
        let head = verify::head(desk).await?;
        let intent = self.intent;
        if intent.is_met_by(head.value.as_ref())
            && let Some(ended) = self.met(desk, &head).await?
        {
            return Ok(Some(ended));
        }
        if head.nonce > intent.nonce {
            return self.used(desk, &head).await;
        }
        if head.number >= intent.death {
            return Ok(Some(self.expired()));
        }
        Ok(None)
    }

    /// The value is there: the block that set it must hold the extrinsic and say that it was applied. `None` when another
    /// transaction set the same value there: then the nonce tells what became of ours.
    async fn met(&mut self, desk: &Desk, head: &Head) -> Result<Option<Ended>, ChainError> {
        let set_at = head.value.as_ref().and_then(|value| value.block);
        // Of a block above the head nothing can be looked at yet.
        let Some(number) = set_at.filter(|number| *number <= head.number) else { return Ok(None) };
        let Some(hash) = desk.session.block_hash(number).await? else {
            return Ok(Some(
                self.contradiction(format!("the value is said to be set in #{number}, a block it does not have")),
            ));
        };
        match verify::seen_in(desk, hash, self.intent).await? {
            Seen::In { index, .. } => {
                let block = BlockId { number, hash };
                self.saw(block).await;
                let facts = match verify::facts(desk, block, index).await {
                    Err(ChainError { fault: Fault::Refused { .. }, .. }) if head.number > number + KEPT_BLOCKS => {
                        return Ok(Some(self.by_value_alone(block, Some(index), head)));
                    }
                    facts => facts?,
                };
                self.judged(desk, facts, head).await
            }
            Seen::NoBlock if head.number > number + KEPT_BLOCKS => {
                Ok(Some(self.by_value_alone(BlockId { number, hash }, None, head)))
            }
            Seen::NotIn { the_same } if the_same || head.nonce > self.intent.nonce => Ok(None),
            Seen::NoBlock | Seen::NotIn { .. } => Ok(Some(self.contradiction(format!(
                "the value reads as ours, set in #{number}, and that block does not hold our transaction"
            )))),
        }
    }

    /// The nonce is used and the value is another: find the block, and what happened there.
    async fn used(&mut self, desk: &Desk, head: &Head) -> Result<Option<Ended>, ChainError> {
        let intent = self.intent;
        let last = head.number.min(intent.death);
        let block = match verify::used_at(desk, intent.nonce, intent.birth, last).await? {
            Used::At(block) => block,
            Used::Not if last == intent.death => return Ok(Some(self.expired())),
            Used::Not => {
                let what = format!("its head #{last} has used the nonce, and the state of #{last} has not");
                return Ok(Some(self.contradiction(what)));
            }
            Used::Gone => return Ok(Some(self.failed(Failure::NotThere))),
        };
        match verify::seen_in(desk, block.hash, intent).await? {
            Seen::In { index, .. } => {
                self.saw(block).await;
                let facts = verify::facts(desk, block, index).await?;
                self.judged(desk, facts, head).await
            }
            Seen::NotIn { .. } => Ok(Some(self.failed(Failure::Replaced))),
            Seen::NoBlock => Ok(Some(self.failed(Failure::NotThere))),
        }
    }

    /// A final block holds it: what its events and the state say together. `None` while a newer block, not final yet, holds
    /// somebody else's commitment: whether that stays decides.
    async fn judged(&mut self, desk: &Desk, facts: Facts, head: &Head) -> Result<Option<Ended>, ChainError> {
        let block = facts.block;
        let told = self.finalized_told.replace(block) == Some(block);
        if !told {
            self.tell(Progress::Finalized(block)).await;
        }
        let target = &self.intent.target;
        let equal = |value: Option<&Commitment>| value.and_then(Commitment::published) == Some(target);
        let set_here = facts.value.as_ref().and_then(|value| value.block) == Some(block.number);
        let contradiction = |what: &str| Ok(Some(self.contradiction(what.to_owned())));
        match facts.applied {
            Applied::Refused(_) if equal(facts.value.as_ref()) && set_here && !facts.by_another.at_all() => {
                contradiction("the block's events say refused, and the value reads as if it was set there")
            }
            Applied::Refused(error) => Ok(Some(self.failed(Failure::Dispatch { error, block, next_epoch_at: None }))),
            Applied::Unclear(why) => Ok(Some(self.pending(why))),
            Applied::Odd(what) => contradiction(what),
            Applied::Succeeded if !equal(facts.value.as_ref()) && !facts.by_another.after => {
                contradiction("the block's events say published, and the value there is another")
            }
            Applied::Succeeded => {
                if !told {
                    self.tell(Progress::Event { index: facts.index }).await;
                }
                if !equal(head.value.as_ref()) {
                    return Ok(Some(self.usurped(head.value.as_ref())));
                }
                if !equal(verify::best_value(desk).await?.as_ref()) {
                    tracing::warn!("#{}: a newer block holds another commitment of this hotkey", grouped(block.number));
                    return Ok(None);
                }
                self.tell(Progress::ReadBack).await;
                Ok(Some(self.committed(block, Some(facts.index), head)))
            }
        }
    }

    fn committed(&self, block: BlockId, index: Option<u32>, head: &Head) -> Ended {
        Ended::Committed(Receipt {
            extrinsic: self.intent.extrinsic,
            block,
            index,
            first_seen_in: self.first_seen.filter(|first| *first != block),
            read_back_at: head.number,
        })
    }

    /// Of an old block only the value is left, and its place in our era.
    fn by_value_alone(&self, block: BlockId, index: Option<u32>, head: &Head) -> Ended {
        tracing::info!("#{}: the node no longer keeps what would prove it; told by the value alone", block.number);
        self.committed(block, index, head)
    }

    fn usurped(&self, value: Option<&Commitment>) -> Ended {
        self.failed(Failure::Usurped {
            by: value.and_then(Commitment::published).cloned(),
            at: value.and_then(|value| value.block),
        })
    }

    const fn pending(&self, why: String) -> Ended {
        Ended::Pending { extrinsic: Some(self.intent.extrinsic), why }
    }

    fn failed(&self, failure: Failure) -> Ended {
        Ended::Failed { failure, extrinsic: Some(self.intent.extrinsic) }
    }

    fn contradiction(&self, what: String) -> Ended {
        self.failed(Failure::Contradiction { what })
    }

    fn expired(&self) -> Ended {
        // At the end of its era a pool drops it too, and will not have it again.
        let by_age =
            |answer: &PoolAnswer| matches!(answer, PoolAnswer::Ancient | PoolAnswer::Banned | PoolAnswer::Stale);
        if self.unwanted.as_ref().is_some_and(|answer| !by_age(answer)) {
            return self.failed(Failure::Dropped);
        }
        Ended::Expired { extrinsic: self.intent.extrinsic, death: self.intent.death }
    }
}

/// The next status; `None` when the subscription ended, and never when there is none.
async fn next_status(watch: &mut Option<Watch>) -> Option<TransactionStatus<BlockHash>> {
    match watch {
        Some(watch) => watch.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

/// Why the connection ended; its reason follows the end of a subscription at once.
async fn lost(desk: &Desk) -> ChainError {
    match timeout(Duration::from_millis(250), desk.session.gone()).await {
        Ok(error) => error,
        Err(_) => desk.session.fault(Fault::Closed { why: "the node ended a subscription".into() }),
    }
}
