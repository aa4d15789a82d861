//! What both sources say of the commitments in one state, and what that state proves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Examination;
use super::common_block::{CommonBlock, claim, said, why};
use super::proof::StateProof;
use crate::chain::decode;
use crate::chain::error::ChainError;
use crate::chain::node::Connection;
use crate::chain::schema::Schema;
use crate::chain::session::Session;
use crate::chain::table::{LAST_RUNTIME_UPGRADE, spec_version};
use crate::domain::commitment::Commitment;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Claim, Dispute, Level, Limit, ProofSize, Provenance, Side, value_words};
use crate::domain::snapshot::BlockRef;

/// Values by key; a key that an endpoint passes over has none.
type Values = HashMap<Vec<u8>, Vec<u8>>;

/// A value beside the rows: what it is, and its key.
pub(in crate::chain) type Fact = (&'static str, Vec<u8>);

/// What is read beside rows.
#[derive(Default)]
pub(in crate::chain) struct Beside<'f> {
    /// Other values of the same state.
    pub(in crate::chain) facts: &'f [Fact],
    /// How the state is believed to be written, where that is known already: spec version and schema.
    pub(in crate::chain) written: Option<(u32, Arc<Schema>)>,
}

/// What was said.
pub(super) struct Read {
    keys: Vec<(Hotkey, Vec<u8>)>,
    /// Other values of the same state, by what they are.
    facts: Vec<Fact>,
    own: Values,
    /// What the witness said, or why it did not.
    theirs: Option<Result<Values, Limit>>,
    /// How the state is written, and by which version of the runtime.
    pub(super) schema: Arc<Schema>,
    pub(super) spec: u32,
    /// Why it is not known what values mean that metadata describes: it was not compared.
    pub(super) obscure: Option<Limit>,
    /// The block, with its time.
    pub(super) at: BlockRef,
}

/// All rows.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) rows: BTreeMap<Hotkey, Provenance>,
    /// The values as they are stored, where there are any.
    pub(super) stored: BTreeMap<Hotkey, Vec<u8>>,
    /// What may be acted on of the facts, in their order: what is proven, or else what the endpoint says.
    pub(super) facts: Vec<Option<Vec<u8>>>,
    /// Bytes of the proof.
    pub(super) proof_bytes: u64,
}

/// Reads the values from both. The state itself tells which runtime wrote it; where that is not the one of the best block,
/// the keys are made and read once more.
pub(super) async fn read(
    examination: &Examination,
    primary: &Connection,
    block: &CommonBlock,
    hotkeys: &[Hotkey],
    Beside { facts, written }: &Beside<'_>,
) -> Result<Read, ChainError> {
    let (mut spec, mut schema) = if let Some((spec, schema)) = written {
        (*spec, Arc::clone(schema))
    } else {
        let (spec, _) = primary.versions().await?;
        examination.node.schema(primary, spec, block.id.hash).await?
    };
    for _ in 0..2 {
        let read = read_by(examination, primary, block, (hotkeys, facts), (spec, schema)).await?;
        let parent = BlockHash(block.header.parent_hash.0);
        let writer = match read.own.get(LAST_RUNTIME_UPGRADE.as_slice()).and_then(|value| spec_version(value)) {
            Some(writer) => writer,
            None if block.id.number == 0 => read.spec,
            None => primary.session.spec_version(Some(parent)).await?,
        };
        if writer == read.spec {
            return Ok(read);
        }
        (spec, schema) = examination.node.schema(primary, writer, parent).await?;
    }
    Err(primary.session.malformed("state_getRuntimeVersion", "the spec version of one block keeps changing"))
}

