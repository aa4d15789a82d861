//! `rotate … --json`: the contract's fields (DESIGN 12), and what explains them.

use serde::Serialize;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::owner::Owner;
use crate::domain::rotation::{Change, Entry, Report, Rotation, Step};
use crate::domain::secret::Fingerprint;
use crate::domain::vault_index::{Backend, GenerationNumber};

/// `rotate start|status|resume|rollback|retire --json`. Without any rotation the phase is null.
#[derive(Debug, Serialize)]
pub(super) struct RotateDocument {
    netuid: u16,
    hotkey: Option<Hotkey>,
    phase: Option<&'static str>,
    /// `forward`, or `back` while the old keys are being put back.
    direction: Option<&'static str>,
    /// The generation that is in use when it ends.
    generation: Option<GenerationNumber>,
    from: Option<GenerationNumber>,
    to: Option<GenerationNumber>,
    backend: Option<Backend>,
    /// Of the secret until now: the read key's, or the write key's where only that one changes.
    old_fingerprint: Option<Fingerprint>,
    /// Of the secret from now on.
    new_fingerprint: Option<Fingerprint>,
    change: Option<Change>,
    emergency: bool,
    /// Whether the old read key is uid 0's, which every process of the subnet keeps from its start.
    pinned: bool,
    /// Whether the operator has said that all of them were restarted.
    all_restarted: bool,
    began_ms: Option<u64>,
    since_ms: Option<u64>,
    finalized_block: Option<u64>,
    env: Option<&'static str>,
    grace: Option<GraceDocument>,
    next: Option<String>,
    next_step: Option<Step>,
    /// What is to be remembered meanwhile.
    reminder: Option<&'static str>,
    /// Stable names of what stands against the next step.
    blocked_by: Vec<&'static str>,
    blockers: Vec<Diagnostic>,
    reason: Option<&'static str>,
    what: Option<String>,
    explanation: Option<String>,
    fix: Option<String>,
    history: Vec<PastDocument>,
    journal: Vec<LineDocument>,
}

#[derive(Debug, Serialize)]
struct GraceDocument {
    blocks: u64,
    from_block: Option<u64>,
    ends_at_block: Option<u64>,
    blocks_left: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PastDocument {
    phase: &'static str,
    from: GenerationNumber,
    to: GenerationNumber,
    began_ms: u64,
    ended_ms: u64,
    change: Change,
}

#[derive(Debug, Serialize)]
struct LineDocument {
    at_ms: u64,
    event: String,
}

/// What the document is made of.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub netuid: u16,
    pub owner: Option<Owner>,
    pub report: Option<&'a Report>,
    pub closed: &'a [Rotation],
    pub journal: &'a [Entry],
    /// What went wrong.
    pub problem: Option<&'a Diagnostic>,
}

impl RotateDocument {
    pub(super) fn of(parts: &Parts<'_>) -> Self {
        let rotation = parts.report.map(|report| &report.rotation);
        let keys = rotation.and_then(|rotation| rotation.change.main());
        let next = parts.report.map(Report::next);
        let blockers = parts.report.map(|report| report.blockers.clone()).unwrap_or_default();
        Self {
            netuid: parts.netuid,
            hotkey: parts.owner.map(|owner| owner.hotkey),
            phase: rotation.map(|rotation| rotation.phase.name()),
            direction: rotation.map(|rotation| if rotation.back { "back" } else { "forward" }),
            generation: rotation.map(Rotation::target),
            from: rotation.map(|rotation| rotation.from),
            to: rotation.map(|rotation| rotation.to),
            backend: rotation.map(|rotation| rotation.backend),
            old_fingerprint: keys.and_then(|(_, keys)| keys.old.as_ref()).map(|key| key.secret),
            new_fingerprint: keys.map(|(_, keys)| keys.new.secret),
            change: rotation.map(|rotation| rotation.change.clone()),
            emergency: rotation.is_some_and(|rotation| rotation.emergency),
            pinned: rotation.is_some_and(|rotation| rotation.is_pinned),
            all_restarted: rotation.is_some_and(|rotation| rotation.all_restarted),
            began_ms: rotation.map(|rotation| rotation.began_ms),
            since_ms: rotation.map(|rotation| rotation.since_ms),
            finalized_block: rotation.and_then(|rotation| rotation.finalized),
            env: rotation.and_then(|rotation| rotation.env).map(crate::domain::rotation::EnvUpdate::words),
            grace: parts.report.map(grace),
            next: next.as_ref().map(|next| next.words.clone()),
            next_step: next.map(|next| next.step),
            reminder: rotation.and_then(Rotation::reminder),
            blocked_by: blockers.iter().map(|blocker| blocker.code).collect(),
            blockers,
            reason: parts.problem.map(|problem| problem.code),
            what: parts.problem.map(|problem| problem.summary.clone()),
            explanation: parts.problem.map(|problem| problem.cause.clone()),
            fix: parts.problem.map(|problem| problem.help.clone()),
            history: parts.closed.iter().map(past).collect(),
            journal: parts.journal.iter().map(line).collect(),
        }
    }
}

fn grace(report: &Report) -> GraceDocument {
    let grace = report.rotation.grace;
    GraceDocument {
        blocks: report.rotation.grace_blocks,
        from_block: grace.map(|grace| grace.from),
        ends_at_block: grace.map(|grace| grace.ends_at),
        blocks_left: report.blocks_left(),
    }
}

fn past(rotation: &Rotation) -> PastDocument {
    PastDocument {
        phase: rotation.phase.name(),
        from: rotation.from,
        to: rotation.to,
        began_ms: rotation.began_ms,
        ended_ms: rotation.since_ms,
        change: rotation.change.clone(),
    }
}

fn line(entry: &Entry) -> LineDocument {
    LineDocument { at_ms: entry.at_ms, event: entry.event.words() }
}
