//! Orders and new keys between the screen and the one who rotates: what leaves, what does not, and what is left behind.

use crossterm::event::KeyCode;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::rotation::messages::{Question, RotateNews, RotateOrder, Sides};
use grail_console::tui::keymap::KeyMap;
use rstest::rstest;

use crate::tui_commit_fixtures::{plan, wrong_password};
use crate::tui_fixtures::*;
use crate::tui_rotation_fixtures::*;
use crate::tui_runner::{Console, start, start_with, start_writing};

const READ: Sides = Sides { read: true, write: false };
const BOTH: Sides = Sides { read: true, write: true };

fn nothing() -> Vec<Option<String>> {
    vec![None; 5]
}

fn texts<const N: usize>(texts: [Option<&str>; N]) -> Vec<Option<String>> {
    texts.map(|text| text.map(ToOwned::to_owned)).into()
}

/// A console that was told that no rotation is open, its first look taken.
async fn untouched() -> Console {
    let mut console = start_writing();
    assert_eq!(console.rotated().await, (RotateOrder::Look, nothing()));
    console.connect().await;
    console.hears_of_rotation(stands_of(&[], Vec::new(), false)).await;
    console.sees("245 readable").await;
    console
}

/// Goes so many rows down and chooses what to replace.
async fn chooses(console: &mut Console, down: usize) {
    console.press(KeyCode::Char('R'));
    console.sees("what to replace").await;
    (0..down).for_each(|_| console.press(KeyCode::Down));
    console.press(KeyCode::Enter);
    console.sees("next field").await;
}

/// From the last key to the order.
async fn begins(console: &mut Console) {
    console.press(KeyCode::Enter);
    begins_from_the_grace(console).await;
}

async fn begins_from_the_grace(console: &mut Console) {
    console.press(KeyCode::Enter);
    console.sees("Begin the rotation?").await;
    console.press(KeyCode::Tab);
    console.press(KeyCode::Enter);
}

#[tokio::test]
async fn the_journal_is_looked_at_once_when_the_console_opens_even_read_only() {
    let mut console = start(None);
    assert_eq!(console.rotated().await, (RotateOrder::Look, nothing()));
    console.hears_of_rotation(stands_of(&in_grace(), Vec::new(), false)).await;
    console.connect().await;
    console.sees("Rotation 2 → 3: grace, 122 blocks").await;
    assert!(console.rotations.is_empty());
    console.leaves().await;
}

#[tokio::test]
async fn typed_keys_go_beside_the_order_and_never_on_the_screen() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.types("canary-id ");
    console.press(KeyCode::Tab);
    console.types("canary-secre");
    console.types("tt");
    console.press(KeyCode::Backspace);
    let picture = console.sees("13 characters").await;
    assert!(!picture.contains("canary"), "{picture}");
    begins(&mut console).await;
    let order = RotateOrder::Begin { sides: READ, grace: 300, emergency: false };
    assert_eq!(console.rotated().await, (order, texts([Some("canary-id"), Some("canary-secret"), None, None, None])));
    console.sees("Rotate: beginning").await;
    console.leaves().await;
}

#[tokio::test]
async fn pasted_lines_of_an_env_file_go_to_their_fields_by_name_whatever_their_order() {
    let mut console = untouched().await;
    chooses(&mut console, 2).await;
    console.pastes(
        "# new tokens\nR2_BUCKET_ID=none-of-these\nexport R2_WRITE_SECRET_ACCESS_KEY='write # secret'\n\
         R2_READ_SECRET_ACCESS_KEY = read-secret # made today\nR2_WRITE_ACCESS_KEY_ID=\"write-id\"\r\nR2_READ_ACCESS_KEY_ID=read-id",
    );
    let picture = console.sees("14 characters").await;
    assert!(!picture.contains("read-") && !picture.contains("write-id") && !picture.contains("R2_BUCKET"), "{picture}");
    begins(&mut console).await;
    let order = RotateOrder::Begin { sides: BOTH, grace: 300, emergency: false };
    let typed = texts([Some("read-id"), Some("read-secret"), Some("write-id"), Some("write # secret"), None]);
    assert_eq!(console.rotated().await, (order, typed));
    console.leaves().await;
}

