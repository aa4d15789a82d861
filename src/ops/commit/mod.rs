//! Publishing the local read credentials: one use case, which a command line and a screen run alike.
//!
//! ```text
//! prepare ─► guard ─► HotkeyClient: state ─► guard again (what is on chain) ─► plan ─► call compared
//! tested  ─► the pair tried at the store, where the plan is not `unchanged`
//! publish ─► tested, if it was not just now ─► turn taken ─► the chain read once more ─► signed ─► intent on disk ─► tracked ─► end on disk
//! settle  ─► what became of a commit that an earlier session did not see the end of
//! ```

mod forbidden;
mod key_test;
mod publish;
mod publish_check;
mod reconcile;
mod service;

use thiserror::Error;
use tokio::time::Instant;

pub use key_test::canaries_are_gone;
pub(super) use key_test::try_to_write;
pub use key_test::{Tell, Timeouts};
pub use publish::{publish, unlock, wait_until_registered};
pub use reconcile::{Reconciled, history, reconcile, replaced_secrets};
pub use service::{ServiceSetup, serve};

use crate::chain::commit::{Draft, DraftError, HotkeyClient, HotkeyClientOptions};
use crate::chain::{ChainError, Fault};
use crate::config::{Needs, WrongSetting};
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Ended, HotkeyState, Plan, Subject, Verdict};
use crate::domain::commitment::Commitment;
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::freshness::TOO_OLD_TO_SIGN_MS;
use crate::domain::guard::{self, Forbidden, ReadScope};
use crate::domain::network::BlockHash;
use crate::domain::owner::Owner;
use crate::domain::provenance::Depth;
use crate::domain::provenance::{Confirmed, Dispute};
use crate::domain::text::{age_seconds, capitalised, sentence, uncapitalised};
use crate::domain::untrusted::{Untrusted, sanitize};
use crate::ops::context::Context;
use crate::ops::verify;
use crate::wallet::{OwnHotkey, WalletError};
use forbidden::forbidden;

/// A plan with everything that publishing it needs.
#[derive(Debug)]
pub struct Prepared {
    /// What would be done.
    pub plan: Plan,
    /// How long the store is waited for.
    pub timeouts: Timeouts,
    pub(super) client: HotkeyClient,
    pub(super) draft: Draft,
    pub(super) options: HotkeyClientOptions,
    /// When the store was asked what it shows of the pair, and which one.
    tested_at: Option<(Instant, String)>,
    /// Whether somebody said that a pair which could not be tested may be published.
    may_be_untested: bool,
}

impl Prepared {
    /// The same with the pair tested at the store, unless nothing would be published. Writes nothing.
    pub async fn tested(self, context: &Context, tell: Tell<'_>) -> Result<Self, Unprepared> {
        if !self.plan.wants_test() {
            return Ok(self);
        }
        let pair = key_test::Pair::of(context, &self.plan, tell).map_err(refused)?;
        let owner = self.owner();
        let old = publish_check::known_as_old(context, &owner, pair.published());
        let tested = pair.test(self.timeouts, old.as_deref()).await;
        if tested.as_ref().map_or(true, |(test, _)| test.is_untested()) {
            self.holds_no_copy(context).await?;
        }
        let (test, waited_s) = tested.map_err(refused)?;
        Ok(Self { plan: self.plan.tested(test, waited_s), tested_at: Some((Instant::now(), pair.store())), ..self })
    }

    /// What stands under another name as well passes only where the store showed that the pair only reads.
    async fn holds_no_copy(&self, context: &Context) -> Result<(), Unprepared> {
        let (forbidden, there) = (forbidden(context).await, self.plan.standing.commitment.as_ref());
        let cleared =
            guard::clear(&context.provider, &context.configuration.local, there, &forbidden, ReadScope::NotShown);
        cleared.map(drop).map_err(|refusal| refused(refusal.into()))
    }

    /// Somebody was told that the pair could not be tested, and wants it published all the same. Lifts nothing else.
    #[must_use]
    pub fn even_untested(self, may_be_untested: bool) -> Self {
        Self { may_be_untested, ..self }
    }

