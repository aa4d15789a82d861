//! Would a validator see me right now, and if not, why? The evidence for the own uid, and one sentence on top.

use serde::Serialize;

use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Blame, Probe, Verdict};
use crate::domain::provenance::Confirmed;
use crate::domain::text::{age_seconds, grouped};
use crate::domain::window::{REFETCH_SECONDS, Window};

/// How one condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds.
    Yes,
    /// It does not, and validators skip this miner for it.
    No,
    /// It does not hold, and costs nothing by itself or not yet.
    Warning,
    /// It could not be found out.
    Unknown,
}

impl Standing {
    /// The glyph on screens.
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Yes => "✓",
            Self::No => "✗",
            Self::Warning => "!",
            Self::Unknown => "?",
        }
    }
}

/// One condition with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name: `chain` (only where it is not followed), `verified` (only where a second source is configured and does not
    /// confirm the own row), `registered`, `readable`, `key_reads`, `old_enough`, `newest_window`, `windows`, `format`, `trusted`,
    /// `trainer_ready`.
    pub check: &'static str,
    /// The words on the screen.
    pub words: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// The evidence in words.
    pub evidence: String,
    /// What to do, where something can be done.
    pub fix: String,
}

impl Check {
    /// Whether nothing can be said of the whole as long as this is not known.
    fn is_needed(&self) -> bool {
        matches!(self.check, "chain" | "verified" | "registered" | "readable" | "key_reads" | "newest_window")
    }
}

/// One of the last windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowSeen {
    /// The window.
    pub window: Window,
    /// What a validator would have concluded.
    pub verdict: Verdict,
    /// Size of its object in bytes.
    pub size: Option<u64>,
    /// How long before its deadline it was uploaded, in ms; negative when after it.
    pub early_ms: Option<i64>,
    /// Whether the deadline was read from the chain.
    pub exact: bool,
}

/// The verdict over the own uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visibility {
    /// The own hotkey.
    pub hotkey: Hotkey,
    /// Its uid, if it has one.
    pub uid: Option<u16>,
    /// Whether a validator would see this miner now.
    pub visible: bool,
    /// The one sentence.
    pub sentence: String,
    /// The conditions, in the order in which they fail.
    pub checks: Vec<Check>,
    /// The last windows, newest first.
    pub windows: Vec<WindowSeen>,
    /// The read test of the newest window.
    pub probe: Option<Box<Probe>>,
    /// How far the own row was confirmed; `None` where it was not.
    pub confirmed: Option<Confirmed>,
    /// The best block that it was judged at.
    pub block: u64,
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// Whether the time for the whole was over before everything was asked.
    pub out_of_time: bool,
    /// From where: this machine, the region it signs for, the endpoint.
    pub seen_from: String,
}

const NOT_SEEN: &str = "A validator would not see you now";
const NOT_KNOWN: &str = "Whether a validator would see you now could not be found out";

impl Visibility {
    /// Yes, no, or not known.
    pub fn is_visible(&self) -> Option<bool> {
        match self.standing() {
            Standing::Yes | Standing::Warning => Some(true),
            Standing::No => Some(false),
            Standing::Unknown => None,
        }
    }

    /// Draws the conclusion from the checks.
    #[must_use]
    pub fn conclude(mut self) -> Self {
        let holds = self.checks.iter().any(|check| check.standing == Standing::Yes);
        self.visible = self.in_the_way().is_none() && holds;
        self.sentence = match self.in_the_way() {
            Some(check) if check.standing == Standing::No => format!("{NOT_SEEN}: {}", check.evidence),
            None if self.visible => seen(&self.checks, self.windows.first()),
            open => unknown(open),
        };
        self
    }

