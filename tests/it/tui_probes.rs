//! What follows from read tests, told as sentences.

use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::VerdictClass;
use grail_console::domain::probe::{ProbeNews, ProbeOrder, Verdict};
use grail_console::domain::snapshot::SubnetChange;
use grail_console::engine::own::OwnInfo;
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::probes::OwnVisibility;
use grail_console::tui::state::{State, View};
use grail_console::tui::update::update;

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::*;

fn console() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    state
}

fn selected(state: &State) -> Option<u16> {
    state.selected().and_then(|row| row.uid)
}

fn listed(state: &State) -> Vec<u16> {
    let roster = state.model.table.roster();
    state.list.slots().iter().filter_map(|slot| state.list.row(roster, *slot)).filter_map(|row| row.uid).collect()
}

fn filter(state: &mut State, line: &str) {
    press(state, "/");
    update(state, Msg::Paste(line.to_owned()));
    press(state, "enter");
}

fn swept_hotkeys(effects: &[Effect]) -> Vec<Hotkey> {
    match effects {
        [Effect::Ask(Request::Probe(ProbeOrder::Sweep(hotkeys)))] => hotkeys.clone(),
        other => panic!("no sweep: {other:?}"),
    }
}

fn changed(state: &mut State, uid: u64, key: Option<u64>) {
    let commitments = vec![(hotkey(uid), key.map(|key| good(key, HEAD + 1)))];
    feed(state, FeedEvent::Changed(Box::new(SubnetChange { block: HEAD + 1, commitments, members: Vec::new() })));
}

fn line_of(state: &State, needle: &str) -> String {
    let screen = screen(state, 120, 32);
    screen.lines().find(|line| line.contains(needle)).unwrap_or_else(|| panic!("no {needle} in {screen}")).to_owned()
}

#[test]
fn p_tests_the_selected_row_but_never_twice_at_a_time() {
    let mut state = console();
    press(&mut state, "j j");
    let uid = u64::from(selected(&state).unwrap());
    assert_eq!(press(&mut state, "p"), [Effect::Ask(Request::Probe(ProbeOrder::One(hotkey(uid))))]);
    tell(&mut state, ProbeNews::Began(hotkey(uid)));
    assert!(line_of(&state, &hotkey(uid).short()).contains("… testing"));
    assert_eq!(press(&mut state, "p"), []);
    tested(&mut state, probe(uid, Verdict::Ok));
    assert!(line_of(&state, &hotkey(uid).short()).contains("ms on time"));
    assert!(!press(&mut state, "p").is_empty(), "it can be tested again");
}

#[test]
fn a_sweep_is_of_the_marked_rows_before_the_filtered_ones_before_all() {
    let mut state = console();
    let all = swept_hotkeys(&press(&mut state.clone(), "P"));
    assert_eq!(all.len(), 256);
    assert_eq!(all[..3], [hotkey(42), hotkey(0), hotkey(1)], "in the order of the screen");
    filter(&mut state, "role:validator");
    assert_eq!(swept_hotkeys(&press(&mut state.clone(), "P")).len(), 15);
    press(&mut state, "v v");
    assert_eq!(state.probes.marks(), 2);
    assert_eq!(swept_hotkeys(&press(&mut state.clone(), "P")), [hotkey(1), hotkey(2)]);
    press(&mut state, "esc");
    assert_eq!((state.probes.marks(), listed(&state).len()), (2, 256), "the filter goes first");
    press(&mut state, "esc");
    assert_eq!(state.probes.marks(), 0);
}

#[test]
fn a_mark_goes_on_to_the_next_row_and_is_taken_away_by_the_same_key() {
    let mut state = console();
    press(&mut state, "v v k");
    assert_eq!(selected(&state), Some(0));
    press(&mut state, "v");
    assert_eq!((state.probes.marks(), state.probes.is_marked(&hotkey(0))), (1, false));
    filter(&mut state, "mark:yes");
    assert_eq!(listed(&state), [42]);
    assert!(screen(&state, 120, 32).contains("◆ 1 marked"));
}

