//! A second source, and a block that both sources call final.

use std::cmp::Ordering;
use std::sync::Arc;

use parity_scale_codec::Encode as _;
use sp_crypto_hashing::blake2_256;

use super::{Examination, Primary};
use crate::chain::decode;
use crate::chain::error::ChainError;
use crate::chain::metadata::Schemas;
use crate::chain::schema::Schema;
use crate::chain::session::{Header, Session};
use crate::domain::commit::progress::BlockId;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Claim, Dispute, Limit, Side};
use crate::domain::snapshot::BlockRef;
use crate::domain::text::{age_seconds, grouped};
use crate::domain::untrusted::Untrusted;

/// Blocks by which honest endpoints may differ: finality itself trails by two or three, and a slow one by a few more.
const FAR: u64 = 10;
/// Age of a finalized head, in ms, from which an endpoint stands still.
const STANDS_STILL_MS: u64 = 120_000;

/// Somebody else's endpoint.
pub(super) struct Witness {
    pub(super) session: Session,
    pub(super) head: BlockHash,
}

/// The block at which everything is read.
pub(super) struct CommonBlock {
    /// It, by number and hash and time.
    pub(super) at: BlockRef,
    /// Its header, which hashes to its hash.
    pub(super) header: Header,
    /// How its state is written.
    pub(super) schema: Arc<Schema>,
    /// Who calls it final as well.
    pub(super) witness: Option<Witness>,
    /// Why nobody else does.
    pub(super) alone: Option<Limit>,
}

impl CommonBlock {
    /// The block by number and hash.
    pub(super) const fn id(&self) -> BlockId {
        BlockId { number: self.at.number, hash: self.at.hash }
    }
}

/// A claim without a proof.
pub(super) fn claim(session: &Session, block: Option<BlockId>, says: impl Into<String>) -> Claim {
    Claim { endpoint: session.endpoint().to_string(), block, says: Untrusted::from_text(says), proof: None }
}

/// An error in the words of a limit.
pub(super) fn why(error: &ChainError) -> String {
    error.fault.to_string()
}

/// The same with the endpoint.
pub(super) fn said(error: &ChainError) -> String {
    format!("{}: {}", error.endpoint, why(error))
}

/// The first endpoint of another operator that answers as the same chain.
pub(super) async fn witness(
    examination: &Examination,
    primary: &Primary,
    disputes: &mut Vec<Dispute>,
) -> Result<Witness, Limit> {
    let own = primary.session.endpoint().operator();
    let mut limit = Limit::NoWitness;
    for endpoint in examination.witnesses.iter().filter(|endpoint| endpoint.operator() != own) {
        let attempt = async {
            let session = Session::open(endpoint, &examination.limits).await?;
            let (genesis, head) = tokio::try_join!(session.genesis_hash(), session.finalized_head())?;
            Ok::<_, ChainError>((session, genesis, head))
        };
        match attempt.await {
            Ok((session, genesis, head)) if genesis == primary.genesis => return Ok(Witness { session, head }),
            Ok((session, genesis, _)) => {
                let of = |hash: BlockHash| format!("genesis {}", hash.glance());
                disputes.push(Dispute {
                    case: Case::OtherGenesis,
                    hotkey: None,
                    endpoint: claim(&primary.session, None, of(primary.genesis)),
                    witness: claim(&session, None, of(genesis)),
                    // A pinned genesis decides who is on the wrong chain.
                    proven_wrong: examination.network.genesis.map(|_| Side::Witness),
                });
                limit = Limit::Disputed { case: Case::OtherGenesis };
            }
            Err(error) => {
                limit = Limit::WitnessAway { endpoint: endpoint.to_string(), why: why(&error) };
            }
        }
    }
    Err(limit)
}

/// Finds the newest block that both call final, or the endpoint's own where they do not meet.
pub(super) async fn meet(
    examination: &Examination,
    primary: &Primary,
    witness: Result<Witness, Limit>,
    schemas: &mut Schemas,
    disputes: &mut Vec<Dispute>,
) -> Result<CommonBlock, ChainError> {
    let own = primary.session.header(primary.head).await?;
    let schema = schema_at(primary, schemas, &own, primary.head).await?;
    let (at, witness, alone) = match witness {
        Err(limit) => (primary.head, None, Some(limit)),
        Ok(witness) => match common(examination, primary, own.number, &witness, &schema, disputes).await {
            Ok(at) => (at, Some(witness), None),
            Err(limit) => (primary.head, None, Some(limit)),
        },
    };
    let (header, schema) = if at == primary.head {
        (own, schema)
    } else {
        let header = primary.session.header(at).await?;
        let schema = schema_at(primary, schemas, &header, at).await?;
        (header, schema)
    };
    let timestamp_ms = time_at(&primary.session, &schema, at).await?.unwrap_or(0);
    let at = BlockRef { number: header.number, hash: at, timestamp_ms };
    let mut common_block = CommonBlock { at, header, schema, witness, alone };
    let hashed = BlockHash(blake2_256(&common_block.header.encode()));
    if hashed != at.hash {
        let block = Some(common_block.id());
        disputes.push(Dispute {
            case: Case::ForgedHeader,
            hotkey: None,
            endpoint: claim(&primary.session, block, format!("a header that hashes to {}", hashed.glance())),
            witness: claim(&primary.session, block, format!("the block's hash is {}", at.hash.glance())),
            proven_wrong: Some(Side::Endpoint),
        });
        common_block.witness = None;
        common_block.alone = Some(Limit::Disputed { case: Case::ForgedHeader });
    }
    Ok(common_block)
}

