//! `[registry."HOST"]`: how single registries are reached.

use super::file::replace;
use serde::Deserialize;

/// What is said of one registry; in a layer and of all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistryConf {
    /// A file with the certificates of the authorities that vouch for it, in place of the
    /// machine's.
    pub ca: Option<String>,
    /// Whether it is spoken to without TLS; unsaid, that is so for loopback without `ca`.
    pub plain_http: Option<bool>,
}

impl RegistryConf {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.ca, later.ca);
        replace(&mut self.plain_http, later.plain_http);
    }
}
