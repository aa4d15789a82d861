//! The 128-character commitment: total in reading, exact in writing.
//!
//! Reading follows GRAIL's acceptance rule to the letter (FACTS 2): the first field, strict UTF-8, exactly 128 code
//! points, three slices trimmed of Unicode white space, each at least one character. Whatever GRAIL drops without
//! a word gets a named [`Reason`] here. Writing never truncates and never pads over: a value that does not fit is an
//! error that names the field and its length.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::domain::account::{KEY_ID_CHARS, LOCATOR_CHARS, SECRET_CHARS, is_lower_hex};
pub use crate::domain::hexdump::MaskedBytes;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::text::grouped;
use crate::domain::untrusted::{Untrusted, sanitize};

/// Code points of a readable commitment.
pub const COMMITMENT_CHARS: usize = LOCATOR_CHARS + KEY_ID_CHARS + SECRET_CHARS;

/// Characters kept of a variant's name; the longest of today's runtimes has 19.
const VARIANT_SHOWN: usize = 40;

/// One field of a registration, by what it carries. Its bytes may be somebody's keys: `Debug` shows only the length.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// `Data::None`.
    Nothing,
    /// `Raw{n}` or `BigRaw`: bytes that GRAIL tries to read.
    Bytes {
        /// Variant name in the metadata, such as `Raw128`.
        variant: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// One of the four 32-byte hashes.
    Hash {
        /// Variant name, such as `BlakeTwo256`.
        variant: String,
    },
    /// `TimelockEncrypted`: nobody can read it before its round.
    Timelock {
        /// Length of the ciphertext in bytes.
        length: usize,
        /// drand round of the reveal.
        reveal_round: u64,
    },
    /// `TimelockRevealFailed`: its round came, and the chain could not open it.
    RevealFailed {
        /// drand round of the reveal.
        reveal_round: u64,
    },
    /// A variant without content, such as `ResetBondsFlag`.
    Flag {
        /// Variant name.
        variant: String,
    },
    /// A variant that this version does not know.
    Unknown {
        /// Variant name in the node's metadata.
        variant: Untrusted,
    },
}

impl Payload {
    /// The variant's name, for the detail view. It comes from the node's metadata, hence sanitised.
    pub fn variant(&self) -> String {
        match self {
            Self::Nothing => "None".to_owned(),
            Self::Bytes { variant, .. } | Self::Hash { variant } | Self::Flag { variant } => {
                sanitize(variant, VARIANT_SHOWN)
            }
            Self::Timelock { .. } => "TimelockEncrypted".to_owned(),
            Self::RevealFailed { .. } => "TimelockRevealFailed".to_owned(),
            Self::Unknown { variant } => variant.shown(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes { bytes, .. } => bytes,
            _ => &[],
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.variant(), self.bytes().len())
    }
}

/// One entry of `Commitments.CommitmentOf` as the chain holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A decoded registration.
    Registration {
        /// Block number at which it was set.
        block: u64,
        /// Deposit in rao (10⁻⁹ TAO).
        deposit: u64,
        /// The fields; GRAIL reads only the first.
        fields: Vec<Payload>,
    },
    /// A value that the node's own metadata cannot decode.
    Undecodable {
        /// Block number at which it was set, when the value decodes that far.
        block: Option<u64>,
        /// Length of the value in bytes.
        length: usize,
        /// Index of a variant of `Data` that the metadata does not have, when that is why.
        unknown: Option<u8>,
        /// The bytes from the part on that does not decode, masked: content begins after them, its secret later still.
        dump: MaskedBytes,
        /// What the decoder said.
        why: Untrusted,
    },
}

/// Why GRAIL would drop a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The registration has no field.
    NoField,
    /// The first field carries no bytes (`None`, a flag).
    NoBytes,
    /// The first field is a hash.
    Hash,
    /// The first field is timelock-encrypted.
    Timelock,
    /// Not exactly 128 code points.
    WrongLength,
    /// Not UTF-8.
    NotUtf8,
    /// Locator, key id or secret is nothing but blanks.
    BlankPart,
    /// A variant of `Data` that this console, or the node's metadata, does not know.
    UnknownVariant,
    /// The stored bytes do not decode with the node's metadata.
    Undecodable,
}

impl Reason {
    /// Every reason, in the order of the table's sort.
    pub const ALL: [Self; 9] = [
        Self::NoField,
        Self::NoBytes,
        Self::Hash,
        Self::Timelock,
        Self::WrongLength,
        Self::NotUtf8,
        Self::BlankPart,
        Self::UnknownVariant,
        Self::Undecodable,
    ];

    /// The name used in JSON and in the filter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoField => "no_field",
            Self::NoBytes => "no_bytes",
            Self::Hash => "hash",
            Self::Timelock => "timelock",
            Self::WrongLength => "wrong_length",
            Self::NotUtf8 => "not_utf8",
            Self::BlankPart => "blank_part",
            Self::UnknownVariant => "unknown_variant",
            Self::Undecodable => "undecodable",
        }
    }
}

