//! The sandbox takes real extrinsics: what its pool accepts, what it refuses and how, and what happens in the block.

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{CommitmentSpec, NETUID, OPERATOR_UID, hotkey};
use parity_scale_codec::{Decode, Encode};
use serde_json::{Value as Json, json};
use subxt::{OnlineClient, SubstrateConfig};
use subxt_rpcs::client::rpc_params;

use crate::support::encoder::{Offer, Signer, hash_of, hex, remark, set_commitment};
use crate::support::pool::{CONTENT, by_hand, client, invalid, next, state_call, watch};
pub use crate::support::pool::{events, next_index, published, submit};

#[tokio::test]
async fn call_payload_and_extrinsic_have_the_lengths_of_the_real_chain() {
    let sandbox = by_hand("healthy").await;
    let offer = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    assert_eq!((offer.call.len(), offer.payload().len(), offer.extrinsic().len()), (134, 212, 240));
    assert_eq!(offer.signer.account(), *hotkey(OPERATOR_UID).as_bytes());
}

#[tokio::test]
async fn a_commitment_goes_from_the_pool_into_a_block_and_becomes_final() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let extrinsic = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic();
    let mut statuses = watch(&client, &extrinsic).await.unwrap();
    assert_eq!(next(&mut statuses).await, "ready");
    assert!(next(&mut statuses).await["broadcast"].is_array());
    let pending: Vec<String> = client.request("author_pendingExtrinsics", rpc_params![]).await.unwrap();
    assert_eq!(pending, [hex(&extrinsic)]);
    assert_eq!(next_index(&client, *hotkey(OPERATOR_UID).as_bytes()).await, 1);

    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(next(&mut statuses).await, json!({ "inBlock": hex(&block.hash) }));
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
    assert_eq!(
        events(&sandbox, &block).await,
        [
            "ApplyExtrinsic(0) System.ExtrinsicSuccess",
            "ApplyExtrinsic(1) Commitments.Commitment",
            "ApplyExtrinsic(1) System.ExtrinsicSuccess",
        ]
    );
    let body: Json = client.request("chain_getBlock", rpc_params![hex(&block.hash)]).await.unwrap();
    assert_eq!(body["block"]["extrinsics"][1], hex(&extrinsic));
    let pending: Vec<String> = client.request("author_pendingExtrinsics", rpc_params![]).await.unwrap();
    assert!(pending.is_empty());

    sandbox.produce_block().await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(next(&mut statuses).await, json!({ "finalized": hex(&block.hash) }));
    assert_eq!(sandbox.finalized().hash, block.hash);
}

#[tokio::test]
async fn the_event_of_a_commitment_costs_nothing_and_names_netuid_and_hotkey() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    submit(&client, &Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let fetched = api.at_block(block.number()).await.unwrap().events().fetch().await.unwrap();
    let fields: Vec<Vec<u8>> = fetched.iter().map(|event| event.unwrap().field_bytes().to_vec()).collect();
    assert_eq!(fields[1], [&NETUID.to_le_bytes(), &hotkey(OPERATOR_UID).as_bytes()[..]].concat());
    // Class normal, pays no.
    assert!(fields[2].ends_with(&[0, 1]));
}

#[tokio::test]
async fn an_account_without_an_entry_commits_and_has_one_afterwards() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let account = *hotkey(OPERATOR_UID).as_bytes();
    let prefix = "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
    let key = [hex::decode(prefix).unwrap(), sp_crypto_hashing::blake2_128(&account).to_vec(), account.to_vec()];
    let read = || client.request::<Option<String>>("state_getStorage", rpc_params![hex(&key.concat())]);
    assert_eq!(read().await.unwrap(), None);
    for nonce in 0..2 {
        submit(&client, &Offer::of(&sandbox, OPERATOR_UID, nonce, CONTENT).extrinsic()).await.unwrap();
        sandbox.produce_block().await.unwrap();
        let entry = hex::decode(read().await.unwrap().unwrap().trim_start_matches("0x")).unwrap();
        assert_eq!(entry.len(), 16 + 40);
        assert_eq!(u32::decode(&mut entry.as_slice()).unwrap(), nonce + 1);
        let nonce_on_chain = state_call(&client, "AccountNonceApi_account_nonce", &account).await;
        assert_eq!(nonce_on_chain, (nonce + 1).encode());
    }
}

#[tokio::test]
async fn an_ed25519_hotkey_commits_as_well() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let signer = Signer::ed25519(9);
    let who = Hotkey::from_bytes(signer.account());
    sandbox.register(7, who);
    sandbox.produce_block().await.unwrap();
    let offer = Offer::by(&sandbox, signer, 0, set_commitment(NETUID, CONTENT));
    submit(&client, &offer.extrinsic()).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, who).unwrap(), CONTENT);
    let other_scheme = Offer { nonce: 1, scheme: Some(1), ..offer };
    assert_eq!(submit(&client, &other_scheme.extrinsic()).await, Err(invalid("Transaction has a bad signature")));
}

