//! Versions of Debian packages: `[epoch:]upstream[-revision]` (Debian Policy 5.6.12).
//!
//! The order is dpkg's: digits by value, letters before other characters, `~` before everything,
//! even the end. Two spellings of one version (`1.0` and `0:1.00-0`) are equal, as the order says
//! so: compare [`Version::as_str`] where the spelling matters. There is no `Hash` for that reason.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version, kept as it was written.
#[derive(Clone)]
pub struct Version {
    text: Box<str>,
    epoch: u32,
    /// Where the upstream part begins and ends.
    upstream: (usize, usize),
}

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version: {why}")]
pub struct VersionError {
    /// What was read, cut short.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl VersionError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "a version looks like `1:2.3-4` (Debian Policy 5.6.12)"
    }
}

impl Version {
    /// The number before the colon; 0 where there is none.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The upstream part, as written.
    pub fn upstream(&self) -> &str {
        &self.text[self.upstream.0..self.upstream.1]
    }

    /// What follows the last hyphen; none where there is no hyphen.
    pub fn revision(&self) -> Option<&str> {
        self.text.get(self.upstream.1 + 1..)
    }

    /// The whole version, as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Upstream's own version, for a tag: without epoch and revision, and without what Debian
    /// adds where it repacks the source (`+dfsg1`, `~dfsg`, `+ds`…).
    pub fn upstream_tag(&self) -> &str {
        let upstream = self.upstream();
        let repacked = |at: &usize| {
            let rest = &upstream[at + 1..];
            let word = ["dfsg", "ds"].iter().find_map(|word| rest.strip_prefix(word));
            word.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphabetic()))
        };
        let marks = upstream.match_indices(['+', '~', '.', '-']).map(|(at, _)| at);
        match marks.into_iter().find(repacked) {
            Some(at) if at > 0 => &upstream[..at],
            _ => upstream,
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refused = |why| VersionError { text: text.chars().take(120).collect(), why };
        let (epoch, start) = match text.split_once(':') {
            None => (0, 0),
            Some(("", _)) => return Err(refused("the epoch is empty")),
            Some((epoch, _)) => (
                parse_epoch(epoch).ok_or_else(|| refused("the epoch is no number"))?,
                epoch.len() + 1,
            ),
        };
        let end = text[start..].rfind('-').map_or(text.len(), |at| start + at);
        let version = Self { text: text.into(), epoch, upstream: (start, end) };
        if version.upstream().is_empty() {
            return Err(refused("the upstream part is empty"));
        }
        if version.revision() == Some("") {
            return Err(refused("the revision is empty"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
        if !version.upstream().bytes().all(|b| plain(b) || b"-:".contains(&b)) {
            return Err(refused("the upstream part has letters, digits and `.+-~:` only"));
        }
        if !version.revision().unwrap_or_default().bytes().all(plain) {
            return Err(refused("the revision has letters, digits and `.+~` only"));
        }
        Ok(version)
    }
}

/// Digits, at most what dpkg takes (a C `int`).
fn parse_epoch(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let epoch = digits.then(|| text.parse::<i32>().ok())??;
    u32::try_from(epoch).ok()
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |a: &str, b: &str| compare_part(a.as_bytes(), b.as_bytes());
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| part(self.upstream(), other.upstream()))
            .then_with(|| {
                part(self.revision().unwrap_or_default(), other.revision().unwrap_or_default())
            })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// By turns a run of other characters and a run of digits, as deb-version(7) says.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let ((text_a, rest_a), (text_b, rest_b)) = (split_text(a), split_text(b));
        let (number_a, number_b);
        (number_a, a) = split_number(rest_a);
        (number_b, b) = split_number(rest_b);
        let order = compare_text(text_a, text_b)
            .then(number_a.len().cmp(&number_b.len()))
            .then(number_a.cmp(number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn split_text(part: &[u8]) -> (&[u8], &[u8]) {
    let end = part.iter().position(u8::is_ascii_digit).unwrap_or(part.len());
    part.split_at(end)
}

/// The digits at the start, without leading zeros, and what follows.
fn split_number(part: &[u8]) -> (&[u8], &[u8]) {
    let end = part.iter().position(|b| !b.is_ascii_digit()).unwrap_or(part.len());
    let (digits, rest) = part.split_at(end);
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    (&digits[zeros..], rest)
}

fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let weights = |text: &[u8], at: usize| text.get(at).map_or(0, |b| weight(*b));
    (0..a.len().max(b.len()))
        .map(|at| weights(a, at).cmp(&weights(b, at)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The end weighs 0.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        letter if letter.is_ascii_alphabetic() => i32::from(letter),
        other => i32::from(other) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use std::process::Command;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    /// Asks dpkg about many pairs in one shell.
    fn dpkg_says(pairs: &[(String, String)]) -> Vec<Ordering> {
        let script = "while read -r a b; do \
            if dpkg --compare-versions \"$a\" lt \"$b\"; then echo lt; \
            elif dpkg --compare-versions \"$a\" eq \"$b\"; then echo eq; else echo gt; fi; done";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines: Vec<_> = pairs.iter().map(|(a, b)| format!("{a} {b}\n")).collect();
        let input = lines.concat();
        let mut stdin = shell.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        });
        let output = shell.wait_with_output().unwrap();
        writer.join().unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        let order = |line| match line {
            "lt" => Ordering::Less,
            "eq" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        answers.lines().map(order).collect()
    }

    fn assert_agrees_with_dpkg(pairs: &[(String, String)]) {
        let answers = dpkg_says(pairs);
        assert_eq!(answers.len(), pairs.len(), "dpkg must be installed");
        for ((a, b), wanted) in pairs.iter().zip(answers) {
            assert_eq!(version(a).cmp(&version(b)), wanted, "{a} against {b}");
            assert_eq!(version(b).cmp(&version(a)), wanted.reverse(), "{b} against {a}");
            assert_eq!(version(a) == version(b), wanted.is_eq(), "{a} and {b}");
        }
    }

    #[test]
    fn the_order_is_that_of_dpkg() {
        let pairs = [
            ("1.0a", "1.0~"),
            ("2.0-1+b1", "2.0-1~deb13u1"),
            ("1.0", "1.0-0"),
            ("1.0", "0:1.00"),
            ("1:0.1", "9.9"),
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~"),
            ("1.0~~a", "1.0~"),
            ("1.0+dfsg-1", "1.0-1"),
            ("1.10", "1.9"),
            ("1.2a", "1.2+"),
            ("1.2-1", "1.2-1.1"),
            ("1.26.3-3+deb13u1", "1.26.3-3"),
            ("1.2.3-4-5", "1.2.3-4"),
            ("0a", "0"),
            ("00000000000000000000000000000001", "1"),
            ("99999999999999999999999999999999", "100000000000000000000000000000000"),
            ("1.a.1", "1.1.a"),
            ("2:1:3-1", "2:1-1"),
        ];
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        assert_agrees_with_dpkg(&pairs);
    }

    #[test]
    fn random_pairs_stand_as_dpkg_says() {
        let one = "([0-2]:)?[0-2][a0-2.+~]{0,5}(-[a0-2.+~]{1,3})?";
        let many = prop::collection::vec((one, one), 300);
        let mut runner = proptest::test_runner::TestRunner::default();
        let pairs = many.new_tree(&mut runner).unwrap().current();
        assert_agrees_with_dpkg(&pairs);
    }

    #[test]
    fn the_parts_are_as_written() {
        for (text, epoch, upstream, revision, tag) in [
            ("1.26.3-3+deb13u1", 0, "1.26.3", Some("3+deb13u1"), "1.26.3"),
            ("1:11.8.3-0+deb13u1", 1, "11.8.3", Some("0+deb13u1"), "11.8.3"),
            ("20.19.2+dfsg-1", 0, "20.19.2+dfsg", Some("1"), "20.19.2"),
            ("2.0~dfsg1-1", 0, "2.0~dfsg1", Some("1"), "2.0"),
            ("5.2.1+ds1-1", 0, "5.2.1+ds1", Some("1"), "5.2.1"),
            ("1.2.dfsg.1-1", 0, "1.2.dfsg.1", Some("1"), "1.2"),
            ("1.0+dst-1", 0, "1.0+dst", Some("1"), "1.0+dst"),
            ("1.0+really0.9-1", 0, "1.0+really0.9", Some("1"), "1.0+really0.9"),
            ("7", 0, "7", None, "7"),
            ("1-2-3", 0, "1-2", Some("3"), "1-2"),
        ] {
            let version = version(text);
            assert_eq!(version.to_string(), text);
            assert_eq!(version.epoch(), epoch, "{text}");
            assert_eq!(version.upstream(), upstream, "{text}");
            assert_eq!(version.revision(), revision, "{text}");
            assert_eq!(version.upstream_tag(), tag, "{text}");
        }
    }

    #[test]
    fn rejects_what_is_not_a_version() {
        for (why, text) in [
            ("empty", ""),
            ("empty epoch", ":1"),
            ("epoch of letters", "a:1"),
            ("epoch with a sign", "+1:1"),
            ("epoch too large", "2147483648:1"),
            ("nothing after the epoch", "1:"),
            ("no upstream", "-1"),
            ("no revision", "1-"),
            ("space", "1 2"),
            ("space around", " 1"),
            ("underscore", "1_2"),
            ("colon in the revision", "0:1-2:3"),
            ("not ASCII", "1é"),
        ] {
            assert!(text.parse::<Version>().is_err(), "{why}: {text:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.as_str(), &*text);
                prop_assert!(!version.upstream_tag().is_empty());
            }
        }
    }
}
