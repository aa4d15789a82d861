//! What follows on the screen from what the chain tells.

use std::sync::Arc;

use crate::domain::feed::FeedEvent;
use crate::domain::snapshot::SubnetSnapshot;
use crate::domain::text::grouped;
use crate::engine::table::Origin;
use crate::tui::commit::watch;
use crate::tui::msg::Effect;
use crate::tui::proofs;
use crate::tui::state::State;

/// Takes an event of the feed.
pub(super) fn on(state: &mut State, event: FeedEvent) -> Vec<Effect> {
    match event {
        FeedEvent::Snapshot(snapshot) => {
            proofs::told(state, snapshot.at.number);
            let mut effects = watch::read(state, &snapshot);
            take(state, FeedEvent::Snapshot(snapshot));
            effects.extend(keep(state));
            effects.extend(proofs::look_at_all(state));
            effects
        }
        FeedEvent::Changed(change) => {
            let mut effects = watch::changed(state, &change);
            proofs::changed(state, &change);
            if take(state, FeedEvent::Changed(change)) {
                effects.extend(keep(state));
            }
            effects
        }
        FeedEvent::FinalizedHead { number, .. } => {
            take(state, event);
            proofs::finalized(state, number)
        }
        FeedEvent::Upgraded { spec_version } => {
            take(state, event);
            state.say(format!("the chain's runtime was upgraded to spec {}", grouped(u64::from(spec_version))));
            Vec::new()
        }
        event => {
            take(state, event);
            Vec::new()
        }
    }
}

/// Whether rows changed.
fn take(state: &mut State, event: FeedEvent) -> bool {
    let changed = state.model.on_feed(event);
    if changed {
        state.rows_changed();
    }
    changed
}

/// Puts a subnet on the screen, or holds it back while frozen.
pub(super) fn take_snapshot(state: &mut State, snapshot: Box<SubnetSnapshot>, origin: Origin) {
    if state.model.take_snapshot(snapshot, origin) {
        state.rows_changed();
    }
}

fn keep(state: &State) -> Vec<Effect> {
    match state.model.table.snapshot() {
        Some(snapshot) if state.model.table.paused().is_none() => vec![Effect::Keep(Arc::clone(snapshot))],
        _ => Vec::new(),
    }
}