#[tokio::test]
async fn a_nonce_ahead_of_its_time_waits_until_the_gap_closes() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let later = Offer::of(&sandbox, OPERATOR_UID, 1, &[b'b'; 128]).extrinsic();
    let mut statuses = watch(&client, &later).await.unwrap();
    assert_eq!(next(&mut statuses).await, "future");
    assert_eq!(next_index(&client, *hotkey(OPERATOR_UID).as_bytes()).await, 0);
    let before = sandbox.produce_block().await.unwrap();
    assert_eq!(before.extrinsics.len(), 1);
    submit(&client, &Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()).await.unwrap();
    assert_eq!(next(&mut statuses).await, "ready");
    assert!(next(&mut statuses).await["broadcast"].is_array());
    assert_eq!(next_index(&client, *hotkey(OPERATOR_UID).as_bytes()).await, 2);
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(block.extrinsics.len(), 3);
    assert_eq!(next(&mut statuses).await, json!({ "inBlock": hex(&block.hash) }));
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), [b'b'; 128]);
}

#[tokio::test]
async fn the_same_again_is_already_imported_and_another_with_its_nonce_too_low() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let first = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic();
    assert_eq!(submit(&client, &first).await.unwrap(), hex(&hash_of(&first)));
    let imported = (1013, "Transaction Already Imported".to_owned(), Some(json!("Any { .. }")));
    assert_eq!(submit(&client, &first).await, Err(imported.clone()));
    assert_eq!(watch(&client, &first).await.err(), Some(imported));
    let second = Offer::of(&sandbox, OPERATOR_UID, 0, &[b'b'; 128]).extrinsic();
    let (code, message, data) = submit(&client, &second).await.unwrap_err();
    assert_eq!((code, message.as_str()), (1014, "Priority is too low: (32768 vs 32768)"));
    let reason = "The transaction has too low priority to replace another transaction already in the pool.";
    assert_eq!(data, Some(json!(reason)));
}

#[tokio::test]
async fn on_an_older_runtime_somebody_who_is_not_on_the_subnet_fails_in_the_block_and_uses_a_nonce() {
    let sandbox = by_hand("older-runtime").await;
    let client = client(&sandbox).await;
    let stranger = Signer::uid(900);
    let account = stranger.account();
    let older = |offer: Offer| Offer { spec: 365, ..offer };
    let offer = older(Offer::by(&sandbox, stranger, 0, set_commitment(NETUID, CONTENT)));
    submit(&client, &offer.extrinsic()).await.unwrap();
    let elsewhere = older(Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, set_commitment(1, CONTENT)));
    submit(&client, &elsewhere.extrinsic()).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(
        events(&sandbox, &block).await[1..],
        ["ApplyExtrinsic(1) System.ExtrinsicFailed 18.1", "ApplyExtrinsic(2) System.ExtrinsicFailed 18.1"]
    );
    assert_eq!(published(&sandbox, Hotkey::from_bytes(account)), None);
    assert_eq!(next_index(&client, account).await, 1);
}

#[tokio::test]
async fn on_the_newest_runtime_the_pool_refuses_strangers_and_subnets_that_are_not_there() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    for (uid, netuid, reason) in [(900, NETUID, 19), (OPERATOR_UID, 1, 19), (OPERATOR_UID, 9_999, 3)] {
        let offer = Offer::by(&sandbox, Signer::uid(uid), 0, set_commitment(netuid, CONTENT));
        let refused = Err(invalid(&format!("Custom error: {reason}")));
        assert_eq!(submit(&client, &offer.extrinsic()).await, refused, "uid {uid} on {netuid}");
    }
}

#[tokio::test]
async fn a_proxy_commits_for_another_and_what_is_refused_within_hides_behind_a_success() {
    let sandbox = by_hand("proxied").await;
    let client = client(&sandbox).await;
    let by_proxy =
        |real: u16, netuid| [&[16, 0, 0][..], hotkey(real).as_bytes(), &[0], &set_commitment(netuid, CONTENT)].concat();
    let batch = [&[11, 0, 8][..], &set_commitment(1, CONTENT), &set_commitment(NETUID, CONTENT)].concat();
    // Uid 7 has made three commitments before: its own, and two for others.
    for (nonce, call) in (3..).zip([by_proxy(5, NETUID), by_proxy(5, 1), by_proxy(6, NETUID), batch]) {
        submit(&client, &Offer::by(&sandbox, Signer::uid(7), nonce, call).extrinsic()).await.unwrap();
    }
    let before = published(&sandbox, hotkey(7));
    let block = sandbox.produce_block().await.unwrap();
    let told = events(&sandbox, &block).await;
    let expected = [
        "ApplyExtrinsic(1) Commitments.Commitment",
        "ApplyExtrinsic(1) Proxy.ProxyExecuted",
        "ApplyExtrinsic(1) System.ExtrinsicSuccess",
        "ApplyExtrinsic(2) Proxy.ProxyExecuted",
        "ApplyExtrinsic(2) System.ExtrinsicSuccess",
        "ApplyExtrinsic(3) System.ExtrinsicFailed 16.",
        "ApplyExtrinsic(4) Utility.BatchInterrupted",
        "ApplyExtrinsic(4) System.ExtrinsicSuccess",
    ];
    assert_eq!(told.len(), 1 + expected.len(), "{told:?}");
    assert!(told[1..].iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:?}");
    assert_eq!(published(&sandbox, hotkey(5)).unwrap(), CONTENT);
    assert_eq!(published(&sandbox, hotkey(7)), before, "the batch ended at its first call");
}

