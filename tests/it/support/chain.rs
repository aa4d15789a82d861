//! The chain layer as tests use it: a node of its own for each reading, with the bounds that the test names.

use std::ops::{Deref, DerefMut};

use grail_console::chain::{
    self, CallLimits, ChainError, Feed, FeedOptions, MetadataStore, Node, NodeOptions, PublishedKeys,
};
use grail_console::domain::network::Network;
use grail_console::domain::snapshot::SubnetSnapshot;

/// Bounds of each connection, and how a feed behaves.
#[derive(Debug, Clone, Default)]
pub struct ChainOptions {
    pub limits: CallLimits,
    pub feed: FeedOptions,
}

impl Deref for ChainOptions {
    type Target = FeedOptions;

    fn deref(&self) -> &FeedOptions {
        &self.feed
    }
}

impl DerefMut for ChainOptions {
    fn deref_mut(&mut self) -> &mut FeedOptions {
        &mut self.feed
    }
}

/// The nodes of a network alone.
pub fn node(network: &Network, store: MetadataStore, limits: &CallLimits) -> Node {
    Node::new(NodeOptions { store, limits: limits.clone(), ..NodeOptions::new(network.clone()) })
}

/// Reads a subnet over connections of its own.
pub async fn survey(
    network: &Network,
    netuid: u16,
    store: MetadataStore,
    options: &ChainOptions,
) -> Result<SubnetSnapshot, ChainError> {
    let published: Option<&PublishedKeys> = options.published.as_ref();
    chain::survey(&node(network, store, &options.limits), netuid, published, options).await
}

/// Follows a subnet over connections of its own.
pub fn follow(network: &Network, netuid: u16, store: MetadataStore, options: ChainOptions) -> Feed {
    chain::follow(node(network, store, &options.limits), netuid, options.feed)
}
