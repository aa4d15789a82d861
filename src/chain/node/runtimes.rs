//! The runtimes of a chain as one run of the console knows them. What a node says of a runtime is compared with another
//! operator's word once: bytes are proven under pinned keys, what they mean is not (THREATS T23).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Connection, NoWitness, Node, held};
use crate::chain::commit::runtime::Runtime;
use crate::chain::error::{ChainError, Fault};
use crate::chain::metadata::{decode, digest, fetch, schema_of};
use crate::chain::schema::Schema;
use crate::chain::session::Session;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{Case, Claim, Dispute, Side};
use crate::domain::runtime_metadata::RuntimeMetadata;
use crate::domain::untrusted::Untrusted;

/// How long it counts that a comparison came to nothing: one block.
const HOLDS: Duration = Duration::from_secs(12);
/// The same where the second source serves no metadata at all.
const REFUSAL_HOLDS: Duration = Duration::from_mins(10);

/// What comparing the metadata of two operators came to.
#[derive(Debug, Clone)]
pub(in crate::chain) enum Compared {
    /// Both say the same.
    Same,
    /// Both say this, and what was kept from an earlier run is something else.
    Stale(RuntimeMetadata),
    /// The second source cannot be asked, or runs another runtime at present.
    Unable {
        /// Why.
        why: String,
        /// Whether it will not be otherwise soon.
        lasting: bool,
        /// Whether the second source is the one that does not answer.
        is_theirs: bool,
    },
    /// They contradict each other.
    Differs(Box<Dispute>),
}

/// A runtime as it is read here: schema, spec version, and a block that runs it (`None`: the best one).
pub(in crate::chain) type Described<'s> = (&'s Schema, u32, Option<BlockHash>);

/// Spec version, and the metadata's hash.
type What = (u32, [u8; 32]);

/// What was compared in this run.
#[derive(Default)]
pub(super) struct Comparisons {
    /// By spec version and hash, what two operators told.
    same: BTreeSet<What>,
    /// What was kept, and is of the code that the chain runs.
    of_code: BTreeSet<What>,
    /// What came of the last one, of which metadata and with whom.
    last: Option<(What, String, Instant, Compared)>,
}

impl Comparisons {
    fn known(&self, of: What, with: &str) -> Option<Compared> {
        if self.same.contains(&of) {
            return Some(Compared::Same);
        }
        let (metadata, whom, at, outcome) = self.last.as_ref()?;
        let holds = if matches!(outcome, Compared::Unable { lasting: true, .. }) { REFUSAL_HOLDS } else { HOLDS };
        (*metadata == of && whom == with && at.elapsed() < holds).then(|| outcome.clone())
    }
}

fn operator(session: &Session) -> String {
    session.endpoint().operator()
}

impl Node {
    /// The schema of the runtime held by a block, whose spec version is believed to be `spec`; with the version that it is
    /// really of. Without a cached one it costs one round trip.
    pub(in crate::chain) async fn schema(
        &self,
        connection: &Connection,
        spec: u32,
        block: BlockHash,
    ) -> Result<(u32, Arc<Schema>), ChainError> {
        let (session, genesis) = (&connection.session, connection.genesis);
        let mut schemas = self.0.schemas.lock().await;
        if let Some(schema) = schemas.kept(genesis, spec).await {
            self.note_unknown(&schema);
            return Ok((spec, schema));
        }
        let (bytes, spec) = tokio::try_join!(fetch(session, Some(block)), session.spec_version(Some(block)))?;
        tracing::info!("metadata of spec {spec} fetched, {} bytes", bytes.len());
        let mut kept = RuntimeMetadata { bytes, code: None, sources: vec![operator(session)] };
        let schema = match schema_of(&kept, Schema::of_metadata).await {
            Err(fault @ Fault::EntryShape { .. }) => {
                kept.sources = self.newer(connection, &kept, Some(block)).await.ok_or_else(|| session.fault(fault))?;
                schema_of(&kept, Schema::of_newer_metadata).await
            }
            decoded => decoded,
        };
        let schema = schema.map_err(|fault| session.fault(fault))?;
        schemas.save(genesis, spec, kept).await;
        self.note_unknown(&schema);
        Ok((spec, schemas.keep(genesis, spec, schema)))
    }

