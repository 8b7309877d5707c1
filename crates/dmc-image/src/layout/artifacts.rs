//! Artifacts in a layout: entries of `index.json` without a name, told by `artifactType`.

use super::refs::ref_name;
use super::{Layout, LayoutError};
use crate::oci::{Annotations, Artifact, Descriptor, EMPTY, EMPTY_JSON};
use dmc_types::Sha256;

/// Annotation with the kind of an in-toto statement.
pub const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// Annotation of an entry in `index.json` with the digest of what a document is about, so that it
/// need not be read to tell. It is no part of the artifact.
const SUBJECT: &str = "dmc.subject";

/// A document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The kind of the artifact that it becomes.
    pub artifact_type: String,
    /// Its own media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Said of the artifact.
    pub annotations: Annotations,
}

impl Layout {
    /// Attaches documents to an image: afterwards these are all that the layout has of their
    /// kinds about `subject`. Returns their artifacts' descriptors, in the order given.
    pub fn attach(
        &self,
        subject: &Descriptor,
        documents: &[Document],
    ) -> Result<Vec<Descriptor>, LayoutError> {
        let mut attached = Vec::new();
        for document in documents {
            self.write_blob(EMPTY, EMPTY_JSON)?;
            let blob = self.write_blob(&document.media_type, &document.bytes)?;
            let annotations = document.annotations.clone();
            let artifact = Artifact::new(&document.artifact_type, blob, Some(subject), annotations);
            let descriptor = artifact.descriptor();
            self.write_blob(&descriptor.media_type, &artifact.to_json())?;
            attached.push(descriptor);
        }
        let _lock = self.lock()?;
        let replaced: Vec<Descriptor> = self
            .referrers(&subject.digest)?
            .into_iter()
            .filter(|old| documents.iter().any(|new| same_kind(old, new)))
            .collect();
        self.change_index(|entries| {
            let gone = |entry: &Descriptor| {
                ref_name(entry).is_none() && replaced.iter().any(|old| old.digest == entry.digest)
            };
            entries.retain(|entry| !gone(entry));
            entries.extend(attached.iter().map(|document| about(document, &subject.digest)));
        })?;
        Ok(attached)
    }

    /// Takes artifacts out of the layout; garbage collection removes their bytes.
    pub fn detach<'a>(
        &self,
        artifacts: impl Iterator<Item = &'a Descriptor>,
    ) -> Result<(), LayoutError> {
        let gone: Vec<Sha256> = artifacts.map(|artifact| artifact.digest).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.change_index(|entries| {
            entries.retain(|entry| !is_artifact(entry) || !gone.contains(&entry.digest));
        })
    }

    /// The artifacts about an index or a manifest, in the order of `index.json`. Those that are
    /// listed there and missing are about nothing.
    pub fn referrers(&self, subject: &Sha256) -> Result<Vec<Descriptor>, LayoutError> {
        let (mut found, digest) = (Vec::new(), oci(subject));
        for entry in self.read_index()?.manifests.iter().filter(|entry| is_artifact(entry)) {
            let is_about = if let Some(about) = entry.annotations.get(SUBJECT) {
                *about == digest && self.has_blob(&entry.digest, entry.size)
            } else {
                let about = self.artifact(entry)?.and_then(|artifact| artifact.subject);
                about.is_some_and(|about| about.digest == *subject)
            };
            if is_about {
                let mut entry = entry.clone();
                entry.annotations.remove(SUBJECT);
                found.push(entry);
            }
        }
        Ok(found)
    }

    /// The artifact that an entry names; none where it is missing.
    pub(super) fn artifact(&self, entry: &Descriptor) -> Result<Option<Artifact>, LayoutError> {
        match self.read_document(entry) {
            Ok(artifact) => Ok(Some(artifact)),
            Err(LayoutError::BlobMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A document as `index.json` lists it.
fn about(document: &Descriptor, subject: &Sha256) -> Descriptor {
    let mut entry = document.clone();
    entry.annotations.insert(SUBJECT.to_owned(), oci(subject));
    entry
}

fn oci(digest: &Sha256) -> String {
    format!("sha256:{digest}")
}

/// Whether an entry of `index.json` is a document about an image: it has a kind and no name.
pub(super) fn is_artifact(entry: &Descriptor) -> bool {
    ref_name(entry).is_none() && entry.artifact_type().is_some()
}

/// Statements are told apart by what they say of their subject.
fn same_kind(entry: &Descriptor, document: &Document) -> bool {
    entry.artifact_type() == Some(document.artifact_type.as_str())
        && entry.annotations.get(PREDICATE_TYPE) == document.annotations.get(PREDICATE_TYPE)
}
