//! A node that hangs up in the middle of a command is asked once more, and what it said is told in words.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rstest::rstest;

use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::operator::Operator;

/// How the node ends a connection.
#[derive(Debug, Clone, Copy)]
enum HangUp {
    /// With a WebSocket close frame, after so many bytes.
    Says(usize),
    /// Without a word, after so many bytes.
    Silently(usize),
}

/// `1011`, "internal error".
const GOODBYE: &[u8] = b"\x88\x10\x03\xf3internal error";

/// A way to a node, of which the first connections end early.
struct Way {
    url: String,
    opened: Arc<AtomicUsize>,
}

impl Way {
    fn to(node: &str, first: usize, hang_up: HangUp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let opened = Arc::new(AtomicUsize::new(0));
        let (node, counted) = (node.trim_start_matches("ws://").to_owned(), Arc::clone(&opened));
        thread::spawn(move || {
            for console in listener.incoming().flatten() {
                let ends = counted.fetch_add(1, Ordering::SeqCst) < first;
                let there = TcpStream::connect(&node).unwrap();
                let (from, to) = (console.try_clone().unwrap(), there.try_clone().unwrap());
                thread::spawn(move || carry(from, to, None));
                thread::spawn(move || carry(there, console, ends.then_some(hang_up)));
            }
        });
        Self { url, opened }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, hang_up: Option<HangUp>) {
    let (mut buffer, mut carried) = ([0; 8_192], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        carried += length;
        match hang_up {
            Some(HangUp::Says(after)) if carried > after => {
                let _ = to.write_all(GOODBYE);
                break;
            }
            Some(HangUp::Silently(after)) if carried > after => break,
            _ => {}
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn runs(operator: &Operator, way: &Way, words: &[&str]) -> Ran {
    let mut flags = operator.flags();
    assert_eq!(flags[0], "--endpoint");
    flags[1].clone_from(&way.url);
    operator.house.run(line(words, &flags))
}

#[rstest]
#[case::at_once(HangUp::Says(0))]
#[case::after_its_greeting(HangUp::Says(300))]
#[case::in_the_middle_of_the_table(HangUp::Silently(8_000))]
fn a_command_goes_on_where_the_node_hangs_up_once(
    #[case] hang_up: HangUp,
    #[values(&["status"], &["visible"], &["verify", "42"], &["commit", "--dry-run"])] words: &[&str],
) {
    let operator = Operator::by_hand();
    let whole = runs(&operator, &Way::to(operator.node.url(), 0, hang_up), words);
    // The metadata is asked for again, too.
    std::fs::remove_dir_all(operator.house.path("home/.cache")).unwrap();
    let way = Way::to(operator.node.url(), 1, hang_up);
    let ran = runs(&operator, &way, words);
    assert_eq!(ran.code, whole.code, "{}\n{}", ran.stdout, ran.stderr);
    assert!(way.opened.load(Ordering::SeqCst) >= 2);
}

#[test]
fn a_node_that_hangs_up_for_ever_is_told_in_words() {
    let operator = Operator::by_hand();
    let way = Way::to(operator.node.url(), usize::MAX, HangUp::Says(300));
    for words in [&["status"][..], &["commit", "--yes"]] {
        let ran = runs(&operator, &way, words).exits(4);
        says(ran.error(), &["the connection was lost", "try another endpoint"]);
        // Which half of the connection learns of it first is chance.
        let said = ["code 1011: internal error", "connection closed"].iter().any(|said| ran.error().contains(said));
        assert!(said && !ran.error().contains("CloseReason"), "{}", ran.error());
    }
    operator.did_nothing();
}
