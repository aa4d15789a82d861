//! The dialog of a rotation as keys and news drive it: what is ordered, what is asked first, what is left alone.

use grail_console::domain::commit::Progress;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::BlockHash;
use grail_console::domain::rotation::messages::{EnvAnswer, Question, RotateNews, RotateOrder, Sides};
use grail_console::domain::rotation::{Event, Seen, Side};
use grail_console::domain::snapshot::SubnetChange;
use grail_console::engine::own::OwnInfo;
use grail_console::engine::service::Request;
use grail_console::tui::keymap::KeyMode;
use grail_console::tui::logbook::{Level, LogLine, Logbook};
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::rotate::{Field, Page, What, page, urgency};
use grail_console::tui::state::{Mode, State};
use grail_console::tui::update::update;
use rstest::rstest;

use crate::tui_commit_fixtures::{plan, plan_of, practice, ready, standing, way as commit_way, wrong_password};
use crate::tui_fixtures::*;
use crate::tui_rotation_fixtures::*;

fn orders(effects: &[Effect]) -> Vec<RotateOrder> {
    let of = |effect: &Effect| match effect {
        Effect::Ask(Request::Rotate(order)) => Some(*order),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn pressed(state: &mut State, keys: &str) -> Vec<RotateOrder> {
    orders(&press(state, keys))
}

#[test]
fn without_an_open_rotation_the_wizard_opens_and_with_one_it_is_looked_at_anew() {
    let mut state = untouched();
    assert!(press(&mut state, "R").is_empty());
    assert_eq!((page(&state), state.keys()), (Page::Wizard, KeyMode::Choose));
    let mut state = with(&in_grace());
    assert_eq!(pressed(&mut state, "R"), [RotateOrder::Look]);
    assert_eq!(page(&state), Page::Stepper);
}

#[test]
fn before_the_journal_was_read_nothing_can_be_begun() {
    let mut state = ready();
    assert_eq!(pressed(&mut state, "R"), [RotateOrder::Look]);
    assert_eq!(page(&state), Page::Looking);
    stands(&mut state, &[]);
    assert_eq!(page(&state), Page::Wizard, "it opens by itself once nothing is known to be open");
}

#[rstest]
#[case(What::Read, "", Sides { read: true, write: false }, 300, false)]
#[case(What::Write, "down ", Sides { read: false, write: true }, 300, false)]
#[case(What::Both, "down down ", Sides { read: true, write: true }, 300, false)]
#[case(What::Emergency, "down down down ", Sides { read: false, write: true }, 0, true)]
fn every_choice_begins_what_it_says(
    #[case] what: What,
    #[case] keys: &str,
    #[case] sides: Sides,
    #[case] grace: u64,
    #[case] emergency: bool,
) {
    let mut state = entered(&format!("R {keys}enter"));
    assert_eq!(state.rotations.wizard.as_ref().unwrap().what, what);
    // Past the grace, where there is one, to the summary.
    while state.keys() == KeyMode::Keys {
        press(&mut state, "enter");
    }
    assert_eq!(pressed(&mut state, "tab enter"), [RotateOrder::Begin { sides, grace, emergency }]);
    assert_eq!(state.rotations.wizard.as_ref().unwrap().lengths, [0; 4], "the lengths went with the keys");
}

#[test]
fn enter_alone_never_begins() {
    let mut state = entered("R enter");
    let all: Vec<RotateOrder> = (0..12).flat_map(|_| pressed(&mut state, "enter")).collect();
    assert_eq!(all, []);
}

#[test]
fn enter_goes_to_what_is_empty_and_no_further() {
    let mut state = untouched();
    press(&mut state, "R enter");
    let focus = |state: &State| state.rotations.wizard.as_ref().unwrap().focus;
    assert_eq!(focus(&state), Field::ReadId);
    update(&mut state, Msg::KeysTyped { lengths: [32, 0, 0, 0] });
    press(&mut state, "enter");
    assert_eq!(focus(&state), Field::ReadSecret);
    press(&mut state, "enter enter");
    assert_eq!((focus(&state), state.keys()), (Field::ReadSecret, KeyMode::Keys));
    press(&mut state, "tab");
    assert_eq!(focus(&state), Field::Grace);
    press(&mut state, "tab backtab");
    assert_eq!(focus(&state), Field::Grace, "round the circle and back");
}

#[rstest]
#[case("backspace backspace backspace", None, false)]
#[case("backspace backspace backspace text:0", Some(0), true)]
#[case("backspace backspace backspace text:129", Some(129), true)]
#[case("backspace backspace backspace text:130", Some(130), false)]
#[case("backspace backspace backspace text:50400", Some(50_400), false)]
#[case("backspace backspace backspace text:50401", None, false)]
#[case("text:x-", Some(300), false)]
#[case("text:00999", Some(30_000), false)]
fn a_grace_is_a_number_of_blocks_up_to_a_week(#[case] keys: &str, #[case] blocks: Option<u64>, #[case] short: bool) {
    let mut state = entered("R enter");
    press(&mut state, "enter");
    press(&mut state, keys);
    let wizard = state.rotations.wizard.clone().unwrap();
    assert_eq!((wizard.blocks(), wizard.is_short()), (blocks, short));
    press(&mut state, "enter");
    assert_eq!(state.keys() == KeyMode::Confirm, blocks.is_some());
}

#[test]
fn what_is_typed_into_a_masked_field_never_reaches_the_state() {
    for down in 0..4 {
        let mut state = untouched();
        press(&mut state, "R");
        (0..down).for_each(|_| drop(press(&mut state, "down")));
        press(&mut state, "enter");
        let fields = state.rotations.wizard.as_ref().unwrap().fields();
        for _ in &fields {
            let effects = press(&mut state, "text:canary-Typed-7331 tab");
            assert!(effects.is_empty());
        }
        update(&mut state, Msg::Paste("canary-pasted".to_owned()));
        let mut all = format!("{state:?}{}", serde_json::to_string(&state).unwrap());
        all.push_str(&screen(&state, 200, 60));
        assert!(!all.contains("canary") && !all.contains("Typed"), "{fields:?}");
    }
}

#[test]
fn enter_goes_on_as_far_as_nothing_is_asked() {
    for events in [1, 2, 3, 5, 6, 7] {
        let mut state = shown(&way_to(events));
        assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Resume], "after {events} events");
        assert_eq!(pressed(&mut state, "enter enter b"), [], "at work it takes no second order");
    }
}

