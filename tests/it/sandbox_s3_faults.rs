//! Everything that can be wrong with a bucket is wrong over the socket, and ends when it is taken back.

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use grail_console::sandbox::{BlockTime, BucketFault, Dialect, Sandbox, SandboxOptions, Scenario, TRAINER_UID, hotkey};

use crate::support::pool::by_hand;
use crate::support::s3::{Silence, bucket, reader, received, refused, send, signed_get, writer};

/// A miner whose windows are not compressed.
const UID: u16 = 20;

async fn with(fault: BucketFault) -> Sandbox {
    let sandbox = by_hand("healthy").await;
    sandbox.s3().set_fault(UID, Some(fault));
    sandbox
}

fn newest(sandbox: &Sandbox) -> u32 {
    sandbox.best().number() / 30 * 30 - 30
}

fn window_object(sandbox: &Sandbox) -> String {
    format!("grail/windows/{}-window-{}.parquet", hotkey(UID), newest(sandbox))
}

async fn get(client: &Client, uid: u16, key: &str) -> (u16, String) {
    refused(client.get_object().bucket(bucket(uid)).key(key).send().await)
}

async fn abort(client: &Client) -> (u16, String) {
    let made_up = client.abort_multipart_upload().bucket(bucket(UID)).key("grail/x").upload_id("made-up");
    refused(made_up.send().await)
}

/// The answer to a signed `GET`, as text.
async fn raw(sandbox: &Sandbox, key: &str, headers: &str, most: usize) -> (String, Silence) {
    let request = signed_get(sandbox, UID, key).await;
    let mut socket = send(sandbox, &request, "GET", headers).await;
    let (bytes, silence) = received(&mut socket, most).await;
    (String::from_utf8_lossy(&bytes).into_owned(), silence)
}

