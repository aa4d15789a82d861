//! The subnet in the console's hands: the snapshot, its roster, and the changes held back while it is frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::domain::hotkey::Hotkey;
use crate::domain::roster::{Own, Roster, Row, Summary};
use crate::domain::snapshot::{SubnetChange, SubnetSnapshot};

/// Where the table on the screen came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Origin {
    /// There is none yet.
    #[default]
    Nowhere,
    /// From the disk.
    Saved {
        /// When it was saved, in ms since 1970.
        at_ms: u64,
    },
    /// From the chain.
    Chain,
}

/// The subnet and its rows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    #[serde(serialize_with = "shared_maybe")]
    snapshot: Option<Arc<SubnetSnapshot>>,
    #[serde(serialize_with = "shared")]
    roster: Arc<Roster>,
    origin: Origin,
    /// Where the own row is, so that no frame looks for it among 65,536.
    own: Option<OwnAt>,
    paused: Option<Held>,
}

/// The own row's index in the roster.
#[derive(Debug, Clone, Copy, Serialize)]
enum OwnAt {
    Member(usize),
    ExMember(usize),
}

impl OwnAt {
    fn find(roster: &Roster) -> Option<Self> {
        let member = roster.rows.iter().position(|row| row.own).map(Self::Member);
        member.or_else(|| roster.ex_members.iter().position(|row| row.own).map(Self::ExMember))
    }
}

/// What arrived while the table was frozen: at most one snapshot and one change, each later one merged in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Held {
    /// How many rows were touched.
    pub touched: BTreeSet<Hotkey>,
    #[serde(skip)]
    snapshot: Option<Box<SubnetSnapshot>>,
    #[serde(skip)]
    change: Option<SubnetChange>,
}

impl Table {
    /// The snapshot, brought up to date with every change.
    pub fn snapshot(&self) -> Option<&Arc<SubnetSnapshot>> {
        self.snapshot.as_ref()
    }

    /// The rows.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The rows as they are now, whatever becomes of the table.
    pub fn roster_now(&self) -> Arc<Roster> {
        Arc::clone(&self.roster)
    }

    /// Where it came from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// What is held back, while the table is frozen.
    pub const fn paused(&self) -> Option<&Held> {
        self.paused.as_ref()
    }

    /// The operator's own row.
    pub fn own_row(&self) -> Option<&Row> {
        match self.own? {
            OwnAt::Member(index) => self.roster.rows.get(index),
            OwnAt::ExMember(index) => self.roster.ex_members.get(index),
        }
    }

    /// Takes a whole subnet. Whether the rows on the screen changed: not while frozen.
    pub fn replace(&mut self, snapshot: Box<SubnetSnapshot>, origin: Origin, own: Option<&Own>) -> bool {
        if let Some(held) = &mut self.paused {
            held.note_snapshot(self.snapshot.as_deref(), &snapshot);
            held.change = None;
            held.snapshot = Some(snapshot);
            return false;
        }
        // The old ones go first: what 65,536 uids take would otherwise be held twice.
        self.snapshot = None;
        self.roster = Arc::default();
        self.put(Roster::join(&snapshot, own));
        self.snapshot = Some(Arc::from(snapshot));
        self.origin = origin;
        true
    }

    /// Takes a change, touching only its rows. Whether the rows on the screen changed.
    pub fn change(&mut self, change: SubnetChange, own: Option<&Own>) -> bool {
        if let Some(held) = &mut self.paused {
            held.note_change(&change);
            held.merge(change);
            return false;
        }
        let Some(snapshot) = &mut self.snapshot else { return false };
        let touched = touched_hotkeys(snapshot, &change);
        Arc::make_mut(snapshot).apply(&change);
        patch(Arc::make_mut(&mut self.roster), snapshot, &touched, own);
        self.own = OwnAt::find(&self.roster);
        true
    }

    /// Compares again, after the operator's own side changed.
    pub fn rejoin(&mut self, own: Option<&Own>) {
        if let Some(snapshot) = &self.snapshot {
            self.put(Roster::join(snapshot, own));
        }
    }

    fn put(&mut self, roster: Roster) {
        self.own = OwnAt::find(&roster);
        self.roster = Arc::new(roster);
    }

