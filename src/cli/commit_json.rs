//! `commit --json`: the contract's fields, and what explains them.

use serde::Serialize;

use crate::domain::commit::{Check, Ended, Era, KeyTest, Plan};
use crate::domain::commitment::MaskedBytes;
use crate::domain::drift::DriftFields;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::Confirmed;
use crate::domain::secret::Fingerprint;
use crate::ops::context::Context;

/// `commit --json`. What is not known, since it did not come to that, is null.
#[derive(Debug, Serialize)]
pub(super) struct CommitDocument {
    outcome: &'static str,
    reason: Option<String>,
    netuid: u16,
    uid: Option<u16>,
    hotkey: Option<Hotkey>,
    /// Of the read secret that was on chain.
    old_fingerprint: Option<Fingerprint>,
    /// Of the read secret that is to be there.
    new_fingerprint: Option<Fingerprint>,
    fields: Option<DriftFields>,
    bytes: Option<MaskedBytes>,
    budget: Option<BudgetDocument>,
    /// Of the plan; what is signed a moment later begins its era a block later, perhaps.
    nonce: Option<u64>,
    era: Option<Era>,
    checks: Vec<Check>,
    /// What the store showed of the pair: `read_only`, `writing_open` or `untested`; null where it was not asked, or refused.
    key_test: Option<&'static str>,
    extrinsic_hash: Option<BlockHash>,
    /// The final block that holds it.
    included_in: Option<u64>,
    block_hash: Option<BlockHash>,
    extrinsic_index: Option<u32>,
    first_seen_in: Option<u64>,
    finalized: bool,
    read_back: bool,
    /// How well what the chain is said to hold is confirmed.
    confirmed: Option<Confirmed>,
    what: Option<String>,
    explanation: Option<String>,
    fix: Option<String>,
}

/// Bytes of the epoch's budget.
#[derive(Debug, Serialize)]
struct BudgetDocument {
    used: u64,
    max: u64,
    epoch: u64,
    next_epoch_at: Option<u64>,
    commits_left: u64,
}

impl CommitDocument {
    /// Of what the command came to: a plan, an end, or both.
    pub(super) fn of(plan: Option<&Plan>, ended: Option<&Ended>, context: &Context) -> Self {
        let standing = plan.map(|plan| &plan.standing);
        let finding = ended.map(Ended::finding);
        let receipt = match ended {
            Some(Ended::Committed(receipt)) => Some(receipt),
            _ => None,
        };
        let block = ended.and_then(Ended::block);
        Self {
            outcome: ended.map_or("planned", Ended::word),
            reason: ended.and_then(Ended::reason),
            netuid: context.netuid(),
            uid: standing.and_then(|at| at.uid),
            hotkey: context.hotkey,
            old_fingerprint: plan.and_then(Plan::old).map(|old| old.read_secret),
            new_fingerprint: plan.map(|plan| plan.new.read_secret),
            fields: plan.map(|plan| plan.fields),
            bytes: plan.map(|plan| plan.bytes.clone()),
            budget: standing.and_then(|at| at.space).map(|space| BudgetDocument {
                used: space.used,
                max: space.max,
                epoch: space.epoch,
                next_epoch_at: space.next_epoch_at,
                commits_left: space.commits_left(),
            }),
            nonce: standing.map(|at| at.nonce),
            era: plan.map(|plan| plan.era),
            checks: plan.map(|plan| plan.checks.clone()).unwrap_or_default(),
            key_test: plan.and_then(|plan| plan.key_test.as_ref()).map(KeyTest::name),
            extrinsic_hash: ended.and_then(Ended::extrinsic),
            included_in: block.map(|block| block.number),
            block_hash: block.map(|block| block.hash),
            extrinsic_index: receipt.and_then(|receipt| receipt.index),
            first_seen_in: receipt.and_then(|receipt| receipt.first_seen_in).map(|block| block.number),
            finalized: receipt.is_some(),
            read_back: receipt.is_some(),
            confirmed: match receipt {
                Some(receipt) => receipt.confirmed.clone(),
                None => plan.and_then(|plan| plan.confirmed.clone()),
            },
            what: finding.as_ref().map(|finding| finding.summary.clone()),
            explanation: finding.as_ref().map(|finding| finding.cause.clone()),
            fix: finding.map(|finding| finding.help),
        }
    }
}
