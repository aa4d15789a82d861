//! `commit` on a chain on which something else happens at the same time: registrations, other commits, another console.

use grail_console::domain::text::grouped;
use grail_console::sandbox::{BlockTime, CommitmentSpec, Credentials, OPERATOR_UID, RuntimeKind, hotkey};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli_commit::document;
use crate::support::house::{Ran, says};
use crate::support::operator::{BLOCKS, Operator, next_epoch};

fn credentials(generation: u8) -> Credentials {
    Credentials::of(OPERATOR_UID, generation)
}

/// Somebody else with this hotkey commits so often in the next block that no further commit fits into the epoch.
pub fn use_up_the_budget(operator: &Operator) {
    for _ in 0..24 {
        operator.node.sandbox().commit(OPERATOR_UID, CommitmentSpec::raw(credentials(9).read_commitment()));
    }
}

/// Starts a commit on a node whose blocks are made by hand, makes them as soon as the pool has it, and waits for its end.
pub fn included(operator: &Operator, words: &[&str]) -> Ran {
    let running = operator.start(words);
    operator.until("the submission", |operator| operator.pending() == 1);
    operator.node.blocks(3);
    running.ended()
}

#[test]
fn a_spent_budget_is_refused_before_anything_is_signed_and_says_when_the_next_epoch_begins() {
    let operator = Operator::by_hand();
    use_up_the_budget(&operator);
    operator.node.blocks(3);
    operator.node.sandbox().reset_meter();
    let next = next_epoch(operator.node.sandbox().finalized().number().into());
    let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&document["outcome"], &document["reason"]), (&json!("refused"), &json!("space_limit_exceeded")));
    let budget = &document["budget"];
    assert_eq!((&budget["used"], &budget["commits_left"]), (&json!(24 * 128), &json!(0)));
    assert_eq!(budget["next_epoch_at"], next);
    says(document["fix"].as_str().unwrap(), &["when the next epoch begins", &format!("#{}", grouped(next))]);
    let text = operator.run(&["commit", "--yes"]).exits(3).stdout;
    says(&text, &["✗ Not sent: this epoch's budget", "3,072 of 3,100 bytes", &grouped(next)]);
    operator.did_nothing();
}