#[tokio::test]
async fn more_than_three_fields_are_too_many() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let four = [&[0x12, 0x00][..], &NETUID.to_le_bytes(), &[0x10], &[0x02, b'x'].repeat(4)].concat();
    submit(&client, &Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, four).extrinsic()).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(events(&sandbox, &block).await[1], "ApplyExtrinsic(1) System.ExtrinsicFailed 18.0");
}

#[tokio::test]
async fn the_twenty_fifth_commitment_of_an_epoch_fails_and_the_next_epoch_has_room_again() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let epoch = |number: u32| (number + u32::from(NETUID) + 1) / 361;
    let failures = async |nonces: std::ops::Range<u32>| {
        for nonce in nonces {
            submit(&client, &Offer::of(&sandbox, OPERATOR_UID, nonce, CONTENT).extrinsic()).await.unwrap();
        }
        let block = sandbox.produce_block().await.unwrap();
        let told = events(&sandbox, &block).await;
        (block.number(), told.into_iter().filter(|event| event.contains("ExtrinsicFailed")).collect::<Vec<_>>())
    };
    let (at, failed) = failures(0..25).await;
    assert_eq!(failed, ["ApplyExtrinsic(25) System.ExtrinsicFailed 18.2"]);
    while epoch(sandbox.best().number() + 1) == epoch(at) {
        sandbox.produce_block().await.unwrap();
    }
    let (later, failed) = failures(25..26).await;
    assert_eq!((epoch(later), failed), (epoch(at) + 1, Vec::new()));
}

#[tokio::test]
async fn other_calls_do_nothing_or_fail_by_name_and_never_pretend() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let signer = Signer::uid(OPERATOR_UID);
    // A transfer of nothing to uid 7.
    let transfer = [&[5, 0, 0][..], hotkey(7).as_bytes(), &[0]].concat();
    for (nonce, call) in (0..).zip([remark(b"hello"), transfer]) {
        submit(&client, &Offer::by(&sandbox, signer.clone(), nonce, call).extrinsic()).await.unwrap();
    }
    let before = published(&sandbox, hotkey(OPERATOR_UID));
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(
        events(&sandbox, &block).await[1..],
        // System.CallFiltered
        ["ApplyExtrinsic(1) System.ExtrinsicSuccess", "ApplyExtrinsic(2) System.ExtrinsicFailed 0.5"]
    );
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)), before);
}

#[tokio::test]
async fn what_scenarios_queue_still_happens_after_what_was_submitted() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    submit(&client, &Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()).await.unwrap();
    sandbox.commit(OPERATOR_UID, CommitmentSpec::raw([b'z'; 128]));
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), [b'z'; 128]);
    assert_eq!(events(&sandbox, &block).await.last().unwrap(), "Finalization Commitments.Commitment");
}

#[tokio::test]
async fn a_shorter_extrinsic_with_the_same_nonce_takes_the_place_of_a_longer_one() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let mut statuses = watch(&client, &Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic()).await.unwrap();
    // Of shorter ones more fit into a block, which is all that priority is about where nobody tips.
    let shorter = Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, remark(b"hello")).extrinsic();
    submit(&client, &shorter).await.unwrap();
    assert_eq!(next(&mut statuses).await, "ready");
    assert!(next(&mut statuses).await["broadcast"].is_array());
    assert_eq!(next(&mut statuses).await, json!({ "usurped": hex(&hash_of(&shorter)) }));
    assert_eq!(sandbox.produce_block().await.unwrap().extrinsics.len(), 2);
}

#[tokio::test]
async fn a_full_pool_drops_its_oldest() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    // None of these is ready, since the nonces before them are missing; and all are equally long.
    let mut first = watch(&client, &Offer::of(&sandbox, OPERATOR_UID, 100, CONTENT).extrinsic()).await.unwrap();
    assert_eq!(next(&mut first).await, "future");
    for nonce in 101..=612 {
        submit(&client, &Offer::of(&sandbox, OPERATOR_UID, nonce, CONTENT).extrinsic()).await.unwrap();
    }
    assert_eq!(next(&mut first).await, "dropped");
}
