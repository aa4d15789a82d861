//! Meters: requests by method, sequential round trips, bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// A reading of the meters since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Requests by method, subscriptions and their cancellations included.
    pub requests: BTreeMap<String, u64>,
    /// Sequential round trips: the longest chain of requests of which each arrived after the answer to the one before
    /// was sent. Requests that are outstanding together count once. Exact when a latency keeps answers back longer than
    /// a client needs to send what it sends at once; without latency it is an upper bound.
    pub round_trips: u64,
    /// Bytes that clients sent, WebSocket framing and handshakes included.
    pub bytes_in: u64,
    /// Bytes that clients were sent.
    pub bytes_out: u64,
    /// Connections accepted.
    pub connections: u64,
}

impl Reading {
    /// Requests of all methods.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// A request's place in the chain of round trips, to be handed back when it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    depth: u64,
    /// Resets the meter has seen; an answer from before a reset does not count.
    epoch: u64,
}

#[derive(Debug, Default)]
struct Counters {
    reading: Reading,
    answered: u64,
    epoch: u64,
}

/// The meters of one sandbox.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Counters>);

impl Meter {
    fn counters(&self) -> std::sync::MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request arrived.
    pub fn requested(&self, method: &str) -> Round {
        let mut counters = self.counters();
        *counters.reading.requests.entry(method.to_owned()).or_default() += 1;
        let depth = counters.answered + 1;
        counters.reading.round_trips = counters.reading.round_trips.max(depth);
        Round { depth, epoch: counters.epoch }
    }

    /// Its answer is about to be sent.
    pub fn answered(&self, round: Round) {
        let mut counters = self.counters();
        if round.epoch == counters.epoch {
            counters.answered = counters.answered.max(round.depth);
        }
    }

    /// Bytes came in.
    pub fn received(&self, bytes: usize) {
        self.counters().reading.bytes_in += bytes as u64;
    }

    /// Bytes went out.
    pub fn sent(&self, bytes: usize) {
        self.counters().reading.bytes_out += bytes as u64;
    }

    /// A connection was accepted.
    pub fn connected(&self) {
        self.counters().reading.connections += 1;
    }

    /// What has been counted.
    pub fn read(&self) -> Reading {
        self.counters().reading.clone()
    }

    /// Starts counting anew.
    pub fn reset(&self) {
        let mut counters = self.counters();
        *counters = Counters { epoch: counters.epoch + 1, ..Counters::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_outstanding_together_are_one_round_trip() {
        let meter = Meter::default();
        let rounds = ["a", "b", "a"].map(|method| meter.requested(method));
        for round in rounds {
            meter.answered(round);
        }
        assert_eq!(meter.read().round_trips, 1);
        assert_eq!(meter.read().requests, BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
    }

    #[test]
    fn a_request_after_an_answer_is_the_next_round_trip() {
        let meter = Meter::default();
        let (slow, first) = (meter.requested("slow"), meter.requested("first"));
        meter.answered(first);
        let second = meter.requested("second");
        meter.answered(slow);
        let beside = meter.requested("beside");
        meter.answered(second);
        meter.answered(beside);
        meter.requested("third");
        assert_eq!(meter.read().round_trips, 3);
    }

    #[test]
    fn an_answer_from_before_a_reset_does_not_count() {
        let meter = Meter::default();
        let old = meter.requested("old");
        meter.reset();
        meter.answered(old);
        meter.requested("new");
        assert_eq!((meter.read().round_trips, meter.read().total()), (1, 1));
    }
}
