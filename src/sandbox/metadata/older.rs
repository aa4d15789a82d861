//! Metadata versions 15 and 14 of the same runtime, for clients that do not read 16. They share 16's type registry; three
//! types that only the older versions name (the extra data of an extrinsic, the extrinsic itself, the runtime) are
//! appended to it, so that no existing id moves.

use frame_metadata::v16::{
    ExtrinsicMetadata, PalletMetadata, RuntimeApiMetadata, RuntimeMetadataV16, StorageEntryMetadata,
};
use frame_metadata::{v14, v15};
use scale_info::form::PortableForm;
use scale_info::interner::UntrackedSymbol;
use scale_info::{Path, PortableRegistry, PortableType, Type, TypeDefComposite, TypeDefTuple, TypeParameter};

type Id = UntrackedSymbol<std::any::TypeId>;

/// Ids of the appended types.
struct Appended {
    extra: Id,
    extrinsic: Id,
    runtime: Id,
}

/// Version 15: runtime APIs and outer enums, but one list of extensions and no deprecation notes.
pub(super) fn v15(new: &RuntimeMetadataV16) -> v15::RuntimeMetadataV15 {
    let (types, appended) = append(new);
    v15::RuntimeMetadataV15 {
        types,
        pallets: new.pallets.iter().map(pallet_v15).collect(),
        extrinsic: extrinsic_v15(&new.extrinsic, appended.extra),
        ty: appended.runtime,
        apis: new.apis.iter().map(api_v15).collect(),
        outer_enums: new.outer_enums.clone(),
        custom: new.custom.clone(),
    }
}

/// Version 14: no runtime APIs, and the extrinsic as one type with parameters.
pub(super) fn v14(new: &RuntimeMetadataV16) -> v14::RuntimeMetadataV14 {
    let (types, appended) = append(new);
    v14::RuntimeMetadataV14 {
        types,
        pallets: new.pallets.iter().map(pallet_v14).collect(),
        extrinsic: v14::ExtrinsicMetadata {
            ty: appended.extrinsic,
            version: extrinsic_version(&new.extrinsic),
            signed_extensions: new.extrinsic.transaction_extensions.iter().map(extension_v14).collect(),
        },
        ty: appended.runtime,
    }
}

fn append(new: &RuntimeMetadataV16) -> (PortableRegistry, Appended) {
    let mut types = new.types.clone();
    let extensions = new.extrinsic.transaction_extensions.iter().map(|extension| extension.ty);
    let extra = push(&mut types, nameless(TypeDefTuple::new_portable(extensions)));
    let parameters = [
        ("Address", new.extrinsic.address_ty),
        ("Call", new.extrinsic.call_ty),
        ("Signature", new.extrinsic.signature_ty),
        ("Extra", extra),
    ];
    let extrinsic = push(&mut types, unchecked_extrinsic(parameters));
    let runtime = push(&mut types, empty_composite(&["node_subtensor_runtime", "Runtime"]));
    (types, Appended { extra, extrinsic, runtime })
}

fn push(types: &mut PortableRegistry, ty: Type<PortableForm>) -> Id {
    let id = u32::try_from(types.types.len()).unwrap_or(u32::MAX);
    types.types.push(PortableType::new(id, ty));
    id.into()
}

fn nameless(tuple: TypeDefTuple<PortableForm>) -> Type<PortableForm> {
    Type::new(Path::from_segments_unchecked([]), [], tuple, Vec::new())
}

fn empty_composite(path: &[&str]) -> Type<PortableForm> {
    let path = Path::from_segments_unchecked(path.iter().map(|&segment| segment.to_owned()));
    Type::new(path, [], TypeDefComposite::new([]), Vec::new())
}

fn unchecked_extrinsic(parameters: [(&str, Id); 4]) -> Type<PortableForm> {
    let mut ty = empty_composite(&["sp_runtime", "generic", "unchecked_extrinsic", "UncheckedExtrinsic"]);
    ty.type_params =
        parameters.map(|(name, id)| TypeParameter::new_portable(name.to_owned(), Some(id))).into_iter().collect();
    ty
}

/// Version 4 is what the chain's clients send; 16 lists every version the runtime accepts.
fn extrinsic_version(extrinsic: &ExtrinsicMetadata<PortableForm>) -> u8 {
    extrinsic.versions.iter().copied().min().unwrap_or(4)
}

fn extrinsic_v15(new: &ExtrinsicMetadata<PortableForm>, extra_ty: Id) -> v15::ExtrinsicMetadata<PortableForm> {
    v15::ExtrinsicMetadata {
        version: extrinsic_version(new),
        address_ty: new.address_ty,
        call_ty: new.call_ty,
        signature_ty: new.signature_ty,
        extra_ty,
        signed_extensions: new
            .transaction_extensions
            .iter()
            .map(|extension| v15::SignedExtensionMetadata {
                identifier: extension.identifier.clone(),
                ty: extension.ty,
                additional_signed: extension.implicit,
            })
            .collect(),
    }
}

fn extension_v14(
    new: &frame_metadata::v16::TransactionExtensionMetadata<PortableForm>,
) -> v14::SignedExtensionMetadata<PortableForm> {
    v14::SignedExtensionMetadata { identifier: new.identifier.clone(), ty: new.ty, additional_signed: new.implicit }
}

fn api_v15(new: &RuntimeApiMetadata<PortableForm>) -> v15::RuntimeApiMetadata<PortableForm> {
    let methods = new.methods.iter().map(|method| v15::RuntimeApiMethodMetadata {
        name: method.name.clone(),
        inputs: method.inputs.clone(),
        output: method.output,
        docs: method.docs.clone(),
    });
    v15::RuntimeApiMetadata { name: new.name.clone(), methods: methods.collect(), docs: new.docs.clone() }
}

fn pallet_v15(new: &PalletMetadata<PortableForm>) -> v15::PalletMetadata<PortableForm> {
    let old = pallet_v14(new);
    v15::PalletMetadata {
        name: old.name,
        storage: old.storage,
        calls: old.calls,
        event: old.event,
        constants: old.constants,
        error: old.error,
        index: old.index,
        docs: new.docs.clone(),
    }
}

fn pallet_v14(new: &PalletMetadata<PortableForm>) -> v14::PalletMetadata<PortableForm> {
    v14::PalletMetadata {
        name: new.name.clone(),
        storage: new.storage.as_ref().map(|storage| v14::PalletStorageMetadata {
            prefix: storage.prefix.clone(),
            entries: storage.entries.iter().map(storage_entry).collect(),
        }),
        calls: new.calls.as_ref().map(|calls| v14::PalletCallMetadata { ty: calls.ty }),
        event: new.event.as_ref().map(|event| v14::PalletEventMetadata { ty: event.ty }),
        constants: new.constants.iter().map(constant).collect(),
        error: new.error.as_ref().map(|error| v14::PalletErrorMetadata { ty: error.ty }),
        index: new.index,
    }
}

fn storage_entry(new: &StorageEntryMetadata<PortableForm>) -> v14::StorageEntryMetadata<PortableForm> {
    v14::StorageEntryMetadata {
        name: new.name.clone(),
        modifier: new.modifier.clone(),
        ty: new.ty.clone(),
        default: new.default.clone(),
        docs: new.docs.clone(),
    }
}

fn constant(
    new: &frame_metadata::v16::PalletConstantMetadata<PortableForm>,
) -> v14::PalletConstantMetadata<PortableForm> {
    v14::PalletConstantMetadata { name: new.name.clone(), ty: new.ty, value: new.value.clone(), docs: new.docs.clone() }
}