    /// The condition that decides where it is not seen, or not known: the first that does not hold, else the first that must be
    /// known and is not.
    fn in_the_way(&self) -> Option<&Check> {
        let is_open = |check: &&Check| check.standing == Standing::Unknown;
        let failed = self.checks.iter().find(|check| check.standing == Standing::No);
        let open = || self.checks.iter().find(|check| check.is_needed() && is_open(check));
        failed.or_else(open).or_else(|| self.checks.iter().filter(|_| self.out_of_time).find(is_open))
    }

    /// The conclusion in one word: unknown is neither yes nor no.
    pub fn standing(&self) -> Standing {
        match (self.visible, self.checks.iter().any(|check| check.standing == Standing::No)) {
            (true, _) => Standing::Yes,
            (false, true) => Standing::No,
            (false, false) => Standing::Unknown,
        }
    }

    /// Why it is not seen, or not known; `None` where it is seen.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
        let (class, code, what) = match self.standing() {
            Standing::Yes | Standing::Warning => return None,
            Standing::No => (Class::Finding, "not_visible", NOT_SEEN),
            Standing::Unknown => (Class::Unknown, "visible_unknown", NOT_KNOWN),
        };
        let (why, help) = self.in_the_way().map_or(("", ""), |check| (&check.evidence, &check.fix));
        Some(Diagnostic::failure(class, code, what, why, help).about_row(self.uid, self.hotkey))
    }

    /// The check of that name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.check == name)
    }
}

fn unknown(open: Option<&Check>) -> String {
    let why = open.map(|check| format!(" {}", crate::domain::text::capitalised(&check.evidence))).unwrap_or_default();
    format!("{NOT_KNOWN}.{why}")
}

fn seen(checks: &[Check], newest: Option<&WindowSeen>) -> String {
    let window = newest
        .map_or_else(String::new, |seen| format!(" Window {} is there and on time.", grouped(seen.window.start())));
    let doubt = checks.iter().find(|check| check.standing == Standing::Warning);
    match doubt {
        Some(check) => format!(
            "A validator would see you now.{window} But {}",
            crate::domain::text::uncapitalised(&check.evidence)
        ),
        None => format!("A validator would see you now.{window}"),
    }
}

/// What a validator that asks right now gets, where the test says nothing of the bucket; `None` where it does.
pub fn asking_now(probe: &Probe) -> Option<&'static str> {
    Some(match probe.verdict {
        _ if probe.is_definite => return None,
        Verdict::Throttled => "A validator that asks right now may get the same, and then counts no window.",
        Verdict::ProviderError if probe.blame == Some(Blame::Store) => {
            "A validator that asks right now fails three times too, and counts no window."
        }
        Verdict::ClockSkew => "A validator has a clock of its own, and may well read the bucket.",
        Verdict::Slow => "A validator as far away gives up too; a nearer one may read the bucket.",
        _ => "A validator that goes the same way reads nothing right now; one elsewhere may read the bucket.",
    })
}

/// Whether a commitment is old enough for every validator to have fetched it: they refetch every ten minutes.
pub fn old_enough(set_at: Option<u64>, best: u64, block_seconds: u64) -> Check {
    let words = "known to every validator";
    let Some(set_at) = set_at else {
        let evidence = "The block of the commitment is not known.".to_owned();
        return Check { check: "old_enough", words, standing: Standing::Unknown, evidence, fix: String::new() };
    };
    let age = best.saturating_sub(set_at).saturating_mul(block_seconds);
    let shown = format!("Committed {} ago in block #{}", age_seconds(age), grouped(set_at));
    if age >= REFETCH_SECONDS {
        let evidence = format!("{shown}; validators refetch every ten minutes.");
        return Check { check: "old_enough", words, standing: Standing::Yes, evidence, fix: String::new() };
    }
    let left = REFETCH_SECONDS - age;
    Check {
        check: "old_enough",
        words,
        standing: Standing::Warning,
        evidence: format!("{shown}: the last validator fetches it in {} at most.", age_seconds(left)),
        fix: "Keep the old key alive until then.".to_owned(),
    }
}
