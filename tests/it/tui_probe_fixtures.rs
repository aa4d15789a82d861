//! Read tests for the tests of the screens: answers of a store, judged as they would be.

use grail_console::domain::probe::{
    Case, Exchange, Found, Probe, ProbeNews, Reply, Request, Risk, Step, Trouble, Verdict, judge,
};
use grail_console::domain::provider::Provider;
use grail_console::domain::visible::{Check, Standing, Visibility, WindowSeen};
use grail_console::domain::window::{Deadline, DocumentedName, Window};
use grail_console::engine::service::Event as EngineEvent;
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::State;
use grail_console::tui::update::update;

use crate::tui_fixtures::*;

/// The window that validators score at [`HEAD`], and the last moment for its upload.
pub const WINDOW: Window = Window::of(HEAD - 30);
pub const DEADLINE: Deadline = Deadline { at_ms: NOW_MS - 200_000, exact: true };

pub fn refused(http: u16, code: &str) -> Reply {
    Reply::Refused { http, code: Some(code.into()), message: None }
}

pub fn found(size: u64, modified_ms: u64) -> Reply {
    Reply::Found(Found { http: 200, size: Some(size), last_modified_ms: Some(modified_ms) })
}

/// A test of a uid from what the store answered, one answer after the other.
pub fn judged(uid: u64, answers: Vec<(Request, Reply)>, elapsed_ms: u64) -> Probe {
    let provider = Provider::default();
    let each = elapsed_ms / (answers.len() as u64).max(1);
    let exchanges: Vec<Exchange> =
        answers.into_iter().map(|(request, reply)| Exchange { request, reply, ms: each }).collect();
    let uid16 = u16::try_from(uid).ok();
    let own = uid16 == Some(OWN);
    let (window, deadline) = (WINDOW, Some(DEADLINE));
    let case =
        Case { provider: &provider, uid: uid16, own, window, deadline, exchanges: &exchanges, clock_offset_ms: None };
    let judgement = judge(&case);
    let hotkey = hotkey(uid);
    Probe {
        uid: uid16.filter(|uid| *uid < 60_000),
        hotkey,
        verdict: judgement.verdict,
        blame: judgement.blame,
        is_definite: judgement.is_definite,
        window: Some(window),
        object: Some(DocumentedName::Window(hotkey, window).to_string()),
        size: judgement.found.and_then(|found| found.size),
        last_modified_ms: judgement.found.and_then(|found| found.last_modified_ms),
        deadline,
        elapsed_ms,
        clock_offset_ms: None,
        steps: exchanges.iter().map(Step::from).collect(),
        risks: Vec::new(),
        explanation: judgement.explanation,
        fix: judgement.fix,
        confirmed: None,
        at_ms: NOW_MS + 3_000,
    }
}

/// A test of a uid with a verdict.
pub fn probe(uid: u64, verdict: Verdict) -> Probe {
    use Request::{GetByte, HeadCompressed, HeadPlain};
    let early = DEADLINE.at_ms - 41_000;
    let nothing = || Reply::Refused { http: 404, code: None, message: None };
    let shut = || Reply::Refused { http: 403, code: None, message: None };
    let (answers, ms) = match verdict {
        Verdict::Ok => (vec![(HeadCompressed, nothing()), (HeadPlain, found(1_234_567, early))], 60 + uid % 90),
        Verdict::Late => (vec![(HeadCompressed, found(1_234_567, DEADLINE.at_ms + 41_000))], 203),
        Verdict::BadSize => (vec![(HeadCompressed, found(17, early))], 70),
        Verdict::NoObject => {
            let body = (GetByte, refused(404, "NoSuchKey"));
            (vec![(HeadCompressed, nothing()), (HeadPlain, nothing()), body], 140)
        }
        Verdict::AuthUnknownKey => {
            let body = (GetByte, refused(401, "Unauthorized"));
            (vec![(HeadCompressed, shut()), (HeadPlain, shut()), body], 133)
        }
        Verdict::ScopeDenied => {
            let body = (GetByte, refused(403, "AccessDenied"));
            (vec![(HeadCompressed, shut()), (HeadPlain, shut()), body], 151)
        }
        Verdict::Throttled => (vec![(HeadCompressed, refused(429, "TooManyRequests"))], 12),
        Verdict::Dns => (vec![(HeadCompressed, Reply::Failed(Trouble::Dns { why: "no such name".to_owned() }))], 20),
        other => panic!("no answers are at hand for {other:?}"),
    };
    let probe = judged(uid, answers, ms);
    assert_eq!(probe.verdict, verdict);
    probe
}

