//! The dialog of a rotation and what the banner says of one, in every state, as they look.

use grail_console::domain::commit::Progress;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::findings::{Finding, Severity};
use grail_console::domain::network::BlockHash;
use grail_console::domain::rotation::messages::{Question, RotateNews};
use grail_console::domain::rotation::{Event, Seen, Side};
use grail_console::domain::snapshot::SubnetChange;
use grail_console::tui::logbook::{Level, LogLine};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::style::Color;
use rstest::rstest;

use crate::tui_commit_fixtures::{plan, plan_of, practice, ready, standing, way as commit_way, wrong_password};
use crate::tui_fixtures::*;
use crate::tui_rotation_fixtures::*;

fn looks(name: &str, state: &State) {
    for (width, height) in [(120, 32), (80, 24)] {
        assert_snapshot!(format!("{name}_{width}x{height}"), screen(state, width, height));
    }
}

#[test]
fn the_journal_is_read_before_anything_is_offered() {
    let mut state = ready();
    press(&mut state, "R");
    looks("looking", &state);
    told(&mut state, RotateNews::Refused(newer_journal()));
    looks("unreadable", &state);
}

fn newer_journal() -> Finding {
    Finding::new(
        "newer_journal",
        Severity::Danger,
        "The journal of rotations was written by a newer console",
        "This one does not know everything it says, and driving on from it could lose a key.",
        "Update this console, then open it again.",
    )
}

#[test]
fn the_wizard_asks_what_to_replace() {
    let mut state = untouched();
    press(&mut state, "R");
    looks("what", &state);
    press(&mut state, "down down down");
    assert_snapshot!("what_emergency_80x24", screen(&state, 80, 24));
    let mut state = with(&past());
    press(&mut state, "esc R");
    looks("what_with_past", &state);
}

#[test]
fn new_keys_are_dots_and_lengths() {
    let mut state = untouched();
    press(&mut state, "R enter");
    looks("keys_empty", &state);
    looks("keys_both", &entered("R down down enter"));
    let mut state = entered("R enter");
    press(&mut state, "enter backspace backspace");
    assert_snapshot!("keys_short_grace_80x24", screen(&state, 80, 24));
    press(&mut state, "text:99999");
    assert_snapshot!("keys_endless_grace_80x24", screen(&state, 80, 24));
    looks("keys_emergency", &entered("R down down down enter"));
}

#[test]
fn a_last_look_before_it_begins() {
    for (name, keys) in [("read", ""), ("write", "down "), ("both", "down down "), ("emergency", "down down down ")] {
        let mut state = entered(&format!("R {keys}enter"));
        press(&mut state, if name == "emergency" { "enter" } else { "enter enter" });
        looks(&format!("summary_{name}"), &state);
        press(&mut state, "tab");
        assert_snapshot!(format!("summary_{name}_begin_80x24"), screen(&state, 80, 24));
    }
}

#[test]
fn beginning_and_being_refused() {
    let mut state = entered("R enter");
    press(&mut state, "enter enter tab enter");
    pass(&mut state, 2);
    assert_snapshot!("begun_80x24", screen(&state, 80, 24));
    told(&mut state, RotateNews::Refused(misshapen()));
    looks("begun_refused", &state);
}

#[rstest]
fn every_phase_of_the_way(#[values(1, 2, 3, 4, 5, 6, 7, 8, 10, 11)] events: usize) {
    looks(&format!("phase_{events:02}"), &shown(&way_to(events)));
}

#[test]
fn the_grace_counts_down_with_every_final_block() {
    let mut state = shown(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 115, hash: BlockHash([1; 32]) });
    looks("grace_near", &state);
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 122, hash: BlockHash([1; 32]) });
    looks("grace_over", &state);
}

#[test]
fn what_stands_against_it_says_what_to_do() {
    let mut state = shown(&in_grace());
    let env = blocker(
        "env_not_updated",
        "The .env does not hold the new keys, so GRAIL's next start would put the old ones back",
        "Run rotate resume: it brings the .env up to date.",
    );
    let key = blocker(
        "new_key_unreadable",
        "The new read key could not be tested: no answer within 6 s",
        "Check the new token at the provider; the old one is kept until the new one works.",
    );
    let running = blocker("grace_running", "The grace ends in 122 blocks", "Wait.");
    told(&mut state, stands_of(&in_grace(), vec![running, env, key], false));
    looks("blocked", &state);
}