    fn owner(&self) -> Owner {
        let Plan { standing, subject, .. } = &self.plan;
        Owner { genesis: standing.chain.genesis, netuid: subject.netuid, hotkey: subject.hotkey }
    }
}

/// Of a plan: the pair is tested before it is signed for, and what the test shows is what the guard is told then.
const UNTIL_TESTED: ReadScope = ReadScope::ShownReadOnly;

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum Unprepared {
    /// Which hotkey signs is not configured, or its key file is not there.
    #[error("{0}")]
    Identity(String),
    /// A rule said no.
    #[error("{}", .0.finding().summary)]
    Refused(Box<Ended>),
    /// The chain could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl Unprepared {
    /// In three sentences.
    pub fn finding(&self) -> Diagnostic {
        match self {
            Self::Identity(what) => Diagnostic::failure(
                Class::Usage,
                "no_key",
                what.clone(),
                "A commitment is signed by the hotkey itself.",
                "Name the wallet and the hotkey with --wallet and --hotkey (an address alone is only watched).",
            ),
            Self::Refused(ended) => ended.finding(),
            Self::Chain(error) => error.finding(),
        }
    }
}

/// A wallet's error in the form of a finding: what it says, and that nothing was sent.
pub fn wallet_finding(error: &WalletError) -> Diagnostic {
    let text = crate::logs::redacted(&sanitize(&error.to_string(), 600));
    let (what, todo) = text.split_once(". ").map_or((text.clone(), None), |(a, b)| (a.to_owned(), Some(b.to_owned())));
    Diagnostic::failure(
        Class::Usage,
        "wallet",
        capitalised(&what),
        "Without the key nothing can be signed; nothing was sent.",
        todo.map_or_else(|| "Check --wallet, --hotkey and --wallet-path.".to_owned(), |todo| sentence(&todo)),
    )
}

/// Reads the chain and says what a commit would do. Changes nothing. `now_ms` is the time since 1970.
pub async fn prepare(context: &Context, now_ms: u64) -> Result<Prepared, Unprepared> {
    prepare_for(context, now_ms, true).await
}

/// That a commit would refuse the credentials that are configured here for a secret in them, before anybody is asked. What else
/// is wrong with credentials is told of them anyway.
pub async fn secret_inside(context: &Context) -> Option<Diagnostic> {
    let forbidden = forbidden(context).await;
    let refusal = guard::before_asking(&context.provider, &context.configuration.local, &forbidden).err()?;
    matches!(refusal, guard::Refusal::HoldsSecret(_)).then(|| {
        Diagnostic::new(
            refusal.code(),
            Severity::Danger,
            format!("commit refuses these credentials: {}", refusal.what()),
            "GRAIL does not look, and would publish them at its next start.",
            sentence(&refusal.todo()),
        )
    })
}

/// The same for the commit of a rotation, whose keys need not be those in use.
pub(super) async fn prepare_in_rotation(context: &Context, now_ms: u64) -> Result<Prepared, Unprepared> {
    prepare_for(context, now_ms, false).await
}

async fn prepare_for(context: &Context, now_ms: u64, must_be_in_use: bool) -> Result<Prepared, Unprepared> {
    let own = identity(context)?;
    if let Some(wrong) = context.wrong_for(Needs::Store) {
        return Err(refused(no_store(wrong)));
    }
    let forbidden = forbidden(context).await;
    let values = &context.configuration.local;
    // What no chain could make right is refused before anybody is asked.
    let early = guard::before_asking(&context.provider, values, &forbidden);
    early.map_err(|refusal| refused(refusal.into()))?;
    let options = client_options(context, own, context.network.genesis);
    let client = HotkeyClient::open(&options).await.map_err(unopened)?;
    if must_be_in_use {
        let owner = Owner { genesis: client.genesis(), netuid: options.netuid, hotkey: options.hotkey };
        publish_check::check(context, &owner).map_err(refused)?;
    }
    let guarded = (&forbidden, UNTIL_TESTED);
    let prepared = match prepared(context, own, client, options.clone(), guarded, None, now_ms).await {
        // Nothing is signed yet: a node that hung up is asked once more.
        Err(Unprepared::Chain(ChainError { fault: Fault::Closed { .. }, .. })) => {
            let client = HotkeyClient::open(&options).await.map_err(unopened)?;
            prepared(context, own, client, options, guarded, None, now_ms).await?
        }
        other => other?,
    };
    if must_be_in_use {
        publish_check::vault_against_both(context, &prepared.plan).map_err(refused)?;
    }
    Ok(prepared)
}

