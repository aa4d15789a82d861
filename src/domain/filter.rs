//! The filter line: a number is a uid, other words match anywhere, `key:value` terms match a property, and every term
//! must hold. Terms about read tests and marks are answered from a [`Tested`], which only the console has.

use serde::Serialize;
use thiserror::Error;

use crate::domain::commitment::{Commitment, Reason};
use crate::domain::probe::Verdict;
use crate::domain::provenance::Level;
use crate::domain::read_test_summary::Tested;
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
    Test(TestTerm),
    Proof(Level),
    Mark(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum StateTerm {
    Is(State),
    Drift,
    Foreign,
    ExMember,
    Predates,
    Several,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum TestTerm {
    Is(Verdict),
    Failed,
    Denied,
    Untested,
    Risky,
}

/// Why a term means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// The key is unknown.
    #[error("there is no filter {key}: — try {known}")]
    Key {
        /// What was typed.
        key: String,
        /// What there is, where the filter is used.
        known: &'static str,
    },
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
    /// Nothing was tested or marked where the filter is used.
    #[error(
        "{0}: works only in the console, where rows are tested and marked; here filter by state: role: own: reason:"
    )]
    OnlyInConsole(&'static str),
}

const STATES: &str = "readable unreadable none drift foreign orphan predates several";
const ROLES: &str = "trainer validator miner";
const YES_NO: &str = "yes no";
const REASONS: &str = "no_field no_bytes hash timelock wrong_length not_utf8 blank_part unknown_variant undecodable (a part of the name will do)";

/// Every verdict's name, behind the words that stand for several.
const TESTS: &str = "ok failed denied untested risky late bad_size no_object no_bucket wrong_region scope_denied auth_bad_secret \
                     auth_unknown_key clock_skew throttled provider_error not_s3 slow tls tcp dns malformed no_commitment";

/// The keys that a row alone can answer, and those of the console, where rows are tested and marked too.
const KEYS_OF_ROWS: &str = "state: role: own: reason:";
const KEYS: &str = "state: role: own: reason: test: proof: mark:";

/// Levels of provenance.
const PROOFS: &str = "reported agreed proven signed";

/// Characters of a mistyped word that an error repeats.
const TYPED_SHOWN: usize = 20;

impl Filter {
    /// Parses a line such as `5F3 state:unreadable role:miner`. Case does not matter.
    pub fn parse(line: &str) -> Result<Self, FilterError> {
        Self::parse_with(line, KEYS)
    }

    /// The same where nothing is ever tested or marked. Errors: a term that asks for that, too.
    pub fn of_rows(line: &str) -> Result<Self, FilterError> {
        let only_in_console = |word: &str| {
            let (key, _) = word.split_once(':')?;
            ["test", "proof", "mark"].into_iter().find(|console| key.eq_ignore_ascii_case(console))
        };
        match line.split_whitespace().find_map(only_in_console) {
            Some(key) => Err(FilterError::OnlyInConsole(key)),
            None => Self::parse_with(line, KEYS_OF_ROWS),
        }
    }

    fn parse_with(line: &str, keys: &'static str) -> Result<Self, FilterError> {
        let terms = line.split_whitespace().map(|word| parse_term(word, keys)).collect::<Result<_, _>>();
        terms.map(|terms| Self { terms })
    }

    /// Every `key:value` that [`Filter::of_rows`] takes.
    pub fn terms_of_rows() -> impl Iterator<Item = String> {
        let reasons = Reason::ALL.into_iter().map(Reason::name);
        let with = |key: &'static str| move |value: &str| format!("{key}:{value}");
        let states = STATES.split(' ').map(with("state"));
        let roles = ROLES.split(' ').map(with("role"));
        states.chain(roles).chain(YES_NO.split(' ').map(with("own"))).chain(reasons.map(with("reason")))
    }

    /// Whether every row passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the filter asks for ex-members, who are otherwise kept apart.
    pub fn wants_ex_members(&self) -> bool {
        self.terms.contains(&Term::State(StateTerm::ExMember))
    }

