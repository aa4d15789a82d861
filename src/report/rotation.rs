//! The way of a rotation, a line a phase: done, under way or to come, with what is known of it.
//!
//! ```text
//! Read key, generation 2 → 3
//! ✓ in the vault        generation 3 in the Secret Service
//! ● grace               122 of 300 blocks left, about 24 min, to #9,168,550
//! · old key retired
//! ```

use super::{Role, cell};
use crate::domain::rotation::{Entry, Event, Mark, Phase, Rotation, Seen, Step};
use crate::domain::text::{age_blocks, capitalised, grouped, middle_cut};

/// What is replaced, and in which direction.
pub fn heading(rotation: &Rotation) -> String {
    let given_up = rotation.step() == Step::ForgetNew || rotation.phase == Phase::Abandoned;
    if given_up {
        format!("Giving generation {} up: {} stays in use", rotation.to, rotation.from)
    } else if rotation.back {
        format!("Back to generation {}: the old {} again", rotation.from, rotation.change.words())
    } else {
        let how = if rotation.emergency { ", EMERGENCY: revoke first" } else { "" };
        format!("{}{how}", capitalised(&rotation.title()))
    }
}

/// Each key that is replaced: its name, what is left and what is taken, in its direction.
pub fn keys(rotation: &Rotation) -> Vec<(String, String, String)> {
    let shown = |(side, keys): (crate::domain::rotation::Side, &crate::domain::rotation::Replacement)| {
        let old = keys.old.as_ref().map_or_else(|| "none before".to_owned(), ToString::to_string);
        let is_back = rotation.back && rotation.step() != Step::ForgetNew && rotation.phase != Phase::Abandoned;
        let (from, to) = if is_back { (keys.new.to_string(), old) } else { (old, keys.new.to_string()) };
        (format!("{} key", side.word()), from, to)
    };
    rotation.change.sides().map(shown).collect()
}

/// A phase with its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseLine {
    pub phase: Phase,
    pub mark: Mark,
    pub glyph: &'static str,
    /// Of the glyph.
    pub role: Role,
    pub name: &'static str,
    /// What is known of it, the longest form first; none where nothing is.
    pub facts: Vec<String>,
    /// Of the facts.
    pub facts_role: Role,
    /// When it was reached, in ms since 1970.
    pub at_ms: Option<u64>,
}

/// Where a rotation stands, and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    pub rotation: &'a Rotation,
    /// Its entries in the journal.
    pub entries: &'a [Entry],
    /// The newest finalized block that is known.
    pub finalized: Option<u64>,
    /// Whether a step is being taken now.
    pub is_busy: bool,
}

