//! `commit` with an encrypted hotkey: where its password may come from, and that nobody sees it.
//!
//! Opening one for real takes seconds and half a gigabyte: four tests do, one after the other.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grail_console::sandbox::{Credentials, hotkey};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::json;

use crate::cli_commit::document;
use crate::cli_status::{env_of, path};
use crate::support::house::{Ran, failure, says};
use crate::support::node::line;
use crate::support::operator::Operator;
use crate::support::pty::Pty;
use crate::wallet_public::ENCRYPTED;

/// Uid of the encrypted hotkey.
pub const UID: u16 = 45;
pub const PASSWORD: &str = "practice-password-1";
const TALL: (u16, u16) = (120, 60);

/// Half a gigabyte at a time.
static MEMORY: Mutex<()> = Mutex::new(());

/// Whoever opens an encrypted hotkey holds this.
pub fn alone() -> MutexGuard<'static, ()> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An operator whose wallet lies in the house, with a new read key in the `.env`.
pub struct Locked {
    pub operator: Operator,
    pub key_file: PathBuf,
}

impl Locked {
    pub fn new(operator: Operator) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wallets/practice/hotkeys/encrypted");
        let key_file = operator.house.write("wallets/mine/hotkeys/locked", fs::read(fixture).unwrap());
        operator.house.write("wallets/mine/hotkeys/lockedpub.txt", json!({ "ss58Address": ENCRYPTED }).to_string());
        assert_eq!(hotkey(UID).to_string(), ENCRYPTED);
        operator.has(env_of(&Credentials::of(UID, 1)));
        Self { operator, key_file }
    }

    pub fn line(&self, words: &[&str]) -> Vec<String> {
        line(words, &self.operator.flags_of("mine", "locked", &path(&self.operator.house.path("wallets"))))
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.operator.house.run(self.line(words))
    }

    fn pty(&self, words: &[&str]) -> Pty {
        Pty::open_at(TALL, &self.operator.house, self.line(words))
    }

    /// Fails unless the new key is on chain, by one extrinsic.
    #[track_caller]
    fn committed(&self) {
        assert_eq!(self.operator.on_chain_of(hotkey(UID)), Credentials::of(UID, 1).read_commitment());
        assert_eq!(self.operator.submissions(), 1);
    }
}

