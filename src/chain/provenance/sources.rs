//! Where old blocks are asked for: the endpoint, the witness, then archives; each no faster than it bears.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Instant, sleep_until};

use super::Examination;
use super::common_block::{CommonBlock, claim, said, why};
use super::signed::Body;
use crate::chain::error::Fault;
use crate::chain::node::Connection;
use crate::chain::options::Pace;
use crate::chain::session::Session;
use crate::domain::commit::progress::BlockId;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Dispute, Limit, Side};

/// Heights in one request.
const HEIGHTS: usize = 1_000;

struct Source {
    session: Session,
    side: Side,
    /// Not before this.
    next: Instant,
}

/// The sources.
pub(super) struct Sources<'e> {
    examination: &'e Examination,
    all: Vec<Source>,
    /// What came of each height that was asked for: the hash that both near sources agree on or that one of them had.
    known: BTreeMap<u64, Result<BlockHash, Limit>>,
    /// How many of them are no archives.
    near: usize,
    /// Whether archives have been dialled.
    is_wide: bool,
    /// The archive that did not answer, and why.
    away: Option<Limit>,
}

impl<'e> Sources<'e> {
    pub(super) async fn new(examination: &'e Examination, primary: &Connection, block: &CommonBlock) -> Self {
        let known = known_to(primary, block.witness.as_ref()).await;
        let source = |session: &Session, side| Source { session: session.clone(), side, next: Instant::now() };
        let witness = block.witness.as_ref().map(|witness| source(&witness.session, Side::Witness));
        let all: Vec<Source> = [source(&primary.session, Side::Endpoint)].into_iter().chain(witness).collect();
        let near = all.len();
        Self { examination, all, known, near, is_wide: false, away: None }
    }

    /// Dials the archives, once, when nobody near has what is wanted.
    pub(super) async fn widen(&mut self) {
        if std::mem::replace(&mut self.is_wide, true) {
            return;
        }
        match self.examination.node.archive().await {
            Ok(archive) => {
                self.all.push(Source { session: archive.session, side: Side::Witness, next: Instant::now() });
            }
            Err(None) => {}
            Err(Some(error)) => {
                let why = match error.fault {
                    Fault::WrongGenesis { .. } => "it is of another chain".to_owned(),
                    _ => why(&error),
                };
                self.away = Some(Limit::ArchiveAway { endpoint: error.endpoint, why });
            }
        }
    }

    /// Whether the hashes of all these heights are known already.
    pub(super) fn knows(&self, numbers: &BTreeSet<u64>) -> bool {
        numbers.iter().all(|number| self.known.contains_key(number))
    }

    /// What is in the way: an archive that does not answer, or this.
    pub(super) fn or_away(&self, limit: Limit) -> Limit {
        self.away.clone().unwrap_or(limit)
    }

    /// The connection of a source, as soon as it may be asked again; `None` past the last.
    pub(super) async fn turn(&mut self, index: usize) -> Option<Session> {
        if index >= self.all.len() {
            self.widen().await;
        }
        let Pace { elsewhere, here } = self.examination.node.options().pace;
        let source = self.all.get_mut(index)?;
        sleep_until(source.next).await;
        source.next = Instant::now() + if source.session.endpoint().is_this_machine() { here } else { elsewhere };
        Some(source.session.clone())
    }

