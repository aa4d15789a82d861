//! What a commit needs of the chain: where the hotkey stands at a finalized block, its own values verified, and the runtime
//! for which its transaction is signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::clock::Head;
use super::super::decode;
use super::super::error::{ChainError, Fault};
use super::super::node::{Connection, Node};
use super::super::own_state::{OwnState, Reading};
use super::super::provenance::{Beside, Examination, Fact, examine_on};
use super::super::session::Session;
use super::extrinsic::{Draft, DraftError};
use super::runtime::Runtime;
use crate::domain::commit::plan::MOST_WAITING;
use crate::domain::commit::{HotkeyState, Space};
use crate::domain::commitment::Commitment;
use crate::domain::guard::Cleared;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, SANDBOX, is_sandbox};
use crate::domain::provenance::Depth;
use crate::domain::snapshot::{BlockRef, ChainIdentity};

/// Bytes of an epoch's budget where the chain stores none (FACTS 3).
const DEFAULT_MAX_SPACE: u64 = 3_100;

/// Whose commitment, and where.
#[derive(Debug, Clone)]
pub struct HotkeyClientOptions {
    /// The chain's nodes.
    pub node: Node,
    /// The chain that it must be, where that is known.
    pub genesis: Option<BlockHash>,
    /// The subnet.
    pub netuid: u16,
    /// Whose commitment.
    pub hotkey: Hotkey,
}

/// A connection with its runtime, for one hotkey.
pub struct HotkeyClient {
    pub(super) connection: Connection,
    pub(super) runtime: Arc<Runtime>,
    pub(super) netuid: u16,
    pub(super) hotkey: Hotkey,
    node: Node,
}

impl std::fmt::Debug for HotkeyClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HotkeyClient({})", self.session().endpoint())
    }
}

impl HotkeyClient {
    /// At the first endpoint that answers as the right chain. The error is that of the preferred one.
    pub async fn open(options: &HotkeyClientOptions) -> Result<Self, ChainError> {
        let mut attempts = options.node.attempts();
        loop {
            let connection = attempts.next().await?;
            match Self::on(&connection, options).await {
                Ok(client) => return Ok(client),
                // The connection is good, and leads to another chain than this commit is for.
                Err(error @ ChainError { fault: Fault::WrongGenesis { .. }, .. }) => return Err(error),
                Err(error) => attempts.failed(&connection, error).await?,
            }
        }
    }

    async fn on(connection: &Connection, options: &HotkeyClientOptions) -> Result<Self, ChainError> {
        let (node, session, found) = (&options.node, &connection.session, connection.genesis);
        if let Some(expected) = options.genesis.filter(|expected| *expected != found) {
            let network = node.network().name.clone();
            return Err(session.fault(Fault::WrongGenesis { network, expected, found }));
        }
        let versions = connection.versions().await?;
        let load = Runtime::of_best(session, &node.options().store, connection.genesis, versions);
        let runtime = Box::pin(node.signing_runtime(connection, &signing_runtime(session, versions), load)).await?;
        let (connection, node) = (connection.clone(), node.clone());
        Ok(Self { connection, runtime, netuid: options.netuid, hotkey: options.hotkey, node })
    }

    /// Gives this client's connection up: the next one is opened at another endpoint where there is one.
    pub(super) async fn give_up(&self) {
        self.node.forget(&self.connection).await;
    }

    pub(super) const fn session(&self) -> &Session {
        &self.connection.session
    }

    /// The endpoint, as it is shown.
    pub fn endpoint(&self) -> String {
        self.session().endpoint().to_string()
    }

    /// The chain's genesis.
    pub const fn genesis(&self) -> BlockHash {
        self.connection.genesis
    }