impl Way<'_> {
    /// The phases of its direction.
    pub fn lines(self) -> Vec<PhaseLine> {
        let marks = self.rotation.marks(self.finalized);
        marks.into_iter().map(|(phase, mark)| self.line(phase, mark)).collect()
    }

    fn line(self, phase: Phase, mark: Mark) -> PhaseLine {
        let rotation = self.rotation;
        let (glyph, role) = match mark {
            Mark::Done => ("✓", Role::Good),
            Mark::Now if rotation.difference.is_some() => ("●", Role::Bad),
            Mark::Now => ("●", Role::Accent),
            Mark::ToCome => ("·", Role::Dim),
        };
        let told = mark == Mark::Done || (mark == Mark::Now && phase == rotation.phase);
        let entry = self.reached(phase).filter(|_| told);
        let (facts, facts_role) = match (phase, mark) {
            (Phase::Grace, Mark::Now) => (self.grace(), Role::Plain),
            (Phase::Grace, Mark::ToCome) => (vec![self.planned_grace()], Role::Dim),
            (_, Mark::Now) => (self.waits(phase).map(ToOwned::to_owned).into_iter().collect(), Role::Warn),
            (_, Mark::Done) => (self.known(phase, entry.map(|entry| &entry.event)), Role::Plain),
            _ => (Vec::new(), Role::Dim),
        };
        let name = if rotation.back && phase == Phase::Planned { "turned back" } else { phase.words() };
        PhaseLine { phase, mark, glyph, role, name, facts, facts_role, at_ms: entry.map(|entry| entry.at_ms) }
    }

    /// The journal's last word on a phase, in the present direction.
    fn reached(&self, phase: Phase) -> Option<&Entry> {
        let turned = self.entries.iter().rposition(|entry| entry.event == Event::TurnedBack);
        let from = turned.filter(|_| self.rotation.back).unwrap_or_default();
        self.entries[from..].iter().rev().find(|entry| phase_of(&entry.event) == Some(phase))
    }

    /// Of a phase that is done.
    fn known(self, phase: Phase, event: Option<&Event>) -> Vec<String> {
        let rotation = self.rotation;
        let one = |text: String| vec![text];
        match (phase, event) {
            (Phase::Draft, _) => one(format!("for bucket {}", middle_cut(&rotation.locator, 6, 4))),
            (Phase::Staged, _) => one(format!("generation {} in {}", rotation.to, rotation.backend.name())),
            (Phase::Probed, Some(Event::Probed { found })) => {
                (1..=found.len()).rev().map(|n| found[..n].join(" · ")).collect()
            }
            (Phase::Planned, Some(Event::Planned { seen })) => one(in_place_of(*seen)),
            (Phase::Planned, Some(Event::Unsent { .. })) => one("once more: nothing of it was published".to_owned()),
            (Phase::Planned, Some(Event::Reverted { block, seen })) => vec![
                format!("once more: at #{} {}", grouped(*block), turned_up(*seen)),
                "once more: it was put back".to_owned(),
            ],
            (Phase::Planned, Some(Event::Different { .. })) => one("once more: something else is there".to_owned()),
            (Phase::Planned, Some(Event::TurnedBack)) => one("the old key is to be published again".to_owned()),
            (Phase::Signed, _) => one("you said yes".to_owned()),
            (Phase::Submitted, Some(Event::Submitted { extrinsic })) => {
                one(format!("extrinsic {}…", extrinsic.short()))
            }
            (Phase::Finalized, _) => {
                let set = |block: u64| format!("set in #{}, read back equal", grouped(block));
                rotation.finalized.map(set).into_iter().collect()
            }
            (Phase::Promoted, _) => one(format!("generation {} in the vault", rotation.target())),
            (Phase::EnvUpdated, _) => {
                let Some(how) = rotation.env else { return Vec::new() };
                let reminder = rotation.reminder().map(|_| format!("{}: restart GRAIL", how.words()));
                reminder.into_iter().chain([how.words().to_owned()]).collect()
            }
            (Phase::Grace, _) => {
                rotation.grace.map(|grace| format!("over since #{}", grouped(grace.ends_at))).into_iter().collect()
            }
            (Phase::Retired, _) => self.refusals(),
            (Phase::Abandoned, _) => one("nothing of the new keys was published".to_owned()),
            _ => Vec::new(),
        }
    }

    /// What the store said to the old keys: the proof without which nothing is forgotten.
    fn refusals(self) -> Vec<String> {
        let said = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Refused { side, http, code } => Some(format!("{} refused: {http} {code}", side.word())),
            Event::Lost { side } => Some(format!("{} lost here, store not asked", side.word())),
            _ => None,
        });
        let said: Vec<String> = said.collect();
        (1..=said.len()).rev().map(|n| said[..n].join(" · ")).collect()
    }

    /// Whom the phase under way waits for, where that is somebody.
    fn waits(self, phase: Phase) -> Option<&'static str> {
        let rotation = self.rotation;
        Some(match (rotation.step(), phase) {
            (Step::Retire, Phase::Retired) if rotation.may_hear_of_restarts() => "waits for all to be restarted",
            (Step::Revoke(_), _) | (Step::Retire, Phase::Retired) => "waits for you to revoke the old token",
            (Step::Accept, _) => "stopped: the chain holds something else",
            (Step::Publish, _) => "waits for your yes",
            (Step::Settle, _) => "the chain tells what became of it",
            (Step::UpdateEnv, _) if !self.is_busy => "waits for your word on it",
            _ => return None,
        })
    }

    fn planned_grace(self) -> String {
        let blocks = self.rotation.grace_blocks;
        if self.rotation.emergency {
            return "none: the old token is revoked".to_owned();
        }
        format!("{} blocks, {}", grouped(blocks), age_blocks(blocks))
    }

    /// The grace that runs.
    fn grace(self) -> Vec<String> {
        let Some(grace) = self.rotation.grace else { return vec![self.planned_grace()] };
        let all = grouped(grace.ends_at.saturating_sub(grace.from).max(1));
        let Some(left) = self.finalized.map(|finalized| grace.left(finalized)) else {
            return vec![format!("until #{}; no block is known yet", grouped(grace.ends_at))];
        };
        let (left, about) = (grouped(left), age_blocks(left));
        vec![
            format!("{left} of {all} blocks left · {about} · to #{}", grouped(grace.ends_at)),
            format!("{left} of {all} blocks left · {about}"),
            format!("{left} blocks · {about}"),
        ]
    }
}

