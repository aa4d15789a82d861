//! A node that lies about extrinsics, in each way that a client must see through (T4, T5).

use grail_console::sandbox::{Lie, OPERATOR_UID, Sandbox, hotkey};
use parity_scale_codec::Decode;
use serde_json::{Value as Json, json};
use subxt_rpcs::client::rpc_params;

use crate::support::encoder::hex;
use crate::support::pool::{
    CONTENT, by_hand, client, commit, events, kinds, next, next_index, operator, pending, published, submit, watch,
};

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
