//! Subscriptions: heads, storage and the runtime's version. Each walks the chain from block to block, so a slow client
//! misses nothing that the node still has.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::server::{PendingSubscriptionSink, RegisterMethodError, SubscriptionSink};
use jsonrpsee::types::Params;
use jsonrpsee::{Extensions, RpcModule};
use serde::Serialize;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::state::{ChangeSet, version_json};
use super::{Bytes, only};
use crate::sandbox::block::Block;
use crate::sandbox::byzantine::ByzantineBoard;
use crate::sandbox::chain::Chain;
use crate::sandbox::node::Node;

type Module = RpcModule<Node>;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    register_heads(module)?;
    module.register_subscription("state_subscribeStorage", "state_storage", "state_unsubscribeStorage", storage)?;
    module.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, node, _| runtime_version(pending, node),
    )?;
    module.register_alias("chain_subscribeRuntimeVersion", "state_subscribeRuntimeVersion")?;
    module.register_alias("chain_unsubscribeRuntimeVersion", "state_unsubscribeRuntimeVersion")
}

fn register_heads(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "chain_subscribeNewHeads",
        "chain_newHead",
        "chain_unsubscribeNewHeads",
        |_, pending, node, _| best_heads(pending, node),
    )?;
    module.register_subscription(
        "chain_subscribeAllHeads",
        "chain_allHead",
        "chain_unsubscribeAllHeads",
        |_, pending, node, _| best_heads(pending, node),
    )?;
    module.register_subscription(
        "chain_subscribeFinalizedHeads",
        "chain_finalizedHead",
        "chain_unsubscribeFinalizedHeads",
        |_, pending, node, extensions| finalized_heads(pending, node, extensions),
    )?;
    for (alias, name) in [
        ("chain_subscribeNewHead", "chain_subscribeNewHeads"),
        ("subscribe_newHead", "chain_subscribeNewHeads"),
        ("chain_unsubscribeNewHead", "chain_unsubscribeNewHeads"),
        ("unsubscribe_newHead", "chain_unsubscribeNewHeads"),
        ("chain_subscribeFinalisedHeads", "chain_subscribeFinalizedHeads"),
        ("chain_unsubscribeFinalisedHeads", "chain_unsubscribeFinalizedHeads"),
    ] {
        module.register_alias(alias, name)?;
    }
    Ok(())
}

/// Notifies a subscriber.
pub(super) async fn send(sink: &SubscriptionSink, item: &impl Serialize) -> SubscriptionResult {
    Ok(sink.send(to_raw_value(item)?).await?)
}

/// The best head of the moment, then every later one; after a fork, those of the new branch.
async fn best_heads(pending: PendingSubscriptionSink, node: Arc<Node>) -> SubscriptionResult {
    let sink = pending.accept().await?;
    let mut changes = node.heads();
    let mut last = Arc::clone(node.chain().best());
    send(&sink, &last.header.to_json()).await?;
    loop {
        changes.borrow_and_update();
        let news = node.chain().since(&last);
        for block in news {
            send(&sink, &block.header.to_json()).await?;
            last = block;
        }
        tokio::select! {
            woken = changes.changed() => woken?,
            () = sink.closed() => return Ok(()),
        }
    }
}

/// The finalized head of the moment, then every later one, as this endpoint has them.
async fn finalized_heads(
    pending: PendingSubscriptionSink,
    node: Arc<Node>,
    extensions: Extensions,
) -> SubscriptionResult {
    let board = extensions.get::<Arc<ByzantineBoard>>().cloned().unwrap_or_default();
    let mut told = None;
    let sink = pending.accept().await?;
    let mut changes = node.heads();
    let mut next = node.chain().finalized().number();
    loop {
        changes.borrow_and_update();
        let head = node.chain().finalized().number();
        while next <= head {
            let block = node.chain().block(next).cloned();
            let head = block.map(|block| board.followed(&block, &node));
            if let Some((hash, header)) = head.filter(|(hash, _)| told != Some(*hash)) {
                told = Some(hash);
                send(&sink, &header.to_json()).await?;
            }
            next += 1;
        }
        tokio::select! {
            woken = changes.changed() => woken?,
            () = sink.closed() => return Ok(()),
        }
    }
}

/// The values of the keys at the best block, then those that a new best block changed.
async fn storage(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    node: Arc<Node>,
    extensions: Extensions,
) -> SubscriptionResult {
    let board = extensions.get::<Arc<ByzantineBoard>>().cloned().unwrap_or_default();
    let keys = match only::<Vec<Bytes>>(&params) {
        Ok(keys) => keys.unwrap_or_default().into_iter().map(|key| key.0).collect::<BTreeSet<_>>(),
        Err(error) => {
            pending.reject(error).await;
            return Ok(());
        }
    };
    let sink = pending.accept().await?;
    let mut changes = node.heads();
    let (mut seen, first) = {
        let chain = node.chain();
        (Arc::clone(chain.best()), ChangeSet::at(chain.state(None)?, keys.iter().cloned()))
    };
    send(&sink, &board.told(&json!(first), &node)).await?;
    loop {
        changes.borrow_and_update();
        for set in changes_since(&node, &mut seen, &keys) {
            send(&sink, &board.told(&json!(set), &node)).await?;
        }
        tokio::select! {
            woken = changes.changed() => woken?,
            () = sink.closed() => return Ok(()),
        }
    }
}

/// What each new block changed among the keys. After a fork: what is different now, told with the best block.
fn changes_since(node: &Node, seen: &mut Arc<Block>, keys: &BTreeSet<Vec<u8>>) -> Vec<ChangeSet> {
    let chain = node.chain();
    let before = std::mem::replace(seen, Arc::clone(chain.best()));
    if chain.is_on_chain(&before) {
        return chain.since(&before).iter().filter_map(|block| changed_in(&chain, block, keys)).collect();
    }
    let now = chain.top();
    let then = chain.state(Some(&before.hash)).ok();
    // Where nobody knows any more what was told, everything is told again.
    let differs = |key: &&Vec<u8>| then.is_none_or(|then| then.get(key) != now.get(key));
    let different: Vec<_> = keys.iter().filter(differs).cloned().collect();
    if different.is_empty() { Vec::new() } else { vec![ChangeSet::at(now, different)] }
}

/// What a block changed among the keys; nothing, when its state is gone already.
fn changed_in(chain: &Chain, block: &Block, keys: &BTreeSet<Vec<u8>>) -> Option<ChangeSet> {
    let changed: Vec<_> =
        block.changed.iter().filter(|key| keys.contains(key.as_ref())).map(|key| key.to_vec()).collect();
    if changed.is_empty() { None } else { Some(ChangeSet::at(chain.state(Some(&block.hash)).ok()?, changed)) }
}

/// The runtime's version at the best block, then every new one.
async fn runtime_version(pending: PendingSubscriptionSink, node: Arc<Node>) -> SubscriptionResult {
    let sink = pending.accept().await?;
    let mut changes = node.heads();
    let mut known = None;
    loop {
        changes.borrow_and_update();
        let version = node.chain().best().runtime.version().clone();
        if known.as_ref() != Some(&version.spec_version) {
            send(&sink, &version_json(&version)).await?;
            known = Some(version.spec_version);
        }
        tokio::select! {
            woken = changes.changed() => woken?,
            () = sink.closed() => return Ok(()),
        }
    }
}
