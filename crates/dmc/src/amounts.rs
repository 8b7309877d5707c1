//! Ages and sizes as they are typed.

use std::time::Duration;

/// `30d`: hours, days or weeks.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 3] = [('h', 3600), ('d', 24 * 3600), ('w', 7 * 24 * 3600)];
    let seconds = times(text, &UNITS).ok_or("an age is a number and h, d or w, as in 30d")?;
    Ok(Duration::from_secs(seconds))
}

/// `2G`: bytes, or thousands, millions, billions of them.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(char, u64); 4] =
        [('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000)];
    let plain = text.parse().ok();
    Ok(plain
        .or_else(|| times(text, &UNITS))
        .ok_or("a size is a number and K, M, G or T, as in 2G")?)
}

fn times(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let (unit, times) = units.iter().find(|(unit, _)| text.ends_with(*unit))?;
    text.strip_suffix(*unit)?.parse::<u64>().ok()?.checked_mul(*times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_have_units() {
        for (text, hours) in [("1h", 1), ("30d", 720), ("2w", 336), ("0d", 0)] {
            assert_eq!(age(text), Ok(Duration::from_hours(hours)), "{text}");
        }
        for (text, bytes) in [("0", 0), ("500", 500), ("2K", 2_000), ("3M", 3_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "d", "30", "3m", "-1d", "1.5d", "99999999999999999999d", "9999999999999999w"]
        {
            assert!(age(text).is_err(), "{text}");
        }
        for text in ["", "G", "2g", "-2G", "1.5G", "99999999999T", "2GB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
