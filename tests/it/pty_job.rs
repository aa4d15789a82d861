//! The console as a job of a real shell, alone and within tmux and GNU screen: ctrl-z, `fg`, and signals from outside.

use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use portable_pty::CommandBuilder;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::house::{BINARY, House};
use crate::support::pty::{Pty, USUAL};

const CTRL_Z: &str = "\x1a";
/// What the shell says before each line.
const PROMPT: &str = "shell>";
const BASH: &str = "bash --norc --noprofile --noediting -i";

/// A program in a terminal, with `$CONSOLE` for the console and `$SHELL_LINE` for a shell.
fn terminal(house: &House, line: &str, shell: &str) -> Pty {
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", line]);
    command.env_clear();
    house.environment().into_iter().for_each(|(name, value)| command.env(name, value));
    let own = [
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PS1", "shell> "),
        // A bash that only runs another one does not hand the prompt down.
        ("PROMPT_COMMAND", "PS1='shell> '"),
        ("CONSOLE", BINARY),
        ("SHELL_LINE", shell),
    ];
    for (name, value) in own {
        command.env(name, value);
    }
    house.write("screenrc", "startup_message off\naltscreen on\n");
    std::fs::DirBuilder::new().mode(0o700).create(house.path("screens")).unwrap();
    for (name, below) in [("TMUX_TMPDIR", "tmp"), ("SCREENDIR", "screens"), ("SCREENRC", "screenrc")] {
        command.env(name, house.path(below));
    }
    command.cwd(house.path("work"));
    Pty::spawn(USUAL, command)
}

const ALONE: &str = "exec $SHELL_LINE";
const IN_TMUX: &str = "exec tmux -u -f /dev/null new-session \"exec $SHELL_LINE\" ';' set-option status off";
const IN_SCREEN: &str = "exec screen -U $SHELL_LINE";

fn displays(terminal: &Pty, words: &str) -> String {
    terminal.written(words, |_, screen| screen.contains(words))
}

fn is_open(screen: &str) -> bool {
    screen.contains("64 uids") && screen.contains("● live") && screen.contains("q quit")
}

/// What stands on the screen when the shell has it.
fn at_the_prompt(terminal: &Pty, words: &str) -> String {
    terminal.written(words, |_, screen| {
        let last = screen.trim_end().lines().next_back().unwrap_or_default();
        screen.contains(words) && last.trim_end().ends_with(PROMPT)
    })
}

fn opens(terminal: &mut Pty) {
    at_the_prompt(terminal, PROMPT);
    terminal.keys("$CONSOLE sandbox --uids 64\r");
    terminal.written("the table", |_, screen| is_open(screen));
}

#[rstest]
#[case::bash(ALONE, BASH)]
#[case::sh(ALONE, "sh -i")]
#[case::tmux(IN_TMUX, BASH)]
#[case::screen(IN_SCREEN, BASH)]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_comes_back(#[case] line: &str, #[case] shell: &str) {
    let house = House::new();
    let mut terminal = terminal(&house, line, shell);
    opens(&mut terminal);
    for round in ["1", "2"] {
        terminal.keys(CTRL_Z);
        let screen = at_the_prompt(&terminal, "Stopped");
        assert!(!screen.contains("q quit"), "the console is still on the screen:\n{screen}");
        // The line is echoed as it is typed, and ends with enter: the terminal's settings are the shell's.
        terminal.keys("echo ro''und-$((40+2))-");
        displays(&terminal, "echo ro''und-$((40+2))-");
        terminal.keys(round).keys("\r");
        at_the_prompt(&terminal, &format!("round-42-{round}"));
        terminal.keys("fg\r");
        terminal.written("the table", |_, screen| is_open(screen) && !screen.contains(PROMPT));
    }
    terminal.keys("q");
    at_the_prompt(&terminal, PROMPT);
    terminal.keys("echo l''eft-$?\r");
    at_the_prompt(&terminal, "left-0");
    terminal.keys("exit\r");
    terminal.left().restored_with(0);
}

#[test]
fn a_dialog_is_still_open_after_ctrl_z_and_a_changed_size_is_seen() {
    let house = House::new();
    let mut terminal = terminal(&house, ALONE, BASH);
    opens(&mut terminal);
    terminal.keys("/state").shows("/ state");
    terminal.keys(CTRL_Z);
    at_the_prompt(&terminal, "Stopped");
    terminal.resize((80, 24));
    terminal.keys("fg\r");
    let screen = terminal.written("the line", |_, screen| screen.contains("/ state") && screen.contains("apply"));
    assert_eq!(screen.trim_end().lines().count(), 24, "{screen}");
}