    /// Where the hotkey stands at the newest finalized block that both operators have, or that the endpoint has alone: one
    /// reading, verified, and that very reading is what may be acted on. While no newer block is final it is made once.
    /// `now_ms` is the time since 1970.
    pub async fn state(&self, now_ms: u64, depth: Depth) -> Result<OwnState, ChainError> {
        let (next, own) = tokio::try_join!(self.session().next_index(&self.hotkey), self.facts(now_ms, depth))?;
        let settled = own.state.settled_nonce;
        if !(settled..=settled + MOST_WAITING).contains(&next) {
            let why = format!("the next nonce, {next}, does not fit the account's, {settled}");
            return Err(self.session().malformed("system_accountNextIndex", &why));
        }
        Ok(OwnState { state: HotkeyState { nonce: next, ..own.state }, ..own })
    }

    /// The same for callers that sign nothing: the nonce is that of the account alone.
    pub async fn facts(&self, now_ms: u64, depth: Depth) -> Result<OwnState, ChainError> {
        let head = self.connection.newest_head().await?;
        if let Some(known) = self.node.known_state(&self.reading(head.hash, depth)).await {
            return Ok(known);
        }
        let own = match Box::pin(self.read_state(now_ms, depth, &head)).await {
            Ok(own) => own,
            Err(error) => {
                // The next attempt is made over another connection.
                self.give_up().await;
                return Err(error);
            }
        };
        // What a second source may still confirm, or take back, is read again.
        if own.is_last_word(head.hash) {
            self.node.note_state(self.reading(head.hash, depth), own.clone()).await;
        }
        Ok(own)
    }

    fn reading(&self, head: BlockHash, depth: Depth) -> Reading {
        Reading { endpoint: self.endpoint(), head, netuid: self.netuid, hotkey: self.hotkey, depth }
    }

    async fn read_state(&self, now_ms: u64, depth: Depth, head: &Head) -> Result<OwnState, ChainError> {
        let examination = Examination { node: self.node.clone(), netuid: self.netuid, now_ms };
        let (what, facts): (Vec<What>, Vec<Fact>) =
            self.keys().into_iter().map(|(what, key)| (what, (what.word(), key))).unzip();
        let rows = BTreeMap::from([(self.hotkey, depth)]);
        let written = Some((self.runtime.spec, Arc::clone(&self.runtime.schema)));
        let beside = Beside { facts: &facts, written };
        let verified = examine_on(&examination, &self.connection, head.clone(), &rows, &beside).await?;
        let mut examined = verified.examined;
        let (values, number, hash) = if verified.at.number < head.number() {
            // The second source has not come as far. What is newer is this node's word alone, and is told as such where it
            // is not what was verified.
            let keys: Vec<Vec<u8>> = facts.into_iter().map(|(_, key)| key).collect();
            (self.read(&keys, head.hash).await?, head.number(), head.hash)
        } else {
            (verified.facts, verified.at.number, verified.at.hash)
        };
        let values = Values(what.into_iter().zip(values).collect());
        let state = self.state_of(&values, number, hash)?;
        Ok(OwnState { state, row: examined.rows.remove(&self.hotkey), disputes: examined.disputes })
    }

    /// Whether the newest finalized block gives the hotkey a uid, by the word of this node alone.
    pub(super) async fn has_uid(&self) -> Result<bool, ChainError> {
        let head = self.connection.newest_head().await?;
        let [uid] = self.values([self.uid_key()], head.hash).await?;
        Ok(self.uid(uid.as_deref())?.is_some())
    }

    fn state_of(&self, values: &Values, number: u64, hash: BlockHash) -> Result<HotkeyState, ChainError> {
        let reconciled = self.nonce(values.get(What::Account))?;
        let (network, genesis) = (self.node.network(), self.connection.genesis);
        let sandbox = is_sandbox(genesis, self.session().endpoint().url());
        Ok(HotkeyState {
            chain: ChainIdentity {
                network: if sandbox { SANDBOX.to_owned() } else { network.name.clone() },
                endpoint: self.endpoint(),
                genesis,
                spec_version: self.runtime.spec,
            },
            pinned: sandbox || network.genesis.is_some(),
            at: BlockRef { number, hash, timestamp_ms: self.now_ms(values) },
            uid: self.uid(values.get(What::Uid))?,
            commitment: values.get(What::Commitment).map(|v| self.commitment(v)),
            space: self.space(values, number),
            nonce: reconciled,
            settled_nonce: reconciled,
        })
    }

