//! How it ended, as the chain of the finalized head tells it: by the value, the nonce, the era, and the block's own events.

use super::super::error::{ChainError, Fault};
use super::hotkey_client::HotkeyClient;
use super::tracker::TxTracker;
use super::verify::{self, Applied, Facts, Head, Seen, Used};
use crate::domain::commit::progress::BlockId;
use crate::domain::commit::{Ended, Failure, PoolAnswer, Progress, Receipt, Unsettled};
use crate::domain::commitment::Commitment;
use crate::domain::text::grouped;

/// Blocks whose state every node keeps (FACTS 3); of older ones the body and the events may be gone.
const KEPT_BLOCKS: u64 = 200;

impl TxTracker<'_> {
    /// Asks the newest finalized head what became of it.
    pub(super) async fn look(&mut self, client: &HotkeyClient) -> Result<Option<Ended>, ChainError> {
        let head = verify::newest_head(client).await?;
        self.look_at(client, head).await
    }

    /// Asks the chain itself: is the value there, the nonce used, the era over? `None` while all is open.
    pub(super) async fn look_at(&mut self, client: &HotkeyClient, head: Head) -> Result<Option<Ended>, ChainError> {
        let intent = self.intent;
        if intent.is_met_by(head.value.as_ref())
            && let Some(ended) = self.met(client, &head).await?
        {
            return Ok(Some(ended));
        }
        if head.nonce > intent.nonce {
            return self.used(client, &head).await;
        }
        if head.number >= intent.death {
            return Ok(Some(self.expired()));
        }
        Ok(None)
    }

    /// The value is there: the block that set it must hold the extrinsic and say that it was applied. `None` when another
    /// transaction set the same value there: then the nonce tells what became of ours.
    async fn met(&mut self, client: &HotkeyClient, head: &Head) -> Result<Option<Ended>, ChainError> {
        let set_at = head.value.as_ref().and_then(|value| value.block);
        // Of a block above the head nothing can be looked at yet.
        let Some(number) = set_at.filter(|number| *number <= head.number) else { return Ok(None) };
        let Some(hash) = client.connection.hash_at(number).await? else {
            return Ok(Some(self.contradiction(format!(
                "the value is said to be set in #{}, a block it does not have",
                grouped(number)
            ))));
        };
        match self.seen_in(client, hash).await? {
            Seen::In { index, .. } => {
                let block = BlockId { number, hash };
                self.saw(block).await;
                let facts = match verify::facts(client, block, index).await {
                    Err(ChainError { fault: Fault::Refused { .. }, .. }) if head.number > number + KEPT_BLOCKS => {
                        return Ok(Some(self.by_value_alone(block, Some(index), head)));
                    }
                    facts => facts?,
                };
                self.judged(client, facts, head).await
            }
            Seen::NoBlock if head.number > number + KEPT_BLOCKS => {
                Ok(Some(self.by_value_alone(BlockId { number, hash }, None, head)))
            }
            Seen::NotIn { the_same } if the_same || head.nonce > self.intent.nonce => Ok(None),
            Seen::NoBlock | Seen::NotIn { .. } => Ok(Some(self.contradiction(format!(
                "the value reads as ours, set in #{}, and that block does not hold our transaction",
                grouped(number)
            )))),
        }
    }

    /// The nonce is used and the value is another: find the block, and what happened there.
    async fn used(&mut self, client: &HotkeyClient, head: &Head) -> Result<Option<Ended>, ChainError> {
        let intent = self.intent;
        let last = head.number.min(intent.death);
        let block = match verify::used_at(client, intent.nonce, intent.birth, last).await? {
            Used::At(block) => block,
            Used::Not if last == intent.death => return Ok(Some(self.expired())),
            Used::Not => {
                let what = format!("its head #{0} has used the nonce, and the state of #{0} has not", grouped(last));
                return Ok(Some(self.contradiction(what)));
            }
            Used::Gone => return Ok(Some(self.failed(Failure::NotThere))),
        };
        match self.seen_in(client, block.hash).await? {
            Seen::In { index, .. } => {
                self.saw(block).await;
                let facts = verify::facts(client, block, index).await?;
                self.judged(client, facts, head).await
            }
            Seen::NotIn { .. } => Ok(Some(self.failed(Failure::Replaced))),
            Seen::NoBlock => Ok(Some(self.failed(Failure::NotThere))),
        }
    }

    /// A final block holds it: what its events and the state say together. `None` while a newer block, not final yet, holds
    /// somebody else's commitment: whether that stays decides.
    pub(super) async fn judged(
        &mut self,
        client: &HotkeyClient,
        facts: Facts,
        head: &Head,
    ) -> Result<Option<Ended>, ChainError> {
        let block = facts.block;
        let told = self.finalized_told.replace(block) == Some(block);
        if !told {
            self.tell(Progress::Finalized(block)).await;
        }
        let target = &self.intent.target;
        let equal = |value: Option<&Commitment>| value.and_then(Commitment::published) == Some(target);
        let set_here = facts.value.as_ref().and_then(|value| value.block) == Some(block.number);
        let contradiction = |what: &str| Ok(Some(self.contradiction(what.to_owned())));
        match facts.applied {
            Applied::Refused(_) if equal(facts.value.as_ref()) && set_here && !facts.by_another.at_all() => {
                contradiction("the block's events say refused, and the value reads as if it was set there")
            }
            Applied::Refused(error) => Ok(Some(self.failed(Failure::Dispatch { error, block, next_epoch_at: None }))),
            Applied::Unclear(why) => Ok(Some(self.pending(why))),
            Applied::Odd(what) => contradiction(what),
            Applied::Succeeded if !equal(facts.value.as_ref()) && !facts.by_another.after => {
                contradiction("the block's events say published, and the value there is another")
            }
            Applied::Succeeded => {
                if !told {
                    self.tell(Progress::Event { index: facts.index }).await;
                }
                if !equal(head.value.as_ref()) {
                    return Ok(Some(self.usurped(head.value.as_ref())));
                }
                if !equal(verify::best_value(client).await?.as_ref()) {
                    tracing::warn!("#{}: a newer block holds another commitment of this hotkey", grouped(block.number));
                    return Ok(None);
                }
                self.tell(Progress::ReadBack).await;
                Ok(Some(self.committed(block, Some(facts.index), head)))
            }
        }
    }

    fn committed(&self, block: BlockId, index: Option<u32>, head: &Head) -> Ended {
        Ended::Committed(Receipt {
            extrinsic: self.intent.extrinsic,
            block,
            index,
            first_seen_in: self.first_seen.filter(|first| *first != block),
            read_back_at: head.number,
            confirmed: None,
        })
    }

    /// Of an old block only the value is left, and its place in our era.
    fn by_value_alone(&self, block: BlockId, index: Option<u32>, head: &Head) -> Ended {
        tracing::info!(
            "#{}: the node no longer keeps what would prove it; told by the value alone",
            grouped(block.number)
        );
        self.committed(block, index, head)
    }

    fn usurped(&self, value: Option<&Commitment>) -> Ended {
        self.failed(Failure::Usurped {
            by: value.and_then(Commitment::published).cloned(),
            at: value.and_then(|value| value.block),
        })
    }

    pub(super) const fn pending(&self, why: String) -> Ended {
        Ended::Pending { extrinsic: Some(self.intent.extrinsic), reason: Unsettled::NotKnownYet, why }
    }

    pub(super) fn failed(&self, failure: Failure) -> Ended {
        Ended::Failed { failure, extrinsic: Some(self.intent.extrinsic) }
    }

    fn contradiction(&self, what: String) -> Ended {
        self.failed(Failure::Contradiction { what })
    }

    fn expired(&self) -> Ended {
        // At the end of its era a pool drops it too, and will not have it again.
        let by_age =
            |answer: &PoolAnswer| matches!(answer, PoolAnswer::Ancient | PoolAnswer::Banned | PoolAnswer::Stale);
        if self.unwanted.as_ref().is_some_and(|answer| !by_age(answer)) {
            return self.failed(Failure::Dropped);
        }
        Ended::Expired { extrinsic: self.intent.extrinsic, death: self.intent.death }
    }
}
