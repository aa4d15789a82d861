//! What both sources say of the commitments in one state, and what that state proves.

use std::collections::{BTreeMap, HashMap};

use super::meeting::{Place, claim, why};
use super::proof::StateProof;
use super::{Examination, not_asked};
use crate::chain::decode;
use crate::chain::error::ChainError;
use crate::chain::session::Session;
use crate::domain::commit::progress::BlockId;
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Claim, Dispute, Level, Limit, Provenance, Side, value_words};

/// Values by key; a key that an endpoint passes over has none.
type Values = HashMap<Vec<u8>, Vec<u8>>;

/// What was said.
pub(super) struct Read {
    keys: Vec<(Hotkey, Vec<u8>)>,
    own: Values,
    /// What the witness said, or why it did not.
    theirs: Option<Result<Values, Limit>>,
}

/// A row, and the value that stands behind it.
pub(super) struct Row {
    pub(super) provenance: Provenance,
    /// The bytes as they are stored, where there are any.
    pub(super) value: Option<Vec<u8>>,
}

/// All rows.
pub(super) struct Judged {
    pub(super) rows: BTreeMap<Hotkey, Row>,
    /// Bytes of proofs.
    pub(super) bytes: u64,
}

/// Reads the values from both.
pub(super) async fn read(
    examination: &Examination,
    own: &Session,
    place: &Place,
    hotkeys: &[Hotkey],
) -> Result<Read, ChainError> {
    let key = |hotkey: &Hotkey| (*hotkey, place.schema.commitment_key(examination.netuid, hotkey));
    let keys: Vec<(Hotkey, Vec<u8>)> = hotkeys.iter().map(key).collect();
    let theirs = async {
        let witness = place.witness.as_ref()?;
        let read = values(&witness.session, &keys, place).await;
        Some(read.map_err(|error| Limit::WitnessAway { endpoint: error.endpoint.clone(), why: why(&error) }))
    };
    let (own, theirs) = tokio::join!(values(own, &keys, place), theirs);
    Ok(Read { own: own?, theirs, keys })
}

async fn values(session: &Session, keys: &[(Hotkey, Vec<u8>)], place: &Place) -> Result<Values, ChainError> {
    let mut values = Values::new();
    for chunk in keys.chunks(session.limits().chunk) {
        let asked: Vec<Vec<u8>> = chunk.iter().map(|(_, key)| key.clone()).collect();
        let sets = session.query(&asked, place.at.hash).await?;
        let told = sets.into_iter().flat_map(|set| set.changes);
        values.extend(told.filter_map(|(key, value)| Some((key.0, value?.0))));
    }
    Ok(values)
}

/// Judges every row by what both said and by the proof.
pub(super) async fn judge(own: &Session, place: &Place, read: Read, disputes: &mut Vec<Dispute>) -> Judged {
    let proof = prove(own, place, &read.keys, disputes).await;
    let bytes = proof.as_ref().map_or(0, |(proof, _)| proof.size().bytes as u64);
    let mut rows = BTreeMap::new();
    for (hotkey, key) in &read.keys {
        let row = judge_row(own, place, &read, (hotkey, key), &proof, disputes);
        rows.insert(*hotkey, row);
    }
    Judged { rows, bytes }
}

/// A proof that answers for every key, and whose it is; or why there is none.
async fn prove(
    own: &Session,
    place: &Place,
    keys: &[(Hotkey, Vec<u8>)],
    disputes: &mut Vec<Dispute>,
) -> Result<(StateProof, String), Limit> {
    let asked: Vec<Vec<u8>> = keys.iter().map(|(_, key)| key.clone()).collect();
    let mut limit = Limit::NoProofs { why: "nobody was asked".to_owned() };
    let theirs = place.witness.as_ref().map(|witness| &witness.session);
    for (side, session) in [(Side::Endpoint, Some(own)), (Side::Witness, theirs)] {
        let Some(session) = session else { continue };
        let nodes = match proof_nodes(session, &asked, place).await {
            Ok(nodes) => nodes,
            Err(error) => {
                limit = Limit::NoProofs { why: format!("{}: {}", error.endpoint, why(&error)) };
                continue;
            }
        };
        let proof = StateProof::new(nodes, asked.len());
        let root = &place.header.state_root.0;
        let short = asked.iter().filter(|key| proof.value(root, key).is_err()).count();
        if short == 0 {
            return Ok((proof, session.endpoint().to_string()));
        }
        let block = Some(BlockId { number: place.at.number, hash: place.at.hash });
        let bad = Claim {
            proof: Some(proof.size()),
            ..claim(session, block, format!("a proof that says nothing of {short} of {} keys", asked.len()))
        };
        let header = claim(own, block, format!("the state root is {}", BlockHash(*root).glance()));
        let (endpoint, witness) = if side == Side::Endpoint { (bad, header) } else { (header, bad) };
        disputes.push(Dispute { case: Case::BadProof, hotkey: None, endpoint, witness, proven_wrong: Some(side) });
        limit = Limit::Disputed { case: Case::BadProof };
    }
    Err(limit)
}

