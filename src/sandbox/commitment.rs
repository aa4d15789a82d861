//! What a commitment on the sandbox chain holds, and how the runtime encodes it. Everything that the real chain can
//! hold can be made here, and some things that only a broken node would serve.

use parity_scale_codec::{Compact, Decode, Encode, Error};

use super::metadata::{MetadataError, Runtime};

/// Longest content of a `Raw` field in bytes; the chain has one variant for each length.
pub const MAX_RAW: usize = 128;
/// The bytes that could not be revealed.
const NOT_REVEALED: [u8; 24] = [0x5a; 24];

/// One field of a commitment (an enum `Data` on chain).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// No data.
    None,
    /// 0 to 128 bytes. Longer content cannot be said on chain; encoding it fails.
    Raw(Vec<u8>),
    /// Length-prefixed bytes. The chain allows 512; more is what a broken node would serve.
    BigRaw(Vec<u8>),
    /// A 32-byte hash instead of data.
    Hash(HashKind, [u8; 32]),
    /// Data readable only after a Drand round.
    Timelock {
        /// The encrypted bytes.
        encrypted: Vec<u8>,
        /// The round that reveals them.
        round: u64,
    },
    /// The flag that resets the signer's bonds.
    ResetBondsFlag,
    /// What the newest runtime leaves in place of a timelock that could not be revealed.
    TimelockRevealFailed {
        /// The round that should have revealed it.
        round: u64,
    },
    /// A first byte that no variant has, and whatever follows it.
    Unknown {
        /// The first byte.
        index: u8,
        /// What follows.
        bytes: Vec<u8>,
    },
}

/// The hash variants of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashKind {
    /// Blake2-256.
    BlakeTwo256,
    /// SHA-256.
    Sha256,
    /// Keccak-256.
    Keccak256,
    /// SHA3-256.
    ShaThree256,
}

impl HashKind {
    const ALL: [Self; 4] = [Self::BlakeTwo256, Self::Sha256, Self::Keccak256, Self::ShaThree256];

    fn named(variant: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.variant() == variant)
    }

    const fn variant(self) -> &'static str {
        match self {
            Self::BlakeTwo256 => "BlakeTwo256",
            Self::Sha256 => "Sha256",
            Self::Keccak256 => "Keccak256",
            Self::ShaThree256 => "ShaThree256",
        }
    }
}

impl Field {
    /// What the chain charges for it in bytes.
    fn charged(&self) -> usize {
        match self {
            Self::Raw(bytes) | Self::BigRaw(bytes) => bytes.len(),
            Self::Hash(..) => 32,
            Self::Timelock { encrypted, .. } => encrypted.len(),
            Self::None | Self::ResetBondsFlag | Self::TimelockRevealFailed { .. } | Self::Unknown { .. } => 0,
        }
    }

    /// Appends a list of fields.
    pub(super) fn encode_all(fields: &[Self], runtime: &Runtime, out: &mut Vec<u8>) -> Result<(), MetadataError> {
        Compact(u32::try_from(fields.len()).unwrap_or(u32::MAX)).encode_to(out);
        fields.iter().try_for_each(|field| field.encode(runtime, out))
    }

    /// Appends it as the runtime encodes it.
    fn encode(&self, runtime: &Runtime, out: &mut Vec<u8>) -> Result<(), MetadataError> {
        match self {
            Self::None => out.push(runtime.data_variant("None")?),
            Self::Raw(bytes) => {
                out.push(runtime.data_variant(&format!("Raw{}", bytes.len()))?);
                out.extend(bytes);
            }
            Self::BigRaw(bytes) => {
                out.push(runtime.data_variant("BigRaw")?);
                bytes.encode_to(out);
            }
            Self::Hash(kind, hash) => {
                out.push(runtime.data_variant(kind.variant())?);
                out.extend(hash);
            }
            Self::Timelock { encrypted, round } => {
                out.push(runtime.data_variant("TimelockEncrypted")?);
                (encrypted, round).encode_to(out);
            }
            Self::ResetBondsFlag => out.push(runtime.data_variant("ResetBondsFlag")?),
            Self::TimelockRevealFailed { round } => {
                out.push(runtime.data_variant("TimelockRevealFailed")?);
                (NOT_REVEALED.to_vec(), round).encode_to(out);
            }
            Self::Unknown { index, bytes } => {
                out.push(*index);
                out.extend(bytes);
            }
        }
        Ok(())
    }

    /// Reads a list of fields, by the names that the runtime gives to their first bytes.
    pub(super) fn decode_all(runtime: &Runtime, input: &mut &[u8]) -> Result<Vec<Self>, Error> {
        let count = Compact::<u32>::decode(input)?.0;
        // Every field has a byte at least, so a count that lies ends with the input.
        (0..count).map(|_| Self::decode(runtime, input)).collect()
    }

