//! The sandbox judges extrinsics as the runtime does: signatures, eras, nonces, and bytes that are none.

use grail_console::sandbox::{NETUID, OPERATOR_UID, hotkey};
use parity_scale_codec::{Compact, Encode};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use subxt_rpcs::client::rpc_params;

use crate::support::encoder::{Offer, Signer, hex, remark, set_commitment};
use crate::support::pool::{
    CONTENT, by_hand, client, events, invalid, next, next_index, published, state_call, submit, watch,
};

#[tokio::test]
async fn whatever_was_signed_for_another_chain_runtime_or_era_has_a_bad_signature() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let honest = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    let (number, _, period) = honest.era.unwrap();
    let wrong = [
        Offer { genesis: [1; 32], ..honest.clone() },
        Offer { spec: 476, ..honest.clone() },
        Offer { transaction_version: 2, ..honest.clone() },
        Offer { era: Some((number, [1; 32], period)), ..honest.clone() },
        Offer { scheme: Some(0), ..honest.clone() },
        Offer { scheme: Some(2), ..honest.clone() },
    ];
    for offer in wrong {
        assert_eq!(submit(&client, &offer.extrinsic()).await, Err(invalid("Transaction has a bad signature")));
    }
    let mut tampered = honest.extrinsic();
    *tampered.last_mut().unwrap() ^= 1;
    assert_eq!(submit(&client, &tampered).await, Err(invalid("Transaction has a bad signature")));
    submit(&client, &honest.extrinsic()).await.unwrap();
}

#[tokio::test]
async fn a_payload_longer_than_256_bytes_is_hashed_before_it_is_signed() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let two_fields = [&[0x12, 0x00][..], &NETUID.to_le_bytes(), &[0x08, 0x81], CONTENT, &[0x81], CONTENT].concat();
    let offer = Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, two_fields);
    assert!(offer.payload().len() > 256);
    submit(&client, &offer.extrinsic()).await.unwrap();
    let block = sandbox.produce_block().await.unwrap();
    assert!(events(&sandbox, &block).await.contains(&"ApplyExtrinsic(1) Commitments.Commitment".to_owned()));
}

#[tokio::test]
async fn a_used_nonce_is_outdated_and_a_refused_extrinsic_is_banned_for_a_while() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let first = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic();
    submit(&client, &first).await.unwrap();
    sandbox.produce_block().await.unwrap();
    let stale = Offer::of(&sandbox, OPERATOR_UID, 0, &[b'b'; 128]).extrinsic();
    assert_eq!(submit(&client, &stale).await, Err(invalid("Transaction is outdated")));
    let banned = (1012, "Transaction is temporarily banned".to_owned(), None);
    assert_eq!(submit(&client, &stale).await, Err(banned.clone()));
    // What was included is banned as well: a node that has just seen it does not look at it again.
    assert_eq!(submit(&client, &first).await, Err(banned));
    for _ in 0..150 {
        sandbox.produce_block().await.unwrap();
    }
    assert_eq!(submit(&client, &first).await, Err(invalid("Transaction has a bad signature")));
}

#[tokio::test]
async fn nobody_on_the_practice_chain_has_anything_to_tip_with() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let offer = Offer { tip: 1, ..Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT) };
    let reason = "Inability to pay some fees (e.g. account balance too low)";
    assert_eq!(submit(&client, &offer.extrinsic()).await, Err(invalid(reason)));
}

#[tokio::test]
async fn an_era_that_has_passed_is_refused_as_the_runtime_refuses_it() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let offer = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    let born = sandbox.best().number();
    while sandbox.best().number() < born + 62 {
        sandbox.produce_block().await.unwrap();
    }
    // The next block is the last of its era.
    submit(&client, &offer.extrinsic()).await.unwrap();
    let other = Offer { call: set_commitment(NETUID, &[b'b'; 128]), nonce: 1, ..offer };
    sandbox.produce_block().await.unwrap();
    // In the next block the next era begins: with a block that is not there yet, and later with one that is another.
    let ancient = invalid("Transaction has an ancient birth block");
    assert_eq!(submit(&client, &other.extrinsic()).await, Err(ancient));
    sandbox.produce_block().await.unwrap();
    let later = Offer { call: remark(b"later"), ..other };
    assert_eq!(submit(&client, &later.extrinsic()).await, Err(invalid("Transaction has a bad signature")));
}

#[tokio::test]
async fn an_era_from_before_what_the_node_knows_has_an_ancient_birth_block() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let offer = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    let old = sandbox.best().number() - 2_000;
    let offer = Offer { era: Some((old, [7; 32], 4_096)), ..offer };
    assert_eq!(submit(&client, &offer.extrinsic()).await, Err(invalid("Transaction has an ancient birth block")));
}

#[tokio::test]
async fn an_immortal_commitment_is_signed_over_the_genesis_hash() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let offer = Offer { era: None, ..Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT) };
    submit(&client, &offer.extrinsic()).await.unwrap();
    sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, hotkey(OPERATOR_UID)).unwrap(), CONTENT);
}

