//! The sandbox's S3 server over its socket: signatures, scopes, the objects that are there by themselves, and writing.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::primitives::ByteStream;
use grail_console::sandbox::{
    BlockTime, BucketFault, Credentials, Dialect, Sandbox, SandboxError, SandboxOptions, Scenario, TRAINER_UID, hotkey,
};
use serde_json::Value;

use crate::support::pool::by_hand;
use crate::support::s3::{bucket, client, reader, refused, tampered_writer, writer};

/// The first block of the newest complete window.
fn newest(sandbox: &Sandbox) -> u32 {
    sandbox.best().number() / 30 * 30 - 30
}

fn window_object(uid: u16, window: u32) -> String {
    let ending = if uid.is_multiple_of(3) { "parquet.gz" } else { "parquet" };
    format!("grail/windows/{}-window-{window}.{ending}", hotkey(uid))
}

async fn put(client: &aws_sdk_s3::Client, uid: u16, key: &str, body: &[u8]) -> Result<(), (u16, String)> {
    let body = ByteStream::from(body.to_vec());
    let sent = client.put_object().bucket(bucket(uid)).key(key).body(body).send().await;
    if sent.is_ok() { Ok(()) } else { Err(refused(sent)) }
}

async fn names(client: &aws_sdk_s3::Client, uid: u16) -> Vec<String> {
    let listed = client.list_objects_v2().bucket(bucket(uid)).send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_published_key_reads_its_own_bucket_and_does_nothing_else() {
    let sandbox = by_hand("healthy").await;
    let (key, own) = (window_object(20, newest(&sandbox)), reader(&sandbox, 20, 0));
    own.head_bucket().bucket(bucket(20)).send().await.unwrap();
    own.head_object().bucket(bucket(20)).key(&key).send().await.unwrap();
    assert!(names(&own, 20).await.contains(&key));
    assert_eq!(put(&own, 20, "grail/x", b"x").await, Err((403, "AccessDenied".to_owned())));
    let delete = own.delete_object().bucket(bucket(20)).key(&key).send().await;
    assert_eq!(refused(delete), (403, "AccessDenied".to_owned()));
    assert_eq!(refused(own.list_buckets().send().await), (403, "AccessDenied".to_owned()));
    let elsewhere = own.get_object().bucket(bucket(21)).key(window_object(21, newest(&sandbox))).send().await;
    assert_eq!(refused(elsewhere), (403, "AccessDenied".to_owned()));
    assert!(sandbox.s3().stored(20).is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let sandbox = by_hand("healthy").await;
    let own = reader(&sandbox, 20, 0);
    let object = own.get_object().bucket(bucket(20)).key("grail/nothing").send().await;
    assert_eq!(refused(object), (404, "NoSuchKey".to_owned()));
    let missing = own.get_object().bucket("0123456789abcdef0123456789abcdef").key("grail/nothing").send().await;
    assert_eq!(refused(missing), (404, "NoSuchBucket".to_owned()));
    let head = own.head_object().bucket(bucket(20)).key("grail/nothing").send().await;
    assert_eq!(refused(head).0, 404);
    let versions = own.list_object_versions().bucket(bucket(20)).send().await;
    assert_eq!(refused(versions).0, 403);
    let versions = writer(&sandbox, 20).list_object_versions().bucket(bucket(20)).send().await;
    assert_eq!(refused(versions), (501, "NotImplemented".to_owned()));
}

#[tokio::test]
async fn keys_and_secrets_are_checked_and_each_dialect_has_its_words() {
    let sandbox = by_hand("healthy").await;
    let own = Credentials::of(20, 0);
    let secret = &own.read_commitment()[64..];
    for (key_id, secret, in_r2, in_aws) in [
        (
            own.read_key_id.as_str(),
            "0".repeat(64).as_str(),
            (403, "SignatureDoesNotMatch"),
            (403, "SignatureDoesNotMatch"),
        ),
        (&"f".repeat(32), secret, (401, "Unauthorized"), (403, "InvalidAccessKeyId")),
        (&Credentials::of(20, 200).read_key_id, secret, (401, "Unauthorized"), (403, "InvalidAccessKeyId")),
        ("AKIAIOSFODNN7EXAMPLE", secret, (400, "InvalidArgument"), (403, "InvalidAccessKeyId")),
    ] {
        for (dialect, (status, code)) in [(Dialect::R2, in_r2), (Dialect::Aws, in_aws)] {
            sandbox.s3().set_dialect(dialect);
            let client = client(&sandbox, key_id, secret);
            let answer = client.get_object().bucket(bucket(20)).key("grail/nothing").send().await;
            assert_eq!(refused(answer), (status, code.to_owned()), "{key_id} {dialect:?}");
        }
    }
}

#[tokio::test]
async fn a_request_without_signature_is_refused() {
    let sandbox = by_hand("healthy").await;
    let request = aws_sdk_s3::presigning::PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let signed =
        reader(&sandbox, 20, 0).get_object().bucket(bucket(20)).key("grail/x").presigned(request).await.unwrap();
    for (target, status) in
        [(signed.uri().to_owned(), "404"), (signed.uri().split('?').next().unwrap().to_owned(), "400")]
    {
        let (_, path) = target.split_once("//").unwrap().1.split_once('/').unwrap();
        let authority = sandbox.s3_url().strip_prefix("http://").unwrap();
        let mut socket = tokio::net::TcpStream::connect(authority).await.unwrap();
        let text = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut socket, text.as_bytes()).await.unwrap();
        let (bytes, _) = crate::support::s3::received(&mut socket, 10_000).await;
        assert!(String::from_utf8_lossy(&bytes).starts_with(&format!("HTTP/1.1 {status}")), "{target}");
    }
}

#[tokio::test]
async fn every_generation_of_a_read_key_works_until_it_is_revoked() {
    let sandbox = by_hand("healthy").await;
    for generation in 0..4 {
        reader(&sandbox, 42, generation).head_bucket().bucket(bucket(42)).send().await.unwrap();
    }
    sandbox.s3().revoke(&Credentials::of(42, 1).read_key_id);
    let revoked = reader(&sandbox, 42, 1).get_object().bucket(bucket(42)).key("x").send().await;
    assert_eq!(refused(revoked), (401, "Unauthorized".to_owned()));
    reader(&sandbox, 42, 2).head_bucket().bucket(bucket(42)).send().await.unwrap();
}

#[tokio::test]
async fn the_write_key_writes_reads_lists_and_deletes() {
    let sandbox = by_hand("healthy").await;
    let own = writer(&sandbox, 42);
    put(&own, 42, "grail/canary", b"0123456789").await.unwrap();
    assert_eq!(sandbox.s3().object(42, "grail/canary").unwrap(), b"0123456789");
    assert_eq!(sandbox.s3().stored(42), ["grail/canary"]);
    let read = reader(&sandbox, 42, 0);
    for (range, part, told) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=0-99", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = read.get_object().bucket(bucket(42)).key("grail/canary").range(range).send().await.unwrap();
        assert_eq!(answer.content_range(), Some(told));
        assert_eq!(answer.body.collect().await.unwrap().into_bytes(), part);
    }
    let beyond = read.get_object().bucket(bucket(42)).key("grail/canary").range("bytes=10-").send().await;
    assert_eq!(refused(beyond), (416, "InvalidRange".to_owned()));
    assert!(names(&own, 42).await.contains(&"grail/canary".to_owned()));
    own.delete_object().bucket(bucket(42)).key("grail/canary").send().await.unwrap();
    assert!(sandbox.s3().stored(42).is_empty());
    assert_eq!(refused(own.list_buckets().send().await), (403, "AccessDenied".to_owned()));
}

