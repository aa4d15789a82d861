//! What was verified decides (THREATS T22). A node that shows one connection a private fork gets nothing called published, and no
//! old key forgotten; a second source that is silent costs waiting, and nothing else. The chain and the vault are asked, not
//! our own word.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use grail_console::sandbox::{
    BlockTime, Byzantine, CommitmentSpec, Credentials, OPERATOR_UID, SandboxOptions, Scenario,
};
use rstest::rstest;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::house::says;
use crate::support::node::{Node, line};
use crate::support::operator::Operator;
use crate::support::rotating::{NEW, Rotating};

/// The chain holds an older read key than the `.env`, and nothing happens by itself.
const QUIET: &str =
    "description = \"two chains\"\nhead = 9_168_240\n[operator]\npublished = { read = { generation = 1 } }\n";

/// An operator on the real chain, a private fork of it, and a proxy that sends its first connections to the fork.
struct Forked {
    operator: Operator,
    fork: Node,
    proxy: String,
    /// Ends the connections to the fork.
    cut: Arc<Notify>,
}

impl Forked {
    /// The fork has all blocks of the real chain up to now. So many connections are sent to it, all later ones to the chain.
    fn new(to_the_fork: usize) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let options = || SandboxOptions {
            uids: 64,
            block_time: BlockTime::Manual,
            now_ms: Some(u64::try_from(now.as_millis()).unwrap()),
            ..SandboxOptions::new(Scenario::parse("two chains", QUIET).unwrap())
        };
        let (operator, fork) = (Operator::on(options()), Node::with(options()));
        assert_eq!(operator.node.sandbox().best().hash, fork.sandbox().best().hash, "one history");
        let (urls, cut) = ([fork.url().to_owned(), operator.node.url().to_owned()], Arc::new(Notify::new()));
        let proxy = fork.wait(proxy(urls, to_the_fork, Arc::clone(&cut)));
        Self { operator, fork, proxy, cut }
    }

    /// The flags of somebody whose node is the proxy and whose second source is honest.
    fn flags(&self, flags: Vec<String>) -> Vec<String> {
        let real = self.operator.node.url();
        let flags = flags.into_iter().map(|flag| if flag == real { self.proxy.clone() } else { flag });
        let witness = ["--witness".to_owned(), self.operator.node.sandbox().witness_url().to_owned()];
        flags.chain(witness).collect()
    }

    /// Waits until the fork holds an extrinsic that its next block takes.
    fn until_submitted(&self) {
        self.operator.until("the submission to the fork", |_| self.fork.pending() == 1);
    }

    /// Both chains go on, each by blocks of its own.
    fn go_on(&self) {
        self.fork.blocks(4);
        self.operator.node.blocks(4);
    }
}

/// Forwards TCP connections: the first so many to one address, until they are cut, the others to another.
async fn proxy([first, others]: [String; 2], count: usize, cut: Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let is_forked = accepted.fetch_add(1, Ordering::SeqCst) < count;
            let there = if is_forked { &first } else { &others }.trim_start_matches("ws://").to_owned();
            let cut = Arc::clone(&cut);
            tokio::spawn(async move {
                let Ok(mut there) = TcpStream::connect(there).await else { return };
                tokio::select! {
                    _ = copy_bidirectional(&mut here, &mut there) => {}
                    () = cut.notified(), if is_forked => {}
                }
            });
        }
    });
    url
}

#[test]
fn a_commit_that_only_a_private_fork_holds_is_never_called_published() {
    let forked = Forked::new(1);
    let (operator, flags) = (&forked.operator, forked.flags(forked.operator.flags()));
    let running = operator.start_with(line(&["commit", "--yes", "--json"], &flags));
    forked.until_submitted();
    forked.go_on();
    let ended = running.ended().exits(7).json();
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("pending"), &json!("contradiction")), "{ended:#}");
    assert_eq!(ended["finalized"], false);
    assert_eq!(
        operator.on_chain(),
        Credentials::of(OPERATOR_UID, 1).read_commitment(),
        "the real chain holds the old key"
    );
    assert!(!operator.records().contains(&"committed".to_owned()), "{:?}", operator.records());
    // The next one reaches the real chain: it knows that the first is open, and publishes for real.
    let running = operator.start_with(line(&["commit", "--yes", "--json"], &flags));
    operator.until("the submission", |operator| operator.pending() == 1);
    operator.node.blocks(4);
    let ended = running.ended().exits(0).json();
    assert_eq!((&ended["outcome"], &ended["confirmed"]["level"]), (&json!("committed"), &json!("signed")), "{ended:#}");
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

