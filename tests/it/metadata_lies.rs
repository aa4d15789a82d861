//! Metadata that one node doctors (THREATS T23): what is proven keeps its meaning, one node's word on a runtime is compared once
//! with another operator's, and what a liar left in the cache harms no honest day.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use grail_console::chain::provenance::{Examination, examine};
use grail_console::chain::{MetadataStore, Node as ChainNode, NodeOptions};
use grail_console::domain::commitment::Commitment;
use grail_console::domain::network::Network;
use grail_console::domain::provenance::{Case, Depth, Examined, Level, Side};
use grail_console::sandbox::{
    BlockTime, Byzantine, CommitmentSpec, Credentials, MetadataLie, NETUID, OPERATOR_UID, Sandbox, SandboxOptions,
    Scenario, hotkey,
};
use rstest::rstest;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::chain_lies::hasty;
use crate::support::chain::survey;
use crate::support::house::{House, says};
use crate::support::node::{Node, line};
use crate::support::operator::Operator;

/// A commitment of another form than GRAIL's: what it means only metadata tells.
const ODD: u16 = 5;

async fn sandbox() -> Sandbox {
    let scenario = Scenario::named("provenance").unwrap();
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.commit(ODD, CommitmentSpec::raw("o".repeat(100)));
    for _ in 0..3 {
        sandbox.produce_block().await.unwrap();
    }
    sandbox
}

async fn found(sandbox: &Sandbox, uids: &[u16]) -> Examined {
    let node = ChainNode::new(NodeOptions {
        witnesses: vec![sandbox.witness_url().parse().unwrap()],
        ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
    });
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let rows: BTreeMap<_, _> = uids.iter().map(|uid| (hotkey(*uid), Depth::Proof)).collect();
    Box::pin(examine(&Examination { node, netuid: NETUID, now_ms }, &rows)).await.unwrap()
}

fn row(found: &Examined, uid: u16) -> (Level, Option<Commitment>) {
    let row = &found.rows[&hotkey(uid)];
    (row.level, row.commitment.clone())
}

#[rstest]
#[case::prefix(MetadataLie::Prefix)]
#[case::hasher(MetadataLie::Hasher)]
#[tokio::test]
async fn one_letter_that_one_node_changed_makes_nothing_of_nobody_and_the_next_endpoint_is_asked(
    #[case] lie: MetadataLie,
) {
    let sandbox = sandbox().await;
    sandbox.faults().deceive(Some(Byzantine::Metadata(lie)));
    let endpoints = vec![sandbox.url().parse().unwrap(), sandbox.witness_url().parse().unwrap()];
    let network = Network { endpoints, ..Network::at_endpoint(sandbox.url(), None).unwrap() };
    let node = ChainNode::new(NodeOptions {
        witnesses: vec![sandbox.witness_url().parse().unwrap()],
        ..NodeOptions::new(network)
    });
    let snapshot = grail_console::chain::survey(&node, NETUID, None, &hasty()).await.unwrap();
    assert_eq!(snapshot.chain.endpoint, sandbox.witness_url().trim_end_matches('/'));
    assert!(snapshot.commitments[&hotkey(17)].published().is_some());
    // Without another endpoint to read from it is an error, never an empty subnet.
    let alone = ChainNode::new(NodeOptions {
        witnesses: vec![sandbox.witness_url().parse().unwrap()],
        ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
    });
    let error = grail_console::chain::survey(&alone, NETUID, None, &hasty()).await.unwrap_err();
    assert_eq!(error.fault.code(), "metadata", "{error}");
}

#[rstest]
#[case::names(MetadataLie::VariantNames)]
#[case::types(MetadataLie::ValueTypes)]
#[case::fields(MetadataLie::FieldOrder)]
#[tokio::test]
async fn a_proven_commitment_means_the_same_whatever_one_node_says_of_its_type(#[case] lie: MetadataLie) {
    let sandbox = sandbox().await;
    let honest = found(&sandbox, &[17, OPERATOR_UID, 11]).await;
    assert_eq!((row(&honest, 17).0, row(&honest, 11)), (Level::Proven, (Level::Proven, None)));
    for at_witness in [false, true] {
        let told = Some(Byzantine::Metadata(lie));
        sandbox.faults().deceive(told.filter(|_| !at_witness));
        sandbox.faults().deceive_by_witness(told.filter(|_| at_witness));
        let lied = found(&sandbox, &[17, OPERATOR_UID, 11]).await;
        assert_eq!(lied.disputes, [], "nothing in it means what metadata says");
        for uid in [17, OPERATOR_UID, 11] {
            assert_eq!(row(&lied, uid), row(&honest, uid), "uid {uid}");
        }
    }
}

