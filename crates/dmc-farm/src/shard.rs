//! Which part of a plan a machine builds.

use crate::error::FarmError;
use std::fmt;
use std::str::FromStr;

/// One machine's part: `2/4` is the third of four, as a Kubernetes Job counts its indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Most shards of a plan.
    pub const MOST: u32 = 1000;

    /// Its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }
}

impl FromStr for Shard {
    type Err = FarmError;

    fn from_str(text: &str) -> Result<Self, FarmError> {
        let number = |text: &str| {
            let digits = text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| digits)
        };
        let parts = text.split_once('/');
        let parts = parts.and_then(|(index, of)| Some((number(index)?, number(of)?)));
        match parts {
            Some((index, of)) if index < of && of <= Self::MOST => Ok(Self { index, of }),
            _ => Err(FarmError::NoShard { text: text.chars().take(40).collect() }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_number_below_their_count() {
        for good in ["0/1", "3/4", "999/1000"] {
            assert_eq!(good.parse::<Shard>().unwrap().to_string(), good);
        }
        for bad in
            ["", "1", "/", "1/", "/2", "4/4", "0/0", "+1/2", "-1/2", "1/2/3", "0/1001", " 0/1"]
        {
            let refused = bad.parse::<Shard>().unwrap_err();
            assert!(matches!(refused, FarmError::NoShard { .. }), "{bad}: {refused}");
            assert!(refused.hint().contains("from 0"));
        }
    }
}
