//! Everything that a run depends on, and how configuration becomes the archive's words.

use crate::audit::AuditSettings;
use crate::error::BuildError;
use crate::signing::Passwords;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_archive::release::Owner;
use dmc_archive::{
    ArchiveSpec, Floor, Keyrings, Role, ShippedKeyring, SiteSpec, ThirdPartySpec, Url, VendorSpec,
};
use dmc_lock::Lock;
use dmc_registry::Repository;
use dmc_system::Grammar;
use dmc_template::{Catalog, Conf, Dist, Pocket, Snapshot, ThirdParty};
use dmc_types::{Arch, Compressions, Rule, Suite, UnixTime};
use dmc_verify::Tables;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the caller has worked out from command line, environment and configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration, with command line and environment put over it.
    pub conf: Conf,
    /// All templates.
    pub catalog: Catalog,
    /// Rule files: name and text.
    pub rules: Vec<(String, Vec<u8>)>,
    /// The text of `conf/verify.toml`.
    pub verify: String,
    /// The text of `conf/scripts.toml`.
    pub scripts: String,
    /// The text of `conf/licences.toml`.
    pub licences: String,
    /// Shipped keyrings by the name that configuration gives them.
    pub keyrings: BTreeMap<String, Cow<'static, [u8]>>,
    /// How layers are compressed, for each form of an image.
    pub compression: Compressions,
    /// The store's folder.
    pub store: Utf8PathBuf,
    /// The layout's folder.
    pub out: Utf8PathBuf,
    /// Where `/etc/apt` of the machine is found: `/` but in tests.
    pub apt_root: Utf8PathBuf,
    /// The time by which releases are judged.
    pub now: UnixTime,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: Option<UnixTime>,
    /// Whether architectures may differ in the version.
    pub allow_skew: bool,
    /// Whether an edge of the closure that stays open fails the image.
    pub strict: bool,
    /// Whether images are built although they are known to be the same.
    pub force: bool,
    /// The file of the lock.
    pub lock_file: Utf8PathBuf,
    /// The lock that builds are held to.
    pub locked: Option<Arc<Lock>>,
    /// Which images are made of the templates.
    pub variant: Variant,
    /// Suites that may be older than last time.
    pub accept_rollback: BTreeSet<Suite>,
    /// Certificates that may sign suites which others signed last time, by fingerprint.
    pub accept_keys: BTreeSet<String>,
    /// Files that may say who the user is for a registry, in the order in which they count.
    pub auth_files: Vec<Utf8PathBuf>,
    /// What images are held against.
    pub audit: AuditSettings,
    /// A repository with .debs and package indices that is asked before the mirrors.
    pub cache: Option<Repository>,
    /// Whoever knows the passwords of keys.
    pub passwords: Arc<dyn Passwords>,
    /// What is known of suites besides the configuration's floors.
    pub floors: Vec<Floor>,
    /// The moment of the dated archive to read; none for the archive as it is.
    pub snapshot: Option<Snapshot>,
}

/// What is made of a template besides what it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Variant {
    /// Whole packages with all that they depend on, whatever the template's mode.
    pub small: bool,
}

impl Settings {
    /// The distribution as it is asked for: `trixie`, or `trixie@20260912T080000Z`.
    pub fn dist(&self) -> String {
        match self.snapshot {
            Some(snapshot) => format!("{}@{snapshot}", self.conf.dist),
            None => self.conf.dist.clone(),
        }
    }

    /// The rules on an architecture.
    pub(crate) fn rules(&self, arch: Arch) -> Result<Vec<Rule>, BuildError> {
        let files = self.rules.iter().map(|(name, text)| (name.as_str(), text.as_slice()));
        Ok(dmc_template::read_rules(files, arch)?)
    }

    /// What verify knows of Debian's software.
    pub(crate) fn verify_tables(&self) -> Result<Tables, BuildError> {
        Ok(Tables::parse(&self.verify)?)
    }

    /// What is known of statements of maintainer scripts.
    pub(crate) fn grammar(&self) -> Result<Grammar, BuildError> {
        Ok(Grammar::read("conf/scripts.toml", &self.scripts)?)
    }

    /// What to read, in the words of the archive.
    pub(crate) fn archive_spec(&self) -> Result<ArchiveSpec, BuildError> {
        let conf = &self.conf;
        let dist = conf.dist(&conf.dist)?;
        let mirror = conf.mirror.as_deref().map(address).transpose()?;
        Ok(ArchiveSpec {
            vendor: VendorSpec {
                name: dist.vendor_name.to_owned(),
                origin: dist.vendor.origin.clone(),
                sites: self.sites()?,
                keyrings: self
                    .vendor_keyrings(&dist.vendor.keyrings, &dist.vendor.machine_keyrings),
                moved_to: self.moved_to(&dist),
            },
            mirror: mirror.filter(|_| self.snapshot.is_none()),
            third_parties: conf
                .archives
                .iter()
                .map(|archive| third_party(archive, dist.codename))
                .collect::<Result<_, _>>()?,
            accept_expired: conf.accept_expired.iter().cloned().collect(),
            accept_rollback: self.accept_rollback.clone(),
            accept_keys: self.accept_keys.clone(),
            floors: self.floors(&dist)?,
            snapshot: self.snapshot.map(Snapshot::time),
            now: self.now,
        })
    }

