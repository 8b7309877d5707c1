//! The keys of `dmc.conf`, each of which a layer may leave out.

use super::audit::AuditFile;
use super::dated::Least;
use super::deploy::ClusterFile;
use super::farm::FarmFile;
use super::licences::LicencesFile;
use super::promotion::PromotionFile;
use super::registry::RegistryConf;
use super::signing::SigningFile;
use super::vendor::{PocketEntry, SuiteEntry, ThirdParty, Uris, Vendor};
use super::{Conf, ConfError};
use dmc_types::{Arch, Compressions, Suite};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfFile {
    dist: Option<String>,
    archs: Option<Vec<Arch>>,
    out: Option<String>,
    store: Option<String>,
    rules: Option<String>,
    jobs: Option<u16>,
    connections: Option<u16>,
    timeout: Option<u16>,
    retries: Option<u16>,
    mirror: Option<String>,
    compression: Option<Compressions>,
    engine: Option<Engine>,
    host: Option<String>,
    private_hosts: Option<Vec<String>>,
    promotion: PromotionFile,
    accept_expired: Option<Vec<Suite>>,
    audit: AuditFile,
    deploy: ClusterFile,
    licences: LicencesFile,
    signing: SigningFile,
    farm: FarmFile,
    registry: BTreeMap<String, RegistryConf>,
    vendor: BTreeMap<String, VendorFile>,
    archive: Vec<ThirdParty>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct VendorFile {
    origin: Option<String>,
    archives: BTreeMap<String, Uris>,
    components: Option<Vec<String>>,
    keyrings: Option<Vec<String>>,
    machine_keyrings: Option<Vec<String>>,
    pockets: Option<Vec<PocketEntry>>,
    suites: BTreeMap<String, SuiteEntry>,
    snapshots: BTreeMap<String, Uris>,
    floors: BTreeMap<Suite, Least>,
    ended: BTreeMap<String, Uris>,
}

/// A container engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Whichever answers.
    Auto,
    /// docker.
    Docker,
    /// podman.
    Podman,
}

pub(super) fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

impl ConfFile {
    /// Lets a later layer speak.
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.dist, later.dist);
        replace(&mut self.archs, later.archs);
        replace(&mut self.out, later.out);
        replace(&mut self.store, later.store);
        replace(&mut self.rules, later.rules);
        replace(&mut self.jobs, later.jobs);
        replace(&mut self.connections, later.connections);
        replace(&mut self.timeout, later.timeout);
        replace(&mut self.retries, later.retries);
        replace(&mut self.mirror, later.mirror);
        replace(&mut self.compression, later.compression);
        replace(&mut self.engine, later.engine);
        replace(&mut self.host, later.host);
        replace(&mut self.private_hosts, later.private_hosts);
        self.promotion.join(later.promotion);
        replace(&mut self.accept_expired, later.accept_expired);
        self.audit.join(later.audit);
        self.deploy.join(later.deploy);
        self.licences.join(later.licences);
        self.signing.join(later.signing);
        self.farm.join(later.farm);
        for (host, registry) in later.registry {
            self.registry.entry(host).or_default().join(registry);
        }
        for (name, vendor) in later.vendor {
            self.vendor.entry(name).or_default().join(vendor);
        }
        for archive in later.archive {
            self.archive.retain(|has| has.name != archive.name);
            self.archive.push(archive);
        }
    }

    pub(super) fn check(self) -> Result<Conf, ConfError> {
        let archs = need("archs", self.archs)?;
        let connections = need("connections", self.connections)?;
        if archs.is_empty() {
            return Err(bounds("archs", "names no architecture"));
        }
        let timeout = need("timeout", self.timeout)?;
        let numbers =
            [("connections", Some(connections)), ("timeout", Some(timeout)), ("jobs", self.jobs)];
        if let Some((key, _)) = numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            return Err(bounds(key, "is 0"));
        }
        let vendors = self.vendor.into_iter().map(|(name, vendor)| {
            let vendor = vendor.check(&name)?;
            Ok((name, vendor))
        });
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Conf {
            dist: need("dist", self.dist)?,
            archs,
            out: need("out", self.out)?,
            store: full(self.store),
            rules: full(self.rules),
            jobs: self.jobs,
            connections,
            timeout: Duration::from_secs(timeout.into()),
            retries: need("retries", self.retries)?,
            mirror: full(self.mirror),
            compression: need("compression", self.compression)?,
            engine: need("engine", self.engine)?,
            host: full(self.host),
            private_hosts: self.private_hosts.unwrap_or_default(),
            promotion: self.promotion.check()?,
            accept_expired: self.accept_expired.unwrap_or_default(),
            audit: self.audit.check()?,
            deploy: self.deploy.check()?,
            licences: self.licences.check(),
            signing: self.signing.check(),
            farm: self.farm.check()?,
            registries: self.registry,
            vendors: vendors.collect::<Result<_, ConfError>>()?,
            archives: self.archive,
        })
    }
}

impl VendorFile {
    fn join(&mut self, later: Self) {
        replace(&mut self.origin, later.origin);
        replace(&mut self.components, later.components);
        replace(&mut self.keyrings, later.keyrings);
        replace(&mut self.machine_keyrings, later.machine_keyrings);
        replace(&mut self.pockets, later.pockets);
        self.archives.extend(later.archives);
        self.suites.extend(later.suites);
        self.snapshots.extend(later.snapshots);
        self.floors.extend(later.floors);
        self.ended.extend(later.ended);
    }

    fn check(self, name: &str) -> Result<Vendor, ConfError> {
        let key = |key: &str| format!("vendor.{name}.{key}");
        let floors = self.floors.into_iter();
        Ok(Vendor {
            origin: need(&key("origin"), self.origin)?,
            archives: self.archives,
            components: need(&key("components"), self.components)?,
            keyrings: self.keyrings.unwrap_or_default(),
            machine_keyrings: self.machine_keyrings.unwrap_or_default(),
            pockets: need(&key("pockets"), self.pockets)?,
            suites: self.suites,
            snapshots: self.snapshots,
            floors: floors.filter_map(|(suite, least)| Some((suite, least.0?))).collect(),
            ended: self.ended,
        })
    }
}

pub(super) fn need<T>(key: &str, value: Option<T>) -> Result<T, ConfError> {
    value.ok_or_else(|| ConfError::Missing { key: key.to_owned() })
}

pub(super) fn bounds(key: &str, what: &'static str) -> ConfError {
    ConfError::Bounds { key: key.to_owned(), what }
}
