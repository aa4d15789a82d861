//! `commit`: what it would do, what it does, and that it does nothing when there is nothing to do.

use std::collections::BTreeSet;

use grail_console::domain::secret::Fingerprint;
use grail_console::sandbox::{Credentials, OPERATOR_UID, SANDBOX_GENESIS, hotkey};
use serde_json::{Value, json};

use crate::support::encoder::hex;
use crate::support::house::{Ran, is_plain, says};
use crate::support::operator::{Operator, next_epoch};

/// The fields of the contract (DESIGN 12).
const CONTRACT: [&str; 14] = [
    "schema",
    "outcome",
    "reason",
    "network",
    "netuid",
    "uid",
    "hotkey",
    "old_fingerprint",
    "new_fingerprint",
    "budget",
    "extrinsic_hash",
    "block",
    "finalized",
    "read_back",
];

fn credentials(generation: u8) -> Credentials {
    Credentials::of(OPERATOR_UID, generation)
}

fn fingerprint(generation: u8) -> String {
    Fingerprint::of(credentials(generation).read_secret.expose()).to_string()
}

/// The document of a commit, with every field of the contract in it.
#[track_caller]
pub fn document(ran: &Ran) -> Value {
    let document = ran.json();
    let keys: BTreeSet<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let missing: Vec<_> = CONTRACT.iter().filter(|key| !keys.contains(*key)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {document:#}");
    assert_eq!(document["schema"], "grail-console/commit/2");
    document
}

/// Fails unless these words stand in the text in this order.
#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let (_, after) = rest.split_once(word).unwrap_or_else(|| panic!("{word:?} is not in its place in:\n{text}"));
        rest = after;
    }
}

#[test]
fn a_dry_run_tells_a_script_everything_and_sends_nothing() {
    let operator = Operator::by_hand();
    let finalized = u64::from(operator.node.sandbox().finalized().number());
    let document = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!(document["outcome"], "planned");
    assert_eq!(document["reason"], Value::Null);
    assert_eq!((&document["network"]["name"], &document["netuid"]), (&json!("SANDBOX"), &json!(81)));
    assert_eq!(document["network"]["genesis"], hex(&SANDBOX_GENESIS));
    assert_eq!((&document["uid"], &document["hotkey"]), (&json!(42), &json!(hotkey(OPERATOR_UID).to_string())));
    assert_eq!(document["old_fingerprint"], fingerprint(1));
    assert_eq!(document["new_fingerprint"], fingerprint(0));
    let fields = json!({ "locator": "equal", "read_key_id": "differs", "read_secret": "differs" });
    assert_eq!(document["fields"], fields);
    let budget = &document["budget"];
    assert_eq!((&budget["used"], &budget["max"], &budget["commits_left"]), (&json!(0), &json!(3_100), &json!(24)));
    assert_eq!(budget["next_epoch_at"], next_epoch(finalized));
    assert_eq!(document["nonce"], 0);
    assert_eq!(document["era"], json!({ "birth": finalized, "death": finalized + 64 }));
    for unknown in ["extrinsic_hash", "included_in", "block_hash", "what", "fix"] {
        assert_eq!(document[unknown], Value::Null, "{unknown}");
    }
    assert_eq!((&document["finalized"], &document["read_back"]), (&json!(false), &json!(false)));
    assert_eq!(document["findings"], json!([]));
    operator.did_nothing();
}

#[test]
fn a_dry_run_shows_people_what_would_be_published_by_whom_and_to_where() {
    let operator = Operator::by_hand();
    let ran = operator.run(&["commit", "--dry-run"]).exits(0);
    let store = operator.node.sandbox().s3_url().to_owned();
    assert_eq!(ran.stderr, format!("… testing the read pair at custom S3 at {store}\n"));
    is_plain(&ran.stdout);
    let (old, new) = (credentials(1), credentials(0));
    let own = hotkey(OPERATOR_UID).to_string();
    says(&ran.stdout, &["SANDBOX", "(pinned)", "spec 475", operator.node.url(), "81 · uid 42", &own]);
    says(&ran.stdout, &["practice", "operator"]);
    let ids = format!("{}…", &old.read_key_id[..8]);
    in_order(&ran.stdout, &["bucket", "equal", "read key id", &ids, "→", &new.read_key_id[..8], "changes"]);
    in_order(&ran.stdout, &["read secret", &fingerprint(1)[..8], "→", &fingerprint(0)[..8], "changes"]);
    in_order(&ran.stdout, &["24 of 24 commits left", "next epoch #", "nonce", "valid for 64 blocks once signed"]);
    in_order(
        &ran.stdout,
        &[
            "✓ no secret known to this machine inside",
            "✓ every field in its place",
            "✓ the call is the 134 bytes",
            "✓ genesis",
        ],
    );
    let bytes = format!("33-64 {}…{} · 65-128 •••••••• masked", &new.read_key_id[..8], &new.read_key_id[28..]);
    says(&ran.stdout, &["would be there for all to read, for ever", &bytes, "Restart GRAIL with the same .env"]);
    for secret in [old.read_secret, new.read_secret, new.write_secret] {
        assert!(!ran.stdout.contains(&secret.expose()[..12]), "{}", ran.stdout);
    }
    operator.did_nothing();
}

