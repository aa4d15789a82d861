//! Who signed the extrinsic that set a commitment: its block's body, the runtime that took it, the births of its era.

use std::collections::{BTreeMap, BTreeSet};

use parity_scale_codec::Encode as _;
use sp_crypto_hashing::blake2_256;
use subxt::Metadata;

use super::Examination;
use super::common_block::{CommonBlock, claim};
use super::decode_extrinsic::{Bound, DecodedExtrinsic, call_name, decode_extrinsic};
use super::proof::are_of_root;
use super::runtimes::{Known, Runtimes};
use super::sources::Sources;
use super::values::Read;
use crate::chain::decode;
use crate::chain::node::Connection;
use crate::chain::session::{Header, Session};
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::{Payload, Stored};
use crate::domain::freshness::ERA_BLOCKS;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Dispute, Examined, Level, Limit, Provenance, Signature};
use crate::domain::text::grouped;

/// Bytes of a registration before what was published: deposit and block.
const BEFORE_INFO: usize = 12;
/// Bytes of a call before what is published: pallet, index, netuid.
const BEFORE_FIELDS: usize = 4;

/// A row whose signature is looked for.
struct Wanted {
    hotkey: Hotkey,
    block: u64,
    /// The value as it is stored.
    value: Vec<u8>,
}

/// A block with its body.
pub(super) struct Body {
    pub(super) id: BlockId,
    pub(super) parent: BlockHash,
    pub(super) extrinsics: Vec<Vec<u8>>,
    /// Who served it.
    pub(super) from: Session,
}

/// The extrinsic of a row, still to be verified.
struct Candidate<'b> {
    wanted: &'b Wanted,
    body: &'b Body,
    index: usize,
    apart: DecodedExtrinsic<'b>,
    known: Known,
    born: Option<u64>,
}

/// Rows of so few blocks are asked for together with the births of their eras, in one request.
const FEW: usize = 8;

/// What the signatures are looked for with.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) examination: &'s Examination,
    pub(super) primary: &'s Connection,
    pub(super) block: &'s CommonBlock,
    pub(super) read: &'s Read,
}

/// Checks the signature of each row that no source contradicts. It tells that the hotkey signed these bytes, even where a node serves
/// no proof or no second operator answers.
pub(super) async fn check(
    subject: Subject<'_>,
    hotkeys: Vec<Hotkey>,
    stored: &BTreeMap<Hotkey, Vec<u8>>,
    found: &mut Examined,
) {
    let wanted = wanted(hotkeys, stored, found);
    if wanted.is_empty() {
        return;
    }
    let Subject { examination, primary, block, .. } = subject;
    let mut sources = Sources::new(examination, primary, block).await;
    let numbers: BTreeSet<u64> = wanted.iter().map(|wanted| wanted.block).collect();
    if numbers.len() <= FEW && !sources.knows(&numbers) {
        let eras = numbers.iter().flat_map(|number| number.saturating_sub(ERA_BLOCKS)..=*number).collect();
        sources.hashes(&eras, &mut found.disputes).await;
    }
    let hashes = sources.hashes(&numbers, &mut found.disputes).await;
    let mut bodies = BTreeMap::new();
    for (number, hash) in hashes {
        let body = match hash {
            Ok(hash) => sources.body(BlockId { number, hash }, &mut found.disputes).await,
            Err(limit) => Err(limit),
        };
        let bytes = body.iter().flat_map(|body| &body.extrinsics).map(|bytes| bytes.len() as u64);
        found.cost.bytes += bytes.sum::<u64>();
        bodies.insert(number, body);
    }
    let mut runtimes = Runtimes::new(subject);
    runtimes.learn(&mut sources, bodies.values().filter_map(|body| body.as_ref().ok())).await;
    let mut candidates = Vec::new();
    for wanted in &wanted {
        let Some(body) = bodies.get(&wanted.block) else { continue };
        let body = body.as_ref().map_err(Limit::clone);
        match body.and_then(|body| candidate(subject, &runtimes, wanted, body)) {
            Ok(candidate) => candidates.push(candidate),
            Err(limit) => limited(found, &wanted.hotkey, limit),
        }
    }
    let births: BTreeSet<u64> = candidates.iter().filter_map(|candidate| candidate.born).collect();
    let births = sources.hashes(&births, &mut found.disputes).await;
    for candidate in candidates {
        conclude(primary, &candidate, &births, found);
    }
}

fn wanted(hotkeys: Vec<Hotkey>, stored: &BTreeMap<Hotkey, Vec<u8>>, found: &mut Examined) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for hotkey in hotkeys {
        let is_open = |row: &&Provenance| !row.is_disputed() && row.limit != Some(Limit::NewerRuntime);
        let Some(row) = found.rows.get(&hotkey).filter(is_open) else { continue };
        let Some(commitment) = &row.commitment else { continue };
        match (commitment.block, stored.get(&hotkey)) {
            (Some(block), Some(value)) => wanted.push(Wanted { hotkey, block, value: value.clone() }),
            _ => limited(found, &hotkey, Limit::Undated),
        }
    }
    wanted
}

/// A row of which nothing but the signature was missing got no further for this; any other one keeps its own reason.
fn limited(found: &mut Examined, hotkey: &Hotkey, limit: Limit) {
    if let Some(row) = found.rows.get_mut(hotkey) {
        if row.level >= Level::Proven || matches!(limit, Limit::Disputed { .. }) {
            row.limit = Some(limit.clone());
        }
        row.unsigned = Some(limit);
    }
}

