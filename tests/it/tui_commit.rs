//! Committing from the screen, told as sentences: what is asked, what it takes to say yes, what is heard.

use grail_console::domain::commit::messages::{Locked, News, Order};
use grail_console::domain::commit::{Ended, Failure, Plan, Progress, Stage};
use grail_console::domain::feed::FeedEvent;
use grail_console::engine::service::Request;
use grail_console::tui::commit::{Choice, Step};
use grail_console::tui::keymap::KeyMode;
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::{Mode, NetuidFrom, State};
use grail_console::tui::update::update;
use proptest::prelude::*;
use rstest::rstest;

use crate::tui_commit_fixtures::*;
use crate::tui_fixtures::*;

fn practice_plan() -> Plan {
    plan_of(practice(standing()), true)
}

fn unregistered() -> Plan {
    let mut standing = standing();
    standing.uid = None;
    plan_of(standing, true)
}

fn publishes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| {
        matches!(effect, Effect::Ask(Request::Commit(Order::Publish(_) | Order::PublishWhenRegistered(_))))
    })
}

fn awaiting() -> State {
    let mut state = ready();
    let word = unregistered().word().unwrap();
    planned(&mut state, unregistered(), Locked::Open);
    let effects = press(&mut state, &format!("text:{word} tab enter"));
    assert!(matches!(effects[..], [Effect::Ask(Request::Commit(Order::PublishWhenRegistered(1)))]), "{effects:?}");
    news(&mut state, News::AwaitingRegistration { request: 1 });
    state
}

#[rstest]
#[case::subnet("g")]
#[case::detail("enter")]
#[case::you("u")]
#[case::logs("L")]
fn c_asks_for_a_plan_from_wherever_one_is_and_opens_its_dialog_at_once(#[case] keys: &str) {
    let mut state = ready();
    press(&mut state, keys);
    assert_eq!(press(&mut state, "C"), [Effect::Ask(Request::Commit(Order::Plan(1)))]);
    assert_eq!(step(&state), "reading");
    assert!(screen(&state, 80, 24).contains("Reading the chain"));
}

#[test]
fn the_dialog_names_whom_it_is_for_also_from_another_row() {
    let mut state = ready();
    press(&mut state, "j j j C");
    assert!(screen(&state, 80, 24).contains("For finney · subnet 81 · uid 42"));
}

#[test]
fn the_palette_finds_the_commit() {
    let mut state = ready();
    assert_eq!(press(&mut state, ": text:publish enter"), [Effect::Ask(Request::Commit(Order::Plan(1)))]);
    assert!(matches!(state.mode, Mode::Commit));
}

#[test]
fn a_plan_that_is_left_is_forgotten_and_what_comes_of_it_later_is_dropped() {
    let mut state = ready();
    press(&mut state, "C");
    assert_eq!(press(&mut state, "esc"), [Effect::Ask(Request::Commit(Order::Forget(1)))]);
    assert!(matches!(state.mode, Mode::Normal));
    news(&mut state, News::Planned { request: 1, plan: Box::new(plan()), locked: Locked::Open });
    assert_eq!(step(&state), "none");
    planned(&mut state, plan(), Locked::Open);
    assert_eq!(request(&state), 2);
    assert_eq!(press(&mut state, "esc"), [Effect::Ask(Request::Commit(Order::Forget(2)))]);
}

#[test]
fn news_of_another_request_change_nothing() {
    let other = 7;
    let all = || {
        let (plan, ended) = (Box::new(plan()), Box::new(Ended::Committed(receipt())));
        [
            News::Planned { request: other, plan, locked: Locked::Password },
            News::Failed { request: other, problem: unreachable() },
            News::WrongPassword { request: other, problem: wrong_password() },
            News::Progress { request: other, progress: Progress::ReadBack },
            News::Ended { request: other, ended },
            News::AwaitingRegistration { request: other },
        ]
    };
    let mut reading = ready();
    press(&mut reading, "C");
    let mut deciding = ready();
    planned(&mut deciding, plan(), Locked::Password);
    for state in [reading, deciding, under_way(3), awaiting()] {
        let before = serde_json::to_string(&state).unwrap();
        for one in all() {
            let mut state = state.clone();
            assert_eq!(news(&mut state, one), []);
            assert_eq!(serde_json::to_string(&state).unwrap(), before);
        }
    }
}

#[test]
fn enter_alone_never_confirms() {
    for plan in [plan(), practice_plan(), unregistered()] {
        let mut state = ready();
        planned(&mut state, plan, Locked::Open);
        let effects = press(&mut state, "enter");
        assert_eq!(effects, [Effect::Ask(Request::Commit(Order::Forget(1)))], "the answer under the cursor is no");
        for _ in 0..20 {
            assert!(!publishes(&press(&mut state, "enter")));
        }
    }
}

