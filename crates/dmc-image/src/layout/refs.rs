//! `index.json`: which names there are, and what they mean.

use super::artifacts::is_artifact;
use super::memory::Stamp;
use super::{DOCUMENT_LIMIT, Layout, LayoutError, Reference, read_bounded};
use crate::oci::{Annotations, Descriptor, Index};
use dmc_types::TemplateName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Annotation with the name of an image in a layout (OCI image specification, "Annotations").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Annotation with the name under which containerd imports an image.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

impl Layout {
    /// What a name means: the descriptor of an index or a manifest, as it stands in `index.json`.
    pub fn resolve(&self, name: &str) -> Result<Option<Descriptor>, LayoutError> {
        let index = self.read_index()?;
        Ok(index.manifests.iter().find(|entry| ref_name(entry) == Some(name)).cloned())
    }

    /// Every name and what it means, sorted by name. Entries without a name are left out.
    pub fn refs(&self) -> Result<Vec<(String, Descriptor)>, LayoutError> {
        let index = self.read_index()?;
        let named = |entry: &Descriptor| Some((ref_name(entry)?.to_owned(), entry.clone()));
        Ok(index.manifests.iter().filter_map(named).collect())
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
        let new = names.iter().map(|name| (name.name.to_string(), entry(target, name)));
        let new: BTreeMap<String, Descriptor> = new.collect();
        let replaced = |entry: &Descriptor| ref_name(entry).and_then(|name| new.get(name));
        let index = self.read_index()?;
        let mut there = index.manifests.iter().filter_map(|entry| Some((entry, replaced(entry)?)));
        if there.clone().count() == new.len() && there.all(|(old, new)| old == new) {
            return Ok(());
        }
        self.change_index(|entries| {
            entries.retain(|entry| replaced(entry).is_none());
            entries.extend(new.values().cloned());
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

    /// What `index.json` says, read once for as long as it does not change.
    pub(super) fn read_index(&self) -> Result<Arc<Index>, LayoutError> {
        let path = self.root.join("index.json");
        // Taken before it is read: an index that is replaced meanwhile is read again next time.
        let stamp = std::fs::metadata(&path).ok().map(|file| Stamp::of(&file));
        if let Some(index) = stamp.and_then(|stamp| self.memory.recall(stamp)) {
            return Ok(index);
        }
        let Some(bytes) = read_bounded(&path, DOCUMENT_LIMIT)? else {
            return Ok(Arc::new(Index::new(Vec::new(), Annotations::new())));
        };
        let index = serde_json::from_slice(&bytes)
            .map(Arc::new)
            .map_err(|source| LayoutError::Json { path, source })?;
        if let Some(stamp) = stamp {
            self.memory.keep(stamp, &index);
        }
        Ok(index)
    }

    /// The caller holds the lock.
    pub(super) fn change_index(
        &self,
        change: impl FnOnce(&mut Vec<Descriptor>),
    ) -> Result<(), LayoutError> {
        let before = self.read_index()?;
        let mut after = Index::clone(&before);
        change(&mut after.manifests);
        // The order must not depend on which template was made first; documents come last.
        let place = |it: &Descriptor| (is_artifact(it), ref_name(it).map(str::to_owned), it.digest);
        after.manifests.sort_by_cached_key(place);
        let path = self.root.join("index.json");
        if after == *before && path.is_file() {
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
