//! What became of a commit of an earlier session: the journal says what was intended, the chain says what is.

use std::time::Duration;

use super::publish::as_verified;
use super::{client_options, identity};
use crate::chain::commit::{self, HotkeyClient};
use crate::chain::{ChainError, Fault};
use crate::domain::commit::record::{self, Open};
use crate::domain::commit::{Ended, Entry, Record, Unsettled};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::network::BlockHash;
use crate::domain::secret::Fingerprint;
use crate::domain::text::grouped;
use crate::ops::context::Context;
use crate::state::{Journal, Owner};
use crate::wallet::OwnHotkey;

/// A second source that is behind is not waited for: the next start looks again.
const ONE_LOOK: Duration = Duration::ZERO;

/// A commit of an earlier session, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// What was intended, and when.
    pub open: Open,
    /// How it ended; [`Ended::Pending`] while it is still alive or nobody could be asked.
    pub ended: Ended,
}

impl Reconciled {
    /// In three sentences that name the commit they are about.
    pub fn finding(&self) -> Diagnostic {
        let mut finding = self.ended.finding();
        let uid = self.open.intent.uid.map_or_else(String::new, |uid| format!(" of uid {uid}"));
        finding.summary = format!("An earlier commit{uid}: {}", finding.summary);
        finding
    }
}

/// Asks the chain about every commit whose end is not written down, and writes it down. Nothing is sent.
pub async fn reconcile(context: &Context, now_ms: u64) -> Vec<Reconciled> {
    let Some((journal, own)) = journal(context).zip(identity(context).ok()) else { return Vec::new() };
    let mut settled = Vec::new();
    for owner in owners(context, &journal, own) {
        // Another process that is on it right now will write its end itself.
        let Some(turn) = open(&journal, &owner).first().and_then(|_| journal.turn(&owner).ok().flatten()) else {
            continue;
        };
        let client = HotkeyClient::open(&client_options(context, own, Some(owner.genesis))).await;
        if context.network.genesis.is_none() && matches!(&client, Err(error) if is_another_chain(error)) {
            continue;
        }
        // Read again with the turn taken: what another process has ended meanwhile is no longer open.
        for open in open(&journal, &owner) {
            let asked = match &client {
                Ok(client) => reconciled(context, client, &open, now_ms).await,
                Err(error) => Err(error.clone()),
            };
            let ended = match asked {
                Ok(Some(ended)) => ended,
                Ok(None) => still_alive(&open),
                Err(error) => pending(&open, error.finding().summary),
            };
            note(&journal, &owner, &ended, now_ms);
            settled.push(Reconciled { open, ended });
        }
        drop(turn);
    }
    settled
}

const fn is_another_chain(error: &ChainError) -> bool {
    matches!(error.fault, Fault::WrongGenesis { .. })
}

/// The journals that may hold something open. A chain that nobody pinned may be any that was committed to before.
fn owners(context: &Context, journal: &Journal, own: &OwnHotkey) -> Vec<Owner> {
    let mut chains = known_chains(context);
    if context.network.genesis.is_none() {
        let written = journal.chains(context.netuid(), &own.hotkey).unwrap_or_default();
        chains.extend(written.into_iter().filter(|genesis| !chains.contains(genesis)).collect::<Vec<_>>());
    }
    chains.into_iter().map(|genesis| Owner { genesis, netuid: context.netuid(), hotkey: own.hotkey }).collect()
}

fn note(journal: &Journal, owner: &Owner, ended: &Ended, now_ms: u64) {
    if let Some(record) = Record::of(ended)
        && let Err(error) = journal.append(owner, record, now_ms)
    {
        tracing::warn!("what became of an earlier commit was not written down: {error}");
    }
}

fn still_alive(open: &Open) -> Ended {
    let seen =
        open.seen_in.map_or_else(String::new, |block| format!(" It was last seen in #{}.", grouped(block.number)));
    pending(
        open,
        format!("It may be valid until #{}, and its end is not certain yet.{seen}", grouped(open.intent.death)),
    )
}

const fn pending(open: &Open, why: String) -> Ended {
    Ended::Pending { extrinsic: Some(open.intent.extrinsic), reason: Unsettled::NotKnownYet, why }
}

/// What became of it by one look at the chain, and by the second source where the endpoint calls it published.
async fn reconciled(
    context: &Context,
    client: &HotkeyClient,
    open: &Open,
    now_ms: u64,
) -> Result<Option<Ended>, ChainError> {
    let Some(ended) = commit::reconcile(client, &open.intent).await? else { return Ok(None) };
    let whose = (open.intent.hotkey, &open.intent.target);
    Ok(Some(as_verified(context, ended, whose, &|| now_ms, ONE_LOOK).await))
}

fn open(journal: &Journal, owner: &Owner) -> Vec<Open> {
    let all = record::open(&entries(journal, owner));
    let is_its = |open: &Open| {
        let intent = &open.intent;
        (intent.genesis, intent.netuid, intent.hotkey) == (owner.genesis, owner.netuid, owner.hotkey)
    };
    all.into_iter().filter(is_its).collect()
}

fn entries(journal: &Journal, owner: &Owner) -> Vec<Entry> {
    journal.entries(owner).unwrap_or_else(|error| {
        tracing::warn!("the journal of commits: {error}");
        Vec::new()
    })
}

fn journal(context: &Context) -> Option<Journal> {
    let opened = context.disk.state.as_ref()?.journal();
    opened.map_err(|error| tracing::warn!("the journal of commits: {error}")).ok()
}

/// The chains that this context may be about: the pinned one, or what was found at its endpoints.
fn known_chains(context: &Context) -> Vec<BlockHash> {
    match context.network.genesis {
        Some(genesis) => vec![genesis],
        None => context.disk.genesis_noted(&context.network).into_iter().collect(),
    }
}

/// Everything that the journal has of the own hotkey on the chains that this context may be about.
pub fn history(context: &Context) -> Vec<Entry> {
    let Some((journal, own)) = journal(context).zip(context.identity.as_ref()) else { return Vec::new() };
    let owner = |genesis| Owner { genesis, netuid: context.netuid(), hotkey: own.hotkey };
    known_chains(context).into_iter().flat_map(|genesis| entries(&journal, &owner(genesis))).collect()
}

/// Fingerprints of the read secrets that commits of this machine have replaced on chain: old keys. One that was published
/// again later is not old.
pub fn replaced_secrets(history: &[Entry]) -> Vec<Fingerprint> {
    let mut replaced = Vec::new();
    for entry in history {
        let Record::Committed { receipt } = &entry.record else { continue };
        let intent = history.iter().find_map(|entry| match &entry.record {
            Record::Intended(intent) if intent.extrinsic == receipt.extrinsic => Some(intent),
            _ => None,
        });
        let Some(intent) = intent else { continue };
        replaced.retain(|old| *old != intent.target.read_secret);
        replaced.extend(intent.old.filter(|old| *old != intent.target.read_secret));
    }
    replaced
}
