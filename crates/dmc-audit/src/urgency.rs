//! How urgent Debian's security team finds a vulnerability, and what of that fails a run.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An urgency, in the tracker's own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Found, and not a security problem in practice.
    Unimportant,
    /// The package is without security support in this release.
    EndOfLife,
    /// Nobody has judged it yet.
    NotYetAssigned,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// A word that this version does not know.
    Other(Box<str>),
}

impl Urgency {
    /// Reads the tracker's word. Stars at its end, which mark where it came from, do not count.
    pub fn read(word: &str) -> Self {
        match word.trim_end_matches('*') {
            "unimportant" => Self::Unimportant,
            "end-of-life" => Self::EndOfLife,
            "not yet assigned" | "" => Self::NotYetAssigned,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            other => Self::Other(other.into()),
        }
    }

    /// The tracker's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unimportant => "unimportant",
            Self::EndOfLife => "end-of-life",
            Self::NotYetAssigned => "not yet assigned",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Urgency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Which findings fail a run. Of the four that have an order, each stands for itself and what is
/// above it; the others stand for themselves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Unimportant, low, medium and high.
    Unimportant,
    /// Low, medium and high.
    Low,
    /// Medium and high.
    Medium,
    /// High.
    High,
    /// What nobody has judged yet.
    NotYetAssigned,
    /// What has no security support any more.
    EndOfLife,
    /// Where it is not known whether the release is affected, of whatever urgency.
    Undetermined,
}

/// A word that is no urgency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not an urgency: they are {}", FailOn::WORDS.map(|(word, _)| word).join(", "))]
pub struct UnknownUrgency {
    /// What was read.
    pub word: String,
}

impl FailOn {
    /// The words and what they stand for.
    const WORDS: [(&str, Self); 7] = [
        ("unimportant", Self::Unimportant),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("not-yet-assigned", Self::NotYetAssigned),
        ("end-of-life", Self::EndOfLife),
        ("undetermined", Self::Undetermined),
    ];

    /// Whether a vulnerability of this urgency, known to be in the image, is meant.
    pub(crate) fn means(self, urgency: &Urgency) -> bool {
        let from = match self {
            Self::NotYetAssigned => return *urgency == Urgency::NotYetAssigned,
            Self::EndOfLife => return *urgency == Urgency::EndOfLife,
            Self::Undetermined => return false,
            Self::Unimportant => 0,
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        };
        let order = [Urgency::Unimportant, Urgency::Low, Urgency::Medium, Urgency::High];
        order.iter().skip(from).any(|one| one == urgency)
    }
}

impl FromStr for FailOn {
    type Err = UnknownUrgency;

    fn from_str(word: &str) -> Result<Self, UnknownUrgency> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        let unknown = || UnknownUrgency { word: word.chars().take(60).collect() };
        found.map(|(_, fail_on)| *fail_on).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trackers_words_are_read_and_said_again() {
        for (word, said) in [
            ("high", "high"),
            ("medium**", "medium"),
            ("not yet assigned", "not yet assigned"),
            ("", "not yet assigned"),
            ("end-of-life", "end-of-life"),
            ("dreadful", "dreadful"),
        ] {
            assert_eq!(Urgency::read(word).to_string(), said, "{word}");
        }
    }

    #[test]
    fn a_limit_stands_for_itself_and_what_is_above_it() {
        for (limit, met) in [
            ("unimportant", "unimportant low medium high"),
            ("low", "low medium high"),
            ("medium", "medium high"),
            ("high", "high"),
            ("not-yet-assigned", "not yet assigned"),
            ("end-of-life", "end-of-life"),
            ("undetermined", ""),
        ] {
            let limit: FailOn = limit.parse().unwrap();
            let words = ["unimportant", "low", "medium", "high", "not yet assigned"];
            let words = words.into_iter().chain(["end-of-life", "dreadful"]);
            let found: Vec<_> = words.filter(|word| limit.means(&Urgency::read(word))).collect();
            assert_eq!(found.join(" "), met, "{limit:?}");
        }
        let refused = "critical".parse::<FailOn>().unwrap_err().to_string();
        assert!(refused.contains("critical") && refused.contains("not-yet-assigned"), "{refused}");
    }
}
