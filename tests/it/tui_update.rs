//! What follows from a message, told as sentences.

use std::collections::BTreeMap;

use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::BlockHash;
use grail_console::domain::roster::Roster;
use grail_console::domain::snapshot::{Member, SubnetChange};
use grail_console::engine::model::Connection;
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::keymap::{Command, KeyMap, KeyMapError, KeyMode, SPECS};
use grail_console::tui::list::Slot;
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::{Mode, State, View};
use grail_console::tui::update::update;

use crate::tui_fixtures::*;

fn console() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    state
}

fn selected_uid(state: &State) -> Option<u16> {
    state.selected().and_then(|row| row.uid)
}

fn change(block: u64) -> SubnetChange {
    SubnetChange { block, commitments: Vec::new(), members: Vec::new() }
}

fn listed(state: &State) -> Vec<u16> {
    let roster = state.model.table.roster();
    let row = |slot: &Slot| state.list.row(roster, *slot).and_then(|row| row.uid);
    state.list.slots().iter().filter_map(row).collect()
}

#[test]
fn the_own_row_stands_first_and_is_selected_at_the_start() {
    let state = console();
    assert_eq!(listed(&state)[..4], [42, 0, 1, 2]);
    assert_eq!(selected_uid(&state), Some(42));
}

#[test]
fn the_selection_follows_its_hotkey_through_refresh_sort_and_filter() {
    let mut state = console();
    press(&mut state, "j j j j j j j j");
    assert_eq!(selected_uid(&state), Some(7));
    press(&mut state, "s S");
    assert_eq!(selected_uid(&state), Some(7));
    press(&mut state, "/ text:role:validator enter");
    assert_eq!(selected_uid(&state), Some(7));
    let mut moved = healthy();
    moved.members.iter_mut().for_each(|member| member.uid += u16::from(member.uid >= 7));
    feed(&mut state, FeedEvent::Snapshot(Box::new(moved)));
    assert_eq!(state.selected().unwrap().hotkey, hotkey(7));
    assert_eq!(selected_uid(&state), Some(8));
}

#[test]
fn a_selected_row_that_is_filtered_out_is_selected_again_when_it_comes_back() {
    let mut state = console();
    press(&mut state, "j j j j");
    assert_eq!(selected_uid(&state), Some(3));
    press(&mut state, "/ text:state:unreadable");
    assert_ne!(selected_uid(&state), Some(3));
    press(&mut state, "esc");
    assert_eq!(selected_uid(&state), Some(3));
}

#[test]
fn a_selected_hotkey_that_leaves_the_subnet_leaves_the_cursor_where_it_was() {
    let mut state = console();
    press(&mut state, "j j j j");
    let at = state.list.cursor();
    let newcomer =
        Member { uid: 3, hotkey: hotkey(70_003), registered_at: Some(HEAD), validator_permit: false, stake: None };
    feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { members: vec![newcomer], ..change(HEAD + 1) })));
    assert_eq!(state.list.cursor(), at);
    assert_eq!(state.selected().unwrap().hotkey, hotkey(70_003));
}

#[test]
fn a_lost_connection_keeps_every_row_and_tells_the_age() {
    let mut state = console();
    lost(&mut state);
    pass(&mut state, 41);
    assert_eq!(state.list.rows(), 256);
    let screen = screen(&state, 120, 32);
    assert!(screen.contains("Connection lost 41 s ago"), "{screen}");
    assert!(screen.contains("the node closed the connection"), "{screen}");
    assert!(screen.contains(&hotkey(0).short()), "{screen}");
}

#[test]
fn the_age_of_a_loss_counts_from_the_first_failure_and_ends_with_the_next_connection() {
    let mut state = console();
    lost(&mut state);
    pass(&mut state, 8);
    feed(&mut state, FeedEvent::Connecting { endpoint: ENDPOINT.to_owned(), attempt: 2 });
    assert!(screen(&state, 120, 32).contains("Connection lost 8 s ago · trying again, attempt 2"));
    lost(&mut state);
    pass(&mut state, 4);
    assert!(screen(&state, 120, 32).contains("Connection lost 12 s ago"));
    feed(&mut state, FeedEvent::Connected { chain: chain(), latency_ms: 20 });
    feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    assert!(matches!(state.model.connection, Connection::Live { latency_ms: Some(20), .. }));
    assert!(!screen(&state, 120, 32).contains("lost"));
}

