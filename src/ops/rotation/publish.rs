//! The commit of a rotation: planned, confirmed, sent, and found again after a crash.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::advance::NeedsInput;
use super::executor::{Executor, ProgressEvent};
use crate::chain::OwnState;
use crate::chain::commit::{HotkeyClient, HotkeyClientOptions};
use crate::domain::commit::key_test::UNTESTED;
use crate::domain::commit::{self, Ended, HotkeyState, Plan, Progress, Record, Verdict};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::owner::Owner;
use crate::domain::provenance::Depth;
use crate::domain::provenance::Limit;
use crate::domain::rotation::{ChainFacts, CommitEnd, Event, Rotation, Seen, Submission};
use crate::domain::secret::Fingerprint;
use crate::domain::text::BLOCK_SECONDS;
use crate::ops::commit::{Prepared, disputed, history, prepare_in_rotation, publish, reconcile, unread};
use crate::ops::context::Context;
use crate::ops::verify::may_be_acted_on;
use crate::wallet::{OwnHotkey, Signer};

/// How long a second source that is silent or behind is waited for before a step that cannot be taken back, and how often it is
/// asked.
const SECOND_SOURCE: Duration = Duration::from_secs(20);
const SECOND_SOURCE_PAUSE: Duration = Duration::from_secs(2);

/// A plan that waits for the operator, with what publishing it needs.
#[derive(Debug)]
pub struct Publishing {
    prepared: Prepared,
    /// In which the keys of this direction are the local ones.
    context: Context,
}

impl Publishing {
    /// What would be done.
    pub fn plan(&self) -> &Plan {
        &self.prepared.plan
    }

    /// The hotkey that signs.
    pub fn signer(&self) -> Option<&OwnHotkey> {
        self.context.identity.as_ref()
    }
}

/// A plan, or none where the chain holds what is meant already.
pub(super) struct Planned {
    /// What the plan was made on.
    pub(super) chain: ChainFacts,
    /// What can be published.
    pub(super) publishing: Option<Box<Publishing>>,
}

impl Executor {
    /// What the chain holds, at its newest final block.
    pub(super) async fn chain(&self) -> Result<ChainFacts, Diagnostic> {
        chain_facts(&self.context, &self.owner(), self.now()).await
    }

    /// What the chain holds, for a step that cannot be taken back: a second source that is configured must say the same. One
    /// that is silent or behind is waited for; after that the step waits.
    pub(super) async fn verified_chain(&self) -> Result<ChainFacts, Diagnostic> {
        let started = Instant::now();
        loop {
            let own = own_state(&self.context, &self.owner(), self.now()).await?;
            let is_of_one_block = own.row.as_ref().is_some_and(|row| row.at.hash == own.state.at.hash);
            let why = match may_be_acted_on(own.row.as_ref()) {
                Ok(()) if is_of_one_block => return Ok(facts_of(&own.state, self.now())),
                Ok(()) => Limit::Changed.words(),
                Err(why) => why,
            };
            if started.elapsed() + SECOND_SOURCE_PAUSE > SECOND_SOURCE {
                return Err(not_verified(&why));
            }
            self.working("waiting for the second source to confirm what your node says");
            sleep(SECOND_SOURCE_PAUSE).await;
        }
    }

    /// The event that follows from the verified chain before a step that cannot be taken back: that the key is not there any
    /// more. `None` where the step may be taken, and where the rotation does not rest on the chain at all.
    pub(super) async fn event_before(&self, rotation: &Rotation) -> Result<Option<Event>, Diagnostic> {
        match rotation.change.read {
            Some(_) => Ok(rotation.heard(&self.verified_chain().await?)),
            None => Ok(None),
        }
    }

    /// New keys that were ever signed for are forgotten only when the verified chain holds others.
    pub(super) async fn new_key_is_not_on_chain(&self, rotation: &Rotation) -> Result<(), Diagnostic> {
        let since =
            self.entries.iter().rposition(|entry| matches!(entry.event, Event::Began { .. })).unwrap_or_default();
        let signed = self.entries.iter().skip(since).any(|entry| matches!(entry.event, Event::Signing { .. }));
        let Some(read) = rotation.change.read.as_ref().filter(|_| signed) else { return Ok(()) };
        if self.verified_chain().await?.seen.is(&rotation.locator, &read.new) {
            return Err(Diagnostic::refused(
                "new_key_on_chain",
                "The new read key is on chain: it is not forgotten",
                "Validators read with it, and without its secret it cannot be published again.",
                "Run rotate resume.",
            ));
        }
        Ok(())
    }