/// The hash of the newest height that both have finalized, if they have the same block there.
async fn common(
    examination: &Examination,
    primary: &Primary,
    own: u64,
    witness: &Witness,
    schema: &Schema,
    disputes: &mut Vec<Dispute>,
) -> Result<BlockHash, Limit> {
    let away = |error: ChainError| Limit::WitnessAway { endpoint: error.endpoint.clone(), why: why(&error) };
    let theirs = witness.session.header(witness.head).await.map_err(away)?.number;
    let mut contradict = |case: Case, mine: (u64, BlockHash, String), other: (u64, BlockHash, String)| {
        let of = |session, (number, hash, says)| claim(session, Some(BlockId { number, hash }), says);
        let (endpoint, witness) = (of(&primary.session, mine), of(&witness.session, other));
        disputes.push(Dispute { case, hotkey: None, endpoint, witness, proven_wrong: None });
        Err(Limit::Disputed { case })
    };
    let is_behind = own < theirs;
    if own.abs_diff(theirs) > FAR {
        let (behind, head) =
            if is_behind { (&primary.session, primary.head) } else { (&witness.session, witness.head) };
        let made_ms = time_at(behind, schema, head).await.ok().flatten();
        let age_ms = made_ms.map(|made| examination.now_ms.saturating_sub(made)).filter(|age| *age > STANDS_STILL_MS);
        let old = age_ms.map_or_else(String::new, |age| format!(", {} old", age_seconds(age / 1_000)));
        let said = |number: u64, old: &str| format!("its finalized head is #{}{old}", grouped(number));
        let (my_age, their_age) = if is_behind { (old.as_str(), "") } else { ("", old.as_str()) };
        let case = if age_ms.is_some() { Case::StaleHead } else { Case::NotFinal };
        return contradict(
            case,
            (own, primary.head, said(own, my_age)),
            (theirs, witness.head, said(theirs, their_age)),
        );
    }
    // The one that is ahead must have the other's finalized head at its height.
    let number = own.min(theirs);
    let (mine, other) = match own.cmp(&theirs) {
        Ordering::Equal => (Some(primary.head), Some(witness.head)),
        Ordering::Less => (Some(primary.head), witness.session.block_hash(number).await.map_err(away)?),
        Ordering::Greater => (primary.session.block_hash(number).await.map_err(away)?, Some(witness.head)),
    };
    match (mine, other) {
        (Some(mine), Some(other)) if mine == other => Ok(mine),
        (Some(mine), Some(other)) => {
            let says = |hash: BlockHash| format!("{} is final", hash.glance());
            contradict(Case::OtherFork, (number, mine, says(mine)), (number, other, says(other)))
        }
        _ => Err(Limit::WitnessBehind { endpoint: witness.session.endpoint().to_string(), block: number }),
    }
}

/// The schema by which a block's state is written: that of the runtime in its parent's.
async fn schema_at(
    primary: &Primary,
    schemas: &mut Schemas,
    header: &Header,
    at: BlockHash,
) -> Result<Arc<Schema>, ChainError> {
    let parent = if header.number == 0 { at } else { BlockHash(header.parent_hash.0) };
    let spec = primary.session.spec_version(Some(parent)).await?;
    let (_, schema) = schemas.at(&primary.session, primary.genesis, spec, parent).await?;
    Ok(schema)
}

/// `Timestamp.Now` of a block, in ms since 1970; `None` where it is not told.
async fn time_at(session: &Session, schema: &Schema, at: BlockHash) -> Result<Option<u64>, ChainError> {
    let sets = session.query(&[schema.now.key(&[])], at).await?;
    let value = sets.into_iter().flat_map(|set| set.changes).find_map(|(_, value)| value);
    Ok(value.and_then(|value| decode::scalar(schema, schema.now.value, &value.0)))
}