#[test]
fn a_changed_commitment_is_on_the_screen_at_once_and_only_its_row_changes() {
    let mut state = console();
    let before = state.model.table.roster().clone();
    let new = good(77_777, HEAD + 1);
    let event = SubnetChange { commitments: vec![(hotkey(3), Some(new.clone()))], ..change(HEAD + 1) };
    let effects = feed(&mut state, FeedEvent::Changed(Box::new(event)));
    assert!(matches!(effects[..], [Effect::Keep(_)]));
    let after = state.model.table.roster();
    assert_eq!(after.by_uid(3).unwrap().commitment, Some(new));
    assert_eq!((after.summary.readable, after.summary.none), (before.summary.readable + 1, before.summary.none - 1));
    assert_eq!(before.rows.iter().zip(&after.rows).filter(|(a, b)| a != b).count(), 1);
}

#[test]
fn a_change_gives_the_same_rows_as_reading_the_whole_subnet_again() {
    let mut state = console();
    let mut whole = healthy();
    let newcomer =
        Member { uid: 9, hotkey: hotkey(70_009), registered_at: Some(HEAD), validator_permit: true, stake: None };
    let later =
        Member { uid: 256, hotkey: hotkey(90_001), registered_at: Some(HEAD), validator_permit: false, stake: None };
    let event = SubnetChange {
        block: HEAD + 1,
        commitments: vec![
            (hotkey(3), Some(good(3, HEAD + 1))),
            (hotkey(u64::from(OWN)), None),
            (hotkey(90_000), None),
            (hotkey(90_500), Some(good(5, HEAD + 1))),
        ],
        members: vec![newcomer, later],
    };
    whole.apply(&event);
    feed(&mut state, FeedEvent::Changed(Box::new(event)));
    assert_eq!(*state.model.table.roster(), Roster::join(&whole, state.model.own.own().as_ref()));
}

#[test]
fn a_frozen_table_holds_changes_back_counts_them_and_lets_them_in() {
    let mut state = console();
    press(&mut state, "space");
    for block in 1..=3 {
        let commitments = vec![(hotkey(3), Some(good(3, HEAD + block))), (hotkey(block + 20), None)];
        let effects =
            feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { commitments, ..change(HEAD + block) })));
        assert_eq!(effects, [], "nothing is kept for the next start that is not on the screen");
    }
    assert!(state.model.table.roster().by_uid(3).unwrap().commitment.is_none());
    assert!(screen(&state, 120, 32).contains("Frozen · 4 rows changed since"));
    press(&mut state, "space");
    assert_eq!(state.model.table.roster().by_uid(3).unwrap().commitment.as_ref().unwrap().block, Some(HEAD + 3));
    assert!(state.model.table.roster().by_uid(23).unwrap().commitment.is_none());
    assert!(screen(&state, 120, 32).contains("live again, 4 rows had changed"));
}

#[test]
fn a_snapshot_that_arrives_while_frozen_supersedes_the_changes_before_it() {
    let mut state = console();
    press(&mut state, "space");
    let older = SubnetChange { commitments: vec![(hotkey(3), Some(good(3, HEAD + 1)))], ..change(HEAD + 1) };
    feed(&mut state, FeedEvent::Changed(Box::new(older)));
    feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    assert_eq!(state.model.table.roster().summary.none, 8);
    press(&mut state, "space");
    assert!(state.model.table.roster().by_uid(3).unwrap().commitment.is_none());
}

#[test]
fn a_saved_subnet_is_shown_with_its_age_until_the_chain_answers_and_never_after() {
    let mut state = opened(own(&values(42, false)));
    let saved_at_ms = NOW_MS - 3 * 3_600_000;
    let saved = || Msg::CachedSnapshot { snapshot: Box::new(all_good(8, 0)), saved_at_ms };
    update(&mut state, saved());
    let first = screen(&state, 120, 32);
    assert!(first.contains("Saved 3 h ago on this machine"), "{first}");
    assert!(first.contains("#9,168,527 saved 3 h ago"), "{first}");
    feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    update(&mut state, saved());
    assert_eq!(state.model.table.roster().summary.uids, 256);
    assert!(!screen(&state, 120, 32).contains("Saved"));
}

#[test]
fn a_head_older_than_a_minute_raises_the_stale_banner_and_a_new_one_lowers_it() {
    let mut state = console();
    pass(&mut state, 56);
    assert!(!screen(&state, 120, 32).contains("No new block"));
    pass(&mut state, 1);
    assert!(screen(&state, 120, 32).contains("No new block for 60 s"));
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 1, hash: BlockHash([1; 32]) });
    assert!(!screen(&state, 120, 32).contains("No new block"));
}

