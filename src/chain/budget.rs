//! What decoding a type may cost, judged before anything is decoded with it.
//!
//! The types come from the node's metadata, so a hostile node chooses them: a type that contains itself would recurse
//! for ever, a tower of pairs of nothing would take 2^32 steps for no input at all, a sequence of nothing allocates by
//! its announced length, names of megabytes are copied for every item. Such types are refused here; what passes needs few
//! steps and little stack for each byte of input.

use std::collections::BTreeMap;

use scale_info::form::PortableForm;
use scale_info::{Field, PortableRegistry, Type, TypeDef, TypeDefPrimitive};

/// Nesting of types: a registration needs 8, an event 6.
const DEEPEST: u32 = 32;
/// Steps for one value without its sequences' further items: a registration needs about 300, an event 120.
const DEAREST: u64 = 4_096;
/// Types reachable from the entries that the console reads: about 200, most of them the arrays of `Raw0` to `Raw128`.
const MOST_TYPES: usize = 2_048;
/// Steps for a value that is decoded with a copy of each name in it: an account needs 12, a hotkey 35.
const DEAREST_NAMED: u64 = 256;
/// Longest name of a type, variant or field, in bytes: the longest of finney has about 50.
const LONGEST_NAME: usize = 256;

/// What a type costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Fewest bytes of a value.
    pub(super) least: u64,
    /// Most bytes of a value, `None` when that depends on the value.
    pub(super) most: Option<u64>,
    /// Steps to decode a value, an item of each sequence included.
    steps: u64,
    /// Levels of nesting below it.
    height: u32,
}

impl Cost {
    const fn fixed(bytes: u64) -> Self {
        Self { least: bytes, most: Some(bytes), steps: 1, height: 0 }
    }

    /// That of a type seen from the one that holds it.
    fn below(self) -> Self {
        Self { height: self.height.saturating_add(1), ..self }
    }

    /// A value of at least one byte that depends on what it holds.
    fn of_unknown_size(self) -> Self {
        Self { least: 1, most: None, steps: self.steps.saturating_add(1), height: self.height }
    }

    fn and(self, next: Self) -> Self {
        Self {
            least: self.least.saturating_add(next.least),
            most: self.most.zip(next.most).and_then(|(a, b)| a.checked_add(b)),
            steps: self.steps.saturating_add(next.steps),
            height: self.height.max(next.height),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.zip(other.most).filter(|(a, b)| a == b).map(|(a, _)| a),
            steps: self.steps.max(other.steps),
            height: self.height.max(other.height),
        }
    }

    fn times(self, count: u32) -> Self {
        let count = u64::from(count);
        Self {
            least: self.least.saturating_mul(count),
            most: self.most.and_then(|most| most.checked_mul(count)),
            steps: self.steps.saturating_mul(count).saturating_add(1),
            height: self.height,
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

    /// The same for values that are decoded with their names: each step may copy one.
    pub(super) fn for_named(registry: &'r PortableRegistry) -> Self {
        let most = Most { depth: DEEPEST, steps: DEAREST_NAMED, types: MOST_TYPES };
        Self { registry, known: BTreeMap::new(), most }
    }

    /// The cost of a type, or why it is refused.
    pub(super) fn of(&mut self, id: u32) -> Result<Cost, &'static str> {
        self.walk(id, 0)
    }

    /// The cost of the fields of a variant, such as the arguments of a call, or why they are refused.
    pub(super) fn of_fields(&mut self, fields: &[Field<PortableForm>]) -> Result<Cost, &'static str> {
        let cost = self.fields(fields, 0)?;
        self.affordable(cost)
    }

