//! `chain_*`: hashes, headers and blocks.

use jsonrpsee::RpcModule;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::Params;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Answer, HashHex, only};
use crate::sandbox::block::{Block, other_genesis};
use crate::sandbox::node::Node;

/// A height as a number or as hex.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Height {
    Number(u64),
    Hex(String),
}

impl Height {
    /// `None` for what is no height any chain has reached.
    fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(*number).ok(),
            Self::Hex(text) => u32::from_str_radix(text.trim_start_matches("0x"), 16).ok(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Height),
    Many(Vec<Height>),
}

pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_method("chain_getBlockHash", |params, node, _| block_hash(&params, node))?;
    module.register_alias("chain_getHead", "chain_getBlockHash")?;
    module.register_method("chain_getFinalizedHead", |_, node, _| json!(HashHex(node.chain().finalized().hash)))?;
    module.register_alias("chain_getFinalisedHead", "chain_getFinalizedHead")?;
    module.register_method("chain_getHeader", |params, node, _| {
        block_json(&params, node, |block| block.header.to_json())
    })?;
    module.register_method("chain_getBlock", |params, node, _| block_json(&params, node, Block::to_json))?;
    Ok(())
}

fn block_hash(params: &Params<'_>, node: &Node) -> Answer<Json> {
    Ok(match only::<OneOrMany>(params)? {
        None => json!(HashHex(node.chain().best().hash)),
        Some(OneOrMany::One(height)) => hash_at(node, &height),
        Some(OneOrMany::Many(heights)) => heights.iter().map(|height| hash_at(node, height)).collect(),
    })
}

fn hash_at(node: &Node, height: &Height) -> Json {
    let wrong_genesis = node.faults.now().wrong_genesis;
    match height.number() {
        Some(0) if wrong_genesis => json!(HashHex(other_genesis())),
        Some(number) => json!(node.chain().block(number).map(|block| HashHex(block.hash))),
        None => Json::Null,
    }
}

fn block_json(params: &Params<'_>, node: &Node, render: impl Fn(&Block) -> Json) -> Answer<Json> {
    let at = only::<HashHex>(params)?;
    let chain = node.chain();
    let block = match at {
        None => Some(chain.best()),
        Some(HashHex(hash)) => chain.by_hash(&hash),
    };
    Ok(block.map_or(Json::Null, |block| render(block)))
}
