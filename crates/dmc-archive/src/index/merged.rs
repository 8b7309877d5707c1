//! All indices of one architecture as one.

use super::{Candidate, IndexError, PackageIndex, Pocket};
use crate::release::Owner;
use dmc_types::{Arch, PackageName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The packages of one architecture.
#[derive(Debug)]
pub struct Packages {
    arch: Arch,
    parts: Vec<Part>,
    /// Whether these are the packages of a lock, chosen once and all of them wanted.
    chosen: bool,
}

/// One index and where it came from.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) pocket: Arc<Pocket>,
    pub(crate) index: PackageIndex,
}

impl Packages {
    pub(crate) fn new(arch: Arch, parts: Vec<Part>) -> Self {
        Self { arch, parts, chosen: false }
    }

    /// The packages of a lock.
    pub(crate) fn of_lock(arch: Arch, parts: Vec<Part>) -> Self {
        Self { arch, parts, chosen: true }
    }

    /// The vendor's packages that were chosen by an earlier run, by name: what led to them may not
    /// be among them. None where the indices are an archive's.
    pub fn chosen(&self) -> Result<Vec<Candidate>, IndexError> {
        let mut names: BTreeSet<PackageName> = BTreeSet::new();
        let vendors = |part: &&Part| part.pocket.owner.is_vendor();
        for part in self.parts.iter().filter(|_| self.chosen).filter(vendors) {
            for name in part.index.names() {
                names.extend(name?.parse::<PackageName>().ok());
            }
        }
        let found = names.iter().map(|name| self.package(name));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Gives back the memory that lookups took; later ones take it again.
    pub fn give_back(&self) {
        self.parts.iter().for_each(|part| part.index.give_back());
    }

    /// The architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// How many packages the indices hold, all together.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.index.len()).sum()
    }

    /// Whether they hold none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vendor's package of this name, in its highest version; the earlier pocket's where two
    /// have the same.
    pub fn package(&self, name: &PackageName) -> Result<Option<Candidate>, IndexError> {
        Ok(highest(self.named(&Owner::is_vendor, name)?))
    }

    /// A third-party archive's package of this name, in its highest version.
    pub fn package_from(
        &self,
        archive: &str,
        name: &PackageName,
    ) -> Result<Option<Candidate>, IndexError> {
        Ok(highest(self.named(&|owner| owner.is_third_party(archive), name)?))
    }

    /// Every package of this name, whatever its version and whoever ships it.
    pub fn all_named(&self, name: &PackageName) -> Result<Vec<Candidate>, IndexError> {
        self.named(&|_anybody| true, name)
    }

    /// The vendor's packages, in their highest versions, that provide this name; by name.
    pub fn providers(&self, name: &PackageName) -> Result<Vec<Candidate>, IndexError> {
        let mut names = BTreeSet::new();
        for part in self.parts.iter().filter(|part| part.pocket.owner.is_vendor()) {
            let found = part.index.providers(name.as_str(), |row| row.name.parse().ok())?;
            names.extend(found.into_iter().flatten());
        }
        let mut found = Vec::new();
        for package in names {
            // An older version may have provided what the highest does not any more.
            let highest = self.package(&package)?;
            let provides = |c: &Candidate| c.provisions().iter().any(|item| item.name == *name);
            found.extend(highest.filter(provides));
        }
        Ok(found)
    }

    /// The vendor's packages that are essential in their highest version, by name.
    pub fn essential(&self) -> Result<Vec<Candidate>, IndexError> {
        let mut names: BTreeSet<PackageName> = BTreeSet::new();
        for part in self.parts.iter().filter(|part| part.pocket.owner.is_vendor()) {
            names.extend(part.index.essential()?.iter().filter_map(|name| name.parse().ok()));
        }
        let mut found = Vec::new();
        for name in names {
            found.extend(self.package(&name)?.filter(|candidate| candidate.essential));
        }
        Ok(found)
    }

    /// Names of packages that are spelled much like this one, the nearest first; at most three.
    pub fn nearest(&self, name: &str) -> Result<Vec<PackageName>, IndexError> {
        let furthest = 1 + name.len() / 4;
        let mut near: BTreeMap<&str, usize> = BTreeMap::new();
        for part in &self.parts {
            for other in part.index.names() {
                let other = other?;
                if other.len().abs_diff(name.len()) > furthest {
                    continue;
                }
                let distance = strsim::damerau_levenshtein(name, other);
                if distance <= furthest {
                    near.insert(other, distance);
                }
            }
        }
        let mut near: Vec<(usize, &str)> =
            near.into_iter().map(|(name, far)| (far, name)).collect();
        near.sort_unstable();
        Ok(near.into_iter().take(3).filter_map(|(_, name)| name.parse().ok()).collect())
    }

    fn named(
        &self,
        owned: &dyn Fn(&Owner) -> bool,
        name: &PackageName,
    ) -> Result<Vec<Candidate>, IndexError> {
        let mut found = Vec::new();
        for part in self.parts.iter().filter(|part| owned(&part.pocket.owner)) {
            let candidates = part.index.packages(name.as_str(), |row| {
                let candidate = Candidate::from_row(&row, &part.pocket);
                if candidate.is_none() {
                    let (package, version) = (row.name, row.version);
                    tracing::warn!(package, version, "an entry that cannot be read is passed over");
                }
                candidate
            });
            found.extend(candidates?.into_iter().flatten());
        }
        Ok(found)
    }
}

/// The first one of the highest version.
fn highest(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates
        .into_iter()
        .reduce(|best, next| if next.version > best.version { next } else { best })
}
