//! The local credentials side by side, comparable and without a secret: vault, `.env`, environment, and what GRAIL takes.
//!
//! For the console a key in the vault beats the `.env`, and that the environment. GRAIL knows nothing of the vault: where
//! its `.env` or environment define a key, it takes what they define, whatever the vault holds. Only where they define
//! none does it get the vault's, from `grail-console exec`.

use serde::Serialize;

use crate::domain::credentials::{LocalValues, Mode, Source, Variable};
use crate::domain::provider::Provider;
use crate::domain::secret::Fingerprint;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, Index};

/// What the console keeps of the local credentials for comparing and showing: public ids and fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocalView {
    /// Bucket name, or the account id where no bucket is configured.
    pub locator: Option<String>,
    /// Read access key id.
    pub read_key_id: Option<String>,
    /// Fingerprint of the read secret.
    pub read_secret: Option<Fingerprint>,
    /// Fingerprint of the write access key id.
    pub write_key_id: Option<Fingerprint>,
    /// Fingerprint of the write secret.
    pub write_secret: Option<Fingerprint>,
    /// What GRAIL would do.
    pub mode: Mode,
    /// The read pair of each place that defines one, the one that counts first: vault, `.env`, environment.
    pub places: Vec<PlaceView>,
    /// What GRAIL itself would take at its next start; the same as above where no vault is in use.
    pub grail: GrailView,
    /// Fingerprints of read secrets that this machine has replaced on chain, from the journal: old keys.
    pub replaced: Vec<Fingerprint>,
    /// Whether a GRAIL with an older python-dotenv would publish a write key, and one with the newest would not.
    #[serde(skip)]
    pub may_publish_write_key: bool,
}

/// What GRAIL would take at its next start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GrailView {
    /// Where its keys stand; the vault where it gets them from `exec`. `None` where there are none.
    pub place: Option<Place>,
    /// Bucket name, or the account id where no bucket is configured.
    pub locator: Option<String>,
    /// Read access key id.
    pub read_key_id: Option<String>,
    /// Fingerprint of the read secret.
    pub read_secret: Option<Fingerprint>,
    /// Fingerprint of the write access key id.
    pub write_key_id: Option<Fingerprint>,
    /// Fingerprint of the write secret.
    pub write_secret: Option<Fingerprint>,
}

/// What one place says of the read credentials, comparable and without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceView {
    /// Which place.
    pub place: Place,
    /// Which generation in which store, of the vault's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultPlace>,
    /// Bucket name, or the account id where no bucket is defined there.
    pub locator: Option<String>,
    /// Read access key id.
    pub read_key_id: Option<String>,
    /// Fingerprint of the read secret.
    pub read_secret: Option<Fingerprint>,
}

/// A generation and the store that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VaultPlace {
    /// Number of the generation, from 1.
    pub generation: GenerationNumber,
    /// Which store; `None` where the index does not know the generation.
    pub backend: Option<Backend>,
}

/// A place that credentials are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The vault, which beats the others for the console.
    Vault,
    /// GRAIL's `.env`, which beats exported variables.
    EnvFile,
    /// Exported variables.
    Environment,
}

impl Place {
    /// The word on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::EnvFile => ".env",
            Self::Environment => "environment",
        }
    }

    pub(super) fn heading(self, vault: Option<VaultPlace>) -> String {
        match vault {
            Some(vault) => format!("{} #{}", self.word(), vault.generation),
            None => self.word().to_owned(),
        }
    }

    /// The place of a source.
    pub const fn of(source: Source) -> Self {
        match source {
            Source::Vault { .. } => Self::Vault,
            Source::EnvFile { .. } => Self::EnvFile,
            Source::Environment => Self::Environment,
        }
    }
}

impl PlaceView {
    /// What heads its column: the vault with its generation, as `vault #2`.
    pub fn heading(&self) -> String {
        self.place.heading(self.vault)
    }

    fn of(place: Place, vault: Option<VaultPlace>, parts: Parts) -> Option<Self> {
        let Parts { locator, read_key_id, read_secret, .. } = parts;
        let says = locator.is_some() || read_key_id.is_some() || read_secret.is_some();
        says.then_some(Self { place, vault, locator, read_key_id, read_secret })
    }
}

/// How a value is kept that has not the shape of an id: this, and its fingerprint, since it may be a secret in the wrong
/// place.
pub const MISSHAPEN: &str = "misshapen:";

fn misshapen(print: Fingerprint) -> String {
    format!("{MISSHAPEN}{print}")
}

fn id_of(provider: &Provider, values: &LocalValues, variable: Variable) -> Option<String> {
    values.text(variable).map(|text| match variable.check(provider, text) {
        Ok(()) => text.to_owned(),
        Err(_) => misshapen(Fingerprint::of(text)),
    })
}

/// The five things that can be compared.
#[derive(Clone, Default)]
struct Parts {
    locator: Option<String>,
    read_key_id: Option<String>,
    read_secret: Option<Fingerprint>,
    write_key_id: Option<Fingerprint>,
    write_secret: Option<Fingerprint>,
}

