//! A feed on a node that does its worst: it must say so and start anew, never show what is old as live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use grail_console::chain::{Fault, MetadataStore};
use grail_console::sandbox::hotkey;
use jsonrpsee::types::ErrorObjectOwned;
use parity_scale_codec::Encode as _;
use rstest::rstest;
use serde_json::{Value, json};

use crate::chain_events::{Heard, blocks, names, network, sandbox};
use crate::chain_lies::{LyingNode, WITHOUT_END, doctored, empty_subnet, hasty, hex0x, served};
use crate::support::chain::survey;

#[tokio::test]
async fn one_of_several_storage_subscriptions_that_ends_alone_makes_the_feed_read_everything_anew() {
    let subscriptions = AtomicU32::new(0);
    let node = LyingNode::start(move |method, params| {
        let lagging = || Err(ErrorObjectOwned::owned(-32_000, "lagging", None::<()>));
        let second = method == "state_subscribeStorage" && subscriptions.fetch_add(1, Ordering::SeqCst) == 1;
        if second { Some(lagging()) } else { empty_subnet(method, params) }
    })
    .await;
    let mut options = hasty();
    options.limits.chunk = 1;
    let mut heard = Heard::on(&node.network(), options);
    heard.snapshot().await;
    assert_eq!(heard.lost().await, "closed");
    heard.snapshot().await;
}

/// A node that answers every call within its deadline, but so late that together they take for ever.
async fn sluggish() -> LyingNode {
    LyingNode::start(|method, params| {
        if method.starts_with("state_") {
            std::thread::sleep(Duration::from_millis(300));
        }
        empty_subnet(method, params)
    })
    .await
}

#[tokio::test]
async fn a_node_that_answers_each_call_just_in_time_is_left_when_the_whole_reading_is_late() {
    let node = sluggish().await;
    let mut options = hasty();
    options.survey = Duration::from_millis(900);
    let error = survey(&node.network(), 81, MetadataStore::none(), &options).await.unwrap_err();
    let late = Fault::Deadline { what: "the whole of the reading", after: Duration::from_millis(900) };
    assert_eq!(error.fault, late);
    options.survey = Duration::from_millis(500);
    let mut heard = Heard::on(&node.network(), options);
    assert_eq!(heard.lost().await, "deadline");
}

#[tokio::test]
async fn values_that_would_fill_the_memory_are_not_taken_in() {
    let sandbox = sandbox("healthy", 64).await;
    let mut options = hasty();
    options.limits.values = 4_096;
    let error = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &options).await.unwrap_err();
    assert_eq!(error.fault.code(), "too_large", "{error}");
    let mut heard = Heard::on(&network(&[&sandbox]), options);
    assert_eq!(heard.lost().await, "too_large");
}

#[tokio::test]
async fn a_head_that_is_larger_than_any_head_ends_the_connection() {
    let node = LyingNode::start(|method, params| match method {
        "chain_subscribeNewHeads" => Some(Ok(json!("x".repeat(100 << 10)))),
        _ => empty_subnet(method, params),
    })
    .await;
    let mut heard = Heard::on(&node.network(), hasty());
    assert_eq!(heard.lost().await, "too_large");
}

/// A header with one log of so many bytes.
fn header(log: usize) -> Value {
    let hash = hex0x(&[1; 32]);
    let log = hex0x(&(0_u8, vec![0_u8; log]).encode());
    json!({
        "parentHash": hash, "number": "0x7c", "stateRoot": hash, "extrinsicsRoot": hash, "digest": { "logs": [log] }
    })
}

/// Metadata with lines of text at its first type.
fn lines(lines: Vec<String>) -> Value {
    served(&doctored(|metadata| metadata.types.types[0].ty.docs = lines))
}

/// Why an empty subnet is not read where one method is answered in this way.
async fn fault_where(method: &'static str, answer: Result<Value, ErrorObjectOwned>) -> Fault {
    let node = LyingNode::start(
        move |asked, params| {
            if asked == method { Some(answer.clone()) } else { empty_subnet(asked, params) }
        },
    )
    .await;
    survey(&node.network(), 81, MetadataStore::none(), &hasty()).await.unwrap_err().fault
}