    /// Nothing rests on the chain while its sources contradict each other and the operator has not acknowledged it. A chain
    /// that cannot be asked is no contradiction.
    pub(super) async fn undisputed(&self) -> Result<(), Diagnostic> {
        let trusts_chain = self.rotation().is_some_and(|rotation| rotation.change.read.is_some());
        if !trusts_chain {
            return Ok(());
        }
        match self.chain().await {
            Err(problem) if problem.class == Class::Refused => Err(problem),
            _ => Ok(()),
        }
    }

    pub(super) async fn plan(&self) -> Result<Planned, Diagnostic> {
        let target = self.target().await?;
        let context = self.with(&target);
        let mut prepared = prepare_in_rotation(&context, self.now()).await?;
        prepared.timeouts = self.timeouts;
        let chain = facts_of(&prepared.plan.standing, self.now());
        if prepared.plan.verdict == Verdict::Unchanged {
            return Ok(Planned { chain, publishing: None });
        }
        match prepared.plan.ended() {
            Some(ended) => Err(ended.into()),
            None => Ok(Planned { chain, publishing: Some(Box::new(Publishing { prepared, context })) }),
        }
    }

    /// Publishes what the operator confirmed, and goes on.
    pub async fn publish(&mut self, publishing: Publishing, signer: Signer) -> Result<NeedsInput, Diagnostic> {
        let Publishing { prepared, context } = publishing;
        let before = Seen::of(prepared.plan.standing.commitment.as_ref());
        self.note(Event::Signing { before })?;
        let ended = Box::pin(self.followed(&context, prepared, signer)).await;
        let dead = match &ended {
            Ended::Committed(receipt) => {
                let (extrinsic, block) = (Some(receipt.extrinsic), receipt.block.number);
                self.note(Event::Finalized { extrinsic, block })?;
                return self.advance().await;
            }
            // Pending, or failed in a way that says nothing of what is on chain: the chain is asked.
            Ended::Unchanged { .. } | Ended::Pending { .. } => None,
            Ended::Refused(_) | Ended::Failed { extrinsic: None, .. } => Some(CommitEnd::NeverSigned),
            Ended::Failed { .. } | Ended::Expired { .. } => Some(CommitEnd::Dead { why: ended.finding().summary }),
        };
        if let Some(end) = dead {
            // Whether or not the chain can be asked now, the next start settles it.
            if let Ok(chain) = self.verified_chain().await
                && let Some(event) = self.under_way()?.reconcile(&chain, &end)
            {
                let landed = matches!(event, Event::Finalized { .. });
                self.note(event)?;
                if landed {
                    return self.advance().await;
                }
            }
            return Err(failed(ended));
        }
        self.advance().await
    }

    async fn followed(&mut self, context: &Context, prepared: Prepared, signer: Signer) -> Ended {
        let (progress, mut heard) = mpsc::channel(64);
        let now_ms = std::sync::Arc::clone(&self.now_ms);
        let publishing = publish(context, prepared, signer, &progress, move || now_ms());
        tokio::pin!(publishing);
        loop {
            tokio::select! {
                biased;
                Some(step) = heard.recv() => self.on_progress(step),
                ended = &mut publishing => {
                    while let Ok(step) = heard.try_recv() {
                        self.on_progress(step);
                    }
                    return ended;
                }
            }
        }
    }

    fn on_progress(&mut self, step: Progress) {
        if let Progress::Signed { extrinsic, .. } = &step
            && let Err(problem) = self.note(Event::Submitted { extrinsic: *extrinsic })
        {
            // The intent is in the journal of commits, so the next start finds it.
            tracing::error!("the commit's hash was not written down: {problem}");
        }
        self.tell.send(ProgressEvent::Commit(step)).ok();
    }

    /// What became of a commit; why nothing can be said where nothing can.
    pub(super) async fn reconcile(&mut self, rotation: &Rotation) -> Result<Option<Diagnostic>, Diagnostic> {
        self.working("asking the chain what became of the commit");
        reconcile(&self.context, self.now()).await;
        let chain = self.verified_chain().await?;
        if let Some(stale) = super::advance::stale(&chain) {
            return Ok(Some(stale));
        }
        let end = commit_end(&history(&self.context), rotation, self.now());
        match rotation.reconcile(&chain, &end) {
            Some(event) => {
                self.note(event)?;
                Ok(None)
            }
            None => Ok(Some(Diagnostic::blocker(
                "submission_open",
                "What became of the commit is not certain yet",
                "Run rotate resume in a minute: it is in a final block then, or its era is over.",
            ))),
        }
    }
}

