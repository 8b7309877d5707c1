//! Documents about an image: artifacts whose manifest names its subject.
//!
//! An artifact is a manifest with an `artifactType`, an empty configuration, one layer for each
//! document and, where it is about an image, a `subject` (OCI image specification 1.1, "Guidelines
//! for Artifact Usage"). Registries list those of an image as its referrers.

use super::{Annotations, Descriptor, json, media_type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The media type of a configuration that says nothing.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The bytes of a configuration that says nothing.
pub const EMPTY_JSON: &[u8] = b"{}";

/// The manifest of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    schema_version: u8,
    media_type: String,
    /// What kind of artifact it is.
    pub artifact_type: String,
    config: Descriptor,
    /// Its documents.
    pub layers: Vec<Descriptor>,
    /// The manifest or index that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Said of the artifact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Artifact {
    /// An artifact of one document, about `subject` where there is one.
    pub fn new(
        artifact_type: &str,
        document: Descriptor,
        subject: Option<&Descriptor>,
        annotations: Annotations,
    ) -> Self {
        let bare = |about: &Descriptor| {
            // Names and platforms are said by whoever lists the subject; the artifact must not
            // depend on them.
            Descriptor::new(&about.media_type, about.digest, about.size)
        };
        Self {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: artifact_type.to_owned(),
            config: Descriptor::of(EMPTY, EMPTY_JSON),
            layers: vec![document],
            subject: subject.map(bare),
            annotations,
        }
    }

    /// The bytes that are hashed, written and pushed.
    pub fn to_json(&self) -> Vec<u8> {
        json(self)
    }

    /// The descriptor by which an index or a list of referrers names it.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::of(media_type::MANIFEST, &self.to_json());
        let kind = serde_json::Value::String(self.artifact_type.clone());
        descriptor.other.insert(ARTIFACT_TYPE.to_owned(), kind);
        descriptor.annotations.clone_from(&self.annotations);
        descriptor
    }
}

/// The key of an artifact's kind in a descriptor.
const ARTIFACT_TYPE: &str = "artifactType";

impl Descriptor {
    /// The kind of the artifact that it names, where it says one.
    pub fn artifact_type(&self) -> Option<&str> {
        self.other.get(ARTIFACT_TYPE).and_then(serde_json::Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_names_its_subject_without_what_others_say_of_it() {
        let mut subject = Descriptor::of(media_type::INDEX, b"index");
        subject.annotations.insert("name".to_owned(), "nginx:latest".to_owned());
        let document = Descriptor::of("application/spdx+json", b"{}");
        let artifact =
            Artifact::new("application/spdx+json", document, Some(&subject), Annotations::new());
        assert_eq!(artifact.subject, Some(Descriptor::of(media_type::INDEX, b"index")));
        let again: Artifact = serde_json::from_slice(&artifact.to_json()).unwrap();
        assert_eq!(again, artifact);
        assert_eq!(artifact.descriptor().artifact_type(), Some("application/spdx+json"));
    }
}
