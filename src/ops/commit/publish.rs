//! From a confirmed plan to its end.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::forbidden::{forbidden, of_signer};
use super::key_test::{Pair, Tell};
use super::{Prepared, UNTIL_TESTED, Unprepared, client_options, identity, prepared, publish_check, refused};
use crate::chain::commit::{Draft, HotkeyClient, Signed, SignedCommit, registered, track};
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Ended, Failure, Intent, KeyTest, Plan, Progress, Receipt, Record, Unsettled, Verdict};
use crate::domain::commitment::Published;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::guard::ReadScope;
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;
use crate::domain::text::{grouped, sentence, uncapitalised};
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::verify::{CATCHING_UP, SecondWord, second_word};
use crate::state::{Journal, Owner, StateDir, StateError, Turn};
use crate::wallet::{self, Lock, OwnHotkey, Signer, WalletError};

/// How often the turn is asked for while another process has it, and for how long.
const TURN: (Duration, u32) = (Duration::from_millis(100), 20);

/// How long the store's word on a pair holds, from the plan to its confirmation.
const TEST_HOLDS: Duration = Duration::from_mins(1);

/// Opens the key file, off the event loop: a password takes seconds and half a gigabyte.
pub async fn unlock(own: &OwnHotkey, password: Option<SecretKey>) -> Result<Signer, WalletError> {
    // What only memory holds stays out of the log's list of secrets, which lives as long as the console does.
    let in_the_clear = own.lock == Some(Lock::Open);
    let own = own.clone();
    let opened = spawn_blocking(move || wallet::unlock(&own, password.as_ref())).await;
    let signer = opened.unwrap_or_else(|error| Err(WalletError::BrokeOff(error.to_string())))?;
    if in_the_clear {
        crate::logs::redact_all(&signer.secrets());
    }
    Ok(signer)
}

/// Publishes a plan that was confirmed. The chain is read once more: what was confirmed must still be what would happen.
/// The signer is dropped as soon as the extrinsic is signed. `now_ms` tells the time since 1970.
pub async fn publish(
    context: &Context,
    confirmed: Prepared,
    signer: Signer,
    progress: &mpsc::Sender<Progress>,
    now_ms: impl Fn() -> u64 + Sync,
) -> Ended {
    match begin(context, confirmed, signer, progress, &now_ms).await {
        Ok(begun) => begun.finish(context, progress, &now_ms).await,
        Err(ended) => ended,
    }
}

/// A commit that is signed and written down.
struct Begun {
    client: HotkeyClient,
    signed_commit: SignedCommit,
    plan: Plan,
    journal: Journal,
    owner: Owner,
    _turn: Turn,
}

async fn begin(
    context: &Context,
    confirmed: Prepared,
    signer: Signer,
    progress: &mpsc::Sender<Progress>,
    now_ms: &(impl Fn() -> u64 + Sync),
) -> Result<Begun, Ended> {
    if let Some(rule) = context.writing_forbidden() {
        return Err(Ended::Refused(rule));
    }
    let (journal, owner) = journal_of(context, &confirmed.plan).map_err(|error| Ended::Refused(no_journal(&error)))?;
    let tested = match confirmed.plan.verdict {
        Verdict::Unchanged => None,
        _ => Some(tested(context, &confirmed, &owner, progress).await.map_err(Ended::Refused)?),
    };
    let turn = take_turn(&journal, &owner).await?;
    let scope = tested.as_ref().map_or(ReadScope::NotShown, |tested| tested.scope);
    let prepared = again(context, confirmed, (&signer, scope), now_ms()).await?;
    if let Some(ended) = prepared.plan.ended() {
        return Err(ended);
    }
    let Prepared { plan, client, draft, options, .. } = prepared;
    let changed = || plan_changed("the local credentials changed");
    let tested = tested.ok_or_else(changed).map_err(Ended::Refused)?;
    let extrinsic = tested.sign(&plan, draft, &signer).map_err(Ended::Refused)?;
    drop(signer);
    let intent = Intent::of(&plan, extrinsic.hash);
    // By this the next start finds the journal of a chain that nobody pinned.
    context.disk.note_genesis(&plan.standing.chain);
    journal
        .append(&owner, Record::Intended(intent.clone()), now_ms())
        .map_err(|error| Ended::Refused(no_journal(&error)))?;
    tracing::info!("commit {} signed: nonce {}, valid until #{}", extrinsic.hash, intent.nonce, grouped(intent.death));
    progress.send(Progress::Signed { extrinsic: extrinsic.hash, death: intent.death }).await.ok();
    let signed_commit = SignedCommit { options, intent, signed: extrinsic };
    Ok(Begun { client, signed_commit, plan, journal, owner, _turn: turn })
}

