//! What differs between two locks, package by package.

use crate::lock::{Lock, LockedPackage};
use crate::names::{ArchiveName, PackageKey};
use dmc_types::{Arch, PackageName, TemplateName};
use std::collections::{BTreeMap, BTreeSet};

/// How a package of an image changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The package.
    pub package: PackageName,
    /// The third party that supplies it; none for the vendor.
    pub archive: Option<ArchiveName>,
    /// What it was; none where it is new.
    pub from: Option<LockedPackage>,
    /// What it becomes; none where it is gone.
    pub to: Option<LockedPackage>,
}

/// What differs in the image of one template on one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The template.
    pub template: TemplateName,
    /// The architecture.
    pub arch: Arch,
    /// The packages whose .deb differs, by name.
    pub changes: Vec<Change>,
}

impl Lock {
    /// What `new` says otherwise than this lock: every image of either, by template and
    /// architecture; one that is the same in both has no changes.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let images: BTreeSet<(TemplateName, Arch)> =
            [self, new].into_iter().flat_map(Self::images).collect();
        let difference = |(template, arch): (TemplateName, Arch)| {
            let changes = changes(&self.by_name(&template, arch), &new.by_name(&template, arch));
            Difference { template, arch, changes }
        };
        images.into_iter().map(difference).collect()
    }

    /// Template and architecture of every image.
    pub fn images(&self) -> impl Iterator<Item = (TemplateName, Arch)> {
        self.templates.iter().flat_map(|(name, template)| {
            template.packages.keys().map(move |arch| (name.clone(), *arch))
        })
    }

    /// An image's packages by their plain names, of which each is there once.
    fn by_name(&self, template: &TemplateName, arch: Arch) -> BTreeMap<PackageKey, &LockedPackage> {
        let image = self.image(template, arch).unwrap_or_default();
        image
            .into_iter()
            .map(|(key, row)| (PackageKey { version: None, ..key.clone() }, row))
            .collect()
    }
}

fn changes(
    old: &BTreeMap<PackageKey, &LockedPackage>,
    new: &BTreeMap<PackageKey, &LockedPackage>,
) -> Vec<Change> {
    let keys: BTreeSet<&PackageKey> = old.keys().chain(new.keys()).collect();
    let change = |key: &PackageKey| {
        let (from, to) = (old.get(key).copied(), new.get(key).copied());
        let bytes = |row: Option<&LockedPackage>| row.map(|row| row.checksum);
        (bytes(from) != bytes(to)).then(|| Change {
            package: key.package.clone(),
            archive: key.archive.clone(),
            from: from.cloned(),
            to: to.cloned(),
        })
    };
    keys.into_iter().filter_map(change).collect()
}
