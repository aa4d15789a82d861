//! `status`: the contract of its JSON field by field, its text, and what its exit code says.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use grail_console::sandbox::{
    BlockTime, Byzantine, CommitmentSpec, Credentials, Field, HashKind, OPERATOR_UID, SANDBOX_GENESIS, SandboxOptions,
    Scenario, hotkey, owner_coldkey,
};
use serde_json::{Value, json};

use crate::support::house::{House, Ran, is_plain, says};
use crate::support::node::{Node, line, of};
use crate::support::operator::Operator;
use crate::support::pty::Pty;

fn as_operator(house: &House, node: &Node, words: &[&str]) -> Ran {
    house.run(line(words, &node.operator_flags()))
}

fn json(house: &House, node: &Node) -> Value {
    house.run(line(&["status", "--json"], &node.flags())).exits(0).json()
}

fn own_row(document: &Value) -> &Value {
    let own: Vec<_> = document["rows"].as_array().unwrap().iter().filter(|row| row["own"] == true).collect();
    assert_eq!(own.len(), 1);
    own[0]
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn has_keys(value: &Value, contract: &[&str]) {
    let missing: Vec<_> = contract.iter().filter(|key| !keys(value).contains(*key)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {value}");
}

#[test]
fn the_document_says_which_chain_and_which_finalized_block_it_is_about() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let finalized = node.sandbox().finalized();
    let document = json(&house, &node);
    assert_eq!(document["schema"], "grail-console/status/2");
    assert_eq!(document["netuid"], 81);
    let network = json!({
        "name": "SANDBOX",
        "endpoint": node.url(),
        "genesis": format!("0x{}", hex::encode(SANDBOX_GENESIS)),
        "spec_version": 475,
    });
    assert_eq!(document["network"], network);
    let block = &document["block"];
    assert_eq!(block["number"], u64::from(finalized.number()));
    assert_eq!(block["hash"], format!("0x{}", hex::encode(finalized.hash)));
    assert_eq!(block["finalized"], true);
    assert!(block["timestamp_ms"].as_u64().unwrap() > 1_700_000_000_000);
}

#[test]
fn a_row_has_every_field_of_the_contract() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = as_operator(&house, &node, &["status", "--json"]).exits(0).json();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 256);
    for (uid, row) in rows.iter().enumerate() {
        has_keys(row, &["uid", "hotkey", "role", "own", "commitment", "drift"]);
        assert_eq!(row["uid"], uid);
        assert_eq!(row["hotkey"], hotkey(u16::try_from(uid).unwrap()).to_string());
        let role = if uid == 0 {
            "trainer"
        } else if uid < 16 {
            "validator"
        } else {
            "miner"
        };
        assert_eq!(row["role"], role, "uid {uid}");
        assert_eq!(row["own"], uid == 42, "uid {uid}");
        assert_eq!(row["drift"].is_null(), uid != 42, "only the own row is compared");
    }
}

#[test]
fn a_readable_commitment_is_told_in_full_but_for_its_secret() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = json(&house, &node);
    let (head, commitment) = (document["block"]["number"].as_u64().unwrap(), &document["rows"][7]["commitment"]);
    let theirs = Credentials::of(7, 0);
    has_keys(commitment, &["state", "reason", "block", "age_blocks", "predates_registration", "fields", "shape"]);
    assert_eq!(commitment["state"], "readable");
    assert_eq!(commitment["reason"], Value::Null);
    assert_eq!(commitment["fields"], 1);
    assert_eq!(commitment["locator"], theirs.account);
    assert_eq!(commitment["read_key_id"], theirs.read_key_id);
    assert_eq!(commitment["shape"], "r2");
    assert_eq!(commitment["predates_registration"], false);
    assert_eq!(commitment["age_blocks"].as_u64().unwrap(), head - commitment["block"].as_u64().unwrap());
    assert!(!document.to_string().contains(theirs.read_secret.expose()));
}

