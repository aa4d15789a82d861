//! What is needed of a runtime to commit: its calls, extensions, events and error names, and a few storage entries.

use std::sync::Arc;

use scale_value::{At as _, Composite, Value, ValueDef};
use subxt::client::{OfflineClient, OfflineClientAtBlock};
use subxt::config::substrate::{H256, SpecVersionForRange, SubstrateConfig};
use subxt::{ArcMetadata, Metadata};
use tokio::task::spawn_blocking;

use super::super::budget::Budget;
use super::super::error::{ChainError, Fault};
use super::super::metadata::{self, MetadataStore};
use super::super::schema::{Entry, Lookup, Part, Schema};
use super::super::session::Session;
use crate::domain::network::BlockHash;
use crate::domain::runtime_metadata::RuntimeMetadata;
use crate::domain::untrusted::Untrusted;

/// Longest value that is decoded with its names, in bytes: an account takes 80, the fields of an event of interest 40.
pub(super) const LONGEST_NAMED: usize = 256;

/// Events whose fields are read, beside those of which the name says everything.
const EVENTS_READ: [(&str, &str); 2] = [("System", "ExtrinsicFailed"), ("Commitments", "Commitment")];
/// The extension that adds one byte to an extrinsic and one more to what is signed (FACTS 3). Older runtimes lack it.
const METADATA_HASH: &str = "CheckMetadataHash";

/// A runtime, decoded once for a commit.
pub(in crate::chain) struct Runtime {
    /// Version of its specification.
    pub(in crate::chain) spec: u32,
    /// Version of its transactions.
    pub(in crate::chain) transactions: u32,
    /// Where commitments are.
    pub(in crate::chain) schema: Arc<Schema>,
    /// Where the rest is.
    pub(super) ledger: Ledger,
    /// Calls, extensions, events and errors.
    pub(in crate::chain) metadata: ArcMetadata,
    /// Whether the events' types can be decoded without harm.
    pub(super) events_are_sound: bool,
    /// Whether extrinsics say that they do not bind the metadata's hash.
    pub(super) has_metadata_hash: bool,
    /// Whether it was kept from an earlier run, so that another node may have told it.
    pub(in crate::chain) was_kept: bool,
}

impl Runtime {
    /// The runtime of the best block, for which a transaction of now is signed: kept, or from the node where nothing is
    /// kept that decodes. Nothing is kept from here: what a node says to one who signs is not told to those who read.
    pub(super) async fn of_best(
        session: &Session,
        store: &MetadataStore,
        genesis: BlockHash,
        (spec, transactions): (u32, u32),
    ) -> Result<Self, ChainError> {
        let Some(kept) = metadata::kept(store, genesis, spec).await else { return Self::fetched(session).await };
        match Self::decode(kept, (spec, transactions)).await {
            Ok(runtime) => Ok(Self { was_kept: true, ..runtime }),
            Err(fault) => {
                tracing::warn!(spec_version = spec, %fault, "the cached metadata is of no use and is fetched anew");
                Self::fetched(session).await
            }
        }
    }

    /// The runtime of the best block as the node serves it: metadata and versions of one and the same block.
    pub(in crate::chain) async fn fetched(session: &Session) -> Result<Self, ChainError> {
        let best = session.best_hash().await?;
        let (bytes, versions) = tokio::try_join!(metadata::fetch(session, Some(best)), session.versions(Some(best)))?;
        let told = RuntimeMetadata { bytes, code: None, sources: vec![session.endpoint().operator()] };
        Self::decode(told, versions).await.map_err(|fault| session.fault(fault))
    }

    /// Decodes metadata, off the event loop. A defect that makes the decoder panic costs this commit, not the console.
    pub(in crate::chain) async fn decode(
        told: RuntimeMetadata,
        (spec, transactions): (u32, u32),
    ) -> Result<Self, Fault> {
        let RuntimeMetadata { bytes, sources, code } = told;
        let decoded = spawn_blocking(move || Self::of(&bytes, spec, transactions)).await;
        let mut runtime = decoded.unwrap_or_else(|error| Err(odd(&error)))?;
        let schema = Arc::make_mut(&mut runtime.schema);
        (schema.sources, schema.code) = (sources, code);
        Ok(runtime)
    }