/// Whether a readable commitment has the shapes of R2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// 32 / 32 / 64 lowercase hexadecimal characters.
    R2,
    /// Anything else that GRAIL's rule accepts: keys of another S3 store, or rubbish of the right length.
    Foreign,
}

/// The three parts of a readable commitment, secret included: for those who talk to the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Account id or bucket name: bytes alone cannot tell the two layouts apart.
    pub locator: Untrusted,
    /// Read access key id.
    pub read_key_id: Untrusted,
    /// Read secret access key.
    pub read_secret: SecretKey,
}

/// What may be shown of a readable commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Account id or bucket name.
    pub locator: Untrusted,
    /// Read access key id.
    pub read_key_id: Untrusted,
    /// Fingerprint of the read secret.
    pub read_secret: Fingerprint,
    /// R2's shapes or others.
    pub shape: Shape,
}

impl Parts {
    /// What may be shown of it.
    pub fn published(&self) -> Published {
        Published {
            locator: self.locator.clone(),
            read_key_id: self.read_key_id.clone(),
            read_secret: self.read_secret.fingerprint(),
            shape: self.shape(),
        }
    }

    fn shape(&self) -> Shape {
        let hex_of = |text: &str, chars| text.len() == chars && is_lower_hex(text);
        let r2 = self.locator.as_text().is_some_and(|t| hex_of(t, LOCATOR_CHARS))
            && self.read_key_id.as_text().is_some_and(|t| hex_of(t, KEY_ID_CHARS))
            && hex_of(self.read_secret.expose(), SECRET_CHARS);
        if r2 { Shape::R2 } else { Shape::Foreign }
    }
}

/// Why a commitment cannot be read, with the particulars in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The named state.
    pub reason: Reason,
    /// A few words for the table, such as `100 of 128` or `not UTF-8`.
    pub label: String,
    /// A sentence for the detail view.
    pub detail: String,
}

impl Unreadable {
    fn new(reason: Reason, label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason, label: label.into(), detail: detail.into() }
    }
}

/// GRAIL's acceptance rule on the fields of one registration.
pub fn read(fields: &[Payload]) -> Result<Parts, Unreadable> {
    let first = fields.first().ok_or_else(|| {
        Unreadable::new(Reason::NoField, "no field", "The registration is on chain but holds no field at all.")
    })?;
    match first {
        Payload::Bytes { bytes, .. } => read_bytes(bytes),
        Payload::Nothing => Err(Unreadable::new(Reason::NoBytes, "empty", "The field is None: nothing was published.")),
        Payload::Flag { .. } => Err(Unreadable::new(
            Reason::NoBytes,
            "a flag",
            format!("The field is the flag {}, which carries no bytes.", first.variant()),
        )),
        Payload::Hash { .. } => Err(Unreadable::new(
            Reason::Hash,
            "a hash",
            format!("The field is a {} hash of 32 bytes, from which no key can be read.", first.variant()),
        )),
        Payload::Timelock { length, reveal_round } => Err(Unreadable::new(
            Reason::Timelock,
            "timelocked",
            format!(
                "The field is encrypted ({length} bytes) until drand round {}; validators cannot open it.",
                grouped(*reveal_round)
            ),
        )),
        Payload::RevealFailed { reveal_round } => Err(Unreadable::new(
            Reason::Timelock,
            "timelocked",
            format!(
                "The field was encrypted until drand round {}, and the chain could not open it.",
                grouped(*reveal_round)
            ),
        )),
        Payload::Unknown { variant } => Err(Unreadable::new(
            Reason::UnknownVariant,
            "unknown kind",
            format!("The field is of the kind {variant:?}, which this version does not know."),
        )),
    }
}

/// The 128 characters of a stored commitment that GRAIL's rule accepts, as they are.
pub fn readable_text(stored: &Stored) -> Option<SecretKey> {
    let Stored::Registration { fields, .. } = stored else { return None };
    read(fields).ok()?;
    fields.first().and_then(|field| std::str::from_utf8(field.bytes()).ok()).map(SecretKey::new)
}

/// The rule on the bytes of the first field.
pub fn read_bytes(bytes: &[u8]) -> Result<Parts, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let chars: Vec<char> = text.chars().collect();
    if chars.len() != COMMITMENT_CHARS {
        return Err(wrong_length(chars.len()));
    }
    let slice = |from: usize, to: usize| trimmed(&chars[from..to]);
    let locator = slice(0, LOCATOR_CHARS);
    let read_key_id = slice(LOCATOR_CHARS, LOCATOR_CHARS + KEY_ID_CHARS);
    let read_secret = slice(LOCATOR_CHARS + KEY_ID_CHARS, COMMITMENT_CHARS);
    let parts = [("bucket", &locator), ("read key id", &read_key_id), ("read secret", &read_secret)];
    if let Some((name, _)) = parts.iter().find(|(_, value)| value.is_empty()) {
        let detail = format!("The {name} is nothing but blanks, so GRAIL drops the whole commitment.");
        return Err(Unreadable::new(Reason::BlankPart, format!("blank {}", short_part(name)), detail));
    }
    Ok(Parts {
        locator: Untrusted::from_text(locator),
        read_key_id: Untrusted::from_text(read_key_id),
        read_secret: SecretKey::new(read_secret),
    })
}