#[rstest]
#[case::names(MetadataLie::VariantNames, None)]
#[case::types(MetadataLie::ValueTypes, None)]
#[case::fields(MetadataLie::FieldOrder, None)]
#[case::hasher_by_the_witness(MetadataLie::Hasher, Some(Side::Witness))]
#[tokio::test]
async fn what_only_metadata_explains_is_disputed_where_two_nodes_explain_it_in_two_ways(
    #[case] lie: MetadataLie,
    #[case] wrong: Option<Side>,
) {
    let sandbox = sandbox().await;
    let honest = found(&sandbox, &[ODD]).await;
    assert_eq!((row(&honest, ODD).0, &honest.disputes[..]), (Level::Proven, &[][..]));
    for at_witness in [false, true] {
        if wrong.is_some() && !at_witness {
            continue;
        }
        let told = Some(Byzantine::Metadata(lie));
        sandbox.faults().deceive(told.filter(|_| !at_witness));
        sandbox.faults().deceive_by_witness(told.filter(|_| at_witness));
        let lied = found(&sandbox, &[ODD, 17]).await;
        let cases: Vec<_> = lied.disputes.iter().map(|dispute| (dispute.case, dispute.proven_wrong)).collect();
        assert_eq!(cases, [(Case::OtherMetadata, wrong)]);
        let (level, commitment) = row(&lied, ODD);
        assert_eq!(level, Level::Reported);
        assert!(commitment.is_some(), "it is there, whatever it is");
        assert_eq!(row(&lied, 17).0, Level::Reported, "one of the two lies: it is no second source");
    }
}

#[test]
fn a_commit_waits_where_two_nodes_describe_the_runtime_in_two_ways() {
    let operator = Operator::by_hand();
    let flags =
        [operator.flags(), vec!["--witness".to_owned(), operator.node.sandbox().witness_url().to_owned()]].concat();
    let commit = || operator.house.run(line(&["commit", "--yes", "--json"], &flags));
    for lie in [MetadataLie::FieldOrder, MetadataLie::ValueTypes] {
        operator.node.sandbox().faults().deceive(Some(Byzantine::Metadata(lie)));
        let refused = commit().exits(3).json();
        assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("refused"), &json!("contradiction")), "{lie:?}");
        says(&refused.to_string(), &["two different descriptions of one runtime"]);
        operator.did_nothing();
    }
}

#[test]
fn what_a_liar_left_in_the_cache_serves_no_honest_day_and_two_honest_nodes_are_compared_once() {
    let operator = Operator::new();
    let witness = operator.node.sandbox().witness_url().to_owned();
    let flags = [operator.flags(), vec!["--witness".to_owned(), witness]].concat();
    let run = |words: &[&str]| operator.house.run(line(words, &flags));
    let faults = operator.node.sandbox().faults();
    faults.deceive(Some(Byzantine::Metadata(MetadataLie::FieldOrder)));
    run(&["status", "--json"]);
    let cached = the_cached(&operator.house);
    faults.deceive(None);
    operator.node.sandbox().reset_meter();
    assert_eq!(run(&["commit", "--yes", "--json"]).exits(0).json()["outcome"], "committed");
    let asked = |method: &str| operator.node.sandbox().meter().requests.get(method).copied().unwrap_or(0);
    assert!(asked("state_call") > 0 && asked("state_getStorageHash") == 1);
    let compared = the_cached(&operator.house);
    assert_ne!(compared, cached, "what both say took its place");
    for url in [operator.node.url(), operator.node.sandbox().witness_url()] {
        let port = url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
        let named = format!("this machine:{port}");
        assert!(compared.windows(named.len()).any(|part| part == named.as_bytes()), "{named}");
    }
    // From now on nobody is asked again.
    operator.has_generation(2);
    operator.node.sandbox().reset_meter();
    assert_eq!(run(&["commit", "--yes", "--json"]).exits(0).json()["outcome"], "committed");
    run(&["status", "--json"]);
    assert_eq!((asked("state_call"), asked("state_getStorageHash")), (0, 1), "who signs looks at the code alone");
    assert_eq!(the_cached(&operator.house), compared);
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 2).read_commitment());
}