#[test]
fn signals_from_outside_stop_it_and_continue_it_in_the_foreground_only() {
    let house = House::new();
    let mut terminal = terminal(&house, ALONE, BASH);
    at_the_prompt(&terminal, PROMPT);
    terminal.keys("sh -c 'echo $$ >pid; exec \"$CONSOLE\" sandbox --uids 64'\r");
    terminal.written("the table", |_, screen| is_open(screen));
    let pid = std::fs::read_to_string(house.path("work/pid")).unwrap();
    let send = |signal| kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), signal).unwrap();

    send(Signal::TSTP);
    let screen = at_the_prompt(&terminal, "Stopped");
    assert!(!screen.contains("q quit"), "{screen}");
    // In the background it leaves the terminal to the shell.
    send(Signal::CONT);
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys("echo st''ill-$((40+2))\r");
    let screen = at_the_prompt(&terminal, "still-42");
    assert!(!screen.contains("q quit"), "{screen}");
    terminal.keys("fg\r");
    terminal.written("the table", |_, screen| is_open(screen) && !screen.contains(PROMPT));

    // Stopped without a word, so that it could give nothing back: once continued it is whole again.
    send(Signal::STOP);
    terminal.written("the shell", |_, screen| screen.contains("Stopped"));
    terminal.keys("fg\r");
    terminal.written("the table", |_, screen| is_open(screen) && !screen.contains("Stopped"));
    terminal.keys("q");
    at_the_prompt(&terminal, PROMPT);
    terminal.keys("exit\r");
    terminal.left().restored_with(0);
}

#[rstest]
#[case::session_leader("exec \"$CONSOLE\" sandbox --uids 64")]
#[case::shell_without_jobs("\"$CONSOLE\" sandbox --uids 64; exit $?")]
fn without_a_shell_to_come_back_to_ctrl_z_says_so(#[case] line: &str) {
    let house = House::new();
    let mut terminal = terminal(&house, line, BASH);
    terminal.until("the table", is_open);
    terminal.keys(CTRL_Z).shows("ctrl-z does nothing here");
    terminal.keys("y").shows("Copy to the clipboard");
    terminal.keys(CTRL_Z).keys("\x1b").hides("Copy to the clipboard");
    terminal.keys("q");
    terminal.left().restored_with(0);
}

#[rstest]
#[case::tmux(IN_TMUX, "set-clipboard")]
#[case::screen(IN_SCREEN, "GNU screen does not pass it on")]
fn nothing_is_said_to_be_copied_where_the_clipboard_is_out_of_reach(#[case] line: &str, #[case] doubt: &str) {
    let house = House::new();
    let mut terminal = terminal(&house, line, BASH);
    opens(&mut terminal);
    terminal.keys("gjjjj");
    let address = grail_console::sandbox::hotkey(3).to_string();
    terminal
        .written("uid 3", |_, screen| screen.lines().any(|line| line.contains('▌') && line.contains(&address[..6])));
    terminal.keys("y");
    displays(&terminal, "Copy to the clipboard");
    terminal.keys("\r");
    let screen = displays(&terminal, doubt);
    assert!(screen.contains(&address), "{screen}");
    terminal.keys("\r");
    terminal.written("it to go", |_, screen| !screen.contains("Sent to the terminal"));
    terminal.keys("q");
    at_the_prompt(&terminal, PROMPT);
    terminal.keys("exit\r");
    let left = terminal.left();
    assert!(left.seen.iter().all(|screen| !screen.contains("copied")));
}

#[test]
fn an_answer_of_the_terminal_that_comes_late_is_not_typed_into_the_shell() {
    let house = House::new();
    let mut terminal = terminal(&house, ALONE, BASH);
    at_the_prompt(&terminal, PROMPT);
    terminal.keys("$CONSOLE sandbox --uids 64\r");
    let asks = b"\x1b]11;?\x07";
    terminal.written("the question", |bytes, _| bytes.windows(asks.len()).any(|window| window == asks));
    terminal.keys("q");
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys("\x1b]11;rgb:ffff/ffff/ffff\x07");
    let screen = at_the_prompt(&terminal, "sandbox");
    assert!(!screen.contains("q quit") && !screen.contains("rgb:"), "{screen}");
    terminal.keys("echo a''lone-$?\r");
    let screen = at_the_prompt(&terminal, "alone-0");
    assert!(!screen.contains("rgb:"), "{screen}");
    terminal.keys("exit\r");
    terminal.left().restored_with(0);
}
