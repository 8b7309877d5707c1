//! Why a store cannot be used, and what to do about it.

use camino::{Utf8Path, Utf8PathBuf};
use std::io;

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{path}` in the store")]
    Io {
        /// What was tried: `read`, `write`…
        action: &'static str,
        /// On which file or folder.
        path: Utf8PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something had to be written to a store that was opened for reading.
    #[error("`{path}` is not in the store, which this run may only read")]
    ReadOnly {
        /// What would have been written.
        path: Utf8PathBuf,
    },
    /// A newer dmc has written to it.
    #[error(
        "the store `{root}` is of a newer dmc: its {what} have format {found}, this dmc knows {known}"
    )]
    Newer {
        /// The store.
        root: Utf8PathBuf,
        /// The shelf that is newer.
        what: String,
        /// Its format.
        found: u32,
        /// The newest format that is known here; 0 where it is not known at all.
        known: u32,
    },
    /// An object is not what its name or its seal says.
    #[error("`{path}` in the store is damaged: {why}")]
    Damaged {
        /// Which one.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Utf8Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        use io::ErrorKind as Kind;
        match self {
            Self::Io { source, path, .. } => match source.kind() {
                Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Some(format!(
                    "free some space on the file system of `{path}`, or name a folder on another one with --store"
                )),
                Kind::PermissionDenied
                | Kind::ReadOnlyFilesystem
                | Kind::NotADirectory
                | Kind::AlreadyExists => Some(
                    "name a folder that you may write with --store, or set XDG_CACHE_HOME; a store that you may only read serves as long as its owner has built the same".into(),
                ),
                _ => None,
            },
            Self::ReadOnly { .. } => {
                Some("run `dmc -a update`, or the same command without -l".into())
            }
            Self::Newer { root, .. } => Some(format!(
                "use the newer dmc, or name another folder with --store; deleting `{root}` loses nothing but time"
            )),
            Self::Damaged { path, .. } => Some(format!(
                "run the same command again; if it comes back, delete `{path}`, which loses nothing but time"
            )),
        }
    }
}
