//! Who ships a path, by the archive's `Contents`.

use super::{Archive, on_processor};
use crate::contents::who_ships;
use crate::error::ArchiveError;
use crate::index::{IndexError, index_name};
use crate::release::AcceptedRelease;
use crate::store::{Shelf, StoreError};
use dmc_deb::release::IndexFile;
use dmc_types::{Arch, ImagePath, PackageName};
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
        let mut failed = None;
        for accepted in self.releases().await?.iter().filter(|one| one.owner.is_vendor()) {
            for (name, file) in listed(accepted, arch) {
                match self.search(accepted, &name, &file, path).await {
                    Ok(names) => found.extend(names),
                    // Small pockets often list a Contents that is not there: the others will do.
                    Err(ArchiveError::Fetch(error)) => failed = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        match failed {
            Some(error) if found.is_empty() => Err(error.into()),
            _ => Ok(found.into_iter().collect()),
        }
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
            _ => self.fetch_listed(accepted, name, file).await?,
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
}

/// The compressed `Contents` of every component, for the architecture and for `all`; some
/// vendors have one for all components.
fn listed(accepted: &AcceptedRelease, arch: Arch) -> Vec<(String, IndexFile)> {
    let folders = accepted.components.iter().map(|component| format!("{component}/"));
    let names = folders
        .chain([String::new()])
        .flat_map(|folder| [arch.name(), "all"].map(|arch| format!("{folder}Contents-{arch}.gz")));
    names.filter_map(|name| accepted.release.file(&name).map(|file| (name, file))).collect()
}
