//! Where rows come from, as the screen knows it: what was examined, what is disputed, and what the operator has read of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::commit::outcome::Rule;
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Commitment;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::findings;
use crate::domain::hotkey::Hotkey;
use crate::domain::log::Level as Grave;
use crate::domain::provenance::messages::{VerifyNews, VerifyOrder};
use crate::domain::provenance::{
    ACKNOWLEDGED_MS, Case, Claim, Dispute, Examined, Level, Limit, Provenance, Side, value_words,
};
use crate::domain::roster::Row;
use crate::domain::snapshot::SubnetChange;
use crate::domain::text::BLOCK_SECONDS;
use crate::domain::untrusted::Untrusted;
use crate::domain::window::{WINDOW_BLOCKS, Window};
use crate::engine::service::Request;
use crate::tui::commit::watch;
use crate::tui::keymap::Command;
use crate::tui::msg::Effect;
use crate::tui::state::State;

/// Rows up to which everybody is examined unasked; of a larger subnet only the own row is.
const MOST_ROWS: usize = 1_024;
/// How often everybody is, in ms.
const EVERY_MS: u64 = 600_000;
/// Blocks within which a change may be final before the feed tells it.
const MAY_LAG: u64 = 3;
/// How often while sources contradict each other, in ms: one that only lagged must not lock for long.
const WHILE_DISPUTED_MS: u64 = 60_000;

/// What is known of where rows come from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proofs {
    rows: BTreeMap<Hotkey, Provenance>,
    /// Contradictions, those that were read included.
    disputes: Vec<Dispute>,
    /// Those that were read, by their ids, and until when that holds, in ms since 1970.
    read: BTreeMap<String, u64>,
    /// Orders under way.
    under_way: usize,
    /// Whose rows the operator asked about and has not heard of yet.
    asked: Vec<Hotkey>,
    /// Why nobody could be asked the last time.
    pub failed: Option<String>,
    /// Rows that changed, and the block that changed them: they are looked at when it is final.
    waiting: BTreeMap<Hotkey, u64>,
    /// When everybody is to be looked at again, in ms since 1970; `None` before the first time.
    due_ms: Option<u64>,
    /// The block at which the feed told the own row last.
    own_told: u64,
    /// The window in which the own row was looked at last.
    own_window: Option<Window>,
    /// When a node last told of the own row, or was asked for it; in ms since 1970.
    own_seen_ms: Option<u64>,
}

/// For how long what was seen of the own row counts as the present: a window, and the time that the look in each of them takes.
const OWN_FRESH_MS: u64 = (WINDOW_BLOCKS * BLOCK_SECONDS + 60) * 1_000;

/// Why the own row is not called good though chain and local agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnDoubt<'s> {
    /// It is another chain's than the one that answered here before.
    OtherChain,
    /// What it is compared with is there no more, or cannot be read.
    EnvFile(&'s Diagnostic),
    /// It is in this block, which is not final.
    NotFinal(u64),
    /// It was looked at so many ms ago.
    Old(u64),
    /// No node was asked for it yet: it is what was kept.
    Kept,
}

/// That the table is another chain's than the one that answered here before.
pub fn other_chain(state: &State) -> Option<Diagnostic> {
    let (chain, before) = (&state.model.table.snapshot()?.chain, state.model.own.chain_before?);
    (chain.genesis != before).then(|| findings::other_chain(chain, before))
}

/// What speaks against calling the own row good, where anything does.
pub fn own_doubt(state: &State) -> Option<OwnDoubt<'_>> {
    if other_chain(state).is_some() {
        return Some(OwnDoubt::OtherChain);
    }
    if let Some(finding) = state.model.own.env_trouble() {
        return Some(OwnDoubt::EnvFile(finding));
    }
    let set = state.own_row()?.commitment.as_ref().and_then(|commitment| commitment.block);
    if let Some(block) = set.filter(|block| state.model.heads.finalized.is_some_and(|finalized| *block > finalized)) {
        return Some(OwnDoubt::NotFinal(block));
    }
    let Some(seen) = state.proofs.own_seen_ms else { return Some(OwnDoubt::Kept) };
    Some(state.since(seen)).filter(|age| *age > OWN_FRESH_MS).map(OwnDoubt::Old)
}

