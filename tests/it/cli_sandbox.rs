//! `sandbox`: the practice node served for other clients, and what is left when it ends.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use grail_console::sandbox::{OPERATOR_UID, SANDBOX_GENESIS, hotkey};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::DEADLINE;
use crate::support::admin_api::{ask, token};
use crate::support::house::{House, Ran, says};

/// A served sandbox; ended with the test.
struct Served {
    child: Option<Child>,
    out: BufReader<ChildStdout>,
}

impl Served {
    fn start(house: &House, arguments: &[&str]) -> Self {
        let mut command = house.console([&["sandbox", "--serve"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child: Some(child), out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The document of `--json`, which ends with the brace in the first column.
    fn document(&mut self) -> Value {
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            assert_ne!(self.out.read_line(&mut text).unwrap(), 0, "{text}");
        }
        serde_json::from_str(&text).unwrap()
    }

    fn end(mut self, signal: Signal) -> Ran {
        let child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let ran = Ran::ended(child);
        Ran { stdout: rest, ..ran }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_first_lines_are_the_urls_and_the_rest_is_what_to_use_with_them() {
    let house = House::new();
    let mut served = Served::start(&house, &["--scenario", "drift", "--uids", "64"]);
    let url = served.line();
    assert!(url.starts_with("ws://127.0.0.1:"), "{url}");
    let buckets = served.line();
    assert!(buckets.starts_with("http://127.0.0.1:"), "{buckets}");
    let lines: Vec<String> = (0..10).map(|_| served.line()).collect();
    assert_eq!(lines[0], format!("export BT_CHAIN_ENDPOINT={url}"));
    assert_eq!(lines[1], format!("export R2_ENDPOINT_URL={buckets}"));
    assert_eq!(lines[2], "export NETUID=81");
    assert_eq!(lines[3], "export BT_WALLET_COLD=practice");
    assert_eq!(lines[4], "export BT_WALLET_HOT=operator");
    assert!(lines[5].starts_with("export BT_WITNESS_ENDPOINT=ws://127.0.0.1:"), "{}", lines[5]);
    // As printed, they make the console the operator.
    let mut visitor = House::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("export ")) {
        let (name, value) = line.split_once('=').unwrap();
        visitor = visitor.with(name, value);
    }
    assert_eq!(lines[8], format!("tokens {buckets}/-/tokens"));
    assert_eq!(lines[9], format!("grail-restart {buckets}/-/grail/restart"));
    let flags = lines[6..8].iter().flat_map(|line| line.split(' '));
    let ran = visitor.run(["status"].into_iter().chain(flags)).exits(1);
    says(&ran.stdout, &["SANDBOX · subnet 81", "64 uids", "you: uid 42, validators still read your old key"]);
    let over = served.end(Signal::TERM).exits(0);
    assert_eq!(over.stdout, "", "nothing more is said on stdout");
    says(&over.stderr, &["SANDBOX served", "requests", "round trips"]);
}

#[test]
fn as_json_everything_is_in_one_document() {
    let house = House::new();
    let mut served = Served::start(&house, &["--json", "--uids", "64", "--block-time", "100ms"]);
    let document = served.document();
    assert_eq!(document["schema"], "grail-console/sandbox/2");
    assert_eq!(document["network"]["name"], "SANDBOX");
    assert_eq!(document["network"]["genesis"], format!("0x{}", hex::encode(SANDBOX_GENESIS)));
    assert_eq!(document["netuid"], 81);
    assert_eq!(document["scenario"], "healthy");
    assert_eq!(document["tokens"], format!("{}/-/tokens", document["s3"].as_str().unwrap()));
    assert_eq!(document["grail_restart"], format!("{}/-/grail/restart", document["s3"].as_str().unwrap()));
    assert_eq!(document["hotkey"], hotkey(OPERATOR_UID).to_string());
    let environment: BTreeMap<String, String> = serde_json::from_value(document["environment"].clone()).unwrap();
    assert_eq!(environment["BT_CHAIN_ENDPOINT"], document["node"].as_str().unwrap());
    assert_eq!(environment["R2_ENDPOINT_URL"], document["s3"].as_str().unwrap());
    let status = House::new().run(["status", "--json", "--endpoint", document["node"].as_str().unwrap()]).exits(0);
    assert_eq!(status.json()["summary"]["uids"], 64);
}

#[test]
fn first_run_has_neither_wallet_nor_env_file() {
    let house = House::new();
    let mut served = Served::start(&house, &["--json", "--scenario", "first-run", "--uids", "4"]);
    let document = served.document();
    assert_eq!(document["env_file"], Value::Null);
    assert_eq!(document["hotkey"], Value::Null);
    assert_eq!(document["grail_restart"], Value::Null);
    let names: BTreeMap<String, String> = serde_json::from_value(document["environment"].clone()).unwrap();
    assert_eq!(names.len(), 4);
}

#[test]
fn another_process_makes_a_token_and_its_secret_is_told_to_nobody_else() {
    let house = House::new();
    let mut served =
        Served::start(&house, &["--json", "--scenario", "rotation", "--uids", "64", "--block-time", "100ms"]);
    let document = served.document();
    let store = document["s3"].as_str().unwrap();
    let (key_id, secret) = token(store, "kind=read");
    let known = format!("{key_id} read known\n");
    let deadline = Instant::now() + DEADLINE;
    while !ask(store, "GET", "/-/tokens").text.contains(&known) {
        assert!(Instant::now() < deadline, "a minute of practice is half a second here");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(store, "DELETE", &format!("/-/tokens/{key_id}")).status, 200);
    let files = house.files();
    let over = served.end(Signal::TERM).exits(0);
    assert!(!over.stdout.contains(&secret) && !over.stderr.contains(&secret));
    assert!(!files.iter().any(|(_, content)| content.windows(64).any(|part| part == secret.as_bytes())));
}

#[test]
fn every_signal_ends_it_and_nothing_is_left_behind() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let house = House::new();
        let before = house.files().len();
        let mut served = Served::start(&house, &["--uids", "4"]);
        let url = served.line();
        assert!(house.files().len() > before, "the practice wallet lies in the temporary folder");
        served.end(signal).exits(0);
        assert_eq!(house.files().len(), before, "{signal:?}");
        let address = url.strip_prefix("ws://").unwrap();
        assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
    }
}

#[test]
fn latency_and_ports_are_as_asked() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house = House::new();
    let free_too = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = ["--port", &free.to_string(), "--s3-port", &free_too.to_string()];
    let mut served = Served::start(&house, &[&ports[..], &["--latency", "1ms", "--uids", "4"]].concat());
    assert_eq!(served.line(), format!("ws://127.0.0.1:{free}"));
    assert_eq!(served.line(), format!("http://127.0.0.1:{free_too}"));
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = House::new().run(["sandbox", "--serve", "--port", &port, "--uids", "4"]).exits(2);
    says(ran.error(), &["cannot listen on 127.0.0.1", &port, "choose another port"]);
}

#[test]
fn an_unknown_scenario_names_the_known_ones() {
    let house = House::new();
    let ran = house.run(["sandbox", "--serve", "--scenario", "sunny"]).exits(2);
    says(ran.error(), &["no scenario is called \"sunny\"", "healthy", "first-run", "outage"]);
    let document = house.run(["sandbox", "--serve", "--json", "--scenario", "sunny"]).exits(2).json();
    assert_eq!(document["schema"], "grail-console/sandbox/2");
}

#[test]
fn sizes_and_times_out_of_range_are_refused() {
    let house = House::new();
    for (flag, value, words) in [
        ("--uids", "0", "1..=65536"),
        ("--uids", "65537", "1..=65536"),
        ("--block-time", "12", "unit"),
        ("--block-time", "fast", "whole number"),
        ("--latency", "1h", "ms, s or m"),
    ] {
        let ran = house.run(["sandbox", "--serve", flag, value]).exits(2);
        says(&ran.stderr, &[flag, words]);
    }
    says(house.run(["sandbox", "--serve", "--block-time", "99ms"]).exits(2).error(), &["too fast", "100ms"]);
}

#[test]
fn the_console_on_the_practice_subnet_needs_a_terminal_too() {
    let house = House::new();
    says(house.run(["sandbox", "--uids", "4"]).exits(2).error(), &["standard output is not a terminal", "status"]);
    assert!(house.files().is_empty(), "and leaves nothing behind");
}
