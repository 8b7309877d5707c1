//! OCI's documents: descriptor, manifest, index and image configuration.
//!
//! Own types rather than a crate's, because a digest is taken over the bytes: fields come in the
//! order in which they stand here, maps are sorted, JSON is compact and without a final newline.
//! Only OCI media types are written. Fields that are not known here are kept in descriptors of
//! indices written by others. Follows the OCI image specification 1.1.

mod artifact;
mod config;
mod time;

pub use artifact::{Artifact, EMPTY, EMPTY_JSON};
pub use config::{DiffId, Healthcheck, History, ImageConfig, RootFs, RunConfig};
pub use time::rfc3339;

use crate::layer::Layer;
use crate::sha256::sha256;
use dmc_types::{OciPlatform, Sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Media types of the OCI image specification.
pub mod media_type {
    /// An image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A tar compressed by gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A tar compressed by zstd.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
}

/// The annotation that says that a layer, or all layers of a manifest, are compressed by zstd.
const ZSTD: &str = "io.github.containers.compression.zstd";

/// Annotations and labels.
pub type Annotations = BTreeMap<String, String>;

/// Names a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its SHA-256; written as `sha256:` and 64 digits.
    #[serde(with = "prefixed")]
    pub digest: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// Said of the blob by whoever names it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// What an image runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Fields of others.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Descriptor {
    /// A descriptor with what every descriptor must have.
    pub fn new(media_type: &str, digest: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            annotations: Annotations::new(),
            platform: None,
            other: BTreeMap::new(),
        }
    }

    /// The descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, sha256(bytes), bytes.len() as u64)
    }

    /// The same with the annotation by which the containers/image library knows zstd without
    /// reading what is named: at a layer it keeps skopeo from rewriting the manifest on a copy, in
    /// an index clients that know zstd take this manifest, all others the one without.
    #[must_use]
    pub fn compressed_by_zstd(mut self) -> Self {
        self.annotations.insert(ZSTD.to_owned(), "true".to_owned());
        self
    }

    /// The same with a platform, as an index lists manifests.
    #[must_use]
    pub fn for_platform(mut self, platform: OciPlatform) -> Self {
        self.platform = Some(platform.into());
        self
    }
}

/// What an image runs on, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `GOARCH`.
    pub architecture: String,
    /// `GOOS`.
    pub os: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Fields of others.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl From<OciPlatform> for Platform {
    fn from(platform: OciPlatform) -> Self {
        Self {
            architecture: platform.architecture.to_owned(),
            os: platform.os.to_owned(),
            variant: platform.variant.map(str::to_owned),
            other: BTreeMap::new(),
        }
    }
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u8,
    media_type: String,
    /// The image configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// Said of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Manifest {
    /// A manifest of a configuration and one layer.
    pub fn new(config: Descriptor, layer: &Layer, annotations: Annotations) -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            config,
            layers: vec![layer.descriptor()],
            annotations,
        }
    }

    /// The bytes that are hashed, written and pushed.
    pub fn to_json(&self) -> Vec<u8> {
        json(self)
    }
}

/// One image for several platforms; also `index.json` of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u8,
    #[serde(default = "index_media_type")]
    media_type: String,
    /// The manifests, the preferred first.
    pub manifests: Vec<Descriptor>,
    /// Said of the whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields of others.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

fn index_media_type() -> String {
    media_type::INDEX.to_owned()
}

impl Index {
    /// An index of manifests.
    pub fn new(manifests: Vec<Descriptor>, annotations: Annotations) -> Self {
        Self {
            schema_version: 2,
            media_type: index_media_type(),
            manifests,
            annotations,
            other: BTreeMap::new(),
        }
    }

    /// The bytes that are hashed, written and pushed.
    pub fn to_json(&self) -> Vec<u8> {
        json(self)
    }
}

/// Compact JSON. Serialising these types cannot fail: they hold text, numbers and maps by text.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// `sha256:` before the digits.
mod prefixed {
    use dmc_types::Sha256;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &Sha256, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("sha256:{digest}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Sha256, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text
            .strip_prefix("sha256:")
            .ok_or_else(|| D::Error::custom("only sha256 digests are supported"))?;
        digits.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
