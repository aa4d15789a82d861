//! Blocks that are replaced, and somebody else with the same hotkey: what was certain is not, and everybody is told.

use grail_console::sandbox::{
    Block, CommitmentSpec, CompetingSubmitter, Field, MAX_FINALITY_BLOCKS, Moment, OPERATOR_UID, hotkey,
};
use rstest::rstest;
use serde_json::json;
use subxt_rpcs::client::{RpcSubscription, rpc_params};
use subxt_rpcs::methods::legacy::StorageChangeSet;

use crate::support::encoder::{Offer, hex};
use crate::support::pool::{
    CONTENT, OTHER, by_hand, client, commit, events, kinds, next, next_index, operator, pending, published, rpc,
    submit, watch,
};

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
async fn a_dry_run_at_a_replaced_block_is_one_in_the_state_of_that_block() {
    let sandbox = by_hand("unregistered-block").await;
    let client = client(&sandbox).await;
    let extrinsic = commit(&sandbox);
    let dry_run_at = async |block: &Block| -> String {
        client.request("system_dryRun", rpc_params![hex(&extrinsic), hex(&block.hash)]).await.unwrap()
    };
    sandbox.register(OPERATOR_UID, hotkey(OPERATOR_UID));
    let old = sandbox.produce_block().await.unwrap();
    let new = sandbox.fork(1).await.unwrap();
    assert_eq!([dry_run_at(&old).await, dry_run_at(&new).await], ["0x0000", "0x0001031201000000"]);
}

#[tokio::test]
async fn a_fork_that_is_due_does_not_happen_after_a_recovery() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().fork_after_commit(1);
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    sandbox.faults().recover().await.unwrap();
    assert_eq!(sandbox.produce_block().await.unwrap().header.parent, block.hash);
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
    sandbox.faults().usurp(Some(CompetingSubmitter { moment, spec: CommitmentSpec::raw(*OTHER) }));
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
async fn a_usurper_who_waits_for_finality_also_follows_what_became_final_by_a_fork() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox
        .faults()
        .usurp(Some(CompetingSubmitter { moment: Moment::AfterFinality, spec: CommitmentSpec::raw(*OTHER) }));
    submit(&client, &commit(&sandbox)).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    sandbox.produce_block().await.unwrap();
    sandbox.fork(1).await.unwrap();
    assert_eq!(sandbox.finalized().hash, block.hash);
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), OTHER);
}

#[tokio::test]
async fn a_usurper_s_commitment_is_a_true_extrinsic_with_true_events() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let spec = CommitmentSpec::Fields(vec![Field::Raw(OTHER.to_vec())]);
    sandbox.faults().usurp(Some(CompetingSubmitter { moment: Moment::InSameBlock, spec }));
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
