//! Relations between packages: `Depends`, `Provides` and their kin (Debian Policy 7.1).
//!
//! A field is a list of groups; each group a choice of alternatives. What cannot be read is left
//! out and named, as one odd relation must not hide the others.

use crate::version::Version;
use dmc_types::{Arch, PackageName};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A field's groups, all of which must be met; of a group any one will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relations {
    /// The groups, in order; none is empty.
    pub groups: Vec<Vec<Relation>>,
}

/// One name with its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The package, real or virtual.
    pub name: PackageName,
    /// What follows the name's colon.
    pub qualifier: Option<ArchQualifier>,
    /// The version asked for or, in `Provides`, given.
    pub constraint: Option<(Operator, Version)>,
    /// `[amd64 !i386]`: only in source packages.
    pub archs: Vec<Restriction>,
    /// `<!nocheck> <cross stage1>`: only in source packages.
    pub profiles: Vec<Vec<Restriction>>,
}

/// The architecture asked for with `name:ARCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchQualifier {
    /// `any`: whatever architecture, of packages that allow it.
    Any,
    /// `native`: the one that is built on.
    Native,
    /// Exactly this one.
    Arch(Arch),
}

/// A name in brackets, perhaps with `!` before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Whether it begins with `!`.
    pub negated: bool,
    /// An architecture, a wildcard such as `linux-any`, or a build profile.
    pub name: String,
}

/// How versions must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`, and the obsolete `<`
    EarlierOrEqual,
    /// `=`
    Exactly,
    /// `>=`, and the obsolete `>`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    /// Whether `version` stands so to `bound`: `LaterOrEqual.holds(1.1, 1.0)`.
    pub fn holds(self, version: &Version, bound: &Version) -> bool {
        let order = version.cmp(bound);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Exactly => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }

    /// Splits it off the start of a text.
    fn split(text: &str) -> Option<(Self, &str)> {
        // The longer ones first, as `<` begins three of them.
        let spellings = [
            ("<<", Self::Earlier),
            ("<=", Self::EarlierOrEqual),
            (">=", Self::LaterOrEqual),
            (">>", Self::Later),
            ("=", Self::Exactly),
            ("<", Self::EarlierOrEqual),
            (">", Self::LaterOrEqual),
        ];
        spellings.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Exactly => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

/// A relation that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a relation to a package: {why}")]
pub struct RelationError {
    /// The relation, cut short.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl RelationError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "a relation looks like `name:any (>= 1.2)` (Debian Policy 7.1)"
    }
}

impl Relations {
    /// Reads a field's value: the relations, and those that cannot be read.
    pub fn parse(field: &str) -> (Self, Vec<RelationError>) {
        let mut relations = Self::default();
        let mut errors = Vec::new();
        for group in field.split(',').map(str::trim).filter(|group| !group.is_empty()) {
            let mut alternatives = Vec::new();
            for text in group.split('|') {
                match text.parse() {
                    Ok(relation) => alternatives.push(relation),
                    Err(error) => errors.push(error),
                }
            }
            if !alternatives.is_empty() {
                relations.groups.push(alternatives);
            }
        }
        (relations, errors)
    }

    /// Every relation of every group.
    pub fn iter(&self) -> impl Iterator<Item = &Relation> {
        self.groups.iter().flatten()
    }
}

impl FromStr for Relation {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let text = text.trim();
        let refused = |why| RelationError { text: text.chars().take(200).collect(), why };
        let end = text.find(|c: char| c.is_whitespace() || "([<".contains(c));
        let (name, mut rest) = text.split_at(end.unwrap_or(text.len()));
        let (name, qualifier) = match name.split_once(':') {
            None => (name, None),
            Some((name, word)) => (name, Some(word)),
        };
        let mut relation = Self {
            name: name
                .parse()
                .ok()
                .ok_or_else(|| refused("it does not begin with a package's name"))?,
            qualifier: qualifier.map(qualifier_of).transpose().map_err(refused)?,
            constraint: None,
            archs: Vec::new(),
            profiles: Vec::new(),
        };
        loop {
            rest = rest.trim_start();
            let Some(open) = rest.chars().next() else { return Ok(relation) };
            rest = relation.take_bracket(open, &rest[open.len_utf8()..]).map_err(refused)?;
        }
    }
}

fn qualifier_of(word: &str) -> Result<ArchQualifier, &'static str> {
    match word {
        "any" => Ok(ArchQualifier::Any),
        "native" => Ok(ArchQualifier::Native),
        _ => match word.parse() {
            Ok(arch) => Ok(ArchQualifier::Arch(arch)),
            Err(_) => Err("its architecture is not known"),
        },
    }
}

