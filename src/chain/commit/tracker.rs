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

use super::super::clock::Head;
use super::super::error::{ChainError, Fault};
use super::super::session::jittered;
use super::extrinsic::Signed;
use super::hotkey_client::{HotkeyClient, HotkeyClientOptions};
use super::pool;
use super::verify::{self, Seen};
use crate::domain::commit::progress::BlockId;
use crate::domain::commit::{Ended, Failure, Intent, PoolAnswer, Progress};
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

/// What is handed in and followed.
#[derive(Debug)]
pub struct SignedCommit {
    /// How a lost connection is made anew.
    pub options: HotkeyClientOptions,
    /// What was intended; it is on disk before this begins.
    pub intent: Intent,
    /// What is handed in.
    pub signed: Signed,
}

/// Hands the extrinsic in and follows it to its end. Progress is told on the way, the end is returned.
pub async fn track(client: HotkeyClient, signed_commit: SignedCommit, progress: mpsc::Sender<Progress>) -> Ended {
    let SignedCommit { mut options, intent, signed } = signed_commit;
    options.genesis = Some(intent.genesis);
    let mut tracker = TxTracker::new(&intent, Some(&signed), progress);
    let (mut client, mut pause) = (Some(client), SHORTEST_PAUSE);
    loop {
        let heard_before = tracker.heard;
        let result = match client.take() {
            Some(client) => tracker.follow_on(&client).await,
            None => match HotkeyClient::open(&options).await {
                Ok(opened) => {
                    tracker.tell(Progress::Found { endpoint: opened.endpoint() }).await;
                    tracker.follow_on(&opened).await
                }
                Err(error) => Err(error),
            },
        };
        let error = match result {
            Ok(ended) => return ended,
            Err(error) => error,
        };
        tracing::warn!("the connection was lost while a commit is on its way: {error}");
        if tracker.heard.elapsed() > GIVE_UP {
            let why = format!("No node could be asked for {} minutes ({error}).", GIVE_UP.as_secs() / 60);
            return tracker.pending(why);
        }
        tracker.tell(Progress::Lost { problem: error.finding() }).await;
        // A connection that brought no block is no better than none, and another endpoint may do more.
        pause = if tracker.heard > heard_before { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        sleep(jittered(pause)).await;
    }
}

/// What became of a commit of an earlier session, without sending anything. `None` when it is still alive.
pub async fn reconcile(client: &HotkeyClient, intent: &Intent) -> Result<Option<Ended>, ChainError> {
    let (unheard, _) = mpsc::channel(1);
    TxTracker::new(intent, None, unheard).look(client).await
}

type Watch = RpcSubscription<TransactionStatus<BlockHash>>;

/// What the follow loop woke up for.
enum Woken {
    Status(Option<TransactionStatus<BlockHash>>),
    Head(Option<Head>),
    Silence,
    TooLong,
}

/// One extrinsic on its way, over as many connections as it takes.
pub(super) struct TxTracker<'p> {
    pub(super) intent: &'p Intent,
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
    pub(super) unwanted: Option<PoolAnswer>,
    broadcast: bool,
    seen: Option<BlockId>,
    /// The block whose body was found to hold it, and where.
    held_in: Option<(BlockId, u32)>,
    pub(super) first_seen: Option<BlockId>,
    pub(super) finalized_told: Option<BlockId>,
}

