//! Files of the store that other machines can use: what a signed index or a lock names by its
//! SHA-256.

use super::{Archive, LockedDeb};
use crate::error::ArchiveError;
use crate::index::{Link, choices, index_name};
use crate::store::{Shelf, StoreError, deb_name};
use camino::Utf8PathBuf;
use dmc_types::{Arch, Checksum, Sha256};

/// A whole file of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its SHA-256.
    pub digest: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is.
    pub path: Utf8PathBuf,
}

impl Archive {
    /// The package indices of an architecture as they are on the mirror, as far as the store has
    /// them.
    pub async fn index_files(&self, arch: Arch) -> Result<Vec<StoredFile>, ArchiveError> {
        let mut files = Vec::new();
        for accepted in self.releases().await?.iter().filter(|accepted| accepted.is_for(arch)) {
            for component in &accepted.components {
                for choice in choices(&accepted.release, component, arch, Link::Slow) {
                    if let Checksum::Sha256(digest) = choice.file.checksum {
                        files.extend(self.stored(Shelf::Indices, &index_name(&digest), digest)?);
                    }
                }
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// A .deb, fetched where the store does not have it; none where it is not known by its SHA-256.
    pub async fn deb_file(
        &self,
        arch: Arch,
        deb: &LockedDeb,
    ) -> Result<Option<StoredFile>, ArchiveError> {
        let Checksum::Sha256(digest) = deb.checksum else { return Ok(None) };
        let name = deb_name(&digest);
        if let Some(file) = self.stored(Shelf::Debs, &name, digest)? {
            return Ok(Some(file));
        }
        self.fetch_locked(arch, deb).await?;
        Ok(self.stored(Shelf::Debs, &name, digest)?)
    }

    fn stored(
        &self,
        at: Shelf,
        name: &str,
        digest: Sha256,
    ) -> Result<Option<StoredFile>, StoreError> {
        let Some(file) = self.store.open_file(at, name)? else { return Ok(None) };
        let path = self.store.path(at, name);
        let size = file.metadata().map_err(|source| StoreError::io("read", &path, source))?.len();
        Ok(Some(StoredFile { digest, size, path }))
    }
}