    /// The schema of the runtime at the best block; asked for only where it is not known.
    pub(in crate::chain) async fn schema_of_best(
        &self,
        connection: &Connection,
        spec: u32,
    ) -> Result<Arc<Schema>, ChainError> {
        let kept = self.0.schemas.lock().await.kept(connection.genesis, spec).await;
        if let Some(schema) = kept {
            return Ok(schema);
        }
        let best = connection.session.best_hash().await?;
        Ok(self.schema(connection, spec, best).await?.1)
    }

    fn note_unknown(&self, schema: &Schema) {
        held(&self.0.unknown).clone_from(&schema.unknown);
    }

    /// The storage entries that the runtime which was read last keeps in another way than this version knows.
    pub fn unknown_entries(&self) -> Vec<String> {
        held(&self.0.unknown).clone()
    }

    /// Metadata is not as this version knows it. Who says so: two operators, or the only one that is configured; `None` where
    /// the second source says otherwise or nothing, and the first one may lie.
    async fn newer(&self, connection: &Connection, metadata: &[u8], at: Option<BlockHash>) -> Option<Vec<String>> {
        let ours = operator(&connection.session);
        match self.witness(&connection.session).await {
            Err(NoWitness::NotConfigured) => Some(vec![ours]),
            Err(_) => None,
            Ok(witness) => {
                let theirs = fetch(&witness.session, at).await.ok()?;
                (theirs == metadata).then(|| vec![ours, operator(&witness.session)])
            }
        }
    }

    /// The runtime for which a transaction is signed, by what it is remembered; `load` brings it where it is not known yet.
    /// What the second source says of it was compared with it, where there is one.
    pub(in crate::chain) async fn signing_runtime(
        &self,
        connection: &Connection,
        name: &str,
        load: impl Future<Output = Result<Runtime, ChainError>> + Send,
    ) -> Result<Arc<Runtime>, ChainError> {
        let session = &connection.session;
        let runtime = match self.runtime(name, load).await {
            Err(ChainError { fault: Fault::EntryShape { pallet, entry, why }, endpoint }) => {
                let bytes = fetch(session, None).await?;
                let newer = self.newer(connection, &bytes, None).await.is_some();
                let fault = if newer {
                    Fault::NewerRuntime { pallet, entry }
                } else {
                    Fault::EntryShape { pallet, entry, why }
                };
                return Err(ChainError { endpoint, fault });
            }
            other => other?,
        };
        let is_of_code = self.is_of_code(session, &runtime).await;
        if runtime.schema.is_compared() && is_of_code {
            return Ok(runtime);
        }
        if !is_of_code {
            tracing::warn!("the cached metadata is of other code than the chain runs: it is asked for anew");
            let fresh = Arc::new(Runtime::fetched(session).await?);
            self.note_runtime(name, &fresh).await;
            return self.signing_compared(connection, name, fresh).await;
        }
        self.signing_compared(connection, name, runtime).await
    }

    /// Whether what was kept is of the code that the chain runs now; asked once for each runtime. Where no code was kept with
    /// it, or none is told, there is nothing to compare.
    async fn is_of_code(&self, session: &Session, runtime: &Runtime) -> bool {
        let what = (runtime.spec, runtime.schema.digest);
        let kept = runtime.schema.code.filter(|_| runtime.was_kept);
        let Some(kept) = kept.filter(|_| !held(&self.0.comparisons).of_code.contains(&what)) else { return true };
        let told = session.code_hash(None).await.ok().flatten();
        let is_of_code = told.is_none_or(|told| told == kept);
        if is_of_code && told.is_some() {
            held(&self.0.comparisons).of_code.insert(what);
        }
        is_of_code
    }

    async fn signing_compared(
        &self,
        connection: &Connection,
        name: &str,
        runtime: Arc<Runtime>,
    ) -> Result<Arc<Runtime>, ChainError> {
        let session = &connection.session;
        // Without a second source that answers there is nothing to compare with; what is read says so.
        let Ok(witness) = self.witness(session).await else { return Ok(runtime) };
        match self.compare([connection, &witness], (&runtime.schema, runtime.spec, None)).await {
            Compared::Stale(metadata) => {
                tracing::warn!("the cached metadata is not what two operators tell now: theirs is taken instead");
                let versions = (runtime.spec, runtime.transactions);
                let fresh = Runtime::decode(metadata, versions).await.map_err(|fault| match fault {
                    Fault::EntryShape { pallet, entry, .. } => session.fault(Fault::NewerRuntime { pallet, entry }),
                    other => session.fault(other),
                })?;
                let fresh = Arc::new(fresh);
                self.note_runtime(name, &fresh).await;
                Ok(fresh)
            }
            _ => Ok(runtime),
        }
    }

