//! What is kept, and why: the walk's result.

use dmc_types::{Entry, EntryKind, FileFacts, Generated, ImagePath, PackageFacts, PackageName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The kind of an edge of the closure: what makes a file necessary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "what")]
pub enum EdgeKind {
    /// The template names it as a root.
    Root,
    /// A pattern of the template matches it.
    Included(String),
    /// It is a file of this extension, which the template lists.
    Extension(String),
    /// The template places a copy of it in the image.
    Copied,
    /// `DT_NEEDED` names it.
    Needed(String),
    /// `PT_INTERP` names it.
    Interp,
    /// A script's first line names it.
    Shebang,
    /// `.note.dlopen` names it.
    Dlopen(String),
    /// The rule of this name asks for it.
    Rule(String),
    /// A symbolic link on the way leads to it.
    LinkTarget,
    /// A variant that the loader prefers on better processors.
    Hwcaps(String),
    /// The licence of a package of which a file is kept.
    Licence,
    /// Read-only data of a program or library names it.
    Path,
    /// An execline script may run it by this word.
    Word(String),
    /// update-alternatives makes the link of this name.
    Alternative(String),
    /// Its whole package is in the image.
    Whole,
}

impl EdgeKind {
    /// Whether the image is wrong without the file. A link that was merely matched by a pattern
    /// may lead nowhere.
    pub(crate) fn is_binding(&self) -> bool {
        !matches!(
            self,
            Self::Included(_)
                | Self::Rule(_)
                | Self::Licence
                | Self::Path
                | Self::Word(_)
                | Self::Alternative(_)
        )
    }
}

/// Why one file is kept: the file that needs it, or none where the template asked for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// What kind of need it is.
    #[serde(flatten)]
    pub kind: EdgeKind,
    /// The kept file that has the need; none for the template.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<ImagePath>,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            EdgeKind::Root => f.write_str("root"),
            EdgeKind::Included(glob) => write!(f, "included by {glob}"),
            EdgeKind::Extension(name) => write!(f, "extension {name}"),
            EdgeKind::Copied => f.write_str("copied"),
            EdgeKind::Needed(soname) => write!(f, "needed as {soname}"),
            EdgeKind::Interp => f.write_str("interpreter"),
            EdgeKind::Shebang => f.write_str("shebang"),
            EdgeKind::Dlopen(feature) => write!(f, "dlopen for {feature}"),
            EdgeKind::Rule(name) => write!(f, "rule {name}"),
            EdgeKind::LinkTarget => f.write_str("link target"),
            EdgeKind::Hwcaps(soname) => write!(f, "hwcaps variant of {soname}"),
            EdgeKind::Licence => f.write_str("licence"),
            EdgeKind::Path => f.write_str("path in its read-only data"),
            EdgeKind::Word(word) => write!(f, "run by the script as {word}"),
            EdgeKind::Alternative(name) => write!(f, "alternative {name}"),
            EdgeKind::Whole => f.write_str("whole package"),
        }
    }
}

/// A file, link or folder that goes into the image.
#[derive(Debug, Clone)]
pub struct Kept {
    owner: Arc<PackageFacts>,
    entry: usize,
    /// Every reason for which it is kept, the one that came first in front.
    pub reasons: Vec<Edge>,
}

impl Kept {
    pub(crate) fn new(owner: Arc<PackageFacts>, entry: usize) -> Self {
        Self { owner, entry, reasons: Vec::new() }
    }

    /// The entry of this number of a package, without a reason yet; none where the package has no
    /// such entry.
    pub fn of(owner: &Arc<PackageFacts>, entry: usize) -> Option<Self> {
        (entry < owner.entries.len()).then(|| Self::new(Arc::clone(owner), entry))
    }

    /// Whether the only reasons for it are strings of programs and words of scripts.
    pub fn is_merely_named(&self) -> bool {
        self.reasons.iter().all(|edge| matches!(edge.kind, EdgeKind::Path | EdgeKind::Word(_)))
    }

    /// What the package says of it. Its `path` is the package's own spelling.
    pub fn entry(&self) -> &Entry {
        // `entry` was found by searching `owner`.
        &self.owner.entries[self.entry]
    }

    /// Its contents, if it is a regular file or one of several names of one.
    pub fn file(&self) -> Option<&FileFacts> {
        contents(&self.owner, self.entry())
    }

