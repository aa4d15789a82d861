//! What an acknowledged dispute is, and for how long (THREATS T28); who counts as a second operator (T29).

use std::net::SocketAddr;

use grail_console::chain::provenance::{Examination, examine};
use grail_console::chain::{Node as ChainNode, NodeOptions};
use grail_console::domain::commit::progress::BlockId;
use grail_console::domain::network::{BlockHash, Endpoint, Network, are_one_operator};
use grail_console::domain::provenance::{ACKNOWLEDGED_MS, Case, Claim, Depth, Dispute};
use grail_console::domain::untrusted::Untrusted;
use grail_console::ops::verify::Acknowledged;
use grail_console::sandbox::{BlockTime, Byzantine, NETUID, Sandbox, SandboxOptions, Scenario, hotkey};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::house::Ran;
use crate::support::node::line;
use crate::support::operator::Operator;

/// The present of these tests.
const NOW_MS: u64 = 1_800_000_000_000;

fn claim(endpoint: &str, block: Option<(u64, u8)>, says: &str) -> Claim {
    let block = block.map(|(number, hash)| BlockId { number, hash: BlockHash([hash; 32]) });
    Claim { endpoint: endpoint.to_owned(), block, says: Untrusted::from_text(says), proof: None }
}

fn dispute(case: Case, height: u64, hashes: [u8; 2], says: [&str; 2]) -> Dispute {
    Dispute {
        case,
        hotkey: None,
        endpoint: claim("wss://one.example", Some((height, hashes[0])), says[0]),
        witness: claim("wss://two.example", Some((height, hashes[1])), says[1]),
        proven_wrong: None,
    }
}

#[test]
fn the_id_of_a_dispute_names_its_height_and_both_hashes() {
    let id = |height, hashes| dispute(Case::OtherFork, height, hashes, ["a", "b"]).id();
    assert!(id(77, [1, 2]).starts_with("77-"), "{}", id(77, [1, 2]));
    let all = [id(77, [1, 2]), id(78, [1, 2]), id(77, [1, 3]), id(77, [3, 2]), id(77, [2, 1])];
    assert!(all.iter().enumerate().all(|(at, id)| !all[..at].contains(id)), "{all:?}");
}

#[test]
fn the_id_of_forged_values_names_both_values() {
    let mark = |height, hashes, says| dispute(Case::ForgedValue, height, hashes, says).mark();
    assert_eq!(mark(77, [1, 1], ["x", "y"]), mark(90, [2, 2], ["x", "y"]), "the height moves on");
    assert_ne!(mark(77, [1, 1], ["x", "y"]), mark(77, [1, 1], ["x", "z"]));
    assert_ne!(mark(77, [1, 1], ["x", "y"]), mark(77, [1, 1], ["z", "y"]));
}

/// Nobody is connected.
fn nobody() -> ChainNode {
    ChainNode::new(NodeOptions::new(Network::at_endpoint("ws://127.0.0.1:1", None).unwrap()))
}

#[tokio::test]
async fn an_acknowledgement_holds_for_an_hour_from_its_first_use() {
    let (node, dispute) = (nobody(), dispute(Case::OtherFork, 77, [1, 2], ["a", "b"]));
    for acknowledged in [Acknowledged::of(&[dispute.id()]), Acknowledged::default()] {
        acknowledged.add(&dispute.id(), NOW_MS);
        let at = async |ms| acknowledged.until_ms(&node, &dispute, NOW_MS + ms).await;
        assert_eq!(at(0).await, Some(NOW_MS + ACKNOWLEDGED_MS));
        assert_eq!(at(ACKNOWLEDGED_MS - 1).await, Some(NOW_MS + ACKNOWLEDGED_MS));
        assert_eq!(at(ACKNOWLEDGED_MS).await, None, "it is asked anew");
        assert_eq!(at(ACKNOWLEDGED_MS + 1).await, None);
    }
}

#[tokio::test]
async fn an_id_that_is_given_again_and_again_grows_old_with_the_chain() {
    let node = nobody();
    let forged = |height| dispute(Case::ForgedValue, height, [1, 1], ["x", "y"]);
    let named = Acknowledged::of(&[forged(77).id()]);
    assert!(named.until_ms(&node, &forged(77 + 300), NOW_MS).await.is_some());
    assert_eq!(named.until_ms(&node, &forged(77 + 301), NOW_MS).await, None);
}

/// Where two sources contradict each other, by a connection of its own.
async fn contradiction(node: &ChainNode) -> Dispute {
    let examination = Examination { node: node.clone(), netuid: NETUID, now_ms: NOW_MS };
    let rows = [(hotkey(17), Depth::Proof)].into();
    let found = Box::pin(examine(&examination, &rows)).await.unwrap();
    found.disputes.into_iter().find(|dispute| dispute.case == Case::OtherFork).expect("a dispute")
}

