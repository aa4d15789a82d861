//! `commit` says no: nothing is signed, nothing is sent, nothing is written down, and it says what to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use grail_console::domain::secret::SecretKey;
use grail_console::sandbox::{BlockTime, CommitmentSpec, Credentials, OPERATOR_UID, SandboxOptions, hotkey};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_commit::document;
use crate::cli_faults::read_only_disk;
use crate::cli_status::{env_of, path};
use crate::support::house::{House, Ran, failure, says};
use crate::support::node::{Node, line, of};
use crate::support::operator::{Operator, Store};

pub fn own() -> Credentials {
    Credentials::of(OPERATOR_UID, 0)
}

/// A `.env` in which one variable has another value, or is missing.
fn env_with(name: &str, value: Option<&str>) -> String {
    let text = env_of(&own());
    let (of_it, others): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(&format!("{name}=")));
    assert_eq!(of_it.len(), 1, "{name}");
    let line = value.map(|value| format!("{name}={value}")).unwrap_or_default();
    others.join("\n") + "\n" + &line + "\n"
}

/// The private key of the practice wallet, as it stands in its file.
fn private_key(operator: &Operator) -> String {
    let folder = &operator.node.sandbox().operator().unwrap().wallet_path;
    let keyfile = fs::read_to_string(folder.join("practice/hotkeys/operator")).unwrap();
    let keyfile: Value = serde_json::from_str(&keyfile).unwrap();
    keyfile["privateKey"].as_str().unwrap().trim_start_matches("0x").to_owned()
}

/// Runs the commit as text and as a document; both refuse, and nothing else happens.
#[track_caller]
pub fn refuses(operator: &Operator, code: &str, what: &[&str], todo: &[&str]) {
    let found = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&found["outcome"], &found["reason"]), (&json!("refused"), &json!(code)), "{found:#}");
    says(found["what"].as_str().unwrap(), what);
    says(found["fix"].as_str().unwrap(), todo);
    says(found["explanation"].as_str().unwrap(), &["Nothing was signed and nothing was sent", "no override"]);
    assert_eq!((&found["extrinsic_hash"], &found["finalized"]), (&Value::Null, &json!(false)));
    let text = operator.run(&["commit", "--yes"]).exits(3).stdout;
    says(&text, &["✗ Not published: ", "no override", "→ "]);
    says(&text, what);
    let dry = operator.run(&["commit", "--dry-run", "--json"]).exits(3);
    assert_eq!(document(&dry)["reason"], code, "a dry run is refused alike");
    operator.did_nothing();
}

#[test]
fn single_credential_mode_is_refused_before_anybody_is_asked() {
    let operator = Operator::by_hand();
    let text = env_of(&own());
    let legacy: Vec<_> = text.lines().filter(|line| !line.contains("READ")).collect();
    operator.has(legacy.join("\n"));
    refuses(
        &operator,
        "single_credential_mode",
        &["GRAIL would publish the WRITE key"],
        &["Object Read only", "set both"],
    );
    assert_eq!(operator.node.sandbox().meter().total(), 0, "the node was not even asked");
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 1).read_commitment());
}

#[test]
fn the_legacy_scenario_of_the_sandbox_is_refused() {
    let (house, node) = (House::new(), Node::with_uids("legacy", 64));
    let ran = house.run(line(&["commit", "--yes", "--json"], &node.operator_flags())).exits(3);
    assert_eq!(document(&ran)["reason"], "single_credential_mode");
    assert_eq!(node.sandbox().meter().total(), 0);
}