    /// The vendor's sites: pockets at one address belong together.
    fn sites(&self) -> Result<Vec<SiteSpec>, BuildError> {
        let dist = self.conf.dist(&self.conf.dist)?;
        let mut sites: BTreeMap<(Role, String), SiteSpec> = BTreeMap::new();
        for arch in &self.conf.archs {
            for pocket in dist.pockets(*arch)? {
                let role = role(&pocket);
                let pocket = match self.snapshot {
                    Some(at) => dist.dated(pocket, *arch, at, self.conf.mirror.as_deref())?,
                    None => pocket,
                };
                let default = address(&pocket.uri)?;
                let site = sites.entry((role, pocket.uri)).or_insert_with(|| SiteSpec {
                    role,
                    name: pocket.site,
                    archs: None,
                    default,
                    pockets: Vec::new(),
                    components: dist.vendor.components.clone(),
                });
                site.archs.get_or_insert_default().insert(*arch);
                if !site.pockets.contains(&pocket.suite) {
                    site.pockets.push(pocket.suite);
                }
            }
        }
        Ok(sites.into_values().collect())
    }

    /// Where a suite is kept as it was soon after a release of it: a day later, when that release
    /// has surely been taken in and what it replaced has not been thrown away.
    pub(crate) fn past(&self, arch: Arch, suite: &Suite, release: UnixTime) -> Option<Url> {
        const DAY: UnixTime = 24 * 3600;
        let dist = self.conf.dist(&self.conf.dist).ok()?;
        let pocket = dist.pockets(arch).ok()?.into_iter().find(|pocket| pocket.suite == *suite)?;
        let at = Snapshot::at(release.saturating_add(DAY).min(self.now))?;
        let pocket = dist.dated(pocket, arch, at, self.conf.mirror.as_deref()).ok()?;
        address(&pocket.uri).ok()
    }

    /// The configuration's floors under the distribution's suites, then the others.
    fn floors(&self, dist: &Dist<'_>) -> Result<Vec<Floor>, BuildError> {
        let mut floors = Vec::new();
        for pocket in dist.pockets(Arch::Amd64)? {
            if let Some(date) = dist.vendor.floors.get(&pocket.suite) {
                floors.push(Floor {
                    owner: Owner::Vendor(role(&pocket)),
                    date: *date,
                    signer: None,
                    from: format!("[vendor.{}.floors] of the configuration", dist.vendor_name),
                    suite: pocket.suite,
                });
            }
        }
        floors.extend(self.floors.iter().cloned());
        Ok(floors)
    }

    fn moved_to(&self, dist: &Dist<'_>) -> Vec<(String, String)> {
        let arch = self.conf.archs.first().copied().unwrap_or(Arch::Amd64);
        dist.moved_to(arch).map(|(name, uri)| (name.to_owned(), uri.to_owned())).collect()
    }

    fn vendor_keyrings(&self, shipped: &[String], machine: &[String]) -> Keyrings {
        let shipped = shipped.iter().filter_map(|name| {
            let bytes = self.keyrings.get(name)?.clone();
            Some(ShippedKeyring { name: name.clone(), bytes })
        });
        Keyrings {
            machine: machine.iter().map(Utf8PathBuf::from).collect(),
            shipped: shipped.collect(),
        }
    }
}

fn role(pocket: &Pocket) -> Role {
    match pocket.archive.as_str() {
        "security" => Role::Security,
        _ => Role::Main,
    }
}

fn third_party(archive: &ThirdParty, codename: &str) -> Result<ThirdPartySpec, BuildError> {
    let path = Utf8Path::new(&archive.signed_by);
    let bytes = std::fs::read(path)
        .map_err(|source| BuildError::Keyring { path: path.to_owned(), source })?;
    let suite = archive.suite.replace("{dist}", codename);
    Ok(ThirdPartySpec {
        name: archive.name.clone(),
        url: address(&archive.uri)?,
        suite: suite.parse().map_err(|error: dmc_types::NameError| BuildError::Address {
            text: suite.clone(),
            why: error.to_string(),
        })?,
        components: archive.components.clone(),
        origin: None,
        archs: None,
        keyrings: Keyrings {
            machine: Vec::new(),
            shipped: vec![ShippedKeyring { name: archive.signed_by.clone(), bytes: bytes.into() }],
        },
    })
}

/// An archive's address; a plain path means the folder on this machine.
fn address(text: &str) -> Result<Url, BuildError> {
    let refused = |why: &str| BuildError::Address { text: text.to_owned(), why: why.to_owned() };
    let spelled = if text.starts_with('/') { format!("file://{text}") } else { text.to_owned() };
    let url = Url::parse(&spelled).map_err(|error| refused(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" | "file" => Ok(url),
        _ => Err(refused("only http, https and file are read")),
    }
}
