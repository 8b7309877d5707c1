//! Why an image layout could not be read or written.

use crate::layer::LayerError;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::Sha256;
use std::io;

/// Why an image layout could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The folder holds other things.
    #[error("`{path}` is not an OCI image layout")]
    NotALayout {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A layout of a version that is not known.
    #[error("`{path}` is an OCI image layout of version `{version}`")]
    Version {
        /// The folder.
        path: Utf8PathBuf,
        /// Its version.
        version: String,
    },
    /// The user may not write there.
    #[error("`{path}` is not writable")]
    NotWritable {
        /// What was to be written.
        path: Utf8PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// No room is left.
    #[error("the disk that holds `{path}` is full")]
    DiskFull {
        /// What was to be written.
        path: Utf8PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Any other failure of the system.
    #[error("cannot {verb} `{path}`")]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A blob that is named but not there.
    #[error("blob sha256:{digest} is missing from `{layout}`")]
    BlobMissing {
        /// The layout.
        layout: Utf8PathBuf,
        /// The blob.
        digest: Sha256,
    },
    /// A blob whose bytes are not what its name says.
    #[error("blob sha256:{digest} in `{layout}` is damaged")]
    BlobCorrupted {
        /// The layout.
        layout: Utf8PathBuf,
        /// The blob.
        digest: Sha256,
    },
    /// A layer that is what its digest says and cannot be taken apart all the same.
    #[error("layer `{path}` cannot be read")]
    Unreadable {
        /// The blob.
        path: Utf8PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A document larger than any real one.
    #[error("`{path}` has {size} bytes, more than the {limit} that such a document may have")]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
        /// Its size.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A document that is not what it should be.
    #[error("`{path}` cannot be read as an OCI document")]
    Json {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The layer that was to become a blob could not be made.
    #[error("cannot make the layer")]
    Layer(#[from] LayerError),
}

impl LayoutError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotALayout { .. } => "choose a new or empty folder with --out",
            Self::Version { .. } => "choose another folder with --out, or use a newer dmc",
            Self::NotWritable { .. } => "choose a folder of your own with --out",
            Self::DiskFull { .. } => "free some space, or choose another disk with --out",
            Self::Unreadable { .. } => "only layers of tar, plain or by gzip or zstd, can be read",
            Self::Io { .. } => "check the path and its permissions",
            Self::BlobMissing { .. } | Self::BlobCorrupted { .. } => {
                "create the image again: its blobs are written anew"
            }
            Self::TooLarge { .. } | Self::Json { .. } => {
                "move the folder away and create the images again"
            }
            Self::Layer(error) => error.hint(),
        }
    }

    /// Sorts a failure of the system by what the user can do about it.
    pub(super) fn io(verb: &'static str, path: &Utf8Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                if verb != "read" =>
            {
                Self::NotWritable { path, source }
            }
            _ => Self::Io { verb, path, source },
        }
    }
}
