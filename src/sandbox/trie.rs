//! The state tries of the sandbox chain: one store of nodes in which every recent block has its root, so that whoever
//! asks gets a real proof of any value, and of any absence.

use std::collections::BTreeMap;

use sp_core::{Blake2Hasher, H256};
use sp_trie::{
    HashDBT, LayoutV0, LayoutV1, MemoryDB, RandomState, Recorder, Trie as _, TrieConfiguration as _, TrieDBBuilder,
    delta_trie_root, empty_trie_root,
};

use super::block::Hash;
use super::metadata::MetadataError;

/// Version 1 of the state: values longer than 32 bytes are nodes of their own.
type Layout = LayoutV1<Blake2Hasher>;
/// A place in a trie, which a store of hashes has no use for.
type Prefix<'a> = (&'a [u8], Option<u8>);
/// Blocks for which nodes are kept beyond the states that are served: branches that were given up rest on them.
const MARGIN: u32 = 16;

/// The tries.
#[derive(Default)]
pub struct StateTrie {
    nodes: Nodes,
    /// Nodes that a block's state no longer needs, by the block.
    obsolete: BTreeMap<u32, Vec<H256>>,
}

impl std::fmt::Debug for StateTrie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StateTrie({} blocks of obsolete nodes)", self.obsolete.len())
    }
}

/// Nodes by their hashes. What is taken out is only noted: the states of earlier blocks still need it.
struct Nodes {
    kept: MemoryDB<Blake2Hasher>,
    released: Vec<H256>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { kept: MemoryDB::with_hasher(RandomState::default()), released: Vec::new() }
    }
}

impl HashDBT<Blake2Hasher, Vec<u8>> for Nodes {
    fn get(&self, key: &H256, prefix: Prefix<'_>) -> Option<Vec<u8>> {
        HashDBT::get(&self.kept, key, prefix)
    }

    fn contains(&self, key: &H256, prefix: Prefix<'_>) -> bool {
        HashDBT::contains(&self.kept, key, prefix)
    }

    fn insert(&mut self, prefix: Prefix<'_>, value: &[u8]) -> H256 {
        self.kept.insert(prefix, value)
    }

    fn emplace(&mut self, key: H256, prefix: Prefix<'_>, value: Vec<u8>) {
        self.kept.emplace(key, prefix, value);
    }

    fn remove(&mut self, key: &H256, _: Prefix<'_>) {
        self.released.push(*key);
    }
}

impl hash_db::AsHashDB<Blake2Hasher, Vec<u8>> for Nodes {
    fn as_hash_db(&self) -> &dyn HashDBT<Blake2Hasher, Vec<u8>> {
        self
    }

    fn as_hash_db_mut<'a>(&'a mut self) -> &'a mut (dyn HashDBT<Blake2Hasher, Vec<u8>> + 'a) {
        self
    }
}

impl StateTrie {
    /// The root of a state without anything in it.
    pub fn empty_root() -> Hash {
        empty_trie_root::<Layout>().0
    }

    /// The root after a block's writes on top of the state that has the root `parent`.
    pub fn write<'w>(
        &mut self,
        block: u32,
        parent: &Hash,
        writes: impl IntoIterator<Item = (&'w [u8], Option<&'w [u8]>)>,
    ) -> Result<Hash, MetadataError> {
        let root = delta_trie_root::<Layout, _, _, _, _, _>(&mut self.nodes, H256(*parent), writes, None, None);
        let root = root.map_err(|error| MetadataError::Unencodable {
            what: "the state trie".to_owned(),
            reason: format!("{error:?}"),
        })?;
        let released = std::mem::take(&mut self.nodes.released);
        self.obsolete.entry(block).or_default().extend(released);
        Ok(root.0)
    }

    /// The block is given up: what it no longer needed its parent goes on needing.
    pub fn give_up(&mut self, block: u32) {
        self.obsolete.remove(&block);
    }

    /// States below this block are asked for no more.
    pub fn forget_below(&mut self, block: u32) {
        let kept = self.obsolete.split_off(&block.saturating_sub(MARGIN));
        for node in std::mem::replace(&mut self.obsolete, kept).into_values().flatten() {
            self.nodes.kept.remove(&node, (&[], None));
        }
    }

    /// The nodes that prove what a state holds, or does not hold, under some keys.
    pub fn proof(&self, root: &Hash, keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
        let (root, mut recorder) = (H256(*root), Recorder::<Layout>::new());
        {
            let trie = TrieDBBuilder::<Layout>::new(&self.nodes.kept, &root).with_recorder(&mut recorder).build();
            for key in keys {
                trie.get(key).map_err(|error| format!("{error:?}"))?;
            }
        }
        let nodes: BTreeMap<H256, Vec<u8>> = recorder.drain().into_iter().map(|node| (node.hash, node.data)).collect();
        Ok(nodes.into_values().collect())
    }
}

/// The root over a block's extrinsics, each with the length that precedes it.
pub fn extrinsics_root(extrinsics: &[Vec<u8>]) -> Hash {
    LayoutV0::<Blake2Hasher>::ordered_trie_root(extrinsics).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(trie: &mut StateTrie, block: u32, parent: &Hash, writes: &[(&str, Option<&str>)]) -> Hash {
        let writes = writes.iter().map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
        trie.write(block, parent, writes).unwrap()
    }

    fn all() -> Vec<(Vec<u8>, Vec<u8>)> {
        (0..300_u32).map(|n| (format!("key{n}").into_bytes(), vec![7; n as usize % 90])).collect()
    }

    #[test]
    fn a_root_is_that_of_its_keys_and_values_however_they_came_to_be() {
        let mut trie = StateTrie::default();
        let mut root = StateTrie::empty_root();
        for (block, chunk) in (1..).zip(all().chunks(7)) {
            let writes = chunk.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
            root = trie.write(block, &root, writes).unwrap();
        }
        assert_eq!(root, Layout::trie_root(all()).0);
    }

    #[test]
    fn every_kept_block_still_proves_what_it_held() {
        let mut trie = StateTrie::default();
        let mut roots = vec![StateTrie::empty_root()];
        for block in 1..=60_u32 {
            let value = format!("{block}, in a value that is longer than the 32 bytes that stay in their node");
            let root = put(&mut trie, block, roots.last().unwrap(), &[("a", Some(&value)), ("b", Some("same"))]);
            roots.push(root);
            trie.forget_below(block.saturating_sub(20));
        }
        for root in &roots[40..] {
            assert!(!trie.proof(root, &[b"a".to_vec(), b"nothing".to_vec()]).unwrap().is_empty());
        }
        assert!(trie.proof(&roots[5], &[b"a".to_vec()]).is_err(), "what nobody asks for is let go");
    }

    #[test]
    fn a_block_that_is_given_up_takes_nothing_from_the_others() {
        let mut trie = StateTrie::default();
        let one = put(&mut trie, 1, &StateTrie::empty_root(), &[("a", Some("1"))]);
        put(&mut trie, 2, &one, &[("a", None)]);
        trie.give_up(2);
        let two = put(&mut trie, 2, &one, &[("b", Some("2"))]);
        trie.forget_below(1_000);
        assert!(trie.proof(&two, &[b"a".to_vec(), b"b".to_vec()]).is_ok());
    }
}
