//! `keys`: out of the `.env` into the vault and back, listed without a secret, removed when nothing needs them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use grail_console::sandbox::{Credentials, OPERATOR_UID};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::pty::Pty;
use crate::support::rotating::{NEW, OLD, Rotating, fingerprint};

const IMPORT: [&str; 5] = ["keys", "import", "--from-env", "--blank", "--json"];

fn keys(house: &Rotating, words: &[&str]) -> Ran {
    let ran = house.run(words);
    for generation in [OLD, NEW] {
        let keys = Credentials::of(OPERATOR_UID, generation);
        for secret in [keys.read_secret, keys.write_secret] {
            assert!(
                !ran.stdout.contains(secret.expose()) && !ran.stderr.contains(secret.expose()),
                "a secret is shown"
            );
        }
    }
    ran
}

fn env_path(house: &Rotating) -> std::path::PathBuf {
    house.operator.house.path("grail/.env")
}

/// The `.env` with its key lines as comments without values.
fn without_keys(env: &str) -> String {
    let comment = |line: &str| match line.split_once('=') {
        Some((name, _)) if name.contains("ACCESS_KEY") => format!("# {name}="),
        _ => line.to_owned(),
    };
    env.split('\n').map(comment).collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_move_from_the_env_into_the_vault_and_the_env_keeps_every_other_byte() {
    let house = Rotating::new();
    house.operator.has(format!("# mine\r\n  FOO='a b'\n{}\nexport BAR=1", house.env()));
    let before = house.env();
    let told = keys(&house, &[&IMPORT[..], &["--backup"]].concat()).exits(0).json();
    assert_eq!((&told["schema"], &told["action"]), (&json!("grail-console/keys/2"), &json!("imported")));
    assert_eq!((&told["generation"], &told["read"]["fingerprint"]), (&json!(1), &json!(fingerprint(OLD))));
    let names =
        ["R2_READ_ACCESS_KEY_ID", "R2_READ_SECRET_ACCESS_KEY", "R2_WRITE_ACCESS_KEY_ID", "R2_WRITE_SECRET_ACCESS_KEY"];
    assert_eq!((&told["env"]["changed"], &told["env"]["still_on_lines"]), (&json!(names), &json!([])));
    assert_eq!(house.env(), without_keys(&before));
    let backup = told["env"]["backup"].as_str().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), before);
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((house.held(), &house.index()["current"]), (vec![1], &json!(1)));

    // The console goes on as before, with the vault's keys.
    let unchanged = house.run(&["commit", "--yes", "--json"]).exits(0).json();
    assert_eq!(unchanged["outcome"], "unchanged");
    assert_eq!(house.run(&["self-test", "--json"]).exits(0).json()["healthy"], true);
    let status = house.run(&["status", "--json"]).exits(0).json();
    let own = status["rows"].as_array().unwrap().iter().find(|row| row["own"] == true).unwrap();
    assert_eq!(own["drift"]["state"], "match");
}

