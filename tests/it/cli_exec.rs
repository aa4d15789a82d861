//! `exec -- CMD`: a process that has the vault's keys in its environment, is itself, and finds nothing on disk.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use grail_console::sandbox::{Credentials, OPERATOR_UID};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::rotating::{NEW, OLD, Rotating};

/// Prints a SHA-256 of each of the four key variables, so that no secret is printed.
const PRINTS: &str = "for v in READ_ACCESS_KEY_ID READ_SECRET_ACCESS_KEY WRITE_ACCESS_KEY_ID WRITE_SECRET_ACCESS_KEY; do \
                      eval \"printf %s \\\"\\${R2_$v-unset}\\\"\" | sha256sum | cut -c1-64; done";

/// A house whose keys are in the vault and no longer in the `.env`.
fn moved_in() -> Rotating {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env", "--blank", "--json"]).exits(0);
    house
}

pub fn exec(house: &Rotating, words: &[&str]) -> Ran {
    let all = [&["exec"], words].concat();
    // Everything after the dashes is the command's.
    let at = all.iter().position(|word| *word == "--").unwrap();
    let flags = house.flags();
    let before = line(&all[..at], &flags);
    let mut console = house.operator.house.console(before);
    console.args(&all[at..]).env("PATH", "/usr/bin:/bin");
    Ran::of(console)
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[test]
fn a_process_gets_the_keys_in_its_environment_and_they_are_nowhere_else() {
    let house = moved_in();
    let ran = exec(&house, &["--", "/bin/sh", "-c", PRINTS]).exits(0);
    let keys = Credentials::of(OPERATOR_UID, OLD);
    let expected =
        [&keys.read_key_id, keys.read_secret.expose(), &keys.write_key_id, keys.write_secret.expose()].map(hash);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);
    for (path, content) in house.operator.house.files() {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains(keys.read_secret.expose()) && !text.contains(keys.write_secret.expose()), "{path:?}");
    }
}

#[test]
fn a_process_that_never_writes_does_not_get_the_write_key_even_where_it_is_exported() {
    let house = moved_in();
    let keys = Credentials::of(OPERATOR_UID, OLD);
    let house = house
        .with("R2_WRITE_ACCESS_KEY_ID", &keys.write_key_id)
        .with("R2_WRITE_SECRET_ACCESS_KEY", keys.write_secret.expose());
    let ran = exec(&house, &["--read-only-keys", "--", "/bin/sh", "-c", PRINTS]).exits(0);
    let unset = hash("unset");
    let expected = [hash(&keys.read_key_id), hash(keys.read_secret.expose()), unset.clone(), unset];
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_process_takes_the_place_of_the_console_with_its_exit_code_and_its_signals() {
    let house = moved_in();
    assert_eq!(exec(&house, &["--", "/bin/sh", "-c", "exit 37"]).code, Some(37));
    let mut console = house.operator.house.console(line(&["exec"], &house.flags()));
    console.args(["--", "/bin/sh", "-c", "trap 'exit 41' TERM; echo $$ >&2; while :; do sleep 0.05; done"]);
    let mut child = console.env("PATH", "/usr/bin:/bin").stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut said).unwrap();
    assert_eq!(said.trim(), child.id().to_string(), "no wrapper remains");
    let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let keys = Credentials::of(OPERATOR_UID, OLD);
    let line = String::from_utf8_lossy(&line);
    assert!(!line.contains(keys.read_secret.expose()) && !line.contains("grail-console"), "{line}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "no core file of it");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(41), "the signal was its own");
    let mut console = house.operator.house.console(crate::support::node::line(&["exec"], &house.flags()));
    console.args(["--", "/bin/sh", "-c", "kill -9 $$"]);
    assert_eq!(console.env("PATH", "/usr/bin:/bin").status().unwrap().signal(), Some(9));
}

#[test]
fn a_program_that_is_not_there_or_cannot_be_run_is_told_as_shells_do() {
    let house = moved_in();
    says(exec(&house, &["--", "no-such-program"]).exits(127).error(), &["cannot run no-such-program"]);
    let text = house.operator.house.write("work/text", "not a program\n");
    says(exec(&house, &["--", text.to_str().unwrap()]).exits(126).error(), &["check its permissions"]);
}

#[rstest]
#[case::another_value("R2_READ_SECRET_ACCESS_KEY=", false)]
#[case::an_empty_one("R2_READ_ACCESS_KEY_ID=", true)]
#[case::exported("export R2_WRITE_SECRET_ACCESS_KEY=", false)]
#[case::quoted("R2_WRITE_ACCESS_KEY_ID = '", false)]
#[case::another_bucket("R2_BUCKET_ID=", false)]
fn an_env_that_would_win_is_refused_with_its_line(#[case] definition: &str, #[case] blank: bool) {
    let house = moved_in();
    let quote = if definition.ends_with('\'') { "'" } else { "" };
    let value = if blank { "" } else { "something-else" };
    let before = house.env();
    let at = before.lines().count() + 2;
    house.operator.has(format!("{before}\n{definition}{value}{quote}\n"));
    let refused = exec(&house, &["--", "true"]).exits(3);
    says(refused.error(), &["would win over the vault's keys", &format!("line {at} R2_"), "--blank"]);
    assert_eq!(refused.stderr.contains("empty, which wins all the same"), blank, "{}", refused.stderr);
}

#[test]
fn an_env_with_the_same_keys_is_no_harm() {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env", "--json"]).exits(0);
    exec(&house, &["--", "true"]).exits(0);
    // After a rotation by the vault alone it would be.
    house.operator.has_generation(NEW);
    exec(&house, &["--", "true"]).exits(3);
}

#[test]
fn an_env_upward_of_the_present_folder_is_told() {
    let house = moved_in();
    house.operator.house.write("work/.env", "A=1\nR2_READ_SECRET_ACCESS_KEY=other\n");
    let ran = exec(&house, &["--", "true"]).exits(0);
    says(&ran.stderr, &["holds other values (line 2 R2_READ_SECRET_ACCESS_KEY)", "--env-file"]);
}

#[test]
fn without_keys_in_the_vault_nothing_is_run() {
    let house = Rotating::new();
    says(exec(&house, &["--", "true"]).exits(6).error(), &["holds no keys", "keys import"]);
    let house = moved_in();
    fs::remove_file(house.operator.house.path("vault.key")).unwrap();
    exec(&house, &["--", "true"]).exits(6);
}
