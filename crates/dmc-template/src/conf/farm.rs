//! `[farm]`: how a cluster builds.

use super::ConfError;
use super::file::{bounds, replace};
use serde::Deserialize;

/// The table of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FarmFile {
    shards: Option<u32>,
    name: Option<String>,
    namespace: Option<String>,
    image: Option<String>,
    schedule: Option<String>,
    credentials: Option<String>,
    key: Option<String>,
}

/// A farm: many machines, or pods of a cluster, that build together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarmConf {
    /// How many machines build.
    pub shards: u32,
    /// What its objects are called.
    pub name: String,
    /// Their namespace.
    pub namespace: String,
    /// The image of dmc; none where it is not said.
    pub image: Option<String>,
    /// When the nights begin, as cron(8) says it.
    pub schedule: String,
    /// The Secret with the registry's credentials.
    pub credentials: Option<String>,
    /// The Secret with the key that signs.
    pub key: Option<String>,
}

impl FarmFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.shards, later.shards);
        replace(&mut self.name, later.name);
        replace(&mut self.namespace, later.namespace);
        replace(&mut self.image, later.image);
        replace(&mut self.schedule, later.schedule);
        replace(&mut self.credentials, later.credentials);
        replace(&mut self.key, later.key);
    }

    pub(super) fn check(self) -> Result<FarmConf, ConfError> {
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        let shards = self.shards.unwrap_or(4);
        if !(1..=1000).contains(&shards) {
            return Err(bounds("farm.shards", "is not from 1 to 1000"));
        }
        Ok(FarmConf {
            shards,
            name: full(self.name).unwrap_or_else(|| "dmc-farm".to_owned()),
            namespace: full(self.namespace).unwrap_or_else(|| "default".to_owned()),
            image: full(self.image),
            schedule: full(self.schedule).unwrap_or_else(|| "17 3 * * *".to_owned()),
            credentials: full(self.credentials),
            key: full(self.key),
        })
    }
}