#[test]
fn while_a_sweep_runs_it_is_counted_and_the_same_key_ends_it_once() {
    let mut state = console();
    press(&mut state, "P");
    tell(&mut state, ProbeNews::Began(hotkey(3)));
    swept(&mut state, 20);
    let sweep = state.probes.sweep.clone().unwrap();
    assert_eq!((sweep.done(), sweep.total), (20, 256));
    assert_eq!(VerdictClass::ALL.map(|class| sweep.count(class)).iter().sum::<usize>(), 20);
    assert!(screen(&state, 120, 32).contains("testing 20 of 256"));
    assert!(screen(&state, 120, 32).contains("P cancels"));
    assert_eq!(press(&mut state, "P"), [Effect::Ask(Request::Probe(ProbeOrder::Cancel))]);
    assert_eq!(press(&mut state, "P"), [], "the end is asked for once");
    let effects = tell(&mut state, ProbeNews::SweepEnded { cancelled: true });
    assert!(matches!(&effects[..], [Effect::Log { text, .. }] if text.starts_with("Sweep ended at 20 of 256")));
    assert!(state.probes.sweep.is_none());
    assert_eq!(state.probes.tested(), 20, "what was found stays");
    assert_eq!(swept_hotkeys(&press(&mut state, "P")).len(), 256);
}

#[test]
fn the_end_of_a_sweep_is_told_wherever_one_is() {
    for keys in ["g", "m", "enter", "u", "L"] {
        let mut state = console();
        press(&mut state, "P");
        press(&mut state, keys);
        swept(&mut state, 256);
        tell(&mut state, ProbeNews::SweepEnded { cancelled: false });
        // What is told adds up, class by class, as in the line above the table.
        let counts = VerdictClass::ALL.map(|class| (state.probes.count(class), class.glyph()));
        assert_eq!(counts.iter().map(|(count, _)| count).sum::<usize>(), 256);
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, glyph)| format!("{glyph} {count}"));
        let text = format!("Swept 256: {}", counts.collect::<Vec<_>>().join("  "));
        assert!(screen(&state, 120, 32).contains(&text), "{}", screen(&state, 120, 32));
    }
}

#[test]
fn a_row_that_is_tested_for_itself_during_a_sweep_is_counted_once() {
    let mut state = console();
    filter(&mut state, "role:validator");
    press(&mut state, "P");
    tested(&mut state, probe(1, Verdict::Ok));
    tested(&mut state, probe(1, Verdict::Ok));
    tested(&mut state, probe(77, Verdict::Ok));
    assert_eq!(state.probes.sweep.as_ref().unwrap().done(), 1);
    assert_eq!(state.probes.tested(), 2);
}

#[test]
fn a_row_of_an_ended_sweep_that_was_begun_is_not_tested_for_ever() {
    let mut state = console();
    press(&mut state, "P");
    tell(&mut state, ProbeNews::Began(hotkey(0)));
    assert!(state.probes.is_running(&hotkey(0)));
    tell(&mut state, ProbeNews::SweepEnded { cancelled: true });
    assert!(!state.probes.is_running(&hotkey(0)));
}

#[test]
fn a_result_for_an_unknown_hotkey_is_dropped() {
    let mut state = console();
    tested(&mut state, probe(70_000, Verdict::Ok));
    assert_eq!((state.probes.tested(), state.probes.record(&hotkey(70_000)).is_some()), (0, false));
    tell(&mut state, ProbeNews::Began(hotkey(70_000)));
    assert!(!state.probes.is_running(&hotkey(70_000)));
}

#[test]
fn results_leave_with_their_hotkey_and_the_counts_with_them() {
    let mut state = console();
    swept(&mut state, 256);
    assert_eq!(state.probes.tested(), 256);
    let mut fewer = healthy();
    fewer.members.retain(|member| member.uid != 9);
    fewer.commitments.remove(&hotkey(9));
    feed(&mut state, FeedEvent::Snapshot(Box::new(fewer)));
    assert!(state.probes.record(&hotkey(9)).is_none());
    assert_eq!(state.probes.tested(), 255);
    let counted: usize = VerdictClass::ALL.into_iter().map(|sign| state.probes.count(sign)).sum();
    assert_eq!(counted, 255);
}

#[test]
fn a_new_result_takes_the_place_of_the_old_one_in_the_counts() {
    let mut state = console();
    tested(&mut state, probe(5, Verdict::Late));
    tested(&mut state, probe(5, Verdict::Ok));
    assert_eq!(state.probes.tally().iter().collect::<Vec<_>>(), [(&Verdict::Ok, &1)]);
}

