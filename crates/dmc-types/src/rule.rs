//! Curated knowledge of edges that no ELF header shows.
//!
//! Rules are data in `conf/rules/*.toml`. A rule fires for a kept file or package and asks for
//! more files, for something to be generated, or says that something does not matter; the closure
//! records the rule's name as the reason.

use crate::{ImagePath, PackageName, PathGlob, SoName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique among all rules: `libgcc-thread-exit`.
    pub name: String,
    /// What happens without it, in one sentence; shown by `dmc why`.
    pub because: String,
    /// It fires when any of these does.
    pub triggers: Vec<RuleTrigger>,
    /// Packages whose files do not fire it.
    pub except: Vec<PackageName>,
    /// What it asks for.
    pub effect: RuleEffect,
}

/// What makes a rule fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleTrigger {
    /// A kept ELF file imports this symbol.
    Import(String),
    /// A kept ELF file needs this library.
    Needs(SoName),
    /// A kept file's path matches.
    Path(PathGlob),
    /// The template names this package, or a file of it is kept.
    Package(PackageName),
    /// The same for all packages whose name, with a slash in front, matches.
    PackageLike(PathGlob),
}

impl RuleTrigger {
    /// Whether it fires for a package.
    pub fn is_for_package(&self, package: &PackageName) -> bool {
        match self {
            Self::Package(name) => name == package,
            Self::PackageLike(glob) => {
                ImagePath::parse(format!("/{package}")).is_ok_and(|name| glob.matches(&name))
            }
            Self::Import(_) | Self::Needs(_) | Self::Path(_) => false,
        }
    }
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleEffect {
    /// Libraries, found as the loader would for the file that fired the rule.
    pub libraries: Vec<SoName>,
    /// Packages in which `include` is looked for. Empty: the firing file's own package.
    pub packages: Vec<PackageName>,
    /// Patterns of files to keep. `{triplet}` has been replaced.
    pub include: Vec<PathGlob>,
    /// The same, but there need not be such files.
    pub optional: Vec<PathGlob>,
    /// Sentences for the user, told once an image.
    pub notes: Vec<String>,
    /// What assembly is to make.
    pub generate: BTreeSet<Generated>,
    /// Paths in read-only data of the firing file that need not be in the image; a soname-like
    /// string is matched as `/SONAME`.
    pub ignore: Vec<PathGlob>,
}

/// A file that no package ships and that an image may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generated {
    /// `/etc/ssl/certs`: the bundle and the hash links (update-ca-certificates(8)).
    CaCertificates,
    /// `/etc/ld.so.cache` (ldconfig(8)).
    LdSoCache,
}
