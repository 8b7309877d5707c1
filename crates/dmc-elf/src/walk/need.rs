//! What a walk asks its caller for, and what it still has to do.

use crate::closure::{Edge, EdgeKind};
use dmc_types::{
    Alternative, Arch, EntryKind, ImagePath, Nature, PackageFacts, PackageName, PathGlob, Shebang,
    SoName,
};
use std::sync::Arc;

/// A request to the walk's caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The package that has the need: the answer is to be sought in its dependencies. None for
    /// a package that a template or rule names.
    pub by: Option<PackageName>,
    /// What is needed.
    pub want: Want,
    /// Whether the image cannot do without. A soft need is not worth a search beyond the direct
    /// dependencies.
    pub hard: bool,
}

/// What is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The package of this name.
    Package(PackageName),
    /// A package that ships one of these libraries, best first, at one of the paths beside it.
    Library(Vec<(SoName, Vec<ImagePath>)>),
    /// A package that ships this path, or a link on the way to it.
    Path(ImagePath),
    /// A package that ships this path and not as a folder. Nothing is wrong without: it is worth
    /// reading a direct dependency that the path seems to name, and no other.
    File(ImagePath),
}

impl Want {
    /// Whether this package is an answer, in an image for `arch`.
    pub fn is_met_by(&self, brought: &Brought, arch: Arch) -> bool {
        let Brought { facts, alternatives, .. } = brought;
        let links = || alternatives.iter().flat_map(Alternative::links);
        match self {
            Self::Package(name) => facts.package == *name,
            Self::Library(names) => {
                facts.entries.iter().any(|entry| {
                    let path = entry.path.merged_usr();
                    may_be_library(&entry.kind, arch)
                        && names.iter().any(|(_, places)| places.contains(&path))
                }) || links().any(|link| names.iter().any(|(_, places)| places.contains(link)))
            }
            Self::File(wanted) => facts.entries.iter().any(|entry| {
                entry.path.merged_usr() == *wanted && !matches!(entry.kind, EntryKind::Directory)
            }),
            Self::Path(wanted) => {
                facts.entries.iter().any(|entry| {
                    let path = entry.path.merged_usr();
                    let link =
                        matches!(entry.kind, EntryKind::Symlink(_)) && !entry.path.is_usr_alias();
                    path == *wanted || (link && wanted.is_within(&path))
                }) || links().any(|link| wanted.is_within(link))
            }
        }
    }
}

/// Whether the loader could take this; links are followed later.
fn may_be_library(kind: &EntryKind, arch: Arch) -> bool {
    match kind {
        EntryKind::File(file) => match &file.nature {
            Nature::Elf(elf) => elf.ident == arch.elf(),
            Nature::BrokenElf(_) => true,
            Nature::Script(_) | Nature::Data => false,
        },
        EntryKind::Symlink(_) | EntryKind::Hardlink(_) => true,
        EntryKind::Directory => false,
    }
}

/// What the caller found.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A package that meets the need.
    Package(Brought),
    /// No package does.
    Nowhere,
    /// Not yet sought: other answers of this round may meet it.
    Later,
}

/// A package, and what of it only its caller can tell.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The package.
    pub facts: Arc<PackageFacts>,
    /// What its maintainer scripts tell update-alternatives.
    pub alternatives: Vec<Alternative>,
    /// The packages whose files its own take the place of: `Replaces`, as far as the versions of
    /// this archive fall under it (Debian Policy 7.6.1).
    pub replaces: Vec<PackageName>,
}

impl Brought {
    /// A package without alternatives that replaces nothing.
    pub fn plain(facts: Arc<PackageFacts>) -> Self {
        Self { facts, alternatives: Vec::new(), replaces: Vec::new() }
    }
}

impl Need {
    /// For what waits on other tasks, not on the caller.
    pub(super) fn nothing() -> Self {
        Self { by: None, want: Want::Library(Vec::new()), hard: false }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.want, Want::Library(names) if names.is_empty())
    }
}

/// A step that is still to be made.
#[derive(Debug)]
pub(super) enum Task {
    /// Take in a package that the template names.
    Load(PackageName),
    /// Keep a file that the template names.
    Root { path: ImagePath, kind: EdgeKind, packages: Arc<[PackageName]> },
    /// Keep what a pattern matches in these packages.
    Include { glob: PathGlob, packages: Arc<[PackageName]>, edge: Edge, optional: bool },
    /// Apply what rules say of a package that the template names.
    Named(PackageName),
    /// Keep one path, needed by a file of a package.
    Keep { path: ImagePath, edge: Edge, by: Option<PackageName> },
    /// Keep the first of these libraries that is to be had, for the file `from`.
    Library { names: Vec<SoName>, from: ImagePath, kind: EdgeKind, hard: bool },
    /// Follow the edges of a script that the template places.
    Script { path: ImagePath, line: Shebang },
    /// Keep a package's copyright file.
    Licence(PackageName),
}
