//! What a block and the state really say of an extrinsic, whatever a status said.

use scale_value::{At as _, Composite, Primitive, Value, ValueDef};
use sp_crypto_hashing::blake2_256;
use subxt::config::substrate::SubstrateConfig;
use subxt::events::{Event, Phase};

use super::super::error::{ChainError, Fault};
use super::desk::Desk;
use super::runtime::LONGEST_NAMED;
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Commitment;
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;

/// What a block's events say of one of its extrinsics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Applied {
    /// It succeeded, and the pallet's event names this netuid and hotkey.
    Succeeded,
    /// It was refused.
    Refused(Untrusted),
    /// It succeeded and the event is missing, or the events do not decode.
    Unclear(String),
}

/// A block that holds the extrinsic.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) block: BlockId,
    /// Index of the extrinsic in the block.
    pub(super) index: u32,
    pub(super) applied: Applied,
    /// Whether the same hotkey committed once more in this block.
    pub(super) again_after: bool,
    /// What the chain held after this block.
    pub(super) value: Option<Commitment>,
}

/// What there is of a block.
#[derive(Debug)]
pub(super) enum Seen {
    /// The node does not have it.
    NoBlock,
    /// It is there and does not hold the extrinsic.
    NotIn,
    /// It holds it at this index.
    In { number: u64, index: u32 },
}

/// Looks for an extrinsic in a block's body.
pub(super) async fn seen_in(desk: &Desk, block: BlockHash, extrinsic: BlockHash) -> Result<Seen, ChainError> {
    let Some((number, body)) = desk.session.body(block).await? else { return Ok(Seen::NoBlock) };
    let found = (0_u32..).zip(&body).find(|(_, bytes)| blake2_256(bytes) == extrinsic.0);
    Ok(found.map_or(Seen::NotIn, |(index, _)| Seen::In { number, index }))
}

/// Events and value after a block that holds the extrinsic.
pub(super) async fn facts(desk: &Desk, block: BlockId, index: u32) -> Result<Facts, ChainError> {
    let (events_key, commitment_key) = (desk.runtime.ledger.events.key(&[]), desk.commitment_key());
    let answer = desk.session.query(&[events_key.clone(), commitment_key.clone()], block.hash).await?;
    let (mut events, mut value) = (None, None);
    for (key, found) in answer.into_iter().flat_map(|set| set.changes) {
        if key.0 == events_key {
            events = found.map(|bytes| bytes.0);
        } else if key.0 == commitment_key {
            value = found.map(|bytes| desk.commitment(&bytes.0));
        }
    }
    let (applied, again_after) = judged(desk, events.unwrap_or_default(), index);
    Ok(Facts { block, index, applied, again_after, value })
}

fn judged(desk: &Desk, events: Vec<u8>, index: u32) -> (Applied, bool) {
    let unclear = |why: String| (Applied::Unclear(why), false);
    if !desk.runtime.events_are_sound {
        return unclear("the types of this runtime's events cannot be decoded safely".to_owned());
    }
    let Some(client) = desk.runtime.client(desk.genesis()) else {
        return unclear("the metadata was not taken".to_owned());
    };
    let events = client.events().from_bytes(events);
    let (mut outcome, mut announced, mut again_after) = (None, false, false);
    for event in events.iter() {
        let event = match event {
            Ok(event) => event,
            Err(error) => return unclear(format!("the block's events do not decode ({error})")),
        };
        let Phase::ApplyExtrinsic(of) = event.phase() else { continue };
        match (event.pallet_name(), event.event_name()) {
            ("System", "ExtrinsicSuccess") if of == index => outcome = Some(Applied::Succeeded),
            ("System", "ExtrinsicFailed") if of == index => outcome = Some(Applied::Refused(error_name(desk, &event))),
            ("Commitments", "Commitment") if is_ours(desk, &event) => {
                announced |= of == index;
                again_after |= of > index;
            }
            _ => {}
        }
    }
    match outcome {
        Some(Applied::Succeeded) if !announced => unclear("the event of the commitment is missing".to_owned()),
        Some(applied) => (applied, again_after),
        None => unclear("the block has no outcome of the extrinsic".to_owned()),
    }
}

/// `Commitments.SpaceLimitExceeded`, by the names in the metadata; of other errors the names of their variants.
fn error_name(desk: &Desk, event: &Event<'_, SubstrateConfig>) -> Untrusted {
    let name = fields(event).and_then(|fields| variant_name(desk, fields.at("dispatch_error")?));
    Untrusted::from_text(name.unwrap_or_else(|| "an error without a name".to_owned()))
}

