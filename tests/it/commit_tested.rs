//! What is published was tried at the store before: whoever takes the way to the chain, and whatever the store says. The
//! bytes on chain decide.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grail_console::config::Flags;
use grail_console::domain::commit::{Ended, KeyTest, News, Order, Progress};
use grail_console::ops::commit::{ServiceSetup, Timeouts, Unprepared, prepare, serve};
use grail_console::ops::context::Context;
use grail_console::sandbox::{
    BlockTime, BucketFault, CommitmentSpec, Credentials, Dialect, OPERATOR_UID, Scope, TRAINER_UID, Token, hotkey,
};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli_commit::document;
use crate::cli_status::env_of;
use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::operator::{BLOCKS, Operator, Store};
use crate::support::pty::Pty;
use crate::support::rotating::{NEW, OLD, Rotating};
use crate::support::way::Way;

const AT_ONCE: &str = "[s3]\ntoken_delay_s = 0\n";
/// Blocks after which the store knows a new token: the 60 s of the scenario.
const TOKEN_KNOWN_AFTER: usize = 5;
const CANARY: &str = "grail-console/self-test/";

/// An operator whose store knows a new token as soon as it is made.
fn at_once() -> Operator {
    Operator::among(AT_ONCE, 64, BlockTime::Every(BLOCKS))
}

/// The practice credentials with another read pair.
fn with_pair(key_id: &str, secret: &str) -> String {
    let own = Credentials::of(OPERATOR_UID, 0);
    env_of(&own).replace(&own.read_key_id, key_id).replace(own.read_secret.expose(), secret)
}

/// A new token of the operator's account under the READ names.
fn has_token(operator: &Operator, scope: Scope) -> Token {
    let token = operator.node.sandbox().s3().issue(OPERATOR_UID, scope);
    operator.has(with_pair(&token.key_id, token.secret.expose()));
    token
}

fn before() -> String {
    Credentials::of(OPERATOR_UID, 1).read_commitment()
}

/// The commit is refused for this reason, as text and as a document, and the chain holds what it held.
#[track_caller]
fn refuses(operator: &Operator, words: &[&str], reason: &str, what: &[&str]) -> Value {
    let held = operator.on_chain();
    let found = document(&operator.run(&[&["commit", "--yes", "--json"], words].concat()).exits(3));
    assert_eq!((&found["outcome"], &found["reason"]), (&json!("refused"), &json!(reason)), "{found:#}");
    says(found["what"].as_str().unwrap(), what);
    says(&operator.run(&[&["commit", "--yes"], words].concat()).exits(3).stdout, what);
    assert_eq!((operator.submissions(), operator.on_chain()), (0, held));
    assert!(operator.node.sandbox().s3().stored(OPERATOR_UID).is_empty(), "nothing stays in the bucket");
    found
}

#[test]
fn a_pair_that_opens_its_bucket_and_is_refused_a_write_is_published() {
    let operator = Operator::new();
    let found = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&found["outcome"], &found["key_test"]), (&json!("committed"), &json!("writing_open")));
    // Elsewhere than on R2 only a write tells; it is announced.
    let check = found["checks"].as_array().unwrap().iter().find(|check| check["code"] == "keys_tested").unwrap();
    says(check["words"].as_str().unwrap(), &["does not tell whether the read pair can write", ".canary"]);
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
    let asked = operator.asked_of_store();
    assert_eq!(asked.len(), 6, "one test of five requests, and one write: {asked:?}");
    assert!(asked[0].starts_with(&format!("GET {CANARY}{}.canary", hotkey(OPERATOR_UID))), "{asked:?}");
    assert!(asked[5].starts_with("PUT") && operator.node.sandbox().s3().stored(OPERATOR_UID).is_empty(), "{asked:?}");
}

#[test]
fn nothing_is_asked_of_the_store_when_there_is_nothing_to_publish() {
    let operator = Operator::new();
    operator.run(&["commit", "--yes"]).exits(0);
    operator.node.sandbox().s3().forget_requests();
    for words in [&["--yes"][..], &["--dry-run"], &["--yes", "--when-registered"], &["--yes", "--untested"]] {
        let found = document(&operator.run(&[&["commit", "--json"], words].concat()).exits(0));
        assert_eq!((&found["outcome"], &found["key_test"]), (&json!("unchanged"), &Value::Null));
    }
    assert_eq!(operator.asked_of_store(), Vec::<String>::new());
}

