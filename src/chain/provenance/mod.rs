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
use std::time::Duration;

use tokio::time::Instant;

use super::error::ChainError;
use super::failover::Failures;
use super::metadata::{MetadataStore, Schemas};
use super::options::CallLimits;
use super::session::Session;
use super::snapshot::greet;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, Endpoint, Network};
use crate::domain::provenance::Examined;

pub use proof::{StateProof, Unproven};

/// What is examined, and by whom.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The endpoints that the console reads from.
    pub network: Network,
    /// Endpoints that may be asked beside the one that answers; only those of another operator are.
    pub witnesses: Vec<Endpoint>,
    /// Endpoints that keep old blocks.
    pub archives: Vec<Endpoint>,
    /// The subnet.
    pub netuid: u16,
    /// Where metadata is kept.
    pub store: MetadataStore,
    /// Deadlines and bounds of each connection.
    pub limits: CallLimits,
    /// Least time between two requests for old blocks at one endpoint.
    pub pace: Pace,
    /// The present, in ms since 1970.
    pub now_ms: u64,
}

/// Least time between two requests to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Of another machine: public nodes allow about one request a second (FACTS 3).
    pub elsewhere: Duration,
    /// Of this machine.
    pub here: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { elsewhere: Duration::from_secs(1), here: Duration::ZERO }
    }
}

/// How far a row is to be examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Up to the state proof: a few requests for all rows together.
    Proof,
    /// Up to the signature: one request for each block in which rows were set, and a few for all.
    Signature,
}

/// The endpoint that answers, and what the chain is.
struct Primary {
    session: Session,
    genesis: BlockHash,
    head: BlockHash,
}

/// Examines the commitments of some hotkeys. Only an endpoint that cannot be asked at all is an error; whatever else is in
/// the way is said row by row.
pub async fn examine(examination: &Examination, rows: &BTreeMap<Hotkey, Depth>) -> Result<Examined, ChainError> {
    let started = Instant::now();
    let primary = primary(examination).await?;
    let mut schemas = Schemas::new(examination.store.clone());
    let mut found = Examined::default();
    let witness = common_block::witness(examination, &primary, &mut found.disputes).await;
    let common_block = common_block::meet(examination, &primary, witness, &mut schemas, &mut found.disputes).await?;
    let hotkeys: Vec<Hotkey> = rows.keys().copied().collect();
    let read = values::read(examination, &primary.session, &common_block, &hotkeys).await?;
    let judged = values::judge(&primary.session, &common_block, read, &mut found.disputes).await;
    found.rows = judged.rows;
    found.cost.bytes += judged.proof_bytes;
    let wanted = rows.iter().filter(|(_, depth)| **depth == Depth::Signature).map(|(hotkey, _)| *hotkey).collect();
    found.cost.requests +=
        signed::check(examination, &primary, &common_block, wanted, &judged.stored, &mut found).await;
    found.cost.requests +=
        primary.session.asked() + common_block.witness.as_ref().map_or(0, |witness| witness.session.asked());
    found.cost.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(found)
}

/// Connects to the first endpoint that answers as the right chain.
async fn primary(examination: &Examination) -> Result<Primary, ChainError> {
    let network = &examination.network;
    let mut failures = Failures::default();
    for endpoint in &network.endpoints {
        let attempt = async {
            let session = Session::open(endpoint, &examination.limits).await?;
            let greeting = greet(&session, network).await?;
            Ok(Primary { session, genesis: greeting.genesis, head: greeting.head })
        };
        match attempt.await {
            Ok(primary) => return Ok(primary),
            Err(error) => failures.note(error)?,
        }
    }
    Err(failures.of_all(network))
}