#[rstest]
#[case::no_account("R2_ACCOUNT_ID", None, "credentials_missing", "R2_ACCOUNT_ID is not set", "--env-file")]
#[case::no_bucket("R2_BUCKET_ID", None, "credentials_missing", "R2_BUCKET_ID is not set", "--env-file")]
#[case::cut(
    "R2_READ_ACCESS_KEY_ID",
    Some("0123456789abcdef0123456789abcde"),
    "credentials_misshapen",
    "31 characters",
    "Copy the value again"
)]
#[case::of_aws(
    "R2_READ_ACCESS_KEY_ID",
    Some("AKIAIOSFODNN7EXAMPLE"),
    "credentials_misshapen",
    "20 characters",
    "Copy the value again"
)]
#[case::upper_case(
    "R2_READ_ACCESS_KEY_ID",
    Some("0123456789ABCDEF0123456789ABCDEF"),
    "credentials_misshapen",
    "R2_READ_ACCESS_KEY_ID",
    "Copy the value again"
)]
#[case::other_bucket(
    "R2_BUCKET_ID",
    Some("0123456789abcdef0123456789abcdef"),
    "bucket_is_not_account",
    "differ",
    "put the account id into both"
)]
fn what_is_missing_or_misshapen_is_refused(
    #[case] name: &str,
    #[case] value: Option<&str>,
    #[case] code: &str,
    #[case] what: &str,
    #[case] todo: &str,
) {
    let operator = Operator::by_hand().at_store(Store::R2);
    operator.has(env_with(name, value));
    refuses(&operator, code, &[what], &[todo]);
    assert_eq!(operator.node.sandbox().meter().total(), 0, "the node was not even asked");
}

#[test]
fn a_secret_of_another_length_is_refused_and_never_cut_or_padded() {
    let operator = Operator::by_hand().at_store(Store::R2);
    let secret = own().read_secret.expose().to_owned();
    for value in [secret[..63].to_owned(), format!("{secret}0")] {
        operator.has(env_with("R2_READ_SECRET_ACCESS_KEY", Some(&value)));
        let length = format!("{} characters", value.len());
        refuses(&operator, "credentials_misshapen", &["R2_READ_SECRET_ACCESS_KEY", &length], &["Copy the value again"]);
        let text = operator.run(&["commit", "--yes"]);
        assert!(!(text.stdout + &text.stderr).contains(&value[..12]));
    }
}

#[test]
fn the_write_key_as_the_read_key_is_refused() {
    let operator = Operator::by_hand();
    let mut both = own();
    both.read_key_id.clone_from(&both.write_key_id);
    both.read_secret = both.write_secret.clone();
    operator.has(env_of(&both));
    refuses(&operator, "read_is_write", &["the read key is the write key"], &["Object Read only"]);
}

#[test]
fn a_write_key_that_only_the_environment_knows_is_refused_as_a_read_key() {
    let secret = own().read_secret.expose().to_owned();
    let operator = Operator::by_hand().with("R2_WRITE_SECRET_ACCESS_KEY", secret);
    refuses(&operator, "holds_write_key", &["contain the WRITE secret", "forgets nothing"], &["Object Read only"]);
    let operator = Operator::by_hand().with("R2_WRITE_ACCESS_KEY_ID", own().read_key_id);
    refuses(&operator, "holds_write_key", &["contain the WRITE key id"], &["Object Read only"]);
}

#[test]
fn a_piece_of_the_wallets_private_key_is_refused() {
    let operator = Operator::by_hand();
    let key = private_key(&operator);
    for piece in [&key[..64], &key[64..], &key[20..84]] {
        operator.has(env_with("R2_READ_SECRET_ACCESS_KEY", Some(piece)));
        refuses(&operator, "holds_wallet_secret", &["a secret of a wallet"], &["Take the wallet's secret out"]);
        let text = operator.run(&["commit", "--yes"]);
        assert!(!(text.stdout + &text.stderr).contains(&piece[..12]));
    }
    operator.has(env_with("R2_READ_ACCESS_KEY_ID", Some(&key[..32])));
    refuses(&operator, "holds_wallet_secret", &["a secret of a wallet"], &["Take the wallet's secret out"]);
}

