//! `[signing]`: which key signs, and whose signatures count.

use super::file::replace;
use serde::Deserialize;

/// The table of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SigningFile {
    key: Option<String>,
    trusted: Option<Vec<String>>,
}

/// Keys by the paths of their files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signing {
    /// The private key that signs what is pushed; none where nothing is signed.
    pub key: Option<String>,
    /// Public keys whose signatures count besides those of `key`.
    pub trusted: Vec<String>,
}

impl SigningFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.key, later.key);
        replace(&mut self.trusted, later.trusted);
    }

    pub(super) fn check(self) -> Signing {
        Signing {
            key: self.key.filter(|path| !path.is_empty()),
            trusted: self.trusted.unwrap_or_default(),
        }
    }
}