#[test]
fn nothing_is_retired_before_the_grace_is_over() {
    let mut state = shown(&in_grace());
    assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Resume]);
    let mut state = shown(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: SET_AT + 300, hash: BlockHash([1; 32]) });
    assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Retire]);
}

/// The grace of uid 0's read key is over.
fn uid_0s_grace_is_over() -> State {
    let mut events = in_grace();
    events.insert(1, Event::Pinned);
    let mut state = shown(&events);
    feed(&mut state, FeedEvent::FinalizedHead { number: SET_AT + 300, hash: BlockHash([1; 32]) });
    state
}

#[test]
fn uid_0s_key_is_retired_on_the_word_that_all_were_restarted_with_no_chosen() {
    let mut state = uid_0s_grace_is_over();
    assert_eq!(pressed(&mut state, "enter"), []);
    assert_eq!((page(&state), state.keys()), (Page::Restarted, KeyMode::Confirm));
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("Was every process of the subnet restarted?"), "{shown}");
    assert!(shown.contains("The old read key is uid 0's"), "{shown}");
    assert_eq!(pressed(&mut state, "enter"), [], "enter alone is a no");
    assert_eq!(page(&state), Page::Stepper);
    assert_eq!(pressed(&mut state, "enter tab esc"), []);
    assert_eq!(pressed(&mut state, "enter tab enter"), [RotateOrder::RetireAllRestarted]);
}

#[test]
fn whoever_reads_only_gives_no_word_on_restarts() {
    let mut state = uid_0s_grace_is_over();
    press(&mut state, "enter");
    state.options.read_only = true;
    assert_eq!(pressed(&mut state, "tab enter"), []);
}