#[test]
fn another_secret_of_the_env_or_the_environment_is_refused_where_no_store_says_what_the_pair_can_do() {
    let secret = own().read_secret.expose().to_owned();
    let operator = Operator::by_hand().at_store(Store::Nowhere);
    operator.has(env_of(&own()) + "CLOUDFLARE_API_TOKEN=" + &secret + "\n");
    refuses(&operator, "holds_secret", &["the secret that CLOUDFLARE_API_TOKEN holds"], &["token's page"]);
    let operator = Operator::by_hand().at_store(Store::Nowhere).with("WANDB_API_KEY", secret);
    refuses(&operator, "holds_secret", &["the secret that WANDB_API_KEY holds"], &["token's page"]);
}

/// What stands beside the read pair on many a machine, and is no reason to refuse it.
#[test]
fn a_neighbour_that_only_resembles_a_part_is_no_secret_of_another_kind() {
    let own = own();
    let operator = Operator::by_hand()
        .with("CLOUDFLARE_TOKEN_PAGE", format!("https://dash.cloudflare.com/{}/r2/api-tokens", own.account))
        .with("GRAIL_PRIVATE_BUCKET", own.account.clone())
        .with("AWS_ACCESS_KEY_ID", own.read_key_id);
    operator.run(&["commit", "--dry-run"]).exits(0);
}

#[test]
fn a_key_that_was_rolled_in_place_is_refused() {
    let operator = Operator::by_hand();
    let mut rolled = own();
    rolled.read_secret = SecretKey::new("0123456789abcdef".repeat(4));
    operator.node.commit([(OPERATOR_UID, CommitmentSpec::raw(rolled.read_commitment()))]);
    refuses(&operator, "rolled_in_place", &["same id and another secret"], &["token with a new id"]);
    assert_eq!(operator.on_chain(), rolled.read_commitment());
}

/// A refusal by another rule than the guard's: its document.
#[track_caller]
fn refused_by(operator: &Operator, ran: &Ran, code: &str) -> Value {
    let found = document(ran);
    assert_eq!((&found["outcome"], &found["reason"]), (&json!("refused"), &json!(code)), "{found:#}");
    assert_eq!(operator.submissions(), 0);
    assert!(found["extrinsic_hash"].is_null() && !found["fix"].is_null());
    found
}

#[test]
fn read_only_sends_nothing_wherever_it_was_said() {
    let operator = Operator::by_hand();
    let ran = operator.run(&["commit", "--yes", "--json", "--read-only"]).exits(3);
    let found = refused_by(&operator, &ran, "read_only");
    says(found["fix"].as_str().unwrap(), &["without --read-only"]);
    says(
        &operator.run(&["commit", "--yes", "--read-only"]).exits(3).stdout,
        &["✗ Not sent: this console is read-only"],
    );
    operator.house.configure("default_profile = \"main\"\n[profile.main]\nread_only = true\n");
    refused_by(&operator, &operator.run(&["commit", "--yes", "--json"]).exits(3), "read_only");
    let waiting = operator.run(&["commit", "--yes", "--when-registered", "--json"]).exits(3);
    refused_by(&operator, &waiting, "read_only");
    assert_eq!(document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0))["outcome"], "planned");
    operator.did_nothing();
}

#[test]
fn without_a_wallet_there_is_nothing_to_sign_with() {
    let (house, node) = (House::new(), Node::with_uids("first-run", 64));
    let env = house.write("grail/.env", env_of(&own()));
    let watched = hotkey(OPERATOR_UID).to_string();
    let env = ["--env-file", &path(&env)].map(ToOwned::to_owned).to_vec();
    let flags = |own: &[&str]| [node.flags(), env.clone(), own.iter().map(ToString::to_string).collect()].concat();
    for (own, words) in [
        (vec![], ["No hotkey is configured", "--wallet and --hotkey"]),
        (vec!["--hotkey", watched.as_str()], ["is only watched", "--wallet and --hotkey"]),
        (vec!["--wallet", "practice", "--hotkey", "operator"], ["no wallet", "--wallet-path"]),
    ] {
        for command in [&["commit", "--yes"][..], &["commit", "--dry-run"], &["commit", "--yes", "--when-registered"]] {
            let ran = house.run(line(command, &flags(&own))).exits(2);
            says(ran.error(), &words);
        }
        let document = house.run(line(&["commit", "--yes", "--json"], &flags(&own))).exits(2).json();
        assert_eq!((&document["schema"], &document["exit"]), (&json!("grail-console/commit/2"), &json!(2)));
    }
    assert_eq!(node.sandbox().meter().total(), 0);
}

