//! A runtime's metadata: from memory, from the cache on disk, or from the node, in this order.

use std::fmt;
use std::sync::Arc;

use parity_scale_codec::Decode;
use sp_crypto_hashing::blake2_256;
use tokio::task::spawn_blocking;

use super::error::{ChainError, Fault};
use super::schema::Schema;
use super::session::Session;
use crate::domain::network::BlockHash;
use crate::domain::runtime_metadata::RuntimeMetadata;
use crate::domain::untrusted::Untrusted;

type Load = dyn Fn(BlockHash, u32) -> Option<RuntimeMetadata> + Send + Sync;
type Save = dyn Fn(BlockHash, u32, &RuntimeMetadata) + Send + Sync;

/// Where metadata is kept between runs, by genesis and spec version, with the operators that told it. What is loaded need not
/// be trusted: bytes that do not decode are fetched again, and what one operator told is compared before it is acted on.
#[derive(Clone)]
pub struct MetadataStore {
    load: Arc<Load>,
    save: Arc<Save>,
}

impl MetadataStore {
    /// A store of these two operations. Failures are theirs to report: reading the chain goes on without a cache.
    pub fn new<M: Into<RuntimeMetadata>>(
        load: impl Fn(BlockHash, u32) -> Option<M> + Send + Sync + 'static,
        save: impl Fn(BlockHash, u32, &RuntimeMetadata) + Send + Sync + 'static,
    ) -> Self {
        Self { load: Arc::new(move |genesis, spec| load(genesis, spec).map(Into::into)), save: Arc::new(save) }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self::new(|_, _| None::<RuntimeMetadata>, |_, _, _| {})
    }
}

impl fmt::Debug for MetadataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetadataStore")
    }
}

/// Schemas by runtime. Only the last one is held: runtimes do not come back.
pub(super) struct Schemas {
    store: MetadataStore,
    last: Option<(BlockHash, u32, Arc<Schema>)>,
}

impl Schemas {
    /// Over a store.
    pub(super) fn new(store: MetadataStore) -> Self {
        Self { store, last: None }
    }

    pub(super) fn keep(&mut self, genesis: BlockHash, spec: u32, schema: Schema) -> Arc<Schema> {
        let schema = Arc::new(schema);
        self.last = Some((genesis, spec, Arc::clone(&schema)));
        schema
    }

    /// Writes metadata down for the next run; another one that is held in memory is let go.
    pub(super) async fn save(&mut self, genesis: BlockHash, spec: u32, metadata: RuntimeMetadata) {
        let is_it = |schema: &Schema| schema.digest == digest(&metadata);
        match &mut self.last {
            Some((of, version, schema)) if (*of, *version) == (genesis, spec) && is_it(schema) => {
                let schema = Arc::make_mut(schema);
                schema.sources.clone_from(&metadata.sources);
                schema.code = metadata.code;
            }
            held => *held = None,
        }
        let store = self.store.clone();
        let saved = spawn_blocking(move || (store.save)(genesis, spec, &metadata)).await;
        if let Err(error) = saved {
            tracing::warn!(%error, "the metadata cache could not be written");
        }
    }

    pub(super) async fn kept(&mut self, genesis: BlockHash, spec: u32) -> Option<Arc<Schema>> {
        if let Some((of, version, schema)) = &self.last
            && (*of, *version) == (genesis, spec)
        {
            return Some(Arc::clone(schema));
        }
        let metadata = kept(&self.store, genesis, spec).await?;
        match trusted_schema_of(&metadata).await {
            Ok(schema) => Some(self.keep(genesis, spec, schema)),
            Err(fault) => {
                tracing::warn!(spec_version = spec, %fault, "the cached metadata is damaged and is fetched again");
                None
            }
        }
    }
}

/// The metadata of a runtime as it was kept, whoever told it.
pub(super) async fn kept(store: &MetadataStore, genesis: BlockHash, spec: u32) -> Option<RuntimeMetadata> {
    let store = store.clone();
    spawn_blocking(move || (store.load)(genesis, spec)).await.ok()?
}

/// By what metadata is compared.
pub(super) fn digest(metadata: &[u8]) -> [u8; 32] {
    blake2_256(metadata)
}

/// How metadata is read.
type Reader = fn(&[u8]) -> Result<Schema, Fault>;

/// The schema that metadata describes, with the names of those who told it.
pub(super) async fn schema_of(metadata: &RuntimeMetadata, read: Reader) -> Result<Schema, Fault> {
    let schema = decode(metadata.bytes.clone(), read).await?;
    Ok(Schema { sources: metadata.sources.clone(), code: metadata.code, ..schema })
}

/// The same; what two operators told is taken as that of a newer runtime where this version does not know it.
pub(super) async fn trusted_schema_of(metadata: &RuntimeMetadata) -> Result<Schema, Fault> {
    match schema_of(metadata, Schema::of_metadata).await {
        Err(Fault::EntryShape { .. }) if metadata.is_compared() => schema_of(metadata, Schema::of_newer_metadata).await,
        decoded => decoded,
    }
}

/// Off the event loop: hundreds of kilobytes take milliseconds.
pub(super) async fn decode(bytes: Vec<u8>, read: Reader) -> Result<Schema, Fault> {
    let decoded = spawn_blocking(move || read(&bytes)).await;
    decoded.unwrap_or_else(|error| Err(Fault::Metadata { why: Untrusted::from_text(error.to_string()) }))
}

/// The newest version of metadata that both sides know, of the runtime of a block or of the best one. Nodes that cannot be asked for a version serve version 14.
pub(super) async fn fetch(session: &Session, block: Option<BlockHash>) -> Result<Vec<u8>, ChainError> {
    for version in [16_u32, 15] {
        match session.runtime_call("Metadata_metadata_at_version", &version.to_le_bytes(), block).await {
            Ok(answer) => {
                let offered = Option::<Vec<u8>>::decode(&mut &*answer);
                let offered = offered.map_err(|error| session.malformed("state_call", &error.to_string()))?;
                if let Some(bytes) = offered {
                    return Ok(bytes);
                }
            }
            Err(ChainError { fault: Fault::Refused { .. } | Fault::NoMethod { .. }, .. }) => break,
            Err(other) => return Err(other),
        }
    }
    session.metadata_v14(block).await
}
