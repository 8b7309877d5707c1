//! A repository in memory, laid out and signed like Debian's.
//!
//! [`FakeSuite`] says what a suite holds and how it presents itself; [`FakeArchive::of`] writes
//! the files: `dists/SUITE/InRelease`, `Packages` in the wanted compressions, `by-hash` copies,
//! `Contents-ARCH.gz`, `Packages.diff/` where the suite was something before, `pool/`. What is changed in a [`FakeArchive`] afterwards is changed after
//! signing, as an attacker or a broken mirror would.
//!
//! Format: <https://wiki.debian.org/DebianRepository/Format>.

mod diff;
mod index;

use crate::{Compression, DebBuilder, EPOCH, SigningKey};
use dmc_types::{Arch, UnixTime};
use std::collections::BTreeMap;
use std::path::Path;

/// Which digests `InRelease` and `Packages` give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// MD5 and SHA256, as Debian does.
    Sha256,
    /// SHA512 only.
    Sha512,
    /// SHA256 and SHA512.
    Both,
    /// MD5 only, which nobody should accept.
    Md5,
}

/// One suite. The fields may be set freely between [`FakeSuite::new`] and [`FakeArchive::of`].
#[derive(Debug, Clone)]
pub struct FakeSuite {
    /// The folder below `dists`: `trixie`, `trixie-security`.
    pub path: String,
    /// `Origin`.
    pub origin: String,
    /// `Label`.
    pub label: String,
    /// `Suite`.
    pub suite: String,
    /// `Codename`.
    pub codename: String,
    /// `Date`, which is also when the signatures are made.
    pub date: UnixTime,
    /// `Valid-Until`.
    pub valid_until: Option<UnixTime>,
    /// `Architectures`, each with its indices.
    pub architectures: Vec<Arch>,
    /// Components by their folders' names.
    pub components: Vec<String>,
    /// What `Components` says, where that differs: `updates/main`.
    pub components_field: Option<String>,
    /// Whether indices are offered by digest (`Acquire-By-Hash`).
    pub by_hash: bool,
    /// Which digests are given.
    pub hashes: Hashes,
    /// In which forms `Packages` is offered.
    pub indices: Vec<Compression>,
    /// Whether there is `Contents-ARCH.gz`.
    pub contents: bool,
    /// `Signed-By`: fingerprints of the keys that may sign the next release.
    pub successors: Vec<String>,
    /// Who signs. Without keys `InRelease` is there, but unsigned.
    pub keys: Vec<SigningKey>,
    /// The packages, each with its component.
    pub debs: Vec<(String, DebBuilder)>,
    /// Paragraphs of packages that are in no pool; they end every `Packages`.
    pub unpooled: String,
    /// What the suite was before, the oldest first: `Packages.diff/` leads on from there.
    pub before: Vec<FakeSuite>,
    /// Whether one patch leads from each older text to the present one, as in Debian.
    pub merged: bool,
}

impl FakeSuite {
    /// A suite of Debian's for amd64 and arm64, with component `main`, `.gz` and `.xz` indices and
    /// SHA256, dated [`EPOCH`], without end.
    pub fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            origin: "Debian".to_owned(),
            label: "Debian".to_owned(),
            suite: path.to_owned(),
            codename: path.to_owned(),
            date: EPOCH,
            valid_until: None,
            architectures: vec![Arch::Amd64, Arch::Arm64],
            components: vec!["main".to_owned()],
            components_field: None,
            by_hash: true,
            hashes: Hashes::Sha256,
            indices: vec![Compression::Gz, Compression::Xz],
            contents: true,
            successors: Vec::new(),
            keys: Vec::new(),
            debs: Vec::new(),
            unpooled: String::new(),
            before: Vec::new(),
            merged: true,
        }
    }

    /// Adds what the suite was before, the oldest first.
    #[must_use]
    pub fn after(mut self, before: impl IntoIterator<Item = Self>) -> Self {
        self.before.extend(before);
        self
    }

    /// A security suite as Debian presents it: other label, `updates/main`, `.xz` only, valid for
    /// a week.
    pub fn security(path: &str) -> Self {
        Self {
            label: "Debian-Security".to_owned(),
            components_field: Some("updates/main".to_owned()),
            indices: vec![Compression::Xz],
            valid_until: Some(EPOCH + 7 * 24 * 3600),
            ..Self::new(path)
        }
    }

    /// Adds a signer.
    #[must_use]
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.keys.push(key.clone());
        self
    }

    /// Adds a package to component `main`.
    #[must_use]
    pub fn deb(self, deb: DebBuilder) -> Self {
        self.debs([deb])
    }

    /// Adds packages to component `main`.
    #[must_use]
    pub fn debs(mut self, debs: impl IntoIterator<Item = DebBuilder>) -> Self {
        self.debs.extend(debs.into_iter().map(|deb| ("main".to_owned(), deb)));
        self
    }
}

/// The files of a repository by their paths below its root (`dists/trixie/InRelease`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeArchive {
    files: BTreeMap<String, Vec<u8>>,
}

impl FakeArchive {
    /// Writes and signs the suites.
    pub fn of(suites: &[FakeSuite]) -> Self {
        let mut archive = Self::default();
        for suite in suites {
            archive.files.extend(index::files(suite));
        }
        archive
    }