/// A commit that came to nothing. One whose keys could not be tested waits for the store, not for the operator.
fn failed(ended: Ended) -> Diagnostic {
    let untested = ended.reason().is_some_and(|reason| reason == UNTESTED);
    let mut problem = Diagnostic::from(ended);
    if untested {
        problem.class = Class::Pending;
        "Run rotate resume when the store answers, or roll back.".clone_into(&mut problem.help);
    }
    problem
}

/// How long a commit may come into a block, in ms: its era of 64 blocks, and as much again for blocks that come late.
const ERA_MS: u64 = 2 * 64 * BLOCK_SECONDS * 1_000;

/// What the journal of commits knows of the commit that a rotation confirmed. One that was sent and of which that journal
/// knows nothing, because it was lost, may come until its era is over.
fn commit_end(entries: &[commit::Entry], rotation: &Rotation, now_ms: u64) -> CommitEnd {
    let Some((submission, meant)) = rotation.submission.as_ref().zip(meant(rotation)) else {
        return CommitEnd::NeverSigned;
    };
    let is_it = |entry: &&commit::Entry| match &entry.record {
        Record::Intended(intent) => match submission.extrinsic {
            Some(extrinsic) => intent.extrinsic == extrinsic,
            None => entry.at_ms >= submission.at_ms && intent.target.read_secret == meant,
        },
        _ => false,
    };
    let Some(intended) = entries.iter().rev().find(is_it) else {
        return match submission.extrinsic {
            None => CommitEnd::NeverSigned,
            Some(_) if now_ms.saturating_sub(submission.at_ms) <= ERA_MS => CommitEnd::Alive,
            Some(_) => CommitEnd::Dead { why: "its era is over".to_owned() },
        };
    };
    let hash = intended.record.extrinsic();
    let ends = entries.iter().filter(|entry| entry.record.extrinsic() == hash);
    let mut told = ends.filter_map(|entry| match &entry.record {
        Record::Committed { receipt } => {
            Some(CommitEnd::Landed { extrinsic: receipt.extrinsic, block: receipt.block.number })
        }
        Record::Failed { failure, .. } => Some(CommitEnd::Dead { why: failure.code() }),
        Record::Expired { .. } => Some(CommitEnd::Dead { why: "its era is over".to_owned() }),
        _ => None,
    });
    told.next_back().unwrap_or(CommitEnd::Alive)
}

fn meant(rotation: &Rotation) -> Option<Fingerprint> {
    let Submission { back, .. } = rotation.submission.as_ref()?;
    let read = rotation.change.read.as_ref()?;
    if *back { read.old.as_ref().map(|old| old.secret) } else { Some(read.new.secret) }
}

/// Reads the chain at its newest final block. It must be the owner's chain.
pub(in crate::ops) async fn chain_facts(
    context: &Context,
    owner: &Owner,
    now_ms: u64,
) -> Result<ChainFacts, Diagnostic> {
    Ok(facts_of(&own_state(context, owner, now_ms).await?.state, now_ms))
}

/// The same, with what speaks for it. A contradiction that the operator has not acknowledged is an error.
async fn own_state(context: &Context, owner: &Owner, now_ms: u64) -> Result<OwnState, Diagnostic> {
    let options = HotkeyClientOptions {
        node: context.node.clone(),
        genesis: Some(owner.genesis),
        netuid: owner.netuid,
        hotkey: owner.hotkey,
    };
    let own = HotkeyClient::open(&options).await?.facts(now_ms, Depth::Proof).await?;
    if let Some(dispute) = unread(context, &own.disputes, now_ms).await {
        return Err(disputed(dispute).into());
    }
    if own.state.uid.is_none() {
        tracing::warn!("the hotkey has no uid on subnet {}", owner.netuid);
    }
    Ok(own)
}

fn facts_of(standing: &HotkeyState, now_ms: u64) -> ChainFacts {
    ChainFacts {
        finalized: standing.at.number,
        age_ms: now_ms.saturating_sub(standing.at.timestamp_ms),
        uid: standing.uid,
        seen: Seen::of(standing.commitment.as_ref()),
        set_at: standing.commitment.as_ref().and_then(|commitment| commitment.block),
    }
}

/// A second source is configured, and has not confirmed what the endpoint says.
pub(super) fn not_verified(why: &str) -> Diagnostic {
    Diagnostic::blocker(
        "not_verified",
        format!("The second source has not confirmed what your node says: {why}"),
        "Run rotate resume in a few minutes. If it stays so, name another second source with --witness.",
    )
}

/// A chain that cannot be asked, in words for a blocker.
pub(super) fn away(problem: &Diagnostic) -> String {
    debug_assert!(matches!(problem.class, Class::Chain | Class::Usage));
    problem.summary.clone()
}
