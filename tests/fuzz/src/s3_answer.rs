//! What an S3 store, or whoever answers in its place, says over HTTP: heads, error bodies, listings.

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use grail_console::domain::commitment::Parts;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::{Blame, Case, Exchange, Judgement, Request, Verdict, judge, next};
use grail_console::domain::provider::{Provider, S3Endpoint};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::untrusted::is_visible;
use grail_console::domain::window::{Deadline, DocumentedName, MAX_OBJECT_BYTES, MIN_OBJECT_BYTES, Window};
use grail_console::storage::{Answer, Part, Reader, Store, StoreOptions, Target};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::{node, secret};

/// What is said of bucket, key or object.
const OF_THE_UID: [Verdict; 9] = [
    Verdict::Ok,
    Verdict::NoObject,
    Verdict::Late,
    Verdict::BadSize,
    Verdict::NoBucket,
    Verdict::ScopeDenied,
    Verdict::AuthBadSecret,
    Verdict::AuthUnknownKey,
    Verdict::Malformed,
];
/// Without any of these nothing can be a mark of an S3 store: its headers, an error's code, an object's time.
const MARKS: [&str; 6] = ["x-amz-", "x-minio-", "x-rgw-", "x-wasabi-", "code", "last-modified"];
/// Between the answers of an input.
const NEXT: u8 = 0x1e;
/// Longest text that is shown of what a store says, in characters, each of them at most ten when it is made visible.
const SHOWN: usize = 10 * 600;
const DEADLINE: Deadline = Deadline { at_ms: 1_790_000_000_000, exact: true };
const MOST_NAMES: u16 = 5;

type Answers = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server that closes after each answer, and who reads from it.
struct Setup {
    runtime: Runtime,
    reader: Reader,
    provider: Provider,
    answers: Answers,
}

static SETUP: LazyLock<Mutex<Setup>> = LazyLock::new(|| Mutex::new(Setup::new()));

/// Answers, divided by the byte 1e: to the first HEAD, the second, the GET, the listing; the last one counts for all that are
/// left. A HEAD gets no body.
pub fn run(data: &[u8]) -> &'static str {
    let setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
    let answers: Vec<Vec<u8>> = data.split(|byte| *byte == NEXT).map(<[u8]>::to_vec).collect();
    *setup.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.into_iter().rev().collect();
    let (exchanges, names) = setup.runtime.block_on(asked(&setup.reader));
    assert!(names <= usize::from(MOST_NAMES));
    let case = Case {
        provider: &setup.provider,
        uid: Some(20),
        own: false,
        window: Window::of(9_168_240),
        deadline: Some(DEADLINE),
        exchanges: &exchanges,
        clock_offset_ms: None,
    };
    let judgement = judge(&case);
    is_no_more_than_the_evidence(&judgement, data);
    for text in [&judgement.explanation, &judgement.fix] {
        is_shown(text);
    }
    judgement.verdict.name()
}

fn is_no_more_than_the_evidence(judgement: &Judgement, data: &[u8]) {
    let text = String::from_utf8_lossy(data).to_ascii_lowercase();
    if !MARKS.iter().any(|mark| text.contains(mark)) {
        assert!(!OF_THE_UID.contains(&judgement.verdict), "{judgement:?}");
        assert!(judgement.blame.is_some_and(|blame| blame != Blame::Holder), "{judgement:?}");
        assert!(!judgement.is_definite && !judgement.fix.contains("holder"), "{judgement:?}");
    }
    assert_eq!(judgement.verdict == Verdict::Ok, judgement.blame.is_none());
    if judgement.verdict == Verdict::Ok {
        let found = judgement.found.unwrap();
        assert!(found.size.is_some_and(|size| (MIN_OBJECT_BYTES..=MAX_OBJECT_BYTES).contains(&size)));
        assert!(found.last_modified_ms.is_some_and(|at| at <= DEADLINE.at_ms));
    }
}

fn is_shown(text: &str) {
    assert!(text.chars().all(is_visible), "{text:?}");
    assert!(text.chars().count() <= SHOWN, "{} characters", text.chars().count());
}

/// A validator's questions and one for a listing, with what came of them.
async fn asked(reader: &Reader) -> (Vec<Exchange>, usize) {
    let (hotkey, window) = (Hotkey::from_bytes([7; 32]), Window::of(9_168_240));
    let by = || Instant::now() + Duration::from_secs(30);
    let mut exchanges = Vec::new();
    while let Some(request) = next(&exchanges) {
        let answer = match request {
            Request::HeadCompressed => {
                reader.head(request, &DocumentedName::WindowCompressed(hotkey, window), by()).await
            }
            Request::HeadPlain => reader.head(request, &DocumentedName::Window(hotkey, window), by()).await,
            _ => reader.get(request, &DocumentedName::Window(hotkey, window), Part::First(1), by()).await,
        };
        told(&answer);
        assert!(answer.bytes.len() <= 1);
        exchanges.push(answer.exchange);
        assert!(exchanges.len() <= 3);
    }
    let (answer, names) = reader.list_grail("windows/", MOST_NAMES, by()).await;
    told(&answer);
    for name in &names {
        is_shown(&name.shown());
    }
    (exchanges, names.len())
}

fn told(answer: &Answer) {
    let reply = &answer.exchange.reply;
    for text in [reply.code(), reply.message(), Some(reply.said())].into_iter().flatten() {
        is_shown(&text);
    }
    let is_name = |name: &String| {
        (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    assert!(answer.region.as_ref().is_none_or(is_name), "{:?}", answer.region);
}

impl Setup {
    fn new() -> Self {
        let runtime = node::runtime();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers::default();
        let kept = Arc::clone(&answers);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &kept).await;
            }
        });
        let provider = Provider::Custom(S3Endpoint::parse(&url).unwrap());
        let parts = Parts {
            locator: "a-bucket".into(),
            read_key_id: "0123456789abcdef0123456789abcdef".into(),
            read_secret: SecretKey::new(secret::SECRET),
        };
        let target = Target::published(&provider, &parts).unwrap();
        let reader = Store::new(StoreOptions::default()).reader(target);
        Self { runtime, reader, provider, answers }
    }
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> Option<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&bytes[..read]);
    }
    let answer = {
        let mut left = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() > 1 { left.pop()? } else { left.last()?.clone() }
    };
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let sent = if request.starts_with(b"HEAD") { &answer[..head] } else { &answer };
    stream.write_all(sent).await.ok()?;
    stream.shutdown().await.ok()
}
