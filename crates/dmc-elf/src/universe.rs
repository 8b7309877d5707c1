//! The files of every package that the walk has taken in, by their merged-/usr spelling.
//!
//! This is what a look-up in the finished image would see if the packages were installed whole:
//! symbolic links are followed part by part, as the kernel does. Which of the files are kept is
//! the walk's business.

use dmc_types::{Alternative, Entry, EntryKind, ImagePath, PackageFacts, PackageName};
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
    /// Second packages that ship a path, and differently.
    clashes: BTreeMap<ImagePath, PackageName>,
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

    /// Takes in a package; a second time changes nothing.
    pub(crate) fn admit(&mut self, facts: Arc<PackageFacts>, _alternatives: Vec<Alternative>) {
        if self.holds(&facts.package) {
            return;
        }
        let package = self.packages.len();
        for (entry, found) in facts.entries.iter().enumerate() {
            // base-files ships `/lib -> usr/lib`; under its merged spelling that link would hide
            // the folder it leads to. The image gets these links whatever the packages say.
            if found.path.is_usr_alias() && matches!(found.kind, EntryKind::Symlink(_)) {
                continue;
            }
            let path = found.path.merged_usr();
            match self.files.get(&path).map(|place| self.entry(*place)) {
                None => drop(self.files.insert(path, Place { package, entry })),
                Some(earlier) if same_thing(earlier, found) => {}
                Some(_) => drop(self.clashes.insert(path, facts.package.clone())),
            }
        }
        self.packages.push(facts);
    }

    /// The second package that ships this path with other contents, if one does.
    pub(crate) fn clash(&self, path: &ImagePath) -> Option<&PackageName> {
        self.clashes.get(path)
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
            let EntryKind::Symlink(target) = &self.entry(*self.files.get(&at)?).kind else {
                return None;
            };
            let folder = at.link_target(target).ok()?.merged_usr();
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
