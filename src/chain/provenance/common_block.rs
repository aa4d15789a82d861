//! A block that both sources call final.

use std::cmp::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::Examination;
use crate::chain::clock::{Head, hash_of};
use crate::chain::decode;
use crate::chain::error::ChainError;
use crate::chain::node::{Connection, NoWitness};
use crate::chain::session::{Header, Session};
use crate::domain::commit::progress::BlockId;
use crate::domain::freshness;
use crate::domain::network::{BlockHash, Endpoint};
use crate::domain::provenance::{Case, Claim, Dispute, Limit, Side};
use crate::domain::text::{age_seconds, grouped};
use crate::domain::untrusted::Untrusted;

/// Blocks by which honest endpoints may differ: finality itself trails by two or three, and a slow one by a few more.
const FAR: u64 = 10;
/// How long a second source may take to say which block it has.
const MOST: Duration = Duration::from_secs(15);

/// The block at which everything is read.
pub(super) struct CommonBlock {
    pub(super) id: BlockId,
    /// Its header, which hashes to its hash.
    pub(super) header: Header,
    /// Who calls it final as well.
    pub(super) witness: Option<Connection>,
    /// Why no second source does.
    pub(super) alone: Option<Limit>,
}

/// A claim without a proof.
pub(super) fn claim(session: &Session, block: Option<BlockId>, says: impl Into<String>) -> Claim {
    claim_at(session.endpoint(), block, says)
}

fn claim_at(endpoint: &Endpoint, block: Option<BlockId>, says: impl Into<String>) -> Claim {
    Claim { endpoint: endpoint.to_string(), block, says: Untrusted::from_text(says), proof: None }
}

/// An error in the words of a limit.
pub(super) fn why(error: &ChainError) -> String {
    error.fault.to_string()
}

/// The same with the endpoint.
pub(super) fn said(error: &ChainError) -> String {
    format!("{}: {}", error.endpoint, why(error))
}

/// Finds the newest block that both call final, not above `own`, which is the endpoint's own head and is taken where they do
/// not meet.
pub(super) async fn find(
    examination: &Examination,
    primary: &Connection,
    own: Head,
    disputes: &mut Vec<Dispute>,
) -> Result<CommonBlock, ChainError> {
    let (id, witness, alone) = match examination.node.witness(&primary.session).await {
        Err(why) => (id_of(&own), None, Some(nobody_else(examination, primary, why, disputes))),
        Ok(witness) => match in_time(&witness, common(examination, primary, &own, &witness, disputes)).await {
            Ok(id) => (id, Some(witness), None),
            Err(limit) => {
                if let Limit::WitnessAway { why, .. } = &limit {
                    examination.node.witness_failed(&witness, why.clone()).await;
                }
                (id_of(&own), None, Some(limit))
            }
        },
    };
    let header = primary.header_at(id.number, id.hash).await?;
    let mut block = CommonBlock { id, header, witness, alone };
    let hashed = hash_of(&block.header);
    if hashed != id.hash {
        disputes.push(Dispute {
            case: Case::ForgedHeader,
            hotkey: None,
            endpoint: claim(&primary.session, Some(id), format!("a header that hashes to {}", hashed.glance())),
            witness: claim(&primary.session, Some(id), format!("the block's hash is {}", id.hash.glance())),
            proven_wrong: Some(Side::Endpoint),
        });
        block.witness = None;
        block.alone = Some(Limit::Disputed { case: Case::ForgedHeader });
    }
    Ok(block)
}

/// Bounds how long a silent second source is waited for.
async fn in_time<T>(witness: &Connection, work: impl Future<Output = Result<T, Limit>>) -> Result<T, Limit> {
    let silent = |_| {
        let why = format!("no answer within {} s", MOST.as_secs());
        Err(Limit::WitnessAway { endpoint: witness.session.endpoint().to_string(), why })
    };
    timeout(MOST, work).await.unwrap_or_else(silent)
}

fn id_of(head: &Head) -> BlockId {
    BlockId { number: head.number(), hash: head.hash }
}

