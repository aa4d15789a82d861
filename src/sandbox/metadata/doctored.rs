//! Metadata that a lying node serves: the chain behind it is another than it describes.

use std::sync::Arc;

use frame_metadata::v14::{StorageEntryType, StorageHasher};
use frame_metadata::v16::{PalletStorageMetadata, RuntimeMetadataV16, TransactionExtensionMetadata};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use parity_scale_codec::{Decode, Encode};
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};

use super::{MetadataError, Runtime, data_type};

/// Whose place the pallet of commitments claims to have; what is signed for one is a call of the other.
const SWAPPED_WITH: &str = "Balances";

/// The extension that no client knows.
const FOREIGN: &str = "PracticeForeignExtension";

/// How an endpoint describes the storage of the runtime otherwise than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataLie {
    /// One letter of the prefix of `Commitments`.
    Prefix,
    /// The hasher of the hotkey in `Commitments.CommitmentOf`.
    Hasher,
    /// The hasher of the netuid in `SubtensorModule.ValidatorPermit`, without which commitments are read all the same.
    PermitHasher,
    /// `Raw128` and `None` have changed names, and so have `Raw100` and `Sha256`.
    VariantNames,
    /// Commitments have the type of the space that is used.
    ValueTypes,
    /// Block and deposit of a commitment have changed places.
    FieldOrder,
}

impl MetadataLie {
    /// The metadata of version 16 as it is told, from the true one; `None` for what is none.
    pub fn told(self, mut truth: &[u8]) -> Option<Vec<u8>> {
        let decoded = RuntimeMetadataPrefixed::decode(&mut truth).ok()?;
        let RuntimeMetadata::V16(mut metadata) = decoded.1 else { return None };
        match self {
            Self::Prefix => "Commitmentz".clone_into(&mut storage(&mut metadata, "Commitments")?.prefix),
            Self::Hasher => *hasher(&mut metadata, "Commitments", "CommitmentOf", 1)? = StorageHasher::Blake2_128Concat,
            Self::PermitHasher => {
                *hasher(&mut metadata, "SubtensorModule", "ValidatorPermit", 0)? = StorageHasher::Twox64Concat;
            }
            Self::VariantNames => {
                let data = data_type(&metadata.types).ok()?;
                let found = metadata.types.types.iter_mut().find(|found| found.id == data)?;
                let TypeDef::Variant(def) = &mut found.ty.type_def else { return None };
                for [one, other] in [["Raw128", "None"], ["Raw100", "Sha256"]] {
                    let place = |name: &str| def.variants.iter().position(|variant| variant.name == name);
                    let (first, second) = (place(one)?, place(other)?);
                    other.clone_into(&mut def.variants[first].name);
                    one.clone_into(&mut def.variants[second].name);
                }
            }
            Self::ValueTypes => {
                let other = *value(&mut metadata, "Commitments", "UsedSpaceOf")?;
                *value(&mut metadata, "Commitments", "CommitmentOf")? = other;
            }
            Self::FieldOrder => {
                let id = *value(&mut metadata, "Commitments", "CommitmentOf")?;
                let found = metadata.types.types.iter_mut().find(|found| found.id == id)?;
                let TypeDef::Composite(def) = &mut found.ty.type_def else { return None };
                def.fields.swap(0, 1);
            }
        }
        Some(RuntimeMetadataPrefixed(decoded.0, RuntimeMetadata::V16(metadata)).encode())
    }
}

type Storage = PalletStorageMetadata<PortableForm>;

fn storage<'m>(metadata: &'m mut RuntimeMetadataV16, pallet: &str) -> Option<&'m mut Storage> {
    metadata.pallets.iter_mut().find(|found| found.name == pallet)?.storage.as_mut()
}

fn map<'m>(
    metadata: &'m mut RuntimeMetadataV16,
    pallet: &str,
    entry: &str,
) -> Option<&'m mut StorageEntryType<PortableForm>> {
    let entries = &mut storage(metadata, pallet)?.entries;
    Some(&mut entries.iter_mut().find(|found| found.name == entry)?.ty)
}

fn hasher<'m>(
    metadata: &'m mut RuntimeMetadataV16,
    pallet: &str,
    entry: &str,
    at: usize,
) -> Option<&'m mut StorageHasher> {
    let StorageEntryType::Map { hashers, .. } = map(metadata, pallet, entry)? else { return None };
    hashers.get_mut(at)
}

/// The id of the type of an entry's values.
fn value<'m>(metadata: &'m mut RuntimeMetadataV16, pallet: &str, entry: &str) -> Option<&'m mut u32> {
    let (StorageEntryType::Map { value, .. } | StorageEntryType::Plain(value)) = map(metadata, pallet, entry)?;
    Some(&mut value.id)
}

