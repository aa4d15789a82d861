//! Everything that can become of a commit, on request: refusals, interruptions, forks, usurpers and lies, each over the
//! socket, and each as a scenario.

use std::time::Duration;

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Credentials, Field, Interruption, Lie, MAX_FINALITY_BLOCKS, Moment, NETUID,
    OPERATOR_UID, PoolAnswer, Sandbox, SandboxOptions, Scenario, Usurper, hotkey,
};
use parity_scale_codec::Decode;
use rstest::rstest;
use serde_json::{Value as Json, json};
use subxt_rpcs::client::{RpcClient, RpcSubscription, rpc_params};
use subxt_rpcs::methods::legacy::StorageChangeSet;

use crate::sandbox_node::{by_hand, client, next, rpc};
use crate::sandbox_pool::{Refusal, events, invalid, next_index, published, submit, watch};
use crate::support::encoder::{Offer, Signer, hex};

const CONTENT: &[u8; 128] = &[b'a'; 128];
const OTHER: &[u8; 128] = &[b'b'; 128];

fn commit(sandbox: &Sandbox) -> Vec<u8> {
    Offer::of(sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()
}

fn operator() -> [u8; 32] {
    *hotkey(OPERATOR_UID).as_bytes()
}

/// Which of its statuses this is.
fn kind(status: &Json) -> String {
    status.as_str().map_or_else(|| status.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned)
}

/// The kinds of the next so many statuses.
async fn kinds(statuses: &mut RpcSubscription<Json>, count: usize) -> Vec<String> {
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(kind(&next(statuses).await));
    }
    kinds
}

/// Fails unless the connection behind a subscription is lost.
async fn is_cut(statuses: &mut RpcSubscription<Json>) {
    let end = tokio::time::timeout(Duration::from_mins(1), statuses.next()).await.expect("the connection still stands");
    assert!(matches!(end, None | Some(Err(_))), "not the end: {end:?}");
}

async fn pending(client: &RpcClient) -> Vec<String> {
    client.request("author_pendingExtrinsics", rpc_params![]).await.unwrap()
}

#[rstest]
#[case(PoolAnswer::Stale, invalid("Transaction is outdated"))]
#[case(PoolAnswer::Future, invalid("Transaction will be valid in the future"))]
#[case(PoolAnswer::BadProof, invalid("Transaction has a bad signature"))]
#[case(PoolAnswer::AncientBirthBlock, invalid("Transaction has an ancient birth block"))]
#[case(PoolAnswer::Payment, invalid("Inability to pay some fees (e.g. account balance too low)"))]
#[case(PoolAnswer::ExhaustsResources, invalid("Transaction would exhaust the block limits"))]
#[case(PoolAnswer::Custom(10), invalid("Custom error: 10"))]
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

#[tokio::test]
async fn after_a_fork_a_commit_is_retracted_and_included_again_in_a_later_block() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let before = published(&sandbox, hotkey(OPERATOR_UID));
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    let old = sandbox.produce_block().await.unwrap();
    let best = sandbox.fork(1).await.unwrap();
    assert_eq!(best.number(), old.number() + 1);
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)), before);
    let new = sandbox.produce_block().await.unwrap();
    for _ in 0..2 {
        sandbox.produce_block().await.unwrap();
    }
    assert_eq!(kinds(&mut statuses, 2).await, ["ready", "broadcast"]);
    assert_eq!(next(&mut statuses).await, json!({ "inBlock": hex(&old.hash) }));
    assert_eq!(next(&mut statuses).await, json!({ "retracted": hex(&old.hash) }));
    assert_eq!(kinds(&mut statuses, 2).await, ["ready", "broadcast"]);
    assert_eq!(next(&mut statuses).await, json!({ "inBlock": hex(&new.hash) }));
    assert_eq!(next(&mut statuses).await, json!({ "finalized": hex(&new.hash) }));
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
    // The old block is still known, with its state, and the height has another.
    assert_eq!(events(&sandbox, &old).await[1], "ApplyExtrinsic(1) Commitments.Commitment");
    let at: String = client.request("chain_getBlockHash", rpc_params![old.number()]).await.unwrap();
    assert_ne!(at, hex(&old.hash));
}

