//! A binary package (deb(5)), read once from front to back as it streams in.
//!
//! [`unpack`] hands each member of `data.tar` to a [`Sink`], contents and all, and returns what
//! `control.tar` holds. It never seeks and never holds more than one file of the package.
//!
//! Refused by name: truncated or foreign files, unknown members and compressions, paths that
//! climb, are absolute or lead through a link, hard links to nothing, device nodes, sparse files,
//! and whatever unpacks to more than its [`Limits`]. Decoders are read to their ends, so that
//! their checksums are checked.

mod ar;
mod control;
mod data;
mod decoder;
mod error;

pub use error::DebError;

use dmc_types::{ImagePath, UnixTime};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// How much a package may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the decompressed `data.tar`, headers and padding included.
    pub unpacked: u64,
    /// Bytes of the decompressed `control.tar`.
    pub control: u64,
}

impl Limits {
    /// Generous bounds for a package of an index: twice `Installed-Size` (which is in KiB and
    /// does not count tar's headers) and 64 MiB; without that field 64 times the package's size.
    pub fn for_package(installed_size_kib: Option<u64>, deb_size: u64) -> Self {
        const SLACK: u64 = 64 << 20;
        let expected = match installed_size_kib {
            Some(kib) => kib.saturating_mul(2 * 1024),
            None => deb_size.saturating_mul(64),
        };
        Self { unpacked: expected.saturating_add(SLACK), control: SLACK }
    }
}

/// What a package says of itself, in the types of `PackageFacts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The control paragraph as it stands, with one final newline.
    pub paragraph: String,
    /// Maintainer scripts by name: `preinst`, `postinst`, `prerm`, `postrm`, `config`.
    pub scripts: BTreeMap<String, Vec<u8>>,
    /// `conffiles`, in order, without those flagged `remove-on-upgrade`.
    pub conffiles: Vec<ImagePath>,
    /// `md5sums`: 32 hexadecimal digits by path.
    pub md5sums: BTreeMap<ImagePath, String>,
}

/// One member of `data.tar`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it goes, in the package's spelling; the root folder comes as `/`.
    pub path: ImagePath,
    /// Permission bits with setuid, setgid and sticky, at most 0o7777.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub time: UnixTime,
    /// What it is.
    pub kind: MemberKind,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, with its target as written.
    Symlink(Vec<u8>),
    /// Another name of an earlier member.
    Hardlink(ImagePath),
}

/// Takes the members of a package.
pub trait Sink {
    /// Takes one member, in the order of the tar, each path once (folders may come again).
    /// `contents` is a regular file's whole contents and empty for everything else; the buffer
    /// is used again for the next file.
    ///
    /// # Errors
    /// What the sink could not do; it ends the reading ([`DebError::Sink`]).
    fn entry(&mut self, member: Member, contents: &[u8]) -> io::Result<()>;
}

/// Reads a package to its end.
///
/// # Errors
/// See [`DebError`]. The sink may have been given members before that: what it made of them must
/// be thrown away.
pub fn unpack(
    reader: impl Read,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Control, DebError> {
    let mut archive = ar::Archive::open(reader)?;
    archive.version()?;
    let control =
        archive.member("control.tar", limits.control, |tar| control::read(tar, limits.control))?;
    archive.member("data.tar", limits.unpacked, |tar| data::read(tar, limits, sink))?;
    archive.finish()?;
    Ok(control)
}

#[cfg(test)]
mod tests;
