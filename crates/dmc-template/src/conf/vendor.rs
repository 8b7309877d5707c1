//! Who distributes, from which archives, and which suites make up a distribution.

use super::{ConfError, Snapshot};
use dmc_types::{Arch, Suite, UnixTime};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A distributor, such as Debian.
#[derive(Debug, Clone, PartialEq)]
pub struct Vendor {
    /// `Origin` of its Release files.
    pub origin: String,
    /// Its archives' URIs by name; `main` is the one that a mirror replaces.
    pub archives: BTreeMap<String, Uris>,
    /// Components to read.
    pub components: Vec<String>,
    /// Keys in `conf/keyrings/`, by file name.
    pub keyrings: Vec<String>,
    /// Keyrings of the machine, by path; those that exist are used before `keyrings`.
    pub machine_keyrings: Vec<String>,
    /// The suites that make up a distribution, unless it says otherwise.
    pub pockets: Vec<PocketEntry>,
    /// Its distributions by codename.
    pub suites: BTreeMap<String, SuiteEntry>,
    /// Where dated copies of its archives are, by the archives' names: URIs in which `{time}`
    /// stands for the moment and `{mirror}` for the mirror that was asked for.
    pub snapshots: BTreeMap<String, Uris>,
    /// The least `Date` of a suite's releases, in seconds since 1970: an older one hides updates.
    pub floors: BTreeMap<Suite, UnixTime>,
    /// Where the archives of suites are that have ended, by the archives' names.
    pub ended: BTreeMap<String, Uris>,
}

impl Vendor {
    /// Whether its snapshots are read from the mirror that is asked for.
    pub fn snapshots_ask_mirror(&self) -> bool {
        let mut uris =
            self.snapshots.values().flat_map(|uris| uris.by_arch.values().chain([&uris.default]));
        uris.any(|uri| uri.contains("{mirror}"))
    }
}

/// An archive's URI, one for all architectures or some of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uris {
    /// For architectures that have none of their own.
    pub default: String,
    /// By architecture.
    pub by_arch: BTreeMap<Arch, String>,
}

impl Uris {
    /// The URI for one architecture.
    pub fn for_arch(&self, arch: Arch) -> &str {
        self.by_arch.get(&arch).unwrap_or(&self.default)
    }

    /// What to call the host of an architecture beside others: the first that it is for, whatever
    /// its URI is at present; none for the one of all the rest.
    fn host(&self, arch: Arch) -> Option<Arch> {
        let uri = self.by_arch.get(&arch)?;
        self.by_arch.iter().find(|(_, other)| *other == uri).map(|(first, _)| *first)
    }
}

impl<'de> Deserialize<'de> for Uris {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Uris;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URI, or { default = URI, amd64 = URI }")
            }

            fn visit_str<E>(self, uri: &str) -> Result<Uris, E> {
                Ok(Uris { default: uri.to_owned(), by_arch: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Uris, A::Error> {
                let (mut default, mut by_arch) = (None, BTreeMap::new());
                while let Some(key) = map.next_key::<String>()? {
                    let uri = map.next_value()?;
                    match key.as_str() {
                        "default" => default = Some(uri),
                        name => {
                            let arch = name.parse().map_err(serde::de::Error::custom)?;
                            by_arch.insert(arch, uri);
                        }
                    }
                }
                let default = default.ok_or_else(|| serde::de::Error::missing_field("default"))?;
                Ok(Uris { default, by_arch })
            }
        }
        d.deserialize_any(OneOrMore)
    }
}

/// One suite that is part of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PocketEntry {
    /// The suite; `{dist}` stands for the codename.
    pub suite: String,
    /// Which of the vendor's archives it is in; `main` where none is named.
    #[serde(default = "main")]
    pub archive: String,
}

