//! What must not be published: every secret of this machine that opens without a question, and where it stands.
//!
//! ```text
//! ids        compared as wholes: stores number theirs, and two of one account share most digits
//! secrets    the whole at any length, or a run of 16 characters; the SHA-256 of what may be an API token
//! READ names the account and the bucket are no secrets; what equals the read pair under another name is a copy of it, or
//!            a key that may do more: only the store can tell
//! ```

use std::fmt;

use zeroize::Zeroizing;

use super::known_secret::{Found, KnownSecret, Likeness, NO_NAME, SecretKind, SecretPlace, TOKEN};
use super::likeness::{Forms, Target, digest, folded, without, words};
use crate::domain::credentials::{LocalValues, ReadCredentials, Variable};
use crate::domain::secret::Fingerprint;
use crate::domain::vault_index::Index;

/// Shortest secret of a write pair or wallet that is looked for inside others: what stores take at least.
const SHORTEST: usize = 8;
/// Characters from which a common run of words without a digit is no name that people gave twice.
const NO_WORDS: usize = 32;

/// Whether a test of the store showed that the read pair only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadScope {
    /// It was shown: what equals the read pair is a copy of it, whatever it is called.
    ShownReadOnly,
    /// Nobody asked, or the answer told nothing.
    NotShown,
}

/// What could not be compared, or not in every form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncompared {
    /// A hotkey's file is encrypted.
    EncryptedHotkey,
    /// A file of a wallet, or a copy of the `.env`, cannot be read.
    UnreadableFile,
    /// A write pair in the vault is known by its fingerprints alone.
    LockedWritePair,
    /// An index of the vault cannot be read: which keys it speaks of is not known.
    UnreadableIndex,
}

impl Uncompared {
    /// How many of them, in words.
    pub fn words(self, count: usize) -> String {
        let s = if count == 1 { "" } else { "s" };
        match self {
            Self::EncryptedHotkey => format!("not compared: {count} encrypted hotkey{s} of this machine"),
            Self::UnreadableFile => format!("not compared: {count} file{s} that cannot be read"),
            Self::LockedWritePair => format!("compared as wholes only: {count} write pair{s} of a locked vault"),
            Self::UnreadableIndex => format!("not compared: {count} vault index file{s} that cannot be read"),
        }
    }
}

/// What would be published, ready to be compared.
pub(super) struct Parts<'a> {
    read: &'a ReadCredentials,
    locator: Target,
    key_id: Target,
    secret: Target,
    /// Fingerprints of each part in the spellings that one may have, for what is known by its fingerprint alone.
    prints: Vec<Fingerprint>,
    /// Whether what equals the read pair is nothing but a copy of it.
    copies_pass: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn of(read: &'a ReadCredentials, copies_pass: bool) -> Self {
        let texts = [read.locator.as_str(), read.key_id.as_str(), read.secret.expose()];
        let [locator, key_id, secret] = texts.map(Target::of);
        let prints = texts.into_iter().flat_map(spellings).collect();
        Self { read, locator, key_id, secret, prints, copies_pass }
    }
}

/// Fingerprints of a text forward and backward, in each letter case.
fn spellings(text: &str) -> Vec<Fingerprint> {
    let back = Zeroizing::new(text.chars().rev().collect::<String>());
    let each = |text: &str| {
        let (lower, upper) = (text.to_ascii_lowercase(), text.to_ascii_uppercase());
        let spelt = [text.to_owned(), lower, upper].map(Zeroizing::new);
        spelt.map(|text| Fingerprint::of(&text))
    };
    [each(text), each(&back)].concat()
}

impl KnownSecret {
    /// How it stands in what would be published.
    fn likeness(&self, parts: &Parts<'_>) -> Option<Likeness> {
        let text = self.text.expose().trim();
        match self.kind {
            SecretKind::WriteKeyId => id_likeness(text, parts),
            SecretKind::WriteSecret => {
                secret_likeness(text, false, parts).or_else(|| digest_likeness(text, &parts.secret))
            }
            SecretKind::Wallet => secret_likeness(text, true, parts),
            SecretKind::Other(_) | SecretKind::Unnamed => self.other_likeness(text, parts),
        }
    }

