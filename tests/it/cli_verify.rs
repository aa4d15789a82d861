//! `verify` as a process, and what rests on it: a commit and a rotation wait while sources contradict each other.

use grail_console::sandbox::{BucketFault, Byzantine, CommitmentSpec, Credentials, OPERATOR_UID};
use serde_json::{Value, json};

use crate::canary::Canaries;
use crate::cli_rotate::document;
use crate::support::house::{House, Ran, is_plain, says};
use crate::support::node::{Node, line};
use crate::support::operator::Operator;
use crate::support::rotating::{NEW, Rotating};

/// Somebody who only looks, at a practice node whose commitments were made lately.
struct Shell {
    house: House,
    node: Node,
}

impl Shell {
    fn new() -> Self {
        Self { house: House::new(), node: Node::with_uids("provenance", 64) }
    }

    fn run(&self, words: &[&str]) -> Ran {
        let witness = vec!["--witness".to_owned(), self.node.sandbox().witness_url().to_owned()];
        self.house.run(line(words, &[self.node.flags(), witness].concat()))
    }

    fn alone(&self, words: &[&str]) -> Ran {
        self.house.run(line(words, &self.node.flags()))
    }
}

fn result(document: &Value, uid: u16) -> Value {
    let results = document["results"].as_array().unwrap();
    results.iter().find(|result| result["uid"] == uid).unwrap().clone()
}

#[test]
fn a_signature_is_looked_at_also_where_nobody_else_can_be_asked() {
    let shell = Shell::new();
    let alone = result(&shell.alone(&["verify", "5", "--json"]).exits(0).json(), 5);
    assert_eq!((&alone["level"], &alone["reason"]), (&json!("reported"), &json!("no_witness")));
    assert_eq!(alone["evidence"], json!({ "agreed": "unknown", "proven": "yes", "signed": "yes" }));
    assert!(alone["signature"].is_object());
    let text = shell.alone(&["verify", "5"]).exits(0).stdout;
    says(&text, &["agreed unknown · proven yes · signed yes"]);
}

/// The read test of a uid, as a document, and its one result.
fn probed(ran: &Ran) -> (Value, Value) {
    let document = ran.json();
    (document.clone(), document["results"][0].clone())
}

#[test]
fn a_key_that_the_node_forged_is_laid_on_nobody_else() {
    let shell = Shell::new();
    let store = shell.node.sandbox().s3_url().to_owned();
    let words = ["probe", "20", "--json", "--s3-endpoint", &store];
    shell.node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(20)));
    for ran in [shell.run(&words), shell.alone(&words)] {
        let (document, result) = probed(&ran.exits(8));
        assert_eq!((&result["blame"], &result["confirmed"]), (&json!("unknown"), &json!(false)), "{result:#}");
        assert!(result["explanation"].as_str().unwrap().starts_with("Not known: "), "{result:#}");
        assert!(!result["fix"].as_str().unwrap().contains("holder of uid 20"), "{result:#}");
        assert!(!document["findings"].as_array().unwrap().is_empty());
    }
}

#[test]
fn whom_one_nodes_word_alone_blames_is_told_so() {
    let shell = Shell::new();
    let store = shell.node.sandbox().s3_url().to_owned();
    shell.node.sandbox().s3().set_fault(20, Some(BucketFault::KeyUnknown));
    let words = ["probe", "20", "--s3-endpoint", &store];
    let as_json = [&words[..], &["--json"]].concat();
    let reservation = "As this node says it: nobody else confirmed that this is the key on chain.";
    let (_, alone) = probed(&shell.alone(&as_json).exits(1));
    assert_eq!((&alone["blame"], &alone["confirmed"]), (&json!("holder"), &Value::Null));
    says(&shell.alone(&words).exits(1).stdout, &[reservation]);
    let (_, both) = probed(&shell.run(&as_json).exits(1));
    assert_eq!((&both["blame"], &both["confirmed"]), (&json!("holder"), &json!(true)));
    assert!(!shell.run(&words).exits(1).stdout.contains(reservation));
}