#[rstest]
#[case::as_terminals_and_tmux_paste("\r")]
#[case::as_a_file_has_it("\n")]
#[case::as_windows_has_it("\r\n")]
#[tokio::test]
async fn two_pasted_lines_go_to_their_fields_whatever_ends_a_line(#[case] end: &str) {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.pastes(&format!("R2_READ_ACCESS_KEY_ID=the-id{end}R2_READ_SECRET_ACCESS_KEY=the-secret{end}"));
    console.sees("10 characters").await;
    begins(&mut console).await;
    let (_, typed) = console.rotated().await;
    assert_eq!(typed, texts([Some("the-id"), Some("the-secret"), None, None, None]));
    console.leaves().await;
}

#[tokio::test]
async fn a_field_of_impossible_length_says_so_at_once_and_enter_goes_nowhere() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.pastes(&"7".repeat(33));
    console.sees("Read key id: 33 characters, and it has 32 at most").await;
    console.press(KeyCode::Enter);
    console.press(KeyCode::Tab);
    console.pastes(&"7".repeat(64));
    let picture = console.sees("64 characters").await;
    assert!(picture.contains("33 characters, and it has 32 at most"), "{picture}");
    console.press(KeyCode::Enter);
    console.press(KeyCode::Backspace);
    let picture = console.sees("32 characters").await;
    assert!(!picture.contains("at most"), "{picture}");
    console.leaves().await;
}

#[tokio::test]
async fn a_paste_that_the_terminal_types_goes_to_its_fields_too() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    for line in ["R2_READ_SECRET_ACCESS_KEY=the-secret", "R2_READ_ACCESS_KEY_ID=the-id"] {
        console.types(line);
        console.press(KeyCode::Enter);
    }
    begins_from_the_grace(&mut console).await;
    let (_, typed) = console.rotated().await;
    assert_eq!(typed, texts([Some("the-id"), Some("the-secret"), None, None, None]));
    console.leaves().await;
}

#[tokio::test]
async fn keys_of_the_other_side_are_not_taken_along() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.pastes(
        "R2_WRITE_ACCESS_KEY_ID=w\nR2_WRITE_SECRET_ACCESS_KEY=w\nR2_READ_ACCESS_KEY_ID=id\nR2_READ_SECRET_ACCESS_KEY=secret",
    );
    console.sees("6 characters").await;
    begins(&mut console).await;
    let (_, typed) = console.rotated().await;
    assert_eq!(typed, texts([Some("id"), Some("secret"), None, None, None]));
    console.leaves().await;
}

#[tokio::test]
async fn a_secret_that_is_pasted_while_the_grace_is_typed_goes_nowhere() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.types("id");
    console.press(KeyCode::BackTab);
    console.pastes("canary-pasted-1234");
    console.types("7");
    let picture = console.sees("3007").await;
    assert!(!picture.contains("canary") && !picture.contains("30071"), "{picture}");
    console.press(KeyCode::Esc);
    console.sees("what to replace").await;
    console.pastes("canary-pasted-5678");
    console.press(KeyCode::Down);
    let picture = console.sees("▌ Write key").await;
    assert!(!picture.contains("canary"), "{picture}");
    console.leaves().await;
}

#[tokio::test]
async fn keys_that_were_given_up_are_wiped() {
    let mut console = untouched().await;
    for way_out in [[KeyCode::Esc, KeyCode::Esc, KeyCode::Char('R')], [KeyCode::Esc, KeyCode::Down, KeyCode::Up]] {
        if way_out[2] == KeyCode::Char('R') {
            chooses(&mut console, 0).await;
        }
        console.types("given up");
        console.sees("8 characters").await;
        for key in way_out {
            console.press(key);
        }
        console.sees("what to replace").await;
        console.press(KeyCode::Enter);
        let picture = console.sees("next field").await;
        assert!(picture.contains("empty") && !picture.contains("characters  "), "{picture}");
    }
    console.types("id");
    console.press(KeyCode::Enter);
    console.types("secret");
    begins(&mut console).await;
    let (_, typed) = console.rotated().await;
    assert_eq!(typed, texts([Some("id"), Some("secret"), None, None, None]), "nothing of what was given up is left");
    console.leaves().await;
}

