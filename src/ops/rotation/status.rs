//! Where things stand, without the lock and without opening the vault.

use super::executor::rotations;
use super::publish::chain_facts;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::owner::Owner;
use crate::domain::rotation::{ChainFacts, Entry, History, Report, Rotation, Step};
use crate::ops::context::Context;
use crate::ops::vault;

/// What the journal tells, and the chain beside it.
#[derive(Debug)]
pub struct Looked {
    /// Whose.
    pub owner: Owner,
    /// Every rotation.
    pub history: History,
    /// Every event.
    pub entries: Vec<Entry>,
    /// The chain; the reason where it could not be asked. `None` when nothing is open.
    pub chain: Option<Result<ChainFacts, Diagnostic>>,
    /// Whether another process drives.
    pub driven_elsewhere: bool,
}

impl Looked {
    /// The rotation under way, or the last one, with what stands against its next step as far as it can be told from here.
    pub fn report(&self) -> Option<Report> {
        let rotation = self.history.open.as_ref().or_else(|| self.history.closed.last())?;
        let chain = self.chain.as_ref().map(|chain| match chain {
            Ok(chain) => Ok(*chain),
            Err(problem) => Err(problem.summary.clone()),
        });
        Some(report(rotation, chain.as_ref()))
    }
}

impl Looked {
    /// What an open rotation waits for, where it is not time that passes: somebody's yes, or that it is taken up again.
    pub fn waits(&self) -> Option<Diagnostic> {
        let rotation = self.history.open.as_ref()?;
        let (verb, key) = if rotation.back { ("rotate rollback", "old") } else { ("rotate resume", "new") };
        let answer = || {
            if self.driven_elsewhere {
                "Another console drives it: answer there.".to_owned()
            } else {
                format!("Run {verb} at a terminal and answer, or {verb} --yes.")
            }
        };
        match rotation.step() {
            Step::Publish => Some(Diagnostic::blocker(
                "needs_confirmation",
                format!("Publishing the {key} read key waits for your yes"),
                answer(),
            )),
            Step::UpdateEnv => Some(Diagnostic::blocker(
                "needs_confirmation",
                format!("The .env waits for your yes to the {key} keys"),
                answer(),
            )),
            Step::Revoke(side) => Some(Diagnostic::blocker(
                "old_key_not_refused",
                format!("The old {} key is not known to be refused by the store", side.word()),
                "Revoke its token at the provider, then run rotate resume.",
            )),
            // Told of the chain, or passing by itself.
            Step::Accept | Step::Retire | Step::Done => None,
            _ if self.driven_elsewhere => None,
            _ => Some(Diagnostic::blocker(
                "interrupted",
                "It stopped on its way, and nobody goes on with it",
                format!("Run {verb}: it goes on from here."),
            )),
        }
    }
}

/// A report from a rotation and the chain alone.
pub(super) fn report(rotation: &Rotation, chain: Option<&Result<ChainFacts, String>>) -> Report {
    let open = !rotation.phase.is_closed();
    let blockers = match chain {
        Some(Err(why)) if open => vec![Diagnostic::blocker(
            "chain_unreachable",
            format!("The chain cannot be asked: {why}"),
            "The rotation pauses; nothing is lost meanwhile.",
        )],
        Some(Ok(chain)) if open => seen_blockers(rotation, chain),
        _ => Vec::new(),
    };
    let finalized = chain.and_then(|chain| chain.as_ref().ok()).map(|chain| chain.finalized);
    Report { rotation: rotation.clone(), blockers, finalized }
}

fn seen_blockers(rotation: &Rotation, chain: &ChainFacts) -> Vec<Diagnostic> {
    if let Some(stale) = super::advance::stale(chain) {
        return vec![stale];
    }
    let facts = crate::domain::rotation::Facts { chain: Some(Ok(*chain)), ..Default::default() };
    match rotation.step() {
        Step::Retire => rotation.chain_blockers(&facts),
        Step::Accept => vec![Diagnostic::blocker(
            "chain_is_neither",
            format!("The chain holds {}, neither the old nor the new key", chain.seen),
            "Look who put it there; then go on over it, or roll back.",
        )],
        _ if rotation.is_reverted(&chain.seen) => vec![Diagnostic::blocker(
            "chain_not_new",
            format!("The chain holds {} again", chain.seen),
            "Run rotate resume: it publishes once more. A GRAIL that started with an old .env puts the old key back.",
        )],
        _ => Vec::new(),
    }
}

/// Reads the journal, and asks the chain where a rotation is open.
pub async fn look(context: &Context, now_ms: u64) -> Result<Looked, Diagnostic> {
    let owner = vault::owner(context).await?;
    let journal = rotations(context)?;
    let (history, entries) = journal.history(&owner)?;
    let driven_elsewhere = history.open.is_some() && journal.lock(&owner)?.is_none();
    let chain = match &history.open {
        Some(_) => Some(chain_facts(context, &owner, now_ms).await),
        None => None,
    };
    Ok(Looked { owner, history, entries, chain, driven_elsewhere })
}

impl super::executor::Executor {
    /// Where the rotation under way stands, or the last one; with what was found to stand against it, or what the chain
    /// tells.
    pub async fn report(&self, blockers: Option<Vec<Diagnostic>>) -> Option<Report> {
        let rotation = self.latest()?;
        let chain = match self.rotation() {
            Some(_) => Some(self.chain().await.map_err(|problem| problem.summary)),
            None => None,
        };
        let seen = report(rotation, chain.as_ref());
        Some(Report { blockers: blockers.unwrap_or_else(|| seen.blockers.clone()), ..seen })
    }
}