#[test]
fn on_the_practice_subnet_one_moves_to_publish_and_takes_it() {
    let mut state = ready();
    planned(&mut state, practice_plan(), Locked::Open);
    assert_eq!(press(&mut state, "tab enter"), [Effect::Ask(Request::Commit(Order::Publish(1)))]);
    assert_eq!(step(&state), "running");
}

#[test]
fn on_a_real_network_publish_cannot_be_reached_before_the_uid_is_typed() {
    let mut state = ready();
    planned(&mut state, plan(), Locked::Open);
    assert_eq!(state.keys(), KeyMode::Confirm);
    press(&mut state, "tab right left text:4 tab");
    assert!(screen(&state, 80, 24).contains("[ No ]"));
    press(&mut state, "text:2 tab");
    assert!(screen(&state, 80, 24).contains("[ Publish ]"));
    press(&mut state, "text:0");
    assert!(screen(&state, 80, 24).contains("[ No ]"), "what is typed on takes the answer back");
    press(&mut state, "backspace tab");
    assert_eq!(press(&mut state, "enter"), [Effect::Ask(Request::Commit(Order::Publish(1)))]);
}

#[test]
fn the_word_that_confirms_cannot_be_pasted() {
    let mut state = ready();
    planned(&mut state, plan(), Locked::Open);
    update(&mut state, Msg::Paste("42".to_owned()));
    assert!(!publishes(&press(&mut state, "tab enter")));
}

#[test]
fn a_hotkey_without_a_uid_is_armed_after_the_end_of_its_address_was_typed() {
    let mut state = ready();
    planned(&mut state, unregistered(), Locked::Open);
    assert!(!publishes(&press(&mut state, "text:none tab enter")));
    let state = awaiting();
    assert_eq!(step(&state), "armed");
}

fn keys_without_moving() -> impl Strategy<Value = Vec<&'static str>> {
    let keys = ["enter", "esc", "text:4", "text:2", "text:q", "backspace", "C", "j", "u", "space", "y", "D", "/"];
    prop::collection::vec(prop::sample::select(keys.to_vec()), 0..40)
}

fn any_keys() -> impl Strategy<Value = Vec<&'static str>> {
    let keys = ["enter", "esc", "text:4", "text:2", "text:1", "backspace", "tab", "right", "left", "backtab", "C"];
    prop::collection::vec(prop::sample::select(keys.to_vec()), 0..60)
}

/// Answers every plan that is asked for.
fn strike(state: &mut State, key: &str, plan: &Plan) -> Vec<Effect> {
    let effects = press(state, key);
    for effect in &effects {
        if let Effect::Ask(Request::Commit(Order::Plan(request))) = effect {
            let plan = Box::new(plan.clone());
            news(state, News::Planned { request: *request, plan, locked: Locked::Open });
        }
    }
    effects
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whoever_never_moves_to_yes_never_publishes(keys in keys_without_moving(), real in any::<bool>()) {
        let plan = if real { plan() } else { practice_plan() };
        let mut state = ready();
        for key in ["C"].into_iter().chain(keys) {
            let effects = strike(&mut state, key, &plan);
            prop_assert!(!publishes(&effects), "{key}: {effects:?}");
        }
    }

    #[test]
    fn nothing_is_published_on_a_real_network_but_with_the_uid_typed_and_publish_chosen(keys in any_keys()) {
        let mut state = ready();
        for key in ["C"].into_iter().chain(keys) {
            let before = match state.commits.session.as_ref().map(|session| &session.step) {
                Some(Step::Deciding(deciding)) => Some((deciding.typed.clone(), deciding.choice)),
                _ => None,
            };
            if publishes(&strike(&mut state, key, &plan())) {
                prop_assert_eq!(before, Some(("42".to_owned(), Choice::Yes)));
                prop_assert_eq!(key, "enter");
                return Ok(());
            }
        }
    }
}

#[rstest]
#[case::unchanged(plan_of(standing(), false))]
#[case::budget_spent({
    let mut standing = standing();
    standing.space = standing.space.map(|space| grail_console::domain::commit::plan::Space { used: 3_000, ..space });
    plan_of(standing, true)
})]
fn what_cannot_be_published_can_only_be_closed(#[case] plan: Plan) {
    let mut state = ready();
    planned(&mut state, plan, Locked::Open);
    assert_eq!(state.keys(), KeyMode::Dialog);
    assert_eq!(press(&mut state, "tab text:42 tab enter"), [Effect::Ask(Request::Commit(Order::Forget(1)))]);
    assert_eq!(step(&state), "none");
}

