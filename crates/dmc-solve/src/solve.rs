//! The search.

use crate::error::{SolveError, Unsolvable};
use crate::package::{Index, Package};
use crate::state::{Chosen, Group, State, Why};
use dmc_deb::relation::Relation;
use dmc_types::PackageName;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most alternatives that are tried before the search is given up; far more than any real set of
/// packages needs, and few enough that a hopeless one ends soon.
const MOST_TRIES: usize = 2_000;

/// The packages that an installation of `wanted` comes to, with the essential ones, each with its
/// first reason.
///
/// Fails where a package or what it depends on is not there, and where two packages that are both
/// needed exclude each other.
pub fn solve<I: Index>(
    index: &I,
    wanted: &[PackageName],
) -> Result<BTreeMap<PackageName, Chosen>, SolveError<I::Error>> {
    let essential = index.essential().map_err(SolveError::Index)?;
    let named = wanted.iter().map(|name| (name, Why::Wanted));
    let seeds: Vec<_> = essential.iter().map(|name| (name, Why::Essential)).chain(named).collect();
    let mut state = State::new(index.arch());
    // What is taken last is followed first.
    for (name, why) in seeds.into_iter().rev() {
        let found = index.package(name).map_err(SolveError::Index)?;
        let unknown = || Unsolvable::Unknown { package: name.clone() };
        state.take(&found.ok_or_else(unknown)?, why)?;
    }
    let mut search = Search { index, tries: 0, first: None, stack: Vec::new() };
    search.run(state)
}

/// A choice that was made, and what can be tried instead.
struct Choice {
    before: State,
    why: Why,
    /// The next one last.
    left: Vec<Arc<Package>>,
}

struct Search<'i, I: Index> {
    index: &'i I,
    tries: usize,
    /// What went wrong first, which is told if all goes wrong.
    first: Option<Unsolvable>,
    stack: Vec<Choice>,
}

impl<I: Index> Search<'_, I> {
    fn run(
        &mut self,
        mut state: State,
    ) -> Result<BTreeMap<PackageName, Chosen>, SolveError<I::Error>> {
        loop {
            match self.follow(&mut state) {
                Ok(None) => return Ok(state.chosen),
                Ok(Some(choice)) => self.stack.push(choice),
                Err(SolveError::Unsolvable(error)) => self.note(error),
                Err(error) => return Err(error),
            }
            state = self.next_try()?;
        }
    }

    fn note(&mut self, failure: Unsolvable) {
        self.first.get_or_insert(failure);
    }

    /// Takes what has no choice, to the next choice or the end. Depth first, as apt does: what a
    /// package needs comes before what stands after it.
    fn follow(&self, state: &mut State) -> Result<Option<Choice>, SolveError<I::Error>> {
        while let Some(group) = state.open.pop() {
            if state.meets(&group) {
                continue;
            }
            let mut answers = self.answers(&group)?;
            match &*answers {
                [] => return Err(unmet(&group).into()),
                [only] => state.take(only, group.why())?,
                _ => {
                    answers.reverse();
                    let (before, why) = (state.clone(), group.why());
                    return Ok(Some(Choice { before, why, left: answers }));
                }
            }
        }
        Ok(None)
    }

    /// The state after the next alternative of the latest choice that has one.
    fn next_try(&mut self) -> Result<State, Unsolvable> {
        while let Some(choice) = self.stack.last_mut() {
            let next = choice.left.pop().filter(|_| self.tries < MOST_TRIES);
            let Some(package) = next else {
                self.stack.pop();
                continue;
            };
            self.tries += 1;
            let mut state = choice.before.clone();
            match state.take(&package, choice.why.clone()) {
                Ok(()) => return Ok(state),
                Err(error) => self.note(error),
            }
        }
        Err(self.first.take().unwrap_or(Unsolvable::Nothing))
    }

    /// All packages that meet a group, the preferred first.
    fn answers(&self, group: &Group) -> Result<Vec<Arc<Package>>, SolveError<I::Error>> {
        let mut answers: Vec<Arc<Package>> = Vec::new();
        for relation in group.alternatives() {
            for package in self.meeting(relation).map_err(SolveError::Index)? {
                if answers.iter().all(|other| other.name != package.name) {
                    answers.push(package);
                }
            }
        }
        Ok(answers)
    }

    /// The package of that name, then its providers as apt orders them: essential ones first, then
    /// by priority. Among equals apt goes by where its cache saw a name first; here the later name
    /// wins, which of numbered names is the newer one.
    fn meeting(&self, relation: &Relation) -> Result<Vec<Arc<Package>>, I::Error> {
        let mut found = self.index.providers(&relation.name)?;
        found.extend(self.index.package(&relation.name)?);
        found.retain(|package| package.meets(relation, self.index.arch()));
        found.sort_by_cached_key(|package| {
            let named = package.is_named_by(relation);
            let name = package.name.clone();
            (Reverse(named), Reverse(package.essential), package.priority, Reverse(name))
        });
        Ok(found)
    }
}

fn unmet(group: &Group) -> Unsolvable {
    Unsolvable::Unmet { by: group.by.name.clone(), field: group.field, wanted: group.text() }
}
