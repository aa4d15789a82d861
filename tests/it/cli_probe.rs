//! `probe` and `visible` as processes: the contract of their documents, what they say to people, their exit codes.

use std::collections::BTreeSet;

use grail_console::domain::probe::Verdict;
use grail_console::sandbox::{
    BucketFault, CommitmentSpec, Credentials, OPERATOR_UID, Sandbox, TRAINER_UID, VALIDATORS, hotkey,
};
use serde_json::{Value, json};

use crate::support::bench::window_name;
use crate::support::house::{House, Ran, is_plain, says};
use crate::support::node::{Node, line};

/// Somebody at a practice node with its store.
struct Shell {
    house: House,
    node: Node,
}

impl Shell {
    fn new(scenario: &str) -> Self {
        Self { house: House::new(), node: Node::with_uids(scenario, 64) }
    }

    fn sandbox(&self) -> &Sandbox {
        self.node.sandbox()
    }

    fn fault(&self, uid: u16, fault: BucketFault) {
        self.sandbox().s3().set_fault(uid, Some(fault));
    }

    fn with_store(&self, flags: Vec<String>) -> Vec<String> {
        [flags, vec!["--s3-endpoint".to_owned(), self.sandbox().s3_url().to_owned()]].concat()
    }

    /// As the operator, whose uid is 42.
    fn run(&self, words: &[&str]) -> Ran {
        self.house.run(line(words, &self.with_store(self.node.operator_flags())))
    }

    /// As somebody who only looks.
    fn look(&self, words: &[&str]) -> Ran {
        self.house.run(line(words, &self.with_store(self.node.flags())))
    }

    /// The last complete window at the finalized head.
    fn newest(&self) -> u64 {
        u64::from(self.sandbox().finalized().number()) / 30 * 30 - 30
    }
}

fn results(document: &Value) -> &[Value] {
    document["results"].as_array().unwrap()
}

fn verdict_of(document: &Value, uid: u16) -> &str {
    let result = results(document).iter().find(|result| result["uid"] == uid).unwrap();
    result["verdict"].as_str().unwrap()
}

#[test]
fn a_result_has_every_field_of_the_contract() {
    let shell = Shell::new("healthy");
    shell.fault(18, BucketFault::WrongSecret);
    let document = shell.look(&["probe", "17", "18", "--json"]).exits(1).json();
    assert_eq!((&document["schema"], &document["netuid"]), (&json!("grail-console/probe/2"), &json!(81)));
    let uids: Vec<_> = results(&document).iter().map(|result| result["uid"].clone()).collect();
    assert_eq!(uids, [17, 18], "in the order in which they were asked for");
    let contract = [
        "uid",
        "hotkey",
        "verdict",
        "blame",
        "window",
        "object",
        "size",
        "last_modified",
        "elapsed_ms",
        "steps",
        "explanation",
        "fix",
    ];
    for result in results(&document) {
        let missing: Vec<_> = contract.iter().filter(|field| result.get(field).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} missing in {result}");
        assert_eq!(result["window"], shell.newest());
        for step in result["steps"].as_array().unwrap() {
            assert!(["step", "http", "code", "message", "ms"].iter().all(|field| step.get(field).is_some()), "{step}");
        }
    }
    let (good, bad) = (&results(&document)[0], &results(&document)[1]);
    assert_eq!((&good["verdict"], &good["blame"], &good["fix"]), (&json!("ok"), &Value::Null, &json!("")));
    assert_eq!(bad["blame"], "holder");
    assert_eq!(
        (&good["hotkey"], &good["object"]),
        (&json!(hotkey(17).to_string()), &json!(window_name(17, shell.newest())))
    );
    assert!(good["size"].as_u64().unwrap() >= 20_000 && good["last_modified"].is_string());
    assert_eq!(bad["verdict"], "auth_bad_secret");
    assert_eq!((&bad["size"], &bad["last_modified"]), (&Value::Null, &Value::Null));
    let steps: Vec<_> = bad["steps"].as_array().unwrap().iter().map(|s| (&s["step"], &s["http"], &s["code"])).collect();
    let (no, code) = (json!(403), json!("SignatureDoesNotMatch"));
    assert_eq!(
        steps,
        [(&json!("head_gz"), &no, &Value::Null), (&json!("head"), &no, &Value::Null), (&json!("get_byte"), &no, &code)]
    );
    assert!(bad["fix"].as_str().unwrap().starts_with("Only the holder of uid 18 can mend it: "));
}

