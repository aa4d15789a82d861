//! Chain state at every recent block: one ordered map whose values carry the block that wrote them, so that a query at
//! an older block costs a search in a short list and no copy of anything.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A storage key, shared between the map and the change lists of blocks.
pub type Key = Arc<[u8]>;
/// A stored value.
pub type Value = Arc<[u8]>;

/// What a key held from a block on; `None` once it was removed.
#[derive(Debug, Clone)]
struct Version {
    since: u32,
    value: Option<Value>,
}

/// The state of all kept blocks.
#[derive(Debug, Default)]
pub struct Store {
    entries: BTreeMap<Key, Vec<Version>>,
}

impl Store {
    /// A state of writes, each with the block since which it holds; a key written twice keeps the later in the list.
    pub fn new(writes: impl IntoIterator<Item = (u32, Key, Value)>) -> Self {
        let version = |(since, key, value)| (key, vec![Version { since, value: Some(value) }]);
        Self { entries: writes.into_iter().map(version).collect() }
    }

    /// Writes (or removes, with `None`) a value as of block `at`, which must not be older than the key's last write.
    /// Versions that no block from `oldest` on can see are dropped.
    pub fn put(&mut self, at: u32, oldest: u32, key: Key, value: Option<Value>) {
        let versions = self.entries.entry(key).or_default();
        versions.retain(|version| version.since != at);
        versions.push(Version { since: at, value });
        let visible = versions.iter().rposition(|version| version.since <= oldest).unwrap_or(0);
        versions.drain(..visible);
    }

    /// Forgets what was written to a key after a block.
    pub fn forget_after(&mut self, key: &[u8], block: u32) {
        if let Some(versions) = self.entries.get_mut(key) {
            versions.retain(|version| version.since <= block);
        }
    }

    /// The value of a key at a block.
    pub fn get(&self, key: &[u8], at: u32) -> Option<&Value> {
        value_at(self.entries.get(key)?, at)
    }

    /// Every key under a prefix and after `start`, with its value at a block, in key order.
    pub fn after<'a>(
        &'a self,
        prefix: &'a [u8],
        start: Option<&[u8]>,
        at: u32,
    ) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match start {
            Some(start) if start >= prefix => Excluded(start),
            _ => Included(prefix),
        };
        self.entries
            .range::<[u8], _>((from, Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter_map(move |(key, versions)| value_at(versions, at).map(|value| (key, value)))
    }
}

fn value_at(versions: &[Version], at: u32) -> Option<&Value> {
    versions.iter().rev().find(|version| version.since <= at)?.value.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(writes: &[(u32, &str, Option<&str>)]) -> Store {
        let mut store = Store::default();
        for (at, key, value) in writes {
            store.put(*at, 0, key.as_bytes().into(), value.map(|value| value.as_bytes().into()));
        }
        store
    }

    fn text(value: Option<&Value>) -> Option<&str> {
        value.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn every_block_sees_what_was_written_up_to_it() {
        let store = store(&[(5, "a", Some("old")), (7, "a", Some("new")), (9, "a", None)]);
        let seen: Vec<_> = [4, 5, 6, 7, 8, 9, 10].map(|at| text(store.get(b"a", at))).to_vec();
        assert_eq!(seen, [None, Some("old"), Some("old"), Some("new"), Some("new"), None, None]);
    }

    #[test]
    fn keys_are_listed_in_order_after_the_start_and_within_the_prefix() {
        let store = store(&[(1, "pa", Some("1")), (1, "pb", Some("2")), (2, "pc", Some("3")), (1, "q", Some("4"))]);
        let keys = |start: Option<&str>, at| {
            store
                .after(b"p", start.map(str::as_bytes), at)
                .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(None, 2), ["pa", "pb", "pc"]);
        assert_eq!(keys(None, 1), ["pa", "pb"]);
        assert_eq!(keys(Some("p"), 2), ["pa", "pb", "pc"]);
        assert_eq!(keys(Some("pa"), 2), ["pb", "pc"]);
        assert_eq!(keys(Some("pc"), 2), [] as [&str; 0]);
    }

    #[test]
    fn versions_that_no_kept_block_can_see_are_dropped() {
        let mut store = store(&[(1, "a", Some("1")), (2, "a", Some("2")), (3, "a", Some("3"))]);
        store.put(9, 3, b"a".as_slice().into(), Some(b"9".as_slice().into()));
        assert_eq!(store.entries.get(b"a".as_slice()).unwrap().len(), 2);
        assert_eq!(text(store.get(b"a", 3)), Some("3"));
    }
}