#[test]
fn a_fork_that_is_gone_before_the_second_source_is_asked_leaves_its_commit_pending() {
    let forked = Forked::new(1);
    let (operator, flags) = (&forked.operator, forked.flags(forked.operator.flags()));
    let asked = || operator.node.sandbox().meter().requests.values().sum::<u64>();
    let running = operator.start_with(line(&["commit", "--yes", "--json"], &flags));
    forked.until_submitted();
    let before = asked();
    forked.fork.blocks(4);
    operator.until("a question to the second source about the fork's final block", |_| asked() > before);
    // What is asked from now on is the real chain, of which both sources say the same: the old key.
    forked.cut.notify_waiters();
    operator.node.blocks(4);
    let ended = running.ended().exits(7).json();
    assert_eq!((&ended["outcome"], &ended["finalized"]), (&json!("pending"), &json!(false)), "{ended:#}");
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 1).read_commitment());
    assert!(!operator.records().contains(&"committed".to_owned()), "{:?}", operator.records());
}

#[test]
fn a_plan_on_a_chain_that_the_second_source_contradicts_is_refused_before_anything_is_signed() {
    let forked = Forked::new(usize::MAX);
    // The fork has something else in the same heights.
    let other = CommitmentSpec::raw(Credentials::of(7, 3).read_commitment());
    forked.fork.commit([(7, other)]);
    forked.operator.node.blocks(3);
    let flags = forked.flags(forked.operator.flags());
    let ended = forked.operator.house.run(line(&["commit", "--yes", "--json"], &flags)).exits(3).json();
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("refused"), &json!("contradiction")), "{ended:#}");
    assert_eq!(forked.operator.journal(), Vec::<serde_json::Value>::new());
    // Once it was read the commit is sent; that makes it published no more than before.
    let id = ended["fix"].as_str().unwrap().split("--read-dispute ").nth(1).unwrap().trim_end_matches('.');
    let running = forked.operator.start_with(line(&["commit", "--yes", "--json", "--read-dispute", id], &flags));
    forked.until_submitted();
    forked.go_on();
    let ended = running.ended().exits(7).json();
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("pending"), &json!("contradiction")), "{ended:#}");
    assert!(!forked.operator.records().contains(&"committed".to_owned()), "{:?}", forked.operator.records());
}

#[test]
fn a_rotation_whose_commit_only_a_private_fork_holds_promotes_nothing_and_forgets_nothing() {
    let mut forked = Forked::new(usize::MAX);
    let rotating = Rotating::of(std::mem::replace(&mut forked.operator, Operator::by_hand()));
    let keys = rotating.read_keys(NEW);
    let witness = rotating.operator.node.sandbox().witness_url().to_owned();
    let real = rotating.operator.node.url().to_owned();
    let flags: Vec<String> =
        rotating.flags().into_iter().map(|flag| if flag == real { forked.proxy.clone() } else { flag }).collect();
    let flags = [flags, vec!["--witness".to_owned(), witness]].concat();
    let start = ["rotate", "start", "--new-key-file", &keys, "--grace", "0", "--yes", "--json"];
    let env = rotating.env();
    let running = rotating.operator.start_with(line(&start, &flags));
    rotating.operator.until("the submission to the fork", |_| forked.fork.pending() == 1);
    forked.fork.blocks(4);
    rotating.operator.node.blocks(4);
    let ended = running.ended();
    assert!(matches!(ended.code, Some(3 | 7)), "{:?}: {}", ended.code, ended.stdout);
    assert!(!rotating.events().iter().any(|event| event == "promoted"), "{:?}", rotating.events());
    assert_eq!(rotating.env(), env, "the .env still holds the old keys");
    // Nor does retiring through the same node forget the only keys that work.
    let retired = rotating.operator.house.run(line(&["rotate", "retire", "--yes", "--json"], &flags));
    assert!(retired.code != Some(0), "{}", retired.stdout);
    assert_eq!(rotating.held(), [1, 2], "both generations are in the vault");
    assert_eq!(rotating.operator.on_chain(), Credentials::of(OPERATOR_UID, 1).read_commitment());
}

