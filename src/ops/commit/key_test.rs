//! The test of the pair that is to be published, at the store and with what will be published: read, then its scope.
//!
//! ```text
//! GET (need not be there) ─► unknown key? wait ─► abort of no upload, listing of buckets, of uid 0 its checkpoints ─► judged
//!                                                        └─ only if the store does not tell: PUT, DELETE
//! ```

use std::future::pending;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::commit::Plan;
use crate::domain::commit::key_test::{self, KeyTest, Opening, Scope};
use crate::domain::commit::outcome::Rule;
use crate::domain::commitment::{Published, read_bytes};
use crate::domain::credentials::{BucketCredentials, CommitmentBytes};
use crate::domain::guard::Refusal;
use crate::domain::probe::{Exchange, Reply, Request, may_pass};
use crate::domain::roster::TRAINER_UID;
use crate::domain::rotation::NEW_KEY_MS;
use crate::domain::self_test_objects::CanaryName;
use crate::domain::text::age_seconds;
use crate::ops::context::Context;
use crate::storage::{Answer, Misfit, Owner, Store, StoreOptions, Target};

/// What is written, when it can be, to find out that it can.
const CANARY: &[u8] = b"grail-console test of a new read key, safe to delete\n";
/// Between the attempts at a store whose answer was lost or which failed, as validators do.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];

/// How long is waited for the store.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a new key to become known at the store, in all. 90 s.
    pub new_key: Duration,
    /// Between two questions whether it is known. 3 s.
    pub pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { new_key: Duration::from_millis(NEW_KEY_MS), pause: Duration::from_secs(3) }
    }
}

/// Who is told what is waited for, in words.
pub type Tell<'t> = &'t (dyn Fn(String) + Send + Sync);

/// The pair that is to be published, with the bucket that it opens.
pub(super) struct Pair<'t> {
    published: Published,
    context: &'t Context,
    read: Owner,
    write: Option<Owner>,
    canary: CanaryName,
    never: CanaryName,
    /// Whether it is for uid 0, whose checkpoints everybody lists.
    is_trainer: bool,
    store: Store,
    tell: Tell<'t>,
}

impl<'t> Pair<'t> {
    /// The effective read pair, by the very bytes that would be published.
    pub(super) fn of(context: &'t Context, plan: &Plan, tell: Tell<'t>) -> Result<Self, Rule> {
        let provider = &context.provider;
        let own = BucketCredentials::parse(provider, &context.configuration.local).map_err(Refusal::from)?;
        let bytes = CommitmentBytes::encode(&own.read).map_err(Refusal::from)?;
        let parts = read_bytes(bytes.expose()).map_err(|_| Refusal::NotReadBack)?;
        let read = Target::published(provider, &parts).map_err(|misfit| leads_nowhere(&misfit))?;
        let store = Store::new(StoreOptions { region: context.region().to_owned(), ..StoreOptions::default() });
        let write = Target::own_write(provider, &own).ok().flatten().map(|target| store.owner(target));
        let hotkey = context.hotkey.ok_or_else(no_hotkey)?;
        Ok(Self {
            published: parts.published(),
            context,
            read: store.owner(read),
            write,
            canary: CanaryName::Canary(hotkey),
            never: CanaryName::Never(hotkey),
            is_trainer: plan.standing.uid == Some(TRAINER_UID),
            store,
            tell,
        })
    }

    /// What is published of it.
    pub(super) const fn published(&self) -> &Published {
        &self.published
    }

    /// Which store is asked, and the region that is signed for.
    pub(super) fn store(&self) -> String {
        format!("{} {}", self.context.provider, self.context.region())
    }

    fn by(&self) -> Instant {
        Instant::now() + self.store.options().total
    }

    /// The whole test, without writing anything, and the seconds that the key was waited for, where it was. `gone` is what
    /// this machine knows of the key being an old one.
    pub(super) async fn test(&self, timeouts: Timeouts, gone: Option<&str>) -> Result<(KeyTest, Option<u64>), Rule> {
        (self.tell)(format!("testing the read pair at {}", self.context.provider));
        let began = Instant::now();
        let give_up = began + timeouts.new_key;
        let mut waited_s = None;
        loop {
            match key_test::opens(&self.opened().await) {
                Opening::Opens => return Ok((self.scope().await?, waited_s)),
                Opening::Untested(test) => return Ok((test, waited_s)),
                Opening::Refused(rule) => return Err(rule),
                Opening::UnknownKey(said) => {
                    if gone.is_some() || Instant::now() + timeouts.pause > give_up {
                        return Err(key_test::unknown_key(&said, gone, timeouts.new_key.as_secs()));
                    }
                    let left = give_up.saturating_duration_since(Instant::now()).as_secs();
                    (self.tell)(format!(
                        "waiting: the store does not know the read key yet ({said}); a new token takes a minute; {} left",
                        age_seconds(left)
                    ));
                    sleep(timeouts.pause).await;
                    waited_s = Some(began.elapsed().as_secs());
                }
            }
        }
    }

    /// Reads what need not be there.
    async fn opened(&self) -> Exchange {
        let by = self.by();
        let (read, canary) = (&self.read, &self.canary);
        let ask = || async move { (read.get(Request::GetCanaryLocal, canary, by).await, 0) };
        asked_again(by, ask).await.0.exchange
    }

