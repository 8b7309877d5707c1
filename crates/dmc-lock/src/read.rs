//! From the text of a lock to its values.

use crate::error::LockError;
use crate::lock::{Lock, LockedPackage, LockedRelease, LockedTemplate, Role};
use crate::names::{PackageKey, SuiteKey, TextError};
use dmc_types::{Arch, Checksum, TemplateName, UnixTime};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// No lock is longer, in bytes: room for some 40 000 packages.
const LONGEST: usize = 8 << 20;

/// The version of the format.
pub(crate) const VERSION: i64 = 1;

#[derive(Deserialize)]
struct VersionText {
    version: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockText {
    #[serde(rename = "version")]
    _version: i64,
    output: String,
    dist: String,
    rules: String,
    #[serde(default)]
    release: BTreeMap<String, ReleaseText>,
    #[serde(default)]
    packages: BTreeMap<Arch, BTreeMap<String, PackageText>>,
    #[serde(default)]
    template: BTreeMap<TemplateName, TemplateText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseText {
    role: Option<RoleText>,
    date: toml::value::Datetime,
    sha256: String,
    signer: String,
    #[serde(default)]
    expired: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleText {
    Main,
    Security,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageText {
    version: String,
    arch: String,
    size: u64,
    sha256: Option<String>,
    sha512: Option<String>,
    suite: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateText {
    digest: String,
    #[serde(default)]
    small: bool,
    #[serde(default)]
    packages: BTreeMap<Arch, Vec<String>>,
}

impl Lock {
    /// Reads the text of a lock. The file's name is for the caller to add to errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, LockError> {
        if bytes.len() > LONGEST {
            return Err(LockError::TooLong { limit: LONGEST });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| LockError::NotText { line: line(bytes, error.valid_up_to()) })?;
        // The version first: another one's keys may be unknown.
        let VersionText { version } = read(text)?;
        if version != VERSION {
            return Err(LockError::Version { found: version, known: VERSION });
        }
        read::<LockText>(text)?.check()
    }
}

fn line(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|b| **b == b'\n').count()
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, LockError> {
    toml::from_str(text).map_err(|error| LockError::Syntax {
        line: line(text.as_bytes(), error.span().unwrap_or_default().start),
        what: error.message().trim_end().replace('\n', "; "),
    })
}

impl LockText {
    fn check(self) -> Result<Lock, LockError> {
        let mut lock = Lock {
            output: plain("output", self.output)?,
            dist: plain("dist", self.dist)?,
            rules: value("the lock", "rules", &self.rules)?,
            releases: BTreeMap::new(),
            packages: BTreeMap::new(),
            templates: BTreeMap::new(),
        };
        for (name, release) in self.release {
            let place = format!("[release.\"{name}\"]");
            let key: SuiteKey = value(&place, "name", &name)?;
            let release = release.check(&place, &key)?;
            lock.releases.insert(key, release);
        }
        for (arch, rows) in self.packages {
            let mut checked = BTreeMap::new();
            for (name, row) in rows {
                let place = format!("[packages.{arch}], {name}");
                let key: PackageKey = value(&place, "name", &name)?;
                checked.insert(key.clone(), row.check(&place, (&key, arch), &lock)?);
            }
            lock.packages.insert(arch, checked);
        }
        for (name, template) in self.template {
            let template = template.check(&format!("[template.{name}]"), &lock)?;
            lock.templates.insert(name, template);
        }
        Ok(lock)
    }
}

impl ReleaseText {
    fn check(self, place: &str, key: &SuiteKey) -> Result<LockedRelease, LockError> {
        let role = self.role.map(|role| match role {
            RoleText::Main => Role::Main,
            RoleText::Security => Role::Security,
        });
        if role.is_some() == key.archive.is_some() {
            let what = "a vendor's suite has a role, a third party's has none";
            return Err(LockError::Shape { place: place.to_owned(), what });
        }
        Ok(LockedRelease {
            role,
            date: seconds(place, self.date)?,
            in_release: value(place, "sha256", &self.sha256)?,
            signer: value(place, "signer", &self.signer)?,
            expired: self.expired,
        })
    }
}

impl PackageText {
    fn check(
        self,
        place: &str,
        (key, arch): (&PackageKey, Arch),
        lock: &Lock,
    ) -> Result<LockedPackage, LockError> {
        let wrong = |what| LockError::Shape { place: place.to_owned(), what };
        let checksum = match (&self.sha256, &self.sha512) {
            (Some(digest), None) => Checksum::Sha256(value(place, "sha256", digest)?),
            (None, Some(digest)) => Checksum::Sha512(value(place, "sha512", digest)?),
            _ => return Err(wrong("one digest is needed, sha256 or sha512")),
        };
        let suite: SuiteKey = value(place, "suite", &self.suite)?;
        if !lock.releases.contains_key(&suite) {
            return Err(LockError::Dangling { place: place.to_owned(), name: self.suite });
        }
        if suite.archive != key.archive {
            return Err(wrong("its suite is another archive's"));
        }
        let version = value(place, "version", &self.version)?;
        if key.version.as_ref().is_some_and(|named| *named != version) {
            return Err(wrong("its version is not the one in its name"));
        }
        let own = match self.arch.as_str() {
            "all" => None,
            own if own == arch.name() => Some(arch),
            _ => return Err(wrong("its architecture is neither the table's nor `all`")),
        };
        let path = value(place, "path", &self.path)?;
        Ok(LockedPackage { version, arch: own, size: self.size, checksum, suite, path })
    }
}

impl TemplateText {
    fn check(self, place: &str, lock: &Lock) -> Result<LockedTemplate, LockError> {
        let mut packages = BTreeMap::new();
        for (arch, names) in self.packages {
            let rows = lock.packages.get(&arch);
            let mut keys = BTreeSet::new();
            let mut plain = BTreeSet::new();
            for name in names {
                let key: PackageKey = value(place, "package", &name)?;
                if !rows.is_some_and(|rows| rows.contains_key(&key)) {
                    return Err(LockError::Dangling { place: place.to_owned(), name });
                }
                if !plain.insert(PackageKey { version: None, ..key.clone() }) {
                    let what = "a package is named twice";
                    return Err(LockError::Shape { place: place.to_owned(), what });
                }
                keys.insert(key);
            }
            packages.insert(arch, keys);
        }
        let digest = value(place, "digest", &self.digest)?;
        Ok(LockedTemplate { digest, small: self.small, packages })
    }
}

/// A value that knows how to read itself.
fn value<T: FromStr>(place: &str, key: &'static str, text: &str) -> Result<T, LockError>
where
    T::Err: Into<Wrong>,
{
    text.parse().map_err(|error: T::Err| {
        let Wrong(source) = error.into();
        LockError::Value { place: place.to_owned(), key, source }
    })
}

/// A value's own error, in the words of this crate.
struct Wrong(TextError);

impl From<TextError> for Wrong {
    fn from(error: TextError) -> Self {
        Self(error)
    }
}

impl From<dmc_types::DigestError> for Wrong {
    fn from(error: dmc_types::DigestError) -> Self {
        let kind = if error.bits == 256 { "a SHA-256 digest" } else { "a SHA-512 digest" };
        Self(TextError { text: error.text, kind })
    }
}

/// A short text of one line that can be written back as it is.
fn plain(key: &'static str, text: String) -> Result<String, LockError> {
    let good = |c: char| c == ' ' || (c.is_ascii_graphic() && !"\"\\".contains(c));
    if !text.is_empty() && text.len() <= 200 && text.chars().all(good) {
        return Ok(text);
    }
    let text = text.chars().take(120).collect();
    let source = TextError { text, kind: "a line of plain text" };
    Err(LockError::Value { place: "the lock".to_owned(), key, source })
}

fn seconds(place: &str, date: toml::value::Datetime) -> Result<UnixTime, LockError> {
    let text = date.to_string();
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_second()),
        Err(_wrong) => {
            let source = TextError { text, kind: "a date and time in UTC" };
            Err(LockError::Value { place: place.to_owned(), key: "date", source })
        }
    }
}
