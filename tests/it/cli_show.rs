//! `show`: one row in detail, by uid or by address, ex-members and odd ones included.

use grail_console::sandbox::{CommitmentSpec, Credentials, Field, OPERATOR_UID, hotkey};
use serde_json::Value;

use crate::support::house::{House, Ran, failure, is_plain, says};
use crate::support::node::{Node, line};

fn show(house: &House, node: &Node, who: &str) -> Ran {
    house.run(line(&["show", who], &node.operator_flags()))
}

fn show_json(house: &House, node: &Node, who: &str) -> Ran {
    house.run(line(&["show", who, "--json"], &node.operator_flags()))
}

#[test]
fn a_uid_is_shown_in_words_with_its_secret_masked() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let theirs = Credentials::of(7, 0);
    let text = show(&house, &node, "7").exits(0).stdout;
    says(&text, &["SANDBOX · subnet 81", &hotkey(7).to_string(), "validator", "✓ readable", "R2 (32 / 32 / 64"]);
    says(&text, &[&theirs.account, &theirs.read_key_id, "•••• fp", "set at", "1 (Raw128)"]);
    says(&text, &["0000  ", "0070  ·· ··"]);
    assert!(!text.contains(theirs.read_secret.expose()));
    assert!(!text.contains(&hex::encode(theirs.read_secret.expose())));
    is_plain(&text);
}

#[test]
fn a_document_has_the_row_as_status_has_it_and_more() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = show_json(&house, &node, "7").exits(0).json();
    assert_eq!(document["schema"], "grail-console/show/2");
    assert_eq!(document["netuid"], 81);
    assert_eq!(document["network"]["name"], "SANDBOX");
    assert_eq!(document["block"]["finalized"], true);
    assert_eq!(document["variant"], "Raw128");
    assert_eq!(document["detail"], Value::Null);
    let all = house.run(line(&["status", "--json"], &node.operator_flags())).json();
    assert_eq!(document["row"], all["rows"][7]);
    let fingerprint = document["read_secret_fingerprint"].as_str().unwrap();
    assert!(!Credentials::of(7, 0).read_secret.expose().contains(fingerprint));
}

#[test]
fn an_address_finds_the_same_row_as_its_uid() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let by_uid = show_json(&house, &node, "200").exits(0).json();
    let by_address = show_json(&house, &node, &hotkey(200).to_string()).exits(0).json();
    assert_eq!(by_uid, by_address);
}

#[test]
fn an_ex_member_is_found_by_address() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let all = house.run(line(&["status", "--json"], &node.operator_flags())).json();
    let address = all["orphans"][0]["hotkey"].as_str().unwrap();
    let document = show_json(&house, &node, address).exits(0).json();
    assert_eq!(document["row"], all["orphans"][0]);
    says(&show(&house, &node, address).exits(0).stdout, &["none: no longer registered", "ex-member", address]);
}

#[test]
fn the_own_row_is_compared_field_by_field() {
    let (house, node) = (House::new(), Node::start("drift"));
    let text = show(&house, &node, "42").exits(1).stdout;
    says(&text, &["validators still read your old key", "bucket", "equal", "differs"]);
    says(&text, &["The next GRAIL start will commit the local values"]);
    assert_eq!(show_json(&house, &node, "42").exits(1).json()["row"]["drift"]["state"], "drift");
    show(&house, &node, "7").exits(0);
}

#[test]
fn who_never_committed_is_shown_and_is_no_finding() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let text = show(&house, &node, "23").exits(0).stdout;
    says(&text, &["○ none", &hotkey(23).to_string()]);
}

#[test]
fn an_unreadable_commitment_of_somebody_else_says_why_and_is_no_finding_of_ours() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let shaky = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}".to_owned() + &"z".repeat(60);
    node.commit([(99, CommitmentSpec::raw(shaky))]);
    let ran = show(&house, &node, "99").exits(0);
    says(&ran.stdout, &["✗ ", "128", "1b 5d"]);
    is_plain(&ran.stdout);
    let document = show_json(&house, &node, "99").exits(0);
    assert_eq!(document.json()["row"]["commitment"]["reason"], "wrong_length");
    assert!(document.json()["detail"].as_str().unwrap().contains("128"));
    is_plain(&document.stdout);
}

#[test]
fn a_bucket_that_drives_terminals_is_made_visible() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let bucket = "\u{1b}]52;c;aGk=\u{7}\u{200b}\u{202e}";
    let content = format!("{bucket}{}{:32}{}", " ".repeat(32 - bucket.chars().count()), "key", "s".repeat(64));
    node.commit([(98, CommitmentSpec::Fields(vec![Field::BigRaw(content.into_bytes())]))]);
    for ran in [show(&house, &node, "98"), show_json(&house, &node, "98")] {
        is_plain(&ran.stdout);
        says(&ran.stdout, &["u{1b}", "u{202e}", "u{200b}"]);
    }
    assert_eq!(show_json(&house, &node, "98").json()["row"]["commitment"]["shape"], "foreign");
}

#[test]
fn a_uid_that_is_not_there_is_named_with_the_range() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let ran = show(&house, &node, "64").exits(2);
    says(ran.error(), &["64 is not on subnet 81", "uids 0 to 63"]);
    let document = show_json(&house, &node, "64").exits(2).json();
    assert_eq!(document["schema"], "grail-console/show/2");
    assert_eq!(document["exit"], 2);
    says(&failure(&document), &["64 is not on subnet 81"]);
}

#[test]
fn an_address_that_is_not_there_is_said() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let stranger = hotkey(3000).to_string();
    says(show(&house, &node, &stranger).exits(2).error(), &[&stranger, "is not on subnet 81"]);
}

#[test]
fn what_is_neither_uid_nor_address_is_refused_before_anything_is_asked() {
    let house = House::new();
    let nowhere = ["--endpoint".to_owned(), "ws://127.0.0.1:9".to_owned()];
    says(house.run(line(&["show", "70000"], &nowhere)).exits(2).error(), &["70000 is no uid", "65535"]);
    let typo = hotkey(OPERATOR_UID).to_string().replace("5GP8", "5GP9");
    says(house.run(line(&["show", &typo], &nowhere)).exits(2).error(), &[&typo, "checksum"]);
    says(house.run(line(&["show", "\u{1b}[31mred"], &nowhere)).exits(2).error(), &["\\u{1b}[31mred"]);
    house.run(line(&["show"], &nowhere)).exits(2);
}