/// What is published must open its bucket, which cannot be tried where the store is not known.
fn no_store(wrong: &WrongSetting) -> Rule {
    Rule::Other {
        code: "wrong_setting",
        what: format!("Not sent: {}", uncapitalised(&wrong.to_string())),
        why: "Without the store the read pair cannot be tested. Nothing was sent.",
        todo: "Correct it there, then commit again.".to_owned(),
    }
}

/// Nothing is written to a runtime that is not understood; whatever else is in the way is the chain's matter.
fn unopened(error: ChainError) -> Unprepared {
    let Fault::NewerRuntime { .. } = error.fault else { return error.into() };
    let Diagnostic { summary, .. } = error.finding();
    refused(Rule::Other {
        code: "newer_runtime",
        what: format!("Not sent: {summary}"),
        why: "Nothing is written to a chain whose values are not understood.",
        todo: "Update the console: look for a version that knows this runtime.".to_owned(),
    })
}

fn refused(rule: Rule) -> Unprepared {
    Unprepared::Refused(Box::new(Ended::Refused(rule)))
}

/// A finalized head so old that what the node says of it is history: neither "nothing to do" nor a plan may rest on it.
fn stale_head(standing: &HotkeyState, now_ms: u64) -> Option<Rule> {
    let behind = now_ms.saturating_sub(standing.at.timestamp_ms);
    (behind > TOO_OLD_TO_SIGN_MS).then(|| Rule::Other {
        code: "stale_head",
        what: format!("Not sent: the node's finalized head is {} old", age_seconds(behind / 1_000)),
        why: "What it says is no longer so, and a transaction that refers to it would be born nearly dead.",
        todo: "Use another node with --endpoint; if all say the same, check this machine's clock.".to_owned(),
    })
}

/// The plan over an open connection: made of one reading of the chain, which is verified as far as it can be. What the
/// metadata of an earlier run spoils is tried once more with the node's own. `confirmed` is what is known already of how
/// well the chain's word is confirmed; then the signature is not looked for again.
async fn prepared(
    context: &Context,
    own: &OwnHotkey,
    mut client: HotkeyClient,
    options: HotkeyClientOptions,
    guarded: (&Forbidden, ReadScope),
    confirmed: Option<Confirmed>,
    now_ms: u64,
) -> Result<Prepared, Unprepared> {
    let depth = if confirmed.is_some() { Depth::Proof } else { Depth::Signature };
    let mut chain = client.state(now_ms, depth).await?;
    if let Some(dispute) = unread(context, &chain.disputes, now_ms).await {
        return Err(refused(disputed(dispute)));
    }
    let (mut plan, mut draft) = planned(context, own, &client, chain.state.clone(), guarded, now_ms)?;
    if draft.as_ref().is_err_and(DraftError::is_of_the_metadata) && client.fetched_anew().await? {
        tracing::warn!("the cached metadata would have something else signed; that of the node is taken instead");
        chain = client.state(now_ms, depth).await?;
        if let Some(dispute) = unread(context, &chain.disputes, now_ms).await {
            return Err(refused(disputed(dispute)));
        }
        (plan, draft) = planned(context, own, &client, chain.state.clone(), guarded, now_ms)?;
    }
    let there = plan.standing.commitment.clone();
    let is_it = |row: Option<&Commitment>| row == there.as_ref();
    let fresh = Confirmed::of(chain.row.as_ref(), is_it);
    // What was confirmed before was another value, where there is nothing left to do.
    let plan = match confirmed.filter(|_| plan.verdict != Verdict::Unchanged) {
        Some(confirmed) => plan.confirmed(confirmed),
        None => plan.confirmed(fresh),
    };
    let draft = draft.map_err(|error| refused(draft_rule(&error)))?;
    let (timeouts, tested_at, may_be_untested) = (Timeouts::default(), None, false);
    Ok(Prepared { plan, timeouts, client, draft, options, tested_at, may_be_untested })
}

