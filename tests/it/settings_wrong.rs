//! Settings that GRAIL takes are taken; one that is wrong is named with its place, and stops only what needs it.

use std::fs;

use grail_console::config::{Configuration, Flags, Origin};
use grail_console::domain::environment::Environment;
use grail_console::domain::network::{NETWORKS, Network, NetworkError};
use grail_console::sandbox::{Credentials, OPERATOR_UID};
use rstest::rstest;
use serde_json::Value;

use crate::cli_doctor::{finding, offline, offline_json};
use crate::cli_status::{env_of, path};
use crate::support::house::{House, Ran, says};
use crate::support::node::{Node, line};

fn loaded(config: &str, variables: &[(&str, &str)]) -> Configuration {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let environment: Environment = variables.iter().copied().collect();
    Configuration::load(&Flags::default(), &environment, Some(&file)).unwrap()
}

#[test]
fn custom_beside_an_endpoint_is_that_endpoint_wherever_they_stand() {
    let of_profile = "default_profile = 'p'\n[profile.p]\nnetwork = 'custom'\nendpoint = 'wss://node.example'\n";
    let endpoint_in_profile = "default_profile = 'p'\n[profile.p]\nendpoint = 'wss://node.example'\n";
    for (config, variables) in [
        ("", &[("BT_NETWORK", "custom"), ("BT_CHAIN_ENDPOINT", "wss://node.example")][..]),
        (of_profile, &[]),
        (endpoint_in_profile, &[("BT_NETWORK", "custom")]),
    ] {
        let settings = loaded(config, variables).settings;
        assert_eq!(settings.endpoint.as_ref().unwrap().value, "wss://node.example", "{variables:?}");
        assert_eq!(settings.network_beside_endpoint(), None, "no genesis is known of it");
    }
    says(&Network::named("custom").unwrap_err().to_string(), &["names no node", "BT_CHAIN_ENDPOINT"]);
}

#[test]
fn a_url_in_place_of_a_network_is_that_node_unless_an_endpoint_is_named() {
    let settings = loaded("", &[("BT_NETWORK", "wss://node.example")]).settings;
    let endpoint = settings.endpoint.as_ref().unwrap();
    assert_eq!(
        (endpoint.value.as_str(), &endpoint.source),
        ("wss://node.example", &Origin::Environment { name: "BT_NETWORK" })
    );
    assert_eq!(settings.network_beside_endpoint(), None);
    let both = [("BT_NETWORK", "wss://other.example"), ("BT_CHAIN_ENDPOINT", "wss://node.example")];
    let settings = loaded("", &both).settings;
    assert_eq!(settings.endpoint.as_ref().unwrap().value, "wss://node.example");
    assert_eq!(settings.network_beside_endpoint(), None);
}

#[test]
fn the_sdks_other_names_are_taken_or_told_what_they_stand_for() {
    let latent = Network::named("latent-lite").unwrap();
    assert_eq!(latent.genesis.unwrap().to_string(), NETWORKS[0].genesis.unwrap());
    assert_eq!(latent.endpoints[0].host(), "lite.sub.latent.to");
    let refused = Network::named("subvortex").unwrap_err();
    assert!(matches!(refused, NetworkError::PlaintextName { .. }) && refused.is_refusal());
    says(&refused.to_string(), &["ws://subvortex.info:9944", "plaintext"]);
    let house = House::new();
    let env = house.write("grail/.env", "NETUID=81\nBT_NETWORK=subvortex\n");
    let ran = house.run(["status", "--env-file", &path(&env)]).exits(3);
    says(ran.error(), &["BT_NETWORK in ", &path(&env), "line 2", "ws://subvortex.info:9944"]);
}

#[test]
fn a_name_that_nobody_knows_does_not_stop_an_endpoint_that_grail_would_take() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let env = house.write("grail/.env", format!("BT_NETWORK=mine\nBT_CHAIN_ENDPOINT={}\n", node.url()));
    house.run(["status", "--env-file", &path(&env)]).exits(0);
    let told = house.run(["doctor", "--json", "--env-file", &path(&env)]).json();
    says(finding(&told, "network_ignored")["summary"].as_str().unwrap(), &["mine", "BT_NETWORK, .env line 1"]);
}

