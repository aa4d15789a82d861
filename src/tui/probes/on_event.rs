//! What is heard of read tests.

use super::{OwnVisibility, own_keys};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::log::Level;
use crate::domain::probe::VerdictClass;
use crate::domain::probe::{Listing, Probe, ProbeNews};
use crate::domain::visible::Visibility;
use crate::tui::msg::Effect;
use crate::tui::state::State;

/// Takes news.
pub fn on_event(state: &mut State, news: ProbeNews) -> Vec<Effect> {
    match news {
        ProbeNews::Began(hotkey) => {
            if let Some(commitment) = state.model.table.roster().by_hotkey(&hotkey).map(|row| row.commitment.clone()) {
                state.probes.begin(hotkey, commitment);
            }
        }
        ProbeNews::Tested(probe) => tested(state, *probe),
        ProbeNews::SweepEnded { cancelled } => return ended(state, cancelled),
        ProbeNews::Seen(seen) => self::seen(state, seen),
        ProbeNews::Failed { hotkeys, problem } => return failed(state, &hotkeys, problem),
        ProbeNews::Listed(hotkey, listing) => listed(state, hotkey, listing),
        ProbeNews::SelfTested(test) => return own_keys::tested(state, test),
        ProbeNews::SelfTestFailed(problem) => return own_keys::failed(state, problem),
    }
    Vec::new()
}

/// One that was overtaken by a newer wish is dropped.
fn listed(state: &mut State, hotkey: Hotkey, listing: Listing) {
    if let Some((of, slot)) = &mut state.probes.listing
        && *of == hotkey
    {
        *slot = Some(listing);
    }
}

/// A result of a hotkey that is not in the table is dropped: it left, or nobody here asked for it.
fn tested(state: &mut State, probe: Probe) {
    if let Some(sweep) = &mut state.probes.sweep {
        sweep.through(&probe.hotkey, Some(VerdictClass::of(probe.verdict)));
    }
    let roster = state.model.table.roster();
    let at = probe.uid.and_then(|uid| roster.rows.binary_search_by_key(&Some(uid), |row| row.uid).ok());
    let quick = at.map(|index| &roster.rows[index]).filter(|row| row.hotkey == probe.hotkey);
    if let Some(row) = quick.or_else(|| roster.by_hotkey(&probe.hotkey)) {
        state.probes.put(probe, row);
    }
}

fn ended(state: &mut State, cancelled: bool) -> Vec<Effect> {
    let Some(sweep) = state.probes.sweep.take() else { return Vec::new() };
    // Of those that it did not come to nothing is heard any more.
    for hotkey in sweep.left() {
        state.probes.running.remove(hotkey);
    }
    let text = sweep.sentence(cancelled);
    state.say(text.clone());
    vec![Effect::Log { level: Level::Info, text }]
}

/// The verdict comes with a read test of the newest window. One about another hotkey is dropped: the own one has changed.
fn seen(state: &mut State, seen: Box<Visibility>) {
    if state.model.own.hotkey != Some(seen.hotkey) {
        return;
    }
    if let Some(probe) = &seen.probe {
        tested(state, Probe::clone(probe));
    }
    state.probes.visibility = OwnVisibility::Ready(seen);
}

fn failed(state: &mut State, hotkeys: &[Hotkey], problem: Diagnostic) -> Vec<Effect> {
    for hotkey in hotkeys {
        state.probes.running.remove(hotkey);
        if let Some(sweep) = &mut state.probes.sweep {
            sweep.through(hotkey, None);
        }
    }
    let text = format!("{}. {} {}", problem.summary, problem.cause, problem.help);
    // Nobody tells the end of a sweep that never began.
    state.probes.sweep.take_if(|sweep| !hotkeys.is_empty() && sweep.left().is_empty());
    if hotkeys.is_empty() {
        state.probes.visibility = OwnVisibility::Failed(problem);
    } else {
        state.say(problem.summary.clone());
        state.probes.refused = Some((hotkeys.iter().copied().collect(), problem));
    }
    vec![Effect::Log { level: Level::Warn, text }]
}
