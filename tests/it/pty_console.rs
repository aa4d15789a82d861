//! The real binary in a terminal: what it shows, what keys do, and that it gives the terminal back however it ends.

use std::time::Duration;

use grail_console::sandbox::{BlockTime, SandboxOptions, hotkey};
use grail_console::tui::terminal::Held;
use portable_pty::CommandBuilder;
use rstest::rstest;
use rustix::process::Signal;

use crate::support::house::{House, says};
use crate::support::node::{Node, line, of};
use crate::support::pty::{Pty, USUAL};

const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const TAB: &str = "\t";
const BACKTAB: &str = "\x1b[Z";
const DOWN: &str = "\x1b[B";
const CTRL_C: &str = "\x03";

/// The console on the practice subnet that it brings along.
fn practice(house: &House, scenario: &str) -> Pty {
    let console = Pty::open(house, ["sandbox", "--scenario", scenario, "--uids", "64"]);
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    console
}

/// The line of the selected row, which begins with the mark.
fn selected(screen: &str) -> String {
    screen.lines().find(|line| line.contains('▌')).unwrap_or_else(|| panic!("no row is selected:\n{screen}")).to_owned()
}

fn selects(console: &Pty, uid: u16) -> String {
    let address = hotkey(uid).short();
    let head = address.split('…').next().unwrap().to_owned();
    console.until(&format!("uid {uid} to be selected"), |screen| {
        screen.lines().any(|line| line.contains('▌') && line.contains(&head))
    })
}

#[test]
fn the_start_shows_the_table_and_who_one_is() {
    let house = House::new();
    let console = practice(&house, "drift");
    let screen = console.shows("validators still read your old key");
    says(&screen, &["SANDBOX", "uid 42", "finalized", "● live"]);
    assert!(!screen.contains("READ-ONLY"), "{screen}");
    says(&screen, &["UID", "HOTKEY", "ROLE", "COMMITMENT", "▲ drift", "✓ readable"]);
    says(&screen, &["practice subnet · nothing here is real", "? help", "q quit"]);
    says(&selected(&screen), &["42"]);
}

#[test]
fn whoever_cannot_sign_or_must_not_is_told_so_in_the_header() {
    let house = House::new();
    let console = Pty::open(&house, ["sandbox", "--uids", "64", "--read-only"]);
    console.shows("READ-ONLY");
    let console = practice(&house, "first-run");
    console.shows("READ-ONLY");
}

#[test]
fn q_leaves_with_0_and_gives_the_terminal_back() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    assert!(console.is_raw(), "the console reads keys, not lines");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn ctrl_c_leaves_with_0_and_gives_the_terminal_back() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys(CTRL_C);
    console.left().restored_with(0);
}

#[rstest]
#[case::terminate(Signal::TERM)]
#[case::hang_up(Signal::HUP)]
#[case::interrupt(Signal::INT)]
#[case::quit(Signal::QUIT)]
#[case::user_1(Signal::USR1)]
#[case::user_2(Signal::USR2)]
fn a_signal_leaves_with_7_and_gives_the_terminal_back(#[case] signal: Signal) {
    let house = House::new();
    let console = practice(&house, "healthy");
    console.signal(signal);
    console.left().restored_with(7);
}

#[test]
fn a_signal_before_the_first_answer_gives_the_terminal_back_too() {
    let house = House::new();
    let console = Pty::open(&house, ["--endpoint", "ws://127.0.0.1:9"]);
    console.shows("no TCP connection");
    console.signal(Signal::TERM);
    console.left().restored_with(7);
}

#[test]
fn nothing_of_the_practice_subnet_stays_behind() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("q");
    console.left().restored_with(0);
    let files = house.files();
    assert!(files.is_empty(), "{:?}", files.iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn keys_move_the_selection() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    // The own row stands first.
    console.keys("g");
    selects(&console, 42);
    console.keys("jj");
    selects(&console, 1);
    console.keys("k");
    selects(&console, 0);
    console.keys(DOWN);
    selects(&console, 1);
    console.keys("G");
    selects(&console, 63);
}

#[test]
fn enter_opens_a_row_and_esc_comes_back_to_it() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("gjjjj");
    selects(&console, 3);
    console.keys(ENTER);
    let screen = console.shows(&hotkey(3).to_string());
    says(&screen, &["uid 3", "validator", "PUBLISHED", "ON CHAIN", "fp "]);
    console.keys(ESC);
    console.shows("HOTKEY");
    selects(&console, 3);
}

