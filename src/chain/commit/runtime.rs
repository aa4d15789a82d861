//! What is needed of a runtime to commit: its calls, extensions, events and error names, and a few storage entries.

use std::sync::Arc;

use scale_info::PortableRegistry;
use scale_value::{At as _, Composite, Value, ValueDef};
use subxt::client::{OfflineClient, OfflineClientAtBlock};
use subxt::config::substrate::{H256, SpecVersionForRange, SubstrateConfig};
use subxt::{ArcMetadata, Metadata};
use tokio::task::spawn_blocking;

use super::super::budget::Budget;
use super::super::error::Fault;
use super::super::schema::{Entry, Lookup, Part, Schema};
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;

/// Longest value of an entry of the [`Ledger`] that is looked at, in bytes: an account takes 80.
const LONGEST_VALUE: usize = 1_024;

/// A runtime, decoded once for a commit.
pub(super) struct Runtime {
    /// Version of its specification.
    pub(super) spec: u32,
    /// Version of its transactions.
    pub(super) transactions: u32,
    /// Where commitments are.
    pub(super) schema: Schema,
    /// Where the rest is.
    pub(super) ledger: Ledger,
    /// Calls, extensions, events and errors.
    pub(super) metadata: ArcMetadata,
    /// Whether the events' types can be decoded without harm.
    pub(super) events_are_sound: bool,
}

impl Runtime {
    /// Decodes metadata, off the event loop. A defect that makes the decoder panic costs this commit, not the console.
    pub(super) async fn decode(bytes: Vec<u8>, spec: u32, transactions: u32) -> Result<Self, Fault> {
        let decoded = spawn_blocking(move || Self::of(&bytes, spec, transactions)).await;
        decoded.unwrap_or_else(|error| Err(odd(&error)))
    }

    fn of(bytes: &[u8], spec: u32, transactions: u32) -> Result<Self, Fault> {
        let schema = Schema::of_metadata(bytes)?;
        let ledger = Ledger::of(Lookup::of_metadata(bytes)?)?;
        let metadata = Metadata::decode_from(bytes).map_err(|error| odd(&error))?;
        let events = metadata.outer_enums().event_enum_ty();
        let events_are_sound = Budget::for_events(metadata.types()).of(events).is_ok();
        Ok(Self { spec, transactions, schema, ledger, metadata: Arc::new(metadata), events_are_sound })
    }
}

impl Runtime {
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
    types: PortableRegistry,
}

impl Ledger {
    fn of(lookup: Lookup) -> Result<Self, Fault> {
        use Part::{Account, Number};
        Ok(Self {
            used_space: lookup.optional("Commitments", "UsedSpaceOf", &[Number, Account])?,
            max_space: lookup.optional("Commitments", "MaxSpace", &[])?,
            uids: lookup.entry("SubtensorModule", "Uids", &[Number, Account])?,
            tempo: lookup.optional("SubtensorModule", "Tempo", &[Number])?,
            epoch_index: lookup.optional("SubtensorModule", "SubnetEpochIndex", &[Number])?,
            account: lookup.entry("System", "Account", &[Account])?,
            events: lookup.entry("System", "Events", &[])?,
            types: lookup.types,
        })
    }

    /// A whole number, or the field of that name of a composite; `None` where the value is not of that form.
    pub(super) fn number(&self, entry: &Entry, value: &[u8], field: Option<&str>) -> Option<u64> {
        if value.len() > LONGEST_VALUE || Budget::new(&self.types).of(entry.value).is_err() {
            return None;
        }
        let value = scale_value::scale::decode_as_type(&mut &*value, entry.value, &self.types).ok()?;
        let value = match field {
            Some(name) => value.at(name)?,
            None => innermost(&value),
        };
        value.as_u128().and_then(|number| u64::try_from(number).ok())
    }
}

/// A number may stand in wrappers of one field.
fn innermost<T>(value: &Value<T>) -> &Value<T> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(fields)) if fields.len() == 1 => innermost(&fields[0]),
        _ => value,
    }
}
