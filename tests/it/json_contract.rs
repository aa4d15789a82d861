//! Today's JSON, pinned before anything of it moves: each command in its ordinary and its failing cases, with its exit code, its
//! fields and their types, and the words that scripts compare. What a snapshot shows is a contract: fields are added, never
//! renamed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use grail_console::sandbox::{
    BucketFault, Byzantine, CommitmentSpec, Credentials, Lie, OPERATOR_UID, PoolAnswer, RuntimeKind, hotkey,
};
use insta::assert_snapshot;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::cli_status::{env_of, path};
use crate::support::DEADLINE;
use crate::support::house::{House, Ran};
use crate::support::node::{Node, line};
use crate::support::operator::{Operator, Running};
use crate::support::rotating::{NEW, OLD, Rotating};
use crate::support::shape::Shapes;

/// Where nothing listens.
const NOWHERE: &str = "ws://127.0.0.1:9";

/// Every command that asks the chain, in an ordinary use.
const ONLINE: [&[&str]; 20] = [
    &["status"],
    &["status", "--verify"],
    &["show", "5"],
    &["doctor"],
    &["probe", "5"],
    &["verify", "5"],
    &["visible"],
    &["self-test"],
    &["commit", "--dry-run"],
    &["commit", "--yes"],
    &["rotate", "status"],
    &["rotate", "resume"],
    &["rotate", "rollback", "--yes"],
    &["rotate", "retire"],
    &["keys", "import", "--from-env"],
    &["keys", "list"],
    &["keys", "list", "--online"],
    &["keys", "restore-env", "--yes"],
    &["keys", "remove", "1", "--yes"],
    &["exec", "--", "true"],
];

/// The same flags with another node.
fn at(url: &str, flags: &[String]) -> Vec<String> {
    let mut flags = flags.to_vec();
    let at = flags.iter().position(|flag| flag == "--endpoint").unwrap();
    url.clone_into(&mut flags[at + 1]);
    flags
}

/// The same flags with more.
fn and(flags: &[String], more: &[&str]) -> Vec<String> {
    flags.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn store(node: &Node) -> [&str; 2] {
    ["--s3-endpoint", node.sandbox().s3_url()]
}

fn witness(node: &Node) -> [&str; 2] {
    ["--witness", node.sandbox().witness_url()]
}

fn fault(node: &Node, fault: Option<BucketFault>) {
    node.sandbox().s3().set_fault(OPERATOR_UID, fault);
}

#[test]
fn a_healthy_subnet_is_told_in_these_fields() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let mut shapes = Shapes::of(&house, node.committing_flags());
    let status = house.run(line(&["status", "--json"], &node.flags())).exits(0).json();
    let former = status["orphans"][0]["hotkey"].as_str().unwrap().to_owned();
    shapes.when("an operator with whom all is well");
    shapes.each(&[&["status"], &["show", "42"], &["show", &former], &["doctor"], &["doctor", "--offline"]]);
    shapes.each(&[&["status", "--filter", "state:none"], &["status", "--filter", "5F_nobody_is_called_so"]]);
    shapes.each(&[
        &["probe", "42"],
        &["probe", "17", "--list"],
        &["probe", "--filter", "role:validator state:readable"],
    ]);
    shapes.each(&[&["visible"], &["self-test"], &["commit", "--dry-run"], &["commit", "--yes"], &["rotate", "status"]]);
    shapes.each(&[&["probe", "--all"], &["probe", &former]]);
    shapes.when("what makes no sense");
    shapes.each(&[&["status", "--filter", "stake:5"], &["show", "999"], &["show", "nobody"], &["status", "--colour"]]);
    shapes.each(&[&["probe"], &["probe", "999"], &["verify"], &["verify", "999"], &["commit"], &["rotate"], &[]]);
    shapes.each(&[&["sandbox"], &["sandbox", "--serve", "--scenario", "mars"], &["status", "--netuid", "1234"]]);
    shapes.each(&[&["doctor", "--netuid", "1234"], &["commit", "--yes", "--netuid", "1234"]]);
    shapes.when("read-only").each(&[&["self-test", "--read-only"], &["commit", "--yes", "--read-only"]]);
    shapes.each(&[&["commit", "--dry-run", "--read-only"], &["rotate", "resume", "--read-only"]]);
    shapes.flags(and(&node.flags(), &store(&node)));
    shapes.when("somebody without a hotkey").each(&ONLINE);
    assert_snapshot!("healthy", shapes.text());
}

