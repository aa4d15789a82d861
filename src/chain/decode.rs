//! Stored bytes to domain values, with the types of the node's own metadata.
//!
//! Variants are read by name, never by index: indices move between runtimes. What this version does not know becomes
//! [`Payload::Unknown`], what does not decode becomes [`Stored::Undecodable`] with all that was decoded before; either costs
//! that one row.

use std::marker::PhantomData;

use scale_decode::error::ErrorKind;
use scale_decode::visitor::types::{Array, Composite, Sequence, Variant};
use scale_decode::visitor::{DecodeError, IgnoreVisitor, TypeIdFor, decode_with_visitor};
use scale_decode::{DecodeAsType, Error, IntoVisitor, Visitor};
use scale_info::{PortableRegistry, TypeDef};

use super::schema::Schema;
use crate::domain::commitment::{COMMITMENT_CHARS, MaskedBytes, Payload, Stored};
use crate::domain::hotkey::Hotkey;
use crate::domain::untrusted::Untrusted;

/// Longest registration that is looked at, in bytes: three fields of the largest kind take 3.2 KB.
const LONGEST_REGISTRATION: usize = 8 << 10;
/// Longest of the other values, in bytes: the permits of 65,536 uids take 64 KB.
const LONGEST_VALUE: usize = 1 << 20;
/// Longest name of a subnet, in bytes, as the chain takes it.
const LONGEST_NAME: usize = 256;
/// Fields of a registration that are kept; the chain's bound is 3.
const MOST_FIELDS: usize = 64;

/// A registration of one field of 128 bytes, which every commitment of GRAIL is, by the layout that is known (FACTS 3):
/// deposit, block, one field, `Raw128`. What these bytes mean no metadata decides.
fn pinned(bytes: &[u8]) -> Option<Stored> {
    const ONE_FIELD_RAW128: [u8; 2] = [4, 129];
    let (deposit, rest) = bytes.split_first_chunk::<8>()?;
    let (block, rest) = rest.split_first_chunk::<4>()?;
    let content = rest.strip_prefix(&ONE_FIELD_RAW128).filter(|content| content.len() == COMMITMENT_CHARS)?;
    Some(Stored::Registration {
        block: u64::from(u32::from_le_bytes(*block)),
        deposit: u64::from_le_bytes(*deposit),
        fields: vec![Payload::Bytes { variant: "Raw128".to_owned(), bytes: content.to_vec() }],
    })
}

/// Whether what a stored commitment means does not depend on metadata.
pub(super) fn is_pinned(bytes: &[u8]) -> bool {
    pinned(bytes).is_some()
}

/// A commitment of which nothing is known but that the runtime keeps it in another way.
pub(super) fn hidden() -> Stored {
    Stored::Undecodable {
        block: None,
        length: 0,
        unknown: None,
        dump: MaskedBytes::of(&[]),
        why: "this runtime is newer and keeps commitments in another way: update the console".into(),
    }
}

/// One entry of `CommitmentOf`.
pub(super) fn stored(schema: &Schema, bytes: &[u8]) -> Stored {
    if let Some(stored) = pinned(bytes) {
        return stored;
    }
    let mut registration = Registration { rest: bytes, ..Registration::default() };
    match registration.read(schema) {
        Ok(stored) => stored,
        Err(error) => Stored::Undecodable {
            block: registration.block,
            length: bytes.len(),
            unknown: absent_variant(&error),
            dump: MaskedBytes::of(registration.rest),
            why: Untrusted::from_text(error.to_string()),
        },
    }
}

/// The index that stopped the decoding because the metadata has no variant of it.
fn absent_variant(error: &Error) -> Option<u8> {
    match error.kind() {
        ErrorKind::VisitorDecodeError(DecodeError::VariantNotFound(index)) => Some(*index),
        _ => None,
    }
}

/// A value of a plain type, such as a number; `None` when it does not decode.
pub(super) fn scalar<T: DecodeAsType>(schema: &Schema, ty: u32, bytes: &[u8]) -> Option<T> {
    T::decode_as_type(&mut &*bytes, ty, &schema.types).ok()
}

/// A vector, such as that of the permits.
pub(super) fn vector<T: DecodeAsType>(schema: &Schema, ty: u32, bytes: &[u8]) -> Option<Vec<T>> {
    if bytes.len() > LONGEST_VALUE {
        return None;
    }
    decode_with_visitor(&mut &*bytes, ty, &schema.types, Items::new(LONGEST_VALUE)).ok()
}