#[test]
fn tab_goes_round_the_views() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys(TAB);
    console.shows("not tested   ");
    console.keys(TAB);
    console.shows("PUBLISHED");
    console.keys(TAB);
    console.shows("CREDENTIALS");
    console.keys(TAB);
    console.shows("TIME UTC");
    console.keys(TAB);
    console.shows("KEYS IN");
    console.keys(BACKTAB);
    console.shows("TIME UTC");
}

#[test]
fn slash_filters_while_typing_and_esc_takes_the_filter_away() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("/state:none");
    let screen = console.shows("2 of 64 rows");
    says(&screen, &["○ none"]);
    assert!(!screen.contains("● you"));
    console.keys(ENTER);
    console.shows("/ state:none");
    console.keys(ESC);
    console.shows("64 rows");
    console.hides("2 of 64 rows");
    console.keys("/state:wrong");
    console.shows("state:wrong is unknown");
    console.keys(ESC);
    console.hides("state:wrong");
}

#[test]
fn s_sorts_by_the_next_column_and_the_selection_stays_on_its_hotkey() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("gjjjjjj");
    selects(&console, 5);
    console.shows("by uid");
    console.keys("s");
    console.shows("by hotkey");
    selects(&console, 5);
    console.keys("S");
    console.shows("by hotkey, reversed");
    selects(&console, 5);
    console.keys("sssssss");
    console.shows("by hotkey");
}

#[test]
fn o_shows_the_ex_members() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("o");
    console.shows("66 rows");
    console.keys("G");
    console.until("an ex-member to be selected", |screen| {
        screen.lines().any(|line| line.contains('▌') && line.contains("ex-member"))
    });
    console.keys("o");
    console.shows("64 rows");
}

#[test]
fn u_shows_the_own_side_masked() {
    let house = House::new();
    let mut console = practice(&house, "drift");
    console.keys("u");
    let screen = console.shows("CREDENTIALS");
    says(&screen, &["operator of wallet practice", "Dual credentials"]);
    console.keys(ESC);
    console.shows("HOTKEY");
}

#[test]
fn u_warns_of_single_credential_mode() {
    let house = House::new();
    let mut console = practice(&house, "legacy");
    console.keys("u");
    console.shows("the next GRAIL start PUBLISHES YOUR WRITE KEY");
}

#[test]
fn a_first_run_says_what_to_configure() {
    let house = House::new();
    let mut console = practice(&house, "first-run");
    console.keys("u");
    says(&console.shows("Nothing is configured yet"), &["--env-file", "--wallet NAME --hotkey NAME"]);
}

#[test]
fn l_shows_the_log() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("L");
    says(&console.shows("TIME UTC"), &["LEVEL", "MESSAGE"]);
}

#[test]
fn question_mark_lists_the_keys_of_the_view_one_came_from() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("?");
    says(&console.shows("KEYS IN SUBNET"), &["enter", "filter", "ex-members"]);
    console.keys(ESC);
    console.hides("KEYS IN");
    console.keys("u");
    console.shows("CREDENTIALS");
    console.keys("?");
    console.shows("KEYS IN YOU");
}

#[test]
fn space_holds_the_table_still_and_lets_changes_in_again() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let mut console = Pty::open(&house, node.flags());
    console.shows("12 uids");
    console.shows("○ 1 none");
    console.keys(" ");
    console.shows("Frozen");
    let spec =
        grail_console::sandbox::CommitmentSpec::raw(grail_console::sandbox::Credentials::of(11, 0).read_commitment());
    node.commit([(11, spec)]);
    console.shows("1 row changed since");
    console.shows("○ 1 none");
    console.keys(" ");
    console.shows("○ 0 none");
    console.hides("Frozen");
}

#[test]
fn a_commitment_appears_by_itself() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let console = Pty::open(&house, node.operator_flags());
    console.shows("✓ 248 readable");
    let old = grail_console::sandbox::Credentials::of(42, 3).read_commitment();
    node.commit([(42, grail_console::sandbox::CommitmentSpec::raw(old))]);
    console.shows("validators still read your old key");
}

#[test]
fn y_copies_a_public_field_to_the_terminal_s_clipboard() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.keys("gjjjj");
    selects(&console, 3);
    console.keys("y");
    console.shows("hotkey");
    console.keys(ENTER);
    let sent = console.shows("Sent to the terminal");
    says(&sent, &[&hotkey(3).to_string(), "if it cannot be pasted", "enter close"]);
    console.keys(ENTER).hides("Sent to the terminal");
    console.keys("q");
    let left = console.left();
    let copied = left.bytes.windows(7).any(|bytes| bytes == b"\x1b]52;c;");
    assert!(copied, "OSC 52 goes to the terminal");
    left.restored_with(0);
}

