//! Small images: whole packages with all that they depend on, and the essential ones.
//!
//! Which packages, `dmc-solve` says, over the same indices that the walk searches; [`select`]
//! says which of their files, [`dpkg`] what dpkg's database knows of them. Files come into a
//! [`Closure`] as those of a walk do, so that everything after it is the same for both kinds of
//! image. Documentation is left out, as `conf/small.toml` says.

pub(crate) mod alternatives;
pub(crate) mod dpkg;
mod select;

use crate::error::BuildError;
use crate::lookups::Lookups;
use crate::resolve::Resolved;
use dmc_archive::{Archive, ArchiveError, Candidate};
use dmc_deb::version::Version;
use dmc_elf::{Closure, Edge, EdgeKind, Start};
use dmc_solve::{Chosen, Index, Package, PackageText, SolveError, Unsolvable};
use dmc_template::{ArchTemplate, SmallConf};
use dmc_types::{Arch, ImagePath, PackageFacts, PackageName};
use dmc_verify::{Problem, Report, Severity};
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The shipped `conf/small.toml`.
pub(crate) const CONF: &[u8] = include_bytes!("../../../../conf/small.toml");

/// What is known of a small image besides its files.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Every package, also those without a file, with the reason for it.
    pub(crate) because: BTreeMap<PackageName, String>,
    /// Alternatives by name, each with its candidates, the winning one first.
    pub(crate) alternatives: alternatives::Groups,
    /// What is left out and what is made.
    pub(crate) conf: SmallConf,
}

/// Finds the packages and their files. `more` are packages that the template wants besides those
/// that it names.
pub(crate) async fn resolve(
    archive: &Archive,
    packages: &Lookups<'_>,
    template: &ArchTemplate,
    start: &Start,
    more: Vec<PackageName>,
) -> Result<Resolved, BuildError> {
    let third_party = template
        .packages
        .iter()
        .filter_map(|package| Some((package.name.clone(), package.archive.clone()?)))
        .collect();
    let shelf = Shelf { packages, third_party };
    let mut wanted = start.packages.clone();
    wanted.extend(more);
    let chosen = shelf.solve(template, &wanted)?;
    let mut candidates = BTreeMap::new();
    for name in chosen.keys() {
        candidates.extend(shelf.find(name)?.map(|candidate| (name.clone(), candidate)));
    }
    let reads = candidates.values().map(|candidate| archive.facts(candidate));
    let facts: Vec<Arc<PackageFacts>> = try_join_all(reads).await?;
    let conf = SmallConf::read("conf/small.toml", CONF)?;
    let alternatives = alternatives::groups(&facts);
    let failed = |why| BuildError::Walk { template: template.name.clone(), why: Box::new(why) };
    let closure =
        select::closure(&facts, template, start, (&conf, &alternatives)).map_err(failed)?;
    let because = chosen.into_iter().map(|(name, chosen)| (name, chosen.why.to_string())).collect();
    let whole = Some(Whole { because, alternatives, conf });
    Ok(Resolved { closure, candidates, whole })
}

/// Whole packages bring files that the template did not ask for, some of which work only with
/// packages that are merely recommended (`libthread_db` needs a debugger around it). What is wrong
/// with those is worth a warning; what the template asks for must work.
pub(crate) fn soften(report: &mut Report, template: &ArchTemplate, closure: &Closure) {
    let asked = |path: &ImagePath| {
        let whole = |edge: &Edge| edge.kind == EdgeKind::Whole;
        let kept = closure.files.get(path);
        template.placed.contains_key(path)
            || kept.is_some_and(|kept| !kept.reasons.iter().all(whole))
    };
    for finding in &mut report.findings {
        let about = match &finding.problem {
            Problem::Library { scope, .. }
            | Problem::Version { scope, .. }
            | Problem::Symbols { scope, .. } => scope,
            Problem::Interpreter { file, .. } | Problem::Machine { file, .. } => file,
            _ => continue,
        };
        if finding.severity == Severity::Error && !asked(about) {
            finding.severity = Severity::Warning;
        }
    }
    report.sort();
}

/// The indices as the solver asks them.
struct Shelf<'a> {
    packages: &'a Lookups<'a>,
    /// The archive of each package that a template takes from one by name.
    third_party: BTreeMap<PackageName, String>,
}

impl Shelf<'_> {
    fn find(&self, name: &PackageName) -> Result<Option<Candidate>, ArchiveError> {
        Ok(match self.third_party.get(name) {
            Some(archive) => self.packages.package_from(archive, name)?,
            None => self.packages.package(name)?,
        })
    }

    fn solve(
        &self,
        template: &ArchTemplate,
        wanted: &[PackageName],
    ) -> Result<BTreeMap<PackageName, Chosen>, BuildError> {
        match dmc_solve::solve(self, wanted) {
            Ok(chosen) => Ok(chosen),
            Err(SolveError::Index(error)) => Err(error.into()),
            Err(SolveError::Unsolvable(Unsolvable::Unknown { package })) => {
                let near = self.packages.nearest(package.as_str()).map_err(ArchiveError::from)?;
                let archive = self.third_party.get(&package).cloned();
                Err(BuildError::UnknownPackage { package, archive, arch: self.arch(), near })
            }
            Err(SolveError::Unsolvable(why)) => Err(BuildError::Unsolvable {
                template: template.name.clone(),
                arch: self.arch(),
                why: Box::new(why),
            }),
        }
    }
}

fn package(candidate: &Candidate) -> Arc<Package> {
    let text = PackageText {
        essential: if candidate.essential { "yes" } else { "" },
        multi_arch: &candidate.multi_arch,
        priority: &candidate.priority,
        pre_depends: &candidate.pre_depends,
        depends: &candidate.depends,
        conflicts: &candidate.conflicts,
        breaks: &candidate.breaks,
        provides: &candidate.provides,
    };
    let (name, version): (PackageName, Version) =
        (candidate.package.clone(), candidate.version.clone());
    Arc::new(Package::read(name, version, &text))
}

impl Index for Shelf<'_> {
    type Error = ArchiveError;

    fn arch(&self) -> Arch {
        self.packages.arch()
    }

    fn package(&self, name: &PackageName) -> Result<Option<Arc<Package>>, ArchiveError> {
        Ok(self.find(name)?.as_ref().map(package))
    }

    fn providers(&self, name: &PackageName) -> Result<Vec<Arc<Package>>, ArchiveError> {
        let mut found = self.packages.providers(name)?;
        for third in self.third_party.keys() {
            let provides =
                |one: &Candidate| one.provisions().iter().any(|given| given.name == *name);
            found.retain(|one| one.package != *third);
            found.extend(self.find(third)?.filter(provides));
        }
        Ok(found.iter().map(package).collect())
    }

    fn essential(&self) -> Result<Vec<PackageName>, ArchiveError> {
        let essential = self.packages.essential()?;
        Ok(essential.into_iter().map(|candidate| candidate.package).collect())
    }
}
