//! An index in memory.

use crate::package::{Index, Package, PackageText};
use dmc_deb::deb822::{Paragraph, paragraphs};
use dmc_types::{Arch, PackageName};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// The packages of a `Packages` file, all held in memory: for tests, and for comparisons.
#[derive(Debug)]
pub struct Listing {
    arch: Arch,
    packages: BTreeMap<PackageName, Arc<Package>>,
    providers: BTreeMap<PackageName, Vec<Arc<Package>>>,
}

impl Listing {
    /// Reads stanzas. Of several with one name the highest version counts; those without a proper
    /// name or version are passed over.
    pub fn parse(text: &[u8], arch: Arch) -> Self {
        let mut packages: BTreeMap<PackageName, Arc<Package>> = BTreeMap::new();
        for package in paragraphs(text).filter_map(read) {
            let older = |there: &Arc<Package>| there.version < package.version;
            if packages.get(&package.name).is_none_or(older) {
                packages.insert(package.name.clone(), Arc::new(package));
            }
        }
        let mut providers: BTreeMap<PackageName, Vec<Arc<Package>>> = BTreeMap::new();
        for package in packages.values() {
            for given in package.provides.iter() {
                providers.entry(given.name.clone()).or_default().push(Arc::clone(package));
            }
        }
        Self { arch, packages, providers }
    }
}

fn read(paragraph: Paragraph<'_>) -> Option<Package> {
    let field = |name| paragraph.field(name).unwrap_or_default();
    let text = PackageText {
        essential: field("Essential"),
        multi_arch: field("Multi-Arch"),
        priority: field("Priority"),
        pre_depends: field("Pre-Depends"),
        depends: field("Depends"),
        conflicts: field("Conflicts"),
        breaks: field("Breaks"),
        provides: field("Provides"),
    };
    Some(Package::read(field("Package").parse().ok()?, field("Version").parse().ok()?, &text))
}

impl Index for Listing {
    type Error = Infallible;

    fn arch(&self) -> Arch {
        self.arch
    }

    fn package(&self, name: &PackageName) -> Result<Option<Arc<Package>>, Infallible> {
        Ok(self.packages.get(name).cloned())
    }

    fn providers(&self, name: &PackageName) -> Result<Vec<Arc<Package>>, Infallible> {
        Ok(self.providers.get(name).cloned().unwrap_or_default())
    }

    fn essential(&self) -> Result<Vec<PackageName>, Infallible> {
        let essential = self.packages.values().filter(|package| package.essential);
        Ok(essential.map(|package| package.name.clone()).collect())
    }
}
