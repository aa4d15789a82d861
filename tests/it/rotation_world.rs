//! What surrounds a rotation, in pure Rust: a chain, a store of tokens, a vault with its index, a `.env`, a GRAIL, validators,
//! a journal, and bad luck at every touch of one of them. Time is counted in blocks of 12 s.

use std::collections::{BTreeMap, BTreeSet};

use grail_console::domain::rotation::{
    ChainFacts, CommitEnd, Entry, EnvStands, Event, History, KeyAnswer, OnChain, Phase, Rotation, Seen, Side,
};
use grail_console::domain::secret::Fingerprint;
use grail_console::domain::vault_index::{Backend, Holding, Index, KeyRef, Origin};

use crate::rotation_fixtures::{LOCATOR, extrinsic, key};

/// Blocks between two looks of each validator at the chain: 600 s, and what polling and an error may add.
const LOOKS: [u64; 3] = [50, 53, 58];
/// Blocks until the store knows a new token: 60 s.
const UNKNOWN: u64 = 5;
/// Blocks for which a signed commit may come into a block.
const ERA: u64 = 64;
/// Blocks by which finality lags.
const BEHIND: u64 = 2;

/// A token, by its place in the store.
pub type TokenId = usize;
/// The token of somebody else who has the hotkey too; it always works.
pub const FOREIGN: TokenId = 0;

#[derive(Debug, Clone)]
pub struct Token {
    pub key: KeyRef,
    pub side: Side,
    pub known_from: u64,
    pub revoked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    pub read: TokenId,
    pub write: Option<TokenId>,
}

/// The state after a block.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub value: TokenId,
    pub set_at: u64,
    nonce: u64,
}

#[derive(Debug, Clone)]
struct Commit {
    number: usize,
    nonce: u64,
    death: u64,
    value: TokenId,
    due: u64,
    refused: bool,
}

/// The node that the console asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Away,
    /// So many blocks behind the others.
    Behind(u64),
    /// It shows a fork of its own, on which this is published. The second source is honest and contradicts it; whether the
    /// operator has acknowledged that.
    Lies {
        published: TokenId,
        acknowledged: bool,
    },
}

/// Why an order ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The console was told that it failed, rightly or not.
    Failed,
    /// The console is gone.
    Crashed,
}

#[derive(Debug, Clone)]
pub struct World {
    pub tokens: Vec<Token>,
    blocks: Vec<Block>,
    pending: Vec<Commit>,
    /// Number of a commit, the block that holds it, and whether it took effect.
    included: BTreeMap<usize, (u64, bool)>,
    commits: usize,
    pub node: Node,
    pub outage: bool,
    pub vault: BTreeMap<u64, Generation>,
    pub index: Index,
    /// `None` where the `.env` defines none of the variables and GRAIL runs from the vault.
    pub env: Option<Generation>,
    cached: [TokenId; 3],
    journal: Vec<Entry>,
    pub history: History,
    /// What the journal of commits says: number, nonce and era of what was signed, after which line of this journal.
    signed: Vec<(usize, Commit)>,
    /// The finalized block of the console's last look.
    pub looked: u64,
    /// Keys that were refused and forgotten.
    retired: BTreeSet<TokenId>,
    chaos: Vec<u8>,
    dice: u64,
    /// Whether some key has to work for every validator at every block.
    pub overlapping: bool,
    pub broken: Option<String>,
    pub seen: BTreeSet<&'static str>,
}

