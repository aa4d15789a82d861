//! The own keys put to the test, and nothing left behind whatever happens.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use grail_console::domain::credentials::BucketCredentials;
use grail_console::domain::probe::Risk;
use grail_console::domain::self_test::{Canary, JudgedStep, Outcome, SelfTest};
use grail_console::ops::self_test::{Subject, self_test};
use grail_console::sandbox::{BucketFault, CommitmentSpec, Credentials, OPERATOR_UID, hotkey};
use grail_console::storage::StoreOptions;
use rstest::rstest;
use tokio::time::Instant;

use crate::storage_server::{Script, Server};
use crate::support::bench::Bench;
use crate::support::way::{Loss, Way};

async fn subject(bench: &Bench) -> Subject {
    let seat = bench.seat().await;
    let credentials = BucketCredentials::parse(&seat.context.provider, &seat.context.configuration.local).unwrap();
    Subject {
        provider: seat.context.provider.clone(),
        hotkey: hotkey(OPERATOR_UID),
        credentials,
        is_trainer: false,
        published: seat.view.parts(&hotkey(OPERATOR_UID)).ok(),
        doubted: None,
        now_ms: Arc::new(|| 7),
    }
}

/// By when a test that begins now ends.
fn by(bench: &Bench) -> Instant {
    Instant::now() + bench.store().options().whole
}

async fn tested(bench: &Bench) -> SelfTest {
    let test = self_test(subject(bench).await, &bench.store(), by(bench), pending()).await.unwrap();
    assert_eq!(test.left_behind, None);
    nothing_is_left(bench);
    test
}

#[track_caller]
fn nothing_is_left(bench: &Bench) {
    assert_eq!(bench.sandbox.s3().stored(OPERATOR_UID), Vec::<String>::new());
}

fn step<'t>(test: &'t SelfTest, name: &str) -> &'t JudgedStep {
    test.steps.iter().find(|step| step.step == name).unwrap_or_else(|| panic!("no step {name}: {test:#?}"))
}

#[track_caller]
fn ends(test: &SelfTest, name: &str, outcome: Outcome, explanation: &str) {
    let step = step(test, name);
    assert_eq!((step.outcome, step.explanation.as_str()), (outcome, explanation), "{name}");
    assert_eq!(step.fix.is_empty(), matches!(outcome, Outcome::Passed | Outcome::Skipped), "{step:?}");
}

#[track_caller]
fn passes(test: &SelfTest, names: &[&str]) {
    for name in names {
        assert_eq!(step(test, name).outcome, Outcome::Passed, "{:?}", step(test, name));
    }
}

fn canary() -> String {
    format!("grail-console/self-test/{}.canary", hotkey(OPERATOR_UID))
}

async fn drift() -> Bench {
    Bench::new("drift").await
}

#[tokio::test]
async fn keys_that_do_what_they_should_are_healthy() {
    let bench = Bench::new("healthy").await;
    let test = tested(&bench).await;
    assert!(test.healthy, "{test:#?}");
    ends(&test, "put_canary", Outcome::Passed, "The write key writes into the own bucket.");
    ends(&test, "get_canary_published_key", Outcome::Passed, "The published key reads what was written.");
    ends(&test, "get_canary_local_key", Outcome::Skipped, "The local read key is the published one.");
    ends(&test, "delete_canary", Outcome::Passed, "The canary is gone again.");
    ends(&test, "abort_upload", Outcome::Passed, "The read key cannot end an upload.");
    ends(&test, "put_canary_read_key", Outcome::Passed, "The read key cannot write.");
    ends(&test, "list_buckets", Outcome::Passed, "The read key is limited to objects: it cannot list buckets.");
    assert_eq!((test.bucket, test.at_ms), (Credentials::of(OPERATOR_UID, 0).account, 7));
}

#[tokio::test]
async fn uid_0s_read_key_must_list_checkpoints_as_consumers_do() {
    let bench = Bench::new("healthy").await;
    let as_trainer = async || {
        let subject = Subject { is_trainer: true, ..subject(&bench).await };
        self_test(subject, &bench.store(), by(&bench), pending()).await.unwrap()
    };
    let test = as_trainer().await;
    assert!(test.healthy, "{test:#?}");
    let lists = "The read key lists grail/checkpoints/, as everybody does who needs one.";
    ends(&test, "list_checkpoints", Outcome::Passed, lists);
    bench.sandbox.s3().set_fault(OPERATOR_UID, Some(BucketFault::ListRefused));
    let test = as_trainer().await;
    assert!(!test.healthy && test.risks.is_empty() && !test.is_unknown());
    let why = "The key may not list the bucket: everybody finds uid 0's checkpoints by listing grail/checkpoints/, and \
               finds none.";
    ends(&test, "list_checkpoints", Outcome::Failed, why);
    let miner = tested(&bench).await;
    assert!(miner.healthy, "a miner's windows are asked for by name: {miner:#?}");
}

