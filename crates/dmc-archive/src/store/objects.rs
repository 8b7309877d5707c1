//! What the shelves hold, by type.

use super::sealed::{Kind, Payload};
use super::{Contents, Shelf, Store, StoreError};
use crate::memory::Memory;
use dmc_types::{Checksum, PackageFacts, Sha256, Sha512, Suite};
use sha2::Digest;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

// Raised whenever `PackageFacts`, or what the decoder reads into it, changes.
pub(super) const FACTS: Kind = Kind::new(Shelf::Facts, b'F', 4);
// Whoever takes a piece compares it with the bytes that it is of.
pub(super) const PIECE: Kind = Kind::new(Shelf::Pieces, b'P', 2).summed();
pub(super) const RECORD: Kind = Kind::new(Shelf::Records, b'R', 1);
pub(super) const ALIAS: Kind = Kind::new(Shelf::Records, b'A', 1);
pub(super) const MEMORY: Kind = Kind::new(Shelf::Releases, b'M', 1);

/// How the names of memories end.
pub(super) const ACCEPTED: &str = "_accepted";

impl Store {
    /// Whether a package's facts are there (not whether they are intact).
    pub fn has_facts(&self, deb: &Sha256) -> bool {
        self.exists(Shelf::Facts, &deb.to_string())
    }

    /// Whether a package itself is there (not whether it is intact).
    pub fn has_deb(&self, deb: &Sha256) -> bool {
        self.exists(Shelf::Debs, &deb_name(deb))
    }

    /// A package's facts; none where they are absent, damaged, or their contents are missing.
    pub fn facts(&self, deb: &Sha256) -> Result<Option<Arc<PackageFacts>>, StoreError> {
        let name = deb.to_string();
        let Some(payload) = self.unseal(FACTS, &name)? else {
            return Ok(None);
        };
        match postcard::from_bytes::<PackageFacts>(&payload) {
            Ok(facts) if facts.deb == *deb && self.exists(Shelf::Contents, &name) => {
                Ok(Some(Arc::new(facts)))
            }
            Ok(facts) if facts.deb == *deb => Ok(None),
            _ => {
                self.discard(Shelf::Facts, &name, "its facts cannot be read");
                Ok(None)
            }
        }
    }

    /// Keeps a package's facts. Its contents must be there before.
    pub(crate) fn put_facts(&self, facts: &PackageFacts) -> Result<(), StoreError> {
        let name = facts.deb.to_string();
        match postcard::to_stdvec(facts) {
            Ok(payload) => self.seal(FACTS, &name, &payload),
            Err(_unreachable) => Err(StoreError::Damaged {
                path: self.path(Shelf::Facts, &name),
                why: "its facts cannot be written down",
            }),
        }
    }