#[tokio::test]
async fn keys_of_a_refused_beginning_are_to_be_entered_again() {
    let mut console = untouched().await;
    chooses(&mut console, 0).await;
    console.pastes("R2_READ_ACCESS_KEY_ID=first\nR2_READ_SECRET_ACCESS_KEY=first");
    begins(&mut console).await;
    console.rotated().await;
    console.hears_of_rotation(RotateNews::Refused(misshapen())).await;
    console.sees("31 characters, not 32").await;
    console.pastes("R2_READ_ACCESS_KEY_ID=second\nR2_READ_SECRET_ACCESS_KEY=second");
    console.sees("6 characters").await;
    begins(&mut console).await;
    let (_, typed) = console.rotated().await;
    assert_eq!(typed, texts([Some("second"), Some("second"), None, None, None]));
    console.leaves().await;
}

#[tokio::test]
async fn a_console_that_was_frozen_meanwhile_begins_nothing_and_keeps_no_key() {
    // Keys with which one can freeze where the console would not let one.
    let mut keys = std::collections::BTreeMap::new();
    keys.insert("confirm.freeze".to_owned(), vec!["f5".to_owned()]);
    let mut options = options();
    options.read_only = false;
    let mut console = start_with(options, KeyMap::load(&keys).unwrap(), None, Vec::new());
    console.rotated().await;
    console.connect().await;
    console.hears_of_rotation(stands_of(&way_to(8), Vec::new(), false)).await;
    console.sees("Rotation 2 → 3").await;
    console.press(KeyCode::Char(' '));
    console.sees("Frozen").await;
    console.press(KeyCode::Char('R'));
    assert_eq!(console.rotated().await.0, RotateOrder::Look);
    console.sees("The table is frozen").await;
    for key in [KeyCode::Char('b'), KeyCode::Tab, KeyCode::Enter, KeyCode::Enter] {
        console.press(key);
    }
    assert_eq!(console.rotated().await.0, RotateOrder::Look, "enter only looks");
    console.leaves().await;
}

#[tokio::test]
async fn a_read_only_console_orders_nothing_but_a_look_whatever_is_asked() {
    let mut console = start(None);
    console.rotated().await;
    console.connect().await;
    console.hears_of_rotation(stands_of(&way_to(8), Vec::new(), false)).await;
    console.sees("Rotation 2 → 3").await;
    console.press(KeyCode::Char('R'));
    assert_eq!(console.rotated().await.0, RotateOrder::Look);
    let env = Question::Env { path: Some("/x/.env".to_owned()), variables: Vec::new() };
    for question in [env, Question::Publish { request: 1, plan: Box::new(plan()), locked: Locked::Open }] {
        console.hears_of_rotation(RotateNews::Asks(question)).await;
        for key in [KeyCode::Tab, KeyCode::Enter, KeyCode::Enter, KeyCode::Char('b'), KeyCode::Tab, KeyCode::Enter] {
            console.press(key);
        }
    }
    console.keys.close_channel();
    let mut orders = Vec::new();
    while let Some((order, typed)) = console.rotations.recv().await {
        assert_eq!(typed, nothing());
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == RotateOrder::Look), "{orders:?}");
}

#[tokio::test]
async fn the_password_goes_beside_the_order_to_publish_once() {
    let mut console = start_writing();
    console.rotated().await;
    console.connect().await;
    console.hears_of_rotation(stands_of(&way_to(4), Vec::new(), false)).await;
    console.sees("Rotation 2 → 3").await;
    console.press(KeyCode::Char('R'));
    console.rotated().await;
    let question = Question::Publish { request: 7, plan: Box::new(plan()), locked: Locked::Password };
    console.hears_of_rotation(RotateNews::Asks(question)).await;
    console.sees("Type the uid").await;
    console.types("42");
    console.press(KeyCode::Tab);
    console.press(KeyCode::Enter);
    console.sees("Password").await;
    console.types("hunter2");
    let picture = console.sees("7 characters").await;
    assert!(!picture.contains("hunter"), "{picture}");
    console.press(KeyCode::Enter);
    let password = |text| texts([None, None, None, None, text]);
    assert_eq!(console.rotated().await, (RotateOrder::Publish(7), password(Some("hunter2"))));
    console.hears_of_rotation(RotateNews::WrongPassword(wrong_password())).await;
    console.sees("does not open").await;
    console.press(KeyCode::Enter);
    console.types("other");
    console.sees("5 characters").await;
    console.press(KeyCode::Enter);
    assert_eq!(console.rotated().await, (RotateOrder::Publish(7), password(Some("other"))));
    console.leaves().await;
}
