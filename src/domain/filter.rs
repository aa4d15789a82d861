//! The filter line: a number is a uid, other words match anywhere, `key:value` terms match a property, and every term
//! must hold.

use serde::Serialize;
use thiserror::Error;

use crate::domain::commitment::{Commitment, Reason};
use crate::domain::roster::{Role, Row, State};
use crate::domain::untrusted::sanitize;

/// A parsed filter. The empty filter accepts every row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Term {
    Uid(u16),
    Text(String),
    State(StateTerm),
    Role(Role),
    Own(bool),
    Reason(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum StateTerm {
    Is(State),
    Drift,
    Foreign,
    Orphan,
    Predates,
    Several,
}

/// Why a term means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// The key is unknown.
    #[error("there is no filter {0}: — try state: role: own: reason:")]
    Key(String),
    /// The value is unknown for its key.
    #[error("{key}:{value} is unknown — try {known}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was typed.
        value: String,
        /// What there is.
        known: &'static str,
    },
}

const STATES: &str = "readable unreadable none drift foreign orphan predates several";
const ROLES: &str = "trainer validator miner";
const OWN: &str = "yes no";
const REASONS: &str = "no_field no_bytes hash timelock wrong_length not_utf8 blank_part unknown_variant undecodable (a part of the name will do)";

/// Characters of a mistyped word that an error repeats.
const TYPED_SHOWN: usize = 20;

impl Filter {
    /// Parses a line such as `5F3 state:unreadable role:miner`. Case does not matter.
    pub fn parse(line: &str) -> Result<Self, FilterError> {
        line.split_whitespace().map(parse_term).collect::<Result<_, _>>().map(|terms| Self { terms })
    }

    /// Whether every row passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the filter asks for ex-members, who are otherwise kept apart.
    pub fn wants_orphans(&self) -> bool {
        self.terms.contains(&Term::State(StateTerm::Orphan))
    }

    /// Whether a row passes every term.
    pub fn accepts(&self, row: &Row) -> bool {
        self.terms.iter().all(|term| term.accepts(row))
    }
}

fn parse_term(word: &str) -> Result<Term, FilterError> {
    let lower = word.to_lowercase();
    let Some((key, value)) = lower.split_once(':') else { return Ok(plain_word(lower)) };
    match key {
        "state" => parse_state(value).map(Term::State),
        "role" => parse_role(value).map(Term::Role),
        "own" => match value {
            "yes" | "y" | "true" => Ok(Term::Own(true)),
            "no" | "n" | "false" => Ok(Term::Own(false)),
            _ => Err(unknown("own", value, OWN)),
        },
        "reason" if Reason::ALL.iter().any(|reason| reason.name().contains(value)) => {
            Ok(Term::Reason(value.to_owned()))
        }
        "reason" => Err(unknown("reason", value, REASONS)),
        _ => Err(FilterError::Key(sanitize(key, TYPED_SHOWN))),
    }
}

/// A number is a uid: as text it would match a good part of all hexadecimal ids.
fn plain_word(lower: String) -> Term {
    let uid = lower.parse().ok().filter(|_| lower.bytes().all(|b| b.is_ascii_digit()));
    uid.map_or(Term::Text(lower), Term::Uid)
}

fn parse_state(value: &str) -> Result<StateTerm, FilterError> {
    match value {
        "readable" => Ok(StateTerm::Is(State::Readable)),
        "unreadable" => Ok(StateTerm::Is(State::Unreadable)),
        "none" => Ok(StateTerm::Is(State::None)),
        "drift" => Ok(StateTerm::Drift),
        "foreign" => Ok(StateTerm::Foreign),
        "orphan" | "orphans" => Ok(StateTerm::Orphan),
        "predates" => Ok(StateTerm::Predates),
        "several" => Ok(StateTerm::Several),
        _ => Err(unknown("state", value, STATES)),
    }
}

fn parse_role(value: &str) -> Result<Role, FilterError> {
    match value {
        "trainer" => Ok(Role::Trainer),
        "validator" => Ok(Role::Validator),
        "miner" => Ok(Role::Miner),
        _ => Err(unknown("role", value, ROLES)),
    }
}

fn unknown(key: &'static str, value: &str, known: &'static str) -> FilterError {
    FilterError::Value { key, value: sanitize(value, TYPED_SHOWN), known }
}

impl Term {
    fn accepts(&self, row: &Row) -> bool {
        match self {
            Self::Uid(uid) => row.uid == Some(*uid),
            Self::Text(text) => matches_text(row, text),
            Self::State(state) => state.accepts(row),
            Self::Role(role) => row.role == *role && !row.is_orphan(),
            Self::Own(own) => row.own == *own,
            Self::Reason(reason) => row
                .commitment
                .as_ref()
                .and_then(Commitment::unreadable)
                .is_some_and(|unreadable| unreadable.reason.name().contains(reason.as_str())),
        }
    }
}

impl StateTerm {
    fn accepts(self, row: &Row) -> bool {
        match self {
            Self::Is(state) => row.state() == state,
            Self::Drift => row.drifts(),
            Self::Foreign => row.is_foreign(),
            Self::Orphan => row.is_orphan(),
            Self::Predates => row.predates_registration(),
            Self::Several => row.commitment.as_ref().is_some_and(|commitment| commitment.fields > 1),
        }
    }
}

/// A word matches any part of address, locator or key id.
fn matches_text(row: &Row, lower: &str) -> bool {
    let published = row.commitment.as_ref().and_then(Commitment::published);
    let contains = |text: &str| text.to_lowercase().contains(lower);
    contains(&row.address)
        || published.is_some_and(|p| contains(&p.locator.shown()) || contains(&p.read_key_id.shown()))
}
