//! Dates of the log, in UTC.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from: the system's in the program, a hand-set one in tests.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}

const MS_PER_DAY: u64 = 86_400_000;

/// Milliseconds since 1970; 0 before.
pub(super) fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// `2026-11-23`.
pub(super) fn day(time: SystemTime) -> String {
    let (year, month, day) = civil(since_1970(time) / MS_PER_DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-23T21:12:37.591Z`.
pub(super) fn stamp(at_ms: u64) -> String {
    let (year, month, day) = civil(at_ms / MS_PER_DAY);
    let ms = at_ms % MS_PER_DAY;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Year, month and day of a day counted from 1970-01-01, by counting years from March, when the leap day comes last.
fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    const FROM_YEAR_0_MARCH: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days_since_1970 + FROM_YEAR_0_MARCH;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

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