#[test]
fn the_own_bucket_is_told_in_full() {
    let shell = Shell::new("healthy");
    let ran = shell.run(&["probe", "42"]).exits(0);
    says(&ran.stdout, &["uid 42", "✓ on time", "(ok, ", "A validator would take window", "HEAD .parquet.gz", "200"]);
    says(&ran.stdout, &[&window_name(OPERATOR_UID, shell.newest()), "uploaded ", "deadline "]);
    is_plain(&ran.stdout);
    shell.fault(OPERATOR_UID, BucketFault::KeyUnknown);
    let ran = shell.run(&["probe", "42"]).exits(1);
    says(&ran.stdout, &["✗ unknown key", "→ Check the token; wait a minute", "Unauthorized", "GET 1 byte"]);
}

#[test]
fn somebody_is_named_by_uid_or_hotkey_and_tested_once() {
    let shell = Shell::new("healthy");
    let address = hotkey(20).to_string();
    let document = shell.look(&["probe", "20", &address, "20", "--json"]).exits(0).json();
    assert_eq!(results(&document).len(), 1);
}

#[test]
fn ex_members_can_be_tested_by_their_hotkey() {
    let shell = Shell::new("healthy");
    let status = shell.look(&["status", "--json"]).exits(0).json();
    let former = status["orphans"][0]["hotkey"].as_str().unwrap().to_owned();
    let document = shell.look(&["probe", &former, "--json"]).exits(1).json();
    let result = &results(&document)[0];
    assert_eq!((&result["uid"], &result["verdict"]), (&Value::Null, &json!("no_object")));
    assert_eq!(result["risks"], json!([{ "risk": "ex_member" }]));
    says(&shell.look(&["probe", &former]).exits(1).stdout, &["ex-member", "only revoking the token closes the bucket"]);
}

#[test]
fn a_sweep_tests_everybody_and_counts_the_verdicts() {
    let shell = Shell::new("healthy");
    shell.fault(20, BucketFault::Late);
    let document = shell.look(&["probe", "--all", "--json"]).exits(0).json();
    let uids: Vec<_> = results(&document).iter().map(|result| result["uid"].as_u64().unwrap()).collect();
    assert_eq!(uids, (0..64).collect::<Vec<_>>());
    assert_eq!((verdict_of(&document, 11), verdict_of(&document, 20)), ("no_commitment", "late"));
    let others = results(&document).iter().filter(|result| result["verdict"] == "ok").count();
    assert_eq!(others, 61);
    let ran = shell.look(&["probe", "--all"]).exits(0);
    says(&ran.stdout, &["✓ 61 on time", "! 1 late", "○ 2 no commitment", "READ TEST", "WHY"]);
    assert!(ran.stdout.lines().count() >= 64, "a line each");
    let last: Vec<_> = ran.stdout.trim_end().lines().rev().take(5).collect();
    assert!(last[0].contains("✓ 61 on time"), "the totals stand at the end: {last:?}");
    assert!(last[2].contains("! late"), "the bad one before: {last:?}");
    // Who has published nothing has no bucket that could be bad.
    let failed = shell.look(&["probe", "--all", "--failed"]).exits(0).stdout;
    assert!(failed.contains("! late") && !failed.contains("✓ on time"), "{failed}");
    says(&failed, &["✓ 61 on time", "! 1 late", "○ 2 no commitment"]);
    assert_eq!(failed.lines().filter(|line| line.contains("no commitment")).count(), 1, "the totals alone: {failed}");
    let failed = shell.look(&["probe", "--all", "--failed", "--json"]).exits(0).json();
    assert_eq!(results(&failed).iter().map(|result| &result["uid"]).collect::<Vec<_>>(), [20]);
    shell.look(&["probe", "20", "--failed"]).exits(2);
    shell.look(&["probe", "--all", "--strict"]).exits(1);
}