    /// Of a text of which nobody says for certain that it is a secret, or whose.
    fn other_likeness(&self, text: &str, parts: &Parts<'_>) -> Option<Likeness> {
        let is_secret = self.kind.is_named_secret();
        let counts = |run: &[u8]| is_secret || is_no_phrase(run);
        let plain = folded(text.as_bytes());
        let is_key = |target: &Target| target.is(&plain) || words(text).any(|word| target.is(&folded(word.as_bytes())));
        if !parts.copies_pass {
            let is_copy = is_key(&parts.secret) || (is_secret && !self.kind.is_named_id() && parts.key_id.is(&plain));
            if is_copy {
                return Some(Likeness::Whole);
            }
        }
        // What the store showed to be the read pair, the key id under any name and the bucket are no secrets.
        let mut rest = without(text, &parts.read.locator);
        rest = without(&rest, parts.read.key_id.as_str());
        if parts.copies_pass {
            rest = without(&rest, parts.read.secret.expose());
        }
        let near = |text: &str| {
            let forms = Forms::of(text);
            let names = [&parts.key_id, &parts.locator];
            forms.reach(&parts.secret, counts)
                || (is_secret && names.into_iter().any(|part| forms.reach(part, is_no_phrase)))
        };
        let words_of = |text| words(text).filter(move |word| word.len() >= TOKEN && *word != text);
        if near(&rest) || words_of(&rest).any(near) {
            return Some(Likeness::Near);
        }
        [text].into_iter().chain(words_of(text)).find_map(|token| {
            let digest = digest(token);
            let is_of_the_read_pair = parts.copies_pass && parts.secret.is(digest.as_bytes());
            if is_of_the_read_pair { None } else { digest_likeness_of(&digest, &parts.secret) }
        })
    }
}

fn id_likeness(id: &str, parts: &Parts<'_>) -> Option<Likeness> {
    let id = folded(id.as_bytes());
    if parts.key_id.is(&id) || parts.secret.is(&id) {
        return Some(Likeness::Whole);
    }
    let everywhere = [&parts.locator, &parts.key_id, &parts.secret].into_iter().any(|part| part.holds(&id));
    (id.len() >= NO_NAME && everywhere).then_some(Likeness::Whole)
}

/// Of a secret for certain. One of words may share them with a key.
fn secret_likeness(text: &str, of_words: bool, parts: &Parts<'_>) -> Option<Likeness> {
    let forms = Forms::of(text);
    let keys = [&parts.key_id, &parts.secret];
    let is_locator = forms.plain().len() >= NO_NAME && forms.are(&parts.locator);
    if is_locator || keys.into_iter().any(|part| forms.are(part)) {
        return Some(Likeness::Whole);
    }
    let held = forms.plain().len() >= SHORTEST && keys.into_iter().any(|part| part.holds(forms.plain()));
    // Names are given twice; only a run that is no name counts where names stand.
    let counts = |run: &[u8]| of_words || is_no_phrase(run);
    let beside = Forms::of(&without(text, &parts.read.locator));
    let near = held
        || forms.reach(&parts.secret, |_| true)
        || forms.reach(&parts.key_id, counts)
        || beside.reach(&parts.locator, counts);
    near.then_some(Likeness::Near)
}

fn digest_likeness(text: &str, secret: &Target) -> Option<Likeness> {
    if text.is_empty() { None } else { digest_likeness_of(&digest(text), secret) }
}

fn digest_likeness_of(digest: &str, secret: &Target) -> Option<Likeness> {
    let forms = Forms::of(digest);
    (forms.are(secret) || forms.reach(secret, |_| true)).then_some(Likeness::Digest)
}