#[test]
fn the_wizard_tells_uid_0_that_its_key_is_no_ordinary_one() {
    let wizard = |uid: u64| {
        let mut state = live(OwnInfo { hotkey: Some(hotkey(uid)), ..own(&values(uid, true)) }, healthy());
        state.options.read_only = false;
        stands(&mut state, &[]);
        press(&mut state, "R");
        assert_eq!(page(&state), Page::Wizard);
        state
    };
    let says_so = |state: &State| screen(state, 120, 32).contains("You are uid 0: every miner and validator keeps");
    let mut state = wizard(0);
    assert!(says_so(&state), "{}", screen(&state, 120, 32));
    press(&mut state, "down");
    assert!(!says_so(&state), "a write key is pinned by nobody");
    assert!(!says_so(&wizard(42)));
}

#[test]
fn rolling_back_is_asked_with_no_chosen() {
    let mut state = shown(&in_grace());
    assert_eq!(pressed(&mut state, "b enter"), []);
    assert_eq!(page(&state), Page::Stepper);
    assert_eq!(pressed(&mut state, "b tab esc"), []);
    assert_eq!(pressed(&mut state, "b tab enter"), [RotateOrder::RollBack]);
}

#[test]
fn there_is_no_way_back_to_a_key_that_the_store_refuses() {
    for events in [way_to(12), way_to(13), going_back(1)] {
        let mut state = shown(&events);
        press(&mut state, "b");
        assert_eq!(page(&state), Page::Stepper);
        assert!(state.toast.is_some(), "why not is said");
    }
}

#[test]
fn a_commit_is_published_only_with_the_uid_typed_and_yes_chosen() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    assert_eq!(pressed(&mut state, "tab enter"), []);
    assert_eq!(page(&state), Page::Stepper, "enter on no puts the question away");
    asks_to_publish(&mut state, plan(), Locked::Open);
    assert_eq!(pressed(&mut state, "text:43 tab enter"), []);
    asks_to_publish(&mut state, plan(), Locked::Open);
    assert_eq!(pressed(&mut state, "text:42 tab enter"), [RotateOrder::Publish(7)]);
    assert_eq!(page(&state), Page::Running);
    assert_eq!(pressed(&mut state, "enter enter"), []);
}

#[test]
fn on_the_practice_subnet_a_choice_is_enough() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan_of(practice(standing()), true), Locked::Open);
    assert_eq!(pressed(&mut state, "tab enter"), [RotateOrder::Publish(7)]);
}

#[test]
fn a_password_is_asked_for_where_the_key_file_is_locked_and_again_when_it_was_wrong() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Password);
    assert_eq!(pressed(&mut state, "text:42 tab enter enter"), []);
    assert_eq!((page(&state), state.keys()), (Page::Password, KeyMode::Password));
    update(&mut state, Msg::Typed { chars: 7 });
    assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Publish(7)]);
    told(&mut state, RotateNews::WrongPassword(wrong_password()));
    assert_eq!(page(&state), Page::Password);
    assert_eq!(pressed(&mut state, "enter"), [], "nothing is left of the first one");
    press(&mut state, "esc");
    assert_eq!(page(&state), Page::Publish);
}

#[test]
fn what_was_published_from_here_is_no_surprise_on_chain() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    press(&mut state, "text:42 tab enter");
    for progress in commit_way() {
        progressed(&mut state, progress);
    }
    let old = plan().old().unwrap().read_secret;
    assert!(state.model.own.local.replaced.contains(&old), "the one before is an old key from here on");
    let new = commitment_of(50_042, HEAD + 3);
    feed(&mut state, FeedEvent::Changed(Box::new(new)));
    assert!(state.commits.watch.surprise.is_none());
    stands(&mut state, &way_to(7));
    assert_eq!(page(&state), Page::Stepper);
}

fn commitment_of(n: u64, block: u64) -> SubnetChange {
    let held = crate::tui_commit_fixtures::other(n, block);
    SubnetChange { block, commitments: vec![(hotkey(u64::from(OWN)), Some(held))], members: Vec::new() }
}

#[test]
fn the_env_is_left_alone_until_it_is_moved_to() {
    let ask = |state: &mut State| asks_for_env(state, Some("/home/grail/.env"));
    let mut state = shown(&way_to(8));
    ask(&mut state);
    assert_eq!(pressed(&mut state, "enter"), []);
    assert_eq!(page(&state), Page::Stepper);
    ask(&mut state);
    assert_eq!(pressed(&mut state, "tab enter"), [RotateOrder::Env(EnvAnswer::Rewrite)]);
    let mut state = shown(&way_to(8));
    ask(&mut state);
    assert_eq!(pressed(&mut state, "tab tab enter"), [RotateOrder::Env(EnvAnswer::DoneElsewhere)]);
    let mut state = shown(&way_to(8));
    asks_for_env(&mut state, None);
    assert_eq!(pressed(&mut state, "tab enter"), [RotateOrder::Env(EnvAnswer::DoneElsewhere)], "nothing to rewrite");
}

