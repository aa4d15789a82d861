//! Calls into the runtime, as `state_call` takes them and as methods of their own.

use jsonrpsee::RpcModule;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::Params;
use parity_scale_codec::{Compact, Decode, Encode, Error};
use serde_json::{Value as Json, json};

use super::{Answer, Bytes, HashHex, client_error, in_state, optional};
use crate::sandbox::block::Hash;
use crate::sandbox::block_builder::SANDBOX_WEIGHT;
use crate::sandbox::chain::{Chain, StateAt};
use crate::sandbox::dispatch::try_out;
use crate::sandbox::extrinsic::{Account, decode};
use crate::sandbox::metadata::{METADATA_VERSIONS, Runtime, prefixed_hex};
use crate::sandbox::node::Node;
use crate::sandbox::validity::{Holder, Invalid, Refusal, judge};

/// `DispatchError::Module`.
const MODULE_ERROR: u8 = 3;

pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_method("payment_queryInfo", |params, node, _| query_info(&params, node))?;
    module.register_method("payment_queryFeeDetails", |params, node, _| query_fee_details(&params, node))?;
    module.register_method("system_dryRun", |params, node, _| dry_run(&params, node))?;
    module.register_alias("system_dryRunAt", "system_dryRun")
}

/// A runtime call by name.
pub(super) fn call(node: &Node, method: &str, mut input: &[u8], at: Option<HashHex>) -> Answer<String> {
    let chain = node.chain();
    let state = chain.state(at.map(|hash| hash.0).as_ref())?;
    let runtime = node.told(state.runtime());
    let input = &mut input;
    let answer = match method {
        "Core_version" => runtime.version().encode(),
        "Metadata_metadata" => runtime.encoded(14).unwrap_or_default().to_vec().encode(),
        "Metadata_metadata_versions" => METADATA_VERSIONS.to_vec().encode(),
        "Metadata_metadata_at_version" => return Ok(metadata_at(runtime, decoded(input)?)),
        "AccountNonceApi_account_nonce" => Holder::of(state, &decoded::<Account>(input)?).nonce.encode(),
        "TaggedTransactionQueue_validate_transaction" => validate(&chain, state, input)?,
        "TransactionPaymentApi_query_info" | "TransactionPaymentCallApi_query_call_info" => free_of_charge(),
        "TransactionPaymentApi_query_fee_details" | "TransactionPaymentCallApi_query_call_fee_details" => {
            // No inclusion fee, no tip.
            (None::<()>, 0u64).encode()
        }
        "TransactionPaymentApi_query_weight_to_fee"
        | "TransactionPaymentApi_query_length_to_fee"
        | "TransactionPaymentCallApi_query_weight_to_fee"
        | "TransactionPaymentCallApi_query_length_to_fee" => 0u64.encode(),
        other => return Err(failed(&format!("Other: Exported method {other} is not found"))),
    };
    Ok(prefixed_hex(&answer))
}

fn failed(reason: &str) -> jsonrpsee::types::ErrorObjectOwned {
    client_error(&format!("Execution failed: {reason}"))
}

fn decoded<T: Decode>(input: &mut &[u8]) -> Answer<T> {
    T::decode(input).map_err(|e| failed(&format!("Bad input data provided: {e}")))
}

fn metadata_at(runtime: &Runtime, version: u32) -> String {
    runtime.opaque_hex(version).map_or_else(|| prefixed_hex(&None::<Vec<u8>>.encode()), |hex| hex.to_string())
}

/// `RuntimeDispatchInfo`: weight, class normal, and no fee.
fn free_of_charge() -> Vec<u8> {
    (Compact(SANDBOX_WEIGHT), Compact(0u64), 0u8, 0u64).encode()
}

/// `Result<ValidTransaction, TransactionValidityError>`.
fn validate(chain: &Chain, state: StateAt<'_>, input: &mut &[u8]) -> Answer<Vec<u8>> {
    let (_source, bytes, _block) = decoded::<(u8, Vec<u8>, Hash)>(input)?;
    let extrinsic = decode(state.runtime(), &bytes)
        .map_err(|e| failed(&format!("Runtime panicked: Bad input data provided to validate_transaction: {e}")))?;
    let verdict = judge(chain, state, extrinsic).map(|(signed, valid)| {
        let tag = |nonce: u32| (signed.signer, nonce).encode();
        let requires = if valid.is_ahead { vec![tag(signed.nonce - 1)] } else { Vec::new() };
        (valid.priority, requires, vec![tag(signed.nonce)], valid.longevity, true)
    });
    Ok(verdict.encode())
}

/// An extrinsic without the length that preceded it, or why there is none.
type Framed = Result<Vec<u8>, Error>;

/// The extrinsic in a first parameter, and the block in the second.
fn extrinsic_at(params: &Params<'_>) -> Answer<(Framed, Option<HashHex>)> {
    let mut sequence = params.sequence();
    let bytes: Bytes = sequence.next()?;
    Ok((Vec::<u8>::decode(&mut bytes.0.as_slice()), optional(&mut sequence)?))
}

/// Fails for what is no extrinsic of the runtime at a block.
fn readable(params: &Params<'_>, node: &Node) -> Answer<()> {
    let (bytes, at) = extrinsic_at(params)?;
    in_state(node, at, |state| {
        bytes
            .and_then(|bytes| decode(state.runtime(), &bytes))
            .map(drop)
            .map_err(|e| failed(&format!("Unable to query dispatch info: {e}")))
    })
}

fn query_info(params: &Params<'_>, node: &Node) -> Answer<Json> {
    readable(params, node)?;
    let weight = json!({ "ref_time": SANDBOX_WEIGHT, "proof_size": 0 });
    Ok(json!({ "weight": weight, "class": "normal", "partialFee": "0" }))
}

fn query_fee_details(params: &Params<'_>, node: &Node) -> Answer<Json> {
    readable(params, node)?;
    Ok(json!({ "inclusionFee": null }))
}

/// `ApplyExtrinsicResult` of an extrinsic in a block on top of the given one.
fn dry_run(params: &Params<'_>, node: &Node) -> Answer<String> {
    let (bytes, at) = extrinsic_at(params)?;
    let chain = node.chain();
    let state = chain.state(at.map(|hash| hash.0).as_ref())?;
    let unreadable = |e: Error| failed(&format!("Runtime panicked: Bad input data provided to apply_extrinsic: {e}"));
    let extrinsic = bytes.and_then(|bytes| decode(state.runtime(), &bytes)).map_err(unreadable)?;
    let answer = match judge(&chain, state, extrinsic) {
        Err(refusal) => (1u8, refusal).encode(),
        // What the pool would keep for later, a block refuses.
        Ok((_, valid)) if valid.is_ahead => (1u8, Refusal::from(Invalid::Future)).encode(),
        Ok((signed, _)) => match try_out(state, &signed).map_err(|e| failed(&e.to_string()))? {
            None => vec![0, 0],
            Some([pallet, error]) => vec![0, 1, MODULE_ERROR, pallet, error, 0, 0, 0],
        },
    };
    Ok(prefixed_hex(&answer))
}