    pub(in crate::chain) fn of(bytes: &[u8], spec: u32, transactions: u32) -> Result<Self, Fault> {
        let lookup = Lookup::of_metadata(bytes)?;
        // The library takes the types of extrinsics as they are, so it gets none that were not judged.
        lookup.can_sign()?;
        let ledger = Ledger::of(&lookup)?;
        let schema = Arc::new(lookup.schema()?);
        let metadata = Metadata::decode_from(bytes).map_err(|error| odd(&error))?;
        call_is_sound(&metadata).map_err(unsound)?;
        ledger.is_sound(&metadata).map_err(unsound)?;
        let events_are_sound = events_are_sound(&metadata).is_ok();
        let has_metadata_hash = has_extension(&metadata, METADATA_HASH);
        let metadata = Arc::new(metadata);
        let was_kept = false;
        Ok(Self { spec, transactions, schema, ledger, metadata, events_are_sound, has_metadata_hash, was_kept })
    }
}

/// Whether extrinsics of version 4, which is version 0 of the extensions, have one of this name.
fn has_extension(metadata: &Metadata, name: &str) -> bool {
    let extensions = metadata.extrinsic().transaction_extensions_by_version(0);
    extensions.is_some_and(|mut extensions| extensions.any(|extension| extension.identifier() == name))
}

/// Whether the arguments of the call can be encoded without harm. A runtime without the call is another matter.
fn call_is_sound(metadata: &Metadata) -> Result<(), &'static str> {
    let call = metadata.pallet_by_name("Commitments").and_then(|pallet| pallet.call_variant_by_name("set_commitment"));
    call.map_or(Ok(()), |call| Budget::new(metadata.types()).of_fields(&call.fields).map(drop))
}

/// Whether a block's events can be decoded without harm. Each is decoded by its own pallet's type, whatever the type of
/// all events says, and the fields of a few with their names.
fn events_are_sound(metadata: &Metadata) -> Result<(), &'static str> {
    let mut budget = Budget::new(metadata.types());
    for id in metadata.pallets().flat_map(|pallet| [pallet.event_ty_id(), pallet.error_ty_id()]).flatten() {
        budget.of(id)?;
    }
    let mut named = Budget::for_named(metadata.types());
    let events = metadata.pallets().flat_map(|pallet| {
        let variants = pallet.event_variants().unwrap_or_default();
        variants.iter().map(move |variant| (pallet.name(), variant))
    });
    for (_, event) in events.filter(|(pallet, event)| EVENTS_READ.contains(&(*pallet, &*event.name))) {
        named.of_fields(&event.fields)?;
    }
    Ok(())
}

fn unsound(why: &str) -> Fault {
    Fault::Metadata { why: why.into() }
}

impl Runtime {
    /// A whole number that stands at an entry of the ledger, or the field of that name of a composite; `None` where the
    /// value is not of that form.
    pub(super) fn number(&self, entry: &Entry, value: &[u8], field: Option<&str>) -> Option<u64> {
        if value.len() > LONGEST_NAMED {
            return None;
        }
        let value = scale_value::scale::decode_as_type(&mut &*value, entry.value, self.metadata.types()).ok()?;
        let value = match field {
            Some(name) => value.at(name)?,
            None => innermost(&value),
        };
        value.as_u128().and_then(|number| u64::try_from(number).ok())
    }

    /// The library's client over this runtime; it asks nobody anything.
    pub(super) fn client(&self, genesis: BlockHash) -> Option<OfflineClientAtBlock<SubstrateConfig>> {
        let config = SubstrateConfig::builder()
            .set_genesis_hash(H256(genesis.0))
            .set_metadata_for_spec_versions([(self.spec, self.metadata.clone())])
            .set_spec_version_for_block_ranges([SpecVersionForRange {
                block_range: 0..u64::MAX,
                spec_version: self.spec,
                transaction_version: self.transactions,
            }])
            .build();
        OfflineClient::new_with_config(config).at_block(0_u64).ok()
    }
}

