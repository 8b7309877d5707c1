//! The names that a library offers, in few bytes.
//!
//! A library may export a hundred thousand symbols, of which a closure asks for some dozens. They
//! are kept as sorted lines of one string a version and found by halving: reading them back copies
//! a few strings, however many symbols there are.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Exported dynamic symbols with their versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exports {
    /// By version, the empty one for symbols without: sorted names, each ended by a newline.
    names: BTreeMap<String, String>,
}

impl Exports {
    /// Takes in names with their versions, in any order. Names with a newline, which no linker
    /// writes, are left out.
    pub fn new<'a>(symbols: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut sorted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, version) in symbols {
            if !name.is_empty() && !name.contains('\n') {
                sorted.entry(version.unwrap_or_default()).or_default().push(name);
            }
        }
        let joined = sorted.into_iter().map(|(version, mut names)| {
            names.sort_unstable();
            names.dedup();
            let mut lines = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
            for name in names {
                lines.push_str(name);
                lines.push('\n');
            }
            (version.to_owned(), lines)
        });
        Self { names: joined.collect() }
    }

    /// Whether a reference to `name` can bind here. As in glibc (`elf/dl-lookup.c`) a reference
    /// with a version takes that version or a symbol without any, one without takes whatever there
    /// is.
    pub fn contains(&self, name: &str, version: Option<&str>) -> bool {
        let among = |version: &str| self.names.get(version).is_some_and(|lines| has(lines, name));
        match version {
            Some(version) => among(version) || among(""),
            None => self.names.values().any(|lines| has(lines, name)),
        }
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.names.values().map(|lines| lines.lines().count()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Whether `name` is one of these sorted lines.
fn has(lines: &str, name: &str) -> bool {
    // Always at the beginning of a line, or at the end of all.
    let (mut from, mut to) = (0, lines.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let start = lines.as_bytes()[from..middle].iter().rposition(|b| *b == b'\n');
        let start = start.map_or(from, |at| from + at + 1);
        let rest = &lines.as_bytes()[start..to];
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        match rest[..end].cmp(name.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => from = start + end + 1,
            std::cmp::Ordering::Greater => to = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_nothing_else() {
        let names: Vec<String> = (0..500).map(|n| "x".repeat(n % 7) + &n.to_string()).collect();
        for count in [0, 1, 2, 3, 7, 500] {
            let exports = Exports::new(names[..count].iter().map(|name| (name.as_str(), None)));
            assert_eq!((exports.len(), exports.is_empty()), (count, count == 0));
            for (at, name) in names.iter().enumerate() {
                assert_eq!(exports.contains(name, None), at < count, "{name} of {count}");
            }
            for other in ["", "x", "zz", "\n", "0\n", "\n1", "{"] {
                assert!(!exports.contains(other, None), "{other:?} of {count}");
            }
        }
    }

    #[test]
    fn versions_bind_as_in_glibc() {
        let exports = Exports::new([
            ("memcpy", Some("GLIBC_2.14")),
            ("memcpy", Some("GLIBC_2.2.5")),
            ("plain", None),
            ("a\nb", None),
        ]);
        for (name, version, wanted) in [
            ("memcpy", Some("GLIBC_2.14"), true),
            ("memcpy", Some("GLIBC_2.38"), false),
            ("memcpy", None, true),
            ("plain", Some("ANY"), true),
            ("plain", None, true),
            ("a", None, false),
        ] {
            assert_eq!(exports.contains(name, version), wanted, "{name} {version:?}");
        }
    }
}
