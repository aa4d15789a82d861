//! `state_*`: storage, metadata and runtime calls at a block.

use std::collections::BTreeSet;

use jsonrpsee::RpcModule;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sp_crypto_hashing::blake2_256;

use super::{Answer, Bytes, HashHex, in_state, optional, runtime};
use crate::sandbox::chain::StateAt;
use crate::sandbox::metadata::{RuntimeVersion, prefixed_hex};
use crate::sandbox::node::Node;

/// Keys that one `state_getKeysPaged` may ask for, as on real nodes.
const MAX_PAGE: u32 = 1000;

/// Values at a block, or those that a block changed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChangeSet {
    pub(super) block: HashHex,
    pub(super) changes: Vec<(Bytes, Option<Bytes>)>,
}

impl ChangeSet {
    /// The values of `keys` in a state.
    pub(super) fn at(state: StateAt<'_>, keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let value = |key: &[u8]| state.get(key).map(|value| Bytes(value.to_vec()));
        let changes = keys.into_iter().map(|key| (value(&key), key)).map(|(value, key)| (Bytes(key), value)).collect();
        Self { block: HashHex(state.block.hash), changes }
    }
}

/// How a stored value is answered.
type Render = fn(&[u8]) -> Json;

pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    let storage: [(&str, &str, Render); 3] = [
        ("state_getStorage", "state_getStorageAt", |value| json!(prefixed_hex(value))),
        ("state_getStorageHash", "state_getStorageHashAt", |value| json!(prefixed_hex(&blake2_256(value)))),
        ("state_getStorageSize", "state_getStorageSizeAt", |value| json!(value.len())),
    ];
    for (name, alias, render) in storage {
        module.register_method(name, move |params, node, _| storage_at(&params, node, render))?;
        module.register_alias(alias, name)?;
    }
    module.register_method("state_getKeysPaged", |params, node, _| keys_paged(&params, node))?;
    module.register_alias("state_getKeysPagedAt", "state_getKeysPaged")?;
    module.register_blocking_method("state_getKeys", |params, node, _| all_keys(&params, &node))?;
    module.register_blocking_method("state_queryStorageAt", |params, node, _| query_at(&params, &node))?;
    module.register_blocking_method("state_queryStorage", |params, node, _| query_range(&params, &node))?;
    module.register_blocking_method("state_getReadProof", |params, node, _| read_proof(&params, &node))?;
    module.register_method("state_getRuntimeVersion", |params, node, _| {
        let at = super::only::<HashHex>(&params)?;
        in_state(node, at, |state| Ok(version_json(state.runtime().version())))
    })?;
    module.register_alias("chain_getRuntimeVersion", "state_getRuntimeVersion")?;
    module.register_blocking_method("state_getMetadata", |params, node, _| {
        let at = super::only::<HashHex>(&params)?;
        in_state(&node, at, |state| Ok(node.told(state.runtime()).v14_hex().to_string()))
    })?;
    module.register_blocking_method("state_call", |params, node, _| call(&params, &node))?;
    module.register_alias("state_callAt", "state_call")?;
    Ok(())
}

fn storage_at(params: &Params<'_>, node: &Node, render: Render) -> Answer<Json> {
    let mut sequence = params.sequence();
    let key: Bytes = sequence.next()?;
    let at = optional(&mut sequence)?;
    in_state(node, at, |state| Ok(state.get(&key.0).map_or(Json::Null, |value| render(value))))
}

fn keys_paged(params: &Params<'_>, node: &Node) -> Answer<Vec<String>> {
    let mut sequence = params.sequence();
    let prefix = optional::<Bytes>(&mut sequence)?.map_or_else(Vec::new, |bytes| bytes.0);
    let count: u32 = sequence.next()?;
    let start = optional::<Bytes>(&mut sequence)?;
    let at = optional(&mut sequence)?;
    if count > MAX_PAGE {
        let message = format!("count exceeds maximum value. value: {count}, max: {MAX_PAGE}");
        return Err(ErrorObjectOwned::owned(4002, message, None::<()>));
    }
    in_state(node, at, |state| {
        let keys = state.after(&prefix, start.as_ref().map(|start| start.0.as_slice()));
        Ok(keys.take(count as usize).map(|(key, _)| prefixed_hex(key)).collect())
    })
}

fn all_keys(params: &Params<'_>, node: &Node) -> Answer<Vec<String>> {
    let mut sequence = params.sequence();
    let prefix: Bytes = sequence.next()?;
    let at = optional(&mut sequence)?;
    in_state(node, at, |state| Ok(state.after(&prefix.0, None).map(|(key, _)| prefixed_hex(key)).collect()))
}

fn query_at(params: &Params<'_>, node: &Node) -> Answer<Vec<ChangeSet>> {
    let mut sequence = params.sequence();
    let keys: Vec<Bytes> = sequence.next()?;
    let at = optional(&mut sequence)?;
    in_state(node, at, |state| Ok(vec![ChangeSet::at(state, keys.into_iter().map(|key| key.0))]))
}

/// The nodes of the state trie that prove what is and what is not under these keys.
fn read_proof(params: &Params<'_>, node: &Node) -> Answer<Json> {
    let mut sequence = params.sequence();
    let keys: Vec<Bytes> = sequence.next()?;
    let at = optional::<HashHex>(&mut sequence)?.map(|hash| hash.0);
    let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| key.0).collect();
    let (at, proof) = node.chain().proof(at.as_ref(), &keys)?;
    Ok(json!({ "at": HashHex(at), "proof": proof.into_iter().map(Bytes).collect::<Vec<_>>() }))
}

/// All values at the first block, then what each later block changed.
fn query_range(params: &Params<'_>, node: &Node) -> Answer<Vec<ChangeSet>> {
    let mut sequence = params.sequence();
    let keys: Vec<Bytes> = sequence.next()?;
    let from: HashHex = sequence.next()?;
    let to: Option<HashHex> = optional(&mut sequence)?;
    let keys: BTreeSet<Vec<u8>> = keys.into_iter().map(|key| key.0).collect();
    let chain = node.chain();
    let first = chain.state(Some(&from.0))?;
    let last = chain.state(to.map(|hash| hash.0).as_ref())?.block.number();
    let mut sets = vec![ChangeSet::at(first, keys.iter().cloned())];
    for number in first.block.number() + 1..=last {
        let Some(block) = chain.block(number) else { continue };
        let changed: Vec<_> =
            block.changed.iter().filter(|key| keys.contains(key.as_ref())).map(|k| k.to_vec()).collect();
        if !changed.is_empty() {
            sets.push(ChangeSet::at(chain.state(Some(&block.hash))?, changed));
        }
    }
    Ok(sets)
}

/// `RuntimeVersion` as `state_getRuntimeVersion` answers.
pub(super) fn version_json(version: &RuntimeVersion) -> Json {
    let apis: Vec<_> = version.apis.iter().map(|(id, version)| json!([prefixed_hex(id), version])).collect();
    json!({
        "specName": version.spec_name,
        "implName": version.impl_name,
        "authoringVersion": version.authoring_version,
        "specVersion": version.spec_version,
        "implVersion": version.impl_version,
        "apis": apis,
        "transactionVersion": version.transaction_version,
        "systemVersion": version.system_version,
        "stateVersion": version.system_version,
    })
}

fn call(params: &Params<'_>, node: &Node) -> Answer<String> {
    let mut sequence = params.sequence();
    let method: String = sequence.next()?;
    let input: Bytes = sequence.next()?;
    let at = optional(&mut sequence)?;
    runtime::call(node, &method, &input.0, at)
}