fn main() -> String {
    "main".to_owned()
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteEntry {
    /// Its version number, if it has one.
    pub version: Option<String>,
    /// Other names for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its pockets, where they are not the vendor's usual ones.
    pub pockets: Option<Vec<PocketEntry>>,
    /// Whether it gets no updates any more, and has moved or will.
    #[serde(default)]
    pub ended: bool,
}

/// A third party's archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThirdParty {
    /// The name that templates use.
    pub name: String,
    /// Its root, which `dists/` lies below.
    pub uri: String,
    /// Its suite; `{dist}` stands for the codename.
    pub suite: String,
    /// Components to read.
    pub components: Vec<String>,
    /// Path of the keyring that must have signed it.
    pub signed_by: String,
}

/// A distribution that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dist<'a> {
    /// Its vendor's name in the configuration.
    pub vendor_name: &'a str,
    /// Its vendor.
    pub vendor: &'a Vendor,
    /// Its codename.
    pub codename: &'a str,
    pub(super) suite: &'a SuiteEntry,
}

/// One suite to read, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pocket {
    /// The suite.
    pub suite: Suite,
    /// The name of its archive in [`Vendor::archives`].
    pub archive: String,
    /// What to remember the archive by: a name that stays the same when its URI changes.
    pub site: String,
    /// Its archive's URI for the architecture; a mirror may replace it where `archive` is `main`.
    pub uri: String,
}

impl Dist<'_> {
    /// Its version number, if it has one.
    pub fn version(&self) -> Option<&str> {
        self.suite.version.as_deref()
    }

    /// Whether it gets no updates any more.
    pub fn has_ended(&self) -> bool {
        self.suite.ended
    }

    /// The suites that make it up, in the configuration's order.
    pub fn pockets(&self, arch: Arch) -> Result<Vec<Pocket>, ConfError> {
        let pockets = self.suite.pockets.as_ref().unwrap_or(&self.vendor.pockets);
        pockets.iter().map(|pocket| self.pocket(pocket, arch)).collect()
    }

    fn pocket(&self, entry: &PocketEntry, arch: Arch) -> Result<Pocket, ConfError> {
        let PocketEntry { suite: text, archive } = entry;
        let suite = text.replace("{dist}", self.codename).parse();
        let suite = suite.map_err(|source| ConfError::BadPocket {
            vendor: self.vendor_name.to_owned(),
            pocket: text.clone(),
            source,
        })?;
        match self.vendor.archives.get(archive) {
            Some(uris) => Ok(Pocket {
                suite,
                archive: archive.clone(),
                site: uris
                    .host(arch)
                    .map_or_else(|| archive.clone(), |host| format!("{archive} of {host}")),
                uri: uris.for_arch(arch).to_owned(),
            }),
            None => Err(ConfError::UnknownArchive {
                vendor: self.vendor_name.to_owned(),
                pocket: text.clone(),
                archive: archive.clone(),
            }),
        }
    }

    /// Where a pocket is in the dated archive. `asked` is the mirror that was asked for.
    pub fn dated(
        &self,
        pocket: Pocket,
        arch: Arch,
        snapshot: Snapshot,
        asked: Option<&str>,
    ) -> Result<Pocket, ConfError> {
        let vendor = || self.vendor_name.to_owned();
        let Some(uris) = self.vendor.snapshots.get(&pocket.archive) else {
            return Err(ConfError::NoSnapshots { vendor: vendor(), archive: pocket.archive });
        };
        let pattern = uris.for_arch(arch);
        let mut uri = pattern.replace("{time}", &snapshot.to_string());
        if pattern.contains("{mirror}") {
            let no_mirror =
                || ConfError::NoMirror { vendor: vendor(), pattern: pattern.to_owned() };
            uri = uri.replace("{mirror}", asked.ok_or_else(no_mirror)?.trim_end_matches('/'));
        }
        let site = format!("{}@{snapshot}", pocket.site);
        Ok(Pocket { site, uri, ..pocket })
    }

    /// Where its archives are once it has ended, for an architecture: names and URIs.
    pub fn moved_to(&self, arch: Arch) -> impl Iterator<Item = (&str, &str)> {
        let ended = self.vendor.ended.iter().filter(|_| self.has_ended());
        ended.map(move |(name, uris)| (name.as_str(), uris.for_arch(arch)))
    }
}
