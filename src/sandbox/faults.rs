//! What can go wrong on purpose inside the node; faults of the connection itself are in [`super::gate`].

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Where a rate limit bites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// WebSocket handshakes are answered with HTTP 429.
    Handshakes,
    /// Requests of an open session are answered with a JSON-RPC error.
    Requests,
    /// Both.
    Everything,
}

/// The node's present misbehaviour.
#[derive(Debug, Clone, Default)]
pub struct Misbehaviour {
    /// Added to every request and handshake.
    pub latency: Duration,
    /// Too many requests.
    pub throttle: Option<Throttle>,
    /// No blocks are made.
    pub stale_head: bool,
    /// Block 0 is another chain's.
    pub wrong_genesis: bool,
}

impl Misbehaviour {
    /// Whether handshakes are refused with 429.
    pub fn refuses_handshakes(&self) -> bool {
        matches!(self.throttle, Some(Throttle::Handshakes | Throttle::Everything))
    }

    /// Whether requests are refused as too many.
    pub fn refuses_requests(&self) -> bool {
        matches!(self.throttle, Some(Throttle::Requests | Throttle::Everything))
    }
}

/// The node's present misbehaviour, shared.
#[derive(Debug, Default)]
pub struct FaultBoard(RwLock<Misbehaviour>);

impl FaultBoard {
    /// Starts with a latency and no fault.
    pub fn new(latency: Duration) -> Self {
        Self(RwLock::new(Misbehaviour { latency, ..Misbehaviour::default() }))
    }

    /// What is wrong now.
    pub fn now(&self) -> RwLockReadGuard<'_, Misbehaviour> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change it.
    pub fn set(&self) -> RwLockWriteGuard<'_, Misbehaviour> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
