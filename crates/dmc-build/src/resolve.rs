//! Drives a walk: finds, for each thing that it needs, the package that has it.
//!
//! By Debian Policy (8.6, and 2.2.1 for what Depends means) a package depends on whatever its
//! files need, so an answer is sought among the needing package's direct dependencies, the
//! likeliest first, and then among theirs. Guesses are read side by side; each is checked before
//! it counts.

use crate::error::BuildError;
use crate::guess::{self, Likelihood};
use crate::lookups::Lookups;
use crate::small::Whole;
use dmc_archive::{Archive, ArchiveError, Candidate};
use dmc_deb::deb822::Paragraph;
use dmc_deb::relation::{Relation, Relations};
use dmc_elf::{Answer, Brought, Closure, Need, Note, Start, Walk, Want};
use dmc_template::ArchTemplate;
use dmc_types::{Arch, EntryKind, ImagePath, PackageFacts, PackageName};
use futures::future::try_join_all;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Most packages that are read for one need once the direct dependencies have not met it.
const FURTHER_READS: usize = 24;

/// A closure, and the index entries of the packages in it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) closure: Closure,
    pub(crate) candidates: BTreeMap<PackageName, Candidate>,
    /// What else is known of a small image; none for a walk's.
    pub(crate) whole: Option<Whole>,
}

/// Walks from `start` until nothing is missing; where `strict` says so, until nothing is open
/// either.
pub(crate) async fn resolve(
    archive: &Archive,
    packages: &Lookups<'_>,
    template: &ArchTemplate,
    mut start: Start,
    strict: bool,
) -> Result<Resolved, BuildError> {
    let failed = |why| BuildError::Walk { template: template.name.clone(), why: Box::new(why) };
    let mut search = Search::new(archive, packages, template);
    start.packages.extend(search.like(template)?);
    let mut walk = Walk::new(start);
    loop {
        let needs = walk.advance().map_err(failed)?;
        if needs.is_empty() {
            break;
        }
        let answers = search.answer(&needs).await?;
        for (need, answer) in needs.iter().zip(answers) {
            walk.answer(need, answer).map_err(failed)?;
        }
    }
    let closure = walk.finish();
    let open = if strict { search.open(&closure).await? } else { Vec::new() };
    if !open.is_empty() {
        return Err(BuildError::Open {
            template: template.name.clone(),
            arch: search.arch(),
            open,
        });
    }
    Ok(Resolved { closure, candidates: search.taken, whole: None })
}

struct Search<'a> {
    archive: &'a Archive,
    packages: &'a Lookups<'a>,
    /// The archive of each package that a template takes from one by name.
    third_party: BTreeMap<PackageName, String>,
    /// Packages that have answered a need.
    taken: BTreeMap<PackageName, Candidate>,
    /// Direct dependencies of packages, once they have been worked out.
    direct: RefCell<BTreeMap<PackageName, Arc<[Candidate]>>>,
}

impl<'a> Search<'a> {
    fn new(archive: &'a Archive, packages: &'a Lookups<'a>, template: &ArchTemplate) -> Self {
        let third_party = template
            .packages
            .iter()
            .filter_map(|package| Some((package.name.clone(), package.archive.clone()?)))
            .collect();
        let (taken, direct) = (BTreeMap::new(), RefCell::default());
        Self { archive, packages, third_party, taken, direct }
    }
}