/// A hotkey.
pub(super) fn hotkey(schema: &Schema, ty: u32, bytes: &[u8]) -> Option<Hotkey> {
    let items: Vec<u8> = decode_with_visitor(&mut &*bytes, ty, &schema.types, Items::new(32)).ok()?;
    Some(Hotkey::from_bytes(items.try_into().ok()?))
}

/// The name in a `SubnetIdentity`; `None` where there is none, or one longer than the chain takes.
pub(super) fn subnet_name(schema: &Schema, ty: u32, bytes: &[u8]) -> Option<Untrusted> {
    let longest = bytes.len() <= LONGEST_VALUE;
    let name = longest.then(|| decode_with_visitor(&mut &*bytes, ty, &schema.types, SubnetName).ok())??;
    (!name.is_empty()).then(|| Untrusted::from_bytes(name))
}

/// The bytes of the field `subnet_name`.
struct SubnetName;

impl Visitor for SubnetName {
    type Value<'scale, 'resolver> = Vec<u8>;
    type Error = Error;
    type TypeResolver = PortableRegistry;

    fn visit_composite(
        self,
        value: &mut Composite<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Vec<u8>, Error> {
        for field in value.by_ref() {
            let field = field?;
            if field.name() == Some("subnet_name") {
                return field.decode_with_visitor(Items::new(LONGEST_NAME));
            }
        }
        Err(says("an identity without a name"))
    }
}

fn says(why: &'static str) -> Error {
    Error::custom_str(why)
}

/// Items of a sequence, an array, or a type wrapped around one. Nothing is allocated by an announced length.
struct Items<T, R> {
    most: usize,
    of: PhantomData<(T, R)>,
}

impl<T, R> Items<T, R> {
    fn new(most: usize) -> Self {
        Self { most, of: PhantomData }
    }
}

macro_rules! collect_items {
    ($self:ident, $value:ident) => {{
        let mut items = Vec::new();
        while let Some(item) = $value.decode_item(T::into_visitor()) {
            if items.len() == $self.most {
                return Err(says("too many items"));
            }
            items.push(item?);
        }
        Ok(items)
    }};
}

impl<T: IntoVisitor> Visitor for Items<T, PortableRegistry> {
    type Value<'scale, 'resolver> = Vec<T>;
    type Error = Error;
    type TypeResolver = PortableRegistry;

    fn visit_sequence(
        self,
        value: &mut Sequence<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Vec<T>, Error> {
        collect_items!(self, value)
    }

    fn visit_array(self, value: &mut Array<'_, '_, PortableRegistry>, _: TypeIdFor<Self>) -> Result<Vec<T>, Error> {
        collect_items!(self, value)
    }

    fn visit_composite(
        self,
        value: &mut Composite<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Vec<T>, Error> {
        only_field(value, self)
    }
}

/// Decodes the one field of a wrapper.
fn only_field<'scale, 'resolver, V: Visitor<TypeResolver = PortableRegistry, Error = Error>>(
    value: &mut Composite<'scale, 'resolver, PortableRegistry>,
    visitor: V,
) -> Result<V::Value<'scale, 'resolver>, Error> {
    if value.remaining() != 1 {
        return Err(says("not a wrapper of one field"));
    }
    value.decode_item(visitor).unwrap_or_else(|| Err(says("an empty wrapper")))
}

/// `Registration { deposit, block, info }`, field by field, so that what came before a bad one is not lost with it.
#[derive(Default)]
struct Registration<'v> {
    /// What is not decoded yet.
    rest: &'v [u8],
    block: Option<u64>,
    deposit: Option<u64>,
    fields: Option<Vec<Payload>>,
}

impl Registration<'_> {
    fn read(&mut self, schema: &Schema) -> Result<Stored, Error> {
        if self.rest.len() > LONGEST_REGISTRATION {
            return Err(says("longer than any registration"));
        }
        let ty = schema.types.resolve(schema.commitment_of.value).map(|ty| &ty.type_def);
        let Some(TypeDef::Composite(composite)) = ty else { return Err(says("not a registration")) };
        for field in &composite.fields {
            let mut rest = self.rest;
            self.field(field.name.as_deref(), field.ty.id, &mut rest, &schema.types)?;
            self.rest = rest;
        }
        Ok(Stored::Registration {
            block: self.block.ok_or_else(|| says("a registration without a block"))?,
            deposit: self.deposit.unwrap_or_default(),
            fields: self.fields.take().ok_or_else(|| says("a registration without content"))?,
        })
    }