#[test]
fn a_token_that_can_write_is_refused_under_the_read_names() {
    let operator = at_once();
    has_token(&operator, Scope::Write);
    let dry = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!(dry["key_test"], "writing_open", "looking writes nothing");
    assert!(!operator.asked_of_store().iter().any(|asked| asked.starts_with("PUT")));
    let found = refuses(&operator, &[], "write_capable", &["the read pair can WRITE into your bucket"]);
    says(found["fix"].as_str().unwrap(), &["Object Read only", "READ names"]);
    refuses(&operator, &["--untested"], "write_capable", &["can WRITE"]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn the_one_object_that_tells_is_announced_and_gone_again() {
    let operator = Operator::new();
    operator.node.sandbox().s3().set_fault(OPERATOR_UID, Some(BucketFault::UploadBeforeScope));
    let ran = operator.run(&["commit", "--yes"]).exits(0);
    let name = format!("{CANARY}{}.canary", hotkey(OPERATOR_UID));
    says(&ran.stdout, &["does not tell whether the read pair can write", &name, "✓ Published"]);
    says(&ran.stderr, &[&format!("putting {name} into your bucket with the read pair")]);
    assert!(operator.asked_of_store().iter().any(|asked| asked.starts_with(&format!("PUT {name}"))));
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
    assert!(operator.node.sandbox().s3().stored(OPERATOR_UID).is_empty());
}

#[test]
fn a_key_of_the_whole_account_is_refused() {
    let operator = at_once();
    has_token(&operator, Scope::AccountWide);
    refuses(&operator, &[], "account_wide", &["for the whole account", "1 beside this one"]);
    refuses(&operator, &["--untested"], "account_wide", &["for the whole account"]);
}

#[test]
fn a_mistyped_secret_is_refused_at_once() {
    let operator = Operator::new();
    let own = Credentials::of(OPERATOR_UID, 0);
    let digit = if own.read_secret.expose().ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{digit}", &own.read_secret.expose()[..63]);
    operator.has(with_pair(&own.read_key_id, &mistyped));
    let found =
        refuses(&operator, &[], "auth_bad_secret", &["the secret is not the read key's", "SignatureDoesNotMatch"]);
    says(found["fix"].as_str().unwrap(), &["R2_READ_SECRET_ACCESS_KEY"]);
    assert!(!found.to_string().contains(&mistyped));
}

#[rstest]
#[case::another_bucket(BucketFault::OtherBucket, "scope_denied", "refuses the read key for this bucket")]
#[case::no_bucket(BucketFault::NoBucket, "no_bucket", "no such bucket where validators look")]
#[case::lapsed(BucketFault::NotEntitled, "provider_error", "403 NotEntitled")]
#[case::rolled(BucketFault::WrongSecret, "auth_bad_secret", "the secret is not the read key's")]
fn a_stores_own_no_is_refused_whatever_word_is_given(
    #[case] fault: BucketFault,
    #[case] reason: &str,
    #[case] what: &str,
) {
    let operator = Operator::new();
    operator.node.sandbox().s3().set_fault(OPERATOR_UID, Some(fault));
    refuses(&operator, &[], reason, &[what]);
    refuses(&operator, &["--untested"], reason, &[what]);
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn a_pair_of_uid_0_that_may_not_list_is_refused_and_a_miners_is_not_asked() {
    let operator = Operator::new();
    let sandbox = operator.node.sandbox();
    sandbox.s3().set_fault(OPERATOR_UID, Some(BucketFault::ListRefused));
    let miner = document(&operator.run(&["commit", "--dry-run", "--json"]).exits(0));
    assert_eq!((&miner["outcome"], &miner["uid"]), (&json!("planned"), &json!(OPERATOR_UID)));
    sandbox.register(OPERATOR_UID, hotkey(900));
    sandbox.register(TRAINER_UID, hotkey(OPERATOR_UID));
    let passes = || {
        let best = sandbox.best().number();
        operator.until("blocks", |operator| operator.node.sandbox().best().number() >= best + 4);
    };
    passes();
    // The chain forgot what stood under the uid that was lost.
    sandbox.commit(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 1).read_commitment()));
    passes();
    let found =
        refuses(&operator, &[], "cannot_list", &["the key may not list the bucket", "finds uid 0's checkpoints"]);
    says(found["fix"].as_str().unwrap(), &["Allow the key to list this bucket"]);
    refuses(&operator, &["--untested"], "cannot_list", &["may not list the bucket"]);
    sandbox.s3().set_fault(OPERATOR_UID, None);
    let found = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&found["outcome"], &found["uid"]), (&json!("committed"), &json!(TRAINER_UID)));
    assert!(found["checks"].as_array().unwrap().iter().any(|check| check["code"] == "pinned_key"), "{found:#}");
}

