//! Why packages cannot be installed together.

use crate::state::Field;
use dmc_types::PackageName;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SolveError<E: std::error::Error + 'static> {
    /// The index cannot be read.
    #[error(transparent)]
    Index(E),
    /// No set of packages will do.
    #[error(transparent)]
    Unsolvable(#[from] Unsolvable),
}

/// What stands against every set of packages that was tried; told of the one that was tried first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsolvable {
    /// A package that was asked for is not there.
    #[error("there is no package {package}")]
    Unknown {
        /// Its name.
        package: PackageName,
    },
    /// Nothing meets a dependency.
    #[error("nothing in the archive meets `{wanted}`, which {by} needs ({field})")]
    Unmet {
        /// The package that has the dependency.
        by: PackageName,
        /// The field that has it.
        field: Field,
        /// The alternatives, as written.
        wanted: String,
    },
    /// Two packages that are both needed exclude each other.
    #[error(
        "{one} and {other} cannot be together: {field} of {one} says `{relation}`{}",
        needed(because)
    )]
    Conflict {
        /// The package that says so.
        one: PackageName,
        /// The package that it excludes.
        other: PackageName,
        /// `Conflicts` or `Breaks`.
        field: Field,
        /// What it says.
        relation: String,
        /// Why each of them is needed, in words.
        because: Vec<String>,
    },
    /// There is nothing to choose from.
    #[error("no set of packages was found")]
    Nothing,
}

impl Unsolvable {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "check its name, and the distribution (-D)",
            Self::Unmet { .. } => {
                "the archive is in the middle of a change, or the package is for another suite: \
                 leave the package out, or name another suite with -D"
            }
            Self::Conflict { .. } => "leave one of the two out of `packages`",
            Self::Nothing => {
                "name the alternatives that you want under `packages`, which leaves less to try"
            }
        }
    }
}

fn needed(because: &[String]) -> String {
    because.iter().flat_map(|line| ["; ", line]).collect()
}