#[test]
fn a_new_epoch_has_room_again() {
    let operator = Operator::by_hand();
    use_up_the_budget(&operator);
    operator.node.blocks(1);
    let best = || u64::from(operator.node.sandbox().best().number());
    let next = next_epoch(best());
    while u64::from(operator.node.sandbox().finalized().number()) < next {
        operator.node.blocks(1);
    }
    let document = document(&included(&operator, &["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&document["outcome"], &document["budget"]["used"]), (&json!("committed"), &json!(0)));
}

#[test]
fn a_budget_that_something_else_uses_up_meanwhile_fails_in_the_block() {
    let operator = Operator::by_hand();
    use_up_the_budget(&operator);
    // Not final yet: the plan still sees an unused budget.
    operator.node.blocks(1);
    let next = next_epoch(operator.node.sandbox().best().number().into());
    let document = document(&included(&operator, &["commit", "--yes", "--json"]).exits(5));
    assert_eq!((&document["outcome"], &document["reason"]), (&json!("failed"), &json!("space_limit_exceeded")));
    assert_eq!((&document["budget"]["used"], &document["finalized"]), (&json!(0), &json!(false)));
    says(document["what"].as_str().unwrap(), &["The chain refused the commit in block #", "SpaceLimitExceeded"]);
    says(document["fix"].as_str().unwrap(), &[&format!("Commit again from #{} on", grouped(next))]);
    assert_eq!(operator.on_chain(), credentials(9).read_commitment(), "nothing of it is on chain");
    assert_eq!((operator.nonce(), operator.records().last().unwrap().as_str()), (1, "failed"));
}

#[test]
fn on_an_older_runtime_a_hotkey_that_loses_its_uid_meanwhile_fails_in_the_block() {
    let operator = Operator::by_hand_on(RuntimeKind::Older);
    operator.node.sandbox().register(OPERATOR_UID, hotkey(900));
    operator.node.blocks(1);
    let ran = included(&operator, &["commit", "--yes"]).exits(5);
    says(&ran.stderr, &["✓ signed", "✓ broadcast", "✓ in block #", "✓ finalized #"]);
    assert!(!ran.stderr.contains("read back equal"), "{}", ran.stderr);
    says(&ran.stdout, &["✗ The chain refused the commit", "AccountNotAllowedCommit", "--netuid", "--when-registered"]);
    assert_eq!(operator.on_chain(), credentials(1).read_commitment());
    let end = &operator.journal()[3];
    says(&end.to_string(), &["Commitments.AccountNotAllowedCommit"]);
    let again = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&again["reason"], codes(&again)), (&json!("not_registered"), vec!["not_registered"]));
}

#[test]
fn a_commitment_that_replaced_ours_at_once_is_no_success() {
    let operator = Operator::by_hand();
    let running = operator.start(&["commit", "--yes", "--json"]);
    operator.until("the submission", |operator| operator.pending() == 1);
    operator.node.blocks(1);
    operator.node.sandbox().commit(OPERATOR_UID, CommitmentSpec::raw(credentials(9).read_commitment()));
    operator.node.blocks(3);
    let usurper = operator.node.sandbox().best().number() - 2;
    let document = document(&running.ended().exits(5));
    assert_eq!((&document["outcome"], &document["reason"]), (&json!("failed"), &json!("usurped")));
    assert_eq!((&document["finalized"], &document["read_back"]), (&json!(false), &json!(false)));
    let at = format!("another commitment replaced it at #{}", grouped(usurper.into()));
    says(document["what"].as_str().unwrap(), &["It was published", &at]);
    says(document["fix"].as_str().unwrap(), &["Find what holds this hotkey"]);
}

fn codes(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn a_hotkey_without_a_uid_is_refused_and_told_how_to_wait() {
    // Uids 0 to 31: the operator's is not among them.
    let operator = Operator::at(32, BlockTime::Manual);
    let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&document["outcome"], &document["reason"]), (&json!("refused"), &json!("not_registered")));
    assert_eq!(document["uid"], Value::Null);
    says(document["what"].as_str().unwrap(), &["is not registered on subnet 81"]);
    says(document["fix"].as_str().unwrap(), &["--when-registered", "--netuid"]);
    let dry = document_of_a_dry_run(&operator);
    assert_eq!((&dry["outcome"], &dry["reason"]), (&json!("refused"), &json!("not_registered")));
    operator.did_nothing();
}

fn document_of_a_dry_run(operator: &Operator) -> Value {
    document(&operator.run(&["commit", "--dry-run", "--json"]).exits(1))
}

#[test]
fn when_registered_waits_for_a_uid_and_then_publishes_exactly_once() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let mut running = operator.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    let before = operator.node.sandbox().finalized().number();
    operator.until("blocks without a uid", |operator| operator.node.sandbox().finalized().number() > before + 3);
    operator.did_nothing();
    operator.node.sandbox().register(7, hotkey(OPERATOR_UID));
    let ran = running.ended().exits(0);
    says(&ran.stderr, &["✓ signed", "✓ read back equal"]);
    says(&ran.stdout, &["✓ Published in block #"]);
    assert_eq!(operator.on_chain(), credentials(0).read_commitment());
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
    assert_eq!(operator.journal()[0]["uid"], 7);
    let again = document(&operator.run(&["commit", "--yes", "--when-registered", "--json"]).exits(0));
    assert_eq!((&again["outcome"], &again["uid"]), (&json!("unchanged"), &json!(7)));
    assert_eq!(operator.submissions(), 1);
}

