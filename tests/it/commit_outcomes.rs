//! Every end that a commit can have, brought about on the practice node and told by the command line: the pool's answers,
//! what happens in blocks, forks, lost connections, somebody else's commit, and a node that lies.

use std::time::Duration;

use grail_console::sandbox::{
    BlockTime, CommitmentSpec, CompetingSubmitter, Credentials, Interruption, Lie, Moment, OPERATOR_UID, PoolAnswer,
    SandboxOptions, Scenario, hotkey,
};
use rstest::rstest;
use serde_json::Value;

use crate::support::house::{House, failure};
use crate::support::node::{Node, line};

/// The chain holds an older read key than the `.env`, and nothing happens by itself.
const DRIFTED: &str = "description = \"for tests\"\n[operator]\npublished = { read = { generation = 1 } }\n";

fn node() -> Node {
    let scenario = Scenario::parse("test", DRIFTED).unwrap();
    let block_time = BlockTime::Every(Duration::from_millis(100));
    Node::with(SandboxOptions { uids: 64, block_time, ..SandboxOptions::new(scenario) })
}

/// Commits as the operator; the document and the exit code.
fn commit(house: &House, node: &Node) -> (Value, Option<i32>) {
    let ran = house.run(line(&["commit", "--yes", "--json"], &node.committing_flags()));
    (ran.json(), ran.code)
}

#[track_caller]
fn ends(node: &Node, outcome: &str, reason: Option<&str>, exit: i32) -> Value {
    let house = House::new();
    let (document, code) = commit(&house, node);
    assert_eq!(document["outcome"], outcome, "{document:#}");
    assert_eq!(document["reason"].as_str(), reason, "{document:#}");
    assert_eq!(code, Some(exit), "{document:#}");
    let success = outcome == "committed";
    assert_eq!((&document["finalized"], &document["read_back"]), (&Value::Bool(success), &Value::Bool(success)));
    for words in ["what", "explanation", "fix"] {
        assert!(document[words].as_str().unwrap().len() > 7, "{document:#}");
    }
    document
}

/// What the chain holds for the operator, as text.
fn on_chain(node: &Node) -> String {
    let all = node.sandbox().commitments().unwrap();
    let (_, stored) = all.into_iter().find(|(who, _)| *who == hotkey(OPERATOR_UID)).unwrap();
    String::from_utf8_lossy(&stored[14..]).into_owned()
}

fn mine() -> String {
    Credentials::of(OPERATOR_UID, 0).read_commitment()
}

fn theirs() -> CommitmentSpec {
    CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 7).read_commitment())
}

/// The nonce that the next transaction of the operator has: how many were included.
fn included(node: &Node, house: &House) -> u64 {
    let ran = house.run(line(&["commit", "--dry-run", "--json"], &node.committing_flags()));
    ran.json()["nonce"].as_u64().unwrap()
}

#[rstest]
#[case(PoolAnswer::Stale, "pool_stale")]
#[case(PoolAnswer::Future, "pool_future")]
#[case(PoolAnswer::BadProof, "pool_bad_proof")]
#[case(PoolAnswer::AncientBirthBlock, "pool_ancient")]
#[case(PoolAnswer::Payment, "pool_payment")]
#[case(PoolAnswer::ExhaustsResources, "pool_full")]
#[case(PoolAnswer::Custom(19), "pool_not_registered")]
#[case(PoolAnswer::Custom(10), "pool_not_registered")]
#[case(PoolAnswer::Custom(3), "pool_no_subnet")]
#[case(PoolAnswer::Custom(6), "pool_rate_limit")]
#[case(PoolAnswer::Custom(21), "pool_coldkey_swap")]
#[case(PoolAnswer::Custom(15), "pool_custom")]
#[case(PoolAnswer::Banned, "pool_banned")]
#[case(PoolAnswer::LowPriority, "pool_priority")]
#[case(PoolAnswer::Dropped, "pool_full")]
fn a_pool_that_refuses_is_told_by_its_reason_and_nothing_is_published(
    #[case] answer: PoolAnswer,
    #[case] reason: &str,
) {
    let node = node();
    node.sandbox().faults().answer_pool(Some(answer));
    ends(&node, "failed", Some(reason), 5);
    assert_ne!(on_chain(&node), mine());
}

#[test]
fn a_transaction_that_no_block_takes_expires_with_its_era() {
    let node = node();
    node.sandbox().faults().hold_pool(true);
    let document = ends(&node, "expired", Some("era_over"), 5);
    assert!(document["extrinsic_hash"].is_string());
    assert_ne!(on_chain(&node), mine());
}

