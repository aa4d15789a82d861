//! State proofs: what the sandbox's tries prove is so, and nothing else can be proven with them.

use std::collections::BTreeMap;

use grail_console::chain::provenance::{StateProof, Unproven};
use grail_console::sandbox::StateTrie;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn built(state: &State) -> (StateTrie, [u8; 32]) {
    let mut trie = StateTrie::default();
    let writes = state.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
    let root = trie.write(1, &StateTrie::empty_root(), writes).unwrap();
    (trie, root)
}

/// Keys with common beginnings, so that there are branches, and values of both kinds: in their node, and a node of their own.
fn states() -> impl Strategy<Value = State> {
    let key = (vec(0_u8..3, 0..3), vec(any::<u8>(), 1..6)).prop_map(|(front, back)| [front, back].concat());
    btree_map(key, vec(any::<u8>(), 0..80), 0..40)
}

proptest! {
    #[test]
    fn what_is_there_and_what_is_not_is_proven_and_nothing_else(state in states(), absent in vec(vec(any::<u8>(), 1..7), 0..6)) {
        let (trie, root) = built(&state);
        let keys: Vec<Vec<u8>> = state.keys().cloned().chain(absent).collect();
        let proof = StateProof::new(trie.proof(&root, &keys).unwrap(), keys.len());
        for key in &keys {
            prop_assert_eq!(proof.value(&root, key), Ok(state.get(key).cloned()));
        }
        // Of another state it proves nothing.
        let mut other = state.clone();
        other.insert(b"one more".to_vec(), vec![7; 40]);
        let (_, other_root) = built(&other);
        for key in &keys {
            prop_assert_eq!(proof.value(&other_root, key), Err(Unproven));
        }
    }

    #[test]
    fn what_a_proof_was_not_made_for_it_does_not_pretend_to_know(state in states(), pick in any::<prop::sample::Index>()) {
        prop_assume!(!state.is_empty());
        let (trie, root) = built(&state);
        let keys: Vec<Vec<u8>> = state.keys().cloned().collect();
        let chosen = keys[pick.index(keys.len())].clone();
        let proof = StateProof::new(trie.proof(&root, std::slice::from_ref(&chosen)).unwrap(), 1);
        for key in &keys {
            let said = proof.value(&root, key);
            prop_assert!(said == Err(Unproven) || said == Ok(state.get(key).cloned()), "{key:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_proof_of_nothing(nodes in vec(vec(any::<u8>(), 0..200), 0..8), root in any::<[u8; 32]>(), key in vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(StateProof::new(nodes, 1).value(&root, &key), Err(Unproven));
    }
}

#[test]
fn no_changed_byte_anywhere_in_a_proof_yields_a_wrong_value() {
    let state: State = (0..60_u32).map(|n| (format!("key{n}").into_bytes(), vec![9; n as usize])).collect();
    let (trie, root) = built(&state);
    let keys: Vec<Vec<u8>> = ["key7", "key33", "key59", "nobody"].map(|key| key.as_bytes().to_vec()).to_vec();
    let nodes = trie.proof(&root, &keys).unwrap();
    let mut changed = 0;
    for (index, node) in nodes.iter().enumerate() {
        for at in 0..node.len() {
            for bit in [1, 0x80] {
                let mut nodes = nodes.clone();
                nodes[index][at] ^= bit;
                let proof = StateProof::new(nodes, keys.len());
                for key in &keys {
                    let said = proof.value(&root, key);
                    assert!(said == Err(Unproven) || said == Ok(state.get(key).cloned()), "node {index}, byte {at}");
                    changed += usize::from(said == Err(Unproven));
                }
            }
        }
    }
    assert!(changed > 1_000, "a changed byte is noticed: {changed}");
}

#[test]
fn no_missing_node_yields_a_wrong_value() {
    let state: State = (0..60_u32).map(|n| (format!("key{n}").into_bytes(), vec![9; n as usize])).collect();
    let (trie, root) = built(&state);
    let keys: Vec<Vec<u8>> = ["key7", "key33", "nobody"].map(|key| key.as_bytes().to_vec()).to_vec();
    let nodes = trie.proof(&root, &keys).unwrap();
    for index in 0..nodes.len() {
        let mut nodes = nodes.clone();
        nodes.remove(index);
        let proof = StateProof::new(nodes, keys.len());
        let said: Vec<_> = keys.iter().map(|key| proof.value(&root, key)).collect();
        assert!(said.contains(&Err(Unproven)), "node {index} is needed");
        for (said, key) in said.iter().zip(&keys) {
            assert!(*said == Err(Unproven) || *said == Ok(state.get(key).cloned()), "node {index}");
        }
    }
}