#[tokio::test]
async fn everything_is_asked_of_the_own_bucket_with_own_keys_under_two_names() {
    let bench = drift().await;
    tested(&bench).await;
    let never = canary().replace(".canary", ".never");
    let own = [0, 1].map(|generation| Credentials::of(OPERATOR_UID, generation));
    let mut others_put = BTreeSet::new();
    for request in bench.sandbox.s3().requests() {
        if request.bucket.is_empty() {
            assert_eq!((request.method.as_str(), request.key.as_str()), ("GET", ""), "the list of buckets");
        } else {
            assert_eq!(request.bucket, own[0].account);
            let is_access_list = (request.method.as_str(), request.key.as_str()) == ("GET", "");
            assert!(is_access_list || [canary(), never.clone()].contains(&request.key), "{request:?}");
        }
        let key = request.access_key_id.unwrap();
        assert!([&own[0].read_key_id, &own[1].read_key_id, &own[0].write_key_id].contains(&&key), "{key}");
        if request.method == "PUT" && key != own[0].write_key_id {
            others_put.insert(key);
        }
    }
    assert_eq!(
        others_put,
        BTreeSet::from([own[1].read_key_id.clone()]),
        "what is published is tried, and nothing else"
    );
}

#[tokio::test]
async fn a_wrong_write_secret_is_told_and_nothing_is_read_back() {
    let bench = Bench::new("healthy").await.having("R2_WRITE_SECRET_ACCESS_KEY", "ab".repeat(32));
    let test = tested(&bench).await;
    assert!(!test.healthy);
    ends(&test, "put_canary", Outcome::Failed, "The write key cannot write: the secret is not the key's.");
    assert_eq!(step(&test, "put_canary").code.as_deref(), Some("SignatureDoesNotMatch"));
    for skipped in ["get_canary_published_key", "get_canary_local_key"] {
        ends(&test, skipped, Outcome::Skipped, "Nothing was written, so there is nothing to read back.");
    }
    assert_eq!(step(&test, "abort_upload").outcome, Outcome::Inconclusive, "there is nothing to calibrate with");
}

#[tokio::test]
async fn a_published_key_other_than_the_local_one_is_tested_beside_it() {
    let bench = drift().await;
    let test = tested(&bench).await;
    assert!(test.healthy, "{test:#?}");
    ends(&test, "get_canary_published_key", Outcome::Passed, "The published key reads what was written.");
    ends(&test, "get_canary_local_key", Outcome::Passed, "The local read key reads what was written.");
    ends(&test, "put_canary_read_key", Outcome::Passed, "The published key cannot write.");
}

#[tokio::test]
async fn a_published_key_that_was_revoked_fails_though_the_local_one_reads() {
    let bench = drift().await;
    bench.sandbox.s3().revoke(&Credentials::of(OPERATOR_UID, 1).read_key_id);
    let test = tested(&bench).await;
    assert!(!test.healthy);
    let words = "The published key cannot read the own bucket: the store does not know it.";
    ends(&test, "get_canary_published_key", Outcome::Failed, words);
    ends(&test, "get_canary_local_key", Outcome::Passed, "The local read key reads what was written.");
    passes(&test, &["put_canary", "delete_canary"]);
}

#[tokio::test]
async fn a_local_key_that_was_revoked_fails_though_the_published_one_reads() {
    let bench = drift().await;
    bench.sandbox.s3().revoke(&Credentials::of(OPERATOR_UID, 0).read_key_id);
    let test = tested(&bench).await;
    assert!(!test.healthy);
    let words = "The local read key cannot read the own bucket: the store does not know it.";
    ends(&test, "get_canary_local_key", Outcome::Failed, words);
    passes(&test, &["put_canary", "get_canary_published_key", "delete_canary"]);
}

