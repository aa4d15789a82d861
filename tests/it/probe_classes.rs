//! Who answered, and what follows from that: status, content type, body and headers over the socket, as a verdict and whose
//! fault it is. What is no store says nothing about bucket, key or object.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grail_console::domain::probe::{
    Blame, Case, Exchange, Found, Page, Probe, Reply, Request, Trouble, Verdict, judge,
};
use grail_console::domain::provider::{Provider, S3Endpoint};
use grail_console::domain::untrusted::Untrusted;
use grail_console::domain::window::{Deadline, Window};
use grail_console::storage::StoreOptions;
use proptest::prelude::*;

use crate::storage_server::{Script, Server, Then};
use crate::support::bench::{Bench, STRANGER, Seat};

const HTML: &str = "Content-Type: text/html\r\nServer: nginx/1.25.3\r\n";
const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
const XML: &str = "Content-Type: application/xml\r\n";
const NGINX: &str = "<html><head><title>404 Not Found</title></head><body><hr>nginx</body></html>";

/// What it is; status, headers, body of a GET; the verdict and whose fault it is.
type Row = (&'static str, &'static str, &'static str, &'static str, Verdict, Option<Blame>);

/// The body of an error as S3 stores write it.
macro_rules! error {
    ($code:literal) => {
        concat!("<Error><Code>", $code, "</Code></Error>")
    };
    ($code:literal, $message:literal) => {
        concat!("<Error><Code>", $code, "</Code><Message>", $message, "</Message></Error>")
    };
}

const FAR: Option<Blame> = Some(Blame::Network);
const HOLDER: Option<Blame> = Some(Blame::Holder);
const STORE: Option<Blame> = Some(Blame::Store);
const HERE: Option<Blame> = Some(Blame::ThisMachine);