/// Why there is no second source; one that answers as another chain is a dispute.
fn nobody_else(examination: &Examination, primary: &Connection, why: NoWitness, disputes: &mut Vec<Dispute>) -> Limit {
    match why {
        NoWitness::NotConfigured => Limit::NoWitness,
        NoWitness::Away { endpoint, why } => Limit::WitnessAway { endpoint, why },
        NoWitness::OtherChain { endpoint, genesis } => {
            let of = |hash: BlockHash| format!("genesis {}", hash.glance());
            disputes.push(Dispute {
                case: Case::OtherGenesis,
                hotkey: None,
                endpoint: claim(&primary.session, None, of(primary.genesis)),
                witness: claim_at(&endpoint, None, of(genesis)),
                // A pinned genesis decides who is on the wrong chain.
                proven_wrong: examination.node.network().genesis.map(|_| Side::Witness),
            });
            Limit::Disputed { case: Case::OtherGenesis }
        }
    }
}

/// The newest height that both have finalized, if they have the same block there.
async fn common(
    examination: &Examination,
    primary: &Connection,
    own: &Head,
    witness: &Connection,
    disputes: &mut Vec<Dispute>,
) -> Result<BlockId, Limit> {
    let away = |error: ChainError| Limit::WitnessAway { endpoint: error.endpoint.clone(), why: why(&error) };
    let mut theirs = witness.head_from(own.number()).await.map_err(away)?;
    if own.number().abs_diff(theirs.number()) > FAR {
        // Its subscription may have stopped: it is asked before it is called a contradiction.
        theirs = witness.newest_head().await.map_err(away)?;
    }
    let (own, theirs) = (id_of(own), id_of(&theirs));
    let mut contradict = |case: Case, mine: (BlockId, String), other: (BlockId, String)| {
        let of = |session, (id, says)| claim(session, Some(id), says);
        let (endpoint, witness) = (of(&primary.session, mine), of(&witness.session, other));
        disputes.push(Dispute { case, hotkey: None, endpoint, witness, proven_wrong: None });
        Err(Limit::Disputed { case })
    };
    if own.number.abs_diff(theirs.number) > FAR {
        let is_behind = own.number < theirs.number;
        let (behind, head) = if is_behind { (primary, own.hash) } else { (witness, theirs.hash) };
        let made_ms = time_at(examination, primary, behind, head).await;
        let age_ms = made_ms.map(|made| examination.now_ms.saturating_sub(made));
        let age_ms = age_ms.filter(|age| *age > freshness::ENDPOINT_STANDS_STILL_MS);
        let old = age_ms.map_or_else(String::new, |age| format!(", {} old", age_seconds(age / 1_000)));
        let said = |id: BlockId, old: &str| (id, format!("its finalized head is #{}{old}", grouped(id.number)));
        let (my_age, their_age) = if is_behind { (old.as_str(), "") } else { ("", old.as_str()) };
        let case = if age_ms.is_some() { Case::StaleHead } else { Case::NotFinal };
        return contradict(case, said(own, my_age), said(theirs, their_age));
    }
    // The one that is ahead must have the other's finalized head at its height.
    let number = own.number.min(theirs.number);
    let (mine, other) = match own.number.cmp(&theirs.number) {
        Ordering::Equal => (Some(own.hash), Some(theirs.hash)),
        Ordering::Less => (Some(own.hash), witness.hash_at(number).await.map_err(away)?),
        Ordering::Greater => (primary.hash_at(number).await.map_err(away)?, Some(theirs.hash)),
    };
    match (mine, other) {
        (Some(mine), Some(other)) if mine == other => Ok(BlockId { number, hash: mine }),
        (Some(mine), Some(other)) => {
            let says = |hash: BlockHash| (BlockId { number, hash }, format!("{} is final", hash.glance()));
            contradict(Case::OtherFork, says(mine), says(other))
        }
        _ => Err(Limit::WitnessBehind { endpoint: witness.session.endpoint().to_string(), block: number }),
    }
}

/// `Timestamp.Now` of a block, in ms since 1970; `None` where it is not told.
async fn time_at(examination: &Examination, primary: &Connection, behind: &Connection, at: BlockHash) -> Option<u64> {
    let (spec, _) = primary.versions().await.ok()?;
    let (_, schema) = examination.node.schema(primary, spec, at).await.ok()?;
    let value = behind.session.value(schema.now.key(&[]), at).await.ok()??;
    decode::scalar(&schema, schema.now.value, &value)
}
