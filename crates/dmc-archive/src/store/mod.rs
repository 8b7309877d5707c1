//! What was fetched and worked out, kept for later runs.
//!
//! Layout below `DIR/v1/`: `debs/` and `contents/` (by the .deb's SHA-256), `facts/` (the same),
//! `indices/` and `compiled/` (by the index's digest), `releases/` (by mirror and suite; by archive
//! and suite what was accepted last), `pieces/` and `records/` (by a key of the caller's),
//! `unsigned/` (what no signed index names, by its SHA-256),
//! `partial/` (broken downloads), and the file `format` (which formats these have).
//!
//! Every file appears at once: it is written under another name in its folder and renamed, so
//! several dmc may use one store without locks. What is read is checked: sealed objects carry
//! their own digest, others are named by it. A damaged object is removed with a warning and made
//! again. Deleting the store, or any part of it, loses nothing but time. The time of a file's last
//! change is that of its last use, to some minutes.

mod check;
mod clean;
mod contents;
mod error;
mod format;
mod objects;
mod sealed;
mod stock;
mod sweep;

pub use check::Verdict;
pub use clean::{Limits, Needed, SPARE, surplus};
pub use contents::Contents;
pub use error::StoreError;
pub use sealed::Payload;
pub use stock::Object;

pub(crate) use objects::deb_name;

use camino::{Utf8Path, Utf8PathBuf};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

/// The layout's version; a store of another version lies beside this one, untouched.
const LAYOUT: &str = "v1";

/// How files begin that are not complete yet.
const NEW: &[u8] = b".new-";

/// A use is noted where the last one was so long ago.
const NOTED: Duration = Duration::from_mins(15);

/// A store, wherever it is. Opening touches no disk; folders are made when something is written.
#[derive(Debug, Clone)]
pub struct Store {
    root: Utf8PathBuf,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    ReadOnly,
}

/// The folders of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// Packages as they were fetched.
    Debs,
    /// The decoded files of packages.
    Contents,
    /// What is known of packages.
    Facts,
    /// Indices as they were fetched.
    Indices,
    /// Indices as they are searched.
    Compiled,
    /// `InRelease` files that were accepted.
    Releases,
    /// Compressed parts of layers.
    Pieces,
    /// Small things to remember.
    Records,
    /// Files that no signed index names, as they were fetched last.
    Unsigned,
    /// Broken downloads.
    Partial,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Debs,
        Self::Contents,
        Self::Facts,
        Self::Indices,
        Self::Compiled,
        Self::Releases,
        Self::Pieces,
        Self::Records,
        Self::Unsigned,
        Self::Partial,
    ];

    /// The folder's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debs => "debs",
            Self::Contents => "contents",
            Self::Facts => "facts",
            Self::Indices => "indices",
            Self::Compiled => "compiled",
            Self::Releases => "releases",
            Self::Pieces => "pieces",
            Self::Records => "records",
            Self::Unsigned => "unsigned",
            Self::Partial => "partial",
        }
    }
}

impl Store {
    /// The store in this folder, which need not exist yet.
    pub fn open(dir: impl AsRef<Utf8Path>) -> Self {
        Self { root: dir.as_ref().join(LAYOUT), access: Access::Write }
    }

    /// The same store for a run that may not change it: nothing is written, renamed or removed.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    /// Whether this run may not write.
    pub fn is_read_only(&self) -> bool {
        self.access == Access::ReadOnly
    }

    /// The versioned folder that holds everything.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Makes the folders and proves that files can be written to them.
    pub fn prepare(&self) -> Result<(), StoreError> {
        for shelf in Shelf::ALL {
            drop(self.start(shelf)?);
        }
        Ok(())
    }

    pub(crate) fn path(&self, at: Shelf, name: &str) -> Utf8PathBuf {
        self.root.join(at.name()).join(name)
    }

    pub(crate) fn exists(&self, at: Shelf, name: &str) -> bool {
        self.path(at, name).is_file()
    }

    /// Opens an object; none where it is absent.
    pub(crate) fn open_file(&self, at: Shelf, name: &str) -> Result<Option<File>, StoreError> {
        let path = self.path(at, name);
        match File::open(&path) {
            Ok(file) => {
                self.note_use(&file);
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::io("open", &path, source)),
        }
    }

    /// What is used stays longest. In somebody else's store it is not noted.
    fn note_use(&self, file: &File) {
        if self.is_read_only() {
            return;
        }
        let now = SystemTime::now();
        let used = file.metadata().and_then(|data| data.modified());
        let long_ago = |used| now.duration_since(used).is_ok_and(|idle| idle > NOTED);
        if used.is_ok_and(long_ago) {
            let _ = file.set_modified(now);
        }
    }

