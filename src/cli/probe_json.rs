//! The documents of `probe`, `visible` and `self-test`. Field names are a contract with scripts: add, never rename.

use serde::Serialize;

use crate::domain::date::stamp;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Blame, Layer, Listing, Probe, Risk, Step, Verdict};
use crate::domain::provenance::Level;
use crate::domain::self_test::SelfTest;
use crate::domain::snapshot::SubnetSnapshot;
use crate::domain::untrusted::Untrusted;
use crate::domain::visible::{Check, Standing, Visibility};
use crate::domain::window::Window;

/// `probe`
#[derive(Debug, Serialize)]
pub struct ProbeDocument<'d> {
    netuid: u16,
    results: Vec<ResultDocument<'d>>,
}

/// One read test.
#[derive(Debug, Serialize)]
pub struct ResultDocument<'d> {
    uid: Option<u16>,
    hotkey: Hotkey,
    verdict: Verdict,
    blame: Option<Blame>,
    layer: Layer,
    window: Option<Window>,
    object: Option<&'d str>,
    size: Option<u64>,
    last_modified: Option<String>,
    deadline: Option<String>,
    deadline_exact: Option<bool>,
    elapsed_ms: u64,
    clock_offset_ms: Option<i64>,
    steps: &'d [Step],
    risks: &'d [Risk],
    explanation: &'d str,
    fix: &'d str,
    /// Whether the key is on chain by more than one node's word.
    confirmed: Option<bool>,
    tested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    listing: Option<&'d [Untrusted]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listing_refused: Option<&'d str>,
}

impl<'d> ResultDocument<'d> {
    fn of(probe: &'d Probe, listing: Option<&'d Listing>) -> Self {
        Self {
            uid: probe.uid,
            hotkey: probe.hotkey,
            verdict: probe.verdict,
            blame: probe.blame,
            layer: probe.verdict.layer(),
            window: probe.window,
            object: probe.object.as_deref(),
            size: probe.size,
            last_modified: probe.last_modified_ms.map(stamp),
            deadline: probe.deadline.map(|deadline| stamp(deadline.at_ms)),
            deadline_exact: probe.deadline.map(|deadline| deadline.exact),
            elapsed_ms: probe.elapsed_ms,
            clock_offset_ms: probe.clock_offset_ms,
            steps: &probe.steps,
            risks: &probe.risks,
            explanation: &probe.explanation,
            fix: &probe.fix,
            confirmed: probe.confirmed,
            tested_at: stamp(probe.at_ms),
            listing: listing.and_then(|listing| listing.as_deref().ok()),
            listing_refused: listing.and_then(|listing| listing.as_ref().err()).map(String::as_str),
        }
    }
}

impl<'d> ProbeDocument<'d> {
    /// Of tests and the listings that were asked for.
    pub fn of(
        snapshot: &SubnetSnapshot,
        results: impl Iterator<Item = &'d Probe>,
        listings: &'d [(Hotkey, Listing)],
    ) -> Self {
        let listing = |hotkey: Hotkey| listings.iter().find(|(of, _)| *of == hotkey).map(|(_, listing)| listing);
        Self {
            netuid: snapshot.netuid,
            results: results.map(|probe| ResultDocument::of(probe, listing(probe.hotkey))).collect(),
        }
    }
}

/// `visible`
#[derive(Debug, Serialize)]
pub struct VisibleDocument<'d> {
    netuid: u16,
    uid: Option<u16>,
    hotkey: Hotkey,
    visible: Option<bool>,
    standing: Standing,
    seen_from: &'d str,
    out_of_time: bool,
    seconds: f64,
    sentence: &'d str,
    /// How far the own row is confirmed, and why no further.
    level: Level,
    level_limit: Option<&'d str>,
    checks: &'d [Check],
    windows: Vec<WindowDocument>,
    probe: Option<ResultDocument<'d>>,
}

#[derive(Debug, Serialize)]
struct WindowDocument {
    window: Window,
    verdict: Verdict,
    size: Option<u64>,
    early_ms: Option<i64>,
    deadline_exact: bool,
}

impl<'d> VisibleDocument<'d> {
    /// Of the verdict.
    pub fn of(snapshot: &SubnetSnapshot, seen: &'d Visibility, seconds: f64) -> Self {
        let windows = seen.windows.iter().map(|seen| WindowDocument {
            window: seen.window,
            verdict: seen.verdict,
            size: seen.size,
            early_ms: seen.early_ms,
            deadline_exact: seen.exact,
        });
        Self {
            netuid: snapshot.netuid,
            uid: seen.uid,
            hotkey: seen.hotkey,
            visible: seen.is_visible(),
            seen_from: &seen.seen_from,
            standing: seen.standing(),
            out_of_time: seen.out_of_time,
            seconds,
            sentence: &seen.sentence,
            level: seen.confirmed.as_ref().map_or(Level::Reported, |confirmed| confirmed.level),
            level_limit: seen.confirmed.as_ref().and_then(|confirmed| confirmed.why.as_deref()),
            checks: &seen.checks,
            windows: windows.collect(),
            probe: seen.probe.as_deref().map(|probe| ResultDocument::of(probe, None)),
        }
    }
}

/// `self-test`
#[derive(Debug, Serialize)]
pub struct SelfTestDocument<'d> {
    netuid: u16,
    #[serde(flatten)]
    test: &'d SelfTest,
    seconds: f64,
}

impl<'d> SelfTestDocument<'d> {
    /// Of a self-test.
    pub fn of(snapshot: &SubnetSnapshot, test: &'d SelfTest, seconds: f64) -> Self {
        Self { netuid: snapshot.netuid, test, seconds }
    }
}
