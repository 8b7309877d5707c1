//! What a lock holds.

use crate::names::{Fingerprint, PackageKey, PoolPath, SuiteKey, VersionText};
use dmc_types::{Arch, Checksum, Sha256, TemplateName, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

/// The packages of images, and what they were chosen by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// dmc's output version: builds of different ones may differ in bytes.
    pub output: String,
    /// The distribution's codename, with `@TIME` where a dated archive was read.
    pub dist: String,
    /// Digest of all files of rules.
    pub rules: Sha256,
    /// The releases that vouched for the packages.
    pub releases: BTreeMap<SuiteKey, LockedRelease>,
    /// The packages of all templates.
    pub packages: BTreeMap<Arch, BTreeMap<PackageKey, LockedPackage>>,
    /// The templates.
    pub templates: BTreeMap<TemplateName, LockedTemplate>,
}

/// A release that vouched for packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedRelease {
    /// What part of the vendor's archive it is of; none for a third party's.
    pub role: Option<Role>,
    /// Its `Date`.
    pub date: UnixTime,
    /// SHA-256 of its `InRelease`.
    pub in_release: Sha256,
    /// Whose signature it was accepted by.
    pub signer: Fingerprint,
    /// Whether it was accepted although it had expired.
    pub expired: bool,
}

/// What a suite is to its vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The release itself or its updates.
    Main,
    /// Security updates.
    Security,
}

/// One .deb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Its version.
    pub version: VersionText,
    /// Its architecture; none for `all`.
    pub arch: Option<Arch>,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub checksum: Checksum,
    /// The release that vouched for it.
    pub suite: SuiteKey,
    /// Where it lies below the archive's base address.
    pub path: PoolPath,
}

/// What a template's images are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedTemplate {
    /// Digest of the template's text and files, those that it extends among them.
    pub digest: Sha256,
    /// Whether whole packages were asked for, whatever the template says.
    pub small: bool,
    /// The packages on each architecture.
    pub packages: BTreeMap<Arch, BTreeSet<PackageKey>>,
}

impl Lock {
    /// A lock of no template yet.
    pub fn new(output: &str, dist: &str, rules: Sha256) -> Self {
        Self {
            output: output.to_owned(),
            dist: dist.to_owned(),
            rules,
            releases: BTreeMap::new(),
            packages: BTreeMap::new(),
            templates: BTreeMap::new(),
        }
    }

    /// The packages of a template's image; none where the lock does not have that image.
    pub fn image(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Option<BTreeMap<&PackageKey, &LockedPackage>> {
        let keys = self.templates.get(template)?.packages.get(&arch)?;
        let rows = self.packages.get(&arch);
        Some(keys.iter().filter_map(|key| Some((key, rows?.get(key)?))).collect())
    }

    /// Every .deb of the lock.
    pub fn debs(&self) -> impl Iterator<Item = &LockedPackage> {
        self.packages.values().flat_map(BTreeMap::values)
    }

    /// Puts releases in the place of those of the same suites. Of the others those stay that a
    /// package is of.
    pub fn put_releases(&mut self, new: BTreeMap<SuiteKey, LockedRelease>) {
        let used: BTreeSet<SuiteKey> = self.debs().map(|row| row.suite.clone()).collect();
        self.releases.retain(|suite, _| used.contains(suite));
        self.releases.extend(new);
    }

    /// Puts a template in the place of what the lock had of it. Images on architectures that are
    /// not among `images` stay where they were chosen by the same template.
    ///
    /// A package that another template still has in another version keeps that one too, under
    /// `NAME=VERSION`. Where even that name is taken, by other bytes of the same version, the other
    /// template's image leaves the lock: a name never leads to other bytes than before.
    pub fn put(
        &mut self,
        template: &TemplateName,
        (digest, small): (Sha256, bool),
        images: BTreeMap<Arch, BTreeMap<PackageKey, LockedPackage>>,
    ) {
        let new = LockedTemplate { digest, small, packages: BTreeMap::new() };
        let same = |old: &&mut LockedTemplate| old.digest == digest && old.small == small;
        match self.templates.get_mut(template).filter(same) {
            Some(old) => old.packages.retain(|arch, _| !images.contains_key(arch)),
            None => drop(self.templates.insert(template.clone(), new)),
        }
        self.forget_unused();
        for (arch, rows) in images {
            let keys = rows.keys().cloned().collect();
            for (key, row) in rows {
                self.put_package(arch, &key, row);
            }
            if let Some(locked) = self.templates.get_mut(template) {
                locked.packages.insert(arch, keys);
            }
        }
        self.forget_unused();
    }

    fn put_package(&mut self, arch: Arch, key: &PackageKey, row: LockedPackage) {
        let named =
            |row: &LockedPackage| PackageKey { version: Some(row.version.clone()), ..key.clone() };
        let (aside, version, checksum) = (named(&row), row.version.clone(), row.checksum);
        let is_new = |old: &LockedPackage| (&old.version, old.checksum) == (&version, checksum);
        let rows = self.packages.entry(arch).or_default();
        // What went by its version so far goes by its name again.
        let returns = rows.get(&aside).is_some_and(is_new);
        if returns {
            rows.remove(&aside);
        }
        let old = rows.insert(key.clone(), row).filter(|old| !is_new(old));
        match old.map(|old| (named(&old), old)) {
            None => {}
            Some((place, _)) if rows.contains_key(&place) => self.forget_images_with(arch, key),
            Some((place, old)) => {
                rows.insert(place.clone(), old);
                self.rename(arch, key, &place);
            }
        }
        if returns {
            self.rename(arch, &aside, key);
        }
    }

    fn forget_images_with(&mut self, arch: Arch, key: &PackageKey) {
        for template in self.templates.values_mut() {
            if template.packages.get(&arch).is_some_and(|keys| keys.contains(key)) {
                template.packages.remove(&arch);
            }
        }
    }

    /// Removes the packages that no template uses any more, and lets the last version of each go
    /// by its name alone.
    fn forget_unused(&mut self) {
        for (arch, rows) in &mut self.packages {
            let used: BTreeSet<&PackageKey> = self
                .templates
                .values()
                .filter_map(|template| template.packages.get(arch))
                .flatten()
                .collect();
            rows.retain(|key, _| used.contains(key));
        }
        self.packages.retain(|_, rows| !rows.is_empty());
        for arch in self.packages.keys().copied().collect::<Vec<_>>() {
            self.shorten(arch);
        }
    }

    /// `NAME=VERSION` where there is no other version becomes `NAME`.
    fn shorten(&mut self, arch: Arch) {
        let Some(rows) = self.packages.get(&arch) else { return };
        let plain = |key: &PackageKey| PackageKey { version: None, ..key.clone() };
        let mut versions: BTreeMap<PackageKey, usize> = BTreeMap::new();
        for key in rows.keys() {
            *versions.entry(plain(key)).or_default() += 1;
        }
        let alone: Vec<PackageKey> = rows
            .keys()
            .filter(|key| key.version.is_some() && versions.get(&plain(key)) == Some(&1))
            .cloned()
            .collect();
        for key in alone {
            let short = plain(&key);
            if let Some(rows) = self.packages.get_mut(&arch)
                && let Some(row) = rows.remove(&key)
            {
                rows.insert(short.clone(), row);
            }
            self.rename(arch, &key, &short);
        }
    }

    fn rename(&mut self, arch: Arch, from: &PackageKey, to: &PackageKey) {
        for template in self.templates.values_mut() {
            if let Some(keys) = template.packages.get_mut(&arch)
                && keys.remove(from)
            {
                keys.insert(to.clone());
            }
        }
    }
}
