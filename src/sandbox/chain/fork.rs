//! Forks: the last blocks are given up, and others take their places. What was given up stays known for a while, as on a
//! real node, so that whoever has seen it can still ask about it.

use std::sync::Arc;

use super::view::Overlay;
use super::{Chain, StateAt};
use crate::sandbox::block::{Block, Hash};
use crate::sandbox::block_builder::Act;

/// Blocks of branches that were given up, at most.
const KEPT_RETRACTED: usize = 256;

/// A block that is no longer on the chain.
#[derive(Debug)]
pub(super) struct Retracted {
    block: Arc<Block>,
    /// The block on the chain from which its branch went.
    ancestor: u32,
    /// What the branch wrote up to it.
    overlay: Overlay,
}

/// What was given up.
#[derive(Debug)]
pub struct Retraction {
    /// The blocks, the lowest first.
    pub blocks: Vec<Arc<Block>>,
    /// What had happened in them without an extrinsic, in order.
    pub acts: Vec<Act>,
}

impl Chain {
    /// Gives up the last `depth` blocks, as many of them as are not final.
    pub fn retract(&mut self, depth: u32) -> Retraction {
        let depth = depth.min(self.best.number() - self.finalized.number());
        let ancestor = self.best.number() - depth;
        let (mut blocks, mut overlay) = (Vec::new(), Overlay::new());
        for number in ancestor + 1..=self.best.number() {
            let Some(block) = self.block(number).cloned() else { continue };
            let written = |key: &Arc<[u8]>| (Arc::clone(key), self.store.get(key, number).cloned());
            overlay.extend(block.changed.iter().map(written));
            self.rebase(number, ancestor, &overlay);
            self.retracted.push_back(Retracted { block: Arc::clone(&block), ancestor, overlay: overlay.clone() });
            blocks.push(block);
        }
        for block in &blocks {
            self.by_hash.remove(&block.hash);
            self.trie.give_up(block.number());
            self.blocks.pop_back();
            block.changed.iter().for_each(|key| self.store.forget_after(key, ancestor));
        }
        while self.retracted.len() > KEPT_RETRACTED {
            self.retracted.pop_front();
        }
        if let Some(best) = self.block(ancestor) {
            self.best = Arc::clone(best);
        }
        self.forks += u64::from(!blocks.is_empty());
        Retraction { blocks, acts: self.recent_acts.split_off(&(ancestor + 1)).into_values().flatten().collect() }
    }

    /// Branches that went from a block which is given up itself go from its ancestor now.
    fn rebase(&mut self, from: u32, to: u32, written: &Overlay) {
        for branch in self.retracted.iter_mut().filter(|branch| branch.ancestor == from) {
            let own = std::mem::replace(&mut branch.overlay, written.clone());
            branch.overlay.extend(own);
            branch.ancestor = to;
        }
    }

    /// Times that blocks were given up.
    pub const fn forks(&self) -> u64 {
        self.forks
    }

    /// Whether a block is on the chain.
    pub fn is_on_chain(&self, block: &Block) -> bool {
        self.block(block.number()).is_some_and(|found| found.hash == block.hash)
    }

    /// Blocks of the chain that came after a block, or after the one from which its branch went, the lowest first.
    pub fn since(&self, block: &Arc<Block>) -> Vec<Arc<Block>> {
        let mut common = block;
        while !self.is_on_chain(common) {
            match self.by_hash(&common.header.parent) {
                Some(parent) => common = parent,
                None => break,
            }
        }
        (common.number() + 1..=self.best.number()).filter_map(|number| self.block(number).cloned()).collect()
    }

    pub(super) fn find_retracted(&self, hash: &Hash) -> Option<&Retracted> {
        self.retracted.iter().rev().find(|retracted| retracted.block.hash == *hash)
    }
}

impl Retracted {
    pub(super) const fn block(&self) -> &Arc<Block> {
        &self.block
    }

