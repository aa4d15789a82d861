//! A feed: keeps a connection to one of a network's endpoints for as long as anybody listens, and tells what it hears.

use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::error::{ChainError, Fault};
use super::live::{self, Context, Stop};
use super::node::Node;
use super::options::FeedOptions;
use super::session::jittered;
use super::snapshot::Subject;
use crate::domain::feed::FeedEvent;

/// However long a node wants to be left alone, and however often it said so: longer than this the console is not silent.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Events of a subnet, live. Dropping it closes the connection and ends everything behind it.
#[derive(Debug)]
pub struct Feed {
    events: Receiver<FeedEvent>,
    task: JoinHandle<()>,
}

impl Feed {
    /// The next event. Waits as long as it takes; `None` only if the feed's task was killed.
    pub async fn next(&mut self) -> Option<FeedEvent> {
        self.events.recv().await
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows a subnet, on a task of the current runtime.
///
/// The feed never gives up: when an endpoint fails it tells [`FeedEvent::Lost`] and tries the next one, with growing
/// pauses. Nothing that was told before is taken back by it.
pub fn follow(node: Node, netuid: u16, options: FeedOptions) -> Feed {
    let (sender, events) = mpsc::channel(options.events.max(1));
    let task = tokio::spawn(run(node, netuid, options, sender));
    Feed { events, task }
}

async fn run(node: Node, netuid: u16, options: FeedOptions, events: Sender<FeedEvent>) {
    let endpoints = node.network().endpoints.clone();
    let mut pool = Pool::new(endpoints.len());
    while let Some(endpoint) = endpoints.get(pool.at) {
        let shown = endpoint.to_string();
        let connecting = FeedEvent::Connecting { endpoint: shown.clone(), attempt: pool.attempt() };
        if events.send(connecting).await.is_err() {
            return;
        }
        let mut settled = None;
        let subject = Subject { node: &node, netuid, published: options.published.as_ref() };
        let context = Context { subject, options: &options, events: &events };
        let error = match live::run(context, endpoint, &mut settled).await {
            Stop::Unheard => return,
            Stop::Lost(error) => error,
        };
        if settled.is_some_and(|since| since.elapsed() >= options.settled) {
            pool.succeeded();
        }
        let pause = pool.failed(&error, &options, Instant::now());
        tracing::warn!("connection lost, next try in {} ms: {error}", pause.as_millis());
        let retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let lost = FeedEvent::Lost { endpoint: shown, problem: error.finding(), retry_in_ms };
        if events.send(lost).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = events.closed() => return,
        }
    }
}

/// Which endpoint is next, and when.
#[derive(Debug)]
struct Pool {
    at: usize,
    /// Failures since the last success.
    failures: u32,
    /// Until when each endpoint wants to be left alone.
    not_before: Vec<Option<Instant>>,
}

impl Pool {
    fn new(endpoints: usize) -> Self {
        Self { at: 0, failures: 0, not_before: vec![None; endpoints] }
    }

    const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Moves on to the next endpoint; after one that had taken over, back to the preferred one. Returns the pause.
    fn failed(&mut self, error: &ChainError, options: &FeedOptions, now: Instant) -> Duration {
        let endpoints = self.not_before.len();
        if let Fault::RateLimited { retry_after } = error.fault {
            let rounds = self.failures / u32::try_from(endpoints).unwrap_or(u32::MAX).max(1);
            let wait = retry_after.unwrap_or(options.rate_limited).saturating_mul(1 << rounds.min(3)).min(LONGEST_WAIT);
            self.not_before[self.at] = Some(now + wait);
        }
        self.at = if self.failures == 0 && self.at > 0 { 0 } else { (self.at + 1) % endpoints };
        let backoff = jittered(self.backoff(options));
        self.failures = self.failures.saturating_add(1);
        let wanted = self.not_before[self.at].map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        backoff.max(wanted)
    }

    /// Doubled after each round through the pool.
    fn backoff(&self, options: &FeedOptions) -> Duration {
        let rounds = self.failures / u32::try_from(self.not_before.len()).unwrap_or(u32::MAX).max(1);
        options.backoff_first.saturating_mul(1 << rounds.min(16)).min(options.backoff_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> FeedOptions {
        FeedOptions { backoff_first: Duration::from_millis(500), ..FeedOptions::default() }
    }

    fn refused() -> ChainError {
        Fault::Unreachable { why: "connection refused".to_owned() }.at(&"ws://127.0.0.1:1")
    }

    #[test]
    fn pauses_double_with_each_round_and_stop_at_the_longest() {
        let mut pool = Pool::new(1);
        let now = Instant::now();
        let pauses: Vec<Duration> = (0..12).map(|_| pool.failed(&refused(), &options(), now)).collect();
        let most = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0];
        for (pause, most) in pauses.iter().zip(most) {
            let seconds = pause.as_secs_f64();
            assert!((most / 2.0..=most).contains(&seconds), "{seconds} of {most}");
        }
    }

    #[test]
    fn each_endpoint_has_its_turn_before_pauses_grow() {
        let mut pool = Pool::new(3);
        let now = Instant::now();
        let turns: Vec<(usize, bool)> = (0..4)
            .map(|_| {
                let at = pool.at;
                (at, pool.failed(&refused(), &options(), now) <= Duration::from_millis(500))
            })
            .collect();
        assert_eq!(turns, [(0, true), (1, true), (2, true), (0, false)]);
    }

    #[test]
    fn after_a_success_elsewhere_the_preferred_endpoint_is_tried_first() {
        let mut pool = Pool::new(3);
        let now = Instant::now();
        pool.failed(&refused(), &options(), now);
        assert_eq!(pool.at, 1);
        pool.succeeded();
        pool.failed(&refused(), &options(), now);
        assert_eq!(pool.at, 0);
    }

    #[test]
    fn a_rate_limit_is_waited_out_unless_another_endpoint_can_serve() {
        let limited = Fault::RateLimited { retry_after: Some(Duration::from_secs(40)) }.at(&"wss://a");
        let now = Instant::now();
        assert_eq!(Pool::new(1).failed(&limited, &options(), now), Duration::from_secs(40));
        let mut pool = Pool::new(2);
        assert!(pool.failed(&limited, &options(), now) <= Duration::from_millis(500));
        assert!(pool.failed(&refused(), &options(), now) >= Duration::from_secs(39), "the limited one is left alone");
    }

    #[test]
    fn no_rate_limit_silences_the_console_for_more_than_ten_minutes() {
        let now = Instant::now();
        for wait in [Duration::from_mins(9), Duration::from_hours(9), Duration::MAX] {
            let limited = Fault::RateLimited { retry_after: Some(wait) }.at(&"wss://a");
            let mut pool = Pool::new(1);
            let pauses: Vec<Duration> = (0..6).map(|_| pool.failed(&limited, &options(), now)).collect();
            assert!(pauses.iter().all(|pause| *pause <= Duration::from_mins(10)), "{wait:?}: {pauses:?}");
        }
    }
}
