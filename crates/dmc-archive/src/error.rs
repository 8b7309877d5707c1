//! What can go wrong between the request and the facts.

use crate::index::{CompileFailure, IndexError};
use crate::mirror::MirrorError;
use crate::package::PackageError;
use crate::release::ReleaseFailure;
use crate::store::StoreError;
use crate::transport::FetchError;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A mirror or a keyring.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// A release.
    #[error(transparent)]
    Release(#[from] ReleaseFailure),
    /// An index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A download.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker thread ended without a result.
    #[error("a worker ended early while it did this: {task}")]
    Worker {
        /// What it was doing.
        task: &'static str,
    },
}

impl ArchiveError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Mirror(error) => error.hint(),
            Self::Release(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Package(error) => error.hint(),
            Self::Fetch(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Worker { .. } => Some("this is a mistake in dmc: please report it".to_owned()),
        }
    }
}

impl From<CompileFailure> for ArchiveError {
    fn from(error: CompileFailure) -> Self {
        match error {
            CompileFailure::Index(error) => Self::Index(error),
            CompileFailure::Store(error) => Self::Store(error),
        }
    }
}