#[tokio::test]
async fn a_fork_shows_in_the_heads_and_tells_the_values_that_changed_back() {
    let sandbox = by_hand("healthy").await;
    let (client, rpc) = (client(&sandbox).await, rpc(&sandbox).await);
    let mut heads = rpc.chain_subscribe_new_heads().await.unwrap();
    let mut finalized = rpc.chain_subscribe_finalized_heads().await.unwrap();
    let who = hotkey(OPERATOR_UID);
    let prefix = hex::decode("ca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf5100").unwrap();
    let key = [prefix, sp_crypto_hashing::twox_64(who.as_bytes()).to_vec(), who.as_bytes().to_vec()].concat();
    let mut changes: RpcSubscription<StorageChangeSet<subxt::utils::H256>> =
        client.subscribe("state_subscribeStorage", rpc_params![[hex(&key)]], "state_unsubscribeStorage").await.unwrap();
    let start = u64::from(sandbox.best().number());
    let first = next(&mut changes).await.changes[0].1.clone();
    submit(&client, &commit(&sandbox)).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert!(next(&mut changes).await.changes[0].1.as_ref().unwrap().ends_with(CONTENT));
    assert_eq!([next(&mut heads).await.number, next(&mut heads).await.number], [start, start + 1]);
    let best = sandbox.fork(1).await.unwrap();
    let back = next(&mut changes).await;
    assert_eq!((back.block.0, &back.changes[0].1), (best.hash, &first));
    let (one, two) = (next(&mut heads).await, next(&mut heads).await);
    assert_eq!([one.number, two.number], [start + 1, start + 2]);
    assert_eq!(sp_crypto_hashing::blake2_256(&parity_scale_codec::Encode::encode(&one)), two.parent_hash.0);
    for height in start - 2..=start {
        assert_eq!(next(&mut finalized).await.number, height);
    }
}

#[tokio::test]
async fn a_commit_that_is_lost_in_a_fork_is_never_heard_of_again_and_its_nonce_is_free() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lose_in_fork(true);
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(next_index(&client, operator()).await, 1);
    sandbox.fork(1).await.unwrap();
    assert_eq!(kinds(&mut statuses, 4).await, ["ready", "broadcast", "inBlock", "retracted"]);
    for _ in 0..3 {
        assert_eq!(sandbox.produce_block().await.unwrap().extrinsics.len(), 1);
    }
    assert_eq!(next_index(&client, operator()).await, 0);
    assert!(pending(&client).await.is_empty());
    assert!(futures::poll!(std::pin::pin!(statuses.next())).is_pending());
}

#[tokio::test]
async fn a_commit_born_in_a_block_that_is_replaced_is_invalid() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.produce_block().await.unwrap();
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    sandbox.produce_block().await.unwrap();
    sandbox.fork(2).await.unwrap();
    assert_eq!(kinds(&mut statuses, 5).await, ["ready", "broadcast", "inBlock", "retracted", "invalid"]);
    // What was signed for a block that stayed is taken back.
    let finalized = sandbox.finalized();
    let era = Some((finalized.number(), finalized.hash, 64));
    let offer = Offer { era, ..Offer::of(&sandbox, OPERATOR_UID, 0, OTHER) };
    submit(&client, &offer.extrinsic()).await.unwrap();
    sandbox.produce_block().await.unwrap();
    sandbox.fork(2).await.unwrap();
    assert_eq!(pending(&client).await.len(), 1);
}

#[tokio::test]
async fn what_others_did_in_a_replaced_block_happens_again() {
    let sandbox = by_hand("healthy").await;
    sandbox.commit(7, CommitmentSpec::raw(*OTHER));
    sandbox.produce_block().await.unwrap();
    sandbox.fork(1).await.unwrap();
    assert_ne!(published(&sandbox, hotkey(7)).unwrap(), OTHER);
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, hotkey(7)).unwrap(), OTHER);
}

