//! How fast one connection asks: as fast as it likes until the node says that it is too much, then at the pace that public
//! nodes allow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Requests that a node allows at once after a while without any. Public nodes allow five; one is left for others.
const BURST: u32 = 4;

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Time between two requests once the node has refused one.
    pace: Duration,
    /// When the next request may go out; `None` while nothing was refused.
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// Without a limit until one is met.
    pub(super) const fn new(pace: Duration) -> Self {
        Self { pace, next: Mutex::new(None) }
    }

    /// Returns when the next request may go out.
    pub(super) async fn turn(&self) {
        let turn = self.next_turn(Instant::now());
        if let Some(turn) = turn {
            sleep_until(turn).await;
        }
    }

    fn next_turn(&self, now: Instant) -> Option<Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = now.checked_sub(self.pace * (BURST - 1)).unwrap_or(now);
        let turn = (*next)?.max(saved);
        *next = Some(turn + self.pace);
        Some(turn)
    }

    /// The node refused a request; it may have said for how long it wants none.
    pub(super) fn refused(&self, retry_after: Option<Duration>) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = Instant::now() + retry_after.unwrap_or(self.pace);
        // Several that were refused together wait one after the other, each for its own turn.
        *next = Some(next.map_or(earliest, |next| next.max(earliest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_waits_until_the_node_refuses_something() {
        let pacer = Pacer::new(PACE);
        assert_eq!(pacer.next_turn(Instant::now()), None);
    }

    #[test]
    fn what_was_refused_together_goes_out_one_after_the_other() {
        let pacer = Pacer::new(PACE);
        let now = Instant::now();
        for _ in 0..3 {
            pacer.refused(None);
        }
        let turns: Vec<Instant> = (0..3).map(|_| pacer.next_turn(now).unwrap()).collect();
        assert!(turns[0] >= now + PACE && turns[0] < now + PACE * 2, "{turns:?}");
        assert_eq!((turns[1], turns[2]), (turns[0] + PACE, turns[1] + PACE));
    }

    #[test]
    fn after_a_while_a_few_may_go_out_at_once_again() {
        let pacer = Pacer::new(PACE);
        pacer.refused(None);
        let later = Instant::now() + Duration::from_mins(1);
        let due = (0..=BURST).filter(|_| pacer.next_turn(later).unwrap() <= later).count();
        assert_eq!(due, BURST as usize);
    }

    #[test]
    fn a_node_that_says_how_long_is_left_alone_for_that_time() {
        let pacer = Pacer::new(PACE);
        let now = Instant::now();
        pacer.refused(Some(Duration::from_secs(7)));
        assert!(pacer.next_turn(now).unwrap() - now >= Duration::from_secs(7));
    }
}
