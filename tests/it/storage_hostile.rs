//! Stores that mean harm: whatever they send, the answer comes in bounded time and after a bounded number of bytes
//! (THREATS T1, T9).

use std::time::{Duration, Instant};

use grail_console::domain::probe::{Found, Page, Reply, Request, Trouble};
use grail_console::storage::{Answer, Part, Store, StoreOptions};
use proptest::prelude::*;
use rstest::rstest;

use crate::storage_server::{Script, Server, Then, canary, impatient, later, owner, reader, target, window};

/// The cap of an answer's body.
const CAP: u64 = 64 << 10;
/// What a server may get rid of into the buffers of both kernels before it is stopped.
const BUFFERED: usize = 4 << 20;

async fn get(server: &Server, part: Part) -> Answer {
    reader(&server.url()).get(Request::GetStart, &window(), part, later()).await
}

async fn head(server: &Server) -> Answer {
    reader(&server.url()).head(Request::HeadPlain, &window(), later()).await
}

/// Runs a request that has to end soon, and the server with it.
async fn bounded<T>(server: &Server, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let sent = server.sent();
    assert!(sent < BUFFERED, "the server got rid of {sent} bytes");
    done
}

#[rstest]
#[case("HTTP/1.1 200 OK\r\n\r\n")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")]
#[case("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-15/99999999999\r\n\r\n")]
#[tokio::test]
async fn of_an_endless_body_the_part_is_read_and_no_more(#[case] start: &str) {
    let server = Server::always(Script::new(start, Then::Forever(vec![b'x'; 4096])));
    let answer = bounded(&server, get(&server, Part::First(16))).await;
    assert!(matches!(answer.exchange.reply, Reply::Found(_)), "{answer:?}");
    assert_eq!(answer.bytes, [b'x'; 16]);
}

#[tokio::test]
async fn an_endless_error_is_given_up_at_the_cap() {
    let server = Server::always(Script::new("HTTP/1.1 403 Forbidden\r\n\r\n<Error>", Then::Forever(vec![b'x'; 4096])));
    let answer = bounded(&server, get(&server, Part::First(16))).await;
    assert_eq!(answer.exchange.reply, Reply::Failed(Trouble::TooLarge { cap: CAP }));
}

#[tokio::test]
async fn an_error_of_ten_mebibytes_is_given_up_at_the_cap() {
    let body = format!("<Error><Message>{}</Message></Error>", "x".repeat(10 << 20));
    let server = Server::always(Script::answer("403 Forbidden", "", &body));
    let answer = bounded(&server, get(&server, Part::First(16))).await;
    assert_eq!(answer.exchange.reply, Reply::Failed(Trouble::TooLarge { cap: CAP }));
}

#[tokio::test]
async fn an_endless_listing_is_given_up_at_the_cap() {
    let first = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>";
    let more = b"<Contents><Key>grail/x</Key></Contents>".repeat(100);
    let server = Server::always(Script::new(first, Then::Forever(more)));
    let (answer, names) = bounded(&server, reader(&server.url()).list_grail("", 1_000, later())).await;
    assert_eq!(answer.exchange.reply, Reply::Failed(Trouble::TooLarge { cap: CAP }));
    assert!(names.is_empty());
}

