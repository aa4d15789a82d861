//! The newest runtime that the chain is known to have run (FACTS 3), made from the one whose metadata is at hand.
//!
//! What clients meet in it: `NetUid` is a type of its own with the same bytes, `Data` has a variant more and later ones have
//! moved, an error more, an epoch index, the successors of swapped hotkeys, and an extension more, without content.

use std::collections::HashMap;

use frame_metadata::v14::StorageEntryType;
use frame_metadata::v16::{RuntimeMetadataV16, StorageEntryMetadata, TransactionExtensionMetadata};
use scale_info::form::PortableForm;
use scale_info::{
    Field, Path, PortableRegistry, PortableType, Type, TypeDef, TypeDefCompact, TypeDefComposite, TypeDefPrimitive,
    TypeDefTuple, Variant,
};

use super::upgrade::{add_successors, move_variants, set_version};
use super::{MetadataError, RuntimeVersion};

/// Its spec version.
const SPEC: u32 = 475;
/// The variant that it adds to `Data`, and the one whose fields it shares.
const ADDED_VARIANT: [&str; 2] = ["TimelockRevealFailed", "TimelockEncrypted"];
/// What it answers to those who commit such a variant.
const ADDED_ERROR: &str = "TimelockRevealFailedNotAllowed";
/// The extension that it adds, and before which.
const ADDED_EXTENSION: [&str; 2] = ["CheckShieldedTxValidity", "SubtensorTransactionExtension"];
/// Keyed by the place of a mechanism of a subnet, which stays a bare number.
const BY_PLACE: [&str; 6] = ["Incentive", "LastUpdate", "Weights", "Bonds", "WeightCommits", "TimelockedWeightCommits"];

/// Metadata of the newest runtime, from that of the older one.
pub(super) fn newest(
    older: &RuntimeMetadataV16,
    version: &RuntimeVersion,
) -> Result<RuntimeMetadataV16, MetadataError> {
    let mut new = older.clone();
    name_netuids(&mut new)?;
    let [added, like] = ADDED_VARIANT;
    move_variants(&mut new, added, like)?;
    add_error(&mut new)?;
    add_epoch_index(&mut new)?;
    add_successors(&mut new);
    add_extension(&mut new)?;
    set_version(&mut new, &RuntimeVersion { spec_version: SPEC, ..version.clone() });
    Ok(new)
}

fn missing(what: &str) -> MetadataError {
    MetadataError::Missing(what.to_owned())
}

fn push(types: &mut PortableRegistry, ty: Type<PortableForm>) -> u32 {
    let id = u32::try_from(types.types.len()).unwrap_or(u32::MAX);
    types.types.push(PortableType::new(id, ty));
    id
}

fn find(types: &PortableRegistry, wanted: impl Fn(&TypeDef<PortableForm>) -> bool) -> Option<u32> {
    types.types.iter().find(|found| wanted(&found.ty.type_def)).map(|found| found.id)
}

/// Gives netuids a type of their own, `NetUid(u16)`, wherever the runtime calls a number so: in fields, in storage keys, and in
/// parameters of runtime calls.
fn name_netuids(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let types = &mut metadata.types;
    let number = find(types, |def| matches!(def, TypeDef::Primitive(TypeDefPrimitive::U16)));
    let number = number.ok_or_else(|| missing("type u16"))?;
    let compact = find(types, |def| matches!(def, TypeDef::Compact(compact) if compact.type_param.id == number));
    let path = ["subtensor_runtime_common", "NetUid"].map(str::to_owned);
    let inner = Field::new(None, number.into(), Some("u16".to_owned()), Vec::new());
    let netuid = Type::new(Path::from_segments_unchecked(path), [], TypeDefComposite::new([inner]), Vec::new());
    let netuid = push(types, netuid);
    let nameless = Path::from_segments_unchecked([]);
    let compacted = push(types, Type::new(nameless, [], TypeDefCompact::new(netuid.into()), Vec::new()));
    let named = |field: &mut Field<PortableForm>| match field.type_name.as_deref() {
        Some("NetUid") if field.ty.id == number => field.ty = netuid.into(),
        Some("Compact<NetUid>") if Some(field.ty.id) == compact => field.ty = compacted.into(),
        _ => {}
    };
    for found in &mut types.types {
        match &mut found.ty.type_def {
            TypeDef::Composite(def) => def.fields.iter_mut().for_each(named),
            TypeDef::Variant(def) => def.variants.iter_mut().flat_map(|variant| &mut variant.fields).for_each(named),
            _ => {}
        }
    }
    let mut tuples = HashMap::new();
    let pallets =
        metadata.pallets.iter_mut().filter(|pallet| matches!(&*pallet.name, "SubtensorModule" | "Commitments"));
    for entry in pallets.filter_map(|pallet| pallet.storage.as_mut()).flat_map(|storage| &mut storage.entries) {
        let StorageEntryType::Map { key, .. } = &mut entry.ty else { continue };
        if BY_PLACE.contains(&&*entry.name) {
            continue;
        }
        if key.id == number {
            *key = netuid.into();
        } else if let Some(parts) = keyed_by_netuid(&metadata.types, key.id, number, netuid) {
            let id = *tuples.entry(key.id).or_insert_with(|| {
                let tuple = TypeDefTuple::new_portable(parts.into_iter().map(Into::into));
                push(&mut metadata.types, Type::new(Path::from_segments_unchecked([]), [], tuple, Vec::new()))
            });
            *key = id.into();
        }
    }
    let inputs = metadata.apis.iter_mut().flat_map(|api| &mut api.methods).flat_map(|method| &mut method.inputs);
    for input in inputs.filter(|input| input.name == "netuid" && input.ty.id == number) {
        input.ty = netuid.into();
    }
    Ok(())
}

