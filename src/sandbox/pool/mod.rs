//! The transaction pool: what has been submitted, what of it can be included, what became of what was.

mod answer;
mod rejection;
mod status;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;

use super::block::{Block, Hash};
use super::chain::Chain;
use super::extrinsic::{Account, Signed, decode, hash_of};
use super::validity::{Holder, Refusal, Valid, check, judge};
pub use answer::PoolAnswer;
pub use rejection::Rejection;
pub use status::{Status, Watch};

/// Extrinsics that one block takes from the pool, at most.
pub const MAX_PER_BLOCK: usize = 100;
/// Extrinsics in the pool, at most. Real nodes keep 8192.
pub const MAX_POOL: usize = 512;
/// How long a known extrinsic is banned, in milliseconds of chain time: half an hour, as on real nodes.
const BAN_MS: u64 = 30 * 60 * 1000;
/// Blocks after which a watch ends when finality does not come.
pub const MAX_FINALITY_BLOCKS: u32 = 512;

/// An extrinsic in the pool.
#[derive(Debug)]
struct Entry {
    signed: Arc<Signed>,
    priority: u64,
    /// The best block at which it is no longer valid.
    valid_till: u64,
    /// Its place in the order of arrival.
    arrival: u64,
    ready: bool,
    watch: Watch,
}

/// An extrinsic in a block that is not final yet.
#[derive(Debug)]
struct Included {
    signed: Arc<Signed>,
    block: Hash,
    number: u32,
    watch: Watch,
}

/// What the pool does with a valid extrinsic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It takes it.
    Admitted,
    /// It loses it.
    Swallowed,
    /// It loses it, and whoever watches it goes on watching nothing.
    Silenced,
    /// It loses it, and tells of a block that never was.
    Invented,
}

/// The pool.
#[derive(Debug, Default)]
pub struct Pool {
    /// By who signed and by nonce: of two with the same only one can ever be included.
    waiting: BTreeMap<(Account, u32), Entry>,
    included: Vec<Included>,
    /// Who is told nothing any more.
    silenced: Vec<Watch>,
    /// Who is told of a block that never was, by extrinsic.
    deceived: Vec<(Hash, Watch)>,
    /// Until which chain time.
    banned: HashMap<Hash, u64>,
    arrivals: u64,
}

impl Pool {
    /// Takes an extrinsic (without the length that precedes it) if it is valid on top of the best block.
    pub fn submit(&mut self, chain: &Chain, bytes: &[u8], watch: Watch, fate: Fate) -> Result<Hash, Rejection> {
        let hash = hash_of(bytes);
        self.check_known(chain, &hash)?;
        let top = chain.top();
        let unreadable = |error: parity_scale_codec::Error| Rejection::Unreadable(error.to_string());
        let extrinsic = decode(top.runtime(), bytes).map_err(unreadable)?;
        match judge(chain, top, extrinsic) {
            Ok((signed, valid)) => match fate {
                Fate::Admitted => self.admit(chain, Arc::new(signed), valid, watch)?,
                Fate::Swallowed => {}
                Fate::Silenced => self.silenced.push(watch),
                Fate::Invented => {
                    watch.tell(Status::Ready);
                    watch.tell(Status::Broadcast);
                    self.deceived.push((hash, watch));
                }
            },
            Err(refusal) => {
                if matches!(refusal, Refusal::Invalid(_)) {
                    self.ban(chain, hash);
                }
                return Err(refusal.into());
            }
        }
        Ok(hash)
    }

    fn check_known(&self, chain: &Chain, hash: &Hash) -> Result<(), Rejection> {
        if self.banned.get(hash).is_some_and(|until| chain.best().timestamp_ms < *until) {
            return Err(Rejection::Banned);
        }
        let known = self.waiting.values().any(|entry| entry.signed.hash == *hash);
        if known { Err(Rejection::AlreadyImported) } else { Ok(()) }
    }

