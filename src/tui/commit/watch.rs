//! A watch over the own commitment: what it was, what it is, and whether this console changed it.

use serde::Serialize;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::diagnostic::Severity;
use crate::domain::hotkey::Hotkey;
use crate::domain::log::Level;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Provenance, value_words};
use crate::domain::snapshot::{SubnetChange, SubnetSnapshot};
use crate::domain::text::grouped;
use crate::domain::unexpected_change::UnexpectedChange;
use crate::domain::untrusted::Untrusted;
use crate::tui::msg::Effect;
use crate::tui::state::State;

/// What is known of the own commitment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Watch {
    /// As it was last seen.
    last: Option<Seen>,
    /// As it was before its last change, and the surprise that was on the screen then.
    before: Option<Seen>,
    raised_before: Option<Raised>,
    /// The block as of which it was first read.
    first_at: Option<u64>,
    /// What this console published or was told to publish.
    ours: Vec<Published>,
    /// What this machine's journal knows to have been published from here.
    known: Vec<Published>,
    /// A change that nobody here made, until it is put away.
    pub surprise: Option<Raised>,
}

/// The own commitment at a moment.
#[derive(Debug, Clone, Serialize)]
struct Seen {
    genesis: BlockHash,
    hotkey: Hotkey,
    commitment: Option<Commitment>,
}

/// A surprise on the screen.
#[derive(Debug, Clone, Serialize)]
pub struct Raised {
    /// What changed.
    pub surprise: UnexpectedChange,
    /// What it changed to.
    after: Option<Published>,
}

impl Watch {
    /// Whether a commitment is what was told of the own one last, also while the table stands still; with that one. `None`
    /// where nothing was told yet.
    pub(in crate::tui) fn told(&self, own: Hotkey, found: &Provenance) -> Option<(bool, Untrusted)> {
        let last = self.last.as_ref().filter(|last| last.hotkey == own)?.commitment.as_ref();
        Some((found.is_of(last), value_words(last)))
    }

    /// The watch with what the journal of this machine knows.
    pub fn knowing(known: Vec<Published>) -> Self {
        Self { known, ..Self::default() }
    }

    /// This was published from here, and nothing else is meant to be there: an older one that comes back is a surprise.
    pub(in crate::tui) fn stands(&mut self, target: &Published) {
        self.ours.retain(|ours| ours == target);
    }

    /// This is published from here: it is no surprise when it appears, nor was it one.
    pub(in crate::tui) fn recognise(&mut self, target: &Published) {
        if !self.ours.contains(target) {
            self.ours.push(target.clone());
        }
        self.surprise.take_if(|raised| raised.after.as_ref() == Some(target));
    }
}

/// The whole subnet was read, or found on disk.
pub(in crate::tui) fn read(state: &mut State, snapshot: &SubnetSnapshot) -> Vec<Effect> {
    let Some(hotkey) = state.model.own.hotkey else { return Vec::new() };
    let commitment = snapshot.commitments.get(&hotkey).cloned();
    state.commits.watch.first_at.get_or_insert(snapshot.at.number);
    noticed(state, Seen { genesis: snapshot.chain.genesis, hotkey, commitment })
}

/// Something changed since. Also while the table is frozen: it stands still so that one can read it, not so that one
/// sleeps.
pub(in crate::tui) fn changed(state: &mut State, change: &SubnetChange) -> Vec<Effect> {
    let Some((hotkey, last)) = state.model.own.hotkey.zip(state.commits.watch.last.as_ref()) else { return Vec::new() };
    let Some((_, commitment)) = change.commitments.iter().find(|(changed, _)| *changed == hotkey) else {
        return Vec::new();
    };
    let seen = Seen { genesis: last.genesis, hotkey, commitment: commitment.clone() };
    noticed(state, seen)
}