#[test]
fn a_smaller_terminal_is_drawn_anew_and_a_tiny_one_says_so() {
    let house = House::new();
    let mut console = practice(&house, "healthy");
    console.resize((80, 24));
    console.until("the table at 80x24", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 24 && screen.contains("64 uids") && screen.contains("q quit")
    });
    console.resize((40, 10));
    let screen = console.shows("40x10 is too small");
    assert_eq!(screen.trim().lines().count(), 1, "one line and nothing else:\n{screen}");
    console.resize(USUAL);
    console.until("the table at its first size", |screen| {
        screen.lines().count() == 32 && screen.contains("64 uids") && screen.contains("READ KEY")
    });
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn the_console_opens_in_a_tiny_terminal_and_keys_still_leave_it() {
    let house = House::new();
    let mut console = Pty::open_at((40, 10), &house, ["sandbox", "--uids", "4"]);
    console.shows("40x10 is too small");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn no_color_is_words_and_glyphs_alone() {
    let house = House::new().with("NO_COLOR", "1");
    let mut console = practice(&house, "drift");
    console.shows("▲ drift");
    console.keys("q");
    let left = console.left();
    let written = String::from_utf8_lossy(&left.bytes).into_owned();
    let styles = written.split("\x1b[").filter_map(|rest| rest.split_once('m')).map(|(parameters, _)| parameters);
    let plain =
        |style: &str| style.split(';').all(|n| n.is_empty() || matches!(n, "0" | "1" | "2" | "7" | "22" | "27"));
    let is_style = |text: &&str| text.chars().all(|c| c.is_ascii_digit() || c == ';');
    let coloured: Vec<&str> = styles.filter(is_style).filter(|style| !plain(style)).collect();
    assert_eq!(coloured, Vec::<&str>::new(), "a colour was set");
    left.restored_with(0);
}

#[test]
fn what_miners_write_drives_no_terminal() {
    let (house, node) = (House::new(), Node::start("hostile"));
    let mut console = Pty::open(&house, node.operator_flags());
    console.shows("256 uids");
    // Each of them once in the table and once in full.
    for uid in 44..=53 {
        console.keys(&format!("/{}\r", hotkey(uid)));
        selects(&console, uid);
        console.keys(ENTER).shows("RAW BYTES");
        console.keys(ESC).shows("1 of 256 rows");
        console.keys(ESC).shows("by uid");
    }
    console.keys("q");
    let left = console.left();
    let written = String::from_utf8(left.bytes.clone()).expect("only whole characters are written");
    let odd = written.chars().find(|c| {
        matches!(c, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}')
    });
    assert_eq!(odd, None);
    let commands: Vec<&str> = written.split("\x1b]").skip(1).map(|rest| rest.split('\x07').next().unwrap()).collect();
    assert!(!commands.is_empty(), "the window has a title");
    let ours = |command: &&str| command.starts_with("0;grail-console · ") || *command == "11;?";
    assert!(commands.iter().all(ours), "{commands:?}");
    left.restored_with(0);
}

#[test]
fn an_endpoint_where_nobody_listens_says_why_and_what_to_do() {
    let house = House::new();
    let mut console = Pty::open(&house, ["--endpoint", "ws://127.0.0.1:9"]);
    let screen = console.shows("no TCP connection");
    says(&screen, &["the endpoint's host and port", "grail-console sandbox"]);
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_missing_subnet_is_said_on_the_screen() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let console = Pty::open(&house, line(&["--netuid", "1234"], &node.flags()));
    console.shows("subnet 1234 does not exist");
}

#[test]
fn the_last_snapshot_is_painted_with_its_age_when_the_node_is_away() {
    let house = House::new();
    let node = Node::start("drift");
    let flags = node.operator_flags();
    let mut console = Pty::open(&house, &flags);
    console.shows("validators still read your old key");
    console.keys("q");
    console.left().restored_with(0);

    node.wait(node.sandbox().faults().refuse_connections()).unwrap();
    let mut console = Pty::open(&house, &flags);
    let screen = console.until("the saved table", |screen| screen.contains("256 uids") && screen.contains("saved"));
    says(&screen, &["▲ drift", "uid 42"]);
    assert!(!screen.contains("● live"));
    says(&console.shows("No connection for"), &["256 uids", "the table was saved"]);
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_node_that_is_killed_and_restarted_is_live_again_by_itself() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let mut console = Pty::open(&house, node.operator_flags());
    console.until("a live table", |screen| screen.contains("256 uids") && screen.contains("● live"));
    node.wait(node.sandbox().faults().refuse_connections()).unwrap();
    let screen = console.shows("Connection lost");
    says(&screen, &["256 uids", "✓ 248 readable", "✓ readable", "tries now"]);
    node.wait(node.sandbox().faults().accept_connections()).unwrap();
    let screen =
        console.until("to be live again", |screen| screen.contains("● live") && !screen.contains("Connection lost"));
    says(&screen, &["256 uids", "✓ 248 readable"]);
    console.keys("q");
    let left = console.left();
    let first = left.seen.iter().position(|screen| screen.contains("256 uids")).unwrap();
    let blank = left.seen[first..].iter().filter(|screen| screen.contains("● live")).find(|s| !s.contains("256 uids"));
    assert_eq!(blank, None, "the table was blanked");
    left.restored_with(0);
}

#[test]
fn r_tries_at_once() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    node.wait(node.sandbox().faults().refuse_connections()).unwrap();
    let mut console = Pty::open(&house, node.flags());
    console.shows("no TCP connection");
    node.wait(node.sandbox().faults().accept_connections()).unwrap();
    console.keys("r");
    console.shows("12 uids");
}