    async fn scope(&self) -> Result<KeyTest, Rule> {
        let by = self.by();
        let (read, never) = (&self.read, &self.never);
        let by_read_pair = abort_with(read, never, by);
        let by_write_pair = async {
            match &self.write {
                Some(write) => Some(abort_with(write, never, by).await),
                None => None,
            }
        };
        let listing = asked_again(by, || async move { read.list_buckets(Request::ListBuckets, by).await });
        let checkpoints = async {
            if !self.is_trainer {
                return None;
            }
            Some(asked_again(by, || async move { (read.list_checkpoints(by).await.answer, 0) }).await.0)
        };
        let (abort, by_write_pair, (listing, others), grants, checkpoints) =
            tokio::join!(by_read_pair, by_write_pair, listing, read.grants(by), checkpoints);
        let scope = Scope {
            abort: &abort.exchange,
            abort_by_write_pair: by_write_pair.as_ref().map(|answer| &answer.exchange),
            buckets: (&listing.exchange, others),
            grants: grants.1,
            checkpoints: checkpoints.as_ref().map(|answer| &answer.exchange),
        };
        key_test::scope(&self.context.provider, &self.published, &self.canary.to_string(), &scope)
    }

    /// Where the store does not tell whether the pair can write, it is asked by writing one named object into the own bucket.
    pub(super) async fn write(&self) -> Result<KeyTest, Rule> {
        (self.tell)(format!(
            "putting {} into your bucket with the read pair, to see that it cannot write",
            self.canary
        ));
        let each = self.store.options().total;
        let (answer, left) =
            try_to_write(Request::PutCanary, &self.read, self.write.as_ref(), &self.canary, each).await;
        key_test::after_writing(&self.published, &answer.exchange, left.as_deref())
    }
}

async fn abort_with(owner: &Owner, never: &CanaryName, by: Instant) -> Answer {
    asked_again(by, || async move { (owner.abort_upload(Request::AbortUpload, never, by).await, 0) }).await.0
}

/// An answer, and the number that comes with a listing. A lost connection or a failing store is asked again, within one
/// deadline.
async fn asked_again<F: Future<Output = (Answer, usize)>>(by: Instant, ask: impl Fn() -> F) -> (Answer, usize) {
    let mut told = ask().await;
    for pause in PAUSES {
        if !may_pass(&told.0.exchange.reply) || Instant::now() + pause > by {
            break;
        }
        sleep(pause).await;
        told = ask().await;
    }
    told
}

/// Held while a canary of [`try_to_write`] may be in the bucket, also when whoever asked for it has left.
static UNDER_WAY: RwLock<()> = RwLock::const_new(());

/// Waits until no canary of this process is on its way into the bucket or out of it, but not longer than this. `tell` is
/// called where there is something to wait for.
pub async fn canaries_are_gone(most: Duration, tell: impl FnOnce()) {
    if UNDER_WAY.try_write().is_err() {
        tell();
        drop(timeout(most, UNDER_WAY.write()).await);
    }
}

/// PUT of a canary with a key that should not be able to; what came of it is removed, also when nobody waits for it any more.
/// The name where that failed. Each request may take so long.
pub(in crate::ops) async fn try_to_write(
    request: Request,
    key: &Owner,
    write: Option<&Owner>,
    canary: &CanaryName,
    each: Duration,
) -> (Answer, Option<String>) {
    let (key, write, canary) = (key.clone(), write.cloned(), *canary);
    let guard = UNDER_WAY.read().await;
    let writing = tokio::spawn(async move {
        let _guard = guard;
        written_and_removed(request, &key, write.as_ref(), &canary, each).await
    });
    match writing.await.map_err(JoinError::try_into_panic) {
        Ok(told) => told,
        Err(Ok(panic)) => resume_unwind(panic),
        // The process ends: nobody waits for this any more.
        Err(Err(_)) => pending().await,
    }
}

async fn written_and_removed(
    request: Request,
    key: &Owner,
    write: Option<&Owner>,
    canary: &CanaryName,
    each: Duration,
) -> (Answer, Option<String>) {
    let by = || Instant::now() + each;
    let answer = key.put(request, canary, CANARY, by()).await;
    // A request whose answer was lost may have been carried out.
    if answer.exchange.reply.was_not_done() {
        return (answer, None);
    }
    for owner in [Some(key), write].into_iter().flatten() {
        let removed = owner.delete(Request::DeleteCanary, canary, by()).await;
        if matches!(removed.exchange.reply, Reply::Found(_)) {
            return (answer, None);
        }
    }
    (answer, Some(canary.to_string()))
}

fn leads_nowhere(misfit: &Misfit) -> Rule {
    Rule::Other {
        code: "malformed",
        what: format!("Not sent: what would be published leads nowhere: {misfit}"),
        why: "Validators read with what is published and with nothing else. Nothing was signed.",
        todo: "Copy the values again from where the store shows them.".to_owned(),
    }
}

fn no_hotkey() -> Rule {
    Rule::Other {
        code: "no_hotkey",
        what: "Not sent: no hotkey is known".to_owned(),
        why: "A commitment is signed by the hotkey that it is for.",
        todo: "Name the wallet and the hotkey with --wallet and --hotkey.".to_owned(),
    }
}