#[tokio::test]
async fn a_published_bucket_other_than_the_own_one_is_a_failure() {
    let bench = Bench::new("healthy").await;
    bench.commit([(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(20, 0).read_commitment()))]).await;
    let test = tested(&bench).await;
    assert!(!test.healthy);
    let words = "The published bucket is not the one configured here: validators look elsewhere.";
    ends(&test, "get_canary_published_key", Outcome::Failed, words);
    assert!(bench.sandbox.s3().requests().iter().all(|seen| seen.bucket != Credentials::of(20, 0).account));
}

#[tokio::test]
async fn without_a_commitment_the_local_keys_are_tested_alone() {
    let bench = Bench::new("first-run").await;
    let test = tested(&bench).await;
    let words = "Nothing readable is published for this hotkey.";
    ends(&test, "get_canary_published_key", Outcome::Skipped, words);
    ends(&test, "get_canary_local_key", Outcome::Passed, "The local read key reads what was written.");
    assert!(test.healthy, "{test:#?}");
}

#[tokio::test]
async fn a_published_write_key_can_write_and_is_a_risk() {
    let bench = Bench::new("healthy").await;
    bench.commit([(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).write_commitment()))]).await;
    let test = tested(&bench).await;
    assert_eq!((test.healthy, &test.risks), (false, &vec![Risk::WriteCapable]));
    let words = "The published key can WRITE: anybody can overwrite your windows.";
    ends(&test, "abort_upload", Outcome::Failed, words);
}

#[tokio::test]
async fn where_keys_are_answered_alike_a_write_tells_what_they_can() {
    for (fault, writes) in [(BucketFault::UploadBeforeScope, false), (BucketFault::Writable, true)] {
        for scenario in ["healthy", "drift"] {
            let bench = Bench::new(scenario).await;
            bench.sandbox.s3().set_fault(OPERATOR_UID, Some(fault.clone()));
            let test = tested(&bench).await;
            let whose = if scenario == "healthy" { "read key" } else { "published key" };
            let words = format!(
                "The store's answers do not tell whether the {whose} can write: read and write key are answered alike."
            );
            ends(&test, "abort_upload", Outcome::Inconclusive, &words);
            let risks = if writes { vec![Risk::WriteCapable] } else { Vec::new() };
            assert_eq!((test.healthy, &test.risks), (!writes, &risks), "{fault:?}: {test:#?}");
            let outcome = if writes { Outcome::Failed } else { Outcome::Passed };
            assert_eq!(step(&test, "put_canary_read_key").outcome, outcome);
            assert!(bench.sandbox.s3().stored(OPERATOR_UID).iter().all(|name| !name.contains("self-test")));
        }
    }
}

#[tokio::test]
async fn a_key_of_the_whole_account_is_a_risk() {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().set_fault(OPERATOR_UID, Some(BucketFault::AccountWide));
    let test = tested(&bench).await;
    assert_eq!((test.healthy, &test.risks), (false, &vec![Risk::AccountWide]));
    let words = "The read key lists the account's buckets (1 beside this one): it is not limited to this one.";
    ends(&test, "list_buckets", Outcome::Failed, words);
    passes(&test, &["put_canary", "get_canary_published_key", "delete_canary", "abort_upload"]);
}

#[tokio::test]
async fn a_run_removes_what_a_killed_one_left_behind() {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().place(OPERATOR_UID, &canary(), 5, 1_000);
    assert!(tested(&bench).await.healthy);
}

#[tokio::test]
async fn what_others_wrote_into_the_bucket_stays() {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().place(OPERATOR_UID, "grail-console/self-test/other.canary", 5, 1_000);
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert!(test.healthy);
    assert_eq!(bench.sandbox.s3().stored(OPERATOR_UID), ["grail-console/self-test/other.canary"]);
}

/// A bench whose way to the store loses what it is told to, soon.
async fn lossy(scenario: &str) -> (Bench, Way) {
    let bench = Bench::new(scenario).await;
    let way = Way::to(bench.sandbox.s3_url()).await;
    let options = StoreOptions { total: Duration::from_millis(1_500), ..StoreOptions::default() };
    let bench = bench.at(Some(way.url().to_owned())).options(options);
    (bench, way)
}

