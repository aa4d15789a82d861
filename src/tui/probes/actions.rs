//! What keys ask of read tests.

use super::{OwnVisibility, Sweep};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::ProbeOrder;
use crate::engine::service::Request;
use crate::tui::list::Slot;
use crate::tui::msg::Effect;
use crate::tui::state::{State, View};

/// Which rows a sweep would be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The marked ones.
    Marked,
    /// Those that the filter lets through.
    Filtered,
    /// Every uid.
    All,
}

/// Which rows a sweep would be for at this moment.
pub fn scope(state: &State) -> Scope {
    if state.probes.marks() > 0 {
        Scope::Marked
    } else if state.list.is_filtered() {
        Scope::Filtered
    } else {
        Scope::All
    }
}

/// Tests the selected row; in You the own visibility.
pub fn probe(state: &mut State) -> Vec<Effect> {
    if state.view == View::You {
        return visible(state);
    }
    let Some(hotkey) = state.selected().map(|row| row.hotkey) else { return Vec::new() };
    if state.probes.is_running(&hotkey) {
        state.say("this row is being tested");
        return Vec::new();
    }
    // Whoever tests says when it has begun: an order may find no room.
    vec![Effect::Ask(Request::Probe(ProbeOrder::One(hotkey)))]
}

fn visible(state: &mut State) -> Vec<Effect> {
    if state.model.own.hotkey.is_none() || matches!(state.probes.visibility, OwnVisibility::Loading { .. }) {
        return Vec::new();
    }
    let before = match std::mem::take(&mut state.probes.visibility) {
        OwnVisibility::Ready(seen) => Some(seen),
        _ => None,
    };
    state.probes.visibility = OwnVisibility::Loading { since_ms: state.model.now_ms, before };
    vec![Effect::Ask(Request::Probe(ProbeOrder::Visible))]
}

/// Begins a sweep, or ends the one under way.
pub fn sweep(state: &mut State) -> Vec<Effect> {
    if let Some(sweep) = &mut state.probes.sweep {
        let again = std::mem::replace(&mut sweep.cancelling, true);
        state.say("the sweep is ending");
        return if again { Vec::new() } else { vec![Effect::Ask(Request::Probe(ProbeOrder::Cancel))] };
    }
    let hotkeys = wanted(state);
    if hotkeys.is_empty() {
        state.say("there is no row to test");
        return Vec::new();
    }
    state.probes.sweep = Some(Sweep::begin(&hotkeys, state.model.now_ms));
    vec![Effect::Ask(Request::Probe(ProbeOrder::Sweep(hotkeys)))]
}

/// The rows of the sweep, in the order of the screen where they are on it.
fn wanted(state: &State) -> Vec<Hotkey> {
    let roster = state.model.table.roster();
    let listed = state.list.slots().iter();
    match scope(state) {
        Scope::Marked => {
            let rows = roster.rows.iter().chain(&roster.ex_members).map(|row| row.hotkey);
            rows.filter(|hotkey| state.probes.is_marked(hotkey)).collect()
        }
        Scope::Filtered => listed.filter_map(|slot| state.list.row(roster, *slot)).map(|row| row.hotkey).collect(),
        Scope::All => {
            let members = listed.filter(|slot| matches!(slot, Slot::Member(_)));
            members.filter_map(|slot| state.list.row(roster, *slot)).map(|row| row.hotkey).collect()
        }
    }
}

/// Asks for the names in the selected row's bucket. It is a request that no validator makes, so it is made only here.
pub fn list(state: &mut State) -> Vec<Effect> {
    let Some(hotkey) = state.selected().map(|row| row.hotkey) else { return Vec::new() };
    if matches!(&state.probes.listing, Some((of, None)) if *of == hotkey) {
        return Vec::new();
    }
    state.probes.listing = Some((hotkey, None));
    vec![Effect::Ask(Request::Probe(ProbeOrder::List(hotkey)))]
}

/// Marks the selected row, or takes its mark away.
pub fn mark(state: &mut State) {
    let Some(hotkey) = state.selected().map(|row| row.hotkey) else { return };
    if !state.probes.marked.remove(&hotkey) {
        state.probes.marked.insert(hotkey);
    }
    state.probes.out_of_order = true;
}

/// Takes every mark away. Whether there was one.
pub fn clear_marks(state: &mut State) -> bool {
    let any = !state.probes.marked.is_empty();
    state.probes.marked.clear();
    state.probes.out_of_order |= any;
    any
}
