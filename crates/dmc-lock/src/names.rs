//! Texts of a lock that are checked when they are read, and the keys of its tables.
//!
//! They end up in file names, addresses and lines of other formats: none holds white space, a
//! quote or a control character.

use dmc_types::{PackageName, Suite};
use std::fmt;
use std::str::FromStr;

/// Why a text cannot stand in a lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}")]
pub struct TextError {
    /// What was read, cut where it is long.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
}

impl TextError {
    fn new(text: &str, kind: &'static str) -> Self {
        Self { text: text.chars().take(120).collect(), kind }
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(TextError::new(text, $kind)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

text!(
    /// A package's version as Debian writes it (deb-version(7)), not taken apart.
    VersionText,
    "a version",
    |text| {
        (1..=200).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-~:".contains(&b))
    }
);

text!(
    /// Where a .deb lies below its archive's base address, as in an index's `Filename`.
    PoolPath,
    "a path below an archive",
    |text| {
        text.len() <= 1000
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\?#".contains(&b))
            && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
    }
);

text!(
    /// An OpenPGP certificate's fingerprint in capital hexadecimal digits.
    Fingerprint,
    "a fingerprint",
    |text| {
        (32..=128).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
    }
);

text!(
    /// The name that the configuration gives a third party's archive.
    ArchiveName,
    "an archive's name",
    |text| {
        (1..=200).contains(&text.len())
            && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"\"\\@=".contains(c))
    }
);

/// A suite of the vendor, or `SUITE@ARCHIVE` for a third party's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuiteKey {
    /// The suite as it stands below `dists/`.
    pub suite: Suite,
    /// The third party; none for the vendor.
    pub archive: Option<ArchiveName>,
}

/// A package of a lock: `NAME`, or `NAME@ARCHIVE` where a third party supplies it. Where templates
/// that were locked at different times use different versions, the older ones go by
/// `NAME=VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageKey {
    /// The package's name.
    pub package: PackageName,
    /// The version, where the name alone would not do.
    pub version: Option<VersionText>,
    /// The third party; none for the vendor.
    pub archive: Option<ArchiveName>,
}

impl PackageKey {
    /// The key of a package that has no other version in the lock.
    pub fn new(package: PackageName, archive: Option<ArchiveName>) -> Self {
        Self { package, version: None, archive }
    }
}

/// `TEXT` or `TEXT@ARCHIVE`.
fn with_archive(text: &str) -> Result<(&str, Option<ArchiveName>), TextError> {
    match text.split_once('@') {
        Some((text, archive)) => Ok((text, Some(archive.parse()?))),
        None => Ok((text, None)),
    }
}

impl FromStr for SuiteKey {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (suite, archive) = with_archive(text)?;
        let suite = suite.parse().map_err(|_error| TextError::new(text, "a suite"))?;
        Ok(Self { suite, archive })
    }
}

impl FromStr for PackageKey {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (name, archive) = with_archive(text)?;
        let (name, version) = match name.split_once('=') {
            Some((name, version)) => (name, Some(version.parse()?)),
            None => (name, None),
        };
        let package = name.parse().map_err(|_error| TextError::new(text, "a package's name"))?;
        Ok(Self { package, version, archive })
    }
}

impl fmt::Display for SuiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.suite)?;
        self.archive.as_ref().map_or(Ok(()), |archive| write!(f, "@{archive}"))
    }
}

impl fmt::Display for PackageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.package)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "={version}"))?;
        self.archive.as_ref().map_or(Ok(()), |archive| write!(f, "@{archive}"))
    }
}
