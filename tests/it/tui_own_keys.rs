//! The self-test of the own keys in the console: asked for, confirmed, shown.

use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::{Exchange, Found, ProbeNews, ProbeOrder, Reply, Request, Risk, Verdict};
use grail_console::domain::self_test::{Canary, JudgedStep, Outcome, SelfTest};
use grail_console::engine::service::Request as Asked;
use grail_console::tui::msg::Effect;
use grail_console::tui::probes::OwnKeys;
use grail_console::tui::state::{Mode, State, View};
use insta::assert_snapshot;

use crate::tui_fixtures::*;
use crate::tui_parts::*;
use crate::tui_probe_fixtures::*;

/// One that may write.
fn console() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    state.options.read_only = false;
    state
}

pub fn in_you() -> State {
    let mut state = console();
    press(&mut state, "u");
    state
}

fn done(request: Request, outcome: Outcome, explanation: &str, fix: &str) -> JudgedStep {
    let reply = match outcome {
        Outcome::Failed => refused(403, "AccessDenied"),
        _ => Reply::Found(Found { http: 200, ..Found::default() }),
    };
    JudgedStep::of(&Exchange { request, reply, ms: 31 }, outcome, explanation, fix)
}

fn test_of(hotkey: Hotkey, good: bool) -> SelfTest {
    let reads = if good { Outcome::Passed } else { Outcome::Failed };
    let why = "The published key cannot read the own bucket: it may not.";
    let fix = "Commit a read key that works, and test again; a new token takes up to a minute.";
    let steps = vec![
        done(Request::PutCanary, Outcome::Passed, "The write key writes into the own bucket.", ""),
        done(Request::GetCanaryPublished, reads, why, if good { "" } else { fix }),
        JudgedStep::skipped(Request::GetCanaryLocal, "The local read key is the published one."),
        done(Request::DeleteCanary, Outcome::Passed, "The canary is gone again.", ""),
        done(Request::ListBuckets, Outcome::Passed, "The read key is limited to objects: it cannot list buckets.", ""),
    ];
    SelfTest {
        hotkey,
        bucket: "d6534454dc425c8cdae4af6435232e8b".to_owned(),
        steps,
        risks: if good { Vec::new() } else { vec![Risk::WriteCapable] },
        healthy: good,
        left_behind: None,
        canary: Canary::Removed,
        out_of_time: false,
        at_ms: NOW_MS,
    }
}

fn ended(state: &mut State, good: bool) -> Vec<Effect> {
    let test = Box::new(test_of(hotkey(42), good));
    tell(state, ProbeNews::SelfTested(test))
}

#[test]
fn a_self_test_is_asked_for_and_enter_alone_does_not_begin_it() {
    let mut state = in_you();
    assert!(press(&mut state, "T").is_empty());
    assert!(matches!(state.mode, Mode::SelfTest(_)));
    assert!(press(&mut state, "enter").is_empty());
    assert!(matches!((&state.mode, &state.probes.own_keys), (Mode::Normal, OwnKeys::Idle)));
    press(&mut state, "T");
    let effects = press(&mut state, "tab enter");
    assert_eq!(effects, [Effect::Ask(Asked::Probe(ProbeOrder::SelfTest))]);
    assert!(matches!(state.probes.own_keys, OwnKeys::Testing { .. }));
}

#[test]
fn while_one_runs_another_is_not_begun() {
    let mut state = in_you();
    press(&mut state, "T tab enter");
    assert!(press(&mut state, "T tab enter").is_empty());
    assert!(matches!(state.mode, Mode::Normal));
}

#[test]
fn a_read_only_console_does_not_even_ask() {
    let mut state = console();
    state.options.read_only = true;
    press(&mut state, "u T");
    assert!(matches!(state.mode, Mode::Normal));
    assert!(state.toast.as_ref().unwrap().text.starts_with("read-only"));
}

#[test]
fn what_it_finds_risky_stands_beside_the_own_read_test_before_and_after() {
    let mut state = in_you();
    tested(&mut state, probe(42, Verdict::Ok));
    ended(&mut state, false);
    let risks = |state: &State| state.probes.record(&hotkey(42)).unwrap().probe.risks.clone();
    assert_eq!(risks(&state), [Risk::WriteCapable]);
    tested(&mut state, probe(42, Verdict::Ok));
    assert_eq!(risks(&state), [Risk::WriteCapable], "a newer read test knows it too");
    assert!(state.probes.of(&hotkey(42)).risky);
}

#[test]
fn a_result_of_another_hotkey_is_dropped() {
    let mut state = in_you();
    press(&mut state, "T tab enter");
    tell(&mut state, ProbeNews::SelfTested(Box::new(test_of(hotkey(7), true))));
    assert!(matches!(state.probes.own_keys, OwnKeys::Idle));
}

#[test]
fn a_self_test_that_cannot_be_made_says_why() {
    let mut state = in_you();
    press(&mut state, "T tab enter");
    let problem =
        Diagnostic::new("self_test", Severity::Warning, "The own keys cannot be tested", "Why.", "What to do.");
    tell(&mut state, ProbeNews::SelfTestFailed(problem));
    assert!(matches!(&state.probes.own_keys, OwnKeys::Failed(problem) if problem.code == "self_test"));
    assert_eq!(state.view, View::You);
}

#[test]
fn the_question_and_the_ends() {
    let mut pictures = Pictures::default();
    let mut state = in_you();
    pictures.add("not tested", at_both_sizes(&state, section("YOUR KEYS")));
    press(&mut state, "T");
    pictures.add_dialog("question", &state);
    press(&mut state, "tab");
    pictures.add("test", with_keys(question)(&state, 80, 24));
    press(&mut state, "enter");
    pictures.add("testing", at_both_sizes(&state, with_keys(section("YOUR KEYS"))));
    for (name, is_good) in [("good", true), ("bad", false)] {
        let mut state = state.clone();
        ended(&mut state, is_good);
        let keys = section("YOUR KEYS");
        let part = |state: &State, width, height| keys(state, width, height) + &message(state, width, height);
        pictures.add(name, at_both_sizes(&state, part));
    }
    assert_snapshot!(pictures.text());
}
