//! Read tests as the screen knows them: what each row's last test found, what is being tested, the sweep, the verdict over
//! the own uid, and the marked rows.
//!
//! ```text
//!  p ─► One ─────────┐                  ┌─► Began ─► Tested ─► a result, with the commitment it was made of
//!  P ─► Sweep ───────┼─► whoever tests ─┤
//!  P again ─► Cancel ┘                  └─► SweepEnded
//!  p in You ─► Visible ───────────────────► Seen
//! ```

mod actions;
mod on_event;
mod own_keys;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::domain::commitment::Commitment;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Listing, Probe, Verdict, VerdictClass};
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::{Roster, Row};
use crate::domain::self_test::SelfTest;
use crate::domain::visible::Visibility;

pub use actions::{Scope, scope};
pub(super) use actions::{clear_marks, list, mark, probe, sweep};
pub(super) use on_event::on_event;
pub(super) use own_keys::{answer, ask};
pub use sweep::Sweep;

/// Latencies kept of a row.
const LATENCIES: usize = 16;

/// The last test of a row.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// What it found.
    #[serde(serialize_with = "shared")]
    pub probe: Arc<Probe>,
    /// How long the last tests took, in ms, the newest last.
    pub latencies: Vec<u64>,
    /// What was on chain when it began.
    commitment: Option<Commitment>,
}

impl Record {
    /// Whether another bucket or key is published by now, so that the test says nothing about today's.
    pub fn is_before_the_change(&self, row: &Row) -> bool {
        let published = |commitment: &Option<Commitment>| commitment.as_ref().and_then(Commitment::published).cloned();
        published(&self.commitment) != published(&row.commitment)
    }

    /// A word or two: the verdict's, or the object of somebody who hands in no windows.
    pub fn word(&self) -> &'static str {
        let of = |folder| self.probe.object.as_ref().is_some_and(|object| object.starts_with(folder));
        match self.probe.verdict {
            Verdict::Ok if of("grail/trust/") => "trust list",
            Verdict::Ok if of("grail/checkpoints/") => "READY",
            verdict => verdict.word(),
        }
    }

    /// What the verdict amounts to.
    pub fn class(&self) -> VerdictClass {
        VerdictClass::of(self.probe.verdict)
    }
}

/// The verdict over the own uid.
#[derive(Debug, Clone, Default, Serialize)]
pub enum OwnVisibility {
    /// It was not asked for.
    #[default]
    Idle,
    /// It is being found out.
    Loading {
        /// Since when, in ms since 1970.
        since_ms: u64,
        /// The one before.
        before: Option<Box<Visibility>>,
    },
    /// It is known.
    Ready(Box<Visibility>),
    /// It could not be found out.
    Failed(Diagnostic),
}

impl OwnVisibility {
    /// The newest verdict there is, be it one that is being replaced.
    pub fn verdict(&self) -> Option<&Visibility> {
        match self {
            Self::Ready(seen) | Self::Loading { before: Some(seen), .. } => Some(seen),
            _ => None,
        }
    }
}

/// The self-test of the own keys.
#[derive(Debug, Clone, Default, Serialize)]
pub enum OwnKeys {
    /// It was not asked for.
    #[default]
    Idle,
    /// It is under way.
    Testing {
        /// Since when, in ms since 1970.
        since_ms: u64,
    },
    /// How it ended.
    Tested(Box<SelfTest>),
    /// It could not be made.
    Failed(Diagnostic),
}

/// Everything that the console holds about read tests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Probes {
    /// The sweep under way.
    pub sweep: Option<Sweep>,
    /// The verdict over the own uid.
    pub visibility: OwnVisibility,
    /// The self-test of the own keys.
    pub own_keys: OwnKeys,
    /// The listing that was asked for last: whose, and what came of it once it came.
    pub listing: Option<(Hotkey, Option<Listing>)>,
    results: HashMap<Hotkey, Record>,
    /// What is being tested, with what was on chain when that began.
    running: HashMap<Hotkey, Option<Commitment>>,
    marked: BTreeSet<Hotkey>,
    /// How many registered uids have each verdict.
    tally: BTreeMap<Verdict, usize>,
    /// How many registered uids have neither a commitment nor a result.
    bare: usize,
    /// When the newest result was made, in ms since 1970.
    newest_ms: u64,
    /// What could not be tested last, and why.
    refused: Option<(HashSet<Hotkey>, Diagnostic)>,
    /// Whether an order that depends on results is out of date.
    pub(super) out_of_order: bool,
    /// When that was last mended, in ms since 1970.
    pub(super) ordered_ms: u64,
}

impl Probes {
    /// The last test of a hotkey.
    pub fn record(&self, hotkey: &Hotkey) -> Option<&Record> {
        self.results.get(hotkey)
    }

    /// Whether a hotkey is being tested.
    pub fn is_running(&self, hotkey: &Hotkey) -> bool {
        self.running.contains_key(hotkey)
    }

    /// Whether anything is being tested.
    pub const fn is_busy(&self) -> bool {
        self.sweep.is_some()
            || matches!(self.visibility, OwnVisibility::Loading { .. })
            || matches!(self.own_keys, OwnKeys::Testing { .. })
    }

