//! A console that is killed on its way: whatever the step was, the next start tells what became of the commit, once.

use std::time::Duration;

use grail_console::domain::text::grouped;
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Credentials, Interruption, OPERATOR_UID, RuntimeKind, Stall, hotkey,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_commit::document;
use crate::support::house::says;
use crate::support::operator::{BLOCKS, Operator};

/// Keeps every answer of the node back for so long that there is time to kill who waits for it.
const LATENCY: Duration = Duration::from_secs(1);

/// Where the console was when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Signed and written down; nobody else knows of it.
    Signed,
    /// The pool has it, and its answer was on the way.
    HandedIn,
    /// The pool's answer was heard.
    Broadcast,
    /// Seen in a block.
    InBlock,
    /// That block is final, and nobody has written it down.
    Finalized,
}

/// Kills `commit --yes` at a step.
fn killed_at(step: Step) -> Operator {
    let operator = Operator::by_hand();
    kill(&operator, step);
    operator
}

fn kill(operator: &Operator, step: Step) {
    let faults = operator.node.sandbox().faults();
    // Metadata is on disk from here on: less to wait for.
    operator.run(&["commit", "--dry-run"]);
    if matches!(step, Step::Signed | Step::HandedIn) {
        faults.set_latency(LATENCY);
    }
    if step == Step::Signed {
        // Between the signature and the hand-over lies less than it takes to kill a process: what comes is lost.
        faults.interrupt_submission(Interruption::Swallowed);
    }
    let mut running = operator.start(&["commit", "--yes"]);
    running.says("✓ signed");
    if step == Step::Signed {
        // Nor may it come through a second time, should this machine be slow to kill.
        faults.interrupt_submission(Interruption::Swallowed);
    }
    match step {
        Step::Signed => {}
        Step::HandedIn => {
            operator.until("the submission", |operator| operator.submissions() == 1);
            operator.node.wait(faults.stall(Stall::Established)).unwrap();
            faults.set_latency(Duration::ZERO);
            operator.until("the pool to have it", |operator| operator.pending() == 1);
        }
        Step::Broadcast | Step::InBlock | Step::Finalized => drop(running.says("✓ broadcast")),
    }
    if matches!(step, Step::InBlock | Step::Finalized) {
        operator.node.blocks(1);
        running.says("✓ in block");
    }
    if step == Step::Finalized {
        faults.set_latency(LATENCY);
        operator.node.sandbox().reset_meter();
        operator.node.blocks(2);
        // It asks the chain what the statuses are worth.
        operator.until("a question", |operator| operator.node.sandbox().meter().total() > 0);
    }
    running.kill();
    operator.node.wait(faults.recover()).unwrap();
    let records = operator.records();
    let expected = match step {
        Step::Signed | Step::HandedIn => &["intended"][..],
        Step::Broadcast => &["intended", "broadcast"],
        Step::InBlock | Step::Finalized => &["intended", "broadcast", "in_block"],
    };
    assert_eq!(records, expected);
}

/// What the next start tells of earlier commits.
fn earlier(document: &Value) -> Vec<Value> {
    let findings = document["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["summary"].as_str().unwrap().starts_with("An earlier commit")).cloned().collect()
}

fn status(operator: &Operator) -> Vec<Value> {
    earlier(&operator.run(&["status", "--json"]).json())
}

/// What `status` tells of the only earlier commit; the second time there is nothing more to tell.
#[track_caller]
fn told_once(operator: &Operator) -> Value {
    let told = status(operator);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(status(operator), Vec::<Value>::new(), "it was told");
    told[0].clone()
}

/// How often each intent has an end in the journal.
fn ends(operator: &Operator) -> Vec<usize> {
    let journal = operator.journal();
    let is_end = |record: &Value| ["committed", "failed", "expired"].contains(&record["kind"].as_str().unwrap());
    let hash = |record: &Value| {
        let place = if record["kind"] == "committed" { &record["receipt"]["extrinsic"] } else { &record["extrinsic"] };
        place.as_str().unwrap().to_owned()
    };
    let intents = journal.iter().filter(|record| record["kind"] == "intended").map(&hash);
    intents.map(|intent| journal.iter().filter(|record| is_end(record) && hash(record) == intent).count()).collect()
}

fn other() -> CommitmentSpec {
    CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 9).read_commitment())
}

