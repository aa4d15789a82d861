//! The dialog of a commit and what the banner says of commits, in every state.

use grail_console::domain::commit::messages::{Locked, News};
use grail_console::domain::commit::outcome::Rule;
use grail_console::domain::commit::plan::Space;
use grail_console::domain::commit::{Ended, Failure, KeyTest, PoolAnswer, Progress, Unsettled};
use grail_console::domain::commitment::Commitment;
use grail_console::domain::credentials::LocalValues;
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::guard::{Refusal, SecretKind};
use grail_console::domain::snapshot::SubnetChange;
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use insta::assert_snapshot;
use ratatui::style::Color;

use crate::domain_commit::found;
use crate::tui_commit_fixtures::*;
use crate::tui_fixtures::*;
use crate::tui_parts::*;

pub fn deciding(plan: grail_console::domain::commit::Plan) -> State {
    let mut state = ready();
    planned(&mut state, plan, Locked::Open);
    state
}

pub fn practice_console() -> State {
    let mut state = ready();
    state.options.is_sandbox = true;
    "SANDBOX".clone_into(&mut state.options.network);
    state
}

#[test]
fn the_chain_is_read() {
    let mut state = ready();
    press(&mut state, "C");
    pass(&mut state, 2);
    assert_snapshot!(dialog_at_both_sizes(&state));
}