#[test]
fn at_work_and_paused() {
    let mut state = shown(&way_to(2));
    press(&mut state, "enter");
    working(&mut state, "waiting for the store to know the new key, up to 90 s");
    pass(&mut state, 12);
    looks("working", &state);
    told(&mut state, RotateNews::Paused(paused()));
    looks("paused", &state);
    told(&mut state, RotateNews::Refused(misshapen()));
    assert_snapshot!("refused_80x24", screen(&state, 80, 24));
}

#[test]
fn another_console_drives_it() {
    let mut state = shown(&in_grace());
    told(&mut state, stands_of(&in_grace(), Vec::new(), true));
    looks("driven_elsewhere", &state);
    press(&mut state, "esc");
    assert_snapshot!("banner_driven_elsewhere_80x24", screen(&state, 80, 24));
}

#[test]
fn read_only_and_frozen_consoles_only_look() {
    let mut state = ready();
    state.options.read_only = true;
    stands(&mut state, &in_grace());
    press(&mut state, "R");
    looks("read_only", &state);
    let mut state = ready();
    state.options.read_only = true;
    stands(&mut state, &[]);
    press(&mut state, "R");
    looks("barred", &state);
    let mut state = with(&way_to(4));
    press(&mut state, "space R");
    assert_snapshot!("frozen_80x24", screen(&state, 80, 24));
}

#[test]
fn whether_to_publish() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Password);
    looks("publish", &state);
    press(&mut state, "text:42 tab");
    assert_snapshot!("publish_yes_80x24", screen(&state, 80, 24));
    press(&mut state, "enter");
    update(&mut state, Msg::Typed { chars: 12 });
    looks("publish_password", &state);
    press(&mut state, "enter");
    progressed(&mut state, Progress::Unlocking);
    assert_snapshot!("publish_unlocking_80x24", screen(&state, 80, 24));
    told(&mut state, RotateNews::WrongPassword(wrong_password()));
    assert_snapshot!("publish_wrong_password_80x24", screen(&state, 80, 24));
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan_of(practice(standing()), true), Locked::Open);
    looks("publish_practice", &state);
}

#[rstest]
fn every_step_of_its_commit(#[values(0, 3, 6)] steps: usize) {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    press(&mut state, "text:42 tab enter");
    for progress in commit_way().into_iter().take(steps) {
        pass(&mut state, 6);
        progressed(&mut state, progress);
    }
    looks(&format!("publishing_{steps}"), &state);
}

#[test]
fn what_about_the_env() {
    let mut state = shown(&way_to(8));
    asks_for_env(&mut state, Some("/home/grail/grail/.env"));
    looks("env", &state);
    press(&mut state, "tab");
    assert_snapshot!("env_rewrite_80x24", screen(&state, 80, 24));
    asks_for_env(&mut state, None);
    assert_snapshot!("env_unnamed_80x24", screen(&state, 80, 24));
}

#[test]
fn a_token_to_revoke() {
    let mut state = shown(&in_grace());
    asks(&mut state, Question::Revoke { side: Side::Read });
    looks("revoke", &state);
    let events = [leaked(), Event::Staged];
    looks("emergency", &shown(&events));
    let mut state = shown(&events);
    asks(&mut state, Question::Revoke { side: Side::Write });
    looks("revoke_leaked", &state);
}

#[test]
fn something_else_is_on_chain() {
    let mut state = shown(&different());
    looks("different", &state);
    asks(&mut state, Question::Accept);
    looks("accept", &state);
    press(&mut state, "text:zz");
    assert_snapshot!("accept_another_80x24", screen(&state, 80, 24));
    let wanted: String = held(99).fingerprint().unwrap().short().chars().take(4).collect();
    press(&mut state, &format!("backspace backspace text:{wanted} tab tab"));
    assert_snapshot!("accept_reached_80x24", screen(&state, 80, 24));
    let mut events = way_to(6);
    events.push(Event::Different { seen: Seen::Nothing });
    let mut state = shown(&events);
    asks(&mut state, Question::Accept);
    assert_snapshot!("accept_nothing_80x24", screen(&state, 80, 24));
}

#[test]
fn whether_to_roll_back() {
    let mut state = shown(&in_grace());
    press(&mut state, "b");
    looks("turn_back", &state);
    let mut state = shown(&way_to(3));
    press(&mut state, "b tab");
    assert_snapshot!("turn_back_unpublished_80x24", screen(&state, 80, 24));
}