    /// Every type seen so far.
    pub(super) fn seen(&self) -> impl Iterator<Item = u32> + '_ {
        self.known.keys().copied()
    }

    fn walk(&mut self, id: u32, depth: u32) -> Result<Cost, &'static str> {
        match self.known.get(&id) {
            // It was judged where it stood less deep, perhaps.
            Some(Some(cost)) if depth.saturating_add(cost.height) > self.most.depth => return Err(TOO_DEEP),
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err("a type contains itself"),
            None => {}
        }
        if depth > self.most.depth {
            return Err(TOO_DEEP);
        }
        if self.known.len() >= self.most.types {
            return Err("too many types");
        }
        self.known.insert(id, None);
        let cost = self.judge(id, depth)?;
        let cost = self.affordable(cost)?;
        self.known.insert(id, Some(cost));
        Ok(cost)
    }

    const fn affordable(&self, cost: Cost) -> Result<Cost, &'static str> {
        if cost.steps > self.most.steps { Err(TOO_DEAR) } else { Ok(cost) }
    }

    /// The cost of a type that another one at `depth` holds.
    fn held(&mut self, id: u32, depth: u32) -> Result<Cost, &'static str> {
        Ok(self.walk(id, depth + 1)?.below())
    }

    fn judge(&mut self, id: u32, depth: u32) -> Result<Cost, &'static str> {
        let registry = self.registry;
        let ty = registry.types.get(id as usize).filter(|ty| ty.id == id).ok_or("a type is missing")?;
        named_briefly(&ty.ty)?;
        match &ty.ty.type_def {
            TypeDef::Composite(composite) => self.fields(&composite.fields, depth),
            TypeDef::Tuple(tuple) => {
                tuple.fields.iter().try_fold(STEP, |sum, field| Ok(sum.and(self.held(field.id, depth)?)))
            }
            TypeDef::Array(array) => Ok(self.held(array.type_param.id, depth)?.times(array.len)),
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
            TypeDef::Compact(compact) => Ok(self.held(compact.type_param.id, depth)?.of_unknown_size()),
            TypeDef::BitSequence(_) => Err("a bit sequence"),
        }
    }

    fn fields(&mut self, fields: &[Field<PortableForm>], depth: u32) -> Result<Cost, &'static str> {
        fields.iter().try_fold(STEP, |sum, field| {
            brief(field.name.as_ref())?;
            Ok(sum.and(self.held(field.ty.id, depth)?))
        })
    }

    fn sequence(&mut self, item: u32, depth: u32) -> Result<Cost, &'static str> {
        let item = self.held(item, depth)?;
        if item.least == 0 {
            return Err("a sequence of nothing");
        }
        Ok(item.of_unknown_size())
    }
}

const STEP: Cost = Cost::fixed(0);
const TOO_DEEP: &str = "types are nested too deep";
const TOO_DEAR: &str = "a type takes too many steps to decode";

/// Whether the names of a type and of its variants are short; those of fields are looked at with their types.
fn named_briefly(ty: &Type<PortableForm>) -> Result<(), &'static str> {
    let of_variants: &[_] = if let TypeDef::Variant(choice) = &ty.type_def { &choice.variants } else { &[] };
    let names = of_variants.iter().map(|variant| &variant.name);
    brief(ty.path.segments.iter().chain(names))
}

fn brief<'n>(names: impl IntoIterator<Item = &'n String>) -> Result<(), &'static str> {
    if names.into_iter().all(|name| name.len() <= LONGEST_NAME) { Ok(()) } else { Err("a name is too long") }
}

