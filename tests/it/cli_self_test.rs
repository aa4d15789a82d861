//! `self-test` as a process: what it says, and what is left in the bucket when it is killed or interrupted.

use std::process::Stdio;

use grail_console::sandbox::{Credentials, OPERATOR_UID, hotkey};
use rustix::process::Signal;
use serde_json::Value;

use crate::cli_status::path;
use crate::support::house::{House, Ran, is_plain, says};
use crate::support::node::{Node, line};
use crate::support::operator::Running;
use crate::support::way::{Loss, Way};

/// An operator whose way to the store can lose things.
struct Shell {
    house: House,
    node: Node,
    way: Way,
}

impl Shell {
    fn new(scenario: &str) -> Self {
        let node = Node::with_uids(scenario, 64);
        let way = node.wait(Way::to(node.sandbox().s3_url()));
        Self { house: House::new(), node, way }
    }

    fn flags(&self) -> Vec<String> {
        let store = ["--s3-endpoint".to_owned(), self.way.url().to_owned()];
        self.node.operator_flags().into_iter().chain(store).collect()
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.house.run(line(words, &self.flags()))
    }

    fn start(&self, words: &[&str]) -> Running {
        let mut command = self.house.console(line(words, &self.flags()));
        Running::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn stored(&self) -> Vec<String> {
        self.node.sandbox().s3().stored(OPERATOR_UID)
    }

    /// Starts it, and waits until it hangs with its canary in the bucket.
    fn hanging(&self) -> Running {
        self.way.lose("GET", Some(Loss::Everything));
        let running = self.start(&["self-test"]);
        self.node.wait(self.way.came("GET"));
        assert_eq!(self.stored(), [canary()]);
        running
    }
}

fn canary() -> String {
    format!("grail-console/self-test/{}.canary", hotkey(OPERATOR_UID))
}

fn step<'d>(document: &'d Value, name: &str) -> &'d Value {
    document["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap()
}

#[test]
fn good_keys_are_said_to_do_what_they_should_and_nothing_more() {
    let shell = Shell::new("healthy");
    let ran = shell.run(&["self-test"]).exits(0);
    says(&ran.stdout, &["✓ Your keys do what they should, and nothing more.", "✓ PUT canary", "✓ DELETE canary"]);
    says(&ran.stdout, &[&Credentials::of(OPERATOR_UID, 0).account]);
    is_plain(&ran.stdout);
    assert_eq!((ran.stderr.as_str(), shell.stored()), ("", vec![]));
}

#[test]
fn the_document_has_every_step_with_its_outcome() {
    let shell = Shell::new("drift");
    let document = shell.run(&["self-test", "--json"]).exits(0).json();
    assert_eq!(document["schema"], "grail-console/self-test/2");
    assert_eq!(document["hotkey"], hotkey(OPERATOR_UID).to_string());
    assert_eq!((&document["healthy"], &document["netuid"]), (&Value::from(true), &Value::from(81)));
    assert_eq!(document["left_behind"], Value::Null);
    let names = ["put_canary", "get_canary_published_key", "get_canary_local_key", "delete_canary"];
    for name in names.into_iter().chain(["abort_upload", "list_buckets"]) {
        let step = step(&document, name);
        assert_eq!(step["outcome"], "passed", "{step}");
        assert!(step["ms"].is_u64() && step["explanation"].is_string() && step["http"].is_u64(), "{step}");
    }
}

#[test]
fn a_key_that_was_revoked_is_a_finding_with_what_to_do() {
    let shell = Shell::new("drift");
    shell.node.sandbox().s3().revoke(&Credentials::of(OPERATOR_UID, 1).read_key_id);
    let ran = shell.run(&["self-test"]).exits(1);
    says(&ran.stdout, &["✗ Something is wrong with your keys.", "→ Commit a read key that works"]);
    let document = shell.run(&["self-test", "--json"]).exits(1).json();
    let step = step(&document, "get_canary_published_key");
    assert_eq!(
        (&step["outcome"], &step["http"], &step["code"]),
        (&"failed".into(), &401.into(), &"Unauthorized".into())
    );
    assert_eq!(shell.stored(), Vec::<String>::new());
}

#[test]
fn read_only_writes_no_canary() {
    let shell = Shell::new("healthy");
    let ran = shell.run(&["self-test", "--read-only"]).exits(3);
    says(ran.error(), &["The console is read-only", "Start it without --read-only"]);
    shell.house.configure("[profile.main]\nread_only = true\n");
    shell.run(&["self-test", "--profile", "main"]).exits(3);
    assert!(shell.way.seen().is_empty());
}

