//! The data of Debian's security tracker (`/tracker/data/json`), read as it streams past.
//!
//! One object by source package, in it one by issue, in it `releases` by codename:
//!
//! ```json
//! { "zlib": { "CVE-2023-45853": { "description": "…", "scope": "remote", "releases": {
//!     "bookworm": { "status": "open", "urgency": "not yet assigned", "nodsa": "Minor issue",
//!                   "nodsa_reason": "ignored", "repositories": { "bookworm": "1:1.2.13.dfsg-1" } },
//!     "trixie": { "status": "resolved", "fixed_version": "1:1.3.dfsg-2", … } } } } }
//! ```
//!
//! Of the some 70 MB only what concerns one codename is kept; descriptions are never held.

use crate::urgency::Urgency;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};

/// Most bytes that are read: some four times what the tracker has.
const LARGEST: u64 = 256 << 20;
/// Most characters of a word or a reason that are kept.
const LONGEST: usize = 200;

/// What the tracker says of one release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracker {
    codename: String,
    issues: BTreeMap<String, Vec<Issue>>,
}

/// An issue of a source package in one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// `CVE-2023-45853`, or `TEMP-…` for one without a number yet.
    pub id: String,
    /// How the release stands to it.
    pub status: Status,
    /// The source version that is fixed, as written; `0` where the release never was affected.
    pub fixed: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Why there will be no advisory, where that is so.
    pub no_dsa: Option<NoDsa>,
}

/// How a release stands to an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// What the release has now is vulnerable.
    Open,
    /// What the release has now is not.
    Resolved,
    /// Nobody knows.
    Undetermined,
}

/// The security team issues no advisory of its own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NoDsa {
    /// Why, in a few words.
    pub why: String,
    /// `ignored`, `postponed`, or nothing.
    pub reason: String,
}

/// Why the tracker's data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    /// It could not be read.
    #[error("the tracker's data cannot be read")]
    Io(#[source] io::Error),
    /// It is not what the tracker writes.
    #[error("this is not the data of a security tracker")]
    Json(#[source] serde_json::Error),
    /// It is longer than any tracker's.
    #[error("the tracker's data is longer than {} MiB", LARGEST >> 20)]
    TooLarge,
}

impl Tracker {
    /// Reads what is said of the release with this codename.
    pub fn read(json: impl Read, codename: &str) -> Result<Self, TrackerError> {
        Self::read_up_to(LARGEST, json, codename)
    }

    fn read_up_to(limit: u64, json: impl Read, codename: &str) -> Result<Self, TrackerError> {
        let mut tracker = Self { codename: codename.to_owned(), issues: BTreeMap::new() };
        let mut bytes = BufReader::with_capacity(1 << 18, json.take(limit));
        let mut json = serde_json::Deserializer::from_reader(&mut bytes);
        let read = Sources(&mut tracker).deserialize(&mut json).and_then(|()| json.end());
        match read {
            Ok(()) => Ok(tracker),
            Err(_) if bytes.get_ref().limit() == 0 => Err(TrackerError::TooLarge),
            Err(error) if error.is_io() => Err(TrackerError::Io(error.into())),
            Err(error) => Err(TrackerError::Json(error)),
        }
    }

    /// The release that it speaks of.
    pub fn codename(&self) -> &str {
        &self.codename
    }

    /// Whether the tracker speaks of that release at all.
    pub fn covers(&self) -> bool {
        !self.issues.is_empty()
    }

    /// The issues of a source package.
    pub fn issues(&self, source: &str) -> &[Issue] {
        self.issues.get(source).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Words of others as they may be shown: without control characters, and not endless.
fn tamed(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[derive(Deserialize)]
struct Entry {
    status: Status,
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
    nodsa: Option<String>,
    nodsa_reason: Option<String>,
}

impl Entry {
    fn issue(self, id: &str) -> Issue {
        let reason = self.nodsa_reason.as_deref().map(tamed).unwrap_or_default();
        Issue {
            id: tamed(id),
            status: self.status,
            fixed: self.fixed_version.as_deref().map(tamed).filter(|version| !version.is_empty()),
            urgency: Urgency::read(&tamed(&self.urgency)),
            no_dsa: self.nodsa.as_deref().map(|why| NoDsa { why: tamed(why), reason }),
        }
    }
}

/// The whole: source packages by name.
struct Sources<'a>(&'a mut Tracker);

impl<'de> DeserializeSeed<'de> for Sources<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Sources<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("source packages by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(source) = map.next_key::<String>()? {
            let mut found = Vec::new();
            map.next_value_seed(Issues { codename: &self.0.codename, found: &mut found })?;
            if !found.is_empty() {
                self.0.issues.entry(source).or_default().append(&mut found);
            }
        }
        Ok(())
    }
}

/// The issues of one source package, by their names.
struct Issues<'a> {
    codename: &'a str,
    found: &'a mut Vec<Issue>,
}

