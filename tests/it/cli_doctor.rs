//! `doctor`: what GRAIL would see on this machine, value by value, and what to do about it.

use grail_console::domain::secret::SecretKey;
use grail_console::sandbox::{Credentials, OPERATOR_UID, hotkey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli_status::{env_of, path};
use crate::support::house::{House, Ran, is_plain, says};
use crate::support::node::{Node, line};
use crate::support::rotating::{NEW, OLD, Rotating};

/// `doctor` on a `.env`, without asking the chain.
pub fn offline(house: &House, env: &str) -> Ran {
    let env = house.write("grail/.env", env);
    house.run(["doctor", "--offline", "--env-file", &path(&env)])
}

pub fn offline_json(house: &House, env: &str) -> Value {
    let env = house.write("grail/.env", env);
    house.run(["doctor", "--offline", "--json", "--env-file", &path(&env)]).json()
}

/// The finding with this code, of which there must be one.
#[track_caller]
pub fn finding<'a>(document: &'a Value, code: &str) -> &'a Value {
    let all = document["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("no {code} in {all:#?}"))
}

fn credential<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["credentials"].as_array().unwrap().iter().find(|line| line["variable"] == name).unwrap()
}

#[test]
fn a_healthy_operator_has_nothing_to_complain_about() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let text = house.run(line(&["doctor"], &node.operator_flags())).exits(0).stdout;
    says(&text, &["Settings", "What GRAIL would see", "Wallets", "On disk", "Chain", "Findings"]);
    says(&text, &["✓ dual credentials", "✓ nothing to complain about", node.url(), "own commitment: readable"]);
    says(&text, &["practice/operator", &hotkey(OPERATOR_UID).to_string(), "uid 42", "● you"]);
    is_plain(&text);
}

#[test]
fn the_document_has_settings_credentials_wallets_paths_chain_and_findings() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = house.run(line(&["doctor", "--json"], &node.operator_flags())).exits(0).json();
    assert_eq!(document["schema"], "grail-console/doctor/2");
    assert_eq!(document["findings"], json!([]));
    assert_eq!(document["chain"]["kind"], "reached");
    assert_eq!(document["chain"]["own"], "readable");
    assert_eq!(document["wallets"][0]["uid"], 42);
    assert_eq!(document["mode"], "dual");
    let endpoint = document["settings"].as_array().unwrap().iter().find(|line| line["name"] == "endpoint").unwrap();
    assert_eq!(endpoint["value"], node.url());
    assert_eq!(endpoint["source"], "--endpoint");
}

#[test]
fn every_path_that_the_console_uses_is_shown() {
    let house = House::new();
    let text = house.run(["doctor", "--offline"]).stdout;
    let shown = [house.config_file(), house.state(), house.state().join("logs"), house.cache()];
    for place in shown {
        says(&text, &[&path(&place)]);
    }
}

#[test]
fn offline_asks_nobody() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let text = house.run(line(&["doctor", "--offline"], &node.operator_flags())).exits(0).stdout;
    says(&text, &["not asked (--offline)"]);
    assert_eq!(node.sandbox().meter().connections, 0);
}

#[test]
fn each_value_is_masked_and_has_its_source() {
    let house = House::new();
    let own = Credentials::of(OPERATOR_UID, 0);
    let text = offline(&house, &env_of(&own)).stdout;
    says(&text, &["R2_READ_ACCESS_KEY_ID", ".env line 4", ".env line 7", "•••• fp"]);
    for secret in [own.read_secret.expose(), own.write_secret.expose(), &own.write_key_id] {
        assert!(!text.contains(secret));
    }
}

#[test]
fn the_env_file_beats_the_environment_as_grail_has_it() {
    let own = Credentials::of(OPERATOR_UID, 0);
    let other = Credentials::of(OPERATOR_UID, 1);
    let house = House::new().with("R2_READ_ACCESS_KEY_ID", &other.read_key_id);
    let document = offline_json(&house, &env_of(&own));
    assert!(credential(&document, "R2_READ_ACCESS_KEY_ID")["source"].to_string().contains('4'));
    let overridden = finding(&document, "overridden");
    says(overridden["summary"].as_str().unwrap(), &["R2_READ_ACCESS_KEY_ID", ".env line 4", "environment"]);
}

#[test]
fn a_legacy_env_file_is_told_with_its_consequence_and_the_way_out() {
    let (house, node) = (House::new(), Node::start("legacy"));
    let text = house.run(line(&["doctor"], &node.operator_flags())).exits(1).stdout;
    says(&text, &["PUBLISH THE WRITE KEY", "R2_READ_ACCESS_KEY_ID", "R2_READ_SECRET_ACCESS_KEY", "→ "]);
    let document = house.run(line(&["doctor", "--json"], &node.operator_flags())).exits(1).json();
    let told =
        |finding: &&Value| ["legacy_single_credential", "own_commitment"].map(Value::from).contains(&finding["code"]);
    assert_eq!(
        document["findings"].as_array().unwrap().iter().filter(told).count(),
        1,
        "it is told once: {document:#}"
    );
}

#[test]
fn a_first_run_says_what_to_configure_and_is_no_failure() {
    let (house, node) = (House::new(), Node::start("first-run"));
    let text = house.run(line(&["doctor"], &node.flags())).exits(0).stdout;
    says(&text, &["No local credentials", "--env-file", "nothing configured"]);
}