#[test]
fn old_results_stay_and_tell_their_age() {
    let mut state = console();
    tested(&mut state, probe(42, Verdict::Ok));
    pass(&mut state, 190);
    assert!(screen(&state, 120, 32).contains("not tested   3 min ago"));
    press(&mut state, "enter");
    assert!(screen(&state, 120, 32).contains("ms, 3 min ago"));
    lost(&mut state);
    pass(&mut state, 7_200);
    assert!(screen(&state, 120, 32).contains("ms, 2 h ago"));
}

#[test]
fn sixteen_latencies_are_kept_and_a_test_without_a_request_has_none() {
    let mut state = console();
    for ms in 0..20 {
        let mut one = probe(42, Verdict::Ok);
        one.elapsed_ms = 100 + ms;
        tested(&mut state, one);
    }
    tested(&mut state, bare(42));
    assert_eq!(state.probes.record(&hotkey(42)).unwrap().latencies, (104..120).collect::<Vec<u64>>());
}

#[test]
fn a_result_from_before_a_changed_commitment_says_so_until_it_is_tested_again() {
    let mut state = console();
    tested(&mut state, probe(0, Verdict::Ok));
    assert!(line_of(&state, &hotkey(0).short()).contains("on time"));
    changed(&mut state, 0, Some(55_000));
    let line = line_of(&state, &hotkey(0).short());
    assert!(line.contains("✓ before change") && !line.contains("on time"), "{line}");
    tested(&mut state, probe(0, Verdict::Late));
    assert!(line_of(&state, &hotkey(0).short()).contains("! late"));
    changed(&mut state, 0, None);
    assert!(line_of(&state, &hotkey(0).short()).contains("! before change"));
}

#[test]
fn the_same_key_published_again_leaves_its_result_as_it_is() {
    let mut state = console();
    tested(&mut state, probe(0, Verdict::Ok));
    changed(&mut state, 0, Some(0));
    assert!(line_of(&state, &hotkey(0).short()).contains("on time"));
}

#[test]
fn a_test_that_began_before_a_change_and_ends_after_it_is_one_from_before() {
    let mut state = console();
    tell(&mut state, ProbeNews::Began(hotkey(0)));
    changed(&mut state, 0, Some(55_000));
    tested(&mut state, probe(0, Verdict::AuthUnknownKey));
    assert!(line_of(&state, &hotkey(0).short()).contains("✗ before change"));
}

#[test]
fn filters_by_verdict_failed_denied_untested_and_risky_pass_their_rows() {
    let mut state = console();
    for (uid, verdict) in [(0, Verdict::Ok), (1, Verdict::Late), (2, Verdict::ScopeDenied), (3, Verdict::Throttled)] {
        tested(&mut state, probe(uid, verdict));
    }
    let mut shared = probe(4, Verdict::Ok);
    shared.risks = vec![grail_console::domain::probe::Risk::SharedKey { uids: vec![5] }];
    tested(&mut state, shared);
    for (line, uids) in [
        ("test:ok", vec![0, 4]),
        ("test:failed", vec![1, 2, 3]),
        ("test:denied", vec![2]),
        ("test:late", vec![1]),
        ("test:risky", vec![4]),
        ("test:ok test:risky", vec![4]),
        ("test:thr", vec![3]),
    ] {
        filter(&mut state, line);
        assert_eq!(listed(&state), uids, "{line}");
        press(&mut state, "esc");
    }
    filter(&mut state, "test:untested");
    assert_eq!(listed(&state).len(), 251);
}

#[test]
fn a_filter_by_results_takes_rows_in_as_they_come() {
    let mut state = console();
    filter(&mut state, "test:failed");
    assert!(listed(&state).is_empty());
    tested(&mut state, probe(7, Verdict::Dns));
    assert_eq!(listed(&state), [7]);
    tested(&mut state, probe(7, Verdict::Ok));
    assert!(listed(&state).is_empty());
}

#[test]
fn x_shows_only_what_failed_beside_the_filter_and_all_of_it_again() {
    let mut state = console();
    swept(&mut state, 256);
    filter(&mut state, "role:miner");
    let miners = listed(&state).len();
    press(&mut state, "x");
    assert_eq!(state.list.line.value(), "role:miner test:failed");
    assert!(!listed(&state).is_empty() && listed(&state).len() < miners);
    press(&mut state, "x");
    assert_eq!((state.list.line.value(), listed(&state).len()), ("role:miner", miners));
}