#[test]
fn the_same_keys_are_taken_over_once_and_nothing_is_blanked_unasked() {
    let house = Rotating::new();
    let before = house.env();
    let first = keys(&house, &["keys", "import", "--from-env"]).exits(0);
    says(
        &first.stderr,
        &["taken over, read back and in use: generation 1", "holds the keys too; --blank takes them out"],
    );
    assert_eq!(house.env(), before);
    let again = keys(&house, &["keys", "import", "--from-env", "--json"]).exits(0).json();
    assert_eq!((&again["action"], house.held()), (&json!("unchanged"), vec![1]));
    assert_eq!(again["env"]["changed"], json!([]));
    // From a file that is named instead.
    let elsewhere = house.operator.house.write("elsewhere/.env", &before);
    let third = keys(&house, &["keys", "import", "--from-env", elsewhere.to_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(third["action"], "unchanged");
}

#[test]
fn other_keys_come_by_a_rotation_or_when_the_chain_has_them() {
    let house = Rotating::new();
    keys(&house, &["keys", "import", "--from-env", "--json"]).exits(0);
    house.operator.has_generation(NEW);
    let refused = keys(&house, &["keys", "import", "--from-env"]).exits(3);
    says(refused.error(), &["another read key", "not on chain", "rotate start"]);
    assert_eq!(house.held(), [1]);
    // Rotated by hand, before there was a vault elsewhere.
    let elsewhere = crate::support::house::House::new();
    elsewhere.run(line(&["commit", "--yes", "--json"], &house.operator.flags())).exits(0);
    let taken = keys(&house, &["keys", "import", "--from-env", "--json"]).exits(0).json();
    assert_eq!((&taken["action"], &taken["generation"]), (&json!("imported"), &json!(2)));
    // And the way back is none.
    house.operator.has_generation(OLD);
    let behind = keys(&house, &["keys", "import", "--from-env"]).exits(3);
    says(behind.error(), &["keys of generation 1, which is not in use", "restore-env"]);
}

#[test]
fn a_token_that_was_rolled_in_place_is_not_taken_over() {
    let house = Rotating::new();
    keys(&house, &["keys", "import", "--from-env", "--json"]).exits(0);
    let (old, new) = (Credentials::of(OPERATOR_UID, OLD), Credentials::of(OPERATOR_UID, NEW));
    house.operator.has(house.env().replace(old.read_secret.expose(), new.read_secret.expose()));
    let refused = keys(&house, &["keys", "import", "--from-env"]).exits(3);
    says(refused.error(), &["is in the vault with another secret", "rolled in place"]);
}

#[test]
fn beside_an_open_rotation_nothing_is_taken_over_and_nothing_removed() {
    let house = Rotating::new();
    house.begin(NEW, "300").exits(0);
    says(keys(&house, &["keys", "import", "--from-env"]).exits(3).error(), &["A rotation is open", "rotate resume"]);
    for number in ["1", "2"] {
        says(
            keys(&house, &["keys", "remove", number, "--yes"]).exits(3).error(),
            &["a rotation is open that needs it"],
        );
    }
    assert_eq!(house.held(), [1, 2]);
}

#[test]
fn what_is_needed_is_not_removed_and_what_nobody_needs_is() {
    let house = Rotating::new();
    house.begin(NEW, "300").exits(0);
    house.run(&["rotate", "rollback", "--yes", "--json"]).exits(0);
    says(keys(&house, &["keys", "remove", "1", "--yes"]).exits(3).error(), &["its keys are in use"]);
    says(keys(&house, &["keys", "remove", "7", "--yes"]).exits(2).error(), &["holds no generation 7"]);
    says(keys(&house, &["keys", "remove", "2"]).exits(7).error(), &["nothing was removed"]);
    let removed = keys(&house, &["keys", "remove", "2", "--yes", "--json"]).exits(0).json();
    assert_eq!((&removed["action"], &removed["generation"], house.held()), (&json!("removed"), &json!(2), vec![1]));
}

#[test]
fn a_published_key_is_not_removed_and_without_the_chain_nobody_knows() {
    let house = Rotating::new();
    house.begin(NEW, "300").exits(0);
    house.run(&["rotate", "rollback", "--yes", "--json"]).exits(0);
    house.operator.has_generation(NEW);
    let elsewhere = crate::support::house::House::new();
    elsewhere.run(line(&["commit", "--yes", "--json"], &house.operator.flags())).exits(0);
    says(keys(&house, &["keys", "remove", "2", "--yes"]).exits(3).error(), &["its read key is on chain"]);
    house.operator.node.wait(house.operator.node.sandbox().faults().refuse_connections()).unwrap();
    keys(&house, &["keys", "remove", "2", "--yes"]).exits(4);
    assert_eq!(house.held(), [1, 2]);
}

fn listed(house: &Rotating, more: &[&str], code: i32) -> Value {
    keys(house, &[&["keys", "list", "--json"], more].concat()).exits(code).json()
}

#[test]
fn the_list_tells_where_each_key_is_and_whether_it_can_be_read() {
    let house = Rotating::new();
    let empty = listed(&house, &[], 0);
    assert_eq!((&empty["generations"], &empty["places"][0]["place"]), (&json!([]), &json!(".env")));
    house.begin(NEW, "300").exits(0);
    let list = listed(&house, &["--check", "--online"], 0);
    let [old, new] = [0, 1].map(|n| &list["generations"][n]);
    assert_eq!(
        (&old["current"], &old["used_by"], &old["kept"]),
        (&json!(false), &json!([".env", "rotation"]), &json!(true))
    );
    assert_eq!((&new["current"], &new["used_by"]), (&json!(true), &json!([".env", "rotation", "chain"])));
    assert_eq!((&new["backend"], &new["origin"]), (&json!("file"), &json!("rotated")));
    assert_eq!(new["read"]["fingerprint"], fingerprint(NEW));
    let text = keys(&house, &["keys", "list", "--online"]).exits(0).stdout;
    says(&text, &["GENERATION", "● in use", "rotated", "on chain: a key with fingerprint"]);
    fs::remove_file(house.operator.house.state().join("vault").join(grail_console::vault::file::FILE)).unwrap();
    let damaged = listed(&house, &["--check"], 6);
    assert_eq!(damaged["generations"][1]["kept"], false);
    assert!(damaged["generations"][1]["problem"].is_string());
    listed(&house, &[], 0);
}

#[test]
fn keys_go_back_into_a_private_env_and_grail_starts_as_before() {
    let house = Rotating::new();
    let before = house.env();
    keys(&house, &IMPORT).exits(0);
    fs::set_permissions(env_path(&house), fs::Permissions::from_mode(0o644)).unwrap();
    says(keys(&house, &["keys", "restore-env", "--yes"]).exits(3).error(), &["mode 644", "chmod 600"]);
    fs::set_permissions(env_path(&house), fs::Permissions::from_mode(0o600)).unwrap();
    keys(&house, &["keys", "restore-env"]).exits(7);
    let back = keys(&house, &["keys", "restore-env", "--yes", "--json"]).exits(0).json();
    assert_eq!((&back["action"], back["env"]["changed"].as_array().unwrap().len()), (&json!("restored"), 6));
    let values = |text: &str| {
        let mut lines: Vec<_> =
            text.lines().filter(|l| l.starts_with("R2_") && !l.ends_with('=')).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(values(&house.env()), values(&before));
    // A file that is not there is made for its owner alone.
    let fresh = house.operator.house.path("work/new.env");
    keys(&house, &["keys", "restore-env", fresh.to_str().unwrap(), "--yes", "--json"]).exits(0);
    assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o600);
    let held = fs::read_to_string(&fresh).unwrap();
    assert_eq!(held.lines().count(), 6);
}

#[rstest]
#[case::a_second_name(&|house: &Rotating| fs::hard_link(env_path(house), house.operator.house.path("grail/other")).unwrap(), 3, "hard links")]
#[case::other_keys_meanwhile(&|house: &Rotating| {
    let other = Credentials::of(OPERATOR_UID, NEW);
    let text = format!("{}R2_WRITE_SECRET_ACCESS_KEY=\n", house.env());
    house.operator.has(text.replace("R2_WRITE_SECRET_ACCESS_KEY=\n", &format!("R2_READ_SECRET_ACCESS_KEY={}\n", other.read_secret.expose())));
}, 3, "is in the vault with another secret")]
fn an_env_that_cannot_be_emptied_is_as_it_was_and_the_keys_are_in_the_vault(
    #[case] spoil: &dyn Fn(&Rotating),
    #[case] code: i32,
    #[case] words: &str,
) {
    let house = Rotating::new();
    keys(&house, &["keys", "import", "--from-env", "--json"]).exits(0);
    spoil(&house);
    let before = house.env();
    says(keys(&house, &["keys", "import", "--from-env", "--blank"]).exits(code).stderr.as_str(), &[words]);
    assert_eq!((house.env(), house.held()), (before, vec![1]));
}

