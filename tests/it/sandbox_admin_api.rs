//! The desk beside the practice store: tokens made and revoked, GRAIL and validators restarted, over HTTP.

use std::fs;

use grail_console::sandbox::{Credentials, OPERATOR_UID, Sandbox, hotkey};
use serde_json::Value;

use crate::support::admin_api::{ask, ask_with, token};
use crate::support::node::Node;
use crate::support::pool::published;
use crate::support::s3::{bucket, client, refused};

/// Status of listing, reading and writing with a key, one after another.
async fn opens(sandbox: &Sandbox, key: (&str, &str)) -> [u16; 3] {
    let own = client(sandbox, key.0, key.1);
    let listed = own.list_buckets().send().await;
    let read = own.head_bucket().bucket(bucket(OPERATOR_UID)).send().await;
    let written = own.put_object().bucket(bucket(OPERATOR_UID)).key("grail/x").body(vec![1].into()).send().await;
    let listed = if listed.is_ok() { 200 } else { refused(listed).0 };
    let read = if read.is_ok() { 200 } else { refused(read).0 };
    let written = if written.is_ok() { 200 } else { refused(written).0 };
    [listed, read, written]
}

#[test]
fn a_token_is_made_as_two_lines_of_a_dotenv_and_known_after_a_minute() {
    let node = Node::with_uids("rotation", 64);
    let store = node.sandbox().s3_url().to_owned();
    assert_eq!(node.sandbox().tokens_url(), format!("{store}/-/tokens"));
    let said = ask(&store, "POST", "/-/tokens?kind=read");
    let lines: Vec<_> = said.text.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!((said.status, lines.len()), (200, 2));
    assert_eq!((lines[0].0, lines[0].1.len()), ("R2_READ_ACCESS_KEY_ID", 32));
    assert_eq!((lines[1].0, lines[1].1.len()), ("R2_READ_SECRET_ACCESS_KEY", 64));
    assert!(said.head.contains("cache-control: no-store"), "{}", said.head);
    let key = (lines[0].1, lines[1].1);
    assert_eq!(node.wait(opens(node.sandbox(), key)), [401, 401, 401]);
    let listed = || ask(&store, "GET", "/-/tokens").text;
    assert!(listed().ends_with(&format!("{} read known in 60 s\n", key.0)), "{}", listed());
    node.blocks(5);
    assert_eq!(node.wait(opens(node.sandbox(), key)), [403, 200, 403]);
    assert!(listed().ends_with(&format!("{} read known\n", key.0)), "{}", listed());
    assert!(!listed().contains(key.1), "a secret is shown once");
}

#[test]
fn scopes_and_uids_are_as_asked_and_a_write_token_says_so() {
    let node = Node::with_uids("healthy", 64);
    let store = node.sandbox().s3_url().to_owned();
    assert!(ask(&store, "POST", "/-/tokens?kind=write").text.starts_with("R2_WRITE_ACCESS_KEY_ID="));
    let made = ["kind=write", "kind=read&scope=write", "kind=read&scope=account-wide", "kind=read&scope=other-bucket"]
        .map(|query| token(&store, query));
    let elsewhere = token(&store, "kind=read&uid=7");
    node.blocks(5);
    let opened = made.map(|key| node.wait(opens(node.sandbox(), (&key.0, &key.1))));
    assert_eq!(opened, [[403, 200, 200], [403, 200, 200], [200, 200, 403], [403, 403, 403]]);
    let other = client(node.sandbox(), &elsewhere.0, &elsewhere.1);
    node.wait(other.head_bucket().bucket(bucket(7)).send()).unwrap();
}

#[test]
fn a_token_is_revoked_once_and_rolled_while_it_lives() {
    let node = Node::with_uids("healthy", 64);
    let store = node.sandbox().s3_url().to_owned();
    let first = Credentials::of(OPERATOR_UID, 0);
    let rolled = ask(&store, "POST", &format!("/-/tokens/{}/roll", first.write_key_id));
    assert!(rolled.text.starts_with(&format!("R2_WRITE_ACCESS_KEY_ID={}\n", first.write_key_id)), "{}", rolled.text);
    let old = (first.write_key_id.as_str(), first.write_secret.expose());
    assert_eq!(node.wait(opens(node.sandbox(), old)), [403, 403, 403]);
    let one = format!("/-/tokens/{}", first.write_key_id);
    assert_eq!([ask(&store, "DELETE", &one).status, ask(&store, "DELETE", &one).status], [200, 404]);
    assert_eq!(node.wait(opens(node.sandbox(), old)), [401, 401, 401]);
    assert_eq!(ask(&store, "POST", &format!("{one}/roll")).status, 404);
    assert!(ask(&store, "GET", "/-/tokens").text.contains(&format!("{} write revoked\n", first.write_key_id)));
}