#[test]
fn who_never_committed_is_none_and_has_neither_block_nor_reason() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = json(&house, &node);
    let commitment = &document["rows"][11]["commitment"];
    assert_eq!(commitment["state"], "none");
    assert_eq!(commitment["fields"], 0);
    for absent in ["reason", "block", "age_blocks", "locator", "read_key_id", "shape"] {
        assert_eq!(commitment[absent], Value::Null, "{absent}");
    }
}

#[test]
fn the_summary_counts_the_rows_and_the_ex_members() {
    for scenario in ["healthy", "drift", "legacy", "first-run", "hostile"] {
        let (house, node) = (House::new(), Node::start(scenario));
        let document = json(&house, &node);
        let of = |state: &str| {
            let rows = document["rows"].as_array().unwrap();
            rows.iter().filter(|row| row["commitment"]["state"] == state).count()
        };
        let ex_members = document["orphans"].as_array().unwrap();
        let counted = json!({
            "uids": 256, "readable": of("readable"), "unreadable": of("unreadable"), "none": of("none"),
            "orphans": ex_members.len(),
        });
        assert_eq!(document["summary"], counted, "{scenario}");
        assert_eq!(of("readable") + of("unreadable") + of("none"), 256, "{scenario}");
        assert!(!ex_members.is_empty(), "{scenario}");
        assert!(ex_members.iter().all(|row| row["uid"].is_null() && row["role"].is_null()), "{scenario}");
        assert!(ex_members.iter().all(|row| row["commitment"]["state"] == "readable"), "{scenario}");
    }
}

#[test]
fn a_commitment_that_is_the_local_one_matches_and_is_healthy() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let document = as_operator(&house, &node, &["status", "--json"]).exits(0).json();
    let drift = &own_row(&document)["drift"];
    assert_eq!(drift["state"], "match");
    assert_eq!(drift["fields"], json!({ "locator": "equal", "read_key_id": "equal", "read_secret": "equal" }));
}

#[test]
fn an_old_key_on_chain_is_drift_and_a_finding() {
    let (house, node) = (House::new(), Node::start("drift"));
    let document = as_operator(&house, &node, &["status", "--json"]).exits(1).json();
    let drift = &own_row(&document)["drift"];
    assert_eq!(drift["state"], "drift");
    assert_eq!(drift["fields"], json!({ "locator": "equal", "read_key_id": "differs", "read_secret": "differs" }));
    let text = as_operator(&house, &node, &["status"]).exits(1).stdout;
    says(&text, &["you: uid 42, validators still read your old key", "▲ drift"]);
}

#[test]
fn without_a_local_read_pair_the_coming_publication_of_the_write_key_is_a_finding() {
    let (house, node) = (House::new(), Node::start("legacy"));
    let document = as_operator(&house, &node, &["status", "--json"]).exits(1).json();
    let drift = &own_row(&document)["drift"];
    assert_eq!(drift["state"], "unknown");
    let fields = json!({ "locator": "equal", "read_key_id": "local_missing", "read_secret": "local_missing" });
    assert_eq!(drift["fields"], fields);
    let text = as_operator(&house, &node, &["status"]).exits(1).stdout;
    says(&text, &["next GRAIL start PUBLISHES YOUR WRITE KEY"]);
    let decides = &document["findings"][0];
    assert_eq!((&decides["code"], &decides["about"]["uid"]), (&json!("own_commitment"), &json!(42)));
    assert!(!decides["help"].as_str().unwrap().contains("commit"), "a commit would be refused: {decides:#}");
}

#[test]
fn a_published_write_key_is_a_finding_whatever_is_configured() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let published = Credentials::of(OPERATOR_UID, 0).write_commitment();
    node.commit([(OPERATOR_UID, CommitmentSpec::raw(published))]);
    let ran = as_operator(&house, &node, &["status"]).exits(1);
    says(&ran.stdout, &["your WRITE key is published"]);
}

