//! Orders and passwords between the screen and the commits: what leaves, what does not, and what is left behind.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crossterm::event::KeyCode;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::commit::outcome::Rule;
use grail_console::domain::commit::{Ended, News, Order, Progress};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::snapshot::SubnetChange;
use grail_console::tui::keymap::KeyMap;

use crate::tui_commit_fixtures::{plan, plan_of, practice, receipt, standing, wrong_password};
use crate::tui_fixtures::*;
use crate::tui_runner::{start_with, start_writing};

#[tokio::test]
async fn a_commit_goes_from_the_key_to_the_desk_and_its_news_come_back_to_the_screen() {
    let mut console = start_writing();
    console.confirms(plan(), Locked::Open).await;
    assert_eq!(console.ordered().await, (Order::Publish(1), None));
    console.hears(News::Progress { request: 1, progress: Progress::Broadcast }).await;
    console.sees("✓ broadcast").await;
    console.hears(News::Ended { request: 1, ended: Box::new(Ended::Committed(receipt())) }).await;
    console.sees("final, and read back equal").await;
    assert_eq!(console.leaves().await, []);
}

#[tokio::test]
async fn what_is_waited_for_moves_by_itself() {
    let mut console = start_writing();
    console.connect().await;
    console.press(KeyCode::Char('C'));
    console.sees("◐ Reading the chain…").await;
    console.clock.store(NOW_MS + 400, Ordering::SeqCst);
    console.sees("◑ Reading the chain…").await;
    console.leaves().await;
}

#[tokio::test]
async fn a_password_reaches_the_desk_once_and_is_gone_then() {
    let mut console = start_writing();
    console.confirms(plan(), Locked::Password).await;
    console.sees("Password").await;
    console.types("hunter2");
    console.press(KeyCode::Backspace);
    console.pastes("33 and more\n");
    let picture = console.sees("17 characters").await;
    assert!(!picture.contains("hunter") && !picture.contains("more"), "{picture}");
    console.press(KeyCode::Enter);
    assert_eq!(console.ordered().await, (Order::Publish(1), Some("hunter33 and more".to_owned())));
    console.hears(News::WrongPassword { request: 1, problem: wrong_password() }).await;
    console.sees("does not open").await;
    // Nothing is left of the first one: enter alone sends nothing, and the second one stands alone.
    console.press(KeyCode::Enter);
    console.types("other");
    console.sees("5 characters").await;
    console.press(KeyCode::Enter);
    assert_eq!(console.ordered().await, (Order::Publish(1), Some("other".to_owned())));
    assert_eq!(console.leaves().await, []);
}

#[tokio::test]
async fn a_password_that_was_given_up_is_wiped() {
    let mut console = start_writing();
    console.confirms(plan(), Locked::Password).await;
    console.types("given up");
    console.sees("8 characters").await;
    console.press(KeyCode::Esc);
    assert_eq!(console.ordered().await, (Order::Forget(1), None));
    console.press(KeyCode::Char('C'));
    assert_eq!(console.ordered().await, (Order::Plan(2), None));
    console.hears(News::Planned { request: 2, plan: Box::new(plan()), locked: Locked::Password }).await;
    console.sees("Type the uid").await;
    console.types("42");
    console.press(KeyCode::Tab);
    console.press(KeyCode::Enter);
    console.types("new");
    console.sees("3 characters").await;
    console.press(KeyCode::Enter);
    assert_eq!(console.ordered().await, (Order::Publish(2), Some("new".to_owned())));
    console.leaves().await;
}

#[tokio::test]
async fn a_password_outlives_an_end_of_its_request_by_nothing() {
    let mut console = start_writing();
    console.confirms(plan(), Locked::Password).await;
    console.types("half a pass");
    console.sees("11 characters").await;
    let rule = Rule::Other { code: "stale", what: "the plan is too old".to_owned(), why: "", todo: String::new() };
    console.hears(News::Ended { request: 1, ended: Box::new(Ended::Refused(rule)) }).await;
    console.sees("the plan is too old").await;
    console.types("word");
    console.press(KeyCode::Enter);
    console.press(KeyCode::Char('C'));
    assert_eq!(console.ordered().await, (Order::Plan(2), None), "what was typed on went nowhere");
    console.leaves().await;
}

/// Keys with which an operator could move to yes where the console would not let them.
fn bold_keys() -> KeyMap {
    KeyMap::load(&BTreeMap::from([("dialog.next_choice".to_owned(), vec!["tab".to_owned()])])).unwrap()
}

#[tokio::test]
async fn a_read_only_console_publishes_nothing_whatever_the_keys_are() {
    for locked in [Locked::Open, Locked::Password] {
        let mut console = start_with(options(), bold_keys(), None, Vec::new());
        console.confirms(plan_of(practice(standing()), true), locked).await;
        let picture = console.sees("Commit: refused").await;
        assert!(picture.contains("read-only") && picture.contains("without --read-only"), "{picture}");
        assert_eq!(console.leaves().await, [], "no order to publish reached the desk");
    }
}

#[tokio::test]
async fn what_was_frozen_in_the_meantime_is_not_published() {
    let mut console = start_writing();
    console.confirms(plan(), Locked::Password).await;
    console.types("first");
    console.press(KeyCode::Enter);
    assert_eq!(console.ordered().await, (Order::Publish(1), Some("first".to_owned())));
    // The dialog is left while the key file is opened, the table frozen, and then the password was wrong.
    console.press(KeyCode::Esc);
    console.press(KeyCode::Char(' '));
    console.sees("Frozen").await;
    console.hears(News::WrongPassword { request: 1, problem: wrong_password() }).await;
    console.sees("C asks again").await;
    console.press(KeyCode::Char('C'));
    console.sees("Password").await;
    console.types("second");
    console.press(KeyCode::Enter);
    console.sees("The table is frozen").await;
    assert_eq!(console.leaves().await, [], "the second order never reached the desk");
}

#[tokio::test]
async fn a_change_that_nobody_here_made_is_in_the_banner() {
    let mut console = start_writing();
    console.connect().await;
    console.sees("245 readable").await;
    let change = SubnetChange {
        block: HEAD + 1,
        commitments: vec![(hotkey(u64::from(OWN)), Some(good(77, HEAD + 1)))],
        members: Vec::new(),
    };
    console.tell(FeedEvent::Changed(Box::new(change))).await;
    console.sees("Your commitment changed at #9,168,528, and not by this console").await;
    console.leaves().await;
}

#[tokio::test]
async fn a_change_between_sessions_that_the_journal_knows_is_no_surprise() {
    let now = good(77, HEAD - 100);
    let mut chain_now = healthy();
    chain_now.commitments.insert(hotkey(u64::from(OWN)), now.clone());
    for (known, surprised) in [(vec![now.published().unwrap().clone()], false), (Vec::new(), true)] {
        let mut console = start_with(options(), KeyMap::default(), Some(healthy()), known);
        console.tell(FeedEvent::Connected { chain: chain(), latency_ms: 12 }).await;
        console.tell(FeedEvent::Snapshot(Box::new(chain_now.clone()))).await;
        // The header says so as soon as the chain's own table has taken the place of the saved one.
        let picture = console.sees("finalized").await;
        assert_eq!(picture.contains("Your commitment changed"), surprised, "{picture}");
        console.leaves().await;
    }
}