#[test]
fn a_link_in_place_of_the_env_is_followed_to_the_file_and_stays_a_link() {
    let house = Rotating::new();
    let real = house.operator.house.path("grail/real.env");
    fs::rename(env_path(&house), &real).unwrap();
    symlink(&real, env_path(&house)).unwrap();
    let before = fs::read_to_string(&real).unwrap();
    keys(&house, &IMPORT).exits(0);
    assert!(fs::symlink_metadata(env_path(&house)).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), without_keys(&before));
}

#[test]
fn a_wrong_file_after_from_env_is_named_with_that_flag() {
    let house = Rotating::new();
    let wrong = house.operator.house.path("work/wrong.env");
    let ran = keys(&house, &["keys", "import", "--from-env", wrong.to_str().unwrap()]).exits(2);
    says(ran.error(), &["--from-env", "wrong.env", "No such file"]);
    assert!(!ran.stderr.contains("--env-file"), "{}", ran.stderr);
}

/// `keys import` at a terminal.
fn at_a_terminal(house: &Rotating, words: &[&str]) -> Pty {
    Pty::open(&house.operator.house, line(words, &house.flags()))
}

#[test]
fn whoever_types_y_hears_what_is_a_yes() {
    let house = Rotating::new();
    let before = house.env();
    let mut terminal = at_a_terminal(&house, &["keys", "import", "--from-env"]);
    terminal.shows("Type yes to do it");
    terminal.keys("y\r");
    terminal.shows("That is not the whole word yes: it was not done.");
    assert_eq!(terminal.left().status.exit_code(), 0);
    assert_eq!(house.env(), before);
}