/// A pair that the store was asked about, or of which somebody said that it need not be: only by this is anything signed.
struct Tested {
    pair: Published,
    /// Whether the store showed that it only reads.
    scope: ReadScope,
}

impl Tested {
    fn sign(self, plan: &Plan, draft: Draft, signer: &Signer) -> Result<Signed, Rule> {
        if self.pair != plan.new {
            return Err(plan_changed("the local credentials changed"));
        }
        draft.sign(signer).map_err(|error| super::draft_rule(&error))
    }
}

/// Asks the store, unless it was asked for the plan a moment ago; by writing too, where it tells by that alone.
async fn tested(
    context: &Context,
    confirmed: &Prepared,
    owner: &Owner,
    progress: &mpsc::Sender<Progress>,
) -> Result<Tested, Rule> {
    let tell = |words: String| {
        progress.try_send(Progress::Testing { words }).ok();
    };
    let tell: Tell<'_> = &tell;
    let pair = Pair::of(context, &confirmed.plan, tell)?;
    if *pair.published() != confirmed.plan.new {
        return Err(plan_changed("the local credentials changed"));
    }
    let holds = |(at, store): &(Instant, String)| at.elapsed() < TEST_HOLDS && *store == pair.store();
    let mut test = match &confirmed.plan.key_test {
        Some(test) if confirmed.tested_at.as_ref().is_some_and(holds) => test.clone(),
        _ => {
            let old = publish_check::known_as_old(context, owner, pair.published());
            pair.test(confirmed.timeouts, old.as_deref()).await?.0
        }
    };
    if matches!(test, KeyTest::WritingOpen { .. }) {
        test = pair.write().await?;
    }
    if let Some(rule) = test.refusal().filter(|_| !confirmed.may_be_untested) {
        return Err(rule);
    }
    let is_shown = test.shown_read_only().is_some_and(|shown| shown.is_of(pair.published()));
    let scope = if is_shown { ReadScope::ShownReadOnly } else { ReadScope::NotShown };
    Ok(Tested { pair: pair.published().clone(), scope })
}

/// The plan once more, over the same connection if it still stands. It must say the same as what was confirmed.
async fn again(
    context: &Context,
    confirmed: Prepared,
    (signer, scope): (&Signer, ReadScope),
    now_ms: u64,
) -> Result<Prepared, Ended> {
    let Prepared { plan, client, options, .. } = confirmed;
    let own = identity(context).map_err(|error| unprepared(&error))?;
    // An encrypted key file could not be read until now: what was in it must not be published either.
    let forbidden = forbidden(context).await.and(of_signer(own, signer));
    let guarded = (&forbidden, scope);
    let fresh = match prepared(context, own, client, options.clone(), guarded, plan.confirmed.clone(), now_ms).await {
        // The connection may have been dropped while the operator was reading.
        Err(Unprepared::Chain(error)) => {
            tracing::info!("the chain is asked anew: {error}");
            match HotkeyClient::open(&options).await {
                Ok(client) => prepared(context, own, client, options, guarded, plan.confirmed.clone(), now_ms).await,
                Err(error) => Err(error.into()),
            }
        }
        other => other,
    };
    let fresh = fresh.map_err(|error| unprepared(&error))?;
    match moved(&plan, &fresh.plan) {
        None => Ok(fresh),
        Some(rule) => Err(Ended::Refused(rule)),
    }
}

