//! What a block and the state really say of an extrinsic, whatever a status said.

use scale_value::{At as _, Composite, Primitive, Value, ValueDef};
use sp_crypto_hashing::blake2_256;
use subxt::config::substrate::SubstrateConfig;
use subxt::events::{Event, Phase};

use super::super::clock;
use super::super::error::{ChainError, Fault};
use super::extrinsic::{CALL_BYTES, call_bytes};
use super::hotkey_client::HotkeyClient;
use super::runtime::LONGEST_NAMED;
use crate::domain::commit::Intent;
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::{COMMITMENT_CHARS, Commitment, read_bytes};
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;

/// What a block's events say of one of its extrinsics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Applied {
    /// It succeeded, and the pallet's event names this netuid and hotkey.
    Succeeded,
    /// It was refused.
    Refused(Untrusted),
    /// What the events say cannot all be true.
    Odd(&'static str),
    /// The events do not decode: nothing is known.
    Unclear(String),
}

/// Where in a block another extrinsic set a commitment of the same hotkey.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByAnother {
    /// Before ours.
    pub(super) before: bool,
    /// After ours.
    pub(super) after: bool,
}

impl ByAnother {
    /// Whether there was one at all.
    pub(super) const fn at_all(self) -> bool {
        self.before || self.after
    }
}

/// A block that holds the extrinsic.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) block: BlockId,
    /// Index of the extrinsic in the block.
    pub(super) index: u32,
    pub(super) applied: Applied,
    /// Whether the same hotkey committed in this block by another extrinsic, too.
    pub(super) by_another: ByAnother,
    /// What the chain held after this block.
    pub(super) value: Option<Commitment>,
}

/// What there is of a block.
#[derive(Debug)]
pub(super) enum Seen {
    /// The node does not have it.
    NoBlock,
    /// It is there and does not hold the extrinsic.
    NotIn {
        /// Another extrinsic of it publishes the same.
        the_same: bool,
    },
    /// It holds it at this index.
    In { number: u64, index: u32 },
}

/// Looks for an extrinsic in a block's body, and for another one that publishes the same.
pub(super) async fn seen_in(client: &HotkeyClient, block: BlockHash, intent: &Intent) -> Result<Seen, ChainError> {
    let Some((header, body)) = client.session().block(block).await? else { return Ok(Seen::NoBlock) };
    let found = (0_u32..).zip(&body).find(|(_, bytes)| blake2_256(bytes) == intent.extrinsic.0);
    Ok(match found {
        Some((index, _)) => Seen::In { number: header.number, index },
        None => Seen::NotIn { the_same: body.iter().any(|bytes| publishes(bytes, intent)) },
    })
}

/// Whether an extrinsic ends with a call that publishes what was meant. Of an earlier session nothing but the fingerprint
/// of it is left.
fn publishes(extrinsic: &[u8], intent: &Intent) -> bool {
    let Some((_, call)) = extrinsic.split_last_chunk::<CALL_BYTES>() else { return false };
    let content = &call[CALL_BYTES - COMMITMENT_CHARS..];
    call_bytes(intent.netuid, content) == call
        && read_bytes(content).is_ok_and(|parts| parts.published() == intent.target)
}

/// Events and value after a block that holds the extrinsic.
pub(super) async fn facts(client: &HotkeyClient, block: BlockId, index: u32) -> Result<Facts, ChainError> {
    let [events, value] =
        client.values([client.runtime.ledger.events.key(&[]), client.commitment_key()], block.hash).await?;
    let value = value.map(|bytes| client.commitment(&bytes));
    let (applied, by_another) = judged(client, events.unwrap_or_default(), index);
    Ok(Facts { block, index, applied, by_another, value })
}

fn judged(client: &HotkeyClient, events: Vec<u8>, index: u32) -> (Applied, ByAnother) {
    let unclear = |why: String| (Applied::Unclear(why), ByAnother::default());
    if !client.runtime.events_are_sound {
        return unclear("the types of this runtime's events cannot be decoded safely".to_owned());
    }
    let Some(offline) = client.runtime.client(client.genesis()) else {
        return unclear("the metadata was not taken".to_owned());
    };
    let events = offline.events().from_bytes(events);
    let (mut outcome, mut announced, mut by_another) = (None, false, ByAnother::default());
    for event in events.iter() {
        let event = match event {
            Ok(event) => event,
            Err(error) => return unclear(format!("the block's events do not decode ({error})")),
        };
        let Phase::ApplyExtrinsic(of) = event.phase() else { continue };
        match (event.pallet_name(), event.event_name()) {
            ("System", "ExtrinsicSuccess") if of == index => outcome = Some(Applied::Succeeded),
            ("System", "ExtrinsicFailed") if of == index => {
                outcome = Some(Applied::Refused(error_name(client, &event)));
            }
            ("Commitments", "Commitment") if is_ours(client, &event) => {
                announced |= of == index;
                by_another.before |= of < index;
                by_another.after |= of > index;
            }
            _ => {}
        }
    }
    let applied = match outcome {
        Some(Applied::Succeeded) if !announced => Applied::Odd("the event of the commitment is missing"),
        Some(applied) => applied,
        None => Applied::Odd("the block has no outcome of the extrinsic"),
    };
    (applied, by_another)
}

