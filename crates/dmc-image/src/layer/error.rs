//! Why a layer could not be written.

use crate::tree::SourceError;
use dmc_types::{ImagePath, Sha256};
use std::io;

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The store did not deliver a file's contents.
    #[error("cannot read the contents of `{path}`")]
    Source {
        /// The file in the image.
        path: ImagePath,
        /// What should hold its contents.
        object: Sha256,
        /// What the store says.
        source: SourceError,
    },
    /// The store delivered something else.
    #[error(
        "the stored contents of `{path}` are damaged: {found} bytes that are not the {wanted} wanted"
    )]
    Corrupted {
        /// The file in the image.
        path: ImagePath,
        /// What holds its contents.
        object: Sha256,
        /// Length of the true contents in bytes.
        wanted: u64,
        /// Length of what came.
        found: u64,
    },
    /// The compressor gave up, which its own bound on the size of its output excludes.
    #[error("a piece of the layer cannot be compressed")]
    Compress,
    /// A table of contents cannot say what the tar says.
    #[error("the table of contents of a lazily pulled layer has no words for `{path}`: {why}")]
    Untold {
        /// The file in the image.
        path: ImagePath,
        /// What of it.
        why: &'static str,
    },
    /// A compressed piece that was there a moment ago could not be read.
    #[error("cannot read a compressed piece of the layer in the store")]
    Piece(#[source] io::Error),
    /// The layer's bytes could not be written.
    #[error("cannot write the layer")]
    Write(#[source] io::Error),
}

impl LayerError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Source { .. } | Self::Corrupted { .. } => {
                "drop the object from the store, so that its package is fetched and decoded again"
            }
            Self::Untold { .. } => "leave the file out by `exclude`, or write gzip alone",
            Self::Piece(_) => "run it again; if it stays so, look for damage: dmc check",
            Self::Compress => "report this as a defect of dmc",
            Self::Write(_) => "check the free space and the permissions of the output folder",
        }
    }
}
