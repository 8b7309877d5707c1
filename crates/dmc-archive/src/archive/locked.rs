//! Packages that a lock names: no release vouches for them here and no index is read, as their
//! digests are known.

use super::Archive;
use crate::error::ArchiveError;
use crate::index::{Candidate, PackageIndex, Packages, Part, Pocket, stanza};
use crate::mirror::{self, MirrorError};
use crate::package::PackageError;
use crate::release::Owner;
use crate::spec::SiteSpec;
use dmc_deb::version::Version;
use dmc_types::{Arch, Checksum, PackageFacts, PackageName, Sha256, Suite};
use futures::future::try_join_all;
use reqwest::Url;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A .deb that is known by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedDeb {
    /// Its package.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
    /// Its architecture; none for `all`.
    pub arch: Option<Arch>,
    /// Where it lies below its archive's base address.
    pub filename: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it must be.
    pub checksum: Checksum,
    /// Whose release vouched for it when it was locked.
    pub origin: Origin,
}

/// The release that vouched for a package when it was locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Whose it is.
    pub owner: Owner,
    /// The suite.
    pub suite: Suite,
    /// SHA-256 of its `InRelease`.
    pub in_release: Sha256,
    /// Fingerprint of the certificate that signed that.
    pub signer: String,
    /// Where the archive is kept as it was then, for what it does not have any more.
    pub past: Option<Url>,
}

impl Archive {
    /// The packages of an architecture as if there were none but these. Each is fetched where the
    /// store does not have it, from the first address of its archive that does.
    pub async fn locked(&self, arch: Arch, debs: &[LockedDeb]) -> Result<Packages, ArchiveError> {
        let mut origins: BTreeMap<&Origin, Vec<&LockedDeb>> = BTreeMap::new();
        for deb in debs {
            origins.entry(&deb.origin).or_default().push(deb);
        }
        let parts = origins.into_iter().map(|(origin, debs)| self.locked_part(arch, origin, debs));
        Ok(Packages::of_lock(arch, try_join_all(parts).await?))
    }

    async fn locked_part(
        &self,
        arch: Arch,
        origin: &Origin,
        debs: Vec<&LockedDeb>,
    ) -> Result<Part, ArchiveError> {
        let pockets = self.addresses(arch, origin);
        let first = pockets.first().cloned().ok_or_else(|| self.no_address(origin))?;
        let facts = debs.iter().map(|deb| self.locked_facts(deb, &pockets));
        let facts = try_join_all(facts).await?;
        let stanzas = debs
            .iter()
            .zip(facts)
            .map(|(deb, facts)| stanza(&facts.control, &deb.filename, deb.size, &deb.checksum));
        let index = PackageIndex::of_stanzas(&stanzas.collect::<Vec<_>>())?;
        Ok(Part { pocket: first, index })
    }

    /// The facts of a package. Requests for one package at the same time share the work.
    async fn locked_facts(
        &self,
        deb: &LockedDeb,
        pockets: &[Arc<Pocket>],
    ) -> Result<Arc<PackageFacts>, ArchiveError> {
        let cell = self.facts.cell(deb.checksum);
        let found = cell.get_or_try_init(|| self.find_locked(deb, pockets)).await;
        let facts = match found {
            Ok(facts) => Arc::clone(facts),
            Err(ArchiveError::Package(error)) => return Err(error.of_a_lock().into()),
            Err(error) => return Err(error),
        };
        deb.check(&facts)?;
        Ok(facts)
    }

    /// From the store, else from the first address that has it.
    async fn find_locked(
        &self,
        deb: &LockedDeb,
        pockets: &[Arc<Pocket>],
    ) -> Result<Arc<PackageFacts>, ArchiveError> {
        let mut first = None;
        for candidate in pockets.iter().map(|pocket| deb.candidate(pocket)) {
            if let Some(facts) = self.facts_at_hand(&candidate).await? {
                return Ok(facts);
            }
            match self.fetch_present_deb(&candidate).await {
                Ok(_) => {
                    if let Some(facts) = self.facts_at_hand(&candidate).await? {
                        return Ok(facts);
                    }
                }
                Err(error @ ArchiveError::Fetch(_)) => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| self.no_address(&deb.origin)))
    }