/// The nodes for all keys: one request, or a few where there are thousands.
async fn proof_nodes(session: &Session, keys: &[Vec<u8>], place: &Place) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut nodes = Vec::new();
    for chunk in keys.chunks(session.limits().chunk) {
        nodes.extend(session.read_proof(chunk, place.at.hash).await?);
    }
    Ok(nodes)
}

fn judge_row(
    own: &Session,
    place: &Place,
    read: &Read,
    (hotkey, key): (&Hotkey, &Vec<u8>),
    proof: &Result<(StateProof, String), Limit>,
    disputes: &mut Vec<Dispute>,
) -> Row {
    let said = read.own.get(key);
    let commitment = |value: Option<&Vec<u8>>| value.map(|value| Commitment::of(&decode::stored(&place.schema, value)));
    let mut provenance = Provenance::reported(
        place.at,
        commitment(said),
        &own.endpoint().to_string(),
        place.alone.clone().unwrap_or(Limit::NoWitness),
    );
    let proven = proof.as_ref().ok().and_then(|(proof, from)| {
        let value = proof.value(&place.header.state_root.0, key).ok()?;
        provenance.proof = Some(proof.size());
        provenance.proof_from = Some(from.clone());
        Some(value)
    });
    let mut dispute = |theirs: Claim, told: Option<&Vec<u8>>, wrong: Option<Side>| {
        let block = Some(BlockId { number: place.at.number, hash: place.at.hash });
        let mine = claim(own, block, value_words(commitment(told).as_ref()).shown());
        disputes.push(Dispute {
            case: Case::ForgedValue,
            hotkey: Some(*hotkey),
            endpoint: mine,
            witness: theirs,
            proven_wrong: wrong,
        });
    };
    let block = Some(BlockId { number: place.at.number, hash: place.at.hash });
    let mut is_disputed = false;
    if let Some(proven) = &proven
        && proven.as_ref() != said
    {
        let words = value_words(commitment(proven.as_ref()).as_ref()).shown();
        let truth = Claim {
            endpoint: provenance.proof_from.clone().unwrap_or_default(),
            proof: provenance.proof,
            ..claim(own, block, format!("a proof of {words}"))
        };
        dispute(truth, said, Some(Side::Endpoint));
        is_disputed = true;
    }
    let agreed = match (&read.theirs, &place.witness) {
        (Some(Ok(theirs)), Some(witness)) => {
            provenance.endpoints.push(witness.session.endpoint().to_string());
            let told = theirs.get(key);
            if told != said && !is_disputed {
                let wrong = proven.as_ref().map(|_| Side::Witness);
                dispute(claim(&witness.session, block, value_words(commitment(told).as_ref()).shown()), said, wrong);
                is_disputed = wrong.is_none();
            }
            !is_disputed
        }
        (Some(Err(limit)), _) => {
            provenance.limit = Some(limit.clone());
            false
        }
        _ => false,
    };
    if is_disputed {
        provenance.limit = Some(Limit::Disputed { case: Case::ForgedValue });
    } else if agreed {
        match proof {
            Ok(_) => {
                provenance.level = Level::Proven;
                not_asked(&mut provenance);
            }
            Err(limit) => {
                provenance.level = Level::Agreed;
                provenance.limit = Some(limit.clone());
            }
        }
    }
    Row { provenance, value: said.cloned() }
}
