//! The currency between the rooms of dmc.
//!
//! Names, paths, digests, architectures, facts about packages and the rules that act on them:
//! values that at least two sibling crates pass to each other. Everything here is parsed once, at
//! the edge where it comes in, and cannot hold a wrong value afterwards. The crate parses, prints
//! and compares; it opens no file and no socket, and knows no file format of Debian, ELF or OCI.

mod alternative;
mod arch;
mod compression;
mod digest;
mod exports;
mod facts;
mod glob;
mod names;
mod path;
mod rule;
mod system_ids;

pub use alternative::Alternative;
pub use arch::{Arch, ElfClass, ElfIdent, Endian, OciPlatform, UnknownArch};
pub use compression::{Compression, Compressions, ZstdLevel};
pub use digest::{Checksum, DigestError, Sha1, Sha256, Sha512};
pub use exports::Exports;
pub use facts::{
    DlopenNote, DlopenPriority, ElfFacts, Entry, EntryKind, FileFacts, Import, Nature,
    NeededVersion, PackageFacts, Shebang,
};
pub use glob::{GlobError, PathGlob};
pub use names::{NameError, PackageName, SoName, Suite, TemplateName};
pub use path::{ImagePath, PathError};
pub use rule::{Generated, Rule, RuleEffect, RuleTrigger};
pub use system_ids::system_ids;

/// Seconds since 1970-01-01T00:00:00Z; the only form in which time passes between the rooms.
pub type UnixTime = i64;
