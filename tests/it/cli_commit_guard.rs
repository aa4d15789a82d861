//! A secret that lies somewhere on the machine and stands in the read pair as well: on the command line, in a rotation and in
//! the console nothing is published, and it is said where it stands.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grail_console::domain::secret::SecretKey;
use grail_console::sandbox::{BlockTime, Credentials, OPERATOR_UID, SandboxOptions, hotkey};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli_commit::document;
use crate::cli_commit_refused::{own, refuses};
use crate::cli_status::{env_of, path};
use crate::support::house::says;
use crate::support::node::{line, of};
use crate::support::operator::{BLOCKS, Operator, Store};
use crate::support::pty::Pty;
use crate::support::rotating::{NEW, OLD, Rotating};

const SEED: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
const TOKEN: &str = "cfat_Zq3vT8xNw5rK1mYp7LdHs2bGc9EfUa4JkXo6RiQtWn";

/// What was on chain before, and must be after.
fn before() -> String {
    Credentials::of(OPERATOR_UID, 1).read_commitment()
}

/// The practice operator's keys with another read secret.
fn reading(secret: &str) -> Credentials {
    Credentials { read_secret: SecretKey::new(secret), ..own() }
}

fn backward(text: &str) -> String {
    text.chars().rev().collect()
}

/// The text with another digit in its middle.
fn changed(text: &str) -> String {
    let digit = if &text[31..32] == "0" { "1" } else { "0" };
    [&text[..31], digit, &text[32..]].concat()
}

/// The practice operator's read pair under the names of the write pair.
fn write_lines() -> String {
    let own = own();
    let (id, secret) = (own.read_key_id, own.read_secret.expose().to_owned());
    format!("R2_WRITE_ACCESS_KEY_ID={id}\nR2_WRITE_SECRET_ACCESS_KEY={secret}\n")
}