#[test]
fn what_is_wrong_with_the_own_row_is_told_in_these_fields() {
    let (house, node) = (House::new(), Node::with_uids("drift", 64));
    let mut shapes = Shapes::of(&house, node.committing_flags());
    shapes.when("the chain holds an old key").each(&[&["status"], &["show", "42"], &["doctor"], &["rotate", "status"]]);
    node.sandbox().s3().revoke(&Credentials::of(OPERATOR_UID, 1).read_key_id);
    shapes.when("and the store refuses it").each(&[&["probe", "42"], &["visible"], &["self-test"]]);
    node.commit([(OPERATOR_UID, CommitmentSpec::raw("x".repeat(127)))]);
    shapes.when("it is unreadable").each(&[&["status"], &["show", "42"], &["doctor"], &["probe", "42"], &["visible"]]);
    shapes.run(&["self-test"]);
    let own = node.sandbox().operator().unwrap();
    let env = fs::read_to_string(&own.env_file).unwrap();
    let env: Vec<_> = env.lines().filter(|line| !line.starts_with("R2_READ")).collect();
    let env = path(&house.write("legacy.env", env.join("\n")));
    let legacy = ["--wallet", own.wallet, "--hotkey", own.hotkey_name, "--wallet-path", &path(&own.wallet_path)];
    shapes.flags(and(&and(&node.flags(), &legacy), &["--env-file", &env]));
    shapes.when("GRAIL would publish the write key").each(&[&["status"], &["show", "42"], &["doctor"]]);
    shapes.each(&[&["commit", "--dry-run"], &["commit", "--yes"]]);
    let stranger = hotkey(200).to_string();
    shapes.flags(and(&and(&node.flags(), &store(&node)), &["--hotkey", &stranger]));
    shapes.when("the hotkey is not registered").each(&[&["status"], &["doctor"], &["visible"], &["self-test"]]);
    shapes.flags(and(
        &node.flags(),
        &["--wallet", "nobody", "--hotkey", "nobody", "--wallet-path", &path(&own.wallet_path)],
    ));
    shapes.when("the hotkey was not found").each(&[&["status"], &["doctor"], &["visible"], &["self-test"]]);
    shapes.each(&[&["commit", "--yes"], &["rotate", "status"], &["keys", "list"], &["exec", "--", "true"]]);
    assert_snapshot!("own_row", shapes.text());
}

#[test]
fn what_a_store_answers_is_told_in_these_fields() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let mut shapes = Shapes::of(&house, node.committing_flags());
    let asks: [&[&str]; 4] = [&["probe", "42"], &["probe", "42", "--list"], &["visible"], &["self-test"]];
    for (situation, answer) in [
        ("it does not know the key", BucketFault::KeyUnknown),
        ("the window is late", BucketFault::Late),
        ("it allows no more requests", BucketFault::Throttled),
        ("it fails", BucketFault::InternalError),
    ] {
        fault(&node, Some(answer));
        shapes.when(situation).each(&asks);
    }
    let own = Credentials::of(OPERATOR_UID, 0);
    let read: Vec<_> = env_of(&own).lines().filter(|line| !line.contains("WRITE")).map(str::to_owned).collect();
    let env = path(&house.write("read.env", read.join("\n")));
    let who = hotkey(OPERATOR_UID).to_string();
    shapes.flags(and(&and(&node.flags(), &store(&node)), &["--env-file", &env, "--hotkey", &who]));
    shapes.when("there is no write pair").run(&["self-test"]);
    assert_snapshot!("store", shapes.text());
}