    /// Whether a hotkey is marked.
    pub fn is_marked(&self, hotkey: &Hotkey) -> bool {
        self.marked.contains(hotkey)
    }

    /// Why a hotkey could not be tested when that was asked for last.
    pub fn problem(&self, hotkey: &Hotkey) -> Option<&Diagnostic> {
        self.refused.as_ref().filter(|(hotkeys, _)| hotkeys.contains(hotkey)).map(|(_, problem)| problem)
    }

    /// The marked rows.
    pub fn marked(&self) -> impl Iterator<Item = &Hotkey> {
        self.marked.iter()
    }

    /// How many rows are marked.
    pub fn marks(&self) -> usize {
        self.marked.len()
    }

    /// How many registered uids have each verdict.
    pub const fn tally(&self) -> &BTreeMap<Verdict, usize> {
        &self.tally
    }

    /// How many registered uids have a verdict that amounts to this.
    pub fn count(&self, class: VerdictClass) -> usize {
        self.tally.iter().filter(|(verdict, _)| VerdictClass::of(**verdict) == class).map(|(_, count)| count).sum()
    }

    /// How many registered uids were tested.
    pub fn tested(&self) -> usize {
        self.tally.values().sum()
    }

    /// How many registered uids have neither a commitment nor a result.
    pub const fn bare(&self) -> usize {
        self.bare
    }

    /// When the newest result was made, in ms since 1970.
    pub const fn newest_ms(&self) -> u64 {
        self.newest_ms
    }

    /// What filter and order ask about the read tests of a hotkey.
    pub fn of(&self, hotkey: &Hotkey) -> Tested {
        let marked = self.is_marked(hotkey);
        match self.record(hotkey).map(|record| &record.probe) {
            Some(probe) => Tested {
                verdict: Some(probe.verdict),
                elapsed_ms: probe.elapsed_ms,
                risky: !probe.risks.is_empty(),
                marked,
                ..Tested::default()
            },
            None => Tested { marked, ..Tested::default() },
        }
    }

    /// Forgets what belongs to nobody in the table any more, and counts anew.
    pub(super) fn reconcile(&mut self, roster: &Roster) {
        if self.results.is_empty() && self.marked.is_empty() && self.running.is_empty() {
            self.bare = roster.summary.none;
            return;
        }
        let known: HashSet<Hotkey> = roster.rows.iter().chain(&roster.ex_members).map(|row| row.hotkey).collect();
        self.results.retain(|hotkey, _| known.contains(hotkey));
        self.running.retain(|hotkey, _| known.contains(hotkey));
        self.marked.retain(|hotkey| known.contains(hotkey));
        self.tally.clear();
        self.bare = 0;
        for row in &roster.rows {
            match self.results.get(&row.hotkey) {
                Some(record) => *self.tally.entry(record.probe.verdict).or_default() += 1,
                None => self.bare += usize::from(row.commitment.is_none()),
            }
        }
    }

    fn begin(&mut self, hotkey: Hotkey, commitment: Option<Commitment>) {
        self.running.insert(hotkey, commitment);
        if let Some((refused, _)) = &mut self.refused {
            refused.remove(&hotkey);
        }
    }

    /// What the self-test found risky about the own key stands beside its read test too.
    fn know_risks(&self, probe: &mut Probe) {
        let OwnKeys::Tested(test) = &self.own_keys else { return };
        if test.hotkey == probe.hotkey {
            let new = test.risks.iter().filter(|risk| !probe.risks.contains(risk)).cloned().collect::<Vec<_>>();
            probe.risks.extend(new);
        }
    }

    /// Brings the last read test of the own row up to date with the self-test.
    fn renew_risks(&mut self, hotkey: &Hotkey) {
        let Some(mut probe) = self.record(hotkey).map(|record| Probe::clone(&record.probe)) else { return };
        self.know_risks(&mut probe);
        if let Some(record) = self.results.get_mut(hotkey) {
            record.probe = Arc::new(probe);
        }
    }

    fn put(&mut self, mut probe: Probe, row: &Row) {
        let hotkey = row.hotkey;
        self.know_risks(&mut probe);
        let commitment = self.running.remove(&hotkey).unwrap_or_else(|| row.commitment.clone());
        let before = self.results.remove(&hotkey);
        if !row.is_ex_member() {
            match &before {
                Some(before) => {
                    self.tally.entry(before.probe.verdict).and_modify(|count| *count = count.saturating_sub(1));
                }
                None => self.bare = self.bare.saturating_sub(usize::from(row.commitment.is_none())),
            }
            *self.tally.entry(probe.verdict).or_default() += 1;
            self.tally.retain(|_, count| *count > 0);
        }
        let mut latencies = before.map(|before| before.latencies).unwrap_or_default();
        if !probe.steps.is_empty() {
            latencies.push(probe.elapsed_ms);
            latencies.drain(..latencies.len().saturating_sub(LATENCIES));
        }
        self.newest_ms = self.newest_ms.max(probe.at_ms);
        self.results.insert(hotkey, Record { probe: Arc::new(probe), latencies, commitment });
        self.out_of_order = true;
    }
}

fn shared<S: Serializer>(probe: &Arc<Probe>, serializer: S) -> Result<S::Ok, S::Error> {
    probe.as_ref().serialize(serializer)
}
