//! Drift: the chain against the local credentials, field by field, named by its consequence.

use serde::Serialize;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::credentials::{GrailView, LocalView, Mode, Place, PlaceView, VaultPlace};
use crate::domain::diagnostic::Severity;
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
    /// Each place that defines something, against the chain; the first is the one that counts for the console.
    pub places: Vec<PlaceDrift>,
    /// What follows from it.
    pub consequence: Consequence,
}

/// One place against the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceDrift {
    /// The vault, the `.env` or the environment.
    pub place: Place,
    /// Which generation in which store, of the vault's place.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultPlace>,
    /// The verdict.
    pub state: DriftState,
    /// Field by field.
    pub fields: DriftFields,
}

impl PlaceDrift {
    /// What heads its column: the vault with its generation, as `vault #2`.
    pub fn heading(&self) -> String {
        self.place.heading(self.vault)
    }
}

/// Compares the commitment found on chain (if any) with the local credentials.
pub fn compare(chain: Option<&Commitment>, local: &LocalView) -> Drift {
    let published = chain.and_then(Commitment::published);
    let fields = against(published, local.locator.as_deref(), local.read_key_id.as_deref(), local.read_secret);
    let places = local.places.iter().map(|place| {
        let fields = against(published, place.locator.as_deref(), place.read_key_id.as_deref(), place.read_secret);
        PlaceDrift { place: place.place, vault: place.vault, state: fields.state(), fields }
    });
    Drift { state: fields.state(), fields, places: places.collect(), consequence: consequence(chain, local, fields) }
}

fn against(
    published: Option<&Published>,
    locator: Option<&str>,
    read_key_id: Option<&str>,
    read_secret: Option<Fingerprint>,
) -> DriftFields {
    DriftFields {
        locator: FieldDrift::of(published.and_then(|p| p.locator.as_text()), locator),
        read_key_id: FieldDrift::of(published.and_then(|p| p.read_key_id.as_text()), read_key_id),
        read_secret: FieldDrift::of(published.map(|p| p.read_secret), read_secret),
    }
}

/// What GRAIL would commit at its next start, against the chain.
fn of_grail(published: &Published, grail: &GrailView) -> DriftState {
    against(Some(published), grail.locator.as_deref(), grail.read_key_id.as_deref(), grail.read_secret).state()
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
        return write_key_is_next(local);
    }
    if local.may_publish_write_key {
        return Consequence::new(
            Severity::Danger,
            "GRAIL may PUBLISH YOUR WRITE KEY",
            "The .env begins with a byte order mark, and a GRAIL with python-dotenv before 1.2.4 does not see its first \
             variable: it has no whole read pair then, and commits the write pair at its next start. Save the file without \
             the mark.",
        );
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
        (Some(_), Some(published)) => {
            let of_grail = || not_the_vault(published, local, fields);
            old_key(published, local).or_else(of_grail).unwrap_or_else(|| difference(published, local, fields))
        }
    }
}

/// A rotation that forgot a place: what GRAIL would commit at its next start is a key that was replaced already.
fn old_key(published: &Published, local: &LocalView) -> Option<Consequence> {
    let grail = &local.grail;
    let differs = grail.read_secret.is_some_and(|secret| secret != published.read_secret);
    if !differs || !matches!(local.mode, Mode::Dual) {
        return None;
    }
    // Of a place that is defined first and incomplete, another one's key counts.
    let taken = local.places.iter().position(|place| {
        let elsewhere = grail.place != Some(Place::Vault) && place.place == Place::Vault;
        !elsewhere && place.read_secret == grail.read_secret
    });
    let counts = taken.and_then(|at| local.places.get(at)).map_or("local values", |place| place.place.word());
    let up_to_date = local.places.iter().enumerate().find(|(at, place)| {
        taken != Some(*at)
            && place.read_secret == Some(published.read_secret)
            && place.read_key_id.as_deref() == published.read_key_id.as_text()
    });
    let in_vault = up_to_date.is_some_and(|(_, place)| place.place == Place::Vault);
    let exec = if in_vault { " and run GRAIL with grail-console exec" } else { "" };
    let why = match up_to_date {
        Some((_, place)) if place.place == Place::Vault => {
            format!("{} has the key that is on chain, but GRAIL takes the one in the {counts}", generation(place))
        }
        Some((_, place)) => {
            format!("The {} has the key that is on chain, but the {counts} beats it", place.place.word())
        }
        None if grail.read_secret.is_some_and(|secret| local.replaced.contains(&secret)) => {
            format!("The key in the {counts} is one that this machine replaced on chain before")
        }
        None => return None,
    };
    Some(Consequence::new(
        Severity::Danger,
        "next GRAIL start commits the OLD key",
        format!(
            "{why}: the next GRAIL start puts the old key back, and validators read with it again. Put the read pair that is \
             on chain into the {counts}, or take it out there{exec}."
        ),
    ))
}