fn short_part(name: &str) -> &str {
    name.strip_prefix("read ").unwrap_or(name)
}

fn not_utf8(bytes: &[u8], at: usize) -> Unreadable {
    let detail = format!(
        "Byte {at} of {} (0x{:02x}) is no part of UTF-8, so GRAIL drops the commitment.",
        bytes.len(),
        bytes.get(at).copied().unwrap_or_default()
    );
    Unreadable::new(Reason::NotUtf8, "not UTF-8", detail)
}

fn wrong_length(chars: usize) -> Unreadable {
    let detail = format!(
        "{chars} characters where GRAIL demands exactly {COMMITMENT_CHARS} (bucket 32, key id 32, secret 64, padded with \
         blanks)."
    );
    Unreadable::new(Reason::WrongLength, format!("{chars} of {COMMITMENT_CHARS}"), detail)
}

fn undecodable(length: usize, unknown: Option<u8>, why: &Untrusted) -> Unreadable {
    match unknown {
        Some(index) => Unreadable::new(
            Reason::UnknownVariant,
            "unknown kind",
            format!("A field is of the kind with index {index}, which this node's metadata does not have."),
        ),
        None => Unreadable::new(
            Reason::Undecodable,
            "undecodable",
            format!("The {length} stored bytes do not decode with this node's metadata: {}", why.shown()),
        ),
    }
}

/// GRAIL's parts pass through pydantic, which strips Unicode white space. It is not Python's `str.strip`: the
/// information separators U+001C to U+001F stay, and a part made of them is not blank.
fn trimmed(chars: &[char]) -> String {
    chars.iter().collect::<String>().trim().to_owned()
}

/// One on-chain commitment as the console keeps it: judged, and without the secret. Its clones are one and the same, so
/// that snapshot, roster and changes of 65,536 uids hold it once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Judged")]
pub struct Commitment(Arc<Judged>);

impl Deref for Commitment {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.0
    }
}

impl From<Judged> for Commitment {
    fn from(judged: Judged) -> Self {
        Self(Arc::new(judged))
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

/// What a [`Commitment`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Block number at which it was set; `None` when the value does not decode that far.
    pub block: Option<u64>,
    /// Number of fields in the registration.
    pub fields: usize,
    /// Variant name of the first field, such as `Raw128`.
    pub variant: String,
    /// The first field's bytes with the secret's place masked; of a value that does not decode, its bytes from there on.
    pub dump: MaskedBytes,
    /// GRAIL's judgement.
    pub reading: Reading,
}

/// Whether GRAIL's rule accepts the commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Reading {
    /// It does.
    Readable(Published),
    /// It does not.
    Unreadable(Unreadable),
}

impl Commitment {
    /// Judges a stored entry and drops its secret.
    pub fn of(stored: &Stored) -> Self {
        let judged = match stored {
            Stored::Registration { block, fields, .. } => Judged {
                block: Some(*block),
                fields: fields.len(),
                variant: fields.first().map_or_else(|| "—".to_owned(), Payload::variant),
                dump: MaskedBytes::of(fields.first().map_or(&[], Payload::bytes)),
                reading: match read(fields) {
                    Ok(parts) => Reading::Readable(parts.published()),
                    Err(unreadable) => Reading::Unreadable(unreadable),
                },
            },
            Stored::Undecodable { block, length, unknown, dump, why } => Judged {
                block: *block,
                fields: 0,
                variant: unknown.map_or_else(|| "—".to_owned(), |index| format!("index {index}")),
                dump: dump.clone(),
                reading: Reading::Unreadable(undecodable(*length, *unknown, why)),
            },
        };
        judged.into()
    }

    /// How many fields the registration has; `None` when the value does not decode far enough to count them.
    pub fn field_count(&self) -> Option<usize> {
        let empty = self.unreadable().is_some_and(|unreadable| unreadable.reason == Reason::NoField);
        (self.fields > 0 || empty).then_some(self.fields)
    }

    /// The published parts when GRAIL can read them.
    pub fn published(&self) -> Option<&Published> {
        match &self.reading {
            Reading::Readable(published) => Some(published),
            Reading::Unreadable(_) => None,
        }
    }

    /// Why not, when GRAIL cannot.
    pub fn unreadable(&self) -> Option<&Unreadable> {
        match &self.reading {
            Reading::Readable(_) => None,
            Reading::Unreadable(unreadable) => Some(unreadable),
        }
    }
}
