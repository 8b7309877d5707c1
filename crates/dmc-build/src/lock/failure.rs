//! What can go wrong between templates and the file of a lock.

use camino::Utf8PathBuf;
use dmc_lock::LockError;
use dmc_types::{Arch, TemplateName};
use std::io;

/// Why a lock cannot be read, made or written.
#[derive(Debug, thiserror::Error)]
pub enum LockFailure {
    /// It is not there.
    #[error("there is no lock `{path}`")]
    Missing {
        /// The file.
        path: Utf8PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read the lock `{path}`")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds no lock.
    #[error("`{path}` is no lock")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        source: LockError,
    },
    /// It cannot be written.
    #[error("cannot write the lock `{path}`")]
    Unwritable {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something of a package or release that cannot stand in a lock.
    #[error("the archive says what cannot be written into a lock")]
    Unlockable(#[from] dmc_lock::TextError),
    /// The packages of a template do not come to its image by themselves.
    #[error(
        "the packages of template {template} do not come to the same image on {arch} without \
         the rest of the archive; these differ: {}", .differences.join(", ")
    )]
    NotAlone {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What differs.
        differences: Vec<String>,
    },
    /// A lock cannot be renewed in part.
    #[error("{what} changed since the lock `{path}` was made, which also has {}", .staying.join(", "))]
    Staying {
        /// Its file.
        path: Utf8PathBuf,
        /// What all of it was chosen by and has changed.
        what: &'static str,
        /// Its images that would stay.
        staying: Vec<String>,
    },
    /// No template could be locked.
    #[error("there is nothing to write into the lock `{path}`")]
    NothingLocked {
        /// Its file.
        path: Utf8PathBuf,
    },
}

impl LockFailure {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "make it with `dmc lock -t NAME`, or name another file by --lock".to_owned()
            }
            Self::Broken { source, .. } => source.hint().to_owned(),
            Self::Unlockable(_) | Self::NotAlone { .. } => {
                "this is a mistake in dmc: please report it with the template".to_owned()
            }
            Self::Staying { .. } => {
                "renew all of it with `dmc lock` and its architectures (-A), or name another file \
                 by --lock"
                    .to_owned()
            }
            Self::NothingLocked { .. } => return None,
            Self::Unreadable { .. } => "name another file by --lock".to_owned(),
            Self::Unwritable { .. } => {
                "make room or give leave to write there, or name another file by --lock".to_owned()
            }
        })
    }
}
