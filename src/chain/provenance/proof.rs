//! What a proof of storage values proves. It is judged by the values that it yields, never by its being well-formed: each
//! node is found by its own hash, from the state root on, so a changed byte leaves a node that nobody finds.

use sp_core::{Blake2Hasher, H256};
use sp_trie::{LayoutV0, LayoutV1, MemoryDB, StorageProof, TrieConfiguration as _, read_trie_value};

use crate::domain::network::BlockHash;
use crate::domain::provenance::ProofSize;

/// Nodes of a state, by their hashes. Nothing is believed of them yet.
pub struct StateProof {
    nodes: MemoryDB<Blake2Hasher>,
    size: ProofSize,
}

impl std::fmt::Debug for StateProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StateProof({:?})", self.size)
    }
}

/// The proof says nothing about a key: a node on the way to it is missing or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unproven;

impl StateProof {
    /// The nodes as a node serves them, in any order, for so many keys.
    pub fn new(nodes: Vec<Vec<u8>>, keys: usize) -> Self {
        let size = ProofSize { nodes: nodes.len(), bytes: nodes.iter().map(Vec::len).sum(), keys };
        Self { nodes: StorageProof::new(nodes).into_memory_db(), size }
    }

    /// What it weighs.
    pub const fn size(&self) -> ProofSize {
        self.size
    }

    /// The value under a key in the state with this root, `None` where it is proven that there is none.
    pub fn value(&self, root: &[u8; 32], key: &[u8]) -> Result<Option<Vec<u8>>, Unproven> {
        // Both layouts are read alike: which values are nodes of their own stands in the nodes themselves.
        let value = read_trie_value::<LayoutV1<Blake2Hasher>, _>(&self.nodes, &H256(*root), key, None, None);
        value.map_err(|_| Unproven)
    }
}

/// Whether a block's extrinsics, each with the length that precedes it, are those of a header. Which of the two layouts a
/// runtime uses it says nowhere in the header; nobody can find other extrinsics for either.
pub(super) fn are_of_root(extrinsics: &[Vec<u8>], root: BlockHash) -> bool {
    LayoutV0::<Blake2Hasher>::ordered_trie_root(extrinsics).0 == root.0
        || LayoutV1::<Blake2Hasher>::ordered_trie_root(extrinsics).0 == root.0
}
