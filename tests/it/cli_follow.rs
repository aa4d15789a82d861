//! `status --follow`: the subnet without a screen, and each change as its block comes.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use grail_console::sandbox::{CommitmentSpec, Credentials, OPERATOR_UID, hotkey};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli_status::env_of;
use crate::support::house::says;
use crate::support::node::line;
use crate::support::operator::{Operator, Running};

/// Somebody else than the operator.
const STRANGER: u16 = 20;

/// The command with stdout and stderr in one.
fn follow(operator: &Operator, words: &[&str]) -> Running {
    let words = [&["status", "--follow"], words].concat();
    let mut shell = operator.house.console_under("exec \"$@\" >&2", line(&words, &operator.flags()));
    Running::of(shell.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
}

fn document(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The next line, which is of a change.
fn change(running: &mut Running) -> Value {
    let told = document(&running.next_line().expect("a line"));
    assert_eq!(told["schema"], "grail-console/status-change/1", "{told:#}");
    told
}

fn commits(operator: &Operator, uid: u16, generation: u8) {
    let keys = Credentials::of(uid, generation);
    operator.node.sandbox().commit(uid, CommitmentSpec::raw(keys.read_commitment()));
    operator.node.blocks(1);
}

#[rstest]
fn the_document_comes_first_then_a_line_for_each_change_and_last_the_exit_code(
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let operator = Operator::by_hand();
    let mut running = follow(&operator, &["--json"]);
    let first = document(&running.next_line().unwrap());
    assert_eq!((&first["schema"], &first["exit"]), (&json!("grail-console/status/2"), &json!(1)));
    assert_eq!(first["rows"].as_array().unwrap().len(), 64);

    commits(&operator, STRANGER, 7);
    let told = change(&mut running);
    let best = operator.node.sandbox().best().number();
    assert_eq!(told["block"], json!({ "number": best, "hash": null, "timestamp_ms": null, "finalized": false }));
    let changes = told["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{told:#}");
    assert_eq!(changes[0]["what"], json!(["commitment"]));
    let keys = Credentials::of(STRANGER, 7);
    assert_eq!(changes[0]["before"]["uid"], STRANGER);
    assert_eq!(changes[0]["after"]["commitment"]["read_key_id"], keys.read_key_id);
    assert_eq!(changes[0]["after"]["level"], "reported", "one node says so");
    assert!(!told.to_string().contains(keys.read_secret.expose()), "no secret");

    running.signal(signal);
    assert_eq!(document(&running.next_line().unwrap()), json!({ "exit": 7 }));
    assert_eq!(running.next_line(), None);
    assert_eq!(running.ended().code, Some(7));
}

#[test]
fn the_own_row_drifts_by_the_chain_and_by_the_env_and_both_are_told() {
    let operator = Operator::by_hand();
    operator.has_generation(1);
    let mut running = follow(&operator, &["--json", "--filter", "own:yes"]);
    let first = document(&running.next_line().unwrap());
    assert_eq!((&first["exit"], &first["rows"][0]["drift"]["state"]), (&json!(0), &json!("match")));

    // Nobody asked about others.
    commits(&operator, STRANGER, 7);
    commits(&operator, OPERATOR_UID, 2);
    let told = change(&mut running);
    assert_eq!(told["changes"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(told["changes"][0]["what"], json!(["commitment", "drift"]));
    assert_eq!(told["changes"][0]["after"]["drift"]["state"], "drift");

    operator.has(env_of(&Credentials::of(OPERATOR_UID, 2)));
    let told = change(&mut running);
    assert_eq!((&told["block"], &told["changes"][0]["what"]), (&Value::Null, &json!(["drift"])));
    assert_eq!(told["changes"][0]["after"]["drift"]["state"], "match");
}

#[test]
fn a_uid_that_changes_hands_is_two_changes_of_one_block() {
    let operator = Operator::by_hand();
    let mut running = follow(&operator, &["--json"]);
    running.next_line().unwrap();
    operator.node.sandbox().register(STRANGER, hotkey(5_000));
    operator.node.blocks(1);
    let told = change(&mut running);
    let what = |who: u16| {
        let of = |row: &Value| row["hotkey"] == hotkey(who).to_string();
        let changes = told["changes"].as_array().unwrap();
        changes.iter().find(|change| of(&change["before"]) || of(&change["after"])).map(|change| &change["what"])
    };
    assert!(what(5_000).unwrap().as_array().unwrap().contains(&json!("registered")), "{told:#}");
    assert!(what(STRANGER).unwrap().as_array().unwrap().contains(&json!("deregistered")), "{told:#}");
}

#[test]
fn people_read_a_line_for_each_row_and_hear_of_a_connection_that_is_lost_and_back() {
    let operator = Operator::by_hand();
    let mut running = follow(&operator, &[]);
    running.says("SET AT");
    let best = operator.node.sandbox().best().number();
    commits(&operator, OPERATOR_UID, 2);
    let told = running.says("commitment");
    let (old, new) = (Credentials::of(OPERATOR_UID, 1), Credentials::of(OPERATOR_UID, 2));
    let ends = |id: &str| format!("{}…{}", &id[..4], &id[id.len() - 4..]);
    let key = format!("read key {} → {}", ends(&old.read_key_id), ends(&new.read_key_id));
    let block = best + 1;
    assert!(
        told.contains(&format!("#{},{:03},{:03} ", block / 1_000_000, block / 1_000 % 1_000, block % 1_000)),
        "{told}"
    );
    says(&told, &["uid 42  ", "▲ drift  →  ▲ drift", &key]);

    operator.node.wait(operator.node.sandbox().faults().refuse_connections()).unwrap();
    running.says("the connection was lost");
    operator.node.wait(operator.node.sandbox().faults().accept_connections()).unwrap();
    running.says("Blocks arrive again");
    commits(&operator, STRANGER, 7);
    running.says("uid 20  ");
    running.signal(Signal::TERM);
    assert_eq!(running.ended().code, Some(7));
}

#[test]
fn what_changed_while_the_connection_was_lost_is_told_when_it_is_back() {
    let operator = Operator::by_hand();
    let mut running = follow(&operator, &["--json"]);
    running.next_line().unwrap();
    operator.node.wait(operator.node.sandbox().faults().refuse_connections()).unwrap();
    let lost = change(&mut running);
    assert_eq!((&lost["block"], &lost["changes"]), (&Value::Null, &json!([])));
    assert!(lost["findings"][0]["code"].is_string() && lost["findings"][0]["help"] != "", "{lost:#}");
    commits(&operator, STRANGER, 7);
    operator.node.blocks(3);
    operator.node.wait(operator.node.sandbox().faults().accept_connections()).unwrap();
    let back = change(&mut running);
    assert_eq!(back["findings"][0]["code"], "connected_again", "{back:#}");
    let told = change(&mut running);
    assert_eq!((&told["block"]["finalized"], &told["changes"][0]["after"]["uid"]), (&json!(true), &json!(STRANGER)));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_with_0() {
    let operator = Operator::by_hand();
    let words = line(&["status", "--follow", "--json"], &operator.flags());
    let mut child = operator.house.console(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    commits(&operator, STRANGER, 7);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn where_nothing_can_be_read_it_ends_as_status_does() {
    let operator = Operator::by_hand();
    operator.node.wait(operator.node.sandbox().faults().refuse_connections()).unwrap();
    let ran = operator.run(&["status", "--follow", "--json"]).exits(4);
    assert_eq!(ran.json()["schema"], "grail-console/status/2");
    let ran = operator.run(&["status", "--follow", "--filter", "nonsense:1"]).exits(2);
    says(&ran.stderr, &["--filter"]);
}