#[test]
fn a_stalled_node_is_named_and_a_block_revives_it() {
    let mut state = console();
    feed(&mut state, FeedEvent::Stalled { number: HEAD + 2, seconds: 45 });
    let stalled = screen(&state, 120, 32);
    assert!(stalled.contains("▲ stalled") && stalled.contains("No new block for 45 s"), "{stalled}");
    feed(&mut state, FeedEvent::BestHead { number: HEAD + 3 });
    assert!(screen(&state, 120, 32).contains("● live"));
}

#[test]
fn a_node_that_is_hours_behind_is_told_and_forgiven_when_it_has_caught_up() {
    let mut state = opened(nobody());
    let mut old = healthy();
    old.at.timestamp_ms = NOW_MS - 2 * 3_600_000;
    feed(&mut state, FeedEvent::Connected { chain: chain(), latency_ms: 12 });
    feed(&mut state, FeedEvent::Snapshot(Box::new(old)));
    assert!(screen(&state, 120, 32).contains("This node's chain is 2 h behind this machine's clock"));
    pass(&mut state, 10);
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 600, hash: BlockHash([1; 32]) });
    assert!(!screen(&state, 120, 32).contains("behind"));
}

#[test]
fn ages_of_rows_grow_with_the_best_block() {
    let mut state = console();
    feed(&mut state, FeedEvent::BestHead { number: HEAD + 300 });
    assert!(screen(&state, 120, 32).contains("9,168,227 2 h"));
}

#[test]
fn a_filter_that_means_nothing_is_named_and_the_last_good_one_holds() {
    let mut state = console();
    press(&mut state, "/ text:role:trainer");
    assert_eq!(listed(&state), [0]);
    press(&mut state, "text:x");
    assert_eq!(listed(&state), [0]);
    assert!(screen(&state, 120, 32).contains("role:trainerx is unknown"));
    press(&mut state, "enter");
    assert_eq!(state.list.line.value(), "role:trainer");
    assert!(matches!(state.mode, Mode::Normal));
}

#[test]
fn beginning_to_type_a_key_of_the_filter_does_not_empty_the_table() {
    let mut state = console();
    press(&mut state, "/ text:stat");
    assert_eq!(state.list.rows(), 256);
    press(&mut state, "text:e:none");
    assert_eq!(state.list.rows(), 8);
    press(&mut state, "enter esc");
    assert_eq!(state.list.rows(), 256);
}

#[test]
fn the_beginning_of_a_value_counts_as_soon_as_it_can_mean_one_thing_only() {
    let mut state = console();
    press(&mut state, "/ text:role:");
    assert_eq!((state.list.rows(), &state.list.error), (256, &None));
    assert_eq!(state.list.hint.as_deref(), Some("trainer validator miner"));
    press(&mut state, "text:tr");
    assert_eq!(listed(&state), [0]);
    assert_eq!(state.list.hint.as_deref(), Some("role:trainer"));
    press(&mut state, "enter");
    assert_eq!(state.list.line.value(), "role:trainer");
    assert_eq!(listed(&state), [0]);
}

#[test]
fn a_guess_from_the_beginning_of_a_word_falls_with_the_word() {
    let mut state = console();
    press(&mut state, "/ text:state:o");
    assert_eq!(state.list.rows(), 5);
    press(&mut state, "text:dd");
    assert_eq!(state.list.rows(), 256);
    assert!(state.list.error.is_some());
    update(&mut state, Msg::Paste("\u{3000}role:t".to_owned()));
    assert!(state.list.error.is_some());
}

#[test]
fn a_value_that_may_still_become_something_is_no_error_and_is_dropped_on_enter() {
    let mut state = console();
    press(&mut state, "/ text:ROLE:M");
    let miners = state.list.rows();
    update(&mut state, Msg::Paste(" own:".to_owned()));
    assert_eq!((state.list.rows(), &state.list.error), (miners, &None));
    assert_eq!(state.list.hint.as_deref(), Some("yes no"));
    press(&mut state, "text:x");
    assert!(state.list.error.is_some());
    assert_eq!(state.list.rows(), miners);
    press(&mut state, "enter");
    assert_eq!(state.list.line.value(), "role:miner");
}

