//! Patches to indices, and the index that lists them.

use dmc_deb::pdiff::{Patch, PatchIndex, Patched};
use dmc_testkit::{FakeArchive, FakeSuite, fixtures};
use dmc_types::Arch;
use std::io::{BufReader, ErrorKind, Read};

/// An index of patches, and a patch to a text of a hundred lines: what comes out has no more than
/// the text and the patch, and does not depend on how it is read.
pub fn pdiff(data: &[u8]) {
    if let Ok(index) = PatchIndex::parse(data) {
        let way = index.way_from(&index.current.sha256).unwrap_or_default();
        assert!(way.iter().all(|patch| !patch.file.contains('/') && !patch.file.starts_with('.')));
    }
    let Ok(patch) = Patch::parse(data.to_vec()) else { return };
    let text = "a line\n".repeat(100);
    let read = |buffer: usize| {
        let mut out = Vec::new();
        let text = BufReader::with_capacity(buffer, text.as_bytes());
        Patched::new(text, &patch).read_to_end(&mut out).map(|_| out)
    };
    match (read(1 << 16), read(3)) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces);
            assert!(whole.len() <= text.len() + data.len());
        }
        (Err(one), Err(other)) => {
            assert_eq!([one.kind(), other.kind()], [ErrorKind::InvalidData; 2]);
        }
        (one, other) => panic!("{one:?} {other:?}"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let before = FakeSuite::new("sid").debs(fixtures::nginx_like(&[Arch::Amd64]).split_off(8));
    let now = FakeSuite::new("sid").debs(fixtures::nginx_like(&[Arch::Amd64])).after([before]);
    let archive = FakeArchive::of(&[now]);
    let listed = archive.files().iter().filter(|(path, _)| path.ends_with(".diff/Index"));
    let made = [
        "90,100d\n50c\none\ntwo\n.\n50d\n3,7c\n.\n0a\nfirst\n.\n",
        "100a\nlast\n.\n99d\n2a\n\n.\n",
        "101d\n",
        "1s/.//\n",
    ];
    let made = made.iter().map(|patch| patch.as_bytes().to_vec());
    listed.map(|(_, index)| index.clone()).chain(made).collect()
}