impl Proofs {
    /// What is known of a row, as long as it holds what was looked at.
    pub fn of(&self, row: &Row) -> Option<&Provenance> {
        self.rows.get(&row.hotkey).filter(|found| found.is_of(row.commitment.as_ref()))
    }

    /// Its level, for filter and table.
    pub fn level(&self, row: &Row) -> Option<Level> {
        self.of(row).map(|found| found.level)
    }

    /// Contradictions that the operator has not read within the hour, the worst first.
    pub fn unread(&self, now_ms: u64) -> impl Iterator<Item = &Dispute> {
        self.disputes.iter().filter(move |dispute| self.read_until(dispute, now_ms).is_none())
    }

    /// Those that were read, and until when that holds.
    pub fn acknowledged(&self, now_ms: u64) -> impl Iterator<Item = (&Dispute, u64)> {
        self.disputes.iter().filter_map(move |dispute| Some((dispute, self.read_until(dispute, now_ms)?)))
    }

    fn read_until(&self, dispute: &Dispute, now_ms: u64) -> Option<u64> {
        self.read.get(&dispute.id()).copied().filter(|until| *until > now_ms)
    }

    /// The one that locks writing.
    pub fn lock(&self, now_ms: u64) -> Option<&Dispute> {
        self.unread(now_ms).find(|dispute| dispute.locks())
    }

    /// Whether it is not known what a hotkey published, since sources contradict each other about it.
    pub fn is_unknown(&self, hotkey: &Hotkey) -> bool {
        self.rows.get(hotkey).is_some_and(Provenance::is_unknown)
    }

    /// Whether something is being looked at.
    pub const fn is_busy(&self) -> bool {
        self.under_way > 0
    }
}

/// Why nothing is written while sources contradict each other.
pub fn locked(state: &State) -> Option<Rule> {
    let dispute = state.proofs.lock(state.model.now_ms)?;
    let Diagnostic { summary, cause, .. } = dispute.finding();
    Some(Rule::Other {
        code: "contradiction",
        what: format!("{summary}. {}", cause.trim_end_matches('.')),
        why: "What the chain holds is not certain while its sources contradict each other.",
        todo: format!("Read it, then press {}: from then on it is your decision.", state.key(Command::Acknowledge)),
    })
}

/// Looks at everybody whom the table shows.
pub fn look_at_all(state: &mut State) -> Vec<Effect> {
    if state.proofs.is_busy() {
        // Due as soon as that is done: a connection that comes and goes must not pile up orders.
        state.proofs.due_ms = Some(state.model.now_ms);
        return Vec::new();
    }
    let roster = state.model.table.roster();
    let all = roster.rows.iter().chain(&roster.ex_members);
    let few = roster.rows.len() + roster.ex_members.len() <= MOST_ROWS;
    let rows: Vec<(Hotkey, bool)> = all.filter(|row| few || row.own).map(|row| (row.hotkey, row.own)).collect();
    state.proofs.due_ms = Some(state.model.now_ms + EVERY_MS);
    state.proofs.own_window = state.model.heads.finalized.map(Window::of);
    order(state, rows, few)
}

/// The feed told the whole subnet as of a block.
pub fn told(state: &mut State, block: u64) {
    state.proofs.own_seen_ms = Some(state.model.now_ms);
    state.proofs.own_told = block;
}

fn order(state: &mut State, rows: Vec<(Hotkey, bool)>, everybody: bool) -> Vec<Effect> {
    if rows.is_empty() {
        return Vec::new();
    }
    state.proofs.under_way += 1;
    vec![Effect::Ask(Request::Verify(VerifyOrder::Look { rows, everybody }))]
}

