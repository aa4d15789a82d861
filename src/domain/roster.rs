//! The roster: one row per uid, joined on the hotkey, and the ex-members apart.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::commitment::{Commitment, Reading, Reason, Shape};
use crate::domain::credentials::LocalView;
use crate::domain::drift::{self, Drift, DriftState};
use crate::domain::hotkey::Hotkey;
use crate::domain::snapshot::{Member, SubnetSnapshot};

/// The uid of the trainer.
pub const TRAINER_UID: u16 = 0;

/// What a uid does on the subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// uid 0.
    Trainer,
    /// Holds a validator permit.
    Validator,
    /// Everybody else.
    Miner,
}

impl Role {
    /// By uid and permit.
    pub fn of(member: &Member) -> Self {
        match member {
            Member { uid: TRAINER_UID, .. } => Self::Trainer,
            Member { validator_permit: true, .. } => Self::Validator,
            Member { .. } => Self::Miner,
        }
    }

    /// The word on the screen and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Validator => "validator",
            Self::Miner => "miner",
        }
    }
}

/// Whether validators can read what a uid published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// GRAIL's rule accepts it.
    Readable,
    /// There is something, and GRAIL drops it.
    Unreadable,
    /// Nothing was ever published by this hotkey.
    None,
}

impl State {
    /// The word on the screen and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Unreadable => "unreadable",
            Self::None => "none",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The uid; `None` for an ex-member.
    pub uid: Option<u16>,
    /// The hotkey.
    pub hotkey: Hotkey,
    /// Its SS58 address, kept because the filter reads it for every row.
    pub address: String,
    /// What it does; ex-members count as miners.
    pub role: Role,
    /// Whether this is the operator's own hotkey.
    pub own: bool,
    /// What it published.
    pub commitment: Option<Commitment>,
    /// Block of its registration, where known.
    pub registered_at: Option<u64>,
    /// The hotkey that took an ex-member's place, where the chain tells of one; boxed for the same reason as the next.
    pub successor: Option<Box<Hotkey>>,
    /// Set for the own row only; boxed, since all the other rows would carry its empty space.
    pub drift: Option<Box<Drift>>,
}

impl Row {
    /// Somebody who is not registered and has no commitment.
    pub fn of_nobody(hotkey: Hotkey) -> Self {
        Self {
            uid: None,
            hotkey,
            address: hotkey.to_string(),
            role: Role::Miner,
            own: false,
            commitment: None,
            registered_at: None,
            successor: None,
            drift: None,
        }
    }

    /// Readable, unreadable or none.
    pub fn state(&self) -> State {
        match self.commitment.as_ref().map(|commitment| &commitment.reading) {
            None => State::None,
            Some(Reading::Readable(_)) => State::Readable,
            Some(Reading::Unreadable(_)) => State::Unreadable,
        }
    }

    /// Whether the commitment is older than the registration: it was inherited from an earlier life of the hotkey.
    pub fn predates_registration(&self) -> bool {
        let set_at = self.commitment.as_ref().and_then(|commitment| commitment.block);
        matches!((set_at, self.registered_at), (Some(set), Some(registered)) if set < registered)
    }

    /// Whether the own commitment differs from the local credentials.
    pub fn drifts(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.state == DriftState::Drift)
    }

    /// Whether the commitment is readable but has not R2's shapes.
    pub fn is_foreign(&self) -> bool {
        self.commitment.as_ref().and_then(Commitment::published).is_some_and(|p| p.shape == Shape::Foreign)
    }

    /// Whether this is an ex-member's row.
    pub const fn is_ex_member(&self) -> bool {
        self.uid.is_none()
    }
}

/// Counts over the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Registered uids.
    pub uids: usize,
    /// Uids whose commitment GRAIL accepts.
    pub readable: usize,
    /// Uids whose commitment GRAIL drops.
    pub unreadable: usize,
    /// Uids without a commitment.
    pub none: usize,
    /// Commitments of hotkeys that are no longer registered.
    #[serde(rename = "orphans")]
    pub ex_members: usize,
}

impl Summary {
    /// Counts the rows of registered uids; ex-members are only a number.
    pub fn of(rows: &[Row], ex_members: usize) -> Self {
        let mut summary = Self { uids: rows.len(), ex_members, ..Self::default() };
        for row in rows {
            match row.state() {
                State::Readable => summary.readable += 1,
                State::Unreadable => summary.unreadable += 1,
                State::None => summary.none += 1,
            }
        }
        summary
    }
}

/// The whole table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Roster {
    /// Registered uids, by uid.
    pub rows: Vec<Row>,
    /// Ex-members with a commitment, by hotkey.
    #[serde(rename = "orphans")]
    pub ex_members: Vec<Row>,
    /// Counts.
    pub summary: Summary,
}

/// Who "you" are, for marking rows: the own hotkey if one is known, and what is configured locally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Own {
    /// The operator's hotkey.
    pub hotkey: Hotkey,
    /// The local credentials' comparable part.
    pub local: LocalView,
}