#[test]
fn grail_is_restarted_and_says_what_it_did() {
    let node = Node::with_uids("rotation", 64);
    let store = node.sandbox().s3_url().to_owned();
    let restart = || ask(&store, "POST", "/-/grail/restart");
    assert_eq!(node.sandbox().grail_url(), Some(format!("{store}/-/grail/restart")));
    assert_eq!(restart().text, "unchanged: the chain holds what the .env says\n");
    let env_file = &node.sandbox().operator().unwrap().env_file;
    let (old, next) = (Credentials::of(OPERATOR_UID, 0), Credentials::of(OPERATOR_UID, 1));
    let text = fs::read_to_string(env_file).unwrap();
    let text = text.replace(&old.read_key_id, &next.read_key_id);
    fs::write(env_file, text.replace(old.read_secret.expose(), next.read_secret.expose())).unwrap();
    let said = restart();
    assert_eq!(said.text, format!("committed: the read key {} is published with the next block\n", next.read_key_id));
    node.blocks(1);
    assert_eq!(published(node.sandbox(), hotkey(OPERATOR_UID)).unwrap(), next.read_commitment().into_bytes());
    fs::write(env_file, "").unwrap();
    let said = restart();
    assert_eq!((said.status, said.text.as_str()), (409, "not started: the .env has no R2_ACCOUNT_ID; put it back\n"));
}

#[test]
fn what_validators_could_not_read_is_told_as_json() {
    let node = Node::with_uids("rotation", 64);
    let store = node.sandbox().s3_url().to_owned();
    let first = Credentials::of(OPERATOR_UID, 0);
    node.blocks(2);
    node.sandbox().s3().revoke(&first.read_key_id);
    node.blocks(1);
    let document: Value = serde_json::from_str(&ask(&store, "GET", "/-/validators").text).unwrap();
    assert_eq!((&document["looks"], document["gaps"].as_array().unwrap().len()), (&Value::from(15), 5));
    assert_eq!(document["gaps"][0]["visibility"]["refused"], 401);
    assert_eq!(document["gaps"][0]["key_id"], first.read_key_id);
    assert_eq!(document["last"]["block"], node.sandbox().best().number());
    assert_eq!(ask(&store, "POST", "/-/validators/restart").status, 200);
}

#[test]
fn who_is_lost_is_told_the_way_and_a_wrong_verb_the_right_one() {
    let node = Node::with_uids("first-run", 4);
    let store = node.sandbox().s3_url().to_owned();
    for (verb, target, status, word) in [
        ("GET", "/-/", 404, "there is: GET and POST /-/tokens"),
        ("GET", "/-", 404, "nothing is here"),
        ("POST", "/-/tokens/", 405, "here goes DELETE"),
        ("GET", "/-/token", 404, "nothing is here"),
        ("POST", "/-/tokens/a/b/c", 404, "nothing is here"),
        ("PUT", "/-/tokens", 405, "here goes GET, POST"),
        ("GET", "/-/tokens/abc", 405, "here goes DELETE"),
        ("GET", "/-/tokens/abc/roll", 405, "here goes POST"),
        ("GET", "/-/grail/restart", 405, "here goes POST"),
        ("POST", "/-/validators", 405, "here goes GET"),
        ("POST", "/-/tokens", 400, "kind=read or kind=write"),
        ("POST", "/-/tokens?kind=both", 400, "kind=read or kind=write"),
        ("POST", "/-/tokens?kind=read&uid=4", 400, "of a uid on the subnet"),
        ("DELETE", "/-/tokens/made-up", 404, "GET /-/tokens lists yours"),
        ("POST", "/-/tokens/made-up/roll", 404, "no such token"),
        ("POST", "/-/grail/restart", 404, "nobody runs GRAIL"),
        ("GET", "/-/validators", 404, "no validators are simulated"),
        ("POST", "/-/validators/restart", 404, "no validators are simulated"),
    ] {
        let said = ask(&store, verb, target);
        assert_eq!(said.status, status, "{verb} {target}");
        assert!(said.text.contains(word), "{verb} {target}: {}", said.text);
    }
    assert!(ask(&store, "PUT", "/-/tokens").head.contains("allow: get, post"));
    assert_eq!((node.sandbox().grail_url(), node.sandbox().validator().is_none()), (None, true));
}