/// Everybody, once that is some time ago.
fn again(state: &mut State) -> Vec<Effect> {
    let proofs = &state.proofs;
    let is_due = proofs.due_ms.is_some_and(|due| due <= state.model.now_ms) && !proofs.is_busy();
    if is_due && state.model.connection.loss().is_none() { look_at_all(state) } else { Vec::new() }
}

/// Rows changed: they are looked at once the block is final, which a proof is about.
pub fn changed(state: &mut State, change: &SubnetChange) {
    if state.proofs.due_ms.is_none() {
        return;
    }
    for (hotkey, _) in &change.commitments {
        state.proofs.waiting.insert(*hotkey, change.block);
        if state.model.own.hotkey == Some(*hotkey) {
            state.proofs.own_told = change.block;
            state.proofs.own_seen_ms = Some(state.model.now_ms);
        }
    }
}

/// A block is final.
pub fn finalized(state: &mut State, number: u64) -> Vec<Effect> {
    let proofs = &mut state.proofs;
    let ripe: Vec<Hotkey> =
        proofs.waiting.iter().filter(|(_, block)| **block <= number).map(|(hotkey, _)| *hotkey).collect();
    if ripe.is_empty() || proofs.is_busy() {
        let effects = again(state);
        return if effects.is_empty() { own_once_a_window(state, number) } else { effects };
    }
    proofs.waiting.retain(|hotkey, _| !ripe.contains(hotkey));
    let own = state.model.own.hotkey;
    order(state, ripe.into_iter().map(|hotkey| (hotkey, Some(hotkey) == own)).collect(), false)
}

/// The own row is looked at once in each window, whatever else happens. A signature that was verified stays verified.
fn own_once_a_window(state: &mut State, number: u64) -> Vec<Effect> {
    let window = Some(Window::of(number));
    let proofs = &state.proofs;
    let is_due = proofs.due_ms.is_some() && proofs.own_window != window && !proofs.is_busy();
    let own = state.own_row().map(|row| row.hotkey).filter(|_| is_due && state.model.connection.loss().is_none());
    let Some(own) = own else { return Vec::new() };
    state.proofs.own_window = window;
    order(state, vec![(own, false)], false)
}

/// `V`: the marked rows, else the selected one, as far as their signatures.
pub fn asked(state: &mut State) -> Vec<Effect> {
    let marked: Vec<Hotkey> = state.probes.marked().copied().collect();
    let chosen = if marked.is_empty() { state.selected().map(|row| row.hotkey).into_iter().collect() } else { marked };
    let rows: Vec<(Hotkey, bool)> = chosen.iter().map(|hotkey| (*hotkey, true)).collect();
    state.proofs.asked = chosen;
    state.say(match rows.len() {
        0 => "no row is selected".to_owned(),
        1 => "verifying the row and its signature".to_owned(),
        n => format!("verifying {n} rows and their signatures"),
    });
    order(state, rows, false)
}

/// The operator has read what the banner says.
pub fn read(state: &mut State) -> Vec<Effect> {
    let ids: Vec<String> = state.proofs.unread(state.model.now_ms).map(Dispute::id).collect();
    if ids.is_empty() {
        state.say("no source contradicts another");
        return Vec::new();
    }
    state.say("noted for an hour: writing is your decision now");
    let until_ms = state.model.now_ms.saturating_add(ACKNOWLEDGED_MS);
    state.proofs.read.extend(ids.iter().map(|id| (id.clone(), until_ms)));
    ids.into_iter().map(|id| Effect::Ask(Request::Verify(VerifyOrder::Read(id)))).collect()
}

