//! Why an index cannot be used.

use camino::Utf8PathBuf;
use dmc_types::{Arch, Suite};
use std::io;

/// Why an index of packages cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The suite has no packages for this architecture.
    #[error("suite `{suite}` has nothing for {arch}; it has {}", .has.join(", "))]
    NoArch {
        /// The suite.
        suite: Suite,
        /// What was asked for.
        arch: Arch,
        /// What the release lists.
        has: Vec<String>,
    },
    /// The suite has no such component.
    #[error("suite `{suite}` has no component `{component}` for {arch}; it has {}", .has.join(", "))]
    NoComponent {
        /// The suite.
        suite: Suite,
        /// What was asked for.
        component: String,
        /// For which architecture.
        arch: Arch,
        /// What the release lists.
        has: Vec<String>,
    },
    /// The compressed file, whose digest is right, cannot be decompressed.
    #[error("cannot decompress the index `{path}`")]
    Corrupt {
        /// The file in the store.
        path: Utf8PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// It decompresses to another size than the release says.
    #[error("the index `{path}` decompresses to {}{found} bytes instead of {expected}", if *.found > *.expected { "at least " } else { "" })]
    Size {
        /// The file in the store.
        path: Utf8PathBuf,
        /// How much came out.
        found: u64,
        /// How much should have.
        expected: u64,
    },
    /// An entry, or all of them, are larger than dmc takes in.
    #[error("the index `{path}` is too large: {what}")]
    TooLarge {
        /// The file in the store.
        path: Utf8PathBuf,
        /// What is too large.
        what: &'static str,
    },
    /// A compiled index is not what dmc wrote.
    #[error("the compiled index `{path}` is damaged: {why}")]
    Damaged {
        /// The file in the store.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The index of this suite and architecture is not in the store, and may not be made now.
    #[error("the index of `{suite}` for {arch} is not in the store")]
    NotStored {
        /// The suite.
        suite: Suite,
        /// The architecture.
        arch: Arch,
    },
}

impl IndexError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoArch { .. } => "name another architecture with -A, or another suite with -D".to_owned(),
            Self::NoComponent { .. } => "correct the component's name in the configuration".to_owned(),
            Self::Corrupt { .. } | Self::Size { .. } | Self::TooLarge { .. } => {
                "the archive vouches for a file that is wrong: tell its owner, or name another mirror with -M"
                    .to_owned()
            }
            Self::Damaged { path, .. } => {
                format!("delete `{path}` and run the same command again: it is made anew")
            }
            Self::NotStored { .. } => "run `dmc -a update` first".to_owned(),
        })
    }
}