/// Whatever the moment at which the connection is lost: it is published once, and known to be.
#[rstest]
#[case(Interruption::BeforeAnswer)]
#[case(Interruption::Swallowed)]
#[case(Interruption::AfterBroadcast)]
#[case(Interruption::AfterInBlock)]
#[case(Interruption::AfterFinalized)]
fn a_lost_connection_is_found_again_and_nothing_is_published_twice(#[case] moment: Interruption) {
    let node = node();
    node.sandbox().faults().interrupt_submission(moment);
    ends(&node, "committed", None, 0);
    assert_eq!(on_chain(&node), mine());
    assert_eq!(included(&node, &House::new()), 1, "one extrinsic was included");
}

#[test]
fn a_commit_that_a_fork_moved_is_confirmed_where_it_ended_up() {
    let node = node();
    node.sandbox().faults().fork_after_commit(1);
    let document = ends(&node, "committed", None, 0);
    let first = document["first_seen_in"].as_u64().expect("it was first seen in another block");
    assert!(first <= document["included_in"].as_u64().unwrap(), "{document:#}");
    assert!(document["explanation"].as_str().unwrap().contains("fork"), "{document:#}");
    assert_eq!(on_chain(&node), mine());
}

#[test]
fn a_commit_that_a_fork_lost_is_not_called_published() {
    let node = node();
    node.sandbox().faults().fork_after_commit(1);
    node.sandbox().faults().lose_in_fork(true);
    ends(&node, "expired", Some("era_over"), 5);
    assert_ne!(on_chain(&node), mine());
}

#[rstest]
#[case(Moment::InSameBlock)]
#[case(Moment::NextBlock)]
fn somebody_elses_commit_after_ours_is_told_and_is_no_success(#[case] moment: Moment) {
    let node = node();
    node.sandbox().faults().usurp(Some(CompetingSubmitter { moment, spec: theirs() }));
    let document = ends(&node, "failed", Some("usurped"), 5);
    assert!(document["what"].as_str().unwrap().contains("replaced it at #"), "{document:#}");
    assert_ne!(on_chain(&node), mine());
}

#[test]
fn a_status_that_runs_ahead_of_finality_is_not_believed_and_the_truth_waited_for() {
    let node = node();
    node.sandbox().faults().lie(Some(Lie::FinalizedAtOnce));
    let document = ends(&node, "committed", None, 0);
    let block = u32::try_from(document["included_in"].as_u64().unwrap()).unwrap();
    assert!(node.sandbox().finalized().number() >= block);
}

#[rstest]
#[case(Lie::InventedBlock, "expired", Some("era_over"), 5)]
#[case(Lie::SilentDrop, "expired", Some("era_over"), 5)]
#[case(Lie::ForgedEvent, "failed", Some("contradiction"), 5)]
#[case(Lie::ForgedValue, "failed", Some("contradiction"), 5)]
#[case(Lie::PermutedCalls, "refused", Some("blind_signing"), 3)]
#[case(Lie::ForeignExtension, "refused", Some("unknown_extension"), 3)]
fn a_node_that_lies_never_gets_a_success_out_of_us(
    #[case] lie: Lie,
    #[case] outcome: &str,
    #[case] reason: Option<&str>,
    #[case] exit: i32,
) {
    let node = node();
    node.sandbox().faults().lie(Some(lie));
    let document = ends(&node, outcome, reason, exit);
    if outcome == "refused" {
        assert!(document["extrinsic_hash"].is_null(), "nothing was signed: {document:#}");
        assert!(!node.sandbox().meter().requests.keys().any(|method| method.starts_with("author_")));
    }
}

#[test]
fn a_nonce_that_cannot_be_is_not_used() {
    let node = node();
    node.sandbox().faults().lie(Some(Lie::NonceLie(1_000)));
    let ran = House::new().run(line(&["commit", "--yes", "--json"], &node.committing_flags()));
    let document = ran.json();
    assert_eq!(ran.code, Some(4), "{document:#}");
    assert!(failure(&document).contains("the next nonce, 1000, does not fit"), "{document:#}");
}

#[test]
fn what_a_contradiction_left_open_is_asked_again_at_the_next_start() {
    let node = node();
    let house = House::new();
    node.sandbox().faults().lie(Some(Lie::ForgedValue));
    let (document, _) = commit(&house, &node);
    assert_eq!(document["reason"], "contradiction", "{document:#}");
    node.sandbox().faults().lie(None);
    let (document, code) = commit(&house, &node);
    let earlier = document["findings"][0]["summary"].as_str().unwrap();
    assert!(earlier.starts_with("An earlier commit of uid 42: "), "{document:#}");
    assert!(earlier.contains("The node contradicts itself"), "the forged block is still served: {earlier}");
    assert_eq!((document["outcome"].as_str(), code), (Some("unchanged"), Some(0)), "{document:#}");
}