impl Search<'_> {
    /// Answers needs, in their order. Likely packages are read for all needs at once; only if
    /// that brings nothing is the first open need pursued further, and the others wait.
    async fn answer(&mut self, needs: &[Need]) -> Result<Vec<Answer>, BuildError> {
        let mut guesses = Vec::new();
        for need in needs {
            guesses.push(self.expected(need)?);
        }
        let reads = guesses.iter().flatten().map(|candidate| self.archive.facts(candidate));
        let mut read = try_join_all(reads).await?.into_iter();
        let mut answers = Vec::new();
        for (need, guess) in needs.iter().zip(guesses) {
            let found = guess.and_then(|candidate| Some((candidate, read.next()?)));
            let found = match found {
                Some((candidate, facts)) => Some((candidate, self.brought(facts)?)),
                None => None,
            };
            let found = found.filter(|(_, brought)| need.want.is_met_by(brought, self.arch()));
            answers.push(match found {
                Some((candidate, brought)) => self.take(candidate, brought),
                None if need.hard => Answer::Later,
                None => Answer::Nowhere,
            });
        }
        let stuck = answers.iter().all(|answer| matches!(answer, Answer::Later));
        if let (true, Some(need)) = (stuck, needs.first()) {
            answers[0] = match self.pursue(need).await? {
                Some((candidate, brought)) => self.take(candidate, brought),
                None => Answer::Nowhere,
            };
        }
        Ok(answers)
    }

    fn arch(&self) -> Arch {
        self.packages.arch()
    }

    fn take(&mut self, candidate: Candidate, brought: Brought) -> Answer {
        self.taken.insert(candidate.package.clone(), candidate);
        Answer::Package(brought)
    }

    /// A package with what its control data says of other packages.
    fn brought(&self, facts: Arc<PackageFacts>) -> Result<Brought, BuildError> {
        let control = Paragraph::new(facts.control.as_bytes());
        let (relations, _unreadable) =
            Relations::parse(control.field("Replaces").unwrap_or_default());
        let mut replaces = Vec::new();
        for relation in relations.iter() {
            let other = self.real(&relation.name)?;
            if other.is_some_and(|other| fits(relation, &other)) {
                replaces.push(relation.name.clone());
            }
        }
        let alternatives = dmc_system::alternatives(&facts);
        Ok(Brought { facts, alternatives, replaces })
    }

    /// The package that is to be expected to meet a need, if one stands out.
    fn expected(&self, need: &Need) -> Result<Option<Candidate>, BuildError> {
        if let Want::Package(name) = &need.want {
            return self.named(name).map(Some);
        }
        let direct = match &need.by {
            Some(by) => self.dependencies(by)?,
            None => Arc::default(),
        };
        if let Want::File(path) = &need.want {
            let hinted = direct.iter().find(|one| guess::is_hinted(path, &one.package));
            return Ok(hinted.cloned());
        }
        let named = guess::named_by(&need.want);
        let expected = |candidate: &Candidate| {
            guess::likelihood(&need.want, &candidate.package) == Likelihood::Expected
        };
        if let Some(found) = direct.iter().find(|candidate| expected(candidate)) {
            return self.preferred(need.by.as_ref(), found).map(Some);
        }
        // Rules ask for what libc itself opens: nothing but libc's packages depends on that.
        if need.hard && matches!(need.want, Want::Library(_)) {
            return Ok(self.further(&direct)?.into_iter().find(expected));
        }
        match named {
            Some(name) => Ok(self.packages.package(&name).map_err(ArchiveError::from)?),
            None => Ok(None),
        }
    }

    /// The first to be had of the alternatives among which `of` names a package, as apt would
    /// take it; that package where it has none.
    fn preferred(
        &self,
        of: Option<&PackageName>,
        found: &Candidate,
    ) -> Result<Candidate, BuildError> {
        let taken = of.and_then(|of| self.taken.get(of));
        let relations = taken.map(Candidate::relations).unwrap_or_default();
        for group in relations.groups.iter().filter(|group| group.len() > 1) {
            let mut all = Vec::new();
            for relation in group {
                all.extend(self.candidates(relation)?);
            }
            if all.iter().any(|candidate| candidate.package == found.package) {
                return Ok(all.swap_remove(0));
            }
        }
        Ok(found.clone())
    }

    /// Reads one package after the other, the likeliest and smallest first: direct dependencies
    /// and then what these depend on, as far as they are named like what is needed; last the
    /// others, in the same order.
    async fn pursue(&self, need: &Need) -> Result<Option<(Candidate, Brought)>, BuildError> {
        let Some(by) = &need.by else { return Ok(None) };
        let direct = self.dependencies(by)?;
        let likely = |candidate: &Candidate| guess::likelihood(&need.want, &candidate.package);
        let order = |mut some: Vec<Candidate>| {
            some.sort_by_key(|one| (likely(one), one.size, one.package.clone()));
            some
        };
        let named = |one: &Candidate| likely(one) < Likelihood::Any;
        let (first, last): (Vec<_>, Vec<_>) = order(direct.to_vec()).into_iter().partition(named);
        if let Some(found) = self.first_with(&need.want, first).await? {
            return Ok(Some(found));
        }
        let further = order(self.further(&direct)?);
        let (further, rest): (Vec<_>, Vec<_>) = further.into_iter().partition(named);
        let (further, rest) = [further, rest].map(|it| it.into_iter().take(FURTHER_READS)).into();
        self.first_with(&need.want, further.chain(last).chain(rest)).await
    }

    /// The first of these packages that has what is wanted; each is read to know.
    async fn first_with(
        &self,
        want: &Want,
        candidates: impl IntoIterator<Item = Candidate>,
    ) -> Result<Option<(Candidate, Brought)>, BuildError> {
        for candidate in candidates {
            tracing::debug!(package = %candidate.package, need = ?want, "read on a guess");
            let brought = self.brought(self.archive.facts(&candidate).await?)?;
            if want.is_met_by(&brought, self.arch()) {
                return Ok(Some((candidate, brought)));
            }
        }
        Ok(None)
    }

    /// The packages that a template means by `packages_like`, sorted.
    fn like(&self, template: &ArchTemplate) -> Result<BTreeSet<PackageName>, BuildError> {
        let mut found = BTreeSet::new();
        if template.packages_like.is_empty() {
            return Ok(found);
        }
        let named = template.packages.iter().map(|package| self.named(&package.name));
        let below = self.further(&named.collect::<Result<Vec<_>, _>>()?)?;
        for pattern in &template.packages_like {
            let below_names = below.iter().map(|candidate| &candidate.package);
            let matching: Vec<_> =
                below_names.filter(|name| pattern.matches(name)).cloned().collect();
            if matching.is_empty() {
                return Err(BuildError::NoPackageLike {
                    pattern: pattern.clone(),
                    template: template.name.clone(),
                    arch: self.arch(),
                });
            }
            found.extend(matching);
        }
        Ok(found)
    }

    /// What stays open, a sentence each: names of libraries that nothing resolves, and paths that
    /// direct dependencies ship which the walk had no cause to read.
    async fn open(&self, closure: &Closure) -> Result<Vec<String>, BuildError> {
        let names = closure.notes.iter().filter(|note| matches!(note, Note::Open { .. }));
        let mut open: Vec<String> = names.map(ToString::to_string).collect();
        for (package, paths) in &closure.unresolved {
            let direct = self.dependencies(package)?;
            let unread = direct.iter().filter(|one| !closure.packages.contains_key(&one.package));
            for candidate in unread {
                let facts = self.archive.facts(candidate).await?;
                let files: BTreeSet<ImagePath> = facts
                    .entries
                    .iter()
                    .filter(|entry| !matches!(entry.kind, EntryKind::Directory))
                    .map(|entry| entry.path.merged_usr())
                    .collect();
                open.extend(paths.iter().filter(|(path, _)| files.contains(path)).map(
                    |(path, from)| {
                        let owner = &candidate.package;
                        format!("`{from}` names `{path}` of package {owner}, which is left out")
                    },
                ));
            }
        }
        Ok(open)
    }

    /// A package that a template or rule names.
    fn named(&self, name: &PackageName) -> Result<Candidate, BuildError> {
        match self.real(name)? {
            Some(candidate) => Ok(candidate),
            None => Err(BuildError::UnknownPackage {
                package: name.clone(),
                archive: self.third_party.get(name).cloned(),
                arch: self.arch(),
                near: self.packages.nearest(name.as_str()).map_err(ArchiveError::from)?,
            }),
        }
    }

    /// What a package depends on directly: of alternatives all, the preferred first.
    fn dependencies(&self, of: &PackageName) -> Result<Arc<[Candidate]>, BuildError> {
        if let Some(known) = self.direct.borrow().get(of) {
            return Ok(Arc::clone(known));
        }
        let candidate = match self.taken.get(of) {
            Some(candidate) => Some(candidate.clone()),
            None => self.packages.package(of).map_err(ArchiveError::from)?,
        };
        let direct: Arc<[Candidate]> = match candidate {
            Some(candidate) => self.related(&candidate.relations())?.into(),
            None => Arc::default(),
        };
        self.direct.borrow_mut().insert(of.clone(), Arc::clone(&direct));
        Ok(direct)
    }

    /// Everything that these depend on in turn, without these, the nearest first. Of a lock it is
    /// all of its packages: those that led to them may not be in it.
    fn further(&self, direct: &[Candidate]) -> Result<Vec<Candidate>, BuildError> {
        let mut seen: BTreeSet<PackageName> =
            direct.iter().map(|candidate| candidate.package.clone()).collect();
        let mut queue: VecDeque<Candidate> = direct.iter().cloned().collect();
        let mut further = Vec::new();
        while let Some(candidate) = queue.pop_front() {
            for next in self.related(&candidate.relations())? {
                if seen.insert(next.package.clone()) {
                    queue.push_back(next.clone());
                    further.push(next);
                }
            }
        }
        let chosen = self.packages.chosen().map_err(ArchiveError::from)?;
        further.extend(chosen.into_iter().filter(|one| seen.insert(one.package.clone())));
        Ok(further)
    }

    fn related(&self, relations: &Relations) -> Result<Vec<Candidate>, BuildError> {
        let mut found: Vec<Candidate> = Vec::new();
        for relation in relations.iter() {
            for candidate in self.candidates(relation)? {
                if found.iter().all(|other| other.package != candidate.package) {
                    found.push(candidate);
                }
            }
        }
        Ok(found)
    }

    /// The package of that name if its version will do, and those that provide the name.
    fn candidates(&self, relation: &Relation) -> Result<Vec<Candidate>, ArchiveError> {
        match self.real(&relation.name)?.filter(|candidate| fits(relation, candidate)) {
            Some(candidate) => Ok(vec![candidate]),
            None => Ok(self.packages.providers(&relation.name)?),
        }
    }

    /// The package of that very name.
    fn real(&self, name: &PackageName) -> Result<Option<Candidate>, ArchiveError> {
        Ok(match self.third_party.get(name) {
            Some(archive) => self.packages.package_from(archive, name)?,
            None => self.packages.package(name)?,
        })
    }
}

/// Whether a package's version is what a relation asks for.
fn fits(relation: &Relation, candidate: &Candidate) -> bool {
    relation
        .constraint
        .as_ref()
        .is_none_or(|(operator, bound)| operator.holds(&candidate.version, bound))
}