#[tokio::test]
async fn what_was_written_shadows_what_is_there_by_itself() {
    let sandbox = by_hand("healthy").await;
    let key = window_object(42, newest(&sandbox));
    let before = names(&reader(&sandbox, 42, 0), 42).await;
    put(&writer(&sandbox, 42), 42, &key, b"mine").await.unwrap();
    let head = reader(&sandbox, 42, 0).head_object().bucket(bucket(42)).key(&key).send().await.unwrap();
    assert_eq!(head.content_length(), Some(4));
    assert_eq!(names(&reader(&sandbox, 42, 0), 42).await, before);
}

#[tokio::test]
async fn a_wrong_digest_and_too_much_store_nothing() {
    let sandbox = by_hand("healthy").await;
    let own = writer(&sandbox, 42);
    let upload = || own.put_object().bucket(bucket(42)).key("grail/canary").body(ByteStream::from_static(b"hello"));
    let md5 = refused(upload().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await);
    assert_eq!(md5, (400, "BadDigest".to_owned()));
    let crc = refused(upload().checksum_crc32("AAAAAA==").send().await);
    assert_eq!(crc, (400, "BadDigest".to_owned()));
    let signed = put(&tampered_writer(&sandbox, 42), 42, "grail/canary", b"hello").await;
    assert_eq!(signed, Err((400, "XAmzContentSHA256Mismatch".to_owned())));
    let large = put(&own, 42, "grail/canary", &vec![0; 16 * 1024 * 1024 + 1]).await;
    assert_eq!(large, Err((400, "EntityTooLarge".to_owned())));
    assert!(sandbox.s3().stored(42).is_empty());
    // The right digests are taken: those of "hello".
    upload().content_md5("XUFAKrxLKna5cZ2REBfFkg==").checksum_crc32("NhCmhg==").send().await.unwrap();
    assert_eq!(sandbox.s3().object(42, "grail/canary").unwrap(), b"hello");
}

