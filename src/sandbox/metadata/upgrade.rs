//! The sandbox runtime upgrade: what changes when the chain moves to its next spec version while clients are connected. After
//! the older runtime comes the newest one, and after that one which nobody knows yet.

use frame_metadata::v14::StorageEntryType;
use frame_metadata::v16::RuntimeMetadataV16;
use parity_scale_codec::Encode;
use scale_info::form::PortableForm;
use scale_info::{TypeDef, Variant};

use super::{MetadataError, RuntimeVersion, data_type};

/// The entry that newer runtimes have for hotkeys that were swapped.
pub(in crate::sandbox) const SUCCESSORS: &str = "HotkeySuccessor";

/// What the runtime that nobody knows yet adds to `Data` and to the errors of `Commitments`.
const NOT_YET_KNOWN: &str = "NotYetKnown";

/// The variant in whose place one is inserted; this one and those after it move up by one.
const INSERTED_BEFORE: &str = "ResetBondsFlag";

/// Metadata of the spec version after the newest one. `Data` has gained [`NOT_YET_KNOWN`] before [`INSERTED_BEFORE`], and the
/// errors of `Commitments` have gained one before all others: a client that keeps the old indices misreads every flag,
/// `BigRaw`, and failure, and one that reads by name does not.
pub(super) fn upgraded(
    old: &RuntimeMetadataV16,
    version: &RuntimeVersion,
) -> Result<RuntimeMetadataV16, MetadataError> {
    let mut new = old.clone();
    move_variants(&mut new, NOT_YET_KNOWN, INSERTED_BEFORE)?;
    move_errors(&mut new)?;
    set_version(&mut new, &RuntimeVersion { spec_version: version.spec_version + 1, ..version.clone() });
    Ok(new)
}

pub(super) fn set_version(metadata: &mut RuntimeMetadataV16, version: &RuntimeVersion) {
    let system = metadata.pallets.iter_mut().filter(|pallet| pallet.name == "System");
    for constant in system.flat_map(|pallet| &mut pallet.constants).filter(|constant| constant.name == "Version") {
        constant.value = version.encode();
    }
}

/// `HotkeySuccessor`, keyed as `Uids` is, by netuid and hotkey, and holding what `Keys` holds: a hotkey.
pub(super) fn add_successors(metadata: &mut RuntimeMetadataV16) {
    let pallet = metadata.pallets.iter_mut().find(|pallet| pallet.name == "SubtensorModule");
    let Some(entries) = pallet.and_then(|pallet| pallet.storage.as_mut()).map(|storage| &mut storage.entries) else {
        return;
    };
    let value = entries.iter().find(|entry| entry.name == "Keys").and_then(|entry| match &entry.ty {
        StorageEntryType::Map { value, .. } => Some(*value),
        StorageEntryType::Plain(_) => None,
    });
    let uids = entries.iter().find(|entry| entry.name == "Uids").cloned();
    if let (Some(mut added), Some(hotkey)) = (uids, value)
        && let StorageEntryType::Map { value, .. } = &mut added.ty
    {
        *value = hotkey;
        SUCCESSORS.clone_into(&mut added.name);
        entries.push(added);
    }
}

/// Inserts a variant into `Data`, with the fields of another one.
pub(super) fn move_variants(metadata: &mut RuntimeMetadataV16, added: &str, like: &str) -> Result<(), MetadataError> {
    let missing = |name: &str| MetadataError::Missing(format!("variant Data::{name}"));
    let id = data_type(&metadata.types)?;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).ok_or_else(|| missing(like))?;
    let TypeDef::Variant(def) = &mut found.ty.type_def else { return Err(missing(like)) };
    let place = def.variants.iter().find(|variant| variant.name == INSERTED_BEFORE);
    let index = place.ok_or_else(|| missing(INSERTED_BEFORE))?.index;
    let fields = def.variants.iter().find(|variant| variant.name == like).ok_or_else(|| missing(like))?.fields.clone();
    insert(&mut def.variants, Variant::new(added.to_owned(), fields, index, Vec::new()));
    Ok(())
}

/// Inserts an error before all others of `Commitments`.
fn move_errors(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let missing = || MetadataError::Missing("errors of Commitments".to_owned());
    let pallet = metadata.pallets.iter().find(|pallet| pallet.name == "Commitments").ok_or_else(missing)?;
    let id = pallet.error.as_ref().ok_or_else(missing)?.ty.id;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).ok_or_else(missing)?;
    let TypeDef::Variant(def) = &mut found.ty.type_def else { return Err(missing()) };
    insert(&mut def.variants, Variant::new(NOT_YET_KNOWN.to_owned(), Vec::new(), 0, Vec::new()));
    Ok(())
}

/// Inserts a variant at its index; that one and those after it move up by one.
fn insert(variants: &mut Vec<Variant<PortableForm>>, added: Variant<PortableForm>) {
    for variant in variants.iter_mut().filter(|variant| variant.index >= added.index) {
        variant.index += 1;
    }
    variants.push(added);
    variants.sort_by_key(|variant| variant.index);
}