    /// Encodes the call and compares it with the bytes built here.
    pub fn draft(&self, standing: &HotkeyState, cleared: &Cleared) -> Result<Draft, DraftError> {
        Draft::of(Arc::clone(&self.runtime), self.netuid, self.hotkey, standing, cleared)
    }

    /// The values of keys at a block, in their order; `None` for what is not there. An answer that passes over a key is
    /// none: what is not told must not count as absent.
    async fn read(&self, keys: &[Vec<u8>], at: BlockHash) -> Result<Vec<Option<Vec<u8>>>, ChainError> {
        let answer = self.session().query(keys, at).await?;
        let mut told: Vec<_> = answer.into_iter().filter(|set| set.block == at).flat_map(|set| set.changes).collect();
        let value_of = |key: &Vec<u8>| {
            let found = told.iter().position(|(told, _)| told.0 == *key);
            let found =
                found.ok_or_else(|| self.session().malformed("state_queryStorageAt", "it passes over a key"))?;
            Ok(told.swap_remove(found).1.map(|value| value.0))
        };
        keys.iter().map(value_of).collect()
    }

    /// The same for so many keys.
    pub(super) async fn values<const N: usize>(
        &self,
        keys: [Vec<u8>; N],
        at: BlockHash,
    ) -> Result<[Option<Vec<u8>>; N], ChainError> {
        let values = self.read(&keys, at).await?;
        values
            .try_into()
            .map_err(|_| self.session().malformed("state_queryStorageAt", "it has another number of values"))
    }

    /// The nonce of the own account; an account that is not there has used none.
    pub(super) fn nonce(&self, account: Option<&[u8]>) -> Result<u64, ChainError> {
        let Some(account) = account else { return Ok(0) };
        let nonce = self.runtime.number(&self.runtime.ledger.account, account, Some("nonce"));
        nonce.ok_or_else(|| self.session().malformed("state_queryStorageAt", "the account does not decode"))
    }

    /// Fetches the metadata anew if it is that of an earlier run, and says whether it did: a node that lied then must not
    /// stand in the way of an honest one.
    pub async fn fetched_anew(&mut self) -> Result<bool, ChainError> {
        if self.runtime.was_kept {
            self.runtime = Arc::new(Runtime::fetched(self.session()).await?);
            let versions = (self.runtime.spec, self.runtime.transactions);
            self.node.note_runtime(&signing_runtime(self.session(), versions), &self.runtime).await;
            return Ok(true);
        }
        Ok(false)
    }

    /// What the stored bytes of a commitment say.
    pub(super) fn commitment(&self, value: &[u8]) -> Commitment {
        Commitment::of(&decode::stored(&self.runtime.schema, value))
    }

    /// Storage key of the own commitment.
    pub(super) fn commitment_key(&self) -> Vec<u8> {
        self.runtime.schema.commitment_key(self.netuid, &self.hotkey)
    }

    /// Storage key of the own account.
    pub(super) fn account_key(&self) -> Vec<u8> {
        self.runtime.ledger.account.key(&[self.hotkey.as_bytes()])
    }

    /// Storage key of the own uid.
    pub(super) fn uid_key(&self) -> Vec<u8> {
        self.runtime.ledger.uids.key(&[&self.netuid.to_le_bytes(), self.hotkey.as_bytes()])
    }

