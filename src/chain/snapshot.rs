//! A subnet at one finalized block, in three sequential round trips when the metadata is at hand:
//!
//! 1. genesis, runtime version and finalized head;
//! 2. the keys under `Keys(netuid,*)` and `CommitmentOf(netuid,*)`;
//! 3. all values, with the block's number and the version of the runtime that executed it.
//!
//! That version counts and not the one which the block reports: the block that sets new code already reports the new
//! version, while everything in it is still in the old runtime's form. These are six requests. A node that does not have
//! the last two values is asked for the block's header and for its parent's version.
//!
//! Requests of one trip are under way together. Everything is read at one block hash, so that uids, hotkeys and
//! commitments belong together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::decode;
use super::error::{ChainError, Fault};
use super::node::{Connection, Node};
use super::options::FeedOptions;
use super::published_keys::PublishedKeys;
use super::read_budget::ReadBudget;
use super::session::Session;
use super::table::{Keys, Table, Watch};
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::snapshot::{BlockRef, ChainIdentity, Member, SubnetSnapshot};

/// Keys in one page; nodes serve no more.
const PAGE: u32 = 1_000;
/// uids of a subnet: the whole range of `u16`.
const MOST_UIDS: usize = 1 << 16;
/// Commitments of a subnet, ex-members included: four for each possible uid.
const MOST_COMMITMENTS: usize = 1 << 18;

/// Where a reading begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The block that is read.
    pub(super) at: BlockHash,
    /// Spec version of the runtime that is believed to have written it.
    pub(super) spec: u32,
}

impl Start {
    /// At the finalized head of a connection.
    pub(super) async fn at_head(connection: &Connection) -> Result<Self, ChainError> {
        let (at, (spec, _)) = tokio::try_join!(connection.head_hash(), connection.versions())?;
        Ok(Self { at, spec })
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
    /// The chain's nodes.
    pub(super) node: &'n Node,
    /// The subnet.
    pub(super) netuid: u16,
    /// Where the secrets of what is read go, if anywhere.
    pub(super) published: Option<&'n PublishedKeys>,
}

/// Reads a subnet at a block, within what the reading may take.
pub(super) async fn read(
    connection: &Connection,
    subject: Subject<'_>,
    start: Start,
    budget: &ReadBudget,
) -> Result<Reading, ChainError> {
    let reading = budget.keep(Box::pin(read_on(connection, subject, start, budget))).await;
    reading.map_err(|fault| connection.session.fault(fault))?
}

async fn read_on(
    connection: &Connection,
    subject: Subject<'_>,
    start: Start,
    budget: &ReadBudget,
) -> Result<Reading, ChainError> {
    let (session, at) = (&connection.session, start.at);
    let (mut believed, mut source) = (start.spec, at);
    // The best block may run a runtime that had not written the finalized one's state yet: at most one more round.
    for _ in 0..3 {
        let (spec, schema) = subject.node.schema(connection, believed, source).await?;
        let table = Table::new(Arc::clone(&schema), subject.netuid, subject.published.cloned());
        let (holders, commitments) = tokio::try_join!(
            found_under(session, &table.keys, Range { prefix: &table.keys.holders, at, most: MOST_UIDS }, budget),
            found_under(
                session,
                &table.keys,
                Range { prefix: &table.keys.commitments, at, most: MOST_COMMITMENTS },
                budget
            ),
        )?;
        let (table, commitments) = values(session, table, [holders, commitments].concat(), at, budget).await?;
        let (number, writer) = block_facts(session, &table, at, spec).await?;
        if writer != spec {
            (believed, source) = (writer, BlockHash(session.header(at).await?.parent_hash.0));
            continue;
        }
        if !table.exists() {
            return Err(session.fault(Fault::NoSuchSubnet { netuid: subject.netuid }));
        }
        let chain = ChainIdentity {
            network: subject.node.network().name.clone(),
            endpoint: session.endpoint().to_string(),
            genesis: connection.genesis,
            spec_version: spec,
        };
        let at = BlockRef { number, hash: at, timestamp_ms: table.now_ms };
        let members = table.members();
        let commitments = if schema.hides_commitments() {
            let hidden = |member: &Member| (member.hotkey, Commitment::of(&decode::hidden()));
            members.iter().map(hidden).collect()
        } else {
            commitments
        };
        let subnet = table.subnet.clone();
        let successors = table.successors(&members);
        let netuid = subject.netuid;
        let snapshot = SubnetSnapshot { chain, netuid, subnet, at, members, commitments, successors };
        return Ok(Reading { snapshot, table });
    }
    Err(session.malformed("state_getRuntimeVersion", "the spec version of one block keeps changing"))
}

/// Number of the block, and spec version of the runtime that wrote it: as the state itself says, or else as its header and
/// its parent do.
async fn block_facts(session: &Session, table: &Table, at: BlockHash, spec: u32) -> Result<(u64, u32), ChainError> {
    if let Some(facts) = table.number.zip(table.writer) {
        return Ok(facts);
    }
    let header = session.header(at).await?;
    let writer = match header.number {
        0 => spec,
        _ => session.spec_version(Some(BlockHash(header.parent_hash.0))).await?,
    };
    Ok((header.number, writer))
}

/// The third round trip: the values of what was found, of what belongs to each uid found, and of the subnet itself.
async fn values(
    session: &Session,
    mut table: Table,
    found: Vec<Watch>,
    at: BlockHash,
    budget: &ReadBudget,
) -> Result<(Table, BTreeMap<Hotkey, Commitment>), ChainError> {
    let own = [Watch::Number, Watch::Now, Watch::Writer, Watch::Exists, Watch::Size, Watch::Permits, Watch::Stakes];
    let whose = [Watch::Identity, Watch::Owner, Watch::NetworkRegistered];
    let beside: Vec<Watch> = found
        .iter()
        .filter_map(|watch| match watch {
            Watch::Holder(uid) => Some(Watch::Registered(*uid)),
            // Who is no member is known only when the holders are read; a key more costs less than a round trip.
            Watch::Commitment(hotkey) => Some(Watch::Successor(*hotkey)),
            _ => None,
        })
        .collect();
    let watches = table.expect(own.into_iter().chain(whose).chain(found).chain(beside));
    let keys = table.keys.clone();
    let limits = session.limits();
    let starts = (0..watches.len()).step_by(limits.chunk);
    let chunks = stream::iter(starts).map(|start| {
        let chunk = watches.iter().skip(start).take(limits.chunk).copied().collect();
        query(session, &keys, chunk, at)
    });
    let mut answers = chunks.buffer_unordered(limits.chunks_at_once);
    let mut commitments = BTreeMap::new();
    while let Some(answer) = answers.try_next().await? {
        let bytes = answer.values().flatten().map(Vec::len).sum();
        budget.spend(bytes).map_err(|fault| session.fault(fault))?;
        let delta = table.apply(answer.iter().map(|(watch, value)| (*watch, value.as_deref())));
        commitments.extend(delta.commitments.into_iter().filter_map(|(hotkey, c)| Some((hotkey, c?))));
    }
    drop(answers);
    Ok((table, commitments))
}

/// Keys to look for.
#[derive(Debug, Clone, Copy)]
struct Range<'k> {
    prefix: &'k [u8],
    at: BlockHash,
    /// More than this many are refused.
    most: usize,
}

