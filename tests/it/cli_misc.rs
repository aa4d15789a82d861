//! What holds for the command line as a whole: help, completions, the manual page, usage, and where output goes.

use clap::CommandFactory as _;
use grail_console::cli::args::Arguments;

use crate::support::house::{BINARY, House, Ran, failure, is_plain, says};
use crate::support::pty::Pty;

/// Every command with its options.
fn commands() -> Vec<clap::Command> {
    let mut top = Arguments::command();
    top.build();
    let mut all: Vec<clap::Command> = top.get_subcommands().cloned().collect();
    all.push(top);
    all
}

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let help = House::new().run(["--help"]).exits(0);
    assert_eq!(help.stderr, "");
    says(&help.stdout, &["status", "show", "doctor", "sandbox", "completions", "man", "Exit codes"]);
    says(
        &help.stdout,
        &["0 healthy", "1 a finding", "2 usage", "3 refused", "4 chain unreachable", "6 vault", "7 pending"],
    );
    is_plain(&help.stdout);
}

#[test]
fn every_command_has_help_of_its_own() {
    let house = House::new();
    for command in ["status", "show", "doctor", "sandbox", "completions", "man"] {
        let help = house.run([command, "--help"]).exits(0).stdout;
        says(&help, &["Usage: grail-console", command, "--json", "--endpoint"]);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ran = House::new().run(["--version"]).exits(0);
    assert_eq!(ran.stdout.trim(), format!("grail-console {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn no_option_and_no_argument_takes_a_secret() {
    let words = ["secret", "password", "key-id", "token", "mnemonic", "seed", "private"];
    let mut looked_at = 0;
    for command in commands() {
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap_or(argument.get_id().as_str());
            // It names the file that holds it.
            if name == "password-file" {
                continue;
            }
            assert!(!words.iter().any(|word| name.contains(word)), "{} --{name}", command.get_name());
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn every_option_is_explained() {
    for command in commands() {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    }
}

#[test]
fn completions_and_the_manual_page_need_neither_network_nor_home() {
    for (arguments, words) in [
        (&["completions", "bash"][..], &["-F _grail_console grail-console"][..]),
        (&["completions", "zsh"], &["#compdef grail-console"]),
        (&["completions", "fish"], &["--command grail-console"]),
        (&["man"], &[".TH grail-console 1", "status", "doctor"]),
    ] {
        let mut bare = std::process::Command::new(BINARY);
        bare.args(arguments).env_clear().current_dir("/");
        let ran = Ran::of(bare).exits(0);
        says(&ran.stdout, words);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn completions_for_an_unknown_shell_name_the_known_ones() {
    let ran = House::new().run(["completions", "tcsh"]).exits(2);
    says(&ran.stderr, &["tcsh", "bash", "zsh", "fish"]);
}

#[test]
fn bad_usage_is_told_on_stderr_with_code_2() {
    let house = House::new();
    for arguments in [&["--no-such-flag"][..], &["launch"], &["status", "--netuid", "70000"], &["status", "extra"]] {
        let ran = house.run(arguments).exits(2);
        assert_eq!(ran.stdout, "");
        says(&ran.stderr, &["error:", "--help"]);
        is_plain(&ran.stderr);
    }
}

#[test]
fn bad_usage_with_json_is_one_document_on_stdout() {
    let house = House::new();
    for arguments in [
        &["status", "--json", "--no-such-flag"][..],
        &["--json", "status", "--netuid", "x"],
        &["status", "x", "--json"],
    ] {
        let document = house.run(arguments).exits(2).json();
        assert_eq!(document["schema"], "grail-console/status/2");
        assert_eq!(document["exit"], 2);
        assert!(!failure(&document).is_empty());
    }
}

#[test]
fn help_is_help_with_json_too() {
    says(&House::new().run(["--json", "--help"]).exits(0).stdout, &["Usage: grail-console"]);
}

#[test]
fn every_error_with_json_is_one_document_on_stdout() {
    let house = House::new();
    for (arguments, code) in [
        (&["status", "--json", "--network", "mars"][..], 2),
        (&["status", "--json", "--endpoint", "ws://127.0.0.1:9"], 4),
        (&["show", "0", "--json", "--endpoint", "ws://192.0.2.1"], 3),
        (&["show", "0", "--json", "--env-file", "/nowhere/.env"], 2),
        (&["--json"], 2),
    ] {
        let document = house.run(arguments).exits(code).json();
        let command = arguments.iter().find(|word| !word.starts_with('-')).unwrap_or(&"console");
        assert_eq!(document["schema"], format!("grail-console/{command}/2"), "{arguments:?}");
        assert_eq!(document["exit"], code, "{arguments:?}");
        assert!(failure(&document).len() > 20, "{arguments:?}");
    }
}

#[test]
fn an_argument_that_drives_terminals_is_made_visible() {
    let house = House::new();
    let ran = house.run(["status", "--network", "\u{1b}]0;owned\u{7}"]).exits(2);
    is_plain(&ran.stderr);
    let ran = house.run(["\u{1b}]0;owned\u{7}"]).exits(2);
    is_plain(&ran.stderr);
}

#[test]
fn without_a_terminal_the_console_says_what_to_use_instead() {
    let ran = House::new().run::<&str>([]).exits(2);
    says(ran.error(), &["standard output is not a terminal", "grail-console status", "--json"]);
}

#[test]
fn a_dumb_terminal_is_told_what_to_use_instead() {
    let house = House::new().with("TERM", "dumb");
    let left = Pty::open(&house, ["--endpoint", "ws://127.0.0.1:9"]).left();
    says(&left.screen.replace('\n', " "), &["TERM is dumb", "grail-console status"]);
    assert!(!left.bytes.contains(&0x1b));
    left.restored_with(2);
}

#[test]
fn a_terminal_without_a_name_is_told_so() {
    let house = House::new().with("TERM", "");
    let left = Pty::open(&house, ["--endpoint", "ws://127.0.0.1:9"]).left();
    says(&left.screen.replace('\n', " "), &["TERM is not set"]);
    left.restored_with(2);
}

#[test]
fn what_cannot_be_written_to_stdout_is_told_on_stderr_with_json_too() {
    let house = House::new();
    for words in [&["doctor", "--offline", "--json"][..], &["doctor", "--offline"]] {
        let ran = Ran::of(house.console_under("\"$@\" >/dev/full", words)).exits(2);
        says(&ran.stderr, &["cannot write to stdout", "check where it leads"]);
    }
}
