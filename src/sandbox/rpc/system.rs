//! `system_*`: who the node says it is.

use jsonrpsee::RpcModule;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::json;

use super::Answer;
use crate::domain::hotkey::Hotkey;
use crate::sandbox::node::Node;

/// What stands wherever a network's name would: nobody must take sandbox for the real thing.
const CHAIN_NAME: &str = "SANDBOX";

pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_method("system_chain", |_, _, _| CHAIN_NAME)?;
    module.register_method("system_name", |_, _, _| "grail-console sandbox")?;
    module.register_method("system_version", |_, _, _| env!("CARGO_PKG_VERSION"))?;
    module.register_method("system_chainType", |_, _, _| "Development")?;
    module.register_method(
        "system_health",
        |_, _, _| json!({ "peers": 1, "isSyncing": false, "shouldHavePeers": false }),
    )?;
    module.register_method(
        "system_properties",
        |_, _, _| json!({ "isEthereum": false, "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" }),
    )?;
    module.register_method("system_syncState", |_, node, _| {
        let best = node.chain().best().number();
        json!({ "startingBlock": 0, "currentBlock": best, "highestBlock": best })
    })?;
    module.register_method("system_peers", |_, _, _| json!([]))?;
    module.register_method("system_accountNextIndex", |params, node, _| next_index(&params, node))?;
    module.register_alias("account_nextIndex", "system_accountNextIndex")?;
    Ok(())
}

fn next_index(params: &Params<'_>, node: &Node) -> Answer<u32> {
    let address: String = params.sequence().next()?;
    let account: Hotkey = address
        .parse()
        .map_err(|error| ErrorObjectOwned::owned(-32_602, "Invalid params", Some(format!("{error}"))))?;
    Ok(node.next_index(account.as_bytes()))
}
