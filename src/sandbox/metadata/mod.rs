//! The sandbox runtime: finney's metadata (spec 365) as the node served it, the newest runtime made from it, and what the
//! sandbox needs to know from either to write storage that every client reads back: keys, hashers, variant indices, constants.

mod doctored;
mod extrinsic;
mod newest;
mod older;
mod upgrade;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

pub use doctored::MetadataLie;
pub(super) use upgrade::SUCCESSORS;

use frame_metadata::v14::{StorageEntryType, StorageHasher};
use frame_metadata::v16::{PalletMetadata, RuntimeMetadataV16};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use parity_scale_codec::{Compact, Decode, Encode};
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef};
use sp_crypto_hashing::{blake2_128, blake2_256, twox_64, twox_128, twox_256};
use thiserror::Error;

/// Metadata of finney, spec 365, version 16; its origin is in `assets/metadata/README.md`.
const FINNEY_365: &[u8] = include_bytes!("../../../assets/metadata/finney-spec-365.v16.scale");

/// The metadata versions the node answers for.
pub const METADATA_VERSIONS: [u32; 3] = [14, 15, 16];

/// Why the embedded metadata is of no use. Either is a defect of the build, not of the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// The bytes are no metadata of version 16.
    #[error("the embedded metadata does not decode ({0}): the build is damaged, build again")]
    Undecodable(String),
    /// A pallet, entry, type or constant the sandbox needs is not in it.
    #[error("the embedded metadata has no {0}: the build is damaged, build again")]
    Missing(String),
    /// A value does not fit its type in the metadata.
    #[error("{what} does not encode as its metadata type ({reason}): report this scenario as a defect")]
    Unencodable {
        /// The storage entry or event.
        what: String,
        /// What the encoder said.
        reason: String,
    },
}

/// The runtime's version as the chain encodes it (constant `System.Version`).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RuntimeVersion {
    /// Name of the runtime, `node-subtensor`.
    pub spec_name: String,
    /// Name of its implementation.
    pub impl_name: String,
    /// Version of the block authoring interface.
    pub authoring_version: u32,
    /// Version of the runtime: what clients key their metadata caches by.
    pub spec_version: u32,
    /// Version of the implementation.
    pub impl_version: u32,
    /// Runtime APIs by the first 8 bytes of their name's hash, with their versions.
    pub apis: Vec<([u8; 8], u32)>,
    /// Changes whenever calls encode differently.
    pub transaction_version: u32,
    /// Version of the state trie.
    pub system_version: u8,
}

/// Which runtime a chain begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// The newest that the chain is known to have run.
    #[default]
    Newest,
    /// The one whose metadata is embedded: before netuids had a type of their own.
    Older,
}

impl RuntimeKind {
    /// The runtime itself.
    pub fn runtime(self) -> Result<Arc<Runtime>, MetadataError> {
        match self {
            Self::Newest => Runtime::newest(),
            Self::Older => Runtime::finney(),
        }
    }
}

/// One runtime: its metadata in three versions and its index of storage entries.
pub struct Runtime {
    metadata: RuntimeMetadataV16,
    version: RuntimeVersion,
    data_variants: HashMap<String, u8>,
    v14: OnceLock<Arc<[u8]>>,
    v15: OnceLock<Arc<[u8]>>,
    v16: OnceLock<Arc<[u8]>>,
    v14_hex: OnceLock<Arc<str>>,
    opaque_hex: [OnceLock<Arc<str>>; METADATA_VERSIONS.len()],
    permuted: OnceLock<Option<Arc<Self>>>,
    extended: OnceLock<Option<Arc<Self>>>,
}

impl Runtime {
    /// Finney's runtime as embedded, decoded once per process.
    pub fn finney() -> Result<Arc<Self>, MetadataError> {
        static FINNEY: OnceLock<Result<Arc<Runtime>, MetadataError>> = OnceLock::new();
        FINNEY.get_or_init(|| decode(FINNEY_365).and_then(Self::new).map(Arc::new)).clone()
    }

    /// The newest runtime that the chain is known to have run, made from the embedded one once per process.
    pub fn newest() -> Result<Arc<Self>, MetadataError> {
        static NEWEST: OnceLock<Result<Arc<Runtime>, MetadataError>> = OnceLock::new();
        let make = || {
            let older = Self::finney()?;
            Self::new(newest::newest(&older.metadata, &older.version)?).map(Arc::new)
        };
        NEWEST.get_or_init(make).clone()
    }

    /// The sandbox upgrade, in which `Commitments`' `Data` has one variant more and later variants have moved: after the
    /// embedded runtime comes the newest one, and after that one which nobody knows yet (see [`upgrade::upgraded`]).
    pub fn upgraded(&self) -> Result<Arc<Self>, MetadataError> {
        if self.version == Self::finney()?.version {
            return Self::newest();
        }
        Self::new(upgrade::upgraded(&self.metadata, &self.version)?).map(Arc::new)
    }