#[tokio::test]
async fn when_finality_stands_still_forks_are_deeper_and_watches_end_at_last() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().hold_finality(true);
    let finalized = sandbox.finalized();
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    for _ in 0..5 {
        sandbox.produce_block().await.unwrap();
    }
    let old = sandbox.best();
    sandbox.fork(5).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!((sandbox.finalized().hash, block.number()), (finalized.hash, old.number() + 2));
    for _ in 0..MAX_FINALITY_BLOCKS {
        sandbox.produce_block().await.unwrap();
    }
    let told = ["ready", "broadcast", "inBlock", "retracted", "ready", "broadcast", "inBlock"];
    assert_eq!(kinds(&mut statuses, told.len()).await, told);
    assert_eq!(next(&mut statuses).await, json!({ "finalityTimeout": hex(&block.hash) }));
    sandbox.faults().hold_finality(false);
    sandbox.produce_block().await.unwrap();
    assert_eq!(sandbox.finalized().number(), sandbox.best().number() - 2);
}

#[rstest]
#[case(Moment::InSameBlock, 1)]
#[case(Moment::NextBlock, 2)]
#[case(Moment::AfterFinality, 4)]
#[tokio::test]
async fn somebody_with_the_same_hotkey_commits_after_us(#[case] moment: Moment, #[case] blocks: u32) {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().usurp(Some(Usurper { moment, spec: CommitmentSpec::raw(*OTHER) }));
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    for block in 1..=4 {
        sandbox.produce_block().await.unwrap();
        let content = published(&sandbox, hotkey(OPERATOR_UID)).unwrap();
        assert_eq!(content, if block < blocks { CONTENT } else { OTHER }, "in block {block}");
    }
    // Ours was in a block and became final all the same, and nobody usurps the usurper.
    assert_eq!(kinds(&mut statuses, 4).await, ["ready", "broadcast", "inBlock", "finalized"]);
    for _ in 0..4 {
        assert_eq!(sandbox.produce_block().await.unwrap().extrinsics.len(), 1);
    }
    assert_eq!(next_index(&client, operator()).await, 2);
}

#[tokio::test]
async fn a_usurper_s_commitment_is_a_true_extrinsic_with_true_events() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let spec = CommitmentSpec::Fields(vec![Field::Raw(OTHER.to_vec())]);
    sandbox.faults().usurp(Some(Usurper { moment: Moment::InSameBlock, spec }));
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(block.extrinsics.len(), 3);
    assert!(block.extrinsics[2][2..].starts_with(&operator()) && block.extrinsics[2].ends_with(OTHER));
    let told = events(&sandbox, &block).await;
    for (index, pair) in (1..).zip(told[1..].chunks(2)) {
        let success = ["Commitments.Commitment", "System.ExtrinsicSuccess"];
        assert_eq!(pair, success.map(|name| format!("ApplyExtrinsic({index}) {name}")));
    }
    assert_eq!(told.len(), 5);
}

#[tokio::test]
async fn a_node_may_say_final_before_it_is() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lie(Some(Lie::FinalizedAtOnce));
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(kinds(&mut statuses, 3).await, ["ready", "broadcast", "inBlock"]);
    assert_eq!(next(&mut statuses).await, json!({ "finalized": hex(&block.hash) }));
    let head: String = client.request("chain_getFinalizedHead", rpc_params![]).await.unwrap();
    assert_eq!(head, hex(&sandbox.finalized().hash));
    assert!(sandbox.finalized().number() < block.number());
}

#[tokio::test]
async fn a_node_may_invent_a_block() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lie(Some(Lie::InventedBlock));
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(block.extrinsics.len(), 1);
    assert_eq!(kinds(&mut statuses, 2).await, ["ready", "broadcast"]);
    let (included, finalized) = (next(&mut statuses).await, next(&mut statuses).await);
    assert_eq!(included["inBlock"], finalized["finalized"]);
    let header: Json = client.request("chain_getHeader", rpc_params![&included["inBlock"]]).await.unwrap();
    assert_eq!(header, Json::Null);
    assert_eq!(next_index(&client, operator()).await, 0);
}

