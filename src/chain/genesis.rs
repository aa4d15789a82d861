//! Which chain answers: the one thing that a chain made anew each time has to be asked.

use super::error::{ChainError, Fault};
use super::options::CallLimits;
use super::session::Session;
use crate::domain::network::{BlockHash, Endpoint, Network};

/// Asks the first endpoint that answers, and says which one it was. The error is that of the preferred one.
pub async fn genesis(network: &Network, limits: &CallLimits) -> Result<(Endpoint, BlockHash), ChainError> {
    let mut first = None;
    for endpoint in &network.endpoints {
        match at(endpoint, limits).await {
            Ok(genesis) => return Ok((endpoint.clone(), genesis)),
            Err(error) => {
                tracing::warn!(%error, "endpoint failed");
                first.get_or_insert(error);
            }
        }
    }
    let none = || Fault::Unreachable { why: "no endpoint is configured".to_owned() }.at(&network.name);
    Err(first.unwrap_or_else(none))
}

async fn at(endpoint: &Endpoint, limits: &CallLimits) -> Result<BlockHash, ChainError> {
    Session::open(endpoint, limits).await?.genesis_hash().await
}