impl World {
    /// Generation 1 is in use, on chain, and in the `.env` if there is one. `chaos` is used up from its end.
    pub fn new(chaos: Vec<u8>, dice: u64, env: bool, write: bool) -> Self {
        let mut world = Self {
            tokens: Vec::new(),
            blocks: Vec::new(),
            pending: Vec::new(),
            included: BTreeMap::new(),
            commits: 0,
            node: Node::Behind(0),
            outage: false,
            vault: BTreeMap::new(),
            index: Index::default(),
            env: None,
            cached: [0; 3],
            journal: Vec::new(),
            history: History::default(),
            signed: Vec::new(),
            looked: 0,
            retired: BTreeSet::new(),
            chaos,
            dice: dice | 1,
            overlapping: true,
            broken: None,
            seen: BTreeSet::new(),
        };
        assert_eq!(world.issue(Side::Read), FOREIGN);
        let read = world.issue(Side::Read);
        let write = write.then(|| world.issue(Side::Write));
        let first = Generation { read, write };
        world.blocks = vec![Block { value: read, set_at: 0, nonce: 0 }; 10];
        world.cached = [read; 3];
        world.vault.insert(1, first);
        world.index.hold(world.holding(1, first));
        world.index.promote(1);
        world.env = env.then_some(first);
        world
    }

    // --- time and chance ---

    /// Whether every mishap has happened.
    pub fn is_calm(&self) -> bool {
        self.chaos.is_empty()
    }

    fn block(&self, number: u64) -> Block {
        self.blocks[usize::try_from(number).unwrap()]
    }

    pub fn now(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }

    pub fn wait(&mut self, blocks: u64) {
        for _ in 0..blocks {
            self.tick();
        }
    }

    /// One block: commits come in by nonce, validators whose time it is look, and everyone reads with what it has.
    fn tick(&mut self) {
        let height = self.now() + 1;
        let mut block = self.block(height - 1);
        let ready = |commit: &Commit, nonce| commit.nonce == nonce && commit.due <= height && height < commit.death;
        while let Some(at) = self.pending.iter().position(|commit| ready(commit, block.nonce)) {
            let commit = self.pending.remove(at);
            block.nonce += 1;
            self.included.insert(commit.number, (height, !commit.refused));
            if !commit.refused {
                block = Block { value: commit.value, set_at: height, ..block };
            }
        }
        self.pending.retain(|commit| commit.death > height && commit.nonce >= block.nonce);
        self.blocks.push(block);
        for (validator, every) in LOOKS.iter().enumerate() {
            if height.is_multiple_of(*every) {
                self.cached[validator] = block.value;
            }
        }
        let read = [self.cached[0], self.cached[1], self.cached[2], block.value];
        if let Some(dead) = read.iter().find(|token| self.overlapping && !self.works(**token)) {
            self.breaks(format!("I1: at #{height} a validator reads with {}, which is dead", self.tokens[*dead].key));
        }
        self.check();
    }

    /// One touch of something that can fail. Meanwhile the world goes on.
    pub fn act<T>(&mut self, effect: impl FnOnce(&mut Self) -> T) -> Result<T, Stop> {
        let chance = self.chaos.pop().unwrap_or(0);
        match chance {
            150..=189 => self.tick(),
            190..=199 => self.wait(10),
            200..=207 => self.grail_restarts(),
            208..=209 => self.somebody_commits(),
            210..=219 => self.node_changes(chance),
            220..=223 => self.outage = !self.outage,
            _ => {}
        }
        if matches!(chance, 224..=231 | 240..=247) {
            return Err(if chance < 240 { Stop::Failed } else { Stop::Crashed });
        }
        let done = effect(self);
        self.check();
        match chance {
            232..=239 => Err(Stop::Failed),
            248..=255 => Err(Stop::Crashed),
            _ => Ok(done),
        }
    }

    pub fn node_changes(&mut self, chance: u8) {
        let reads: Vec<TokenId> = (0..self.tokens.len()).filter(|at| self.tokens[*at].side == Side::Read).collect();
        let published = reads[usize::from(chance / 8) % reads.len()];
        let nodes = [
            Node::Away,
            Node::Behind(0),
            Node::Behind(1),
            Node::Behind(20),
            Node::Behind(60),
            Node::Lies { published, acknowledged: false },
            Node::Lies { published, acknowledged: true },
        ];
        self.node = nodes[usize::from(chance) % nodes.len()];
    }