fn generation(place: &PlaceView) -> String {
    place.vault.map_or_else(String::new, |vault| format!("Generation {} of the vault", vault.generation))
}

/// The vault is what is on chain, and GRAIL would commit something else than the vault.
fn not_the_vault(published: &Published, local: &LocalView, fields: DriftFields) -> Option<Consequence> {
    let place = local.grail.place.filter(|place| local.vault().is_some() && *place != Place::Vault)?;
    let parts = fields.state() == DriftState::Match && of_grail(published, &local.grail) != DriftState::Match;
    let (place, vault) = (place.word(), local.vault().map(generation).unwrap_or_default());
    match local.mode {
        Mode::Dual if parts => Some(Consequence::new(
            Severity::Warning,
            "next GRAIL start commits something else",
            format!(
                "{vault} is what is on chain, but GRAIL takes the {place}, where bucket or read key is another, and \
                 commits that at its next start. Correct the {place}, or take the keys out there and run GRAIL with \
                 grail-console exec."
            ),
        )),
        Mode::Incomplete if parts => Some(Consequence::new(
            Severity::Warning,
            "the vault agrees, GRAIL does not start",
            format!(
                "{vault} is what is on chain, but GRAIL takes the {place}, where a part is missing, and does not start. \
                 Take the keys out of the {place} and run GRAIL with grail-console exec."
            ),
        )),
        _ => None,
    }
}

fn write_key_is_next(local: &LocalView) -> Consequence {
    let why = match local.mode {
        Mode::Legacy => "A whole read pair is missing locally, so GRAIL will commit the write pair in its place",
        _ => "The read pair configured here is the write pair, and GRAIL will commit it",
    };
    let place = local.grail.place.filter(|_| local.vault().is_some());
    let beside = match place {
        None => String::new(),
        Some(Place::Vault) => " The generation in use in the vault is not whole.".to_owned(),
        Some(place) => format!(
            " What the vault holds changes nothing: GRAIL takes the {} first. Or take the keys out there and run GRAIL \
             with grail-console exec.",
            place.word()
        ),
    };
    Consequence::new(
        Severity::Danger,
        "next GRAIL start PUBLISHES YOUR WRITE KEY",
        format!(
            "{why} at its next start. Create a key that can only read and set R2_READ_ACCESS_KEY_ID and \
             R2_READ_SECRET_ACCESS_KEY to it before that.{beside}"
        ),
    )
}

/// Whether the published pair is, in any part, the local write pair.
pub fn exposes_write_key(published: &Published, local: &LocalView) -> bool {
    let id = published.read_key_id.as_text().map(Fingerprint::of);
    let is_id = id.is_some() && [local.write_key_id, local.grail.write_key_id].contains(&id);
    is_id || [local.write_secret, local.grail.write_secret].contains(&Some(published.read_secret))
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
fn next_start(published: &Published, local: &LocalView) -> String {
    let grail = &local.grail;
    let outside = grail.place.filter(|place| local.vault().is_some() && *place != Place::Vault);
    let same = grail.read_secret == local.read_secret && grail.read_key_id == local.read_key_id;
    match (local.mode, outside) {
        (Mode::Incomplete | Mode::Absent, _) => {
            "GRAIL does not start with the local values as they are, so it mends nothing.".to_owned()
        }
        (_, Some(place)) if of_grail(published, grail) == DriftState::Match => format!(
            "GRAIL takes the {}, which is what is on chain, so its next start changes nothing: what the vault holds must be \
             committed from here.",
            place.word()
        ),
        (_, Some(place)) if !same => format!(
            "GRAIL takes the {}, not the vault: its next start will commit another key than the vault's.",
            place.word()
        ),
        (Mode::Dual | Mode::Legacy, _) => "The next GRAIL start will commit the local values.".to_owned(),
    }
}

fn difference(published: &Published, local: &LocalView, fields: DriftFields) -> Consequence {
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
                next_start(published, local)
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
                next_start(published, local)
            ),
        ),
    }
}
