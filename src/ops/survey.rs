//! One look at the subnet: read it, join it with who we are, remember it for the next start.

use crate::chain::{self, ChainError, FeedOptions, PublishedKeys};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::findings::OTHER_CHAIN;
use crate::domain::freshness::SHOWN_AS_OLD_MS;
use crate::domain::network::SANDBOX;
use crate::domain::provenance::{Examined, Level, Provenance};
use crate::domain::roster::{Own, Roster};
use crate::domain::snapshot::{ChainIdentity, SubnetSnapshot};
use crate::domain::text::age_seconds;
use crate::ops::context::Context;

/// A subnet at one block, joined.
#[derive(Debug)]
pub struct Survey {
    /// As it was read.
    pub snapshot: SubnetSnapshot,
    /// Row by row.
    pub roster: Roster,
    /// What is odd about the reading itself: an old or a future head, or that it could not be kept.
    pub findings: Vec<Diagnostic>,
}

impl Survey {
    /// That another chain answered than before at this endpoint, where one did.
    pub fn other_chain(&self) -> Option<Diagnostic> {
        self.findings.iter().find(|finding| finding.code == OTHER_CHAIN).cloned()
    }

    /// What was verified stands where the node told otherwise, and nothing is compared with an own row that is not known.
    pub fn believe(&mut self, verified: &Examined, own: Option<&Own>) {
        for (hotkey, row) in verified.rows.iter().filter(|(_, row)| row.level > Level::Reported) {
            match &row.commitment {
                Some(commitment) => self.snapshot.commitments.insert(*hotkey, commitment.clone()),
                None => self.snapshot.commitments.remove(hotkey),
            };
        }
        self.roster = Roster::join(&self.snapshot, own);
        for row in self.roster.rows.iter_mut().chain(&mut self.roster.ex_members) {
            if verified.rows.get(&row.hotkey).is_some_and(Provenance::is_unknown) {
                row.drift = None;
            }
        }
    }
}

/// Reads the subnet at its finalized head. `now_ms` is the time since 1970, for the age of the kept snapshot.
pub async fn survey(context: &Context, now_ms: u64) -> Result<Survey, ChainError> {
    survey_keeping(context, now_ms, None).await
}

/// The same; the published keys go, with their secrets, where those who read with them look.
pub async fn survey_keeping(
    context: &Context,
    now_ms: u64,
    published: Option<PublishedKeys>,
) -> Result<Survey, ChainError> {
    let (netuid, options) = (context.netuid(), FeedOptions::default());
    let mut snapshot = chain::survey(&context.node, netuid, published.as_ref(), &options).await?;
    name_the_sandbox(&mut snapshot.chain);
    let unkept = context.disk.remember(&snapshot, now_ms);
    let newer = newer_runtime(&context.node.unknown_entries());
    let name = snapshot.subnet.other_name(netuid);
    let findings = unkept.into_iter().chain(odd_head(&snapshot, now_ms)).chain(newer).chain(name).collect();
    let roster = Roster::join(&snapshot, context.own().as_ref());
    Ok(Survey { snapshot, roster, findings })
}

/// A node that lags or lies about time answers like any other (THREATS T5).
fn odd_head(snapshot: &SubnetSnapshot, now_ms: u64) -> Option<Diagnostic> {
    let at = snapshot.at;
    let (behind, ahead) = (now_ms.saturating_sub(at.timestamp_ms), at.timestamp_ms.saturating_sub(now_ms));
    if behind > SHOWN_AS_OLD_MS {
        return Some(Diagnostic::new(
            "stale_head",
            Severity::Warning,
            format!("The newest finalized block is {} old", age_seconds(behind / 1_000)),
            "What is shown is the subnet of that time; what was committed since is not in it.",
            "Use another node with --endpoint, or check this machine's clock.",
        ));
    }
    (ahead > SHOWN_AS_OLD_MS).then(|| {
        Diagnostic::new(
            "future_head",
            Severity::Warning,
            format!("The newest finalized block is {} ahead of this machine's clock", age_seconds(ahead / 1_000)),
            "Either the clock here is slow, or the node lies about time; ages on the screen are wrong.",
            "Check the clock (NTP), then the node.",
        )
    })
}

/// Entries of a newer runtime are unknown, and nothing else is (THREATS T23).
fn newer_runtime(unknown: &[String]) -> Option<Diagnostic> {
    (!unknown.is_empty()).then(|| {
        Diagnostic::new(
            "newer_runtime",
            Severity::Warning,
            format!("This runtime is newer than the console: it keeps {} in another way", unknown.join(", ")),
            "What lies there is unknown, the rest is shown. Nothing is written to a chain that is not understood.",
            "Update the console.",
        )
    })
}

/// The practice subnet is called SANDBOX wherever a network's name stands, however it was reached.
pub fn name_the_sandbox(chain: &mut ChainIdentity) {
    if chain.is_sandbox() {
        SANDBOX.clone_into(&mut chain.network);
    }
}