fn planned(
    context: &Context,
    own: &OwnHotkey,
    client: &HotkeyClient,
    standing: HotkeyState,
    (forbidden, scope): (&Forbidden, ReadScope),
    now_ms: u64,
) -> Result<(Plan, Result<Draft, DraftError>), Unprepared> {
    if let Some(rule) = stale_head(&standing, now_ms) {
        return Err(refused(rule));
    }
    let values = &context.configuration.local;
    let cleared = guard::clear(&context.provider, values, standing.commitment.as_ref(), forbidden, scope);
    let cleared = cleared.map_err(|refusal| refused(refusal.into()))?;
    let plan = Plan::of(subject(context, own), standing, &cleared, now_ms);
    let draft = client.draft(&plan.standing, &cleared);
    Ok((plan, draft))
}

/// The first contradiction that locks writing and that the operator has not acknowledged.
pub(super) async fn unread<'d>(context: &Context, disputes: &'d [Dispute], now_ms: u64) -> Option<&'d Dispute> {
    for finding in disputes.iter().map(Dispute::finding) {
        tracing::warn!("{}: {}", finding.summary, finding.cause);
    }
    verify::unread(context, disputes, now_ms).await
}

/// Sources contradict each other, and the operator has not read it yet.
pub(super) fn disputed(dispute: &Dispute) -> Rule {
    let Diagnostic { summary, cause, .. } = dispute.finding();
    let id = dispute.id();
    Rule::Other {
        code: "contradiction",
        what: format!("Not sent: {}. {}", uncapitalised(&summary), cause.trim_end_matches('.')),
        why: "What the chain holds is not certain while its sources contradict each other.",
        todo: format!(
            "Ask another node with --endpoint. If you have read this and want to go on: --read-dispute {id}."
        ),
    }
}

fn subject(context: &Context, own: &OwnHotkey) -> Subject {
    let name = |text: &str| Untrusted::from_text(crate::logs::redacted(text));
    Subject {
        netuid: context.netuid(),
        hotkey: own.hotkey,
        wallet: own.name.as_ref().map(|(wallet, _)| name(wallet.as_str())),
        name: own.name.as_ref().map(|(_, hotkey)| name(hotkey.as_str())),
    }
}

/// The hotkey that signs.
pub(super) fn identity(context: &Context) -> Result<&OwnHotkey, Unprepared> {
    match &context.identity {
        None => {
            let known = context.findings.iter().find(|finding| finding.code == "own_hotkey");
            let what = known.map_or_else(|| "No hotkey is configured".to_owned(), |finding| finding.summary.clone());
            Err(Unprepared::Identity(what))
        }
        Some(own) if own.is_watch_only() => Err(Unprepared::Identity(format!(
            "{} is only watched: there is no key file for it here",
            own.hotkey.short()
        ))),
        Some(own) => Ok(own),
    }
}

pub(super) fn client_options(context: &Context, own: &OwnHotkey, genesis: Option<BlockHash>) -> HotkeyClientOptions {
    HotkeyClientOptions { node: context.node.clone(), genesis, netuid: context.netuid(), hotkey: own.hotkey }
}

/// Why an extrinsic was not even built, as a rule.
pub(super) fn draft_rule(error: &DraftError) -> Rule {
    let (code, why, todo) = match error {
        DraftError::OtherCall | DraftError::OtherPayload => (
            "blind_signing",
            "Signing it would sign something else than what the screen says. This rule has no override.",
            "Do not use this node; name another with --endpoint. If all say the same, look for a newer version of this console.",
        ),
        DraftError::OtherSigner => (
            "other_signer",
            "It would be refused, or publish for somebody else.",
            "Check the wallet's files with doctor.",
        ),
        DraftError::NoCall(_) => (
            "unknown_call",
            "The runtime is not one that this console knows how to commit to.",
            "Check that the endpoint is a Subtensor node; if it is, look for a newer version of this console.",
        ),
        DraftError::Extension(_) => (
            "unknown_extension",
            "A part of the transaction that is not understood cannot be signed blindly.",
            "Look for a newer version of this console, or try another node with --endpoint.",
        ),
    };
    Rule::Other { code, what: format!("Not signed: {error}"), why, todo: todo.to_owned() }
}