/// The extrinsic of a block that publishes exactly what is stored, for this netuid and by this hotkey.
fn candidate<'b>(
    subject: Subject<'_>,
    runtimes: &Runtimes<'_>,
    wanted: &'b Wanted,
    body: &'b Body,
) -> Result<Candidate<'b>, Limit> {
    let known = runtimes.of(body.id.number)?;
    let metadata = &known.runtime.metadata;
    let netuid = subject.examination.netuid.to_le_bytes();
    let stored = fields(decode::stored(&subject.read.schema, &wanted.value));
    let call = set_commitment(metadata);
    let publishes = |call_bytes: &[u8]| {
        let Some((head, info)) = call_bytes.split_at_checked(BEFORE_FIELDS) else { return false };
        let is_it = call.is_some_and(|index| head == [index, netuid].concat());
        let same = || {
            let value = [&wanted.value[..BEFORE_INFO.min(wanted.value.len())], info].concat();
            let published = fields(decode::stored(&known.runtime.schema, &value));
            published.is_some() && published == stored
        };
        is_it && same()
    };
    let mut taken: Option<(usize, DecodedExtrinsic<'b>)> = None;
    let mut carried = None;
    let needle = [&netuid[..], wanted.value.get(BEFORE_INFO..).unwrap_or_default()].concat();
    for (index, bytes) in body.extrinsics.iter().enumerate() {
        let Some(apart) = decode_extrinsic(metadata, bytes) else {
            if contains(bytes, &needle) {
                carried = Some(Limit::Wrapped { call: "an extrinsic without a signature".into(), sender: None });
            }
            continue;
        };
        if publishes(apart.call) {
            if apart.signer == Some(wanted.hotkey) {
                // The last one counts.
                taken = Some((index, apart));
            }
        } else if contains(apart.call, &needle) {
            carried = Some(Limit::Wrapped { call: call_name(metadata, apart.call), sender: apart.signer });
        }
    }
    match taken {
        Some((index, apart)) => {
            let born = apart.born(body.id.number);
            Ok(Candidate { wanted, body, index, apart, known, born })
        }
        None => Err(match carried {
            Some(wrapped) => wrapped,
            None if known.is_certain => Limit::NotInBlock { block: body.id.number },
            None => runtimes.unknown(body.id.number),
        }),
    }
}

fn fields(stored: Stored) -> Option<Vec<Payload>> {
    match stored {
        Stored::Registration { fields, .. } => Some(fields),
        Stored::Undecodable { .. } => None,
    }
}

/// Pallet and call of `Commitments.set_commitment`.
fn set_commitment(metadata: &Metadata) -> Option<[u8; 2]> {
    let pallet = metadata.pallet_by_name("Commitments")?;
    Some([pallet.call_index(), pallet.call_variant_by_name("set_commitment")?.index])
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    needle.len() > 2 && bytes.windows(needle.len()).any(|window| window == needle)
}

/// Verifies a signature, and writes down what came of it.
fn conclude(
    primary: &Connection,
    candidate: &Candidate<'_>,
    births: &BTreeMap<u64, Result<BlockHash, Limit>>,
    found: &mut Examined,
) {
    let Candidate { wanted, body, index, apart, known, born } = candidate;
    let birth = match born.map(|born| births.get(&born)) {
        None => primary.genesis,
        Some(Some(Ok(hash))) => *hash,
        Some(Some(Err(limit))) => return limited(found, &wanted.hotkey, limit.clone()),
        // Every birth was asked for.
        Some(None) => return,
    };
    let runtime = &known.runtime;
    let bound = Bound { spec: runtime.spec, transactions: runtime.transactions, genesis: primary.genesis, birth };
    match apart.verified(&runtime.metadata, &bound) {
        Err(limit) => limited(found, &wanted.hotkey, limit),
        Ok(Some(scheme)) => {
            let Some(row) = found.rows.get_mut(&wanted.hotkey) else { return };
            // What one node shows may be a fork of its own, and a signature of long ago.
            if row.level == Level::Proven {
                (row.level, row.limit) = (Level::Signed, None);
            }
            row.signature = Some(Signature {
                block: body.id,
                index: u32::try_from(*index).unwrap_or(u32::MAX),
                extrinsic: BlockHash(blake2_256(&body.extrinsics[*index])),
                scheme,
                nonce: apart.nonce,
                born: *born,
                spec_version: runtime.spec,
            });
        }
        Ok(None) if known.is_certain => {
            let says =
                format!("extrinsic {index} of #{} is signed by {}", grouped(body.id.number), wanted.hotkey.short());
            found.disputes.push(Dispute {
                case: Case::ForgedExtrinsic,
                hotkey: Some(wanted.hotkey),
                endpoint: claim(&body.from, Some(body.id), says),
                witness: claim(
                    &primary.session,
                    Some(body.id),
                    "the signature is not that of this key over these bytes",
                ),
                proven_wrong: None,
            });
            limited(found, &wanted.hotkey, Limit::Disputed { case: Case::ForgedExtrinsic });
        }
        Ok(None) => {
            let why = "its state is no longer kept".to_owned();
            limited(found, &wanted.hotkey, Limit::NoRuntime { block: body.id.number, why });
        }
    }
}

impl Body {
    /// A body that is that of its block: header and extrinsics hash to what is known of it.
    pub(super) fn checked(id: BlockId, header: &Header, extrinsics: Vec<Vec<u8>>, from: Session) -> Option<Self> {
        let is_its = BlockHash(blake2_256(&header.encode())) == id.hash && header.number == id.number;
        let parent = BlockHash(header.parent_hash.0);
        (is_its && are_of_root(&extrinsics, BlockHash(header.extrinsics_root.0))).then_some(Self {
            id,
            parent,
            extrinsics,
            from,
        })
    }
}
