//! What stands in several documents, and the own fields of `status`, `show` and `doctor`. Names are a contract with scripts:
//! add, never rename.

use serde::Serialize;

use crate::cli::levels::Levels;
use crate::domain::commitment::{Commitment, Reason, Shape};
use crate::domain::drift::{Drift, DriftFields, DriftState, PlaceDrift};
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::Level;
use crate::domain::roster::{Role, Roster, Row, State, Summary};
use crate::domain::snapshot::{ChainIdentity, SubnetInfo, SubnetSnapshot};
use crate::domain::untrusted::Untrusted;

/// Where the answer came from.
#[derive(Debug, Serialize)]
pub struct NetworkDocument {
    pub(super) name: String,
    pub(super) endpoint: Option<String>,
    pub(super) genesis: Option<BlockHash>,
    pub(super) spec_version: Option<u32>,
}

/// Whose subnet it is, as the chain says.
#[derive(Debug, Serialize)]
pub struct SubnetDocument {
    pub(super) netuid: u16,
    pub(super) name: Option<String>,
    pub(super) owner: Option<Hotkey>,
    pub(super) registered_at: Option<u64>,
}

/// The block at which everything was read.
#[derive(Debug, Serialize)]
pub struct BlockDocument {
    pub(super) number: u64,
    pub(super) hash: Option<BlockHash>,
    pub(super) timestamp_ms: Option<u64>,
    pub(super) finalized: bool,
}

impl NetworkDocument {
    /// Of a chain that answered.
    pub fn of(chain: &ChainIdentity) -> Self {
        Self {
            name: chain.network.clone(),
            endpoint: Some(chain.endpoint.clone()),
            genesis: Some(chain.genesis),
            spec_version: Some(chain.spec_version),
        }
    }
}

impl SubnetDocument {
    /// Of a snapshot.
    pub fn of(snapshot: &SubnetSnapshot) -> Self {
        let SubnetInfo { name, owner, registered_at } = &snapshot.subnet;
        let name = name.as_ref().map(Untrusted::shown);
        Self { netuid: snapshot.netuid, name, owner: *owner, registered_at: *registered_at }
    }

    /// Of a subnet of which nothing but its number is known.
    pub const fn numbered(netuid: u16) -> Self {
        Self { netuid, name: None, owner: None, registered_at: None }
    }
}

impl BlockDocument {
    /// Of a snapshot, which is always read at a finalized block.
    pub const fn of(snapshot: &SubnetSnapshot) -> Self {
        let at = snapshot.at;
        Self { number: at.number, hash: Some(at.hash), timestamp_ms: Some(at.timestamp_ms), finalized: true }
    }
}

/// A commitment, judged; no secret in it.
#[derive(Debug, Serialize)]
pub struct CommitmentDocument {
    state: State,
    reason: Option<Reason>,
    label: Option<String>,
    block: Option<u64>,
    age_blocks: Option<u64>,
    predates_registration: bool,
    fields: Option<usize>,
    locator: Option<Untrusted>,
    read_key_id: Option<Untrusted>,
    shape: Option<Shape>,
}

impl CommitmentDocument {
    fn of(row: &Row, head: u64) -> Self {
        let commitment = row.commitment.as_ref();
        let published = commitment.and_then(Commitment::published);
        let unreadable = commitment.and_then(Commitment::unreadable);
        let block = commitment.and_then(|c| c.block);
        Self {
            state: row.state(),
            reason: unreadable.map(|u| u.reason),
            label: unreadable.map(|u| u.label.clone()),
            block,
            age_blocks: block.map(|block| head.saturating_sub(block)),
            predates_registration: row.predates_registration(),
            fields: commitment.map_or(Some(0), Commitment::field_count),
            locator: published.map(|p| p.locator.clone()),
            read_key_id: published.map(|p| p.read_key_id.clone()),
            shape: published.map(|p| p.shape),
        }
    }
}

/// The own row's comparison with the local credentials.
#[derive(Debug, Serialize)]
pub struct DriftDocument {
    state: DriftState,
    fields: DriftFields,
    places: Vec<PlaceDrift>,
    headline: String,
    consequence: String,
}

impl From<&Drift> for DriftDocument {
    fn from(drift: &Drift) -> Self {
        Self {
            state: drift.state,
            fields: drift.fields,
            places: drift.places.clone(),
            headline: drift.consequence.headline.clone(),
            consequence: drift.consequence.detail.clone(),
        }
    }
}

/// One row; `uid` and `role` are null for an ex-member.
#[derive(Debug, Serialize)]
pub struct RowDocument {
    uid: Option<u16>,
    hotkey: Hotkey,
    role: Option<Role>,
    own: bool,
    registered_at: Option<u64>,
    /// The hotkey that took an ex-member's place.
    successor: Option<Hotkey>,
    commitment: CommitmentDocument,
    drift: Option<DriftDocument>,
    /// How much is known of where it comes from.
    level: Level,
}

impl RowDocument {
    /// Of a row, with ages counted from `head`.
    pub fn of(row: &Row, head: u64, level: Level) -> Self {
        Self {
            uid: row.uid,
            hotkey: row.hotkey,
            role: (!row.is_ex_member()).then_some(row.role),
            own: row.own,
            registered_at: row.registered_at,
            successor: row.successor.as_deref().copied(),
            commitment: CommitmentDocument::of(row, head),
            drift: row.drift.as_deref().map(DriftDocument::from),
            level,
        }
    }
}

/// `status --json`
#[derive(Debug, Serialize)]
pub struct StatusDocument {
    netuid: u16,
    rows: Vec<RowDocument>,
    #[serde(rename = "orphans")]
    ex_members: Vec<RowDocument>,
    summary: Summary,
}

impl StatusDocument {
    /// Of a snapshot and its roster; `keep` picks the rows, the summary always counts all.
    pub fn of(snapshot: &SubnetSnapshot, roster: &Roster, keep: impl Fn(&Row) -> bool, levels: &Levels) -> Self {
        let head = snapshot.at.number;
        let document = |row: &Row| RowDocument::of(row, head, levels.level(row));
        let documents = |rows: &[Row]| rows.iter().filter(|row| keep(row)).map(document).collect();
        Self {
            netuid: snapshot.netuid,
            rows: documents(&roster.rows),
            ex_members: documents(&roster.ex_members),
            summary: roster.summary,
        }
    }
}

/// `show --json`
#[derive(Debug, Serialize)]
pub struct ShowDocument {
    netuid: u16,
    row: RowDocument,
    variant: Option<String>,
    detail: Option<String>,
    read_secret_fingerprint: Option<String>,
}

impl ShowDocument {
    /// Of one row.
    pub fn of(snapshot: &SubnetSnapshot, row: &Row, level: Level) -> Self {
        let commitment = row.commitment.as_ref();
        Self {
            netuid: snapshot.netuid,
            row: RowDocument::of(row, snapshot.at.number, level),
            variant: commitment.map(|c| c.variant.clone()),
            detail: commitment.and_then(Commitment::unreadable).map(|u| u.detail.clone()),
            read_secret_fingerprint: commitment.and_then(Commitment::published).map(|p| p.read_secret.to_string()),
        }
    }
}