#[test]
fn drift_is_a_finding_with_what_follows_from_it() {
    let (house, node) = (House::new(), Node::start("drift"));
    let ran = house.run(line(&["doctor"], &node.operator_flags())).exits(1);
    says(&ran.stdout, &["uid 42: validators still read your old key", "→ "]);
}

#[test]
fn an_unreachable_chain_is_said_beside_everything_else() {
    let house = House::new();
    let ran = house.run(["doctor", "--endpoint", "ws://127.0.0.1:9"]).exits(4);
    says(&ran.stdout, &["What GRAIL would see", "✗ ws://127.0.0.1:9", "no TCP connection"]);
    let document = house.run(["doctor", "--json", "--endpoint", "ws://127.0.0.1:9"]).exits(4).json();
    assert_eq!(document["chain"]["kind"], "unreachable");
}

#[test]
fn a_hotkey_that_was_named_and_is_not_there_is_a_matter_of_configuration() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let mut flags = node.operator_flags();
    let at = flags.iter().position(|flag| flag == "operator").unwrap();
    "nobody".clone_into(&mut flags[at]);
    let ran = house.run(line(&["doctor"], &flags)).exits(2);
    says(&ran.stdout, &["The own hotkey is not known", "nobody", "--hotkey"]);
    let ran = house.run(line(&["status"], &flags)).exits(2);
    says(&ran.stdout, &["the hotkey that is configured was not found", "✓ readable"]);
    says(&ran.stderr, &["The own hotkey is not known", "nobody", "--hotkey"]);
    let document = house.run(line(&["status", "--json"], &flags)).exits(2).json();
    assert_eq!(document["findings"][0]["code"], "own_hotkey");
    assert_eq!(document["rows"].as_array().unwrap().len(), 64, "the table is shown all the same");
}

#[test]
fn a_chain_that_cannot_be_reached_is_something_to_complain_about() {
    let ran = House::new().run(["doctor", "--endpoint", "ws://127.0.0.1:9"]).exits(4);
    assert!(!ran.stdout.contains("nothing to complain about"), "{}", ran.stdout);
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    house.run(line(&["doctor", "--netuid", "9999"], &node.flags())).exits(2);
}

const TOKEN: &str = "cfat_Zq3vT8xNw5rK1mYp7LdHs2bGc9EfUa4JkXo6RiQtWn";

#[test]
fn doctor_warns_of_a_read_secret_that_is_the_sha_256_of_the_token_that_writes() {
    let own = Credentials::of(OPERATOR_UID, 0);
    let secret = hex::encode(Sha256::digest(TOKEN));
    let env = env_of(&Credentials { read_secret: SecretKey::new(secret.as_str()), ..own });
    let document = offline_json(&House::new(), &format!("{env}# R2_WRITE_SECRET_ACCESS_KEY={TOKEN}\n"));
    let found = finding(&document, "holds_write_key");
    assert_eq!(found["severity"], "danger");
    says(found["summary"].as_str().unwrap(), &["commit refuses these credentials"]);
    assert!(!document.to_string().contains(&secret));
}

#[test]
fn doctor_warns_of_a_write_key_in_a_copy_beside_the_env_that_is_read_with() {
    let house = House::new();
    let own = Credentials::of(OPERATOR_UID, 0);
    let (id, secret) = (&own.read_key_id, own.read_secret.expose());
    let copy = format!("R2_WRITE_ACCESS_KEY_ID={id}\nR2_WRITE_SECRET_ACCESS_KEY={secret}\n");
    house.write("grail/.env.grail-console-20260101-000000.bak", copy);
    let document = offline_json(&house, &env_of(&own));
    says(finding(&document, "holds_write_key")["summary"].as_str().unwrap(), &["commit refuses", ".bak"]);
    assert!(
        offline_json(&House::new(), &env_of(&own))["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|finding| { !finding["code"].as_str().unwrap().starts_with("holds_") })
    );
}

#[test]
fn beside_an_open_rotation_doctor_names_it_and_never_a_commit() {
    let house = Rotating::new();
    house.begin(NEW, "300").exits(0);
    house.operator.has_generation(OLD);
    let committed = line(&["commit", "--yes", "--untested"], &house.operator.flags());
    House::new().run(committed).exits(0);
    let document = house.run(&["doctor", "--json"]).json();
    let help = finding(&document, "own_commitment")["help"].as_str().unwrap();
    says(help, &["A rotation is open", "rotate status"]);
    assert!(!help.contains("then commit"), "{help}");
}

#[test]
fn a_damaged_journal_of_rotations_is_named_as_such() {
    let house = Rotating::new();
    house.begin(NEW, "300").exits(0);
    let journal = house.journal_file().unwrap();
    let text = std::fs::read_to_string(&journal).unwrap().replacen("staged", "stagex", 1);
    std::fs::write(&journal, text).unwrap();
    let document = house.run(&["doctor", "--offline", "--json"]).exits(1).json();
    says(
        finding(&document, "rotation_journal")["summary"].as_str().unwrap(),
        &["The journal of rotations cannot be used"],
    );
}