fn primitive_cost(primitive: &TypeDefPrimitive) -> Cost {
    use TypeDefPrimitive as P;
    match primitive {
        P::Bool | P::U8 | P::I8 => Cost::fixed(1),
        P::U16 | P::I16 => Cost::fixed(2),
        P::Char | P::U32 | P::I32 => Cost::fixed(4),
        P::U64 | P::I64 => Cost::fixed(8),
        P::U128 | P::I128 => Cost::fixed(16),
        P::U256 | P::I256 => Cost::fixed(32),
        P::Str => STEP.of_unknown_size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scale_info::{
        Path, PortableType, TypeDefArray, TypeDefComposite, TypeDefSequence, TypeDefTuple, TypeDefVariant, Variant,
    };
    use subxt::Metadata;

    const FINNEY: &[u8] = include_bytes!("../../assets/metadata/finney-spec-365.v16.scale");

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

    /// So many wrappers around nothing, and a tuple that names every twentieth, the innermost first.
    fn wrapped(count: u32) -> PortableRegistry {
        let mut defs: Vec<_> = (0..count).map(|n| if n == 0 { tuple(&[]) } else { tuple(&[n - 1]) }).collect();
        defs.push(tuple(&(0..count).step_by(20).collect::<Vec<_>>()));
        registry(defs)
    }

    #[test]
    fn wrappers_are_too_deep_however_early_the_inner_ones_were_judged() {
        assert_eq!(Budget::new(&wrapped(2_000)).of(2_000), Err("types are nested too deep"));
        let types = wrapped(2_000);
        let mut budget = Budget::new(&types);
        assert!(budget.of(20).is_ok());
        assert_eq!(budget.of(40), Err("types are nested too deep"));
    }

    #[test]
    fn a_type_may_be_as_deep_as_the_limit_in_whatever_order_it_is_judged() {
        let types = wrapped(DEEPEST + 2);
        for order in [[DEEPEST, DEEPEST / 2], [DEEPEST / 2, DEEPEST]] {
            let mut budget = Budget::new(&types);
            assert!(order.map(|id| budget.of(id)).iter().all(Result::is_ok));
            assert_eq!(budget.of(DEEPEST + 1), Err("types are nested too deep"));
        }
    }

    fn field(name: &str, ty: u32) -> Field<PortableForm> {
        Field { name: Some(name.to_owned()), ty: ty.into(), type_name: None, docs: vec![] }
    }

    /// A type with a name of this many bytes as a field's, a variant's and a path's.
    fn named(length: usize) -> [PortableRegistry; 3] {
        let name = "N".repeat(length);
        let of_field = TypeDef::Composite(TypeDefComposite { fields: vec![field(&name, 0)] });
        let variant = Variant { name: name.clone(), fields: vec![], index: 0, docs: vec![] };
        let of_variant = TypeDef::Variant(TypeDefVariant { variants: vec![variant] });
        let [mut of_path, of_field, of_variant] =
            [tuple(&[0]), of_field, of_variant].map(|def| registry(vec![tuple(&[]), def]));
        of_path.types[1].ty.path.segments.push(name);
        [of_path, of_field, of_variant]
    }

    #[test]
    fn names_that_would_be_copied_for_every_item_are_short() {
        assert!(named(256).iter().all(|types| Budget::new(types).of(1).is_ok()));
        for types in named(257) {
            assert_eq!(Budget::new(&types).of(1), Err("a name is too long"));
        }
    }

    #[test]
    fn a_value_that_is_decoded_with_its_names_takes_few_steps() {
        let arrays = [200, 300].map(|len| TypeDef::Array(TypeDefArray { len, type_param: 0.into() }));
        let types = registry([vec![TypeDef::Primitive(TypeDefPrimitive::U8)], arrays.to_vec()].concat());
        assert!(Budget::for_named(&types).of(1).is_ok());
        assert!(Budget::new(&types).of(2).is_ok());
        assert_eq!(Budget::for_named(&types).of(2), Err("a type takes too many steps to decode"));
        assert_eq!(Budget::for_named(&types).of_fields(&[field("a", 1), field("b", 1)]), Err(TOO_DEAR));
    }

    #[test]
    fn the_events_of_finney_take_a_fraction_of_what_is_allowed() {
        let metadata = Metadata::decode_from(FINNEY).unwrap();
        let mut budget = Budget::new(metadata.types());
        let ids: Vec<u32> = metadata.pallets().filter_map(|pallet| pallet.event_ty_id()).collect();
        let costs: Vec<Cost> = ids.iter().map(|id| budget.of(*id).unwrap()).collect();
        let within = |cost: &Cost| 4 * cost.height <= DEEPEST && 16 * cost.steps <= DEAREST;
        assert!(costs.len() > 20 && costs.iter().all(within), "{costs:?}");
        assert!(8 * budget.known.len() <= MOST_TYPES);
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