fn unprepared(error: &Unprepared) -> Ended {
    let Diagnostic { summary, help, .. } = error.finding();
    match error {
        Unprepared::Refused(ended) => ended.as_ref().clone(),
        Unprepared::Identity(_) => Ended::Refused(Rule::Other {
            code: "no_key",
            what: format!("Not sent: {}", uncapitalised(&summary)),
            why: "A commitment is signed by the hotkey itself.",
            todo: help,
        }),
        Unprepared::Chain(_) => {
            Ended::Failed { failure: Failure::NotSent { what: uncapitalised(&summary), todo: help }, extrinsic: None }
        }
    }
}

/// The refusal when the plan that was confirmed and the one of now are not the same. One that was confirmed without a uid
/// was to wait for one, whatever is published then.
fn moved(confirmed: &Plan, now: &Plan) -> Option<Rule> {
    let published = |plan: &Plan| plan.standing.commitment.as_ref().map(|commitment| commitment.reading.clone());
    let waited = confirmed.verdict == Verdict::NotRegistered;
    let what = if confirmed.standing.chain.genesis != now.standing.chain.genesis {
        "the chain is another one"
    } else if confirmed.subject != now.subject {
        "the hotkey is another one"
    } else if confirmed.standing.uid != now.standing.uid && !waited {
        "the hotkey's uid changed"
    } else if confirmed.new != now.new {
        "the local credentials changed"
    } else if published(confirmed) != published(now)
        && !waited
        // To the very thing that was confirmed: another console was quicker, and there is nothing left to do.
        && now.verdict != Verdict::Unchanged
    {
        "your commitment on chain changed"
    } else {
        return None;
    };
    Some(plan_changed(what))
}

fn plan_changed(what: &str) -> Rule {
    Rule::Other {
        code: "plan_changed",
        what: format!("Not sent: {what} since you looked"),
        why: "What was confirmed is no longer what would happen.",
        todo: "Look at the plan again and confirm it anew.".to_owned(),
    }
}

impl Begun {
    async fn finish(
        self,
        context: &Context,
        progress: &mpsc::Sender<Progress>,
        now_ms: &(impl Fn() -> u64 + Sync),
    ) -> Ended {
        let extrinsic = self.signed_commit.intent.extrinsic;
        let (told, mut heard) = mpsc::channel(64);
        let note = |record: Record| {
            if let Err(error) = self.journal.append(&self.owner, record, now_ms()) {
                // The intent is on disk, so the next start asks the chain itself.
                tracing::error!("a step of the commit was not written down: {error}");
            }
        };
        let record = |step: &Progress| match step {
            Progress::Broadcast => note(Record::Broadcast { extrinsic }),
            Progress::InBlock(block) => note(Record::InBlock { extrinsic, block: *block }),
            _ => {}
        };
        let signed_commit = track(self.client, self.signed_commit, told);
        tokio::pin!(signed_commit);
        let ended = loop {
            tokio::select! {
                biased;
                Some(step) = heard.recv() => {
                    record(&step);
                    progress.send(step).await.ok();
                }
                ended = &mut signed_commit => break ended,
            }
        };
        while let Ok(step) = heard.try_recv() {
            record(&step);
            progress.send(step).await.ok();
        }
        let ended = with_next_epoch(ended, &self.plan);
        let whose = (self.plan.subject.hotkey, &self.plan.new);
        let ended = as_verified(context, ended, whose, now_ms, CATCHING_UP).await;
        if let Some(end) = Record::of(&ended) {
            note(end);
        }
        tracing::info!("commit {extrinsic}: {}", ended.finding().summary);
        ended
    }
}

