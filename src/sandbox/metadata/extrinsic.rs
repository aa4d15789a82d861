//! What the metadata says about extrinsics: their types, their extensions, and the numbers of calls and errors.

use frame_metadata::v16::TransactionExtensionMetadata;
use parity_scale_codec::Decode;
use scale_info::form::PortableForm;

use super::{MetadataError, Runtime, variants};

impl Runtime {
    /// The transaction extensions in the order in which a signed extrinsic carries them.
    pub fn extensions(&self) -> &[TransactionExtensionMetadata<PortableForm>] {
        &self.metadata.extrinsic.transaction_extensions
    }

    /// Type of a call of any pallet.
    pub const fn call_type(&self) -> u32 {
        self.metadata.extrinsic.call_ty.id
    }

    /// Type of an extrinsic's sender.
    pub const fn address_type(&self) -> u32 {
        self.metadata.extrinsic.address_ty.id
    }

    /// Type of an extrinsic's signature.
    pub const fn signature_type(&self) -> u32 {
        self.metadata.extrinsic.signature_ty.id
    }

    /// Index of a pallet and of one of its calls.
    pub fn call_index(&self, pallet: &str, call: &str) -> Result<[u8; 2], MetadataError> {
        let found = self.pallet(pallet)?;
        let index = self.variant_index(found.calls.as_ref().map(|calls| calls.ty.id), call);
        Ok([found.index, index.ok_or_else(|| MetadataError::Missing(format!("call {pallet}.{call}")))?])
    }

    /// Index of a pallet and of one of its errors.
    pub fn error_index(&self, pallet: &str, error: &str) -> Result<[u8; 2], MetadataError> {
        let found = self.pallet(pallet)?;
        let index = self.variant_index(found.error.as_ref().map(|errors| errors.ty.id), error);
        Ok([found.index, index.ok_or_else(|| MetadataError::Missing(format!("error {pallet}.{error}")))?])
    }

    /// Index of the variant of this name in an enum type, where there is one.
    fn variant_index(&self, enum_type: Option<u32>, name: &str) -> Option<u8> {
        let variants = variants(self.types(), enum_type?)?;
        Some(variants.iter().find(|variant| variant.name == name)?.index)
    }

    /// A constant of a pallet, or the beginning of one.
    pub fn constant<T: Decode>(&self, pallet: &str, name: &str) -> Result<T, MetadataError> {
        let missing = || MetadataError::Missing(format!("constant {pallet}.{name}"));
        let found = self.pallet(pallet)?.constants.iter().find(|constant| constant.name == name).ok_or_else(missing)?;
        T::decode(&mut found.value.as_slice()).map_err(|e| MetadataError::Undecodable(e.to_string()))
    }

    /// Name of the `Data` variant with this first byte.
    pub fn data_variant_name(&self, index: u8) -> Option<&str> {
        self.data_variants.iter().find(|(_, known)| **known == index).map(|(name, _)| name.as_str())
    }
}