/// What there is under a prefix, in the order of the keys, which themselves are let go page by page. A full page is
/// followed by the next; a node that repeats itself or has no end is refused.
async fn found_under(
    session: &Session,
    keys: &Keys,
    Range { prefix, at, most }: Range<'_>,
    budget: &ReadBudget,
) -> Result<Vec<Watch>, ChainError> {
    let (mut found, mut seen, mut last) = (Vec::new(), 0, None::<Vec<u8>>);
    loop {
        let page = session.keys_paged(prefix, PAGE, last.as_deref(), at).await?;
        let full = page.len() >= PAGE as usize;
        seen += page.len();
        budget.found(page.len());
        for key in page {
            if !key.starts_with(prefix) || last.as_ref().is_some_and(|last| *last >= key) {
                return Err(session.malformed("state_getKeysPaged", "keys out of order or of another prefix"));
            }
            found.extend(keys.watch(&key));
            last = Some(key);
        }
        if seen > most {
            return Err(session.fault(Fault::TooLarge { what: format!("more than {most} keys") }));
        }
        if !full {
            return Ok(found);
        }
    }
}

/// The values of some keys at a block. One that the node does not mention has none; one that nobody asked for is dropped.
pub(super) async fn query(
    session: &Session,
    keys: &Keys,
    watches: Vec<Watch>,
    at: BlockHash,
) -> Result<HashMap<Watch, Option<Vec<u8>>>, ChainError> {
    let raw: Vec<Vec<u8>> = watches.iter().filter_map(|watch| keys.key(*watch)).collect();
    let answer = session.query(&raw, at).await?;
    let mut values: HashMap<Watch, Option<Vec<u8>>> = watches.into_iter().map(|watch| (watch, None)).collect();
    for (key, value) in answer.into_iter().flat_map(|set| set.changes) {
        if let Some(slot) = keys.watch(&key.0).and_then(|watch| values.get_mut(&watch)) {
            *slot = value.map(|value| value.0);
        }
    }
    Ok(values)
}

/// Reads a subnet once, for a command that ends: each endpoint in turn until one answers, all within one budget of time and
/// memory.
///
/// What one endpoint says of the chain itself (no such subnet, no such pallet) is not asked of the next. When all fail,
/// the error is that of the first, which is the preferred one.
pub async fn survey(
    node: &Node,
    netuid: u16,
    published: Option<&PublishedKeys>,
    options: &FeedOptions,
) -> Result<SubnetSnapshot, ChainError> {
    let budget = ReadBudget::new(options.survey, node.limits().values);
    let subject = Subject { node, netuid, published };
    let mut attempts = node.attempts();
    loop {
        let connection = match budget.keep(attempts.next()).await {
            Ok(connection) => connection?,
            Err(fault) => return Err(attempts.late(fault)),
        };
        let reading =
            async { Box::pin(read_on(&connection, subject, Start::at_head(&connection).await?, &budget)).await };
        match budget.keep(reading).await.unwrap_or_else(|fault| Err(connection.session.fault(fault))) {
            Ok(reading) => return Ok(reading.snapshot),
            Err(error) => attempts.failed(&connection, error).await?,
        }
    }
}
