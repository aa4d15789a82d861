//! A second source, and a block that both sources call final.

use std::sync::Arc;

use parity_scale_codec::Encode as _;
use sp_crypto_hashing::blake2_256;

use super::{Examination, Ground};
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
pub(super) struct Place {
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

/// A claim without a proof.
pub(super) fn claim(session: &Session, block: Option<BlockId>, says: impl Into<String>) -> Claim {
    Claim { endpoint: session.endpoint().to_string(), block, says: Untrusted::from_text(says), proof: None }
}

/// An error in the words of a limit.
pub(super) fn why(error: &ChainError) -> String {
    error.fault.to_string()
}

/// The first endpoint of another operator that answers as the same chain.
pub(super) async fn witness(
    examination: &Examination,
    ground: &Ground,
    disputes: &mut Vec<Dispute>,
) -> Result<Witness, Limit> {
    let own = ground.session.endpoint().operator();
    let mut limit = Limit::NoWitness;
    for endpoint in examination.witnesses.iter().filter(|endpoint| endpoint.operator() != own) {
        let attempt = async {
            let session = Session::open(endpoint, &examination.limits).await?;
            let (genesis, head) = tokio::try_join!(session.genesis_hash(), session.finalized_head())?;
            Ok::<_, ChainError>((session, genesis, head))
        };
        match attempt.await {
            Ok((session, genesis, head)) if genesis == ground.genesis => return Ok(Witness { session, head }),
            Ok((session, genesis, _)) => {
                let of = |hash: BlockHash| format!("genesis {}", hash.glance());
                disputes.push(Dispute {
                    case: Case::OtherGenesis,
                    hotkey: None,
                    endpoint: claim(&ground.session, None, of(ground.genesis)),
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
    ground: &Ground,
    witness: Result<Witness, Limit>,
    schemas: &mut Schemas,
    disputes: &mut Vec<Dispute>,
) -> Result<Place, ChainError> {
    let own = ground.session.header(ground.head).await?;
    let (at, witness, alone) = match witness {
        Err(limit) => (ground.head, None, Some(limit)),
        Ok(witness) => match common(examination, ground, own.number, &witness, disputes).await {
            Ok(at) => (at, Some(witness), None),
            Err(limit) => (ground.head, None, Some(limit)),
        },
    };
    let header = if at == ground.head { own } else { ground.session.header(at).await? };
    let number = header.number;
    let mut place = Place {
        at: BlockRef { number, hash: at, timestamp_ms: 0 },
        schema: schema_at(ground, schemas, &header, at).await?,
        header,
        witness,
        alone,
    };
    place.at.timestamp_ms = time_at(&ground.session, &place.schema, at).await?;
    let hashed = BlockHash(blake2_256(&place.header.encode()));
    if hashed != at {
        let block = Some(BlockId { number, hash: at });
        disputes.push(Dispute {
            case: Case::ForgedHeader,
            hotkey: None,
            endpoint: claim(&ground.session, block, format!("a header that hashes to {}", hashed.glance())),
            witness: claim(&ground.session, block, format!("the block's hash is {}", at.glance())),
            proven_wrong: Some(Side::Endpoint),
        });
        place.witness = None;
        place.alone = Some(Limit::Disputed { case: Case::ForgedHeader });
    }
    Ok(place)
}

/// The hash of the newest height that both have finalized, if they have the same block there.
async fn common(
    examination: &Examination,
    ground: &Ground,
    own: u64,
    witness: &Witness,
    disputes: &mut Vec<Dispute>,
) -> Result<BlockHash, Limit> {
    let away = |error: ChainError| Limit::WitnessAway { endpoint: error.endpoint.clone(), why: why(&error) };
    let theirs = witness.session.header(witness.head).await.map_err(away)?.number;
    let block = |number, hash| Some(BlockId { number, hash });
    let said = |number: u64| format!("its finalized head is #{}", grouped(number));
    if own.abs_diff(theirs) > FAR {
        let (behind, head) =
            if own < theirs { (&ground.session, ground.head) } else { (&witness.session, witness.head) };
        let age = age_of(behind, head, examination.now_ms).await;
        let stands_still = age.is_some_and(|age| age > STANDS_STILL_MS);
        let old = age.filter(|_| stands_still).map(|age| format!(", {} old", age_seconds(age / 1_000)));
        let words =
            |number: u64| said(number) + old.as_deref().filter(|_| number == own.min(theirs)).unwrap_or_default();
        let case = if stands_still { Case::StaleHead } else { Case::NotFinal };
        disputes.push(Dispute {
            case,
            hotkey: None,
            endpoint: claim(&ground.session, block(own, ground.head), words(own)),
            witness: claim(&witness.session, block(theirs, witness.head), words(theirs)),
            proven_wrong: None,
        });
        return Err(Limit::Disputed { case });
    }
    let (number, behind, ahead) =
        if own <= theirs { (own, ground.head, &witness.session) } else { (theirs, witness.head, &ground.session) };
    let found = if own == theirs { Some(witness.head) } else { ahead.block_hash(number).await.map_err(away)? };
    let other = if own == theirs { ground.head } else { behind };
    match found {
        Some(hash) if hash == other => Ok(hash),
        Some(hash) => {
            let (mine, other) = if own <= theirs { (ground.head, hash) } else { (hash, witness.head) };
            let says = |hash: BlockHash| format!("{} is final", hash.glance());
            disputes.push(Dispute {
                case: Case::OtherFork,
                hotkey: None,
                endpoint: claim(&ground.session, block(number, mine), says(mine)),
                witness: claim(&witness.session, block(number, other), says(other)),
                proven_wrong: None,
            });
            Err(Limit::Disputed { case: Case::OtherFork })
        }
        None => {
            let endpoint = ahead.endpoint().to_string();
            Err(Limit::WitnessBehind { endpoint, block: number })
        }
    }
}

/// The schema by which a block's state is written: that of the runtime in its parent's.
async fn schema_at(
    ground: &Ground,
    schemas: &mut Schemas,
    header: &Header,
    at: BlockHash,
) -> Result<Arc<Schema>, ChainError> {
    let parent = if header.number == 0 { at } else { BlockHash(header.parent_hash.0) };
    let spec = ground.session.spec_version(Some(parent)).await?;
    let (_, schema) = schemas.at(&ground.session, ground.genesis, spec, parent).await?;
    Ok(schema)
}

/// `Timestamp.Now` of a block, in ms since 1970; 0 where it is not told.
async fn time_at(session: &Session, schema: &Schema, at: BlockHash) -> Result<u64, ChainError> {
    let sets = session.query(&[schema.now.key(&[])], at).await?;
    let value = sets.into_iter().flat_map(|set| set.changes).find_map(|(_, value)| value);
    Ok(value.and_then(|value| decode::scalar(schema, schema.now.value, &value.0)).unwrap_or(0))
}

/// How old a head is; `None` where its endpoint does not tell. `Timestamp.Now` is where every runtime has it (FACTS 3).
async fn age_of(session: &Session, head: BlockHash, now_ms: u64) -> Option<u64> {
    const NOW: &str = "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb";
    let sets = session.query(&[hex::decode(NOW).ok()?], head).await.ok()?;
    let value = sets.into_iter().flat_map(|set| set.changes).find_map(|(_, value)| value)?;
    Some(now_ms.saturating_sub(u64::from_le_bytes(value.0.try_into().ok()?)))
}