#[test]
fn an_import_with_yes_asks_nothing_and_leaves_the_env() {
    let house = Rotating::new();
    let before = house.env();
    let left = at_a_terminal(&house, &["keys", "import", "--from-env", "--yes"]).left();
    assert_eq!((left.status.exit_code(), house.env(), house.held()), (0, before, vec![1]));
    assert!(!left.screen.contains("Type yes"), "{}", left.screen);
}

#[test]
fn a_key_file_is_made_once_for_its_owner_alone() {
    let house = Rotating::new();
    let file = house.operator.house.path("work/console.key");
    let name = file.to_str().unwrap();
    keys(&house, &["keys", "create-key-file", name]).exits(0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let made = fs::read(&file).unwrap();
    let again = keys(&house, &["keys", "create-key-file", name]).exits(6);
    says(again.error(), &["is there already", "Name another FILE"]);
    assert!(!again.stderr.contains("does not open"), "{}", again.stderr);
    keys(&house, &["keys", "create-key-file", "~/second.key"]).exits(0);
    assert!(house.operator.house.path("home/second.key").exists());
    assert_eq!(fs::read(&file).unwrap(), made);
}

#[test]
fn single_credentials_are_taken_over_with_a_warning_and_never_run() {
    let house = Rotating::new();
    let keys_of = Credentials::of(OPERATOR_UID, OLD);
    let env = house.env();
    let single: Vec<_> = env.lines().filter(|line| !line.starts_with("R2_READ")).collect();
    house.operator.has(single.join("\n"));
    let taken = keys(&house, &["keys", "import", "--from-env"]).exits(0);
    says(&taken.stderr, &["A write key only", "single-credential mode", "rotate start"]);
    let ran = crate::cli_exec::exec(&house, &["--", "true"]).exits(3);
    says(ran.error(), &["a write key only"]);
    assert!(!house.operator.on_chain().contains(keys_of.write_secret.expose()));
}
