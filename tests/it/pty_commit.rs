//! A commit on the screen of the real binary: the dialog, the steps, every end that a scenario of the practice subnet
//! brings about, and that nothing happens by itself.

use rstest::rstest;

use crate::support::house::{House, says};
use crate::support::pty::Pty;

const ENTER: &str = "\r";
const TAB: &str = "\t";
const ESC: &str = "\x1b";

fn practice(house: &House, scenario: &str) -> Pty {
    practice_at(house, scenario, "100ms")
}

fn practice_at(house: &House, scenario: &str, block_time: &str) -> Pty {
    let arguments = ["sandbox", "--scenario", scenario, "--uids", "64", "--block-time", block_time];
    let console = Pty::open(house, arguments);
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    console
}

/// Opens the dialog and confirms it.
fn publish(console: &mut Pty) {
    console.keys("C").shows("Publish to SANDBOX · subnet 81 · uid 42?");
    console.keys(TAB).shows("[ Publish ]");
    console.keys(ENTER);
}

#[test]
fn what_is_published_is_shown_first_and_enter_alone_sends_nothing() {
    let house = House::new();
    let mut console = practice(&house, "drift");
    let dialog = console.keys("C").shows("Publish to SANDBOX · subnet 81 · uid 42?");
    says(
        &dialog,
        &["You publish these 128 bytes", "genesis 76268e87", "▲ changes", "equal", "commits left this epoch"],
    );
    says(&dialog, &["no secret known to this machine inside", "the call is the 134 bytes built here", "[ No ]"]);
    console.keys(ENTER).hides("Publish to SANDBOX");
    console.shows("validators still read your old key");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_confirmed_commit_is_followed_until_it_is_read_back() {
    let house = House::new();
    let mut console = practice(&house, "drift");
    publish(&mut console);
    let end = console.shows("final, and read back equal");
    says(&end, &["Published in block #", "extrinsic", "read back"]);
    console.keys(ENTER);
    let table = console.shows("chain and local agree");
    assert!(!table.contains("not by this console"), "its own commit is no surprise:\n{table}");
    // There is nothing left to do.
    console.keys("C").shows("The chain holds exactly this");
    console.keys(ESC).hides("The chain holds exactly this");
    console.keys("q");
    console.left().restored_with(0);
}

/// What the screen says at the end in each scenario; the text begins where no line break can fall.
#[rstest]
#[case("pool-stale", "its nonce was used")]
#[case("pool-future", "its nonce lies ahead")]
#[case("pool-bad-proof", "the signature does")]
#[case("pool-ancient", "the block it refers")]
#[case("pool-banned", "the node has banned")]
#[case("pool-priority", "another transaction")]
#[case("era-expires", "No block took the transaction")]
#[case("connection-lost", "final, and read back equal")]
#[case("submission-lost", "final, and read back equal")]
#[case("reorganised", "final, and read back equal")]
#[case("usurped", "another commitment replaced it")]
#[case("lying-finality", "final, and read back equal")]
#[case("invented-block", "No block took the transaction")]
#[case("forged-event", "The node contradicts itself")]
#[case("forged-value", "The node contradicts itself")]
fn every_end_is_told_on_the_screen(#[case] scenario: &str, #[case] words: &str) {
    let house = House::new();
    let mut console = practice(&house, scenario);
    publish(&mut console);
    console.shows(words);
    console.keys(ENTER).hides("╭ Commit");
    console.keys("q");
    console.left().restored_with(0);
}

#[rstest]
#[case("doctored-metadata", "Not signed: the node's metadata encodes the call as other bytes")]
#[case("foreign-extension", "Not signed: the runtime demands something")]
#[case("budget-spent", "budget")]
#[case("legacy", "Not published: R2_READ_ACCESS_KEY_ID")]
fn what_must_not_or_cannot_be_published_never_gets_a_question(#[case] scenario: &str, #[case] words: &str) {
    let house = House::new();
    let mut console = practice(&house, scenario);
    let dialog = console.keys("C").shows(words);
    assert!(!dialog.contains("Publish to SANDBOX"), "{dialog}");
    console.keys(ESC).hides(words);
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn an_armed_commit_is_made_once_as_soon_as_the_hotkey_has_a_uid() {
    let house = House::new();
    // It registers after ten blocks: long enough to read the question.
    let mut console = practice_at(&house, "armed", "1s");
    console.keys("C").shows("Arm for SANDBOX · subnet 81");
    console.keys(TAB).shows("[ Arm ]");
    console.keys(ENTER).shows("ARMED");
    console.shows("final, and read back equal");
    console.keys(ENTER).hides("ARMED");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn an_armed_commit_is_disarmed_by_a_key() {
    let house = House::new();
    let mut console = practice_at(&house, "unregistered-block", "1s");
    console.keys("C").shows("Arm for SANDBOX · subnet 81");
    console.keys(TAB).shows("[ Arm ]");
    console.keys(ENTER).shows("ARMED");
    console.keys("D").hides("ARMED");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_password_is_asked_for_without_showing_it_and_a_wrong_one_may_be_corrected() {
    let house = House::new();
    let mut console = practice(&house, "encrypted-wallet");
    publish(&mut console);
    console.shows("assword");
    console.keys("wrong-password\r").shows("does not open");
    console.keys("practice-password-1\r").shows("final, and read back equal");
    console.keys(ENTER);
    console.keys("q");
    let left = console.left();
    for secret in ["wrong-password", "practice-password"] {
        assert!(left.seen.iter().all(|screen| !screen.contains(secret)), "{secret} was shown");
    }
    left.restored_with(0);
}

#[test]
fn a_commitment_that_somebody_else_changed_raises_a_banner() {
    let house = House::new();
    // The scenario re-commits the operator's key after a while, as a restarted GRAIL does.
    let console = practice(&house, "drift");
    let screen = console.shows("not by this console");
    says(&screen, &["Your commitment changed at #", "GRAIL was restarted"]);
}

#[test]
fn a_frozen_screen_publishes_nothing() {
    let house = House::new();
    let mut console = practice(&house, "drift");
    console.keys(" ").shows("Frozen");
    let refused = console.keys("C").until("a refusal", |screen| screen.to_lowercase().contains("frozen"));
    assert!(!refused.contains("Publish to SANDBOX"), "{refused}");
}
