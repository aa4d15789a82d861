//! Which runtime took the extrinsics of a block: the one that its parent's state holds. Versions only grow, so between two
//! blocks of one version there is no other, and few blocks need to be asked about.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};

use super::Examination;
use super::common_block::said;
use super::signed::{Body, Subject};
use super::sources::Sources;
use crate::chain::commit::runtime::Runtime;
use crate::chain::error::{ChainError, Fault};
use crate::chain::metadata;
use crate::chain::node::Versions;
use crate::chain::session::Session;
use crate::domain::network::BlockHash;
use crate::domain::provenance::Limit;

/// A runtime, and whether it is known to be that of the block or only believed to be.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) runtime: Arc<Runtime>,
    pub(super) is_certain: bool,
}

/// What is known of the runtimes of some blocks.
pub(super) struct Runtimes<'e> {
    subject: Subject<'e>,
    /// By block, what it runs on, or why nobody knows.
    versions: BTreeMap<u64, Result<Versions, String>>,
    loaded: BTreeMap<u32, Result<Arc<Runtime>, String>>,
    believed: Option<u32>,
}

impl<'e> Runtimes<'e> {
    pub(super) const fn new(subject: Subject<'e>) -> Self {
        Self { subject, versions: BTreeMap::new(), loaded: BTreeMap::new(), believed: None }
    }

    /// Learns what the blocks run on. Where nobody tells, the present runtime is believed to be that of the block: a
    /// signature that holds under it proves that it was.
    pub(super) async fn learn(&mut self, sources: &mut Sources<'_>, bodies: impl Iterator<Item = &Body>) {
        let near = self.subject.primary.session.clone();
        if let Ok((versions, at)) = self.present().await {
            self.load(&near, versions, at).await;
            self.believed = Some(versions.0);
        }
        let blocks: Vec<(u64, BlockHash)> = bodies.map(|body| (body.id.number, body.parent)).collect();
        let Some(last) = blocks.len().checked_sub(1) else { return };
        for index in [0, last] {
            self.ask(sources, blocks[index]).await;
        }
        let mut stretches = vec![(0, last)];
        while let Some((from, to)) = stretches.pop() {
            if to <= from + 1 {
                continue;
            }
            let (low, high) = (self.versions[&blocks[from].0].clone(), self.versions[&blocks[to].0].clone());
            let same = match (&low, &high) {
                (Ok(low), Ok(high)) => low == high,
                // What nobody tells of either end nobody tells of what lies between.
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if same {
                for (number, _) in &blocks[from + 1..to] {
                    self.versions.insert(*number, low.clone());
                }
                continue;
            }
            let middle = usize::midpoint(from, to);
            self.ask(sources, blocks[middle]).await;
            stretches.extend([(from, middle), (middle, to)]);
        }
    }

    /// Versions of the runtime that wrote the block at which everything is read, and a block that runs it.
    async fn present(&self) -> Result<(Versions, BlockHash), ChainError> {
        let (primary, block) = (self.subject.primary, self.subject.block);
        let best = primary.versions().await?;
        if best.0 == self.subject.read.spec {
            return Ok((best, block.id.hash));
        }
        let parent = BlockHash(block.header.parent_hash.0);
        Ok((primary.session.versions(Some(parent)).await?, parent))
    }

    async fn ask(&mut self, sources: &mut Sources<'_>, (number, parent): (u64, BlockHash)) {
        if self.versions.contains_key(&number) {
            return;
        }
        let mut failed = "nobody was asked".to_owned();
        let mut index = 0;
        while let Some(session) = sources.turn(index).await {
            index += 1;
            match session.versions(Some(parent)).await {
                Ok(versions) => {
                    self.load(&session, versions, parent).await;
                    self.versions.insert(number, Ok(versions));
                    return;
                }
                Err(error) => failed = said(&error),
            }
        }
        self.versions.insert(number, Err(failed));
    }

    async fn load(&mut self, session: &Session, (spec, transactions): Versions, at: BlockHash) {
        if self.loaded.contains_key(&spec) {
            return;
        }
        let examination = self.subject.examination;
        let load = fetched(examination, self.subject.primary.genesis, session, (spec, transactions), at);
        let loaded = examination.node.runtime(&format!("for reading {spec}"), load).await.map_err(|error| said(&error));
        self.loaded.insert(spec, loaded);
    }

    /// The runtime of a block, or the present one where nobody tells.
    pub(super) fn of(&self, block: u64) -> Result<Known, Limit> {
        let (spec, is_certain) = match self.versions.get(&block) {
            Some(Ok((spec, _))) => (*spec, true),
            _ => (self.believed.ok_or_else(|| self.unknown(block))?, false),
        };
        match self.loaded.get(&spec) {
            Some(Ok(runtime)) => Ok(Known { runtime: Arc::clone(runtime), is_certain }),
            Some(Err(why)) => Err(Limit::NoRuntime { block, why: why.clone() }),
            None => Err(self.unknown(block)),
        }
    }

    /// That nobody says which runtime a block ran on.
    pub(super) fn unknown(&self, block: u64) -> Limit {
        let why = match self.versions.get(&block) {
            Some(Err(why)) => why.clone(),
            _ => "nobody was asked".to_owned(),
        };
        Limit::NoRuntime { block, why }
    }
}

async fn fetched(
    examination: &Examination,
    genesis: BlockHash,
    session: &Session,
    (spec, transactions): Versions,
    at: BlockHash,
) -> Result<Runtime, ChainError> {
    let bytes = match metadata::kept(&examination.node.options().store, genesis, spec).await {
        Some(kept) => kept.bytes,
        None => metadata::fetch(session, Some(at)).await?,
    };
    let decoded = spawn_blocking(move || Runtime::of(&bytes, spec, transactions)).await;
    let broke_off = |error: JoinError| Err(Fault::Metadata { why: error.to_string().as_str().into() });
    decoded.unwrap_or_else(broke_off).map_err(|fault| session.fault(fault))
}
