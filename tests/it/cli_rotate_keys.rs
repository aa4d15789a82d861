//! Which keys a rotation takes: what a new token may and may not do, write keys, both at once, and a write key that leaked.

use std::fs;

use grail_console::sandbox::{Credentials, OPERATOR_UID};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_rotate::document;
use crate::support::house::Ran;
use crate::support::operator::{BLOCKS, Operator};
use crate::support::rotating::{OLD, Rotating};

#[track_caller]
fn came(ran: Ran, code: i32) -> Value {
    document(&ran.exits(code))
}

/// The values of a file of keys.
fn values(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split_once('=').unwrap().1.to_owned()).collect()
}

#[rstest]
#[case::that_can_write("kind=read&scope=write", "write_capable")]
#[case::that_lists_every_bucket("kind=read&scope=account-wide", "account_wide")]
#[case::of_another_bucket("kind=read&scope=other-bucket", "new_key_fails")]
fn a_read_token_with_the_wrong_scope_is_found_out_before_anything_is_published(
    #[case] query: &str,
    #[case] reason: &str,
) {
    let house = Rotating::new();
    let keys = house.token(query);
    let stopped = came(house.begin_with(&keys, &[]), 3);
    assert_eq!((&stopped["phase"], &stopped["reason"]), (&json!("staged"), &json!(reason)));
    assert_eq!(house.operator.submissions(), 0);
    assert!(house.publishes(OLD));
    // The very same again when the operator insists, and back when not.
    assert_eq!(came(house.run(&["rotate", "resume", "--yes", "--json"]), 3)["reason"], reason);
    let back = came(house.run(&["rotate", "rollback", "--yes", "--json"]), 0);
    assert_eq!((&back["phase"], house.held()), (&json!("abandoned"), vec![1]));
    assert_eq!(
        house.operator.node.sandbox().s3().stored(OPERATOR_UID).iter().filter(|name| name.contains("canary")).count(),
        0
    );
}

#[test]
fn a_new_token_that_the_store_does_not_know_yet_is_waited_for() {
    let house = Rotating::of(Operator::among(
        "[s3]\ntoken_delay_s = 480\n",
        64,
        grail_console::sandbox::BlockTime::Every(BLOCKS),
    ));
    let keys = house.token("kind=read");
    let ran = house.run(&["rotate", "start", "--new-key-file", &keys, "--yes"]).exits(0);
    assert!(ran.stderr.contains("does not know the new read key yet"), "{}", ran.stderr);
    assert_eq!(came(house.run(&["rotate", "status", "--json"]), 0)["phase"], "grace");
}

#[test]
fn a_write_key_changes_in_vault_and_env_and_never_on_chain() {
    let house = Rotating::new();
    let keys = house.token("kind=write");
    let begun = came(house.begin_with(&keys, &["--grace", "2"]), 0);
    assert_eq!((&begun["phase"], begun["change"]["read"].is_null()), (&json!("grace"), true));
    assert_eq!((house.operator.submissions(), house.publishes(OLD)), (0, true), "nothing was published");
    let (new, old) = (values(&keys), Credentials::of(OPERATOR_UID, OLD));
    let env = house.env();
    assert!(new.iter().all(|value| env.contains(value)), "the .env has the new pair");
    assert!(!env.contains(old.write_secret.expose()) && env.contains(old.read_secret.expose()));
    house.until_final(begun["grace"]["ends_at_block"].as_u64().unwrap());
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 7)["blocked_by"], json!(["old_key_still_works"]));
    house.operator.node.sandbox().s3().revoke(&old.write_key_id);
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 0)["phase"], "retired");
    assert_eq!(house.held(), [2]);
    house.run(&["self-test", "--json"]).exits(0);
}

#[test]
fn both_pairs_change_in_one_rotation_and_each_old_token_must_be_refused() {
    let house = Rotating::new();
    let read = values(&house.token("kind=read"));
    let write = values(&house.token("kind=write"));
    let keys = house.keys(&format!(
        "R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\nR2_WRITE_ACCESS_KEY_ID={}\nR2_WRITE_SECRET_ACCESS_KEY={}\n",
        read[0], read[1], write[0], write[1]
    ));
    let begun = came(house.begin_with(&keys, &["--grace", "2"]), 0);
    assert!(house.operator.on_chain().contains(&read[1]) && !house.operator.on_chain().contains(&write[1]));
    assert!(read.iter().chain(&write).all(|value| house.env().contains(value)));
    house.until_final(begun["grace"]["ends_at_block"].as_u64().unwrap());
    house.revoke(OLD);
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 7)["blocked_by"], json!(["old_key_still_works"]));
    house.operator.node.sandbox().s3().revoke(&Credentials::of(OPERATOR_UID, OLD).write_key_id);
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 0)["phase"], "retired");
}

#[test]
fn a_leaked_write_key_is_revoked_before_anything_else_and_nothing_waits_for_a_grace() {
    let house = Rotating::new();
    let keys = house.token("kind=write");
    let old = Credentials::of(OPERATOR_UID, OLD);
    let asked = came(house.begin_with(&keys, &["--emergency"]), 7);
    assert_eq!((&asked["phase"], &asked["blocked_by"]), (&json!("staged"), &json!(["old_key_still_works"])));
    assert_eq!(house.index()["current"], 1, "the old one is in use until it is refused");
    house.operator.node.sandbox().s3().revoke(&old.write_key_id);
    let resumed = came(house.run(&["rotate", "resume", "--yes", "--json"]), 0);
    assert_eq!((&resumed["phase"], &resumed["grace"]["blocks_left"]), (&json!("grace"), &json!(0)));
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 0)["phase"], "retired");
    assert_eq!((house.held(), &house.index()["current"], house.operator.submissions()), (vec![2], &json!(2), 0));
    assert!(!house.env().contains(old.write_secret.expose()));
    assert!(house.publishes(OLD), "validators read on with the read key");
}

#[test]
fn beside_an_open_rotation_nothing_else_is_committed() {
    let house = Rotating::new();
    let keys = house.token("kind=read");
    let asked = came(house.run(&["rotate", "start", "--new-key-file", &keys, "--json"]), 7);
    assert_eq!(asked["phase"], "planned");
    let refused = house.run(&["commit", "--yes", "--json"]).exits(3).json();
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("refused"), &json!("rotation_open")));
    came(house.run(&["rotate", "rollback", "--yes", "--json"]), 0);
    house.run(&["commit", "--yes", "--json"]).exits(0);
}
