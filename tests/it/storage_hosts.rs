//! Which host and path a request goes to, who signs it, and what else it says (THREATS T2, T3, T10, T11, T12).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grail_console::domain::account::ShapeError;
use grail_console::domain::commitment::Parts;
use grail_console::domain::credentials::{BucketCredentials, ReadCredentials};
use grail_console::domain::probe::{Found, Reply, Request, Trouble};
use grail_console::domain::provider::{Jurisdiction, Provider};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::untrusted::Untrusted;
use grail_console::domain::window::{DocumentedName, Window};
use grail_console::storage::{Misfit, Part, Resolver, Store, StoreOptions, Target};
use proptest::prelude::*;
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use crate::storage_server::{
    BUCKET, KEY_ID, SECRET, Script, Server, canary, custom, header, header_names, hotkey, impatient, later, owner,
    parts, reader, target, window,
};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

fn r2() -> Provider {
    Provider::default()
}

/// A resolver that leads every name to these addresses, and the names it was asked for.
fn leading_to(addresses: &[&str]) -> (Resolver, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kept, addresses) = (Arc::clone(&asked), addresses.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>());
    let resolver = Resolver::new(move |host, port| {
        kept.lock().unwrap().push(format!("{host}:{port}"));
        let found: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        async move { Ok(found) }
    });
    (resolver, asked)
}

fn store(resolver: Resolver) -> Store {
    Store::new(StoreOptions { resolver, ..impatient() })
}

#[rstest]
#[case("")]
#[case("evil.com/")]
#[case("x@evil.com/aaaaaaaaaaaaaaaaaaaaa")]
#[case("127.0.0.1:9000/aaaaaaaaaaaaaaaaa")]
#[case("169.254.169.254/aaaaaaaaaaaaaaaa")]
#[case("evil.com#aaaaaaaaaaaaaaaaaaaaaaa")]
#[case("..")]
#[case("0123456789ABCDEF0123456789ABCDEF")]
#[case("0123456789abcdef0123456789abcde")]
#[case("0123456789abcdef0123456789abcdef0")]
#[case("\u{ff10}123456789abcdef0123456789abcde")]
#[case("0123456789abcdef0123456789abcde\n")]
#[case(" 123456789abcdef0123456789abcde ")]
#[case("0123456789abcdef.eu.r2.cloudflar")]
#[case("%30123456789abcdef0123456789abcd")]
fn what_is_no_account_id_never_becomes_a_host(#[case] locator: &str) {
    let refused = Target::published(&r2(), &parts(locator)).unwrap_err();
    assert!(matches!(refused, Misfit::AccountId(_)), "{refused:?}");
    assert!(refused.to_string().starts_with("the account id "), "{refused}");
}

#[rstest]
#[case("arn:aws:s3::1:accesspoint:m.mrap")]
#[case("foo--x-s3")]
#[case("foo--ol-s3")]
#[case("foo-s3alias")]
#[case("..")]
#[case("a.b")]
#[case("a/b")]
#[case("a?b")]
#[case("a%2fb")]
#[case("UPPER")]
#[case("xn--abc")]
#[case("-ab")]
#[case("ab")]
#[case("bücket")]
#[case("a b")]
fn what_is_no_plain_bucket_name_never_becomes_a_path(#[case] locator: &str) {
    let refused = Target::published(&custom("http://127.0.0.1:9"), &parts(locator)).unwrap_err();
    assert_eq!(refused, Misfit::Bucket(ShapeError::NotABucketName));
}

