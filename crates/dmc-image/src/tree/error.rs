//! What is wrong with a tree.

use dmc_types::ImagePath;

/// Why a node has no place in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Two different nodes for one path.
    #[error("`{path}` comes twice, as {first} and as {second}")]
    Clash {
        /// The path.
        path: ImagePath,
        /// What is there: kind, mode and owner.
        first: String,
        /// What came after.
        second: String,
    },
    /// A node under something that is not a folder.
    #[error("`{path}` cannot be put below `{above}`, which is a {kind}")]
    BelowNonDirectory {
        /// The lower path.
        path: ImagePath,
        /// The path above it.
        above: ImagePath,
        /// What is there.
        kind: &'static str,
    },
    /// A name that means "deleted" in a layer (OCI image specification, "Whiteouts").
    #[error("`{path}` has a name beginning with `.wh.`, which deletes files in a layer")]
    Whiteout {
        /// The path.
        path: ImagePath,
    },
    /// Permission bits that an image may not have.
    #[error("`{path}` has mode {mode:04o}: {why}")]
    Mode {
        /// The path.
        path: ImagePath,
        /// The mode.
        mode: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The root of the tree must be a folder.
    #[error("`/` cannot be a {kind}")]
    Root {
        /// What it was to be.
        kind: &'static str,
    },
    /// A symbolic link that no kernel would make.
    #[error("`{path}` is a symbolic link whose target {why}")]
    Symlink {
        /// The path.
        path: ImagePath,
        /// What is wrong with the target.
        why: &'static str,
    },
    /// A hard link to something that is not a regular file of the tree.
    #[error("`{path}` is a hard link to `{target}`, which is {found}")]
    Hardlink {
        /// The link.
        path: ImagePath,
        /// What it names.
        target: ImagePath,
        /// What is there.
        found: &'static str,
    },
}

impl TreeError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Clash { .. } => "exclude one of the two, or put the wanted file into the overlay",
            Self::BelowNonDirectory { .. } => {
                "give the file by its real path, with every link on the way followed"
            }
            Self::Whiteout { .. } => "exclude or rename the file",
            Self::Mode { .. } => "set a mode without setuid and setgid bits, at most 1777",
            Self::Root { .. } => "put the file below `/`",
            Self::Symlink { .. } => "give the link a target of 1 to 4095 bytes",
            Self::Hardlink { .. } => "keep the link's target too, or make the link a file",
        }
    }
}