#[test]
fn a_locked_key_file_asks_for_its_password_before_anything_is_ordered() {
    let mut state = ready();
    assert_eq!(confirmed(&mut state, Locked::Password), []);
    assert_eq!((step(&state), state.keys()), ("password", KeyMode::Password));
    assert_eq!(press(&mut state, "enter enter"), [], "an empty password is none");
    update(&mut state, Msg::Typed { chars: 3 });
    assert_eq!(press(&mut state, "enter"), [Effect::Ask(Request::Commit(Order::Publish(1)))]);
    went(&mut state, Progress::Unlocking);
    assert!(screen(&state, 80, 24).contains("half a gigabyte of memory"));
    assert_eq!(state.keys(), KeyMode::Dialog);
}

#[test]
fn a_wrong_password_is_told_and_another_one_is_typed_from_the_beginning() {
    let mut state = ready();
    confirmed(&mut state, Locked::Password);
    update(&mut state, Msg::Typed { chars: 3 });
    press(&mut state, "enter");
    news(&mut state, News::WrongPassword { request: 1, problem: wrong_password() });
    assert!(screen(&state, 80, 24).contains("The password does not open the key file"));
    assert_eq!(press(&mut state, "enter"), [], "nothing is left of the first one");
    update(&mut state, Msg::Typed { chars: 4 });
    assert_eq!(press(&mut state, "enter"), [Effect::Ask(Request::Commit(Order::Publish(1)))]);
}

#[test]
fn leaving_the_password_forgets_the_plan() {
    let mut state = ready();
    confirmed(&mut state, Locked::Password);
    update(&mut state, Msg::Typed { chars: 3 });
    assert_eq!(press(&mut state, "esc"), [Effect::Ask(Request::Commit(Order::Forget(1)))]);
    update(&mut state, Msg::Typed { chars: 4 });
    assert_eq!(step(&state), "none");
}

#[test]
fn characters_of_a_password_that_reach_the_state_all_the_same_are_not_kept() {
    let mut state = ready();
    confirmed(&mut state, Locked::Password);
    press(&mut state, "text:correct-horse-battery");
    update(&mut state, Msg::Paste("correct-horse-battery".to_owned()));
    let (serialized, debugged) = (serde_json::to_string(&state).unwrap(), format!("{state:?}"));
    for part in ["correct", "horse", "battery"] {
        assert!(!serialized.contains(part) && !debugged.contains(part));
    }
}

#[test]
fn no_secret_of_the_plan_is_in_the_state() {
    let mut state = under_way(6);
    ended(&mut state, Ended::Committed(receipt()));
    let (serialized, debugged) = (serde_json::to_string(&state).unwrap(), format!("{state:?}"));
    assert!(serialized.contains(&key_id(50_042)), "the plan is in the JSON at all");
    for secret in [secret(42), secret(50_042), secret(60_042)] {
        for part in [&secret[..16], &secret[48..]] {
            assert!(!serialized.contains(part) && !debugged.contains(part));
        }
    }
}

#[test]
fn what_is_under_way_goes_on_behind_the_closed_dialog_and_is_shown_again() {
    let mut state = under_way(2);
    assert_eq!(press(&mut state, "esc"), []);
    assert!(screen(&state, 80, 24).contains("Committing: broadcast, step 2 of 6 · C shows it"));
    went(&mut state, Progress::InBlock(block(HEAD + 3)));
    assert!(screen(&state, 80, 24).contains("Committing: in block #9,168,530, step 3 of 6 · C shows it"));
    assert_eq!(press(&mut state, "C"), [], "no second plan while one is under way");
    assert!(screen(&state, 80, 24).contains("✓ in block"));
    assert_eq!(press(&mut state, "enter"), [], "enter does not close what is under way");
    assert!(matches!(state.mode, Mode::Commit));
}

#[test]
fn a_block_that_was_replaced_moves_the_step_back_and_the_next_one_forward_again() {
    let mut state = under_way(3);
    let reached = |state: &State| match &state.commits.session.as_ref().unwrap().step {
        Step::Running(run) => run.stage,
        _ => None,
    };
    assert_eq!(reached(&state), Some(Stage::InBlock));
    went(&mut state, Progress::Retracted(block(HEAD + 3)));
    assert_eq!(reached(&state), Some(Stage::Broadcast));
    went(&mut state, Progress::InBlock(block(HEAD + 4)));
    went(&mut state, Progress::Finalized(block(HEAD + 4)));
    assert_eq!(reached(&state), Some(Stage::Finalized));
    assert!(screen(&state, 80, 24).contains("another block than it was first seen in"));
}

