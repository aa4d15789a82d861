//! A runtime's metadata: from memory, from the cache on disk, or from the node, in this order.

use std::fmt;
use std::sync::Arc;

use parity_scale_codec::Decode;
use tokio::task::spawn_blocking;

use super::error::{ChainError, Fault};
use super::schema::Schema;
use super::session::Session;
use crate::domain::network::BlockHash;
use crate::domain::untrusted::Untrusted;

type Load = dyn Fn(BlockHash, u32) -> Option<Vec<u8>> + Send + Sync;
type Save = dyn Fn(BlockHash, u32, &[u8]) + Send + Sync;

/// Where metadata is kept between runs, by genesis and spec version. What is loaded need not be trusted: bytes that do
/// not decode are fetched again.
#[derive(Clone)]
pub struct MetadataStore {
    load: Arc<Load>,
    save: Arc<Save>,
}

impl MetadataStore {
    /// A store of these two operations. Failures are theirs to report: reading the chain goes on without a cache.
    pub fn new(
        load: impl Fn(BlockHash, u32) -> Option<Vec<u8>> + Send + Sync + 'static,
        save: impl Fn(BlockHash, u32, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { load: Arc::new(load), save: Arc::new(save) }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self::new(|_, _| None, |_, _, _| {})
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

    /// The schema of the runtime held by a block, whose spec version is believed to be `spec`. Returns the spec version that
    /// the schema is really of; without a cached one it costs one round trip.
    pub(super) async fn at(
        &mut self,
        session: &Session,
        genesis: BlockHash,
        spec: u32,
        block: BlockHash,
    ) -> Result<(u32, Arc<Schema>), ChainError> {
        if let Some(schema) = self.kept(genesis, spec).await {
            return Ok((spec, schema));
        }
        let (bytes, spec) = tokio::try_join!(fetch(session, block), session.spec_version(Some(block)))?;
        let (bytes, schema) = decode(bytes).await.map_err(|fault| session.fault(fault))?;
        tracing::info!("metadata of spec {spec} fetched, {} bytes", bytes.len());
        let store = self.store.clone();
        let saved = spawn_blocking(move || (store.save)(genesis, spec, &bytes)).await;
        if let Err(error) = saved {
            tracing::warn!(%error, "the metadata cache could not be written");
        }
        Ok((spec, self.keep(genesis, spec, schema)))
    }

    fn keep(&mut self, genesis: BlockHash, spec: u32, schema: Schema) -> Arc<Schema> {
        let schema = Arc::new(schema);
        self.last = Some((genesis, spec, Arc::clone(&schema)));
        schema
    }

    pub(super) async fn kept(&mut self, genesis: BlockHash, spec: u32) -> Option<Arc<Schema>> {
        if let Some((of, version, schema)) = &self.last
            && (*of, *version) == (genesis, spec)
        {
            return Some(Arc::clone(schema));
        }
        let bytes = kept(&self.store, genesis, spec).await?;
        match decode(bytes).await {
            Ok((_, schema)) => Some(self.keep(genesis, spec, schema)),
            Err(fault) => {
                tracing::warn!(spec_version = spec, %fault, "the cached metadata is damaged and is fetched again");
                None
            }
        }
    }
}

/// The metadata of a runtime as it was kept, whoever told it.
pub(super) async fn kept(store: &MetadataStore, genesis: BlockHash, spec: u32) -> Option<Vec<u8>> {
    let store = store.clone();
    spawn_blocking(move || (store.load)(genesis, spec)).await.ok()?
}

/// Off the event loop: hundreds of kilobytes take milliseconds.
async fn decode(bytes: Vec<u8>) -> Result<(Vec<u8>, Schema), Fault> {
    let decoded = spawn_blocking(move || Schema::of_metadata(&bytes).map(|schema| (bytes, schema))).await;
    decoded.unwrap_or_else(|error| Err(Fault::Metadata { why: Untrusted::from_text(error.to_string()) }))
}

/// The newest version of metadata that both sides know. Nodes that cannot be asked for a version serve version 14.
pub(super) async fn fetch(session: &Session, block: BlockHash) -> Result<Vec<u8>, ChainError> {
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
