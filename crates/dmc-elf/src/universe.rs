//! The files of every package that the walk has taken in, by their merged-/usr spelling.
//!
//! This is what a look-up in the finished image would see if the packages were installed whole:
//! symbolic links are followed part by part, as the kernel does. Which of the files are kept is
//! the walk's business.

use crate::walk::Brought;
use dmc_types::{Alternative, Entry, EntryKind, ImagePath, PackageFacts, PackageName};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most links followed in one look-up (`MAXSYMLINKS` of Linux).
const MOST_LINKS: usize = 40;

/// Where an entry is: in which package, and the how-manieth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    package: usize,
    entry: usize,
}

impl Place {
    pub(crate) fn entry(self) -> usize {
        self.entry
    }
}

/// What following a path led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The symbolic links that were followed, in order.
    pub(crate) links: Vec<ImagePath>,
    /// Where they led, or the path itself.
    pub(crate) path: ImagePath,
    /// What is there, if anything.
    pub(crate) place: Option<Place>,
}

/// Packages taken in so far.
#[derive(Debug, Default)]
pub(crate) struct Universe {
    packages: Vec<Arc<PackageFacts>>,
    files: BTreeMap<ImagePath, Place>,
    /// Paths that two packages ship differently, neither replacing the other.
    clashes: BTreeMap<ImagePath, [PackageName; 2]>,
    /// By package, whose files its own take the place of.
    replaces: BTreeMap<PackageName, Vec<PackageName>>,
    /// What maintainer scripts registered, the best candidate of a name last.
    registered: BTreeMap<String, Vec<(i64, Reverse<PackageName>, Alternative)>>,
    /// The links that follow from it.
    alternatives: BTreeMap<ImagePath, AlternativeTarget>,
}

/// Where a link of update-alternatives leads.
#[derive(Debug, Clone)]
pub(crate) struct AlternativeTarget {
    pub(crate) target: ImagePath,
    pub(crate) package: PackageName,
}

impl Universe {
    pub(crate) fn holds(&self, package: &PackageName) -> bool {
        self.packages.iter().any(|facts| facts.package == *package)
    }

    pub(crate) fn package(&self, name: &PackageName) -> Option<&Arc<PackageFacts>> {
        self.packages.iter().find(|facts| facts.package == *name)
    }

    pub(crate) fn packages(&self) -> &[Arc<PackageFacts>] {
        &self.packages
    }

    /// Takes in a package; a second time changes nothing. Returns the paths at which its files
    /// took the place of those of packages that were there before.
    pub(crate) fn admit(&mut self, brought: Brought) -> Vec<ImagePath> {
        let Brought { facts, alternatives, replaces } = brought;
        let mut taken_over = Vec::new();
        if self.holds(&facts.package) {
            return taken_over;
        }
        let package = self.packages.len();
        self.replaces.insert(facts.package.clone(), replaces);
        for (entry, found) in facts.entries.iter().enumerate() {
            // base-files ships `/lib -> usr/lib`; under its merged spelling that link would hide
            // the folder it leads to. The image gets these links whatever the packages say.
            if found.path.is_usr_alias() && matches!(found.kind, EntryKind::Symlink(_)) {
                continue;
            }
            let path = found.path.merged_usr();
            let Some(earlier) = self.files.get(&path).copied() else {
                self.files.insert(path, Place { package, entry });
                continue;
            };
            // bookworm's ncurses-base ships `/lib/terminfo`, and a link to it below `/usr/lib`: one
            // path once merged. The first is the folder.
            if earlier.package == package {
                continue;
            }
            let owner = &self.packages[earlier.package].package;
            let replaces =
                |one, other| self.replaces.get(one).is_some_and(|names| names.contains(other));
            if same_thing(self.entry(earlier), found) || replaces(owner, &facts.package) {
            } else if replaces(&facts.package, owner) {
                self.files.insert(path.clone(), Place { package, entry });
                taken_over.push(path);
            } else {
                self.clashes.insert(path, [owner.clone(), facts.package.clone()]);
            }
        }
        self.packages.push(Arc::clone(&facts));
        self.register(&facts.package, alternatives);
        taken_over
    }