#[rstest]
#[case(Step::HandedIn)]
#[case(Step::Broadcast)]
#[case(Step::InBlock)]
#[case(Step::Finalized)]
fn what_was_published_meanwhile_is_told_by_the_next_start(#[case] step: Step) {
    let operator = killed_at(step);
    if step != Step::Finalized {
        operator.node.blocks(3);
    }
    let told = told_once(&operator);
    assert_eq!(told["code"], "committed");
    says(told["summary"].as_str().unwrap(), &["An earlier commit of uid 42: Published in block #", "read back equal"]);
    assert_eq!(ends(&operator), [1]);
    let receipt = operator.journal().last().unwrap()["receipt"].clone();
    let found = operator.extrinsic(&receipt["block"]["hash"], &receipt["index"]);
    assert_eq!(receipt["extrinsic"], found, "the receipt names the block that holds it");
    let next = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&next["outcome"], earlier(&next)), (&json!("unchanged"), vec![]));
    assert_eq!((operator.nonce(), ends(&operator)), (1, vec![1]));
}

#[rstest]
#[case(Step::HandedIn)]
#[case(Step::Broadcast)]
#[case(Step::InBlock)]
fn while_it_is_alive_each_start_says_so_and_nothing_is_written_down(#[case] step: Step) {
    let operator = killed_at(step);
    let before = operator.journal();
    let death = before[0]["death"].as_u64().unwrap();
    for _ in 0..2 {
        let told = status(&operator);
        assert_eq!((told.len(), &told[0]["code"]), (1, &json!("commit_pending")));
        says(told[0]["summary"].as_str().unwrap(), &["of uid 42: It is not known yet whether this was published"]);
        says(told[0]["cause"].as_str().unwrap(), &[&format!("valid until #{}", grouped(death))]);
        if step == Step::InBlock {
            let block = u64::from(operator.node.sandbox().best().number());
            says(told[0]["cause"].as_str().unwrap(), &[&format!("last seen in #{}", grouped(block))]);
        }
    }
    assert_eq!(operator.journal(), before);
    operator.node.blocks(3);
    assert_eq!(told_once(&operator)["code"], "committed");
}

#[test]
fn doctor_and_the_text_of_a_commit_tell_it_too() {
    let operator = killed_at(Step::Broadcast);
    says(&operator.run(&["doctor"]).exits(1).stdout, &["An earlier commit of uid 42: It is not known yet"]);
    operator.node.blocks(3);
    let next = operator.run(&["commit", "--yes"]).exits(0);
    says(&next.stderr, &["An earlier commit of uid 42: Published in block #"]);
    says(&next.stdout, &["✓ The chain holds exactly this"]);
    let doctor = operator.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!((earlier(&doctor), ends(&operator)), (vec![], vec![1]));
}

#[test]
fn what_was_never_handed_in_expires_with_its_era() {
    let operator = killed_at(Step::Signed);
    assert_eq!(operator.pending(), 0);
    let death = operator.journal()[0]["death"].as_u64().unwrap();
    assert_eq!(status(&operator)[0]["code"], "commit_pending");
    while u64::from(operator.node.sandbox().finalized().number()) < death {
        operator.node.blocks(1);
    }
    let told = told_once(&operator);
    assert_eq!(told["code"], "commit_expired");
    says(told["summary"].as_str().unwrap(), &["No block took the transaction before its era ended", &grouped(death)]);
    assert_eq!((operator.records().last().unwrap().as_str(), ends(&operator)), ("expired", vec![1]));
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 1).read_commitment());
}

#[test]
fn what_was_never_handed_in_and_committed_anew_was_replaced() {
    let operator = killed_at(Step::Signed);
    let running = operator.start(&["commit", "--yes", "--json"]);
    operator.until("the submission", |operator| operator.pending() == 1);
    operator.node.blocks(3);
    let next = document(&running.ended().exits(0));
    assert_eq!((&next["outcome"], &next["nonce"]), (&json!("committed"), &json!(0)));
    assert_eq!(earlier(&next)[0]["code"], "commit_pending", "the earlier one was still alive then");
    let told = told_once(&operator);
    says(told["summary"].as_str().unwrap(), &["Another transaction of this hotkey took the place of ours"]);
    assert_eq!((operator.nonce(), ends(&operator)), (1, vec![1, 1]));
}