/// A hotkey without a commitment is through without a request.
pub fn bare(uid: u64) -> Probe {
    Probe {
        verdict: Verdict::NoCommitment,
        window: None,
        object: None,
        steps: Vec::new(),
        elapsed_ms: 0,
        explanation: "Nothing was ever published: validators do not look for this bucket at all.".to_owned(),
        fix: "Only the holder can mend it: publish the read pair with commit.".to_owned(),
        ..judged(uid, Vec::new(), 0)
    }
}

/// The verdict that a uid of the healthy subnet has in these tests: most are on time.
pub fn verdict_of(uid: u64) -> Verdict {
    match uid {
        7 | 11 | 19 => Verdict::Dns,
        n if n % 41 == 9 => Verdict::AuthUnknownKey,
        n if n % 37 == 12 => Verdict::Late,
        n if n % 29 == 21 => Verdict::NoObject,
        n if n % 53 == 22 => Verdict::ScopeDenied,
        n if n % 97 == 25 => Verdict::Throttled,
        _ => Verdict::Ok,
    }
}

pub fn tell(state: &mut State, news: ProbeNews) -> Vec<Effect> {
    update(state, Msg::Event(EngineEvent::Probe(news)))
}

pub fn tested(state: &mut State, probe: Probe) -> Vec<Effect> {
    tell(state, ProbeNews::Tested(Box::new(probe)))
}

/// The result of a uid, as [`verdict_of`] or without a commitment.
pub fn result(state: &State, uid: u64) -> Probe {
    let row = state.model.table.roster().by_uid(u16::try_from(uid).unwrap()).unwrap();
    let mut probe = if row.commitment.is_none() { bare(uid) } else { probe(uid, verdict_of(uid)) };
    if uid == 30 {
        probe.risks = vec![Risk::SharedKey { uids: vec![31, 77] }];
    }
    probe
}

/// Results of the first uids.
pub fn swept(state: &mut State, uids: u64) {
    for uid in 0..uids {
        let probe = result(state, uid);
        tested(state, probe);
    }
}

fn check(name: &'static str, words: &'static str, standing: Standing, evidence: &str, fix: &str) -> Check {
    Check { check: name, words, standing, evidence: evidence.to_owned(), fix: fix.to_owned() }
}

/// The verdict over the own uid, good or bad.
pub fn visibility(visible: bool) -> Visibility {
    let newest = if visible {
        check("newest_window", "newest window on time", Standing::Yes, "Window 9,168,480 is there, 41 s early.", "")
    } else {
        check(
            "newest_window",
            "newest window on time",
            Standing::No,
            "Window 9,168,480 was uploaded 41 s after its deadline: validators exclude the miner for 14 windows.",
            "Upload earlier: check the bandwidth and this window's place in the miner's log.",
        )
    };
    let windows = WINDOW.back(12).enumerate().map(|(i, window)| {
        let verdict = match i {
            0 if !visible => Verdict::Late,
            5 => Verdict::NoObject,
            9 => Verdict::Throttled,
            _ => Verdict::Ok,
        };
        let there = matches!(verdict, Verdict::Ok | Verdict::Late);
        let early_ms = if verdict == Verdict::Late { -41_000 } else { 41_000 + i64::try_from(i).unwrap() * 3_000 };
        WindowSeen {
            window,
            verdict,
            size: there.then_some(1_234_567),
            early_ms: there.then_some(early_ms),
            exact: i < 8,
        }
    });
    let trust = "No trust list was found for this window: none may have been published yet.";
    let probe = probe(u64::from(OWN), if visible { Verdict::Ok } else { Verdict::Late });
    let seen = Visibility {
        confirmed: None,
        hotkey: hotkey(u64::from(OWN)),
        uid: Some(OWN),
        visible: false,
        sentence: String::new(),
        checks: vec![
            check("registered", "registered", Standing::Yes, "uid 42 on subnet 81.", ""),
            check("readable", "commitment readable", Standing::Yes, "GRAIL accepts it, and it has R2's shapes.", ""),
            check("key_reads", "published key reads", Standing::Yes, "The store knows the key: 84 ms.", ""),
            newest,
            check("trusted", "in a trust list", Standing::Unknown, trust, "Ask again in a few minutes."),
        ],
        windows: windows.collect(),
        probe: Some(Box::new(probe)),
        block: HEAD,
        at_ms: NOW_MS + 3_000,
        out_of_time: false,
        seen_from: "this machine, region us-east-1, endpoint https://store.example".to_owned(),
    };
    seen.conclude()
}