#[test]
fn without_yes_and_without_a_terminal_nobody_is_asked_and_nothing_is_sent() {
    let operator = Operator::by_hand();
    says(operator.run(&["commit"]).exits(2).error(), &["nobody can be asked", "--dry-run", "--yes"]);
    let document = operator.run(&["commit", "--json"]).exits(2).json();
    says(&failure(&document), &["nobody can be asked", "--yes"]);
    operator.run(&["commit", "--dry-run", "--yes"]).exits(2);
    operator.did_nothing();
    assert_eq!(operator.node.sandbox().meter().total(), 0);
}

#[test]
fn a_node_that_is_down_or_of_another_chain_is_unreachable_and_nothing_is_signed() {
    let operator = Operator::by_hand();
    let other = operator.run(&["commit", "--yes", "--network", "finney"]).exits(4);
    says(other.error(), &["this node is of another chain", "0x2f0555cc76fc2840"]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut flags = operator.flags();
    flags[1] = format!("ws://{closed}");
    let down = operator.house.run(line(&["commit", "--yes"], &flags)).exits(4);
    says(down.error(), &["no TCP connection", "Check the endpoint's host and port"]);
    let document = operator.house.run(line(&["commit", "--yes", "--json"], &flags)).exits(4).json();
    assert_eq!(document["exit"], 4);
    operator.did_nothing();
}

#[test]
fn a_subnet_that_does_not_exist_sends_nothing() {
    let operator = Operator::by_hand();
    // For the chain it is a subnet without this hotkey.
    let ran = operator.run(&["commit", "--yes", "--json", "--netuid", "1234"]).exits(3);
    assert_eq!(refused_by(&operator, &ran, "not_registered")["netuid"], 1234);
    operator.did_nothing();
}

#[test]
fn without_a_home_for_the_journal_nothing_is_sent() {
    let operator = Operator::by_hand();
    let mut command = operator.house.console(line(&["commit", "--yes", "--json"], &operator.flags()));
    for name in ["HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    let found = refused_by(&operator, &Ran::of(command).exits(3), "no_journal");
    says(found["what"].as_str().unwrap(), &["the intent cannot be written down", "HOME is not set"]);
    operator.house.write("home/.local/state/grail-console", "not a folder");
    let found = refused_by(&operator, &operator.run(&["commit", "--yes", "--json"]).exits(3), "no_journal");
    says(found["what"].as_str().unwrap(), &["the intent cannot be written down", "or no directory"]);
    says(found["fix"].as_str().unwrap(), &["Mend the state directory", "doctor"]);
}

/// A commit in a world that a shell script prepares, refused since nothing can be written down: what it says.
fn refused_under(operator: &Operator, script: &str) -> String {
    let arguments = line(&["commit", "--yes", "--json"], &operator.flags());
    let ran = Ran::of(operator.house.console_under(script, arguments)).exits(3);
    let found = refused_by(operator, &ran, "no_journal");
    operator.did_nothing();
    found["what"].as_str().unwrap().to_owned()
}

#[test]
fn on_a_full_disk_nothing_is_sent() {
    let operator = Operator::by_hand();
    // No file may grow beyond 0 bytes: what a full disk does to whoever writes.
    let said = refused_under(&operator, "trap '' XFSZ; ulimit -f 0; exec \"$@\"");
    says(&said, &["the intent cannot be written down", "no room to write"]);
}

#[test]
fn on_a_read_only_disk_nothing_is_sent() {
    let operator = Operator::by_hand();
    let home = path(&operator.house.path("home"));
    let said = refused_under(&operator, &read_only_disk(&operator.house, &home));
    let _ = fs::set_permissions(&home, fs::Permissions::from_mode(0o700));
    says(&said, &["the intent cannot be written down", "not allowed to write"]);
}

#[test]
fn a_custom_store_takes_other_shapes_and_pads_them() {
    let options =
        SandboxOptions { uids: 64, block_time: BlockTime::Every(crate::support::operator::BLOCKS), ..of("healthy") };
    let (house, node) = (House::new(), Node::with(options));
    let mut aws = own();
    aws.account = "my-bucket".to_owned();
    aws.read_key_id = "AKIAIOSFODNN7EXAMPLE".to_owned();
    aws.read_secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let env = house.write("grail/.env", env_of(&aws) + "R2_ENDPOINT_URL=http://127.0.0.1:9000\n");
    let operator = node.sandbox().operator().unwrap();
    let own =
        ["--wallet", operator.wallet, "--hotkey", operator.hotkey_name, "--wallet-path", &path(&operator.wallet_path)];
    let own = own.iter().map(ToString::to_string).chain(["--env-file".to_owned(), path(&env)]).collect();
    // Nothing listens there.
    let words = ["commit", "--yes", "--untested", "--json"];
    let ran = house.run(line(&words, &[node.flags(), own].concat())).exits(0);
    assert_eq!(document(&ran)["outcome"], "committed");
    let held = node.sandbox().commitments().unwrap();
    let (_, stored) = held.into_iter().find(|(who, _)| *who == hotkey(OPERATOR_UID)).unwrap();
    let expected = format!("{:32}{:32}{:64}", "my-bucket", aws.read_key_id, aws.read_secret.expose());
    assert_eq!(&stored[14..], expected.as_bytes());
}

#[test]
fn on_a_subnet_that_nobody_named_nothing_is_written_and_a_plan_says_so() {
    let operator = Operator::by_hand();
    operator
        .has(env_of(&own()).lines().filter(|line| !line.starts_with("NETUID=")).collect::<Vec<_>>().join("\n") + "\n");
    let runs = |words: &[&str]| {
        let mut command = operator.house.console(line(words, &operator.flags()));
        command.env_remove("NETUID");
        Ran::of(command)
    };
    let refused = runs(&["commit", "--yes", "--json"]).exits(3);
    let found = refused_by(&operator, &refused, "netuid_not_set");
    says(found["what"].as_str().unwrap(), &["no netuid is set", "81"]);
    says(found["fix"].as_str().unwrap(), &["--netuid", "NETUID", "profile"]);
    let waits = runs(&["commit", "--yes", "--when-registered", "--json"]).exits(3);
    assert_eq!(refused_by(&operator, &waits, "netuid_not_set")["netuid"], 81);

    let looked = runs(&["commit", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(looked["outcome"], "planned");
    let codes: Vec<&str> =
        looked["findings"].as_array().unwrap().iter().filter_map(|one| one["code"].as_str()).collect();
    assert!(codes.contains(&"netuid_not_set"), "{codes:?}");

    for words in
        [&["rotate", "start", "--json"][..], &["rotate", "resume", "--json"], &["rotate", "rollback", "--json"]]
    {
        let ran = runs(words).exits(3).json();
        assert_eq!(ran["findings"][0]["code"], "netuid_not_set", "{words:?}: {ran}");
    }
    // Reading needs no name, and says which one it took.
    says(&runs(&["doctor", "--offline"]).stdout, &["netuid", "81", "default"]);
    operator.did_nothing();
}
