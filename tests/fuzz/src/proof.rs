//! Proofs of storage values.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use grail_console::chain::provenance::{StateProof, Unproven};
use grail_console::sandbox::StateTrie;
use sp_crypto_hashing::blake2_256;

/// What is asked for: values in their node, values that are nodes of their own, and nothing.
const KEYS: [&[u8]; 8] =
    [b"key7", b"key33", b"key59", b"nobody", b"", b"key", b"key3", b"key33 and a good deal behind it, deeper than any"];

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A state, its nodes, and its root.
static GENUINE: LazyLock<(State, Vec<Vec<u8>>, [u8; 32])> = LazyLock::new(|| {
    let state: State = (0..60_u8).map(|n| (format!("key{n}").into_bytes(), vec![n; usize::from(n)])).collect();
    let mut trie = StateTrie::default();
    let writes = state.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
    let root = trie.write(1, &StateTrie::empty_root(), writes).unwrap();
    let keys: Vec<Vec<u8>> = state.keys().cloned().collect();
    (state, trie.proof(&root, &keys).unwrap(), root)
});

/// The first byte says which root is believed: that of a real state, or the hash of a node of the input. Then nodes, each with
/// its length in two bytes; a length with its highest bit set stands for that node of the real state.
pub fn run(data: &[u8]) -> &'static str {
    let Some((what, rest)) = data.split_first() else { return "nothing" };
    let (state, genuine, root) = &*GENUINE;
    let nodes = nodes(rest, genuine);
    let proof = StateProof::new(nodes.clone(), KEYS.len());
    assert_eq!(proof.size().bytes, nodes.iter().map(Vec::len).sum::<usize>());
    let mut outcome = "unproven";
    for key in KEYS {
        match proof.value(root, key) {
            Err(Unproven) => {}
            told => {
                assert_eq!(told, Ok(state.get(key).cloned()), "a value is proven that is not there");
                outcome = "proven";
            }
        }
    }
    if what & 1 == 1 {
        // A state that somebody made up: what it says does not depend on the order, and stands in it.
        let Some(first) = nodes.first() else { return "no_root" };
        let made_up = blake2_256(first);
        let turned = StateProof::new(nodes.iter().rev().cloned().collect(), KEYS.len());
        for key in KEYS {
            let told = proof.value(&made_up, key);
            assert_eq!(told, turned.value(&made_up, key));
            if let Ok(Some(value)) = told {
                let holds = |node: &Vec<u8>| value.is_empty() || node.windows(value.len()).any(|part| part == value);
                assert!(nodes.iter().any(holds), "a value that stands in no node");
            }
        }
    }
    outcome
}

fn nodes(mut rest: &[u8], genuine: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut nodes = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = u16::from_le_bytes(*length);
        let index = usize::from(length & 0x7fff);
        rest = behind;
        if length & 0x8000 != 0 {
            nodes.push(genuine[index % genuine.len()].clone());
        } else {
            let node = &behind[..index.min(behind.len())];
            rest = &behind[node.len()..];
            nodes.push(node.to_vec());
        }
    }
    nodes
}