#[test]
fn a_changed_env_file_changes_the_drift_while_one_looks() {
    let (house, node) = (House::new(), Node::start("healthy"));
    let console = Pty::open(&house, node.operator_flags());
    console.shows("chain and local agree");
    let env = &node.sandbox().operator().unwrap().env_file;
    let text = std::fs::read_to_string(env).unwrap();
    let key = grail_console::sandbox::Credentials::of(42, 0).read_key_id;
    std::fs::write(env, text.replace(&key, &"e".repeat(32)) + "# edited\n").unwrap();
    console.shows("validators still read your old key");
}

#[test]
fn fast_blocks_keep_the_console_live() {
    let house = House::new();
    let options =
        SandboxOptions { uids: 12, block_time: BlockTime::Every(Duration::from_millis(100)), ..of("healthy") };
    let node = Node::with(options);
    let mut console = Pty::open(&house, node.flags());
    console.shows("● live");
    let first = node.sandbox().finalized().number();
    let number = move |screen: &str| {
        let digits = screen.split_once('#')?.1.split(' ').next()?.replace(',', "");
        digits.parse::<u32>().ok()
    };
    console.until("ten more blocks", |screen| number(screen).is_some_and(|block| block > first + 10));
    console.keys("q");
    console.left().restored_with(0);
}

const PANIC: &str = "GRAIL_CONSOLE_TEST_PANIC";

/// Runs a test of this file again, in a terminal of its own, as the one that panics.
fn panicking(test: &str) -> crate::support::pty::Left {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("pty_console::{test}"), "--nocapture", "--test-threads=1"]);
    command.env(PANIC, "1");
    command.env("TERM", "xterm-256color");
    Pty::spawn(USUAL, command).left()
}

#[test]
fn a_panic_of_the_drawing_thread_gives_the_terminal_back_and_is_seen() {
    if std::env::var_os(PANIC).is_some() {
        let _held = Held::take(Some("xterm-256color")).unwrap();
        panic!("the screen fell over");
    }
    let left = panicking("a_panic_of_the_drawing_thread_gives_the_terminal_back_and_is_seen");
    says(&left.screen, &["the screen fell over"]);
    assert!(left.bytes.windows(8).any(|bytes| bytes == b"\x1b[?1049h"), "the terminal had been taken");
    assert_eq!(left.changed, Vec::<&str>::new());
    assert_ne!(left.status.exit_code(), 0);
}

#[test]
fn a_panic_of_another_thread_leaves_the_screen_alone() {
    if std::env::var_os(PANIC).is_some() {
        let held = Held::take(Some("xterm-256color")).unwrap();
        let fell = std::thread::spawn(|| panic!("a task fell over")).join();
        assert!(fell.is_err());
        drop(held);
        return;
    }
    let left = panicking("a_panic_of_another_thread_leaves_the_screen_alone");
    assert!(left.bytes.windows(8).any(|bytes| bytes == b"\x1b[?1049h"), "the terminal had been taken");
    assert!(left.seen.iter().all(|screen| !screen.contains("a task fell over")));
    left.restored_with(0);
}