    /// Whether a row passes every term.
    pub fn accepts(&self, row: &Row, tested: Tested) -> bool {
        self.terms.iter().all(|term| term.accepts(row, tested))
    }

    /// Whether it asks for anything that is not in a row.
    pub fn asks_for_tests(&self) -> bool {
        self.terms.iter().any(Term::is_of_tests)
    }
}

fn parse_term(word: &str, keys: &'static str) -> Result<Term, FilterError> {
    let lower = word.to_lowercase();
    let Some((key, value)) = lower.split_once(':') else { return Ok(plain_word(lower)) };
    match key {
        "state" => parse_state(value).map(Term::State),
        "role" => parse_role(value).map(Term::Role),
        "own" => parse_yes_no("own", value).map(Term::Own),
        "mark" => parse_yes_no("mark", value).map(Term::Mark),
        "test" => parse_test(value).map(Term::Test),
        "proof" => Level::named(value).map(Term::Proof).ok_or_else(|| unknown("proof", value, PROOFS)),
        "reason" if Reason::ALL.iter().any(|reason| reason.name().contains(value)) => {
            Ok(Term::Reason(value.to_owned()))
        }
        "reason" => Err(unknown("reason", value, REASONS)),
        _ => Err(FilterError::Key { key: sanitize(key, TYPED_SHOWN), known: keys }),
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
        "orphan" | "orphans" => Ok(StateTerm::ExMember),
        "predates" => Ok(StateTerm::Predates),
        "several" => Ok(StateTerm::Several),
        _ => Err(unknown("state", value, STATES)),
    }
}

fn parse_yes_no(key: &'static str, value: &str) -> Result<bool, FilterError> {
    match value {
        "yes" | "y" | "true" => Ok(true),
        "no" | "n" | "false" => Ok(false),
        _ => Err(unknown(key, value, YES_NO)),
    }
}

fn parse_test(value: &str) -> Result<TestTerm, FilterError> {
    match value {
        "failed" => Ok(TestTerm::Failed),
        "denied" => Ok(TestTerm::Denied),
        "untested" => Ok(TestTerm::Untested),
        "risky" => Ok(TestTerm::Risky),
        _ => {
            let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == value);
            verdict.map(TestTerm::Is).ok_or_else(|| unknown("test", value, TESTS))
        }
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
    fn accepts(&self, row: &Row, tested: Tested) -> bool {
        match self {
            Self::Uid(uid) => row.uid == Some(*uid),
            Self::Text(text) => matches_text(row, text),
            Self::State(state) => state.accepts(row),
            Self::Role(role) => row.role == *role && !row.is_ex_member(),
            Self::Own(own) => row.own == *own,
            Self::Reason(reason) => row
                .commitment
                .as_ref()
                .and_then(Commitment::unreadable)
                .is_some_and(|unreadable| unreadable.reason.name().contains(reason.as_str())),
            Self::Test(test) => test.accepts(tested),
            // What was not looked at is what one node says.
            Self::Proof(level) => tested.proof.unwrap_or(Level::Reported) == *level,
            Self::Mark(mark) => tested.marked == *mark,
        }
    }

    /// Whether a row alone cannot answer it.
    const fn is_of_tests(&self) -> bool {
        matches!(self, Self::Test(_) | Self::Proof(_) | Self::Mark(_))
    }
}

impl TestTerm {
    fn accepts(self, tested: Tested) -> bool {
        match self {
            Self::Is(verdict) => tested.verdict == Some(verdict),
            Self::Failed => tested.verdict.is_some_and(Verdict::fails),
            Self::Denied => tested.verdict.is_some_and(Verdict::is_denied),
            Self::Untested => tested.verdict.is_none(),
            Self::Risky => tested.risky,
        }
    }
}

impl StateTerm {
    fn accepts(self, row: &Row) -> bool {
        match self {
            Self::Is(state) => row.state() == state,
            Self::Drift => row.drifts(),
            Self::Foreign => row.is_foreign(),
            Self::ExMember => row.is_ex_member(),
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
