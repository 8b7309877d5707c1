//! Package indices: fetched, checked, compiled once into a file that is mapped afterwards.
//!
//! An index is compiled from exactly the bytes that the release names and kept under their digest.
//! The compressed file's size and digest are checked before it is decompressed; what comes out is
//! bounded by the size that the release gives for the plain file, and is read in chunks. Where the
//! store has an older index, patches may bring it up to date; what they come to must have the size
//! and the digest that the release gives for the plain file.
//!
//! [`Packages`] puts the pockets of one vendor together: the highest Debian version wins. A
//! third-party archive supplies only what is asked of it by name.
//!
//! Format: <https://wiki.debian.org/DebianRepository/Format#A.22Packages.22_Indices>.

mod candidate;
mod compile;
mod error;
mod fetch;
mod format;
mod locked;
mod map;
mod merged;
mod patches;
mod read;

pub use candidate::{Candidate, Pocket};
pub use error::IndexError;
pub use merged::Packages;
pub use read::{PackageIndex, Row};

pub(crate) use fetch::{
    CompileFailure, Form, IndexChoice, Link, choices, compile_stored, compiled, index_name,
    is_compiled,
};
pub(crate) use format::VERSION as FORMAT;
pub(crate) use locked::stanza;
pub(crate) use merged::Part;
pub(crate) use patches::{Base, PatchFailure, Transfer, patched};