    fn admit(&mut self, chain: &Chain, signed: Arc<Signed>, valid: Valid, watch: Watch) -> Result<(), Rejection> {
        let place = (signed.signer, signed.nonce);
        if let Some(other) = self.waiting.get(&place) {
            if other.priority >= valid.priority {
                return Err(Rejection::LowPriority { old: other.priority, new: valid.priority });
            }
            other.watch.tell(Status::Usurped(signed.hash));
        }
        self.arrivals += 1;
        let valid_till = u64::from(chain.best().number()).saturating_add(valid.longevity);
        let (priority, arrival) = (valid.priority, self.arrivals);
        self.waiting.insert(place, Entry { signed, priority, valid_till, arrival, ready: false, watch });
        let full = self.make_room(chain) == Some(place);
        if full {
            return Err(Rejection::Dropped);
        }
        self.settle(chain);
        if let Some(entry) = self.waiting.get(&place).filter(|entry| !entry.ready) {
            entry.watch.tell(Status::Future);
        }
        Ok(())
    }

    /// Drops the worst, which is the oldest of the lowest priority, when there are too many. Returns whose it was.
    fn make_room(&mut self, chain: &Chain) -> Option<(Account, u32)> {
        if self.waiting.len() <= MAX_POOL {
            return None;
        }
        let (place, _) = self.waiting.iter().min_by_key(|(_, entry)| (entry.priority, entry.arrival))?;
        let place = *place;
        self.drop_entry(chain, &place, Status::Dropped);
        Some(place)
    }

    fn drop_entry(&mut self, chain: &Chain, place: &(Account, u32), status: Status) {
        if let Some(entry) = self.waiting.remove(place) {
            entry.watch.tell(status);
            self.ban(chain, entry.signed.hash);
        }
    }

    fn ban(&mut self, chain: &Chain, hash: Hash) {
        let now = chain.best().timestamp_ms;
        self.banned.retain(|_, until| now < *until);
        self.banned.insert(hash, now.saturating_add(BAN_MS));
    }

    /// Brings the pool in line with the best block: what can never be included goes, what lacks nothing becomes ready.
    pub fn settle(&mut self, chain: &Chain) {
        let mut next = HashMap::new();
        let mut gone = Vec::new();
        for (place, entry) in &mut self.waiting {
            let (account, nonce) = place;
            let known = || Holder::of(chain.top(), account).nonce;
            let expected = next.entry(*account).or_insert_with(known);
            let over = entry.valid_till <= u64::from(chain.best().number());
            if over || nonce < expected {
                gone.push(*place);
                continue;
            }
            let ready = nonce == expected;
            *expected += u32::from(ready);
            entry.settle(ready);
        }
        for place in gone {
            self.drop_entry(chain, &place, Status::Invalid);
        }
    }

    /// What the next block is to include, in order. What turns out to be invalid is dropped.
    pub fn pick(&mut self, chain: &Chain) -> Vec<Arc<Signed>> {
        let mut first = HashMap::new();
        let mut queue: Vec<_> = self.waiting.iter().filter(|(_, entry)| entry.ready).collect();
        for ((account, _), entry) in &queue {
            let arrival = first.entry(*account).or_insert(entry.arrival);
            *arrival = entry.arrival.min(*arrival);
        }
        queue.sort_by_key(|((account, nonce), _)| (first.get(account).copied(), *nonce));
        let (mut picked, mut refused, mut blocked) = (Vec::new(), Vec::new(), HashSet::new());
        for (place, entry) in queue.into_iter().take(MAX_PER_BLOCK) {
            if blocked.contains(&place.0) {
                continue;
            }
            // By then its account's nonce is its own: those before it are in the same block.
            if check(chain, chain.top(), &entry.signed, place.1).is_ok() {
                picked.push(Arc::clone(&entry.signed));
            } else {
                refused.push(*place);
                blocked.insert(place.0);
            }
        }
        for place in refused {
            self.drop_entry(chain, &place, Status::Invalid);
        }
        picked
    }