#[tokio::test]
async fn every_refusal_has_its_status_and_code_and_ends_when_it_is_taken_back() {
    let sandbox = by_hand("healthy").await;
    let (key, read) = (window_object(&sandbox), reader(&sandbox, UID, 0));
    for (fault, in_r2, in_aws) in [
        (BucketFault::KeyUnknown, (401, "Unauthorized"), (403, "InvalidAccessKeyId")),
        (BucketFault::WrongSecret, (403, "SignatureDoesNotMatch"), (403, "SignatureDoesNotMatch")),
        (BucketFault::OtherBucket, (403, "AccessDenied"), (403, "AccessDenied")),
        (BucketFault::NoBucket, (404, "NoSuchBucket"), (404, "NoSuchBucket")),
        (BucketFault::NotEntitled, (403, "NotEntitled"), (403, "NotEntitled")),
        (BucketFault::NoObjects, (404, "NoSuchKey"), (404, "NoSuchKey")),
        (BucketFault::Throttled, (429, "TooManyRequests"), (429, "TooManyRequests")),
        (BucketFault::InternalError, (500, "InternalError"), (500, "InternalError")),
        (BucketFault::Unavailable, (503, "ServiceUnavailable"), (503, "SlowDown")),
        (BucketFault::ClockSkewed, (403, "RequestTimeTooSkewed"), (403, "RequestTimeTooSkewed")),
        (BucketFault::Expired, (400, "ExpiredRequest"), (400, "ExpiredRequest")),
        (BucketFault::InvalidArgument, (400, "InvalidArgument"), (400, "InvalidArgument")),
    ] {
        for (dialect, (status, code)) in [(Dialect::R2, in_r2), (Dialect::Aws, in_aws)] {
            sandbox.s3().set_dialect(dialect);
            sandbox.s3().set_fault(UID, Some(fault.clone()));
            assert_eq!(get(&read, UID, &key).await, (status, code.to_owned()), "{fault:?} {dialect:?}");
            sandbox.s3().set_fault(UID, None);
            read.head_object().bucket(bucket(UID)).key(&key).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_read_keys_leaves_the_write_key_alone() {
    let sandbox = by_hand("healthy").await;
    for fault in [BucketFault::KeyUnknown, BucketFault::WrongSecret, BucketFault::OtherBucket] {
        sandbox.s3().set_fault(UID, Some(fault));
        writer(&sandbox, UID).head_bucket().bucket(bucket(UID)).send().await.unwrap();
    }
}

#[tokio::test]
async fn throttling_says_when_to_come_back() {
    let (answer, _) = raw(&with(BucketFault::Throttled).await, "grail/x", "Connection: close\r\n", 10_000).await;
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
}

#[tokio::test]
async fn the_message_about_a_key_id_tells_its_length() {
    let (answer, _) = raw(&with(BucketFault::InvalidArgument).await, "grail/x", "Connection: close\r\n", 10_000).await;
    assert!(answer.contains("Credential access key has length 20, should be 32"), "{answer}");
}

#[tokio::test]
async fn scopes_can_be_too_wide() {
    let sandbox = by_hand("healthy").await;
    let read = reader(&sandbox, UID, 0);
    sandbox.s3().set_fault(UID, Some(BucketFault::AccountWide));
    let listed = read.list_buckets().send().await.unwrap();
    assert_eq!(
        listed.buckets().iter().map(|own| own.name().unwrap()).collect::<Vec<_>>(),
        [bucket(UID), "grail-backups".to_owned()]
    );
    sandbox.s3().set_fault(UID, Some(BucketFault::Writable));
    read.put_object().bucket(bucket(UID)).key("grail/x").send().await.unwrap();
    assert_eq!(sandbox.s3().stored(UID), ["grail/x"]);
    assert_eq!(refused(read.list_buckets().send().await), (403, "AccessDenied".to_owned()));
}

#[tokio::test]
async fn an_abort_of_a_made_up_upload_tells_whether_a_key_writes_unless_the_upload_is_looked_for_first() {
    let sandbox = by_hand("healthy").await;
    let (read, write) = (reader(&sandbox, UID, 0), writer(&sandbox, UID));
    let no_upload = (404, "NoSuchUpload".to_owned());
    assert_eq!(abort(&read).await, (403, "AccessDenied".to_owned()));
    assert_eq!(abort(&write).await, no_upload);
    sandbox.s3().set_fault(UID, Some(BucketFault::Writable));
    assert_eq!(abort(&read).await, no_upload);
    sandbox.s3().set_fault(UID, Some(BucketFault::UploadBeforeScope));
    assert_eq!((abort(&read).await, abort(&write).await), (no_upload.clone(), no_upload));
}

#[tokio::test]
async fn objects_can_be_late_too_small_too_large_doubled_and_broken() {
    let sandbox = by_hand("healthy").await;
    let (key, read) = (window_object(&sandbox), reader(&sandbox, UID, 0));
    let head = async |fault, key: &str| {
        sandbox.s3().set_fault(UID, Some(fault));
        read.head_object().bucket(bucket(UID)).key(key).send().await.unwrap()
    };
    let closed_ms = {
        let best = sandbox.best();
        best.timestamp_ms - u64::from(best.number() - newest(&sandbox) - 30) * 12_000
    };
    let late = head(BucketFault::Late, &key).await.last_modified().unwrap().secs();
    assert_eq!(u64::try_from(late).unwrap(), (closed_ms + 26_000) / 1000);
    assert_eq!(head(BucketFault::TooSmall, &key).await.content_length(), Some(150));
    assert_eq!(head(BucketFault::TooLarge, &key).await.content_length(), Some(350 * 1024 * 1024 + 1));
    let part = read.get_object().bucket(bucket(UID)).key(&key).range("bytes=-4").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().into_bytes(), "PAR1");
    head(BucketFault::BothObjects, &key).await;
    head(BucketFault::BothObjects, &format!("{key}.gz")).await;
    head(BucketFault::BrokenMagic, &key).await;
    let broken = read.get_object().bucket(bucket(UID)).key(&key).send().await.unwrap();
    let body = broken.body.collect().await.unwrap().into_bytes();
    assert!(!body.starts_with(b"PAR1") && !body.ends_with(b"PAR1"));
}

#[tokio::test]
async fn the_trainer_can_be_without_ready_checkpoints() {
    let sandbox = by_hand("healthy").await;
    sandbox.s3().set_fault(TRAINER_UID, Some(BucketFault::ReadyMissing));
    let read = reader(&sandbox, TRAINER_UID, 0);
    let listed = read.list_objects_v2().bucket(bucket(TRAINER_UID)).prefix("grail/checkpoints").send().await.unwrap();
    assert!(listed.contents().iter().all(|object| !object.key().unwrap().contains("READY")));
    assert!(!listed.contents().is_empty(), "the checkpoints themselves are there");
}

#[tokio::test]
async fn slow_answers_come_late_and_stalled_ones_never() {
    let sandbox = with(BucketFault::Slow { milliseconds: 300 }).await;
    let before = Instant::now();
    raw(&sandbox, "grail/x", "Connection: close\r\n", 10_000).await;
    assert!(before.elapsed() >= Duration::from_millis(300));
    sandbox.s3().set_fault(UID, Some(BucketFault::Stalled));
    assert_eq!(raw(&sandbox, "grail/x", "", 10_000).await, (String::new(), Silence::StillOpen));
    assert_eq!(sandbox.s3().requests().last().unwrap().status, None, "it came and was not answered");
}

#[tokio::test]
async fn connections_are_dropped_or_answered_with_what_is_no_http() {
    let sandbox = with(BucketFault::Drops).await;
    assert_eq!(raw(&sandbox, "grail/x", "", 10_000).await, (String::new(), Silence::Closed));
    sandbox.s3().set_fault(UID, Some(BucketFault::Garbage));
    let (answer, silence) = raw(&sandbox, "grail/x", "", 10_000).await;
    assert!(answer.contains("SSH-2.0") && !answer.contains("HTTP/1.1"), "{answer:?}");
    assert_eq!(silence, Silence::Closed);
}

#[tokio::test]
async fn bodies_never_end_lie_about_their_length_or_are_huge() {
    let sandbox = with(BucketFault::Endless).await;
    let key = window_object(&sandbox);
    for (key, status) in [(key.as_str(), "200"), ("grail/nothing", "404")] {
        let (answer, silence) = raw(&sandbox, key, "", 5_000_000).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}", &answer[..100]);
        assert_eq!(silence, Silence::None, "there is always more");
    }
    reader(&sandbox, UID, 0).head_object().bucket(bucket(UID)).key(&key).send().await.unwrap();
    sandbox.s3().set_fault(UID, Some(BucketFault::LyingLength));
    let (answer, silence) = raw(&sandbox, "grail/nothing", "", 5_000_000).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let told: usize = head.split_once("content-length: ").unwrap().1.lines().next().unwrap().parse().unwrap();
    assert_eq!((body.len() + 1, silence), (told / 2, Silence::StillOpen));
    sandbox.s3().set_fault(UID, Some(BucketFault::HugeError));
    let (answer, _) = raw(&sandbox, &key, "Connection: close\r\n", usize::MAX).await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.len() > 10 * 1024 * 1024);
}

