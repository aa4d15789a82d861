//! The types by which an extrinsic is encoded: those of its address, its signature and its extensions. The library walks
//! them without a bound when something is signed, so they are judged before it sees them.

use frame_metadata::{v14, v15, v16};
use scale_info::PortableRegistry;
use scale_info::form::PortableForm;

use super::budget::Budget;

/// Types of an extrinsic, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signing {
    types: Vec<u32>,
}

impl Signing {
    /// Why they cannot be encoded without harm, if so.
    pub(super) fn judged(&self, registry: &PortableRegistry) -> Result<(), &'static str> {
        let mut budget = Budget::new(registry);
        self.types.iter().try_for_each(|id| budget.of(*id).map(drop))
    }
}

/// What the versions of metadata say of extrinsics, each in its own way.
pub(super) trait Extrinsics {
    /// The types, or why the metadata contradicts itself.
    fn signing(&self, registry: &PortableRegistry) -> Result<Signing, &'static str>;
}

impl Extrinsics for v14::ExtrinsicMetadata<PortableForm> {
    /// Address and signature are parameters of the extrinsic's type here.
    fn signing(&self, registry: &PortableRegistry) -> Result<Signing, &'static str> {
        let extrinsic = registry.resolve(self.ty.id).ok_or("the type of extrinsics is missing")?;
        let parameters = extrinsic.type_params.iter().filter(|param| matches!(&*param.name, "Address" | "Signature"));
        let outer = parameters.filter_map(|param| param.ty).map(|ty| ty.id);
        let extensions = self.signed_extensions.iter().flat_map(|one| [one.ty.id, one.additional_signed.id]);
        Ok(Signing { types: outer.chain(extensions).collect() })
    }
}

impl Extrinsics for v15::ExtrinsicMetadata<PortableForm> {
    fn signing(&self, _: &PortableRegistry) -> Result<Signing, &'static str> {
        let outer = [self.address_ty.id, self.signature_ty.id];
        let extensions = self.signed_extensions.iter().flat_map(|one| [one.ty.id, one.additional_signed.id]);
        Ok(Signing { types: outer.into_iter().chain(extensions).collect() })
    }
}

impl Extrinsics for v16::ExtrinsicMetadata<PortableForm> {
    fn signing(&self, _: &PortableRegistry) -> Result<Signing, &'static str> {
        let count = self.transaction_extensions.len();
        let mut places = self.transaction_extensions_by_version.values().flatten();
        if !places.all(|place| (place.0 as usize) < count) {
            return Err("a version of extrinsics names an extension that is not there");
        }
        let outer = [self.address_ty.id, self.signature_ty.id];
        let extensions = self.transaction_extensions.iter().flat_map(|one| [one.ty.id, one.implicit.id]);
        Ok(Signing { types: outer.into_iter().chain(extensions).collect() })
    }
}
