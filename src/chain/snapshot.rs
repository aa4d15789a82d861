//! A subnet at one finalized block, in three sequential round trips when the metadata is at hand:
//!
//! 1. genesis, runtime version and finalized head;
//! 2. the keys under `Keys(netuid,*)` and `CommitmentOf(netuid,*)`, the header, the runtime version at that very block;
//! 3. all values.
//!
//! Requests of one trip are under way together. Everything is read at one block hash, so that uids, hotkeys and
//! commitments belong together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, timeout};

use super::decode;
use super::error::{ChainError, Fault};
use super::metadata::{MetadataStore, Schemas};
use super::options::FeedOptions;
use super::schema::Schema;
use super::session::{ChangeSet, Session};
use super::table::{Table, Watch};
use crate::domain::network::{BlockHash, Network};
use crate::domain::snapshot::{BlockRef, ChainIdentity, SubnetSnapshot};

/// Keys in one page; nodes serve no more.
const PAGE: u32 = 1_000;
/// uids of a subnet: the whole range of `u16`.
const MOST_UIDS: usize = 1 << 16;
/// Commitments of a subnet, ex-members included: four for each possible uid.
const MOST_COMMITMENTS: usize = 1 << 18;

/// What a node says of itself at first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Greeting {
    /// Hash of block 0.
    pub(super) genesis: BlockHash,
    /// Spec version at the best block.
    pub(super) spec: u32,
    /// The finalized head.
    pub(super) head: BlockHash,
    /// Round trip.
    pub(super) latency: Duration,
}

/// The first round trip: is this the right chain, and where does it stand.
pub(super) async fn greet(session: &Session, network: &Network) -> Result<Greeting, ChainError> {
    let started = Instant::now();
    let (genesis, spec, head) =
        tokio::try_join!(session.genesis_hash(), session.spec_version(None), session.finalized_head())?;
    match network.genesis {
        Some(expected) if expected != genesis => {
            Err(session.fault(Fault::WrongGenesis { network: network.name.clone(), expected, found: genesis }))
        }
        _ => Ok(Greeting { genesis, spec, head, latency: started.elapsed() }),
    }
}

/// A subnet as read, with what is needed to follow it from there.
#[derive(Debug)]
pub(super) struct Reading {
    /// The subnet.
    pub(super) snapshot: SubnetSnapshot,
    /// Its raw state.
    pub(super) table: Table,
}

/// Which subnet of which chain is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'n> {
    /// The network.
    pub(super) network: &'n Network,
    /// The subnet.
    pub(super) netuid: u16,
}

/// Reads a subnet at a block.
pub(super) async fn read(
    session: &Session,
    subject: Subject<'_>,
    greeting: &Greeting,
    schemas: &mut Schemas,
) -> Result<Reading, ChainError> {
    let at = greeting.head;
    let mut believed = greeting.spec;
    // The best block may already run a runtime that the finalized one does not: at most one more round.
    for _ in 0..3 {
        let (spec, schema) = schemas.at(session, greeting.genesis, believed, at).await?;
        let table = Table::new(Arc::clone(&schema), subject.netuid);
        let (holders, commitments, header, really) = tokio::try_join!(
            keys_under(session, &table.keys.holders, at, MOST_UIDS),
            keys_under(session, &table.keys.commitments, at, MOST_COMMITMENTS),
            session.header(at),
            session.spec_version(Some(at)),
        )?;
        if really != spec {
            believed = really;
            continue;
        }
        let chain = ChainIdentity {
            network: subject.network.name.clone(),
            endpoint: session.endpoint().to_string(),
            genesis: greeting.genesis,
            spec_version: spec,
        };
        let found = Found { holders, commitments, number: header.number, hash: at };
        return values(session, subject.netuid, chain, table, &schema, found).await;
    }
    Err(session.malformed("state_getRuntimeVersion", "the spec version of one block keeps changing"))
}

/// The second round trip's yield.
struct Found {
    holders: Vec<Vec<u8>>,
    commitments: Vec<Vec<u8>>,
    number: u64,
    hash: BlockHash,
}