impl Parts {
    fn of(provider: &Provider, values: &LocalValues) -> Self {
        let id = |variable: Variable| id_of(provider, values, variable);
        let fingerprint = |variable| values.effective(variable).map(|sourced| sourced.value.fingerprint());
        Self {
            locator: id(Variable::BucketId).or_else(|| id(Variable::AccountId)),
            read_key_id: id(Variable::ReadKeyId),
            read_secret: fingerprint(Variable::ReadSecret),
            write_key_id: fingerprint(Variable::WriteKeyId),
            write_secret: fingerprint(Variable::WriteSecret),
        }
    }

    fn held(holding: &Holding) -> Self {
        let (read, write) = (holding.read.as_ref(), holding.write.as_ref());
        Self {
            locator: holding.locator.clone(),
            read_key_id: read.map(|read| holding.read_key_id.clone().unwrap_or_else(|| misshapen(read.id))),
            read_secret: read.map(|read| read.secret),
            write_key_id: write.map(|write| write.id),
            write_secret: write.map(|write| write.secret),
        }
    }

    /// What is missing here, from another place.
    fn or(self, other: Self) -> Self {
        Self {
            locator: self.locator.or(other.locator),
            read_key_id: self.read_key_id.or(other.read_key_id),
            read_secret: self.read_secret.or(other.read_secret),
            write_key_id: self.write_key_id.or(other.write_key_id),
            write_secret: self.write_secret.or(other.write_secret),
        }
    }

    /// As [`Mode::of`], of a GRAIL that gets these from `exec`.
    const fn mode(&self) -> Mode {
        match (self.read_secret.is_some(), self.write_secret.is_some()) {
            (false, true) => Mode::Legacy,
            (true, true) if self.locator.is_some() => Mode::Dual,
            _ => Mode::Incomplete,
        }
    }

    fn taken_from(self, place: Option<Place>) -> GrailView {
        let Self { locator, read_key_id, read_secret, write_key_id, write_secret } = self;
        GrailView { place, locator, read_key_id, read_secret, write_key_id, write_secret }
    }
}

impl LocalView {
    /// The comparable part of values, where no vault is in use.
    pub fn of(provider: &Provider, values: &LocalValues) -> Self {
        Self::beside(provider, values, &Index::default())
    }

    /// The same beside what the vault holds, which the index knows without opening it. Where the values have a generation
    /// of the vault on top, that one counts, else the one in use.
    pub fn beside(provider: &Provider, values: &LocalValues, index: &Index) -> Self {
        let outside = values.grail();
        let vault = in_vault(provider, values, index);
        let grail_keys = outside.keys_from().map(Place::of);
        let (grail, mode) = match &vault {
            Some((_, kept)) if grail_keys.is_none() => {
                // The `.env` is loaded over what `exec` exports, and what is exported besides is under it.
                let of = |place| Parts::of(provider, &outside.only(|source| Place::of(source) == place));
                let taken = of(Place::EnvFile).or(kept.clone()).or(of(Place::Environment));
                let mode = taken.mode();
                (taken.taken_from(Some(Place::Vault)), mode)
            }
            _ => (Parts::of(provider, &outside).taken_from(grail_keys), Mode::of(&outside)),
        };
        let counts = vault.as_ref().map(|(_, kept)| kept.clone()).unwrap_or_default().or(Parts::of(provider, &outside));
        let first = vault.and_then(|(place, kept)| PlaceView::of(Place::Vault, Some(place), kept));
        let files = [Place::EnvFile, Place::Environment].into_iter().filter_map(|place| {
            PlaceView::of(place, None, Parts::of(provider, &outside.only(|source| Place::of(source) == place)))
        });
        Self {
            locator: counts.locator,
            read_key_id: counts.read_key_id,
            read_secret: counts.read_secret,
            write_key_id: counts.write_key_id,
            write_secret: counts.write_secret,
            mode,
            places: first.into_iter().chain(files).collect(),
            grail,
            replaced: Vec::new(),
            may_publish_write_key: false,
        }
    }

    /// The vault's place, where a vault is in use.
    pub fn vault(&self) -> Option<&PlaceView> {
        self.places.iter().find(|place| place.place == Place::Vault)
    }

    /// Whether GRAIL's next start would publish a part of a write pair: it has nothing else (single-credential mode), or
    /// its read pair is a write pair, its own or the vault's.
    pub fn would_publish_write_key(&self) -> bool {
        let (read, grail) = (self.grail.read_key_id.as_deref().map(Fingerprint::of), &self.grail);
        let is =
            |print: Option<Fingerprint>, write: [Option<Fingerprint>; 2]| print.is_some() && write.contains(&print);
        let same_id = is(read, [self.write_key_id, grail.write_key_id]);
        let same_secret = is(grail.read_secret, [self.write_secret, grail.write_secret]);
        self.mode == Mode::Legacy || same_id || same_secret
    }

    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.locator.is_none() && self.read_key_id.is_none() && self.read_secret.is_none()
    }
}

/// The generation of the vault that counts, and what it holds.
fn in_vault(provider: &Provider, values: &LocalValues, index: &Index) -> Option<(VaultPlace, Parts)> {
    if let Some(generation) = values.generation() {
        let backend = index.holding(generation).map(|holding| holding.backend);
        let parts = Parts::of(provider, &values.only(Source::is_vault));
        return Some((VaultPlace { generation, backend }, parts));
    }
    let holding = index.in_use()?;
    Some((VaultPlace { generation: holding.number, backend: Some(holding.backend) }, Parts::held(holding)))
}