    /// Every file by its path.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The bytes at a path, which must exist.
    pub fn get(&self, path: &str) -> &[u8] {
        match self.files.get(path) {
            Some(bytes) => bytes,
            None => panic!("no {path} among {:#?}", self.files.keys()),
        }
    }

    /// The path that ends in this, of which there must be exactly one: `nginx_1-1_amd64.deb`.
    pub fn path_of(&self, end: &str) -> &str {
        let mut found = self.files.keys().filter(|path| path.ends_with(end));
        match (found.next(), found.next()) {
            (Some(path), None) => path,
            _ => panic!("not one path ends in {end} among {:#?}", self.files.keys()),
        }
    }

    /// Adds or replaces a file.
    pub fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), bytes.into());
    }

    /// Changes a file, which must exist, and its by-hash copies.
    pub fn edit(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let before = self.get(path).to_vec();
        let mut after = before.clone();
        change(&mut after);
        for bytes in self.files.values_mut().filter(|bytes| **bytes == before) {
            bytes.clone_from(&after);
        }
    }

    /// Removes a file, which must exist, and its by-hash copies.
    pub fn remove(&mut self, path: &str) {
        let gone = self.get(path).to_vec();
        self.files.retain(|_, bytes| *bytes != gone);
    }

    /// Removes every file whose path contains this.
    pub fn remove_all(&mut self, part: &str) {
        self.files.retain(|path, _| !path.contains(part));
    }

    /// The same files, all below another folder.
    #[must_use]
    pub fn below(self, folder: &str) -> Self {
        let files = self.files.into_iter();
        Self { files: files.map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect() }
    }

    /// Writes all files below a folder, for `file://`.
    pub fn write_to(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            let parent = path.parent().expect("a file below a folder");
            std::fs::create_dir_all(parent).expect("a folder that can be written");
            std::fs::write(path, bytes).expect("a folder that can be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clear_sign;
    use std::process::Command;

    fn suite() -> FakeSuite {
        let deb = |name, arch| {
            DebBuilder::new(name, "1.0-1", arch).file(&format!("/usr/share/{name}-{arch}"), name)
        };
        FakeSuite::new("trixie").debs([deb("one", "amd64"), deb("one", "arm64"), deb("two", "all")])
    }

    #[test]
    fn the_tree_is_debians() {
        let archive = FakeArchive::of(&[suite()]);
        for path in [
            "dists/trixie/InRelease",
            "dists/trixie/main/binary-amd64/Packages.gz",
            "dists/trixie/main/binary-arm64/Packages.xz",
            "dists/trixie/main/Contents-arm64.gz",
            "pool/main/o/one/one_1.0-1_arm64.deb",
            "pool/main/t/two/two_1.0-1_all.deb",
        ] {
            assert!(!archive.get(path).is_empty(), "{path}");
        }
        let release = String::from_utf8(archive.get("dists/trixie/InRelease").to_vec()).unwrap();
        assert!(release.contains("Date: Mon, 01 Sep 2025 12:00:00 UTC\n"), "{release}");
        assert!(release.contains(" main/binary-arm64/Packages.xz\n"), "{release}");
        let by_hash = archive.files().keys().filter(|path| path.contains("/by-hash/SHA256/"));
        assert_eq!(by_hash.count(), 6);
        assert_eq!(FakeArchive::of(&[suite()]), archive);
    }

    #[test]
    fn edits_reach_the_copies() {
        let mut archive = FakeArchive::of(&[suite()]);
        let path = "dists/trixie/main/binary-amd64/Packages.xz";
        archive.edit(path, |bytes| bytes.push(0));
        let edited = archive.get(path).to_vec();
        let copies = archive.files().values().filter(|bytes| **bytes == edited);
        assert_eq!(copies.count(), 3, "itself, by MD5 and by SHA256");
        archive.remove(path);
        assert!(archive.files().keys().all(|other| other != path));
    }

    #[test]
    fn signatures_are_by_the_suites_keys() {
        let key = SigningKey::with_subkey("archive");
        let unsigned = FakeArchive::of(&[suite()]);
        let signed = FakeArchive::of(&[suite().signed_by(&key)]);
        let text = String::from_utf8(unsigned.get("dists/trixie/InRelease").to_vec()).unwrap();
        let inline = signed.get("dists/trixie/InRelease");
        assert!(inline.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----"));
        let start = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n".len();
        assert!(inline[start..].starts_with(text.trim_end().as_bytes()));
        assert_ne!(clear_sign(&text, &[&key], EPOCH), text.as_bytes());
    }

    #[test]
    fn gpgv_accepts_the_signature_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let keys = [SigningKey::generate("a"), SigningKey::with_subkey("b")];
        let suite = keys.iter().fold(suite(), FakeSuite::signed_by);
        FakeArchive::of(&[suite]).write_to(folder.path());
        let ring = keys.iter().flat_map(SigningKey::public_binary).collect::<Vec<u8>>();
        std::fs::write(path("ring.gpg"), ring).unwrap();
        let mut gpgv = Command::new("gpgv");
        gpgv.arg("--keyring").args([path("ring.gpg"), path("dists/trixie/InRelease")]);
        let Ok(out) = gpgv.output() else { return };
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}
