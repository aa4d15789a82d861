//! What the metadata says about extrinsics: their types, their extensions, and the numbers of errors.

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

    /// Index of a pallet and of one of its errors.
    pub fn error_index(&self, pallet: &str, error: &str) -> Result<[u8; 2], MetadataError> {
        let missing = || MetadataError::Missing(format!("error {pallet}.{error}"));
        let found = self.pallet(pallet)?;
        let errors =
            found.error.as_ref().and_then(|errors| variants(self.types(), errors.ty.id)).ok_or_else(missing)?;
        let variant = errors.iter().find(|variant| variant.name == error).ok_or_else(missing)?;
        Ok([found.index, variant.index])
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