    /// The package that ships it.
    pub fn package(&self) -> &Arc<PackageFacts> {
        &self.owner
    }
}

/// The contents of an entry of a package, for a hard link those of the member it names. dpkg-deb
/// makes no chains of hard links.
pub(crate) fn contents<'a>(package: &'a PackageFacts, entry: &'a Entry) -> Option<&'a FileFacts> {
    match &entry.kind {
        EntryKind::File(file) => Some(file),
        EntryKind::Hardlink(first) => package.entries.iter().find_map(|other| match &other.kind {
            EntryKind::File(file) if other.path == *first => Some(file),
            _ => None,
        }),
        EntryKind::Directory | EntryKind::Symlink(_) => None,
    }
}

/// Something worth telling that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A library that would be opened if it were there, in none of the packages at hand.
    Optional {
        /// The file that would open it.
        by: ImagePath,
        /// Its sonames, best first.
        sonames: Vec<String>,
    },
    /// A soname-like string in read-only data that nothing in the image resolves.
    Open {
        /// The file that holds it.
        by: ImagePath,
        /// The string.
        soname: String,
    },
    /// What a rule has to say.
    Rule {
        /// The rule's name.
        name: String,
        /// A sentence.
        text: String,
    },
    /// A script that only a program's text names is run by what nothing at hand ships.
    NoInterpreter {
        /// The script.
        script: ImagePath,
        /// What its first line names.
        interpreter: ImagePath,
    },
    /// A package without a copyright file.
    NoLicence(PackageName),
    /// A link of a package leads to something that is not kept and that nothing ships.
    Dangling {
        /// The link.
        link: ImagePath,
        /// Where it leads.
        target: ImagePath,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Optional { by, sonames } => {
                write!(f, "`{by}` would open {}, which is left out", sonames.join(" or "))
            }
            Self::Open { by, soname } => {
                write!(f, "`{by}` names {soname}, which is not in the image")
            }
            Self::Rule { name, text } => write!(f, "{text} (rule {name})"),
            Self::NoInterpreter { script, interpreter } => {
                write!(f, "`{script}` is run by `{interpreter}`, which is left out")
            }
            Self::NoLicence(package) => write!(f, "package {package} has no copyright file"),
            Self::Dangling { link, target } => {
                write!(f, "link `{link}` leads to `{target}`, which is not in the image")
            }
        }
    }
}

/// The files to keep, by their merged-/usr spelling, each with its reasons.
#[derive(Debug, Clone, Default)]
pub struct Closure {
    /// What is kept.
    pub files: BTreeMap<ImagePath, Kept>,
    /// Files of which the template places copies, by the path that it names. They are not kept
    /// themselves, but their packages are shipped.
    pub copied: BTreeMap<ImagePath, Kept>,
    /// Every package that was read on the way, by name, whether a file of it is kept or not.
    pub packages: BTreeMap<PackageName, Arc<PackageFacts>>,
    /// Links of update-alternatives that lead to kept files, both halves (`/usr/bin/awk` and
    /// `/etc/alternatives/awk`), by their paths.
    pub alternatives: BTreeMap<ImagePath, AlternativeLink>,
    /// What rules ask assembly to make.
    pub generate: BTreeSet<Generated>,
    /// What the user should know.
    pub notes: BTreeSet<Note>,
    /// Paths in read-only data that no package at hand ships as a file, by the package of the file
    /// that names them (the second path). Most of them are in no package at all.
    pub unresolved: BTreeMap<PackageName, BTreeSet<(ImagePath, ImagePath)>>,
}

/// A link that update-alternatives would have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternativeLink {
    /// Where it leads.
    pub target: ImagePath,
    /// The package that registers it.
    pub package: PackageName,
    /// Why it is in the image, the reason that came first in front.
    pub reasons: Vec<Edge>,
}

impl Closure {
    /// The packages of which something other than a folder is in the image, by name.
    pub fn shipped(&self) -> BTreeMap<PackageName, &Arc<PackageFacts>> {
        self.files
            .values()
            .chain(self.copied.values())
            .filter(|kept| !matches!(kept.entry().kind, EntryKind::Directory))
            .map(|kept| (kept.package().package.clone(), kept.package()))
            .collect()
    }
}