    pub(super) const fn state<'a>(&'a self, chain: &'a Chain) -> StateAt<'a> {
        StateAt { store: &chain.store, since: self.ancestor, overlay: Some(&self.overlay), block: &self.block }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hotkey::Hotkey;
    use crate::sandbox::chain::{Contents, GenesisState};
    use crate::sandbox::commitment::CommitmentSpec;
    use crate::sandbox::metadata::Runtime;

    const WHO: [u8; 32] = [7; 32];

    fn chain() -> Chain {
        Chain::new(&Runtime::finney().unwrap(), 1000, 1_000_000_000, GenesisState::default()).unwrap()
    }

    /// A block in which a hotkey publishes a text.
    fn publish(chain: &mut Chain, text: &str, time: u64) -> Arc<Block> {
        let act = Act::Commit { hotkey: Hotkey::from_bytes(WHO), spec: CommitmentSpec::raw(text) };
        chain.produce(time, Contents { acts: &[act], ..Contents::default() }).unwrap();
        Arc::clone(chain.best())
    }

    /// What it has published in the state of a block, by key and by listing.
    fn seen(chain: &Chain, block: &Block) -> Option<String> {
        let state = chain.state(Some(&block.hash)).unwrap();
        let entry = state.runtime().entry("Commitments", "CommitmentOf").unwrap();
        let (key, prefix) = (entry.key(&[&[81, 0], &WHO]), *entry.prefix());
        let listed: Vec<_> = state.after(&prefix, None).map(|(key, value)| (key.to_vec(), value.clone())).collect();
        let got = state.get(&key).cloned();
        assert_eq!(listed, got.clone().map(|value| (key, value)).into_iter().collect::<Vec<_>>());
        got.map(|value| String::from_utf8_lossy(&value[14..]).into_owned())
    }

    #[test]
    fn a_block_that_was_given_up_keeps_its_state_and_the_chain_has_another() {
        let mut chain = chain();
        let before = Arc::clone(chain.best());
        let old = publish(&mut chain, "old", 2_000_000_000);
        assert_eq!(chain.retract(1).blocks[0].hash, old.hash);
        assert_eq!(chain.best().hash, before.hash);
        let new = publish(&mut chain, "new", 2_000_000_001);
        assert_ne!(new.hash, old.hash);
        assert_eq!(
            [&before, &old, &new].map(|block| seen(&chain, block)),
            [None, Some("old".to_owned()), Some("new".to_owned())]
        );
        assert_eq!((chain.is_on_chain(&old), chain.is_on_chain(&new)), (false, true));
        assert_eq!(chain.since(&old).iter().map(|block| block.hash).collect::<Vec<_>>(), [new.hash]);
    }

    #[test]
    fn a_branch_of_a_branch_keeps_its_state_when_both_are_given_up() {
        let mut chain = chain();
        let one = publish(&mut chain, "one", 2_000_000_000);
        let two = publish(&mut chain, "two", 2_000_000_001);
        chain.retract(1);
        let other = publish(&mut chain, "other", 2_000_000_002);
        chain.retract(2);
        let last = publish(&mut chain, "last", 2_000_000_003);
        let texts = ["one", "two", "other", "last"].map(|text| Some(text.to_owned()));
        assert_eq!([&one, &two, &other, &last].map(|block| seen(&chain, block)), texts);
    }

    #[test]
    fn what_is_final_is_never_given_up() {
        let mut chain = chain();
        let finalized = Arc::clone(chain.finalized());
        assert_eq!(chain.retract(100).blocks.len(), 2);
        assert_eq!((chain.best().hash, chain.finalized().hash), (finalized.hash, finalized.hash));
        assert!(chain.retract(1).blocks.is_empty());
    }

    #[test]
    fn acts_of_blocks_that_were_given_up_are_handed_back_in_order() {
        let mut chain = chain();
        publish(&mut chain, "one", 2_000_000_000);
        publish(&mut chain, "two", 2_000_000_001);
        let acts = chain.retract(2).acts;
        let texts: Vec<_> = acts.iter().map(|act| format!("{act:?}")).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains(&format!("{:?}", b"one")) && texts[1].contains(&format!("{:?}", b"two")));
    }
}