#[tokio::test]
async fn windows_are_there_as_soon_as_they_are_complete_and_on_time_by_the_chain() {
    let sandbox = by_hand("healthy").await;
    let (read, before) = (reader(&sandbox, 20, 0), newest(&sandbox));
    let old = names(&read, 20).await;
    assert_eq!(old.len(), 20);
    assert_eq!(old.last().unwrap(), &window_object(20, before));
    let next = window_object(20, before + 30);
    while sandbox.best().number() < before + 59 {
        sandbox.produce_block().await.unwrap();
    }
    assert_eq!(refused(read.head_object().bucket(bucket(20)).key(&next).send().await).0, 404);
    let closing = sandbox.produce_block().await.unwrap();
    let head = read.head_object().bucket(bucket(20)).key(&next).send().await.unwrap();
    let modified = u64::try_from(head.last_modified().unwrap().to_millis().unwrap()).unwrap();
    let early = closing.timestamp_ms - modified;
    assert!((40_000..=91_000).contains(&early), "{early} ms before the window closed");
    assert!((20_000..180_000).contains(&head.content_length().unwrap()));
    let now = names(&read, 20).await;
    assert_eq!((now.len(), now.contains(&old[0])), (20, false), "the oldest is gone");
}

#[tokio::test]
async fn bodies_are_parquet_or_gzip_by_their_first_bytes() {
    let sandbox = by_hand("healthy").await;
    for (uid, first) in [(20, &b"PAR1"[..]), (21, &[0x1f, 0x8b, 0x08])] {
        let key = window_object(uid, newest(&sandbox));
        let answer = reader(&sandbox, uid, 0).get_object().bucket(bucket(uid)).key(&key).send().await.unwrap();
        let length = answer.content_length().unwrap();
        let body = answer.body.collect().await.unwrap().into_bytes();
        assert_eq!(i64::try_from(body.len()).unwrap(), length);
        assert!(body.starts_with(first), "uid {uid}");
        assert_eq!(body.ends_with(b"PAR1"), uid == 20);
    }
}

