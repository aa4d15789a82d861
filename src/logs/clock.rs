//! Dates of the log, in UTC.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::date;

/// Where the time comes from: the system's in the program, a hand-set one in tests.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}

/// Milliseconds since 1970; 0 before.
pub(super) fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// `2026-11-23`.
pub(super) fn day(time: SystemTime) -> String {
    date::day(since_1970(time))
}

pub(super) use crate::domain::date::stamp;

#[cfg(test)]
mod tests {
    use super::{SystemTime, UNIX_EPOCH, day, stamp};
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn days_of_leap_years_and_centuries_are_right() {
        let known = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_164_800, "2024-02-29"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
            (4_107_542_400, "2100-03-01"),
        ];
        for (seconds, expected) in known {
            assert_eq!(day(at(seconds)), expected);
        }
        assert_eq!(stamp(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
    }
}
