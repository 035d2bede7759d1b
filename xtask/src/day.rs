//! Days of the calendar, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// The day of a moment, as `2026-11-25`; moments before 1970 count as its first day.
pub(crate) fn of(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut days = seconds / 86_400;
    let mut year = 1970;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // date -u -d @SECONDS +%F
    #[test]
    fn as_date_says() {
        let check = |seconds, day: &str| {
            assert_eq!(of(UNIX_EPOCH + Duration::from_secs(seconds)), day);
        };
        check(0, "1970-01-01");
        check(951_782_399, "2000-02-28");
        check(951_782_400, "2000-02-29");
        check(1_735_689_599, "2024-12-31");
        check(1_795_564_800, "2026-11-25");
    }
}
