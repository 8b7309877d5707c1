//! Builds that are held to a lock, and locks that are made of builds.
//!
//! To lock a template is to find its packages as a build does and to write down those that
//! answered a need; [`prove`] then finds them again among these alone, and both must come to the
//! same files. A locked build goes the same way: the packages of the lock are the whole archive to
//! it, so that everything after works as ever, and no release or index is read. What does not
//! hold is an error that names it ([`Drift`]): nothing is put right in silence.

mod drift;
mod failure;
mod file;
mod floors;
mod make;
mod prove;
mod rows;

pub use drift::Drift;
pub use failure::LockFailure;
pub use file::read_lock;
pub use floors::floors;
pub use make::{LockUpdate, LockedImages};

use crate::error::BuildError;
use crate::inputs::{OUTPUT, template_digest};
use crate::known::Releases;
use crate::workshop::Workshop;
use dmc_archive::{ArchiveError, Candidate, LockedDeb, Packages};
use dmc_lock::{Lock, LockedPackage, LockedTemplate, PackageKey};
use dmc_template::Template;
use dmc_types::{Arch, PackageName, Sha256, TemplateName};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Workshop {
    /// What of the releases reaches an image: those of the archive, or of the lock.
    pub(crate) async fn basis(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Releases, BuildError> {
        let Some(lock) = &self.settings.locked else { return self.releases().await };
        let template = self.settings.catalog.get(template.as_str())?;
        let rows = self.held(lock, template, arch)?;
        let expired = lock.releases.iter().filter(|(_, release)| release.expired);
        let expired = expired.map(|(suite, _)| suite.suite.to_string()).collect();
        let named = lock.releases.iter();
        let named = named.map(|(suite, release)| (suite.suite.to_string(), release.in_release));
        Ok(Releases { digests: vec![digest(&rows)], named: named.collect(), expired })
    }

    /// The packages that a build may use: those of the archive, or of the lock.
    pub(crate) async fn packages(
        &self,
        template: &Template,
        arch: Arch,
    ) -> Result<Arc<Packages>, BuildError> {
        let Some(lock) = &self.settings.locked else { return Ok(self.metadata.index(arch).await?) };
        let rows = self.held(lock, template, arch)?;
        let debs = rows::debs(&self.settings, lock, arch, rows).map_err(|why| self.drift(why))?;
        Ok(Arc::new(self.archive.locked(arch, &debs).await?))
    }

    /// All packages of a lock on an architecture, as they can be fetched.
    pub(crate) fn debs_of(&self, lock: &Lock, arch: Arch) -> Result<Vec<LockedDeb>, BuildError> {
        let rows = lock.packages.get(&arch).into_iter().flatten().collect();
        rows::debs(&self.settings, lock, arch, rows).map_err(|why| self.drift(why))
    }

    /// One package of a lock alone, fetched where the store does not have it; none where the lock
    /// does not have it either.
    pub(crate) async fn package_of(
        &self,
        lock: &Lock,
        arch: Arch,
        deb: &Sha256,
    ) -> Result<Option<Arc<Packages>>, BuildError> {
        let store = self.archive.store();
        let mut rows = BTreeMap::new();
        for (key, row) in lock.packages.get(&arch).into_iter().flatten() {
            if store.key(&row.checksum).map_err(ArchiveError::from)? == Some(*deb) {
                rows.insert(key, row);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let debs = rows::debs(&self.settings, lock, arch, rows).map_err(|why| self.drift(why))?;
        Ok(Some(Arc::new(self.archive.locked(arch, &debs).await?)))
    }

    /// Whether what was chosen for an image is what the lock has of it.
    pub(crate) fn check_choice(
        &self,
        template: &Template,
        arch: Arch,
        chosen: &BTreeMap<PackageName, Candidate>,
    ) -> Result<(), BuildError> {
        let Some(lock) = &self.settings.locked else { return Ok(()) };
        let rows = self.held(lock, template, arch)?;
        let chosen: BTreeSet<PackageKey> = chosen.values().map(rows::key).collect();
        let plain = |key: &PackageKey| PackageKey { version: None, ..key.clone() };
        let idle = rows.keys().copied().map(plain).filter(|key| !chosen.contains(key));
        let idle: Vec<String> = idle.map(|key| key.to_string()).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let template = template.name().clone();
        Err(self.drift(Drift::NotNeeded { template, arch, packages: idle }))
    }

    /// Where a lock was to be enough for an image and is not, what is missing is the lock's matter.
    pub(crate) fn not_enough(
        &self,
        template: &Template,
        arch: Arch,
        error: BuildError,
    ) -> BuildError {
        let template = template.name().clone();
        match error {
            error if self.settings.locked.is_none() => error,
            BuildError::UnknownPackage { package, .. } => {
                self.drift(Drift::NotLocked { template, arch, package })
            }
            BuildError::UnknownExtension { .. }
            | BuildError::NoPackageLike { .. }
            | BuildError::Unsolvable { .. }
            | BuildError::Walk { .. } => {
                self.drift(Drift::NotEnough { template, arch, why: error.to_string() })
            }
            error => error,
        }
    }

    /// What the lock has of an image, if everything that the packages were chosen by is as it was.
    fn held<'a>(
        &self,
        lock: &'a Lock,
        template: &Template,
        arch: Arch,
    ) -> Result<BTreeMap<&'a PackageKey, &'a LockedPackage>, BuildError> {
        let name = template.name();
        let held = || {
            if lock.output != OUTPUT {
                return Err(Drift::Output { locked: lock.output.clone() });
            }
            let asked = &self.settings.conf.dist;
            if codename(&lock.dist) != codename(asked) {
                return Err(Drift::Dist { locked: lock.dist.clone(), asked: asked.clone() });
            }
            if lock.rules != self.settings.rules_digest() {
                return Err(Drift::Rules);
            }
            let locked: Option<&LockedTemplate> = lock.templates.get(name);
            let locked = locked.ok_or_else(|| Drift::NoTemplate { template: name.clone() })?;
            if locked.digest != template_digest(template) {
                return Err(Drift::Template { template: name.clone() });
            }
            if locked.small != self.settings.variant.small {
                return Err(Drift::Small { template: name.clone(), locked: locked.small });
            }
            lock.image(name, arch).ok_or_else(|| Drift::NoArch { template: name.clone(), arch })
        };
        held().map_err(|why| self.drift(why))
    }

    fn drift(&self, why: Drift) -> BuildError {
        BuildError::Drift { path: self.settings.lock_file.clone(), why: Box::new(why) }
    }
}

/// `trixie` of `trixie@20260912T080000Z`.
fn codename(dist: &str) -> &str {
    dist.split_once('@').map_or(dist, |(codename, _)| codename)
}

/// A digest of an image's packages: two locks that give the same give the same image. Where a
/// package lies and which suite it is of does not reach the image.
fn digest(rows: &BTreeMap<&PackageKey, &LockedPackage>) -> Sha256 {
    let mut hash = sha2::Sha256::new();
    for (key, row) in rows {
        let archive = key.archive.as_ref().map_or("", |archive| archive.as_str());
        hash.update(format!("{}@{archive} {}\n", key.package, row.checksum));
    }
    Sha256::from_bytes(hash.finalize().into())
}
