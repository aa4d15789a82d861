//! The endpoints of a network in turn, for work that is tried at each until it succeeds.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Connection, Node};
use crate::chain::error::{ChainError, Fault};
use crate::chain::session::jittered;
use crate::domain::network::Endpoint;

/// Most that is waited before an endpoint that hung up is dialled once more.
const BEFORE_ONCE_MORE: Duration = Duration::from_millis(500);

/// The endpoints of a network, in turn: the open connection first, then each endpoint dialled again, and at last once more the
/// first one that hung up.
pub(in crate::chain) struct Attempts<'n> {
    node: &'n Node,
    /// Endpoints that were not tried yet; `None` before the first attempt.
    left: Option<VecDeque<Endpoint>>,
    /// The error of the preferred one.
    first_error: Option<ChainError>,
    hung_up: HungUp,
}

/// Whether an endpoint ended its connection before the work was done.
enum HungUp {
    No,
    Yes(Endpoint),
    /// It was dialled once more.
    TriedAgain,
}

impl<'n> Attempts<'n> {
    pub(super) const fn new(node: &'n Node) -> Self {
        Self { node, left: None, first_error: None, hung_up: HungUp::No }
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
        while let Some(endpoint) = self.next_endpoint().await {
            match self.node.dial(&endpoint, &mut primary).await {
                Ok(connection) => return Ok(connection),
                Err(error) => self.note(error, &endpoint)?,
            }
        }
        let none = || Fault::Unreachable { why: "no endpoint is configured".to_owned() };
        Err(self.first_error.take().unwrap_or_else(|| none().at(&self.node.network().name)))
    }

    async fn next_endpoint(&mut self) -> Option<Endpoint> {
        if let Some(endpoint) = self.left.as_mut().and_then(VecDeque::pop_front) {
            return Some(endpoint);
        }
        let HungUp::Yes(endpoint) = std::mem::replace(&mut self.hung_up, HungUp::TriedAgain) else { return None };
        tokio::time::sleep(jittered(BEFORE_ONCE_MORE)).await;
        Some(endpoint)
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
        self.note(error, connection.session.endpoint())?;
        self.node.forget(connection).await;
        Ok(())
    }

    fn note(&mut self, error: ChainError, endpoint: &Endpoint) -> Result<(), ChainError> {
        if error.fault.is_about_the_chain() {
            return Err(error);
        }
        tracing::warn!(%error, "endpoint failed");
        if matches!((&error.fault, &self.hung_up), (Fault::Closed { .. }, HungUp::No)) {
            self.hung_up = HungUp::Yes(endpoint.clone());
        }
        self.first_error.get_or_insert(error);
        Ok(())
    }
}