#[test]
fn sources_that_agree_or_contradict_each_other_are_told_in_these_fields() {
    let (house, node) = (House::new(), Node::with_uids("provenance", 64));
    let mut shapes = Shapes::of(&house, and(&node.flags(), &witness(&node)));
    let verified: [&[&str]; 4] =
        [&["verify", "5", "11"], &["status", "--verify"], &["show", "5", "--verify"], &["status"]];
    shapes.when("they agree").each(&verified).run(&["verify", "5", "--no-signatures"]);
    shapes.flags(and(&node.committing_flags(), &witness(&node)));
    shapes.each(&[&["doctor"], &["visible"], &["commit", "--dry-run"]]);
    node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(5)));
    shapes.when("the node forges the value of uid 5").each(&verified);
    node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(OPERATOR_UID)));
    shapes.when("the node forges the own value").each(&[&["doctor"], &["visible"], &["commit", "--yes"]]);
    node.sandbox().faults().deceive(Some(Byzantine::TruncatedProof));
    shapes.when("the node sends half a proof").each(&[
        &["verify", "5"],
        &["commit", "--yes"],
        &["commit", "--dry-run"],
    ]);
    node.sandbox().faults().deceive(None);
    node.wait(node.sandbox().faults().refuse_witness()).unwrap();
    shapes.when("the second source is away").each(&verified).each(&[&["doctor"], &["visible"]]);
    assert_snapshot!("sources", shapes.text());
}

#[test]
fn every_command_ends_without_a_node_as_it_did() {
    let house = Rotating::new();
    let flags = house.flags();
    let mut shapes = Shapes::of(&house.operator.house, at(NOWHERE, &flags));
    shapes.when("no node answers, and none ever did").each(&ONLINE);
    house.run(&["keys", "import", "--from-env", "--json"]).exits(0);
    house.begin(NEW, "300").exits(0);
    house.operator.node.wait(house.operator.node.sandbox().faults().refuse_connections()).unwrap();
    shapes.flags(flags);
    shapes.when("the node of an open rotation is away");
    shapes.each(&[
        &["status"],
        &["doctor"],
        &["commit", "--yes"],
        &["rotate", "status"],
        &["rotate", "resume", "--yes"],
    ]);
    shapes.each(&[&["rotate", "retire"], &["rotate", "rollback", "--yes"], &["keys", "list", "--online"]]);
    shapes.run(&["keys", "remove", "7", "--yes"]);
    assert_snapshot!("no_node", shapes.text());
}

#[test]
fn every_command_ends_with_a_wrong_configuration_as_it_did() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let mut shapes = Shapes::of(&house, vec!["--endpoint".to_owned(), "ws://node.example".to_owned()]);
    shapes.when("a node that could only be asked in the clear").each(&ONLINE);
    shapes.flags(node.flags());
    shapes
        .when("a node of another chain")
        .each(&[&["status", "--network", "finney"], &["doctor", "--network", "finney"]]);
    shapes.flags(and(&node.flags(), &["--env-file", "/nowhere/grail/.env"]));
    shapes.when("an .env that is not there").each(&ONLINE);
    house.configure("colour = \"red\"\n");
    shapes.flags(node.flags());
    shapes.when("a configuration file that makes no sense").each(&ONLINE);
    assert_snapshot!("configuration", shapes.text());
}