/// How a commit ended that the endpoint calls published, by what the second source says of it: published is what both say, or
/// what the one says that is configured.
pub(super) async fn as_verified(
    context: &Context,
    ended: Ended,
    (hotkey, published): (Hotkey, &Published),
    now_ms: &(impl Fn() -> u64 + Sync),
    patience: Duration,
) -> Ended {
    let Ended::Committed(receipt) = ended else { return ended };
    let extrinsic = Some(receipt.extrinsic);
    match second_word(context, hotkey, (published, receipt.block.number), now_ms, patience).await {
        SecondWord::Confirmed(confirmed) => Ended::Committed(Receipt { confirmed: Some(confirmed), ..receipt }),
        SecondWord::Silent(why) => Ended::Pending { extrinsic, reason: Unsettled::NotVerified, why: sentence(&why) },
        SecondWord::Contradicts(dispute) => {
            let why = dispute.finding().cause;
            Ended::Pending { extrinsic, reason: Unsettled::Contradiction, why }
        }
    }
}

/// The way out of a spent budget is known from the plan.
fn with_next_epoch(ended: Ended, plan: &Plan) -> Ended {
    match ended {
        Ended::Failed { failure: Failure::Dispatch { error, block, .. }, extrinsic } => {
            let spent = error.shown().ends_with("SpaceLimitExceeded");
            let next_epoch_at = plan.standing.space.filter(|_| spent).and_then(|space| space.next_epoch_at);
            Ended::Failed { failure: Failure::Dispatch { error, block, next_epoch_at }, extrinsic }
        }
        other => other,
    }
}

fn journal_of(context: &Context, plan: &Plan) -> Result<(Journal, Owner), StateError> {
    let owner =
        Owner { genesis: plan.standing.chain.genesis, netuid: plan.subject.netuid, hotkey: plan.subject.hotkey };
    let journal = match (&context.disk.state, &context.paths) {
        (Some(state), _) => state.journal()?,
        // It could not be opened at the start: by now it can, or it says why not.
        (None, Some(paths)) => StateDir::open(&paths.state)?.journal()?,
        (None, None) => return Err(StateError::NoHome { what: "state", variable: "XDG_STATE_HOME" }),
    };
    Ok((journal, owner))
}

async fn take_turn(journal: &Journal, owner: &Owner) -> Result<Turn, Ended> {
    let (pause, attempts) = TURN;
    for _ in 0..attempts {
        match journal.turn(owner) {
            Ok(Some(turn)) => return Ok(turn),
            Ok(None) => sleep(pause).await,
            Err(error) => return Err(Ended::Refused(no_journal(&error))),
        }
    }
    Err(Ended::Refused(Rule::Other {
        code: "busy",
        what: "Not sent: another console of this machine is committing for this hotkey just now".to_owned(),
        why: "Two transactions with one nonce would get in each other's way.",
        todo: "Wait until it has ended, then look at what is on chain.".to_owned(),
    }))
}

fn no_journal(error: &StateError) -> Rule {
    Rule::Other {
        code: "no_journal",
        what: format!("Not sent: the intent cannot be written down ({})", sanitize(&error.to_string(), 300)),
        why: "What is sent without a trace could not be told after a crash.",
        todo: "Mend the state directory (see doctor), then commit again.".to_owned(),
    }
}

/// Waits until the hotkey has a uid on a finalized block, for as long as it takes, and makes the plan of that moment. It
/// must be of the chain, for the hotkey and with the credentials that were confirmed.
pub async fn wait_until_registered(
    context: &Context,
    confirmed: &Plan,
    now_ms: impl Fn() -> u64,
) -> Result<Prepared, Unprepared> {
    let own = identity(context)?;
    let options = client_options(context, own, Some(confirmed.standing.chain.genesis));
    let client = registered(&options).await;
    let forbidden = forbidden(context).await;
    let guarded = (&forbidden, UNTIL_TESTED);
    let prepared = prepared(context, own, client, options, guarded, None, now_ms()).await?;
    match moved(confirmed, &prepared.plan) {
        None => Ok(prepared),
        Some(rule) => Err(refused(rule)),
    }
}