impl Relation {
    /// Reads what the bracket that was just opened holds, and gives what follows it.
    fn take_bracket<'a>(&mut self, open: char, rest: &'a str) -> Result<&'a str, &'static str> {
        let close = match open {
            '(' => ')',
            '[' => ']',
            '<' => '>',
            _ => return Err("there is something after the name that is not in brackets"),
        };
        let (inside, after) = rest.split_once(close).ok_or("a bracket is not closed")?;
        match open {
            '(' if self.constraint.is_some() => return Err("it has two versions"),
            '(' => {
                let (operator, version) =
                    Operator::split(inside.trim_start()).ok_or("its version has no operator")?;
                let version = version.trim().parse().ok().ok_or("its version is none")?;
                self.constraint = Some((operator, version));
            }
            '[' => self.archs = restrictions(inside),
            _ => self.profiles.push(restrictions(inside)),
        }
        Ok(after)
    }
}

fn restrictions(inside: &str) -> Vec<Restriction> {
    let read = |word: &str| match word.strip_prefix('!') {
        Some(name) => Restriction { negated: true, name: name.to_owned() },
        None => Restriction { negated: false, name: word.to_owned() },
    };
    inside.split_whitespace().map(read).collect()
}

impl fmt::Display for Relation {
    /// The name, its qualifier and the version: what binary packages have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        match self.qualifier {
            None => {}
            Some(ArchQualifier::Any) => f.write_str(":any")?,
            Some(ArchQualifier::Native) => f.write_str(":native")?,
            Some(ArchQualifier::Arch(arch)) => write!(f, ":{arch}")?,
        }
        match &self.constraint {
            None => Ok(()),
            Some((operator, version)) => write!(f, " ({operator} {version})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(field: &str) -> Vec<Vec<String>> {
        let (relations, errors) = Relations::parse(field);
        assert!(errors.is_empty(), "{errors:?}");
        let show = |group: &Vec<Relation>| group.iter().map(ToString::to_string).collect();
        relations.groups.iter().map(show).collect()
    }

    #[test]
    fn reads_what_the_archive_writes() {
        for (field, wanted) in [
            ("", vec![]),
            ("libc6 (>= 2.38), libpcre2-8-0", vec![vec!["libc6 (>= 2.38)"], vec!["libpcre2-8-0"]]),
            ("debconf (>= 0.5)|debconf-2.0,", vec![vec!["debconf (>= 0.5)", "debconf-2.0"]]),
            ("python3:any", vec![vec!["python3:any"]]),
            ("gcc:native(<<4)", vec![vec!["gcc:native (<< 4)"]]),
            ("libc6:arm64 (=2)", vec![vec!["libc6:arm64 (= 2)"]]),
            ("libssl3 (= 3.5.1-1), x11", vec![vec!["libssl3 (= 3.5.1-1)"], vec!["x11"]]),
            ("a1 (> 1), b1 (< 2)", vec![vec!["a1 (>= 1)"], vec!["b1 (<= 2)"]]),
            ("a1,\n b1\n", vec![vec!["a1"], vec!["b1"]]),
        ] {
            assert_eq!(shown(field), wanted, "{field:?}");
        }
    }

    #[test]
    fn keeps_what_only_sources_have() {
        let relation: Relation =
            "dh-x (>= 1) [linux-any !i386] <!nocheck> <cross stage1>".parse().unwrap();
        let named = |negated, name: &str| Restriction { negated, name: name.into() };
        assert_eq!(relation.archs, [named(false, "linux-any"), named(true, "i386")]);
        assert_eq!(relation.profiles.len(), 2);
        assert_eq!(relation.profiles[1], [named(false, "cross"), named(false, "stage1")]);
    }

    #[test]
    fn one_odd_relation_does_not_hide_the_others() {
        let (relations, errors) = Relations::parse("good, Bad_ | other, a1 (~ 2), b1:pdp11, last");
        let names: Vec<_> = relations.iter().map(|r| r.name.as_str().to_owned()).collect();
        assert_eq!(names, ["good", "other", "last"]);
        let texts: Vec<_> = errors.iter().map(|e| &*e.text).collect();
        assert_eq!(texts, ["Bad_", "a1 (~ 2)", "b1:pdp11"]);
    }

    #[test]
    fn rejects_what_is_not_a_relation() {
        for text in ["", "(>= 1)", "a1 b1", "a1 (>= 1", "a1 (>= )", "a1 (= 1) (= 2)", "a1:", "é"] {
            assert!(text.parse::<Relation>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn operators_hold_as_policy_says() {
        let (one, two): (Version, Version) = ("1".parse().unwrap(), "2".parse().unwrap());
        let all = [
            (Operator::Earlier, [true, false, false]),
            (Operator::EarlierOrEqual, [true, true, false]),
            (Operator::Exactly, [false, true, false]),
            (Operator::LaterOrEqual, [false, true, true]),
            (Operator::Later, [false, false, true]),
        ];
        for (operator, wanted) in all {
            let holds = [(&one, &two), (&one, &one), (&two, &one)];
            assert_eq!(holds.map(|(a, b)| operator.holds(a, b)), wanted, "{operator}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9(),|<>=!\\[\\]: é\n-]*") {
            let (relations, _) = Relations::parse(&text);
            for relation in relations.iter() {
                let again: Relation = relation.to_string().parse().unwrap();
                prop_assert_eq!(&again.constraint, &relation.constraint);
            }
        }
    }
}
