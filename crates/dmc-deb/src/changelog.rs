//! Changelogs of packages (deb-changelog(5)): entries, the newest first, and what they mention.
//!
//! An entry begins with a line `SOURCE (VERSION) DISTRIBUTIONS; KEYWORDS` and ends with one
//! ` -- NAME <ADDRESS>  DATE`; what stands between is kept as it is. Lines that belong to no entry
//! are passed over, as old changelogs have notes of editors at their end. Nothing is copied and
//! entries are read one after the other, so that who looks for the newest reads no more.

use crate::version::Version;
use std::collections::BTreeSet;
use std::fmt;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The source package.
    pub source: &'a str,
    /// Its version.
    pub version: Version,
    /// Where it was sent to, as written.
    pub distributions: &'a str,
    /// What was changed, without the empty lines around it.
    pub text: &'a str,
    /// When, as written; none where its last line is missing.
    pub date: Option<&'a str>,
}

/// The entries of a changelog.
pub fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (line, after) = split_line(rest)?;
            rest = after;
            if let Some((source, version, distributions)) = heading(line) {
                let (text, date, after) = body(rest);
                rest = after;
                return Some(Entry { source, version, distributions, text, date });
            }
        }
    })
}

/// A number of the list of known weaknesses, `CVE-YEAR-NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cve {
    year: u16,
    number: u64,
}

impl fmt::Display for Cve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{:04}-{:04}", self.year, self.number)
    }
}

/// The weaknesses that a text names.
pub fn cves(text: &str) -> BTreeSet<Cve> {
    let found = text.match_indices("CVE-").filter_map(|(at, mark)| {
        let (year, rest) = digits(&text[at + mark.len()..]);
        let (number, _) = digits(rest.strip_prefix('-')?);
        let plausible = year.len() == 4 && (4..=19).contains(&number.len());
        plausible.then_some(())?;
        Some(Cve { year: year.parse().ok()?, number: number.parse().ok()? })
    });
    found.collect()
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The first line, without its end, and what follows; none where the text is empty.
fn split_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

fn heading(line: &str) -> Option<(&str, Version, &str)> {
    let (source, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    let (distributions, _keywords) = rest.split_once(';')?;
    let named = !source.is_empty() && !source.contains(char::is_whitespace);
    named.then_some(())?;
    Some((source, version.parse().ok()?, distributions.trim()))
}

/// What follows a heading: the text up to the line that ends the entry or to the next heading, the
/// date, and the rest.
fn body(text: &str) -> (&str, Option<&str>, &str) {
    let mut rest = text;
    while let Some((line, after)) = split_line(rest) {
        let so_far = text[..text.len() - rest.len()].trim_matches('\n').trim_end();
        if let Some(signed) = line.strip_prefix(" -- ") {
            let date = signed.rsplit_once("  ").map(|(_, date)| date.trim());
            return (so_far, date, after);
        }
        if heading(line).is_some() {
            return (so_far, None, rest);
        }
        rest = after;
    }
    (text.trim_matches('\n').trim_end(), None, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
nginx (1.26.3-3+deb13u1) trixie-security; urgency=medium

  * Fix CVE-2025-12345 and CVE-2025-9876, (Closes: #1)
    - not-CVE-20-1

 -- A B <a@b.example>  Sat, 01 Nov 2025 10:00:00 +0100

nginx (1.26.3-3) unstable; urgency=low, binary-only=yes
  * Two.
nginx (1:bad version) unstable; urgency=low
  * Three.

 -- no date

Local variables:
mode: debian-changelog
";

    #[test]
    fn entries_come_in_their_order_with_what_they_say() {
        let all: Vec<Entry> = entries(TEXT).collect();
        assert_eq!(all.len(), 2);
        let first = &all[0];
        assert_eq!((first.source, first.distributions), ("nginx", "trixie-security"));
        assert_eq!(first.version, "1.26.3-3+deb13u1".parse().unwrap());
        assert_eq!(first.date, Some("Sat, 01 Nov 2025 10:00:00 +0100"));
        assert!(first.text.starts_with("  * Fix") && first.text.ends_with("not-CVE-20-1"));
        assert_eq!(
            cves(first.text).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["CVE-2025-9876", "CVE-2025-12345"]
        );
        assert_eq!(all[1].date, None);
        assert!(all[1].text.contains("Three."), "a heading that is none is text");
    }

    #[test]
    fn what_is_no_number_of_a_weakness_is_none() {
        for text in
            ["CVE-", "CVE-2025", "CVE-2025-123", "CVE-25-12345", "cve-2025-12345", "CVE-2025-X"]
        {
            assert!(cves(text).is_empty(), "{text}");
        }
        assert_eq!(cves("CVE-2025-0001CVE-2025-0001").len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(?s)[ a(1);\n-]{0,80}|.{0,60}") {
            let total: usize = entries(&text).map(|entry| entry.text.len()).sum();
            prop_assert!(total <= text.len());
            let _ = cves(&text);
        }
    }
}
