//! Scenarios: what the practice subnet looks like and what happens to it, as TOML in `assets/scenarios/`.

use serde::Deserialize;
use thiserror::Error;

use super::commitment::{CommitmentSpec, Field, HashKind, MAX_RAW};
use super::faults::Throttle;
use super::gate::Stall;
use super::population::{Credentials, OPERATOR_UID};

/// The embedded scenarios by name.
const EMBEDDED: [(&str, &str); 6] = [
    ("healthy", include_str!("../../assets/scenarios/healthy.toml")),
    ("first-run", include_str!("../../assets/scenarios/first-run.toml")),
    ("drift", include_str!("../../assets/scenarios/drift.toml")),
    ("legacy", include_str!("../../assets/scenarios/legacy.toml")),
    ("hostile", include_str!("../../assets/scenarios/hostile.toml")),
    ("outage", include_str!("../../assets/scenarios/outage.toml")),
];

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
    /// Height of the best block at the start.
    #[serde(default = "default_head")]
    pub(super) head: u32,
    #[serde(default)]
    pub(super) subnet: Subnet,
    #[serde(default)]
    pub(super) operator: OperatorSetup,
    #[serde(default, rename = "commitment")]
    pub(super) commitments: Vec<MemberCommitment>,
    #[serde(default, rename = "former_member")]
    pub(super) former_members: Vec<FormerMember>,
    #[serde(default, rename = "event")]
    pub(super) events: Vec<TimedEvent>,
}

const fn default_head() -> u32 {
    9_168_527
}

/// The ordinary part of the population.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Subnet {
    /// Uids that never committed.
    pub(super) without_commitment: Vec<u16>,
    /// How many blocks ago some uids registered, where it matters.
    pub(super) registered: Vec<Registered>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registered {
    pub(super) uid: u16,
    pub(super) blocks_ago: u32,
}

/// What the operator of uid 42 has, and has published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OperatorSetup {
    pub(super) local: Local,
    pub(super) published: PublishedKey,
}

impl Default for OperatorSetup {
    fn default() -> Self {
        Self { local: Local::BothPairs, published: PublishedKey::Read { generation: 0 } }
    }
}

/// What is configured on the operator's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Local {
    /// Wallet, and a `.env` with the read and the write pair.
    BothPairs,
    /// Wallet, and a `.env` with the write pair only (legacy single-credential mode).
    WritePairOnly,
    /// Neither wallet nor credentials.
    Nothing,
}

/// What the operator's commitment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum PublishedKey {
    /// A read key; generation 0 is the one in the `.env`, others are not.
    Read { generation: u8 },
    /// The write key.
    Write,
    /// No commitment.
    Nothing,
}

/// A commitment that is not the ordinary one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberCommitment {
    pub(super) uid: u16,
    /// What is odd about it; for whoever reads the scenario.
    #[expect(dead_code, reason = "documents the scenario file; required so that every oddity says what it is")]
    pub(super) why: String,
    #[serde(default)]
    pub(super) blocks_ago: Option<u32>,
    #[serde(default)]
    pub(super) fields: Option<Vec<FieldText>>,
    /// The stored bytes themselves in hex, instead of fields.
    #[serde(default)]
    pub(super) stored: Option<String>,
}

/// Somebody who left the subnet and whose commitment stayed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormerMember {
    pub(super) index: u16,
    #[serde(default = "long_ago")]
    pub(super) blocks_ago: u32,
}

const fn long_ago() -> u32 {
    400_000
}

/// A field as a scenario writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum FieldText {
    None,
    Raw(BytesText),
    BigRaw(BytesText),
    Hash(HashKind),
    Timelock { encrypted_bytes: u16, round: u64 },
    ResetBondsFlag,
    TimelockRevealFailed { round: u64 },
    Unknown { index: u8, hex: String },
}

/// Bytes as a scenario writes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum BytesText {
    /// As they are.
    Text(String),
    /// In hex.
    Hex(String),
    /// One text so many times.
    Repeat { text: String, times: u16 },
    /// The 128 characters of a uid's credentials, parts of which may be others.
    Parts(Parts),
}

/// The three parts of a commitment; what is missing is the uid's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parts {
    /// Whose credentials, if not the uid's own.
    of_uid: Option<u16>,
    generation: u8,
    locator: Option<String>,
    key_id: Option<String>,
    secret: Option<String>,
    /// Only so many characters of the whole.
    take: Option<usize>,
}

/// Something that happens so many block times after the start.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TimedEvent {
    pub(super) after_blocks: u32,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum What {
    /// A uid commits.
    Commit { uid: u16, fields: Vec<FieldText> },
    /// The operator's write key is committed, as GRAIL does when the read pair is missing.
    CommitWriteKey {},
    /// A former member's hotkey (by index) takes a uid.
    Register { uid: u16, former_member: u16 },
    /// Every connection is closed.
    DropConnections {},
    /// The node is killed.
    Refuse {},
    /// Connections fall silent.
    Stall { which: Stall },
    /// Every request takes longer.
    Lag { milliseconds: u64 },
    /// Too many requests.
    TooManyRequests { at: Throttle },
    /// No more blocks.
    StaleHead {},
    /// Block 0 is another chain's.
    WrongGenesis {},
    /// The next spec version.
    RuntimeUpgrade {},
    /// Everything works again.
    Recover {},
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
            if let What::Commit { uid, fields } = &event.what {
                scenario.fields(*uid, fields)?;
            }
        }
        Ok(scenario)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn description(&self) -> &str {
        &self.description
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

impl Parts {
    /// The parts side by side, each padded with blanks to its place (32, 32 and 64 characters) and never cut.
    fn text(&self, uid: u16) -> String {
        let own = Credentials::of(self.of_uid.unwrap_or(uid), self.generation);
        let locator = self.locator.as_deref().unwrap_or(&own.account);
        let key_id = self.key_id.as_deref().unwrap_or(&own.read_key_id);
        let secret = self.secret.as_deref().unwrap_or_else(|| own.read_secret.expose());
        let whole = format!("{locator:<32}{key_id:<32}{secret:<64}");
        whole.chars().take(self.take.unwrap_or(usize::MAX)).collect()
    }
}

#[cfg(test)]
mod tests {
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
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = Scenario::named("haelthy").unwrap_err().to_string();
        assert_eq!(
            error,
            "no scenario is called \"haelthy\": choose one of healthy, first-run, drift, legacy, hostile, outage"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused_wherever_it_stands() {
        for text in [
            "heads = 1",
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
