//! Whom a command is about: uids and hotkeys by name, or everybody who matches.

use std::fmt;

use crate::cli::args::Whom;
use crate::domain::filter::Filter;
use crate::domain::hotkey::Hotkey;
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::Row;
use crate::domain::text::grouped;
use crate::domain::untrusted::sanitize;
use crate::ops::survey::Survey;

/// Whom a command is about.
pub(super) enum Choice {
    Named(Vec<Who>),
    Filtered(Filter),
}

impl Choice {
    /// By what was given. Errors: what is missing, or too much.
    pub(super) fn of(whom: &Whom) -> Result<Self, String> {
        let filter = Filter::of_rows(whom.filter.as_deref().unwrap_or_default());
        let filter = filter.map_err(|error| format!("--filter: {error}"))?;
        match (&whom.who[..], whom.all || whom.filter.is_some()) {
            ([], true) => Ok(Self::Filtered(filter)),
            ([], false) => Err("name uids or hotkeys, or --all".to_owned()),
            (who, false) => who.iter().map(|who| parse_who(who)).collect::<Result<_, _>>().map(Self::Named),
            (_, true) => Err("name uids or hotkeys, or --all and --filter: not both".to_owned()),
        }
    }

    /// Whether it is a table of many rather than a few in full.
    pub(super) const fn is_sweep(&self) -> bool {
        matches!(self, Self::Filtered(_))
    }

    /// The hotkeys, each once, in the order in which they were named. Errors: somebody who is not there.
    pub(super) fn hotkeys(&self, found: &Survey) -> Result<Vec<Hotkey>, String> {
        let who = match self {
            Self::Filtered(filter) => {
                let ex_members = if filter.wants_ex_members() { &found.roster.ex_members[..] } else { &[] };
                let rows = found.roster.rows.iter().chain(ex_members);
                return Ok(rows.filter(|row| filter.accepts(row, Tested::default())).map(|row| row.hotkey).collect());
            }
            Self::Named(who) => who,
        };
        let row = |who: &Who| -> Result<&Row, String> {
            who.row(found).ok_or_else(|| {
                format!(
                    "{who} is not on subnet {}, neither as a member nor as an ex-member with a commitment",
                    found.snapshot.netuid
                )
            })
        };
        let mut hotkeys = Vec::new();
        for who in who {
            let hotkey = row(who)?.hotkey;
            if !hotkeys.contains(&hotkey) {
                hotkeys.push(hotkey);
            }
        }
        Ok(hotkeys)
    }
}

/// Somebody, as named on the command line.
pub(super) enum Who {
    /// By uid.
    Uid(u16),
    /// By address.
    Hotkey(Hotkey),
}

impl Who {
    /// Their row, ex-members included.
    pub(super) fn row<'s>(&self, found: &'s Survey) -> Option<&'s Row> {
        match self {
            Self::Uid(uid) => found.roster.by_uid(*uid),
            Self::Hotkey(hotkey) => found.roster.by_hotkey(hotkey),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {}", grouped(u64::from(*uid))),
            Self::Hotkey(hotkey) => hotkey.fmt(f),
        }
    }
}

/// Reads a uid or an address. Errors: what is wrong with it.
pub(super) fn parse_who(text: &str) -> Result<Who, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .map(Who::Uid)
            .map_err(|_| format!("{} is no uid: they go from 0 to 65535", sanitize(text, 20)));
    }
    text.parse().map(Who::Hotkey).map_err(|error| format!("{}: {error}", sanitize(text, 60)))
}
