//! Drift: the chain against the local credentials, field by field, named by its consequence.

use serde::Serialize;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::credentials::{LocalView, Mode, Place};
use crate::domain::findings::Severity;
use crate::domain::secret::Fingerprint;

/// How one field compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldDrift {
    /// The same on both sides.
    Equal,
    /// Both sides have one, and they differ.
    Differs,
    /// On chain, but not configured here.
    LocalMissing,
    /// Configured here, but not on chain (none, or not readable).
    ChainMissing,
}

impl FieldDrift {
    fn of<T: PartialEq>(chain: Option<T>, local: Option<T>) -> Self {
        match (chain, local) {
            (_, None) => Self::LocalMissing,
            (None, Some(_)) => Self::ChainMissing,
            (Some(chain), Some(local)) if chain == local => Self::Equal,
            (Some(_), Some(_)) => Self::Differs,
        }
    }

    /// The word on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Differs => "differs",
            Self::LocalMissing => "local missing",
            Self::ChainMissing => "chain missing",
        }
    }
}

/// The verdict over all fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftState {
    /// Every field is equal.
    Match,
    /// Some field differs or is missing on chain.
    Drift,
    /// Too little is configured here to tell.
    Unknown,
}

/// The three fields of a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DriftFields {
    /// Bucket name (account id on R2).
    pub locator: FieldDrift,
    /// Read access key id.
    pub read_key_id: FieldDrift,
    /// Read secret, compared by fingerprint.
    pub read_secret: FieldDrift,
}

impl DriftFields {
    fn all(self) -> [FieldDrift; 3] {
        [self.locator, self.read_key_id, self.read_secret]
    }

    fn state(self) -> DriftState {
        let any = |wanted: FieldDrift| self.all().contains(&wanted);
        if any(FieldDrift::Differs) || any(FieldDrift::ChainMissing) {
            DriftState::Drift
        } else if any(FieldDrift::LocalMissing) {
            DriftState::Unknown
        } else {
            DriftState::Match
        }
    }
}

/// What follows from the comparison, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consequence {
    /// How much it hurts.
    pub severity: Severity,
    /// A few words for the table's summary line.
    pub headline: String,
    /// What validators and GRAIL will do, and what the operator should do.
    pub detail: String,
}

impl Consequence {
    fn new(severity: Severity, headline: &str, detail: impl Into<String>) -> Self {
        Self { severity, headline: headline.to_owned(), detail: detail.into() }
    }
}

/// The own commitment against the local credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The verdict.
    pub state: DriftState,
    /// Field by field.
    pub fields: DriftFields,
    /// Each place that defines something, against the chain; the first is the one that counts for GRAIL.
    pub places: Vec<PlaceDrift>,
    /// What follows from it.
    pub consequence: Consequence,
}

/// One place against the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceDrift {
    /// The `.env` or the environment.
    pub place: Place,
    /// The verdict.
    pub state: DriftState,
    /// Field by field.
    pub fields: DriftFields,
}

/// Compares the commitment found on chain (if any) with the local credentials.
pub fn compare(chain: Option<&Commitment>, local: &LocalView) -> Drift {
    let published = chain.and_then(Commitment::published);
    let against = |locator: Option<&str>, read_key_id: Option<&str>, read_secret: Option<Fingerprint>| DriftFields {
        locator: FieldDrift::of(published.and_then(|p| p.locator.as_text()), locator),
        read_key_id: FieldDrift::of(published.and_then(|p| p.read_key_id.as_text()), read_key_id),
        read_secret: FieldDrift::of(published.map(|p| p.read_secret), read_secret),
    };
    let fields = against(local.locator.as_deref(), local.read_key_id.as_deref(), local.read_secret);
    let places = local.places.iter().map(|place| {
        let fields = against(place.locator.as_deref(), place.read_key_id.as_deref(), place.read_secret);
        PlaceDrift { place: place.place, state: fields.state(), fields }
    });
    Drift { state: fields.state(), fields, places: places.collect(), consequence: consequence(chain, local, fields) }
}

fn consequence(chain: Option<&Commitment>, local: &LocalView, fields: DriftFields) -> Consequence {
    let published = chain.and_then(Commitment::published);
    if published.is_some_and(|p| exposes_write_key(p, local)) {
        return Consequence::new(
            Severity::Danger,
            "your WRITE key is published",
            "The commitment on chain holds your write key: anybody can overwrite or delete your windows now. Revoke that \
             token first, then publish a key that can only read.",
        );
    }
    if local.would_publish_write_key() {
        return write_key_is_next(local.mode);
    }
    // What validators do needs no local credentials to be known, so it is said first.
    match (chain, published) {
        (None, _) => Consequence::new(
            Severity::Danger,
            "never committed, validators skip you",
            "There is no commitment for this hotkey: validators do not look for your bucket at all.",
        ),
        (Some(commitment), None) => unreadable(commitment),
        (Some(_), Some(_)) if local.is_empty() => Consequence::new(
            Severity::Note,
            "no local credentials to compare",
            "Nothing is configured here, so the console cannot tell whether this commitment is the one you mean.",
        ),
        (Some(_), Some(published)) => old_key(published, local).unwrap_or_else(|| difference(fields, local.mode)),
    }
}