    /// The hashes of some heights. The endpoint and the witness must say the same; an archive is asked for what neither
    /// has.
    pub(super) async fn hashes(
        &mut self,
        numbers: &BTreeSet<u64>,
        disputes: &mut Vec<Dispute>,
    ) -> BTreeMap<u64, Result<BlockHash, Limit>> {
        let mut hashes: BTreeMap<u64, (BlockHash, Session)> = BTreeMap::new();
        let (mut split, mut failed) = (BTreeSet::new(), None);
        let all: Vec<u64> = numbers.iter().copied().filter(|number| !self.known.contains_key(number)).collect();
        let mut index = 0;
        while !all.is_empty() && (index < self.near || hashes.len() < all.len()) {
            let Some(session) = self.turn(index).await else { break };
            index += 1;
            for heights in all.chunks(HEIGHTS) {
                let told = match session.block_hashes(heights).await {
                    Ok(told) => told,
                    Err(error) => {
                        failed = Some(said(&error));
                        continue;
                    }
                };
                for (number, hash) in heights.iter().zip(told).filter_map(|(number, hash)| Some((*number, hash?))) {
                    let (known, first) = hashes.entry(number).or_insert_with(|| (hash, session.clone()));
                    if *known != hash && split.insert(number) {
                        disputes.push(other_hash(number, (*known, first), (hash, &session)));
                    }
                }
            }
        }
        let of = |number: u64| match hashes.get(&number) {
            _ if split.contains(&number) => Err(Limit::Disputed { case: Case::OtherFork }),
            Some((hash, _)) => Ok(*hash),
            None => Err(self.or_away(Limit::NoBlock { block: number, why: failed.clone() })),
        };
        let told: Vec<_> = all.iter().map(|number| (*number, of(*number))).collect();
        self.known.extend(told);
        numbers.iter().filter_map(|number| Some((*number, self.known.get(number)?.clone()))).collect()
    }

    /// The body of a block, from the first that has it. One that is not that of the block is a dispute, and the next is
    /// asked.
    pub(super) async fn body(&mut self, id: BlockId, disputes: &mut Vec<Dispute>) -> Result<Body, Limit> {
        let (mut forged, mut failed) = (None, None);
        let mut index = 0;
        while let Some(session) = self.turn(index).await {
            let side = self.all.get(index).map_or(Side::Witness, |source| source.side);
            index += 1;
            let (header, extrinsics) = match session.block(id.hash).await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) => {
                    failed = Some(said(&error));
                    continue;
                }
            };
            if let Some(body) = Body::checked(id, &header, extrinsics, session.clone()) {
                return Ok(body);
            }
            let other = self.all.iter().find(|source| source.side != side).unwrap_or(&self.all[0]);
            let bad = claim(&session, Some(id), "a body whose extrinsics are not those of the block's header");
            let known = claim(&other.session, Some(id), format!("the block's hash is {}", id.hash.glance()));
            let (endpoint, witness) = if side == Side::Endpoint { (bad, known) } else { (known, bad) };
            let case = Case::ForgedExtrinsic;
            let seen = disputes.iter().any(|dispute| dispute.case == case && dispute.proven_wrong == Some(side));
            if !seen {
                disputes.push(Dispute { case, hotkey: None, endpoint, witness, proven_wrong: Some(side) });
            }
            forged = Some(Limit::Disputed { case });
        }
        Err(forged.unwrap_or_else(|| self.or_away(Limit::NoBody { block: id.number, why: failed })))
    }
}

/// Heights of which the clocks of all near sources told the same hash.
async fn known_to(primary: &Connection, witness: Option<&Connection>) -> BTreeMap<u64, Result<BlockHash, Limit>> {
    let mut known = primary.told_hashes().await;
    if let Some(witness) = witness {
        let theirs = witness.told_hashes().await;
        known.retain(|number, hash| theirs.get(number) == Some(hash));
    }
    known.into_iter().map(|(number, hash)| (number, Ok(hash))).collect()
}

/// Two endpoints have different blocks at one height.
fn other_hash(number: u64, mine: (BlockHash, &Session), other: (BlockHash, &Session)) -> Dispute {
    let of = |(hash, session): (BlockHash, &Session)| {
        claim(session, Some(BlockId { number, hash }), format!("{} is on the chain", hash.glance()))
    };
    Dispute { case: Case::OtherFork, hotkey: None, endpoint: of(mine), witness: of(other), proven_wrong: None }
}