    /// Nothing fails any more, and what was on its way has come or never will.
    pub fn heal(&mut self) {
        self.chaos.clear();
        self.node = Node::Behind(0);
        self.outage = false;
        self.wait(ERA + 3);
    }

    // --- the store ---

    pub fn issue(&mut self, side: Side) -> TokenId {
        let number = self.tokens.len();
        let known_from = if self.blocks.is_empty() { 0 } else { self.now() + UNKNOWN };
        let token = key(&format!("key-id-{number:03}"), &format!("secret {number}"));
        self.tokens.push(Token { key: token, side, known_from, revoked: false });
        number
    }

    pub fn works(&self, token: TokenId) -> bool {
        !self.tokens[token].revoked && self.tokens[token].known_from <= self.now()
    }

    pub fn revoke(&mut self, token: TokenId) {
        self.tokens[token].revoked = true;
    }

    pub fn probe(&mut self, token: TokenId) -> Result<KeyAnswer, Stop> {
        let answered = self.act(|world| match (world.outage, world.works(token)) {
            (true, _) => KeyAnswer::Unclear("503".to_owned()),
            (false, true) => KeyAnswer::Works,
            (false, false) => KeyAnswer::Refused { http: 401, code: "Unauthorized".to_owned() },
        });
        match answered {
            Err(Stop::Failed) => Ok(KeyAnswer::Unclear("timed out".to_owned())),
            other => other,
        }
    }

    // --- the chain ---

    pub fn on_chain(&self) -> Block {
        self.blocks[self.blocks.len() - 1]
    }

    fn holds(&self, token: TokenId) -> Seen {
        let key = &self.tokens[token].key;
        Seen::Holds(OnChain { locator: Fingerprint::of(LOCATOR), key_id: key.id, secret: key.secret })
    }

    /// What a node that lies says, where the operator has acknowledged that the second source contradicts it: a commit may be
    /// sent on it, and nothing else.
    pub fn told(&self) -> Option<ChainFacts> {
        let Node::Lies { published, acknowledged: true } = self.node else { return None };
        let finalized = self.now().saturating_sub(BEHIND);
        Some(ChainFacts { finalized, age_ms: 0, uid: Some(42), seen: self.holds(published), set_at: Some(finalized) })
    }

    /// What the node says at its newest finalized block, as far as the second source says the same.
    pub fn look(&mut self) -> Result<Option<ChainFacts>, Stop> {
        let asked = self.act(|world| {
            let Node::Behind(blocks) = world.node else { return None };
            let finalized = world.now().saturating_sub(BEHIND + blocks);
            let block = world.block(finalized);
            world.looked = finalized;
            let age_ms = (world.now() - finalized) * 12_000;
            Some(ChainFacts {
                finalized,
                age_ms,
                uid: Some(42),
                seen: world.holds(block.value),
                set_at: Some(block.set_at),
            })
        });
        if asked == Err(Stop::Failed) { Ok(None) } else { asked }
    }

    /// What the chain held at the block of the last look.
    pub fn looked_at(&self) -> TokenId {
        self.block(self.looked).value
    }

    fn commit(&mut self, value: TokenId) -> Commit {
        let mut nonce = self.on_chain().nonce;
        // Some nodes know what waits, some do not.
        while self.roll(8) > 0 && self.pending.iter().any(|waiting| waiting.nonce == nonce) {
            nonce += 1;
        }
        let delay = match self.roll(10) {
            0..=6 => 1,
            7..=8 => 1 + self.roll(10),
            _ => 1 + self.roll(70),
        };
        self.commits += 1;
        let (now, refused) = (self.now(), self.roll(20) == 0);
        Commit { number: self.commits, nonce, death: now + ERA, value, due: now + delay, refused }
    }

    fn broadcast(&mut self, commit: Commit) {
        if self.tokens[commit.value].side == Side::Write {
            self.breaks("I4: a write key is published".to_owned());
        }
        // What is handed to a fork may never reach the chain.
        if matches!(self.node, Node::Lies { .. }) && self.roll(2) == 0 {
            return;
        }
        // The pool refuses one whose nonce is used: it can land nowhere.
        if commit.nonce >= self.on_chain().nonce {
            self.pending.push(commit);
        }
    }

