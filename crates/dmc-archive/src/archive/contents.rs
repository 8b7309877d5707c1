//! Who ships a path, by the archive's `Contents`.

use super::{Archive, on_processor};
use crate::contents::who_ships;
use crate::error::ArchiveError;
use crate::index::{IndexError, index_name};
use crate::mirror;
use crate::release::AcceptedRelease;
use crate::store::{Shelf, StoreError};
use crate::transport::Wanted;
use dmc_deb::release::IndexFile;
use dmc_types::{Arch, ImagePath, PackageName, Sha256};
use std::collections::BTreeSet;
use std::io::BufReader;

impl Archive {
    /// The vendor's packages that ship a path, by name. Fetches tens of megabytes where the store
    /// does not have them: for messages, not for builds.
    pub async fn who_ships(
        &self,
        arch: Arch,
        path: &ImagePath,
    ) -> Result<Vec<PackageName>, ArchiveError> {
        let mut found = BTreeSet::new();
        for accepted in self.releases().await? {
            for component in &accepted.components {
                for arch in [arch.name(), "all"] {
                    if let Some((name, file)) = listed(accepted, component, arch) {
                        found.extend(self.search(accepted, &name, &file, path).await?);
                    }
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn search(
        &self,
        accepted: &AcceptedRelease,
        name: &str,
        file: &IndexFile,
        path: &ImagePath,
    ) -> Result<BTreeSet<PackageName>, ArchiveError> {
        let digest = match self.store.key(&file.checksum)? {
            Some(digest) if self.store.exists(Shelf::Indices, &index_name(&digest)) => digest,
            _ => self.fetch_contents(accepted, name, file).await?,
        };
        let (store, path) = (self.store.clone(), path.clone());
        let work = move || {
            let name = index_name(&digest);
            let at = store.path(Shelf::Indices, &name);
            let file = store.verified(Shelf::Indices, &name, &digest)?;
            let file = file.ok_or_else(|| StoreError::Damaged {
                path: at.clone(),
                why: "its digest is wrong",
            })?;
            let text = flate2::bufread::MultiGzDecoder::new(BufReader::new(file));
            who_ships(BufReader::with_capacity(1 << 18, text), &path)
                .map_err(|source| ArchiveError::Index(IndexError::Corrupt { path: at, source }))
        };
        on_processor("searching Contents", work).await?
    }

    async fn fetch_contents(
        &self,
        accepted: &AcceptedRelease,
        name: &str,
        file: &IndexFile,
    ) -> Result<Sha256, ArchiveError> {
        let path = format!("dists/{}/{name}", accepted.suite);
        let url = mirror::below(&accepted.mirror.url, &path);
        let wanted = Wanted { url, size: file.size, checksum: file.checksum };
        let digest =
            self.transport.to_store(&wanted, &self.store, Shelf::Indices, index_name).await?;
        self.store.put_alias(&file.checksum, &digest)?;
        Ok(digest)
    }
}

/// The compressed `Contents` of a component; Ubuntu has one for all of them.
fn listed(accepted: &AcceptedRelease, component: &str, arch: &str) -> Option<(String, IndexFile)> {
    let names = [format!("{component}/Contents-{arch}.gz"), format!("Contents-{arch}.gz")];
    names.into_iter().find_map(|name| {
        let file = *accepted.release.file(&name)?;
        Some((name, file))
    })
}