/// `Commitments.SpaceLimitExceeded`, by the names in the metadata; of other errors the names of their variants.
fn error_name(client: &HotkeyClient, event: &Event<'_, SubstrateConfig>) -> Untrusted {
    let name = fields(event).and_then(|fields| variant_name(client, fields.at("dispatch_error")?));
    Untrusted::from_text(name.unwrap_or_else(|| "an error without a name".to_owned()))
}

fn variant_name(client: &HotkeyClient, error: &Value<()>) -> Option<String> {
    let ValueDef::Variant(variant) = &error.value else { return None };
    if variant.name != "Module" {
        let inner = variant.values.values().find_map(|value| variant_name(client, value));
        return Some(inner.map_or_else(|| variant.name.clone(), |inner| format!("{}.{inner}", variant.name)));
    }
    let module = variant.values.values().find(|value| value.at("index").is_some());
    let field = |name| variant.values.at(name).or_else(|| module?.at(name));
    let pallet = u8::try_from(field("index").and_then(number)?).ok()?;
    let mut bytes = Vec::new();
    collect_bytes(field("error")?, &mut bytes);
    let number = *bytes.first()?;
    let pallet = client.runtime.metadata.pallet_by_error_index(pallet)?;
    Some(match pallet.error_variant_by_index(number) {
        Some(error) => format!("{}.{}", pallet.name(), error.name),
        None => format!("{}.{number}", pallet.name()),
    })
}

fn is_ours(client: &HotkeyClient, event: &Event<'_, SubstrateConfig>) -> bool {
    let Some(fields) = fields(event) else { return false };
    let netuid = fields.at("netuid").and_then(number);
    let mut who = Vec::with_capacity(32);
    if let Some(value) = fields.at("who") {
        collect_bytes(value, &mut who);
    }
    netuid == Some(u128::from(client.netuid)) && who == client.hotkey.as_bytes()
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

/// Reads the newest finalized head.
pub(super) async fn newest_head(client: &HotkeyClient) -> Result<Head, ChainError> {
    head(client, &client.connection.newest_head().await?).await
}

/// Reads the finalized head, asked for where the clock does not come as far as `number`.
pub(super) async fn head_from(client: &HotkeyClient, number: u64) -> Result<Head, ChainError> {
    let told = client.connection.head_from(number).await?;
    if told.number() >= number { head(client, &told).await } else { newest_head(client).await }
}

/// Reads a finalized head.
pub(super) async fn head(client: &HotkeyClient, head: &clock::Head) -> Result<Head, ChainError> {
    at(client, head.hash, head.number()).await
}

/// What the best block holds, which is not final yet.
pub(super) async fn best_value(client: &HotkeyClient) -> Result<Option<Commitment>, ChainError> {
    let key = client.commitment_key();
    let sets = client.session().query_best(std::slice::from_ref(&key)).await?;
    let mut told = sets.into_iter().flat_map(|set| set.changes);
    let value = told
        .find(|(told, _)| told.0 == key)
        .ok_or_else(|| client.session().malformed("state_queryStorageAt", "it passes over a key"))?;
    Ok(value.1.map(|value| client.commitment(&value.0)))
}

/// Reads the state of a block of this height.
async fn at(client: &HotkeyClient, hash: BlockHash, number: u64) -> Result<Head, ChainError> {
    let keys = [client.commitment_key(), client.account_key()];
    let [value, account] = client.values(keys, hash).await?;
    let value = value.map(|bytes| client.commitment(&bytes));
    Ok(Head { number, value, nonce: client.nonce(account.as_deref())? })
}

/// Whether a block is on the chain that ends in the finalized head, and not above it.
pub(super) async fn is_final(client: &HotkeyClient, block: BlockId, head: &Head) -> Result<bool, ChainError> {
    if head.number < block.number {
        return Ok(false);
    }
    Ok(client.connection.hash_at(block.number).await? == Some(block.hash))
}

/// Where a nonce was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// In this block.
    At(BlockId),
    /// In none of those that were looked at.
    Not,
    /// The node no longer keeps the states that would tell.
    Gone,
}

/// The first block after `birth` and up to `last` whose state has used this nonce.
pub(super) async fn used_at(client: &HotkeyClient, nonce: u64, birth: u64, last: u64) -> Result<Used, ChainError> {
    let mut used = match used_in(client, nonce, last).await? {
        Some((true, block)) => block,
        Some((false, _)) => return Ok(Used::Not),
        None => return Ok(Used::Gone),
    };
    let mut unused = birth;
    while used.number > unused + 1 {
        let middle = unused + (used.number - unused) / 2;
        match used_in(client, nonce, middle).await? {
            Some((true, block)) => used = block,
            Some((false, _)) => unused = middle,
            None => return Ok(Used::Gone),
        }
    }
    Ok(Used::At(used))
}

/// Whether the state of a height has used the nonce; `None` where ordinary nodes have dropped it.
async fn used_in(client: &HotkeyClient, nonce: u64, number: u64) -> Result<Option<(bool, BlockId)>, ChainError> {
    let Some(hash) = client.connection.hash_at(number).await? else { return Ok(None) };
    match at(client, hash, number).await {
        Ok(state) => Ok(Some((state.nonce > nonce, BlockId { number, hash }))),
        Err(ChainError { fault: Fault::Refused { .. }, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