const fn phase_of(event: &Event) -> Option<Phase> {
    Some(match event {
        Event::Began { .. } => Phase::Draft,
        Event::Staged => Phase::Staged,
        Event::Probed { .. } => Phase::Probed,
        Event::Planned { .. }
        | Event::Unsent { .. }
        | Event::Different { .. }
        | Event::Reverted { .. }
        | Event::TurnedBack => Phase::Planned,
        Event::Signing { .. } => Phase::Signed,
        Event::Submitted { .. } => Phase::Submitted,
        Event::Finalized { .. } => Phase::Finalized,
        Event::Promoted => Phase::Promoted,
        Event::EnvUpdated { .. } => Phase::EnvUpdated,
        Event::GraceBegan { .. } => Phase::Grace,
        Event::Retired => Phase::Retired,
        Event::Abandoned => Phase::Abandoned,
        Event::RolledBack => Phase::RolledBack,
        _ => return None,
    })
}

fn in_place_of(seen: Seen) -> String {
    match seen {
        Seen::Nothing => "nothing was there before".to_owned(),
        Seen::Unreadable => "in place of something unreadable".to_owned(),
        Seen::Holds(held) => format!("in place of fp {}", held.secret.short()),
    }
}

fn turned_up(seen: Seen) -> String {
    match seen {
        Seen::Nothing => "it was gone".to_owned(),
        Seen::Unreadable => "it was unreadable".to_owned(),
        Seen::Holds(held) => format!("fp {} was there", held.secret.short()),
    }
}

/// A rotation that is over: its generations, its keys, how it ended, and the fingerprints of the main key.
pub fn closed(rotation: &Rotation) -> [super::Cell; 4] {
    let (mark, role) = match rotation.phase {
        Phase::Retired => ("✓", Role::Good),
        Phase::RolledBack => ("↩", Role::Warn),
        _ => ("○", Role::Dim),
    };
    let emergency = if rotation.emergency { ", emergency" } else { "" };
    let prints = rotation.change.main().map(|(_, keys)| match &keys.old {
        Some(old) => format!("{} → {}", old.secret.short(), keys.new.secret.short()),
        None => keys.new.secret.short(),
    });
    [
        super::plain(format!("{} → {}", rotation.from, rotation.to)),
        super::plain(format!("{}{emergency}", rotation.change.words())),
        cell(format!("{mark} {}", rotation.phase.words()), role),
        cell(prints.unwrap_or_default(), Role::Dim),
    ]
}
