//! What can become of a commit, on request: refusals and interruptions, over the socket; and each scenario of a commit.

use std::time::Duration;

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, CompetingSubmitter, Credentials, Interruption, Lie, Moment, NETUID, OPERATOR_UID,
    PoolAnswer, Sandbox, SandboxOptions, Scenario, hotkey,
};
use rstest::rstest;
use serde_json::{Value as Json, json};
use subxt_rpcs::client::{RpcSubscription, rpc_params};

use crate::support::encoder::{Offer, Signer, hex};
use crate::support::pool::{
    CONTENT, OTHER, Refusal, by_hand, client, commit, events, invalid, kind, kinds, next, next_index, operator,
    pending, published, submit, watch,
};

/// Fails unless the connection behind a subscription is lost.
async fn is_cut(statuses: &mut RpcSubscription<Json>) {
    let end = tokio::time::timeout(Duration::from_mins(1), statuses.next()).await.expect("the connection still stands");
    assert!(matches!(end, None | Some(Err(_))), "not the end: {end:?}");
}

#[rstest]
#[case(PoolAnswer::Stale, invalid("Transaction is outdated"))]
#[case(PoolAnswer::Future, invalid("Transaction will be valid in the future"))]
#[case(PoolAnswer::BadProof, invalid("Transaction has a bad signature"))]
#[case(PoolAnswer::AncientBirthBlock, invalid("Transaction has an ancient birth block"))]
#[case(PoolAnswer::Payment, invalid("Inability to pay some fees (e.g. account balance too low)"))]
#[case(PoolAnswer::ExhaustsResources, invalid("Transaction would exhaust the block limits"))]
#[case(PoolAnswer::Custom(19), invalid("Custom error: 19"))]
#[case(PoolAnswer::Banned, (1012, "Transaction is temporarily banned".to_owned(), None))]
#[case(PoolAnswer::AlreadyImported, (1013, "Transaction Already Imported".to_owned(), Some(json!("Any { .. }"))))]
#[case(
    PoolAnswer::LowPriority,
    (
        1014,
        "Priority is too low: (32768 vs 32768)".to_owned(),
        Some(json!("The transaction has too low priority to replace another transaction already in the pool."))
    )
)]
#[case(
    PoolAnswer::Dropped,
    (
        1016,
        "Immediately Dropped".to_owned(),
        Some(json!("The transaction couldn't enter the pool because of the limit"))
    )
)]
#[tokio::test]
async fn every_submission_is_refused_as_asked(#[case] answer: PoolAnswer, #[case] refusal: Refusal) {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let extrinsic = commit(&sandbox);
    sandbox.faults().answer_pool(Some(answer));
    assert_eq!(submit(&client, &extrinsic).await, Err(refusal.clone()));
    assert_eq!(watch(&client, &extrinsic).await.err(), Some(refusal));
    assert!(pending(&client).await.is_empty());
    sandbox.faults().answer_pool(None);
    submit(&client, &extrinsic).await.unwrap();
}

#[tokio::test]
async fn in_a_dry_pool_a_commit_waits_until_its_era_is_over() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().hold_pool(true);
    let (born, extrinsic) = (sandbox.best().number(), commit(&sandbox));
    let mut statuses = watch(&client, &extrinsic).await.unwrap();
    assert_eq!(kinds(&mut statuses, 2).await, ["ready", "broadcast"]);
    while sandbox.best().number() < born + 62 {
        assert_eq!(sandbox.produce_block().await.unwrap().extrinsics.len(), 1);
    }
    assert_eq!(pending(&client).await.len(), 1);
    // From this block on the next one is no longer within the era.
    sandbox.produce_block().await.unwrap();
    assert_eq!(next(&mut statuses).await, "invalid");
    assert!(pending(&client).await.is_empty());
    sandbox.faults().hold_pool(false);
    let banned = (1012, "Transaction is temporarily banned".to_owned(), None);
    assert_eq!(submit(&client, &extrinsic).await, Err(banned));
    assert_eq!(next_index(&client, operator()).await, 0);
}

#[tokio::test]
async fn a_runtime_upgrade_makes_what_waits_in_the_pool_invalid() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().hold_pool(true);
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    sandbox.faults().upgrade_runtime();
    sandbox.produce_block().await.unwrap();
    sandbox.faults().hold_pool(false);
    sandbox.produce_block().await.unwrap();
    assert_eq!(kinds(&mut statuses, 3).await, ["ready", "broadcast", "invalid"]);
}