#[rstest]
#[case::the_answer_to_the_write("PUT", Loss::Answer, "put_canary", Outcome::Inconclusive)]
#[case::the_write("PUT", Loss::Everything, "put_canary", Outcome::Inconclusive)]
#[case::the_answer_to_the_read("GET", Loss::Answer, "get_canary_published_key", Outcome::Inconclusive)]
#[case::the_read("GET", Loss::Everything, "get_canary_published_key", Outcome::Inconclusive)]
#[tokio::test]
async fn nothing_is_left_behind_when_this_is_lost(
    #[case] verb: &str,
    #[case] loss: Loss,
    #[case] lost: &str,
    #[case] outcome: Outcome,
) {
    let (bench, way) = lossy("healthy").await;
    way.lose(verb, Some(loss));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert_eq!(step(&test, lost).outcome, outcome);
    assert_eq!((test.healthy, test.left_behind, test.canary), (false, None, Canary::Removed));
    nothing_is_left(&bench);
}

#[tokio::test]
async fn of_a_write_that_was_never_answered_it_is_not_known_whether_it_was_done_and_it_is_removed() {
    let (bench, way) = lossy("healthy").await;
    way.lose("PUT", Some(Loss::Everything));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    let words = "The store did not answer: whether the canary was written is not known.";
    ends(&test, "put_canary", Outcome::Inconclusive, words);
    let words = "Whether the canary was written is not known, so it is not read back.";
    ends(&test, "get_canary_published_key", Outcome::Skipped, words);
    ends(&test, "get_canary_local_key", Outcome::Skipped, words);
    ends(&test, "delete_canary", Outcome::Passed, "The canary is gone again.");
    assert_eq!((test.healthy, test.is_unknown(), test.remains()), (false, true, None));
    assert_eq!(test.sentence(), "Whether your keys do what they should is not known: the store did not answer.");
}

#[tokio::test]
async fn where_neither_write_nor_removal_is_answered_nothing_is_said_to_be_in_the_bucket() {
    let (bench, way) = lossy("healthy").await;
    way.lose("PUT", Some(Loss::Everything));
    way.lose("DELETE", Some(Loss::Everything));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert_eq!((test.canary, test.left_behind.as_deref()), (Canary::Unknown, Some(canary().as_str())));
    let words = "The store did not answer: whether the canary is gone is not known.";
    ends(&test, "delete_canary", Outcome::Inconclusive, words);
    let remains = test.remains().unwrap();
    assert!(remains.starts_with(&format!("Whether {} is in the bucket is not known", canary())), "{remains}");
    nothing_is_left(&bench);
}

#[tokio::test]
async fn a_canary_that_the_store_refuses_to_remove_is_said_to_be_in_the_bucket() {
    let (bench, way) = lossy("healthy").await;
    way.lose("GET", Some(Loss::Everything));
    let revoked = async {
        way.came("GET").await;
        bench.sandbox.s3().revoke(&Credentials::of(OPERATOR_UID, 0).write_key_id);
    };
    let (subject, store) = (subject(&bench).await, bench.store());
    let (test, ()) = tokio::join!(self_test(subject, &store, by(&bench), pending()), revoked);
    let test = test.unwrap();
    assert_eq!((test.canary, test.healthy, test.is_unknown()), (Canary::Left, false, false));
    assert_eq!(step(&test, "delete_canary").outcome, Outcome::Failed);
    let words = format!("{} is still in the bucket; the next self-test removes it.", canary());
    assert_eq!(test.remains(), Some(words));
    assert_eq!(bench.sandbox.s3().stored(OPERATOR_UID), [canary()]);
}

/// Each answer comes in time for its request, and all of them together do not.
#[tokio::test]
async fn what_there_was_no_time_for_is_unknown_and_the_canary_is_removed() {
    let (bench, way) = lossy("healthy").await;
    way.delay(Duration::from_millis(400));
    let options =
        StoreOptions { total: Duration::from_secs(2), whole: Duration::from_secs(3), ..StoreOptions::default() };
    let bench = bench.options(options);
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert_eq!((test.out_of_time, test.healthy, test.is_unknown()), (true, false, true), "{test:#?}");
    let names = ["put_canary", "get_canary_published_key", "get_canary_local_key", "delete_canary"];
    for name in names.into_iter().chain(["abort_upload", "list_buckets"]) {
        step(&test, name);
    }
    let last = step(&test, "list_buckets");
    assert_eq!(last.outcome, Outcome::Inconclusive);
    assert_eq!(last.explanation, "Not known: the time for the whole test was over.");
    assert!(test.sentence().ends_with("the time was over before everything was asked."), "{}", test.sentence());
    assert_eq!(test.left_behind, None);
    nothing_is_left(&bench);
}