/// A rotation that forgot a place: what GRAIL would commit at its next start is a key that was replaced already.
fn old_key(published: &Published, local: &LocalView) -> Option<Consequence> {
    let differs = local.read_secret.is_some_and(|secret| secret != published.read_secret);
    if !differs || !matches!(local.mode, Mode::Dual) {
        return None;
    }
    // Of a place that is defined first and incomplete, another one's key counts.
    let first = local.places.iter().position(|place| place.read_secret == local.read_secret);
    let counts = first.and_then(|at| local.places.get(at)).map_or("local values", |place| place.place.word());
    let up_to_date = local.places.iter().enumerate().find(|(at, place)| {
        first != Some(*at)
            && place.read_secret == Some(published.read_secret)
            && place.read_key_id.as_deref() == published.read_key_id.as_text()
    });
    let why = match up_to_date {
        Some((_, place)) => {
            format!("The {} has the key that is on chain, but the {counts} beats it", place.place.word())
        }
        None if local.read_secret.is_some_and(|secret| local.replaced.contains(&secret)) => {
            format!("The key in the {counts} is one that this machine replaced on chain before")
        }
        None => return None,
    };
    Some(Consequence::new(
        Severity::Danger,
        "next GRAIL start commits the OLD key",
        format!(
            "{why}: the next GRAIL start puts the old key back, and validators read with it again. Put the read pair that is \
             on chain into the {counts}, or take it out there."
        ),
    ))
}

fn write_key_is_next(mode: Mode) -> Consequence {
    let why = match mode {
        Mode::Legacy => "A whole read pair is missing locally, so GRAIL will commit the write pair in its place",
        _ => "The read pair configured here is the write pair, and GRAIL will commit it",
    };
    Consequence::new(
        Severity::Danger,
        "next GRAIL start PUBLISHES YOUR WRITE KEY",
        format!(
            "{why} at its next start. Create a key that can only read and set R2_READ_ACCESS_KEY_ID and \
             R2_READ_SECRET_ACCESS_KEY to it before that."
        ),
    )
}

/// Whether the published pair is, in any part, the local write pair.
pub fn exposes_write_key(published: &Published, local: &LocalView) -> bool {
    let id = published.read_key_id.as_text().map(Fingerprint::of);
    (id.is_some() && id == local.write_key_id) || Some(published.read_secret) == local.write_secret
}

fn unreadable(commitment: &Commitment) -> Consequence {
    let why = commitment.unreadable().map_or("", |unreadable| unreadable.detail.as_str());
    Consequence::new(
        Severity::Danger,
        "unreadable, validators skip you",
        format!("Validators drop your commitment without a word. {why}"),
    )
}

/// What GRAIL will do about a difference.
const fn next_start(mode: Mode) -> &'static str {
    match mode {
        Mode::Incomplete | Mode::Absent => {
            "GRAIL does not start with the local values as they are, so it mends nothing."
        }
        Mode::Dual | Mode::Legacy => "The next GRAIL start will commit the local values.",
    }
}

fn difference(fields: DriftFields, mode: Mode) -> Consequence {
    match (fields.state(), fields.locator, fields.read_key_id) {
        (DriftState::Match, ..) => Consequence::new(
            Severity::Note,
            "chain and local agree",
            "Validators read with the key that is configured here; GRAIL has nothing to commit at its next start.",
        ),
        (DriftState::Unknown, ..) => Consequence::new(
            Severity::Warning,
            "local credentials incomplete",
            "A part of the read credentials is not configured here, so the comparison is not complete.",
        ),
        (_, FieldDrift::Differs, _) => Consequence::new(
            Severity::Warning,
            "validators read another bucket",
            format!(
                "The bucket on chain is not the one configured here: validators look where nothing is uploaded. {}",
                next_start(mode)
            ),
        ),
        (_, _, FieldDrift::Equal) => Consequence::new(
            Severity::Danger,
            "same key id, other secret",
            "The key was rolled in place: validators that cached the old secret fail until they restart. Create a token \
             with a new id instead of rolling one.",
        ),
        _ => Consequence::new(
            Severity::Warning,
            "validators still read your old key",
            format!(
                "The key on chain is not the one configured here. {} Keep the old token alive until the new one is on chain.",
                next_start(mode)
            ),
        ),
    }
}