#[test]
fn sorted_by_read_test_those_on_time_come_first_and_the_selection_stays_with_its_hotkey() {
    let mut state = console();
    press(&mut state, "j j j j j j j j");
    assert_eq!(selected(&state), Some(7));
    press(&mut state, "s s s s s s s");
    for (uid, verdict) in [(7, Verdict::Dns), (9, Verdict::Late), (200, Verdict::Ok), (20, Verdict::Ok)] {
        tested(&mut state, probe(uid, verdict));
        assert_eq!(selected(&state), Some(7), "through every result");
    }
    assert_eq!(listed(&state)[..6], [42, 20, 200, 9, 7, 0], "the own row, then the fastest");
    press(&mut state, "S");
    assert_eq!((listed(&state)[0], selected(&state)), (42, Some(7)));
}

#[test]
fn a_large_table_is_put_into_order_now_and_then_while_results_pour_in() {
    let mut state = live(nobody(), all_good(5_000, 0));
    press(&mut state, "s s s s s s s");
    tested(&mut state, probe(4_000, Verdict::Ok));
    tested(&mut state, probe(4_001, Verdict::Ok));
    assert_ne!(listed(&state)[1], 4_001, "the second result waits");
    pass(&mut state, 1);
    assert_eq!(listed(&state)[..2], [4_000, 4_001]);
}

#[test]
fn what_could_not_be_tested_is_told_with_what_to_do_and_ends_its_waiting() {
    let mut state = console();
    press(&mut state, "p enter");
    tell(&mut state, ProbeNews::Began(hotkey(42)));
    assert!(screen(&state, 120, 32).contains("… testing"));
    let problem = Diagnostic::new("no_node", Severity::Danger, "no node answers", "It was read from none.", "Wait.");
    let effects = tell(&mut state, ProbeNews::Failed { hotkeys: vec![hotkey(42)], problem });
    assert!(matches!(&effects[..], [Effect::Log { .. }]));
    assert!(!state.probes.is_running(&hotkey(42)));
    let screen = screen(&state, 120, 32);
    assert!(screen.contains("It could not be tested: no node answers") && screen.contains("→ Wait."), "{screen}");
    tell(&mut state, ProbeNews::Began(hotkey(42)));
    assert!(!crate::tui_fixtures::screen(&state, 120, 32).contains("could not be tested"));
}

#[test]
fn a_sweep_of_which_nothing_can_be_tested_is_over() {
    let mut state = console();
    let hotkeys = swept_hotkeys(&press(&mut state, "P"));
    let problem = Diagnostic::new("no_subnet", Severity::Warning, "The subnet was not read yet", "It is old.", "Wait.");
    tell(&mut state, ProbeNews::Failed { hotkeys, problem });
    assert!(state.probes.sweep.is_none());
    assert!(screen(&state, 120, 32).contains("The subnet was not read yet"));
    tell(&mut state, ProbeNews::SweepEnded { cancelled: false });
    assert_eq!(swept_hotkeys(&press(&mut state, "P")).len(), 256, "another one can begin");
}

#[test]
fn whoever_hands_in_no_windows_is_told_by_the_object_that_was_read() {
    let mut state = console();
    for (uid, object, word) in [
        (0, "grail/checkpoints/checkpoint-9168480/READY-9168480", "READY"),
        (1, "grail/trust/trust_list_9168480.json", "trust list"),
    ] {
        let mut one = probe(uid, Verdict::Ok);
        one.object = Some(object.to_owned());
        tested(&mut state, one);
        assert!(line_of(&state, &hotkey(uid).short()).contains(&format!("ms {word}")), "{word}");
    }
}

