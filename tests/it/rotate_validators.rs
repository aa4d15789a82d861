//! Whom a rotation is for: validators that look at every block, fetch the commitment every ten minutes and keep a client for
//! each key id. They can read at every block of a rotation, and of one that is rolled back.

use std::collections::BTreeSet;
use std::time::Duration;

use grail_console::domain::rotation::LEAST_GRACE;
use grail_console::sandbox::{BlockTime, Gap, MIN_BLOCK_TIME};
use serde_json::{Value, json};

use crate::cli_rotate::document;
use crate::support::operator::Operator;
use crate::support::rotating::{OLD, Rotating};

/// Five validators, each of which fetches every fifty blocks; a new token is known after a minute.
const PANEL: &str = "[validators]\nuids = [1, 2, 3, 4, 5]\nrefetch_s = 600\n[s3]\ntoken_delay_s = 60\n";
/// A little more than the time between two fetches, in blocks.
const EVERYBODY_FETCHED: u32 = 60;
const BLOCKS: Duration = MIN_BLOCK_TIME;

fn house() -> Rotating {
    Rotating::of(Operator::among(PANEL, 64, BlockTime::Every(BLOCKS)))
}

fn begin(house: &Rotating, grace: u64) -> Value {
    let keys = house.token("kind=read");
    let begun = document(&house.begin_with(&keys, &["--grace", &grace.to_string()]).exits(0));
    assert_eq!(begun["phase"], "grace");
    begun
}

fn gaps(house: &Rotating) -> Vec<Gap> {
    house.operator.node.sandbox().validator().unwrap().gaps()
}

/// The keys that validators have used, how many validators looked, and at how many blocks.
fn seen(house: &Rotating) -> (usize, usize, usize) {
    let log = house.operator.node.sandbox().validator().unwrap().log();
    let keys: BTreeSet<_> = log.iter().map(|look| look.key_id.clone().unwrap()).collect();
    let validators: BTreeSet<_> = log.iter().map(|look| look.validator).collect();
    let blocks: BTreeSet<_> = log.iter().map(|look| look.block).collect();
    (keys.len(), validators.len(), blocks.len())
}

#[test]
fn validators_can_read_at_every_block_of_a_whole_rotation() {
    let house = house();
    let first = house.operator.node.sandbox().best().number();
    house.pass(3);
    let begun = begin(&house, LEAST_GRACE);
    house.until_final(begun["grace"]["ends_at_block"].as_u64().unwrap());
    house.revoke(OLD);
    let retired = document(&house.run(&["rotate", "retire", "--json"]).exits(0));
    assert_eq!(retired["phase"], "retired");
    house.pass(EVERYBODY_FETCHED);
    assert_eq!(gaps(&house), []);
    let passed = house.operator.node.sandbox().best().number() - first;
    let (keys, validators, blocks) = seen(&house);
    assert_eq!((keys, validators), (2, 5), "all of them changed over");
    assert!(blocks + 2 >= passed as usize, "they looked at every block: {blocks} of {passed}");
}

#[test]
fn validators_can_read_at_every_block_of_a_rotation_that_is_rolled_back() {
    let house = house();
    begin(&house, 300);
    // Some have fetched the new key by now, and keep it until they fetch again.
    house.pass(25);
    let back = document(&house.run(&["rotate", "rollback", "--yes", "--json"]).exits(0));
    assert_eq!((&back["phase"], house.publishes(OLD)), (&json!("rolled_back"), true));
    house.pass(EVERYBODY_FETCHED);
    assert_eq!(gaps(&house), []);
    assert_eq!(seen(&house).0, 2, "both keys were in use");
}

#[test]
fn without_a_grace_they_cannot() {
    // Blocks and fetches are so slow that a loaded machine revokes before most of them have fetched again.
    let panel = PANEL.replace("600", "1200");
    let house = Rotating::of(Operator::among(&panel, 64, BlockTime::Every(2 * BLOCKS)));
    begin(&house, 0);
    house.revoke(OLD);
    house.operator.until("the end", |_| house.run(&["rotate", "retire", "--json"]).code == Some(0));
    house.pass(2 * EVERYBODY_FETCHED);
    let gaps = gaps(&house);
    assert!(gaps.len() >= 3, "most of them read with a key that is gone: {gaps:?}");
    assert!(gaps.iter().any(|gap| gap.looks > 20), "for many blocks: {gaps:?}");
}