    /// Fetches a .deb into the store, from the first address that has it.
    pub(super) async fn fetch_locked(
        &self,
        arch: Arch,
        deb: &LockedDeb,
    ) -> Result<Sha256, ArchiveError> {
        let mut first = None;
        for pocket in self.addresses(arch, &deb.origin) {
            match self.fetch_present_deb(&deb.candidate(&pocket)).await {
                Err(error @ ArchiveError::Fetch(_)) => first = first.or(Some(error)),
                other => return other,
            }
        }
        Err(first.unwrap_or_else(|| self.no_address(&deb.origin)))
    }

    /// Where an archive may be read, best first, and last where its past is kept.
    fn addresses(&self, arch: Arch, origin: &Origin) -> Vec<Arc<Pocket>> {
        let spec = &self.spec;
        let mut urls: Vec<Url> = Vec::new();
        match &origin.owner {
            Owner::Vendor(role) => {
                let sites = spec.vendor.sites.iter().filter(|site| site.role == *role);
                let carries = |site: &&SiteSpec| {
                    site.archs.as_ref().is_none_or(|archs| archs.contains(&arch))
                };
                for site in sites.filter(carries) {
                    let mirrors = mirror::candidates(site, spec.mirror.as_ref(), &self.apt);
                    match spec.snapshot {
                        Some(_) => urls.push(site.default.clone()),
                        None => urls.extend(mirrors.into_iter().map(|mirror| mirror.url)),
                    }
                }
            }
            Owner::ThirdParty(name) => {
                let known = spec.third_parties.iter().filter(|known| known.name == *name);
                urls.extend(known.map(|known| known.url.clone()));
            }
        }
        urls.extend(origin.past.clone());
        urls.into_iter().map(|url| Arc::new(origin.pocket(url))).collect()
    }

    fn no_address(&self, origin: &Origin) -> ArchiveError {
        let vendor = match &origin.owner {
            Owner::Vendor(_) => self.spec.vendor.name.clone(),
            Owner::ThirdParty(name) => name.clone(),
        };
        MirrorError::NoMirror { vendor }.into()
    }
}

impl Origin {
    fn pocket(&self, url: Url) -> Pocket {
        Pocket {
            owner: self.owner.clone(),
            url,
            suite: self.suite.clone(),
            component: String::new(),
            in_release: self.in_release,
            signer: self.signer.clone(),
        }
    }
}

impl LockedDeb {
    /// As a candidate that can be fetched; what it depends on is not known yet.
    fn candidate(&self, pocket: &Arc<Pocket>) -> Candidate {
        Candidate {
            package: self.package.clone(),
            version: self.version.clone(),
            source: String::new(),
            source_version: String::new(),
            arch: self.arch,
            pre_depends: String::new(),
            depends: String::new(),
            provides: String::new(),
            conflicts: String::new(),
            breaks: String::new(),
            multi_arch: String::new(),
            priority: String::new(),
            essential: false,
            filename: self.filename.clone(),
            size: self.size,
            installed_size: None,
            checksum: self.checksum,
            pocket: Arc::clone(pocket),
        }
    }

    /// Facts that were in the store already were checked against another entry.
    fn check(&self, facts: &PackageFacts) -> Result<(), PackageError> {
        let arch = |arch: Option<Arch>| arch.map_or("all", Arch::name).to_owned();
        let fields = [
            ("Package", facts.package.to_string(), self.package.to_string()),
            ("Version", facts.version.clone(), self.version.as_str().to_owned()),
            ("Architecture", arch(facts.arch), arch(self.arch)),
        ];
        match fields.into_iter().find(|(_, found, expected)| found != expected) {
            None => Ok(()),
            Some((field, found, expected)) => {
                let package = self.filename.clone();
                Err(PackageError::NotLocked { package, field, found, expected })
            }
        }
    }
}
