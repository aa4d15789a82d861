//! Where the chain of one endpoint stands: its finalized heads as they come, so that they need not be asked for again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parity_scale_codec::Encode as _;
use sp_crypto_hashing::blake2_256;
use subxt_rpcs::client::RpcSubscription;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::error::{ChainError, Fault};
use super::session::{Header, Session};
use crate::domain::network::BlockHash;

/// Heights of which the hash is remembered: more than an era, so that a birth is among them.
const REMEMBERED: usize = 128;

/// A finalized head. Its hash is computed here from the header.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) hash: BlockHash,
    pub(super) header: Arc<Header>,
}

impl Head {
    /// The head whose header this is.
    pub(super) fn of(header: Header) -> Self {
        Self { hash: hash_of(&header), header: Arc::new(header) }
    }

    /// Its height.
    pub(super) fn number(&self) -> u64 {
        self.header.number
    }
}

/// The hash of the block that a header is of.
pub(super) fn hash_of(header: &Header) -> BlockHash {
    BlockHash(blake2_256(&header.encode()))
}

/// The finalized heads of one connection. Clones share them; the subscription ends with the last one.
#[derive(Clone)]
pub(super) struct Clock(Arc<Running>);

struct Running {
    newest: watch::Receiver<Option<Head>>,
    told: Arc<Mutex<Told>>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Clock {
    /// Subscribes to the finalized heads: one request. The present one is told at once.
    pub(super) async fn start(session: &Session) -> Result<Self, ChainError> {
        let heads = session.finalized_heads().await?;
        let (sender, newest) = watch::channel(None);
        let told = Arc::<Mutex<Told>>::default();
        let task = tokio::spawn(follow(heads, sender, Arc::clone(&told))).abort_handle();
        Ok(Self(Arc::new(Running { newest, told, task })))
    }

    /// Whether heads still come.
    pub(super) fn runs(&self) -> bool {
        self.0.newest.has_changed().is_ok()
    }

    /// The newest head; waits for the first one no longer than for any answer.
    pub(super) async fn head(&self, session: &Session) -> Result<Head, ChainError> {
        const WHAT: &str = "chain_subscribeFinalizedHeads";
        let after = session.limits().call;
        let mut newest = self.0.newest.clone();
        let told = timeout(after, newest.wait_for(Option::is_some)).await;
        let told = told.map_err(|_| session.fault(Fault::Deadline { what: WHAT, after }))?;
        let told = told.ok().and_then(|head| head.clone());
        told.ok_or_else(|| session.fault(Fault::Closed { why: "the node ended a subscription".into() }))
    }

    /// The heads from now on.
    pub(super) fn heads(&self) -> Heads {
        let mut newest = self.0.newest.clone();
        newest.mark_unchanged();
        Heads { newest, _clock: self.clone() }
    }

    /// The head of this height and hash, where it came.
    pub(super) fn head_at(&self, number: u64, hash: BlockHash) -> Option<Head> {
        locked(&self.0.told).headers.get(&number).filter(|head| head.hash == hash).cloned()
    }

    /// The head of this hash, where it came.
    pub(super) fn head_of(&self, hash: BlockHash) -> Option<Head> {
        locked(&self.0.told).headers.values().rev().find(|head| head.hash == hash).cloned()
    }

    /// The hashes of all heights that heads told.
    pub(super) fn hashes(&self) -> BTreeMap<u64, BlockHash> {
        locked(&self.0.told).hashes.clone()
    }

    /// The hash of a height, where a head told it.
    pub(super) fn hash_at(&self, number: u64) -> Option<BlockHash> {
        locked(&self.0.told).hashes.get(&number).copied()
    }
}

/// The heads of a clock as they come; one that is waited for late is passed over for the newest.
pub(super) struct Heads {
    newest: watch::Receiver<Option<Head>>,
    _clock: Clock,
}

impl Heads {
    /// The next head; `None` when no more will come.
    pub(super) async fn next(&mut self) -> Option<Head> {
        self.newest.changed().await.ok()?;
        self.newest.borrow_and_update().clone()
    }
}

async fn follow(mut heads: RpcSubscription<Header>, newest: watch::Sender<Option<Head>>, told: Arc<Mutex<Told>>) {
    while let Some(Ok(header)) = heads.next().await {
        let head = Head::of(header);
        locked(&told).remember(&head);
        newest.send_replace(Some(head));
    }
}

/// What the heads told: their headers, their hashes, and those of their parents.
#[derive(Default)]
struct Told {
    hashes: BTreeMap<u64, BlockHash>,
    headers: BTreeMap<u64, Head>,
}

impl Told {
    fn remember(&mut self, head: &Head) {
        let number = head.number();
        self.hashes.insert(number, head.hash);
        self.headers.insert(number, head.clone());
        if let Some(below) = number.checked_sub(1) {
            self.hashes.insert(below, BlockHash(head.header.parent_hash.0));
        }
        while self.hashes.len() > REMEMBERED {
            self.hashes.pop_first();
        }
        while self.headers.len() > REMEMBERED {
            self.headers.pop_first();
        }
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