#[rstest]
#[case::throttled(BucketFault::Throttled, "429 TooManyRequests")]
#[case::failing(BucketFault::InternalError, "500 InternalError")]
#[case::dropped(BucketFault::Drops, "the store")]
#[case::no_store(BucketFault::Redirect { to: "http://127.0.0.1:9/".to_owned() }, "is no S3 store")]
#[case::clock(BucketFault::ClockSkewed, "because of its time")]
fn where_no_store_answers_nothing_is_published_without_the_word_for_it(#[case] fault: BucketFault, #[case] why: &str) {
    let operator = Operator::new();
    operator.node.sandbox().s3().set_fault(OPERATOR_UID, Some(fault));
    let found = document(&operator.run(&["commit", "--yes", "--json"]).exits(8));
    assert_eq!((&found["outcome"], &found["reason"]), (&json!("refused"), &json!("untested")), "{found:#}");
    assert_eq!(found["key_test"], "untested");
    says(found["what"].as_str().unwrap(), &["could not be tested", why]);
    says(found["fix"].as_str().unwrap(), &["--untested"]);
    assert_eq!((operator.submissions(), operator.on_chain()), (0, before()));
    let found = document(&operator.run(&["commit", "--yes", "--untested", "--json"]).exits(0));
    assert_eq!((&found["outcome"], &found["key_test"]), (&json!("committed"), &json!("untested")));
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

#[test]
fn a_store_that_is_down_is_told_to_people_and_lifts_nothing_of_the_guard() {
    let operator = Operator::new().at_store(Store::Nowhere);
    for words in [&["commit", "--yes"][..], &["commit", "--dry-run"]] {
        let ran = operator.run(words).exits(8);
        says(&ran.stderr, &["… testing the read pair at custom S3 at http://127.0.0.1:9"]);
        says(&ran.stdout, &["▲ the read pair was NOT tested", "✗ Not sent: the read pair could not be tested", "→ "]);
    }
    assert_eq!(operator.submissions(), 0);
    let own = Credentials::of(OPERATOR_UID, 0);
    operator.has(with_pair(&own.write_key_id, own.write_secret.expose()));
    let found = document(&operator.run(&["commit", "--yes", "--untested", "--json"]).exits(3));
    assert_eq!(found["reason"], "read_is_write");
    operator.has(env_of(&own));
    operator.run(&["commit", "--yes", "--untested"]).exits(0);
    assert_eq!(operator.on_chain(), own.read_commitment());
}

#[test]
fn at_a_terminal_a_word_of_its_own_is_asked_for_keys_that_could_not_be_tested() {
    let operator = Operator::new().at_store(Store::Nowhere);
    let open = || Pty::open_at((120, 60), &operator.house, line(&["commit"], &operator.flags()));
    for typed in ["\r", "yes\r"] {
        let mut console = open();
        says(&console.shows("Type untested to publish it anyway"), &["▲ the read pair was NOT tested"]);
        console.keys(typed);
        console.left().restored_with(7);
    }
    operator.did_nothing();
    let mut console = open();
    console.shows("Type untested to publish it anyway");
    console.keys("untested\r");
    console.shows("Type yes to publish");
    console.keys("yes\r");
    says(&console.left().screen, &["✓ Published in block #"]);
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

#[test]
fn a_fresh_token_is_waited_for_and_published_when_the_store_knows_it() {
    let operator = Operator::by_hand();
    let token = has_token(&operator, Scope::Read);
    let ran = published_once_known(&operator, "waiting: the store does not know the read key yet (401 Unauthorized)");
    says(&ran.stdout, &["✓ the store knew the read key after "]);
    says(&operator.on_chain(), &[&token.key_id, token.secret.expose()]);
}

/// What a commit says whose key the store comes to know only after these words, however slow the machine is.
fn published_once_known(operator: &Operator, words: &str) -> Ran {
    let mut running = operator.start(&["commit", "--yes"]);
    running.says(words);
    operator.node.blocks(TOKEN_KNOWN_AFTER);
    running.says("✓ broadcast");
    operator.node.blocks(4);
    running.ended().exits(0)
}

/// The practice operator, inside this process.
fn context(operator: &Operator) -> Context {
    let own = operator.node.sandbox().operator().unwrap();
    let flags = Flags {
        endpoint: Some(operator.node.url().to_owned()),
        wallet: Some(own.wallet.to_owned()),
        hotkey: Some(own.hotkey_name.to_owned()),
        wallet_path: Some(own.wallet_path.clone()),
        env_file: Some(operator.house.path("grail/.env")),
        s3_endpoint: Some(operator.node.sandbox().s3_url().to_owned()),
        ..Flags::default()
    };
    Context::load(&flags, &operator.house.environment().into_iter().collect()).unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn a_dead_key_that_nobody_knows_is_waited_for_and_then_refused() {
    let operator = Operator::new();
    let token = has_token(&operator, Scope::Read);
    operator.node.sandbox().s3().revoke(&token.key_id);
    let context = context(&operator);
    let told = Mutex::new(Vec::new());
    let refused = operator.node.wait(async {
        let tell = |words: String| told.lock().unwrap().push(words);
        let mut prepared = prepare(&context, now_ms()).await.unwrap();
        prepared.timeouts = Timeouts { new_key: Duration::from_millis(300), pause: Duration::from_millis(50) };
        prepared.tested(&context, &tell).await.unwrap_err()
    });
    let Unprepared::Refused(ended) = refused else { panic!("{refused:?}") };
    assert_eq!(ended.reason().as_deref(), Some("auth_unknown_key"));
    says(&ended.finding().summary, &["the store does not know the read key", "not after"]);
    let told = told.into_inner().unwrap();
    assert!(told.len() > 2 && told[1].starts_with("waiting: "), "{told:?}");
    assert_eq!(operator.on_chain(), before());
}

#[test]
fn the_consoles_dialog_shows_the_test_and_a_confirmed_plan_is_held_to_it() {
    let operator = Operator::new();
    let node = &operator.node;
    let setup = || ServiceSetup {
        context: {
            let context = Arc::new(context(&operator));
            Arc::new(move || Arc::clone(&context))
        },
        now_ms: Arc::new(now_ms),
    };
    let planned = async |news: &mut tokio::sync::mpsc::Receiver<News>| {
        let mut tested = Vec::new();
        loop {
            match news.recv().await.unwrap() {
                News::Progress { progress: Progress::Testing { words }, .. } => tested.push(words),
                News::Planned { plan, .. } => return (tested, plan),
                other => panic!("{other:?}"),
            }
        }
    };
    let ended = async |news: &mut tokio::sync::mpsc::Receiver<News>| {
        loop {
            if let News::Ended { ended, .. } = news.recv().await.unwrap() {
                return *ended;
            }
        }
    };
    let store = node.sandbox().s3().clone();
    node.wait(async {
        let (orders, mut news) = serve(setup());
        store.set_fault(OPERATOR_UID, Some(BucketFault::Writable));
        orders.send((Order::Plan(1), None)).unwrap();
        let (told, plan) = planned(&mut news).await;
        assert!(told[0].starts_with("testing the read pair at custom S3 at http://127.0.0.1:"), "{told:?}");
        says(&plan.checks.last().unwrap().words, &["does not tell whether the read pair can write", ".canary"]);
        orders.send((Order::Publish(1), None)).unwrap();
        assert_eq!(ended(&mut news).await.reason().as_deref(), Some("write_capable"));
        // The store is away when the plan is made: the plan says so, and who confirms it has been told.
        store.set_fault(OPERATOR_UID, Some(BucketFault::InternalError));
        orders.send((Order::Plan(2), None)).unwrap();
        let (_, plan) = planned(&mut news).await;
        assert!(plan.key_test.as_ref().is_some_and(KeyTest::is_untested));
        says(&plan.checks.last().unwrap().words, &["was NOT tested"]);
        orders.send((Order::Forget(2), None)).unwrap();
        store.set_fault(OPERATOR_UID, None);
        orders.send((Order::Plan(3), None)).unwrap();
        let (_, plan) = planned(&mut news).await;
        assert!(matches!(plan.key_test, Some(KeyTest::WritingOpen { .. })), "{:?}", plan.key_test);
        orders.send((Order::Publish(3), None)).unwrap();
        assert!(matches!(ended(&mut news).await, Ended::Committed(_)));
    });
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

/// The files of the vault and its index, as they are now.
fn backup(house: &Rotating) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = house.operator.house.files().into_iter();
    files
        .filter(|(path, _)| {
            path.starts_with(house.operator.house.path("home")) && path.display().to_string().contains("vault")
        })
        .collect()
}

/// A rotation from the old to the new key, to its end; then the vault of before is back.
fn with_restored_vault() -> (Rotating, Vec<(std::path::PathBuf, Vec<u8>)>) {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env"]).exits(0);
    let kept = backup(&house);
    assert!(kept.len() > 1, "{kept:?}");
    house.begin(NEW, "0").exits(0);
    house.revoke(OLD);
    house.operator.until("the end of the rotation", |_| house.run(&["rotate", "retire", "--json"]).code == Some(0));
    assert!(house.publishes(NEW));
    restore(&kept);
    (house, kept)
}

fn restore(kept: &[(std::path::PathBuf, Vec<u8>)]) {
    for (path, content) in kept {
        fs::write(path, content).unwrap();
    }
}

#[test]
fn a_revoked_key_out_of_a_restored_vault_is_refused_and_named() {
    let (house, kept) = with_restored_vault();
    // The journal of rotations knows that the restored vault is an old copy: there is nothing to publish.
    assert_eq!(house.run(&["commit", "--yes", "--json"]).exits(0).json()["outcome"], "unchanged");
    // Without that journal the vault does not win against chain and .env, which agree.
    let journal = house.journal_file().unwrap();
    let knows = fs::read(&journal).unwrap();
    fs::remove_file(&journal).unwrap();
    restore(&kept);
    let found = house.run(&["commit", "--yes", "--json"]).exits(3).json();
    assert_eq!(found["reason"], "vault_against_env", "{found:#}");
    let (old, new) = (Credentials::of(OPERATOR_UID, OLD), Credentials::of(OPERATOR_UID, NEW));
    says(found["what"].as_str().unwrap(), &["chain and .env agree", &new.read_key_id[..6], &old.read_key_id[..6]]);
    says(found["fix"].as_str().unwrap(), &["keys import --from-env"]);
    // The .env was restored as well: the store refuses the key, and this machine knows why.
    fs::write(&journal, knows).unwrap();
    restore(&kept);
    house.operator.has_generation(OLD);
    let found = house.run(&["commit", "--yes", "--json"]).exits(3).json();
    assert_eq!(found["reason"], "auth_unknown_key", "{found:#}");
    says(found["what"].as_str().unwrap(), &["the store does not know the read key", "has replaced it"]);
    let found = house.run(&["commit", "--yes", "--untested", "--json"]).exits(3).json();
    assert_eq!(found["reason"], "auth_unknown_key");
    // What the first refusal says to do leads out of it.
    house.operator.has_generation(NEW);
    house.run(&["keys", "import", "--from-env"]).exits(0);
    assert_eq!(house.run(&["commit", "--yes", "--json"]).exits(0).json()["outcome"], "unchanged");
    assert!(house.publishes(NEW));
}

#[test]
fn a_commit_that_waits_for_a_uid_is_tested_when_it_is_set_and_again_before_it_is_signed() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let gets = |operator: &Operator| {
        operator
            .asked_of_store()
            .iter()
            .filter(|asked| asked.starts_with("GET"))
            .filter(|asked| asked.contains(".canary"))
            .count()
    };
    let mut running = operator.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    assert_eq!(gets(&operator), 1, "tested when it is set");
    operator.node.sandbox().register(7, hotkey(OPERATOR_UID));
    running.ended().exits(0);
    assert_eq!(gets(&operator), 2, "and again before it is signed");
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

#[test]
fn a_key_that_came_to_write_while_a_uid_was_waited_for_is_not_published() {
    let operator = Operator::at(32, BlockTime::Every(BLOCKS));
    let mut running = operator.start(&["commit", "--yes", "--when-registered"]);
    running.says("waiting for a uid");
    operator.node.sandbox().s3().set_fault(OPERATOR_UID, Some(BucketFault::Writable));
    operator.node.sandbox().register(7, hotkey(OPERATOR_UID));
    let ran = running.ended().exits(3);
    says(&ran.stdout, &["✗ Not sent: the read pair can WRITE"]);
    assert_eq!((operator.submissions(), operator.records()), (0, Vec::<String>::new()));
}

#[test]
fn a_rotation_takes_the_same_way_right_before_it_signs() {
    let house = Rotating::new();
    let keys = house.read_keys(NEW);
    house.run(&["rotate", "start", "--new-key-file", &keys, "--json"]).exits(7);
    assert_eq!(house.events().last().map(String::as_str), Some("planned"));
    let store = house.operator.node.sandbox().s3().clone();
    store.set_fault(OPERATOR_UID, Some(BucketFault::Writable));
    let refused = house.run(&["rotate", "resume", "--yes", "--json"]).exits(3).json();
    assert_eq!(refused["reason"], "write_capable", "{refused:#}");
    assert!(house.publishes(OLD));
    store.set_fault(OPERATOR_UID, Some(BucketFault::InternalError));
    let waits = house.run(&["rotate", "resume", "--yes", "--json"]).exits(7).json();
    assert_eq!(waits["reason"], "untested", "{waits:#}");
    assert!(house.publishes(OLD));
    store.set_fault(OPERATOR_UID, None);
    house.run(&["rotate", "resume", "--yes", "--json"]).exits(0);
    assert!(house.publishes(NEW));
}

#[test]
fn garage_tells_keys_apart_by_its_messages_and_lists_the_own_bucket_alone() {
    let operator = Operator::by_hand();
    operator.node.sandbox().s3().set_dialect(Dialect::Garage);
    let own = Credentials::of(OPERATOR_UID, 0);
    operator.has(with_pair(&own.read_key_id, &"0123456789abcdef".repeat(4)));
    refuses(&operator, &[], "auth_bad_secret", &["403 AccessDenied, \"Forbidden: Invalid signature\""]);
    let token = has_token(&operator, Scope::Read);
    let ran = published_once_known(
        &operator,
        "waiting: the store does not know the read key yet (403 AccessDenied, \"Forbidden: No such key",
    );
    says(&ran.stdout, &["does not tell whether the read pair can write"]);
    says(&operator.on_chain(), &[&token.key_id]);
}

#[test]
fn a_rotation_at_garage_waits_for_the_new_key_and_takes_its_word_that_the_old_one_is_refused() {
    let house = Rotating::new();
    let store = house.operator.node.sandbox().s3().clone();
    store.set_dialect(Dialect::Garage);
    let mistyped = format!(
        "R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n",
        Credentials::of(OPERATOR_UID, NEW).read_key_id,
        "0123456789abcdef".repeat(4)
    );
    let refused = house.begin_with(&house.keys(&mistyped), &["--grace", "0"]).exits(3).json();
    assert_eq!(refused["reason"], "new_key_fails", "{refused:#}");
    house.run(&["rotate", "rollback", "--yes"]).exits(0);
    let token = house.token("kind=read");
    house.begin_with(&token, &["--grace", "0"]).exits(0);
    house.run(&["rotate", "retire", "--json"]).exits(7);
    house.revoke(OLD);
    house.operator.until("the end of the rotation", |_| house.run(&["rotate", "retire", "--json"]).code == Some(0));
    assert_eq!(house.events().last().map(String::as_str), Some("retired"));
}

#[test]
fn whoever_leaves_while_a_pair_is_tried_leaves_nothing_in_the_bucket() {
    let operator = at_once();
    let node = &operator.node;
    node.sandbox().s3().set_fault(OPERATOR_UID, Some(BucketFault::Writable));
    let way = node.wait(Way::to(node.sandbox().s3_url()));
    way.delay(Duration::from_millis(700));
    let through = |flag: String| if flag == node.sandbox().s3_url() { way.url().to_owned() } else { flag };
    let flags: Vec<_> = operator.flags().into_iter().map(through).collect();
    let running = operator.start_with(line(&["commit", "--yes", "--json"], &flags));
    operator.until("the write", |_| way.seen().iter().any(|verb| verb == "PUT"));
    running.signal(Signal::INT);
    let left = document(&running.ended().exits(7));
    assert_eq!((&left["outcome"], &left["extrinsic_hash"]), (&json!("pending"), &Value::Null), "{left:#}");
    assert!(node.sandbox().s3().stored(OPERATOR_UID).is_empty());
    assert_eq!((operator.submissions(), way.seen().last().map(String::as_str)), (0, Some("DELETE")));
}