    fn keys(&self) -> Vec<(What, Vec<u8>)> {
        let (ledger, netuid) = (&self.runtime.ledger, self.netuid.to_le_bytes());
        let (subnet, own): ([&[u8]; 1], [&[u8]; 2]) = ([&netuid], [&netuid, self.hotkey.as_bytes()]);
        let entries = [
            (What::Commitment, Some(self.commitment_key())),
            (What::Uid, Some(self.uid_key())),
            (What::UsedSpace, ledger.used_space.as_ref().map(|entry| entry.key(&own))),
            (What::MaxSpace, ledger.max_space.as_ref().map(|entry| entry.key(&[]))),
            (What::Tempo, ledger.tempo.as_ref().map(|entry| entry.key(&subnet))),
            (What::EpochIndex, ledger.epoch_index.as_ref().map(|entry| entry.key(&subnet))),
            (What::Account, Some(self.account_key())),
            (What::Now, Some(self.runtime.schema.now.key(&[]))),
        ];
        entries.into_iter().filter_map(|(what, key)| Some((what, key?))).collect()
    }

    fn now_ms(&self, values: &Values) -> u64 {
        let schema = &self.runtime.schema;
        values.get(What::Now).and_then(|value| decode::scalar(schema, schema.now.value, value)).unwrap_or(0)
    }

    /// The uid; a hotkey that is not registered has none.
    fn uid(&self, value: Option<&[u8]>) -> Result<Option<u16>, ChainError> {
        let Some(value) = value else { return Ok(None) };
        let uid = self.runtime.number(&self.runtime.ledger.uids, value, None).and_then(|uid| u16::try_from(uid).ok());
        uid.map(Some).ok_or_else(|| self.session().malformed("state_queryStorageAt", "the uid does not decode"))
    }

    /// What is left of the epoch's budget, as the pallet counts it (FACTS 3).
    fn space(&self, values: &Values, head: u64) -> Option<Space> {
        let (runtime, ledger) = (&self.runtime, &self.runtime.ledger);
        let entry = ledger.used_space.as_ref()?;
        let number = |entry: &Option<_>, what| runtime.number(entry.as_ref()?, values.get(what)?, None);
        let max = number(&ledger.max_space, What::MaxSpace).unwrap_or(DEFAULT_MAX_SPACE);
        let cycle = number(&ledger.tempo, What::Tempo).map(|tempo| tempo.saturating_add(1));
        let steps = head.saturating_add(u64::from(self.netuid)).saturating_add(1);
        let epoch = number(&ledger.epoch_index, What::EpochIndex).or_else(|| Some(steps / cycle?))?;
        let used = values.get(What::UsedSpace).map_or(Some((0, 0)), |value| {
            let field = |name| runtime.number(entry, value, Some(name));
            Some((field("last_epoch")?, field("used_space")?))
        })?;
        let (last, used) = used;
        Some(Space {
            used: if last == epoch { used } else { 0 },
            max,
            epoch,
            next_epoch_at: cycle.map(|cycle| head.saturating_add(cycle - steps % cycle)),
        })
    }
}

/// By what a runtime is remembered for which transactions are signed: what one endpoint told is not taken for another's.
fn signing_runtime(session: &Session, (spec, transactions): (u32, u32)) -> String {
    format!("{} {spec} {transactions}", session.endpoint())
}

/// A value that a commit depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Commitment,
    Uid,
    UsedSpace,
    MaxSpace,
    Tempo,
    EpochIndex,
    Account,
    Now,
}

impl What {
    /// What it is, in a dispute about it.
    const fn word(self) -> &'static str {
        match self {
            Self::Commitment => "commitment",
            Self::Uid => "uid",
            Self::UsedSpace => "used space",
            Self::MaxSpace => "space of an epoch",
            Self::Tempo => "tempo",
            Self::EpochIndex => "epoch",
            Self::Account => "account",
            Self::Now => "time",
        }
    }
}

/// The values that were asked for.
#[derive(Debug)]
struct Values(Vec<(What, Option<Vec<u8>>)>);

impl Values {
    fn get(&self, what: What) -> Option<&[u8]> {
        self.0.iter().find(|(of, _)| *of == what).and_then(|(_, value)| value.as_deref())
    }
}