#[test]
fn a_result_has_every_field_of_the_contract_and_no_secret() {
    let shell = Shell::new();
    let ran = shell.run(&["verify", "5", "11", "--json"]).exits(0);
    let document = ran.json();
    assert_eq!((&document["schema"], &document["netuid"]), (&json!("grail-console/verify/2"), &json!(81)));
    let signed = result(&document, 5);
    assert_eq!(signed["evidence"], json!({ "agreed": "yes", "proven": "yes", "signed": "yes" }));
    for field in
        ["uid", "hotkey", "level", "evidence", "reason", "block", "extrinsic_hash", "endpoints", "proof", "signature"]
    {
        assert!(signed.get(field).is_some(), "{field}");
    }
    assert_eq!((&signed["level"], &signed["reason"]), (&json!("signed"), &Value::Null));
    assert!(signed["extrinsic_hash"].as_str().unwrap().starts_with("0x"));
    let none = result(&document, 11);
    assert_eq!(
        (&none["level"], &none["reason"], &none["committed"]),
        (&json!("proven"), &json!("no_commitment"), &json!(false))
    );
    assert_eq!(none["evidence"], json!({ "agreed": "yes", "proven": "yes", "signed": "unknown" }));
    let mut canaries = Canaries::default();
    canaries.add("the published secret", Credentials::of(5, 0).read_secret.expose());
    let text = shell.run(&["verify", "5"]).exits(0);
    for (place, bytes) in [("the document", &ran.stdout), ("the text", &text.stdout)] {
        canaries.absent(place, bytes.as_bytes());
    }
}

#[test]
fn people_read_the_level_why_it_is_no_higher_and_the_evidence() {
    let shell = Shell::new();
    let text = shell.run(&["verify", "5", "11"]).exits(0).stdout;
    is_plain(&text);
    says(
        &text,
        &[
            "✓ signed: the hotkey signed exactly these bytes",
            "sr25519, nonce 0",
            "≡ none, proven",
            "There is no commitment",
        ],
    );
    let alone = shell.alone(&["verify", "5"]).exits(0).stdout;
    says(
        &alone,
        &["· reported: one node says so", "No endpoint of another operator is known: name one with --witness"],
    );
    let all = shell.run(&["verify", "--all"]).exits(0).stdout;
    says(&all, &["✓ 62 signed   ≡ 2 proven", "PROVENANCE", "requests"]);
    let quick = shell.run(&["verify", "--all", "--no-signatures"]).exits(0).stdout;
    says(&quick, &["≡ 64 proven", "Its signature has not been looked at".to_lowercase().as_str()]);
    shell.run(&["verify"]).exits(2);
    shell.run(&["verify", "5", "--all"]).exits(2);
}

#[test]
fn a_contradiction_is_a_finding_with_both_sides_and_a_name() {
    let shell = Shell::new();
    shell.node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(5)));
    let document = shell.run(&["verify", "5", "17", "--json"]).exits(1).json();
    let [dispute] = &document["disputes"].as_array().unwrap()[..] else { panic!("one dispute: {document}") };
    assert_eq!((&dispute["case"], &dispute["proven_wrong"]), (&json!("forged_value"), &json!("endpoint")));
    let id = format!("{}-", dispute["endpoint"]["block"]["number"]);
    assert!(dispute["id"].as_str().unwrap().starts_with(&id), "{dispute}");
    assert_ne!(dispute["endpoint"]["says"], dispute["witness"]["says"]);
    assert_eq!((&result(&document, 5)["level"], &result(&document, 17)["level"]), (&json!("proven"), &json!("signed")));
}

#[test]
fn a_node_that_is_away_is_no_provenance() {
    let shell = Shell::new();
    shell.node.wait(shell.node.sandbox().faults().refuse_witness()).unwrap();
    let document = shell.run(&["verify", "5", "--json"]).exits(0).json();
    assert_eq!(result(&document, 5)["reason"], "witness_away");
    shell.node.wait(shell.node.sandbox().faults().refuse_connections()).unwrap();
    shell.run(&["verify", "5", "--json"]).exits(4);
}

fn witnessed(operator: &Operator) -> Vec<String> {
    let witness = operator.node.sandbox().witness_url().to_owned();
    [operator.flags(), vec!["--witness".to_owned(), witness]].concat()
}

fn commit(operator: &Operator, words: &[&str]) -> Ran {
    let words = [&["commit", "--yes", "--json"], words].concat();
    operator.house.run(line(&words, &witnessed(operator)))
}