#[test]
fn a_plan_for_finney_asks_for_the_uid() {
    let mut state = deciding(plan());
    let mut pictures = Pictures::default();
    pictures.add("nothing typed", with_keys(question)(&state, 80, 24));
    press(&mut state, "text:43");
    pictures.add("another uid", with_keys(question)(&state, 80, 24));
    press(&mut state, "backspace text:2 tab");
    pictures.add("confirmed", with_keys(question)(&state, 80, 24));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_plan_names_what_is_unusual_about_the_hotkey() {
    let mut first = standing();
    first.commitment = None;
    first.pinned = false;
    first.nonce = 18;
    first.chain.network = "127.0.0.1:9944".to_owned();
    let mut unreadable = standing();
    unreadable.commitment = Some(commitment(HEAD - 9, vec![raw("short")]));
    unreadable.space = None;
    let mut unregistered = standing();
    unregistered.uid = None;
    let mut spent = standing();
    spent.space = spent.space.map(|space| Space { used: 3_072, ..space });
    let mut pictures = Pictures::default();
    pictures.add_dialog("usual", &deciding(plan()));
    for (name, standing, rotated) in [
        ("a first commit on a chain that nobody pinned", first, true),
        ("over something unreadable, without a budget", unreadable, true),
        ("nothing to do", standing(), false),
        ("without a uid it can be armed", unregistered, true),
        ("a spent budget says when there is a new one", spent, true),
    ] {
        pictures.add_dialog_variant(name, "usual", &deciding(plan_of(standing, rotated)));
    }
    let mut state = practice_console();
    planned(&mut state, plan_of(practice(standing()), true), Locked::Open);
    pictures.add_dialog_variant("on the practice subnet it only asks", "usual", &state);
    press(&mut state, "tab");
    pictures.add("on the practice subnet, publish", with_keys(question)(&state, 80, 24));
    assert_snapshot!(pictures.text());
}

#[test]
fn a_rule_refuses_before_any_plan() {
    let mut state = ready();
    press(&mut state, "C");
    ended(&mut state, Ended::Refused(Rule::Guard(Refusal::HoldsSecret(found(SecretKind::WriteKeyId)))));
    assert_snapshot!(dialog_at_both_sizes(&state));
}

#[test]
fn the_chain_cannot_be_read() {
    let mut state = ready();
    press(&mut state, "C");
    let request = request(&state);
    news(&mut state, News::Failed { request, problem: unreachable() });
    assert_snapshot!(dialog_at_both_sizes(&state));
}

#[test]
fn a_locked_key_file() {
    let mut state = ready();
    let mut pictures = Pictures::default();
    confirmed(&mut state, Locked::Password);
    pictures.add_dialog("nothing typed", &state);
    update(&mut state, Msg::Typed { chars: 12 });
    pictures.add_dialog_variant("typed", "nothing typed", &state);
    press(&mut state, "enter");
    went(&mut state, Progress::Unlocking);
    pass(&mut state, 2);
    pictures.add_dialog("unlocking", &state);
    let request = request(&state);
    news(&mut state, News::WrongPassword { request, problem: wrong_password() });
    pictures.add_dialog_variant("wrong", "nothing typed", &state);
    assert_snapshot!(pictures.text());
}

fn untested() -> KeyTest {
    let why = "the store's host refuses the TLS handshake (alert 40)".to_owned();
    KeyTest::Untested { why, todo: "Check the account id.".to_owned() }
}

#[test]
fn the_keys_are_tested_for_the_plan_and_a_plan_says_that_they_were_not() {
    let mut state = ready();
    press(&mut state, "C");
    let words =
        "waiting: the store does not know the read key yet (401 Unauthorized); a new token takes a minute; 57 s left";
    went(&mut state, Progress::Testing { words: words.to_owned() });
    let picture = dialog_at_both_sizes(&state);
    assert!(picture.contains("Testing the keys…") && picture.contains("Waiting: the store does not know"), "{picture}");
    let picture = dialog_at_both_sizes(&deciding(plan().tested(untested(), None)));
    assert!(picture.contains("▲ the read pair was NOT tested"), "{picture}");
    assert!(picture.contains("with a pair that was NOT tested?"), "{picture}");
}

#[test]
fn every_step() {
    let mut pictures = Pictures::default();
    for steps in 0..=6 {
        let mut state = under_way(steps);
        pass(&mut state, 3);
        let name = format!("step {steps}");
        match steps {
            0 => pictures.add_dialog(&name, &state),
            _ => pictures.add_dialog_variant(&name, &format!("step {}", steps - 1), &state),
        }
    }
    assert_snapshot!(pictures.text());
}

pub fn troubled() -> State {
    let mut state = under_way(3);
    went(&mut state, Progress::Retracted(block(HEAD + 3)));
    went(&mut state, Progress::Waited { finalized: HEAD + 4 });
    state
}

#[test]
fn a_block_that_was_replaced_moves_it_back() {
    assert_snapshot!(dialog_at_both_sizes(&troubled()));
}

#[test]
fn a_lost_connection_is_told_under_the_steps() {
    let mut pictures = Pictures::default();
    let mut state = under_way(2);
    let problem = Diagnostic::new("closed", Severity::Danger, "the node closed the connection (going away)", "", "");
    went(&mut state, Progress::Lost { problem });
    pictures.add_dialog("lost", &state);
    went(&mut state, Progress::Found { endpoint: "wss://lite.sub.latent.to:443".to_owned() });
    went(&mut state, Progress::SentAgain);
    pictures.add_dialog_variant("sent again", "lost", &state);
    let what = "it called block #9,168,540 final, and the chain it serves does not hold that block".to_owned();
    went(&mut state, Progress::Disbelieved { what });
    pictures.add_dialog_variant("disbelieved", "sent again", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn final_in_another_block_than_first_seen() {
    let mut state = under_way(3);
    went(&mut state, Progress::Finalized(block(HEAD + 4)));
    assert_snapshot!(dialog_at_both_sizes(&state));
}

#[test]
fn what_is_under_way_behind_the_closed_dialog() {
    let mut state = under_way(3);
    let mut pictures = Pictures::default();
    press(&mut state, "esc");
    pictures.add_banner("closed", &state);
    press(&mut state, "q");
    pictures.add_dialog("leaving", &state);
    press(&mut state, "tab");
    pictures.add("leave", with_keys(question)(&state, 80, 24));
    assert_snapshot!(pictures.text());
}

fn ends() -> Vec<(&'static str, Ended)> {
    let failed = |failure| Ended::Failed { failure, extrinsic: Some(EXTRINSIC) };
    let dispatch = |error: &str, next_epoch_at| {
        failed(Failure::Dispatch { error: error.into(), block: block(HEAD + 3), next_epoch_at })
    };
    let pool = |answer| Ended::Failed { failure: Failure::Pool(answer), extrinsic: None };
    vec![
        ("committed", Ended::Committed(receipt())),
        ("unchanged", Ended::Unchanged { set_at: Some(HEAD - 8_400), confirmed: None }),
        ("refused", Ended::Refused(Rule::Guard(Refusal::RolledInPlace))),
        ("pool_stale", pool(PoolAnswer::Stale)),
        ("pool_future", pool(PoolAnswer::Future)),
        ("pool_bad_proof", pool(PoolAnswer::BadProof)),
        ("pool_ancient", pool(PoolAnswer::Ancient)),
        ("pool_banned", pool(PoolAnswer::Banned)),
        ("pool_priority", pool(PoolAnswer::LowPriority)),
        ("pool_not_registered", pool(PoolAnswer::Custom(19))),
        ("pool_custom", pool(PoolAnswer::Custom(7))),
        ("pool_other", pool(PoolAnswer::Other { code: 1010, message: "evil\u{1b}[2J\u{202e} words".into() })),
        ("not_allowed", dispatch("Commitments.AccountNotAllowedCommit", None)),
        ("no_space", dispatch("Commitments.SpaceLimitExceeded", Some(HEAD + 205))),
        ("unknown_error", dispatch("Commitments.\u{1b}]0;Evil\u{7}", None)),
        ("dropped", failed(Failure::Dropped)),
        ("replaced", failed(Failure::Replaced)),
        ("usurped", failed(Failure::Usurped { by: None, at: Some(HEAD + 9) })),
        (
            "contradiction",
            failed(Failure::Contradiction { what: "the event is there, and the bytes are not".to_owned() }),
        ),
        ("expired", Ended::Expired { extrinsic: EXTRINSIC, death: HEAD + 64 }),
        (
            "pending",
            Ended::Pending {
                reason: Unsettled::NotKnownYet,
                extrinsic: Some(EXTRINSIC),
                why: "No node could be reached for ten minutes after it was sent.".to_owned(),
            },
        ),
    ]
}

/// How far a commit has come before it ends so.
fn reached(end: &Ended) -> usize {
    match end {
        Ended::Committed(_) => 6,
        Ended::Unchanged { .. } | Ended::Refused(_) => 0,
        Ended::Failed { failure: Failure::Pool(_), .. } => 1,
        Ended::Failed { failure: Failure::Dispatch { .. } | Failure::Usurped { .. }, .. } => 4,
        Ended::Failed { .. } | Ended::Expired { .. } | Ended::Pending { .. } => 2,
    }
}

#[test]
fn every_end() {
    let mut pictures = Pictures::default();
    for (name, end) in ends() {
        let mut state = under_way(reached(&end));
        pass(&mut state, 1);
        ended(&mut state, end);
        if name == "committed" {
            pictures.add_dialog(name, &state);
        } else {
            pictures.add(name, dialog_text(&state, 80, 24));
        }
        assert_eq!(footer(&state, 80, 24), " enter close\n");
        press(&mut state, "enter");
        assert_eq!(step(&state), "none");
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn an_end_behind_the_closed_dialog_stays_in_the_banner() {
    let mut state = under_way(5);
    press(&mut state, "esc");
    ended(&mut state, Ended::Committed(receipt()));
    let mut pictures = Pictures::default();
    pictures.add_banner("committed", &state);
    let mut state = under_way(2);
    press(&mut state, "esc");
    ended(&mut state, Ended::Failed { failure: Failure::Replaced, extrinsic: Some(EXTRINSIC) });
    pictures.add_banner("failed", &state);
    assert_snapshot!(pictures.text());
}

pub fn awaiting() -> State {
    let mut standing = standing();
    standing.uid = None;
    let plan = plan_of(standing, true);
    let word = plan.word().unwrap();
    let mut state = ready();
    planned(&mut state, plan, Locked::Open);
    press(&mut state, &format!("text:{word} tab enter"));
    let request = request(&state);
    news(&mut state, News::AwaitingRegistration { request });
    pass(&mut state, 75);
    state
}

#[test]
fn an_armed_commit_waits_and_says_so() {
    let mut pictures = Pictures::default();
    let mut state = awaiting();
    pictures.add_dialog("armed", &state);
    press(&mut state, "esc");
    pictures.add_banner("closed", &state);
    press(&mut state, "q");
    pictures.add_dialog("leaving", &state);
    press(&mut state, "esc");
    news(&mut state, News::WaitingCancelled { why: "The key was dropped after an hour without use.".to_owned() });
    pictures.add_banner("disarmed", &state);
    press(&mut state, "C");
    pictures.add_dialog("disarmed, opened again", &state);
    assert_snapshot!(pictures.text());
}

/// A console whose own commitment becomes something else.
pub fn surprised(local: &LocalValues, replaced: &[u64], after: Option<Commitment>) -> State {
    let mut own = own(local);
    own.local.replaced = replaced.iter().map(|n| grail_console::domain::secret::Fingerprint::of(&secret(*n))).collect();
    let mut state = live(own, healthy());
    let commitments = vec![(hotkey(u64::from(OWN)), after)];
    let change = SubnetChange { block: HEAD + 3, commitments, members: Vec::new() };
    feed(&mut state, FeedEvent::Changed(Box::new(change)));
    state
}

#[test]
fn a_change_that_nobody_here_made_is_named_with_its_cause() {
    let same = values(42, false);
    let write = commitment(HEAD + 3, vec![raw(format!("{}{}{}", account(42), key_id(60_042), secret(60_042)))]);
    let rotated = values(42, true);
    let causes = vec![
        ("local", surprised(&rotated, &[], Some(other(50_042, HEAD + 3)))),
        ("write_key", surprised(&same, &[], Some(write))),
        ("old_key", surprised(&same, &[77], Some(other(77, HEAD + 3)))),
        ("elsewhere", surprised(&same, &[], Some(other(99, HEAD + 3)))),
        ("unreadable", surprised(&same, &[], Some(commitment(HEAD + 3, vec![raw(vec![0xff; 128])])))),
        ("removed", surprised(&same, &[], None)),
    ];
    let mut pictures = Pictures::default();
    for (name, state) in causes {
        let own = lines_with(&["you:", "● you"]);
        let part = |state: &State, width, height| banner(state, width, height) + &own(state, width, height);
        pictures.add(name, at_both_sizes(&state, with_keys(part)));
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn what_became_of_an_earlier_commit_is_told_at_the_start() {
    let mut state = ready();
    let mut pictures = Pictures::default();
    settled(&mut state, Ended::Committed(receipt()));
    pictures.add_banner("published", &state);
    let mut state = ready();
    settled(&mut state, Ended::Expired { extrinsic: EXTRINSIC, death: HEAD - 900 });
    pictures.add_banner("expired", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn a_frozen_table_and_a_read_only_console_say_why_nothing_is_published() {
    let mut state = ready();
    let mut pictures = Pictures::default();
    press(&mut state, "space C");
    pictures.add_dialog("frozen", &state);
    let mut state = ready();
    state.options.read_only = true;
    planned(&mut state, plan(), Locked::Open);
    pictures.add("read-only", at_both_sizes(&state, with_keys(dialog_text)));
    let mut state = live(nobody(), healthy());
    press(&mut state, "C");
    pictures.add_dialog("no hotkey", &state);
    assert_snapshot!(pictures.text());
}

#[test]
fn without_colour_every_dialog_has_the_same_words() {
    let states = [deciding(plan()), troubled(), awaiting(), under_way(6)];
    for state in states {
        let mut plain = state.clone();
        plain.options.no_color = true;
        let buffer = drawn(&plain, 120, 32);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let unshaded = |text: String| text.replace(['█', '▓', '░'], "▄");
        assert_eq!(unshaded(text(&buffer)), screen(&state, 120, 32));
    }
}
