//! A terminal that vanishes: its window was closed, or the connection to it was lost.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use grail_console::sandbox::{BlockTime, SandboxOptions};
use portable_pty::{CommandBuilder, ExitStatus, PtySize, native_pty_system};
use rstest::rstest;

use crate::support::DEADLINE;
use crate::support::house::{BINARY, House};
use crate::support::node::{Node, of};

const ENTER: &str = "\r";
const TAB: &str = "\t";

/// Passes through keys, each typed when these words are on the screen; then the terminal is gone.
fn vanishes(house: &House, mut command: CommandBuilder, steps: &[(&str, &str)], last: &str) -> ExitStatus {
    command.env_clear();
    command.env("TERM", "xterm-256color");
    house.environment().into_iter().for_each(|(name, value)| command.env(name, value));
    command.cwd(house.path("work"));
    let pair = native_pty_system().openpty(PtySize { rows: 32, cols: 120, ..PtySize::default() }).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    let (mut out, mut keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
    let mut screen = vt100::Parser::new(cells(32), cells(120), 0);
    let mut buffer = [0; 8192];
    let mut until = |words: &str| {
        while !screen.screen().contents().contains(words) {
            let count = out.read(&mut buffer).unwrap();
            assert!(count > 0, "ended before {words}:\n{}", screen.screen().contents());
            screen.process(&buffer[..count]);
        }
    };
    for (words, typed) in steps {
        until(words);
        keys.write_all(typed.as_bytes()).unwrap();
    }
    until(last);
    drop((keys, out, pair));
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it outlived its terminal");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn console(arguments: &[&str]) -> CommandBuilder {
    let mut command = CommandBuilder::new(BINARY);
    command.args(arguments);
    command
}

fn quietly_with_7(status: &ExitStatus) {
    assert_eq!((status.exit_code(), status.signal()), (7, None));
}

const PRACTICE: [&str; 5] = ["sandbox", "--uids", "64", "--scenario", "drift"];

#[rstest]
#[case::table(&[], "validators still read your old key")]
#[case::dialog(&[("your old key", "C")], "Publish to SANDBOX")]
#[case::filter(&[("your old key", "/")], "apply")]
#[case::wizard(&[("your old key", "R")], "esc")]
fn a_closed_window_ends_the_console_quietly_with_7(#[case] steps: &[(&str, &str)], #[case] last: &str) {
    let house = House::new();
    quietly_with_7(&vanishes(&house, console(&PRACTICE), steps, last));
}

/// As below a shell that ignores SIGHUP: only reading and writing fail.
#[test]
fn without_a_signal_it_ends_all_the_same() {
    let house = House::new();
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", "trap '' HUP; \"$@\"; echo $? >code", "sh", BINARY]);
    command.args(PRACTICE);
    vanishes(&house, command, &[], "validators still read your old key");
    assert_eq!(std::fs::read_to_string(house.path("work/code")).unwrap().trim(), "7");
}

#[test]
fn a_commit_under_way_is_left_as_by_ctrl_c_and_told_by_the_next_start() {
    let (house, node) = (
        House::new(),
        Node::with(SandboxOptions { uids: 64, block_time: BlockTime::Every(Duration::from_secs(2)), ..of("drift") }),
    );
    let flags = node.committing_flags();
    let flags: Vec<&str> = flags.iter().map(AsRef::as_ref).collect();
    let steps = [("your old key", "C"), ("Publish to SANDBOX", TAB), ("[ Publish ]", ENTER)];
    quietly_with_7(&vanishes(&house, console(&flags), &steps, "✓ signed"));
    for (path, _) in house.files() {
        assert!(!path.file_name().unwrap().to_string_lossy().contains("tmp"), "half written: {}", path.display());
    }
    let mut again = vec!["commit", "--yes"];
    again.extend(&flags);
    let ran = house.run(&again);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}
