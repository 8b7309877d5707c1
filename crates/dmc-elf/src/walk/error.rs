//! Why a walk cannot go on.

use super::Walk;
use super::need::{Need, Task, Want};
use crate::closure::{Edge, EdgeKind};
use dmc_types::{Arch, ElfIdent, ImagePath, PackageName};
use std::fmt::Write as _;

/// A walk that cannot go on. Each names the file, the architecture and the packages looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// The template names a file that none of its packages ships.
    #[error("no package of the template ships `{path}` on {arch} (looked in {})", list(packages))]
    MissingRoot {
        /// The file.
        path: ImagePath,
        /// The image's architecture.
        arch: Arch,
        /// The template's packages.
        packages: Vec<PackageName>,
        /// Files of the same name elsewhere in these packages.
        similar: Vec<ImagePath>,
    },
    /// A pattern matches no file.
    #[error("`{glob}` matches no file of {} on {arch} ({by})", list(packages))]
    NothingMatches {
        /// The pattern.
        glob: String,
        /// The image's architecture.
        arch: Arch,
        /// The packages that were looked at.
        packages: Vec<PackageName>,
        /// Who asked.
        by: Edge,
        /// Files that may have been meant.
        similar: Vec<ImagePath>,
    },
    /// A library is in none of the packages that the needing one depends on.
    #[error("no package ships `{library}`, needed by `{by}` on {arch}")]
    NoLibrary {
        /// Its soname.
        library: String,
        /// The file that needs it.
        by: ImagePath,
        /// The package of that file.
        package: Option<PackageName>,
        /// The image's architecture.
        arch: Arch,
        /// Where the loader would look, in order.
        places: Vec<ImagePath>,
    },
    /// A file is in none of the packages that the needing one depends on.
    #[error("no package ships `{path}`, needed {} on {arch} ({edge})", by(edge))]
    NoFile {
        /// The file.
        path: ImagePath,
        /// Why it is needed, and by what.
        edge: Edge,
        /// The image's architecture.
        arch: Arch,
    },
    /// A package that was named could not be had.
    #[error("package {package} is named but cannot be had on {arch}")]
    NoPackage {
        /// The package.
        package: PackageName,
        /// The image's architecture.
        arch: Arch,
    },
    /// An ELF file is for another machine.
    #[error("`{path}` is for {found}, not for {arch}")]
    WrongMachine {
        /// The file.
        path: ImagePath,
        /// What its header says.
        found: ElfIdent,
        /// The image's architecture.
        arch: Arch,
    },
    /// An ELF file cannot be read.
    #[error("`{path}` of package {package} is not a readable ELF file: {why}")]
    BrokenElf {
        /// The file.
        path: ImagePath,
        /// Its package.
        package: PackageName,
        /// What is wrong with it.
        why: String,
    },
    /// Two packages ship different files at one path.
    #[error("packages {} and {} both ship `{path}`, with different contents", packages[0], packages[1])]
    Clash {
        /// The path.
        path: ImagePath,
        /// The two packages.
        packages: [PackageName; 2],
    },
}

impl WalkError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::MissingRoot { similar, .. } if similar.is_empty() => {
                "check `roots` and `packages` of the template".to_owned()
            }
            Self::MissingRoot { similar, .. } => format!("these packages do ship {}", list(similar)),
            Self::NothingMatches { similar, .. } if !similar.is_empty() => {
                format!("correct the pattern; did you mean {}?", list(similar))
            }
            Self::NothingMatches { .. } => {
                "correct the pattern, or name the package that ships such files under `packages`".to_owned()
            }
            Self::NoLibrary { package, places, .. } => {
                let mut hint = String::from("name the package that ships it under `packages`");
                if let Some(package) = package {
                    let _ = write!(hint, "; it is in nothing that {package} depends on");
                }
                let _ = write!(hint, "; looked for {}", list(places));
                hint
            }
            Self::NoFile { .. } => {
                "name the package that ships it under `packages`, or `exclude` what needs it".to_owned()
            }
            Self::NoPackage { .. } => "check its name and whether it is built for this architecture".to_owned(),
            Self::WrongMachine { .. } => "name the package of the image's own architecture".to_owned(),
            Self::BrokenElf { .. } => {
                "the package was verified, so it is so in the archive: exclude the file or report it to Debian".to_owned()
            }
            Self::Clash { .. } => "name only one of the two packages, or exclude the file".to_owned(),
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(|item| format!("`{}`", item.to_string())).collect::<Vec<_>>().join(", ")
}

fn by(edge: &Edge) -> String {
    match &edge.from {
        Some(from) => format!("by `{from}`"),
        None => "by the template".to_owned(),
    }
}

impl Walk {
    /// The error for a need that nothing met.
    pub(super) fn unresolved(&self, need: &Need, task: Task) -> WalkError {
        let arch = self.arch;
        match (task, &need.want) {
            (Task::Library { names, from, .. }, Want::Library(places)) => WalkError::NoLibrary {
                library: names.first().map(ToString::to_string).unwrap_or_default(),
                by: from,
                package: need.by.clone(),
                arch,
                places: places.first().map(|(_, places)| places.clone()).unwrap_or_default(),
            },
            (Task::Keep { edge, .. }, Want::Path(path)) => {
                WalkError::NoFile { path: path.clone(), edge, arch }
            }
            (_, Want::Package(package)) => WalkError::NoPackage { package: package.clone(), arch },
            (Task::Root { path, packages, .. }, _) => WalkError::MissingRoot {
                similar: self.similar(&path.to_string()),
                path,
                arch,
                packages: packages.to_vec(),
            },
            (_, Want::Path(path) | Want::File(path)) => WalkError::NoFile {
                path: path.clone(),
                edge: Edge { kind: EdgeKind::LinkTarget, from: None },
                arch,
            },
            (_, Want::Library(_)) => WalkError::NoLibrary {
                library: String::new(),
                by: ImagePath::root(),
                package: need.by.clone(),
                arch,
                places: Vec::new(),
            },
        }
    }
}