#[tokio::test]
async fn validators_tell_whom_they_count_and_the_trainer_what_is_ready() {
    let sandbox = by_hand("drift").await;
    let (trusted, window) = (reader(&sandbox, 3, 0), newest(&sandbox));
    let list = async || {
        let key = format!("grail/trust/trust_list_{window}.json");
        let answer = trusted.get_object().bucket(bucket(3)).key(key).send().await.unwrap();
        let list: Value = serde_json::from_slice(&answer.body.collect().await.unwrap().into_bytes()).unwrap();
        assert_eq!(list["window"], window);
        let eligible: Vec<String> = serde_json::from_value(list["eligible_hotkeys"].clone()).unwrap();
        assert_eq!(list["active_count"], eligible.len());
        eligible
    };
    let all = list().await;
    assert!(all.contains(&hotkey(42).to_string()) && !all.contains(&hotkey(23).to_string()), "23 never committed");
    assert!(!all.contains(&hotkey(15).to_string()), "a validator is no miner");
    for fault in [BucketFault::Distrusted, BucketFault::NoObjects, BucketFault::Late] {
        sandbox.s3().set_fault(20, Some(fault));
        assert_eq!(list().await.len(), all.len() - 1);
    }
    sandbox.s3().set_fault(20, None);
    assert_eq!(list().await, all);
    let trainer = names(&reader(&sandbox, TRAINER_UID, 0), TRAINER_UID).await;
    let marks: Vec<(u32, u32)> = trainer
        .iter()
        .filter_map(|name| name.strip_prefix("grail/checkpoints/checkpoint-")?.split_once("/READY-"))
        .map(|(checkpoint, ready)| (checkpoint.parse().unwrap(), ready.parse().unwrap()))
        .collect();
    assert!(marks.len() >= 8, "{trainer:?}");
    let took: BTreeSet<u32> = marks.iter().map(|(checkpoint, ready)| (ready - checkpoint) / 30).collect();
    assert_eq!(took, BTreeSet::from([2, 3, 4, 5]), "windows that uploads take");
    assert!(marks.iter().all(|(_, ready)| *ready <= window), "none before it is finished");
}

#[tokio::test]
async fn requests_are_remembered_as_they_came() {
    let sandbox = by_hand("healthy").await;
    let own = Credentials::of(20, 0);
    let read = reader(&sandbox, 20, 0);
    read.head_object().bucket(bucket(20)).key("grail/a b").send().await.unwrap_err();
    read.list_objects_v2().bucket(bucket(20)).prefix("grail/").max_keys(1).send().await.unwrap();
    let seen = sandbox.s3().requests();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].method.as_str(), seen[0].key.as_str(), seen[0].status), ("HEAD", "grail/a%20b", Some(404)));
    assert_eq!((&seen[0].bucket, seen[0].access_key_id.as_ref()), (&own.account, Some(&own.read_key_id)));
    assert!(seen[0].user_agent.as_ref().unwrap().contains("aws-sdk-rust"));
    assert_eq!((seen[1].method.as_str(), seen[1].key.as_str()), ("GET", ""));
    assert_eq!(seen[1].query, "list-type=2&max-keys=1&prefix=grail%2F");
    sandbox.s3().forget_requests();
    assert!(sandbox.s3().requests().is_empty());
}

#[tokio::test]
async fn listings_come_page_by_page() {
    let sandbox = by_hand("healthy").await;
    let read = reader(&sandbox, 3, 0);
    let mut pages = read.list_objects_v2().bucket(bucket(3)).max_keys(7).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!(found, names(&read, 3).await);
    assert_eq!(found.len(), 40);
}

#[tokio::test]
async fn the_server_has_the_port_asked_for_and_ends_with_the_sandbox() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = SandboxOptions { uids: 4, s3_port: port, block_time: BlockTime::Manual, ..healthy() };
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    assert_eq!(sandbox.s3_url(), format!("http://127.0.0.1:{port}"));
    let taken = Sandbox::start(options).await.unwrap_err();
    assert!(matches!(taken, SandboxError::Listen { port: taken, .. } if taken == port), "{taken}");
    sandbox.shutdown().await;
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
}

#[tokio::test]
async fn the_last_of_65_536_uids_has_its_bucket_too() {
    let sandbox =
        Sandbox::start(SandboxOptions { uids: 65_536, block_time: BlockTime::Manual, ..healthy() }).await.unwrap();
    let key = window_object(u16::MAX, newest(&sandbox));
    let head = reader(&sandbox, u16::MAX, 0).head_object().bucket(bucket(u16::MAX)).key(key).send().await.unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(head.last_modified().unwrap().secs()).unwrap());
    assert!(modified < std::time::SystemTime::now());
}

fn healthy() -> SandboxOptions {
    SandboxOptions::new(Scenario::named("healthy").unwrap())
}
