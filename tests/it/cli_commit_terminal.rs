//! `commit` before somebody at a terminal: what is asked, and that nothing but the right word sends anything.

use grail_console::sandbox::{BlockTime, Credentials, OPERATOR_UID, hotkey};
use rstest::rstest;

use crate::support::house::says;
use crate::support::node::line;
use crate::support::operator::{BLOCKS, Operator};
use crate::support::pty::Pty;

/// Room for the whole plan and every step.
const TALL: (u16, u16) = (120, 60);

/// The console at a terminal, with its question on the screen.
fn asked(operator: &Operator, words: &[&str]) -> Pty {
    let console = Pty::open_at(TALL, &operator.house, line(words, &operator.flags()));
    let screen = console.shows("anything else to leave it:");
    says(
        &screen,
        &[
            "You publish these 128 bytes for all to read, for ever",
            "SANDBOX",
            "uid 42",
            &hotkey(OPERATOR_UID).to_string(),
        ],
    );
    console
}

#[rstest]
#[case::enter_alone("\r")]
#[case::half_a_word("y\r")]
#[case::no("no\r")]
#[case::the_uid("42\r")]
#[case::capitals("YES\r")]
#[case::end_of_input("\x04")]
#[case::ctrl_c("\x03")]
fn anything_but_yes_sends_nothing(#[case] typed: &str) {
    let operator = Operator::by_hand();
    let mut console = asked(&operator, &["commit"]);
    console.keys(typed);
    console.left().restored_with(7);
    operator.did_nothing();
}

#[test]
fn what_was_left_says_that_nothing_was_sent() {
    let operator = Operator::by_hand();
    let mut console = asked(&operator, &["commit"]);
    console.keys("\r");
    let left = console.left();
    says(&left.screen, &["Nothing was sent."]);
}

#[test]
fn yes_publishes_and_shows_every_step() {
    let operator = Operator::new();
    let mut console = asked(&operator, &["commit"]);
    console.keys("yes\r");
    let left = console.left();
    left.restored_with(0);
    says(
        &left.screen,
        &["✓ signed", "✓ broadcast", "✓ in block #", "✓ finalized #", "✓ event seen", "✓ read back equal"],
    );
    says(&left.screen, &["✓ Published in block #", "Restart GRAIL with the same .env"]);
    let own = Credentials::of(OPERATOR_UID, 0);
    assert_eq!(operator.on_chain(), own.read_commitment());
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
    let shown = String::from_utf8_lossy(&left.bytes).replace(['\r', '\n'], "");
    assert!(!shown.contains(&own.read_secret.expose()[..12]) && !shown.contains(&own.write_key_id[..12]));
}

#[test]
fn with_nothing_to_do_nobody_is_asked() {
    let operator = Operator::by_hand();
    operator.has_generation(1);
    let console = Pty::open_at(TALL, &operator.house, line(&["commit"], &operator.flags()));
    let left = console.left();
    left.restored_with(0);
    says(&left.screen, &["✓ The chain holds exactly this"]);
    assert!(!left.screen.contains("Type "));
}

#[test]
fn what_changed_while_somebody_was_reading_is_not_published() {
    let operator = Operator::by_hand();
    let mut console = asked(&operator, &["commit"]);
    let other = Credentials::of(OPERATOR_UID, 9).read_commitment();
    operator.node.commit([(OPERATOR_UID, grail_console::sandbox::CommitmentSpec::raw(other.clone()))]);
    console.keys("yes\r");
    let left = console.left();
    left.restored_with(3);
    says(&left.screen, &["✗ Not sent: your commitment on chain changed since you looked", "confirm it anew"]);
    operator.did_nothing();
    assert_eq!(operator.on_chain(), other);
}

#[test]
fn a_connection_that_was_lost_while_somebody_was_reading_is_made_anew() {
    let operator = Operator::new();
    let mut console = asked(&operator, &["commit"]);
    operator.node.wait(operator.node.sandbox().faults().drop_connections()).unwrap();
    console.keys("yes\r");
    console.left().restored_with(0);
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

/// A node that names another genesis than the practice subnet's is to the console a real network that nobody pinned.
#[test]
fn on_any_other_network_the_uid_is_typed() {
    for (typed, code) in [("yes\r", 7), ("\r", 7), ("43\r", 7), ("42\r", 5)] {
        let operator = Operator::by_hand();
        operator.node.sandbox().faults().set_wrong_genesis(true);
        let mut console = Pty::open_at(TALL, &operator.house, line(&["commit"], &operator.flags()));
        let screen = console.shows("anything else to leave it:");
        says(&screen, &["Type the uid to publish", "not pinned", "▲ nobody pinned this chain's genesis"]);
        console.keys(typed);
        let left = console.left();
        left.restored_with(code);
        if code == 7 {
            operator.did_nothing();
        } else {
            // It was signed for that other genesis, so this chain has no use for it.
            says(&left.screen, &["✗ The pool refused the transaction: the signature does not verify there"]);
            assert_eq!(operator.records(), ["intended", "failed"]);
        }
    }
}

#[test]
fn whoever_waits_for_a_uid_is_asked_too_and_may_leave() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let asked = || {
        let console = Pty::open_at(TALL, &operator.house, line(&["commit", "--when-registered"], &operator.flags()));
        says(&console.shows("anything else to leave it:"), &["publish as soon as it has a uid", "no uid"]);
        console
    };
    let mut left_alone = asked();
    left_alone.keys("\r");
    left_alone.left().restored_with(7);
    let mut interrupted = asked();
    interrupted.keys("yes\r");
    interrupted.shows("waiting for a uid");
    interrupted.keys("\x03");
    interrupted.left().restored_with(7);
    operator.did_nothing();
    let mut waiting = asked();
    waiting.keys("yes\r");
    waiting.shows("waiting for a uid");
    operator.node.sandbox().register(9, hotkey(OPERATOR_UID));
    waiting.left().restored_with(0);
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
}
