//! Completions as the real shells show them: the script is loaded, a line is begun, and tab is pressed.

use std::path::Path;

use portable_pty::CommandBuilder;
use rstest::rstest;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::house::{BINARY, House, Ran};
use crate::support::pty::{Pty, USUAL};

const PROMPT: &str = "shell>";
const BASH: &str = "exec bash --norc --noprofile -i";
const ZSH: &str = "exec zsh -f -i";
const FISH: &str = "exec fish --no-config -i";
const IN_BASH: &str = "source <(grail-console completions bash); PS1='shell> '\r";
const IN_ZSH: &str = "autoload -U compinit; compinit -u; source <(grail-console completions zsh); PS1='shell> '\r";
const IN_FISH: &str = "grail-console completions fish | source; function fish_prompt; echo 'shell> '; end\r";

/// What looks like a secret, where names belong.
const SECRET: &str = "7be1a2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f";

/// A house with a name of each kind. Its `.env` and its key file are pipes: whoever reads them waits for ever.
fn house() -> House {
    let house = House::new();
    let env = house.path("work/env");
    house.configure(&format!(
        "default_profile = 'weekday'\n[profile.weekday]\nenv_file = '{}'\n[profile.{SECRET}]\n",
        env.display()
    ));
    for wallet in ["trial/hotkeys/nightly", "other/hotkeys/daily"] {
        let key = house.path("home/.bittensor/wallets").join(wallet);
        std::fs::create_dir_all(key.parent().unwrap()).unwrap();
        mknodat(CWD, &key, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    mknodat(CWD, &env, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    house
}

fn path() -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", Path::new(BINARY).parent().unwrap().display())
}

fn shell(house: &House, line: &str, loads: &str) -> Pty {
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", line]);
    command.env_clear();
    house.environment().into_iter().for_each(|(name, value)| command.env(name, value));
    for (name, value) in [("TERM", "xterm"), ("LANG", "C.UTF-8"), ("PATH", &path())] {
        command.env(name, value);
    }
    command.cwd(house.path("work"));
    let mut shell = Pty::spawn(USUAL, command);
    shell.keys(loads);
    shell.written("the prompt", |_, screen| screen.trim_end().ends_with(PROMPT));
    shell
}

/// Lines as they are begun, and as they stand after tab.
const LINES: [(&str, &str); 11] = [
    ("sta", "status"),
    ("rotate rol", "rotate rollback"),
    ("status --verif", "status --verify"),
    ("sandbox --scenario r2-", "sandbox --scenario r2-faults"),
    ("status --network=fin", "status --network=finney"),
    ("--vault keyu", "--vault keyutils"),
    ("--profile we", "--profile weekday"),
    ("--wallet tri", "--wallet trial"),
    ("--wallet trial --hotkey ni", "--wallet trial --hotkey nightly"),
    ("status --filter state:unr", "status --filter state:unreadable"),
    ("probe --filter 'state:readable role:val", "probe --filter 'state:readable role:validator"),
];

#[rstest]
#[case::bash(BASH, IN_BASH)]
#[case::zsh(ZSH, IN_ZSH)]
#[case::fish(FISH, IN_FISH)]
fn tab_completes_commands_options_and_values_in_the_real_shell(#[case] line: &str, #[case] loads: &str) {
    let house = house();
    let mut shell = shell(&house, line, loads);
    for (begun, whole) in LINES {
        shell.keys(&format!("grail-console {begun}\t"));
        shell.written(whole, |_, screen| screen.contains(&format!("grail-console {whole}")));
        // The line is taken away again.
        shell.keys("\x15\x0c");
        shell.written("an empty line", |_, screen| screen.trim_end().ends_with(PROMPT) && !screen.contains(whole));
    }
}

/// What the program offers where the line ends, one a line with what it means.
fn offered(house: &House, words: &[&str]) -> Vec<String> {
    let mut asked = house.console(["--", "grail-console"].iter().chain(words));
    asked.env("GRAIL_CONSOLE_COMPLETE", "fish");
    let ran = Ran::of(asked).exits(0);
    assert_eq!(ran.stderr, "");
    ran.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn only_what_a_command_takes_is_offered_and_nothing_that_looks_like_a_secret() {
    let house = house();
    let terms = offered(&house, &["probe", "--filter", ""]);
    assert!(terms.contains(&"role:miner".to_owned()), "{terms:?}");
    assert!(!terms.iter().any(|term| term.starts_with("test:") || term.starts_with("mark:")), "{terms:?}");
    assert_eq!(offered(&house, &["--profile", ""]), ["weekday"]);
    assert_eq!(offered(&house, &["--hotkey", ""]), ["daily", "nightly"]);
    assert_eq!(offered(&house, &["--wallet=trial", "--hotkey", ""]), ["nightly"]);
    assert_eq!(offered(&house, &["no-such-command", "--wha"]), Vec::<String>::new());
}

#[test]
fn without_home_and_configuration_there_are_still_commands() {
    let mut bare = std::process::Command::new(BINARY);
    bare.args(["--", "grail-console", "sta"]).env_clear().env("GRAIL_CONSOLE_COMPLETE", "fish").current_dir("/");
    assert!(Ran::of(bare).exits(0).stdout.starts_with("status\t"));
}