    fn decode(runtime: &Runtime, input: &mut &[u8]) -> Result<Self, Error> {
        let index = u8::decode(input)?;
        let variant = runtime.data_variant_name(index).ok_or("Could not decode `Data`, variant doesn't exist")?;
        Ok(match variant {
            "None" => Self::None,
            "BigRaw" => Self::BigRaw(Vec::decode(input)?),
            "TimelockEncrypted" => Self::Timelock { encrypted: Vec::decode(input)?, round: u64::decode(input)? },
            "ResetBondsFlag" => Self::ResetBondsFlag,
            "TimelockRevealFailed" => {
                let (_, round) = <(Vec<u8>, u64)>::decode(input)?;
                Self::TimelockRevealFailed { round }
            }
            _ => match (HashKind::named(variant), variant.strip_prefix("Raw").and_then(|length| length.parse().ok())) {
                (Some(kind), _) => Self::Hash(kind, <[u8; 32]>::decode(input)?),
                (None, Some(length)) => {
                    let (bytes, rest) = input.split_at_checked(length).ok_or("Not enough data to fill buffer")?;
                    *input = rest;
                    Self::Raw(bytes.to_vec())
                }
                (None, None) => return Err("Could not decode `Data`, variant is not known".into()),
            },
        })
    }
}

/// What is to be stored for a hotkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitmentSpec {
    /// A well-formed registration with these fields (the chain allows three).
    Fields(Vec<Field>),
    /// The stored value byte for byte, however broken.
    Stored(Vec<u8>),
}

impl CommitmentSpec {
    /// One `Raw` field, as GRAIL writes it.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Fields(vec![Field::Raw(bytes.into())])
    }

    /// Bytes charged to the hotkey's space of the epoch: at least 100 (FACTS 3).
    pub(super) fn charged(&self) -> u64 {
        let bytes: usize = match self {
            Self::Fields(fields) => fields.iter().map(Field::charged).sum(),
            Self::Stored(bytes) => bytes.len(),
        };
        u64::try_from(bytes).unwrap_or(u64::MAX).max(100)
    }

    /// Whether its encoding depends on variant indices that an upgrade may move.
    pub(super) fn is_odd(&self) -> bool {
        matches!(self, Self::Fields(fields) if fields.iter().any(|field| !matches!(field, Field::Raw(_))))
    }

    /// Reads a stored value, and the block at which it was set; `None` for one that the runtime could not have written.
    pub(super) fn decode(runtime: &Runtime, mut stored: &[u8]) -> Option<(u32, Self)> {
        let (_, block) = <(u64, u32)>::decode(&mut stored).ok()?;
        let fields = Field::decode_all(runtime, &mut stored).ok()?;
        stored.is_empty().then_some((block, Self::Fields(fields)))
    }

    /// The stored value: `Registration { deposit: 0, block, info: { fields } }`.
    pub fn encode(&self, runtime: &Runtime, block: u32) -> Result<Vec<u8>, MetadataError> {
        match self {
            Self::Stored(bytes) => Ok(bytes.clone()),
            Self::Fields(fields) => {
                let mut out = (0u64, block).encode();
                Field::encode_all(fields, runtime, &mut out)?;
                Ok(out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_commitment_of_128_characters_is_142_bytes() {
        let runtime = Runtime::finney().unwrap();
        let bytes = CommitmentSpec::raw([b'a'; 128]).encode(&runtime, 1_234_567).unwrap();
        assert_eq!(bytes.len(), 142);
        assert_eq!(hex::encode(&bytes[..14]), "000000000000000087d612000481");
    }

    #[test]
    fn what_is_stored_is_read_back_field_by_field() {
        let runtime = Runtime::finney().unwrap();
        let hashes = HashKind::ALL.map(|kind| Field::Hash(kind, [7; 32]));
        let others = [
            Field::None,
            Field::Raw(Vec::new()),
            Field::Raw(vec![1; 128]),
            Field::BigRaw(vec![2; 512]),
            Field::Timelock { encrypted: vec![3; 9], round: 4 },
            Field::ResetBondsFlag,
        ];
        for fields in hashes.into_iter().chain(others).map(|field| vec![field]).chain([Vec::new()]) {
            let spec = CommitmentSpec::Fields(fields);
            let stored = spec.encode(&runtime, 5).unwrap();
            assert_eq!(CommitmentSpec::decode(&runtime, &stored), Some((5, spec)));
            assert_eq!(CommitmentSpec::decode(&runtime, &[&stored[..], &[0]].concat()), None);
        }
    }

    #[test]
    fn raw_content_longer_than_the_chain_can_say_is_refused() {
        let runtime = Runtime::finney().unwrap();
        assert_eq!(
            CommitmentSpec::raw([b'a'; 129]).encode(&runtime, 1),
            Err(MetadataError::Missing("variant Data::Raw129".to_owned()))
        );
    }

    #[test]
    fn the_practice_upgrade_moves_flags_and_big_raw_but_no_raw() {
        let old = Runtime::finney().unwrap();
        let new = old.upgraded().unwrap();
        let next = new.upgraded().unwrap();
        let index = |runtime: &Runtime, name| runtime.data_variant(name).unwrap();
        let indices = |name| [&old, &new, &next].map(|runtime| index(runtime, name));
        assert_eq!(indices("BigRaw"), [136, 137, 138]);
        assert_eq!(indices("Raw128"), [129, 129, 129]);
        assert_eq!(index(&new, "TimelockRevealFailed"), 135);
        assert_eq!([&old, &new, &next].map(|runtime| runtime.version().spec_version), [365, 475, 476]);
        let failure = |runtime: &Runtime| runtime.error_index("Commitments", "SpaceLimitExceeded").unwrap();
        assert_eq!([&old, &new, &next].map(|runtime| failure(runtime)), [[18, 2], [18, 2], [18, 3]]);
    }
}
