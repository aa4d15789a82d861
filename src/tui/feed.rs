//! What the chain tells, taken into the state. Nothing here ever takes rows off the screen.

use std::sync::Arc;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::feed::FeedEvent;
use crate::domain::snapshot::{SubnetChange, SubnetSnapshot};
use crate::domain::text::{BLOCK_SECONDS, grouped};
use crate::tui::commit::watch;
use crate::tui::msg::Effect;
use crate::tui::proofs;
use crate::tui::state::{Connection, Loss, State};
use crate::tui::table::Origin;

/// Takes an event of the feed.
pub(super) fn on(state: &mut State, event: FeedEvent) -> Vec<Effect> {
    match event {
        FeedEvent::Connecting { endpoint, attempt } => {
            let after = state.connection.loss().cloned();
            state.connection = Connection::Connecting { endpoint, attempt, after };
        }
        FeedEvent::Connected { chain, latency_ms } => {
            state.connection = Connection::Live { endpoint: chain.endpoint.clone(), latency_ms: Some(latency_ms) };
            state.chain = Some(chain);
        }
        FeedEvent::Snapshot(snapshot) => {
            heard_snapshot(state, &snapshot);
            proofs::told(state, snapshot.at.number);
            let mut effects = watch::read(state, &snapshot);
            take_snapshot(state, snapshot, Origin::Chain);
            effects.extend(keep(state));
            effects.extend(proofs::look_at_all(state));
            return effects;
        }
        FeedEvent::Changed(change) => return take_change(state, *change),
        FeedEvent::BestHead { number } => heard_best(state, number),
        FeedEvent::FinalizedHead { number, .. } => {
            heard_finalized(state, number);
            return proofs::finalized(state, number);
        }
        FeedEvent::Upgraded { spec_version } => upgraded(state, spec_version),
        FeedEvent::Latency { ms } => {
            if let Connection::Live { latency_ms, .. } = &mut state.connection {
                *latency_ms = Some(ms);
            }
        }
        FeedEvent::Stalled { number, seconds } => stalled(state, number, seconds),
        FeedEvent::Lost { endpoint, problem, retry_in_ms } => lost(state, endpoint, problem, retry_in_ms),
    }
    Vec::new()
}

/// Puts a subnet on the screen, or holds it back while frozen.
pub(super) fn take_snapshot(state: &mut State, snapshot: Box<SubnetSnapshot>, origin: Origin) {
    if state.chain.is_none() {
        state.chain = Some(snapshot.chain.clone());
    }
    if state.table.replace(snapshot, origin, state.own.own().as_ref()) {
        state.rows_changed();
    }
}

fn take_change(state: &mut State, change: SubnetChange) -> Vec<Effect> {
    let mut effects = watch::changed(state, &change);
    proofs::changed(state, &change);
    if state.table.change(change, state.own.own().as_ref()) {
        state.rows_changed();
        effects.extend(keep(state));
    }
    effects
}

fn keep(state: &State) -> Vec<Effect> {
    match state.table.snapshot() {
        Some(snapshot) if state.table.paused().is_none() => vec![Effect::Keep(Arc::clone(snapshot))],
        _ => Vec::new(),
    }
}

fn heard_snapshot(state: &mut State, snapshot: &SubnetSnapshot) {
    state.heads.behind_ms = state.since(snapshot.at.timestamp_ms);
    state.heads.finalized = Some(snapshot.at.number);
    state.heads.finalized_at_ms = state.now_ms;
}

fn heard_best(state: &mut State, number: u64) {
    state.heads.best = Some(number);
    revive(state);
}

/// A node that catches up brings blocks faster than they are made; what it was behind melts by the difference.
fn heard_finalized(state: &mut State, number: u64) {
    let before = state.heads.finalized.unwrap_or(number);
    let made_ms = number.saturating_sub(before).saturating_mul(BLOCK_SECONDS * 1_000);
    let passed_ms = state.since(state.heads.finalized_at_ms);
    state.heads.behind_ms = state.heads.behind_ms.saturating_sub(made_ms.saturating_sub(passed_ms));
    state.heads.finalized = Some(number);
    state.heads.finalized_at_ms = state.now_ms;
    revive(state);
}

/// A block ends a stall.
fn revive(state: &mut State) {
    if let Connection::Stalled { endpoint, .. } = &state.connection {
        state.connection = Connection::Live { endpoint: endpoint.clone(), latency_ms: None };
    }
}

fn upgraded(state: &mut State, spec_version: u32) {
    if let Some(chain) = &mut state.chain {
        chain.spec_version = spec_version;
    }
    state.say(format!("the chain's runtime was upgraded to spec {}", grouped(u64::from(spec_version))));
}

fn stalled(state: &mut State, number: u64, seconds: u64) {
    let endpoint = state.connection.endpoint().to_owned();
    let since_ms = state.now_ms.saturating_sub(seconds.saturating_mul(1_000));
    state.connection = Connection::Stalled { endpoint, number, since_ms };
}

/// The age of a loss counts from the first failure, not from the last attempt.
fn lost(state: &mut State, endpoint: String, problem: Diagnostic, retry_in_ms: u64) {
    let since_ms = state.connection.loss().map_or(state.now_ms, |loss| loss.since_ms);
    let retry_at_ms = state.now_ms.saturating_add(retry_in_ms);
    state.connection = Connection::Lost { endpoint, loss: Loss { problem, since_ms }, retry_at_ms };
}