/// A node that takes a connection and never says anything.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("ws://{}", self.0.local_addr().unwrap())
    }

    #[track_caller]
    fn is_asked(&self, words: &[&str]) -> TcpStream {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.0.accept() {
                Ok((stream, _)) => return stream,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{words:?}"),
            }
            assert!(Instant::now() < deadline, "{words:?} asks nobody");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn every_command_that_is_interrupted_before_the_node_answers_exits_with_7() {
    let operator = Operator::by_hand();
    let mut shapes = Shapes::of(&operator.house, Vec::new());
    shapes.when("ctrl-c");
    // Where nothing is kept yet, these need no node to say so.
    let offline: [&[&str]; 2] = [&["keys", "list"], &["exec", "--", "true"]];
    for words in ONLINE.into_iter().filter(|words| !offline.contains(words)) {
        let silent = Silent::new();
        shapes.flags(at(&silent.url(), &operator.flags()));
        let mut command = operator.house.console(shapes.line(words));
        let running = Running::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let _held = silent.is_asked(words);
        running.signal(Signal::INT);
        shapes.add(words, &running.ended());
    }
    assert_snapshot!("interrupted", shapes.text());
}

/// Lets a commit come as far as the pool, does something then, and waits for its end.
fn submitted(operator: &Operator, then: impl FnOnce(&Running)) -> Ran {
    let running = operator.start(&["commit", "--yes", "--json"]);
    operator.until("the submission", |operator| operator.records().last().is_some_and(|last| last == "broadcast"));
    then(&running);
    running.ended()
}

#[test]
fn a_commit_that_is_refused_names_its_reason() {
    let operator = Operator::by_hand();
    let node = &operator.node;
    let mut shapes = Shapes::of(&operator.house, operator.flags());
    let both: [&[&str]; 2] = [&["commit", "--yes"], &["commit", "--dry-run"]];
    fault(node, Some(BucketFault::Throttled));
    shapes.when("the store cannot say whether the pair works").each(&both);
    fault(node, Some(BucketFault::WrongSecret));
    shapes.when("the store says that it does not").each(&both);
    fault(node, None);
    let mut same = Credentials::of(OPERATOR_UID, 0);
    same.read_key_id.clone_from(&same.write_key_id);
    same.read_secret = same.write_secret.clone();
    operator.has(env_of(&same));
    shapes.when("the read key is the write key").each(&both).run(&["status"]);
    operator.has_generation(0);
    node.sandbox().faults().lie(Some(Lie::NonceLie(1_000)));
    shapes.when("the node makes no sense").each(&both);
    node.sandbox().faults().lie(None);
    node.sandbox().faults().answer_pool(Some(PoolAnswer::Stale));
    shapes.when("the pool refuses it").run(&["commit", "--yes"]);
    node.sandbox().faults().answer_pool(None);
    assert_snapshot!("commit_refused", shapes.text());
}

#[test]
fn a_commit_is_told_from_its_signature_to_its_end() {
    // Its blocks refuse what the pools of newer runtimes refuse.
    let operator = Operator::by_hand_on(RuntimeKind::Older);
    let node = &operator.node;
    let commit = ["commit", "--yes"];
    let mut shapes = Shapes::of(&operator.house, operator.flags());
    shapes.when("it is interrupted").add(&commit, &submitted(&operator, |running| running.signal(Signal::INT)));
    shapes.when("what became of it is not known").each(&[&["status"], &["doctor"], &["show", "42"]]);
    node.blocks(3);
    shapes.when("what became of it is told").run(&commit);
    shapes.when("there is nothing to do").each(&[&commit, &["status"]]);
    operator.has_generation(2);
    shapes.when("it is published").add(&commit, &submitted(&operator, |_| node.blocks(4)));
    operator.has_generation(3);
    node.sandbox().faults().hold_pool(true);
    shapes.when("no block takes it").add(&commit, &submitted(&operator, |_| node.blocks(70)));
    node.sandbox().faults().hold_pool(false);
    node.sandbox().register(OPERATOR_UID, hotkey(900));
    node.blocks(1);
    shapes.when("its block refuses it").add(&commit, &submitted(&operator, |_| node.blocks(4)));
    shapes.when("the hotkey has lost its uid").each(&[&commit, &["commit", "--dry-run"], &["status"], &["show", "42"]]);
    assert_snapshot!("commit", shapes.text());
}

#[test]
fn a_rotation_is_told_from_its_beginning_to_its_end() {
    let house = Rotating::new();
    let mut shapes = Shapes::of(&house.operator.house, house.flags());
    let look: [&[&str]; 5] =
        [&["rotate", "status"], &["status"], &["doctor"], &["keys", "list", "--check"], &["commit", "--yes"]];
    shapes.when("none was ever begun").each(&[&["rotate", "status"], &["rotate", "resume"], &["rotate", "retire"]]);
    shapes.each(&[&["rotate", "start"], &["rotate", "rollback", "--yes"]]);
    let keys = house.read_keys(NEW);
    let start = ["rotate", "start", "--new-key-file", &keys, "--grace", "15"];
    let yes = [&start[..], &["--yes"]].concat();
    shapes.when("nobody says yes").run(&start).each(&look).each(&[
        &["rotate", "resume"],
        &["rotate", "rollback"],
        &yes,
    ]);
    shapes.each(&[&["keys", "import", "--from-env"], &["keys", "remove", "1", "--yes"]]);
    shapes.when("the operator gives it up").run(&["rotate", "rollback", "--yes"]);
    shapes.when("it goes on to its grace").run(&yes);
    house.operator.until("the end of the grace", |_| {
        house.run(&["rotate", "retire", "--json"]).json()["blocked_by"] == json!(["old_key_still_works"])
    });
    shapes.when("the grace is over and the old key still works").run(&["rotate", "retire"]).each(&look);
    shapes.run(&["keys", "list", "--online"]);
    house.revoke(OLD);
    shapes.when("the store refuses the old key").run(&["rotate", "retire"]).each(&look);
    assert_snapshot!("rotation", shapes.text());
}

#[test]
fn a_rotation_that_meets_trouble_names_its_reason() {
    let house = Rotating::new();
    let operator = &house.operator;
    let mut shapes = Shapes::of(&operator.house, house.flags());
    let keys = house.read_keys(NEW);
    let start = ["rotate", "start", "--new-key-file", &keys, "--grace", "300", "--yes"];
    operator.has_generation(0);
    shapes.when("the chain holds another key than the present one").run(&start);
    operator.has_generation(OLD);
    operator.node.sandbox().faults().answer_pool(Some(PoolAnswer::Stale));
    shapes.when("the pool refuses its commit").run(&start).run(&["rotate", "status"]);
    operator.node.sandbox().faults().answer_pool(None);
    operator
        .node
        .sandbox()
        .commit(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 9).read_commitment()));
    house.pass(5);
    shapes.when("the chain holds neither the old nor the new key");
    shapes.each(&[&["rotate", "resume", "--yes"], &["rotate", "status"]]);
    let over = grail_console::domain::secret::Fingerprint::of(Credentials::of(OPERATOR_UID, 9).read_secret.expose());
    operator.has_generation(OLD);
    shapes.when("it goes on over that").run(&["rotate", "resume", "--yes", "--over", &over.to_string()]);
    let held = lock(house.journal_file().unwrap().parent().unwrap());
    shapes.when("another console drives it").each(&[&["rotate", "resume", "--yes"], &["rotate", "status"]]);
    drop(held);
    operator.has_generation(OLD);
    House::new().run(line(&["commit", "--yes"], &operator.flags())).exits(0);
    shapes.when("GRAIL puts the old key back").each(&[&["rotate", "status"], &["rotate", "retire"]]);
    shapes.when("it is rolled back").run(&["rotate", "rollback", "--yes"]);
    shapes
        .when("a generation is removed")
        .each(&[&["keys", "remove", "1", "--yes"], &["keys", "remove", "7", "--yes"]]);
    shapes.each(&[&["keys", "remove", "2"], &["keys", "remove", "2", "--yes"]]);
    let journal = house.journal_file().unwrap();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text + "{\"v\":99,\"at_ms\":1,\"event\":\"hovering\"}\n").unwrap();
    shapes.when("a newer console wrote the journal").each(&[&["rotate", "status"], &["rotate", "resume"], &start]);
    assert_snapshot!("rotation_trouble", shapes.text());
}

