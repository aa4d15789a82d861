//! The sandbox runtime upgrade: what changes when the chain moves to its next spec version while clients are connected.

use frame_metadata::v14::StorageEntryType;
use frame_metadata::v16::RuntimeMetadataV16;
use parity_scale_codec::Encode;
use scale_info::form::PortableForm;
use scale_info::{TypeDef, Variant};

use super::{MetadataError, RuntimeVersion, data_type};

/// The variant that newer runtimes add to `Data`.
pub(super) const ADDED_VARIANT: &str = "TimelockRevealFailed";

/// The entry that newer runtimes have for hotkeys that were swapped.
pub(in crate::sandbox) const SUCCESSORS: &str = "HotkeySuccessor";

/// Its only field, which `TimelockEncrypted` has too: the Drand round.
const ROUND: &str = "reveal_round";

/// The variant in whose place it is inserted; this one and those after it move up by one.
const INSERTED_BEFORE: &str = "ResetBondsFlag";

/// Metadata of the next spec version. `Data` has gained [`ADDED_VARIANT`] before [`INSERTED_BEFORE`], so a client that
/// keeps the old indices misreads every flag and `BigRaw`, and one that reads by name does not.
pub(super) fn upgraded(
    old: &RuntimeMetadataV16,
    version: &RuntimeVersion,
) -> Result<RuntimeMetadataV16, MetadataError> {
    let mut new = old.clone();
    insert_variant(&mut new)?;
    add_successors(&mut new);
    let next = RuntimeVersion { spec_version: version.spec_version + 1, ..version.clone() };
    for constant in new.pallets.iter_mut().filter(|pallet| pallet.name == "System").flat_map(|p| &mut p.constants) {
        if constant.name == "Version" {
            constant.value = next.encode();
        }
    }
    Ok(new)
}

/// `HotkeySuccessor`, keyed as `Uids` is, by netuid and hotkey, and holding what `Keys` holds: a hotkey.
fn add_successors(metadata: &mut RuntimeMetadataV16) {
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
        added.name = SUCCESSORS.to_owned();
        entries.push(added);
    }
}

fn insert_variant(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let missing = || MetadataError::Missing(format!("variant Data::{INSERTED_BEFORE}"));
    let id = data_type(&metadata.types)?;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).ok_or_else(missing)?;
    let TypeDef::Variant(def) = &mut found.ty.type_def else { return Err(missing()) };
    let index = def.variants.iter().find(|v| v.name == INSERTED_BEFORE).ok_or_else(missing)?.index;
    let round = def.variants.iter().flat_map(|v| &v.fields).find(|field| field.name.as_deref() == Some(ROUND)).cloned();
    for variant in def.variants.iter_mut().filter(|variant| variant.index >= index) {
        variant.index += 1;
    }
    let added: Variant<PortableForm> =
        Variant::new(ADDED_VARIANT.to_owned(), round.into_iter().collect(), index, Vec::new());
    def.variants.push(added);
    def.variants.sort_by_key(|variant| variant.index);
    Ok(())
}