#[test]
fn a_revoked_token_is_said_by_enter() {
    let mut state = shown(&[leaked(), Event::Staged]);
    asks(&mut state, Question::Revoke { side: Side::Write });
    assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Resume]);
    let mut state = shown(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: SET_AT + 300, hash: BlockHash([1; 32]) });
    asks(&mut state, Question::Revoke { side: Side::Read });
    assert_eq!(pressed(&mut state, "esc"), []);
    asks(&mut state, Question::Revoke { side: Side::Read });
    assert_eq!(pressed(&mut state, "enter"), [RotateOrder::Retire]);
}

#[test]
fn what_the_chain_holds_is_gone_over_only_with_its_fingerprint_typed() {
    let mut state = shown(&different());
    asks(&mut state, Question::Accept);
    assert_eq!(pressed(&mut state, "text:0000 tab tab enter"), []);
    asks(&mut state, Question::Accept);
    let wanted: String = held(99).fingerprint().unwrap().short().chars().take(4).collect();
    assert_eq!(pressed(&mut state, &format!("text:{wanted} enter")), []);
    asks(&mut state, Question::Accept);
    assert_eq!(pressed(&mut state, &format!("text:{wanted} tab tab enter")), [RotateOrder::Accept]);
    let mut state = shown(&different());
    asks(&mut state, Question::Accept);
    assert_eq!(pressed(&mut state, "tab enter tab enter"), [RotateOrder::RollBack], "and that is asked once more");
}

#[test]
fn where_the_chain_holds_nothing_there_is_no_fingerprint_to_type() {
    let mut events = way_to(6);
    events.push(Event::Different { seen: Seen::Nothing });
    let mut state = shown(&events);
    asks(&mut state, Question::Accept);
    assert_eq!(pressed(&mut state, "tab tab enter"), [RotateOrder::Accept]);
}

#[test]
fn leaving_lets_go_of_the_lock_once_and_only_if_it_was_taken() {
    let mut state = shown(&in_grace());
    assert_eq!(pressed(&mut state, "esc"), [], "looking takes no lock");
    press(&mut state, "R enter");
    stands(&mut state, &in_grace());
    assert_eq!(pressed(&mut state, "esc"), [RotateOrder::Leave]);
    assert!(matches!(state.mode, Mode::Normal));
    press(&mut state, "R");
    assert_eq!(pressed(&mut state, "esc"), []);
}

#[test]
fn what_goes_on_behind_the_closed_dialog_lets_go_when_it_rests() {
    let mut state = shown(&way_to(2));
    press(&mut state, "enter");
    assert_eq!(pressed(&mut state, "esc"), [], "it is at work");
    working(&mut state, "testing the new keys");
    let effects = stands(&mut state, &way_to(3));
    assert_eq!(orders(&effects), [RotateOrder::Leave]);
}

#[test]
fn a_question_behind_the_closed_dialog_waits_for_its_answer() {
    let mut state = shown(&way_to(4));
    press(&mut state, "enter esc");
    asks_to_publish(&mut state, plan(), Locked::Open);
    assert_eq!(pressed(&mut state, "R"), [], "it stands there as it was asked");
    assert_eq!(page(&state), Page::Publish);
}

#[test]
fn a_question_that_the_machine_has_gone_past_is_put_away() {
    let mut state = shown(&way_to(8));
    asks_for_env(&mut state, Some("/home/grail/.env"));
    stands(&mut state, &way_to(8));
    assert_eq!(page(&state), Page::Env);
    stands(&mut state, &way_to(10));
    assert_eq!(page(&state), Page::Stepper);
}

#[test]
fn what_was_entered_ends_when_another_console_has_begun() {
    let mut state = entered("R enter");
    stands(&mut state, &way_to(2));
    assert_eq!(page(&state), Page::Stepper);
}