fn odd(error: &dyn std::error::Error) -> Fault {
    Fault::Metadata { why: Untrusted::from_text(error.to_string()) }
}

/// Entries that a commit depends on, beside the commitment itself (FACTS 3).
pub(super) struct Ledger {
    /// `Commitments.UsedSpaceOf`, by netuid and hotkey.
    pub(super) used_space: Option<Entry>,
    /// `Commitments.MaxSpace`.
    pub(super) max_space: Option<Entry>,
    /// `SubtensorModule.Uids`, by netuid and hotkey.
    pub(super) uids: Entry,
    /// `SubtensorModule.Tempo`, by netuid.
    pub(super) tempo: Option<Entry>,
    /// `SubtensorModule.SubnetEpochIndex`, by netuid; newer runtimes only.
    pub(super) epoch_index: Option<Entry>,
    /// `System.Account`.
    pub(super) account: Entry,
    /// `System.Events`.
    pub(super) events: Entry,
}

impl Ledger {
    fn of(lookup: &Lookup) -> Result<Self, Fault> {
        use Part::{Account, AccountByBlake2, Number};
        Ok(Self {
            used_space: lookup.optional("Commitments", "UsedSpaceOf", &[Number, Account])?,
            max_space: lookup.optional("Commitments", "MaxSpace", &[])?,
            uids: lookup.entry("SubtensorModule", "Uids", &[Number, AccountByBlake2])?,
            tempo: lookup.optional("SubtensorModule", "Tempo", &[Number])?,
            epoch_index: lookup.optional("SubtensorModule", "SubnetEpochIndex", &[Number])?,
            account: lookup.entry("System", "Account", &[AccountByBlake2])?,
            events: lookup.entry("System", "Events", &[])?,
        })
    }

    /// Whether the values that are read as numbers can be decoded without harm, with the names in them.
    fn is_sound(&self, metadata: &Metadata) -> Result<(), &'static str> {
        let mut budget = Budget::for_named(metadata.types());
        let optional = [&self.used_space, &self.max_space, &self.tempo, &self.epoch_index].into_iter().flatten();
        [&self.uids, &self.account].into_iter().chain(optional).try_for_each(|entry| budget.of(entry.value).map(drop))
    }
}