async fn read_by(
    examination: &Examination,
    primary: &Connection,
    block: &CommonBlock,
    (hotkeys, facts): (&[Hotkey], &[Fact]),
    (spec, schema): (u32, Arc<Schema>),
) -> Result<Read, ChainError> {
    let key = |hotkey: &Hotkey| (*hotkey, schema.commitment_key(examination.netuid, hotkey));
    let keys: Vec<(Hotkey, Vec<u8>)> = hotkeys.iter().map(key).collect();
    let now = schema.now.key(&[]);
    let asked: Vec<Vec<u8>> = asked(&keys, facts);
    let beside = [now.clone()].into_iter().filter(|key| !asked.contains(key));
    let with_time: Vec<Vec<u8>> = asked.iter().cloned().chain(beside).collect();
    let theirs = async {
        let witness = block.witness.as_ref()?;
        let read = values(&witness.session, &asked, block.id.hash).await;
        Some(read.map_err(|error| Limit::WitnessAway { endpoint: error.endpoint.clone(), why: why(&error) }))
    };
    let (own, theirs) = tokio::join!(values(&primary.session, &with_time, block.id.hash), theirs);
    let own = own?;
    if let (Some(Err(Limit::WitnessAway { why, .. })), Some(witness)) = (&theirs, &block.witness) {
        examination.node.witness_failed(witness, why.clone()).await;
    }
    let timestamp_ms = own.get(&now).and_then(|value| decode::scalar(&schema, schema.now.value, value)).unwrap_or(0);
    let at = BlockRef { number: block.id.number, hash: block.id.hash, timestamp_ms };
    Ok(Read { keys, facts: facts.to_vec(), own, theirs, schema, spec, obscure: None, at })
}

impl Read {
    /// Whether anything in it means what metadata says; commitments of the known layout do not.
    pub(super) fn needs_metadata(&self) -> bool {
        let said = self.keys.iter().filter_map(|(_, key)| self.own.get(key));
        !self.facts.is_empty() || self.schema.hides_commitments() || said.into_iter().any(|v| !decode::is_pinned(v))
    }

    /// What the second source says counts no more.
    pub(super) fn disregard_the_other(&mut self) {
        self.theirs = None;
    }
}

/// Every key that is asked for and has to be proven; with them goes the version of the runtime that wrote the state.
fn asked(keys: &[(Hotkey, Vec<u8>)], facts: &[Fact]) -> Vec<Vec<u8>> {
    let rows = keys.iter().map(|(_, key)| key);
    let beside = facts.iter().map(|(_, key)| key).filter(|fact| !keys.iter().any(|(_, key)| key == *fact));
    rows.chain(beside).cloned().chain([LAST_RUNTIME_UPGRADE.to_vec()]).collect()
}

async fn values(session: &Session, keys: &[Vec<u8>], at: BlockHash) -> Result<Values, ChainError> {
    let mut values = Values::new();
    for chunk in keys.chunks(session.limits().chunk) {
        let sets = session.query(chunk, at).await?;
        let told = sets.into_iter().flat_map(|set| set.changes);
        values.extend(told.filter_map(|(key, value)| Some((key.0, value?.0))));
    }
    Ok(values)
}

/// Judges every row by what both said and by the proof.
pub(super) async fn judge(
    primary: &Connection,
    block: &CommonBlock,
    read: &Read,
    disputes: &mut Vec<Dispute>,
) -> Judged {
    let own = &primary.session;
    let proof = prove(own, block, &asked(&read.keys, &read.facts), disputes).await;
    let proof_bytes = proof.as_ref().map_or(0, |proven| proven.proof.size().bytes as u64);
    let mut judged = Judged { proof_bytes, ..Judged::default() };
    let case = Evidence { own, block, read, proof: &proof, is_of_another_runtime: false };
    let version = case.contradiction(&LAST_RUNTIME_UPGRADE, &|value| fact_words("runtime version", value));
    let case = Evidence { is_of_another_runtime: version.as_ref().is_some_and(Dispute::locks), ..case };
    disputes.extend(version);
    for (hotkey, key) in &read.keys {
        let said = read.own.get(key);
        judged.rows.insert(*hotkey, case.row(*hotkey, key, said, disputes));
        judged.stored.extend(said.map(|value| (*hotkey, value.clone())));
    }
    for (what, key) in &read.facts {
        // A row that is a fact, too, was judged as a row.
        if !read.keys.iter().any(|(_, row)| row == key) {
            disputes.extend(case.contradiction(key, &|value| fact_words(what, value)));
        }
        judged.facts.push(case.believed(key));
    }
    judged
}

