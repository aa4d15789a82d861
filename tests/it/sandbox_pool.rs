//! The sandbox takes real extrinsics: what its pool accepts, what it refuses and how, and what happens in the block.

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{Block, CommitmentSpec, NETUID, OPERATOR_UID, Sandbox, hotkey};
use parity_scale_codec::{Compact, Decode, Encode};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use subxt::{OnlineClient, SubstrateConfig};
use subxt_rpcs::client::{RpcClient, RpcSubscription, rpc_params};

use crate::sandbox_node::{by_hand, client, next};
use crate::support::encoder::{Offer, Signer, hash_of, hex, remark, set_commitment};

const CONTENT: &[u8; 128] = &[b'a'; 128];

/// Code, message and data of a refusal.
pub type Refusal = (i32, String, Option<Json>);

pub async fn submit(client: &RpcClient, extrinsic: &[u8]) -> Result<String, Refusal> {
    client.request("author_submitExtrinsic", rpc_params![hex(extrinsic)]).await.map_err(refusal)
}

pub async fn watch(client: &RpcClient, extrinsic: &[u8]) -> Result<RpcSubscription<Json>, Refusal> {
    let parameters = rpc_params![hex(extrinsic)];
    client.subscribe("author_submitAndWatchExtrinsic", parameters, "author_unwatchExtrinsic").await.map_err(refusal)
}

fn refusal(error: subxt_rpcs::Error) -> Refusal {
    let subxt_rpcs::Error::User(error) = error else { panic!("not an answer: {error}") };
    (error.code, error.message, error.data.map(|data| serde_json::from_str(data.get()).unwrap()))
}

pub fn invalid(reason: &str) -> Refusal {
    (1010, "Invalid Transaction".to_owned(), Some(json!(reason)))
}

/// The events of a block, each with its phase; a failure with the index of its pallet and error.
pub async fn events(sandbox: &Sandbox, block: &Block) -> Vec<String> {
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(sandbox.url()).await.unwrap();
    let at = api.at_block(subxt::utils::H256::from(block.hash)).await.unwrap();
    let events = at.events().fetch().await.unwrap();
    let told = events.iter().map(|event| {
        let event = event.unwrap();
        let name = format!("{:?} {}.{}", event.phase(), event.pallet_name(), event.event_name());
        match (event.event_name(), event.field_bytes()) {
            ("ExtrinsicFailed", [3, pallet, error, 0, 0, 0, ..]) => format!("{name} {pallet}.{error}"),
            _ => name,
        }
    });
    told.collect()
}

/// What a hotkey has published: the content of its only field.
pub fn published(sandbox: &Sandbox, who: Hotkey) -> Option<Vec<u8>> {
    let held = sandbox.commitments().unwrap();
    held.into_iter().find(|(hotkey, _)| *hotkey == who).map(|(_, stored)| stored[14..].to_vec())
}

pub async fn next_index(client: &RpcClient, account: [u8; 32]) -> u32 {
    let address = Hotkey::from_bytes(account).to_string();
    client.request("system_accountNextIndex", rpc_params![address]).await.unwrap()
}

async fn state_call(client: &RpcClient, method: &str, input: &[u8]) -> Vec<u8> {
    let answer: String = client.request("state_call", rpc_params![method, hex(input)]).await.unwrap();
    hex::decode(answer.trim_start_matches("0x")).unwrap()
}

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
async fn whatever_was_signed_for_another_chain_runtime_or_era_has_a_bad_signature() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let honest = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    let (number, _, period) = honest.era.unwrap();
    let wrong = [
        Offer { genesis: [1; 32], ..honest.clone() },
        Offer { spec: 366, ..honest.clone() },
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
async fn somebody_who_is_not_on_the_subnet_fails_in_the_block_and_uses_a_nonce() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let stranger = Signer::uid(900);
    let account = stranger.account();
    let offer = Offer::by(&sandbox, stranger, 0, set_commitment(NETUID, CONTENT));
    submit(&client, &offer.extrinsic()).await.unwrap();
    let elsewhere = Offer::by(&sandbox, Signer::uid(OPERATOR_UID), 0, set_commitment(1, CONTENT));
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
    let batch = [&[11, 0, 4][..], &set_commitment(NETUID, CONTENT)].concat();
    for (nonce, call) in (0..).zip([remark(b"hello"), batch]) {
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
async fn an_upgrade_changes_what_has_to_be_signed_from_the_block_after_it_on() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    sandbox.faults().upgrade_runtime();
    sandbox.produce_block().await.unwrap();
    let old = Offer::of(&sandbox, OPERATOR_UID, 0, CONTENT);
    assert_eq!(submit(&client, &old.extrinsic()).await, Err(invalid("Transaction has a bad signature")));
    let new = Offer { spec: 366, ..old };
    submit(&client, &new.extrinsic()).await.unwrap();
    sandbox.produce_block().await.unwrap();
    let last = Offer { spec: 366, nonce: 1, ..Offer::of(&sandbox, OPERATOR_UID, 1, CONTENT) };
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
    assert_eq!(dry_run(&elsewhere).await, "0x0001031201000000");
    assert_eq!(next_index(&client, account).await, 0, "nothing of this was submitted");
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