    fn field(&mut self, name: Option<&str>, ty: u32, rest: &mut &[u8], types: &PortableRegistry) -> Result<(), Error> {
        match name {
            Some("block") => self.block = Some(u64::decode_as_type(rest, ty, types)?),
            Some("deposit") => self.deposit = Some(u64::decode_as_type(rest, ty, types)?),
            Some("info") => self.fields = Some(decode_with_visitor(rest, ty, types, Fields)?),
            _ => drop(decode_with_visitor(rest, ty, types, IgnoreVisitor::new())?),
        }
        Ok(())
    }
}

/// `CommitmentInfo { fields }`, and the bounded vector within.
struct Fields;

impl Visitor for Fields {
    type Value<'scale, 'resolver> = Vec<Payload>;
    type Error = Error;
    type TypeResolver = PortableRegistry;

    fn visit_composite(
        self,
        value: &mut Composite<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Vec<Payload>, Error> {
        if value.remaining() == 1 {
            return only_field(value, self);
        }
        for field in value.by_ref() {
            let field = field?;
            if field.name() == Some("fields") {
                return field.decode_with_visitor(self);
            }
        }
        Err(says("content without fields"))
    }

    fn visit_sequence(
        self,
        value: &mut Sequence<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Vec<Payload>, Error> {
        let mut fields = Vec::new();
        while let Some(field) = value.decode_item(Data) {
            if fields.len() == MOST_FIELDS {
                return Err(says("too many fields"));
            }
            fields.push(field?);
        }
        Ok(fields)
    }
}

/// `Data`, by variant name.
struct Data;

impl Visitor for Data {
    type Value<'scale, 'resolver> = Payload;
    type Error = Error;
    type TypeResolver = PortableRegistry;

    fn visit_variant(
        self,
        value: &mut Variant<'_, '_, PortableRegistry>,
        _: TypeIdFor<Self>,
    ) -> Result<Payload, Error> {
        let name = value.name();
        match name {
            "None" => Ok(Payload::Nothing),
            "ResetBondsFlag" => Ok(Payload::Flag { variant: name.to_owned() }),
            "BlakeTwo256" | "Sha256" | "Keccak256" | "ShaThree256" => Ok(Payload::Hash { variant: name.to_owned() }),
            "TimelockEncrypted" => {
                let (length, reveal_round) = timelock(value.fields())?;
                Ok(Payload::Timelock { length, reveal_round })
            }
            "TimelockRevealFailed" => {
                timelock(value.fields()).map(|(_, reveal_round)| Payload::RevealFailed { reveal_round })
            }
            _ if is_raw(name) => {
                let bytes = only_field(value.fields(), Items::new(LONGEST_REGISTRATION))?;
                Ok(Payload::Bytes { variant: name.to_owned(), bytes })
            }
            _ => Ok(Payload::Unknown { variant: name.into() }),
        }
    }
}

/// `Raw0` to `Raw128`, and `BigRaw`.
fn is_raw(name: &str) -> bool {
    let digits = |rest: &str| (1..=4).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit());
    name == "BigRaw" || name.strip_prefix("Raw").is_some_and(digits)
}

/// Length of the ciphertext, and the round.
fn timelock(fields: &mut Composite<'_, '_, PortableRegistry>) -> Result<(usize, u64), Error> {
    let (mut length, mut round) = (None, None);
    for field in fields.by_ref() {
        let field = field?;
        match field.name() {
            Some("encrypted") => {
                let bytes: Vec<u8> = field.decode_with_visitor(Items::new(LONGEST_REGISTRATION))?;
                length = Some(bytes.len());
            }
            Some("reveal_round") => round = Some(field.decode_as_type()?),
            _ => {}
        }
    }
    let length = length.ok_or_else(|| says("a timelock without its ciphertext"))?;
    let reveal_round = round.ok_or_else(|| says("a timelock without its round"))?;
    Ok((length, reveal_round))
}