/// What came of the rows that the operator asked about, in a few words.
fn answer(state: &State, news: &VerifyNews) -> Option<String> {
    let asked = &state.proofs.asked;
    let found = match news {
        VerifyNews::Failed(why) => return (!asked.is_empty()).then(|| format!("not verified: {why}")),
        VerifyNews::Examined { found, .. } => found,
    };
    let words =
        |row: &Provenance| if row.is_disputed() { "sources contradict each other".to_owned() } else { row.words() };
    let known: Vec<(&Hotkey, &Provenance)> =
        asked.iter().filter_map(|hotkey| Some((hotkey, found.rows.get(hotkey)?))).collect();
    if let [(hotkey, row)] = known[..] {
        let uid = state.model.table.roster().by_hotkey(hotkey).and_then(|row| row.uid);
        let who = uid.map_or_else(|| hotkey.short(), |uid| format!("uid {uid}"));
        // The signature was asked for: why it was not looked at is part of the answer.
        let why = row.limit.as_ref().filter(|_| !row.is_disputed());
        let why = why.map_or_else(String::new, |limit| format!("; {}", limit.words()));
        return Some(format!("{who} verified: {}{why}", words(row)));
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, row) in &known {
        *counts.entry(words(row)).or_default() += 1;
    }
    let counts: Vec<String> = counts.into_iter().map(|(words, count)| format!("{count} {words}")).collect();
    (!known.is_empty()).then(|| format!("{} rows verified: {}", known.len(), counts.join(", ")))
}

/// Takes in what came of an order.
pub fn on_event(state: &mut State, news: VerifyNews) -> Vec<Effect> {
    if let Some(text) = answer(state, &news) {
        state.proofs.asked.clear();
        state.say(text);
    }
    let proofs = &mut state.proofs;
    proofs.under_way = proofs.under_way.saturating_sub(1);
    match news {
        VerifyNews::Failed(why) => {
            proofs.failed = Some(why);
            Vec::new()
        }
        VerifyNews::Examined { found, everybody } => {
            proofs.failed = None;
            let own = state.model.own.hotkey.and_then(|own| found.rows.get(&own).cloned());
            proofs.own_seen_ms = own.as_ref().map(|_| state.model.now_ms).or(proofs.own_seen_ms);
            let forged = found.rows.iter().filter(|(hotkey, row)| {
                Some(**hotkey) != state.model.own.hotkey && row.is_disputed() && !row.is_unknown()
            });
            let proven = forged.map(|(hotkey, row)| (*hotkey, row.commitment.clone())).collect();
            let told = proofs.take(*found, everybody);
            show_proven(state, proven);
            let corrected = own.map_or_else(Vec::new, |own| correct(state, own));
            let proofs = &mut state.proofs;
            if !proofs.disputes.is_empty() {
                proofs.due_ms = proofs.due_ms.map(|due| due.min(state.model.now_ms + WHILE_DISPUTED_MS));
            }
            state.probes.out_of_order = true;
            let logged = told.into_iter().map(|text| Effect::Log { level: Grave::Error, text });
            logged.chain(corrected).collect()
        }
    }
}

/// Shows what a proof decides where the node told otherwise of others' rows.
fn show_proven(state: &mut State, commitments: Vec<(Hotkey, Option<Commitment>)>) {
    let block = state.model.table.snapshot().map(|snapshot| snapshot.at.number).unwrap_or_default();
    let change = SubnetChange { block, commitments, members: Vec::new() };
    if !change.commitments.is_empty() && state.model.table.change(change, state.model.own.own().as_ref()) {
        state.rows_changed();
    }
}