#[test]
fn a_missing_own_commitment_is_drift_when_there_is_something_to_commit() {
    let (house, node) = (House::new(), Node::start("first-run"));
    let env = house.write("work/grail.env", env_of(&Credentials::of(OPERATOR_UID, 0)));
    let own = ["--hotkey".to_owned(), hotkey(OPERATOR_UID).to_string(), "--env-file".to_owned(), path(&env)];
    let flags: Vec<_> = node.flags().into_iter().chain(own).collect();
    let document = house.run(line(&["status", "--json"], &flags)).exits(1).json();
    let fields = json!({ "locator": "chain_missing", "read_key_id": "chain_missing", "read_secret": "chain_missing" });
    assert_eq!(own_row(&document)["drift"]["state"], "drift");
    assert_eq!(own_row(&document)["drift"]["fields"], fields);
}

#[test]
fn an_unreadable_own_commitment_is_a_finding() {
    let (house, node) = (House::new(), Node::start("healthy"));
    node.commit([(OPERATOR_UID, CommitmentSpec::raw("x".repeat(127)))]);
    let document = as_operator(&house, &node, &["status", "--json"]).exits(1).json();
    assert_eq!(own_row(&document)["commitment"]["reason"], "wrong_length");
    says(&as_operator(&house, &node, &["status"]).exits(1).stdout, &["you: uid 42, unreadable, validators skip you"]);
}

#[test]
fn somebody_who_only_watches_gets_rows_without_a_comparison() {
    let (house, node) = (House::new(), Node::start("first-run"));
    let document = json(&house, &node);
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["own"] == false && row["drift"].is_null()));
    let text = house.run(line(&["status"], &node.flags())).exits(0).stdout;
    says(&text, &["no own hotkey configured", "--wallet and --hotkey"]);
}

#[test]
fn every_way_in_which_grail_drops_a_commitment_has_its_reason() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let of = |field: Field| CommitmentSpec::Fields(vec![field]);
    let mut not_utf8 = vec![b'a'; 128];
    not_utf8[5] = 0xff;
    let blank_key = format!("{:32}{:32}{}", "bucket", "", "s".repeat(64));
    let odd = [
        ("no_field", CommitmentSpec::Fields(Vec::new())),
        ("no_bytes", of(Field::None)),
        ("no_bytes", of(Field::ResetBondsFlag)),
        ("hash", of(Field::Hash(HashKind::Sha256, [7; 32]))),
        ("hash", of(Field::Hash(HashKind::Keccak256, [7; 32]))),
        ("timelock", of(Field::Timelock { encrypted: vec![1, 2, 3], round: 9 })),
        ("wrong_length", CommitmentSpec::raw("too short")),
        ("wrong_length", of(Field::BigRaw(vec![b'a'; 200]))),
        ("not_utf8", of(Field::Raw(not_utf8))),
        ("blank_part", CommitmentSpec::raw(blank_key)),
        ("undecodable", CommitmentSpec::Stored(vec![1, 2, 3])),
    ];
    node.commit((100..).zip(odd.iter().map(|(_, spec)| spec.clone())));
    let document = json(&house, &node);
    for (uid, (reason, spec)) in (100..).zip(&odd) {
        let commitment = &document["rows"][uid]["commitment"];
        assert_eq!(commitment["state"], "unreadable", "{spec:?}");
        assert_eq!(commitment["reason"], *reason, "{spec:?}");
        assert!(commitment["locator"].is_null() && commitment["shape"].is_null(), "{spec:?}");
    }
    assert_eq!(document["summary"]["unreadable"], odd.len());
}

#[test]
fn every_odd_commitment_of_the_hostile_scenario_is_judged() {
    let (house, node) = (House::new(), Node::start("hostile"));
    let rows = &json(&house, &node)["rows"];
    let reasons = [
        (16, "not_utf8"),
        (17, "wrong_length"),
        (20, "blank_part"),
        (23, "hash"),
        (27, "timelock"),
        (28, "no_bytes"),
        (29, "no_bytes"),
        (30, "no_field"),
        (38, "undecodable"),
    ];
    for (uid, reason) in reasons {
        assert_eq!(rows[uid]["commitment"]["state"], "unreadable", "uid {uid}");
        assert_eq!(rows[uid]["commitment"]["reason"], reason, "uid {uid}");
    }
    for uid in [44, 47, 54, 66, 71] {
        assert_eq!(rows[uid]["commitment"]["state"], "readable", "uid {uid}: GRAIL's rule accepts it");
        assert_eq!(rows[uid]["commitment"]["shape"], "foreign", "uid {uid}");
    }
    assert_eq!(rows[77]["commitment"]["predates_registration"], true);
    for filter in ["reason:timelock", "state:foreign", "state:several", "state:predates"] {
        let ran = house.run(line(&["status", "--json", "--filter", filter], &node.flags())).exits(0);
        assert!(!ran.json()["rows"].as_array().unwrap().is_empty(), "{filter}");
    }
}