#[test]
fn blocks_left_are_counted_by_whatever_tells_of_a_newer_block() {
    let mut state = under_way(2);
    assert!(screen(&state, 80, 24).contains("64 blocks left"));
    went(&mut state, Progress::Waited { finalized: HEAD + 10 });
    assert!(screen(&state, 80, 24).contains("54 blocks left"));
    feed(&mut state, FeedEvent::BestHead { number: HEAD + 63 });
    assert!(screen(&state, 80, 24).contains("1 block left"));
}

#[test]
fn an_end_is_shown_until_it_is_closed_and_nothing_after_it_counts() {
    let mut state = under_way(6);
    ended(&mut state, Ended::Committed(receipt()));
    let end = screen(&state, 80, 24);
    assert!(end.contains("Published in block #9,168,530, final, and read back equal"), "{end}");
    ended(&mut state, Ended::Failed { failure: Failure::Dropped, extrinsic: None });
    assert!(screen(&state, 80, 24).contains("Commit: committed"));
    press(&mut state, "esc");
    assert_eq!(step(&state), "none");
    assert_eq!(press(&mut state, "C"), [Effect::Ask(Request::Commit(Order::Plan(2)))]);
}

#[test]
fn an_end_behind_the_closed_dialog_is_told_and_shown_or_dismissed() {
    let mut state = under_way(6);
    press(&mut state, "esc");
    ended(&mut state, Ended::Committed(receipt()));
    assert!(screen(&state, 80, 24).contains("✓ Published in block #9,168,530"));
    let mut shown = state.clone();
    assert_eq!(press(&mut shown, "C"), []);
    assert!(screen(&shown, 80, 24).contains("Commit: committed"));
    press(&mut state, "esc");
    assert!(!screen(&state, 80, 24).contains("Published"));
}

#[test]
fn an_armed_commit_has_a_badge_and_is_disarmed_without_a_question_when_that_is_heard() {
    let mut state = awaiting();
    press(&mut state, "esc");
    let shown = screen(&state, 80, 24);
    assert!(shown.lines().next().unwrap().contains(" ARMED "), "{shown}");
    assert!(shown.contains("D disarm"), "{shown}");
    assert_eq!(press(&mut state, "D"), [Effect::Ask(Request::Commit(Order::CancelWaiting))]);
    assert!(state.commits.is_awaiting(), "the key is in memory until it is heard that it is not");
    news(&mut state, News::WaitingCancelled { why: "asked to".to_owned() });
    assert!(!state.commits.is_awaiting());
    assert!(screen(&state, 80, 24).contains("disarmed: the key is out of memory"));
    assert_eq!(press(&mut state, "D"), []);
}

#[test]
fn an_armed_commit_that_nobody_here_disarmed_says_why_it_waits_no_longer() {
    let mut state = awaiting();
    press(&mut state, "esc");
    news(&mut state, News::WaitingCancelled { why: "The key was dropped after an hour.".to_owned() });
    assert!(screen(&state, 80, 24).contains("It waits no longer: nothing was published"));
    press(&mut state, "C");
    assert!(screen(&state, 80, 24).contains("The key was dropped after an hour."));
}

#[test]
fn an_armed_commit_runs_as_soon_as_the_hotkey_is_registered() {
    let mut state = awaiting();
    for progress in way() {
        went(&mut state, progress);
    }
    assert_eq!(step(&state), "running");
    assert!(!screen(&state, 80, 24).contains(" ARMED "));
    ended(&mut state, Ended::Committed(receipt()));
    assert_eq!(step(&state), "over");
}

#[test]
fn quitting_while_something_is_on_its_way_asks_and_stays_unless_one_moves_to_leave() {
    for mut state in [under_way(2), awaiting()] {
        press(&mut state, "esc");
        assert_eq!(press(&mut state, "q"), []);
        assert!(screen(&state, 80, 24).contains("Leave anyway?"));
        assert_eq!(press(&mut state, "enter"), [], "no is under the cursor");
        assert!(matches!(state.mode, Mode::Normal));
        assert_eq!(press(&mut state, "q esc"), []);
        assert_eq!(press(&mut state, "q tab tab enter"), []);
        assert_eq!(press(&mut state, "q tab enter"), [Effect::Quit]);
    }
}