impl<'de> DeserializeSeed<'de> for Issues<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Issues<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the issues of a source package by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<String>()? {
            let entry = map.next_value_seed(Within { key: "releases", then: self.codename })?;
            self.found.extend(entry.map(|entry| entry.issue(&id)));
        }
        Ok(())
    }
}

/// Of an object the value of one key, and in that of another; nothing else is held.
struct Within<'a> {
    key: &'static str,
    then: &'a str,
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Option<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Option<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.key {
                found = map.next_value_seed(Release(self.then))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Of releases by codename this one.
struct Release<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Release<'_> {
    type Value = Option<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Release<'_> {
    type Value = Option<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("releases by codename")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(codename) = map.next_key::<String>()? {
            if codename == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../tests/kit/src/tracker/sample-2025-09-01.json");

    #[test]
    fn of_each_release_what_is_said_of_it_is_read() {
        let tracker = Tracker::read(SAMPLE.as_bytes(), "trixie").unwrap();
        assert!(tracker.covers());
        let said: Vec<String> = tracker
            .issues("zlib")
            .iter()
            .chain(tracker.issues("util-linux"))
            .map(|one| format!("{} {:?} {:?} {}", one.id, one.status, one.fixed, one.urgency))
            .collect();
        assert_eq!(
            said,
            [
                "CVE-2023-45853 Resolved Some(\"1:1.3.dfsg-2\") not yet assigned",
                "CVE-2022-0563 Open None unimportant",
                "CVE-2024-28085 Resolved Some(\"2.39.3-11\") not yet assigned",
            ]
        );
        let older = Tracker::read(SAMPLE.as_bytes(), "bookworm").unwrap();
        let no_dsa = older.issues("zlib")[0].no_dsa.clone().unwrap();
        assert_eq!(no_dsa.reason, "ignored");
        assert!(tracker.issues("no-such-source").is_empty());
        assert!(!Tracker::read(SAMPLE.as_bytes(), "noble").unwrap().covers());
    }

    #[test]
    fn what_is_no_tracker_is_refused() {
        for (why, text) in [
            ("empty", ""),
            ("a list", "[]"),
            ("cut", &SAMPLE[..SAMPLE.len() / 2]),
            ("another status", r#"{"a":{"CVE-1":{"releases":{"trixie":{"status":"maybe"}}}}}"#),
            ("no status", r#"{"a":{"CVE-1":{"releases":{"trixie":{}}}}}"#),
            ("more after the end", "{} {}"),
        ] {
            let refused = Tracker::read(text.as_bytes(), "trixie").unwrap_err();
            assert!(matches!(refused, TrackerError::Json(_)), "{why}: {refused}");
        }
    }

    #[test]
    fn what_never_ends_or_breaks_off_is_told_apart() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        for endless in ["{", "{\"a\": \"", "{\"a\": {\"b\": {\"c\": ["] {
            let endless = endless.as_bytes().chain(io::repeat(b' '));
            let refused = Tracker::read_up_to(1 << 16, endless, "trixie").unwrap_err();
            assert!(matches!(refused, TrackerError::TooLarge), "{refused}");
        }
        let refused = Tracker::read(Broken, "trixie").unwrap_err();
        assert!(matches!(refused, TrackerError::Io(_)), "{refused}");
    }

    #[test]
    fn words_of_others_reach_no_terminal_as_they_are() {
        let text = "{\"a\":{\"CVE-\\u001b[2J1\":{\"releases\":{\"trixie\":{\"status\":\"open\",\
            \"urgency\":\"\\u0007loud\",\"nodsa\":\"\\u001b]0;x\\n\"}}}}}";
        let tracker = Tracker::read(text.as_bytes(), "trixie").unwrap();
        let issue = &tracker.issues("a")[0];
        assert_eq!((&*issue.id, issue.urgency.as_str()), ("CVE-[2J1", "loud"));
        assert_eq!(issue.no_dsa.as_ref().unwrap().why, "]0;x");
    }
}