/// A fact in a few words: what it is, and the first bytes of its value.
fn fact_words(what: &str, value: Option<&Vec<u8>>) -> String {
    value.map_or_else(|| format!("no {what}"), |value| format!("{what} {}", hex::encode(&value[..value.len().min(16)])))
}

/// A proof that answers for every key, and who served it.
struct Proven {
    proof: StateProof,
    from: String,
}

/// A proof that answers for every key, and whose it is; or why there is none.
async fn prove(
    own: &Session,
    block: &CommonBlock,
    asked: &[Vec<u8>],
    disputes: &mut Vec<Dispute>,
) -> Result<Proven, Limit> {
    let mut limit = Limit::NoProofs { why: "nobody was asked".to_owned() };
    let theirs = block.witness.as_ref().map(|witness| &witness.session);
    for (side, session) in [(Side::Endpoint, Some(own)), (Side::Witness, theirs)] {
        let Some(session) = session else { continue };
        let nodes = match proof_nodes(session, asked, block).await {
            Ok(nodes) => nodes,
            Err(error) => {
                limit = Limit::NoProofs { why: said(&error) };
                continue;
            }
        };
        let proof = StateProof::new(nodes, asked.len());
        let root = &block.header.state_root.0;
        let short = asked.iter().filter(|key| proof.value(root, key).is_err()).count();
        if short == 0 {
            return Ok(Proven { proof, from: session.endpoint().to_string() });
        }
        let block = Some(block.id);
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
async fn proof_nodes(session: &Session, keys: &[Vec<u8>], block: &CommonBlock) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut nodes = Vec::new();
    for chunk in keys.chunks(session.limits().chunk) {
        nodes.extend(session.read_proof(chunk, block.id.hash).await?);
    }
    Ok(nodes)
}

/// What a row is judged by.
#[derive(Clone, Copy)]
struct Evidence<'c> {
    own: &'c Session,
    block: &'c CommonBlock,
    read: &'c Read,
    proof: &'c Result<Proven, Limit>,
    /// Whether another runtime wrote the state than the one by which it was read.
    is_of_another_runtime: bool,
}