impl<'p> TxTracker<'p> {
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
            held_in: None,
            first_seen: None,
            finalized_told: None,
        }
    }

    /// Nobody listening is no reason to stop: what was sent is sent.
    pub(super) async fn tell(&self, progress: Progress) {
        self.progress.send(progress).await.ok();
    }

    async fn disbelieve(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::warn!("not believed: {what}");
        self.tell(Progress::Disbelieved { what }).await;
    }

    /// Follows it on one connection, which is given up when it is of no use any more.
    async fn follow_on(&mut self, client: &HotkeyClient) -> Result<Ended, ChainError> {
        let ended = self.follow(client).await;
        if ended.is_err() {
            client.give_up().await;
        }
        ended
    }

    /// Follows it until its end is known or the connection is gone.
    async fn follow(&mut self, client: &HotkeyClient) -> Result<Ended, ChainError> {
        if self.sent
            && let Some(ended) = self.look(client).await?
        {
            return Ok(ended);
        }
        let mut heads = client.connection.heads().await?;
        let mut watch = match self.hand_in(client).await? {
            Ok(watch) => watch,
            Err(ended) => return Ok(ended),
        };
        loop {
            let woken = tokio::select! {
                status = next_status(&mut watch) => Woken::Status(status),
                head = heads.next() => Woken::Head(head),
                () = sleep(QUIET) => Woken::Silence,
                () = sleep_until(self.began + LONGEST) => Woken::TooLong,
            };
            let ended = match woken {
                Woken::Status(Some(status)) => self.on_status(client, status, &mut watch).await?,
                Woken::Status(None) => {
                    watch = None;
                    None
                }
                Woken::Head(Some(head)) => self.on_head(client, &head).await?,
                Woken::Head(None) => return Err(lost(client).await),
                Woken::Silence => {
                    client.session().round_trip().await?;
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
    async fn hand_in(&mut self, client: &HotkeyClient) -> Result<Result<Option<Watch>, Ended>, ChainError> {
        let Some(signed) = self.signed else { return Ok(Ok(None)) };
        if self.submissions >= MOST_SUBMISSIONS {
            return Ok(Ok(None));
        }
        let again = std::mem::replace(&mut self.sent, true);
        self.submissions += 1;
        if again {
            self.tell(Progress::SentAgain).await;
        }
        match client.session().submit(signed.bytes()).await {
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
        client: &HotkeyClient,
        status: TransactionStatus<BlockHash>,
        watch: &mut Option<Watch>,
    ) -> Result<Option<Ended>, ChainError> {
        match status {
            TransactionStatus::Ready | TransactionStatus::Broadcast(_) | TransactionStatus::Future => {
                self.told_broadcast().await;
            }
            TransactionStatus::InBlock(hash) => {
                self.told_broadcast().await;
                self.on_block(client, hash).await?;
            }
            TransactionStatus::Retracted(hash) => self.on_retracted(hash).await,
            TransactionStatus::Finalized(hash) => {
                *watch = None;
                return self.on_finalized(client, hash).await;
            }
            TransactionStatus::FinalityTimeout(_) => *watch = None,
            TransactionStatus::Usurped(_) => {
                *watch = None;
                return self.look(client).await;
            }
            TransactionStatus::Dropped | TransactionStatus::Invalid => {
                *watch = None;
                if let Some(ended) = self.look(client).await? {
                    return Ok(Some(ended));
                }
                self.dropped += 1;
                if self.dropped < MOST_TRIES {
                    match self.hand_in(client).await? {
                        Ok(again) => *watch = again,
                        Err(ended) => return Ok(Some(ended)),
                    }
                }
            }
        }
        Ok(None)
    }

    /// A block is said to hold it: the step moves if its body does.
    async fn on_block(&mut self, client: &HotkeyClient, hash: BlockHash) -> Result<(), ChainError> {
        match self.seen_in(client, hash).await? {
            Seen::In { number, .. } => self.saw(BlockId { number, hash }).await,
            Seen::NoBlock => self.disbelieve("a block that the node does not have is said to hold it").await,
            Seen::NotIn { .. } => self.disbelieve("a block is said to hold it, and its body does not").await,
        }
        Ok(())
    }

    /// What is in a block was in a pool, whichever of the two was heard first.
    pub(super) async fn saw(&mut self, block: BlockId) {
        self.told_broadcast().await;
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
    async fn on_finalized(&mut self, client: &HotkeyClient, hash: BlockHash) -> Result<Option<Ended>, ChainError> {
        let Seen::In { number, index } = self.seen_in(client, hash).await? else {
            self.disbelieve("a block is said to be final with it, and holds nothing of it").await;
            return Ok(None);
        };
        let block = BlockId { number, hash };
        self.saw(block).await;
        let head = verify::head_from(client, number).await?;
        if !verify::is_final(client, block, &head).await? {
            self.disbelieve(format!(
                "its block #{} is said to be final, but the finalized head is #{}",
                grouped(number),
                grouped(head.number)
            ))
            .await;
            return Ok(None);
        }
        let facts = verify::facts(client, block, index).await?;
        self.judged(client, facts, &head).await
    }

    async fn on_head(&mut self, client: &HotkeyClient, head: &Head) -> Result<Option<Ended>, ChainError> {
        let number = head.number();
        self.heard = Instant::now();
        self.tell(Progress::Waited { finalized: number }).await;
        // The block that holds it is above this head: nothing can be decided yet.
        if self.seen.is_some_and(|block| block.number > number) {
            return Ok(None);
        }
        let head = verify::head(client, head).await?;
        self.look_at(client, head).await
    }

    /// Looks for the extrinsic in a block's body; a body that held it once is not asked for again.
    pub(super) async fn seen_in(&mut self, client: &HotkeyClient, hash: BlockHash) -> Result<Seen, ChainError> {
        if let Some((block, index)) = self.held_in.filter(|(block, _)| block.hash == hash) {
            return Ok(Seen::In { number: block.number, index });
        }
        let seen = verify::seen_in(client, hash, self.intent).await?;
        if let Seen::In { number, index } = seen {
            self.held_in = Some((BlockId { number, hash }, index));
        }
        Ok(seen)
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
async fn lost(client: &HotkeyClient) -> ChainError {
    match timeout(Duration::from_millis(250), client.session().gone()).await {
        Ok(error) => error,
        Err(_) => client.session().fault(Fault::Closed { why: "the node ended a subscription".into() }),
    }
}
