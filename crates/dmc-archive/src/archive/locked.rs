//! Packages that a lock names: no release vouches for them here and no index is read, as their
//! digests are known.

use super::Archive;
use crate::error::ArchiveError;
use crate::index::{Candidate, PackageIndex, Packages, Part, Pocket, stanza};
use crate::mirror::{self, MirrorError};
use crate::package::PackageError;
use crate::release::Owner;
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
        let mut pockets = self.addresses(arch, origin)?;
        if let ([first, ..], true) = (&debs[..], pockets.len() > 1) {
            // Which address has this archive, one package tells for all.
            let (_, works) = self.locked_facts(first, &pockets).await?;
            pockets.rotate_left(works);
        }
        let facts = debs.iter().map(|deb| self.locked_facts(deb, &pockets));
        let facts = try_join_all(facts).await?;
        let stanzas = debs.iter().zip(facts).map(|(deb, (facts, _))| {
            stanza(&facts.control, &deb.filename, deb.size, &deb.checksum)
        });
        let index = PackageIndex::of_stanzas(&stanzas.collect::<Vec<_>>())?;
        let pocket = pockets.into_iter().next().ok_or_else(|| self.no_address(origin))?;
        Ok(Part { pocket, index })
    }

    /// The facts of a package, and the number of the address that it came from.
    async fn locked_facts(
        &self,
        deb: &LockedDeb,
        pockets: &[Arc<Pocket>],
    ) -> Result<(Arc<PackageFacts>, usize), ArchiveError> {
        let mut last = self.no_address(&deb.origin);
        for (number, pocket) in pockets.iter().enumerate() {
            let candidate = deb.candidate(pocket);
            match self.facts(&candidate).await {
                Ok(facts) => {
                    deb.check(&facts)?;
                    return Ok((facts, number));
                }
                Err(error @ ArchiveError::Fetch(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Where an archive may be read, best first.
    fn addresses(&self, arch: Arch, origin: &Origin) -> Result<Vec<Arc<Pocket>>, ArchiveError> {
        let urls: Vec<Url> = match &origin.owner {
            Owner::Vendor(role) => {
                let carries = |archs: &Option<_>| {
                    archs.as_ref().is_none_or(|archs: &std::collections::BTreeSet<Arch>| {
                        archs.contains(&arch)
                    })
                };
                let sites = &self.spec.vendor.sites;
                let of_role =
                    sites.iter().filter(|site| site.role == *role && carries(&site.archs));
                let mirrors = of_role.flat_map(|site| {
                    mirror::candidates(site, self.spec.mirror.as_ref(), &self.apt)
                });
                mirrors.map(|mirror| mirror.url).collect()
            }
            Owner::ThirdParty(name) => {
                let known = self.spec.third_parties.iter().filter(|known| known.name == *name);
                known.map(|known| known.url.clone()).collect()
            }
        };
        if urls.is_empty() {
            return Err(self.no_address(origin));
        }
        Ok(urls.into_iter().map(|url| Arc::new(origin.pocket(url))).collect())
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
                Err(PackageError::Mismatch { package, field, found, expected })
            }
        }
    }
}