#[tokio::test]
async fn of_two_forks_the_acknowledged_one_stays_so_as_it_grows_and_the_other_is_asked_anew() {
    let scenario = Scenario::named("provenance").unwrap();
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let node = || {
        ChainNode::new(NodeOptions {
            witnesses: vec![sandbox.witness_url().parse().unwrap()],
            ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
        })
    };
    sandbox.faults().deceive(Some(Byzantine::OtherFork));
    let first = contradiction(&node()).await;
    let acknowledged = Acknowledged::default();
    acknowledged.add(&first.id(), NOW_MS);
    for _ in 0..5 {
        sandbox.produce_block().await.unwrap();
    }
    let asked = node();
    let grown = contradiction(&asked).await;
    assert_ne!(grown.id(), first.id(), "its height moved on");
    assert!(acknowledged.until_ms(&asked, &grown, NOW_MS + 1).await.is_some(), "both still say what they said");
    // Now the other one is on a fork, and the first is on the chain.
    sandbox.faults().deceive(None);
    sandbox.faults().deceive_by_witness(Some(Byzantine::OtherFork));
    let asked = node();
    let other = contradiction(&asked).await;
    assert_eq!(acknowledged.until_ms(&asked, &other, NOW_MS + 2).await, None);
}

fn fix(document: &Value) -> String {
    let told = document["fix"].as_str().unwrap().split("--read-dispute ").nth(1).unwrap();
    told.trim_end_matches('.').to_owned()
}

#[test]
fn a_commit_that_was_let_go_at_one_height_is_let_go_at_the_next_and_not_on_another_fork() {
    let operator = Operator::by_hand();
    let flags =
        [operator.flags(), vec!["--witness".to_owned(), operator.node.sandbox().witness_url().to_owned()]].concat();
    let plan = |words: &[&str]| -> Ran {
        operator.house.run(line(&[&["commit", "--dry-run", "--json"], words].concat(), &flags))
    };
    let faults = operator.node.sandbox().faults();
    faults.deceive(Some(Byzantine::OtherFork));
    let id = fix(&plan(&[]).exits(3).json());
    operator.node.blocks(4);
    assert_ne!(fix(&plan(&[]).exits(3).json()), id);
    assert_eq!(plan(&["--read-dispute", &id]).exits(0).json()["outcome"], "planned");
    faults.deceive(None);
    faults.deceive_by_witness(Some(Byzantine::OtherFork));
    let refused = plan(&["--read-dispute", &id]).exits(3).json();
    assert_eq!(refused["reason"], json!("contradiction"), "another fork is asked anew");
}

fn endpoint(url: &str) -> Endpoint {
    url.parse().unwrap()
}

#[rstest]
#[case::this_machine("ws://localhost:9944", "ws://127.0.0.1:9944", true)]
#[case::this_machine_in_six("ws://[::1]:9944", "ws://127.0.0.1:9944", true)]
#[case::six_and_name("ws://[::1]:9944", "ws://localhost:9944/", true)]
#[case::a_port_of_its_own("ws://localhost:9944", "ws://127.0.0.1:9945", false)]
#[case::four_in_six("wss://[::ffff:10.0.0.7]:9944", "wss://10.0.0.7:9944", true)]
#[case::private_ports("wss://10.0.0.7:9944", "wss://10.0.0.7:9945", false)]
#[case::public_address("wss://203.0.113.7:9944", "wss://203.0.113.7:443", true)]
#[case::one_domain("wss://entrypoint-finney.opentensor.ai:443", "wss://archive.chain.OpenTensor.ai.", true)]
#[case::two_domains("wss://entrypoint-finney.opentensor.ai:443", "wss://lite.sub.latent.to:443", false)]
#[case::suffix_of_two_labels("wss://a.example.co.uk", "wss://b.other.co.uk", true)]
fn one_operator_is_known_under_two_names(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
    assert_eq!(are_one_operator((&endpoint(one), None), (&endpoint(other), None)), same);
}

#[rstest]
#[case::a_name_and_a_private_address("wss://node.lan:9944", "wss://10.0.0.7:9944", "10.0.0.7:9944", true)]
#[case::a_name_and_this_machine("wss://node.lan:9944", "wss://127.0.0.1:9944", "127.0.0.1:9944", true)]
#[case::a_public_address_that_many_share("wss://one.example", "wss://two.example", "203.0.113.7:443", false)]
fn one_operator_is_known_by_the_address_that_was_reached(
    #[case] one: &str,
    #[case] other: &str,
    #[case] reached: SocketAddr,
    #[case] same: bool,
) {
    let both = [one, other].map(endpoint);
    assert_eq!(are_one_operator((&both[0], Some(reached)), (&both[1], Some(reached))), same);
}

#[tokio::test]
async fn the_own_node_under_another_name_is_no_second_source() {
    let scenario = Scenario::named("provenance").unwrap();
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let named = sandbox.url().replace("127.0.0.1", "localhost");
    let node = ChainNode::new(NodeOptions {
        witnesses: vec![named.parse().unwrap()],
        ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
    });
    let examination = Examination { node, netuid: NETUID, now_ms: NOW_MS };
    let found = Box::pin(examine(&examination, &[(hotkey(17), Depth::Proof)].into())).await.unwrap();
    assert_eq!(found.rows[&hotkey(17)].limit.as_ref().unwrap().code(), "no_witness");
}