    /// Signs with what is in the vault, written down before it is sent, and sends it.
    pub fn publish(&mut self, value: TokenId) -> Result<(), Stop> {
        let line = self.journal.len();
        let commit = self.act(|world| {
            let commit = world.commit(value);
            world.signed.push((line, commit.clone()));
            commit
        })?;
        self.act(|world| world.broadcast(commit))
    }

    /// What became of the commit that this journal's last confirmation led to, as of the block of the last look.
    pub fn commit_end(&self) -> CommitEnd {
        let line = self.journal.iter().rposition(|entry| matches!(entry.event, Event::Signing { .. }));
        let signed = self.signed.iter().rev().find(|(at, _)| Some(*at) == line.map(|line| line + 1));
        let Some((_, commit)) = signed else { return CommitEnd::NeverSigned };
        let dead = |why: &str| CommitEnd::Dead { why: why.to_owned() };
        match self.included.get(&commit.number).filter(|(block, _)| *block <= self.looked) {
            Some((block, true)) => CommitEnd::Landed { extrinsic: extrinsic(), block: *block },
            Some((_, false)) => dead("refused in its block"),
            None if self.block(self.looked).nonce > commit.nonce => dead("its nonce is used by another"),
            None if self.looked >= commit.death => dead("its era is over"),
            None => CommitEnd::Alive,
        }
    }

    /// GRAIL starts: it commits what its `.env`, or the vault through `exec`, gives it, if the chain holds something else.
    pub fn grail_restarts(&mut self) {
        let in_use = || self.index.current.and_then(|number| self.vault.get(&number).copied());
        let Some(keys) = self.env.or_else(in_use) else { return };
        if self.on_chain().value != keys.read {
            let commit = self.commit(keys.read);
            self.broadcast(commit);
        }
    }

    pub fn somebody_commits(&mut self) {
        let commit = self.commit(FOREIGN);
        self.broadcast(commit);
    }

    // --- what is kept on this machine ---

    pub fn holding(&self, number: u64, generation: Generation) -> Holding {
        let reference = |token: TokenId| self.tokens[token].key.clone();
        Holding {
            number,
            backend: Backend::File,
            created_ms: 0,
            origin: Origin::Rotated,
            locator: Some(LOCATOR.to_owned()),
            read_key_id: None,
            read: Some(reference(generation.read)),
            write: generation.write.map(reference),
        }
    }

    pub fn put(&mut self, number: u64, generation: Generation) {
        if self.vault.insert(number, generation).is_some_and(|before| before != generation) {
            self.breaks(format!("generation {number} is overwritten"));
        }
    }

    pub fn env_stands(&self, rotation: &Rotation) -> EnvStands {
        let (Some(env), Some(target)) = (self.env, self.vault.get(&rotation.target())) else {
            return EnvStands::Undefined;
        };
        let read = rotation.change.read.is_none() || env.read == target.read;
        let write = rotation.change.write.is_none() || env.write == target.write;
        if read && write { EnvStands::Target } else { EnvStands::Other }
    }

    pub fn open(&self) -> Option<&Rotation> {
        self.history.open.as_ref()
    }

    /// One line of the journal, or none of it: a torn one never counts.
    pub fn write_line(&mut self, event: Event) {
        self.seen.insert(kind(&event));
        if event == Event::Retiring {
            self.check_retiring();
        }
        let entry = Entry { at_ms: self.now() * 12_000, event };
        if let Err(contradiction) = self.history.take(&entry) {
            self.breaks(format!("I5: {contradiction}"));
        }
        self.journal.push(entry);
        self.note_end();
    }