#[test]
fn waiting_for_a_uid_survives_a_restart_of_the_node_and_ends_with_a_signal() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let mut running = operator.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    operator.node.wait(operator.node.sandbox().faults().drop_connections()).unwrap();
    operator.node.sandbox().register(7, hotkey(OPERATOR_UID));
    running.ended().exits(0);
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));

    let nobody = Operator::at(32, BlockTime::Manual);
    let mut running = nobody.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    running.signal(Signal::TERM);
    running.ended().exits(7);
    nobody.did_nothing();
}

#[test]
fn two_commits_at_once_send_one_extrinsic() {
    let operator = Operator::new();
    let both = [0, 1].map(|_| operator.start(&["commit", "--yes", "--json"]));
    let mut ends: Vec<_> = both.map(|running| document(&running.ended().exits(0))["outcome"].clone()).to_vec();
    ends.sort_by_key(ToString::to_string);
    assert_eq!(ends, ["committed", "unchanged"]);
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
    assert_eq!(operator.records(), ["intended", "broadcast", "in_block", "committed"]);
}

#[test]
fn while_a_commit_is_on_its_way_another_one_is_told_to_wait() {
    let operator = Operator::by_hand();
    let first = operator.start(&["commit", "--yes", "--json"]);
    operator.until("the submission", |operator| operator.pending() == 1);
    let second = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&second["outcome"], &second["reason"]), (&json!("refused"), &json!("busy")));
    says(second["what"].as_str().unwrap(), &["another console of this machine is committing"]);
    assert_eq!(codes(&second), ["busy"], "what is on its way is not told as an earlier one");
    operator.node.blocks(3);
    assert_eq!(document(&first.ended().exits(0))["outcome"], "committed");
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
}

#[test]
fn an_interrupted_commit_says_that_it_goes_on_by_itself_and_the_next_start_tells_its_end() {
    let operator = Operator::by_hand();
    let running = operator.start(&["commit", "--yes", "--json"]);
    operator.until("the submission", |operator| operator.pending() == 1 && operator.records().len() == 2);
    running.signal(Signal::INT);
    let interrupted = document(&running.ended().exits(7));
    assert_eq!((&interrupted["outcome"], &interrupted["reason"]), (&json!("pending"), &json!("not_known_yet")));
    assert_eq!(interrupted["extrinsic_hash"], operator.journal()[0]["extrinsic"]);
    operator.node.blocks(3);
    let next = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!(next["outcome"], "unchanged");
    says(next["findings"][0]["summary"].as_str().unwrap(), &["An earlier commit of uid 42: Published in block #"]);
}

#[test]
fn a_connection_that_is_lost_on_the_way_is_found_again_and_nothing_is_sent_twice() {
    let operator = Operator::by_hand();
    let mut running = operator.start(&["commit", "--yes"]);
    running.says("✓ broadcast");
    operator.node.wait(operator.node.sandbox().faults().refuse_connections()).unwrap();
    running.says("▲ connection lost");
    operator.node.blocks(3);
    operator.node.wait(operator.node.sandbox().faults().accept_connections()).unwrap();
    let ran = running.ended().exits(0);
    says(&ran.stderr, &["✓ connected again", "✓ read back equal"]);
    assert!(!ran.stderr.contains("handed in once more"), "the chain had it: {}", ran.stderr);
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
}

#[test]
fn a_connection_that_is_lost_before_the_block_hands_in_the_very_same_bytes() {
    let operator = Operator::by_hand();
    let mut running = operator.start(&["commit", "--yes"]);
    running.says("✓ broadcast");
    operator.node.wait(operator.node.sandbox().faults().drop_connections()).unwrap();
    running.says("handed in once more");
    operator.until("the second attempt to be answered", |operator| operator.submissions() == 2);
    assert_eq!(operator.pending(), 1, "the pool has it once");
    operator.node.blocks(3);
    let ran = running.ended().exits(0);
    says(&ran.stderr, &["✓ connected again", "✓ read back equal"]);
    assert_eq!(operator.nonce(), 1);
    assert_eq!(operator.records().iter().filter(|kind| *kind == "intended").count(), 1);
}