#[test]
fn ctrl_c_leaves_at_once_whatever_is_on_its_way() {
    for keys in ["ctrl-c", "esc ctrl-c", "esc q ctrl-c"] {
        assert_eq!(press(&mut under_way(2), keys), [Effect::Quit]);
    }
    let mut state = ready();
    confirmed(&mut state, Locked::Password);
    assert_eq!(press(&mut state, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn quitting_before_anything_was_ordered_or_after_the_end_does_not_ask() {
    let mut state = ready();
    planned(&mut state, plan(), Locked::Open);
    press(&mut state, "esc");
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
    let mut state = under_way(2);
    press(&mut state, "esc");
    ended(&mut state, Ended::Expired { extrinsic: EXTRINSIC, death: HEAD + 64 });
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn a_frozen_table_is_no_ground_to_publish_from() {
    let mut state = ready();
    assert_eq!(press(&mut state, "space C"), []);
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("The table is frozen") && shown.contains("Let the changes in with space"), "{shown}");
    press(&mut state, "enter space");
    assert_eq!(press(&mut state, "C"), [Effect::Ask(Request::Commit(Order::Plan(2)))]);
}

#[test]
fn a_read_only_console_shows_the_plan_and_says_why_it_is_not_published() {
    let mut state = ready();
    state.options.read_only = true;
    planned(&mut state, practice_plan(), Locked::Open);
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("this console is read-only") && shown.contains("without --read-only"), "{shown}");
    assert!(!shown.contains("Publish to"), "{shown}");
    assert!(!publishes(&press(&mut state, "tab enter")));
}

#[test]
fn on_a_subnet_that_nobody_named_the_plan_is_shown_and_not_published() {
    let mut state = ready();
    state.options.netuid_from = NetuidFrom::Default;
    planned(&mut state, practice_plan(), Locked::Open);
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("no netuid is set") && shown.contains("--netuid"), "{shown}");
    assert!(!shown.contains("Publish to"), "{shown}");
    assert!(!publishes(&press(&mut state, "tab enter")));
}

#[test]
fn the_key_that_mends_a_drift_is_told_where_it_may_be_pressed() {
    let mut state = live(own(&values(42, true)), healthy());
    for read_only in [false, true] {
        state.options.read_only = read_only;
        press(&mut state, "u");
        assert_eq!(screen(&state, 120, 32).contains("C publishes what is configured here"), !read_only);
    }
}

#[test]
fn whoever_leaves_before_anything_is_signed_is_told_that_nothing_is_sent() {
    let mut state = under_way(0);
    press(&mut state, "esc q");
    assert!(screen(&state, 80, 24).contains("Left before it is signed, nothing is sent."));
    press(&mut state, "esc");
    went(&mut state, way().into_iter().next().unwrap());
    press(&mut state, "q");
    assert!(screen(&state, 80, 24).contains("It is written down"));
    ended(&mut state, Ended::Committed(receipt()));
    assert!(!screen(&state, 80, 24).contains("Leave anyway?"), "there is nothing left to ask for");
}

#[test]
fn without_a_hotkey_there_is_nobody_to_publish_for() {
    let mut state = live(nobody(), healthy());
    state.options.read_only = false;
    assert_eq!(press(&mut state, "C"), []);
    assert!(screen(&state, 80, 24).contains("No hotkey is configured"));
    press(&mut state, "esc");
    assert_eq!(step(&state), "none");
}

#[test]
fn what_became_of_an_earlier_commit_is_told_and_dismissed_by_esc_or_by_the_dialog() {
    let mut state = ready();
    settled(&mut state, Ended::Committed(receipt()));
    assert!(screen(&state, 80, 24).contains("✓ Your commit of 2 h ago (uid 42, key"));
    let mut opened = state.clone();
    press(&mut opened, "C esc");
    assert!(!screen(&opened, 80, 24).contains("Your commit of"));
    press(&mut state, "/ text:role:miner enter esc");
    assert!(!screen(&state, 80, 24).contains("Your commit of"));
    assert!(state.list.is_filtered(), "the filter waits for the next esc");
}

#[test]
fn the_advice_of_a_row_that_drifts_or_never_committed_names_the_key() {
    let mut state = ready();
    press(&mut state, "enter G");
    assert!(screen(&state, 120, 60).contains("→ C publishes what is configured here."));
    let mut snapshot = healthy();
    snapshot.commitments.remove(&hotkey(u64::from(OWN)));
    let mut state = live(own(&values(42, true)), snapshot);
    state.options.read_only = false;
    press(&mut state, "enter");
    assert!(screen(&state, 120, 32).contains("Publish the read pair with C; GRAIL does so too at its start"));

    state.options.read_only = true;
    assert!(screen(&state, 120, 32).contains("Publish the read pair from a console that is not read-only;"));
}