#[rstest]
#[case::a_version("state_getRuntimeVersion", json!({ "specVersion": 365, "transactionVersion": 1, "more": "0".repeat(70 << 10) }))]
#[case::a_header("chain_getHeader", header(40 << 10))]
#[case::a_hash("chain_getFinalizedHead", json!("0".repeat(70 << 10)))]
#[case::hashes("chain_getBlockHash", json!(vec!["0".repeat(64); 5_000]))]
#[case::keys("state_getKeysPaged", json!(vec!["0".repeat(400); 900]))]
#[case::values("state_queryStorageAt", json!([{ "block": hex0x(&[1; 32]), "changes": [["0x00", "0".repeat(5 << 20)]] }]))]
#[case::metadata("state_call", lines(vec!["0".repeat(3 << 20)]))]
#[tokio::test]
async fn an_answer_larger_than_any_honest_one_to_what_was_asked_ends_the_connection(
    #[case] method: &'static str,
    #[case] answer: Value,
) {
    let fault = fault_where(method, Ok(answer)).await;
    assert_eq!(fault.code(), "too_large", "{fault}");
    let said = fault.to_string();
    assert!(said.contains(&format!("to {method} is too large")) || said.contains("anything that was asked"), "{said}");
}

#[tokio::test]
async fn values_in_millions_of_small_parts_end_the_connection_although_they_are_not_large() {
    let changes = vec![("0x", "0x"); 100_000];
    let answer = json!([{ "block": hex0x(&[1; 32]), "changes": changes }]);
    let fault = fault_where("state_queryStorageAt", Ok(answer)).await;
    assert_eq!(fault.code(), "too_large", "{fault}");
    assert!(fault.to_string().contains("parts"), "{fault}");
}

#[tokio::test]
async fn an_error_is_not_taken_in_where_it_is_large() {
    let error = ErrorObjectOwned::owned(-32_000, "x".repeat(100 << 10), None::<()>);
    let fault = fault_where("state_getKeysPaged", Err(error)).await;
    assert_eq!(fault.code(), "too_large", "{fault}");
    assert!(fault.to_string().contains("told in answer to state_getKeysPaged"), "{fault}");
}

#[tokio::test]
async fn metadata_that_is_small_but_would_fill_the_memory_is_not_decoded() {
    let fault = fault_where("state_call", Ok(lines(vec![String::new(); 1_000_000]))).await;
    assert_eq!(fault.code(), "too_large", "{fault}");
    assert!(fault.to_string().contains("bytes of memory"), "{fault}");
}

#[rstest]
#[case::a_header("chain_getHeader", header(30 << 10))]
#[case::metadata("state_call", lines(vec!["0".repeat(1_700_000)]))]
#[tokio::test]
async fn what_is_large_but_within_its_bound_is_read(#[case] method: &'static str, #[case] answer: Value) {
    let node = LyingNode::start(
        move |asked, params| {
            if asked == method { Some(Ok(answer.clone())) } else { empty_subnet(asked, params) }
        },
    )
    .await;
    survey(&node.network(), 81, MetadataStore::none(), &hasty()).await.unwrap();
}

/// Heads of 56 KiB, each of them valid, without an end, while the values of the subnet are asked for and do not come: that call is
/// answered at the end of the test only, so nothing but the bound can end the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn heads_without_an_end_while_a_call_is_open_end_the_connection_before_they_fill_the_memory() {
    let header = header(28 << 10);
    let queries = AtomicU32::new(0);
    let over = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&over);
    let node = LyingNode::start(move |method, params| match method {
        "chain_subscribeNewHeads" => Some(Ok(json!({ WITHOUT_END: header.clone() }))),
        "state_queryStorageAt" if queries.fetch_add(1, Ordering::SeqCst) > 0 => {
            tokio::task::block_in_place(|| {
                while !answers.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            empty_subnet(method, params)
        }
        _ => empty_subnet(method, params),
    })
    .await;
    let mut options = hasty();
    options.limits.call = Duration::from_mins(2);
    let mut heard = Heard::on(&node.network(), options);
    let lost = heard.lost().await;
    over.store(true, Ordering::SeqCst);
    assert_eq!(lost, "too_large");
}

#[tokio::test]
async fn hotkeys_that_left_are_forgotten_by_reading_anew() {
    let sandbox = sandbox("healthy", 8).await;
    let mut heard = Heard::on(&network(&[&sandbox]), hasty());
    heard.snapshot().await;
    heard.events.clear();
    for newcomer in 900..960 {
        sandbox.register(5, hotkey(newcomer));
        blocks(&sandbox, 1).await;
        heard.best(u64::from(sandbox.best().number())).await;
    }
    if !names(&heard.events).contains(&"snapshot") {
        heard.snapshot().await;
    }
    assert!(!names(&heard.events).contains(&"lost"), "the connection stays");
}