#[test]
fn a_readable_commitment_of_another_shape_is_foreign() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let of_aws = format!("{:32}{:32}{:64}", "my-bucket", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG");
    node.commit([(77, CommitmentSpec::raw(of_aws))]);
    let commitment = &json(&house, &node)["rows"][77]["commitment"];
    assert_eq!(commitment["state"], "readable");
    assert_eq!(commitment["shape"], "foreign");
    assert_eq!(commitment["locator"], "my-bucket");
    assert_eq!(commitment["read_key_id"], "AKIAIOSFODNN7EXAMPLE");
}

#[test]
fn several_fields_are_counted_and_the_first_is_the_one_that_is_read() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let readable = Field::Raw(Credentials::of(90, 0).read_commitment().into_bytes());
    let other = Field::Raw(b"something else".to_vec());
    node.commit([
        (90, CommitmentSpec::Fields(vec![readable.clone(), other.clone()])),
        (91, CommitmentSpec::Fields(vec![other, readable])),
    ]);
    let rows = &json(&house, &node)["rows"];
    assert_eq!((&rows[90]["commitment"]["fields"], &rows[90]["commitment"]["state"]), (&json!(2), &json!("readable")));
    assert_eq!(
        (&rows[91]["commitment"]["fields"], &rows[91]["commitment"]["state"]),
        (&json!(2), &json!("unreadable"))
    );
}

#[test]
fn a_commitment_from_before_the_registration_says_so() {
    let (house, node) = (House::new(), Node::start("healthy"));
    node.sandbox().register(50, hotkey(50));
    node.blocks(3);
    let rows = &json(&house, &node)["rows"];
    assert_eq!(rows[50]["commitment"]["predates_registration"], true);
    assert_eq!(rows[51]["commitment"]["predates_registration"], false);
    let text = house.run(line(&["status"], &node.flags())).exits(0).stdout;
    let of_50 = text.lines().find(|line| line.starts_with("50 ")).unwrap();
    says(of_50, &["before this registration"]);
}

#[test]
fn a_filter_picks_rows_and_the_summary_still_counts_all() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let filtered = |filter: &str| {
        let ran = as_operator(&house, &node, &["status", "--json", "--filter", filter]).exits(0);
        let document = ran.json();
        assert_eq!(document["summary"]["uids"], 256);
        let uids = document["rows"].as_array().unwrap().iter().map(|row| row["uid"].as_u64().unwrap());
        (uids.collect::<Vec<_>>(), document["orphans"].as_array().unwrap().len())
    };
    assert_eq!(filtered("state:none"), (vec![11, 23, 64, 99, 130, 171, 202, 240], 0));
    assert_eq!(filtered("role:trainer"), (vec![0], 0));
    assert_eq!(filtered("own:yes"), (vec![42], 0));
    assert_eq!(filtered("state:orphan"), (vec![], 2));
    assert_eq!(filtered("role:validator state:none"), (vec![11], 0));
    assert_eq!(filtered(&hotkey(9).to_string()), (vec![9], 0));
    let text = as_operator(&house, &node, &["status", "--filter", "state:unreadable"]).exits(0).stdout;
    says(&text, &["no row matches"]);
}