#[test]
fn a_commit_puts_the_env_on_chain_byte_for_byte_and_proves_it() {
    let operator = Operator::new();
    assert_eq!(operator.on_chain(), credentials(1).read_commitment());
    let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!(document["outcome"], "committed");
    assert_eq!(operator.on_chain(), credentials(0).read_commitment());
    assert_eq!((&document["finalized"], &document["read_back"]), (&json!(true), &json!(true)));
    assert_eq!((&document["reason"], &document["first_seen_in"]), (&Value::Null, &Value::Null));
    assert_eq!(document["old_fingerprint"], fingerprint(1));
    assert_eq!(document["new_fingerprint"], fingerprint(0));
    let block = document["included_in"].as_u64().unwrap();
    assert!(u64::from(operator.node.sandbox().finalized().number()) >= block);
    let found = operator.extrinsic(&document["block_hash"], &document["extrinsic_index"]);
    assert_eq!(document["extrinsic_hash"], found, "it is the hash of the extrinsic in that block");
    says(document["what"].as_str().unwrap(), &["Published in block #", "final, and read back equal"]);
    says(document["fix"].as_str().unwrap(), &["Restart GRAIL with the same .env"]);
    assert_eq!((operator.submissions(), operator.nonce()), (1, 1));
    let status = operator.run(&["status", "--json"]).exits(0).json();
    let own = &status["rows"][usize::from(OPERATOR_UID)];
    assert_eq!((&own["drift"]["state"], &own["commitment"]["block"]), (&json!("match"), &json!(block)));
}

#[test]
fn the_journal_holds_the_intent_before_each_step_and_no_secret() {
    let operator = Operator::new();
    let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!(operator.records(), ["intended", "broadcast", "in_block", "committed"]);
    let journal = operator.journal();
    let (intent, committed) = (&journal[0], &journal[3]);
    assert_eq!((&intent["v"], &intent["nonce"], &intent["uid"]), (&json!(1), &json!(0), &json!(42)));
    assert_eq!(intent["extrinsic"], document["extrinsic_hash"]);
    assert_eq!(intent["old"], fingerprint(1));
    assert_eq!(intent["target"]["read_secret"], fingerprint(0));
    assert_eq!(committed["receipt"]["block"]["number"], document["included_in"]);
    let text = serde_json::to_string(&journal).unwrap();
    for secret in [credentials(0).read_secret, credentials(1).read_secret, credentials(0).write_secret] {
        assert!(!text.contains(&secret.expose()[..12]));
    }
}

#[test]
fn people_see_the_plan_then_each_step_then_the_end() {
    let operator = Operator::new();
    let ran = operator.run(&["commit", "--yes"]).exits(0);
    let steps = [
        "✓ signed · 0x",
        "valid until #",
        "✓ broadcast",
        "✓ in block #",
        "✓ finalized #",
        "✓ event seen · extrinsic 1",
        "✓ read back equal",
    ];
    in_order(&ran.stderr, &steps);
    in_order(&ran.stdout, &["for all to read", "read secret", "✓ Published in block #", "→ Restart GRAIL"]);
    is_plain(&(ran.stdout + &ran.stderr));
}

#[test]
fn a_second_run_finds_nothing_to_do_and_sends_nothing() {
    let operator = Operator::new();
    let first = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    let journal = operator.journal();
    operator.node.sandbox().reset_meter();
    let second = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&second["outcome"], &second["reason"]), (&json!("unchanged"), &Value::Null));
    assert_eq!((&second["included_in"], &second["extrinsic_hash"]), (&Value::Null, &Value::Null));
    assert_eq!(second["budget"]["used"], 128, "what the first one used");
    let set_at = grail_console::domain::text::grouped(first["included_in"].as_u64().unwrap());
    says(second["what"].as_str().unwrap(), &["The chain holds exactly this", &set_at]);
    let text = operator.run(&["commit", "--yes"]).exits(0);
    in_order(&text.stdout, &["equal", "equal", "equal", "✓ The chain holds exactly this", "Nothing was sent"]);
    let dry = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!(dry["outcome"], "unchanged");
    assert_eq!((operator.submissions(), operator.nonce()), (0, 1));
    assert_eq!(operator.journal(), journal, "nothing more was written down");
}

#[test]
fn each_change_of_the_env_is_one_commit_of_128_bytes_with_the_next_nonce() {
    let operator = Operator::new();
    for (before, generation) in (0_u64..).zip([2, 3, 4]) {
        operator.has_generation(generation);
        let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
        assert_eq!(document["outcome"], "committed", "{document:#}");
        assert_eq!((&document["nonce"], &document["budget"]["used"]), (&json!(before), &json!(before * 128)));
        let old = if generation == 2 { 1 } else { generation - 1 };
        assert_eq!(document["old_fingerprint"], fingerprint(old));
        assert_eq!(operator.on_chain(), credentials(generation).read_commitment());
    }
    assert_eq!((operator.submissions(), operator.nonce()), (3, 3));
    let after = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!((&after["budget"]["used"], &after["budget"]["commits_left"]), (&json!(384), &json!(21)));
}

#[test]
fn a_key_that_this_machine_replaced_is_called_old_from_then_on() {
    let operator = Operator::new();
    operator.run(&["commit", "--yes"]).exits(0);
    operator.has_generation(1);
    says(&operator.run(&["status"]).exits(1).stdout, &["next GRAIL start commits the OLD key"]);
}

#[test]
fn a_node_of_a_new_runtime_is_committed_to_all_the_same() {
    let operator = Operator::new();
    operator.node.sandbox().faults().upgrade_runtime();
    operator.until("the new runtime to be final", |operator| {
        operator.run(&["commit", "--dry-run", "--json"]).exits(0).json()["network"]["spec_version"] == 476
    });
    let document = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&document["outcome"], &document["network"]["spec_version"]), (&json!("committed"), &json!(476)));
    assert_eq!(operator.on_chain(), credentials(0).read_commitment());
}