#[test]
fn a_sweep_in_which_all_pass_is_healthy_and_a_filter_chooses_who_is_tested() {
    let shell = Shell::new("healthy");
    shell.fault(20, BucketFault::Late);
    let document = shell.look(&["probe", "--filter", "role:validator state:readable", "--json"]).exits(0).json();
    let uids: BTreeSet<_> = results(&document).iter().map(|result| result["uid"].as_u64().unwrap()).collect();
    let validators = u64::from(TRAINER_UID) + 1..u64::from(VALIDATORS);
    assert_eq!(uids, validators.filter(|uid| *uid != 11).collect(), "uid 11 never committed");
    shell.look(&["probe", "--filter", "role:validator state:readable", "--strict"]).exits(0);
    for whom in ["role:validator", "role:miner"] {
        shell.look(&["probe", "--filter", whom]).exits(0);
        shell.look(&["probe", "--filter", whom, "--strict"]).exits(1);
    }
    let nobody = shell.look(&["probe", "--filter", "5F_nobody_is_called_so"]).exits(0);
    says(&nobody.stdout, &["nobody matches, nothing was tested"]);
}

#[test]
fn every_uid_of_r2_faults_has_the_verdict_that_its_row_announces() {
    let shell = Shell::new("r2-faults");
    // Who is slow to fail is left to other tests, so that nobody waits for it here.
    for uid in [35, 36] {
        shell.sandbox().s3().set_fault(uid, None);
    }
    let document = shell.look(&["probe", "--all", "--json"]).exits(0).json();
    for (uid, verdict) in [
        (11, "no_commitment"),
        (16, "malformed"),
        (17, "auth_unknown_key"),
        (18, "auth_bad_secret"),
        (19, "scope_denied"),
        (20, "ok"),
        (21, "ok"),
        (22, "no_bucket"),
        (23, "provider_error"),
        (24, "no_object"),
        (25, "late"),
        (26, "bad_size"),
        (27, "bad_size"),
        (28, "ok"),
        (29, "throttled"),
        (30, "provider_error"),
        (31, "provider_error"),
        (32, "clock_skew"),
        (33, "clock_skew"),
        (34, "ok"),
        (37, "provider_error"),
        (38, "ok"),
        (39, "ok"),
        (40, "ok"),
        (41, "malformed"),
        (42, "ok"),
    ] {
        assert_eq!(verdict_of(&document, uid), verdict, "uid {uid}");
    }
    let names: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
    assert!(results(&document).iter().all(|result| names.contains(&result["verdict"].as_str().unwrap())));
}

#[test]
fn what_makes_no_sense_is_usage() {
    let shell = Shell::new("healthy");
    for (words, message) in [
        (&["probe"][..], "name uids or hotkeys, or --all"),
        (&["probe", "20", "--all"], "name uids or hotkeys, or --all and --filter: not both"),
        (&["probe", "999"], "uid 999 is not on subnet 81"),
        (&["probe", "70000"], "70000 is no uid"),
        (&["probe", "nobody"], "nobody"),
        (&["probe", "--filter", "state:odd"], "--filter: "),
    ] {
        says(shell.look(words).exits(2).error(), &[message]);
        let json = shell.look(&[words, &["--json"]].concat()).exits(2).json();
        assert_eq!(json["findings"][0]["code"], "usage", "{json}");
    }
    shell.look(&["probe", "--all", "--list"]).exits(2);
    assert!(shell.sandbox().s3().requests().is_empty(), "nothing was tested");
}

#[test]
fn without_the_chain_there_are_no_keys_to_test_with() {
    let shell = Shell::new("healthy");
    shell.node.wait(shell.sandbox().faults().refuse_connections()).unwrap();
    shell.look(&["probe", "20"]).exits(4).error();
    shell.look(&["probe", "20", "--json"]).exits(4).json();
    shell.run(&["visible"]).exits(4);
    assert!(shell.sandbox().s3().requests().is_empty());
}