#[rstest]
#[case(Interruption::BeforeAnswer, true)]
#[case(Interruption::Swallowed, false)]
#[tokio::test]
async fn an_answer_is_lost_with_all_connections_and_the_commit_with_it_or_not(
    #[case] interruption: Interruption,
    #[case] in_the_pool: bool,
    #[values(true, false)] watched: bool,
) {
    let sandbox = by_hand("healthy").await;
    let (submitter, bystander) = (client(&sandbox).await, client(&sandbox).await);
    sandbox.faults().interrupt_submission(interruption);
    let extrinsic = commit(&sandbox);
    let bytes = rpc_params![hex(&extrinsic)];
    let lost = if watched {
        let (method, end) = ("author_submitAndWatchExtrinsic", "author_unwatchExtrinsic");
        submitter.subscribe::<Json>(method, bytes, end).await.err().unwrap()
    } else {
        submitter.request::<String>("author_submitExtrinsic", bytes).await.err().unwrap()
    };
    assert!(!matches!(lost, subxt_rpcs::Error::User(_)), "an answer: {lost}");
    bystander.request::<String>("system_chain", rpc_params![]).await.unwrap_err();
    let again = client(&sandbox).await;
    assert_eq!(pending(&again).await.len(), usize::from(in_the_pool));
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(block.extrinsics.len(), 1 + usize::from(in_the_pool));
    // It happens once.
    let next_one = Offer::of(&sandbox, OPERATOR_UID, u32::from(in_the_pool), OTHER).extrinsic();
    submit(&again, &next_one).await.unwrap();
}

#[rstest]
#[case(Interruption::AfterBroadcast, &["ready", "broadcast"])]
#[case(Interruption::AfterInBlock, &["ready", "broadcast", "inBlock"])]
#[case(Interruption::AfterFinalized, &["ready", "broadcast", "inBlock", "finalized"])]
#[tokio::test]
async fn the_connection_ends_right_behind_a_status_and_the_commit_goes_its_way(
    #[case] interruption: Interruption,
    #[case] told: &[&str],
) {
    let sandbox = by_hand("healthy").await;
    let (submitter, bystander) = (client(&sandbox).await, client(&sandbox).await);
    sandbox.faults().interrupt_submission(interruption);
    // Nobody watches this one, so it is not meant.
    let other = Offer::of(&sandbox, 7, 0, OTHER).extrinsic();
    submit(&bystander, &other).await.unwrap();
    let mut statuses = watch(&submitter, &commit(&sandbox)).await.unwrap();
    for _ in 0..3 {
        sandbox.produce_block().await.unwrap();
    }
    assert_eq!(kinds(&mut statuses, told.len()).await, told);
    is_cut(&mut statuses).await;
    while bystander.request::<String>("system_chain", rpc_params![]).await.is_ok() {}
    client(&sandbox).await.request::<String>("system_chain", rpc_params![]).await.unwrap();
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
}

