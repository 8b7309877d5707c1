//! `index.json`: which names there are, and what they mean.

use super::artifacts::is_artifact;
use super::{DOCUMENT_LIMIT, Layout, LayoutError, Reference, read_bounded};
use crate::oci::{Annotations, Descriptor, Index};
use dmc_types::TemplateName;

/// Annotation with the name of an image in a layout (OCI image specification, "Annotations").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Annotation with the name under which containerd imports an image.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

impl Layout {
    /// What a name means: the descriptor of an index or a manifest, as it stands in `index.json`.
    pub fn resolve(&self, name: &str) -> Result<Option<Descriptor>, LayoutError> {
        let index = self.read_index()?;
        Ok(index.manifests.into_iter().find(|entry| ref_name(entry) == Some(name)))
    }

    /// Every name and what it means, sorted by name. Entries without a name are left out.
    pub fn refs(&self) -> Result<Vec<(String, Descriptor)>, LayoutError> {
        let entries = self.read_index()?.manifests.into_iter();
        Ok(entries.filter_map(|entry| Some((ref_name(&entry)?.to_owned(), entry))).collect())
    }

    /// Makes names mean `target`, whatever they meant before. Other names stay. Readers see all
    /// names changed or none.
    ///
    /// # Errors
    /// [`LayoutError::BlobMissing`] where `target` is not in the layout.
    pub fn tag(&self, target: &Descriptor, names: &[Reference]) -> Result<(), LayoutError> {
        let _lock = self.lock()?;
        if !self.blob_path(&target.digest).is_file() {
            return Err(self.missing(target));
        }
        let replaced: Vec<String> = names.iter().map(|name| name.name.to_string()).collect();
        self.change_index(|entries| {
            entries
                .retain(|entry| !ref_name(entry).is_some_and(|n| replaced.iter().any(|m| m == n)));
            entries.extend(names.iter().map(|name| entry(target, name)));
        })
    }

    /// Removes every tag of an image. Its blobs stay until garbage is collected. Returns the
    /// names that were removed.
    pub fn remove(&self, name: &TemplateName) -> Result<Vec<String>, LayoutError> {
        let _lock = self.lock()?;
        let mut removed = Vec::new();
        self.change_index(|entries| {
            let is_tag = |entry: &Descriptor| {
                ref_name(entry)
                    .and_then(|n| n.split_once(':'))
                    .is_some_and(|n| n.0 == name.as_str())
            };
            removed = entries
                .iter()
                .filter(|entry| is_tag(entry))
                .filter_map(ref_name)
                .map(str::to_owned)
                .collect();
            entries.retain(|entry| !is_tag(entry));
        })?;
        Ok(removed)
    }

    pub(super) fn read_index(&self) -> Result<Index, LayoutError> {
        let path = self.root.join("index.json");
        match read_bounded(&path, DOCUMENT_LIMIT)? {
            None => Ok(Index::new(Vec::new(), Annotations::new())),
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| LayoutError::Json { path, source })
            }
        }
    }

    /// The caller holds the lock.
    pub(super) fn change_index(
        &self,
        change: impl FnOnce(&mut Vec<Descriptor>),
    ) -> Result<(), LayoutError> {
        let before = self.read_index()?;
        let mut after = before.clone();
        change(&mut after.manifests);
        // The order must not depend on which template was made first; documents come last.
        let place = |it: &Descriptor| (is_artifact(it), ref_name(it).map(str::to_owned), it.digest);
        after.manifests.sort_by_cached_key(place);
        let path = self.root.join("index.json");
        if after == before && path.is_file() {
            return Ok(());
        }
        self.write_durably(&path, &after.to_json())
    }
}

fn entry(target: &Descriptor, name: &Reference) -> Descriptor {
    let mut entry = target.clone();
    entry.annotations.insert(REF_NAME.to_owned(), name.name.to_string());
    entry.annotations.insert(CONTAINERD_NAME.to_owned(), name.full.clone());
    entry
}

pub(super) fn ref_name(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REF_NAME).map(String::as_str)
}
