//! `rotate`: a key replaced with an overlap, proof at each step, a way back, and everything that forbids it.

use std::collections::BTreeSet;

use grail_console::sandbox::{BucketFault, CommitmentSpec, Credentials, OPERATOR_UID, hotkey};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::house::{Ran, says};
use crate::support::rotating::{NEW, OLD, Rotating, fingerprint};

/// The fields of the contract (DESIGN 12).
const CONTRACT: [&str; 8] =
    ["schema", "phase", "generation", "old_fingerprint", "new_fingerprint", "grace", "next", "blocked_by"];

#[track_caller]
pub fn document(ran: &Ran) -> Value {
    let document = ran.json();
    let keys: BTreeSet<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let missing: Vec<_> = CONTRACT.iter().filter(|key| !keys.contains(*key)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {document:#}");
    assert_eq!(document["schema"], "grail-console/rotate/2");
    document
}

/// The code and the document of a run.
#[track_caller]
fn came(ran: Ran, code: i32) -> Value {
    document(&ran.exits(code))
}

fn names(env: &str, generation: u8) -> bool {
    let keys = Credentials::of(OPERATOR_UID, generation);
    env.contains(&keys.read_key_id) && env.contains(keys.read_secret.expose())
}

#[test]
fn a_read_key_is_replaced_with_an_overlap_and_the_old_one_forgotten_when_the_store_refuses_it() {
    let house = Rotating::new();
    let before = house.env();
    let begun = came(house.begin(NEW, "15"), 0);
    assert_eq!(
        (&begun["phase"], &begun["direction"], &begun["generation"]),
        (&json!("grace"), &json!("forward"), &json!(2))
    );
    assert_eq!(begun["old_fingerprint"], fingerprint(OLD));
    assert_eq!(begun["new_fingerprint"], fingerprint(NEW));
    assert_eq!(begun["blocked_by"], json!(["grace_running"]));
    assert!(house.publishes(NEW));
    assert!(names(&house.env(), NEW) && !names(&house.env(), OLD), "the .env has the new pair");
    assert_eq!(house.env().lines().count(), before.lines().count(), "and is otherwise as it was");
    assert_eq!((house.held(), &house.index()["current"]), (vec![1, 2], &json!(2)));
    let ends_at = begun["grace"]["ends_at_block"].as_u64().unwrap();
    assert!(ends_at >= begun["finalized_block"].as_u64().unwrap() + 15);
    assert_eq!(begun["grace"]["from_block"].as_u64().unwrap() + 15, ends_at);

    let early = came(house.run(&["rotate", "retire", "--json"]), 7);
    assert_eq!((&early["phase"], &early["blocked_by"]), (&json!("grace"), &json!(["grace_running"])));
    assert_eq!(house.held(), [1, 2], "nothing was changed");

    house.operator.until("the end of the grace", |operator| {
        u64::from(operator.node.sandbox().finalized().header.number) >= ends_at
    });
    let still = came(house.run(&["rotate", "retire", "--json"]), 7);
    assert_eq!((&still["phase"], &still["blocked_by"]), (&json!("grace"), &json!(["old_key_still_works"])));

    house.revoke(OLD);
    let retired = came(house.run(&["rotate", "retire", "--json"]), 0);
    assert_eq!((&retired["phase"], &retired["blocked_by"]), (&json!("retired"), &json!([])));
    assert_eq!(house.held(), [2]);
    assert_eq!(
        house.events(),
        [
            "began",
            "staged",
            "probed",
            "planned",
            "signing",
            "submitted",
            "finalized",
            "promoted",
            "env_intended",
            "env_updated",
            "grace_began",
            "refused",
            "retiring",
            "retired"
        ]
    );
    let after = came(house.run(&["rotate", "status", "--json"]), 0);
    assert_eq!((&after["phase"], after["history"].as_array().unwrap().len()), (&json!("retired"), 1));
}

/// Gives uid 0 to the operator.
fn takes_uid_0(house: &Rotating) {
    let sandbox = house.operator.node.sandbox();
    sandbox.register(OPERATOR_UID, hotkey(900));
    sandbox.register(0, hotkey(OPERATOR_UID));
    house.pass(4);
    // The chain forgot what stood under the uid that was lost.
    sandbox.commit(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, OLD).read_commitment()));
    house.pass(4);
}

