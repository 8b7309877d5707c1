//! Times in the configuration: dated archives, and how old a release may be.

use dmc_types::{NameError, UnixTime};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// A moment of the archive's past that is asked for, as in `trixie@20260912T080000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Snapshot(Timestamp);

const WRITTEN: &str = "%Y%m%dT%H%M%SZ";

impl Snapshot {
    /// Takes `trixie@20260912T080000Z` apart; without `@`, there is no snapshot.
    ///
    /// # Errors
    /// Where what follows `@` is not such a time.
    pub fn split(dist: &str) -> Result<(&str, Option<Self>), NameError> {
        match dist.split_once('@') {
            Some((codename, time)) => Ok((codename, Some(time.parse()?))),
            None => Ok((dist, None)),
        }
    }

    /// The moment of a time since 1970; none for what cannot be asked for.
    pub fn at(time: UnixTime) -> Option<Self> {
        let within = (0..=253_402_300_799).contains(&time);
        Timestamp::from_second(time).ok().filter(|_| within).map(Self)
    }

    /// In seconds since 1970.
    pub fn time(self) -> UnixTime {
        self.0.as_second()
    }
}

impl FromStr for Snapshot {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let read = || {
            let time = DateTime::strptime(WRITTEN, text).ok()?;
            let time = TimeZone::UTC.to_timestamp(time).ok()?;
            // One spelling a moment: it is part of addresses and of keys.
            (time.as_second() >= 0 && time.strftime(WRITTEN).to_string() == text).then_some(time)
        };
        read().map(Self).ok_or_else(|| NameError {
            text: text.chars().take(120).collect(),
            kind: "snapshot's time",
            rule: "a moment in UTC, as in trixie@20260912T080000Z",
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime(WRITTEN))
    }
}

/// The least `Date` of a suite's releases; an empty text takes back what an earlier layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Least(pub(super) Option<UnixTime>);

impl TryFrom<String> for Least {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        match text.parse::<Timestamp>() {
            Ok(time) => Ok(Self(Some(time.as_second()))),
            Err(_not_one) => Err(NameError {
                text: text.chars().take(120).collect(),
                kind: "date",
                rule: "as in RFC 3339, 2026-09-12T07:55:41Z, or empty for none",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_a_codename_and_a_moment() {
        let (codename, snapshot) = Snapshot::split("trixie@20260912T080000Z").unwrap();
        let snapshot = snapshot.unwrap();
        assert_eq!((codename, snapshot.time()), ("trixie", 1_789_200_000));
        assert_eq!(snapshot.to_string(), "20260912T080000Z");
        assert_eq!(Snapshot::split("trixie").unwrap(), ("trixie", None));
    }

    #[test]
    fn other_spellings_of_a_moment_are_refused() {
        for text in [
            "",
            "20260912",
            "20260912T080000",
            "2026-09-12T08:00:00Z",
            "20260230T080000Z",
            "20260912T250000Z",
            " 20260912T080000Z",
            "20260912T080000Zx",
            "19690101T000000Z",
            "+20260912T080000Z",
            "20260912T080060Z",
        ] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }
}
