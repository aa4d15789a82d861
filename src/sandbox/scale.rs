//! SCALE bytes measured along a type of the metadata: where one value ends and the next begins, without building values
//! of either. What an extrinsic holds is decided by whoever sent it, so nothing here trusts a length or a depth.

use parity_scale_codec::{Compact, Decode, Error};
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};

/// Types within types, at most. A call within a call takes four of them; the runtime stops at 256 calls.
const MAX_DEPTH: u16 = 1024;

/// The bytes of one value at the beginning of `input`, which moves past them.
pub fn take<'b>(types: &PortableRegistry, id: u32, input: &mut &'b [u8]) -> Result<&'b [u8], Error> {
    let whole = *input;
    skip(types, id, input, MAX_DEPTH)?;
    Ok(&whole[..whole.len() - input.len()])
}

fn skip(types: &PortableRegistry, id: u32, input: &mut &[u8], depth: u16) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or("Maximum recursion depth reached when decoding")?;
    match &types.resolve(id).ok_or("No such type in the metadata")?.type_def {
        TypeDef::Composite(def) => def.fields.iter().try_for_each(|field| skip(types, field.ty.id, input, depth)),
        TypeDef::Tuple(def) => def.fields.iter().try_for_each(|field| skip(types, field.id, input, depth)),
        TypeDef::Variant(def) => {
            let index = u8::decode(input)?;
            let variant = def.variants.iter().find(|variant| variant.index == index);
            let fields = &variant.ok_or("Could not decode enum, no such variant")?.fields;
            fields.iter().try_for_each(|field| skip(types, field.ty.id, input, depth))
        }
        TypeDef::Array(def) => skip_many(types, def.type_param.id, def.len, input, depth),
        TypeDef::Sequence(def) => {
            let count = Compact::<u32>::decode(input)?.0;
            skip_many(types, def.type_param.id, count, input, depth)
        }
        TypeDef::Primitive(primitive) => skip_primitive(primitive, input),
        TypeDef::Compact(_) => Compact::<u128>::decode(input).map(drop),
        TypeDef::BitSequence(def) => {
            let bits = Compact::<u32>::decode(input)?.0;
            let width = bits_of(types, def.bit_store_type.id).ok_or("No such bit store")?;
            let stores = usize::try_from(bits.div_ceil(width)).map_err(|_| "Too many bits")?;
            skip_bytes(stores * usize::try_from(width / 8).unwrap_or_default(), input)
        }
    }
}

fn skip_many(types: &PortableRegistry, id: u32, count: u32, input: &mut &[u8], depth: u16) -> Result<(), Error> {
    if bits_of(types, id) == Some(8) {
        return skip_bytes(usize::try_from(count).map_err(|_| "Too many bytes")?, input);
    }
    for _ in 0..count {
        let before = input.len();
        skip(types, id, input, depth)?;
        if input.len() == before {
            // Values without bytes: the rest of them has none either, however many they claim to be.
            break;
        }
    }
    Ok(())
}

/// Width of an unsigned integer type.
fn bits_of(types: &PortableRegistry, id: u32) -> Option<u32> {
    match &types.resolve(id)?.type_def {
        TypeDef::Primitive(TypeDefPrimitive::U8) => Some(8),
        TypeDef::Primitive(TypeDefPrimitive::U16) => Some(16),
        TypeDef::Primitive(TypeDefPrimitive::U32) => Some(32),
        TypeDef::Primitive(TypeDefPrimitive::U64) => Some(64),
        _ => None,
    }
}

fn skip_primitive(primitive: &TypeDefPrimitive, input: &mut &[u8]) -> Result<(), Error> {
    use TypeDefPrimitive as P;
    match primitive {
        P::Bool => bool::decode(input).map(drop),
        P::Str => String::decode(input).map(drop),
        P::U8 | P::I8 => skip_bytes(1, input),
        P::U16 | P::I16 => skip_bytes(2, input),
        P::Char | P::U32 | P::I32 => skip_bytes(4, input),
        P::U64 | P::I64 => skip_bytes(8, input),
        P::U128 | P::I128 => skip_bytes(16, input),
        P::U256 | P::I256 => skip_bytes(32, input),
    }
}

fn skip_bytes(count: usize, input: &mut &[u8]) -> Result<(), Error> {
    *input = input.get(count..).ok_or("Not enough data to fill buffer")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parity_scale_codec::Encode;
    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::metadata::Runtime;

    fn call(bytes: &[u8]) -> Result<usize, Error> {
        let runtime = Runtime::finney().unwrap();
        take(runtime.types(), runtime.call_type(), &mut &bytes[..]).map(<[u8]>::len)
    }

    #[test]
    fn a_call_ends_where_its_type_says() {
        let runtime = Runtime::finney().unwrap();
        let remark = runtime.call_index("System", "remark").unwrap();
        assert_eq!(call(&(remark, b"hello".to_vec(), "more").encode()), Ok(2 + 1 + 5));
        assert!(call(&(remark, Compact(100u32)).encode()).is_err());
        assert!(call(&[255, 0]).is_err());
    }

    #[test]
    fn calls_within_calls_end_at_a_depth_and_not_with_the_stack() {
        let batch = Runtime::finney().unwrap().call_index("Utility", "batch").unwrap();
        let nested = |depth: usize| [[batch[0], batch[1], 4].repeat(depth), [batch[0], batch[1], 0].to_vec()].concat();
        assert_eq!(call(&nested(100)), Ok(303));
        assert!(call(&nested(1_000_000)).unwrap_err().to_string().contains("recursion depth"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_measured_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(length) = call(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