/// `.env` files in which what is read was a write pair all along, and the line it stands on.
#[rstest]
#[case::hidden_by_a_later_line(write_lines() + &env_of(&own()), 1)]
#[case::by_a_reference(
    write_lines() + &env_of(&Credentials { read_key_id: "${R2_WRITE_ACCESS_KEY_ID}".to_owned(), ..reading("${R2_WRITE_SECRET_ACCESS_KEY}") }),
    1
)]
#[case::unset_by_a_bare_name(
    env_of(&own()).lines().take(5).collect::<Vec<_>>().join("\n") + "\n" + &write_lines()
        + "R2_WRITE_ACCESS_KEY_ID\nR2_WRITE_SECRET_ACCESS_KEY\n",
    6
)]
#[case::in_a_comment(env_of(&own()) + "#" + &write_lines().replace('\n', "\n# "), 8)]
fn a_write_pair_on_another_line_of_the_env_is_refused(#[case] env: String, #[case] line: u32) {
    let operator = Operator::by_hand();
    let file = path(&operator.has(env));
    let place = format!("{file}, line {line}");
    refuses(&operator, "holds_write_key", &["contain the WRITE", &place], &["Object Read only"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn a_write_pair_in_what_a_killed_rewrite_left_beside_the_env_is_refused() {
    let operator = Operator::by_hand();
    let left = path(&operator.house.write("grail/..env.grail-console-00112233445566ff", write_lines()));
    refuses(&operator, "holds_write_key", &["contain the WRITE", &left, "line 1"], &["Object Read only"]);
    assert_eq!(operator.on_chain(), before());
}

#[rstest]
#[case::backward(&backward)]
#[case::one_digit_changed(&changed)]
#[case::halves_exchanged(&|text: &str| text[32..].to_owned() + &text[..32])]
fn a_near_copy_of_the_write_secret_is_refused(#[case] copied: &dyn Fn(&str) -> String) {
    let operator = Operator::by_hand();
    operator.has(env_of(&reading(&copied(own().write_secret.expose()))));
    refuses(&operator, "holds_write_key", &["the WRITE secret", ".env, line 7"], &["Object Read only"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn the_write_secret_in_base64_is_refused_for_another_store() {
    let operator = Operator::by_hand();
    let bytes = hex::decode(own().write_secret.expose()).unwrap();
    operator.has(env_of(&reading(&STANDARD.encode(bytes))) + "R2_ENDPOINT_URL=http://127.0.0.1:9000\n");
    refuses(&operator, "holds_write_key", &["the WRITE secret", ".env, line 7"], &["Object Read only"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn the_secret_that_belongs_to_an_api_token_is_refused() {
    let read = hex::encode(Sha256::digest(TOKEN));
    let operator = Operator::by_hand().at_store(Store::Nowhere);
    operator.has(env_of(&reading(&read)) + "CLOUDFLARE_API_TOKEN=" + TOKEN + "\n");
    let what = ["the SHA-256 of what CLOUDFLARE_API_TOKEN holds", ".env, line 8", "API token's S3 secret"];
    refuses(&operator, "holds_secret", &what, &["take the copy out of", "token's page"]);
    let operator = Operator::by_hand().at_store(Store::Nowhere).with("CLOUDFLARE_API_TOKEN", TOKEN);
    operator.has(env_of(&reading(&read)));
    refuses(&operator, "holds_secret", &["the SHA-256 of what", "in the environment"], &["out of the environment"]);
    assert_eq!(operator.on_chain(), before());
}

#[rstest]
#[case::byte_order_mark("hot", format!("\u{feff}{{\"secretSeed\":\"0x{SEED}\"}}"))]
#[case::escape("hot", format!("{{\"secretSeed\":\"0x\\u0066{}\"}}", &SEED[1..]))]
#[case::dot_before_the_name(".hot", format!("{{\"secretSeed\":\"0x{SEED}\"}}"))]
#[case::dot_in_the_name("hot.json.bak", SEED.to_owned())]
#[case::phrase("hot", "bottom drive obey lake curtain smoke basket hold race lonely fit walk".to_owned())]
fn a_seed_in_a_hotkey_file_of_any_form_is_refused(#[case] name: &str, #[case] content: String) {
    let operator = Operator::by_hand();
    let hotkeys = operator.node.sandbox().operator().unwrap().wallet_path.join("practice/hotkeys");
    let file = hotkeys.join(name);
    fs::write(&file, content).unwrap();
    operator.has(env_of(&reading(SEED)));
    let what = ["a secret of a wallet", &path(&file)];
    refuses(&operator, "holds_wallet_secret", &what, &["Take the wallet's secret out"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn a_coldkey_stays_unopened_and_is_not_spoken_of() {
    let operator = Operator::by_hand();
    let wallet = operator.node.sandbox().operator().unwrap().wallet_path.join("practice");
    // A file that nobody can read would be counted if somebody tried.
    fs::write(wallet.join("coldkey"), format!("{{\"secretSeed\":\"0x{SEED}\"}}")).unwrap();
    std::os::unix::fs::symlink(wallet.join("coldkey"), wallet.join("hotkeys/sly")).unwrap();
    let planned = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!(codes(&planned, "not_compared"), Vec::<String>::new());
}

/// What the checks of a plan with this name say.
fn codes(document: &Value, code: &str) -> Vec<String> {
    let checks = document["checks"].as_array().unwrap().iter().filter(|check| check["code"] == code);
    checks.map(|check| check["words"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_could_not_be_compared_is_counted_and_has_no_tick() {
    let operator = Operator::by_hand();
    let hotkeys = operator.node.sandbox().operator().unwrap().wallet_path.join("practice/hotkeys");
    for name in ["one", "two"] {
        fs::write(hotkeys.join(name), b"$NACL\x00\x01\x02").unwrap();
    }
    let planned = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!(codes(&planned, "not_compared"), ["not compared: 2 encrypted hotkeys of this machine"]);
    let text = operator.run(&["commit", "--dry-run"]).exits(0).stdout;
    says(&text, &["▲ not compared: 2 encrypted hotkeys", "✓ nothing secret inside of what could be compared"]);
    assert!(!text.contains("no secret known to this machine inside"));
}

/// The read pair where S3 tools look for theirs.
fn copies() -> Vec<(&'static str, String)> {
    vec![("AWS_ACCESS_KEY_ID", own().read_key_id), ("AWS_SECRET_ACCESS_KEY", own().read_secret.expose().to_owned())]
}

#[test]
fn a_copy_of_the_read_pair_passes_where_the_store_showed_that_it_only_reads_and_not_where_none_could_be_asked() {
    let with_copies =
        |operator: Operator| copies().into_iter().fold(operator, |operator, (name, value)| operator.with(name, value));
    let operator = with_copies(Operator::new().at_store(Store::Nowhere));
    let refused = document(&operator.run(&["commit", "--yes", "--untested", "--json"]).exits(3));
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("refused"), &json!("holds_secret")));
    says(refused["what"].as_str().unwrap(), &["the secret that AWS_SECRET_ACCESS_KEY holds, in the environment"]);
    says(refused["fix"].as_str().unwrap(), &["take the copy out of the environment"]);
    assert_eq!((operator.on_chain(), operator.submissions()), (before(), 0));
    // The remedy works.
    let house = crate::support::house::House::new();
    let ran = house.run(line(&["commit", "--yes", "--untested", "--json"], &operator.flags())).exits(0);
    assert_eq!(document(&ran)["outcome"], "committed");
    assert_eq!(operator.on_chain(), own().read_commitment());
    // So does a store that answers; and what is on chain already is safe to look at again.
    let operator = with_copies(Operator::new());
    for outcome in ["committed", "unchanged"] {
        assert_eq!(document(&operator.run(&["commit", "--yes", "--json"]).exits(0))["outcome"], outcome);
        assert_eq!(operator.on_chain(), own().read_commitment());
    }
}

/// An operator whose machine keeps the keys of another hotkey in its vault, with the flags of the encrypted file.
fn beside_another_hotkey(write: &Credentials) -> (Operator, Vec<String>) {
    let house = Rotating::of(Operator::by_hand());
    house.operator.has_generation(0);
    let vault = house.flags();
    let from = vault.iter().position(|flag| flag == "--vault").unwrap();
    let vault = vault[from..from + 4].to_vec();
    let env = house.operator.house.write("other/.env", env_of(write));
    let other = hotkey(7).to_string();
    let words = ["keys", "import", "--from-env", "--env-file", &path(&env), "--hotkey", &other];
    let flags = [house.operator.node.flags(), vault.clone()].concat();
    house.operator.house.run(line(&words, &flags)).exits(0);
    (house.operator, vault)
}

#[test]
fn the_write_pair_that_the_vault_holds_for_another_hotkey_is_refused_though_the_vault_is_locked() {
    let other = Credentials::of(7, 0);
    let write = Credentials { write_key_id: own().read_key_id, write_secret: own().read_secret, ..other };
    let (operator, _) = beside_another_hotkey(&write);
    let hotkey = hotkey(7).to_string();
    let place = format!("the vault, generation 1 of {}", &hotkey[..6]);
    refuses(&operator, "holds_write_key", &["contain the WRITE", &place], &["Object Read only"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn a_near_copy_of_another_hotkeys_write_secret_is_found_where_the_vault_is_open_and_counted_where_not() {
    let other = Credentials::of(7, 0);
    let (operator, vault) = beside_another_hotkey(&other);
    let operator = operator.at_store(Store::Nowhere);
    operator.has(env_of(&reading(&changed(other.write_secret.expose()))));
    let planned = document(&operator.run(&["commit", "--dry-run", "--untested", "--json"]).exits(0));
    assert_eq!(codes(&planned, "not_compared"), ["compared as wholes only: 1 write pair of a locked vault"]);
    // The own keys are taken into the same vault, which a commit opens for them.
    let flags = [operator.flags(), vault].concat();
    operator.house.run(line(&["keys", "import", "--from-env"], &flags)).exits(0);
    let refused = document(&operator.house.run(line(&["commit", "--yes", "--json"], &flags)).exits(3));
    assert_eq!(refused["reason"], "holds_write_key", "{refused:#}");
    says(refused["what"].as_str().unwrap(), &["a near copy of the WRITE secret", "the vault, generation 1 of "]);
    operator.did_nothing();
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn a_rotation_does_not_publish_what_was_a_write_pair_and_both_ways_out_work() {
    let house = Rotating::new();
    let new = Credentials::of(OPERATOR_UID, NEW);
    let hidden = format!("R2_WRITE_SECRET_ACCESS_KEY={}\n", new.read_secret.expose());
    house.operator.has(hidden + &env_of(&Credentials::of(OPERATOR_UID, OLD)));
    let refused = house.begin(NEW, "3").exits(3).json();
    assert_eq!(refused["reason"], "holds_write_key", "{refused:#}");
    let said = refused.to_string();
    says(&said, &["the WRITE secret, in ", ".env, line 1", "rotate rollback", "rotate resume"]);
    assert!(house.publishes(OLD));
    assert_eq!(house.operator.submissions(), 0);
    let back = house.run(&["rotate", "rollback", "--yes", "--json"]).exits(0).json();
    assert_eq!(back["phase"], "abandoned");
    assert!(house.publishes(OLD));
    house.begin(NEW, "3").exits(3);
    house.operator.has_generation(OLD);
    let on = house.run(&["rotate", "resume", "--yes", "--json"]).exits(0).json();
    assert_eq!((&on["phase"], house.publishes(NEW)), (&json!("grace"), true));
}

#[test]
fn a_rotation_tests_its_new_pair_so_that_copies_of_it_do_no_harm() {
    let new = Credentials::of(OPERATOR_UID, NEW);
    let house = Rotating::new()
        .with("AWS_ACCESS_KEY_ID", new.read_key_id)
        .with("AWS_SECRET_ACCESS_KEY", new.read_secret.expose());
    assert_eq!(house.begin(NEW, "3").exits(0).json()["phase"], "grace");
    assert!(house.publishes(NEW));
}

#[test]
fn the_console_asks_no_question_about_what_was_a_write_pair() {
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Every(BLOCKS), ..of("drift") };
    let operator = Operator::on(options);
    let was = operator.on_chain();
    operator.has(write_lines() + &env_of(&own()));
    let mut console = Pty::open(&operator.house, operator.flags());
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    let dialog = console.keys("C").shows("Not published: ");
    says(&dialog, &["the WRITE key id", "no override"]);
    assert!(!dialog.contains("[ Publish ]"), "{dialog}");
    console.keys("\x1b").hides("Not published: ");
    console.keys("q");
    console.left().restored_with(0);
    assert_eq!((operator.on_chain(), operator.submissions()), (was, 0));
}
