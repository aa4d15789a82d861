//! What read tests stand on: the subnet as it was heard last, and the published keys with their secrets.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::chain::PublishedKeys;
use crate::domain::commitment::{Commitment, Parts, Published, Unreadable};
use crate::domain::feed::FeedEvent;
use crate::domain::hotkey::Hotkey;
use crate::domain::snapshot::{Member, SubnetSnapshot};
use crate::domain::text::BLOCK_SECONDS;

/// The subnet as it is heard. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct SubnetView {
    keys: PublishedKeys,
    heard: Arc<RwLock<Option<Heard>>>,
}

#[derive(Debug, Clone)]
struct Heard {
    subnet: Arc<SubnetSnapshot>,
    /// Number of the last finalized block.
    finalized: u64,
    /// When that was heard of.
    last: Instant,
}

impl SubnetView {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A subnet that was read once, with the keys that were read with it.
    pub fn of(subnet: SubnetSnapshot, keys: PublishedKeys) -> Self {
        let finalized = subnet.at.number;
        let heard = Heard { subnet: Arc::new(subnet), finalized, last: Instant::now() };
        Self { keys, heard: Arc::new(RwLock::new(Some(heard))) }
    }

    /// Where the chain's reader puts the keys.
    pub fn keys(&self) -> PublishedKeys {
        self.keys.clone()
    }

    /// Takes note of what the feed tells.
    pub fn hear(&self, event: &FeedEvent) {
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        match (event, heard.as_mut()) {
            (FeedEvent::Snapshot(subnet), _) => {
                let finalized = subnet.at.number;
                let subnet = Arc::new(subnet.as_ref().clone());
                *heard = Some(Heard { subnet, finalized, last: Instant::now() });
            }
            (FeedEvent::Changed(change), Some(heard)) => Arc::make_mut(&mut heard.subnet).apply(change),
            (FeedEvent::FinalizedHead { number, .. }, Some(heard)) => {
                heard.finalized = heard.finalized.max(*number);
                heard.last = Instant::now();
            }
            _ => {}
        }
    }

    /// The subnet at this moment; `None` before it was read.
    pub fn view(&self) -> Option<View> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(View::of(heard, self.keys.clone()))
    }
}

/// The subnet at one moment, indexed for looking up many.
#[derive(Debug)]
pub struct View {
    /// The subnet.
    pub subnet: Arc<SubnetSnapshot>,
    /// Number of the last finalized block.
    pub finalized: u64,
    /// How long ago that was heard of.
    pub silence: Duration,
    keys: PublishedKeys,
    seats: HashMap<Hotkey, usize>,
    /// Who published a key id.
    sharing: HashMap<Vec<u8>, Vec<Hotkey>>,
}

impl View {
    fn of(heard: Heard, keys: PublishedKeys) -> Self {
        let seats = heard.subnet.members.iter().enumerate().map(|(at, member)| (member.hotkey, at)).collect();
        let mut sharing: HashMap<Vec<u8>, Vec<Hotkey>> = HashMap::new();
        for (hotkey, commitment) in &heard.subnet.commitments {
            if let Some(published) = commitment.published() {
                sharing.entry(published.read_key_id.as_bytes().to_vec()).or_default().push(*hotkey);
            }
        }
        sharing.retain(|_, hotkeys| hotkeys.len() > 1);
        let silence = heard.last.elapsed();
        Self { subnet: heard.subnet, finalized: heard.finalized, silence, keys, seats, sharing }
    }

    /// How old the newest block is that anything is known of, in ms: by what was heard, and by the chain's own time.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        let at = self.subnet.at;
        let since = self.finalized.saturating_sub(at.number).saturating_mul(BLOCK_SECONDS * 1_000);
        let by_chain = now_ms.saturating_sub(at.timestamp_ms.saturating_add(since));
        by_chain.max(u64::try_from(self.silence.as_millis()).unwrap_or(u64::MAX))
    }

    /// Who holds a uid by that hotkey; `None` for an ex-member and for strangers.
    pub fn member(&self, hotkey: &Hotkey) -> Option<&Member> {
        self.seats.get(hotkey).and_then(|at| self.subnet.members.get(*at))
    }

    /// What a hotkey published.
    pub fn commitment(&self, hotkey: &Hotkey) -> Option<&Commitment> {
        self.subnet.commitments.get(hotkey)
    }

    /// The other hotkeys that published the same key id.
    pub fn shared_with(&self, hotkey: &Hotkey, published: &Published) -> Vec<Hotkey> {
        let all = self.sharing.get(published.read_key_id.as_bytes()).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|other| *other != hotkey).copied().collect()
    }

    /// The key that a hotkey published, with its secret.
    pub fn parts(&self, hotkey: &Hotkey) -> Result<Parts, NoKey> {
        match self.commitment(hotkey) {
            None => Err(NoKey::NeverCommitted),
            Some(commitment) => match commitment.unreadable() {
                Some(unreadable) => Err(NoKey::Unreadable(unreadable.clone())),
                None => self.keys.parts(hotkey).ok_or(NoKey::NotAtHand),
            },
        }
    }
}

/// Why there is no key to read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoKey {
    /// Nothing was ever published.
    NeverCommitted,
    /// GRAIL drops it.
    Unreadable(Unreadable),
    /// It was published, and changed just now.
    NotAtHand,
}
