//! A rotation and the node it depends on: away, on another chain, behind, lying, forked. It pauses and never guesses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grail_console::sandbox::{BlockTime, Lie, OPERATOR_UID, SandboxOptions, Scenario};
use serde_json::{Value, json};

use crate::cli_rotate::document;
use crate::support::operator::{BLOCKS, Operator};
use crate::support::rotating::{NEW, OLD, Rotating};

fn resume(house: &Rotating, code: i32) -> Value {
    document(&house.run(&["rotate", "resume", "--yes", "--json"]).exits(code))
}

/// A rotation that waits for the yes to publish.
fn planned() -> Rotating {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    let asked = document(&house.run(&["rotate", "start", "--new-key-file", &keys, "--json"]).exits(7));
    assert_eq!(asked["phase"], "planned");
    house
}

fn with_faults(house: &Rotating, work: impl AsyncFnOnce(&grail_console::sandbox::Faults)) {
    let node = &house.operator.node;
    node.wait(work(node.sandbox().faults()));
}

#[test]
fn while_the_node_is_away_nothing_moves_and_afterwards_it_goes_on() {
    let house = planned();
    let before = house.journal();
    with_faults(&house, async |faults| faults.refuse_connections().await.unwrap());
    let away = resume(&house, 4);
    assert_eq!((&away["phase"], house.journal()), (&json!("planned"), before.clone()));
    let status = document(&house.run(&["rotate", "status", "--json"]).exits(4));
    assert_eq!((&status["phase"], &status["blocked_by"]), (&json!("planned"), &json!(["chain_unreachable"])));
    // Turning back before anything was published needs no chain.
    with_faults(&house, async |faults| faults.accept_connections().await.unwrap());
    assert_eq!(resume(&house, 0)["phase"], "grace");
    with_faults(&house, async |faults| faults.refuse_connections().await.unwrap());
    let retire = document(&house.run(&["rotate", "retire", "--json"]).exits(7));
    let missing = retire["blocked_by"].as_array().unwrap();
    assert!(missing.contains(&json!("chain_unreachable")), "{missing:?}");
    assert_eq!(house.held(), [1, 2]);
}

#[test]
fn a_node_of_another_chain_is_not_believed() {
    let house = planned();
    with_faults(&house, async |faults| faults.set_wrong_genesis(true));
    let ran = house.run(&["rotate", "resume", "--yes", "--json"]);
    assert!(matches!(ran.code, Some(2 | 4)), "{}", ran.stdout);
    assert_eq!(house.operator.submissions(), 0);
    with_faults(&house, async |faults| faults.set_wrong_genesis(false));
    assert_eq!(resume(&house, 0)["phase"], "grace");
}

#[test]
fn a_node_whose_head_is_old_pauses_it() {
    // The chain's clock stands an hour back.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.checked_sub(Duration::from_hours(1)).unwrap();
    let scenario = "description = \"behind\"\n[operator]\npublished = { read = { generation = 1 } }\n";
    let options = SandboxOptions {
        uids: 64,
        block_time: BlockTime::Manual,
        now_ms: Some(u64::try_from(now.as_millis()).unwrap()),
        ..SandboxOptions::new(Scenario::parse("behind", scenario).unwrap())
    };
    let house = Rotating::of(Operator::on(options));
    let stopped = document(&house.begin(NEW, "2").exits(7));
    assert_eq!((&stopped["reason"], house.operator.submissions()), (&json!("stale_head"), 0));
    assert_eq!(house.journal(), Vec::<Value>::new(), "nothing was begun");
}

#[test]
fn a_forged_value_is_not_taken_for_the_published_key() {
    let house = planned();
    with_faults(&house, async |faults| faults.lie(Some(Lie::ForgedEvent)));
    let stopped = document(&house.run(&["rotate", "resume", "--yes", "--json"]));
    assert_ne!(stopped["phase"], "grace", "{stopped:#}");
    assert_eq!((house.index()["current"].as_u64(), house.held()), (Some(1), vec![1, 2]));
    with_faults(&house, async |faults| faults.lie(None));
    house.operator.until("the era's end, and a new attempt", |_| {
        document(&house.run(&["rotate", "resume", "--yes", "--json"]))["phase"] == "grace"
    });
    assert!(house.publishes(NEW));
}

#[test]
fn a_fork_that_loses_the_commit_is_noticed_and_it_is_published_again() {
    let house = Rotating::of(Operator::at(64, BlockTime::Every(BLOCKS)));
    with_faults(&house, async |faults| {
        faults.lose_in_fork(true);
        faults.fork_after_commit(1);
    });
    house.begin(NEW, "2");
    house
        .operator
        .until("the grace", |_| document(&house.run(&["rotate", "resume", "--yes", "--json"]))["phase"] == "grace");
    assert!(house.publishes(NEW));
    assert!(house.env().contains(&grail_console::sandbox::Credentials::of(OPERATOR_UID, NEW).read_key_id));
    assert!(!house.publishes(OLD));
}