    /// Compares what two operators say of the runtime of a block, or of the best one: once for each runtime. What both say is
    /// kept, with their names.
    pub(in crate::chain) async fn compare(&self, both: [&Connection; 2], of: Described<'_>) -> Compared {
        let ([_, witness], (schema, spec, _)) = (both, of);
        if schema.is_compared() {
            return Compared::Same;
        }
        let (with, what) = (witness.session.endpoint().to_string(), (spec, schema.digest));
        if let Some(known) = held(&self.0.comparisons).known(what, &with) {
            return known;
        }
        let outcome = self.ask_both(both, of).await;
        let mut comparisons = held(&self.0.comparisons);
        if matches!(outcome, Compared::Same) {
            comparisons.same.insert(what);
        }
        comparisons.last = Some((what, with, Instant::now(), outcome.clone()));
        outcome
    }

    async fn ask_both(&self, [primary, witness]: [&Connection; 2], (schema, spec, at): Described<'_>) -> Compared {
        let (ours, theirs) = (&primary.session, &witness.session);
        let (bytes, code) = tokio::join!(fetch(theirs, at), theirs.code_hash(at));
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return unable(&error, theirs),
        };
        let (us, them) = (operator(ours), operator(theirs));
        let first = schema.sources.iter().find(|source| **source != them).cloned();
        let agreed =
            |bytes, first: String| RuntimeMetadata { bytes, code: code.ok().flatten(), sources: vec![first, them] };
        if let (true, Some(first)) = (digest(&bytes) == schema.digest, first) {
            self.keep_metadata(primary.genesis, spec, agreed(bytes, first)).await;
            return Compared::Same;
        }
        // Kept from an earlier run, perhaps, or told by this second source alone: the first one is asked now.
        let asked = tokio::try_join!(fetch(ours, at), ours.spec_version(at), theirs.spec_version(at));
        let (own_bytes, own_spec, their_spec) = match asked {
            Ok(asked) => asked,
            Err(error) => return unable(&error, theirs),
        };
        if own_spec != spec || their_spec != spec {
            let why = format!("the nodes run specs {own_spec} and {their_spec} at present, and this is about {spec}");
            return Compared::Unable { why, lasting: false, is_theirs: own_spec == spec };
        }
        if own_bytes == bytes {
            let (is_same, agreed) = (digest(&bytes) == schema.digest, agreed(bytes, us));
            self.keep_metadata(primary.genesis, spec, agreed.clone()).await;
            return if is_same { Compared::Same } else { Compared::Stale(agreed) };
        }
        let is_known = |bytes: Vec<u8>| async move { decode(bytes, Schema::of_metadata).await.is_ok() };
        let claim = |session: &Session, bytes: &[u8]| Claim {
            endpoint: session.endpoint().to_string(),
            block: None,
            says: Untrusted::from_text(format!("metadata {} of spec {spec}", BlockHash(digest(bytes)).glance())),
            proof: None,
        };
        let (endpoint, says) = (claim(ours, &own_bytes), claim(theirs, &bytes));
        let proven_wrong = match (is_known(own_bytes).await, is_known(bytes).await) {
            (true, false) => Some(Side::Witness),
            (false, true) => Some(Side::Endpoint),
            _ => None,
        };
        Compared::Differs(Box::new(Dispute {
            case: Case::OtherMetadata,
            hotkey: None,
            endpoint,
            witness: says,
            proven_wrong,
        }))
    }

    async fn keep_metadata(&self, genesis: BlockHash, spec: u32, metadata: RuntimeMetadata) {
        self.0.schemas.lock().await.save(genesis, spec, metadata).await;
    }
}

fn unable(error: &ChainError, theirs: &Session) -> Compared {
    let is_theirs = error.endpoint == theirs.endpoint().to_string();
    let lasting = matches!(error.fault, Fault::Refused { .. } | Fault::NoMethod { .. } | Fault::TooLarge { .. });
    Compared::Unable {
        why: format!("{} does not tell its metadata: {}", error.endpoint, error.fault),
        lasting,
        is_theirs,
    }
}
