//! Why an image cannot be audited.

use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_audit::{CuratedError, TrackerError};
use std::io;

/// An audit that failed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The tracker's data cannot be fetched.
    #[error("the security tracker's data cannot be had")]
    Fetch {
        /// Why.
        source: Box<ArchiveError>,
    },
    /// The tracker's data cannot be opened.
    #[error("cannot read the security tracker's data `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address that nothing is read from.
    #[error("`{text}` is neither the http or https address of a security tracker nor a file")]
    Address {
        /// What was read.
        text: String,
    },
    /// The tracker's data cannot be understood.
    #[error("the data from `{from}` cannot be used")]
    Tracker {
        /// Where it is from.
        from: String,
        /// Why.
        source: TrackerError,
    },
    /// What is known of places of code cannot be read.
    #[error(transparent)]
    Curated(#[from] CuratedError),
}

impl AuditError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fetch { .. } => {
                "check the address under [audit] tracker and the network; --offline takes what was \
                 fetched last, and a file can be named instead"
            }
            Self::File { .. } | Self::Address { .. } => {
                "correct [audit] tracker in the configuration"
            }
            Self::Tracker { .. } => {
                "[audit] tracker is to name what https://security-tracker.debian.org/tracker/data/json \
                 has"
            }
            Self::Curated(_) => {
                "docs/audit.md shows how an entry looks; the folder is the one of [audit] vex"
            }
        };
        Some(text.to_owned())
    }

    /// Whether the configuration is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Curated(_))
    }
}