#[rstest]
#[case::refused(BucketFault::NoBucket, Some("NoSuchBucket"), Outcome::Failed)]
#[case::throttled(BucketFault::Throttled, Some("TooManyRequests"), Outcome::Inconclusive)]
#[tokio::test]
async fn a_write_that_was_refused_leaves_nothing_to_remove(
    #[case] fault: BucketFault,
    #[case] code: Option<&str>,
    #[case] outcome: Outcome,
) {
    let bench = Bench::new("healthy").await;
    bench.sandbox.s3().set_fault(OPERATOR_UID, Some(fault));
    let test = tested(&bench).await;
    assert!(!test.healthy);
    assert_eq!((step(&test, "put_canary").outcome, step(&test, "put_canary").code.as_deref()), (outcome, code));
    assert_eq!(test.is_unknown(), outcome == Outcome::Inconclusive);
}

#[tokio::test]
async fn where_nothing_was_sent_nothing_is_said_to_be_left_behind() {
    let bench = Bench::new("healthy").await.at(Some("http://127.0.0.1:1".to_owned()));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert_eq!((test.healthy, &test.left_behind), (false, &None));
    assert_eq!(step(&test, "put_canary").code.as_deref(), Some("tcp"));
    assert!(test.is_unknown(), "the keys are not to blame: {test:#?}");
    assert!(
        test.steps.iter().all(|step| matches!(step.outcome, Outcome::Inconclusive | Outcome::Skipped)),
        "{test:#?}"
    );
    assert_eq!(test.sentence(), "Whether your keys do what they should is not known: the store did not answer.");
}

#[tokio::test]
async fn a_canary_that_cannot_be_removed_is_named_and_the_next_run_removes_it() {
    let (bench, way) = lossy("healthy").await;
    way.lose("DELETE", Some(Loss::Everything));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert_eq!((test.healthy, test.left_behind, test.canary), (false, Some(canary()), Canary::Unknown));
    assert_eq!(bench.sandbox.s3().stored(OPERATOR_UID), [canary()]);
    way.lose("DELETE", None);
    assert!(tested(&bench).await.healthy);
}

/// Runs until a request with the verb has come, and is stopped there.
#[rstest]
#[case::while_it_writes("PUT", Loss::Everything)]
#[case::while_what_it_wrote_is_not_confirmed("PUT", Loss::Answer)]
#[case::while_it_reads("GET", Loss::Everything)]
#[tokio::test]
async fn a_stop_in_the_middle_leaves_nothing_behind(#[case] verb: &str, #[case] loss: Loss) {
    let (bench, way) = lossy("healthy").await;
    way.lose(verb, Some(loss));
    let seen = way.clone();
    let stop = async move { seen.came(verb).await };
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), stop).await.unwrap();
    assert_eq!(test.left_behind, None);
    assert_eq!(way.seen().last().map(String::as_str), Some("DELETE"), "{:?}", way.seen());
    nothing_is_left(&bench);
}

#[tokio::test]
async fn a_stop_before_anything_was_written_asks_for_nothing() {
    let bench = Bench::new("healthy").await;
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), std::future::ready(())).await.unwrap();
    assert_eq!((test.steps.len(), test.left_behind), (0, None));
    nothing_is_left(&bench);
}

/// A proxy that refuses everything in HTML has said nothing about any key.
#[rstest]
#[case::forbidden("403 Forbidden")]
#[case::wants_a_password("401 Unauthorized")]
#[case::nothing_there("404 Not Found")]
#[case::a_login_page("200 OK")]
#[tokio::test]
async fn behind_a_proxy_the_keys_are_not_blamed_and_no_check_passes(#[case] status: &'static str) {
    let headers = "Content-Type: text/html\r\nServer: squid/6.1\r\n";
    let server = Server::start(move |request| {
        let body = if request.starts_with("HEAD") { "" } else { "<html>no</html>" };
        Script::answer(status, headers, body)
    });
    let bench = Bench::new("healthy").await.at(Some(server.url()));
    let test = self_test(subject(&bench).await, &bench.store(), by(&bench), pending()).await.unwrap();
    assert!(test.is_unknown() && test.risks.is_empty(), "{test:#?}");
    assert!(
        test.steps.iter().all(|step| matches!(step.outcome, Outcome::Inconclusive | Outcome::Skipped)),
        "{test:#?}"
    );
    let said = &step(&test, "list_buckets").explanation;
    assert!(said.contains("text/html, served by squid/6.1) is no S3 store"), "{said}");
}