#[rstest]
#[case(b"X-Amz-Meta-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec())]
#[case(vec![b'a'; 4096])]
#[case(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())]
#[tokio::test]
async fn endless_headers_are_given_up(#[case] more: Vec<u8>) {
    let interim = more.starts_with(b"HTTP");
    let first = if interim { "" } else { "HTTP/1.1 200 OK\r\n" };
    let server = Server::always(Script::new(first, Then::Forever(more)));
    let began = Instant::now();
    let answer = head(&server).await;
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(matches!(answer.exchange.reply, Reply::Failed(_)), "{answer:?}");
    if !interim {
        assert!(matches!(answer.exchange.reply, Reply::Failed(Trouble::TooLarge { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_ends_before_its_length_is_a_closed_connection() {
    let first = "HTTP/1.1 206 Partial Content\r\nContent-Length: 16\r\n\r\nxxxx";
    let server = Server::always(Script::new(first, Then::Close));
    let answer = bounded(&server, get(&server, Part::First(16))).await;
    assert!(matches!(answer.exchange.reply, Reply::Failed(Trouble::Closed { .. })), "{answer:?}");
    assert!(answer.bytes.is_empty());
}

#[tokio::test]
async fn what_comes_after_a_bodys_length_is_nobodys_answer() {
    let first = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\n\
                 xxxxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let server = Server::always(Script::new(first, Then::Next));
    let reader = reader(&server.url());
    for _ in 0..2 {
        let answer = reader.get(Request::GetStart, &window(), Part::First(16), later()).await;
        let found = Found { http: 206, size: Some(9), last_modified_ms: None };
        assert_eq!(answer.exchange.reply, Reply::Found(found));
        assert_eq!(answer.bytes, b"xxxx");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn of_a_store_that_ignores_ranges_the_start_is_read_and_never_taken_for_the_end() {
    let headers = "Last-Modified: Mon, 01 Sep 2025 12:00:00 GMT\r\n";
    let server = Server::always(Script::answer("200 OK", headers, &"x".repeat(2 << 20)));
    let found = Found { http: 200, size: Some(2 << 20), last_modified_ms: Some(1_756_728_000_000) };
    let first = bounded(&server, get(&server, Part::First(8))).await;
    assert_eq!((first.exchange.reply, first.bytes.as_slice()), (Reply::Found(found), &b"xxxxxxxx"[..]));
    let last = bounded(&server, get(&server, Part::Last(8))).await;
    assert_eq!((last.exchange.reply, last.bytes.as_slice()), (Reply::Found(found), &b""[..]));
    let all = bounded(&server, get(&server, Part::First(u32::MAX))).await;
    assert_eq!(all.bytes.len() as u64, CAP);
}

#[tokio::test]
async fn an_object_no_larger_than_the_part_is_its_own_end() {
    let server = Server::always(Script::answer("200 OK", "", "PAR1"));
    assert_eq!(get(&server, Part::Last(8)).await.bytes, b"PAR1");
    assert_eq!(get(&server, Part::First(0)).await.bytes, b"P");
}

#[rstest]
#[case("HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\n\r\n")]
#[case("")]
#[tokio::test]
async fn a_store_that_drips_is_slow_and_not_waited_for(#[case] first: &str) {
    let server =
        Server::always(Script::new(first, Then::Drip(b"HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaa".to_vec())));
    let answer = bounded(&server, get(&server, Part::First(1_000))).await;
    let Reply::Failed(Trouble::Slow { after_ms }) = answer.exchange.reply else { panic!("{answer:?}") };
    assert!((800..5_000).contains(&after_ms), "{after_ms}");
}

#[tokio::test]
async fn the_deadline_of_the_whole_holds_before_that_of_the_request() {
    let server = Server::always(Script::new("", Then::Silence));
    let by = tokio::time::Instant::now() + Duration::from_millis(150);
    let store = Store::new(StoreOptions::default());
    let answer = store.reader(target(&server.url())).head(Request::HeadPlain, &window(), by).await;
    let Reply::Failed(Trouble::Slow { after_ms }) = answer.exchange.reply else { panic!("{answer:?}") };
    assert!((100..3_000).contains(&after_ms), "{after_ms}");
}

#[rstest]
#[case("301 Moved Permanently")]
#[case("302 Found")]
#[case("307 Temporary Redirect")]
#[case("308 Permanent Redirect")]
#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_direction(#[case] status: &'static str) {
    let elsewhere = Server::always(Script::answer("200 OK", "", ""));
    let headers = format!("Location: {}/x\r\nx-amz-bucket-region: evil-1\r\n", elsewhere.url());
    let body =
        format!("<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1:{}</Endpoint></Error>", elsewhere.port);
    let server = Server::start(move |request| {
        let body = if request.starts_with("HEAD") { "" } else { &body };
        Script::answer(status, &headers, body)
    });
    let (seen, got) = (head(&server).await, get(&server, Part::First(1)).await);
    assert!(matches!(seen.exchange.reply, Reply::Refused { http: 300..=399, code: None, .. }), "{seen:?}");
    assert_eq!(got.exchange.reply.raw_code(), Some("PermanentRedirect"));
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(server.asked().len(), 2, "a redirected request is not repeated");
}

#[rstest]
#[case("500 Internal Server Error")]
#[case("503 Slow Down")]
#[case("429 Too Many Requests")]
#[tokio::test]
async fn a_refused_request_is_not_repeated(#[case] status: &'static str) {
    let server = Server::always(Script::answer(status, "Retry-After: 0\r\n", "<Error><Code>SlowDown</Code></Error>"));
    let answer = get(&server, Part::First(1)).await;
    assert_eq!(answer.exchange.reply.raw_code(), Some("SlowDown"));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_is_compressed_stays_compressed() {
    let squeezed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for encoding in ["gzip", "zstd", "br", "aws-chunked"] {
        let mut first =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 10\r\n\r\n").into_bytes();
        first.extend(squeezed);
        let server = Server::always(Script::new(first, Then::Next));
        assert_eq!(get(&server, Part::First(100)).await.bytes, squeezed);
        assert!(!server.request().to_lowercase().contains("accept-encoding"));
    }
}

#[rstest]
#[case("\0\0\0 garbage \x1b[2J\r\n\r\n")]
#[case("SSH-2.0-OpenSSH_9.9\r\n")]
#[case("HTTP/1.1 abc What\r\n\r\n")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello")]
#[case("HTTP/1.1 206 Partial Content\r\nContent-Length: 1 0\r\n\r\nhellohello")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\nhello")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello")]
#[tokio::test]
async fn garbage_is_no_answer_of_a_store(#[case] first: &'static str) {
    let server = Server::always(Script::new(first, Then::Close));
    let answer = bounded(&server, get(&server, Part::First(1))).await;
    assert!(matches!(answer.exchange.reply, Reply::Failed(Trouble::NotS3 { .. })), "{answer:?}");
}

/// The answer to a HEAD has no body, and so nobody else looks at its length.
#[rstest]
#[case("Content-Length: -5\r\n")]
#[case("Content-Length: +5\r\n")]
#[case("Content-Length: 1 0\r\n")]
#[case("Content-Length: 5, 7\r\n")]
#[case("Content-Length: \r\n")]
#[case("Content-Length: 5\r\nContent-Length: 7\r\n")]
#[case("Content-Length: 5\r\nContent-Length: +5\r\n")]
#[case("Content-Length: 99999999999999999999999\r\n")]
#[tokio::test]
async fn a_length_that_is_no_number_or_two_is_no_answer_of_a_store(#[case] headers: &'static str) {
    for status in ["200 OK", "404 Not Found"] {
        let server = Server::start(move |_| Script::new(format!("HTTP/1.1 {status}\r\n{headers}\r\n"), Then::Close));
        let reply = head(&server).await.exchange.reply;
        assert!(matches!(reply, Reply::Failed(Trouble::NotS3 { .. })), "{status} {headers:?}: {reply:?}");
    }
}

#[rstest]
#[case("", None)]
#[case("Content-Length: 7\r\n", Some(7))]
#[case("Content-Length: 7 \r\ncontent-length:7\r\n", Some(7))]
#[tokio::test]
async fn a_length_is_told_once_or_twice_the_same_or_not_at_all(
    #[case] headers: &'static str,
    #[case] size: Option<u64>,
) {
    let server = Server::start(move |_| {
        Script::new(format!("HTTP/1.1 200 OK\r\nx-amz-request-id: 1\r\n{headers}\r\n"), Then::Close)
    });
    assert_eq!(head(&server).await.exchange.reply, Reply::Found(Found { http: 200, size, ..Found::default() }));
}

#[tokio::test]
async fn a_size_in_a_range_that_is_no_number_is_none() {
    let answer = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/+9\r\nContent-Length: 4\r\n\r\nxxxx";
    let server = Server::always(Script::new(answer, Then::Next));
    let reply = get(&server, Part::First(4)).await.exchange.reply;
    assert_eq!(reply, Reply::Found(Found { http: 206, ..Found::default() }));
}

#[tokio::test]
async fn a_connection_that_ends_at_once_is_closed() {
    let server = Server::always(Script::new("", Then::Close));
    let answer = bounded(&server, head(&server)).await;
    assert!(matches!(answer.exchange.reply, Reply::Failed(Trouble::Closed { .. })), "{answer:?}");
}

/// One lol is 3 bytes, nine levels of ten are 3 GB.
fn billion_laughs() -> String {
    let level = |n: u32| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    let levels = (1..10).map(level).collect::<Vec<_>>().concat();
    format!("<?xml version=\"1.0\"?><!DOCTYPE e [<!ENTITY l0 \"lol\">{levels}]><Error><Code>&l9;</Code></Error>")
}

#[rstest]
#[case(billion_laughs())]
#[case("<!DOCTYPE e [<!ENTITY x SYSTEM \"file:///etc/hostname\">]><Error><Code>&x;</Code></Error>".to_owned())]
#[case(format!("{}<Error/>", "<a>".repeat(20_000)))]
#[case("<html>blocked by somebody</html>".to_owned())]
#[case("\0\u{fffd}".to_owned())]
#[tokio::test]
async fn an_error_that_is_no_plain_xml_shows_no_mark_of_a_store(#[case] body: String) {
    let server = Server::always(Script::answer("403 Forbidden", "", &body));
    let answer = bounded(&server, get(&server, Part::First(1))).await;
    assert_eq!(answer.exchange.reply, Reply::Unmarked(Page { http: 403, ..Page::default() }));
}

#[tokio::test]
async fn an_answer_that_is_no_listing_is_not_taken_for_an_empty_one() {
    for body in [billion_laughs(), "<html></html>".to_owned(), "rubbish".to_owned()] {
        let server = Server::always(Script::answer("200 OK", "", &body));
        let (listed, _) = reader(&server.url()).list_grail("", 10, later()).await;
        assert!(matches!(listed.exchange.reply, Reply::Failed(Trouble::NotS3 { .. })), "{listed:?}");
        let (buckets, count) = owner(&server.url()).list_buckets(Request::ListBuckets, later()).await;
        assert!(matches!(buckets.exchange.reply, Reply::Failed(Trouble::NotS3 { .. })), "{buckets:?}");
        assert_eq!(count, 0);
    }
}

#[tokio::test]
async fn a_404_without_a_body_has_no_code_that_the_store_did_not_send() {
    let server = Server::always(Script::answer("404 Not Found", "", ""));
    let none = Reply::Unmarked(Page { http: 404, ..Page::default() });
    assert_eq!(head(&server).await.exchange.reply, none);
    assert_eq!(get(&server, Part::First(1)).await.exchange.reply, none);
}

#[tokio::test]
async fn control_characters_in_code_and_message_stay_untrusted() {
    let body = "<Error><Code>No&#27;]52;c;ZXZpbA==&#7;Such\u{202e}Key</Code><Message>&#x9b;31m\u{200b}hi\u{7f}</Message></Error>";
    let server = Server::always(Script::answer("404 Not Found", "", body));
    let reply = get(&server, Part::First(1)).await.exchange.reply;
    let Reply::Refused { http: 404, code: Some(code), message: Some(message) } = &reply else { panic!("{reply:?}") };
    assert!(code.as_text().unwrap().contains('\u{1b}'));
    for shown in [code.shown(), message.shown(), reply.code().unwrap(), format!("{reply:?}")] {
        assert!(!shown.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}')), "{shown:?}");
    }
    assert_eq!(code.shown(), "No\\u{1b}]52;c;ZXZpbA==\\u{7}Such\\u{202e}Key");
}

#[rstest]
#[case("ETag: \"\x1b[2J\u{202e}\"\r\n")]
#[case("ETag: \"\u{9b}\"\r\n")]
#[case("Expires: never\r\nx-amz-missing-meta: NaN\r\nx-amz-object-lock-retain-until-date: \u{2764}\r\n")]
#[case("x-amz-meta-a\x1bb: c\r\n")]
#[case("Content-Type: \x07\r\nx-amz-tagging-count: -1\r\nx-amz-delete-marker: maybe\r\n")]
#[tokio::test]
async fn odd_headers_do_not_hide_an_object(#[case] odd: &'static str) {
    let headers = format!("Last-Modified: Mon, 01 Sep 2025 12:00:00 GMT\r\n{odd}");
    let server = Server::start(move |_| {
        Script::new(format!("HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n{headers}\r\n"), Then::Next)
    });
    let found = Found { http: 200, size: Some(4096), last_modified_ms: Some(1_756_728_000_000) };
    assert_eq!(head(&server).await.exchange.reply, Reply::Found(found));
}

#[rstest]
#[case("never", None)]
#[case("Mon, 01 Sep 99999999999999999 12:00:00 GMT", None)]
#[case("Thu, 01 Jan 1960 00:00:00 GMT", None)]
#[case("Thu, 01 Jan 1970 00:00:01 GMT", Some(1_000))]
#[tokio::test]
async fn a_time_that_is_none_is_left_out(#[case] text: &'static str, #[case] at: Option<u64>) {
    let server = Server::always(Script::answer(
        "200 OK",
        &format!("x-amz-request-id: 1\r\nLast-Modified: {text}\r\nDate: {text}\r\n"),
        "",
    ));
    let answer = head(&server).await;
    let Reply::Found(found) = answer.exchange.reply else { panic!("{answer:?}") };
    assert_eq!(found.last_modified_ms, at);
    assert_eq!(found.size, Some(0));
}

#[tokio::test]
async fn the_servers_clock_is_compared_with_ours() {
    let http_date = |ahead_s: u64| {
        let at = std::time::SystemTime::now() + Duration::from_secs(ahead_s);
        let at = aws_smithy_types::DateTime::from(at);
        format!("Date: {}\r\n", at.fmt(aws_smithy_types::date_time::Format::HttpDate).unwrap())
    };
    let ahead = Server::always(Script::answer("403 Forbidden", &http_date(3_600), ""));
    let offset = head(&ahead).await.clock_offset_ms.unwrap();
    assert!((3_590_000..=3_601_000).contains(&offset), "{offset}");
    let silent = Server::always(Script::answer("403 Forbidden", "", ""));
    assert_eq!(head(&silent).await.clock_offset_ms, None);
}

#[tokio::test]
async fn a_canary_that_grew_is_read_up_to_the_cap() {
    let server = Server::always(Script::new("HTTP/1.1 200 OK\r\n\r\n", Then::Forever(vec![b'x'; 4096])));
    let answer = bounded(&server, owner(&server.url()).get(Request::GetCanaryLocal, &canary(), later())).await;
    assert_eq!(answer.bytes.len() as u64, CAP);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_server_says_there_is_a_reply(
        head in "(HTTP/1\\.1 [1-5][0-9]{2} .{0,8}\r\n)?([A-Za-z-]{1,12}: .{0,12}\r\n){0,3}(\r\n)?",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::always(Script::new([head.into_bytes(), body].concat(), Then::Close));
            let store = Store::new(StoreOptions { total: Duration::from_millis(200), ..impatient() });
            let answer = store.reader(target(&server.url())).get(Request::GetByte, &window(), Part::First(4), later()).await;
            assert!(answer.bytes.len() <= 4);
        });
    }
}