    /// A block has included these. With `at_once` whoever watches is told that they are final already.
    pub fn included(&mut self, chain: &Chain, block: &Block, extrinsics: &[Arc<Signed>], at_once: bool) {
        for signed in extrinsics {
            let entry = self.waiting.remove(&(signed.signer, signed.nonce));
            let mut watch = match entry {
                Some(entry) if entry.signed.hash == signed.hash => entry.watch,
                Some(other) => {
                    other.watch.tell(Status::Invalid);
                    Watch::default()
                }
                None => Watch::default(),
            };
            self.ban(chain, signed.hash);
            watch.tell(Status::InBlock(block.hash));
            if at_once {
                std::mem::take(&mut watch).tell(Status::Finalized(block.hash));
            }
            let (signed, block, number) = (Arc::clone(signed), block.hash, block.number());
            self.included.push(Included { signed, block, number, watch });
        }
    }

    /// Tells whoever is deceived of a block that never was.
    pub fn deceive(&mut self) {
        for (extrinsic, watch) in self.deceived.drain(..) {
            let block = blake2_256(&(b"grail-console sandbox: no such block", extrinsic).encode());
            watch.tell(Status::InBlock(block));
            watch.tell(Status::Finalized(block));
        }
    }

    /// Tells of what has become final, and of what has waited for it too long. Returns what has become final.
    pub fn finalize(&mut self, chain: &Chain) -> Vec<Arc<Signed>> {
        let (best, finalized) = (chain.best().number(), chain.finalized().number());
        let mut final_now = Vec::new();
        self.included.retain(|included| {
            if included.number <= finalized {
                included.watch.tell(Status::Finalized(included.block));
                final_now.push(Arc::clone(&included.signed));
            } else if included.number + MAX_FINALITY_BLOCKS <= best {
                included.watch.tell(Status::FinalityTimeout(included.block));
            } else {
                return true;
            }
            false
        });
        final_now
    }

    /// Blocks were given up: what was in them waits again, or is lost.
    pub fn retract(&mut self, chain: &Chain, blocks: &[Arc<Block>], lost: bool) {
        let given_up = |included: &Included| blocks.iter().any(|block| block.hash == included.block);
        let (retracted, rest): (Vec<_>, Vec<_>) = self.included.drain(..).partition(given_up);
        self.included = rest;
        for Included { signed, block, watch, .. } in retracted {
            watch.tell(Status::Retracted(block));
            if lost {
                self.silenced.push(watch);
            } else {
                self.take_back(chain, signed, watch);
            }
        }
    }

    /// Waits again after its block was given up, unless the block of its birth was given up as well.
    fn take_back(&mut self, chain: &Chain, signed: Arc<Signed>, watch: Watch) {
        let hash = signed.hash;
        self.banned.remove(&hash);
        let nonce = Holder::of(chain.top(), &signed.signer).nonce;
        let Ok(valid) = check(chain, chain.top(), &signed, nonce) else {
            watch.tell(Status::Invalid);
            return self.ban(chain, hash);
        };
        // Where another one has its place by now, or the pool is full, it ends without a word, as on a real node.
        self.admit(chain, signed, valid, watch).ok();
    }

    /// The next nonce of an account, whose nonce on chain is `nonce`, with what is ready counted in.
    pub fn next_index(&self, account: &Account, nonce: u32) -> u32 {
        let ready =
            (nonce..).take_while(|nonce| self.waiting.get(&(*account, *nonce)).is_some_and(|entry| entry.ready));
        nonce + u32::try_from(ready.count()).unwrap_or_default()
    }

    /// What is ready, with its length, as it arrived.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        let mut ready: Vec<_> = self.waiting.values().filter(|entry| entry.ready).collect();
        ready.sort_by_key(|entry| entry.arrival);
        ready.into_iter().map(|entry| entry.signed.encoded()).collect()
    }
}

impl Entry {
    /// Ready, or not yet (any more).
    fn settle(&mut self, ready: bool) {
        match (self.ready, ready) {
            (false, true) => {
                self.watch.tell(Status::Ready);
                self.watch.tell(Status::Broadcast);
            }
            (true, false) => self.watch.tell(Status::Future),
            _ => {}
        }
        self.ready = ready;
    }
}
