//! A feed on a node that does its worst: it must say so and start anew, never show what is old as live.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grail_console::chain::{Fault, MetadataStore};
use grail_console::sandbox::hotkey;
use jsonrpsee::types::ErrorObjectOwned;

use crate::chain_events::{Heard, blocks, names, network, sandbox};
use crate::chain_lies::{LyingNode, empty_subnet, hasty};
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