proptest! {
    #[test]
    fn an_accepted_account_id_gives_exactly_its_own_host(locator in "[0-9a-f]{32}|[0-9a-fA-F./:@#?%]{28,34}|.{0,40}") {
        if let Ok(target) = Target::published(&r2(), &parts(&locator)) {
            let url = target.endpoint();
            let host = format!("{locator}.r2.cloudflarestorage.com");
            prop_assert_eq!(url.as_str(), format!("https://{}/", host));
            prop_assert_eq!(url.host_str(), Some(host.as_str()));
            prop_assert_eq!((url.scheme(), url.port(), url.query()), ("https", None, None));
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.path() == "/");
            prop_assert_eq!(target.bucket(), &locator);
            prop_assert!(locator.len() == 32 && locator.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }

    #[test]
    fn an_accepted_bucket_name_is_one_segment_of_a_path(locator in "[a-z0-9-]{1,64}|[a-z./:%-]{1,40}|.{0,40}") {
        if let Ok(target) = Target::published(&custom("https://s3.example"), &parts(&locator)) {
            let url = target.endpoint().join(target.bucket()).unwrap();
            prop_assert_eq!(url.as_str(), format!("https://s3.example/{}", locator));
        }
    }
}

#[test]
fn a_key_or_secret_of_another_shape_is_named_and_never_repeated() {
    let with = |key_id: &str, secret: &str| {
        let parts = Parts { locator: ACCOUNT.into(), read_key_id: key_id.into(), read_secret: SecretKey::new(secret) };
        Target::published(&r2(), &parts).unwrap_err()
    };
    let short = with("AKIAIOSFODNN7EXAMPLE", SECRET);
    assert_eq!(short.to_string(), "the key id has 20 characters, R2's have 32");
    let swapped = with(SECRET, KEY_ID);
    assert_eq!(swapped.to_string(), "the key id has 64 characters, 32 at most");
    let secret = with(KEY_ID, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert_eq!(secret.to_string(), "the secret has 40 characters, R2's have 64");
    assert!(!format!("{secret:?}{secret}{short:?}{swapped:?}").contains("wJal"));
    let bytes = Parts { locator: Untrusted::from_bytes([0xff; 32]), ..parts(ACCOUNT) };
    assert_eq!(Target::published(&r2(), &bytes).unwrap_err(), Misfit::AccountId(ShapeError::NotLowerHex));
}

fn own(write: bool) -> BucketCredentials {
    let id = |text: &str| r2().key_id(text).unwrap();
    let read = ReadCredentials { locator: ACCOUNT.to_owned(), key_id: id(KEY_ID), secret: SecretKey::new(SECRET) };
    let pair = (id("fedcba9876543210fedcba9876543210"), SecretKey::new("9".repeat(64)));
    BucketCredentials { read, write: write.then_some(pair) }
}

#[test]
fn only_the_own_bucket_is_looked_for_in_another_jurisdiction() {
    let eu = Provider::R2(Jurisdiction::Eu);
    let host = |target: Target| target.endpoint().host_str().unwrap().to_owned();
    assert_eq!(host(Target::own_read(&eu, &own(true)).unwrap()), format!("{ACCOUNT}.eu.r2.cloudflarestorage.com"));
    let write = Target::own_write(&eu, &own(true)).unwrap().unwrap();
    assert_eq!(host(write), format!("{ACCOUNT}.eu.r2.cloudflarestorage.com"));
    assert!(Target::own_write(&eu, &own(false)).unwrap().is_none());
    assert_eq!(host(Target::published(&eu, &parts(ACCOUNT)).unwrap()), format!("{ACCOUNT}.r2.cloudflarestorage.com"));
}

#[test]
fn accounts_are_told_apart_by_host_port_and_bucket() {
    let r2 = Target::published(&r2(), &parts(ACCOUNT)).unwrap();
    assert_eq!(r2.account_tag(), format!("{ACCOUNT}.r2.cloudflarestorage.com/{ACCOUNT}"));
    assert_eq!(target("http://127.0.0.1:9000").account_tag(), "127.0.0.1:9000/a-bucket");
}

#[rstest]
#[case("127.0.0.1")]
#[case("10.1.2.3")]
#[case("100.64.0.1")]
#[case("169.254.169.254")]
#[case("0.0.0.0")]
#[case("224.0.0.1")]
#[case("::1")]
#[case("::ffff:127.0.0.1")]
#[case("fe80::1")]
#[case("fd00::1")]
#[tokio::test]
async fn an_r2_host_that_leads_into_a_private_network_is_not_dialled(#[case] address: &str) {
    let (resolver, asked) = leading_to(&[address]);
    let target = Target::published(&r2(), &parts(ACCOUNT)).unwrap();
    let answer = store(resolver).reader(target).head(Request::HeadPlain, &window(), later()).await;
    let address = address.to_owned();
    assert_eq!(answer.exchange.reply, Reply::Failed(Trouble::PrivateAddress { address }));
    assert_eq!(*asked.lock().unwrap(), [format!("{ACCOUNT}.r2.cloudflarestorage.com:443")]);
}

#[tokio::test]
async fn a_plaintext_endpoint_is_dialled_on_this_machine_alone_whatever_its_name_resolves_to() {
    let server = Server::always(Script::answer("200 OK", "", ""));
    let url = format!("http://localhost:{}", server.port);
    let (elsewhere, _) = leading_to(&["192.0.2.1", "10.0.0.1"]);
    let answer = store(elsewhere).reader(target(&url)).head(Request::HeadPlain, &window(), later()).await;
    let Reply::Failed(Trouble::Dns { why }) = answer.exchange.reply else { panic!("{answer:?}") };
    assert!(why.contains("192.0.2.1"), "{why}");
    let (both, _) = leading_to(&["192.0.2.1", "127.0.0.1"]);
    let answer = store(both).reader(target(&url)).head(Request::HeadPlain, &window(), later()).await;
    assert_eq!(answer.exchange.reply.http(), Some(200));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_goes_to_the_bucket_by_path_and_carries_nothing_but_a_signature() {
    let server = Server::always(Script::answer("200 OK", "", ""));
    let answer = reader(&server.url()).head(Request::HeadPlain, &window(), later()).await;
    assert_eq!(answer.exchange.reply.http(), Some(200), "{answer:?}");
    let request = server.request();
    let path = format!("/{BUCKET}/grail/windows/{}-window-300.parquet", hotkey());
    assert_eq!(request.lines().next().unwrap(), format!("HEAD {path} HTTP/1.1"));
    assert_eq!(header(&request, "host").unwrap(), format!("127.0.0.1:{}", server.port));
    assert_eq!(header_names(&request), ["authorization", "host", "user-agent", "x-amz-content-sha256", "x-amz-date"]);
    assert_eq!(header(&request, "user-agent").unwrap(), concat!("grail-console/", env!("CARGO_PKG_VERSION")));
    let signed = header(&request, "authorization").unwrap();
    let day = &header(&request, "x-amz-date").unwrap()[..8];
    let scope = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/{day}/auto/s3/aws4_request, ");
    assert!(signed.starts_with(&scope), "{signed}");
    assert!(signed.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="), "{signed}");
    assert_eq!(signed.rsplit_once('=').unwrap().1.len(), 64);
    assert!(!request.contains(SECRET));
}

#[tokio::test]
async fn a_reader_only_sends_head_and_get_of_documented_names() {
    let server = Server::always(Script::answer("404 Not Found", "", ""));
    let reader = reader(&server.url());
    let names = [
        DocumentedName::WindowCompressed(hotkey(), Window::of(300)),
        window(),
        DocumentedName::TrustList(Window::of(300)),
        DocumentedName::Ready(Window::of(300), Window::of(330)),
    ];
    for name in &names {
        reader.head(Request::HeadPlain, name, later()).await;
        reader.get(Request::GetByte, name, Part::First(1), later()).await;
        reader.get(Request::GetEnd, name, Part::Last(8), later()).await;
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 12);
    for (index, request) in asked.iter().enumerate() {
        let line = request.lines().next().unwrap().to_owned();
        let path = format!("/{BUCKET}/{}", names[index / 3]);
        let (verb, range) = [("HEAD", None), ("GET", Some("bytes=0-0")), ("GET", Some("bytes=-8"))][index % 3];
        assert!(line.starts_with(&format!("{verb} {path}")), "{line}");
        assert_eq!(header(request, "range").as_deref(), range, "{line}");
    }
}

#[tokio::test]
async fn a_listing_stays_beneath_grail_and_is_as_long_as_was_asked() {
    let key = |n: u32| format!("<Contents><Key>grail/x{n}&#x1b;[2J</Key></Contents>");
    let keys = (0..5).map(key).collect::<Vec<_>>().concat();
    let body = format!("<ListBucketResult><IsTruncated>true</IsTruncated>{keys}</ListBucketResult>");
    let server = Server::always(Script::answer("200 OK", "", &body));
    let (answer, names) = reader(&server.url()).list_grail("../windows/&x", 3, later()).await;
    assert_eq!(answer.exchange.request, Request::List);
    assert_eq!(answer.exchange.reply, Reply::Found(Found { http: 200, ..Found::default() }));
    assert_eq!(names.len(), 3);
    assert_eq!(names[0].shown(), "grail/x0\\u{1b}[2J");
    let line = server.request().lines().next().unwrap().to_owned();
    assert_eq!(line, format!("GET /{BUCKET}/?list-type=2&max-keys=3&prefix=grail%2F..%2Fwindows%2F%26x HTTP/1.1"));
}

#[tokio::test]
async fn a_canary_is_written_with_its_own_digest_signed_and_without_trailers() {
    let server = Server::always(Script::answer("200 OK", "", ""));
    let answer = owner(&server.url()).put(Request::PutCanary, &canary(), b"sings", later()).await;
    assert_eq!(answer.exchange.reply, Reply::Found(Found { http: 200, ..Found::default() }));
    let request = server.request();
    assert!(request.starts_with(&format!("PUT /{BUCKET}/grail-console/self-test/{}.canary", hotkey())), "{request}");
    assert!(request.ends_with("\r\n\r\nsings"), "{request}");
    assert_eq!(header(&request, "x-amz-content-sha256").unwrap(), hex::encode(Sha256::digest(b"sings")));
    assert_eq!(
        header_names(&request),
        ["authorization", "content-length", "content-type", "host", "user-agent", "x-amz-content-sha256", "x-amz-date"]
    );
    let signed = header(&request, "authorization").unwrap();
    assert!(
        signed.contains("SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date,"),
        "{signed}"
    );
}

#[tokio::test]
async fn the_own_bucket_is_asked_with_the_verb_of_each_step() {
    let buckets = "<ListAllMyBucketsResult><Buckets><Bucket><Name>a</Name></Bucket><Bucket><Name>b</Name></Bucket>\
                   </Buckets></ListAllMyBucketsResult>";
    let server = Server::start(move |request| match request {
        listing if listing.starts_with("GET /?") => Script::answer("200 OK", "", buckets),
        get if get.starts_with("GET") => Script::answer("200 OK", "", "sings"),
        post if post.contains("uploadId") => {
            Script::answer("404 Not Found", "", "<Error><Code>NoSuchUpload</Code></Error>")
        }
        _ => Script::new("HTTP/1.1 204 No Content\r\n\r\n", crate::storage_server::Then::Next),
    });
    let owner = owner(&server.url());
    let got = owner.get(Request::GetCanaryLocal, &canary(), later()).await;
    assert_eq!(got.bytes, b"sings");
    let deleted = owner.delete(Request::DeleteCanary, &canary(), later()).await;
    assert_eq!(deleted.exchange.reply.http(), Some(204));
    let aborted = owner.abort_upload(Request::AbortUpload, &canary(), later()).await;
    assert_eq!(aborted.exchange.reply.raw_code(), Some("NoSuchUpload"));
    let (listed, count) = owner.list_buckets(Request::ListBuckets, later()).await;
    assert_eq!((listed.exchange.reply.http(), count), (Some(200), 2));
    let lines: Vec<_> = server.asked().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    let key = format!("/{BUCKET}/grail-console/self-test/{}.canary", hotkey());
    assert!(lines[0].starts_with(&format!("GET {key}?")), "{lines:?}");
    assert!(lines[1].starts_with(&format!("DELETE {key}?x-id=DeleteObject ")), "{lines:?}");
    assert!(lines[2].starts_with(&format!("DELETE {key}?")) && lines[2].contains("uploadId="), "{lines:?}");
    assert!(lines[3].starts_with("GET /?"), "{lines:?}");
    assert_eq!(server.connections(), 1, "connections are kept between requests");
}

#[tokio::test]
async fn nothing_that_is_shown_for_debugging_holds_the_secret() {
    let server = Server::always(Script::answer("200 OK", "", SECRET));
    let store = Store::new(impatient());
    let target = target(&server.url());
    let (reader, owner) = (store.reader(target.clone()), store.owner(target.clone()));
    let answer = owner.get(Request::GetCanaryLocal, &canary(), later()).await;
    let shown = format!("{target:?} {store:?} {reader:?} {owner:?} {answer:?} {target:#?} {store:#?} {reader:#?}");
    assert!(!shown.contains(&SECRET[..12]), "{shown}");
    assert!(!shown.contains(&KEY_ID[..12]), "{shown}");
    assert!(shown.contains("a-bucket") && shown.contains("0123…cdef"), "{shown}");
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_never_sent() {
    let server = Server::always(Script::answer("200 OK", "", ""));
    let past = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(2)).await;
    let answer = reader(&server.url()).head(Request::HeadPlain, &window(), past).await;
    assert_eq!(answer.exchange.reply, Reply::Failed(Trouble::Slow { after_ms: 0 }));
    assert_eq!(server.connections(), 0);
}
