//! A download's place in the store while it is not complete.
//!
//! `partial/DIGEST.part` is locked by the process that fills it (flock(2)); another dmc that wants
//! the same file waits and then finds it done. What a broken run left is taken up again: the
//! digest of the whole is checked in any case.

use crate::store::{Shelf, Store, StoreError};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::{Checksum, Sha256, Sha512};
use sha2::Digest;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How often a file that another process fetches is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A locked file that grows, and the digests of what it holds.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: Utf8PathBuf,
    length: u64,
    hashes: Hashes,
}

/// SHA-256 always, as the store's name; SHA-512 where an index vouches by it.
#[derive(Debug, Clone)]
struct Hashes {
    sha256: sha2::Sha256,
    sha512: Option<sha2::Sha512>,
}

impl Hashes {
    fn new(checksum: &Checksum) -> Self {
        let sha512 = matches!(checksum, Checksum::Sha512(_)).then(sha2::Sha512::new);
        Self { sha256: sha2::Sha256::new(), sha512 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(hash) = &mut self.sha512 {
            hash.update(bytes);
        }
    }
}

impl Part {
    /// Opens and locks the file, waiting for whoever holds it; takes up what is in it.
    pub(super) async fn open(store: &Store, checksum: &Checksum) -> Result<Self, StoreError> {
        let folder = store.folder(Shelf::Partial)?;
        let path = folder.join(format!("{}.part", checksum.to_string().replace(':', "-")));
        let file = loop {
            match lock(&path)? {
                Some(file) => break file,
                None => tokio::time::sleep(GLANCE).await,
            }
        };
        let mut part = Self { file, path, length: 0, hashes: Hashes::new(checksum) };
        part.take_up()?;
        Ok(part)
    }

    fn take_up(&mut self) -> Result<(), StoreError> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read =
                self.file.read(&mut chunk).map_err(|e| StoreError::io("read", &self.path, e))?;
            if read == 0 {
                return Ok(());
            }
            self.hashes.update(&chunk[..read]);
            self.length += read as u64;
        }
    }

    /// How many bytes are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|e| StoreError::io("write", &self.path, e))?;
        self.hashes.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Forgets everything that is there.
    pub(super) fn restart(&mut self, checksum: &Checksum) -> Result<(), StoreError> {
        let emptied = self.file.set_len(0).and_then(|()| std::io::Seek::rewind(&mut self.file));
        emptied.map_err(|e| StoreError::io("write", &self.path, e))?;
        self.length = 0;
        self.hashes = Hashes::new(checksum);
        Ok(())
    }

    /// The SHA-256 and, in the algorithm of the expected one, the checksum of what is there.
    pub(super) fn digests(&self) -> (Sha256, Checksum) {
        let hashes = self.hashes.clone();
        let sha256 = Sha256::from_bytes(hashes.sha256.finalize().into());
        match hashes.sha512 {
            Some(hash) => (sha256, Checksum::Sha512(Sha512::from_bytes(hash.finalize().into()))),
            None => (sha256, Checksum::Sha256(sha256)),
        }
    }

    /// Moves the verified file to its shelf.
    pub(super) fn keep(self, store: &Store, at: Shelf, name: &str) -> Result<(), StoreError> {
        store.adopt(&self.path, at, name)
    }

    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path, %error, "a broken download stays behind");
        }
    }
}

/// One try; none where another process holds the file, or has just moved it away.
fn lock(path: &Utf8Path) -> Result<Option<File>, StoreError> {
    let refused = |source| StoreError::io("write", path, source);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(refused)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Ok(()) => {}
        // A file system without locks: two runs then may spoil each other's download, which the
        // digest shows.
        Err(TryLockError::Error(error)) => tracing::debug!(%path, %error, "no locks here"),
    }
    let same = fs::metadata(path).and_then(|at| {
        file.metadata().map(|held| (at.dev(), at.ino()) == (held.dev(), held.ino()))
    });
    Ok(matches!(same, Ok(true)).then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> Checksum {
        Checksum::Sha256(Sha256::from_bytes(sha2::Sha256::digest(bytes).into()))
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Utf8Path::from_path(dir.path()).unwrap());
        (dir, store)
    }

    #[tokio::test]
    async fn what_an_earlier_run_left_is_taken_up() {
        let (_dir, store) = store();
        let wanted = sum(b"hello world");
        let mut part = Part::open(&store, &wanted).await.unwrap();
        part.append(b"hello ").unwrap();
        drop(part);
        let mut part = Part::open(&store, &wanted).await.unwrap();
        assert_eq!(part.length(), 6);
        part.append(b"world").unwrap();
        assert_eq!(part.digests().1, wanted);
    }

    #[tokio::test]
    async fn restarting_forgets_all() {
        let (_dir, store) = store();
        let wanted = sum(b"right");
        let mut part = Part::open(&store, &wanted).await.unwrap();
        part.append(b"wrong and long").unwrap();
        part.restart(&wanted).unwrap();
        part.append(b"right").unwrap();
        assert_eq!(part.digests().1, wanted);
        part.keep(&store, Shelf::Debs, "x").unwrap();
        assert_eq!(fs::read(store.path(Shelf::Debs, "x")).unwrap(), b"right");
    }

    #[tokio::test]
    async fn a_second_run_waits_for_the_first() {
        let (_dir, store) = store();
        let wanted = sum(b"x");
        let first = Part::open(&store, &wanted).await.unwrap();
        let second = Part::open(&store, &wanted);
        let early = tokio::time::timeout(Duration::from_millis(100), second).await;
        assert!(early.is_err(), "it did not wait");
        first.keep(&store, Shelf::Debs, "x").unwrap();
        assert_eq!(Part::open(&store, &wanted).await.unwrap().length(), 0, "a new file");
    }
}