#[tokio::test]
async fn ranges_are_ignored_and_requests_sent_elsewhere() {
    let sandbox = with(BucketFault::IgnoresRange).await;
    let key = window_object(&sandbox);
    let (answer, _) = raw(&sandbox, &key, "Range: bytes=0-0\r\nConnection: close\r\n", usize::MAX).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.len() > 2 * 1024 * 1024, "{}", &answer[..100]);
    sandbox.s3().set_fault(UID, Some(BucketFault::Redirect { to: "http://127.0.0.1:1/elsewhere".to_owned() }));
    let (answer, _) = raw(&sandbox, &key, "Connection: close\r\n", 10_000).await;
    assert!(
        answer.starts_with("HTTP/1.1 307") && answer.contains("location: http://127.0.0.1:1/elsewhere"),
        "{answer}"
    );
}

#[tokio::test]
async fn hostile_texts_are_sent_as_they_are() {
    let sandbox = with(BucketFault::EscapeCodes).await;
    let (answer, _) = raw(&sandbox, "grail/nothing", "Connection: close\r\n", 10_000).await;
    assert!(answer.contains("NoSuchKey&#x1b;]52;c;") && answer.contains('\u{202e}'), "{answer}");
    let code = get(&reader(&sandbox, UID, 0), UID, "grail/nothing").await.1;
    assert!(code.contains("\u{1b}]52;c;"), "a client reads the escape: {code:?}");
    let (answer, _) = raw(&sandbox, &window_object(&sandbox), "Connection: close\r\n", usize::MAX).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("etag: \"\u{9d}52;c;"), "{}", &answer[..300]);
    sandbox.s3().set_fault(UID, Some(BucketFault::EntityBomb));
    let (answer, _) = raw(&sandbox, "grail/nothing", "Connection: close\r\n", 10_000).await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("<!ENTITY j "), "{answer}");
}