#[test]
fn a_commitment_that_claims_a_block_of_the_future_has_no_age() {
    let mut state = console();
    let commitments = vec![(hotkey(3), Some(good(77_777, u64::from(u32::MAX))))];
    feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { commitments, ..change(HEAD + 1) })));
    let table = screen(&state, 120, 32);
    assert!(table.lines().any(|line| line.contains("4,294,967,295     — not tested")), "{table}");
    press(&mut state, "j j j j enter");
    assert!(screen(&state, 120, 32).contains("#4,294,967,295  a block that does not exist yet"));
}

#[test]
fn a_latency_below_a_millisecond_is_told_and_an_unknown_one_is_not_invented() {
    let mut state = console();
    feed(&mut state, FeedEvent::Latency { ms: 0 });
    assert!(screen(&state, 120, 32).contains("● live <1 ms"));
    feed(&mut state, FeedEvent::Stalled { number: HEAD, seconds: 70 });
    feed(&mut state, FeedEvent::BestHead { number: HEAD + 1 });
    assert!(matches!(state.model.connection, Connection::Live { latency_ms: None, .. }));
}

#[test]
fn a_node_that_never_answered_is_not_called_lost() {
    let mut state = opened(nobody());
    update(&mut state, Msg::CachedSnapshot { snapshot: Box::new(healthy()), saved_at_ms: NOW_MS - 7_300_000 });
    lost(&mut state);
    pass(&mut state, 5);
    let screen = screen(&state, 120, 32);
    assert!(screen.contains("No connection for 5 s · next try in 3 s · the table was saved 2 h ago"), "{screen}");
    assert!(screen.contains("✗ no connection"), "{screen}");
    assert!(!screen.contains("lost"), "{screen}");
}

#[test]
fn a_paste_into_the_filter_takes_only_what_can_be_seen_and_elsewhere_does_nothing() {
    let mut state = console();
    update(&mut state, Msg::Paste("q\u{1b}[31m".to_owned()));
    assert_eq!(state.view, View::Subnet);
    press(&mut state, "/");
    update(&mut state, Msg::Paste("own:\u{202e}yes\u{7}\n".to_owned()));
    assert_eq!(state.list.line.value(), "own:yes");
    assert_eq!(listed(&state), [OWN]);
}

#[test]
fn ex_members_stand_apart_and_are_skipped_until_they_are_asked_for() {
    let mut state = console();
    press(&mut state, "G");
    assert_eq!(selected_uid(&state), Some(255));
    press(&mut state, "o j");
    assert!(state.selected().unwrap().is_ex_member());
    press(&mut state, "k");
    assert_eq!(selected_uid(&state), Some(255));
    press(&mut state, "o / text:state:orphan enter");
    assert_eq!(state.list.rows(), 5);
    assert!(state.selected().unwrap().is_ex_member());
}

#[test]
fn sorting_goes_round_the_columns_and_keeps_the_own_row_first() {
    let mut state = console();
    for _ in 0..7 {
        press(&mut state, "s");
        assert_eq!(listed(&state)[0], OWN);
    }
    assert_eq!(listed(&state)[..3], [42, 0, 1]);
    press(&mut state, "S");
    assert_eq!(listed(&state)[..3], [42, 255, 254]);
}

#[test]
fn moving_stops_at_both_ends_and_the_selected_row_stays_in_sight() {
    let mut state = console();
    press(&mut state, "k k");
    assert_eq!(state.list.cursor(), 0);
    press(&mut state, "pgdn");
    assert!(screen(&state, 120, 32).contains("▌"));
    press(&mut state, "G j");
    assert_eq!(selected_uid(&state), Some(255));
    assert!(screen(&state, 120, 32).contains(&hotkey(255).short()));
    press(&mut state, "g");
    assert_eq!(state.list.offset(), 0);
}

#[test]
fn copying_offers_the_public_fields_and_copies_the_chosen_one() {
    let mut state = console();
    press(&mut state, "y");
    let Mode::Choose(chooser) = &state.mode else { panic!("no chooser") };
    let names: Vec<_> = chooser.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["hotkey", "account id = bucket", "read key id"]);
    assert_eq!(press(&mut state, "j j enter"), [Effect::Copy(key_id(42))]);
    // Nobody knows whether it arrived: the text stays, whole and alone on its line, until one goes on.
    pass(&mut state, 5);
    let sent = screen(&state, 60, 15);
    assert!(sent.contains("Sent to the terminal") && !sent.contains("copied"), "{sent}");
    assert!(sent.lines().any(|line| line.trim_matches([' ', '│']) == key_id(42)), "{sent}");
    assert_eq!(press(&mut state, "j enter"), []);
    assert!(!screen(&state, 120, 32).contains("Sent to the terminal"));
}

