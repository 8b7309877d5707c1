//! What the solver must know of a package, and where it asks for it.

use dmc_deb::relation::{ArchQualifier, Relation, Relations};
use dmc_deb::version::Version;
use dmc_types::{Arch, PackageName};
use std::sync::Arc;

/// Where packages are looked up: of each name the one version that would be installed.
pub trait Index {
    /// Why a look-up fails.
    type Error: std::error::Error + 'static;

    /// The architecture that is installed on.
    fn arch(&self) -> Arch;

    /// The package of this name.
    fn package(&self, name: &PackageName) -> Result<Option<Arc<Package>>, Self::Error>;

    /// Every package that provides this name, whatever the version, in any order.
    fn providers(&self, name: &PackageName) -> Result<Vec<Arc<Package>>, Self::Error>;

    /// The names of all essential packages (Debian Policy 3.8).
    fn essential(&self) -> Result<Vec<PackageName>, Self::Error>;
}

/// `Multi-Arch` (deb-control(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiArch {
    /// It serves its own architecture.
    #[default]
    No,
    /// It can be there for several architectures at once.
    Same,
    /// It serves every architecture.
    Foreign,
    /// It serves every architecture where a relation says `:any`.
    Allowed,
}

impl MultiArch {
    /// Reads the field; what is not known means `no`.
    pub fn parse(text: &str) -> Self {
        match text {
            "same" => Self::Same,
            "foreign" => Self::Foreign,
            "allowed" => Self::Allowed,
            _ => Self::No,
        }
    }
}

/// `Priority` (Debian Policy 2.5), the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Dpkg may not work without it.
    Required,
    /// Expected on any system.
    Important,
    /// What a small system has by default.
    Standard,
    /// Everything else.
    #[default]
    Optional,
    /// The former name of much of everything else.
    Extra,
}

impl Priority {
    /// Reads the field; what is not known means `optional`.
    pub fn parse(text: &str) -> Self {
        match text {
            "required" => Self::Required,
            "important" => Self::Important,
            "standard" => Self::Standard,
            "extra" => Self::Extra,
            _ => Self::Optional,
        }
    }
}

/// One version of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `Package`.
    pub name: PackageName,
    /// `Version`.
    pub version: Version,
    /// `Essential: yes`.
    pub essential: bool,
    /// `Multi-Arch`.
    pub multi_arch: MultiArch,
    /// `Priority`.
    pub priority: Priority,
    /// `Pre-Depends`.
    pub pre_depends: Relations,
    /// `Depends`.
    pub depends: Relations,
    /// `Conflicts`.
    pub conflicts: Relations,
    /// `Breaks`.
    pub breaks: Relations,
    /// `Provides`.
    pub provides: Relations,
}

/// The fields of a [`Package`] as they stand in an index; empty where they are missing.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "each is the field of its name")]
pub struct PackageText<'a> {
    pub essential: &'a str,
    pub multi_arch: &'a str,
    pub priority: &'a str,
    pub pre_depends: &'a str,
    pub depends: &'a str,
    pub conflicts: &'a str,
    pub breaks: &'a str,
    pub provides: &'a str,
}

impl Package {
    /// Reads the fields; what cannot be read of a relation is left out.
    pub fn read(name: PackageName, version: Version, text: &PackageText<'_>) -> Self {
        let relations = |field: &str| Relations::parse(field).0;
        Self {
            name,
            version,
            essential: text.essential == "yes",
            multi_arch: MultiArch::parse(text.multi_arch),
            priority: Priority::parse(text.priority),
            pre_depends: relations(text.pre_depends),
            depends: relations(text.depends),
            conflicts: relations(text.conflicts),
            breaks: relations(text.breaks),
            provides: relations(text.provides),
        }
    }

    /// Whether this package meets the relation, by its own name or by one that it provides.
    pub fn meets(&self, relation: &Relation, arch: Arch) -> bool {
        self.serves(relation.qualifier, arch)
            && (self.is_named_by(relation) || self.provides_for(relation))
    }

    /// Whether the relation names this very package, in this version.
    pub fn is_named_by(&self, relation: &Relation) -> bool {
        self.name == relation.name && allows(relation, Some(&self.version))
    }

    fn provides_for(&self, relation: &Relation) -> bool {
        self.provides.iter().any(|given| {
            // A name without a version meets no relation that asks for one (Debian Policy 7.5).
            let version = given.constraint.as_ref().map(|(_, version)| version);
            given.name == relation.name && allows(relation, version)
        })
    }

    /// With one architecture `:any` still asks the package to allow it.
    fn serves(&self, qualifier: Option<ArchQualifier>, arch: Arch) -> bool {
        match qualifier {
            None | Some(ArchQualifier::Native) => true,
            Some(ArchQualifier::Any) => {
                matches!(self.multi_arch, MultiArch::Allowed | MultiArch::Foreign)
            }
            Some(ArchQualifier::Arch(asked)) => asked == arch,
        }
    }
}

fn allows(relation: &Relation, version: Option<&Version>) -> bool {
    match (&relation.constraint, version) {
        (None, _) => true,
        (Some((operator, bound)), Some(version)) => operator.holds(version, bound),
        (Some(_), None) => false,
    }
}
