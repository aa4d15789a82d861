//! What is different between two readings of a subnet, row by row.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::hotkey::Hotkey;
use crate::domain::roster::{Roster, Row};

/// In what a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The hotkey has a uid that it did not have.
    Registered,
    /// The hotkey lost its uid.
    Deregistered,
    /// What it published.
    Commitment,
    /// How that compares with the credentials here: of the own row only.
    Drift,
    /// Whether validators know it as one of theirs.
    Role,
}

impl What {
    /// In a word or two.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Deregistered => "lost its uid",
            Self::Commitment => "commitment",
            Self::Drift => "drift",
            Self::Role => "role",
        }
    }
}

/// A row that is not what it was; one that came or went has nothing on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// In what it differs, at least in one thing.
    pub what: Vec<What>,
    /// The row until now.
    pub before: Option<Row>,
    /// The row from now on.
    pub after: Option<Row>,
}

/// The rows that differ, members by uid and then ex-members.
pub fn between(before: &Roster, after: &Roster) -> Vec<RowChange> {
    let mut known: BTreeMap<Hotkey, &Row> = rows(before).map(|row| (row.hotkey, row)).collect();
    let mut changes = Vec::new();
    for row in rows(after) {
        let old = known.remove(&row.hotkey);
        let what = differences(old, Some(row));
        if !what.is_empty() {
            changes.push(RowChange { what, before: old.cloned(), after: Some(row.clone()) });
        }
    }
    let gone = known.into_values().map(|row| RowChange {
        what: differences(Some(row), None),
        before: Some(row.clone()),
        after: None,
    });
    changes.extend(gone.filter(|change| !change.what.is_empty()));
    changes
}

fn rows(roster: &Roster) -> impl Iterator<Item = &Row> {
    roster.rows.iter().chain(&roster.ex_members)
}

fn differences(before: Option<&Row>, after: Option<&Row>) -> Vec<What> {
    let uid = |row: Option<&Row>| row.and_then(|row| row.uid);
    let commitment = |row: Option<&Row>| row.and_then(|row| row.commitment.clone());
    let mut what = Vec::new();
    match (uid(before), uid(after)) {
        (old, Some(new)) if old != Some(new) => what.push(What::Registered),
        (Some(_), None) => what.push(What::Deregistered),
        _ => {}
    }
    if commitment(before) != commitment(after) {
        what.push(What::Commitment);
    }
    let of_both = before.zip(after);
    let drift = |row: &Row| row.drift.as_ref().map(|drift| (drift.state, drift.fields));
    if of_both.is_some_and(|(before, after)| drift(before) != drift(after)) {
        what.push(What::Drift);
    }
    if of_both.is_some_and(|(before, after)| before.uid == after.uid && before.role != after.role) {
        what.push(What::Role);
    }
    what
}