#[tokio::test]
async fn a_wrong_clock_shows_in_the_date_and_refuses_signatures_beyond_15_minutes() {
    let sandbox = with(BucketFault::WrongClock { seconds: 7200 }).await;
    let (told, _) = raw(&sandbox, "grail/x", "Connection: close\r\n", 10_000).await;
    sandbox.s3().set_fault(UID, None);
    let (right, _) = raw(&sandbox, "grail/x", "Connection: close\r\n", 10_000).await;
    let hour = |answer: &str| -> u32 {
        let date = answer.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
        date.split(' ').nth(4).unwrap().split(':').next().unwrap().parse().unwrap()
    };
    assert!([2, 3].contains(&((24 + hour(&told) - hour(&right)) % 24)), "{told} {right}");
    for (skew, code) in
        [(890, "NoSuchKey"), (-890, "NoSuchKey"), (910, "RequestTimeTooSkewed"), (-910, "RequestTimeTooSkewed")]
    {
        sandbox.s3().set_clock_skew(skew);
        // The client corrects its own clock by the Date of the last answer: a new one each time.
        assert_eq!(get(&reader(&sandbox, UID, 0), UID, "grail/x").await.1, code, "{skew} s");
    }
}

#[tokio::test]
async fn a_scenario_has_faults_from_the_start_and_events_bring_others_until_it_recovers() {
    let text = "description = \"a test\"\n[s3]\ndialect = \"aws\"\n\
        [[bucket]]\nuid = 20\nwhy = \"a test\"\nfault = \"no_bucket\"\n\
        [[event]]\nafter_blocks = 1\ndo = \"bucket_fault\"\nuid = 20\nfault = { slow = { milliseconds = 1 } }\n\
        [[event]]\nafter_blocks = 1\ndo = \"bucket_fault\"\nuid = 22\nfault = \"key_unknown\"\n\
        [[event]]\nafter_blocks = 2\ndo = \"recover\"\n";
    let options = SandboxOptions::new(Scenario::parse("test", text).unwrap());
    let sandbox = Sandbox::start(SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..options }).await.unwrap();
    let codes = async || {
        let (one, other) = (reader(&sandbox, 20, 0), reader(&sandbox, 22, 0));
        (get(&one, 20, "grail/x").await.1, get(&other, 22, "grail/x").await.1)
    };
    let texts = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(codes().await, texts("NoSuchBucket", "NoSuchKey"));
    sandbox.produce_block().await.unwrap();
    assert_eq!(codes().await, texts("NoSuchKey", "InvalidAccessKeyId"));
    sandbox.produce_block().await.unwrap();
    assert_eq!(codes().await, texts("NoSuchBucket", "NoSuchKey"));
}

#[tokio::test]
async fn every_uid_of_r2_faults_shows_its_row_and_the_operator_is_healthy() {
    let sandbox = by_hand("r2-faults").await;
    let code = async |uid: u16| get(&reader(&sandbox, uid, 0), uid, "grail/nothing").await.1;
    for (uid, expected) in [
        (17, "Unauthorized"),
        (18, "SignatureDoesNotMatch"),
        (19, "AccessDenied"),
        (22, "NoSuchBucket"),
        (23, "NotEntitled"),
        (24, "NoSuchKey"),
        (29, "TooManyRequests"),
        (30, "InternalError"),
        (31, "ServiceUnavailable"),
        (32, "RequestTimeTooSkewed"),
        (33, "ExpiredRequest"),
        (41, "InvalidArgument"),
        (42, "NoSuchKey"),
    ] {
        assert_eq!(code(uid).await, expected, "uid {uid}");
    }
}