#[test]
fn a_filter_that_means_nothing_names_what_there_is() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let ran = as_operator(&house, &node, &["status", "--filter", "state:broken"]).exits(2);
    says(ran.error(), &["--filter", "state:broken is unknown", "unreadable"]);
    let ran = as_operator(&house, &node, &["status", "--filter", "stake:5"]).exits(2);
    says(ran.error(), &["there is no filter stake:", "state:", "role:"]);
}

#[test]
fn the_text_names_network_block_counts_and_every_row_with_its_word() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let text = as_operator(&house, &node, &["status"]).exits(0).stdout;
    says(&text, &["SANDBOX · subnet 81", "finalized", node.url(), "spec 475"]);
    says(&text, &["256 uids", "✓ 248 readable", "✗ 0 unreadable", "○ 8 none", "+ 2 ex-members"]);
    let (house, node) = (House::new(), Node::with_uids("drift", 64));
    says(&house.run(line(&["status"], &node.flags())).exits(0).stdout, &["+ 1 ex-member\n"]);
    says(&text, &["UID", "HOTKEY", "ROLE", "COMMITMENT", "READ KEY", "SET AT"]);
    says(&text, &["you: uid 42, chain and local agree"]);
    let words = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    says(words("0 "), &["trainer", "✓ readable"]);
    says(words("11 "), &["validator", "○ none", "never"]);
    says(words("42 "), &["● you", "✓ readable"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("+ ") && line.contains("ex-member")).count(), 2);
}

#[test]
fn piped_text_holds_no_escape_sequence() {
    let (house, node) = (House::new(), Node::start("hostile"));
    is_plain(&as_operator(&house, &node, &["status"]).stdout);
    is_plain(&as_operator(&house, &node, &["status", "--json"]).stdout);
}

#[test]
fn on_a_terminal_there_is_colour_unless_somebody_objects() {
    let node = Node::with_uids("healthy", 12);
    let written = |house: House| {
        let left = Pty::open(&house, line(&["status"], &node.flags())).left();
        assert_eq!(left.status.exit_code(), 0, "{}", left.screen);
        says(&left.screen, &["12 uids", "readable"]);
        left.bytes.contains(&0x1b)
    };
    assert!(written(House::new()), "an ordinary terminal is shown colours");
    assert!(!written(House::new().with("NO_COLOR", "1")));
    assert!(!written(House::new().with("TERM", "dumb")));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let (house, node) = (House::new(), Node::start("healthy"));
    for words in [&["status"][..], &["status", "--json"]] {
        let mut command = house.console(line(words, &node.operator_flags()));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let ran = Ran::ended(child).exits(0);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn an_old_head_is_warned_of_beside_the_table() {
    let options =
        SandboxOptions { uids: 12, block_time: BlockTime::Manual, now_ms: Some(1_700_000_000_000), ..of("healthy") };
    let (house, node) = (House::new(), Node::with(options));
    let ran = house.run(line(&["status"], &node.flags()));
    says(&ran.stdout, &["12 uids"]);
    says(&ran.stderr, &["The newest finalized block is", "old", "--endpoint"]);
    assert_eq!(json(&house, &node)["findings"][0]["code"], "stale_head");
}

#[test]
fn an_own_hotkey_that_is_not_on_the_subnet_is_said() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let stranger = ["--hotkey".to_owned(), hotkey(200).to_string()];
    let flags: Vec<_> = node.flags().into_iter().chain(stranger).collect();
    let ran = house.run(line(&["status"], &flags)).exits(1);
    says(&ran.stdout, &["is not registered on this subnet"]);
}

/// A `.env` with both pairs.
pub fn env_of(credentials: &Credentials) -> String {
    let lines = [
        ("BT_NETUID", "81"),
        ("R2_ACCOUNT_ID", credentials.account.as_str()),
        ("R2_BUCKET_ID", credentials.account.as_str()),
        ("R2_READ_ACCESS_KEY_ID", credentials.read_key_id.as_str()),
        ("R2_READ_SECRET_ACCESS_KEY", credentials.read_secret.expose()),
        ("R2_WRITE_ACCESS_KEY_ID", credentials.write_key_id.as_str()),
        ("R2_WRITE_SECRET_ACCESS_KEY", credentials.write_secret.expose()),
    ];
    lines.map(|(name, value)| [name, "=", value, "\n"].concat()).concat()
}

pub fn path(path: &std::path::Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_wrong_with_the_own_row_is_compared_before_anything_is_advised() {
    let operator = Operator::by_hand();
    operator.node.commit([(42, CommitmentSpec::raw(Credentials::of(42, 0).read_commitment()))]);
    operator.run(&["status"]).exits(0);
    operator.node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(42)));
    // With and without a second source: the node's own proof tells.
    let witness = vec!["--witness".to_owned(), operator.node.sandbox().witness_url().to_owned()];
    for flags in [operator.flags(), [operator.flags(), witness].concat()] {
        for words in [&["status"][..], &["show", "42"]] {
            let ran = operator.house.run(line(words, &flags)).exits(1);
            let said = ran.stdout + &ran.stderr;
            says(&said, &["disagree", "The first is proven wrong", "Use another node with --endpoint"]);
            for misleading in ["other secret", "rolled in place", "Create a new token", "See what would change"] {
                assert!(!said.contains(misleading), "{words:?}: {misleading} in\n{said}");
            }
        }
    }
}

