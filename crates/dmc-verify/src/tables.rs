//! `conf/verify.toml`: what is known of Debian's software and cannot be read from its files.

use dmc_types::{ImagePath, PathGlob};
use serde::{Deserialize, Deserializer, de};

/// The tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// Who opens plugins.
    #[serde(default)]
    pub(crate) scope: Vec<Scope>,
    /// Configuration files that name users.
    #[serde(default)]
    pub(crate) account: Vec<Account>,
    /// Links that need not lead anywhere.
    #[serde(default)]
    pub(crate) links: Links,
}

/// Plugins and the programs that open them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scope {
    /// Files that are opened at run time.
    pub(crate) plugins: Vec<Pattern>,
    /// Programs that open them.
    pub(crate) hosts: Vec<Pattern>,
    /// Whether they are opened with `RTLD_GLOBAL`, so that each sees the others' symbols.
    #[serde(default)]
    pub(crate) global: bool,
}

/// Lines that name users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    /// The files.
    pub(crate) files: Vec<Pattern>,
    /// What such a line looks like, word by word; `{user}` and `{group}` stand for names, `=` and
    /// `;` are words of their own. More may follow on the line.
    pub(crate) lines: Vec<String>,
}

/// Links that need not lead anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Links {
    /// Targets that are there once the container runs.
    #[serde(default)]
    pub(crate) targets: Vec<Pattern>,
    /// Links whose loss does not matter.
    #[serde(default)]
    pub(crate) ignore: Vec<Pattern>,
}

/// A [`PathGlob`], read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(PathGlob);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        PathGlob::parse(&String::deserialize(d)?).map(Self).map_err(de::Error::custom)
    }
}

/// Whether any of the patterns matches.
pub(crate) fn any(patterns: &[Pattern], path: &ImagePath) -> bool {
    patterns.iter().any(|pattern| pattern.0.matches(path))
}

/// The tables cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the tables of verify")]
pub struct TableError {
    source: toml::de::Error,
}

impl Tables {
    /// Reads the text of `conf/verify.toml`.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        toml::from_str(text).map_err(|source| TableError { source })
    }

    /// Whether the text of a file is looked at.
    pub fn reads(&self, path: &ImagePath) -> bool {
        matches!(path.as_bytes(), b"/etc/passwd" | b"/etc/group")
            || crate::loader::is_loader_conf(path)
            || self.account.iter().any(|account| any(&account.files, path))
    }
}