    fn note_end(&mut self) {
        if self.open().is_some() {
            return;
        }
        if let Some(last) = self.history.closed.last().filter(|last| last.phase == Phase::Retired) {
            let old: Vec<KeyRef> = last.change.old_keys().map(|(_, key)| key.clone()).collect();
            self.retired.extend((0..self.tokens.len()).filter(|token| old.contains(&self.tokens[*token].key)));
        }
    }

    /// What a console that starts now reads.
    pub fn restart(&mut self) {
        match History::fold(&self.journal) {
            Ok(history) if history == self.history => {}
            other => self.breaks(format!("I5: the journal folds to {other:?}")),
        }
    }

    // --- what must hold ---

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn check_retiring(&mut self) {
        let Some(rotation) = self.open().cloned() else { return };
        let new = self.vault.get(&rotation.to).copied();
        let published = rotation.change.read.is_none() || new.is_some_and(|new| self.looked_at() == new.read);
        let env = matches!(self.env_stands(&rotation), EnvStands::Target | EnvStands::Undefined);
        if !(new.is_some() && published && env) {
            self.breaks(format!("I3: retiring while chain {published}, .env {env}, vault {new:?}"));
        }
    }

    /// After every touch.
    fn check(&mut self) {
        if let Some(what) = self.lost() {
            self.breaks(what);
        }
    }

    fn lost(&self) -> Option<String> {
        let durable = |token| token == FOREIGN || self.vault.values().any(|generation| generation.read == token);
        let out = self.pending.iter().map(|commit| commit.value).chain([self.on_chain().value]);
        if let Some(token) = out.into_iter().find(|token| !durable(*token) && !self.retired.contains(token)) {
            let forgetting = self.open().is_some_and(|rotation| rotation.retiring);
            // Its forgetting is under way: the store refuses it, only the last line is missing.
            if !(forgetting && self.tokens[token].revoked) {
                return Some(format!("I2: {} is on its way and in no vault", self.tokens[token].key));
            }
        }
        if self.index.current.is_none_or(|number| !self.vault.contains_key(&number)) {
            return Some(format!("the generation in use, {:?}, is in no vault", self.index.current));
        }
        let rotations = self.history.closed.last().into_iter().chain(self.open());
        for rotation in rotations {
            let (old, new) = (self.vault.contains_key(&rotation.from), self.vault.contains_key(&rotation.to));
            let (needs_old, needs_new) = match rotation.phase {
                Phase::Retired => (false, true),
                Phase::RolledBack => (true, true),
                Phase::Abandoned => (true, false),
                _ => (!rotation.retiring, rotation.published || rotation.promoted || rotation.submission.is_some()),
            };
            let superseded = self.open().is_some_and(|open| open.to != rotation.to);
            if !superseded && ((needs_old && !old) || (needs_new && !new)) {
                return Some(format!("I3: at {:?} the vault holds old {old}, new {new}", rotation.phase));
            }
        }
        None
    }
}

/// Its name in the journal.
pub const fn kind(event: &Event) -> &'static str {
    match event {
        Event::Began { .. } => "began",
        Event::Pinned => "pinned",
        Event::AllRestarted => "all_restarted",
        Event::Staged => "staged",
        Event::Probed { .. } => "probed",
        Event::Planned { .. } => "planned",
        Event::Signing { .. } => "signing",
        Event::Submitted { .. } => "submitted",
        Event::Finalized { .. } => "finalized",
        Event::Unsent { .. } => "unsent",
        Event::Different { .. } => "different",
        Event::Accepted { .. } => "accepted",
        Event::Promoted => "promoted",
        Event::EnvIntended => "env_intended",
        Event::EnvUpdated { .. } => "env_updated",
        Event::GraceBegan { .. } => "grace_began",
        Event::Reverted { .. } => "reverted",
        Event::Refused { .. } => "refused",
        Event::Lost { .. } => "lost",
        Event::Retiring => "retiring",
        Event::Retired => "retired",
        Event::TurnedBack => "turned_back",
        Event::Forgetting => "forgetting",
        Event::Abandoned => "abandoned",
        Event::RolledBack => "rolled_back",
    }
}
