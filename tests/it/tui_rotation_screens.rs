//! The dialog of a rotation and what the banner says of one, in every state.

use grail_console::domain::commit::Progress;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::feed::FeedEvent;
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

use crate::tui_commit_fixtures::{plan, plan_of, practice, ready, standing, way as commit_way, wrong_password};
use crate::tui_fixtures::*;
use crate::tui_parts::*;
use crate::tui_rotation_fixtures::*;

#[test]
fn the_journal_is_read_before_anything_is_offered() {
    let mut pictures = Pictures::default();
    let mut state = ready();
    press(&mut state, "R");
    pictures.add_dialog("looking", &state);
    told(&mut state, RotateNews::Refused(newer_journal()));
    pictures.add_dialog("unreadable", &state);
    assert_snapshot!(pictures.text());
}

fn newer_journal() -> Diagnostic {
    Diagnostic::new(
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
    let mut pictures = Pictures::default();
    press(&mut state, "R");
    pictures.add_dialog("what", &state);
    press(&mut state, "down down down");
    pictures.add_dialog_variant("emergency", "what", &state);
    let mut state = with(&past());
    press(&mut state, "esc R");
    pictures.add_dialog("with a past", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn new_keys_are_dots_and_lengths() {
    let mut state = untouched();
    let mut pictures = Pictures::default();
    press(&mut state, "R enter");
    pictures.add_dialog("nothing typed", &state);
    pictures.add_dialog("both keys", &entered("R down down enter"));
    let mut state = entered("R enter");
    press(&mut state, "enter backspace backspace");
    pictures.add_dialog("short grace", &state);
    press(&mut state, "text:99999");
    pictures.add_dialog_variant("endless grace", "short grace", &state);
    pictures.add_dialog("emergency", &entered("R down down down enter"));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_last_look_before_it_begins() {
    let mut pictures = Pictures::default();
    for (name, keys) in [("read", ""), ("write", "down "), ("both", "down down "), ("emergency", "down down down ")] {
        let mut state = entered(&format!("R {keys}enter"));
        press(&mut state, if name == "emergency" { "enter" } else { "enter enter" });
        if name == "read" {
            pictures.add_dialog(name, &state);
        } else {
            pictures.add_dialog_variant(name, "read", &state);
        }
        press(&mut state, "tab");
        pictures.add(&format!("{name}, begin"), with_keys(question)(&state, 80, 24));
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn beginning_and_being_refused() {
    let mut state = entered("R enter");
    press(&mut state, "enter enter tab enter");
    pass(&mut state, 2);
    let mut pictures = Pictures::default();
    pictures.add_dialog("begun", &state);
    told(&mut state, RotateNews::Refused(misshapen()));
    pictures.add_dialog("refused", &state);
    assert_snapshot!(pictures.text());
}

/// Of a rotation's dialog the phase that it is in, the one before, and what is next.
fn present_phase(state: &State, width: u16, height: u16) -> String {
    let dialog = dialog_text(state, width, height);
    let lines: Vec<&str> = dialog.lines().collect();
    let place = |start| lines.iter().position(|line| line.starts_with(start));
    let (Some(present), Some(next)) = (place(" ●"), place(" Next:")) else { panic!("no phase in:\n{dialog}") };
    [&lines[present - 1..=present], &lines[next..]].concat().join("\n") + "\n"
}

#[test]
fn every_phase_of_the_way() {
    let mut pictures = Pictures::default();
    for events in [1, 2, 3, 4, 5, 6, 7, 8, 10, 11] {
        let (name, state) = (format!("{events} events"), shown(&way_to(events)));
        if events == 1 {
            pictures.add_dialog(&name, &state);
        } else {
            pictures.add(&name, at_both_sizes(&state, with_keys(present_phase)));
        }
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn the_grace_counts_down_with_every_final_block() {
    let mut state = shown(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 115, hash: BlockHash([1; 32]) });
    let mut pictures = Pictures::default();
    pictures.add_dialog("near its end", &state);
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 122, hash: BlockHash([1; 32]) });
    pictures.add_dialog_variant("over", "near its end", &state);
    assert_snapshot!(pictures.text());
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
    assert_snapshot!(dialog_at_both_sizes(&state));
}

#[test]
fn at_work_and_paused() {
    let mut state = shown(&way_to(2));
    press(&mut state, "enter");
    working(&mut state, "waiting for the store to know the new key, up to 90 s");
    pass(&mut state, 12);
    let mut pictures = Pictures::default();
    pictures.add_dialog("at work", &state);
    told(&mut state, RotateNews::Paused(paused()));
    pictures.add_dialog_variant("paused", "at work", &state);
    told(&mut state, RotateNews::Refused(misshapen()));
    pictures.add_dialog_variant("refused", "paused", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn another_console_drives_it() {
    let mut state = shown(&in_grace());
    told(&mut state, stands_of(&in_grace(), Vec::new(), true));
    let mut pictures = Pictures::default();
    pictures.add_dialog("dialog", &state);
    press(&mut state, "esc");
    pictures.add_banner("banner", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn read_only_and_frozen_consoles_only_look() {
    let mut state = ready();
    state.options.read_only = true;
    stands(&mut state, &in_grace());
    press(&mut state, "R");
    let mut pictures = Pictures::default();
    pictures.add_dialog("read-only", &state);
    let mut state = ready();
    state.options.read_only = true;
    stands(&mut state, &[]);
    press(&mut state, "R");
    pictures.add_dialog("read-only, none open", &state);
    let mut state = with(&way_to(4));
    press(&mut state, "space R");
    pictures.add_dialog("frozen", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn whether_to_publish() {
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Password);
    let mut pictures = Pictures::default();
    pictures.add_dialog("nothing typed", &state);
    press(&mut state, "text:42 tab");
    pictures.add("publish", with_keys(question)(&state, 80, 24));
    press(&mut state, "enter");
    update(&mut state, Msg::Typed { chars: 12 });
    pictures.add_dialog("password", &state);
    press(&mut state, "enter");
    progressed(&mut state, Progress::Unlocking);
    pictures.add_dialog("unlocking", &state);
    told(&mut state, RotateNews::WrongPassword(wrong_password()));
    pictures.add_dialog_variant("wrong password", "password", &state);
    let mut state = shown(&way_to(4));
    asks_to_publish(&mut state, plan_of(practice(standing()), true), Locked::Open);
    pictures.add_dialog_variant("practice subnet", "nothing typed", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn every_step_of_its_commit() {
    let mut pictures = Pictures::default();
    for steps in [0, 3, 6] {
        let mut state = shown(&way_to(4));
        asks_to_publish(&mut state, plan(), Locked::Open);
        press(&mut state, "text:42 tab enter");
        for progress in commit_way().into_iter().take(steps) {
            pass(&mut state, 6);
            progressed(&mut state, progress);
        }
        match steps {
            0 => pictures.add_dialog("step 0", &state),
            _ => pictures.add_dialog_variant(&format!("step {steps}"), &format!("step {}", steps - 3), &state),
        }
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn what_about_the_env() {
    let mut state = shown(&way_to(8));
    asks_for_env(&mut state, Some("/home/grail/grail/.env"));
    let mut pictures = Pictures::default();
    pictures.add_dialog("named", &state);
    press(&mut state, "tab");
    pictures.add("rewrite", with_keys(question)(&state, 80, 24));
    asks_for_env(&mut state, None);
    pictures.add_dialog_variant("not named", "named", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn a_token_to_revoke() {
    let mut state = shown(&in_grace());
    asks(&mut state, Question::Revoke { side: Side::Read });
    let mut pictures = Pictures::default();
    pictures.add_dialog("after the grace", &state);
    let events = [leaked(), Event::Staged];
    pictures.add_dialog("emergency", &shown(&events));
    let mut state = shown(&events);
    asks(&mut state, Question::Revoke { side: Side::Write });
    pictures.add_dialog("of a leaked key", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn something_else_is_on_chain() {
    let mut state = shown(&different());
    let mut pictures = Pictures::default();
    pictures.add_dialog("stopped", &state);
    asks(&mut state, Question::Accept);
    pictures.add_dialog_variant("asked", "stopped", &state);
    press(&mut state, "text:zz");
    pictures.add("another fingerprint", with_keys(question)(&state, 80, 24));
    let wanted: String = held(99).fingerprint().unwrap().short().chars().take(4).collect();
    press(&mut state, &format!("backspace backspace text:{wanted} tab tab"));
    pictures.add("go on", with_keys(question)(&state, 80, 24));
    let mut events = way_to(6);
    events.push(Event::Different { seen: Seen::Nothing });
    let mut state = shown(&events);
    asks(&mut state, Question::Accept);
    pictures.add_dialog_variant("nothing is on chain", "asked", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn whether_to_roll_back() {
    let mut state = shown(&in_grace());
    press(&mut state, "b");
    let mut pictures = Pictures::default();
    pictures.add_dialog("published", &state);
    let mut state = shown(&way_to(3));
    press(&mut state, "b tab");
    pictures.add_dialog("not published, yes", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn going_back_is_the_same_way_with_the_old_keys() {
    let mut pictures = Pictures::default();
    pictures.add_dialog("planned", &shown(&going_back(1)));
    pictures.add_dialog("in use", &shown(&going_back(5)));
    pictures.add_dialog("never published", &shown(&[read_key(), Event::Staged, Event::TurnedBack]));
    assert_snapshot!(pictures.text());
}

#[test]
fn other_keys_have_their_own_way() {
    let both: Vec<Event> = std::iter::once(both_keys()).chain(in_grace().into_iter().skip(1)).collect();
    let mut pictures = Pictures::default();
    pictures.add_dialog("both keys", &shown(&both));
    pictures.add_dialog("write key", &shown(&[write_key(), Event::Staged, probed(), Event::Promoted]));
    assert_snapshot!(pictures.text());
}

#[test]
fn how_it_ended() {
    let mut pictures = Pictures::default();
    for (name, before, after) in [
        ("retired", in_grace(), way()),
        ("rolled back", going_back(6), going_back(7)),
        (
            "abandoned",
            vec![read_key(), Event::TurnedBack, Event::Forgetting],
            vec![read_key(), Event::TurnedBack, Event::Forgetting, Event::Abandoned],
        ),
    ] {
        let mut state = shown(&before);
        stands(&mut state, &after);
        pictures.add_dialog(name, &state);
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn an_open_rotation_is_on_every_screen() {
    let mut pictures = Pictures::default();
    pictures.add_banner("open", &with(&way_to(8)));
    pictures.add_banner("grace", &with(&in_grace()));
    let mut state = with(&in_grace());
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 200, hash: BlockHash([1; 32]) });
    pictures.add_banner("grace over", &state);
    pictures.add_banner("something else on chain", &with(&different()));
    let mut state = with(&way_to(4));
    asks_to_publish(&mut state, plan(), Locked::Open);
    pictures.add_banner("asks to publish", &state);
    told(&mut state, RotateNews::Paused(paused()));
    pictures.add_banner("paused", &state);
    let mut state = with(&in_grace());
    stands(&mut state, &way());
    pictures.add_banner("over", &state);
    let mut state = with(&in_grace());
    press(&mut state, "u");
    pictures.add_banner("grace, own side", &state);
    assert_snapshot!(pictures.text());
}

/// In its grace, and the old key is on chain again.
pub fn reverted() -> State {
    let mut state = with(&in_grace());
    let commitments = vec![(hotkey(u64::from(OWN)), Some(good(42, HEAD + 1)))];
    feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { block: HEAD + 1, commitments, members: Vec::new() })));
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 1, hash: BlockHash([1; 32]) });
    state
}

#[test]
fn a_chain_that_holds_the_old_key_again_is_red() {
    let mut state = reverted();
    let mut pictures = Pictures::default();
    pictures.add_banner("banner", &state);
    press(&mut state, "R");
    pictures.add_dialog("dialog", &state);
    assert_snapshot!(pictures.text());
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
    assert_snapshot!(at_both_sizes(&state, with_keys(body)));
}

#[test]
fn below_the_smallest_size_a_dialog_is_one_line_as_well() {
    assert_eq!(screen(&shown(&in_grace()), 59, 15).trim(), "59x15 is too small: 60x15 at least");
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