/// A wrong S3 endpoint, the words for it, and the code of what needs it.
#[rstest]
#[case("https://store.example/bucket", &["scheme, host and port only", "R2_BUCKET_ID"], 2)]
#[case("http://minio:9000", &["plaintext", "use https://", "ssh tunnel"], 3)]
#[case("http://192.168.1.7:9000", &["plaintext", "use https://"], 3)]
#[case("minio:9000", &["is not an S3 endpoint", "https://HOST"], 2)]
fn a_wrong_s3_endpoint_stops_only_what_needs_the_store(#[case] url: &str, #[case] words: &[&str], #[case] code: i32) {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let text = env_of(&Credentials::of(OPERATOR_UID, 0)) + "R2_ENDPOINT_URL=" + url + "\n";
    let env = house.write("grail/.env", text);
    let place = format!("R2_ENDPOINT_URL in {}, line 8", path(&env));
    let words = [&[place.as_str()][..], words].concat();
    let own = node.sandbox().operator().unwrap();
    let named = ["--wallet", own.wallet, "--hotkey", own.hotkey_name, "--wallet-path", &path(&own.wallet_path)];
    let flags: Vec<String> = named.map(str::to_owned).into();
    let flags = [node.flags(), flags, vec!["--env-file".to_owned(), path(&env)]].concat();
    for goes_on in [&["status"][..], &["show", "42"], &["keys", "list"], &["verify", "42", "--no-signatures"]] {
        let ran = house.run(line(goes_on, &flags));
        assert_eq!(ran.code, Some(0), "{goes_on:?}: {}", ran.stderr);
    }
    says(&house.run(line(&["status"], &flags)).stderr, &words);
    let told = house.run(line(&["doctor", "--json"], &flags)).exits(1).json();
    let what = finding(&told, "wrong_setting")["summary"].as_str().unwrap().to_owned();
    says(&what, &words);
    assert_eq!((&told["mode"], &told["chain"]["kind"]), (&"dual".into(), &"reached".into()));
    for needs in [&["probe", "42"][..], &["visible"], &["self-test"], &["commit", "--yes"], &["rotate", "resume"]] {
        let ran = house.run(line(needs, &flags));
        assert_eq!(ran.code, Some(code), "{needs:?}: {}", ran.stderr);
        says(&ran.stderr, &words);
    }
}

#[test]
fn a_wrong_store_in_a_profile_is_named_with_its_file() {
    let house = House::new();
    let file = house.configure("default_profile = 'p'\n[profile.p]\nprovider = 'custom'\n");
    let told = house.run(["doctor", "--offline", "--json"]).exits(1).json();
    says(
        finding(&told, "wrong_setting")["summary"].as_str().unwrap(),
        &["profile p in ", &path(&file), "needs an s3_endpoint"],
    );
}

/// `doctor` with everything wrong at once: it reaches its end, and each is a finding.
#[test]
fn doctor_reaches_its_end_whatever_is_wrong() {
    let house = House::new().with("BT_WITNESS_ENDPOINT", "http://no");
    let file = house.configure("default_profile = 'p'\n[profile.p]\nenv_owner = 'nobody-of-this-name'\n");
    let env = house.write("grail/.env", "NETUID=eighty\nBT_NETWORK=mars\nR2_ENDPOINT_URL=minio\n");
    let flags = ["doctor", "--json", "--env-file", &path(&env), "--vault-passphrase-file", "/nowhere"];
    let told = house.run(flags).exits(2).json();
    let all = told["findings"].as_array().unwrap();
    let wrong: Vec<&str> =
        all.iter().filter(|f| f["code"] == "wrong_setting").filter_map(|f| f["summary"].as_str()).collect();
    for words in [
        &[format!("NETUID in {}, line 1", path(&env)).as_str(), "eighty", "is not a netuid"][..],
        &[format!("BT_NETWORK in {}, line 2", path(&env)).as_str(), "unknown network", "mars"],
        &[format!("R2_ENDPOINT_URL in {}, line 3", path(&env)).as_str(), "is not an S3 endpoint"],
        &["BT_WITNESS_ENDPOINT in the environment", "http"],
        &[format!("profile p in {}", path(&file)).as_str(), "no user of /etc/passwd"],
        &["--vault-passphrase-file", "/nowhere"],
    ] {
        assert!(wrong.iter().any(|what| words.iter().all(|word| what.contains(word))), "{words:?}: {wrong:#?}");
    }
    assert_eq!(wrong.len(), 6, "{wrong:#?}");
    says(told["chain"]["problem"].as_str().unwrap(), &["not asked", "eighty"]);
    says(&house.run(["status", "--env-file", &path(&env)]).exits(2).stderr, &["line 1", "eighty"]);
}

