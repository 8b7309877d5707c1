//! Times as OCI's documents write them.

use dmc_types::UnixTime;

/// A time as RFC 3339 in UTC, `2025-05-17T09:30:00Z`. Years outside 0000 to 9999, which RFC 3339
/// cannot write, become the nearest that it can.
pub fn rfc3339(time: UnixTime) -> String {
    const FIRST: UnixTime = -62_167_219_200;
    const LAST: UnixTime = 253_402_300_799;
    let time = time.clamp(FIRST, LAST);
    let (days, second) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    // Days are counted from 1 March of year 0 in eras of 400 years, so that the leap day comes
    // last in its year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_date_writes_them() {
        for (time, wanted) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_747_474_200, "2025-05-17T09:30:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(time), wanted);
        }
    }
}