#[test]
fn a_second_source_that_is_silent_leaves_a_commit_pending_and_loses_nothing() {
    let operator = Operator::new();
    operator.node.wait(operator.node.sandbox().faults().refuse_witness()).unwrap();
    let witness = operator.node.sandbox().witness_url().to_owned();
    let flags = [operator.flags(), vec!["--witness".to_owned(), witness.clone()]].concat();
    let ended = operator.house.run(line(&["commit", "--yes", "--json"], &flags)).exits(7).json();
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("pending"), &json!("not_verified")), "{ended:#}");
    assert_eq!(
        operator.on_chain(),
        Credentials::of(OPERATOR_UID, 0).read_commitment(),
        "it was published all the same"
    );
    // The second source is back: the next start tells that it was published.
    operator.node.wait(operator.node.sandbox().faults().recover()).unwrap();
    let status = operator.house.run(line(&["status", "--json"], &flags));
    says(&status.stdout, &["An earlier commit of uid 42: Published in block"]);
    assert_eq!(operator.records().last().map(String::as_str), Some("committed"));
}

#[test]
fn status_and_show_say_that_they_are_one_nodes_word_until_they_are_verified() {
    let operator = Operator::by_hand();
    let node = operator.node.sandbox();
    let flags = [operator.flags(), vec!["--witness".to_owned(), node.witness_url().to_owned()]].concat();
    let run = |words: &[&str]| operator.house.run(line(words, &flags));
    let levels = |words: &[&str]| -> Vec<String> {
        let rows = run(words).json()["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["level"].as_str().unwrap().to_owned()).collect()
    };
    // The own row is in trouble: what is advised of it rests on more.
    let told = levels(&["status", "--json"]);
    let own = usize::from(OPERATOR_UID);
    assert!(told.iter().enumerate().all(|(uid, level)| (level == "proven") == (uid == own)), "{told:?}");
    assert!(levels(&["status", "--verify", "--json"]).iter().all(|level| level == "proven"));
    says(&run(&["status"]).stdout, &["1 proven, 63 reported (this node's word)"]);
    node.commit(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).read_commitment()));
    operator.node.blocks(3);
    says(&run(&["status"]).exits(0).stdout, &["as this node alone says (reported)", "--verify"]);
    assert!(levels(&["status", "--json"]).iter().all(|level| level == "reported"));
    says(&run(&["status", "--verify"]).stdout, &["64 proven"]);
    assert_eq!(run(&["show", "5", "--json"]).json()["row"]["level"], "reported");
    assert_eq!(run(&["show", "5", "--verify", "--json"]).json()["row"]["level"], "proven");
    node.faults().deceive(Some(Byzantine::ForgedValue(5)));
    let forged = run(&["show", "5", "--verify", "--json"]).exits(1).json();
    assert_eq!((&forged["row"]["level"], &forged["findings"][0]["code"]), (&json!("proven"), &json!("disputed")));
}

#[test]
fn nothing_is_concluded_of_the_own_row_from_what_a_node_forged_and_nobody_can_decide() {
    let (operator, flags) = at_rest();
    let faults = operator.node.sandbox().faults();
    faults.deceive(Some(Byzantine::ForgedValue(OPERATOR_UID)));
    let drift =
        |words: &[&str]| operator.house.run(line(words, &flags)).exits(1).json()["row"]["drift"]["state"].clone();
    // The node lies, and its lie would be advised from: it is compared and proven unasked.
    assert_eq!(drift(&["show", "42", "--json"]), "match");
    assert_eq!(drift(&["show", "42", "--verify", "--json"]), "match", "what the proof shows is judged");
    let proven = operator.house.run(line(&["status", "--verify", "--json"], &flags)).exits(1).json();
    let row = &proven["rows"][usize::from(OPERATOR_UID)];
    assert_eq!((&row["level"], &row["drift"]["state"]), (&json!("proven"), &json!("match")), "{row:#}");
    faults.deceive(Some(Byzantine::OtherFork));
    let status = operator.house.run(line(&["status", "--verify"], &flags)).exits(1);
    says(&status.stdout, &["? you: uid 42, what is on chain is not known: sources disagree"]);
}

/// Somebody whose chain and `.env` agree, with a second source.
fn at_rest() -> (Operator, Vec<String>) {
    let operator = Operator::by_hand();
    operator.node.commit([(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).read_commitment()))]);
    let witness = operator.node.sandbox().witness_url().to_owned();
    let flags = [operator.flags(), vec!["--witness".to_owned(), witness]].concat();
    (operator, flags)
}