#[test]
fn in_you_p_asks_whether_a_validator_sees_me() {
    let mut state = console();
    press(&mut state, "u");
    assert!(screen(&state, 120, 32).contains("not asked yet: p asks"));
    assert_eq!(press(&mut state, "p"), [Effect::Ask(Request::Probe(ProbeOrder::Visible))]);
    assert_eq!(press(&mut state, "p"), [], "one question at a time");
    pass(&mut state, 2);
    assert!(screen(&state, 120, 32).contains("… asking chain and store, 2 s of 60 s at most"));
    tell(&mut state, ProbeNews::Seen(Box::new(visibility(true))));
    assert!(screen(&state, 120, 32).contains("✓ A validator would see you now."));
    assert!(state.probes.record(&hotkey(42)).is_some(), "its read test is a result as any other");
    press(&mut state, "p");
    let screen = screen(&state, 120, 32);
    assert!(screen.contains("… asking") && screen.contains("A validator would see you now."), "{screen}");
}

#[test]
fn a_verdict_about_another_hotkey_is_dropped_and_the_own_one_goes_with_its_hotkey() {
    let mut state = console();
    let mut other = visibility(true);
    other.hotkey = hotkey(9);
    tell(&mut state, ProbeNews::Seen(Box::new(other)));
    assert!(matches!(state.probes.visibility, OwnVisibility::Idle));
    tell(&mut state, ProbeNews::Seen(Box::new(visibility(true))));
    update(
        &mut state,
        Msg::Event(EngineEvent::Own(Box::new(OwnInfo { hotkey: Some(hotkey(9)), ..own(&values(9, false)) }))),
    );
    assert!(matches!(state.probes.visibility, OwnVisibility::Idle));
}

#[test]
fn without_a_hotkey_there_is_nobody_to_be_seen() {
    let mut state = live(nobody(), healthy());
    press(&mut state, "u");
    assert_eq!(press(&mut state, "p"), []);
}

#[test]
fn the_cursor_on_the_map_goes_by_uids_and_is_the_selection() {
    let mut state = console();
    press(&mut state, "m");
    assert_eq!((state.view, selected(&state)), (View::Map, Some(42)));
    for (key, uid) in
        [("right", 43), ("j", 75), ("k", 43), ("left", 42), ("down", 74), ("up", 42), ("G", 255), ("g", 0)]
    {
        press(&mut state, key);
        assert_eq!(selected(&state), Some(uid), "{key}");
    }
    press(&mut state, "left k");
    assert_eq!(selected(&state), Some(0), "it stops at the ends");
    press(&mut state, "j");
    assert_eq!(press(&mut state, "p"), [Effect::Ask(Request::Probe(ProbeOrder::One(hotkey(32))))]);
    press(&mut state, "enter");
    assert_eq!(state.view, View::Detail);
    press(&mut state, "esc");
    assert_eq!(state.view, View::Map, "back to the map");
    press(&mut state, "esc");
    assert_eq!((state.view, selected(&state)), (View::Subnet, Some(32)));
}

#[test]
fn on_a_filtered_map_the_cursor_stands_only_on_what_is_listed() {
    let mut state = console();
    filter(&mut state, "role:validator");
    press(&mut state, "m g");
    assert_eq!(selected(&state), Some(1));
    press(&mut state, "j");
    assert_eq!(selected(&state), Some(15), "the last one before the line below");
    press(&mut state, "left left");
    assert_eq!(selected(&state), Some(13));
}

#[test]
fn a_map_of_65_536_uids_keeps_the_cursor_on_the_screen() {
    let mut state = live(nobody(), all_good(u16::MAX, 0));
    update(&mut state, Msg::Resize { width: 80, height: 24 });
    press(&mut state, "m G");
    assert_eq!(selected(&state), Some(65_534));
    let at_end = screen(&state, 80, 24);
    assert!(at_end.contains("▌") && at_end.contains("65,504"), "{at_end}");
    press(&mut state, "pgup k k");
    assert!(screen(&state, 80, 24).contains("▌"));
    press(&mut state, "g");
    assert!(screen(&state, 80, 24).contains("     0 "));
}

#[test]
fn the_footer_names_what_would_be_tested() {
    let last = |state: &State| screen(state, 120, 32).lines().last().unwrap().to_owned();
    let mut state = console();
    assert!(last(&state).contains("p test read   P test all"), "{}", last(&state));
    filter(&mut state, "role:validator");
    assert!(last(&state).contains("P test listed"));
    press(&mut state, "v");
    assert!(last(&state).contains("P test marked"));
    press(&mut state, "P");
    assert!(last(&state).contains("P cancel test"));
    press(&mut state, "u");
    assert!(last(&state).contains("p am I seen?"));
}
