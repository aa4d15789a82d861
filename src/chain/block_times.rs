//! When blocks were made: what is read beside the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode;
use super::error::{ChainError, Fault};
use super::node::{Connection, Node};
use super::schema::Schema;
use crate::domain::network::BlockHash;
use crate::domain::text::BLOCK_SECONDS;

/// Milliseconds between two blocks when none is missing.
const BLOCK_MS: u64 = BLOCK_SECONDS * 1_000;
/// By how much a stretch of blocks may differ from that and still count as without a gap, in ms.
const JITTER_MS: u64 = 500;

/// Blocks before the finalized head whose state is asked for where older state is forgotten: nodes keep that of 256 blocks,
/// counted from their best one.
const KEPT: u64 = 252;

/// When a block was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockTime {
    /// Its `Timestamp.Now`, in ms since 1970.
    pub ms: u64,
    /// Whether the chain said so; else it was counted at 12 s a block, since nodes forget old state.
    pub exact: bool,
}

/// A connection, to ask for times.
pub struct BlockTimes {
    connection: Connection,
    schema: Arc<Schema>,
}

impl std::fmt::Debug for BlockTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockTimes({})", self.connection.session.endpoint())
    }
}

impl BlockTimes {
    /// At the first endpoint that answers. The error is that of the preferred one.
    pub async fn open(node: &Node) -> Result<Self, ChainError> {
        let mut attempts = node.attempts();
        loop {
            let connection = attempts.next().await?;
            match Self::at(node, &connection).await {
                Ok(open) => return Ok(open),
                Err(error) => attempts.failed(&connection, error).await?,
            }
        }
    }

    async fn at(node: &Node, connection: &Connection) -> Result<Self, ChainError> {
        let (spec, _) = connection.versions().await?;
        let schema = node.schema_of_best(connection, spec).await?;
        Ok(Self { connection: connection.clone(), schema })
    }

    /// When these blocks were made; those that the chain does not have, or that a node has forgotten, are counted from
    /// the nearest one it has, at 12 s a block. Nothing comes back where it has none of them. `near` is a block whose time is
    /// known (number and ms since 1970), `finalized` the newest final one.
    ///
    /// Blocks come 12 s apart at the least, so between two that are apart by exactly so much no block can be missing:
    /// only stretches with a gap are looked into. Twelve windows without one cost two requests. What ordinary nodes forget is
    /// not asked for.
    pub async fn times(
        &self,
        blocks: &[u64],
        near: (u64, u64),
        finalized: u64,
    ) -> Result<BTreeMap<u64, BlockTime>, ChainError> {
        let mut wanted: Vec<u64> = blocks.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let Some(last) = wanted.last().copied() else { return Ok(BTreeMap::new()) };
        let hashes = self.connection.session.block_hashes(&wanted).await?;
        let hashes: BTreeMap<u64, Option<BlockHash>> = wanted.iter().copied().zip(hashes).collect();
        let mut known = BTreeMap::from([(near.0, Some(near.1))]);
        let mut ends = wanted.clone();
        if near.0 > last {
            ends.push(near.0);
        } else {
            self.look(last, &hashes, &mut known).await?;
        }
        let kept = ends.iter().position(|block| block + KEPT >= finalized).unwrap_or_default();
        self.look(ends[kept], &hashes, &mut known).await?;
        let mut stretches = vec![(kept, ends.len() - 1)];
        while let Some((from, to)) = stretches.pop() {
            if to <= from + 1 || fill(&ends[from..=to], &mut known) {
                continue;
            }
            let middle = usize::midpoint(from, to);
            self.look(ends[middle], &hashes, &mut known).await?;
            stretches.extend([(from, middle), (middle, to)]);
        }
        Ok(counted(&wanted, &known))
    }

    async fn look(
        &self,
        block: u64,
        hashes: &BTreeMap<u64, Option<BlockHash>>,
        known: &mut BTreeMap<u64, Option<u64>>,
    ) -> Result<(), ChainError> {
        if known.contains_key(&block) {
            return Ok(());
        }
        let time = match hashes.get(&block).copied().flatten() {
            None => None,
            Some(hash) => match self.time(hash).await {
                Ok(time) => time,
                // Forgotten state is no reason to give up on the others.
                Err(ChainError { fault: Fault::Refused { .. }, .. }) => None,
                Err(error) => return Err(error),
            },
        };
        known.insert(block, time);
        Ok(())
    }

    async fn time(&self, hash: BlockHash) -> Result<Option<u64>, ChainError> {
        let now = &self.schema.now;
        let value = self.connection.session.value(now.key(&[]), hash).await?;
        Ok(value.and_then(|value| decode::scalar(&self.schema, now.value, &value)).filter(|ms| *ms > 0))
    }
}

/// Fills in a stretch without a gap. A stretch whose ends are not known cannot be filled.
fn fill(stretch: &[u64], known: &mut BTreeMap<u64, Option<u64>>) -> bool {
    let time = |block: &u64| known.get(block).copied().flatten();
    let ends = stretch.first().zip(stretch.last());
    let Some((first, last)) = ends else { return true };
    let Some((from, to)) = time(first).zip(time(last)) else { return false };
    let (blocks, took) = (last - first, to.saturating_sub(from));
    if took.abs_diff(blocks * BLOCK_MS) > JITTER_MS {
        return false;
    }
    for block in stretch {
        known.insert(*block, Some(from + (block - first) * BLOCK_MS));
    }
    true
}

/// The times as they are known, and the others counted from the nearest known one.
fn counted(wanted: &[u64], known: &BTreeMap<u64, Option<u64>>) -> BTreeMap<u64, BlockTime> {
    let told: Vec<(u64, u64)> = known.iter().filter_map(|(block, ms)| Some((*block, (*ms)?))).collect();
    let time = |block: u64| {
        let (near, ms) = told.iter().copied().min_by_key(|(near, _)| near.abs_diff(block))?;
        let apart = near.abs_diff(block) * BLOCK_MS;
        let ms = if block >= near { ms.saturating_add(apart) } else { ms.saturating_sub(apart) };
        Some((block, BlockTime { ms, exact: near == block }))
    };
    wanted.iter().filter_map(|block| time(*block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_nobody_remembers_is_counted_from_the_nearest_that_is() {
        let known = BTreeMap::from([(100, None), (130, Some(1_000_000)), (160, Some(1_360_500))]);
        let times = counted(&[100, 130, 160], &known);
        assert_eq!(times[&100], BlockTime { ms: 640_000, exact: false });
        assert_eq!(times[&130], BlockTime { ms: 1_000_000, exact: true });
        assert!(counted(&[100], &BTreeMap::from([(100, None)])).is_empty());
    }
}
