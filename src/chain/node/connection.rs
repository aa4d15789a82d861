//! One open connection: which chain it leads to, by which runtime, and where that chain stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::held;
use crate::chain::clock::{Clock, Head, Heads};
use crate::chain::error::ChainError;
use crate::chain::session::{Header, Session};
use crate::domain::network::BlockHash;

/// How long the versions of a runtime are believed after they were told: one block.
const VERSIONS_HOLD: Duration = Duration::from_secs(12);
/// How long the head of the greeting counts as the newest one, for the first caller that needs it.
const GREETING_HOLDS: Duration = Duration::from_secs(2);
/// A second source that is behind by so few blocks is given a moment to come as far.
const MOMENTS_BEHIND: u64 = 3;
const A_MOMENT: Duration = Duration::from_millis(1_500);

/// Versions of a runtime: of its specification, and of its transactions.
pub(in crate::chain) type Versions = (u32, u32);

/// An open connection to an endpoint of the right chain. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone)]
pub(in crate::chain) struct Connection {
    pub(in crate::chain) session: Session,
    /// Hash of block 0.
    pub(in crate::chain) genesis: BlockHash,
    /// Round trip of the greeting.
    pub(in crate::chain) latency: Duration,
    /// The finalized head that was told at the greeting, and when; the first caller takes it.
    greeting: Arc<StdMutex<Option<(BlockHash, Instant)>>>,
    versions: Arc<StdMutex<Option<(Versions, Instant)>>>,
    clock: Arc<Mutex<Option<Clock>>>,
}

impl Connection {
    /// Asks which chain answers and by which runtime, and follows its finalized heads, of which the first one is told at
    /// once: three requests in one round trip. A node that does not tell it is asked for it.
    pub(in crate::chain) async fn open(session: Session) -> Result<Self, ChainError> {
        let started = Instant::now();
        let clock = async {
            let clock = Clock::start(&session).await?;
            let head = match timeout(A_MOMENT, clock.head(&session)).await {
                Ok(told) => told?.hash,
                Err(_) => session.finalized_head().await?,
            };
            Ok((clock, head))
        };
        let (genesis, versions, (clock, head)) =
            tokio::try_join!(session.genesis_hash(), session.versions(None), clock)?;
        let (latency, now) = (started.elapsed(), Instant::now());
        Ok(Self {
            session,
            genesis,
            latency,
            greeting: Arc::new(StdMutex::new(Some((head, now)))),
            versions: Arc::new(StdMutex::new(Some((versions, now)))),
            clock: Arc::new(Mutex::new(Some(clock))),
        })
    }

    /// For an endpoint that only confirms: asks which chain answers, and follows its finalized heads.
    pub(in crate::chain) async fn open_witness(session: Session) -> Result<Self, ChainError> {
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
    pub(in crate::chain) async fn versions(&self) -> Result<Versions, ChainError> {
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
    pub(in crate::chain) async fn head(&self) -> Result<Head, ChainError> {
        self.clock().await?.head(&self.session).await
    }

    /// The newest finalized head as the clock tells it, given a moment to come as far as `number`.
    pub(in crate::chain) async fn head_from(&self, number: u64) -> Result<Head, ChainError> {
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
    pub(in crate::chain) async fn heads(&self) -> Result<Heads, ChainError> {
        Ok(self.clock().await?.heads())
    }

    /// Hash of the newest finalized head: that of the greeting for the first caller, asked for later. The clock may be
    /// a moment behind it.
    pub(in crate::chain) async fn head_hash(&self) -> Result<BlockHash, ChainError> {
        let greeting = held(&self.greeting).take();
        match greeting.filter(|(_, at)| at.elapsed() < GREETING_HOLDS) {
            Some((head, _)) => Ok(head),
            None => self.session.finalized_head().await,
        }
    }

    /// The newest finalized head, asked for.
    pub(in crate::chain) async fn newest_head(&self) -> Result<Head, ChainError> {
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
    pub(in crate::chain) async fn told_hashes(&self) -> BTreeMap<u64, BlockHash> {
        self.clock.lock().await.as_ref().map(Clock::hashes).unwrap_or_default()
    }

    /// The header of a finalized block of a height and hash, asked for only where it did not come as a head. Whether what
    /// was asked for hashes to that hash is for the caller to see.
    pub(in crate::chain) async fn header_at(&self, number: u64, hash: BlockHash) -> Result<Header, ChainError> {
        match self.clock().await?.head_at(number, hash) {
            Some(head) => Ok(head.header.as_ref().clone()),
            None => self.session.header(hash).await,
        }
    }

    /// Hash of the block of a height on this endpoint's chain, asked for only where its clock has not told it.
    pub(in crate::chain) async fn hash_at(&self, number: u64) -> Result<Option<BlockHash>, ChainError> {
        match self.clock().await?.hash_at(number) {
            Some(hash) => Ok(Some(hash)),
            None => self.session.block_hash(number).await,
        }
    }
}