#[test]
fn it_says_whose_subnet_it_is_and_calmly_when_that_is_not_grail_s() {
    let named = |name: &str| {
        let scenario =
            Scenario::parse("named", &format!("description = \"a name\"\n[subnet]\nname = \"{name}\"\n")).unwrap();
        Node::with(SandboxOptions { uids: 16, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) })
    };
    let (house, node) = (House::new(), named("GRAIL"));
    let document = json(&house, &node);
    let owner = owner_coldkey(81).to_string();
    assert_eq!((&document["subnet"]["name"], &document["subnet"]["owner"]), (&json!("GRAIL"), &json!(owner)));
    assert_eq!(document["findings"], json!([]));
    says(&house.run(line(&["status"], &node.flags())).exits(0).stdout, &["subnet 81 ‹GRAIL› ·"]);
    let doctor = house.run(line(&["doctor"], &node.flags())).stdout;
    says(&doctor, &["subnet 81 ‹GRAIL› · owner", &owner, "registered at #5,000,081"]);

    let (house, node) = (House::new(), named("Another \\u001b[31mproject"));
    let ran = house.run(line(&["status"], &node.flags())).exits(0);
    let said = ran.stdout + &ran.stderr;
    says(&said, &["Subnet 81 is called ‹Another", "which is not GRAIL's name", "name yours with --netuid"]);
    assert!(!said.contains('\u{1b}'));
    let document = json(&house, &node);
    assert_eq!((&document["exit"], &document["findings"][0]["code"]), (&json!(0), &json!("other_subnet")));

    // A subnet without an identity has no name, and nothing is said of it.
    let (house, node) = (House::new(), named(""));
    let document = json(&house, &node);
    assert_eq!((&document["subnet"]["name"], &document["findings"]), (&Value::Null, &json!([])));
}

#[test]
fn an_ex_members_new_hotkey_is_named_and_a_vanished_row_is_not_called_revoked() {
    let more = "[[former_member]]\nindex = 0\nsuccessor = 3\n";
    let operator = Operator::among(more, 64, BlockTime::Manual);
    let left = json(&operator.house, &operator.node)["orphans"][0].clone();
    let successor = hotkey(3).to_string();
    assert_eq!((&left["uid"], &left["successor"]), (&Value::Null, &json!(successor)));
    let left = left["hotkey"].as_str().unwrap().to_owned();
    says(&operator.run(&["show", &left]).stdout, &["ex-member", "successor", &successor]);
    assert_eq!(operator.run(&["show", &left, "--json"]).json()["row"]["successor"], json!(successor));
    // Nobody of this hotkey is on the subnet, and its commitment, if it had one, is forgotten.
    let nobody = operator.run(&["show", &hotkey(5_000).to_string()]).exits(2).stderr;
    says(&nobody, &["neither as a member nor as an ex-member", "which revokes no key: archives keep it"]);
}