    /// Whether it is the newest or a later one, which acts otherwise than older ones: a hotkey that loses its uid loses what it
    /// has committed, and the pool refuses commitments by those who have none.
    pub fn is_new(&self) -> bool {
        self.error_index("Commitments", "TimelockRevealFailedNotAllowed").is_ok()
    }

    fn new(metadata: RuntimeMetadataV16) -> Result<Self, MetadataError> {
        let version = read_version(&metadata)?;
        let data_variants = read_data_variants(&metadata.types)?;
        Ok(Self {
            metadata,
            version,
            data_variants,
            v14: OnceLock::new(),
            v15: OnceLock::new(),
            v16: OnceLock::new(),
            v14_hex: OnceLock::new(),
            opaque_hex: [const { OnceLock::new() }; METADATA_VERSIONS.len()],
            permuted: OnceLock::new(),
            extended: OnceLock::new(),
        })
    }

    /// The runtime's version.
    pub const fn version(&self) -> &RuntimeVersion {
        &self.version
    }

    /// `System.LastRuntimeUpgrade` while this runtime executes blocks.
    pub fn last_upgrade(&self) -> Vec<u8> {
        (Compact(self.version.spec_version), &self.version.spec_name).encode()
    }

    /// What stands in the code's place in the state: no program, but another text for each version.
    pub fn code(&self) -> Vec<u8> {
        (&self.version.spec_name, self.version.spec_version).encode()
    }

    /// The type registry all three metadata versions share.
    pub const fn types(&self) -> &PortableRegistry {
        &self.metadata.types
    }

    /// Type of the outer event enum.
    pub const fn event_type(&self) -> u32 {
        self.metadata.outer_enums.event_enum_ty.id
    }

    /// The metadata in one of [`METADATA_VERSIONS`], with its magic number; `None` for any other version.
    pub fn encoded(&self, version: u32) -> Option<Arc<[u8]>> {
        let cell = match version {
            14 => &self.v14,
            15 => &self.v15,
            16 => &self.v16,
            _ => return None,
        };
        Some(Arc::clone(cell.get_or_init(|| self.encode(version))))
    }

    fn encode(&self, version: u32) -> Arc<[u8]> {
        let prefixed: RuntimeMetadataPrefixed = match version {
            14 => older::v14(&self.metadata).into(),
            15 => older::v15(&self.metadata).into(),
            _ => self.metadata.clone().into(),
        };
        prefixed.encode().into()
    }

    /// Version 14 in hex, as `state_getMetadata` answers.
    pub fn v14_hex(&self) -> Arc<str> {
        let hex = || prefixed_hex(&self.encoded(14).unwrap_or_default()).into();
        Arc::clone(self.v14_hex.get_or_init(hex))
    }

    /// `Option<OpaqueMetadata>` in hex, as `Metadata_metadata_at_version` answers.
    pub fn opaque_hex(&self, version: u32) -> Option<Arc<str>> {
        let index = METADATA_VERSIONS.iter().position(|known| *known == version)?;
        let bytes = self.encoded(version)?;
        let hex = || prefixed_hex(&Some(bytes.to_vec()).encode()).into();
        Some(Arc::clone(self.opaque_hex[index].get_or_init(hex)))
    }

    /// A pallet by name.
    pub fn pallet(&self, name: &str) -> Result<&PalletMetadata<PortableForm>, MetadataError> {
        pallet(&self.metadata, name)
    }

    /// A storage entry by name.
    pub fn entry(&self, pallet: &str, name: &str) -> Result<Entry<'_>, MetadataError> {
        let missing = || MetadataError::Missing(format!("storage entry {pallet}.{name}"));
        let storage = self.pallet(pallet)?.storage.as_ref().ok_or_else(missing)?;
        let meta = storage.entries.iter().find(|entry| entry.name == name).ok_or_else(missing)?;
        let (hashers, value_type): (&[StorageHasher], u32) = match &meta.ty {
            StorageEntryType::Plain(value) => (&[], value.id),
            StorageEntryType::Map { hashers, value, .. } => (hashers, value.id),
        };
        Ok(Entry { prefix: storage_prefix(&storage.prefix, name), hashers, value_type, default: &meta.default })
    }

    /// First byte of a `Data` variant of the Commitments pallet, by name (`Raw128`, `BigRaw`, …).
    pub fn data_variant(&self, name: &str) -> Result<u8, MetadataError> {
        let index = self.data_variants.get(name).copied();
        index.ok_or_else(|| MetadataError::Missing(format!("variant Data::{name}")))
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({} {})", self.version.spec_name, self.version.spec_version)
    }
}

/// Where a storage entry lies and how its keys are hashed.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    prefix: [u8; 32],
    hashers: &'a [StorageHasher],
    /// Type of the value in the registry.
    pub value_type: u32,
    /// What a key without a value stands for, encoded.
    pub default: &'a [u8],
}

