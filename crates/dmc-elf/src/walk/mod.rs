//! Which files a set of roots needs: a state machine without any input or output.
//!
//! [`Walk::advance`] follows every edge it can with the packages it has been given and then says
//! which packages it needs to go on; the caller finds and reads them and hands their facts to
//! [`Walk::answer`]. Needs come in an order that depends on the facts alone, and a package counts
//! only once it has answered a need: what else the caller fetched on a guess changes nothing.
//! The result is therefore the same on every machine, whatever arrived first.

mod error;
mod expand;
mod need;
mod script;
mod soft;

pub use error::WalkError;
pub use need::{Answer, Brought, Need, Want};

use crate::closure::{Closure, Edge, EdgeKind, Kept, Note, contents};
use crate::universe::{Place, Universe};
use dmc_types::{
    Arch, EntryKind, FileFacts, ImagePath, Nature, PackageName, PathGlob, Rule, Shebang,
};
use need::Task;
use soft::Soft;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Where base-files keeps licence texts that copyright files refer to (Debian Policy 12.5).
const COMMON_LICENSES: &str = "/usr/share/common-licenses";

/// From which Jaro-Winkler similarity on two paths count as spelt nearly alike.
const ALIKE: f64 = 0.93;

/// What a walk starts from: one template, seen for one architecture.
#[derive(Debug, Clone)]
pub struct Start {
    /// The architecture of the image.
    pub arch: Arch,
    /// Packages that the template names; roots and patterns are looked for in these.
    pub packages: Vec<PackageName>,
    /// Files to start from.
    pub roots: Vec<ImagePath>,
    /// Files to keep, by pattern.
    pub include: Vec<PathGlob>,
    /// Files to leave out although a pattern, a rule or an optional library asks for them.
    pub exclude: Vec<PathGlob>,
    /// Files of extensions that the template lists, each with the extension's name.
    pub extensions: Vec<(String, ImagePath)>,
    /// Files of the packages of which the template places copies elsewhere.
    pub copied: Vec<ImagePath>,
    /// Curated edges.
    pub rules: Vec<Rule>,
    /// Scripts that the template itself places, with their first lines and words.
    pub scripts: Vec<(ImagePath, Shebang)>,
    /// Everything that the template itself places: what needs one of these has it.
    pub placed: BTreeSet<ImagePath>,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk {
    arch: Arch,
    exclude: Vec<PathGlob>,
    rules: Vec<Rule>,
    universe: Universe,
    closure: Closure,
    queue: VecDeque<Task>,
    waiting: Vec<(Need, Task)>,
    fired: BTreeSet<(usize, PackageName)>,
    licensed: BTreeSet<PackageName>,
    /// Edges that count if something is there, looked at when nothing else is open.
    soft: Vec<Soft>,
    /// Paths that were asked for once, with the package in whose dependencies.
    asked: BTreeSet<(PackageName, ImagePath)>,
    /// What the template itself places.
    placed: BTreeSet<ImagePath>,
    /// Soname-like strings of kept files.
    sonames: Vec<(ImagePath, Vec<String>)>,
    /// The packages that the last `advance` had at hand.
    seen: BTreeSet<PackageName>,
}

impl Walk {
    /// Begins with the roots and patterns of a template.
    pub fn new(start: Start) -> Self {
        let packages: Arc<[PackageName]> = start.packages.into();
        let mut queue: VecDeque<Task> = packages.iter().cloned().map(Task::Load).collect();
        let root = |path, kind| Task::Root { path, kind, packages: Arc::clone(&packages) };
        queue.extend(start.roots.into_iter().map(|path| root(path, EdgeKind::Root)));
        queue.extend(start.copied.into_iter().map(|path| root(path, EdgeKind::Copied)));
        let of_extensions = start.extensions.into_iter();
        queue.extend(of_extensions.map(|(name, path)| root(path, EdgeKind::Extension(name))));
        queue.extend(start.include.into_iter().map(|glob| Task::Include {
            edge: Edge { kind: EdgeKind::Included(glob.as_str().to_owned()), from: None },
            glob,
            packages: Arc::clone(&packages),
            optional: false,
        }));
        queue.extend(packages.iter().cloned().map(Task::Named));
        queue.extend(start.scripts.into_iter().map(|(path, line)| Task::Script { path, line }));
        Self {
            arch: start.arch,
            exclude: start.exclude,
            rules: start.rules,
            universe: Universe::default(),
            closure: Closure::default(),
            queue,
            waiting: Vec::new(),
            fired: BTreeSet::new(),
            licensed: BTreeSet::new(),
            soft: Vec::new(),
            asked: BTreeSet::new(),
            placed: start.placed,
            sonames: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Goes on as far as the packages at hand allow. Returns what is needed next, each need once,
    /// in a fixed order; nothing when the walk is at its end.
    pub fn advance(&mut self) -> Result<Vec<Need>, WalkError> {
        self.queue.extend(self.waiting.drain(..).map(|(_, task)| task));
        self.seen = self.universe.packages().iter().map(|facts| facts.package.clone()).collect();
        loop {
            let mut needs = self.follow()?;
            if needs.is_empty() {
                // Whatever must be there is: what may be there is looked for among it.
                needs = self.soften()?;
            }
            if !needs.is_empty() && self.queue.is_empty() {
                return Ok(needs);
            }
            if self.queue.is_empty() {
                return self.check_clashes().map(|()| Vec::new());
            }
        }
    }

    /// Does what is queued. Returns what that waits for, each need once.
    fn follow(&mut self) -> Result<Vec<Need>, WalkError> {
        // Roots and patterns look into all named packages, so these come first.
        let loads = self.queue.iter().any(|task| match task {
            Task::Load(package) => !self.universe.holds(package),
            _ => false,
        });
        while let Some(task) = self.queue.pop_front() {
            if loads && !matches!(task, Task::Load(_)) {
                self.waiting.push((Need::nothing(), task));
                continue;
            }
            if let Some(need) = self.step(&task)? {
                self.waiting.push((need, task));
            }
        }
        let mut needs: Vec<Need> = Vec::new();
        for (need, _) in self.waiting.iter().filter(|(need, _)| !need.is_nothing()) {
            if !needs.contains(need) {
                needs.push(need.clone());
            }
        }
        Ok(needs)
    }

    /// Answers a need of the last [`Self::advance`]. An answer that brings nothing new to a need
    /// that stays open counts as [`Answer::Nowhere`].
    pub fn answer(&mut self, need: &Need, answer: Answer) -> Result<(), WalkError> {
        match answer {
            Answer::Later => Ok(()),
            Answer::Package(brought) if !self.seen.contains(&brought.facts.package) => {
                for path in self.universe.admit(brought) {
                    self.keep_anew(&path);
                }
                Ok(())
            }
            // The need arose although this package was at hand.
            Answer::Package(_) | Answer::Nowhere => self.give_up(need),
        }
    }

    /// The result, once [`Self::advance`] needs nothing more.
    pub fn finish(mut self) -> Closure {
        self.keep_alternatives();
        self.note_open_sonames();
        self.note_unresolved_paths();
        for facts in self.universe.packages() {
            self.closure.packages.insert(facts.package.clone(), Arc::clone(facts));
        }
        self.closure
    }

    /// Drops what waits for `need`; an error where something cannot do without.
    fn give_up(&mut self, need: &Need) -> Result<(), WalkError> {
        let (given_up, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(open, _)| open == need);
        self.waiting = waiting;
        for (need, task) in given_up {
            match task {
                Task::Library { names, from, hard: false, .. } => {
                    let sonames = names.iter().map(ToString::to_string).collect();
                    self.closure.notes.insert(Note::Optional { by: from, sonames });
                }
                Task::Licence(package) => {
                    self.closure.notes.insert(Note::NoLicence(package));
                }
                Task::Keep {
                    path,
                    edge: Edge { kind: EdgeKind::Shebang, from: Some(script) },
                    ..
                } if self.is_merely_named(&script) => {
                    self.closure.notes.insert(Note::NoInterpreter { script, interpreter: path });
                }
                // A link that a pattern matched: where it leads may be the overlay's business.
                Task::Keep { path, edge, .. } if !edge.kind.is_binding() => {
                    let found = self.universe.lookup(&path);
                    if let Some(link) = found.links.last().cloned() {
                        self.closure.notes.insert(Note::Dangling { link, target: found.path });
                    }
                }
                task => return Err(self.unresolved(&need, task)),
            }
        }
        Ok(())
    }

    /// Whether a file is there only because programs hold its name: whatever it is for may never
    /// be asked of them.
    fn is_merely_named(&self, path: &ImagePath) -> bool {
        self.closure.files.get(path).is_some_and(Kept::is_merely_named)
    }

    fn step(&mut self, task: &Task) -> Result<Option<Need>, WalkError> {
        match task {
            Task::Load(package) => Ok((!self.universe.holds(package)).then(|| Need {
                by: None,
                want: Want::Package(package.clone()),
                hard: true,
            })),
            Task::Root { path, kind, packages } => self.root(path, kind, packages),
            Task::Include { glob, packages, edge, optional } => {
                self.include(glob, packages, edge, *optional)
            }
            Task::Named(package) => {
                self.fire(None, package, |when| when.is_for_package(package));
                Ok(None)
            }
            Task::Keep { path, edge, by } => self.keep(path, edge, by.as_ref()),
            Task::Library { names, from, kind, hard } => self.library(names, from, kind, *hard),
            Task::Licence(package) => self.licence(package),
            Task::Script { path, line } => {
                self.expand_script(path, None, line);
                Ok(None)
            }
        }
    }

    fn root(
        &mut self,
        path: &ImagePath,
        kind: &EdgeKind,
        packages: &[PackageName],
    ) -> Result<Option<Need>, WalkError> {
        let found = self.universe.lookup(path);
        if found.place.is_none() {
            // A root may be a link into another package; a root that is nowhere is a mistake.
            let Some(by) = found.links.last().and_then(|link| self.owner_of(link)) else {
                return Err(WalkError::MissingRoot {
                    path: path.clone(),
                    arch: self.arch,
                    packages: packages.to_vec(),
                    similar: self.similar(&path.to_string()),
                });
            };
            return Ok(Some(Need { by: Some(by), want: Want::Path(found.path), hard: true }));
        }
        let edge = Edge { kind: kind.clone(), from: None };
        match found.place {
            Some(place) if *kind == EdgeKind::Copied => {
                let owner = Arc::clone(self.universe.owner(place));
                self.meet(&found.path, &owner.package);
                let mut kept = Kept::new(owner, place.entry());
                kept.reasons.push(edge);
                self.closure.copied.insert(path.clone(), kept);
                Ok(None)
            }
            _ => self.keep(path, &edge, None),
        }
    }

    fn include(
        &mut self,
        glob: &PathGlob,
        packages: &[PackageName],
        edge: &Edge,
        optional: bool,
    ) -> Result<Option<Need>, WalkError> {
        let mut matched = Vec::new();
        for package in packages {
            let Some(facts) = self.universe.package(package) else {
                let want = Want::Package(package.clone());
                return Ok(Some(Need { by: None, want, hard: true }));
            };
            matched.extend(
                facts
                    .entries
                    .iter()
                    .map(|entry| entry.path.merged_usr())
                    .filter(|path| glob.matches(path) && !path.is_root() && !path.is_usr_alias()),
            );
        }
        if matched.is_empty() && !optional {
            return Err(WalkError::NothingMatches {
                glob: glob.as_str().to_owned(),
                arch: self.arch,
                packages: packages.to_vec(),
                by: edge.clone(),
                similar: self.similar(glob.as_str()),
            });
        }
        matched.retain(|path| !self.is_excluded(path));
        for path in matched {
            self.queue.push_back(Task::Keep { path, edge: edge.clone(), by: None });
        }
        Ok(None)
    }

    fn keep(
        &mut self,
        path: &ImagePath,
        edge: &Edge,
        by: Option<&PackageName>,
    ) -> Result<Option<Need>, WalkError> {
        let found = self.universe.lookup(path);
        let Some(place) = found.place else {
            if self.placed.contains(&found.path) {
                self.keep_links(&found.links, edge)?;
                return Ok(None);
            }
            // What lies behind a link is sought from the package that ships the link.
            let by =
                found.links.last().and_then(|link| self.owner_of(link)).or_else(|| by.cloned());
            self.keep_links(&found.links, edge)?;
            return Ok(Some(Need {
                by,
                want: Want::Path(found.path),
                hard: edge.kind.is_binding(),
            }));
        };
        let edge = self.keep_links(&found.links, edge)?;
        self.keep_entry(&found.path, place, edge)?;
        Ok(None)
    }

    /// Keeps the links of a look-up; returns the edge for what they lead to.
    fn keep_links(&mut self, links: &[ImagePath], edge: &Edge) -> Result<Edge, WalkError> {
        let mut edge = edge.clone();
        for link in links {
            match self.universe.lookup_exact(link) {
                Some(place) => self.keep_entry(link, place, edge)?,
                None => self.keep_alternative(link, &edge),
            }
            edge = Edge { kind: EdgeKind::LinkTarget, from: Some(link.clone()) };
        }
        Ok(edge)
    }

    fn keep_entry(&mut self, path: &ImagePath, place: Place, edge: Edge) -> Result<(), WalkError> {
        if let Some(kept) = self.closure.files.get_mut(path) {
            if !kept.reasons.contains(&edge) {
                kept.reasons.push(edge);
            }
            return Ok(());
        }
        let owner = Arc::clone(self.universe.owner(place));
        let mut kept = Kept::new(owner, place.entry());
        kept.reasons.push(edge.clone());
        self.closure.files.insert(path.clone(), kept.clone());
        self.expand(path, &kept, &edge)
    }

    /// Forgets a kept file in whose place a package that was just taken in puts its own, and keeps
    /// that one.
    fn keep_anew(&mut self, path: &ImagePath) {
        for edge in self.closure.files.remove(path).map(|kept| kept.reasons).unwrap_or_default() {
            self.queue.push_back(Task::Keep { path: path.clone(), edge, by: None });
        }
    }

    /// An error where packages disagree about a kept file, whichever came first.
    fn check_clashes(&self) -> Result<(), WalkError> {
        match self.universe.clashes().find(|(path, _)| self.closure.files.contains_key(*path)) {
            Some((path, packages)) => {
                Err(WalkError::Clash { path: path.clone(), packages: packages.clone() })
            }
            None => Ok(()),
        }
    }

    fn owner_of(&self, path: &ImagePath) -> Option<PackageName> {
        let place = self.universe.lookup_exact(path)?;
        Some(self.universe.owner(place).package.clone())
    }

    fn is_excluded(&self, path: &ImagePath) -> bool {
        self.exclude.iter().any(|glob| glob.matches(path))
    }

    /// Whether the loader would take this file: an ELF file for the image's architecture.
    fn is_loadable(&self, place: Place) -> bool {
        match contents(self.universe.owner(place), self.universe.entry(place)) {
            Some(FileFacts { nature: Nature::Elf(elf), .. }) => elf.ident == self.arch.elf(),
            Some(FileFacts { nature: Nature::BrokenElf(_), .. }) => true,
            _ => false,
        }
    }

    fn licence(&mut self, package: &PackageName) -> Result<Option<Need>, WalkError> {
        let Ok(path) = ImagePath::parse(format!("/usr/share/doc/{package}/copyright")) else {
            return Ok(None);
        };
        let found = self.universe.lookup(&path);
        if found.place.is_none() && found.links.is_empty() {
            self.closure.notes.insert(Note::NoLicence(package.clone()));
            return Ok(None);
        }
        let edge = Edge { kind: EdgeKind::Licence, from: self.first_kept_of(package) };
        if let Some(place) = found.place {
            self.common_licences(&found.path, place);
        }
        self.keep(&path, &edge, Some(package))
    }

    /// Queues the texts that a copyright file refers to instead of quoting them.
    fn common_licences(&mut self, copyright: &ImagePath, place: Place) {
        let owner = Arc::clone(self.universe.owner(place));
        let edge = Edge { kind: EdgeKind::Licence, from: Some(copyright.clone()) };
        for name in &owner.licences {
            if let Ok(path) = ImagePath::parse(format!("{COMMON_LICENSES}/{name}")) {
                let by = Some(owner.package.clone());
                self.queue.push_back(Task::Keep { path, edge: edge.clone(), by });
            }
        }
    }

    fn first_kept_of(&self, package: &PackageName) -> Option<ImagePath> {
        let mut files = self.closure.files.iter();
        files.find(|(_, kept)| kept.package().package == *package).map(|(path, _)| path.clone())
    }

    /// Paths with the same last part in the packages at hand, or else those spelt nearly so.
    fn similar(&self, wanted: &str) -> Vec<ImagePath> {
        let name = wanted.rsplit('/').next().unwrap_or_default();
        let mut similar: Vec<(bool, f64, ImagePath)> = Vec::new();
        for entry in self.universe.packages().iter().flat_map(|facts| &facts.entries) {
            let path = entry.path.merged_usr();
            let same = path.file_name() == name.as_bytes();
            let likeness = strsim::jaro_winkler(wanted, &path.to_string());
            if !matches!(entry.kind, EntryKind::Directory) && (same || likeness > ALIKE) {
                similar.push((same, likeness, path));
            }
        }
        similar.sort_by(|one, other| {
            let order = other.0.cmp(&one.0).then(other.1.total_cmp(&one.1));
            order.then_with(|| one.2.cmp(&other.2))
        });
        let only_same = similar.first().is_some_and(|(same, ..)| *same);
        let mut similar: Vec<ImagePath> = similar
            .into_iter()
            .filter(|(same, ..)| *same || !only_same)
            .map(|(.., path)| path)
            .collect();
        similar.dedup();
        similar.truncate(5);
        similar
    }
}

#[cfg(test)]
mod tests;