#[test]
fn the_password_comes_from_standard_input() {
    let _alone = alone();
    let locked = Locked::new(Operator::new());
    let mut command =
        locked.operator.house.console(locked.line(&["commit", "--yes", "--json", "--password-file", "-"]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert_eq!(document(&Ran::ended(child).exits(0))["outcome"], "committed");
    locked.committed();
}

/// As bittensor-wallet keeps it: the path in the name, the value combined with the name.
#[test]
fn the_password_comes_from_the_variable_of_bittensor_wallet() {
    let _alone = alone();
    let locked = Locked::new(Operator::new());
    let name = format!("BT_PW_{}", path(&locked.key_file).replace(['/', '.'], "_").to_uppercase());
    let veiled: Vec<u8> = PASSWORD.bytes().zip(name.bytes().cycle()).map(|(byte, veil)| byte ^ veil).collect();
    let locked = Locked { operator: locked.operator.with(&name, STANDARD.encode(veiled)), ..locked };
    let ran = locked.run(&["commit", "--yes"]).exits(0);
    says(&ran.stderr, &["opening the key file: about three seconds", "✓ read back equal"]);
    locked.committed();
}

#[test]
fn the_password_is_typed_at_the_prompt_and_never_shown() {
    let _alone = alone();
    let locked = Locked::new(Operator::new());
    let mut console = locked.pty(&["commit"]);
    console.shows("anything else to leave it:");
    console.keys("yes\r");
    console.shows("Password of hotkey locked:");
    console.keys(&format!("{PASSWORD}\r"));
    console.shows("opening the key file");
    let left = console.left();
    left.restored_with(0);
    says(&left.screen, &["✓ read back equal", "✓ Published in block #"]);
    let shown = String::from_utf8_lossy(&left.bytes).into_owned();
    assert!(!shown.contains("practice-pass") && !shown.contains("password-1"), "{shown}");
    locked.committed();
}

#[test]
fn a_wrong_password_opens_nothing_and_sends_nothing() {
    let _alone = alone();
    let locked = Locked::new(Operator::by_hand());
    let file = locked.operator.house.write("password", "practice-password-2\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = locked.run(&["commit", "--yes", "--password-file", &path(&file)]).exits(2);
    says(&ran.stderr, &["The password file has mode 0644", "chmod 600"]);
    says(&ran.stderr, &["The password does not open", "locked", "Type it again"]);
    assert!(!ran.stderr.contains("practice-password"), "{}", ran.stderr);
    locked.operator.did_nothing();
}

#[test]
fn without_a_password_and_without_a_terminal_it_says_how_to_give_one() {
    let locked = Locked::new(Operator::by_hand());
    let ran = locked.run(&["commit", "--yes"]).exits(2);
    says(&ran.stderr, &["is encrypted and no password was given", "--password-file"]);
    let document = locked.run(&["commit", "--yes", "--json"]).exits(2).json();
    says(&failure(&document), &["is encrypted and no password was given", "--password-file"]);
    locked.operator.did_nothing();
}

#[test]
fn a_password_that_is_none_is_refused_before_anything_is_opened() {
    let locked = Locked::new(Operator::by_hand());
    let house = &locked.operator.house;
    let not_text = house.write("not-text", b"\xff\xfe");
    let cases = [
        (house.write("empty", ""), "The password is empty"),
        (house.write("a-line-break", "\n"), "The password is empty"),
        (house.path("nowhere"), "No such file"),
        (house.write("long", "x".repeat(5_000)), "more than 4096 bytes"),
        (not_text, "is not UTF-8"),
    ];
    for (file, words) in cases {
        let ran = locked.run(&["commit", "--yes", "--password-file", &path(&file)]).exits(2);
        says(&ran.stderr, &[words]);
        assert!(!ran.stderr.contains("opening the key file"), "{}", ran.stderr);
    }
    locked.operator.did_nothing();
}

#[test]
fn a_variable_that_bittensor_wallet_did_not_write_is_said() {
    let locked = Locked::new(Operator::by_hand());
    let name = format!("BT_PW_{}", path(&locked.key_file).replace(['/', '.'], "_").to_uppercase());
    let locked = Locked { operator: locked.operator.with(&name, PASSWORD), ..locked };
    let ran = locked.run(&["commit", "--yes"]).exits(2);
    says(&ran.stderr, &["BT_PW_"]);
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
    locked.operator.did_nothing();
}

#[test]
fn where_nothing_is_to_be_signed_no_password_is_asked_for() {
    let locked = Locked::new(Operator::by_hand());
    let dry = document(&locked.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!((&dry["outcome"], &dry["hotkey"]), (&json!("planned"), &json!(ENCRYPTED)));
    locked.operator.has(env_of(&Credentials::of(UID, 0)));
    assert_eq!(document(&locked.run(&["commit", "--yes", "--json"]).exits(0))["outcome"], "unchanged");
    locked.operator.did_nothing();
}

#[rstest]
#[case::the_prompt(&["commit", "--yes"])]
#[case::standard_input_that_is_a_terminal(&["commit", "--yes", "--password-file", "-"])]
fn what_is_typed_at_a_terminal_is_never_echoed(#[case] words: &[&str]) {
    let locked = Locked::new(Operator::by_hand());
    let mut console = locked.pty(words);
    console.shows("Password of hotkey locked:");
    // Typed, taken back, and then nothing: no key file is opened with that.
    console.keys(&format!("{PASSWORD}\x15\r"));
    let left = console.left();
    left.restored_with(2);
    says(&left.screen, &["The password is empty"]);
    let shown = String::from_utf8_lossy(&left.bytes).into_owned();
    assert!(!shown.contains("practice-pass") && !shown.contains("password-1"), "{shown}");
    locked.operator.did_nothing();
}

#[rstest]
#[case::ctrl_c(None)]
#[case::terminate(Some(Signal::TERM))]
#[case::hang_up(Some(Signal::HUP))]
#[case::quit(Some(Signal::QUIT))]
#[case::user_1(Some(Signal::USR1))]
#[case::user_2(Some(Signal::USR2))]
fn whoever_leaves_at_the_prompt_gets_a_terminal_that_echoes_again(#[case] signal: Option<Signal>) {
    let locked = Locked::new(Operator::by_hand());
    let mut console = locked.pty(&["commit", "--yes"]);
    console.shows("Password of hotkey locked:");
    assert!(console.is_raw(), "the terminal does not echo");
    match signal {
        Some(signal) => console.signal(signal),
        None => drop(console.keys("\x03")),
    }
    console.left().restored_with(7);
    locked.operator.did_nothing();
}

#[test]
fn an_encryption_that_is_no_longer_in_use_says_what_to_run() {
    let locked = Locked::new(Operator::by_hand());
    for content in ["$ANSIBLE_VAULT;1.1;AES256\n6162", "gAAAAABk"] {
        fs::write(&locked.key_file, content).unwrap();
        let ran = locked.run(&["commit", "--yes"]).exits(2);
        says(&ran.stderr, &["btcli wallet regen-hotkey"]);
        locked.operator.did_nothing();
    }
}

#[rstest]
#[case::terminate(Signal::TERM)]
#[case::quit(Signal::QUIT)]
#[case::user_1(Signal::USR1)]
fn whoever_leaves_at_a_passphrase_gets_a_terminal_that_echoes_again(#[case] signal: Signal) {
    let operator = Operator::by_hand();
    let words = ["keys", "import", "--from-env", "--vault", "file"];
    let console = Pty::open(&operator.house, line(&words, &operator.flags()));
    console.shows("Passphrase of the encrypted file:");
    assert!(console.is_raw(), "the terminal does not echo");
    console.signal(signal);
    console.left().restored_with(7);
}
