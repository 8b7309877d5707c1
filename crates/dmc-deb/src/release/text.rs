//! The fields of a release, once its signature is known to be good.

use super::files::{Field, IndexFiles};
use super::{CLOCK_SKEW, Demand, ReleaseError, ReleaseText};
use crate::deb822;
use bytes::Bytes;
use dmc_types::UnixTime;
use std::collections::BTreeMap;

/// Most keys of `Signed-By` that are read.
const MOST_SUCCESSORS: usize = 32;

impl ReleaseText {
    /// Reads the signed text, which must be one paragraph.
    pub(super) fn parse(text: &Bytes) -> Result<Self, ReleaseError> {
        let mut stanzas = deb822::stanzas(text);
        let (Some(stanza), None) = (stanzas.next(), stanzas.next()) else {
            return Err(malformed("Date", "is not in one single paragraph"));
        };
        let fields = Fields::of(stanza)?;
        let date = fields.time("Date")?.ok_or_else(|| malformed("Date", "is missing"))?;
        let files = fields.files(text)?;
        let components = fields.list("Components");
        Ok(Self {
            origin: fields.text("Origin"),
            label: fields.text("Label"),
            suite: fields.text("Suite"),
            codename: fields.text("Codename"),
            version: fields.text("Version"),
            date,
            valid_until: fields.time("Valid-Until")?,
            architectures: fields.list("Architectures"),
            components: components.into_iter().map(|name| as_in_paths(name, &files)).collect(),
            successors: fields.fingerprints("Signed-By"),
            acquire_by_hash: fields.get("Acquire-By-Hash") == Some("yes"),
            files,
        })
    }

    /// Whether this is the suite and the vendor that was asked for.
    pub(super) fn check_names(&self, demand: &Demand<'_>) -> Result<(), ReleaseError> {
        let suite = self.suite.as_deref().unwrap_or_default();
        let codename = self.codename.as_deref().unwrap_or_default();
        if !answers(demand.suite.as_str(), suite, codename) {
            return Err(ReleaseError::WrongSuite {
                asked: demand.suite.to_string(),
                suite: suite.to_owned(),
                codename: codename.to_owned(),
            });
        }
        match (demand.origin, self.origin.as_deref()) {
            (Some(asked), found) if found != Some(asked) => Err(ReleaseError::WrongOrigin {
                asked: asked.to_owned(),
                found: found.unwrap_or_default().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether it is neither of the future nor too old; true where it is too old but taken.
    pub(super) fn check_times(&self, demand: &Demand<'_>) -> Result<bool, ReleaseError> {
        let (date, at) = (self.date, demand.moment());
        let now = at.time();
        if date > now.saturating_add(CLOCK_SKEW) {
            return Err(ReleaseError::Future { suite: demand.suite.to_string(), date, at });
        }
        match self.valid_until {
            Some(valid_until) if valid_until < now && demand.accept_expired => Ok(true),
            Some(valid_until) if valid_until < now => {
                Err(ReleaseError::Expired { suite: demand.suite.to_string(), valid_until, at })
            }
            _ => Ok(false),
        }
    }
}

/// Whether a release of this suite and codename is what was asked for. As in apt, a folder below
/// is passed over (`buster/updates` is of `buster`); unlike there, a codename alone does not
/// stand for its pockets: `noble-proposed`, whose codename is `noble`, is not taken for `noble`.
pub(super) fn answers(asked: &str, suite: &str, codename: &str) -> bool {
    if asked == suite {
        return true;
    }
    let pocket = suite.strip_prefix(codename).is_some_and(|rest| rest.starts_with('-'));
    let above = asked.rsplit_once('/').map_or(asked, |(above, _)| above);
    let named = [asked, above].iter().any(|name| !name.is_empty() && *name == codename);
    (named && !pocket) || (above == suite && above != asked)
}

/// A security suite's Components read `updates/main`, its paths `main/…`.
fn as_in_paths(component: String, files: &IndexFiles) -> String {
    match component.rsplit_once('/') {
        Some((_, last)) if files.starting(&format!("{component}/")).next().is_none() => {
            last.to_owned()
        }
        _ => component,
    }
}

pub(super) fn malformed(field: &'static str, why: impl Into<String>) -> ReleaseError {
    ReleaseError::Malformed { field, why: why.into() }
}

/// The paragraph's fields by lower-case name.
struct Fields<'a>(BTreeMap<String, &'a str>);

impl<'a> Fields<'a> {
    fn of(stanza: &'a [u8]) -> Result<Self, ReleaseError> {
        let mut fields = BTreeMap::new();
        for field in deb822::fields(stanza) {
            let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
            let Some(value) = field.text() else {
                return Err(malformed("Release", format!("has `{name}`, which is not UTF-8")));
            };
            if fields.insert(name.clone(), value).is_some() {
                return Err(malformed("Release", format!("has `{name}` twice")));
            }
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(&name.to_ascii_lowercase()).copied()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// Separated by commas or white space; `!` after one means this very subkey.
    fn fingerprints(&self, name: &str) -> Vec<String> {
        let words = self.get(name).unwrap_or_default().split([',', ' ', '\t', '\n']);
        words
            .map(|word| word.trim_end_matches('!').to_ascii_uppercase())
            .filter(|word| matches!(word.len(), 40 | 64))
            .take(MOST_SUCCESSORS)
            .collect()
    }

    fn time(&self, name: &'static str) -> Result<Option<UnixTime>, ReleaseError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse_time(text) {
            Some(time) => Ok(Some(time)),
            None => Err(malformed(name, format!("is not a time: `{text}`"))),
        }
    }

    fn files(&self, text: &Bytes) -> Result<IndexFiles, ReleaseError> {
        let strongest = Field::STRONGEST_FIRST.into_iter().find_map(|field| {
            let lines = self.get(field.name())?;
            Some(IndexFiles::new(field, text.slice_ref(lines.as_bytes())))
        });
        strongest.ok_or(ReleaseError::WeakChecksums)
    }
}

/// Seconds since 1970 of `Sat, 12 Sep 2026 07:55:41 UTC` (RFC 2822, and `UTC`, `GMT` and `Z`).
pub fn parse_time(text: &str) -> Option<UnixTime> {
    let bare = text.strip_suffix("UTC").or_else(|| text.strip_suffix('Z')).map(str::trim_end);
    let text = bare.map_or_else(|| text.to_owned(), |bare| format!("{bare} +0000"));
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&text).ok()?;
    Some(time.as_second())
}
