//! Dates and times of day in UTC, as logs, screens and JSON write them.

const MS_PER_DAY: u64 = 86_400_000;

/// `2026-11-23` of a time in ms since 1970.
pub fn day(at_ms: u64) -> String {
    let (year, month, day) = civil(at_ms / MS_PER_DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `21:12:37` of a time in ms since 1970.
pub fn time_of_day(at_ms: u64) -> String {
    let ms = at_ms % MS_PER_DAY;
    format!("{:02}:{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60)
}

/// `2026-11-23T21:12:37.591Z` of a time in ms since 1970.
pub fn stamp(at_ms: u64) -> String {
    format!("{}T{}.{:03}Z", day(at_ms), time_of_day(at_ms), at_ms % 1_000)
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
