//! The endpoints of a network in turn, for work that is tried at each until it succeeds.

use std::collections::VecDeque;

use super::{Connection, Node};
use crate::chain::error::{ChainError, Fault};
use crate::domain::network::Endpoint;

/// The endpoints of a network, in turn: the open connection first, then each endpoint dialled again.
pub(in crate::chain) struct Attempts<'n> {
    node: &'n Node,
    /// Endpoints that were not tried yet; `None` before the first attempt.
    left: Option<VecDeque<Endpoint>>,
    /// The error of the preferred one.
    first_error: Option<ChainError>,
}

impl<'n> Attempts<'n> {
    pub(super) const fn new(node: &'n Node) -> Self {
        Self { node, left: None, first_error: None }
    }

    /// The next connection. When all endpoints have failed: the error of the first, which is the preferred one. Errors that
    /// are about the chain itself (no such subnet) are not asked of another endpoint.
    pub(in crate::chain) async fn next(&mut self) -> Result<Connection, ChainError> {
        let mut primary = self.node.0.primary.lock().await;
        if self.left.is_none() {
            let mut endpoints = VecDeque::from(self.node.network().endpoints.clone());
            endpoints.rotate_left(primary.first.min(endpoints.len()));
            self.left = Some(endpoints);
            if let Some(open) = primary.open.as_ref().filter(|open| open.session.is_open()) {
                return Ok(open.clone());
            }
        }
        while let Some(endpoint) = self.left.as_mut().and_then(VecDeque::pop_front) {
            match self.node.dial(&endpoint, &mut primary).await {
                Ok(connection) => return Ok(connection),
                Err(error) => note(&mut self.first_error, error)?,
            }
        }
        let none = || Fault::Unreachable { why: "no endpoint is configured".to_owned() };
        Err(self.first_error.take().unwrap_or_else(|| none().at(&self.node.network().name)))
    }

    /// The error when time ran out while connecting: that of an endpoint that failed before, or else the delay itself.
    pub(in crate::chain) fn late(&mut self, fault: Fault) -> ChainError {
        let network = self.node.network();
        let endpoint = || network.endpoints.first().map_or_else(|| network.name.clone(), ToString::to_string);
        self.first_error.take().unwrap_or_else(|| fault.at(&endpoint()))
    }

    /// Takes note of what went wrong on a connection, so that the next endpoint may be tried.
    pub(in crate::chain) async fn failed(
        &mut self,
        connection: &Connection,
        error: ChainError,
    ) -> Result<(), ChainError> {
        note(&mut self.first_error, error)?;
        self.node.forget(connection).await;
        Ok(())
    }
}

fn note(first: &mut Option<ChainError>, error: ChainError) -> Result<(), ChainError> {
    if error.fault.is_about_the_chain() {
        return Err(error);
    }
    tracing::warn!(%error, "endpoint failed");
    first.get_or_insert(error);
    Ok(())
}
