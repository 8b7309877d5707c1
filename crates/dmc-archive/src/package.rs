//! Packages, decoded once.
//!
//! A .deb whose digest was just checked is read from front to back: its files go one after the
//! other into the store's `contents/`, and what later rooms need to know of them becomes
//! [`PackageFacts`]. Facts are a pure function of the package's bytes.

use crate::error::ArchiveError;
use crate::index::Candidate;
use crate::store::{Shelf, Store, StoreError};
use dmc_deb::deb822::Paragraph;
use dmc_deb::package::{Control, DebError, Limits, Member, MemberKind, Sink, unpack};
use dmc_types::{Entry, EntryKind, FileFacts, PackageFacts, Sha1, Sha256};
use sha2::Digest;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It cannot be decoded, although its digest is right.
    #[error("cannot read `{package}`")]
    Unreadable {
        /// Its file name in the archive.
        package: String,
        /// What is wrong with it.
        source: DebError,
    },
    /// It says that it is another package than the lock says.
    #[error(
        "`{package}` is not what the lock says: its {field} is `{found}` instead of `{expected}`"
    )]
    NotLocked {
        /// Its file name in the archive.
        package: String,
        /// The field.
        field: &'static str,
        /// What the package says.
        found: String,
        /// What the lock says.
        expected: String,
    },
    /// It says that it is another package than the index said.
    #[error(
        "`{package}` is not what the index says: its {field} is `{found}` instead of `{expected}`"
    )]
    Mismatch {
        /// Its file name in the archive.
        package: String,
        /// The field.
        field: &'static str,
        /// What the package says.
        found: String,
        /// What the index says.
        expected: String,
    },
}

impl PackageError {
    /// The same where it was a lock that named the package, and no index.
    pub(crate) fn of_a_lock(self) -> Self {
        match self {
            Self::Mismatch { package, field, found, expected } => {
                Self::NotLocked { package, field, found, expected }
            }
            other => other,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { source, .. } => source.hint().to_owned(),
            Self::NotLocked { .. } => {
                "the lock was changed by hand or merged: take it back, or lock the template again"
                    .to_owned()
            }
            Self::Mismatch { .. } => {
                "the archive vouches for a wrong file: tell its owner, or name another mirror with -M"
                    .to_owned()
            }
        })
    }
}

/// Decodes a verified .deb into facts and contents, and keeps both.
pub(crate) fn decode(
    store: &Store,
    file: File,
    deb: Sha256,
    candidate: &Candidate,
) -> Result<PackageFacts, ArchiveError> {
    let mut new = store.start(Shelf::Contents)?;
    let folder = new.folder().to_owned();
    let limits = Limits::for_package(candidate.installed_size, candidate.size);
    let mut keeper = Keeper::new(new.file());
    let reader = BufReader::with_capacity(128 * 1024, file);
    let control = unpack(reader, &limits, &mut keeper)
        .and_then(|control| {
            keeper.out.flush().map(|()| control).map_err(|source| DebError::Sink { source })
        })
        .map_err(|error| failure(error, &folder, candidate))?;
    let entries = std::mem::take(&mut keeper.entries);
    let licences = std::mem::take(&mut keeper.licences).into_iter().collect();
    drop(keeper);
    check(&control, candidate)?;
    let facts = PackageFacts {
        deb,
        package: candidate.package.clone(),
        version: candidate.version.as_str().to_owned(),
        arch: candidate.arch,
        control: control.paragraph,
        scripts: control.scripts,
        conffiles: control.conffiles,
        md5sums: control.md5sums,
        licences,
        entries,
    };
    new.finish(&deb.to_string())?;
    store.put_facts(&facts)?;
    Ok(facts)
}

/// A sink's failure is the store's; the rest is the package's own.
fn failure(error: DebError, folder: &camino::Utf8Path, candidate: &Candidate) -> ArchiveError {
    match error {
        DebError::Sink { source } => StoreError::io("write to", folder, source).into(),
        source => PackageError::Unreadable { package: candidate.filename.clone(), source }.into(),
    }
}

/// Whether the package is the one that the index named.
fn check(control: &Control, candidate: &Candidate) -> Result<(), PackageError> {
    let paragraph = Paragraph::new(control.paragraph.as_bytes());
    let arch = candidate.arch.map_or("all", dmc_types::Arch::name);
    for (field, expected) in [
        ("Package", candidate.package.as_str()),
        ("Version", candidate.version.as_str()),
        ("Architecture", arch),
    ] {
        let found = paragraph.field(field).unwrap_or_default();
        if found != expected {
            return Err(PackageError::Mismatch {
                package: candidate.filename.clone(),
                field,
                found: found.to_owned(),
                expected: expected.to_owned(),
            });
        }
    }
    Ok(())
}

/// Writes contents down and notes what they are.
struct Keeper<'f> {
    out: BufWriter<&'f mut File>,
    offset: u64,
    entries: Vec<Entry>,
    licences: BTreeSet<String>,
}

impl<'f> Keeper<'f> {
    fn new(file: &'f mut File) -> Self {
        Self {
            out: BufWriter::with_capacity(128 * 1024, file),
            offset: 0,
            entries: Vec::new(),
            licences: BTreeSet::new(),
        }
    }

    fn keep(&mut self, contents: &[u8]) -> io::Result<FileFacts> {
        self.out.write_all(contents)?;
        let size = contents.len() as u64;
        let facts = FileFacts {
            size,
            digest: Sha256::from_bytes(sha2::Sha256::digest(contents).into()),
            sha1: Sha1::from_bytes(sha1::Sha1::digest(contents).into()),
            offset: self.offset,
            nature: dmc_elf::nature(contents),
        };
        self.offset += size;
        Ok(facts)
    }
}

/// The names that follow `/usr/share/common-licenses/` in a text. A full stop that ends a sentence
/// is not part of a name.
fn common_licences(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    const FOLDER: &[u8] = b"/usr/share/common-licenses/";
    memchr::memmem::find_iter(text, FOLDER).filter_map(|at| {
        let rest = &text[at + FOLDER.len()..];
        let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-.+".contains(b));
        let name: String = name.map(|b| char::from(*b)).collect();
        let name = name.trim_end_matches('.');
        (!name.is_empty()).then(|| name.to_owned())
    })
}

impl Sink for Keeper<'_> {
    fn entry(&mut self, member: Member, contents: &[u8]) -> io::Result<()> {
        if member.path.is_root() {
            return Ok(());
        }
        if member.path.file_name() == b"copyright" {
            self.licences.extend(common_licences(contents));
        }
        let kind = match member.kind {
            MemberKind::File => EntryKind::File(self.keep(contents)?),
            MemberKind::Directory => EntryKind::Directory,
            MemberKind::Symlink(target) => EntryKind::Symlink(target),
            MemberKind::Hardlink(target) => EntryKind::Hardlink(target),
        };
        let Member { path, mode, uid, gid, time, .. } = member;
        self.entries.push(Entry { path, mode, uid, gid, time, kind });
        Ok(())
    }
}
