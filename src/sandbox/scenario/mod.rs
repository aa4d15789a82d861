//! Scenarios: what the sandbox subnet looks like and what happens to it, as TOML in `assets/scenarios/`.

mod embedded;
mod scenario_file;

use serde::Deserialize;
use thiserror::Error;

use super::accounts::{Credentials, OPERATOR_UID};
use super::commitment::{CommitmentSpec, Field, MAX_RAW};
use super::metadata::RuntimeKind;
use super::s3::BucketFault;
use embedded::EMBEDDED;
use scenario_file::{
    BytesText, FieldText, FormerMember, MemberCommitment, Miner, OddBucket, PublishedKey, Server, Subnet,
};
pub(super) use scenario_file::{HotkeyFile, Local, OperatorSetup, Panel, TimedEvent, What};

/// Why there is no such scenario.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScenarioError {
    /// No scenario has this name.
    #[error("no scenario is called {name:?}: choose one of {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The text is not TOML of the expected form; the reason names line and column.
    #[error("scenario {name} cannot be read: {reason}")]
    Malformed {
        /// The scenario.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// Some content cannot be put on a chain.
    #[error("scenario {name}: {what}: {reason}; correct the scenario")]
    Impossible {
        /// The scenario.
        name: String,
        /// Which part of it.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    name: String,
    /// One line for people.
    description: String,
    /// The runtime at the start.
    #[serde(default)]
    pub(super) runtime: RuntimeKind,
    /// Height of the best block at the start.
    #[serde(default = "default_head")]
    pub(super) head: u32,
    #[serde(default)]
    pub(super) subnet: Subnet,
    #[serde(default)]
    pub(super) operator: OperatorSetup,
    #[serde(default, rename = "commitment")]
    pub(super) commitments: Vec<MemberCommitment>,
    #[serde(default)]
    pub(super) s3: Server,
    #[serde(default)]
    pub(super) validators: Panel,
    #[serde(default)]
    pub(super) grail: Miner,
    #[serde(default, rename = "bucket")]
    pub(super) buckets: Vec<OddBucket>,
    #[serde(default, rename = "former_member")]
    pub(super) former_members: Vec<FormerMember>,
    #[serde(default, rename = "event")]
    pub(super) events: Vec<TimedEvent>,
}

const fn default_head() -> u32 {
    9_168_527
}

impl Scenario {
    /// An embedded scenario.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let known = || Self::names().collect::<Vec<_>>().join(", ");
        let (name, text) = EMBEDDED
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ScenarioError::Unknown { name: name.to_owned(), known: known() })?;
        Self::parse(name, text)
    }

    /// Names of the embedded scenarios.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// A scenario from TOML. Everything in it is checked here, so that a running sandbox never meets a bad event.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let malformed = |e: toml::de::Error| ScenarioError::Malformed { name: name.to_owned(), reason: e.to_string() };
        let mut scenario: Self = toml::from_str(text).map_err(malformed)?;
        name.clone_into(&mut scenario.name);
        for commitment in &scenario.commitments {
            scenario.spec(commitment)?;
        }
        for event in &scenario.events {
            match &event.what {
                What::Commit { uid, fields } => drop(scenario.fields(*uid, fields)?),
                What::Usurp { fields, .. } => drop(scenario.fields(OPERATOR_UID, fields)?),
                _ => {}
            }
        }
        Ok(scenario)
    }

    /// The same on another runtime.
    #[must_use]
    pub fn on(self, runtime: RuntimeKind) -> Self {
        Self { runtime, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What is wrong with a uid's bucket from the start.
    pub(super) fn bucket_fault(&self, uid: u16) -> Option<&BucketFault> {
        self.buckets.iter().find(|bucket| bucket.uid == uid).map(|bucket| &bucket.fault)
    }

    /// What an odd commitment is on chain.
    pub(super) fn spec(&self, odd: &MemberCommitment) -> Result<CommitmentSpec, ScenarioError> {
        match (&odd.fields, &odd.stored) {
            (Some(fields), None) => self.fields(odd.uid, fields),
            (None, Some(stored)) => Ok(CommitmentSpec::Stored(self.hex(odd.uid, stored)?)),
            _ => Err(self.impossible(odd.uid, "needs either `fields` or `stored`")),
        }
    }

    /// What a list of fields is on chain.
    pub(super) fn fields(&self, uid: u16, fields: &[FieldText]) -> Result<CommitmentSpec, ScenarioError> {
        fields.iter().map(|field| self.field(uid, field)).collect::<Result<_, _>>().map(CommitmentSpec::Fields)
    }

    fn field(&self, uid: u16, field: &FieldText) -> Result<Field, ScenarioError> {
        Ok(match field {
            FieldText::None => Field::None,
            FieldText::Raw(text) => {
                let bytes = self.bytes(uid, text)?;
                if bytes.len() > MAX_RAW {
                    return Err(
                        self.impossible(uid, &format!("a raw field holds {MAX_RAW} bytes, not {}", bytes.len()))
                    );
                }
                Field::Raw(bytes)
            }
            FieldText::BigRaw(text) => Field::BigRaw(self.bytes(uid, text)?),
            FieldText::Hash(kind) => Field::Hash(*kind, sp_crypto_hashing::blake2_256(&uid.to_le_bytes())),
            FieldText::Timelock { encrypted_bytes, round } => {
                Field::Timelock { encrypted: vec![0xe6; usize::from(*encrypted_bytes)], round: *round }
            }
            FieldText::ResetBondsFlag => Field::ResetBondsFlag,
            FieldText::TimelockRevealFailed { round } => Field::TimelockRevealFailed { round: *round },
            FieldText::Unknown { index, hex } => Field::Unknown { index: *index, bytes: self.hex(uid, hex)? },
        })
    }

    fn bytes(&self, uid: u16, text: &BytesText) -> Result<Vec<u8>, ScenarioError> {
        Ok(match text {
            BytesText::Text(text) => text.clone().into_bytes(),
            BytesText::Hex(digits) => self.hex(uid, digits)?,
            BytesText::Repeat { text, times } => text.repeat(usize::from(*times)).into_bytes(),
            BytesText::Parts(parts) => parts.text(uid).into_bytes(),
        })
    }

    fn hex(&self, uid: u16, digits: &str) -> Result<Vec<u8>, ScenarioError> {
        hex::decode(digits).map_err(|error| self.impossible(uid, &error.to_string()))
    }

    fn impossible(&self, uid: u16, reason: &str) -> ScenarioError {
        ScenarioError::Impossible { name: self.name.clone(), what: format!("uid {uid}"), reason: reason.to_owned() }
    }

    /// The operator's commitment.
    pub(super) fn operator_commitment(&self) -> Option<CommitmentSpec> {
        match self.operator.published {
            PublishedKey::Read { generation } => {
                Some(CommitmentSpec::raw(Credentials::of(OPERATOR_UID, generation).read_commitment()))
            }
            PublishedKey::Write => Some(CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 0).write_commitment())),
            PublishedKey::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scenario_file::Parts;
    use super::*;

    fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse("test", &format!("description = \"a test\"\n{text}"))
    }

    #[test]
    fn every_embedded_scenario_is_sound_and_says_what_it_is_in_one_line() {
        for name in Scenario::names() {
            let scenario = Scenario::named(name).unwrap();
            assert_eq!(scenario.name(), name);
            assert!(scenario.description().len() > 20 && !scenario.description().contains('\n'), "{name}");
        }
    }

    #[test]
    fn every_scenario_in_the_folder_is_embedded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        let mut known: Vec<_> = Scenario::names().map(str::to_owned).collect();
        found.sort();
        known.sort();
        assert_eq!(found, known);
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = Scenario::named("haelthy").unwrap_err().to_string();
        assert!(
            error.starts_with("no scenario is called \"haelthy\": choose one of healthy, first-run, drift, legacy, hostile, outage, r2-faults, rotation, older-runtime, pool-stale, "),
            "{error}"
        );
        assert!(error.ends_with(", other-genesis, no-proofs, no-bodies"), "{error}");
    }

    #[test]
    fn a_misspelt_key_is_refused_wherever_it_stands() {
        for text in [
            "heads = 1",
            "[validators]\nuid = [1]",
            "[grail]\nrestarts = 1",
            "[s3]\ntoken_delay = 1",
            "[subnet]\nwithout = [1]",
            "[operator]\nlocale = \"nothing\"",
            "[[commitment]]\nuid = 1\nwhy = \"x\"\nfields = []\nfield = []",
            "[[commitment]]\nuid = 1\nwhy = \"x\"\nfields = [{ raw = { parts = { locater = \"x\" } } }]",
            "[[event]]\nafter_blocks = 1\ndo = \"lag\"\nmilliseconds = 5\nduration = 1",
            "[[event]]\nafter_blocks = 1\ndo = \"recover\"\nwhen = 1",
            "[[event]]\nafter_blocks = 1\ndo = \"explode\"",
        ] {
            assert!(matches!(parse(text), Err(ScenarioError::Malformed { .. })), "accepted: {text}");
        }
    }

    #[test]
    fn content_that_fits_no_chain_is_refused_with_its_uid() {
        let too_long =
            "[[commitment]]\nuid = 9\nwhy = \"x\"\nfields = [{ raw = { repeat = { text = \"a\", times = 129 } } }]";
        let error = parse(too_long).unwrap_err().to_string();
        assert_eq!(error, "scenario test: uid 9: a raw field holds 128 bytes, not 129; correct the scenario");
        let both = "[[commitment]]\nuid = 9\nwhy = \"x\"\nfields = []\nstored = \"00\"";
        assert!(parse(both).unwrap_err().to_string().contains("either `fields` or `stored`"));
        let event = "[[event]]\nafter_blocks = 1\ndo = \"commit\"\nuid = 3\nfields = [{ raw = { hex = \"0\" } }]";
        assert!(parse(event).unwrap_err().to_string().starts_with("scenario test: uid 3: "));
    }

    #[test]
    fn parts_are_padded_to_their_places_and_never_cut() {
        let parts = Parts { locator: Some("x".repeat(33)), key_id: Some("k".to_owned()), ..Parts::default() };
        let text = parts.text(7);
        assert_eq!(text.chars().count(), 129);
        assert_eq!(&text[33..65], format!("{:<32}", "k"));
    }
}
