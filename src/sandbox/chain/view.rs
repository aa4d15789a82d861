//! The state of one block, be it on the chain or on a branch that was given up.

use std::collections::BTreeMap;
use std::sync::Arc;

use parity_scale_codec::Encode as _;
use thiserror::Error;

use crate::domain::hotkey::Hotkey;
use crate::sandbox::accounts::NETUID;
use crate::sandbox::block::Block;
use crate::sandbox::metadata::Runtime;
use crate::sandbox::state::{Key, Store, Value};

/// Why the node has no state for a block; the texts are those of real nodes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// The block is older than what the node keeps.
    #[error("UnknownBlock: State already discarded for {0}")]
    Discarded(String),
    /// No such block.
    #[error("UnknownBlock: Header was not found in the database: {0}")]
    NoHeader(String),
    /// The trie lacks a node; never seen.
    #[error("Trie lookup error: {0}")]
    NoTrie(String),
}

/// Writes on top of a state.
pub type Overlay = BTreeMap<Key, Option<Value>>;

/// The state of one block.
#[derive(Debug, Clone, Copy)]
pub struct StateAt<'a> {
    pub(super) store: &'a Store,
    /// The block on the chain up to which the store is read.
    pub(super) since: u32,
    /// What a branch that was given up has written since then.
    pub(super) overlay: Option<&'a Overlay>,
    /// The block.
    pub block: &'a Arc<Block>,
}

impl<'a> StateAt<'a> {
    /// The value under a key.
    pub fn get(self, key: &[u8]) -> Option<&'a Value> {
        match self.overlay.and_then(|overlay| overlay.get(key)) {
            Some(written) => written.as_ref(),
            None => self.store.get(key, self.since),
        }
    }

    /// Keys under a prefix and after `start`, with their values, in order.
    pub fn after(
        self,
        prefix: &'a [u8],
        start: Option<&'a [u8]>,
    ) -> Box<dyn Iterator<Item = (&'a Key, &'a Value)> + Send + 'a> {
        let stored = self.store.after(prefix, start, self.since);
        let Some(overlay) = self.overlay else { return Box::new(stored) };
        let mut merged: BTreeMap<_, _> = stored.collect();
        let within = |key: &Key| key.starts_with(prefix) && start.is_none_or(|start| key.as_ref() > start);
        for (key, written) in overlay.iter().filter(|(key, _)| within(key)) {
            match written {
                Some(value) => merged.insert(key, value),
                None => merged.remove(key),
            };
        }
        Box::new(merged.into_iter())
    }

    /// The key of a hotkey's commitment on subnet 81.
    pub fn commitment_key(self, hotkey: &Hotkey) -> Option<Vec<u8>> {
        let entry = self.runtime().entry("Commitments", "CommitmentOf").ok()?;
        Some(entry.key(&[&NETUID.encode(), hotkey.as_bytes()]))
    }

    /// The runtime in this state.
    pub fn runtime(self) -> &'a Arc<Runtime> {
        &self.block.runtime
    }
}