#[test]
fn another_consoles_rotation_can_only_be_looked_at() {
    let mut state = shown(&in_grace());
    told(&mut state, stands_of(&in_grace(), Vec::new(), true));
    assert_eq!(pressed(&mut state, "b tab enter"), [RotateOrder::Look]);
}

#[test]
fn the_end_is_shown_until_it_is_put_away() {
    let mut state = with(&in_grace());
    stands(&mut state, &way());
    press(&mut state, "R");
    assert_eq!(page(&state), Page::Over);
    press(&mut state, "enter R");
    assert_eq!(page(&state), Page::Wizard);
    let mut state = with(&in_grace());
    stands(&mut state, &way());
    press(&mut state, "esc");
    assert!(!state.rotations.over);
}

#[test]
fn a_chain_that_holds_the_old_key_again_is_looked_at_once() {
    let mut state = with(&in_grace());
    let change = FeedEvent::Changed(Box::new(SubnetChange {
        block: HEAD + 1,
        commitments: vec![(hotkey(u64::from(OWN)), Some(good(42, HEAD + 1)))],
        members: Vec::new(),
    }));
    assert_eq!(orders(&feed(&mut state, change)), [], "not before it is final");
    let head = |number| FeedEvent::FinalizedHead { number, hash: BlockHash([1; 32]) };
    assert_eq!(orders(&feed(&mut state, head(HEAD + 1))), [RotateOrder::Look]);
    assert_eq!(orders(&feed(&mut state, head(HEAD + 2))), []);
    assert_eq!(urgency(&state), Some(grail_console::tui::rotate::Urgency::Wrong));
}

#[test]
fn what_the_table_held_before_the_commit_is_no_reversal() {
    // The table was read before the rotation's block, or knows only what stood there before.
    let mut state = ready();
    stands(&mut state, &in_grace());
    assert_eq!(grail_console::tui::rotate::reverted(&state), None);
    let mut state = holding(42, SET_AT + 1);
    stands(&mut state, &in_grace());
    assert_eq!(grail_console::tui::rotate::reverted(&state), Some(held(42)));
}

#[test]
fn leaving_the_console_while_it_is_at_work_asks() {
    let mut state = shown(&way_to(2));
    press(&mut state, "enter esc q");
    assert!(matches!(state.mode, Mode::Leaving(_)));
    assert_eq!(press(&mut state, "tab enter"), [Effect::Quit]);
}

#[test]
fn the_palette_finds_it() {
    let mut state = untouched();
    press(&mut state, ": text:rotate enter");
    assert!(matches!(state.mode, Mode::Rotate));
    let mut state = untouched();
    press(&mut state, ": text:roll enter");
    assert!(state.toast.is_some(), "nothing is open that could be rolled back");
}

fn line(seq: u64, at_ms: u64) -> LogLine {
    let (target, message) = (if seq == 0 { "rotation" } else { "chain" }.to_owned(), "words".into());
    LogLine { seq, at_ms, level: Level::Info, target, message }
}

fn times(book: &Logbook) -> Vec<(u64, u64)> {
    book.lines().iter().map(|line| (line.seq, line.at_ms)).collect()
}

#[test]
fn journal_and_log_are_one_in_the_order_of_time() {
    let mut book = Logbook::default();
    book.append(vec![line(1, 10), line(2, 30)]);
    book.take_journal(vec![line(0, 5), line(0, 20), line(0, 30), line(0, 50)]);
    assert_eq!(times(&book), [(0, 5), (1, 10), (0, 20), (2, 30), (0, 30), (0, 50)]);
    book.append(vec![line(2, 30), line(3, 40), line(4, 60)]);
    assert_eq!(times(&book), [(0, 5), (1, 10), (0, 20), (2, 30), (0, 30), (3, 40), (0, 50), (4, 60)]);
    assert_eq!(book.last_seq(), 4);
    book.take_journal(vec![line(0, 20)]);
    assert_eq!(times(&book), [(1, 10), (0, 20), (2, 30), (3, 40), (4, 60)], "told anew it stands there once");
}

#[test]
fn unlocking_is_told_on_the_way() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    press(&mut state, "text:42 tab enter");
    progressed(&mut state, Progress::Unlocking);
    assert!(screen(&state, 80, 24).contains("about three seconds"));
}