impl Runtime {
    /// The same runtime with permuted calls, made once; the runtime itself where it has none to permute.
    pub fn permuted(&self) -> &Self {
        let doctored = || self.with_permuted_calls().ok().map(Arc::new);
        self.permuted.get_or_init(doctored).as_deref().unwrap_or(self)
    }

    /// The same runtime with a foreign extension, made once; the runtime itself where none can be added.
    pub fn extended(&self) -> &Self {
        let doctored = || self.with_foreign_extension().ok().map(Arc::new);
        self.extended.get_or_init(doctored).as_deref().unwrap_or(self)
    }

    /// The same runtime, but `Commitments` has changed places with another pallet, and `set_commitment` with another call.
    fn with_permuted_calls(&self) -> Result<Self, MetadataError> {
        let mut metadata = self.metadata.clone();
        let ours = self.pallet("Commitments")?.index;
        let theirs = self.pallet(SWAPPED_WITH)?.index;
        let swapped = |index: u8| match index {
            index if index == ours => theirs,
            index if index == theirs => ours,
            other => other,
        };
        for pallet in &mut metadata.pallets {
            pallet.index = swapped(pallet.index);
        }
        let outer = metadata.outer_enums.call_enum_ty.id;
        for_variants(&mut metadata.types, outer, |index, _| swapped(index))?;
        let calls = self.pallet("Commitments")?.calls.as_ref().map(|calls| calls.ty.id);
        let calls = calls.ok_or_else(|| MetadataError::Missing("calls of Commitments".to_owned()))?;
        let [_, set_commitment] = self.call_index("Commitments", "set_commitment")?;
        let [_, other] = self.call_index("Commitments", "set_max_space")?;
        for_variants(&mut metadata.types, calls, |index, name| match name {
            "set_commitment" => other,
            "set_max_space" => set_commitment,
            _ => index,
        })?;
        Self::new(metadata)
    }

    /// The same runtime, but extrinsics carry one more number, of which nobody says what it means.
    fn with_foreign_extension(&self) -> Result<Self, MetadataError> {
        let mut metadata = self.metadata.clone();
        let find = |wanted: &dyn Fn(&TypeDef<_>) -> bool| {
            let found = metadata.types.types.iter().find(|found| wanted(&found.ty.type_def));
            found.map(|found| found.id).ok_or_else(|| MetadataError::Missing("type of the extension".to_owned()))
        };
        let number = find(&|def| matches!(def, TypeDef::Primitive(TypeDefPrimitive::U32)))?;
        let nothing = find(&|def| matches!(def, TypeDef::Tuple(tuple) if tuple.fields.is_empty()))?;
        append_extension(&mut metadata, number, nothing);
        Self::new(metadata)
    }
}

fn append_extension(metadata: &mut RuntimeMetadataV16, ty: u32, implicit: u32) {
    let extrinsic = &mut metadata.extrinsic;
    let place = u32::try_from(extrinsic.transaction_extensions.len()).unwrap_or(u32::MAX);
    extrinsic.transaction_extensions.push(TransactionExtensionMetadata {
        identifier: FOREIGN.to_owned(),
        ty: ty.into(),
        implicit: implicit.into(),
    });
    for places in extrinsic.transaction_extensions_by_version.values_mut() {
        places.push(place.into());
    }
}

/// Gives other indices to the variants of an enum.
fn for_variants(types: &mut PortableRegistry, id: u32, index_of: impl Fn(u8, &str) -> u8) -> Result<(), MetadataError> {
    let missing = || MetadataError::Missing(format!("enum {id}"));
    let found = types.types.iter_mut().find(|found| found.id == id).ok_or_else(missing)?;
    let TypeDef::Variant(def) = &mut found.ty.type_def else { return Err(missing()) };
    for variant in &mut def.variants {
        variant.index = index_of(variant.index, &variant.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permuted_calls_are_other_bytes_in_every_version() {
        let honest = Runtime::finney().unwrap();
        let doctored = honest.with_permuted_calls().unwrap();
        assert_eq!(honest.call_index("Commitments", "set_commitment").unwrap(), [18, 0]);
        assert_eq!(doctored.call_index("Commitments", "set_commitment").unwrap(), [5, 2]);
        for version in [14, 15, 16] {
            assert_ne!(honest.encoded(version), doctored.encoded(version));
        }
    }

    #[test]
    fn the_foreign_extension_is_the_last_and_not_empty() {
        let doctored = Runtime::finney().unwrap().with_foreign_extension().unwrap();
        let last = doctored.extensions().last().unwrap();
        assert_eq!((last.identifier.as_str(), last.ty.id), (FOREIGN, 4));
    }
}