#[test]
fn a_commit_says_at_which_level_it_was_confirmed() {
    let operator = Operator::new();
    let done = commit(&operator, &[]).exits(0).json();
    assert_eq!((&done["outcome"], &done["confirmed"]["level"]), (&json!("committed"), &json!("signed")));
    says(done["explanation"].as_str().unwrap(), &["Confirmed as signed: the hotkey signed exactly these bytes."]);
    let again = commit(&operator, &[]).exits(0).json();
    assert_eq!((&again["outcome"], &again["confirmed"]["level"]), (&json!("unchanged"), &json!("signed")));
    // With one endpoint alone it is said that nobody else was asked.
    let alone = operator.run(&["commit", "--yes", "--json"]).exits(0).json();
    assert_eq!((&alone["outcome"], &alone["confirmed"]["level"]), (&json!("unchanged"), &json!("reported")));
    says(alone["explanation"].as_str().unwrap(), &["no endpoint of another operator is known"]);
}

#[test]
fn what_was_verified_before_it_changed_confirms_nothing() {
    let operator = Operator::by_hand();
    let node = &operator.node;
    // The second source stands at a block before the commitment, near enough to be no contradiction.
    node.sandbox().faults().deceive_by_witness(Some(Byzantine::StaleHead(0)));
    node.commit([(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).read_commitment()))]);
    let same = commit(&operator, &[]).exits(0).json();
    assert_eq!((&same["outcome"], &same["confirmed"]["level"]), (&json!("unchanged"), &json!("reported")));
    says(same["confirmed"]["why"].as_str().unwrap(), &["still another value"]);
    node.sandbox().faults().deceive_by_witness(None);
    assert_eq!(commit(&operator, &[]).exits(0).json()["confirmed"]["level"], "proven");
}

#[test]
fn a_commit_waits_until_a_contradiction_was_read() {
    let operator = Operator::new();
    operator.node.sandbox().faults().deceive(Some(Byzantine::TruncatedProof));
    let refused = commit(&operator, &[]).exits(3).json();
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("refused"), &json!("contradiction")));
    assert_eq!(operator.submissions(), 0);
    let id_in = |refused: &Value| -> String {
        let fix = refused["fix"].as_str().unwrap();
        fix.split("--read-dispute ").nth(1).unwrap().trim_end_matches('.').to_owned()
    };
    let id = id_in(&refused);
    assert_eq!(commit(&operator, &["--read-dispute", "00000000"]).exits(3).json()["reason"], "contradiction");
    operator.node.sandbox().faults().deceive(Some(Byzantine::OtherFork));
    assert_eq!(commit(&operator, &["--read-dispute", &id]).exits(3).json()["reason"], "contradiction", "another one");
    operator.node.sandbox().faults().deceive(Some(Byzantine::TruncatedProof));
    // What was read holds for 300 blocks, which blocks of 200 ms outrun on a busy machine: it is read once more.
    let id = id_in(&commit(&operator, &[]).exits(3).json());
    assert_eq!(commit(&operator, &["--read-dispute", &id]).exits(0).json()["outcome"], "committed");
}

#[test]
fn a_witness_that_is_proven_wrong_keeps_nobody_waiting() {
    let operator = Operator::new();
    operator.node.sandbox().faults().deceive_by_witness(Some(Byzantine::ForgedValue(OPERATOR_UID)));
    assert_eq!(commit(&operator, &[]).exits(0).json()["outcome"], "committed");
}

#[test]
fn a_rotation_waits_until_a_contradiction_was_read() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    let witness = house.operator.node.sandbox().witness_url().to_owned();
    let run = |words: &[&str]| house.run(&[words, &["--witness", &witness, "--json"]].concat());
    assert_eq!(document(&run(&["rotate", "start", "--new-key-file", &keys]).exits(7))["phase"], "planned");
    let faults = house.operator.node.sandbox().faults();
    faults.deceive(Some(Byzantine::OtherFork));
    let before = house.journal();
    let waits = run(&["rotate", "resume", "--yes"]).exits(3);
    says(&waits.stdout, &["two different finalized blocks of one height", "--read-dispute"]);
    assert_eq!((house.journal(), house.operator.submissions()), (before, 0));
    faults.deceive(None);
    assert_eq!(document(&run(&["rotate", "resume", "--yes"]).exits(0))["phase"], "grace");
    faults.deceive(Some(Byzantine::OtherFork));
    let refused = run(&["rotate", "retire"]).exits(3).stdout;
    assert_eq!(house.held(), [1, 2], "nothing was forgotten");
    // Nor when it was read: that makes nothing known.
    let id: String = refused
        .split("--read-dispute ")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(|c| c.is_ascii_hexdigit() || *c == '-')
        .collect();
    let waits = run(&["rotate", "retire", "--yes", "--read-dispute", &id]);
    assert!(waits.code != Some(0), "{}", waits.stdout);
    assert_eq!(house.held(), [1, 2], "nothing was forgotten");
}