#[test]
fn a_listing_is_part_of_the_document_and_a_refused_one_says_why() {
    let shell = Shell::new("healthy");
    shell.sandbox().s3().place(20, "grail/notes\u{202e}\u{9b}2J", 5, 1_000);
    let document = shell.look(&["probe", "20", "21", "--list", "--json"]).exits(0).json();
    let listing = results(&document)[0]["listing"].as_array().unwrap();
    assert!(listing.contains(&json!(window_name(20, shell.newest()))), "{listing:?}");
    assert!(listing.contains(&json!("grail/notes\\u{202e}\\u{9b}2J")), "{listing:?}");
    let ran = shell.look(&["probe", "20", "--list"]).exits(0);
    says(&ran.stdout, &[" names under grail/", "grail/notes\\u{202e}\\u{9b}2J"]);
    is_plain(&ran.stdout);
    shell.fault(20, BucketFault::KeyUnknown);
    let document = shell.look(&["probe", "20", "--list", "--json"]).exits(1).json();
    let result = &results(&document)[0];
    assert!(result.get("listing").is_none() && result["listing_refused"].is_string(), "{result}");
    says(&shell.look(&["probe", "20", "--list"]).exits(1).stdout, &["the listing was refused: "]);
}

#[test]
fn visible_is_a_sentence_its_checks_and_twelve_windows() {
    let shell = Shell::new("healthy");
    let ran = shell.run(&["visible"]).exits(0);
    says(&ran.stdout, &["✓ A validator would see you now. Window ", "✓ registered", "✓ commitment readable"]);
    says(&ran.stdout, &["before the deadline", "about "]);
    is_plain(&ran.stdout);
    let document = shell.run(&["visible", "--json"]).exits(0).json();
    assert_eq!(document["schema"], "grail-console/visible/2");
    assert_eq!((&document["visible"], &document["uid"]), (&json!(true), &json!(42)));
    assert_eq!(document["windows"].as_array().unwrap().len(), 12);
    assert_eq!(document["windows"][0]["window"], shell.newest());
    assert_eq!(document["probe"]["verdict"], "ok");
    let checks = document["checks"].as_array().unwrap();
    let open: Vec<_> = checks.iter().filter(|check| check["standing"] != "yes").map(|check| &check["check"]).collect();
    assert_eq!(open, [&json!("format")], "what is compressed is not unpacked");
    let place = format!("this machine, region us-east-1, endpoint {}", shell.sandbox().s3_url());
    assert_eq!(document["seen_from"], place);
    says(&ran.stdout, &[&format!("as seen from {place}")]);
    assert_eq!((&document["standing"], &document["out_of_time"]), (&json!("yes"), &json!(false)));
    assert!(document["seconds"].is_f64(), "{document}");
    says(&ran.stdout, &["asked in ", " s, 60 s at most"]);
    says(&shell.look(&["visible", "--help"]).exits(0).stdout, &["60 s at most"]);
}

#[test]
fn what_could_not_be_found_out_is_neither_yes_nor_no() {
    let shell = Shell::new("healthy");
    shell.fault(OPERATOR_UID, BucketFault::Throttled);
    let ran = shell.run(&["visible"]).exits(8);
    says(&ran.stdout, &["? Whether a validator would see you now could not be found out."]);
    let document = shell.run(&["visible", "--json"]).exits(8).json();
    assert_eq!((&document["visible"], &document["standing"]), (&Value::Null, &json!("unknown")));
    says(&ran.stdout, &["A validator that asks right now may get the same, and then counts no window."]);
}

#[test]
fn who_is_not_visible_is_told_why_and_what_to_do() {
    let shell = Shell::new("healthy");
    shell.fault(OPERATOR_UID, BucketFault::Late);
    let ran = shell.run(&["visible"]).exits(1);
    says(&ran.stdout, &["✗ A validator would not see you now: window ", "after its deadline", "→ Upload earlier"]);
    let document = shell.run(&["visible", "--json"]).exits(1).json();
    assert_eq!((&document["visible"], &document["probe"]["verdict"]), (&json!(false), &json!("late")));
    says(shell.look(&["visible"]).exits(2).error(), &["No own hotkey is known", "--hotkey"]);
}

