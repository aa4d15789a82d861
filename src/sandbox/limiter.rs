//! A limit of requests, as public nodes set it: so many a second, and a few at once after a while without any.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Requests that may come at once, as public nodes allow.
pub const BURST: u32 = 5;

/// The limit of one endpoint, all its connections together.
#[derive(Debug)]
pub struct Limiter {
    /// Requests allowed in a second.
    per_second: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Limiter {
    /// A limit of requests a second.
    pub fn new(per_second: f64) -> Self {
        Self { per_second, bucket: Mutex::new(Bucket { left: BURST.into(), filled: Instant::now() }) }
    }

    /// Whether a request that comes now is served.
    pub fn admits(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * self.per_second;
        bucket.left = (bucket.left + gained).min(BURST.into());
        bucket.filled = now;
        let served = bucket.left >= 1.0;
        if served {
            bucket.left -= 1.0;
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_served_and_then_one_request_a_second() {
        let limiter = Limiter::new(1.0);
        let now = Instant::now();
        let served = |at: Instant| (0..10).filter(|_| limiter.admits(at)).count();
        assert_eq!(served(now), 5);
        assert_eq!(served(now + Duration::from_millis(900)), 0);
        assert_eq!(served(now + Duration::from_secs(2)), 2);
        assert_eq!(served(now + Duration::from_mins(1)), 5);
    }
}
