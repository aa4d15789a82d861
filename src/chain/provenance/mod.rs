//! Where commitments come from: what one node says is held against another operator's node, against the state root of a
//! block that both call final, and against the signature of the extrinsic that put it there.
//!
//! ```text
//! greet both ─► a block that both call final ─► its header ─► values of both ─► one proof for all ─► rows
//!                                                  bodies ─► births ─► signatures ─► rows
//! ```

mod common_block;
mod decode_extrinsic;
mod proof;
mod runtimes;
mod signed;
mod sources;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::clock::Head;
use super::error::ChainError;
use super::metadata::trusted_schema_of;
use super::node::{Compared, Connection, Node};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Depth, Dispute, Examined, Limit, Side};
use crate::domain::snapshot::BlockRef;
use common_block::CommonBlock;
use values::Read;

pub use proof::{StateProof, Unproven};
pub(in crate::chain) use values::{Beside, Fact};

/// What is examined, and by whom.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The chain's nodes.
    pub node: Node,
    /// The subnet.
    pub netuid: u16,
    /// The present, in ms since 1970.
    pub now_ms: u64,
}

/// Examines the commitments of some hotkeys. Only an endpoint that cannot be asked at all is an error; whatever else is in
/// the way is said row by row.
pub async fn examine(examination: &Examination, rows: &BTreeMap<Hotkey, Depth>) -> Result<Examined, ChainError> {
    let (started, asked_before) = (Instant::now(), examination.node.asked());
    let mut attempts = examination.node.attempts();
    loop {
        let connection = attempts.next().await?;
        match Box::pin(async {
            examine_on(examination, &connection, connection.head().await?, rows, &Beside::default()).await
        })
        .await
        {
            Ok(Verified { examined: mut found, .. }) => {
                found.cost.requests = examination.node.asked() - asked_before;
                found.cost.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Ok(found);
            }
            Err(error) => attempts.failed(&connection, error).await?,
        }
    }
}

/// Rows and facts of one state, verified together.
pub(in crate::chain) struct Verified {
    pub(in crate::chain) examined: Examined,
    /// The block.
    pub(in crate::chain) at: BlockRef,
    /// What may be acted on of the facts, in their order.
    pub(in crate::chain) facts: Vec<Option<Vec<u8>>>,
}

/// Examines rows on one connection whose finalized head is `head`, and other values of the same state with them.
pub(in crate::chain) async fn examine_on(
    examination: &Examination,
    primary: &Connection,
    head: Head,
    rows: &BTreeMap<Hotkey, Depth>,
    beside: &Beside<'_>,
) -> Result<Verified, ChainError> {
    let mut found = Examined::default();
    let mut block = common_block::find(examination, primary, head, &mut found.disputes).await?;
    let hotkeys: Vec<Hotkey> = rows.keys().copied().collect();
    let mut read = values::read(examination, primary, &block, &hotkeys, beside).await?;
    if read.needs_metadata() {
        compare_metadata(examination, primary, &mut block, &mut read, &mut found.disputes).await?;
    }
    let judged = values::judge(primary, &block, &read, &mut found.disputes).await;
    found.rows = judged.rows;
    found.cost.bytes += judged.proof_bytes;
    let wanted = rows.iter().filter(|(_, depth)| **depth == Depth::Signature).map(|(hotkey, _)| *hotkey).collect();
    let subject = signed::Subject { examination, primary, block: &block, read: &read };
    signed::check(subject, wanted, &judged.stored, &mut found).await;
    Ok(Verified { examined: found, at: read.at, facts: judged.facts })
}

/// What the values mean must be what two operators say, where there are two. One that contradicts is no second source.
async fn compare_metadata(
    examination: &Examination,
    primary: &Connection,
    block: &mut CommonBlock,
    read: &mut Read,
    disputes: &mut Vec<Dispute>,
) -> Result<(), ChainError> {
    let (node, Some(witness)) = (&examination.node, block.witness.clone()) else { return Ok(()) };
    // The code that wrote the block is that of its parent's state.
    let at = Some(BlockHash(block.header.parent_hash.0));
    match node.compare([primary, &witness], (&read.schema, read.spec, at)).await {
        Compared::Same => {}
        Compared::Stale(metadata) => {
            let decoded = trusted_schema_of(&metadata).await;
            read.schema = Arc::new(decoded.map_err(|fault| primary.session.fault(fault))?);
        }
        Compared::Unable { why, lasting, is_theirs } => {
            if is_theirs && !lasting {
                node.witness_failed(&witness, why.clone()).await;
            }
            read.obscure = Some(Limit::WitnessAway { endpoint: witness.session.endpoint().to_string(), why });
        }
        Compared::Differs(dispute) => {
            if dispute.proven_wrong == Some(Side::Witness) {
                node.witness_failed(&witness, Case::OtherMetadata.words().to_owned()).await;
            }
            block.witness = None;
            block.alone = Some(Limit::Disputed { case: Case::OtherMetadata });
            read.disregard_the_other();
            disputes.push(*dispute);
        }
    }
    Ok(())
}