#[rstest]
#[case(Step::HandedIn)]
#[case(Step::InBlock)]
fn a_commitment_that_came_after_it_is_told(#[case] step: Step) {
    let operator = killed_at(step);
    operator.node.blocks(1);
    operator.node.commit([(OPERATOR_UID, other())]);
    let usurper = u64::from(operator.node.sandbox().best().number()) - 2;
    let told = told_once(&operator);
    assert_eq!((&told["code"], &told["severity"]), (&json!("commit_failed"), &json!("danger")));
    let what = format!("It was published, and another commitment replaced it at #{}", grouped(usurper));
    says(told["summary"].as_str().unwrap(), &[&what]);
    assert!(operator.journal().last().unwrap()["failure"]["usurped"].is_object());
    assert_eq!(ends(&operator), [1]);
}

#[test]
fn a_refusal_in_the_block_is_told() {
    let operator = Operator::by_hand_on(RuntimeKind::Older);
    operator.node.sandbox().register(OPERATOR_UID, hotkey(900));
    operator.node.blocks(1);
    kill(&operator, Step::Broadcast);
    operator.node.blocks(3);
    let told = told_once(&operator);
    says(told["summary"].as_str().unwrap(), &["The chain refused the commit in block #", "AccountNotAllowedCommit"]);
    assert_eq!(ends(&operator), [1]);
}

#[test]
fn while_the_node_is_away_it_is_pending_and_told_again_when_it_is_back() {
    let operator = killed_at(Step::InBlock);
    let faults = operator.node.sandbox().faults();
    operator.node.wait(faults.refuse_connections()).unwrap();
    for _ in 0..2 {
        let next = operator.run(&["commit", "--yes"]).exits(4);
        says(&next.stderr, &["An earlier commit of uid 42: It is not known yet", "no TCP connection"]);
        let doctor = operator.run(&["doctor", "--json"]).exits(4).json();
        assert_eq!(earlier(&doctor)[0]["code"], "commit_pending");
    }
    assert_eq!(ends(&operator), [0]);
    operator.node.wait(faults.accept_connections()).unwrap();
    operator.node.blocks(3);
    assert_eq!(told_once(&operator)["code"], "committed");
    assert_eq!(ends(&operator), [1]);
}

#[test]
fn long_after_the_states_are_gone_the_value_alone_tells_it() {
    let operator = killed_at(Step::Broadcast);
    // More than the node keeps states of.
    operator.node.blocks(300);
    let told = told_once(&operator);
    assert_eq!((&told["code"], ends(&operator)), (&json!("committed"), vec![1]));
}

#[test]
fn long_after_the_states_are_gone_a_refusal_is_told_by_the_nonce_alone() {
    let operator = Operator::by_hand_on(RuntimeKind::Older);
    operator.node.sandbox().register(OPERATOR_UID, hotkey(900));
    operator.node.blocks(1);
    kill(&operator, Step::Broadcast);
    operator.node.blocks(300);
    let told = told_once(&operator);
    says(told["summary"].as_str().unwrap(), &["Its nonce is used, and the chain does not hold what it was to publish"]);
    assert_eq!(ends(&operator), [1]);
}

#[test]
fn whoever_is_killed_while_waiting_for_a_uid_leaves_nothing_behind() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let mut running = operator.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    running.kill();
    operator.did_nothing();
}

/// Whenever it is killed: the next commit and the start after it leave nothing open, and the chain as it was meant.
#[test]
fn killed_at_any_moment_nothing_is_left_open() {
    let operator = Operator::new();
    for (generation, milliseconds) in (2..).zip([40, 90, 140, 190, 240, 400, 650, 900]) {
        operator.has_generation(generation);
        let running = operator.start(&["commit", "--yes"]);
        std::thread::sleep(Duration::from_millis(milliseconds));
        // It may have ended by itself, too.
        drop(running);
        let next = operator.run(&["commit", "--yes", "--json"]);
        let outcome = document(&next.exits(0))["outcome"].clone();
        assert!(outcome == "committed" || outcome == "unchanged", "{outcome}");
        assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, generation).read_commitment());
        status(&operator);
        assert_eq!(status(&operator), Vec::<Value>::new(), "killed after {milliseconds} ms");
        assert!(ends(&operator).iter().all(|count| *count == 1), "{:#?}", operator.journal());
    }
}