impl Evidence<'_> {
    /// A row whose value the endpoint says to be `said`.
    fn row(self, hotkey: Hotkey, key: &[u8], said: Option<&Vec<u8>>, disputes: &mut Vec<Dispute>) -> Provenance {
        let endpoint = self.own.endpoint().to_string();
        let alone = self.block.alone.clone().unwrap_or(Limit::NoWitness);
        let mut row = Provenance::reported(self.read.at, self.commitment(said), &endpoint, alone);
        let proven = self.proof.as_ref().ok();
        row.proof = proven.map(|proven| proven.proof.size());
        row.proof_from = proven.map(|proven| proven.from.clone());
        if let (Some(Ok(_)), Some(witness)) = (&self.read.theirs, &self.block.witness) {
            row.endpoints.push(witness.session.endpoint().to_string());
        }
        let words = |value: Option<&Vec<u8>>| value_words(self.commitment(value).as_ref()).shown();
        let dispute = self.contradiction(key, &words).map(|dispute| Dispute { hotkey: Some(hotkey), ..dispute });
        // What a proof shows of a block that both call final stands there, whatever the endpoint says.
        let stands = self.proven(key).filter(|_| self.block.witness.is_some()).map(|(value, ..)| value);
        if let Some(value) = &stands {
            row.commitment = self.commitment(value.as_ref());
        }
        let is_doubted = dispute.as_ref().is_some_and(Dispute::locks);
        disputes.extend(dispute);
        if is_doubted && self.block.witness.is_none() {
            // Nobody else calls the block final: the proof decides nothing.
            (row.proof, row.proof_from) = (None, None);
        }
        (row.level, row.limit) = match (&self.read.theirs, self.proof) {
            _ if is_doubted => {
                let level = if stands.is_some() { Level::Proven } else { Level::Reported };
                (level, Some(Limit::Disputed { case: Case::ForgedValue }))
            }
            (None, _) => (Level::Reported, row.limit),
            (Some(Err(limit)), _) => (Level::Reported, Some(limit.clone())),
            (Some(Ok(_)), Err(limit)) => (Level::Agreed, Some(limit.clone())),
            (Some(Ok(_)), Ok(_)) if row.commitment.is_none() => (Level::Proven, Some(Limit::NoCommitment)),
            (Some(Ok(_)), Ok(_)) => (Level::Proven, Some(Limit::NotAsked)),
        };
        match self.obscure(stands.as_ref().map_or(said, Option::as_ref)) {
            Some(limit) if row.level > Level::Reported => (row.level, row.limit) = (Level::Reported, Some(limit)),
            _ => {}
        }
        row
    }

    /// Why it is not known what a value means.
    fn obscure(self, said: Option<&Vec<u8>>) -> Option<Limit> {
        if self.read.schema.hides_commitments() {
            return Some(Limit::NewerRuntime);
        }
        let _ = said.filter(|value| !decode::is_pinned(value))?;
        let forged = self.is_of_another_runtime.then_some(Limit::Disputed { case: Case::ForgedValue });
        forged.or_else(|| self.read.obscure.clone())
    }

    /// Where what the endpoint says is not what is proven, or not what the witness says.
    fn contradiction(self, key: &[u8], words: &dyn Fn(Option<&Vec<u8>>) -> String) -> Option<Dispute> {
        let (block, said) = (Some(self.block.id), self.read.own.get(key));
        let proven = self.proven(key);
        let witness = self.block.witness.as_ref().map(|witness| &witness.session);
        let told = self.read.theirs.as_ref().and_then(|theirs| theirs.as_ref().ok()).map(|theirs| theirs.get(key));
        let (other, proven_wrong) = match (&proven, told.zip(witness)) {
            (Some((value, size, from)), _) if value.as_ref() != said => {
                let says = format!("a proof of {}", words(value.as_ref()));
                let claim = Claim { endpoint: from.clone(), proof: Some(*size), ..claim(self.own, block, says) };
                (claim, Some(Side::Endpoint))
            }
            (_, Some((told, witness))) if told != said => {
                (claim(witness, block, words(told)), proven.is_some().then_some(Side::Witness))
            }
            _ => return None,
        };
        let endpoint = claim(self.own, block, words(said));
        Some(Dispute { case: Case::ForgedValue, hotkey: None, endpoint, witness: other, proven_wrong })
    }

    /// What the proof shows for a key, what it weighs, and who served it.
    fn proven(self, key: &[u8]) -> Option<(Option<Vec<u8>>, ProofSize, String)> {
        let Proven { proof, from } = self.proof.as_ref().ok()?;
        Some((proof.value(&self.block.header.state_root.0, key).ok()?, proof.size(), from.clone()))
    }

    /// What may be acted on: what is proven, or else what the endpoint says.
    fn believed(self, key: &[u8]) -> Option<Vec<u8>> {
        match self.proven(key) {
            Some((value, ..)) => value,
            None => self.read.own.get(key).cloned(),
        }
    }

    fn commitment(self, value: Option<&Vec<u8>>) -> Option<Commitment> {
        if self.read.schema.hides_commitments() {
            return Some(Commitment::of(&decode::hidden()));
        }
        value.map(|value| Commitment::of(&decode::stored(&self.read.schema, value)))
    }
}