#[test]
fn the_desk_and_the_store_do_not_meet() {
    let node = Node::with_uids("healthy", 64);
    let store = node.sandbox().s3_url().to_owned();
    token(&store, "kind=read");
    assert!(node.sandbox().s3().requests().is_empty(), "the recorder is the store's");
    let said = ask(&store, "GET", "/-x/tokens");
    assert!(said.head.contains("application/xml"), "the store's own answer: {}", said.head);
    assert_eq!(node.sandbox().s3().requests()[0].bucket, "-x");
}

#[test]
fn a_page_in_a_browser_is_sent_away() {
    let node = Node::with_uids("healthy", 64);
    let store = node.sandbox().s3_url().to_owned();
    let before = ask(&store, "GET", "/-/tokens").text;
    let said = ask_with(&store, "POST", "/-/tokens?kind=read", "Origin: http://example.com\r\n");
    assert_eq!(
        (said.status, said.text.as_str()),
        (403, "this practice server is for programs of this machine, not for pages in a browser\n")
    );
    assert_eq!(ask(&store, "GET", "/-/tokens").text, before);
}

/// Status of a request as a browser makes it, on a connection of its own.
fn asked_by_a_page(address: &str, request: &str) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer)[9..].parse().unwrap()
}

/// Host, Origin, and whether it is answered.
const VISITORS: [(&str, Option<&str>, bool); 8] = [
    ("HERE", None, true),
    ("localhost", None, true),
    ("HERE", Some("http://localhost:3000"), false),
    ("HERE", Some("https://evil.example"), false),
    ("HERE", Some("null"), false),
    ("rebound.evil.example", None, false),
    ("rebound.evil.example", Some("http://rebound.evil.example"), false),
    ("127.0.0.1.evil.example", None, false),
];

#[test]
fn pages_and_rebound_names_get_403_from_the_node_and_from_the_store() {
    let node = Node::with_uids("healthy", 64);
    let sandbox = node.sandbox();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"system_chain","params":[]}"#;
    for (host, origin, served) in VISITORS {
        for url in [sandbox.url(), sandbox.witness_url(), sandbox.s3_url()] {
            let address = url.split("://").nth(1).unwrap();
            let host = if host == "HERE" { address } else { host };
            let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
            let head = format!("HTTP/1.1\r\nHost: {host}\r\n{origin}");
            let length = body.len();
            let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            let requests = if url == sandbox.s3_url() {
                vec![
                    (format!("GET /-/tokens {head}\r\n"), 200),
                    // The store itself answers, to what nobody signed.
                    (format!("GET /bucket/key {head}\r\n"), 400),
                    (format!("POST /-/tokens?kind=read {head}Content-Length: 0\r\n\r\n"), 200),
                ]
            } else {
                vec![
                    (format!("GET / {head}{socket}"), 101),
                    (
                        format!(
                            "POST / {head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                        ),
                        200,
                    ),
                ]
            };
            for (request, status) in requests {
                // The desk has always sent away every page, be it one of this machine.
                let is_taken = origin.is_empty() || !request.contains("/-/");
                let status = if served && is_taken { status } else { 403 };
                assert_eq!(asked_by_a_page(address, &request), status, "{url}\n{request}");
            }
        }
    }
    let absolute = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let store = sandbox.s3_url().strip_prefix("http://").unwrap();
    assert_eq!(asked_by_a_page(store, absolute), 403);
    let reached = sandbox.s3().requests().iter().filter(|seen| seen.bucket == "bucket").count();
    assert_eq!(
        reached,
        VISITORS.iter().filter(|(.., served)| *served).count(),
        "who is sent away does not reach the store"
    );
}