#[test]
fn metadata_that_was_kept_of_other_code_is_asked_for_anew_before_anything_is_signed() {
    let operator = Operator::new();
    let witness = operator.node.sandbox().witness_url().to_owned();
    for (witnessed, generation) in [(true, 0), (false, 2)] {
        let flags = if witnessed {
            [operator.flags(), vec!["--witness".to_owned(), witness.clone()]].concat()
        } else {
            operator.flags()
        };
        let commit = || operator.house.run(line(&["commit", "--yes", "--json"], &flags));
        operator.has_generation(generation);
        assert_eq!(commit().exits(0).json()["outcome"], "committed");
        // The same version and the same bytes, of code that the chain does not run.
        let path = fs::read_dir(operator.house.cache().join("metadata")).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let head = b"grail-console metadata 2\n".len();
        let code = head + 32 + 36;
        bytes[code] ^= 1;
        let digest = Sha256::digest(&bytes[head + 32..]);
        bytes[head..head + 32].copy_from_slice(&digest);
        fs::write(&path, &bytes).unwrap();
        operator.has_generation(generation + 1);
        operator.node.sandbox().reset_meter();
        assert_eq!(commit().exits(0).json()["outcome"], "committed");
        let asked = operator.node.sandbox().meter().requests.get("state_call").copied().unwrap_or(0);
        assert!(asked > 0, "with a second source: {witnessed}");
    }
}

/// The only file of cached metadata.
fn the_cached(house: &House) -> Vec<u8> {
    let files: Vec<_> =
        fs::read_dir(house.cache().join("metadata")).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    fs::read(file).unwrap()
}

#[test]
fn where_two_operators_describe_a_newer_runtime_only_that_entry_is_unknown_and_writing_is_locked() {
    let operator = Operator::by_hand();
    let sandbox = operator.node.sandbox();
    let flags = [operator.flags(), vec!["--witness".to_owned(), sandbox.witness_url().to_owned()]].concat();
    let run = |words: &[&str]| operator.house.run(line(words, &flags));
    let deceive = |lie: MetadataLie| {
        sandbox.faults().deceive(Some(Byzantine::Metadata(lie)));
        sandbox.faults().deceive_by_witness(Some(Byzantine::Metadata(lie)));
    };
    deceive(MetadataLie::PermitHasher);
    for _ in 0..2 {
        let status = run(&["status", "--json"]).json();
        assert!(status["summary"]["readable"].as_u64().unwrap() > 30, "{}", status["summary"]);
        let findings = status["findings"].to_string();
        says(&findings, &["newer_runtime", "SubtensorModule.ValidatorPermit", "Update the console"]);
    }
    let refused = run(&["commit", "--yes", "--json"]).exits(3).json();
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("refused"), &json!("newer_runtime")));
    operator.did_nothing();
}

#[tokio::test]
async fn commitments_of_a_newer_runtime_are_unknown_and_never_absent() {
    let sandbox = sandbox().await;
    let told = Some(Byzantine::Metadata(MetadataLie::Hasher));
    sandbox.faults().deceive(told);
    sandbox.faults().deceive_by_witness(told);
    let found = found(&sandbox, &[17, 11]).await;
    for uid in [17, 11] {
        let row = &found.rows[&hotkey(uid)];
        assert_eq!((row.level, row.limit.as_ref().unwrap().code()), (Level::Reported, "newer_runtime"));
        assert!(row.commitment.as_ref().unwrap().unreadable().is_some(), "unknown is not none");
    }
    // One node alone is believed as far: there is nobody to ask, and nothing is shown as absent.
    let network = Network::at_endpoint(sandbox.url(), None).unwrap();
    let snapshot = survey(&network, NETUID, MetadataStore::none(), &hasty()).await.unwrap();
    assert!(snapshot.members.iter().all(|member| snapshot.commitments[&member.hotkey].unreadable().is_some()));
}

#[test]
fn an_honest_upgrade_goes_on_and_the_new_runtime_is_compared_in_its_turn() {
    let node = Node::with_uids("provenance", 64);
    let house = House::new();
    let flags = [node.flags(), vec!["--witness".to_owned(), node.sandbox().witness_url().to_owned()]].concat();
    node.commit([(ODD, CommitmentSpec::raw("o".repeat(100)))]);
    let level = || {
        let document = house.run(line(&["show", "5", "--verify", "--json"], &flags)).json();
        document["row"]["level"].as_str().unwrap().to_owned()
    };
    assert_eq!(level(), "proven");
    node.sandbox().faults().upgrade_runtime();
    node.blocks(4);
    node.sandbox().reset_meter();
    assert_eq!(level(), "proven");
    let asked = |method: &str| node.sandbox().meter().requests.get(method).copied().unwrap_or(0);
    assert_eq!((asked("state_call"), asked("state_getStorageHash")), (2, 1), "both told it, once");
    node.sandbox().reset_meter();
    assert_eq!((level().as_str(), asked("state_call")), ("proven", 0));
}