/// The lock of the rotations below a folder, taken.
fn lock(folder: &Path) -> fs::File {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lock = files.find(|file| file.extension() == Some("lock".as_ref())).unwrap();
    let held = fs::File::options().append(true).open(lock).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    held
}

#[test]
fn what_becomes_of_keys_is_told_in_these_fields() {
    let house = Rotating::new();
    let home = &house.operator.house;
    let env = home.path("grail/.env");
    let mut shapes = Shapes::of(home, house.flags());
    shapes.when("the vault is empty").each(&[
        &["keys", "list"],
        &["keys", "restore-env", "--yes"],
        &["exec", "--", "true"],
    ]);
    shapes.run(&["keys", "remove", "1", "--yes"]);
    let import = ["keys", "import", "--from-env"];
    shapes.when("keys are taken over").run(&import).run(&import).run(&["keys", "list", "--check"]);
    house.operator.has_generation(NEW);
    shapes.when("the .env holds other keys").each(&[&import, &["exec", "--", "true"], &["keys", "list"]]);
    house.operator.has_generation(OLD);
    fs::hard_link(&env, home.path("grail/other")).unwrap();
    let blank = [&import[..], &["--blank"]].concat();
    shapes.when("the .env has a second name").run(&blank);
    fs::remove_file(home.path("grail/other")).unwrap();
    shapes.when("the .env is emptied").run(&[&blank[..], &["--backup"]].concat());
    shapes.each(&[&["doctor"], &["exec", "--", "no-such-program"], &["exec", "--", "/"]]);
    shapes.when("the keys go back").each(&[&["keys", "restore-env"], &["keys", "restore-env", "--yes"]]);
    fs::set_permissions(&env, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    shapes.when("others may read the .env").run(&["keys", "restore-env", "--yes"]);
    let key = path(&home.path("work/console.key"));
    shapes.when("a key file").each(&[&["keys", "create-key-file", &key], &["keys", "create-key-file", &key]]);
    assert_snapshot!("keys", shapes.text());
}

#[test]
fn a_vault_that_cannot_be_used_stops_what_needs_it() {
    let house = Rotating::new();
    let home = &house.operator.house;
    house.run(&["keys", "import", "--from-env", "--json"]).exits(0);
    house.begin(NEW, "300").exits(0);
    let needs: [&[&str]; 11] = [
        &["status"],
        &["doctor"],
        &["self-test"],
        &["commit", "--yes"],
        &["rotate", "status"],
        &["rotate", "resume", "--yes"],
        &["rotate", "rollback", "--yes"],
        &["keys", "list"],
        &["keys", "list", "--check"],
        &["keys", "import", "--from-env"],
        &["exec", "--", "true"],
    ];
    let mut shapes = Shapes::of(home, house.operator.flags());
    shapes.when("it is locked").each(&needs);
    shapes.flags(and(&house.operator.flags(), &["--vault-passphrase-file", "/nowhere/passphrase"]));
    shapes.when("the passphrase's file is not there").each(&needs);
    shapes.flags(house.flags());
    fs::remove_file(home.state().join("vault").join(grail_console::vault::file::FILE)).unwrap();
    shapes.when("its file is gone").each(&needs);
    assert_snapshot!("vault", shapes.text());
}

#[test]
fn a_sandbox_that_is_served_says_where_it_is() {
    let house = House::new();
    let mut shapes = Shapes::of(&house, Vec::new());
    let words = ["sandbox", "--serve", "--uids", "64"];
    let mut command = house.console(shapes.line(&words));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut document = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while !document.ends_with("\n}\n") {
        assert_ne!(out.read_line(&mut document).unwrap(), 0, "{document}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran { stdout: document, ..Ran::ended(child) };
    shapes.when("until a signal").add(&words, &ran);
    assert_snapshot!("sandbox", shapes.text());
}

/// The paths that the snapshots hold for each schema, with the words that stand there.
fn pinned() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let own =
        files.filter(|file| path(file).contains("it__json_contract__") && file.extension() == Some("snap".as_ref()));
    let mut pinned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in own.map(|file| fs::read_to_string(file).unwrap()) {
        for shape in text.split("\n\n") {
            let lines: Vec<_> = shape.lines().filter_map(|line| line.strip_prefix("    ")).collect();
            let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix("+ ").unwrap_or(line)).collect();
            let schema = lines.iter().find_map(|line| line.split_whitespace().last()?.strip_prefix("grail-console/"));
            let schema = schema.unwrap_or_default().to_owned();
            pinned.entry(schema).or_default().extend(lines.iter().map(|line| (*line).to_owned()));
        }
    }
    pinned
}

/// The fields that DESIGN names and that exist.
#[rstest]
#[case::status(
    "status",
    "network.name network.endpoint network.genesis network.spec_version netuid block.number block.hash \
     block.timestamp_ms block.finalized summary.uids summary.readable summary.unreadable summary.none summary.orphans \
     orphans[].hotkey rows[].uid rows[].hotkey rows[].role rows[].own rows[].level rows[].commitment.state \
     rows[].commitment.reason rows[].commitment.block rows[].commitment.age_blocks rows[].commitment.predates_registration \
     rows[].commitment.fields rows[].commitment.locator rows[].commitment.read_key_id rows[].commitment.shape \
     rows[].drift.state rows[].drift.fields.locator rows[].drift.fields.read_key_id rows[].drift.fields.read_secret \
     findings[].code findings[].severity findings[].summary findings[].cause findings[].help exit subnet.netuid"
)]
#[case::show("show", "network.name netuid block.number row.level row.commitment.state row.drift.state findings[].code")]
#[case::doctor("doctor", "chain.kind vault.backend settings[].name credentials[].variable findings[].code")]
#[case::probe(
    "probe",
    "network.name netuid block.number results[].uid results[].hotkey results[].verdict results[].window \
     results[].object results[].size results[].last_modified results[].elapsed_ms results[].steps[].step \
     results[].steps[].http results[].steps[].code results[].steps[].ms results[].explanation results[].fix"
)]
#[case::verify(
    "verify",
    "network.name netuid block.number results[].uid results[].hotkey results[].level results[].reason \
     disputes[].id disputes[].case disputes[].summary disputes[].cause disputes[].help cost.requests"
)]
#[case::visible(
    "visible",
    "network.name netuid block.number visible standing windows[].window windows[].verdict \
     checks[].check checks[].standing checks[].evidence checks[].fix probe.verdict level"
)]
#[case::self_test(
    "self-test",
    "network.name netuid healthy canary left_behind steps[].step steps[].outcome steps[].http"
)]
#[case::commit(
    "commit",
    "outcome reason network.name netuid uid hotkey old_fingerprint new_fingerprint budget.used budget.max \
     budget.epoch budget.next_epoch_at budget.commits_left nonce era.birth era.death checks[].code extrinsic_hash block.number included_in \
     finalized read_back what explanation fix findings[].code"
)]
#[case::rotate(
    "rotate",
    "network.name netuid hotkey phase generation grace.ends_at_block grace.blocks_left next blocked_by[] \
     reason what explanation fix old_fingerprint new_fingerprint"
)]
#[case::keys("keys", "generations[].generation generations[].backend places[].place chain action env.problem")]
#[case::sandbox("sandbox", "network.name node witness s3 netuid scenario environment.BT_CHAIN_ENDPOINT")]
fn every_field_of_the_contract_is_pinned(#[case] command: &str, #[case] fields: &str) {
    let pinned = &pinned()[&format!("{command}/2")];
    let is_pinned =
        |field: &&str| pinned.iter().any(|line| line.split_once(": ").is_some_and(|(path, _)| path == *field));
    let missing: Vec<_> = fields.split_whitespace().filter(|field| !is_pinned(field)).collect();
    assert!(missing.is_empty(), "{missing:?} of {command}");
}