#[test]
fn visible_and_doctor_judge_what_two_sources_and_the_proof_say() {
    let (operator, flags) = at_rest();
    let visible = operator.house.run(line(&["visible", "--json"], &flags)).json();
    assert_eq!(
        (&visible["level"], &visible["level_limit"]),
        (&json!("proven"), &json!("its signature has not been looked at"))
    );
    let doctor = operator.house.run(line(&["doctor", "--json"], &flags)).json();
    assert_eq!(
        (&doctor["chain"]["own"], &doctor["chain"]["level"]),
        (&json!("readable"), &json!("proven")),
        "{doctor:#}"
    );
    let alone = operator.house.run(line(&["visible", "--json"], &operator.flags())).json();
    assert_eq!(alone["level"], "reported");
}

#[rstest]
#[case::in_every_answer(Byzantine::ForgedValue(OPERATOR_UID))]
#[case::in_whole_tables_alone(Byzantine::ForgedInTables(OPERATOR_UID))]
#[case::another_fork(Byzantine::OtherFork)]
fn from_a_row_that_a_node_forged_neither_visible_nor_doctor_concludes_anything(#[case] lie: Byzantine) {
    let (operator, flags) = at_rest();
    operator.node.sandbox().faults().deceive(Some(lie));
    let visible = operator.house.run(line(&["visible", "--json"], &flags)).json();
    assert_eq!((&visible["visible"], &visible["level"]), (&json!(null), &json!("reported")), "{visible:#}");
    let said = visible["sentence"].as_str().unwrap();
    assert!(said.starts_with("Whether a validator would see you now could not be found out."), "{said}");
    let cause = &visible["findings"][0]["cause"];
    let is_evidence = visible["checks"].as_array().unwrap().iter().any(|check| check["evidence"] == *cause);
    assert!(is_evidence, "what is in the way is told, not what it is called: {cause}");
    assert_eq!(visible["probe"], json!(null), "a key that may be forged opens nothing");
    let doctor = operator.house.run(line(&["doctor", "--json"], &flags)).exits(1).json();
    let codes: Vec<&str> =
        doctor["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert!(codes.contains(&"disputed") || codes.contains(&"own_row_differs"), "{codes:?}");
    assert!(!codes.contains(&"own_commitment"), "no advice follows from a forged row: {codes:?}");
    assert_eq!(doctor["chain"]["own"], json!(null));
}

#[test]
fn a_silent_second_source_lets_visible_and_doctor_speak_as_one_node_does() {
    let (operator, flags) = at_rest();
    operator.node.wait(operator.node.sandbox().faults().refuse_witness()).unwrap();
    let visible = operator.house.run(line(&["visible", "--json"], &flags)).json();
    let check = visible["checks"].as_array().unwrap().iter().find(|check| check["check"] == "verified").unwrap();
    assert_eq!((&check["standing"], &visible["level"]), (&json!("warning"), &json!("reported")), "{visible:#}");
    assert_ne!(visible["probe"], json!(null));
    let doctor = operator.house.run(line(&["doctor", "--json"], &flags)).json();
    let findings = doctor["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["code"] == "not_verified"), "{findings:?}");
    assert_eq!((&doctor["chain"]["own"], &doctor["chain"]["level"]), (&json!("readable"), &json!("reported")));
}

#[test]
fn a_self_test_says_nothing_of_a_published_key_that_a_node_forged() {
    let (operator, flags) = at_rest();
    operator.node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(OPERATOR_UID)));
    let test = operator.house.run(line(&["self-test", "--json"], &flags)).exits(8).json();
    let steps = test["steps"].as_array().unwrap();
    let published = steps.iter().find(|step| step["step"] == "get_canary_published_key").unwrap();
    assert_eq!((&published["outcome"], &published["http"]), (&json!("inconclusive"), &json!(null)), "{test:#}");
    says(published["explanation"].as_str().unwrap(), &["What is published is not known: sources disagree"]);
    assert!(steps.iter().all(|step| step["outcome"] != "failed"), "the keys are as they should be: {test:#}");
    let told = operator.house.run(line(&["self-test"], &flags)).exits(8).stdout;
    says(&told, &["? Whether your keys do what they should is not known: not everything could be asked."]);
}
