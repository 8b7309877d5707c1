//! `dmc.conf`: what there is to set that is not a template's.
//!
//! Layers are read in order, the shipped `conf/dmc.conf` first; each later one replaces the keys
//! that it names. Tables (`[vendor.debian]`) join key by key, arrays are replaced whole, and
//! `[[archive]]` tables join by name. Nothing here looks at the machine: paths are not opened.

mod audit;
mod dated;
mod deploy;
mod farm;
mod file;
mod licences;
mod promotion;
mod registry;
mod signing;
#[cfg(test)]
mod tests;
mod vendor;

use crate::{TextError, nearest, text};
pub use audit::Audit;
pub use dated::Snapshot;
pub use deploy::ClusterConf;
use dmc_types::{Arch, Compressions, NameError, Suite};
pub use farm::FarmConf;
pub use file::Engine;
pub use licences::Licences;
pub use promotion::Promotion;
pub use registry::RegistryConf;
pub use signing::Signing;
use std::collections::BTreeMap;
use std::time::Duration;
pub use vendor::{Dist, Pocket, ThirdParty, Uris, Vendor};

/// One text of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfLayer<'a> {
    /// What messages call it: a path, or `built in`.
    pub file: &'a str,
    /// Its contents.
    pub bytes: &'a [u8],
}

/// The configuration, all layers joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Conf {
    /// The distribution to build from, by codename.
    pub dist: String,
    /// The architectures to build for.
    pub archs: Vec<Arch>,
    /// The folder for the OCI layout.
    pub out: String,
    /// The store's folder; none for the user's cache folder.
    pub store: Option<String>,
    /// The folder with the files of rules; none for those that the program carries.
    pub rules: Option<String>,
    /// Tasks at the same time; none for as many as there are processors.
    pub jobs: Option<u16>,
    /// Connections to one host at the same time, at least 1.
    pub connections: u16,
    /// How long a server may send nothing, whole seconds, at least one.
    pub timeout: Duration,
    /// How often a request is repeated when nothing more arrives.
    pub retries: u16,
    /// A mirror in place of the vendor's main archive (and of apt's); it never replaces the
    /// security archive.
    pub mirror: Option<String>,
    /// How layers are compressed.
    pub compression: Compressions,
    /// Which container engine `load` uses.
    pub engine: Engine,
    /// The registry to push to, as `host[:port][/namespace]`; none for none.
    pub host: Option<String>,
    /// Registries, as `host[:port]`, that may hold images with files of `private.d/`.
    pub private_hosts: Vec<String>,
    /// What marks the image that runs.
    pub promotion: Promotion,
    /// Suites whose expired InRelease is accepted.
    pub accept_expired: Vec<Suite>,
    /// What images are held against.
    pub audit: Audit,
    /// Which cluster, and what all that runs there has in common.
    pub deploy: ClusterConf,
    /// What licences are called, and which are not wanted.
    pub licences: Licences,
    /// The keys that sign, and those that count.
    pub signing: Signing,
    /// How a cluster builds.
    pub farm: FarmConf,
    /// How single registries are reached, by `HOST[:PORT]`.
    pub registries: BTreeMap<String, RegistryConf>,
    /// Distributors, by name.
    pub vendors: BTreeMap<String, Vendor>,
    /// Third-party archives; they supply only packages that a template names with the archive.
    pub archives: Vec<ThirdParty>,
}

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// A layer's text is wrong.
    #[error(transparent)]
    Text(#[from] TextError),
    /// No layer sets a key that must be set.
    #[error("no configuration sets `{key}`")]
    Missing {
        /// The key.
        key: String,
    },
    /// A key's value is out of bounds.
    #[error("the configuration's `{key}` {what}")]
    Bounds {
        /// The key.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No vendor has a distribution of this name.
    #[error("there is no distribution `{name}`")]
    UnknownDist {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// Codenames that are known.
        known: Vec<String>,
    },
    /// A pocket names an archive that its vendor does not have.
    #[error("pocket `{pocket}` of vendor `{vendor}` is in archive `{archive}`, which has no URI")]
    UnknownArchive {
        /// The vendor.
        vendor: String,
        /// The pocket's suite.
        pocket: String,
        /// The archive that it names.
        archive: String,
    },
    /// There is no address of dated archives.
    #[error("vendor `{vendor}` has no snapshots of its archive `{archive}`")]
    NoSnapshots {
        /// The vendor.
        vendor: String,
        /// The archive.
        archive: String,
    },
    /// A pattern of dated archives asks for a mirror, and none is named.
    #[error("the snapshots of vendor `{vendor}` are at `{pattern}`, and no mirror is named")]
    NoMirror {
        /// The vendor.
        vendor: String,
        /// The pattern.
        pattern: String,
    },
    /// A pocket's suite is none once `{dist}` is replaced.
    #[error("pocket `{pocket}` of vendor `{vendor}` gives no suite")]
    BadPocket {
        /// The vendor.
        vendor: String,
        /// The pocket's suite as written.
        pocket: String,
        /// Why.
        source: NameError,
    },
}

impl ConfError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::UnknownDist { nearest, known, .. } => {
                nearest::hint(nearest.as_deref(), known.iter().map(String::as_str))
            }
            Self::Missing { key } => Some(format!("conf/dmc.conf shows how to set `{key}`")),
            Self::UnknownArchive { vendor, archive, .. } => {
                Some(format!("set `{archive}` in [vendor.{vendor}.archives]"))
            }
            Self::NoSnapshots { vendor, archive } => Some(format!(
                "set `{archive}` in [vendor.{vendor}.snapshots] to a URI with {{time}} in it"
            )),
            Self::NoMirror { .. } => Some("name it with -M".to_owned()),
            Self::Bounds { .. } | Self::BadPocket { .. } => None,
        }
    }
}

impl Conf {
    /// Joins the layers, the weakest first, and checks the whole.
    pub fn read(layers: &[ConfLayer<'_>]) -> Result<Self, ConfError> {
        let mut joined = file::ConfFile::default();
        for layer in layers {
            joined.join(text::read(layer.file, layer.bytes)?);
        }
        let conf = joined.check()?;
        // Every pocket of every known distribution must come to something, whatever the
        // architecture: that only chooses among addresses.
        for vendor in conf.vendors.values() {
            for codename in vendor.suites.keys() {
                conf.dist(codename)?.pockets(Arch::Amd64)?;
            }
        }
        Ok(conf)
    }

    /// The distribution of this codename or alias.
    pub fn dist(&self, name: &str) -> Result<Dist<'_>, ConfError> {
        let mut known = Vec::new();
        for (vendor_name, vendor) in &self.vendors {
            for (codename, suite) in &vendor.suites {
                if codename == name || suite.aliases.iter().any(|alias| alias == name) {
                    return Ok(Dist { vendor_name, vendor, codename, suite });
                }
                known.push(codename.as_str());
                known.extend(suite.aliases.iter().map(String::as_str));
            }
        }
        Err(ConfError::UnknownDist {
            name: name.to_owned(),
            nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            known: known.into_iter().map(str::to_owned).collect(),
        })
    }

    /// The third-party archive of this name.
    pub fn archive(&self, name: &str) -> Option<&ThirdParty> {
        self.archives.iter().find(|archive| archive.name == name)
    }
}
