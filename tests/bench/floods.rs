//! What a process takes while a node or a store sends without an end (THREATS T26): the most memory that it ever had, how long
//! until it ended, and how it ended. Only by name, since it takes half an hour: `cargo bench --bench console -- floods`.
//! `FLOODS=words` measures those floods alone whose names hold the words, `SAID=1` also prints the last line that was said.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use grail_console::sandbox::{BlockTime, Sandbox, SandboxOptions, Scenario};
use parity_scale_codec::{Decode as _, Encode as _};
use serde_json::{Value, json};

use crate::commit;
use crate::console::{Console, memory_mb};
use crate::flood_node::{self, Flood, FloodNode, PING, TEXT_BEGINS, TEXT_GOES_ON, message};
use crate::flood_store::{Answer, FloodStore};

/// After this it is measured no longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a console may take to leave.
const LEAVING: Duration = Duration::from_secs(10);
const BLOCKS: Duration = Duration::from_secs(1);
const EACH: Duration = Duration::from_millis(2);
/// Bytes of a message that is as large as it may be.
const LARGE: usize = 15 << 20;

/// What runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Status,
    Visible,
    Commit,
    /// The console, as it opens.
    Console,
    /// The console, and the dialog of a commit in it.
    Dialog,
    /// A test of every bucket.
    Probe,
    /// Who published what, with proofs and signatures.
    Verify,
}

impl Who {
    const fn words(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Status => ("status", &["status"]),
            Self::Visible => ("visible", &["visible"]),
            Self::Commit => ("commit --yes", &["commit", "--yes"]),
            Self::Console => ("the console", &[]),
            Self::Dialog => ("the console, C", &[]),
            Self::Probe => ("probe --all", &["probe", "--all"]),
            Self::Verify => ("verify 42", &["verify", "42"]),
        }
    }

    const fn is_console(self) -> bool {
        matches!(self, Self::Console | Self::Dialog)
    }
}

const READING: &[Who] = &[Who::Status, Who::Visible, Who::Commit, Who::Console];
const PROVING: &[Who] = &[Who::Visible, Who::Commit, Who::Console, Who::Verify];
const STORING: &[Who] = &[Who::Visible, Who::Commit, Who::Dialog, Who::Probe];

/// A flood of a node, and who has to do with it.
type OfNode = (&'static str, &'static [Who], Flood);

const fn repeated(method: &'static str, change: fn(&mut Value)) -> Flood {
    Flood::Repeated { method, change, unanswered: false }
}

const fn frames(make: fn(u64) -> Vec<u8>) -> Flood {
    Flood::Frames { make, unanswered: false }
}

const fn answers(method: &'static str, make: fn(&Value, &Value) -> String) -> Flood {
    Flood::Answers { method, make }
}

