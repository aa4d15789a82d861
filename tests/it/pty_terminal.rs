//! Terminals of all kinds: what is asked of them, what they answer, and what they can show and type.

use std::process::Stdio;
use std::time::Duration;

use grail_console::sandbox::hotkey;
use portable_pty::CommandBuilder;
use rstest::rstest;
use rustix::process::Signal;

use crate::support::house::{BINARY, House, Ran, says};
use crate::support::node::{Node, line};
use crate::support::pty::Pty;

const CTRL_C: &str = "\x03";
const CTRL_L: &str = "\x0c";
/// The green of what is readable, on a light ground.
const ON_LIGHT: &[u8] = b"38;5;28;";

fn practice(house: &House) -> Pty {
    let console = Pty::open(house, ["sandbox", "--scenario", "healthy", "--uids", "64"]);
    console.until("the table", is_open);
    console
}

fn is_open(screen: &str) -> bool {
    screen.contains("64 uids") && screen.contains("live") && screen.contains("q quit")
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn ctrl_l_draws_everything_anew_in_a_dialog_too() {
    let house = House::new();
    let mut console = practice(&house);
    console.wipe();
    console.keys(CTRL_L).until("the table", is_open);
    console.keys("y").shows("Copy to the clipboard");
    console.wipe();
    console.keys(CTRL_L).shows("Copy to the clipboard");
}

#[test]
fn a_changed_size_that_is_the_same_draws_everything_anew() {
    let house = House::new();
    let console = practice(&house);
    console.wipe();
    console.signal(Signal::WINCH);
    console.until("the table", is_open);
}

#[test]
fn a_light_background_is_asked_for_and_believed() {
    let house = House::new();
    let mut console = Pty::open(&house, ["sandbox", "--uids", "64"]);
    console.written("the question", |bytes, _| has(bytes, b"\x1b]11;?\x07"));
    console.keys("\x1b]11;rgb:fafa/fafa/f0f0\x1b\\");
    console.until("the table", is_open);
    console.written("the colours of a light ground", |bytes, _| has(bytes, ON_LIGHT));
    console.keys("q");
    console.left().restored_with(0);
}

#[rstest]
#[case::told("COLORFGBG", "0;15", false)]
#[case::without_colours("NO_COLOR", "1", false)]
#[case::neither("COLORTERM", "truecolor", true)]
fn nothing_is_asked_that_is_told_or_does_not_matter(#[case] name: &str, #[case] value: &str, #[case] asks: bool) {
    let house = House::new().with(name, value);
    let mut console = practice(&house);
    console.keys("q");
    let left = console.left();
    assert_eq!(has(&left.bytes, b"\x1b]11;?"), asks);
    assert_eq!(has(&left.bytes, ON_LIGHT), name == "COLORFGBG");
    left.restored_with(0);
}

#[test]
fn a_late_answer_changes_nothing_and_is_not_typed() {
    let house = House::new();
    let mut console = practice(&house);
    std::thread::sleep(Duration::from_millis(1_200));
    console.keys("/");
    // In pieces, as over a slow line; typed, it would stand in the filter.
    for piece in ["\x1b]11;r", "gb:ffff/ff", "ff/ffff\x1b", "\\"] {
        console.keys(piece);
        std::thread::sleep(Duration::from_millis(120));
    }
    console.keys("uid").shows("/ uid");
    console.keys("\x1b").hides("/ uid");
    console.keys("q");
    let left = console.left();
    assert!(!has(&left.bytes, ON_LIGHT));
    assert!(left.seen.iter().all(|screen| !screen.contains("rgb") && !screen.contains("gb:")));
    left.restored_with(0);
}

#[rstest]
#[case::an_escape("\x1b")]
#[case::a_sequence("\x1b[1;")]
#[case::an_answer("\x1b]11;rgb:")]
#[case::a_device_string("\x1bP1$r")]
#[case::a_paste("\x1b[200~half of a")]
#[case::half_a_character("\u{e9}")]
fn nothing_unfinished_keeps_ctrl_c_away(#[case] unfinished: &str) {
    let house = House::new();
    let mut console = practice(&house);
    console.keys(unfinished).keys(CTRL_C);
    console.left().restored_with(0);
}

#[test]
fn a_paste_that_never_ends_is_forgotten_and_keys_work_again() {
    let house = House::new();
    let mut console = practice(&house);
    console.keys("/").keys("\x1b[200~half of a");
    std::thread::sleep(Duration::from_millis(2_500));
    console.keys("uid").shows("/ uid");
}

#[test]
fn the_wheel_moves_the_selection_and_the_mouse_stays_the_terminal_s() {
    let house = House::new();
    let mut console = practice(&house);
    console.keys("g");
    // What a terminal makes of the wheel on the alternate screen.
    console.keys("\x1bOB\x1bOB\x1bOB");
    let address = hotkey(2).short();
    console.until("uid 2 to be selected", |screen| {
        screen.lines().any(|line| line.contains('▌') && line.contains(&address[..6]))
    });
    console.keys("q");
    let left = console.left();
    let at = |what: &[u8]| left.bytes.windows(what.len()).position(|window| window == what);
    assert!(at(b"\x1b[?1007s\x1b[?1007h").is_some(), "the wheel is asked for");
    assert!(at(b"\x1b[?1007r") < at(b"\x1b[?1049l"), "and given back before the screen is");
    assert!(at(b"\x1b[?1000h").or(at(b"\x1b[?1002h")).or(at(b"\x1b[?1003h")).is_none(), "the mouse is not");
    left.restored_with(0);
}

#[rstest]
#[case::cyrillic("й")]
#[case::cyrillic_by_number("\x1b[1081u")]
fn a_key_of_another_layout_means_what_its_place_means(#[case] quit: &str) {
    let house = House::new();
    let mut console = practice(&house);
    console.keys("Д").shows("TIME UTC");
    console.keys("\x1b").hides("TIME UTC");
    // Greek.
    console.keys("θ").shows("CREDENTIALS");
    console.keys("\x1b").hides("CREDENTIALS");
    // Where letters are typed they stay what they are.
    console.keys("/йц").shows("/ йц");
    console.keys("\x1b").hides("/ йц");
    console.keys(quit);
    console.left().restored_with(0);
}

#[test]
fn a_key_that_no_latin_keyboard_has_in_one_place_is_explained_once() {
    let house = House::new();
    let mut console = practice(&house);
    console.keys("ש").shows("this key does nothing: the keys are those of a Latin layout");
    console.hides("this key does nothing");
    console.keys("ש").keys("L").shows("TIME UTC");
    console.keys("q");
    let left = console.left();
    let last = left.seen.iter().rposition(|screen| screen.contains("TIME UTC")).unwrap();
    assert!(!left.seen[last].contains("this key does nothing"));
}

#[rstest]
#[case("LC_ALL", "C")]
#[case("LC_CTYPE", "POSIX")]
#[case("LANG", "de_DE.ISO-8859-1")]
fn where_the_locale_has_no_utf_8_every_glyph_is_ascii(#[case] name: &str, #[case] value: &str) {
    let house = House::new().with(name, value);
    let mut console = Pty::open(&house, ["sandbox", "--scenario", "drift", "--uids", "64"]);
    let screen = console.until("the table", |screen| is_open(screen) && screen.contains("your old key"));
    says(&screen, &["! drift", "+ readable", "* live", "------"]);
    console.keys("u").shows("CREDENTIALS");
    console.keys("m").shows("+0");
    console.keys("?").shows("KEYS IN");
    console.keys("q");
    let left = console.left();
    assert!(left.bytes.is_ascii(), "{}", left.screen);
    left.restored_with(0);
}

#[test]
fn the_first_locale_that_is_set_counts() {
    let house = House::new().with("LC_ALL", "").with("LC_CTYPE", "en_GB.UTF-8").with("LANG", "C");
    let console = practice(&house);
    console.shows("● live");
}

#[test]
fn the_text_of_commands_is_ascii_there_too_and_as_wide() {
    let node = Node::start("hostile");
    let arguments = line(&["status"], &node.flags());
    let (plain, ascii) = (House::new(), House::new().with("LC_ALL", "C"));
    let (plain, ascii) = (plain.run(&arguments), ascii.run(&arguments));
    assert!(ascii.stdout.is_ascii() && ascii.stderr.is_ascii(), "{}{}", ascii.stdout, ascii.stderr);
    assert!(!plain.stdout.is_ascii());
    // The heads of the columns stand where they stood.
    let head = |ran: &Ran| ran.stdout.lines().find(|line| line.contains("UID")).unwrap().to_owned();
    assert_eq!(head(&plain), head(&ascii));
    let help = House::new().with("LC_ALL", "C").run(["--help"]);
    assert!(help.stdout.is_ascii(), "{}", help.stdout);
}

#[test]
fn a_terminal_without_a_size_is_drawn_on_as_on_80_by_24() {
    let house = House::new();
    let mut console = Pty::open_at((0, 0), &house, ["sandbox", "--uids", "64"]);
    let screen = console.until("the table", is_open);
    assert_eq!(screen.lines().count(), 24, "{screen}");
    console.keys("q");
    console.left().restored_with(0);
}

#[rstest]
#[case::a_new_session("setsid -w \"$0\" sandbox </dev/null")]
#[case::no_screen("\"$0\" sandbox </dev/null >out")]
fn without_a_terminal_it_says_so_and_what_to_use(#[case] script: &str) {
    let house = House::new();
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", &format!("{script}; echo code $?"), BINARY]);
    command.env_clear();
    command.env("TERM", "xterm-256color");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    house.environment().into_iter().for_each(|(name, value)| command.env(name, value));
    command.cwd(house.path("work"));
    let left = Pty::spawn((200, 32), command).left();
    says(&left.screen, &["terminal", "grail-console status", "code 2"]);
    assert!(!left.screen.contains("reset"), "{}", left.screen);
    left.restored_with(0);
}

#[test]
fn a_service_without_any_terminal_is_told_the_same() {
    let house = House::new();
    let mut command = house.console(["sandbox"]);
    command.env("TERM", "xterm").stdout(Stdio::null());
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(2));
    says(&ran.stderr, &["not a terminal", "grail-console status"]);
}