#[rstest]
#[case("theme = \n", "line 1")]
#[case("default_profile = 'gone'\n", "not in this file")]
fn a_configuration_that_cannot_be_read_is_a_finding_of_doctor(#[case] toml: &str, #[case] words: &str) {
    let house = House::new();
    let file = house.configure(toml);
    let told = house.run(["doctor", "--json"]).exits(2).json();
    says(finding(&told, "wrong_setting")["summary"].as_str().unwrap(), &[&path(&file), words]);
    says(house.run(["status"]).exits(2).error(), &[&path(&file), words]);
}

#[test]
fn an_env_file_that_is_not_there_is_a_finding_of_doctor_and_the_chain_is_not_asked() {
    let node = Node::with_uids("healthy", 12);
    let told = House::new().run(line(&["doctor", "--json", "--env-file", "/nowhere/.env"], &node.flags())).exits(2);
    says(finding(&told.json(), "wrong_setting")["summary"].as_str().unwrap(), &["/nowhere/.env", "No such file"]);
    assert_eq!(node.sandbox().meter().connections, 0, "it may name another subnet");
}

/// A `.env` whose first line hides behind a byte order mark, for a GRAIL with an older python-dotenv.
fn marked(first: &str) -> String {
    let rest = env_of(&Credentials::of(OPERATOR_UID, 0));
    let of_first: String = rest.lines().filter(|line| line.starts_with(first)).collect();
    let others: Vec<&str> = rest.lines().filter(|line| !line.starts_with(first)).collect();
    format!("\u{feff}{of_first}\n{}\n", others.join("\n"))
}

#[rstest]
#[case("R2_READ_ACCESS_KEY_ID")]
#[case("R2_READ_SECRET_ACCESS_KEY")]
fn a_mark_that_hides_a_read_variable_may_publish_the_write_key(#[case] variable: &str) {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let env = house.write("grail/.env", marked(variable));
    let own = node.sandbox().operator().unwrap();
    let named = ["--wallet", own.wallet, "--hotkey", own.hotkey_name, "--wallet-path", &path(&own.wallet_path)];
    let store = ["--env-file", &path(&env), "--s3-endpoint", node.sandbox().s3_url()];
    let flags = [node.flags(), named.map(str::to_owned).into(), store.map(str::to_owned).into()].concat();
    let told = house.run(line(&["doctor", "--json"], &flags)).exits(1).json();
    let found = finding(&told, "env_file_mark");
    assert_eq!(found["severity"], "danger");
    says(
        found["summary"].as_str().unwrap(),
        &["GRAIL may publish the write key, depending on its python-dotenv: remove the BOM"],
    );
    says(found["cause"].as_str().unwrap(), &[variable, ".env line 1", "1.2.4"]);
    let text = house.run(line(&["doctor"], &flags)).stdout;
    says(&text, &["✗ GRAIL may PUBLISH THE WRITE KEY", "remove the BOM"]);
    assert!(!text.contains("✓ dual credentials"), "{text}");
    let status = house.run(line(&["status", "--json"], &flags)).exits(1).json();
    finding(&status, "env_file_mark");
    let row = status["rows"].as_array().unwrap().iter().find(|row| row["own"] == true).unwrap();
    assert_eq!(row["drift"]["headline"], "GRAIL may PUBLISH YOUR WRITE KEY");
    let commit = house.run(line(&["commit", "--dry-run", "--json"], &flags)).json();
    finding(&commit, "env_file_mark");
}

#[test]
fn a_mark_that_hides_another_variable_is_named_and_one_that_hides_none_is_a_note() {
    let own = env_of(&Credentials::of(OPERATOR_UID, 0));
    let told = offline_json(&House::new(), &format!("\u{feff}NETUID=81\n{own}BT_NETUID=81\n"));
    says(finding(&told, "env_file_mark")["summary"].as_str().unwrap(), &["GRAIL may not see NETUID", ".env line 1"]);
    let told = offline_json(&House::new(), &marked("R2_ACCOUNT_ID"));
    let found = finding(&told, "env_file_mark");
    assert_eq!(found["severity"], "warning");
    says(found["summary"].as_str().unwrap(), &["GRAIL may not see R2_ACCOUNT_ID"]);
    for harmless in ["# a comment\n", "\n", "R2_ACCOUNT_ID=x\n"] {
        let text = offline(&House::new(), &format!("\u{feff}{harmless}{own}")).stdout;
        says(&text, &["begins with a byte order mark", "✓ dual credentials"]);
        assert!(!text.contains("may not see") && !text.contains("may publish"), "{harmless:?}: {text}");
    }
}

