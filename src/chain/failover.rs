//! The endpoints of a network are tried in turn until one answers: what becomes of the errors of those that do not.

use super::error::{ChainError, Fault};
use crate::domain::network::Network;

/// The errors so far.
#[derive(Debug, Default)]
pub(super) struct Failures(Option<ChainError>);

impl Failures {
    /// Takes note of an error, so that the next endpoint may be tried. Errors: what one endpoint says of the chain itself
    /// (no such subnet, another chain) is not asked of the next.
    pub(super) fn note(&mut self, error: ChainError) -> Result<(), ChainError> {
        if error.fault.is_about_the_chain() {
            return Err(error);
        }
        tracing::warn!(%error, "endpoint failed");
        self.0.get_or_insert(error);
        Ok(())
    }

    /// When all have failed: the error of the first, which is the preferred one.
    pub(super) fn of_all(self, network: &Network) -> ChainError {
        let none = || Fault::Unreachable { why: "no endpoint is configured".to_owned() }.at(&network.name);
        self.0.unwrap_or_else(none)
    }
}
