//! `[audit]`: who knows of vulnerabilities, and who knows where their code lies.

use super::ConfError;
use super::file::{need, replace};
use serde::Deserialize;

/// The table of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuditFile {
    tracker: Option<String>,
    vex: Option<String>,
}

/// What images are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The security tracker's data: an address, or the path of a file.
    pub tracker: String,
    /// A folder whose files say where the code of vulnerabilities lies, besides the shipped ones.
    pub vex: Option<String>,
}

impl AuditFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.tracker, later.tracker);
        replace(&mut self.vex, later.vex);
    }

    pub(super) fn check(self) -> Result<Audit, ConfError> {
        Ok(Audit {
            tracker: need("audit.tracker", self.tracker)?,
            vex: self.vex.filter(|path| !path.is_empty()),
        })
    }
}
