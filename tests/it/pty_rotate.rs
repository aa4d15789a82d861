//! A rotation on the screen of the real binary, with a token of the practice store: to its end, and back again; nothing
//! that was pasted is ever on the screen or on disk.

use std::fs;

use crate::support::admin_api::{ask, token};
use crate::support::house::{House, says};
use crate::support::node::line;
use crate::support::pty::Pty;
use crate::support::rotating::{NEW, Rotating};

const ENTER: &str = "\r";
const TAB: &str = "\t";
const ESC: &str = "\x1b";

/// A console on the practice subnet at the page that takes a new read key, and the store's URL from that page.
fn at_the_keys(house: &House) -> (Pty, String) {
    let arguments = ["sandbox", "--scenario", "rotation", "--uids", "64", "--block-time", "100ms"];
    let mut console = Pty::open(house, arguments);
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    console.keys("R").shows("Rotate: what to replace");
    let page = console.keys(ENTER).shows("In practice a shell makes the token");
    let url = page.split("'http://").nth(1).unwrap().split('/').next().unwrap();
    (console, format!("http://{url}"))
}

/// Pastes both lines of a new token, takes a grace and begins.
fn begin(console: &mut Pty, store: &str, grace: &str) -> String {
    let (id, secret) = token(store, "kind=read");
    let lines = format!("R2_READ_ACCESS_KEY_ID={id}\nR2_READ_SECRET_ACCESS_KEY={secret}\n");
    console.keys(&format!("\x1b[200~{lines}\x1b[201~"));
    let page = console.shows("64 characters");
    assert!(page.contains("32 characters") && !page.contains(&secret) && !page.contains(&id), "{page}");
    console.keys(ENTER).keys("\x7f\x7f\x7f").keys(grace).shows(&format!("{grace} blocks"));
    console.keys(ENTER).shows("This will happen, in this order");
    console.keys(TAB).keys(ENTER).shows("Rotate: beginning");
    console.shows("Publish to SANDBOX");
    secret
}

fn publish(console: &mut Pty) {
    console.keys(TAB).shows("[ Publish ]");
    console.keys(ENTER).shows("Bring the .env up to date?");
    console.keys(TAB).shows("[ Rewrite ]");
    console.keys(ENTER);
}

/// Nothing below the house holds it, the practice home is gone.
fn is_nowhere(house: &House, secret: &str) {
    for (path, content) in house.files() {
        assert!(!String::from_utf8_lossy(&content).contains(secret), "{}", path.display());
    }
    let left = fs::read_dir(house.path("tmp")).unwrap().count();
    assert_eq!(left, 0, "nothing of the practice is left");
}

#[test]
fn a_pasted_token_is_rotated_in_to_the_end_on_the_screen() {
    let house = House::new();
    let (mut console, store) = at_the_keys(&house);
    let secret = begin(&mut console, &store, "3");
    publish(&mut console);
    let grace = console.shows("✓ .env up to date");
    says(&grace, &["generation 1 → 2", "✓ in use", "grace"]);
    console.shows("over since #");
    // Retiring is refused while the old key works, and says which token that is.
    console.keys(ENTER).shows("is still accepted by the store");
    let tokens = ask(&store, "GET", "/-/tokens").text;
    let old = tokens.lines().find(|line| line.contains(" read ")).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(ask(&store, "DELETE", &format!("/-/tokens/{old}")).status, 200);
    let over = console.keys(ENTER).shows("refused by the store and forgotten here");
    assert!(!over.contains(&secret));
    console.keys(ESC).hides("╭ Rotation");
    console.shows("chain and local agree");
    let log = console.keys("L").shows("the old keys are forgotten");
    says(&log, &["rotation", "the store refuses the old read key"]);
    console.keys("q");
    console.left().restored_with(0);
    is_nowhere(&house, &secret);
}

#[test]
fn a_rotation_that_is_left_is_a_banner_and_is_rolled_back_from_there() {
    let house = House::new();
    let (mut console, store) = at_the_keys(&house);
    let secret = begin(&mut console, &store, "300");
    publish(&mut console);
    console.shows("✓ .env up to date");
    console.keys(ESC).shows("R shows it");
    // Beside it nothing else is published.
    console.keys("C").shows("a rotation is open");
    console.keys(ESC).hides("Commit: refused");
    console.keys("R").shows("of 300 blocks left");
    console.keys("b").shows("Roll back");
    console.keys(TAB).keys(ENTER).shows("publish the old read key again");
    publish(&mut console);
    let over = console.shows("rolled back");
    assert!(!over.contains(&secret));
    console.keys(ESC).hides("╭ Rotation");
    console.shows("chain and local agree");
    console.keys("q");
    console.left().restored_with(0);
    is_nowhere(&house, &secret);
}

/// Each phase with its mark, as `rotate status` has them.
fn marked(house: &Rotating) -> Vec<String> {
    let status = house.run(&["rotate", "status"]).stdout;
    let marks = ["✓ ", "● ", "· "];
    let lines = status.lines().filter(|line| marks.iter().any(|mark| line.starts_with(mark)));
    lines.map(|line| line.split("  ").next().unwrap().to_owned()).collect()
}

#[test]
fn the_marks_of_a_rotation_are_the_same_on_the_screen_and_on_the_command_line() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    for (words, now) in [
        (vec!["rotate", "start", "--new-key-file", &keys, "--grace", "300"], "● confirmed"),
        (vec!["rotate", "resume", "--yes"], "● grace"),
        (vec!["rotate", "rollback", "--yes"], "✓ rolled back"),
    ] {
        house.run(&words);
        let marked = marked(&house);
        assert!(marked.iter().any(|line| line == now), "{now} is not in {marked:#?}");
        let mut console = Pty::open_at((120, 50), &house.operator.house, line(&[], &house.flags()));
        console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
        console.keys("R");
        let screen =
            console.until("the rotation", |screen| screen.contains("╭ Rot") && !screen.contains("Reading the"));
        if now != "✓ rolled back" {
            // One that is over is told in one line there.
            says(&screen, &marked.iter().map(String::as_str).collect::<Vec<_>>());
        }
        console.keys(ESC).hides("╭ Rot");
        console.keys("q");
        console.left().restored_with(0);
    }
}