#[rstest]
#[case("us_east_1", true)]
#[case("eu.west", true)]
#[case("-x", true)]
#[case("123", true)]
#[case("auto", false)]
#[case("US-EAST-1", false)]
fn a_region_that_grails_client_refuses_is_told(#[case] region: &str, #[case] is_odd: bool) {
    let house = House::new();
    let text = env_of(&Credentials::of(OPERATOR_UID, 0)) + "R2_REGION=" + region + "\n";
    let told = offline_json(&house, &text);
    let found = told["findings"].as_array().unwrap().iter().find(|found| found["code"] == "s3_region");
    assert_eq!(found.is_some(), is_odd, "{found:?}");
    if let Some(found) = found {
        says(found["summary"].as_str().unwrap(), &["R2_REGION in ", ".env, line 8", region]);
    }
}

#[test]
fn a_proxy_is_said_not_to_be_used_and_is_not_shown() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let house = House::new().with(name, "http://me:hunter2hunter2@proxy.example:3128");
        let ran = house.run(["doctor", "--offline"]).exits(0);
        says(&ran.stdout, &[name, "does not use it", "without the proxy"]);
        assert!(!ran.stdout.contains("hunter2") && !ran.stdout.contains("proxy.example"));
    }
}

#[test]
fn a_home_in_a_flags_value_is_the_home() {
    let house = House::new();
    house.write("home/grail/.env", env_of(&Credentials::of(OPERATOR_UID, 0)));
    let told = house.run(["doctor", "--offline", "--json", "--env-file=~/grail/.env", "--wallet-path=~/w"]).json();
    let value = |name: &str| -> Value {
        told["settings"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("env-file"), path(&house.path("home/grail/.env")));
    assert_eq!(value("wallet-path"), path(&house.path("home/w")));
    assert_eq!(told["mode"], "dual");
}

/// As GRAIL's `.env.example` has them, and as its documentation does.
#[rstest]
#[case(["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIAXXXXXXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"], &[])]
#[case(["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIAXXXXXXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"], &["--s3-endpoint", "http://127.0.0.1:9"])]
#[case(["your_account_id", "your_read_key", "your_read_secret"], &[])]
fn placeholders_are_named_as_such(#[case] values: [&str; 3], #[case] store: &[&str]) {
    let [account, id, secret] = values;
    let house = House::new();
    let env = house.write(
        "grail/.env",
        format!(
            "NETUID=81\nBT_NETUID=81\nR2_ACCOUNT_ID={account}\nR2_BUCKET_ID=\"\"\nR2_WRITE_ACCESS_KEY_ID={id}\n\
             R2_WRITE_SECRET_ACCESS_KEY={secret}\nR2_READ_ACCESS_KEY_ID={id}\nR2_READ_SECRET_ACCESS_KEY={secret}\n"
        ),
    );
    let told = house.run([&["doctor", "--offline", "--json", "--env-file", &path(&env)][..], store].concat()).json();
    let all = told["findings"].as_array().unwrap();
    let placeholders = all.iter().filter(|found| found["code"] == "misshapen");
    let placeholders: Vec<_> = placeholders.filter(|f| f["summary"].to_string().contains("placeholder")).collect();
    assert_eq!(placeholders.len(), 5, "{all:#?}");
    assert!(placeholders.iter().all(|found| found["help"].to_string().contains("Put your own value there")));
    let text = told.to_string();
    assert!(!text.contains("AWS key") && !text.contains("The read key is the write key"), "{text}");
}

/// A pipe as bash's `<(…)` gives it is read once, whatever asks for it.
#[test]
fn an_env_file_in_a_pipe_is_read_once() {
    let house = House::new();
    let env = house.write("grail/.env", env_of(&Credentials::of(OPERATOR_UID, 0)));
    let piped = format!("cat '{}' | {{ exec 9<&0 </dev/null; exec \"$@\"; }}", path(&env));
    let words = ["doctor", "--offline", "--json", "--env-file", "/dev/fd/9"];
    let told = Ran::of(house.console_under(&piped, words)).json();
    assert_eq!(told["mode"], "dual");
    finding(&told, "env_is_a_pipe");
}
