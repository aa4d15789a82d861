//! Tokens come and go as at a provider: known after a minute, revoked for good, rolled in place, each with its scope.

use aws_sdk_s3::Client;
use grail_console::sandbox::{Credentials, Dialect, OPERATOR_UID, Sandbox, Scope, Standing, Token, hotkey};

use crate::support::pool::by_hand;
use crate::support::s3::{bucket, client, reader, refused, writer};

/// Blocks that stand for a minute.
const MINUTE: usize = 5;

fn with(sandbox: &Sandbox, token: &Token) -> Client {
    client(sandbox, &token.key_id, token.secret.expose())
}

async fn blocks(sandbox: &Sandbox, count: usize) {
    for _ in 0..count {
        sandbox.produce_block().await.unwrap();
    }
}

/// A token that the store knows already.
async fn known(sandbox: &Sandbox, scope: Scope) -> Client {
    let token = sandbox.s3().issue(OPERATOR_UID, scope);
    blocks(sandbox, MINUTE).await;
    with(sandbox, &token)
}

/// Status and code of reading the newest complete window; `(200, "")` where it can be read.
async fn reading(sandbox: &Sandbox, client: &Client) -> (u16, String) {
    let window = sandbox.best().number() / 30 * 30 - 30;
    let key = format!("grail/windows/{}-window-{window}.parquet.gz", hotkey(OPERATOR_UID));
    let answer = client.get_object().bucket(bucket(OPERATOR_UID)).key(key).range("bytes=0-0").send().await;
    if answer.is_ok() { (200, String::new()) } else { refused(answer) }
}

async fn writing(client: &Client) -> (u16, String) {
    let answer = client.put_object().bucket(bucket(OPERATOR_UID)).key("grail/x").body(vec![1].into()).send().await;
    if answer.is_ok() { (200, String::new()) } else { refused(answer) }
}

async fn listing_buckets(client: &Client) -> (u16, String) {
    let answer = client.list_buckets().send().await;
    if answer.is_ok() { (200, String::new()) } else { refused(answer) }
}

fn fine() -> (u16, String) {
    (200, String::new())
}

fn said(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_new_token_is_unknown_for_a_minute_of_practice_and_works_then() {
    let sandbox = by_hand("healthy").await;
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::Read);
    let own = with(&sandbox, &token);
    for left in (1..=5).rev() {
        assert_eq!(reading(&sandbox, &own).await, said(401, "Unauthorized"));
        assert!(sandbox.s3().tokens(OPERATOR_UID).contains(&(
            token.key_id.clone(),
            Scope::Read,
            Standing::KnownIn(left * 12)
        )));
        blocks(&sandbox, 1).await;
    }
    assert_eq!(reading(&sandbox, &own).await, fine());
    assert_eq!(reading(&sandbox, &reader(&sandbox, OPERATOR_UID, 0)).await, fine(), "the old one goes on working");
}

#[tokio::test]
async fn a_revoked_key_is_refused_in_the_words_of_either_provider() {
    let sandbox = by_hand("healthy").await;
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::Read);
    blocks(&sandbox, MINUTE).await;
    let own = with(&sandbox, &token);
    assert_eq!(reading(&sandbox, &own).await, fine());
    assert!(sandbox.s3().revoke(&token.key_id));
    assert!(!sandbox.s3().revoke(&token.key_id), "it was revoked before");
    assert_eq!(reading(&sandbox, &own).await, said(401, "Unauthorized"));
    sandbox.s3().set_dialect(Dialect::Aws);
    assert_eq!(reading(&sandbox, &own).await, said(403, "InvalidAccessKeyId"));
    blocks(&sandbox, MINUTE).await;
    assert_eq!(reading(&sandbox, &own).await, said(403, "InvalidAccessKeyId"), "it stays revoked");
    assert!(!sandbox.s3().revoke("made-up"));
}

#[tokio::test]
async fn a_token_that_is_revoked_before_it_is_known_never_works() {
    let sandbox = by_hand("healthy").await;
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::Read);
    assert!(sandbox.s3().revoke(&token.key_id));
    blocks(&sandbox, MINUTE).await;
    assert_eq!(reading(&sandbox, &with(&sandbox, &token)).await, said(401, "Unauthorized"));
}

#[tokio::test]
async fn a_write_key_can_be_revoked_and_replaced_too() {
    let sandbox = by_hand("healthy").await;
    let (old, new) = (writer(&sandbox, OPERATOR_UID), known(&sandbox, Scope::Write).await);
    assert_eq!((writing(&old).await, writing(&new).await), (fine(), fine()));
    assert!(sandbox.s3().revoke(&Credentials::of(OPERATOR_UID, 0).write_key_id));
    assert_eq!(writing(&old).await, said(401, "Unauthorized"));
    assert_eq!(reading(&sandbox, &old).await, said(401, "Unauthorized"));
    assert_eq!((writing(&new).await, reading(&sandbox, &new).await), (fine(), fine()));
}

#[tokio::test]
async fn every_scope_opens_what_it_says_and_nothing_else() {
    let sandbox = by_hand("healthy").await;
    let denied = || said(403, "AccessDenied");
    for (scope, reads, writes, lists) in [
        (Scope::Read, fine(), denied(), denied()),
        (Scope::Write, fine(), fine(), denied()),
        (Scope::AccountWide, fine(), denied(), fine()),
        (Scope::OtherBucket, denied(), denied(), denied()),
    ] {
        let own = known(&sandbox, scope).await;
        assert_eq!(reading(&sandbox, &own).await, reads, "{scope:?}");
        assert_eq!(writing(&own).await, writes, "{scope:?}");
        assert_eq!(listing_buckets(&own).await, lists, "{scope:?}");
        let elsewhere = own.head_bucket().bucket(bucket(7)).send().await;
        assert_eq!(refused(elsewhere).0, 403, "{scope:?} in another account");
    }
}

#[tokio::test]
async fn a_key_that_is_rolled_in_place_keeps_its_id_and_refuses_the_old_secret_at_once() {
    let sandbox = by_hand("healthy").await;
    let first = Credentials::of(OPERATOR_UID, 0);
    let rolled = sandbox.s3().roll(&first.read_key_id).unwrap();
    assert_eq!(rolled.key_id, first.read_key_id);
    let old = reader(&sandbox, OPERATOR_UID, 0);
    assert_eq!(reading(&sandbox, &old).await, said(403, "SignatureDoesNotMatch"));
    assert_eq!(reading(&sandbox, &with(&sandbox, &rolled)).await, fine());
    assert!(sandbox.s3().revoke(&first.read_key_id));
    assert_eq!(sandbox.s3().roll(&first.read_key_id), None, "what is revoked cannot be rolled");
    assert_eq!(sandbox.s3().roll("made-up"), None);
}

#[tokio::test]
async fn the_dashboard_lists_a_uid_s_keys_with_scope_and_standing_and_no_secret() {
    let sandbox = by_hand("healthy").await;
    let first = Credentials::of(OPERATOR_UID, 0);
    sandbox.s3().revoke(&first.read_key_id);
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::AccountWide);
    sandbox.s3().issue(7, Scope::Read);
    let listed = sandbox.s3().tokens(OPERATOR_UID);
    assert_eq!(
        listed,
        [
            (first.read_key_id, Scope::Read, Standing::Revoked),
            (first.write_key_id, Scope::Write, Standing::Known),
            (token.key_id, Scope::AccountWide, Standing::KnownIn(60)),
        ]
    );
    assert!(!format!("{:?}", sandbox.s3()).contains(token.secret.expose()));
}