    /// From here on what arrives is held back.
    pub fn pause(&mut self) {
        self.paused.get_or_insert_default();
    }

    /// Lets in what was held back. How many rows that touched.
    pub fn thaw(&mut self, own: Option<&Own>) -> usize {
        let Some(held) = self.paused.take() else { return 0 };
        if let Some(snapshot) = held.snapshot {
            self.replace(snapshot, Origin::Chain, own);
        }
        if let Some(change) = held.change {
            self.change(change, own);
        }
        held.touched.len()
    }
}

impl Held {
    fn note_change(&mut self, change: &SubnetChange) {
        self.touched.extend(change.commitments.iter().map(|(hotkey, _)| *hotkey));
        self.touched.extend(change.members.iter().map(|member| member.hotkey));
    }

    /// Counts the rows by which a snapshot differs from what is on the screen.
    fn note_snapshot(&mut self, before: Option<&SubnetSnapshot>, after: &SubnetSnapshot) {
        let Some(before) = before else { return };
        let changed = after.commitments.iter().filter(|(hotkey, new)| before.commitments.get(hotkey) != Some(new));
        self.touched.extend(changed.map(|(hotkey, _)| *hotkey));
        let gone = before.commitments.keys().filter(|hotkey| !after.commitments.contains_key(hotkey));
        self.touched.extend(gone.copied());
        let known: BTreeSet<(u16, Hotkey)> = before.members.iter().map(|m| (m.uid, m.hotkey)).collect();
        let moved = after.members.iter().filter(|m| !known.contains(&(m.uid, m.hotkey)));
        self.touched.extend(moved.map(|member| member.hotkey));
    }

    fn merge(&mut self, change: SubnetChange) {
        let Some(held) = &mut self.change else {
            self.change = Some(change);
            return;
        };
        held.block = change.block;
        held.commitments.retain(|(hotkey, _)| !change.commitments.iter().any(|(newer, _)| newer == hotkey));
        held.commitments.extend(change.commitments);
        held.members.retain(|member| !change.members.iter().any(|newer| newer.uid == member.uid));
        held.members.extend(change.members);
    }
}

/// The hotkeys whose rows a change concerns, those that lose their uid included.
fn touched_hotkeys(before: &SubnetSnapshot, change: &SubnetChange) -> BTreeSet<Hotkey> {
    let mut touched: BTreeSet<Hotkey> = change.commitments.iter().map(|(hotkey, _)| *hotkey).collect();
    for member in &change.members {
        touched.insert(member.hotkey);
        if let Ok(index) = before.members.binary_search_by_key(&member.uid, |m| m.uid) {
            touched.insert(before.members[index].hotkey);
        }
    }
    touched
}

/// Joins only the touched rows anew and puts them in their places: a change on a subnet of 65,536 uids must not cost a
/// whole join.
fn patch(roster: &mut Roster, after: &SubnetSnapshot, touched: &BTreeSet<Hotkey>, own: Option<&Own>) {
    let members = after.members.iter().filter(|member| touched.contains(&member.hotkey)).cloned().collect();
    let commitments: BTreeMap<_, _> =
        touched.iter().filter_map(|hotkey| Some((*hotkey, after.commitments.get(hotkey)?.clone()))).collect();
    let (chain, subnet, successors) = (after.chain.clone(), after.subnet.clone(), after.successors.clone());
    let part = SubnetSnapshot { chain, netuid: after.netuid, subnet, at: after.at, members, commitments, successors };
    let fresh = Roster::join(&part, own);
    for row in fresh.rows {
        match roster.rows.binary_search_by_key(&row.uid, |r| r.uid) {
            Ok(index) => roster.rows[index] = row,
            Err(index) => roster.rows.insert(index, row),
        }
    }
    roster.ex_members.retain(|row| !touched.contains(&row.hotkey));
    roster.ex_members.extend(fresh.ex_members);
    roster.ex_members.sort_by_key(|row| row.hotkey);
    roster.summary = Summary::of(&roster.rows, roster.ex_members.len());
}

fn shared<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn shared_maybe<T: Serialize, S: Serializer>(value: &Option<Arc<T>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}
