//! Several licences together.

use std::collections::BTreeSet;
use std::fmt;

/// Longest short name of a licence that is taken as one, in bytes.
const LONGEST: usize = 200;

/// Licences as DEP-5 joins them ("License specification", "Syntax").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expression {
    /// One licence, by its short name, with an exception where it has one.
    One(String),
    /// All of these hold.
    All(BTreeSet<Expression>),
    /// The user's choice.
    Any(BTreeSet<Expression>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

impl Expression {
    /// Reads the first line of a `License` field: `GPL-1+ or Artistic, and BSD-3-clause`. A comma
    /// binds weaker than `or`, and `or` weaker than `and`. None where it names nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let mut found: Option<Self> = None;
        for part in text.split(',') {
            let mut words: Vec<&str> = part.split_whitespace().collect();
            let join = match words.first().and_then(|word| join(word)) {
                Some(join) => {
                    words.remove(0);
                    join
                }
                None => Join::And,
            };
            let Some(next) = either(&words) else { continue };
            found = match (found, join) {
                (None, _) => Some(next),
                (Some(before), Join::And) => Self::all([before, next]),
                (Some(before), Join::Or) => Self::any([before, next]),
            };
        }
        found
    }

    /// All of these; none of nothing.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::All(inner) => inner,
            one => [one].into(),
        });
        single(flat.collect(), Self::All)
    }

    /// One of these; none of nothing.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Any(inner) => inner,
            one => [one].into(),
        });
        single(flat.collect(), Self::Any)
    }

    /// Every licence that it names.
    pub fn names(&self) -> BTreeSet<&str> {
        match self {
            Self::One(name) => [name.as_str()].into(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(|part| part.names()).collect()
            }
        }
    }

    /// As text, each name as `spell` has it, joined by `and` and `or` as given.
    pub(super) fn spelled(&self, spell: &dyn Fn(&str) -> String, joins: (&str, &str)) -> String {
        let (parts, word) = match self {
            Self::One(name) => return spell(name),
            Self::All(parts) => (parts, joins.0),
            Self::Any(parts) => (parts, joins.1),
        };
        let part = |part: &Self| match part {
            Self::One(name) => spell(name),
            nested => format!("({})", nested.spelled(spell, joins)),
        };
        parts.iter().map(part).collect::<Vec<_>>().join(word)
    }
}

/// As SPDX would join Debian's names.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled(&str::to_owned, (" and ", " or ")))
    }
}

fn join(word: &str) -> Option<Join> {
    match word.to_ascii_lowercase().as_str() {
        "and" => Some(Join::And),
        "or" | "and/or" | "|" => Some(Join::Or),
        _ => None,
    }
}

fn either(words: &[&str]) -> Option<Expression> {
    let choices = words.split(|word| join(word) == Some(Join::Or));
    Expression::any(choices.filter_map(both))
}

fn both(words: &[&str]) -> Option<Expression> {
    let parts = words.split(|word| join(word) == Some(Join::And));
    let name = |words: &[&str]| {
        let name = words.join(" ");
        (!name.is_empty() && name.len() <= LONGEST).then_some(Expression::One(name))
    };
    Expression::all(parts.filter_map(name))
}

fn single(
    parts: BTreeSet<Expression>,
    join: impl FnOnce(BTreeSet<Expression>) -> Expression,
) -> Option<Expression> {
    match parts.len() {
        0 => None,
        1 => parts.into_iter().next(),
        _ => Some(join(parts)),
    }
}
