//! Why a package was refused.

use dmc_types::{ImagePath, PathError};
use std::io;

/// Why a `.deb` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// The bytes themselves could not be had; a download or a disk failed, not the package.
    #[error("the package could not be read")]
    Read {
        /// What the reader says.
        source: io::Error,
    },
    /// What takes the members could not.
    #[error("the package's contents could not be put down")]
    Sink {
        /// What the sink says.
        source: io::Error,
    },
    /// It does not begin like an ar archive.
    #[error("this is not a Debian package: it is no ar archive")]
    NotAr,
    /// It ends too soon.
    #[error("the package ends in the middle of its `{member}`")]
    Truncated {
        /// The ar member, without its compression's suffix.
        member: &'static str,
    },
    /// An ar header that makes no sense.
    #[error("the package has a broken ar header: `{header}`")]
    BadHeader {
        /// The header, made printable.
        header: String,
    },
    /// Not version 2 of the format.
    #[error("the package has format version `{version}`, not 2")]
    UnknownVersion {
        /// What `debian-binary` says, cut short.
        version: String,
    },
    /// A member that has no place there.
    #[error("the package has a member `{name}` where `{wanted}` must be")]
    UnexpectedMember {
        /// Its name.
        name: String,
        /// The member that must come; `_…` at the end, where only such may follow.
        wanted: &'static str,
    },
    /// A member compressed in a way that is not read.
    #[error("the package's member `{name}` has an unknown compression")]
    UnknownCompression {
        /// Its name.
        name: String,
    },
    /// It unpacks to more than it may.
    #[error("the package's `{member}` unpacks to more than {limit} bytes")]
    TooLarge {
        /// The ar member, without its compression's suffix.
        member: &'static str,
        /// The bound, in bytes.
        limit: u64,
    },
    /// A compressed stream or a tar that is damaged.
    #[error("the package's `{member}` is damaged")]
    Corrupt {
        /// The ar member, without its compression's suffix.
        member: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// A control file that is missing or cannot be read.
    #[error("the package's control file `{file}` {why}")]
    BadControl {
        /// Its name.
        file: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A member's name, or a link's target, that no member may have.
    #[error("the package has a member that may not be")]
    BadPath {
        /// Which, and why.
        source: PathError,
    },
    /// A member below something that is not a folder.
    #[error("the package's `{path}` lies below `{above}`, which is no folder")]
    NotInFolder {
        /// The member.
        path: ImagePath,
        /// What is above it: a link or a file.
        above: ImagePath,
    },
    /// Two members of one path.
    #[error("the package has `{path}` twice")]
    Twice {
        /// The path.
        path: ImagePath,
    },
    /// A hard link to what no earlier member holds.
    #[error("the package's `{path}` is a hard link to `{target}`, which is no earlier file of it")]
    DanglingHardlink {
        /// The link.
        path: ImagePath,
        /// Its target.
        target: ImagePath,
    },
    /// A device node or another thing that no image holds.
    #[error("the package's `{path}` is {what}")]
    Special {
        /// The member.
        path: ImagePath,
        /// What it is, with its article.
        what: &'static str,
    },
    /// A number that cannot be: a negative time, a folder with contents.
    #[error("the package's `{path}` has an absurd {field}")]
    BadNumber {
        /// The member.
        path: ImagePath,
        /// Which number.
        field: &'static str,
    },
}

impl DebError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Truncated { .. } => "fetch the package again",
            Self::Sink { .. } => "see that the store has room and may be written",
            Self::TooLarge { .. } => {
                "its Installed-Size may be wrong; if the package is sound, tell its maintainer"
            }
            Self::UnknownCompression { .. } | Self::UnknownVersion { .. } => {
                "it was made by tools that are newer, or far older, than this program"
            }
            _ => "its digest vouches for the archive's copy: tell the package's maintainer",
        }
    }

    /// Names a failure of a decoder or of the tar within.
    pub(super) fn reading(member: &'static str, limit: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { member },
            io::ErrorKind::FileTooLarge => Self::TooLarge { member, limit },
            _ => Self::Corrupt { member, source },
        }
    }
}
