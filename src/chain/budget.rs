//! What decoding a type may cost, judged before anything is decoded with it.
//!
//! The types come from the node's metadata, so a hostile node chooses them: a type that contains itself would recurse
//! for ever, a tower of pairs of nothing would take 2^32 steps for no input at all, a sequence of nothing allocates by
//! its announced length. Such types are refused here; what passes needs few steps for each byte of input.

use std::collections::BTreeMap;

use scale_info::form::PortableForm;
use scale_info::{Field, PortableRegistry, TypeDef, TypeDefPrimitive};

/// Nesting of types: a registration needs 8.
const DEEPEST: u32 = 32;
/// Steps for one value without its sequences' further items: a registration needs about 300.
const DEAREST: u64 = 4_096;
/// Types reachable from the entries that the console reads: about 200, most of them the arrays of `Raw0` to `Raw128`.
const MOST_TYPES: usize = 2_048;

/// What a type costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Fewest bytes of a value.
    pub(super) least: u64,
    /// Most bytes of a value, `None` when that depends on the value.
    pub(super) most: Option<u64>,
    /// Steps to decode a value, an item of each sequence included.
    steps: u64,
}

impl Cost {
    const fn fixed(bytes: u64) -> Self {
        Self { least: bytes, most: Some(bytes), steps: 1 }
    }

    fn and(self, next: Self) -> Self {
        Self {
            least: self.least.saturating_add(next.least),
            most: self.most.zip(next.most).and_then(|(a, b)| a.checked_add(b)),
            steps: self.steps.saturating_add(next.steps),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.zip(other.most).filter(|(a, b)| a == b).map(|(a, _)| a),
            steps: self.steps.max(other.steps),
        }
    }

    fn times(self, count: u32) -> Self {
        let count = u64::from(count);
        Self {
            least: self.least.saturating_mul(count),
            most: self.most.and_then(|most| most.checked_mul(count)),
            steps: self.steps.saturating_mul(count).saturating_add(1),
        }
    }
}

/// Judges types of one registry, each once.
pub(super) struct Budget<'r> {
    registry: &'r PortableRegistry,
    known: BTreeMap<u32, Option<Cost>>,
    most: Most,
}

/// How much is too much.
#[derive(Debug, Clone, Copy)]
struct Most {
    depth: u32,
    steps: u64,
    types: usize,
}

impl<'r> Budget<'r> {
    /// A budget over the types of some metadata.
    pub(super) fn new(registry: &'r PortableRegistry) -> Self {
        let most = Most { depth: DEEPEST, steps: DEAREST, types: MOST_TYPES };
        Self { registry, known: BTreeMap::new(), most }
    }

    /// The same for the events of a block, which may hold anything that any pallet has to tell.
    pub(super) fn for_events(registry: &'r PortableRegistry) -> Self {
        let most = Most { depth: 2 * DEEPEST, steps: 16 * DEAREST, types: 4 * MOST_TYPES };
        Self { registry, known: BTreeMap::new(), most }
    }