/// Shows of the own row what is verified where the feed tells otherwise, and says so. A feed that only lagged is corrected by
/// its next change; one that is caught in a lie is a contradiction.
fn correct(state: &mut State, verified: Provenance) -> Vec<Effect> {
    let Some(hotkey) = state.model.own.hotkey else { return Vec::new() };
    let Some((is_told, shown)) = state.commits.watch.told(hotkey, &verified) else { return Vec::new() };
    // One node against itself decides nothing.
    let is_sure = verified.level >= Level::Agreed || (verified.is_disputed() && !verified.is_unknown());
    let told = state.proofs.own_told;
    if is_told || !is_sure || verified.at.number < told {
        return Vec::new();
    }
    let set_at = verified.commitment.as_ref().and_then(|commitment| commitment.block);
    let since = set_at.map_or(told, |set| set.max(told)) + MAY_LAG;
    let goes_on = state.model.connection.loss().is_none() && state.model.heads.finalized >= Some(verified.at.number);
    let is_snapshot = state.model.table.snapshot().is_some_and(|snapshot| snapshot.at.hash == verified.at.hash);
    let is_caught = is_snapshot || (goes_on && verified.at.number >= since);
    let dispute = is_caught.then(|| contradicted(state, hotkey, shown, &verified));
    let commitments = vec![(hotkey, verified.commitment)];
    let change = SubnetChange { block: verified.at.number, commitments, members: Vec::new() };
    let mut effects = watch::corrected(state, &change);
    if state.model.table.change(change, state.model.own.own().as_ref()) {
        state.rows_changed();
    }
    if let Some(dispute) = dispute {
        let Diagnostic { summary, cause, .. } = dispute.finding();
        effects
            .push(Effect::Log { level: Grave::Error, text: format!("{summary}: {cause} The verified one is shown.") });
        let disputes = &mut state.proofs.disputes;
        if !disputes.iter().any(|known| known.case == dispute.case && known.hotkey == dispute.hotkey) {
            disputes.push(dispute);
            disputes.sort_by_key(|dispute| !dispute.locks());
        }
    }
    effects
}

/// What the feed tells of the own row against what is verified.
fn contradicted(state: &State, hotkey: Hotkey, shown: Untrusted, verified: &Provenance) -> Dispute {
    let proven = value_words(verified.commitment.as_ref());
    let says = match verified.proof {
        Some(_) => Untrusted::from_text(format!("a proof of {}", proven.shown())),
        None => proven,
    };
    let from = verified.proof_from.as_ref().or(verified.endpoints.last()).cloned().unwrap_or_default();
    let block = Some(BlockId { number: verified.at.number, hash: verified.at.hash });
    Dispute {
        case: Case::ForgedValue,
        hotkey: Some(hotkey),
        endpoint: Claim {
            endpoint: state.model.connection.endpoint().to_owned(),
            block: None,
            says: shown,
            proof: None,
        },
        witness: Claim { endpoint: from, block, says, proof: verified.proof },
        proven_wrong: verified.proof.map(|_| Side::Endpoint),
    }
}

impl Proofs {
    /// Takes in rows and disputes, and says which of these are new.
    fn take(&mut self, found: Examined, everybody: bool) -> Vec<String> {
        let Examined { rows, disputes, acknowledged, .. } = found;
        // The heights of a dispute move on; whether it is still the one that was read was asked of both sources.
        self.read.extend(acknowledged);
        if everybody {
            self.rows.retain(|hotkey, _| rows.contains_key(hotkey));
        }
        for (hotkey, row) in rows {
            let row = match self.rows.remove(&hotkey) {
                Some(before) => with_signature(row, before),
                None => row,
            };
            self.rows.insert(hotkey, row);
        }
        let is_known = |dispute: &&Dispute| self.disputes.iter().any(|known| known.is_like(dispute));
        let new = disputes.iter().filter(|dispute| !is_known(dispute));
        let told: Vec<String> =
            new.map(|dispute| format!("{}: {}", dispute.finding().summary, dispute.finding().cause)).collect();
        if everybody {
            // What nobody contradicts any more is over; should it come again, it is read again.
            let present: BTreeSet<String> = disputes.iter().map(Dispute::id).collect();
            self.read.retain(|id, _| present.contains(id));
            self.disputes = disputes;
        } else {
            // The same one at a later height takes the place of the earlier one.
            self.disputes.retain(|known| !disputes.iter().any(|dispute| known.is_like(dispute)));
            self.disputes.extend(disputes);
        }
        self.disputes.sort_by_key(|dispute| !dispute.locks());
        told
    }
}

/// A signature that was verified stays verified as long as its value is proven again.
fn with_signature(row: Provenance, before: Provenance) -> Provenance {
    let same = before.level == Level::Signed && row.commitment == before.commitment;
    if same && row.level == Level::Proven && row.limit == Some(Limit::NotAsked) {
        return Provenance { level: Level::Signed, limit: None, signature: before.signature, ..row };
    }
    row
}