#[tokio::test]
async fn a_node_may_serve_the_events_of_a_success_that_was_none() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let before = published(&sandbox, hotkey(OPERATOR_UID));
    sandbox.faults().lie(Some(Lie::ForgedEvent));
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(
        events(&sandbox, &block).await[1..],
        ["ApplyExtrinsic(1) Commitments.Commitment", "ApplyExtrinsic(1) System.ExtrinsicSuccess"]
    );
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)), before);
    assert_eq!(next_index(&client, operator()).await, 1);
}

#[tokio::test]
async fn a_node_may_serve_a_value_that_was_never_stored() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lie(Some(Lie::ForgedValue));
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(events(&sandbox, &block).await[1..], ["ApplyExtrinsic(1) System.ExtrinsicFailed 18.1"]);
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_node_may_accept_a_commit_and_never_speak_of_it_again() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lie(Some(Lie::SilentDrop));
    let mut statuses = watch(&client, &commit(&sandbox)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(sandbox.produce_block().await.unwrap().extrinsics.len(), 1);
    }
    assert!(pending(&client).await.is_empty());
    assert!(futures::poll!(std::pin::pin!(statuses.next())).is_pending());
}

#[tokio::test]
async fn a_node_may_say_any_nonce() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().lie(Some(Lie::NonceLie(77)));
    assert_eq!(next_index(&client, operator()).await, 77);
    sandbox.faults().lie(None);
    assert_eq!(next_index(&client, operator()).await, 0);
}

/// The metadata as a client that asks for the newest reads it, and as one that only knows version 14.
async fn served_metadata(sandbox: &Sandbox) -> [subxt::Metadata; 2] {
    let client = client(sandbox).await;
    let asked = rpc_params!["Metadata_metadata_at_version", hex(&16u32.to_le_bytes())];
    let newest: String = client.request("state_call", asked).await.unwrap();
    let newest = hex::decode(newest.trim_start_matches("0x")).unwrap();
    let newest = Option::<Vec<u8>>::decode(&mut newest.as_slice()).unwrap().unwrap();
    let oldest: String = client.request("state_getMetadata", rpc_params![]).await.unwrap();
    let oldest = hex::decode(oldest.trim_start_matches("0x")).unwrap();
    [newest, oldest].map(|bytes| subxt::Metadata::decode_from(&bytes[..]).unwrap())
}

#[tokio::test]
async fn a_node_may_serve_metadata_that_makes_a_commit_another_call() {
    let sandbox = by_hand("healthy").await;
    let index = |metadata: &subxt::Metadata| {
        let pallet = metadata.pallet_by_name("Commitments").unwrap();
        [pallet.call_index(), pallet.call_variant_by_name("set_commitment").unwrap().index]
    };
    assert_eq!(served_metadata(&sandbox).await.each_ref().map(index), [[18, 0]; 2]);
    sandbox.faults().lie(Some(Lie::PermutedCalls));
    assert_eq!(served_metadata(&sandbox).await.each_ref().map(index), [[5, 2]; 2]);
    // The chain behind it is what it was.
    let client = client(&sandbox).await;
    submit(&client, &commit(&sandbox)).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_node_may_name_an_extension_that_nobody_knows() {
    let sandbox = by_hand("healthy").await;
    sandbox.faults().lie(Some(Lie::ForeignExtension));
    for metadata in served_metadata(&sandbox).await {
        let extensions = metadata.extrinsic().transaction_extensions_by_version(0).unwrap();
        assert_eq!(extensions.last().unwrap().identifier(), "PracticeForeignExtension");
    }
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
#[case("unregistered-pool", &["1010: Custom error: 10"], false)]
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
    faults.usurp(Some(Usurper { moment: Moment::InSameBlock, spec: CommitmentSpec::raw(*OTHER) }));
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