async fn values(
    session: &Session,
    netuid: u16,
    chain: ChainIdentity,
    mut table: Table,
    schema: &Schema,
    found: Found,
) -> Result<Reading, ChainError> {
    let mut keys = wanted(&table, &found);
    let now = schema.now.key(&[]);
    let exists = schema.networks_added.as_ref().map(|entry| (entry.value, entry.key(&[&netuid.to_le_bytes()])));
    keys.push(now.clone());
    keys.extend(exists.iter().map(|(_, key)| key.clone()));
    let answers = query(session, &keys, found.hash).await?;
    let mut values: BTreeMap<&[u8], Option<&[u8]>> = keys.iter().map(|key| (key.as_slice(), None)).collect();
    for (key, value) in changes(&answers) {
        if let Some(slot) = values.get_mut(key) {
            *slot = value;
        }
    }
    let plain = |ty: u32, key: &[u8]| values.get(key).copied().flatten().map(|value| (ty, value));
    let added = exists.and_then(|(ty, key)| plain(ty, &key)).and_then(|(ty, v)| decode::scalar(schema, ty, v));
    if found.holders.is_empty() && !added.unwrap_or(false) {
        return Err(session.fault(Fault::NoSuchSubnet { netuid }));
    }
    let timestamp = plain(schema.now.value, &now).and_then(|(ty, v)| decode::scalar(schema, ty, v));
    let at = BlockRef { number: found.number, hash: found.hash, timestamp_ms: timestamp.unwrap_or(0) };
    let known: Vec<(Watch, Option<&[u8]>)> =
        values.iter().filter_map(|(key, value)| Some((table.keys.watch(key)?, *value))).collect();
    let delta = table.apply(known);
    let commitments = delta.commitments.into_iter().filter_map(|(hotkey, c)| Some((hotkey, c?))).collect();
    let snapshot = SubnetSnapshot { chain, netuid, at, members: delta.members, commitments };
    Ok(Reading { snapshot, table })
}

/// Keys of everything that is read: what was found, what belongs to each uid and member, and the subnet's own values.
fn wanted(table: &Table, found: &Found) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = [Watch::Size, Watch::Permits].iter().filter_map(|w| table.keys.key(*w)).collect();
    for holder in &found.holders {
        if let Some(Watch::Holder(uid)) = table.keys.watch(holder) {
            keys.push(holder.clone());
            keys.extend(table.keys.key(Watch::Registered(uid)));
        }
    }
    let commitment = |key: &&Vec<u8>| matches!(table.keys.watch(key), Some(Watch::Commitment(_)));
    keys.extend(found.commitments.iter().filter(commitment).cloned());
    keys
}

/// Every key under a prefix. A full page is followed by the next; a node that repeats itself or has no end is refused.
async fn keys_under(session: &Session, prefix: &[u8], at: BlockHash, most: usize) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = session.keys_paged(prefix, PAGE, all.last().map(Vec::as_slice), at).await?;
        let full = page.len() >= PAGE as usize;
        for key in page {
            if !key.starts_with(prefix) || all.last().is_some_and(|last| *last >= key) {
                return Err(session.malformed("state_getKeysPaged", "keys out of order or of another prefix"));
            }
            all.push(key);
        }
        if all.len() > most {
            return Err(session.fault(Fault::TooLarge { what: format!("more than {most} keys") }));
        }
        if !full {
            return Ok(all);
        }
    }
}

/// The values of keys at a block, in chunks of which a few are under way at once.
pub(super) async fn query(session: &Session, keys: &[Vec<u8>], at: BlockHash) -> Result<Vec<ChangeSet>, ChainError> {
    let limits = session.limits();
    let chunks = stream::iter(keys.chunks(limits.chunk)).map(|chunk| session.query(chunk, at));
    let answers: Vec<Vec<ChangeSet>> = chunks.buffer_unordered(limits.chunks_at_once).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Keys and values of change sets.
pub(super) fn changes(sets: &[ChangeSet]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let all = sets.iter().flat_map(|set| &set.changes);
    all.map(|(key, value)| (&*key.0, value.as_ref().map(|value| &*value.0)))
}

/// Reads a subnet once, for a command that ends: each endpoint in turn until one answers, all under one deadline.
///
/// What one endpoint says of the chain itself (no such subnet, no such pallet) is not asked of the next. When all fail,
/// the error is that of the first, which is the preferred one.
pub async fn survey(
    network: &Network,
    netuid: u16,
    store: MetadataStore,
    options: &FeedOptions,
) -> Result<SubnetSnapshot, ChainError> {
    let mut schemas = Schemas::new(store);
    let by = Instant::now() + options.survey;
    let mut first = None;
    for endpoint in &network.endpoints {
        let left = by.saturating_duration_since(Instant::now());
        let attempt = async {
            let session = Session::open(endpoint, &options.limits).await?;
            let greeting = greet(&session, network).await?;
            read(&session, Subject { network, netuid }, &greeting, &mut schemas).await
        };
        let late = || Fault::Deadline { what: "the whole of the reading", after: options.survey }.at(endpoint);
        match timeout(left, attempt).await.unwrap_or_else(|_| Err(late())) {
            Ok(reading) => return Ok(reading.snapshot),
            Err(error) if error.fault.is_about_the_chain() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "endpoint failed");
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or_else(|| Fault::Unreachable { why: "no endpoint is configured".to_owned() }.at(&network.name)))
}