#[test]
fn nothing_that_others_wrote_moves_the_terminal_of_who_tests() {
    let shell = Shell::new("hostile");
    for uid in 0..64 {
        shell.fault(uid, BucketFault::EscapeCodes);
    }
    shell.fault(OPERATOR_UID, BucketFault::EscapeCodes);
    let hostile = format!("{}\u{202e}\u{1b}[2J", "x".repeat(122));
    shell.node.commit([(20, CommitmentSpec::raw(&hostile.as_bytes()[..128.min(hostile.len())]))]);
    for words in [&["probe", "--all"][..], &["probe", "20", "21", "33", "34"], &["visible"], &["probe", "42", "--list"]]
    {
        let ran = shell.run(words);
        is_plain(&ran.stdout);
        is_plain(&ran.stderr);
        let ran = shell.run(&[words, &["--json"]].concat());
        let odd = |c: char| c.is_control() && c != '\n';
        assert!(!ran.stdout.contains(odd), "{words:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_not_for_no_color() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm-256color")] {
        let shell = Shell { house: House::new().with(name, value), node: Node::with_uids("healthy", 64) };
        is_plain(&shell.run(&["probe", "42"]).exits(0).stdout);
        is_plain(&shell.run(&["visible"]).exits(0).stdout);
    }
}

#[test]
fn what_is_published_is_tested_and_not_what_is_configured() {
    let shell = Shell::new("drift");
    let document = shell.run(&["probe", "42", "--json"]).exits(0).json();
    assert_eq!(verdict_of(&document, 42), "ok");
    let keys: BTreeSet<_> = shell.sandbox().s3().requests().into_iter().filter_map(|seen| seen.access_key_id).collect();
    assert_eq!(keys, BTreeSet::from([Credentials::of(OPERATOR_UID, 1).read_key_id]));
}

/// A shell whose way to the store ends before the store.
fn cut_off(shell: &Shell, words: &[&str]) -> Ran {
    let flags =
        [shell.node.operator_flags(), ["--s3-endpoint", "http://127.0.0.1:1"].map(str::to_owned).to_vec()].concat();
    shell.house.run(line(words, &flags))
}

#[test]
fn a_sweep_that_fails_here_is_stopped_with_one_finding() {
    let shell = Shell::new("healthy");
    let document = cut_off(&shell, &["probe", "--all", "--json"]).exits(8).json();
    let tested = results(&document);
    assert!((8..40).contains(&tested.len()), "{} were tested", tested.len());
    assert!(tested.iter().all(|result| result["blame"] != "holder" || result["verdict"] == "no_commitment"));
    let findings: Vec<_> = document["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    assert!(findings.contains(&&json!("sweep_stopped")), "{findings:?}");
    says(
        &cut_off(&shell, &["probe", "--all", "--strict"]).exits(8).stderr,
        &["The sweep was stopped: 8 tests in a row"],
    );
}

#[test]
fn of_a_store_that_was_not_reached_nothing_is_known() {
    let shell = Shell::new("healthy");
    let document = cut_off(&shell, &["probe", "20", "--json"]).exits(8).json();
    assert_eq!((verdict_of(&document, 20), &results(&document)[0]["blame"]), ("tcp", &json!("network")));
    let document = cut_off(&shell, &["visible", "--json"]).exits(8).json();
    assert_eq!((&document["visible"], &document["standing"]), (&Value::Null, &json!("unknown")));
    let ran = cut_off(&shell, &["visible"]).exits(8);
    says(&ran.stdout, &["? Whether a validator would see you now could not be found out.", "region us-east-1"]);
    let ran = cut_off(&shell, &["self-test"]).exits(8);
    says(&ran.stdout, &["? Whether your keys do what they should is not known", "Check this machine's connection"]);
    assert!(!ran.stdout.contains('✓') && !ran.stdout.contains('✗'), "{}", ran.stdout);
}