    /// Takes in what a package tells update-alternatives: the highest priority wins a name, of
    /// equal ones the package that comes first by its own name.
    fn register(&mut self, package: &PackageName, alternatives: Vec<Alternative>) {
        for alternative in alternatives {
            let name = alternative.name.clone();
            let candidates = self.registered.entry(name).or_default();
            candidates.push((alternative.priority, Reverse(package.clone()), alternative));
            candidates.sort();
            let Some((_, Reverse(package), best)) = candidates.last() else { continue };
            let main = (&best.link, &best.name, &best.path);
            let slaves = best.slaves.iter().map(|(link, name, path)| (link, name, path));
            for (link, name, path) in std::iter::once(main).chain(slaves) {
                let Ok(half) = ImagePath::parse(format!("/etc/alternatives/{name}")) else {
                    continue;
                };
                let lead = |target: &ImagePath| AlternativeTarget {
                    target: target.clone(),
                    package: package.clone(),
                };
                self.alternatives.insert(link.merged_usr(), lead(&half));
                self.alternatives.insert(half, lead(path));
            }
        }
    }

    /// The link that update-alternatives makes at this path, where no package ships anything.
    pub(crate) fn alternative(&self, link: &ImagePath) -> Option<&AlternativeTarget> {
        self.alternatives.get(link).filter(|_| !self.files.contains_key(link))
    }

    /// Where update-alternatives makes links.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &ImagePath> {
        self.alternatives.keys()
    }

    /// Paths that two packages ship differently.
    pub(crate) fn clashes(&self) -> impl Iterator<Item = (&ImagePath, &[PackageName; 2])> {
        self.clashes.iter()
    }

    pub(crate) fn entry(&self, place: Place) -> &Entry {
        // A `Place` of this universe came from `admit`, which only ever adds: it is in range.
        &self.packages[place.package].entries[place.entry]
    }

    pub(crate) fn owner(&self, place: Place) -> &Arc<PackageFacts> {
        &self.packages[place.package]
    }

    /// What is at a path, itself perhaps a link.
    pub(crate) fn lookup_exact(&self, path: &ImagePath) -> Option<Place> {
        self.files.get(path).copied()
    }

    /// Follows a path, links in its folders and at its end included.
    pub(crate) fn lookup(&self, path: &ImagePath) -> Lookup {
        let mut links = Vec::new();
        let mut path = path.merged_usr();
        while links.len() < MOST_LINKS {
            let Some((link, target)) = self.first_link(&path) else {
                let place = self.files.get(&path).copied();
                return Lookup { links, path, place };
            };
            links.push(link);
            path = target;
        }
        Lookup { links, path, place: None }
    }

    /// The first link on the way to `path`, and where the whole path leads after following it.
    fn first_link(&self, path: &ImagePath) -> Option<(ImagePath, ImagePath)> {
        let mut way = path.ancestors();
        way.push(path.clone());
        way.into_iter().skip(1).find_map(|at| {
            let folder = match self.files.get(&at).map(|place| &self.entry(*place).kind) {
                Some(EntryKind::Symlink(target)) => at.link_target(target).ok()?.merged_usr(),
                Some(_) => return None,
                None => self.alternatives.get(&at)?.target.merged_usr(),
            };
            let rest = &path.as_bytes()[at.as_bytes().len()..];
            let led = if rest.is_empty() { folder } else { folder.join(&rest[1..]).ok()? };
            (led != *path).then(|| (at, led.merged_usr()))
        })
    }
}

/// Whether two packages agree on what is at a path: folders always do, files by their contents.
fn same_thing(one: &Entry, other: &Entry) -> bool {
    match (&one.kind, &other.kind) {
        (EntryKind::Directory, EntryKind::Directory) => true,
        (EntryKind::File(one), EntryKind::File(other)) => one.digest == other.digest,
        (EntryKind::Symlink(one), EntryKind::Symlink(other)) => one == other,
        (EntryKind::Hardlink(one), EntryKind::Hardlink(other)) => one == other,
        _ => false,
    }
}
