//! What one reading of a subnet may take in all: time and memory. Each call has its own deadline and each message its own
//! bound, but a node that stays just within them call after call could still go on for an hour, or fill the machine.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::error::Fault;

/// Time added for each key found: public nodes serve about one request a second, and a thousand keys take one for
/// themselves and up to one for their values.
const FOR_EACH_KEY: Duration = Duration::from_millis(2);

/// Time and memory of one reading, attempts at other endpoints included.
#[derive(Debug)]
pub(super) struct ReadBudget {
    started: Instant,
    /// Time for a reading without keys.
    base: Duration,
    /// Most bytes of values.
    most: usize,
    keys: AtomicUsize,
    bytes: AtomicUsize,
}

impl ReadBudget {
    /// From now on: a time that grows with the keys found, and the bytes of all values together.
    pub(super) fn new(base: Duration, most: usize) -> Self {
        Self { started: Instant::now(), base, most, keys: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Grants the time that keys take.
    pub(super) fn found(&self, keys: usize) {
        self.keys.fetch_add(keys, Ordering::Relaxed);
    }

    /// Spends bytes of values.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Fault> {
        let spent = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if spent <= self.most {
            return Ok(());
        }
        Err(Fault::TooLarge { what: format!("more than {} bytes of values", self.most) })
    }

    /// Does work within the time, which may grow meanwhile.
    pub(super) async fn keep<T>(&self, work: impl Future<Output = T>) -> Result<T, Fault> {
        let mut work = pin!(work);
        loop {
            let after = self.time();
            match timeout_at(self.started + after, &mut work).await {
                Ok(done) => return Ok(done),
                Err(_) if self.time() > after => {}
                Err(_) => return Err(Fault::Deadline { what: "the whole of the reading", after }),
            }
        }
    }

    fn time(&self) -> Duration {
        let keys = u32::try_from(self.keys.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        self.base.saturating_add(FOR_EACH_KEY.saturating_mul(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::sleep;

    fn late(after: Duration) -> Fault {
        Fault::Deadline { what: "the whole of the reading", after }
    }

    #[tokio::test]
    async fn keys_that_are_found_meanwhile_make_the_time_longer() {
        let budget = ReadBudget::new(Duration::ZERO, 0);
        let work = async {
            budget.found(60_000);
            sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(budget.keep(work).await, Ok(()));
    }

    #[tokio::test]
    async fn work_without_an_end_is_late_by_the_time_that_its_keys_earned() {
        let budget = ReadBudget::new(Duration::from_millis(10), 0);
        assert_eq!(budget.keep(pending::<()>()).await, Err(late(Duration::from_millis(10))));
        budget.found(5);
        assert_eq!(budget.keep(pending::<()>()).await, Err(late(Duration::from_millis(20))));
    }

    #[test]
    fn bytes_are_spent_once_for_the_whole_of_a_reading() {
        let budget = ReadBudget::new(Duration::ZERO, 100);
        assert_eq!(budget.spend(60), Ok(()));
        assert_eq!(budget.spend(40), Ok(()));
        assert_eq!(budget.spend(1).unwrap_err().code(), "too_large");
    }
}