    /// The decoded files of a package; none where they are absent.
    pub fn contents(&self, deb: &Sha256) -> Result<Option<Contents>, StoreError> {
        let name = deb.to_string();
        match self.open_file(Shelf::Contents, &name)? {
            Some(file) => Contents::new(file, self.path(Shelf::Contents, &name)).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a compressed piece of a layer is there (not whether it is intact).
    pub fn has_piece(&self, key: &Sha256) -> bool {
        self.exists(Shelf::Pieces, &key.to_string())
    }

    /// A compressed piece of a layer, by the caller's key, who checks it; none where it is absent.
    pub fn piece(&self, key: &Sha256) -> Result<Option<Payload>, StoreError> {
        self.open_sealed(PIECE, &key.to_string())
    }

    /// Keeps a compressed piece of a layer.
    pub fn put_piece(&self, key: &Sha256, piece: &[u8]) -> Result<(), StoreError> {
        self.seal(PIECE, &key.to_string(), piece)
    }

    /// A small record, by the caller's key; none where it is absent or damaged.
    pub fn record(&self, key: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        self.unseal(RECORD, &key.to_string())
    }

    /// Keeps a small record, in place of an older one; not in a store of somebody else's.
    pub fn put_record(&self, key: &Sha256, record: &[u8]) -> Result<(), StoreError> {
        unless_refused(self.seal(RECORD, &key.to_string(), record))
    }

    /// The SHA-256 by which the store knows a file. Files that an index vouches for by SHA-512
    /// alone are known once they have been fetched.
    pub fn key(&self, checksum: &Checksum) -> Result<Option<Sha256>, StoreError> {
        match checksum {
            Checksum::Sha256(digest) => Ok(Some(*digest)),
            Checksum::Sha512(digest) => {
                let payload = self.unseal(ALIAS, &alias_name(digest))?;
                Ok(payload.and_then(|bytes| bytes.try_into().ok()).map(Sha256::from_bytes))
            }
        }
    }

    pub(crate) fn put_alias(&self, checksum: &Checksum, key: &Sha256) -> Result<(), StoreError> {
        match checksum {
            Checksum::Sha256(_) => Ok(()),
            Checksum::Sha512(digest) => self.seal(ALIAS, &alias_name(digest), key.as_bytes()),
        }
    }

    /// Opens a file that is named by its digest, checks it, and stands at its start; none where
    /// it is absent or damaged (it is removed).
    pub(crate) fn verified(
        &self,
        at: Shelf,
        name: &str,
        digest: &Sha256,
    ) -> Result<Option<File>, StoreError> {
        let Some(mut file) = self.open_file(at, name)? else {
            return Ok(None);
        };
        let read = |source| StoreError::io("read", &self.path(at, name), source);
        if self::digest(&mut file).map_err(read)? != *digest {
            self.discard(at, name, "its digest is wrong");
            return Ok(None);
        }
        file.rewind().map_err(read)?;
        Ok(Some(file))
    }

    /// What is remembered of the last release of a suite that was accepted.
    pub(crate) fn memory(
        &self,
        archive: &str,
        suite: &Suite,
    ) -> Result<Option<Memory>, StoreError> {
        let payload = self.unseal(MEMORY, &memory_name(archive, suite))?;
        Ok(payload.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    pub(crate) fn remember(
        &self,
        archive: &str,
        suite: &Suite,
        memory: &Memory,
    ) -> Result<(), StoreError> {
        let name = memory_name(archive, suite);
        match postcard::to_stdvec(memory) {
            Ok(payload) => self.seal(MEMORY, &name, &payload),
            Err(_unreachable) => Err(StoreError::Damaged {
                path: self.path(Shelf::Releases, &name),
                why: "it cannot be written down",
            }),
        }
    }

    /// The InRelease that was accepted last time from this mirror, as it was fetched.
    pub(crate) fn release(
        &self,
        mirror: &str,
        suite: &Suite,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let name = release_name(mirror, suite);
        let path = self.path(Shelf::Releases, &name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::io("read", &path, source)),
        }
    }

    pub(crate) fn put_release(
        &self,
        mirror: &str,
        suite: &Suite,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        unless_refused(self.write(Shelf::Releases, &release_name(mirror, suite), &[bytes]))
    }
}

/// A store of somebody else's serves as it is: what would only save time, or be remembered for its
/// owner's next run, is not kept there.
fn unless_refused(written: Result<(), StoreError>) -> Result<(), StoreError> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match written {
        Err(StoreError::Io { source, path, .. })
            if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) =>
        {
            tracing::debug!(%path, "it is not kept: this run may not write to the store");
            Ok(())
        }
        other => other,
    }
}

/// The digest of the rest of a file.
pub(super) fn digest(file: &mut File) -> std::io::Result<Sha256> {
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; 128 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Sha256::from_bytes(hash.finalize().into())),
            length => hash.update(&chunk[..length]),
        }
    }
}

pub(crate) fn deb_name(deb: &Sha256) -> String {
    format!("{deb}.deb")
}

fn alias_name(digest: &Sha512) -> String {
    Sha256::from_bytes(sha2::Sha256::digest(digest.as_bytes()).into()).to_string()
}

fn release_name(mirror: &str, suite: &Suite) -> String {
    readable(mirror, suite, "_InRelease")
}

fn memory_name(archive: &str, suite: &Suite) -> String {
    readable(archive, suite, ACCEPTED)
}