#[rustfmt::skip]
const ROWS: [Row; 41] = [
    ("nginx", "404 Not Found", HTML, NGINX, Verdict::NotS3, FAR),
    ("a gateway's JSON", "404 Not Found", JSON, r#"{"message":"no Route matched"}"#, Verdict::NotS3, FAR),
    ("nothing at all", "404 Not Found", "", "", Verdict::NotS3, FAR),
    ("a Go server", "404 Not Found", "Content-Type: text/plain\r\n", "404 page not found\n", Verdict::NotS3, FAR),
    ("a firewall", "403 Forbidden", HTML, "<html>Request blocked</html>", Verdict::NotS3, FAR),
    ("squid", "403 Forbidden", "Content-Type: text/html\r\nServer: squid/6.1\r\n", "<html>ERR_ACCESS_DENIED</html>", Verdict::NotS3, FAR),
    ("a bare 403", "403 Forbidden", "", "", Verdict::NotS3, FAR),
    ("CloudFront", "403 Forbidden", "x-amz-cf-id: 1\r\nx-amz-cf-pop: FRA\r\n", "<html></html>", Verdict::NotS3, FAR),
    ("an API gateway", "403 Forbidden", "x-amzn-requestid: 1\r\nx-amz-apigw-id: 2\r\n", "{}", Verdict::NotS3, FAR),
    ("a proxy with a password", "401 Unauthorized", "Content-Type: text/html\r\nWWW-Authenticate: Basic\r\n", "<html>", Verdict::NotS3, FAR),
    ("a proxy that asks", "407 Proxy Authentication Required", HTML, "<html>", Verdict::NotS3, FAR),
    ("a web server", "400 Bad Request", HTML, "<html>", Verdict::NotS3, FAR),
    ("a login page", "200 OK", HTML, "<html>Welcome</html>", Verdict::NotS3, FAR),
    ("the way to a login page", "302 Found", "Location: http://login.example/\r\nContent-Type: text/html\r\n", "<html>", Verdict::NotS3, FAR),
    ("another XML", "404 Not Found", XML, "<fault><code>NoSuchKey</code></fault>", Verdict::NotS3, FAR),
    ("an XML error without a code", "403 Forbidden", XML, "<Error><Message>no</Message></Error>", Verdict::NotS3, FAR),
    ("a gateway without its store", "502 Bad Gateway", HTML, "<html>", Verdict::NotS3, Some(Blame::Unknown)),
    ("too many requests", "429 Too Many Requests", HTML, "<html>", Verdict::Throttled, STORE),
    ("no object, R2", "404 Not Found", XML, error!("NoSuchKey"), Verdict::NoObject, HOLDER),
    ("no bucket, R2", "404 Not Found", XML, error!("NoSuchBucket"), Verdict::NoBucket, HOLDER),
    ("unknown key, R2", "401 Unauthorized", XML, error!("Unauthorized"), Verdict::AuthUnknownKey, HOLDER),
    ("other scope, R2", "403 Forbidden", "Server: cloudflare\r\nContent-Type: application/xml\r\n", error!("AccessDenied"), Verdict::ScopeDenied, HOLDER),
    ("no object, AWS", "404 Not Found", "x-amz-request-id: A\r\nx-amz-id-2: B\r\n", error!("NoSuchKey"), Verdict::NoObject, HOLDER),
    ("no object without a body, AWS", "404 Not Found", "x-amz-request-id: A\r\n", "", Verdict::NoObject, HOLDER),
    ("denied without a body, MinIO", "403 Forbidden", "x-minio-deployment-id: A\r\n", "", Verdict::ScopeDenied, HOLDER),
    ("no object, Ceph", "404 Not Found", "x-rgw-object-type: Normal\r\n", "", Verdict::NoObject, HOLDER),
    ("unknown key, MinIO", "403 Forbidden", "Server: MinIO\r\n", error!("InvalidAccessKeyId"), Verdict::AuthUnknownKey, HOLDER),
    ("unknown key, Garage", "403 Forbidden", XML, error!("AccessDenied", "Forbidden: No such key: GK1"), Verdict::AuthUnknownKey, HOLDER),
    ("wrong secret, Garage", "403 Forbidden", XML, error!("AccessDenied", "Forbidden: Invalid signature"), Verdict::AuthBadSecret, HOLDER),
    ("no right, Garage", "403 Forbidden", XML, error!("AccessDenied", "Forbidden: Operation is not allowed for this key"), Verdict::ScopeDenied, HOLDER),
    ("no object, Garage", "404 Not Found", XML, error!("NoSuchKey", "Key not found"), Verdict::NoObject, HOLDER),
    ("another region, Garage", "400 Bad Request", XML, error!("AuthorizationHeaderMalformed"), Verdict::WrongRegion, HERE),
    ("the clock", "403 Forbidden", XML, error!("RequestTimeTooSkewed"), Verdict::ClockSkew, HERE),
    ("cap, Backblaze", "403 Forbidden", XML, error!("AccessDenied", "Transaction cap exceeded, see the Caps page"), Verdict::ProviderError, STORE),
    ("account disabled", "403 Forbidden", XML, error!("AccountDisabled", "The account is disabled"), Verdict::ProviderError, STORE),
    ("archived", "403 Forbidden", XML, error!("InvalidObjectState"), Verdict::ProviderError, STORE),
    ("a code that nobody knows", "404 Not Found", XML, error!("Zorn"), Verdict::ProviderError, STORE),
    ("lapsed, R2", "403 Forbidden", XML, error!("NotEntitled"), Verdict::ProviderError, HOLDER),
    ("a fault", "500 Internal Server Error", XML, error!("InternalError"), Verdict::ProviderError, STORE),
    ("slow down", "503 Slow Down", "x-amz-request-id: A\r\n", error!("SlowDown"), Verdict::Throttled, STORE),
    ("a store's redirect", "307 Temporary Redirect", "x-amz-request-id: A\r\nLocation: http://127.0.0.1:1/\r\n", "", Verdict::ProviderError, HOLDER),
];

/// Somebody who tests at a server that answers as it is told.
async fn told(answers: impl Fn(&str) -> Script + Send + Sync + 'static) -> (Seat, Server) {
    let server = Server::start(answers);
    let options = StoreOptions { pauses: [Duration::ZERO; 2], ..StoreOptions::default() };
    let bench = Bench::new("healthy").await.at(Some(server.url())).options(options);
    (bench.seat().await, server)
}

/// A HEAD is answered with the same head and no body.
fn script(request: &str, status: &str, headers: &str, body: &str) -> Script {
    let body_sent = if request.starts_with("HEAD") { "" } else { body };
    let length = body.len();
    Script::new(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body_sent}"), Then::Next)
}

#[tokio::test]
async fn what_answered_decides_what_follows_from_it() {
    let now = Arc::new(Mutex::new(ROWS[0]));
    let current = Arc::clone(&now);
    let (seat, _server) = told(move |request| {
        let (_, status, headers, body, ..) = *current.lock().unwrap();
        script(request, status, headers, body)
    })
    .await;
    for row in ROWS {
        *now.lock().unwrap() = row;
        let (what, .., verdict, blame) = row;
        let probe = seat.probe(STRANGER).await;
        assert_eq!((probe.verdict, probe.blame), (verdict, blame), "{what}: {probe:#?}");
        let holders = probe.fix.starts_with("Only the holder of uid 20 can mend it: ");
        assert_eq!(holders, blame == HOLDER, "{what}: {}", probe.fix);
    }
}

#[tokio::test]
async fn what_is_no_store_is_told_with_status_content_type_and_server() {
    let (seat, _server) = told(|request| script(request, "404 Not Found", HTML, NGINX)).await;
    let probe = seat.probe(STRANGER).await;
    assert_eq!(probe.explanation, "What answered is no S3 store: 404, text/html, served by nginx/1.25.3.");
    let last = probe.steps.last().unwrap();
    let words = Some("text/html, served by nginx/1.25.3");
    assert_eq!(
        (last.step, last.http, last.code.as_deref(), last.message.as_deref()),
        ("get_byte", Some(404), None, words)
    );
    assert!(!probe.is_definite);
}

#[tokio::test]
async fn a_stores_own_words_are_shown() {
    let body = error!("AccountDisabled", "Your account is on hold&#x1b;[2J");
    let (seat, _server) = told(move |request| script(request, "403 Forbidden", XML, body)).await;
    let probe = seat.probe(STRANGER).await;
    let words = "The store answers 403 AccountDisabled, \"Your account is on hold\\u{1b}[2J\".";
    assert_eq!((probe.explanation.as_str(), probe.is_definite), (words, true));
    let last = probe.steps.last().unwrap();
    assert_eq!(last.message.as_deref(), Some("Your account is on hold\\u{1b}[2J"));
    assert_eq!(last.words_of_the_answer(), "AccountDisabled: Your account is on hold\\u{1b}[2J");
}

/// An object as stores show it, in time for any deadline.
fn object() -> Script {
    let first = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nLast-Modified: Mon, 01 Sep 2025 12:00:00 GMT\r\n\r\n";
    Script::new(first, Then::Next)
}

/// How many of the first requests go wrong, in which way, before the object is shown.
async fn after(count: usize, wrong: Script) -> (Probe, usize) {
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let (seat, _server) = told(move |_| {
        let mut asked = counted.lock().unwrap();
        *asked += 1;
        if *asked <= count { wrong.clone() } else { object() }
    })
    .await;
    let probe = seat.probe(STRANGER).await;
    let asked = *asked.lock().unwrap();
    (probe, asked)
}

#[tokio::test]
async fn lost_connections_and_failures_are_asked_again_as_validators_do() {
    let fails = |status: &str| Script::answer(status, "", "");
    for wrong in [
        Script::new("", Then::Close),
        fails("500 Internal Server Error"),
        fails("502 Bad Gateway"),
        fails("503 Slow Down"),
        fails("504 Gateway Timeout"),
    ] {
        for count in [1, 2] {
            let (probe, asked) = after(count, wrong.clone()).await;
            assert_eq!((probe.verdict, asked), (Verdict::Ok, count + 1), "{probe:#?}");
            assert_eq!(probe.steps.len(), 1, "one step, however often it was tried");
        }
    }
}

#[tokio::test]
async fn the_third_try_is_the_last_one() {
    let nobody_s = (Script::answer("503 Slow Down", "", ""), Verdict::NotS3);
    for (wrong, verdict) in [(Script::new("", Then::Close), Verdict::ProviderError), nobody_s] {
        let (probe, asked) = after(3, wrong.clone()).await;
        assert_eq!((probe.verdict, asked), (Verdict::Ok, 4), "the other name is asked for next: {probe:#?}");
        let (probe, asked) = after(9, wrong).await;
        assert_eq!((probe.verdict, probe.is_definite), (verdict, false), "{asked}: {probe:#?}");
    }
}

#[tokio::test]
async fn what_a_validator_takes_for_an_answer_is_not_asked_again() {
    for status in ["404 Not Found", "403 Forbidden", "400 Bad Request", "429 Too Many Requests", "501 Not Implemented"]
    {
        let (probe, asked) = after(1, Script::answer(status, "", "")).await;
        assert_eq!((probe.verdict, asked), (Verdict::Ok, 2), "{status}: the other name is asked for next");
    }
}

#[tokio::test]
async fn all_tries_for_both_names_end_with_a_validators_time() {
    let server = Server::always(Script::answer("503 Slow Down", "", ""));
    let options = StoreOptions {
        total: Duration::from_millis(600),
        pauses: [Duration::from_mins(1); 2],
        ..StoreOptions::default()
    };
    let seat = Bench::new("healthy").await.at(Some(server.url())).options(options).seat().await;
    let began = std::time::Instant::now();
    seat.probe(STRANGER).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

fn region_of(request: &str) -> String {
    let signed = crate::storage_server::header(request, "authorization").unwrap();
    signed.split('/').nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn a_head_that_names_another_region_is_signed_anew_for_it() {
    let (seat, server) = told(|request| match region_of(request).as_str() {
        "eu-west-1" => object(),
        _ => Script::answer("400 Bad Request", "x-amz-bucket-region: eu-west-1\r\n", ""),
    })
    .await;
    assert_eq!(seat.probe(STRANGER).await.verdict, Verdict::Ok);
    let regions: Vec<_> = server.asked().iter().map(|request| region_of(request)).collect();
    assert_eq!(regions, ["auto", "eu-west-1"]);
}

#[tokio::test]
async fn a_head_that_is_refused_for_its_region_and_names_none_stays_refused() {
    let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
    for headers in ["", "x-amz-bucket-region: ../evil\r\n", "x-amz-bucket-region: auto\r\n"] {
        let (seat, server) = told(move |request| script(request, "400 Bad Request", headers, body)).await;
        let probe = seat.probe(STRANGER).await;
        assert_eq!((probe.verdict, probe.is_definite), (Verdict::WrongRegion, true), "{probe:#?}");
        assert!(server.asked().iter().all(|request| region_of(request) == "auto"), "{headers}");
    }
}

/// What is said of a bucket, a key or an object.
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

fn page() -> impl Strategy<Value = Reply> {
    let text = || prop::option::of("\\PC{0,20}".prop_map(Untrusted::from_text));
    (200u16..600, text(), text())
        .prop_map(|(http, content_type, server)| Reply::Unmarked(Page { http, content_type, server }))
}

fn local() -> impl Strategy<Value = Trouble> {
    let why = || "refused".to_owned();
    prop::sample::select(vec![
        Trouble::NotLookedUp { why: why() },
        Trouble::Dns { why: why() },
        Trouble::PrivateAddress { address: "198.19.3.4".to_owned() },
        Trouble::PrivateAddress { address: "10.0.0.1".to_owned() },
        Trouble::Tcp { why: why() },
        Trouble::Tls { why: "UnknownIssuer".into(), handshake_failure: false },
        Trouble::NoRootCertificates,
        Trouble::Slow { after_ms: 6_000 },
        Trouble::Closed { why: why() },
        Trouble::NotS3 { why: "SSH-2.0".into() },
        Trouble::TooLarge { cap: 1 },
    ])
}

fn judged(replies: Vec<Reply>) -> [grail_console::domain::probe::Judgement; 2] {
    let requests = [Request::HeadCompressed, Request::HeadPlain, Request::GetByte];
    let exchanges: Vec<_> =
        requests.into_iter().zip(replies).map(|(request, reply)| Exchange { request, reply, ms: 1 }).collect();
    [Provider::default(), Provider::Custom(S3Endpoint::parse("https://store.example").unwrap())].map(|provider| {
        judge(&Case {
            provider: &provider,
            uid: Some(20),
            own: false,
            window: Window::of(9_168_240),
            deadline: Some(Deadline { at_ms: 1_790_000_000_000, exact: true }),
            exchanges: &exchanges,
            clock_offset_ms: None,
        })
    })
}

proptest! {
    #[test]
    fn no_answer_without_a_stores_marks_says_anything_about_the_uid(pages in prop::collection::vec(page(), 1..4)) {
        for judgement in judged(pages) {
            prop_assert!(!OF_THE_UID.contains(&judgement.verdict), "{:?}", judgement);
            prop_assert!(judgement.blame.is_some_and(|blame| blame != Blame::Holder), "{:?}", judgement);
            prop_assert!(!judgement.is_definite && !judgement.fix.contains("holder"), "{:?}", judgement);
        }
    }

    #[test]
    fn no_local_fault_is_laid_on_the_holder(pages in prop::collection::vec(page(), 0..3), trouble in local()) {
        let replies = pages.into_iter().chain([Reply::Failed(trouble)]).collect();
        for judgement in judged(replies) {
            prop_assert!(!OF_THE_UID.contains(&judgement.verdict), "{:?}", judgement);
            prop_assert!(judgement.blame.is_some_and(|blame| blame != Blame::Holder), "{:?}", judgement);
            prop_assert!(!judgement.is_definite && !judgement.fix.contains("holder"), "{:?}", judgement);
        }
    }

    #[test]
    fn a_page_instead_of_an_object_is_no_object_found(http in 200u16..207, size in prop::option::of(0u64..9_000)) {
        let unmarked = || Reply::Unmarked(Page { http: 200, ..Page::default() });
        let get = Reply::Found(Found { http, size, last_modified_ms: None });
        for judgement in judged(vec![unmarked(), unmarked(), get]) {
            prop_assert_eq!(judgement.verdict, Verdict::NotS3);
        }
    }
}