fn variant_name(desk: &Desk, error: &Value<()>) -> Option<String> {
    let ValueDef::Variant(variant) = &error.value else { return None };
    if variant.name != "Module" {
        let inner = variant.values.values().find_map(|value| variant_name(desk, value));
        return Some(inner.map_or_else(|| variant.name.clone(), |inner| format!("{}.{inner}", variant.name)));
    }
    let module = variant.values.values().find(|value| value.at("index").is_some());
    let field = |name| variant.values.at(name).or_else(|| module?.at(name));
    let pallet = u8::try_from(field("index").and_then(number)?).ok()?;
    let mut bytes = Vec::new();
    collect_bytes(field("error")?, &mut bytes);
    let number = *bytes.first()?;
    let pallet = desk.runtime.metadata.pallet_by_error_index(pallet)?;
    Some(match pallet.error_variant_by_index(number) {
        Some(error) => format!("{}.{}", pallet.name(), error.name),
        None => format!("{}.{number}", pallet.name()),
    })
}

fn is_ours(desk: &Desk, event: &Event<'_, SubstrateConfig>) -> bool {
    let Some(fields) = fields(event) else { return false };
    let netuid = fields.at("netuid").and_then(number);
    let mut who = Vec::with_capacity(32);
    if let Some(value) = fields.at("who") {
        collect_bytes(value, &mut who);
    }
    netuid == Some(u128::from(desk.netuid)) && who == desk.hotkey.as_bytes()
}

/// The fields of an event whose types were judged; each name in them is copied, so they must be few.
pub(super) fn fields(event: &Event<'_, SubstrateConfig>) -> Option<Composite<()>> {
    let few = event.field_bytes().len() <= LONGEST_NAMED;
    few.then(|| event.decode_fields_unchecked_as::<Composite<()>>().ok()).flatten()
}

fn number(value: &Value<()>) -> Option<u128> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(fields)) if fields.len() == 1 => number(&fields[0]),
        _ => value.as_u128(),
    }
}

/// The bytes of an account, whatever wraps them; no more than an account has.
fn collect_bytes(value: &Value<()>, out: &mut Vec<u8>) {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(byte)) if out.len() <= 32 => out.extend(u8::try_from(*byte)),
        ValueDef::Composite(composite) => composite.values().for_each(|value| collect_bytes(value, out)),
        _ => {}
    }
}

/// Where the chain stands at its finalized head, as far as one hotkey goes.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) number: u64,
    /// What the chain holds.
    pub(super) value: Option<Commitment>,
    /// The account's nonce.
    pub(super) nonce: u64,
}

/// Reads the finalized head.
pub(super) async fn head(desk: &Desk) -> Result<Head, ChainError> {
    let hash = desk.session.finalized_head().await?;
    at(desk, hash).await
}

/// What the best block holds, which is not final yet.
pub(super) async fn best_value(desk: &Desk) -> Result<Option<Commitment>, ChainError> {
    let hash = desk.session.best_hash().await?;
    Ok(at(desk, hash).await?.value)
}

/// Reads a block's state.
pub(super) async fn at(desk: &Desk, hash: BlockHash) -> Result<Head, ChainError> {
    let (commitment_key, account_key) = (desk.commitment_key(), desk.account_key());
    let keys = [commitment_key.clone(), account_key.clone()];
    let (header, answer) = tokio::try_join!(desk.session.header(hash), desk.session.query(&keys, hash))?;
    let (mut value, mut nonce) = (None, 0);
    let ledger = &desk.runtime.ledger;
    for (key, found) in answer.into_iter().flat_map(|set| set.changes) {
        let Some(found) = found else { continue };
        if key.0 == commitment_key {
            value = Some(desk.commitment(&found.0));
        } else if key.0 == account_key {
            nonce = ledger.number(&ledger.account, &found.0, Some("nonce")).unwrap_or(0);
        }
    }
    Ok(Head { number: header.number, value, nonce })
}

/// Whether a block is on the chain that ends in the finalized head, and not above it.
pub(super) async fn is_final(desk: &Desk, block: BlockId, head: &Head) -> Result<bool, ChainError> {
    if head.number < block.number {
        return Ok(false);
    }
    Ok(desk.session.block_hash(block.number).await? == Some(block.hash))
}

/// The first block after `birth` and up to `last` whose state has used this nonce. `Ok(None)` when none has, or where the
/// node no longer keeps those states.
pub(super) async fn used_at(desk: &Desk, nonce: u64, birth: u64, last: u64) -> Result<Option<BlockId>, ChainError> {
    let Some((true, mut used)) = used_in(desk, nonce, last).await? else { return Ok(None) };
    let mut unused = birth;
    while used.number > unused + 1 {
        let middle = unused + (used.number - unused) / 2;
        match used_in(desk, nonce, middle).await? {
            Some((true, block)) => used = block,
            Some((false, _)) => unused = middle,
            None => return Ok(None),
        }
    }
    Ok(Some(used))
}

/// Whether the state of a height has used the nonce; `None` where ordinary nodes have dropped it.
async fn used_in(desk: &Desk, nonce: u64, number: u64) -> Result<Option<(bool, BlockId)>, ChainError> {
    let Some(hash) = desk.session.block_hash(number).await? else { return Ok(None) };
    match at(desk, hash).await {
        Ok(state) => Ok(Some((state.nonce > nonce, BlockId { number, hash }))),
        Err(ChainError { fault: Fault::Refused { .. }, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