#[test]
fn uid_0s_old_key_outlives_its_grace_until_all_are_said_to_be_restarted() {
    let house = Rotating::new();
    takes_uid_0(&house);
    let keys = house.read_keys(NEW);
    let asked = house.run(&["rotate", "start", "--new-key-file", &keys, "--grace", "1"]).exits(7);
    says(
        &asked.stderr,
        &["the read key is uid 0's", "▲ uid 0: every miner and validator keeps the key", "You publish"],
    );
    came(house.run(&["rotate", "rollback", "--yes", "--json"]), 0);
    let begun = came(house.begin(NEW, "1"), 0);
    assert_eq!((&begun["phase"], &begun["pinned"]), (&json!("grace"), &json!(true)), "{begun:#}");
    assert_eq!(house.events()[..2], ["began", "pinned"], "before anything is done");
    let found = house.journal().into_iter().find(|line| line["event"] == "probed").unwrap();
    assert!(found["found"].as_array().unwrap().contains(&json!("it lists grail/checkpoints/")), "{found}");
    house.until_final(begun["grace"]["ends_at_block"].as_u64().unwrap());

    let waits = came(house.run(&["rotate", "retire", "--json"]), 7);
    assert_eq!(waits["blocked_by"], json!(["pinned_key"]));
    assert_eq!(came(house.run(&["rotate", "status", "--json"]), 0)["blocked_by"], json!(["pinned_key"]));
    let said = house.run(&["rotate", "status"]).exits(0).stdout;
    says(&said, &["The old read key is uid 0's", "rotate retire --all-restarted"]);

    let word = came(house.run(&["rotate", "retire", "--all-restarted", "--json"]), 7);
    assert_eq!((&word["blocked_by"], &word["all_restarted"]), (&json!(["old_key_still_works"]), &json!(true)));
    house.revoke(OLD);
    assert_eq!(came(house.run(&["rotate", "retire", "--json"]), 0)["phase"], "retired");
    let sent = house.events();
    assert_eq!(sent[sent.len() - 4..], ["all_restarted", "refused", "retiring", "retired"]);
}

#[test]
fn a_new_key_of_uid_0_that_may_not_list_is_not_published() {
    let house = Rotating::new();
    takes_uid_0(&house);
    house.operator.node.sandbox().s3().set_fault(OPERATOR_UID, Some(BucketFault::ListRefused));
    let refused = came(house.begin(NEW, "1"), 3);
    assert_eq!((&refused["reason"], &refused["phase"]), (&json!("new_key_fails"), &json!("staged")));
    assert!(refused["what"].as_str().unwrap().contains("by listing grail/checkpoints/"), "{refused:#}");
    assert!(house.publishes(OLD));
}

#[test]
fn without_a_yes_nothing_is_published_and_the_rotation_waits_or_is_given_up() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    let asked = came(house.run(&["rotate", "start", "--new-key-file", &keys, "--json"]), 7);
    assert_eq!((&asked["phase"], &asked["blocked_by"]), (&json!("planned"), &json!(["needs_confirmation"])));
    assert!(house.publishes(OLD));
    let again = house.run(&["rotate", "start", "--new-key-file", &keys, "--yes", "--json"]);
    assert_eq!(came(again, 3)["reason"], "rotation_open");
    let back = came(house.run(&["rotate", "rollback", "--yes", "--json"]), 0);
    assert_eq!(back["phase"], "abandoned");
    assert_eq!((house.held(), house.publishes(OLD), names(&house.env(), OLD)), (vec![1], true, true));
    let second = came(house.begin(NEW, "3"), 0);
    assert_eq!((&second["phase"], &second["generation"]), (&json!("grace"), &json!(3)), "numbers only grow");
}

