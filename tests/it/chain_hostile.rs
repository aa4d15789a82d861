//! A feed on a node that does its worst: it must say so and start anew, never show what is old as live.

use std::sync::atomic::{AtomicU32, Ordering};

use jsonrpsee::types::ErrorObjectOwned;

use crate::chain_events::Heard;
use crate::chain_lies::{LyingNode, empty_subnet, hasty};

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
    let mut heard = Heard::on(node.network(), options);
    heard.snapshot().await;
    assert_eq!(heard.lost().await, "closed");
    heard.snapshot().await;
}
