//! `[licences]`: what licences are called, and which are not wanted.

use super::file::replace;
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
    /// SPDX's identifiers by Debian's short names.
    pub names: BTreeMap<String, String>,
}

impl LicencesFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.deny, later.deny);
        self.names.extend(later.names);
    }

    pub(super) fn check(self) -> Licences {
        let named = |(_, id): &(String, String)| !id.is_empty();
        Licences {
            deny: self.deny.unwrap_or_default(),
            names: self.names.into_iter().filter(named).collect(),
        }
    }
}