/// What a person is told who is not asked because nobody is there: text, standard input closed.
fn told(house: &Rotating, command: &str, code: i32) -> String {
    let ran = house.run(&["rotate", command]).exits(code);
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn a_rotation_that_waits_for_a_yes_says_so_with_7_and_names_the_command_that_goes_on() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    let text = house.run(&["rotate", "start", "--new-key-file", &keys]).exits(7).stdout;
    says(&text, &["Run rotate resume at a terminal and answer, or rotate resume --yes"]);
    says(&told(&house, "resume", 7), &["Run rotate resume at a terminal and answer, or rotate resume --yes"]);
    let status = came(house.run(&["rotate", "status", "--json"]), 7);
    assert_eq!((&status["phase"], &status["blocked_by"]), (&json!("planned"), &json!(["needs_confirmation"])));
    let text = told(&house, "status", 7);
    says(&text, &["Publishing the new read key waits for your yes", "✓ commit planned", "● confirmed", "· sent"]);
    let begun = came(house.run(&["rotate", "resume", "--yes", "--json"]), 0);
    assert!(begun["reminder"].as_str().unwrap().starts_with("Restart GRAIL before you revoke the old token"));
    says(&told(&house, "status", 0), &["✓ .env up to date  rewritten", "● grace", "→ Restart GRAIL before"]);
}

#[test]
fn a_rollback_that_nobody_confirms_points_back_and_not_forward() {
    let house = Rotating::new();
    came(house.begin(NEW, "300"), 0);
    let asked = came(house.run(&["rotate", "rollback", "--json"]), 7);
    assert_eq!(asked["blocked_by"], json!(["needs_confirmation"]));
    let help = asked["findings"][0]["help"].as_str().unwrap();
    assert!(help.contains("rotate rollback --yes") && !help.contains("resume"), "{help}");
    let told = house.run(&["rotate", "rollback"]).exits(7).stdout;
    assert!(told.contains("rotate rollback --yes"), "{told}");
    assert!(house.publishes(NEW), "nothing was done");
}

#[test]
fn what_was_published_is_rolled_back_to_the_old_key_on_chain_in_vault_and_env() {
    let house = Rotating::new();
    came(house.begin(NEW, "300"), 0);
    let back = came(house.run(&["rotate", "rollback", "--yes", "--json"]), 0);
    assert_eq!((&back["phase"], &back["direction"]), (&json!("rolled_back"), &json!("back")));
    assert!(house.publishes(OLD));
    assert!(names(&house.env(), OLD) && !names(&house.env(), NEW));
    assert_eq!(
        (house.held(), &house.index()["current"]),
        (vec![1, 2], &json!(1)),
        "the new key may still be read with"
    );
    let status = told(&house, "status", 0);
    says(&status, &["✓ rolled back", "Keep the new token alive", "Restart GRAIL if it began with the new keys"]);
    assert!(!status.contains("rolling back"), "{status}");
}

#[test]
fn a_grail_that_puts_the_old_key_back_is_noticed_and_answered() {
    let house = Rotating::new();
    came(house.begin(NEW, "300"), 0);
    let right = house.env();
    house.operator.has_generation(OLD);
    // By another console without a vault, as GRAIL does at its start.
    house.operator.house.write("other/.keep", "");
    let other = grail_starts(&house);
    assert_eq!(other, "committed");
    let status = came(house.run(&["rotate", "status", "--json"]), 1);
    assert_eq!(
        (&status["phase"], &status["blocked_by"]),
        (&json!("grace"), &json!(["chain_not_new", "grace_running"]))
    );
    let what = status["blockers"][1]["summary"].as_str().unwrap();
    assert!(!what.contains("The new key was put on chain again"), "it was not: {what}");
    let blocked = came(house.run(&["rotate", "retire", "--json"]), 7);
    let reasons = blocked["blocked_by"].as_array().unwrap();
    assert!(reasons.contains(&json!("chain_not_new")) && reasons.contains(&json!("env_not_updated")), "{reasons:?}");
    let again = came(house.run(&["rotate", "resume", "--yes", "--json"]), 0);
    assert_eq!(again["phase"], "grace");
    assert!(house.publishes(NEW));
    assert_eq!(house.env(), right);
}