/// The parts of a key of several, its netuid named: the first number, or else the last one.
fn keyed_by_netuid(types: &PortableRegistry, key: u32, number: u32, netuid: u32) -> Option<Vec<u32>> {
    let TypeDef::Tuple(tuple) = &types.resolve(key)?.type_def else { return None };
    let mut parts: Vec<u32> = tuple.fields.iter().map(|field| field.id).collect();
    let place = if parts.first() == Some(&number) { 0 } else { parts.iter().rposition(|part| *part == number)? };
    parts[place] = netuid;
    Some(parts)
}

fn add_error(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let absent = || missing("errors of Commitments");
    let pallet = metadata.pallets.iter().find(|pallet| pallet.name == "Commitments").ok_or_else(absent)?;
    let id = pallet.error.as_ref().ok_or_else(absent)?.ty.id;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).ok_or_else(absent)?;
    let TypeDef::Variant(def) = &mut found.ty.type_def else { return Err(absent()) };
    let index = def.variants.iter().map(|variant| variant.index).max().map_or(0, |last| last + 1);
    def.variants.push(Variant::new(ADDED_ERROR.to_owned(), Vec::new(), index, Vec::new()));
    Ok(())
}

/// `SubnetEpochIndex`, keyed and valued as `NetworkRegisteredAt` is.
fn add_epoch_index(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let absent = || missing("storage of SubtensorModule");
    let pallet = metadata.pallets.iter_mut().find(|pallet| pallet.name == "SubtensorModule").ok_or_else(absent)?;
    let entries = &mut pallet.storage.as_mut().ok_or_else(absent)?.entries;
    let like = entries.iter().find(|entry| entry.name == "NetworkRegisteredAt").ok_or_else(absent)?;
    let added = StorageEntryMetadata { name: "SubnetEpochIndex".to_owned(), ..like.clone() };
    entries.push(added);
    Ok(())
}

fn add_extension(metadata: &mut RuntimeMetadataV16) -> Result<(), MetadataError> {
    let [added, before] = ADDED_EXTENSION;
    let nothing = find(&metadata.types, |def| matches!(def, TypeDef::Tuple(tuple) if tuple.fields.is_empty()));
    let nothing = nothing.ok_or_else(|| missing("type ()"))?;
    let extrinsic = &mut metadata.extrinsic;
    let place = extrinsic.transaction_extensions.iter().position(|extension| extension.identifier == before);
    let place = place.ok_or_else(|| missing("the runtime's own extension"))?;
    let extension =
        TransactionExtensionMetadata { identifier: added.to_owned(), ty: nothing.into(), implicit: nothing.into() };
    extrinsic.transaction_extensions.insert(place, extension);
    let count = u32::try_from(extrinsic.transaction_extensions.len()).unwrap_or(u32::MAX);
    for places in extrinsic.transaction_extensions_by_version.values_mut() {
        *places = (0..count).map(Into::into).collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parity_scale_codec::Encode;

    use super::super::Runtime;
    use super::*;

    #[test]
    fn a_netuid_is_a_type_of_its_own_with_the_bytes_it_had() {
        let (older, newest) = (Runtime::finney().unwrap(), Runtime::newest().unwrap());
        let key_of = |runtime: &Runtime, name: &str| {
            let storage = runtime.pallet("SubtensorModule").unwrap().storage.as_ref().unwrap();
            let entry = storage.entries.iter().find(|entry| entry.name == name).unwrap();
            let StorageEntryType::Map { key, .. } = &entry.ty else { panic!("{name} is a map") };
            key.id
        };
        let is_netuid = |id: u32| newest.types().resolve(id).unwrap().path.ident().is_some_and(|name| name == "NetUid");
        assert!(is_netuid(key_of(&newest, "SubnetworkN")) && !is_netuid(key_of(&newest, "LastUpdate")));
        let TypeDef::Tuple(parts) = &newest.types().resolve(key_of(&newest, "Keys")).unwrap().type_def else {
            panic!("two parts")
        };
        assert_eq!(parts.fields.iter().map(|part| is_netuid(part.id)).collect::<Vec<_>>(), [true, false]);
        let parts = [81_u16.encode(), 7_u16.encode()];
        let key = |runtime: &Runtime| runtime.entry("SubtensorModule", "Keys").unwrap().key(&[&parts[0], &parts[1]]);
        assert_eq!(key(&older), key(&newest));
    }

    #[test]
    fn what_is_new_is_there_and_what_was_is_where_it_was() {
        let (older, newest) = (Runtime::finney().unwrap(), Runtime::newest().unwrap());
        assert_eq!(newest.version().spec_version, SPEC);
        for call in [["Commitments", "set_commitment"], ["Proxy", "proxy"], ["Utility", "batch"]] {
            assert_eq!(newest.call_index(call[0], call[1]), older.call_index(call[0], call[1]));
        }
        assert_eq!(newest.error_index("Commitments", ADDED_ERROR), Ok([18, 4]));
        assert_eq!(older.error_index("Commitments", ADDED_ERROR).ok(), None);
        assert!(newest.entry("SubtensorModule", "SubnetEpochIndex").is_ok());
        assert!(older.entry("SubtensorModule", "SubnetEpochIndex").is_err());
        let names: Vec<_> = newest.extensions().iter().map(|extension| extension.identifier.as_str()).collect();
        // FACTS 3, spec 470.
        let known = [
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "SudoTransactionExtension",
            "CheckShieldedTxValidity",
            "SubtensorTransactionExtension",
            "DrandPriority",
            "CheckMetadataHash",
        ];

        assert_eq!(names, known);
    }
}