/// A number may stand in wrappers of one field.
fn innermost<T>(value: &Value<T>) -> &Value<T> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(fields)) if fields.len() == 1 => innermost(&fields[0]),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::verify::fields;
    use super::*;
    use frame_metadata::v16::RuntimeMetadataV16;
    use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
    use parity_scale_codec::{Decode, Encode};
    use scale_info::form::PortableForm;
    use scale_info::{
        Field, Path, PortableType, Type, TypeDef, TypeDefComposite, TypeDefSequence, TypeDefVariant, Variant,
    };

    const FINNEY: &[u8] = include_bytes!("../../../assets/metadata/finney-spec-365.v16.scale");

    /// Finney's runtime, its metadata changed.
    fn doctored(change: impl FnOnce(&mut RuntimeMetadataV16)) -> Result<Runtime, Fault> {
        let RuntimeMetadata::V16(mut metadata) = RuntimeMetadataPrefixed::decode(&mut &*FINNEY).unwrap().1 else {
            panic!("version 16")
        };
        change(&mut metadata);
        Runtime::of(&RuntimeMetadataPrefixed::from(metadata).encode(), 365, 1)
    }

    fn push(metadata: &mut RuntimeMetadataV16, def: impl FnOnce(u32) -> TypeDef<PortableForm>) -> u32 {
        let id = u32::try_from(metadata.types.types.len()).unwrap();
        let ty = Type { path: Path { segments: vec![] }, type_params: vec![], type_def: def(id), docs: vec![] };
        metadata.types.types.push(PortableType { id, ty });
        id
    }

    fn field(name: &str, ty: u32) -> Field<PortableForm> {
        Field { name: Some(name.to_owned()), ty: ty.into(), type_name: None, docs: vec![] }
    }

    fn variant(name: &str, fields: Vec<Field<PortableForm>>) -> TypeDef<PortableForm> {
        let variant = Variant { name: name.to_owned(), fields, index: 0, docs: vec![] };
        TypeDef::Variant(TypeDefVariant { variants: vec![variant] })
    }

    /// A type that contains itself.
    fn endless(metadata: &mut RuntimeMetadataV16) -> u32 {
        push(metadata, |id| TypeDef::Composite(TypeDefComposite { fields: vec![field("again", id)] }))
    }

    /// Gives the events of a pallet another type, which the type of all events does not know.
    fn tell(metadata: &mut RuntimeMetadataV16, pallet: &str, event: u32) {
        let found = metadata.pallets.iter_mut().find(|found| found.name == pallet).unwrap();
        found.event.as_mut().unwrap().ty = event.into();
    }

    #[test]
    fn finney_is_taken_and_its_events_too() {
        let runtime = doctored(|_| {}).unwrap();
        assert!(runtime.events_are_sound && runtime.has_metadata_hash);
    }

    #[test]
    fn an_event_that_contains_itself_is_never_decoded_whoever_tells_it() {
        for pallet in ["Commitments", "Balances"] {
            let runtime = doctored(|metadata| {
                let inner = endless(metadata);
                let event = push(metadata, |_| variant("Commitment", vec![field("who", inner)]));
                tell(metadata, pallet, event);
            });
            assert!(!runtime.unwrap().events_are_sound, "{pallet}");
        }
    }

    #[test]
    fn an_event_whose_name_would_be_copied_for_each_item_is_never_decoded() {
        let runtime = doctored(|metadata| {
            let item = push(metadata, |_| variant(&"N".repeat(1 << 20), vec![]));
            let items = push(metadata, |_| TypeDef::Sequence(TypeDefSequence { type_param: item.into() }));
            let event = push(metadata, |_| variant("Commitment", vec![field("who", items)]));
            tell(metadata, "Commitments", event);
        });
        assert!(!runtime.unwrap().events_are_sound);
    }

    #[test]
    fn of_an_event_no_more_fields_are_decoded_than_it_can_have() {
        let runtime = doctored(|metadata| {
            let byte = push(metadata, |_| variant("N", vec![]));
            let items = push(metadata, |_| TypeDef::Sequence(TypeDefSequence { type_param: byte.into() }));
            let event = push(metadata, |_| variant("Commitment", vec![field("who", items)]));
            tell(metadata, "Commitments", event);
        });
        let runtime = runtime.unwrap();
        assert!(runtime.events_are_sound);
        let client = runtime.client(BlockHash([0; 32])).unwrap();
        for (length, decoded) in [(LONGEST_NAMED - 2, true), (LONGEST_NAMED - 1, false)] {
            // One event, of extrinsic 1, of the pallet, its only one; no topics.
            let mut bytes = vec![4, 0, 1, 0, 0, 0, 0x12, 0];
            vec![0_u8; length].encode_to(&mut bytes);
            bytes.push(0);
            let events = client.events().from_bytes(bytes);
            let event = events.iter().next().unwrap().unwrap();
            assert_eq!(fields(&event).is_some(), decoded, "{length}");
        }
    }

    #[test]
    fn a_number_is_not_looked_for_in_a_value_that_is_too_long() {
        let runtime = doctored(|_| {}).unwrap();
        let account_entry = &runtime.ledger.account;
        let account = [vec![7, 0, 0, 0], vec![0; 76]].concat();
        let padded = |length| [account.clone(), vec![0; length - account.len()]].concat();
        let nonce = |value: &[u8]| runtime.number(account_entry, value, Some("nonce"));
        assert_eq!(nonce(&account), Some(7));
        assert_eq!(nonce(&padded(LONGEST_NAMED)), Some(7));
        assert_eq!(nonce(&padded(LONGEST_NAMED + 1)), None);
    }
}