    /// Makes the folder of a shelf, where it is missing.
    pub(crate) fn folder(&self, at: Shelf) -> Result<Utf8PathBuf, StoreError> {
        let folder = self.root.join(at.name());
        if self.is_read_only() {
            return Err(StoreError::ReadOnly { path: folder });
        }
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(folder),
            Err(source) => Err(StoreError::io("make the folder", &folder, source)),
        }
    }

    /// Begins an object: a file without its name yet, gone again if it is dropped.
    pub(crate) fn start(&self, at: Shelf) -> Result<Unfinished, StoreError> {
        let folder = self.folder(at)?;
        let file = tempfile::Builder::new()
            .prefix(OsStr::from_bytes(NEW))
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&folder)
            .map_err(|source| StoreError::io("write to", &folder, source))?;
        Ok(Unfinished { file, folder })
    }

    pub(crate) fn write(&self, at: Shelf, name: &str, parts: &[&[u8]]) -> Result<(), StoreError> {
        let mut new = self.start(at)?;
        for part in parts {
            new.file
                .write_all(part)
                .map_err(|e| StoreError::io("write", &new.folder.join(name), e))?;
        }
        new.finish(name)
    }

    /// Gives a complete file of this store (a download) its place.
    pub(crate) fn adopt(&self, from: &Utf8Path, at: Shelf, name: &str) -> Result<(), StoreError> {
        let to = self.folder(at)?.join(name);
        fs::rename(from, &to).map_err(|source| StoreError::io("write", &to, source))
    }

    /// Removes what turned out to be damaged, so that it is made again, and says so.
    pub(crate) fn discard(&self, at: Shelf, name: &str, why: &str) {
        let path = self.path(at, name);
        tracing::warn!(%path, why, "a damaged object in the store is made again");
        if !self.is_read_only()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%path, %error, "it could not be removed");
        }
    }
}

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: tempfile::NamedTempFile,
    folder: Utf8PathBuf,
}

impl Unfinished {
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// The folder, for messages.
    pub(crate) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Gives the object its name, in place of one that is there.
    pub(crate) fn finish(self, name: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        match self.file.persist(&path) {
            Ok(_) => Ok(()),
            Err(refused) => Err(StoreError::io("write", &path, refused.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    pub(crate) fn empty() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Utf8Path::from_path(dir.path()).unwrap());
        (dir, store)
    }

    #[test]
    fn opening_touches_no_disk() {
        let (dir, store) = empty();
        assert!(store.open_file(Shelf::Debs, "x").unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        store.prepare().unwrap();
        assert!(store.root().join("debs").is_dir());
    }

    #[test]
    fn a_store_for_reading_is_never_written() {
        let (dir, store) = empty();
        let store = store.read_only();
        let refused = store.write(Shelf::Records, "x", &[b"y"]).unwrap_err();
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
        assert!(refused.hint().is_some());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_store_that_cannot_be_written_is_named_with_a_way_out() {
        let (dir, _) = empty();
        let file = Utf8PathBuf::from_path_buf(dir.path().join("file")).unwrap();
        fs::write(&file, "in the way").unwrap();
        let refused = Store::open(&file).prepare().unwrap_err();
        assert!(refused.to_string().contains(file.as_str()), "{refused}");
        assert!(refused.hint().unwrap().contains("--store"));
        assert!(refused.source().is_some());
    }

    #[test]
    fn a_full_disk_is_named_with_a_way_out() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let refused = StoreError::io("write", Utf8Path::new("/cache/debs/x"), full);
        assert!(refused.hint().unwrap().contains("/cache/debs/x"));
    }

    #[test]
    fn a_use_is_noted_after_a_while_and_never_by_readers() {
        let (_dir, store) = empty();
        store.write(Shelf::Records, "x", &[b"y"]).unwrap();
        let path = store.path(Shelf::Records, "x");
        let used = || fs::metadata(&path).unwrap().modified().unwrap();
        for (minutes, reader, noted) in
            [(5, &store, false), (20, &store.clone().read_only(), false), (20, &store, true)]
        {
            let before = SystemTime::now() - Duration::from_mins(minutes);
            File::open(&path).unwrap().set_modified(before).unwrap();
            let before = used();
            drop(reader.open_file(Shelf::Records, "x").unwrap());
            assert_eq!(used() > before, noted, "{minutes} {reader:?}");
        }
    }

    #[test]
    fn half_written_objects_vanish() {
        let (_dir, store) = empty();
        let mut new = store.start(Shelf::Pieces).unwrap();
        new.file().write_all(b"half").unwrap();
        let folder = new.folder().to_owned();
        drop(new);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    }

    #[test]
    fn two_stores_in_one_folder_write_one_object() {
        let (_dir, store) = empty();
        let other = store.clone();
        let (mut a, mut b) =
            (store.start(Shelf::Pieces).unwrap(), other.start(Shelf::Pieces).unwrap());
        a.file().write_all(b"same").unwrap();
        b.file().write_all(b"same").unwrap();
        a.finish("key").unwrap();
        b.finish("key").unwrap();
        let path = store.path(Shelf::Pieces, "key");
        assert_eq!(fs::read(path).unwrap(), b"same");
    }
}
