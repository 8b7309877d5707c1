//! Debian formats, bytes to values.
//!
//! | module | reads | gives |
//! |---|---|---|
//! | [`version`] | `1:2.3+dfsg-4` | [`version::Version`], in dpkg's order |
//! | [`relation`] | `Depends` and its kin | [`relation::Relations`] |
//! | [`deb822`] | `Packages`, control files | stanzas and fields, borrowed |
//! | [`release`] | `InRelease` and a keyring | [`release::Release`], the proof of a good signature |
//! | [`sources`] | apt's source lists | [`sources::Source`] |
//! | [`pdiff`] | `Packages.diff/` | [`pdiff::Patched`], an older index brought up to date |
//! | [`package`] | a `.deb`, as it streams in | [`package::Control`] and each file once |
//!
//! Nothing here opens a file, a socket or a clock: callers bring bytes and the time. Every byte is
//! taken for hostile: sizes are bounded before memory is, and no input panics.

pub mod changelog;
pub mod deb822;
pub mod package;
pub mod pdiff;
pub mod relation;
pub mod release;
pub mod sources;
pub mod version;