impl Roster {
    /// Joins members and commitments on the hotkey.
    pub fn join(snapshot: &SubnetSnapshot, own: Option<&Own>) -> Self {
        let rows: Vec<Row> = snapshot.members.iter().map(|member| member_row(snapshot, member, own)).collect();
        let members: BTreeSet<Hotkey> = snapshot.members.iter().map(|member| member.hotkey).collect();
        let ex_members: Vec<Row> = snapshot
            .commitments
            .iter()
            .filter(|(hotkey, _)| !members.contains(hotkey))
            .map(|(hotkey, commitment)| Row {
                successor: snapshot.successors.get(hotkey).copied().map(Box::new),
                ..orphan_row(*hotkey, commitment, own)
            })
            .collect();
        let summary = Summary::of(&rows, ex_members.len());
        Self { rows, ex_members, summary }
    }

    /// The operator's own row, registered or not.
    pub fn own(&self) -> Option<&Row> {
        self.rows.iter().chain(&self.ex_members).find(|row| row.own)
    }

    /// The row of a hotkey.
    pub fn by_hotkey(&self, hotkey: &Hotkey) -> Option<&Row> {
        self.rows.iter().chain(&self.ex_members).find(|row| row.hotkey == *hotkey)
    }

    /// The row of a uid.
    pub fn by_uid(&self, uid: u16) -> Option<&Row> {
        self.rows.iter().find(|row| row.uid == Some(uid))
    }
}

fn member_row(snapshot: &SubnetSnapshot, member: &Member, own: Option<&Own>) -> Row {
    let commitment = snapshot.commitments.get(&member.hotkey).cloned();
    let own = own.filter(|own| own.hotkey == member.hotkey);
    Row {
        uid: Some(member.uid),
        hotkey: member.hotkey,
        address: member.hotkey.to_string(),
        role: Role::of(member),
        own: own.is_some(),
        registered_at: member.registered_at,
        successor: None,
        drift: own.map(|own| Box::new(drift::compare(commitment.as_ref(), &own.local))),
        commitment,
    }
}

fn orphan_row(hotkey: Hotkey, commitment: &Commitment, own: Option<&Own>) -> Row {
    let own = own.filter(|own| own.hotkey == hotkey);
    Row {
        own: own.is_some(),
        drift: own.map(|own| Box::new(drift::compare(Some(commitment), &own.local))),
        commitment: Some(commitment.clone()),
        ..Row::of_nobody(hotkey)
    }
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Column {
    /// By uid.
    #[default]
    Uid,
    /// By address.
    Hotkey,
    /// Trainer, validators, miners.
    Role,
    /// Readable first, then unreadable by reason, then none.
    Commitment,
    /// By locator.
    Locator,
    /// By read key id.
    ReadKey,
    /// Newest commitment first.
    SetAt,
    /// By the read test, which rows know nothing of: whoever keeps the tests compares them first ([`Tested::order`]).
    ///
    /// [`Tested::order`]: crate::domain::read_test_summary::Tested::order
    ReadTest,
}

impl Column {
    /// In the order of the screen.
    pub const ALL: [Self; 8] = [
        Self::Uid,
        Self::Hotkey,
        Self::Role,
        Self::Commitment,
        Self::Locator,
        Self::ReadKey,
        Self::SetAt,
        Self::ReadTest,
    ];

    /// The order of two rows in this column; ties fall back to the uid.
    pub fn order(self, a: &Row, b: &Row) -> Ordering {
        let by = match self {
            Self::Uid | Self::ReadTest => Ordering::Equal,
            Self::Hotkey => a.address.cmp(&b.address),
            Self::Role => a.role.cmp(&b.role),
            Self::Commitment => health(a).cmp(&health(b)),
            Self::Locator => last_when_empty(locator(a), locator(b)),
            Self::ReadKey => last_when_empty(key_id(a), key_id(b)),
            Self::SetAt => last_when_empty(set_at(a), set_at(b)),
        };
        by.then_with(|| last_when_empty(a.uid, b.uid)).then_with(|| a.hotkey.cmp(&b.hotkey))
    }
}

fn last_when_empty<T: Ord>(a: Option<T>, b: Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn health(row: &Row) -> (State, Option<Reason>) {
    (row.state(), row.commitment.as_ref().and_then(Commitment::unreadable).map(|unreadable| unreadable.reason))
}

fn locator(row: &Row) -> Option<&[u8]> {
    row.commitment.as_ref().and_then(Commitment::published).map(|p| p.locator.as_bytes())
}

fn key_id(row: &Row) -> Option<&[u8]> {
    row.commitment.as_ref().and_then(Commitment::published).map(|p| p.read_key_id.as_bytes())
}

fn set_at(row: &Row) -> Option<std::cmp::Reverse<u64>> {
    row.commitment.as_ref().and_then(|commitment| commitment.block).map(std::cmp::Reverse)
}