#[test]
fn what_others_wrote_is_copied_with_its_escapes() {
    let mut state = live(nobody(), hostile());
    press(&mut state, "j j j j j y j");
    let [Effect::Copy(text)] = &press(&mut state, "enter")[..] else { panic!("nothing copied") };
    assert!(text.starts_with("\\u{1b}]52;c;aGk=\\u{7}"), "{text}");
}

#[test]
fn escape_leads_back_to_where_one_came_from() {
    let mut state = console();
    press(&mut state, "u ? esc");
    assert_eq!(state.view, View::You);
    press(&mut state, "esc enter");
    assert_eq!(state.view, View::Detail);
    press(&mut state, "esc");
    assert_eq!(state.view, View::Subnet);
    press(&mut state, "tab tab tab tab tab tab");
    assert_eq!(state.view, View::Subnet);
}

#[test]
fn quitting_leaves_from_moving_and_force_quit_from_typing() {
    let mut state = console();
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
    assert_eq!(press(&mut state, "/ q"), []);
    assert_eq!(press(&mut state, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn the_palette_finds_a_command_by_some_of_its_letters_and_obeys_it() {
    let mut state = console();
    press(&mut state, ": text:revers enter");
    assert_eq!(listed(&state)[1], 255);
    assert_eq!(press(&mut state, ": text:anew enter"), [Effect::Ask(Request::Reconnect)]);
}

#[test]
fn a_changed_env_file_is_compared_at_once() {
    let mut state = console();
    assert!(screen(&state, 120, 32).contains("you: chain and local agree"));
    update(&mut state, Msg::Event(EngineEvent::Own(Box::new(own(&values(42, true))))));
    assert!(screen(&state, 120, 32).contains("you: validators still read your old key"));
}

#[test]
fn the_embedded_keys_reach_every_command_and_every_command_is_specified_once() {
    let map = KeyMap::load(&BTreeMap::new()).unwrap();
    assert_eq!(map, KeyMap::default());
    for spec in &SPECS {
        assert!(KeyMode::ALL.iter().any(|mode| !map.chords(*mode, spec.command).is_empty()), "{}", spec.name);
        assert_eq!(SPECS.iter().filter(|other| other.name == spec.name || other.command == spec.command).count(), 1);
        assert_eq!(Command::named(spec.name), Some(spec.command));
    }
    assert!(map.markdown().contains("| `enter` | Show everything known about the selected row |"));
}

#[test]
fn the_operators_own_keys_replace_the_embedded_ones_and_mistakes_are_named() {
    let load = |name: &str, keys: &[&str]| {
        KeyMap::load(&BTreeMap::from([(name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())]))
    };
    assert_eq!(load("open", &["l"]).unwrap().chords(KeyMode::Normal, Command::Open)[0].to_string(), "l");
    assert!(matches!(load("opne", &["l"]), Err(KeyMapError::UnknownCommand(_))));
    assert!(matches!(load("open", &["entr"]), Err(KeyMapError::UnknownKey { .. })));
    assert!(matches!(load("open", &["q"]), Err(KeyMapError::Conflict { .. })));
    assert!(matches!(load("quit", &[]), Err(KeyMapError::Unreachable("quit"))));
}

#[test]
fn log_lines_follow_the_newest_unless_one_looks_at_older_ones() {
    let mut state = console();
    let line = |seq| grail_console::tui::logbook::LogLine {
        seq,
        at_ms: NOW_MS,
        level: grail_console::tui::logbook::Level::Info,
        target: "chain".to_owned(),
        message: format!("line {seq}.").as_str().into(),
    };
    update(&mut state, Msg::Logs((1..=100).map(line).collect()));
    press(&mut state, "L");
    assert!(screen(&state, 80, 24).contains("line 100."));
    press(&mut state, "k");
    update(&mut state, Msg::Logs((90..=110).map(line).collect()));
    assert_eq!(state.logs.lines().len(), 110, "lines seen before are not taken twice");
    assert!(!screen(&state, 120, 32).contains("line 100."));
    press(&mut state, "G");
    assert!(screen(&state, 120, 32).contains("line 110."));
}
