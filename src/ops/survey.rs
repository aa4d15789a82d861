//! One look at the subnet: read it, join it with who we are, remember it for the next start.

use crate::chain::{self, ChainError, FeedOptions};
use crate::domain::findings::Finding;
use crate::domain::network::{SANDBOX, SANDBOX_GENESIS};
use crate::domain::roster::Roster;
use crate::domain::snapshot::{ChainIdentity, SubnetSnapshot};
use crate::ops::context::Context;

/// A subnet at one block, joined.
#[derive(Debug)]
pub struct Survey {
    /// As it was read.
    pub snapshot: SubnetSnapshot,
    /// Row by row.
    pub roster: Roster,
    /// Why it was not kept for the next start, when it should have been.
    pub unkept: Option<Finding>,
}

/// Reads the subnet at its finalized head. `now_ms` is the time since 1970, for the age of the kept snapshot.
pub async fn survey(context: &Context, now_ms: u64) -> Result<Survey, ChainError> {
    let options = FeedOptions::default();
    let mut snapshot = chain::survey(&context.network, context.netuid(), context.metadata_store(), &options).await?;
    name_the_sandbox(&mut snapshot.chain);
    let unkept = context.disk.remember(&snapshot, now_ms);
    let roster = Roster::join(&snapshot, context.own().as_ref());
    Ok(Survey { snapshot, roster, unkept })
}

/// The practice subnet is called SANDBOX wherever a network's name stands, however it was reached.
pub fn name_the_sandbox(chain: &mut ChainIdentity) {
    if chain.genesis == SANDBOX_GENESIS {
        SANDBOX.clone_into(&mut chain.network);
    }
}