/// Whether a run is none of words that people may have used for several things.
fn is_no_phrase(run: &[u8]) -> bool {
    run.len() >= NO_WORDS || run.iter().any(u8::is_ascii_digit)
}

/// Every text that must never be published. `Debug` shows how many there are.
#[derive(Clone, Default)]
pub struct Forbidden {
    known: Vec<KnownSecret>,
    /// What is known by its fingerprint alone.
    prints: Vec<(SecretKind, SecretPlace, Fingerprint)>,
    uncompared: Vec<(Uncompared, usize)>,
}

impl Forbidden {
    /// The write pair from every place that defines it, also where another definition hides it.
    pub fn of(values: &LocalValues) -> Self {
        let pair = [(Variable::WriteKeyId, SecretKind::WriteKeyId), (Variable::WriteSecret, SecretKind::WriteSecret)];
        let all = pair.iter().flat_map(|(variable, kind)| {
            let definitions = values.definitions(*variable).iter();
            definitions.map(|sourced| KnownSecret {
                kind: kind.clone(),
                place: sourced.source.into(),
                text: sourced.value.clone(),
            })
        });
        Self::default().and(all)
    }

    /// The same, and more secrets.
    #[must_use]
    pub fn and(mut self, known: impl IntoIterator<Item = KnownSecret>) -> Self {
        self.known.extend(known.into_iter().filter(|known| !known.text.expose().trim().is_empty()));
        self
    }

    /// The same, and every write key that an index of the vault speaks of, in use or not: none of them needs to be opened for
    /// that. `hotkey` is whose they are, the own ones' `None`.
    #[must_use]
    pub fn and_held(mut self, hotkey: Option<&str>, index: &Index) -> Self {
        for holding in &index.holdings {
            let Some(write) = &holding.write else { continue };
            let place = || SecretPlace::Vault { hotkey: hotkey.map(ToOwned::to_owned), generation: holding.number };
            let pair = [(SecretKind::WriteKeyId, write.id), (SecretKind::WriteSecret, write.secret)];
            self.prints.extend(pair.into_iter().map(|(kind, print)| (kind, place(), print)));
        }
        self
    }

    /// The same, and so many that could not be compared.
    #[must_use]
    pub fn and_not(mut self, what: Uncompared, count: usize) -> Self {
        if count > 0 {
            self.uncompared.push((what, count));
        }
        self
    }

    /// What could not be compared, or not in every form.
    pub(super) fn uncompared(&self) -> &[(Uncompared, usize)] {
        &self.uncompared
    }

    /// The first secret of which something stands in these parts.
    pub(super) fn found_in(&self, parts: &Parts<'_>) -> Option<Found> {
        let found = |kind: &SecretKind, place: &SecretPlace, likeness| Found {
            kind: kind.clone(),
            place: place.clone(),
            likeness,
        };
        // What is certainly a secret is named before what may be one.
        let certain = |known: &&KnownSecret| !matches!(known.kind, SecretKind::Other(_) | SecretKind::Unnamed);
        let (certain, others): (Vec<_>, Vec<_>) = self.known.iter().partition(certain);
        let look =
            |known: &KnownSecret| known.likeness(parts).map(|likeness| found(&known.kind, &known.place, likeness));
        let print = || {
            let print = self.prints.iter().find(|(.., print)| parts.prints.contains(print))?;
            Some(found(&print.0, &print.1, Likeness::Whole))
        };
        certain.into_iter().find_map(look).or_else(print).or_else(|| others.into_iter().find_map(look))
    }
}

/// What is known of them, without what is known by its fingerprint alone.
impl IntoIterator for Forbidden {
    type Item = KnownSecret;
    type IntoIter = std::vec::IntoIter<KnownSecret>;

    fn into_iter(self) -> Self::IntoIter {
        self.known.into_iter()
    }
}

impl fmt::Debug for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forbidden({} secrets)", self.known.len() + self.prints.len())
    }
}