/// Commits what the `.env` says, by a console in another home.
fn grail_starts(house: &Rotating) -> String {
    let elsewhere = crate::support::house::House::new();
    let words = ["commit", "--yes", "--json"];
    let ran = elsewhere.run(crate::support::node::line(&words, &house.operator.flags()));
    ran.exits(0).json()["outcome"].as_str().unwrap().to_owned()
}

#[rstest]
#[case::same_id(&|()| {
    let old = Credentials::of(OPERATOR_UID, OLD);
    let other = Credentials::of(OPERATOR_UID, NEW);
    format!("R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n", old.read_key_id, other.read_secret.expose())
}, 3, "same_key_id")]
#[case::the_write_key(&|()| {
    let keys = Credentials::of(OPERATOR_UID, OLD);
    format!("R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n", keys.write_key_id, keys.write_secret.expose())
}, 3, "same_key_id")]
#[case::the_write_secret(&|()| {
    let keys = Credentials::of(OPERATOR_UID, OLD);
    let new = Credentials::of(OPERATOR_UID, NEW);
    format!("R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n", new.read_key_id, keys.write_secret.expose())
}, 3, "same_secret")]
#[case::half(&|()| "R2_READ_ACCESS_KEY_ID=00112233445566778899aabbccddeeff\n".to_owned(), 2, "half_a_pair")]
#[case::nothing(&|()| "R2_BUCKET_ID=x\n".to_owned(), 2, "no_new_keys")]
fn keys_that_cannot_be_the_next_ones_are_refused_before_anything_is_kept(
    #[case] keys: &dyn Fn(()) -> String,
    #[case] code: i32,
    #[case] reason: &str,
) {
    let house = Rotating::new();
    let file = house.keys(&keys(()));
    let refused = came(house.run(&["rotate", "start", "--new-key-file", &file, "--yes", "--json"]), code);
    assert_eq!((&refused["reason"], &refused["phase"]), (&json!(reason), &Value::Null));
    assert_eq!(house.events(), Vec::<String>::new());
    assert!(house.publishes(OLD));
}

#[test]
fn a_chain_that_holds_another_key_than_the_present_one_is_no_ground_for_a_rotation() {
    let house = Rotating::new();
    house.operator.has_generation(0);
    let refused = came(house.begin(NEW, "300"), 3);
    assert_eq!(refused["reason"], "drift");
    assert_eq!(house.events(), Vec::<String>::new());
}

#[test]
fn a_read_only_console_begins_nothing() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    let refused = house.run(&["rotate", "start", "--new-key-file", &keys, "--yes", "--json", "--read-only"]);
    assert_eq!(came(refused, 3)["reason"], "read_only");
}

#[test]
fn a_journal_of_a_newer_console_is_not_driven() {
    let house = Rotating::new();
    came(house.begin(NEW, "300"), 0);
    let file = house.journal_file().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{}\n", r#"{"v":99,"at_ms":1,"event":"hovering"}"#)).unwrap();
    for command in ["status", "resume", "rollback", "retire"] {
        let refused = came(house.run(&["rotate", command, "--json"]), 3);
        assert_eq!(refused["reason"], "newer_state", "{command}");
    }
}

#[test]
fn two_consoles_do_not_drive_one_rotation() {
    let house = Rotating::new();
    came(house.begin(NEW, "300"), 0);
    let folder = house.journal_file().unwrap().parent().unwrap().to_owned();
    let lock = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lock = lock.into_iter().find(|file| file.extension() == Some("lock".as_ref())).unwrap();
    let held = std::fs::File::options().append(true).open(lock).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = came(house.run(&["rotate", "resume", "--yes", "--json"]), 7);
    assert_eq!(refused["reason"], "driven_elsewhere");
    drop(held);
    came(house.run(&["rotate", "resume", "--yes", "--json"]), 0);
}