impl Entry<'_> {
    /// `twox128(pallet) ++ twox128(entry)`.
    pub const fn prefix(&self) -> &[u8; 32] {
        &self.prefix
    }

    /// The key for SCALE-encoded key parts, or the prefix that the given leading parts share.
    pub fn key(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = self.prefix.to_vec();
        for (hasher, part) in self.hashers.iter().zip(parts) {
            hash_part(hasher, part, &mut key);
        }
        key
    }
}

/// `twox128(pallet) ++ twox128(entry)`.
pub fn storage_prefix(pallet: &str, entry: &str) -> [u8; 32] {
    let mut prefix = [0; 32];
    prefix[..16].copy_from_slice(&twox_128(pallet.as_bytes()));
    prefix[16..].copy_from_slice(&twox_128(entry.as_bytes()));
    prefix
}

fn hash_part(hasher: &StorageHasher, part: &[u8], key: &mut Vec<u8>) {
    match hasher {
        StorageHasher::Blake2_128 => key.extend(blake2_128(part)),
        StorageHasher::Blake2_256 => key.extend(blake2_256(part)),
        StorageHasher::Blake2_128Concat => key.extend(blake2_128(part).iter().chain(part)),
        StorageHasher::Twox128 => key.extend(twox_128(part)),
        StorageHasher::Twox256 => key.extend(twox_256(part)),
        StorageHasher::Twox64Concat => key.extend(twox_64(part).iter().chain(part)),
        StorageHasher::Identity => key.extend(part),
    }
}

/// `0x` and the bytes in hex.
pub fn prefixed_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    text.push_str(&hex::encode(bytes));
    text
}

fn decode(mut bytes: &[u8]) -> Result<RuntimeMetadataV16, MetadataError> {
    let prefixed =
        RuntimeMetadataPrefixed::decode(&mut bytes).map_err(|e| MetadataError::Undecodable(e.to_string()))?;
    match prefixed.1 {
        RuntimeMetadata::V16(metadata) => Ok(metadata),
        other => Err(MetadataError::Undecodable(format!("version {}, not 16", other.version()))),
    }
}

fn pallet<'a>(metadata: &'a RuntimeMetadataV16, name: &str) -> Result<&'a PalletMetadata<PortableForm>, MetadataError> {
    let missing = || MetadataError::Missing(format!("pallet {name}"));
    metadata.pallets.iter().find(|pallet| pallet.name == name).ok_or_else(missing)
}

fn read_version(metadata: &RuntimeMetadataV16) -> Result<RuntimeVersion, MetadataError> {
    let constant = pallet(metadata, "System")?.constants.iter().find(|constant| constant.name == "Version");
    let constant = constant.ok_or_else(|| MetadataError::Missing("constant System.Version".to_owned()))?;
    RuntimeVersion::decode(&mut constant.value.as_slice()).map_err(|e| MetadataError::Undecodable(e.to_string()))
}

/// The variants of an enum type.
fn variants(types: &PortableRegistry, id: u32) -> Option<&[scale_info::Variant<PortableForm>]> {
    match &types.resolve(id)?.type_def {
        TypeDef::Variant(def) => Some(&def.variants),
        _ => None,
    }
}

/// Id of the Commitments pallet's `Data` type.
fn data_type(types: &PortableRegistry) -> Result<u32, MetadataError> {
    types
        .types
        .iter()
        .find(|found| {
            let path = &found.ty.path.segments;
            path.first().is_some_and(|root| root == "pallet_commitments")
                && path.last().is_some_and(|name| name == "Data")
        })
        .map(|found| found.id)
        .ok_or_else(|| MetadataError::Missing("type pallet_commitments::types::Data".to_owned()))
}

fn read_data_variants(types: &PortableRegistry) -> Result<HashMap<String, u8>, MetadataError> {
    let missing = || MetadataError::Missing("variants of Data".to_owned());
    let found = variants(types, data_type(types)?).ok_or_else(missing)?;
    Ok(found.iter().map(|variant| (variant.name.clone(), variant.index)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_keys_are_those_of_the_real_chain() {
        let runtime = Runtime::finney().unwrap();
        let alice = hex::decode("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d").unwrap();
        let netuid = 81u16.encode();
        let commitment = runtime.entry("Commitments", "CommitmentOf").unwrap().key(&[&netuid, &alice]);
        assert_eq!(
            hex::encode(commitment),
            "ca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf5100518366b5b1bc7c99d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
        );
        let keys = runtime.entry("SubtensorModule", "Keys").unwrap().key(&[&netuid, &0u16.encode()]);
        assert_eq!(hex::encode(keys), "658faa385070e074c85bf6b568cf05559f99a2ce711f3a31b2fc05604c93f17951000000");
    }

    #[test]
    fn version_16_is_served_byte_for_byte_as_finney_does() {
        let runtime = Runtime::finney().unwrap();
        assert_eq!(&*runtime.encoded(16).unwrap(), FINNEY_365);
        assert_eq!(runtime.version().spec_version, 365);
        assert_eq!(runtime.data_variant("Raw128").unwrap(), 129);
    }
}
