//! The image configuration: how an image is run, and what its layer unpacks to.

use super::{Annotations, json, prefixed, rfc3339};
use crate::layer::Layer;
use dmc_types::{OciPlatform, Sha256, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An image configuration: how the image is run, and what its layer must unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the newest input was made, RFC 3339.
    pub created: String,
    /// `GOARCH`.
    pub architecture: String,
    /// `GOOS`.
    pub os: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How to run it.
    pub config: RunConfig,
    /// What the layers unpack to.
    pub rootfs: RootFs,
    /// How the layers came to be.
    pub history: Vec<History>,
}

impl ImageConfig {
    /// The configuration of an image of one layer, with one entry of history. `created_by` says
    /// how the layer came to be, and must not say when or where.
    pub fn new(
        platform: OciPlatform,
        created: UnixTime,
        config: RunConfig,
        layer: &Layer,
        created_by: &str,
    ) -> Self {
        let created = rfc3339(created);
        Self {
            created: created.clone(),
            architecture: platform.architecture.to_owned(),
            os: platform.os.to_owned(),
            variant: platform.variant.map(str::to_owned),
            config,
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![DiffId(layer.diff_id)] },
            history: vec![History { created, created_by: created_by.to_owned() }],
        }
    }

    /// The bytes that are hashed, written and pushed.
    pub fn to_json(&self) -> Vec<u8> {
        json(self)
    }
}

/// The `config` object of an image configuration. Empty fields are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// `USER` or `USER:GROUP`, numbers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports that the program listens on: `8080/tcp`.
    #[serde(with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// Environment, `NAME=VALUE` in the given order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its fixed arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Arguments that the user may replace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Folders that outlive the container.
    #[serde(with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// Where the program starts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Said of the image.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
    /// The signal that asks the program to end: `SIGQUIT`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// How an engine asks whether the program is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// Docker's extension of the `config` object; podman reads it too. Times are nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `CMD` and the program with its arguments.
    pub test: Vec<String>,
    /// Between two checks; 0 for the engine's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: u64,
    /// Until a check has failed; 0 for the engine's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: u64,
    /// In which failures do not count; 0 for the engine's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: u64,
    /// How many failures make the container unhealthy; 0 for the engine's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What the layers of an image unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    /// The uncompressed layers, the lowest first.
    pub diff_ids: Vec<DiffId>,
}

/// SHA-256 of an uncompressed layer; written as `sha256:` and 64 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffId(#[serde(with = "prefixed")] pub Sha256);

/// How one layer came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    pub created: String,
    /// By what.
    pub created_by: String,
}

/// A set as OCI writes it: an object whose members are empty objects.
mod set {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeSet;

    pub(super) fn serialize<S: Serializer>(
        set: &BTreeSet<String>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_map(set.iter().map(|item| (item, serde_json::Map::new())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeSet<String>, D::Error> {
        let members = serde_json::Map::deserialize(d)?;
        Ok(members.into_iter().map(|(name, _)| name).collect())
    }
}
