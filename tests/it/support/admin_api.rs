//! The desk beside the practice store, asked as a shell asks it: one request, one connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::DEADLINE;

/// What the desk said.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    pub text: String,
}

/// Sends a request to a store's URL, with more headers (each with its line end).
pub fn ask_with(store: &str, verb: &str, target: &str, headers: &str) -> Said {
    let authority = store.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(authority).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(socket, "{verb} {target} HTTP/1.1\r\nHost: {authority}\r\n{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Said { status, head: head.to_lowercase(), text: text.to_owned() }
}

/// Sends a request to a store's URL.
pub fn ask(store: &str, verb: &str, target: &str) -> Said {
    ask_with(store, verb, target, "")
}

/// Key id and secret of a token that is made there.
pub fn token(store: &str, query: &str) -> (String, String) {
    let said = ask(store, "POST", &format!("/-/tokens?{query}"));
    assert_eq!(said.status, 200, "{}", said.text);
    let mut values = said.text.lines().map(|line| line.split_once('=').unwrap().1.to_owned());
    (values.next().unwrap(), values.next().unwrap())
}