/// Readable first, and unique by a digest of where it came from.
fn readable(from: &str, suite: &Suite, what: &str) -> String {
    let digest = sha2::Sha256::digest(format!("{from}\n{suite}").as_bytes());
    let unique = Sha256::from_bytes(digest.into()).to_string();
    format!("{}_{}{what}", suite.as_str().replace('/', "_"), &unique[..16])
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use dmc_types::{Entry, EntryKind, FileFacts, ImagePath, Nature, Sha1};
    use std::collections::BTreeMap;

    fn facts() -> PackageFacts {
        let digest = Sha256::from_bytes(sha2::Sha256::digest(b"hello").into());
        let sha1 = Sha1::from_bytes(sha1::Sha1::digest(b"hello").into());
        let file = FileFacts { size: 5, digest, sha1, offset: 0, nature: Nature::Data };
        PackageFacts {
            deb: digest,
            package: "hello".parse().unwrap(),
            version: "1.0".into(),
            arch: None,
            control: "Package: hello\n".into(),
            scripts: BTreeMap::new(),
            conffiles: Vec::new(),
            md5sums: BTreeMap::new(),
            licences: vec![],
            entries: vec![Entry {
                path: ImagePath::parse("/usr/bin/hello").unwrap(),
                mode: 0o755,
                uid: 0,
                gid: 0,
                time: 1,
                kind: EntryKind::File(file),
            }],
        }
    }

    #[test]
    fn facts_come_back_only_with_their_contents() {
        let (_dir, store) = empty();
        let facts = facts();
        store.put_facts(&facts).unwrap();
        assert!(store.facts(&facts.deb).unwrap().is_none(), "there are no contents");
        store.write(Shelf::Contents, &facts.deb.to_string(), &[b"hello"]).unwrap();
        assert_eq!(*store.facts(&facts.deb).unwrap().unwrap(), facts);
        let EntryKind::File(file) = &facts.entries[0].kind else { unreachable!() };
        let mut bytes = Vec::new();
        store.contents(&facts.deb).unwrap().unwrap().read(file, &mut bytes).unwrap();
        assert_eq!(bytes, b"hello");
    }

    #[test]
    fn contents_that_are_too_short_are_damaged() {
        let (_dir, store) = empty();
        let facts = facts();
        store.write(Shelf::Contents, &facts.deb.to_string(), &[b"hel"]).unwrap();
        let contents = store.contents(&facts.deb).unwrap().unwrap();
        let EntryKind::File(file) = &facts.entries[0].kind else { unreachable!() };
        for offset in [0, 3, u64::MAX] {
            let file = FileFacts { offset, ..file.clone() };
            let refused = contents.read(&file, &mut Vec::new()).unwrap_err();
            assert!(matches!(refused, StoreError::Damaged { .. }), "{offset}: {refused}");
        }
    }

    #[test]
    fn one_packages_facts_do_not_pass_for_anothers() {
        let (_dir, store) = empty();
        let facts = facts();
        store.put_facts(&facts).unwrap();
        let other = Sha256::from_bytes([1; 32]);
        let (from, to) = (facts.deb.to_string(), other.to_string());
        let folder = store.folder(Shelf::Facts).unwrap();
        std::fs::rename(folder.join(from), folder.join(&to)).unwrap();
        assert!(store.facts(&other).unwrap().is_none());
        assert!(!folder.join(to).exists());
    }

    #[test]
    fn pieces_and_records_are_kept_apart() {
        let (_dir, store) = empty();
        let key = Sha256::from_bytes([3; 32]);
        store.put_piece(&key, b"piece").unwrap();
        assert_eq!(store.record(&key).unwrap(), None);
        store.put_record(&key, b"record").unwrap();
        let (found, mut bytes) = (store.piece(&key).unwrap().unwrap(), Vec::new());
        found.pass(&mut |part| bytes.extend_from_slice(part)).unwrap();
        assert_eq!((found.length(), &*bytes), (5, &b"piece"[..]));
        assert_eq!(store.record(&key).unwrap().unwrap(), b"record");
    }

    #[test]
    fn releases_are_kept_by_mirror_and_suite() {
        let (_dir, store) = empty();
        let suite: Suite = "bookworm/updates".parse().unwrap();
        store.put_release("http://a/", &suite, b"a").unwrap();
        assert_eq!(store.release("http://a/", &suite).unwrap().unwrap(), b"a");
        assert_eq!(store.release("http://b/", &suite).unwrap(), None);
    }

    #[test]
    fn a_package_known_by_sha512_alone_is_found_again() {
        let (_dir, store) = empty();
        let (long, short) =
            (Checksum::Sha512(Sha512::from_bytes([5; 64])), Sha256::from_bytes([6; 32]));
        assert_eq!(store.key(&long).unwrap(), None);
        store.put_alias(&long, &short).unwrap();
        assert_eq!(store.key(&long).unwrap(), Some(short));
    }
}
