//! `[licences]`: what licences are called, and which are not wanted.

use super::ConfError;
use super::file::replace;
use crate::text;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The table of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LicencesFile {
    deny: Option<Vec<String>>,
    names: BTreeMap<String, String>,
}

/// Licences of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Licences {
    /// Those that no package of an image may be under, by Debian's short names or SPDX's
    /// identifiers; a final `*` stands for whatever follows.
    pub deny: Vec<String>,
    /// SPDX's identifiers by Debian's short names, besides the shipped ones or in their place;
    /// empty for a name that is to have none.
    pub names: BTreeMap<String, String>,
}

impl Licences {
    /// All names: those of `shipped`, the text of `conf/licences.toml`, with the configuration's
    /// over them.
    pub fn all_names(&self, shipped: &str) -> Result<BTreeMap<String, String>, ConfError> {
        let mut names: BTreeMap<_, _> = text::read("conf/licences.toml", shipped.as_bytes())?;
        names.extend(self.names.clone());
        names.retain(|_, id: &mut String| !id.is_empty());
        Ok(names)
    }
}

impl LicencesFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.deny, later.deny);
        self.names.extend(later.names);
    }

    pub(super) fn check(self) -> Licences {
        Licences { deny: self.deny.unwrap_or_default(), names: self.names }
    }
}
