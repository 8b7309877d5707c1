//! A set of packages while it grows.

use crate::error::Unsolvable;
use crate::package::Package;
use dmc_deb::relation::{Relation, Relations};
use dmc_types::{Arch, PackageName};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A field that relates a package to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `Pre-Depends`.
    PreDepends,
    /// `Depends`.
    Depends,
    /// `Conflicts`.
    Conflicts,
    /// `Breaks`.
    Breaks,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Conflicts => "Conflicts",
            Self::Breaks => "Breaks",
        })
    }
}

/// Why a package is in the set: its first reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Wanted,
    /// It is essential.
    Essential,
    /// Another package depends on it.
    Needed {
        /// That package.
        by: PackageName,
        /// `Depends` or `Pre-Depends`.
        field: Field,
        /// The alternatives, as written.
        wanted: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted => f.write_str("asked for"),
            Self::Essential => f.write_str("essential"),
            Self::Needed { by, field, wanted } => write!(f, "{field} of {by}: {wanted}"),
        }
    }
}

/// A package of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The package.
    pub package: Arc<Package>,
    /// Why it is there.
    pub why: Why,
}

/// A dependency: any one of the alternatives will do.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) by: Arc<Package>,
    pub(crate) field: Field,
    at: usize,
}

impl Group {
    pub(crate) fn alternatives(&self) -> &[Relation] {
        let relations = match self.field {
            Field::PreDepends => &self.by.pre_depends,
            _ => &self.by.depends,
        };
        &relations.groups[self.at]
    }

    /// The alternatives, as written.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<String> = self.alternatives().iter().map(ToString::to_string).collect();
        texts.join(" | ")
    }

    pub(crate) fn why(&self) -> Why {
        Why::Needed { by: self.by.name.clone(), field: self.field, wanted: self.text() }
    }
}

/// A package of the set that excludes a name.
type Exclusion = (Arc<Package>, Field, Relation);

/// The packages so far, and what is still open.
#[derive(Debug, Clone)]
pub(crate) struct State {
    arch: Arch,
    pub(crate) chosen: BTreeMap<PackageName, Chosen>,
    /// Names that chosen packages provide, with these packages.
    provided: BTreeMap<PackageName, Vec<PackageName>>,
    excluded: BTreeMap<PackageName, Vec<Exclusion>>,
    /// Not looked at yet, the next one last.
    pub(crate) open: Vec<Group>,
}

impl State {
    pub(crate) fn new(arch: Arch) -> Self {
        Self {
            arch,
            chosen: BTreeMap::new(),
            provided: BTreeMap::new(),
            excluded: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    /// Adds a package with its dependencies, unless one of the set excludes it or it one of them.
    pub(crate) fn take(&mut self, package: &Arc<Package>, why: Why) -> Result<(), Unsolvable> {
        if self.chosen.contains_key(&package.name) {
            return Ok(());
        }
        self.check(package, &why)?;
        for (field, relations) in
            [(Field::Conflicts, &package.conflicts), (Field::Breaks, &package.breaks)]
        {
            for relation in relations.iter() {
                let exclusion = (Arc::clone(package), field, relation.clone());
                self.excluded.entry(relation.name.clone()).or_default().push(exclusion);
            }
        }
        for given in package.provides.iter() {
            self.provided.entry(given.name.clone()).or_default().push(package.name.clone());
        }
        for (field, relations) in
            [(Field::Depends, &package.depends), (Field::PreDepends, &package.pre_depends)]
        {
            let groups = (0..relations.groups.len()).rev();
            self.open.extend(groups.map(|at| Group { by: Arc::clone(package), field, at }));
        }
        let chosen = Chosen { package: Arc::clone(package), why };
        self.chosen.insert(package.name.clone(), chosen);
        Ok(())
    }

    /// Whether a package of the set meets the group.
    pub(crate) fn meets(&self, group: &Group) -> bool {
        group.alternatives().iter().any(|relation| self.met_by(relation).is_some())
    }

    fn met_by(&self, relation: &Relation) -> Option<&Arc<Package>> {
        let provided = self.provided.get(&relation.name).into_iter().flatten();
        let names = std::iter::once(&relation.name).chain(provided);
        let packages = names.filter_map(|name| Some(&self.chosen.get(name)?.package));
        packages.into_iter().find(|package| package.meets(relation, self.arch))
    }

    fn check(&self, package: &Arc<Package>, why: &Why) -> Result<(), Unsolvable> {
        let names = std::iter::once(&package.name).chain(package.provides.iter().map(|p| &p.name));
        for (by, field, relation) in names.filter_map(|name| self.excluded.get(name)).flatten() {
            if package.meets(relation, self.arch) {
                let reasons = [(by, self.why(by)), (package, why)];
                return Err(conflict(by, package, *field, relation, reasons));
            }
        }
        let exclusions = |field, relations: &'_ Relations| {
            relations.iter().map(|relation| (field, relation.clone())).collect::<Vec<_>>()
        };
        let mut own = exclusions(Field::Conflicts, &package.conflicts);
        own.extend(exclusions(Field::Breaks, &package.breaks));
        for (field, relation) in own {
            // A package may exclude all others that provide what it provides (Debian Policy 7.6.2);
            // it is not in the set yet, so that it never finds itself.
            if let Some(other) = self.met_by(&relation) {
                let reasons = [(package, why), (other, self.why(other))];
                return Err(conflict(package, other, field, &relation, reasons));
            }
        }
        Ok(())
    }

    fn why(&self, package: &Package) -> &Why {
        self.chosen.get(&package.name).map_or(&Why::Wanted, |chosen| &chosen.why)
    }
}

fn conflict(
    one: &Package,
    other: &Package,
    field: Field,
    relation: &Relation,
    reasons: [(&Arc<Package>, &Why); 2],
) -> Unsolvable {
    Unsolvable::Conflict {
        one: one.name.clone(),
        other: other.name.clone(),
        field,
        relation: relation.to_string(),
        because: reasons.map(|(package, why)| format!("{}: {why}", package.name)).to_vec(),
    }
}
