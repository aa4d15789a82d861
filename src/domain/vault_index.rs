//! What is known of the keys in the vault without opening it: generations, fingerprints, and which one is in use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::text::middle_cut;

/// Number of a generation of keys, from 1; numbers only grow and are never used again.
pub type GenerationNumber = u64;

/// More generations than keys that anybody ever rotates. A higher number was never given out: whoever reads one reads rubbish.
pub const MOST_GENERATIONS: GenerationNumber = 1 << 20;

/// Which store holds a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The desktop's Secret Service over D-Bus (gnome-keyring, KWallet, KeePassXC).
    SecretService,
    /// macOS: the login keychain.
    Keychain,
    /// Windows: the Credential Manager.
    CredentialManager,
    /// An age file of our own, for hosts without a desktop; only where it is asked for.
    File,
    /// Linux: the kernel's keyring, which forgets at reboot; only where it is asked for.
    Keyutils,
    /// The practice subnet's, which ends with the process.
    Memory,
}

impl Backend {
    /// Those that an operator may choose.
    pub const NAMED: [Self; 5] =
        [Self::SecretService, Self::Keychain, Self::CredentialManager, Self::File, Self::Keyutils];

    /// The one of a word of the configuration; memory cannot be chosen.
    pub fn named(word: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|backend| backend.word() == word)
    }

    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SecretService => "secret-service",
            Self::Keychain => "keychain",
            Self::CredentialManager => "credential-manager",
            Self::File => "file",
            Self::Keyutils => "keyutils",
            Self::Memory => "memory",
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecretService => "the Secret Service",
            Self::Keychain => "the login keychain",
            Self::CredentialManager => "the Credential Manager",
            Self::File => "the encrypted file",
            Self::Keyutils => "the kernel's keyring (until reboot)",
            Self::Memory => "memory (until the end of the practice)",
        }
    }
}

/// A key pair without its secret: enough to recognise it and to compare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// Fingerprint of the key id.
    pub id: Fingerprint,
    /// Fingerprint of the secret.
    pub secret: Fingerprint,
    /// The ends of the key id, as screens show it.
    pub shown: String,
}

impl KeyRef {
    /// Of a key id and its secret.
    pub fn of(id: &str, secret: &SecretKey) -> Self {
        Self { id: Fingerprint::of(id), secret: secret.fingerprint(), shown: middle_cut(id, 6, 4) }
    }
}

/// As `7be1a2…90ab fp 51aa0c3e`.
impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fp {}", self.shown, self.secret.short())
    }
}

/// How a generation came into the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Taken over from `.env` or environment.
    Imported,
    /// Brought by a rotation.
    Rotated,
}

/// A generation that the vault holds, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Its number.
    pub number: GenerationNumber,
    /// Where it is.
    pub backend: Backend,
    /// When it was put there, in ms since 1970.
    pub created_ms: u64,
    /// How it came there.
    pub origin: Origin,
    /// Bucket name (the account id on R2), where one belongs to it: public.
    pub locator: Option<String>,
    /// The read key id where it has its provider's shape: public, since it is published.
    pub read_key_id: Option<String>,
    /// The read pair.
    pub read: Option<KeyRef>,
    /// The write pair.
    pub write: Option<KeyRef>,
}

impl Holding {
    /// As `generation 2 in the Secret Service (secret-service)`.
    pub fn summary(&self) -> String {
        format!("generation {} in {} ({})", self.number, self.backend.name(), self.backend.word())
    }
}

/// What a vault holds for one owner. Kept on disk beside the vault, without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The generation in use.
    pub current: Option<GenerationNumber>,
    /// The highest number ever given out.
    pub highest: GenerationNumber,
    /// What is held, oldest first.
    pub holdings: Vec<Holding>,
}

impl Index {
    /// The generation in use.
    pub fn in_use(&self) -> Option<&Holding> {
        self.current.and_then(|number| self.holding(number))
    }

    /// One generation.
    pub fn holding(&self, number: GenerationNumber) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.number == number)
    }

    /// Whether its numbers can have been given out.
    pub fn is_possible(&self) -> bool {
        let held = self.holdings.iter().map(|holding| holding.number);
        held.chain(self.current).chain([self.highest]).all(|number| number <= MOST_GENERATIONS)
    }

    /// The number that the next generation gets.
    pub fn next(&self) -> GenerationNumber {
        self.holdings.iter().map(|holding| holding.number).fold(self.highest, u64::max) + 1
    }

    /// Notes a generation; one of the same number is replaced.
    pub fn hold(&mut self, holding: Holding) {
        self.highest = self.highest.max(holding.number);
        self.holdings.retain(|other| other.number != holding.number);
        self.holdings.push(holding);
        self.holdings.sort_by_key(|holding| holding.number);
    }

    /// Puts a generation into use, if it is held.
    pub fn promote(&mut self, number: GenerationNumber) -> bool {
        let held = self.holding(number).is_some();
        if held {
            self.current = Some(number);
        }
        held
    }

    /// Strikes a generation out.
    pub fn forget(&mut self, number: GenerationNumber) {
        self.highest = self.highest.max(number);
        self.holdings.retain(|holding| holding.number != number);
        if self.current == Some(number) {
            self.current = None;
        }
    }
}