#[tokio::test]
async fn what_is_no_extrinsic_is_refused_with_the_code_of_what_is_wrong_with_it() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let not_even_bytes = Compact(100u32).encode();
    let (code, message, _) = submit(&client, &not_even_bytes).await.unwrap_err();
    assert_eq!(code, 1040);
    assert!(message.starts_with("Client error: "), "{message}");
    let (code, message, _) = watch(&client, &not_even_bytes).await.err().unwrap();
    assert_eq!(code, 1001);
    assert!(message.starts_with("Extrinsic has invalid format: "), "{message}");
    let offer = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    let unknown_call = Offer { call: vec![200, 0], ..offer.clone() }.extrinsic();
    let too_long = Offer { call: [&offer.call[..], &[0]].concat(), ..offer.clone() }.extrinsic();
    for unreadable in [unknown_call, too_long, vec![9u8; 40].encode()] {
        let (code, message, data) = submit(&client, &unreadable).await.unwrap_err();
        assert_eq!(code, 1002);
        assert!(message.starts_with("Verification Error: Runtime error: Execution failed: "), "{message}");
        assert!(data.unwrap().as_str().unwrap().starts_with("RuntimeApi("));
    }
    let unsigned = [&[4u8], &remark(b"hello")[..]].concat().encode();
    let unknown = |what: &str| (1011, "Unknown Transaction Validity".to_owned(), Some(json!(what)));
    assert_eq!(submit(&client, &unsigned).await, Err(unknown("NoUnsignedValidator")));
    let with_hash = Offer { mode: 1, ..offer };
    assert_eq!(submit(&client, &with_hash.extrinsic()).await, Err(unknown("CannotLookup")));
}

#[tokio::test]
async fn an_upgrade_changes_what_has_to_be_signed_from_the_block_after_it_on() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().upgrade_runtime();
    sandbox.produce_block().await.unwrap();
    let old = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    assert_eq!(submit(&client, &old.extrinsic()).await, Err(invalid("Transaction has a bad signature")));
    let new = Offer { spec: 476, ..old };
    submit(&client, &new.extrinsic()).await.unwrap();
    sandbox.produce_block().await.unwrap();
    let last = Offer { spec: 476, nonce: 1, ..Offer::of(&sandbox, OPERATOR_UID, 1, CONTENT) };
    let mut statuses = watch(&client, &last.extrinsic()).await.unwrap();
    sandbox.faults().upgrade_runtime();
    // Included in the very block that sets the new code: the old runtime still executes it.
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(next(&mut statuses).await, "ready");
    next(&mut statuses).await;
    assert_eq!(next(&mut statuses).await, json!({ "inBlock": hex(&block.hash) }));
}

#[tokio::test]
async fn the_runtime_answers_what_it_would_say_to_an_extrinsic_and_what_it_costs() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let offer = Offer::of(&sandbox, OPERATOR_UID, 1, CONTENT);
    let (extrinsic, account) = (offer.extrinsic(), offer.signer.account());
    let input = [&[2], &extrinsic[..], &sandbox.best().hash].concat();
    let verdict = state_call(&client, "TaggedTransactionQueue_validate_transaction", &input).await;
    let valid = (0u8, 32_768u64, vec![(account, 0u32).encode()], vec![(account, 1u32).encode()], 63u64, true);
    assert_eq!(verdict, valid.encode());
    let bad = Offer { genesis: [1; 32], ..offer.clone() }.extrinsic();
    let input = [&[2], &bad[..], &sandbox.best().hash].concat();
    assert_eq!(state_call(&client, "TaggedTransactionQueue_validate_transaction", &input).await, [1, 0, 4]);

    let info: Json = client.request("payment_queryInfo", rpc_params![hex(&extrinsic)]).await.unwrap();
    assert_eq!((&info["partialFee"], &info["class"]), (&json!("0"), &json!("normal")));
    let input = [&extrinsic[..], &240u32.encode()].concat();
    let info = state_call(&client, "TransactionPaymentApi_query_info", &input).await;
    assert!(info.ends_with(&0u64.encode()));

    let dry_run = async |offer: &Offer| -> String {
        client.request("system_dryRun", rpc_params![hex(&offer.extrinsic())]).await.unwrap()
    };
    assert_eq!(dry_run(&offer).await, "0x010002", "not yet: its nonce is ahead");
    assert_eq!(dry_run(&Offer { nonce: 0, ..offer.clone() }).await, "0x0000");
    let elsewhere = Offer { nonce: 0, call: set_commitment(1, CONTENT), ..offer };
    assert_eq!(dry_run(&elsewhere).await, "0x01000713", "not registered there: the pool's own reason");
    let refused =
        Offer { nonce: 0, call: [&[0x12, 0x00][..], &NETUID.to_le_bytes(), &[0x10, 0, 0, 0, 0]].concat(), ..elsewhere };
    assert_eq!(dry_run(&refused).await, "0x0001031200000000", "four fields");
    assert_eq!(next_index(&client, account).await, 0, "nothing of this was submitted");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn arbitrary_bytes_never_change_the_chain(
        garbage in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20),
        flips in proptest::collection::vec((0usize..240, 1u8..), 1..20),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let sandbox = by_hand("healthy").await;
            let client = client(&sandbox).await;
            let before = sandbox.commitments().unwrap();
            let real = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT).extrinsic();
            let flipped = flips.into_iter().map(|(place, bits)| {
                let mut bytes = real.clone();
                bytes[place] ^= bits;
                bytes
            });
            let framed = garbage.iter().map(Encode::encode);
            let behind_version = garbage.iter().map(|bytes| [&[0x84, 0][..], bytes].concat().encode());
            let all: Vec<_> = garbage.iter().cloned().chain(framed).chain(behind_version).chain(flipped).collect();
            for bytes in all {
                prop_assert!(submit(&client, &bytes).await.is_err());
                prop_assert!(watch(&client, &bytes).await.is_err());
                let info: Result<Json, _> = client.request("payment_queryInfo", rpc_params![hex(&bytes)]).await;
                let dry: Result<String, _> = client.request("system_dryRun", rpc_params![hex(&bytes)]).await;
                drop((info, dry));
            }
            let block = sandbox.produce_block().await.unwrap();
            prop_assert_eq!(block.extrinsics.len(), 1);
            prop_assert_eq!(sandbox.commitments().unwrap(), before);
            Ok(())
        })?;
    }
}