const OF_NODES: &[OfNode] = &[
    ("none", READING, Flood::Nothing),
    ("none", &[Who::Dialog, Who::Probe, Who::Verify], Flood::Nothing),
    // Of subscriptions that there are.
    ("heads", &[Who::Console], repeated("chain_newHead", |_| {})),
    ("heads of 56 KiB", &[Who::Console], repeated("chain_newHead", enlarged_head)),
    ("heads of 56 KiB, calls unanswered", &[Who::Console], unanswered("chain_newHead", enlarged_head)),
    ("final heads", &[Who::Commit, Who::Console], repeated("chain_finalizedHead", |_| {})),
    ("storage changes", &[Who::Console], repeated("state_storage", |_| {})),
    ("storage changes of 4 MB", &[Who::Console], repeated("state_storage", enlarged_changes)),
    ("storage changes of 4 MB, calls unanswered", &[Who::Console], unanswered("state_storage", enlarged_changes)),
    ("versions", &[Who::Console], repeated("state_runtimeVersion", |_| {})),
    ("versions of 60 KiB", &[Who::Console], repeated("state_runtimeVersion", enlarged_version)),
    ("extrinsic updates", &[Who::Commit], repeated("author_extrinsicUpdate", |_| {})),
    ("extrinsic updates of 60 KiB", &[Who::Commit], repeated("author_extrinsicUpdate", enlarged_update)),
    // Of subscriptions that there are not.
    ("heads of unknown subscriptions", READING, frames(|number| of_unknown("chain_newHead", number, 0))),
    ("changes of unknown subscriptions, 3 MB", READING, frames(|number| of_unknown("state_storage", number, 3 << 20))),
    (
        "heads of 15 MB, no call answered",
        READING,
        Flood::Frames { make: |number| of_unknown("chain_newHead", number, LARGE), unanswered: true },
    ),
    (
        "a subscription's id of 15 MB of numbers",
        READING,
        frames(|_| message(&notification("chain_newHead", &numbers(), "1"))),
    ),
    // Answers.
    ("answers to nothing, 15 MB", READING, frames(|_| message(&answer(&json!(4_000_000_000_u64), &text())))),
    ("a batch of 15 MB", READING, frames(|_| message(&numbers()))),
    ("an id and 15 MB of numbers", READING, frames(|_| message(&format!(r#"{{"id":0,"x":{}}}"#, numbers())))),
    ("every answer 15 MB of text", READING, answers("", |id, _| answer(id, &text()))),
    ("every answer 15 MB of small parts", READING, answers("", |id, _| answer(id, &list(r#""0x""#)))),
    ("every answer an error of 15 MB", READING, answers("", |id, _| error(id))),
    ("metadata of 15 MB", READING, answers("state_call", |id, _| answer(id, &text()))),
    ("metadata of 7 million empty lines", READING, answers("state_call", many_lines)),
    ("values: 15 MB of small ones", READING, answers("state_queryStorageAt", many_values)),
    ("keys: 15 MB of small ones", READING, answers("state_getKeysPaged", |id, _| answer(id, &list(r#""0x""#)))),
    ("a version with 15 MB of numbers", READING, answers("state_getRuntimeVersion", large_version)),
    ("a header with 15 MB of logs", PROVING, answers("chain_getHeader", many_logs)),
    ("a block of 15 MB of extrinsics", PROVING, answers("chain_getBlock", many_extrinsics)),
    ("a proof of 15 MB of nodes", PROVING, answers("state_getReadProof", many_nodes)),
    // Answers, each as large and in as many parts as is taken in.
    ("as large as may be: values", READING, answers("state_queryStorageAt", largest_values)),
    ("as large as may be: a block", PROVING, answers("chain_getBlock", largest_block)),
    ("as large as may be: a block in parts", PROVING, answers("chain_getBlock", largest_block_in_parts)),
    ("as large as may be: a proof", PROVING, answers("state_getReadProof", largest_proof)),
    ("as large as may be: metadata", READING, answers("state_call", largest_metadata)),
    // Beneath the messages.
    ("a message without an end", READING, Flood::Frames { make: in_pieces, unanswered: true }),
    ("pings", READING, frames(|_| flood_node::frame(PING, &[0; 125]).repeat(512))),
    ("a handshake of endless headers", READING, handshake("x-more: and more\r\n")),
    ("a handshake with an endless header", READING, handshake("and more ")),
];

/// A flood of a store.
type OfStore = (&'static str, Answer);

const OF_STORES: &[OfStore] = &[
    ("store: endless headers", with("HTTP/1.1 200 OK\r\n", || b"x-more: and more\r\n".repeat(512))),
    ("store: an endless header", with("HTTP/1.1 200 OK\r\nx-more: ", piece)),
    ("store: an endless status line", with("HTTP/1.1 200 ", piece)),
    ("store: 100 Continue without an end", with("", || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(512))),
    ("store: an endless body", with("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", piece)),
    ("store: an endless error", with("HTTP/1.1 403 Forbidden\r\nContent-Length: 99999999999999\r\n\r\n<Error>", piece)),
    ("store: endless chunks", with(CHUNKED, || [b"4000\r\n".as_slice(), &piece(), b"\r\n"].concat())),
    ("store: endless small chunks", with(CHUNKED, || b"1\r\na\r\n".repeat(2_048))),
    ("store: an endless chunk extension", with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", piece)),
    ("store: endless trailers", with(TRAILED, || b"x-more: and more\r\n".repeat(512))),
    ("store: an endless list of buckets", with(LISTED, || b"<Bucket><Name>a</Name></Bucket>".repeat(512))),
];

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TRAILED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
const LISTED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 99999999999999\r\n\r\n\
    <ListAllMyBucketsResult><Buckets>";

const fn with(first: &'static str, again: fn() -> Vec<u8>) -> Answer {
    Answer { first, again }
}

const fn unanswered(method: &'static str, change: fn(&mut Value)) -> Flood {
    Flood::Repeated { method, change, unanswered: true }
}

const fn handshake(again: &'static str) -> Flood {
    let first = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nx-more: ";
    Flood::Handshake { first, again }
}

fn piece() -> Vec<u8> {
    vec![b'a'; 16 << 10]
}

/// 15 MB of JSON: a text of hex.
fn text() -> String {
    format!(r#""0x{}""#, "0".repeat(LARGE - 4))
}

/// 15 MB of JSON: a list of the same again and again.
fn list(part: &str) -> String {
    list_of(part, LARGE)
}

fn list_of(part: &str, bytes: usize) -> String {
    format!("[{}{part}]", format!("{part},").repeat((bytes - 2_000) / (part.len() + 1) - 1))
}

/// The shortest part that a large list may have on average.
fn shortest() -> String {
    format!(r#""0x{}""#, "0".repeat(28))
}

fn numbers() -> String {
    list("0")
}

fn answer(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn error(id: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32000,"message":{}}}}}"#, text())
}

fn notification(method: &str, subscription: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":{subscription},"result":{result}}}}}"#)
}

/// A notification of a subscription that there is not, another one each time.
fn of_unknown(method: &str, number: u64, bytes: usize) -> Vec<u8> {
    message(&notification(method, &format!("\"of-{number}\""), &format!("\"{}\"", "0".repeat(bytes))))
}

fn in_pieces(number: u64) -> Vec<u8> {
    flood_node::frame(if number == 0 { TEXT_BEGINS } else { TEXT_GOES_ON }, &piece())
}

fn enlarged_head(head: &mut Value) {
    let log = (0_u8, vec![0_u8; 28 << 10]).encode();
    head["digest"]["logs"] = json!([format!("0x{}", hex::encode(log))]);
}

fn enlarged_changes(set: &mut Value) {
    set["changes"] = json!(vec![("0x", "0x"); (4 << 20) / 14]);
}

fn enlarged_version(version: &mut Value) {
    version["apis"] = json!(vec![0; 30 << 10]);
}

fn enlarged_update(status: &mut Value) {
    *status = json!({ "broadcast": vec![""; 20 << 10] });
}

fn many_values(id: &Value, truth: &Value) -> String {
    answer(id, &format!(r#"[{{"block":{},"changes":{}}}]"#, truth[0]["block"], list(r#"["0x","0x"]"#)))
}

fn largest_values(id: &Value, truth: &Value) -> String {
    let part = format!("[{},{}]", shortest(), shortest());
    answer(id, &format!(r#"[{{"block":{},"changes":{}}}]"#, truth[0]["block"], list_of(&part, 4 << 20)))
}

fn many_lines(id: &Value, truth: &Value) -> String {
    static MADE: OnceLock<String> = OnceLock::new();
    with_lines(id, truth, LARGE / 2 - 400_000, &MADE)
}

fn largest_metadata(id: &Value, truth: &Value) -> String {
    static MADE: OnceLock<String> = OnceLock::new();
    with_lines(id, truth, 300_000, &MADE)
}

/// The metadata, with empty lines in the first type's text; what is no metadata stays as it is.
fn with_lines(id: &Value, truth: &Value, lines: usize, made: &OnceLock<String>) -> String {
    let text = truth.as_str().unwrap_or_default();
    let bytes = hex::decode(text.trim_start_matches("0x")).unwrap_or_default();
    let opaque = Option::<Vec<u8>>::decode(&mut bytes.as_slice()).ok().flatten().filter(|bytes| bytes.len() > 10_000);
    let Some(opaque) = opaque else { return answer(id, &truth.to_string()) };
    let made = made.get_or_init(|| {
        let mut metadata = RuntimeMetadataPrefixed::decode(&mut opaque.as_slice()).unwrap();
        let types = match &mut metadata.1 {
            RuntimeMetadata::V15(metadata) => &mut metadata.types,
            RuntimeMetadata::V16(metadata) => &mut metadata.types,
            _ => panic!("another version was asked for"),
        };
        types.types[0].ty.docs = vec![String::new(); lines];
        format!("0x{}", hex::encode(Some(metadata.encode()).encode()))
    });
    answer(id, &format!("\"{made}\""))
}

fn large_version(id: &Value, truth: &Value) -> String {
    let known = truth.to_string();
    answer(id, &format!(r#"{},"more":{}}}"#, known.trim_end_matches('}'), numbers()))
}

/// A header as it is, with many logs.
fn with_logs(header: &Value) -> String {
    let mut header = header.clone();
    header["digest"]["logs"] = json!("LOGS");
    header.to_string().replace("\"LOGS\"", &list(r#""0x0000""#))
}

fn many_logs(id: &Value, truth: &Value) -> String {
    answer(id, &with_logs(truth))
}

fn many_extrinsics(id: &Value, truth: &Value) -> String {
    with_extrinsics(id, truth, &list(r#""0x""#))
}

fn largest_block(id: &Value, truth: &Value) -> String {
    with_extrinsics(id, truth, &format!(r#"["0x{}"]"#, "0".repeat((10 << 20) - 2_000)))
}

fn largest_block_in_parts(id: &Value, truth: &Value) -> String {
    with_extrinsics(id, truth, &list_of(&shortest(), 10 << 20))
}

fn with_extrinsics(id: &Value, truth: &Value, extrinsics: &str) -> String {
    let mut block = truth.clone();
    block["block"]["extrinsics"] = json!("EXTRINSICS");
    answer(id, &block.to_string().replace("\"EXTRINSICS\"", extrinsics))
}

fn many_nodes(id: &Value, truth: &Value) -> String {
    answer(id, &format!(r#"{{"at":{},"proof":{}}}"#, truth["at"], list(r#""0x""#)))
}

fn largest_proof(id: &Value, truth: &Value) -> String {
    answer(id, &format!(r#"{{"at":{},"proof":{}}}"#, truth["at"], list_of(&shortest(), 4 << 20)))
}

pub async fn measure() {
    let chosen = std::env::var("FLOODS").unwrap_or_default();
    let is_chosen = |name: &str| name.contains(&chosen);
    for (name, who, flood) in OF_NODES.iter().filter(|(name, ..)| is_chosen(name)) {
        for who in *who {
            let sandbox = start().await;
            let node = FloodNode::start(sandbox.url(), *flood);
            let flags = leading_to(&sandbox, &node.url, sandbox.s3_url());
            let measured = tokio::task::block_in_place(|| run(*who, &flags));
            report(name, *who, &measured, node.sent_mb());
        }
    }
    for (name, answer) in OF_STORES.iter().filter(|(name, _)| is_chosen(name)) {
        for who in STORING {
            let sandbox = start().await;
            let store = FloodStore::start(*answer);
            let flags = leading_to(&sandbox, sandbox.url(), &store.url);
            let measured = tokio::task::block_in_place(|| run(*who, &flags));
            report(name, *who, &measured, store.sent_mb());
        }
    }
}

async fn start() -> Sandbox {
    let mut options = SandboxOptions::new(Scenario::parse("bench", commit::DRIFTED).unwrap());
    options.block_time = BlockTime::Every(BLOCKS);
    Sandbox::start(options).await.unwrap()
}

/// The operator's flags, with others to ask.
fn leading_to(sandbox: &Sandbox, node: &str, store: &str) -> Vec<String> {
    let led = |flag: String| match flag.as_str() {
        url if url == sandbox.url() => node.to_owned(),
        url if url == sandbox.s3_url() => store.to_owned(),
        _ => flag,
    };
    commit::flags(sandbox).into_iter().map(led).collect()
}

/// What one process took.
struct Measured {
    peak_mb: f64,
    seconds: f64,
    /// `None` if it went on.
    code: Option<i32>,
    /// Seconds until it left where it was told to.
    leaving: Option<f64>,
    said: String,
}

fn report(flood: &str, who: Who, measured: &Measured, sent_mb: f64) {
    let Measured { peak_mb, seconds, code, leaving, said } = measured;
    let end = match (code, leaving) {
        (Some(code), None) => format!("ended {code} after {seconds:.1} s"),
        (Some(code), Some(leaving)) => format!("went on; q: ended {code} after {leaving:.1} s"),
        (None, _) => format!("went on for {seconds:.1} s"),
    };
    let numbers = format!("{peak_mb:>4.0} MB, {end}, {sent_mb:.0} MB came");
    crate::report(&format!("{flood}: {}", who.words().0), "<= 100 MB", &numbers);
    if std::env::var_os("SAID").is_some() && !said.is_empty() {
        println!("    {said}");
    }
}

fn run(who: Who, flags: &[String]) -> Measured {
    let home = tempfile::tempdir().unwrap();
    if who.is_console() { in_console(who, flags, home.path()) } else { command(who, flags, home.path()) }
}

fn command(who: Who, flags: &[String], home: &Path) -> Measured {
    let (told, said) = (home.join("told"), home.join("said"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_grail-console"));
    command.args(who.words().1).args(flags).env_clear().env("HOME", home).stdin(Stdio::null());
    command.stdout(File::create(&told).unwrap()).stderr(File::create(&said).unwrap());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak_mb = 0.0;
    let code = loop {
        peak_mb = memory_mb(child.id(), "VmHWM").unwrap_or(peak_mb);
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(EACH);
    };
    let seconds = begun.elapsed().as_secs_f64();
    let all = [told, said].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    let last = all.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Measured { peak_mb, seconds, code, leaving: None, said: last.trim().chars().take(160).collect() }
}

fn in_console(who: Who, flags: &[String], home: &Path) -> Measured {
    let mut console = Console::open_with(flags, home);
    let begun = Instant::now();
    let (mut peak_mb, mut leaving) = (0.0, None::<Instant>);
    if who == Who::Dialog {
        console.until("finalized");
        console.type_keys("C");
    }
    let code = loop {
        peak_mb = memory_mb(console.id(), "VmHWM").unwrap_or(peak_mb);
        if let Some(code) = console.ended() {
            break i32::try_from(code).ok();
        }
        match leaving {
            None if begun.elapsed() > PATIENCE => {
                leaving = Some(Instant::now());
                // A dialog is left first.
                console.type_keys(if who == Who::Dialog { "\u{1b}" } else { "q" });
                if who == Who::Dialog {
                    std::thread::sleep(Duration::from_millis(300));
                    console.type_keys("q");
                }
            }
            Some(since) if since.elapsed() > LEAVING => break None,
            _ => {}
        }
        std::thread::sleep(EACH);
    };
    let leaving = leaving.map(|since| since.elapsed().as_secs_f64());
    Measured { peak_mb, seconds: begun.elapsed().as_secs_f64(), code, leaving, said: String::new() }
}