#[test]
fn without_a_write_pair_there_is_nothing_to_write_with() {
    let shell = Shell::new("healthy");
    let own = Credentials::of(OPERATOR_UID, 0);
    let env = shell.house.write(
        "grail/.env",
        format!(
            "R2_ACCOUNT_ID={0}\nR2_BUCKET_ID={0}\nR2_READ_ACCESS_KEY_ID={1}\nR2_READ_SECRET_ACCESS_KEY={2}\n",
            own.account,
            own.read_key_id,
            own.read_secret.expose()
        ),
    );
    let flags = [
        shell.node.flags(),
        ["--s3-endpoint", shell.way.url(), "--env-file", &path(&env), "--hotkey", &hotkey(OPERATOR_UID).to_string()]
            .map(str::to_owned)
            .to_vec(),
    ]
    .concat();
    let ran = shell.house.run(line(&["self-test"], &flags)).exits(2);
    says(ran.error(), &["R2_WRITE_ACCESS_KEY_ID", "R2_WRITE_SECRET_ACCESS_KEY"]);
    assert!(shell.way.seen().is_empty());
}

#[test]
fn without_a_hotkey_there_is_nobody_to_test() {
    let shell = Shell::new("healthy");
    let env = path(&shell.node.sandbox().operator().unwrap().env_file);
    let house = House::new();
    let env = house.write("x.env", std::fs::read_to_string(env).unwrap().replace("BT_WALLET", "X"));
    let flags = [shell.node.flags(), vec!["--env-file".to_owned(), path(&env)]].concat();
    says(house.run(line(&["self-test"], &flags)).exits(2).error(), &["No own hotkey is known", "--hotkey"]);
}

#[test]
fn a_killed_run_leaves_its_canary_and_the_next_one_removes_it() {
    let shell = Shell::new("healthy");
    shell.hanging().kill();
    assert_eq!(shell.stored(), [canary()]);
    shell.way.lose("GET", None);
    shell.run(&["self-test"]).exits(0);
    assert_eq!(shell.stored(), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_removes_its_canary_before_it_leaves() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::USR1] {
        let shell = Shell::new("healthy");
        let running = shell.hanging();
        running.signal(signal);
        running.ended().exits(7);
        assert_eq!(shell.stored(), Vec::<String>::new(), "{signal:?}");
        assert_eq!(shell.way.seen().last().unwrap(), "DELETE", "{signal:?}");
    }
}

#[test]
fn an_interrupted_run_that_cannot_remove_its_canary_names_it() {
    let shell = Shell::new("healthy");
    let running = shell.hanging();
    shell.way.lose("DELETE", Some(Loss::Everything));
    running.signal(Signal::INT);
    let ran = running.ended().exits(7);
    let words = ["Whether ", &canary(), " is in the bucket is not known: the store did not answer.", "removes it."];
    says(&ran.stdout, &words);
    assert!(!ran.stdout.contains("is still in the bucket"), "{}", ran.stdout);
}

#[test]
fn a_write_that_was_never_answered_is_neither_good_nor_bad() {
    let shell = Shell::new("healthy");
    shell.way.lose("PUT", Some(Loss::Everything));
    let ran = shell.run(&["self-test"]).exits(8);
    says(&ran.stdout, &["? Whether your keys do what they should is not known", "? PUT canary"]);
    says(&ran.stdout, &["whether the canary was written is not known", "✓ DELETE canary", "60 s at most"]);
    assert!(!ran.stdout.contains("in the bucket"), "{}", ran.stdout);
    assert_eq!(shell.stored(), Vec::<String>::new());
}

#[test]
fn how_long_it_took_and_may_take_is_told() {
    let shell = Shell::new("healthy");
    says(&shell.house.run(line(&["self-test", "--help"], &[])).exits(0).stdout, &["60 s at most"]);
    let document = shell.run(&["self-test", "--json"]).exits(0).json();
    assert!(document["seconds"].is_f64(), "{document}");
    assert_eq!((&document["out_of_time"], &document["canary"]), (&Value::from(false), &Value::from("removed")));
}

#[test]
fn without_the_chain_nothing_is_tested() {
    let shell = Shell::new("healthy");
    shell.node.wait(shell.node.sandbox().faults().refuse_connections()).unwrap();
    shell.run(&["self-test"]).exits(4);
    assert!(shell.way.seen().is_empty());
}