#[test]
fn going_back_is_the_same_way_with_the_old_keys() {
    looks("back_planned", &shown(&going_back(1)));
    looks("back_promoted", &shown(&going_back(5)));
    looks("back_forgetting", &shown(&[read_key(), Event::Staged, Event::TurnedBack]));
}

#[test]
fn other_keys_have_their_own_way() {
    let both: Vec<Event> = std::iter::once(both_keys()).chain(in_grace().into_iter().skip(1)).collect();
    looks("both_keys", &shown(&both));
    looks("write_key", &shown(&[write_key(), Event::Staged, probed(), Event::Promoted]));
}

#[test]
fn how_it_ended() {
    for (name, before, after) in [
        ("retired", in_grace(), way()),
        ("rolled_back", going_back(6), going_back(7)),
        (
            "abandoned",
            vec![read_key(), Event::TurnedBack, Event::Forgetting],
            vec![read_key(), Event::TurnedBack, Event::Forgetting, Event::Abandoned],
        ),
    ] {
        let mut state = shown(&before);
        stands(&mut state, &after);
        looks(&format!("over_{name}"), &state);
    }
}

#[test]
fn an_open_rotation_is_on_every_screen() {
    looks("banner_open", &with(&way_to(8)));
    looks("banner_grace", &with(&in_grace()));
    let mut state = with(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 200, hash: BlockHash([1; 32]) });
    looks("banner_grace_over", &state);
    looks("banner_different", &with(&different()));
    let mut state = with(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    assert_snapshot!("banner_asks_80x24", screen(&state, 80, 24));
    told(&mut state, RotateNews::Paused(paused()));
    assert_snapshot!("banner_paused_80x24", screen(&state, 80, 24));
    let mut state = with(&in_grace());
    stands(&mut state, &way());
    assert_snapshot!("banner_over_80x24", screen(&state, 80, 24));
    let mut state = with(&in_grace());
    press(&mut state, "u");
    assert_snapshot!("banner_in_you_80x24", screen(&state, 80, 24));
}

#[test]
fn a_chain_that_holds_the_old_key_again_is_red() {
    let mut state = with(&in_grace());
    let commitments = vec![(hotkey(u64::from(OWN)), Some(good(42, HEAD + 1)))];
    feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { block: HEAD + 1, commitments, members: Vec::new() })));
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 1, hash: BlockHash([1; 32]) });
    looks("banner_reverted", &state);
    press(&mut state, "R");
    looks("reverted", &state);
    press(&mut state, "esc");
    lost(&mut state);
    press(&mut state, "space");
    assert_snapshot!("banner_among_others_80x24", screen(&state, 80, 24));
}

#[test]
fn the_journal_stands_among_the_lines_of_the_log() {
    let line = |seq: u64, minutes: u64, text: &str| LogLine {
        seq,
        at_ms: NOW_MS - minutes * 60_000,
        level: Level::Info,
        target: "grail_console::chain".to_owned(),
        message: text.into(),
    };
    let mut state = ready();
    update(&mut state, Msg::Logs(vec![line(1, 20, "connected"), line(2, 5, "a new block")]));
    stands(&mut state, &different());
    update(&mut state, Msg::Logs(vec![line(3, 0, "the newest line")]));
    press(&mut state, "L");
    looks("logs", &state);
}

#[test]
fn the_smallest_screen_keeps_the_question_and_scrolls_the_rest() {
    let mut publishes = shown(&way_to(4));
    asks_to_publish(&mut publishes, plan(), Locked::Open);
    let mut wizard = untouched();
    press(&mut wizard, "R");
    for (name, state) in [
        ("publish", publishes),
        ("grace", shown(&in_grace())),
        ("what", wizard),
        ("keys", entered("R down down enter")),
    ] {
        assert_snapshot!(format!("{name}_60x15"), screen(&state, 60, 15));
    }
    assert_snapshot!("too_small_59x15", screen(&shown(&in_grace()), 59, 15));
}

#[test]
fn without_colour_every_dialog_has_the_same_words() {
    let mut asked = shown(&different());
    asks(&mut asked, Question::Accept);
    for state in [shown(&in_grace()), asked, entered("R down down enter"), with(&different())] {
        let mut plain = state.clone();
        plain.options.no_color = true;
        let buffer = drawn(&plain, 120, 32);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let unshaded = |text: String| text.replace(['█', '▓', '░'], "▄");
        assert_eq!(unshaded(text(&buffer)), unshaded(screen(&state, 120, 32)));
    }
}