/// A scenario whose operator commits once: what the submission is answered, or the first so many statuses.
async fn course(scenario: &str, count: usize) -> (Sandbox, Vec<String>) {
    let scenario = Scenario::named(scenario).unwrap();
    let options = SandboxOptions { block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client(&sandbox).await;
    let extrinsic = Offer::of(&sandbox, OPERATOR_UID, 0, &own_key()).extrinsic();
    let (method, end) = ("author_submitAndWatchExtrinsic", "author_unwatchExtrinsic");
    let mut statuses = match client.subscribe::<Json>(method, rpc_params![hex(&extrinsic)], end).await {
        Ok(statuses) => statuses,
        Err(subxt_rpcs::Error::User(error)) => {
            let reason = error.data.map_or(error.message, |data| serde_json::from_str(data.get()).unwrap());
            return (sandbox, vec![format!("{}: {reason}", error.code)]);
        }
        Err(_) => return (sandbox, vec!["lost".to_owned()]),
    };
    for _ in 0..6 {
        sandbox.produce_block().await.unwrap();
    }
    let mut told = Vec::new();
    for _ in 0..count {
        let status = tokio::time::timeout(Duration::from_mins(1), statuses.next()).await.expect("nothing more is told");
        told.push(status.and_then(Result::ok).map_or_else(|| "lost".to_owned(), |status| kind(&status)));
    }
    (sandbox, told)
}

/// The key of the operator's `.env`.
fn own_key() -> [u8; 128] {
    Credentials::of(OPERATOR_UID, 0).read_commitment().into_bytes().try_into().unwrap()
}

#[rstest]
#[case("pool-stale", &["1010: Transaction is outdated"], false)]
#[case("pool-future", &["1010: Transaction will be valid in the future"], false)]
#[case("pool-bad-proof", &["1010: Transaction has a bad signature"], false)]
#[case("pool-ancient", &["1010: Transaction has an ancient birth block"], false)]
#[case("pool-banned", &["1012: Transaction is temporarily banned"], false)]
#[case(
    "pool-priority",
    &["1014: The transaction has too low priority to replace another transaction already in the pool."],
    false
)]
#[case("unregistered-pool", &["1010: Custom error: 19"], false)]
#[case("unregistered-block", &["ready", "broadcast", "inBlock", "finalized"], false)]
#[case("budget-spent", &["ready", "broadcast", "inBlock", "finalized"], false)]
#[case("era-expires", &["ready", "broadcast"], false)]
#[case("connection-lost", &["ready", "broadcast", "lost"], true)]
#[case("submission-lost", &["lost"], false)]
#[case(
    "reorganised",
    &["ready", "broadcast", "inBlock", "retracted", "ready", "broadcast", "inBlock", "finalized"],
    true
)]
#[case("usurped", &["ready", "broadcast", "inBlock", "finalized"], false)]
#[case("lying-finality", &["ready", "broadcast", "inBlock", "finalized"], true)]
#[case("invented-block", &["ready", "broadcast", "inBlock", "finalized"], false)]
#[case("forged-event", &["ready", "broadcast", "inBlock", "finalized"], false)]
#[case("forged-value", &["ready", "broadcast", "inBlock", "finalized"], true)]
#[case("doctored-metadata", &["ready", "broadcast", "inBlock", "finalized"], true)]
#[case("foreign-extension", &["ready", "broadcast", "inBlock", "finalized"], true)]
#[tokio::test]
async fn each_scenario_of_a_commit_goes_as_it_says(
    #[case] scenario: &str,
    #[case] told: &[&str],
    #[case] stored: bool,
) {
    let (sandbox, course) = course(scenario, told.len()).await;
    assert_eq!(course, told);
    let content = published(&sandbox, hotkey(OPERATOR_UID));
    assert_eq!(content.as_deref() == Some(&own_key()), stored);
}

#[rstest]
#[case("unregistered-block", "18.1")]
#[case("budget-spent", "18.2")]
#[tokio::test]
async fn a_commit_that_the_runtime_refuses_fails_in_the_block(#[case] scenario: &str, #[case] error: &str) {
    let sandbox = by_hand(scenario).await;
    let client = client(&sandbox).await;
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(events(&sandbox, &block).await[1..], [format!("ApplyExtrinsic(1) System.ExtrinsicFailed {error}")]);
}

#[tokio::test]
async fn an_operator_who_registers_later_can_commit_from_then_on() {
    let sandbox = by_hand("armed").await;
    let client = client(&sandbox).await;
    let account = operator();
    let key = {
        let prefix = hex::decode("658faa385070e074c85bf6b568cf0555aab1b4e78e1ea8305462ee53b3686dc8").unwrap();
        [prefix, NETUID.to_le_bytes().to_vec(), sp_crypto_hashing::blake2_128(&account).to_vec(), account.to_vec()]
    };
    let uid = || client.request::<Option<String>>("state_getStorage", rpc_params![hex(&key.concat())]);
    for _ in 0..9 {
        sandbox.produce_block().await.unwrap();
        assert_eq!(uid().await.unwrap(), None);
    }
    sandbox.produce_block().await.unwrap();
    assert_eq!(uid().await.unwrap().unwrap(), "0x2a00");
    submit(&client, &commit(&sandbox)).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, Hotkey::from_bytes(account)).unwrap(), CONTENT);
}

#[tokio::test]
async fn everything_works_again_after_a_recovery() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let faults = sandbox.faults();
    faults.answer_pool(Some(PoolAnswer::Banned));
    faults.hold_pool(true);
    faults.lie(Some(Lie::SilentDrop));
    faults.usurp(Some(CompetingSubmitter { moment: Moment::InSameBlock, spec: CommitmentSpec::raw(*OTHER) }));
    faults.interrupt_submission(Interruption::Swallowed);
    faults.recover().await.unwrap();
    let mut statuses =
        watch(&client, &Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, commit_call()).extrinsic()).await.unwrap();
    for _ in 0..3 {
        sandbox.produce_block().await.unwrap();
    }
    assert_eq!(kinds(&mut statuses, 4).await, ["ready", "broadcast", "inBlock", "finalized"]);
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
}

fn commit_call() -> Vec<u8> {
    crate::support::encoder::set_commitment(NETUID, CONTENT)
}