    /// The cost of a type, or why it is refused.
    pub(super) fn of(&mut self, id: u32) -> Result<Cost, &'static str> {
        self.walk(id, 0)
    }

    /// Every type seen so far.
    pub(super) fn seen(&self) -> impl Iterator<Item = u32> + '_ {
        self.known.keys().copied()
    }

    fn walk(&mut self, id: u32, depth: u32) -> Result<Cost, &'static str> {
        match self.known.get(&id) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err("a type contains itself"),
            None => {}
        }
        if depth > self.most.depth {
            return Err("types are nested too deep");
        }
        if self.known.len() >= self.most.types {
            return Err("too many types");
        }
        self.known.insert(id, None);
        let cost = self.judge(id, depth)?;
        if cost.steps > self.most.steps {
            return Err("a type takes too many steps to decode");
        }
        self.known.insert(id, Some(cost));
        Ok(cost)
    }

    fn judge(&mut self, id: u32, depth: u32) -> Result<Cost, &'static str> {
        let registry = self.registry;
        let ty = registry.types.get(id as usize).filter(|ty| ty.id == id).ok_or("a type is missing")?;
        match &ty.ty.type_def {
            TypeDef::Composite(composite) => self.fields(&composite.fields, depth),
            TypeDef::Tuple(tuple) => {
                tuple.fields.iter().try_fold(STEP, |sum, field| Ok(sum.and(self.walk(field.id, depth + 1)?)))
            }
            TypeDef::Array(array) => Ok(self.walk(array.type_param.id, depth + 1)?.times(array.len)),
            TypeDef::Sequence(sequence) => self.sequence(sequence.type_param.id, depth),
            TypeDef::Variant(choice) => {
                let mut costs = Vec::with_capacity(choice.variants.len());
                for variant in &choice.variants {
                    costs.push(self.fields(&variant.fields, depth)?);
                }
                let body = costs.into_iter().reduce(Cost::or).unwrap_or(STEP);
                Ok(Cost::fixed(1).and(body))
            }
            TypeDef::Primitive(primitive) => Ok(primitive_cost(primitive)),
            TypeDef::Compact(compact) => {
                let inner = self.walk(compact.type_param.id, depth + 1)?;
                Ok(Cost { least: 1, most: None, steps: inner.steps.saturating_add(1) })
            }
            TypeDef::BitSequence(_) => Err("a bit sequence"),
        }
    }

    fn fields(&mut self, fields: &[Field<PortableForm>], depth: u32) -> Result<Cost, &'static str> {
        fields.iter().try_fold(STEP, |sum, field| Ok(sum.and(self.walk(field.ty.id, depth + 1)?)))
    }

    fn sequence(&mut self, item: u32, depth: u32) -> Result<Cost, &'static str> {
        let item = self.walk(item, depth + 1)?;
        if item.least == 0 {
            return Err("a sequence of nothing");
        }
        Ok(Cost { least: 1, most: None, steps: item.steps.saturating_add(1) })
    }
}

const STEP: Cost = Cost::fixed(0);

fn primitive_cost(primitive: &TypeDefPrimitive) -> Cost {
    use TypeDefPrimitive as P;
    match primitive {
        P::Bool | P::U8 | P::I8 => Cost::fixed(1),
        P::U16 | P::I16 => Cost::fixed(2),
        P::Char | P::U32 | P::I32 => Cost::fixed(4),
        P::U64 | P::I64 => Cost::fixed(8),
        P::U128 | P::I128 => Cost::fixed(16),
        P::U256 | P::I256 => Cost::fixed(32),
        P::Str => Cost { least: 1, most: None, steps: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scale_info::{Path, PortableType, Type, TypeDefArray, TypeDefSequence, TypeDefTuple};

    fn registry(defs: Vec<TypeDef<PortableForm>>) -> PortableRegistry {
        let types = defs.into_iter().enumerate().map(|(id, def)| PortableType {
            id: u32::try_from(id).unwrap(),
            ty: Type { path: Path { segments: vec![] }, type_params: vec![], type_def: def, docs: vec![] },
        });
        PortableRegistry { types: types.collect() }
    }

    fn tuple(ids: &[u32]) -> TypeDef<PortableForm> {
        TypeDef::Tuple(TypeDefTuple { fields: ids.iter().map(|id| (*id).into()).collect() })
    }

    #[test]
    fn a_type_that_contains_itself_is_refused() {
        let types = registry(vec![tuple(&[1]), tuple(&[0])]);
        assert_eq!(Budget::new(&types).of(0), Err("a type contains itself"));
    }

    #[test]
    fn a_tower_of_pairs_of_nothing_is_refused() {
        let types = registry((0..30).map(|n: u32| if n == 0 { tuple(&[]) } else { tuple(&[n - 1, n - 1]) }).collect());
        assert_eq!(Budget::new(&types).of(29), Err("a type takes too many steps to decode"));
    }

    #[test]
    fn a_chain_of_types_that_would_exhaust_the_stack_is_refused() {
        let types = registry((0..60_000).map(|n: u32| tuple(&[n + 1])).collect());
        assert_eq!(Budget::new(&types).of(0), Err("types are nested too deep"));
    }

    #[test]
    fn sequences_and_endless_arrays_of_nothing_are_refused() {
        let nothing = tuple(&[]);
        let sequence = TypeDef::Sequence(TypeDefSequence { type_param: 0.into() });
        let array = TypeDef::Array(TypeDefArray { len: u32::MAX, type_param: 0.into() });
        let types = registry(vec![nothing, sequence, array]);
        assert_eq!(Budget::new(&types).of(1), Err("a sequence of nothing"));
        assert!(Budget::new(&types).of(2).is_err());
    }

    #[test]
    fn a_type_that_is_not_there_is_refused() {
        assert_eq!(Budget::new(&registry(vec![tuple(&[7])])).of(0), Err("a type is missing"));
    }
}