/// Something else is verified than was told last. Where that stood there before, nothing changed, and what was on the screen
/// before the false telling comes back; else it is a change like any other.
pub(in crate::tui) fn corrected(state: &mut State, change: &SubnetChange) -> Vec<Effect> {
    let own = state.model.own.hotkey;
    let stands = change.commitments.iter().find(|(hotkey, _)| Some(*hotkey) == own).map(|(_, stands)| stands.clone());
    let (watch, Some(stands)) = (&mut state.commits.watch, stands) else { return Vec::new() };
    if watch.before.as_ref().is_some_and(|before| before.commitment == stands) {
        watch.last.clone_from(&watch.before);
        watch.surprise = watch.raised_before.take();
        return Vec::new();
    }
    let set_at = stands.as_ref().and_then(|commitment| commitment.block);
    let was_there = watch.before.is_none() && set_at.zip(watch.first_at).is_some_and(|(set, first)| set <= first);
    match watch.last.as_mut().filter(|_| was_there) {
        // What was read first was not so.
        Some(last) => last.commitment = stands,
        None => return changed(state, change),
    }
    Vec::new()
}

/// Another hotkey is the own one now: what the screen shows of it is where its watch begins.
pub(in crate::tui) fn begin_anew(state: &mut State) {
    let Some(snapshot) = state.model.table.snapshot().cloned() else { return };
    if state.commits.watch.last.as_ref().map(|last| last.hotkey) != state.model.own.hotkey {
        state.commits.watch.last = None;
        state.commits.watch.surprise = None;
        (state.commits.watch.before, state.commits.watch.first_at) = (None, None);
        read(state, &snapshot);
    }
}

fn noticed(state: &mut State, seen: Seen) -> Vec<Effect> {
    let comparable = |last: &Seen| last.genesis == seen.genesis && last.hotkey == seen.hotkey;
    let Some(last) = state.commits.watch.last.take().filter(comparable) else {
        state.commits.watch.last = Some(seen);
        return Vec::new();
    };
    let effects = if last.commitment == seen.commitment { Vec::new() } else { judged(state, &last, &seen) };
    state.commits.watch.last = Some(seen);
    effects
}

fn judged(state: &mut State, last: &Seen, seen: &Seen) -> Vec<Effect> {
    let undone = is_undone(state, last, seen);
    let known = is_known(state, seen.commitment.as_ref());
    let local = &state.model.own.local;
    let surprise = UnexpectedChange::between(last.commitment.as_ref(), seen.commitment.as_ref(), local);
    let watch = &mut state.commits.watch;
    watch.before = Some(last.clone());
    let raised = watch.surprise.take();
    if undone {
        let number = last.commitment.as_ref().and_then(|commitment| commitment.block).unwrap_or_default();
        watch.surprise = watch.raised_before.take();
        let text = format!("the change of the own commitment at #{} is no longer there", grouped(number));
        return raised.map(|_| Effect::Log { level: Level::Info, text }).into_iter().collect();
    }
    watch.raised_before = raised;
    let Some(surprise) = surprise.filter(|_| !known) else { return Vec::new() };
    let finding = surprise.finding();
    let after = seen.commitment.as_ref().and_then(Commitment::published).cloned();
    watch.surprise = Some(Raised { surprise, after });
    let level = if finding.severity == Severity::Note { Level::Info } else { Level::Warn };
    vec![Effect::Log { level, text: format!("{}. {} {}", finding.summary, finding.cause, finding.help) }]
}

/// Whether a change is taken back by the chain itself: exactly what stood before is there again, and what goes was in a
/// block that is not final.
fn is_undone(state: &State, last: &Seen, seen: &Seen) -> bool {
    let went = last.commitment.as_ref().and_then(|commitment| commitment.block);
    let loose = went.is_some_and(|block| Some(block) > state.model.heads.finalized);
    let back = state.commits.watch.before.as_ref().is_some_and(|before| before.commitment == seen.commitment);
    back && (seen.commitment.is_some() || loose)
}

/// Whether what is there now was put there from this console, or from this machine before. What this machine has
/// replaced since is not what it wants there.
fn is_known(state: &State, commitment: Option<&Commitment>) -> bool {
    let Some(published) = commitment.and_then(Commitment::published) else { return false };
    let watch = &state.commits.watch;
    let replaced = state.model.own.local.replaced.contains(&published.read_secret);
    watch.ours.contains(published) || (watch.known.contains(published) && !replaced)
}
